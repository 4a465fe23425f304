"""Arguments as values on a graph's input wires, as its trace takes them.

R[3]                     a wire
(R[3], Int)              a wire each
Node (Leaf 1) (Leaf 2)   a wire for each number in it: its structure says which nodes there are
a packed tree            a forest, on the wires of its payload and of what leads to it
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from ...graph.chosen import moved
from ...graph.forest import (
    AnyTree,
    Columns,
    Forest,
    ForestShape,
    Observation,
    Own,
    Unknown,
    planted,
)
from ...graph.graph import ArrayType, Builder, Wire
from ...graph.scope import Keys
from ...graph.sequences import over
from ...graph.values import Declarations, Extent, Items, Value, Variant
from ...language import types as t
from ...language.sizes import SizeVariable
from .structures import Structure


def placed(
    type: t.Type,
    structure: Structure,
    declarations: Declarations,
    make: Callable[..., Wire],
    observed: list[Observation],
) -> Value:
    """A value of `type` on new input wires; `structure` says which constructors it has."""
    match type:
        case _ if isinstance(structure, t.Array):  # the type, with lengths
            return placed(structure, None, declarations, make, observed)
        case t.Product(items=items):
            parts = structure or (None,) * len(items)
            return tuple(
                placed(item, part, declarations, make, observed)
                for item, part in zip(items, parts, strict=True)
            )
        case _ if isinstance(structure, AnyTree | Columns):
            return planted(type, structure, declarations, make, make, observed, None)
        case t.Named() if isinstance(structure, ForestShape):
            new = partial(make, shared=structure.shared)
            return Forest.make(type, structure, declarations, new)
        case t.Array(element=element) if structure is not None:
            return Items(
                element,
                tuple(placed(element, part, declarations, make, observed) for part in structure),
            )
        case t.Named(name=name) if name in declarations.data and structure is not None:
            constructor, parts = structure
            fields = declarations.constructors(type)[constructor]
            values = tuple(
                placed(field, part, declarations, make, observed)
                for field, part in zip(fields, parts, strict=True)
            )
            return Variant(type, constructor, {constructor: values})
        case _:
            return declarations.rebuild(type, [make(array) for array in declarations.layout(type)])


def with_room(
    type: t.Type,
    structure: Structure,
    declarations: Declarations,
    make: Callable[[ArrayType], Wire],
    capacity: int,
    extents: dict[SizeVariable, Extent],
    axes: tuple[int, ...] = (),
) -> Value:
    """A value of `type` on new input wires, with room for so many elements where a length
    is a variable; `extents` is told of those that are one number for the example."""
    match type:
        case t.Array(element=element, length=length):
            count = length.value
            if count is not None:
                return with_room(
                    element, None, declarations, make, capacity, extents, (*axes, count)
                )
            wire = make(ArrayType("Int", axes))
            variable = length.lone_variable
            assert variable is not None
            if not axes:
                extents[variable] = Extent(capacity, wire)
            inside = with_room(
                element, None, declarations, make, capacity, extents, (*axes, capacity)
            )
            return over(inside, wire, filled=True)
        case t.Product(items=items):
            parts = structure or (None,) * len(items)
            return tuple(
                with_room(item, part, declarations, make, capacity, extents, axes)
                for item, part in zip(items, parts, strict=True)
            )
        case t.Named() if isinstance(structure, ForestShape):
            return Forest.make(type, structure, declarations, make)
        case t.Named(name=name) if name in declarations.reps:
            carrier = declarations.reps[name].carrier
            return with_room(carrier, structure, declarations, make, capacity, extents, axes)
        case _:
            wires = [make(array) for array in declarations.layout(type, axes)]
            return declarations.rebuild(type, wires)


def replaced(value: Value, place: Mapping[Wire, Wire]) -> Value:
    """A value with its wires replaced, but of what is shared by all examples."""
    return moved(value, lambda wire: place.get(wire, wire))


def with_origins(values: dict[str, Value]) -> dict[str, Value]:
    """Arguments in which each forest knows which one it is."""
    number = itertools.count()

    def one(value: Value) -> Value:
        if isinstance(value, tuple):
            return tuple(map(one, value))
        return replace(value, origin=next(number)) if isinstance(value, Forest) else value

    return {name: one(value) for name, value in values.items()}


def holds_forest(value: Value) -> bool:
    if isinstance(value, tuple):
        return any(map(holds_forest, value))
    return isinstance(value, Forest | Unknown)


def shared(value: Value, place: tuple[Builder, Keys], own: Own) -> Value:
    """A value in which the forests shared by all examples know where they are reduced,
    and how this example takes its own of what comes of it."""
    if isinstance(value, tuple):
        return tuple(shared(item, place, own) for item in value)
    if isinstance(value, Forest) and value.shape.shared:
        return replace(value, place=place, own=own)
    return value
