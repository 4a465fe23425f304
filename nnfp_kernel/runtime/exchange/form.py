"""The form of a value: what a check of plain arrays looks at, so that inputs like earlier
ones need not be looked at again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from ...language import types as t

Form = Any  # hashable: shapes, kinds of numbers, tuples of them; None for what has none
NUMBERS = (bool, int, float, complex, numpy.generic)
_INT = 1 << 31  # whole numbers beyond are looked at one by one


def form_of(value: Any) -> Form:
    """What a check of plain arrays looks at: their shapes, their kinds of numbers, how they are
    put together in tuples. None for what must be looked at entry by entry: a list may be a
    batch, a data value has constructors.

    >>> form_of((numpy.zeros(3), 2.0))
    (((3,), dtype('float64')), <class 'float'>)
    """
    if type(value) is numpy.ndarray:
        return value.shape, value.dtype
    if type(value) is tuple:
        forms = tuple(map(form_of, value))
        return None if None in forms else forms
    if type(value) in NUMBERS:
        return None if type(value) is int and not -_INT <= value < _INT else type(value)
    import jax

    if isinstance(value, jax.Array | numpy.generic):
        return value.shape, value.dtype
    return None


def looked_at(type: t.Type, reps: Mapping[str, Any]) -> bool:
    """Whether a value of the type is more than arrays whose forms tell all: an index has a
    range, a data value has constructors."""
    match type:
        case t.Scalar() | t.TypeVariable():
            return False
        case t.Array(element=element):
            return looked_at(element, reps)
        case t.Product(items=items):
            return any(looked_at(item, reps) for item in items)
        case t.Named(name=name) if name in reps:
            return looked_at(reps[name].carrier, reps)
        case _:
            return True
