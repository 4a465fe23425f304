"""What binds names: functions, `let`, patterns, `case` and `cata`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from . import exhaustive, syntax, type_mistakes, typed
from .diagnostics import Diagnostic, Label
from .elaboration import Scope
from .references import References
from .solve import Mistake, OpenArrow, Solver
from .source import Span
from .telling import (
    came,
    did_you_mean,
    grouped,
    instead,
    listed,
    nearest,
    several,
    shown,
    start_of,
)
from .types import (
    BOOL,
    Array,
    Function,
    Linear,
    Named,
    Product,
    Type,
    TypeVariable,
    gives_linear,
    replace_type,
    substitute,
    with_origin,
)
from .uses import free_names, pattern_names


class Bindings(References):
    """The forms that bind names, and patterns."""

    def _lambda(
        self, tree: syntax.Lambda, wanted: Type, scope: Scope, role: str
    ) -> typed.Expression:
        first, *others = tree.parameters
        if others and id(tree) in self._promised:
            rest = syntax.Lambda(tuple(others), self.promise(tree.body), span=tree.span)
            self._made.append(self.promise(rest))
            return self.function((first,), rest, wanted, scope, tree.span, role)
        return self.function(tree.parameters, tree.body, wanted, scope, tree.span, role)

    def function(
        self,
        parameters: Sequence[syntax.PatternTree],
        body: syntax.Expression,
        wanted: Type,
        scope: Scope,
        span: Span,
        role: str = "",
        *,
        may_be_linear: bool = False,
    ) -> typed.Expression:
        """Nested one-parameter functions; a `-o` is accepted where it will be checked."""
        solver = self.solver
        made: list[tuple[typed.Pattern, Type]] = []
        inner: dict[str, Type] = dict(scope)
        bound: dict[str, Span] = {}  # over all parameters: no name stands for two of them
        type_ = wanted
        for number, parameter in enumerate(parameters):
            arrow = solver.resolve(type_)
            if isinstance(arrow, Linear) and not may_be_linear:
                raise Mistake(
                    type_mistakes.not_linear(
                        solver, Function(arrow.domain, arrow.codomain), self.place(span)
                    )
                )
            if not isinstance(arrow, Function | Linear):
                function = Function(
                    solver.fresh("a", self.place(parameter.span)),
                    solver.fresh("b", self.place(body.span)),
                    origin=self.place(span),
                )
                if not isinstance(arrow, TypeVariable | OpenArrow):
                    raise self._too_many_parameters(number, parameter, wanted, span, role)
                self.fit(function, arrow, span, role)
                arrow = function
            pattern = self._pattern(parameter, arrow.domain, inner, bound)
            exhaustive.must_match(pattern, parameter.span, self.world.declarations)
            made.append((pattern, arrow))
            type_ = arrow.codomain
        node = self.expression(body, type_, inner, "")
        for pattern, arrow_type in reversed(made):
            node = typed.Lambda(pattern, node, arrow_type, span=span)
        return node

    def _too_many_parameters(
        self, number: int, parameter: syntax.PatternTree, wanted: Type, span: Span, role: str
    ) -> Mistake:
        text = shown(self.solver, wanted)
        if number == 0:
            return self.fail(
                "function-for-value",
                "a function stands where a value is expected",
                span,
                f"this has a parameter, and {text} is expected",
                secondary=came(self.solver, wanted, span),
                notes=["A signature has an arrow for every parameter, as in `R[3] -> R`."],
            )
        return self.fail(
            "too-many-parameters",
            "there are more parameters than the type has",
            parameter.span,
            f"{text} takes {several(number, 'argument')}",
            secondary=came(self.solver, wanted, span),
            notes=["A signature has an arrow for every parameter, as in `R -> R -> R`."],
        )

    def pattern(
        self, tree: syntax.PatternTree, type_: Type, scope: dict[str, Type]
    ) -> typed.Pattern:
        """The typed pattern; the names it binds are put into `scope`."""
        bound: dict[str, Span] = {}
        return self._pattern(tree, type_, scope, bound)

    def _pattern(
        self,
        tree: syntax.PatternTree,
        type_: Type,
        scope: dict[str, Type],
        bound: dict[str, Span],
    ) -> typed.Pattern:
        solver, span = self.solver, tree.span
        match tree:
            case syntax.PatternName(name):
                if name in bound:
                    raise self.fail(
                        "duplicate-name",
                        f"`{name}` is bound twice here",
                        span,
                        "the second time",
                        secondary=[Label(bound[name], "the first")],
                    )
                bound[name] = span
                scope[name] = type_
                return typed.BindName(name, type_, span=span)
            case syntax.PatternWildcard():
                return typed.BindNothing(type_, span=span)
            case syntax.PatternNumber(value):
                literal = self._literal(value, type_, span, "the pattern")
                return typed.MatchNumber(value, literal.type, span=span)
            case syntax.PatternTuple(items):
                product = solver.resolve(type_)
                if isinstance(product, Product) and len(product.items) == len(items):
                    types: Sequence[Type] = product.items
                else:
                    types = [solver.fresh("a", self.place(item.span)) for item in items]
                    made = Product(tuple(types), origin=self.place(span))
                    try:
                        self.fit(made, type_, span, "the pattern")
                    except Mistake as mistake:
                        raise Mistake(
                            _all_items(mistake.diagnostic, product, items, span)
                        ) from None
                return typed.MatchTuple(
                    tuple(
                        self._pattern(item, inner, scope, bound)
                        for item, inner in zip(items, types, strict=True)
                    ),
                    type_,
                    span=span,
                )
            case syntax.PatternConstructor(name, arguments):
                return self._constructor_pattern(name, arguments, type_, scope, bound, span)

    def _constructor_pattern(
        self,
        name: str,
        arguments: Sequence[syntax.PatternTree],
        type_: Type,
        scope: dict[str, Type],
        bound: dict[str, Span],
        span: Span,
    ) -> typed.Pattern:
        declarations = self.world.declarations
        declarations.require(name)
        place = self.place(span, f"the pattern {name}")
        if name in ("True", "False") and name not in declarations.constructors:
            if arguments:
                raise self._pattern_arity(name, 0, arguments, span)
            self.fit(with_origin(BOOL, place), type_, span, "the pattern")
            return typed.MatchNumber(name == "True", BOOL, span=span)
        if name in declarations.reps:
            self.fit(Named(name, origin=place), type_, span, "the pattern")
            if len(arguments) != 1:
                raise self._pattern_arity(name, 1, arguments, span)
            carrier = declarations.reps[name].carrier
            inner = self._pattern(arguments[0], carrier, scope, bound)
            return typed.LeaveRep(name, inner, type_, span=span)
        if name not in declarations.constructors:
            self._constructor(name, span)
        fields, whole = self.constructor_type(name, place)
        try:
            self.fit(whole, type_, span, "the pattern")
        except Mistake as mistake:
            raise Mistake(self._its_constructors(mistake.diagnostic, type_)) from None
        if len(arguments) != len(fields):
            raise self._pattern_arity(name, len(fields), arguments, span)
        return typed.MatchConstructor(
            name,
            tuple(
                self._pattern(argument, inner, scope, bound)
                for argument, inner in zip(arguments, fields, strict=True)
            ),
            type_,
            span=span,
        )

    def _pattern_arity(
        self, name: str, wanted: int, arguments: Sequence[syntax.PatternTree], span: Span
    ) -> Mistake:
        taken = [grouped(argument.span.text) for argument in arguments[:wanted]]
        spare = (letter for letter in "abcdefghijkl" if letter not in taken)
        written = " ".join([name, *taken, *(next(spare) for _ in range(wanted - len(taken)))])
        return self.fail(
            "constructor-arity",
            f"`{name}` carries {_count(wanted)}",
            span,
            f"the pattern has {_count(len(arguments))}",
            secondary=self._declared(name),
            notes=["Write:"],
            better=(span, written),
        )

    def _its_constructors(self, told: Diagnostic, type_: Type) -> Diagnostic:
        """A pattern of another type: which constructors this one has."""
        value = self.solver.resolve(type_)
        data = self.world.declarations.data
        if told.code != "type-mismatch" or not isinstance(value, Named) or value.name not in data:
            return told
        names = listed(name for name, _ in data[value.name].constructors)
        return replace(told, notes=(*told.notes, f"The constructors of {value.name}: {names}."))

    def _declared(self, constructor: str) -> list[Label]:
        """Where a constructor, or the representation of this name, is declared; `True` and
        `False` are built in."""
        declarations = self.world.declarations
        if constructor in declarations.reps:
            return [Label(declarations.reps[constructor].span, "declared here")]
        if constructor not in declarations.constructors:
            return []
        of = declarations.data[declarations.constructors[constructor][0]]
        return [Label(of.span, "declared here")]

    def _let(self, tree: syntax.Let, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        inner = dict(scope)
        signatures: dict[str, syntax.LocalSignature] = {}
        bindings: list[syntax.Binding] = []
        for item in tree.bindings:
            if isinstance(item, syntax.LocalSignature):
                if item.name in signatures:
                    raise self.fail(
                        "duplicate-definition",
                        f"`{item.name}` has two signatures here",
                        item.span,
                        "the second",
                    )
                signatures[item.name] = item
            else:
                bindings.append(item)
        order = self._sorted_bindings(bindings)
        made: list[tuple[typed.Pattern, typed.Expression]] = []
        named = {name for binding in bindings for name in pattern_names(binding.pattern)}
        for name, signature in signatures.items():
            if name not in named:
                near = nearest(name, named)
                raise self.fail(
                    "signature-without-definition",
                    f"`{name}` has a signature and no definition",
                    signature.span,
                    "nothing here defines it",
                    notes=did_you_mean(near),
                    better=(start_of(signature.span, name), near) if near else None,
                )
        for binding in order:
            type_: Type = self.solver.fresh("a", self.place(binding.pattern.span))
            if isinstance(binding.pattern, syntax.PatternName):
                local_signature = signatures.get(binding.pattern.name)
                if local_signature is not None:
                    told = f"the signature of `{binding.pattern.name}`"
                    type_ = self.reader.read_as(local_signature.type, told)
            bound = binding.body
            if binding.parameters:
                bound = syntax.Lambda(binding.parameters, bound, span=binding.span)
                self._made.append(bound)
            if gives_linear(type_):
                self.promise(bound)
            value = self.expression(bound, type_, inner, "")
            pattern = self.pattern(binding.pattern, type_, inner)
            exhaustive.must_match(pattern, binding.pattern.span, self.world.declarations)
            made.append((pattern, value))
        body = self.expression(tree.body, wanted, inner, role)
        return typed.Let(tuple(made), body, wanted, span=tree.span)

    def _sorted_bindings(self, bindings: Sequence[syntax.Binding]) -> list[syntax.Binding]:
        """Bindings with each after what it uses; recursion and repetition are mistakes."""
        home: dict[str, int] = {}
        for number, binding in enumerate(bindings):
            for name in pattern_names(binding.pattern):
                if name in home:
                    raise self.fail(
                        "duplicate-definition",
                        f"`{name}` is defined twice here",
                        binding.pattern.span,
                        "the second time",
                        secondary=[Label(bindings[home[name]].pattern.span, "the first")],
                    )
                home[name] = number
        needs = [
            {home[name] for name in free_names(binding) if name in home} for binding in bindings
        ]
        order: list[int] = []
        state = [0] * len(bindings)

        def visit(number: int) -> None:
            if state[number] == 2:
                return
            if state[number] == 1:
                binding = bindings[number]
                raise self.fail(
                    "recursion",
                    "a local definition uses itself",
                    binding.pattern.span,
                    "defined by way of itself",
                    notes=[
                        "Loops are written with `fold`, `scan`, `unfold`, `iterate`, `while` "
                        "and `cata`."
                    ],
                )
            state[number] = 1
            for needed in sorted(needs[number]):
                visit(needed)
            state[number] = 2
            order.append(number)

        for number in range(len(bindings)):
            visit(number)
        return [bindings[number] for number in order]

    def _if(self, tree: syntax.If, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        condition = self.expression(tree.condition, BOOL, scope, "the condition of `if`")
        branches, roles = (tree.then, tree.otherwise), (role, role or "the branch of `else`")
        then, otherwise = self.in_turn(
            branches, wanted, scope,
            lambda k: self.expression(branches[k], wanted, scope, roles[k]),
        )  # fmt: skip
        return typed.If(condition, then, otherwise, wanted, span=tree.span)

    def _case(self, tree: syntax.Case, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        type_: Type = self.solver.fresh("a", self.place(tree.scrutinee.span))
        scrutinee = self.expression(tree.scrutinee, type_, scope, "")
        scopes: list[Scope] = []
        patterns = []
        for alternative in tree.alternatives:
            inner = dict(scope)
            patterns.append(self.pattern(alternative.pattern, type_, inner))
            scopes.append(inner)
        trees = [alternative.body for alternative in tree.alternatives]
        bodies = self.in_turn(
            trees, wanted, scope, lambda k: self.expression(trees[k], wanted, scopes[k], role)
        )
        alternatives = list(zip(patterns, bodies, strict=True))
        exhaustive.must_cover(
            [pattern for pattern, _ in alternatives],
            tree.span,
            self.world.declarations,
            lambda t: self.solver.zonk(t),
        )
        return typed.Case(scrutinee, tuple(alternatives), wanted, span=tree.span)

    def _cata(self, tree: syntax.Cata, wanted: Type, scope: Scope, role: str) -> typed.Expression:
        declarations = self.world.declarations
        solver, span = self.solver, tree.span
        data: str | None = None
        seen: dict[str, Span] = {}
        for alternative in tree.alternatives:
            pattern = alternative.pattern
            if not isinstance(pattern, syntax.PatternConstructor):
                raise self.fail(
                    "cata-pattern",
                    "an alternative of `cata` names a constructor",
                    pattern.span,
                    "not a constructor",
                )
            declarations.require(pattern.name)
            if pattern.name not in declarations.constructors:
                self._constructor(pattern.name, pattern.span)
                raise self.fail(
                    "cata-pattern",
                    f"`{pattern.name}` is not a constructor of a `data` type",
                    pattern.span,
                    "no constructor",
                )
            of = declarations.constructors[pattern.name][0]
            if data is not None and of != data:
                raise self.fail(
                    "cata-pattern",
                    f"`{pattern.name}` belongs to {of}, not {data}",
                    pattern.span,
                    f"the alternatives above are of {data}",
                )
            data = of
            if pattern.name in seen:
                raise self.fail(
                    "redundant-case",
                    f"`{pattern.name}` is handled twice",
                    pattern.span,
                    "never reached",
                    secondary=[Label(seen[pattern.name], "handled here")],
                )
            seen[pattern.name] = pattern.span
        if data is None:
            raise self.fail("cata-pattern", "`cata` has no alternatives", span, "nothing here")
        missing = [
            " ".join([name, *"abcdefgh"[: len(fields)]])
            for name, fields in declarations.data[data].constructors
            if name not in seen
        ]
        if missing:
            raise Mistake(exhaustive.missing_cases(missing, span, declarations))
        place = self.place(span, "`cata`")
        declaration = declarations.data[data]
        types: dict[TypeVariable, Type] = {
            v: solver.fresh(v.name, place) for v in declaration.parameters
        }
        whole = Named(data, tuple(types[v] for v in declaration.parameters), origin=place)
        result = solver.fresh("r", place)
        made = Function(whole, result, origin=place)
        self.fit(made, wanted, span, role)
        said = not isinstance(solver.resolve(result), TypeVariable)
        fields_of = dict(declaration.constructors)

        def algebra(number: int) -> tuple[typed.MatchConstructor, typed.Expression]:
            alternative = tree.alternatives[number]
            pattern = alternative.pattern
            assert isinstance(pattern, syntax.PatternConstructor)
            fields = fields_of[pattern.name]
            if len(pattern.arguments) != len(fields):
                raise self._pattern_arity(
                    pattern.name, len(fields), pattern.arguments, pattern.span
                )
            inner = dict(scope)
            bound: dict[str, Span] = {}
            arguments = []
            for argument, item in zip(pattern.arguments, fields, strict=True):
                # At a node the length of a child's result is its own, as that of a sequence.
                field_type = self._fresh_lengths(
                    replace_type(substitute(item, types, {}), whole, self.solver.zonk(result)),
                    settled=True,
                )
                made_pattern = self._pattern(argument, field_type, inner, bound)
                exhaustive.must_match(made_pattern, argument.span, declarations)
                arguments.append(made_pattern)
            try:
                body = self.expression(alternative.body, result, inner, "")
            except Mistake as mistake:
                if said or mistake.diagnostic.code != "size-mismatch":
                    raise
                raise Mistake(_of_any_length(solver, mistake.diagnostic, made)) from None
            node = typed.MatchConstructor(pattern.name, tuple(arguments), whole, span=pattern.span)
            return node, body

        bodies = [alternative.body for alternative in tree.alternatives]
        return typed.Cata(tuple(self.in_turn(bodies, result, scope, algebra)), made, span=span)


def _of_any_length(solver: Solver, told: Diagnostic, made: Function) -> Diagnostic:
    """Results of an algebra of one length, as the first alternative has it: the type that says
    that there are several."""
    result = solver.resolve(made.codomain)
    if not isinstance(result, Array):
        return told
    said = f"{shown(solver, made.domain)} -> [{shown(solver, result.element)}]"
    said = re.sub(r"_([a-z])", r"\1", said)  # inside a program an unknown is written as a name
    note = (
        "Without a type the results at all nodes are of one length. Where a node makes more of "
        "them than a leaf, say so:"
    )
    return replace(
        told,
        notes=(*told.notes, note),
        suggestion=f"(cata {{ … }} : {said})",
        replaces=None,
    )


def _count(number: int) -> str:
    return {0: "nothing", 1: "one value"}.get(number, f"{number} values")


def _all_items(
    told: Diagnostic, product: Type, items: Sequence[syntax.PatternTree], span: Span
) -> Diagnostic:
    """A tuple with too few names: what takes all of its items."""
    missing = len(product.items) - len(items) if isinstance(product, Product) else 0
    if told.code != "tuple-size" or missing <= 0:
        return told
    taken = {name for item in items for name in pattern_names(item)}
    spare = [letter for letter in "abcdefghijklmnopq" if letter not in taken][:missing]
    text, place = instead(span, f"({', '.join([*(item.span.text for item in items), *spare])})")
    notes = (*told.notes, "To take all of its items:")
    return replace(told, notes=notes, suggestion=text, replaces=place)
