"""Types for all values of their variables, with the constraints that travel along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from .constraints import Constraint
from .counting import SizeAtLeast
from .sizes import Size, SizeVariable
from .solve import OpenArrow, Solver
from .typed import Instance
from .types import (
    Function,
    Linear,
    Origin,
    Product,
    Scheme,
    Type,
    TypeVariable,
    free_variables,
    show,
    substitute,
)


@dataclass(frozen=True)
class Polytype:
    """What inference keeps of a definition or a built-in name: `types.Scheme` with its
    constraints as data. `weights` are the variables that weights depend on: where one is
    used, they are settled once and for all."""

    type: Type
    types: tuple[TypeVariable, ...] = ()
    sizes: tuple[SizeVariable, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    weights: frozenset[int] = frozenset()

    @cached_property
    def taken(self) -> frozenset[SizeVariable]:
        """The sizes of what is taken: who uses it knows them. Not those of what a function that
        is taken takes itself: these are known to whom it is given."""
        return frozenset(_sizes_taken(self.type))

    def instantiate(
        self,
        solver: Solver,
        place: Origin,
        sizes: Mapping[SizeVariable, Size] | None = None,
    ) -> tuple[Type, Instance]:
        """The type for one use, with new unknowns; `sizes` are those given in brackets."""
        if not self.types and not self.sizes and not self.constraints:
            return self.type, Instance()
        for_types: dict[TypeVariable, Type] = {
            variable: solver.fresh(variable.name, place) for variable in self.types
        }
        for_sizes: dict[SizeVariable, Size] = {}
        for variable in self.sizes:
            if sizes and variable in sizes:
                for_sizes[variable] = sizes[variable]
            elif variable.runtime and variable not in self.taken:
                for_sizes[variable] = solver.inside_size(variable.name, True)
            else:
                for_sizes[variable] = solver.fresh_size(variable.name, runtime=variable.runtime)

        def on_type(type_: Type) -> Type:
            return substitute(type_, for_types, for_sizes)

        def on_size(size: Size) -> Size:
            return size.substitute(for_sizes)

        for constraint in self.constraints:
            made = constraint.rebuilt(on_type, on_size)
            made.used(place, solver.owner)
            solver.add(made)
        return on_type(self.type), Instance(for_types, for_sizes)


def _sizes_taken(type_: Type) -> Iterator[SizeVariable]:
    while isinstance(type_, Function | Linear):
        yield from _sizes_given(type_.domain)
        type_ = type_.codomain


def _sizes_given(type_: Type) -> Iterator[SizeVariable]:
    match type_:
        case Function(domain, codomain) | Linear(domain, codomain):
            yield from _sizes_taken(domain)
            yield from _sizes_given(codomain)
        case Product(items):
            for item in items:
                yield from _sizes_given(item)
        case _:
            yield from free_variables(type_)[1]


def named_in_order(
    solver: Solver, type_: Type
) -> tuple[list[TypeVariable], list[SizeVariable], list[OpenArrow]]:
    """The open variables of a type in the order in which they are written, once each."""
    types: dict[int, TypeVariable] = {}
    sizes: dict[int, SizeVariable] = {}
    arrows: dict[int, OpenArrow] = {}
    for variable in solver.variables(type_):
        if isinstance(variable, OpenArrow):
            arrows[variable.identity] = variable
        elif not variable.open:
            continue
        elif isinstance(variable, TypeVariable):
            types.setdefault(variable.identity, variable)
        else:
            sizes.setdefault(variable.identity, variable)
    return list(types.values()), list(sizes.values()), list(arrows.values())


# A class of types, and those that it is part of.
_PART_OF = {
    "real": ("elementwise", "number", "vector", "comparable"),
    "elementwise": ("number", "vector"),
    "boolean": ("comparable",),
    "number": (),
    "vector": (),
    "comparable": (),
}


def as_scheme(solver: Solver, polytype: Polytype) -> Scheme:
    """The scheme as people see it: constraints as text, each class once, bounds left out
    (the subtraction that they come from stands in the type)."""

    def text(part: Type | Size) -> str:
        return str(part) if isinstance(part, Size) else show(part)

    types, sizes = free_variables(polytype.type)
    in_type = {v.identity for v in types} | {v.identity for v in sizes}
    residual: list[str] = []
    classes: dict[str, set[str]] = {}
    for constraint in polytype.constraints:
        own = {variable.identity for variable in constraint.variables(solver)}
        if isinstance(constraint, SizeAtLeast) or not own & in_type:
            continue
        said = constraint.text(text)
        kind, _, of = said.partition(" ")
        if kind in _PART_OF:
            classes.setdefault(of.split("[")[0], set()).add(kind)
        elif said and said not in residual:
            residual.append(said)
    for of, kinds in classes.items():
        if {"number", "vector"} <= kinds:
            kinds.add("elementwise")
        implied = {weaker for kind in kinds for weaker in _PART_OF[kind]}
        residual.extend(f"{kind} {of}" for kind in sorted(kinds - implied))
    return Scheme(polytype.type, polytype.types, polytype.sizes, tuple(residual))
