"""Functions joined by `>>` that do not fit together: what one gives and what the next takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .misfit import Misfit
from .source import Span
from .telling import (
    Advice,
    a,
    came,
    origin_of,
    origins,
    plain,
    shown,
    shown_together,
)
from .type_mistakes import (
    about_sizes,
    about_variables,
    is_rep,
    kind_of,
    may_be,
    representations,
    same_carrier,
)
from .types import (
    Function,
    Linear,
    Named,
    Origin,
    Type,
)

if TYPE_CHECKING:
    from .solve import Clash, Solver


@dataclass(frozen=True)
class Stage:
    """One of the functions that `>>` joins: the type wanted of it, and what it comes
    after (a place and a name)."""

    arrow: Type
    before: tuple[Span, str] | None


def does_not_compose(
    solver: Solver, found: Type, stage: Stage, clash: Clash, place: Origin
) -> Diagnostic | None:
    """Two functions that do not fit together, told as what one gives and the next takes."""
    arrow, wanted = solver.closed(found), solver.closed(stage.arrow)
    if not isinstance(arrow, Function | Linear) or not isinstance(wanted, Function | Linear):
        return None
    takes, gives = shown_together(solver, (arrow.domain, wanted.domain))
    advice = Advice()
    if takes != gives:
        if stage.before is None:
            return None
        span, _ = stage.before
        codes = {"sizes": "sizes", "representations": "representations"}
        _, title = kind_of(solver, clash)
        what = next((code for code in codes if f"these {code}" in title), "functions")
        code = "do-not-compose" if what == "functions" else f"{what}-do-not-compose"
        about_sizes(solver, clash, advice)
        about_variables(solver, clash, advice)
        _conversion(solver, clash, span, place.span, arrow.domain, wanted.domain, advice)
        labels, context = [], []
        for at, verb, type_, text in (
            (place.span, "takes", arrow.domain, takes),
            (span, "gives", wanted.domain, gives),
        ):
            where, quoted = _where(solver, type_, place.span)
            labels.append(Label(at, f"{verb} {a(text)}{where}"))
            context += quoted
        told = plain(
            code, f"these {what} do not compose", place.span, labels[0].text,
            secondary=[labels[1], *context],
            **advice.parts,  # type: ignore[arg-type]
        )  # fmt: skip
        remark = carrier = ""
        both = re.search(r"Both are (.+?), but", " ".join(advice.notes))
        if what == "representations" and both:
            remark, carrier = "same numbers, different representation", both[1]
        misfit = Misfit(
            span.text, gives, takes, place.span.text, shown(solver, arrow.codomain), remark,
            carrier=carrier,
        )  # fmt: skip
        return replace(told, misfit=misfit)
    gives, expected = shown_together(solver, (arrow.codomain, wanted.codomain))
    if gives == expected:
        return None
    about_sizes(solver, clash, advice)
    about_variables(solver, clash, advice)
    representations(solver, clash, advice, arrow.codomain, wanted.codomain, place.span)
    advice.better = None
    if advice.notes and advice.notes[-1].endswith(":"):
        advice.notes.pop()
    entered = solver.resolve(wanted.codomain)
    if (
        isinstance(entered, Named)
        and is_rep(solver, entered)
        and may_be(solver, arrow.codomain, solver.carriers[entered.name])
    ):
        advice.write(
            "To enter the representation:", place.span, f"{place.span.text} >> {entered.name}"
        )
    code, title = kind_of(solver, clash)
    return plain(
        code, title, place.span, f"gives {a(gives)}, and {a(expected)} is expected",
        secondary=origins(solver, clash, arrow.codomain, wanted.codomain, place.span),
        **advice.parts,  # type: ignore[arg-type]
    )  # fmt: skip


def _where(solver: Solver, type_: Type, place: Span) -> tuple[str, list[Label]]:
    """Where a type came from, in brackets, and the line to quote in a notebook."""
    origin = origin_of(solver, type_, place)
    if origin is None:
        return "", []
    span = origin.span
    if span.source == place.source and span.line == place.line:
        return "", []
    here = f"line {span.line}"
    if span.source != place.source:
        here = f"{span.source.name}, {here}"
    return f" ({here})", [Label(span, context=True)]


def _conversion(
    solver: Solver,
    clash: Clash,
    before: Span,
    after: Span,
    takes: Type,
    gives: Type,
    advice: Advice,
) -> None:
    """What to write between two functions, where representations are in the way."""
    to, of = solver.resolve(takes), solver.resolve(gives)
    ahead = (before.line, before.column) < (after.line, after.column)
    first, last = (before, after) if ahead else (after, before)
    between = None if first.source != last.source or last.line != first.line else first.to(last)
    arrow = ">>" if ahead else "<<"
    if is_rep(solver, of) and is_rep(solver, to):
        assert isinstance(of, Named)
        assert isinstance(to, Named)
        if not same_carrier(solver, of, to):
            return
        carrier = shown(solver, solver.carriers[of.name])
        note = f"Both are {carrier}, but {a(of.name)} is not {a(to.name)}. If you mean it, convert:"
        letter = of.name[0].lower()
        convert = f"(\\({of.name} {letter}) -> {to.name} {letter})"
    elif isinstance(to, Named) and is_rep(solver, to):
        if not may_be(solver, of, solver.carriers[to.name]):
            return
        note, convert = "To enter the representation:", to.name
    elif isinstance(of, Named) and is_rep(solver, of):
        if not may_be(solver, to, solver.carriers[of.name]):
            return
        note, convert = "To leave the representation:", f"(\\({of.name} x) -> x)"
    else:
        return
    advice.notes.append(note)
    advice.example = f"{first.text} {arrow} {convert} {arrow} {last.text}"
    advice.replaces = between


def not_a_stage(solver: Solver, found: Type, span: Span) -> Diagnostic:
    """A value where functions are joined."""
    return plain(
        "value-for-function",
        "`>>` joins functions, and this is a value",
        span,
        f"this is {shown(solver, found)}",
        secondary=came(solver, found, span),
        notes=["To hand a value to a function:"],
        suggestion=f"{span.text} |> …",
    )
