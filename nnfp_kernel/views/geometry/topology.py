"""How many pieces, holes and voids a set of points has: persistent homology.

Balls grow around points; a hole is born where they close around it, and dies where they
fill it. Its bar reaches from one to the other. It is computed by `ripser`, an extra:
`pip install nnfp[topology]`. A Betti number is never shown without its bars.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy

Array = Any
LANDMARKS = 300  # of them ripser takes about a second
# Of samples of squares, discs and bells, holes that come of the sample alone are born before
# 2.5 covers and dead after 4.1; those of rings and spheres are born as early, and live on.
COVERS = 3.0
LASTING = 1.5  # a hole is counted that is still there at so many times the scale


class NoRipser(ImportError):
    """The package that computes the bars is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Betti numbers are computed by `ripser`, which is not installed here: "
            "pip install nnfp[topology]"
        )


@dataclass(frozen=True, eq=False)
class Barcode:
    """The bars of a set of points, by dimension: `bars[k]`, [B, 2], birth and death.

    `landmarks` of its `count` points were taken, no point is farther than `cover` from one.
    `scale` is where Betti numbers are counted: three times the cover.
    """

    bars: tuple[Array, ...] = field(repr=False)
    count: int
    landmarks: int
    cover: float
    scale: float

    @property
    def betti(self) -> tuple[int, ...]:
        """Pieces, holes, …: the bars that are there at the scale, and at 1.5 times it still,
        which is a persistent Betti number."""
        return tuple(
            int(((own[:, 0] <= self.scale) & (own[:, 1] > LASTING * self.scale)).sum())
            for own in self.bars
        )


def landmarks(points: Array, count: int) -> tuple[Array, float]:
    """The indices of `count` points that lie far apart, and the distance within which every
    point has one of them: each is the farthest from those before. From the first point on.

    >>> import numpy
    >>> chosen, cover = landmarks(numpy.array([[0.0], [0.1], [5.0], [9.0]]), 3)
    >>> chosen.tolist(), cover
    ([0, 3, 2], 0.1)
    """
    chosen = [0]
    away = numpy.linalg.norm(points - points[0], axis=1)
    while len(chosen) < min(count, len(points)) and away.max() > 0:
        chosen.append(int(away.argmax()))
        away = numpy.minimum(away, numpy.linalg.norm(points - points[chosen[-1]], axis=1))
    return numpy.array(chosen), float(away.max())


def barcode(points: Array, *, dimension: int = 1, most: int = LANDMARKS) -> Barcode:
    """The bars of points [N, d] up to holes of a dimension.

    Raises NoRipser where `ripser` is not installed.
    Source: Bauer 2021, Ripser; landmarks as de Silva and Carlsson 2004.
    """
    try:
        from ripser import ripser
    except ImportError:
        raise NoRipser from None
    points = numpy.asarray(points, float)
    chosen, cover = landmarks(points, most)
    taken = points[chosen]
    if cover == 0 and len(taken) > 1:  # all are taken: as far as neighbours are from each other
        from scipy.spatial import cKDTree

        cover = float(cKDTree(taken).query(taken, k=2)[0][:, 1].max())
    bars = ripser(taken, maxdim=dimension)["dgms"] if len(taken) > 1 else [[[0.0, numpy.inf]]]
    filled = [numpy.asarray(own, float).reshape(-1, 2) for own in bars]
    filled += [numpy.zeros((0, 2))] * (dimension + 1 - len(filled))
    return Barcode(tuple(filled), len(points), len(taken), cover, COVERS * cover)
