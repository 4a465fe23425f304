"""Movement of data: nothing is computed, entries change their places.

Every one is linear, and its adjoint moves the entries back:

    broadcast  sum             slice     pad            gather   scatterAdd
    reshape    reshape         concat    slice          windows  overlapAdd
    transpose  transpose       reverse   reverse
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Parameters, Primitive, Sample, Step
from ..graph.values import Items, Value, item_count, leaves, map_leaves
from ..language import types
from . import sequences
from .linear_values import Promised
from .records import (
    Fixed,
    batch_all,
    batched,
    complex_,
    expect,
    has_axis,
    next_axis,
    real,
    samples,
)
from .table import Builtin, Occurrence, builtin, primitive
from .tracing import arguments, axes, spread

Array = Any  # a jax.Array or a tracer of one
Shape = tuple[int, ...]


def _resized(type: ArrayType, axis: int, size: int) -> ArrayType:
    return ArrayType(type.kind, (*type.shape[:axis], size, *type.shape[axis + 1 :]))


# --- broadcast, transpose, reshape, reverse ------------------------------------------------


def _broadcast_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    (type,), shape, places = operands, parameters["shape"], parameters["axes"]
    expect(
        len(places) == type.rank
        and list(places) == sorted(set(places))
        and all(0 <= place < len(shape) for place in places),
        f"broadcast: the axes of {type} cannot go to {places} of {len(shape)}",
    )
    expect(
        type.shape == tuple(shape[place] for place in places),
        f"broadcast: {type} does not fit {list(shape)} at {places}",
    )
    return ArrayType(type.kind, tuple(shape))


def _broadcast(parameters: Parameters, x: Array) -> Array:
    from jax import lax

    return lax.broadcast_in_dim(x, parameters["shape"], parameters["axes"])


def _broadcast_batch(
    builder: Builder,
    parameters: Parameters,
    inputs: Sequence[Wire],
    _flags: Sequence[bool],
    length: int,
) -> Wire:
    places = (0, *(place + 1 for place in parameters["axes"]))
    return builder.emit("broadcast", *inputs, shape=(length, *parameters["shape"]), axes=places)


def _broadcast_adjoint(
    parameters: Parameters, _position: int, _fixed: Fixed, _domain: ArrayType, codomain: ArrayType
) -> tuple[Step, ...]:
    added = tuple(k for k in range(codomain.rank) if k not in parameters["axes"])
    return (Step("sum", {"axes": added}),)


primitive(
    Primitive(
        "broadcast", "linear",
        result=_broadcast_result, lower=_broadcast,
        batch=batched("broadcast", _broadcast_batch), adjoint=_broadcast_adjoint,
        is_identity=lambda parameters, types: len(parameters["shape"]) == types[0].rank,
        latex="{0}", doc="The array repeated along new axes; its own go to the places `axes`.",
        samples=(
            *samples(real(()), complex_(()), (ArrayType("Bool"),), shape=(2, 3), axes=()),
            *samples(real((3,)), shape=(2, 3), axes=(1,)),
            *samples(real((2,)), shape=(2, 3), axes=(0,)),
            *samples(real((2, 3)), shape=(2, 0, 3), axes=(0, 2)),
            *samples(real((0,)), shape=(0, 2), axes=(0,)),
            *samples(real(()), shape=(), axes=()),
        ),
    )
)  # fmt: skip


def _transpose_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    (type,), order = operands, parameters["permutation"]
    expect(sorted(order) == list(range(type.rank)), f"transpose: {order} does not permute {type}")
    return ArrayType(type.kind, tuple(type.shape[axis] for axis in order))


def _transposed(parameters: Parameters, x: Array) -> Array:
    from jax import lax

    return lax.transpose(x, parameters["permutation"])


def _transpose_adjoint(parameters: Parameters, *_: Any) -> tuple[Step, ...]:
    order = parameters["permutation"]
    back = tuple(order.index(axis) for axis in range(len(order)))
    return (Step("transpose", {"permutation": back}),)


def _more_axes(parameters: Parameters) -> Parameters:
    return {"permutation": (0, *(axis + 1 for axis in parameters["permutation"]))}


primitive(
    Primitive(
        "transpose", "linear",
        result=_transpose_result, lower=_transposed,
        batch=batch_all("transpose", _more_axes), adjoint=_transpose_adjoint,
        is_identity=lambda parameters, types: (
            tuple(parameters["permutation"]) == tuple(range(types[0].rank))
        ),
        latex=r"{0}^{{\top}}", doc="The axes in another order.",
        samples=(
            *samples(real((2, 3)), complex_((2, 2)), real((0, 3)), permutation=(1, 0)),
            *samples(real((2, 3, 4)), permutation=(2, 0, 1)),
            *samples(real(()), permutation=()),
        ),
    )
)  # fmt: skip


def _reshape_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    (type,), shape = operands, parameters["shape"]
    expect(
        prod(shape) == type.size,
        f"reshape: {type} has {type.size} entries, {list(shape)} has {prod(shape)}",
    )
    return ArrayType(type.kind, tuple(shape))


def _reshape_lower(parameters: Parameters, x: Array) -> Array:
    from jax import lax

    return lax.reshape(x, parameters["shape"])


def _reshape_batch(
    builder: Builder,
    parameters: Parameters,
    inputs: Sequence[Wire],
    _flags: Sequence[bool],
    length: int,
) -> Wire:
    return builder.emit("reshape", *inputs, shape=(length, *parameters["shape"]))


def _reshape_adjoint(
    _parameters: Parameters, _position: int, _fixed: Fixed, domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    return (Step("reshape", {"shape": domain.shape}),)


primitive(
    Primitive(
        "reshape", "linear",
        result=_reshape_result, lower=_reshape_lower,
        batch=batched("reshape", _reshape_batch), adjoint=_reshape_adjoint,
        is_identity=lambda parameters, types: tuple(parameters["shape"]) == types[0].shape,
        latex=r"\operatorname{{reshape}} {0}",
        doc="The same entries in the same order under other axes.",
        samples=(
            *samples(real((2, 3)), complex_((6,)), real((6,)), shape=(3, 2)),
            *samples(real(()), shape=(1, 1)), *samples(real((1,)), shape=()),
            *samples(real((0, 3)), shape=(2, 0)), *samples(real((2,)), shape=(2,)),
        ),
    )
)  # fmt: skip


def _reverse_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    (type,) = operands
    has_axis("reverse", type, parameters["axis"])
    return type


def _reversed(parameters: Parameters, x: Array) -> Array:
    from jax import lax

    return lax.rev(x, (parameters["axis"],))


def _reverse_adjoint(parameters: Parameters, *_: Any) -> tuple[Step, ...]:
    return (Step("reverse", parameters),)


primitive(
    Primitive(
        "reverse", "linear",
        result=_reverse_result, lower=_reversed,
        batch=batch_all("reverse", next_axis), adjoint=_reverse_adjoint,
        is_identity=lambda parameters, types: (
            types[0].rank > parameters["axis"] >= 0 and types[0].shape[parameters["axis"]] <= 1
        ),
        latex=r"\operatorname{{reverse}} {0}", doc="An axis from its last entry to its first.",
        samples=(
            *samples(real((3,)), real((0,)), real((1,)), complex_((2,)), axis=0),
            *samples(real((2, 3)), axis=1),
        ),
    )
)  # fmt: skip

# --- slice, pad, concat -----------------------------------------------------------------------


def _slice_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    (type,) = operands
    axis, start, stop, stride = (parameters[name] for name in ("axis", "start", "stop", "stride"))
    has_axis("slice", type, axis)
    expect(
        0 <= start <= stop <= type.shape[axis] and stride >= 1,
        f"slice: {type} has no entries {start} to {stop} along axis {axis}",
    )
    return _resized(type, axis, -((start - stop) // stride))


def _slice(parameters: Parameters, x: Array) -> Array:
    from jax import lax

    return lax.slice_in_dim(
        x, parameters["start"], parameters["stop"], parameters["stride"], parameters["axis"]
    )


def _slice_adjoint(
    parameters: Parameters, _position: int, _fixed: Fixed, domain: ArrayType, codomain: ArrayType
) -> tuple[Step, ...]:
    axis, start, stride = parameters["axis"], parameters["start"], parameters["stride"]
    used = spread_size(codomain.shape[axis], stride - 1)
    high = domain.shape[axis] - start - used
    places = {"axis": axis, "low": start, "high": high, "interior": stride - 1}
    return (Step("pad", places),)


def spread_size(size: int, interior: int) -> int:
    return size + max(size - 1, 0) * interior


primitive(
    Primitive(
        "slice", "linear",
        result=_slice_result, lower=_slice, batch=batch_all("slice", next_axis),
        adjoint=_slice_adjoint,
        is_identity=lambda parameters, types: (
            parameters["stride"] == 1 and types[0].rank > parameters["axis"] >= 0
            and (parameters["start"], parameters["stop"]) == (0, types[0].shape[parameters["axis"]])
        ),
        latex="{0}", doc="Every `stride`-th entry of an axis, from `start` to before `stop`.",
        samples=(
            *samples(real((5,)), complex_((5,)), axis=0, start=1, stop=4, stride=1),
            *samples(real((2, 7)), axis=1, start=1, stop=6, stride=2),
            *samples(real((2, 7)), axis=1, start=0, stop=7, stride=3),
            *samples(real((3,)), axis=0, start=2, stop=2, stride=1),
            *samples(real((0,)), axis=0, start=0, stop=0, stride=1),
            *samples(real((3, 0)), axis=0, start=1, stop=3, stride=2),
        ),
    )
)  # fmt: skip


def _pad_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    (type,) = operands
    axis, low, high, interior = (parameters[n] for n in ("axis", "low", "high", "interior"))
    has_axis("pad", type, axis)
    size = spread_size(type.shape[axis], interior) + low + high
    expect(interior >= 0 and size >= 0, f"pad: {low} and {high} leave {size} of {type}")
    return _resized(type, axis, size)


def pad(parameters: Parameters, x: Array) -> Array:
    from jax import lax

    amounts = [(0, 0, 0)] * x.ndim
    amounts[parameters["axis"]] = tuple(parameters[n] for n in ("low", "high", "interior"))
    return lax.pad(x, numpy.zeros((), x.dtype), amounts)


def _pad_adjoint(
    parameters: Parameters, _position: int, _fixed: Fixed, domain: ArrayType, codomain: ArrayType
) -> tuple[Step, ...]:
    axis, low, high, interior = (parameters[n] for n in ("axis", "low", "high", "interior"))
    size = spread_size(domain.shape[axis], interior)
    if low >= 0 and high >= 0:
        return (Step("slice", _run(axis, low, low + size, interior + 1)),)
    back = Step("pad", {"axis": axis, "low": -low, "high": -high, "interior": 0})
    return (back, Step("slice", _run(axis, 0, size, interior + 1))) if interior else (back,)


def _run(axis: int, start: int, stop: int, stride: int) -> Parameters:
    return {"axis": axis, "start": start, "stop": stop, "stride": stride}


def _padding(type: ArrayType, axis: int, low: int, high: int, interior: int = 0) -> Sample:
    return Sample((type,), {"axis": axis, "low": low, "high": high, "interior": interior})


_VECTOR, _MATRIX, _NOTHING = real((3,), (2, 3), (0,))

primitive(
    Primitive(
        "pad", "linear",
        result=_pad_result, lower=pad, batch=batch_all("pad", next_axis),
        adjoint=_pad_adjoint,
        is_identity=lambda parameters, _types: (
            parameters["low"] == parameters["high"] == parameters["interior"] == 0
        ),
        latex="{0}",
        doc="Zeros before, after and between the entries of an axis; a negative number of them "
            "takes entries away.",
        samples=(
            _padding(_VECTOR, 0, 1, 2), _padding(_VECTOR, 0, 2, -2), _padding(_VECTOR, 0, 4, -4),
            _padding(_MATRIX, 1, 1, 0, 2), _padding(_MATRIX, 0, -1, 1, 1),
            _padding(_NOTHING, 0, 1, 1, 2), _padding(_NOTHING, 0, 0, 0),
            _padding(complex_((2,))[0], 0, 1, 0),
        ),
    )
)  # fmt: skip


def _concat_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    axis = parameters["axis"]
    expect(len(operands) > 0, "concat: nothing to join")
    first = operands[0]
    has_axis("concat", first, axis)
    for other in operands:
        has_axis("concat", other, axis)
        expect(
            _resized(other, axis, 0) == _resized(first, axis, 0),
            f"concat: {first} and {other} differ beside axis {axis}",
        )
    return _resized(first, axis, sum(other.shape[axis] for other in operands))


def _concat_lower(parameters: Parameters, *pieces: Array) -> Array:
    from jax import lax

    return lax.concatenate(pieces, parameters["axis"])


def _concat_adjoint(
    parameters: Parameters, position: int, fixed: Fixed, domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    axis = parameters["axis"]
    before = (piece if isinstance(piece, ArrayType) else piece.type for piece in fixed[:position])
    start = sum(piece.shape[axis] for piece in before)
    return (Step("slice", _run(axis, start, start + domain.shape[axis], 1)),)


primitive(
    Primitive(
        "concat", "linear",
        result=_concat_result, lower=_concat_lower, batch=batch_all("concat", next_axis),
        adjoint=_concat_adjoint, is_identity=lambda _parameters, types: len(types) == 1,
        latex=r"{0} \mathbin{{+\!\!+}} {1}", doc="Arrays joined along an axis.",
        samples=(
            *samples(
                real((2,), (3,)), real((2, 2), (0, 2), (1, 2)), complex_((1,), (2,)), real((3,)),
                axis=0,
            ),
            *samples(real((2, 3), (2, 1)), axis=1),
        ),
    )
)  # fmt: skip

# --- names of the language ---------------------------------------------------------------


def _each(
    move: Callable[[Context, Occurrence, Wire], Wire],
    trees: Callable[[tuple[Value, ...], tuple[int, ...]], Value] | None = None,
) -> Callable[..., Value]:
    """The trace that moves every leaf by itself; `trees` moves those of a sequence of trees,
    and is given the brackets."""

    def trace(context: Context, occurrence: Occurrence, value: Value) -> Value:
        if trees is not None and isinstance(value, Items):
            moved = trees(value.items, occurrence.brackets)
            return Items(value.type, moved) if isinstance(moved, tuple) else moved
        return map_leaves(lambda leaf: move(context, occurrence, leaf), value)

    return trace


def _piece(context: Context, wire: Wire, start: int, stop: int) -> Wire:
    return context.builder.emit("slice", wire, axis=0, start=start, stop=stop, stride=1)


def _reshaped(context: Context, wire: Wire, shape: tuple[int, ...]) -> Wire:
    return context.builder.emit("reshape", wire, shape=shape)


def _take(context: Context, occurrence: Occurrence, xs: Wire) -> Wire:
    (count,), length = occurrence.brackets, xs.type.shape[0]
    expect(count <= length, f"take[{count}] of {length} elements")
    return _piece(context, xs, 0, count)


def _drop(context: Context, occurrence: Occurrence, xs: Wire) -> Wire:
    (count,), length = occurrence.brackets, xs.type.shape[0]
    expect(count <= length, f"drop[{count}] of {length} elements")
    return _piece(context, xs, count, length)


def _at(context: Context, xs: Wire, place: int) -> Wire:
    expect(xs.type.shape[0] > 0, f"the {'head' if place == 0 else 'last'} of nothing")
    return _reshaped(context, _piece(context, xs, place, place + 1), xs.type.shape[1:])


def _head(context: Context, _occurrence: Occurrence, xs: Wire) -> Wire:
    return _at(context, xs, 0)


def _last(context: Context, _occurrence: Occurrence, xs: Wire) -> Wire:
    return _at(context, xs, xs.type.shape[0] - 1)


def _reverse(context: Context, _occurrence: Occurrence, xs: Wire) -> Wire:
    return context.builder.emit("reverse", xs, axis=0)


def _transpose(context: Context, _occurrence: Occurrence, matrix: Wire) -> Wire:
    permutation = (1, 0, *range(2, matrix.type.rank))
    return context.builder.emit("transpose", matrix, permutation=permutation)


def _concat(context: Context, _occurrence: Occurrence, xss: Wire) -> Wire:
    n, m, *rest = xss.type.shape
    return _reshaped(context, xss, (n * m, *rest))


def _split(context: Context, occurrence: Occurrence, xs: Wire) -> Wire:
    (size,) = occurrence.brackets
    length, *rest = xs.type.shape
    expect(
        length % size == 0 if size else length == 0,
        f"split[{size}] of {length} elements, which are no multiple of {size}",
    )
    return _reshaped(context, xs, (length // size if size else 0, size, *rest))


def _shift(context: Context, occurrence: Occurrence, xs: Wire) -> Wire:
    (places,) = occurrence.brackets
    return context.builder.emit("pad", xs, axis=0, low=places, high=-places, interior=0)


def _replicate(context: Context, occurrence: Occurrence, x: Wire) -> Wire:
    (count,) = occurrence.brackets
    return spread(context.builder, x, (count, *x.type.shape), range(1, x.type.rank + 1))


def _reshape(context: Context, occurrence: Occurrence, value: Value) -> Value:
    """Flatten and reshape: all axes around the element type become the result's."""
    (before,), after = arguments(occurrence.type, 1)
    old = axes(before)
    sizes = _outer_shape(after)
    return map_leaves(
        lambda leaf: _reshaped(context, leaf, (*sizes, *leaf.type.shape[old:])), value
    )


