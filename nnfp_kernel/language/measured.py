"""Where a type says a size of what has a length known only at run time.

A length `[t]` inside a program, or in the result of a signature, is one of which nothing is
known: taken for a known size it proves nothing. So where an expression goes whose sizes are
not proved those that are wanted, a `typed.Measured` looks at its lengths before anything is
made of them, as gradual typing does with casts (docs/decisions/0057).

Source: Hattori, Kobayashi and Sato 2023, Gradual Tensor Shape Checking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .diagnostics import Diagnostic
from .solve import Clash, OpenArrow, Solver
from .source import Span
from .telling import shown
from .type_mistakes import mismatch
from .types import Array, Function, Linear, Origin, Product, Type


def same_sizes(solver: Solver, found: Type, wanted: Type) -> bool:
    """Whether two types that agree in all else are proved to agree in their sizes."""
    return next(unproved(solver, found, wanted), None) is None


def unproved(solver: Solver, found: Type, wanted: Type) -> Iterator[tuple[Array, Array]]:
    """The arrays in two types whose lengths may differ: what is found, and what is wanted."""
    found, wanted = solver.resolve(found), solver.resolve(wanted)
    if found is wanted:
        return
    match found, wanted:
        case Array(), Array():
            if solver.size(found.length) != solver.size(wanted.length):
                yield found, wanted
            yield from unproved(solver, found.element, wanted.element)
        case Product(), Product():
            for one, other in zip(found.items, wanted.items, strict=True):
                yield from unproved(solver, one, other)
        case ((Function() | Linear() | OpenArrow()), (Function() | Linear() | OpenArrow())):
            yield from unproved(solver, wanted.domain, found.domain)
            yield from unproved(solver, found.codomain, wanted.codomain)
        case _:
            return


def claims(solver: Solver, found: Type, wanted: Type) -> tuple[Array, Array] | None:
    """The first arrays of which a size is wanted that no run-time length is part of, and that
    is not proved; None where nothing is to be looked at."""
    for one, other in unproved(solver, found, wanted):
        if not any(variable.runtime for variable in solver.size(other.length).variables()):
            return one, other
    return None


def in_doubt(solver: Solver, type_: Type) -> Type:
    """The type of a name of whose result no size is proved."""
    type_ = solver.resolve(type_)
    match type_:
        case Function(domain, codomain):
            return Function(domain, in_doubt(solver, codomain), origin=type_.origin)
        case Array(element):
            length = solver.inside_size("n", True)
            return Array(in_doubt(solver, element), length, origin=type_.origin)
        case Product(items):
            made = tuple(in_doubt(solver, item) for item in items)
            return Product(made, origin=type_.origin)
        case _:
            return type_


def told(solver: Solver, found: Type, wanted: Type, span: Span, role: str) -> Diagnostic:
    """What is told where a length is not the size that is wanted."""
    found, wanted = solver.resolve(found), solver.resolve(wanted)
    while (
        isinstance(found, Function)
        and isinstance(wanted, Function)
        and claims(solver, wanted.domain, found.domain) is None
    ):
        found, wanted = solver.resolve(found.codomain), solver.resolve(wanted.codomain)
    at = claims(solver, found, wanted)
    assert at is not None
    clash = Clash("sizes", at[0].length, at[1].length)
    made = mismatch(solver, found, wanted, clash, Origin(span), role)
    size, element = shown(solver, at[1]), shown(solver, at[1].element)
    return replace(
        made,
        code="length-differs",
        title="this is not as long as its type says",
        notes=(
            "A length `[t]` is known only at run time, and is looked at where a size is said. "
            f"Where any length will do, write `[{element}]` for `{size}`.",
        ),
        suggestion=None,
        replaces=None,
    )
