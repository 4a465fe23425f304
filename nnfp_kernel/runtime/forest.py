"""Packing trees: Python's trees as the arrays of one forest, and gradients back as trees.

    Trees of a batch, or one tree     ->     kinds, schedule, payload     (graph/forest.py)

What a tree is by itself, its nodes in breadth-first order, is found once and kept with
the tree, which is why a tree's shape may not change afterwards (its arrays may: they are
read at each packing). A batch is then a matter of whole arrays: nodes are sorted by
their height and kind, each such level is cut into chunks.

Room is counted in buckets, at most eight to an octave, so that a forest of about the same size
runs what is compiled already. What stands in the room left over repeats a node that is
there: no value comes up that would not come up anyway, and nobody reads its result.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy

from ..graph.forest import (
    Constructors,
    ForestShape,
    Kind,
    NoForest,
    Part,
    forest_layout,
    forestable,
    payload_layout,
)
from ..graph.graph import ArrayType
from ..graph.values import Declarations
from ..language import types as t
from ..language.sizes import constant
from .data import DataValue
from .exchange import (
    Misfit,
    Packed,
    common_type,
    describe,
    flatten,
    is_concrete,
    match,
    part_of,
    rebuild,
    with_tags,
)

Array = Any
Indices = numpy.ndarray

WIDTHS = (1, 8, 64)  # of a chunk: wide enough for the arithmetic, not much wider than a level
SLOTS = (4, 8)  # of a lane, where nodes have any number of children
STEP = 16  # what a step costs by itself, in rows read
# Of the sequences in a node. Each is a branch of the loop, so they are few; a forest has
# those of the first two, and up to the largest it needs.
ROOMS = numpy.array([0, 2, 4, *(8 << 2 * k for k in range(12))])


def bucket(count: int) -> int:
    """The room for so many: a power of two, of many also one of eight steps between two.

    >>> [bucket(count) for count in (0, 1, 3, 9, 17, 100, 1000)]
    [0, 1, 4, 16, 32, 104, 1024]
    """
    if count <= 64:
        return 1 << (count - 1).bit_length() if count else 0
    step = 1 << (count.bit_length() - 4)
    return -(-count // step) * step


# --- one tree -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Flat:
    """A tree as arrays, a parent before its children.

    A node is known by its place. It is in the slot `offset + per * room` of its parent,
    where `room` is what the parent's sequences are given. `payload` has for each
    constructor what its nodes hold beside children, in the order of the nodes.
    """

    nodes: tuple[DataValue, ...]
    kind: Indices  # place of the constructor in the declaration
    parent: Indices  # -1: the root
    offset: Indices
    per: Indices
    height: Indices  # 0: no children
    longest: Indices  # of its sequences
    payload: tuple[Payload, ...]

    @classmethod
    def of(
        cls,
        tree: DataValue,
        key: str,
        constructors: Constructors,
        declarations: Declarations,
    ) -> Flat:
        """The tree's own arrays, found once for each type it is used at, its `key`."""
        kept = tree.__dict__.setdefault("_flat", {})
        if key not in kept:
            kept[key] = cls._made(tree, constructors, declarations)
        found: Flat = kept[key]
        return found

    @classmethod
    def _made(cls, tree: DataValue, constructors: Constructors, declarations: Declarations) -> Flat:
        number = {name: k for k, name in enumerate(constructors.fields)}
        takers = {name: _Taker(constructors, name) for name in number}
        nodes, parent, offset, per = [tree], [-1], [0], [0]
        for place, node in enumerate(nodes):  # which grows meanwhile
            for child, where, each in takers[node.constructor].take(node.fields):
                nodes.append(child)
                parent.append(place)
                offset.append(where)
                per.append(each)
        height = [0] * len(nodes)
        for place in range(len(nodes) - 1, 0, -1):
            above = parent[place]
            if height[above] <= height[place]:
                height[above] = height[place] + 1
        integers = numpy.int32
        kind = numpy.array([number[node.constructor] for node in nodes], integers)
        payload = tuple(taker.payload(declarations) for taker in takers.values())
        longest = numpy.zeros(len(nodes), integers)
        for k, own in enumerate(payload):
            if own.lengths.shape[1]:
                longest[kind == k] = own.lengths.max(1)
        return cls(
            tuple(nodes), kind,
            numpy.array(parent, integers), numpy.array(offset, integers),
            numpy.array(per, integers), numpy.array(height, integers), longest, payload,
        )  # fmt: skip

    def same_shape(self, other: Flat) -> bool:
        """Whether two trees have the same nodes and children, in sequences as many."""
        return all(
            map(
                numpy.array_equal,
                (self.kind, self.parent, self.offset, self.longest),
                (other.kind, other.parent, other.offset, other.longest),
            )
        ) and all(
            numpy.array_equal(own.lengths, theirs.lengths)
            for own, theirs in zip(self.payload, other.payload, strict=True)
        )

    def with_lengths_of(self, other: Flat) -> Flat:
        """A tangent of `other`, in which () may stand for a sequence of what cannot move.
        Raises ValueError where the two differ in shape."""
        if not (
            numpy.array_equal(self.kind, other.kind)
            and numpy.array_equal(self.parent, other.parent)
            and numpy.array_equal(self.offset, other.offset)
        ):
            raise ValueError("trees of different shapes")
        payload = []
        for own, theirs in zip(self.payload, other.payload, strict=True):
            if len(own.columns) != len(theirs.columns):  # of other payload
                if not numpy.array_equal(own.lengths, theirs.lengths):
                    raise ValueError("sequences of different lengths")
                payload.append(own)
                continue
            columns = []
            for mine, like in zip(own.columns, theirs.columns, strict=True):
                if mine.runs and [*map(len, mine.arrays)] != [*map(len, like.arrays)]:
                    if mine.moves or any(map(len, mine.arrays)):
                        raise ValueError("sequences of different lengths")
                    mine = like
                columns.append(mine)
            payload.append(Payload(theirs.lengths, tuple(columns)))
        return replace(self, longest=other.longest, payload=tuple(payload))


