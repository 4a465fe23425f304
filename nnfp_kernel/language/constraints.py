"""What cannot be decided at once: classes of types, and what every constraint can do.

The operators are in lifting.py; sizes, indices and numbers in counting.py. Every constraint
is tried when something it waits for is learned (`attempt`), and fires only when it is
forced. What is left at the end of a session is settled by the defaults of the language
(`default`), in the order of `DEFAULT_ORDER`; what is left in a definition that is generic
travels in its scheme (`rebuilt` with other types, `text` for people).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar

from . import operand_mistakes, type_mistakes, weight_mistakes
from .diagnostics import Diagnostic
from .sizes import Size, SizeVariable
from .solve import Clash, Mistake, OpenArrow, Solver
from .source import Span
from .types import (
    INT,
    Array,
    Fin,
    Function,
    Linear,
    Named,
    Origin,
    Product,
    R,
    Scalar,
    Type,
    TypeVariable,
    Weights,
)


def array(element: Type, axes: list[Size], origin: Origin | None = None) -> Type:
    """The element under these axes, the outermost first."""
    for length in reversed(axes):
        element = Array(element, length, origin=origin)
    return element


@dataclass(kw_only=True, eq=False)
class Constraint(ABC):
    """Something that must hold of types or sizes, and cannot be decided yet."""

    place: Origin | None = None
    owner: str = ""
    sequence: int = 0
    kind: ClassVar[str] = ""
    ties: ClassVar[bool] = True  # what one side is settles what the other is

    @abstractmethod
    def attempt(self, solver: Solver) -> bool:
        """Fire if forced. True when nothing is left to do. Raises Mistake."""

    def default(self, solver: Solver) -> bool:
        """Settle by the rules for what is still open. True when something was settled."""
        return False

    def text(self, show: Callable[[Type | Size], str]) -> str:
        """As people read it, after `where`; empty for what follows from the type."""
        return ""

    def parts(self) -> Iterator[Type | Size]:
        for name in _part_names(type(self)):
            yield getattr(self, name)

    def rebuilt(
        self, on_type: Callable[[Type], Type], on_size: Callable[[Size], Size]
    ) -> Constraint:
        """The same of other types, as a constraint of its own."""
        made = copy.copy(self)
        made.sequence = 0
        for name in _part_names(type(self)):
            part = getattr(self, name)
            setattr(made, name, on_size(part) if isinstance(part, Size) else on_type(part))
        return made

    def used(self, place: Origin, owner: str) -> None:
        """It travels with its definition's scheme to where that is used."""
        self.place, self.owner = place, owner

    def variables(self, solver: Solver) -> Iterator[TypeVariable | SizeVariable | OpenArrow]:
        for part in self.parts():
            if isinstance(part, Size):
                yield from solver.size(part).variables()
            else:
                yield from solver.variables(part)

    def blockers(self, solver: Solver) -> Iterator[int]:
        """The variables whose binding may let this fire."""
        for part in self.parts():
            if isinstance(part, Size):
                yield from (v.identity for v in solver.size(part).variables() if v.open)
            else:
                _, tail = solver.spine(part)
                if isinstance(tail, TypeVariable | OpenArrow):
                    yield tail.identity

    def unify(self, solver: Solver, found: Type, wanted: Type) -> None:
        """Unify on behalf of this constraint: a clash is told at its place."""
        try:
            solver.unify(found, wanted)
        except Clash as clash:
            raise Mistake(self.mistake(solver, clash)) from None

    def unify_size(self, solver: Solver, found: Size, wanted: Size) -> None:
        try:
            solver.unify_size(found, wanted)
        except Clash as clash:
            raise Mistake(self.mistake(solver, clash)) from None

    def mistake(self, solver: Solver, clash: Clash) -> Diagnostic:
        assert self.place is not None
        return type_mistakes.clash(solver, clash, self.place)


_PARTS: dict[str, tuple[str, ...]] = {}  # by the name of the class


def _part_names(kind: type[Constraint]) -> tuple[str, ...]:
    """The fields of a constraint that hold a type or a size."""
    names = _PARTS.get(kind.__name__)
    if names is None:
        names = tuple(item.name for item in fields(kind) if item.type in ("Type", "Size"))
        _PARTS[kind.__name__] = names
    return names


