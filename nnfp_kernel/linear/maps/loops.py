"""Linear maps of structured nodes: of maps, loops, equations, forests and branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ...graph.graph import (
    ArrayType,
    Builder,
    Choose,
    Fixpoint,
    Graph,
    Loop,
    Map,
    TreeLoop,
    While,
    Wire,
)
from ...language.diagnostics import Diagnostic, Label, NnfpError
from ...language.source import Span
from ...language.syntax import NOWHERE
from .combinators import (
    LinearMap,
    Renaming,
    Tangent,
    Types,
    bracketed,
    filled,
    in_words,
    once,
    plus,
    renamed,
    require,
)
from .network import Network, Variable


@dataclass(frozen=True, eq=False, slots=True)
class Cell:
    """The linear map of one step or element: a network, and a prologue that makes the
    wires it refers to out of the residuals, those wires of the primal that are kept."""

    prologue: Graph  # residuals -> the network's fixed wires (`made`)
    made: tuple[Wire, ...]
    network: Network

    def apply(
        self, builder: Builder, residuals: Sequence[Wire], tangents: Sequence[Tangent]
    ) -> tuple[Tangent, ...]:
        wires = builder.inline(self.prologue, residuals)
        renaming = dict(zip(self.made, wires, strict=True))
        return self.network.substitute(renaming).apply(builder, tangents)

    def adjoint(self) -> Cell:
        return Cell(self.prologue, self.made, self.network.adjoint())


def _over(types: Types, length: int) -> Types:
    return tuple(type.over(length) for type in types)


@dataclass(frozen=True, eq=False, slots=True)
class MapL(LinearMap):
    """A linear map on every element, residuals shared or one for each.

    An input is `shared` by all elements or has an element for each; an output is
    `summed` over all elements or has one for each. Law: the adjoint maps the adjoint,
    and what was shared is summed and conversely.
    """

    cell: Cell
    length: int
    shared: tuple[Wire, ...]  # residuals: the same for every element, then
    stacked: tuple[Wire, ...]  # one for each
    shared_inputs: tuple[bool, ...]
    summed_outputs: tuple[bool, ...]

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self._types(self.cell.network.domain, self.shared_inputs)

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self._types(self.cell.network.codomain, self.summed_outputs)

    def _types(self, types: Types, once: tuple[bool, ...]) -> Types:
        return tuple(
            type if flag else type.over(self.length) for type, flag in zip(types, once, strict=True)
        )

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        if not any(self.reach([tangent is not None for tangent in tangents])):
            return (None,) * len(self.codomain)
        child = Builder(builder.primitives)
        inner: list[Tangent] = [None] * len(tangents)
        operands: list[Wire] = []
        residuals = []

        def take(wire: Wire, like: Wire | Variable, prefix: str = "") -> Wire:
            operands.append(wire)
            return child.input(like.type, prefix + like.name if like.name else "")

        network, held = self.cell.network, self.cell.prologue.inputs
        given = [(k, t) for k, t in enumerate(tangents) if t is not None]
        residuals += [take(*pair) for pair in zip(self.shared, held, strict=False)]
        for k, tangent in given:
            if self.shared_inputs[k]:
                inner[k] = take(tangent, network.inputs[k], "d")
        count = len(operands)
        stacked = held[len(self.shared) :]
        residuals += [take(*pair) for pair in zip(self.stacked, stacked, strict=True)]
        for k, tangent in given:
            if not self.shared_inputs[k]:
                inner[k] = take(tangent, network.inputs[k], "d")

        child.origin = builder.origin
        results = self.cell.apply(child, residuals, inner)
        body = child.finish([wire for wire in results if wire is not None])
        made = iter(builder.add(Map(body, count, self.length), operands))
        answers: list[Tangent] = []
        for result, summed in zip(results, self.summed_outputs, strict=True):
            wire = None if result is None else next(made)
            if wire is not None and summed:
                wire = builder.emit("sum", wire, axes=(0,))
            answers.append(wire)
        return tuple(answers)

    def adjoint(self) -> LinearMap:
        return MapL(
            self.cell.adjoint(), self.length, self.shared, self.stacked,
            self.summed_outputs, self.shared_inputs,
        )  # fmt: skip

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return self.cell.network.reach(given)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return once((*self.shared, *self.stacked))

    def substitute(self, renaming: Renaming) -> LinearMap:
        return MapL(
            self.cell, self.length, renamed(self.shared, renaming),
            renamed(self.stacked, renaming), self.shared_inputs, self.summed_outputs,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"mapL[{self.length}] ({self.cell.network!r})"


@dataclass(frozen=True, eq=False, slots=True)
class Recurrence(LinearMap):
    """A state carried through linear steps: sₜ, yₜ, zₜ = Lₜ (sₜ₋₁, xₜ, w).

    From (s₀, [x₁ … xₙ], w) to (sₙ, [y₁ … yₙ], Σ zₜ): the state, then the elements and
    what is shared by all steps; the state, then what is stacked and what is summed.
    `states`, `elements`, `stacks` count the first parts of the cell's inputs and
    outputs. Law: the adjoint runs the other way through time with the adjoint steps;
    initial and final state swap, elements and stacked, shared and summed.
    """

    cell: Cell
    length: int
    reverse: bool
    shared: tuple[Wire, ...]  # residuals: the same at every step, then
    stacked: tuple[Wire, ...]  # one for each step
    states: int
    elements: int
    stacks: int
    rounds: Wire | None = None  # how many of the steps are made, where not all
    segments: bool = False  # its steps are segments of a longer loop (graph.Loop)

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self._types(self.cell.network.domain, self.elements)

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self._types(self.cell.network.codomain, self.stacks)

    def _types(self, types: Types, count: int) -> Types:
        first, last = self.states, self.states + count
        return (*types[:first], *_over(types[first:last], self.length), *types[last:])

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        network = self.cell.network
        live = [tangent is not None for tangent in tangents]
        after = self.activity(live)
        if not any(after):
            return (None,) * len(after)
        live[: self.states] = after[: self.states]
        first, last = self.states, self.states + self.stacks

        child = Builder(builder.primitives)
        child.origin = builder.origin
        inner: list[Tangent] = [None] * len(tangents)
        operands: list[Wire] = []

        def take(wire: Wire, like: Wire | Variable, prefix: str = "") -> Wire:
            operands.append(wire)
            return child.input(like.type, prefix + like.name if like.name else "")

        held = self.cell.prologue.inputs
        shared = [take(*pair) for pair in zip(self.shared, held, strict=False)]
        for k in range(self.states + self.elements, len(tangents)):
            if (tangent := tangents[k]) is not None:
                inner[k] = take(tangent, network.inputs[k], "d")
        count = len(operands)
        for k in range(self.states):
            if live[k]:
                like = network.inputs[k]
                inner[k] = take(tangents[k] or builder.zeros(like.type), like, "d")
        sums: list[Tangent] = [None] * len(network.outputs)
        for k in range(last, len(network.outputs)):
            if after[k]:
                like = network.outputs[k]
                sums[k] = take(builder.zeros(like.type), like, "d")
        carried = len(operands) - count
        each = zip(self.stacked, held[len(self.shared) :], strict=True)
        stacked = [take(*pair) for pair in each]
        for k in range(self.states, self.states + self.elements):
            if (tangent := tangents[k]) is not None:
                inner[k] = take(tangent, network.inputs[k], "d")

        results = self.cell.apply(child, [*shared, *stacked], inner)
        outputs = []
        for k, result in enumerate(results):
            if k < first and live[k]:
                outputs.append(result or child.zeros(network.outputs[k].type))
        for k in range(last, len(results)):
            if (total := plus(child, sums[k], results[k])) is not None:
                outputs.append(total)
        outputs += [result for result in results[first:last] if result is not None]
        body = child.finish(outputs)

        counted = self.rounds is not None
        operation = Loop(
            body, count, carried, self.length, self.reverse, counted, self.segments
        )  # fmt: skip
        made = iter(builder.add(operation, [*operands, *_some(self.rounds)]))
        answers: list[Tangent] = [None] * len(results)
        for k in (*range(first), *range(last, len(results))):
            if live[k] if k < first else sums[k] is not None:
                answers[k] = next(made)
        for k in range(first, last):
            if results[k] is not None:
                answers[k] = next(made)
        return tuple(answers)

    def activity(self, live: Sequence[bool]) -> list[bool]:
        return _steady(self.cell.network, self.states, live)

    def adjoint(self) -> LinearMap:
        return Recurrence(
            self.cell.adjoint(), self.length, not self.reverse, self.shared, self.stacked,
            self.states, self.stacks, self.elements, self.rounds, self.segments,
        )  # fmt: skip

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(self.activity(given))

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return once((*self.shared, *self.stacked, *_some(self.rounds)))

    def substitute(self, renaming: Renaming) -> LinearMap:
        rounds = None if self.rounds is None else renaming.get(self.rounds, self.rounds)
        return Recurrence(
            self.cell, self.length, self.reverse, renamed(self.shared, renaming),
            renamed(self.stacked, renaming), self.states, self.elements, self.stacks, rounds,
            self.segments,
        )  # fmt: skip

    def __repr__(self) -> str:
        way = " backwards" if self.reverse else ""
        return f"recurrence[{self.length}]{way} ({self.cell.network!r})"


def _steady(network: Network, states: int, live: Sequence[bool]) -> list[bool]:
    """What the outputs of steps with a state may hold: the least fixed point over it."""
    given = list(live)
    while True:
        after = list(network.reach(given))
        state = [a or b for a, b in zip(given, after[:states], strict=False)]
        after[:states] = state
        if state == given[:states]:
            return after
        given[:states] = state


def _some(wire: Wire | None) -> tuple[Wire, ...]:
    return () if wire is None else (wire,)


class NoAdjoint(NnfpError):
    """The derivative of a loop without a bound is asked for in reverse."""


@dataclass(frozen=True, eq=False, slots=True)
class WhileL(LinearMap):
    """A state through the linear steps of a `While`, as many as its state asked for.

    From (s₀, w) to sₙ, w shared by all rounds. The primal's states are not kept: forwards
    the loop runs again and the tangents travel in its state; backwards it runs again and
    records what the steps' maps refer to, and a Recurrence goes back through them. So a
    loop in a loop keeps one state for each outer round. A long one is `segmented`: it records
    the state before each segment, whose rounds are made once more. Recording needs a bound:
    the adjoint of one without raises NoAdjoint. Law: the adjoint takes the adjoint steps in
    the other order.
    """

    like: While
    recorder: Graph  # its body, which gives the state, then what is recorded
    cell: Cell  # a step's linear map; residuals: `once`, then what is recorded
    operands: tuple[Wire, ...]  # of the primal
    once: tuple[Wire, ...]  # those of them that the cell refers to
    rounds: Wire  # how many there were
    states: tuple[int, ...]  # which parts of the state move
    backwards: bool = False
    origin: Span | None = None
    segmented: Cell | None = None  # all rounds, in segments: residuals are operands and rounds

    @property
    def domain(self) -> Types:  # type: ignore[override]
        network = self.cell.network
        return self._state if self.backwards else network.domain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        network = self.cell.network
        return network.domain if self.backwards else self._state

    @property
    def _state(self) -> Types:
        return self.cell.network.codomain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        if not any(self.reach([tangent is not None for tangent in tangents])):
            return (None,) * len(self.codomain)
        if self.backwards and self.segmented is not None:
            held = (*self.operands, self.rounds)
            return self.segmented.adjoint().apply(builder, held, tangents)
        if self.backwards:
            return self.unrolled(builder).adjoint().apply(builder, tangents)
        like, network, count = self.like, self.cell.network, len(self.states)
        live = _steady(network, count, [tangent is not None for tangent in tangents])
        moving = [k for k in range(count) if live[k]]
        shared = [t for t in tangents[count:] if t is not None]
        initial = [tangents[k] or builder.zeros(network.domain[k]) for k in moving]

        child = Builder(builder.primitives)
        child.origin = builder.origin
        first, types = like.shared, [wire.type for wire in like.body.inputs]
        own = [child.input(type) for type in types[:first]]
        more = iter([child.input(wire.type) for wire in shared])
        rest = [child.input(type) for type in types[first:]]
        inner: list[Tangent] = [None] * count
        for k, wire in zip(moving, initial, strict=True):
            inner[k] = child.input(wire.type)
        inner += [None if t is None else next(more) for t in tangents[count:]]
        results = child.inline(self.recorder, [*own, *rest])
        inside = dict(zip(self.operands, own, strict=False))
        residuals = [*(inside[wire] for wire in self.once), *results[like.carried :]]
        made = self.cell.apply(child, residuals, inner)
        after = [made[k] or child.zeros(self._state[k]) for k in moving]
        body = child.finish([*results[: like.carried], *after])

        blank = [Wire(wire.type) for wire in (*shared, *initial)]
        seen = like.condition.inputs
        inputs = (*seen[:first], *blank[: len(shared)], *seen[first:], *blank[len(shared) :])
        condition = Graph(inputs, like.condition.nodes, like.condition.outputs)
        carried = like.carried + len(moving)
        operation = While(condition, body, first + len(shared), carried, like.most)
        given = (*self.operands[:first], *shared, *self.operands[first:], *initial)
        final = iter(builder.add(operation, given)[1 + like.carried :])
        return tuple(next(final) if flag else None for flag in live)

    def unrolled(self, builder: Builder) -> Recurrence:
        """The same map, forwards, as a recurrence of the rounds there were: the loop runs
        again, and what the steps' maps refer to is kept of every round."""
        like = self.like
        assert like.most is not None, "only a loop with a bound is recorded"
        inputs, first = self.recorder.inputs, like.shared
        number, state = inputs[first], inputs[first + 1 :]
        body = replace(self.recorder, inputs=(*inputs[:first], *state, number))
        loop = Loop(body, first, like.carried, like.most, counted=True)
        numbers = builder.emit("iota", size=like.most)
        recorded = builder.add(loop, (*self.operands, numbers, self.rounds))[like.carried :]
        return Recurrence(
            self.cell, like.most, False, self.once, recorded, len(self.states), 0, 0, self.rounds
        )

    def adjoint(self) -> LinearMap:
        if self.like.most is None:
            raise NoAdjoint(
                Diagnostic(
                    "no-adjoint",
                    "a loop without a bound has no derivative in reverse",
                    Label(self.origin or NOWHERE, "may run for any number of rounds"),
                    notes=(
                        "The adjoint goes through the rounds from the last to the first, and "
                        "keeps what it needs of each.",
                        "Give the loop a bound, `while[1000] c f`, which stops it when reached; "
                        "or take the derivative forwards, `derivative f x v`.",
                    ),
                )
            )
        return replace(self, backwards=not self.backwards)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        network, count = self.cell.network, len(self.states)
        if not self.backwards:
            return tuple(_steady(network, count, given))
        return tuple(_steady(network.adjoint(), count, given))

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return once((*self.operands, self.rounds))

    def substitute(self, renaming: Renaming) -> LinearMap:
        return replace(
            self, operands=renamed(self.operands, renaming), once=renamed(self.once, renaming),
            rounds=renaming.get(self.rounds, self.rounds),
        )  # fmt: skip

    def __repr__(self) -> str:
        bound = "" if self.like.most is None else f"[{self.like.most}]"
        way = " backwards" if self.backwards else ""
        return f"while{bound}{way} ({self.cell.network!r})"


