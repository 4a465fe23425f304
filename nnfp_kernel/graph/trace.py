"""The tracer: a typed program is run on wires, and what it does is written down.

Functions are Python callables while tracing and are inlined where they are applied;
combinators become one structured node each. All that a sub-graph needs from outside
is captured by its builder. Nothing here knows a primitive: built-in names bring
their own `trace` (primitives/), and talk to the `Tracer` as their context.

    weights    come from a `WeightSource`, asked by path and type
    draws      take their keys from a `KeySource`, one per map element and loop step
    lengths    known only at run time are wires; what they may turn out not to allow
               (the mean of nothing) is a `Doubt`, one more number beside the answer
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, Protocol, TypeAlias

from ..language import typed as p
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.reach import WeightPath, reached, size_open
from ..language.sizes import Size, SizeVariable, constant
from ..language.source import Span
from ..language.syntax import NOWHERE
from .forest import Forest, NoForest, Question, Subtree, Unknown, reduce_forest
from .graph import (
    ArrayType,
    Builder,
    Call,
    Choose,
    Constant,
    Fixpoint,
    Graph,
    Loop,
    Map,
    While,
    Wire,
    subgraphs_together,
)
from .grown import Grown, as_tree, opened, reduce
from .primitive import Primitive
from .sequences import (
    elements,
    filled,
    fitted,
    joined,
    leading,
    longest,
    map_leading,
    over,
    present,
    resized,
    unfilled,
    where,
)
from .values import (
    Declarations,
    Extent,
    Items,
    NotFirstOrder,
    OpenSize,
    Value,
    Variant,
    holds_sequence,
    item_at,
    item_count,
    known,
    leaves,
    refilled,
    spread,
)
from .values import Sequence as Ragged


class BuiltinRecord(Protocol):
    """What the tracer asks of a built-in name (primitives/table.py)."""

    @property
    def name(self) -> str: ...
    @property
    def arity(self) -> int: ...
    @property
    def trace(self) -> Callable[..., Value]: ...
    @property
    def ragged(self) -> Callable[..., Value] | bool: ...


class WeightSource(Protocol):
    """Where weights come from: a graph's inputs, a stack's elements, an opened value."""

    def weight(self, path: WeightPath, type: t.Type) -> Value: ...


@dataclass(frozen=True)
class Occurrence:
    """One use of a built-in name, all of it concrete: what its `trace` is handed."""

    type: t.Type
    brackets: tuple[Any, ...] = ()  # numbers; an Extent for a length known at run time
    options: Mapping[str, int | str] = field(default_factory=dict)
    span: Span = NOWHERE  # where the name is written

    def domains(self) -> list[t.Type]:
        """The types of its arguments, curried, as far as the type is a function."""
        found, type = [], self.type
        while isinstance(type, t.Function):
            found.append(type.domain)
            type = type.codomain
        return found

    def result(self, arity: int) -> t.Type:
        """The type after `arity` arguments."""
        type = self.type
        for _ in range(arity):
            assert isinstance(type, t.Function | t.Linear)
            type = type.codomain
        return type


@dataclass(frozen=True)
class Scope:
    """Where the weights met here live.

    `path` is that of the enclosing definition; a definition used by name keeps its
    weights at `root` + its name, which is shared unless a `fresh` set the root.
    """

    source: WeightSource
    root: WeightPath = ()
    path: WeightPath = ()


@dataclass(frozen=True)
class Environment:
    """What names, type variables and size variables stand for, and the weights' scope."""

    scope: Scope
    locals: Mapping[str, Value] = field(default_factory=dict)
    types: Mapping[t.TypeVariable, t.Type] = field(default_factory=dict)
    sizes: Mapping[SizeVariable, Size] = field(default_factory=dict)
    # Types concretised in this environment, by identity of the node's type.
    known: dict[int, t.Type] = field(default_factory=dict, compare=False)

    def bind(self, names: Mapping[str, Value]) -> Environment:
        return replace(self, locals={**self.locals, **names}) if names else self


@dataclass
class Keys:
    """Random keys for one body: each draw folds a new number into its key."""

    origin: Callable[[], Wire]
    drawn: int = 0
    wire: Wire | None = None

    def next(self, builder: Builder) -> Wire:
        if self.wire is None:
            self.wire = self.origin()
        self.drawn += 1
        return builder.emit("foldKey", self.wire, builder.constant(self.drawn, "Int"))


Further: TypeAlias = "list[Callable[[], Wire]]"  # sequences made once a body is finished


NEEDS_LENGTH = "needs-length"  # the code of a mistake that a known length would mend


@dataclass(frozen=True)
class Doubt:
    """What is only known at run time: the `number` that is 0 where all is well, else tells
    by its place what of `problems`, counted from 1, is wrong."""

    wire: Wire | None
    problems: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """What a program is traced in: its definitions, tables, and the mode."""

    definitions: Mapping[str, p.Definition]
    declarations: Declarations
    builtins: Mapping[str, BuiltinRecord]
    primitives: Mapping[str, Primitive]
    training: bool = False


