"""Whether patterns cover everything, and whether each can be reached.

The usual matrix of patterns (Maranget 2007, "Warnings for pattern matching"): a vector of
patterns is useful if some value matches it and none of the rows above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from . import typed
from .declarations import Declarations
from .diagnostics import Diagnostic, Label
from .solve import Mistake
from .source import Span
from .telling import plain
from .types import BOOL, Fin, Type

Row = Sequence[typed.Pattern | None]  # None matches anything


def must_match(pattern: typed.Pattern, span: Span, declarations: Declarations) -> None:
    """Parameters and bindings have one pattern: it must match whatever comes."""
    missing = _uncovered([[pattern]], 1, declarations, lambda type_: type_)
    if missing is not None:
        raise Mistake(
            plain(
                "refutable-pattern",
                "this pattern does not match every value",
                span,
                f"`{missing[0]}` is not matched",
                notes=["A parameter or binding must always match; `case` takes alternatives."],
            )
        )


def must_cover(
    patterns: Sequence[typed.Pattern],
    span: Span,
    declarations: Declarations,
    resolve: Callable[[Type], Type],
) -> None:
    """The alternatives of a `case` cover everything and each can be reached."""
    rows: list[Row] = []
    for pattern in patterns:
        if rows and _covered(rows, [pattern], declarations, resolve):
            raise Mistake(
                plain(
                    "redundant-case",
                    "this alternative is never reached",
                    pattern.span,
                    "the ones above match everything that it does",
                    secondary=_above(rows, pattern, declarations, resolve, patterns),
                )
            )
        rows.append([pattern])
    missing = _uncovered(rows, 1, declarations, resolve)
    if missing is not None:
        raise Mistake(missing_cases(missing, span, declarations))


def _above(
    rows: Sequence[Row],
    pattern: typed.Pattern,
    declarations: Declarations,
    resolve: Callable[[Type], Type],
    patterns: Sequence[typed.Pattern],
) -> list[Label]:
    """The one alternative above that matches all that this one does, if there is one."""
    for row, above in zip(rows, patterns, strict=False):
        if _covered([row], [pattern], declarations, resolve):
            return [Label(above.span, "matches all that it does")]
    return []


def missing_cases(missing: Sequence[str], span: Span, declarations: Declarations) -> Diagnostic:
    """Alternatives that are not there; each is a pattern to read, `_` for any part."""
    listed = ", ".join(f"`{name}`" for name in missing)
    labels = []
    of = declarations.constructors.get(missing[0].split(" ")[0].strip("()"))
    if of is not None:
        declared = declarations.data[of[0]].span
        if declared.source.text and declared.source.name != "nowhere":
            labels.append(Label(declared, f"`{of[0]}` is declared here"))
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    example = re.sub(r"\b_\b", lambda _: next(letters), missing[0])
    return plain(
        "missing-case",
        "not every case is handled",
        span,
        f"{listed} {'is' if len(missing) == 1 else 'are'} missing",
        secondary=labels,
        notes=["Add an alternative:"],
        suggestion=f"{example} -> …",
    )


def _simple(pattern: typed.Pattern | None) -> typed.Pattern | None:
    """A pattern that matches anything as None; a representation as what it carries."""
    match pattern:
        case None | typed.BindName() | typed.BindNothing():
            return None
        case _:
            return pattern


def _head(pattern: typed.Pattern) -> tuple[object, ...]:
    match pattern:
        case typed.MatchConstructor(name):
            return ("constructor", name)
        case typed.LeaveRep(name):
            return ("rep", name)
        case typed.MatchTuple(items):
            return ("tuple", len(items))
        case typed.MatchNumber(value):
            return ("number", value)
        case _:
            raise AssertionError(f"no head: {pattern}")


def _parts(pattern: typed.Pattern) -> Row:
    match pattern:
        case typed.MatchConstructor(_, arguments):
            return arguments
        case typed.LeaveRep(_, argument):
            return (argument,)
        case typed.MatchTuple(items):
            return items
        case _:
            return ()


def _arity(head: tuple[object, ...], declarations: Declarations) -> int:
    match head:
        case ("constructor", str(name)):
            type_name, index = declarations.constructors[name]
            return len(declarations.data[type_name].constructors[index][1])
        case ("rep", _):
            return 1
        case ("tuple", int(count)):
            return count
        case _:
            return 0


def _all_heads(
    pattern: typed.Pattern, declarations: Declarations, resolve: Callable[[Type], Type]
) -> list[tuple[object, ...]] | None:
    """Every head a value of this pattern's type may have; None where they cannot be listed."""
    match pattern:
        case typed.MatchConstructor(name):
            type_name, _ = declarations.constructors[name]
            return [
                ("constructor", other) for other, _ in declarations.data[type_name].constructors
            ]
        case typed.LeaveRep() | typed.MatchTuple():
            return [_head(pattern)]
        case typed.MatchNumber(_, type_):
            found = resolve(type_)
            if found == BOOL:
                return [("number", True), ("number", False)]
            if isinstance(found, Fin) and found.size.value is not None and found.size.value < 1000:
                return [("number", value) for value in range(found.size.value)]
            return None
        case _:
            return None


