"""A picture with matplotlib: the same places and colours as in SVG, on light paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...language.palette import INK, INK2, INK3, PAPER, REPRESENTATIONS
from ..style import FIGURE
from .picture import HEIGHTS, Box, Dot, Path, Picture, Point, Text, crossings, wires
from .svg import BEHIND, PLAIN, RADIUS, arrowhead, toward

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PIXEL = 1 / 96  # inches
POINT = 0.75  # of a pixel: line widths and letters are measured in points


def figure(picture: Picture) -> Figure:
    """The picture as a matplotlib figure, as large as the SVG: 96 pixels to the inch.

    >>> made = figure(Picture(200, 100, (Box("box", 10, 10, 50, 34),)))
    >>> made.get_size_inches().round(2).tolist()
    [2.08, 1.04]
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(FIGURE):
        made = Figure(figsize=(picture.width * PIXEL, picture.height * PIXEL), facecolor=PAPER)
        axes = made.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, picture.width)
        axes.set_ylim(picture.height, 0)
        axes.axis("off")
        for box in picture.boxes:
            if box.style in BEHIND:
                _box(axes, box)
        _wires(axes, wires(picture))
        for path in picture.paths:
            if path.style != "wire":
                _stroke(axes, path.points, INK3, 1.3, linestyle=(0, (1.2, 2.4)), zorder=3)
        for box in picture.boxes:
            if box.style not in BEHIND:
                _box(axes, box)
        for dot in picture.dots:
            _dot(axes, dot)
        for text in picture.texts:
            _text(axes, text)
    return made


def colour_of(number: int | None) -> str:
    return PLAIN if number is None else REPRESENTATIONS[number % len(REPRESENTATIONS)]


def _wires(axes: Any, paths: list[Path]) -> None:
    gaps: dict[int, list[tuple[Point, bool]]] = {}
    for path, point, level in crossings(paths):
        gaps.setdefault(id(path), []).append((point, level))
    order, wire = 1.0, None
    for path in paths:
        order += 0.002 if path.wire is not wire else 0
        wire = path.wire
        for (x, y), level in gaps.get(id(path), ()):
            dx, dy = (5, 0) if level else (0, 5)
            _stroke(axes, ((x - dx, y - dy), (x + dx, y + dy)), PAPER, 7, zorder=order)
        colour = colour_of(path.colour)
        dashed = path.colour is not None and path.colour >= len(REPRESENTATIONS)
        line: Any = (0, (3, 1.5)) if dashed else "solid"
        width = 4.6 if path.double else 2
        _stroke(axes, path.points, colour, width, linestyle=line, zorder=order + 0.0005)
        if path.double:
            _stroke(axes, path.points, PAPER, 1.4, zorder=order + 0.001)
        for arrow in path.arrows:
            from matplotlib.patches import Polygon

            corners = arrowhead(path, *arrow)
            axes.add_patch(Polygon(corners, closed=True, color=colour, linewidth=0, zorder=2.1))


def _stroke(axes: Any, points: tuple[Point, ...], colour: str, width: float, **more: Any) -> None:
    """A stroke with round corners."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    places, codes = [points[0]], [Outline.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(RADIUS, _length(before, corner) / 2, _length(corner, after) / 2)
        places += [toward(corner, before, radius), corner, toward(corner, after, radius)]
        codes += [Outline.LINETO, Outline.CURVE3, Outline.CURVE3]
    outline = Outline([*places, points[-1]], [*codes, Outline.LINETO])
    axes.add_patch(
        PathPatch(outline, fill=False, edgecolor=colour, linewidth=width * POINT, **more)
    )


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _box(axes: Any, box: Box) -> None:
    from matplotlib.patches import Ellipse, FancyBboxPatch, Wedge

    width, line, edge, face, order = 1.2, "solid", INK, PAPER, 4.0
    radius = 4.0
    match box.style:
        case "enter" | "leave":
            left = box.style == "leave"
            x = box.right if left else box.x
            turn = (90, 270) if left else (-90, 90)
            middle = box.y + box.height / 2
            disc = Wedge((x, middle), box.width, *turn, color=colour_of(box.colour), zorder=4)
            axes.add_patch(disc)
            return
        case "circle" if box.width == box.height:
            centre = box.x + box.width / 2, box.y + box.height / 2
            axes.add_patch(
                Ellipse(centre, box.width, box.height, facecolor=PAPER, edgecolor=INK,
                        linewidth=1.2 * POINT, zorder=4)
            )  # fmt: skip
            return
        case "band":
            edge, face, radius, order, width = "none", colour_of(box.colour), 9, 0.5, 0
        case "group":
            edge, face, radius, order, width = "none", INK, 9, 0.5, 0
        case "circle" | "source":
            radius = min(box.width, box.height) / 2
        case "zero":
            edge, width, radius = colour_of(box.colour), 2, 8
        case "parameter":
            line = "dashed"
        case "cell":
            edge, width, radius, order = colour_of(box.colour), 1, 0.1, 3.5
        case "frame":
            face, radius, order = "none", 3, 3.8
        case "ghost":
            face, line, radius, order = "none", "dotted", 3, 3.7
    axes.add_patch(
        FancyBboxPatch(
            (box.x + radius, box.y + radius), box.width - 2 * radius, box.height - 2 * radius,
            boxstyle=f"round,pad={radius},rounding_size={radius}", facecolor=face,
            edgecolor=edge, linewidth=width * POINT, linestyle=line, zorder=order,
            alpha={"group": 0.05, "band": 0.12}.get(box.style),
        )
    )  # fmt: skip


def _dot(axes: Any, dot: Dot) -> None:
    from matplotlib.patches import Circle

    match dot.style:
        case "ring":
            axes.add_patch(
                Circle((dot.x, dot.y), 3.4, facecolor=PAPER, edgecolor=INK, linewidth=0.9,
                       zorder=5)
            )  # fmt: skip
        case "plus":
            axes.add_patch(
                Circle((dot.x, dot.y), 6, facecolor=PAPER, edgecolor=INK, linewidth=0.9, zorder=5)
            )
            _stroke(axes, ((dot.x - 3, dot.y), (dot.x + 3, dot.y)), INK, 1.2, zorder=5.1)
            _stroke(axes, ((dot.x, dot.y - 3), (dot.x, dot.y + 3)), INK, 1.2, zorder=5.1)
        case "end":
            ends = ((dot.x, dot.y - 4), (dot.x, dot.y + 4))
            _stroke(axes, ends, colour_of(dot.colour), 2, zorder=5)
        case _:
            axes.add_patch(Circle((dot.x, dot.y), 3.6, color=colour_of(dot.colour), zorder=5))


def _text(axes: Any, text: Text) -> None:
    colour = {"box": INK, "port": INK, "note": INK3}.get(text.style, INK2)
    axes.text(
        text.x, text.y, text.text,
        size=HEIGHTS[text.style] * POINT, color=colour, zorder=6,
        family="sans-serif" if text.style == "note" else "monospace",
        ha={"start": "left", "middle": "center", "end": "right"}[text.anchor], va="baseline",
        parse_math=False,
    )  # fmt: skip
