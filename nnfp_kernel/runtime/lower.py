"""Lowering: a graph becomes an ordinary JAX function.

    lower(graph, precision) : (*arrays) -> tuple of arrays

There is no global state behind the function and no custom rule in it, so `jit`,
`vmap`, `grad`, `shard_map` and `export` work on it. It is the interpreter of graphs over
the domain `Arrays`, in which one node becomes:

    Constant   a literal in the session's precision
    Call       what the primitive's record says
    Map        `jax.vmap` of the lowered body
    Loop       `lax.scan` of the lowered body; lengths 0 and 1 need no loop
    While      `lax.while_loop`; a Loop that is counted is `lax.fori_loop`
    Fixpoint   steps in `lax.while_loop`; where it is linear GMRES or conjugate gradients
    TreeLoop   `lax.scan` with the history in its state, updated in place
    Choose     `lax.switch`; for a batch, an elementwise selection

Every array has the type its wire says: the kind with the session's precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy

from ..graph.graph import (
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
)
from ..graph.interpret import interpret
from .fixpoint import iterate, solve
from .machine.memory import exhausted, is_exhausted

Array = Any  # a jax.Array or one of its tracers; jax is imported on first need
Precision = Literal[32, 64]
Lowered = Callable[..., tuple[Array, ...]]

DTYPES: dict[int, dict[str, numpy.dtype[Any]]] = {
    32: {
        "R": numpy.dtype("float32"), "C": numpy.dtype("complex64"),
        "Int": numpy.dtype("int32"), "Bool": numpy.dtype("bool"),
    },
    64: {
        "R": numpy.dtype("float64"), "C": numpy.dtype("complex128"),
        "Int": numpy.dtype("int64"), "Bool": numpy.dtype("bool"),
    },
}  # fmt: skip


def lower(graph: Graph, precision: Precision = 32) -> Lowered:
    """The JAX function that computes `graph`.

    >>> from nnfp_kernel.graph.graph import Builder
    >>> from nnfp_kernel.primitives.table import PRIMITIVES
    >>> builder = Builder(PRIMITIVES)
    >>> x = builder.input(ArrayType("R", (2,)), "x")
    >>> function = lower(builder.finish([x, builder.constant(3)]), 32)
    >>> [str(array) for array in function([1, 2])]
    ['[1. 2.]', '3.0']

    It takes one array for each input of the graph and returns a tuple with one for
    each output. 64 bits need JAX's `jax_enable_x64`. A wrong number of arrays or a
    wrong shape raises `TypeError`.
    """
    domain = Arrays(DTYPES[precision])

    def lowered(*arrays: Array) -> tuple[Array, ...]:
        if len(arrays) != len(graph.inputs):
            raise TypeError(f"expected {len(graph.inputs)} arrays, found {len(arrays)}")
        given = [
            _given(array, wire.type, wire.name, domain.dtypes)
            for array, wire in zip(arrays, graph.inputs, strict=True)
        ]
        return tuple(map(_array, interpret(graph, given, domain)))

    return lowered


@dataclass
class Compiled:
    """Counts what is compiled: a number that tests read."""

    number: int = 0

    def function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, compiled by JAX on first use and for each new form of its arrays. It
        raises NnfpError where memory is exhausted."""
        import jax

        from .machine import persistent

        persistent.begin()

        def counted(*arrays: Array) -> Any:
            self.number += 1  # JAX comes here when it traces, not when it runs
            return function(*arrays)

        compiled: Callable[..., Any] = jax.jit(counted)

        def run(*arrays: Array) -> Any:
            try:
                return compiled(*arrays)
            except jax.errors.JaxRuntimeError as error:
                if not is_exhausted(error):
                    raise
                raise exhausted(error) from None

        return run


Dtypes = dict[str, "numpy.dtype[Any]"]


def _given(array: Array, type: ArrayType, name: str, dtypes: Dtypes) -> Array:
    """An argument from outside, as an array of its wire's type."""
    import jax.numpy

    if type.kind != "Key":
        array = jax.numpy.asarray(array, dtypes[type.kind])
    if array.shape != type.shape:
        raise TypeError(f"{name or 'an input'} has shape {array.shape}, expected {type}")
    return array


def _array(value: Array) -> Array:
    """Constants travel as numpy literals; outside they are JAX arrays."""
    import jax.numpy

    return jax.numpy.asarray(value) if isinstance(value, numpy.ndarray | numpy.generic) else value


