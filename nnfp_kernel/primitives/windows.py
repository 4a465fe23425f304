"""Windows: all views of an array through a frame that moves along its axes.

`overlapAdd`, which lays windows back at their places, is the adjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy

from ..graph.graph import ArrayType
from ..graph.primitive import Parameters, Primitive, Sample, Step
from .indexing import gather, scatter_add
from .movement import pad, spread_size
from .records import Fixed, batch_all, expect, next_axis, per_operand
from .table import primitive

Array = Any  # a jax.Array or a tracer of one
Shape = tuple[int, ...]

# Windows and positions above this are moved by an index instead of one copy for each.
_COPIES = 64


def _span(size: int, dilation: int) -> int:
    """How many entries a window reaches over."""
    return (size - 1) * dilation + 1 if size else 0


def _positions(length: int, size: int, stride: int, dilation: int) -> int:
    """How many windows there are."""
    return (length - _span(size, dilation)) // stride + 1


def _window_parameters(parameters: Parameters) -> tuple[int, Shape, Shape, Shape]:
    names = ("axis", "sizes", "strides", "dilations")
    axis, sizes, strides, dilations = (parameters[name] for name in names)
    expect(
        len(sizes) == len(strides) == len(dilations)
        and min((*sizes, 0)) == 0
        and min((*strides, *dilations, 1)) == 1,
        f"windows: sizes {sizes}, strides {strides} and dilations {dilations} do not go together",
    )
    return axis, sizes, strides, dilations


def _windows_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    (type,) = operands
    axis, sizes, strides, dilations = _window_parameters(parameters)
    after = axis + len(sizes)
    expect(axis >= 0 and after <= type.rank, f"windows: {type} has no axes {axis} to {after - 1}")
    counts = []
    for n, size, stride, dilation in zip(
        type.shape[axis:after], sizes, strides, dilations, strict=True
    ):
        span = _span(size, dilation)
        expect(n >= span, f"windows: a window reaches over {span} entries, but there are {n}")
        counts.append(_positions(n, size, stride, dilation))
    return ArrayType(type.kind, (*type.shape[:axis], *counts, *sizes, *type.shape[after:]))


def _windows(parameters: Parameters, x: Array) -> Array:
    """Without an index: for each place in the window, its entry at all positions. Large
    windows and those that do not overlap are made one axis after the other."""
    from jax import lax

    axis, sizes, strides, dilations = _window_parameters(parameters)
    count = len(sizes)
    if _together(parameters, x.shape):
        counts = tuple(
            _positions(x.shape[axis + k], sizes[k], strides[k], dilations[k]) for k in range(count)
        )
        slices = [
            lax.slice(x, *_view(x.shape, axis, place, counts, strides, dilations))
            for place in numpy.ndindex(*sizes)
        ]
        after = x.shape[axis + count :]
        return lax.reshape(
            _stacked(slices, axis + count), (*x.shape[:axis], *counts, *sizes, *after)
        )
    for k in range(count):
        x = _axis_windows(x, axis + 2 * k, sizes[k], strides[k], dilations[k])
    return lax.transpose(x, _positions_first(axis, count, x.ndim))


def _together(parameters: Parameters, shape: Shape) -> bool:
    """Whether the windows of all axes are made at once: they are small and overlap."""
    axis, sizes, strides, dilations = _window_parameters(parameters)
    return (
        0 < prod(sizes) <= _COPIES
        and 0 not in shape
        and all(
            (size, 1) != (stride, dilation) and size <= _positions(n, size, stride, dilation)
            for n, size, stride, dilation in zip(
                shape[axis : axis + len(sizes)], sizes, strides, dilations, strict=True
            )
        )
    )


def _view(
    shape: Shape, axis: int, place: Shape, counts: Shape, strides: Shape, dilations: Shape
) -> tuple[list[int], list[int], list[int]]:
    """Where the entries at one place of every window start and end, and their steps."""
    starts, stops, steps = [0] * len(shape), list(shape), [1] * len(shape)
    for k, (j, count, stride, dilation) in enumerate(
        zip(place, counts, strides, dilations, strict=True), axis
    ):
        starts[k] = j * dilation
        stops[k] = starts[k] + (count - 1) * stride + 1
        steps[k] = stride
    return starts, stops, steps


def _positions_first(axis: int, count: int, rank: int) -> list[int]:
    pairs = range(axis, axis + 2 * count)
    return [*range(axis), *pairs[::2], *pairs[1::2], *range(axis + 2 * count, rank)]


def _axis_windows(x: Array, axis: int, size: int, stride: int, dilation: int) -> Array:
    from jax import lax

    before, length, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    count = _positions(length, size, stride, dilation)
    if 0 in (*before, count, size, *after):
        return lax.full((*before, count, size, *after), 0, x.dtype)
    if size == stride and dilation == 1:  # they do not overlap
        return lax.reshape(
            lax.slice_in_dim(x, 0, count * size, axis=axis), (*before, count, size, *after)
        )
    if min(count, size) > _COPIES:
        return gather({"axis": axis}, x, _places(count, size, stride, dilation))
    if size <= count:  # for each place in the window, its entry at all positions
        reach = (count - 1) * stride + 1
        slices = [
            lax.slice_in_dim(x, j * dilation, j * dilation + reach, stride, axis)
            for j in range(size)
        ]
        return _stacked(slices, axis + 1)
    reach = _span(size, dilation)
    slices = [
        lax.slice_in_dim(x, p * stride, p * stride + reach, dilation, axis) for p in range(count)
    ]
    return _stacked(slices, axis)


def _stacked(arrays: Sequence[Array], axis: int) -> Array:
    from jax import lax

    return lax.concatenate([lax.expand_dims(array, (axis,)) for array in arrays], axis)


def _places(count: int, size: int, stride: int, dilation: int) -> Any:
    """Where the entries of every window stand."""
    return numpy.arange(count)[:, None] * stride + numpy.arange(size)[None, :] * dilation


def _windows_adjoint(
    parameters: Parameters, _position: int, _fixed: Fixed, domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    axis, count = parameters["axis"], len(parameters["sizes"])
    lengths = domain.shape[axis : axis + count]
    return (Step("overlapAdd", {**parameters, "lengths": lengths}),)


def _overlap_result(parameters: Parameters, operands: Sequence[ArrayType]) -> ArrayType:
    (type,) = operands
    axis, sizes, _, _ = _window_parameters(parameters)
    lengths, count = parameters["lengths"], len(sizes)
    after = axis + 2 * count
    expect(
        axis >= 0 and after <= type.rank and len(lengths) == count,
        f"overlapAdd: {type} has no axes {axis} to {after - 1}",
    )
    whole = ArrayType(type.kind, (*type.shape[:axis], *lengths, *type.shape[after:]))
    expect(
        _windows_result(parameters, [whole]) == type,
        f"overlapAdd: {type} are not the windows of {whole}",
    )
    return whole


def _overlap_add(parameters: Parameters, w: Array) -> Array:
    from jax import lax

    axis, sizes, strides, dilations = _window_parameters(parameters)
    lengths, count = parameters["lengths"], len(sizes)
    whole = (*w.shape[:axis], *lengths, *w.shape[axis + 2 * count :])
    if _together(parameters, whole):
        counts = w.shape[axis : axis + count]
        after = w.shape[axis + 2 * count :]
        flat = lax.reshape(w, (*w.shape[: axis + count], prod(sizes), *after))
        total = None
        for which, place in enumerate(numpy.ndindex(*sizes)):
            piece = lax.index_in_dim(flat, which, axis + count, keepdims=False)
            starts, stops, steps = _view(whole, axis, place, counts, strides, dilations)
            amounts = [
                (start, size - stop, step - 1)
                for start, stop, step, size in zip(starts, stops, steps, whole, strict=True)
            ]
            placed = lax.pad(piece, numpy.zeros((), w.dtype), amounts)
            total = placed if total is None else lax.add(total, placed)
        return total
    order = _positions_first(axis, count, w.ndim)
    w = lax.transpose(w, [order.index(k) for k in range(w.ndim)])
    for k in reversed(range(count)):
        w = _axis_overlap(w, axis + 2 * k, lengths[k], strides[k], dilations[k])
    return w


def _axis_overlap(w: Array, axis: int, length: int, stride: int, dilation: int) -> Array:
    from jax import lax

    before, (count, size), after = w.shape[:axis], w.shape[axis : axis + 2], w.shape[axis + 2 :]
    whole = (*before, length, *after)
    if 0 in (*w.shape, *whole):
        return lax.full(whole, 0, w.dtype)
    if size == stride and dilation == 1:
        joined = lax.reshape(w, (*before, count * size, *after))
        return _padded(joined, axis, 0, length - count * size, 0)
    if min(count, size) > _COPIES:
        places = _places(count, size, stride, dilation)
        return scatter_add({"axis": axis, "size": length}, w, places)
    if size <= count:
        pieces = [
            (lax.index_in_dim(w, j, axis + 1, keepdims=False), j * dilation, stride)
            for j in range(size)
        ]
    else:
        pieces = [
            (lax.index_in_dim(w, p, axis, keepdims=False), p * stride, dilation)
            for p in range(count)
        ]
    total = None
    for piece, low, step in pieces:
        reach = spread_size(piece.shape[axis], step - 1)
        placed = _padded(piece, axis, low, length - low - reach, step - 1)
        total = placed if total is None else lax.add(total, placed)
    return total


def _padded(x: Array, axis: int, low: int, high: int, interior: int) -> Array:
    return pad({"axis": axis, "low": low, "high": high, "interior": interior}, x)


def _overlap_adjoint(parameters: Parameters, *_: Any) -> tuple[Step, ...]:
    kept = {name: value for name, value in parameters.items() if name != "lengths"}
    return (Step("windows", kept),)


def _windowing(
    shape: Shape, sizes: Shape, strides: Shape, dilations: Shape, axis: int = 0
) -> tuple[Sample, Sample]:
    """A sample of windows, and the one of overlapAdd that goes back."""
    parameters = {"axis": axis, "sizes": sizes, "strides": strides, "dilations": dilations}
    whole = ArrayType("R", shape)
    lengths = shape[axis : axis + len(sizes)]
    return (
        Sample((whole,), parameters),
        Sample((_windows_result(parameters, [whole]),), {**parameters, "lengths": lengths}),
    )


_WINDOWS = (
    _windowing((5,), (3,), (1,), (1,)),
    _windowing((5, 2), (3,), (1,), (1,)),
    _windowing((8,), (2,), (3,), (2,)),
    _windowing((7, 2), (3,), (3,), (1,)),
    _windowing((6,), (5,), (1,), (1,)),
    _windowing((6, 5, 2), (3, 2), (1, 2), (2, 1)),
    _windowing((2, 4, 3, 3), (2, 2, 3), (2, 1, 1), (1, 1, 1), axis=1),
    _windowing((3,), (3,), (1,), (1,)),
    _windowing((3,), (0,), (1,), (1,)),
    _windowing((0,), (0,), (2,), (1,)),
    _windowing((3, 0), (2,), (1,), (1,)),
    _windowing((4, 5), (2, 2), (1, 2), (2, 1)),
    _windowing((140,), (70,), (1,), (1,)),
)

primitive(
    Primitive(
        "windows", "linear",
        result=_windows_result, lower=_windows, batch=batch_all("windows", next_axis),
        adjoint=_windows_adjoint,
        latex=r"\operatorname{{windows}} {0}",
        doc="All windows over one or more axes from `axis`: positions first, then the axes of "
            "a window, then the rest.",
        samples=tuple(view for view, _ in _WINDOWS),
    )
)  # fmt: skip
primitive(
    Primitive(
        "overlapAdd", "linear",
        result=_overlap_result, lower=_overlap_add, batch=batch_all("overlapAdd", next_axis),
        adjoint=_overlap_adjoint, cost=per_operand(),
        latex=r"\operatorname{{overlap}} {0}",
        doc="Windows laid back at their places and added where they overlap.",
        samples=tuple(back for _, back in _WINDOWS),
    )
)  # fmt: skip
