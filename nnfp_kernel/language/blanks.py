"""`_` in an expression asks what would fit there: the wanted type, and the names that have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from .constraints import Class
from .diagnostics import Diagnostic
from .schemes import Polytype
from .solve import Clash, Solver
from .source import Span
from .telling import plain, shown
from .types import Origin, Type, TypeVariable

_LISTED = 12


def what_fits(
    solver: Solver,
    span: Span,
    wanted: Type,
    locals_: Mapping[str, Type],
    names: Iterable[tuple[str, Polytype]],
) -> Diagnostic:
    """What is told of a blank. `names` are looked at in order; the first dozen are listed."""
    fitting = [name for name, type_ in locals_.items() if _unifies(solver, type_, wanted)]
    for name, polytype in names:
        if len(fitting) >= _LISTED:
            break
        if name not in fitting and _has_instance(solver, polytype, wanted, Origin(span)):
            fitting.append(name)
    text = shown(solver, wanted)
    listed = ", ".join(f"`{name}`" for name in fitting)
    return plain(
        "blank",
        f"here a value of type {text} is wanted",
        span,
        text,
        notes=[
            f"In scope and fitting: {listed}." if fitting else "Nothing in scope has this type."
        ],
    )


def _unifies(solver: Solver, found: Type, wanted: Type) -> bool:
    with solver.speculation():
        try:
            solver.unify(found, wanted)
        except Clash:
            return False
        return True


def _has_instance(solver: Solver, polytype: Polytype, wanted: Type, place: Origin) -> bool:
    """Whether an instance has the wanted type. What could be anything is not listed, nor
    what hangs on more than classes of types."""
    classes = [c for c in polytype.constraints if isinstance(c, Class)]
    if isinstance(polytype.type, TypeVariable) or len(classes) < len(polytype.constraints):
        return False
    with solver.speculation():
        found, instance = replace(polytype, constraints=()).instantiate(solver, place)
        try:
            solver.unify(found, wanted)
        except Clash:
            return False
        of = {variable.identity: type_ for variable, type_ in instance.types.items()}
        return all(
            c.holds(solver, of.get(getattr(c.type, "identity", 0), c.type)) is not False
            for c in classes
        )
