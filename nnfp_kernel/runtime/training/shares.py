"""A batch in lists, shared out among the devices of a mesh.

Trees are packed as one forest for each device, all in one room: one program is compiled, and
every device runs it on its own forest. Sequences are packed in rows, which JAX shares out as it
does those of arrays. An example counts for the share that it has of the whole batch, one that
stands in room to spare for nothing: what comes of it is the mean over the batch, not one of
means. What cannot be packed is done by every device.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy

from ...graph.forest import NoForest
from ...language.diagnostics import NnfpError
from .. import lists
from ..calls.call import Call
from ..calls.misfits import in_example
from ..calls.tangents import require_scalar, weight_gradients
from ..exchange import flatten
from ..forest import shared_out
from ..function import Function
from ..lower import DTYPES
from ..machine.devices import Layout
from .events import Key, Weights

Array = Any


@dataclass(frozen=True, eq=False)
class _Parts:
    """A batch packed for its devices: a row of each array for every one of them."""

    call: Call
    arrays: list[Array]
    places: numpy.ndarray  # of examples, by device; the first again in places to spare
    count: int  # of examples

    @property
    def shares(self) -> numpy.ndarray:
        """What each place counts for in the mean."""
        shares = numpy.zeros(self.places.size)
        shares[: self.count] = 1 / self.count
        return shares.reshape(self.places.shape)

    def see(self, numbers: Array) -> None:
        """Raise NnfpError for what only showed at run time, as it is numbered by example."""
        for k in numpy.flatnonzero(numbers):
            problem = self.call.traced.problems[int(numbers.flat[k]) - 1]
            raise in_example(NnfpError(problem), int(self.places.flat[k]))


def mean_value_and_grad(
    function: Function, layout: Layout, weights: Weights, inputs: Sequence[Any], key: Key
) -> tuple[Any, Weights]:
    """The mean of an objective over a batch, and its gradient in the weights, as
    `Function.mean_value_and_grad` gives them on one device."""
    if lists.are_lists(function.calls, inputs):
        return lists.mean_value_and_grad(function, weights, inputs, key, True, layout)
    try:
        parts = _packed(function, layout, inputs, train=True)
    except NoForest:
        return function.mean_value_and_grad(weights, *inputs, key=key, train=True)
    call = parts.call
    require_scalar(function.calls, call, parts.places.shape[1])
    given = layout.spread((parts.arrays, parts.places, parts.shares))
    run = _gradient(call, layout)
    (value, gradients), numbers = run(*given, *_held(function, layout, call, weights, key))
    if call.traced.problems:
        parts.see(layout.together(numbers))
    return value, weight_gradients(function.calls, call, weights, iter(gradients))


def values(
    function: Function, layout: Layout, weights: Weights, inputs: Sequence[Any], key: Key
) -> Array:
    """What an objective gives for each example, as `Function.apply_batch` does."""
    if lists.are_lists(function.calls, inputs):
        return function.apply_batch(weights, *inputs, key=key)
    try:
        parts = _packed(function, layout, inputs, train=False)
    except NoForest:
        return function.apply_batch(weights, *inputs, key=key)
    given = layout.spread((parts.arrays, parts.places))
    run = _values(parts.call, layout)
    found = layout.together(run(*given, *_held(function, layout, parts.call, weights, key)))
    if parts.call.traced.problems:
        parts.see(found[-1])
    return found[0][: parts.count]


def _packed(function: Function, layout: Layout, inputs: Sequence[Any], train: bool) -> _Parts:
    """A batch with trees in it, packed. Raises NoForest for trees that are taken one by one."""
    inputs = function.calls.columns(inputs)
    dtypes = DTYPES[function.program.precision]
    for each in (False, True):  # one forest on a device; one for each tree, if the algebra asks
        try:
            whole = function.calls.packed(inputs, batch=True, each=each)
            count = function.calls.batch_size(whole)
            each_has = -(-count // layout.shares)
            places = numpy.arange(layout.shares * each_has).reshape(layout.shares, each_has)
            places[places >= count] = 0
            own = shared_out(whole, places.tolist())
            call = function.calls.of_part(whole, own[0], each_has, train)
        except NoForest as problem:
            if function.calls.asks_for_order(problem):
                return _packed(function, layout, inputs, train)
            if each:
                raise
        else:
            rows = [
                [
                    array
                    for type, value in zip(call.types, part, strict=True)
                    for array in flatten(
                        value, type, function.program.declarations,
                        lambda array, kind: numpy.asarray(array, dtypes[kind]),
                    )
                ]
                for part in own
            ]  # fmt: skip
            return _Parts(call, list(map(numpy.stack, zip(*rows, strict=True))), places, count)
    raise AssertionError("unreachable")


def _held(
    function: Function, layout: Layout, call: Call, weights: Weights, key: Key
) -> tuple[list[Array], Key]:
    """What every device has: weights and constants; and the key."""
    held = layout.there(function.held_arrays(call, weights, key))
    return held[: len(held) - call.traced.draws], key


# --- on each device ---------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _gradient(call: Call, layout: Layout) -> Callable[..., Any]:
    """The compiled function: the sum of the answers, each times its share, with gradients of
    the weights; and the numbers of problems by example."""

    def run(arrays: Any, places: Array, shares: Array, held: Any, key: Key) -> Any:
        def one(own: Any, held: Any) -> Any:
            arrays, shares, keys = own
            value, *found = call.weighted_gradient(*arrays, *held, *keys, shares)
            numbers = found.pop(0) if call.traced.problems else ()
            return (value, found), numbers

        return layout.on_each(one)((arrays, shares, _keys(call, key, places)), held)

    compiled: Callable[..., Any] = jax.jit(run)
    return compiled


@functools.lru_cache(maxsize=64)
def _values(call: Call, layout: Layout) -> Callable[..., Any]:
    """The compiled function: the outputs for each example."""

    def run(arrays: Any, places: Array, held: Any, key: Key) -> Any:
        def one(own: Any, held: Any) -> Any:
            arrays, keys = own
            return (), call.traced.run(*arrays, *held, *keys)

        return layout.on_each(one)((arrays, _keys(call, key, places)), held)[1]

    compiled: Callable[..., Any] = jax.jit(run)
    return compiled


def _keys(call: Call, key: Key, places: Array) -> list[Array]:
    """The keys that a device takes: one for each of its examples, which is that of one device;
    and one for what is drawn for all of them, in the algebra of a forest, which is its own."""
    taken = [wire.type.shape for wire in call.traced.graph.inputs if wire.type.kind == "Key"]
    if not taken:
        return []
    # As a map over the whole batch draws them: `Keys` folds 1 into a key that is first used.
    each = jax.random.split(jax.random.fold_in(key, 1), places.size)[places]
    return [each if shape else jax.random.split(key, len(places)) for shape in taken]
