"""Linear regions as corners that they share, with what they are coloured by.

A picture of thousands of regions has few corners if neighbours share theirs; a corner where the
function jumps is there once for each of its sides. What lies beside what is known by the edges.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy

from ..scene import Scene
from .metric import singular_values
from .regions import Regions

Array = Any
INWARD = 1e-6  # of the way to the centre: on a kink a corner has the side it is seen from
SAME = 1e-6  # of the largest entry: affine maps that are nearer than that are one
HUES = 6


@dataclass(frozen=True, eq=False)
class Mosaic:
    """`corners` [V, 2] of the plane, and of polygon r the corners `index`[starts[r]:starts[r+1]].

    Of every state: `maps` [S][R] numbers the affine maps, so that polygons with one map have one
    number; `stretch` [S][R, 2], by how much it stretches, most first. `hues` [S][R] and
    `map_hues` [S][R] are colours of regions and of maps, 0 … 5, others beside each other as far
    as six suffice. `answers` [R] is the colour of the answer and `sure` [R] how far it is ahead,
    0 … 1: of one number below and above the level, 0 and 1; of several the largest.
    """

    corners: Array = field(repr=False)
    starts: Array = field(repr=False)
    index: Array = field(repr=False)
    maps: tuple[Array, ...] = field(repr=False)
    stretch: tuple[Array, ...] = field(repr=False)
    hues: tuple[Array, ...] = field(repr=False)
    map_hues: tuple[Array, ...] = field(repr=False)
    answers: Array = field(repr=False)
    sure: Array = field(repr=False)


def mosaic(found: Regions, scene: Scene) -> Mosaic:
    """The regions as a mosaic.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.geometry.regions import regions
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("folded : R[2] -> R[2]\\nfolded x = abs x")
    >>> made = scene(session["folded"], numpy.array([[-1.0, -1.0], [1.0, 1.0]]))
    >>> four = mosaic(regions(made), made)
    >>> four.corners.shape, len(four.index), len(set(four.maps[-1].tolist()))
    ((9, 2), 16, 4)
    """
    counts = found.polygons.counts
    starts = numpy.concatenate([[0], numpy.cumsum(counts)])
    corners, index = _corners(found)
    maps = tuple(_maps(found, k) for k in range(len(found.values)))
    pairs = beside(index, starts)
    which, sure = answers(found, scene)
    return Mosaic(
        corners,
        starts,
        index,
        maps,
        tuple(_stretch(own) for own in found.slopes),
        tuple(_hues(own, pairs) for own in found.members),
        tuple(_hues(own, pairs) for own in maps),
        which,
        sure,
    )


def _corners(found: Regions) -> tuple[Array, Array]:
    """Corners [V, 2] without repetitions, and those of each polygon, one after the other."""
    polygons = found.polygons
    own = numpy.arange(polygons.corners.shape[1]) < polygons.counts[:, None]
    inside = polygons.corners + INWARD * (polygons.centres[:, None] - polygons.corners)
    columns = [polygons.corners[own], *(found.corners(k)[own] for k in range(len(found.values)))]
    keys = []
    for column in columns:
        reach = max(float(numpy.ptp(column, axis=0).max(initial=0.0)), 1e-12)
        keys.append(numpy.round(column / reach, 6))
    _, first, index = numpy.unique(
        numpy.concatenate(keys, axis=1), axis=0, return_index=True, return_inverse=True
    )
    return inside[own][first], index.reshape(-1)


def _maps(found: Regions, state: int) -> Array:
    """The number of each polygon's affine map, [R]."""
    slopes = found.slopes[state]
    shift = found.values[state] - (slopes @ found.polygons.centres[:, :, None])[..., 0]
    rows = numpy.concatenate([slopes.reshape(len(slopes), -1), shift], axis=1)
    reach = max(float(abs(rows).max(initial=0.0)), 1e-12)
    numbers = numpy.unique(numpy.round(rows / reach / SAME), axis=0, return_inverse=True)[1]
    return numpy.asarray(numbers).reshape(-1)


def beside(index: Array, starts: Array) -> Array:
    """Pairs of polygons with a common edge, [E, 2]."""
    owner = numpy.repeat(numpy.arange(len(starts) - 1), numpy.diff(starts))
    ahead = numpy.arange(len(index)) + 1
    ahead[starts[1:] - 1] = starts[:-1]
    edges = numpy.sort(numpy.stack([index, index[ahead]], axis=1), axis=1)
    order = numpy.lexsort((edges[:, 1], edges[:, 0]))
    edges, owner = edges[order], owner[order]
    same = (edges[1:] == edges[:-1]).all(1)
    return numpy.stack([owner[:-1][same], owner[1:][same]], axis=1)


def _hues(of: Array, pairs: Array) -> Array:
    """A colour for each number of `of` [R], another one than its neighbours', if six suffice."""
    pairs = of[pairs]
    pairs = numpy.unique(numpy.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    around: dict[int, list[int]] = {}
    for one, other in pairs.tolist():
        around.setdefault(one, []).append(other)
        around.setdefault(other, []).append(one)
    hues = numpy.zeros(int(of.max(initial=0)) + 1, numpy.uint8)
    done: set[int] = set()
    for k in sorted(around, key=lambda each: -len(around[each])):
        taken = {int(hues[other]) for other in around[k] if other in done}
        free = [hue for hue in range(HUES) if hue not in taken]
        hues[k] = free[k % len(free)] if free else k % HUES
        done.add(k)
    return hues[of]


def _stretch(slopes: Array) -> Array:
    found = singular_values(slopes)
    return numpy.pad(found, ((0, 0), (0, 2 - found.shape[1])))


def answers(found: Regions, scene: Scene) -> tuple[Array, Array]:
    """What is answered at the centre of each polygon, and how far that is ahead: [R], [R]."""
    values = found.values[-1]
    if values.shape[1] == 1:
        ahead = values[:, 0] - scene.level
        which = ahead > 0
    elif values.shape[1] <= HUES:
        ordered = numpy.sort(values, axis=1)
        ahead = ordered[:, -1] - ordered[:, -2]
        which = values.argmax(1)
    else:
        ahead = numpy.linalg.norm(values - values.mean(0), axis=1)
        which = numpy.zeros(len(values))
    # The farthest nine tenths of the area have the whole colour between them.
    size, weight = abs(ahead), numpy.maximum(found.polygons.areas, 0)
    order = numpy.argsort(size)
    share = numpy.cumsum(weight[order]) / max(float(weight.sum()), 1e-300)
    reach = size[order][min(int(numpy.searchsorted(share, 0.9)), len(order) - 1)]
    return which.astype(numpy.uint8), numpy.clip(size / max(float(reach), 1e-12), 0, 1)
