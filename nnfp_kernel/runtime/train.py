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
import difflib
import functools
import math
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy
import optax

from .examples import Buckets

Weights = Any  # nested dicts of arrays
Batch = Any  # arrays that share their leading axis, the examples; lists; Rows of a bucket
Key = Any

CHUNK_STEPS = 1024  # at most, in one compiled call
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


# --- what happens ------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """The first event, before anything is compiled."""

    examples: int
    held_out: int  # examples kept for validation
    batch: int
    steps: int
    epochs: float
    weights: int  # how many numbers are learned
    optimizer: str


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

    reason: Literal["finished", "until", "interrupted", "diverged"]
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


Event = Started | Compiled | Progress | Epoch | Measured | Finished


# --- how it is trained -------------------------------------------------------------------

# Each is built with rate 1 and scaled by the step's own rate, which is an argument of
# the compiled chunk: another rate or schedule does not compile again.
OPTIMIZERS: dict[str, tuple[Callable[[], optax.GradientTransformation], float]] = {
    "adam": (lambda: optax.adam(1.0), 1e-3),
    "adamw": (lambda: optax.adamw(1.0), 1e-3),
    "nadam": (lambda: optax.nadam(1.0), 1e-3),
    "radam": (lambda: optax.radam(1.0), 1e-3),
    "adabelief": (lambda: optax.adabelief(1.0), 1e-3),
    "adagrad": (lambda: optax.adagrad(1.0), 1e-2),
    "lamb": (lambda: optax.lamb(1.0), 1e-3),
    "lion": (lambda: optax.lion(1.0), 1e-4),
    "rmsprop": (lambda: optax.rmsprop(1.0), 1e-3),
    "sgd": (lambda: optax.sgd(1.0), 1e-2),
    "momentum": (lambda: optax.sgd(1.0, momentum=0.9), 1e-2),
    "nesterov": (lambda: optax.sgd(1.0, momentum=0.9, nesterov=True), 1e-2),
}

Schedule = Callable[[Any], Any]  # the rate of a step, counted from 0

SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda peak, steps: optax.constant_schedule(peak),
    "linear": lambda peak, steps: optax.linear_schedule(peak, 0.0, steps),
    "cosine": lambda peak, steps: optax.cosine_decay_schedule(peak, steps),
    "exponential": lambda peak, steps: optax.exponential_decay(peak, steps, 0.01),
    "warmup": lambda peak, steps: optax.warmup_cosine_decay_schedule(
        0.0, peak, max(1, steps // 20), max(2, steps)
    ),
    "one-cycle": lambda peak, steps: optax.cosine_onecycle_schedule(max(2, steps), peak),
}


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
    columns = data if isinstance(data, Buckets) else _columns(data)
    if batch < 1:
        raise ValueError(f"a batch has at least one example, not {batch}")
    if not 0 <= valid < 1:
        raise ValueError(f"the share held out for validation is from 0 to below 1, not {valid}")
    if (epochs is not None and not epochs > 0) or (steps is not None and steps < 1):
        raise ValueError("train for a positive number of epochs or steps")

    total = _count(columns)
    held_out = min(total - 1, max(1, round(total * valid))) if valid else 0
    examples = total - held_out
    if examples < 1 or (valid and not held_out):
        raise ValueError(f"too few examples: {total}")
    size = min(batch, examples)
    shuffled = numpy.random.default_rng([seed, 1]).permutation(total) if held_out else None
    parts: tuple[Batch, Batch] = (columns, ())
    if shuffled is not None:
        kept, aside = shuffled[held_out:], shuffled[:held_out]
        parts = _some(columns, kept), _some(columns, aside)
    slots = _slots(_ordered(parts[0]), size)
    if steps is None:
        epochs = 5.0 if epochs is None else float(epochs)
        steps = math.ceil(epochs * slots / size - 1e-9)
    else:
        epochs = steps * size / slots
    method, rates, name = _method(optimizer, rate, steps)
    plan = _Plan(objective, method, rates, name, *parts, size, epochs, steps, seed, until, keep)
    return _events(plan, jax.tree.map(jnp.asarray, weights))


