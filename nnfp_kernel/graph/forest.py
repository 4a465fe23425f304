"""Forests: trees of any shapes as one flat value, and the catamorphism over it.

Which node is whose child is data here, not structure: one graph serves every forest of
like size. Nodes run together by kind: of one constructor, with or without children, with
room for so many elements in the sequences among their fields. The nodes without children
(the leaves) stand in one row each and are reduced at once, by a map for each kind. The
others stand in chunks, a node after its children; a `TreeLoop` runs through them. The
roots' results are what is asked for.

A chunk is `width` lanes of `reads` slots. A node takes as many lanes as its children need
slots, so that a chunk holds many nodes with few children or few with many: a node of 300
children beside leaves costs a chunk of its own and nothing else. To the algebra a sequence
of children is one of run-time length, padded and masked as all are (graph/sequences.py).

A batch of trees is one forest, shared by all examples: the catamorphism is made outside
the map over examples, and an example takes the result of its own tree. That holds as
long as the algebra knows nothing of the example; otherwise each example has a forest of
its own. A paramorphism is a catamorphism too, with all that it asks of a child beside the
result; a function on the payload is a map over it, and leaves the trees their shape. What
is neither (a `case` on a tree, a tree of another shape, a fold over the payload in its
order) needs to know the tree while tracing: NoForest is raised, and the caller traces for
its structure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..language import types as t
from ..language.diagnostics import NnfpError
from ..language.sizes import constant
from .graph import ArrayType, Builder, Elsewhere, TreeLoop, Wire
from .sequences import longest, over, present, where
from .values import (
    Declarations,
    Extent,
    Held,
    NotFirstOrder,
    OpenSize,
    Value,
    holds_sequence,
    known,
)

if TYPE_CHECKING:
    from .trace import Keys, Tracer

Algebra = Callable[[str, "tuple[Value, ...]"], Value]  # a constructor and its fields
Own = Callable[[Sequence[Wire]], Sequence[Wire]]


class NoForest(Exception):
    """A tree is used otherwise than by a catamorphism that a forest can run."""


# --- what a forest is like ------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """Nodes that run together. `room` is for the elements of each sequence among the
    fields, which in a leaf none of the children's has."""

    constructor: str
    room: int = 0
    leaf: bool = False


@dataclass(frozen=True)
class ForestShape:
    """How much room a forest has, which is all that a graph knows of its trees.

    `leaves` counts the nodes of each kind without children. `shared`: one forest holds the
    trees of all examples of a batch.
    """

    trees: int
    leaves: tuple[tuple[Kind, int], ...]
    inner: tuple[Kind, ...]
    length: int
    reads: int
    width: int
    shared: bool = False
    alike: int = 0  # forests of one number have trees of the same shapes

    @property
    def rows(self) -> int:
        """The rows of the leaves."""
        return sum(count for _, count in self.leaves)


@dataclass(frozen=True)
class Part:
    """A piece of a constructor's fields: a child, or payload of one type; by itself, or in
    each element of a sequence of the node."""

    type: t.Type
    sequence: int | None = None


