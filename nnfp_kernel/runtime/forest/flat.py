"""One tree as arrays: its nodes in breadth-first order, and what they hold beside children.

Found once for a tree, and kept with it: a tree's shape may not change afterwards. Its
arrays may, which is why a column remembers them and not what they held.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy

from ...graph.forest import Constructors
from ...graph.graph import ArrayType
from ...graph.values import Declarations, known
from ...language import types as t
from ...language.sizes import constant
from ..data import DataValue
from ..exchange import flatten, is_concrete

Array = Any
Indices = numpy.ndarray


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
    constructors: Constructors

    @property
    def type(self) -> t.Named:
        return self.constructors.type

    @cached_property
    def table(self) -> Indices:
        """What is known of each node, one row for each: kind, parent, offset, per, height,
        longest. Many trees are put together by one concatenation."""
        rows = (self.kind, self.parent, self.offset, self.per, self.height, self.longest)
        return numpy.stack(rows)

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
            constructors,
        )  # fmt: skip

    @cached_property
    def order(self) -> Indices:
        """What it holds beside children, from left to right: of each piece the place of its
        node, which part of the constructor it is, and of which element of a sequence."""
        names = list(self.constructors.fields)
        sizes = [0] * len(names)
        pieces: dict[tuple[int, tuple[int, ...]], list[tuple[int, int]]] = {}
        of_node = []
        for kind in map(int, self.kind):
            lengths = tuple(map(int, self.payload[kind].lengths[sizes[kind]]))
            sizes[kind] += 1
            if (kind, lengths) not in pieces:
                pieces[kind, lengths] = list(_in_order(self.constructors, names[kind], lengths))
            of_node.append(pieces[kind, lengths])
        first = numpy.searchsorted(self.parent[1:], numpy.arange(len(of_node))) + 1
        children = [
            {k for k, part in enumerate(self.constructors.parts(name)) if part.type == self.type}
            for name in names
        ]
        found: list[tuple[int, int, int]] = []
        path = [(0, iter(of_node[0]), itertools.count(int(first[0])))]
        while path:
            place, rest, below = path[-1]
            inside = children[int(self.kind[place])]
            for part, element in rest:
                if part in inside:
                    child = next(below)
                    path.append((child, iter(of_node[child]), itertools.count(int(first[child]))))
                    break
                found.append((place, part, element))
            else:
                path.pop()
        return numpy.array(found, numpy.int32).reshape(len(found), 3)

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


def _in_order(
    constructors: Constructors, name: str, lengths: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """The parts of a node whose sequences are so long, from left to right, each with the
    element that it is of."""
    rest = iter(lengths)

    def within(type: t.Type, first: int, element: int) -> tuple[list[tuple[int, int]], int]:
        """Those of a type, and how many parts it is made of."""
        if constructors.whole(type):
            return [(first, element)], 1
        inside: list[tuple[int, int]] = []
        match type:
            case t.Array(element=of) if constructors.open(type):
                _, count = within(of, first, 0)
                for k in range(next(rest)):
                    inside += within(of, first, k)[0]
                return inside, count
            case t.Array(element=of, length=length):
                types = [of] * known(length)
            case t.Product(items=items):
                types = list(items)
            case _:
                raise AssertionError(f"no field of a forest: {t.show(type)}")
        count = 0
        for item in types:
            made, more = within(item, first + count, element)
            inside += made
            count += more
        return inside, count

    before = 0
    for field in constructors.fields[name]:
        found, count = within(field, before, 0)
        yield from found
        before += count


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
    dtype: numpy.dtype[Any] | None = None  # of all, if it is one
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
        dtypes = {array.dtype for array in arrays} if plain else set()
        dtype = dtypes.pop() if len(dtypes) == 1 else None
        return cls(tuple(arrays), shape, None, plain, dtype, runs, type.differentiable)

    def __len__(self) -> int:
        return len(self.arrays) if self.stack is None else len(self.stack)

    def stacked(self) -> Array:
        if self.stack is not None:
            return self.stack
        if self.plain:
            return _end_to_end(self.arrays, self.dtype).reshape(-1, *self.shape)
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


def concatenated(arrays: Sequence[Array]) -> Array:
    if all(isinstance(array, numpy.ndarray) for array in arrays):
        return numpy.concatenate(arrays)
    import jax.numpy

    return jax.numpy.concatenate(arrays)


def stacked(columns: Sequence[Column]) -> Array | None:
    """The rows of all columns; None where there are none."""
    if all(c.stack is None and c.plain for c in columns):
        arrays = [array for column in columns for array in column.arrays]  # all at once
        dtypes = {column.dtype for column in columns if column.arrays}
        dtype = dtypes.pop() if len(dtypes) == 1 else None
        return _end_to_end(arrays, dtype).reshape(-1, *columns[0].shape) if arrays else None
    parts = [column.stacked() for column in columns if column]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else concatenated(parts)


def _end_to_end(arrays: Sequence[numpy.ndarray], dtype: numpy.dtype[Any] | None) -> numpy.ndarray:
    """The entries of many small arrays, of one dtype if that is known.

    >>> _end_to_end([numpy.ones(2), numpy.zeros(1)], numpy.dtype(float))
    array([1., 1., 0.])
    """
    if dtype is not None:
        try:  # as bytes: thousands of arrays in a quarter of the time
            return numpy.frombuffer(b"".join(cast(Sequence[bytes], arrays)), dtype)
        except (TypeError, ValueError):  # not in one piece, none, or of no dtype of Python
            pass
    return numpy.concatenate([array.reshape(-1) for array in arrays])
