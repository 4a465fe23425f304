"""What a cell shows: definitions with their types and weights, and values.

Data first (`Entry`, `Value`, `Note`, gathered in a `Table`), then `to_text` and
`to_html`; nothing here knows of a session, and nothing of a notebook.

    cell      (R[32], Word) ~> R[32]   ?W 32×32  ?U 32×4  ?b 32   1,184
    encode    [Word] ~> Thought        ○ cell                     1,184
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ..language.palette import underlined
from .style import escape, page


@dataclass(frozen=True)
class Weight:
    """A weight that a definition owns: its path below the definition, its size as
    people read it (`32×4`), and how many numbers it has (None while a size is open)."""

    path: tuple[str, ...]  # ("W",) is ?W; ("dense", "W") belongs to a dense written there
    size: str
    count: int | None


@dataclass(frozen=True)
class Entry:
    """One thing a cell defines.

    `kind` is told where it is no ordinary definition: "representation", "data",
    "size", "alias", "family". `uses` are the definitions whose weights it reaches by
    name, so that they are shared; `count` is all the weights it reaches, None while a
    size is open. `remark` is what is to be said about it: "weights kept".
    """

    name: str
    type: str
    kind: str = ""
    weights: tuple[Weight, ...] = ()
    uses: tuple[str, ...] = ()
    count: int | None = 0
    remark: str = ""


@dataclass(frozen=True, eq=False)
class Value:
    """The value of an expression: an array, a number, a tuple of values, or, for what
    has no numbers to show (a function, a tree), its text."""

    type: str
    value: Any
    name: str = ""  # what was written, if that helps


@dataclass(frozen=True)
class Note:
    """A sentence about the cell: a default that was taken, a name that is shadowed.

    `details` are lines for those who want them: folded in a notebook.
    """

    text: str
    severity: str = "note"  # or "warning"
    details: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Table:
    """All that a cell shows, in the order of the cell."""

    items: tuple[Entry | Value, ...] = ()
    notes: tuple[Note, ...] = ()
    representations: tuple[str, ...] = ()  # the session's, in order of declaration
    total: int | None = field(default=None)  # weights in all, each counted once

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(item for item in self.items if isinstance(item, Entry))

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(item for item in self.items if isinstance(item, Value))


@dataclass(frozen=True)
class Grid:
    """Rows under headings; the columns in `numbers` are set to the right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


RING = "○"
_SHARED = "used by name, so the same weights"


# --- as text -----------------------------------------------------------------------------


def to_text(table: Table) -> str:
    """The table for a terminal.

    >>> entry = Entry("f", "R[2] ~> R", weights=(Weight(("W",), "2", 2),), count=2)
    >>> print(to_text(Table((entry,))))
    f   R[2] ~> R   ?W 2   2
    """
    lines: list[str] = []
    if table.entries:
        rows = [(e.name, e.type, _more_text(e), _count(e)) for e in table.entries]
        lines += columns(rows, right=(3,))
        lines += _foot_text(table)
    for value in table.values:
        lines += _value_text(value)
    for note in table.notes:
        lines.append(f"{note.severity}: {note.text}")
        lines += [f"  {detail}" for detail in note.details]
    return "\n".join(lines)


def columns(
    rows: Sequence[Sequence[str]], right: Sequence[int] = (), gap: str = "   "
) -> list[str]:
    """Rows of text under each other; columns that nothing stands in are left out."""
    kept = [k for k in range(len(rows[0])) if any(row[k] for row in rows)]
    width = {k: max(len(row[k]) for row in rows) for k in kept}
    return [
        gap.join(
            row[k].rjust(width[k]) if k in right else row[k].ljust(width[k]) for k in kept
        ).rstrip()
        for row in rows
    ]


def _grouped(weights: Sequence[Weight]) -> list[tuple[str, str]]:
    """Holes of the definition one by one, those of a family's occurrence together."""
    groups: dict[str, list[str]] = {}
    for weight in weights:
        head = f"?{weight.path[0]}" if len(weight.path) == 1 else weight.path[0]
        groups.setdefault(head, []).append(weight.size)
    return [(head, " + ".join(sizes)) for head, sizes in groups.items()]


