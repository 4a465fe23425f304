"""An objective at packed examples, as a training runs it: rows of one bucket, compiled once.

    form        what is known of all examples of the training (ragged.py)
    capacity    the room that each sequence of these rows has
    arrays      the rows; some stand there to fill the batch, which the mask leaves out

All is pure, and runs inside the compiled steps: what is wrong with an example was told before
(`lists.require_examples`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from ..calls import shared
from ..calls.call import Call
from ..calls.spoiled import Spoiled, spoiled_by
from ..calls.tangents import weight_gradients
from ..function import Function
from ..machine.devices import Layout
from ..ragged import Form, Structures

Array = Any
NestedWeights = Mapping[str, Any]


def value_and_grad(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, structures: Structures, arrays: Sequence[Array], mask: Array,
    layout: Layout | None = None,
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """The mean of an objective over packed examples, those that the mask has, and its
    gradient in the weights: with a layout, each device takes its share of them. Pure."""
    shares = mask / mask.sum()
    if layout is None:
        call, given = _of_rows(
            function, weights, form, key, capacity, structures, arrays, train=True
        )
        value, *gradients = call.weighted_gradient(*given, shares)
        gradients = gradients[1:] if call.traced.problems else gradients
    else:
        rows = len(mask) // layout.shares
        call = function.calls.with_room(form.types, capacity, rows, True, structures)
        own = shared.dealt((list(arrays), _keys(call, key, len(mask)), shares), layout)
        run = shared.gradient(call, layout)
        (value, gradients), _ = run(own, function.held_arrays(call, weights))
    return value, weight_gradients(function.calls, call, weights, iter(gradients))


def live(function: Function, form: Form, capacity: int, rows: int, structures: Structures) -> int:
    """The bytes alive at most while an objective is differentiated at so many packed
    examples, beside its weights: counted."""
    return function.calls.with_room(form.types, capacity, rows, True, structures).weighted_live


def values(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, structures: Structures, arrays: Sequence[Array],
    layout: Layout | None = None,
) -> Array:  # fmt: skip
    """What an objective gives for each of some packed examples: with a layout, each device takes
    its share of them. Pure."""
    if layout is not None:
        every = len(arrays[0])
        call = function.calls.with_room(
            form.types, capacity, every // layout.shares, False, structures
        )
        own = shared.dealt((list(arrays), _keys(call, key, every)), layout)
        return shared.values(call, layout)(own, function.held_arrays(call, weights))[0]
    call, given = _of_rows(function, weights, form, key, capacity, structures, arrays, train=False)
    return call.traced.run(*given)[0]


def first_not_finite(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, structures: Structures, arrays: Sequence[Array],
) -> Spoiled | None:  # fmt: skip
    """The expression at which NaN or infinity came into packed examples."""
    call, given = _of_rows(function, weights, form, key, capacity, structures, arrays, train=True)
    return spoiled_by(call, given, function.definition.span)


def _of_rows(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, structures: Structures, arrays: Sequence[Array], *, train: bool,
) -> tuple[Call, list[Array]]:  # fmt: skip
    rows = arrays[0].shape[0]
    call = function.calls.with_room(form.types, capacity, rows, train, structures)
    held = function.held_arrays(call, weights)
    return call, [*arrays, *held, *_keys(call, key, rows)]


def _keys(call: Call, key: Array, rows: int) -> list[Array]:
    """The key of every row, where any is taken."""
    return [jax.random.split(key, rows)] if call.traced.draws else []
