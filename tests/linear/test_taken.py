"""A branch of `select` that is not taken contributes nothing, not even NaN."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest

from nnfp_kernel import Session

PROGRAM = r"""
root x = select (x > 0) (sqrt x) 0
inverse x = select (x > 0) (1 / x) x
otherwise x = select (x <= 0) (x * x) (log x)
nested x = select (x > 0) (select (x > 1) (sqrt (x - 1)) (log x)) 0
late x = let l = log x in select (l > 0) (l * sin x) 0
product x = select (x > 0) (x * (1 / x) * x) (2 * x)
summed : R -> R
summed x = select (x > 0) (sum (map (\k -> k * log x) [1, 2, 3])) x
entry : R[3] -> R[3]
entry x = select (x > 0) (log x / sqrt x) 0
rows : R[3,2] -> R[3]
rows m = select (map head m > 0) (map (\r -> sum (log r)) m) 0
matrix : R[3] -> R[3]
matrix x = select (x > 0) ([[1, 2, 0], [0, 1, 1], [3, 0, 1]] @ (x * x)) x
in_a_map : R[3] -> R[3]
in_a_map = map (\a -> select (a > 0) (sqrt a) 0)
in_a_scan : R[3] -> R[3]
in_a_scan = scan (\(h, a) -> h + select (a > 0) (sqrt a) 0) 0
"""


@pytest.fixture(scope="module")
def session() -> Session:
    made = Session(precision=64)
    made.run(PROGRAM)
    return made


NUMBERS = ["root", "inverse", "otherwise", "nested", "late", "product", "summed"]
VECTORS = ["entry", "matrix", "in_a_map", "in_a_scan"]
POINTS = [-1.0, 0.0, 0.5, 1.0, 2.0]


def slope(function: Any, x: Any, direction: Any) -> Any:
    """By differences from the side on which the branch stays the same."""
    step = 1e-6
    back, ahead = (numpy.asarray(function(x + s * step * direction)) for s in (-1, 1))
    return (ahead - back) / (2 * step)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("x", [-1.0, 0.5, 2.0])
def test_the_branch_that_is_taken_has_its_derivative(session: Session, name: str, x: float) -> None:
    _, pullback = session[name].vjp({}, x)
    assert float(pullback(1.0)[1]) == pytest.approx(float(slope(session[name], x, 1.0)), rel=1e-6)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("x", POINTS)
def test_numbers_are_finite_where_the_other_branch_is_not(
    session: Session, name: str, x: float
) -> None:
    function = session[name]
    _, pullback = function.vjp({}, x)
    assert numpy.isfinite(pullback(1.0)[1])
    assert numpy.isfinite(function.jvp(({}, x), ({}, 1.0))[1])
    second = session.evaluate(f"grad (grad {name}) ({x})" if x >= 0 else f"grad (grad {name}) (-1)")
    assert numpy.isfinite(second)


@pytest.mark.parametrize("name", VECTORS)
def test_arrays_are_finite_and_right_entry_by_entry(session: Session, name: str) -> None:
    function = session[name]
    x = numpy.array([-1.0, 0.0, 0.7])
    cotangent = numpy.array([1.0, 2.0, 3.0])
    _, pullback = function.vjp({}, x)
    gradient = numpy.asarray(pullback(cotangent)[1])
    assert numpy.isfinite(gradient).all()
    away = numpy.array([-1.0, 0.3, 0.7])
    _, pullback = function.vjp({}, away)
    for k, found in enumerate(numpy.asarray(pullback(cotangent)[1])):
        wanted = cotangent @ slope(function, away, numpy.eye(3)[k])
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-8)


def test_rows_that_are_not_taken(session: Session) -> None:
    m = numpy.array([[1.0, 2.0], [0.0, 0.0], [-1.0, 0.0]])
    _, pullback = session["rows"].vjp({}, m)
    gradient = numpy.asarray(pullback(numpy.ones(3))[1])
    assert numpy.allclose(gradient, [[1, 0.5], [0, 0], [0, 0]])


def test_a_batch_is_as_its_examples(session: Session) -> None:
    for name in NUMBERS:
        function = session[name]
        one = [function.vjp({}, x)[1](1.0)[1] for x in POINTS]

        def gradient(x: Any, function: Any = function) -> Any:
            return function.vjp({}, x)[1](1.0)[1]

        many = jax.vmap(gradient)(numpy.array(POINTS))
        assert numpy.allclose(many, one, equal_nan=False)


def test_what_is_used_elsewhere_keeps_its_derivative(session: Session) -> None:
    session.run("both x = let l = log x in l + select (x > 1) l 0")
    for x, wanted in ((0.5, 2.0), (2.0, 1.0)):
        _, pullback = session["both"].vjp({}, x)
        assert float(pullback(1.0)[1]) == pytest.approx(wanted)


IF = r"""
shared x = if x > 0 then y else 0
  where y = sqrt x
bound x = let y = sqrt x in if x > 0 then y else x
chained x = let y = log x in let z = y * 2 in if x > 0 then (if x > 1 then z else y) else x
guards x = let y = sqrt x in if x > 4 then y * 2 else if x > 1 then y else x
summed x = let y = sum (map (\k -> k * sqrt x) [1, 2, 3]) in if x > 0 then y else x
whole x = let y = logdet [[x, 0], [0, 1]] in if x > 0 then y else x
data Which = Root | Same
by_case w x = let y = sqrt x in case w of { Root -> y ; Same -> x }
mapped : R[2] -> R[2]
mapped = map (\x -> let y = sqrt x in if x > 0 then y else x)
folded : R[2] -> R
folded = fold (\(a, x) -> let y = sqrt x in if x > 0 then a + y else a + x) 0
"""


@pytest.fixture(scope="module")
def branching() -> Session:
    made = Session(precision=64)
    made.run(IF)
    return made


@pytest.mark.parametrize("name", ["shared", "bound", "chained", "guards", "summed", "whole"])
def test_what_is_bound_outside_an_if_counts_only_in_the_branch_that_is_taken(
    branching: Session, name: str
) -> None:
    function = branching[name]
    for x in (-1.0, 0.5, 2.0, 9.0):
        expected = float(slope(function, x, 1.0))
        assert float(branching.evaluate(f"grad {name} ({x})")) == pytest.approx(expected, rel=1e-6)
        assert float(function.jvp(({}, x), ({}, 1.0))[1]) == pytest.approx(expected, rel=1e-6)


def test_what_is_bound_outside_an_if_in_a_loop_or_a_map(branching: Session) -> None:
    for name in ("mapped", "folded"):
        function = branching[name]

        def gradient(x: Any, function: Any = function) -> Any:
            value, pullback = function.vjp({}, x)
            return pullback(jax.numpy.ones_like(value))[1]

        points = numpy.array([[-1.0, 4.0], [4.0, -1.0]])
        expected = numpy.where(points < 0, 1, 0.25)
        assert gradient(points[0]) == pytest.approx(expected[0])
        assert jax.vmap(gradient)(points) == pytest.approx(expected)


def test_what_is_bound_outside_a_case_counts_only_in_the_branch_that_is_taken(
    branching: Session,
) -> None:
    assert float(branching.evaluate("grad (by_case Same) (-1)")) == 1.0
    assert float(branching.evaluate("grad (by_case Root) 4")) == 0.25