def _more_text(entry: Entry) -> str:
    parts = [entry.kind] if entry.kind else []
    parts += [f"{head} {size}" for head, size in _grouped(entry.weights)]
    parts += [f"{RING} {name}" for name in entry.uses]
    text = "  ".join(parts)
    return f"{text}, {entry.remark}" if text and entry.remark else text or entry.remark


def _count(entry: Entry) -> str:
    if entry.count is None:
        return "open"
    return f"{entry.count:,}" if entry.count else ""


def _foot_text(table: Table) -> list[str]:
    lines = []
    if any(entry.uses for entry in table.entries):
        lines.append(f"{RING} {_SHARED}")
    if table.total and sum(1 for entry in table.entries if entry.count) > 1:
        lines.append(f"{table.total:,} weights in all")
    return ["", *lines] if lines else []


def _value_text(value: Value) -> list[str]:
    heading = f"{value.name} : {value.type}" if value.name else value.type
    shown = _plain(value.value).split("\n")
    if len(shown) == 1 and len(heading) + len(shown[0]) < 96:
        return [f"{shown[0]} : {value.type}" if not value.name else f"{heading} = {shown[0]}"]
    return [heading, *("  " + line for line in shown)]


def _plain(value: Any) -> str:
    """A value's numbers as text, without its type."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        parts = [_plain(part) for part in value]
        if all("\n" not in part for part in parts) and sum(map(len, parts)) < 88:
            return "(" + ", ".join(parts) + ")"
        body = ",\n".join(parts).replace("\n", "\n ")
        return f"({body})"
    array = numpy.asarray(value)
    if array.dtype == object:
        return str(value)
    if array.ndim == 0:
        return number(array.item())
    with numpy.printoptions(precision=6, threshold=200, edgeitems=4, linewidth=92, suppress=True):
        return numpy.array2string(array, separator=", ")


def number(value: Any) -> str:
    """A single number, six digits, as short as it goes.

    >>> number(0.5), number(2.0), number(1234567.0), number(True), number(-1e-9)
    ('0.5', '2', '1.23457e+06', 'True', '-1e-09')
    """
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, complex):
        return f"{value:.6g}"
    return f"{value:.6g}"


def grid_to_text(grid: Grid) -> str:
    """
    >>> print(grid_to_text(Grid(("path", "count"), (("cell.W", "1,024"), ("b", "32")), (1,))))
    path     count
    cell.W   1,024
    b           32
    """
    lines = columns([grid.headings, *grid.rows], right=grid.numbers)
    return "\n".join([*lines, *grid.notes])


# --- as HTML -----------------------------------------------------------------------------


def to_html(table: Table) -> str:
    """The table for a notebook."""
    parts = []
    if table.entries:
        rows = "".join(_entry_html(entry, table.representations) for entry in table.entries)
        parts.append(f'<table class="rows"><tbody>{rows}</tbody></table>{_foot_html(table)}')
    parts += [_value_html(value, table.representations) for value in table.values]
    parts += map(_note_html, table.notes)
    return page("".join(parts))


def _note_html(note: Note) -> str:
    def code(text: str) -> str:
        return re.sub("`([^`]*)`", r'<span class="code">\1</span>', escape(text))

    said = "" if note.severity == "note" else f"<b>{escape(note.severity)}</b> "
    if not note.details:
        return f'<div class="small">{said}{code(note.text)}</div>'
    lines = "".join(f"<div>{code(detail)}</div>" for detail in note.details)
    summary = f"<summary>{said}{code(note.text)}</summary>"
    return f'<details class="small">{summary}{lines}</details>'


def _entry_html(entry: Entry, representations: Sequence[str]) -> str:
    more = [escape(entry.kind)] if entry.kind else []
    for head, size in _grouped(entry.weights):
        mark = f'<span class="hole">{escape(head)}</span>' if head[0] == "?" else escape(head)
        more.append(f"{mark} {escape(size)}")
    ring = '<span class="ring"></span>'
    more += [f"{ring}{escape(name)}" for name in entry.uses]
    text = "&ensp;".join(more)
    if entry.remark:
        text = f"{text}, {escape(entry.remark)}" if text else escape(entry.remark)
    borrowed = " borrowed" if entry.uses and not entry.weights else ""
    return (
        f'<tr><td class="name">{underlined(entry.name, representations)}</td>'
        f'<td class="type">{underlined(entry.type, representations)}</td>'
        f'<td class="more">{text}</td>'
        f'<td class="count{borrowed}">{escape(_count(entry))}</td></tr>'
    )


def _foot_html(table: Table) -> str:
    left = right = ""
    if any(entry.uses for entry in table.entries):
        left = f'<span class="ring"></span>{_SHARED}'
    if table.total and sum(1 for entry in table.entries if entry.count) > 1:
        right = f"{table.total:,} weights in all"
    if not left and not right:
        return ""
    return f'<div class="foot small"><span>{left}</span><span>{right}</span></div>'


def _value_html(value: Value, representations: Sequence[str]) -> str:
    caption = underlined(value.type, representations)
    label = f'<div class="code">{caption}</div>'
    if value.name:
        label = f'<div class="code"><b>{escape(value.name)}</b></div>{label}'
    label += f'<div class="small">{escape(extent(value.value))}</div>'
    return (
        f'<div class="value"><div class="label">{label}</div>'
        f'<div class="shown">{_numbers_html(value.value)}</div></div>'
    )


def extent(value: Any) -> str:
    """Between what numbers the entries of an array lie."""
    if isinstance(value, str | tuple):
        return ""
    array = numpy.asarray(value)
    if array.size < 2 or array.dtype.kind not in "fiu":
        return ""
    finite = array[numpy.isfinite(array)]
    if not finite.size:
        return "not a finite number among them"
    said = f"from {finite.min().item():.3g} to {finite.max().item():.3g}"
    missing = array.size - finite.size
    return said.replace("-", "−") + (f", {missing:,} not finite" if missing else "")


def _numbers_html(value: Any) -> str:
    """Numbers tinted by sign where they fit, a strip for a vector, else text."""
    if isinstance(value, tuple):
        return "".join(f"<div>{_numbers_html(part)}</div>" for part in value) or "()"
    array = None if isinstance(value, str) else numpy.asarray(value)
    if array is None or array.dtype.kind != "f" or array.ndim == 0 or not array.size:
        return f"<pre>{escape(_plain(value))}</pre>"
    if array.ndim == 1 and array.size <= 8:
        array = array[None]
    if array.ndim == 2 and array.shape[0] <= 12 and array.shape[1] <= 8:
        return _table_of_numbers(array)
    if array.ndim == 1 and array.size <= 96:
        cells = "".join(_tint(x, _scale(array)) for x in array)
        return f'<div class="strip" title="{escape(_plain(array))}">{cells}</div>'
    return f"<pre>{escape(_plain(array))}</pre>"


def _table_of_numbers(array: numpy.ndarray) -> str:
    scale = _scale(array)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_tint(x, scale)}<b>{_short(x)}</b></td>" for x in row) + "</tr>"
        for row in array
    )
    return f'<table class="numbers"><tbody>{rows}</tbody></table>'


def _scale(array: numpy.ndarray) -> float:
    finite = numpy.abs(array[numpy.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def _tint(x: float, scale: float) -> str:
    """A mark whose colour is the sign and whose opacity the magnitude; zero is paper."""
    strength = 0.85 * abs(float(x)) / scale if scale and numpy.isfinite(x) else 0.0
    sign = "neg" if x < 0 else "pos"
    return f'<i class="{sign}" style="opacity:{strength:.2f}"></i>'


def _short(x: float) -> str:
    """Two decimals where they tell something, else three digits."""
    plain = f"{x:.2f}" if abs(x) >= 0.05 or x == 0 else f"{x:.2g}"
    return (plain if abs(x) < 1e4 else f"{x:.3g}").replace("-", "−")


def grid_to_html(grid: Grid) -> str:
    """The rows as a table."""

    def row(cells: Sequence[str], tag: str) -> str:
        made = [
            f"<{tag}{' class=count' if k in grid.numbers else ''}>{escape(cell)}</{tag}>"
            for k, cell in enumerate(cells)
        ]
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(row(cells, "td") for cells in grid.rows)
    notes = "".join(f'<div class="small">{escape(note)}</div>' for note in grid.notes)
    head = row(grid.headings, "th")
    return page(f'<table class="rows"><thead>{head}</thead><tbody>{body}</tbody></table>{notes}')
