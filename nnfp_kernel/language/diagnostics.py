"""A mistake is data first: a diagnostic, its labels, and what to write instead.

`NnfpError` carries one or several diagnostics to the user; how they look in a
terminal and in a notebook is decided here and nowhere else:

    error: these representations do not compose            cell 3, line 4, columns 23-28
      4 │ translate = encode >> decode
        │             ------    ^^^^^^ takes a Picture
        │             gives a Thought (line 2)
    Both are R[128], but a Thought is not a Picture. If you mean it, convert:
        encode >> (\\(Thought t) -> Picture t) >> decode

An excerpt is laid out once, as rows of styled pieces, and then written as text, as
text with terminal colours, or as HTML. Text that comes from the user is escaped there.
"""

from __future__ import annotations

import html
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .source import Source, Span

WIDTH = 88
"""How wide sentences run; longer lines of a program are cut around the place."""


@dataclass(frozen=True, slots=True)
class Label:
    """A place and what is to be said about it: `takes a Picture`.

    A `context` is a line that another label already names (`gives a Thought (line 2)`):
    a notebook quotes it, a terminal does not.
    """

    span: Span
    text: str = ""
    context: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake: what it is, where, where both sides came from, and a way out.

    `code` is a stable kebab-case name of the kind of mistake (`size-mismatch`);
    `primary` gets the caret, `secondary` the dashes; `notes` are sentences;
    `suggestion` is text to type instead, or None: of `replaces`, where that is known,
    so that it can be put there; else an example. A span of an empty source (a mistake
    in what was handed over from Python) is named, not quoted.

    >>> source = Source("f = fold cell 0", "cell 1")
    >>> span = Span(source, 1, 15, 1, 16)
    >>> print(Diagnostic("size-mismatch", "the state is a vector", Label(span, "a number"),
    ...                  notes=("To start from nothing, write:",), suggestion="zero").render())
    error: the state is a vector                                   cell 1, line 1, column 15
      1 │ f = fold cell 0
        │               ^ a number
    To start from nothing, write:
        zero
    """

    code: str
    title: str
    primary: Label
    secondary: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    suggestion: str | None = None
    severity: str = "error"  # or "warning", "note"
    replaces: Span | None = None

    def render(self, colour: bool = False) -> str:
        """As text; with the terminal's colours where they are wanted."""
        return render_text((self,), colour)

    def render_html(self) -> str:
        """As HTML that needs nothing but itself."""
        return render_html((self,))


class NnfpError(Exception):
    """A mistake in a program or in what was handed to it, told without Python frames."""

    def __init__(self, diagnostics: Diagnostic | Sequence[Diagnostic]) -> None:
        if isinstance(diagnostics, Diagnostic):
            diagnostics = (diagnostics,)
        if not diagnostics:
            raise ValueError("an NnfpError needs at least one diagnostic")
        self.diagnostics = by_position(diagnostics)
        super().__init__(self.diagnostics[0].title)

    @property
    def span(self) -> Span:
        """The place of the first mistake."""
        return self.diagnostics[0].primary.span

    def render(self, colour: bool = False) -> str:
        """All mistakes as text, by position."""
        return render_text(self.diagnostics, colour)

    def render_html(self) -> str:
        """All mistakes as HTML, by position."""
        return render_html(self.diagnostics)

    def _repr_html_(self) -> str:
        return self.render_html()

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return self.render(colour=True).split("\n")

    def __str__(self) -> str:
        return self.render()

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled by their message alone; ours are their diagnostics.
        return (type(self), (self.diagnostics,))