def _specialised(rows: Sequence[Row], head: tuple[object, ...], arity: int) -> list[Row]:
    made: list[Row] = []
    for row in rows:
        first = _simple(row[0])
        if first is None:
            made.append([*([None] * arity), *row[1:]])
        elif _head(first) == head:
            made.append([*_parts(first), *row[1:]])
    return made


def _heads(rows: Sequence[Row]) -> list[typed.Pattern]:
    return [first for row in rows if (first := _simple(row[0])) is not None]


def _covered(
    rows: Sequence[Row],
    row: Row,
    declarations: Declarations,
    resolve: Callable[[Type], Type],
) -> bool:
    """Whether the rows match everything that `row` matches."""
    if not row:
        return bool(rows)
    first = _simple(row[0])
    if first is not None:
        head = _head(first)
        arity = _arity(head, declarations)
        return _covered(
            _specialised(rows, head, arity), [*_parts(first), *row[1:]], declarations, resolve
        )
    heads = _heads(rows)
    every = _all_heads(heads[0], declarations, resolve) if heads else None
    if every is not None and {_head(h) for h in heads} >= set(every):
        return all(
            _covered(
                _specialised(rows, head, _arity(head, declarations)),
                [*([None] * _arity(head, declarations)), *row[1:]],
                declarations,
                resolve,
            )
            for head in every
        )
    rest = [other[1:] for other in rows if _simple(other[0]) is None]
    return _covered(rest, row[1:], declarations, resolve)


def _uncovered(
    rows: Sequence[Row],
    width: int,
    declarations: Declarations,
    resolve: Callable[[Type], Type],
) -> list[str] | None:
    """A vector of values, as patterns to read, that no row matches; None if there is none."""
    if width == 0:
        return None if rows else []
    heads = _heads(rows)
    every = _all_heads(heads[0], declarations, resolve) if heads else None
    present = {_head(h) for h in heads}
    if every is not None and present >= set(every):
        for head in every:
            arity = _arity(head, declarations)
            found = _uncovered(
                _specialised(rows, head, arity), arity + width - 1, declarations, resolve
            )
            if found is not None:
                return [_written(head, found[:arity]), *found[arity:]]
        return None
    rest = [row[1:] for row in rows if _simple(row[0]) is None]
    found = _uncovered(rest, width - 1, declarations, resolve)
    if found is None:
        return None
    if every is not None:
        absent = next(head for head in every if head not in present)
        return [_written(absent, ["_"] * _arity(absent, declarations)), *found]
    return ["_", *found]


def _written(head: tuple[object, ...], parts: Sequence[str]) -> str:
    match head:
        case ("tuple", _):
            return f"({', '.join(parts)})"
        case (_, name):
            return " ".join([str(name), *(f"({p})" if " " in p else p for p in parts)])
        case _:
            raise AssertionError(f"no head: {head}")
