"""The training loop, on objectives with hand-written gradients and known answers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy
import optax
import pytest

from nnfp_kernel.runtime.training import checkpoints, chunks, columns, methods, plan
from nnfp_kernel.runtime.training.events import (
    Compiled,
    Epoch,
    Event,
    Finished,
    Measured,
    Progress,
    Saved,
    Started,
    follow,
)
from nnfp_kernel.runtime.training.methods import OPTIMIZERS, SCHEDULES, schedule
from nnfp_kernel.runtime.training.plan import Objective
from nnfp_kernel.runtime.training.train import train


def linear_regression(metric: bool = False) -> Objective:
    """Mean squared error of `W x + b`, its gradient by hand."""

    def residual(weights: Any, batch: Any) -> Any:
        x, y = batch
        return x @ weights["W"] + weights["b"] - y

    def value_and_grad(weights: Any, batch: Any, key: Any) -> Any:
        r = residual(weights, batch)
        n = r.shape[0]
        return jnp.mean(r**2), {"W": 2 * batch[0].T @ r / n, "b": 2 * jnp.mean(r)}

    return Objective(
        value_and_grad,
        lambda weights, batch, key: residual(weights, batch) ** 2,
        (lambda weights, batch, key: jnp.abs(residual(weights, batch))) if metric else None,
    )


def counting() -> Objective:
    """With `sgd` at rate 1, weight i counts how often example i was seen."""
    return Objective(
        lambda w, batch, key: (jnp.zeros(()), jnp.zeros_like(w).at[batch[0]].add(-1.0)),
        lambda w, batch, key: w[batch[0]],
    )


def problem(n: int = 50, seed: int = 0) -> tuple[dict[str, Any], tuple[Any, Any]]:
    random = numpy.random.default_rng(seed)
    x = random.normal(size=(n, 3))
    y = x @ [1.0, -2.0, 0.5] + 0.7
    return {"W": numpy.zeros(3), "b": numpy.zeros(())}, (x, y)


def run(*arguments: Any, **named: Any) -> tuple[Finished, list[Event]]:
    events = list(train(*arguments, **named))
    assert isinstance(events[-1], Finished)
    return events[-1], events


def of_kind(events: list[Event], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def same(a: Any, b: Any) -> bool:
    return all(map(numpy.array_equal, jax.tree.leaves(a), jax.tree.leaves(b)))


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_named_optimiser_takes_the_steps_optax_takes(name: str) -> None:
    weights, data = problem()
    last, _ = run(linear_regression(), weights, data, optimizer=name, rate=0.03, steps=20, batch=50)
    constructors: dict[str, Callable[..., Any]] = {
        "momentum": lambda rate: optax.sgd(rate, momentum=0.9),
        "nesterov": lambda rate: optax.sgd(rate, momentum=0.9, nesterov=True),
    }
    method = constructors.get(name, getattr(optax, name, None))(0.03)
    objective, memory = linear_regression(), method.init(weights)
    for _ in range(20):
        _, gradient = objective.value_and_grad(weights, data, None)
        updates, memory = method.update(gradient, memory, weights)
        weights = optax.apply_updates(weights, updates)
    for found, expected in zip(
        jax.tree.leaves(last.weights), jax.tree.leaves(weights), strict=True
    ):
        numpy.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_an_optax_object_is_used_as_it_is() -> None:
    weights, data = problem()
    schedules = {"optimizer": optax.adam(optax.cosine_decay_schedule(0.1, 300))}
    last, events = run(linear_regression(), weights, data, epochs=120, batch=20, **schedules)
    numpy.testing.assert_allclose(last.weights["W"], [1.0, -2.0, 0.5], atol=1e-3)
    assert of_kind(events, Progress)[0].rate is None


def test_least_squares_is_solved() -> None:
    weights, data = problem()
    last, events = run(
        linear_regression(), weights, data, optimizer="sgd", rate="linear 0.2", epochs=200
    )
    assert last.reason == "finished"
    numpy.testing.assert_allclose(last.weights["W"], [1.0, -2.0, 0.5], atol=1e-9)
    numpy.testing.assert_allclose(last.weights["b"], 0.7, atol=1e-9)
    assert isinstance(events[0], Started)
    assert isinstance(events[1], Compiled)
    assert last.step == last.kept_step == of_kind(events, Progress)[-1].step


@pytest.mark.parametrize(("n", "batch"), [(12, 4), (10, 3), (7, 7), (5, 100), (1, 1)])
def test_an_epoch_sees_every_example_once(n: int, batch: int) -> None:
    ids = numpy.arange(n)
    named = {"optimizer": "sgd", "rate": 1.0, "batch": batch}
    last, events = run(counting(), numpy.zeros(n), (ids,), epochs=6, **named)
    seen = numpy.asarray(last.weights)
    assert seen.sum() == last.step * min(batch, n)
    assert seen.max() - seen.min() <= (0 if n % min(batch, n) == 0 else 1)
    assert seen.min() >= 6
    assert [event.epoch for event in of_kind(events, Epoch)] == list(range(1, 7))


def test_the_order_is_drawn_anew_in_every_epoch_and_from_the_seed() -> None:
    def orders(seed: int) -> list[tuple[float, ...]]:
        # the loss of a step is its example, so that `Progress.losses` tells the order
        objective = Objective(
            lambda w, batch, key: (batch[0][0], jnp.zeros_like(w)), lambda w, batch, key: batch[0]
        )
        data = (numpy.arange(16.0),)
        _, events = run(objective, numpy.zeros(1), data, epochs=4, batch=1, seed=seed)
        losses = numpy.concatenate([event.losses for event in of_kind(events, Progress)])
        return [tuple(losses[k : k + 16]) for k in range(0, 64, 16)]

    first = orders(0)
    assert all(sorted(order) == list(range(16)) for order in first)
    assert len(set(first)) == 4
    assert first == orders(0)
    assert first != orders(1)


def test_held_out_examples_are_never_trained_on() -> None:
    ids = numpy.arange(20)
    named = {"optimizer": "sgd", "rate": 1.0, "batch": 4, "valid": 0.2}
    last, events = run(counting(), numpy.zeros(20), (ids,), epochs=3, **named)
    # the held-out loss here is how often a held-out example was seen
    assert [event.loss for event in of_kind(events, Measured)] == [0.0, 0.0, 0.0]
    assert events[0].held_out == 4
    assert last.kept_by == "validation"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1e-9, 1e9])
def test_how_steps_are_cut_into_chunks_changes_no_bit(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, data = problem()
    named: dict[str, Any] = {"epochs": 7, "batch": 8, "rate": "cosine 0.1", "seed": 3}
    usual, _ = run(linear_regression(), weights, data, **named)
    monkeypatch.setattr(plan, "CHUNK_SECONDS", seconds)
    other, events = run(linear_regression(), weights, data, **named)
    assert same(usual.weights, other.weights)
    lengths = {len(event.losses) for event in of_kind(events, Progress)}
    assert lengths == {1} if seconds < 1 else max(lengths) > 10


def test_another_rate_number_of_steps_or_chunk_does_not_compile_again() -> None:
    traced = 0
    objective = linear_regression()

    def value_and_grad(weights: Any, batch: Any, key: Any) -> Any:
        nonlocal traced
        traced += 1
        return objective.value_and_grad(weights, batch, key)

    counted = Objective(value_and_grad, objective.losses)
    weights, data = problem()
    run(counted, weights, data, steps=30)
    after_first = traced
    for rate in (0.1, "cosine", "linear 0.5"):
        run(counted, weights, data, steps=77, rate=rate, seed=5)
    assert traced == after_first > 0


@pytest.mark.slow
def test_a_training_like_one_before_goes_on_at_its_pace() -> None:
    """It compiles nothing, and its first chunk is as long as one may be; a training on other
    shapes knows nothing of that, so that a stop is seen as soon."""
    objective, (weights, data) = linear_regression(), problem()
    asked = {"optimizer": "sgd", "batch": 8, "steps": 1500}
    first, slow = run(objective, weights, data, **asked)
    again, fast = run(objective, weights, data, **asked)
    _, others = run(objective, weights, problem(60)[1], **asked)
    assert same(first.weights, again.weights)
    assert of_kind(slow, Progress)[0].step == of_kind(others, Progress)[0].step == 1
    assert of_kind(fast, Progress)[0].step > 1
    assert len(of_kind(fast, Progress)) < len(of_kind(slow, Progress))


def test_a_schedule_is_asked_for_every_step_wherever_chunks_begin() -> None:
    rates = methods.Rates(schedule("linear 5.0", 1.0, 5000), 8)
    for step in (0, 3, 8, 9, 30, 29, 2000, 1996):
        numpy.testing.assert_allclose(
            rates.following(step), 5 - numpy.arange(step, step + 8) / 1000, rtol=1e-6
        )


def test_the_rate_of_every_step_follows_the_schedule() -> None:
    # with sgd and gradient -1 the weight is the sum of the rates so far
    objective = Objective(
        lambda w, batch, key: (w, -jnp.ones_like(w)), lambda w, batch, key: batch[0]
    )
    named: dict[str, Any] = {"optimizer": "sgd", "steps": 3000, "batch": 1}
    for name in SCHEDULES:
        last, events = run(objective, 0.0, (numpy.zeros(4),), rate=f"{name} 0.1", **named)
        rates = numpy.asarray(jax.vmap(schedule(f"{name} 0.1", 1.0, 3000))(numpy.arange(3000)))
        numpy.testing.assert_allclose(last.weights, rates.sum(), rtol=1e-5)
        for event in of_kind(events, Progress):
            numpy.testing.assert_allclose(event.rate, rates[event.step - 1], rtol=1e-5)


def test_a_measured_loss_is_the_mean_over_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MEASURED_AT_ONCE", 7)
    weights, data = problem(n=60)
    objective = linear_regression(metric=True)
    last, events = run(objective, weights, data, epochs=2)
    residual = data[0] @ last.weights["W"] + last.weights["b"] - data[1]
    measured = of_kind(events, Measured)[-1]
    assert measured.on == "training"
    numpy.testing.assert_allclose(measured.loss, numpy.mean(residual**2), rtol=1e-12)
    numpy.testing.assert_allclose(measured.metric, numpy.mean(abs(residual)), rtol=1e-12)
    assert last.measured == measured


@pytest.mark.slow
def test_the_weights_of_the_least_validation_loss_are_kept() -> None:
    # a rate at which the loss goes up and down from epoch to epoch
    weights, (x, y) = problem(n=40)
    noisy = y + numpy.random.default_rng(1).normal(size=40)
    last, events = run(
        linear_regression(), weights, (x, noisy),
        optimizer="sgd", rate=0.25, epochs=30, batch=2, valid=0.25,
    )  # fmt: skip
    measured = of_kind(events, Measured)
    least = min(measured, key=lambda event: event.loss)
    assert len({event.loss for event in measured}) > 5
    assert least.step < last.step
    assert last.kept_step == least.step
    assert last.measured == least
    assert last.kept_by == "validation"
    again, _ = run(
        linear_regression(), weights, (x, noisy),
        optimizer="sgd", rate=0.25, steps=least.step, batch=2, valid=0.25,
    )  # fmt: skip
    assert same(again.weights, last.weights)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1e-9, 0.08])
@pytest.mark.parametrize("bad", [0, 1, 30])
def test_a_value_that_is_not_finite_stops_with_the_last_good_weights(
    bad: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "CHUNK_SECONDS", seconds)
    weights, data = problem(n=32)
    named: dict[str, Any] = {"batch": 1, "epochs": 2, "rate": 0.01}
    # find which example step `bad` sees, and spoil it
    ids = numpy.arange(32.0)
    looking = Objective(
        lambda w, batch, key: (batch[0][0], jax.tree.map(jnp.zeros_like, w)),
        lambda w, batch, key: batch[0],
    )
    _, events = run(looking, weights, (ids, *data), **named)
    seen = numpy.concatenate([event.losses for event in of_kind(events, Progress)])
    spoiled = data[0].copy()
    spoiled[int(seen[bad])] = numpy.nan

    last, events = run(linear_regression(), weights, (spoiled, data[1]), **named)
    assert last.reason == "diverged"
    assert last.failure is not None
    assert last.failure.step == last.step == bad + 1
    assert numpy.isnan(last.failure.loss)
    assert numpy.isnan(last.failure.batch[0]).all()
    assert last.kept_step == max(0, bad - 1)
    assert all(numpy.isfinite(event.losses).all() for event in of_kind(events, Progress))
    expected = weights
    if last.kept_step:
        clean, _ = run(linear_regression(), weights, data, steps=last.kept_step, batch=1, rate=0.01)
        expected = clean.weights
    assert same(last.weights, expected)


def test_a_rate_too_large_keeps_weights_whose_loss_is_finite() -> None:
    weights, data = problem()
    last, _ = run(linear_regression(), weights, data, optimizer="sgd", rate=1e9, epochs=100)
    assert last.reason == "diverged"
    objective = linear_regression()
    assert numpy.isfinite(objective.losses(last.weights, data, None)).all()
    assert last.kept_step > 1


def test_a_gradient_that_is_not_finite_stops_although_the_loss_is() -> None:
    objective = Objective(
        lambda w, batch, key: (jnp.sum(w), jnp.where(batch[0][0] == 3, jnp.nan, 1.0) * w),
        lambda w, batch, key: batch[0],
    )
    last, _ = run(objective, numpy.ones(2), (numpy.arange(5),), batch=1, epochs=1, rate=0.1)
    assert last.reason == "diverged"
    assert numpy.isfinite(last.weights).all()
    assert last.failure is not None
    assert last.failure.batch[0][0] == 3
    assert last.kept_step == last.failure.step - 1
    assert same(last.weights, last.failure.weights)


def slow_objective() -> Objective:
    """Some 10 ms a step."""

    def value_and_grad(w: Any, batch: Any, key: Any) -> Any:
        big = jax.lax.fori_loop(0, 20, lambda _, a: jnp.tanh(a @ a), jnp.outer(w, w))
        return jnp.sum((w - 1) ** 2) + 0 * jnp.sum(big), 2 * (w - 1)

    return Objective(value_and_grad, lambda w, batch, key: batch[0] * 0 + jnp.sum((w - 1) ** 2))


@pytest.mark.slow
@pytest.mark.parametrize("valid", [0.0, 0.5])
def test_an_interrupt_is_seen_soon_and_keeps_what_was_learned(valid: float) -> None:
    struck = 0.0

    def strike() -> None:
        nonlocal struck
        struck = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    timer: list[threading.Timer] = []

    def show(event: Event) -> None:
        learned = isinstance(event, Measured if valid else Progress) and event.step > 0
        if learned and not timer:  # on a busy machine that may take a while
            timer.append(threading.Timer(0.5, strike))
            timer[0].start()

    last = follow(
        train(
            slow_objective(), numpy.zeros(150), (numpy.zeros(64),),
            steps=10**6, batch=2, valid=valid, rate=0.01,
        ),
        show,
    )  # fmt: skip
    waited = time.perf_counter() - struck
    assert last.reason == "interrupted"
    assert last.kept_step > 0
    assert numpy.max(last.weights) > 0
    assert waited < 10, waited  # a million steps were planned; how soon is for benchmarks


@pytest.mark.parametrize("kind", [Started, Compiled, Progress, Epoch, Measured])
def test_an_interrupt_in_what_follows_the_events_ends_cleanly_too(kind: type) -> None:
    weights, data = problem()
    shown: list[Event] = []
    struck = [True]

    def show(event: Event) -> None:
        shown.append(event)
        if len(of_kind(shown, kind)) == (1 if kind in (Started, Compiled) else 2) and struck:
            struck.clear()
            raise KeyboardInterrupt

    events = train(linear_regression(), weights, data, epochs=50, valid=0.1)
    last = follow(events, show)
    assert last.reason == "interrupted"
    assert shown[-1] is last
    assert last.step < 50 * 2
    if kind is Measured:
        assert last.kept_by == "validation"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_is_seen_with_the_next_steps() -> None:
    class Deaf:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):  # here it is raised, and ignored
                pass

    weights, data = problem()
    left = [Deaf()]

    def show(event: Event) -> None:
        if isinstance(event, Progress):
            left.clear()

    before = signal.getsignal(signal.SIGINT)
    last = follow(train(linear_regression(), weights, data, steps=10**7), show)
    assert last.reason == "interrupted"
    assert last.step < 10**6
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("at", ["keep", "write", "show"])
def test_an_interrupt_while_all_is_put_away_loses_nothing(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, data = problem()
    struck: list[str] = []
    kept: list[Any] = []

    def strike(where: str) -> None:
        if where == at and not struck:
            struck.append(where)
            raise KeyboardInterrupt

    def keep(found: Any) -> None:
        strike("keep")
        kept.append(found)

    def write(*given: Any) -> Path:
        strike("write")
        return really(*given)

    def show(event: Event) -> None:
        if isinstance(event, Saved):
            strike("show")

    really = checkpoints.write
    monkeypatch.setattr(checkpoints, "write", write)
    training = train(
        linear_regression(), weights, data, steps=20, keep=keep, checkpoint=tmp_path, every=1e9
    )
    last = follow(training, show)
    assert struck
    assert (last.reason, last.step) == ("finished", 20)
    assert same(kept[-1], last.weights)
    assert checkpoints.unfinished(tmp_path) is None


@pytest.mark.slow
def test_until_ends_the_training_at_the_end_of_an_epoch() -> None:
    weights, data = problem()
    last, events = run(
        linear_regression(), weights, data,
        optimizer="sgd", rate=0.05, epochs=1000, batch=10, valid=0.2,
        until=lambda event: isinstance(event, Measured) and event.loss < 1e-3,
    )  # fmt: skip
    assert last.reason == "until"
    assert last.measured is not None
    assert last.measured.loss < 1e-3
    assert all(event.loss >= 1e-3 for event in of_kind(events, Measured)[:-1])


@pytest.mark.slow
def test_draws_are_new_in_every_step_and_the_same_for_a_seed() -> None:
    objective = Objective(
        lambda w, batch, key: (jax.random.normal(key), jnp.zeros_like(w)),
        lambda w, batch, key: batch[0],
    )

    def losses(seed: int) -> list[float]:
        _, events = run(objective, numpy.zeros(1), (numpy.zeros(8),), steps=40, seed=seed)
        return [x for event in of_kind(events, Progress) for x in event.losses]

    assert len(set(losses(0))) == 40
    assert losses(0) == losses(0)
    assert losses(0) != losses(1)


COMPLEX = ("adam", "adamw", "sgd", "momentum", "nesterov", "rmsprop")  # that optax has


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, numpy.float32) for name in OPTIMIZERS] + [(name, numpy.complex128) for name in COMPLEX],
)
def test_weights_keep_their_precision(name: str, dtype: type) -> None:
    objective = Objective(
        lambda w, batch, key: (jnp.sum(jnp.abs(w) ** 2), 2 * w),
        lambda w, batch, key: batch[0],
    )
    last, _ = run(objective, numpy.ones(3, dtype), (numpy.zeros(4),), steps=5, optimizer=name)
    assert last.weights.dtype == dtype
    assert numpy.isfinite(last.weights).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"optimizer": "adm"}, "Do you mean adam?"),
        ({"optimizer": "newton-raphson"}, "There are: adam"),
        ({"rate": "cosin"}, "Do you mean cosine?"),
        ({"rate": "cosine fast"}, "no schedule called 'cosine fast'"),
        ({"rate": -1.0}, "positive number"),
        ({"optimizer": optax.adam(0.1), "rate": 0.1}, "leave `rate` out"),
        ({"batch": 0}, "at least one example"),
        ({"valid": 1.5}, "share held out"),
        ({"epochs": 0}, "positive number of epochs"),
        ({"steps": 0}, "positive number of epochs"),
        ({"data": ()}, "leading axis"),
        ({"data": (numpy.zeros(3), numpy.zeros(4))}, "3, 4"),
        ({"data": (numpy.zeros((0, 2)), numpy.zeros(0))}, "too few examples"),
        ({"data": (numpy.zeros((1, 3)), numpy.zeros(1)), "valid": 0.5}, "too few examples"),
        ({"weights": {}}, "no weights"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_the_first_event(
    change: dict[str, Any], told: str
) -> None:
    weights, data = problem()
    arguments = {"objective": linear_regression(), "weights": weights, "data": data, **change}
    with pytest.raises(ValueError, match=told.replace("?", r"\?")):
        train(**arguments)


def test_steps_taken_one_by_one_are_the_steps_of_a_loop(monkeypatch):
    # Convolutions are trained step by step on a CPU: it must make no difference.
    def value_and_grad(w, batch, key):
        return jnp.mean((batch[0] - w) ** 2), 2 * (w - jnp.mean(batch[0]))

    data = (numpy.linspace(0.0, 1.0, 23),)

    def weights(looped):
        monkeypatch.setattr(chunks, "_in_a_loop", lambda *_: looped)
        goal = Objective(value_and_grad, lambda w, batch, key: (batch[0] - w) ** 2)
        *_, last = train(goal, 0.0, data, epochs=7, batch=4, rate=0.01)
        return last.reason, last.step, float(last.weights)

    one, other = weights(True), weights(False)
    assert one[:2] == other[:2]
    numpy.testing.assert_allclose(one[2], other[2], rtol=1e-6)  # compiled apart: rounding


def test_a_failure_is_found_step_by_step_too(monkeypatch):
    monkeypatch.setattr(chunks, "_in_a_loop", lambda *_: False)

    def value_and_grad(w, batch, key):
        return jnp.where(w > 3, jnp.nan, w), jnp.ones(()) * -1.0

    goal = Objective(value_and_grad, lambda w, batch, key: batch[0] * 0)
    *_, last = train(goal, 0.0, (numpy.zeros(8),), optimizer="sgd", rate=1.0, steps=20, batch=4)
    assert last.reason == "diverged"
    assert numpy.isfinite(last.weights)


# --- examples in lists ----------------------------------------------------------------------


def ragged_means() -> Objective:
    """The squared distance of `w` from the mean of each example, of any length."""

    def residual(w: Any, batch: Any) -> Any:
        (xs,) = batch
        assert isinstance(xs, list)
        return jnp.stack([jnp.mean(jnp.asarray(x)) for x in xs]) - w

    return Objective(
        lambda w, batch, key: (jnp.mean(residual(w, batch) ** 2), -2 * residual(w, batch).mean()),
        lambda w, batch, key: residual(w, batch) ** 2,
        lambda w, batch, key: jnp.abs(residual(w, batch)),
    )


def test_what_is_written_to_the_data_afterwards_changes_no_training() -> None:
    given = numpy.ones((4, 16), numpy.float32)
    (column,) = columns.read([given])
    given[:] = 2
    assert float(column.sum()) == 64


def test_examples_of_different_shapes_are_trained_on_from_a_list() -> None:
    data = [[1.0], [2.0, 4.0], [3.0, 3.0, 3.0], [5.0, 5.0]]
    last, events = run(ragged_means(), 0.0, (data,), optimizer="sgd", rate=0.1, steps=150, batch=4)
    assert float(last.weights) == pytest.approx(3.0)
    assert last.measured is not None
    assert last.measured.loss == pytest.approx(2.0)  # of the means 1, 3, 3, 5
    assert last.measured.metric == pytest.approx(1.0)
    assert sum(len(event.losses) for event in of_kind(events, Progress)) == 150


def test_lists_are_trained_on_step_by_step_as_arrays_are() -> None:
    """The same batches in the same order, epochs turned alike, validation held out alike."""
    weights, (x, y) = problem(37)
    array = linear_regression(True)

    def with_lists(function: Any) -> Any:
        # A list of rows makes an array again: hide them.
        return lambda w, batch, key: function(
            w, (jnp.asarray([row.row for row in batch[0]]), batch[1]), key
        )

    class Hidden:
        def __init__(self, row: Any) -> None:
            self.row = row

    assert array.metric is not None
    lists = Objective(*map(with_lists, (array.value_and_grad, array.losses, array.metric)))
    options: dict[str, Any] = {"epochs": 4, "batch": 5, "valid": 0.2, "rate": "cosine 0.05"}
    one, ones = run(array, weights, (x, y), **options)
    other, others = run(lists, weights, (list(map(Hidden, x)), y), **options)
    for a, b in zip(of_kind(ones, Measured), of_kind(others, Measured), strict=True):
        assert a.loss == pytest.approx(b.loss, rel=1e-5)
        assert a.metric == pytest.approx(b.metric, rel=1e-5)
    numpy.testing.assert_allclose(one.weights["W"], other.weights["W"], rtol=1e-4, atol=1e-6)


def test_a_list_that_makes_a_value_infinite_stops_the_training_with_the_batch() -> None:
    def value_and_grad(w: Any, batch: Any, key: Any) -> Any:
        worst = max(len(x) for x in batch[0])
        return jnp.log(jnp.asarray(3.0 - worst)) + 0 * w, jnp.ones_like(w)

    objective = Objective(value_and_grad, lambda w, batch, key: jnp.zeros(len(batch[0])))
    data = [[1.0], [2.0, 4.0], [3.0, 3.0, 3.0]]
    last, _ = run(objective, 0.0, (data,), steps=10, batch=1)
    assert last.reason == "diverged"
    assert last.failure is not None
    assert last.failure.batch == ([[3.0, 3.0, 3.0]],)
    assert numpy.isfinite(last.weights)


def test_an_event_is_read_at_a_glance() -> None:
    """The last one carries all weights, but does not print them."""
    x, y = jnp.ones((4, 300)), jnp.ones((4, 2))
    weights = {"W": jnp.zeros((300, 2)), "b": jnp.zeros(2)}
    *_, last = train(linear_regression(), weights, (x, y), steps=1)
    assert isinstance(last, Finished)
    assert last.weights["W"].shape == (300, 2)
    assert len(repr(last)) < 400
