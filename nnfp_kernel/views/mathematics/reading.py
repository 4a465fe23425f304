"""From a definition to its tape: a typed expression, read as mathematics reads it.

The reader runs a typed expression as the tracer does, on quantities in place of arrays. A
definition that is used by name stays a name, `layer(x)`, with its derivative `D layer(x)`;
what only puts functions together (`residual`, `fst`), and what takes functions, is written
out. Sizes stay letters: nothing is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

from ...language import typed as p
from ...language import types as t
from ...language.sizes import Size, SizeVariable
from ...runtime.program import Program
from . import formula as m
from . import rules
from .blocks import Equation, Recurrence, Recursion
from .branches import case, choose
from .constructors import ANY, joined, opened
from .derivatives import SIGNS, derivative, linear_at
from .formula import Formula
from .latex import to_latex
from .loops import loop
from .named import opaque
from .quantities import (
    Alternatives,
    Built,
    Meaning,
    Value,
    differentiable,
    flat,
    rebuilt,
    size_formula,
    spread,
)
from .tape import Block, Operation, Quantity, alias, varying
from .trees import cata
from .vectors import sequence


@dataclass(frozen=True)
class Environment:
    owner: str
    locals: Mapping[str, Value] = field(default_factory=dict)
    types: Mapping[t.TypeVariable, t.Type] = field(default_factory=dict)
    sizes: Mapping[SizeVariable, Size] = field(default_factory=dict)
    copied: bool = False  # inside a definition that is written out: its holes are others

    def bind(self, names: Mapping[str, Value]) -> Environment:
        return replace(self, locals={**self.locals, **names})


# Of definitions that stay names: which parts of what they give move.
_MOVING: WeakKeyDictionary[Program, dict[str, tuple[bool, ...]]] = WeakKeyDictionary()
LONG_BODY = 12  # atoms of a function that is written out as an argument


class Reader:
    """Reads one definition. `folded` are the definitions that stayed names."""

    def __init__(self, program: Program, name: str) -> None:
        self.program = program
        self.definition = program.definitions[name]
        self.block = self.top = Block()
        self.taken: set[Formula] = set()  # names that are bound here
        self.spent: set[Formula] = set()  # names that are bound elsewhere: in other cases
        self.sizes = {m.symbol(size.name) for size in self.definition.scheme.sizes}
        self.bases: set[Formula] = set()  # of recursions: y of y_{Node l r}
        self.inputs: list[Quantity] = []
        self.weights: dict[tuple[str, ...], Quantity] = {}
        self.folded: list[str] = []
        self.named = 0  # how often names were given since the reading
        self.results: list[Quantity] = []
        self._read()

    # --- the definition -------------------------------------------------------------------

    def _read(self) -> None:
        definition = self.definition
        for hole in definition.holes:
            self.taken.add(m.symbol(hole.name))
        if any(_over_complex(node) for node in p.nodes(definition.body)):
            self.taken.add(m.Letter("i"))  # the imaginary unit
        env = Environment(definition.name)
        self.arguments: list[Value] = []
        domains, result = t.uncurried(definition.scheme.type)
        body: p.Expression = definition.body
        value: Value = None
        patterns: list[p.Pattern] = []
        while isinstance(body, p.Lambda) and len(patterns) < len(domains):
            patterns.append(body.parameter)
            body = body.body
        for pattern, domain in zip(patterns, domains, strict=False):
            argument, names = self._parameter(pattern, domain)
            self.arguments.append(argument)
            env = env.bind(names)
        value = self.evaluate(body, env)
        letters = iter("xzuvpq")
        for domain in domains[len(patterns) :]:
            tree = isinstance(domain, t.Named) and domain.name in self.program.data
            argument = self._given(domain, "t" if tree else next(letters))
            self.arguments.append(argument)
            value = self.apply(value, argument)
        self.result = self._named_result(joined(self, value, result))

    def _parameter(self, pattern: p.Pattern, type: t.Type) -> tuple[Value, dict[str, Value]]:
        """A parameter as quantities with the names of its pattern."""
        match pattern:
            case p.BindName(name=name):
                argument = self._given(type, name)
                return argument, {name: argument}
            case p.MatchTuple(items=items) if isinstance(type, t.Product):
                pairs = [self._parameter(*each) for each in zip(items, type.items, strict=True)]
                names = {name: value for _, bound in pairs for name, value in bound.items()}
                return tuple(argument for argument, _ in pairs), names
            case p.LeaveRep(name=name, argument=inner) if isinstance(type, t.Named):
                return self._parameter(inner, self.program.reps[name].carrier)
            case p.MatchConstructor(name=name, arguments=fields):
                pairs = [self._parameter(each, each.type) for each in fields]
                names = {name: value for _, bound in pairs for name, value in bound.items()}
                return Built(name, tuple(argument for argument, _ in pairs)), names
            case _:
                argument = self._given(type, "x")
                return argument, self.bindings(pattern, argument)

    def _given(self, type: t.Type, name: str) -> Value:
        """An input of a type; of a product, one for each item."""
        if isinstance(type, t.Named) and type.name in self.program.reps:
            return self._given(self.program.reps[type.name].carrier, name)
        if isinstance(type, t.Product):
            return tuple(self._given(item, f"{name}{k}") for k, item in enumerate(type.items, 1))
        if isinstance(type, t.Array) and isinstance(type.element, t.Product):
            items = [t.Array(item, type.length) for item in type.element.items]
            return tuple(self._given(item, f"{name}{k}") for k, item in enumerate(items, 1))
        if isinstance(type, t.Function):
            return self.unknown_function(m.symbol(name), type)
        quantity = self.input(type, name)
        self.inputs.append(quantity)
        return quantity

    def input(self, type: t.Type, name: str) -> Quantity:
        role = "input" if differentiable(type) else "constant"
        return Quantity(type, self.name(name, type), role=role)

    def _named_result(self, value: Value) -> Value:
        """The result with a name, y, or one for each part."""
        parts = list(flat(value))
        if not parts:
            return value
        letters = (
            [self.fresh("y", "z", "u", "v", result=True)]
            if len(parts) == 1
            else self._numbered("y", len(parts))
        )
        named: dict[int, Quantity] = {}
        for k, (part, letter) in enumerate(zip(parts, letters, strict=True)):
            if part.maker is None or part.name is not None or part.role == "constant":
                own = part.maker is not None and part.name is not None and not _end(part)
                if own and _plain(part.name):
                    named[k] = part
                    continue
                part = self.add(alias(part), part.type)
            part.name = letter
            named[k] = part
        self.results = [named[k] for k in range(len(parts))]
        supply = iter(self.results)
        return rebuilt(value, lambda _: next(supply))

    # --- names ----------------------------------------------------------------------------

    def name(self, name: str, type: t.Type | None = None) -> Formula:
        """The symbol of a name; `xs` of a sequence is x, with elements x_t, but n is a size."""
        if isinstance(type, t.Array) and len(name) == 2 and name[1] == "s" and name[0] != "n":
            letter = m.symbol(name[0])
            if letter not in self.taken and letter not in self.sizes:
                self.taken.add(letter)
                return letter
        symbol = m.symbol(name)
        while symbol in self.taken or symbol in self.sizes:
            name += "'"
            symbol = m.symbol(name)
        self.taken.add(symbol)
        return symbol

    def fresh(self, *names: str, result: bool = False) -> Formula:
        """The first of some names that is free, else one with a number. What a recursion makes
        at its nodes, y_{Node l r}, has the letter of its `result` alone."""
        candidates = [*names, *(f"{names[0]}{k}" for k in range(1, 1000))]
        used = self.taken | self.spent | self.sizes | (set() if result else self.bases)
        symbol = next(s for s in map(m.symbol, candidates) if s not in used)
        self.taken.add(symbol)
        return symbol

    def _numbered(self, name: str, count: int) -> list[Formula]:
        return [self.name(f"{name}{k}") for k in range(1, count + 1)]

    def index(self, *names: str) -> Formula:
        """A letter for an index, free within the present block."""
        used = self.taken | self.spent | self.sizes
        used |= {each for index in self.indices for each in (index, *m.inside(index))}
        return next(m.symbol(n) for n in (*names, *"ijklmnpqrstuvw") if m.symbol(n) not in used)

    indices: tuple[Formula, ...] = ()
    real = False  # whether a field that is open, R or C, was taken to be R

    def within_loops(self, name: Formula) -> Formula:
        """The name with the indices of the loops around: k_t."""
        for index in self.indices:
            name = m.indexed(name, index)
        return name

    # --- the tape -------------------------------------------------------------------------

    def add(self, operation: Operation, *types: t.Type) -> Quantity:
        """An operation at the end of the present block; its first output."""
        if not operation.outputs:
            operation.outputs = tuple(
                Quantity(type, None, operation, k, "" if differentiable(type) else "constant")
                for k, type in enumerate(types)
            )
        for place, quantity in enumerate(operation.outputs):
            quantity.maker, quantity.place = operation, place
            quantity.indices = self.indices
        self.block.operations.append(operation)
        return operation.outputs[0]

    @contextmanager
    def within(self, block: Block) -> Iterator[Block]:
        before, indices = self.block, self.indices
        self.block = block
        if block.index is not None:
            self.indices = (*indices, block.index)
        try:
            yield block
        finally:
            self.block, self.indices = before, indices

    # --- expressions ----------------------------------------------------------------------

    def evaluate(self, expression: p.Expression, env: Environment) -> Value:
        match expression:
            case p.Local(name=name):
                return env.locals[name]
            case p.Apply():
                spine = [expression]  # a long sum is nested to the left
                while isinstance(inner := spine[-1].function, p.Apply) and isinstance(
                    inner.argument, p.Apply
                ):
                    spine.append(inner.argument)
                value: Value = None
                for node in reversed(spine):
                    if value is not None and isinstance(node.function, p.Apply):
                        function = self.apply(self.evaluate(node.function.function, env), value)
                    else:
                        function = self.evaluate(node.function, env)
                    value = self.apply(function, self.evaluate(node.argument, env))
                return value
            case p.Literal(value=number, type=type):
                return self.constant(m.number(number), self.concrete(type, env))
            case p.SizeValue(size=size, type=type):
                return self.constant(size_formula(size.substitute(env.sizes)), type)
            case p.Builtin():
                return self.builtin(expression, env)
            case p.Global():
                return self._use(expression, env)
            case p.Hole(name=name, type=type):
                return self._weight((env.owner, name), name, self.concrete(type, env), env)
            case p.Lambda(parameter=parameter, body=body):
                call = lambda argument: self.evaluate(  # noqa: E731
                    body, env.bind(self.bindings(parameter, argument, not env.copied))
                )
                memo: dict[int, Formula] = {}

                def once() -> Formula:
                    if not self.named or self.named not in memo:
                        memo[self.named] = self._lambda(parameter, call)
                    return memo[self.named]

                return Meaning(call, once, given=lambda: self._placeholder(parameter))
            case p.Let(bindings=bindings, body=body):
                for pattern, bound in bindings:
                    env = env.bind(self.bindings(pattern, self.evaluate(bound, env), True))
                return self.evaluate(body, env)
            case p.If(condition=condition, then=then, otherwise=otherwise, type=type):
                said = self.shown(self.evaluate(condition, env))
                return self.choose(
                    [
                        (m.row(m.Words("if "), said), said, lambda: self.evaluate(then, env)),
                        (
                            m.Words("otherwise"),
                            m.negation(said),
                            lambda: self.evaluate(otherwise, env),
                        ),
                    ],
                    self.concrete(type, env),
                )
            case p.Case(scrutinee=scrutinee, alternatives=alternatives, type=type):
                value = self.evaluate(scrutinee, env)
                return case(self, value, alternatives, env, self.concrete(type, env))
            case p.MakeProduct(items=items):
                return tuple(self.evaluate(item, env) for item in items)
            case p.MakeSequence(items=items, type=type):
                return sequence(
                    self, [self.evaluate(item, env) for item in items], self.concrete(type, env)
                )
            case p.Construct(name=name, type=type):
                return self._constructor(name, type)
            case p.Cata(alternatives=alternatives, type=type):
                return Meaning(
                    lambda tree: cata(self, tree, alternatives, self.concrete(type, env), env),
                    lambda: m.Letter("cata"),
                )
            case p.Fresh(expression=inner):
                return self.evaluate(inner, env)
            case p.Stack(count=count, expression=inner):
                return self._stack(count.substitute(env.sizes), inner, env)
            case p.Open(target=target, type=type):
                shown = m.row(m.Letter("open"), m.Space(), m.symbol(target.name), binds=m.FUNCTION)
                return self.unknown_function(shown, self.concrete(type, env))
            case p.WeightsOf(name=name, type=type):
                return self.constant(m.indexed(m.Letter("θ"), m.symbol(name)), type)
            case p.WeightValue(path=path, type=type):
                return self.constant(m.symbol(path[-1]), type)
            case p.External(name=name, type=type):
                return self.constant(m.symbol(name), type)
            case p.AsLinear(expression=inner) | p.Measured(expression=inner):
                return self.evaluate(inner, env)
            case _:
                raise AssertionError(f"no mathematics for {type_name(expression)}")

    def concrete(self, type: t.Type, env: Environment) -> t.Type:
        return t.substitute(type, env.types, env.sizes)

    def constant(self, shown: Formula, type: t.Type) -> Quantity:
        return Quantity(type, shown, role="constant")

    def apply(self, function: Value, argument: Value) -> Value:
        if isinstance(function, Meaning):
            return function.call(argument)
        return linear_at(self, function, argument)

    def shown(self, value: Value) -> Formula:
        """A value as a formula."""
        match value:
            case Quantity():
                return value.shown()
            case tuple():
                return m.tupled([self.shown(item) for item in value]) if value else m.Words("()")
            case Meaning():
                return value.shown()
            case Built(name=name, fields=fields):
                said = m.Letter(name)
                return m.applied(said, [self.shown(f) for f in fields]) if fields else said
            case Alternatives(branches=branches):
                return m.Cases(tuple((self.shown(each), said) for said, _, _, each in branches))
            case _:
                raise AssertionError(f"no formula for {type_name(value)}")

    def _lambda(self, parameter: p.Pattern, call: Callable[[Value], Value]) -> Formula:
        """x ↦ …, read apart: nothing of it goes on the tape. A body that is long, or that
        needs names, is left out."""
        with self.apart() as block:
            given = self._placeholder(parameter)
            body = self.shown(call(given))
            made = [q for operation in block.everywhere() for q in operation.outputs]
            if m.size_of(body) > LONG_BODY or any(q.name is not None for q in made):
                body = m.Sign("…")
            return m.Row((self.shown(given), m.Sign("↦"), body), m.RELATION)

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Names said for every node of a tree have no index of the loops around."""
        indices, self.indices = self.indices, ()
        yield
        self.indices = indices

    @contextmanager
    def scope(self) -> Iterator[None]:
        """A case, whose names may be bound again in the next."""
        taken = set(self.taken)
        yield
        self.spent |= self.taken
        self.taken = taken

    @contextmanager
    def apart(self) -> Iterator[Block]:
        """Where something is read that leaves no trace: no operation, and no name taken."""
        taken = set(self.taken)
        with self.within(Block()) as block:
            yield block
        self.taken = taken

    def _placeholder(self, pattern: p.Pattern) -> Value:
        match pattern:
            case p.BindName(name=name, type=type):
                return spread(type, m.symbol(name), self.program, "constant")
            case p.MatchTuple(items=items):
                return tuple(map(self._placeholder, items))
            case p.LeaveRep(argument=argument):
                return self._placeholder(argument)
            case _:
                return self.constant(ANY, pattern.type)

    def bindings(self, pattern: p.Pattern, value: Value, name: bool = False) -> dict[str, Value]:
        """What a pattern binds. With `name`, a quantity without a name takes the pattern's."""
        match pattern:
            case p.BindName(name=bound):
                if name and isinstance(value, Quantity) and self._nameable(value):
                    value.name = self.within_loops(self.name(bound, value.type))
                return {bound: value}
            case p.BindNothing() | p.MatchNumber():
                return {}
            case p.MatchTuple(items=items) if isinstance(value, tuple):
                pairs = zip(items, value, strict=True)
                found: dict[str, Value] = {}
                for item, part in pairs:
                    found |= self.bindings(item, part, name)
                return found
            case p.LeaveRep(argument=argument):
                return self.bindings(argument, value, name)
            case p.MatchConstructor(arguments=arguments) if isinstance(value, Built):
                found = {}
                for item, part in zip(arguments, value.fields, strict=True):
                    found |= self.bindings(item, part, name)
                return found
            case _:
                found = self.fields(pattern)
                if isinstance(value, Quantity):
                    opened(self, pattern, value, found)
                return found

    def _nameable(self, value: Quantity) -> bool:
        return value.name is None and value.maker in self.block.operations

    def fields(self, pattern: p.Pattern) -> dict[str, Value]:
        """The parts of a value known only at run time, as quantities of their names."""
        match pattern:
            case p.BindName(name=name, type=type):
                letter = self.within_loops(self.name(name, type))
                return {name: spread(type, letter, self.program)}
            case p.MatchTuple(items=items):
                return {k: v for item in items for k, v in self.fields(item).items()}
            case p.MatchConstructor(arguments=items):
                return {k: v for item in items for k, v in self.fields(item).items()}
            case p.LeaveRep(argument=argument):
                return self.fields(argument)
            case _:
                return {}

    # --- definitions that are used --------------------------------------------------------

    def _use(self, use: p.Global, env: Environment) -> Value:
        """A definition: a name that stays, or written out where it takes functions."""
        definition = self.program.definitions[use.name]
        types = {v: self.concrete(type, env) for v, type in use.instance.types.items()}
        sizes = {v: size.substitute(env.sizes) for v, size in use.instance.sizes.items()}
        type = self.concrete(use.type, env)
        domains, result = t.uncurried(type)
        if use.name in SIGNS and definition.span.source.name.startswith("std/"):
            return derivative(self, use.name, type)
        if not domains and not isinstance(result, t.Linear):
            return self._constant_definition(use, result, definition)
        layers = any(self._is_layer(each) for each in (*domains, result))
        if layers or _takes_functions(domains) or _wiring(definition):
            inner = Environment(use.label or use.name, {}, types, sizes, True)
            value = self.evaluate(definition.body, inner)
            return (
                Meaning(value.call, lambda: m.symbol(use.name), use.name == "id")
                if (isinstance(value, Meaning))
                else value
            )
        shown = m.symbol(use.label or use.name)
        if use.name not in self.folded:
            self.folded.append(use.name)
        return self.curried(
            len(domains) or 1,
            shown,
            lambda arguments: self._call(
                use,
                shown,
                [joined(self, *each) for each in zip(arguments, domains, strict=False)],
                result,
            ),
        )

    def _is_layer(self, type: t.Type) -> bool:
        """Whether it is the base functor of a tree: of one layer, as `ana` and `para` take it."""
        data = self.program.data.get(type.name) if isinstance(type, t.Named) else None
        return data is not None and bool(data.base_of)

    def _constant_definition(self, use: p.Global, type: t.Type, definition: p.Definition) -> Value:
        if definition.learns:
            return spread(type, m.symbol(use.name), self.program, "constant")
        if use.name not in self.folded:
            self.folded.append(use.name)
        return spread(type, m.symbol(use.name), self.program, "constant")

    def curried(
        self, arity: int, shown: Formula, call: Callable[[list[Value]], Value],
        given: tuple[Value, ...] = (),
    ) -> Value:  # fmt: skip
        """A function of so many arguments, one after the other."""
        if arity == len(given):
            return call(list(given))
        said = lambda: m.applied(shown, [self.shown(g) for g in given]) if given else shown  # noqa: E731
        return Meaning(lambda argument: self.curried(arity, shown, call, (*given, argument)), said)

    def call(
        self, function: Formula, arguments: Sequence[Value], result: t.Type, learns: bool = False
    ) -> Value:
        """A function that stays a name, at its arguments."""
        others = [(m.Letter("θ"), self._bundle(function))] if learns else []
        return opaque(self, function, arguments, result, others)

    def _moving(self, name: str) -> tuple[bool, ...]:
        """Which parts of what a definition gives move with its arguments or weights: an
        accuracy does not, though it is a number."""
        known = _MOVING.setdefault(self.program, {})
        if name not in known:
            known[name] = (True,)  # for one that is on its way, which none should be
            own = Reader(self.program, name)
            moved = varying(own.top, {*own.inputs, *own.weights.values()})
            known[name] = tuple(q in moved for q in own.results)
        return known[name]

    def _call(self, use: p.Global, shown: Formula, given: list[Value], result: t.Type) -> Value:
        """A definition that stays a name, at its arguments: what cannot move is constant."""
        value = self.call(shown, given, result, self.program.definitions[use.name].learns)
        moving = self._moving(use.name)
        parts = list(flat(value))
        flags = moving if len(moving) == len(parts) else [any(moving)] * len(parts)
        for part, moves in zip(parts, flags, strict=True):
            if not moves:
                part.role = "constant"
        return value

    def _bundle(self, function: Formula) -> Quantity:
        """θ_f: all the weights of a definition that stays a name."""
        key = ("θ", to_latex(function))
        return self._learned(key, m.indexed(m.Letter("θ"), function), t.UNIT)

    _layer: Formula | None = None  # the index of the stack whose layer is being read

    def _learned(self, path: tuple[str, ...], name: Formula, type: t.Type) -> Quantity:
        """A weight; in a stack, that of one layer."""
        if self._layer is not None:
            path, name = (*path, to_latex(self._layer)), m.indexed(name, self._layer)
        if path not in self.weights:
            self.weights[path] = Quantity(type, name, role="weight", per=self._layer)
        return self.weights[path]

    def unknown_function(self, shown: Formula, type: t.Type) -> Value:
        if isinstance(type, t.Linear):
            return Meaning(lambda v: opaque(self, shown, [v], type.codomain), lambda: shown)
        domains, result = t.uncurried(type)
        return self.curried(
            len(domains), shown, lambda arguments: self.call(shown, arguments, result)
        )

    def _weight(self, path: tuple[str, ...], name: str, type: t.Type, env: Environment) -> Value:
        symbol = m.symbol(name)
        if env.copied:
            symbol = m.indexed(symbol, m.symbol(env.owner))
        return self._learned(path, symbol, type)

    # --- built-in names -------------------------------------------------------------------

    def builtin(self, use: p.Builtin, env: Environment) -> Value:
        record = self.program.builtins[use.name]
        type = self.concrete(use.type, env)
        brackets = tuple(size.substitute(env.sizes) for size in use.brackets)
        options = {
            k: v.substitute(env.sizes) if isinstance(v, Size) else v for k, v in use.options.items()
        }
        concrete = replace(use, type=type, brackets=brackets, options=options)
        arity = record.arity
        shown = m.Letter(use.name) if use.name.isalpha() else m.Words(use.name)
        if use.name in SIGNS:
            return derivative(self, use.name, type)
        if not arity:
            return rules.applied(self, concrete, [])
        made = self.curried(
            arity, shown, lambda arguments: rules.applied(self, concrete, arguments)
        )
        return replace(made, linear=use.name in rules.LINEAR)

    # --- control --------------------------------------------------------------------------

    def choose(
        self, branches: Sequence[tuple[Formula, Formula, Callable[[], Value]]], type: t.Type
    ) -> Value:
        """One of several values: how each is said, its condition, and how it is made."""
        return choose(self, branches, type)

    def pattern(
        self, pattern: p.Pattern, bound: Mapping[str, Value], rest: Formula = ANY
    ) -> Formula:
        """A pattern with what it binds, and with `rest` for what it does not."""
        match pattern:
            case p.BindName(name=name):
                return self.shown(bound[name]) if name in bound else m.symbol(name)
            case p.MatchNumber(value=value):
                return m.Digits(f"{value:g}")
            case p.MatchTuple(items=items):
                return m.tupled([self.pattern(item, bound, rest) for item in items])
            case p.MatchConstructor(name=name, arguments=arguments):
                fields = [self.pattern(item, bound, rest) for item in arguments]
                return m.applied(m.Letter(name), fields) if fields else m.Letter(name)
            case p.LeaveRep(argument=argument):
                return self.pattern(argument, bound, rest)
            case _:
                return rest

    def _constructor(self, name: str, type: t.Type) -> Value:
        if name in self.program.reps:
            return Meaning(lambda value: value, lambda: m.Letter(name))
        domains, _ = t.uncurried(type)
        if not domains:
            return Built(name, ())
        return self.curried(len(domains), m.Letter(name), lambda fields: Built(name, tuple(fields)))

    def renamed(self, quantity: Quantity, name: Formula | None) -> Quantity:
        """A quantity made in the present block that may take a name of its own."""
        if quantity.name is not None or quantity.maker not in self.block.operations:
            role = quantity.role
            quantity = self.add(alias(quantity), quantity.type)
            quantity.role = "constant" if role == "constant" else quantity.role
        quantity.name = name
        return quantity

    def ensure_named(self, quantity: Quantity, *names: str) -> None:
        """A name for what has none, with the indices of the loops that it is made in."""
        if quantity.name is None:
            quantity.name = self.fresh(*names)
            for index in quantity.indices:
                quantity.name = m.indexed(quantity.name, index)

    def _stack(self, count: Size, inner: p.Expression, env: Environment) -> Value:
        shown = lambda: m.applied(  # noqa: E731
            m.Letter("stack"), [self.shown(self.evaluate(inner, env))]
        )

        def call(value: Value) -> Value:
            def step(state: Value, _: Value) -> tuple[Value, Value]:
                before, self._layer = self._layer, self.indices[-1]
                try:
                    return self.apply(self.evaluate(inner, env), state), ()
                finally:
                    self._layer = before

            final, _ = loop(self, value, (), size_formula(count), step, index=("k",), letter="h")
            return final

        return Meaning(call, shown)


