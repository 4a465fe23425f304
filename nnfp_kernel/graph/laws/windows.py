"""A contraction of windows is a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..graph import ArrayType, Wire
from ..primitive import Parameters
from .law import Labels, parameters_of

if TYPE_CHECKING:
    from .simplifier import Simplifier


def contract_of_windows(
    builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]
) -> Wire | None:
    """contract (windows x) k = convolve x k: a window map of a linear map is a
    convolution. The window's axes may have been joined by a reshape."""
    if parameters.get("conjugate"):
        return None
    for k, side in enumerate(("left", "right")):
        operand, kernel = inputs[k], inputs[1 - k]
        labels, right = parameters[side], parameters["right" if side == "left" else "left"]
        node = builder.made_by(operand, "windows")
        if node is None and (reshape := builder.made_by(operand, "reshape")):
            node = builder.made_by(reshape.inputs[0], "windows")
            if node is None:
                continue
            split = _split(node.outputs[0].type, operand.type, labels, right, kernel)
            if split is None:
                continue
            labels, right, shape = split
            kernel = builder.emit("reshape", kernel, shape=shape)
        if node is None or node.inputs[0].type.kind != "R":
            continue
        windows, out = parameters_of(node), parameters["out"]
        axis, count = windows["axis"], len(windows["sizes"])
        positions = labels[axis : axis + count]
        window = labels[axis + count : axis + 2 * count]
        if any(label not in out or label in right for label in positions):
            continue
        if any(label not in right or label in out for label in window):
            continue
        x, padding = _unpadded(builder, node.inputs[0], range(axis, axis + count))
        there = dict(zip(window, positions, strict=True))
        return builder.emit(
            "convolve", x, kernel,
            left=(*labels[:axis], *positions, *labels[axis + 2 * count :]),
            right=tuple([there.get(label, label) for label in right]),
            out=out, spatial=positions, strides=tuple(windows["strides"]), padding=padding,
            left_dilation=(1,) * count, right_dilation=tuple(windows["dilations"]), flip=False,
        )  # fmt: skip
    return None


def _split(
    before: ArrayType, after: ArrayType, labels: Labels, right: Labels, kernel: Wire
) -> tuple[Labels, Labels, tuple[int, ...]] | None:
    """The labels of an operand before a reshape that joined neighbouring axes, the
    labels of the kernel with the same axes split, and its shape then."""
    groups = _joined(before.shape, after.shape)
    if groups is None:
        return None
    new = max((*labels, *right), default=-1) + 1
    split: dict[int, list[tuple[int, int]]] = {}  # label -> labels and sizes of its parts
    mine: list[int] = []
    for label, group in zip(labels, groups, strict=True):
        if len(group) == 1:
            mine.append(label)
        elif label not in right:
            return None
        else:
            split[label] = [(new + k, before.shape[axis]) for k, axis in enumerate(group)]
            new += len(group)
            mine.extend(each for each, _ in split[label])
    theirs: list[int] = []
    shape: list[int] = []
    for label, size in zip(right, kernel.type.shape, strict=True):
        for each, length in split.get(label, [(label, size)]):
            theirs.append(each)
            shape.append(length)
    return tuple(mine), tuple(theirs), tuple(shape)


def _joined(before: Sequence[int], after: Sequence[int]) -> list[list[int]] | None:
    """For each axis after a reshape, the neighbouring axes before that it joins."""
    groups: list[list[int]] = []
    axis = 0
    for size in after:
        group = [axis]
        if axis >= len(before):
            return None
        total = before[axis]
        axis += 1
        while axis < len(before) and (
            total < size or _alone(before[axis:], after[len(groups) + 1 :])
        ):
            total *= before[axis]
            group.append(axis)
            axis += 1
        if total != size:
            return None
        groups.append(group)
    return groups if axis == len(before) else None


def _alone(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether the next axis before has one entry and no counterpart after."""
    return before[0] == 1 and (not after or after[0] != 1)


def _unpadded(
    builder: Simplifier, wire: Wire, axes: Sequence[int]
) -> tuple[Wire, tuple[tuple[int, int], ...]]:
    """The wire before zeros were put around it along `axes`, and how many."""
    padding = dict.fromkeys(axes, (0, 0))
    while node := builder.made_by(wire, "pad"):
        pad = parameters_of(node)
        axis, low, high = pad["axis"], pad["low"], pad["high"]
        if axis not in padding or pad["interior"] or low < 0 or high < 0:
            break
        before, after = padding[axis]
        padding[axis] = (before + low, after + high)
        wire = node.inputs[0]
    return wire, tuple(padding.values())
