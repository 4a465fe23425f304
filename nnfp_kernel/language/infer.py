"""Inference: the cells of a session → a checked, typed program.

    infer(cells, builtins, library=…)   everything that stands, newest cell first in rank
    type_of_expression(checked, text)   the type of an expression; settles nothing
    show_type(definition)               a type as the language prints it

Types are a function of the definitions that stand now: every call infers the session's own
definitions anew (the library once), so that no history of cells is left in them. The steps:

    1  collect what stands: the newest definition and declaration of each name (standing.py)
    2  sort definitions by use, those of newer cells first; refuse recursion (order.py)
    3  elaborate each (definition.py), solving what is forced, and generalise (generalise.py)
    4  settle what is still open by the defaults of the language
    5  put everything in (finish.py)

A definition with a mistake is left out and the rest is done again without it, so that one
mistake is told once.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from . import syntax, type_mistakes, typed
from .blanks import Known, opened, what_fits
from .collector import uncollected
from .constraints import Constraint
from .declarations import Declarations, Reader, rigid_reader
from .declare import declare, mentions_function
from .definition import Elaborated, as_family, constant_type, elaborate_definition
from .diagnostics import Diagnostic, Label, NnfpError
from .elaborate import Elaborator
from .elaboration import Entry
from .finish import Finisher, renamed
from .generalise import generalise, settle_all
from .lifting import Lift, MatMul
from .order import sorted_by_use
from .parser import parse_expression
from .schemes import Polytype, as_scheme, named_in_order
from .signatures import BuiltinRecord, read_signature
from .sizes import Size, SizeVariable
from .solve import Elsewhere, Mistake, OpenArrow, Solver, Weighted
from .source import Span
from .standing import Loader, Standing, StandingDefinition, collect
from .telling import did_you_mean, nearest, plain, shown, shown_together, start_of
from .types import (
    Array,
    Function,
    Linear,
    Named,
    Origin,
    Product,
    Scheme,
    Type,
    TypeVariable,
    free_variables,
    show,
    show_scheme,
    substitute,
)
from .uses import label_occurrences, uses_of
from .weighing import weights_of

_RESTARTS = 12  # mistakes after which a session is not done again from the start


@dataclass(frozen=True)
class CheckedExpression:
    """An expression item: where it stands among the items of its cell, and its tree."""

    index: int
    tree: typed.Expression
    draws: bool
    item: syntax.ExpressionItem


@dataclass(frozen=True)
class Checked:
    """A session after inference. `diagnostics` are the mistakes of the newest cell; while
    there are any, nothing else in here is to be used."""

    definitions: Mapping[str, typed.Definition] = field(default_factory=dict)
    reps: Mapping[str, typed.RepDeclaration] = field(default_factory=dict)
    data: Mapping[str, typed.DataDeclaration] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    expressions: tuple[CheckedExpression, ...] = ()
    notes: tuple[Diagnostic, ...] = ()
    broken: Mapping[str, Diagnostic] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    declarations: Declarations = field(default_factory=Declarations, repr=False)
    entries: Mapping[str, Entry] = field(default_factory=dict, repr=False)
    builtins: Mapping[str, BuiltinRecord] = field(default_factory=dict, repr=False)
    externals: Mapping[str, Type] = field(default_factory=dict, repr=False)
    next_identity: int = 1
    unsettled: frozenset[int] = frozenset()  # variables of weights that are still open


@uncollected
def infer(
    cells: Sequence[syntax.Program],
    builtins: Mapping[str, BuiltinRecord],
    *,
    library: Checked | None = None,
    externals: Mapping[str, Type] | None = None,
    loader: Loader | None = None,
) -> Checked:
    """Check a session: its cells from the oldest to the newest.

    >>> from nnfp_kernel.language.parser import parse
    >>> checked = infer([parse("pair x = (x, x)").program], {})
    >>> show_type(checked.definitions["pair"])
    'a -> (a, a)'

    Mistakes in the newest cell are in `diagnostics`; definitions of older cells that no
    longer check are in `broken`.
    """
    return _Session(cells, builtins, library or Checked(), externals or {}, loader).check()


def below(checked: Checked, touched: Set[str], own: Set[str]) -> Checked:
    """What stands, without the definitions `touched`, as the library of a new cell: all but
    those are then inferred no more. `own` are the session's definitions, not the library's."""
    definitions = {k: v for k, v in checked.definitions.items() if k not in touched}
    return replace(
        checked,
        definitions=definitions,
        entries={k: v for k, v in checked.entries.items() if k not in touched},
        expressions=(),
        notes=(),
        unsettled=_unsettled(definitions[name] for name in own - touched),
    )


def show_type(definition: typed.Definition) -> str:
    """A definition's type as the language prints it: `[Word] ~> Thought`."""
    return show_scheme(definition.scheme, definition.learns)


