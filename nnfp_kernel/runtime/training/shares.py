"""A batch shared out among the devices of a mesh: each runs the same program on its part.

Of arrays each device has as many rows. Trees are packed as one forest for each device, all in one
room; sequences in rows. An example counts for the share that it has of the whole batch, one that
stands in room to spare for nothing: what comes of it is the mean over the batch, not one of
means. Each draws what it would draw on one device. What cannot be shared equally or packed is
done by every device.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy

from ...graph.forest import NoForest
from ...language.diagnostics import NnfpError
from .. import lists
from ..calls import shared
from ..calls.arguments import input_arrays
from ..calls.call import Call
from ..calls.misfits import in_example
from ..calls.tangents import require_scalar, weight_gradients
from ..exchange import flatten, form_of, is_concrete
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
    arrays: list[Array]  # on its devices
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
    `Function.mean_value_and_grad` gives them on one device. Of arrays it is pure."""
    if lists.are_lists(function.calls, inputs):
        return lists.mean_value_and_grad(function, weights, inputs, key, True, layout)
    parts = _parts(function, layout, inputs, train=True)
    if parts is None:
        return function.mean_value_and_grad(weights, *inputs, key=key, train=True)
    call = parts.call
    require_scalar(function.calls, call, parts.places.shape[1])
    own = parts.arrays, _keys(call, key, parts.places), parts.shares
    held = _held(function, layout, call, weights)
    (value, gradients), numbers = shared.gradient(call, layout)(own, held)
    if call.traced.problems and is_concrete(numbers):
        parts.see(layout.together(numbers))
    return value, weight_gradients(function.calls, call, weights, iter(gradients))


def values(
    function: Function, layout: Layout, weights: Weights, inputs: Sequence[Any], key: Key
) -> Array:
    """What an objective gives for each example, as `Function.apply_batch` does."""
    if lists.are_lists(function.calls, inputs):
        return function.apply_batch(weights, *inputs, key=key)
    parts = _parts(function, layout, inputs, train=False)
    if parts is None:
        return function.apply_batch(weights, *inputs, key=key)
    own = parts.arrays, _keys(parts.call, key, parts.places)
    held = _held(function, layout, parts.call, weights)
    found = shared.values(parts.call, layout)(own, held)
    if not is_concrete(found[0]):
        return found[0]
    found = layout.together(found)
    if parts.call.traced.problems:
        parts.see(found[-1])
    return found[0][: parts.count]


def _parts(function: Function, layout: Layout, inputs: Sequence[Any], train: bool) -> _Parts | None:
    """A batch in parts; None for what every device is to do."""
    try:
        if form_of(tuple(inputs)) is None:
            return _packed(function, layout, inputs, train)
        return _rows(function, layout, inputs, train)
    except NoForest:
        return None


def _rows(function: Function, layout: Layout, inputs: Sequence[Any], train: bool) -> _Parts | None:
    """A batch of arrays: as many rows for each device."""
    count = function.calls.batch_size(inputs)
    if count % layout.shares:
        return None
    places = numpy.arange(count).reshape(layout.shares, -1)
    call = function.calls.of_part(inputs, inputs, places.shape[1], train)
    arrays = shared.dealt(input_arrays(function.calls, call, inputs), layout)
    return _Parts(call, arrays, places, count)


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
            whole_rows = list(map(numpy.stack, zip(*rows, strict=True)))
            return _Parts(call, layout.spread(whole_rows), places, count)
    raise AssertionError("unreachable")


def _held(function: Function, layout: Layout, call: Call, weights: Weights) -> list[Array]:
    """What every device has: weights and constants."""
    held = function.held_arrays(call, weights)
    return layout.there(held) if all(map(is_concrete, held)) else held


def _keys(call: Call, key: Key, places: numpy.ndarray) -> list[Array]:
    """The keys that a device takes: one for each of its examples, which is that of one device;
    and one for what is drawn for all of them, in the algebra of a forest, which is its own."""
    taken = tuple(w.type.shape for w in call.traced.graph.inputs if w.type.kind == "Key")
    return _dealt_keys(taken, key, places) if taken else []


@functools.partial(jax.jit, static_argnums=0)
def _dealt_keys(taken: tuple[tuple[int, ...], ...], key: Key, places: Array) -> list[Array]:
    # As a map over the whole batch draws them: `Keys` folds 1 into a key that is first used.
    each = jax.random.split(jax.random.fold_in(key, 1), places.size)[places]
    return [each if shape else jax.random.split(key, len(places)) for shape in taken]
