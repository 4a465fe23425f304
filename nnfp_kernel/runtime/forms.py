"""Calls like earlier ones: inputs of a form that was checked once are not checked again.

The form of inputs is what a check of plain arrays looks at: their shapes, their kinds of
numbers, how they are put together. What must be looked at entry by entry has none: an index
has a range, a list may be a batch, a data value has constructors.

    form_of((x, 2.0), …)      (((3,), float64), float), or None
    Fast.of(call)             how a call's inputs and weights become arrays at once, or None
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy

from ..language import types as t
from .exchange import lookup
from .lower import DTYPES

if TYPE_CHECKING:
    from .function import Call

Array = Any
Form = Any  # hashable: shapes, kinds of numbers, tuples of them; None for what has none
_NUMBERS = (bool, int, float, complex, numpy.generic)
_INT = 1 << 31  # whole numbers beyond are looked at one by one


def form_of(inputs: Sequence[Any]) -> Form:
    """The form of plain inputs; None where one of them is not plain."""
    forms = tuple(map(_form, inputs))
    return None if None in forms else forms


def _form(value: Any) -> Form:
    import jax

    if type(value) is numpy.ndarray or isinstance(value, jax.Array | numpy.generic):
        return value.shape, value.dtype
    if type(value) is tuple:
        return form_of(value)
    if type(value) in _NUMBERS and (type(value) is not int or -_INT <= value < _INT):
        return type(value)
    return None


@dataclass(frozen=True)
class Fast:
    """The arrays that a call takes, where each is one number or array of Python's.

    `inputs` are the kinds of numbers that the inputs are laid out in; `weights` the shape
    and kind of the one array that a weight is.
    """

    inputs: tuple[numpy.dtype[Any], ...]
    weights: tuple[tuple[tuple[str, ...], tuple[int, ...], numpy.dtype[Any]], ...]

    @classmethod
    def of(cls, call: Call) -> Fast | None:
        """None for a call with inputs whose entries are looked at, or that are no arrays."""
        traced = call.traced
        declarations = traced.program.declarations
        dtypes = DTYPES[traced.program.precision]
        wires = traced.graph.inputs
        own = [wire.type for wire in wires[: traced.arguments]]
        held = traced.weight_wires
        if (
            any(array.kind == "Key" for array in own)
            or any(structure is not None for structure in call.structures)
            or any(_looked_at(type, declarations.reps) for type in call.types)
            or any(weight.count != 1 for weight in traced.weights)
        ):
            return None
        return cls(
            tuple(dtypes[array.kind] for array in own),
            tuple(
                (weight.path, wires[k].type.shape, dtypes[wires[k].type.kind])
                for k, weight in zip(held, traced.weights, strict=True)
            ),
        )

    def arrays(self, inputs: Sequence[Any]) -> list[Array] | None:
        """The arrays of inputs; None where one of them is to be looked at."""
        leaves = list(_leaves(inputs))
        if len(leaves) != len(self.inputs):
            return None
        return _all([_array(*pair) for pair in zip(leaves, self.inputs, strict=True)])

    def held(self, weights: Mapping[str, Any]) -> list[Array] | None:
        """The arrays of the weights; None where one of them is to be looked at."""
        found: list[Array | None] = []
        for path, shape, dtype in self.weights:
            value = lookup(weights, path)
            if getattr(value, "shape", None) != shape or getattr(value, "dtype", None) != dtype:
                return None
            found.append(_array(value, dtype))
        return _all(found)


def _all(found: list[Array | None]) -> list[Array] | None:
    return None if any(array is None for array in found) else found


def _array(value: Any, dtype: numpy.dtype[Any]) -> Array | None:
    """An array of this kind of numbers, as `jnp.asarray` gives it: sooner, where it is one.
    None for what is neither array nor number."""
    import jax

    if type(value) is numpy.ndarray or isinstance(value, _NUMBERS):
        return numpy.asarray(value, dtype)
    if not isinstance(value, jax.Array):
        return None
    if value.dtype == dtype and not getattr(value, "weak_type", False):
        return value
    return jax.numpy.asarray(value, dtype)


def _leaves(value: Any) -> Iterator[Any]:
    for item in value:
        if type(item) is tuple:
            yield from _leaves(item)
        else:
            yield item


def _looked_at(type: t.Type, reps: Mapping[str, Any]) -> bool:
    """Whether a value of the type is more than arrays whose shapes tell all."""
    match type:
        case t.Scalar():
            return False
        case t.Array(element=element):
            return _looked_at(element, reps)
        case t.Product(items=items):
            return any(_looked_at(item, reps) for item in items)
        case t.Named(name=name) if name in reps:
            return _looked_at(reps[name].carrier, reps)
        case _:
            return True
