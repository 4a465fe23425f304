"""Laws of what moves entries and sums them: reshape, transpose, slice, gather, sum."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from ..graph import Loop, Wire
from ..primitive import Parameters
from .law import Law, parameters_of

if TYPE_CHECKING:
    from .simplifier import Simplifier


def reverse_twice(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """reverse (reverse x) = x, along one axis"""
    node = builder.made_by(inputs[0], "reverse")
    if node and parameters_of(node) == parameters:
        return node.inputs[0]
    return None


def reshape_of_reshape(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """reshape (reshape x) = reshape x"""
    if node := builder.made_by(inputs[0], "reshape"):
        return builder.emit("reshape", node.inputs[0], **parameters)
    return None


def transpose_of_transpose(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """transpose (transpose x) = transpose x, the permutations composed"""
    if node := builder.made_by(inputs[0], "transpose"):
        inner = parameters_of(node)["permutation"]
        permutation = tuple([inner[k] for k in parameters["permutation"]])
        return builder.emit("transpose", node.inputs[0], permutation=permutation)
    return None


def transpose_of_broadcast(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """transpose (broadcast x) = broadcast x, where the axes of x keep their order"""
    if node := builder.made_by(inputs[0], "broadcast"):
        permutation = parameters["permutation"]
        axes = tuple([permutation.index(axis) for axis in parameters_of(node)["axes"]])
        if list(axes) == sorted(axes):
            shape = tuple([inputs[0].type.shape[k] for k in permutation])
            return builder.emit("broadcast", node.inputs[0], shape=shape, axes=axes)
    return None


def broadcast_of_broadcast(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """broadcast (broadcast x) = broadcast x"""
    if node := builder.made_by(inputs[0], "broadcast"):
        axes = tuple([parameters["axes"][axis] for axis in parameters_of(node)["axes"]])
        return builder.emit("broadcast", node.inputs[0], shape=parameters["shape"], axes=axes)
    return None


def of_broadcasts(name: str) -> Law:
    def law(builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
        nodes = [builder.made_by(wire, "broadcast") for wire in inputs]
        first, other = nodes
        if first is None or other is None or parameters_of(first) != parameters_of(other):
            return None
        if first.inputs[0].type != other.inputs[0].type:
            return None
        one = builder.emit(name, first.inputs[0], other.inputs[0], **parameters)
        return builder.emit("broadcast", one, **parameters_of(first))

    law.__name__ = f"{name}_of_broadcasts"
    law.__doc__ = f"{name} (broadcast x) (broadcast y) = broadcast ({name} x y)"
    return law


def sum_of_broadcast(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (broadcast x) = broadcast (sum x), as many times as x was repeated along the axes
    summed"""
    node = builder.made_by(inputs[0], "broadcast")
    if node is None:
        return None
    shape, places, summed = inputs[0].type.shape, parameters_of(node)["axes"], parameters["axes"]
    x = node.inputs[0]
    own = tuple([k for k, axis in enumerate(places) if axis in summed])
    total = builder.emit("sum", x, axes=own)
    times = prod([shape[axis] for axis in summed if axis not in places])
    if times != 1:
        number = builder.constant(times, x.type.kind)
        total = builder.emit(
            "mul", total, builder.emit("broadcast", number, shape=total.type.shape, axes=())
        )
    rest = [axis for axis in range(len(shape)) if axis not in summed]
    return builder.emit(
        "broadcast", total, shape=tuple([shape[axis] for axis in rest]),
        axes=tuple([rest.index(axis) for axis in places if axis in rest]),
    )  # fmt: skip


