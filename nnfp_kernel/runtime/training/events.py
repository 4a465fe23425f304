"""What happens in a training, as data: its loop yields these, and everything that shows a
training is made of them.

    Started -> Compiled -> Progress … Epoch -> Measured … Warned … Saved … -> Finished

`follow` hands them on, one after the other, and lets an interrupt through.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy

from ..machine.interrupts import heard
from ..machine.memory import Estimate

Weights = Any  # nested dicts of arrays
Batch = Any  # arrays that share their leading axis, the examples; lists; Rows of a bucket
Key = Any


@dataclass(frozen=True)
class Started:
    """The first event, before anything is compiled."""

    examples: int  # 0 of a stream: then an epoch is a stretch of its steps
    held_out: int  # examples kept for validation
    batch: int
    steps: int
    epochs: float
    weights: int  # how many numbers are learned
    optimizer: str
    resumed: int = 0  # the step of the checkpoint that it goes on from


@dataclass(frozen=True)
class Compiled:
    seconds: float


@dataclass(frozen=True, eq=False)
class Progress:
    """A chunk of steps is done. `losses` has the loss of each of its steps."""

    step: int  # taken so far
    steps: int  # planned
    epoch: float  # passes over the examples so far
    losses: numpy.ndarray
    rate: float | None  # None: the optimiser's own affair
    examples_per_second: float
    seconds: float  # since the start
    seconds_left: float
    # The weights now, as they would be kept: the training's own arrays, of which no copy is made.
    weights: Callable[[], Weights] | None = field(default=None, repr=False)

    @property
    def loss(self) -> float:
        """The mean over the steps of this chunk."""
        return float(self.losses.mean())


@dataclass(frozen=True)
class Epoch:
    """Every example has been seen once more. `loss` is the mean over its steps."""

    epoch: int
    step: int
    loss: float


@dataclass(frozen=True)
class Measured:
    """The loss and the metric of the present weights, dropout off."""

    epoch: float
    step: int
    on: Literal["validation", "training"]
    loss: float
    metric: float | None
    best: bool  # the least validation loss so far


@dataclass(frozen=True)
class Warned:
    """Something a person should look at; the training goes on.

    unmoved   these weights have not changed at all: their gradient is zero
    grows     the loss has become `factor` times what it was at the start
    memory    it may take more memory, by `estimate`, than the bytes that are free
    """

    step: int
    what: Literal["unmoved", "grows", "memory"]
    paths: tuple[str, ...] = ()
    factor: float = 1.0
    estimate: Estimate | None = None
    free: int = 0


@dataclass(frozen=True)
class Saved:
    """A checkpoint is on disk; with a `problem`, it is not, and the one before still is."""

    step: int
    file: str
    problem: str = ""


Reason = Literal[
    "finished", "until", "patience", "interrupted", "diverged",
    "exhausted", "data",  # a stream ended before the steps did; or it raised an exception
    "memory",  # there was not enough
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Failure:
    """The step whose loss, or whose new weights, were not finite; with what it was
    computed from, and the cause, where the objective can tell it: "`log x` (cell 3, line 2)"."""

    step: int
    loss: float
    weights: Weights = field(repr=False)
    batch: Batch
    key: Key
    cause: str = ""


@dataclass(frozen=True, eq=False)
class Finished:
    """The last event: why it ended, and the weights that are kept.

    Kept are those of the least validation loss; without validation the last ones, and
    after a failure the last ones whose loss was finite.
    """

    reason: Reason
    step: int
    epoch: float
    seconds: float
    examples_per_second: float
    weights: Weights = field(repr=False)
    kept_step: int
    kept_epoch: float
    kept_by: Literal["validation", "last"]
    measured: Measured | None  # of the kept weights, if they were measured
    failure: Failure | None = None
    waited: int = 0  # validations without improvement, before it ended
    error: BaseException | None = None  # what a stream raised; for `memory` an NnfpError


Event = Started | Compiled | Progress | Epoch | Measured | Warned | Saved | Finished


def follow(events: Generator[Event, None, None], show: Callable[[Event], None]) -> Finished:
    """Hand every event to `show` and return the last one.

    An interrupt that strikes while `show` works ends the training as cleanly as one
    that strikes in the loop. One that Python drops, for it fell into a destructor, is seen
    with the next steps: had it been heard, there would be none.
    """
    last: Event | None = None
    interrupt: KeyboardInterrupt | None = None
    with heard() as signals:
        while not isinstance(last, Finished):
            try:
                last = next(events) if interrupt is None else events.throw(interrupt)
                interrupt = None
                show(last)
                if signals and isinstance(last, Progress):
                    raise KeyboardInterrupt
            except KeyboardInterrupt as struck:
                if isinstance(last, Finished):
                    show(last)  # it is over: what is left is to tell it
                    break
                if interrupt is not None:
                    raise  # twice: it is meant
                interrupt = struck
                signals.clear()
    return last
