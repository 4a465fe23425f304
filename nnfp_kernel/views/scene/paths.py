"""Homotopies: how points move while one stage is done, t from 0 to 1.

    Affine     A(t) x + t b, A(t) = Q^t ((1 − t) I + t P), where W = Q P is the polar decomposition
    Straight   (1 − t) x + t y: a pointwise function, a residual, and whatever has no better path
    Blocks     parallel parts, each on its own path
    Positions  the states of a fold, one after the other

A path has a `dimension`: that of the space in which points move. It is larger than those
of the two ends where a map changes the dimension, or mirrors: then an axis turns through
one more dimension. `start` and `end` say which coordinates are those of the ends; the
others are zero there.

A straight line from the identity to a random W passes a singular matrix more often than
not, and everything would collapse on its way. (1 − t) I + t P is positive definite for
t < 1 whatever W is, and Q^t is a rotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy

Array = Any


class Path(Protocol):
    """`at(t, before, after)`: where points [N, n] that go to [N, m] are at t, [N, dimension]."""

    @property
    def dimension(self) -> int: ...

    @property
    def start(self) -> tuple[int, ...]: ...

    @property
    def end(self) -> tuple[int, ...]: ...

    def at(self, t: float, before: Array, after: Array) -> Array: ...


def placed(points: Array, places: Sequence[int], dimension: int) -> Array:
    """Points in a larger space, zero in its other coordinates."""
    whole = numpy.zeros((len(points), dimension), points.dtype)
    whole[:, list(places)] = points
    return whole


@dataclass(frozen=True, eq=False)
class Straight:
    """(1 − t) x + t y. Where φ is monotone, x ↦ (1 − t) x + t φ(x) is injective for t < 1.

    >>> import numpy
    >>> Straight(1, 1).at(0.5, numpy.array([[-2.0]]), numpy.array([[0.0]])).tolist()
    [[-1.0]]
    """

    before: int
    after: int

    @property
    def dimension(self) -> int:
        return max(self.before, self.after)

    @property
    def start(self) -> tuple[int, ...]:
        return tuple(range(self.before))

    @property
    def end(self) -> tuple[int, ...]:
        return tuple(range(self.after))

    def at(self, t: float, before: Array, after: Array) -> Array:
        first = placed(before, self.start, self.dimension)
        return (1 - t) * first + t * placed(after, self.end, self.dimension)


@dataclass(frozen=True, eq=False)
class Affine:
    """From x to W x + b by turning, stretching and shifting.

    >>> import numpy
    >>> quarter = Affine(numpy.array([[0.0, -1.0], [1.0, 0.0]]), numpy.zeros(2))
    >>> quarter.linear(0.5).round(3).tolist()  # an eighth of a turn
    [[0.707, -0.707], [0.707, 0.707]]

    W : [m, n], b : [m]. Where W is no square, it is filled up with zeros, and what it leaves
    open of the rotation is chosen so that it turns least. Of the square W whose Q mirrors,
    the mirrored axis turns through one more dimension.
    """

    matrix: Array
    shift: Array

    @property
    def start(self) -> tuple[int, ...]:
        return tuple(range(self.matrix.shape[1]))

    @property
    def end(self) -> tuple[int, ...]:
        return tuple(range(self.matrix.shape[0]))

    @cached_property
    def dimension(self) -> int:
        return len(self.polar[0])

    @cached_property
    def polar(self) -> tuple[Array, Array]:
        """(Q, P), W = Q P in the space of the path: Q turns, P stretches, det Q = 1."""
        m, n = self.matrix.shape
        size = max(m, n, 1)
        whole = numpy.zeros((size, size))
        whole[:m, :n] = self.matrix
        left, values, right = numpy.linalg.svd(whole)
        right = right.T
        # Directions that are lost have no image of their own: they turn as little as can be.
        kept = int((values > values[0] * size * 1e-12).sum()) if values[0] > 0 else 0
        if kept < size:
            u, _, v = numpy.linalg.svd(left[:, kept:].T @ right[:, kept:])
            left[:, kept:] = left[:, kept:] @ u
            right[:, kept:] = right[:, kept:] @ v.T
        if numpy.linalg.det(left) * numpy.linalg.det(right) < 0:
            if kept < size:
                left[:, -1] *= -1
            else:
                left, right, values = _one_more(left), _one_more(right), numpy.append(values, 1)
                left[-1, -1] = -1
        return left @ right.T, (right * values) @ right.T

    @cached_property
    def turns(self) -> tuple[Array, list[tuple[int, int, float]]]:
        """Q as rotations of planes: an orthonormal basis, and (axis, axis, angle) in it."""
        from scipy.linalg import schur

        blocks, basis = schur(self.polar[0], output="real")
        turns, mirrored, k = [], [], 0
        while k < len(blocks):
            if k + 1 < len(blocks) and abs(blocks[k + 1, k]) > 1e-12:
                angle = float(numpy.arctan2(blocks[k + 1, k], blocks[k, k]))
                turns.append((k, k + 1, angle))
                k += 2
                continue
            if blocks[k, k] < 0:
                mirrored.append(k)
            k += 1
        # det Q = 1: axes that are turned round come in pairs, half a turn of a plane each.
        turns += [(i, j, numpy.pi) for i, j in zip(mirrored[::2], mirrored[1::2], strict=True)]
        return basis, turns

    def linear(self, t: float) -> Array:
        """A(t), a square matrix of the path's dimension."""
        stretch = (1 - t) * numpy.eye(self.dimension) + t * self.polar[1]
        basis, turns = self.turns
        turned = numpy.eye(self.dimension)
        for i, j, angle in turns:
            cosine, sine = numpy.cos(t * angle), numpy.sin(t * angle)
            turned[i, i] = turned[j, j] = cosine
            turned[i, j], turned[j, i] = -sine, sine
        made: Array = basis @ turned @ basis.T @ stretch
        return made

    def at(self, t: float, before: Array, after: Array) -> Array:
        first = placed(before, self.start, self.dimension)
        moved = first @ self.linear(t).T
        moved[:, list(self.end)] += t * self.shift
        return moved


