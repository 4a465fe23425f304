"""The wire that does not fit, drawn small: what one function gives, what the next takes.

A mistake carries it as data (`Misfit`); here it becomes a picture for its HTML, with the
marks of the wiring diagrams of views/: a plug that does not enter a socket.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .excerpt import shortened

LONGEST = 26  # characters of a name or a type
CHARACTER = 7.3


@dataclass(frozen=True, slots=True)
class Misfit:
    """What does not fit: `before` gives a `gives`, `after` takes a `takes` (and gives a
    `result`). `remark` stands below: `same numbers, different representation`; `carrier`
    is what both are made of, then."""

    before: str
    gives: str
    takes: str
    after: str
    result: str = ""
    remark: str = ""
    is_value: bool = False  # `before` is no function, but what is handed over
    carrier: str = ""


def drawing(misfit: Misfit, representations: Sequence[str] = ()) -> str:
    """The misfit as SVG.

    >>> shown = drawing(Misfit("encode", "R[32]", "R[16]", "decode", "R[8]"))
    >>> "encode" in shown, shown.count("<rect")
    (True, 2)
    """
    before, after = _name(misfit.before), _name(misfit.after)
    gives, takes, result = map(_name, (misfit.gives, misfit.takes, misfit.result))
    first, second = _box(before), _box(after)
    left, right = (len(text) * CHARACTER + 28 for text in (gives, takes))
    plug = 8 + first + left
    socket = plug + 46
    box = socket + right
    end = box + second
    width = end + (len(result) * CHARACTER + 24 if result else 8)
    colour, other = _stroke(gives, representations), _stroke(takes, representations)
    y = 40
    parts = [
        _wire(8 + first, plug, y, colour, gives), _plug(plug, y, colour), _cross(plug + 24, y),
        _socket(socket, y, other), _wire(socket, box, y, other, takes),
    ]  # fmt: skip
    if result:
        out = _stroke(result, representations)
        parts += [_wire(end, width - 8, y, out, result), _head(width, y, out)]
        parts.append(_text((end + width - 8) / 2, y - 8, result))
    parts += [
        _rectangle(8, y, first, 17 if misfit.is_value else 4), _text(8 + first / 2, y + 4, before),
        _rectangle(box, y, second, 4), _text(box + second / 2, y + 4, after),
        _text(8 + first + left / 2, y - 8, gives), _text((socket + box) / 2, y - 8, takes),
    ]  # fmt: skip
    if misfit.carrier:
        for x in (8 + first + left / 2, (socket + box) / 2):
            parts.append(_text(x, y + 17, _name(misfit.carrier), "--nn-ink2"))
    if misfit.remark:
        parts.append(_text(plug + 24, y + 36, misfit.remark, "--nn-ink3", "--nn-ui"))
        width = max(width, plug + 24 + len(misfit.remark) * 3.5)
    size = f'width="{_number(width)}" height="80" viewBox="0 0 {_number(width)} 80"'
    said = html.escape(f"{before} gives {gives}, {after} takes {takes}: they do not fit")
    title = f"<title>{said}</title>"
    style = 'style="display:block;max-width:100%;height:auto"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {style}>{title}' + (
        "".join(parts) + "</svg>"
    )


def _name(text: str) -> str:
    return shortened(text, LONGEST)


def _box(text: str) -> float:
    return max(len(text) * CHARACTER + 22, 36)


def _stroke(type: str, representations: Sequence[str]) -> str:
    """The colour of the representation that a type is made of."""
    names = [name for name in re.findall(r"\w+", type) if name in representations]
    if not names:
        return "#7b8794"
    return f"var(--rep{representations.index(names[0]) % 6 + 1})"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _wire(x0: float, x1: float, y: float, colour: str, type: str) -> str:
    """A wire; a sequence is a double one."""
    heights = (y - 2, y + 2) if type.startswith("[") else (y,)
    shape = "".join(f"M{_number(x0)} {at}H{_number(x1)}" for at in heights)
    width = "1.6" if len(heights) > 1 else "2"
    return f'<path d="{shape}" style="fill:none;stroke:{colour};stroke-width:{width}"/>'


def _plug(x: float, y: float, colour: str) -> str:
    shape = f"M{_number(x)} {y - 9}A11 9 0 0 1 {_number(x)} {y + 9}Z"
    return f'<path d="{shape}" style="fill:{colour}"/>'


def _socket(x: float, y: float, colour: str) -> str:
    shape = f"M{_number(x - 9)} {y - 10}h9v20h-9l7 -10z"
    return f'<path d="{shape}" style="fill:{colour}"/>'


def _cross(x: float, y: float) -> str:
    shape = f"M{_number(x - 6)} {y - 6}l12 12m0 -12l-12 12"
    return f'<path d="{shape}" style="fill:none;stroke:var(--nn-error);stroke-width:2"/>'


def _head(x: float, y: float, colour: str) -> str:
    shape = f"M{_number(x)} {y}l-8 -4v8z"
    return f'<path d="{shape}" style="fill:{colour}"/>'


def _rectangle(x: float, y: float, width: float, round: int) -> str:
    place = f'x="{_number(x)}" y="{y - 17}" width="{_number(width)}" height="34" rx="{round}"'
    return f'<rect {place} style="fill:var(--nn-paper);stroke:var(--nn-ink);stroke-width:1.2"/>'


def _text(x: float, y: float, text: str, colour: str = "--nn-ink", font: str = "--nn-code") -> str:
    style = f"fill:var({colour});font:12px var({font});text-anchor:middle"
    return f'<text x="{_number(x)}" y="{y}" style="{style}">{html.escape(text)}</text>'
