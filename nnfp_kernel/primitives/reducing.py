"""How a sum, a product, a largest and a smallest entry over axes are lowered.

    reduce_axes("sum", x, axes)    what `lax.reduce_sum` gives, in the same order

On a CPU, XLA goes through the rows to be added entry by entry, anew for each entry of the
result. Few long rows are added as whole vectors when that is written out: in 64 bits the sum
of 25 rows of 1000 takes a third of the time, that of 8 rows of 100,000 a fortieth. (Along
the last axis nothing is gained: its entries are neighbours.)
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from math import prod
from typing import Any, Literal

Array = Any  # a jax.Array or a tracer of one

# So many rows at most, of so many entries at least; fewer where the rows are not leading
# axes: from some 15 pieces on XLA does not take in what they are computed of, and stores it.
_FEW, _INSIDE, _LONG = 32, 8, 64


def reduce_axes(name: Literal["sum", "prod", "max", "min"], x: Array, axes: Sequence[int]) -> Array:
    """The sum (product, largest, smallest) of the entries of `x` along these axes."""
    from jax import lax

    lengths = [x.shape[axis] for axis in axes]
    leading = sorted(axes) == list(range(len(axes)))
    long = x.ndim - 1 not in axes and x.shape[-1:] >= (_LONG,)
    if not (long and 1 < prod(lengths) <= (_FEW if leading else _INSIDE)):
        return getattr(lax, f"reduce_{name}")(x, tuple(axes))
    step = {"sum": lax.add, "prod": lax.mul, "max": lax.max, "min": lax.min}[name]
    rows = []
    for place in itertools.product(*map(range, lengths)):
        first, last = [0] * x.ndim, list(x.shape)
        for axis, k in zip(axes, place, strict=True):
            first[axis], last[axis] = k, k + 1
        rows.append(lax.squeeze(lax.slice(x, first, last), axes))
    return functools.reduce(step, rows)