_KINDS: Mapping[str, tuple[str, ...]] = {
    "elementwise": ("R", "C"),
    "real": ("R",),
    "number": ("R", "C", "Int"),
    "ordered": ("R", "Int"),
    "boolean": ("Bool",),
    "field": ("R", "C"),
    "discrete": ("Int", "Bool"),
    "comparable": ("R", "Int", "Fin", "Bool"),
}


@dataclass(kw_only=True, eq=False)
class Class(Constraint):
    """`vector a`, `elementwise a`, `real a`, `number a`, and of scalars `field a`.

    `space` stands for what is added and scaled: vector spaces, and data that hold numbers,
    since trees of one shape are one (decision 28); `scaling` for what a scalar may multiply:
    that and numbers. `smooth` for what a derivative is taken in: vector spaces, and any data.
    """

    name: str
    type: Type
    waits: bool = False
    ties: ClassVar[bool] = False
    kind: ClassVar[str] = "class"

    def attempt(self, solver: Solver) -> bool:
        answer = self.holds(solver, self.type)
        if answer is False:
            raise Mistake(operand_mistakes.not_of_class(solver, self.name, self.type, self.place))
        if answer is None:
            _, tail = solver.spine(self.type)
            if isinstance(tail, TypeVariable):
                key = (self.name, tail.identity)
                if key in solver.classes and not self.waits:
                    return True  # another waits for the same
                solver.classes.add(key)
                self.waits = True
        return answer is True

    def holds(self, solver: Solver, type_: Type) -> bool | None:
        _, tail = solver.spine(type_)
        if isinstance(tail, TypeVariable | OpenArrow):
            return None
        if self.name == "smooth":
            return is_vector(solver, tail, with_data=True)
        if self.name in ("space", "scaling"):
            if tail == INT:
                return self.name == "scaling"
            answer = is_vector(solver, tail, with_data=True)
            return answer and _moves(solver, tail, ())
        if self.name == "vector":
            return is_vector(solver, tail)
        if isinstance(tail, Fin):
            return "Fin" in _KINDS[self.name]
        return isinstance(tail, Scalar) and tail.name in _KINDS[self.name]

    def rebuilt(
        self, on_type: Callable[[Type], Type], on_size: Callable[[Size], Size]
    ) -> Constraint:
        made = super().rebuilt(on_type, on_size)
        assert isinstance(made, Class)
        made.waits = False
        return made

    def blockers(self, solver: Solver) -> Iterator[int]:
        for variable in solver.variables(self.type):
            if not isinstance(variable, SizeVariable):
                yield variable.identity

    def default(self, solver: Solver) -> bool:
        """Only scalars are settled: the shape of the rest stays open."""
        tail = solver.spine(self.type)[1]
        if (
            isinstance(tail, TypeVariable)
            and tail.open
            and tail.identity in solver.scalars
            and self.name not in ("boolean", "discrete")
        ):
            self.unify(solver, tail, R)
            return True
        return False

    def text(self, show: Callable[[Type | Size], str]) -> str:
        name = {"scaling": "vector", "space": "vector", "smooth": "vector", "field": "number"}.get(
            self.name, self.name
        )
        return f"{name} {show(self.type)}"


def is_vector(solver: Solver, type_: Type, *, with_data: bool = False) -> bool | None:
    """Whether a type is a vector space, or `with_data` built from those and data types;
    None while that is open."""
    match solver.spine(type_)[1]:
        case TypeVariable() | OpenArrow():
            return None
        case Scalar(name):
            return name in ("R", "C")
        case Linear() | Weights():
            return True
        case Product(items):
            answers = [is_vector(solver, item, with_data=with_data) for item in items]
            return False if False in answers else None if None in answers else True
        case Named(name) if with_data and name in solver.parametric:
            return True
        case Named(name):
            carrier = solver.carriers.get(name)
            return carrier is not None and is_vector(solver, carrier)
        case _:
            return False


