"""The graph: typed nodes on wires, with sub-graphs for loops, maps and branches.

A graph is first-order and monomorphic: every wire is one array whose shape is
known. It is built only through a `Builder`, which checks every node, so a wrong
graph cannot exist. Products, representations and functions are gone by here; the
tracer keeps them beside the wires.

Structured nodes take `shared` operands (captured, the same at every step) first:

    Map       shared ++ sequences            -> stacked outputs
    Loop      shared ++ initial ++ sequences (++ rounds) -> final state ++ stacked outputs
    While     shared ++ initial -> rounds ++ final state
    Fixpoint  shared ++ initial -> state ++ whether it was reached
    TreeLoop  schedule ++ shared ++ initial ++ sequences -> final rows ++ stacked outputs
    Choose    selector ++ operands           -> outputs of branches[int(selector)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy

from ..language.source import Span
from .primitive import Parameters, Primitive

T = TypeVar("T")

KINDS = ("R", "C", "Int", "Bool", "Key")


@dataclass(frozen=True, slots=True)
class ArrayType:
    """The type of a wire: what its entries are and its shape. Precision is the
    session's affair and is settled by lowering; a `Key` is one random key an entry."""

    kind: str
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS or any(size < 0 for size in self.shape):
            raise ValueError(f"no array type: {self.kind}{list(self.shape)}")

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(numpy.prod(self.shape, dtype=int))

    @property
    def differentiable(self) -> bool:
        return self.kind in ("R", "C")

    def over(self, length: int) -> ArrayType:
        """This type with one more leading axis."""
        return ArrayType(self.kind, (length, *self.shape))

    def element(self) -> ArrayType:
        """This type without its leading axis."""
        return ArrayType(self.kind, self.shape[1:])

    def __str__(self) -> str:
        return self.kind + (f"[{','.join(map(str, self.shape))}]" if self.shape else "")


@dataclass(eq=False, slots=True)
class Wire:
    """One array's place in a graph. Wires are compared by identity."""

    type: ArrayType
    name: str = ""  # for people: a parameter, a weight path, a `let` name
    representation: str = ""  # for pictures: the type it stands for, `Thought`

    def __repr__(self) -> str:
        return f"<{self.name or 'wire'} : {self.type}>"


# --- operations ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Constant:
    """A literal array, held in 64 bits."""

    value: numpy.ndarray
    type: ArrayType

    def results(self, _types: Sequence[ArrayType]) -> tuple[ArrayType, ...]:
        return (self.type,)


@dataclass(frozen=True, eq=False)
class Call:
    """One primitive, with its static parameters."""

    primitive: Primitive
    parameters: Parameters

    def results(self, types: Sequence[ArrayType]) -> tuple[ArrayType, ...]:
        return (self.primitive.result(self.parameters, types),)


def _expect(what: str, found: Sequence[ArrayType], wanted: Sequence[ArrayType]) -> None:
    if tuple(found) != tuple(wanted):
        raise ValueError(f"{what}: found {_listed(found)}, expected {_listed(wanted)}")


def _listed(types: Sequence[ArrayType]) -> str:
    return "(" + ", ".join(map(str, types)) + ")"


@dataclass(frozen=True, eq=False)
class Map:
    """`body` on every element: inputs `shared` wires, then sequences of `length`."""

    body: Graph
    shared: int
    length: int

    def results(self, types: Sequence[ArrayType]) -> tuple[ArrayType, ...]:
        wanted = [
            wire.type if k < self.shared else wire.type.over(self.length)
            for k, wire in enumerate(self.body.inputs)
        ]
        _expect("map", types, wanted)
        return tuple(wire.type.over(self.length) for wire in self.body.outputs)


