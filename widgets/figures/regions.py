"""Where a network is linear: its regions in the input, and their images in every layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

from nnfp_kernel.language.palette import BLUE, INK2, INK3, REPRESENTATIONS, VERMILLION
from nnfp_kernel.views.geometry.mosaic import answers
from nnfp_kernel.views.geometry.regions import Regions
from nnfp_kernel.views.scene import Scene

from . import panels
from .panels import Scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any
DEEPEST = 0.55  # opacity
SEEN = 3_000  # polygons, from which on edges are left out


def regions(found: Regions, scene: Scene, *, scale: Scale | None = None) -> Figure:
    """The linear regions in the input, and where every layer has them.

    Each is tinted by the answer at its centre: of one number blue below the level and
    vermillion above it, deeper the farther; of several in the colour of the largest, deeper the
    farther ahead. The first panel is the plane that was cut; points are drawn where that is
    the whole input.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.geometry import regions as geometry
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session()
    >>> _ = session.run("fold : R[2] -> R[2]\\nfold x = relu x")
    >>> made = scene(session["fold"], numpy.array([[-1.0, -1.0], [1.0, 1.0]]))
    >>> figure = regions(geometry.regions(made), made)
    >>> [axes.texts[1].get_text() for axes in figure.axes]
    ['cut into 4', '4 regions']
    """
    corners = [found.corners(k) for k in range(len(found.values))]
    whole = scene.states[0].shape[1] == 2
    seen = [found.polygons.corners, *(_seen(scene, k, own) for k, own in enumerate(corners) if k)]
    states = [own.reshape(-1, 2) for own in seen]
    colours = _tints(found, scene)

    def draw(axes: Any, k: int, scale: Scale, wide: float) -> None:
        if k and panels.is_line(scene, k):
            panels.axis(axes, states[k])
        else:
            _polygons(axes, seen[k], found.polygons.counts, colours)
        if whole:
            own = panels.flat(scene.seen(k))
            panels.boundary(axes, scene, own, k)
            panels.points(axes, scene, own, 2.4)
        count = found.counts[k]
        told = (
            f"{count:,} region" + ("" if count == 1 else "s") if k else f"cut into {len(found):,}"
        )
        told += f" · {wide:.3g} wide" if scale == "own" else ""
        panels.words(axes, scene.labels[k], (scene.types[k], True), (told, False))

    return panels.rows(states, scale, draw)


def _seen(scene: Scene, k: int, corners: Array) -> Array:
    """Corners [R, K, d] in the picture's plane."""
    rows = panels.flat(corners.reshape(-1, corners.shape[2]) @ scene.frames[k])
    return rows.reshape(*corners.shape[:2], 2)


def _tints(found: Regions, scene: Scene) -> Array:
    """A colour for each region, [R, 4]."""
    from matplotlib.colors import to_rgb

    which, sure = answers(found, scene)
    size = found.values[-1].shape[1]
    ends: Sequence[str] = REPRESENTATIONS
    if size == 1 and len(scene.classes) != 2:
        ends = (BLUE, VERMILLION)
    elif size > len(REPRESENTATIONS):
        ends = (INK2,)
    colours = numpy.zeros((len(which), 4))
    colours[:, :3] = numpy.array([to_rgb(colour) for colour in ends])[which]
    colours[:, 3] = 0.06 + DEEPEST * sure
    return colours


def _polygons(axes: Any, corners: Array, counts: Array, colours: Array) -> None:
    from matplotlib.collections import PolyCollection

    drawn = [own[:count] for own, count in zip(corners, counts, strict=True)]
    many = len(drawn) > SEEN
    axes.add_collection(
        PolyCollection(
            drawn, facecolors=colours, edgecolors="none" if many else INK3,
            linewidths=float(numpy.clip(8 / len(drawn) ** 0.5, 0.12, 0.5)), zorder=1,
            clip_on=False, rasterized=len(drawn) > 150,
        )
    )  # fmt: skip