class Tracer:
    """Runs typed expressions on wires. Also the context that built-in names work with."""

    def __init__(
        self,
        surroundings: Surroundings,
        builder: Builder,
        *,
        key: Callable[[], Wire],
        external: Callable[[str, t.Type], Value],
        present: WeightSource,
        extents: Mapping[SizeVariable, Extent] | None = None,
    ) -> None:
        self.surroundings = surroundings
        self.declarations = surroundings.declarations
        self.training = surroundings.training
        self.builder = builder
        self.keys = Keys(key)
        self.forests = False  # whether trees among the arguments are forests
        self.branching = 0  # how many branches the present place is inside of
        self._external = external
        self._present = present
        self.extents = extents or {}  # what the lengths known at run time are
        self._problems: list[Diagnostic] = []
        self._doubts: list[Wire] = []  # in the graph that is being built

    # --- expressions --------------------------------------------------------------

    def evaluate(self, expression: p.Expression, env: Environment) -> Value:
        """The value of a typed expression."""
        match expression:
            case p.Local(name=name):
                return env.locals[name]
            case p.Apply():
                return self._application(expression, env)
            case p.Literal(value=value, type=type):
                return self._number(value, self.concrete(type, env))
            case p.SizeValue(size=size, type=type):
                number = self.number(size, env, expression)
                if isinstance(number, Extent):
                    return self._length_value(number.length, self.concrete(type, env))
                return self._number(number, self.concrete(type, env))
            case p.Builtin():
                return self._builtin(expression, env)
            case p.Global():
                return self._use(expression, env)
            case p.Hole(name=name, type=type):
                path = (*env.scope.path, name)
                return env.scope.source.weight(path, self.concrete(type, env))
            case p.Lambda(parameter=parameter, body=body):
                return lambda argument: self.evaluate(
                    body, env.bind(self._bindings(parameter, argument))
                )
            case p.Let(bindings=bindings, body=body):
                for pattern, bound in bindings:
                    env = env.bind(self._bindings(pattern, self.evaluate(bound, env)))
                return self.evaluate(body, env)
            case p.If(condition=condition, then=then, otherwise=otherwise, type=type):
                with self.builder.at(expression.span), self._of_numbers():
                    return self.choose(
                        self.evaluate(condition, env),
                        lambda: self.evaluate(then, env),
                        lambda: self.evaluate(otherwise, env),
                        self.concrete(type, env),
                    )
            case p.Case(scrutinee=scrutinee, alternatives=alternatives, type=type):
                value = self.evaluate(scrutinee, env)
                with self.builder.at(expression.span), self._of_numbers():
                    return self._match(value, alternatives, env, self.concrete(type, env))
            case p.MakeProduct(items=items):
                return tuple(self.evaluate(item, env) for item in items)
            case p.MakeSequence(items=items, type=type):
                values = [self.evaluate(item, env) for item in items]
                with self.builder.at(expression.span), self._of_numbers():
                    made = self.concrete(type, env)
                    assert isinstance(made, t.Array)
                    return self.sequence(values, made.element)
            case p.Construct(name=name, type=type):
                return self._constructor(name, self.concrete(type, env))
            case p.Cata(alternatives=alternatives, type=type):
                whole = self.concrete(type, env)
                assert isinstance(whole, t.Function)
                return lambda tree: self._cata(tree, alternatives, env, whole.codomain)
            case p.Fresh(expression=inner, label=label):
                return self._under(inner, env, label)
            case p.Stack():
                return self._stack(expression, env)
            case p.Open(target=target):
                return lambda pair: self._opened(target, env, pair)
            case p.WeightsOf(name=name, type=type):
                return self.present_weights(name)
            case p.WeightValue(path=path, type=type):
                return self._present.weight(path, self.concrete(type, env))
            case p.External(name=name, type=type):
                return self._external(name, self.concrete(type, env))
            case p.AsLinear(expression=inner, type=type):
                value = self.evaluate(inner, env)
                with self.builder.at(expression.span):
                    return self._as_linear(value, self.concrete(type, env))
            case _:
                raise AssertionError(f"the tracer has no case for {expression.__class__.__name__}")

    def _application(self, expression: p.Apply, env: Environment) -> Value:
        # A long sum is nested to the left; its spine is walked without recursion.
        spine = [expression]
        while True:
            inner = spine[-1].function
            if isinstance(inner, p.Apply) and isinstance(inner.argument, p.Apply):
                spine.append(inner.argument)
            else:
                break
        value: Value = None
        for node in reversed(spine):
            inner = node.function
            if value is not None and isinstance(inner, p.Apply):
                function = self.apply(self.evaluate(inner.function, env), value, inner.span)
            else:
                function = self.evaluate(inner, env)
            value = self.apply(function, self.evaluate(node.argument, env), node.span)
        return value

    def apply(self, function: Value, argument: Value, span: Span | None = None) -> Value:
        """A function's value at an argument; nodes made by it come from `span`."""
        with self.builder.at(span):
            return function(argument)

    def concrete(self, type: t.Type, env: Environment) -> t.Type:
        """`type` with all its variables replaced by what they stand for here."""
        found = env.known.get(id(type))
        if found is None:
            found = t.substitute(type, env.types, env.sizes)
            env.known[id(type)] = found
        return found

    def number(self, size: Size, env: Environment, node: p.Node) -> Any:
        """The number a size is here, or the Extent of a length known only at run time. A
        size that nothing has settled is the user's to settle."""
        size = size.substitute(env.sizes)
        if size.value is not None:
            return size.value
        if not self.extents or not size.variables() <= self.extents.keys():
            self._size_open(size, node)
        return self._extent(size)

    def _size_open(self, size: Size, node: p.Node) -> NoReturn:
        name = node.name if isinstance(node, p.Global | p.Builtin) else "this"
        with self.builder.at(node.span):
            self.fail(
                "size-open",
                f"a size of `{name}` is not known: {size}",
                "Nothing that stands settles it, and an expression settles nothing for "
                "others. Give the definition a signature, or the size in brackets.",
            )

    def known_number(self, size: Size, env: Environment, node: p.Node) -> int:
        """The number a size is here, where a length known only at run time will not do."""
        number = self.number(size, env, node)
        if isinstance(number, Extent):
            with self.builder.at(node.span):
                self.needs_length("this")
        assert isinstance(number, int)
        return number

    def _extent(self, size: Size) -> Extent:
        """A sum of products of lengths known at run time."""
        capacities = {v: extent.capacity for v, extent in self.extents.items()}
        return Extent(max(size.evaluate(capacities), 0), self._length(size))

    def _length(self, size: Size) -> Wire:
        """A size made of lengths known at run time: a sum of products."""
        builder = self.builder
        total = builder.constant(0, "Int")
        for monomial, coefficient in size.terms:
            term = builder.constant(coefficient, "Int")
            for atom in monomial:
                if isinstance(atom, SizeVariable):
                    factor = self.extents[atom].length
                else:
                    parts = self._length(atom.numerator), self._length(atom.denominator)
                    factor = builder.emit("divide", *parts)
                term = builder.emit("mul", term, factor)
            total = builder.emit("add", total, term)
        return total

    def _length_value(self, length: Wire, type: t.Type) -> Wire:
        if type == t.R:
            return self.builder.emit("convert", length, kind="R")
        return length

    def _number(self, value: float | complex, type: t.Type) -> Wire:
        match type:
            case t.Scalar(name=name):
                return self.builder.constant(value, name)
            case t.Fin():
                return self.builder.constant(value, "Int")
            case _:
                raise AssertionError(f"a number of type {t.show(type)}")

    def _builtin(self, node: p.Builtin, env: Environment) -> Value:
        record = self.surroundings.builtins[node.name]
        occurrence = Occurrence(
            self.concrete(node.type, env),
            tuple(self.number(size, env, node) for size in node.brackets),
            {
                name: option if isinstance(option, str) else self.known_number(option, env, node)
                for name, option in node.options.items()
            },
            node.span,
        )
        if record.arity == 0:
            with self.builder.at(node.span):
                return self.call(record, occurrence)
        return self._curried(record, occurrence, ())

    def _curried(
        self, record: BuiltinRecord, occurrence: Occurrence, given: tuple[Value, ...]
    ) -> Value:
        def take(argument: Value) -> Value:
            arguments = (*given, argument)
            if len(arguments) < record.arity:
                return self._curried(record, occurrence, arguments)
            return self.call(record, occurrence, *arguments)

        return take

    def call(self, record: BuiltinRecord, occurrence: Occurrence, *arguments: Value) -> Value:
        """A built-in at its arguments. What types could not tell (run-time lengths that
        disagree) is a user's mistake, told at the place that asked for it."""
        trace, ragged = record.trace, record.ragged
        if ragged is not True and any(map(holds_sequence, (*occurrence.brackets, *arguments))):
            if ragged is False:
                self.needs_length(f"`{record.name}`")
            trace = ragged
        try:
            with self._of_numbers():
                return trace(self, occurrence, *arguments)
        except ValueError as problem:
            self.fail("shapes-disagree", str(problem))
        except OpenSize as problem:
            if problem.size.variables() <= self.extents.keys():
                self.needs_length(f"`{record.name}`")
            raise

    @contextmanager
    def _of_numbers(self) -> Iterator[None]:
        """Inside, a value that is not made of numbers is a mistake told at this place."""
        try:
            yield
        except NotFirstOrder as problem:
            if self.forests and self.declarations.has_trees(problem.type):
                raise NoForest(problem.type) from None
            if isinstance(problem.type, t.TypeVariable):
                self._type_open()
            self.fail(
                "not-first-order",
                f"{problem.kind} cannot be an element, a state or a branch here",
                f"Its type is {t.show(problem.type)}; only values made of numbers can "
                "pass through sequences, loops, maps and branches.",
            )

    def _type_open(self) -> NoReturn:
        origin = self.builder.origin
        text = origin.text if origin is not None and origin.line == origin.end_line else "e"
        self.fail(
            "type-open",
            "the type of this is not known",
            "Nothing that stands settles it. Give it one, for example:",
            suggestion=f"({text} : {'R[0]' if text == '[]' else 'R'})",
        )

    def needs_length(self, what: str) -> NoReturn:
        """Raise an error: this can only be done for a sequence of known length."""
        self.fail(
            NEEDS_LENGTH,
            f"{what} needs a sequence whose length is known before running",
            "Here the length is known only at run time.",
        )

    # --- what only shows at run time ----------------------------------------------------

    def require(
        self, condition: Wire, problem: str, *notes: str, code: str = "shapes-disagree"
    ) -> None:
        """The condition must hold where this is reached; else `problem` is the user's
        mistake, told with the place that is being traced."""
        builder = self.builder
        known = self.constant_value(condition)
        if known is True:
            return
        if known is False:
            raise ValueError(problem)
        place = builder.origin or NOWHERE
        self._problems.append(Diagnostic(code, problem, Label(place), notes=notes))
        number = builder.constant(len(self._problems), "Int")
        fine = builder.constant(0, "Int")
        self._doubts.append(builder.emit("select", condition, fine, number))

    def doubted(self, number: Wire) -> None:
        """What has been required elsewhere is required here: its number is 0, or tells."""
        self._doubts.append(number)

    def doubt(self) -> Doubt:
        """All that has been required so far in the graph that is being built."""
        wire = longest(self.builder, self._doubts) if self._doubts else None
        return Doubt(wire, tuple(self._problems))

    def _doubt_each(self, doubts: Wire, extent: Extent | None) -> None:
        """Doubts of all elements or steps, as one."""
        if doubts.type.shape[0] == 0:
            return
        if extent is not None:
            none = self.builder.zeros(doubts.type)
            doubts = where(self.builder, present(self.builder, extent), doubts, none)
        self._doubts.append(self.builder.emit("maximum", doubts, axes=(0,)))

    def fail(self, code: str, title: str, *notes: str, suggestion: str | None = None) -> NoReturn:
        """Raise an error at the place that is being traced."""
        place = self.builder.origin or NOWHERE
        raise NnfpError(Diagnostic(code, title, Label(place), (), notes, suggestion))

    # --- definitions and their weights ------------------------------------------------

    def _use(self, node: p.Global, env: Environment) -> Value:
        scope = env.scope
        root_name = (*scope.root, node.name)
        path = root_name if node.label is None else (*scope.path, node.label)
        return self._enter(node, env, replace(scope, path=path))

    def _enter(self, node: p.Global, env: Environment, scope: Scope) -> Value:
        definition = self.surroundings.definitions[node.name]
        inner = Environment(
            scope,
            {},
            {v: self.concrete(type, env) for v, type in node.instance.types.items()},
            {v: self._instance_size(s, env, node) for v, s in node.instance.sizes.items()},
        )
        return self.evaluate(definition.body, inner)

    def _instance_size(self, size: Size, env: Environment, node: p.Node) -> Size:
        """A size handed to a definition; a length known only at run time stays a name."""
        size = size.substitute(env.sizes)
        if size.value is None and not any(variable.runtime for variable in size.variables()):
            self._size_open(size, node)
        return size

    def _under(self, expression: p.Expression, env: Environment, label: str | None) -> Value:
        """`expression` with copies of all weights it reaches, kept below `label` here."""
        root = env.scope.path if label is None else (*env.scope.path, label)
        scope = replace(env.scope, root=root, path=root)
        if isinstance(expression, p.Global):
            return self._enter(expression, env, scope)
        return self.evaluate(expression, replace(env, scope=scope))

    def _opened(self, target: p.Global, env: Environment, pair: Value) -> Value:
        weights, argument = pair
        paths = [weight.path for weight in reached(self.surroundings.definitions, target.name)]
        source = GivenWeights(dict(zip(paths, weights, strict=True)))
        scope = Scope(source, (), (target.name,))
        return self.apply(self._enter(target, env, scope), argument)

    def present_weights(self, name: str) -> Value:
        """The session's weights of a definition, held constant: a value of `Weights name`."""
        return tuple(
            self._present.weight(weight.path, weight.type)
            for weight in reached(self.surroundings.definitions, name)
        )

    def _stack(self, node: p.Stack, env: Environment) -> Value:
        count = self.known_number(node.count, env, node)
        type = self.concrete(node.type, env)
        assert isinstance(type, t.Function)
        state_type = type.domain

        def deep(argument: Value) -> Value:
            outer = env.scope.source
            layers = StackedWeights(outer, count, self)

            def layer(state: Value) -> Value:
                inner = replace(env, scope=replace(env.scope, source=layers))
                return self._under(node.expression, inner, node.label)(state)

            with self.builder.at(node.span):
                state, _ = self.loop(
                    count, argument, state_type, (), t.UNIT,
                    lambda state, _: (layer(state), ()), t.UNIT, layers=layers,
                )  # fmt: skip
            return state

        return deep

    # --- patterns, branches, data ---------------------------------------------------------

    def _bindings(self, pattern: p.Pattern, value: Value) -> dict[str, Value]:
        """The names an irrefutable pattern binds."""
        condition, bindings = self._test(pattern, value)
        if condition is not True:
            raise AssertionError("inference lets only irrefutable patterns bind")
        return bindings

    def _test(self, pattern: p.Pattern, value: Value) -> tuple[Wire | bool, dict[str, Value]]:
        """Whether a value matches (True, False, or a wire), and the names bound if so."""
        match pattern:
            case p.BindName(name=name):
                if isinstance(value, Wire) and not value.name:
                    value.name = name
                return True, {name: value}
            case p.BindNothing():
                return True, {}
            case p.LeaveRep(argument=argument):
                return self._test(argument, value)
            case p.MatchNumber(value=number):
                constant_wire = self.builder.constant(number, value.type.kind)
                return self.builder.emit("compare", value, constant_wire, how="eq"), {}
            case p.MatchTuple(items=items):
                return self._test_all(items, value)
            case p.MatchConstructor(name=name, arguments=arguments) if isinstance(value, Grown):
                root = opened(self, value)
                parts = zip(root.fields.get(name, ()), arguments, strict=False)
                if any(part is None and not isinstance(own, p.BindNothing) for part, own in parts):
                    self.fail(
                        "shape-at-run-time",
                        "how many children a grown tree has is known only at run time",
                        "Where it keeps them in a sequence, `_` may stand in a pattern; `cata` "
                        "reduces them.",
                    )
                return self._test(pattern, root)
            case p.MatchConstructor() if isinstance(value, Forest | Subtree | Unknown):
                raise NoForest(value.type)
            case p.MatchConstructor(name=name, arguments=arguments):
                if value.tag is None:
                    if value.constructor != name:
                        return False, {}
                    return self._test_all(arguments, value.fields[name])
                names = list(self.declarations.constructors(value.type))
                if len(names) == 1:  # the tag, known or not, says nothing
                    return self._test_all(arguments, value.fields[name])
                place = self.builder.constant(names.index(name), "Int")
                hit = self.builder.emit("compare", value.tag, place, how="eq")
                rest, bindings = self._test_all(arguments, value.fields[name])
                return self._both(hit, rest), bindings
            case _:
                raise AssertionError(f"no pattern: {pattern}")

    def _test_all(
        self, patterns: Sequence[p.Pattern], values: Sequence[Value]
    ) -> tuple[Wire | bool, dict[str, Value]]:
        condition: Wire | bool = True
        bindings: dict[str, Value] = {}
        for pattern, value in zip(patterns, values, strict=True):
            one, names = self._test(pattern, value)
            condition = self._both(condition, one)
            bindings |= names
        return condition, bindings

    def _both(self, left: Wire | bool, right: Wire | bool) -> Wire | bool:
        if left is False or right is False:
            return False
        if left is True:
            return right
        if right is True:
            return left
        return self.builder.emit("and", left, right)

    def _match(
        self,
        value: Value,
        alternatives: Sequence[tuple[p.Pattern, p.Expression]],
        env: Environment,
        type: t.Type,
    ) -> Value:
        (pattern, body), *others = alternatives
        condition, bindings = self._test(pattern, value)

        def taken() -> Value:
            # Tests of nested patterns are made again where the branch can use them.
            return self.evaluate(body, env.bind(bindings))

        if condition is True or not others:
            return taken()
        if condition is False:
            return self._match(value, others, env, type)
        return self.choose(condition, taken, lambda: self._match(value, others, env, type), type)

    def choose(
        self,
        condition: Wire,
        then: Callable[[], Value],
        otherwise: Callable[[], Value],
        type: t.Type,
    ) -> Value:
        """A branch of `type`; at once when the condition is known while tracing."""
        decided = self.constant_value(condition)
        if decided is not None:
            return then() if decided else otherwise()
        if isinstance(type, t.Function):
            codomain = type.codomain
            return lambda argument: self.choose(
                condition, lambda: then()(argument), lambda: otherwise()(argument), codomain
            )
        if isinstance(type, t.Linear):
            return then().choose(condition, otherwise())
        branches = []
        self.branching += 1
        for branch in (otherwise, then):  # branches[int(condition)]
            with self.inside(self.builder.child()) as child:
                branches.append((child, branch(), self.doubt().wire))
        self.branching -= 1
        if self.declarations.has_trees(type):
            for child, value, _ in branches:  # which has no layout, and may be deep
                self.declarations.flatten(child, value, type)
        room = joined(branches[0][1], branches[1][1])
        doubted = any(doubt is not None for _, _, doubt in branches)
        bodies = []
        for child, value, doubt in branches:
            outputs = self.declarations.flatten(child, fitted(child, value, room), type)
            if doubted:
                outputs.append(child.constant(0, "Int") if doubt is None else doubt)
            bodies.append((child, outputs))
        like = unfilled(fitted(bodies[0][0], branches[0][1], room))
        made = self.chosen(condition, bodies)
        if doubted:
            self._doubts.append(made[-1])
            made = made[:-1]
        return self.declarations.rebuild(type, made, like)

    def one_of(self, value: Variant, branch: Callable[[str], Value], type: t.Type) -> Value:
        """The branch of the constructor that a value turns out to have at run time."""
        names = list(self.declarations.constructors(value.type))
        assert value.tag is not None
        tag = value.tag

        def from_here(place: int) -> Value:
            if place == len(names) - 1:
                return branch(names[place])
            which = self.builder.constant(place, "Int")
            hit = self.builder.emit("compare", tag, which, how="eq")
            return self.choose(
                hit, lambda: branch(names[place]), lambda: from_here(place + 1), type
            )

        return from_here(0)

    def chosen(
        self, selector: Wire, bodies: Sequence[tuple[Builder, Sequence[Wire]]]
    ) -> tuple[Wire, ...]:
        """A Choose node: the outputs of the branch selected, each with its builder."""
        graphs, captured = subgraphs_together(bodies)
        return self.builder.add(Choose(graphs), (selector, *captured))

    def constant_value(self, wire: Wire) -> Any:
        """The number or Boolean a wire is known to be, else None."""
        node = self.builder.producer(self.builder.own(wire))
        if node is None or wire.type.shape:
            return None
        if isinstance(node.operation, Constant):
            return node.operation.value.item()
        if isinstance(node.operation, Call) and node.operation.primitive.name == "compare":
            # `length xs == 0`: a branch that a known length rules out is not traced.
            one, other = node.inputs
            if one.type.kind == "Int":
                values = self.constant_value(one), self.constant_value(other)
                if None not in values:
                    return getattr(operator, node.operation.parameters["how"])(*values)
        return None

    def sequence(self, items: Sequence[Value], element: t.Type) -> Value:
        """Values as one sequence: arrays with a new leading axis, or trees one by one."""
        if self.declarations.has_trees(element):
            return Items(element, tuple(items))
        type = t.Array(element, constant(len(items)))
        if not items:
            return self.zero(type)
        if (
            self.declarations.is_open(element)
            or any(map(holds_sequence, items))
            or not _of_one_shape(items, element)
        ):
            items = self._with_one_room(items)
        columns = zip(
            *(self.declarations.flatten(self.builder, item, element) for item in items),
            strict=True,
        )
        wires = [self.stacked(column) for column in columns]
        return self.declarations.rebuild(type, wires, unfilled(items[0]))

    def _with_one_room(self, items: Sequence[Value]) -> list[Value]:
        """Sequences of several lengths, each with the room of the longest."""
        widest = items[0]
        for item in items:
            widest = fitted(self.builder, widest, joined(widest, item))
        return [fitted(self.builder, item, joined(widest, item)) for item in items]

    def stacked(self, wires: Sequence[Wire]) -> Wire:
        """Wires of one type as one array over a new leading axis."""
        rows = [self.builder.emit("reshape", wire, shape=(1, *wire.type.shape)) for wire in wires]
        return rows[0] if len(rows) == 1 else self.builder.emit("concat", *rows, axis=0)

    def zero(self, type: t.Type) -> Value:
        """Zero of a vector space (and of discrete parts, 0 and False)."""
        layout = self.declarations.layout(type)
        return self.declarations.rebuild(type, [self.builder.zeros(array) for array in layout])

    def _constructor(self, name: str, type: t.Type) -> Value:
        if name in self.declarations.reps:
            return lambda value: value
        arity, result = 0, type
        while isinstance(result, t.Function):
            arity, result = arity + 1, result.codomain
        assert isinstance(result, t.Named)

        def collect(fields: tuple[Value, ...]) -> Value:
            if len(fields) == arity:
                return Variant(result, name, {name: fields})
            return lambda field: collect((*fields, field))

        return collect(())

    def _cata(
        self,
        tree: Variant | Forest | Unknown,
        alternatives: Sequence[tuple[p.MatchConstructor, p.Expression]],
        env: Environment,
        result: t.Type,
    ) -> Value:
        if isinstance(tree, Grown):
            functor = tree.functor
            with self._of_numbers():
                return reduce(
                    self, tree,
                    lambda layer: self._match(as_tree(functor, layer), alternatives, env, result),
                    result,
                )  # fmt: skip
        if isinstance(tree, Forest | Subtree | Unknown):
            type = tree.type

            def algebra(name: str, fields: tuple[Value, ...]) -> Value:
                return self._algebra(type, name, fields, alternatives, env)

            if isinstance(tree, Unknown):
                return tree.reduce(self, algebra, result, _question(alternatives, env))
            if isinstance(tree, Subtree):
                return tree.reduced(self, _question(alternatives, env), algebra, result)
            return reduce_forest(self, tree, algebra, result)
        if tree.constructor is None:
            # A value whose constructor is only known at run time is not recursive here.
            return self._match(tree, alternatives, env, result)
        declared = self.declarations.constructors(tree.type)[tree.constructor]

        def below(child: Value) -> Value:
            return self._cata(child, alternatives, env, result)

        fields = tuple(
            self.reduced(value, field, tree.type, result, below)
            for field, value in zip(declared, tree.fields[tree.constructor], strict=True)
        )
        return self._algebra(tree.type, tree.constructor, fields, alternatives, env)

    def _algebra(
        self,
        type: t.Named,
        constructor: str,
        fields: tuple[Value, ...],
        alternatives: Sequence[tuple[p.MatchConstructor, p.Expression]],
        env: Environment,
    ) -> Value:
        """The algebra at one node, whose fields have results in place of the children."""
        reduced = Variant(type, constructor, {constructor: fields})
        for pattern, body in alternatives:
            condition, bindings = self._test(pattern, reduced)
            if condition is True:
                return self.evaluate(body, env.bind(bindings))
        raise AssertionError("inference checks that a cata covers every constructor")

    def reduced(
        self,
        value: Value,
        field: t.Type,
        whole: t.Type,
        result: t.Type,
        reduce: Callable[[Value], Value],
    ) -> Value:
        """A constructor's field with results in place of the children."""
        if field == whole:
            return reduce(value)
        match field:
            case t.Array(element=element) if isinstance(value, Items):
                made = [self.reduced(item, element, whole, result, reduce) for item in value.items]
                inner = t.replace_type(element, whole, result)
                with self._of_numbers():
                    return self.sequence(made, inner)
            case t.Product(items=items):
                return tuple(
                    self.reduced(part, item, whole, result, reduce)
                    for part, item in zip(value, items, strict=True)
                )
            case _:
                return value

    # --- structured nodes: what combinators are made with --------------------------------

    @contextmanager
    def inside(self, builder: Builder, keys: Keys | None = None) -> Iterator[Builder]:
        """Work in a sub-graph's builder."""
        before = self.builder, self.keys, self._doubts
        self.builder, self.keys, self._doubts = builder, keys or self.keys, []
        try:
            yield builder
        finally:
            self.builder, self.keys, self._doubts = before

    def together(self, value: Value) -> tuple[Value, Extent]:
        """Sequences that go together, some of them of run-time length: with one room and
        one length, which is required of all."""
        builder = self.builder
        ragged = leading(value)
        capacity = min(wire.type.shape[0] for wire in leaves(value))
        length = ragged[0].length
        for other in dict.fromkeys(sequence.length for sequence in ragged):
            if other is not length:
                self.same_length(length, other)

        def fit(part: Value) -> Value:
            if isinstance(part, Ragged) and part.axis == 0:
                if part.capacity not in (capacity, 0):
                    return Ragged(resized(builder, part.elements, 0, capacity), length)
                return Ragged(part.elements, length, part.filled)
            count = leaves(part)[0].type.shape[0]
            self.same_length(length, builder.constant(count, "Int"))
            return Ragged(resized(builder, part, 0, capacity), length)

        return map_leading(fit, value), Extent(capacity, length)

    def same_length(self, one: Wire, other: Wire) -> None:
        same = self.builder.emit("compare", one, other, how="eq")
        self.require(same, "sequences that go together have different lengths")

    def loop(
        self,
        length: int | Extent,
        initial: Value,
        state_type: t.Type,
        sequences: Value,
        element_type: t.Type,
        step: Callable[[Value, Value], tuple[Value, Value]],
        output_type: t.Type,
        *,
        reverse: bool = False,
        layers: StackedWeights | None = None,
        again: bool = False,
    ) -> tuple[Value, Value]:
        """A Loop node: `step(state, element) -> (state, output)` along `sequences`.

        Gives the final state and the outputs, over a leading axis of `length`. Where that
        is known only at run time, a step beyond the end starts from the initial state
        again, with the element it was first given, and leaves the state as it is.
        """
        if item_count(sequences) is not None:
            return self._loop_of_items(initial, sequences, step, output_type, reverse)
        flatten, rebuild = self.declarations.flatten, self.declarations.rebuild
        extent = length if isinstance(length, Extent) else None
        count = length.capacity if isinstance(length, Extent) else length
        if extent is not None:
            sequences = map_leading(
                lambda part: filled(self.builder, part, last=reverse), sequences
            )
        initial, sequences = unfilled(initial), elements(sequences)
        over_count = constant(count)
        start = flatten(self.builder, initial, state_type)
        along = flatten(self.builder, sequences, t.Array(element_type, over_count))
        mask = [] if extent is None else [present(self.builder, extent)]
        held = [] if extent is None else [self.builder.emit("hold", wire) for wire in start]
        child, keys, extra = self.steps(count)
        with self.inside(child, keys):
            state = [child.input(wire.type) for wire in start]
            items = [child.input(wire.type.element()) for wire in along]
            there = [child.input(wire.type.element()) for wire in mask]
            if layers is not None:
                layers.child, layers.extra, layers.made = child, extra, {}
            before = state
            if there:
                before = [where(child, there[0], *pair) for pair in zip(state, held, strict=True)]
            new_state, output = step(
                rebuild(state_type, before, initial), rebuild(element_type, items, sequences)
            )
            room = joined(initial, new_state)
            grown = room != joined(initial, initial)
            if not grown:
                after = flatten(child, fitted(child, new_state, room), state_type)
                if there:
                    after = [
                        where(child, there[0], *pair) for pair in zip(after, state, strict=True)
                    ]
                outputs = flatten(child, output, output_type)
                doubt = self.doubt().wire
        if grown:
            if again:
                raise ValueError("a state that is a sequence may not grow from step to step")
            return self.loop(
                length, fitted(self.builder, initial, room), state_type, sequences, element_type,
                step, output_type, reverse=reverse, layers=layers, again=True,
            )  # fmt: skip
        body_outputs = [*after, *outputs, *([] if doubt is None else [doubt])]
        body = child.finish(body_outputs)
        operands = (*child.captured, *start, *along, *mask, *(make() for make in extra))
        operation = Loop(body, len(child.captured), len(start), count, reverse)
        made = self.builder.add(operation, operands)
        if doubt is not None:
            self._doubt_each(made[-1], extent)
            made = made[:-1]
        final, stacked = made[: len(start)], made[len(start) :]
        results = rebuild(t.Array(output_type, over_count), stacked, output)
        if extent is not None:
            results = over(results, extent.length, filled=not reverse)
        return rebuild(state_type, final, initial), results

    def while_loop(
        self,
        most: int | None,
        condition: Callable[[Value], Wire],
        step: Callable[[Value], Value],
        initial: Value,
        state_type: t.Type,
        *,
        again: bool = False,
    ) -> tuple[Wire, Value]:
        """A While node: `step` as long as `condition` holds of the state, at most `most`
        times. Gives the number of rounds, and the final state."""
        outer, keys = self.builder, self.keys
        flatten, rebuild = self.declarations.flatten, self.declarations.rebuild
        initial = unfilled(initial)
        start = flatten(outer, initial, state_type)

        def part(make: Callable[[Value], Value]) -> tuple[Builder, Value, Wire | None]:
            """A sub-graph of the round and the state; what is required in it."""
            child = outer.child()
            number = child.input(ArrayType("Int"))

            def key() -> Wire:
                with self.inside(outer, keys):
                    every = self.key()
                return child.emit("foldKey", every, number)

            with self.inside(child, Keys(key)):
                value = make(rebuild(state_type, [child.input(w.type) for w in start], initial))
                return child, value, self.doubt().wire

        observing, holds, _ = part(condition)
        # The condition in the body, and of the last state, is for what it requires alone.
        child, after, doubt = part(lambda state: (condition(state), step(state))[1])
        room = joined(initial, after)
        if room != joined(initial, initial):
            if again:
                raise ValueError("a state that is a sequence may not grow from round to round")
            initial = fitted(outer, initial, room)
            return self.while_loop(most, condition, step, initial, state_type, again=True)
        outputs = flatten(child, fitted(child, after, room), state_type)
        if doubt is not None:
            start.append(outer.constant(0, "Int"))
            observing.input(ArrayType("Int"))
            outputs.append(longest(child, [child.input(ArrayType("Int")), doubt]))
        (holding, body), captured = subgraphs_together([(observing, [holds]), (child, outputs)])
        operation = While(holding, body, len(captured), len(start), most)
        rounds, *final = outer.add(operation, (*captured, *start))
        if doubt is not None:
            self._doubts.append(final.pop())
        value = rebuild(state_type, final, initial)
        condition(value)
        return rounds, value

    def fixpoint(
        self, most: int, step: Callable[[Value], Value], initial: Value, type: t.Type
    ) -> Value:
        """A Fixpoint node: what `step` leaves as it is, found in `most` steps at most."""
        flatten, rebuild = self.declarations.flatten, self.declarations.rebuild
        start = flatten(self.builder, initial, type)
        with self.inside(self.builder.child()) as child:
            after = step(rebuild(type, [child.input(wire.type) for wire in start]))
            body = child.finish(flatten(child, after, type))
            doubted = self.doubt().wire is not None
        operation = Fixpoint(body, len(child.captured), len(start), most)
        *state, reached = self.builder.add(operation, (*child.captured, *start))
        found = rebuild(type, state)
        if doubted:
            step(found)  # for what is required there
        self.require(
            reached,
            f"this came to no fixpoint in {most:,} steps",
            "Each step must lead nearer to the answer. Shorter steps may, such as half way, "
            "`(x + f x) / 2`; `fixpoint[n] f z` takes n steps at most.",
            code="no-fixpoint",
        )
        return found

    def _loop_of_items(
        self,
        state: Value,
        sequences: Value,
        step: Callable[[Value, Value], tuple[Value, Value]],
        output_type: t.Type,
        reverse: bool,
    ) -> tuple[Value, Value]:
        """The steps one by one, along trees of which each has a shape of its own."""
        outputs: list[Value] = []
        order = range(item_count(sequences) or 0)
        for k in reversed(order) if reverse else order:
            state, output = step(state, item_at(self.builder, sequences, k))
            outputs.append(output)
        return state, self.sequence(outputs[::-1] if reverse else outputs, output_type)

    def steps(
        self,
        length: int,
        further: Further | None = None,
        each_key: Callable[[], Wire] | None = None,
    ) -> tuple[Builder, Keys, Further]:
        """The builder of a body that runs `length` times; keys that differ at each step;
        and what makes the sequences of which the inputs it declares later are elements."""
        child = self.builder.child()
        makers: Further = [] if further is None else further

        def key() -> Wire:
            split = lambda: self.builder.emit("splitKey", self.key(), count=length)  # noqa: E731
            makers.append(each_key or split)
            return child.input(ArrayType("Key"))

        return child, Keys(key), makers

    def map(
        self,
        length: int | Extent,
        sequences: Value,
        element_type: t.Type,
        function: Callable[[Value], Value],
        output_type: t.Type,
    ) -> Value:
        """A Map node: `function` on every element of `sequences`."""
        count_of_items = item_count(sequences)
        if count_of_items is not None:
            every = [item_at(self.builder, sequences, k) for k in range(count_of_items)]
            return self.sequence([function(one) for one in every], output_type)
        flatten, rebuild = self.declarations.flatten, self.declarations.rebuild
        extent = length if isinstance(length, Extent) else None
        count = length.capacity if isinstance(length, Extent) else length
        if extent is not None:
            sequences = map_leading(lambda part: filled(self.builder, part), sequences)
        sequences = elements(sequences)
        over_count = constant(count)
        given = flatten(self.builder, sequences, t.Array(element_type, over_count))
        results: list[Value] = []
        doubts: list[Wire | None] = []

        def body(items: list[Wire]) -> list[Wire]:
            results.append(function(rebuild(element_type, items, sequences)))
            wires = flatten(self.builder, results[0], output_type)
            doubts.append(self.doubt().wire)
            return [*wires, *(wire for wire in doubts if wire is not None)]

        made = self.map_wires(count, given, body)
        if doubts[0] is not None:
            self._doubt_each(made[-1], extent)
            made = made[:-1]
        value = rebuild(t.Array(output_type, over_count), made, results[0])
        return value if extent is None else over(value, extent.length, filled=True)

    def map_wires(
        self,
        length: int,
        sequences: Sequence[Wire],
        body: Callable[[list[Wire]], Sequence[Wire]],
        further: Further | None = None,
        each_key: Callable[[], Wire] | None = None,
    ) -> tuple[Wire, ...]:
        """A Map node on wires; a body that draws has a key of its own for each element,
        out of one key, or as `each_key` gives them. Sequences that the body finds it needs
        as it goes come with `further`."""
        child, keys, further = self.steps(length, further, each_key)
        with self.inside(child, keys):
            outputs = body([child.input(wire.type.element()) for wire in sequences])
        graph = child.finish(outputs)
        operands = (*child.captured, *sequences, *(make() for make in further))
        return self.builder.add(Map(graph, len(child.captured), length), operands)

    def subgraph(
        self,
        function: Value,
        like: Sequence[ArrayType],
        domain: t.Type,
        codomain: t.Type,
        shape: Value = None,
    ) -> tuple[Graph, tuple[Wire, ...], Callable[[Sequence[Wire]], Value]]:
        """A function as a graph, the outer wires it captures first among its inputs; and
        what makes its value of the graph's outputs, once they are wires out here.

        Lengths that only the wires know come with `like`, the argument's layout; the
        argument is of the shape of `shape`, where the type does not tell it.
        """
        child = self.builder.child()
        with self.inside(child):
            inputs = [child.input(array) for array in like]
            if shape is None:
                argument = self.declarations.rebuild(domain, inputs)
            else:
                supply = iter(inputs)
                argument = refilled(shape, lambda _: next(supply))
            value = function(argument)
            shaped = self.declarations.has_trees(codomain)
            outputs = spread(value) if shaped else self.flatten(value, codomain)
            doubt = self.doubt().wire

        def outcome(made: Sequence[Wire]) -> Value:
            if doubt is not None:
                self._doubts.append(made[-1])
                made = made[:-1]
            if shaped:
                answer = iter(made)
                return refilled(value, lambda _: next(answer))
            return self.declarations.rebuild(codomain, made, unfilled(value))

        graph = child.finish([*outputs, *([] if doubt is None else [doubt])])
        return graph, child.captured, outcome

    # --- what built-in names ask for --------------------------------------------------------

    def key(self) -> Wire:
        """A random key for one draw, new at each call."""
        return self.keys.next(self.builder)

    def layout(self, type: t.Type) -> list[ArrayType]:
        return self.declarations.layout(type)

    def flatten(self, value: Value, type: t.Type | None = None) -> list[Wire]:
        """The wires of a value; without a type, of one made of wires and tuples."""
        if type is None:
            return leaves(value)
        return self.declarations.flatten(self.builder, value, type)

    def rebuild(self, type: t.Type, wires: Sequence[Wire], like: Value = None) -> Value:
        return self.declarations.rebuild(type, wires, like)

    def linear_arithmetic(self, operation: str, *operands: Value) -> Value:
        """`+ - * /` and negation where an operand is a linear map, which knows how."""
        linear = next(value for value in operands if hasattr(value, "linear_map"))
        return linear.arithmetic(operation, *operands)

    def _as_linear(self, value: Value, type: t.Type) -> Value:
        assert isinstance(type, t.Linear)
        occurrence = Occurrence(type)
        return self.surroundings.builtins["asLinear"].trace(self, occurrence, value)


