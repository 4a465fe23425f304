"""How weights are moved: optimisers and schedules, by name or as a person has them from optax."""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat

import jax
import jax.numpy as jnp
import numpy
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


@dataclass(frozen=True)
class Constant:
    """The same rate at every step."""

    rate: float

    def __call__(self, step: Any) -> float:
        return self.rate


SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda peak, steps: Constant(peak),
    "linear": lambda peak, steps: optax.linear_schedule(peak, 0.0, steps),
    "cosine": lambda peak, steps: optax.cosine_decay_schedule(peak, steps),
    "exponential": lambda peak, steps: optax.exponential_decay(peak, steps, 0.01),
    "warmup": lambda peak, steps: optax.warmup_cosine_decay_schedule(
        0.0, peak, max(1, steps // 20), max(2, steps)
    ),
    "one-cycle": lambda peak, steps: optax.cosine_onecycle_schedule(max(2, steps), peak),
}


# These have weight decay of their own; with the others it is decoupled from the gradient.
DECAYED: dict[str, Callable[[float], optax.GradientTransformation]] = {
    "adamw": lambda decay: optax.adamw(1.0, weight_decay=decay),
    "lamb": lambda decay: optax.lamb(1.0, weight_decay=decay),
    "lion": lambda decay: optax.lion(1.0, weight_decay=decay),
}


def method(
    optimizer: str | optax.GradientTransformation,
    clip: float | optax.GradientTransformation | None = None,
    decay: float | None = None,
) -> tuple[optax.GradientTransformation, str]:
    """The optimiser and what it is called.

    `clip` is the largest norm that the gradient of all weights together may have; a longer
    one is scaled down to it (Pascanu et al. 2013). Or it is what optax has for it. `decay`
    pulls every weight towards zero by its share of the rate, apart from the gradient
    (Loshchilov and Hutter 2019). Equal arguments give the same object.
    """
    if isinstance(optimizer, str) and optimizer not in OPTIMIZERS:
        raise ValueError(unknown("optimiser", optimizer, OPTIMIZERS))
    if not isinstance(optimizer, str | optax.GradientTransformation):
        raise ValueError(f"an optimiser is a name or an optax one, not {optimizer!r}")
    if clip is not None and not isinstance(clip, optax.GradientTransformation):
        if not isinstance(clip, SupportsFloat):
            raise ValueError(f"the gradient is clipped to a number, or by optax, not by {clip!r}")
        clip = float(clip)
        if not (math.isfinite(clip) and clip > 0):
            raise ValueError(f"the gradient is clipped to a positive norm, not {clip:g}")
    if decay is not None:
        if not isinstance(optimizer, str):
            raise ValueError("an optax optimiser has its decay in it: leave `decay` out")
        if not (math.isfinite(decay) and decay >= 0):
            raise ValueError(f"the decay of weights is 0 or a positive number, not {decay}")
    return _built(optimizer, clip, decay), optimizer if isinstance(optimizer, str) else "optax"


@functools.lru_cache(maxsize=64)
def _built(
    optimizer: str | optax.GradientTransformation,
    clip: float | optax.GradientTransformation | None,
    decay: float | None,
) -> optax.GradientTransformation:
    """One object for what is the same: it is part of a cache's key."""
    parts: list[optax.GradientTransformation] = []
    if clip is not None:
        given = isinstance(clip, optax.GradientTransformation)
        parts.append(clip if given else optax.clip_by_global_norm(clip))
    if not isinstance(optimizer, str):
        parts.append(optimizer)
    elif decay is not None and optimizer in DECAYED:
        parts.append(DECAYED[optimizer](decay))
    else:
        parts.append(OPTIMIZERS[optimizer][0]())
        if decay is not None:
            parts.append(optax.add_decayed_weights(-decay))  # updates point downhill already
    return parts[0] if len(parts) == 1 else optax.chain(*parts)


def by_number(
    optimizer: str | optax.GradientTransformation,
    clip: float | optax.GradientTransformation | None = None,
) -> bool:
    """Whether the method moves each number by itself, or by what is common to all, whatever
    array it stands in. LAMB looks at each array; what an object of optax's does, nobody knows."""
    given = isinstance(clip, optax.GradientTransformation)
    return isinstance(optimizer, str) and optimizer != "lamb" and not given


