"""What is said about each mistake that inference finds, one function a mistake.

Every function returns a finished `Diagnostic`: what was found and expected, where each of
the two came from, and, where one can be given, what to write instead. Types are shown as
people write them; a number whose kind is still open is R, as it would be by default.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .sizes import Size
from .source import Span
from .types import (
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
    show_together,
    substitute,
)

if TYPE_CHECKING:
    from .solve import Clash, Solver


# --- helpers ---------------------------------------------------------------------------


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
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return found[0] if found else None


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
    origin = _origin(solver, type_, place)
    if origin is None:
        return []
    role = origin.role or "here"
    return [Label(origin.span, f"{shown(solver, type_)} comes from {role}")]


def _origin(solver: Solver, type_: Type, place: Span) -> Origin | None:
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
            if role.startswith("the signature") and origin.span.text.startswith(
                text.partition("[")[0] + "["
            ):
                text = origin.span.text  # the whole of an array with more axes
            labels.append(Label(origin.span, f"{text} comes from {role}"))
            continue
        where = solver.size_origins.get(identity)
        if where is not None and where.span != place:
            whose = f" by `{where.role}`" if where.role else ""
            labels.append(Label(where.span, f"settled to {value}{whose}"))
    return labels


def _origins(solver: Solver, clash: Clash, found: Type, wanted: Type, place: Span) -> list[Label]:
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


def _kind(solver: Solver, clash: Clash) -> tuple[str, str]:
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
    code, title = _kind(solver, clash)
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
    _sizes(solver, clash, advice)
    _rigid_types(solver, clash, advice)
    labels = _origins(solver, clash, found, wanted, place.span)
    if _curried(solver, found, wanted):
        labels = came(solver, found, place.span)
    ends = solver.resolve(parts[0]), solver.resolve(parts[1])
    if clash.kind in ("types", "representations") and _is_arrow(ends[0]) != _is_arrow(ends[1]):
        code, title = _function_or_value(solver, found, wanted, ends, place.span, role, advice)
    else:
        _ways_out(solver, found, wanted, clash, place.span, role, advice)
    return plain(
        code,
        title,
        place.span,
        text,
        secondary=labels,
        **advice.parts,  # type: ignore[arg-type]
    )


def _is_arrow(type_: Type) -> bool:
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
    if not _is_arrow(ends[0]):
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
    if of and of[1] in _ASKS and _is_arrow(solver.resolve(found)):
        advice.notes.append(f"`{of[1]}` {_ASKS[of[1]]}")
        return
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


def _sizes(solver: Solver, clash: Clash, advice: Advice) -> None:
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


def _rigid_types(solver: Solver, clash: Clash, advice: Advice) -> None:
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
    if _is_rep(solver, left) and _is_rep(solver, right):
        assert isinstance(left, Named)
        assert isinstance(right, Named)
        if not _same_carrier(solver, left, right):
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
    elif _is_rep(solver, right) and not _is_rep(solver, left):
        assert isinstance(right, Named)
        if whole and _may_be(solver, left, solver.carriers[right.name]):
            advice.write(
                "To enter the representation:", span, f"{right.name} {grouped(text)}"
                if not advice.notes else f"({right.name} {grouped(text)})",
            )  # fmt: skip
        else:
            advice.notes.append(f"To enter the representation, write `{right.name} (…)`.")
    elif _is_rep(solver, left):
        assert isinstance(left, Named)
        advice.notes.append(f"To leave the representation, match it: `\\({left.name} x) -> …`.")


def _is_rep(solver: Solver, type_: Type) -> bool:
    return isinstance(type_, Named) and type_.name in solver.carriers


def _may_be(solver: Solver, type_: Type, carrier: Type) -> bool:
    return shown(solver, type_) == shown(solver, carrier)


def _same_carrier(solver: Solver, left: Named, right: Named) -> bool:
    return _may_be(solver, solver.carriers[left.name], solver.carriers[right.name])


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
    if _is_arrow(solver.resolve(clash.wanted)):
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
        _, title = _kind(solver, clash)
        what = next((code for code in codes if f"these {code}" in title), "functions")
        code = "do-not-compose" if what == "functions" else f"{what}-do-not-compose"
        _sizes(solver, clash, advice)
        _rigid_types(solver, clash, advice)
        _conversion(solver, clash, span, place.span, arrow.domain, wanted.domain, advice)
        labels, context = [], []
        for at, verb, type_, text in (
            (place.span, "takes", arrow.domain, takes),
            (span, "gives", wanted.domain, gives),
        ):
            where, quoted = _where(solver, type_, place.span)
            labels.append(Label(at, f"{verb} {a(text)}{where}"))
            context += quoted
        return plain(
            code, f"these {what} do not compose", place.span, labels[0].text,
            secondary=[labels[1], *context],
            **advice.parts,  # type: ignore[arg-type]
        )  # fmt: skip
    gives, expected = shown_together(solver, (arrow.codomain, wanted.codomain))
    if gives == expected:
        return None
    _sizes(solver, clash, advice)
    _rigid_types(solver, clash, advice)
    representations(solver, clash, advice, arrow.codomain, wanted.codomain, place.span)
    advice.better = None
    if advice.notes and advice.notes[-1].endswith(":"):
        advice.notes.pop()
    entered = solver.resolve(wanted.codomain)
    if (
        isinstance(entered, Named)
        and _is_rep(solver, entered)
        and _may_be(solver, arrow.codomain, solver.carriers[entered.name])
    ):
        advice.write(
            "To enter the representation:", place.span, f"{place.span.text} >> {entered.name}"
        )
    code, title = _kind(solver, clash)
    return plain(
        code, title, place.span, f"gives {a(gives)}, and {a(expected)} is expected",
        secondary=_origins(solver, clash, arrow.codomain, wanted.codomain, place.span),
        **advice.parts,  # type: ignore[arg-type]
    )  # fmt: skip


def _where(solver: Solver, type_: Type, place: Span) -> tuple[str, list[Label]]:
    """Where a type came from, in brackets, and the line to quote in a notebook."""
    origin = _origin(solver, type_, place)
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
    if _is_rep(solver, of) and _is_rep(solver, to):
        assert isinstance(of, Named)
        assert isinstance(to, Named)
        if not _same_carrier(solver, of, to):
            return
        carrier = shown(solver, solver.carriers[of.name])
        note = f"Both are {carrier}, but {a(of.name)} is not {a(to.name)}. If you mean it, convert:"
        letter = of.name[0].lower()
        convert = f"(\\({of.name} {letter}) -> {to.name} {letter})"
    elif isinstance(to, Named) and _is_rep(solver, to):
        if not _may_be(solver, of, solver.carriers[to.name]):
            return
        note, convert = "To enter the representation:", to.name
    elif isinstance(of, Named) and _is_rep(solver, of):
        if not _may_be(solver, to, solver.carriers[of.name]):
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


def clash(solver: Solver, clash: Clash, place: Origin) -> Diagnostic:
    """A clash found while a constraint fired."""
    found, wanted = clash.found, clash.wanted
    if clash.kind in ("escape", "length"):
        return escapes(solver, clash, place)
    if clash.kind == "linear":
        assert not isinstance(found, Size)
        return not_linear(solver, found, place)
    if clash.types is not None:
        return mismatch(solver, *clash.types, clash, place, _spoken(place.role))
    code, title = _TITLES[clash.kind]
    advice = Advice()
    _sizes(solver, clash, advice)
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


def _spoken(role: str) -> str:
    """A role that is a sentence's part; a bare name in backticks is none."""
    return "" if role.startswith("`") else role


