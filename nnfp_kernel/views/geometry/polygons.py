"""Convex polygons, many at once: cut by a line each.

A polygon's corners stand in order in an array [R, K, 2] with room for K; `counts` [R] says
how many there are, and the rest repeats the last one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy

Array = Any
NEAR = 1e-10  # of what the values reach: closer to a line than that is on it


@dataclass(frozen=True, eq=False)
class Polygons:
    """Convex polygons, and for each of them the `parent` it is part of.

    >>> import numpy
    >>> whole = Polygons.box(numpy.zeros(2), numpy.array([2.0, 1.0]))
    >>> halves = whole.split(whole.corners[:, :, 0] - 0.5)
    >>> halves.areas.tolist(), halves.parent.tolist()
    ([0.5, 1.5], [0, 0])
    """

    corners: Array = field(repr=False)
    counts: Array
    parent: Array

    @staticmethod
    def box(low: Array, high: Array) -> Polygons:
        (x0, y0), (x1, y1) = low, high
        corners = numpy.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], float)
        return Polygons(corners, numpy.array([4]), numpy.array([0]))

    def __len__(self) -> int:
        return len(self.corners)

    def part(self, which: Array) -> Polygons:
        return Polygons(self.corners[which], self.counts[which], self.parent[which])

    def begun(self) -> Polygons:
        """The same, each the parent of what it is cut into from now on."""
        return Polygons(self.corners, self.counts, numpy.arange(len(self)))

    @property
    def areas(self) -> Array:
        x, y = numpy.moveaxis(self.corners - self.corners[:, :1], 2, 0)
        crossed = x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]
        return 0.5 * crossed.sum(1)

    @property
    def centres(self) -> Array:
        """A point inside of each: its centre of mass, [R, 2]."""
        first = self.corners[:, :1]
        x, y = numpy.moveaxis(self.corners - first, 2, 0)
        crossed = x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]
        thirds = self.corners[:, :-1] + self.corners[:, 1:] - 2 * first
        whole = crossed.sum(1)[:, None]
        mean = self.corners.mean(1)  # of a sliver without area to be told
        with numpy.errstate(divide="ignore", invalid="ignore"):
            inner = first[:, 0] + (crossed[:, :, None] * thirds).sum(1) / (3 * whole)
        return numpy.where(whole > 1e-30, inner, mean)

    def sides(self, values: Array) -> tuple[Array, Array]:
        """Whether each polygon has points below and above 0 of an affine function, given at
        its corners: [R], [R]."""
        reach = abs(values).max(1, keepdims=True)
        clear = numpy.where(abs(values) <= NEAR * numpy.maximum(reach, 1.0), 0.0, values)
        return clear.min(1) < 0, clear.max(1) > 0

    def split(self, values: Array) -> Polygons:
        """All polygons, those that the zero of a function crosses as two: first what is below
        it. `values` [R, K] are the function's, affine on each polygon, at its corners."""
        below, above = self.sides(values)
        crossed = below & above
        if not crossed.any():
            return self
        own, there = self.part(crossed), values[crossed]
        return joined([self.part(~crossed), own.clipped(-there), own.clipped(there)])

    def clipped(self, values: Array) -> Polygons:
        """The parts where a function is not negative; each polygon has some. Sutherland and
        Hodgman 1974: its corners there, and where the edges cross."""
        room = self.corners.shape[1]
        places = numpy.arange(room)
        ahead = numpy.where(places + 1 < self.counts[:, None], places + 1, 0)
        rows = numpy.arange(len(self))[:, None]
        after, beyond = values[rows, ahead], self.corners[rows, ahead]
        is_corner = places < self.counts[:, None]
        with numpy.errstate(divide="ignore", invalid="ignore"):
            share = (values / (values - after))[..., None]
        crossing = self.corners + numpy.where(numpy.isfinite(share), share, 0) * (
            beyond - self.corners
        )
        candidates = numpy.stack([self.corners, crossing], axis=2).reshape(len(self), -1, 2)
        kept = numpy.stack(
            [is_corner & (values >= 0), is_corner & (values * after < 0)], axis=2
        ).reshape(len(self), -1)  # fmt: skip
        counts = kept.sum(1)
        order = numpy.argsort(~kept, axis=1, kind="stable")[:, : int(counts.max())]
        order = numpy.where(
            numpy.arange(order.shape[1]) < counts[:, None], order,
            numpy.take_along_axis(order, counts[:, None] - 1, axis=1),
        )  # fmt: skip
        return Polygons(candidates[rows, order], counts, self.parent)


def joined(parts: list[Polygons]) -> Polygons:
    """All polygons of all parts."""
    room = max(part.corners.shape[1] for part in parts)
    corners = []
    for part in parts:
        last = part.corners[:, -1:]
        filling = numpy.repeat(last, room - part.corners.shape[1], axis=1)
        corners.append(numpy.concatenate([part.corners, filling], axis=1))
    return Polygons(
        numpy.concatenate(corners),
        numpy.concatenate([part.counts for part in parts]),
        numpy.concatenate([part.parent for part in parts]),
    )
