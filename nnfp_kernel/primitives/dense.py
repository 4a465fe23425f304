"""A linear map of which only what it makes of a vector is known, as its matrix.

    L  =  A @ ·        the rows of A are what L† makes of the unit vectors

Between arrays, which are laid end to end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.packed import end_to_end, parted
from ..graph.values import Value
from ..language import types as t
from ..language.sizes import constant
from ..linear import maps
from ..linear.differentiate import linearize

MOST_ROWS = 16  # of a matrix that is written row by row


def lines(
    context: Context, function: Callable[[Value], Value], domain: t.Type, codomain: t.Type
) -> Wire:
    """What a linear function makes of the unit vectors, each a row: one by one, or where there
    are many by a map."""
    builder, layout = context.builder, context.layout(domain)
    count = sum(array.size for array in layout)

    def row(unit: Wire) -> Wire:
        given = parted(context.builder, unit, layout)
        found = context.flatten(function(context.rebuild(domain, given)), codomain)
        return end_to_end(context.builder, found)

    if count <= MOST_ROWS:
        rows = [row(builder.constant(unit)) for unit in numpy.eye(count)]
        return context.stacked(rows)

    places = builder.emit("iota", size=count)
    one, other = (
        builder.emit("broadcast", places, shape=(count, count), axes=(axis,)) for axis in (0, 1)
    )
    units = builder.emit("convert", builder.emit("compare", one, other, how="eq"), kind="R")
    unit_type = t.Array(t.R, constant(count))
    row_type = t.Array(t.R, constant(sum(array.size for array in context.layout(codomain))))
    made: Wire = context.map(count, units, unit_type, row, row_type)
    return made


def of_matrix(
    builder: Builder, matrix: Wire, domain: list[ArrayType], codomain: list[ArrayType]
) -> maps.LinearMap:
    """`A @ ·` between arrays laid end to end."""
    child = Builder(builder.primitives)
    own = child.input(matrix.type)
    given = [child.input(array) for array in domain]
    whole = end_to_end(child, given)
    image = child.emit("contract", own, whole, left=(0, 1), right=(1,), out=(0,))
    made = parted(child, image, codomain)
    zeros = [builder.zeros(array) for array in domain]
    active = [False, *(True for _ in domain)]
    return linearize(builder, child.finish(made), [matrix, *zeros], active)[1]
