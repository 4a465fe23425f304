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
    call, own, held = _of_rows(
        function, weights, form, key, capacity, structures, arrays, layout, train=True
    )
    shares = shared.dealt(mask / mask.sum(), layout)
    (value, gradients), _ = shared.gradient(call, layout)((*own, shares), held)
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
    call, own, held = _of_rows(
        function, weights, form, key, capacity, structures, arrays, layout, train=False
    )
    return shared.values(call, layout)(own, held)[0]


def first_not_finite(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, structures: Structures, arrays: Sequence[Array],
) -> Spoiled | None:  # fmt: skip
    """The expression at which NaN or infinity came into packed examples."""
    call, (own, keys), held = _of_rows(
        function, weights, form, key, capacity, structures, arrays, None, train=True
    )
    return spoiled_by(call, [*own, *held, *keys], function.definition.span)


def _of_rows(
    function: Function, weights: NestedWeights, form: Form, key: Array,
    capacity: int, structures: Structures, arrays: Sequence[Array], layout: Layout | None,
    *, train: bool,
) -> tuple[Call, tuple[list[Array], list[Array]], list[Array]]:  # fmt: skip
    """The call of a device's share of the rows; these and the key of every row, where any is
    taken, dealt out; and what all devices have."""
    rows = arrays[0].shape[0]
    each = rows // (1 if layout is None else layout.shares)
    call = function.calls.with_room(form.types, capacity, each, train, structures)
    keys = [jax.random.split(key, rows)] if call.traced.draws else []
    own = shared.dealt((list(arrays), keys), layout)
    return call, own, function.held_arrays(call, weights)