@dataclass(frozen=True, eq=False)
class Loop:
    """`body` along a sequence with a state: the accumulating map, of which fold, scan
    and unfold are cases. Body: shared ++ state ++ elements -> state ++ outputs.
    `reverse` runs from the last element; outputs stay at their elements' places.
    One that is `counted` makes as many of the first steps as its last operand, an Int,
    says (the rounds that a While made); the outputs of the others are zero. One whose
    steps are `segments` of a longer loop (graph/segments.py) keeps of a step nothing but
    the state before it: its derivative makes the step again, and no law moves out of it
    what would then be there for all steps at once."""

    body: Graph
    shared: int
    carried: int
    length: int
    reverse: bool = False
    counted: bool = False
    segments: bool = False

    def operands(self, given: Sequence[T]) -> tuple[list[T], list[T], list[T], list[T]]:
        """What belongs to shared, initial and stacked operands, and to the rounds."""
        given = list(given)
        first, last = self.shared + self.carried, len(given) - self.counted
        return given[: self.shared], given[self.shared : first], given[first:last], given[last:]

    def results(self, types: Sequence[ArrayType]) -> tuple[ArrayType, ...]:
        first = self.shared + self.carried
        wanted = [
            wire.type if k < first else wire.type.over(self.length)
            for k, wire in enumerate(self.body.inputs)
        ]
        _expect("loop", types, [*wanted, *[ArrayType("Int")] * self.counted])
        state = [wire.type for wire in self.body.inputs[self.shared : first]]
        _expect("loop state", [w.type for w in self.body.outputs[: self.carried]], state)
        stacked = [wire.type.over(self.length) for wire in self.body.outputs[self.carried :]]
        return (*state, *stacked)


@dataclass(frozen=True, eq=False)
class While:
    """`body` from state to state as long as `condition` holds of it, and `most` times at
    most (None: without a bound).

    Body: shared ++ round ++ state -> state. Condition: the same inputs -> one Bool. The
    round is an Int, counted from 0. It gives how many rounds there were, then the state.
    """

    condition: Graph
    body: Graph
    shared: int
    carried: int
    most: int | None = None

    def results(self, types: Sequence[ArrayType]) -> tuple[ArrayType, ...]:
        wanted = list(types)
        wanted.insert(self.shared, ArrayType("Int"))
        for graph in (self.condition, self.body):
            _expect("while", [wire.type for wire in graph.inputs], wanted)
        _expect("while condition", [w.type for w in self.condition.outputs], [ArrayType("Bool")])
        state = list(types[self.shared :])
        _expect("while state", [wire.type for wire in self.body.outputs], state)
        return (ArrayType("Int"), *state)


@dataclass(frozen=True, eq=False)
class Fixpoint:
    """The state that `body` leaves as it is, to the precision of its numbers, looked for
    from the initial one in `most` steps at most; NaN where it is not found.

    Body: shared ++ state -> state. One that is `linear` has a body s ↦ L s + b, and is
    solved as the linear equation it is, to a relative `tolerance` where one is given: by
    conjugate gradients where id - L is known to be self-adjoint and `positive`, else by
    GMRES. The initial state has no influence on the result.
    """

    body: Graph
    shared: int
    carried: int
    most: int
    linear: bool = False
    positive: bool = False
    tolerance: float = 0.0

    def results(self, types: Sequence[ArrayType]) -> tuple[ArrayType, ...]:
        _expect("fixpoint", types, [wire.type for wire in self.body.inputs])
        state = tuple(types[self.shared :])
        _expect("fixpoint state", [wire.type for wire in self.body.outputs], state)
        return (*state, ArrayType("Bool"))


