"""Sequences of run-time length: masks, room, and what goes together.

A `Sequence` (graph/values.py) is an array with padding. Three things keep the padding
from being seen:

    masked    padding is replaced by a number where elements are added up
    filled    padding is replaced by the first element where a function is applied to
              every element, so that nothing is computed that is not computed anyway:
              no NaN, no infinity that would come back in a gradient
    hold      what replaces padding is held constant, so it costs a derivative nothing

The room of a value is its shape as far as lengths are concerned. Where two values meet
(the branches of an `if`, a state before and after a step) they get the larger room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Listed
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ..language import types as t
from .graph import ArrayType, Builder, Wire
from .values import (
    Extent,
    NotFirstOrder,
    Sequence,
    Standin,
    Value,
    Variant,
    holds_sequence,
    leaves,
    map_leaves,
)

# --- where elements are -----------------------------------------------------------------


def present(builder: Builder, extent: Extent | Sequence) -> Wire:
    """True where there is an element and not padding."""
    shape = (*extent.length.type.shape, extent.capacity)
    place = builder.emit("iota", size=extent.capacity)
    place = builder.emit("broadcast", place, shape=shape, axes=(len(shape) - 1,))
    length = builder.emit(
        "broadcast", extent.length, shape=shape, axes=tuple(range(len(shape) - 1))
    )
    return builder.emit("compare", place, length, how="lt")


def where(builder: Builder, condition: Wire, taken: Wire, other: Wire) -> Wire:
    """`taken` where the condition, over the leading axes of both, holds.

    Padding holds real elements, so nothing made for it is wrong to be differentiated: no
    `guard` is needed for what is made only for one side (linear/taken.py).
    """
    axes = tuple(range(condition.type.rank))
    spread = builder.emit("broadcast", condition, shape=taken.type.shape, axes=axes)
    return builder.emit("select", spread, taken, other, guard=False)


def masked(builder: Builder, sequence: Sequence, number: float) -> Value:
    """The elements with a number in place of the padding."""
    mask = present(builder, sequence)

    def one(wire: Wire) -> Wire:
        constant = builder.constant(number, wire.type.kind)
        other = builder.emit("broadcast", constant, shape=wire.type.shape, axes=())
        return where(builder, mask, wire, other)

    return map_leaves(one, sequence.elements)


def filled(builder: Builder, sequence: Sequence, *, last: bool = False) -> Sequence:
    """The sequence with its first element (or last one) in place of the padding."""
    if (sequence.filled and not last) or sequence.capacity == 0:
        return sequence
    mask, axis = present(builder, sequence), sequence.axis
    final = None
    if last:
        one = builder.zeros(sequence.length.type)
        one = builder.emit("broadcast", builder.constant(1, "Int"), shape=one.type.shape, axes=())
        final = builder.emit("subtract", sequence.length, one)

    def fill(wire: Wire) -> Wire:
        if final is None:
            element = builder.emit("slice", wire, axis=axis, start=0, stop=1, stride=1)
            shape = (*wire.type.shape[:axis], *wire.type.shape[axis + 1 :])
            element = builder.emit("reshape", element, shape=shape)
        else:
            element = builder.emit("gather", wire, final, axis=axis, together=axis)
        axes = tuple(k for k in range(wire.type.rank) if k != axis)
        element = builder.emit("hold", element, padding=True)
        other = builder.emit("broadcast", element, shape=wire.type.shape, axes=axes)
        return where(builder, mask, wire, other)

    elements = map_all(fill, sequence.elements)
    return Sequence(elements, sequence.length, not last)


def settled(builder: Builder, value: Value) -> Value:
    """The same value with its padding held constant: no derivative looks at the padding,
    and none gives it anything."""
    if isinstance(value, tuple):
        return tuple(settled(builder, item) for item in value)
    if not isinstance(value, Sequence):
        return value
    mask = present(builder, value)

    def one(wire: Wire) -> Wire:
        if not wire.type.differentiable:
            return wire
        return where(builder, mask, wire, builder.emit("hold", wire, padding=True))

    elements = settled(builder, map_leaves(one, value.elements))
    return Sequence(elements, value.length, value.filled)


def filled_throughout(builder: Builder, value: Value) -> Value:
    """A value with all of its sequences filled, those in sequences too."""
    if isinstance(value, tuple):
        return tuple(filled_throughout(builder, item) for item in value)
    if isinstance(value, Sequence):
        inside = filled_throughout(builder, value.elements)
        return filled(builder, Sequence(inside, value.length, value.filled))
    return value


def map_all(function: Callable[..., Wire], *values: Value) -> Value:
    """`function` on corresponding wires of values of one layout, tags and lengths among
    them."""
    first = values[0]
    if isinstance(first, tuple):
        return tuple(map_all(function, *items) for items in zip(*values, strict=True))
    if isinstance(first, Sequence):
        length = function(*(value.length for value in values))
        inside = map_all(function, *(value.elements for value in values))
        return Sequence(inside, length, all(value.filled for value in values))
    if isinstance(first, Standin):
        return first.refilled(map_all(function, *(value.values for value in values)))
    if isinstance(first, Variant) and first.tag is not None:
        tag = function(*(value.tag for value in values))
        fields = {
            name: map_all(function, *(value.fields[name] for value in values))
            for name in first.fields
        }
        return Variant(first.type, None, fields, tag)
    if not isinstance(first, Wire):
        raise NotFirstOrder(getattr(first, "type", t.UNIT))
    return function(*values)


# --- the leading axis --------------------------------------------------------------------


def leading(value: Value) -> list[Sequence]:
    """The Sequences whose padded axis is the leading one, in a value made of arrays that
    all have that axis: those of an array of products are several."""
    if isinstance(value, tuple):
        return [found for item in value for found in leading(item)]
    return [value] if isinstance(value, Sequence) and value.axis == 0 else []


def elements(value: Value) -> Value:
    """A value made of sequences, as arrays over their capacity."""
    if isinstance(value, tuple):
        return tuple(map(elements, value))
    return value.elements if isinstance(value, Sequence) and value.axis == 0 else value


def over(value: Value, length: Wire, *, filled: bool = False) -> Value:
    """Arrays over a capacity as a sequence of so many elements."""
    if isinstance(value, tuple):
        return tuple(over(item, length, filled=filled) for item in value)
    return Sequence(value, length, filled)


def map_leading(function: Callable[[Value], Value], value: Value) -> Value:
    """`function` on each Sequence of an array of products."""
    if isinstance(value, tuple):
        return tuple(map_leading(function, item) for item in value)
    return function(value)


def resized(builder: Builder, value: Value, axis: int, capacity: int) -> Value:
    """Room for so many elements along an axis: padding is added or taken away."""

    def one(wire: Wire) -> Wire:
        more = capacity - wire.type.shape[axis]
        return builder.emit("pad", wire, axis=axis, low=0, high=more, interior=0)

    return map_all(one, value)


# --- room ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Room:
    """Room for so many elements along an axis, with the room of each inside."""

    axis: int
    capacity: int
    inside: Shape


@dataclass(frozen=True)
class Fields:
    """The room of the fields of each constructor, and zeros for where it is not the one."""

    rooms: Mapping[str, Shape]
    zeros: Mapping[str, Callable[[Builder], Value]] = field(compare=False)


Shape: TypeAlias = "Room | Fields | tuple[Shape, ...] | None"  # None: nothing is padded


def joined(one: Value, other: Value, settled: int = 0) -> Shape:
    """The room that both of two values of one type fit into; that of the first `settled`
    axes is known already."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return tuple(joined(x, y, settled) for x, y in zip(one, other, strict=True))
    if isinstance(one, Variant) and isinstance(other, Variant):
        return _joined_fields(one, other, settled)
    if isinstance(one, Sequence) and isinstance(other, Sequence):
        axis, capacity = one.axis, max(one.capacity, other.capacity)
        return Room(axis, capacity, joined(one.elements, other.elements, axis + 1))
    if isinstance(other, Sequence):
        one, other = other, one
    if isinstance(one, Sequence) and one.elements == ():
        return Room(one.axis, 0, None)
    if isinstance(one, Sequence):
        axis = one.axis
        fixed = leaves(other)[0].type.shape[axis]
        return Room(axis, max(one.capacity, fixed), joined(one.elements, other, axis + 1))
    if isinstance(one, Wire) and isinstance(other, Wire):
        shapes = one.type.shape[settled:], other.type.shape[settled:]
        if shapes[0] != shapes[1] and len(shapes[0]) == len(shapes[1]):
            place = next(k for k, (n, m) in enumerate(zip(*shapes, strict=True)) if n != m)
            axis, capacity = settled + place, max(shapes[0][place], shapes[1][place])
            return Room(axis, capacity, joined(one, other, axis + 1))
    return None