@dataclass(frozen=True, eq=False)
class Payload:
    """What the nodes of a constructor in one tree hold beside children: the length of each
    sequence, a column for each array of a part by itself, and one for each array of a
    part in a sequence, over the elements of all nodes."""

    lengths: Indices  # [nodes, sequences]
    columns: tuple[Column, ...]


class _Taker:
    """Takes the nodes of one constructor apart: their children, and what is beside them."""

    def __init__(self, constructors: Constructors, name: str) -> None:
        self.constructors, self.fields = constructors, constructors.fields[name]
        self.full = constructors.sequences(name)  # of each sequence, whether children are in it
        self.parts = [part for part in constructors.parts(name) if part.type != constructors.type]
        # The values of each part by itself; in each sequence, those of each part of its
        # elements, or whole ones where there are no children.
        self.alone: list[list[Any]] = [[] for part in self.parts if part.sequence is None]
        self.inside: list[list[list[Any]]] = [
            [[] for part in self.parts if part.sequence == k] if full else [[]]
            for k, full in enumerate(self.full)
        ]
        self.lengths: list[list[int]] = []
        self.first = constructors.children(name)
        each = [constructors.children(name, k) for k in range(len(self.full))]
        self.per = [sum(each[:k]) for k in range(len(each))]
        self.whole = [constructors.whole(field) for field in self.fields]

    def take(self, fields: Sequence[Any]) -> list[tuple[DataValue, int, int]]:
        """The children, each with `offset` and `per` (see Flat); the rest is kept."""
        children: list[tuple[DataValue, int, int]] = []
        lengths: list[int] = []
        parts, slots = iter(self.alone), itertools.count()
        for type, whole, value in zip(self.fields, self.whole, fields, strict=True):
            if whole and type != self.constructors.type:
                next(parts).append(value)
            else:
                self._take(type, value, parts, slots, 0, children, lengths)
        self.lengths.append(lengths)
        return children

    def _take(
        self,
        type: t.Type,
        value: Any,
        parts: Iterator[list[Any]],
        slots: Iterator[int],
        per: int,
        children: list[tuple[DataValue, int, int]],
        lengths: list[int],
    ) -> None:
        constructors = self.constructors
        if type == constructors.type:
            children.append((value, next(slots), per))
            return
        if constructors.whole(type):
            next(parts).append(value)
            return
        match type:
            case t.Product(items=items):
                for item, part in zip(items, value, strict=True):
                    self._take(item, part, parts, slots, per, children, lengths)
            case t.Array(element=element) if constructors.open(type):
                number = len(lengths)
                lengths.append(_count(value, element))
                if not self.full[number]:
                    self.inside[number][0].append(value)
                    return
                slots, per = itertools.count(self.first), self.per[number]
                for one in value:
                    own = iter(self.inside[number])
                    self._take(element, one, own, slots, per, children, lengths)
            case t.Array(element=element):
                for one in value:
                    self._take(element, one, parts, slots, per, children, lengths)

    def payload(self, declarations: Declarations) -> Payload:
        """What all nodes taken hold beside children."""
        lengths = numpy.array(self.lengths, numpy.int32).reshape(len(self.lengths), len(self.full))
        alone, inside = iter(self.alone), [iter(values) for values in self.inside]
        columns: list[Column] = []
        for part in self.parts:
            values = next(alone if part.sequence is None else inside[part.sequence])
            types = [part.type] * len(values)
            runs = part.sequence is not None and not self.full[part.sequence]
            if runs:  # each value is all elements of a sequence
                types = [t.Array(part.type, constant(int(n))) for n in lengths[:, part.sequence]]
            pairs = zip(values, types, strict=True)
            rows = [list(laid_out(value, type, declarations)) for value, type in pairs]
            for k, array in enumerate(declarations.layout(part.type)):
                columns.append(Column.of([row[k] for row in rows], array, runs=runs))
        return Payload(lengths, tuple(columns))


def _count(value: Any, element: t.Type) -> int:
    """How many elements a sequence has; of products, it may be a tuple of arrays."""
    if isinstance(element, t.Product) and isinstance(value, tuple) and value:
        return max(map(_count, value, element.items))
    return len(value)


@dataclass(frozen=True, eq=False)
class Column:
    """One array of a part, of all nodes of a constructor: stacked where that is for good,
    else the arrays themselves, which their owner may still write to. They are one for
    each node, or in `runs` of as many as there are elements."""

    arrays: tuple[Array, ...]
    shape: tuple[int, ...]  # of each
    stack: Array | None
    plain: bool = True  # whether all are NumPy's own
    runs: bool = False
    moves: bool = True  # whether it is of real numbers

    @classmethod
    def of(cls, arrays: Sequence[Array], type: ArrayType, *, runs: bool = False) -> Column:
        shape = type.shape
        lasting = not any(isinstance(array, numpy.ndarray) for array in arrays)
        if not runs and lasting and all(map(is_concrete, arrays)):
            own = numpy.stack(arrays) if arrays else numpy.zeros((0, *shape))
            return cls((), shape, own.reshape(len(arrays), *shape))
        plain = all(isinstance(array, numpy.ndarray) for array in arrays)
        return cls(tuple(arrays), shape, None, plain, runs, type.differentiable)

    def __len__(self) -> int:
        return len(self.arrays) if self.stack is None else len(self.stack)

    def stacked(self) -> Array:
        if self.stack is not None:
            return self.stack
        if self.plain:
            if self.shape or self.runs:
                return numpy.concatenate(self.arrays).reshape(-1, *self.shape)
            return numpy.array(self.arrays)
        import jax.numpy

        own = [jax.numpy.asarray(array) for array in self.arrays]
        if self.runs:
            return jax.numpy.concatenate([array.reshape(-1, *self.shape) for array in own])
        return jax.numpy.stack(own)


