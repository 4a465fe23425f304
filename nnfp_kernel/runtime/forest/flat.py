"""One tree as arrays: its nodes in breadth-first order, and what they hold beside children.

Found once for a tree, and kept with it: a tree is a value, whose arrays are its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy

from ...graph.forest import Constructors, Part
from ...graph.graph import ArrayType
from ...graph.values import Declarations, known
from ...language import types as t
from ...language.sizes import constant
from ..data import DataValue
from ..exchange import as_array, flatten, is_concrete

Array = Any
Indices = numpy.ndarray


@dataclass(frozen=True, eq=False)
class Flat:
    """A tree as arrays, a parent before its children.

    A node is known by its place. `table` has a column for each node, and in its rows: the
    place of the constructor in the declaration; the place of the parent, -1 of the root's;
    `offset` and `per`, for it is in the slot `offset + per * room` of its parent, where
    `room` is what the parent's sequences are given; the height, 0 without children; the
    length of the longest of its sequences. `payload` has for each constructor what its nodes
    hold beside children, in the order of the nodes.
    """

    nodes: tuple[DataValue, ...]
    table: Indices
    payload: tuple[Payload, ...]
    constructors: Constructors

    @property
    def type(self) -> t.Named:
        return self.constructors.type

    @property
    def kind(self) -> Indices:
        kind: Indices = self.table[0]
        return kind

    @property
    def parent(self) -> Indices:
        parent: Indices = self.table[1]
        return parent

    @property
    def columns(self) -> list[Array]:
        """All arrays of its payload."""
        return [column for own in self.payload for column in own.columns]

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
        found: Flat | None = kept.get(key)
        if found is None:
            found = cls._made(tree, constructors, declarations)
            if all(map(is_concrete, found.columns)):  # else they are those of a trace
                kept[key] = found
        return found

    @classmethod
    def _made(cls, tree: DataValue, constructors: Constructors, declarations: Declarations) -> Flat:
        takers = {name: _Taker(constructors, name, k) for k, name in enumerate(constructors.fields)}
        nodes, kind, parent, offset, per = [tree], [], [-1], [0], [0]
        for place, node in enumerate(nodes):  # which grows meanwhile
            taker = takers[node.constructor]
            kind.append(taker.number)
            for child, where, each in taker.take(node.fields):
                nodes.append(child)
                parent.append(place)
                offset.append(where)
                per.append(each)
        height = [0] * len(nodes)
        for place in range(len(nodes) - 1, 0, -1):
            above = parent[place]
            if height[above] <= height[place]:
                height[above] = height[place] + 1
        payload = tuple(taker.payload(declarations) for taker in takers.values())
        table = numpy.array([kind, parent, offset, per, height, [0] * len(nodes)], numpy.int32)
        for k, own in enumerate(payload):
            if own.lengths.shape[1]:
                table[5, table[0] == k] = own.lengths.max(1)
        return cls(tuple(nodes), table, payload, constructors)

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
        return numpy.array_equal(self.table, other.table) and all(
            numpy.array_equal(own.lengths, theirs.lengths)
            for own, theirs in zip(self.payload, other.payload, strict=True)
        )

    def with_lengths_of(self, other: Flat) -> Flat:
        """A tangent of `other`, in which () may stand for a sequence of what cannot move.
        Raises ValueError where the two differ in shape."""
        if not numpy.array_equal(self.table[:-1], other.table[:-1]):
            raise ValueError("trees of different shapes")
        pairs = zip(self.payload, other.payload, strict=True)
        payload = tuple(own.with_lengths_of(theirs) for own, theirs in pairs)
        table = numpy.concatenate([self.table[:-1], other.table[-1:]])
        return replace(self, table=table, payload=payload)


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


Layout = tuple[tuple[Part, ArrayType], ...]  # the arrays of payload, each with its part


def payload_of(constructors: Constructors, name: str, declarations: Declarations) -> Layout:
    """What the payload of a constructor's nodes is laid out as."""
    return tuple(
        (part, array)
        for part in constructors.parts(name)
        if part.type != constructors.type
        for array in declarations.layout(part.type)
    )


@dataclass(frozen=True, eq=False)
class Payload:
    """What the nodes of a constructor in one tree hold beside children: the length of each
    sequence, and a column for each array of the layout: an entry for each node, or for
    each element of the sequence that it is in, of all nodes."""

    layout: Layout
    lengths: Indices  # [nodes, sequences]
    columns: tuple[Array, ...]

    def with_lengths_of(self, other: Payload) -> Payload:
        """As `Flat.with_lengths_of`."""
        if numpy.array_equal(self.lengths, other.lengths):
            return self
        columns = []
        for (part, array), own, theirs in zip(
            self.layout, self.columns, other.columns, strict=True
        ):
            k = part.sequence
            if k is not None and not numpy.array_equal(self.lengths[:, k], other.lengths[:, k]):
                if array.differentiable or self.lengths[:, k].any():
                    raise ValueError("sequences of different lengths")
                own = theirs
            columns.append(own)
        return replace(other, columns=tuple(columns))


