"""What repeats, in the program's own words: how it is written, what its wires are called, and
which representations they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ...graph.graph import ArrayType, Node, Wire
from ...graph.values import NotFirstOrder, OpenSize
from ...language import typed as p
from ...language import types as t
from ...language.excerpt import shortened
from ...language.source import Span
from ...runtime.function import Function
from ..scene.names import Names, without_brackets
from ..wiring.diagram import Group, Owner
from ..wiring.read import read
from .frames import Ran, origins
from .steps import Excerpt, Mark

LONGEST = 60  # characters of what is written
BOX = 18  # of what stands in a box


@dataclass(frozen=True)
class Called:
    """What one wire is called, its type as the program has it, and its representation."""

    name: str
    type: str
    colour: int | None


class Told:
    """Of one function."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.program = function.program
        self.representations = tuple(self.program.reps)
        self.names = Names(self.program)

    @cached_property
    def groups(self) -> list[Group]:
        """The combinators of its wiring diagram, which know types that the graph does not."""
        if self.function.name not in self.program.definitions:
            return []
        try:
            diagram = read(self.program, self.function.name, loops=True)
            return [node for node in diagram.everywhere() if isinstance(node, Group)]
        except RecursionError:
            return []

    def group(self, node: Node) -> Group | None:
        """The combinator that a node of the graph is."""
        return next((g for g in self.groups if g.origin == node.origin and g.kind != "cata"), None)

    @property
    def cata(self) -> Group | None:
        return next((group for group in self.groups if group.kind == "cata"), None)

    # --- how it is written ----------------------------------------------------------------------

    def label(self, origin: Span | None) -> str:
        """What is written: of what stands in the library, who uses it there."""
        if origin is None:
            return "·"
        span = self.place(origin)
        if span is None:
            return self.names.library(origin) or shortened(_line(origin.text), LONGEST)
        return shortened(_line(span.text), LONGEST)

    def place(self, origin: Span | None) -> Span | None:
        """Where the user has written it: a use of the library's function, if it stands in one."""
        if origin is None or not origin.source.name.startswith("std/"):
            return origin
        library = self.names.library(origin)
        uses = [
            (definition, node)
            for definition in self.written
            for node in p.nodes(definition.body)
            if isinstance(node, p.Global)
        ]
        for straight in (True, False):
            for definition, node in uses:
                found = node.name == library if straight else self._leads(node.name, library)
                if found:
                    return _applied(definition.body, node)
        return None

    def _leads(self, name: str, library: str) -> bool:
        """Whether a function of the library uses another one."""
        pending, seen = [name], set[str]()
        while pending:
            each = pending.pop()
            definition = self.program.definitions.get(each)
            if each in seen or definition is None:
                continue
            seen.add(each)
            if not definition.span.source.name.startswith("std/"):
                continue
            pending += [n.name for n in p.nodes(definition.body) if isinstance(n, p.Global)]
        return library in seen and name != library

    @cached_property
    def written(self) -> list[p.Definition]:
        """The function's definition, and those of the user's that it uses."""
        found: dict[str, p.Definition] = {}
        pending = [self.function.definition]
        while pending:
            definition = pending.pop(0)
            if definition.name in found or definition.span.source.name.startswith("std/"):
                continue
            found[definition.name] = definition
            for node in p.nodes(definition.body):
                if isinstance(node, p.Global) and node.name in self.program.definitions:
                    pending.append(self.program.definitions[node.name])
        return list(found.values())

    def excerpts(
        self, whole: Span | None, steps: Sequence[tuple[str, Span]]
    ) -> tuple[Excerpt, ...]:
        """The definitions in which the combinator, and what is done at each step, are written."""
        marked: dict[str, list[tuple[str, Span]]] = {}
        for what, span in [*([("whole", whole)] if whole else []), *steps]:
            for definition in self.written:
                if definition.span.contains(span):
                    marked.setdefault(definition.name, []).append((what, span))
                    break
        found = []
        for definition in self.written:
            if definition.name in marked:
                text, start = definition.span.text, definition.span
                spans: dict[str, list[tuple[int, int]]] = {}
                for what, span in marked[definition.name]:
                    begin = _offset(text, start, span.line, span.column)
                    end = _offset(text, start, span.end_line, span.end_column)
                    end = begin + len(text[begin:end].rstrip())
                    spans.setdefault(what, []).append((begin, end))
                marks = tuple(
                    Mark(what, min(b for b, _ in own), max(e for _, e in own))
                    for what, own in spans.items()
                )
                found.append(Excerpt(start.source.name, text.rstrip(), marks))
        return tuple(found)

    def done_at(self, ran: Ran) -> list[tuple[str, Span]]:
        """Where what is done at each step is written."""
        return [("step", span) for span in origins(ran.body) if span != ran.node.origin]

    def alternatives(self) -> tuple[Span | None, list[tuple[str, Span]]]:
        """Where the first catamorphism is written, and each of its alternatives."""
        for definition in self.written:
            for node in p.nodes(definition.body):
                if isinstance(node, p.Cata):
                    spans = [
                        (pattern.name, pattern.span.to(body.span))
                        for pattern, body in node.alternatives
                    ]
                    return node.span, spans
        return None, []

    # --- what wires are called ------------------------------------------------------------------

    def box(self, ran: Ran, group: Group | None) -> str:
        """What stands in the box of each step: the function that is applied."""
        if group is not None:
            nodes = group.body.nodes
            label = nodes[0].label if len(nodes) == 1 else group.text or group.label
            text = without_brackets(_line(label))
            return shortened(text.removeprefix("(") if text.startswith("(\\") else text, BOX)
        inside = [span for _, span in self.done_at(ran)]
        for definition in self.written:
            if inside and all(definition.span.contains(span) for span in inside):
                place = self.place(ran.node.origin)
                if place is None or not definition.span.contains(place):
                    return shortened(definition.name, BOX)
        return "f"

    def weights(self, group: Group | None) -> int | None:
        """How many weights the function at each step has, where that is known."""
        if group is None:
            return None
        owners: set[Owner] = {n.owner for n in group.body.everywhere() if n.owner is not None}
        counts = [owner.count for owner in owners]
        if not counts:
            return None
        return sum(count or 0 for count in counts)

    def start(self, group: Group | None) -> str:
        """What the states begin with."""
        if group is None:
            return ""
        for wire, port in zip(group.body.inputs, group.entering, strict=False):
            if port.role == "state":
                return port.start.label if port.start is not None else wire.name
        return ""

    def called(self, wires: Sequence[Wire], types: Sequence[t.Type] | None) -> list[Called]:
        """The wires of one role; `types` are those the program gives them, if known."""
        known = self._spread(wires, types) if types is not None else None
        made = []
        for k, wire in enumerate(wires):
            type = known[k] if known is not None else None
            shown = t.show(type) if type is not None else wire.representation or str(wire.type)
            name = type.name if isinstance(type, t.Named) else wire.representation
            place = self.representations.index(name) if name in self.representations else None
            made.append(Called(wire.name, shown, place))
        return made

    def _spread(self, wires: Sequence[Wire], types: Sequence[t.Type]) -> list[t.Type] | None:
        """For each wire its type, where a type may be of several arrays; None where they do
        not fit."""
        found: list[t.Type] = []
        shapes: list[ArrayType] = []
        for type in types:
            try:
                own = self.program.declarations.layout(type)
            except (NotFirstOrder, OpenSize):
                return None
            found += [type] * len(own)
            shapes += own
        fits = [wire.type for wire in wires] == shapes
        return found if fits else None


def _line(text: str) -> str:
    return " ".join(text.split())


def _applied(body: p.Expression, head: p.Node) -> Span:
    """The whole application that begins with a name."""
    widest: Span = head.span
    for node in p.nodes(body):
        if isinstance(node, p.Apply) and node.span.contains(widest, first=True):
            inner: p.Expression = node
            while isinstance(inner, p.Apply):
                inner = inner.function
            if inner is head:
                widest = node.span
    return widest


def _offset(text: str, start: Span, line: int, column: int) -> int:
    """The place in a definition's text of a line and column of its source."""
    lines = text.split("\n")
    row = line - start.line
    before = sum(len(each) + 1 for each in lines[:row])
    return before + column - (start.column if row == 0 else 1)
