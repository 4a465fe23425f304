"""Reading a typed program as a string diagram: the program is run on wires.

As in graph/trace.py, functions are Python callables while reading, and a combinator
says how its wires go (combinators.py). But nothing is opened that has a name: a
definition that is used is one box. What flows is in values.py.

An array of pairs is a pair of arrays, so `zip` and `unzip` are no boxes: they are how
wires go. Functions of functions are opened where they are used, in a group.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ...language import typed as p
from ...language import types as t
from ...language.sizes import Size, SizeVariable
from ...language.source import Span
from ...runtime.program import Program
from .combinators import REPEATING, RULES, Use
from .diagram import Diagram, Group, Node, Owner, Port, Wire
from .values import (
    SYMBOLS,
    Closure,
    Term,
    Value,
    applied,
    brackets,
    flat,
    holds_function,
    label_of,
    leaf_types,
    made_from,
    made_of,
    parts,
    plumbing,
    section,
    written,
)


@dataclass
class _Sheet:
    """A diagram in the making, and the sheet it lies on."""

    parent: _Sheet | None
    nodes: list[Node] = field(default_factory=list)
    wires: set[Wire] = field(default_factory=set)
    led: dict[Wire, Wire] = field(default_factory=dict)  # wires of outside, and theirs here

    def lead(self, wire: Wire) -> Wire:
        """The wire on this sheet; one of a sheet below is led in."""
        if wire in self.wires:
            return wire
        if wire not in self.led:
            assert self.parent is not None, "a wire of no sheet"
            made = Wire(wire.type, wire.name)
            self.parent.lead(wire)
            self.led[wire] = made
            self.wires.add(made)
        return self.led[wire]


@dataclass(frozen=True)
class _Place:
    """What names and variables stand for here, and where weights met here live."""

    path: tuple[str, ...]
    root: tuple[str, ...] = ()
    primes: str = ""
    locals: Mapping[str, Value] = field(default_factory=dict)
    types: Mapping[t.TypeVariable, t.Type] = field(default_factory=dict)
    sizes: Mapping[SizeVariable, Size] = field(default_factory=dict)

    def bind(self, names: Mapping[str, Value]) -> _Place:
        return replace(self, locals={**self.locals, **names})


def read(program: Program, name: str, loops: bool = False, opened: Collection[str] = ()) -> Diagram:
    """The diagram of a definition: a wire in for each part of its parameters.

    Holes of its own are rings on boxes, definitions it uses are boxes with their names.
    With `loops`, definitions in which something is repeated are opened too, to unroll it.
    Uses of definitions that are `opened`, by their keys, are groups with what they do inside.
    """
    return Reader(program, name, loops, opened).definition()


@dataclass(frozen=True)
class _Holder:
    """Whose holes are read: a definition, and what stands for its variables in this use."""

    name: str
    path: tuple[str, ...]
    types: Mapping[t.TypeVariable, t.Type] = field(default_factory=dict)
    sizes: Mapping[SizeVariable, Size] = field(default_factory=dict)


class Reader:
    def __init__(
        self, program: Program, name: str, loops: bool, opened: Collection[str] = ()
    ) -> None:
        self.program = program
        self.loops = loops
        self.name = name
        self.open = frozenset(opened)
        self.within = ""  # the key of the use that is read
        self.uses: dict[str, int] = {}  # how many were met inside of each
        self.holder = _Holder(name, (name,))
        self.sheet = _Sheet(None)
        self.primes: dict[tuple[str, ...], str] = {}
        self.here: Span | None = None  # what is read just now is written there

    # --- a whole definition --------------------------------------------------------------

    def definition(self) -> Diagram:
        definition = self.program.definitions[self.name]
        body: p.Expression = definition.body
        value = self.value(body, _Place((self.name,)))
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
        outputs = self.flow(value)
        return self.finish(self.sheet, inputs, outputs)

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
            inputs.append(self.wire(leaf, known))
            return inputs[-1]

        return made_of(type, wire)

    def parameter(self, name: str, arrow: t.Function) -> Closure:
        """A function that is an argument: a box, wherever it is applied."""
        return self.curried(
            name, arrow, lambda given, result: self.box("parameter", name, given, result)
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

    @contextmanager
    def at(self, span: Span | None) -> Iterator[None]:
        """Boxes made inside are written there."""
        before, self.here = self.here, span or self.here
        try:
            yield
        finally:
            self.here = before

    def whole(self, span: Span, named: bool = True) -> Span:
        """The whole that a name is written in with its arguments, where it is called by
        others: `fold cell zero`, handed to `>>`. As the tracer has it."""
        return self.here if self.here is not None and self.here.contains(span, named) else span

    def wire(self, type: t.Type, name: str = "") -> Wire:
        made = Wire(type, name)
        self.sheet.wires.add(made)
        return made

    def flow(self, value: Value) -> list[Wire]:
        """The wires of a value, on this sheet; a closed expression becomes a source."""
        if isinstance(value, tuple):
            return [wire for part in value for wire in self.flow(part)]
        if isinstance(value, Wire):
            return [self.sheet.lead(value)]
        if isinstance(value, Closure):
            value = Term(value.text, value.type)
        assert isinstance(value, Term), value
        node = self.source(value)
        self.sheet.nodes.append(node)
        return list(node.outputs)

    def source(self, term: Term) -> Node:
        wires: list[Wire] = []
        made_of(term.type, lambda leaf: wires.append(self.wire(leaf)))
        owner = self.holes(term.text) if term.learns else None
        shape = "zero" if term.text == "zero" else "source"
        return Node(
            shape, term.text, (), tuple(wires), owner, operation="constant", origin=self.here
        )

    def box(
        self,
        shape: str,
        label: str,
        given: Sequence[Value],
        result: t.Type,
        owner: Owner | None = None,
        operation: str = "",
        held: tuple[str | None, ...] = (),
        before: tuple[str, ...] = (),
    ) -> Value:
        """A new node whose inputs are all wires of the arguments; its result as a value."""
        inputs = tuple(itertools.chain.from_iterable(map(self.flow, given)))
        outputs: list[Wire] = []

        def wire(leaf: t.Type) -> Wire:
            outputs.append(self.wire(leaf))
            return outputs[-1]

        value = made_of(result, wire)
        self.sheet.nodes.append(
            Node(
                shape, label, inputs, tuple(outputs), owner, before,
                operation=operation, held=held, origin=self.here,
            )
        )  # fmt: skip
        return value

    def finish(self, sheet: _Sheet, inputs: Sequence[Wire], outputs: Sequence[Wire]) -> Diagram:
        """The sheet's diagram: what does not lead to an output is left out."""
        wanted, kept = set(outputs), []
        for node in reversed(sheet.nodes):
            if wanted.intersection(node.outputs):
                wanted.update(node.inputs)
                kept.append(_without_unused(node, wanted))
        return Diagram(tuple(inputs), tuple(reversed(kept)), tuple(outputs))

    # --- groups -----------------------------------------------------------------------------

    def inside(self, run: Callable[[], Any]) -> tuple[_Sheet, Any]:
        """Read on a sheet that lies on this one; the sheet, and what `run` answers."""
        before = self.sheet
        self.sheet = _Sheet(before)
        try:
            return self.sheet, run()
        finally:
            self.sheet = before

    def group(
        self,
        label: str,
        kind: str,
        states: Sequence[tuple[Value, t.Type]],
        elements: Sequence[tuple[Value, t.Type]],
        run: Callable[..., tuple[Value, Value]],
        state_leaves: str,
        result: t.Type,
        **more: Any,
    ) -> tuple[Value, Value]:
        """A group: states that go round, elements that come one by one.

        `run(*states, *elements)` reads the body and answers the states after it and what
        leaves it. `state_leaves` is "plain" (the last one), "element" (each, then `more` has
        its `length`) or "". The answer is the state that leaves and the `result`.
        """
        one_by_one = "element" if kind in ("map", "loop", "window") else "plain"
        length = more.pop("length", None)
        inputs: list[Wire] = []

        def body() -> tuple[list[Wire], list[Wire]]:
            arguments = [
                made_of(type, lambda leaf: self._input(leaf, inputs))
                for _, type in (*states, *elements)
            ]
            after, out = run(*arguments)
            return self.flow(after), self.flow(out)

        sheet, (after, out) = self.inside(body)
        diagram = self.finish(sheet, inputs, [*after, *out])
        outer: list[Wire] = []
        entering = [*self._begun(states, outer), *self._taken(elements, one_by_one, outer)]
        used = {wire for node in diagram.nodes for wire in node.inputs} | {*after, *out}
        for captured, here in sheet.led.items():
            if here in used:
                entering.append(Port("plain", len(outer)))
                outer += self.flow(captured)
                inputs.append(here)
        left: list[Wire] = []  # the group's own outputs

        def leave(type: t.Type) -> Wire:
            left.append(self.wire(type))
            return left[-1]

        leaving = []
        for place, wire in enumerate(after):
            leaving.append(Port("state", place if state_leaves else None))
            if state_leaves:
                leave(wire.type if length is None else t.Array(wire.type, length))
        state = made_from(left, states[0][1]) if states and state_leaves else ()
        leaving += [Port(one_by_one, len(left) + place) for place in range(len(out))]
        answer = made_of(result, leave) if out else ()
        self.sheet.nodes.append(
            Group(
                "group", label, tuple(outer), tuple(left),
                body=replace(diagram, inputs=tuple(inputs)), entering=tuple(entering),
                leaving=tuple(leaving), kind=kind, origin=self.here, **more,
            )
        )  # fmt: skip
        return state, answer

    def _begun(self, states: Sequence[tuple[Value, t.Type]], outer: list[Wire]) -> Iterator[Port]:
        """What states begin with: a wire from outside, or what stands in the group."""
        for value, type in states:
            for part in parts(value, type):
                if isinstance(part, Term):
                    yield Port("state", None, replace(self.source(part), operation="start"))
                else:
                    yield Port("state", len(outer))
                    outer += self.flow(part)

    def _taken(
        self, elements: Sequence[tuple[Value, t.Type]], role: str, outer: list[Wire]
    ) -> Iterator[Port]:
        """Where elements come from. A tree of pairs is one wire, each of its pairs is two."""
        for value, type in elements:
            flowing, count = self.flow(value), len(leaf_types(type))
            for number in range(count):
                yield Port(role, len(outer) + (number if len(flowing) == count else 0))
            outer += flowing

    def _input(self, leaf: t.Type, inputs: list[Wire]) -> Wire:
        inputs.append(self.wire(leaf))
        return inputs[-1]

    # --- expressions --------------------------------------------------------------------------

    def value(self, expression: p.Expression, place: _Place) -> Value:
        """What an expression is: wires, or a function of wires."""

        def type_here() -> t.Type:
            return t.substitute(expression.type, place.types, place.sizes)

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
            case p.Let(bindings=bindings, body=body):
                for pattern, bound in bindings:
                    place = place.bind(self.bindings(pattern, self.value(bound, place), place))
                return self.value(body, place)
            case p.MakeProduct(items=items):
                return tuple(self.value(item, place) for item in items)
            case p.MakeSequence(items=items):
                return self.sequence([self.value(item, place) for item in items], type_here())
            case p.Construct(name=name):
                with self.at(expression.span):
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
                    text, type_here(), lambda given, result: self.box("box", text, given, result)
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
            case _:
                raise AssertionError(f"no wiring for {expression.__class__.__name__}")

    def matrix(self, value: Value, type: t.Type) -> Closure:
        """A matrix as the linear map that multiplies by it."""
        assert isinstance(type, t.Linear)
        codomain = type.codomain
        return Closure(written(value), type, lambda v: self.operate("@", [value, v], codomain))

    def function(self, node: p.Lambda, type: t.Type, place: _Place) -> Closure:
        def run(argument: Value) -> Value:
            return self.value(node.body, place.bind(self.bindings(node.parameter, argument, place)))

        return Closure(label_of(node.span.text), type, run)

    def application(self, expression: p.Apply, place: _Place) -> Value:
        spine: list[p.Apply] = []
        head: p.Expression = expression
        while isinstance(head, p.Apply):
            spine.append(head)
            head = head.function
        # A long sum nests in its first argument: it is walked without recursion.
        function = self.value(head, place)
        for node in reversed(spine):
            argument = self.value(node.argument, place)
            type = t.substitute(node.type, place.types, place.sizes)
            with self.at(node.span):
                function = self.apply(function, argument, type)
        return function

    def apply(self, function: Value, argument: Value, type: t.Type) -> Value:
        if isinstance(function, Closure):
            return function.run(argument)
        if isinstance(function, Term):
            return self.operate(function.text, [argument], type)
        return self.box("circle", "·", [function, argument], type, operation="apply")

    def apart(self, place: _Place, label: str | None) -> _Place:
        """Where a fresh copy's weights live; its boxes get a prime."""
        root = place.path if label is None else (*place.path, label)
        if root not in self.primes:
            self.primes[root] = "′" * (
                1 + sum(other[-1].partition("_")[0] == root[-1].partition("_")[0]
                        for other in self.primes)
            )  # fmt: skip
        return replace(place, root=root, path=root, primes=self.primes[root])

    # --- patterns --------------------------------------------------------------------------------

    def bindings(self, pattern: p.Pattern, value: Value, place: _Place) -> dict[str, Value]:
        match pattern:
            case p.BindName(name=name):
                return {name: self.named(value, name)}
            case p.MatchTuple(items=items):
                found: dict[str, Value] = {}
                for item, part in zip(items, self.split(value, len(items)), strict=True):
                    found.update(self.bindings(item, part, place))
                return found
            case p.LeaveRep(name=name, argument=argument):
                carrier = t.substitute(argument.type, place.types, place.sizes)
                with self.at(pattern.span):
                    left = self.box("leave", name, [value], carrier, operation="leave")
                return self.bindings(argument, left, place)
            case p.MatchConstructor(name=name, arguments=arguments):
                return self.fields([(name, arguments)], value, place)[0]
            case _:
                return {}

    def named(self, value: Value, name: str) -> Value:
        return value

    def split(self, value: Value, count: int) -> Sequence[Value]:
        if isinstance(value, tuple):
            return value
        assert isinstance(value, Term), value
        if isinstance(value.type, t.Product):
            if value.text == "zero":
                return [Term("zero", item) for item in value.type.items]
            return list(made_from(self.flow(value), value.type))
        raise AssertionError("a pattern of a value that is no product")

    def fields(
        self,
        patterns: Sequence[tuple[str, Sequence[p.Pattern]]],
        value: Value,
        place: _Place,
    ) -> list[dict[str, Value]]:
        """A data value taken apart: a box with an output for each name in the patterns."""
        wires: list[Wire] = []
        names: list[str] = []
        values = []
        for constructor, arguments in patterns:
            parts = []
            for argument in arguments:
                type = t.substitute(argument.type, place.types, place.sizes)

                def wire(leaf: t.Type, of: p.Pattern = argument, by: str = constructor) -> Wire:
                    inside = of.argument if isinstance(of, p.LeaveRep) else of
                    known = inside.name if isinstance(inside, p.BindName) else ""
                    names.append(f"{by} {known}".rstrip())
                    wires.append(self.wire(leaf, known))
                    return wires[-1]

                parts.append(made_of(type, wire))
            values.append(parts)
        label = patterns[0][0] if len(patterns) == 1 else "case"
        node = Node(
            "box", label, tuple(self.flow(value)), tuple(wires), after=tuple(names),
            operation="case", origin=self.here,
        )  # fmt: skip
        self.sheet.nodes.append(node)
        answers = []
        for (_, arguments), found in zip(patterns, values, strict=True):
            bound: dict[str, Value] = {}
            for argument, part in zip(arguments, found, strict=True):
                bound.update(self.bindings(argument, part, place))
            answers.append(bound)
        return answers

    # --- names ----------------------------------------------------------------------------------

    def use(self, node: p.Global, type: t.Type, place: _Place) -> Value:
        definition = self.program.definitions[node.name]
        sizes = {v: size.substitute(place.sizes) for v, size in node.instance.sizes.items()}
        root = (*place.root, node.name)
        path = root if node.label is None else (*place.path, node.label)
        prime = ""
        if place.primes:
            path, prime = (place.root if place.path == place.root else path), place.primes
        label = node.name + brackets([sizes.get(v) for v in definition.brackets or ()]) + prime
        inner = _Place(
            path,
            place.root,
            place.primes,
            {},
            {
                v: t.substitute(of, place.types, place.sizes)
                for v, of in node.instance.types.items()
            },
            sizes,
        )
        if not isinstance(type, t.Function | t.Linear):
            return Term(label, type, learns=definition.learns)
        if plumbing(definition.body):
            return self.value(definition.body, inner)
        domains, _ = t.uncurried(type)
        if self.loops and self.repeats(definition.body):
            return self.value(definition.body, inner)
        if any(holds_function(domain) for domain in domains):
            return self.curried(
                label, type, lambda given, result: self.opened(label, definition, inner, given)
            )
        owner = self.owner(path) if definition.learns else None

        def used(given: list[Value], result: t.Type) -> Value:
            key = self.key()
            with self.at(self.whole(node.span)):
                if key in self.open and self.opens(type):
                    return self.shown(key, node.name, label, inner, given)
                made = self.operate(label, given, result, owner, operation="definition")
            last = self.sheet.nodes[-1] if self.sheet.nodes else None
            if last is not None and last.operation == "definition" and not isinstance(made, Term):
                self.sheet.nodes[-1] = replace(last, key=key if self.opens(type) else "")
            return made

        if isinstance(type, t.Linear):
            return Closure(label, type, lambda argument: used([argument], type.codomain))
        return self.curried(label, type, used)

    def key(self) -> str:
        """The key of the next use of a definition, in the order of reading."""
        number = self.uses.get(self.within, 0)
        self.uses[self.within] = number + 1
        return f"{self.within}.{number}" if self.within else str(number)

    @staticmethod
    def opens(type: t.Type) -> bool:
        """Whether a use of that type is a box that can be opened."""
        return not isinstance(type, t.Linear)

    def shown(self, key: str, name: str, label: str, inner: _Place, given: list[Value]) -> Value:
        """A use of a definition that is open: what it does, in a group of its name."""
        before = self.within, self.holder
        self.within, self.holder = key, _Holder(name, inner.path, inner.types, inner.sizes)
        try:
            value = self.opened(label, self.program.definitions[name], inner, given)
        finally:
            self.within, self.holder = before
        self.sheet.nodes[-1] = replace(self.sheet.nodes[-1], key=key)
        return value

    def repeats(self, body: p.Expression) -> bool:
        """Whether something is done over and over in an expression, or in what it uses."""
        for node in p.nodes(body):
            match node:
                case p.Builtin(name=name) if name in REPEATING:
                    return True
                case p.Cata():
                    return True
                case p.Global(name=name):
                    if self.repeats(self.program.definitions[name].body):
                        return True
        return False

    def owner(self, path: tuple[str, ...]) -> Owner:
        """The weights of a use: all that the definition reaches, or what lies below a path."""
        program = self.program
        if len(path) == 1:
            reached = program.reached(path[0])
        else:
            top = program.reached(self.name)
            reached = tuple(w for w in top if w.path[: len(path)] == path)
        if not reached or not all(t.is_concrete(weight.type) for weight in reached):
            return Owner(path, None)
        layout = program.declarations.layout
        return Owner(path, sum(a.size for weight in reached for a in layout(weight.type)))

    def holes(self, text: str) -> Owner:
        """The weights that are written into a box: `?W @ ·` has those of ?W."""
        holder = self.holder
        found = [
            spec
            for spec in self.program.definitions[holder.name].holes
            if re.search(rf"\?{re.escape(spec.name)}(?!\w)", text)
        ]
        path = (*holder.path, *([spec.name for spec in found] or [text]))
        types = [t.substitute(spec.type, holder.types, holder.sizes) for spec in found]
        if not found or not all(map(t.is_concrete, types)):
            return Owner(path, None)
        layout = self.program.declarations.layout
        return Owner(path, sum(a.size for type in types for a in layout(type)))

    def opened(
        self, label: str, definition: p.Definition, inner: _Place, given: list[Value]
    ) -> Value:
        """A function of functions, where it is used: a group with what it does inside."""
        result = t.substitute(definition.scheme.type, inner.types, inner.sizes)
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

        _, answer = self.group(label, "plain", (), flowing, run, "", result)
        made = self.sheet.nodes[-1]
        assert isinstance(made, Group)
        made = replace(made, entering=tuple(replace(port, role="plain") for port in made.entering))
        self.sheet.nodes[-1] = alone(made, label)
        return answer

    # --- what is built in -----------------------------------------------------------------

    def builtin(self, node: p.Builtin, type: t.Type, place: _Place) -> Value:
        sizes = [size.substitute(place.sizes) for size in node.brackets]
        options = {
            k: v if isinstance(v, str) else v.substitute(place.sizes)
            for k, v in node.options.items()
        }
        if not isinstance(type, t.Function):
            text = node.name + brackets(sizes, options)
            if isinstance(type, t.Linear):
                codomain = type.codomain
                return Closure(text, type, lambda x: self.operate(text, [x], codomain))
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
            place = self.whole(span, record.name.isidentifier())
            if len(arguments) < record.arity:
                assert isinstance(type, t.Function)
                return self.collect(use, type.codomain, rule, arguments, place)
            domains = t.uncurried(use.type)[0]
            with self.at(place):
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
        return self.operate(use.label, given, use.result(len(given)), operation=use.name)

    def operate(
        self,
        label: str,
        given: Sequence[Value],
        result: t.Type,
        owner: Owner | None = None,
        operation: str = "",
    ) -> Value:
        """A function at its arguments: closed ones are written into the box."""
        operation = operation or label
        closed = [each for each in given if isinstance(each, Term | Closure)]
        flowing = [each for each in given if not isinstance(each, Term | Closure)]
        learns = any(isinstance(each, Term) and each.learns for each in closed)
        held = tuple(written(e) if isinstance(e, Term | Closure) else None for e in given)
        if not flowing and given:
            text = applied(label, held)
            return Term(text, result, learns or owner is not None, atomic=False)
        wires = [wire for value in flowing for wire in self.leaves(value)]
        symbolic = label in SYMBOLS
        if len(wires) > 1 and symbolic and not closed:
            return self.box("circle", label, flowing, result, owner, operation, held)
        if learns and owner is None:
            owner = self.holes(applied(label, held))
        text = label if not closed else section(label, held)
        return self.box("box", text, flowing, result, owner, operation, held)

    def leaves(self, value: Value) -> Iterator[Wire]:
        if isinstance(value, tuple):
            for part in value:
                yield from self.leaves(part)
        else:
            yield value

    def sequence(self, values: list[Value], type: t.Type) -> Value:
        if all(isinstance(value, Term) for value in values):
            text = f"[{', '.join(value.text for value in values)}]"
            return Term(text, type, any(value.learns for value in values))
        shown = [written(v) if isinstance(v, Term | Closure) else "·" for v in values]
        flowing = [v for v in values if not isinstance(v, Term | Closure)]
        return self.box("box", f"[{', '.join(shown)}]", flowing, type, operation="sequence")

    def construct(self, name: str, type: t.Type) -> Value:
        if not isinstance(type, t.Function):
            return Term(name, type)
        if name in self.program.reps:
            written = self.here

            def enter(value: Value) -> Value:
                with self.at(written):
                    return self.box("enter", name, [value], type.codomain, operation="enter")

            return Closure(name, type, enter)
        return self.curried(name, type, lambda given, result: self.operate(name, given, result))

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
                    [self._applied(each, more) if isinstance(each, Closure) else each
                     for each in given],
                    type,
                ),
            )  # fmt: skip
        before = [name for value, name in zip(given, names, strict=True) for _ in flat(value)]
        return self.box("box", label, given, result, operation="choice", before=tuple(before))

    def _applied(self, function: Value, arguments: Sequence[Value]) -> Value:
        for argument in arguments:
            function = function.run(argument)
        return function

    def case(self, expression: p.Case, place: _Place, result: t.Type) -> Value:
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
        bound = self.fields(patterns, matched, place)
        values = []
        for (pattern, body), found in zip(expression.alternatives, bound, strict=True):
            inner = place.bind(found)
            if not isinstance(pattern, p.MatchConstructor):
                inner = inner.bind(self.bindings(pattern, matched, place))
            values.append(self.value(body, inner))
        return self.choice("", names, values, result)

    def cata(self, expression: p.Cata, tree: Value, place: _Place) -> Value:
        """An algebra: a row for each constructor, its fields on the left, its result on
        the right; what stands for a child is a result that has come round."""
        type = t.substitute(expression.type, place.types, place.sizes)
        assert isinstance(type, t.Function)

        def run(whole: Value) -> tuple[Value, Value]:
            patterns = [(each.name, each.arguments) for each, _ in expression.alternatives]
            bound = self.fields(patterns, whole, place)
            values = [
                self.value(body, place.bind(found))
                for (_, body), found in zip(expression.alternatives, bound, strict=True)
            ]
            return (), self.choice("", [name for name, _ in patterns], values, type.codomain)

        with self.at(expression.span):
            _, answer = self.group(
                "cata", "cata", (), [(tree, type.domain)], run, "", type.codomain
            )
        return answer

    def stack(self, expression: p.Stack, place: _Place, type: t.Type) -> Closure:
        count = expression.count.substitute(place.sizes)
        label = f"stack[{count}]"
        assert isinstance(type, t.Function)

        def run(argument: Value) -> Value:
            below = self.apart(place, expression.label)
            below = replace(below, primes="")

            def body(state: Value) -> tuple[Value, Value]:
                function = self.value(expression.expression, below)
                return (), self.apply(function, state, type.codomain)

            with self.at(expression.span):
                _, answer = self.group(
                    label, "stack", (), [(argument, type.domain)], body, "", type.codomain,
                    count=count.value, note=f"{count} in a row, each with weights of its own",
                    text=label_of(expression.expression.span.text),
                )  # fmt: skip
            return answer

        return Closure(label, type, run)


