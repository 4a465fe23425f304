"""Reading a typed program as a string diagram: the program is run on wires.

As in graph/trace.py, functions are Python callables while reading, and a combinator
says how its wires go (combinators.py). But nothing is opened that has a name: a
definition that is used is one box. What flows is in values.py; the boxes and groups that
are made on the way are put into a draft (draft.py).

An array of pairs is a pair of arrays, so `zip` and `unzip` are no boxes: they are how
wires go. Functions of functions are opened where they are used, in a group.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from ...language import typed as p
from ...language import types as t
from ...language.source import Span
from ...runtime.program import Program
from .combinators import REPEATING, RULES, Use
from .diagram import Diagram, Group, Wire
from .draft import Draft, alone
from .owners import Holder, owner_of, owner_of_holes
from .patterns import bindings, fields
from .place import Place
from .values import (
    SYMBOLS,
    Closure,
    Term,
    Value,
    brackets,
    flat,
    holds_function,
    label_of,
    made_of,
    plumbing,
    written,
)


def read(program: Program, name: str, loops: bool = False, opened: Collection[str] = ()) -> Diagram:
    """The diagram of a definition: a wire in for each part of its parameters.

    Holes of its own are rings on boxes, definitions it uses are boxes with their names.
    With `loops`, definitions in which something is repeated are opened too, to unroll it.
    Uses of definitions that are `opened`, by their keys, are groups with what they do inside.
    """
    return Reader(program, name, loops, opened).definition()


class Reader:
    """A definition in the reading: what each of its expressions is in wires, and the diagram
    so far."""

    def __init__(
        self, program: Program, name: str, loops: bool, opened: Collection[str] = ()
    ) -> None:
        self.program = program
        self.loops = loops
        self.name = name
        self.open = frozenset(opened)
        self.within = ""  # the key of the use that is read
        self.uses: dict[str, int] = {}  # how many were met inside of each
        self.holder = Holder(name, (name,))
        self.draft = Draft(lambda text: owner_of_holes(program, self.holder, text))
        self.primes: dict[tuple[str, ...], str] = {}

    # --- a whole definition --------------------------------------------------------------

    def definition(self) -> Diagram:
        definition = self.program.definitions[self.name]
        body: p.Expression = definition.body
        value = self.value(body, Place((self.name,)))
        type = definition.scheme.type
        inputs: list[Wire] = []
        while isinstance(type, t.Function | t.Linear) and isinstance(value, Closure):
            name = ""
            if isinstance(body, p.Lambda):
                if isinstance(body.parameter, p.BindName):
                    name = body.parameter.name
                argument = self.argument(type.domain, body.parameter, inputs)
                body = body.body
            else:
                argument = self.argument(type.domain, None, inputs, name)
            value, type = value.run(argument), type.codomain
        outputs = self.draft.flow(value)
        return self.draft.finish(self.draft.sheet, inputs, outputs)

    def argument(
        self, type: t.Type, pattern: p.Pattern | None, inputs: list[Wire], name: str = ""
    ) -> Value:
        """A value of wires that come in, called as the pattern calls them."""
        match type, pattern:
            case t.Function() as arrow, _:
                known = pattern.name if isinstance(pattern, p.BindName) else name or "f"
                return self.parameter(known, arrow)
            case t.Product(items), p.MatchTuple(items=patterns):
                return tuple(
                    self.argument(item, inside, inputs)
                    for item, inside in zip(items, patterns, strict=True)
                )
            case t.Product(items), _:
                return tuple(self.argument(item, None, inputs) for item in items)
        inside = pattern.argument if isinstance(pattern, p.LeaveRep) else pattern
        known = inside.name if isinstance(inside, p.BindName) else name

        def wire(leaf: t.Type) -> Wire:
            inputs.append(self.draft.wire(leaf, known))
            return inputs[-1]

        return made_of(type, wire)

    def parameter(self, name: str, arrow: t.Function) -> Closure:
        """A function that is an argument: a box, wherever it is applied."""
        return self.curried(
            name, arrow, lambda given, result: self.draft.box("parameter", name, given, result)
        )

    def curried(
        self, text: str, type: t.Type, done: Callable[[list[Value], t.Type], Value]
    ) -> Closure:
        """A function that collects its arguments, as many as its type has arrows."""

        def take(given: list[Value], rest: t.Type, text: str) -> Closure:
            assert isinstance(rest, t.Function | t.Linear)

            def run(argument: Value) -> Value:
                arguments = [*given, argument]
                if isinstance(rest.codomain, t.Function):
                    return take(arguments, rest.codomain, f"{text} {written(argument)}")
                return done(arguments, rest.codomain)

            return Closure(text, rest, run)

        return take([], type, text)

    # --- wires and boxes ------------------------------------------------------------------

    # --- groups -----------------------------------------------------------------------------

    # --- expressions --------------------------------------------------------------------------

    def value(self, expression: p.Expression, place: Place) -> Value:
        """What an expression is: wires, or a function of wires."""

        def type_here() -> t.Type:
            return place.type(expression.type)

        match expression:
            case p.Local(name=name):
                return place.locals[name]
            case p.Apply():
                return self.application(expression, place)
            case p.Literal(value=value):
                return Term(f"{value:g}" if isinstance(value, float) else str(value), type_here())
            case p.SizeValue(size=size):
                size = size.substitute(place.sizes)
                return Term(str(size), type_here(), atomic=size.atom is not None)
            case p.Hole(name=name):
                return Term(f"?{name}", type_here(), learns=True)
            case p.Builtin():
                return self.builtin(expression, type_here(), place)
            case p.Global():
                return self.use(expression, type_here(), place)
            case p.Lambda():
                return self.function(expression, type_here(), place)
            case p.Let(bindings=pairs, body=body):
                for pattern, bound in pairs:
                    place = place.bind(
                        bindings(self.draft, pattern, self.value(bound, place), place)
                    )
                return self.value(body, place)
            case p.MakeProduct(items=items):
                return tuple(self.value(item, place) for item in items)
            case p.MakeSequence(items=items):
                return self.sequence([self.value(item, place) for item in items], type_here())
            case p.Construct(name=name):
                with self.draft.at(expression.span):
                    return self.construct(name, type_here())
            case p.If(condition=condition, then=then, otherwise=otherwise):
                given = [self.value(each, place) for each in (condition, then, otherwise)]
                return self.choice("", ["if", "then", "else"], given, type_here())
            case p.Case():
                return self.case(expression, place, type_here())
            case p.Cata():
                return Closure("cata", type_here(), lambda tree: self.cata(expression, tree, place))
            case p.Fresh(expression=inner, label=label):
                return self.value(inner, self.apart(place, label))
            case p.Stack():
                return self.stack(expression, place, type_here())
            case p.Open(target=target):
                text = f"open {target.name}"
                return self.curried(
                    text,
                    type_here(),
                    lambda given, result: self.draft.box("box", text, given, result),
                )
            case p.WeightsOf(name=name):
                return Term(f"weights {name}", type_here(), atomic=False)
            case p.WeightValue(path=path):
                return Term(".".join(path), type_here())
            case p.External(name=name):
                return Term(name, type_here())
            case p.AsLinear(expression=inner):
                value = self.value(inner, place)
                if isinstance(value, Closure):
                    return value
                return self.matrix(value, type_here())
            case p.Measured(expression=inner):
                return self.value(inner, place)
            case _:
                raise AssertionError(f"no wiring for {expression.__class__.__name__}")

    def matrix(self, value: Value, type: t.Type) -> Closure:
        """A matrix as the linear map that multiplies by it."""
        assert isinstance(type, t.Linear)
        codomain = type.codomain
        return Closure(
            written(value), type, lambda v: self.draft.operate("@", [value, v], codomain)
        )

    def function(self, node: p.Lambda, type: t.Type, place: Place) -> Closure:
        def run(argument: Value) -> Value:
            return self.value(
                node.body, place.bind(bindings(self.draft, node.parameter, argument, place))
            )

        return Closure(label_of(node.span.text), type, run)

    def application(self, expression: p.Apply, place: Place) -> Value:
        spine: list[p.Apply] = []
        head: p.Expression = expression
        while isinstance(head, p.Apply):
            spine.append(head)
            head = head.function
        # A long sum nests in its first argument: it is walked without recursion.
        function = self.value(head, place)
        for node in reversed(spine):
            argument = self.value(node.argument, place)
            type = place.type(node.type)
            with self.draft.at(node.span):
                function = self.apply(function, argument, type)
        return function

    def apply(self, function: Value, argument: Value, type: t.Type) -> Value:
        if isinstance(function, Closure):
            return function.run(argument)
        if isinstance(function, Term):
            return self.draft.operate(function.text, [argument], type)
        return self.draft.box("circle", "·", [function, argument], type, operation="apply")

    def apart(self, place: Place, label: str | None) -> Place:
        """Where a fresh copy's weights live; its boxes get a prime."""
        root = place.path if label is None else (*place.path, label)
        if root not in self.primes:
            self.primes[root] = "′" * (
                1 + sum(other[-1].partition("_")[0] == root[-1].partition("_")[0]
                        for other in self.primes)
            )  # fmt: skip
        return replace(place, root=root, path=root, primes=self.primes[root])

    # --- patterns --------------------------------------------------------------------------------

    # --- names ----------------------------------------------------------------------------------

    def use(self, node: p.Global, type: t.Type, place: Place) -> Value:
        definition = self.program.definitions[node.name]
        sizes = {v: size.substitute(place.sizes) for v, size in node.instance.sizes.items()}
        root = (*place.root, node.name)
        path = root if node.label is None else (*place.path, node.label)
        prime = ""
        if place.primes:
            path, prime = (place.root if place.path == place.root else path), place.primes
        label = node.name + brackets([sizes.get(v) for v in definition.brackets or ()]) + prime
        inner = Place(
            path,
            place.root,
            place.primes,
            {},
            {v: place.type(of) for v, of in node.instance.types.items()},
            sizes,
        )
        if not isinstance(type, t.Function | t.Linear):
            return Term(label, type, learns=definition.learns)
        if plumbing(definition.body):
            return self.value(definition.body, inner)
        domains, _ = t.uncurried(type)
        if self.loops and _repeats(self.program, definition.body):
            return self.value(definition.body, inner)
        if any(holds_function(domain) for domain in domains):
            return self.curried(
                label, type, lambda given, result: self.opened(label, definition, inner, given)
            )
        owner = owner_of(self.program, self.name, path) if definition.learns else None

        def used(given: list[Value], result: t.Type) -> Value:
            key = self.key()
            with self.draft.at(self.draft.whole(node.span)):
                if key in self.open and _opens(type):
                    return self.shown(key, node.name, label, inner, given)
                made = self.draft.operate(label, given, result, owner, operation="definition")
            last = self.draft.sheet.nodes[-1] if self.draft.sheet.nodes else None
            if last is not None and last.operation == "definition" and not isinstance(made, Term):
                self.draft.sheet.nodes[-1] = replace(last, key=key if _opens(type) else "")
            return made

        if isinstance(type, t.Linear):
            return Closure(label, type, lambda argument: used([argument], type.codomain))
        return self.curried(label, type, used)

    def key(self) -> str:
        """The key of the next use of a definition, in the order of reading."""
        number = self.uses.get(self.within, 0)
        self.uses[self.within] = number + 1
        return f"{self.within}.{number}" if self.within else str(number)

    def shown(self, key: str, name: str, label: str, inner: Place, given: list[Value]) -> Value:
        """A use of a definition that is open: what it does, in a group of its name."""
        before = self.within, self.holder
        self.within, self.holder = key, Holder(name, inner.path, inner.types, inner.sizes)
        try:
            value = self.opened(label, self.program.definitions[name], inner, given)
        finally:
            self.within, self.holder = before
        self.draft.sheet.nodes[-1] = replace(self.draft.sheet.nodes[-1], key=key)
        return value

    def opened(
        self, label: str, definition: p.Definition, inner: Place, given: list[Value]
    ) -> Value:
        """A function of functions, where it is used: a group with what it does inside."""
        result = inner.type(definition.scheme.type)
        types, after_each = [], []
        for _ in given:
            assert isinstance(result, t.Function | t.Linear)
            types.append(result.domain)
            result = result.codomain
            after_each.append(result)
        flowing = [
            (value, type)
            for value, type in zip(given, types, strict=True)
            if not isinstance(value, Closure | Term)
        ]

        def run(*wires: Value) -> tuple[Value, Value]:
            pending = iter(wires)
            function = self.value(definition.body, inner)
            for value, after in zip(given, after_each, strict=True):
                here = value if isinstance(value, Closure | Term) else next(pending)
                function = self.apply(function, here, after)
            return (), function

        _, answer = self.draft.group(label, "plain", (), flowing, run, "", result)
        made = self.draft.sheet.nodes[-1]
        assert isinstance(made, Group)
        made = replace(made, entering=tuple(replace(port, role="plain") for port in made.entering))
        self.draft.sheet.nodes[-1] = alone(made, label)
        return answer

    # --- what is built in -----------------------------------------------------------------

    def builtin(self, node: p.Builtin, type: t.Type, place: Place) -> Value:
        sizes = [size.substitute(place.sizes) for size in node.brackets]
        options = {
            k: v if isinstance(v, str) else v.substitute(place.sizes)
            for k, v in node.options.items()
        }
        if not isinstance(type, t.Function):
            text = node.name + brackets(sizes, options)
            if isinstance(type, t.Linear):
                codomain = type.codomain
                return Closure(text, type, lambda x: self.draft.operate(text, [x], codomain))
            return Term(text, type)
        use = Use(node.name, type, node.name + brackets(sizes, options), sizes)
        rule = RULES.get(node.name)
        if rule is not None:
            return self.collect(use, type, rule, [], node.span)
        return self.collect(
            use, type, lambda reader, use, *given: reader.primitive(use, given), [], node.span
        )

    def collect(
        self, use: Use, type: t.Type, rule: Callable[..., Value], given: list[Value], span: Span
    ) -> Value:
        """A built-in that waits for arguments; `span` is what is written of it so far."""
        record = self.program.builtins[use.name]

        def run(argument: Value) -> Value:
            arguments = [*given, argument]
            place = self.draft.whole(span, record.name.isidentifier())
            if len(arguments) < record.arity:
                assert isinstance(type, t.Function)
                return self.collect(use, type.codomain, rule, arguments, place)
            domains = t.uncurried(use.type)[0]
            with self.draft.at(place):
                for value, domain in zip(arguments, domains, strict=False):
                    if isinstance(domain, t.Function | t.Linear) and not isinstance(value, Closure):
                        return self.primitive(use, arguments)  # a linear map that flows
                return rule(self, use, *arguments)

        text = " ".join([use.label, *map(written, given)])
        if use.name in SYMBOLS and given:
            text = f"{written(given[0])} {use.name}"
        if use.name in (">>", "<<", "&&&", "***"):
            text = f"{written(given[0])} {use.name} …" if given else f"({use.name})"
        return Closure(text, type, run)

    def primitive(self, use: Use, given: Sequence[Value]) -> Value:
        return self.draft.operate(use.label, given, use.result(len(given)), operation=use.name)

    def sequence(self, values: list[Value], type: t.Type) -> Value:
        if all(isinstance(value, Term) for value in values):
            text = f"[{', '.join(value.text for value in values)}]"
            return Term(text, type, any(value.learns for value in values))
        shown = [written(v) if isinstance(v, Term | Closure) else "·" for v in values]
        flowing = [v for v in values if not isinstance(v, Term | Closure)]
        return self.draft.box("box", f"[{', '.join(shown)}]", flowing, type, operation="sequence")

    def construct(self, name: str, type: t.Type) -> Value:
        if not isinstance(type, t.Function):
            return Term(name, type)
        if name in self.program.reps:
            written = self.draft.here

            def enter(value: Value) -> Value:
                with self.draft.at(written):
                    return self.draft.box("enter", name, [value], type.codomain, operation="enter")

            return Closure(name, type, enter)
        return self.curried(
            name, type, lambda given, result: self.draft.operate(name, given, result)
        )

    # --- branches, data -------------------------------------------------------------------

    def choice(
        self, label: str, names: Sequence[str], given: Sequence[Value], result: t.Type
    ) -> Value:
        """Where branches meet: a box with a port for each, by name."""
        if isinstance(result, t.Function):
            return self.curried(
                label, result,
                lambda more, type: self.choice(
                    label, names,
                    [_applied(each, more) if isinstance(each, Closure) else each
                     for each in given],
                    type,
                ),
            )  # fmt: skip
        before = [name for value, name in zip(given, names, strict=True) for _ in flat(value)]
        return self.draft.box("box", label, given, result, operation="choice", before=tuple(before))

    def case(self, expression: p.Case, place: Place, result: t.Type) -> Value:
        patterns, names, matched = [], [], self.value(expression.scrutinee, place)
        for pattern, _ in expression.alternatives:
            inside = pattern
            arguments: Sequence[p.Pattern] = ()
            if isinstance(inside, p.MatchConstructor):
                name, arguments = inside.name, inside.arguments
            else:
                name = label_of(inside.span.text) or "_"
            patterns.append((name, arguments))
            names.append(name)
        bound = fields(self.draft, patterns, matched, place)
        values = []
        for (pattern, body), found in zip(expression.alternatives, bound, strict=True):
            inner = place.bind(found)
            if not isinstance(pattern, p.MatchConstructor):
                inner = inner.bind(bindings(self.draft, pattern, matched, place))
            values.append(self.value(body, inner))
        return self.choice("", names, values, result)

    def cata(self, expression: p.Cata, tree: Value, place: Place) -> Value:
        """An algebra: a row for each constructor, its fields on the left, its result on
        the right; what stands for a child is a result that has come round."""
        type = place.type(expression.type)
        assert isinstance(type, t.Function)

        def run(whole: Value) -> tuple[Value, Value]:
            patterns = [(each.name, each.arguments) for each, _ in expression.alternatives]
            bound = fields(self.draft, patterns, whole, place)
            values = [
                self.value(body, place.bind(found))
                for (_, body), found in zip(expression.alternatives, bound, strict=True)
            ]
            return (), self.choice("", [name for name, _ in patterns], values, type.codomain)

        with self.draft.at(expression.span):
            _, answer = self.draft.group(
                "cata", "cata", (), [(tree, type.domain)], run, "", type.codomain
            )
        return answer

    def stack(self, expression: p.Stack, place: Place, type: t.Type) -> Closure:
        count = expression.count.substitute(place.sizes)
        label = f"stack[{count}]"
        assert isinstance(type, t.Function)

        def run(argument: Value) -> Value:
            below = self.apart(place, expression.label)
            below = replace(below, primes="")

            def body(state: Value) -> tuple[Value, Value]:
                function = self.value(expression.expression, below)
                return (), self.apply(function, state, type.codomain)

            with self.draft.at(expression.span):
                _, answer = self.draft.group(
                    label, "stack", (), [(argument, type.domain)], body, "", type.codomain,
                    count=count.value, note=f"{count} in a row, each with weights of its own",
                    text=label_of(expression.expression.span.text),
                )  # fmt: skip
            return answer

        return Closure(label, type, run)


def _applied(function: Value, arguments: Sequence[Value]) -> Value:
    for argument in arguments:
        function = function.run(argument)
    return function


def _opens(type: t.Type) -> bool:
    """Whether a use of that type is a box that can be opened."""
    return not isinstance(type, t.Linear)


def _repeats(program: Program, body: p.Expression) -> bool:
    """Whether something is done over and over in an expression, or in what it uses."""
    for node in p.nodes(body):
        match node:
            case p.Builtin(name=name) if name in REPEATING:
                return True
            case p.Cata():
                return True
            case p.Global(name=name):
                if _repeats(program, program.definitions[name].body):
                    return True
    return False
