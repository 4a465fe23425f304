"""GradBench's problems: our times beside plain JAX's, case by case in one process.

    python benchmarks/gradbench/compare.py [--rounds 30] [--only gmm,ba] [--cases FOLDER]

The cases are made up here, of GradBench's sizes; with --cases they are those recorded in a
folder. Both tools get the same arrays, alternate, and are compared first. Times are CPU
seconds of the process (all threads), the ratio is of medians of pairs. Goals: primal and
derivative at most 1.05 of JAX's time; of gmm at most 1 / 1.8 of it, of ba at most 1.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy
import plain_jax
import tool
from problems import PROBLEMS

Json = Any
GOALS = {"gmm": 1 / 1.8, "ba": 1.0}


def made() -> Iterator[tuple[str, str, Json]]:
    """Cases of GradBench's small sizes: module, description, input."""
    random = numpy.random.default_rng(0)

    def numbers(*shape: int) -> list[Any]:
        found: list[Any] = random.normal(size=shape).tolist()
        return found

    yield "hello", "", 3.0
    for n in (5, 64, 2500, 5000):
        yield "lse", f"n={n}", {"x": numbers(n)}
    for n, m in ((16, 8), (16, 128), (128, 128), (512, 128)):
        yield "llsq", f"n={n},m={m}", {"x": numbers(m), "n": n}
    for d, k, n in ((3, 4, 20), (2, 5, 1000), (2, 10, 1000), (10, 5, 1000), (10, 10, 1000),
                    (10, 25, 1000), (20, 25, 1000)):  # fmt: skip
        yield "gmm", f"{d}_{k}_{n}", {
            "d": d, "k": k, "n": n, "x": numbers(n, d), "m": 0, "gamma": 1.0, "alpha": numbers(k),
            "mu": numbers(k, d), "q": numbers(k, d), "l": numbers(k, d * (d - 1) // 2),
        }  # fmt: skip
    for k, n, d in ((3, 40, 2), (10, 1000, 8), (100, 1000, 8)):
        points = numbers(n, d)  # a centroid at a point has a point of its own
        yield "kmeans", f"k={k},n={n},d={d}", {"points": points, "centroids": points[:k]}
    for n, s in ((4, 50), (9, 100), (1000, 10)):
        yield "ode", f"n={n},s={s}", {"x": random.uniform(size=n).tolist(), "s": s}
    for n, m, p in ((49, 7776, 31843), (21, 11315, 36455)):
        yield "ba", f"n{n}_m{m}_p{p}", {
            "n": n, "m": m, "p": p, "cam": [0.1, -0.2, 0.3, *numbers(3), 50, 1, 2, 0.01, 0.001],
            "x": [1.0, 2.0, 9.0], "w": 0.4, "feat": [3.0, 4.0],
        }  # fmt: skip
    yield "saddle", "", {"start": [1.0, 1.0]}


def recorded(folder: Path) -> Iterator[tuple[str, str, Json]]:
    """The cases in a folder, each once."""
    for file in sorted(folder.glob("*.jsonl.gz")):
        seen = set()
        with gzip.open(file, "rt") as lines:
            for case in map(json.loads, lines):
                key = json.dumps(case["input"])
                if key not in seen and not (file.name.startswith("hello") and seen):
                    seen.add(key)
                    yield file.name.split(".")[0], case["description"][:24], case["input"]


def cpu_seconds(run: Callable[[], Any], repeat: int) -> float:
    start = time.process_time()
    for _ in range(repeat):
        jax.block_until_ready(run())
    return (time.process_time() - start) / repeat


def differ(ours: Any, theirs: Any) -> float:
    """How far two answers are apart, each array on its own scale."""
    return max(
        float(numpy.abs(a - b).max() / (numpy.abs(b).max() or 1.0))
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)
    )


def compare(module: str, name: str, said: str, given: Json, rounds: int) -> tuple[float, bool]:
    """The ratio of the times, and whether the goal is met."""
    problem = PROBLEMS[module]
    size = problem.size(given)
    arrays = jax.device_put(problem.arguments(given))
    ours, theirs = (one.function(module, name, size) for one in (tool, plain_jax))
    run_ours, run_theirs = lambda: ours(*arrays), lambda: theirs(*arrays)
    apart = differ(run_ours(), run_theirs())
    repeat = max(1, int(0.02 / max(cpu_seconds(run_theirs, 3), 1e-7)))
    mine: list[float] = []
    other: list[float] = []
    for k in range(rounds):
        order = (run_ours, mine), (run_theirs, other)
        for run, times in order if k % 2 else order[::-1]:
            times.append(cpu_seconds(run, repeat))
    low, ratio, high = statistics.quantiles([a / b for a, b in zip(mine, other, strict=True)], n=4)
    goal = GOALS.get(module, 1.05)
    print(
        f"{module:7}{name:10}{said:20} ours {statistics.median(mine) * 1e6:10.1f} µs"
        f"   jax {statistics.median(other) * 1e6:10.1f} µs"
        f"   ratio {ratio:.2f} ({low:.2f} to {high:.2f})   differ {apart:.0e}"
        + ("" if ratio <= goal else f"   goal {goal:.2f}"),
        flush=True,
    )
    return ratio, ratio <= goal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", default="")
    parser.add_argument("--cases", type=Path)
    arguments = parser.parse_args()
    chosen = set(filter(None, arguments.only.split(",")))
    print(f"jax {jax.__version__}, {jax.default_backend()}, {arguments.rounds} rounds, CPU time\n")
    ratios: dict[str, list[float]] = {}
    met = total = 0
    for module, said, given in recorded(arguments.cases) if arguments.cases else made():
        if chosen and module not in chosen:
            continue
        for name in PROBLEMS[module].functions:
            if (module, name) not in {**plain_jax.PLAIN, **plain_jax.SIZED}:
                continue
            ratio, reached = compare(module, name, said, given, arguments.rounds)
            ratios.setdefault(module, []).append(ratio)
            met, total = met + reached, total + 1
    print()
    for module, found in ratios.items():
        print(f"{module:8} geometric mean of ratios {statistics.geometric_mean(found):.2f}")
    print(f"{met} of {total} within their goals")


if __name__ == "__main__":
    main()
