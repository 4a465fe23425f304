"""First values of weights: from the session's seed and the weight's path alone."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from ..graph.values import Declarations
from ..language import types as t
from ..language.diagnostics import NnfpError
from ..language.reach import ReachedWeight, size_open
from ..language.syntax import NOWHERE
from ..language.typed import Initialiser

Array = Any


def first_value(weight: ReachedWeight, key: Array, declarations: Declarations, dtype: Any) -> Any:
    """A weight's first value: an array (a tuple of them for a product).

    `key` is the session's; the path is folded in, so that a weight starts the same
    whatever else the program holds. A complex weight is drawn with the variance that a
    real one has, half of it in either part; `orthogonal` is then unitary. Raises NnfpError
    while a size is open.
    """
    import jax

    require_sizes(weight)
    own = jax.random.fold_in(key, zlib.crc32(".".join(weight.path).encode()))
    layout = declarations.layout(weight.type)
    arrays = []
    for position, array in enumerate(layout):
        part = jax.random.fold_in(own, position) if len(layout) > 1 else own
        own_dtype = jax.numpy.result_type(dtype, "complex64") if array.kind == "C" else dtype
        arrays.append(_draw(weight.initialiser, part, array.shape, len(weight.stacked), own_dtype))
    from .exchange import rebuild

    return rebuild(weight.type, iter(arrays), declarations)


def require_sizes(weight: ReachedWeight) -> None:
    """Raise the error for a weight whose type is not settled."""
    if not t.is_concrete(weight.type):
        raise NnfpError(size_open(weight.path, weight.type, weight.span or NOWHERE))


def _draw(
    initialiser: Initialiser, key: Array, shape: tuple[int, ...], stacked: int, dtype: Any
) -> Array:
    import jax

    if stacked:
        keys = jax.random.split(key, shape[0])
        slices = [_draw(initialiser, one, shape[1:], stacked - 1, dtype) for one in keys]
        return jax.numpy.stack(slices) if slices else jax.numpy.zeros(shape, dtype)
    return _initial(initialiser, key, shape, dtype)


def _initial(initialiser: Initialiser, key: Array, shape: Sequence[int], dtype: Any) -> Array:
    import jax
    from jax import numpy as jnp

    argument = initialiser.argument
    match initialiser.name:
        case "zeros":
            return jnp.zeros(shape, dtype)
        case "ones":
            return jnp.ones(shape, dtype)
        case "constant":
            return jnp.full(shape, argument, dtype)
        case "identity":
            if len(shape) < 2:
                return jnp.ones(shape, dtype)
            return jnp.broadcast_to(jnp.eye(shape[-2], shape[-1], dtype=dtype), shape)
        case "normal":
            return argument * jax.random.normal(key, shape, dtype)
        case "uniform":
            return _uniform(key, shape, dtype, argument)
        case "orthogonal":
            if len(shape) < 2:
                return jax.random.normal(key, shape, dtype)
            rows = shape[0]
            columns = 1
            for size in shape[1:]:
                columns *= size
            matrix = jax.nn.initializers.orthogonal()(key, (rows, columns), dtype)
            return matrix.reshape(shape)
        case "glorot" | "lecun" | "he" as name:
            return _scaled(name, key, shape, dtype)
        case other:
            raise AssertionError(f"no initialiser called {other}")


def _uniform(key: Array, shape: Sequence[int], dtype: Any, bound: Any) -> Array:
    """Between two bounds; of complex numbers, both parts, with the variance of a real one."""
    import jax
    from jax import numpy as jnp

    if jnp.dtype(dtype).kind != "c":
        return jax.random.uniform(key, tuple(shape), dtype, -bound, bound)
    part = jnp.finfo(dtype).dtype
    parts = jax.random.uniform(key, (2, *shape), part, -bound, bound) / jnp.sqrt(2.0).astype(part)
    return jax.lax.complex(parts[0], parts[1])


def _scaled(name: str, key: Array, shape: Sequence[int], dtype: Any) -> Array:
    """Variance scaling by fan-in: all axes but the first; of a vector or scalar its length.

    Sources: LeCun et al. 1998; Glorot and Bengio 2010; He et al. 2015.
    """
    import jax
    from jax import numpy as jnp

    if 0 in shape:
        return jnp.zeros(shape, dtype)
    fan_in = 1
    for size in shape[1:] if len(shape) > 1 else shape:
        fan_in *= size
    fan_out = shape[0] if len(shape) > 1 else 1
    variance = {"lecun": 1 / fan_in, "he": 2 / fan_in, "glorot": 2 / (fan_in + fan_out)}[name]
    return jnp.asarray(variance**0.5, dtype) * jax.random.normal(key, tuple(shape), dtype)


__all__ = ["first_value", "require_sizes"]
