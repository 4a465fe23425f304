"""What is drawn of what has no numbers: a function's wiring, a linear map's structure."""

from __future__ import annotations

from collections.abc import Sequence

from ...language.palette import picture
from ..structure import Part, Structure
from ..style import alone, escape
from ..wiring import Wiring, svg, to_svg
from ..wiring.text import diagram_text
from . import Picture
from .pictures import coordinate

CELL = 6  # pixels of an entry of a matrix
PARTS = 6  # that are drawn


def of_function(wiring: Wiring, latex: str = "") -> Picture:
    """A function as its boxes and wires, and as mathematics where that is at hand."""
    said = diagram_text(wiring.diagram)
    drawn = "".join(svg.svg(each, "wiring diagram") for _, each in wiring.pictures)
    shown = picture(drawn, f"<pre>{escape(said)}</pre>")
    return Picture(said, shown, to_svg(wiring), latex)


def of_linear_map(found: Structure) -> Picture:
    """A linear map as the patterns of its factors, or of its terms, and in words."""
    size = f"{found.rows}×{found.columns}"
    held = f"Holds {found.holds}. No {size} matrix is formed until `matrix`."
    parts = [part for part in found.parts[:PARTS] if part.cells and part.cells[0]]
    between = f' <span class="code">{escape(found.joined)}</span> '
    drawn = between.join(pattern(part) for part in parts)
    words = f'<div>{escape(found.words)}</div><div class="small">{_code(held)}</div>'
    shown = f'<div class="structure">{picture(drawn) if parts else ""}<div>{words}</div></div>'
    return Picture(f"{found.words}\n{held.replace('`', '')}", shown, _standalone(found, parts))


def _code(said: str) -> str:
    first, code, rest = escape(said).split("`")
    return f'{first}<span class="code">{code}</span>{rest}'


def pattern(part: Part) -> str:
    """Where a matrix may have entries, as a small drawing."""
    width, height = _size(part)
    return (
        f'<svg class="drawing" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img"><title>{escape(part.words)}</title>'
        f"{_pattern(part)}</svg>"
    )


def _size(part: Part) -> tuple[int, int]:
    return CELL * len(part.cells[0]) + 1, CELL * len(part.cells) + 1


def _pattern(part: Part) -> str:
    width, height = _size(part)
    squares = "".join(
        f"M{CELL * k + 1} {CELL * row + 1}h{CELL - 1}v{CELL - 1}h-{CELL - 1}z"
        for row, flags in enumerate(part.cells)
        for k, flag in enumerate(flags)
        if flag
    )
    frame = f'<rect class="frame" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}"/>'
    return f'<path class="entries" d="{squares}"/>{frame}'


def _standalone(found: Structure, parts: Sequence[Part]) -> str:
    body, across, height = "", 0.0, 0
    for k, part in enumerate(parts):
        if k:
            body += f'<text class="name" x="{coordinate(across + 9)}" y="24">{found.joined}</text>'
            across += 36
        body += f'<g transform="translate({coordinate(across)} 0)">{_pattern(part)}</g>'
        across, height = across + _size(part)[0], max(height, _size(part)[1])
    body += f'<text class="tick" x="0" y="{height + 18}">{escape(found.words)}</text>'
    width = max(across, 6.5 * len(found.words))
    return alone(body, coordinate(width), str(height + 26))
