"""Stages of a graph: where everything that depends on the input is in one place.

A wire is a cut if all of the input's influence goes through it. What lies between two
cuts is a part; its kind says by which homotopy it is shown:

    affine      x ↦ W x + b: a contraction and the addition of what is constant are one
    shift       x ↦ x + b alone
    pointwise   entry by entry: tanh, relu
    softmax     also logSoftmax: the gradient of a convex function, and less a constant
    residual    x ↦ x + f x
    parallel    blocks that do not touch each other
    fold        states along a sequence: the last one, or all of them
    opaque      anything else

Layers in a loop, `stack[4] f` and `iterate[4] f`, are laid out first: they are stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...graph.graph import Call, Graph, Loop, Node, Wire
from ...graph.primitive import Primitive
from ...graph.unrolled import unrolled
from ...language.source import Span
from ...linear.linearity import nonlinear_node
from .names import Names, shortened

MOST_LAYERS = 64
# Not decreasing: with them (1 − t) x + t φ(x) is injective for t < 1.
MONOTONE = {
    "tanh", "sigmoid", "relu", "softplus", "exp", "log", "log1p", "expm1", "sqrt", "erf", "sign",
}  # fmt: skip
_ENTRYWISE = {"add", "subtract", "negate", "mul"}
_LOG_SOFTMAX = ("logsumexp", "broadcast", "subtract")


@dataclass(frozen=True, eq=False)
class Part:
    """One stage: from the wires `sources` to the wires `sinks`, by `nodes`. The blocks of a
    parallel one are (sources, parts)."""

    kind: str
    label: str
    span: Span | None
    sources: tuple[Wire, ...]
    sinks: tuple[Wire, ...]
    nodes: tuple[Node, ...] = ()
    blocks: tuple[tuple[tuple[Wire, ...], tuple[Part, ...]], ...] = ()
    injective: bool = False  # the path is, for t < 1


@dataclass(frozen=True, eq=False)
class Parts:
    """A graph, laid out, and its stages; `arguments` of its inputs are the data."""

    graph: Graph
    arguments: int
    parts: tuple[Part, ...]


def parts_of(
    graph: Graph, arguments: int, primitives: Mapping[str, Primitive], names: Names
) -> Parts:
    """The stages of a graph, whose first inputs are the data. None of them for what does
    nothing to its input, or makes no use of it."""
    for _ in range(4):  # layers of layers
        layers = {node for node in graph.nodes if _are_layers(node, arguments, graph)}
        if not layers:
            break
        graph = unrolled(graph, primitives, layers.__contains__)
    reader = _Reader(graph, arguments, names)
    return Parts(graph, arguments, reader.whole())


# --- layers in a loop --------------------------------------------------------------------------


def _constants(graph: Graph, held: set[Wire]) -> set[Wire]:
    """The wires that do not depend on data, given those of the inputs."""
    known = set(held)
    for node in graph.nodes:
        if known.issuperset(node.inputs):
            known.update(node.outputs)
    return known


def _are_layers(node: Node, arguments: int, graph: Graph) -> bool:
    """Whether a loop goes through weights and not through data."""
    match node.operation:
        case Loop(reverse=False, counted=False, length=length) as loop if length <= MOST_LAYERS:
            _, initial, elements, _ = loop.operands(node.inputs)
            known = _constants(graph, set(graph.inputs[arguments:]))
            return known.issuperset(elements) and not known.issuperset(initial)
        case _:
            return False


def affine_node(node: Node, flags: Sequence[bool]) -> bool:
    """Whether a node is affine in the inputs flagged, all together."""
    match node.operation:
        case Call(primitive=primitive) if primitive.kind == "linear":
            opens = primitive.open_positions or range(len(flags))
            differentiable = all(wire.type.differentiable for wire in node.outputs)
            return differentiable and sum(flags) == sum(flags[k] for k in opens)
        case _:
            if len(set(node.inputs)) < len(node.inputs):
                return False
            one = Graph(
                node.inputs, (Node(node.operation, node.inputs, node.outputs),), node.outputs
            )
            return nonlinear_node(one, flags) is None


# --- stages ------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, graph: Graph, arguments: int, names: Names) -> None:
        self.graph = graph
        self.names = names
        self.sources = graph.inputs[:arguments]
        self.constant = _constants(graph, set(graph.inputs[arguments:]))
        self.weights: dict[Wire, tuple[str, ...]] = {}  # those that a constant is made of
        for wire in graph.inputs[arguments:]:
            self.weights[wire] = (wire.name,)
        for node in graph.nodes:
            if self.constant.issuperset(node.inputs):
                made_of = tuple(w for wire in node.inputs for w in self.weights.get(wire, ()))
                self.weights.update(dict.fromkeys(node.outputs, made_of))

    def whole(self) -> tuple[Part, ...]:
        nodes = [
            node
            for node in self.graph.nodes
            if not self.constant.issuperset(node.inputs) and not self._is_constant(node)
        ]
        sinks = self.graph.outputs
        if not any(wire not in self.constant for wire in sinks):
            return ()
        return tuple(self.whole_calls(_merged(self.split(self.sources, nodes, sinks), self)))

    def whole_calls(self, parts: Sequence[Part]) -> list[Part]:
        """Steps inside one function of the library are one part: nobody has written them."""
        made: list[Part] = []
        run: list[Part] = []
        inside = ""

        def close() -> None:
            own = [part for part in run if part.nodes or part.blocks]
            if len(own) > 1:
                nodes = [node for part in run for node in nodes_of(part)]
                ends = run[0].sources, run[-1].sinks
                made.append(Part("opaque", inside, own[-1].span, *ends, tuple(nodes)))
            else:
                made.extend(run)
            run.clear()

        for part in parts:
            nodes = nodes_of(part)
            name = self.library(nodes) if nodes else inside
            if not name or (name != inside and nodes and any(nodes_of(each) for each in run)):
                close()
            inside = name
            run.append(part)
            if not name:
                close()
        close()
        return made

    def library(self, nodes: Sequence[Node]) -> str:
        """The function of the library that all these nodes are written in, if it is one and
        owns no weights."""
        if any(self.weights.get(wire) for node in nodes for wire in node.inputs):
            return ""
        known = {self.names.library(node.origin) if node.origin else "" for node in nodes}
        return known.pop() if len(known) == 1 else ""

    def _is_constant(self, node: Node) -> bool:
        return self.constant.issuperset(node.outputs)

    def part(
        self, kind: str, sources: Sequence[Wire], nodes: Sequence[Node], sinks: Sequence[Wire],
        label: str = "", **more: object,
    ) -> Part:  # fmt: skip
        told, span = self.named(nodes) if nodes else ("·", None)
        made = Part(kind, label or told, span, tuple(sources), tuple(sinks), tuple(nodes))
        return replace(made, **more)  # type: ignore[arg-type]

    def named(self, nodes: Sequence[Node]) -> tuple[str, Span | None]:
        used = [w for node in nodes for wire in node.inputs for w in self.weights.get(wire, ())]
        return self.names.label(nodes, list(dict.fromkeys(used)))

    def split(
        self, sources: Sequence[Wire], nodes: Sequence[Node], sinks: Sequence[Wire]
    ) -> list[Part]:
        """The parts between some wires, cut wherever there is one wire alone."""
        last = {wire: k for k, node in enumerate(nodes) for wire in node.inputs}
        last.update(dict.fromkeys(sinks, len(nodes)))
        used = [wire for wire in dict.fromkeys(sources) if wire in last]
        parts = self.rearranged(sources, used)
        live, begin, here = list(used), 0, used
        for k, node in enumerate(nodes):
            live = [wire for wire in (*live, *node.outputs) if last.get(wire, -1) > k]
            done = k == len(nodes) - 1
            if len(live) != 1 and not done:
                continue
            goal = list(sinks) if done else live
            reached = [wire for wire in goal if wire not in self.constant]
            segment = self.segment(here, nodes[begin : k + 1], reached)
            parts += segment
            here, begin = list(segment[-1].sinks), k + 1
        return parts + self.rearranged(here, sinks)

    def rearranged(self, found: Sequence[Wire], wanted: Sequence[Wire]) -> list[Part]:
        """Wires in another order, or number: a linear map."""
        if tuple(found) == tuple(wanted):
            return []
        label = "dup" if len(wanted) > len(set(wanted)) else "·"
        return [self.part("affine", found, (), wanted, label, injective=True)]

    def segment(
        self, sources: Sequence[Wire], nodes: Sequence[Node], sinks: Sequence[Wire]
    ) -> list[Part]:
        if all(map(self.is_affine, nodes)):
            shifts = all(map(self.is_shift, nodes))
            kind = "shift" if shifts and len(sources) == len(sinks) == 1 else "affine"
            return [self.part(kind, sources, nodes, sinks, injective=True)]
        if len(sources) == len(sinks) == 1:
            known = self.pointwise(sources[0], nodes, sinks[0])
            if known is not None:
                return [known]
        blocks = self.apart(sources, nodes, sinks)
        if len(blocks) > 1:
            return self.parallel(sources, blocks)
        targets, rest = list(sinks), []
        if len(sinks) == 1:
            rest = [nodes[-1]]
            targets = [w for w in dict.fromkeys(nodes[-1].inputs) if w not in self.constant]
        inner = [node for node in nodes if node not in rest]
        if rest and self.is_residual(rest[0], sources, targets):
            return [
                self.part("residual", sources, nodes, sinks, self.added(sources, inner, rest[0]))
            ]
        branches = [self.leading(inner, target) for target in targets]
        together = [node for own in branches for node in own]
        if inner and len(targets) > 1 and len(together) == len(set(together)) == len(inner):
            fed = [
                (self.used(sources, own, target), own, (target,))
                for own, target in zip(branches, targets, strict=True)
            ]
            made = self.parallel(sources, fed)
            return made + (self.segment(targets, rest, sinks) if rest else [])
        if len(nodes) == 1 and isinstance(nodes[0].operation, Loop):
            loop, outputs = nodes[0].operation, list(nodes[0].outputs)
            every, states = outputs[loop.carried :], outputs[: loop.carried]
            if list(sinks) == every or set(sinks) <= set(states):  # of a pair perhaps one alone
                return [self.part("fold", sources, nodes, sinks)]
        return [self.part("opaque", sources, nodes, sinks)]

    # --- kinds ---------------------------------------------------------------------------------

    def is_affine(self, node: Node) -> bool:
        return affine_node(node, [wire not in self.constant for wire in node.inputs])

    def is_shift(self, node: Node) -> bool:
        name = _name(node)
        flags = [wire not in self.constant for wire in node.inputs]
        same = node.inputs[flags.index(True)].type == node.outputs[0].type
        return same and (
            (name == "add" and sum(flags) == 1) or (name == "subtract" and flags == [True, False])
        )

    def pointwise(self, source: Wire, nodes: Sequence[Node], sink: Wire) -> Part | None:
        names = tuple(map(_name, nodes))
        if names == _LOG_SOFTMAX and nodes[2].inputs[0] is source:
            return self.part("softmax", [source], nodes, [sink], "logSoftmax", injective=True)
        shape = source.type.shape
        for node in nodes:
            operation = node.operation
            if not isinstance(operation, Call):
                return None
            if operation.primitive.kind != "elementwise" and names[0] not in _ENTRYWISE:
                return None
            if any(w.type.shape != shape for w in (*node.inputs, *node.outputs)):
                return None
            if operation.primitive.kind != "elementwise" and _name(node) not in _ENTRYWISE:
                return None
        monotone = len(names) == 1 and names[0] in MONOTONE
        return self.part("pointwise", [source], nodes, [sink], injective=monotone)

    def is_residual(self, last: Node, sources: Sequence[Wire], targets: Sequence[Wire]) -> bool:
        return (
            _name(last) == "add"
            and len(sources) == 1
            and len(targets) == 2
            and sources[0] in targets
        )

    def added(self, sources: Sequence[Wire], inner: Sequence[Node], last: Node) -> str:
        """What a `residual` that the user has written is called: with the function it adds."""
        if last.origin is None or self.names.library(last.origin) != "residual":
            return ""
        target = next(wire for wire in last.inputs if wire not in sources)
        parts = _merged(self.split(sources, inner, [target]), self)
        if any(part.span is None or part.span.source.name.startswith("std/") for part in parts):
            return ""
        return shortened(f"residual ({' >> '.join(part.label for part in parts)})")

    # --- blocks --------------------------------------------------------------------------------

    def apart(
        self, sources: Sequence[Wire], nodes: Sequence[Node], sinks: Sequence[Wire]
    ) -> list[tuple[list[Wire], list[Node], tuple[Wire, ...]]]:
        """The pieces that share no wire."""
        group = {wire: {wire} for wire in sources}
        for node in nodes:
            together: set[Wire] = set(node.outputs)
            for wire in node.inputs:
                together |= group.get(wire, set())
            for wire in together:
                group[wire] = together
        found: list[tuple[list[Wire], list[Node], tuple[Wire, ...]]] = []
        seen: set[int] = set()
        for source in sources:
            own = group[source]
            if id(own) in seen:
                continue
            seen.add(id(own))
            mine = [node for node in nodes if node.outputs[0] in own]
            ends = tuple(wire for wire in sinks if wire in own)
            found.append(([wire for wire in sources if wire in own], mine, ends))
        return found

    def leading(self, nodes: Sequence[Node], target: Wire) -> list[Node]:
        """The nodes that a wire is made by."""
        wanted, found = {target}, []
        for node in reversed(nodes):
            if not wanted.isdisjoint(node.outputs):
                found.append(node)
                wanted.update(node.inputs)
        return found[::-1]

    def used(self, sources: Sequence[Wire], nodes: Sequence[Node], target: Wire) -> list[Wire]:
        wanted = {wire for node in nodes for wire in node.inputs} | {target}
        return [wire for wire in sources if wire in wanted]

    def parallel(
        self,
        sources: Sequence[Wire],
        blocks: Sequence[tuple[Sequence[Wire], Sequence[Node], Sequence[Wire]]],
    ) -> list[Part]:
        """The copies that blocks need, and the blocks beside each other."""
        fed = [wire for own, _, _ in blocks for wire in own]
        made, sinks, labels = [], [], []
        for own, nodes, ends in blocks:
            inside = tuple(_merged(self.split(own, nodes, ends), self))
            made.append((tuple(own), inside))
            sinks += list(inside[-1].sinks if inside else own)
            labels.append(" >> ".join(part.label for part in inside) or "id")
        first = self.rearranged(sources, fed)
        label = " *** ".join(f"({each})" if ">>" in each else each for each in labels)
        injective = all(part.injective for _, inside in made for part in inside)
        whole = Part(
            "parallel", label, None, tuple(fed), tuple(sinks),
            blocks=tuple(made), injective=injective,
        )  # fmt: skip
        return [*first, whole]


def _merged(parts: Sequence[Part], reader: _Reader) -> list[Part]:
    """Parts that are one for people: a map with its shift, softmax, what changes no number."""
    made: list[Part] = []
    for part in parts:
        before = made[-1] if made else None
        if part.nodes and all(_name(node) == "reshape" for node in part.nodes):
            if before is not None:
                made[-1] = replace(before, sinks=part.sinks, nodes=(*before.nodes, *part.nodes))
            continue
        if before is not None and part.kind == "shift" and before.kind == "affine" and before.nodes:
            nodes = (*before.nodes, *part.nodes)
            if not any(map(reader.is_shift, before.nodes)):
                made[-1] = reader.part("affine", before.sources, nodes, part.sinks, injective=True)
                continue
        if (
            before is not None and part.kind == before.kind == "affine" and part.span is not None
            and part.span == before.span and before.nodes
        ):  # fmt: skip
            nodes = (*before.nodes, *part.nodes)
            made[-1] = reader.part("affine", before.sources, nodes, part.sinks, injective=True)
            continue
        if before is not None and before.label == "logSoftmax" and part.label == "exp":
            nodes = (*before.nodes, *part.nodes)
            made[-1] = reader.part(
                "softmax", before.sources, nodes, part.sinks, "softmax", injective=True
            )
            continue
        made.append(part)
    return made


def nodes_of(part: Part) -> list[Node]:
    """The nodes of a part and of its blocks."""
    inner = [node for _, inside in part.blocks for each in inside for node in nodes_of(each)]
    return [*part.nodes, *inner]


def _name(node: Node) -> str:
    return node.operation.primitive.name if isinstance(node.operation, Call) else ""
