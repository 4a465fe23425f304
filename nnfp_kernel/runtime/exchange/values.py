"""A Python value by itself: the array it is, the type it has, the words it is told in.

    numpy.zeros((3, 2))        R[3,2]
    (1, 2.0)                   (Int, R)
    [[1], [2, 3]]              "a list of 2 items of different shapes"

What is asked of a value beside that, a type of the program's, is matching.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy

from ...language import types as t
from ..data import DataValue
from .packed import Packed

Array = Any


class Misfit(Exception):
    """A Python value that is no value of the type: what was found, what was expected.
    Of a batch, in which example and in which of its inputs."""

    example = input = 0

    def __init__(self, found: str, expected: str, where: str = "") -> None:
        self.found, self.expected, self.where = found, expected, where
        wanted = "" if ", expected " in found else f", expected {expected}"
        super().__init__(f"{where or 'the value'} is {found}{wanted}")


def type_of(value: Any) -> t.Type:
    """The type a Python value has by itself: arrays of R, C, Int or Bool; tuples; numbers.

    >>> t.show(type_of((numpy.zeros((3, 2)), 1)))
    '(R[3,2], Int)'
    """
    if isinstance(value, tuple):
        return t.Product(tuple(type_of(item) for item in value))
    array = as_array(value)
    return t.of_shape(t.Scalar(kind_of(array)), array.shape)


def as_tuples(value: Any) -> Any:
    """A pytree as nested tuples of its leaves; arrays, numbers and lists as they are.

    >>> as_tuples({"b": 1, "W": (2, 3)})
    ((2, 3), 1)
    """
    if isinstance(value, list | DataValue | Packed) or hasattr(value, "dtype"):
        return value
    if isinstance(value, int | float | complex | str):
        return value
    import jax

    children = jax.tree.leaves(value, is_leaf=lambda each: each is not value)
    if len(children) == 1 and children[0] is value:
        return value
    return tuple(map(as_tuples, children))


def as_array(value: Any, where: str = "") -> Array:
    """`value` as a NumPy or JAX array; raises Misfit for what is none."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return value
    try:
        array = numpy.asarray(value)
    except (ValueError, TypeError):
        raise Misfit(describe(value), "an array: its rows differ in length", where) from None
    if array.dtype.kind not in "biufc":
        raise Misfit(describe(value), "numbers", where)
    return array


def stacked_rows(items: Sequence[Any]) -> Any:
    if isinstance(items[0], DataValue):
        return list(items)
    if isinstance(items[0], tuple):
        return tuple(map(stacked_rows, zip(*items, strict=True)))
    return numpy.stack([as_array(item) for item in items])


def kind_of(array: Array, where: str = "") -> str:
    kind = numpy.dtype(array.dtype).kind if array.dtype != "bfloat16" else "f"
    if kind not in "biufc":
        raise Misfit(describe(array), "numbers", where)
    return {"b": "Bool", "i": "Int", "u": "Int", "f": "R", "c": "C"}[kind]


def is_concrete(array: Array) -> bool:
    """Whether the entries can be looked at: not inside a `jit` of the user's own."""
    if isinstance(array, numpy.ndarray | numpy.generic):
        return True
    import jax

    return isinstance(array, jax.Array) and not isinstance(array, jax.core.Tracer)


def one_key(key: Any) -> Array:
    """One key of JAX, of the old form too, which is two numbers: `jax.random.PRNGKey(0)`.

    Raises Misfit for anything else.
    """
    import jax

    if isinstance(key, jax.Array) and key.dtype == "uint32":
        with contextlib.suppress(TypeError):  # numbers that are no key
            key = jax.random.wrap_key_data(key)
    if not are_keys(key) or key.shape:
        raise Misfit(describe(key), "one random key")
    return key


def are_keys(value: Any) -> bool:
    import jax

    return isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)


def describe(value: Any) -> str:
    """A Python value in the words of an error message."""
    if are_keys(value):
        return f"an array of {value.size} random keys" if value.shape else "a random key"
    if isinstance(value, DataValue):
        return f"a {value.constructor}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    if isinstance(value, list):
        try:
            return f"{describe(numpy.asarray(value))}, as a list"
        except (ValueError, TypeError):
            return f"a list of {len(value)} items of different shapes"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        if numpy.dtype(value.dtype).kind not in "biufc" and value.dtype != "bfloat16":
            return f"an array of {value.dtype}"
        return t.show(t.of_shape(t.Scalar(kind_of(value)), value.shape))
    if isinstance(value, bool | int | float | complex):
        return f"the number {value}"
    return f"a Python {type(value).__name__}"


def part_of(where: str, k: int) -> str:
    return f"item {k} of {where}" if where else f"item {k}"
