"""The library where a formula is at its limit: zeros, kinks, overflow, dropout, first weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nnfp_kernel as nnfp


def test_dropout_zeroes_and_scales_while_training() -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run("f : R[4000] -> R[4000]\nf = dropout 0.25")
    x = jnp.ones(4000)
    y = session["f"].apply({}, x, key=jax.random.key(3), train=True)
    assert set(np.unique(np.asarray(y)).round(12)) == {0.0, round(1 / 0.75, 12)}
    # 4,000 coins at 0.25: five standard deviations are 0.034.
    assert abs(float((y == 0).mean()) - 0.25) < 0.035
    other = session["f"].apply({}, x, key=jax.random.key(4), train=True)
    assert not np.array_equal(y, other)
    np.testing.assert_array_equal(session["f"].apply({}, x), x)


def test_divergence_of_a_distribution_with_zeros_is_finite() -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run("f : (R[3], R[3]) -> R\nf (p, q) = klDivergence p q")
    p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.25, 0.5, 0.25])
    value, pullback = session["f"].vjp({}, (p, q))
    np.testing.assert_allclose(value, 0.5 * np.log(2), rtol=1e-12)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(pullback(jnp.array(1.0))))


@pytest.mark.parametrize(
    ("program", "x", "value", "slope"),
    [
        ("f : R -> R\nf = elu", 0.0, 0.0, 1.0),  # smooth there, though written with a kink
        ("f : R -> R\nf = elu", 1000.0, 1000.0, 1.0),  # expm1 of it would overflow
        ("f : R -> R\nf = elu", -1000.0, -1.0, 0.0),
        ("f : R -> R\nf x = binaryCrossEntropy x 1", 1000.0, 0.0, 0.0),
        ("f : R -> R\nf x = binaryCrossEntropy x 1", -1000.0, 1000.0, -1.0),
        ("f : R -> R\nf x = huber 1 x 0", 1.0, 0.5, 1.0),  # both pieces agree
        ("f : R -> R\nf x = standardize [x, x] ! 0", 3.0, 0.0, 0.0),  # a variance of 0
    ],
)
def test_the_hard_points_are_exact(program: str, x: float, value: float, slope: float) -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run(program)
    found, pullback = session["f"].vjp({}, jnp.array(x))
    assert float(found) == value
    assert float(pullback(jnp.array(1.0))[1]) == slope


def test_the_cosine_with_zero_is_zero() -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run("f : (R[3], R[3]) -> R\nf (x, y) = cosineSimilarity x y")
    value, pullback = session["f"].vjp({}, (jnp.zeros(3), jnp.ones(3)))
    assert float(value) == 0.0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(pullback(jnp.array(1.0))))


def test_first_weights_are_those_of_the_papers() -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run("f : R[5,3] ~> R[5,4]\nf = lstm[4] >> map layerNorm")
    weights = session["f"].init(jax.random.key(0))["f"]
    cell = weights["lstm"]["lstmCell"]
    np.testing.assert_array_equal(cell["bf"], np.ones(4))
    np.testing.assert_array_equal(cell["bi"], np.zeros(4))
    np.testing.assert_allclose(cell["Uf"] @ cell["Uf"].T, np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(weights["layerNorm"]["scale"], np.ones(4))
    np.testing.assert_array_equal(weights["layerNorm"]["shift"], np.zeros(4))
