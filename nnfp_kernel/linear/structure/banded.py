"""Bands and triangles: elimination and substitution as loops.

A band of `lower` diagonals below the main one and `upper` above it is an array with one
row for each row of the matrix: `bands[i, d]` is the entry in column i - lower + d.
Elimination looks for its pivot in the `lower + 1` rows that reach the column, so a band
is solved as stably as a dense matrix, in a time that grows with its length only.
Source: Golub and Van Loan 2013, section 4.3 (band Gaussian elimination with pivoting).
"""

from __future__ import annotations

import numpy

from ...graph.graph import ArrayType, Builder, Loop, Wire
from .pattern import Pattern
from .sparse import arranged

Bandwidths = tuple[int, int]  # below, above


def bands(pattern: Pattern, data: Wire, builder: Builder, widths: Bandwidths | None = None) -> Wire:
    """The diagonals of a pattern's entries, beside each other."""
    lower, upper = widths or pattern.bandwidths
    places = numpy.full((pattern.shape[0], lower + upper + 1), -1)
    places[pattern.rows, pattern.columns - pattern.rows + lower] = numpy.arange(pattern.count)
    return arranged(builder, data, places)


def pivots(builder: Builder, bands: Wire, widths: Bandwidths) -> Wire:
    """The pivots of the elimination: their product is the determinant, but for its sign."""
    nothing = builder.zeros(ArrayType(bands.type.kind, (bands.type.shape[0], 0)))
    rows, _ = _eliminated(builder, bands, widths, nothing)
    first = builder.emit("slice", rows, axis=1, start=0, stop=1, stride=1)
    return builder.emit("reshape", first, shape=(bands.type.shape[0],))


def solve(builder: Builder, bands: Wire, widths: Bandwidths, image: Wire) -> Wire:
    """The columns u with A u = image."""
    rows, right = _eliminated(builder, bands, widths, image)
    return _back(builder, rows, right)


def _eliminated(
    builder: Builder, bands: Wire, widths: Bandwidths, image: Wire
) -> tuple[Wire, Wire]:
    """The rows of the upper factor, each from its pivot on, and the right sides with them."""
    lower, width = widths[0], sum(widths) + 1
    if not lower:
        return bands, image
    size, kind, count = bands.type.shape[0], bands.type.kind, image.type.shape[1]
    # The rows that reach the first column, moved to begin there.
    each = numpy.arange(lower)[:, None]
    column = numpy.arange(width)[None, :] + lower - each
    places = numpy.where((column < width) & (each < size), each * width + column, -1)
    first = arranged(builder, builder.emit("reshape", bands, shape=(size * width,)), places)
    initial = [first, _first_rows(builder, image, lower)]
    later = [_later_rows(builder, wire, lower) for wire in (bands, image)]

    child = Builder(builder.primitives)
    rows, right = (child.input(wire.type) for wire in initial)
    new, new_right = (child.input(wire.type.element()) for wire in later)
    rows = _with_row(child, rows, new)
    right = _with_row(child, right, new_right)
    column_wire = child.emit("slice", rows, axis=1, start=0, stop=1, stride=1)
    heads = child.emit("reshape", column_wire, shape=(lower + 1,))
    chosen = child.emit("argmax", _magnitude(child, heads), axis=0)
    pivot, rest = _chosen(child, rows, chosen)
    pivot_right, rest_right = _chosen(child, right, chosen)
    head = child.emit("reshape", _first(child, pivot), shape=())
    heads = child.emit(
        "reshape", child.emit("slice", rest, axis=1, start=0, stop=1, stride=1), shape=(lower,)
    )
    head = child.emit("broadcast", head, shape=(lower,), axes=())
    factors = child.emit("divide", heads, head)
    rest = child.emit("subtract", rest, _outer(child, factors, pivot))
    rest_right = child.emit("subtract", rest_right, _outer(child, factors, pivot_right))
    rest = child.emit("slice", rest, axis=1, start=1, stop=width, stride=1)
    rest = child.emit("pad", rest, axis=1, low=0, high=1, interior=0)
    body = child.finish([rest, rest_right, pivot, pivot_right])
    made = builder.add(Loop(body, 0, 2, size), [*initial, *later])
    assert made[2].type == ArrayType(kind, (size, width))
    assert made[3].type == ArrayType(kind, (size, count))
    return made[2], made[3]