@dataclass(frozen=True)
class Arrays:
    """The domain of arrays: what each kind of node is in JAX."""

    dtypes: Dtypes

    def constant(self, operation: Constant, arrays: list[Array], node: Node) -> Sequence[Array]:
        return [operation.value.astype(self.dtypes[operation.type.kind])]

    def call(self, operation: Call, arrays: list[Array], node: Node) -> Sequence[Array]:
        array = operation.primitive.lower(operation.parameters, *arrays)
        return [self._typed(array, node.outputs[0].type)]

    def _typed(self, array: Array, type: ArrayType) -> Array:
        """The result of a primitive in the session's precision: a lowering that makes
        numbers of its own (from a Boolean, say) cannot know it."""
        if type.kind == "Key" or array.dtype == self.dtypes[type.kind]:
            return array
        from jax import lax

        return lax.convert_element_type(array, self.dtypes[type.kind])

    def map(self, operation: Map, arrays: list[Array], node: Node) -> Sequence[Array]:
        import jax

        shared, sequences = arrays[: operation.shared], arrays[operation.shared :]

        def element(*elements: Array) -> list[Array]:
            return [_array(a) for a in interpret(operation.body, [*shared, *elements], self)]

        if not sequences:  # every element is the same
            return [_stack(array, operation.length) for array in element()]
        results: Sequence[Array] = jax.vmap(element, axis_size=operation.length)(*sequences)
        return results

    def loop(self, operation: Loop, arrays: list[Array], node: Node) -> Sequence[Array]:
        if not _settled(operation, arrays, node):
            return self._loop(operation, arrays)
        import jax

        with jax.ensure_compile_time_eval():
            return [numpy.asarray(array) for array in self._loop(operation, arrays)]

    def _loop(self, operation: Loop, arrays: list[Array]) -> Sequence[Array]:
        from jax import lax

        body, carried = operation.body, operation.carried
        shared, initial, sequences, rounds = operation.operands(arrays)
        initial = _varying(list(map(_array, initial)), arrays)

        def step(state: Sequence[Array], elements: Sequence[Array]) -> tuple[Any, Any]:
            results = list(map(_array, interpret(body, [*shared, *state, *elements], self)))
            return results[:carried], results[carried:]

        if operation.length == 0:  # lax.scan cannot without `jit`
            nothing = [self._nothing(wire.type.over(0)) for wire in body.outputs[carried:]]
            return [*initial, *nothing]
        if rounds:
            stacks = [
                self._nothing(wire.type.over(operation.length)) for wire in body.outputs[carried:]
            ]

            def one(made: Array, all: Sequence[Sequence[Array]]) -> Sequence[Sequence[Array]]:
                place = rounds[0] - 1 - made if operation.reverse else made
                elements = [lax.dynamic_index_in_dim(s, place, 0, False) for s in sequences]
                state, outputs = step(all[0], elements)
                put = lax.dynamic_update_index_in_dim
                return state, [put(*pair, place, 0) for pair in zip(all[1], outputs, strict=True)]

            start = (initial, _varying(stacks, arrays))
            state, stacked = lax.fori_loop(0, rounds[0], one, start)
            return [*state, *stacked]
        if operation.length == 1:
            state, outputs = step(initial, [sequence[0] for sequence in sequences])
            return [*state, *(_stack(output, 1) for output in outputs)]
        state, stacked = lax.scan(
            step,
            initial,
            sequences,
            length=operation.length,
            reverse=operation.reverse,
            unroll=_laid_out(operation),
        )
        return [*state, *stacked]

    def _nothing(self, type: ArrayType) -> Array:
        """What stands where nothing was made: zeros, or keys that nobody draws by."""
        import jax.numpy

        if type.kind == "Key":
            return jax.numpy.broadcast_to(jax.random.key(0), type.shape)
        return jax.numpy.zeros(type.shape, self.dtypes[type.kind])

    def while_loop(self, operation: While, arrays: list[Array], node: Node) -> Sequence[Array]:
        from jax import lax

        shared, most = arrays[: operation.shared], operation.most
        initial = list(map(_array, arrays[operation.shared :]))
        start = _array(numpy.zeros((), self.dtypes["Int"]))

        def holds(all: Sequence[Array]) -> Array:
            going = _array(interpret(operation.condition, [*shared, *all], self)[0])
            return going if most is None else going & (all[0] < most)

        def step(all: Sequence[Array]) -> list[Array]:
            after = interpret(operation.body, [*shared, *all], self)
            return [all[0] + 1, *map(_array, after)]

        final: Sequence[Array] = lax.while_loop(holds, step, _varying([start, *initial], arrays))
        return final

    def fixpoint(self, operation: Fixpoint, arrays: list[Array], node: Node) -> Sequence[Array]:
        step, initial = self.steps(operation, arrays)
        if operation.linear:
            tolerance, positive = operation.tolerance, operation.positive
            state, reached = solve(step, initial, operation.most, tolerance, positive)
        else:
            state, reached = iterate(step, initial, operation.most)
        return [*state, reached]

    def steps(
        self, operation: Fixpoint, arrays: list[Array]
    ) -> tuple[Callable[[Sequence[Array]], list[Array]], list[Array]]:
        """One step of a fixpoint, and where it starts."""
        shared = arrays[: operation.shared]
        initial = _varying(list(map(_array, arrays[operation.shared :])), arrays)

        def step(state: Sequence[Array]) -> list[Array]:
            return list(map(_array, interpret(operation.body, [*shared, *state], self)))

        return step, initial

    def tree_loop(self, operation: TreeLoop, arrays: list[Array], node: Node) -> Sequence[Array]:
        import jax.numpy
        from jax import lax

        (reads, finals, _, readers), shared, initial, elements = operation.operands(arrays)
        body, count, width = operation.body, operation.rows, operation.width
        made = operation.writes * count
        first = readers.shape[0]
        room = operation.length * operation.writes * width + 1
        history = [
            lax.concatenate([_array(rows), jax.numpy.zeros((room, *rows.shape[1:]), rows.dtype)], 0)
            for rows in initial
        ]
        history = _varying(history, arrays)

        def step(state: list[Array], given: Sequence[Array]) -> tuple[list[Array], list[Array]]:
            number, places, *own = given
            read = [_rows(rows, places[port]) for port in range(operation.reads) for rows in state]
            results = list(map(_array, interpret(body, [*shared, *read, *own], self)))
            after = []
            for k, rows in enumerate(state):
                blocks = results[k:made:count]
                block = blocks[0] if len(blocks) == 1 else lax.concatenate(blocks, 0)
                start = first + number * (operation.writes * width)
                after.append(lax.dynamic_update_slice_in_dim(rows, block, start, 0))
            return after, results[made:]

        if operation.length == 0:
            stacked = [jax.numpy.zeros((0, *w.type.shape), self.dtypes[w.type.kind])
                       for w in body.outputs[made:]]  # fmt: skip
        else:
            numbers = jax.numpy.arange(operation.length, dtype=numpy.int32)
            history, stacked = lax.scan(
                step, history, (numbers, reads, *elements), reverse=operation.reverse
            )
        return [*(_rows(rows, finals) for rows in history), *stacked]

    def choose(self, operation: Choose, arrays: list[Array], node: Node) -> Sequence[Array]:
        import jax.numpy
        from jax import lax

        selector, *operands = arrays
        branches = [partial(self._branch, branch) for branch in operation.branches]
        last = len(branches) - 1
        if last == 0:
            return branches[0](*operands)
        selector = jax.numpy.asarray(selector)
        if selector.dtype != numpy.bool_:
            selector = jax.numpy.clip(selector, 0, last).astype(numpy.int32)
        elif last > 1:
            selector = selector.astype(numpy.int32)
        if not selector.shape:
            chosen: Sequence[Array] = lax.switch(selector.astype(numpy.int32), branches, *operands)
            return chosen
        # A batch: every branch on the whole of it, every entry takes its own.
        results = []
        for entries in zip(*(branch(*operands) for branch in branches), strict=True):
            which = lax.broadcast_in_dim(selector, entries[0].shape, range(selector.ndim))
            results.append(lax.select_n(which, *entries))
        return results

    def _branch(self, graph: Graph, *operands: Array) -> list[Array]:
        return list(map(_array, interpret(graph, operands, self)))


