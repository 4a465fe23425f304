"""Two types that differ: what was found and expected, and where each of the two came from.

Every function returns a finished `Diagnostic`. `mismatch` tells of a type that stands where
another is expected, `clash` of two that met while a constraint was solved.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .misfit import Misfit
from .sizes import Size
from .source import Span
from .telling import (
    Advice,
    a,
    came,
    grouped,
    listed,
    origin_of,
    origins,
    plain,
    settled,
    shown,
    shown_together,
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
    TypeVariable,
)
from .weight_mistakes import escapes

if TYPE_CHECKING:
    from .solve import Clash, Solver

# --- two types that differ -----------------------------------------------------------------

_TITLES = {
    "sizes": ("size-mismatch", "these sizes do not agree"),
    "types": ("type-mismatch", "these types do not agree"),
    "representations": ("representation-mismatch", "these representations do not agree"),
    "arity": ("tuple-size", "these tuples have different numbers of items"),
    "infinite": ("infinite-type", "this type would contain itself"),
    "negative": ("negative-size", "a size would be negative"),
    "scalar": ("not-a-scalar", "a number is a scalar"),
}

# What a combinator asks of its function, for those that keep a state or make copies.
_ASKS = {
    **dict.fromkeys(
        ("fold", "foldRight", "scan"),
        "keeps one state: its function takes (state, element) and gives the next state.",
    ),
    **dict.fromkeys(
        ("mapAccum", "mapAccumRight"),
        "keeps one state: its function takes (state, element) and gives (state, result).",
    ),
    "unfold": "keeps one state: its function takes a state and gives (state, element).",
    "unfoldWhile": "keeps one state: its function takes a state and gives (state, element, Bool).",
    "zipWith": "hands its function a pair, one element of each.",
    "iterate": "hands on what its function gives: it must have the type of what it takes.",
    "stack": "hands on what its layer gives: it must have the type of what it takes.",
    "while": "hands on what its function gives: it must have the type of what it takes.",
}

# Words of other languages that stand for any type where they are meant as one.
_FOREIGN_TYPES = {
    **dict.fromkeys(("float", "double", "real", "number", "num", "scalar"), "R"),
    **dict.fromkeys(("int", "integer", "nat"), "Int"),
    **dict.fromkeys(("bool", "boolean"), "Bool"),
    "complex": "C",
}


def kind_of(solver: Solver, clash: Clash) -> tuple[str, str]:
    """Code and title; only representations are called so, other declared types are types."""
    kind = clash.kind
    if kind == "representations" and not any(
        isinstance(side, Named) and side.name in solver.carriers
        for side in (clash.found, clash.wanted)
    ):
        kind = "types"
    return _TITLES[kind]


def mismatch(
    solver: Solver,
    found: Type,
    wanted: Type,
    clash: Clash,
    place: Origin,
    role: str = "",
) -> Diagnostic:
    """`found` stands where `wanted` is expected, and they clash somewhere inside."""
    if clash.kind == "scalar":
        return _not_a_scalar(solver, found, wanted, clash, place, role)
    code, title = kind_of(solver, clash)
    parts = clash.types or (found, wanted)
    found_text, wanted_text, *inner = shown_together(solver, (found, wanted, *parts))
    expected = f" as {role}" if role else ""
    advice = Advice()
    text = f"this is {found_text}, and {wanted_text} is expected{expected}"
    if clash.kind == "arity":
        counts = [len(part.items) for part in parts if isinstance(part, Product)]
        text = f"{counts[0]} items here, and {counts[1]} are expected{expected}"
        if role == "the pattern":
            text = f"the pattern has {counts[0]} items, and the value {counts[1]}"
            if found_text.startswith("(_"):
                found_text = wanted_text  # a pattern of names says nothing of types
    elif role == "the pattern":
        text = f"the pattern is for {found_text}, and the value is {wanted_text}"
    elif clash.kind == "infinite":
        text = f"{inner[0]} would have to be {inner[1]}"
    elif found_text == wanted_text:
        text = f"{inner[0]} stands where {inner[1]} is expected{expected}"
    if len(found_text) + len(wanted_text) > 40 and inner != [found_text, wanted_text]:
        text = f"{inner[0]} stands where {inner[1]} is expected"
        if expected:
            advice.notes.append(f"This is {role}:")
        advice.notes.append(f"  found     {found_text}\n  expected  {wanted_text}")
    about_sizes(solver, clash, advice)
    about_variables(solver, clash, advice)
    _about_layers(solver, parts[0], parts[1], advice)
    labels = origins(solver, clash, found, wanted, place.span)
    if _curried(solver, found, wanted):
        labels = came(solver, found, place.span)
    ends = solver.resolve(parts[0]), solver.resolve(parts[1])
    if clash.kind in ("types", "representations") and is_arrow(ends[0]) != is_arrow(ends[1]):
        code, title = _function_or_value(solver, found, wanted, ends, place.span, role, advice)
    else:
        _ways_out(solver, found, wanted, clash, place.span, role, advice)
    told = plain(
        code,
        title,
        place.span,
        text,
        secondary=labels,
        **advice.parts,  # type: ignore[arg-type]
    )
    taker = re.search(r"argument of `([^`]+)`$", role)
    if taker is None or "->" in found_text + wanted_text or len(found_text + wanted_text) > 40:
        return told
    handed = Misfit(place.span.text, found_text, wanted_text, taker[1], is_value=True)
    return replace(told, misfit=handed)


def _about_layers(solver: Solver, found: Type, wanted: Type, advice: Advice) -> None:
    """A tree for a layer of one, or the other way round."""
    one, other = solver.resolve(found), solver.resolve(wanted)
    if not isinstance(one, Named) or not isinstance(other, Named):
        return
    for base, tree in ((one.name, other.name), (other.name, one.name)):
        if solver.bases.get(base) == tree:
            advice.notes.append(
                f"{base} is one layer of a {tree}: its constructors are those of {tree} with "
                "an F, and what they hold in place of children need not be trees."
            )
            return


def is_arrow(type_: Type) -> bool:
    return hasattr(type_, "domain")


def _function_or_value(
    solver: Solver,
    found: Type,
    wanted: Type,
    ends: tuple[Type, Type],
    span: Span,
    role: str,
    advice: Advice,
) -> tuple[str, str]:
    """A function where a value is expected, or the other way round, maybe inside."""
    if _curried(solver, found, wanted):
        advice.write(
            f"{_called(role)} hands its function a tuple. For a function that takes its "
            "arguments one by one:",
            span,
            f"(uncurry {grouped(span.text)})",
        )
        return "type-mismatch", "these types do not agree"
    if not is_arrow(ends[0]):
        return "value-for-function", "a value stands where a function is expected"
    if solver.resolve(found) == ends[0]:
        arrow = solver.closed(found)
        assert isinstance(arrow, Function | Linear)
        advice.notes.append(f"It may be missing an argument of type {shown(solver, arrow.domain)}.")
    return "function-for-value", "a function stands where a value is expected"


def _called(role: str) -> str:
    """Whose argument a role is: `fold` of "the first argument of `fold`"."""
    found = re.search(r"argument of (`[^`]+`)", role)
    return found[1] if found else "What uses it"


def _curried(solver: Solver, found: Type, wanted: Type) -> bool:
    """Whether a function takes its arguments one by one where a tuple is handed over."""
    arrow, target = solver.closed(found), solver.closed(wanted)
    if not isinstance(arrow, Function) or not isinstance(target, Function):
        return False
    items = solver.resolve(target.domain)
    return (
        isinstance(items, Product)
        and len(items.items) == 2
        and not isinstance(arrow.domain, Product | TypeVariable)
        and isinstance(arrow.codomain, Function)
    )


def _ways_out(
    solver: Solver, found: Type, wanted: Type, clash: Clash, span: Span, role: str, advice: Advice
) -> None:
    """What is usually meant where these two types meet."""
    if _curried(solver, found, wanted):
        _function_or_value(solver, found, wanted, (found, wanted), span, role, advice)
        return
    of = re.search(r"argument of `(\w+)`", role)
    if of and of[1] in _ASKS and is_arrow(solver.resolve(found)):
        advice.notes.append(f"`{of[1]}` {_ASKS[of[1]]}")
        return
    if clash.kind == "sizes" and clash.types is not None:
        given = origin_of(solver, clash.types[0], span)
        if given is not None and given.role == "`window`" and "pad" not in given.span.text:
            advice.notes.append("`window[k, pad=same]` gives as many elements as it takes.")
    if clash.kind == "infinite":
        advice.notes.append(
            "Nothing holds itself: it may be applied to itself, or stand among its own elements."
        )
    representations(solver, clash, advice, found, wanted, span)
    found_axes, found_tail = solver.spine(found)
    wanted_axes, wanted_tail = solver.spine(wanted)
    text = span.text
    if role == "the condition of `if`" and found_tail == R and not found_axes:
        advice.write("A condition compares, for example:", span, f"{grouped(text)} > 0")
    elif wanted_tail == R and len(found_axes) == len(wanted_axes):
        made = f"toReal {grouped(text)}"
        if isinstance(found_tail, Fin):
            advice.write(
                "Fin is an index, a class or a token, not a number. To count with it:",
                span,
                f"({made})" if role else made,
            )
        elif found_tail == C:
            advice.notes.append(PARTS_OF_COMPLEX)
        elif isinstance(found_tail, Scalar) and found_tail.name in ("Int", "Bool"):
            advice.write(
                f"To make a real number of {a(found_tail.name)}:",
                span,
                f"({made})" if role else made,
            )
    elif isinstance(found_tail, Product) and not isinstance(wanted_tail, Product):
        names = ", ".join("abcdefgh"[: len(found_tail.items)])
        if found_tail.items:
            advice.notes.append(f"To take a tuple apart, match it: `\\({names}) -> …`.")


def about_sizes(solver: Solver, clash: Clash, advice: Advice) -> None:
    """What may be done about two sizes that differ."""
    found, wanted = clash.found, clash.wanted
    if not isinstance(found, Size) or not isinstance(wanted, Size):
        return
    sizes = solver.size(found), solver.size(wanted)
    rigid = [v for size in sizes for v in size.written_variables() if not v.open and not v.runtime]
    names = list(dict.fromkeys(v.name for v in rigid))
    if clash.text:
        advice.notes.append(f"{clash.text[0].upper()}{clash.text[1:]}.")
    if not names:
        return
    if len(names) == 2 and all(size.lone_variable is not None for size in sizes):
        advice.notes.append(
            f"{listed(names)} may differ: they stand for any sizes. If they are one size, give "
            "them one name in the signature."
        )
        return
    stands = "stands for any size" if len(names) == 1 else "stand for any sizes"
    note = f"{listed(names)} {stands}: whoever uses the definition chooses."
    number = next((size.value for size in sizes if size.value is not None), None)
    lone = next((size.lone_variable for size in sizes if size.lone_variable is not None), None)
    if number is not None and lone is not None:
        note += f" If only {number} will do, write {number} in the signature."
    advice.notes.append(note)


def about_variables(solver: Solver, clash: Clash, advice: Advice) -> None:
    """A variable of a signature stands for any type, whatever it is called."""
    for part in (clash.found, clash.wanted):
        if isinstance(part, Size):
            continue
        side = solver.resolve(part)
        if isinstance(side, TypeVariable) and not side.open:
            text = shown(solver, side)
            note = f"`{text}` stands for any type: whoever uses the definition chooses."
            meant = _FOREIGN_TYPES.get(side.name)
            if meant is not None and side.origin is not None:
                note = f"`{text}` is not a type of the language, so it stands for any type. Write:"
                advice.write(note, side.origin.span, meant)
            else:
                advice.notes.append(note)


def representations(
    solver: Solver, clash: Clash, advice: Advice, found: Type, wanted: Type, span: Span
) -> None:
    """How to enter a representation, leave it, or go from one to another."""
    if isinstance(clash.found, Size) or isinstance(clash.wanted, Size):
        return
    left, right = solver.resolve(clash.found), solver.resolve(clash.wanted)
    whole = solver.resolve(found) == left and solver.resolve(wanted) == right
    text = span.text
    if is_rep(solver, left) and is_rep(solver, right):
        assert isinstance(left, Named)
        assert isinstance(right, Named)
        if not same_carrier(solver, left, right):
            return
        carrier = shown(solver, solver.carriers[left.name])
        note = (
            f"Both are {carrier}, but {a(left.name)} is not {a(right.name)}. If you mean it, "
            "convert:"
        )
        letter = left.name[0].lower()
        convert = f"(\\({left.name} {letter}) -> {right.name} {letter})"
        if whole:
            advice.write(note, span, f"({convert} {grouped(text)})")
        else:
            advice.notes.append(note)
            advice.example = convert
    elif is_rep(solver, right) and not is_rep(solver, left):
        assert isinstance(right, Named)
        if whole and may_be(solver, left, solver.carriers[right.name]):
            advice.write(
                "To enter the representation:", span, f"{right.name} {grouped(text)}"
                if not advice.notes else f"({right.name} {grouped(text)})",
            )  # fmt: skip
        else:
            advice.notes.append(f"To enter the representation, write `{right.name} (…)`.")
    elif is_rep(solver, left):
        assert isinstance(left, Named)
        advice.notes.append(f"To leave the representation, match it: `\\({left.name} x) -> …`.")


def is_rep(solver: Solver, type_: Type) -> bool:
    return isinstance(type_, Named) and type_.name in solver.carriers


def may_be(solver: Solver, type_: Type, carrier: Type) -> bool:
    return shown(solver, type_) == shown(solver, carrier)


def same_carrier(solver: Solver, left: Named, right: Named) -> bool:
    return may_be(solver, solver.carriers[left.name], solver.carriers[right.name])


def _not_a_scalar(
    solver: Solver, found: Type, wanted: Type, clash: Clash, place: Origin, role: str
) -> Diagnostic:
    """A number written in the program meets something that has axes or parts."""
    assert not isinstance(clash.found, Size)
    assert not isinstance(clash.wanted, Size)
    literal = next(
        (
            solver.literals[variable.identity]
            for variable in solver.variables(clash.found)
            if variable.identity in solver.literals
        ),
        None,
    )
    here = literal is not None and literal[0].span == place.span
    span = place.span
    text = shown(solver, wanted if here else clash.wanted)
    expected = f" as {role}" if role else ""
    advice = Advice()
    axes, tail = solver.spine(clash.wanted)
    if is_arrow(solver.resolve(clash.wanted)):
        note = "A number is no function."
        if role:
            note += " There may be an argument too many."
        return plain(
            "value-for-function",
            "a value stands where a function is expected",
            span,
            f"this is a number, and {text} is expected{expected}",
            secondary=came(solver, wanted, span),
            notes=[note],
        )
    if here and literal is not None:
        size = solver.size(axes[0]).value if len(axes) == 1 else None
        made = f"replicate[{size}] {grouped(span.text)}"
        if literal[1] == 0:
            advice.write(
                "A literal is a scalar. The zero of any vector space is written:", span, "zero"
            )
        elif size is not None and tail == R:
            advice.write(
                "A literal is a scalar. To have it in every place:",
                span,
                f"({made})" if role else made,
            )
        elif axes:
            advice.notes.append("A literal is a scalar; `replicate[n] x` is n copies of x.")
        primary = f"this is a number, and {text} is expected{expected}"
        secondary = came(solver, wanted, span)
    else:
        primary = f"{text} stands where a number is expected{expected}"
        secondary = [Label(literal[0].span, "this number is a scalar")] if literal else []
        secondary += came(solver, clash.wanted, span)
        if axes:
            advice.notes.append("A literal is a scalar; `replicate[n] x` is n copies of x.")
    return plain(
        "not-a-scalar", "a number is a scalar", span, primary, secondary=secondary,
        **advice.parts,  # type: ignore[arg-type]
    )  # fmt: skip


PARTS_OF_COMPLEX = "Of a complex number, `abs`, `real`, `imag` and `angle` are real."


def clash(solver: Solver, clash: Clash, place: Origin) -> Diagnostic:
    """A clash found while a constraint fired."""
    found, wanted = clash.found, clash.wanted
    if clash.kind in ("escape", "length"):
        return escapes(solver, clash, place)
    if clash.kind == "linear":
        assert not isinstance(found, Size)
        return not_linear(solver, found, place)
    if clash.types is not None:
        return mismatch(solver, *clash.types, clash, place, spoken(place.role))
    code, title = _TITLES[clash.kind]
    advice = Advice()
    about_sizes(solver, clash, advice)
    labels = [
        label
        for size in (wanted, found)
        if isinstance(size, Size)
        for label in settled(solver, size, place.span)
    ]
    text = f"{shown(solver, found)} is not {shown(solver, wanted)}"
    return plain(
        code, title, place.span, text, secondary=labels,
        **advice.parts,  # type: ignore[arg-type]
    )  # fmt: skip


def spoken(role: str) -> str:
    """A role that is a sentence's part; a bare name in backticks is none."""
    return "" if role.startswith("`") else role


