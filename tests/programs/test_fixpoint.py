"""Fixpoints: their values, and derivatives by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy
import pytest
from numpy.testing import assert_allclose

import nnfp_kernel as nnfp
from nnfp_kernel.graph.graph import Graph
from nnfp_kernel.graph.rewrite import optimise
from nnfp_kernel.linear.differentiate import gradient_graph
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.fixpoint import iterate, solve
from nnfp_kernel.runtime.lower import lower

SOURCE = r"""
c a = fixpoint (\x -> cos (a * x)) 1
first a = derivative c a 1
nested a = (derivative first a 1, grad first a, derivative (grad c) a 1, grad (grad c) a)
root a = fixpoint (\x -> (x + a / x) / 2) 1
thrice a = (grad root a, grad (grad root) a, grad (grad (grad root)) a)
inner a = fixpoint (\x -> cos (fixpoint (\y -> sin (a * x + y) / 2) 0)) 1
each xs = map c xs
looped xs = fold (\(s, a) -> fixpoint (\x -> cos (a * x + s) / 2) s) 0 xs
pair (a, b) = fixpoint (\(x, y) -> (cos (a * y), sin (b * x) / 2)) (1, 1)
start z = fixpoint (\x -> cos x) z
away x = fixpoint[100] (\y -> 2 * y + x) x
swing = fixpoint[100] (\x -> (- x)) 1
still x = fixpoint (\y -> y) x
double x = fixpoint (\y -> y - y * y + x) 0

-- an equilibrium model (Bai, Kolter and Koltun 2019), and the same with its steps laid out
cell : (R[4], R[3]) ~> R[4]
cell (h, x) = tanh (0.4 * ?W @ h + ?U @ x + ?b)
equilibrium : R[3] ~> R[4]
equilibrium x = fixpoint (\h -> cell (h, x)) zero
unrolled : R[3] ~> R[4]
unrolled x = iterate[200] (\h -> cell (h, x)) zero

unfit : R ~> R
unfit x = ?w + double (0 * ?w * x)
fits : (R[3], R[4]) ~> R
fits (x, y) = squaredError (equilibrium x) y
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64, seed=0)
    made.run(SOURCE)
    return made


def slope(function: Callable[[float], Any], x: float, step: float = 1e-5) -> float:
    return float((function(x + step) - function(x - step)) / (2 * step))


def test_a_fixpoint_is_left_as_it_is(session: nnfp.Session) -> None:
    x = float(session["c"](0.9))
    assert_allclose(x, numpy.cos(0.9 * x), rtol=1e-15)
    assert_allclose(session["root"](2.0), numpy.sqrt(2), rtol=1e-15)
    x, y = (float(part) for part in session["pair"]((0.5, 2.0)))
    assert_allclose((x, y), (numpy.cos(0.5 * y), numpy.sin(2 * x) / 2), rtol=1e-14)


def test_derivatives_nest_in_either_mode(session: nnfp.Session) -> None:
    a = 0.9
    expected = slope(session["c"], a)
    assert_allclose(session["first"](a), expected, rtol=1e-8)
    assert_allclose(session["nested"](a), [slope(session["first"], a)] * 4, rtol=1e-8)
    roots = [0.5 * 2**-0.5, -0.25 * 2**-1.5, 0.375 * 2**-2.5]
    assert_allclose(session["thrice"](2.0), roots, rtol=1e-12)


def test_fixpoints_stand_in_each_other_in_maps_and_in_folds(session: nnfp.Session) -> None:
    for name, x in (("inner", 0.7), ("root", 3.0)):
        gradient = session[name].vjp({}, x)[1](1.0)[1]
        assert_allclose(gradient, slope(session[name], x), rtol=1e-7)
    xs = numpy.array([0.3, 0.8, 1.1])
    assert_allclose(session["each"](xs), [float(session["c"](x)) for x in xs])
    gradient = session["each"].vjp({}, xs)[1](numpy.ones(3))[1]
    assert_allclose(gradient, [float(session["first"](x)) for x in xs])
    gradient = session["looped"].vjp({}, xs)[1](1.0)[1]
    for k, direction in enumerate(numpy.eye(3)):
        expected = slope(lambda t, d=direction: session["looped"](xs + t * d), 0.0)
        assert_allclose(gradient[k], expected, rtol=1e-7)


