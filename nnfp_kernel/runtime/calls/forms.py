"""Calls like earlier ones: inputs of a form that was checked once are not checked again.

form_of(inputs)     what a check of plain arrays looks at, or None       (exchange)
Fast.of(call)       how a call's inputs and weights become arrays at once, or None
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy

from ..exchange import NUMBERS, looked_at, lookup
from ..lower import DTYPES

if TYPE_CHECKING:
    from .call import Call

Array = Any


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
            or any(looked_at(type, declarations.reps) for type in call.types)
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

    if type(value) is numpy.ndarray or isinstance(value, NUMBERS):
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
