"""Mistakes with numbers that count: indices, literals, and how many elements there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .sizes import Size
from .source import Span
from .telling import (
    Advice,
    came,
    plain,
    settled,
    shown,
)
from .type_mistakes import (
    about_sizes,
    spoken,
)
from .types import (
    Fin,
    Origin,
    Type,
    TypeVariable,
)

if TYPE_CHECKING:
    from .solve import Clash, Solver


def not_an_index(solver: Solver, type_: Type, place: Origin | None) -> Diagnostic:
    assert place is not None
    text = shown(solver, type_)
    return plain(
        "not-an-index",
        f"{text} is not an index",
        place.span,
        f"this is {text}, and an index is a Fin, or an Int",
        secondary=came(solver, type_, place.span),
        notes=["`toFin[n]` makes an index of an Int."],
    )


def index_of_another_size(
    solver: Solver, index: Fin, count: Size, clash: Clash, place: Origin | None
) -> Diagnostic:
    """An index into another number of elements."""
    assert place is not None
    advice = Advice()
    about_sizes(solver, clash, advice)
    text, number = shown(solver, index), shown(solver, count)
    return plain(
        "size-mismatch",
        "these sizes do not agree",
        place.span,
        f"this is {text}, and an index into {number} elements is Fin[{number}]",
        secondary=[*settled(solver, count, place.span), *came(solver, index, place.span)],
        **advice.parts,  # type: ignore[arg-type]
    )


def index_out_of_range(
    solver: Solver,
    value: float | int | Size,
    type_: Fin,
    place: Origin | None,
    written: Span | None = None,
) -> Diagnostic:
    """A number, or a size used as one, that is no index there; `written` is where it
    stands, if that is in a definition that is used here."""
    assert place is not None
    number = shown(solver, value) if isinstance(value, Size) else str(value)
    here = isinstance(value, Size) and written == place.span
    of_size = f"`{place.span.text}` is {number}, and " if here else ""
    count = solver.size(type_.size)
    last = None if count.value is None else count.value - 1
    notes = [f"Indices run from 0 to {last}."] if last is not None and last >= 0 else []
    return plain(
        "index-out-of-range",
        f"{number} is not below {count}",
        place.span,
        f"{of_size}an index in {shown(solver, type_)} is expected",
        secondary=[
            *([Label(written, f"this is {number}")] if written not in (None, place.span) else []),
            *came(solver, type_, place.span),
            *settled(solver, type_.size, place.span),
        ],
        notes=notes,
    )


def bad_literal(
    solver: Solver, value: float | int, type_: Type, place: Origin | None
) -> Diagnostic:
    """A number where something else is expected."""
    assert place is not None
    text = shown(solver, type_)
    resolved = solver.resolve(type_)
    role = spoken(place.role)
    expected = f" as {role}" if role not in ("", "a number") else ""
    notes = []
    count = solver.size(resolved.size) if isinstance(resolved, Fin) else None
    if count is not None and count.value:
        notes.append(f"{text} has the whole numbers from 0 to {count.value - 1}.")
    elif text == "Int":
        notes.append("Int has the whole numbers.")
    settled_at = solver.literals_settled.get(_root(solver, type_))
    labels = came(solver, type_, place.span)
    if not labels and isinstance(resolved, Fin):
        labels = settled(solver, resolved.size, place.span)
    if not labels and settled_at is not None and settled_at.span != place.span:
        labels = [Label(settled_at.span, f"this is {text}")]
    if expected == " as an element of the sequence":
        notes.append("The elements of a sequence have one type.")
    return plain(
        "bad-literal",
        f"{value} is not {_article(text)}",
        place.span,
        f"{text} is expected{expected}",
        secondary=labels,
        notes=notes,
    )


def _article(text: str) -> str:
    return f"an {text}" if text[:1] in "AEIO" else f"a {text}"


def _root(solver: Solver, type_: Type) -> int:
    """The variable at the end of a chain that a type was settled through."""
    identity = -1
    while isinstance(type_, TypeVariable):
        identity = type_.identity
        bound = solver.types.get(identity)
        if bound is None:
            break
        type_ = bound
    return identity


def too_small(
    solver: Solver,
    left: Size,
    right: Size,
    place: Origin | None,
    written: Span | None = None,
    asked: Origin | None = None,
    labels: Sequence[Label] = (),
) -> Diagnostic:
    """Fewer elements than are needed: `window[5]` of three. `written` is the subtraction
    in a type that asks for more; `asked` the word that does, in the definition used here."""
    assert place is not None
    have, need = solver.size(left), solver.size(right)
    where = [*settled(solver, left, place.span), *settled(solver, right, place.span)]
    where = where or list(labels)
    if written is not None and written != place.span:
        where.append(Label(written, f"a size, so at least {need} are needed"))
    if need.value == 0:
        return plain(
            "negative-size", "a size would be negative", place.span, f"{have} is below 0",
            secondary=where,
        )  # fmt: skip
    used = place.role or "this"
    asks = used if asked is None else asked.role or "this"
    by = ""
    if asked is not None and asked.span not in (place.span, written):
        where.insert(0, Label(asked.span, f"at least {need} {_are(need)} needed here"))
        by = f" by {asks} in {used}" if place.role and asks != used else ""
    elements = "element" if need.value == 1 else "elements"
    are = _are(have)
    return plain(
        "size-too-small",
        f"{asks} needs at least {need} {elements}, and there {are} {have}",
        place.span,
        f"at least {need} {_are(need)} needed{by}",
        secondary=where,
    )


def _are(count: Size) -> str:
    return "is" if count.value == 1 else "are"


def reshaped(
    solver: Solver,
    type_: Type,
    count: Size,
    axes: Sequence[Size],
    wanted: Size,
    place: Origin | None,
) -> Diagnostic:
    """As many entries must come out as go in."""
    assert place is not None
    text = shown(solver, type_)
    shape = ",".join(str(solver.size(axis)) for axis in axes)
    entries = f"{text} has {solver.size(count)}, and [{shape}] {solver.size(wanted)}"
    return plain(
        "reshape-size",
        "`reshape` keeps the number of entries",
        place.span,
        entries,
        secondary=[
            *came(solver, type_, place.span),
            *settled(solver, count, place.span),
        ],
    )
