"""A picture as data: where every box, wire and word stands, in pixels from the top left.

Nothing here draws. `svg.py` and `figure.py` do, from the same `Picture`; tests measure it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from .diagram import Node, Wire

Point = tuple[float, float]

# Widths of a character, in pixels: of the code font in boxes (12), of the code font on
# wires (10.5), and of the reading font (11.5), which is a bound.
IN_BOX, ON_WIRE, READING = 7.3, 6.4, 6.2
STYLES = {"box": IN_BOX, "port": ON_WIRE, "type": ON_WIRE, "name": IN_BOX, "note": READING}
HEIGHTS = {"box": 12, "port": 10.5, "type": 10.5, "name": 12, "note": 11.5}


class NotDrawn(ValueError):
    """What is not drawn, and why: there is nothing to draw, or too much to look at."""


@dataclass(frozen=True)
class Box:
    """`style` is "box", "parameter", "circle", "source", "zero", "enter", "leave", "group",
    "band", "cell" or "frame"; `colour` the number of a representation, counted from 0."""

    style: str
    x: float
    y: float
    width: float
    height: float
    node: Node | None = None
    colour: int | None = None

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True)
class Path:
    """Straight strokes with round corners. `style` is "wire", "tie" (the same weights) or
    "value" (a value that is brought); `arrows` are where arrowheads stand: the stroke's
    number and its place on it, from 0 to 1."""

    points: tuple[Point, ...]
    style: str = "wire"
    colour: int | None = None
    double: bool = False
    arrows: tuple[tuple[int, float], ...] = ()
    wire: Wire | None = None


@dataclass(frozen=True)
class Dot:
    """`style` is "copy" (a wire parts), "join" (a state comes round), "edge" (single elements
    go in or out), "ring" (weights), "end" (nothing takes it) or "plus" (wires are added)."""

    x: float
    y: float
    colour: int | None = None
    style: str = "copy"  # a wire parts here
    wire: Wire | None = None


@dataclass(frozen=True)
class Text:
    """`anchor` is "start", "middle" or "end"; y is the line the letters stand on."""

    x: float
    y: float
    text: str
    style: str = "type"
    anchor: str = "start"
    of: Node | Wire | None = None

    @property
    def width(self) -> float:
        return len(self.text) * STYLES[self.style]

    @property
    def left(self) -> float:
        return self.x - {"start": 0, "middle": 0.5, "end": 1}[self.anchor] * self.width


@dataclass(frozen=True)
class Picture:
    width: float
    height: float
    boxes: tuple[Box, ...] = ()
    paths: tuple[Path, ...] = ()
    dots: tuple[Dot, ...] = ()
    texts: tuple[Text, ...] = ()


@dataclass
class Drawing:
    """A picture in the making."""

    boxes: list[Box] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)

    def put(self, *things: Box | Path | Dot | Text) -> None:
        for thing in things:
            match thing:
                case Box():
                    self.boxes.append(thing)
                case Path():
                    self.paths.append(thing)
                case Dot():
                    self.dots.append(thing)
                case Text():
                    self.texts.append(thing)

    def add(self, other: Drawing, dx: float, dy: float) -> None:
        """All of another drawing, moved."""
        for thing in other.everything():
            self.put(moved(thing, dx, dy))

    def everything(self) -> Iterator[Box | Path | Dot | Text]:
        yield from self.boxes
        yield from self.paths
        yield from self.dots
        yield from self.texts

    def picture(self, width: float, height: float) -> Picture:
        return Picture(
            width, height, tuple(self.boxes), tuple(self.paths), tuple(self.dots),
            tuple(self.texts),
        )  # fmt: skip


@dataclass
class Block:
    """A diagram in its place: the heights of its inputs on its left edge and of its outputs
    on its right one."""

    width: float
    height: float
    entering: list[float]
    leaving: list[float]
    drawing: Drawing = field(default_factory=Drawing)


def moved(thing: Box | Path | Dot | Text, dx: float, dy: float) -> Box | Path | Dot | Text:
    if isinstance(thing, Path):
        return replace(thing, points=tuple((x + dx, y + dy) for x, y in thing.points))
    return replace(thing, x=thing.x + dx, y=thing.y + dy)


def wires(picture: Picture) -> list[Path]:
    """The strokes of wires, those of one wire together: they join, and others cross them."""
    found: dict[int, list[Path]] = {}
    for path in picture.paths:
        if path.style == "wire":
            found.setdefault(id(path.wire) if path.wire is not None else id(path), []).append(path)
    return [path for together in found.values() for path in together]


def crossings(paths: Sequence[Path]) -> list[tuple[Path, Point, bool]]:
    """Where a wire passes over an earlier one: the later path, the point, and whether it
    is level there. There the earlier one gets a gap."""
    strokes = [
        (path, a, b) for path in paths if path.style == "wire"
        for a, b in pairwise(path.points)
    ]  # fmt: skip
    found = []
    for number, (path, a, b) in enumerate(strokes):
        level = a[1] == b[1]
        for other, c, d in strokes[:number]:
            if other.wire is path.wire or (c[1] == d[1]) == level:
                continue
            across, up = ((a, b), (c, d)) if level else ((c, d), (a, b))
            x, y = up[0][0], across[0][1]
            if (
                min(across[0][0], across[1][0]) + 1 < x < max(across[0][0], across[1][0]) - 1
                and min(up[0][1], up[1][1]) + 1 < y < max(up[0][1], up[1][1]) - 1
            ):
                found.append((path, (x, y), level))
    return found


def tidy(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The points without repetitions and without those on a straight line."""
    kept: list[tuple[float, float]] = []
    for x, y in points:
        point = (round(x, 1), round(y, 1))
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and _straight(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return tuple(kept) if len(kept) > 1 else (*kept, *kept)


def _straight(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    same_x = a[0] == b[0] == c[0] and (b[1] - a[1]) * (c[1] - b[1]) > 0
    same_y = a[1] == b[1] == c[1] and (b[0] - a[0]) * (c[0] - b[0]) > 0
    return same_x or same_y