def _moves(solver: Solver, type_: Type, seen: tuple[str, ...]) -> bool | None:
    """Whether something of type R or C is in every value of a vector space, or may be in one
    of a data type."""
    match solver.spine(type_)[1]:
        case Named(name, arguments) if name in solver.contents and name not in seen:
            parts = (*solver.contents[name], *arguments)
            answers = [_moves(solver, part, (*seen, name)) for part in parts]
            return True if True in answers else None if None in answers else False
        case Named(name) if name in seen:
            return False
        case Product(items) if seen:
            answers = [_moves(solver, item, seen) for item in items]
            return True if True in answers else None if None in answers else False
        case part:
            return is_vector(solver, part, with_data=True)


@dataclass(kw_only=True, eq=False)
class Learned(Constraint):
    """A hole is a vector space; `matrix`, where it is given, is the initialiser that wants
    two axes of it, and where that is written."""

    hole: str
    type: Type
    span: Span
    matrix: tuple[str, Span] | None = None
    kind: ClassVar[str] = "hole"
    ties: ClassVar[bool] = False

    def attempt(self, solver: Solver) -> bool:
        if _has_arrow(solver, self.type):
            return True  # told when all of the function's type is known
        answer = is_vector(solver, self.type)
        if answer is False:
            told = weight_mistakes.not_learned(solver, self.hole, self.type, self.place, self.span)
            raise Mistake(told)
        if answer is True and self.matrix is not None and _fewest_axes(solver, self.type) < 2:
            told = weight_mistakes.not_a_matrix_to_fill(
                solver, self.hole, self.type, self.matrix, self.place, self.span
            )
            raise Mistake(told)
        return answer is True

    def blockers(self, solver: Solver) -> Iterator[int]:
        for variable in solver.variables(self.type):
            if not isinstance(variable, SizeVariable):
                yield variable.identity


def _has_arrow(solver: Solver, type_: Type) -> bool:
    match solver.spine(type_)[1]:
        case Function() | OpenArrow():
            return True
        case Product(items):
            return any(_has_arrow(solver, item) for item in items)
        case _:
            return False


def _fewest_axes(solver: Solver, type_: Type) -> int:
    """Of the arrays that a value is made of, the axes of the one that has fewest."""
    axes, tail = solver.spine(type_)
    match tail:
        case Product(items):
            return len(axes) + min((_fewest_axes(solver, item) for item in items), default=2)
        case Named(name) if name in solver.carriers:
            return len(axes) + _fewest_axes(solver, solver.carriers[name])
        case Linear():
            return 2
        case _:
            return len(axes)


def is_rigid(tail: Type) -> bool:
    """A variable of a signature: nothing will be learned of it."""
    return isinstance(tail, TypeVariable) and not tail.open


@dataclass(kw_only=True, eq=False)
class AsMap(Constraint):
    """`found` is used where the linear map `wanted` is: it is one, or a matrix."""

    found: Type
    wanted: Type
    kind: ClassVar[str] = "map"
    decision: list[str] = field(default_factory=list)

    def attempt(self, solver: Solver) -> bool:
        found = solver.resolve(self.found)
        match found:
            case TypeVariable():
                return False
            case Linear() | OpenArrow():
                self.unify(solver, found, self.wanted)
            case Array():
                self._matrix(solver)
            case _:
                raise Mistake(type_mistakes.not_linear(solver, found, self.place))
        return True

    def _matrix(self, solver: Solver) -> None:
        wanted = solver.resolve(self.wanted)
        assert isinstance(wanted, Linear)
        scalar = solver.fresh_scalar()
        rows, columns = solver.fresh_size("m"), solver.fresh_size("n")
        solver.add(Class(name="field", type=scalar, place=self.place, owner=self.owner))
        self.unify(solver, self.found, array(scalar, [rows, columns]))
        self.unify(solver, Linear(Array(scalar, columns), Array(scalar, rows)), wanted)

    def default(self, solver: Solver) -> bool:
        tail = solver.resolve(self.found)
        if isinstance(tail, TypeVariable) and tail.identity in solver.anchored:
            self._matrix(solver)
        else:
            self.unify(solver, self.found, self.wanted)
        return True


# `@` first: it settles what lifting then sees; a literal before an index that it may be.
# What a number scales takes the number's shape only when nothing else tells it.
DEFAULT_ORDER = ("@", "map", "literal", "index", "lift", "scale", "class")
