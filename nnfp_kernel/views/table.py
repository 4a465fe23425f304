"""What a cell shows: definitions with their types and weights, and values.

Data first (`Entry`, `Value`, `Note`, gathered in a `Table`), then `to_text` and
`to_html`; nothing here knows of a session, and nothing of a notebook.

    cell      (R[32], Word) ~> R[32]   ?W 32×32  ?U 32×4  ?b 32   1,184
    encode    [Word] ~> Thought        ○ cell                     1,184
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..language.palette import underlined
from . import values
from .style import coded, escape, page
from .values import Value


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

    @property
    def only(self) -> Value | None:
        """The value of a cell that shows nothing else."""
        (item,) = self.items if len(self.items) == 1 else (None,)
        return item if isinstance(item, Value) else None


@dataclass(frozen=True)
class Grid:
    """Rows under headings; the columns in `numbers` are set to the right."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


RING = "○"
OPEN = 40  # rows of definitions; more are folded
_SHARED = "used by name, so the same weights"


# --- as text -----------------------------------------------------------------------------


def to_text(table: Table) -> str:
    """The table for a terminal.

    >>> entry = Entry("f", "R[2] ~> R", weights=(Weight(("W",), "2", 2),), count=2)
    >>> print(to_text(Table((entry,))))
    f   R[2] ~> R   ?W 2   2
    """
    lines: list[str] = []
    for entries, last in _groups(table):
        if isinstance(entries, Value):
            lines.append(values.to_text(entries))
            continue
        lines += columns([(e.name, e.type, _more_text(e), _count(e)) for e in entries], right=(3,))
        lines += _foot_text(table) if last else []
    for note in table.notes:
        lines.append(f"{note.severity}: {note.text}")
        lines += [f"  {detail}" for detail in note.details]
    return "\n".join(lines)


def _groups(table: Table) -> Iterator[tuple[Value | list[Entry], bool]]:
    """Values one by one, definitions that follow each other together; and whether these
    are the last of them, which the sum stands under."""
    groups: list[Value | list[Entry]] = []
    for item in table.items:
        if isinstance(item, Value):
            groups.append(item)
        elif groups and isinstance(groups[-1], list):
            groups[-1].append(item)
        else:
            groups.append([item])
    tables = [k for k, group in enumerate(groups) if isinstance(group, list)]
    for k, group in enumerate(groups):
        yield group, bool(tables) and k == tables[-1]


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
        lines.append(in_all(table.total))
    return ["", *lines] if lines else []


def in_all(total: int) -> str:
    """
    >>> in_all(1), in_all(2410)
    ('1 weight in all', '2,410 weights in all')
    """
    return f"{total:,} weight{'s' * (total != 1)} in all"


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
    for entries, last in _groups(table):
        if isinstance(entries, Value):
            parts.append(values.to_html(entries, table.representations))
            continue
        parts.append(_entries_html(entries, table.representations))
        parts.append(_foot_html(table) if last else "")
    parts += map(_note_html, table.notes)
    return page("".join(parts))


def _entries_html(entries: Sequence[Entry], representations: Sequence[str]) -> str:
    """Rows of a table; of very many the later ones are folded."""
    rows = [_entry_html(entry, representations) for entry in entries]
    shown = len(rows) if len(rows) <= OPEN else OPEN - 10
    made = f'<table class="rows"><tbody>{"".join(rows[:shown])}</tbody></table>'
    if rows[shown:]:
        rest = f'<table class="rows"><tbody>{"".join(rows[shown:])}</tbody></table>'
        summary = f'<summary class="small">{len(rows) - shown} more</summary>'
        made += f"<details>{summary}{rest}</details>"
    return made


def to_svg(table: Table) -> str:
    """The picture of a cell that shows one value; else nothing: a picture is all of it."""
    return values.to_svg(table.only) if table.only else ""


def to_latex(table: Table) -> str:
    """The mathematics of a cell that shows one value, where it has some."""
    return values.to_latex(table.only) if table.only else ""


def _note_html(note: Note) -> str:
    said = "" if note.severity == "note" else f"<b>{escape(note.severity)}</b> "
    if not note.details:
        return f'<div class="small">{said}{coded(note.text)}</div>'
    lines = "".join(f"<div>{coded(detail)}</div>" for detail in note.details)
    summary = f"<summary>{said}{coded(note.text)}</summary>"
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
        right = in_all(table.total)
    if not left and not right:
        return ""
    return f'<div class="foot small"><div>{left}</div><div>{right}</div></div>'


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