def type_of_expression(checked: Checked, text: str) -> str:
    """The type of an expression in a session, as the language prints it. Settles nothing.

    >>> from nnfp_kernel.language.parser import parse
    >>> checked = infer([parse("pair x = (x, x)").program], {})
    >>> type_of_expression(checked, "pair (pair 1)")
    '((R, R), (R, R))'

    Raises NnfpError for an expression that does not check.
    """
    tree = parse_expression(text)
    session = _Session((), checked.builtins, checked, checked.externals, None)
    try:
        scheme, learns = session.scheme_of(tree)
    except Mistake as mistake:
        raise NnfpError((mistake.diagnostic, *mistake.others)) from None
    return show_scheme(scheme, learns)


class _Restart(Exception):
    """A definition turned out wrong after it had touched others: do all again without it."""


class _Session:
    def __init__(
        self,
        cells: Sequence[syntax.Program],
        builtins: Mapping[str, BuiltinRecord],
        library: Checked,
        externals: Mapping[str, Type],
        loader: Loader | None,
    ) -> None:
        self.builtins = builtins
        self.library = library
        self.externals = externals
        self.standing: Standing = collect(cells, loader)
        self.diagnostics: list[Diagnostic] = list(self.standing.diagnostics)
        identities = itertools.count(library.next_identity)
        declared = declare(
            self.standing.declarations, library.declarations, lambda: next(identities)
        )
        self.declarations = declared.declarations
        self.diagnostics += declared.diagnostics
        self.broken: dict[str, Diagnostic] = declared.broken
        self.first_identity = next(identities)
        self.wrong: set[str] = set()  # definitions that are left out
        self.urgent: set[str] = set()  # to be inferred before older ones that it met
        self.notes: list[Diagnostic] = []
        self.begin()

    def begin(self) -> None:
        """A solver that knows nothing."""
        self.solver = Solver()
        self.solver.counter = itertools.count(self.first_identity)
        self.solver.anchored = dict.fromkeys(
            self.library.unsettled, Weighted("", "weights of the session")
        )
        self.solver.carriers = {
            name: declaration.carrier for name, declaration in self.declarations.reps.items()
        }
        for name, data in self.declarations.data.items():
            self.solver.parametric[name] = len(data.parameters)
            fields = [field for _, own in data.constructors for field in own]
            payload = dict.fromkeys(data.parameters, Product(()))  # counted where it is applied
            self.solver.contents[name] = tuple(substitute(f, payload, {}) for f in fields)
            if data.base_of:
                self.solver.bases[name] = data.base_of
        self.solver.weights_of = self._weights_of
        self.entries: dict[str, Entry] = {}
        self.done: dict[str, Elaborated] = {}
        self.taken: dict[str, list[Constraint]] = {}  # defaults, by definition
        self.settlers: list[str] = []  # definitions that settled weights of others
        for name in self.wrong:
            self._leave_out(name)

    # --- the world of an elaborator -------------------------------------------------------

    def entry(self, name: str, span: Span) -> Entry | None:
        found = self.entries.get(name)
        if found is not None:
            return found
        if name in self.broken:
            raise Mistake(
                plain(
                    "broken-definition",
                    f"`{name}` no longer checks",
                    span,
                    "used here, and refused until it is mended",
                    secondary=[Label(self.broken[name].primary.span, self.broken[name].title)],
                )
            )
        return self.library.entries.get(name)

    def is_family(self, name: str) -> bool:
        entry = self.entries.get(name) or self.library.entries.get(name)
        return entry is not None and entry.brackets is not None

    def names(self) -> list[str]:
        return [
            *self.standing.definitions, *self.library.entries, *self.builtins, *self.externals,
            *self.declarations.sizes,
        ]  # fmt: skip

    def weight(self, parts: tuple[str, ...], span: Span) -> Type:
        """The type of the weight at a path."""
        entry = self.entry(parts[0], span)
        if entry is None:
            near = nearest(parts[0], [name for name, known in self.entries.items() if known.holes])
            head = start_of(span, parts[0])
            raise Mistake(
                plain(
                    "unknown-weight",
                    f"there is no definition `{parts[0]}`",
                    head,
                    "not a definition",
                    notes=did_you_mean(near, ["`cell.W` is the weight `?W` of `cell`."]),
                    better=(head, near) if near else None,
                )
            )
        if entry.failed:
            return self.solver.fresh("a", Origin(span))
        found = self._weight_below(entry, parts[1:])
        if found is not None:
            return found
        near = nearest(parts[-1], entry.holes)
        listed = ", ".join(f"`{parts[0]}.{name}`" for name in entry.holes)
        raise Mistake(
            plain(
                "unknown-weight",
                f"there is no weight `{'.'.join(parts)}`",
                span,
                "not there",
                notes=[
                    *([f"`{parts[0]}` has {listed}."] if listed else []),
                    *did_you_mean(".".join([*parts[:-1], near]) if near else None),
                ],
                better=(span, ".".join([*parts[:-1], near])) if near else None,
            )
        )

    def _weight_below(self, entry: Entry, parts: Sequence[str]) -> Type | None:
        """`W`, or `dense.W` of an occurrence inside; through as many as there are."""
        if len(parts) == 1:
            return entry.holes.get(parts[0])
        done = self.done.get(entry.name)
        body = done.body if done is not None else None
        if body is None and entry.name in self.library.definitions:
            body = self.library.definitions[entry.name].body
        for label, inner, count in _labelled(body) if body is not None else ():
            target = self.entries.get(inner.name) or self.library.entries.get(inner.name)
            if label == parts[0] and target is not None:
                found = self._weight_below(target, parts[1:])
                if found is not None:
                    known = self.solver.closed(found)
                    own = substitute(known, inner.instance.types, inner.instance.sizes)
                    return own if count is None else Array(own, count)
        return None

    def _weights_of(self, name: str) -> Sequence[Type] | None:
        """The types of all weights that a definition reaches, as far as they are known."""
        bodies = {name: done.body for name, done in self.done.items()}
        entries = {**self.library.entries, **self.entries}
        return weights_of(self.solver, name, entries, bodies, self.library.definitions)

    # --- the whole -------------------------------------------------------------------------

    def check(self) -> Checked:
        order = sorted_by_use(self.standing, self._blame)
        while True:
            try:
                self.begin()
                if self.urgent:
                    order = sorted_by_use(self.standing, lambda *_: None, self.urgent)
                for name in order:
                    self._definition(name)
                settle_all(self.solver, 0, self._took, self._did_not_fit)
                self._check_holes()
                break
            except _Restart:
                continue
        self._tell_shadows()
        self._tell_defaults()
        definitions = self._finished()
        expressions = self._expressions()
        self.diagnostics.sort(key=_position)
        return Checked(
            definitions={**self._library_beside(definitions), **definitions},
            reps=self.declarations.reps,
            data=self.declarations.data,
            sizes=self.declarations.sizes,
            expressions=expressions,
            notes=tuple(self.notes),
            broken=self.broken,
            diagnostics=tuple(self.diagnostics),
            declarations=self.declarations,
            entries={**self.library.entries, **self.entries},
            builtins=self.builtins,
            externals=self.externals,
            next_identity=next(self.solver.counter),
            unsettled=self.library.unsettled | _unsettled(definitions.values()),
        )

    def _blame(self, name: str, *diagnostics: Diagnostic) -> None:
        """A definition is wrong: a mistake of the newest cell, or an older one that broke."""
        self.wrong.add(name)
        if self.standing.definitions[name].newest:
            for diagnostic in diagnostics:
                if diagnostic not in self.diagnostics:  # that of a declaration it uses, maybe
                    self.diagnostics.append(diagnostic)
        else:
            self.broken[name] = diagnostics[0]
        self._leave_out(name)

    def _leave_out(self, name: str) -> None:
        """What a definition with a mistake is to its users: nothing if it is an older one,
        else what its signature says, or anything."""
        self.entries.pop(name, None)
        self.done.pop(name, None)
        if name not in self.broken:
            self.entries[name] = self._stand_in(name)

    def _stand_in(self, name: str) -> Entry:
        standing = self.standing.definitions[name]
        counter = self.solver.counter
        if standing.signature is not None:
            reader, types, sizes = rigid_reader(self.declarations, lambda: next(counter))
            try:
                for bracket in standing.signature.brackets or ():
                    reader.size(syntax.SizeName(bracket))
                brackets = tuple(sizes) if standing.definition.brackets is not None else None
                type_ = reader.read(standing.signature.type)
            except Mistake:
                pass
            else:
                if not standing.definition.parameters:
                    type_ = constant_type(type_, standing.definition.body)
                polytype = Polytype(type_, tuple(types), tuple(sizes))
                return Entry(name, polytype, brackets, failed=True)
        anything = TypeVariable("a", next(counter))
        return Entry(name, Polytype(anything, (anything,)), failed=True)

    def _definition(self, name: str) -> None:
        if name in self.wrong:
            return
        solver = self.solver
        start = next(solver.counter)
        solver.horizon, solver.touched = start, False
        solver.owner = name
        try:
            done = elaborate_definition(self, self.standing.definitions[name])
            polytype = generalise(solver, done.type, done.elaborator, done.types, done.sizes, start)
        except Mistake as mistake:
            touched = solver.touched
            if self._older_settled(name):
                self.urgent.add(name)
                raise _Restart from None
            diagnostic = as_family(mistake.diagnostic, self.standing.definitions[name])
            self._blame(name, diagnostic)
            if touched and len(self.wrong) <= _RESTARTS:
                raise _Restart from None
            for sequence in [s for s in solver.pending if s >= start]:
                del solver.pending[sequence]
            solver.queue.clear()
            return
        if solver.touched:
            self.settlers.append(name)
        self.done[name] = done
        self.entries[name] = Entry(
            name,
            polytype,
            done.brackets,
            learns=bool(done.elaborator.learns),
            draws=bool(done.elaborator.draws),
            linear=done.linear,
            from_library=done.standing.definition.span.source.name.startswith("std/"),
            holes={hole: use.type for hole, use in done.elaborator.holes.items()},
        )

    def _older_settled(self, name: str) -> bool:
        """Whether a definition fails after older ones had settled weights that both use:
        then it is tried before them, for the newer one wins."""
        layers = self.standing.definitions
        return name not in self.urgent and any(
            layers[settler].layer < layers[name].layer for settler in self.settlers
        )

    # --- after all definitions -------------------------------------------------------------

    def _took(self, constraint: Constraint) -> None:
        if isinstance(constraint, Lift | MatMul):
            self.taken.setdefault(constraint.owner, []).append(constraint)

    def _did_not_fit(self, constraint: Constraint, mistake: Mistake) -> None:
        """A default does not fit: the definition is wrong that takes it, or the one in which
        it shows, where that one uses it or is older."""
        taker = constraint.owner
        if isinstance(mistake, Elsewhere) and mistake.owner in self.standing.definitions:
            other, layers = mistake.owner, self.standing.definitions
            older = layers[other].layer < layers[taker].layer
            if other in self.standing.users(taker) or (
                older and taker not in self.standing.users(other)
            ):
                self._wrong_after_all(other, mistake.there)
        self._wrong_after_all(taker, mistake.diagnostic)

    def _wrong_after_all(self, name: str, *diagnostics: Diagnostic) -> None:
        if name in self.wrong or not diagnostics:
            return
        self._blame(name, *diagnostics)
        raise _Restart

    def _check_holes(self) -> None:
        """What can only be seen once everything is settled."""
        for name, done in list(self.done.items()):
            for hole, use in done.elaborator.holes.items():
                problem = self._hole_problem(hole, use.type, use.span)
                if problem is not None:
                    self._wrong_after_all(name, problem)
            if done.elaborator.blanks:
                bound = self.entries[name].polytype
                free = opened(self.solver, bound, (*done.types, *done.sizes))
                self._wrong_after_all(name, *self._blanks(done.elaborator, name, free))

    def _hole_problem(self, hole: str, type_: Type, span: Span) -> Diagnostic | None:
        found = self.solver.closed(type_)
        if mentions_function(found):
            return plain(
                "hole-of-function",
                f"the hole `?{hole}` would be a function",
                span,
                f"it is used as {show(found)}",
                notes=[
                    "A hole is an array of numbers. A learned function is a definition with "
                    "holes, or a layer such as `dense[8]`:"
                ],
                suggestion=f"{hole} x = tanh (?W @ x)",
            )
        if any(isinstance(v, SizeVariable) and v.runtime for v in self.solver.variables(found)):
            return plain(
                "hole-of-sequence",
                f"the hole `?{hole}` would have a length known only at run time",
                span,
                f"it is used as {show(found)}",
                notes=["A weight has one shape."],
            )
        return None

    def _blanks(
        self,
        elaborator: Elaborator,
        inside: str = "",
        opened: Callable[[Type], Type] = lambda type_: type_,
    ) -> list[Diagnostic]:
        """What is told of the blanks `_` in a definition or an expression: of all of them."""
        return [
            what_fits(
                self.solver, span, wanted, scope,
                (known for known in self._known(opened(wanted)) if known.name != inside), opened,
            )
            for span, wanted, scope in elaborator.blanks
        ]  # fmt: skip

    def _known(self, wanted: Type) -> Iterator[Known]:
        for name, entry in self.entries.items():
            if not entry.failed:
                yield Known(name, entry.polytype, entry.learns, entry.from_library)
        if isinstance(self.solver.resolve(wanted), TypeVariable):
            return  # all of the library would fit
        for name, entry in self.library.entries.items():
            if name not in self.entries:
                yield Known(name, entry.polytype, entry.learns, True)
        for name, record in self.builtins.items():
            if name[:1].isalpha() and name not in self.entries:
                yield Known(name, read_signature(record.type, record.brackets)[0], library=True)

    # --- what is told beside the types ------------------------------------------------------

    def _tell_shadows(self) -> None:
        for name, standing in self.standing.definitions.items():
            if not standing.newest:
                continue
            done = self.done.get(name)
            first: dict[str, Span] = {}
            for size, span in done.declared_sizes if done is not None else ():
                first.setdefault(size, span)
            for size, span in first.items():
                value = self.declarations.sizes[size]
                note = plain(
                    "size-declared", f"`{size}` is the declared size {value} here", span,
                    severity="note",
                )  # fmt: skip
                if note not in self.notes:
                    self.notes.append(note)
            if name in self.library.entries or name in self.builtins:
                what = "the library's" if name in self.library.entries else "the built-in"
                self.notes.append(
                    plain(
                        "shadowed",
                        f"`{name}` takes the place of {what} `{name}`",
                        standing.definition.span,
                        severity="note",
                    )
                )

    def _tell_defaults(self) -> None:
        """One note for every definition of the newest cell in which a default was taken."""
        for owner, constraints in self.taken.items():
            standing = self.standing.definitions.get(owner)
            if standing is None or not standing.newest or owner in self.wrong:
                continue
            operands: list[Type] = []
            operators: list[str] = []
            for constraint in constraints:
                if isinstance(constraint, Lift | MatMul):
                    operands += [constraint.left, constraint.right]
                    operators.append(getattr(constraint, "operator", "@"))
            shown = shown_together(self.solver, operands)
            said = [
                f"{left} {operator} {right}"
                for left, operator, right in zip(shown[::2], operators, shown[1::2], strict=True)
            ]
            place = constraints[0].place
            assert place is not None
            self.notes.append(
                plain(
                    "default-taken",
                    f"shapes taken by default in `{owner}`: {', '.join(said)}",
                    place.span,
                    severity="note",
                )
            )

    # --- finishing -----------------------------------------------------------------------------

    def _finished(self) -> dict[str, typed.Definition]:
        made: dict[str, typed.Definition] = {}
        for name, done in list(self.done.items()):
            definition, problems = self._finish(done, self.entries[name])
            if problems:
                self._blame(name, problems[0])
            else:
                made[name] = definition
        return made

    def _finish(self, done: Elaborated, entry: Entry) -> tuple[typed.Definition, list[Diagnostic]]:
        problems: list[Diagnostic] = []
        finisher = self._finisher(problems)
        body = finisher.expression(done.body)
        entry.polytype = replace(entry.polytype, type=finisher.type(entry.polytype.type))
        holes = done.elaborator.holes
        entry.holes = {hole: finisher.type(use.type) for hole, use in holes.items()}
        definition = done.standing.definition
        return (
            typed.Definition(
                definition.name,
                as_scheme(self.solver, entry.polytype),
                entry.brackets,
                tuple(
                    typed.HoleSpec(
                        hole,
                        entry.holes[hole],
                        done.initialisers.get(hole)
                        or _first_value(hole, entry.holes[hole], done.standing),
                        span=use.span,
                    )
                    for hole, use in holes.items()
                ),
                body,
                entry.learns,
                entry.draws,
                done.linear,
                definition.comment,
                span=definition.span,
            ),
            problems,
        )

    def _finisher(self, problems: list[Diagnostic]) -> Finisher:
        solver = self.solver

        def on_kept(type_: Type, node: typed.Node) -> None:
            if isinstance(type_, Named):
                found = f"this would be {shown(solver, type_)}"
                problems.append(type_mistakes.in_data(node.span, found))
            else:
                problems.append(type_mistakes.in_array(solver, type_, node.span))

        return Finisher(solver, on_kept)

    def _library_beside(
        self, definitions: Mapping[str, typed.Definition]
    ) -> Mapping[str, typed.Definition]:
        """The library's definitions. Those that the session shadows get the name
        `std.dense`, for the rest of the library goes on using them."""
        library = self.library.definitions
        shadowed = {name: f"std.{name}" for name in definitions if name in library}
        if not shadowed:
            return library
        return {
            shadowed.get(name, name): replace(
                definition,
                name=shadowed.get(name, name),
                body=renamed(definition.body, shadowed),
            )
            for name, definition in library.items()
        }

    # --- expressions -----------------------------------------------------------------------

    def _reader(self) -> Reader:
        """A reader of types for which an unknown name is an unknown."""
        solver = self.solver
        return Reader(
            self.declarations,
            lambda name, span: solver.fresh(name, Origin(span)),
            lambda name, span, runtime: solver.inside_size(name, runtime),
        )

    def _expressions(self) -> tuple[CheckedExpression, ...]:
        made: list[CheckedExpression] = []
        for index, item in self.standing.expressions:
            expression = item.expression
            name = expression.name if isinstance(expression, syntax.Name) else ""
            if name in self.wrong and name not in self.broken:
                continue  # that it has a mistake is told
            try:
                tree, draws = self._expression(expression)
            except Mistake as mistake:
                for diagnostic in (mistake.diagnostic, *mistake.others):
                    if diagnostic not in self.diagnostics:  # that of a declaration it uses
                        self.diagnostics.append(diagnostic)
                continue
            made.append(CheckedExpression(index, tree, draws, item))
        return tuple(made)

    def _expression(self, expression: syntax.Expression) -> tuple[typed.Expression, bool]:
        """A typed expression. What it settles is forgotten: others do not see it."""
        solver = self.solver
        pending = dict(solver.pending)
        labels = label_occurrences(uses_of(expression), self.is_family)
        elaborator = Elaborator(self, "", self._reader(), expression=expression.span, labels=labels)
        start = next(solver.counter)
        solver.owner = ""
        problems: list[Diagnostic] = []
        with solver.speculation():
            try:
                wanted = solver.fresh("a", Origin(expression.span))
                node = elaborator.expression(expression, wanted, {})
                solver.drain()
                settle_all(solver, start)
                if blanks := self._blanks(elaborator):
                    raise Mistake(*blanks)
                self._name_open(wanted)
                tree = self._finisher(problems).expression(node)
            finally:
                solver.pending = pending
                solver.queue.clear()
        if problems:
            raise Mistake(problems[0])
        return tree, bool(elaborator.draws)

    def _name_open(self, type_: Type) -> None:
        """An expression may be generic: its open types are shown as variables."""
        for number, variable in enumerate(named_in_order(self.solver, type_)[0]):
            if variable.identity not in self.solver.anchored:
                name = "abcdefghijklmnopqrstuvwxyz"[number % 26]
                self.solver.unify(variable, TypeVariable(name, next(self.solver.counter)))

    def scheme_of(self, tree: syntax.Expression) -> tuple[Scheme, bool]:
        """The generalised type of an expression, which may be a function that is generic."""
        solver = self.solver
        elaborator = Elaborator(self, "", self._reader())
        elaborator.whole = tree.span
        start = next(solver.counter)
        wanted = solver.fresh("a", Origin(tree.span))
        elaborator.expression(tree, wanted, {})
        solver.drain()
        if not isinstance(solver.resolve(wanted), Function | Linear | OpenArrow):
            settle_all(solver, start)
        if blanks := self._blanks(elaborator):
            raise Mistake(*blanks)
        polytype = generalise(solver, wanted, elaborator, (), (), start)
        return as_scheme(solver, polytype), bool(elaborator.learns)