@dataclass(frozen=True, eq=False)
class TreeLoop:
    """`body` over the nodes of a forest, `width` of them at each of `length` steps.

    A step reads rows that earlier steps made and makes new ones. All rows together are
    the history: first the `initial` ones (the leaves' results), then `writes` blocks of
    `width` rows for each step, then one row of zeros. A row is `rows` arrays (the parts
    of a result). At the end the rows asked for (the roots') are read.

    The schedule says which: four Int arrays of places in a history. Each row is read
    once at most, by a step after the one that made it, or at the end; so the way back,
    from the cotangents of the roots to those of the leaves, is a reading too and no
    adding up. Its places are in the history of the adjoint: the final rows, then those
    read by each step. A place in the schedule whose row nobody reads may read any row.

        reads    [length, reads, width]    the rows that a step reads
        finals   [n]                       the rows read at the end
        readers  [length, writes, width]   the reader of each row a step makes
        first    [m]                       the reader of each initial row

    Body: shared ++ reads x rows ++ elements -> writes x rows ++ outputs; a row read or
    made has the axis of `width` in front. `reverse` runs from the last step; a step's
    rows stay at its place.
    """

    body: Graph
    shared: int
    rows: int
    reads: int
    writes: int
    width: int
    length: int
    reverse: bool = False

    SCHEDULE: ClassVar[int] = 4

    def operands(self, given: Sequence[T]) -> tuple[list[T], list[T], list[T], list[T]]:
        """What belongs to the schedule, to shared, initial and stacked operands."""
        given = list(given)
        first = self.SCHEDULE + self.shared
        last = first + self.rows
        return given[: self.SCHEDULE], given[self.SCHEDULE : first], given[first:last], given[last:]

    def inputs(self, given: Sequence[T]) -> tuple[list[T], list[T], list[T]]:
        """What belongs to the body's shared inputs, the rows read and the elements."""
        given = list(given)
        last = self.shared + self.reads * self.rows
        return given[: self.shared], given[self.shared : last], given[last:]

    def results(self, types: Sequence[ArrayType]) -> tuple[ArrayType, ...]:
        schedule, shared, initial, elements = self.operands(types)
        inner_shared, read, inner_elements = self.inputs([w.type for w in self.body.inputs])
        made = [wire.type for wire in self.body.outputs[: self.writes * self.rows]]
        if len(schedule) < self.SCHEDULE or any(len(type.shape) == 0 for type in schedule):
            raise ValueError(f"tree loop: no schedule: {_listed(schedule)}")
        finals, first = schedule[1].shape[0], schedule[3].shape[0]
        blocks = (self.length, self.reads, self.width), (self.length, self.writes, self.width)
        shapes = (blocks[0], (finals,), blocks[1], (first,))
        _expect("tree loop schedule", schedule, [ArrayType("Int", shape) for shape in shapes])
        _expect("tree loop shared", shared, inner_shared)
        row = [(type.kind, type.shape[1:]) for type in initial]
        _expect("tree loop initial", initial, [ArrayType(k, (first, *s)) for k, s in row])
        lanes = [ArrayType(kind, (self.width, *shape)) for kind, shape in row]
        _expect("tree loop rows read", read, lanes * self.reads)
        _expect("tree loop rows made", made, lanes * self.writes)
        _expect("tree loop elements", elements, [e.over(self.length) for e in inner_elements])
        stacked = [w.type.over(self.length) for w in self.body.outputs[len(made) :]]
        return (*(ArrayType(kind, (finals, *shape)) for kind, shape in row), *stacked)


@dataclass(frozen=True, eq=False)
class Choose:
    """`branches[int(selector)]` on the operands; all branches have the same type.

    A scalar selector runs one branch. A selector with axes belongs to a batch: the
    branches work on whole arrays, whose outputs have those axes first, and every
    entry of the batch takes its own. A branch not taken contributes nothing.
    """

    branches: tuple[Graph, ...]

    def results(self, types: Sequence[ArrayType]) -> tuple[ArrayType, ...]:
        selector, *operands = types
        if selector.kind not in ("Bool", "Int"):
            raise ValueError(f"choose: the selector is {selector}, not Bool or Int")
        for branch in self.branches:
            _expect("choose", operands, [wire.type for wire in branch.inputs])
        outputs = [tuple(wire.type for wire in branch.outputs) for branch in self.branches]
        for other in outputs[1:]:
            _expect("choose: branches differ", other, outputs[0])
        for output in outputs[0]:
            if output.shape[: selector.rank] != selector.shape:
                raise ValueError(f"choose: {output} lacks the selector's axes {selector}")
        return outputs[0]


