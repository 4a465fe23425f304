"""Judges of a whole program's derivative: JAX's own, and finite differences.

Values are nested: dicts, tuples, data values and arrays. `parts` takes the arrays of
real numbers out of one, in order, and `put` puts others in their places; judges work on
the flat list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy

Array = Any


def fields_of(value: Any) -> tuple[Any, ...] | None:
    """The parts of a nested value; None for an array."""
    if isinstance(value, dict):  # in the order of JAX, that of the keys
        return tuple(value[key] for key in sorted(value))
    if isinstance(value, tuple | list):
        return tuple(value)
    if hasattr(value, "constructor"):
        return tuple(value.fields)
    return None


def arrays(value: Any) -> list[Array]:
    """All arrays of a nested value, in order."""
    inside = fields_of(value)
    if inside is None:
        return [value]
    return [array for part in inside for array in arrays(part)]


def moves(array: Array) -> bool:
    """Whether an array is of real numbers, which a tangent can move."""
    return numpy.issubdtype(numpy.asarray(array).dtype if not hasattr(array, "dtype")
                            else array.dtype, numpy.floating)  # fmt: skip


def parts(value: Any) -> list[Array]:
    """The arrays of real numbers in a nested value, in order."""
    return [array for array in arrays(value) if moves(array)]


def put(value: Any, supply: Iterator[Array]) -> Any:
    """`value` with its arrays of real numbers taken from `supply`, in order."""
    if isinstance(value, dict):
        return {key: put(value[key], supply) for key in sorted(value)}
    if isinstance(value, tuple | list):
        return type(value)(put(part, supply) for part in value)
    if hasattr(value, "constructor"):
        return type(value)(value.constructor, tuple(put(part, supply) for part in value.fields))
    return next(supply) if moves(value) else value


def flat_function(
    function: Callable[..., Any], at: tuple[Any, ...]
) -> tuple[Callable[..., list[Array]], list[Array]]:
    """`function` as one of the flat real arrays of its arguments to those of its value."""

    def flat(*reals: Array) -> list[Array]:
        return parts(function(*put(at, iter(reals))))

    return flat, parts(at)


def inner(one: Sequence[Array], other: Sequence[Array]) -> float:
    """The inner product of two lists of arrays."""
    return float(
        sum(numpy.sum(numpy.asarray(a) * numpy.asarray(b)) for a, b in zip(one, other, strict=True))
    )


def magnitude(*lists: Sequence[Array]) -> float:
    """The largest entry by absolute value, at least 1: what errors are measured by."""
    return max(
        [1.0, *(float(numpy.abs(a).max()) for arrays in lists for a in arrays if numpy.size(a))]
    )


def finite(values: Sequence[Array]) -> bool:
    return all(bool(numpy.isfinite(numpy.asarray(array)).all()) for array in values)


def directional(
    flat: Callable[..., list[Array]],
    at: Sequence[Array],
    direction: Sequence[Array],
    cotangent: Sequence[Array],
    step: float = 1e-3,
) -> float:
    """`<cotangent, derivative of flat along direction>` by central differences of order four."""

    def along(distance: float) -> float:
        moved = [a + distance * d for a, d in zip(at, direction, strict=True)]
        return inner(cotangent, flat(*moved))

    near, far = along(step) - along(-step), along(2 * step) - along(-2 * step)
    return (8 * near - far) / (12 * step)
