"""What a stage is called: the program's own text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...graph.graph import Call, Loop, Node
from ...language import typed as p
from ...language.source import Span
from ...runtime.program import Program

LONGEST = 28


@dataclass(frozen=True)
class Names:
    """Of one program: `label` says what is written where a stage comes from.

    A stage that owns weights is called as their owner is written (`dense[2]`), if that is a
    layer of the library; what the user has written out is called by that (`?W @ x + ?b`).
    """

    program: Program

    def label(self, nodes: Sequence[Node], weights: Sequence[str]) -> tuple[str, Span | None]:
        origin = next((node.origin for node in reversed(nodes) if node.origin is not None), None)
        one = nodes[0].operation if len(nodes) == 1 else None
        # A loop is a whole layer, `lstm[3]`: what is written inside of it is its own affair.
        owner = self._occurrence(_shared(weights), whole=isinstance(one, Loop))
        library = origin is not None and origin.source.name.startswith("std/")
        if owner is not None and library:
            return shortened(owner.text), owner
        names = [
            node.operation.primitive.name for node in nodes if isinstance(node.operation, Call)
        ]
        if (
            isinstance(one, Call)
            and one.primitive.kind == "elementwise"
            and len(nodes[0].inputs) == 1
        ):
            return names[0], origin
        if library and origin is not None:
            return self.library(origin) or shortened(origin.text), origin
        if origin is None or origin.source.name == "expression":
            return " ".join(dict.fromkeys(names)) or "·", origin
        return shortened(without_brackets(origin.text)), origin

    def _occurrence(self, path: tuple[str, ...], whole: bool = False) -> Span | None:
        """Where the owner of weights is written: `dense[2]` for `net.dense`. Of the `whole` of
        a layer it is where the program says it, and not where the library goes on."""
        place: Span | None = None
        name = path[0] if path else ""
        for label in path[1:]:
            definition = self.program.definitions.get(name)
            if definition is None:
                return place
            if whole and place is not None and definition.span.source.name.startswith("std/"):
                return place
            node = _labelled(definition.body, label)
            if node is None:
                continue  # inside an expression that was gone into already
            place = node.span
            name = node.name if isinstance(node, p.Global) else name
        return place

    def library(self, origin: Span) -> str:
        """The definition of the library in which something is written; "" elsewhere."""
        if not origin.source.name.startswith("std/"):
            return ""
        for name, definition in self.program.definitions.items():
            span = definition.span
            if span.source is origin.source and span.line <= origin.line <= span.end_line:
                return name
        return ""


def _labelled(body: p.Expression, label: str) -> p.Global | p.Fresh | p.Stack | None:
    for node in p.nodes(body):
        if isinstance(node, p.Global | p.Fresh | p.Stack) and node.label == label:
            return node
    return None


def _shared(weights: Sequence[str]) -> tuple[str, ...]:
    """The path that all weights begin with, without the holes' own names."""
    paths = [weight.split(".")[:-1] for weight in weights]
    shared: list[str] = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return tuple(shared)


def without_brackets(text: str) -> str:
    """Text without one pair of brackets around all of it."""
    inner = text.strip()
    if not (inner.startswith("(") and inner.endswith(")")):
        return inner
    depth = 0
    for place, letter in enumerate(inner):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and place < len(inner) - 1:
            return inner
    return inner[1:-1]


def shortened(text: str) -> str:
    """On one line, and no longer than a caption may be."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
