"""Every stage of a scene as a panel: data, grid, decision boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnfp_kernel.views.scene import Scene
from nnfp_kernel.views.scene.text import spread

from . import panels
from .panels import Scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any


def bend(scene: Scene, *, scale: Scale | None = None) -> Figure:
    """The data, the grid and the boundary after every stage of a scene, as small multiples.

    `scale` "one" draws all panels on one scale, "own" each on its own; without it one scale
    is taken where the largest panel is at most four times as wide as the smallest. Where
    panels have scales of their own, the width of each stands below it.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session()
    >>> _ = session.run("net : R[2] ~> R[2]\\nnet = dense[2] >> tanh")
    >>> made = bend(scene(session["net"], numpy.eye(2), colour=[0, 1]))
    >>> [axes.get_title() for axes in made.axes]
    ['x', 'dense[2]', 'tanh']
    """
    states = [panels.flat(scene.seen(k)) for k in range(len(scene.states))]

    def draw(axes: Any, k: int, scale: Scale, wide: float) -> None:
        panels.whole(axes, scene, states[k], k)
        told = f"spread {spread(scene, k):.2g}" + (f" · {wide:.3g} wide" if scale == "own" else "")
        marked = k > 0 and not scene.stages[k - 1].homotopy
        if marked and scene.stages[k - 1].kind != "fold":
            told = f"not a homotopy · {told}"
        panels.words(axes, scene.labels[k], (scene.types[k], True), (told, False))

    return panels.rows(states, scale, draw)
