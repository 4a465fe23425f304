"""What of a definition holds for all types and sizes, and what is settled once.

After a definition is elaborated, three things may happen to an unknown in its type:

    it belongs to weights, or a constraint ties it to them    it stays: one weight, one shape
    a caller settles it                                       it becomes a variable
    nobody can settle it                                      the defaults do, at once

Constraints on variables travel in the scheme. Unknowns of weights wait for the end of the
session, when `settle_all` takes the defaults that are left.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from . import type_mistakes, weight_mistakes
from .constraints import DEFAULT_ORDER, Class, Constraint
from .counting import LiteralIs
from .elaborate import Elaborator
from .lifting import Lift
from .schemes import Polytype, named_in_order
from .sizes import Size, SizeVariable, as_size
from .solve import Clash, Mistake, OpenArrow, Solver, escape, variable_is_open
from .types import (
    Array,
    Function,
    Linear,
    Named,
    Product,
    R,
    Type,
    TypeVariable,
    free_variables,
    substitute,
)

Variable = TypeVariable | SizeVariable | OpenArrow


def generalise(
    solver: Solver,
    type_: Type,
    elaborator: Elaborator,
    types: Sequence[TypeVariable],
    sizes: Sequence[SizeVariable],
    start: int,
) -> Polytype:
    """The scheme of a definition whose constraints are those numbered from `start` on.

    `types` and `sizes` are the variables of its signature. Raises Mistake where a default
    that is taken here does not fit.
    """
    _anchor_tied(solver, constraints_since(solver, start))
    _settle_lost(solver, type_, start)
    _settle_lonely(solver, [type_, *elaborator.weight_types], start)
    _refuse_mixed(solver, start)
    mine = constraints_since(solver, start)
    reachable = _reached(solver, [type_, *elaborator.weight_types], elaborator.weight_sizes, mine)
    travelling = [
        constraint
        for constraint in mine
        if not all(
            variable_is_open(variable) and variable.identity in solver.anchored
            for variable in constraint.variables(solver)
        )
    ]
    parts: list[Type | Size] = [type_, *elaborator.weight_types, *elaborator.weight_sizes]
    parts += [part for constraint in travelling for part in constraint.parts()]
    new_types, new_sizes = _quantify(solver, parts, reachable, travelling, types, sizes)
    for constraint in travelling:
        solver.drop(constraint)
    weights = {
        variable.identity for part in elaborator.weight_types for variable in solver.variables(part)
    }
    weights.update(
        variable.identity
        for size in elaborator.weight_sizes
        for variable in solver.size(size).variables()
    )
    made, forgotten = _forgetting(solver, solver.closed(type_))
    return Polytype(
        made,
        (*types, *new_types),
        (*sizes, *new_sizes, *forgotten),
        tuple(constraint.rebuilt(solver.closed, solver.size) for constraint in travelling),
        frozenset(weights),
    )


def constraints_since(solver: Solver, start: int) -> list[Constraint]:
    """What waits and was taken in since, in order."""
    found: list[Constraint] = []
    for sequence in reversed(solver.pending):
        if sequence < start:
            break
        found.append(solver.pending[sequence])
    found.reverse()
    return found


# --- variables -------------------------------------------------------------------------------


def _forgetting(solver: Solver, type_: Type) -> tuple[Type, list[SizeVariable]]:
    """The type as users see it, and its new variables: a length that is known only at run time
    inside may be another each time, so a parameter of that length tells nothing of a result."""
    taken: dict[SizeVariable, Size] = {}
    made: list[SizeVariable] = []

    def new(name: str) -> Size:
        made.append(SizeVariable(name, next(solver.counter), False, True))
        return as_size(made[-1])

    def given(part: Type) -> Type:
        several = [v for v in free_variables(part)[1] if v.identity in solver.several]
        if not several:
            return part
        match part:
            case Array(element, length):
                own = any(v in several for v in length.variables())
                return Array(given(element), new("n") if own else length, origin=part.origin)
            case Product(items):
                return Product(tuple(map(given, items)), origin=part.origin)
            case Function(domain, codomain) | Linear(domain, codomain):
                kind = type(part)
                return kind(given(domain), given(codomain), origin=part.origin)
            case Named(name, arguments):
                return Named(name, tuple(map(given, arguments)), origin=part.origin)
            case _:
                return part

    def whole(part: Type) -> Type:
        if not isinstance(part, Function | Linear):
            return given(part)
        for variable in free_variables(part.domain)[1]:
            if variable.identity in solver.several and variable not in taken:
                taken[variable] = new(variable.name)
        domain = substitute(part.domain, {}, taken)
        return type(part)(domain, whole(part.codomain), origin=part.origin)

    return (whole(type_), made) if solver.several else (type_, made)


def _quantify(
    solver: Solver,
    parts: Sequence[Type | Size],
    reachable: set[int],
    travelling: Sequence[Constraint],
    types: Sequence[TypeVariable],
    sizes: Sequence[SizeVariable],
) -> tuple[list[TypeVariable], list[SizeVariable]]:
    """Bind what is open and reachable to new variables, named in the order of writing."""
    letters = _letters({variable.name for variable in types})
    size_name = _size_names({variable.name for variable in sizes})
    literals = {
        tail.identity
        for constraint in travelling
        if isinstance(constraint, LiteralIs)
        and isinstance(tail := solver.resolve(constraint.type), TypeVariable)
    }
    new_types: list[TypeVariable] = []
    new_sizes: list[SizeVariable] = []

    def own(identity: int) -> bool:
        return identity in reachable and identity not in solver.anchored

    for part in parts:
        if isinstance(part, Size):
            open_types: list[TypeVariable] = []
            open_sizes = [v for v in solver.size(part).written_variables() if v.open]
        else:
            open_types, open_sizes, arrows = named_in_order(solver, part)
            for arrow in arrows:
                solver.set_kind(arrow, False)
        for variable in filter(lambda v: own(v.identity), open_types):
            made = TypeVariable(next(letters), next(solver.counter))
            new_types.append(made)
            if variable.identity in literals:
                solver.scalars.add(made.identity)
            solver.types[variable.identity] = made
        for size in filter(lambda v: own(v.identity), open_sizes):
            if size.identity not in solver.sizes:
                made_size = SizeVariable(
                    size_name(size.name), next(solver.counter), False, size.runtime
                )
                new_sizes.append(made_size)
                solver.sizes[size.identity] = as_size(made_size)
    return new_types, new_sizes


def _letters(taken: set[str]) -> Iterator[str]:
    endless = itertools.chain(
        "abcdefghijklmnopqrstuvwxyz", (f"t{number}" for number in itertools.count(1))
    )
    return (name for name in endless if name not in taken)


def _size_names(taken: set[str]) -> Callable[[str], str]:
    """Names for sizes: the one it had where that is free, else the next of n, m, k, …"""
    used = set(taken)

    def choose(wanted: str) -> str:
        endless = itertools.chain([wanted], "nmklpqrstuvw", (f"n{i}" for i in itertools.count(2)))
        name = next(name for name in endless if name not in used)
        used.add(name)
        return name

    return choose


# --- what is tied to what ------------------------------------------------------------------------


def _identities(variables: Iterable[Variable], *, sizes: bool = True) -> list[int]:
    return [v.identity for v in variables if sizes or not isinstance(v, SizeVariable)]


def _spread(reached: set[int], groups: Iterable[list[int]]) -> set[int]:
    """What is reached, and all that stands in one group with something reached."""
    by_identity: dict[int, list[list[int]]] = {}
    for group in groups:
        for identity in group:
            by_identity.setdefault(identity, []).append(group)
    todo = list(reached)
    while todo:
        for group in by_identity.pop(todo.pop(), ()):
            for identity in group:
                if identity not in reached:
                    reached.add(identity)
                    todo.append(identity)
    return reached


def _reached(
    solver: Solver,
    types: Iterable[Type],
    sizes: Iterable[Size],
    constraints: Iterable[Constraint],
) -> set[int]:
    """The variables of these types and sizes, and those that constraints tie to them."""
    start = {v.identity for part in types for v in solver.variables(part)}
    start.update(v.identity for size in sizes for v in solver.size(size).variables())
    return _spread(start, (_identities(c.variables(solver)) for c in constraints))


def _reached_types(
    solver: Solver, types: Iterable[Type], constraints: Iterable[Constraint]
) -> set[int]:
    """As `_reached`, along type variables only."""
    start = {i for part in types for i in _identities(solver.variables(part), sizes=False)}
    return _spread(start, (_identities(c.variables(solver), sizes=False) for c in constraints))


def _anchor_tied(solver: Solver, constraints: Sequence[Constraint]) -> None:
    """What a constraint ties to a weight is not generalised either."""
    groups = [
        [v.identity for v in constraint.variables(solver) if variable_is_open(v)]
        for constraint in constraints
        if constraint.ties
    ]
    by_identity: dict[int, list[list[int]]] = {}
    for group in groups:
        for identity in group:
            by_identity.setdefault(identity, []).append(group)
    todo = [identity for identity in by_identity if identity in solver.anchored]
    while todo:
        source = todo.pop()
        for group in by_identity.pop(source, ()):
            for identity in group:
                if identity not in solver.anchored:
                    solver.anchored[identity] = solver.anchored[source]
                    todo.append(identity)


def _domains(solver: Solver, type_: Type) -> list[Type]:
    """What a function asks for."""
    found: list[Type] = []
    type_ = solver.resolve(type_)
    while isinstance(type_, Function | Linear | OpenArrow):
        found.append(type_.domain)
        type_ = solver.resolve(type_.codomain)
    return found


def _settle_lost(solver: Solver, type_: Type, start: int) -> None:
    """Constraints that no use of the definition can settle take their defaults at once.

    A caller settles what the parameters' types are tied to; what a result is tied to only
    holds for every caller, but a number there is R (`f b = if b then 1 else 2`).
    """
    while True:
        mine = constraints_since(solver, start)
        reachable = _reached_types(solver, [type_], mine)
        asked = _reached_types(solver, _domains(solver, type_), mine)
        lost = []
        for constraint in mine:
            own = _identities(constraint.variables(solver), sizes=False)
            within = reachable if isinstance(constraint, Class) else asked
            if (
                own
                and constraint.kind in DEFAULT_ORDER
                and not any(i in within or i in solver.anchored for i in own)
            ):
                lost.append(constraint)
        if not lost or not (_settle_first(solver, lost) or _settle_classes(solver, lost)):
            return


def _settle_lonely(solver: Solver, seen: Sequence[Type], start: int) -> None:
    """An operand of which nobody outside sees the type, and nothing else inside (a draw,
    `zero`), takes its default at once: `x + draw (normal 1)` is as `x` for every caller."""
    while True:
        mine = constraints_since(solver, start)
        if not any(isinstance(constraint, Lift) for constraint in mine):
            return
        outside = {v.identity for part in seen for v in solver.variables(part)}
        uses = Counter(
            identity
            for constraint in mine
            if not isinstance(constraint, Class)
            for identity in {v.identity for v in constraint.variables(solver)}
        )
        for constraint in mine:
            if not isinstance(constraint, Lift) or constraint.operator not in ("+", "-", "*", "/"):
                continue
            for operand in (constraint.left, constraint.right):
                tail = solver.spine(operand)[1]
                if (
                    isinstance(tail, TypeVariable)
                    and tail is solver.resolve(operand)
                    and solver.is_open(tail)
                    and tail.open
                    and tail.identity not in outside
                    and tail.identity not in solver.anchored
                    and uses[tail.identity] == 1
                    and solver.resolve(constraint.left) != solver.resolve(constraint.right)
                ):
                    solver.place = constraint.place
                    constraint.settle_operand(solver, operand is constraint.left)
                    solver.drain()
                    break
            else:
                continue
            break
        else:
            return


def _settle_first(solver: Solver, constraints: Sequence[Constraint]) -> bool:
    """Take the defaults of the first kind that has any."""
    for kind in DEFAULT_ORDER:
        settled = False
        for constraint in constraints:
            if constraint.kind == kind and constraint.sequence in solver.pending:
                settled = settle(solver, constraint) or settled
        if settled:
            return True
    return False


def _settle_classes(solver: Solver, constraints: Sequence[Constraint]) -> bool:
    """A vector that nothing else is known of, and that nobody sees, is a number."""
    settled = False
    for constraint in constraints:
        if isinstance(constraint, Class) and constraint.sequence in solver.pending:
            tail = solver.spine(constraint.type)[1]
            if isinstance(tail, TypeVariable) and tail.open:
                solver.unify(tail, R)
                settled = True
    solver.drain()
    return settled


def _refuse_mixed(solver: Solver, start: int) -> None:
    """A constraint between weights and a variable of the signature takes its default; if
    that leaves it, the shape of weights would depend on who calls."""
    for constraint in constraints_since(solver, start):
        if not constraint.ties or constraint.sequence not in solver.pending:
            continue
        variables = list(constraint.variables(solver))
        anchored = [v for v in variables if variable_is_open(v) and v.identity in solver.anchored]
        rigid = [v for v in variables if not variable_is_open(v)]
        if not anchored or not rigid or settle(solver, constraint):
            continue
        clash = escape(rigid[0], solver.anchored[anchored[0].identity])
        if constraint.place is not None:
            raise Mistake(weight_mistakes.escapes(solver, clash, constraint.place))


# --- defaults ------------------------------------------------------------------------------------


def settle(solver: Solver, constraint: Constraint) -> bool:
    """Take the default of one constraint. True if there was one. Raises Mistake."""
    solver.place = constraint.place
    owner, solver.owner = solver.owner, constraint.owner
    try:
        if not constraint.default(solver):
            return False
        if constraint.sequence in solver.pending:
            solver.queue[constraint.sequence] = constraint
        solver.drain()
        return True
    except Clash as clash:
        assert constraint.place is not None
        raise Mistake(type_mistakes.clash(solver, clash, constraint.place)) from None
    finally:
        solver.owner = owner


def settle_all(
    solver: Solver,
    start: int = 0,
    taken: Callable[[Constraint], None] | None = None,
    wrong: Callable[[Constraint, Mistake], None] | None = None,
) -> None:
    """Settle what is open, in an order that no history is in: what concerns only a definition's
    own weights before what uses another's (`cell.W`), so that a definition's own defaults are
    what they are without those who use it; then by kind, by the name of the definition, and
    by place. After each kind that settled anything, from the start.

    `taken` is told of every default; `wrong` of those that do not fit.
    """
    while any(
        _settle_kind(solver, start, kind, borrowing, taken, wrong)
        for borrowing in (False, True)
        for kind in DEFAULT_ORDER
    ):
        pass


def _settle_kind(
    solver: Solver,
    start: int,
    kind: str,
    borrowing: bool,
    taken: Callable[[Constraint], None] | None,
    wrong: Callable[[Constraint, Mistake], None] | None,
) -> bool:
    """Settle what is open of one kind; whether anything was."""
    progress = False
    waiting = [
        constraint
        for constraint in constraints_since(solver, start)
        if constraint.kind == kind and _borrows(solver, constraint) == borrowing
    ]
    for constraint in sorted(waiting, key=_settling_order):
        if constraint.sequence not in solver.pending:
            continue
        try:
            settled = settle(solver, constraint)
        except Mistake as mistake:
            if wrong is None:
                raise
            wrong(constraint, mistake)
            continue
        if settled:
            progress = True
            if taken is not None:
                taken(constraint)
    return progress


def _borrows(solver: Solver, constraint: Constraint) -> bool:
    """Whether what is open in it belongs to the weights of another definition."""
    return any(
        solver.anchored[variable.identity].definition != constraint.owner
        for variable in constraint.variables(solver)
        if variable.identity in solver.anchored
    )


def _settling_order(constraint: Constraint) -> tuple[str, int, int, int]:
    place = constraint.place
    line, column = (place.span.line, place.span.column) if place is not None else (0, 0)
    return constraint.owner, line, column, constraint.sequence
