"""Minimisers, roots and curvature, written in the language, against JAX and formulas."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy
import pytest
from numpy.testing import assert_allclose

import nnfp_kernel as nnfp

SOURCE = r"""
rosenbrock : R[2] -> R
rosenbrock x = square (1 - x ! 0) + 100 * square (x ! 1 - square (x ! 0))
valley = argmin rosenbrock [-1.2, 1]
steps = descent rosenbrock [-1.2, 1]

bowl : (R[2], R[2]) -> R
bowl (a, x) = sum (square (square (x - a))) + 0.1 * sum (square x) + exp (sum x)
bottom : R[2] -> R[2]
bottom a = argmin (\x -> bowl (a, x)) zero

cubeRoot : R -> R
cubeRoot a = newton (\x -> x * x * x - a) 1
roots a = (cubeRoot a, grad cubeRoot a, grad (grad cubeRoot) a)

slide : R -> R
slide a = gradientDescent 0.1 (\x -> square (x - a) + 0.1 * exp x) 0
slides a = (slide a, grad slide a)

-- the leader minimises knowing what the follower will do
follower : R -> R
follower x = argmin (\y -> square (y - x) + exp y) 0
leader : R -> R
leader a = argmin (\x -> square (x - a) + square (follower x)) 0.5
leads a = (leader a, derivative leader a 1)

net : R[3] ~> R[2]
net x = ?V @ tanh (?W @ x + ?b)
  where ?W : R[4,3]
loss : R[2] -> R
loss y = sum (exp y) + square (y ! 0)
own x = \w -> open net (w, x)
operators x = (matrix (gaussNewton loss (own x) (weights net)),
  matrix (fisher (own x) (weights net)), naturalGradient 0.1 loss (own x) (weights net))

constantly x = (grad (\x -> held x * x) x, derivative (held (derivative square x)) 1 1)
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64, seed=0)
    made.run(SOURCE)
    return made


def test_a_minimiser_is_found_from_far_away(session: nnfp.Session) -> None:
    assert_allclose(session["valley"], [1, 1], rtol=1e-12)
    assert_allclose(session["steps"], [1, 1], rtol=1e-12)


def test_the_derivative_of_a_minimiser_is_that_of_its_equation(session: nnfp.Session) -> None:
    a = numpy.array([1.0, -0.5])

    def bowl(a: Any, x: Any) -> Any:
        return ((x - a) ** 4).sum() + 0.1 * (x**2).sum() + jnp.exp(x.sum())

    x, pullback = session["bottom"].vjp({}, a)
    assert_allclose(jax.grad(bowl, 1)(a, x), 0, atol=1e-12)
    curvature = jax.hessian(bowl, 1)(a, x)
    mixed = jax.jacfwd(jax.grad(bowl, 1))(a, x)
    cotangent = numpy.array([1.0, 2.0])
    expected = -numpy.linalg.solve(curvature, mixed).T @ cotangent
    assert_allclose(pullback(cotangent)[1], expected, rtol=1e-8)


def test_roots_have_derivatives_of_every_order(session: nnfp.Session) -> None:
    a = 8.0
    expected = [a ** (1 / 3), a ** (-2 / 3) / 3, -2 / 9 * a ** (-5 / 3)]
    assert_allclose(session["roots"](a), expected, rtol=1e-11)
    x, slope = map(float, session["slides"](1.0))
    assert_allclose(2 * (x - 1) + 0.1 * numpy.exp(x), 0, atol=1e-13)
    assert_allclose(slope, 2 / (2 + 0.1 * numpy.exp(x)), rtol=1e-10)


def test_a_minimiser_in_a_minimiser(session: nnfp.Session) -> None:
    leads = session["leads"]  # `leader` too: one program takes seconds to compile
    x, slope = map(float, leads(1.0))
    step = 1e-4
    ahead, behind = (float(leads(1 + s)[0]) for s in (step, -step))
    assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-6)
    assert 0.5 < x < 1


def test_curvature_operators_are_those_of_their_formulas(session: nnfp.Session) -> None:
    x = numpy.array([1.0, -0.5, 0.3])
    weights = {name: jnp.asarray(array) for name, array in session.weights["net"].items()}
    order = ("W", "V", "b")  # as the program declares them
    sizes = [weights[name].size for name in order]
    cuts = numpy.cumsum(sizes)[:-1]

    def model(flat: Any) -> Any:
        parts = dict(zip(order, jnp.split(flat, cuts), strict=True))
        W, V, b = (parts[name].reshape(weights[name].shape) for name in order)
        return V @ jnp.tanh(W @ x + b)

    def loss(y: Any) -> Any:
        return jnp.exp(y).sum() + y[0] ** 2

    flat = jnp.concatenate([weights[name].ravel() for name in order])
    J, y = jax.jacfwd(model)(flat), model(flat)
    p = jax.nn.softmax(y)
    expected = J.T @ jax.hessian(loss)(y) @ J
    gauss, information, natural = session["operators"](x)
    assert_allclose(gauss, expected, rtol=1e-10, atol=1e-12)
    assert_allclose(information, J.T @ (jnp.diag(p) - jnp.outer(p, p)) @ J, rtol=1e-9, atol=1e-12)
    step = numpy.linalg.solve(expected + 0.1 * numpy.eye(24), jax.grad(loss)(y) @ J)
    found = numpy.concatenate([numpy.ravel(natural["net"][name]) for name in order])
    assert_allclose(found, step, rtol=1e-9, atol=1e-12)


def test_what_is_held_has_no_derivative(session: nnfp.Session) -> None:
    assert_allclose(session["constantly"](3.0), [3.0, 6.0])
