"""Training: a loop that yields what happens, as data.

    train(objective, weights, data, …)   ->   Started, Progress …, Epoch, Measured, …, Finished

The loop knows nothing of programs or notebooks: an `Objective` is a few pure functions
of weights, a batch and a random key. Steps run in compiled chunks of some 80 ms: batches
are drawn on the device, the number of steps of a chunk is an argument and not a shape,
so Python is entered ten times a second and a stop is seen as often.

Examples that make no array, trees or sequences of different lengths, come as a list: then
a batch is put together in Python, step by step, and what is compiled is the objective's affair.

A chunk's input is not donated: the state before it is the way back, when an interrupt
falls into it or when a value in it turns NaN. Inside the chunk XLA reuses its buffers.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy
import optax

from ..language.diagnostics import NnfpError
from ..language.source import Span
from . import checkpoints, chunks, columns, methods, processes
from . import devices as machines
from . import memory as memories
from .checkpoints import Position
from .devices import Devices, Layout, Shard
from .events import (
    Batch,
    Compiled,
    Epoch,
    Event,
    Failure,
    Finished,
    Key,
    Measured,
    Progress,
    Reason,
    Saved,
    Started,
    Warned,
    Weights,
)
from .examples import Buckets
from .files import reason
from .methods import Schedule
from .stream import Ended, Stream, is_stream, raised

T = TypeVar("T")

CHUNK_SECONDS = 0.08  # a stop is seen within this, and progress told as often
PIECES = 200  # of a training that is watched, at least
MEASURED_AT_ONCE = 512  # examples in one call, when a loss is only measured
HARDLY = 1 << 20  # bytes: a training that takes no more fits wherever Python does
LOOKED_AT = 100  # steps, after which weights that have not moved are told of
GROWN = 100.0  # times its first value: a loss that is told to grow


# --- what is trained ---------------------------------------------------------------------


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

    Keep the object to train again: its functions are compiled once.
    """

    value_and_grad: Callable[[Weights, Batch, Key], tuple[Any, Weights]]
    losses: Callable[[Weights, Batch, Key], Any]
    metric: Callable[[Weights, Batch, Key], Any] | None = None
    blame: Callable[[Weights, Batch, Key], str] | None = None
    live: Callable[[Weights, Batch, int], int | None] | None = None
    place: Span | None = None


# --- how it is trained ---


