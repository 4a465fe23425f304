"""What a value looks like: in text, in HTML, as a picture (SVG) and as mathematics (LaTeX).

    numbers.py    numbers and arrays as text, as a tinted table, as a LaTeX matrix
    pictures.py   vectors as strips and curves, matrices as images
    raster.py     an array as a PNG: signs, magnitudes, ink, colours
    trees.py      values of `data` types, as text and drawn

The picture is the value: sign is colour, magnitude its strength, and zero is the paper, so
that one mark serves light and dark. What is long is folded. A function is its wiring, a
linear map its structure: they come as data of their own (`picture`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ...language.palette import underlined
from ..style import alone, escape
from . import pictures, trees
from .numbers import array_text, extent, matrix_latex, number, numbers_table, shape_of
from .pictures import Drawn, coordinate

FOLDED = 16  # lines of text that stand open
ON_A_LINE = 88  # characters of a product
ITEMS = 8  # parts of a product that are shown one by one


@dataclass(frozen=True)
class Picture:
    """What is drawn instead of a value: a function's wiring, a linear map's structure."""

    text: str
    html: str
    svg: str = ""
    latex: str = ""


@dataclass(frozen=True, eq=False)
class Value:
    """The value of an expression: an array, a number, a tuple of values, a tree, or text.

    `name` is what was written, if that helps; `carrier` what the type stands for, where it
    is a representation (`R[32]` of a `Thought`).
    """

    type: str
    value: Any
    name: str = ""
    carrier: str = ""
    picture: Picture | None = field(default=None, repr=False)


# --- as text -----------------------------------------------------------------------------


def to_text(value: Value) -> str:
    """The value for a terminal: on one line with its type if it is short.

    >>> print(to_text(Value("R[2]", numpy.array([1.0, -2.0]))))
    [ 1., -2.] : R[2]
    """
    heading = f"{value.name} : {value.type}" if value.name else value.type
    if value.picture is not None:
        told = value.picture.text
        return "\n".join([heading, *("  " + line for line in told.split("\n") if told)])
    shown = plain(value.value).split("\n")
    if len(shown) == 1 and len(heading) + len(shown[0]) < 96:
        return f"{heading} = {shown[0]}" if value.name else f"{shown[0]} : {value.type}"
    return "\n".join([heading, *("  " + line for line in shown)])


def plain(value: Any) -> str:
    """A value without its type.

    >>> plain((1.5, numpy.array([1, 2]), True))
    '(1.5, [1, 2], True)'
    """
    if isinstance(value, str):
        return value
    if trees.is_tree(value):
        return trees.to_text(value)
    if isinstance(value, tuple):
        parts = [plain(part) for part in value]
        if all("\n" not in part for part in parts) and sum(map(len, parts)) < ON_A_LINE:
            return "(" + ", ".join(parts) + ")"
        body = ",\n".join(parts).replace("\n", "\n ")
        return f"({body})"
    return array_text(value)


# --- as HTML -----------------------------------------------------------------------------


def to_html(value: Value, representations: Sequence[str] = ()) -> str:
    """The value for a notebook: its type on the left, its picture on the right."""
    label = f'<div class="code">{underlined(value.type, representations)}</div>'
    if value.name:
        label += f'<div class="small code">{underlined(value.name, representations)}</div>'
    if value.picture is not None:
        return _row(label, value.picture.html)
    size = trees.extent(value.value) if trees.is_tree(value.value) else extent(value.value)
    parts = (value.carrier, shape_of(value.carrier or value.type, value.value), size)
    said = ", ".join(filter(None, parts))
    if said:
        label += f'<div class="small">{underlined(said, representations)}</div>'
    return _row(label, _shown(value.type, value.value, representations))


def _row(label: str, shown: str) -> str:
    return (
        f'<div class="value"><div class="label">{label}</div><div class="shown">{shown}</div></div>'
    )


def _shown(type: str, value: Any, representations: Sequence[str]) -> str:
    if isinstance(value, tuple) and value:
        return _product(type, value, representations)
    drawn = draw(value)
    if drawn is not None:
        return drawn.html() + folded(drawn.summary, plain(value), True)
    table = numbers_table(value)
    if table:
        return table
    text = plain(value)
    return folded(f"{len(text.splitlines()):,} lines", text, text.count("\n") >= FOLDED)


def _product(type: str, values: tuple[Any, ...], representations: Sequence[str]) -> str:
    """The parts of a product one below the other, each with its type."""
    types = components(type)
    if len(types) != len(values):
        types = [""] * len(values)
    rows = [
        f'<div class="part"><div class="code small">{underlined(each, representations)}</div>'
        f"<div>{_shown(each, part, representations)}</div></div>"
        for each, part in zip(types[:ITEMS], values[:ITEMS], strict=True)
    ]
    if len(values) > ITEMS:
        rows.append(folded(f"{len(values) - ITEMS} more", plain(values[ITEMS:]), True))
    return "".join(rows)


def folded(summary: str, text: str, fold: bool) -> str:
    """Text as it is, or to be opened."""
    shown = f"<pre>{escape(text)}</pre>"
    if not fold:
        return shown
    return f'<details class="small"><summary>{escape(summary)}</summary>{shown}</details>'


def components(type: str) -> list[str]:
    """The parts of a product's type.

    >>> components("(R, (Int, R[2]), [Word])")
    ['R', '(Int, R[2])', '[Word]']
    """
    parts, depth, start = [], 0, 1
    for place, character in enumerate(type):
        depth += (character in "([") - (character in ")]")
        if (character == "," and depth == 1) or (character == ")" and depth == 0):
            parts.append(type[start:place].strip())
            start = place + 1
    return parts if type.startswith("(") and type.endswith(")") and start == len(type) else [type]


# --- as a picture and as mathematics -------------------------------------------------------


def draw(value: Any) -> Drawn | None:
    """The picture of a value, where a picture says more than its numbers."""
    if trees.is_tree(value):
        return trees.draw(value)
    if isinstance(value, str | tuple | list):
        return None
    return pictures.draw(numpy.asarray(value))


def to_svg(value: Value) -> str:
    """The value as an SVG file of its own; empty where it has no picture."""
    if value.picture is not None:
        return value.picture.svg
    drawn = draw(value.value)
    if drawn is None:
        return ""
    return alone(drawn.body, coordinate(drawn.width), coordinate(drawn.height))


def to_latex(value: Value) -> str:
    """The value as mathematics: a number, a vector, a small matrix; else empty."""
    if value.picture is not None:
        return value.picture.latex
    return matrix_latex(value.value)


__all__ = ["Value", "components", "draw", "extent", "folded", "number", "plain", "to_html",
           "to_latex", "to_svg", "to_text"]  # fmt: skip