class _Taker:
    """Takes the nodes of one constructor apart: their children, and what is beside them."""

    def __init__(self, constructors: Constructors, name: str, number: int) -> None:
        self.constructors, self.name, self.number = constructors, name, number
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
        self.fields = constructors.fields[name]
        # Where every field is one part, the values of each that is no child: most trees are
        # like that, and are taken apart in a quarter of the time.
        self.direct: list[list[Any] | None] | None = None
        if all(map(constructors.whole, self.fields)):
            own = iter(self.alone)
            self.direct = [None if f == constructors.type else next(own) for f in self.fields]

    def take(self, fields: Sequence[Any]) -> list[tuple[DataValue, int, int]]:
        """The children, each with `offset` and `per` (see Flat); the rest is kept."""
        children: list[tuple[DataValue, int, int]] = []
        lengths: list[int] = []
        if self.direct is not None:
            for values, value in zip(self.direct, fields, strict=True):
                if values is None:
                    children.append((value, len(children), 0))
                else:
                    values.append(value)
            self.lengths.append(lengths)
            return children
        parts, slots = iter(self.alone), itertools.count()
        for type, value in zip(self.fields, fields, strict=True):
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
        """What all nodes taken hold beside children. Raises ValueError for sequences that
        differ in length from others of their elements."""
        lengths = numpy.array(self.lengths, numpy.int32).reshape(len(self.lengths), len(self.full))
        alone, inside = iter(self.alone), [iter(values) for values in self.inside]
        columns: list[Array] = []
        for part in self.parts:
            values = next(alone if part.sequence is None else inside[part.sequence])
            if not values or part.sequence is None or self.full[part.sequence]:
                columns += _columns(values, part.type, declarations)
                continue
            runs = [  # each value is all elements of a sequence
                _columns([value], t.Array(part.type, constant(int(n))), declarations)
                for value, n in zip(values, lengths[:, part.sequence], strict=True)
            ]
            columns += [concatenated([a[0] for a in own]) for own in zip(*runs, strict=True)]
        return Payload(
            payload_of(self.constructors, self.name, declarations), lengths, tuple(columns)
        )


def _count(value: Any, element: t.Type) -> int:
    """How many elements a sequence has; of products, it may be a tuple of arrays."""
    if isinstance(element, t.Product) and isinstance(value, tuple) and value:
        return max(map(_count, value, element.items))
    return len(value)


def _columns(values: Sequence[Any], type: t.Type, declarations: Declarations) -> list[Array]:
    """The arrays of a type, each with an axis for these values of it in front."""
    layout = declarations.layout(type)
    if not values:
        return [numpy.zeros((0, *array.shape)) for array in layout]
    if _plain(type):
        (array,) = layout
        return [_stack([_moving(value, array) for value in values], array.shape)]
    rows = [list(laid_out(value, type, declarations)) for value in values]
    return [_stack([row[k] for row in rows], array.shape) for k, array in enumerate(layout)]


def _plain(type: t.Type) -> bool:
    """Whether its values are arrays of numbers."""
    while isinstance(type, t.Array):
        type = type.element
    return isinstance(type, t.Scalar | t.Fin)


def _moving(value: Any, array: ArrayType) -> Array:
    """An array of numbers; of the tangent of what cannot move, (), zeros."""
    if isinstance(value, tuple) and not value:
        return numpy.zeros(array.shape)
    return as_array(value)


def _stack(arrays: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """Arrays of one shape on top of each other. Raises ValueError for any other."""
    if all(map(is_concrete, arrays)):
        made = numpy.array(list(map(numpy.asarray, arrays)))
    else:
        import jax.numpy

        made = jax.numpy.stack(list(map(jax.numpy.asarray, arrays)))
    if made.shape != (len(arrays), *shape):
        raise ValueError(f"{made.shape[1:]} where {shape} is expected")
    return made


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
    """One array after the other, of NumPy where they are."""
    if all(isinstance(array, numpy.ndarray) for array in arrays):
        return numpy.concatenate(arrays)
    import jax.numpy

    return jax.numpy.concatenate(arrays)


def rows_at(index: Indices, columns: Sequence[Array]) -> Array:
    """The rows at these places of all columns, one after the other.

    >>> rows_at(numpy.array([0, 1, 2, 0]), [numpy.array([5, 6]), numpy.array([7])]).tolist()
    [5, 6, 7, 5]
    """
    total = sum(map(len, columns))
    arrays = all(isinstance(column, numpy.ndarray) for column in columns)
    if not arrays or not numpy.array_equal(index[:total], numpy.arange(total)):
        return concatenated(columns).take(index, 0)
    # In order already: what takes time here is memory that is touched for the first time.
    dtype = numpy.result_type(*{column.dtype for column in columns})
    rows = numpy.empty((len(index), *columns[0].shape[1:]), dtype)
    numpy.concatenate(columns, out=rows[:total])
    rows[total:] = rows[index[total:]]
    return rows
