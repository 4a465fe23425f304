"""The library, each definition against its formula in JAX, written by hand.

A case (cases.py) is a program, an input and the formula of (weights, input) (formulas.py).
Values agree to 1e-9 in 64 bits, and so do the pullbacks of one random cotangent: ours against
`jax.vjp` of the formula, for the weights and for the input.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from std.cases import CASES, Case

import nnfp_kernel as nnfp


def some_weights(function: Any) -> Any:
    """Weights of the right shapes, none at its first value (zeros hide mistakes)."""
    random = np.random.default_rng(1)
    shapes = jax.eval_shape(function.init, jax.random.key(0))
    return jax.tree.map(lambda x: random.normal(size=x.shape) * 0.6 + 0.1, shapes)


def own(weights: Any) -> Any:
    """The weights as the formula names them: those under `f`."""
    return weights.get("f", {})


def moving(example: Any) -> list[Any]:
    """The leaves of an example that have a derivative: no labels."""
    return [leaf for leaf in jax.tree.leaves(example) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def still(example: Any, leaves: list[Any]) -> Any:
    """The example with other leaves in place of the moving ones."""
    rest = iter(leaves)
    everything, tree = jax.tree.flatten(example)
    return jax.tree.unflatten(
        tree,
        [next(rest) if jnp.issubdtype(x.dtype, jnp.floating) else x for x in everything],
    )


def like(value: Any) -> Any:
    """A cotangent for a value: the same for the same shapes."""
    return jax.tree.map(lambda x: jnp.array(np.random.default_rng(9).normal(size=x.shape)), value)


@cache
def answers(case: Case) -> tuple[Any, Any]:
    """Ours and the formula's, each as (value, weight gradient, input gradients); ours
    has the value of `apply` and that of `vjp`."""
    session = nnfp.Session(precision=64, seed=0)
    session.run(case.program)
    function = session["f"]
    weights = some_weights(function)

    def ours(weights: Any, example: Any) -> Any:
        value, pullback = function.vjp(weights, example)
        weight_gradient, gradient = pullback(like(value))
        applied = function.apply(weights, example)
        return (applied, value), own(weight_gradient), jax.tree.leaves(gradient)

    def judge(weights: Any, example: Any) -> Any:
        value, pullback = jax.vjp(
            lambda weights, leaves: case.formula(weights, still(example, leaves)),
            own(weights),
            moving(example),
        )
        weight_gradient, gradient = pullback(like(value))
        return (value, value), weight_gradient, gradient

    return tuple(jax.jit(f)(weights, case.example) for f in (ours, judge))


def assert_close(found: Any, wanted: Any) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_definition_computes_its_formula(case: Case) -> None:
    ours, wanted = answers(case)
    assert_close(ours[0], wanted[0])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_its_adjoint_is_that_of_the_formula(case: Case) -> None:
    ours, wanted = answers(case)
    assert_close(ours[1:], wanted[1:])


def test_every_definition_of_the_library_has_a_case() -> None:
    from nnfp_kernel import std
    from nnfp_kernel.language import parser, syntax

    defined = {
        item.name
        for text in std.sources()
        for item in parser.parse(text).program.items
        if isinstance(item, syntax.Definition)
    }
    # What searches has no formula: it is judged by what it finds (test_optimisation.py).
    searching = Path(__file__).with_name("test_optimisation.py").read_text()
    judged = {name for name in defined if re.search(rf"\b{name}\b", searching)}
    assert {case.name for case in CASES} <= defined
    assert defined - {case.name for case in CASES} <= judged