# --- small questions ----------------------------------------------------------------------------


def _position(diagnostic: Diagnostic) -> tuple[int, int]:
    return diagnostic.primary.span.line, diagnostic.primary.span.column


def _first_value(hole: str, type_: Type, standing: StandingDefinition) -> typed.Initialiser:
    """The initialiser of a hole that declares none: zeros for a scalar or vector that is
    only added or subtracted."""
    axes = 0
    while isinstance(type_, Array):
        axes, type_ = axes + 1, type_.element
    uses = standing.uses
    only_added = hole in uses.added and hole not in uses.otherwise
    return typed.Initialiser("zeros" if only_added and axes <= 1 else "lecun")


def _unsettled(definitions: Iterable[typed.Definition]) -> frozenset[int]:
    """The variables of weights that are still open."""
    found: set[int] = set()
    for definition in definitions:
        for type_ in (definition.scheme.type, *(hole.type for hole in definition.holes)):
            types, sizes = free_variables(type_)
            found.update(v.identity for v in types if v.open)
            found.update(v.identity for v in sizes if v.open)
    return frozenset(found)


def _labelled(body: typed.Expression) -> Iterator[tuple[str, typed.Global, Size | None]]:
    """The places in a definition that have weights of their own, each with its label; of
    the layers of a stack, how many they are."""
    layers = {
        id(inner): node.count
        for node in typed.nodes(body)
        if isinstance(node, typed.Stack)
        for inner in typed.nodes(node.expression)
    }
    for node in typed.nodes(body):
        if isinstance(node, typed.Global) and node.label is not None:
            yield node.label, node, layers.get(id(node))
        elif (
            isinstance(node, typed.Fresh | typed.Stack)
            and node.label is not None
            and isinstance(node.expression, typed.Global)
        ):
            yield node.label, node.expression, layers.get(id(node.expression))
