"""A signature `a -o b` is a promise, and it is proved on the graph."""

from __future__ import annotations

import numpy
import pytest

from nnfp_kernel import NnfpError, Session


@pytest.mark.parametrize(
    "program",
    [
        "f : R[n] -o R[n]\nf x = 2 * reverse x - x",
        "f : R[3] -o R\nf x = ?w @ x",
        "f[m] : R[n] -o R[m]\nf[m] x = ?W @ x",
        # What is asked of a solution, that it is finite, is no part of the map.
        "f : R[4,2] -o R[4,2]\nf xs = map (\\x -> solve [[2, 1], [0, 3]] x) xs",
        "f : R[4,2] -o R[2]\nf xs = fold (\\(s, x) -> solve [[2, 1], [0, 3]] (s + x)) zero xs",
        "f : (R[2], R[2]) -o R[2]\nf (x, y) = x - 3 * y",
        "f : R[n,2] -o R[2]\nf xs = fold (\\(s, x) -> s / 2 + x) zero xs",
        "f : R[5] -o R[3]\nf xs = window[3] sum xs",
        "f : (a -> R) -> a -> (a -o a)\nf g x = derivative (grad g) x",
        "f : R[3] -> (R[3] -o R[3])\nf x = let y = tanh x in \\dx -> (1 - y * y) * dx",
        "f : R[3] -> R[3] -> (R[3] -o R[3])\nf x = \\y z -> x * y * z",
        "f : R -> (R[3] -o R[3])\nf x = if x > 0 then (2 *) else \\v -> reverse v",
        "f : R[3] -> R\nf x = (sum : R[3] -o R) x",
        "f : R[3] -> R[3]\nf x = let g : R[3] -o R[3]; g y = 2 * y in adjoint g x",
    ],
)
def test_what_is_linear_is_taken_as_linear(program: str) -> None:
    Session(precision=64).run(program)


@pytest.mark.parametrize(
    "program",
    [
        "f : R[n] -o R[n]\nf x = x * x",
        "f : R[n] -o R[n]\nf x = x + 1",
        "f : R[2] -o R[2]\nf x = standardize x",
        "f[m] : R[n] -o R[m]\nf[m] x = tanh (?W @ x)",
        "f : R[n,2] -o R[2]\nf xs = fold (\\(s, x) -> s + x) [1, 1] xs",
        "f : R[n] -o R[n]\nf x = if sum x > 0 then x else 2 * x",
        "f : R[3] -o R\nf x = 1",
    ],
)
def test_what_is_not_linear_is_refused_at_its_own_cell(program: str) -> None:
    with pytest.raises(NnfpError) as caught:
        Session(precision=64).run(program)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "nonlinear-definition"
    assert diagnostic.primary.span.source.text == program


@pytest.mark.parametrize(
    "program",
    [
        "f : R[3] -> (R[3] -o R[3])\nf x = \\v -> tanh v",
        "f : R[3] -> (R[3] -o R[3])\nf x = let y = 2 * x in \\v -> y + v",
        "f : R[3] -> R\nf x = sum ((\\v -> v * v : R[3] -o R[3]) x)",
        "f : R[3] -> R[3]\nf x = (tanh : R[3] -o R[3]) x",
        "f : R[3] -> R[3]\nf x = let g : R[3] -o R[3]; g y = exp y in g x",
        "(\\v -> v * v : R[3] -o R[3]) [1, 2, 3]",
    ],
)
def test_a_promise_inside_a_definition_is_kept_or_told(program: str) -> None:
    with pytest.raises(NnfpError) as caught:
        Session(precision=64).run(program)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "nonlinear-map"


def test_the_adjoint_of_a_linear_definition_is_its_transpose() -> None:
    session = Session(precision=64)
    session.run("a = [[1, 2, 3], [4, 5, 6]]\nf : R[3] -o R[2]\nf x = a @ x")
    a = numpy.array([[1.0, 2, 3], [4, 5, 6]])
    numpy.testing.assert_allclose(session.evaluate("adjoint f [1, 2]"), a.T @ [1, 2])
    numpy.testing.assert_allclose(session.evaluate("matrix f"), a)


def test_what_a_function_gives_as_a_linear_map_is_one() -> None:
    session = Session(precision=64)
    session.run("f : R[3] -> (R[3] -o R[3])\nf x = \\v -> x * reverse v")
    found = session.evaluate("matrix (2 * f [1, 2, 3] >> f [1, 1, 1])")
    numpy.testing.assert_allclose(found, numpy.diag([6.0, 4, 2]))
    found = session.evaluate("adjoint (f [1, 2, 3]) [1, 0, 2]")
    numpy.testing.assert_allclose(found, [6.0, 0, 1])


def test_what_woodbury_solves_is_linear_and_has_a_trace_and_an_adjoint() -> None:
    """A base that is divided by, a diagonal or a band, beside a term of low rank."""
    size = 20
    session = Session(precision=64)
    session.run(f"""
low : R[{size},2] -> R[2,{size}] -> R[{size}] -> R[{size}]
low u v x = u @ tanh (v @ x)
lined u v x = derivative (\\y -> 2 * y + sin y + low u v y) x
banded u v x = derivative (\\y -> 3 * y + window[3, pad=same] (\\w -> tanh (w ! 0) * w ! 2) y + low u v y) x
over : (R[{size}] -o R[{size}]) -> (R[{size}] -o R[{size}])
over l = \\b -> solve l b
both l b = (over l b, adjoint (over l) b, trace (over l), matrix l)
ofLined (u, v, x, b) = both (lined u v x) b
ofBanded (u, v, x, b) = both (banded u v x) b
""")
    random = numpy.random.default_rng(0)
    u, v = 0.3 * random.normal(size=(size, 2)), 0.3 * random.normal(size=(2, size))
    x, b = random.normal(size=(2, size))
    for name in ("ofLined", "ofBanded"):
        solution, back, trace, matrix = session[name]((u, v, x, b))
        numpy.testing.assert_allclose(solution, numpy.linalg.solve(matrix, b), rtol=1e-9)
        numpy.testing.assert_allclose(
            back, numpy.linalg.solve(numpy.transpose(matrix), b), rtol=1e-9
        )
        numpy.testing.assert_allclose(trace, numpy.trace(numpy.linalg.inv(matrix)), rtol=1e-9)
