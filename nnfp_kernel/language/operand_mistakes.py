"""Mistakes with operators: operands that do not fit, and what is no number at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic
from .sizes import Size
from .source import Span
from .telling import (
    Advice,
    a,
    came,
    grouped,
    origins,
    plain,
    settled,
    shown,
    shown_together,
)
from .type_mistakes import (
    PARTS_OF_COMPLEX,
    about_sizes,
    is_arrow,
    is_rep,
    representations,
)
from .types import (
    C,
    Fin,
    Function,
    Linear,
    Named,
    Origin,
    Product,
    R,
    Scalar,
    Type,
)
from .weight_mistakes import escapes

if TYPE_CHECKING:
    from .solve import Clash, Solver

Operands = tuple[Span, Span] | None


def _operand(place: Origin, spans: Operands, left: bool) -> Span:
    """The span of one operand, where it is known; else that of the operation."""
    if spans is None or not _inside(spans[0], place.span) or not _inside(spans[1], place.span):
        return place.span
    return spans[0] if left else spans[1]


def _inside(inner: Span, outer: Span) -> bool:
    return inner.source == outer.source and (
        (outer.line, outer.column) <= (inner.line, inner.column)
        and (inner.end_line, inner.end_column) <= (outer.end_line, outer.end_column)
        and inner != outer
    )


_NO_ORDER = "Complex numbers have no order: compare their `abs`, `real` or `imag`."


def operands_differ(
    solver: Solver,
    operator: str,
    left: Type,
    right: Type,
    clash: Clash,
    place: Origin | None,
    spans: Operands = None,
) -> Diagnostic:
    """Two operands whose shapes do not fit."""
    assert place is not None
    left_text, right_text = shown_together(solver, (left, right))
    symbol = operator if not operator[:1].isalpha() else ","
    advice = Advice()
    code, title = "operand-shapes", f"the operands of `{operator}` do not fit"
    span = place.span
    known = _operand(place, spans, True) != place.span
    texts = (spans[0].text, spans[1].text) if known and spans is not None else ("…", "…")
    tails = solver.spine(left)[1], solver.spine(right)[1]
    if clash.kind == "representations":
        code = "representation-mismatch"
        of, to = _types(solver, clash)
        if is_rep(solver, of) and is_rep(solver, to) and known and spans is not None:
            turned = _Turned(clash)
            representations(solver, turned, advice, right, left, spans[1])  # type: ignore[arg-type]
        else:
            representations(solver, clash, advice, left, right, span)
        advice.notes = advice.notes or ["Two representations do not mix."]
    elif clash.kind == "types":
        code = "operand-types"
        if {R, C} == set(tails):
            advice.notes.append(_NO_ORDER)
        for tail, text, other, first in (
            (tails[0], texts[0], tails[1], True),
            (tails[1], texts[1], tails[0], False),
        ):
            if isinstance(tail, Scalar) and tail.name in ("Int", "Bool") and other == R and known:
                advice.write(
                    f"To make a real number of {a(tail.name)}:",
                    _operand(place, spans, first),
                    f"toReal {grouped(text)}",
                )
    elif clash.kind == "sizes":
        shorter_first = len(solver.spine(left)[0]) < len(solver.spine(right)[0])
        shorter, longer = (left, right) if shorter_first else (right, left)
        longer_axes, shorter_axes = solver.spine(longer)[0], solver.spine(shorter)[0]
        if len(longer_axes) != len(shorter_axes):
            advice.notes.append(
                "Arithmetic repeats the operand with fewer axes over the leading axes that it "
                "lacks; nothing else is repeated."
            )
        if len(longer_axes) == len(shorter_axes) + 1 and solver.size(longer_axes[0]) == solver.size(
            shorter_axes[0]
        ):
            pairs = f"zipWith ({operator}) ({texts[0]}, {texts[1]})"
            note = "To pair them along the leading axis:"
            if known:
                advice.write(note, span, pairs)
            else:
                advice.notes.append(note)
                advice.example = pairs
        else:
            about_sizes(solver, clash, advice)
    text = f"{left_text} {symbol} {right_text}"
    hole = next((text for text in texts if re.fullmatch(r"\?\w+", text)), None)
    if hole is not None and clash.kind == "sizes":
        code, title = "hole-at-two-shapes", f"the hole `{hole}` is used at two shapes"
        mine, met = (left_text, right_text) if hole == texts[0] else (right_text, left_text)
        text = f"`{hole}` is {mine}, and here it meets {met}"
        advice.notes.insert(0, "Two holes, with two names, may have two shapes.")
    return plain(
        code,
        title,
        span,
        text,
        secondary=[
            *(origins(solver, clash, left, right, span) if clash.kind != "types" else []),
            *came(solver, left, span),
            *came(solver, right, span),
        ][:3],
        **advice.parts,  # type: ignore[arg-type]
    )


def _types(solver: Solver, clash: Clash) -> tuple[Type, Type]:
    """The types that clash."""
    assert not isinstance(clash.found, Size)
    assert not isinstance(clash.wanted, Size)
    return solver.resolve(clash.found), solver.resolve(clash.wanted)


class _Turned:
    """A clash with found and wanted exchanged."""

    def __init__(self, clash: Clash) -> None:
        self.kind, self.found, self.wanted = clash.kind, clash.wanted, clash.found


def operand_and_result(
    solver: Solver,
    operator: str,
    operand: Type,
    result: Type,
    clash: Clash,
    place: Origin | None,
    span: Span | None = None,
) -> Diagnostic:
    """An operand has as many axes as the result, and other sizes."""
    assert place is not None
    operand_text, result_text = shown_together(solver, (operand, result))
    advice = Advice()
    about_sizes(solver, clash, advice)
    return plain(
        "operand-shapes",
        f"an operand of `{operator}` does not fit the result",
        place.span,
        f"an operand is {operand_text}, and {result_text} is expected",
        secondary=[
            *came(solver, result, place.span),
            *came(solver, operand, place.span),
            *origins(solver, clash, operand, result, place.span),
        ][:3],
        **advice.parts,  # type: ignore[arg-type]
    )


def no_arithmetic(
    solver: Solver, type_: Type, place: Origin | None, span: Span | None = None
) -> Diagnostic:
    """An operation on numbers, and something that is none."""
    assert place is not None
    text = shown(solver, type_)
    resolved = solver.resolve(type_)
    if is_arrow(resolved):
        return function_in_arithmetic(solver, "", type_, place)
    notes = []
    if isinstance(resolved, Named) and resolved.name in solver.carriers:
        notes.append(
            f"{a(text)[0].upper()}{a(text)[1:]} is only added and scaled. To work with the numbers "
            f"it carries, match it: `\\({text} x) -> …`."
        )
    elif isinstance(resolved, Fin):
        notes.append("Fin is an index, a class or a token: `toReal` makes it a number.")
    return plain(
        "no-arithmetic",
        f"this is not done with {a(text)}",
        span or place.span,
        f"{a(text)} is not a number or an array of numbers",
        secondary=came(solver, type_, place.span),
        notes=notes,
    )


def not_a_number_operand(
    solver: Solver, operator: str, type_: Type, place: Origin, spans: Operands, left: bool
) -> Diagnostic:
    """`label + 1`: an index or a truth value among numbers."""
    span = _operand(place, spans, left)
    text = shown(solver, type_)
    tail = solver.spine(type_)[1]
    what = "an index, a class or a token" if isinstance(tail, Fin) else "a truth value"
    made = f"toReal {grouped(span.text)}"
    advice = Advice()
    if span != place.span:
        advice.write("To count with it:", span, made)
    else:
        advice.notes.append("`toReal` makes a real number of it.")
    return plain(
        "not-a-number",
        f"{text} is {what}, not a number" if isinstance(tail, Fin) else f"{text} is not a number",
        span,
        f"this is {text}, and `{operator}` takes numbers",
        secondary=came(solver, type_, span),
        **advice.parts,  # type: ignore[arg-type]
    )


def function_in_arithmetic(
    solver: Solver, operator: str, type_: Type, place: Origin | None, spans: Operands = None,
    left: bool = True,
) -> Diagnostic:  # fmt: skip
    """A function where numbers are added, multiplied or compared."""
    assert place is not None
    span = _operand(place, spans, left)
    arrow = solver.closed(type_)
    takes = shown(solver, arrow.domain) if isinstance(arrow, Function | Linear) else ""
    number = spans[1] if spans is not None and left else None
    if operator in ("==", "/=", "<", "<=", ">", ">="):
        title = "functions are not compared"
    else:
        title = "functions are not added or multiplied"
    advice = Advice()
    if (
        operator == "-"
        and span != place.span
        and number is not None
        and re.fullmatch(r"[\d.e]+", number.text)
        and place.span.text.endswith(f" -{number.text}")
    ):
        title = f"`{place.span.text}` is a subtraction"
        advice.write(
            "For an argument with a sign:",
            place.span,
            f"{span.text} (-{number.text})",
        )
    elif takes:
        of = "" if "_" in takes else f" of type {takes}"
        advice.notes.append(f"It may be missing an argument{of}.")
        if operator:
            advice.notes.append(
                f"To combine what two functions give, write `\\x -> f x {operator} g x`."
            )
    called = f"`{span.text}`" if span != place.span and len(span.text) < 20 else "this"
    if advice.better is not None:
        span = place.span
    return plain(
        "function-in-arithmetic",
        title,
        span,
        f"{called} is a function: {shown(solver, type_)}",
        secondary=came(solver, type_, span),
        **advice.parts,  # type: ignore[arg-type]
    )


def only_scales(
    solver: Solver, operator: str, left: Type, right: Type, place: Origin | None
) -> Diagnostic:
    """`*` or `/` between two elements of vector spaces that are no arrays of numbers."""
    assert place is not None
    carried = next(
        (
            tail.name
            for tail in (solver.spine(left)[1], solver.spine(right)[1])
            if isinstance(tail, Named) and tail.name in solver.carriers
        ),
        None,
    )
    notes = ["Representations, tuples and linear maps are multiplied and divided by a scalar only."]
    if carried:
        notes.append(
            f"To work with the numbers that {a(carried)} carries, match it: `\\({carried} x) -> …`."
        )
    return plain(
        "only-scales",
        f"between these, `{operator}` only scales",
        place.span,
        f"{shown(solver, left)} {operator} {shown(solver, right)}",
        secondary=[*came(solver, left, place.span), *came(solver, right, place.span)],
        notes=notes,
    )


def not_of_class(solver: Solver, name: str, type_: Type, place: Origin | None) -> Diagnostic:
    """A type outside what an operation takes: no vector space, not elementwise, no order."""
    assert place is not None
    text = shown(solver, type_)
    asks = place.role if place.role.startswith("`") else ""
    said = {
        "vector": ("not-a-vector-space", f"{text} is not a vector space", "a vector space"),
        "space": ("not-a-vector-space", f"{text} is not a vector space", "a vector space"),
        "smooth": ("not-a-vector-space", f"{text} is not a vector space", "a vector space"),
        "scaling": ("not-a-vector-space", f"{text} cannot be scaled", "a vector space"),
        "elementwise": (
            "not-elementwise", f"{text} is not an array of numbers", "R or C under any axes",
        ),
        "real": ("not-real", f"{text} is not an array of real numbers", "R under any axes"),
        "number": ("not-a-number", f"{text} is not a number", "numbers or arrays of them"),
        "field": ("not-a-number", f"{text} is not a number", "R or C"),
        "ordered": ("not-comparable", f"values of {text} have no order", "R or Int"),
        "boolean": ("not-boolean", f"{text} is not Bool under any axes", "truth values"),
        "discrete": ("not-discrete", f"{text} is neither Int nor Bool", "Int or Bool"),
        "comparable": ("not-comparable", f"values of {text} have no order", "what has an order"),
    }.get(name, ("not-in-class", f"{text} does not fit here", name))  # fmt: skip
    code, title, wants = said
    by = f"{asks} takes {wants}" if asks else f"this is {text}, and {wants} is expected"
    if name == "vector" and asks == "`zero`":
        by = f"`zero` is of a vector space, and {text} is expected"
    notes = []
    resolved = solver.spine(type_)[1]
    of_trees = isinstance(resolved, Named) and resolved.name in solver.parametric
    if code == "not-a-vector-space" and of_trees:
        notes.append(
            "A type of trees is a vector space for each shape, where they hold real or complex "
            "numbers: `t + u`, `2 * t` and `dot t u` look at the shapes. The zero of the shape of "
            "`t` is `0 * t`."
        )
    elif code == "not-a-vector-space":
        notes.append(
            "Vector spaces are built from R and C by arrays, sequences, tuples, representations "
            "and linear maps."
        )
        if (
            isinstance(resolved, Product)
            and any(_is_vector(solver, item) for item in resolved.items)
            and asks in ("`derivative`", "`jvp`", "`vjp`", "`grad`", "`hessian`")
        ):
            notes.append("Hold what cannot move and differentiate in the rest: `\\x -> f (x, n)`.")
    elif isinstance(resolved, Fin) or text in ("Int", "Bool"):
        notes.append("`toReal` makes a real number of it.")
    elif resolved == C and code in ("not-comparable", "not-real"):
        notes.append(_NO_ORDER if code == "not-comparable" else PARTS_OF_COMPLEX)
    if is_arrow(resolved):
        notes.append("It may be missing an argument.")
    elif isinstance(resolved, Named) and resolved.name in solver.carriers:
        notes.append(f"To leave the representation, match it: `\\({resolved.name} x) -> …`.")
    return plain(
        code, title, place.span, by, secondary=came(solver, type_, place.span), notes=notes
    )


def not_a_matrix(
    solver: Solver, type_: Type, place: Origin | None, spans: Operands = None, left: bool = True
) -> Diagnostic:
    """An operand of `@` that is neither a vector nor a matrix."""
    assert place is not None
    span = _operand(place, spans, left)
    text = shown(solver, type_)
    axes, tail = solver.spine(type_)
    advice = Advice()
    if isinstance(tail, Named) and tail.name in solver.carriers:
        advice.notes.append(f"To leave the representation, match it: `\\({tail.name} x) -> …`.")
    elif not axes and solver.is_scalar(tail):
        note = "To multiply by a scalar:"
        if spans is not None and span != place.span:
            advice.write(note, place.span, f"{spans[0].text} * {spans[1].text}")
        else:
            advice.notes.append("To multiply by a scalar write `*`.")
    elif len(axes) > 2:
        advice.notes.append(
            "`@` does not lift over further axes: `map (\\x -> … @ x)` applies it along one, "
            "`flatten` makes one vector of an array."
        )
    return plain(
        "not-a-matrix",
        f"{a(text)} is neither a vector nor a matrix",
        span,
        f"this is {a(text)}, and `@` takes vectors and matrices",
        secondary=came(solver, type_, span),
        **advice.parts,  # type: ignore[arg-type]
    )


def not_a_product(solver: Solver, type_: Type, place: Origin | None) -> Diagnostic:
    """What is expected of `@` is nothing that `@` gives."""
    assert place is not None
    text = shown(solver, type_)
    resolved = solver.resolve(type_)
    advice = Advice()
    if isinstance(resolved, Named) and resolved.name in solver.carriers:
        advice.write(
            "To enter the representation:", place.span, f"{resolved.name} ({place.span.text})"
        )
    return plain(
        "not-a-product",
        f"`@` gives a number, a vector or a matrix, not {a(text)}",
        place.span,
        f"{a(text)} is expected here",
        secondary=came(solver, type_, place.span),
        **advice.parts,  # type: ignore[arg-type]
    )


def contraction(
    solver: Solver,
    left: Type,
    right: Type,
    clash: Clash,
    place: Origin | None,
    hole: str,
    spans: Operands = None,
) -> Diagnostic:
    """The last axis of the left operand of `@` is not as long as the first of the right."""
    assert place is not None
    if clash.kind in ("escape", "length"):
        return escapes(solver, clash, place)
    span = place.span
    left_text, right_text = shown_together(solver, (left, right))
    left_axes, right_axes = solver.spine(left)[0], solver.spine(right)[0]
    advice = Advice()
    if left_axes and right_axes:
        last, first = shown(solver, left_axes[-1]), shown(solver, right_axes[0])
        advice.notes.append(
            f"`A @ x` contracts the last axis of A, here {last}, with the first of x, here {first}."
        )
        turned = len(left_axes) == 2 and solver.size(left_axes[0]) == solver.size(right_axes[0])
        if turned and spans is not None and _operand(place, spans, True) != span:
            advice.write("To exchange the axes of A:", spans[0], f"transpose {spans[0].text}")
    where = [
        label
        for size in (clash.wanted, clash.found)
        if isinstance(size, Size)
        for label in settled(solver, size, span)
    ]
    code, title = "contraction-sizes", "the operands of `@` do not fit"
    text = f"{left_text} @ {right_text}"
    if hole and where:
        code, title = "hole-at-two-shapes", f"the hole `?{hole}` is used at two shapes"
        text = f"`?{hole}` is {left_text}, and here it meets {right_text}"
        advice.notes.insert(0, "Two holes, with two names, may have two shapes.")
    return plain(
        code,
        title,
        span,
        text,
        secondary=[*where, *came(solver, left, span), *came(solver, right, span)],
        **advice.parts,  # type: ignore[arg-type]
    )


def _is_vector(solver: Solver, type_: Type) -> bool:
    tail = solver.spine(type_)[1]
    return isinstance(tail, Scalar) and tail.name in ("R", "C")