def laid_out(value: Any, type: t.Type, declarations: Declarations) -> Iterator[Array]:
    """The arrays of a field in the order of its layout: of a data value the constructor's
    place, then the fields of every constructor, zero but for its own."""
    match type:
        case t.Scalar() | t.Fin() | t.Array() if isinstance(value, tuple) and not value:
            for array in declarations.layout(type):
                yield numpy.zeros(array.shape)  # the tangent of what cannot move
        case t.Product(items=items):
            for item, part in zip(items, value, strict=True):
                yield from laid_out(part, item, declarations)
        case t.Named(name=name) if name in declarations.reps:
            yield from laid_out(value, declarations.reps[name].carrier, declarations)
        case t.Named():
            constructors = declarations.constructors(type)
            yield numpy.int32(list(constructors).index(value.constructor))
            for name, fields in constructors.items():
                for k, field in enumerate(fields):
                    if name == value.constructor:
                        yield from laid_out(value.fields[k], field, declarations)
                    else:
                        for array in declarations.layout(field):
                            yield numpy.zeros(array.shape)
        case _:
            yield from flatten(value, type, declarations, lambda array, _: array)


def _moved(value: Any, type: t.Type, arrays: Iterator[Array], declarations: Declarations) -> Any:
    """The gradient of a field, in the form of its value."""
    match type:
        case t.Product(items=items):
            return tuple(
                _moved(part, item, arrays, declarations)
                for item, part in zip(items, value, strict=True)
            )
        case t.Named(name=name) if name in declarations.reps:
            return _moved(value, declarations.reps[name].carrier, arrays, declarations)
        case t.Named():
            next(arrays)
            own: tuple[Any, ...] = ()
            for name, fields in declarations.constructors(type).items():
                if name == value.constructor:
                    own = tuple(
                        _moved(part, field, arrays, declarations)
                        for part, field in zip(value.fields, fields, strict=True)
                    )
                else:
                    for field in fields:
                        for _ in declarations.layout(field):
                            next(arrays)
            return DataValue(value.constructor, own)
        case _:
            return rebuild(type, with_tags(type, value, arrays, declarations), declarations)


