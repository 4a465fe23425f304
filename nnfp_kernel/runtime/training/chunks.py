"""Steps of a training, compiled: chunks of them in one call, and the loss on examples.

Batches are drawn on the device, the number of steps of a chunk is an argument and not a
shape. Examples that make no array come as lists: then a batch is put together in Python,
step by step, and what is compiled is the objective's affair. Of a stream one step is
compiled, and handed the batches as they come.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy
import optax

from ..machine.devices import Layout
from . import columns
from .events import Batch, Key, Weights
from .examples import Buckets
from .stream import Ended, Stream
from .vectors import Packing, packing

Gradient = Callable[[Weights, Batch, Key], tuple[Any, Weights]]  # value and gradient

CHUNK_STEPS = 1024  # at most, in one compiled call
STREAM_STEPS = 16  # at most, of a stream, whose batches are kept while a chunk may be redone


class State(NamedTuple):
    """Everything a step needs and changes."""

    weights: Weights
    memory: Any  # the optimiser's
    order: Any  # places of examples: the rest of the epoch before, then this epoch's order
    epoch: Any
    offset: Any  # into `order`, of the next batch
    average: Weights | None = None  # of the weights over the steps, where one is asked for


# (state, data, key, first step, count, rates) -> state, losses, steps taken, failed
Steps = Callable[..., tuple[State, Any, Any, Any]]


@dataclass(eq=False)
class Chunk:
    """The function that takes steps, and what is known of it: a training like one before need
    not find out again."""

    take: Steps
    compiled: bool = False
    count: int = 1  # steps that take the time that a chunk should

    def __call__(self, *given: Any) -> tuple[State, Any, Any, Any]:
        return self.take(*given)


def _turned(key: Key, of: int | Buckets | Stream, batch: int, state: State) -> State:
    """The state with the next epoch's order, if what is left makes no batch."""
    examples = columns.slots(of, batch)

    def turn_epoch(state: State) -> State:
        following = order(key, state.epoch + 1, of, batch)
        left = jnp.concatenate([state.order[examples:], following])
        return state._replace(order=left, epoch=state.epoch + 1, offset=state.offset - examples)

    due = state.offset > examples
    return jax.lax.cond(due, turn_epoch, lambda same: same, state)  # type: ignore[no-any-return]


def places(state: State, batch: int) -> Any:
    """The places of the next examples."""
    return jax.lax.dynamic_slice_in_dim(state.order, state.offset, batch)


class Way(NamedTuple):
    """How a gradient moves the weights."""

    method: optax.GradientTransformation
    scaled: bool  # whether the updates are multiplied with each step's own rate
    ema: float | None = None  # of the average of the weights: what is left of it by a step
    by_number: bool = False  # whether it moves each number by itself, whatever array it is in


def _learned(
    way: Way,
    batch: int,
    rate: Any,
    state: State,
    loss: Any,
    gradient: Weights,
    step: Any,
) -> tuple[State, Any]:
    """The state after a step, the `step`th from 0, and whether its loss and its new
    weights are finite."""
    updates, memory = way.method.update(gradient, state.memory, state.weights)
    if rate is not None:
        updates = jax.tree.map(lambda u: u * rate.astype(u.real.dtype), updates)
    weights = optax.apply_updates(state.weights, updates)
    finite = functools.reduce(
        jnp.logical_and,
        [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(weights)],
        jnp.isfinite(loss),
    )
    state = state._replace(weights=weights, memory=memory, offset=state.offset + batch)
    if way.ema is not None:
        state = state._replace(average=_averaged(way.ema, state.average, weights, step))
    return state, finite


def _averaged(ema: float, average: Weights, weights: Weights, step: Any) -> Weights:
    """The exponential moving average of the weights after each step, without the bias of
    where it began: the first average is the first weights.

    Source: Kingma and Ba 2015, section 3, for the bias; Polyak and Juditsky 1992.
    """
    taken = jnp.asarray(step + 1, jnp.zeros(()).dtype)
    share = (1 - ema) / -jnp.expm1(taken * math.log(ema))  # (1 - ema) / (1 - ema^taken)
    return jax.tree.map(lambda a, w: a + share.astype(a.real.dtype) * (w - a), average, weights)


def chunk(
    value_and_grad: Gradient,
    way: Way,
    batch: int,
    weights: Weights,
    data: Batch,
    key: Key,
    layout: Layout | None = None,
) -> Chunk:
    """The function that takes steps on `data` from weights like these, by the way that
    suits them. With a `layout` each device has its share of every batch, and of the weights
    that are split."""
    if isinstance(data, Stream):
        return Chunk(_of_stream(value_and_grad, way, layout))
    if columns.some_listed(data):
        return Chunk(_of_lists(value_and_grad, way, batch, layout))
    leaves, form = jax.tree.flatten((weights, data, key))
    like = tuple((leaf.shape, leaf.dtype) for leaf in leaves)
    return _on_arrays(value_and_grad, way, batch, form, like, layout)


