"""A loop, a map or a tree laid out: a box for every step, its numbers as cells around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from nnfp_kernel.language.palette import (
    BLUE,
    INK,
    INK2,
    INK3,
    LINE,
    PAPER,
    REPRESENTATIONS,
    VERMILLION,
)
from nnfp_kernel.views.style import FIGURE
from nnfp_kernel.views.unroll import Chain, Steps, Strip, Unrolled

from .drawing import Drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any
PIXEL = 1 / 96  # inches
WIDTH, GUTTER, RIGHT = 760.0, 96.0, 16.0
MOST = 10  # columns
BOX = 32.0
STATE, ELEMENT, OUTPUT = 130.0, 56.0, 70.0  # heights of strips, at most
CELLS = 1024


def unroll(shown: Unrolled, part: int = 0) -> Figure:
    """A part of what repeats in a function, all its steps made: of many the first and last.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.unroll import unroll as unrolled
    >>> session = Session(precision=64)
    >>> _ = session.run("total : [R] -> R\\ntotal = fold (\\\\(s, x) -> s + x) 0")
    >>> made = unroll(unrolled(session["total"], numpy.ones(3)))
    >>> made.get_size_inches().round(1).tolist()[0]
    7.9
    """
    import matplotlib

    with matplotlib.rc_context(FIGURE):
        steps = shown.parts[part]
        return (_Tree if steps.tree is not None else _Chains)(steps, shown).figure


class _Sheet:
    """Axes in pixels from the top left."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Drawing(figsize=(width * PIXEL, height * PIXEL), facecolor=PAPER)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(height, 0)
        self.axes.axis("off")

    def box(self, x: float, y: float, width: float, height: float, text: str) -> None:
        from matplotlib.patches import FancyBboxPatch

        self.axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y), width, height, boxstyle="round,pad=0,rounding_size=4",
                facecolor=PAPER, edgecolor=INK, linewidth=0.9, zorder=3,
            )
        )  # fmt: skip
        self.text(x, y + height / 2, text, family="monospace", size=8.5, ha="center")

    def text(self, x: float, y: float, text: str, **how: Any) -> None:
        how = {"color": INK, "size": 8, "va": "center", "zorder": 4, **how}
        self.axes.text(x, y, text, parse_math=False, **how)

    def wire(self, *points: tuple[float, float], colour: int | None, thin: bool = False) -> None:
        xs, ys = zip(*points, strict=True)
        line = INK3 if colour is None else REPRESENTATIONS[colour % len(REPRESENTATIONS)]
        self.axes.plot(xs, ys, color=line, linewidth=0.9 if thin else 1.5, zorder=1)

    def strip(
        self, strip: Strip, values: Array, x: float, y: float, room: tuple[int, int, float, float]
    ) -> None:
        """The numbers of one value as cells, the middle of their top at (x, y)."""
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Rectangle

        columns, rows, w, h = room
        left = x - columns * w / 2
        cells, colours = [], []
        for k, value in enumerate(values[:CELLS]):
            cells.append(Rectangle((left + k % columns * w, y + k // columns * h), w, h))
            share = 0.0 if strip.kind in ("Int", "Bool") else min(abs(value) / strip.reach, 1)
            colours.append(_mixed(BLUE if value < 0 else VERMILLION, share))
        self.axes.add_collection(PatchCollection(cells, facecolors=colours, zorder=2))
        frame = (left, y), columns * w, rows * h
        self.axes.add_patch(
            Rectangle(*frame, facecolor="none", edgecolor=LINE, linewidth=0.8, zorder=2.5)
        )
        if strip.values.shape[1] == 1:
            self.text(x, y + h / 2, f"{values[0]:.3g}".replace("-", "−"), size=7.5, ha="center")


def _mixed(colour: str, share: float) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    if not numpy.isfinite(share):
        return to_rgb(INK)
    return tuple(1 - share * (1 - part) for part in to_rgb(colour))


def _room(strip: Strip, width: float, height: float, lying: bool) -> tuple[int, int, float, float]:
    """Columns, rows, and how wide and high a cell is."""
    size = min(strip.values.shape[1], CELLS)
    if len(strip.shape) == 2 and strip.kind != "C" and strip.values.shape[1] <= CELLS:
        columns = max(strip.shape[1], 1)
        rows = max(-(-size // columns), 1)
        side = min(width / columns, height / rows, 12.0)
        return columns, rows, side, side
    columns = 1
    if size == 1:
        return 1, 1, min(width, 44.0), 16.0
    if lying and size <= 8:
        return size, 1, min(width / max(size, 1), 14.0), 14.0
    while size / columns > height / 2.4 and columns < width / 2:
        columns += 1
    rows = max(-(-size // columns), 1)
    return columns, rows, width / columns, min(height / rows, 13.0)


class _Chains(_Sheet):
    def __init__(self, steps: Steps, shown: Unrolled) -> None:
        self.steps = steps
        self.labels = shown.labels if not shown.trail else ()
        count = len(steps.elements[0].values) if steps.seen is not None else steps.count
        half = MOST // 2
        self.columns = list(range(count))
        if count > MOST:
            self.columns = [*range(half), *range(count - half, count)]
        self.gap = half if count > MOST else None  # before which some are left out
        spare = 0.4 if self.gap else 0
        self.pitch = min((WIDTH - GUTTER - RIGHT) / (len(self.columns) + spare), 100.0)
        self.wide = min(self.pitch - 24, 58.0)
        longest = max(len(chain.label) for chain in steps.chains)
        self.box_width = min(max(longest * 6.6 + 16, 40), self.pitch - 14)
        y, self.bands = 12.0, []
        for chain in reversed(steps.chains):
            outputs = [
                _room(s, self.wide, OUTPUT / len(chain.outputs), True) for s in chain.outputs
            ]
            states = [_room(s, self.wide, STATE / len(chain.states), False) for s in chain.states]
            top = y
            y += sum(r[1] * r[3] + 6 for r in outputs) + (16 if outputs else 0)
            above = y
            y += sum(r[1] * r[3] + 6 for r in states) + (16 if states else 0)
            self.bands.append((chain, outputs, states, top, above, y))
            y += BOX + 24
        self.below = [
            _room(s, self.wide, ELEMENT / len(steps.elements), True) for s in steps.elements
        ]
        self.foot = y
        y += sum(r[1] * r[3] + 6 for r in self.below)
        super().__init__(WIDTH, y + (24 if steps.elements else 4))
        for band in self.bands:
            self.band(*band)
        self.elements(y + 8)

    def x(self, column: int) -> float:
        place = self.columns.index(column)
        shift = 0.4 if self.gap is not None and place >= self.gap else 0.0
        return GUTTER + self.pitch * (place + shift + 0.5)

    def places(self) -> list[tuple[int, float]]:
        """The positions that are drawn, and where their boxes stand."""
        if self.steps.seen is None:
            return [(k, self.x(k)) for k in self.columns]
        found = []
        for k, seen in enumerate(self.steps.seen):
            if all(one in self.columns for one in seen):
                found.append((k, (self.x(seen[0]) + self.x(seen[-1])) / 2))
        return found

    def band(
        self, chain: Chain, outputs: Array, states: Array, top: float, above: float, y: float
    ) -> None:
        steps, middle, half = self.steps, y + BOX / 2, self.box_width / 2
        places = self.places()
        flow = chain.states[0].colour if chain.states else None
        for number, (place, x) in enumerate(places):
            step = steps.count - place if chain.reverse else place + 1
            if chain.states:
                self.wire((x, y), (x, y - 16), colour=flow)
                nearest = x - self.pitch + half if number else x - half - 24
                if not chain.reverse:
                    self.wire((nearest, middle), (x - half, middle), colour=flow)
                else:
                    last = number == len(places) - 1
                    to = x + half + 24 if last else places[number + 1][1] - half
                    self.wire((x + half, middle), (to, middle), colour=flow)
                if step == 1:
                    zero = chain.start in ("zero", "0")
                    at = x + half + 32 if chain.reverse else x - half - 32
                    self.text(at, middle, "0" if zero else chain.start[:8], size=7.5, ha="center")
                if step == steps.count:
                    out = x - half if chain.reverse else x + half
                    self.wire(
                        (out, middle), (out + (-14 if chain.reverse else 14), middle), colour=flow
                    )
            if chain.outputs:
                side = min(self.wide / 2 + 6, self.pitch / 2 - 3) if chain.states else 0.0
                at = above - 16
                self.wire((x + side, y), (x + side, at + 8), (x, at + 8), (x, at - 3),
                          colour=chain.outputs[0].colour)  # fmt: skip
            self.box(x, y, 2 * half, BOX, _short(chain.label, int(half / 3.4)))
            down = above
            for strip, room in zip(chain.states, states, strict=True):
                self.strip(strip, strip.values[step], x, down, room)
                down += room[1] * room[3] + 6
            down = top
            for strip, room in zip(chain.outputs, outputs, strict=True):
                self.strip(strip, strip.values[place], x, down, room)
                down += room[1] * room[3] + 6
        if self.gap is not None and places:
            self.text(self.x(self.columns[self.gap]) - 0.7 * self.pitch, middle, "…", ha="center",
                      bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 2})  # fmt: skip
        self.named(chain.states, states, above, "state")
        self.named(chain.outputs, outputs, top, "gives")

    def elements(self, labelled: float) -> None:
        steps = self.steps
        if not steps.elements:
            return
        base = self.bands[-1][5] + BOX
        colour = steps.elements[0].colour
        if steps.seen is not None:
            for place, x in self.places():
                for one in steps.seen[place]:
                    self.wire((self.x(one), self.foot - 3), (x, base), colour=colour, thin=True)
        for k in self.columns:
            x = self.x(k)
            if steps.seen is None:
                for band in self.bands[:-1]:
                    lane = x + self.box_width / 2 + 6
                    self.wire((x, base + 8), (lane, base + 8), (lane, band[5] + BOX + 8),
                              (x + 10, band[5] + BOX + 8), (x + 10, band[5] + BOX),
                              colour=colour)  # fmt: skip
                self.wire((x, self.foot - 3), (x, base), colour=colour)
            down = self.foot
            for strip, room in zip(steps.elements, self.below, strict=True):
                self.strip(strip, strip.values[k], x, down, room)
                down += room[1] * room[3] + 6
            word = self.labels[k] if k < len(self.labels) else str(k + 1)
            self.text(x, labelled, _short(word, 12), size=8, ha="center")
        self.named(steps.elements, self.below, self.foot, "x")

    def named(self, strips: Any, rooms: Any, y: float, instead: str) -> None:
        for strip, room in zip(strips, rooms, strict=True):
            middle = y + min(room[1] * room[3] / 2, 30)
            name = instead if instead == "gives" else strip.name or instead
            self.text(GUTTER - 28, middle - 6, name, size=8, color=INK2, ha="right")
            self.text(GUTTER - 28, middle + 7, _short(strip.type, 14), size=7.5, color=INK2,
                      ha="right", family="monospace")  # fmt: skip
            y += room[1] * room[3] + 6


class _Tree(_Sheet):
    def __init__(self, steps: Steps, shown: Unrolled) -> None:
        tree = steps.tree
        assert tree is not None
        strip = steps.chains[0].states[0]
        leaves, storeys = (int(numpy.floor(each)) + 1 for each in tree.place.max(0))
        self.width = max(len(name) for name in tree.constructors) * 6.6 + 16
        pitch = min(max((WIDTH - 28) / leaves, self.width + 10), 110.0)
        size = strip.values.shape[1]
        cell = min((pitch - 12) / max(size, 1), 9.0)
        room = (size, 1, cell, 13.0) if 1 < size <= 12 else _room(strip, pitch - 14, 26, True)
        storey = BOX + room[1] * room[3] + 44
        height = storeys * storey + 40
        super().__init__(leaves * pitch + 28, height)
        xs = 14 + pitch * (tree.place[:, 0] + 0.5)
        ys = height - 34 - BOX - storey * tree.place[:, 1]
        for k, (name, parent) in enumerate(zip(tree.constructors, tree.parents, strict=True)):
            x, y = xs[k], ys[k]
            foot = y - 8 - room[1] * room[3]
            self.wire((x, y), (x, y - 8), colour=strip.colour)
            if parent >= 0:
                lane = ys[parent] + BOX + 10
                self.wire((x, foot), (x, lane), (xs[parent], lane), (xs[parent], lane - 10),
                          colour=strip.colour)  # fmt: skip
            else:
                self.wire((x, foot), (x, foot - 10), colour=strip.colour)
            self.box(x, y, self.width, BOX, name)
            self.strip(strip, strip.values[k], x, foot, room)
            if tree.payload[k] and not tree.place[k, 1]:
                self.text(x, y + BOX + 12, _short(tree.payload[k], 14), size=7.5, ha="center",
                          family="monospace", color=INK2)  # fmt: skip


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(most - 1, 1)] + "…"
