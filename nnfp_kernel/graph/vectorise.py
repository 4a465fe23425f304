"""Rebuilding a graph: maps become primitives over one more axis, dead nodes go.

    map (f >> g) = map f >> map g
    map of a primitive = the primitive over one more axis (its record says how)
    map of a loop = the loop over states and elements that have one more axis
    map of a choice = a choice by the batch, where the selector differs in it
    map of a tree loop stays one: each element has rows of its own; so does that of a
    fixpoint, and of a loop whose rounds differ between the elements

A node that no mapped input reaches is the same for all elements and is made once.
Within a batch its axis always comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from .dataflow import Flags, count_uses, demand, spread_loop, spread_while
from .graph import (
    Call,
    Choose,
    Constant,
    Fixpoint,
    Graph,
    Loop,
    Map,
    Node,
    TreeLoop,
    While,
    Wire,
    subgraphs_together,
)
from .laws import Fired, Primitives, Simplifier
from .segments import where_it_lies

Place: TypeAlias = dict[Wire, Wire]


class Rebuild:
    """One rebuilding of a graph and of the graphs in it; dead nodes are left out.

    `resolve` says whether a choice in a batch is resolved or left as a Map of its own;
    `put_loop` and `put_tree_loop` are how a finished loop is put into a builder.

    A dead wire has no place in the new graph: it stands for itself and is not used.
    """

    def __init__(
        self,
        primitives: Primitives,
        resolve: bool = False,
        put_loop: PutLoop | None = None,
        put_tree_loop: PutTreeLoop | None = None,
    ):
        self.primitives = primitives
        self.resolve = resolve
        self.put_loop = put_loop or loop_as_it_is
        self.put_tree_loop = put_tree_loop or _tree_loop_as_it_is
        self.alive: set[Wire] = set()
        self.uses: Counter[Wire] = Counter()
        self.fired: Fired | None = None  # where the laws that fire are counted, if anywhere
        self.moved: list[Any] | None = None  # what the laws of loops did to each, if asked for

    def say(self, moved: Any) -> None:
        """A law of loops was applied or held back: noted where that is asked for."""
        if self.moved is not None:
            self.moved.append(moved)

    def start(self) -> Simplifier:
        """A builder for a graph of its own."""
        builder = Simplifier(self.primitives)
        builder.fired = self.fired
        return builder

    def graph(self, graph: Graph, wanted: Flags | None = None) -> Graph:
        """The graph again, with the same inputs and the outputs wanted."""
        wanted = wanted or [True] * len(graph.outputs)
        before = -1
        while len(self.alive) != before:  # nodes may hold one sub-graph and want different parts
            before = len(self.alive)
            demand(graph, wanted, self.alive)
        count_uses(graph, self.uses)
        builder = self.start()
        inputs = [builder.input(w.type, w.name, w.representation) for w in graph.inputs]
        outputs = self.run(builder, graph, inputs)
        return builder.finish([w for w, flag in zip(outputs, wanted, strict=True) if flag])

    # --- as it stands ---------------------------------------------------------------------

    def run(self, builder: Simplifier, graph: Graph, inputs: Sequence[Wire]) -> list[Wire]:
        """The nodes of `graph`, made in `builder`."""
        return self.batch(builder, graph, inputs, [False] * len(inputs), 0)[0]

    def _node(self, builder: Simplifier, node: Node, operands: list[Wire]) -> Sequence[Wire]:
        match node.operation:
            case Call() as call:
                return builder.add(call, operands)
            case Constant(value, type):
                return (builder.constant(value, type.kind),)
            case Map() as each:
                return self._map(builder, node, each, operands)
            case Loop() as loop:
                return self._loop(builder, node, loop, operands, [False] * len(operands), 0)[0]
            case While() as loop:
                return self._while(builder, node, loop, operands, [False] * len(operands), 0)[0]
            case Fixpoint() as fixpoint:
                return self._fixpoint(builder, fixpoint, operands)
            case TreeLoop() as tree:
                return self._tree_loop(builder, node, tree, operands)
            case Choose(branches):
                if operands[0].type.rank and self.resolve:
                    cases = [self.run(builder, branch, operands[1:]) for branch in branches]
                    return self._selected(builder, node, operands[0], cases)
                return self._choose(builder, node, operands, [False] * len(operands), 0)[0]
            case other:
                raise AssertionError(f"no rebuilding of {other}")

    def _map(
        self, builder: Simplifier, node: Node, each: Map, operands: list[Wire]
    ) -> Sequence[Wire]:
        flags = [k >= each.shared for k in range(len(operands))]
        if self._irreducible(each):
            return self._left(builder, each.body, operands, flags, each.length)
        builder.tell(
            "vectorise", "map (f >> g) = map f >> map g, each a primitive with an axis more"
        )
        made, mapped = self.batch(builder, each.body, operands, flags, each.length)
        return self._repeated(builder, node.outputs, made, mapped, each.length)

    def _irreducible(self, each: Map) -> bool:
        """A Map of nothing but a node that stays one, or of a choice, which `vectorise`
        leaves alone."""
        if len(each.body.nodes) != 1:
            return False
        inner = each.body.nodes[0]
        if isinstance(inner.operation, Map):
            return self._irreducible(inner.operation)
        mapped = set(each.body.inputs[each.shared :])
        flags = [wire in mapped for wire in inner.inputs]
        if isinstance(inner.operation, Choose):
            return not self.resolve and flags[0]
        return _stays(inner, flags)

    def _repeated(
        self,
        builder: Simplifier,
        outputs: Sequence[Wire],
        made: Sequence[Wire],
        mapped: Flags,
        length: int,
    ) -> list[Wire]:
        """What is the same for all elements, repeated for each."""
        return [
            wire if flag or output not in self.alive else repeat(builder, wire, length)
            for output, wire, flag in zip(outputs, made, mapped, strict=True)
        ]

    # --- over one more axis -----------------------------------------------------------------

    def batch(
        self, builder: Simplifier, graph: Graph, inputs: Sequence[Wire], flags: Flags, length: int
    ) -> tuple[list[Wire], list[bool]]:
        """The nodes of `graph` over one more axis of `length`, which the inputs flagged
        have in front; the outputs, and which of them have it."""
        place = dict(zip(graph.inputs, inputs, strict=True))
        mapped = {wire for wire, flag in zip(graph.inputs, flags, strict=True) if flag}
        before, alive = builder.origin, self.alive
        for node in graph.nodes:
            if alive.isdisjoint(node.outputs):
                continue
            builder.origin = node.origin or before
            operands = [place.get(wire, wire) for wire in node.inputs]
            if mapped.isdisjoint(node.inputs):
                made = self._node(builder, node, operands)
            else:
                given = [wire in mapped for wire in node.inputs]
                made, reached = self._batch(builder, node, operands, given, length)
                mapped.update(w for w, flag in zip(node.outputs, reached, strict=True) if flag)
            passed = 0 if type(node.operation) is Call else 1  # a body's output counts itself
            for old, new in zip(node.outputs, made, strict=True):
                place[old] = new
                builder.uses[new] += self.uses[old] - passed
                if old.name and not new.name:
                    new.name = old.name
                if old.type == new.type:
                    new.representation = new.representation or old.representation
        builder.origin = before
        return (
            [place.get(wire, wire) for wire in graph.outputs],
            [wire in mapped for wire in graph.outputs],
        )

    def _batch(
        self, builder: Simplifier, node: Node, operands: list[Wire], flags: Flags, length: int
    ) -> tuple[Sequence[Wire], Flags]:
        match node.operation:
            case Call(primitive, parameters):
                return (primitive.batch(builder, parameters, operands, flags, length),), (True,)
            case Map() as each:
                if self._irreducible(each):
                    return self._alone(builder, node, operands, flags, length)
                inner = self._resolved(node, each)
                return self.batch(builder, inner, operands, flags, length)
            case Loop() | While() | Fixpoint() | TreeLoop() if _stays(node, flags):
                return self._alone(builder, node, operands, flags, length)
            case Loop() as loop:
                return self._loop(builder, node, loop, operands, flags, length)
            case While() as loop:
                return self._while(builder, node, loop, operands, flags, length)
            case Choose(branches):
                selector = operands[0]
                if not flags[0] and not selector.type.rank:
                    return self._choose(builder, node, operands, flags, length)
                if not self.resolve:
                    return self._alone(builder, node, operands, flags, length)
                if not flags[0]:
                    selector = repeat(builder, selector, length)
                cases = []
                for branch in branches:
                    made, mapped = self.batch(builder, branch, operands[1:], flags[1:], length)
                    cases.append(self._repeated(builder, node.outputs, made, mapped, length))
                chosen = self._selected(builder, node, selector, cases)
                return chosen, (True,) * len(chosen)
            case other:
                raise AssertionError(f"no batch of {other}")

    def _resolved(self, node: Node, each: Map) -> Graph:
        """The Map inside a batch as a graph of its own without a Map."""
        builder = self.start()
        inputs = [builder.input(wire.type, wire.name) for wire in node.inputs]
        made = self._map(builder, node, each, inputs)
        # Dead outputs are given some wire, so that every output keeps its place.
        alive = [wire in self.alive for wire in node.outputs]
        graph = builder.finish([w for w, flag in zip(made, alive, strict=True) if flag])
        demand(graph, [True] * len(graph.outputs), self.alive)
        rest = iter(graph.outputs)
        outputs = [
            next(rest) if flag else wire for wire, flag in zip(node.outputs, alive, strict=True)
        ]
        return Graph(graph.inputs, graph.nodes, tuple(outputs))

    def _alone(
        self, builder: Simplifier, node: Node, operands: list[Wire], flags: Flags, length: int
    ) -> tuple[Sequence[Wire], Flags]:
        """The node as the body of a Map."""
        given = dict(zip(node.inputs, zip(operands, flags, strict=True), strict=True))
        body = Graph(tuple(given), (node,), node.outputs)
        wires, mapped = zip(*given.values(), strict=True)
        made = self._left(builder, body, wires, mapped, length)
        return made, (True,) * len(made)

    def _left(
        self,
        builder: Simplifier,
        body: Graph,
        operands: Sequence[Wire],
        flags: Flags,
        length: int,
    ) -> list[Wire]:
        """A Map that stays one."""
        used = [k for k, wire in enumerate(body.inputs) if wire in self.alive]
        used.sort(key=lambda k: flags[k])  # shared operands first
        child = self.start()
        child.origin = builder.origin
        inputs = list(body.inputs)
        for k in used:
            inputs[k] = child.input(body.inputs[k].type, body.inputs[k].name)
        made = self.run(child, body, inputs)
        wanted = [wire in self.alive for wire in body.outputs]
        graph = child.finish([w for w, flag in zip(made, wanted, strict=True) if flag])
        shared = sum(not flags[k] for k in used)
        operation = Map(graph, shared, length)
        results = iter(builder.add(operation, [operands[k] for k in used]))
        return [
            next(results) if flag else wire for wire, flag in zip(body.outputs, wanted, strict=True)
        ]

    def _selected(
        self, builder: Simplifier, node: Node, selector: Wire, cases: Sequence[Sequence[Wire]]
    ) -> list[Wire]:
        """Every entry of the batch takes its own case; an index out of range the nearest."""
        if selector.type.kind == "Bool":
            masks, cases = [selector], cases[1::-1]
        else:
            masks = []
            for k in range(len(cases) - 1):
                bound = builder.constant(k, "Int")
                bound = builder.emit("broadcast", bound, shape=selector.type.shape, axes=())
                masks.append(builder.emit("compare", selector, bound, how="le"))
        chosen = list(cases[-1])
        for mask, case in reversed(list(zip(masks, cases, strict=False))):
            for j, output in enumerate(node.outputs):
                if output in self.alive:
                    chosen[j] = _select(builder, mask, case[j], chosen[j])
        return chosen

    def _choose(
        self, builder: Simplifier, node: Node, operands: list[Wire], flags: Flags, length: int
    ) -> tuple[list[Wire], list[bool]]:
        """One branch for all: the branches over one more axis."""
        assert isinstance(node.operation, Choose)
        branches = node.operation.branches
        used = [
            k
            for k in range(1, len(operands))
            if any(b.inputs[k - 1] in self.alive for b in branches)
        ]
        wanted = [k for k, wire in enumerate(node.outputs) if wire in self.alive]
        results = []
        for branch in branches:
            child = self.start()
            inputs = list(branch.inputs)
            for k in used:
                inputs[k - 1] = child.input(operands[k].type, branch.inputs[k - 1].name)
            results.append((child, *self.batch(child, branch, inputs, flags[1:], length)))
        mapped = [any(result[2][k] for result in results) for k in range(len(node.outputs))]
        graphs = []
        for child, made, own in results:
            for k in wanted:
                if mapped[k] and not own[k]:
                    made[k] = repeat(child, made[k], length)
            graphs.append(child.finish([made[k] for k in wanted]))
        given = [operands[0], *(operands[k] for k in used)]
        chosen = iter(builder.add(Choose(tuple(graphs)), given))
        outputs = [next(chosen) if w in self.alive else w for w in node.outputs]
        return outputs, mapped

    def _loop(
        self,
        builder: Simplifier,
        node: Node,
        loop: Loop,
        operands: list[Wire],
        flags: Flags,
        length: int,
    ) -> tuple[list[Wire], list[bool]]:
        """A loop, its states and elements over one more axis where `flags` reach.

        A state that no step changes is shared; so is an element that is the same at
        every step; what is shared and cheap to make is made inside.
        """
        body, first, last = loop.body, loop.shared, loop.shared + loop.carried
        *_, rounds = loop.operands(operands)
        operands = operands[: len(body.inputs)]
        flags, reached = spread_loop(loop, flags)
        child = builder.child()
        place: Place = {wire: wire for wire in body.inputs}
        answers: list[Wire] = list(node.outputs)

        for k in range(first):
            if body.inputs[k] in self.alive:
                place[body.inputs[k]] = _inside(builder, child, operands[k])
        carried: list[int] = []
        initial: list[Wire] = []
        for k in range(loop.carried):
            wire, operand, flag = body.inputs[first + k], operands[first + k], flags[first + k]
            if wire not in self.alive and node.outputs[k] not in self.alive:
                continue
            if body.outputs[k] is wire:
                place[wire] = answers[k] = operand
                continue
            if flag and operand.type == wire.type:
                operand = repeat(builder, operand, length)
            carried.append(k)
            initial.append(operand)
            place[wire] = child.input(operand.type, wire.name, wire.representation)
        sequences: dict[Wire, Wire] = {}

        def number() -> Wire:
            steps = builder.emit("iota", size=loop.length)
            if steps not in sequences:
                sequences[steps] = child.input(steps.type.element())
            return sequences[steps]

        for k in range(last, len(operands)):
            wire, operand = body.inputs[k], operands[k]
            if wire not in self.alive:
                continue
            if flags[k]:
                operand = exchange(builder, operand)
            elif loop.segments and self.resolve:
                block = where_it_lies(builder, child, operand, number)
                if block is not None:
                    place[wire] = block
                    continue
            if (element := _unchanging(builder, child, operand)) is None:
                if operand not in sequences:
                    type = operand.type.element()
                    sequences[operand] = child.input(type, wire.name, wire.representation)
                element = sequences[operand]
            place[wire] = element

        child.origin = builder.origin
        made, mapped = self.batch(child, body, [place[w] for w in body.inputs], flags, length)
        stacked = [k for k in range(loop.carried, len(made)) if node.outputs[k] in self.alive]
        for k in (*carried, *stacked):
            if reached[k] and not mapped[k]:
                made[k] = repeat(child, made[k], length)
        graph = child.finish([made[k] for k in (*carried, *stacked)])
        results = self.put_loop(
            self,
            builder,
            replace(loop, body=graph, shared=len(child.captured), carried=len(initial)),
            [*child.captured, *initial, *sequences, *rounds],
        )
        for k, wire in zip((*carried, *stacked), results, strict=True):
            answers[k] = exchange(builder, wire) if reached[k] and k >= loop.carried else wire
        return answers, reached

    def _while(
        self,
        builder: Simplifier,
        node: Node,
        loop: While,
        operands: list[Wire],
        flags: Flags,
        length: int,
    ) -> tuple[list[Wire], list[bool]]:
        """A while whose condition is the same for all elements, its states over one more
        axis where `flags` reach."""
        first = loop.shared
        flags, reached = spread_while(loop, flags)
        answers: list[Wire] = list(node.outputs)
        initial: dict[int, Wire] = {}
        for k, operand in enumerate(operands[first:]):
            inside = (graph.inputs[first + 1 + k] for graph in (loop.condition, loop.body))
            if self.alive.isdisjoint((*inside, node.outputs[1 + k])):
                continue
            if flags[first + k] and operand.type == loop.body.outputs[k].type:
                operand = repeat(builder, operand, length)
            initial[k] = operand
        parts = []
        for graph, wanted in ((loop.condition, [0]), (loop.body, list(initial))):
            child = builder.child()
            child.origin = builder.origin
            place = list(graph.inputs)
            for k in range(first):
                if graph.inputs[k] in self.alive:
                    place[k] = _inside(builder, child, operands[k])
            place[first] = child.input(place[first].type)
            for k, operand in initial.items():
                name = graph.inputs[first + 1 + k].name
                place[first + 1 + k] = child.input(operand.type, name)
            given = [*flags[:first], False, *flags[first:]]
            made, mapped = self.batch(child, graph, place, given, length)
            if graph is loop.body:
                for k in wanted:
                    if reached[1 + k] and not mapped[k]:
                        made[k] = repeat(child, made[k], length)
            parts.append((child, [made[k] for k in wanted]))
        (condition, body), captured = subgraphs_together(parts)
        operation = While(condition, body, len(captured), len(initial), loop.most)
        results = builder.add(operation, (*captured, *initial.values()))
        for k, wire in zip((-1, *initial), results, strict=True):
            answers[1 + k] = wire
        return answers, reached

    def _fixpoint(
        self, builder: Simplifier, fixpoint: Fixpoint, operands: list[Wire]
    ) -> Sequence[Wire]:
        """A fixpoint with its body simplified."""
        body, first = fixpoint.body, fixpoint.shared
        child = builder.child()
        child.origin = builder.origin
        place = list(body.inputs)
        for k in range(first):
            if body.inputs[k] in self.alive:
                place[k] = _inside(builder, child, operands[k])
        for k in range(first, len(place)):
            place[k] = child.input(place[k].type, place[k].name, place[k].representation)
        graph = child.finish(self.run(child, body, place))
        operation = replace(fixpoint, body=graph, shared=len(child.captured))
        return builder.add(operation, (*child.captured, *operands[first:]))

    def _tree_loop(
        self, builder: Simplifier, node: Node, tree: TreeLoop, operands: list[Wire]
    ) -> list[Wire]:
        """A tree loop with its body simplified, without what nobody reads."""
        schedule, shared, initial, sequences = tree.operands(operands)
        inner_shared, read, elements = tree.inputs(tree.body.inputs)
        child = builder.child()
        child.origin = builder.origin
        place: Place = {wire: wire for wire in tree.body.inputs}
        for inner, outer in zip(inner_shared, shared, strict=True):
            if inner in self.alive:
                place[inner] = _inside(builder, child, outer)
        for wire in read:
            place[wire] = child.input(wire.type, wire.name, wire.representation)
        given: list[Wire] = []
        for wire, sequence in zip(elements, sequences, strict=True):
            if wire not in self.alive:
                continue
            element = _unchanging(builder, child, sequence)
            if element is None:
                given.append(sequence)
                element = child.input(wire.type, wire.name, wire.representation)
            place[wire] = element
        made = self.run(child, tree.body, [place[wire] for wire in tree.body.inputs])
        count = tree.writes * tree.rows
        stacked = [k for k, w in enumerate(node.outputs[tree.rows :], count) if w in self.alive]
        body = child.finish([*made[:count], *(made[k] for k in stacked)])
        operation = replace(tree, body=body, shared=len(child.captured))
        whole = [*schedule, *child.captured, *initial, *given]
        results = self.put_tree_loop(self, builder, operation, whole)
        answers = [*results[: tree.rows], *node.outputs[tree.rows :]]
        for k, wire in zip(stacked, results[tree.rows :], strict=True):
            answers[tree.rows + k - count] = wire
        return answers


def _stays(node: Node, flags: Flags) -> bool:
    """Whether a loop in a batch stays a Map of its own."""
    match node.operation:
        case Loop(counted=counted):
            return counted and flags[-1]
        case While() as loop:
            return spread_while(loop, flags)[1][0]
        case Fixpoint() | TreeLoop():
            return any(flags)
    return False


def loop_as_it_is(
    _: Rebuild, builder: Simplifier, loop: Loop, operands: Sequence[Wire]
) -> Sequence[Wire]:
    return builder.add(loop, operands)


def _tree_loop_as_it_is(
    _: Rebuild, builder: Simplifier, tree: TreeLoop, operands: Sequence[Wire]
) -> Sequence[Wire]:
    return builder.add(tree, operands)


PutTreeLoop: TypeAlias = Callable[[Rebuild, Simplifier, TreeLoop, Sequence[Wire]], Sequence[Wire]]
PutLoop: TypeAlias = Callable[[Rebuild, Simplifier, Loop, Sequence[Wire]], Sequence[Wire]]


# --- movements -----------------------------------------------------------------------------


def repeat(builder: Simplifier, wire: Wire, length: int) -> Wire:
    """`wire` along a new leading axis."""
    shape = wire.type.shape
    axes = tuple(range(1, len(shape) + 1))
    return builder.emit("broadcast", wire, shape=(length, *shape), axes=axes)


def exchange(builder: Simplifier, wire: Wire) -> Wire:
    """The two leading axes exchanged."""
    permutation = (1, 0, *range(2, wire.type.rank))
    return builder.emit("transpose", wire, permutation=permutation)


def _select(builder: Simplifier, mask: Wire, taken: Wire, other: Wire) -> Wire:
    shape = taken.type.shape
    if mask.type.shape != shape:
        mask = builder.emit("broadcast", mask, shape=shape, axes=tuple(range(mask.type.rank)))
    return builder.emit("select", mask, taken, other)


def broadcast_of(builder: Simplifier, wire: Wire) -> Node | None:
    """The node that made `wire`, if it is a broadcast in this builder."""
    node = builder.producer(wire) if builder.owns(wire) else None
    if node is None or not isinstance(node.operation, Call):
        return None
    return node if node.operation.primitive.name == "broadcast" else None


def _inside(builder: Simplifier, child: Simplifier, wire: Wire) -> Wire:
    """A shared operand as its loop's body knows it: a broadcast is made inside."""
    if (node := broadcast_of(builder, wire)) is None:
        return wire
    assert isinstance(node.operation, Call)
    return child.emit("broadcast", node.inputs[0], **node.operation.parameters)


def _unchanging(builder: Simplifier, child: Simplifier, sequence: Wire) -> Wire | None:
    """The element of a sequence whose elements are all the same, made inside."""
    if (node := broadcast_of(builder, sequence)) is None:
        return None
    assert isinstance(node.operation, Call)
    shape, axes = node.operation.parameters["shape"], node.operation.parameters["axes"]
    if 0 in axes:
        return None
    moved = tuple(axis - 1 for axis in axes)
    return child.emit("broadcast", node.inputs[0], shape=tuple(shape[1:]), axes=moved)