def train(
    objective: Objective,
    weights: Weights,
    data: Sequence[Any] | Buckets | Iterable[Any],
    *,
    optimizer: str | optax.GradientTransformation = "adam",
    rate: float | str | Schedule | None = None,
    schedule: str | Schedule | None = None,
    warmup: int = 0,
    clip: float | optax.GradientTransformation | None = None,
    decay: float | None = None,
    ema: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    batch: int = 32,
    valid: float | Sequence[Any] | Buckets = 0.0,
    seed: int = 0,
    until: Callable[[Epoch | Measured], bool] | None = None,
    patience: int | None = None,
    keep: Callable[[Weights], None] | None = None,
    checkpoint: str | Path | None = None,
    every: float = 60.0,
    resume: bool = False,
    devices: Devices | None = None,
    shard: Shard = (),
    memory: int | None = None,
    watched: bool = False,
) -> Generator[Event, None, None]:
    """Minimise the mean loss over the examples; yields events, the last one `Finished`.

    >>> objective = Objective(
    ...     lambda w, xs, key: (jnp.mean((xs[0] - w) ** 2), 2 * (w - jnp.mean(xs[0]))),
    ...     lambda w, xs, key: (xs[0] - w) ** 2,
    ... )
    >>> data = (numpy.array([1.0, 2.0, 3.0]),)
    >>> *_, last = train(objective, 0.0, data, optimizer="sgd", rate=0.1, steps=100, batch=3)
    >>> last.reason, round(float(last.weights), 6)
    ('finished', 2.0)

    `data` are arrays of one leading length, or lists where examples differ in shape: then
    the functions of the objective are handed lists; or examples in buckets, whose batches
    are of one bucket each. An epoch sees every example once, in an order drawn from `seed`; a
    batch may reach over the end of an epoch. Or they are an iterable of batches (see
    `stream`), gone through for so many `steps` and read ahead by a thread: an epoch is then a
    hundred steps, and the size of a batch its own.

    `rate` is a number, the name of a schedule with or without its peak (`cosine`,
    `cosine 0.01`), or a function of the step; `schedule` names or is the schedule alone, and
    for `warmup` steps the rate rises before it. `clip` bounds the norm of the gradient, and
    `decay` pulls the weights to zero, apart from it (see `methods.method`). With an `ema`,
    0.999, what is measured and kept is the moving average of the weights.

    `valid` is the share of examples held out, measured at the end of every epoch, or it is
    those examples, given as `data` are. `until` is asked there too, and ends the training by
    True; `patience` ends it after so many validations without a better one. `keep` is
    handed the kept weights, however it ended, before the last event.

    With a `checkpoint` folder the training is kept there, `every` so many seconds and when it ends;
    with `resume` it goes on from what is there, step for step as if it had not stopped.
    One that stopped is not written over: that is an error, as is a checkpoint of a
    training with another seed, batch, data, optimiser or rate. More steps are no matter.

    On several `devices`, so many or a mesh of them such as "batch=2,model=4", each has its
    share of every batch, and all have the weights, but for those whose paths `shard` splits:
    "attention.*=model" along their first axis, "net.W=_,model" along the second. The weights
    that come of it are those of one device, to rounding. Where JAX has several processes all of
    their devices take part, and process 0 alone writes checkpoints.

    Where it is `watched`, progress is told twice as often, and in PIECES of a like number of
    steps at least, however fast it goes: then the weights can be seen on their way.

    It may take so many bytes of `memory`, or those that are free. What it will take is
    counted before it starts: a warning where that is more, NnfpError where it cannot fit.
    Memory that is exhausted ends it with what is kept so far, and then raises NnfpError.

    KeyboardInterrupt, inside or thrown in at a yield, ends it with what is kept so far.
    Raises ValueError for arguments that make no sense, before the first event.
    """
    leaves = jax.tree.leaves(weights)
    if not sum(numpy.size(leaf) for leaf in leaves):
        raise ValueError("there are no weights to train")
    if batch < 1:
        raise ValueError(f"a batch has at least one example, not {batch}")
    share = valid if isinstance(valid, float | int) else 0.0
    aside = () if isinstance(valid, float | int) else _columns(valid)
    if not 0 <= share < 1:
        raise ValueError(f"the share held out for validation is from 0 to below 1, not {valid}")
    if (epochs is not None and not epochs > 0) or (steps is not None and steps < 1):
        raise ValueError("train for a positive number of epochs or steps")
    if ema is not None and not 0 < ema < 1:
        raise ValueError(f"of an average a share between 0 and 1 is left by a step, not {ema}")
    if patience is not None and patience < 1:
        raise ValueError(f"patience is for one validation at least, not {patience}")
    if patience is not None and not share and not aside:
        raise ValueError("patience is with validations: hold a share of the examples out")

    if is_stream(data):
        if steps is None:
            raise ValueError("nobody knows how long a stream is: say how many steps to train")
        if share:
            raise ValueError("no share of a stream is held out: give examples to validate on")
        if objective.metric is not None and not aside:
            raise ValueError("a metric is not measured on a stream: give examples to validate on")
        given = (
            data
            if isinstance(data, Stream)
            else Stream(cast(Iterable[Any], data), columns.read_batch)
        )
        size, learned = _size(given), given
    else:
        given = _columns(data)
        total = columns.count(given)
        held_out = min(total - 1, max(1, round(total * share))) if share else 0
        examples = total - held_out
        if examples < 1 or (share and not held_out):
            raise ValueError(f"too few examples: {total}")
        size = min(batch, examples)
        learned = given
        if held_out:
            shuffled = numpy.random.default_rng([seed, 1]).permutation(total)
            kept, out = shuffled[held_out:], shuffled[:held_out]
            learned, aside = columns.some(given, kept), columns.some(given, out)
    slots = columns.slots(columns.ordered(learned), size)
    if steps is None:
        epochs = 5.0 if epochs is None else float(epochs)
        steps = math.ceil(epochs * slots / size - 1e-9)
    else:
        epochs = steps * size / slots
    method, name = methods.method(optimizer, clip, decay)
    scheduled = methods.rates(optimizer, rate, schedule, warmup, steps)
    rates = methods.Rates(scheduled, chunks.CHUNK_STEPS)
    way = chunks.Way(method, scheduled is not None, ema, methods.by_number(optimizer, clip))
    if devices is None:
        devices = jax.device_count() if processes.several() else 1
    layout = machines.layout(devices, shard, weights, size)
    folder = None if checkpoint is None else Path(checkpoint)
    asked = {
        "seed": seed,
        "batch": size,
        "share held out": share,
        "optimiser": name,
        "rate": "a function of the step" if callable(rate) else rate,
        "schedule": "a function of the step" if callable(schedule) else schedule,
        "warmup": warmup or None,
        "clip": "optax" if isinstance(clip, optax.GradientTransformation) else clip,
        "decay": decay,
        "ema": ema,
    }
    if folder is not None:
        if not every >= 0:
            raise ValueError(f"checkpoints are some seconds apart, not {every}")
        asked["data"] = _fingerprint(given)
        asked["validation data"] = None if share else _fingerprint(aside) or None
        left = checkpoints.unfinished(folder)
        if left and not resume:
            raise ValueError(f"{folder} holds {left}: resume it, or name another folder")
    elif resume:
        raise ValueError("to go on from a checkpoint, name the folder that holds it")
    plan = _Plan(
        objective, way, rates, name, learned, aside, size, epochs, steps, seed, until, patience,
        keep, folder, every, asked, layout, memory, watched,
    )  # fmt: skip
    start = plan.start(jax.tree.map(columns.array, weights))
    if folder is not None and resume:
        start = checkpoints.read(folder, start, asked)
    if isinstance(given, Stream):
        with contextlib.suppress(Ended):  # the loop tells it
            given.skip(start.taken)
    if processes.several():
        held = [_checksums(each) for each in (given, aside, jax.tree.leaves(weights))]
        plan = replace(plan, told=repr((asked, steps, start.taken, devices, shard, held)))
    if layout is not None:
        here = columns.everywhere(learned, layout)
        plan = replace(plan, data=here, held_out=columns.everywhere(aside, layout))
        start = replace(start, state=layout.placed(start.state))
    return _Training(plan, start).events()


