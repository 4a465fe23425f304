"""Which entries of a linear map's matrix may be other than zero: a pattern.

A pattern lists places (row, column), by row and then by column, each once. It follows
from how a map is made, never from numbers: so it holds at every point. Entries are
counted as everywhere in this package: the arrays of a product end to end, each in
row-major order.

    diagonal      row = column                        elementwise maps
    permutation   one place in each row and column    reverse, transpose, reshape
    banded        -upper <= row - column <= lower     windows, shifts, convolutions
    blocks        index sets that do not mix          maps over elements
    triangular    row >= column, or row <= column     scans
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy

Index = Any  # numpy.ndarray of places

MOST = 1 << 20  # a pattern with more places than this is not written out


@dataclass(frozen=True, eq=False)
class Pattern:
    """Places of a matrix with `shape`. `ones`: every entry there is exactly 1.

    >>> Pattern.of((2, 2), numpy.array([1, 0]), numpy.array([1, 0])).diagonal
    True
    """

    shape: tuple[int, int]
    rows: Index = field(repr=False)
    columns: Index = field(repr=False)
    ones: bool = False

    @staticmethod
    def of(shape: tuple[int, int], rows: Index, columns: Index, ones: bool = False) -> Pattern:
        """The pattern of places in any order, some of them perhaps given twice."""
        return gathered(shape, rows, columns, ones)[0]

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def square(self) -> bool:
        return self.shape[0] == self.shape[1]

    @cached_property
    def diagonal(self) -> bool:
        return self.square and bool((self.rows == self.columns).all())

    @cached_property
    def permutation(self) -> bool:
        """One place in each row and in each column."""
        each = numpy.arange(self.shape[0])
        return (
            self.square
            and self.count == len(each)
            and numpy.array_equal(self.rows, each)
            and numpy.array_equal(numpy.sort(self.columns), each)
        )

    @cached_property
    def bandwidths(self) -> tuple[int, int]:
        """How many diagonals below the main one hold a place, and how many above."""
        if not self.count:
            return 0, 0
        below = self.rows - self.columns
        return max(int(below.max()), 0), max(int(-below.min()), 0)

    @property
    def narrow(self) -> bool:
        """Whether all places lie on a few diagonals; the matrix need not be square."""
        lower, upper = self.bandwidths
        return 2 * (lower + upper + 1) <= min(self.shape)

    @property
    def lower(self) -> bool:
        return self.bandwidths[1] == 0

    @property
    def upper(self) -> bool:
        return self.bandwidths[0] == 0

    @cached_property
    def blocks(self) -> tuple[Index, ...]:
        """The index sets of a square pattern between which there is no place."""
        size = self.shape[0]
        label = numpy.arange(size)
        while True:
            # Each index takes the least label of its neighbours, then labels are followed.
            new = label.copy()
            numpy.minimum.at(new, self.rows, label[self.columns])
            numpy.minimum.at(new, self.columns, label[self.rows])
            new = new[new]
            if numpy.array_equal(new, label):
                break
            label = new
        order = numpy.argsort(label, kind="stable")
        return tuple(numpy.split(order, numpy.flatnonzero(numpy.diff(label[order])) + 1))


def gathered(
    shape: tuple[int, int], rows: Index, columns: Index, ones: bool = False
) -> tuple[Pattern, Index]:
    """The pattern of places, and where in it each of them stands."""
    width = max(shape[1], 1)
    keys = numpy.asarray(rows, numpy.int64) * width + columns
    if len(keys) < 2 or (numpy.diff(keys) > 0).all():
        where = numpy.arange(len(keys))
    else:
        keys, where = numpy.unique(keys, return_inverse=True)
    once = len(keys) == len(where)
    return Pattern(shape, keys // width, keys % width, ones and once), where


def product(left: Pattern, right: Pattern) -> tuple[Index, Index]:
    """The pairs of places of `left` and `right` whose product is a term of left · right:
    the column of the one is the row of the other."""
    start = numpy.searchsorted(right.rows, numpy.arange(right.shape[0] + 1))
    each = numpy.diff(start)[left.columns]
    of_left = numpy.repeat(numpy.arange(left.count), each)
    inside = numpy.arange(len(of_left)) - numpy.repeat(numpy.cumsum(each) - each, each)
    return of_left, start[left.columns[of_left]] + inside


def terms(left: Pattern, right: Pattern) -> int:
    """How many products of entries there are in left · right."""
    return int(numpy.bincount(right.rows, minlength=right.shape[0])[left.columns].sum())


def identity(size: int) -> Pattern:
    each = numpy.arange(size)
    return Pattern((size, size), each, each, True)


def zero(shape: tuple[int, int]) -> Pattern:
    nothing = numpy.zeros(0, numpy.int64)
    return Pattern(shape, nothing, nothing, True)


# --- the movements of entries -----------------------------------------------------------


def moved(name: str, parameters: Any, position: int, shapes: Sequence[tuple[int, ...]]) -> Any:
    """For every entry of the answer of a movement the entry of its open operand that it
    is, -1 where it is none of them; None for what is no movement.

    `shapes` are those of the operands; `position` is the open one.
    """
    shape = shapes[position]
    index = numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape)
    match name:
        case "reshape":
            return index.reshape(parameters["shape"])
        case "transpose":
            return index.transpose(parameters["permutation"])
        case "reverse":
            return numpy.flip(index, parameters["axis"])
        case "broadcast":
            target, axes = parameters["shape"], parameters["axes"]
            spread = [1] * len(target)
            for axis, size in zip(axes, shape, strict=True):
                spread[axis] = size
            return numpy.broadcast_to(index.reshape(spread), target)
        case "slice":
            here = slice(parameters["start"], parameters["stop"], parameters["stride"])
            return index[(slice(None),) * parameters["axis"] + (here,)]
        case "pad":
            return _padded(index, parameters)
        case "concat":
            pieces = [numpy.full(each, -1) for each in shapes]
            pieces[position] = index
            return numpy.concatenate(pieces, parameters["axis"])
        case "windows":
            return _windows(index, parameters)
    return None


def _padded(index: Index, parameters: Any) -> Index:
    axis, low, high, interior = (parameters[n] for n in ("axis", "low", "high", "interior"))
    size = index.shape[axis]
    long = size + max(size - 1, 0) * interior
    places = numpy.arange(-low, long + high)
    there = (places >= 0) & (places < long) & (places % (interior + 1) == 0)
    shape = list(index.shape)
    shape[axis] = 1
    outside = numpy.full(shape, -1)  # the entry after the last one
    taken = numpy.where(there, places // (interior + 1), size)
    return numpy.take(numpy.concatenate([index, outside], axis), taken, axis)


def _windows(index: Index, parameters: Any) -> Index:
    axis, sizes = parameters["axis"], parameters["sizes"]
    count = len(sizes)
    strides, dilations = parameters["strides"], parameters["dilations"]
    found = index
    for k in range(count):
        size, stride, dilation = sizes[k], strides[k], dilations[k]
        span = (size - 1) * dilation + 1 if size else 0
        positions = (index.shape[axis + k] - span) // stride + 1
        places = numpy.arange(positions)[:, None] * stride + numpy.arange(size) * dilation
        # The axes of windows made before stand in pairs (position, place) in front.
        found = numpy.take(found, places, axis + 2 * k)
    before = tuple(range(axis))
    firsts = tuple(axis + 2 * k for k in range(count))
    seconds = tuple(axis + 2 * k + 1 for k in range(count))
    return found.transpose((*before, *firsts, *seconds, *range(axis + 2 * count, found.ndim)))


def product_places(
    left: Sequence[int], right: Sequence[int], out: Sequence[int], sizes: dict[int, int]
) -> tuple[Index, Index, Index]:
    """The terms of a contraction: for each the entries of left, right and result."""
    labels = sorted(sizes)
    grid = numpy.indices([sizes[label] for label in labels]).reshape(len(labels), -1)
    place = dict(zip(labels, grid, strict=True))
    count = grid.shape[1]

    def flat(axes: Sequence[int]) -> Index:
        found = numpy.zeros(count, numpy.int64)
        for label in axes:
            found = found * sizes[label] + place[label]
        return found

    return flat(left), flat(right), flat(out)
