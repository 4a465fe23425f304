"""Laws of loops: what need not be done step by step is done for all steps at once.

    stateless     a loop without a state is a map
    before        a product that does not depend on the state, W @ xₜ, is one product
                  with all elements, before the loop
    after         a product on which no later step depends, Wᵀ @ gₜ, is one product
                  with all of its operands stacked, after the loop
    accumulate    a state that only adds up products, Σ wₜ ⊗ xₜ, is one product of all
                  operands stacked, after the loop
    laid out      a matrix that all steps share lies as their products read it (graph/laid.py)
    packed        a state of several small arrays travels as one (graph/packed.py)

Those of products are choices by cost, counted in entries read and written at each step: a
product leaves the loop where its fixed operand, or the sum it adds to, is larger than
what has to be stored for it at every step. Small products in a long loop gain most;
those of a large batch stay where their operands are at hand. The loop over a forest has
the same laws: the rows it reads and makes are its state, and what it stacks to be summed,
the cotangents of shared weights, are products with all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..language.source import Span
from .dataflow import count_uses, demand
from .graph import Call, Graph, Loop, Node, TreeLoop, Wire
from .laid import laid_out
from .packed import put_packed, together
from .vectorise import loop_as_it_is, repeat

if TYPE_CHECKING:
    from .laws import Simplifier
    from .vectorise import Rebuild


def put_loop(
    rebuild: Rebuild, builder: Simplifier, loop: Loop, operands: Sequence[Wire]
) -> Sequence[Wire]:
    """A simplified loop, put into `builder` under the laws above: final states, then
    stacked outputs. One that is counted stays whole: not all of its steps are made. So
    does one of segments: what left it would be there for all of them."""
    if loop.length < 2 or loop.counted or loop.segments:
        return _or_packed(rebuild, builder, loop, operands)
    shared, initial, sequences, _ = loop.operands(operands)
    length, reverse = loop.length, loop.reverse
    split = _Split(rebuild, builder, loop.body, shared, initial, sequences, length, reverse)
    return split.put()


def put_tree_loop(
    rebuild: Rebuild, builder: Simplifier, tree: TreeLoop, operands: Sequence[Wire]
) -> Sequence[Wire]:
    """A simplified tree loop, put into `builder` under the laws above."""
    if tree.length < 2:
        return builder.add(tree, operands)
    return _TreeSplit(rebuild, builder, tree, operands).put()


Law: TypeAlias = Literal["before", "after", "accumulate", "packed"]


@dataclass(frozen=True)
class Moved:
    """A law that made a loop another (`fired`) or was held back: how many numbers all steps
    read and write for it as it stands and by the law; of `packed`, how many arrays."""

    law: Law
    place: Span | None
    length: int
    fired: bool
    stands: int
    moved: int


def _or_packed(
    rebuild: Rebuild, builder: Simplifier, loop: Loop, operands: Sequence[Wire]
) -> Sequence[Wire]:
    """The loop, its matrices as its products read them, its state as few arrays as pay."""
    given, (loop, operands) = loop, laid_out(builder, loop, operands)
    if loop is not given:
        builder.tell("laid out", "a matrix that all steps share lies as their products read it")
    places = together(loop)
    if not places:
        return loop_as_it_is(rebuild, builder, loop, operands)
    builder.tell("packed", "a state of several small arrays travels as one")
    rebuild.say(Moved("packed", builder.origin, loop.length, True, len(places), 1))
    return put_packed(builder, loop, operands, places)


class _Split:
    """A loop as what comes before it, what stays in it and what follows."""

    def __init__(
        self,
        rebuild: Rebuild,
        builder: Simplifier,
        body: Graph,
        shared: Sequence[Wire],
        initial: Sequence[Wire],
        sequences: Sequence[Wire],
        length: int,
        reverse: bool,
    ):
        self.rebuild, self.builder, self.body = rebuild, builder, body
        self.initial, self.length, self.reverse = initial, length, reverse
        self.fixed = len(shared)
        self.state, self.elements, self.carried = self._parts()
        self.outputs = body.outputs[self.carried :]
        count_uses(body, rebuild.uses)
        self.producer = {wire: node for node in body.nodes for wire in node.outputs}
        # Wires of the body that are known outside: the same at every step, or stacked.
        self.same = dict(zip(body.inputs, shared, strict=False))
        self.stacked = dict(zip(self.elements, sequences, strict=True))
        self.varying = self._after((*self.state, *self.elements))

    def _parts(self) -> tuple[Sequence[Wire], Sequence[Wire], int]:
        """The body's inputs that carry its state, its elements, and how many of its outputs
        are the state's."""
        inputs, last = self.body.inputs, self.fixed + len(self.initial)
        return inputs[self.fixed : last], inputs[last:], len(self.initial)

    def put(self) -> list[Wire]:
        self._before_loop()
        sums, late = self._plan()
        if sums:
            self.builder.tell("accumulate", "a sum over all steps is one product of all steps")
        if late:
            self.builder.tell("after the loop", "what no later step needs is made after the loop")
        wanted = [*self.outputs, *sums.values()]
        tail = [wire for wire in dict.fromkeys(wanted) if wire in late]
        following = self._part(tail, lambda wire: wire in self.varying and wire not in late)
        finals = self._loop(sums, [w for w in wanted if w not in late], following.inputs)
        self._outside(following, tail)
        answers = []
        for k, state in enumerate(self.state):
            if k in sums:
                total = self.builder.emit("sum", self.stacked[sums[k]], axes=(0,))
                sign = _name(self.producer[self.body.outputs[k]])  # add or subtract
                answers.append(self.builder.emit(sign, self.initial[k], total))
            else:
                answers.append(finals[state])
        return answers + [self._stack(wire) for wire in self.outputs]

    # --- before -----------------------------------------------------------------------------

    def _before_loop(self) -> None:
        """The products that can be made for all steps at once join the elements."""
        moving = self._after(self.state)
        early = []
        for node in self.body.nodes:
            output = node.outputs[0]
            fixed = self._fixed_operand(node)
            if fixed < 0 or output in moving:
                continue
            self._say("before", fixed >= output.type.size, fixed, output.type.size)
            if fixed >= output.type.size:
                early.append(output)
        if early:
            self.builder.tell("before the loop", "W @ x_t is one product for all steps")
            self._outside(self._part(early), early)

    def _say(self, law: Law, fired: bool, stands: int, moved: int) -> None:
        place = self.builder.origin
        self.rebuild.say(
            Moved(law, place, self.length, fired, *(self.length * each for each in (stands, moved)))
        )

    def _fixed_operand(self, node: Node) -> int:
        """The size of the operand that is the same at every step, if a product has one
        such operand and one that varies; else -1."""
        if not _is_product(node):
            return -1
        fixed = [wire for wire in node.inputs if wire not in self.varying]
        return fixed[0].type.size if len(fixed) == 1 else -1

    # --- what follows -------------------------------------------------------------------------

    def _plan(self) -> tuple[dict[int, Wire], set[Wire]]:
        """The states that only add up, each with its term; and the wires that are made
        after the loop."""
        sums = self._accumulators()
        while True:
            rest = [
                wire for k, wire in enumerate(self.body.outputs[: self.carried]) if k not in sums
            ]
            feeding = self._behind(rest)
            mended = {k: term for k, term in sums.items() if term not in feeding}
            if mended == sums:
                break
            sums = mended

        there: set[Wire] = {*self.stacked, *self.outputs}  # stacked anyway
        leaving: set[Wire] = set()
        for k, term in list(sums.items()):
            products = self._products(term)
            operands = {wire for node in products for wire in node.inputs if wire in self.varying}
            stored = sum(wire.type.size for wire in operands - there)
            if products:
                self._say("accumulate", stored <= term.type.size, term.type.size, stored)
            if products and stored <= term.type.size:
                there |= operands
                leaving.update(node.outputs[0] for node in products)
            else:
                del sums[k]
        if len(sums) < self.carried:
            rest = [
                wire for k, wire in enumerate(self.body.outputs[: self.carried]) if k not in sums
            ]
            feeding = self._behind(rest)
        for node in self.body.nodes:
            output = node.outputs[0]
            size = self._fixed_operand(node)
            if size >= 0 and output not in feeding and output not in self.stacked:
                operands = {wire for wire in node.inputs if wire in self.varying}
                stored = sum(wire.type.size for wire in operands - there)
                if output not in leaving:
                    self._say("after", stored <= size, size, stored)
                if stored <= size:
                    leaving.add(output)
        if len(sums) == self.carried:  # no state is left: a map
            leaving |= self.varying - set(self.elements)
        leaving -= feeding
        return sums, self._after(leaving) | leaving if leaving else set()

    def _accumulators(self) -> dict[int, Wire]:
        """The states whose step is state ± term and which nothing else looks at."""
        uses: dict[Wire, int] = {}
        for node in self.body.nodes:
            for wire in node.inputs:
                uses[wire] = uses.get(wire, 0) + 1
        for wire in self.body.outputs:
            uses[wire] = uses.get(wire, 0) + 1
        found = {}
        for k, state in enumerate(self.state):
            after = self.body.outputs[k]
            if uses.get(state) != 1 or uses[after] != 1 or after not in self.producer:
                continue
            node = self.producer[after]
            if _name(node) == "add" and state in node.inputs:
                found[k] = node.inputs[1 if node.inputs[0] is state else 0]
            elif _name(node) == "subtract" and state is node.inputs[0]:
                found[k] = node.inputs[1]
        return found

    def _products(self, term: Wire) -> list[Node]:
        """The products that a term adds up; none, if it is anything else."""
        node = self.producer.get(term)
        if node is None:
            return []
        if _is_product(node):
            return [node]
        if _name(node) not in ("add", "subtract", "negate", "transpose"):
            return []
        parts = [self._products(wire) for wire in node.inputs]
        return [each for part in parts for each in part] if all(parts) else []

    # --- the loop ---------------------------------------------------------------------------

    def _loop(
        self, sums: Collection[int], wanted: Iterable[Wire], frontier: Iterable[Wire]
    ) -> dict[Wire, Wire]:
        """The loop that remains: its final states; what it stacks joins the stacked."""
        states = [k for k in range(self.carried) if k not in sums]
        after = [self.body.outputs[k] for k in states]
        stacks = self._stacks(wanted, frontier)
        if not states and not stacks:
            return {}
        own = [self.state[k] for k in states]
        body, captured, elements = self._core([*after, *stacks], own)
        operation = Loop(body, len(captured), len(states), self.length, self.reverse)
        operands = [*captured, *(self.initial[k] for k in states), *elements]
        results = _or_packed(self.rebuild, self.builder, operation, operands)
        self.stacked.update(zip(stacks, results[len(states) :], strict=True))
        return dict(zip(own, results, strict=False))

    def _stacks(self, wanted: Iterable[Wire], frontier: Iterable[Wire]) -> list[Wire]:
        """What the loop has to stack, of what is asked for after it."""
        return [
            wire
            for wire in dict.fromkeys([*wanted, *frontier])
            if wire in self.varying and wire not in self.stacked
        ]

    def _core(
        self, outputs: Sequence[Wire], states: Iterable[Wire]
    ) -> tuple[Graph, tuple[Wire, ...], list[Wire]]:
        """The body that makes `outputs` of these states and of what is stacked already,
        simplified: the graph, what it captures, and the sequences it goes along."""
        core = self._part(outputs, lambda wire: wire in self.stacked)
        child = self.builder.child()
        child.origin = self.builder.origin
        place = {wire: self.same[wire] for wire in core.inputs if wire in self.same}
        through = [wire for wire in core.inputs if wire in self.stacked]
        for wire in (*states, *through):
            place[wire] = child.input(wire.type, wire.name, wire.representation)
        demand(core, [True] * len(core.outputs), self.rebuild.alive)
        made = self.rebuild.run(child, core, [place[wire] for wire in core.inputs])
        return child.finish(made), child.captured, [self.stacked[wire] for wire in through]

    # --- parts of the body ----------------------------------------------------------------------

    def _part(
        self, outputs: Sequence[Wire], stop: Callable[[Wire], bool] = lambda wire: False
    ) -> Graph:
        """The part of the body that makes `outputs` from its inputs and from the wires
        where it is to stop."""
        needed = set(outputs)
        inputs: dict[Wire, None] = {}
        nodes = []
        for wire in outputs:
            if stop(wire):
                inputs[wire] = None
        for node in reversed(self.body.nodes):
            if needed.isdisjoint(node.outputs) or stop(node.outputs[0]):
                continue
            nodes.append(node)
            for wire in node.inputs:
                needed.add(wire)
                if wire not in self.producer or stop(wire):
                    inputs[wire] = None
        for wire in outputs:
            if wire not in self.producer:
                inputs[wire] = None
        return Graph(tuple(inputs), tuple(reversed(nodes)), tuple(outputs))

    def _outside(self, part: Graph, names: Sequence[Wire]) -> None:
        """A part of the body made for all steps at once; its outputs join the stacked."""
        demand(part, [True] * len(part.outputs), self.rebuild.alive)
        flags = [wire in self.stacked for wire in part.inputs]
        operands = [self.stacked[w] if w in self.stacked else self.same[w] for w in part.inputs]
        made, mapped = self.rebuild.batch(self.builder, part, operands, flags, self.length)
        for wire, result, flag in zip(names, made, mapped, strict=True):
            self.stacked[wire] = result if flag else repeat(self.builder, result, self.length)

    def _stack(self, wire: Wire) -> Wire:
        """All values of a wire of the body, one for each step."""
        if wire not in self.stacked:
            self._outside(self._part([wire]), [wire])
        return self.stacked[wire]

    def _after(self, wires: Iterable[Wire]) -> set[Wire]:
        """The wires that depend on `wires`, and those."""
        reached = set(wires)
        for node in self.body.nodes:
            if not reached.isdisjoint(node.inputs):
                reached.update(node.outputs)
        return reached

    def _behind(self, wires: Iterable[Wire]) -> set[Wire]:
        """The wires on which `wires` depend, and those."""
        needed = set(wires)
        for node in reversed(self.body.nodes):
            if not needed.isdisjoint(node.outputs):
                needed.update(node.inputs)
        return needed