def _columns(data: Sequence[Any]) -> Batch:
    columns = tuple(map(_column, data))
    if not columns or any(jnp.ndim(column) == 0 for column in columns if not _listed(column)):
        raise ValueError("the data are arrays with a leading axis, the examples")
    lengths = list(map(len, columns))
    if len(set(lengths)) > 1:
        counted = ", ".join(map(str, lengths))
        raise ValueError(f"the data differ in their number of examples: {counted}")
    return columns


def _column(given: Any) -> Any:
    """Examples as an array; as the list they are where they make none."""
    if not isinstance(given, list):
        return jnp.asarray(given)
    try:
        array = numpy.asarray(given)
    except ValueError:  # they differ in shape
        return given
    return given if array.dtype == object else jnp.asarray(array)


def _listed(column: Any) -> bool:
    return isinstance(column, list)


def _taken(data: Batch, indices: Any) -> Batch:
    """The examples at these places."""
    if isinstance(data, Buckets):
        return data.take(indices)
    return tuple(
        [column[k] for k in indices] if _listed(column) else jnp.take(column, indices, axis=0)
        for column in data
    )


def _some(data: Batch, indices: Any) -> Batch:
    """Only these examples."""
    return data.only(indices) if isinstance(data, Buckets) else _taken(data, indices)


def _count(data: Batch) -> int:
    return data.count if isinstance(data, Buckets) else len(data[0])


def _ordered(data: Batch) -> int | Buckets:
    """What an epoch's order depends on: of arrays and lists only how many there are."""
    return data if isinstance(data, Buckets) else len(data[0])


def _slots(of: int | Buckets, batch: int) -> int:
    """The length of an epoch's order: the examples, and places to spare."""
    return of.slots(batch) if isinstance(of, Buckets) else of


def follow(events: Generator[Event, None, None], show: Callable[[Event], None]) -> Finished:
    """Hand every event to `show` and return the last one.

    An interrupt that strikes while `show` works ends the training as cleanly as one
    that strikes in the loop.
    """
    last: Event | None = None
    interrupt: KeyboardInterrupt | None = None
    while not isinstance(last, Finished):
        try:
            last = next(events) if interrupt is None else events.throw(interrupt)
            interrupt = None
            show(last)
        except KeyboardInterrupt as struck:
            if interrupt is not None:
                raise  # twice: it is meant
            interrupt = struck
    return last


def _method(
    optimizer: str | optax.GradientTransformation,
    rate: float | str | Schedule | None,
    steps: int,
) -> tuple[optax.GradientTransformation, Schedule | None, str]:
    """The optimiser, the rate of each step, and what the two are called."""
    if not isinstance(optimizer, str):
        if rate is not None:
            raise ValueError("an optax optimiser has its rate in it: leave `rate` out")
        return optimizer, None, "optax"
    if optimizer not in OPTIMIZERS:
        raise ValueError(_unknown("optimiser", optimizer, OPTIMIZERS))
    rates = schedule(rate, OPTIMIZERS[optimizer][1], steps)
    return _named_optimizer(optimizer), rates, optimizer


@functools.cache
def _named_optimizer(name: str) -> optax.GradientTransformation:
    return OPTIMIZERS[name][0]()  # one object per name: it is part of a cache's key


def schedule(rate: float | str | Schedule | None, default: float, steps: int) -> Schedule:
    """The rate of each step, from what a person writes for it.

    >>> [round(float(schedule("linear 0.1", 1e-3, 10)(step)), 3) for step in (0, 5, 10)]
    [0.1, 0.05, 0.0]
    """
    if callable(rate):
        return rate
    name, peak = "constant", default
    if isinstance(rate, str):
        words = rate.replace(":", " ").split()
        try:
            if words and words[0] in SCHEDULES:
                name = words.pop(0)
            peak = float(words.pop(0)) if words else default
        except ValueError:
            raise ValueError(_unknown("schedule", rate, SCHEDULES)) from None
        if words:
            raise ValueError(_unknown("schedule", rate, SCHEDULES))
    elif rate is not None:
        peak = float(rate)
    if not (math.isfinite(peak) and peak > 0):
        raise ValueError(f"the rate is a positive number, not {peak}")
    return SCHEDULES[name](peak, steps)