def _outer_shape(type: types.Type) -> tuple[int, ...]:
    sizes = []
    while isinstance(type, types.Array):
        sizes.append(type.length.evaluate({}))
        type = type.element
    return tuple(sizes)


def _append(context: Context, _occurrence: Occurrence, xs: Value, ys: Value) -> Value:
    return map_leaves(lambda x, y: context.builder.emit("concat", x, y, axis=0), xs, ys)


def _of_items(trees: tuple[Value, ...], k: int) -> Value:
    if not trees:
        raise ValueError(f"a sequence without elements has no {'last' if k else 'first'} one")
    return trees[k]


def _length(context: Context, occurrence: Occurrence, xs: Value) -> Value:
    (sequence,), _ = arguments(occurrence.type, 1)
    if (count := item_count(xs)) is not None:
        return context.builder.constant(count, "Int")
    wires = leaves(xs)
    # Elements without entries, (), have no wire to ask.
    length = wires[0].type.shape[0] if wires else _outer_shape(sequence)[0]
    return context.builder.constant(length, "Int")


def _zero(context: Context, occurrence: Occurrence) -> Value:
    if isinstance(occurrence.type, types.Linear):
        linear = occurrence.type
        nothing = Occurrence(linear.codomain)
        return Promised(
            context,
            lambda _: _zero(context, nothing),
            linear.domain,
            linear.codomain,
            False,
        )
    zeros = [context.builder.zeros(type) for type in context.layout(occurrence.type)]
    return context.rebuild(occurrence.type, zeros)


