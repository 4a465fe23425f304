"""Complex numbers: parts, modulus and argument.

A complex space is a real one with the inner product Re ⟨·, ·⟩, so every function of
complex numbers has a derivative that is linear over R, holomorphic or not:

    real, imag    linear; adjoints u ↦ u and u ↦ i u
    modulus       |z|     dz ↦ Re (conj (z / |z|) dz), and 0 at 0
    angle         arg z   dz ↦ Im (dz / z)

The gradient of a real function f of z = x + i y is so ∂f/∂x + i ∂f/∂y, the direction in
which f grows fastest; `jax.grad` gives its conjugate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Parameters, Primitive, Step
from ..graph.values import Value, map_leaves
from . import sequences
from .records import Fixed, batch_all, complex_, expect, real, samples
from .table import Builtin, Occurrence, builtin, primitive
from .tracing import arguments, axes, lifted

Array = Any  # a jax.Array or a tracer of one
_SHAPES = ((), (2, 3), (0,))


def _into(name: str, given: str, made: str) -> Callable[..., ArrayType]:
    """The result of a function that takes one kind of numbers to another."""

    def result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
        (type,) = types
        expect(type.kind == given, f"{name}: found {type}, expected {given}")
        return ArrayType(made, type.shape)

    return result


def _imag(_parameters: Parameters, z: Array) -> Array:
    from jax import lax

    return lax.imag(z)


def _imaginary(_parameters: Parameters, x: Array) -> Array:
    from jax import lax

    return lax.complex(lax.full_like(x, 0), x)


def _turned_into(name: str) -> Callable[..., tuple[Step, ...]]:
    def adjoint(
        _parameters: Parameters, position: int, fixed: Fixed, _d: ArrayType, _c: ArrayType
    ) -> tuple[Step, ...]:
        return (Step(name, {}, position, fixed),)

    return adjoint


primitive(
    Primitive(
        "imag", "linear",
        result=_into("imag", "C", "R"), lower=_imag, batch=batch_all("imag"),
        adjoint=_turned_into("imaginary"),
        latex=r"\operatorname{{Im}} {0}", doc="The imaginary part of a complex number.",
        samples=samples(*(complex_(shape) for shape in _SHAPES)),
    )
)  # fmt: skip
primitive(
    Primitive(
        "imaginary", "linear",
        result=_into("imaginary", "R", "C"), lower=_imaginary, batch=batch_all("imaginary"),
        adjoint=_turned_into("imag"),
        latex=r"i {0}", doc="A real number times the imaginary unit.",
        samples=samples(*(real(shape) for shape in _SHAPES)),
    )
)  # fmt: skip


def _modulus(_parameters: Parameters, z: Array) -> Array:
    from jax import lax

    return lax.abs(z)


def _modulus_differential(
    builder: Builder, _parameters: Parameters, inputs: Sequence[Wire], output: Wire
) -> list[tuple[Step, ...] | None]:
    over = builder.emit("convert", builder.emit("reciprocalOrZero", output), kind="C")
    direction = builder.emit("conj", builder.emit("mul", inputs[0], over))
    return [(Step("mul", {}, 0, (direction,)), Step("convert", {"kind": "R"}))]


def _angle(_parameters: Parameters, z: Array) -> Array:
    from jax import lax

    return lax.atan2(lax.imag(z), lax.real(z))


def _angle_differential(
    builder: Builder, _parameters: Parameters, inputs: Sequence[Wire], _output: Wire
) -> list[tuple[Step, ...] | None]:
    over = builder.emit("reciprocal", inputs[0])
    return [(Step("mul", {}, 0, (over,)), Step("imag"))]


for _name, _lower, _differential, _latex, _doc in (
    ("modulus", _modulus, _modulus_differential, r"\lvert {0} \rvert",
     "The absolute value of a complex number. Its derivative at 0 is 0."),
    ("angle", _angle, _angle_differential, r"\arg {0}",
     "The argument of a complex number, above -pi and up to pi."),
):  # fmt: skip
    primitive(
        Primitive(
            _name, "general",
            result=_into(_name, "C", "R"), lower=_lower, batch=batch_all(_name),
            differential=_differential, latex=_latex, doc=_doc,
            samples=samples(*(complex_(shape) for shape in _SHAPES), low=0.3),
        )
    )  # fmt: skip


# --- names of the language -----------------------------------------------------------------------


def _part(of_complex: str, of_real: Callable[[Context, Wire], Wire]) -> Callable[..., Value]:
    """A primitive on complex leaves, and what it is of a real one."""

    def trace(context: Context, _occurrence: Occurrence, value: Value) -> Value:
        def one(leaf: Wire) -> Wire:
            if leaf.type.kind == "C":
                return context.builder.emit(of_complex, leaf, **_PARAMETERS.get(of_complex, {}))
            return of_real(context, leaf)

        return map_leaves(one, value)

    return trace


_PARAMETERS = {"convert": {"kind": "R"}}


def _angle_of_real(context: Context, leaf: Wire) -> Wire:
    """0 of a positive number, pi of a negative one."""
    return context.builder.emit("angle", context.builder.emit("convert", leaf, kind="C"))


for _name, _primitive, _real, _latex, _doc, _example in (
    ("real", "convert", lambda _context, leaf: leaf, r"\operatorname{{Re}} {0}",
     "The real part of a complex number; of a real one, itself.", "real (2 + 3i)"),
    ("imag", "imag", lambda context, leaf: context.builder.zeros(leaf.type),
     r"\operatorname{{Im}} {0}", "The imaginary part of a complex number; of a real one, 0.",
     "imag (2 + 3i)"),
    ("abs", "modulus", lambda context, leaf: context.builder.emit("abs", leaf),
     r"\lvert {0} \rvert", "The absolute value, of a complex number its modulus. Its derivative "
     "at 0 is 0.", "abs [-2, 1]"),
    ("angle", "angle", _angle_of_real, r"\arg {0}",
     "The argument of a complex number, above -pi and up to pi.", "angle (1 + 1i)"),
):  # fmt: skip
    _trace = _part(_primitive, _real)
    builtin(
        Builtin(
            _name, "a -> b where elementwise a, b = reals a", 1, _trace,
            latex=_latex, doc=_doc, example=_example, ragged=sequences.elementwise(_trace),
        )
    )  # fmt: skip


def _complex(context: Context, occurrence: Occurrence, x: Value, y: Value) -> Value:
    builder = context.builder
    (x_type, y_type), _ = arguments(occurrence.type, 2)
    re = map_leaves(lambda leaf: builder.emit("convert", leaf, kind="C"), x)
    im = map_leaves(lambda leaf: builder.emit("imaginary", leaf), y)
    return lifted(builder, "add", re, im, axes(x_type), axes(y_type))


builtin(
    Builtin(
        "complex", "a -> a -> b where real a, b = complexes a", 2, _complex,
        latex=r"({0} + i {1})",
        doc="The complex number with a real and an imaginary part, entry by entry.",
        example="complex [1, 2] [0, 3]",
    )
)  # fmt: skip
