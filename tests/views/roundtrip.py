"""Round trip: a derivative is written down, read again, and run beside the computed one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy

from nnfp_kernel import Session
from nnfp_kernel.language import types as t
from nnfp_kernel.language.sizes import constant
from nnfp_kernel.runtime.data import DataValue
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
        case t.Named(name=name) if name in session.program.data:
            return random_tree(type, session, rng, 3)
        case t.Array(element=element, length=length):
            if isinstance(element, t.Product) and session.program.declarations.has_trees(element):
                return tuple(random_value(element, session, rng) for _ in range(length.value or 2))
            if isinstance(element, t.Product):
                columns = [
                    random_value(t.Array(item, length), session, rng) for item in element.items
                ]
                return tuple(columns)
            if isinstance(element, t.Named) and element.name in session.program.data:
                count = length.value or 2
                return tuple(random_value(element, session, rng) for _ in range(count))
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
        case t.Weights(name=name):
            return jax.tree.map(lambda w: rng.normal(size=w.shape), session[name].weights)
        case t.Fin(size=size):
            return numpy.array(rng.integers(0, size.value or 1))
        case t.Scalar(name="Int"):
            return numpy.array(rng.integers(0, 3))
        case t.Scalar(name="Bool"):
            return numpy.array(bool(rng.integers(0, 2)))
        case t.Scalar(name="C"):
            return numpy.array(rng.uniform(0.2, 1.2) + 1j * rng.uniform(-1, 1))
        case t.Scalar():
            return numpy.array(rng.uniform(0.2, 1.2))
    raise AssertionError(f"no random value of {t.show(type)}")


def alike(types: Sequence[t.Type], values: Sequence[Any]) -> list[Any]:
    """Trees of one type side by side have one shape: they may be zipped, and added."""
    first: dict[str, Any] = {}

    def one(type: t.Type, value: Any) -> Any:
        if isinstance(value, DataValue):
            known = first.setdefault(t.show(type), value)
            return value if known is value else jax.tree.map(lambda x: x * x, known)
        if isinstance(type, t.Product):
            return tuple(one(item, part) for item, part in zip(type.items, value, strict=True))
        return value

    return [one(type, value) for type, value in zip(types, values, strict=True)]


def definite(x: Any) -> Any:
    """Of square matrices ones that are Hermitian and positive definite."""
    x = numpy.asarray(x)
    if not is_real(x) or x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        return x
    return x @ x.conj().swapaxes(-1, -2) + numpy.eye(x.shape[-1])


def random_tree(type: t.Named, session: Session, rng: numpy.random.Generator, depth: int) -> Any:
    """A random value of a data type, of so many levels at most."""
    constructors = session.program.declarations.constructors(type)
    ends = [
        name
        for name, fields in constructors.items()
        if not any(t.mentions(field, type) for field in fields)
    ]
    name = str(rng.choice(list(constructors) if depth > 1 else ends or list(constructors)))
    if depth == 3 and len(ends) < len(constructors):
        name = next(each for each in constructors if each not in ends)

    def field(of: t.Type) -> Any:
        match of:
            case _ if of == type:
                return random_tree(type, session, rng, depth - 1)
            case t.Product(items=items):
                return tuple(map(field, items))
            case t.Array(element=element, length=length) if t.mentions(element, type):
                count = length.value or (int(rng.integers(1, 4)) if depth > 1 else 0)
                return [field(element) for _ in range(count)]
            case _:  # two of what there may be any number of
                any_number = dict.fromkeys(t.free_variables(of)[1], constant(2))
                return random_value(t.substitute(of, {}, any_number), session, rng)

    return session.constructor(name)(*map(field, constructors[name]))


def moving(value: Any) -> Any:
    """A tangent of a value: () where there are no real numbers."""
    if isinstance(value, tuple):
        return tuple(map(moving, value))
    if not isinstance(value, numpy.ndarray | jax.Array):
        return value  # a tree: its tangent has its shape
    return value if is_real(value) else ()


def with_room(value: Any, shapes: list[tuple[int, ...]]) -> Any:
    """A cotangent of a sequence that ended early, with zeros to the end of its array."""
    leaves, structure = jax.tree.flatten(value)
    if len(leaves) != len(shapes):
        return value
    pairs = zip(leaves, shapes, strict=True)
    made = [
        numpy.pad(x, [(0, max(n - m, 0)) for m, n in zip(x.shape, shape, strict=True)])
        if numpy.ndim(x) == len(shape) > 0
        else x
        for x, shape in pairs
    ]
    return jax.tree.unflatten(structure, made)


def real_parts(value: Any) -> list[Any]:
    """The arrays of real numbers in a nested value, in order."""
    return [numpy.asarray(array) for array in jax.tree.leaves(value) if is_real(array)]


def check(
    session: Session, function: Function, seed: int = 0, inputs: list[Any] | None = None
) -> None:
    """Raises where a printed derivative or adjoint, as a function or as combinators, is
    not the computed one."""
    made = [
        str(
            derivative_definition(
                function, adjoint, name=printed(adjoint, combined), combined=combined
            )
        )
        for adjoint in (False, True)
        for combined in (False, True)
    ]
    session.run("\n".join(made))  # at once: a cell infers the cells before it again
    call = function.sample()
    rng = numpy.random.default_rng(seed)
    if inputs is None:
        values = [random_value(type, session, rng) for type in call.types]
        inputs = alike(call.types, values)
        value = function.apply(function.weights, *inputs, key=KEY)
        if not all(numpy.isfinite(part).all() for part in real_parts(value)):
            inputs = [jax.tree.map(definite, each) for each in inputs]

    def like(value: Any) -> Any:
        """A random tangent of a value, 0 where there are no real numbers."""
        return jax.tree.map(lambda x: noise(x) if is_real(x) else numpy.zeros_like(x), value)

    def noise(x: Any) -> Any:
        made = rng.normal(size=numpy.shape(x))
        return made + 1j * rng.normal(size=made.shape) if numpy.iscomplexobj(x) else made

    def run(adjoint: bool, combined: bool, moved: Any) -> list[Any]:
        found = session[printed(adjoint, combined)].apply({}, *inputs, moved, key=KEY)
        return real_parts(found)

    with jax.disable_jit():
        weights = function.weights
        tangents = [like(value) for value in inputs]
        zero = jax.tree.map(numpy.zeros_like, weights)
        _, expected = function.jvp((weights, *inputs), (zero, *tangents), key=KEY)
        moved = [moving(v) for v in tangents]
        whole = moved[0] if len(moved) == 1 else tuple(moved)
        value, pullback = function.vjp(weights, *inputs, key=KEY)
        cotangent = like(value)
        _, *gradients = pullback(cotangent)
        for combined in (False, True):
            _compare(run(False, combined, whole), real_parts(expected))
            moved = with_room(
                moving(cotangent), [array.shape for array in call.derivative.codomain]
            )
            _compare(run(True, combined, moved), real_parts(tuple(gradients)))


def printed(adjoint: bool, combined: bool) -> str:
    return f"printed{'Adjoint' if adjoint else ''}{'Combined' if combined else ''}"


def is_real(array: Any) -> bool:
    """Whether an array is of real or complex numbers, which a tangent can move."""
    return bool(numpy.issubdtype(jax.numpy.asarray(array).dtype, numpy.inexact))


def _compare(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        if one.ndim == other.ndim and one.shape != other.shape:
            # A sequence that ended early: in its array, zeros follow.
            sizes = map(min, one.shape, other.shape)
            there = numpy.ix_(*map(range, sizes))
            after = one.copy()
            after[there] = 0
            assert not after.any()
            one = one[there]
        numpy.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)