def test_the_start_has_no_derivative(session: nnfp.Session) -> None:
    assert float(session["start"].vjp({}, 0.3)[1](1.0)[1]) == 0
    assert float(session["still"](3.0)) == 3.0  # every start is one
    assert float(session["still"].vjp({}, 3.0)[1](1.0)[1]) == 0


def test_the_gradient_of_an_equilibrium_is_that_of_its_steps(session: nnfp.Session) -> None:
    x = numpy.array([0.5, -1.0, 2.0])
    cotangent = numpy.array([1.0, -2.0, 0.5, 1.5])
    weights = session["equilibrium"].init(jax.random.key(3))
    value, pullback = session["equilibrium"].vjp(weights, x)
    expected, laid_out = session["unrolled"].vjp(weights, x)
    assert_allclose(value, expected, rtol=1e-12)
    for ours, theirs in zip(
        *map(jax.tree.leaves, (pullback(cotangent), laid_out(cotangent))), strict=True
    ):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    moves = jax.tree.map(numpy.cos, weights), x / 3
    _, moved = session["equilibrium"].jvp((weights, x), moves)
    pairs = zip(jax.tree.leaves(pullback(cotangent)), jax.tree.leaves(moves), strict=True)
    assert_allclose(moved @ cotangent, sum(float((a * b).sum()) for a, b in pairs), rtol=1e-10)


def gradient_of(session: nnfp.Session, name: str) -> Graph:
    graph = session[name].graph()
    active = [wire.type.differentiable for wire in graph.inputs]
    return optimise(PRIMITIVES, gradient_graph(PRIMITIVES, graph, active))


def memory(graph: Graph) -> int:
    """What the compiled program needs beside its arguments and its answers."""
    arrays = [numpy.zeros(wire.type.shape) for wire in graph.inputs]
    compiled = jax.jit(lower(graph, 64)).lower(*arrays).compile()
    return int(compiled.memory_analysis().temp_size_in_bytes)


def test_memory_does_not_depend_on_the_number_of_steps(session: nnfp.Session) -> None:
    """Nothing is kept of the way: no array of the gradient has an axis of the steps."""
    needs = []
    for most in (10, 10_000):
        session.run(
            f"few : R[3] ~> R[4]\nfew x = fixpoint[{most}] (\\h -> cell (h, x)) zero\n"
            f"laid : R[3] ~> R[4]\nlaid x = iterate[{most}] (\\h -> cell (h, x)) zero"
        )
        graphs = [gradient_of(session, name) for name in ("few", "laid")]
        needs.append([memory(graph) for graph in graphs])
        sizes = [wire.type.size for node in graphs[0].walk() for wire in node.outputs]
        assert max(sizes) <= 16  # the largest weight
    (few, some), (many, all_steps) = needs
    assert few == many
    assert all_steps > 100 * some


def test_an_equilibrium_learns(session: nnfp.Session) -> None:
    """Through the fixpoint, over a batch."""
    random = numpy.random.default_rng(0)
    xs = random.normal(size=(16, 3))
    ys = numpy.tanh(xs @ random.normal(size=(3, 4)))
    events = list(session.train("fits", (xs, ys), steps=60, rate=0.05))
    losses = [event.loss for event in events if hasattr(event, "loss")]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("program", ["away 1", "swing", "map away [1, 2]"])
def test_no_fixpoint_is_a_mistake_told_with_its_place(session: nnfp.Session, program: str) -> None:
    with pytest.raises(nnfp.NnfpError, match="no fixpoint in 100 steps") as raised:
        session.run(program)
    assert "fixpoint[100]" in raised.value.render()


def test_the_example_that_has_none_is_named(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError) as raised:
        session["away"].batch(numpy.array([0.0, 3.0]))
    assert "example 1" in raised.value.render()
    assert numpy.isnan(jax.jit(lambda x: session["away"].apply({}, x))(1.0))


