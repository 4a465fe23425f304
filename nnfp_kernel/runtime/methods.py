"""How weights are moved: optimisers and schedules, by name or as a person has them from optax."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import optax

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


def method(
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
        raise ValueError(unknown("optimiser", optimizer, OPTIMIZERS))
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
            raise ValueError(unknown("schedule", rate, SCHEDULES)) from None
        if words:
            raise ValueError(unknown("schedule", rate, SCHEDULES))
    elif rate is not None:
        peak = float(rate)
    if not (math.isfinite(peak) and peak > 0):
        raise ValueError(f"the rate is a positive number, not {peak}")
    return SCHEDULES[name](peak, steps)


def unknown(what: str, name: str, known: Sequence[str] | dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Do you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    return f"there is no {what} called {name!r}. {hint}"
