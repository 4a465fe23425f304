"""A call on the devices of a mesh, each with its share of the examples.

    gradient(call, layout)   the compiled function: answers, each times its share, and gradients
    values(call, layout)     the compiled function: the answers of all examples

Without a layout they are those of the one device.

Every device runs the program of so many examples as it has, on a row of its own of every array
(`dealt`), with the weights that all have. Devices meet once, to add up what each has found. XLA,
left to cut the program of a whole batch, has them meet in every turn of a loop that it cannot
see through: a recurrent network of 128 steps takes ten times as long.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

from ..machine.devices import Layout
from .call import Call

Array = Any


def dealt(arrays: Any, layout: Layout | None) -> Any:
    """Arrays with an axis of examples, in a row for each device, which have as many each."""
    if layout is None:
        return arrays
    shares = layout.shares
    return jax.tree.map(
        lambda array: array.reshape(shares, array.shape[0] // shares, *array.shape[1:]), arrays
    )


def gradient(call: Call, layout: Layout | None) -> Callable[..., Any]:
    """`(arrays, keys, shares), held -> (value, gradients), numbers`: the sum of the answers, each
    times its share, with gradients of the weights; and the numbers of problems by example."""
    return (
        functools.partial(_gradient, call) if layout is None else _on_each(_gradient, call, layout)
    )


def values(call: Call, layout: Layout | None) -> Callable[..., Any]:
    """`(arrays, keys), held -> outputs`, of all examples."""
    run = functools.partial(_values, call) if layout is None else _on_each(_values, call, layout)
    return lambda own, held: run(own, held)[1]


def _gradient(call: Call, own: Any, held: Any) -> Any:
    arrays, keys, shares = own
    value, *found = call.weighted_gradient(*arrays, *held, *keys, shares)
    numbers = found.pop(0) if call.traced.problems else ()
    return (value, found), numbers


def _values(call: Call, own: Any, held: Any) -> Any:
    arrays, keys = own
    return (), call.traced.run(*arrays, *held, *keys)


@functools.lru_cache(maxsize=64)
def _on_each(one: Callable[..., Any], call: Call, layout: Layout) -> Callable[..., Any]:
    """What each device does, compiled for all of them."""
    compiled: Callable[..., Any] = jax.jit(layout.on_each(functools.partial(one, call)))
    return compiled
