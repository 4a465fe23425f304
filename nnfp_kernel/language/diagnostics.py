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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .excerpt import WIDTH, excerpt, harmless, width
from .misfit import Misfit, drawing
from .palette import picture, styled, underlined
from .source import Source, Span


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
    misfit: Misfit | None = None  # the wire that does not fit, to be drawn
    listed: tuple[tuple[str, str], ...] = ()  # names with their types, below the notes

    def render(self, colour: bool = False) -> str:
        """As text; with the terminal's colours where they are wanted."""
        return render_text((self,), colour)

    def render_html(self) -> str:
        """As HTML that needs nothing but itself."""
        return render_html((self,))


class NnfpError(Exception):
    """A mistake in a program or in what was handed to it, told without Python frames."""

    def __init__(
        self, diagnostics: Diagnostic | Sequence[Diagnostic], representations: Iterable[str] = ()
    ) -> None:
        if isinstance(diagnostics, Diagnostic):
            diagnostics = (diagnostics,)
        if not diagnostics:
            raise ValueError("an NnfpError needs at least one diagnostic")
        self.diagnostics = by_position(diagnostics)
        self.representations = tuple(representations)  # in order of declaration: their colours
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
        return render_html(self.diagnostics, self.representations)

    def _repr_html_(self) -> str:
        return self.render_html()

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return self.render(colour=True).split("\n")

    def __str__(self) -> str:
        return self.render()

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled by their message alone; ours are their diagnostics.
        return (type(self), (self.diagnostics, self.representations))


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
        severity, title = diagnostic.severity, harmless(diagnostic.title)
        place = harmless(_place(diagnostic.primary.span))
        wrapped = textwrap.wrap(title, WIDTH - len(severity) - 2) or [""]
        head = painted(severity, severity) + ": " + painted("title", wrapped[0])
        gap = WIDTH - width(f"{severity}: {wrapped[-1]}") - width(place)
        if len(wrapped) == 1 and place and gap >= 2:
            lines.append(head + " " * gap + painted("gutter", place))
        else:
            lines.append(head)
            lines += [painted("title", line) for line in wrapped[1:]]
            if place:
                lines.append(painted("gutter", "  at " + place))
        for row in excerpt(diagnostic, context=False):
            lines.append("".join(painted(style, text) for style, text in row).rstrip())
        for note in diagnostic.notes:
            lines += _wrapped(harmless(note))
        longest = max((width(name) for name, _ in diagnostic.listed), default=0)
        for name, of in diagnostic.listed:
            said = f"    {harmless(name)}{' ' * (longest - width(name))} : {harmless(of)}"
            lines.append(said if width(said) <= WIDTH + 12 else said[: WIDTH + 11] + "…")
        if diagnostic.suggestion is not None:
            lines += textwrap.indent(harmless(diagnostic.suggestion), "    ").split("\n")
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

# Only the mistake is red.
_RULES = """
& { background: var(--nn-paper); color: var(--nn-ink);
  font: 13px/20px var(--nn-ui); max-width: 760px; }
section { border-left: 2px solid var(--nn-ink2); padding: 0 0 4px 14px;
  margin: 0 0 16px; }
section.nnfp-error { border-color: var(--nn-error); }
p { margin: 4px 0; }
b, b code { font-weight: 600; }
.nnfp-error > p > b:first-child { color: var(--nn-error); }
pre, code { font: 12px/20px var(--nn-code);
  color: inherit; background: none; padding: 0; margin: 0; white-space: pre; }
pre { margin: 8px 0; overflow-x: auto; }
p code { background: none; padding: 0; border: 0; }
pre.nnfp-suggestion { background: var(--nn-inset); padding: 4px 12px;
  border-radius: 4px; width: fit-content; max-width: 100%; box-sizing: border-box; }
table.listed { margin: 4px 0 8px; border-collapse: collapse; border: 0; }
table.listed tr, table.listed tbody tr:nth-child(odd) { background: none; }
table.listed td { padding: 2px 20px 2px 0; border: 0; border-bottom: 1px solid var(--nn-hair);
  text-align: left; vertical-align: baseline; max-width: none; white-space: normal; }
table.listed tr:last-child td { border-bottom: 0; }
table.listed td code { background: none; padding: 0; white-space: pre-wrap; }
i { font-style: normal; color: var(--nn-ink2); }
em { font-style: normal; font-weight: 700; color: var(--nn-error); }
.nnfp-warning em, .nnfp-note em { color: inherit; }
"""