def _columns(data: Any) -> Batch:
    return data if isinstance(data, Buckets) else columns.read(data)


def _fingerprint(data: Batch) -> str:
    if isinstance(data, Stream):
        return "a stream"
    return "" if isinstance(data, Buckets) else checkpoints.fingerprint(data)


def _checksums(data: Batch) -> str:
    """What tells apart the data that processes were given, what is in lists too."""
    if isinstance(data, Stream):
        return _fingerprint(data)
    leaves, form = jax.tree.flatten(data)
    shapes = repr(form) if columns.some_listed(data) else ""
    return f"{shapes} {checkpoints.fingerprint(leaves)}"


def _size(data: Stream) -> int:
    """How many examples a batch of a stream has. Raises what says why it has none."""
    try:
        return columns.count(data.at(0))
    except Ended as end:
        if isinstance(end.error, NnfpError):
            raise end.error from None
        if end.error is not None:
            raise ValueError(f"the stream gave no batch: {raised(end.error)}") from end.error
        raise ValueError("the stream is at its end, it gave no batch") from None


# --- the loop ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Plan:
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


class _Training:
    """A training under way: where it is, and what it does next."""

    def __init__(self, plan: _Plan, start: Position) -> None:
        self.plan, self.at = plan, start
        self.key = plan.on_devices(plan.key)
        self.begun = time.perf_counter()
        self.first = start.taken  # steps that were taken by the training it goes on from
        self.running = 0.0  # seconds in chunks, compiling apart
        self.before: tuple[chunks.State, int] | None = None  # the last chunk's start, its step
        self.failure: Failure | None = None
        self.error: BaseException | None = None
        self.reason: Reason = "finished"
        self.saved = self.begun
        self.grew = False  # whether it was told that the loss grows

    def events(self) -> Generator[Event, None, None]:
        try:
            with processes.interrupts() as self.stop:
                yield from self._events()
        finally:
            if isinstance(self.plan.data, Stream):
                self.plan.data.close()

    def _events(self) -> Generator[Event, None, None]:
        plan = self.plan
        processes.require_alike("other data, options or weights", plan.told)
        try:
            yield plan.started(self.at)
            yield from self._memory()
            yield from self._steps((yield from self._compile()))
            if plan.measures and self.reason == "finished" and not self._measured_here():
                yield self._measure()
        except KeyboardInterrupt:
            self.reason = "interrupted"
        except Ended as end:
            self.reason, self.error = "data" if end.error else "exhausted", end.error
        except (jax.errors.JaxRuntimeError, memories.Exhausted) as error:
            if not (isinstance(error, memories.Exhausted) or memories.is_exhausted(error)):
                raise
            self.reason = "memory"
            kept = f"The weights of step {self.at.kept[1]:,} are kept."
            self.error = memories.exhausted(error, plan.objective.place, kept)

        place = self.at  # to go on from: what is measured because it ends early is apart
        early = self.reason in ("interrupted", "exhausted", "data")
        if early and plan.measures and not self._measured_here():
            with contextlib.suppress(KeyboardInterrupt):  # then what was measured decides
                yield self._measure()
        keep = plan.keep
        if keep is not None:
            _though_struck(lambda: keep(plan.together(self.at.kept[0])))
        if plan.folder is not None:
            done = self.reason in ("finished", "until", "patience", "exhausted")
            with contextlib.suppress(KeyboardInterrupt):  # it is over
                yield _though_struck(lambda: self._save(place, done))
        yield self._finished()
        if self.reason == "memory" and self.error is not None:
            raise self.error

    def _memory(self) -> Generator[Event, None, None]:
        """What is to be said of the memory that it will take."""
        plan = self.plan
        estimate = plan.estimate(self.at)
        if estimate is None:
            return
        there, free = plan.memory, plan.memory
        if there is None:
            if estimate.total < HARDLY:
                return
            there, free = memories.total(), memories.free()
            if free is not None:
                free += estimate.state + estimate.data  # these are there already
        if there is None:
            return
        if estimate.least > there:
            raise memories.too_little(estimate, there, plan.objective.place)
        if free is not None and estimate.total > free:
            yield Warned(0, "memory", estimate=estimate, free=free)

    def _compile(self) -> Generator[Event, None, chunks.Chunk]:
        plan, at, clock = self.plan, self.at, time.perf_counter()
        run = plan.chunk(at.state.weights, self.key)
        if not run.compiled:
            rates = plan.rates.following(at.taken)
            jax.block_until_ready(run(at.state, plan.data, self.key, at.taken, 0, rates))
            run.compiled = True
        self.compiled = time.perf_counter()
        yield Compiled(self.compiled - clock)
        return run

    def _steps(self, run: chunks.Chunk) -> Generator[Event, None, None]:
        """Chunk after chunk, until the end or a failure."""
        plan, untouched = self.plan, self.at.state.weights
        yield from self._epochs()  # of a training that stopped right at an end
        while self.at.taken < plan.steps and self.reason == "finished":
            if processes.anyone(self.stop.wanted):
                raise KeyboardInterrupt
            at = self.at
            stream = isinstance(plan.data, Stream)
            most = chunks.STREAM_STEPS if stream else chunks.CHUNK_STEPS
            limit = min(plan.steps - at.taken, most, plan.piece)
            if plan.measures or plan.until:
                limit = min(limit, plan.end_of_epoch(at.epoch) - at.taken)
            (now,) = processes.agreed(min(run.count, limit))  # which is a matter of time
            rates = plan.rates.following(at.taken)
            clock = time.perf_counter()
            after, losses, done, failed = run(at.state, plan.data, self.key, at.taken, now, rates)
            losses = numpy.asarray(losses)[: int(done)]  # waits for the chunk
            elapsed = time.perf_counter() - clock
            self.running += elapsed
            if failed:
                self._fail(run, losses, int(done) - 1)
                return

            now = int(done)  # fewer than asked for where a stream ends
            self.before = (at.state, at.taken)
            if isinstance(plan.data, Stream):
                plan.data.forget(at.taken)
            so_far = (*at.epoch_losses, *losses.tolist())
            self.at = replace(at, state=after, taken=at.taken + now, epoch_losses=so_far)
            # Towards chunks of the wanted time, without trusting one measurement much.
            wanted = now * plan.chunk_seconds / max(elapsed, 1e-9)
            if now == run.count or wanted < run.count:
                run.count = max(1, min(int(wanted), 4 * run.count, chunks.CHUNK_STEPS))
            yield self._progress(losses, float(rates[now - 1]) if plan.way.scaled else None)
            yield from self._warnings(untouched, losses, now)
            yield from self._epochs()
            due = time.perf_counter() - self.saved >= plan.every
            if plan.folder is not None and processes.agreed(due)[0]:
                yield self._save(self.at, False)

    def _epochs(self) -> Generator[Event, None, None]:
        """The epochs that have ended. One is behind when all of it is done: an interrupt in
        between makes a training that goes on from there do it once more."""
        plan = self.plan
        while plan.end_of_epoch(self.at.epoch) <= self.at.taken:
            at = self.at
            ended = plan.end_of_epoch(at.epoch)
            of_this = len(at.epoch_losses) - (at.taken - ended)
            news: list[Epoch | Measured] = []
            news.append(Epoch(at.epoch, ended, float(numpy.mean(at.epoch_losses[:of_this]))))
            yield news[0]
            behind = replace(at, epoch=at.epoch + 1, epoch_losses=at.epoch_losses[of_this:])
            if plan.measures:
                behind, measured = self._measured(behind)
                news.append(measured)
            self.at = behind
            yield from news[1:]
            if plan.until is not None and any(plan.until(event) for event in news):
                self.reason = "until"
        patient = plan.patience is None or self.at.waited < plan.patience
        if not patient and self.reason == "finished" and self.at.taken < plan.steps:
            self.reason = "patience"

    def _measured_here(self) -> bool:
        return self.at.measured is not None and self.at.measured.step == self.at.taken

    def _measure(self) -> Measured:
        self.at, measured = self._measured(self.at)
        return measured

    def _measured(self, at: Position) -> tuple[Position, Measured]:
        """The position with its weights measured; they are the best if their loss is."""
        plan = self.plan
        on: Literal["validation", "training"] = "validation" if plan.held_out else "training"
        loss, metric = plan.measure(at.weights, on)
        better = on == "validation" and math.isfinite(loss)
        better = better and (at.best is None or loss < at.best[0].loss)
        known = None if plan.objective.metric is None else metric
        measured = Measured(plan.epochs_at(at.taken), at.taken, on, loss, known, better)
        best, waited = (measured, at.weights) if better else at.best, at.waited + 1
        waited = 0 if better else waited
        return replace(at, measured=measured, best=best, waited=waited), measured

    def _progress(self, losses: numpy.ndarray, rate: float | None) -> Progress:
        plan, taken, told = self.plan, self.at.taken, time.perf_counter()
        new = taken - self.first
        return Progress(
            step=taken,
            steps=plan.steps,
            epoch=plan.epochs_at(taken),
            losses=losses,
            rate=rate,
            examples_per_second=new * plan.batch / self.running,
            seconds=told - self.begun,
            seconds_left=(plan.steps - taken) * (told - self.compiled) / new,
            weights=functools.partial(plan.together, self.at.weights),
        )

    def _warnings(
        self, untouched: Weights, losses: numpy.ndarray, now: int
    ) -> Generator[Event, None, None]:
        """What a person should look at, each said once."""
        taken = self.at.taken - self.first
        if taken - now < LOOKED_AT <= taken:
            still = _unmoved(*self.plan.together((untouched, self.at.state.weights)))
            if still:
                yield Warned(self.at.taken, "unmoved", still)
        if self.first == 0 and taken == now:
            self.start_loss = abs(float(losses[0]))
        if not self.grew and self.first == 0 and taken > LOOKED_AT:
            factor = abs(float(numpy.mean(losses))) / max(self.start_loss, 1e-30)
            if factor > GROWN:
                self.grew = True
                yield Warned(self.at.taken, "grows", factor=factor)

    def _fail(self, run: chunks.Chunk, losses: numpy.ndarray, good: int) -> None:
        """Back to the last weights that are good, and what it failed on."""
        plan, at = self.plan, self.at
        # The loss at these weights was not finite: go one step further back.
        # If it was, they are good, and it is the next ones that are not.
        failing = _again(run, plan, self.key, (at.state, at.taken), good)
        self.failure = _failure(plan, failing, self.key, at.taken + good, float(losses[good]))
        state, taken = at.state, at.taken
        if math.isfinite(float(losses[good])):
            state, taken = failing, taken + good
        elif good > 0:
            state = _again(run, plan, self.key, (state, taken), good - 1)
            taken += good - 1
        elif self.before is not None:
            state = _again(run, plan, self.key, self.before, taken - self.before[1] - 1)
            taken -= 1
        self.at = replace(at, state=state, taken=taken)
        self.reason = "diverged"

    def _save(self, position: Position, ended: bool) -> Saved:
        """The position on disk. A disk that refuses ends no training: it is told."""
        assert self.plan.folder is not None
        place, problem = self.plan.folder / checkpoints.NAME, ""
        state, best = self.plan.together((position.state, position.best and position.best[1]))
        whole = replace(position, state=state, best=position.best and (position.best[0], best))
        try:
            if processes.first():
                checkpoints.write(self.plan.folder, whole, self.plan.asked, ended)
        except OSError as error:
            problem = reason(error)
        self.saved = time.perf_counter()
        return Saved(position.taken, str(place), problem)

    def _finished(self) -> Finished:
        plan, at, failure = self.plan, self.at, self.failure
        kept, kept_step = at.kept
        step, new = failure.step if failure else at.taken, at.taken - self.first
        return Finished(
            reason=self.reason,
            step=step,
            epoch=plan.epochs_at(step),
            seconds=time.perf_counter() - self.begun,
            examples_per_second=new * plan.batch / self.running if self.running else 0.0,
            weights=plan.together(kept),
            kept_step=kept_step,
            kept_epoch=plan.epochs_at(kept_step),
            kept_by="validation" if at.best else "last",
            measured=at.best[0] if at.best else at.measured if self._measured_here() else None,
            failure=failure,
            waited=at.waited,
            error=self.error,
        )


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


