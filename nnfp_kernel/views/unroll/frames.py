"""A graph with arrays on its inputs, run step by step: its loops with every state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy

from ...graph.graph import (
    ArrayType,
    Call,
    Constant,
    Graph,
    Loop,
    Map,
    Node,
    TreeLoop,
    While,
    Wire,
)
from ...language.source import Span
from ...runtime.lower import Precision, lower

Array = Any
_INT = ArrayType("Int")
FEW = 12  # nodes, which are not worth a compilation


@dataclass(frozen=True, eq=False)
class Frame:
    """A graph, the arrays of its inputs, and which of its wires no input of the function moves."""

    graph: Graph
    arrays: tuple[Array, ...]
    held: frozenset[Wire]
    precision: Precision

    @classmethod
    def of(cls, graph: Graph, arrays: Sequence[Array], moving: int, precision: Precision) -> Frame:
        """The frame of a function: its first inputs are those that move, the others weights."""
        return cls(graph, tuple(arrays), frozenset(graph.inputs[moving:]), precision)

    def still(self) -> frozenset[Wire]:
        """All wires that are made of weights and constants alone."""
        found = set(self.held)
        for node in self.graph.nodes:
            if found.issuperset(node.inputs):
                found.update(node.outputs)
        return frozenset(found)

    def run(self) -> list[Ran]:
        """All that repeats in the graph, in its order, step by step."""
        nodes = [node for node in self.graph.nodes if repeats(node)]
        wanted = list(dict.fromkeys(wire for node in nodes for wire in node.inputs))
        values = dict(zip(wanted, self._values(wanted), strict=True))
        still = self.still()
        return [
            Ran.of(node, [values[wire] for wire in node.inputs], still, self.precision)
            for node in nodes
        ]

    def values(self, wires: Sequence[Wire]) -> list[Array]:
        return [numpy.asarray(value) for value in self._values(wires)]

    def _values(self, wires: Sequence[Wire]) -> list[Array]:
        import jax

        needed, kept = set(wires), []
        for node in reversed(self.graph.nodes):
            if not needed.isdisjoint(node.outputs):
                kept.append(node)
                needed.update(node.inputs)
        graph = Graph(self.graph.inputs, tuple(reversed(kept)), tuple(wires))
        function = lower(graph, self.precision)
        if len(kept) > FEW:
            function = jax.jit(function)
        return list(function(*self.arrays))

    def maker(self, wire: Wire) -> Node | None:
        return next((node for node in self.graph.nodes if wire in node.outputs), None)


@dataclass(frozen=True, eq=False)
class Ran:
    """What repeats, as it ran: the arrays of its body's inputs and outputs at every step.

    `states` are stacked in the order of the steps, the first what they begin with; elements
    and outputs by position. `moving` says which elements an input of the function moves.
    """

    node: Node
    body: Graph
    shared: tuple[Array, ...]
    states: tuple[Array, ...]
    elements: tuple[Array, ...]
    outputs: tuple[Array, ...]
    moving: tuple[bool, ...]
    count: int
    reverse: bool
    held: frozenset[Wire]  # inputs of the body that no input of the function moves
    precision: Precision

    @classmethod
    def of(
        cls, node: Node, operands: list[Array], still: frozenset[Wire], precision: Precision
    ) -> Ran:
        flags = [wire not in still for wire in node.inputs]
        match node.operation:
            case Map(body=body, shared=shared, length=length):
                results = _run(node, operands, precision)
                states: list[Array] = []
                elements, moving = operands[shared:], flags[shared:]
                outputs, reverse = list(results), False
            case Loop() as loop:
                body, shared, length, reverse = loop.body, loop.shared, loop.length, loop.reverse
                results = _run(replace(node, operation=_with_states(loop)), operands, precision)
                _, initial, elements, rounds = loop.operands(operands)
                _, _, moving, _ = loop.operands(flags)
                length = int(rounds[0]) if rounds else length
                outputs = results[loop.carried : len(results) - loop.carried]
                after = [numpy.asarray(a) for a in results[len(results) - loop.carried :]]
                after = [a[::-1] if reverse else a[:length] for a in after]
                states = [
                    numpy.concatenate([numpy.asarray(one)[None], each])
                    for one, each in zip(initial, after, strict=True)
                ]
            case While(body=body, shared=shared, carried=carried):
                length = int(_run(node, operands, precision)[0])
                loop, order = _counted(body, shared, carried, length)
                again = Node(loop, (*node.inputs, Wire(_INT.over(length))), ())
                results = _run(again, [*operands, numpy.arange(length)], precision)
                after = [numpy.asarray(array) for array in results[carried:]]
                initial = operands[shared:]
                states = [
                    numpy.concatenate([numpy.asarray(one)[None], each])
                    for one, each in zip(initial, after, strict=True)
                ]
                body, outputs, elements = order, [], [numpy.arange(length)]
                moving, reverse = [False], False
            case other:
                raise AssertionError(f"nothing that is run step by step: {other}")
        held = frozenset(
            wire for wire, moves in zip(body.inputs[:shared], flags, strict=False) if not moves
        )
        return cls(
            node,
            body,
            tuple(operands[:shared]),
            tuple(states),
            tuple(map(numpy.asarray, elements)),
            tuple(map(numpy.asarray, outputs)),
            tuple(moving),
            length,
            reverse,
            held,
            precision,
        )

    def inside(self, step: int) -> Frame:
        """What is run at one step, counted from 0 in the order of the steps."""
        place = self.count - 1 - step if self.reverse else step
        given = [
            *self.shared, *(state[step] for state in self.states),
            *(element[place] for element in self.elements),
        ]  # fmt: skip
        return Frame(self.body, tuple(given), self.held, self.precision)

    @property
    def names(self) -> tuple[list[Wire], list[Wire], list[Wire]]:
        """The wires of the body: of states, of elements, of outputs."""
        first = len(self.shared)
        last = first + len(self.states)
        inputs, outputs = list(self.body.inputs), list(self.body.outputs)
        return inputs[first:last], inputs[last:], outputs[len(self.states) :]


def repeats(node: Node) -> bool:
    """Whether a node is run step by step: trees are looked for elsewhere."""
    return isinstance(node.operation, Loop | Map | While)


def inner(graph: Graph) -> int:
    """How many loops and maps there are directly inside a step."""
    return sum(map(repeats, graph.nodes))


def sliding(frame: Frame, wire: Wire) -> tuple[Wire, Array] | None:
    """Where a sequence of windows comes from: what slides, and the places [windows, span]
    that each of them sees; None where it is none, or slides over a plane."""
    node = frame.maker(wire)
    if node is None or not isinstance(node.operation, Call):
        return None
    if node.operation.primitive.name != "windows":
        return None
    given = node.operation.parameters
    if len(given["sizes"]) != 1 or given["axis"] != 0:
        return None
    (size,), (stride,), (dilation,) = given["sizes"], given["strides"], given["dilations"]
    first = stride * numpy.arange(wire.type.shape[0])
    return node.inputs[0], first[:, None] + dilation * numpy.arange(size)


def origins(graph: Graph) -> list[Span]:
    """Where the nodes of a graph are written."""
    return [
        node.origin for node in graph.walk()
        if node.origin is not None and not isinstance(node.operation, Constant)
    ]  # fmt: skip


def tree_loops(graph: Graph) -> list[Node]:
    """The catamorphisms over whole trees that came in."""
    return [
        node for node in graph.nodes
        if isinstance(node.operation, TreeLoop) and set(node.inputs[:4]) <= set(graph.inputs)
    ]  # fmt: skip


def rows_of(frame: Frame, node: Node, rows: Array) -> list[Array]:
    """The results of a catamorphism at some rows of its history."""
    loop = node.operation
    assert isinstance(loop, TreeLoop)
    operands = frame.values(node.inputs)
    places = Wire(_INT.over(len(rows)))
    inputs = (node.inputs[0], places, *node.inputs[2:])
    made = _run(Node(loop, inputs, ()), [operands[0], rows, *operands[2:]], frame.precision)
    return [numpy.asarray(array) for array in made[: loop.rows]]


def _run(node: Node, operands: Sequence[Array], precision: Precision) -> list[Array]:
    """One node by itself."""
    given = dict(zip(node.inputs, operands, strict=True))
    types = node.operation.results([wire.type for wire in node.inputs])
    outputs = tuple(Wire(type) for type in types)
    graph = Graph(tuple(given), (Node(node.operation, node.inputs, outputs),), outputs)
    return list(lower(graph, precision)(*given.values()))


def _with_states(loop: Loop) -> Loop:
    """A loop that gives its states at every step too, behind all else."""
    body = loop.body
    carried = body.outputs[: loop.carried]
    return replace(loop, body=Graph(body.inputs, body.nodes, (*body.outputs, *carried)))


def _counted(body: Graph, shared: int, carried: int, length: int) -> tuple[Loop, Graph]:
    """The rounds of a While as a loop over their numbers, which gives every state."""
    first, number, states = body.inputs[:shared], body.inputs[shared], body.inputs[shared + 1 :]
    order = Graph((*first, *states, number), body.nodes, body.outputs)
    every = Graph(order.inputs, order.nodes, (*order.outputs, *order.outputs))
    return Loop(every, shared, carried, length), order
