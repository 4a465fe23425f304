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
from ..linear import maps
from ..linear.differentiate import linearize

MOST_ROWS = 64  # of a matrix that is written row by row


def lines(
    context: Context, function: Callable[[Value], Value], domain: t.Type, codomain: t.Type
) -> Wire:
    """What a linear function makes of the unit vectors, each a row."""
    builder, layout = context.builder, context.layout(domain)
    rows = []
    for unit in numpy.eye(sum(array.size for array in layout)):
        ends = numpy.cumsum([array.size for array in layout])[:-1]
        parts = zip(numpy.split(unit, ends), layout, strict=True)
        given = [builder.constant(part.reshape(array.shape)) for part, array in parts]
        found = context.flatten(function(context.rebuild(domain, given)), codomain)
        flat = [builder.emit("reshape", wire, shape=(1, wire.type.size)) for wire in found]
        rows.append(flat[0] if len(flat) == 1 else builder.emit("concat", *flat, axis=1))
    return rows[0] if len(rows) == 1 else builder.emit("concat", *rows, axis=0)


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
