"""What a tree is observed for all elements of a loop at once.

    map (\\x -> cata { Leaf v -> v * x ; Node l r -> tanh (l + r) } t) xs
    cata { Leaf v -> v * xs ; Node l r -> tanh (l + r) } t

In a body that runs along sequences (`Along`) an algebra may know the element. The tree is the
same for all, so all that is made of it is one catamorphism, whose result is a sequence: its
algebra is the other one, mapped over the elements and over the results of the children
(`Draft.lifted`). Bodies in bodies are axes, one for each whose element is known; what a body
computes before is computed at the node. What is made enters the body as an element does. Where
the state of a loop is known there is no such sequence: Elsewhere is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...language import types as t
from ..graph import Builder, Elsewhere, Graph, Map, Wire
from ..rewrite import vectorise
from .observed import Branch, Inside, Plant
from .shape import NoForest


@dataclass(frozen=True, eq=False)
class Along:
    """A body that runs for each of so many elements: which of its inputs are elements of which
    sequences outside, and what makes the sequences of those that it declares later."""

    builder: Builder
    length: int
    sequences: dict[Wire, Wire]
    further: list[Callable[[], Wire]]

    def element(self, sequence: Wire) -> Wire:
        """The element of one more sequence."""
        own = self.builder.input(sequence.type.element(), sequence.name)
        self.sequences[own] = sequence
        self.further.append(lambda: sequence)
        return own


Bodies = Mapping[Builder, Along]


@dataclass(frozen=True, eq=False)
class Level:
    """A builder between an algebra and where the tree is an input: the graph that makes what is
    wanted further in, out of wires from further out, of which the last are sequences."""

    builder: Builder
    graph: Graph
    wanted: Sequence[Wire]
    captured: Sequence[Wire]
    sequences: Sequence[Wire]

    @property
    def outer(self) -> list[Wire]:
        return [*self.captured, *self.sequences]

    def made(self, builder: Builder, given: Sequence[Wire]) -> dict[Wire, Wire]:
        return dict(zip(self.wanted, builder.inline(self.graph, given), strict=True))


@dataclass(frozen=True, eq=False)
class Draft:
    """An algebra at one constructor as it is traced: a child of the builder where the tree is an
    input, or of one inside it."""

    child: Builder
    outputs: Sequence[Wire]
    fields: tuple[t.Type, ...]  # with results in place of the children
    inside: Inside | None = None

    def branch(self) -> Branch:
        """The algebra as a graph of its own, out of inputs of the enclosing ones."""
        assert self.child.parent is not None
        body, captured = self.child.finish(self.outputs), self.child.captured
        around = _Around(Builder(self.child.primitives))
        values = around.made(self.child.parent, captured)
        originals = body.inputs[len(captured) :]
        fields = [around.builder.input(wire.type, wire.name) for wire in originals]
        outputs = around.builder.inline(body, [*values, *fields])
        inside = None if self.inside is None else replace(self.inside, given=originals)
        return around.branch(outputs, fields, self.fields, inside)

    def levels(self, bodies: Bodies, home: Builder) -> list[Level]:
        """The builders between the algebra and where the tree is an input, the outermost first.
        Raises Elsewhere where it knows what is no element."""
        found: list[Level] = []
        self.child.finish(self.outputs)
        wanted, builder = list(self.child.captured), self.child.parent
        while builder is not None and builder is not home:
            graph = builder.finish(wanted)
            used = {wire for node in graph.nodes for wire in node.inputs} | set(graph.outputs)
            captured = {
                own: outer
                for own, outer in zip(graph.inputs, builder.captured, strict=False)
                if own in used
            }
            known = bodies[builder].sequences if builder in bodies else {}
            own = [wire for wire in graph.inputs[len(builder.captured) :] if wire in used]
            for wire in own:
                if wire not in known:
                    raise Elsewhere(wire)
            graph = Graph((*captured, *own), graph.nodes, graph.outputs)
            sequences = [known[wire] for wire in own]
            found.insert(0, Level(builder, graph, wanted, [*captured.values()], sequences))
            wanted, builder = found[0].outer, builder.parent
        return found

    def lifted(
        self,
        tree: Plant,
        declared: Sequence[t.Type],
        result: t.Type,
        levels: Sequence[Level],
        axes: Mapping[Builder, Along],
    ) -> Branch:
        """The algebra mapped over axes, which the `result` has too: `declared` are the types of
        the fields, with trees."""
        around = _Around(Builder(self.child.primitives))
        body, captured = self.child.finish(self.outputs), self.child.captured
        originals = body.inputs[len(captured) :]
        fields = tuple(
            _with_result(type, whole, tree, result)
            for type, whole in zip(declared, self.fields, strict=True)
        )
        arrays = [array for type in fields for array in tree.declarations.layout(type)]
        given = [
            around.builder.input(array, wire.name)
            for array, wire in zip(arrays, originals, strict=True)
        ]
        depths = [
            depth
            for type, whole in zip(declared, self.fields, strict=True)
            for depth in _depths(type, whole, tree, len(self.outputs))
        ]
        results = {
            k: _in_front(around.builder, wire, depth, len(axes))
            for k, (wire, depth) in enumerate(zip(given, depths, strict=True))
            if depth is not None
        }

        def within(
            k: int, builder: Builder, known: Mapping[Wire, Wire], results: Mapping[int, Wire]
        ) -> Sequence[Wire]:
            """The outputs, from this level inwards."""
            if k == len(levels):
                own = [results.get(place, wire) for place, wire in enumerate(given)]
                return builder.inline(body, [*(known[wire] for wire in captured), *own])
            level = levels[k]
            outer = [known[wire] for wire in level.captured]
            along = [known[wire] for wire in level.sequences]
            if level.builder not in axes:
                return within(k + 1, builder, level.made(builder, outer), results)
            child = builder.child()
            items, beside = ([child.input(wire.type.element(), wire.name) for wire in wires]
                             for wires in (along, results.values()))  # fmt: skip
            inner = level.made(child, [*outer, *items])
            made = within(k + 1, child, inner, dict(zip(results, beside, strict=True)))
            graph = child.finish(made)
            operation = Map(graph, len(child.captured), axes[level.builder].length)
            return builder.add(operation, (*child.captured, *along, *results.values()))

        outermost, first = (
            (levels[0].builder.parent, levels[0].outer) if levels else (self.child.parent, captured)
        )
        assert outermost is not None
        known = dict(zip(first, around.made(outermost, first), strict=True))
        outputs = within(0, around.builder, known, results)
        return around.branch(outputs, given, fields, None, together=True)


def axes_of(levels: Sequence[Sequence[Level]], bodies: Bodies) -> dict[Builder, Along]:
    """Those of the bodies around algebras of which one knows an element, the outermost first.
    All stand in one place."""
    return {
        level[0].builder: bodies[level[0].builder]
        for level in zip(*levels, strict=True)
        if any(one.sequences for one in level)
    }


def _with_result(declared: t.Type, whole: t.Type, tree: Plant, result: t.Type) -> t.Type:
    """The type of a field with another result in place of each child."""
    match declared:
        case _ if declared == tree.type:
            return result
        case _ if not t.mentions(declared, tree.type):
            return whole
        case t.Product(items=items) if isinstance(whole, t.Product):
            pairs = zip(items, whole.items, strict=True)
            return t.Product(tuple(_with_result(*pair, tree, result) for pair in pairs))
        case t.Array(element=element) if isinstance(whole, t.Array):
            return t.Array(_with_result(element, whole.element, tree, result), whole.length)
        case _:
            raise NoForest(declared)


def _depths(declared: t.Type, whole: t.Type, tree: Plant, results: int) -> Iterator[int | None]:
    """Of each array of a field how many axes are before those of a result; None where it holds
    none. A result has so many arrays."""
    match declared:
        case _ if declared == tree.type:
            yield from [0] * results
        case t.Product(items=items) if isinstance(whole, t.Product):
            for item, part in zip(items, whole.items, strict=True):
                yield from _depths(item, part, tree, results)
        case t.Array(element=element) if isinstance(whole, t.Array) and t.mentions(
            element, tree.type
        ):
            for depth in _depths(element, whole.element, tree, results):
                yield None if depth is None else depth + 1
        case _:
            yield from [None] * len(tree.declarations.layout(whole))


def _in_front(builder: Builder, wire: Wire, depth: int, axes: int) -> Wire:
    """With so many axes, which stand after `depth` others, first."""
    rank = len(wire.type.shape)
    order = (*range(depth, depth + axes), *range(depth), *range(depth + axes, rank))
    if order == tuple(range(rank)):
        return wire
    return builder.emit("transpose", wire, permutation=order)


@dataclass
class _Around:
    """A builder in which what stands around an algebra is made out of inputs."""

    builder: Builder
    given: dict[Wire, Wire] = field(default_factory=dict)

    def entering(self, wire: Wire) -> Wire:
        if wire not in self.given:
            self.given[wire] = self.builder.input(wire.type, wire.name, wire.representation)
        return self.given[wire]

    def made(self, where: Builder, wires: Sequence[Wire]) -> Sequence[Wire]:
        """Wires of a builder, or ones around it."""
        graph, outer = where.finish(wires), where.captured
        before = self.made(where.parent, outer) if where.parent is not None and outer else ()
        own = map(self.entering, graph.inputs[len(outer) :])
        return self.builder.inline(graph, [*before, *own])

    def branch(
        self,
        outputs: Sequence[Wire],
        fields: Sequence[Wire],
        types: tuple[t.Type, ...],
        inside: Inside | None,
        together: bool = False,
    ) -> Branch:
        """What is made of it and of fields; maps as operations on whole arrays, `together`."""
        graph = self.builder.finish(outputs)
        own = {wire: wire for wire in graph.inputs}
        if together:
            made = vectorise(self.builder.primitives, graph)
            own = dict(zip(graph.inputs, made.inputs, strict=True))
            for before, after in own.items():
                after.name, after.representation = before.name, before.representation
            graph = made
        used = {wire for node in graph.nodes for wire in node.inputs} | set(graph.outputs)
        if inside is not None:
            around = [wire for one in inside.observed for wire in one.outside]
            needed = [self.entering(wire) for wire in around if wire not in inside.given]
            own |= {wire: wire for wire in needed}
            used |= set(needed)
        outside = tuple(wire for wire, entered in self.given.items() if own[entered] in used)
        inputs = (*(own[self.given[wire]] for wire in outside), *(own[wire] for wire in fields))
        return Branch(Graph(inputs, graph.nodes, graph.outputs), outside, types, inside)


__all__ = ["Along", "Bodies", "Draft", "Level", "axes_of"]
