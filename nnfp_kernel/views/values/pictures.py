"""Arrays as pictures: a strip for a vector, a curve for a long one, an image for a matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy

from ...language.palette import picture
from ..style import escape
from . import raster
from .numbers import COLUMNS, ROWS, largest, short, strength

WIDTH = 540.0
STRIP = 64  # numbers of a strip; more are a curve
SIDE = 168  # pixels of an image
SEVERAL = 6  # images of a stack
GAP = 10.0
LEAST = 6  # pixels of a side that still make an image
COLUMNS_OF_A_CURVE = 500


@dataclass(frozen=True)
class Drawn:
    """A picture as SVG, and in words: `summary` heads the numbers, which are folded."""

    body: str
    width: float
    height: float
    summary: str = ""
    images: Images | None = None

    def html(self) -> str:
        if self.images is not None:
            return self.images.html()
        size = f'width="{coordinate(self.width)}" height="{coordinate(self.height)}"'
        box = f'viewBox="0 0 {coordinate(self.width)} {coordinate(self.height)}"'
        title = f"<title>{escape(self.summary)}</title>" if self.summary else ""
        return picture(f'<svg class="drawing" role="img" {size} {box}>{title}{self.body}</svg>')


def coordinate(x: float) -> str:
    return f"{round(x, 1) + 0.0:.1f}".removesuffix(".0")


def draw(array: numpy.ndarray) -> Drawn | None:
    """The picture of an array; None where the numbers themselves say it best."""
    if not array.size or array.dtype.kind not in "fiub":
        return None
    flags = array.dtype.kind == "b"
    numbers = array.astype(float)
    match array.ndim:
        case 1 if array.dtype.kind in "fb" and (flags or array.size > COLUMNS):
            if array.size <= STRIP:
                return _strip(numbers, flags)
            return None if flags else _curve(numbers)
        case 2 if flags or array.shape[0] > ROWS or array.shape[1] > COLUMNS:
            return _images([numbers])
        case 3 if array.shape[2] == 3 and min(array.shape[:2]) > ROWS and _unit(numbers):
            return _images([numbers])
        case 3 if min(array.shape[1:]) >= LEAST:
            return _images(list(numbers))
        case 4 if array.shape[3] == 3 and min(array.shape[1:3]) > ROWS and _unit(numbers):
            return _images(list(numbers))
        case _:
            return None


def _unit(array: numpy.ndarray) -> bool:
    """Whether all of it lies between 0 and 1: a picture."""
    return bool(numpy.isfinite(array).all() and array.min() >= 0 and array.max() <= 1)


def _count(array: numpy.ndarray) -> str:
    return "1 number" if array.size == 1 else f"{array.size:,} numbers"


# --- vectors ----------------------------------------------------------------------------------


def _strip(array: numpy.ndarray, flags: bool) -> Drawn:
    width = min(20.0, WIDTH / array.size)
    body = cells(array, 0, 0, width, 22, largest(array), flags)
    end = width * array.size
    body += f'<path class="line" d="M0 22.5H{coordinate(end)}"/>'
    if array.size > 4:
        step = next(s for s in (2, 4, 8, 16) if array.size <= 6 * s)
        places = [k for k in range(0, array.size, step) if array.size - 1 - k >= 0.6 * step]
        for k in [*places, array.size - 1]:
            body += _text((k + 0.5) * width, 37, str(k), "middle")
    return Drawn(body, max(end, 20), 40, _count(array))


def cells(
    array: numpy.ndarray, x: float, y: float, width: float, height: float, scale: float,
    flags: bool = False,
) -> str:  # fmt: skip
    """Numbers as a row of squares; those of one sign and strength are one path."""
    shapes: dict[tuple[str, float], str] = {}
    for k, each in enumerate(array.tolist()):
        kind = "ink" if flags else "neg" if each < 0 else "pos"
        level = round(strength(each, scale) * 20) / 20
        if level:
            at = coordinate(x + k * width)
            square = f"M{at} {coordinate(y)}h{coordinate(width - 1)}v{coordinate(height)}h-"
            shapes[kind, level] = shapes.get((kind, level), "") + (
                f"{square}{coordinate(width - 1)}z"
            )
    return "".join(
        f'<path class="{kind}" opacity="{level:g}" d="{shape}"/>'
        for (kind, level), shape in shapes.items()
    )


def _curve(array: numpy.ndarray) -> Drawn | None:
    """A long vector over its index, of what is too long the least and the largest."""
    finite = array[numpy.isfinite(array)]
    if not finite.size:
        return None
    low, high = float(finite.min()), float(finite.max())
    left, right, top, bottom = 52.0, WIDTH, 6.0, 106.0

    def across(k: float) -> float:
        return left + (right - left) * k / (array.size - 1)

    def up(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low) if high > low else 56.0

    body = f'<path class="line" d="M{left:g} {top:g}V{bottom:g}H{right:g}"/>'
    if low < 0 < high:
        body += f'<path class="line" d="M{left:g} {coordinate(up(0))}H{right:g}"/>'
    for value in dict.fromkeys((low, high)):
        body += _text(left - 6, up(value) + 4, short(value), "end")
    if low < 0 < high and min(up(0) - up(high), up(low) - up(0)) > 12:
        body += _text(left - 6, up(0) + 4, "0", "end")
    for k in sorted({0, (array.size - 1) // 2, array.size - 1}):
        anchor = "start" if k == 0 else "end" if k == array.size - 1 else "middle"
        body += _text(across(k), bottom + 15, f"{k:,}", anchor)
    shape, drawing = "", False
    for k, value in _thinned(array):
        if not numpy.isfinite(value):
            drawing = False
            continue
        shape += f"{'L' if drawing else 'M'}{coordinate(across(k))} {coordinate(up(value))}"
        drawing = True
    return Drawn(f'{body}<path class="curve" d="{shape}"/>', WIDTH, 124, _count(array))


def _thinned(array: numpy.ndarray) -> list[tuple[int, float]]:
    if array.size <= 2 * COLUMNS_OF_A_CURVE:
        return list(enumerate(array.tolist()))
    points: list[tuple[int, float]] = []
    for places in numpy.array_split(numpy.arange(array.size), COLUMNS_OF_A_CURVE):
        part = array[places]
        if not numpy.isfinite(part).any():
            points.append((int(places[0]), float("nan")))
            continue
        ends = {int(places[numpy.nanargmin(part)]), int(places[numpy.nanargmax(part)])}
        points += [(k, float(array[k])) for k in sorted(ends)]
    return points


# --- matrices -----------------------------------------------------------------------------------


def _images(stack: list[numpy.ndarray]) -> Drawn:
    """Images side by side, in one scale; beside or below them the scale."""
    shown = [raster.reduced(each) for each in stack[:SEVERAL]]
    whole = numpy.stack(stack)
    paint, bar, theme = _painter(whole)
    height, width = shown[0].shape[:2]
    side = SIDE if len(shown) == 1 else (WIDTH - GAP * (SEVERAL - 1)) / SEVERAL
    zoom = min(max(side / max(height, width), 0.5), 14)
    zoom = round(zoom) if zoom >= 2 else zoom
    if len(shown) == 1:  # a long one is not too thin
        zoom = max(min(zoom, WIDTH / width), min(4, WIDTH / width))
    w, h = width * zoom, height * zoom
    made = Images(
        tuple(paint(each) for each in shown), w, h, f"image-rendering:pixelated{theme}", bar,
        f"the first {len(shown)} of {len(stack):,}" if len(stack) > len(shown) else "",
    )  # fmt: skip
    body, end, bottom = made.svg()
    return Drawn(body, end, bottom, _count(whole), made)


@dataclass(frozen=True)
class Images:
    """PNGs of one size, side by side, with a scale: in HTML `<img>`, which a notebook that
    is not trusted still shows."""

    sources: tuple[str, ...]
    width: float
    height: float
    style: str
    bar: str
    caption: str

    def html(self) -> str:
        size = f'width="{coordinate(self.width)}" height="{coordinate(self.height)}"'
        shown = "".join(
            f'<span><img alt="" {size} style="{self.style}" src="{source}"/></span>'
            for source in self.sources
        )
        if self.bar:
            box = 'width="116" height="46" viewBox="-3 -18 116 46"'
            shown += picture(f'<svg class="drawing" {box}>{self.bar}</svg>')
        said = f'<div class="small">{escape(self.caption)}</div>' if self.caption else ""
        return f'<div class="images">{shown}</div>{said}'

    def svg(self) -> tuple[str, float, float]:
        """The same as the inside of an SVG, and how large it is."""
        size = f'width="{coordinate(self.width)}" height="{coordinate(self.height)}"'
        body = ""
        for k, source in enumerate(self.sources):
            place = f'x="{coordinate(k * (self.width + GAP) + 0.5)}" y="0.5" {size}'
            body += (
                f'<image {place} preserveAspectRatio="none" style="{self.style}" href="{source}"/>'
                f'<rect class="frame" {place}/>'
            )
        end, bottom = len(self.sources) * (self.width + GAP) - GAP + 1, self.height + 4
        if self.caption:
            body += _text(0, bottom + 14, self.caption, "start")
            bottom += 22
        if self.bar:
            body += f'<g transform="translate(3 {coordinate(bottom + 20)})">{self.bar}</g>'
            bottom, end = bottom + 48, max(end, 120)
        return body, end, max(bottom, 30)


def _painter(array: numpy.ndarray) -> tuple[Callable[[numpy.ndarray], str], str, str]:
    """How the numbers become colours, the scale to be drawn beside them, and what the theme
    does to the colours."""
    finite = array[numpy.isfinite(array)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if array.ndim == 4 and array.shape[3] == 3:
        return raster.colours, "", ""
    if _unit(array):
        return raster.ink, "", ";filter:var(--nn-turn)"
    if low < 0:
        scale, theme = max(-low, high), ";filter:var(--nn-lift)"
        strip = raster.signs(numpy.linspace(-scale, scale, 64)[None], scale)
        marks = ((0.0, short(-scale)), (55.0, "0"), (110.0, short(scale)))
        bar = _scale_bar(strip, marks, "zero is paper", theme)
        return lambda part: raster.signs(part, scale), bar, theme
    strip = raster.magnitudes(numpy.linspace(low, high, 64)[None], low, high)
    bar = _scale_bar(strip, ((0.0, short(low)), (110.0, short(high))), "", "")
    return lambda part: raster.magnitudes(part, low, high), bar, ""


def _scale_bar(strip: str, marks: tuple[tuple[float, str], ...], said: str, theme: str) -> str:
    body = _text(0, -6, said, "start") if said else ""
    body += (
        '<image width="110" height="9" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated{theme}" href="{strip}"/>'
    )
    for place, mark in marks:
        anchor = "start" if place == 0 else "middle" if place < 110 else "end"
        body += _text(place, 23, mark, anchor)
    return body


def _text(x: float, y: float, said: str, anchor: str, kind: str = "tick") -> str:
    place = f'x="{coordinate(x)}" y="{coordinate(y)}"'
    return f'<text class="{kind}" {place} text-anchor="{anchor}">{escape(said)}</text>'


text = _text
