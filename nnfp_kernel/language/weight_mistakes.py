"""Mistakes with weights: a hole has one shape, and a definition that learns one set of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .sizes import Size
from .source import Span
from .telling import a, came, plain, shown
from .types import Fin, Origin, Type

if TYPE_CHECKING:
    from .solve import Clash, Solver


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


def not_learned(
    solver: Solver, hole: str, type_: Type, place: Origin | None, span: Span
) -> Diagnostic:
    """A hole of integers, truth values or data: nothing there follows a gradient."""
    assert place is not None
    text = shown(solver, type_)
    notes = [
        "A hole is learned by its gradient: it is built from R and C by arrays, tuples and "
        "representations."
    ]
    if isinstance(solver.spine(type_)[1], Fin) or text.split("[")[0] in ("Int", "Bool"):
        notes.append("`toReal` makes a real number of what stands beside it.")
    labels = came(solver, type_, place.span)
    if place.span != span:
        labels.append(Label(span, f"the hole `?{hole}`"))
    return plain(
        "hole-not-a-vector",
        f"the hole `?{hole}` cannot be {a(text)}",
        place.span,
        f"`?{hole}` would be {text} here",
        secondary=labels,
        notes=notes,
    )


# Initialisers that fill a matrix, and what may be meant of a vector or a number.
FILLS_MATRICES = {"orthogonal": "normal 0.1", "identity": "ones"}


def not_a_matrix_to_fill(
    solver: Solver,
    hole: str,
    type_: Type,
    initialiser: tuple[str, Span],
    place: Origin | None,
    span: Span,
) -> Diagnostic:
    """`?b ~ orthogonal` of a vector."""
    assert place is not None
    name, written = initialiser
    text = shown(solver, type_)
    title = f"`{name}` fills a matrix, and `?{hole}` is {a(text)}"
    labels = came(solver, type_, place.span)
    instead = FILLS_MATRICES[name]
    if place.span == span:
        return plain(
            "bad-initialiser",
            title,
            written,
            "two axes or more are wanted",
            secondary=[Label(span, f"`?{hole}` is {text}"), *labels],
            notes=["For example:"],
            better=(written, instead),
        )
    return plain(
        "bad-initialiser",
        title,
        place.span,
        f"`?{hole}` is {text} here",
        secondary=[Label(written, "two axes or more are wanted"), *labels],
        notes=[f"Of a vector or a number, `{instead}` may be meant."],
    )


def escapes(solver: Solver, clash: Clash, place: Origin) -> Diagnostic:
    """The shape of weights would depend on a variable of the signature."""
    name = clash.text
    definition, what, hole = clash.whose if clash.whose is not None else ("", "a hole", None)
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
            secondary=[Label(hole, what)] if hole is not None else [],
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