def test_steps_to_infinity_are_no_fixpoint() -> None:
    session = nnfp.Session(precision=64)
    session.run("double a = fixpoint (\\x -> 2 * x + a) 1")
    with pytest.raises(nnfp.NnfpError, match="no fixpoint"):
        session.evaluate("double 1")


def test_equal_programs_are_told_each_at_its_own_place() -> None:
    session = nnfp.Session(precision=64)
    session.run("u a = fixpoint (\\x -> x + 0 * a) 1", "first")
    session.run("\n\nv a = fixpoint (\\y -> y + 0 * a) 1", "second")
    for name, place in (("u", "first, line 1"), ("v", "second, line 3")):
        with pytest.raises(nnfp.NnfpError, match="no solution") as raised:
            session.evaluate(f"grad {name} 1")
        assert place in raised.value.render()


def test_a_fixpoint_without_a_derivative_is_told_with_its_place(session: nnfp.Session) -> None:
    """A double root: id - D f is singular there."""
    with pytest.raises(nnfp.NnfpError, match="no solution") as raised:
        session.run("derivative double 0 1")
    text = raised.value.render()
    assert "y - y * y" in text  # the place
    assert "GMRES left a residual of 1 " in text
    assert "at most 1.5e-08" in text
    assert "held (fixpoint f z)" in text


def test_the_equation_of_a_derivative_is_told_from_python_and_in_training(
    session: nnfp.Session,
) -> None:
    value, pullback = session["double"].vjp({}, 0.0)
    assert float(value) == 0
    with pytest.raises(nnfp.NnfpError, match="no solution"):
        pullback(1.0)
    *_, end = session.train("unfit", (numpy.ones(4),), steps=2)
    assert end.reason == "diverged"
    assert "y - y * y" in end.failure.cause
    assert "the equation of its derivative has no solution" in end.failure.cause


# --- the numerics ---------------------------------------------------------------------------


def test_what_only_rounding_moves_has_arrived() -> None:
    """A map whose steps never come below the last place: noise of one unit in a thousand."""
    noise = numpy.float64(1e-13)

    def step(state: Any) -> Any:
        (x,) = state
        return [0.5 * x + 1 + noise * jax.numpy.sin(1e15 * x)]

    (x,), reached = jax.jit(lambda: iterate(step, [jax.numpy.zeros(5)], 10_000))()
    assert bool(reached)
    assert_allclose(x, 2.0, rtol=1e-12)


def test_rounding_about_zero_has_arrived() -> None:
    """A fixpoint that is 0 but for rounding has no last place to be relative to."""

    def step(state: Any) -> Any:
        (x,) = state
        return [0.1 * x + 1e-17 * jax.numpy.cos(1e18 * x)]

    (x,), reached = jax.jit(lambda: iterate(step, [jax.numpy.ones(3)], 10_000))()
    assert bool(reached)
    assert_allclose(x, 0.0, atol=1e-15)


def test_a_state_that_shrinks_to_zero_arrives_beside_its_start() -> None:
    (x,), reached = iterate(lambda s: [0.5 * s[0]], [jax.numpy.ones(2)], 10_000)
    assert bool(reached)
    assert 0 < float(abs(x).max()) < 1e-13


@pytest.mark.parametrize("count", [0, 1, 3, 60])
def test_affine_steps_are_solved_whether_they_shrink_or_not(count: int) -> None:
    random = numpy.random.default_rng(count)
    A = 3 * random.normal(size=(count, count)) / max(count, 1) ** 0.5
    z = random.normal(size=count) + 1j * random.normal(size=count)
    (x, w), reached = jax.jit(
        lambda: solve(lambda s: [A @ s[0] + 1, 0.5 * s[1].conj() + z], [z.real, z], 1000)
    )()
    assert bool(reached)
    assert_allclose(x, numpy.linalg.solve(numpy.eye(count) - A, numpy.ones(count)), rtol=1e-7)
    assert_allclose(w, z.real / 0.5 + 1j * z.imag / 1.5, rtol=1e-12)


def test_what_has_no_solution_is_no_number() -> None:
    (x,), reached = solve(lambda s: [s[0] + 1], [jax.numpy.zeros(3)], 10)
    assert not bool(reached)
    assert numpy.isnan(x).all()
