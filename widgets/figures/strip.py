"""Every stage beside the other, with what is measured of it below: one axis, the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from nnfp_kernel.language.palette import HAIR, INK, INK2, INK3, PAPER
from nnfp_kernel.views.geometry.strip import Strip
from nnfp_kernel.views.geometry.text import measured, measures

from . import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any
COLUMNS = 8
ROW = 0.56  # inches, of a measure
BARS = 0.8
HEAD, TYPES = 0.3, 0.24
LONGEST_BARS = 40


def strip(found: Strip) -> Figure:
    """One panel for each stage, each on its own scale, and under it the dimension of its data,
    their alignment with the input, how well flat cuts part the classes, and their bars.

    A measure has one scale through all stages, beginning at 0.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.geometry import strip as geometry
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session()
    >>> _ = session.run("half : R[2] -> R[2]\\nhalf x = tanh x")
    >>> points = numpy.random.default_rng(0).normal(size=(100, 2))
    >>> made = strip(geometry.strip(scene(session["half"], points)))
    >>> len(made.axes)  # two panels, and one sheet for all words and lines
    3
    """
    from .drawing import Drawing

    scene = found.scene
    count = len(scene.states)
    columns = panels.even(count, COLUMNS)
    blocks = [range(k, min(k + columns, count)) for k in range(0, count, columns)]
    cell = min(panels.WIDTH / columns, 1.7)
    measured_here = measures(found)
    block = HEAD + cell + TYPES + ROW * len(measured_here) + (BARS if found.bars else 0) + 0.12
    width, high = cell * columns, block * len(blocks) + 0.22
    with panels.settings():
        made = Drawing(figsize=(width, high), facecolor=PAPER)
        states = [panels.flat(scene.seen(k)) for k in range(count)]
        sheet = made.add_axes((0, 0, 1, 1))
        sheet.set_xlim(0, width)
        sheet.set_ylim(0, high)
        sheet.axis("off")
        for number_of_block, own in enumerate(blocks):
            top = high - number_of_block * block
            for column, k in enumerate(own):
                _column(made, sheet, found, k, states[k], (column * cell, top), cell)
            centres = [(column + 0.5) * cell for column in range(len(own))]
            below = top - HEAD - cell - TYPES
            for name, values, told in measured_here:
                part = [values[k] for k in own]
                _line(sheet, name, part, told, centres, below, width, _reach(values))
                below -= ROW
            if found.bars:
                _rule(sheet, "pieces and holes", below, width)
                for x, k in zip(centres, own, strict=True):
                    _barcode(made, sheet, found, k, x, below, cell)
        sheet.text(width / 2, 0.06, measured(found), size=6.3, color=INK2, ha="center", va="bottom")
    return made


def _reach(values: Sequence[float]) -> float:
    known = [value for value in values if not numpy.isnan(value)]
    return max([*known, 1e-9])


def _column(
    figure: Figure, sheet: Any, found: Strip, k: int, state: Array, corner: tuple[float, float],
    cell: float,
) -> None:  # fmt: skip
    scene, (x, top) = found.scene, corner
    width, high = figure.get_size_inches()
    inset = 0.09 * cell
    axes = figure.add_axes(
        ((x + inset) / width, (top - HEAD - cell + inset) / high,
         (cell - 2 * inset) / width, (cell - 2 * inset) / high)
    )  # fmt: skip
    axes.set_aspect("equal")
    axes.axis("off")
    panels.whole(axes, scene, state, k, 2.4)
    panels.focus(axes, state, panels.extent(state))
    label, middle = scene.labels[k], x + cell / 2
    size = min(8.0, 118 * cell / max(len(label), 1))
    how: dict[str, Any] = {"ha": "center", "family": panels.CODE, "parse_math": False}
    sheet.text(middle, top - 0.22, label, size=max(size, 4.5), color=INK, **how)
    sheet.text(middle, top - HEAD - cell - 0.07, scene.types[k], size=6.3, color=INK2, **how)


def _rule(sheet: Any, name: str, top: float, width: float) -> None:
    sheet.plot([0.08, width - 0.08], [top, top], color=HAIR, linewidth=0.8)
    sheet.text(0.08, top - 0.05, name, size=6.3, color=INK3, ha="left", va="top")


def _line(
    sheet: Any, name: str, values: Sequence[float], told: Callable[[float], str],
    centres: Sequence[float], top: float, width: float, reach: float,
) -> None:  # fmt: skip
    """A measure: dots over the columns, as high as it is, joined, with the numbers below."""
    _rule(sheet, name, top, width)
    floor, room = top - ROW + 0.19, ROW - 0.38
    heights = [floor + room * (0 if numpy.isnan(v) else max(v, 0) / reach) for v in values]
    shown = [not numpy.isnan(v) for v in values]
    sheet.plot(
        [x for x, on in zip(centres, shown, strict=True) if on],
        [y for y, on in zip(heights, shown, strict=True) if on],
        color=INK, linewidth=1, marker="o", markersize=2.6,
    )  # fmt: skip
    for x, value in zip(centres, values, strict=True):
        sheet.text(x, floor - 0.07, told(value), size=6.8, color=INK, ha="center", va="top")


def _barcode(
    figure: Figure, sheet: Any, found: Strip, k: int, x: float, top: float, cell: float
) -> None:
    """The longest bars: of pieces in grey, of holes in ink; a dotted line where they are
    counted."""
    own = found.bars[k]
    left, floor = x - 0.38 * cell, top - BARS + 0.22
    reach = max(
        [float(bars[numpy.isfinite(bars)].max()) for bars in own.bars if len(bars)] + [own.scale]
    ) * 1.08  # fmt: skip
    room = BARS - 0.42
    for degree, (bars, colour) in enumerate(zip(own.bars, (INK3, INK), strict=False)):
        ends = numpy.minimum(bars, reach)
        order = numpy.argsort(ends[:, 0] - ends[:, 1])[: LONGEST_BARS // 2]
        step = room / LONGEST_BARS
        for place, (birth, death) in enumerate(ends[order]):
            y = floor + room - (place + degree * LONGEST_BARS / 2 + 0.5) * step
            ends_x = [left + 0.76 * cell * birth / reach, left + 0.76 * cell * death / reach]
            sheet.plot(ends_x, [y, y], color=colour, linewidth=0.55, solid_capstyle="butt")
    at = left + 0.76 * cell * own.scale / reach
    sheet.plot([at, at], [floor, floor + room], color=INK2, linewidth=0.7, linestyle=(0, (1, 2)))
    pieces, holes = own.betti
    sheet.text(x, floor - 0.06, f"{pieces}, {holes}", size=6.8, color=INK, ha="center", va="top")