def sum_of_sum(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (sum x) = sum x, over the axes of both"""
    if node := builder.made_by(inputs[0], "sum"):
        first, rank = parameters_of(node)["axes"], node.inputs[0].type.rank
        kept = [axis for axis in range(rank) if axis not in first]
        axes = sorted([*first, *(kept[axis] for axis in parameters["axes"])])
        return builder.emit("sum", node.inputs[0], axes=tuple(axes))
    return None


def sum_of_transpose(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (transpose x) = transpose (sum x)"""
    if node := builder.made_by(inputs[0], "transpose"):
        permutation = parameters_of(node)["permutation"]
        axes = tuple(sorted(permutation[axis] for axis in parameters["axes"]))
        kept = [k for k in range(len(permutation)) if k not in axes]
        order = [kept.index(k) for k in permutation if k not in axes]
        total = builder.emit("sum", node.inputs[0], axes=axes)
        return builder.emit("transpose", total, permutation=tuple(order))
    return None


def slice_of_transpose(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """slice (transpose x) = transpose (slice x): less is moved"""
    if node := builder.made_by(inputs[0], "transpose"):
        permutation = parameters_of(node)["permutation"]
        axis = permutation[parameters["axis"]]
        piece = builder.emit("slice", node.inputs[0], **{**parameters, "axis": axis})
        return builder.emit("transpose", piece, permutation=permutation)
    return None


def slice_of_slice(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """slice (slice x) = slice x, along one axis without strides"""
    node = builder.made_by(inputs[0], "slice")
    if node is None:
        return None
    inner = parameters_of(node)
    if inner["axis"] != parameters["axis"] or inner["stride"] != 1 or parameters["stride"] != 1:
        return None
    start, stop = (inner["start"] + parameters[end] for end in ("start", "stop"))
    return builder.emit("slice", node.inputs[0], **{**parameters, "start": start, "stop": stop})


def slice_of_concat(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """a slice of x ++ y that lies within x, or within y, is a slice of that"""
    node = builder.made_by(inputs[0], "concat")
    if node is None or parameters_of(node)["axis"] != parameters["axis"]:
        return None
    begin = 0
    for part in node.inputs:
        end = begin + part.type.shape[parameters["axis"]]
        if begin <= parameters["start"] and parameters["stop"] <= end:
            start, stop = parameters["start"] - begin, parameters["stop"] - begin
            return builder.emit("slice", part, **{**parameters, "start": start, "stop": stop})
        begin = end
    return None


def last_of_loop(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """last (scan f s xs) = fold f s xs: the state stacked at the last step is the final
    state"""
    node = builder.producer(inputs[0])
    if node is None or not isinstance(node.operation, Loop) or parameters["axis"] != 0:
        return None
    loop = node.operation
    if loop.counted:  # its last step may not be made
        return None
    place = 0 if loop.reverse else loop.length - 1
    if (parameters["start"], parameters["stop"]) != (place, place + 1):
        return None
    results = loop.body.outputs
    stacked = results[node.outputs.index(inputs[0])]
    if inputs[0] in node.outputs[: loop.carried] or stacked not in results[: loop.carried]:
        return None
    final = node.outputs[results.index(stacked)]
    return builder.emit("reshape", final, shape=(1, *final.type.shape))


def gather_at_constant(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """x ! k = a slice of x, where the index k is known"""
    x, index = inputs
    place = None if index.type.rank else builder.number(index)
    if place is None:
        return None
    axis = parameters["axis"]
    shape = x.type.shape
    place = min(max(place, 0), shape[axis] - 1)
    piece = builder.emit("slice", x, axis=axis, start=place, stop=place + 1, stride=1)
    return builder.emit("reshape", piece, shape=(*shape[:axis], *shape[axis + 1 :]))


def scatter_at_constant(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """scatterAdd k w = w with zeros before and after it, where the index k is known"""
    w, index = inputs
    place = None if index.type.rank else builder.number(index)
    if place is None:
        return None
    axis, size = parameters["axis"], parameters["size"]
    shape = w.type.shape
    place = min(max(place, 0), size - 1)
    row = builder.emit("reshape", w, shape=(*shape[:axis], 1, *shape[axis:]))
    return builder.emit("pad", row, axis=axis, low=place, high=size - 1 - place, interior=0)


def choice_of_scatter(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """select m (scatterAdd k w) 0 = scatterAdd k (select m w 0), for a mask m that is the
    same along the axis scattered over; a transpose may stand between"""
    mask = builder.made_by(inputs[0], "broadcast")
    for place, other in ((1, 2), (2, 1)) if mask else ():
        turned = builder.made_by(inputs[place], "transpose")
        scattered = turned.inputs[0] if turned else inputs[place]
        node = builder.made_by(scattered, "scatterAdd")
        if node is None or builder.number(inputs[other]) != 0:
            continue
        if not builder.only_here(scattered) or not builder.only_here(inputs[place]):
            continue
        (w, index), inner = node.inputs, parameters_of(node)
        axis, positions = inner["axis"], index.type.rank - inner.get("together", 0)
        assert mask is not None
        axes = list(parameters_of(mask)["axes"])
        if turned:
            axes = [parameters_of(turned)["permutation"][k] for k in axes]
        if axis in axes:
            continue
        axes = [k if k < axis else k + positions - 1 for k in axes]
        order = tuple(sorted(range(len(axes)), key=axes.__getitem__))
        taken = builder.emit("transpose", mask.inputs[0], permutation=order)
        here = builder.emit("broadcast", taken, shape=w.type.shape, axes=tuple(sorted(axes)))
        cases = {place: w, other: builder.zeros(w.type)}
        chosen = builder.emit("select", here, cases[1], cases[2])
        answer = builder.emit("scatterAdd", chosen, index, **inner)
        return builder.emit("transpose", answer, **parameters_of(turned)) if turned else answer
    return None


def sum_of_scatter(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """sum (scatterAdd k w) = scatterAdd k (sum w), along axes that are not scattered over;
    where every element summed has indices of its own, scatterAdd of all at once"""
    node = builder.made_by(inputs[0], "scatterAdd")
    if node is None or not builder.only_here(inputs[0]):
        return None
    (w, index), inner = node.inputs, dict(parameters_of(node))
    together, axis = inner.get("together", 0), inner["axis"]
    positions, axes = index.type.rank - together, parameters["axes"]
    joined = [k for k in axes if k < together]
    if axis in axes or (joined and len(joined) < together):
        return None
    plain = [k for k in axes if k >= together]
    if plain:
        above = tuple([k if k < axis else k + positions - 1 for k in plain])
        w = builder.emit("sum", w, axes=above)
        axis -= sum(k < axis for k in plain)
    if joined:
        order = (*range(together, axis), *range(together), *range(axis, w.type.rank))
        w = builder.emit("transpose", w, permutation=order)
        del inner["together"]
        axis -= together
    return builder.emit("scatterAdd", w, index, **{**inner, "axis": axis})


def concat_of_concat(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """(x ++ y) ++ z = x ++ y ++ z, in one piece"""
    flat: list[Wire] = []
    for wire in inputs:
        node = builder.made_by(wire, "concat")
        inside = node is not None and parameters_of(node)["axis"] == parameters["axis"]
        flat.extend(node.inputs if node is not None and inside else (wire,))
    return builder.emit("concat", *flat, **parameters) if len(flat) > len(inputs) else None