@dataclass(frozen=True, eq=False, slots=True)
class SolveL(LinearMap):
    """L⁻¹: u ↦ the v with L v = u, found by applying L, never as a matrix.

    Law: (L⁻¹)† = (L†)⁻¹. It is the fixpoint of v ↦ v + u - L v, which is linear in v, so
    that the lowering solves it (runtime/fixpoint.py), and its derivative is that of a
    fixpoint: the same again. By conjugate gradients where L is known to be self-adjoint
    and `positive`, else by GMRES; to a relative `tolerance` where one is given.
    """

    map: LinearMap
    positive: bool = False
    tolerance: float = 0.0

    MOST: ClassVar[int] = 1000  # restarts

    def __post_init__(self) -> None:
        require(self.map.domain == self.map.codomain, "the inverse of a map into another space")

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.map.codomain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.map.domain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        if all(tangent is None for tangent in tangents):
            return (None,) * len(self.codomain)
        return self.solved(builder, tangents)[:-1]

    def solved(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Wire, ...]:
        """The solution, and whether it was found."""
        given = filled(builder, tangents, self.domain)
        child = builder.child()
        state = [child.input(type) for type in self.codomain]
        images = filled(child, self.map.apply(child, state), self.domain)
        after = [
            child.emit("subtract", child.emit("add", v, u), image)
            for v, u, image in zip(state, given, images, strict=True)
        ]
        body = child.finish(after)
        operation = Fixpoint(
            body, len(child.captured), len(state), self.MOST, True, self.positive, self.tolerance
        )
        return builder.add(operation, (*child.captured, *given))

    def adjoint(self) -> LinearMap:
        return SolveL(self.map.adjoint(), self.positive, self.tolerance)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return (any(given),) * len(self.codomain)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return self.map.fixed

    def substitute(self, renaming: Renaming) -> LinearMap:
        return SolveL(self.map.substitute(renaming), self.positive, self.tolerance)

    def __repr__(self) -> str:
        return f"solveL {bracketed(self.map)}"


