"""A layer in the hand: what its columns and singular vectors do to the points before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from nnfp_kernel.language.palette import INK, INK2, PAPER
from nnfp_kernel.views.scene import Scene
from nnfp_kernel.views.scene.handed import Held, layers

from . import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any
ARROWS = 6  # of a layer with more columns the longest are drawn


def hands(scene: Scene, layer: int = 0) -> Figure:
    """One layer W x + b of a scene, before, after and at the end: the unit vectors and the
    unit circle, and what W makes of them, its columns and the ellipse of its singular vectors.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session()
    >>> _ = session.run("net : R[2] ~> R[2]\\nnet = dense[2] >> tanh")
    >>> made = hands(scene(session["net"], numpy.eye(2), colour=[0, 1]))
    >>> [axes.get_title() for axes in made.axes]
    ['x', 'dense[2]', 'tanh']

    More than two dimensions are seen along the principal axes of the points. Raises
    ValueError for a layer that is not there.
    """
    known = layers(scene)
    if not 0 <= layer < len(known):
        raise ValueError(f"there is no layer {layer} to hold: there are {len(known)}")
    held, last = known[layer], len(scene.states) - 1
    frames = [_frame(scene, held.before), _frame(scene, held.after)]
    states = [panels.flat(held.before @ frames[0]), panels.flat(held.after @ frames[1])]
    lines = [held.before.shape[1] == 1, held.after.shape[1] == 1, panels.is_line(scene, last)]
    titles = [scene.labels[held.stage], held.label]
    if held.stage + 1 < last:
        states.append(panels.flat(scene.seen(last)))
        titles.append(scene.labels[last])

    def draw(axes: Any, k: int, scale: panels.Scale, wide: float) -> None:
        if lines[k]:
            panels.axis(axes, states[k])
        else:
            panels.grid(axes, scene, states[k])
        # Where a place of a line is the boundary there is a tick: the panel of a line is as that
        # of the answer, where it is one.
        if not lines[k] or k == len(states) - 1:
            panels.boundary(axes, scene, states[k], last)
        panels.points(axes, scene, states[k])
        told = ("unit vectors", _said(held), "the answer")[k]
        if k == 0:
            _arrows(axes, numpy.eye(len(frames[0])), numpy.zeros(len(frames[0])), frames[0])
        if k == 1:
            _arrows(axes, held.matrix, held.shift, frames[1])
        panels.words(axes, titles[k], (told, False))

    return panels.rows(states, "own", draw)


def _said(held: Held) -> str:
    values = numpy.linalg.svd(held.matrix, compute_uv=False)
    return "stretches by " + ", ".join(f"{value:.2g}" for value in values[:3])


def _frame(scene: Scene, points: Array) -> Array:
    """The axes along which points are seen: of more than two dimensions the principal ones."""
    own = scene.points(points)
    if own.shape[1] <= 2:
        return numpy.eye(own.shape[1])
    axes: Array = numpy.linalg.svd(own - own.mean(0), full_matrices=len(own) < 3)[2][:2].T
    return axes


def _arrows(axes: Any, matrix: Array, shift: Array, frame: Array) -> None:
    """The columns of a matrix from its shift, and the ellipse that the unit ball becomes."""

    def seen(rows: Array) -> Array:
        flat = rows @ frame
        return flat if flat.shape[1] == 2 else numpy.pad(flat, ((0, 0), (0, 1)))

    root = seen(shift[None])[0]
    shown = numpy.argsort(-numpy.linalg.norm(matrix, axis=0))[:ARROWS]
    # Of the ball what is seen is an ellipse: that of the seen rows of W.
    left, values, _ = numpy.linalg.svd(seen(matrix.T).T, full_matrices=False)
    turn = numpy.linspace(0, 2 * numpy.pi, 73)
    circle = numpy.stack([numpy.cos(turn), numpy.sin(turn)])[: len(values)]
    ellipse = root + ((left * values) @ circle).T
    axes.plot(*ellipse.T, color=INK2, linewidth=0.6, linestyle=(0, (4, 2)), zorder=3.2)
    for k in sorted(shown):
        tip = root + seen(matrix[:, k][None])[0]
        for width, colour, order in ((2.6, PAPER, 3.3), (1.0, INK, 3.4)):
            axes.annotate(
                "", tip, root, zorder=order, annotation_clip=False,
                arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": width,
                            "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
        away = tip - root
        far = away / max(float(numpy.hypot(*away)), 1e-9)
        axes.annotate(
            f"{k}", tip, 5 * far, textcoords="offset points", size=5.5, color=INK,
            ha="center", va="center", zorder=3.5,
        )  # fmt: skip
    axes.plot(*root, marker="o", markersize=2.4, color=INK, zorder=3.5)
