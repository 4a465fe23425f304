"""The context of a trace: what built-in names make graphs with.

A built-in name's `trace(context, occurrence, *arguments)` (primitives/) works with this
alone: the builder of the graph at hand, random keys, branches, loops, maps and functions
as sub-graphs, whose captures their builders see to. Functions among values are Python
callables while tracing.

Lengths known only at run time are wires; what they may turn out not to allow (the mean of
nothing) is a `Doubt`, one more number beside the answer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, NoReturn, TypeAlias, TypeVar

from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.sizes import SizeVariable, constant
from ..language.source import Span
from ..language.syntax import NOWHERE
from .chosen import chosen_of, same_wire, telling, told
from .forest import Along, Entangled, Home, NoForest, Plant, in_rounds
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
from .scope import BuiltinRecord, Keys, Occurrence
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
    Chosen,
    Declarations,
    Extent,
    Items,
    NotFirstOrder,
    OpenSize,
    Value,
    Variant,
    emptied,
    holds_sequence,
    item_at,
    item_count,
    leaves,
    refilled,
    spread,
)
from .values import Sequence as Ragged

Further: TypeAlias = "list[Callable[[], Wire]]"  # sequences made once a body is finished

T = TypeVar("T")

NEEDS_LENGTH = "needs-length"  # the code of a mistake that a known length would mend


@dataclass(frozen=True)
class Doubt:
    """What is only known at run time: the `number` that is 0 where all is well, else tells
    by its place what of `problems`, counted from 1, is wrong."""

    wire: Wire | None
    problems: tuple[Diagnostic, ...] = ()


APART = (
    "Several conditions choose these trees, each by itself. Trees that go together are chosen by "
    "one: `if c then (t, dt) else (u, du)`."
)
MOST_LOOKS = 1000  # at trees that conditions choose, each of which is traced


class Context:
    """The graph being built, and the ways of building it."""

    def __init__(
        self,
        builder: Builder,
        declarations: Declarations,
        *,
        key: Callable[[], Wire],
        extents: Mapping[SizeVariable, Extent] | None = None,
        training: bool = False,
        plan: Any = None,
    ) -> None:
        self.builder = builder
        self.declarations = declarations
        self.keys = Keys(key)
        self.extents = extents or {}  # what the lengths known at run time are
        self.training = training
        self.plan = plan  # of loops that the program itself differentiates
        self.forests = False  # whether trees among the arguments are forests
        self.plants: dict[Builder, Plant] = {}  # of each graph a tree of which nothing is known
        self.bodies: dict[Builder, Along] = {}  # those that run along sequences
        self.homes: dict[Builder, Home] = {}  # those in which trees from around are observed
        # For what such trees become: multiples that tell their lengths apart, or all the same.
        self.lengths: Iterator[int] = count(24)
        self.branching = 0  # how many branches the present place is inside of
        self._problems: list[Diagnostic] = []
        self._doubts: list[Wire] = []  # in the graph that is being built
        self._conditions: list[Wire] = []  # that trees are chosen by
        self._assumed: list[tuple[Wire, bool]] = []  # of these, in the present branch
        self._looks = 0  # at trees that are chosen

    def apply(self, function: Value, argument: Value, span: Span | None = None) -> Value:
        """A function's value at an argument; nodes made by it come from `span`. Of a linear map
        types could not tell how long its argument is to be."""
        with self.builder.at(span):
            try:
                return function(argument)
            except ValueError as problem:
                self.fail("shapes-disagree", str(problem))

    def call(self, record: BuiltinRecord, occurrence: Occurrence, *arguments: Value) -> Value:
        """A built-in at its arguments. What types could not tell (run-time lengths that
        disagree) is a user's mistake, told at the place that asked for it."""
        if any(isinstance(value, Chosen) for value in arguments):
            result = occurrence.result(record.arity)
            if not isinstance(result, t.Linear):  # which is of the space that the tree is in
                again = lambda *given: self.call(record, occurrence, *given)  # noqa: E731
                with self._of_numbers():
                    return self.observed_among(arguments, again, result)
        trace, ragged = record.trace, record.ragged
        if ragged is not True and any(map(holds_sequence, (*occurrence.brackets, *arguments))):
            if ragged is False:
                self.needs_length(f"`{record.name}`")
            trace = ragged
        try:
            with self._of_numbers():
                return trace(self, occurrence, *arguments)
        except ValueError as problem:
            several = len({wire for wire, _ in self._assumed}) > 1
            self.fail("shapes-disagree", str(problem), *([APART] if several else []))
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
            if self.declarations.has_trees(problem.type):
                self.fail(
                    "not-first-order",
                    "a tree cannot be an element or a state here",
                    f"Its type is {t.show(problem.type)}; each has a shape of its own, and what "
                    "passes through sequences, loops and maps is of one shape. What is made of "
                    "a tree can be an element or a state, and a few trees can be listed, "
                    "`[f x, f y]`.",
                )
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
        self.doubt_unless(condition, Diagnostic(code, problem, Label(place), notes=notes))

    def doubt_unless(self, condition: Wire, told: Diagnostic) -> None:
        """The condition must hold where this is reached; else that is told."""
        self._problems.append(told)
        number = self.builder.constant(len(self._problems), "Int")
        fine = self.builder.constant(0, "Int")
        self._doubts.append(self.builder.emit("select", condition, fine, number))

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

    def needs_length(self, what: str) -> NoReturn:
        """Raise an error: this can only be done for a sequence of known length."""
        self.fail(
            NEEDS_LENGTH,
            f"{what} needs a sequence whose length is known before running",
            "Here the length is known only at run time.",
        )

    def fail(self, code: str, title: str, *notes: str, suggestion: str | None = None) -> NoReturn:
        """Raise an error at the place that is being traced."""
        place = self.builder.origin or NOWHERE
        raise NnfpError(Diagnostic(code, title, Label(place), (), notes, suggestion))

    # --- branches -----------------------------------------------------------------------

    def choose(
        self,
        condition: Wire,
        then: Callable[[], Value],
        otherwise: Callable[[], Value],
        type: t.Type,
    ) -> Value:
        """A branch of `type`; at once when the condition is known while tracing."""
        decided = self._decided(condition)
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
        if self.declarations.has_trees(type) and not self._laid_out(type, branches):
            value, doubt = chosen_of(self, self._as_before(condition), branches, type)
            if doubt is not None:
                self._doubts.append(doubt)
            return value
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

    def _decided(self, condition: Wire) -> bool | None:
        """Whether a condition holds, where that is known: in a branch of its own, too, while a
        tree that it chooses is looked at."""
        for one, holds in self._assumed:
            if same_wire(self.builder, one, condition):
                return holds
        value: bool | None = self.constant_value(condition)
        return value

    def _laid_out(
        self, type: t.Type, branches: Sequence[tuple[Builder, Value, Wire | None]]
    ) -> bool:
        """Whether both branches have a layout all the same: children that a `para` looks at."""
        try:
            for child, value, _ in branches:
                self.declarations.flatten(child, value, type)
        except NotFirstOrder:
            return False
        return True

    def _as_before(self, condition: Wire) -> Wire:
        """The condition that a tree was chosen by before, where this one is computed alike."""
        for before in self._conditions:
            if same_wire(self.builder, before, condition):
                return before
        self._conditions.append(condition)
        return condition

    def observed(self, tree: Chosen, observe: Callable[[Value], Value], type: t.Type) -> Value:
        """What is made of a tree that a condition chooses: of the one, or of the other."""

        def branch(holds: bool, part: Value) -> Callable[[], Value]:
            def made() -> Value:
                self._assumed.append((tree.condition, holds))
                try:
                    return observe(part)
                finally:
                    self._assumed.pop()

            return made

        self._looks += 1
        if self._looks > MOST_LOOKS:
            self.fail(
                "tree-chosen",
                "which tree this is depends on too many conditions",
                f"What is made of a tree that conditions choose is made of each that it may be, "
                f"here of more than {MOST_LOOKS:,}. Choose what is made of trees instead, "
                "`if c then f t else f u`.",
            )
        then, otherwise = branch(True, tree.then), branch(False, tree.otherwise)
        return self.choose(tree.condition, then, otherwise, type)

    def observed_among(
        self, values: Sequence[Value], observe: Callable[..., Value], type: t.Type
    ) -> Value:
        """What is made of values, with the first tree among them that a condition chooses."""
        k = next(k for k, value in enumerate(values) if isinstance(value, Chosen))
        before, after = values[:k], values[k + 1 :]
        return self.observed(values[k], lambda own: observe(*before, own, *after), type)

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

    # --- sequences and fields -----------------------------------------------------------

    def sequence(self, items: Sequence[Value], element: t.Type) -> Value:
        """Values as one sequence: arrays with a new leading axis, or trees one by one."""
        if self.declarations.has_trees(element):
            return Items(element, tuple(items))
        type = t.Array(element, constant(len(items)))
        if not items:  # of no sequences none is long
            return self.zero(emptied(type))
        if (
            self.declarations.is_open(element)
            or any(map(holds_sequence, items))
            or not _of_one_shape(items)
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
        known = self.plants and not any(map(holds_sequence, items))  # by numbers for any lengths
        if known and len({tuple(wire.type for wire in leaves(item)) for item in items}) > 1:
            self.fail("shapes-disagree", "what trees of any shape become differs in length")
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

    @contextmanager
    def telling(self, lengths: Iterator[int]) -> Iterator[None]:
        """Inside, the lengths of what trees become are told apart by these, or are alike."""
        before, self.lengths = self.lengths, lengths
        try:
            yield
        finally:
            self.lengths = before

    # --- bodies: loops, maps, functions as graphs ---------------------------------------

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
        opened: Callable[[Builder, Further], None] | None = None,
        again: bool = False,
    ) -> tuple[Value, Value]:
        """A Loop node: `step(state, element) -> (state, output)` along `sequences`.

        Gives the final state and the outputs, over a leading axis of `length`. Where that
        is known only at run time, a step beyond the end starts from the initial state
        again, with the element it was first given, and leaves the state as it is. `opened` is
        told of the body's builder, and where to put what makes further sequences.
        """

        def one_by_one(count: int) -> tuple[Value, Value]:
            return self._steps_of_items(count, initial, sequences, step, output_type, reverse)

        count_of_items = item_count(sequences)
        if count_of_items is not None:
            return one_by_one(count_of_items)

        def together() -> tuple[Value, Value]:
            return self._loop(
                length, initial, state_type, sequences, element_type, step, output_type,
                reverse, opened, again,
            )  # fmt: skip

        def rounds(plant: Plant, count: int) -> tuple[Value, Value]:
            return self._in_rounds(
                plant,
                count,
                initial,
                state_type,
                sequences,
                element_type,
                step,
                output_type,
                reverse,
            )

        return together() if opened else self._of_trees(length, together, rounds)

    def _in_rounds(
        self,
        plant: Plant,
        count: int,
        initial: Value,
        state_type: t.Type,
        sequences: Value,
        element_type: t.Type,
        step: Callable[[Value, Value], tuple[Value, Value]],
        output_type: t.Type,
        reverse: bool = False,
    ) -> tuple[Value, Value]:
        """A loop that is observed, for it knows trees and its state."""
        flatten, rebuild = self.flatten, self.rebuild
        over_count = constant(count)
        made: list[tuple[Value, Value]] = []

        def body(states: list[Wire], items: list[Wire]) -> tuple[Sequence[Wire], Sequence[Wire]]:
            state, output = step(
                rebuild(state_type, states, initial), rebuild(element_type, items, sequences)
            )
            made.append((state, output))
            return flatten(state, state_type), flatten(output, output_type)

        start = flatten(initial, state_type)
        along = flatten(sequences, t.Array(element_type, over_count))
        final, outputs = in_rounds(self, plant, count, start, along, body, reverse)
        ((_, output),) = made
        whole = t.Array(output_type, over_count)
        return rebuild(state_type, final, initial), rebuild(whole, outputs, output)

    def _loop(
        self,
        length: int | Extent,
        initial: Value,
        state_type: t.Type,
        sequences: Value,
        element_type: t.Type,
        step: Callable[[Value, Value], tuple[Value, Value]],
        output_type: t.Type,
        reverse: bool,
        opened: Callable[[Builder, Further], None] | None,
        again: bool,
    ) -> tuple[Value, Value]:
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
        held = (
            []
            if extent is None
            else [self.builder.emit("hold", wire, padding=True) for wire in start]
        )
        child, keys, extra = self.steps(count)
        with self.inside(child, keys):
            state = [child.input(wire.type) for wire in start]
            items = [child.input(wire.type.element()) for wire in along]
            self.bodies[child] = Along(child, count, dict(zip(items, along, strict=True)), extra)
            there = [child.input(wire.type.element()) for wire in mask]
            if opened is not None:
                opened(child, extra)
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
                step, output_type, reverse=reverse, opened=opened, again=True,
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
    ) -> Value:
        """A While node: `step` as long as `condition` holds of the state, at most `most`
        times. Gives the final state."""
        plant = self.plants.get(self.builder)
        if plant is None or most is None:
            return self._while_loop(most, condition, step, initial, state_type)
        observed = len(plant.observed)
        try:
            return self._while_loop(most, condition, step, initial, state_type)
        except Entangled:
            del plant.observed[observed:]

        def once(state: Value, _: Value) -> tuple[Value, Value]:
            """A round that is not made leaves the state as it is."""
            again = condition(state)
            return self.choose(again, lambda: step(state), lambda: state, state_type), ()

        return self._in_rounds(
            plant, most, unfilled(initial), state_type, (), t.UNIT, once, t.UNIT
        )[0]

    def _while_loop(
        self,
        most: int | None,
        condition: Callable[[Value], Wire],
        step: Callable[[Value], Value],
        initial: Value,
        state_type: t.Type,
        *,
        again: bool = False,
    ) -> Value:
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
            return self._while_loop(most, condition, step, initial, state_type, again=True)
        outputs = flatten(child, fitted(child, after, room), state_type)
        if doubt is not None:
            start.append(outer.constant(0, "Int"))
            observing.input(ArrayType("Int"))
            outputs.append(longest(child, [child.input(ArrayType("Int")), doubt]))
        (holding, body), captured = subgraphs_together([(observing, [holds]), (child, outputs)])
        operation = While(holding, body, len(captured), len(start), most)
        _, *final = outer.add(operation, (*captured, *start))
        if doubt is not None:
            self._doubts.append(final.pop())
        value = rebuild(state_type, final, initial)
        condition(value)
        return value

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

    def _of_trees(
        self,
        length: int | Extent,
        together: Callable[[], T],
        in_rounds: Callable[[Plant, int], T],
    ) -> T:
        """What a body makes of each element or step. Where it cannot be said of trees of which
        nothing is known before the loop, the loop itself is observed."""
        plant = self.plants.get(self.builder)
        if plant is None or not isinstance(length, int):
            return together()
        observed, drawn = len(plant.observed), self.keys.drawn
        try:
            return together()
        except Entangled:
            del plant.observed[observed:]
            self.keys.drawn = drawn
            return in_rounds(plant, length)

    def _steps_of_items(
        self,
        count: int,
        state: Value,
        sequences: Value,
        step: Callable[[Value, Value], tuple[Value, Value]],
        output_type: t.Type,
        reverse: bool,
    ) -> tuple[Value, Value]:
        """The steps one by one, along trees of which each has a shape of its own."""
        outputs: list[Value] = []
        order = range(count)
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

        def one_by_one(count: int) -> Value:
            every = [item_at(self.builder, sequences, k) for k in range(count)]
            return self.sequence([function(one) for one in every], output_type)

        count = item_count(sequences)
        if count is not None:
            return one_by_one(count)
        return self._of_trees(
            length,
            lambda: self._map(length, sequences, element_type, function, output_type),
            lambda plant, count: self._in_rounds(
                plant,
                count,
                (),
                t.UNIT,
                sequences,
                element_type,
                lambda _, each: ((), function(each)),
                output_type,
            )[1],
        )

    def _map(
        self,
        length: int | Extent,
        sequences: Value,
        element_type: t.Type,
        function: Callable[[Value], Value],
        output_type: t.Type,
    ) -> Value:
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
        items = [child.input(wire.type.element()) for wire in sequences]
        self.bodies[child] = Along(child, length, dict(zip(items, sequences, strict=True)), further)
        with self.inside(child, keys):
            outputs = body(items)
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
            count = len(outputs)
            outputs += telling(value) if shaped else []
            doubt = self.doubt().wire

        def outcome(made: Sequence[Wire]) -> Value:
            if doubt is not None:
                self._doubts.append(made[-1])
                made = made[:-1]
            if shaped:
                answer, rest = iter(made[:count]), iter(made[count:])
                return told(refilled(value, lambda _: next(answer)), lambda _: next(rest))
            return self.declarations.rebuild(codomain, made, unfilled(value))

        graph = child.finish([*outputs, *([] if doubt is None else [doubt])])
        return graph, child.captured, outcome

    # --- layouts, keys, linear maps -----------------------------------------------------

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
        linear = next(value for value in operands if hasattr(value, "arithmetic"))
        return linear.arithmetic(operation, *operands)


def _of_one_shape(items: Sequence[Value]) -> bool:
    """Whether values have arrays of the same shapes. Where lengths that only running tells were to
    agree, rows of one type may not."""
    # What is no array is refused where it is flattened.
    shapes = {
        tuple(wire.type.shape for wire in leaves(item) if isinstance(wire, Wire)) for item in items
    }
    return len(shapes) == 1
