"""Random draws: a distribution is a value, `draw` takes a sample of it.

A draw is a function of a key, and a key is used once. `splitKey` makes keys for the
elements of a map or the steps of a loop; `foldKey` one for a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import pi
from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Wire
from ..graph.primitive import Parameters, Primitive
from ..graph.values import Value
from ..language import types
from .records import batch_all, expect, per_entry, samples
from .table import Builtin, Occurrence, builtin, primitive
from .tracing import spread

Array = Any  # a jax.Array or a tracer of one
KEY = ArrayType("Key")

# Operations for one number drawn: Threefry's twenty rounds make two words of some 65 each,
# and a few more turn a word into a number. Integers and all, so an estimate.
DRAW = 70


def _each(function: Callable[..., Array], keys: Array, *others: Array) -> Array:
    """`function` of every key of an array of keys."""
    import jax

    for _ in range(keys.ndim):
        function = jax.vmap(function)
    return function(keys, *others)


def _keys(name: str, type: ArrayType) -> None:
    expect(type.kind == "Key", f"{name}: found {type}, expected Key")


def _standard(name: str, latex: str, doc: str) -> None:
    """Enter a standard distribution; every key of an array of keys gives a draw."""

    def result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
        (keys,) = types
        _keys(name, keys)
        return ArrayType("R", (*keys.shape, *parameters["shape"]))

    def lower(parameters: Parameters, keys: Array) -> Array:
        from jax import random

        sample = getattr(random, name)
        return _each(lambda key: sample(key, parameters["shape"]), keys)

    primitive(
        Primitive(
            name, "discrete", result=result, lower=lower, batch=batch_all(name),
            cost=per_entry(DRAW),
            latex=latex, doc=doc,
            samples=(
                *samples((KEY,), shape=(2, 3)), *samples((KEY,), shape=()),
                *samples((KEY.over(2),), shape=(3,)), *samples((KEY,), shape=(0,)),
            ),
        )
    )  # fmt: skip


_standard("normal", r"\mathcal{{N}}(0, 1)", "A draw of the normal distribution.")
_standard("uniform", r"\mathcal{{U}}(0, 1)", "A draw of the uniform distribution on [0, 1).")


def _split_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (keys,) = types
    _keys("splitKey", keys)
    return ArrayType("Key", (*keys.shape, parameters["count"]))


def _split(parameters: Parameters, keys: Array) -> Array:
    from jax import random

    return _each(lambda key: random.split(key, parameters["count"]), keys)


primitive(
    Primitive(
        "splitKey", "discrete",
        result=_split_result, lower=_split, batch=batch_all("splitKey"), cost=per_entry(DRAW),
        latex=r"\operatorname{{split}} {0}", doc="Several independent keys of one.",
        samples=(*samples((KEY,), (KEY.over(2),), count=3), *samples((KEY,), count=0)),
    )
)  # fmt: skip


def _fold_result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    keys, number = types
    _keys("foldKey", keys)
    expect(
        number == ArrayType("Int", keys.shape), f"foldKey: found {number}, expected Int as {keys}"
    )
    return keys


def _fold(_parameters: Parameters, keys: Array, number: Array) -> Array:
    from jax import random

    return _each(random.fold_in, keys, number)


primitive(
    Primitive(
        "foldKey", "discrete",
        result=_fold_result, lower=_fold, batch=batch_all("foldKey"), cost=per_entry(DRAW),
        latex=r"\operatorname{{fold}}({0}, {1})", doc="The key that belongs to a key and an Int.",
        samples=samples(
            (KEY, ArrayType("Int")),
            *((KEY.over(n), ArrayType("Int", (n,))) for n in (2, 0)),
        ),
    )
)  # fmt: skip

# --- names of the language -------------------------------------------------------------------


@dataclass(frozen=True)
class Distribution:
    """What is drawn from: its name and its numbers, each a scalar wire."""

    name: str
    parameters: tuple[Wire, ...]


def _draw(context: Context, occurrence: Occurrence, distribution: Distribution) -> Value:
    """Location and scale are applied to a standard draw, so that a derivative in them
    reuses the draw; a bernoulli draw has none in its probability."""
    assert isinstance(occurrence.type, types.Function)
    wanted = context.layout(occurrence.type.codomain)
    return context.rebuild(
        occurrence.type.codomain,
        [_sample(context, distribution, type.shape) for type in wanted],
    )


def _sample(context: Context, distribution: Distribution, shape: tuple[int, ...]) -> Wire:
    builder = context.builder
    numbers = [spread(builder, wire, shape, ()) for wire in distribution.parameters]
    match distribution.name:
        case "normal":
            standard = builder.emit("normal", context.key(), shape=shape)
            return builder.emit("mul", standard, numbers[0])
        case "uniform":
            low, high = numbers
            standard = builder.emit("uniform", context.key(), shape=shape)
            width = builder.emit("subtract", high, low)
            return builder.emit("add", low, builder.emit("mul", standard, width))
        case "bernoulli":
            standard = builder.emit("uniform", context.key(), shape=shape)
            hit = builder.emit("compare", standard, numbers[0], how="lt")
            return builder.emit("convert", hit, kind="R")
    raise ValueError(f"no distribution {distribution.name}")


def _distribution(name: str) -> Callable[..., Value]:
    def trace(_context: Context, _occurrence: Occurrence, *parameters: Wire) -> Value:
        return Distribution(name, parameters)

    return trace


for _record in (
    Builtin(
        "draw", "Distribution -> a where real a", 1, _draw, latex=r"\sim {0}",
        doc="A random draw, of the shape its use asks for. Every evaluation of a written "
            "occurrence draws anew; derivatives reuse the draw.",
        example="[1, 2, 3] + draw (normal 0.1)",
    ),
    Builtin(
        "normal", "R -> Distribution", 1, _distribution("normal"),
        latex=r"\mathcal{{N}}(0, {0}^2)",
        doc="The normal distribution with mean 0 and this standard deviation.",
        example="[1, 2, 3] + draw (normal 1)",
    ),
    Builtin(
        "uniform", "R -> R -> Distribution", 2, _distribution("uniform"),
        latex=r"\mathcal{{U}}({0}, {1})",
        doc="The uniform distribution from the first number up to the second one.",
        example="[1, 2, 3] + draw (uniform 0 1)",
    ),
    Builtin(
        "bernoulli", "R -> Distribution", 1, _distribution("bernoulli"),
        latex=r"\mathcal{{B}}({0})",
        doc="1 with this probability, else 0.", example="[1, 2, 3] * draw (bernoulli 0.5)",
    ),
    Builtin(
        "pi", "R", 0, lambda context, _: context.builder.constant(pi), latex=r"\pi",
        doc="The circumference of a circle over its diameter.", example="sin (pi / 2)",
    ),
    Builtin(
        "training", "Bool", 0,
        lambda context, _: context.builder.constant(context.training, "Bool"),
        doc="True while weights are trained, or where `train=True` is asked for.",
        example="if training then 1 else 0",
    ),
):  # fmt: skip
    builtin(_record)
