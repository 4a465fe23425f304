"""GradBench's problems: our times beside plain JAX's, case by case in one process.

    python benchmarks/gradbench/compare.py [--rounds 30] [--only gmm,ba] [--cases FOLDER] [--quick]

The cases are made up here, of GradBench's sizes; with --cases they are those recorded in a
folder; with --quick they are the first of each problem, and few rounds. Both tools get the
same arrays, alternate, and are compared first. Times are CPU seconds of the process (all
threads), the ratio is the median of pairs, with quartiles. Goals: primal and derivative at
most 1.05 of JAX's time; of gmm at most 1 / 1.8 of it, of the Jacobian of ba at most 1.

JAX's programs are GradBench's own where those are at hand; where an expert would write
another (`plain_jax.EXPERT`), its ratio stands beside. Then how much of JAX's time of the least
`gmm` its products take alone, and last the cost of a call as such: how long a function of next
to no work takes, ours as everyday users call it, beside `jax.jit`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy
import plain_jax
import tool
from problems import PROBLEMS

import nnfp_kernel as nnfp

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from measuring import alternating, ratio

Json = Any
GOALS = {("gmm", "objective"): 1 / 1.8, ("gmm", "jacobian"): 1 / 1.8, ("ba", "jacobian"): 1.0}


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
    functions = [one.function(module, name, size) for one in (tool, plain_jax)]
    if (module, name) in plain_jax.EXPERT:
        functions.append(jax.jit(plain_jax.EXPERT[module, name]))
    runs = [lambda function=function: function(*arrays) for function in functions]
    answers = [run() for run in runs]
    apart = max(differ(answers[0], answer) for answer in answers[1:])
    if not apart < 1e-9:
        raise SystemExit(f"{module} {name}, {said}: the answers differ by {apart:.1e}")
    mine, *others = alternating(runs, rounds)
    low, middle, high = ratio(mine, others[0])
    goal = GOALS.get((module, name), 1.05)
    print(
        f"{module:7}{name:10}{said:20} ours {statistics.median(mine) * 1e6:9.1f} µs"
        f"   jax {statistics.median(others[0]) * 1e6:9.1f} µs"
        f"   ratio {middle:.2f} ({low:.2f} to {high:.2f})   differ {apart:.0e}"
        + "".join(f"   to an expert's {ratio(mine, other)[1]:.2f}" for other in others[1:])
        + ("" if middle <= goal else f"   goal {goal:.2f}"),
        flush=True,
    )
    return middle, middle <= goal


def compare_least() -> None:
    """What of JAX's time of the least `gmm` no program can do without: the products of the
    roots with the points, without an exponential, a mask or the prior. XLA hands what has
    1,000 operations or more to its threads, and waits for them; so it does here, for how
    long depends on all that runs: the least times are compared."""
    module, said, given = next(case for case in made() if case[0] == "gmm")
    problem = PROBLEMS[module]
    arrays = jax.device_put(problem.arguments(given))

    def product(xs: Any, weights: Any) -> Any:
        return jax.numpy.repeat(weights[2], xs.shape[1], axis=0) @ xs.T

    def squares(xs: Any, m: Any, gamma: Any, weights: Any) -> Any:
        return jax.numpy.sum(product(xs, weights) ** 2)

    def there_and_back(xs: Any, m: Any, gamma: Any, weights: Any) -> Any:
        back = product(xs, weights) @ xs
        return tuple(weight + back[0, 0] for weight in weights)

    print(f"\ngmm {said}: its products alone, beside JAX's whole")
    for name, least in (("objective", squares), ("jacobian", there_and_back)):
        whole = plain_jax.function(module, name, problem.size(given))
        ours = tool.function(module, name, problem.size(given))
        compiled = [jax.jit(one).lower(*arrays).compile() for one in (least, ours, whole)]
        times = alternating([lambda one=one: one(*arrays) for one in compiled], 400, 0.001)
        told = [
            f"{said} {min(taken) * 1e6:5.1f} µs in {steps(one):2} steps of XLA's"
            for said, taken, one in zip(("products", "ours", "jax"), times, compiled, strict=True)
        ]
        print(f"{name:10} {',  '.join(told)}   ratio {min(times[0]) / min(times[2]):.2f}")


def steps(compiled: Any) -> int:
    """How many steps XLA takes for a program."""
    return int(compiled.as_text().partition("ENTRY")[2].count(" fusion("))


def compare_calls(rounds: int) -> None:
    """What a call costs beside what it computes."""
    session = nnfp.Session(precision=64)
    session.run("twice : R[n] -> R[n]\ntwice x = 2 * x\n\nline : R[4] ~> R[4]\nline = dense[4]")
    twice, line = session["twice"], session["line"]
    plain = jax.jit(lambda x: 2 * x)
    affine = jax.jit(lambda w, x: w["line"]["dense"]["W"] @ x + w["line"]["dense"]["b"])
    x, weights = jax.numpy.ones(4), line.weights
    print("\na call as such")
    for said, ours, theirs in (
        ("twice(x)", lambda: twice(x), lambda: plain(x)),
        ("twice(numpy x)", lambda: twice(numpy.ones(4)), lambda: plain(numpy.ones(4))),
        ("line(x)", lambda: line(x), lambda: affine(weights, x)),
        ("line.apply(w, x)", lambda: line.apply(weights, x), lambda: affine(weights, x)),
    ):
        ours(), theirs()
        mine, other = (statistics.median(t) * 1e6 for t in alternating([ours, theirs], rounds))
        print(f"{said:20} ours {mine:6.1f} µs   jax.jit {other:6.1f} µs   more {mine - other:6.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", default="")
    parser.add_argument("--cases", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    rounds = 5 if arguments.quick else arguments.rounds
    chosen = set(filter(None, arguments.only.split(",")))
    print(f"jax {jax.__version__}, {jax.default_backend()}, {rounds} rounds, CPU time\n")
    ratios: dict[str, list[float]] = {}
    met = total = 0
    for module, said, given in recorded(arguments.cases) if arguments.cases else made():
        if (chosen and module not in chosen) or (arguments.quick and module in ratios):
            continue
        for name in PROBLEMS[module].functions:
            if (module, name) not in {**plain_jax.PLAIN, **plain_jax.SIZED}:
                continue
            found, reached = compare(module, name, said, given, rounds)
            ratios.setdefault(module, []).append(found)
            met, total = met + reached, total + 1
    print()
    for module, found in ratios.items():
        print(f"{module:8} geometric mean of ratios {statistics.geometric_mean(found):.2f}")
    print(f"{met} of {total} within their goals")
    if not chosen or "gmm" in chosen:
        compare_least()
    if not chosen:
        compare_calls(rounds)


if __name__ == "__main__":
    main()
