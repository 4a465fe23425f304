"""The loop: chunk after chunk of steps, and what happens, as events.

A `Plan` and a `Position` go in. The loop decides when to measure, to save, to warn and to
end; after a step that failed it goes back to the last weights that are good.

A chunk's input is not donated: the state before it is the way back, when an interrupt
falls into it or when a value in it turns NaN. Inside the chunk XLA reuses its buffers.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, Literal, TypeVar

import jax
import numpy

from ..machine import memory as memories
from ..machine import processes
from ..machine.files import reason
from . import checkpoints, chunks, columns
from .checkpoints import Position
from .events import (
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
    Warned,
    Weights,
)
from .plan import Plan
from .stream import Ended, Stream

T = TypeVar("T")

HARDLY = 1 << 20  # bytes: a training that takes no more fits wherever Python does
LOOKED_AT = 100  # steps, after which weights that have not moved are told of
GROWN = 100.0  # times its first value: a loss that is told to grow


class Training:
    """A training under way: where it is, and what it does next."""

    def __init__(self, plan: Plan, start: Position) -> None:
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
    plan: Plan,
    key: Key,
    start: tuple[chunks.State, int],
    count: int,
) -> chunks.State:
    """The state `count` steps after a start: the same steps, so the same bits."""
    state, first = start
    return run(state, plan.data, key, first, count, plan.rates.following(first))[0]


def _places(plan: Plan, state: chunks.State, key: Key) -> Any:
    """The places of the examples of the next step."""
    order, offset, examples = numpy.asarray(state.order), int(state.offset), plan.examples
    if offset > examples:  # its epoch had not yet been turned
        following = chunks.order(key, state.epoch + 1, columns.ordered(plan.data), plan.batch)
        order = numpy.concatenate([order[examples:], following])
        offset -= examples
    return order[offset : offset + plan.batch]


def _failure(plan: Plan, state: chunks.State, key: Key, step: int, loss: float) -> Failure:
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
