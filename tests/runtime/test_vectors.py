"""The numbers of a small network in one vector."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy
import optax
import pytest

from nnfp_kernel.runtime.training import methods, vectors
from nnfp_kernel.runtime.training.chunks import State
from nnfp_kernel.runtime.training.plan import Objective
from nnfp_kernel.runtime.training.train import train

WEIGHTS = {"cell": {"W": jnp.arange(6.0).reshape(2, 3), "b": jnp.zeros(2)}, "s": jnp.ones(())}


def state(weights: Any, method: optax.GradientTransformation, average: bool) -> State:
    order = jnp.arange(4)
    kept = weights if average else None
    return State(weights, method.init(weights), order, jnp.int32(0), jnp.int32(0), kept)


@pytest.mark.parametrize("average", [False, True])
def test_a_state_is_what_it_was_after_it_was_packed(average: bool) -> None:
    """All that is like the weights is one vector in between; what is not stays as it is."""
    before = state(WEIGHTS, optax.adam(1.0), average)
    packs = vectors.packing(WEIGHTS)
    assert packs is not None
    packed, unpacked = packs.packed(before)
    assert packed.weights.shape == packed.memory[0].mu.shape == packed.memory[0].nu.shape == (9,)
    assert packed.average is None or packed.average.shape == (9,)
    assert (packed.order == before.order).all()
    after = unpacked(packed)
    assert jax.tree.structure(after) == jax.tree.structure(before)
    for one, other in zip(jax.tree.leaves(after), jax.tree.leaves(before), strict=True):
        numpy.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "weights",
    [jnp.ones(3), {"W": jnp.ones(3), "c": jnp.ones(2, complex)}, {"W": jnp.ones((99, 99)), "b": 1}],
    ids=["one array", "two kinds of numbers", "many numbers"],
)
def test_only_what_is_small_and_of_one_kind_is_packed(weights: Any) -> None:
    assert vectors.packing(jax.tree.map(jnp.asarray, weights)) is None


def test_packed_weights_take_the_steps_that_others_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a method that has all there is: a bound on the gradient, decay and an average."""

    def loss(weights: Any, batch: Any, key: Any) -> Any:
        hidden = jnp.tanh(batch[0] @ weights["cell"]["W"] + weights["s"])
        return jnp.mean((hidden - weights["cell"]["b"].sum()) ** 2)

    asked: dict[str, Any] = {"batch": 2, "steps": 40, "rate": 0.1, "seed": 1}
    asked |= {"clip": 0.5, "decay": 0.01, "ema": 0.9}
    found = []
    for small in (vectors.SMALL, 0):
        monkeypatch.setattr(vectors, "SMALL", small)
        objective = Objective(jax.value_and_grad(loss), lambda w, batch, key: batch[0][:, 0])
        *_, last = train(objective, WEIGHTS, [numpy.eye(8, 2)], **asked)
        found.append(jax.tree.leaves(last.weights))
    for one, other, first in zip(*found, jax.tree.leaves(WEIGHTS), strict=True):
        numpy.testing.assert_allclose(one, other, rtol=1e-5)
        assert not numpy.allclose(one, first)


def test_a_method_that_looks_at_each_array_is_left_alone() -> None:
    assert methods.by_number("adam", 1.0)
    assert not methods.by_number("lamb")
    assert not methods.by_number(optax.adam(1e-3))
    assert not methods.by_number("adam", optax.adaptive_grad_clip(0.1))
