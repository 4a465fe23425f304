"""What the traces of built-in names have in common: values, lifting, leaf by leaf.

A value while tracing (graph/values.py) is a wire, or a tuple for a product; an array
of products is a tuple of arrays. So most operations on arrays are done leaf by leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.values import Value, map_leaves
from ..language import types
from .table import Occurrence


def arguments(type: types.Type, count: int) -> tuple[list[types.Type], types.Type]:
    """The types of `count` curried arguments, and of what comes out."""
    taken = []
    for _ in range(count):
        if not isinstance(type, types.Function | types.Linear):
            raise TypeError(f"{type} takes no {count} arguments")
        taken.append(type.domain)
        type = type.codomain
    return taken, type


def axes(type: types.Type) -> int:
    """How many axes the arrays around a scalar, product or representation have."""
    count = 0
    while isinstance(type, types.Array):
        type, count = type.element, count + 1
    return count


def number(builder: Builder, value: float, like: ArrayType) -> Wire:
    """An array of one number, of the kind and shape of `like`."""
    return spread(builder, builder.constant(value, like.kind), like.shape, ())


def spread(builder: Builder, wire: Wire, shape: Sequence[int], at: Sequence[int]) -> Wire:
    """`wire` repeated to `shape`; its axes go to the places `at`."""
    return builder.emit("broadcast", wire, shape=tuple(shape), axes=tuple(at))


def lifted(
    builder: Builder, name: str, a: Value, b: Value, a_axes: int, b_axes: int, **parameters: Any
) -> Value:
    """`name` on two operands, the one with fewer axes repeated over the missing leading
    ones. `a_axes` and `b_axes` count the axes around the element types, so that a
    number that scales an array of products meets the axes of the array."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return tuple(
            lifted(builder, name, x, y, a_axes, b_axes, **parameters)
            for x, y in zip(a, b, strict=True)
        )
    if isinstance(a, tuple):
        return tuple(lifted(builder, name, x, b, a_axes, b_axes, **parameters) for x in a)
    if isinstance(b, tuple):
        return tuple(lifted(builder, name, a, y, a_axes, b_axes, **parameters) for y in b)
    a, b = of_one_kind(builder, a, b)
    return builder.emit(name, *aligned(builder, [(a, a_axes), (b, b_axes)]), **parameters)


def of_one_kind(builder: Builder, *wires: Wire) -> list[Wire]:
    """Where real and complex numbers meet, all as complex ones."""
    if {wire.type.kind for wire in wires} != {"R", "C"}:
        return list(wires)
    return [builder.emit("convert", wire, kind="C") for wire in wires]


def aligned(builder: Builder, operands: Sequence[tuple[Wire, int]]) -> list[Wire]:
    """Wires repeated to one shape, each given with its count of outer axes."""
    most = max(count for _, count in operands)
    fullest = max(operands, key=lambda operand: operand[1])[0].type.shape[:most]
    inner = max((wire.type.shape[count:] for wire, count in operands), key=len)
    shape = (*fullest, *inner)
    out = []
    for wire, count in operands:
        places = range(most - count, most - count + wire.type.rank)
        out.append(wire if wire.type.shape == shape else spread(builder, wire, shape, places))
    return out


def lift(symbol: str, operation: str, **parameters: Any) -> Callable[..., Value]:
    """The trace of an operator that lifts, `+` or `max`. A linear map among the operands
    knows itself what the symbol means for it."""

    def trace(context: Context, occurrence: Occurrence, a: Value, b: Value) -> Value:
        if any(hasattr(operand, "arithmetic") for operand in (a, b)):
            return context.linear_arithmetic(symbol, a, b)
        (a_type, b_type), _ = arguments(occurrence.type, 2)
        return lifted(context.builder, operation, a, b, axes(a_type), axes(b_type), **parameters)

    return trace


def real_inner(builder: Builder, x: Wire, y: Wire) -> Wire:
    """The inner product of two arrays, over C its real part: Re of the sum of x conj y."""
    labels: dict[str, Any] = {axis: tuple(range(x.type.rank)) for axis in ("left", "right")}
    if x.type.kind != "C":
        return builder.emit("contract", x, y, **labels, out=())
    product = builder.emit("contract", x, y, **labels, out=(), conjugate=True)
    return builder.emit("convert", product, kind="R")


def along(operation: str, **parameters: Any) -> Callable[..., Value]:
    """The trace of a name that is one primitive on every leaf."""

    def trace(context: Context, _occurrence: Occurrence, value: Value) -> Value:
        return map_leaves(lambda leaf: context.builder.emit(operation, leaf, **parameters), value)

    return trace
