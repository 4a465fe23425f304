"""Constraints on how many elements there are: sizes, indices, numbers written in a program."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from . import number_mistakes, type_mistakes
from .constraints import Class, Constraint, array, is_rigid
from .diagnostics import Diagnostic, Label
from .sizes import ONE, Size, SizeVariable, as_size, at_least, constant
from .solve import Clash, Mistake, OpenArrow, Solver
from .source import Span
from .telling import came
from .types import (
    INT,
    Array,
    C,
    Fin,
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


@dataclass(kw_only=True, eq=False)
class Flatten(Constraint):
    """`flat` is all entries of `type` in one axis."""

    type: Type
    flat: Type
    kind: ClassVar[str] = "flatten"

    def attempt(self, solver: Solver) -> bool:
        axes, tail = solver.spine(self.type)
        if solver.is_open(tail) or is_rigid(tail):
            return False
        count = ONE
        for length in axes:
            count = count * length
        self.unify(solver, Array(tail, count), self.flat)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.flat)} = flatten {show(self.type)}"


class Laid(Constraint):
    """Of spaces of which the entries are counted: it waits for the types of weights, too,
    and ties to them what follows from them."""

    def variables(self, solver: Solver) -> Iterator[TypeVariable | SizeVariable | OpenArrow]:
        yield from super().variables(solver)
        for type_ in self._learned(solver):
            yield from solver.variables(type_)

    def blockers(self, solver: Solver) -> Iterator[int]:
        yield from super().blockers(solver)
        for type_ in self._learned(solver):
            tail = solver.spine(type_)[1]
            if isinstance(tail, TypeVariable):
                yield tail.identity

    def _learned(self, solver: Solver) -> Iterator[Type]:
        """The types of the weights whose spaces these are."""
        pending = [part for part in self.parts() if not isinstance(part, Size)]
        while pending:
            _, tail = carried(solver, pending.pop())
            match tail:
                case Product(items):
                    pending += items
                case Linear(domain, codomain):
                    pending += [domain, codomain]
                case Scalar() | Named() | Weights():
                    pass
                case _:
                    yield tail


@dataclass(kw_only=True, eq=False)
class MatrixOf(Laid):
    """`result` has the axes of `codomain`, then those of `domain`; a product counts as
    one axis, in which its parts lie end to end.

    Between complex spaces it is complex. `real`, or where a space has numbers of both kinds,
    it is real: then what is complex is one axis of real and then imaginary parts.
    """

    domain: Type
    codomain: Type
    result: Type
    real: bool = False
    kind: ClassVar[str] = "matrix"

    def attempt(self, solver: Solver) -> bool:
        kinds = [kinds_of(solver, type_) for type_ in (self.domain, self.codomain)]
        if any(each is None for each in kinds):
            return False
        scalar = R if self.real else field_of(*(each for each in kinds if each is not None))
        rows, columns = (
            axes_of(solver, type_, scalar == R) for type_ in (self.codomain, self.domain)
        )
        self.unify(solver, array(scalar, [*rows, *columns]), self.result)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        name = "realMatrix" if self.real else "matrix"
        return f"{show(self.result)} = {name} {show(self.domain)} {show(self.codomain)}"


@dataclass(kw_only=True, eq=False)
class FieldOf(Laid):
    """`field` is C for a complex space, else R."""

    type: Type
    field: Type
    kind: ClassVar[str] = "matrix"

    def attempt(self, solver: Solver) -> bool:
        kinds = kinds_of(solver, self.type)
        if kinds is None:
            return False
        self.unify(solver, field_of(kinds), self.field)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.field)} = scalar {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class EntriesOf(Laid):
    """`line` has one entry for each of `type`, as rows of a matrix have: of R, or complex."""

    type: Type
    line: Type
    scalar: Type = R
    kind: ClassVar[str] = "matrix"

    def attempt(self, solver: Solver) -> bool:
        kinds = kinds_of(solver, self.type)
        if kinds is None:
            return False
        axes = axes_of(solver, self.type, field_of(kinds) == R)
        self.unify(solver, array(self.scalar, [product_of(axes)]), self.line)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        name = "entries" if self.scalar == R else "complexEntries"
        return f"{show(self.line)} = {name} {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class PartsOf(Laid):
    """`items` are the weights of `type`, `Weights f`, one by one in the order of their paths: a
    product, or the weight itself where there is one."""

    type: Type
    items: Type
    kind: ClassVar[str] = "weights"

    def attempt(self, solver: Solver) -> bool:
        found = solver.resolve(self.type)
        if isinstance(found, TypeVariable):
            return False
        every = solver.weights_of(found.name) if isinstance(found, Weights) else None
        if every is None:
            raise Mistake(type_mistakes.no_weights(solver, found, self.place))
        if any(kinds_of(solver, each) is None for each in every):
            return False
        self.unify(solver, every[0] if len(every) == 1 else Product(tuple(every)), self.items)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.items)} = parts {show(self.type)}"


def axes_of(solver: Solver, type_: Type, pairs: bool) -> list[Size]:
    """The axes a space counts as in a matrix; `pairs`: a complex number counts as two real
    ones, in one axis. What is laid end to end, a product or weights, is one axis, too."""
    axes, tail = carried(solver, type_)
    if isinstance(tail, Product):
        total = as_size(0)
        for item in tail.items:
            total = total + product_of(axes_of(solver, item, pairs))
        return [product_of(list(axes)) * total]
    return [product_of(list(axes)) * 2] if pairs and tail == C else list(axes)


def carried(solver: Solver, type_: Type) -> tuple[list[Size], Type]:
    """The axes of a type and what is under them, inside of representations too; weights are
    the product of all of them."""
    axes, tail = solver.spine(type_)
    while isinstance(tail, Named) and tail.name in solver.carriers:
        more, tail = solver.spine(solver.carriers[tail.name])
        axes = [*axes, *more]
    if isinstance(tail, Weights) and (every := solver.weights_of(tail.name)) is not None:
        tail = Product(tuple(every))
    return list(axes), tail


def kinds_of(solver: Solver, type_: Type) -> frozenset[Type] | None:
    """What a space is built from: R, C, both or nothing; None while that is open."""
    _, tail = carried(solver, type_)
    if isinstance(tail, Product):
        parts = [kinds_of(solver, item) for item in tail.items]
        known = [each for each in parts if each is not None]
        return frozenset().union(*known) if len(known) == len(parts) else None
    if solver.is_open(tail) or is_rigid(tail) or isinstance(tail, Weights):
        return None
    return frozenset((C if tail == C else R,))


def field_of(*kinds: frozenset[Type]) -> Type:
    """C where all numbers are complex, else R."""
    return C if frozenset().union(*kinds) == {C} else R


@dataclass(kw_only=True, eq=False)
class InverseOf(Constraint):
    """`inverse` goes the other way than the linear map `map`; of a matrix it is a matrix."""

    map: Type
    inverse: Type
    kind: ClassVar[str] = "map"

    def attempt(self, solver: Solver) -> bool:
        found = solver.resolve(self.map)
        match found:
            case TypeVariable():
                return False
            case Linear(domain, codomain):
                self.unify(solver, Linear(codomain, domain), self.inverse)
            case Array():
                self._matrix(solver)
            case _:
                raise Mistake(type_mistakes.not_linear(solver, found, self.place))
        return True

    def _matrix(self, solver: Solver) -> None:
        scalar, size = solver.fresh_scalar(), solver.fresh_size("n")
        solver.add(Class(name="field", type=scalar, place=self.place, owner=self.owner))
        self.unify(solver, self.map, array(scalar, [size, size]))
        self.unify(solver, self.map, self.inverse)

    def default(self, solver: Solver) -> bool:
        self._matrix(solver)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.inverse)} = inverse {show(self.map)}"


@dataclass(kw_only=True, eq=False)
class Reshape(Constraint):
    """As many entries here as there."""

    type: Type
    shaped: Type
    axes: tuple[Size, ...] = ()
    kind: ClassVar[str] = "reshape"

    def attempt(self, solver: Solver) -> bool:
        axes, tail = solver.spine(self.type)
        if solver.is_open(tail) or is_rigid(tail):
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
            told = number_mistakes.reshaped(solver, self.type, count, self.axes, wanted, self.place)
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
                    number_mistakes.index_of_another_size(
                        solver, index, self.count, clash, self.place
                    )
                ) from None
            return True
        raise Mistake(number_mistakes.not_an_index(solver, index, self.place))

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
                            number_mistakes.index_out_of_range(
                                solver, self.value, index, self.place
                            )
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
        raise Mistake(number_mistakes.bad_literal(solver, self.value, self.type, self.place))

    def default(self, solver: Solver) -> bool:
        self.unify(solver, self.type, R)
        return True

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"number {show(self.type)}"


@dataclass(kw_only=True, eq=False)
class SizeIs(LiteralIs):
    """A size used as a number: as a literal, but its value may be open, or any."""

    size: Size
    written: Span
    value: float | int = 0

    def attempt(self, solver: Solver) -> bool:
        index = solver.resolve(self.type)
        if not isinstance(index, Fin):
            return super().attempt(solver)
        fits = at_least(solver.size(index.size) - solver.size(self.size), 1)
        if fits is False:
            told = number_mistakes.index_out_of_range(
                solver, self.size, index, self.place, self.written
            )
            raise Mistake(told)
        return fits is True

    def blockers(self, solver: Solver) -> Iterator[int]:
        yield from (variable.identity for variable in self.variables(solver))

    def text(self, show: Callable[[Type | Size], str]) -> str:
        said = show(self.type)
        return "" if said.startswith("Fin[") else f"number {said}"


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
class SizeLeast(Constraint):
    """`least` is the lesser of two sizes; it waits until one is known not to be greater."""

    least: Size
    left: Size
    right: Size
    kind: ClassVar[str] = "size"

    def attempt(self, solver: Solver) -> bool:
        left, right = solver.size(self.left), solver.size(self.right)
        for one, other in ((left, right), (right, left)):
            if at_least(other - one, 0):
                self.unify_size(solver, self.least, one)
                return True
        return False

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.least)} = min {show(self.left)} {show(self.right)}"


@dataclass(kw_only=True, eq=False)
class SizeAtLeast(Constraint):
    left: Size
    right: Size
    written: Span | None = None  # a subtraction in a type that asks for it
    asked: Origin | None = None  # the word that asks for it, in the definition used here
    kind: ClassVar[str] = "bound"
    ties: ClassVar[bool] = False

    def attempt(self, solver: Solver) -> bool:
        left, right = solver.size(self.left), solver.size(self.right)
        answer = at_least(left - right, 0)
        if answer is False:
            raise Mistake(self.broken(solver, self.left, self.right))
        if answer is None and any(v.runtime for v in (left - right).variables()):
            return not any(v.open for v in (left - right).variables())
        return answer is True

    def broken(
        self, solver: Solver, left: Size, right: Size, labels: Sequence[Label] = ()
    ) -> Diagnostic:
        return number_mistakes.too_small(
            solver, left, right, self.place, self.written, self.asked, labels
        )

    def used(self, place: Origin, owner: str) -> None:
        """It travels to where its definition is used, and remembers the program's own word that
        asked for it: the `last` of `ending = scan step zero >> last`."""
        if self.asked is None and self.place is not None and not self.place.span.source.library:
            self.asked = self.place
        super().used(place, owner)

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.left)} >= {show(self.right)}"


def product_of(sizes: list[Size]) -> Size:
    return math.prod(sizes, start=as_size(1))


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
                where: list[Label] = []
                if clash.types is not None and bound.place is not None:
                    for type_ in clash.types:
                        if isinstance(type_, Array) and solver.size(type_.length).value is not None:
                            where += came(solver, type_, bound.place.span)
                return bound.broken(solver, left, right, where)
    return None