# --- arithmetic ------------------------------------------------------------------------------

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
        if _is_rep(solver, of) and _is_rep(solver, to) and known and spans is not None:
            turned = _Turned(clash)
            representations(solver, turned, advice, right, left, spans[1])  # type: ignore[arg-type]
        else:
            representations(solver, clash, advice, left, right, span)
        advice.notes = advice.notes or ["Two representations do not mix."]
    elif clash.kind == "types":
        code = "operand-types"
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
            _sizes(solver, clash, advice)
    return plain(
        code,
        title,
        span,
        f"{left_text} {symbol} {right_text}",
        secondary=[
            *_origins(solver, clash, left, right, span),
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
    _sizes(solver, clash, advice)
    return plain(
        "operand-shapes",
        f"an operand of `{operator}` does not fit the result",
        place.span,
        f"an operand is {operand_text}, and {result_text} is expected",
        secondary=[
            *came(solver, result, place.span),
            *came(solver, operand, place.span),
            *_origins(solver, clash, operand, result, place.span),
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
    if _is_arrow(resolved):
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
    if code == "not-a-vector-space":
        notes.append(
            "Vector spaces are built from R and C by arrays, sequences, tuples, representations "
            "and linear maps."
        )
    elif isinstance(resolved, Fin) or text in ("Int", "Bool"):
        notes.append("`toReal` makes a real number of it.")
    if _is_arrow(resolved):
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


# --- weights ------------------------------------------------------------------------------------


def one_set_of_weights(found: Diagnostic, name: str) -> Diagnostic:
    """A mismatch at a use of a definition that learns: there is one of it."""
    if found.code not in ("size-mismatch", "type-mismatch"):
        return found
    note = (
        f"`{name}` has one set of weights, so its sizes are settled once, for all its uses. For "
        "weights of another shape make it a family: brackets after its name."
    )
    return replace(found, notes=(note, *found.notes) if found.suggestion else (*found.notes, note))


def hole_at_two_shapes(found: Diagnostic, hole: str, first: Span) -> Diagnostic:
    """A mismatch where a hole stands: an earlier use of it said otherwise."""
    if found.code not in ("size-mismatch", "type-mismatch", "representation-mismatch"):
        return found
    secondary = found.secondary
    if first != found.primary.span and all(label.span != first for label in secondary):
        secondary = (*secondary, Label(first, "first used here"))
    return replace(
        found,
        code="hole-at-two-shapes",
        title=f"the hole `?{hole}` is used at two shapes",
        secondary=secondary,
    )


def escapes(solver: Solver, clash: Clash, place: Origin) -> Diagnostic:
    """The shape of weights would depend on a variable of the signature."""
    name = clash.text
    definition, what = clash.whose if clash.whose is not None else ("", "a hole")
    if clash.kind == "length":
        return plain(
            "hole-of-sequence",
            f"the shape of {what} would depend on the length of a sequence",
            place.span,
            "this length is known only at run time, and a weight has one shape",
            notes=["Learn what is applied to every element (`map`, `fold`), or give the length."],
        )
    kind = "size" if isinstance(clash.found, Size) or name not in ("", None) else "type"
    if definition not in ("", solver.owner):
        return plain(
            "size-escapes",
            f"`{name}` would settle the weights of `{definition}`",
            place.span,
            f"`{name}` stands for any {kind} here, and {what} of `{definition}` has one shape",
            notes=[
                f"`{name}` is a variable of the signature of `{solver.owner}`. Write a number in "
                f"its place, or make `{definition}` a family (`{definition}[{name}]`), of which "
                "every occurrence has weights of its own."
            ],
        )
    return plain(
        "hole-depends-on-size",
        f"the shape of {what} would depend on `{name}`",
        place.span,
        f"`{name}` stands for any size here, and a weight has one shape",
        notes=[f"To have weights for every `{name}`, make `{solver.owner}` a family:"],
        suggestion=f"{solver.owner}[{name}]",
    )


# --- indices, literals, sizes -----------------------------------------------------------------


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
    _sizes(solver, clash, advice)
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
    solver: Solver, value: float | int, type_: Fin, place: Origin | None
) -> Diagnostic:
    assert place is not None
    count = solver.size(type_.size)
    last = None if count.value is None else count.value - 1
    notes = [f"Indices run from 0 to {last}."] if last is not None and last >= 0 else []
    return plain(
        "index-out-of-range",
        f"{value} is not below {count}",
        place.span,
        f"an index in {shown(solver, type_)} is expected",
        secondary=[*came(solver, type_, place.span), *settled(solver, type_.size, place.span)],
        notes=notes,
    )


def bad_literal(
    solver: Solver, value: float | int, type_: Type, place: Origin | None
) -> Diagnostic:
    """A number where something else is expected."""
    assert place is not None
    text = shown(solver, type_)
    resolved = solver.resolve(type_)
    role = _spoken(place.role)
    expected = f" as {role}" if role not in ("", "a number") else ""
    notes = []
    if isinstance(resolved, Fin) and resolved.size.value:
        notes.append(f"{text} has the whole numbers from 0 to {resolved.size.value - 1}.")
    elif text == "Int":
        notes.append("Int has the whole numbers.")
    settled_at = solver.literals_settled.get(_root(solver, type_))
    labels = came(solver, type_, place.span)
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


def too_small(solver: Solver, left: Size, right: Size, place: Origin | None) -> Diagnostic:
    """Fewer elements than are needed: `window[5]` of three."""
    assert place is not None
    have, need = solver.size(left), solver.size(right)
    where = [*settled(solver, left, place.span), *settled(solver, right, place.span)]
    if need.value == 0:
        return plain(
            "negative-size", "a size would be negative", place.span, f"{have} is below 0",
            secondary=where,
        )  # fmt: skip
    asks = place.role or "this"
    elements = "element" if need.value == 1 else "elements"
    are = "is" if have.value == 1 else "are"
    return plain(
        "size-too-small",
        f"{asks} needs at least {need} {elements}, and there {are} {have}",
        place.span,
        f"at least {need} {'is' if need.value == 1 else 'are'} needed",
        secondary=where,
    )


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
