"""Indices: entries looked up at places known only at run time, and put back there.

`gather` and `scatterAdd` are each other's adjoints.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Parameters, Primitive, Sample, Step
from ..graph.values import Items, NotFirstOrder, Value, leaves, map_leaves
from . import sequences
from .records import (
    SHAPES,
    Fixed,
    batch_all,
    batched,
    complex_,
    expect,
    free,
    has_axis,
    per_entry,
    per_operand,
    real,
    repeat,
    samples,
)
from .table import Builtin, Occurrence, builtin, primitive

Array = Any  # a jax.Array or a tracer of one
Shape = tuple[int, ...]

_VECTOR, _MATRIX, _NOTHING = real((3,), (2, 3), (0,))

# --- gather, scatterAdd ---------------------------------------------------------------------
#
# `together` counts leading axes that the array and the index share: one look-up for
# each of them. It is 0 until a batch of arrays meets a batch of indices.


def _gather_shape(parameters: Parameters, x: ArrayType, index: ArrayType) -> Shape:
    axis, together = parameters["axis"], parameters.get("together", 0)
    return (*x.shape[:axis], *index.shape[together:], *x.shape[axis + 1 :])


def _index_fits(name: str, parameters: Parameters, shape: Shape, index: ArrayType) -> None:
    together = parameters.get("together", 0)
    expect(index.kind == "Int", f"{name}: the index is {index}, not Int")
    expect(
        0 <= together <= min(parameters["axis"], index.rank)
        and shape[:together] == index.shape[:together],
        f"{name}: the array and the index share no {together} axes",
    )


def _gather_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    x, index = operands
    has_axis("gather", x, parameters["axis"])
    _index_fits("gather", parameters, x.shape, index)
    expect(x.shape[parameters["axis"]] > 0 or index.size == 0, "gather: an element of nothing")
    return ArrayType(x.kind, _gather_shape(parameters, x, index))


def _clamped(index: Array, size: int) -> Array:
    from jax import lax

    low, high = (numpy.asarray(bound, index.dtype) for bound in (0, max(size - 1, 0)))
    return lax.clamp(low, index, high)


def gather(parameters: Parameters, x: Array, index: Array) -> Array:
    """A scalar index is a slice at a place known later; else one XLA gather."""
    from jax import lax

    axis, together = parameters["axis"], parameters.get("together", 0)
    result = (*x.shape[:axis], *index.shape[together:], *x.shape[axis + 1 :])
    if 0 in result:
        return lax.full(result, 0, x.dtype) if x.dtype.kind != "V" else lax.reshape(x, result)
    if index.ndim == 0:
        return lax.dynamic_index_in_dim(x, _clamped(index, x.shape[axis]), axis, keepdims=False)
    positions = index.ndim - together
    shared = tuple(range(together))
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(
            *range(together, axis), *range(axis + positions, x.ndim - 1 + positions)
        ),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        operand_batching_dims=shared,
        start_indices_batching_dims=shared,
    )  # fmt: skip
    sizes = [1 if k < together or k == axis else n for k, n in enumerate(x.shape)]
    places = lax.reshape(_clamped(index, x.shape[axis]), (*index.shape, 1))
    return lax.gather(x, places, numbers, sizes, mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS)


def _gather_adjoint(
    parameters: Parameters, _position: int, fixed: Fixed, domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    size = domain.shape[parameters["axis"]]
    return (Step("scatterAdd", {**parameters, "size": size}, 0, fixed),)


def _moved(builder: Builder, wire: Wire, source: int, target: int) -> Wire:
    """The wire with one axis taken to another place."""
    order = [axis for axis in range(wire.type.rank) if axis != source]
    order.insert(target, source)
    return builder.emit("transpose", wire, permutation=tuple(order))


def _lookup_batch(name: str) -> Callable[..., Wire]:
    """The batch rule of gather, and of scatterAdd but for a batch of indices only. An
    operand without the new axis is not repeated: the axis goes where it is a plain
    one, and afterwards to the front."""

    def rule(
        builder: Builder,
        parameters: Parameters,
        inputs: Sequence[Wire],
        flags: Sequence[bool],
        length: int,
    ) -> Wire:
        (x, index), (x_flag, index_flag) = inputs, flags
        axis, together = parameters["axis"], parameters.get("together", 0)
        if name == "scatterAdd" and not x_flag:
            x, x_flag = repeat(builder, x, length), True
        if x_flag and index_flag:
            more = {**parameters, "axis": axis + 1, "together": together + 1}
            return builder.emit(name, x, index, **more)
        if x_flag:
            x = _moved(builder, x, 0, together)
            answer = builder.emit(name, x, index, **{**parameters, "axis": axis + 1})
            return _moved(builder, answer, together, 0)
        index = _moved(builder, index, 0, together)
        return _moved(builder, builder.emit(name, x, index, **parameters), axis, 0)

    return batched(name, rule)


def _lookup(index: Shape, *, axis: int = 0, **more: Any) -> Callable[..., Sample]:
    return lambda type: Sample((type, ArrayType("Int", index)), {"axis": axis, **more})


primitive(
    Primitive(
        "gather", "linear", open_positions=(0,),
        result=_gather_result, lower=gather, batch=_lookup_batch("gather"),
        adjoint=_gather_adjoint,
        latex="{0}_{{{1}}}",
        doc="The entries of an axis at an index, or at each of several. An index outside is "
            "moved to the nearest end.",
        samples=(
            _lookup((4,))(_VECTOR), _lookup(())(_VECTOR), _lookup(())(_MATRIX),
            _lookup((2, 2), axis=1)(real((2, 3, 2))[0]), _lookup((), axis=1)(_MATRIX),
            _lookup((2, 4), axis=1, together=1)(_MATRIX),
            _lookup((2,), axis=1, together=1)(_MATRIX),
            _lookup((2, 2), axis=2, together=1)(real((2, 3, 4))[0]),
            _lookup((0,))(_VECTOR), _lookup((0,))(_NOTHING), _lookup((2,))(real((3, 0))[0]),
            _lookup((2,))(complex_((3,))[0]), _lookup((2,))(ArrayType("Int", (3,))),
        ),
    )
)  # fmt: skip


def _scatter_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    w, index = operands
    axis, together = parameters["axis"], parameters.get("together", 0)
    size, positions = parameters["size"], index.rank - together
    _index_fits("scatterAdd", parameters, w.shape, index)
    expect(
        w.shape[axis : axis + positions] == index.shape[together:],
        f"scatterAdd: {w} has no element for each of the index {index} at axis {axis}",
    )
    expect(w.kind in ("R", "C", "Int"), f"scatterAdd: {w} cannot be added")
    expect(size > 0 or index.size == 0, "scatterAdd: an element of nothing")
    return ArrayType(w.kind, (*w.shape[:axis], size, *w.shape[axis + positions :]))


def scatter_add(parameters: Parameters, w: Array, index: Array) -> Array:
    from jax import lax

    axis, together = parameters["axis"], parameters.get("together", 0)
    size, positions = parameters["size"], index.ndim - together
    result = (*w.shape[:axis], size, *w.shape[axis + positions :])
    zeros = lax.full(result, 0, w.dtype)
    if 0 in w.shape or 0 in result:
        return zeros
    if index.ndim == 0:
        element = lax.expand_dims(w, (axis,))
        return lax.dynamic_update_slice_in_dim(zeros, element, _clamped(index, size), axis)
    sources = _sources(index, size) if isinstance(index, numpy.ndarray) and not together else None
    if sources is not None:
        rows = lax.reshape(w, (*w.shape[:axis], index.size, *w.shape[axis + positions :]))
        none = lax.full((*rows.shape[:axis], 1, *rows.shape[axis + 1 :]), 0, w.dtype)
        rows = lax.concatenate([rows, none], axis)
        return functools.reduce(lax.add, (gather({"axis": axis}, rows, each) for each in sources))
    shared = tuple(range(together))
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(*range(together, axis), *range(axis + positions, w.ndim)),
        inserted_window_dims=(axis,),
        scatter_dims_to_operand_dims=(axis,),
        operand_batching_dims=shared,
        scatter_indices_batching_dims=shared,
    )
    places = lax.reshape(_clamped(index, size), (*index.shape, 1))
    return lax.scatter_add(zeros, places, w, numbers, mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS)


def _sources(index: numpy.ndarray, size: int) -> numpy.ndarray | None:
    """For each place, the entries that come there, in their order; one beyond the last where
    there are fewer. None where more than two come together.

    At an index that is known, looking up what comes is sooner done than putting it there:
    XLA goes through a scatter entry by entry, and fuses it with nothing."""
    places = numpy.clip(index.ravel(), 0, size - 1)
    counts = numpy.bincount(places, minlength=size)
    if counts.max() > 2:
        return None
    order = numpy.argsort(places, kind="stable")
    places = places[order]
    sources = numpy.full((counts.max(), size), index.size)
    sources[numpy.arange(index.size) - (numpy.cumsum(counts) - counts)[places], places] = order
    return sources


def _scatter_adjoint(parameters: Parameters, _position: int, fixed: Fixed, *_: Any) -> Any:
    kept = {name: value for name, value in parameters.items() if name != "size"}
    return (Step("gather", kept, 0, fixed),)


primitive(
    Primitive(
        "scatterAdd", "linear", open_positions=(0,),
        result=_scatter_result, lower=scatter_add, batch=_lookup_batch("scatterAdd"),
        adjoint=_scatter_adjoint, cost=per_operand(),
        latex=r"\operatorname{{scatter}}_{{{1}}} {0}",
        doc="Zero along an axis of `size` but at the indices, where the entries are added up.",
        samples=(
            _lookup((4,), size=3)(real((4,))[0]), _lookup((), size=3)(real(())[0]),
            _lookup((), axis=1, size=3)(_MATRIX), _lookup((2, 2), axis=1, size=3)(
                real((3, 2, 2, 2))[0]
            ),
            _lookup((2, 3), axis=1, together=1, size=4)(_MATRIX),
            _lookup((2,), axis=1, together=1, size=4)(_MATRIX),
            _lookup((0,), size=3)(_NOTHING), _lookup((0,), size=0)(_NOTHING),
            _lookup((2,), size=3)(complex_((2,))[0]),
        ),
    )
)  # fmt: skip

# --- indices themselves --------------------------------------------------------------------


def _clamp_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (type,) = types
    expect(type.kind == "Int", f"clamp: found {type}, expected Int")
    low, high = parameters["low"], parameters["high"]
    expect(low <= high, f"clamp: there is no index between {low} and {high}")
    return type


def _clamp(parameters: Parameters, x: Array) -> Array:
    from jax import lax

    low, high = (lax.full_like(x, parameters[name], shape=()) for name in ("low", "high"))
    return lax.clamp(low, x, high)


primitive(
    Primitive(
        "clamp", "discrete",
        result=_clamp_result, lower=_clamp, batch=batch_all("clamp"), cost=per_entry(2),
        latex="{0}", doc="The nearest Int between `low` and `high`.",
        samples=(
            *(Sample((ArrayType("Int", shape),), {"low": 0, "high": 1}) for shape in SHAPES),
            Sample((ArrayType("Int", (7,)),), {"low": -1, "high": 3}, -5, 5),
        ),
    )
)  # fmt: skip


def _iota_result(parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    expect(not types, "iota takes no operand")
    return ArrayType("Int", (parameters["size"],))


def _iota(parameters: Parameters) -> Array:
    from jax import dtypes, lax

    return lax.iota(dtypes.canonicalize_dtype(int), parameters["size"])


primitive(
    Primitive(
        "iota", "discrete",
        result=_iota_result, lower=_iota, batch=batch_all("iota"), cost=free,
        latex=r"(0, 1, \dots)", doc="The Ints 0, 1, …, size - 1.",
        samples=(*samples((), size=4), *samples((), size=0)),
    )
)  # fmt: skip

# --- names of the language -------------------------------------------------------------------


def _index(context: Context, _occurrence: Occurrence, xs: Value, index: Value) -> Value:
    if isinstance(xs, Items):
        place = context.constant_value(index)
        if place is None:
            raise NotFirstOrder(xs.type)
        expect(len(xs.items) > 0, "an element of nothing")
        return xs.items[min(max(place, 0), len(xs.items) - 1)]
    filled = all(leaf.type.shape[0] > 0 for leaf in leaves(xs))
    expect(filled or index.type.size == 0, "an element of nothing")
    return map_leaves(lambda leaf: context.builder.emit("gather", leaf, index, axis=0), xs)


def _indices(context: Context, occurrence: Occurrence) -> Value:
    return context.builder.emit("iota", size=occurrence.brackets[0])


def _to_index(context: Context, occurrence: Occurrence, value: Value) -> Value:
    (size,) = occurrence.brackets
    expect(size > 0, "there is no index in 0..-1, which is what toFin[0] asks for")
    return context.builder.emit("clamp", value, low=0, high=size - 1)


def _onehot(context: Context, occurrence: Occurrence, index: Value) -> Value:
    builder, (size,) = context.builder, occurrence.brackets
    classes = builder.emit("iota", size=size)
    repeated = builder.emit("broadcast", index, shape=(size,), axes=())
    return builder.emit("convert", builder.emit("compare", repeated, classes, how="eq"), kind="R")


for _record in (
    Builtin(
        "!", "a[n] -> i -> a where index i n", 2, _index, latex="{0}_{{{1}}}",
        doc="The element at an index, counted from 0. An Int outside the range is moved to "
            "the nearest end.",
        example="[4, 5, 6] ! 0", ragged=sequences.index,
    ),
    Builtin(
        "gather", "a[n] -> Fin[n][m] -> a[m]", 2, _index, latex="{0}_{{{1}}}",
        doc="The elements at several indices.", example="gather [4, 5, 6] [2, 0]",
        ragged=sequences.index,
    ),
    Builtin(
        "iota", "Fin[n][n]", 0, _indices, brackets=("n",),
        doc="The indices 0, 1, ..., n-1.", example="iota[3]", ragged=sequences.iota,
    ),
):  # fmt: skip
    builtin(_record)
builtin(
    Builtin(
        "toFin", "Int -> Fin[n]", 1, _to_index, brackets=("n",),
        doc="The index nearest to an Int, in 0..n-1.", example="[4, 5, 6] ! toFin[3] 1",
    )
)  # fmt: skip
builtin(
    Builtin(
        "onehot", "Fin[n] -> R[n]", 1, _onehot, brackets=("n",), latex=r"e_{{{0}}}",
        doc="The unit vector of an index: 1 at its place, 0 elsewhere.",
        example="onehot[3] 1",
    )
)  # fmt: skip
