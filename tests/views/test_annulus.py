"""A circle in an annulus: what no network of width 2 can part, whatever its depth, one of width 3 does.

Source: Olah 2014, Neural Networks, Manifolds, and Topology: each layer of width 2 is a
homeomorphism of the plane, or flattens it; so what lies inside stays inside.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy
import optax
import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.views.geometry.measures import separable

SEEDS, STEPS, RATE = 20, 400, 0.05
PROGRAM = """
inside_two : R[2] ~> R[2]
inside_two = dense[2] >> tanh >> dense[2] >> tanh

two : R[2] ~> R
two = inside_two >> dense[1] >> sum

inside_three : R[2] ~> R[3]
inside_three = dense[3] >> tanh

three : R[2] ~> R
three = inside_three >> dense[1] >> sum
"""


def annulus() -> tuple[Any, Any]:
    """A circle of 30 points, and around it 240 points of an annulus; which are inside."""
    random = numpy.random.default_rng(0)
    angle = 2 * numpy.pi * numpy.arange(30) / 30
    inner = 0.4 * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)
    around = 2 * numpy.pi * numpy.arange(240) / 240
    reach = random.uniform(0.8, 1.2, size=240)
    outer = reach[:, None] * numpy.stack([numpy.cos(around), numpy.sin(around)], axis=1)
    return numpy.concatenate([inner, outer]), numpy.arange(270) < 30


def trained(function: Any, points: Any, inside: Any) -> Any:
    """The weights after a training from each of 20 seeds, all at once."""
    target = jnp.where(inside, 1.0, -1.0)
    share = jnp.where(inside, 8.0, 1.0)  # as many of the one class as of the other
    rule = optax.adam(RATE)

    def loss(weights: Any) -> Any:
        answers = jax.vmap(lambda x: function.apply(weights, x))(points)
        return jnp.sum(share * jax.nn.softplus(-target * answers)) / share.sum()

    keys = jax.random.split(jax.random.key(0), SEEDS)
    weights = jax.tree.map(lambda *each: jnp.stack(each), *[function.init(key) for key in keys])

    def run(weights: Any) -> Any:
        def step(state: Any, _: None) -> Any:
            weights, moments = state
            change, moments = rule.update(jax.grad(loss)(weights), moments)
            return (optax.apply_updates(weights, change), moments), None

        return jax.lax.scan(step, (weights, rule.init(weights)), None, length=STEPS)[0][0]

    return jax.jit(jax.vmap(run))(weights)


def everywhere(function: Any, weights: Any, points: Any) -> Any:
    """What a function gives at the points, with the weights of each seed."""
    held = {name: weights[name] for name in function.init(jax.random.key(0))}
    over = jax.vmap(function.apply, in_axes=(None, 0))
    return numpy.asarray(jax.jit(jax.vmap(over, in_axes=(0, None)))(held, points))


@pytest.mark.slow
def test_of_20_networks_of_width_2_all_err_and_one_of_width_3_does_not() -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run(PROGRAM)
    points, inside = annulus()
    parted: dict[str, list[tuple[bool, bool]]] = {}
    for name in ("two", "three"):
        weights = trained(session[name], points, inside)
        answers = everywhere(session[name], weights, points)
        last = everywhere(session[f"inside_{name}"], weights, points)
        # Not only does the last cut err: no flat cut of the last layer would part the two.
        parted[name] = [
            (bool(((own > 0) == inside).all()), separable(flat, inside))
            for own, flat in zip(answers, last, strict=True)
        ]
    assert not any(right or flat for right, flat in parted["two"])
    assert any(right and flat for right, flat in parted["three"])
