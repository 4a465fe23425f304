"""The tracer: a typed program is run on wires, and what it does is written down.

Functions are inlined where they are applied; combinators become one structured node
each. Nothing here knows a primitive: built-in names bring their own `trace`
(primitives/), and work with what is below the tracer, its `Context`.

    weights    come from a `WeightSource`, asked by path and type
    draws      take their keys from `Keys`, one per map element and loop step
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, TypeAlias

from ..language import typed as p
from ..language import types as t
from ..language.reach import WeightPath, reached
from ..language.sizes import Size, SizeVariable, as_size, constant
from ..language.source import Span
from .bodies import Further
from .chosen import shared
from .context import Context
from .forest import (
    Child,
    Fellow,
    Forest,
    Looked,
    NoForest,
    Parted,
    Question,
    Subtree,
    Unknown,
    reduce_forest,
)
from .graph import Builder, Elsewhere, Wire
from .grown import Grown, as_tree, opened, reduce
from .measured import measured
from .scope import (
    BuiltinRecord,
    Environment,
    GivenWeights,
    Occurrence,
    Scope,
    Surroundings,
    WeightSource,
)
from .values import Chosen, Extent, Value, Variant

# Of trees, by identity, what a catamorphism makes of them, and where that is known.
Results: TypeAlias = "dict[int, tuple[Value, Builder, Value]]"

ANY_LENGTH = as_size(SizeVariable("n", runtime=True))  # for all of which nothing is known


class Tracer(Context):
    """Runs typed expressions on wires."""

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
        super().__init__(
            builder,
            surroundings.declarations,
            key=key,
            extents=extents,
            training=surroundings.training,
            plan=surroundings.plan,
        )
        self.surroundings = surroundings
        self._external = external
        self._present = present

    # --- expressions --------------------------------------------------------------------

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
                return lambda argument: self._bound(parameter, argument, body, env)
            case p.Let(bindings=bindings, body=body):
                for k, (pattern, bound) in enumerate(bindings):
                    value = self.evaluate(bound, env)
                    try:
                        env = env.bind(self._bindings(pattern, value))
                    except Looked:
                        rest = replace(expression, bindings=bindings[k + 1 :])
                        return self._bound(pattern, value, rest, env)
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
            case p.Measured(expression=inner, found=found, type=type, told=told):
                value = self.evaluate(inner, env)
                types = self.concrete(found, env), self.concrete(type, env)
                return measured(self, value, *types, told)
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
            with self.builder.at(node.span), self.spoken(env.word):
                return self.call(record, occurrence)
        return self._curried(record, occurrence, (), node.span, env.word)

    def _curried(
        self,
        record: BuiltinRecord,
        occurrence: Occurrence,
        given: tuple[Value, ...],
        span: Span,
        word: Span | None,
    ) -> Value:
        """A built-in that waits for arguments; `span` is what is written of it so far. Where
        it is called by others (`fold cell zero`, handed to `>>`) its nodes come from there."""

        def take(argument: Value) -> Value:
            arguments = (*given, argument)
            here, named = self.builder.origin, record.name.isidentifier()
            place = here if here is not None and here.contains(span, named) else span
            if len(arguments) < record.arity:
                return self._curried(record, occurrence, arguments, place, word)
            with self.builder.at(place), self.spoken(word):
                return self.call(record, occurrence, *arguments)

        return take

    def _number(self, value: float | complex, type: t.Type) -> Wire:
        match type:
            case t.Scalar(name=name):
                return self.builder.constant(value, name)
            case t.Fin():
                return self.builder.constant(value, "Int")
            case _:
                raise AssertionError(f"a number of type {t.show(type)}")

    def _as_linear(self, value: Value, type: t.Type) -> Value:
        assert isinstance(type, t.Linear)
        occurrence = Occurrence(type)
        return self.surroundings.builtins["asLinear"].trace(self, occurrence, value)

    # --- types and sizes here -----------------------------------------------------------

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

    # --- definitions and their weights --------------------------------------------------

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
            word=env.word if node.span.source.library else node.span,
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
                    lambda state, _: (layer(state), ()), t.UNIT, opened=layers.enter,
                )  # fmt: skip
            return state

        return deep

    # --- patterns and data --------------------------------------------------------------

    def _bound(
        self, pattern: p.Pattern, value: Value, body: p.Expression, env: Environment
    ) -> Value:
        """The body with the names that an irrefutable pattern binds."""
        try:
            inside = env.bind(self._bindings(pattern, value))
        except Looked as asked:
            again = lambda known: self._bound(pattern, known, body, env)  # noqa: E731
            type = self.concrete(body.type, env)
            return self._looked(asked.tree, value, [(pattern, body)], env, type, again)
        return self.evaluate(body, inside)

    def _looked(
        self,
        tree: Unknown | Fellow | Child | Chosen,
        value: Value,
        alternatives: Sequence[tuple[p.Pattern, p.Expression]],
        env: Environment,
        type: t.Type,
        again: Callable[[Value], Value],
    ) -> Value:
        """What becomes of a value when the constructor of a tree in it is known: `again`, for
        each."""
        if isinstance(tree, Chosen):
            return self.observed(tree, lambda own: again(_with(value, tree, own)), type)
        question = self._question(alternatives, env)
        here = {**question.here, "": _with(value, tree, None)}

        def algebra(name: str, fields: tuple[Value, ...]) -> Value:
            return again(_with(value, tree, Variant(tree.type, name, {name: fields})))

        try:
            return tree.looked(self, replace(question, here=here), algebra, type)
        except Elsewhere:  # it knows something of an element, or of a step
            return again(_with(value, tree, Parted.of(self, tree)))

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
                if isinstance(value, Parted):
                    value = value.tree
                if isinstance(value, Wire) and not value.name:
                    value.name = name
                if isinstance(value, Unknown | Fellow):
                    value.plant.names.append(name)
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
            case p.MatchConstructor() if isinstance(value, Unknown | Fellow | Child):
                raise value.undecided()
            case p.MatchConstructor() if isinstance(value, Chosen):
                raise Looked(value)
            case p.MatchConstructor(name=name, arguments=arguments) if isinstance(value, Parted):
                wanted = [not isinstance(one, p.BindNothing) for one in arguments]
                return self._test(pattern, value.shown(name, wanted))
            case p.MatchConstructor() if isinstance(value, Forest | Subtree):
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
        try:
            condition, bindings = self._test(pattern, value)
        except Looked as asked:
            again = lambda known: self._match(known, alternatives, env, type)  # noqa: E731
            return self._looked(asked.tree, value, alternatives, env, type, again)

        def taken() -> Value:
            # Tests of nested patterns are made again where the branch can use them.
            return self.evaluate(body, env.bind(bindings))

        if condition is True or not others:
            return taken()
        if condition is False:
            return self._match(value, others, env, type)
        return self.choose(condition, taken, lambda: self._match(value, others, env, type), type)

    def _constructor(self, name: str, type: t.Type) -> Value:
        if name in self.declarations.reps:
            return lambda value: self._entered(name, value)
        arity, result = 0, type
        while isinstance(result, t.Function):
            arity, result = arity + 1, result.codomain
        assert isinstance(result, t.Named)

        def collect(fields: tuple[Value, ...]) -> Value:
            if len(fields) == arity:
                return Variant(result, name, {name: fields})
            return lambda field: collect((*fields, field))

        return collect(())

    def _entered(self, name: str, value: Value) -> Value:
        """A value as a representation, which is its carrier: pictures know it by the wire."""
        made = isinstance(value, Wire) and self.builder.owns(value)
        if made and self.builder.producer(value) is not None and not value.representation:
            value.representation = name
        return value

    def _cata(
        self,
        tree: Variant | Forest | Unknown | Chosen,
        alternatives: Sequence[tuple[p.MatchConstructor, p.Expression]],
        env: Environment,
        result: t.Type,
        known: Results | None = None,
    ) -> Value:
        """The catamorphism. Where a condition chooses a tree, what is `known` of trees that stand
        in others is made once."""
        if known is None and not isinstance(tree, Chosen):
            return self._reduced(tree, alternatives, env, result)
        found = known.get(id(tree)) if known is not None else None
        if found is not None and found[1].encloses(self.builder):
            return found[2]
        known, drawn = {} if known is None else known, self.keys.drawn
        value = self._reduced(tree, alternatives, env, result, known)
        if self.keys.drawn == drawn:  # what is drawn is drawn each time
            known[id(tree)] = tree, self.builder, value
        return value

    def _reduced(
        self,
        tree: Value,
        alternatives: Sequence[tuple[p.MatchConstructor, p.Expression]],
        env: Environment,
        result: t.Type,
        known: Results | None = None,
    ) -> Value:
        if isinstance(tree, Chosen):
            for part in shared(tree):
                self._cata(part, alternatives, env, result, known)
            with self._of_numbers():
                return self.observed(
                    tree, lambda own: self._cata(own, alternatives, env, result, known), result
                )
        if isinstance(tree, Grown):
            functor = tree.functor
            with self._of_numbers():
                return reduce(
                    self, tree,
                    lambda layer: self._match(as_tree(functor, layer), alternatives, env, result),
                    result,
                )  # fmt: skip
        if isinstance(tree, Forest | Subtree | Fellow | Child | Unknown):
            type = tree.type

            def algebra(name: str, fields: tuple[Value, ...]) -> Value:
                return self._algebra(type, name, fields, alternatives, env, result)

            if isinstance(tree, Unknown):
                return tree.reduce(self, algebra, result, self._question(alternatives, env))
            if isinstance(tree, Subtree | Fellow | Child):
                return tree.reduced(self, self._question(alternatives, env), algebra, result)
            return reduce_forest(self, tree, algebra, result)
        if tree.constructor is None:
            # A value whose constructor is only known at run time is not recursive here.
            return self._match(tree, alternatives, env, result)
        declared = self.declarations.constructors(tree.type)[tree.constructor]

        def below(child: Value) -> Value:
            return self._cata(child, alternatives, env, result, known)

        fields = tuple(
            self.reduced(value, field, tree.type, result, below)
            for field, value in zip(declared, tree.fields[tree.constructor], strict=True)
        )
        return self._algebra(tree.type, tree.constructor, fields, alternatives, env, result)

    def _question(
        self, alternatives: Sequence[tuple[p.Pattern, p.Expression]], env: Environment
    ) -> Question:
        """A catamorphism apart from the place where it is asked, and what it knows of there. A
        length of which nothing is known is another in each use of a name (decision 57), and no
        part of what is asked: `flat t`, written twice, is made once."""
        names = {
            node.name
            for _, body in alternatives
            for node in p.nodes(body)
            if isinstance(node, p.Local)
        }
        here = {name: env.locals[name] for name in names & env.locals.keys()}

        def told(type: t.Type) -> t.Type:
            sizes = t.free_variables(type)[1]
            untold = [size for size in sizes if size.runtime and size not in self.extents]
            return t.substitute(type, {}, dict.fromkeys(untold, ANY_LENGTH))

        types = {variable: told(type) for variable, type in env.types.items()}
        sizes = {variable: told(t.Fin(size)) for variable, size in env.sizes.items()}
        around = replace(env, locals={}, types={}, sizes={})
        return Question((tuple(alternatives), around, types, sizes), here)

    def _algebra(
        self,
        type: t.Named,
        constructor: str,
        fields: tuple[Value, ...],
        alternatives: Sequence[tuple[p.MatchConstructor, p.Expression]],
        env: Environment,
        result: t.Type,
    ) -> Value:
        """The algebra at one node, whose fields have results in place of the children."""
        reduced = Variant(type, constructor, {constructor: fields})
        for pattern, body in alternatives:
            try:
                condition, bindings = self._test(pattern, reduced)
            except Looked as asked:  # a child's result is a tree, with one constructor
                again = lambda node: self._match(node, alternatives, env, result)  # noqa: E731
                return self._looked(asked.tree, reduced, alternatives, env, result, again)
            if condition is True:
                return self.evaluate(body, env.bind(bindings))
        raise AssertionError("inference checks that a cata covers every constructor")


def _with(value: Value, tree: Value, other: Value) -> Value:
    """A value with another in place of a tree in it."""
    if value is tree:
        return other
    match value:
        case tuple():
            return tuple(_with(part, tree, other) for part in value)
        case Variant(fields=fields):
            return replace(value, fields={k: _with(v, tree, other) for k, v in fields.items()})
        case Parted():
            return value.knowing(lambda part: _with(part, tree, other), tree, other)
        case _:
            return value


@dataclass
class StackedWeights:
    """Weights of one layer of a stack: elements of arrays that hold all layers."""

    outer: WeightSource
    count: int
    context: Context
    child: Builder | None = None
    further: Further = field(default_factory=list)
    made: dict[WeightPath, Value] = field(default_factory=dict)

    def enter(self, child: Builder, further: Further) -> None:
        """From now on a layer is made in `child`, which gets its elements by `further`."""
        self.child, self.further, self.made = child, further, {}

    def weight(self, path: WeightPath, type: t.Type) -> Value:
        if path not in self.made:
            assert self.child is not None
            declarations = self.context.declarations
            inputs = [self.child.input(array) for array in declarations.layout(type)]
            whole = t.Array(type, constant(self.count))
            # The arrays are asked for outside, once the body is finished.
            value: list[Wire] = []

            def fetch(position: int) -> Wire:
                if not value:
                    stacked = self.outer.weight(path, whole)
                    value.extend(declarations.flatten(self.context.builder, stacked, whole))
                return value[position]

            for position in range(len(inputs)):
                self.further.append(lambda position=position: fetch(position))  # type: ignore[misc]
            self.made[path] = declarations.rebuild(type, inputs)
        return self.made[path]
