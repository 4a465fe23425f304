"""The numbers of a small network in one vector.

A step of a small network takes as long as it has operations. What an optimiser does with each
number by itself, as Adam and most others do, it can do with all of them in one operation where
they lie end to end: so they do inside a chunk of steps, and the optimiser's numbers with them.
A large network is left as it is: there it is the numbers that take time, and moving them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy

from .events import Weights

T = TypeVar("T")

SMALL = 1 << 12  # numbers, at most, that are laid end to end


@dataclass(frozen=True)
class Packing:
    """Trees of arrays like the weights, each as one vector."""

    form: Any
    shapes: tuple[tuple[int, ...], ...]
    dtype: Any

    def vector(self, tree: Weights) -> Any:
        pairs = zip(jax.tree.leaves(tree), self.shapes, strict=True)
        return jnp.concatenate([jnp.broadcast_to(leaf, shape).ravel() for leaf, shape in pairs])

    def tree(self, vector: Any) -> Weights:
        ends = numpy.cumsum([math.prod(shape) for shape in self.shapes])
        parts = jnp.split(vector, ends[:-1])
        pairs = zip(parts, self.shapes, strict=True)
        return jax.tree.unflatten(self.form, [part.reshape(shape) for part, shape in pairs])

    def packed(self, state: T) -> tuple[T, Callable[[T], T]]:
        """A state in which whatever is like the weights is a vector, and the way back."""
        parts, outside = jax.tree.flatten(state, is_leaf=self._fits)
        whole = [self._fits(part) for part in parts]

        def changed(state: T, change: Callable[[Any], Any]) -> T:
            parts = zip(outside.flatten_up_to(state), whole, strict=True)
            found: T = outside.unflatten([change(part) if fits else part for part, fits in parts])
            return found

        return changed(state, self.vector), lambda packed: changed(packed, self.tree)

    def _fits(self, tree: Any) -> bool:
        return jax.tree.structure(tree) == self.form and _looks(tree) == (self.shapes, self.dtype)


def packing(weights: Weights) -> Packing | None:
    """How trees like the weights are packed; None where that does not pay."""
    leaves, form = jax.tree.flatten(weights)
    shapes, dtype = _looks(weights)
    if len(leaves) < 2 or dtype is None or sum(map(math.prod, shapes)) > SMALL:
        return None
    return Packing(form, shapes, dtype)


def _looks(tree: Any) -> tuple[tuple[tuple[int, ...], ...], Any]:
    """The shapes of its arrays, and the kind of number that they share."""
    leaves = jax.tree.leaves(tree)
    kinds = {leaf.dtype for leaf in leaves}
    return tuple(leaf.shape for leaf in leaves), kinds.pop() if len(kinds) == 1 else None
