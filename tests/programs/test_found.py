"""Programs that random programs found to go wrong, once. Each stays right."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest

import nnfp_kernel as nnfp

ONE, TWO = numpy.array([0.5]), numpy.array([0.5, -1.0])

FOUND: dict[str, tuple[str, tuple[Any, ...], Any]] = {
    "a window of the same length over nothing": (
        "f : R[n,2] -> R[n]\nf = window[3, pad=same] (flatten >> sum)",
        (numpy.zeros((0, 2)),),
        numpy.zeros(0),
    ),
    "windows in two axes over nothing": (
        "f : R[n,m] -> R[n,m]\nf = window[2, 3, pad=same] (flatten >> sum)",
        (numpy.zeros((0, 4)),),
        numpy.zeros((0, 4)),
    ),
    "an unfold of nothing": (
        "f : R -> R[0]\nf = unfold[0] (\\s -> (s, s))",
        (2.0,),
        numpy.zeros(0),
    ),
    "a multiple of a linear map": (
        "f : R[2] -> R[2]\nf x = (2 * derivative sin x - derivative cos x) x",
        (TWO,),
        (2 * numpy.cos(TWO) + numpy.sin(TWO)) * TWO,
    ),
    "a draw that nothing gives a shape": (
        "f x = 0 * draw (normal 1) + x",
        (ONE,),
        ONE,
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_once_went_wrong(case: str) -> None:
    program, inputs, expected = FOUND[case]
    session = nnfp.Session(precision=64)
    session.run(program)
    f = session["f"]
    key = jax.random.key(0)
    numpy.testing.assert_allclose(f.apply({}, *inputs, key=key), expected, rtol=1e-12)
    value, pullback = f.vjp({}, *inputs, key=key)
    _, judge = jax.vjp(lambda *xs: f.apply({}, *xs, key=key), *map(jax.numpy.asarray, inputs))
    cotangent = numpy.ones_like(value)
    for ours, theirs in zip(
        pullback(cotangent)[1:], judge(jax.numpy.asarray(cotangent)), strict=True
    ):
        numpy.testing.assert_allclose(ours, theirs, rtol=1e-10)
