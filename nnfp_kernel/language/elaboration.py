"""What elaborating one definition keeps: its holes, why it learns, where it stands.

The forms of the language are in references.py (names, brackets, literals, application),
operators.py and bindings.py; elaborate.py puts them together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

from . import composition_mistakes, syntax, type_mistakes, typed, weight_mistakes
from .constraints import AsMap as AsMapConstraint
from .counting import broken_bound
from .declarations import Declarations, Reader
from .diagnostics import Diagnostic
from .measured import same_sizes
from .schemes import Polytype
from .signatures import BuiltinRecord
from .sizes import Size, SizeVariable
from .solve import Clash, Mistake, OpenArrow, Solver
from .source import Span
from .syntax import NOWHERE
from .telling import plain
from .types import (
    UNIT,
    Function,
    Linear,
    Origin,
    Type,
    TypeVariable,
)


@dataclass
class Entry:
    """What a top-level name is to those that use it."""

    name: str
    polytype: Polytype
    brackets: tuple[SizeVariable, ...] | None = None
    learns: bool = False
    draws: bool = False
    linear: bool = False
    failed: bool = False  # it has a mistake of its own: uses of it say nothing
    from_library: bool = False
    holes: Mapping[str, Type] = field(default_factory=dict)


class World(Protocol):
    """What a definition may use beside its own locals."""

    solver: Solver
    declarations: Declarations
    builtins: Mapping[str, BuiltinRecord]
    externals: Mapping[str, Type]

    def entry(self, name: str, span: Span) -> Entry | None: ...
    def is_family(self, name: str) -> bool: ...
    def names(self) -> list[str]: ...
    def weight(self, parts: tuple[str, ...], span: Span) -> Type: ...


@dataclass
class HoleUse:
    """A hole of the definition: its type, where it was first met, how it is used."""

    type: Type
    span: Span
    declared: bool = False


@dataclass(frozen=True)
class MaybeLinear(typed.AsLinear):
    """`AsLinear` where `found` turns out to be a matrix, else nothing."""

    found: Type = UNIT


@dataclass(frozen=True)
class MaybeMeasured(typed.Node):
    """`Measured` where the sizes of an expression turn out not to be proved those that are
    wanted of it, else nothing."""

    expression: typed.Expression
    found: Type
    type: Type
    role: str = ""


@dataclass(frozen=True)
class Reason:
    """Why a definition learns or draws: where, and what is there."""

    span: Span
    text: str


Scope = Mapping[str, Type]


_JOINING = (">>", "<<", "&&&", "***", "|>")


class Elaboration(ABC):
    """One definition or one expression item on its way to a typed tree."""

    def __init__(
        self,
        world: World,
        name: str,
        reader: Reader,
        *,
        family: bool = False,
        expression: Span | None = None,
        labels: Mapping[int, str] | None = None,
    ) -> None:
        self.world = world
        self.solver = world.solver
        self.name = name
        self.reader = reader
        self.family = family
        self.is_expression = expression is not None
        # An expression, or what is asked about: of it alone no hole can be made.
        self.whole = expression if expression is not None else NOWHERE
        self.labels = labels or {}
        self.holes: dict[str, HoleUse] = {}
        self.learns: list[Reason] = []
        self.draws: list[Reason] = []
        self.blanks: list[tuple[Span, Type, Scope]] = []
        self.weight_types: list[Type] = []
        self.weight_sizes: list[Size] = []
        self.depth = 0
        # Functions of which it is said that they are linear, by identity: to be checked.
        self._promised: set[int] = set()
        self._made: list[syntax.Expression] = []  # kept alive: identities are of the living
        # What is joined by `>>`, by the identity of the type wanted of it …
        self._stages: dict[int, composition_mistakes.Stage] = {}
        self._matrices: list[Span] = []  # … and the matrices met there
        self._alone = False

    # --- helpers -----------------------------------------------

    def place(self, span: Span, role: str = "") -> Origin:
        return Origin(span, role)

    def fail(self, code: str, title: str, span: Span, text: str = "", **more: object) -> Mistake:
        return Mistake(plain(code, title, span, text, **more))  # type: ignore[arg-type]

    def fit(self, found: Type, wanted: Type, span: Span, role: str = "") -> None:
        """`found` stands at `span`, where `wanted` is expected."""
        solver = self.solver
        solver.place = self.place(span, role)
        try:
            solver.unify(found, wanted)
        except Clash as clash:
            bound = broken_bound(solver, clash)
            if bound is not None:
                raise Mistake(bound) from None
            raise Mistake(self._told(clash, found, wanted, solver.place, role)) from None
        if solver.queue:
            solver.drain()

    def _told(
        self, clash: Clash, found: Type, wanted: Type, place: Origin, role: str
    ) -> Diagnostic:
        """The diagnostic for a clash at a place."""
        if clash.kind in ("escape", "length"):
            return weight_mistakes.escapes(self.solver, clash, place)
        if clash.kind == "linear":
            return type_mistakes.not_linear(self.solver, found, place)
        stage = self._stages.get(id(wanted))
        if stage is not None and clash.kind != "scalar":
            told = composition_mistakes.does_not_compose(self.solver, found, stage, clash, place)
            if told is not None:
                return told
        return type_mistakes.mismatch(self.solver, found, wanted, clash, place, role)

    def coerce(
        self, node: typed.Expression, found: Type, wanted: Type, span: Span, role: str
    ) -> typed.Expression:
        """As `fit`, where a matrix may stand for a linear map."""
        solver = self.solver
        target = solver.resolve(wanted)
        source = solver.resolve(found)
        if isinstance(target, Linear) and not isinstance(source, Linear | OpenArrow | Function):
            solver.place = self.place(span, role)
            solver.add(AsMapConstraint(found=found, wanted=wanted))
            solver.drain()
            return MaybeLinear(node, wanted, found, span=span)
        if (
            isinstance(target, OpenArrow)
            and id(wanted) in self._stages
            and len(axes := self.solver.spine(source)[0]) > 0
        ):
            if len(axes) != 2:
                raise Mistake(composition_mistakes.not_a_stage(solver, source, span))
            solver.place = self.place(span, role)
            solver.set_kind(target, True)
            self._matrices.append(span)
            solver.add(AsMapConstraint(found=found, wanted=solver.resolve(target)))
            solver.drain()
            return MaybeLinear(node, wanted, found, span=span)
        self.fit(found, wanted, span, role)
        return node

    def add(self, constraint: object, span: Span, role: str = "") -> None:
        solver = self.solver
        solver.place = self.place(span, role)
        solver.add(constraint)  # type: ignore[arg-type]
        solver.drain()

    def expression(
        self, tree: syntax.Expression, wanted: Type, scope: Scope, role: str = ""
    ) -> typed.Expression:
        """The typed tree of an expression that must have the type `wanted`."""
        self.depth += 1
        if self.depth > 400:
            raise self.fail(
                "too-deep",
                "this expression is nested too deeply",
                tree.span,
                "name parts of it with `let`",
            )
        known = self._may_stand_alone(tree, wanted)
        try:
            if id(tree) in self._promised and isinstance(self.solver.resolve(wanted), Linear):
                return self._as_promised(tree, wanted, scope, role)
            proven = self.solver.unproven
            node = self.forms()[type(tree)](self, tree, wanted, scope, role)
            if self.solver.unproven != proven:
                node = self._measured(node, wanted, role)
            return node
        except Mistake:
            told = self._standing_alone(tree, wanted, scope, role) if known else None
            if told is None:
                raise
            raise Mistake(told) from None
        finally:
            self.depth -= 1

    def _measured(self, node: typed.Expression, wanted: Type, role: str) -> typed.Expression:
        """The node, and where its sizes are not (yet) those that are wanted, what looks at its
        lengths once they are known."""
        if isinstance(node, MaybeLinear) or same_sizes(self.solver, node.type, wanted):
            return node
        made = MaybeMeasured(node, node.type, wanted, role, span=node.span)
        return cast(typed.Expression, made)

    # A `-o` in a signature's result or in an ascription is a promise: a function may stand
    # there, and is checked to be linear once it is traced.

    def promise(self, tree: syntax.Expression) -> syntax.Expression:
        """The same expression: of what it gives it is said that it is linear."""
        match tree:
            case syntax.Lambda(body=body) | syntax.Let(body=body):
                self.promise(body)
            case syntax.If(then=then, otherwise=otherwise):
                self.promise(then)
                self.promise(otherwise)
            case syntax.Case(alternatives=alternatives):
                for alternative in alternatives:
                    self.promise(alternative.body)
        if not isinstance(tree, syntax.Let | syntax.If | syntax.Case):
            self._promised.add(id(tree))
        return tree

    def _as_promised(
        self, tree: syntax.Expression, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        linear = self.solver.resolve(wanted)
        assert isinstance(linear, Linear)
        span = tree.span
        if self._is_linear_already(tree, wanted, scope, role):
            return self.forms()[type(tree)](self, tree, wanted, scope, role)
        function = Function(linear.domain, linear.codomain, origin=self.place(span))
        node = self.forms()[type(tree)](self, tree, function, scope, role)
        check = typed.Builtin("section", Function(function, linear), span=span)
        return typed.Apply(check, node, linear, span=span)

    def _is_linear_already(
        self, tree: syntax.Expression, wanted: Type, scope: Scope, role: str
    ) -> bool:
        """Whether it is a linear map without being checked: a derivative, a matrix."""
        if isinstance(tree, syntax.Lambda | syntax.LeftSection | syntax.RightSection):
            return False
        solver = self.solver
        pending, classes = dict(solver.pending), set(solver.classes)
        try:
            with solver.speculation():
                self.forms()[type(tree)](self, tree, wanted, scope, role)
            return True
        except Mistake as mistake:
            return mistake.diagnostic.code != "not-linear"
        finally:
            solver.pending, solver.classes = pending, classes

    # What is wanted goes in first, so that a mistake inside is told where it is. But where
    # an expression is right by itself, the mistake is that something else is wanted of it.

    def _may_stand_alone(self, tree: syntax.Expression, wanted: Type) -> bool:
        if self._alone or not isinstance(tree, syntax.Apply | syntax.Binary):
            return False
        if isinstance(tree, syntax.Binary) and tree.operator in _JOINING:
            return False  # one of the functions that are joined is to blame
        target = self.solver.resolve(wanted)
        # Of a function the parts are told: which argument, which of those that are joined.
        return not isinstance(target, TypeVariable | OpenArrow | Function | Linear)

    def _standing_alone(
        self, tree: syntax.Expression, wanted: Type, scope: Scope, role: str
    ) -> Diagnostic | None:
        """What is wrong if the expression is right by itself; None if it is not."""
        solver = self.solver
        pending, classes = dict(solver.pending), set(solver.classes)
        self._alone = True
        try:
            with solver.speculation():
                found = solver.fresh("a", self.place(tree.span))
                self.expression(tree, found, scope)
                try:
                    solver.unify(found, wanted)
                except Clash as clash:
                    return self._told(clash, found, wanted, self.place(tree.span, role), role)
                return None
        except Mistake:
            return None
        finally:
            self._alone = False
            solver.pending, solver.classes = pending, classes

    @abstractmethod
    def forms(self) -> Mapping[type, Callable[..., typed.Expression]]:
        """The method for every form of the syntax: elaborate.py."""

    @abstractmethod
    def rules(self) -> Mapping[str, Callable[..., tuple[typed.Expression, Type]]]:
        """Built-in names that are typed by a rule of their own: windows.py."""
