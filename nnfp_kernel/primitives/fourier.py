"""The discrete Fourier transform, along one axis of any length.

    fft     X_j = Σ_k x_k exp (-2πi jk/n)
    ifft    x_k = Σ_j X_j exp (2πi jk/n) / n

The primitive leaves the 1/n out: the sum with the other sign is its adjoint, so that
there is no second formula. `ifft` of the language divides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log2
from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Wire
from ..graph.primitive import Parameters, Primitive, Step
from ..graph.values import Value
from .records import Fixed, batch_all, complex_, expect, has_axis, next_axis, samples
from .table import Builtin, Occurrence, builtin, primitive
from .tracing import number

Array = Any  # a jax.Array or a tracer of one


def _result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (type,) = types
    expect(type.kind == "C", f"fourier: found {type}, expected C")
    has_axis("fourier", type, parameters["axis"])
    return type


def _fourier(parameters: Parameters, x: Array) -> Array:
    from jax import numpy

    axis, size = parameters["axis"], x.shape[parameters["axis"]]
    if x.size == 0:
        return x
    if parameters["backward"]:
        return numpy.fft.ifft(x, axis=axis) * size
    return numpy.fft.fft(x, axis=axis)


def _adjoint(
    parameters: Parameters, position: int, fixed: Fixed, _domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    turned = {**parameters, "backward": not parameters["backward"]}
    return (Step("fourier", turned, position, fixed),)


def _cost(parameters: Parameters, _types: Sequence[ArrayType], result: ArrayType) -> int:
    """Cooley and Tukey's count."""
    size = result.shape[parameters["axis"]]
    return result.size // max(size, 1) * round(5 * size * log2(max(size, 1)))


primitive(
    Primitive(
        "fourier", "linear",
        result=_result, lower=_fourier, batch=batch_all("fourier", next_axis), adjoint=_adjoint,
        cost=_cost,
        latex=r"\mathcal{{F}} {0}",
        doc="The Fourier sum along an axis, with the sign - in the exponent, or + `backward`; "
            "neither divides by the length.",
        samples=(
            *samples(complex_((5,)), complex_((4, 2)), complex_((0,)), axis=0, backward=False),
            *samples(complex_((2, 3)), axis=1, backward=True),
        ),
    )
)  # fmt: skip


def _named(*, backward: bool) -> Callable[..., Value]:
    def trace(context: Context, _occurrence: Occurrence, values: Wire) -> Value:
        builder = context.builder
        signal = builder.emit("convert", values, kind="C")
        answer = builder.emit("fourier", signal, axis=0, backward=backward)
        if not backward:
            return answer
        share = number(builder, 1 / max(signal.type.shape[0], 1), answer.type)
        return builder.emit("mul", answer, share)

    return trace


builtin(
    Builtin(
        "fft", "a[n] -> b[n] where elementwise a, b = complexes a", 1, _named(backward=False),
        doc="The discrete Fourier transform along the leading axis, of real or complex numbers: "
            "X_j = sum of x_k exp (-2 pi i j k / n). Over another axis, by `map`.",
        latex=r"\mathcal{{F}} {0}",
        example="fft [1, 0, 0, 0]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "ifft", "a[n] -> b[n] where elementwise a, b = complexes a", 1, _named(backward=True),
        doc="The inverse of `fft`, divided by the length.",
        latex=r"\mathcal{{F}}^{{-1}} {0}",
        example="ifft (fft [1, 2, 3])",
    )
)  # fmt: skip