def render_html(diagnostics: Sequence[Diagnostic], representations: Sequence[str] = ()) -> str:
    """Diagnostics as HTML, by position, all of them; everything quoted is escaped.

    Representations are underlined in their colours, as wherever they are shown.
    """
    parts: list[str] = []
    for diagnostic in by_position(diagnostics):
        severity = html.escape(diagnostic.severity)
        parts.append(f'<section class="nnfp-{severity}">')
        place = _place(diagnostic.primary.span)
        where = f" &ensp;<i>{html.escape(harmless(place))}</i>" if place else ""
        title = _prose(diagnostic.title, representations)
        parts.append(f"<p><b>{severity}</b>&ensp;<b>{title}</b>{where}</p>")
        if rows := excerpt(diagnostic, context=True):
            lines = [
                "".join(_html_piece(*piece, representations) for piece in row).rstrip()
                for row in rows
            ]
            parts.append("<pre>" + "\n".join(lines) + "</pre>")
        if diagnostic.misfit is not None:
            parts.append(picture(drawing(diagnostic.misfit, tuple(representations))))
        for note in diagnostic.notes:
            parts.append(f"<p>{_prose(note, representations)}</p>")
        if diagnostic.listed:
            fitting = "".join(
                f"<tr><td>{_code(harmless(name), representations)}</td>"
                f"<td>{_code(harmless(of), representations)}</td></tr>"
                for name, of in diagnostic.listed
            )
            parts.append(f'<table class="listed">{fitting}</table>')
        if diagnostic.suggestion is not None:
            suggestion = underlined(harmless(diagnostic.suggestion), representations)
            parts.append(f'<pre class="nnfp-suggestion">{suggestion}</pre>')
        parts.append("</section>")
    if len(diagnostics) > 1:
        parts.append(f"<p><i>{_count(diagnostics)}</i></p>")
    return styled("nnfp-errors", _RULES, "\n".join(parts))


def _html_piece(style: str, text: str, representations: Sequence[str]) -> str:
    match style:
        case "gutter":
            return f"<i>{html.escape(text)}</i>"
        case "other":
            return f"<i>{underlined(text, representations)}</i>"
        case "primary":
            return f"<em>{html.escape(text)}</em>"
        case _:
            return underlined(text, representations)


# Types in a sentence: `R[3]`, `(R, Int) -> R`, `[Word]`, and what inference shows as open.
_NAME = r"(?:\b(?:R|C|Int|Bool|Fin)\b|\b_[a-z]\w*)(?:\[[\w,+*/ -]*\])*"


def _types(representations: Sequence[str]) -> re.Pattern[str]:
    names = "|".join(map(re.escape, representations))
    name = rf"(?:{_NAME}|\b(?:{names})\b)" if names else _NAME
    atom = rf"(?:{name}|\[{name}\]|\((?:[^()]*\b)?{name}[^()]*\)(?:\[[\w,]*\])*)"
    return re.compile(rf"{atom}(?: (?:->|~>|-o|@|\+|\*|/|-) {atom})*")


def _prose(text: str, representations: Sequence[str]) -> str:
    """A sentence; what it quotes in backticks is code, and so are types."""
    pieces = re.split(r"`([^`]+)`", harmless(text))
    types = _types(representations)
    for index, piece in enumerate(pieces):
        if index % 2:
            pieces[index] = _code(piece, representations)
            continue
        shown, end = [], 0
        for found in types.finditer(piece):
            shown += [html.escape(piece[end : found.start()]), _code(found[0], representations)]
            end = found.end()
        pieces[index] = "".join([*shown, html.escape(piece[end:])])
    return "".join(pieces).replace("\n", "<br>")


def _code(text: str, representations: Sequence[str]) -> str:
    return f"<code>{underlined(text, representations)}</code>"
