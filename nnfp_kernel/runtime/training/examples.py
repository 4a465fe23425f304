"""Examples of any length that a training draws its batches from.

A batch is always of one bucket, so the order of an epoch is one of batches. The last batch
of a bucket has places to spare, which count for nothing. Buckets are a pytree: a compiled
chunk is handed them as an argument, and has a branch for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy

from ...graph.values import Declarations
from ..lower import Precision
from ..machine.devices import Layout
from ..ragged import Form, Structures, bucketed

Array = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Rows:
    """A batch of one bucket: the places of its examples, -1 for those to spare. On a mesh each
    device has its share of the rows."""

    buckets: Buckets
    places: Array
    layout: Layout | None = field(default=None, metadata={"static": True})

    def switch(self, ask: Callable[[int, Structures, Sequence[Array], Array], Any]) -> Any:
        """`ask(room, structures, arrays, mask)` for the bucket that the batch is of."""

        def branch(which: int) -> Callable[[Array], Any]:
            start = self.buckets.starts[which]

            def run(places: Array) -> Any:
                rows = jnp.maximum(places - start, 0)
                arrays = [jnp.take(a, rows, axis=0) for a in self.buckets.arrays[which]]
                capacity, structures = (
                    self.buckets.capacities[which],
                    self.buckets.structures[which],
                )
                return ask(capacity, structures, arrays, places >= 0)

            return run

        if not isinstance(self.places, jax.core.Tracer):  # the one, known before running
            which = int(numpy.searchsorted(self.buckets.starts, int(self.places[0]), "right")) - 1
            return branch(which)(self.places)
        branches = [branch(which) for which in range(len(self.buckets.capacities))]
        chosen = jnp.searchsorted(jnp.asarray(self.buckets.starts), self.places[0], side="right")
        return jax.lax.switch(chosen - 1, branches, self.places)


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Shares:
    """A batch, and the devices that share it (runtime/training/shares.py). One with lists among
    its columns is packed for them."""

    columns: tuple[Any, ...]
    layout: Layout = field(metadata={"static": True})


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Buckets:
    """Examples that differ in length, by the room they need. Of trees beside the sequences
    each has a forest of its own, all of a bucket in the room of the largest."""

    form: Form
    capacities: tuple[int, ...]
    structures: tuple[Structures, ...]  # of each bucket
    arrays: tuple[tuple[Array, ...], ...]  # of each bucket, a row an example

    @classmethod
    def of(
        cls,
        form: Form,
        examples: Sequence[tuple[Any, ...]],
        declarations: Declarations,
        precision: Precision,
        ordered: bool = False,
    ) -> Buckets:
        """All examples, packed once; `ordered`, trees with their payload in order."""
        rooms = numpy.array([form.capacity(example) for example in examples])
        capacities = tuple(map(int, numpy.unique(rooms)))
        structures, arrays = [], []
        for capacity in capacities:
            own = [examples[k] for k in map(int, numpy.flatnonzero(rooms == capacity))]
            structure, made = bucketed(form, own, capacity, declarations, precision, ordered)
            structures.append(structure)
            arrays.append(tuple(map(jnp.asarray, made)))
        return cls(form, capacities, tuple(structures), tuple(arrays))

    @property
    def sizes(self) -> list[int]:
        return [int(arrays[0].shape[0]) for arrays in self.arrays]

    @property
    def starts(self) -> list[int]:
        """Where the places of each bucket begin."""
        return [0, *map(int, numpy.cumsum(self.sizes)[:-1])]

    @property
    def count(self) -> int:
        return sum(self.sizes)

    def slots(self, batch: int) -> int:
        return sum(-(-size // batch) * batch for size in self.sizes)

    def order(self, key: Array, batch: int) -> Array:
        batches = []
        for which, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True)):
            own = jax.random.permutation(jax.random.fold_in(key, which), size)
            places = (start + own).astype(jnp.int32)
            spare = jnp.full(-size % batch, -1, jnp.int32)
            batches.append(jnp.concatenate([places, spare]).reshape(-1, batch))
        every = jnp.concatenate(batches)
        return jax.random.permutation(key, every).reshape(-1)

    def take(self, indices: Array) -> Rows:
        return Rows(self, jnp.asarray(indices))

    def only(self, indices: Array) -> Buckets:
        kept = []
        for start, size, arrays in zip(self.starts, self.sizes, self.arrays, strict=True):
            own = indices[(indices >= start) & (indices < start + size)] - start
            kept.append(tuple(jnp.take(array, own, axis=0) for array in arrays))
        some = [k for k, arrays in enumerate(kept) if arrays[0].shape[0]]
        rooms = tuple(self.capacities[k] for k in some)
        structures = tuple(self.structures[k] for k in some)
        return Buckets(self.form, rooms, structures, tuple(kept[k] for k in some))

    def parts(self, most: int, shares: int = 1) -> Iterator[Array]:
        """The places of all, so many at once at most, which so many devices share equally."""
        size = -(-min(most, max(self.sizes)) // shares) * shares
        for start, number in zip(self.starts, self.sizes, strict=True):
            yield from _in_parts(start + numpy.arange(number), size)

    def tree_flatten(self) -> tuple[Any, Any]:
        return (self.arrays,), (self.form, self.capacities, self.structures)

    @classmethod
    def tree_unflatten(cls, about: Any, children: Any) -> Buckets:
        return cls(*about, *children)


def _in_parts(places: Array, size: int) -> Iterator[Array]:
    for start in range(0, len(places), size):
        part = places[start : start + size]
        yield numpy.concatenate([part, numpy.full(size - len(part), -1)])
