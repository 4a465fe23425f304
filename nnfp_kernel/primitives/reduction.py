"""Reductions over axes, the largest few entries of one, and the norm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Literal

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Parameters, Primitive, Step
from ..graph.values import Value, map_leaves
from . import sequences
from .contraction import inner_product
from .records import (
    Entry,
    Fixed,
    batch_all,
    complex_,
    expect,
    has_axis,
    next_axis,
    per_operand,
    real,
    samples,
)
from .reducing import reduce_axes
from .table import Builtin, Occurrence, builtin, primitive
from .tracing import number

Array = Any  # a jax.Array or a tracer of one
Chains = list[tuple[Step, ...] | None]


def _reduced(name: str, kinds: str, of_nothing: bool) -> Callable[..., ArrayType]:
    """The result of a reduction over `axes`; not `of_nothing` refuses empty axes."""
    allowed = kinds.split()

    def result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
        (type,), axes = types, parameters["axes"]
        expect(type.kind in allowed, f"{name}: found {type}, expected {' or '.join(allowed)}")
        expect(
            len(set(axes)) == len(axes) and all(0 <= axis < type.rank for axis in axes),
            f"{name}: {type} has no axes {axes}",
        )
        expect(of_nothing or all(type.shape[axis] for axis in axes), f"the {name} of nothing")
        return ArrayType(type.kind, _without(type.shape, axes))

    return result


def _without(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _kept(rank: int, axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(axis for axis in range(rank) if axis not in axes)


def _lowering(name: Literal["sum", "prod", "max", "min"]) -> Callable[[Parameters, Array], Array]:
    return lambda parameters, x: reduce_axes(name, x, parameters["axes"])


def _no_axes(parameters: Parameters, _types: Sequence[ArrayType]) -> bool:
    return not parameters["axes"]


def _over_samples(least: int, *more: tuple[ArrayType, ...], low: float = -2.0) -> tuple[Any, ...]:
    filled = (
        *samples(real((3,)), real((3, 2)), *more, axes=(0,), low=low),
        *samples(real((2, 3, 2)), axes=(0, 2), low=low),
        *samples(real((2, 3)), axes=(1,), low=low),
        *samples(real(()), axes=(), low=low),
        *samples(real((0, 3)), axes=(1,), low=low),
    )
    return filled if least else (*filled, *samples(real((0,)), real((0, 2)), axes=(0,), low=low))


# --- sum ---------------------------------------------------------------------------------------


def _sum_adjoint(
    parameters: Parameters, _position: int, _fixed: Fixed, domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    kept = _kept(domain.rank, parameters["axes"])
    return (Step("broadcast", {"shape": domain.shape, "axes": kept}),)


primitive(
    Primitive(
        "sum", "linear",
        result=_reduced("sum", "R C Int", True), lower=_lowering("sum"),
        batch=batch_all("sum", next_axis),
        adjoint=_sum_adjoint, is_identity=_no_axes, cost=per_operand(),
        latex=r"\sum {0}", doc="The sum over some axes; of nothing, zero.",
        samples=_over_samples(0, complex_((3,)), (ArrayType("Int", (3,)),)),
    )
)  # fmt: skip

# --- product -------------------------------------------------------------------------------------


def _weighted(builder: Builder, weights: Wire, axes: Sequence[int]) -> tuple[Step, ...]:
    """u ↦ Σ weights · u over the axes."""
    labels = tuple(range(weights.type.rank))
    kept = _kept(weights.type.rank, axes)
    return (Step("contract", {"left": labels, "right": labels, "out": kept}, 0, (weights,)),)


def _product_differential(
    builder: Builder, parameters: Parameters, inputs: Sequence[Wire], _output: Wire
) -> Chains:
    """Every entry's factor is the product of the others: no division, so zeros are
    entries like any other."""
    (x,), axes = inputs, parameters["axes"]
    kept = _kept(x.type.rank, axes)
    order = (*axes, *kept)
    count = prod(x.type.shape[axis] for axis in axes)
    if x.type.size == 0:
        return [_weighted(builder, x, axes)]
    rows = builder.emit("transpose", x, permutation=order)
    rest = tuple(x.type.shape[axis] for axis in kept)
    rows = builder.emit("reshape", rows, shape=(count, *rest))
    others = builder.emit("reshape", _others(builder, rows), shape=_at(x.type.shape, order))
    back = tuple(order.index(axis) for axis in range(x.type.rank))
    return [_weighted(builder, builder.emit("transpose", others, permutation=back), axes)]


def _at(shape: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in order)


def _others(builder: Builder, rows: Wire) -> Wire:
    """For every row the product of all others: pair the rows, ask for the products of
    the pairs' others, and give each of a pair its partner besides. 2n products in
    log n steps."""
    count, *rest = rows.type.shape
    if count == 1:
        return number(builder, 1.0, rows.type)
    if count % 2:
        one = number(builder, 1.0, ArrayType(rows.type.kind, (1, *rest)))
        rows = builder.emit("concat", rows, one, axis=0)
    half = (count + 1) // 2
    first, second = (
        builder.emit("slice", rows, axis=0, start=start, stop=start + half, stride=1)
        for start in (0, half)
    )
    outside = _others(builder, builder.emit("mul", first, second))
    both = builder.emit(
        "concat", builder.emit("mul", second, outside), builder.emit("mul", first, outside), axis=0
    )
    return builder.emit("slice", both, axis=0, start=0, stop=count, stride=1)


primitive(
    Primitive(
        "product", "general",
        result=_reduced("product", "R C Int", True), lower=_lowering("prod"),
        batch=batch_all("product", next_axis),
        differential=_product_differential, is_identity=_no_axes,
        latex=r"\prod {0}", doc="The product over some axes; of nothing, one.",
        samples=_over_samples(0, complex_((3,)), real((5,)), (ArrayType("Int", (3,)),)),
    )
)  # fmt: skip

# --- maximum, minimum, argmax ------------------------------------------------------------------


def _extreme_differential(
    builder: Builder, parameters: Parameters, inputs: Sequence[Wire], output: Wire
) -> Chains:
    """Every entry that attains the extreme has the same share."""
    (x,), axes = inputs, parameters["axes"]
    kept = _kept(x.type.rank, axes)

    spread = builder.emit("broadcast", output, shape=x.type.shape, axes=kept)
    attained = Entry(builder, x).where("eq", Entry(builder, spread)).wire
    count = builder.emit("sum", attained, axes=axes)
    share = builder.emit("reciprocal", count)
    return [(*_weighted(builder, attained, axes), Step("mul", {}, 0, (share,)))]


_extremes: tuple[tuple[str, Literal["max", "min"], str], ...] = (
    ("maximum", "max", "largest"),
    ("minimum", "min", "smallest"),
)
for _name, _short, _word in _extremes:
    primitive(
        Primitive(
            _name, "general",
            result=_reduced(_name, "R Int", False), lower=_lowering(_short),
            batch=batch_all(_name, next_axis),
            differential=_extreme_differential, is_identity=_no_axes,
            latex=rf"\{_short} {{0}}",
            doc=f"The {_word} entry over some axes. In a derivative, ties share equally.",
            samples=_over_samples(1, (ArrayType("Int", (3,)),)),
        )
    )  # fmt: skip


def _argmax_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (type,), axis = types, parameters["axis"]
    expect(type.kind in ("R", "Int"), f"argmax: found {type}, expected R or Int")
    expect(0 <= axis < type.rank, f"argmax: {type} has no axis {axis}")
    expect(type.shape[axis] > 0, "the argmax of nothing")
    return ArrayType("Int", _without(type.shape, (axis,)))


def _argmax(parameters: Parameters, x: Array) -> Array:
    from jax import dtypes, lax

    return lax.argmax(x, parameters["axis"], dtypes.canonicalize_dtype(int))


primitive(
    Primitive(
        "argmax", "discrete",
        result=_argmax_result, lower=_argmax, batch=batch_all("argmax", next_axis),
        latex=r"\operatorname{{argmax}} {0}",
        doc="The index of the largest entry along an axis; of several, the first.",
        samples=(
            *samples(real((3,)), real((3, 2)), (ArrayType("Int", (4,)),), axis=0),
            *samples(real((2, 3)), real((0, 3)), axis=1),
        ),
    )
)  # fmt: skip

# --- the indices of the largest few ------------------------------------------------------------
#
# Only the indices are a primitive: the entries are looked up there, and the derivative of
# a look-up is one.


def _top_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (type,), axis, count = types, parameters["axis"], parameters["count"]
    expect(type.kind in ("R", "Int"), f"top: found {type}, expected R or Int")
    has_axis("top", type, axis)
    expect(0 <= count <= type.shape[axis], f"top: {type} has no {count} entries at axis {axis}")
    return ArrayType("Int", (*type.shape[:axis], count, *type.shape[axis + 1 :]))


def _top(parameters: Parameters, x: Array) -> Array:
    from jax import dtypes, lax

    axis, last = parameters["axis"], x.ndim - 1
    order = (*(each for each in range(x.ndim) if each != axis), axis)
    _, indices = lax.top_k(lax.transpose(x, order), parameters["count"])
    back = (*range(axis), last, *range(axis, last))
    return lax.convert_element_type(lax.transpose(indices, back), dtypes.canonicalize_dtype(int))


primitive(
    Primitive(
        "top", "discrete",
        result=_top_result, lower=_top, batch=batch_all("top", next_axis),
        latex=r"\operatorname{{top}} {0}",
        doc="The indices of the `count` largest entries along an axis, the largest first; of "
            "equal ones, those before the others.",
        samples=(
            *samples(real((5,)), real((4, 2)), (ArrayType("Int", (6,)),), axis=0, count=3),
            *samples(real((2, 3)), real((0, 3)), axis=1, count=3),
            *samples(real((2, 3, 2)), axis=1, count=1), *samples(real((3,)), axis=0, count=0),
            *samples(real((0,)), axis=0, count=0),
        ),
    )
)  # fmt: skip

# --- logsumexp ---------------------------------------------------------------------------------


def _logsumexp(parameters: Parameters, x: Array) -> Array:
    """log Σ exp x, the largest entry taken out so that nothing overflows."""
    from jax import lax

    axes = parameters["axes"]
    largest = reduce_axes("max", x, axes)
    # Where all entries are -inf, or one is inf, the difference would be NaN.
    finite = lax.is_finite(largest)
    shift = lax.select(finite, largest, lax.full_like(largest, 0))
    spread = lax.broadcast_in_dim(shift, x.shape, _kept(x.ndim, axes))
    return lax.add(lax.log(reduce_axes("sum", lax.exp(lax.sub(x, spread)), axes)), shift)


def _logsumexp_differential(
    builder: Builder, parameters: Parameters, inputs: Sequence[Wire], output: Wire
) -> Chains:
    """The weights are the softmax, exp (x - logsumexp x)."""
    (x,), axes = inputs, parameters["axes"]
    kept = _kept(x.type.rank, axes)
    spread = builder.emit("broadcast", output, shape=x.type.shape, axes=kept)
    difference = builder.emit("subtract", x, spread)
    return [_weighted(builder, builder.emit("exp", difference), axes)]


primitive(
    Primitive(
        "logsumexp", "general",
        result=_reduced("logsumexp", "R", True), lower=_logsumexp,
        batch=batch_all("logsumexp", next_axis),
        differential=_logsumexp_differential, is_identity=_no_axes,
        cost=per_operand(4),  # the maximum, the difference, the exponential, the sum
        latex=r"\log \sum e^{{{0}}}",
        doc="The logarithm of the sum of exponentials over some axes, without overflow.",
        samples=_over_samples(0),
    )
)  # fmt: skip

# --- names of the language -------------------------------------------------------------------


def _over_leading_axis(name: str, **more: Any) -> Callable[..., Value]:
    """The trace of a reduction, leaf by leaf."""
    parameters = more or {"axes": (0,)}

    def trace(context: Context, _occurrence: Occurrence, value: Value) -> Value:
        return map_leaves(lambda leaf: context.builder.emit(name, leaf, **parameters), value)

    return trace


def _mean(context: Context, _occurrence: Occurrence, value: Value) -> Value:
    def of_leaf(leaf: Wire) -> Wire:
        expect(leaf.type.shape[0] > 0, "the mean of nothing")
        total = context.builder.emit("sum", leaf, axes=(0,))
        share = number(context.builder, 1 / leaf.type.shape[0], total.type)
        return context.builder.emit("mul", total, share)

    return map_leaves(of_leaf, value)


def _top_entries(context: Context, occurrence: Occurrence, xs: Value) -> Value:
    (count,) = occurrence.brackets
    indices = context.builder.emit("top", xs, axis=0, count=count)
    return context.builder.emit("gather", xs, indices, axis=0), indices


def _norm(context: Context, _occurrence: Occurrence, value: Value) -> Value:
    if hasattr(value, "linear_map"):  # an element of a space of maps knows its own
        return value.norm()
    return context.builder.emit("magnitude", inner_product(context, value, value))


for _name, _type, _latex, _doc in (
    ("sum", "a[n] -> a where vector a", r"\sum {0}",
     "The sum over the leading axis; of nothing, zero."),
    ("product", "a[n] -> a where number a", r"\prod {0}",
     "The product over the leading axis; of nothing, one."),
    ("maximum", "a[n] -> a where real a, n >= 1", r"\max {0}",
     "The largest entry along the leading axis. In a derivative, ties share equally."),
    ("minimum", "a[n] -> a where real a, n >= 1", r"\min {0}",
     "The smallest entry along the leading axis. In a derivative, ties share equally."),
):  # fmt: skip
    builtin(
        Builtin(
            _name, _type, 1, _over_leading_axis(_name), latex=_latex, doc=_doc,
            example=f"{_name} [3, 1, 2]", ragged=sequences.reduction(_name),
        )
    )  # fmt: skip
builtin(
    Builtin(
        "mean", "a[n] -> a where vector a, n >= 1", 1, _mean,
        latex=r"\operatorname{{mean}}({0})",
        doc="The mean over the leading axis.", example="mean [3, 1, 2]",
        ragged=sequences.mean,
    )
)  # fmt: skip
builtin(
    Builtin(
        "logsumexp", "a[n] -> a where real a", 1, _over_leading_axis("logsumexp"),
        latex=r"\log \sum \exp {0}", example="logsumexp [1000, 1000]",
        doc="The logarithm of the sum of exponentials over the leading axis, without overflow.",
        ragged=sequences.reduction("logsumexp"),
    )
)  # fmt: skip
builtin(
    Builtin(
        "argmax", "R[n] -> Fin[n] where n >= 1", 1, _over_leading_axis("argmax", axis=0),
        latex=r"\operatorname{{argmax}} {0}", example="argmax [3, 1, 2]",
        doc="The index of the largest entry; of several, the first.",
        ragged=sequences.reduction("argmax", axis=0),
    )
)  # fmt: skip
builtin(
    Builtin(
        "topK", "R[n] -> (R[k], Fin[n][k]) where n >= k", 1, _top_entries, brackets=("k",),
        latex=r"\operatorname{{top}} {0}", example="topK[2] [3, 1, 2]",
        doc="The k largest entries, the largest first, and their indices; of equal ones, those "
            "before the others.",
        ragged=sequences.top,
    )
)  # fmt: skip
builtin(
    Builtin(
        "norm", "a -> R where vector a", 1, _norm, latex=r"\lVert {0} \rVert",
        doc="The Euclidean norm, of a matrix or a linear map that of all its entries "
        "(Frobenius). Its derivative at zero is zero.", example="norm [3, 4]",
        ragged=sequences.norm,
    )
)  # fmt: skip
