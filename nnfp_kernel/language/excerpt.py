"""The lines of a program that a mistake speaks of, with marks under them, as rows of styled
pieces: laid out once, for text and for HTML (diagnostics.py).
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .source import Source, Span

if TYPE_CHECKING:
    from .diagnostics import Diagnostic, Label

WIDTH = 88
"""How wide sentences run; longer lines of a program are cut around the place."""

# gutter · source · primary · secondary · label (what a mark says) · other (lines that
# only explain) — what each looks like is decided by the two writers below.
Piece = tuple[str, str]
Row = list[Piece]


def shortened(text: str, longest: int) -> str:
    """Text on one line, cut where it is longer than so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def excerpt(diagnostic: Diagnostic, context: bool) -> list[Row]:
    """The lines of the program a diagnostic speaks of, with marks under them.

    With `context` also the line above, and those that a label already names.
    """
    marks = [_Mark(diagnostic.primary, True)]
    marks += [_Mark(label, False) for label in diagnostic.secondary if context >= label.context]
    marks = [mark for mark in marks if mark.span.source.text]
    if not marks:
        return []
    last_line = max(mark.span.end_line for mark in marks)
    width = max(3, len(str(last_line)))
    rows: list[Row] = []
    here = diagnostic.primary.span.source
    for group in _groups(marks, context):
        if rows or group.source != here:
            rows.append([("gutter", " " * width + " │")])
        if group.source != here:
            rows.append([("gutter", " " * width + " ┌ "), ("other", group.source.name)])
            here = group.source
        rows += group.rows(width)
    return rows


@dataclass
class _Mark:
    """A label on its way into an excerpt."""

    label: Label
    primary: bool

    @property
    def span(self) -> Span:
        return self.label.span

    @property
    def style(self) -> str:
        return "primary" if self.primary else "secondary"

    @property
    def character(self) -> str:
        return "^" if self.primary else "-"

    @property
    def long(self) -> bool:
        """Whether it runs over several lines."""
        return self.span.end_line > self.span.line


@dataclass
class _Group:
    """Lines of one source that are shown together, and the marks on them."""

    source: Source
    lines: set[int]
    marks: list[_Mark] = field(default_factory=list)

    def rows(self, width: int) -> list[Row]:
        long = [mark for mark in self.marks if mark.long]
        short = [mark for mark in self.marks if not mark.long]
        rows: list[Row] = []
        previous = 0
        for line in sorted(self.lines):
            if previous and line > previous + 1:
                rows.append([("gutter", " " * width + " ⋯")])
            previous = line
            before = [("gutter", f"{line:>{width}} │ "), *_margin(long, line)]
            below = [("gutter", f"{'':>{width}} │ "), *_margin(long, line, below=True)]
            text = _Line(self.source.line(line), [m for m in short if m.span.line == line])
            primary = any(mark.primary for mark in self.marks)
            marked = any(mark.span.line <= line <= mark.span.end_line for mark in self.marks)
            kind = "source" if primary and marked else "other"
            rows.append([*before, (kind, text.shown)])
            rows += [[*below, *row] for row in text.marks()]
            for mark in long:
                if mark.span.end_line == line:
                    rows.append([*below[:1], *_margin_end(long, mark, line)])
        return rows


def _groups(marks: list[_Mark], context: bool) -> list[_Group]:
    """The marks by source and nearness; the primary's lines come first."""
    primary = marks[0]
    lines = _shown_lines(primary.span)
    above = primary.span.line - 1
    if context and above > 0 and primary.span.source.line(above).strip():
        lines.add(above)
    groups = [_Group(primary.span.source, lines, [primary])]
    rest = sorted(marks[1:], key=lambda mark: (mark.span.line, mark.span.column))
    sources = list(dict.fromkeys(mark.span.source for mark in marks))
    for source in sources:
        for mark in (mark for mark in rest if mark.span.source == source):
            lines = _shown_lines(mark.span)
            home = next((g for g in groups if g.source == source and g.lines & lines), None)
            if home is None and groups[-1].source == source and groups[-1] is not groups[0]:
                home = groups[-1]  # lines that only explain stand together
            if home is None:
                home = _Group(source, set())
                groups.append(home)
            home.lines |= lines
            home.marks.append(mark)
    return groups


def _shown_lines(span: Span) -> set[int]:
    """The lines of a span; of a long one its beginning and its end."""
    lines = range(span.line, span.end_line + 1)
    return set(lines) if len(lines) <= 6 else {*lines[:3], *lines[-2:]}


def _margin(long: list[_Mark], line: int, below: bool = False) -> list[Piece]:
    """For every mark over several lines a bar beside the lines it covers."""
    pieces = []
    for mark in long:
        first, last = mark.span.line, mark.span.end_line
        bar = " "
        if first <= line <= last:
            bar = "╭" if line == first and not below else "│"
        pieces.append((mark.style, bar + " "))
    return pieces


def _margin_end(long: list[_Mark], ending: _Mark, line: int) -> list[Piece]:
    """The row below the last line of a long mark: its bar turns to what it says."""
    pieces: list[Piece] = []
    for mark in long:
        if mark is ending:
            rest = "──" * (len(long) - len(pieces) - 1)
            pieces.append((mark.style, f"╰─{rest}"))
            pieces.append(("label", " " + mark.label.text if mark.label.text else ""))
            break
        covers = mark.span.line <= line < mark.span.end_line
        pieces.append((mark.style, "│ " if covers else "  "))
    return pieces