Operation = Constant | Call | Map | Loop | While | Fixpoint | TreeLoop | Choose


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    operation: Operation
    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]
    origin: Span | None = None  # the program text it comes from


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in an order in which every wire is made before it is used."""

    inputs: tuple[Wire, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Wire, ...]

    def walk(self) -> Iterator[Node]:
        """All nodes, those of sub-graphs after the node that holds them."""
        for node in self.nodes:
            yield node
            for graph in subgraphs(node.operation):
                yield from graph.walk()


def subgraphs(operation: Operation) -> tuple[Graph, ...]:
    """The graphs an operation holds."""
    match operation:
        case Map(body=body) | Loop(body=body) | Fixpoint(body=body) | TreeLoop(body=body):
            return (body,)
        case While(condition=condition, body=body):
            return (condition, body)
        case Choose(branches=branches):
            return branches
        case Constant() | Call():
            return ()
        case other:
            raise AssertionError(f"no operation of a graph: {other}")


def over_subgraphs(operation: Operation, change: Callable[[Graph], Graph]) -> Operation:
    """The operation, each of its graphs changed."""
    match operation:
        case Map(body=body) | Loop(body=body) | Fixpoint(body=body) | TreeLoop(body=body):
            return replace(operation, body=change(body))
        case While(condition=condition, body=body):
            return replace(operation, condition=change(condition), body=change(body))
        case Choose(branches=branches):
            return Choose(tuple(map(change, branches)))
        case Constant() | Call():
            return operation
        case other:
            raise AssertionError(f"no operation of a graph: {other}")


class Elsewhere(Exception):
    """A wire is used where it is not known: it belongs to no enclosing graph."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(f"{wire} belongs to no enclosing graph")


# --- building ----------------------------------------------------------------------------


class Builder:
    """Makes a graph, node by node; a child builder makes a sub-graph of it.

    >>> from nnfp_kernel.primitives import PRIMITIVES
    >>> builder = Builder(PRIMITIVES)
    >>> x = builder.input(ArrayType("R", (3,)), "x")
    >>> graph = builder.finish([builder.emit("tanh", x)])
    >>> [str(wire.type) for wire in graph.outputs]
    ['R[3]']

    A wire of an enclosing builder may be used in a child: it is captured, becomes an
    input of the sub-graph (before the declared ones) and is listed in `captured`.
    """

    def __init__(self, primitives: Mapping[str, Primitive], parent: Builder | None = None):
        self.primitives = primitives
        self.parent = parent
        self.origin: Span | None = parent.origin if parent else None
        self._inputs: list[Wire] = []
        self._nodes: list[Node] = []
        self._producer: dict[Wire, Node | None] = {}  # None: an input
        self._captured: dict[Wire, Wire] = {}  # outer wire -> inner input
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Wire] = {}

    @property
    def captured(self) -> tuple[Wire, ...]:
        """The enclosing builders' wires used so far, in the order of first use."""
        return tuple(self._captured)

    def input(self, type: ArrayType, name: str = "", representation: str = "") -> Wire:
        wire = Wire(type, name, representation)
        self._inputs.append(wire)
        self._producer[wire] = None
        return wire

    def constant(self, value: Any, kind: str = "R") -> Wire:
        """A literal; equal literals share one node."""
        array = numpy.asarray(value, dtype=_STORAGE[kind])
        key = (kind, array.shape, array.tobytes())
        if key not in self._constants:
            operation = Constant(array, ArrayType(kind, array.shape))
            self._constants[key] = self.add(operation, ())[0]
        return self._constants[key]

    def zeros(self, type: ArrayType) -> Wire:
        """Zero of a type: one scalar, broadcast."""
        zero = self.constant(0, type.kind)
        return self.emit("broadcast", zero, shape=type.shape, axes=()) if type.shape else zero

    def emit(self, name: str, *inputs: Wire, **parameters: Any) -> Wire:
        """Use the primitive called `name`."""
        primitive = self.primitives[name]
        own = tuple(self.own(wire) for wire in inputs)
        types = [wire.type for wire in own]
        if primitive.is_identity is not None and primitive.is_identity(parameters, types):
            return own[0]
        return self.add(Call(primitive, parameters), own)[0]

    def add(self, operation: Operation, inputs: Sequence[Wire]) -> tuple[Wire, ...]:
        """A node of any kind, checked."""
        own = tuple(self.own(wire) for wire in inputs)
        outputs = tuple(Wire(type) for type in operation.results([w.type for w in own]))
        node = Node(operation, own, outputs, self.origin)
        self._nodes.append(node)
        for wire in outputs:
            self._producer[wire] = node
        return outputs

    def producer(self, wire: Wire) -> Node | None:
        """The node that made a wire of this builder; None for an input."""
        return self._producer[wire]

    def owns(self, wire: Wire) -> bool:
        return wire in self._producer

    def own(self, wire: Wire) -> Wire:
        """The wire by which this builder knows `wire`, captured if it is an outer one."""
        if wire in self._producer:
            return wire
        if wire in self._captured:
            return self._captured[wire]
        outer = self.parent
        while outer is not None and wire not in outer._producer:
            outer = outer.parent
        if outer is None:
            raise Elsewhere(wire)
        made_by = outer._producer[wire]
        if made_by is not None and isinstance(made_by.operation, Constant):
            constant = made_by.operation
            return self.constant(constant.value, constant.type.kind)
        inner = Wire(wire.type, wire.name, wire.representation)
        self._captured[wire] = inner
        self._producer[inner] = None
        return inner

    def outside(self, wire: Wire) -> Wire:
        """The enclosing builders' wire that was captured as this one; else the wire itself."""
        return next((outer for outer, inner in self._captured.items() if inner is wire), wire)

    def encloses(self, other: Builder | None) -> bool:
        """Whether another builder makes a sub-graph of this one, or is it."""
        while other is not None and other is not self:
            other = other.parent
        return other is self

    def child(self) -> Builder:
        return Builder(self.primitives, self)

    def finish(self, outputs: Sequence[Wire]) -> Graph:
        """The graph so far: captured wires first among its inputs, dead nodes dropped."""
        own = tuple(self.own(wire) for wire in outputs)
        alive = set(own)
        kept: list[Node] = []
        for node in reversed(self._nodes):
            if not alive.isdisjoint(node.outputs):
                kept.append(node)
                alive.update(node.inputs)
        inputs = (*self._captured.values(), *self._inputs)
        return Graph(inputs, tuple(reversed(kept)), own)

    def inline(self, graph: Graph, inputs: Sequence[Wire]) -> tuple[Wire, ...]:
        """A copy of `graph` in this one, fed with `inputs`."""
        place = dict(zip(graph.inputs, inputs, strict=True))
        with self.at(self.origin):
            for node in graph.nodes:
                self.origin = node.origin or self.origin
                if isinstance(node.operation, Constant):
                    value, type = node.operation.value, node.operation.type
                    made: tuple[Wire, ...] = (self.constant(value, type.kind),)
                else:
                    made = self.add(node.operation, [place[wire] for wire in node.inputs])
                place.update(zip(node.outputs, made, strict=True))
        return tuple(self.own(place[wire]) for wire in graph.outputs)

    @contextmanager
    def at(self, origin: Span | None) -> Iterator[None]:
        """Nodes made inside carry this origin."""
        before, self.origin = self.origin, origin or self.origin
        try:
            yield
        finally:
            self.origin = before