# --- what is written out ------------------------------------------------------------------


def type_name(value: object) -> str:
    return type(value).__name__


def _end(quantity: Quantity) -> bool:
    """Whether it is where a recurrence or a recursion ends: s_n, y_t."""
    maker = quantity.maker
    if isinstance(maker, Recurrence):
        return quantity.place < len(maker.initial)
    return isinstance(maker, Recursion | Equation)


def _plain(name: Formula | None) -> bool:
    """A name of its own, not the end of a loop: h, and not s_n."""
    return isinstance(name, m.Letter) or (
        isinstance(name, m.Script) and isinstance(name.sub, m.Digits | None)
    )


def _over_complex(node: p.Node) -> bool:
    """Whether complex numbers occur in the type of a part of a program."""
    todo = [getattr(node, "type", None)]
    while todo:
        match todo.pop():
            case t.Scalar() as scalar if scalar == t.C:
                return True
            case t.Array(element=inner):
                todo.append(inner)
            case t.Product(items=items) | t.Named(arguments=items):
                todo += items
            case (
                t.Function(domain=domain, codomain=codomain)
                | t.Linear(domain=domain, codomain=codomain)
            ):
                todo += [domain, codomain]
    return False


def _takes_functions(domains: Sequence[t.Type]) -> bool:
    def function(type: t.Type) -> bool:
        if isinstance(type, t.Product):
            return any(map(function, type.items))
        return isinstance(type, t.Function)

    return any(map(function, domains))


def _wiring(definition: p.Definition) -> bool:
    """Whether a definition only puts its arguments in other places: `fst`, `swap`."""
    return all(
        isinstance(node, p.Local | p.Lambda | p.MakeProduct | p.Apply | p.Pattern)
        for node in p.nodes(definition.body)
    )
