"""Mistakes with weights: a hole has one shape, and a definition that learns one set of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .sizes import Size
from .source import Span
from .telling import (
    plain,
)
from .types import (
    Origin,
)

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
