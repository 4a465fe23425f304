"""Constraints of operators: which shapes `+`, `*`, `@`, `<` and their like go together with.

`Lift` repeats the operand with fewer axes, `Scale` multiplies a vector by a number, `MatMul`
contracts; `Under` and `SameAxes` are what is left of a lift of which one side is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from . import operand_mistakes
from .constraints import Class, Constraint, array, is_rigid
from .sizes import Size
from .solve import Clash, Mistake, Solver
from .source import Span
from .types import (
    BOOL,
    C,
    Fin,
    Function,
    Origin,
    R,
    Type,
    TypeVariable,
)

# Where R meets C, the real operand stands for a complex one.
_MIXING = ("+", "-", "*", "/", "^", "==", "/=")


@dataclass(kw_only=True, eq=False)
class OfScalar(Constraint):
    """`type` goes with `scalar`."""

    type: Type
    scalar: Type

    def default(self, solver: Solver) -> bool:
        """The other operand was this scalar: an open one takes its shape."""
        _, tail = solver.spine(self.type)
        if not solver.is_open(tail):
            return False
        self.unify(solver, tail, self.scalar)
        return True


@dataclass(kw_only=True, eq=False)
class Under(OfScalar):
    """`type` is `scalar` under any axes."""

    kind: ClassVar[str] = "scale"

    def attempt(self, solver: Solver) -> bool:
        _, tail = solver.spine(self.type)
        if solver.is_open(tail):
            return False
        if isinstance(tail, TypeVariable) and not tail.open:
            return False
        if not solver.is_scalar(tail):
            raise Mistake(operand_mistakes.no_arithmetic(solver, tail, self.place))
        if tail != C or solver.resolve(self.scalar) != R:  # beside C a real number is one of C
            self.unify(solver, tail, self.scalar)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        scalar = show(self.scalar)
        name = {"R": "real"}.get(scalar, "number")
        return f"{name} {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class MadeComplex(OfScalar):
    """`result` is what meets a complex number, `type`: where that is real, the same axes of
    complex numbers; where it is a tuple or a representation, itself."""

    result: Type
    kind: ClassVar[str] = "scale"

    def attempt(self, solver: Solver) -> bool:
        axes, tail = solver.spine(self.type)
        if is_rigid(tail):
            return False
        if solver.is_open(tail):
            made, of = solver.spine(self.result)
            if not axes and of == C and made:
                self.unify(solver, self.type, array(solver.fresh_scalar(), made))
            return False
        if tail in (R, C):
            self.unify(solver, array(C, axes), self.result)
            return True
        self.unify(solver, self.type, self.result)
        solver.add(Scale(type=self.result, scalar=self.scalar, place=self.place, owner=self.owner))
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.result)} = complexes {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class SameAxes(Constraint):
    """`shaped` has the axes of `type`, with another scalar: `b = bools a`."""

    type: Type
    shaped: Type
    scalar: Type
    kind: ClassVar[str] = "axes"

    def attempt(self, solver: Solver) -> bool:
        axes, tail = solver.spine(self.type)
        if not solver.is_open(tail) and not is_rigid(tail):
            if not solver.is_scalar(tail):
                raise Mistake(operand_mistakes.no_arithmetic(solver, tail, self.place))
            self.unify(solver, array(self.scalar, axes), self.shaped)
            return True
        other, shaped_tail = solver.spine(self.shaped)
        if not solver.is_open(shaped_tail) and not is_rigid(shaped_tail):
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
        name = "bools" if self.scalar == BOOL else "complexes" if self.scalar == C else "reals"
        return f"{show(self.shaped)} = {name} {show(self.type)}"


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

    @property
    def truth(self) -> Type:
        """What a comparison gives, and where it comes from."""
        return replace(BOOL, origin=None if self.place is None else Origin(self.place.span))

    def attempt(self, solver: Solver) -> bool:
        left_axes, left = solver.spine(self.left)
        right_axes, right = solver.spine(self.right)
        result_axes, result = solver.spine(self.result)
        left_known = not solver.is_open(left) and not is_rigid(left)
        right_known = not solver.is_open(right) and not is_rigid(right)
        result_known = not solver.is_open(result) and not is_rigid(result)
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
                solver.add(
                    self._like(SameAxes(type=self.left, shaped=self.result, scalar=self.truth))
                )
            else:
                self.unify(solver, self.left, self.result)
                name = {"+": "space", "-": "space", "&&": "boolean", "||": "boolean"}.get(
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
                    name = "boolean" if self.operator in ("&&", "||") else "number"
                    solver.add(self._like(Class(name=name, type=self.result)))
                return True
            if not self.compares:
                if left_known:
                    return self._operand_and_result(solver, left_axes, left, self.right)
                if right_known:
                    return self._operand_and_result(solver, right_axes, right, self.left)
        return False

    def _numbers(self, solver: Solver, left: Type, right: Type) -> None:
        """An index, a truth value or a function among numbers, whatever the rest will be; a
        complex number where there must be an order."""
        if self.operator in ("min", "max") and C in (left, right):
            whole = self.left if left == C else self.right
            raise Mistake(operand_mistakes.not_of_class(solver, "ordered", whole, self.place))
        if self.operator not in ("+", "-", "*", "/", "^", "<", "<=", ">", ">=", "==", "/="):
            return
        for tail, whole, first in ((left, self.left, True), (right, self.right, False)):
            if isinstance(tail, Function):
                raise Mistake(
                    operand_mistakes.function_in_arithmetic(
                        solver, self.operator, whole, self.place, self.spans, first
                    )
                )
            if not self.compares and (isinstance(tail, Fin) or tail == BOOL) and self.place:
                raise Mistake(
                    operand_mistakes.not_a_number_operand(
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
        if self.operator in _MIXING and tail == R and result == C:
            return False  # a real operand of a complex result
        if len(axes) == len(result_axes) and (
            self.operator in ("+", "-") or (solver.is_scalar(tail) and solver.is_scalar(result))
        ):
            operand = array(tail, axes)
            try:
                solver.unify(operand, self.result)
            except Clash as clash:
                raise Mistake(
                    operand_mistakes.operand_and_result(
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
            solver.add(self._like(SameAxes(type=other, shaped=self.result, scalar=self.truth)))
            solver.add(self._like(Under(type=other, scalar=scalar)))
            return True
        if scalar == C and self.operator in _MIXING:
            solver.add(self._like(MadeComplex(type=other, scalar=C, result=self.result)))
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
                operand_mistakes.only_scales(
                    solver, self.operator, self.left, self.right, self.place
                )
            )
        if not (left_scalar and right_scalar) and self.operator not in ("+", "-"):
            raise Mistake(
                operand_mistakes.no_arithmetic(solver, right if left_scalar else left, self.place)
            )
        longer, shorter = (
            (left_axes, right_axes)
            if len(left_axes) >= len(right_axes)
            else (right_axes, left_axes)
        )
        mixed = self.operator in _MIXING and {left, right} == {R, C}
        try:
            if not mixed:
                solver.unify(left, right)
            for mine, other in zip(longer[len(longer) - len(shorter) :], shorter, strict=True):
                solver.unify_size(mine, other)
        except Clash as clash:
            raise Mistake(
                operand_mistakes.operands_differ(
                    solver, self.operator, self.left, self.right, clash, self.place, self.spans
                )
            ) from None
        whole = self.left if len(left_axes) >= len(right_axes) else self.right
        if mixed:
            whole = array(C, longer)
        if self.compares:
            if self.operator not in ("==", "/="):
                solver.add(self._like(Class(name="comparable", type=whole)))
            self.unify(solver, array(self.truth, longer), self.result)
        else:
            self.unify(solver, whole, self.result)
            if self.operator in ("+", "-"):
                name = "number" if left_scalar else "space"
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

    def settle_operand(self, solver: Solver, left: bool) -> None:
        """One operand by default: it takes the result's shape, else the other operand's."""
        own, other = (self.left, self.right) if left else (self.right, self.left)
        known = not solver.is_open(solver.spine(self.result)[1])
        self.unify(solver, own, self.result if known and not self.compares else other)

    def text(self, show: Callable[[Type | Size], str]) -> str:
        operator = self.operator
        if operator in ("lift", "min", "max", "compare"):
            word = "lift" if operator != "compare" else "compare"
            return f"{show(self.result)} = {word} {show(self.left)} {show(self.right)}"
        return f"{show(self.result)} = {show(self.left)} {operator} {show(self.right)}"


@dataclass(kw_only=True, eq=False)
class Scale(OfScalar):
    """`type` may be multiplied by the scalar: the same scalar under any axes, or R and a
    vector space."""

    kind: ClassVar[str] = "scale"

    def attempt(self, solver: Solver) -> bool:
        _, tail = solver.spine(self.type)
        if solver.is_open(tail) or is_rigid(tail):
            return False
        if solver.is_scalar(tail):
            if tail != C or solver.resolve(self.scalar) != R:  # a real number scales C too
                self.unify(solver, self.scalar, tail)
            solver.add(Class(name="number", type=tail, place=self.place, owner=self.owner))
            return True
        scalar = solver.resolve(self.scalar)
        if scalar != C:
            self.unify(solver, self.scalar, R)
        solver.add(Class(name="space", type=tail, place=self.place, owner=self.owner))
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
        return None if solver.is_open(tail) or is_rigid(tail) else len(axes)

    def attempt(self, solver: Solver) -> bool:
        left, right, result = (
            self._rank(solver, type_) for type_ in (self.left, self.right, self.result)
        )
        for rank, type_, first in ((left, self.left, True), (right, self.right, False)):
            if rank is not None and (
                rank not in (1, 2) or not solver.is_scalar(solver.spine(type_)[1])
            ):
                raise Mistake(
                    operand_mistakes.not_a_matrix(solver, type_, self.place, self.spans, first)
                )
        if result is not None and (
            result > 2 or not solver.is_scalar(solver.spine(self.result)[1])
        ):
            raise Mistake(operand_mistakes.not_a_product(solver, self.result, self.place))
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
        scalar: Type = solver.fresh_scalar()
        of_left, of_right = solver.spine(self.left)[1], solver.spine(self.right)[1]
        if {of_left, of_right} == {R, C}:
            scalar = C
        else:
            of_left = of_right = scalar
        inner = solver.fresh_size("n")
        rows = [solver.fresh_size("m")] if left == 2 else []
        columns = [solver.fresh_size("k")] if right == 2 else []
        solver.add(Class(name="field", type=scalar, place=self.place, owner=self.owner))
        try:
            solver.unify(self.left, array(of_left, [*rows, inner]))
            solver.unify(self.right, array(of_right, [inner, *columns]))
        except Clash as clash:
            raise Mistake(
                operand_mistakes.contraction(
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
