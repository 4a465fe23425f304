"""What figures are put together of: panels in rows, and what is drawn in one.

A panel shows a state of a scene, in the plane of its first two axes: points, a grid,
strokes. Sizes are in inches, letters in points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy

from nnfp_kernel.language.palette import INK, INK2, INK3, LINE, PAPER, REPRESENTATIONS
from nnfp_kernel.views.scene import Scene
from nnfp_kernel.views.style import FIGURE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any
Scale = Literal["one", "own"]
WIDTH = 7.9  # 760 pixels
PANELS = 7  # in a row
LARGEST = 2.2
WORDS = 0.56  # above and below a panel
RATIO = 4.0  # between extents that can still be drawn on one scale
MANY = 2_000  # points, from which on they are pixels in a file of strokes
MARKERS = "Do^svP*X"  # with the colours, so that neither is the only cue
CODE = ["DejaVu Sans Mono", "monospace"]
SETTINGS = {**FIGURE, "svg.fonttype": "none", "svg.hashsalt": "nnfp"}


def settings() -> Any:
    """The house style for matplotlib, as a context."""
    import matplotlib

    return matplotlib.rc_context(SETTINGS)


def flat(seen: Array) -> Array:
    """Points in the plane of the picture; on a line they are spread across it evenly, so that
    many in one place are seen to be many."""
    if seen.shape[1] >= 2:
        return seen[:, :2]
    across = (numpy.arange(len(seen)) * 0.6180339887) % 1 - 0.5
    reach = float(numpy.ptp(seen)) if len(seen) else 1.0
    return numpy.stack([seen[:, 0], 0.25 * reach * across], axis=1)


def extent(state: Array) -> float:
    return max(float((state.max(0) - state.min(0)).max()), 1e-9)


def scaled(states: Sequence[Array], scale: Scale | None) -> tuple[Scale, list[float]]:
    """Whether all panels have one scale, and how wide each is then."""
    wide = [extent(state) for state in states]
    if scale is None:
        scale = "one" if max(wide) <= RATIO * min(wide) else "own"
    return scale, [max(wide)] * len(wide) if scale == "one" else wide


def focus(axes: Any, state: Array, wide: float) -> None:
    """The panel shows so much around the middle of a state."""
    centre = (state.min(0) + state.max(0)) / 2
    half = wide * 0.53
    axes.set_xlim(centre[0] - half, centre[0] + half)
    axes.set_ylim(centre[1] - half, centre[1] + half)


def even(count: int, most: int) -> int:
    """How many go into a row, `most` at most, so that rows are as full as each other.

    >>> even(10, 7), even(7, 7), even(11, 7)
    (5, 7, 6)
    """
    return -(-count // -(-count // most))


def rows(
    states: Sequence[Array], scale: Scale | None, draw: Callable[[Any, int, Scale, float], None],
    foot: float = 0.0,
) -> Figure:  # fmt: skip
    """A panel for each state, [M, 2], in rows with marks between them. `draw(axes, k, scale,
    extent)` fills the k-th; below all there is room for a `foot`."""
    from .drawing import Drawing

    scale, wide = scaled(states, scale)
    columns = even(len(states), PANELS)
    lines = -(-len(states) // columns)
    cell = min(WIDTH / columns, LARGEST)
    high = lines * (cell + WORDS) + foot
    with settings():
        made = Drawing(figsize=(cell * columns, high), facecolor=PAPER)
        for k, state in enumerate(states):
            row, column = divmod(k, columns)
            bottom = high - (row + 1) * (cell + WORDS) + 0.28
            inset = 0.07 / columns
            axes = made.add_axes(
                (column / columns + inset, (bottom + 0.04) / high,
                 1 / columns - 2 * inset, (cell - 0.08) / high)
            )  # fmt: skip
            axes.set_aspect("equal")
            axes.axis("off")
            draw(axes, k, scale, extent(state))
            focus(axes, state, wide[k])
            if column < columns - 1 and k < len(states) - 1:
                x, y = (column + 1) / columns, (bottom + cell / 2) / high
                made.text(x, y, "▸", size=6, color=INK3, ha="center", va="center")
    return made


def words(axes: Any, title: str, *below: tuple[str, bool]) -> None:
    """The title above a panel, and lines below it: text, and whether it is code."""
    size = min(8.0, 8.0 * 15 / max(len(title), 1))
    axes.set_title(
        title, loc="center", size=max(size, 4.5), family=CODE, color=INK, pad=3, parse_math=False
    )
    for k, (text, is_code) in enumerate(below):
        style = {"family": CODE} if is_code else {}
        axes.annotate(
            text, (0.5, 0), (0, -2 - 10 * k), xycoords="axes fraction",
            textcoords="offset points", ha="center", va="top", size=6.3, color=INK2,
            parse_math=False, **style,
        )  # fmt: skip


# --- what is drawn in a panel ------------------------------------------------------------------


def whole(axes: Any, scene: Scene, state: Array, k: int, largest: float = 3.2) -> None:
    """All there is of the k-th state: its grid or its line, the boundary, the data."""
    if is_line(scene, k):
        axis(axes, state)
    else:
        grid(axes, scene, state)
    boundary(axes, scene, state, k)
    points(axes, scene, state, largest)


def is_line(scene: Scene, k: int) -> bool:
    return bool(scene.states[k].shape[1] == 1)


def axis(axes: Any, state: Array) -> None:
    """The line on which a state of one number lies."""
    low, high = float(state[:, 0].min()), float(state[:, 0].max())
    axes.plot([low, high], [0, 0], color=LINE, linewidth=0.8, zorder=1)


def grid(axes: Any, scene: Scene, state: Array) -> None:
    if scene.lines:
        strokes(axes, scene.grid(state), color=INK3, linewidth=0.5, alpha=0.5, zorder=1)


def boundary(axes: Any, scene: Scene, state: Array, k: int) -> None:
    """Where the answer changes; where it is one place of a line, a tick."""
    ends, wide = scene.boundary(state), extent(state)
    if len(ends) and is_line(scene, k):
        places = ends[..., 0]
        if float(numpy.ptp(places)) < 0.03 * wide:
            ends = numpy.array([[[places.mean(), -0.16 * wide], [places.mean(), 0.16 * wide]]])
        else:
            ends = ends[:0]
    if len(ends):
        for width, colour, order in ((2.8, PAPER, 3), (1.1, INK, 3.1)):
            strokes(axes, ends, color=colour, linewidth=width, solid_capstyle="round", zorder=order)


def strokes(axes: Any, lines: Array, **how: Any) -> None:
    """Lines [L, samples, 2] as one stroke with gaps, which is small in a file."""
    gaps = numpy.full((len(lines), 1, 2), numpy.nan)
    x, y = numpy.concatenate([lines, gaps], axis=1).reshape(-1, 2).T
    axes.plot(x, y, clip_on=False, **how)


def points(axes: Any, scene: Scene, state: Array, largest: float = 3.2) -> None:
    """The data, coloured: classes by colour and shape, quantities by lightness."""
    own = scene.points(state)
    size = float(numpy.clip(46 / max(len(own), 1) ** 0.5, 1.1, largest))
    how: dict[str, Any] = {
        "linestyle": "none", "markersize": size, "markeredgecolor": PAPER, "zorder": 2,
        "markeredgewidth": 0.25 if size > 1.4 else 0, "clip_on": False,
        "rasterized": len(own) > MANY,
    }  # fmt: skip
    if scene.colour is None:
        axes.plot(*own.T, color=INK2, marker="o", **how)
    elif scene.classes:
        for k, value in enumerate(scene.classes):
            kind = own[scene.colour == value]
            marker, colour = MARKERS[k % len(MARKERS)], REPRESENTATIONS[k % len(REPRESENTATIONS)]
            axes.plot(*kind.T, color=colour, marker=marker, **how)
    else:
        axes.scatter(
            *own.T, c=scene.colour, cmap="cividis", marker="o", s=size**2, linewidths=0,
            zorder=2, clip_on=False, rasterized=len(own) > MANY,
        )  # fmt: skip
