"""Round trip: a derivative is written down, read again, and run beside the computed one."""

from __future__ import annotations

from typing import Any

import jax
import numpy

from nnfp_kernel import Session
from nnfp_kernel.language import types as t
from nnfp_kernel.runtime.function import Function
from nnfp_kernel.views.terms import derivative_definition

KEY = jax.random.key(0)


def random_value(type: t.Type, session: Session, rng: numpy.random.Generator) -> Any:
    """A random value of a concrete type, as Python gives it."""
    match type:
        case t.Product(items=items):
            return tuple(random_value(item, session, rng) for item in items)
        case t.Named(name=name) if name in session.program.reps:
            return random_value(session.program.reps[name].carrier, session, rng)
        case t.Array(element=element, length=length):
            if isinstance(element, t.Product):
                columns = [
                    random_value(t.Array(item, length), session, rng) for item in element.items
                ]
                return tuple(columns)
            if isinstance(element, t.Named):
                carrier = session.program.reps[element.name].carrier
                return random_value(t.Array(carrier, length), session, rng)
            count = length.value
            assert count is not None
            made = [random_value(element, session, rng) for _ in range(count)]
            if made:
                return numpy.stack(made)
            empty = random_value(element, session, rng)
            return numpy.zeros((0, *numpy.shape(empty)), numpy.asarray(empty).dtype)
        case t.Fin(size=size):
            return numpy.array(rng.integers(0, size.value or 1))
        case t.Scalar(name="Int"):
            return numpy.array(rng.integers(0, 3))
        case t.Scalar(name="Bool"):
            return numpy.array(bool(rng.integers(0, 2)))
        case t.Scalar():
            return numpy.array(rng.uniform(0.2, 1.2))
    raise AssertionError(f"no random value of {t.show(type)}")


def moving(value: Any) -> Any:
    """A tangent of a value: () where there are no real numbers."""
    if isinstance(value, tuple):
        return tuple(map(moving, value))
    real = numpy.issubdtype(numpy.asarray(value).dtype, numpy.floating)
    return value if real else ()


def real_parts(value: Any) -> list[Any]:
    """The arrays of real numbers in a nested value, in order."""
    if isinstance(value, tuple | list):
        return [array for part in value for array in real_parts(part)]
    real = numpy.issubdtype(jax.numpy.asarray(value).dtype, numpy.floating)
    return [numpy.asarray(value)] if real else []


def check(session: Session, function: Function, seed: int = 0) -> tuple[str, str]:
    """Raises where the printed derivative or adjoint is not the computed one."""
    call = function.sample()
    rng = numpy.random.default_rng(seed)
    inputs = [random_value(type, session, rng) for type in call.types]
    texts = []
    for adjoint in (False, True):
        made = derivative_definition(
            function, adjoint, name="printedAdjoint" if adjoint else "printed"
        )
        texts.append(str(made))
        session.run(texts[-1])
    with jax.disable_jit():
        weights = function.weights
        tangents = [random_value(type, session, rng) for type in call.types]
        tangents = [
            jax.tree.map(
                lambda x, v: (
                    v
                    if numpy.issubdtype(numpy.asarray(x).dtype, numpy.floating)
                    else numpy.zeros_like(x)
                ),
                x,
                v,
            )
            for x, v in zip(inputs, tangents, strict=True)
        ]
        zero = jax.tree.map(numpy.zeros_like, weights)
        _, expected = function.jvp((weights, *inputs), (zero, *tangents), key=KEY)
        moved = [moving(v) for v in tangents]
        found = session["printed"].apply(
            {}, *inputs, moved[0] if len(moved) == 1 else tuple(moved), key=KEY
        )
        _compare(real_parts(found), real_parts(expected))
        value, pullback = function.vjp(weights, *inputs, key=KEY)
        cotangent = jax.tree.map(lambda y: rng.normal(size=numpy.shape(y)), value)
        given = jax.tree.map(
            lambda y, c: c if numpy.issubdtype(y.dtype, numpy.floating) else numpy.zeros_like(y),
            value,
            cotangent,
        )
        _, *expected = pullback(given)
        shaped = moving(
            jax.tree.map(
                lambda y, c: (
                    c
                    if numpy.issubdtype(y.dtype, numpy.floating)
                    else numpy.zeros(numpy.shape(y), int)
                ),
                value,
                cotangent,
            )
        )
        found = session["printedAdjoint"].apply({}, *inputs, shaped, key=KEY)
        _compare(real_parts(found), real_parts(tuple(expected)))
    return texts[0], texts[1]


def _compare(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)
