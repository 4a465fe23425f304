"""All that is fixed during a training: what is minimised, on which examples, by which steps.

    Objective   a few pure functions of weights, a batch and a random key
    Plan        the same with data, method, devices and options, which `train` has checked

The loop knows nothing of programs or notebooks: what it knows stands here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy

from ...language.source import Span
from ..machine import memory as memories
from ..machine.devices import Layout
from . import checkpoints, chunks, columns, methods
from .checkpoints import Position
from .events import (
    Batch,
    Epoch,
    Key,
    Measured,
    Started,
    Weights,
)
from .examples import Buckets

CHUNK_SECONDS = 0.08  # a stop is seen within this, and progress told as often
PIECES = 200  # of a training that is watched, at least
MEASURED_AT_ONCE = 512  # examples in one call, when a loss is only measured


@dataclass(frozen=True, eq=False)
class Objective:
    """What is minimised, as pure functions of weights, a batch and a random key.

    value_and_grad   the mean loss over the batch and its gradient in the weights
    losses           one loss per example, with dropout off
    metric           one number per example, to be read by people; its mean is shown
    blame            where a value that is not finite came from, in words, for the batch
                     on which it did
    live             the bytes alive at most in `value_and_grad`, beside the weights, counted
                     for batches of so many of these examples; None where nobody knows
    place            where it is written

    A batch is a tuple of columns; on a mesh it is `Shares` of them (examples.py).
    Keep the object to train again: its functions are compiled once.
    """

    value_and_grad: Callable[[Weights, Batch, Key], tuple[Any, Weights]]
    losses: Callable[[Weights, Batch, Key], Any]
    metric: Callable[[Weights, Batch, Key], Any] | None = None
    blame: Callable[[Weights, Batch, Key], str] | None = None
    live: Callable[[Weights, Batch, int], int | None] | None = None
    place: Span | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is fixed during a training."""

    objective: Objective
    way: chunks.Way
    rates: methods.Rates
    optimizer: str
    data: Batch
    held_out: Batch
    batch: int
    epochs: float
    steps: int
    seed: int
    until: Callable[[Epoch | Measured], bool] | None
    patience: int | None  # validations without improvement
    keep: Callable[[Weights], None] | None
    folder: Path | None  # of checkpoints
    every: float  # seconds between them
    asked: checkpoints.Asked
    layout: Layout | None  # on several devices
    memory: int | None  # bytes it may take; None: what is free
    watched: bool  # progress is told often
    told: str = ""  # to other processes, which must be told the same

    @cached_property
    def key(self) -> Key:
        """The key of all its random draws."""
        return _key(self.seed, jax.config.jax_enable_x64, jax.config.jax_default_prng_impl)

    @property
    def piece(self) -> int:
        """The steps, at most, between two events of progress."""
        return math.ceil(self.steps / PIECES) if self.watched else self.steps

    @property
    def chunk_seconds(self) -> float:
        return CHUNK_SECONDS / 2 if self.watched else CHUNK_SECONDS

    @property
    def measures(self) -> bool:
        """Whether there is something to measure at the end of an epoch."""
        return bool(self.held_out) or self.objective.metric is not None

    def start(self, weights: Weights) -> Position:
        """The position before the first step."""
        of = columns.ordered(self.data)
        return Position(chunks.start(self.way, of, self.batch, weights, self.key))

    def started(self, at: Position) -> Started:
        return Started(
            examples=columns.count(self.data),
            held_out=columns.count(self.held_out) if self.held_out else 0,
            batch=self.batch,
            steps=self.steps,
            epochs=self.epochs,
            weights=sum(int(leaf.size) for leaf in jax.tree.leaves(at.state.weights)),
            optimizer=self.optimizer,
            resumed=at.taken,
        )

    def estimate(self, at: Position) -> memories.Estimate | None:
        """The memory it will take; None where nobody knows what a gradient takes."""
        count, weights = self.objective.live, at.state.weights
        live = None if count is None else count(weights, self.data, self.batch)
        if live is None:
            return None
        live //= self.layout.shares if self.layout else 1
        state = at.state.weights, at.state.memory, at.state.average
        data = columns.arrays(self.data), columns.arrays(self.held_out)
        return memories.Estimate(_bytes(state), _bytes(data), live)

    @property
    def examples(self) -> int:
        """The length of an epoch's order."""
        return columns.slots(columns.ordered(self.data), self.batch)

    def on_devices(self, array: Any) -> Any:
        """An array where the training is."""
        return array if self.layout is None else self.layout.everywhere(array)

    def together(self, arrays: Any) -> Any:
        """Arrays of the training for whoever goes on with them."""
        return arrays if self.layout is None else self.layout.together(arrays)

    def chunk(self, weights: Weights, key: Key) -> chunks.Chunk:
        """The function that takes steps."""
        gradient = self.objective.value_and_grad
        return chunks.chunk(gradient, self.way, self.batch, weights, self.data, key, self.layout)

    def epochs_at(self, step: int) -> float:
        """Passes over the examples; the last batch may reach over the end of the last."""
        return min(step * self.batch / self.examples, self.epochs)

    def end_of_epoch(self, epoch: int) -> int:
        """The number of steps after which every example was seen `epoch` times."""
        return math.ceil(epoch * self.examples / self.batch)

    def measure(self, weights: Weights, on: Literal["validation", "training"]) -> tuple[float, ...]:
        """The mean loss and metric of the held-out or of the training examples."""
        data = self.held_out if on == "validation" else self.data
        losses, metrics = self.objective.losses, self.objective.metric
        key = self.on_devices(jax.random.fold_in(self.key, 2))
        number = columns.count(data)
        at_once = min(number, MEASURED_AT_ONCE)
        sums = numpy.zeros(2)
        shares = 1 if self.layout is None else self.layout.shares
        if isinstance(data, Buckets):
            run = chunks.measure(losses, metrics, self.layout)
            for places in data.parts(at_once, shares):
                part = run(weights, data, places, places >= 0, key)
                sums += [float(part[0]), float(part[1])]
            return float(sums[0] / number), float(sums[1] / number)
        if columns.some_listed(data):
            for start in range(0, number, at_once):
                examples = columns.taken(data, numpy.arange(start, min(start + at_once, number)))
                if self.layout is not None:
                    examples = columns.spread(examples, self.layout)
                sums[0] += float(jnp.sum(losses(weights, examples, key)))
                sums[1] += float(jnp.sum(metrics(weights, examples, key))) if metrics else 0
            return float(sums[0] / number), float(sums[1] / number)
        at_once = math.ceil(at_once / shares) * shares
        run = chunks.measure(losses, metrics, self.layout)
        for start in range(0, number, at_once):
            place = numpy.arange(start, start + at_once)
            mask = place < number
            part = run(weights, data, numpy.where(mask, place, 0), mask, key)
            sums += [float(part[0]), float(part[1])]
        loss, metric = sums / number
        return float(loss), float(metric)


@lru_cache(maxsize=16)
def _key(seed: int, *_config: Any) -> Key:
    """A seed's key: made once, for that takes as long as some steps of a small network. What
    JAX makes of a seed depends on its configuration."""
    return jax.random.key(seed)


def _bytes(tree: Any) -> int:
    """The bytes of its arrays on one device."""

    def own(leaf: Any) -> int:
        lies = getattr(leaf, "sharding", None)
        shape: tuple[int, ...] = leaf.shape
        if lies is not None and not isinstance(lies, jax.sharding.SingleDeviceSharding):
            shape = lies.shard_shape(shape)
        size: int = leaf.dtype.itemsize
        return math.prod(shape) * size

    return sum(map(own, jax.tree.leaves(tree)))
