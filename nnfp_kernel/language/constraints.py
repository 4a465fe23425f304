"""What cannot be decided at once: lifting, `@`, `flatten`, classes of types, sizes.

Every constraint is tried when something it waits for is learned (`attempt`), and fires only
when it is forced. What is left at the end of a session is settled by the defaults of the
language (`default`), in the order of `DEFAULT_ORDER`; what is left in a definition that is
generic travels in its scheme (`rebuilt` with other types, `text` for people).
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

from . import type_mistakes as mistakes
from .diagnostics import Diagnostic
from .sizes import ONE, Size, SizeVariable, as_size, at_least, constant
from .solve import Clash, Mistake, OpenArrow, Solver
from .source import Span
from .types import (
    BOOL,
    INT,
    UNIT,
    Array,
    C,
    Fin,
    Function,
    Linear,
    Named,
    Origin,
    Product,
    R,
    Scalar,
    Tangent,
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
        return mistakes.clash(solver, clash, self.place)


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
}


@dataclass(kw_only=True, eq=False)
class Class(Constraint):
    """`vector a`, `elementwise a`, `real a`, `number a`, and of scalars `field a`.

    `scaling` stands for what a scalar may multiply: numbers and vector spaces.
    """

    name: str
    type: Type
    waits: bool = False
    ties: ClassVar[bool] = False
    kind: ClassVar[str] = "class"

    def attempt(self, solver: Solver) -> bool:
        answer = self.holds(solver, self.type)
        if answer is False:
            raise Mistake(mistakes.not_of_class(solver, self.name, self.type, self.place))
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
        if self.name in ("vector", "scaling"):
            match tail:
                case Scalar(name):
                    return name in ("R", "C") or (self.name == "scaling" and name == "Int")
                case Linear() | Tangent() | Weights():
                    return True
                case Product(items):
                    answers = [self.holds(solver, item) for item in items]
                    return False if False in answers else None if None in answers else True
                case Named(name):
                    carrier = solver.carriers.get(name)
                    return carrier is not None and self.holds(solver, carrier)
                case _:
                    return False
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
        name = {"scaling": "vector", "field": "number"}.get(self.name, self.name)
        return f"{name} {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class Under(Constraint):
    """`type` is `scalar` under any axes."""

    type: Type
    scalar: Type
    kind: ClassVar[str] = "scale"

    def attempt(self, solver: Solver) -> bool:
        _, tail = solver.spine(self.type)
        if solver.is_open(tail):
            return False
        if isinstance(tail, TypeVariable) and not tail.open:
            return False
        if not solver.is_scalar(tail):
            raise Mistake(mistakes.no_arithmetic(solver, tail, self.place))
        self.unify(solver, tail, self.scalar)
        return True

    def default(self, solver: Solver) -> bool:
        """The other operand was this scalar: an open one takes its shape."""
        if not solver.is_open(solver.spine(self.type)[1]):
            return False
        self.unify(solver, solver.spine(self.type)[1], self.scalar)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        scalar = show(self.scalar)
        name = {"R": "real"}.get(scalar, "number")
        return f"{name} {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class SameAxes(Constraint):
    """`shaped` has the axes of `type`, with another scalar: `b = bools a`."""

    type: Type
    shaped: Type
    scalar: Type
    kind: ClassVar[str] = "axes"

    def attempt(self, solver: Solver) -> bool:
        axes, tail = solver.spine(self.type)
        if not solver.is_open(tail) and not _rigid(tail):
            if not solver.is_scalar(tail):
                raise Mistake(mistakes.no_arithmetic(solver, tail, self.place))
            self.unify(solver, array(self.scalar, axes), self.shaped)
            return True
        other, shaped_tail = solver.spine(self.shaped)
        if not solver.is_open(shaped_tail) and not _rigid(shaped_tail):
            scalar = solver.fresh_scalar()
            self.unify(solver, array(scalar, other), self.type)
            self.unify(solver, shaped_tail, self.scalar)
            return True
        key = (solver.zonk(self.type), self.scalar)
        known = solver.same_axes.setdefault(key, self.shaped)
        if known is not self.shaped and solver.resolve(known) != solver.resolve(self.shaped):
            self.unify(solver, self.shaped, known)
            return True
        return False

    def text(self, show: Callable[[Type | Size], str]) -> str:
        name = "bools" if self.scalar == BOOL else "reals"
        return f"{show(self.shaped)} = {name} {show(self.type)}"


def _rigid(tail: Type) -> bool:
    return isinstance(tail, TypeVariable) and not tail.open


@dataclass(kw_only=True, eq=False)
class Lift(Constraint):
    """`result = left operator right`: the shape of the operand with more axes; the other
    is repeated over the missing leading ones."""

    operator: str
    left: Type
    right: Type
    result: Type
    spans: tuple[Span, Span] | None = None  # of the operands, where they are written
    kind: ClassVar[str] = "lift"

    @property
    def compares(self) -> bool:
        return self.operator in ("==", "/=", "<", "<=", ">", ">=", "compare")

    def attempt(self, solver: Solver) -> bool:
        left_axes, left = solver.spine(self.left)
        right_axes, right = solver.spine(self.right)
        result_axes, result = solver.spine(self.result)
        left_known = not solver.is_open(left) and not _rigid(left)
        right_known = not solver.is_open(right) and not _rigid(right)
        result_known = not solver.is_open(result) and not _rigid(result)
        self._numbers(solver, left, right)
        if left_known and right_known:
            self._both(solver, left_axes, left, right_axes, right)
            return True
        if left_known and not left_axes and solver.is_scalar(left):
            return self._scalar_and(solver, left, self.right, scalar_first=True)
        if right_known and not right_axes and solver.is_scalar(right):
            return self._scalar_and(solver, right, self.left, scalar_first=False)
        factor = self._factor(solver, left_known, left, right_known, right)
        if factor is not None:
            self.unify(solver, factor, solver.fresh_scalar())
            return self.attempt(solver)
        if self._same(solver):
            if self.compares:
                solver.add(self._like(SameAxes(type=self.left, shaped=self.result, scalar=BOOL)))
            else:
                self.unify(solver, self.left, self.result)
                name = {"+": "vector", "-": "vector", "&&": "boolean", "||": "boolean"}.get(
                    self.operator, "number"
                )
                if self.operator not in ("lift", "min", "max"):
                    solver.add(self._like(Class(name=name, type=self.left)))
            return True
        if result_known:
            scalar = solver.is_scalar(result)
            if not result_axes and scalar:
                one = solver.fresh_scalar() if self.compares else self.result
                self.unify(solver, self.left, one)
                self.unify(solver, self.right, one)
                if not self.compares:
                    solver.add(self._like(Class(name="number", type=self.result)))
                return True
            if not self.compares:
                if left_known:
                    return self._operand_and_result(solver, left_axes, left, self.right)
                if right_known:
                    return self._operand_and_result(solver, right_axes, right, self.left)
        return False

    def _numbers(self, solver: Solver, left: Type, right: Type) -> None:
        """An index, a truth value or a function among numbers, whatever the rest will be."""
        if self.operator not in ("+", "-", "*", "/", "^", "<", "<=", ">", ">=", "==", "/="):
            return
        for tail, whole, first in ((left, self.left, True), (right, self.right, False)):
            if isinstance(tail, Function):
                raise Mistake(
                    mistakes.function_in_arithmetic(
                        solver, self.operator, whole, self.place, self.spans, first
                    )
                )
            if not self.compares and (isinstance(tail, Fin) or tail == BOOL) and self.place:
                raise Mistake(
                    mistakes.not_a_number_operand(
                        solver, self.operator, whole, self.place, self.spans, first
                    )
                )

    def _operand_and_result(
        self, solver: Solver, axes: list[Size], tail: Type, other: Type
    ) -> bool:
        """One operand and the result are known, the other operand is not."""
        result_axes, result = solver.spine(self.result)
        if len(axes) < len(result_axes):
            self.unify(solver, other, self.result)
            return False
        if len(axes) == len(result_axes) and (
            self.operator in ("+", "-") or (solver.is_scalar(tail) and solver.is_scalar(result))
        ):
            operand = array(tail, axes)
            try:
                solver.unify(operand, self.result)
            except Clash as clash:
                raise Mistake(
                    mistakes.operand_and_result(
                        solver, self.operator, operand, self.result, clash, self.place
                    )
                ) from None
        return False

    def _factor(
        self, solver: Solver, left_known: bool, left: Type, right_known: bool, right: Type
    ) -> Type | None:
        """The operand that must be a number, because the other one is of a space that is
        only scaled: a linear map, a tuple, a representation."""

        def only_scaled(known: bool, tail: Type) -> bool:
            return known and not solver.is_scalar(tail) and not isinstance(tail, Function)

        if self.operator == "*" and only_scaled(right_known, right):
            return left if not solver.spine(self.left)[0] and solver.is_open(left) else None
        if self.operator in ("*", "/") and only_scaled(left_known, left):
            return right if not solver.spine(self.right)[0] and solver.is_open(right) else None
        return None

    def _like(self, constraint: Constraint) -> Constraint:
        constraint.place, constraint.owner = self.place, self.owner
        return constraint

    def _same(self, solver: Solver) -> bool:
        """Whether both operands are the same unknown type."""
        left, right = solver.zonk(self.left), solver.zonk(self.right)
        return left == right

    def _scalar_and(self, solver: Solver, scalar: Type, other: Type, scalar_first: bool) -> bool:
        if self.compares:
            solver.add(self._like(SameAxes(type=other, shaped=self.result, scalar=BOOL)))
            solver.add(self._like(Under(type=other, scalar=scalar)))
            return True
        self.unify(solver, other, self.result)
        if self.operator == "*" or (self.operator == "/" and not scalar_first):
            solver.add(self._like(Scale(scalar=scalar, type=self.result)))
        else:
            solver.add(self._like(Under(type=self.result, scalar=scalar)))
        return True

    def _both(
        self, solver: Solver, left_axes: list[Size], left: Type, right_axes: list[Size], right: Type
    ) -> None:
        left_scalar, right_scalar = solver.is_scalar(left), solver.is_scalar(right)
        if self.operator in ("*", "/") and not (left_scalar and right_scalar):
            if left_scalar and not left_axes and self.operator == "*":
                self.unify(solver, self.right, self.result)
                solver.add(self._like(Scale(scalar=left, type=self.result)))
                return
            if right_scalar and not right_axes:
                self.unify(solver, self.left, self.result)
                solver.add(self._like(Scale(scalar=right, type=self.result)))
                return
            raise Mistake(
                mistakes.only_scales(solver, self.operator, self.left, self.right, self.place)
            )
        if not (left_scalar and right_scalar) and self.operator not in ("+", "-"):
            raise Mistake(
                mistakes.no_arithmetic(solver, right if left_scalar else left, self.place)
            )
        longer, shorter = (
            (left_axes, right_axes)
            if len(left_axes) >= len(right_axes)
            else (right_axes, left_axes)
        )
        try:
            solver.unify(left, right)
            for mine, other in zip(longer[len(longer) - len(shorter) :], shorter, strict=True):
                solver.unify_size(mine, other)
        except Clash as clash:
            raise Mistake(
                mistakes.operands_differ(
                    solver, self.operator, self.left, self.right, clash, self.place, self.spans
                )
            ) from None
        whole = self.left if len(left_axes) >= len(right_axes) else self.right
        if self.compares:
            if self.operator not in ("==", "/="):
                solver.add(self._like(Class(name="comparable", type=whole)))
            self.unify(solver, array(BOOL, longer), self.result)
        else:
            self.unify(solver, whole, self.result)
            if self.operator in ("+", "-"):
                name = "number" if left_scalar else "vector"
            elif self.operator in ("&&", "||"):
                name = "boolean"
            elif self.operator in ("min", "max", "lift"):
                name = "any"
            else:
                name = "number"
            if name != "any":
                solver.add(self._like(Class(name=name, type=whole)))

    def default(self, solver: Solver) -> bool:
        """An open operand takes the result's shape, else the other operand's."""
        left_open, right_open = (
            solver.is_open(solver.spine(self.left)[1]),
            solver.is_open(solver.spine(self.right)[1]),
        )
        result_open = solver.is_open(solver.spine(self.result)[1])
        if self.compares:
            if left_open or right_open:
                self.unify(solver, self.left, self.right)
                return True
            return False
        if not result_open and (left_open or right_open):
            if left_open:
                self.unify(solver, self.left, self.result)
            if right_open:
                self.unify(solver, self.right, self.result)
            return True
        if left_open or right_open:
            self.unify(solver, self.left, self.right)
            return True
        return False

    def text(self, show: Callable[[Type | Size], str]) -> str:
        operator = self.operator
        if operator in ("lift", "min", "max", "compare"):
            word = "lift" if operator != "compare" else "compare"
            return f"{show(self.result)} = {word} {show(self.left)} {show(self.right)}"
        return f"{show(self.result)} = {show(self.left)} {operator} {show(self.right)}"


_KINDS = {**_KINDS, "comparable": ("R", "Int", "Fin", "Bool")}


@dataclass(kw_only=True, eq=False)
class Scale(Constraint):
    """`type` may be multiplied by the scalar: the same scalar under any axes, or R and a
    vector space."""

    scalar: Type
    type: Type
    kind: ClassVar[str] = "scale"

    def attempt(self, solver: Solver) -> bool:
        _, tail = solver.spine(self.type)
        if solver.is_open(tail) or _rigid(tail):
            return False
        if solver.is_scalar(tail):
            self.unify(solver, self.scalar, tail)
            solver.add(Class(name="number", type=tail, place=self.place, owner=self.owner))
            return True
        scalar = solver.resolve(self.scalar)
        if scalar != C:
            self.unify(solver, self.scalar, R)
        solver.add(Class(name="vector", type=tail, place=self.place, owner=self.owner))
        return True

    def default(self, solver: Solver) -> bool:
        """The other operand was this scalar: an open one takes its shape."""
        if not solver.is_open(solver.spine(self.type)[1]):
            return False
        self.unify(solver, solver.spine(self.type)[1], self.scalar)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"vector {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class MatMul(Constraint):
    """`result = left @ right`: the last axis of a vector or matrix against the first."""

    left: Type
    right: Type
    result: Type
    hole: str = ""  # the name of the hole that is the left operand
    spans: tuple[Span, Span] | None = None  # of the operands, where they are written
    kind: ClassVar[str] = "@"

    def _rank(self, solver: Solver, type_: Type) -> int | None:
        axes, tail = solver.spine(type_)
        return None if solver.is_open(tail) or _rigid(tail) else len(axes)

    def attempt(self, solver: Solver) -> bool:
        left, right, result = (
            self._rank(solver, type_) for type_ in (self.left, self.right, self.result)
        )
        for rank, type_, first in ((left, self.left, True), (right, self.right, False)):
            if rank is not None and (
                rank not in (1, 2) or not solver.is_scalar(solver.spine(type_)[1])
            ):
                raise Mistake(mistakes.not_a_matrix(solver, type_, self.place, self.spans, first))
        if result is not None and (
            result > 2 or not solver.is_scalar(solver.spine(self.result)[1])
        ):
            raise Mistake(mistakes.not_a_product(solver, self.result, self.place))
        if result == 2:
            left, right = left or 2, right or 2
        elif result == 0:
            left, right = left or 1, right or 1
        elif result == 1:
            if left is not None:
                right = right or 3 - left
            elif right is not None:
                left = 3 - right
        if left is None or right is None:
            return False
        self._fire(solver, left, right)
        return True

    def _fire(self, solver: Solver, left: int, right: int) -> None:
        scalar = solver.fresh_scalar()
        inner = solver.fresh_size("n")
        rows = [solver.fresh_size("m")] if left == 2 else []
        columns = [solver.fresh_size("k")] if right == 2 else []
        solver.add(Class(name="field", type=scalar, place=self.place, owner=self.owner))
        try:
            solver.unify(self.left, array(scalar, [*rows, inner]))
            solver.unify(self.right, array(scalar, [inner, *columns]))
        except Clash as clash:
            raise Mistake(
                mistakes.contraction(
                    solver, self.left, self.right, clash, self.place, self.hole, self.spans
                )
            ) from None
        self.unify(solver, array(scalar, [*rows, *columns]), self.result)

    def default(self, solver: Solver) -> bool:
        left, right, result = (
            self._rank(solver, type_) for type_ in (self.left, self.right, self.result)
        )
        if right is None:
            right = 1
        if left is None and result is None and self.hole:
            left = 2 if right == 1 else 1
        if left is None and result is not None:
            left = max(1, min(2, result + 2 - right))
        if left is None:
            if self._rank(solver, self.right) is None:
                self.unify(
                    solver,
                    self.right,
                    array(solver.fresh_scalar(), [solver.fresh_size("n")]),
                )
                return True
            return False
        self._fire(solver, left, right)
        solver.drop(self)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.result)} = {show(self.left)} @ {show(self.right)}"


@dataclass(kw_only=True, eq=False)
class Flatten(Constraint):
    """`flat` is all entries of `type` in one axis."""

    type: Type
    flat: Type
    kind: ClassVar[str] = "flatten"

    def attempt(self, solver: Solver) -> bool:
        axes, tail = solver.spine(self.type)
        if solver.is_open(tail) or _rigid(tail):
            return False
        count = ONE
        for length in axes:
            count = count * length
        self.unify(solver, Array(tail, count), self.flat)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.flat)} = flatten {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class MatrixOf(Constraint):
    """`result` has the axes of `codomain`, then those of `domain`; a product counts as
    one axis, in which its parts lie end to end."""

    domain: Type
    codomain: Type
    result: Type
    kind: ClassVar[str] = "matrix"

    def attempt(self, solver: Solver) -> bool:
        rows, columns = self._axes(solver, self.codomain), self._axes(solver, self.domain)
        if rows is None or columns is None:
            return False
        self.unify(solver, array(R, [*rows, *columns]), self.result)
        return True

    def _axes(self, solver: Solver, type_: Type) -> list[Size] | None:
        """The axes a space counts as; None while that is open."""
        axes, tail = solver.spine(type_)
        while isinstance(tail, Named) and tail.name in solver.carriers:
            more, tail = solver.spine(solver.carriers[tail.name])
            axes = [*axes, *more]
        if isinstance(tail, Product):
            total = as_size(0)
            for item in tail.items:
                inner = self._axes(solver, item)
                if inner is None:
                    return None
                total = total + product_of(inner)
            return [product_of(list(axes)) * total]
        if solver.is_open(tail) or _rigid(tail):
            return None
        return list(axes)

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.result)} = matrix {show(self.domain)} {show(self.codomain)}"


@dataclass(kw_only=True, eq=False)
class Reshape(Constraint):
    """As many entries here as there."""

    type: Type
    shaped: Type
    axes: tuple[Size, ...] = ()
    kind: ClassVar[str] = "reshape"

    def attempt(self, solver: Solver) -> bool:
        axes, tail = solver.spine(self.type)
        if solver.is_open(tail) or _rigid(tail):
            return False
        count, wanted = ONE, ONE
        for length in axes:
            count = count * length
        for length in self.axes:
            wanted = wanted * length
        self.unify(solver, array(tail, list(self.axes)), self.shaped)
        try:
            solver.unify_size(count, wanted)
        except Clash:
            told = mistakes.reshaped(solver, self.type, count, self.axes, wanted, self.place)
            raise Mistake(told) from None
        return True

    def rebuilt(
        self, on_type: Callable[[Type], Type], on_size: Callable[[Size], Size]
    ) -> Constraint:
        made = super().rebuilt(on_type, on_size)
        assert isinstance(made, Reshape)
        return replace(made, axes=tuple(map(on_size, self.axes)))

    def parts(self) -> Iterator[Type | Size]:
        yield from super().parts()
        yield from self.axes

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.shaped)} = reshape {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class Index(Constraint):
    """`index` may be used where there are `count` elements: `Fin[count]`, or an `Int`."""

    index: Type
    count: Size
    kind: ClassVar[str] = "index"

    def attempt(self, solver: Solver) -> bool:
        index = solver.resolve(self.index)
        if isinstance(index, TypeVariable):
            if index.identity in solver.literals:
                self.unify(solver, index, Fin(self.count))
                return True
            return False
        if index == INT:
            return True
        if isinstance(index, Fin):
            try:
                solver.unify_size(index.size, self.count)
            except Clash as clash:
                raise Mistake(
                    mistakes.index_of_another_size(solver, index, self.count, clash, self.place)
                ) from None
            return True
        raise Mistake(mistakes.not_an_index(solver, index, self.place))

    def default(self, solver: Solver) -> bool:
        self.unify(solver, self.index, Fin(self.count))
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"index {show(self.index)} {show(self.count)}"


@dataclass(kw_only=True, eq=False)
class LiteralIs(Constraint):
    """A number written in the program: R unless the context wants Int, Fin or C."""

    value: float | int
    type: Type
    kind: ClassVar[str] = "literal"
    ties: ClassVar[bool] = False

    def attempt(self, solver: Solver) -> bool:
        match solver.resolve(self.type):
            case Scalar("R" | "C"):
                return True
            case Scalar("Int"):
                if isinstance(self.value, int):
                    return True
            case Fin(size) as index:
                count = solver.size(size)
                if isinstance(self.value, int) and self.value >= 0:
                    above = count - self.value
                    fits = at_least(above, 1)
                    if fits is False:
                        raise Mistake(
                            mistakes.index_out_of_range(solver, self.value, index, self.place)
                        )
                    if fits is None:
                        solver.add(
                            SizeAtLeast(
                                left=count,
                                right=constant(self.value + 1),
                                place=self.place,
                                owner=self.owner,
                            )
                        )
                    return True
            case TypeVariable():
                return False
            case _:
                pass
        raise Mistake(mistakes.bad_literal(solver, self.value, self.type, self.place))

    def default(self, solver: Solver) -> bool:
        self.unify(solver, self.type, R)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"number {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class SizeEqual(Constraint):
    left: Size
    right: Size
    kind: ClassVar[str] = "size"

    def attempt(self, solver: Solver) -> bool:
        try:
            answer = solver.equate(solver.size(self.left), solver.size(self.right))
        except Clash as clash:
            raise Mistake(self.mistake(solver, clash)) from None
        return answer is not None

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.left)} = {show(self.right)}"


@dataclass(kw_only=True, eq=False)
class SizeAtLeast(Constraint):
    left: Size
    right: Size
    kind: ClassVar[str] = "bound"
    ties: ClassVar[bool] = False

    def attempt(self, solver: Solver) -> bool:
        left, right = solver.size(self.left), solver.size(self.right)
        answer = at_least(left - right, 0)
        if answer is False:
            raise Mistake(mistakes.too_small(solver, self.left, self.right, self.place))
        if answer is None and any(v.runtime for v in (left - right).variables()):
            return not any(v.open for v in (left - right).variables())
        return answer is True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.left)} >= {show(self.right)}"


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
                raise Mistake(mistakes.not_linear(solver, found, self.place))
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


def product_of(sizes: list[Size]) -> Size:
    return math.prod(sizes, start=as_size(1))


# `@` first: it settles what lifting then sees; a literal before an index that it may be.
# What a number scales takes the number's shape only when nothing else tells it.
DEFAULT_ORDER = ("@", "map", "literal", "index", "lift", "scale", "class")
AMBIGUOUS = UNIT


def broken_bound(solver: Solver, clash: Clash) -> Diagnostic | None:
    """The bound that a size would break if it were what the other side says: a window that
    is larger than its input is told as that, not by the length it would leave."""
    found, wanted = clash.found, clash.wanted
    if not isinstance(found, Size) or not isinstance(wanted, Size):
        return None
    for size, other in ((found, wanted), (wanted, found)):
        value, variable = solver.size(size).value, other.lone_variable
        for bound in solver.pending.values():
            if not isinstance(bound, SizeAtLeast):
                continue
            left, right = bound.left, bound.right
            if variable is not None and value is not None:
                known = {variable: constant(value)}
                left, right = left.substitute(known), right.substitute(known)
            if at_least(solver.size(left) - solver.size(right), 0) is False:
                return mistakes.too_small(solver, left, right, bound.place)
    return None