def _though_struck(do: Callable[[], T]) -> T:
    """What is done at the end, although an interrupt strikes: once more from the start. A
    second one is meant."""
    try:
        return do()
    except KeyboardInterrupt:
        return do()


def _unmoved(before: Weights, after: Weights) -> tuple[str, ...]:
    """The paths of weights of which no number has changed: their gradient is zero."""
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    same = [numpy.array_equal(one, other) for one, other in pairs]
    if not any(same):
        return ()
    places = jax.tree_util.tree_flatten_with_path(before)[0]
    return tuple(
        jax.tree_util.keystr(path, simple=True, separator=".")
        for (path, _), equal in zip(places, same, strict=True)
        if equal
    )


def _again(
    run: chunks.Chunk,
    plan: _Plan,
    key: Key,
    start: tuple[chunks.State, int],
    count: int,
) -> chunks.State:
    """The state `count` steps after a start: the same steps, so the same bits."""
    state, first = start
    return run(state, plan.data, key, first, count, plan.rates.following(first))[0]


def _places(plan: _Plan, state: chunks.State, key: Key) -> Any:
    """The places of the examples of the next step."""
    order, offset, examples = numpy.asarray(state.order), int(state.offset), plan.examples
    if offset > examples:  # its epoch had not yet been turned
        following = chunks.order(key, state.epoch + 1, columns.ordered(plan.data), plan.batch)
        order = numpy.concatenate([order[examples:], following])
        offset -= examples
    return order[offset : offset + plan.batch]


def _failure(plan: _Plan, state: chunks.State, key: Key, step: int, loss: float) -> Failure:
    """What the step at fault was computed from."""
    if isinstance(plan.data, Stream):
        batch = plan.data.at(step)
    else:
        batch = columns.taken(plan.data, _places(plan, state, key))
    drawn = chunks.step_key(key, step)
    weights, drawn = plan.together((state.weights, drawn))
    batch = batch if columns.some_listed(batch) else plan.together(batch)
    blame = plan.objective.blame
    cause = blame(weights, batch, drawn) if blame is not None else ""
    return Failure(step + 1, loss, weights, batch, drawn, cause)
