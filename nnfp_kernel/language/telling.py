"""How a mistake is told: types as people write them, where they came from, what to write.

The other files of mistakes put a finished `Diagnostic` together with these. Types are shown
with all that is known of them; a number whose kind is still open is R, as it would be by
default.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .sizes import Size
from .source import Span
from .types import (
    Origin,
    R,
    Type,
    TypeVariable,
    show_together,
    substitute,
)

if TYPE_CHECKING:
    from .solve import Clash, Solver


def shown(solver: Solver, type_: Type | Size) -> str:
    """A type or size as people read it, with all that is known put in."""
    if isinstance(type_, Size):
        return str(solver.size(type_))
    return shown_together(solver, [type_])[0]


def shown_together(solver: Solver, types: Sequence[Type]) -> list[str]:
    """Several types, a variable called the same in all of them."""
    return show_together([_numbered(solver, solver.closed(type_)) for type_ in types])


def _numbered(solver: Solver, type_: Type) -> Type:
    """A type in which what a literal would be by default is R."""
    numbers: dict[TypeVariable, Type] = {
        variable: R
        for variable in solver.variables(type_)
        if isinstance(variable, TypeVariable)
        and variable.open
        and variable.identity in solver.literals
    }
    return substitute(type_, numbers, {}) if numbers else type_


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    known = sorted(set(known))
    folded = {candidate.lower(): candidate for candidate in known}
    if name.lower() in folded and folded[name.lower()] != name:
        return folded[name.lower()]
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    found += [other for other in known if _one_letter_apart(name, other)]
    return found[0] if found else None


def _one_letter_apart(one: str, other: str) -> bool:
    return len(one) == len(other) > 2 and sum(map(str.__ne__, one, other)) == 1


def a(text: str) -> str:
    """With the article English wants, if it is a name of one's own.

    >>> a("Thought"), a("Image"), a("R[3]")
    ('a Thought', 'an Image', 'R[3]')
    """
    if re.fullmatch(r"[A-Z]\w+", text) is None:
        return text
    return f"an {text}" if text[0] in "AEIO" else f"a {text}"


def several(number: int, thing: str) -> str:
    """`one size`, `3 sizes`, `no sizes`."""
    return {0: f"no {thing}s", 1: f"one {thing}"}.get(number, f"{number} {thing}s")


def listed(names: Iterable[str], word: str = "and") -> str:
    """`a`, `b` and `c`, in backticks."""
    *most, last = [f"`{name}`" for name in names]
    return f"{', '.join(most)} {word} {last}" if most else last


def grouped(text: str) -> str:
    """A text as an argument: in brackets if it is more than one word."""
    return text if _ONE_WORD.fullmatch(text) else f"({text})"


_ONE_WORD = re.compile(r"[\w.?']+(\[[^\[\]]*\])?|\([^()]*\)|\[[^\[\]]*\]")


def instead(span: Span, text: str) -> tuple[str, Span]:
    """What to write in place of a span: its whole line, where that is short enough."""
    line = span.source.line(span.line)
    if span.line == span.end_line and text and "\n" not in text:
        whole = (line[: span.column - 1] + text + line[span.end_column - 1 :]).rstrip()
        if len(whole.strip()) <= 84:
            start = len(whole) - len(whole.lstrip())
            place = Span(span.source, span.line, start + 1, span.line, len(line.rstrip()) + 1)
            return whole[start:], place
    return text, span


def start_of(span: Span, text: str) -> Span:
    """The beginning of a span, as long as a text: the name that a definition starts with."""
    return Span(span.source, span.line, span.column, span.line, span.column + len(text))


def plain(
    code: str,
    title: str,
    span: Span,
    text: str = "",
    *,
    secondary: Sequence[Label] = (),
    notes: Sequence[str] = (),
    suggestion: str | None = None,
    replaces: Span | None = None,
    better: tuple[Span, str] | None = None,
    severity: str = "error",
) -> Diagnostic:
    """A diagnostic put together by hand.

    `suggestion` is an example; `better` is the text to put in place of a span.
    """
    if better is not None:
        suggestion, replaces = instead(*better)
    return Diagnostic(
        code,
        title,
        Label(span, text),
        tuple(_distinct(secondary)),
        tuple(notes),
        suggestion,
        severity,
        replaces,
    )


def did_you_mean(near: str | None, otherwise: Sequence[str] = ()) -> list[str]:
    """The note for a name that is not known."""
    return [f"Did you mean `{near}`?"] if near else list(otherwise)


@dataclass
class Advice:
    """What can be said about a way out: sentences, and at most one thing to write."""

    notes: list[str] = field(default_factory=list)
    better: tuple[Span, str] | None = None
    example: str | None = None
    replaces: Span | None = None  # what the example stands for, where it is no whole line

    def write(self, note: str, span: Span, text: str) -> None:
        """A sentence and what to write in place of a span; the first one stays."""
        if self.better is None:
            self.better = (span, text)
            self.notes.append(note)

    @property
    def parts(self) -> dict[str, object]:
        return {
            "notes": self.notes,
            "better": self.better,
            "suggestion": self.example,
            "replaces": self.replaces,
        }


# --- where things came from ---------------------------------------------------------------


def came(solver: Solver, type_: Type, place: Span) -> list[Label]:
    """Where a type came from, if that is elsewhere."""
    origin = origin_of(solver, type_, place)
    if origin is None:
        return []
    role = origin.role or "here"
    return [Label(origin.span, f"{shown(solver, type_)} comes from {role}")]


def origin_of(solver: Solver, type_: Type, place: Span) -> Origin | None:
    resolved = solver.resolve(type_)
    origin = resolved.origin
    if (
        origin is None
        or origin.span == place
        or origin.span.source.name == "nowhere"
        or (isinstance(resolved, TypeVariable) and resolved.open)
    ):
        return None
    return origin


def _distinct(labels: Iterable[Label]) -> list[Label]:
    seen: dict[Span, Label] = {}
    for label in labels:
        seen.setdefault(label.span, label)
    return list(seen.values())


def settled(solver: Solver, size: Size, place: Span) -> list[Label]:
    """Where a size was settled: by which type, else by which definition."""
    labels: list[Label] = []
    value = shown(solver, size)
    for identity in solver.settled_through(size):
        by = solver.size_types.get(identity)
        origin = by.origin if by is not None else None
        if by is not None and origin is not None and origin.span != place:
            role = origin.role or "here"
            text = shown(solver, by)
            if role.startswith(
                ("the signature", "the declaration")
            ) and origin.span.text.startswith(text.partition("[")[0] + "["):
                text = origin.span.text  # the whole of an array with more axes
            labels.append(Label(origin.span, f"{text} comes from {role}"))
            continue
        where = solver.size_origins.get(identity)
        if where is not None and where.span != place:
            whose = f" by `{where.role}`" if where.role else ""
            labels.append(Label(where.span, f"settled to {value}{whose}"))
    return labels


def origins(solver: Solver, clash: Clash, found: Type, wanted: Type, place: Span) -> list[Label]:
    """Where the two sides came from: the parts that do not agree, else the whole types."""
    part_found, part_wanted = clash.types or (found, wanted)
    size_found = clash.found if isinstance(clash.found, Size) else None
    size_wanted = clash.wanted if isinstance(clash.wanted, Size) else None
    labels: list[Label] = []
    for whole, part, size in (
        (wanted, part_wanted, size_wanted),
        (found, part_found, size_found),
    ):
        told = came(solver, part, place)
        if size is not None:
            told = [*settled(solver, size, place), *told][:2]
        labels += told or came(solver, whole, place)
    return labels
