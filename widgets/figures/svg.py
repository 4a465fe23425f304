"""Figures as SVG: as a file, and for a page, in whose colours they are."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from nnfp_kernel.language.palette import HAIR, INK, INK2, INK3, LINE, PAPER, REPRESENTATIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FITTING = "max-width:100%;height:auto"


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