@dataclass(frozen=True, eq=False, slots=True)
class TreeRecurrence(LinearMap):
    """Linear steps over a forest: rows made of rows that earlier steps made (`TreeLoop`).

    From (initial rows, [x₁ … xₙ], w) to (final rows, [y₁ … yₙ], Σ zₜ). `rows`,
    `elements`, `stacks` count the parts of a row and of the cell's inputs and outputs.
    Law: the adjoint runs from the roots to the leaves with the adjoint steps; initial
    and final rows swap, the rows a step reads and those it makes, with the schedule of
    the one and of the other. Since a row is read once at most, its cotangent is that of
    its one reading: the adjoint gathers, too, and scatters nothing.
    """

    cell: Cell
    like: TreeLoop  # its reads, writes, width, length and way
    schedule: tuple[Wire, ...]
    shared: tuple[Wire, ...]  # residuals: the same at every step, then
    stacked: tuple[Wire, ...]  # one for each step
    rows: int
    elements: int
    stacks: int

    @property
    def domain(self) -> Types:  # type: ignore[override]
        network, like = self.cell.network, self.like
        return self._types(network.domain, like.reads, self.elements, self.schedule[3])

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        network, like = self.cell.network, self.like
        return self._types(network.codomain, like.writes, self.stacks, self.schedule[1])

    def _types(self, types: Types, blocks: int, count: int, places: Wire) -> Types:
        """Of rows at `places`, of what is stacked, of what is shared."""
        number, first = places.type.shape[0], blocks * self.rows
        rows = tuple(ArrayType(t.kind, (number, *t.shape[1:])) for t in types[: self.rows])
        stacked = _over(types[first : first + count], self.like.length)
        return (*rows, *stacked, *types[first + count :])

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        given, after = self._reached([tangent is not None for tangent in tangents])
        if not any(after):
            return (None,) * len(after)
        like, network, domain = self.like, self.cell.network, self.domain
        moving = given[: self.rows]
        child = Builder(builder.primitives)
        child.origin = builder.origin
        operands: list[Wire] = list(self.schedule)

        def take(wire: Wire, type: ArrayType) -> Wire:
            operands.append(wire)
            return child.input(type, wire.name)

        shared = [take(wire, wire.type) for wire in self.shared]
        once = range(self.rows + self.elements, len(tangents))
        outer = {k: take(t, t.type) for k in once if (t := tangents[k]) is not None}
        count = len(operands) - like.SCHEDULE
        for k, flag in enumerate(moving):
            if flag:
                operands.append(tangents[k] or builder.zeros(domain[k]))
        rows: list[Tangent] = [
            child.input(network.inputs[k].type) if flag else None
            for _ in range(like.reads)
            for k, flag in enumerate(moving)
        ]
        stacked = [take(wire, wire.type.element()) for wire in self.stacked]
        own: list[Tangent] = []
        for tangent in tangents[self.rows : self.rows + self.elements]:
            own.append(None if tangent is None else take(tangent, tangent.type.element()))

        inner = [*rows, *own, *(outer.get(k) for k in once)]
        results = self.cell.apply(child, [*shared, *stacked], inner)
        made = like.writes * self.rows
        outputs = [
            results[k] or child.zeros(network.outputs[k].type)
            for k in range(made)
            if moving[k % self.rows]
        ]
        outputs += [result for result in results[made:] if result is not None]
        operation = TreeLoop(
            child.finish(outputs), count, sum(moving), like.reads, like.writes, like.width,
            like.length, like.reverse,
        )  # fmt: skip
        answers = iter(builder.add(operation, operands))
        found: list[Tangent] = [next(answers) if flag else None for flag in moving]
        for k, result in enumerate(results[made:]):
            wire = None if result is None else next(answers)
            if wire is not None and k >= self.stacks:
                wire = builder.emit("sum", wire, axes=(0,))
            found.append(wire)
        return tuple(found)

    def _reached(self, live: Sequence[bool]) -> tuple[list[bool], list[bool]]:
        """What the inputs and the outputs may hold: the least fixed point over the rows."""
        given, rows, like = list(live), self.rows, self.like
        while True:
            inner = [*given[:rows] * like.reads, *given[rows:]]
            made = list(self.cell.network.reach(inner))
            blocks = [made[j * rows : (j + 1) * rows] for j in range(like.writes)]
            after = [any(flags) for flags in zip(given[:rows], *blocks, strict=True)]
            if after == given[:rows]:
                return given, [*after, *made[like.writes * rows :]]
            given[:rows] = after

    def adjoint(self) -> LinearMap:
        like = self.like
        back = replace(like, reads=like.writes, writes=like.reads, reverse=not like.reverse)
        reads, finals, readers, first = self.schedule
        return TreeRecurrence(
            self.cell.adjoint(), back, (readers, first, reads, finals), self.shared, self.stacked,
            self.rows, self.stacks, self.elements,
        )  # fmt: skip

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(self._reached(given)[1])

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return once((*self.schedule, *self.shared, *self.stacked))

    def substitute(self, renaming: Renaming) -> LinearMap:
        return TreeRecurrence(
            self.cell, self.like, renamed(self.schedule, renaming),
            renamed(self.shared, renaming), renamed(self.stacked, renaming),
            self.rows, self.elements, self.stacks,
        )  # fmt: skip

    def __repr__(self) -> str:
        way = " from the roots" if self.like.reverse else ""
        size = f"{self.like.length} x {self.like.width}"
        return f"treeRecurrence[{size}]{way} ({self.cell.network!r})"


