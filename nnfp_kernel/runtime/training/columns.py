"""The examples of a training: arrays with a leading axis, lists, buckets of ragged ones, or
a stream of batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy

from ..exchange import describe
from ..machine.devices import Layout
from .events import Batch
from .examples import Buckets, Rows, Shares
from .stream import Stream


def read(data: Sequence[Any]) -> Batch:
    """The data a person gives, column by column. Raises ValueError where they are no examples."""
    found = tuple(map(_column, data))
    if not found or any(jnp.ndim(column) == 0 for column in found if not listed(column)):
        raise ValueError("the data are arrays with a leading axis, the examples")
    lengths = list(map(len, found))
    if len(set(lengths)) > 1:
        counted = ", ".join(map(str, lengths))
        raise ValueError(f"the data differ in their number of examples: {counted}")
    return found


def read_batch(given: Any) -> Batch:
    """A batch of a stream: a tuple of columns, or a list of arrays; else it is one column."""
    several = isinstance(given, list) and all(hasattr(column, "shape") for column in given)
    return read(given if given and (several or isinstance(given, tuple)) else (given,))


def _column(given: Any) -> Any:
    """Examples as an array; as the list they are where they make none."""
    if not isinstance(given, list):
        return array(given)
    try:
        together = numpy.asarray(given)
    except ValueError:  # they differ in shape
        return given
    return given if together.dtype == object else jnp.asarray(together)


def array(given: Any) -> jax.Array:
    """An array of JAX's, its own; one that is one already is not looked at again. Raises
    ValueError for what is none."""
    if isinstance(given, jax.Array):
        return given
    if isinstance(given, numpy.ndarray):  # `asarray` would have it there twice while it copies
        return jax.device_put(given, may_alias=False)
    try:
        return jnp.asarray(given)
    except (TypeError, ValueError):
        raise ValueError(f"the data are arrays of numbers, not {describe(given)}") from None


def listed(column: Any) -> bool:
    return isinstance(column, list)


def taken(data: Batch, indices: Any) -> Batch:
    """The examples at these places."""
    if isinstance(data, Buckets):
        return data.take(indices)
    return tuple(
        [column[k] for k in indices] if listed(column) else jnp.take(column, indices, axis=0)
        for column in data
    )


def shared_out(examples: Batch, layout: Layout) -> Batch:
    """The examples of a batch, which the devices share."""
    if isinstance(examples, Rows):
        return replace(examples, layout=layout)
    return Shares(examples, layout)


def spread(examples: Batch, layout: Layout) -> Batch:
    """The same of a batch that comes from outside: arrays each on its devices; lists are packed
    for them later."""
    return Shares(examples if some_listed(examples) else layout.spread(examples), layout)


def everywhere(data: Batch, layout: Layout) -> Batch:
    """The examples on every device; where there are lists, as they are: batches are packed."""
    if isinstance(data, Stream) or some_listed(data):
        return data
    return layout.everywhere(data)


def some_listed(data: Batch) -> bool:
    """Whether there are lists among the columns."""
    return isinstance(data, tuple) and any(map(listed, data))


def some(data: Batch, indices: Any) -> Batch:
    """Only these examples."""
    return data.only(indices) if isinstance(data, Buckets) else taken(data, indices)


def arrays(data: Batch) -> list[Any]:
    """The arrays that are on the device for it, all the time."""
    if isinstance(data, Stream):
        return []
    if isinstance(data, Buckets):
        return [array for own in data.arrays for array in own]
    return [column for column in data if not listed(column)]


def count(data: Batch) -> int:
    """How many there are; 0 of a stream, of which nobody knows."""
    if isinstance(data, Stream):
        return 0
    return data.count if isinstance(data, Buckets) else len(data[0])


def ordered(data: Batch) -> int | Buckets | Stream:
    """What an epoch's order depends on: of arrays and lists only how many there are."""
    return data if isinstance(data, Buckets | Stream) else len(data[0])


def slots(of: int | Buckets | Stream, batch: int) -> int:
    """The length of an epoch's order: the examples, and places to spare."""
    return of if isinstance(of, int) else of.slots(batch)