def rates(
    optimizer: str | optax.GradientTransformation,
    rate: float | str | Schedule | None,
    named: str | Schedule | None,
    warmup: int,
    steps: int,
) -> Schedule | None:
    """The rate of each step; None where it is the optimiser's own affair."""
    if isinstance(optimizer, str):
        return schedule(rate, OPTIMIZERS[optimizer][1], steps, named, warmup)
    for what, given in (("rate", rate), ("schedule", named), ("warmup", warmup or None)):
        if given is not None:
            raise ValueError(f"an optax optimiser has its {what} in it: leave `{what}` out")
    return None


def schedule(
    rate: float | str | Schedule | None,
    default: float,
    steps: int,
    named: str | Schedule | None = None,
    warmup: int = 0,
) -> Schedule:
    """The rate of each step, from what a person writes for it: a rate and the name of a
    schedule, apart or in one text; or a function, as optax makes them. With a `warmup` the
    rate rises from 0 for so many steps, and the schedule has the rest.

    >>> [round(float(schedule("linear 0.1", 1e-3, 10)(step)), 3) for step in (0, 5, 10)]
    [0.1, 0.05, 0.0]
    >>> warm = schedule(0.1, 1e-3, 14, "linear", warmup=4)
    >>> [round(float(warm(step)), 3) for step in (0, 2, 4, 9, 14)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    if warmup and not 0 < warmup < steps:
        raise ValueError(f"the rate warms up for some of the {steps} steps, not for {warmup}")
    function = named if callable(named) else rate if callable(rate) else None
    if function is not None:
        if named is not None and rate is not None:
            raise ValueError("a schedule that is a function has its rate in it: leave `rate` out")
        if warmup:
            raise ValueError("a schedule that is a function has its warmup in it")
        return function
    name, peak = named, rate
    if isinstance(rate, str):
        written, peak = _read(rate)
        if written is not None and named is not None:
            raise ValueError(f"two schedules, {written} and {named}: leave one out")
        name = named if written is None else written
    name = "constant" if name is None else name
    peak = default if peak is None else float(peak)  # type: ignore[arg-type]
    if not isinstance(name, str):
        raise ValueError(f"a schedule is a name or a function of the step, not {name!r}")
    if name not in SCHEDULES:
        raise ValueError(unknown("schedule", name, SCHEDULES))
    if not (math.isfinite(peak) and peak > 0):
        raise ValueError(f"the rate is a positive number, not {peak}")
    if not warmup:
        return SCHEDULES[name](peak, steps)
    if name in ("warmup", "one-cycle"):
        raise ValueError(f"the schedule {name} has a warmup of its own")
    parts = [optax.linear_schedule(0.0, peak, warmup), SCHEDULES[name](peak, steps - warmup)]
    warm: Schedule = optax.join_schedules(parts, [warmup])
    return warm


class Rates:
    """The rates of a training's steps, as arrays: worked out by the thousand, for asking a
    schedule takes as long as dozens of small steps."""

    def __init__(self, schedule: Schedule | None, count: int) -> None:
        self.schedule, self.count = schedule, count
        self.first, self.known = 0, numpy.empty(0)

    def following(self, step: int) -> numpy.ndarray:
        """Those of the next `count` steps; ones where the rate is the optimiser's own affair."""
        dtype = jax.dtypes.canonicalize_dtype(float)
        if self.schedule is None or isinstance(self.schedule, Constant):
            return numpy.full(self.count, 1 if self.schedule is None else self.schedule.rate, dtype)
        if not self.first <= step <= self.first + len(self.known) - self.count:
            steps = step + jnp.arange(2 * self.count)
            rates = jax.vmap(self.schedule, axis_size=len(steps))(steps)
            self.first, self.known = step, numpy.asarray(rates, dtype)
        return self.known[step - self.first :][: self.count]


def _read(rate: str) -> tuple[str | None, float | None]:
    """The schedule and the peak that a text tells, if it does."""
    words = rate.replace(":", " ").split()
    name = words.pop(0) if words and words[0] in SCHEDULES else None
    try:
        (peak,) = map(float, words) if words else (None,)
    except ValueError:
        raise ValueError(unknown("schedule", rate, SCHEDULES)) from None
    return name, peak


def unknown(what: str, name: str, known: Sequence[str] | dict[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Do you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    return f"there is no {what} called {name!r}. {hint}"
