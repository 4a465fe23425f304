"""A catamorphism over a forest: its leaves at once, its chunks in a TreeLoop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...language import types as t
from ...language.diagnostics import NnfpError
from ..graph import ArrayType, Builder, Elsewhere, TreeLoop, Wire
from ..values import NotFirstOrder, OpenSize, Value
from .node import Algebra, Doubted, Node
from .shape import Constructors, Kind, NoForest
from .unknown import Unknown
from .wires import Forest

if TYPE_CHECKING:
    from ..context import Context


def reduce_forest(
    context: Context,
    forest: Forest | Unknown,
    algebra: Algebra,
    result: t.Type,
    constructors: Constructors | None = None,
) -> Value:
    """The result of the algebra at the roots: of the one tree, or of the example's own.

    `constructors`, if given, say of the payload what the type does not. Raises NoForest where
    the results are not made of numbers, or where the forest is
    shared by all examples and the algebra knows something of the one it is used in.
    """
    if isinstance(forest, Unknown):
        return forest.reduce(context, algebra, result)
    try:
        context.declarations.layout(result)
    except (NotFirstOrder, OpenSize):
        raise NoForest(result) from None
    if forest.place is None:
        made = _roots(context, forest, algebra, result, constructors)
        own = [context.builder.emit("reshape", w, shape=w.type.shape[1:]) for w in made]
        return _told(context, own, result)
    if context.branching:  # a branch that is not taken contributes nothing, not even NaN
        raise NoForest(result)
    assert forest.own is not None
    try:
        with context.inside(*forest.place):
            made = _roots(context, forest, algebra, result, constructors)
    except Elsewhere:
        raise NoForest(result) from None
    return _told(context, forest.own(made), result)


def _told(context: Context, wires: Sequence[Wire], result: t.Type) -> Value:
    """The result at a root; what went wrong below it went wrong here."""
    count = len(context.layout(result))
    if len(wires) > count:
        context.doubted(wires[count])
    return context.declarations.rebuild(result, wires[:count])


def _roots(
    context: Context,
    forest: Forest,
    algebra: Algebra,
    result: t.Type,
    constructors: Constructors | None,
) -> tuple[Wire, ...]:
    """The results at all roots, stacked; with the number of what went wrong, if anything
    may."""
    constructors = constructors or Constructors.of(forest.type, context.declarations)
    given = context, forest, algebra, result, constructors
    try:
        return Reduction(*given, doubted=False).roots()
    except Doubted:
        return Reduction(*given, doubted=True).roots()
    except NnfpError:
        # What needs the number of children before running has it in a tree by itself; and
        # a mistake shows in the tree that makes it.
        if constructors.bounded:
            raise
        raise NoForest(result) from None


class Reduction:
    """One catamorphism over one forest, while tracing.

    A row of the loop is the result of a node; `doubted`, one number more, which is that of
    what went wrong at the node or below it (`Doubt` in building.py).
    """

    def __init__(
        self,
        context: Context,
        forest: Forest,
        algebra: Algebra,
        result: t.Type,
        constructors: Constructors,
        *,
        doubted: bool,
    ) -> None:
        self.context, self.forest, self.algebra = context, forest, algebra
        self.shape, self.result, self.doubted = forest.shape, result, doubted
        self.constructors = constructors
        self.row = [*context.layout(result), *([ArrayType("Int")] if doubted else [])]

    def roots(self) -> tuple[Wire, ...]:
        context, builder = self.context, self.context.builder
        forest, shape = self.forest, self.shape
        parts = [
            self._nodes(kind, count, (), forest.payload[kind])
            for kind, count in shape.leaves
            if count
        ]
        if parts:
            initial = [
                column[0] if len(column) == 1 else builder.emit("concat", *column, axis=0)
                for column in zip(*parts, strict=True)
            ]
        else:
            initial = [builder.zeros(array.over(0)) for array in self.row]

        payload = {name: forest.payload[name] for name in self.constructors.inner}
        child, keys, extra = context.steps(shape.length)
        with context.inside(child, keys):
            lanes = [array.over(shape.width) for array in self.row]
            read = [[child.input(lane) for lane in lanes] for _ in range(shape.reads)]
            kind = None if forest.kinds is None else child.input(forest.kinds.type.element())
            elements = {
                name: [child.input(wire.type.element()) for wire in wires]
                for name, wires in payload.items()
            }

            def step(kind: Kind) -> Sequence[Wire]:
                return self._chunk(kind, read, elements[kind.constructor])

            if kind is None:
                outputs = step(shape.inner[0])
            else:
                branches = []
                for one in shape.inner:
                    with context.inside(child.child()) as branch:
                        branches.append((branch, step(one)))
                outputs = context.chosen(kind, branches)
        body = child.finish(outputs)
        loop = TreeLoop(
            body, len(child.captured), len(self.row), shape.reads, 1, shape.width, shape.length
        )
        sequences = [] if forest.kinds is None else [forest.kinds]
        sequences += [wire for wires in payload.values() for wire in wires]
        operands = (*forest.schedule, *child.captured, *initial, *sequences)
        return builder.add(loop, (*operands, *(make() for make in extra)))

    def _nodes(
        self, kind: Kind, count: int, children: Sequence[Wire], own: Sequence[Wire]
    ) -> tuple[Wire, ...]:
        """The results of `count` nodes of one kind, given those of their children and
        their payload, all stacked."""
        return self.context.map_wires(
            count, [*children, *own], lambda wires: Node(self, kind, wires).outputs()
        )

    # --- a chunk: its lanes as nodes --------------------------------------------------------

    def _chunk(
        self, kind: Kind, read: Sequence[Sequence[Wire]], own: Sequence[Wire]
    ) -> Sequence[Wire]:
        """The results of a chunk of nodes, given the rows read, slot by slot, and the
        payload of its lanes."""
        constructors, name, width = self.constructors, kind.constructor, self.shape.width
        fixed = constructors.children(name)
        if constructors.bounded:
            return self._nodes(kind, width, [w for slot in read[:fixed] for w in slot], own)
        builder = self.context.builder
        lanes, slots = constructors.lanes(kind, self.shape.reads), constructors.slots(kind)
        count = width // lanes
        taken = zip(*(read if lanes > 1 else read[:slots]), strict=True)
        whole = [_together(builder, _beside(builder, blocks), count, lanes) for blocks in taken]
        children = [w for k in range(fixed) for w in _elements(builder, whole, k, 1, 1)]
        children = [builder.emit("reshape", w, shape=(count, *w.type.shape[2:])) for w in children]
        first = fixed
        for k in range(len(constructors.sequences(name))):
            each = constructors.children(name, k)
            children += _elements(builder, whole, first, kind.room, each)
            first += kind.room * each
        supply = iter(own)
        payload = [_first(builder, next(supply), count) for _ in constructors.sequences(name)]
        for part in constructors.parts(name):
            if part.type == constructors.type:
                continue
            for _ in self.context.layout(part.type):
                wire = next(supply)
                if part.sequence is None:
                    payload.append(_first(builder, wire, count))
                else:
                    wire = _together(builder, wire, count, lanes)
                    payload.append(_cut(builder, wire, 1, 0, kind.room))
        more = width - count
        return [
            builder.emit("pad", wire, axis=0, low=0, high=more, interior=0)
            for wire in self._nodes(kind, count, children, payload)
        ]


def _beside(builder: Builder, blocks: Sequence[Wire]) -> Wire:
    """The rows of all slots, one slot beside the other in each lane."""
    columns = [
        builder.emit("reshape", wire, shape=(wire.type.shape[0], 1, *wire.type.shape[1:]))
        for wire in blocks
    ]
    return columns[0] if len(columns) == 1 else builder.emit("concat", *columns, axis=1)


def _together(builder: Builder, wire: Wire, count: int, lanes: int) -> Wire:
    """What stands in lanes and their slots, by nodes that take so many lanes each."""
    wire = _first(builder, wire, count * lanes)
    shape = (count, lanes * wire.type.shape[1], *wire.type.shape[2:])
    return builder.emit("reshape", wire, shape=shape)


def _elements(
    builder: Builder, wires: Sequence[Wire], first: int, room: int, each: int
) -> list[Wire]:
    """Of all nodes, the children in the elements of a sequence, whose slots begin at `first`:
    of each child in turn every wire, over nodes and elements."""
    found: list[Wire] = []
    for k in range(each):
        for wire in wires:
            count, _, *rest = wire.type.shape
            wire = _cut(builder, wire, 1, first, first + room * each)
            if each > 1:
                wire = builder.emit("reshape", wire, shape=(count, room, each, *rest))
                wire = _cut(builder, wire, 2, k, k + 1)
                wire = builder.emit("reshape", wire, shape=(count, room, *rest))
            found.append(wire)
    return found


def _first(builder: Builder, wire: Wire, count: int) -> Wire:
    return _cut(builder, wire, 0, 0, count)


def _cut(builder: Builder, wire: Wire, axis: int, start: int, stop: int) -> Wire:
    if (start, stop) == (0, wire.type.shape[axis]):
        return wire
    return builder.emit("slice", wire, axis=axis, start=start, stop=stop, stride=1)