_STORAGE: dict[str, Any] = {
    "R": numpy.float64, "C": numpy.complex128, "Int": numpy.int64, "Bool": numpy.bool_,
}  # fmt: skip


def subgraph(
    builder: Builder,
    types: Sequence[ArrayType],
    make: Callable[..., Sequence[Wire]],
) -> tuple[Graph, tuple[Wire, ...]]:
    """The sub-graph that `make(child, *inputs)` builds, and the outer wires it captured."""
    child = builder.child()
    inputs = [child.input(type) for type in types]
    graph = child.finish(make(child, *inputs))
    return graph, child.captured


def subgraphs_together(
    bodies: Sequence[tuple[Builder, Sequence[Wire]]],
) -> tuple[tuple[Graph, ...], tuple[Wire, ...]]:
    """Finished sub-graphs of one builder, each given with its outputs, which all take what
    any of them captures; and the outer wires captured."""
    for child, outputs in bodies:
        for wire in outputs:
            child.own(wire)
    captured = tuple(dict.fromkeys(wire for child, _ in bodies for wire in child.captured))
    graphs = []
    for child, outputs in bodies:
        for wire in captured:
            child.own(wire)
        graph = child.finish(outputs)
        inner = dict(zip(child.captured, graph.inputs, strict=False))
        own = graph.inputs[len(captured) :]
        inputs = (*(inner[wire] for wire in captured), *own)
        graphs.append(Graph(inputs, graph.nodes, graph.outputs))
    return tuple(graphs), captured
