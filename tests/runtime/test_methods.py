"""What moves the weights, by name, against the same from optax and against plain numpy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy
import optax
import pytest

from nnfp_kernel.runtime.training.events import Event, Finished, Measured, Progress
from nnfp_kernel.runtime.training.methods import schedule
from nnfp_kernel.runtime.training.plan import Objective
from nnfp_kernel.runtime.training.train import train

RNG = numpy.random.default_rng(5)
XS = RNG.normal(size=(30, 3))
YS = XS @ numpy.array([2.0, -1.0, 0.5]) + 3.0
WEIGHTS = {"w": numpy.array([0.5, -0.5, 1.0]), "b": numpy.array(1.0)}
STEPS = 25


def gradient(weights: Any, batch: Any, key: Any) -> Any:
    """Of the mean squared error of a line, by hand."""
    x, y = batch
    r = x @ weights["w"] + weights["b"] - y
    return jnp.mean(r**2), {"w": 2 * x.T @ r / len(r), "b": 2 * jnp.mean(r)}


def losses(weights: Any, batch: Any, key: Any) -> Any:
    return (batch[0] @ weights["w"] + weights["b"] - batch[1]) ** 2


LINE = Objective(gradient, losses)


def run(**asked: Any) -> list[Event]:
    return list(train(LINE, WEIGHTS, (XS, YS), **{"batch": 30, "steps": STEPS, **asked}))


def end(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def by_optax(method: Any) -> list[Any]:
    """The weights after each step of an optax method; a batch is all examples."""
    weights, memory, found = WEIGHTS, method.init(WEIGHTS), []
    for _ in range(STEPS):
        updates, memory = method.update(gradient(weights, (XS, YS), None)[1], memory, weights)
        weights = optax.apply_updates(weights, updates)
        found.append(weights)
    return found


def assert_near(one: Any, other: Any) -> None:
    jax.tree.map(lambda a, b: numpy.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6), one, other)


@pytest.mark.parametrize(
    ("asked", "method"),
    [
        (
            {"optimizer": "sgd", "clip": 0.5},
            optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1)),
        ),
        (
            {"optimizer": "sgd", "clip": optax.clip(0.2)},
            optax.chain(optax.clip(0.2), optax.sgd(0.1)),
        ),
        ({"optimizer": "adam", "decay": 0.1}, optax.adamw(0.1, weight_decay=0.1)),
        pytest.param(
            {"optimizer": "adamw", "decay": 0.2},
            optax.adamw(0.1, weight_decay=0.2),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"optimizer": "lion", "decay": 0.0},
            optax.lion(0.1, weight_decay=0.0),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"optimizer": "lamb", "decay": 0.3},
            optax.lamb(0.1, weight_decay=0.3),
            marks=pytest.mark.slow,
        ),
        (
            {"optimizer": optax.sgd(0.1), "clip": 0.5, "rate": None},
            optax.chain(optax.clip_by_global_norm(0.5), optax.sgd(0.1)),
        ),
        (
            {"optimizer": "sgd", "schedule": "cosine", "warmup": 5},
            optax.sgd(optax.warmup_cosine_decay_schedule(0.0, 0.1, 5, STEPS)),
        ),
        (
            {
                "optimizer": "sgd",
                "schedule": optax.polynomial_schedule(0.1, 0.0, 2, STEPS),
                "rate": None,
            },
            optax.sgd(optax.polynomial_schedule(0.1, 0.0, 2, STEPS)),
        ),
    ],
    ids=["clip", "clip by optax", "adam", "adamw", "lion", "lamb", "optax", "warmup", "function"],
)
def test_an_option_by_name_does_what_optax_does(asked: dict[str, Any], method: Any) -> None:
    assert_near(end(run(**{"rate": 0.1, **asked})).weights, by_optax(method)[-1])


def test_decay_of_sgd_is_apart_from_the_gradient() -> None:
    weights = WEIGHTS
    for _ in range(STEPS):
        _, slope = gradient(weights, (XS, YS), None)
        weights = {k: w - 0.05 * (slope[k] + 0.2 * w) for k, w in weights.items()}
    assert_near(end(run(optimizer="sgd", rate=0.05, decay=0.2)).weights, weights)


@pytest.mark.parametrize("name", ["constant", "linear", "cosine", "exponential"])
def test_a_schedule_after_a_warmup_is_the_schedule_of_the_rest(name: str) -> None:
    warm, cold = schedule(0.3, 1.0, 50, name, 10), schedule(0.3, 1.0, 40, name)
    for step in range(50):
        expected = 0.3 * step / 10 if step < 10 else float(cold(step - 10))
        assert float(warm(step)) == pytest.approx(expected, rel=1e-5)
    assert float(schedule(f"{name} 0.3", 1.0, 40)(7)) == float(cold(7))


def test_the_average_of_the_weights_is_what_is_measured_and_kept() -> None:
    asked = {"optimizer": "sgd", "rate": 0.02, "batch": 24, "valid": 0.2}  # an epoch is a step
    averaged = optax.ema(0.7, debias=True)
    state = averaged.init(WEIGHTS)
    events = run(**asked, steps=8, ema=0.7)
    told = [event for event in events if isinstance(event, Measured)]
    for count, measured in enumerate(told, 1):
        plain = end(run(**asked, steps=count))
        assert plain.kept_step == count  # the loss falls, so that the last are the best
        average, state = averaged.update(plain.weights, state)
        assert measured.step == count
    assert_near(end(events).weights, average)
    shuffled = numpy.random.default_rng([0, 1]).permutation(30)[:6]
    expected = numpy.mean(losses(average, (XS[shuffled], YS[shuffled]), None))
    assert told[-1].loss == pytest.approx(float(expected), rel=1e-4)


def test_without_validation_the_average_is_kept() -> None:
    every = by_optax(optax.sgd(0.05))
    averaged = optax.ema(0.9, debias=True)
    state = averaged.init(WEIGHTS)
    for weights in every:
        average, state = averaged.update(weights, state)
    found = end(run(optimizer="sgd", rate=0.05, ema=0.9))
    assert found.kept_by == "last"
    assert_near(found.weights, average)


def test_patience_ends_after_so_many_validations_without_a_better_one() -> None:
    # A rate so high that the loss on what is held out jumps about, and gets no better.
    events = run(optimizer="adam", rate=1.5, valid=0.3, steps=2000, patience=4)
    told = [event for event in events if isinstance(event, Measured)]
    assert [event.best for event in told[-5:]] == [True, False, False, False, False]
    best = min(told, key=lambda event: event.loss)
    found = end(events)
    assert (found.reason, found.waited, found.kept_step) == ("patience", 4, best.step)
    assert found.step == told[-1].step < 2000
    # A run of not better ones before the end was always shorter.
    streaks = "".join("+" if event.best else "-" for event in told).split("+")
    assert all(len(streak) < 4 for streak in streaks[:-1])


def test_equal_options_compile_once() -> None:
    asked = {"optimizer": "adam", "clip": 1.0, "decay": 1e-4, "ema": 0.99}
    first = end(run(**asked, rate=0.1))
    from nnfp_kernel.runtime.training import chunks

    before = chunks._of_arrays.cache_info().misses
    second = end(run(**asked, rate=0.2, schedule="cosine", warmup=3))
    assert chunks._of_arrays.cache_info().misses == before
    assert not numpy.array_equal(first.weights["w"], second.weights["w"])


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"clip": -1}, "clipped to a positive norm, not -1"),
        ({"clip": float("nan")}, "positive norm"),
        ({"clip": "much"}, "a number, or by optax, not by 'much'"),
        ({"decay": float("inf")}, "0 or a positive number, not inf"),
        ({"optimizer": optax.adam(0.1), "decay": 0.1}, "leave `decay` out"),
        ({"optimizer": optax.adam(0.1), "rate": 0.1}, "leave `rate` out"),
        ({"optimizer": optax.adam(0.1), "schedule": "cosine"}, "leave `schedule` out"),
        ({"optimizer": optax.adam(0.1), "warmup": 3}, "leave `warmup` out"),
        ({"optimizer": optax.adam}, "a name or an optax one"),
        ({"schedule": "cosin"}, "Do you mean cosine?"),
        ({"schedule": "linear", "rate": "cosine 0.1"}, "two schedules, cosine and linear"),
        ({"schedule": lambda step: 0.1, "rate": 0.1}, "leave `rate` out"),
        ({"schedule": lambda step: 0.1, "warmup": 2}, "has its warmup in it"),
        ({"schedule": "one-cycle", "warmup": 2}, "a warmup of its own"),
        ({"warmup": -2}, "not for -2"),
        ({"warmup": STEPS}, f"some of the {STEPS} steps"),
        ({"ema": 0}, "between 0 and 1"),
        ({"ema": 1.0}, "between 0 and 1"),
        ({"patience": 0, "valid": 0.2}, "one validation at least"),
        ({"patience": 2}, "hold a share of the examples out"),
    ],
)
def test_what_makes_no_sense_is_told(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        run(**asked)


def test_the_rate_is_told_as_it_warms_up() -> None:
    told = [e.rate for e in run(rate=0.1, warmup=20, steps=21) if isinstance(e, Progress)]
    assert told[0] == 0.0
    assert told[-1] == pytest.approx(0.1)