class _Line:
    """One line of a program as it is shown, and the rows of marks under it."""

    def __init__(self, text: str, marks: list[_Mark]) -> None:
        shown: list[str] = []
        columns = [0]  # where each character starts on the screen
        for character in text:
            drawn, width = _drawn(character)
            shown.append(drawn)
            columns.append(columns[-1] + width)
        self._columns = columns
        self._first, self._last = 0, len(text)
        if columns[-1] > 1.25 * WIDTH:
            self._cut(marks)
        pieces = shown[self._first : self._last]
        self._lead = 2 if self._first else 0
        self.shown = "… " * bool(self._first) + "".join(pieces).rstrip()
        self.shown += " …" * (self._last < len(text))
        self._placed = [(self._place(mark), self._said(mark)) for mark in marks]

    def _cut(self, marks: list[_Mark]) -> None:
        """Choose the part of a long line to show: around its first mark, the primary's."""
        start = next((m.span.column for m in marks if m.primary), None)
        if start is None:
            start = min((mark.span.column for mark in marks), default=1)
        self._first = max(0, min(start - 1, len(self._columns) - 1) - 30)
        if self._first < 8:
            self._first = 0
        while (
            self._last > self._first
            and self._columns[self._last] - self._columns[self._first] > WIDTH
        ):
            self._last -= 1

    def _said(self, mark: _Mark) -> _Mark:
        """A mark; one on a part that is cut away says where it really is."""
        column = mark.span.column
        if self._first < column <= self._last + 1 or column > len(self._columns):
            return mark
        text = f"{mark.label.text} (column {column})".lstrip()
        return _Mark(replace(mark.label, text=text), mark.primary)

    def _place(self, mark: _Mark) -> tuple[int, int]:
        """From where to where a mark runs on the screen, at least one column wide."""
        count = len(self._columns) - 1

        def screen(column: int) -> int:
            index = column - 1
            past = max(0, index - count)
            index = min(max(index, self._first), self._last if past == 0 else count)
            return self._columns[index] - self._columns[self._first] + self._lead + past

        start = screen(mark.span.column)
        stop = max(screen(mark.span.end_column), start + 1)
        if mark.span.end_column <= self._first + 1:  # cut away on the left: under the `…`
            return 0, 1
        if self._last < mark.span.column <= count:  # … and on the right
            start = screen(self._last + 1) + 1
            return start, start + 1
        return start, stop

    def marks(self) -> Iterator[Row]:
        """Rows of carets and dashes. Marks that overlap get rows of their own; the
        rightmost of a row says its text beside it, the others below, right to left."""
        rows: list[list[tuple[tuple[int, int], _Mark]]] = []
        for place, mark in sorted(self._placed, key=lambda placed: not placed[1].primary):
            for row in rows:
                if all(place[1] <= other[0] or other[1] <= place[0] for other, _ in row):
                    row.append((place, mark))
                    break
            else:
                rows.append([(place, mark)])
        for row in rows:
            row.sort(key=lambda placed: placed[0])
            canvas = _Canvas()
            for (start, stop), mark in row:
                canvas.put(start, mark.character * (stop - start), mark.style)
            said = [placed for placed in row if placed[1].label.text]
            beside = _wrapped_label(row[-1][1], canvas.end + 1) if row[-1] in said else []
            if beside:
                said.pop()
                canvas.put(canvas.end + 1, beside[0], _label_style(row[-1][1]))
            yield canvas.row
            column = canvas.end - len(beside[0]) if beside else 0
            for line in beside[1:]:
                yield self._hanging(said, column, line, row[-1][1])
            while said:
                (start, _), mark = said.pop()
                for line in _wrapped_label(mark, start) or [mark.label.text]:
                    yield self._hanging(said, start, line, mark)

    def _hanging(
        self, waiting: list[tuple[tuple[int, int], _Mark]], column: int, line: str, mark: _Mark
    ) -> Row:
        """A line of what a mark says, below it, with bars down from those not yet told."""
        canvas = _Canvas()
        for (left, _), other in waiting:
            canvas.put(left, "│", other.style)
        canvas.put(column, line, _label_style(mark))
        return canvas.row


def _wrapped_label(mark: _Mark, column: int) -> list[str]:
    """What a mark says from this column on, in lines; none where there is no room."""
    text, room = mark.label.text, WIDTH + 6 - column
    if width(text) <= room:
        return [text]
    return textwrap.wrap(text, room, break_on_hyphens=False) if room >= 36 else []


def _label_style(mark: _Mark) -> str:
    return "label primary-label" if mark.primary else "label"


class _Canvas:
    """A row that is filled from left to right, at columns."""

    def __init__(self) -> None:
        self.row: Row = []
        self.end = 0

    def put(self, column: int, text: str, style: str) -> None:
        if column > self.end:
            self.row.append(("space", " " * (column - self.end)))
        self.row.append((style, text))
        self.end = max(column, self.end) + width(text)


_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def _drawn(character: str) -> tuple[str, int]:
    """A character as it is shown, and its width on the screen."""
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        return "    ", 4
    category = unicodedata.category(character)
    if character in _DIRECTION or category in ("Cc", "Cs", "Zl", "Zp"):
        return "\ufffd", 1  # what would move or hide the text around it
    if category in ("Mn", "Me", "Cf"):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width(text: str) -> int:
    return sum(_drawn(character)[1] for character in text)


def harmless(text: str) -> str:
    """Text that may quote the user's, without what would move the text around it."""
    return "".join(c if c == "\n" else _drawn(c)[0] for c in text)
