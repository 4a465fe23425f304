"""Which stages look alike: linear CKA of each with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnfp_kernel.language.palette import INK, INK2, PAPER
from nnfp_kernel.views.geometry.strip import alignments
from nnfp_kernel.views.scene import Scene

from . import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any
CELL = 0.4
# Cells have their colours by night, too: so have the numbers in them, which are no tokens of the
# page, and are not taken for them (figures/svg.py).
ON_LIGHT, ON_DARK = "#1a1e23", "#fdfdfd"
MOST_WORDS = 14  # stages up to which numbers are written into the cells


def alignment(one: Scene, other: Scene | None = None) -> Figure:
    """The matrix of linear CKA between the stages of a scene, or of two over the same data.

    From 0, dark, to 1, light, whatever there is in between.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session()
    >>> _ = session.run("half : R[2] -> R[2]\\nhalf x = tanh x")
    >>> made = alignment(scene(session["half"], numpy.eye(2)))
    >>> [label.get_text() for label in made.axes[0].get_xticklabels()]
    ['x', 'tanh']
    """
    from .drawing import Drawing

    values = alignments(one, other)
    columns = one if other is None else other
    rows, across = values.shape
    left = 0.3 + 0.075 * max(map(len, one.labels))
    top = 0.3 + 0.075 * max(map(len, columns.labels))
    right, foot = 0.95, 0.12 if other is None else 0.35
    width, high = left + CELL * across + right, top + CELL * rows + foot
    with panels.settings():
        made = Drawing(figsize=(width, high), facecolor=PAPER)
        axes = made.add_axes((left / width, foot / high, CELL * across / width, CELL * rows / high))
        drawn = axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.xaxis.tick_top()
        axes.tick_params(length=0, pad=4)
        how: dict[str, Any] = {"family": panels.CODE, "size": 7, "color": INK, "parse_math": False}
        axes.set_xticks(range(across), columns.labels, rotation=90, **how)
        axes.set_yticks(range(rows), one.labels, **how)
        for edge in range(1, max(rows, across)):  # paper between the cells
            axes.axhline(edge - 0.5, color=PAPER, linewidth=1)
            axes.axvline(edge - 0.5, color=PAPER, linewidth=1)
        if max(rows, across) <= MOST_WORDS:
            for i, row in enumerate(values):
                for j, value in enumerate(row):
                    light = value > 0.6
                    axes.text(
                        j, i, f"{value:.2f}", ha="center", va="center", size=6,
                        color=ON_LIGHT if light else ON_DARK,
                    )  # fmt: skip
        bar = made.add_axes(
            ((width - right + 0.22) / width, foot / high, 0.09 / width, CELL * rows / high)
        )
        scale = made.colorbar(drawn, cax=bar, ticks=[0, 0.5, 1])
        scale.outline.set_visible(False)
        bar.tick_params(length=0, labelsize=6.3, labelcolor=INK2)
        bar.set_title("CKA", size=6.3, color=INK2, loc="left", pad=4)
        if other is not None:
            axes.set_xlabel(f"rows: {one.name} · columns: {columns.name}", size=6.3, labelpad=5)
    return made
