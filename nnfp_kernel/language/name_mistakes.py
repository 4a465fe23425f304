"""What is said about names, applications and brackets: what stands where, and what is meant.

As in type_mistakes.py, every function returns a finished `Diagnostic`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from . import syntax
from .diagnostics import Diagnostic, Label
from .mistakes import foreign_word
from .source import Span
from .telling import Advice, came, did_you_mean, grouped, listed, nearest, plain, several, shown
from .types import Array, Function, Linear, Product, Scalar, Type, TypeVariable

if TYPE_CHECKING:
    from .solve import Solver


def unknown_name(
    name: str, span: Span, known: Iterable[str], *, may_be_hole: bool = False
) -> Diagnostic:
    """A name that nothing in scope has."""
    foreign = foreign_word(name)
    near = None if foreign else nearest(name, known)
    better: tuple[Span, str] | None = None
    notes = [foreign] if foreign else did_you_mean(near)
    if near is not None:
        better = (span, near)
    elif may_be_hole and not foreign:
        notes = ["If it is to be learned, it is a hole:"]
        better = (span, f"?{name}")
    return plain(
        "unknown-name",
        f"there is nothing called `{name}`",
        span,
        "not in scope",
        notes=notes,
        better=better,
    )


def unknown_constructor(
    name: str,
    span: Span,
    known: Iterable[str],
    declared: tuple[str, Sequence[str]] | None = None,
    *,
    may_be_hole: bool = False,
) -> Diagnostic:
    """A capital name that is neither a constructor nor a representation; perhaps a weight."""
    near = nearest(name, known)
    notes = did_you_mean(
        near, ["Constructors are declared with `data`, representations with `rep`."]
    )
    if near is None and declared is not None:
        notes = [f"{declared[0]} has {listed(declared[1])}."]
    elif near is None and may_be_hole:
        notes += ["A weight, which is to be learned, is a hole:"]
    start = span
    if span.text.startswith(name) and span.line == span.end_line:
        start = Span(span.source, span.line, span.column, span.line, span.column + len(name))
    return plain(
        "unknown-constructor",
        f"there is no constructor or representation `{name}`",
        start,
        "not declared",
        notes=notes,
        better=(start, near) if near else (start, f"?{name}") if may_be_hole else None,
    )


def unknown_size(name: str, span: Span, known: Iterable[str]) -> Diagnostic:
    near = nearest(name, known)
    return plain(
        "unknown-size",
        f"there is no size `{name}` here",
        span,
        "not in scope",
        notes=did_you_mean(
            near,
            [
                "Sizes come from the signature, from the brackets of a family, or from "
                f"`size {name} = …`."
            ],
        ),
        better=(span, near) if near else None,
    )


# --- application ------------------------------------------------------------------------------


def not_a_function(
    solver: Solver, called: str, head: Span, type_: Type, argument: syntax.Expression
) -> Diagnostic:
    """Something is applied that is a value."""
    text = shown(solver, type_)
    resolved = solver.resolve(type_)
    advice = Advice()
    whole = head.to(argument.span)
    if isinstance(argument, syntax.Sequence):
        if isinstance(resolved, Array) and len(argument.items) == 1:
            index = argument.items[0].span.text
            advice.write("An element is taken with `!`:", whole, f"{head.text} ! {grouped(index)}")
    elif isinstance(resolved, Scalar):
        advice.write("To multiply:", whole, f"{head.text} * {argument.span.text}")
    elif isinstance(resolved, Array):
        advice.notes.append("To multiply, write `*` or `@`.")
    return plain(
        "not-a-function",
        f"{called} is not a function",
        head,
        f"this is {text}",
        secondary=came(solver, type_, head),
        **advice.parts,  # type: ignore[arg-type]
    )


def too_many_arguments(
    solver: Solver,
    called: str,
    head: Span,
    found: Type,
    arguments: Sequence[syntax.Expression],
    number: int,
) -> Diagnostic:
    """More arguments than a function takes; maybe they were meant as one tuple."""
    arrow = solver.closed(found)
    extra = arguments[number]
    advice = Advice([f"{called} is {shown(solver, found)}."])
    domain = arrow.domain if isinstance(arrow, Function | Linear) else None
    if isinstance(domain, Product) and number == 1 and len(domain.items) == len(arguments):
        inside = ", ".join(argument.span.text for argument in arguments)
        advice.write(
            "It takes one tuple:",
            arguments[0].span.to(arguments[-1].span),
            f"({inside})",
        )
    else:
        advice.notes.append("An argument that is itself an application needs brackets: `f (g x)`.")
    return plain(
        "too-many-arguments",
        f"{called} takes {several(number, 'argument')}",
        extra.span,
        "one argument too many",
        secondary=came(solver, found, head),
        **advice.parts,  # type: ignore[arg-type]
    )


def tuple_for_arguments(
    solver: Solver, called: str, found: Type, argument: syntax.Tuple
) -> Diagnostic | None:
    """`f (x, y)` of a function that takes its arguments one by one."""
    count, type_ = 0, solver.closed(found)
    if isinstance(type_, Function) and isinstance(solver.resolve(type_.domain), Product):
        return None
    while isinstance(type_, Function | Linear) and count < len(argument.items):
        count, type_ = count + 1, type_.codomain
    if count < len(argument.items) or count < 2:
        return None
    apart = " ".join(grouped(item.span.text) for item in argument.items)
    return plain(
        "tuple-for-arguments",
        f"{called} takes its arguments one by one",
        argument.span,
        f"this is one argument, a tuple of {len(argument.items)}",
        secondary=came(solver, found, argument.span),
        notes=[f"{called} is {shown(solver, found)}. Write:"],
        better=(argument.span, apart),
    )


# --- brackets -------------------------------------------------------------------------------------


def size_for_argument(
    solver: Solver,
    called: str,
    head: syntax.Expression,
    found: Type,
    arguments: Sequence[syntax.Expression],
    brackets: Sequence[str],
) -> Diagnostic | None:
    """`dense(32)`, `take 2 xs`: whole numbers before what a function of arrays is applied to,
    whose sizes stand in brackets."""
    numbers = [each for each in arguments if isinstance(each, syntax.Number)]
    rest = arguments[len(numbers) :]
    if any(isinstance(each, syntax.Number) for each in rest) or len(numbers) > len(brackets):
        return None
    if not numbers or any(not isinstance(each.value, int) or each.value < 0 for each in numbers):
        return None
    arrow = solver.closed(found)
    if not isinstance(arrow, Function | Linear) or not solver.spine(arrow.domain)[0]:
        return None
    all_given = len(numbers) == len(brackets)
    sizes = [each.text or str(each.value) for each in numbers] if all_given else brackets
    written = " ".join([f"{head.span.text}[{', '.join(sizes)}]", *(e.span.text for e in rest)])
    return plain(
        "size-as-argument",
        f"{called} has its {'sizes' if len(brackets) > 1 else 'size'} in brackets",
        numbers[0].span.to(numbers[-1].span),
        "this is an argument" if len(numbers) == 1 else "these are arguments",
        notes=[f"An argument is what it is applied to; {called} is {shown(solver, found)}. Write:"],
        better=(head.span.to(arguments[-1].span), written) if all_given else None,
        suggestion=None if all_given else written,
    )


def brackets_on_a_value(
    solver: Solver, tree: syntax.Bracket, type_: Type | None, why: str
) -> Diagnostic:
    """Brackets after a name that takes none: an index, or a size too many."""
    inside = ", ".join(size.span.text for size in tree.sizes)
    resolved = None if type_ is None else solver.resolve(type_)
    labels = [] if type_ is None else came(solver, type_, tree.span)
    if isinstance(resolved, Array | TypeVariable):  # the type of a local value may be open
        advice = Advice()
        is_what = f"is {shown(solver, resolved)}" if isinstance(resolved, Array) else why
        if len(tree.sizes) == 1 and not tree.options:
            advice.write("Write:", tree.span, f"{tree.name} ! {grouped(inside)}")
        return plain(
            "index-with-brackets",
            "an element is taken with `!`, not with brackets",
            tree.span,
            f"`{tree.name}` {is_what}",
            secondary=labels,
            **advice.parts,  # type: ignore[arg-type]
        )
    notes = [f"A sequence as an argument has a space before it: `{tree.name} [{inside}]`."]
    return plain(
        "not-a-family",
        f"`{tree.name}` takes no sizes in brackets",
        tree.span,
        f"`{tree.name}` {why}",
        secondary=labels,
        notes=[*notes, "Without them:"],
        better=(tree.span, tree.name),
    )


def bracket_count(
    tree: syntax.Bracket, names: Sequence[str], declared: Span | None = None
) -> Diagnostic:
    """More or fewer sizes in brackets than a family has."""
    form = f"`{tree.name}[{', '.join(names)}]`"
    where = []
    if (
        declared is not None
        and declared.source.text
        and not declared.source.name.startswith("std/")
    ):
        where = [Label(declared, "declared here")]
    return plain(
        "bracket-count",
        f"`{tree.name}` takes {several(len(names), 'size')} in brackets",
        tree.span,
        f"{len(tree.sizes)} {'is' if len(tree.sizes) == 1 else 'are'} given",
        secondary=where,
        notes=[f"Its form is {form}; `_` leaves a size to inference."],
    )


def expression_owns_weights(span: Span, text: str, whole: Span) -> Diagnostic:
    """A hole, an occurrence of a family or a copy in an expression without a name."""
    if whole.source is not span.source:  # one put together of several texts
        whole = span
    return plain(
        "expression-owns-weights",
        "an expression owns no weights",
        span,
        text,
        notes=["Give it a name, which owns them:"],
        better=(whole, f"y = {whole.text}"),
    )
