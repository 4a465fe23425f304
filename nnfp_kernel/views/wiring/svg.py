"""A picture as SVG: colours are the notebook's variables, so it is at home in light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from ..style import alone, escape
from .picture import Box, Dot, Path, Picture, Point, Text, crossings, wires

RADIUS = 8

PLAIN = "#7b8794"
BEHIND = ("band", "group")  # the wires


Marks = Callable[[Box | Path | Text], dict[str, str]]


def svg(picture: Picture, title: str = "", marks: Marks | None = None) -> str:
    """The picture as an `<svg>`; `title` is what a screen reader says of it. `marks` are more
    attributes of boxes, words and wires; what a wire is marked with stands on a broad stroke
    over it, which a hand can meet."""

    def said(thing: Box | Path | Text) -> str:
        return "" if marks is None else _attributes(marks(thing))

    def marked(drawn: str, thing: Box | Text) -> str:
        more = said(thing)
        return drawn.replace(" ", f" {more} ", 1) if more else drawn

    width, height = number(picture.width), number(picture.height)
    parts = [
        f'<svg class="wiring" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{escape(title)}</title>",
    ]
    parts += [marked(_box(box), box) for box in picture.boxes if box.style in BEHIND]
    parts += _wires(wires(picture))
    parts += [_path(path) for path in picture.paths if path.style != "wire"]
    for path in wires(picture):
        if more := said(path):
            parts.append(f'<path class="hit" {more} d="{outline(path.points)}"/>')
    parts += [marked(_box(box), box) for box in picture.boxes if box.style not in BEHIND]
    parts += [_dot(dot) for dot in picture.dots]
    parts += [marked(_text(text), text) for text in picture.texts]
    return "\n".join([*parts, "</svg>"])


def _attributes(found: dict[str, str]) -> str:
    return " ".join(f'{name}="{escape(value)}"' for name, value in found.items())


def standalone(pictures: Sequence[Picture]) -> str:
    """Pictures one below the other as a file of its own, on light paper."""
    width = number(max(picture.width for picture in pictures))
    height, parts = 0.0, []
    for picture in pictures:
        parts.append(svg(picture).replace("<svg ", f'<svg y="{number(height)}" ', 1))
        height += picture.height + 20
    return alone("\n".join(parts), width, number(height))


def stroke(colour: int | None) -> str:
    """A representation's colour; plain is grey, from the seventh on they are dashed."""
    if colour is None:
        return f"var(--nn-plain,{PLAIN})"
    return f"var(--rep{colour % 6 + 1})"


def _wires(paths: Sequence[Path]) -> list[str]:
    """Wires in order; where a later one passes over an earlier, that one has a gap."""
    gaps: dict[int, list[tuple[Point, bool]]] = {}
    for path, point, level in crossings(paths):
        gaps.setdefault(id(path), []).append((point, level))
    parts: list[str] = []
    for _, together in groupby(paths, key=lambda path: path.wire):
        middles = []
        for path in together:
            for (x, y), level in gaps.get(id(path), ()):
                dx, dy = (5, 0) if level else (0, 5)
                ends = (x - dx, y - dy), (x + dx, y + dy)
                parts.append(f'<path class="gap" d="{outline(ends)}"/>')
            shape = outline(path.points)
            dashed = path.colour is not None and path.colour >= 6
            dash = ' stroke-dasharray="6 3"' if dashed else ""
            wide = ' style="stroke-width:4.6"' if path.double else ""
            parts.append(f'<path d="{shape}" stroke="{stroke(path.colour)}"{wide}{dash}/>')
            if path.double:  # the middle of all its parts at last, so that they join
                middles.append(f'<path class="mid" d="{shape}"/>')
        parts += middles
    return parts + [_head(path, *arrow) for path in paths for arrow in path.arrows]


def outline(points: Sequence[Point]) -> str:
    """Strokes with round corners, as SVG writes them."""
    shape = f"M{number(points[0][0])} {number(points[0][1])}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(RADIUS, _length(before, corner) / 2, _length(corner, after) / 2)
        start, end = toward(corner, before, radius), toward(corner, after, radius)
        shape += f"L{number(start[0])} {number(start[1])}"
        shape += f"Q{number(corner[0])} {number(corner[1])} {number(end[0])} {number(end[1])}"
    return shape + f"L{number(points[-1][0])} {number(points[-1][1])}"


