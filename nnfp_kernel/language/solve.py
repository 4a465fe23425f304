"""Unification: what is known of the open variables of types and sizes, and what waits on them.

A `Solver` holds bindings of open variables, and a worklist of constraints that could not
be decided yet (lifting, `@`, `flatten`, size equations; constraints.py). A constraint waits
on the variables that block it and is tried again when one of them is bound, so the cost is
linear in what is learned, never a rescan.

Variables of hole types are *anchored*: they are not generalised, for there is one weight,
and what they meet becomes anchored too.
"""

from __future__ import annotations

import itertools
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from .diagnostics import Diagnostic, Label
from .size_equations import Contradiction, solve_for_examples
from .size_equations import solve as solve_sizes
from .sizes import (
    Quotient,
    Size,
    SizeVariable,
    as_size,
    normal,
)
from .source import Span
from .types import (
    UNIT,
    Array,
    Fin,
    Function,
    Linear,
    Named,
    Origin,
    Product,
    Scalar,
    Type,
    Typed,
    TypeVariable,
    Weights,
)

if TYPE_CHECKING:
    from .constraints import Constraint


@dataclass(frozen=True)
class OpenArrow(Typed):
    """A function or a linear map, not yet known which: something that was applied or
    composed. It is a function where nothing says otherwise."""

    domain: Type
    codomain: Type
    identity: int = 0


AnyArrow: TypeAlias = Function | Linear | OpenArrow


class Weighted(NamedTuple):
    """Whose weights a variable belongs to: `the hole `?W`` of the definition `cell`, and
    where it is written."""

    definition: str
    what: str
    span: Span | None = None


class Clash(Exception):
    """Two types that cannot be one. `kind` says why; who called knows the place.

    kind: types, sizes, representations, arity, infinite, function, escape, length,
    negative, scalar, linear
    """

    def __init__(
        self,
        kind: str,
        found: Type | Size,
        wanted: Type | Size,
        text: str = "",
        whose: Weighted | None = None,
    ) -> None:
        super().__init__(kind)
        self.whose = whose
        self.kind = kind
        self.found = found
        self.wanted = wanted
        self.text = text
        # the smallest types in which it shows: of sizes, the arrays they are lengths of
        self.types: tuple[Type, Type] | None = None
        if not isinstance(found, Size) and not isinstance(wanted, Size):
            self.types = (found, wanted)

    def within(self, found: Type, wanted: Type, inner: tuple[Type, Type] | None = None) -> None:
        """Where it shows: in these, or in what is inside, unless that is all of them."""
        if self.types is None or self.types == inner:
            self.types = (found, wanted)

    def turned(self) -> None:
        """Found and wanted change places: what a function takes is asked of its user."""
        self.found, self.wanted = self.wanted, self.found
        if self.types is not None:
            self.types = self.types[::-1]


def escape(variable: TypeVariable | SizeVariable | OpenArrow, whose: Weighted) -> Clash:
    """A variable of a signature in the shape of weights."""
    runtime = isinstance(variable, SizeVariable) and variable.runtime
    name = "" if isinstance(variable, OpenArrow) else variable.name
    return Clash("length" if runtime else "escape", UNIT, UNIT, name, whose)


class Mistake(Exception):
    """A finished diagnostic on its way to the definition it belongs to, and others of it."""

    def __init__(self, diagnostic: Diagnostic, *others: Diagnostic) -> None:
        super().__init__(diagnostic.title)
        self.diagnostic = diagnostic
        self.others = others


class Elsewhere(Mistake):
    """A mistake that shows in another definition, `owner`, and is made by what is settled
    here. `there` is how that one would tell it."""

    def __init__(self, there: Diagnostic, place: Origin, owner: str) -> None:
        self.there, self.owner = there, owner
        if place.span != there.primary.span:
            label = Label(there.primary.span, there.primary.text or there.title)
            there = replace(
                there,
                primary=Label(place.span, f"used so here, `{owner}` does not check"),
                secondary=(label, *there.secondary),
            )
        super().__init__(there)


class AlreadyTold(Mistake):
    """What cannot be checked because a declaration that it uses is wrong, and told so."""