@dataclass(frozen=True)
class Constructors:
    """The constructors of a data type, as a forest sees them.

    >>> tree = t.Named("Tree", ())
    >>> made = Constructors({"Leaf": (t.R,), "Node": (tree, t.R, tree)}, tree)
    >>> made.reads, [part.type == tree for part in made.parts("Node")]
    (2, [True, False, True])

    A field is a child, payload, a product or an array of a known length of such, or a
    sequence of products of such; no sequence of sequences.
    """

    fields: Mapping[str, tuple[t.Type, ...]]
    type: t.Named

    @classmethod
    def of(cls, type: t.Named, declarations: Declarations) -> Constructors:
        return cls(declarations.constructors(type), type)

    @cached_property
    def _walked(self) -> dict[str, tuple[tuple[Part, ...], tuple[bool, ...]]]:
        found = {}
        for name, fields in self.fields.items():
            sequences: list[bool] = []
            parts = [part for field in fields for part in self._of(field, sequences)]
            found[name] = tuple(parts), tuple(sequences)
        return found

    def _of(self, type: t.Type, sequences: list[bool], inside: int | None = None) -> list[Part]:
        if self.whole(type):
            return [Part(type, inside)]
        match type:
            case t.Product(items=items):
                return [part for item in items for part in self._of(item, sequences, inside)]
            case t.Array(element=element) if inside is None and self.open(type):
                number = len(sequences)
                sequences.append(False)
                parts = self._of(element, sequences, number)
                sequences[number] = any(part.type == self.type for part in parts)
                return parts
            case t.Array(element=element, length=length) if inside is None:
                return [p for _ in range(known(length)) for p in self._of(element, sequences)]
            case _:
                raise NotFirstOrder(type)

    def whole(self, type: t.Type) -> bool:
        """Whether a type is one part: a child, or payload made of arrays of known shapes."""
        return type == self.type or (t.is_concrete(type) and not t.mentions(type, self.type))

    @staticmethod
    def open(type: t.Type) -> bool:
        """Whether it is a sequence of run-time length."""
        return isinstance(type, t.Array) and type.length.value is None

    def parts(self, name: str) -> tuple[Part, ...]:
        """The parts of its fields, from left to right."""
        return self._walked[name][0]

    def sequences(self, name: str) -> tuple[bool, ...]:
        """Of each sequence among its fields, whether there are children in it."""
        return self._walked[name][1]

    def children(self, name: str, sequence: int | None = None) -> int:
        """How many children there are in each element of a sequence, or outside of any."""
        return sum(
            part.type == self.type and part.sequence == sequence for part in self.parts(name)
        )

    def slots(self, kind: Kind) -> int:
        """How many children a node has room for: those outside of sequences come first."""
        name = kind.constructor
        each = sum(self.children(name, k) for k in range(len(self.sequences(name))))
        return self.children(name) + kind.room * each

    def lanes(self, kind: Kind, reads: int) -> int:
        """How many lanes a node takes."""
        return max(1, -(-max(self.slots(kind), kind.room) // max(reads, 1)))

    @property
    def bounded(self) -> bool:
        """Whether every node has so many children as its type says, and no sequence."""
        return not any(map(self.sequences, self.fields))

    @property
    def leaves(self) -> tuple[str, ...]:
        """The constructors that may have no children."""
        return tuple(name for name in self.fields if not self.children(name))

    @property
    def inner(self) -> tuple[str, ...]:
        """The constructors that may have children."""
        return tuple(
            name for name in self.fields if any(part.type == self.type for part in self.parts(name))
        )

    @property
    def reads(self) -> int:
        """The most children outside of sequences."""
        return max((self.children(name) for name in self.fields), default=0)

    def missing(self, kind: Kind, part: Part) -> bool:
        """Whether a leaf has nothing there: in a sequence of children."""
        inside = part.sequence is not None and self.sequences(kind.constructor)[part.sequence]
        return kind.leaf and inside


def forestable(type: t.Type, declarations: Declarations) -> bool:
    """Whether values of `type` are trees that a forest can hold: a recursive data type
    whose fields are made of children and numbers."""
    if not isinstance(type, t.Named) or type.name not in declarations.data:
        return False
    if not declarations.data[type.name].recursive:
        return False
    constructors = Constructors.of(type, declarations)
    try:
        for name in constructors.fields:
            for part in constructors.parts(name):
                if part.type != type:
                    declarations.layout(part.type)
    except (NotFirstOrder, OpenSize):
        return False
    return True


# --- a forest on wires ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Forest(Held):
    """Trees on wires.

    `kinds`, where there are several with children, has for each step which one. `payload`
    holds what is no child: over the nodes of each kind of leaves; over steps and lanes for
    the constructors with children, with an axis of `reads` slots for what stands in
    sequences. Lengths of sequences come first (`own_layout`).
    """

    type: t.Named
    shape: ForestShape
    schedule: tuple[Wire, ...]  # as of a TreeLoop
    kinds: Wire | None
    payload: Mapping[Kind | str, tuple[Wire, ...]]
    place: tuple[Builder, Keys] | None = None  # of a shared forest: where it is reduced
    own: Own | None = None  # of a shared forest: an example's own of the roots' results
    origin: int = 0  # which of the forests among the arguments has its schedule

    @classmethod
    def make(
        cls,
        type: t.Named,
        shape: ForestShape,
        declarations: Declarations,
        new: Callable[[ArrayType], Wire],
    ) -> Forest:
        """A forest on new wires, which come in the order of `forest_layout`."""
        constructors = Constructors.of(type, declarations)
        kinds = new(_kinds(shape)) if len(shape.inner) > 1 else None
        schedule = tuple(map(new, _schedule(shape)))
        payload = {
            key: tuple(map(new, arrays))
            for key, arrays in payload_layout(constructors, shape, declarations).items()
        }
        return cls(type, shape, schedule, kinds, payload)

    def replaced(self, renew: Callable[[Value], Value]) -> Forest:
        """The forest on other wires."""
        return replace(
            self,
            schedule=renew(self.schedule),
            kinds=None if self.kinds is None else renew(self.kinds),
            payload={key: renew(wires) for key, wires in self.payload.items()},
        )

    @property
    def wires(self) -> list[Wire]:
        return [wire for own in self.payload.values() for wire in own]

    def refilled(self, change: Callable[[Wire], Wire]) -> Forest:
        return replace(
            self, payload={k: tuple(map(change, own)) for k, own in self.payload.items()}
        )

    def like(self, other: Held) -> bool:
        return (
            isinstance(other, Forest)
            and (self.type, self.shape) == (other.type, other.shape)
            and [wire.type for wire in self.wires] == [wire.type for wire in other.wires]
        )


HOLE = t.Named("hole", ())  # in place of the payload in a type


def mapped(
    tracer: Tracer,
    forests: Sequence[Forest],
    made: t.Named,
    change: Callable[[t.Type, Sequence[Value]], Value],
) -> Forest:
    """Trees of the shape of all `forests`, of type `made`: `change` on each piece of payload,
    of a type with HOLE in place of the last parameter. Raises NoForest."""
    first = forests[0]
    if first.place is not None:
        if tracer.branching:
            raise NoForest(made)
        try:
            with tracer.inside(*first.place):
                payload = _changed(tracer, forests, made, change)
        except Elsewhere:
            raise NoForest(made) from None
    else:
        payload = _changed(tracer, forests, made, change)
    return replace(first, type=made, payload=payload)


def _changed(
    tracer: Tracer,
    forests: Sequence[Forest],
    made: t.Named,
    change: Callable[[t.Type, Sequence[Value]], Value],
) -> dict[Kind | str, tuple[Wire, ...]]:
    holed = t.Named(made.name, (*made.arguments[:-1], HOLE))
    types = [*(forest.type for forest in forests), made, holed]
    each = [Constructors.of(type, tracer.declarations) for type in types]
    own = each[0]

    def lifted(wires: Sequence[Wire], axes: Sequence[int], parts: Sequence[Part]) -> list[Wire]:
        """The change over so many axes in front."""
        if axes:
            body = lambda inner: lifted(inner, axes[1:], parts)  # noqa: E731
            return list(tracer.map_wires(axes[0], wires, body))
        supply = iter(wires)
        values = [
            tracer.rebuild(part.type, [next(supply) for _ in tracer.layout(part.type)])
            for part in parts[:-2]
        ]
        value = change(parts[-1].type, values)
        if tracer.doubt().wire is not None:
            raise NoForest(made)
        return tracer.flatten(value, parts[-2].type)

    found: dict[Kind | str, tuple[Wire, ...]] = {}
    for key in forests[0].payload:
        kind = key if isinstance(key, Kind) else Kind(key)
        name = kind.constructor
        supplies = [iter(forest.payload[key]) for forest in forests]
        lengths = [full for full in own.sequences(name) if not (kind.leaf and full)]
        new, *_ = ([next(supply) for _ in lengths] for supply in supplies)
        for parts in zip(*(one.parts(name) for one in each), strict=True):
            if parts[0].type == own.type or own.missing(kind, parts[0]):
                continue
            pieces = [
                [next(supply) for _ in tracer.layout(part.type)]
                for supply, part in zip(supplies, parts, strict=False)
            ]
            if not t.mentions(parts[-1].type, HOLE):
                new += pieces[0]
                continue
            front = _axes_before(pieces[0][0], tracer.layout(parts[0].type)[0])
            new += lifted([wire for piece in pieces for wire in piece], front, parts)
        found[key] = tuple(new)
    return found


def _axes_before(wire: Wire, array: ArrayType) -> tuple[int, ...]:
    return wire.type.shape[: wire.type.rank - array.rank]


def forest_layout(type: t.Named, shape: ForestShape, declarations: Declarations) -> list[ArrayType]:
    """The arrays of a forest: what kind each step is of, the schedule, the payload."""
    constructors = Constructors.of(type, declarations)
    arrays = [_kinds(shape)] if len(shape.inner) > 1 else []
    arrays += _schedule(shape)
    for own in payload_layout(constructors, shape, declarations).values():
        arrays += own
    return arrays


def _kinds(shape: ForestShape) -> ArrayType:
    return ArrayType("Int", (shape.length,))


def _schedule(shape: ForestShape) -> list[ArrayType]:
    blocks = (shape.length, shape.reads, shape.width), (shape.length, 1, shape.width)
    shapes = (blocks[0], (shape.trees,), blocks[1], (shape.rows,))
    return [ArrayType("Int", each) for each in shapes]


def payload_layout(
    constructors: Constructors, shape: ForestShape, declarations: Declarations
) -> dict[Kind | str, list[ArrayType]]:
    """The arrays of what is no child: of each kind of leaves, then of each constructor with
    children."""
    found: dict[Kind | str, list[ArrayType]] = {}
    for kind, count in shape.leaves:
        found[kind] = own_layout(constructors, kind, (count,), kind.room, declarations)
    steps = (shape.length, shape.width)
    for name in constructors.inner:
        found[name] = own_layout(constructors, Kind(name), steps, shape.reads, declarations)
    return found


def own_layout(
    constructors: Constructors,
    kind: Kind,
    axes: tuple[int, ...],
    room: int,
    declarations: Declarations,
) -> list[ArrayType]:
    """The arrays of nodes' payload: the length of each sequence, then the parts."""
    name = kind.constructor
    arrays = [
        ArrayType("Int", axes)
        for children in constructors.sequences(name)
        if not (kind.leaf and children)
    ]
    for part in constructors.parts(name):
        if part.type != constructors.type and not constructors.missing(kind, part):
            inside = axes if part.sequence is None else (*axes, room)
            arrays += declarations.layout(part.type, inside)
    return arrays


# --- the catamorphism ---------------------------------------------------------------------


def reduce_forest(tracer: Tracer, forest: Forest, algebra: Algebra, result: t.Type) -> Value:
    """The result of the algebra at the roots: of the one tree, or of the example's own.

    Raises NoForest where the results are not made of numbers, or where the forest is
    shared by all examples and the algebra knows something of the one it is used in.
    """
    try:
        tracer.declarations.layout(result)
    except (NotFirstOrder, OpenSize):
        raise NoForest(result) from None
    if forest.place is None:
        made = _roots(tracer, forest, algebra, result)
        own = [tracer.builder.emit("reshape", w, shape=w.type.shape[1:]) for w in made]
        return _told(tracer, own, result)
    if tracer.branching:  # a branch that is not taken contributes nothing, not even NaN
        raise NoForest(result)
    assert forest.own is not None
    try:
        with tracer.inside(*forest.place):
            made = _roots(tracer, forest, algebra, result)
    except Elsewhere:
        raise NoForest(result) from None
    return _told(tracer, forest.own(made), result)


def _told(tracer: Tracer, wires: Sequence[Wire], result: t.Type) -> Value:
    """The result at a root; what went wrong below it went wrong here."""
    count = len(tracer.layout(result))
    if len(wires) > count:
        tracer.doubted(wires[count])
    return tracer.declarations.rebuild(result, wires[:count])


def _roots(tracer: Tracer, forest: Forest, algebra: Algebra, result: t.Type) -> tuple[Wire, ...]:
    """The results at all roots, stacked; with the number of what went wrong, if anything
    may."""
    try:
        return _Reduction(tracer, forest, algebra, result, doubted=False).roots()
    except _Doubted:
        return _Reduction(tracer, forest, algebra, result, doubted=True).roots()
    except NnfpError:
        # What needs the number of children before running has it in a tree by itself; and
        # a mistake shows in the tree that makes it.
        if Constructors.of(forest.type, tracer.declarations).bounded:
            raise
        raise NoForest(result) from None


# --- a child beside its result ---------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Subtree:
    """A child while the algebra of a paramorphism looks at its node: of a tree in a forest
    only what catamorphisms make of it is known, those that were asked for before."""

    type: t.Named
    known: tuple[tuple[object, Value], ...]

    def reduced(self, of: object, algebra: Algebra, result: t.Type) -> Value:
        """What the catamorphism `of` makes of it. Raises Wanted for one that is new."""
        for other, value in self.known:
            if other == of:
                return value
        raise Wanted(of, algebra, result)


class Wanted(Exception):
    """A catamorphism that an algebra asks for at a child."""

    def __init__(self, of: object, algebra: Algebra, result: t.Type) -> None:
        super().__init__()
        self.of, self.algebra, self.result = of, algebra, result


_MOST_ASKED = 8  # catamorphisms at a child; one that is made anew for each node never ends


def reduce_with_trees(tracer: Tracer, forest: Forest, algebra: Algebra, result: t.Type) -> Value:
    """The paramorphism: `algebra` is given pairs of a child and its result.

    All that is asked of a child is reduced with it, in one loop whose rows are the results
    of all. Raises NoForest where a child is used otherwise than by a catamorphism.
    """
    asked: list[Wanted] = []
    constructors = Constructors.of(forest.type, tracer.declarations)

    def every(name: str, fields: tuple[Value, ...]) -> Value:
        def only(k: int) -> tuple[Value, ...]:
            return _children(constructors, name, fields, lambda values: values[k])

        def beside(values: Value) -> Value:
            known = tuple((one.of, values[k]) for k, one in enumerate(asked, 1))
            return Subtree(forest.type, known), values[0]

        rest = [one.algebra(name, only(k)) for k, one in enumerate(asked, 1)]
        return (algebra(name, _children(constructors, name, fields, beside)), *rest)

    while len(asked) <= _MOST_ASKED:
        types = t.Product((result, *(one.result for one in asked)))
        try:
            return reduce_forest(tracer, forest, every, types)[0]
        except Wanted as wanted:
            asked.append(wanted)
        except Elsewhere:  # what is asked at a child knows something of the node
            break
    raise NoForest(result)


def _children(
    constructors: Constructors,
    name: str,
    fields: tuple[Value, ...],
    change: Callable[[Value], Value],
) -> tuple[Value, ...]:
    """The fields with `change` on what stands in place of each child."""

    def field(type: t.Type, value: Value) -> Value:
        if type == constructors.type:
            return change(value)
        if not t.mentions(type, constructors.type):
            return value
        if isinstance(type, t.Product):
            return tuple(field(item, part) for item, part in zip(type.items, value, strict=True))
        raise NoForest(type)  # a sequence of trees beside their results

    return tuple(map(field, constructors.fields[name], fields))


class _Doubted(Exception):
    """Something is required at a node: results carry the number of what went wrong."""


class _Reduction:
    """One catamorphism over one forest, while tracing.

    A row of the loop is the result of a node; `doubted`, one number more, which is that of
    what went wrong at the node or below it (`Doubt` in trace.py).
    """

    def __init__(
        self, tracer: Tracer, forest: Forest, algebra: Algebra, result: t.Type, *, doubted: bool
    ) -> None:
        self.tracer, self.forest, self.algebra = tracer, forest, algebra
        self.shape, self.result, self.doubted = forest.shape, result, doubted
        self.constructors = Constructors.of(forest.type, tracer.declarations)
        self.row = [*tracer.layout(result), *([ArrayType("Int")] if doubted else [])]

    def roots(self) -> tuple[Wire, ...]:
        tracer, forest, shape, builder = self.tracer, self.forest, self.shape, self.tracer.builder
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
        child, keys, extra = tracer.steps(shape.length)
        with tracer.inside(child, keys):
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
                    with tracer.inside(child.child()) as branch:
                        branches.append((branch, step(one)))
                outputs = tracer.chosen(kind, branches)
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
        return self.tracer.map_wires(
            count, [*children, *own], lambda wires: _Node(self, kind, wires).outputs()
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
        builder = self.tracer.builder
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
            for _ in self.tracer.layout(part.type):
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


# --- a node -------------------------------------------------------------------------------


class _Node:
    """A node of some kind while its wires are made the fields that the algebra is given.

    The wires, in order: the results of each child outside of sequences; over its room, of
    each child in the elements of a sequence; then the payload, as `own_layout` has it.
    """

    def __init__(self, reduction: _Reduction, kind: Kind, wires: Sequence[Wire]) -> None:
        self.reduction, self.kind, self.tracer = reduction, kind, reduction.tracer
        self.constructors, self.supply = reduction.constructors, iter(wires)
        name = kind.constructor
        sequences = self.constructors.sequences(name)
        self.children: dict[int | None, list[list[Wire]]] = {}
        for place in (None, *(k for k, full in enumerate(sequences) if full and not kind.leaf)):
            self.children[place] = [
                [next(self.supply) for _ in reduction.row]
                for _ in range(self.constructors.children(name, place))
            ]
        self.lengths = [
            self.tracer.builder.constant(0, "Int") if kind.leaf and full else next(self.supply)
            for full in sequences
        ]

    def outputs(self) -> list[Wire]:
        """The result at the node; `doubted`, with the number of what went wrong."""
        reduction, tracer = self.reduction, self.tracer
        doubts = list(self._doubts()) if reduction.doubted else []
        rest = {place: iter(rows) for place, rows in self.children.items()}
        sequences = iter(range(len(self.lengths)))
        fields = self.constructors.fields[self.kind.constructor]
        value = reduction.algebra(
            self.kind.constructor, tuple(self._field(f, rest, sequences) for f in fields)
        )
        if holds_sequence(value):  # of a length that the type does not tell
            raise NoForest(reduction.result)
        own = tracer.doubt().wire
        if own is not None and not reduction.doubted:
            raise _Doubted
        made = tracer.flatten(value, reduction.result)
        if reduction.doubted:
            doubts += [tracer.builder.constant(0, "Int")] if own is None else [own]
            made.append(longest(tracer.builder, doubts))
        return made

    def _doubts(self) -> Iterator[Wire]:
        """What went wrong below each child, or below any of a sequence of children."""
        builder = self.tracer.builder
        for place, rows in self.children.items():
            for *_, wire in rows:
                if place is None:
                    yield wire
                else:
                    there = present(builder, Extent(self.kind.room, self.lengths[place]))
                    wire = where(builder, there, wire, builder.zeros(wire.type))
                    yield builder.emit("maximum", wire, axes=(0,))

    def _field(
        self,
        type: t.Type,
        rest: dict[int | None, Iterator[list[Wire]]],
        sequences: Iterator[int],
        inside: int | None = None,
    ) -> Value:
        """A field with results in place of children, or what all elements of the sequence
        that it is `inside` of have there."""
        tracer, constructors = self.tracer, self.constructors
        if constructors.whole(type):
            child = type == constructors.type
            made = self.reduction.result if child else type
            if (
                inside is not None
                and self.kind.leaf
                and constructors.sequences(self.kind.constructor)[inside]
            ):
                return tracer.zero(t.Array(made, constant(0)))
            layout = tracer.layout(made)
            if child:
                return tracer.rebuild(made, next(rest[inside])[: len(layout)])
            return tracer.rebuild(made, [next(self.supply) for _ in layout])
        match type:
            case t.Product(items=items):
                return tuple(self._field(item, rest, sequences, inside) for item in items)
            case t.Array(element=element) if constructors.open(type):
                number = next(sequences)
                value = self._field(element, rest, sequences, number)
                full = constructors.sequences(self.kind.constructor)[number]
                return over(value, self.lengths[number], filled=not full)
            case t.Array(element=element, length=length):
                values = [self._field(element, rest, sequences) for _ in range(known(length))]
                inner = t.replace_type(element, constructors.type, self.reduction.result)
                return tracer.sequence(values, inner)
            case _:
                raise AssertionError(f"no field of a forest: {t.show(type)}")


__all__ = [
    "HOLE", "Constructors", "Forest", "ForestShape", "Kind", "NoForest", "Part", "Subtree",
    "forest_layout", "forestable", "mapped", "own_layout", "payload_layout", "reduce_forest",
    "reduce_with_trees",
]  # fmt: skip
