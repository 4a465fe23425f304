"""A batch of examples as Python holds it: one from another, and together again.

Arrays have a leading axis of examples, products are tuples of such, and in the place of
a tree there is a list of trees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy

from ...graph.forest import NoForest
from ...language import types as t
from ..data import DataValue
from ..exchange import Packed


def batch_size(value: Any) -> int:
    """How many examples there are.

    >>> batch_size((numpy.zeros((3, 2)), numpy.zeros(3)))
    3
    """
    if isinstance(value, tuple | list) and value and not _is_list_of_examples(value):
        return batch_size(value[0])
    return len(value)


def _is_list_of_examples(value: Sequence[Any]) -> bool:
    return isinstance(value, list) and isinstance(value[0], DataValue)


def example_of(value: Any, k: int) -> Any:
    """The example at a place."""
    if isinstance(value, tuple):
        return tuple(example_of(part, k) for part in value)
    return value[k]


def column(type: t.Type, values: Sequence[Any]) -> Any:
    """A list of examples as a batch. Raises NoForest for arrays that differ in shape."""
    if isinstance(type, t.Product):
        return tuple(
            column(item, [value[k] for value in values]) for k, item in enumerate(type.items)
        )
    if any(isinstance(value, DataValue) for value in values) or not values:
        return list(values)
    if len({numpy.shape(value) for value in values}) > 1:
        raise NoForest(type)
    return stacked(values)


def stacked(values: Sequence[Any]) -> Any:
    """Values of one shape over a leading axis; a list of those that are data, or that
    differ in shape."""
    if values and isinstance(values[0], tuple):
        return tuple(map(stacked, zip(*values, strict=True)))
    if any(isinstance(value, DataValue | list) for value in values):
        return list(values)
    if len({numpy.shape(value) for value in values}) > 1:
        return list(values)
    if all(isinstance(value, numpy.ndarray | numpy.generic | int | float) for value in values):
        return numpy.array(values)
    import jax.numpy

    return jax.numpy.stack([jax.numpy.asarray(value) for value in values])


def mean(found: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """The mean of values and of their gradients."""
    import jax

    total = jax.tree.map(lambda *parts: sum(parts) / len(parts), *found)
    return total[0], total[1]


def packed_structure(value: Any) -> Any:
    """What a graph must know of a batch: of the trees in it; None where there are none."""
    if isinstance(value, Packed):
        return value.structure
    if isinstance(value, tuple):
        parts = tuple(map(packed_structure, value))
        return parts if any(part is not None for part in parts) else None
    return None


def leaves(value: Any, *, of_data: bool = True) -> Iterator[Any]:
    """What tuples and lists hold at any depth, and data values, if those are gone into.

    >>> list(leaves((1, [2, (3,)])))
    [1, 2, 3]
    """
    if isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item, of_data=of_data)
    elif of_data and isinstance(value, DataValue):
        yield from leaves(value.fields)
    else:
        yield value
