"""What a graph will cost, before anything runs: the interpreter over operation counts.

    count(graph, precision) -> Counts      operations, bytes read and written, by place
    peak(graph, precision)  -> int         the most bytes alive at one moment

The value of a wire in this domain is its type: all that is known of an array before it
is computed. A primitive's record says how many operations it takes. The body of a loop
counts once for each step, that of a `while` as often as its bound lets it, without a bound (as
that of a fixpoint) once; of a choice counts the dearer branch, in a batch all of them.

Every operation is taken to read its operands from memory and to write its result there:
what XLA spares by fusing them is not known beforehand. Moving data reads no more than it
writes. Reshaping and repeating cost nothing: they are other views of the same numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..language.source import Span
from .graph import (
    ArrayType,
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
    subgraphs,
)
from .interpret import interpret

VIEWS = frozenset({"reshape", "broadcast", "hold"})


@dataclass(frozen=True)
class Count:
    """Operations on numbers, and bytes read and written."""

    operations: int = 0
    read: int = 0
    written: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.operations + other.operations, self.read + other.read, self.written + other.written
        )

    def __mul__(self, times: int) -> Count:
        return Count(self.operations * times, self.read * times, self.written * times)

    @property
    def bytes(self) -> int:
        return self.read + self.written


def bytes_of(type: ArrayType, precision: int) -> int:
    """The bytes of an array of a type.

    >>> bytes_of(ArrayType("R", (3,)), 32), bytes_of(ArrayType("C"), 64)
    (12, 16)
    """
    number = precision // 8
    entry = {"R": number, "C": 2 * number, "Int": number, "Bool": 1, "Key": 8}[type.kind]
    return type.size * entry


def count(graph: Graph, precision: int = 32) -> Counts:
    """What running the graph once costs.

    >>> from nnfp_kernel.graph.graph import Builder
    >>> from nnfp_kernel.primitives import PRIMITIVES
    >>> builder = Builder(PRIMITIVES)
    >>> x = builder.input(ArrayType("R", (3,)))
    >>> count(builder.finish([builder.emit("tanh", x)])).total
    Count(operations=3, read=12, written=12)
    """
    counts = Counts(precision)
    interpret(graph, [wire.type for wire in graph.inputs], counts)
    return counts


@dataclass
class Counts:
    """The domain of operation counts: what was counted so far, by place in the program."""

    precision: int
    places: dict[Span | None, Count] = field(default_factory=dict)

    @property
    def total(self) -> Count:
        return sum(self.places.values(), Count())

    def constant(
        self, operation: Constant, operands: list[ArrayType], node: Node
    ) -> Sequence[ArrayType]:
        return [operation.type]

    def call(self, operation: Call, operands: list[ArrayType], node: Node) -> Sequence[ArrayType]:
        primitive, result = operation.primitive, node.outputs[0].type
        operations = primitive.operations(operation.parameters, operands, result)
        if primitive.name in VIEWS:
            self._add(node, Count(operations))
            return [result]
        written = self._bytes(result)
        read = [self._bytes(type) for type in operands]
        if operations == 0:  # entries are moved: those that arrive have been read
            read = [min(size, written) for size in read]
        self._add(node, Count(operations, sum(read), written))
        return [result]

    def map(self, operation: Map, operands: list[ArrayType], node: Node) -> Sequence[ArrayType]:
        self._merge(self._inside(operation.body), operation.length)
        return operation.results(operands)

    def loop(self, operation: Loop, operands: list[ArrayType], node: Node) -> Sequence[ArrayType]:
        self._merge(self._inside(operation.body), operation.length)
        return operation.results(operands)

    def while_loop(
        self, operation: While, operands: list[ArrayType], node: Node
    ) -> Sequence[ArrayType]:
        rounds = 1 if operation.most is None else operation.most
        self._merge(self._inside(operation.body), rounds)
        self._merge(self._inside(operation.condition), rounds)
        return operation.results(operands)

    def fixpoint(
        self, operation: Fixpoint, operands: list[ArrayType], node: Node
    ) -> Sequence[ArrayType]:
        self._merge(self._inside(operation.body))
        return operation.results(operands)

    def tree_loop(
        self, operation: TreeLoop, operands: list[ArrayType], node: Node
    ) -> Sequence[ArrayType]:
        results = operation.results(operands)
        self._merge(self._inside(operation.body), operation.length)
        _, read, _ = operation.inputs([wire.type for wire in operation.body.inputs])
        made = [w.type for w in operation.body.outputs[: operation.writes * operation.rows]]
        moved = Count(
            0, sum(map(self._bytes, read)), sum(map(self._bytes, made))
        )  # fmt: skip
        finals = sum(map(self._bytes, results[: operation.rows]))
        self._add(node, moved * operation.length + Count(0, finals, finals))
        return results

    def choose(
        self, operation: Choose, operands: list[ArrayType], node: Node
    ) -> Sequence[ArrayType]:
        branches = [self._inside(branch) for branch in operation.branches]
        results = operation.results(operands)
        if operands[0].shape:  # a batch: all are computed, every entry takes its own
            for branch in branches:
                self._merge(branch)
            size = sum(map(self._bytes, results))
            entries = sum(type.size for type in results)
            self._add(node, Count(entries, size * len(branches), size))
        else:
            self._merge(max(branches, key=lambda one: (one.total.operations, one.total.bytes)))
        return results

    def _bytes(self, type: ArrayType) -> int:
        return bytes_of(type, self.precision)

    def _inside(self, graph: Graph) -> Counts:
        return count(graph, self.precision)

    def _merge(self, other: Counts, times: int = 1) -> None:
        for place, found in other.places.items():
            self.places[place] = self.places.get(place, Count()) + found * times

    def _add(self, node: Node, found: Count) -> None:
        self.places[node.origin] = self.places.get(node.origin, Count()) + found


def peak(graph: Graph, precision: int = 32) -> int:
    """The most bytes that are alive at one moment: inputs and outputs for the whole
    time, what is computed between from where it is made to where it is used last. What a
    loop stacks is there from its start."""
    seen_through: dict[Wire, Wire] = {}  # a view keeps alive what it shows
    for node in graph.nodes:
        if isinstance(node.operation, Call) and node.operation.primitive.name in VIEWS:
            (shown,) = node.inputs
            seen_through[node.outputs[0]] = seen_through.get(shown, shown)

    def held(wires: Sequence[Wire]) -> list[Wire]:
        return [seen_through.get(wire, wire) for wire in wires]

    uses = Counter(wire for node in graph.nodes for wire in held(node.inputs))
    uses.update(held(graph.outputs))
    uses.update(graph.inputs)
    size = {
        wire: 0 if wire in seen_through else bytes_of(wire.type, precision)
        for wires in (graph.inputs, *(node.outputs for node in graph.nodes))
        for wire in wires
    }
    alive = most = sum(size[wire] for wire in graph.inputs)
    for node in graph.nodes:
        alive += sum(size[wire] for wire in node.outputs)
        most = max(most, alive + _inner_peak(node, precision))
        for wire in (*held(node.inputs), *(w for w in node.outputs if not uses[w])):
            uses[wire] -= 1
            alive -= 0 if uses[wire] > 0 else size[wire]
    return most


def _inner_peak(node: Node, precision: int) -> int:
    """What the graphs inside a node need beside its operands: they run one after the
    other, only the elements of a map side by side."""
    operation = node.operation
    times = operation.length if isinstance(operation, Map) else 1
    return max(
        (
            times * (peak(body, precision) - sum(bytes_of(w.type, precision) for w in body.inputs))
            for body in subgraphs(operation)
        ),
        default=0,
    )