# --- many trees -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PackedTrees(Packed):
    """Trees packed as one forest, or, with `each`, one forest for each of them.

    Without `batch` there is one tree, and no axis of examples.
    """

    trees: tuple[DataValue, ...]
    type: t.Named
    declarations: Declarations
    batch: bool = False
    each: bool = False
    alike: int = 0  # of one number are those whose trees have the same shapes

    @classmethod
    def of(
        cls,
        trees: Sequence[Any],
        expected: t.Type,
        declarations: Declarations,
        *,
        batch: bool = False,
        each: bool = False,
        where: str = "the tree",
    ) -> PackedTrees:
        """Raises Misfit for what is no tree of the type, by its place in the batch."""
        type = _common(trees, expected, declarations, batch, where)
        return cls(tuple(trees), type, declarations, batch, each)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array: a batch has an axis of examples."""
        return (len(self.trees),) if self.batch else ()

    def matched(self, expected: t.Type, integers: bool) -> t.Type:
        element = expected.element if isinstance(expected, t.Array) else expected
        found = _common(self.trees, element, self.declarations, self.batch, integers=integers)
        return t.Array(found, constant(len(self.trees))) if self.batch else found

    @cached_property
    def _plans(self) -> list[Plan]:
        constructors = Constructors.of(self.type, self.declarations)
        key = t.show(self.type)
        flats = [Flat.of(tree, key, constructors, self.declarations) for tree in self.trees]
        return self._planned(flats)

    def _planned(self, flats: Sequence[Flat]) -> list[Plan]:
        constructors = Constructors.of(self.type, self.declarations)
        if not self.each:
            return [Plan(constructors, flats, self.declarations)]
        alone = [Plan(constructors, [flat], self.declarations) for flat in flats]
        frame = tuple(max(sizes) for sizes in zip(*(plan.frame for plan in alone), strict=True))
        return [
            plan
            if plan.frame == frame
            else Plan(constructors, plan.flats, self.declarations, frame)
            for plan in alone
        ]

    @cached_property
    def structure(self) -> ForestShape:
        shapes = [plan.room for plan in self._plans]
        if not self.each:
            return replace(shapes[0], shared=self.batch, alike=self.alike)
        if not shapes:
            constructors = Constructors.of(self.type, self.declarations)
            shapes = [replace(Plan(constructors, (), self.declarations).room, trees=1)]
        return replace(common_shape(shapes), alike=self.alike)

    def arrays(self, number: Callable[[Array, str], Array]) -> Iterator[Array]:
        """In the order of `forest_layout`; with one forest for each, over all trees."""
        layout = forest_layout(self.type, self.structure, self.declarations)
        made = [plan.arrays(self.structure) for plan in self._plans]
        for k, array in enumerate(layout):
            column = [own[k] for own in made]
            if not self.each:
                yield number(column[0], array.kind)
            elif column:
                yield number(_stack(column), array.kind)
            else:
                yield number(numpy.zeros((0, *array.shape)), array.kind)

    def alike_with(self, others: Sequence[PackedTrees]) -> PackedTrees:
        """The same, with the number of the first whose trees have its trees' shapes."""
        mine = [flat for plan in self._plans for flat in plan.flats]
        for other in others:
            theirs = [flat for plan in other._plans for flat in plan.flats]
            if len(mine) == len(theirs) and all(map(Flat.same_shape, mine, theirs)):
                return self._numbered(other.alike)
        return self._numbered(1 + max(other.alike for other in others)) if others else self

    def _numbered(self, alike: int) -> PackedTrees:
        again = replace(self, alike=alike)
        again.__dict__["_plans"] = self._plans
        return again

    def planted(self, type: t.Named, k: int, arrays: Sequence[Array]) -> DataValue:
        """A tree of the shape of the k-th, of `type`, with this payload."""
        plan = self._plans[k if self.each else 0].of_type(type)
        return plan.trees(arrays, self.structure, fresh=True)[0 if self.each else k]

    def payload_of(
        self, type: t.Named, k: int, tree: Any, number: Callable[[Array, str], Array]
    ) -> list[Array]:
        """The payload of a tree of that shape, a cotangent of one that was planted."""
        plan = self._plans[k if self.each else 0].of_type(type)
        one = replace(self, trees=(self.trees[k],), type=type, batch=False, each=False)
        one.__dict__.update(_plans=[plan], structure=replace(self.structure, shared=False))
        moved = one.tangent(tree)
        arrays = list(moved.arrays(number))
        own = payload_layout(plan.constructors, self.structure, self.declarations).values()
        return arrays[len(arrays) - sum(map(len, own)) :]

    def tangent(self, tree: Any) -> PackedTrees:
        """A tangent of the one tree: of its shape, with () in the place of what cannot move."""
        (plan,) = self._plans
        own = plan.flats[0]
        moved = replace(self, trees=(tree,))
        try:
            constructors = Constructors.of(self.type, self.declarations)
            flat = Flat.of(tree, t.show(self.type), constructors, self.declarations)
            flat = flat.with_lengths_of(own)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Misfit(
                describe(tree), "a tree of the same shape", "the tangent of the tree"
            ) from None
        moved.__dict__["_plans"] = [Plan(constructors, [flat], self.declarations, plan.frame)]
        moved.__dict__["structure"] = replace(self.structure, shared=False)
        return moved

    def unpacked(self, arrays: Iterator[Array]) -> Any:
        layout = forest_layout(self.type, self.structure, self.declarations)
        constructors = Constructors.of(self.type, self.declarations)
        own = payload_layout(constructors, self.structure, self.declarations).values()
        given = [next(arrays) for _ in layout]
        payload = [
            array if isinstance(array, tuple) or not is_concrete(array) else numpy.asarray(array)
            for array in given[len(given) - sum(map(len, own)) :]
        ]
        trees = []
        for k, plan in enumerate(self._plans):
            mine = payload
            if self.each:
                mine = [array if isinstance(array, tuple) else array[k] for array in payload]
            trees += plan.trees(mine, self.structure)
        return trees if self.batch else trees[0]


def packed(
    expected: t.Type,
    value: Any,
    declarations: Declarations,
    where: str = "the input",
    *,
    batch: bool = False,
    each: bool = False,
) -> Any:
    """A Python value with the trees in it packed; the value itself where there are none.

    In a batch a list of trees stands in the place of a tree. Raises Misfit, and NoForest
    for a batch of trees that no forest can hold.
    """
    match expected:
        case t.Product(items=items) if isinstance(value, tuple) and len(items) == len(value):
            parts = tuple(
                packed(item, part, declarations, part_of(where, k), batch=batch, each=each)
                for k, (item, part) in enumerate(zip(items, value, strict=True), 1)
            )
            # The value itself keeps what it was, if nothing in it is a tree.
            same = all(part is own for part, own in zip(parts, value, strict=True))
            return value if same else parts
        case t.Named(name=name) if name in declarations.data and declarations.data[name].recursive:
            if batch and not isinstance(value, list | tuple):
                raise Misfit(describe(value), f"a list of {t.show(expected)}s", where)
            trees = value if batch else (value,)
            made = PackedTrees.of(
                trees, expected, declarations, batch=batch, each=each, where=where
            )
            if forestable(made.type, declarations):
                return made
            if batch:
                raise NoForest(made.type)
            return value
        case _:
            return value


@dataclass(frozen=True)
class Planted:
    """A tree that a forest gave, before its shape is put to it: that of the trees of one of
    the forests among the arguments."""

    origin: int
    type: t.Named
    payload: tuple[Array, ...]


def forests_in(value: Any) -> list[PackedTrees]:
    """The packed trees in a value, in order."""
    if isinstance(value, tuple | list):
        return [found for part in value for found in forests_in(part)]
    return [value] if isinstance(value, PackedTrees) else []


def planted(value: Any, forests: Sequence[PackedTrees], k: int = 0) -> Any:
    """An answer with its trees as trees."""
    if isinstance(value, Planted):
        return forests[value.origin].planted(value.type, k, value.payload)
    if isinstance(value, DataValue):  # a constructor put around trees of a forest
        return DataValue(value.constructor, planted(value.fields, forests, k))
    if isinstance(value, tuple | list):
        return type(value)(planted(part, forests, k) for part in value)
    return value


