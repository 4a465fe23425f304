"""A linear map at vectors whose entries stand in one axis, and at many of them at once.

Where a map is linear over R only and goes between complex spaces, it is seen as a real
one: the real parts of an array, then its imaginary parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy

from ...graph.graph import ArrayType, Builder, Map, Wire
from ..maps import LinearMap, NoAdjoint, Types, filled
from .pattern import Pattern


def flat(builder: Builder, wires: Sequence[Wire], kind: str = "R") -> Wire:
    """All entries in one axis."""
    flat: list[Wire] = []
    for wire in wires:
        line = builder.emit("reshape", wire, shape=(wire.type.size,))
        if wire.type.kind == kind:
            flat.append(line)
        else:
            flat += [real_part(builder, line), imaginary_part(builder, line)]
    if not flat:
        return builder.zeros(ArrayType(kind, (0,)))
    return flat[0] if len(flat) == 1 else builder.emit("concat", *flat, axis=0)


def parts(builder: Builder, flat: Wire, types: Types) -> tuple[Wire, ...]:
    """The arrays whose entries stand in one axis."""
    made, start = [], 0

    def cut(size: int) -> Wire:
        nonlocal start
        start += size
        return builder.emit("slice", flat, axis=0, start=start - size, stop=start, stride=1)

    for type in types:
        line = cut(type.size)
        if type.kind != flat.type.kind:
            line = _complex(builder, line, cut(type.size))
        made.append(builder.emit("reshape", line, shape=type.shape))
    return tuple(made)


def real_part(builder: Builder, wire: Wire) -> Wire:
    return builder.emit("convert", wire, kind="R")


def imaginary_part(builder: Builder, wire: Wire) -> Wire:
    return real_part(builder, builder.emit("mul", wire, _filled(builder, -1j, wire.type)))


def _complex(builder: Builder, real: Wire, imaginary: Wire) -> Wire:
    one, other = (builder.emit("convert", wire, kind="C") for wire in (real, imaginary))
    turned = builder.emit("mul", other, _filled(builder, 1j, other.type))
    return builder.emit("add", one, turned)


def _filled(builder: Builder, value: complex, type: ArrayType) -> Wire:
    number = builder.constant(value, type.kind)
    return builder.emit("broadcast", number, shape=type.shape, axes=()) if type.shape else number


def at(builder: Builder, map: LinearMap, vector: Wire) -> Wire:
    """The map at a vector."""
    tangents = parts(builder, vector, map.domain)
    return flat(builder, applied(builder, map, tangents), vector.type.kind)


def applied(builder: Builder, map: LinearMap, vectors: Sequence[Wire]) -> tuple[Wire, ...]:
    return filled(builder, map.apply(builder, vectors), map.codomain)


def at_each(builder: Builder, map: LinearMap, vectors: Wire) -> Wire:
    """The map at every row, one image in each row."""
    child = builder.child()
    vector = child.input(vectors.type.element())
    body = child.finish([at(child, map, vector)])
    captured = child.captured
    operation = Map(body, len(captured), vectors.type.shape[0])
    return builder.add(operation, [*captured, vectors])[0]


def unit_matrix(builder: Builder, size: int, kind: str = "R") -> Wire:
    """The identity matrix."""
    index = builder.emit("iota", size=size)
    rows = builder.emit("broadcast", index, shape=(size, size), axes=(0,))
    columns = builder.emit("broadcast", index, shape=(size, size), axes=(1,))
    return builder.emit("convert", builder.emit("compare", rows, columns, how="eq"), kind=kind)


def at_basis(builder: Builder, map: LinearMap, rows: int, columns: int, kind: str) -> Wire:
    """The matrix, by the map at a basis of its domain, or its adjoint at one of its
    codomain, whichever is smaller."""
    if rows < columns:
        with suppress(NoAdjoint):
            image = at_each(builder, map.adjoint(), unit_matrix(builder, rows, kind))
            return builder.emit("conj", image) if kind == "C" else image
    image = at_each(builder, map, unit_matrix(builder, columns, kind))
    return builder.emit("transpose", image, permutation=(1, 0))


def at_colours(builder: Builder, map: LinearMap, pattern: Pattern, kind: str) -> Wire:
    """The entries of a map with a known pattern, in its order: columns that share no row
    are probed together. Source: Curtis, Powell and Reid 1974."""
    colour = colours(pattern)
    number = int(colour.max(initial=-1)) + 1
    seeds = (colour == numpy.arange(number)[:, None]).astype(float)
    images = at_each(builder, map, builder.constant(seeds, kind))
    line = builder.emit("reshape", images, shape=(images.type.size,))
    places = colour[pattern.columns] * pattern.shape[0] + pattern.rows
    return builder.emit("gather", line, builder.constant(places, "Int"), axis=0)


def colours(pattern: Pattern) -> numpy.ndarray:
    """A colour for each column, different where two of them share a row: as many as a
    band is wide, else greedily, from the first column to the last."""
    size = pattern.shape[1]
    lower, upper = pattern.bandwidths
    if pattern.square and lower + upper + 1 < size // 4:
        return numpy.arange(size) % (lower + upper + 1)
    order = numpy.argsort(pattern.columns, kind="stable")
    cuts = numpy.searchsorted(pattern.columns[order], numpy.arange(1, size))
    taken: list[set[int]] = [set() for _ in range(pattern.shape[0])]
    colour = numpy.zeros(size, int)
    for column, rows in enumerate(numpy.split(pattern.rows[order], cuts)):
        near = set().union(*(taken[row] for row in rows))
        mine = next(k for k in range(len(near) + 1) if k not in near)
        colour[column] = mine
        for row in rows:
            taken[row].add(mine)
    return colour