def _one_more(matrix: Array) -> Array:
    """A square matrix with one more axis, which it leaves as it is."""
    size = len(matrix)
    whole = numpy.eye(size + 1)
    whole[:size, :size] = matrix
    return whole


@dataclass(frozen=True, eq=False)
class Blocks:
    """Parallel parts: coordinates in blocks, each of which goes through stages of its own.

    `parts` has for each block its stages, as (path, before, after) of all points; of a block
    in which nothing happens, the points that stay.
    """

    parts: tuple[tuple[tuple[Path, Array, Array], ...] | Array, ...] = field(repr=False)

    @cached_property
    def sizes(self) -> list[int]:
        return [
            max(path.dimension for path, _, _ in part) if isinstance(part, tuple) else part.shape[1]
            for part in self.parts
        ]

    @property
    def dimension(self) -> int:
        return sum(self.sizes)

    @property
    def start(self) -> tuple[int, ...]:
        return self._places(first=True)

    @property
    def end(self) -> tuple[int, ...]:
        return self._places(first=False)

    def _places(self, first: bool) -> tuple[int, ...]:
        found: list[int] = []
        offset = 0
        for part, size in zip(self.parts, self.sizes, strict=True):
            if isinstance(part, tuple):
                path = part[0 if first else -1][0]
                own = path.start if first else path.end
            else:
                own = tuple(range(size))
            found += [offset + place for place in own]
            offset += size
        return tuple(found)

    def at(self, t: float, before: Array, after: Array) -> Array:
        columns = []
        for part, size in zip(self.parts, self.sizes, strict=True):
            if isinstance(part, tuple):
                path, first, last, own = along(part, t)
                moved = moved_on(path, own, first, last)
            else:
                moved = part
            columns.append(placed(moved, range(moved.shape[1]), size))
        return numpy.concatenate(columns, axis=1)


def along(
    stages: Sequence[tuple[Path, Array, Array]], t: float
) -> tuple[Path, Array, Array, float]:
    """The stage in which one is at t of all of them, and where in it."""
    place = min(int(t * len(stages)), len(stages) - 1)
    path, before, after = stages[place]
    return path, before, after, t * len(stages) - place


def beside(parts: Sequence[tuple[tuple[Path, Array, Array], ...] | Array]) -> Path:
    """The path of blocks. Folds alone, over as many positions each, are one fold of all their
    states together."""
    folds = [path for part in parts if isinstance(part, tuple) for path, _, _ in part]
    states = [path.states for path in folds if isinstance(path, Positions)]
    if len(states) == len(folds) == len(parts) and len({len(own) for own in states}) == 1:
        return Positions(numpy.concatenate(states, axis=2))
    return Blocks(tuple(parts))


def begins(path: Path, before: Array) -> bool:
    """Whether a path begins where points [N, n] are: a fold, alone or in a block, begins with
    states of its own."""
    size: int = before.shape[1]
    return len(path.start) == size


def moved_on(path: Path, t: float, before: Array, after: Array) -> Array:
    """Where points are at t; at 0 and 1 exactly what was computed for the ends."""
    if t <= 0 and begins(path, before):
        return placed(before, path.start, path.dimension)
    if t >= 1:
        return placed(after, path.end, path.dimension)
    return path.at(t, before, after)


@dataclass(frozen=True, eq=False)
class Positions:
    """A fold: t runs over the positions of the sequence, between two states straight on.
    At t = 0 there is the state that it begins with, the same for all points.

    `states` : [positions + 1, N, d].
    """

    states: Array = field(repr=False)

    @property
    def dimension(self) -> int:
        return int(self.states.shape[2])

    @property
    def start(self) -> tuple[int, ...]:
        return ()

    @property
    def end(self) -> tuple[int, ...]:
        return tuple(range(self.dimension))

    def at(self, t: float, before: Array, after: Array) -> Array:
        last = len(self.states) - 1
        place = min(int(t * last), max(last - 1, 0))
        rest = t * last - place
        after = self.states[min(place + 1, last)]
        return (1 - rest) * self.states[place] + rest * after