def numbered(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments in which packed trees of the same shapes are known to be alike."""
    seen: list[PackedTrees] = []

    def one(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(one, value))
        if isinstance(value, PackedTrees):
            value = value.alike_with(seen)
            seen.append(value)
        return value

    return one(values) if len(forests_in(values)) > 1 else values


def packed_like(value: Any, tangent: Any) -> Any:
    """A tangent with its trees packed as those of `value` are. Raises Misfit."""
    if isinstance(value, PackedTrees):
        return value.tangent(tangent)
    if isinstance(value, tuple) and isinstance(tangent, tuple) and len(value) == len(tangent):
        return tuple(packed_like(*pair) for pair in zip(value, tangent, strict=True))
    return tangent


def _common(
    trees: Sequence[Any],
    expected: t.Type,
    declarations: Declarations,
    batch: bool,
    where: str = "the tree",
    integers: bool = True,
) -> t.Named:
    """The type that all trees have, which each remembers to have."""
    key = (t.show(expected), integers)
    found: Any = None
    for k, tree in enumerate(trees):
        place = f"tree {k}" if batch else where
        if not isinstance(tree, DataValue):
            raise Misfit(describe(tree), f"a {t.show(expected)}", place)
        kept = tree.__dict__.setdefault("_types", {})
        if key not in kept:
            kept[key] = match(expected, tree, declarations, place, integers=integers)
        own = kept[key]
        if found is None or found is own or found == own:
            found = own
        else:
            common = common_type(found, own)
            if common is None:
                raise Misfit(f"a {t.show(own)}", f"a {t.show(found)}, as before it", place)
            found = common
    if found is None:  # a batch of none
        found = t.substitute(expected, dict.fromkeys(t.free_variables(expected)[0], t.R), {})
    assert isinstance(found, t.Named)
    return found


def _stack(arrays: Sequence[Array]) -> Array:
    if all(isinstance(array, numpy.ndarray) for array in arrays):
        return numpy.stack(arrays)
    import jax.numpy

    return jax.numpy.stack(arrays)


# --- the plan ---------------------------------------------------------------------------------


def common_shape(shapes: Sequence[ForestShape]) -> ForestShape:
    """The least shape that has the room of all."""
    counts: dict[Kind, int] = {}
    inner: dict[Kind, None] = {}
    for shape in shapes:
        for kind, count in shape.leaves:
            counts[kind] = max(count, counts.get(kind, 0))
        inner.update(dict.fromkeys(shape.inner))
    return replace(
        shapes[0],
        leaves=tuple(counts.items()), inner=tuple(inner),
        length=max(shape.length for shape in shapes),
    )  # fmt: skip


class Plan:
    """Where each node of some trees stands in a forest of theirs: in a row if it has no
    children, else at a step and from a lane on. The arrays are over all nodes of all trees.

    `frame` is the width of a chunk and the slots of a lane.
    """

    def __init__(
        self,
        constructors: Constructors,
        flats: Sequence[Flat],
        declarations: Declarations,
        frame: tuple[int, int] | None = None,
    ) -> None:
        self.constructors, self.flats, self.declarations = constructors, flats, declarations
        self.names = names = list(constructors.fields)
        sizes = [len(flat.kind) for flat in flats]
        starts = numpy.repeat(numpy.cumsum([0, *sizes])[:-1], sizes)
        which = _joined([flat.kind for flat in flats])
        parent = _joined([flat.parent for flat in flats])
        height = _joined([flat.height for flat in flats])
        self.which = which
        self.parent = numpy.where(parent < 0, -1, parent + starts)
        self.inner = height > 0

        # Its kind: the constructor, the room of its sequences, whether there are children.
        sequences = [constructors.sequences(name) for name in names]
        rooms = numpy.searchsorted(ROOMS, _joined([flat.longest for flat in flats]))
        of_inner = numpy.array([bool(full) for full in sequences], bool)
        of_leaf = numpy.array([not all(full) for full in sequences], bool)
        wanted = numpy.where(self.inner, of_inner[which], of_leaf[which])
        rooms = numpy.where(wanted, numpy.maximum(rooms, 1), 0)
        wide = (which * len(ROOMS) + rooms) * 2 + self.inner
        there = numpy.flatnonzero(numpy.bincount(wide))
        number = numpy.zeros(int(wide.max(initial=0)) + 1, int)
        number[there] = numpy.arange(len(there))
        code = number[wide]
        self.kinds = {
            Kind(names[c // 2 // len(ROOMS)], int(ROOMS[c // 2 % len(ROOMS)]), c % 2 == 0): k
            for k, c in enumerate(map(int, there))
        }
        self.code, self.room_of = code, ROOMS[rooms]
        self.slot = _joined([flat.offset for flat in flats])
        per = _joined([flat.per for flat in flats])
        self.slot = self.slot + per * self.room_of[self.parent] * (self.parent >= 0)
        self.rows = numpy.zeros(len(which), int)  # of a leaf among those of its kind
        for kind, c in self.kinds.items():
            if kind.leaf:
                places = numpy.flatnonzero(code == c)
                self.rows[places] = numpy.arange(len(places))

        # Levels by height and kind, each cut into chunks.
        inner = numpy.flatnonzero(self.inner)
        base = int(code.max(initial=0)) + 1
        level = height[inner] * base + code[inner]
        order = inner[numpy.argsort(level, kind="stable")]
        counts = numpy.bincount(level)
        levels = numpy.flatnonzero(counts)
        counts, codes = counts[levels], levels % base
        if frame is None:
            frame = self._frame(codes, counts, len(inner), height)
        self.frame = self.width, self.reads = frame
        lanes = self._lanes(self.reads)
        self.lanes = lanes[code]  # of each node, how many it takes
        most = self.width // lanes[codes]  # nodes of a chunk
        chunks = -(-counts // most)
        within = numpy.arange(len(order)) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
        most = numpy.repeat(most, counts)
        step = numpy.repeat(numpy.cumsum(chunks) - chunks, counts) + within // most
        self.length = int(chunks.sum())
        # Of a node with children, its place among the nodes of all chunks.
        self.place = numpy.zeros(len(which), int)
        self.place[order] = step * self.width + within % most

    def _lanes(self, reads: int) -> Indices:
        """By code, the lanes that a node takes."""
        lanes = numpy.ones(max(self.kinds.values(), default=0) + 1, int)
        for kind, code in self.kinds.items():
            lanes[code] = self.constructors.lanes(kind, reads)
        return lanes

    def _frame(
        self, codes: Indices, counts: Indices, nodes: int, height: Indices
    ) -> tuple[int, int]:
        """Width and slots by which levels of so many nodes of a kind are run at least cost."""
        if self.constructors.bounded:
            mean = nodes / max(1, int(height.max(initial=0)))
            width = max(each for each in WIDTHS if each <= 2 * mean or each == 1)
            return width, self.constructors.reads
        for reads in SLOTS:
            lanes = self._lanes(reads)[codes]
            most = int(lanes.max(initial=1))
            if most <= WIDTHS[-1]:
                break
        costs = {}
        for width in WIDTHS:
            while width < most:
                width *= 8
            steps = int((-(-counts // (width // lanes))).sum())
            costs[width] = steps * (width * reads + STEP)
        return min(costs, key=lambda width: costs[width]), reads

    @property
    def room(self) -> ForestShape:
        """The least bucket for it."""
        counts = {
            kind: int((self.code == code).sum()) for kind, code in self.kinds.items() if kind.leaf
        }
        leaves, inner = [], []
        for name in self.names:
            sequences = self.constructors.sequences(name)
            for leaf in (True, False):
                names = self.constructors.leaves if leaf else self.constructors.inner
                if name not in names:
                    continue
                there = [k.room for k in self.kinds if (k.constructor, k.leaf) == (name, leaf)]
                rooms = [0]
                if sequences and not (leaf and all(sequences)):
                    least = 0 if leaf and not there else int(ROOMS[2])
                    rooms = [int(r) for r in ROOMS[1:] if r <= max(least, *there, 0)]
                kinds = [Kind(name, room, leaf) for room in rooms]
                if leaf:
                    leaves += [(kind, self._room(counts.get(kind, 0), 8)) for kind in kinds]
                else:
                    inner += kinds
        return ForestShape(
            len(self.flats), tuple(leaves), tuple(inner), self._room(self.length, 4), self.reads,
            self.width,
        )  # fmt: skip

    def _room(self, count: int, least: int) -> int:
        """The bucket of a count; of kinds there may be many, and trees differ in all."""
        return bucket(count) if self.constructors.bounded else max(bucket(count), least)

    # --- packing --------------------------------------------------------------------------

    def arrays(self, shape: ForestShape) -> list[Array]:
        """The arrays of `forest_layout`, in the room of `shape`."""
        filled = self._filled(shape)
        owners = self._owners(shape)
        found: list[Array] = []
        if len(shape.inner) > 1:
            number = numpy.zeros(max(self.kinds.values(), default=0) + 1, int)
            for kind, code in self.kinds.items():
                if not kind.leaf:
                    number[code] = shape.inner.index(kind)
            kinds = numpy.zeros(shape.length * shape.width, int)
            kinds[self.place[self.inner]] = number[self.code[self.inner]]
            found.append(kinds[filled].reshape(shape.length, shape.width)[:, 0])
        found += self._schedule(shape, filled, owners)
        own = {name: self._payload(k) for k, name in enumerate(self.names)}
        for kind, count in shape.leaves:
            number = own[kind.constructor].number
            nodes = numpy.flatnonzero(self.code == self.kinds.get(kind, -1))
            source = numpy.zeros(count, int)
            source[: len(nodes)] = number[nodes]
            source[len(nodes) :] = source[:1]
            elements = numpy.repeat(source, kind.room), numpy.tile(range(kind.room), count)
            found += own[kind.constructor].at(source, (count,), elements, kind.room, kind)
        steps = (shape.length, shape.width)
        for name in self.constructors.inner:
            payload = own[name]
            here = self.inner & (self.which == self.names.index(name))
            source = numpy.zeros(shape.length * shape.width, int)
            source[self.place[here]] = payload.number[here]
            source = source[filled]
            full = self.constructors.sequences(name)
            slots = self._elements(source, owners, shape.reads) if full else None
            found += payload.at(source, steps, slots, shape.reads, Kind(name))
        return found

    def _filled(self, shape: ForestShape) -> Indices:
        """For each place in the chunks itself, if a node stands there; else the first of
        its chunk, where one does; in a chunk of none, the very first."""
        size = shape.length * shape.width
        taken = numpy.zeros(size, bool)
        taken[self.place[self.inner]] = True
        place = numpy.arange(size)
        first = place - place % shape.width
        first[self.length * shape.width :] = 0
        return numpy.where(taken, place, first)

    def _owners(self, shape: ForestShape) -> tuple[Indices, Indices, Indices]:
        """Of each lane the place of its node, which of the node's lanes it is, and how many
        it has."""
        by_step = numpy.ones(shape.length, int)
        by_step[self.place[self.inner] // shape.width] = self.lanes[self.inner]
        by_step[self.length :] = by_step[:1]  # the first chunk stands there again
        step, lane = numpy.divmod(numpy.arange(shape.length * shape.width), shape.width)
        lanes = by_step[step]
        return step * shape.width + lane // lanes, lane % lanes, lanes

    def _schedule(
        self, shape: ForestShape, filled: Indices, owners: tuple[Indices, Indices, Indices]
    ) -> list[Indices]:
        """What a TreeLoop reads where."""
        slots, width, trees, first = shape.reads, shape.width, shape.trees, shape.rows
        size = shape.length * width
        start = numpy.zeros(max(self.kinds.values(), default=0) + 1, int)
        before = 0
        for kind, count in shape.leaves:
            if kind in self.kinds:
                start[self.kinds[kind]] = before
            before += count
        row = numpy.where(self.inner, first + self.place, start[self.code] + self.rows)

        below = numpy.flatnonzero(self.parent >= 0)
        above = self.parent[below]
        lane, block = numpy.divmod(self.slot[below], slots)
        lane += self.place[above] % width * self.lanes[above]
        slot = (self.place[above] // width * slots + block) * width + lane
        reads = numpy.zeros(slots * size, int)  # what nobody needs reads a leaf
        reads[slot] = row[below]
        by_lane = reads.reshape(shape.length, slots, width).swapaxes(1, 2).reshape(size, slots)
        place, part, lanes = owners
        step, node = numpy.divmod(filled[place], width)  # of whatever stands in for it
        read = by_lane[step * width + node * lanes + part]
        readers = numpy.full(first + size, trees + slots * size)
        readers[row[below]] = trees + slot
        finals = row[self.parent < 0]
        readers[finals] = numpy.arange(len(finals))
        blocks = readers[first:].reshape(shape.length, 1, width)
        read = read.reshape(shape.length, width, slots).swapaxes(1, 2)
        return [read, finals, blocks, readers[:first]]

    def _elements(
        self, source: Indices, owners: tuple[Indices, Indices, Indices], slots: int
    ) -> tuple[Indices, Indices]:
        """Of each slot the node, as `source` has it by place, and which element it is for."""
        place, part, _ = owners
        which = part[:, None] * slots + numpy.arange(slots)
        return numpy.repeat(source[place], slots), which.reshape(-1)

    # --- trees again ------------------------------------------------------------------------

    def of_type(self, type: t.Named) -> Plan:
        """The same for trees of these shapes with payload of another type."""
        made = copy.copy(self)
        made.constructors = Constructors.of(type, self.declarations)
        return made

    def trees(
        self, payload: Sequence[Array], shape: ForestShape, *, fresh: bool = False
    ) -> list[DataValue]:
        """The trees again with other payload: its arrays as `arrays` gives them. It is a
        gradient, in the form of theirs, or `fresh`, values of its own."""
        supply = iter(payload)
        given: dict[Kind | str, list[Array]] = {
            key: [next(supply) for _ in arrays]
            for key, arrays in payload_layout(self.constructors, shape, self.declarations).items()
        }
        rows = [_Rows(self, self._payload(k), given, shape, fresh) for k in range(len(self.names))]
        start, made = 0, []
        for flat in self.flats:
            children: list[list[DataValue]] = [[] for _ in flat.nodes]
            for place in range(len(flat.nodes) - 1, -1, -1):
                own = rows[flat.kind[place]]
                again = own.node(start + place, flat.nodes[place], children[place])
                if place:
                    children[flat.parent[place]].append(again)
            made.append(again)
            start += len(flat.nodes)
        return made

    def _payload(self, k: int) -> _Joined:
        number = numpy.zeros(len(self.which), int)
        here = self.which == k
        number[here] = numpy.arange(int(here.sum()))
        return _Joined(self, self.names[k], number, [flat.payload[k] for flat in self.flats])


class _Joined:
    """The payload of a constructor's nodes in all trees."""

    def __init__(self, plan: Plan, name: str, number: Indices, payload: Sequence[Payload]) -> None:
        self.constructors, self.name, self.number = plan.constructors, name, number
        self.parts = [  # an array of which, for each column
            (part, array)
            for part in plan.constructors.parts(name)
            if part.type != plan.constructors.type
            for array in plan.declarations.layout(part.type)
        ]
        self.payload = payload
        count = len(plan.constructors.sequences(name))
        lengths = [one.lengths for one in payload]
        self.lengths = numpy.concatenate(lengths) if lengths else numpy.zeros((0, count), int)

    @property
    def columns(self) -> list[list[Column]]:
        return [[one.columns[j] for one in self.payload] for j in range(len(self.parts))]

    @cached_property
    def starts(self) -> Indices:
        """Where the elements of each node begin, by sequence."""
        starts: Indices = numpy.cumsum(self.lengths, 0) - self.lengths
        return starts

    def at(
        self,
        source: Indices,
        axes: tuple[int, ...],
        elements: tuple[Indices, Indices] | None,
        slots: int,
        kind: Kind,
    ) -> Iterator[Array]:
        """The arrays of `own_layout`, of the nodes `source`; in sequences, with so many slots,
        of `elements`: of which node, and which one, the first of it where there are fewer."""
        full = self.constructors.sequences(self.name)
        for k, children in enumerate(full):
            if not (kind.leaf and children):
                yield self._rows(self.lengths[:, k], source).reshape(axes)
        for (part, array), columns in zip(self.parts, self.columns, strict=True):
            if self.constructors.missing(kind, part):
                continue
            index, room = source, axes
            if part.sequence is not None:
                assert elements is not None
                nodes, which = elements
                room = (*axes, slots)
                if len(self.lengths):
                    short = which >= self.lengths[nodes, part.sequence]
                    index = self.starts[nodes, part.sequence] + numpy.where(short, 0, which)
            rows = _stacked(columns)
            if rows is None or not len(rows):
                yield numpy.zeros((*room, *array.shape))
            else:
                # A sequence without elements borrows one of its neighbour's.
                yield rows[numpy.minimum(index, len(rows) - 1)].reshape(*room, *array.shape)

    @staticmethod
    def _rows(rows: Indices, source: Indices) -> Indices:
        return rows[source] if len(rows) else numpy.zeros(len(source), int)


class _Rows:
    """The payload of a constructor's nodes, as the arrays of a forest have it."""

    def __init__(
        self,
        plan: Plan,
        joined: _Joined,
        given: Mapping[Kind | str, Sequence[Array]],
        shape: ForestShape,
        fresh: bool,
    ) -> None:
        self.plan, self.joined, self.shape, self.fresh = plan, joined, shape, fresh
        self.constructors = plan.constructors
        self.fields = self.constructors.fields[joined.name]
        self.full = self.constructors.sequences(joined.name)
        self.nodes = numpy.flatnonzero(plan.which == plan.names.index(joined.name))
        # Columns by part, of parts by themselves and of those in each sequence.
        self.alone: list[list[Array]] = []
        self.inside: list[list[list[Array]]] = [[] for _ in self.full]
        last: Part | None = None
        supplies = {self._kind(key): list(arrays) for key, arrays in given.items()}
        supplies = {k: v for k, v in supplies.items() if k.constructor == joined.name}
        own = {
            kind: iter(arrays[sum(not (kind.leaf and full) for full in self.full) :])
            for kind, arrays in supplies.items()
        }
        for part, array in joined.parts:
            if part is not last:
                place = self.alone if part.sequence is None else self.inside[part.sequence]
                place.append([])
            pieces = {
                kind: next(arrays)
                for kind, arrays in own.items()
                if not self.constructors.missing(kind, part)
            }
            place[-1].append(self._column(part, array, pieces))
            last = part

    @staticmethod
    def _kind(key: Kind | str) -> Kind:
        return Kind(key) if isinstance(key, str) else key

    def _column(self, part: Part, array: ArrayType, pieces: Mapping[Kind, Array]) -> Array:
        """The rows of all nodes, or of all their elements; () of what does not move."""
        plan, width = self.plan, self.shape.width
        if not pieces or any(isinstance(piece, tuple) for piece in pieces.values()):
            return ()
        before, where = 0, numpy.zeros(len(self.nodes), int)
        flat = []
        for kind, piece in pieces.items():
            if kind.leaf:
                here = plan.code[self.nodes] == plan.kinds.get(kind, -1)
                place, room = plan.rows, kind.room
            else:
                here = plan.inner[self.nodes]
                place, room = plan.place, self.shape.reads
            rows = place[self.nodes[here]]
            if part.sequence is None:
                room = 1
            elif not kind.leaf:  # a node's lanes, and their slots, lie in a row
                lanes = plan.lanes[self.nodes[here]]
                rows = rows // width * width + rows % width * lanes
            where[here] = before + rows * room
            flat.append(piece.reshape(-1, *array.shape))
            before += len(flat[-1])
        if part.sequence is not None:
            lengths = self.joined.lengths[:, part.sequence]
            within = numpy.arange(lengths.sum()) - numpy.repeat(
                numpy.cumsum(lengths) - lengths, lengths
            )
            where = numpy.repeat(where, lengths) + within
        return (flat[0] if len(flat) == 1 else _concatenated(flat))[where]

    def node(self, place: int, node: DataValue, children: list[DataValue]) -> DataValue:
        """The node at a place with this payload, and with these children, the last one
        first."""
        row, sequences = self.joined.number[place], itertools.count()
        declarations = self.plan.declarations

        def made(type: t.Type, value: Any, own: list[Array]) -> Any:
            if self.fresh:
                return rebuild(type, iter(own), declarations)
            return _moved(value, type, iter(own), declarations)

        def field(type: t.Type, value: Any, parts: Iterator[list[Array]], at: Any) -> Any:
            if type == self.constructors.type:
                return children.pop()
            if self.constructors.whole(type):
                own = [array if isinstance(array, tuple) else array[at] for array in next(parts)]
                return made(type, value, own)
            match type:
                case t.Product(items=items):
                    pairs = zip(items, value, strict=True)
                    return tuple(field(item, part, parts, at) for item, part in pairs)
                case t.Array(element=element) if self.constructors.open(type):
                    number = next(sequences)
                    count = int(self.joined.lengths[row, number])
                    start = int(self.joined.starts[row, number])
                    inside = self.inside[number]
                    if not self.full[number]:
                        whole = t.Array(element, constant(count))
                        run = slice(start, start + count)
                        own = [a if isinstance(a, tuple) else a[run] for a in inside[0]]
                        return made(whole, value, own)
                    each = enumerate(value, start)
                    return [field(element, one, iter(inside), k) for k, one in each]
                case t.Array(element=element):
                    return [field(element, one, parts, at) for one in value]
            raise AssertionError(f"no field of a forest: {t.show(type)}")

        parts = iter(self.alone)
        pairs = zip(self.fields, node.fields, strict=True)
        return DataValue(
            node.constructor, tuple(field(type, value, parts, row) for type, value in pairs)
        )


def _joined(arrays: Sequence[Indices]) -> Indices:
    return numpy.concatenate(arrays).astype(int) if arrays else numpy.zeros(0, int)


def _concatenated(arrays: Sequence[Array]) -> Array:
    if all(isinstance(array, numpy.ndarray) for array in arrays):
        return numpy.concatenate(arrays)
    import jax.numpy

    return jax.numpy.concatenate(arrays)


def _stacked(columns: Sequence[Column]) -> Array | None:
    """The rows of all columns; None where there are none."""
    if all(c.stack is None and c.plain and (c.shape or c.runs) for c in columns):
        arrays = [array for column in columns for array in column.arrays]  # all at once
        return numpy.concatenate(arrays).reshape(-1, *columns[0].shape) if arrays else None
    parts = [column.stacked() for column in columns if column]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else _concatenated(parts)