def _question(
    alternatives: Sequence[tuple[p.MatchConstructor, p.Expression]], env: Environment
) -> Question:
    """A catamorphism apart from the place where it is asked, and what it knows of there."""
    names = {
        node.name for _, body in alternatives for node in p.nodes(body) if isinstance(node, p.Local)
    }
    here = {name: env.locals[name] for name in names & env.locals.keys()}
    return Question((alternatives, replace(env, locals={})), here)


def _of_one_shape(items: Sequence[Value], element: t.Type) -> bool:
    """Whether values of one type have arrays of the same shapes: rows of a type [t] may not."""
    if t.is_concrete(element):
        return True
    return len({tuple(wire.type.shape for wire in leaves(item)) for item in items}) == 1


# --- sources of weights ------------------------------------------------------------------


@dataclass(frozen=True)
class GivenWeights:
    """Weights handed over as values, by path: `open f (w, x)`."""

    values: Mapping[WeightPath, Value]

    def weight(self, path: WeightPath, type: t.Type) -> Value:
        return self.values[path]


@dataclass
class StackedWeights:
    """Weights of one layer of a stack: elements of arrays that hold all layers."""

    outer: WeightSource
    count: int
    tracer: Tracer
    child: Builder | None = None
    extra: list[Callable[[], Wire]] = field(default_factory=list)
    made: dict[WeightPath, Value] = field(default_factory=dict)

    def weight(self, path: WeightPath, type: t.Type) -> Value:
        if path not in self.made:
            assert self.child is not None
            declarations = self.tracer.declarations
            inputs = [self.child.input(array) for array in declarations.layout(type)]
            whole = t.Array(type, constant(self.count))
            # The arrays are asked for outside, once the body is finished.
            value: list[Wire] = []

            def fetch(position: int) -> Wire:
                if not value:
                    stacked = self.outer.weight(path, whole)
                    value.extend(declarations.flatten(self.tracer.builder, stacked, whole))
                return value[position]

            for position in range(len(inputs)):
                self.extra.append(lambda position=position: fetch(position))  # type: ignore[misc]
            self.made[path] = declarations.rebuild(type, inputs)
        return self.made[path]


@dataclass
class InputWeights:
    """Weights as inputs of the outermost graph, made when first asked for."""

    builder: Builder
    declarations: Declarations
    wires: dict[WeightPath, tuple[t.Type, list[Wire]]] = field(default_factory=dict)

    def weight(self, path: WeightPath, type: t.Type) -> Value:
        if path not in self.wires:
            name = ".".join(path)
            try:
                layout = self.declarations.layout(type)
            except (OpenSize, NotFirstOrder):
                place = self.builder.origin or NOWHERE
                raise NnfpError(size_open(path, type, place)) from None
            made = [self.builder.input(array, name, t.show(type)) for array in layout]
            self.wires[path] = type, made
        return self.declarations.rebuild(type, self.wires[path][1])


__all__ = [
    "Environment", "GivenWeights", "InputWeights", "Keys", "Occurrence", "Scope", "StackedWeights",
    "Surroundings", "Tracer", "WeightPath", "WeightSource", "known",
]  # fmt: skip
