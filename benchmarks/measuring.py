"""What the benchmarks measure with: seconds, in turns, and quartiles.

On a shared machine two programs are compared by running them one after the other, many times,
in an order that turns about, so that neither leaves the caches cold for the other; what is
told is the median of the pairs' ratios with its quartiles.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

os.environ.setdefault("NNFP_CACHE", "off")  # what is compiled here is compiled


class Seconds(NamedTuple):
    """How long a call took."""

    cpu: float  # of all threads
    wall: float


def seconds(run: Callable[[], Any], repeat: int = 1) -> Seconds:
    """The time of one call, out of so many."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeat):
        jax.block_until_ready(run())
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Seconds(cpu / repeat, wall / repeat)


def cpu_seconds(run: Callable[[], Any], repeat: int = 1) -> float:
    """CPU seconds of one call, of all threads."""
    return seconds(run, repeat).cpu


def in_turns(
    runs: Sequence[Callable[[], Any]], rounds: int, at_least: float = 0.02, rest: float = 0.0
) -> list[list[Seconds]]:
    """The times of each, round by round, in an order that turns about. In a round each is
    called as often as takes so many seconds. Threads that turn round while they wait, as
    PyTorch's do for 0.2 seconds, come to `rest` before the next."""
    by = clock().lower()
    warm = [getattr(seconds(run, 3), by) for run in runs]
    repeats = [max(1, int(at_least / max(one, 1e-7))) for one in warm]
    taken: list[list[Seconds]] = [[] for _ in runs]
    for k in range(rounds):
        order = list(zip(runs, repeats, taken, strict=True))
        for run, repeat, times in order if k % 2 else order[::-1]:
            time.sleep(rest)
            times.append(seconds(run, repeat))
    return taken


def clock() -> str:
    """What a comparison counts: CPU time, or wall time where another device does the work."""
    return "CPU" if jax.default_backend() == "cpu" else "wall"


def alternating(
    runs: Sequence[Callable[[], Any]], rounds: int, at_least: float = 0.02
) -> list[list[float]]:
    """The seconds of each by that clock, in turns."""
    by = clock().lower()
    return [[getattr(one, by) for one in times] for times in in_turns(runs, rounds, at_least)]


def apart(some: Any, others: Any) -> float:
    """How far the arrays of two answers are apart at most, beside the largest of the other's."""
    pairs = zip(jax.tree.leaves(some), jax.tree.leaves(others), strict=True)
    return max(float(jnp.max(jnp.abs(a - b)) / (jnp.max(jnp.abs(b)) + 1e-12)) for a, b in pairs)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper one."""
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


def ratio(some: Sequence[float], others: Sequence[float]) -> tuple[float, float, float]:
    """The quartiles of the pairs' ratios."""
    return quartiles([a / b for a, b in zip(some, others, strict=True)])
