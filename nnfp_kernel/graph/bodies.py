"""Bodies: graphs that run again, and functions as graphs.

    loop, map             a Loop or Map node along sequences; with trees in them, one by one
    while_loop, fixpoint  as long as a condition holds; until nothing changes
    subgraph              a function, with what it captures

A body draws with keys of its own, and what it requires is required of all its rounds. Where trees
of which nothing is known meet an element or a state, what is made of them is said of all elements
at once, or the loop is observed (graph/forest/along.py and rounds.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from ..language import types as t
from ..language.sizes import constant
from .choices import Choices
from .chosen import telling, told
from .forest import Along, Entangled, Plant, in_rounds
from .graph import (
    ArrayType,
    Builder,
    Fixpoint,
    Graph,
    Loop,
    Map,
    While,
    Wire,
    subgraphs_together,
)
from .scope import Keys
from .sequences import (
    elements,
    filled,
    fitted,
    joined,
    longest,
    map_leading,
    over,
    present,
    unfilled,
    where,
)
from .values import Extent, Value, item_at, item_count, refilled, spread

Further: TypeAlias = "list[Callable[[], Wire]]"  # sequences made once a body is finished

T = TypeVar("T")


class Bodies(Choices):
    """The graph being built, and bodies in it."""

    # --- along a sequence, with a state ---------------------------------------------

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

    # --- every element by itself ----------------------------------------------------

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

    # --- with trees of which nothing is known ---------------------------------------

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

    # --- as long as it takes --------------------------------------------------------

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
        observed, drawn = len(plant.observed), self.keys.drawn
        try:
            return self._while_loop(most, condition, step, initial, state_type)
        except Entangled:
            del plant.observed[observed:]
            self.keys.drawn = drawn

        def once(state: Value, _: Value) -> tuple[Value, Value]:
            """A round that is not made leaves the state as it is."""
            drawn = self.keys.drawn
            again = condition(state)
            if self.keys.drawn != drawn:  # with a key of its own
                raise Entangled(t.UNIT, "the condition of a `while` that draws, with a tree,")
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

    # --- functions ------------------------------------------------------------------

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