def _nameless(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function compiled. JAX writes the names in what comes out into what it compiles: a
    program whose weights are called otherwise would not be known on disk."""
    forms: dict[Any, Any] = {}  # of what comes out, by that of what goes in

    def leaves(*given: Any) -> list[Any]:
        found: list[Any]
        found, forms[jax.tree.structure(given)] = jax.tree.flatten(function(*given))
        return found

    compiled = jax.jit(leaves)

    def run(*given: Any) -> Any:
        found = compiled(*given)
        return forms[jax.tree.structure(given)].unflatten(found)

    return run


@functools.lru_cache(maxsize=16)
def _on_arrays(
    value_and_grad: Gradient,
    way: Way,
    batch: int,
    form: Any,
    like: tuple[tuple[tuple[int, ...], Any], ...],
    layout: Layout | None,
) -> Chunk:
    """The same for weights, data and key of this form, whose arrays have these shapes and
    kinds of numbers."""
    arrays = form.unflatten([jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in like])
    looped = _in_a_loop(value_and_grad, batch, *arrays)
    return Chunk(_of_arrays(value_and_grad, way, batch, looped, layout))


@functools.lru_cache(maxsize=16)
def _of_arrays(
    value_and_grad: Gradient,
    way: Way,
    batch: int,
    looped: bool,
    layout: Layout | None,
) -> Steps:
    """The compiled function: `count` steps from a state, at most CHUNK_STEPS.

    It gives the new state, the losses, how many steps were taken and whether the last
    one failed; the state after a failure is not to be used. `looped` compiles the whole
    chunk; else one step is compiled and handed its predecessor's arrays as they are.
    """

    def pieces(
        data: Batch, key: Key, first: Any, rates: Any, packs: Packing | None = None
    ) -> tuple[Any, Any]:
        """The functions that turn an epoch and take a step, of a state that is packed or not."""

        def step(carry: Any) -> Any:
            state, losses, done, _ = carry
            examples = columns.taken(data, places(state, batch))
            if layout is not None:
                examples = columns.shared_out(examples, layout)
            weights = state.weights if packs is None else packs.tree(state.weights)
            loss, gradient = value_and_grad(weights, examples, step_key(key, first + done))
            gradient = gradient if packs is None else packs.vector(gradient)
            rate = rates[done] if way.scaled else None
            state, finite = _learned(way, batch, rate, state, loss, gradient, first + done)
            if layout is not None:
                state = layout.held(state)
            return state, losses.at[done].set(loss.astype(losses.dtype)), done + 1, ~finite

        return functools.partial(_turned, key, columns.ordered(data), batch), step

    def run(
        state: State, data: Batch, key: Key, first: Any, count: Any, rates: Any
    ) -> tuple[State, Any, Any, Any]:
        examples = columns.slots(columns.ordered(data), batch)
        packs = packing(state.weights) if way.by_number and layout is None else None
        unpacked: Callable[[State], State] = lambda same: same  # noqa: E731
        if packs is not None:
            state, unpacked = packs.packed(state)
        turned, step = pieces(data, key, first, rates, packs)

        def epoch(carry: Any) -> Any:
            state, *rest = carry
            state = turned(state)
            return jax.lax.while_loop(
                lambda c: (c[0].offset <= examples) & (c[2] < count) & ~c[3], step, (state, *rest)
            )

        losses = jnp.zeros(CHUNK_STEPS, rates.dtype)
        carry = (state, losses, jnp.int32(0), jnp.asarray(False))
        state, losses, done, failed = jax.lax.while_loop(
            lambda c: (c[2] < count) & ~c[3], epoch, carry
        )
        state = unpacked(state)
        return (state if layout is None else layout.held(state)), losses, done, failed

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
        return _nameless(run)
    compiled_one = _nameless(one)

    def stepwise(
        state: State, data: Batch, key: Key, first: Any, count: Any, rates: Any
    ) -> tuple[State, Any, Any, Any]:
        carry = (state, jnp.zeros(CHUNK_STEPS, rates.dtype), jnp.int32(0), jnp.asarray(False))
        first, rates = jnp.int32(first), jnp.asarray(rates)
        if not count:  # to have it compiled
            jax.block_until_ready(compiled_one(carry, data, key, first, rates))
        for _ in range(count):
            carry = compiled_one(carry, data, key, first, rates)
        return carry

    return stepwise


@functools.lru_cache(maxsize=16)
def _of_lists(
    value_and_grad: Gradient,
    way: Way,
    batch: int,
    layout: Layout | None,
) -> Steps:
    """What `_of_arrays` gives, for examples in lists: only what is around the objective is
    compiled here."""
    turned = jax.jit(_turned, static_argnums=(1, 2))
    learned = jax.jit(_held(functools.partial(_learned, way, batch), layout))

    def run(
        state: State, data: Batch, key: Key, first: int, count: int, rates: Any
    ) -> tuple[State, Any, Any, Any]:
        losses = numpy.zeros(CHUNK_STEPS, rates.dtype)
        for done in range(count):
            state = turned(key, len(data[0]), batch, state)
            examples = columns.taken(data, numpy.asarray(places(state, batch)))
            if layout is not None:
                examples = columns.spread(examples, layout)
            loss, gradient = value_and_grad(state.weights, examples, step_key(key, first + done))
            rate = rates[done] if way.scaled else None
            state, finite = learned(rate, state, loss, gradient, first + done)
            losses[done] = loss
            if not finite:
                return state, losses, done + 1, True
        return state, losses, count, False

    return run


def _held(learned: Callable[..., tuple[State, Any]], layout: Layout | None) -> Any:
    """What `_learned` gives, with the state where it belongs."""

    def run(*given: Any) -> tuple[State, Any]:
        state, finite = learned(*given)
        return (state if layout is None else layout.held(state)), finite

    return run


@functools.lru_cache(maxsize=16)
def _of_stream(value_and_grad: Gradient, way: Way, layout: Layout | None) -> Steps:
    """The same for batches of a stream. It stops where the stream does, and raises Ended
    where that is before its first step."""

    learned = _held(functools.partial(_learned, way, 0), layout)

    def step(state: State, examples: Batch, key: Key, number: Any, rate: Any) -> Any:
        loss, gradient = value_and_grad(state.weights, examples, step_key(key, number))
        return *learned(rate, state, loss, gradient, number), loss

    compiled = _nameless(step)

    def run(
        state: State, data: Stream, key: Key, first: int, count: int, rates: Any
    ) -> tuple[State, Any, Any, Any]:
        def after(state: State, done: int) -> Any:
            examples = data.at(first + done)
            take = step if columns.some_listed(examples) else compiled
            if layout is not None:
                examples = columns.spread(examples, layout)
            return take(state, examples, key, first + done, rates[done] if way.scaled else None)

        losses = numpy.zeros(CHUNK_STEPS, rates.dtype)
        if not count:  # to have it compiled
            jax.block_until_ready(after(state, 0))
        for done in range(count):
            try:
                state, finite, losses[done] = after(state, done)
            except Ended:
                if not done:
                    raise
                return state, losses, done, False
            if not finite:
                return state, losses, done + 1, True
        return state, losses, count, False

    return run


def _in_a_loop(
    value_and_grad: Gradient, batch: int, weights: Weights, data: Batch, key: Key
) -> bool:
    """Whether a chunk is best compiled as one loop: not where XLA's CPU backend would
    have convolutions in it, which it runs there some 30 times slower than outside."""
    if jax.default_backend() != "cpu":
        return True

    def step(weights: Weights, data: Batch, key: Key) -> Any:
        return value_and_grad(weights, columns.taken(data, jnp.arange(batch)), key)

    traced = jax.make_jaxpr(step)(weights, data, key)
    return "conv_general_dilated" not in str(traced)


def start(way: Way, of: int | Buckets | Stream, batch: int, weights: Weights, key: Key) -> State:
    """The state before the first step: an epoch's order, with nothing left of one before it,
    and an optimiser's empty memory."""
    if isinstance(of, int):
        return _compiled_start(way, of, batch)(weights, key)
    return _start(way, of, batch, weights, key)


@functools.lru_cache(maxsize=16)
def _compiled_start(way: Way, of: int, batch: int) -> Callable[[Weights, Key], State]:
    return _nameless(functools.partial(_start, way, of, batch))


def _start(way: Way, of: int | Buckets | Stream, batch: int, weights: Weights, key: Key) -> State:
    first = order(key, 0, of, batch)
    orders = jnp.concatenate([jnp.zeros(batch, first.dtype), first])
    average = None if way.ema is None else weights
    return State(weights, way.method.init(weights), orders, jnp.int32(0), jnp.int32(batch), average)


def step_key(key: Key, step: Any) -> Key:
    """The key of a step's random draws."""
    return jax.random.fold_in(jax.random.fold_in(key, 1), step)


def order(key: Key, epoch: Any, of: int | Buckets | Stream, batch: int) -> Any:
    """The order in which an epoch sees the examples; a stream has its own."""
    if isinstance(of, Stream):
        return jnp.zeros(0, jnp.int32)
    key = jax.random.fold_in(jax.random.fold_in(key, 0), epoch)
    if isinstance(of, Buckets):
        return of.order(key, batch)
    return jax.random.permutation(key, jnp.arange(of, dtype=jnp.int32))


@functools.lru_cache(maxsize=16)
def measure(
    losses: Callable[[Weights, Batch, Key], Any],
    metric: Callable[[Weights, Batch, Key], Any] | None,
    layout: Layout | None = None,
) -> Callable[..., tuple[Any, Any]]:
    """The compiled function: summed loss and metric of the examples under a mask."""

    def run(weights: Weights, data: Batch, indices: Any, mask: Any, key: Key) -> tuple[Any, Any]:
        examples = columns.taken(data, indices)
        if layout is not None:
            examples = columns.shared_out(examples, layout)

        def total(function: Callable[[Weights, Batch, Key], Any]) -> Any:
            return jnp.sum(jnp.where(mask, function(weights, examples, key), 0))

        return total(losses), total(metric) if metric else jnp.zeros(())

    compiled: Callable[..., tuple[Any, Any]] = jax.jit(run)
    return compiled
