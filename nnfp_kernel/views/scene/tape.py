"""A function's graph as a tape that a page can run: the forward pass without a kernel.

    tape(scene) -> Tape

A tape is a list of steps on columns. A column is the value of a wire at all points, laid out
flat; one that does not depend on the points has a single row. The steps, as JSON:

    ["input", out, k]                         the k-th input's numbers
    ["weight", out, from, size]               of all weights, laid end to end, those of a place
    ["constant", out, values]
    ["entries", out, name, a, (b)]            entry by entry: tanh a, a + b
    ["take", out, [a, …], [place, …]]         entries of the operands laid end to end; −1: zero
    ["contract", out, a, b, left, right, kept, labels, sizes]   Σ a b; of the labels the
                                              first `kept` are the result's, the others summed
    ["reduce", out, name, a, shape, axes]     sum, maximum, minimum, product, logsumexp

What a page does not compute, `eighValues` or a `while`, makes columns without a step: then the
tape is `missing` it, and a kernel is asked for the values.

The graph's own interpreter writes it, with columns for values (graph/interpret.py). What moves
entries about is asked where it puts them, by running it on their places; loops are written out.

On its way the tape notes the layers: where a weight is the matrix that meets the data, and
which weight is added then. These are what a hand can take hold of. static/tape.js runs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from ...graph.graph import (
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
)
from ...graph.interpret import interpret
from ...language.reach import WeightPath
from .run import needed
from .scene import Scene

Array = Any
Step = list[Any]

ENTRIES = {
    "tanh", "sigmoid", "relu", "gelu", "silu", "softplus", "exp", "log", "log1p", "expm1", "sin",
    "cos", "tan", "abs", "sign", "sqrt", "square", "erf", "erfc", "reciprocal", "divide", "max",
    "min", "add", "subtract", "negate", "mul",
}  # fmt: skip
REDUCTIONS = {"sum", "maximum", "minimum", "product", "logsumexp"}
MOVES = {"broadcast", "transpose", "reshape", "reverse", "slice", "pad", "concat", "windows"}
LONGEST = 4_000  # steps of a loop, written out
LARGEST = 200_000  # numbers of an array, and products in one step


@dataclass(frozen=True, eq=False)
class Column:
    """A value while the tape is written: the number of its column, its size, whether it
    depends on the points; of which weight its entries are, and where those stand among all."""

    number: int
    size: int
    moves: bool
    places: Array | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Layer:
    """Where a weight is a matrix that meets the data: `sink` = W `source` (+ b).

    `matrix` : [m, n] and `shift` : [m] (or None) are the places of W's and b's entries among
    all weights; `source` and `sink` are numbers of columns, `nodes` those of the graph.
    """

    matrix: Array = field(repr=False)
    shift: Array | None = field(repr=False)
    source: int
    sink: int
    nodes: tuple[Node, ...] = field(repr=False)


@dataclass(frozen=True)
class Weight:
    """An array among the weights: its path, its shape, and where its entries begin. `own`: it
    is the whole weight of that path, which can be set."""

    path: WeightPath
    shape: tuple[int, ...]
    start: int
    own: bool

    @property
    def size(self) -> int:
        return int(numpy.prod(self.shape, dtype=int))


@dataclass(frozen=True, eq=False)
class Tape:
    """The steps; the column of every wire; the weights and layers; and what a page would have to
    compute besides, in words, "" if nothing."""

    steps: tuple[Step, ...] = field(repr=False)
    columns: int
    numbers: dict[Wire, int] = field(repr=False)
    weights: tuple[Weight, ...]
    layers: tuple[Layer, ...]
    missing: str = ""


def weights_of(scene: Scene) -> tuple[Weight, ...]:
    """The learned weights among the inputs of a scene's graph, in their order.

    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("net : R[2] ~> R[3]\\nnet = dense[3]")
    >>> [(each.path, each.start) for each in weights_of(scene(session["net"], numpy.eye(2)))]
    [(('net', 'dense', 'W'), 0), (('net', 'dense', 'b'), 6)]
    """
    parts, call = scene.run.parts, scene.run.call
    assert call is not None  # of a function, which a scene is of
    inputs = iter(parts.graph.inputs[parts.arguments :])
    found: list[Weight] = []
    start = 0
    for weight in call.traced.weights:
        for _ in range(weight.count):
            type = next(inputs).type
            own = weight.count == 1 and type.kind == "R"
            found.append(Weight(weight.path, type.shape, start, own))
            start += type.size
    return tuple(found)


def tape(scene: Scene) -> Tape:
    """The graph of a scene as steps of a page.

    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("net : R[2] ~> R[3]\\nnet = dense[3] >> tanh")
    >>> made = tape(scene(session["net"], numpy.eye(2)))
    >>> [step[0] for step in made.steps]
    ['input', 'weight', 'weight', 'contract', 'entries', 'entries']
    >>> [layer.matrix.shape for layer in made.layers]
    [(3, 2)]
    """
    graph, arguments = scene.run.parts.graph, scene.run.parts.arguments
    weights = weights_of(scene)
    writer = _Writer()
    columns = [writer.input(k, wire) for k, wire in enumerate(graph.inputs[:arguments])]
    held = graph.inputs[arguments:]
    columns += [writer.weight(*each) for each in zip(weights, held, strict=False)]
    for wire, value in zip(held[len(weights) :], scene.run.held[len(weights) :], strict=True):
        columns.append(writer.number(wire, value))
    nodes = needed(graph.nodes, scene.run.met)
    wanted = tuple(dict.fromkeys((*graph.inputs, *(w for node in nodes for w in node.outputs))))
    values = interpret(Graph(graph.inputs, nodes, wanted), columns, writer)
    numbers = {wire: value.number for wire, value in zip(wanted, values, strict=True)}
    layers = tuple(writer.layers.values())
    return Tape(tuple(writer.steps), writer.count, numbers, weights, layers, writer.missing)


class _Writer:
    """The interpreter's domain: its values are columns."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.count = 0
        self.inside = 0  # loops
        self.layers: dict[int, Layer] = {}  # by their sinks
        self.missing = ""

    def column(
        self, kind: str, size: int, moves: bool, *rest: Any, places: Array | None = None
    ) -> Column:
        made = Column(self.count, size, moves, places)
        self.count += 1
        self.steps.append([kind, made.number, *rest])
        return made

    def asked(self, what: str, operands: Sequence[Column], wires: Sequence[Wire]) -> list[Column]:
        """Columns that a page does not compute."""
        self.missing = self.missing or what
        moves = any(each.moves for each in operands)
        first = self.count
        self.count += len(wires)
        return [Column(first + k, wire.type.size, moves) for k, wire in enumerate(wires)]

    def input(self, k: int, wire: Wire) -> Column:
        if wire.type.kind != "R":
            made = self.asked(f"an input of type {wire.type}", (), [wire])[0]
            return replace(made, moves=True)
        return self.column("input", wire.type.size, True, k)

    def weight(self, weight: Weight, wire: Wire) -> Column:
        if not weight.own:
            return self.asked(f"the weight {'.'.join(weight.path)}", (), [wire])[0]
        places = weight.start + numpy.arange(weight.size)
        rest = (weight.start, weight.size)
        return self.column("weight", weight.size, False, *rest, places=places)

    def number(self, wire: Wire, value: Any) -> Column:
        if wire.type.kind not in ("R", "Int", "Bool") or wire.type.size > LARGEST:
            return self.asked(f"a constant of type {wire.type}", (), [wire])[0]
        flat = numpy.asarray(value, float).reshape(-1)
        return self.column("constant", len(flat), False, flat.tolist())

    # --- the interpreter's cases -----------------------------------------------------------------

    def constant(self, operation: Constant, operands: list[Column], node: Node) -> list[Column]:
        return [self.number(node.outputs[0], operation.value)]

    def call(self, operation: Call, operands: list[Column], node: Node) -> list[Column]:
        name, parameters = operation.primitive.name, operation.parameters
        types, result = [wire.type for wire in node.inputs], node.outputs[0].type
        if {type.kind for type in (*types, result)} != {"R"} or name not in (
            ENTRIES | REDUCTIONS | MOVES | {"contract"}
        ):
            return self.asked(f"`{name}`", operands, node.outputs)
        if max(result.size, *(type.size for type in types)) > LARGEST:
            return self.asked("arrays of that many numbers", operands, node.outputs)
        moves = any(each.moves for each in operands)
        size, numbers = result.size, [each.number for each in operands]
        if name == "reshape":
            return [replace(operands[0])]
        if name in MOVES:
            return [self.taken(operation, operands, node)]
        if name in REDUCTIONS:
            axes = list(parameters["axes"])
            return [self.column("reduce", size, moves, name, *numbers, list(types[0].shape), axes)]
        if name == "contract":
            return self.contracted(operation, operands, node)
        made = self.column("entries", size, moves, name, *numbers)
        if name == "add":
            self.shifted(operands, made, node)
        return [made]

    def taken(self, operation: Call, operands: list[Column], node: Node) -> Column:
        """Entries in other places: the primitive itself says where, run on the places."""
        start, places = 1, []
        for wire in node.inputs:
            end = start + wire.type.size
            places.append(numpy.arange(start, end, dtype=numpy.int32).reshape(wire.type.shape))
            start = end
        found = operation.primitive.lower(operation.parameters, *places)
        found = numpy.asarray(found).reshape(-1).astype(int) - 1
        own = None
        if all(each.places is not None for each in operands) and (found >= 0).all():
            own = numpy.concatenate([each.places for each in operands])[found]
        moves = any(each.moves for each in operands)
        numbers = [each.number for each in operands]
        return self.column("take", len(found), moves, numbers, found.tolist(), places=own)

    def contracted(self, operation: Call, operands: list[Column], node: Node) -> list[Column]:
        left, right, out = (list(operation.parameters[k]) for k in ("left", "right", "out"))
        types, size = [wire.type for wire in node.inputs], node.outputs[0].type.size
        sizes = dict(zip((*left, *right), (*types[0].shape, *types[1].shape), strict=True))
        labels = [*out, *(label for label in left if label not in out)]
        if int(numpy.prod([sizes[label] for label in labels], dtype=int)) > LARGEST:
            return self.asked("products of arrays that large", operands, node.outputs)
        moves = any(each.moves for each in operands)
        numbers = [each.number for each in operands]
        told = [len(out), labels, [sizes[label] for label in labels]]
        made = self.column("contract", size, moves, *numbers, left, right, *told)
        fixed = [k for k in (0, 1) if not operands[k].moves and operands[k].places is not None]
        if len(fixed) == 1 and moves and not self.inside:
            matrix, data = fixed[0], 1 - fixed[0]
            own, other = (left, right) if matrix == 0 else (right, left)
            summed = [label for label in other if label not in out]
            if len(summed) == len(other) and set(own) == {*out, *summed}:
                # The places of W's entries: a row for each it gives, a column for each it takes.
                places = numpy.asarray(operands[matrix].places).reshape(types[matrix].shape)
                turned = places.transpose([own.index(label) for label in (*out, *other)])
                entries = turned.reshape(size, operands[data].size)
                self.layers[made.number] = Layer(
                    entries, None, operands[data].number, made.number, (node,)
                )
        return [made]

    def shifted(self, operands: list[Column], made: Column, node: Node) -> None:
        """A layer with its bias: W x, and then a weight is added."""
        for one, other in (operands, operands[::-1]):
            layer = self.layers.get(one.number)
            if layer is None or layer.shift is not None or self.inside or other.moves:
                continue
            if other.places is not None and len(other.places) == len(layer.matrix):
                del self.layers[one.number]
                nodes = (*layer.nodes, node)
                self.layers[made.number] = replace(
                    layer, shift=other.places, sink=made.number, nodes=nodes
                )
                return

    def loop(self, operation: Loop, operands: list[Column], node: Node) -> list[Column]:
        """Step by step, written out."""
        if operation.counted or operation.length * len(operation.body.nodes) > LONGEST:
            return self.asked("a loop that long", operands, node.outputs)
        shared, state, elements, _ = operation.operands(operands)
        states = list(state)
        stacks: list[list[Column]] = [[] for _ in operation.body.outputs[operation.carried :]]
        order = range(operation.length)
        self.inside += 1
        for k in reversed(order) if operation.reverse else order:
            own = [self.element(each, operation.length, k) for each in elements]
            found = interpret(operation.body, [*shared, *states, *own], self)
            states = found[: operation.carried]
            for stack, value in zip(stacks, found[operation.carried :], strict=True):
                stack.append(value)
        self.inside -= 1
        return [*states, *(self.stacked(each, operation.reverse) for each in stacks)]

    def map(self, operation: Map, operands: list[Column], node: Node) -> list[Column]:
        if not operation.length or operation.length * len(operation.body.nodes) > LONGEST:
            return self.asked("a map over that many", operands, node.outputs)
        shared, elements = operands[: operation.shared], operands[operation.shared :]
        rows = []
        self.inside += 1
        for k in range(operation.length):
            own = [self.element(each, operation.length, k) for each in elements]
            rows.append(interpret(operation.body, [*shared, *own], self))
        self.inside -= 1
        return [self.stacked(list(each), False) for each in zip(*rows, strict=True)]

    def element(self, column: Column, length: int, k: int) -> Column:
        size = column.size // max(length, 1)
        places = numpy.arange(k * size, (k + 1) * size)
        own = None if column.places is None else column.places[places]
        return self.column("take", size, column.moves, [column.number], places.tolist(), places=own)

    def stacked(self, rows: Sequence[Column], reverse: bool) -> Column:
        rows = rows[::-1] if reverse else rows
        size = sum(each.size for each in rows)
        moves = any(each.moves for each in rows)
        return self.column("take", size, moves, [each.number for each in rows], list(range(size)))

    def while_loop(self, operation: While, operands: list[Column], node: Node) -> list[Column]:
        return self.asked("`while`", operands, node.outputs)

    def fixpoint(self, operation: Fixpoint, operands: list[Column], node: Node) -> list[Column]:
        return self.asked("`fixpoint`", operands, node.outputs)

    def tree_loop(self, operation: TreeLoop, operands: list[Column], node: Node) -> list[Column]:
        return self.asked("a catamorphism", operands, node.outputs)

    def choose(self, operation: Choose, operands: list[Column], node: Node) -> list[Column]:
        return self.asked("`if`", operands, node.outputs)