def by_position(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Diagnostics in the order of their places, sources in order of appearance."""
    diagnostics = tuple(diagnostics)
    order: dict[Source, int] = {}
    for diagnostic in diagnostics:
        order.setdefault(diagnostic.primary.span.source, len(order))

    def place(diagnostic: Diagnostic) -> tuple[int, int, int]:
        span = diagnostic.primary.span
        return order[span.source], span.line, span.column

    return tuple(sorted(diagnostics, key=place))


# --- the excerpt: rows of styled pieces --------------------------------------------------

# gutter · source · primary · secondary · label (what a mark says) · other (lines that
# only explain) — what each looks like is decided by the two writers below.
Piece = tuple[str, str]
Row = list[Piece]


def _excerpt(diagnostic: Diagnostic, context: bool) -> list[Row]:
    """The lines of the program a diagnostic speaks of, with marks under them."""
    marks = [_Mark(diagnostic.primary, True)]
    marks += [_Mark(label, False) for label in diagnostic.secondary if context >= label.context]
    marks = [mark for mark in marks if mark.span.source.text]
    if not marks:
        return []
    last_line = max(mark.span.end_line for mark in marks)
    width = max(3, len(str(last_line)))
    rows: list[Row] = []
    here = diagnostic.primary.span.source
    for group in _groups(marks):
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
            kind = "source" if any(mark.primary for mark in self.marks) else "other"
            rows.append([*before, (kind, text.shown)])
            rows += [[*below, *marked] for marked in text.marks()]
            for mark in long:
                if mark.span.end_line == line:
                    rows.append([*below[:1], *_margin_end(long, mark, line)])
        return rows


def _groups(marks: list[_Mark]) -> list[_Group]:
    """The marks by source and nearness; the primary's lines come first."""
    primary = marks[0]
    groups = [_Group(primary.span.source, _shown_lines(primary.span), [primary])]
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
        return _Mark(Label(mark.span, text), mark.primary)

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
    if _width(text) <= room:
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
        self.end = max(column, self.end) + _width(text)


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


def _width(text: str) -> int:
    return sum(_drawn(character)[1] for character in text)


def _harmless(text: str) -> str:
    """Text that may quote the user's, without what would move the text around it."""
    return "".join(c if c == "\n" else _drawn(c)[0] for c in text)


def _place(span: Span) -> str:
    """Where a mistake is, in words; empty when it is nowhere."""
    if span.source.name == "nowhere":
        return ""
    return str(span) if span.source.text else span.source.name


# --- as text --------------------------------------------------------------------------------

_ANSI = {
    "gutter": "2",
    "other": "2",
    "primary": "31",
    "label primary-label": "31",
    "error": "1;31",
    "warning": "1",
    "note": "1",
    "title": "1",
}


def render_text(diagnostics: Sequence[Diagnostic], colour: bool = False) -> str:
    """Diagnostics as text, by position, all of them."""

    def painted(style: str, text: str) -> str:
        if not colour or style not in _ANSI or not text:
            return text
        return f"\x1b[{_ANSI[style]}m{text}\x1b[0m"

    blocks: list[str] = []
    for diagnostic in by_position(diagnostics):
        lines: list[str] = []
        severity, title = diagnostic.severity, _harmless(diagnostic.title)
        place = _harmless(_place(diagnostic.primary.span))
        wrapped = textwrap.wrap(title, WIDTH - len(severity) - 2) or [""]
        head = painted(severity, severity) + ": " + painted("title", wrapped[0])
        gap = WIDTH - _width(f"{severity}: {wrapped[-1]}") - _width(place)
        if len(wrapped) == 1 and place and gap >= 2:
            lines.append(head + " " * gap + painted("gutter", place))
        else:
            lines.append(head)
            lines += [painted("title", line) for line in wrapped[1:]]
            if place:
                lines.append(painted("gutter", "  at " + place))
        for row in _excerpt(diagnostic, context=False):
            lines.append("".join(painted(style, text) for style, text in row).rstrip())
        for note in diagnostic.notes:
            lines += _wrapped(_harmless(note))
        if diagnostic.suggestion is not None:
            lines += textwrap.indent(_harmless(diagnostic.suggestion), "    ").split("\n")
        blocks.append("\n".join(lines))
    if len(blocks) > 1:
        blocks.append(_count(diagnostics))
    return "\n\n".join(blocks)


def _wrapped(note: str) -> list[str]:
    """A note in lines; a line of it that is indented is kept as it is."""
    lines: list[str] = []
    for line in note.split("\n"):
        if line.startswith(" "):
            lines.append(line)
        else:
            lines += textwrap.wrap(line, WIDTH, break_on_hyphens=False) or [""]
    return lines


def _count(diagnostics: Sequence[Diagnostic]) -> str:
    """How many there are, in words: `2 errors, 1 warning`."""
    counts: dict[str, int] = {}
    for diagnostic in diagnostics:
        counts[diagnostic.severity] = counts.get(diagnostic.severity, 0) + 1
    return ", ".join(f"{n} {kind}{'s' * (n > 1)}" for kind, n in counts.items())


# --- as HTML ----------------------------------------------------------------------------------

# The notebook's own colours first; without it, light or dark by the reader's setting.
# Only the mistake is red.
_STYLE = """
.nnfp-errors { --nnfp-paper: var(--jp-layout-color0, #ffffff);
  --nnfp-inset: var(--jp-cell-editor-background, #f7f8f9);
  --nnfp-ink: var(--jp-content-font-color0, #1b1f24);
  --nnfp-ink2: var(--jp-content-font-color2, #57606a);
  --nnfp-red: var(--jp-error-color1, #c62828);
  background: var(--nnfp-paper); color: var(--nnfp-ink);
  font: 13px/20px var(--jp-ui-font-family, system-ui, sans-serif); max-width: 760px; }
@media (prefers-color-scheme: dark) { .nnfp-errors {
  --nnfp-paper: var(--jp-layout-color0, #111316);
  --nnfp-inset: var(--jp-cell-editor-background, #1a1d21);
  --nnfp-ink: var(--jp-content-font-color0, #e8eaed);
  --nnfp-ink2: var(--jp-content-font-color2, #a5adb7);
  --nnfp-red: var(--jp-error-color1, #ff8a80); } }
.nnfp-errors section { border-left: 2px solid var(--nnfp-ink2); padding: 0 0 4px 14px;
  margin: 0 0 16px; }
.nnfp-errors section.nnfp-error { border-color: var(--nnfp-red); }
.nnfp-errors p { margin: 4px 0; }
.nnfp-errors b, .nnfp-errors b code { font-weight: 600; }
.nnfp-errors .nnfp-error > p > b:first-child { color: var(--nnfp-red); }
.nnfp-errors pre, .nnfp-errors code { font: 12px/20px var(--jp-code-font-family, monospace);
  color: inherit; background: none; padding: 0; margin: 0; white-space: pre; }
.nnfp-errors pre { margin: 8px 0; overflow-x: auto; }
.nnfp-errors pre.nnfp-suggestion { background: var(--nnfp-inset); padding: 4px 12px;
  border-radius: 4px; width: fit-content; max-width: 100%; box-sizing: border-box; }
.nnfp-errors i { font-style: normal; color: var(--nnfp-ink2); }
.nnfp-errors em { font-style: normal; font-weight: 700; color: var(--nnfp-red); }
.nnfp-errors .nnfp-warning em, .nnfp-errors .nnfp-note em { color: inherit; }
"""


def render_html(diagnostics: Sequence[Diagnostic]) -> str:
    """Diagnostics as HTML, by position, all of them; everything quoted is escaped."""
    parts = ['<div class="nnfp-errors">', f"<style>{_STYLE}</style>"]
    for diagnostic in by_position(diagnostics):
        severity = html.escape(diagnostic.severity)
        parts.append(f'<section class="nnfp-{severity}">')
        place = _place(diagnostic.primary.span)
        where = f" &ensp;<i>{html.escape(_harmless(place))}</i>" if place else ""
        parts.append(f"<p><b>{severity}</b>&ensp;<b>{_prose(diagnostic.title)}</b>{where}</p>")
        if rows := _excerpt(diagnostic, context=True):
            lines = ["".join(_html_piece(*piece) for piece in row).rstrip() for row in rows]
            parts.append("<pre>" + "\n".join(lines) + "</pre>")
        for note in diagnostic.notes:
            parts.append(f"<p>{_prose(note)}</p>")
        if diagnostic.suggestion is not None:
            suggestion = html.escape(_harmless(diagnostic.suggestion))
            parts.append(f'<pre class="nnfp-suggestion">{suggestion}</pre>')
        parts.append("</section>")
    if len(diagnostics) > 1:
        parts.append(f"<p><i>{_count(diagnostics)}</i></p>")
    parts.append("</div>")
    return "\n".join(parts)


def _html_piece(style: str, text: str) -> str:
    escaped = html.escape(text)
    match style:
        case "gutter" | "other":
            return f"<i>{escaped}</i>"
        case "primary":
            return f"<em>{escaped}</em>"
        case _:
            return escaped


def _prose(text: str) -> str:
    """A sentence; what it quotes in backticks is code."""
    pieces = re.split(r"`([^`]+)`", html.escape(_harmless(text)))
    for index in range(1, len(pieces), 2):
        pieces[index] = f"<code>{pieces[index]}</code>"
    return "".join(pieces).replace("\n", "<br>")
