"""The problems of GradBench as JSON states them: which arrays they are, and back.

Nothing is computed here. `PROBLEMS[module]` says for a JSON input what sizes a program
must be told, which arrays it takes, and how its answer is written; both tools use it,
ours (`tool.py`) and the one on plain JAX (`plain_jax.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy

Json = Any


@dataclass(frozen=True)
class Problem:
    """A problem: its functions, the arrays of an input, the JSON of an answer."""

    functions: tuple[str, ...]
    arguments: Callable[[Json], tuple[Any, ...]]
    answer: Callable[[str, Json, Any], Json]
    size: Callable[[Json], int | None] = lambda _given: None  # what no array tells


def array(value: Json) -> numpy.ndarray:
    return numpy.asarray(value, numpy.float64)


def plain(_function: str, _given: Json, value: Any) -> Json:
    return numpy.asarray(value).tolist()


# --- mixtures -------------------------------------------------------------------------------


def mixture(given: Json) -> tuple[Any, ...]:
    d, k = given["d"], given["k"]
    shapes = {"alpha": (k,), "mu": (k, d), "q": (k, d), "l": (k, d * (d - 1) // 2)}
    weights = tuple(array(given[name]).reshape(shape) for name, shape in shapes.items())
    return array(given["x"]).reshape(-1, d), array(given["m"]), array(given["gamma"]), weights


def mixture_answer(function: str, given: Json, value: Any) -> Json:
    if function == "objective":
        return plain(function, given, value)
    return {name: plain("", given, part) for name, part in zip(WEIGHTS, value, strict=True)}


WEIGHTS = ("alpha", "mu", "q", "l")


# --- bundle adjustment ----------------------------------------------------------------------


def bundle(given: Json) -> tuple[Any, ...]:
    """So many cameras and points, all alike; observation i is of point i mod m by camera
    i mod n."""
    n, m, p = (given[name] for name in "nmp")
    cameras, points = numpy.tile(array(given["cam"]), (n, 1)), numpy.tile(array(given["x"]), (m, 1))
    weights, seen = numpy.full(p, float(given["w"])), numpy.tile(array(given["feat"]), (p, 1))
    which = numpy.arange(p)
    return cameras, points, weights, seen, (which % n, which % m)


def bundle_answer(function: str, given: Json, value: Any) -> Json:
    if function == "objective":
        errors, weights = map(numpy.asarray, value)
        return {
            "reproj_error": {"elements": errors[0].tolist(), "repeated": given["p"]},
            "w_err": {"element": float(weights[0]), "repeated": given["p"]},
        }
    rows, columns, values = map(numpy.asarray, value)
    return {
        "rows": shortened(rows.astype(int)),
        "cols": shortened(columns.astype(int)),
        "vals": shortened(values),
    }


def shortened(values: numpy.ndarray) -> list[Any]:
    """The first thirty entries and the last."""
    return [*values[:30].tolist(), values[-1].item()]


# --- all ------------------------------------------------------------------------------------

PROBLEMS: Mapping[str, Problem] = {
    "hello": Problem(("square", "double"), lambda x: (array(x),), plain),
    "lse": Problem(("primal", "gradient"), lambda given: (array(given["x"]),), plain),
    "llsq": Problem(
        ("primal", "gradient"), lambda given: (array(given["x"]),), plain, lambda given: given["n"]
    ),
    "gmm": Problem(("objective", "jacobian"), mixture, mixture_answer),
    "kmeans": Problem(
        ("cost", "dir"), lambda given: (array(given["points"]), array(given["centroids"])), plain
    ),
    "ode": Problem(
        ("primal", "gradient"), lambda given: (array(given["x"]),), plain, lambda given: given["s"]
    ),
    "ba": Problem(("objective", "jacobian"), bundle, bundle_answer),
    "saddle": Problem(("ff", "fr", "rf", "rr"), lambda given: (array(given["start"]),), plain),
}