def toward(point: Point, other: Point, distance: float) -> Point:
    length = _length(point, other) or 1
    return (
        point[0] + (other[0] - point[0]) * distance / length,
        point[1] + (other[1] - point[1]) * distance / length,
    )


def _length(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def arrowhead(path: Path, stretch: int, place: float) -> tuple[Point, Point, Point]:
    """The three corners of an arrowhead on a stroke of a path."""
    stretch = min(stretch, len(path.points) - 2)
    (x0, y0), (x1, y1) = path.points[stretch], path.points[stretch + 1]
    length = _length((x0, y0), (x1, y1)) or 1
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    x, y = x0 + (x1 - x0) * place, y0 + (y1 - y0) * place
    if place < 1:
        x, y = x + 4 * dx, y + 4 * dy
    back, side = 8, 4
    return (
        (x, y),
        (x - back * dx - side * dy, y - back * dy + side * dx),
        (x - back * dx + side * dy, y - back * dy - side * dx),
    )


def _head(path: Path, stretch: int, place: float) -> str:
    corners = " ".join(f"{number(x)},{number(y)}" for x, y in arrowhead(path, stretch, place))
    return f'<polygon points="{corners}" fill="{stroke(path.colour)}"/>'


def _path(path: Path) -> str:
    return f'<path class="{path.style}" d="{outline(path.points)}"/>'


def _box(box: Box) -> str:
    x, y, w, h = (number(v) for v in (box.x, box.y, box.width, box.height))
    rectangle = f'x="{x}" y="{y}" width="{w}" height="{h}"'
    match box.style:
        case "band":
            return f'<rect {rectangle} rx="9" style="fill:{stroke(box.colour)};opacity:.12"/>'
        case "group":
            return f'<rect class="group" {rectangle} rx="9"/>'
        case "circle" | "source":
            return f'<rect class="edge" {rectangle} rx="{number(min(box.width, box.height) / 2)}"/>'
        case "zero":
            return (
                f'<rect {rectangle} rx="8" fill="var(--nn-paper)" stroke="{stroke(box.colour)}" '
                'stroke-width="2"/>'
            )
        case "parameter":
            return f'<rect class="edge" {rectangle} rx="4" stroke-dasharray="4 3"/>'
        case "enter" | "leave":
            return _half(box)
        case "cell":
            return f'<rect class="thin" {rectangle} style="stroke:{stroke(box.colour)}"/>'
        case "frame":
            return f'<rect class="frame" {rectangle} rx="3"/>'
        case "ghost":
            return f'<rect class="frame" {rectangle} rx="3" stroke-dasharray="1.5 3"/>'
        case _:
            return f'<rect class="edge" {rectangle} rx="4"/>'


def _half(box: Box) -> str:
    """A half disc: its round side looks into the representation."""
    x, turn = (box.x, 1) if box.style == "enter" else (box.right, 0)
    start, end = f"{number(x)} {number(box.y)}", f"{number(x)} {number(box.bottom)}"
    radii = f"{number(box.width)} {number(box.height / 2)}"
    shape = f"M{start}A{radii} 0 0 {turn} {end}Z"
    return f'<path d="{shape}" style="fill:{stroke(box.colour)};stroke-width:0"/>'


def _dot(dot: Dot) -> str:
    x, y = number(dot.x), number(dot.y)
    if dot.style == "ring":
        return f'<circle class="edge" cx="{x}" cy="{y}" r="3.4"/>'
    if dot.style == "plus":
        cross = f"M{number(dot.x - 3)} {y}h6M{x} {number(dot.y - 3)}v6"
        return (
            f'<circle class="edge" cx="{x}" cy="{y}" r="6"/>'
            f'<path d="{cross}" style="stroke:var(--nn-ink);stroke-width:1.2"/>'
        )
    if dot.style == "end":
        tick = f"M{x} {number(dot.y - 4)}V{number(dot.y + 4)}"
        return f'<path d="{tick}" stroke="{stroke(dot.colour)}"/>'
    return f'<circle cx="{x}" cy="{y}" r="3.6" fill="{stroke(dot.colour)}"/>'


def _text(text: Text) -> str:
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    return (
        f'<text class="{text.style}" x="{number(text.x)}" y="{number(text.y)}"{anchor}>'
        f"{escape(text.text)}</text>"
    )


def number(value: float) -> str:
    """A coordinate, one digit after the point at most, so that output is the same everywhere."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")
