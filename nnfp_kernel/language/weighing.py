"""How much the weights of a definition are, while its session is still being inferred.

`matrix l`, for a map from or to `Weights net`, has an axis with all of them laid end to end:
its length is the sum over the holes that `net` reaches. They are met as everywhere
(reach.py), with the types that the solver knows so far; a size that is still open becomes
part of an equation, a type that is still open is waited for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import typed
from .diagnostics import NnfpError
from .elaboration import Entry
from .reach import Reaching, Unsettled, reached
from .solve import Solver
from .source import Span
from .syntax import NOWHERE
from .types import Type


@dataclass(frozen=True)
class _Elaborated:
    """A definition that is elaborated, and not finished."""

    name: str
    learns: bool
    holes: tuple[typed.HoleSpec, ...]
    body: typed.Expression
    span: Span


def weights_of(
    solver: Solver,
    name: str,
    entries: Mapping[str, Entry],
    bodies: Mapping[str, typed.Expression],
    finished: Mapping[str, typed.Definition],
) -> Sequence[Type] | None:
    """The types of all weights that a definition reaches, in their order; None where it, or
    what it uses, has a mistake of its own."""
    known: dict[str, Reaching] = dict(finished)
    for each, body in bodies.items():
        if (entry := entries.get(each)) is not None:
            holes = tuple(
                typed.HoleSpec(hole, type, _FIRST, span=NOWHERE)
                for hole, type in entry.holes.items()
            )
            known[each] = _Elaborated(each, entry.learns, holes, body, NOWHERE)
    try:
        found = reached(known, name, Unsettled(solver.closed, solver.size))
    except (KeyError, NnfpError):  # told where that stands
        return None
    return [weight.type for weight in found]


_FIRST = typed.Initialiser("zeros")  # of no matter here