def _back(builder: Builder, rows: Wire, right: Wire) -> Wire:
    """Back substitution: from the last row to the first."""
    size, width = rows.type.shape
    count = right.type.shape[1]
    child = Builder(builder.primitives)
    after = child.input(ArrayType(rows.type.kind, (width - 1, count)))
    row, own = child.input(rows.type.element()), child.input(right.type.element())
    known = child.emit("slice", row, axis=0, start=1, stop=width, stride=1)
    known = child.emit("contract", known, after, left=(0,), right=(0, 1), out=(1,))
    head = child.emit("reshape", _first(child, row), shape=())
    head = child.emit("broadcast", head, shape=(count,), axes=())
    answer = child.emit("divide", child.emit("subtract", own, known), head)
    line = child.emit("reshape", answer, shape=(1, count))
    state = child.emit("concat", line, after, axis=0)
    state = child.emit("slice", state, axis=0, start=0, stop=width - 1, stride=1)
    body = child.finish([state, answer])
    nothing = builder.zeros(after.type)
    return builder.add(Loop(body, 0, 1, size, reverse=True), [nothing, rows, right])[1]


def substitute(builder: Builder, matrix: Wire, image: Wire, lower: bool) -> Wire:
    """The columns u with A u = image, for a triangular matrix A."""
    size, count = image.type.shape
    child = Builder(builder.primitives)
    numbers = child.input(ArrayType("Int", (size,)))
    known = child.input(image.type)
    row, own = child.input(matrix.type.element()), child.input(image.type.element())
    number = child.input(ArrayType("Int"))
    sums = child.emit("contract", row, known, left=(0,), right=(0, 1), out=(1,))
    head = child.emit("gather", row, number, axis=0)
    head = child.emit("broadcast", head, shape=(count,), axes=())
    answer = child.emit("divide", child.emit("subtract", own, sums), head)
    here = child.emit("broadcast", number, shape=(size,), axes=())
    here = child.emit("compare", numbers, here, how="eq")
    here = child.emit("broadcast", here, shape=(size, count), axes=(0,))
    spread = child.emit("broadcast", answer, shape=(size, count), axes=(1,))
    body = child.finish([child.emit("select", here, spread, known)])
    index = builder.emit("iota", size=size)
    initial = builder.zeros(image.type)
    operation = Loop(body, 1, 1, size, reverse=not lower)
    return builder.add(operation, [index, initial, matrix, image, index])[0]


# --- rows ------------------------------------------------------------------------------------


def _first_rows(builder: Builder, wire: Wire, count: int) -> Wire:
    size = wire.type.shape[0]
    rows = builder.emit("slice", wire, axis=0, start=0, stop=min(count, size), stride=1)
    return builder.emit("pad", rows, axis=0, low=0, high=max(count - size, 0), interior=0)


def _later_rows(builder: Builder, wire: Wire, count: int) -> Wire:
    """The rows after the first ones, and rows of zeros: as many as there are."""
    size = wire.type.shape[0]
    start = min(count, size)
    rows = builder.emit("slice", wire, axis=0, start=start, stop=size, stride=1)
    return builder.emit("pad", rows, axis=0, low=0, high=start, interior=0)


def _with_row(builder: Builder, rows: Wire, row: Wire) -> Wire:
    line = builder.emit("reshape", row, shape=(1, *row.type.shape))
    return builder.emit("concat", rows, line, axis=0)


def _chosen(builder: Builder, rows: Wire, chosen: Wire) -> tuple[Wire, Wire]:
    """The row chosen; the others, the first one in its place."""
    count, width = rows.type.shape
    row = builder.emit("gather", rows, chosen, axis=0)
    top = builder.emit("slice", rows, axis=0, start=0, stop=1, stride=1)
    top = builder.emit("reshape", top, shape=(width,))
    rest = builder.emit("slice", rows, axis=0, start=1, stop=count, stride=1)
    shape = count - 1, width
    number = builder.constant(numpy.arange(1, count), "Int")
    same = builder.emit("compare", number, builder.emit(
        "broadcast", chosen, shape=(count - 1,), axes=()), how="eq")  # fmt: skip
    same = builder.emit("broadcast", same, shape=shape, axes=(0,))
    top = builder.emit("broadcast", top, shape=shape, axes=(1,))
    return row, builder.emit("select", same, top, rest)


def _first(builder: Builder, row: Wire) -> Wire:
    return builder.emit("slice", row, axis=0, start=0, stop=1, stride=1)


def _outer(builder: Builder, left: Wire, right: Wire) -> Wire:
    return builder.emit("contract", left, right, left=(0,), right=(1,), out=(0, 1))


def _magnitude(builder: Builder, wire: Wire) -> Wire:
    """What grows with |x|, to compare by."""
    square = builder.emit("mul", wire, builder.emit("conj", wire))
    return builder.emit("convert", square, kind="R") if wire.type.kind == "C" else square