def _unknown(what: str, name: str, known: Sequence[str] | dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Do you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    return f"there is no {what} called {name!r}. {hint}"


# --- one chunk, compiled -----------------------------------------------------------------


class _State(NamedTuple):
    """Everything a step needs and changes."""

    weights: Weights
    memory: Any  # the optimiser's
    order: Any  # this epoch's order of the examples and the next one's, laid end to end
    epoch: Any
    offset: Any  # into `order`, of the next batch


def _turned(key: Key, of: int | Buckets, batch: int, state: _State) -> _State:
    """The state in a new epoch, if the old one is over."""
    examples = _slots(of, batch)

    def turn_epoch(state: _State) -> _State:
        following = _order(key, state.epoch + 2, of, batch)
        order = jnp.concatenate([state.order[examples:], following])
        return state._replace(order=order, epoch=state.epoch + 1, offset=state.offset - examples)

    due = state.offset >= examples
    return jax.lax.cond(due, turn_epoch, lambda same: same, state)  # type: ignore[no-any-return]


def _next(state: _State, batch: int) -> Any:
    """The places of the next examples."""
    return jax.lax.dynamic_slice_in_dim(state.order, state.offset, batch)


def _learned(
    method: optax.GradientTransformation,
    batch: int,
    rate: Any,
    state: _State,
    loss: Any,
    gradient: Weights,
) -> tuple[_State, Any]:
    """The state after a step, and whether its loss and its new weights are finite."""
    updates, memory = method.update(gradient, state.memory, state.weights)
    if rate is not None:
        updates = jax.tree.map(lambda u: u * rate.astype(u.real.dtype), updates)
    weights = optax.apply_updates(state.weights, updates)
    finite = functools.reduce(
        jnp.logical_and,
        [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(weights)],
        jnp.isfinite(loss),
    )
    state = state._replace(weights=weights, memory=memory, offset=state.offset + batch)
    return state, finite


@functools.lru_cache(maxsize=16)
def _chunk(
    value_and_grad: Callable[[Weights, Batch, Key], tuple[Any, Weights]],
    method: optax.GradientTransformation,
    scaled: bool,
    batch: int,
    looped: bool,
) -> Callable[..., tuple[_State, Any, Any, Any]]:
    """The compiled function: `count` steps from a state, at most CHUNK_STEPS.

    It gives the new state, the losses, how many steps were taken and whether the last
    one failed; the state after a failure is not to be used. `looped` compiles the whole
    chunk; else one step is compiled and handed its predecessor's arrays as they are.
    """

    def pieces(data: Batch, key: Key, first: Any, rates: Any) -> tuple[Any, Any]:
        """The functions that turn an epoch and take a step."""

        def step(carry: Any) -> Any:
            state, losses, done, _ = carry
            examples = _taken(data, _next(state, batch))
            loss, gradient = value_and_grad(state.weights, examples, step_key(key, first + done))
            rate = rates[done] if scaled else None
            state, finite = _learned(method, batch, rate, state, loss, gradient)
            return state, losses.at[done].set(loss.astype(losses.dtype)), done + 1, ~finite

        return functools.partial(_turned, key, _ordered(data), batch), step

    def run(
        state: _State, data: Batch, key: Key, first: Any, count: Any, rates: Any
    ) -> tuple[_State, Any, Any, Any]:
        examples = _slots(_ordered(data), batch)
        turned, step = pieces(data, key, first, rates)

        def epoch(carry: Any) -> Any:
            state, *rest = carry
            state = turned(state)
            return jax.lax.while_loop(
                lambda c: (c[0].offset < examples) & (c[2] < count) & ~c[3], step, (state, *rest)
            )

        losses = jnp.zeros(CHUNK_STEPS, rates.dtype)
        carry = (state, losses, jnp.int32(0), jnp.asarray(False))
        end: tuple[_State, Any, Any, Any] = jax.lax.while_loop(
            lambda c: (c[2] < count) & ~c[3], epoch, carry
        )
        return end

    def one(carry: Any, data: Batch, key: Key, first: Any, rates: Any) -> Any:
        turned, step = pieces(data, key, first, rates)
        state, losses, done, failed = carry
        after, after_losses, after_done, now_failed = step((turned(state), losses, done, failed))
        # After a failure nothing counts any more, and nobody has to wait to see it.
        return (
            after,
            jnp.where(failed, losses, after_losses),
            jnp.where(failed, done, after_done),
            failed | now_failed,
        )

    if looped:
        compiled: Callable[..., tuple[_State, Any, Any, Any]] = jax.jit(run)
        return compiled
    compiled_one = jax.jit(one)

    def stepwise(
        state: _State, data: Batch, key: Key, first: Any, count: Any, rates: Any
    ) -> tuple[_State, Any, Any, Any]:
        carry = (state, jnp.zeros(CHUNK_STEPS, rates.dtype), jnp.int32(0), jnp.asarray(False))
        first, rates = jnp.int32(first), jnp.asarray(rates)
        if not count:  # to have it compiled
            jax.block_until_ready(compiled_one(carry, data, key, first, rates))
        for _ in range(count):
            carry = compiled_one(carry, data, key, first, rates)
        return carry

    return stepwise


@functools.lru_cache(maxsize=16)
def _chunk_of_lists(
    value_and_grad: Callable[[Weights, Batch, Key], tuple[Any, Weights]],
    method: optax.GradientTransformation,
    scaled: bool,
    batch: int,
) -> Callable[..., tuple[_State, Any, Any, Any]]:
    """What `_chunk` gives, for examples in lists: only what is around the objective is
    compiled here."""
    turned = jax.jit(_turned, static_argnums=(1, 2))
    learned = jax.jit(functools.partial(_learned, method, batch))

    def run(
        state: _State, data: Batch, key: Key, first: int, count: int, rates: Any
    ) -> tuple[_State, Any, Any, Any]:
        losses = numpy.zeros(CHUNK_STEPS, rates.dtype)
        for done in range(count):
            state = turned(key, len(data[0]), batch, state)
            examples = _taken(data, numpy.asarray(_next(state, batch)))
            loss, gradient = value_and_grad(state.weights, examples, step_key(key, first + done))
            state, finite = learned(rates[done] if scaled else None, state, loss, gradient)
            losses[done] = loss
            if not finite:
                return state, losses, done + 1, True
        return state, losses, count, False

    return run


def _in_a_loop(plan: _Plan, weights: Weights, key: Key) -> bool:
    """Whether a chunk is best compiled as one loop: not where XLA's CPU backend would
    have convolutions in it, which it runs there some 30 times slower than outside."""
    if jax.default_backend() != "cpu":
        return True
    step = _first_step(plan.objective.value_and_grad, plan.batch)
    traced = jax.make_jaxpr(step)(weights, plan.data, key)
    return "conv_general_dilated" not in str(traced)


@functools.lru_cache(maxsize=16)
def _first_step(
    value_and_grad: Callable[[Weights, Batch, Key], tuple[Any, Weights]], batch: int
) -> Callable[[Weights, Batch, Key], tuple[Any, Weights]]:
    """One function object for an objective, so that JAX knows what it traced."""
    return lambda weights, data, key: value_and_grad(weights, _taken(data, jnp.arange(batch)), key)


def step_key(key: Key, step: Any) -> Key:
    """The key of a step's random draws."""
    return jax.random.fold_in(jax.random.fold_in(key, 1), step)


def _order(key: Key, epoch: Any, of: int | Buckets, batch: int) -> Any:
    """The order in which an epoch sees the examples."""
    key = jax.random.fold_in(jax.random.fold_in(key, 0), epoch)
    if isinstance(of, Buckets):
        return of.order(key, batch)
    return jax.random.permutation(key, jnp.arange(of, dtype=jnp.int32))


@functools.lru_cache(maxsize=16)
def _measure(
    losses: Callable[[Weights, Batch, Key], Any],
    metric: Callable[[Weights, Batch, Key], Any] | None,
) -> Callable[..., tuple[Any, Any]]:
    """The compiled function: summed loss and metric of the examples under a mask."""

    def run(weights: Weights, data: Batch, indices: Any, mask: Any, key: Key) -> tuple[Any, Any]:
        examples = _taken(data, indices)

        def total(function: Callable[[Weights, Batch, Key], Any]) -> Any:
            return jnp.sum(jnp.where(mask, function(weights, examples, key), 0))

        return total(losses), total(metric) if metric else jnp.zeros(())

    compiled: Callable[..., tuple[Any, Any]] = jax.jit(run)
    return compiled


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
        return _slots(_ordered(self.data), self.batch)

    def chunk(self, weights: Weights, key: Key) -> Callable[..., tuple[_State, Any, Any, Any]]:
        """The function that takes steps."""
        fixed = self.objective.value_and_grad, self.method, self.rates is not None, self.batch
        if not isinstance(self.data, Buckets) and any(map(_listed, self.data)):
            return _chunk_of_lists(*fixed)
        return _chunk(*fixed, _in_a_loop(self, weights, key))

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
            return numpy.ones(CHUNK_STEPS, dtype)
        rates = jax.vmap(self.rates, axis_size=CHUNK_STEPS)(step + jnp.arange(CHUNK_STEPS))
        return numpy.asarray(rates, dtype)

    def measure(self, weights: Weights, on: Literal["validation", "training"]) -> tuple[float, ...]:
        """The mean loss and metric of the held-out or of the training examples."""
        data = self.held_out if on == "validation" else self.data
        losses, metrics = self.objective.losses, self.objective.metric
        key = jax.random.fold_in(jax.random.key(self.seed), 2)
        number = _count(data)
        at_once = min(number, MEASURED_AT_ONCE)
        sums = numpy.zeros(2)
        if isinstance(data, Buckets):
            run = _measure(losses, metrics)
            for places in data.parts(at_once):
                part = run(weights, data, places, places >= 0, key)
                sums += [float(part[0]), float(part[1])]
            return float(sums[0] / number), float(sums[1] / number)
        if any(map(_listed, data)):
            for start in range(0, number, at_once):
                examples = _taken(data, numpy.arange(start, min(start + at_once, number)))
                sums[0] += float(jnp.sum(losses(weights, examples, key)))
                sums[1] += float(jnp.sum(metrics(weights, examples, key))) if metrics else 0
            return float(sums[0] / number), float(sums[1] / number)
        run = _measure(losses, metrics)
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
    state = _State(
        weights,
        plan.method.init(weights),
        jnp.concatenate([_order(key, k, _ordered(plan.data), plan.batch) for k in (0, 1)]),
        jnp.int32(0),
        jnp.int32(0),
    )
    before: tuple[_State, int] | None = None  # the last chunk's start and its first step
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
            examples=_count(plan.data),
            held_out=_count(plan.held_out) if plan.held_out else 0,
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
            limit = min(steps - taken, CHUNK_STEPS)
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
                count = max(1, min(int(wanted), 4 * count, CHUNK_STEPS))
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
    run: Callable[..., tuple[_State, Any, Any, Any]],
    plan: _Plan,
    key: Key,
    start: tuple[_State, int],
    count: int,
) -> _State:
    """The state `count` steps after a start: the same steps, so the same bits."""
    state, first = start
    return run(state, plan.data, key, first, count, plan.rates_from(first))[0]


def _failure(plan: _Plan, state: _State, key: Key, step: int, loss: float) -> Failure:
    """What the step at fault was computed from."""
    order, offset, examples = numpy.asarray(state.order), int(state.offset), plan.examples
    if offset >= examples:  # its epoch had not yet been turned
        following = _order(key, state.epoch + 2, _ordered(plan.data), plan.batch)
        order = numpy.concatenate([order[examples:], following])
        offset -= examples
    indices = order[offset : offset + plan.batch]
    batch = _taken(plan.data, indices)
    drawn = step_key(key, step)
    blame = plan.objective.blame
    cause = blame(state.weights, batch, drawn) if blame is not None else ""
    return Failure(step + 1, loss, state.weights, batch, drawn, cause)
