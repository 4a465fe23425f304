"""What training minimises, made of functions of the language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import jax
import numpy

from ...language import types as t
from ...language.diagnostics import Diagnostic, Label, NnfpError
from ...language.sizes import constant
from .. import lists
from ..calls.watch import finite
from ..exchange import Misfit, match, paths_of, unflatten_paths
from ..function import Function
from . import columns, rows, shares
from .events import Batch, Key, Weights
from .examples import Buckets, Rows, Shares
from .plan import Objective
from .stream import Ended, Stream


def objective_of(function: Function, metric: Function | None = None) -> Objective:
    """The mean of `function`, an objective `example -> R`, over the examples of a batch.

    The gradient is that of the batched graph, by our adjoint. `metric` takes an example
    too, and gives a number. Raises NnfpError for what is no such function.
    """
    for each in (function, metric):
        if each is not None:
            _require_number(each)

    def value_and_grad(weights: Weights, batch: Batch, key: Key) -> tuple[Any, Weights]:
        if isinstance(batch, Rows):
            form = batch.buckets.form

            def run(room: int, trees: Any, arrays: Any, mask: Any) -> tuple[Any, Weights]:
                found = rows.value_and_grad(
                    function, weights, form, key, room, trees, arrays, mask, batch.layout
                )
                return complete(weights, *found)

            return batch.switch(run)  # type: ignore[no-any-return]
        if isinstance(batch, Shares):
            given = (_batch(batch.columns),)
            found = shares.mean_value_and_grad(function, batch.layout, weights, given, key)
        else:
            found = function.mean_value_and_grad(weights, _batch(batch), key=key, train=True)
        return complete(weights, *found)

    def complete(weights: Weights, value: Any, gradient: Weights) -> tuple[Any, Weights]:
        # A weight that is reached but plays no part has no gradient of its own: zero.
        found = dict(paths_of(gradient))
        every = {path: found.get(path, 0 * weight) for path, weight in paths_of(weights)}
        return value, unflatten_paths(every)

    def blame(weights: Weights, batch: Batch, key: Key) -> str:
        if isinstance(batch, Rows):
            form = batch.buckets.form
            if not batch.switch(lambda _room, _trees, arrays, _mask: all(map(finite, arrays))):
                return "the data, which hold NaN or infinity"
            found = batch.switch(
                lambda room, trees, arrays, _mask: rows.first_not_finite(
                    function, weights, form, key, room, trees, arrays
                )
            )
        elif not all(map(finite, jax.tree.leaves(batch))):
            return "the data, which hold NaN or infinity"
        else:
            found = function.first_not_finite(weights, _batch(batch), key=key, train=True)
        return "" if found is None else str(found)

    def live(weights: Weights, data: Batch, size: int) -> int | None:
        if isinstance(data, Buckets):
            return rows.live(function, data.form, data.capacities[-1], size, data.structures[-1])
        if isinstance(data, Stream):
            with suppress(Ended):
                return function.live(_batch(data.at(0)))
            return None
        if columns.some_listed(data):
            return None  # each example is run by itself, or in buckets of its own
        like = [numpy.zeros((size, *column.shape[1:]), column.dtype) for column in data]
        return function.live(_example(like))

    values = _values(function), metric and _values(metric)
    return Objective(value_and_grad, *values, blame, live, function.definition.span)


def _values(function: Function) -> Callable[[Weights, Batch, Key], Any]:
    def values(weights: Weights, batch: Batch, key: Key) -> Any:
        if isinstance(batch, Rows):
            form = batch.buckets.form
            return batch.switch(
                lambda room, trees, arrays, _mask: rows.values(
                    function, weights, form, key, room, trees, arrays, batch.layout
                )
            )
        if isinstance(batch, Shares):
            given = (_batch(batch.columns),)
            return shares.values(function, batch.layout, weights, given, key)
        return function.apply_batch(weights, _batch(batch), key=key)

    return values


def _example(batch: Sequence[Any]) -> Any:
    """An example of several arrays is a tuple; of one, that array."""
    return batch[0] if len(batch) == 1 else tuple(batch)


def _batch(batch: Sequence[Any]) -> Any:
    """The same of a batch; one with lists in it, which differ, is a list of examples."""
    if len(batch) > 1 and any(map(columns.listed, batch)):
        every = [one if columns.listed(one) else numpy.asarray(one) for one in batch]
        return list(zip(*every, strict=True))
    return _example(batch)


def examples_of(
    function: Function, weights: Weights, data: Sequence[Any]
) -> Sequence[Any] | Buckets:
    """The examples of a training: arrays as they are, lists in buckets where what they
    hold differs in length. Raises NnfpError that names a wrong example."""
    require_examples(function, data)
    if not any(isinstance(one, list) for one in data):
        return data
    counts = {len(one) for one in data}
    if counts == {0} or len(counts) > 1:
        return data  # the loop says what is wrong
    examples = [(_example([one[k] for one in data]),) for k in range(counts.pop())]
    try:
        form = lists.form_of(function, examples)
        if not form.ragged:
            return data
        lists.require_examples(function, weights, form, examples)
    except lists.OneByOne:
        return data  # what cannot be run with padding
    program = function.program
    return Buckets.of(
        form, examples, program.declarations, program.precision, function.calls.ordered
    )


def stream_of(function: Function, batches: Iterable[Any]) -> Stream:
    """The batches of an iterable, each looked at where its shapes are not those of one before."""
    known: set[Any] = set()

    def read(batch: Any) -> Batch:
        found = columns.read_batch(batch)
        shapes = tuple(getattr(column, "shape", None) for column in found)
        if None in shapes or shapes not in known:
            require_examples(function, found)
            known.add(shapes)
        return found

    return Stream(batches, read)


def require_examples(function: Function, data: Sequence[Any]) -> None:
    """Raise NnfpError unless every example fits what the objective takes.

    Looked at once, before training: inside it nothing can be looked at any more.
    """
    type = function.definition.scheme.type
    shapes: list[tuple[int, ...]] = [tuple(getattr(array, "shape", ())) for array in data]
    if not all(shapes) or len({shape[0] for shape in shapes}) != 1:
        return  # no examples at all: the loop says what is wrong
    assert isinstance(type, t.Function | t.Linear)
    examples = t.Array(type.domain, constant(int(shapes[0][0])))
    try:
        match(examples, _example(data), function.program.declarations, "the data")
    except Misfit as misfit:
        raise NnfpError(
            Diagnostic(
                "data-misfit",
                f"{misfit.where} is {misfit.found}",
                Label(function.definition.span, f"an example is {t.show(type.domain)}"),
                (),
                (
                    f"Expected: {misfit.expected}.",
                    "The leading axis of each array counts the examples.",
                ),
            )
        ) from None


def _require_number(function: Function) -> None:
    type, place = function.definition.scheme.type, function.definition.span
    found = f"has type {function.type}"
    if isinstance(type, t.Function | t.Linear):
        found = f"gives {t.show(type.codomain)} for an example"
        codomain = type.codomain
        if codomain == t.R or isinstance(codomain, t.TypeVariable):
            return
    raise NnfpError(
        Diagnostic(
            "objective-not-scalar",
            f"{_written(function)} is no objective: it must take an example and give one number",
            Label(place, found),
            (),
            (
                "What is trained is a function of an example that ends in R.",
                "A model is trained with a loss: --loss squaredError.",
            ),
        )
    )


def _written(function: Function) -> str:
    """What a person wrote for it: its name, or the text of the flag that it was made of."""
    named = function.name in function.program.definitions
    return function.name if named else function.definition.span.text