@dataclass(frozen=True, eq=False, slots=True)
class ChooseL(LinearMap):
    """The linear map of the branch taken. Law: (choose c L M)† = choose c L† M†.

    All branches refer to the same residuals; of those that belong to another branch
    the primal made zeros. What is not taken is not computed, or, in a batch, not
    selected: it contributes nothing, not even NaN.
    """

    selector: Wire
    cells: tuple[Cell, ...]
    residuals: tuple[Wire, ...]

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.cells[0].network.domain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.cells[0].network.codomain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        given = [tangent for tangent in tangents if tangent is not None]
        reached = self.reach([tangent is not None for tangent in tangents])
        if not any(reached):
            return (None,) * len(reached)
        wanted = tuple(t for t, flag in zip(self.codomain, reached, strict=True) if flag)
        branches = []
        for cell in self.cells:
            child = Builder(builder.primitives)
            child.origin = builder.origin
            residuals = [child.input(wire.type, wire.name) for wire in self.residuals]
            inner = [None if t is None else child.input(t.type, t.name) for t in tangents]
            results = cell.apply(child, residuals, inner)
            kept = [wire for wire, flag in zip(results, reached, strict=True) if flag]
            branches.append(child.finish(filled(child, kept, wanted)))
        operands = [self.selector, *self.residuals, *given]
        made = iter(builder.add(Choose(tuple(branches)), operands))
        return tuple(next(made) if flag else None for flag in reached)

    def adjoint(self) -> LinearMap:
        return ChooseL(self.selector, tuple(cell.adjoint() for cell in self.cells), self.residuals)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        reached = [cell.network.reach(given) for cell in self.cells]
        return tuple(map(any, zip(*reached, strict=True)))

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return once((self.selector, *self.residuals))

    def substitute(self, renaming: Renaming) -> LinearMap:
        selector = renaming.get(self.selector, self.selector)
        return ChooseL(selector, self.cells, renamed(self.residuals, renaming))

    def __repr__(self) -> str:
        branches = " ".join(f"({cell.network!r})" for cell in self.cells)
        return f"choose {in_words(self.selector)} {branches}"