def no_weights(solver: Solver, type_: Type, place: Origin | None) -> Diagnostic:
    """Something else where the weights of a definition are wanted."""
    assert place is not None
    return plain(
        "no-weights",
        "the weights of a definition are expected here",
        place.span,
        f"this is {shown(solver, type_)}",
        secondary=came(solver, type_, place.span),
        notes=["`weights f`, of a definition f, are a value of the type `Weights f`."],
    )


def not_linear(solver: Solver, type_: Type, place: Origin | None) -> Diagnostic:
    """A function where a linear map is wanted."""
    assert place is not None
    text = shown(solver, type_)
    notes = []
    example = None
    arrow = solver.closed(type_)
    name = place.span.text
    if isinstance(arrow, Function):
        notes = [
            "A linear map is a derivative (`derivative f x`), a matrix, or a definition whose "
            "signature says `-o`:"
        ]
        named = name if re.fullmatch(r"\w+", name) else "f"
        domain, codomain = shown_together(solver, (arrow.domain, arrow.codomain))
        if "_" in domain + codomain or named == "f":
            domain, codomain = "R[3]", "R[3]"
        example = f"{named} : {domain} -o {codomain}"
    else:
        notes = ["A linear map is a derivative, a matrix, or a definition declared with `-o`."]
    return plain(
        "not-linear",
        "a linear map is expected here",
        place.span,
        f"this is {text}, and not known to be linear",
        secondary=came(solver, type_, place.span),
        notes=notes,
        suggestion=example,
    )


def in_array(solver: Solver, type_: Type, span: Span) -> Diagnostic:
    return plain(
        "function-in-array",
        "functions cannot be kept in arrays",
        span,
        f"this would be {shown(solver, type_)}",
        notes=["To have several functions, use a tuple, or one function with an index."],
    )


def in_data(span: Span, found: str) -> Diagnostic:
    return plain(
        "function-in-data",
        "functions cannot be kept in data",
        span,
        found,
        notes=[
            "A data value is laid out as arrays, and its tangent is a tree of the same shape; "
            "a function has neither. Keep what the function is made of, and apply it where "
            "the value is used."
        ],
    )
