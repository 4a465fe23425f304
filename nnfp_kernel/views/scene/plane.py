"""What is carried along with the data: a grid over the input, and the decision boundary.

Both are points of the input; they go through the stages as data do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

Array = Any
FINE = 141  # samples along an axis in which the boundary is looked for
MARGIN = 0.08


def box(points: Array) -> tuple[Array, Array]:
    """The corners of the box that holds all points, and a little more: the same margin on
    all sides, so that a point set that is flat has a grid too."""
    low, high = points.min(0), points.max(0)
    reach = float((high - low).max()) or 1.0
    return low - MARGIN * reach, high + MARGIN * reach


def grid_lines(points: Array, lines: int, samples: int) -> list[Array]:
    """The lines of a square grid over points [N, d], d = 1 or 2: each [samples, d].

    >>> import numpy
    >>> [line.shape for line in grid_lines(numpy.eye(2), 3, 5)]
    [(5, 2), (5, 2), (5, 2), (5, 2), (5, 2), (5, 2)]

    The cells are squares: `lines` go across the longer side.
    """
    low, high = box(points)
    if len(low) == 1:
        return [numpy.linspace(low, high, samples)]
    step = float((high - low).max()) / (lines - 1)
    counts = [max(round(float(side) / step), 1) + 1 for side in high - low]
    made = []
    for axis in (0, 1):
        for level in numpy.linspace(low[axis], high[axis], counts[axis]):
            line = numpy.empty((samples, 2))
            line[:, axis] = level
            line[:, 1 - axis] = numpy.linspace(low[1 - axis], high[1 - axis], samples)
            made.append(line)
    return made


def margins(outputs: Array, level: float) -> list[Array]:
    """Functions that are zero where the answer changes, from outputs [N, k]: one output is
    compared with `level`; of several, each with the largest other one."""
    count = outputs.shape[1]
    if count == 1:
        return [outputs[:, 0] - level]
    if count == 2:
        return [outputs[:, 0] - outputs[:, 1]]
    rest = [numpy.delete(outputs, k, axis=1).max(1) for k in range(count)]
    return [outputs[:, k] - rest[k] for k in range(count)]


def boundary(
    points: Array, answer: Callable[[Array], Array], level: float, fine: int = FINE
) -> Array:
    """Where the answer changes, over a plane of points [N, 2]: segments [B, 2, 2].

    >>> import numpy
    >>> ends = boundary(numpy.array([[-1.0, -1.0], [1.0, 1.0]]), lambda x: x[:, :1], 0.25)
    >>> bool(numpy.allclose(ends[..., 0], 0.25))
    True

    A grid of triangles, `fine` samples along an axis, on each of which the margin is taken to
    be linear.
    """
    mesh = mesh_over(points, fine)
    return zeros(mesh, answer(mesh.reshape(-1, 2)), level)


def mesh_over(points: Array, fine: int) -> Array:
    """[fine, fine, 2], over the box of points."""
    low, high = box(points)
    mesh = numpy.empty((fine, fine, 2))
    xs, ys = (numpy.linspace(low[k], high[k], fine) for k in (0, 1))
    mesh[..., 0], mesh[..., 1] = xs[:, None], ys
    return mesh


def zeros(mesh: Array, outputs: Array, level: float) -> Array:
    """Segments where the answer changes, from the outputs [fine * fine, k] at a mesh."""
    found = [numpy.zeros((0, 2, 2))]
    for margin in margins(outputs, level):
        found.append(_segments(mesh, margin.reshape(mesh.shape[:2])))
    return numpy.concatenate(found)


def _segments(mesh: Array, margin: Array) -> Array:
    """The zeros of a function that is linear on the two triangles of each square."""
    squares = [(slice(None, -1), slice(None, -1)), (slice(1, None), slice(None, -1))]
    squares += [(slice(1, None), slice(1, None)), (slice(None, -1), slice(1, None))]
    over = margin > 0
    made = []
    for corners in ((0, 1, 2), (0, 2, 3)):
        count = sum(over[squares[k]].astype(numpy.int8) for k in corners)
        crossing = (count > 0) & (count < 3)
        places = numpy.stack([mesh[squares[k]][crossing] for k in corners], axis=1)
        values = numpy.stack([margin[squares[k]][crossing] for k in corners], axis=1)
        above = values > 0
        # The corner that is alone on its side: the zeros are on its two edges.
        alone = numpy.where(above.sum(1) == 1, above.argmax(1), (~above).argmax(1))
        rows = numpy.arange(len(places))
        ends = []
        for turn in (1, 2):
            other = (alone + turn) % 3
            first, last = values[rows, alone], values[rows, other]
            share = (first / (first - last))[:, None]
            ends.append((1 - share) * places[rows, alone] + share * places[rows, other])
        made.append(numpy.stack(ends, axis=1))
    return numpy.concatenate(made)
