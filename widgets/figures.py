"""Figures for paper: the matplotlib twins of the widgets, one call each.

    bend(scene)     every stage of a scene beside the other

They are drawn in the house style on light paper, and saved by matplotlib's own `savefig`
as PDF, SVG or PNG.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Literal

import numpy

from nnfp_kernel.language.palette import (
    HAIR,
    INK,
    INK2,
    INK3,
    LINE,
    PAPER,
    REPRESENTATIONS,
)
from nnfp_kernel.views.scene import Scene
from nnfp_kernel.views.scene.text import spread
from nnfp_kernel.views.style import FIGURE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any
WIDTH = 7.9  # inches: 760 pixels
PANELS = 7  # in a row
RATIO = 4.0  # between extents that can still be drawn on one scale
MANY = 2_000  # points, from which on they are pixels in a file of strokes
MARKERS = "Do^svP*X"  # with the colours, so that neither is the only cue
FITTING = "max-width:100%;height:auto"
CODE = ["DejaVu Sans Mono", "monospace"]


def bend(scene: Scene, *, scale: Literal["one", "own"] | None = None) -> Figure:
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
    import matplotlib
    from matplotlib.figure import Figure

    states = [_flat(scene.seen(k)) for k in range(len(scene.states))]
    centres = [(state.min(0) + state.max(0)) / 2 for state in states]
    extents = [max(float((s.max(0) - s.min(0)).max()), 1e-9) for s in states]
    if scale is None:
        scale = "one" if max(extents) <= RATIO * min(extents) else "own"
    columns = min(len(states), PANELS)
    rows = -(-len(states) // columns)
    cell = min(WIDTH / columns, 2.2)
    with matplotlib.rc_context({**FIGURE, "svg.fonttype": "none", "svg.hashsalt": "nnfp"}):
        made = Figure(figsize=(cell * columns, rows * (cell + 0.56)), facecolor=PAPER)
        for k, state in enumerate(states):
            row, column = divmod(k, columns)
            height = 1 / (rows * (cell + 0.56))
            bottom = 1 - ((row + 1) * (cell + 0.56) - 0.28) * height
            inset = 0.07 / columns
            axes = made.add_axes(
                (column / columns + inset, bottom + 0.04 * height,
                 1 / columns - 2 * inset, (cell - 0.08) * height)
            )  # fmt: skip
            _panel(axes, scene, state, extents[k])
            half = (max(extents) if scale == "one" else extents[k]) * 0.53
            axes.set_xlim(centres[k][0] - half, centres[k][0] + half)
            axes.set_ylim(centres[k][1] - half, centres[k][1] + half)
            _words(axes, scene, k, f" · {extents[k]:.3g} wide" if scale == "own" else "")
            if column < columns - 1 and k < len(states) - 1:
                x = (column + 1) / columns
                middle = bottom + cell / 2 * height
                made.text(x, middle, "▸", size=6, color=INK3, ha="center", va="center")
    return made


def _flat(seen: Array) -> Array:
    """Points in the plane of the picture; on a line they are spread across it evenly, so that
    many in one place are seen to be many."""
    if seen.shape[1] >= 2:
        return seen[:, :2]
    across = (numpy.arange(len(seen)) * 0.6180339887) % 1 - 0.5
    reach = float(numpy.ptp(seen)) if len(seen) else 1.0
    return numpy.stack([seen[:, 0], 0.25 * reach * across], axis=1)


def _panel(axes: Any, scene: Scene, state: Array, extent: float) -> None:
    axes.set_aspect("equal")
    axes.axis("off")
    k = len(axes.figure.axes) - 1
    line = scene.states[k].shape[1] == 1
    if line:
        low, high = float(state[:, 0].min()), float(state[:, 0].max())
        axes.plot([low, high], [0, 0], color=LINE, linewidth=0.8, zorder=1)
    elif scene.lines:
        _strokes(axes, scene.grid(state), color=INK3, linewidth=0.5, alpha=0.5, zorder=1)
    ends = scene.boundary(state)
    if len(ends) and line:  # a tick, where it is one place
        places = ends[..., 0]
        if float(numpy.ptp(places)) < 0.03 * extent:
            ends = numpy.array([[[places.mean(), -0.16 * extent], [places.mean(), 0.16 * extent]]])
        else:
            ends = ends[:0]
    if len(ends):
        for width, colour, order in ((2.8, PAPER, 3), (1.1, INK, 3.1)):
            _strokes(
                axes, ends, color=colour, linewidth=width, solid_capstyle="round", zorder=order
            )
    _points(axes, scene, scene.points(state))


def _strokes(axes: Any, lines: Array, **how: Any) -> None:
    """Lines [L, samples, 2] as one stroke with gaps, which is small in a file."""
    gaps = numpy.full((len(lines), 1, 2), numpy.nan)
    x, y = numpy.concatenate([lines, gaps], axis=1).reshape(-1, 2).T
    axes.plot(x, y, clip_on=False, **how)


def _points(axes: Any, scene: Scene, points: Array) -> None:
    size = float(numpy.clip(46 / max(len(points), 1) ** 0.5, 1.1, 3.2))
    how: dict[str, Any] = {
        "linestyle": "none", "markersize": size, "markeredgecolor": PAPER, "zorder": 2,
        "markeredgewidth": 0.25 if size > 1.4 else 0, "clip_on": False,
        "rasterized": len(points) > MANY,
    }  # fmt: skip
    if scene.colour is None:
        axes.plot(*points.T, color=INK2, marker="o", **how)
    elif scene.classes:
        for k, value in enumerate(scene.classes):
            own = points[scene.colour == value]
            marker, colour = MARKERS[k % len(MARKERS)], REPRESENTATIONS[k % len(REPRESENTATIONS)]
            axes.plot(*own.T, color=colour, marker=marker, **how)
    else:
        axes.scatter(
            *points.T, c=scene.colour, cmap="cividis", marker="o", s=size**2, linewidths=0,
            zorder=2, clip_on=False, rasterized=len(points) > MANY,
        )  # fmt: skip


def _words(axes: Any, scene: Scene, k: int, wide: str) -> None:
    label = scene.labels[k]
    size = min(8.0, 8.0 * 15 / max(len(label), 1))
    axes.set_title(
        label, loc="center", size=max(size, 4.5), family=CODE, color=INK, pad=3, parse_math=False
    )
    told = f"spread {spread(scene, k):.2g}{wide}"
    marked = k > 0 and not scene.stages[k - 1].homotopy
    if marked and scene.stages[k - 1].kind != "fold":
        told = f"not a homotopy · {told}"
    for text, y, style in ((scene.types[k], -2, {"family": CODE}), (told, -12, {})):
        axes.annotate(
            text, (0.5, 0), (0, y), xycoords="axes fraction", textcoords="offset points",
            ha="center", va="top", size=6.3, color=INK2, parse_math=False, **style,
        )  # fmt: skip


# --- as SVG ------------------------------------------------------------------------------------


def to_svg(figure: Figure) -> str:
    """A figure as an SVG file; letters stay letters."""
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nnfp"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return _smaller(stream.getvalue())


def _smaller(svg: str) -> str:
    """The same picture: hundredths of a point are enough, and a style is said once for all
    the marks that follow each other."""

    def together(found: re.Match[str]) -> str:
        marks = re.sub(r' style="[^"]*"/>\s*', "/>", found[0])
        return f'<g style="{found[1]}">{marks}</g>\n'

    mark = r"<use [^>]*?"
    svg = re.sub(rf'{mark} style="([^"]*)"/>\s*(?:{mark} style="\1"/>\s*)*', together, svg)
    return re.sub(r"(\d\.\d\d)\d+", r"\1", svg)


def themed(svg: str) -> str:
    """An SVG for a place in a page: in the colours that the page has, light or dark.

    >>> themed('<svg id="a"><path style="fill: #ffffff"/></svg>').partition("<path ")[2]
    'style="fill: var(--nn-paper)"/></svg>'
    """
    colours = {PAPER: "paper", INK: "ink", INK2: "ink2", INK3: "ink3", LINE: "line", HAIR: "hair"}
    names = {colour: f"--nn-{name}" for colour, name in colours.items()}
    names |= {colour: f"--rep{k}" for k, colour in enumerate(REPRESENTATIONS, 1)}
    inner = svg[svg.index("<svg") :].replace("<svg ", f'<svg style="{FITTING}" ', 1)
    inner = re.sub(r"<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    for colour, name in names.items():
        inner = re.sub(f"{colour}\\b", f"var({name})", inner, flags=re.IGNORECASE)
    return inner


__all__ = ["bend", "themed", "to_svg"]