for _record in (
    Builtin(
        "take", "a[n] -> a[k] where n >= k", 1,
        _each(_take, lambda xs, k: xs[: k[0]]), brackets=("k",),
        doc="The first k elements.", example="take[2] [4, 5, 6]",
        ragged=sequences.take,
    ),
    Builtin(
        "drop", "a[n] -> a[n-k] where n >= k", 1,
        _each(_drop, lambda xs, k: xs[k[0] :]), brackets=("k",),
        doc="All but the first k elements.", example="drop[2] [4, 5, 6]",
        ragged=sequences.drop,
    ),
    Builtin(
        "head", "a[n] -> a where n >= 1", 1, _each(_head, lambda xs, _: _of_items(xs, 0)),
        doc="The first element.", example="head [4, 5, 6]",
        ragged=sequences.element("head"),
    ),
    Builtin(
        "last", "a[n] -> a where n >= 1", 1, _each(_last, lambda xs, _: _of_items(xs, -1)),
        doc="The last element.", example="last [4, 5, 6]",
        ragged=sequences.element("last"),
    ),
    Builtin(
        "reverse", "a[n] -> a[n]", 1, _each(_reverse, lambda xs, _: xs[::-1]),
        doc="The elements from the last to the first.", example="reverse [4, 5, 6]",
        latex=r"\operatorname{{reverse}} {0}",
        ragged=sequences.reverse,
    ),
    Builtin(
        "transpose", "a[n,m] -> a[m,n]", 1, _each(_transpose), latex=r"{0}^{{\top}}",
        doc="The two leading axes exchanged.", example="transpose [[1, 2], [3, 4]]",
        ragged=sequences.transpose,
    ),
    Builtin(
        "reshape", "a -> b where b = reshape a", 1, _reshape, brackets=("...",),
        doc="The same entries, in the same order, under the axes in the brackets.",
        latex=r"\operatorname{{reshape}} {0}",
        example="reshape[2, 3] [1, 2, 3, 4, 5, 6]",
    ),
    Builtin(
        "flatten", "a -> b where b = flatten a", 1, _reshape,
        latex=r"\operatorname{{vec}} {0}",
        doc="All entries in one axis, the last axis running fastest.",
        example="flatten [[1, 2], [3, 4]]", ragged=sequences.flatten,
    ),
    Builtin(
        "concat", "a[n,m] -> a[n*m]", 1, _each(_concat),
        doc="The sequences of a sequence, one after the other.",
        latex=r"\operatorname{{concat}} {0}",
        example="concat [[1, 2], [3, 4]]", ragged=sequences.concat,
    ),
    Builtin(
        "split", "a[n*k] -> a[n,k]", 1, _each(_split), brackets=("k",),
        doc="The elements in groups of k.", example="split[2] [1, 2, 3, 4]", ragged=sequences.split,
    ),
    Builtin(
        "replicate", "a -> a[n]", 1, _each(_replicate), brackets=("n",),
        doc="n copies.", example="replicate[3] 7", ragged=sequences.replicate,
    ),
    Builtin(
        "shift", "a[n] -> a[n] where vector a", 1, _each(_shift), brackets=("k",),
        doc="The elements moved k places to the end; zeros come in at the front.",
        example="shift[1] [4, 5, 6]", ragged=sequences.shift,
    ),
    Builtin(
        "++", "a[n] -> a[m] -> a[n+m]", 2, _append, latex=r"{0} \mathbin{{+\!\!+}} {1}",
        doc="Two sequences, one after the other.", example="[1, 2] ++ [3]", ragged=sequences.append,
    ),
    Builtin(
        "length", "a[n] -> Int", 1, _length, doc="The number of elements.",
        example="length [4, 5, 6]", ragged=sequences.length,
    ),
    Builtin(
        "zero", "a where vector a", 0, _zero, latex="0",
        doc="The zero of a vector space: of numbers, arrays, products and representations.",
        example="zero + [1, 2]",
    ),
):  # fmt: skip
    builtin(_record)