def _joined_fields(one: Variant, other: Variant, settled: int) -> Shape:
    names = [*one.fields, *(name for name in other.fields if name not in one.fields)]
    rooms: dict[str, Shape] = {}
    zeros: dict[str, Callable[[Builder], Value]] = {}
    for name in names:
        mine, theirs = one.fields.get(name), other.fields.get(name)
        like = theirs if mine is None else mine
        rooms[name] = joined(like, like if mine is None or theirs is None else theirs, settled)
        zeros[name] = lambda builder, like=like: _zeros(builder, like)  # type: ignore[misc]
    # A constructor that one of them does not have may hold sequences, which the type does
    # not tell the length of.
    missing = one.fields.keys() != other.fields.keys()
    return Fields(rooms, zeros) if missing or any(map(_roomy, rooms.values())) else None


def _zeros(builder: Builder, like: Value) -> Value:
    """A value of that layout, which nobody looks at."""
    if isinstance(like, tuple):
        return tuple(_zeros(builder, item) for item in like)
    if isinstance(like, Sequence):
        return Sequence(_zeros(builder, like.elements), builder.zeros(like.length.type))
    if isinstance(like, Variant):
        tag = None if like.tag is None else builder.zeros(like.tag.type)
        fields = {name: _zeros(builder, part) for name, part in like.fields.items()}
        return replace(like, fields=fields, tag=tag)
    return builder.zeros(like.type)


