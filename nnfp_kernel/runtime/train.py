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
import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy
import optax

from . import chunks, columns, methods
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
    Started,
    Weights,
)
from .examples import Buckets
from .methods import Schedule

CHUNK_SECONDS = 0.08  # a stop is seen within this, and progress told as often
MEASURED_AT_ONCE = 512  # examples in one call, when a loss is only measured


# --- what is trained ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Objective:
    """What is minimised, as pure functions of weights, a batch and a random key.

    value_and_grad   the mean loss over the batch and its gradient in the weights
    losses           one loss per example, with dropout off
    metric           one number per example, to be read by people; its mean is shown
    blame            where a value that is not finite came from, in words, for the batch
                     on which it did

    Keep the object to train again: its functions are compiled once.
    """

    value_and_grad: Callable[[Weights, Batch, Key], tuple[Any, Weights]]
    losses: Callable[[Weights, Batch, Key], Any]
    metric: Callable[[Weights, Batch, Key], Any] | None = None
    blame: Callable[[Weights, Batch, Key], str] | None = None


# --- how it is trained ---


def train(
    objective: Objective,
    weights: Weights,
    data: Sequence[Any] | Buckets,
    *,
    optimizer: str | optax.GradientTransformation = "adam",
    rate: float | str | Schedule | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    batch: int = 32,
    valid: float = 0.0,
    seed: int = 0,
    until: Callable[[Epoch | Measured], bool] | None = None,
    keep: Callable[[Weights], None] | None = None,
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
    are of one bucket each. An epoch sees every example once, in an
    order drawn from `seed`; a batch may reach over the end of an epoch. `rate` is a
    number, the name of a schedule with or without its peak (`cosine`, `cosine 0.01`), or
    a function of the step. `valid` is the share of examples held out, measured at the
    end of every epoch. `until` is asked there too, and ends the training by True. `keep`
    is handed the kept weights, however it ended, before the last event.

    KeyboardInterrupt, inside or thrown in at a yield, ends it with what is kept so far.
    Raises ValueError for arguments that make no sense, before the first event.
    """
    leaves = jax.tree.leaves(weights)
    if not sum(numpy.size(leaf) for leaf in leaves):
        raise ValueError("there are no weights to train")
    given = data if isinstance(data, Buckets) else columns.read(data)
    if batch < 1:
        raise ValueError(f"a batch has at least one example, not {batch}")
    if not 0 <= valid < 1:
        raise ValueError(f"the share held out for validation is from 0 to below 1, not {valid}")
    if (epochs is not None and not epochs > 0) or (steps is not None and steps < 1):
        raise ValueError("train for a positive number of epochs or steps")

    total = columns.count(given)
    held_out = min(total - 1, max(1, round(total * valid))) if valid else 0
    examples = total - held_out
    if examples < 1 or (valid and not held_out):
        raise ValueError(f"too few examples: {total}")
    size = min(batch, examples)
    shuffled = numpy.random.default_rng([seed, 1]).permutation(total) if held_out else None
    parts: tuple[Batch, Batch] = (given, ())
    if shuffled is not None:
        kept, aside = shuffled[held_out:], shuffled[:held_out]
        parts = columns.some(given, kept), columns.some(given, aside)
    slots = columns.slots(columns.ordered(parts[0]), size)
    if steps is None:
        epochs = 5.0 if epochs is None else float(epochs)
        steps = math.ceil(epochs * slots / size - 1e-9)
    else:
        epochs = steps * size / slots
    method, rates, name = methods.method(optimizer, rate, steps)
    plan = _Plan(objective, method, rates, name, *parts, size, epochs, steps, seed, until, keep)
    return _events(plan, jax.tree.map(jnp.asarray, weights))


# --- the loop ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Plan:
    """All that is fixed during a training."""

    objective: Objective
    method: optax.GradientTransformation
    rates: Schedule | None
    optimizer: str
    data: Batch
    held_out: Batch
    batch: int
    epochs: float
    steps: int
    seed: int
    until: Callable[[Epoch | Measured], bool] | None
    keep: Callable[[Weights], None] | None

    @property
    def examples(self) -> int:
        """The length of an epoch's order."""
        return columns.slots(columns.ordered(self.data), self.batch)

    def chunk(self, weights: Weights, key: Key) -> chunks.Chunk:
        """The function that takes steps."""
        scaled = self.rates is not None
        gradient = self.objective.value_and_grad
        return chunks.chunk(gradient, self.method, scaled, self.batch, weights, self.data, key)

    def first_orders(self, key: Key) -> Any:
        """The order of the first epoch and of the second."""
        of = columns.ordered(self.data)
        return jnp.concatenate([chunks.order(key, k, of, self.batch) for k in (0, 1)])

    def epochs_at(self, step: int) -> float:
        """Passes over the examples; the last batch may reach over the end of the last."""
        return min(step * self.batch / self.examples, self.epochs)

    def end_of_epoch(self, epoch: int) -> int:
        """The number of steps after which every example was seen `epoch` times."""
        return math.ceil(epoch * self.examples / self.batch)

    def rates_from(self, step: int) -> numpy.ndarray:
        """The rates of the next steps, as many as a chunk can have."""
        dtype = jnp.zeros(()).dtype
        if self.rates is None:
            return numpy.ones(chunks.CHUNK_STEPS, dtype)
        following = step + jnp.arange(chunks.CHUNK_STEPS)
        rates = jax.vmap(self.rates, axis_size=chunks.CHUNK_STEPS)(following)
        return numpy.asarray(rates, dtype)

    def measure(self, weights: Weights, on: Literal["validation", "training"]) -> tuple[float, ...]:
        """The mean loss and metric of the held-out or of the training examples."""
        data = self.held_out if on == "validation" else self.data
        losses, metrics = self.objective.losses, self.objective.metric
        key = jax.random.fold_in(jax.random.key(self.seed), 2)
        number = columns.count(data)
        at_once = min(number, MEASURED_AT_ONCE)
        sums = numpy.zeros(2)
        if isinstance(data, Buckets):
            run = chunks.measure(losses, metrics)
            for places in data.parts(at_once):
                part = run(weights, data, places, places >= 0, key)
                sums += [float(part[0]), float(part[1])]
            return float(sums[0] / number), float(sums[1] / number)
        if any(map(columns.listed, data)):
            for start in range(0, number, at_once):
                examples = columns.taken(data, numpy.arange(start, min(start + at_once, number)))
                sums[0] += float(jnp.sum(losses(weights, examples, key)))
                sums[1] += float(jnp.sum(metrics(weights, examples, key))) if metrics else 0
            return float(sums[0] / number), float(sums[1] / number)
        run = chunks.measure(losses, metrics)
        for start in range(0, number, at_once):
            place = numpy.arange(start, start + at_once)
            mask = place < number
            part = run(weights, data, numpy.where(mask, place, 0), mask, key)
            sums += [float(part[0]), float(part[1])]
        loss, metric = sums / number
        return float(loss), float(metric)


def _events(plan: _Plan, weights: Weights) -> Generator[Event, None, None]:
    begun = time.perf_counter()
    objective, steps = plan.objective, plan.steps
    on: Literal["validation", "training"] = "validation" if plan.held_out else "training"
    measures = bool(plan.held_out) or objective.metric is not None
    key = jax.random.key(plan.seed)
    state = chunks.State(
        weights,
        plan.method.init(weights),
        plan.first_orders(key),
        jnp.int32(0),
        jnp.int32(0),
    )
    before: tuple[chunks.State, int] | None = None  # the last chunk's start and its first step
    taken = 0  # steps, all of them finite
    epoch = 1  # the one in progress
    epoch_losses: list[float] = []
    best: tuple[Measured, Weights] | None = None
    measured: Measured | None = None
    failure: Failure | None = None
    reason: Literal["finished", "until", "interrupted", "diverged"] = "finished"
    running = 0.0  # seconds in chunks, compiling apart

    def measure_now() -> Measured:
        nonlocal best, measured
        loss, metric = plan.measure(state.weights, on)
        better = on == "validation" and math.isfinite(loss)
        better = better and (best is None or loss < best[0].loss)
        known = None if objective.metric is None else metric
        measured = Measured(plan.epochs_at(taken), taken, on, loss, known, better)
        if better:
            best = (measured, state.weights)
        return measured

    try:
        yield Started(
            examples=columns.count(plan.data),
            held_out=columns.count(plan.held_out) if plan.held_out else 0,
            batch=plan.batch,
            steps=steps,
            epochs=plan.epochs,
            weights=sum(int(leaf.size) for leaf in jax.tree.leaves(weights)),
            optimizer=plan.optimizer,
        )
        clock = time.perf_counter()
        run = plan.chunk(weights, key)
        jax.block_until_ready(run(state, plan.data, key, 0, 0, plan.rates_from(0)))
        compiled = time.perf_counter()
        yield Compiled(compiled - clock)

        count = 1
        while taken < steps and reason == "finished":
            limit = min(steps - taken, chunks.CHUNK_STEPS)
            if measures or plan.until:
                limit = min(limit, plan.end_of_epoch(epoch) - taken)
            now = min(count, limit)
            rates = plan.rates_from(taken)
            clock = time.perf_counter()
            after, losses, done, failed = run(state, plan.data, key, taken, now, rates)
            losses = numpy.asarray(losses)[: int(done)]  # waits for the chunk
            elapsed = time.perf_counter() - clock
            running += elapsed

            if failed:
                good = int(done) - 1
                # The loss at these weights was not finite: go one step further back.
                # If it was, they are good, and it is the next ones that are not.
                failing = _again(run, plan, key, (state, taken), good)
                failure = _failure(plan, failing, key, taken + good, float(losses[good]))
                if math.isfinite(float(losses[good])):
                    state, taken = failing, taken + good
                elif good > 0:
                    state = _again(run, plan, key, (state, taken), good - 1)
                    taken += good - 1
                elif before is not None:
                    state = _again(run, plan, key, before, taken - before[1] - 1)
                    taken -= 1
                reason = "diverged"
                break

            before = (state, taken)
            state, taken = after, taken + now
            # Towards chunks of the wanted time, without trusting one measurement much.
            wanted = now * CHUNK_SECONDS / max(elapsed, 1e-9)
            if now == count or wanted < count:
                count = max(1, min(int(wanted), 4 * count, chunks.CHUNK_STEPS))
            told = time.perf_counter()
            yield Progress(
                step=taken,
                steps=steps,
                epoch=plan.epochs_at(taken),
                losses=losses,
                rate=None if plan.rates is None else float(rates[now - 1]),
                examples_per_second=taken * plan.batch / running,
                seconds=told - begun,
                seconds_left=(steps - taken) * (told - compiled) / taken,
            )

            epoch_losses.extend(map(float, losses))
            while plan.end_of_epoch(epoch) <= taken:
                ended = plan.end_of_epoch(epoch)
                of_this = len(epoch_losses) - (taken - ended)
                loss = float(numpy.mean(epoch_losses[:of_this]))
                del epoch_losses[:of_this]
                finished_epoch = Epoch(epoch, ended, loss)
                yield finished_epoch
                epoch += 1
                news: list[Epoch | Measured] = [finished_epoch]
                if measures:
                    news.append(measure_now())
                    yield news[1]
                if plan.until is not None and any(plan.until(event) for event in news):
                    reason = "until"
        if measures and reason == "finished" and (measured is None or measured.step < taken):
            yield measure_now()
    except KeyboardInterrupt:
        reason = "interrupted"

    if reason == "interrupted" and measures and taken > (measured.step if measured else -1):
        with contextlib.suppress(KeyboardInterrupt):  # then what was measured before decides
            yield measure_now()

    by_validation = best is not None
    kept_weights, kept_step = (best[1], best[0].step) if best else (state.weights, taken)
    if plan.keep is not None:
        plan.keep(kept_weights)
    about = best[0] if best else measured if measured and measured.step == taken else None
    yield Finished(
        reason=reason,
        step=failure.step if failure else taken,
        epoch=plan.epochs_at(failure.step if failure else taken),
        seconds=time.perf_counter() - begun,
        examples_per_second=taken * plan.batch / running if running else 0.0,
        weights=kept_weights,
        kept_step=kept_step,
        kept_epoch=plan.epochs_at(kept_step),
        kept_by="validation" if by_validation else "last",
        measured=about,
        failure=failure,
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
    return run(state, plan.data, key, first, count, plan.rates_from(first))[0]


def _failure(plan: _Plan, state: chunks.State, key: Key, step: int, loss: float) -> Failure:
    """What the step at fault was computed from."""
    order, offset, examples = numpy.asarray(state.order), int(state.offset), plan.examples
    if offset >= examples:  # its epoch had not yet been turned
        following = chunks.order(key, state.epoch + 2, columns.ordered(plan.data), plan.batch)
        order = numpy.concatenate([order[examples:], following])
        offset -= examples
    indices = order[offset : offset + plan.batch]
    batch = columns.taken(plan.data, indices)
    drawn = chunks.step_key(key, step)
    blame = plan.objective.blame
    cause = blame(state.weights, batch, drawn) if blame is not None else ""
    return Failure(step + 1, loss, state.weights, batch, drawn, cause)