def _stack(array: Array, length: int) -> Array:
    import jax.numpy

    return jax.numpy.broadcast_to(array, (length, *array.shape))


def _rows(history: Array, places: Array) -> Array:
    """The rows at these places; the schedule keeps within the history."""
    return history.at[places].get(mode="promise_in_bounds")


def _varying(initial: list[Array], arrays: Sequence[Array]) -> list[Array]:
    """Under `shard_map` JAX tells values that differ between devices from those that do
    not, and a loop's state may not turn from the one into the other: it starts as what
    it may become."""
    from jax import lax

    axes = frozenset[str]().union(*map(_varying_axes, arrays))
    missing = [tuple(sorted(axes - _varying_axes(array))) for array in initial]
    return [
        lax.pcast(array, over, to="varying") if over else array
        for array, over in zip(initial, missing, strict=True)
    ]


def _varying_axes(array: Array) -> frozenset[str]:
    import jax

    type = jax.typeof(array)
    manual = getattr(type, "manual_axis_type", None)  # `vma` before JAX 0.10
    found: frozenset[str] = getattr(type, "vma", frozenset()) if manual is None else manual.varying
    return found


# XLA works out what constants give, but for a loop, which it would run at each call.
_SETTLED = 4096


def _settled(loop: Loop, arrays: Sequence[Array], node: Node) -> bool:
    """Whether a loop is of constants alone, and short enough to be run when it is lowered."""
    entries = sum(wire.type.size for wire in node.outputs)
    constant = all(isinstance(array, numpy.ndarray | numpy.generic) for array in arrays)
    return constant and max(loop.length, entries) <= _SETTLED


# A loop of few steps over large elements (the layers of a stack) is laid out: XLA then
# spares copying them. Measured: 4 to 12 layers of 512 units, a tenth to a sixth of the time
# of the gradient; of small elements nothing is gained, and compiling takes longer. A loop
# of a few operations in all is laid out too: starting it takes longer than they do. Segments
# are not: XLA would see that they are made twice, and keep what they made the first time.
_NODES, _ENTRIES, _FEW = 256, 1 << 15, 32


def _laid_out(loop: Loop) -> bool:
    if loop.segments:
        return False
    operations = loop.length * sum(1 for _ in loop.body.walk())
    if operations <= _FEW:
        return True
    elements = loop.body.inputs[loop.shared + loop.carried :]
    stacked = loop.body.outputs[loop.carried :]
    entries = sum(wire.type.size for wire in (*elements, *stacked))
    return entries >= _ENTRIES and operations <= _NODES