def _roomy(room: Shape) -> bool:
    return any(map(_roomy, room)) if isinstance(room, tuple) else room is not None


def fitted(builder: Builder, value: Value, room: Shape) -> Value:
    """The value with that room."""
    if isinstance(room, tuple):
        return tuple(fitted(builder, x, r) for x, r in zip(value, room, strict=True))
    if room is None:
        return value
    if isinstance(room, Fields):
        fields = {
            name: fitted(
                builder,
                value.fields[name] if name in value.fields else room.zeros[name](builder),
                inside,
            )
            for name, inside in room.rooms.items()
        }
        return replace(value, fields=fields)
    if value == ():  # a sequence of nothing but how many: none
        value = Sequence((), builder.zeros(ArrayType("Int")))
    if isinstance(value, Wire):
        lead = value.type.shape[: room.axis]
        count = builder.constant(value.type.shape[room.axis], "Int")
        length = builder.emit("broadcast", count, shape=lead, axes=())
        value = Sequence(value, length)
    inside = value.elements
    if value.capacity != room.capacity:
        inside = resized(builder, inside, room.axis, room.capacity)
    return Sequence(fitted(builder, inside, room.inside), value.length)


def unfilled(value: Value) -> Value:
    """The value with nothing known of its padding: a state may be anything later."""
    if isinstance(value, tuple):
        return tuple(map(unfilled, value))
    if isinstance(value, Sequence):
        return Sequence(unfilled(value.elements), value.length)
    if isinstance(value, Variant) and holds_sequence(value):
        return replace(value, fields={k: unfilled(part) for k, part in value.fields.items()})
    return value


def longest(builder: Builder, wires: Listed[Wire]) -> Wire:
    """The largest of some Ints."""
    total = wires[0]
    for wire in wires[1:]:
        total = builder.emit("max", total, wire)
    return total
