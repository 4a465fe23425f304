"""GradBench's problems, as our tool answers them.

Two judges: formulas in plain numpy with finite differences, at random inputs, which always
run; and the recorded cases, one of each function, where they lie beside the repository.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy
import pytest
from numpy.testing import assert_allclose
from scipy.special import gammaln, logsumexp, multigammaln

ROOT = Path(__file__).parents[2]
CASES = ROOT.parent / "shared" / "autodiff_cases"
sys.path.insert(0, str(ROOT / "benchmarks" / "gradbench"))

import protocol  # noqa: E402
import tool  # noqa: E402
from problems import PROBLEMS  # noqa: E402

Array = numpy.ndarray
MODULES = sorted(PROBLEMS)


@pytest.fixture(autouse=True, scope="module")
def programs() -> Iterator[None]:
    """Compiled functions are kept for the module, and not longer."""
    yield
    run.cache_clear()
    tool.session.cache_clear()


@cache
def run(module: str, name: str, size: int | None = None) -> Callable[..., Any]:
    return tool.function(module, name, size)


def numbers(*shape: int, seed: int = 0) -> Array:
    return numpy.random.default_rng(seed + sum(shape)).normal(size=shape)


def slope(function: Callable[[Array], Any], x: Array, step: float = 1e-5) -> Array:
    """The gradient by central differences, or the Jacobian with the codomain in front."""
    columns = []
    for k in range(x.size):
        move = numpy.zeros(x.size)
        move[k] = step
        move = move.reshape(x.shape)
        columns.append((function(x + move) - function(x - move)) / (2 * step))
    found = numpy.stack(columns, axis=-1)
    return found.reshape(*found.shape[:-1], *x.shape)


# --- formulas ---------------------------------------------------------------------------------


def test_hello() -> None:
    assert run("hello", "square")(3.0) == 9
    assert run("hello", "double")(3.0) == 6


def test_lse() -> None:
    x = 5 * numbers(64)
    assert_allclose(run("lse", "primal")(x), logsumexp(x), rtol=1e-12)
    assert_allclose(run("lse", "gradient")(x), numpy.exp(x - logsumexp(x)), rtol=1e-10)
    assert_allclose(run("lse", "primal")(x + 1000), logsumexp(x) + 1000, rtol=1e-12)


def fitted(x: Array, n: int) -> float:
    t = numpy.linspace(-1, 1, n)
    return float(0.5 * numpy.sum((numpy.sign(t) - numpy.polyval(x[::-1], t)) ** 2))


@pytest.mark.parametrize(("n", "m"), [(5, 3), (16, 1)])
def test_llsq(n: int, m: int) -> None:
    x = numbers(m)
    assert_allclose(run("llsq", "primal", n)(x), fitted(x, n), rtol=1e-10)
    expected = slope(lambda x: fitted(x, n), x)
    assert_allclose(run("llsq", "gradient", n)(x), expected, rtol=1e-7)


def mixture(d: int = 3, k: int = 4, n: int = 20) -> tuple[Array, tuple[Array, ...]]:
    shapes = (k,), (k, d), (k, d), (k, d * (d - 1) // 2)
    return numbers(n, d), tuple(numbers(*shape, seed=s) for s, shape in enumerate(shapes))


def likelihood(xs: Array, m: float, gamma: float, weights: tuple[Array, ...]) -> float:
    alpha, mu, q, l = weights  # noqa: E741
    (n, d), k = xs.shape, len(alpha)
    scores = numpy.zeros((n, k))
    squares = 0.0
    for c in range(k):
        root = numpy.diag(numpy.exp(q[c]))
        root[tuple(reversed(numpy.triu_indices(d, 1)))] = l[c]  # column by column
        moved = (xs - mu[c]) @ root.T
        scores[:, c] = alpha[c] - 0.5 * numpy.sum(moved**2, axis=1) + numpy.sum(q[c])
        squares += numpy.sum(root**2)
    nu = d + m + 1
    return float(
        numpy.sum(logsumexp(scores, axis=1))
        - n * (d / 2 * numpy.log(2 * numpy.pi) + logsumexp(alpha))
        + k * (nu * d * numpy.log(gamma / numpy.sqrt(2)) - multigammaln(nu / 2, d))
        - gamma**2 / 2 * squares
        + m * numpy.sum(q)
    )


@pytest.mark.parametrize(("m", "gamma"), [(0.0, 1.0), (2.0, 1.5)])
def test_gmm(m: float, gamma: float) -> None:
    xs, weights = mixture()
    expected = likelihood(xs, m, gamma, weights)
    assert_allclose(run("gmm", "objective")(xs, m, gamma, weights), expected, rtol=1e-10)
    gradients = run("gmm", "jacobian")(xs, m, gamma, weights)
    for k, found in enumerate(gradients):

        def moved(x: Array, k: int = k) -> float:
            return likelihood(xs, m, gamma, (*weights[:k], x, *weights[k + 1 :]))

        assert_allclose(found, slope(moved, weights[k]), rtol=1e-5, atol=1e-5)


def test_the_constant_of_gmm_is_that_of_a_wishart_distribution() -> None:
    a = 4.5
    expected = 3 * 2 / 4 * numpy.log(numpy.pi) + sum(gammaln(a - j / 2) for j in range(3))
    assert_allclose(multigammaln(a, 3), expected)
    assert_allclose(run("gmm", "logGamma", 3)(a), expected)


def spread(points: Array, centroids: Array) -> float:
    distances = ((points[:, None] - centroids) ** 2).sum(axis=2)
    return float(distances.min(axis=1).sum())


def test_kmeans() -> None:
    points, centroids = numbers(40, 2), numbers(3, 2)
    assert_allclose(run("kmeans", "cost")(points, centroids), spread(points, centroids))
    nearest = ((points[:, None] - centroids) ** 2).sum(axis=2).argmin(axis=1)
    means = numpy.stack([points[nearest == k].mean(axis=0) for k in range(3)])
    # Newton's step of a sum of squares ends at the mean of each cluster.
    assert_allclose(run("kmeans", "dir")(points, centroids), centroids - means, rtol=1e-9)
    gradient = slope(lambda c: spread(points, c), centroids)
    counts = numpy.bincount(nearest, minlength=3)[:, None]
    assert_allclose(centroids - means, gradient / (2 * counts), atol=1e-6)


def integrated(x: Array, steps: int) -> Array:
    def derivative(y: Array) -> Array:
        return x * numpy.concatenate([[1.0], y[:-1]])

    y, h = numpy.zeros(len(x)), 2 / steps
    for _ in range(steps):
        a = derivative(y)
        b = derivative(y + h / 2 * a)
        c = derivative(y + h / 2 * b)
        y = y + h / 6 * (a + 2 * b + 2 * c + derivative(y + h * c))
    return y


def test_ode() -> None:
    x = numbers(4)
    assert_allclose(run("ode", "primal", 3)(x), integrated(x, 3), rtol=1e-10)
    expected = slope(lambda x: integrated(x, 3)[-1], x)
    assert_allclose(run("ode", "gradient", 3)(x), expected, rtol=1e-6, atol=1e-9)


def projected(camera: Array, point: Array) -> Array:
    axis, angle = camera[:3], numpy.linalg.norm(camera[:3])
    y = point - camera[3:6]
    turn = numpy.array(
        [[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]]
    )  # fmt: skip
    if angle > 0:  # the exponential of the cross product, by its closed form
        turn = numpy.eye(3) + numpy.sin(angle) / angle * turn + (
            1 - numpy.cos(angle)
        ) / angle**2 * turn @ turn  # fmt: skip
    else:
        turn = numpy.eye(3) + turn
    y = turn @ y
    q = y[:2] / y[2]
    rho = q @ q
    return camera[6] * q * (1 + camera[9] * rho + camera[10] * rho**2) + camera[7:9]


N, M, P = 3, 4, 7


def scene() -> tuple[Any, ...]:
    """Cameras and points all different, and so are the observations."""
    cameras = 0.3 * numbers(N, 11)
    cameras[:, 6] += 50
    points = numbers(M, 3)
    points[:, 2] += 6
    weights, seen = numbers(P), numbers(P, 2)
    which = numpy.arange(P) % N, numpy.arange(P) % M
    return cameras, points, weights, seen, which


def errors(cameras: Array, points: Array, weights: Array, seen: Array, which: Any) -> Array:
    """All residuals in a row: two an observation, then one a weight."""
    found = [
        weights[k] * (projected(cameras[c], points[x]) - seen[k])
        for k, (c, x) in enumerate(zip(*which, strict=True))
    ]
    return numpy.concatenate([*found, 1 - weights**2])


def dense(rows: Array, columns: Array, values: Array) -> Array:
    """The matrix that compressed rows stand for."""
    whole = numpy.zeros((len(rows) - 1, N * 11 + M * 3 + P))
    rows, columns = rows.astype(int), columns.astype(int)
    for row, (first, last) in enumerate(pairwise(rows)):
        whole[row, columns[first:last]] = values[first:last]
    return whole


def test_ba() -> None:
    given = scene()
    reprojections, ofweights = run("ba", "objective")(*given)
    found = numpy.concatenate([numpy.ravel(reprojections), ofweights])
    assert_allclose(found, errors(*given), rtol=1e-10)
    matrix = dense(*map(numpy.asarray, run("ba", "jacobian")(*given)))
    assert matrix.shape == (3 * P, 11 * N + 3 * M + P)
    parts = []
    for k in range(3):  # cameras, points, weights

        def moved(x: Array, k: int = k) -> Array:
            return errors(*given[:k], x, *given[k + 1 :])

        parts.append(slope(moved, given[k], 1e-6).reshape(3 * P, -1))
    expected = numpy.concatenate(parts, axis=1)
    assert_allclose(matrix, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("camera", range(N))
def test_ba_computes_the_block_of_every_observation(camera: int) -> None:
    """A camera that is moved changes the blocks of its observations, and no others."""
    cameras, *others = scene()
    before = numpy.asarray(run("ba", "values")(cameras, *others))[: 30 * P].reshape(P, 2, 15)
    moved = cameras.copy()
    moved[camera] *= 1.01
    after = numpy.asarray(run("ba", "values")(moved, *others))[: 30 * P].reshape(P, 2, 15)
    changed = numpy.any(before != after, axis=(1, 2))
    assert changed.tolist() == [k % N == camera for k in range(P)]


def test_a_camera_that_is_not_turned_has_a_derivative() -> None:
    camera, point = numpy.zeros(11), numpy.array([1.0, 2.0, 5.0])
    camera[6] = 50
    found = numpy.asarray(run("ba", "block")((numpy.zeros(2), (camera, point, 1.0))))
    expected = slope(lambda c: projected(c, point), camera)
    assert_allclose(found[:, :11], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["ff", "fr", "rf", "rr"])
def test_saddle(mode: str) -> None:
    found = numpy.asarray(run("saddle", mode)(numpy.array([0.8, -1.1])))
    assert numpy.abs(found).max() < 1e-4
    # Both searches start at the same place, on functions of the same shape.
    assert_allclose(found[:2], found[2:], rtol=1e-9)


# --- the protocol and the recorded cases ----------------------------------------------------------


def test_the_tool_speaks_the_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    messages = [
        {"id": 0, "kind": "start", "eval": "lse"},
        {"id": 1, "kind": "define", "module": "lse"},
        {"id": 2, "kind": "define", "module": "nothing"},
        {"id": 3, "kind": "evaluate", "module": "lse", "function": "primal",
         "input": {"x": [0.0] * 64, "min_runs": 2, "min_seconds": 0}},
        {"id": 4, "kind": "evaluate", "module": "lse", "function": "nothing", "input": {}},
        {"id": 5, "kind": "evaluate", "module": "lse", "function": "primal", "input": {}},
    ]  # fmt: skip
    protocol.serve("nnfp", run, io.StringIO("\n".join(map(json.dumps, messages))))
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["id"] for one in answers] == list(range(6))
    assert answers[0]["tool"] == "nnfp"
    assert [one["success"] for one in answers[1:]] == [True, False, True, False, False]
    assert answers[3]["output"] == pytest.approx(numpy.log(64))
    assert [spent["name"] for spent in answers[3]["timings"]] == ["evaluate"] * 2
    assert "there is no nothing" in answers[4]["error"]


def recorded(module: str) -> Iterator[dict[str, Any]]:
    """The smallest case of each function; recorded exactly where there are such."""
    files = [CASES / f"{module}.{sizes}.jsonl.gz" for sizes in ("exact", "small")]
    file = next((file for file in files if file.exists()), None)
    if file is None:
        pytest.skip(f"GradBench's recorded cases are not at {CASES}; the formulas above are tested")
    seen = set()
    with gzip.open(file, "rt") as lines:
        for case in map(json.loads, lines):
            if case["function"] not in seen:
                seen.add(case["function"])
                yield case


def flat(value: Any) -> dict[str, Array]:
    """The arrays of an answer, each to be compared on its own scale."""
    if isinstance(value, dict):
        return {f"{k}.{name}": a for k, part in value.items() for name, a in flat(part).items()}
    return {"": numpy.asarray(value, float)}


@pytest.mark.parametrize("module", MODULES)
def test_recorded_cases(module: str) -> None:
    tolerance = {"saddle": 1e-3, "ode": 1e-5}.get(module, 1e-6)
    for case in recorded(module):
        given = case["input"]
        if isinstance(given, dict):
            given = {**given, "min_runs": 1, "min_seconds": 0}
        message = {"kind": "evaluate", "module": module, "function": case["function"]}
        found = protocol.answer("nnfp", run, {**message, "input": given})
        assert found["success"], found.get("error")
        expected, answered = flat(case["expected"]), flat(found["output"])
        assert expected.keys() == answered.keys()
        for name, want in expected.items():
            scale = numpy.abs(want).max() or 1.0
            assert_allclose(answered[name], want, atol=tolerance * scale, rtol=0)