class _TreeSplit(_Split):
    """A tree loop as what comes before it, what stays in it and what follows."""

    def __init__(
        self, rebuild: Rebuild, builder: Simplifier, tree: TreeLoop, operands: Sequence[Wire]
    ):
        self.tree = tree
        self.schedule, shared, initial, sequences = tree.operands(operands)
        super().__init__(
            rebuild, builder, tree.body, shared, initial, sequences, tree.length, tree.reverse
        )

    def _parts(self) -> tuple[Sequence[Wire], Sequence[Wire], int]:
        _, read, elements = self.tree.inputs(self.body.inputs)
        return read, elements, self.tree.writes * self.tree.rows

    def put(self) -> list[Wire]:
        self._before_loop()
        late = self._late()
        tail = [wire for wire in dict.fromkeys(self.outputs) if wire in late]
        following = self._part(tail, lambda wire: wire in self.varying and wire not in late)
        rows = self._tree_loop([w for w in self.outputs if w not in late], following.inputs)
        self._outside(following, tail)
        return rows + [self._stack(wire) for wire in self.outputs]

    def _late(self) -> set[Wire]:
        """The wires made after the loop: products on which no row depends, where storing
        their operands costs no more than their fixed operand, or than what they give."""
        feeding = self._behind(self.body.outputs[: self.carried])
        there: set[Wire] = {*self.stacked, *self.outputs}
        leaving: set[Wire] = set()
        for node in self.body.nodes:
            output = node.outputs[0]
            if not _is_product(node) or output in feeding or output in self.stacked:
                continue
            operands = {wire for wire in node.inputs if wire in self.varying}
            size = output.type.size if len(operands) > 1 else self._fixed_operand(node)
            if sum(wire.type.size for wire in operands - there) <= size:
                there |= operands
                leaving.add(output)
        return self._after(leaving) | leaving if leaving else set()

    def _tree_loop(self, wanted: Iterable[Wire], frontier: Iterable[Wire]) -> list[Wire]:
        """The loop that remains: its final rows; what it stacks joins the stacked."""
        stacks = self._stacks(wanted, frontier)
        made = self.body.outputs[: self.carried]
        body, captured, elements = self._core([*made, *stacks], self.state)
        operation = replace(self.tree, body=body, shared=len(captured))
        operands = [*self.schedule, *captured, *self.initial, *elements]
        answers = self.builder.add(operation, operands)
        rows, stacked = list(answers[: self.tree.rows]), answers[self.tree.rows :]
        self.stacked.update(zip(stacks, stacked, strict=True))
        return rows


def _name(node: Node) -> str:
    return node.operation.primitive.name if isinstance(node.operation, Call) else ""


def _is_product(node: Node) -> bool:
    return _name(node) in ("contract", "convolve")