def has_quotient(size: Size) -> bool:
    return any(isinstance(atom, Quotient) for monomial, _ in size.terms for atom in monomial)


class Solver:
    """What is known so far. One solver serves all definitions of a session."""

    def __init__(self) -> None:
        self.counter = itertools.count(1)
        self.types: dict[int, Type] = {}
        self.sizes: dict[int, Size] = {}
        self.kinds: dict[int, bool] = {}  # of open arrows: is it linear?
        self.anchored: dict[int, Weighted] = {}  # to whose weights they belong
        self.scalars: set[int] = set()  # type variables known to have no axes
        self.size_origins: dict[int, Origin] = {}  # where a size was settled
        self.size_types: dict[int, Type] = {}  # … by which type
        self._arrays: tuple[Array | Fin, Array | Fin] | None = None  # whose sizes are unified
        self.carriers: dict[str, Type] = {}  # of representations
        self.bases: dict[str, str] = {}  # base functors, with the data types they are of
        # The types of all weights of a definition; None while it is not known.
        self.weights_of: Callable[[str], Sequence[Type] | None] = lambda _name: None
        self.parametric: dict[str, int] = {}  # data types, with their number of parameters
        self.contents: dict[str, tuple[Type, ...]] = {}  # of those, of what fields are
        self.literals: dict[int, tuple[Origin, float | int]] = {}
        self.literals_settled: dict[int, Origin] = {}  # where it was told what a number is
        # By variable and by sequence: a constraint waits once for each variable, and stands
        # in the queue once, however many of its variables are bound.
        self.waiting: dict[int, dict[int, Constraint]] = {}
        self.queue: OrderedDict[int, Constraint] = OrderedDict()
        self.several: set[int] = set()  # lengths: at each node of a tree another may be meant
        self.unproven = 0  # how often sizes were taken as equal that may not be (decision 57) …
        self.doubted: set[Span] = set()  # … and where a constraint did so
        self.same_axes: dict[tuple[Type, Type], Type] = {}  # the one shape of `bools a`
        self.classes: set[tuple[str, int]] = set()  # known to be waited for already
        self.pending: dict[int, Constraint] = {}  # by sequence number: all that is undecided
        self.place: Origin | None = None  # what is being elaborated: blamed for bindings
        self.owner = ""  # the definition being elaborated
        self.horizon = 0  # variables below belong to definitions before this one …
        self.touched = False  # … and it has settled one of them
        self._trail: list[tuple[dict[int, object], int]] | None = None

    # --- variables ---------------------------------------------------------------------

    def fresh(self, name: str = "a", origin: Origin | None = None) -> TypeVariable:
        return TypeVariable(name, next(self.counter), True, origin=origin)

    def fresh_size(self, name: str = "n", *, runtime: bool = False) -> Size:
        return as_size(SizeVariable(name, next(self.counter), True, runtime))

    def inside_size(self, name: str, runtime: bool) -> Size:
        """A size that a type inside a program names: an unknown. But that of `[t]` is known
        only at run time, as in a signature: no use settles it."""
        made = SizeVariable(name, next(self.counter), not runtime, runtime)
        if runtime:
            self.several.add(made.identity)
        return as_size(made)

    def fresh_scalar(self, name: str = "s", origin: Origin | None = None) -> TypeVariable:
        variable = self.fresh(name, origin)
        self.scalars.add(variable.identity)
        return variable

    def open_arrow(self, domain: Type, codomain: Type, origin: Origin | None = None) -> Type:
        """A function or a linear map: which, is found out. It is no `Type` of types.py and
        never leaves inference (`closed`)."""
        return cast(Type, OpenArrow(domain, codomain, next(self.counter), origin=origin))

    # --- looking --------------------------------------------------------------------------

    def resolve(self, type_: Type) -> Type:
        """The type with its head known, as far as it is: links are followed."""
        while True:
            if isinstance(type_, TypeVariable):
                if not type_.open:
                    return type_
                bound = self.types.get(type_.identity)
                if bound is None:
                    return type_
                if isinstance(bound, TypeVariable) and self._trail is None:
                    further = self.types.get(bound.identity)  # shorten the chain
                    if further is not None:
                        self.types[type_.identity] = bound = further
                type_ = bound
            elif isinstance(type_, OpenArrow):
                linear = self.kinds.get(type_.identity)
                if linear is None:
                    return type_
                arrow = Linear if linear else Function
                return arrow(type_.domain, type_.codomain, origin=type_.origin)
            else:
                return type_

    def spine(self, type_: Type) -> tuple[list[Size], Type]:
        """The axes of an array from the outermost inwards, and what it is an array of."""
        axes: list[Size] = []
        type_ = self.resolve(type_)
        while isinstance(type_, Array):
            axes.append(type_.length)
            type_ = self.resolve(type_.element)
        return axes, type_

    def is_open(self, type_: Type) -> bool:
        """Nothing is known of it, not even that it is a scalar."""
        type_ = self.resolve(type_)
        if isinstance(type_, OpenArrow):
            return True
        return isinstance(type_, TypeVariable) and type_.identity not in self.scalars

    def is_scalar(self, type_: Type) -> bool:
        type_ = self.resolve(type_)
        if isinstance(type_, TypeVariable):
            return type_.identity in self.scalars
        return isinstance(type_, Scalar | Fin)

    def size(self, size: Size) -> Size:
        """The size with all that is known put in."""
        while True:
            if len(size.terms) < 2:  # the usual: a number, or one variable
                lone = size.lone_variable
                if lone is None and size.value is not None:
                    return size
                if lone is not None:
                    found = self.sizes.get(lone.identity) if lone.open else None
                    if found is None:
                        return size
                    size = found
                    continue
            known = {
                variable: self.sizes[variable.identity]
                for variable in size.variables()
                if variable.open and variable.identity in self.sizes
            }
            if not known:
                return size
            size = size.substitute(known)

    def zonk(self, type_: Type, *, close: bool = False) -> Type:
        """The type with all that is known put in, everywhere. Nodes that stay as they were
        are the same objects; with `close`, an arrow of unknown kind is a function."""
        type_ = self.resolve(type_)
        match type_:
            case Array(element, length):
                inner, size = self.zonk(element, close=close), self.size(length)
                if inner is element and size is length:
                    return type_
                return Array(inner, size, origin=type_.origin)
            case Product(items):
                made = tuple([self.zonk(item, close=close) for item in items])
                if all(map(operator.is_, made, items)):
                    return type_
                return Product(made, origin=type_.origin)
            case Function(domain, codomain) | Linear(domain, codomain):
                left, right = self.zonk(domain, close=close), self.zonk(codomain, close=close)
                if left is domain and right is codomain:
                    return type_
                return type(type_)(left, right, origin=type_.origin)
            case OpenArrow():
                left = self.zonk(type_.domain, close=close)
                right = self.zonk(type_.codomain, close=close)
                if close:
                    return Function(left, right, origin=type_.origin)
                return cast(Type, OpenArrow(left, right, type_.identity, origin=type_.origin))
            case Named(name, arguments) if arguments:
                made = tuple([self.zonk(item, close=close) for item in arguments])
                if all(map(operator.is_, made, arguments)):
                    return type_
                return Named(name, made, origin=type_.origin)
            case Fin(size):
                return Fin(self.size(size), origin=type_.origin)
            case _:
                return type_

    def closed(self, type_: Type) -> Type:
        """The type as the world outside inference knows types: no arrow of unknown kind."""
        return self.zonk(type_, close=True)

    def settled_through(self, size: Size) -> Iterator[int]:
        """The variables whose settling made this size what it is, as written."""
        for variable in size.variables():
            if variable.open and variable.identity in self.sizes:
                yield variable.identity
                yield from self.settled_through(self.sizes[variable.identity])

    def variables(self, type_: Type) -> Iterator[TypeVariable | SizeVariable | OpenArrow]:
        """All variables that occur in a type, in order of writing; bound ones are followed."""
        type_ = self.resolve(type_)
        match type_:
            case TypeVariable():
                yield type_
            case Array():
                axes, tail = self.spine(type_)  # `a[n,m]`: the element is written first
                yield from self.variables(tail)
                for length in axes:
                    yield from self.size(length).written_variables()
            case Product():
                for item in type_.items:
                    yield from self.variables(item)
            case Function() | Linear():
                yield from self.variables(type_.domain)
                yield from self.variables(type_.codomain)
            case OpenArrow():
                yield type_
                yield from self.variables(type_.domain)
                yield from self.variables(type_.codomain)
            case Named():
                for item in type_.arguments:
                    yield from self.variables(item)
            case Fin():
                yield from self.size(type_.size).written_variables()
            case _:
                return

    # --- binding -----------------------------------------------------------------------------

    def _set(self, table: dict[int, object], identity: int, value: object) -> None:
        if identity < self.horizon:
            self.touched = True
        if self._trail is not None:
            self._trail.append((table, identity))
        table[identity] = value

    @contextmanager
    def speculation(self) -> Iterator[None]:
        """Whatever is unified inside is forgotten afterwards; nothing waiting is tried."""
        saved, self._trail = self._trail, []
        queue, self.queue = self.queue, OrderedDict()
        waiting, self.waiting = self.waiting, {}
        anchored, scalars = dict(self.anchored), set(self.scalars)
        try:
            yield
        finally:
            for table, identity in reversed(self._trail):
                del table[identity]
            self._trail, self.queue, self.waiting = saved, queue, waiting
            self.anchored, self.scalars = anchored, scalars

    def anchor(self, type_: Type, whose: Weighted) -> None:
        """The variables of this type belong to weights: there is one value for each."""
        for variable in list(self.variables(type_)):
            if variable_is_open(variable):
                self.anchored.setdefault(variable.identity, whose)

    def anchor_size(self, size: Size, whose: Weighted) -> None:
        for variable in self.size(size).variables():
            if variable.open:
                self.anchored.setdefault(variable.identity, whose)

    def _bind(self, variable: TypeVariable, type_: Type) -> None:
        whose = self.anchored.get(variable.identity)
        for inner in self.variables(type_):
            if inner.identity == variable.identity and isinstance(inner, TypeVariable):
                if inner.open:
                    raise Clash("infinite", variable, type_)
                continue
            if whose is not None:
                if not variable_is_open(inner):
                    raise escape(inner, whose)
                self.anchored.setdefault(inner.identity, whose)
        if variable.identity in self.scalars:
            if isinstance(type_, TypeVariable) and type_.open:
                if type_.identity not in self.scalars:
                    self.scalars.add(type_.identity)
                    self.wake(type_.identity)
            elif not isinstance(type_, Scalar | Fin | TypeVariable):
                raise Clash("scalar", variable, type_)
        if variable.identity in self.literals and isinstance(type_, TypeVariable):
            self.literals.setdefault(type_.identity, self.literals[variable.identity])
        if variable.identity in self.literals and self.place is not None:
            self.literals_settled[variable.identity] = self.place
        self._set(self.types, variable.identity, type_)  # type: ignore[arg-type]
        self.wake(variable.identity)

    def bind_size(self, variable: SizeVariable, size: Size) -> None:
        """Settle an open size. Raises Clash where it may not be that."""
        if variable.identity in self.anchored:
            whose = self.anchored[variable.identity]
            for inner in self.size(size).variables():
                if inner.open:
                    self.anchored.setdefault(inner.identity, whose)
                else:
                    raise escape(inner, whose)
        value = size.value
        if value is not None and value < 0:
            raise Clash("negative", size, as_size(variable))
        if self._arrays is not None:
            left, right = self._arrays
            mine = left.length if isinstance(left, Array) else left.size
            by = right if variable in self.size(mine).variables() else left
            if by.origin is not None:
                self._set(self.size_types, variable.identity, by)  # type: ignore[arg-type]
        self._set(self.sizes, variable.identity, size)  # type: ignore[arg-type]
        if self.place is not None:
            self.size_origins[variable.identity] = Origin(self.place.span, self.owner)
        self.wake(variable.identity)

    def set_kind(self, arrow: OpenArrow, linear: bool) -> None:
        self._set(self.kinds, arrow.identity, linear)  # type: ignore[arg-type]
        self.wake(arrow.identity)

    # --- unification ----------------------------------------------------------------------------

    def unify(self, found: Type, wanted: Type) -> None:
        """Make two types one, or raise Clash at the innermost place where they differ.

        A linear map is accepted where a function is wanted, not the other way round.
        """
        found, wanted = self.resolve(found), self.resolve(wanted)
        if found is wanted:
            return
        match found, wanted:
            case TypeVariable(open=True), TypeVariable(open=True):
                if found.identity == wanted.identity:
                    return
                # the older one stays, so that a long sum wakes nothing again and again
                if found.identity < wanted.identity:
                    self._bind(wanted, found)
                else:
                    self._bind(found, wanted)
            case TypeVariable(open=True), _:
                self._bind(found, wanted)
            case _, TypeVariable(open=True):
                self._bind(wanted, found)
            case TypeVariable(), TypeVariable() if found.identity == wanted.identity:
                return
            case Scalar(), Scalar() if found.name == wanted.name:
                return
            case Fin(), Fin():
                self._unify_lengths(found, found.size, wanted, wanted.size)
            case Array(), Array():
                try:
                    self.unify(found.element, wanted.element)
                except Clash as clash:
                    inner = self.resolve(found.element), self.resolve(wanted.element)
                    clash.within(found, wanted, inner)
                    raise
                self._unify_lengths(found, found.length, wanted, wanted.length)
            case Product(), Product():
                if len(found.items) != len(wanted.items):
                    raise Clash("arity", found, wanted)
                for left, right in zip(found.items, wanted.items, strict=True):
                    self.unify(left, right)
            case Named(), Named():
                if found.name != wanted.name or len(found.arguments) != len(wanted.arguments):
                    raise Clash("representations", found, wanted)
                for left, right in zip(found.arguments, wanted.arguments, strict=True):
                    self.unify(left, right)
            case Weights(), Weights() if found.name == wanted.name:
                return
            case ((Function() | Linear() | OpenArrow()), (Function() | Linear() | OpenArrow())):
                self._unify_arrows(found, wanted)
            case (Named(), _) | (_, Named()):
                raise Clash("representations", found, wanted)
            case _:
                raise Clash("types", found, wanted)

    def _unify_arrows(self, found: AnyArrow, wanted: AnyArrow) -> None:
        if isinstance(found, OpenArrow):
            if isinstance(wanted, OpenArrow):
                if found.identity == wanted.identity:
                    return
                # two of unknown kind: nothing ties them but use, and a function is accepted
            elif isinstance(wanted, Linear):
                self.set_kind(found, True)
        elif isinstance(wanted, OpenArrow):
            self.set_kind(wanted, isinstance(found, Linear))
        elif isinstance(wanted, Linear) and isinstance(found, Function):
            raise Clash("linear", found, wanted)
        try:
            self.unify(wanted.domain, found.domain)
        except Clash as clash:
            clash.turned()
            raise
        self.unify(found.codomain, wanted.codomain)

    def _unify_lengths(
        self, found: Array | Fin, one: Size, wanted: Array | Fin, other: Size
    ) -> None:
        if one is other or one == other:
            return
        outer, self._arrays = self._arrays, (found, wanted)
        try:
            self.unify_size(one, other)
        except Clash as clash:
            clash.within(found, wanted)
            raise
        finally:
            self._arrays = outer

    def unify_size(self, found: Size, wanted: Size) -> bool:
        """Make two sizes one; False where that has to wait (and then it waits)."""
        if found is wanted or found == wanted:
            return True
        answer = self.equate(found, wanted)
        if answer is None:
            from .counting import SizeEqual

            self.add(SizeEqual(left=found, right=wanted))
            self.unproven += 1
        return answer is not None

    def equate(self, written: Size, asked: Size) -> bool | None:
        """True: settled. None: it has to wait. Raises Clash.

        The clash has the sizes as they were written, so that it can be told which
        definition settled their variables.
        """
        found, wanted = self.size(written), self.size(asked)
        difference = found - wanted
        if not difference.terms:
            return True
        variables = difference.variables()
        fallen = (variable for variable in found.variables() if variable not in variables)
        if any(variable.identity in self.several for variable in fallen):
            self.unproven += 1
            return True  # `[x] ++ xs ++ ys`, of the results at three nodes: nothing follows
        if difference.value is not None:
            raise Clash("sizes", written, asked)
        opened = [variable for variable in variables if variable.open]
        if not opened:
            if any(variable.runtime for variable in variables):
                self.unproven += 1
                return True  # lengths: checked once they are known
            if has_quotient(difference):
                return None
            raise Clash("sizes", written, asked)
        if self._alias(found, asked, wanted) or self._alias(wanted, written, found):
            return True
        solution = solve_sizes(found, wanted)
        if isinstance(solution, Contradiction):
            raise Clash("sizes", written, asked, solution.reason)
        if solution is None:
            solution = solve_for_examples(found, wanted)
        if solution is None:
            return None
        variable, size = solution
        if self._may_be_any(variable, size):
            return None
        if size.value is not None and size.value < 0:
            raise Clash("negative", written, asked)
        if len(opened) > 1 and any(factor < 0 for _, factor in size.terms):
            return None  # n + m = 5 says nothing of n alone
        if any(f < 0 and any(v.runtime for v in normal({m: f}).variables()) for m, f in size.terms):
            return None  # nor n + m = 5 of m, where n is a length that may be any
        self.bind_size(variable, size)
        return True

    def _may_be_any(self, variable: SizeVariable, size: Size) -> bool:
        """A size of weights is not settled by a length that only running tells: it waits for
        another use of them."""
        if variable.identity not in self.anchored:
            return False
        return any(inner.identity in self.several for inner in size.variables())

    def _alias(self, side: Size, written: Size, other: Size) -> bool:
        """Bind a lone open variable to the other side as it was written, so that it can
        be told which definition settled it. Of two variables the newer one goes, but
        that a length is known only at run time is not forgotten."""
        variable = side.lone_variable
        if variable is None or not variable.open or variable in other.variables():
            return False
        if self._may_be_any(variable, other):
            return False
        opposite = other.lone_variable
        if (
            opposite is not None
            and opposite.open
            and (not opposite.runtime, opposite.identity)
            > (not variable.runtime, variable.identity)
        ):
            return False
        if other.value is None and any(factor < 0 for _, factor in other.terms):
            return False
        self.bind_size(variable, written)
        return True

    # --- what waits ---------------------------------------------------------------------------

    def add(self, constraint: Constraint) -> None:
        """Take in a constraint; it is tried when the queue is next drained."""
        constraint.sequence = next(self.counter)
        if not constraint.owner:
            constraint.owner = self.owner
        if constraint.place is None:
            constraint.place = self.place
        self.pending[constraint.sequence] = constraint
        self.queue[constraint.sequence] = constraint

    def wake(self, identity: int) -> None:
        waiting = self.waiting.pop(identity, None)
        if waiting:
            self.queue.update(waiting)

    def drain(self) -> None:
        """Try all that may have become decidable, to a fixed point. Raises Mistake."""
        while self.queue:
            _, constraint = self.queue.popitem(last=False)
            if constraint.sequence not in self.pending:
                continue
            place = self.place
            if constraint.owner == self.owner:
                self.place = constraint.place
            proven = self.unproven
            try:
                settled = constraint.attempt(self)
                if settled and self.unproven != proven and constraint.place is not None:
                    self.doubted.add(constraint.place.span)
            except Mistake as mistake:
                if constraint.owner in ("", self.owner) or place is None:
                    raise
                raise Elsewhere(mistake.diagnostic, place, constraint.owner) from None
            finally:
                self.place = place
            if settled:
                self.pending.pop(constraint.sequence, None)
            else:
                self.wait(constraint)

    def wait(self, constraint: Constraint) -> None:
        for identity in constraint.blockers(self):
            self.waiting.setdefault(identity, {})[constraint.sequence] = constraint

    def drop(self, constraint: Constraint) -> None:
        self.pending.pop(constraint.sequence, None)


def variable_is_open(variable: TypeVariable | SizeVariable | OpenArrow) -> bool:
    return isinstance(variable, OpenArrow) or variable.open
