"""`_` in an expression asks what would fit there: the wanted type, and the names that have it.

Names are ranked: locals, the innermost first; definitions of the session, the newest first;
then the library, the least general first; in each, what takes more arguments than are wanted
comes later, and what gives a distribution last, for it is there to be drawn from. A name whose
type fits after arguments are given, `f _`, comes after those that fit as they are; of the library
there would be too many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from .constraints import Class
from .diagnostics import Diagnostic
from .schemes import Polytype, as_scheme
from .sizes import SizeVariable
from .solve import Clash, OpenArrow, Solver
from .source import Span
from .telling import plain, shown
from .types import Function, Linear, Named, Origin, Type, TypeVariable, show_scheme, substitute

LISTED = 12
_ARGUMENTS = 3  # that may be missing


@dataclass(frozen=True)
class Known:
    """A name in scope: its type, and whether it owns weights or is of the library."""

    name: str
    type: Polytype
    learns: bool = False
    library: bool = False


def opened(
    solver: Solver, polytype: Polytype, signature: Iterable[TypeVariable | SizeVariable]
) -> Callable[[Type], Type]:
    """A blank is looked at after its definition was generalised: for any type that fits there.
    What its variables stand for may then be anything again, but those of its signature."""
    fixed = set(signature)
    types = {v: solver.fresh(v.name) for v in polytype.types if v not in fixed}
    sizes = {
        v: solver.fresh_size(v.name, runtime=v.runtime) for v in polytype.sizes if v not in fixed
    }
    return lambda type_: substitute(solver.closed(type_), types, sizes)


def what_fits(
    solver: Solver,
    span: Span,
    wanted: Type,
    locals_: Mapping[str, Type],
    names: Iterable[Known],
    opened: Callable[[Type], Type] = lambda type_: type_,
) -> Diagnostic:
    """What is told of a blank; `names` come in the order in which they were defined, and
    `opened` frees the variables that generalising bound."""
    text = shown(solver, wanted)
    wanted = opened(wanted)
    takes = _arguments(solver, wanted)
    found: list[tuple[tuple[int, ...], str, str]] = []
    for nearness, (name, type_) in enumerate(reversed(list(locals_.items()))):
        missing = _missing(solver, opened(type_), wanted)
        if missing is not None:
            found.append(((missing, 0, nearness), name + " _" * missing, shown(solver, type_)))
    for place, known in enumerate(names):
        if known.name in locals_:
            continue
        missing = _missing_of(solver, known, wanted, Origin(span))
        if missing is not None:
            general = len(known.type.types) + len(known.type.sizes)
            beyond = max(0, _arguments(solver, known.type.type) - missing - takes)
            order = (2, beyond, general, place) if known.library else (1, beyond, -place)
            if _is_distribution(solver, known.type.type) and not _is_distribution(solver, wanted):
                order = (3, *order)
            said = show_scheme(as_scheme(solver, known.type), known.learns)
            found.append(((missing, *order), known.name + " _" * missing, said))
    found.sort()
    listed = tuple((name, said) for _, name, said in found[:LISTED])
    more = len(found) - len(listed)
    heading = "In scope and fitting" + f", the first {LISTED} of {len(found)}" * (more > 0) + ":"
    diagnostic = plain(
        "blank",
        f"here a value of type {text} is wanted",
        span,
        text,
        notes=[heading if found else "Nothing in scope has this type."],
    )
    return replace(diagnostic, listed=listed)


def _arguments(solver: Solver, type_: Type) -> int:
    """How many arguments a function takes, one after the other."""
    count = 0
    while isinstance(arrow := solver.resolve(type_), Function | Linear | OpenArrow):
        count, type_ = count + 1, arrow.codomain
    return count


def _is_distribution(solver: Solver, type_: Type) -> bool:
    """Whether it is one, or gives one in the end."""
    while isinstance(arrow := solver.resolve(type_), Function | Linear | OpenArrow):
        type_ = arrow.codomain
    return isinstance(arrow, Named) and arrow.name == "Distribution"


def _missing_of(solver: Solver, known: Known, wanted: Type, place: Origin) -> int | None:
    """How many arguments a name must be given to have the wanted type; None if it never has.
    What could be anything is not listed, nor what hangs on more than classes of types."""
    polytype = known.type
    classes = [c for c in polytype.constraints if isinstance(c, Class)]
    if isinstance(polytype.type, TypeVariable) or len(classes) < len(polytype.constraints):
        return None
    with solver.speculation():
        found, instance = replace(polytype, constraints=()).instantiate(solver, place)
        of = {variable.identity: type_ for variable, type_ in instance.types.items()}
        held = [(c, of.get(getattr(c.type, "identity", 0), c.type)) for c in classes]
        missing = _missing(solver, found, wanted, held)
        return None if missing and known.library else missing


def _missing(
    solver: Solver,
    found: Type,
    wanted: Type,
    classes: Iterable[tuple[Class, Type]] = (),
) -> int | None:
    """How many arguments what is found must be given to be what is wanted."""
    for missing in range(_ARGUMENTS + 1):
        if _fits(solver, found, wanted, classes):
            return missing
        arrow = solver.resolve(found)
        if not isinstance(arrow, Function | Linear | OpenArrow):
            return None
        found = arrow.codomain
        if isinstance(solver.resolve(found), TypeVariable):
            return None  # it could be anything
    return None


def _fits(solver: Solver, found: Type, wanted: Type, classes: Iterable[tuple[Class, Type]]) -> bool:
    with solver.speculation():
        try:
            solver.unify(found, wanted)
        except Clash:
            return False
        return all(c.holds(solver, type_) is not False for c, type_ in classes)
