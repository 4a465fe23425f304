"""Values while tracing: what a typed expression is made of before it is a graph.

    R, C, Bool, Int, Fin, and arrays of them      a Wire
    a product; an array of products                a tuple (one array per item: R[n] and
                                                   Bool[n] for (R, Bool)[n])
    a sequence of run-time length                  a Sequence: room for so many elements,
                                                   and how many there are
    a representation                               its carrier's value
    a `data` value                                 a Variant
    a sequence of trees                            Items, each of a shape of its own
    one of two trees, by a condition               Chosen, of a shape of its own each
    a function                                     a Python callable of one value
    a linear map                                   a LinearValue, which is callable too

Every first-order value is a list of wires laid out by its type, which is how it
crosses the border of a sub-graph: `flatten` and `rebuild`. What of it is a Sequence the
value says, not the type: one constructor serves both lengths.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Listed
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from ..language import types as t
from ..language.sizes import Size, constant
from ..language.typed import DataDeclaration, RepDeclaration
from .graph import ArrayType, Builder, Wire

Value: TypeAlias = Any  # Wire | tuple | Sequence | Variant | Callable[[Value], Value]

_KIND = {"R": "R", "C": "C", "Bool": "Bool", "Int": "Int"}


@dataclass(frozen=True)
class Variant:
    """A value of a `data` type.

    Known while tracing, it is a constructor and its fields. Else `constructor` is
    None, `tag` says which one it is at run time (its place in the declaration), and
    `fields` has room for the fields of every constructor.
    """

    type: t.Named
    constructor: str | None
    fields: Mapping[str, tuple[Value, ...]]
    tag: Wire | None = None


@dataclass(frozen=True)
class Items:
    """A sequence of values known one by one: trees, each of a shape of its own."""

    type: t.Type  # of an element
    items: tuple[Value, ...]


@dataclass(frozen=True)
class Extent:
    """How many elements there are: `length`, known at run time, of at most `capacity`."""

    capacity: int
    length: Wire


@dataclass(frozen=True)
class Sequence:
    """A sequence whose length is known only at run time.

    `elements` is a wire, or a Sequence, or a Variant, over one more axis of a fixed
    capacity; what stands from `length` on is padding and means nothing. Inside other
    arrays, elements and `length` have the same axes in front, so a sequence of sequences
    is Sequence(Sequence(R[8,4], Int[8]), Int). A sequence of products is a tuple of
    Sequences, as an array of products is a tuple of arrays.

    `filled` says that the padding repeats the first element (where there is one), so
    that a function of a padding element does nothing it does not do anyway.
    """

    elements: Value
    length: Wire
    filled: bool = False

    @property
    def axis(self) -> int:
        """Which axis of its wires is the one that is padded."""
        return self.length.type.rank

    @property
    def capacity(self) -> int:
        wires = leaves(self.elements)  # none where the elements are ()
        return int(wires[0].type.shape[self.axis]) if wires else 0

    @property
    def extent(self) -> Extent:
        return Extent(self.capacity, self.length)


class Held(ABC):
    """A value that is made of wires, though no type says of which: a forest."""

    @property
    @abstractmethod
    def wires(self) -> list[Wire]:
        """What it is made of, for a derivative."""

    @abstractmethod
    def refilled(self, change: Callable[[Wire], Wire]) -> Held:
        """The same with other wires, asked for in that order."""

    @abstractmethod
    def like(self, other: Held) -> bool:
        """Whether two are of one shape."""


@dataclass(frozen=True, eq=False)
class Chosen(Held):
    """One of two values with trees, each of a shape of its own: the condition says which, at run
    time (graph/chosen.py)."""

    type: t.Type
    condition: Wire
    then: Value
    otherwise: Value

    @property
    def wires(self) -> list[Wire]:
        return spread((self.then, self.otherwise))

    def refilled(self, change: Callable[[Wire], Wire]) -> Chosen:
        then, otherwise = refilled((self.then, self.otherwise), change)
        return replace(self, then=then, otherwise=otherwise)

    def like(self, other: Held) -> bool:
        return (
            isinstance(other, Chosen)
            and self.condition is other.condition
            and same_shape((self.then, self.otherwise), (other.then, other.otherwise))
        )


@dataclass(frozen=True, eq=False)
class Standin:
    """In place of a tree: of it only some values made of numbers are known, `parts` with
    their types. It goes through sequences and maps as they do."""

    type: t.Named
    parts: tuple[tuple[t.Type, Value], ...]

    def refilled(self, values: Listed[Value]) -> Standin:
        """The same with other values."""
        types = [type for type, _ in self.parts]
        return replace(self, parts=tuple(zip(types, values, strict=True)))

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(value for _, value in self.parts)


@dataclass(frozen=True)
class Declarations:
    """The representations and data types of a program, and how many wires a type needs."""

    reps: Mapping[str, RepDeclaration]
    data: Mapping[str, DataDeclaration]
    weights: Callable[[str], tuple[tuple[tuple[str, ...], t.Type], ...]]  # of `Weights f`

    def constructors(self, type: t.Named) -> dict[str, tuple[t.Type, ...]]:
        """The constructors of a data type with their field types, in order."""
        declaration = self.data[type.name]
        place = dict(zip(declaration.parameters, type.arguments, strict=True))
        return {
            name: tuple(t.substitute(field, place, {}) for field in fields)
            for name, fields in declaration.constructors
        }

    def has_data(self, type: t.Type) -> bool:
        """Whether a value of `type` holds values of data types, recursive or not."""
        match type:
            case t.Array(element=element):
                return self.has_data(element)
            case t.Product(items=items):
                return any(map(self.has_data, items))
            case t.Named(name=name) if name in self.reps:
                return self.has_data(self.reps[name].carrier)
            case _:
                return isinstance(type, t.Named) and type.name in self.data

    def has_trees(self, type: t.Type) -> bool:
        """Whether a value of `type` holds values of a recursive data type."""
        match type:
            case t.Array(element=element):
                return self.has_trees(element)
            case t.Product(items=items):
                return any(map(self.has_trees, items))
            case t.Named(name=name) if name in self.data:
                return self.data[name].recursive or any(
                    self.has_trees(item)
                    for fields in self.constructors(type).values()
                    for item in fields
                )
            case _:
                return False

    def one_by_one(self, type: t.Type) -> bool:
        """Whether values of `type` that are handed in have shapes of their own each: trees,
        and data with sequences."""
        return self.has_trees(type) or (self.has_data(type) and self.is_open(type))

    def is_open(self, type: t.Type) -> bool:
        """Whether a value says more of its layout than its type: a length in it, that of a
        sequence in a field of data among them, is known only at run time."""
        match type:
            case t.Array(element=element, length=length):
                return length.value is None or self.is_open(element)
            case t.Product(items=items):
                return any(map(self.is_open, items))
            case t.Named(name=name) if name in self.reps:
                return self.is_open(self.reps[name].carrier)
            case t.Named(name=name) if name in self.data and not self.data[name].recursive:
                fields = self.constructors(type).values()
                return any(self.is_open(item) for items in fields for item in items)
            case _:
                return False

    def layout(self, type: t.Type, axes: tuple[int, ...] = ()) -> list[ArrayType]:
        """The wires a value of `type` has, each with `axes` in front.

        >>> from nnfp_kernel.language.sizes import constant
        >>> pair = t.Product((t.R, t.Array(t.R, constant(3))))
        >>> [str(array) for array in Declarations({}, {}, lambda f: ()).layout(pair)]
        ['R', 'R[3]']
        """
        match type:
            case t.Scalar(name=name):
                return [ArrayType(_KIND[name], axes)]
            case t.Fin():
                return [ArrayType("Int", axes)]
            case t.Array(element=element, length=length):
                return self.layout(element, (*axes, known(length)))
            case t.Product(items=items):
                return [array for item in items for array in self.layout(item, axes)]
            case t.Weights(name=name):
                spaces = [item for _, item in self.weights(name)]
                return [array for item in spaces for array in self.layout(item, axes)]
            case t.Named(name=name) if name in self.reps:
                return self.layout(self.reps[name].carrier, axes)
            case t.Named(name=name) if name in self.data and not self.data[name].recursive:
                fields = [
                    array
                    for constructor in self.constructors(type).values()
                    for field in constructor
                    for array in self.layout(field, axes)
                ]
                return [ArrayType("Int", axes), *fields]
            case _:
                raise NotFirstOrder(type)

    def flatten(self, builder: Builder, value: Value, type: t.Type) -> list[Wire]:
        """The wires of a value, in the order of `layout`."""
        return list(self._flatten(builder, value, type))

    def _flatten(self, builder: Builder, value: Value, type: t.Type) -> Iterator[Wire]:
        if isinstance(value, Sequence):
            yield value.length
            yield from self._flatten(builder, value.elements, type)
            return
        if isinstance(value, Standin):
            for own, part in value.parts:
                yield from self._flatten(builder, part, own)
            return
        match type:
            case t.Scalar() | t.Fin():
                yield value
            case t.Array(element=element):
                if isinstance(value, Items):
                    raise NotFirstOrder(value.type)
                # Struct of arrays: an array of t is laid out as t is, over one more axis.
                yield from self._flatten(builder, value, element)
            case t.Product(items=items):
                for item, item_type in zip(value, items, strict=True):
                    yield from self._flatten(builder, item, item_type)
            case t.Weights(name=name):
                for item, (_, item_type) in zip(value, self.weights(name), strict=True):
                    yield from self._flatten(builder, item, item_type)
            case t.Named(name=name) if name in self.reps:
                yield from self._flatten(builder, value, self.reps[name].carrier)
            case t.Named(name=name) if name in self.data and not self.data[name].recursive:
                if not isinstance(value, Variant):  # of which nothing is known
                    raise NotFirstOrder(type)
                constructors = self.constructors(type)
                if value.tag is not None:
                    yield value.tag
                else:
                    yield builder.constant(list(constructors).index(str(value.constructor)), "Int")
                for constructor, field_types in constructors.items():
                    fields = value.fields.get(constructor)
                    for position, field_type in enumerate(field_types):
                        if fields is None:
                            for array in self.layout(emptied(field_type)):
                                yield builder.zeros(array)
                        else:
                            yield from self._flatten(builder, fields[position], field_type)
            case _:
                raise NotFirstOrder(type)

    def rebuild(self, type: t.Type, wires: Listed[Wire], like: Value = None) -> Value:
        """The value of `type` that these wires, in the order of `layout`, make up: with
        Sequences where `like`, a value laid out the same way, has them."""
        supply = iter(wires)
        value = self._rebuild(type, supply, like)
        if next(supply, None) is not None:
            raise ValueError(f"too many wires for {t.show(type)}")
        return value

    def _rebuild(self, type: t.Type, supply: Iterator[Wire], like: Value) -> Value:
        if isinstance(like, Sequence):
            length = next(supply)
            return Sequence(self._rebuild(type, supply, like.elements), length, like.filled)
        if isinstance(like, Standin):
            return like.refilled([self._rebuild(own, supply, part) for own, part in like.parts])
        match type:
            case t.Scalar() | t.Fin():
                return next(supply)
            case t.Array(element=element):
                return self._rebuild(element, supply, like)
            case t.Product(items=items):
                parts = like if isinstance(like, tuple) else (None,) * len(items)
                return tuple(
                    self._rebuild(item, supply, part)
                    for item, part in zip(items, parts, strict=True)
                )
            case t.Weights(name=name):
                return tuple(self._rebuild(item, supply, None) for _, item in self.weights(name))
            case t.Named(name=name) if name in self.reps:
                return self._rebuild(self.reps[name].carrier, supply, like)
            case t.Named(name=name) if name in self.data:
                tag = next(supply)
                known = like.fields if isinstance(like, Variant) else {}
                fields = {
                    constructor: tuple(
                        self._rebuild(field, supply, part)
                        for field, part in zip(
                            field_types,
                            known.get(constructor, (None,) * len(field_types)),
                            strict=True,
                        )
                    )
                    for constructor, field_types in self.constructors(type).items()
                }
                return Variant(type, None, fields, tag)
            case _:
                raise NotFirstOrder(type)

    def tangent(self, type: t.Type) -> t.Type:
        """The type of a tangent: itself for a vector space, () in place of discrete parts."""
        match type:
            case t.Scalar(name="R" | "C") | t.Weights():
                return type
            case t.Scalar() | t.Fin():
                return t.UNIT
            case t.Array(element=element, length=length):
                inner = self.tangent(element)
                return t.UNIT if inner == t.UNIT else t.Array(inner, length)
            case t.Product(items=items):
                return t.Product(tuple(self.tangent(item) for item in items))
            case t.Named(name=name) if name in self.reps:
                return type
            case _:
                raise NotFirstOrder(type)


def emptied(type: t.Type) -> t.Type:
    """The type of a field of a constructor that is not there: its sequences are of nothing."""
    _, sizes = t.free_variables(type)
    return t.substitute(type, {}, dict.fromkeys(sizes, constant(0))) if sizes else type


class NotFirstOrder(Exception):
    """A function, a distribution or a recursive data value where arrays are needed."""

    def __init__(self, type: t.Type) -> None:
        super().__init__(t.show(type))
        self.type = type

    @property
    def kind(self) -> str:
        """What it is, for people."""
        match self.type:
            case t.Function() | t.Linear():
                return "a function"
            case t.Named(name="Distribution"):
                return "a distribution"
            case t.Named():
                return "a tree"
            case _:
                return f"a value of type {t.show(self.type)}"


class OpenSize(Exception):
    """A size that nothing settles, where a number is needed."""

    def __init__(self, size: Size) -> None:
        super().__init__(f"the size {size} is not known")
        self.size = size


def known(size: Size) -> int:
    """The number a size is, once it is concrete. Raises OpenSize."""
    value = size.value
    if value is None:
        raise OpenSize(size)
    return value


def leaves(value: Value) -> list[Wire]:
    """The arrays a value is made of, in order; of a Sequence, those of its elements.
    Raises NotFirstOrder for trees."""
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in leaves(item)]
    if isinstance(value, Sequence):
        return leaves(value.elements)
    if isinstance(value, Standin):
        return leaves(value.values)
    if isinstance(value, Items | Chosen):
        raise NotFirstOrder(value.type)
    if isinstance(value, Variant):
        if value.tag is None:
            raise NotFirstOrder(value.type)
        return [value.tag, *leaves(tuple(value.fields.values()))]
    return [value]


def within(value: Value) -> Iterator[Value]:
    """What a value is made of: products, sequences known item by item and nodes of a known
    constructor gone into.

    >>> wire = Wire(ArrayType("R", ()))
    >>> list(within((wire, Items(t.R, (wire, ()))))) == [wire, wire]
    True
    """
    match value:
        case tuple():
            for part in value:
                yield from within(part)
        case Items(items=items):
            yield from within(items)
        case Variant(constructor=str(name), fields=fields):
            yield from within(fields[name])
        case _:
            yield value


def spread(value: Value) -> list[Wire]:
    """The wires of a value of any shape that is known node by node, trees among it, without
    those that are lengths or say which constructor it has."""
    match value:
        case tuple():
            return [wire for part in value for wire in spread(part)]
        case Sequence(elements=elements):
            return spread(elements)
        case Items(items=items):
            return spread(items)
        case Variant(constructor=str(name), fields=fields):
            return spread(fields[name])
        case Variant(fields=fields):
            return spread(tuple(fields.values()))
        case Wire():
            return [value]
        case Held():
            return value.wires
        case _:
            raise NotFirstOrder(getattr(value, "type", t.UNIT))


def refilled(value: Value, change: Callable[[Wire], Wire]) -> Value:
    """A value of the same shape with other wires, asked for in the order of `spread`."""
    match value:
        case tuple():
            return tuple(refilled(part, change) for part in value)
        case Sequence(elements=elements, length=length, filled=filled):
            return Sequence(refilled(elements, change), length, filled)
        case Items(type=type, items=items):
            return Items(type, refilled(items, change))
        case Variant(type=type, constructor=str(name), fields=fields):
            return Variant(type, name, {name: refilled(fields[name], change)})
        case Variant(type=type, fields=fields, tag=tag):
            made = {name: refilled(parts, change) for name, parts in fields.items()}
            return Variant(type, None, made, tag)
        case Wire():
            return change(value)
        case Held():
            return value.refilled(change)
        case _:
            raise NotFirstOrder(getattr(value, "type", t.UNIT))


def same_shape(one: Value, other: Value) -> bool:
    """Whether two values known node by node have the same nodes and arrays."""
    match one, other:
        case (tuple(), tuple()):
            return len(one) == len(other) and all(map(same_shape, one, other))
        case Sequence(elements=left), Sequence(elements=right):
            return same_shape(left, right)
        case Items(items=left), Items(items=right):
            return same_shape(left, right)
        case Variant(constructor=str(left)), Variant(constructor=str(right)):
            return left == right and same_shape(one.fields[left], other.fields[right])
        case Variant(constructor=None), Variant(constructor=None):
            return same_shape(tuple(one.fields.values()), tuple(other.fields.values()))
        case Wire(), Wire():
            return one.type == other.type
        case Held(), Held():
            return one.like(other)
        case _:
            return False


def item_count(value: Value) -> int | None:
    """How many items there are where a sequence is known one by one; None elsewhere."""
    if isinstance(value, tuple):
        counts = [count for part in value if (count := item_count(part)) is not None]
        return min(counts) if counts else None
    return len(value.items) if isinstance(value, Items) else None


def item_at(builder: Builder, value: Value, k: int) -> Value:
    """The k-th element of a sequence, or of each of those that go together."""
    if isinstance(value, tuple):
        return tuple(item_at(builder, part, k) for part in value)
    if isinstance(value, Items):
        return value.items[k]

    def row(wire: Wire) -> Wire:
        one = builder.emit("slice", wire, axis=0, start=k, stop=k + 1, stride=1)
        return builder.emit("reshape", one, shape=wire.type.shape[1:])

    return map_leaves(row, value)


def map_leaves(function: Callable[..., Wire], *values: Value) -> Value:
    """`function` on corresponding arrays of values of one shape; lengths stay."""
    first = values[0]
    if isinstance(first, tuple):
        return tuple(map_leaves(function, *items) for items in zip(*values, strict=True))
    if isinstance(first, Sequence):
        elements = map_leaves(function, *(value.elements for value in values))
        return Sequence(elements, first.length, all(value.filled for value in values))
    if isinstance(first, Standin):
        return first.refilled(map_leaves(function, *(value.values for value in values)))
    if isinstance(first, Items | Chosen) or (isinstance(first, Variant) and first.tag is None):
        raise NotFirstOrder(first.type)
    if isinstance(first, Variant):  # an array of data, laid out as arrays
        fields = {
            name: map_leaves(function, *(value.fields[name] for value in values))
            for name in first.fields
        }
        tag = function(*(value.tag for value in values))
        return Variant(first.type, None, fields, tag)
    return function(*values)


def lengths(value: Value) -> list[Wire]:
    """The wires of a value that say how long its sequences are."""
    if isinstance(value, tuple):
        return [length for item in value for length in lengths(item)]
    if isinstance(value, Sequence):
        return [value.length, *lengths(value.elements)]
    if isinstance(value, Variant) and value.tag is not None:
        return lengths(tuple(value.fields.values()))
    return []


def measured(value: Value, change: Callable[[Wire], Wire]) -> Value:
    """A value with other wires for the lengths, asked for in the order of `lengths`."""
    match value:
        case tuple():
            return tuple(measured(item, change) for item in value)
        case Sequence(elements=elements, length=length, filled=filled):
            length = change(length)
            return Sequence(measured(elements, change), length, filled)
        case Variant(tag=Wire(), fields=fields):
            made = {name: measured(parts, change) for name, parts in fields.items()}
            return replace(value, fields=made)
        case _:
            return value


def holds_sequence(value: Value) -> bool:
    """Whether some length in a value is known only at run time.

    >>> holds_sequence((Wire(ArrayType("R", (3,))), ()))
    False
    """
    if isinstance(value, tuple):
        return any(map(holds_sequence, value))
    if isinstance(value, Variant):  # not a tree, which may be deep
        return value.tag is not None and any(map(holds_sequence, value.fields.values()))
    return isinstance(value, Sequence | Extent)