def alone(group: Group, label: str) -> Group:
    """A group whose whole inside is one group, as that one under the outer name."""
    body = group.body
    if len(body.nodes) != 1 or not isinstance(body.nodes[0], Group):
        return group
    inner = body.nodes[0]
    if not set(body.outputs) <= set(inner.outputs) or not set(inner.inputs) <= set(body.inputs):
        return group
    ins = [group.entering[body.inputs.index(wire)].outer for wire in inner.inputs]
    outs = {wire: group.leaving[place].outer for place, wire in enumerate(body.outputs)}
    return replace(
        inner,
        label=label,
        inputs=group.inputs,
        outputs=group.outputs,
        entering=tuple(
            port if port.outer is None else replace(port, outer=ins[port.outer])
            for port in inner.entering
        ),
        leaving=tuple(
            port if port.outer is None else replace(port, outer=outs.get(inner.outputs[port.outer]))
            for port in inner.leaving
        ),
    )


def _without_unused(node: Node, wanted: Collection[Wire]) -> Node:
    """A group without the outputs that nothing takes."""
    if not isinstance(node, Group) or all(wire in wanted for wire in node.outputs):
        return node
    outputs = tuple(wire for wire in node.outputs if wire in wanted)
    place = {wire: number for number, wire in enumerate(outputs)}
    leaving = tuple(
        port if port.outer is None else replace(port, outer=place.get(node.outputs[port.outer]))
        for port in node.leaving
    )
    return replace(node, outputs=outputs, leaving=leaving)
