"""Laws over random graphs: loops, maps and choices inside each other, empty axes and
scalars among the shapes.

A graph is drawn node by node. Its derivative is judged by `jax.vjp` and `jax.jvp` of
its lowering and by finite differences; every rewriting by the values before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nnfp_kernel.graph.graph import (
    ArrayType,
    Builder,
    Choose,
    Graph,
    Loop,
    Map,
    While,
    Wire,
    subgraphs_together,
)
from nnfp_kernel.graph.interpret import interpret
from nnfp_kernel.graph.rewrite import optimise, vectorise
from nnfp_kernel.linear import jets
from nnfp_kernel.linear.differentiate import gradient_graph, jvp, linearize
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import DTYPES, Arrays, lower

SHAPES: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3), (3, 2), (1,), (0,), (2, 0))
Draw = Callable[[st.SearchStrategy], object]


# --- random graphs -----------------------------------------------------------------------------


class Drawing:
    """A builder, the real wires made in it so far, and how many nodes may still come."""

    def __init__(self, draw: Draw, builder: Builder, wires: Sequence[Wire], selectors: list[Wire]):
        self.draw, self.builder = draw, builder
        self.wires = list(wires)
        self.selectors = selectors

    def pick(self, *conditions: Callable[[Wire], bool]) -> Wire | None:
        found = [w for w in self.wires if all(holds(w) for holds in conditions)]
        return self.draw(st.sampled_from(found[-6:])) if found else None

    def choose(self, *options: object) -> object:
        return self.draw(st.sampled_from(options))

    def made(self, wire: Wire) -> None:
        if wire.type.size <= 40 and wire.type.rank <= 4:
            self.wires.append(wire)

    def number(self, value: float, shape: tuple[int, ...]) -> Wire:
        constant = self.builder.constant(value)
        return self.builder.emit("broadcast", constant, shape=shape, axes=())

    def grow(self, steps: int, depth: int) -> None:
        kinds = [self.unary, self.binary, self.move, self.reduce, self.product, self.pick_entries]
        deep = [self.loop, self.map, self.choice, self.while_loop]
        for _ in range(steps):
            grow = self.choose(*kinds, *(deep * 2 if depth else []))
            grow(depth - 1) if grow in deep else grow()

    # --- one node ---

    def unary(self) -> None:
        name = self.choose("tanh", "sin", "negate", "sigmoid", "square")
        x = self.pick()
        self.made(self.builder.emit("tanh" if name == "square" else name, x))

    def binary(self) -> None:
        x = self.pick()
        y = self.pick(lambda w: w.type == x.type)
        self.made(self.builder.emit(self.choose("add", "subtract", "mul"), x, y))

    def move(self) -> None:
        x = self.pick()
        shape = x.type.shape
        match self.choose("transpose", "reshape", "reverse", "broadcast", "slice", "pad", "concat"):
            case "transpose":
                permutation = tuple(self.draw(st.permutations(range(len(shape)))))
                self.made(self.builder.emit("transpose", x, permutation=permutation))
            case "reshape":
                flat = (x.type.size,)
                wanted = self.choose(flat, (1, *shape), shape[::-1])
                self.made(self.builder.emit("reshape", x, shape=wanted))
            case "broadcast":
                place = self.draw(st.integers(0, len(shape)))
                size = self.choose(1, 2, 3)
                whole = (*shape[:place], size, *shape[place:])
                axes = tuple(k for k in range(len(whole)) if k != place)
                self.made(self.builder.emit("broadcast", x, shape=whole, axes=axes))
            case movement if shape:
                axis = self.draw(st.integers(0, len(shape) - 1))
                if movement == "reverse":
                    self.made(self.builder.emit("reverse", x, axis=axis))
                elif movement == "slice":
                    stop = self.draw(st.integers(0, shape[axis]))
                    start = self.draw(st.integers(0, stop))
                    self.made(
                        self.builder.emit("slice", x, axis=axis, start=start, stop=stop, stride=1)
                    )
                elif movement == "pad":
                    low, high = self.choose((0, 1), (1, 0), (1, 2))
                    self.made(
                        self.builder.emit("pad", x, axis=axis, low=low, high=high, interior=0)
                    )
                else:
                    y = self.pick(lambda w: w.type == x.type)
                    self.made(self.builder.emit("concat", x, y, axis=axis))
            case _:
                pass

    def reduce(self) -> None:
        if (x := self.pick(lambda w: w.type.rank > 0)) is not None:
            axes = self.draw(st.sets(st.integers(0, x.type.rank - 1), min_size=1))
            self.made(self.builder.emit("sum", x, axes=tuple(sorted(axes))))

    def product(self) -> None:
        """A contraction: axes of one length may be joined, and then summed or kept."""
        x, y = self.pick(), self.pick()
        left = list(range(x.type.rank))
        right = [10 + k for k in range(y.type.rank)]
        for k, size in enumerate(y.type.shape):
            free = [j for j, n in enumerate(x.type.shape) if n == size and j not in right]
            if free and self.choose(True, False):
                right[k] = self.choose(*free)
        out = [n for n in dict.fromkeys([*left, *right]) if not (n in left and n in right)]
        out += [n for n in left if n in right and self.choose(True, False)]
        out = self.draw(st.permutations(out))
        labels = {"left": tuple(left), "right": tuple(right), "out": tuple(out)}
        self.made(self.builder.emit("tanh", self.builder.emit("contract", x, y, **labels)))

    def pick_entries(self) -> None:
        x = self.pick()
        y = self.pick(lambda w: w.type == x.type)
        mask = self.builder.emit("compare", x, self.number(0.123, x.type.shape), how="lt")
        self.made(self.builder.emit("select", mask, x, y))

    # --- structured nodes ---

    def inner(self, builder: Builder, own: Sequence[Wire], depth: int) -> Drawing:
        drawing = Drawing(self.draw, builder, [*self.wires, *own, *own], list(self.selectors))
        drawing.grow(self.draw(st.integers(1, 3)), depth)
        return drawing

    def sequences(self) -> tuple[int, list[Wire]]:
        first = self.pick(lambda w: w.type.rank > 0)
        if first is None:
            return self.choose(0, 1, 2), []
        length = first.type.shape[0]
        other = self.pick(lambda w: w.type.rank > 0 and w.type.shape[0] == length)
        return length, [first, other][: self.choose(1, 2)]

    def loop(self, depth: int) -> None:
        length, sequences = self.sequences()
        initial = [self.pick() for _ in range(self.choose(1, 2))]
        child = self.builder.child()
        state = [child.input(wire.type) for wire in initial]
        elements = [child.input(wire.type.element()) for wire in sequences]
        drawing = self.inner(child, [*state, *elements], depth)
        after = [drawing.pick(lambda w, s=s: w.type == s.type) for s in state]
        outputs = [drawing.pick() for _ in range(self.choose(0, 1, 2))]
        body = child.finish([*(child.emit("tanh", w) for w in after), *outputs])
        captured = child.captured
        operation = Loop(body, len(captured), len(state), length, self.choose(False, True))
        for wire in self.builder.add(operation, [*captured, *initial, *sequences]):
            self.made(wire)

    def map(self, depth: int) -> None:
        length, sequences = self.sequences()
        child = self.builder.child()
        elements = [child.input(wire.type.element()) for wire in sequences]
        drawing = self.inner(child, elements, depth)
        body = child.finish([drawing.pick() for _ in range(self.choose(1, 2))])
        captured = child.captured
        for wire in self.builder.add(Map(body, len(captured), length), [*captured, *sequences]):
            self.made(wire)

    def while_loop(self, depth: int) -> None:
        initial = [self.pick() for _ in range(self.choose(1, 2))]
        observing, child = self.builder.child(), self.builder.child()
        numbers = [observing.input(ArrayType("Int")), child.input(ArrayType("Int"))]
        seen = [observing.input(wire.type) for wire in initial]
        state = [child.input(wire.type) for wire in initial]
        if self.choose(True, False):
            axes = tuple(range(seen[0].type.rank))
            total = observing.emit("sum", seen[0], axes=axes)
            going = observing.emit("compare", total, observing.constant(1.23), how="lt")
        else:
            bound = observing.constant(self.choose(0, 2), "Int")
            going = observing.emit("compare", numbers[0], bound, how="lt")
        drawing = self.inner(child, [*state, child.emit("convert", numbers[1], kind="R")], depth)
        after = [drawing.pick(lambda w, s=s: w.type == s.type) for s in state]
        moved = [child.emit("tanh", wire) for wire in after]
        (condition, body), captured = subgraphs_together([(observing, [going]), (child, moved)])
        operation = While(condition, body, len(captured), len(initial), self.choose(0, 1, 3))
        for wire in self.builder.add(operation, [*captured, *initial])[1:]:
            self.made(wire)

    def choice(self, depth: int) -> None:
        operands = [self.pick(), self.pick()]
        selector = self.choose(*self.selectors)
        if self.choose(True, False) and (x := self.pick(lambda w: w.type.rank == 0)) is not None:
            selector = self.builder.emit("compare", x, self.number(0.1, ()), how="lt")
        kinds: list[Drawing] = []
        for _ in range(self.choose(2, 3)):
            builder = Builder(PRIMITIVES)
            own = [builder.input(wire.type) for wire in operands]
            drawing = Drawing(self.draw, builder, own, [builder.constant(True, "Bool")])
            drawing.grow(self.draw(st.integers(0, 2)), depth)
            kinds.append(drawing)
        common = [w.type for w in kinds[0].wires]
        type = self.choose(*common)
        branches = []
        for drawing in kinds:
            result = drawing.pick(lambda w: w.type == type) or drawing.number(0.5, type.shape)
            branches.append(drawing.builder.finish([result]))
        self.made(self.builder.add(Choose(tuple(branches)), [selector, *operands])[0])


@st.composite
def graphs(draw: Draw, depth: int = 2, steps: int = 5) -> Graph:
    """Real inputs, then a Bool and an Int that choose; one to three outputs."""
    builder = Builder(PRIMITIVES)
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))
    inputs = [builder.input(ArrayType("R", shape)) for shape in shapes]
    selectors = [builder.input(ArrayType("Bool")), builder.input(ArrayType("Int"))]
    drawing = Drawing(draw, builder, inputs, selectors)
    drawing.grow(draw(st.integers(1, steps)), depth)
    made = drawing.wires[len(inputs) :] or inputs
    return builder.finish(made[-draw(st.integers(1, 3)) :])


# --- judging -----------------------------------------------------------------------------------


def entries(graph: Graph, seed: int, lead: tuple[int, ...] = ()) -> list[numpy.ndarray]:
    random = numpy.random.default_rng(seed)
    made = []
    for wire in graph.inputs:
        shape = (*lead, *wire.type.shape)
        match wire.type.kind:
            case "R":
                made.append(random.normal(size=shape))
            case "Bool":
                made.append(random.integers(0, 2, shape).astype(bool))
            case "Int":
                made.append(random.integers(-1, 4, shape))
    return made


def active(graph: Graph) -> list[bool]:
    return [wire.type.kind == "R" for wire in graph.inputs]


def same(found: Sequence[object], expected: Sequence[object], digits: float = 1e-9) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=digits, atol=digits)


class LaidOut(Arrays):
    """Arrays, with the rounds of a while one after the other: JAX has no reverse rule for
    its own loops of that kind."""

    def while_loop(self, operation: While, arrays: list, node: object) -> list:
        shared, state = arrays[: operation.shared], arrays[operation.shared :]
        going, rounds = True, 0
        for k in range(operation.most):
            given = [*shared, numpy.asarray(k), *state]
            going = jax.numpy.logical_and(going, interpret(operation.condition, given, self)[0])
            state = self._if(
                going, lambda given=given: interpret(operation.body, given, self), state
            )
            rounds = rounds + jax.numpy.where(going, 1, 0)
        return [jax.numpy.asarray(rounds), *state]

    def loop(self, operation: Loop, arrays: list, node: object) -> list:
        shared, state, sequences, rounds = operation.operands(arrays)
        if not rounds:
            return super().loop(operation, arrays, node)
        rest = operation.body.outputs[operation.carried :]
        stacks = [numpy.zeros((operation.length, *wire.type.shape)) for wire in rest]
        stacks = [s.astype(self.dtypes[w.type.kind]) for s, w in zip(stacks, rest, strict=True)]
        for k in (
            reversed(range(operation.length)) if operation.reverse else range(operation.length)
        ):
            given = [*shared, *state, *(s[k] for s in sequences)]
            none = [*state, *(s[k] for s in stacks)]
            made = self._if(
                k < rounds[0], lambda given=given: interpret(operation.body, given, self), none
            )
            state, outputs = made[: operation.carried], made[operation.carried :]
            stacks = [
                jax.numpy.asarray(s).at[k].set(o) for s, o in zip(stacks, outputs, strict=True)
            ]
        return [*state, *stacks]

    def _if(self, going: object, then: Callable, otherwise: list) -> list:
        arrays = lambda values: tuple(map(jax.numpy.asarray, values))  # noqa: E731
        return list(jax.lax.cond(going, lambda: arrays(then()), lambda: arrays(otherwise)))


def real_part(graph: Graph, arguments: list) -> tuple[Callable, list]:
    """The graph laid out as a function of the real inputs, and those."""
    domain, flags = LaidOut(DTYPES[64]), active(graph)

    def function(*arrays: object) -> tuple:
        return tuple(map(jax.numpy.asarray, interpret(graph, arrays, domain)))

    def of_reals(*reals: object) -> tuple:
        given = iter(reals)
        return function(*(next(given) if f else a for f, a in zip(flags, arguments, strict=True)))

    return of_reals, [a for f, a in zip(flags, arguments, strict=True) if f]


def cotangents(graph: Graph, seed: int) -> list[numpy.ndarray]:
    random = numpy.random.default_rng(seed + 1)
    return [random.normal(size=wire.type.shape) for wire in graph.outputs]


seeds = st.integers(0, 2**31)
pytestmark = pytest.mark.slow
some = settings(max_examples=40)
few = settings(max_examples=15)


@some
@given(graphs(), seeds)
def test_optimising_preserves_the_value(graph: Graph, seed: int) -> None:
    arguments = entries(graph, seed)
    expected = lower(graph, 64)(*arguments)
    same(lower(optimise(PRIMITIVES, graph), 64)(*arguments), expected)
    same(lower(vectorise(PRIMITIVES, graph), 64)(*arguments), expected)


@some
@given(graphs(), seeds, st.sampled_from([0, 1, 2, 3]), st.data())
def test_vectorising_a_map_is_vmap(graph: Graph, seed: int, length: int, data: object) -> None:
    flags = [data.draw(st.booleans()) for _ in graph.inputs]
    single, batch = entries(graph, seed), entries(graph, seed + 1, (length,))
    order = sorted(range(len(flags)), key=lambda k: flags[k])  # a Map takes shared inputs first
    body = Graph(tuple(graph.inputs[k] for k in order), graph.nodes, graph.outputs)
    shared = len(flags) - sum(flags)
    builder = Builder(PRIMITIVES)
    inputs = [
        builder.input(graph.inputs[k].type.over(length) if flags[k] else graph.inputs[k].type)
        for k in order
    ]
    mapped = builder.finish(builder.add(Map(body, shared, length), inputs))
    arguments = [batch[k] if flags[k] else single[k] for k in order]
    for made in (vectorise(PRIMITIVES, mapped), optimise(PRIMITIVES, mapped)):
        found = lower(made, 64)(*arguments)
        if length == 0 or not any(flags):
            expected = lower(mapped, 64)(*arguments)
        else:
            axes = tuple(0 if flags[k] else None for k in order)
            expected = jax.vmap(lower(body, 64), in_axes=axes)(*arguments)
        same(found, expected)
    maps = [
        n.operation for n in optimise(PRIMITIVES, mapped).walk() if isinstance(n.operation, Map)
    ]
    for each in maps:  # only loops of which each element has its own rounds
        (inner,) = each.body.nodes
        assert isinstance(inner.operation, Map | While | Loop)


@some
@given(graphs(), seeds)
def test_the_gradient_is_that_of_jax(graph: Graph, seed: int) -> None:
    arguments, weights = entries(graph, seed), cotangents(graph, seed)
    function, reals = real_part(graph, arguments)
    values, pullback = jax.vjp(function, *reals)
    expected = (*values, *pullback(tuple(map(jax.numpy.asarray, weights))))
    gradient = gradient_graph(PRIMITIVES, graph, active(graph))
    same(lower(gradient, 64)(*arguments, *weights), expected)
    same(lower(optimise(PRIMITIVES, gradient), 64)(*arguments, *weights), expected)
    before = gradient_graph(PRIMITIVES, vectorise(PRIMITIVES, graph), active(graph))
    same(lower(optimise(PRIMITIVES, before), 64)(*arguments, *weights), expected)


def tangent_graph(graph: Graph) -> Graph:
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(wire.type) for wire in graph.inputs]
    tangents = [builder.input(w.type) if w.type.kind == "R" else None for w in graph.inputs]
    outputs, made = jvp(builder, graph, inputs, tangents)
    return builder.finish(
        [builder.zeros(w.type) if t is None else t for t, w in zip(made, outputs, strict=True)]
    )


@some
@given(graphs(), seeds)
def test_the_tangent_is_that_of_jax_and_of_differences(graph: Graph, seed: int) -> None:
    arguments = entries(graph, seed)
    function, reals = real_part(graph, arguments)
    random = numpy.random.default_rng(seed + 2)
    directions = [random.normal(size=a.shape) for a in reals]
    found = lower(tangent_graph(graph), 64)(*arguments, *directions)
    same(found, jax.jvp(function, reals, directions)[1])
    step = 1e-6
    ahead = function(*(a + step * d for a, d in zip(reals, directions, strict=True)))
    behind = function(*(a - step * d for a, d in zip(reals, directions, strict=True)))
    for one, plus, minus in zip(found, ahead, behind, strict=True):
        difference = (plus - minus) / (2 * step)
        if numpy.max(numpy.abs(plus - minus), initial=0) < 1e-3:  # no branch was crossed
            assert_allclose(one, difference, rtol=1e-4, atol=1e-4)


@some
@given(graphs(), seeds)
def test_the_adjoint_is_the_adjoint_and_its_own_inverse(graph: Graph, seed: int) -> None:
    """⟨L u, w⟩ = ⟨u, L† w⟩ and L†† = L, for the derivative L of the graph."""
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(wire.type) for wire in graph.inputs]
    _, network = linearize(builder, graph, inputs, active(graph))
    u = [builder.input(type) for type in network.domain]
    w = [builder.input(type) for type in network.codomain]

    def applied(map: object, vectors: Sequence[Wire]) -> list[Wire]:
        made = map.apply(builder, vectors)
        return [x or builder.zeros(t) for x, t in zip(made, map.codomain, strict=True)]

    there, back = applied(network, u), applied(network.adjoint(), w)
    again = applied(network.adjoint().adjoint(), u)
    count = len(there)
    whole = builder.finish([*there, *again, *back])
    random = numpy.random.default_rng(seed)
    arguments = entries(graph, seed)
    us = [random.normal(size=type.shape) for type in network.domain]
    ws = [random.normal(size=type.shape) for type in network.codomain]
    results = lower(whole, 64)(*arguments, *us, *ws)
    same(results[:count], results[count : 2 * count])
    left = sum(float(numpy.vdot(a, b)) for a, b in zip(results[:count], ws, strict=True))
    right = sum(float(numpy.vdot(a, b)) for a, b in zip(us, results[2 * count :], strict=True))
    assert_allclose(left, right, rtol=1e-8, atol=1e-8)


@few
@given(graphs(depth=1, steps=3), seeds)
def test_a_linear_map_is_its_own_derivative(graph: Graph, seed: int) -> None:
    tangents = tangent_graph(graph)
    real = active(graph)
    count = len(graph.inputs)
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(wire.type) for wire in tangents.inputs]
    extra = [None] * count + [builder.input(wire.type) for wire in tangents.inputs[count:]]
    _, made = jvp(builder, tangents, inputs, extra)
    twice = builder.finish(
        [t or builder.zeros(w.type) for t, w in zip(made, tangents.outputs, strict=True)]
    )
    arguments = entries(graph, seed)
    random = numpy.random.default_rng(seed)
    reals = [a for a, flag in zip(arguments, real, strict=True) if flag]
    us, vs = ([random.normal(size=a.shape) for a in reals] for _ in range(2))
    same(lower(twice, 64)(*arguments, *us, *vs), lower(tangents, 64)(*arguments, *vs))


@few
@given(graphs(depth=1, steps=3), seeds)
def test_derivatives_nest_to_the_third_order(graph: Graph, seed: int) -> None:
    arguments, weights = entries(graph, seed), cotangents(graph, seed)
    first = gradient_graph(PRIMITIVES, graph, active(graph))
    second = gradient_graph(PRIMITIVES, optimise_before(first), active(first))
    everything = [*arguments, *weights]
    function, reals = real_part(first, everything)
    values, pullback = jax.vjp(function, *reals)
    seconds = cotangents(first, seed)
    expected = (*values, *pullback(tuple(map(jax.numpy.asarray, seconds))))
    same(lower(second, 64)(*everything, *seconds), expected, 1e-7)

    third = tangent_graph(second)
    everything = [*everything, *seconds]
    function, reals = real_part(second, everything)
    random = numpy.random.default_rng(seed)
    directions = [random.normal(size=a.shape) for a in reals]
    expected = jax.jvp(function, reals, directions)[1]
    found = lower(optimise(PRIMITIVES, third), 64)(*everything, *directions)
    same(found, expected, 1e-6)


def optimise_before(graph: Graph) -> Graph:
    return vectorise(PRIMITIVES, graph)


@settings(max_examples=8)
@given(graphs(depth=1, steps=4), seeds)
def test_series_are_those_of_derivatives_one_after_the_other(graph: Graph, seed: int) -> None:
    """Taylor coefficients to the second order, and the sum of the last along two lines."""
    arguments = entries(graph, seed)
    function, reals = real_part(graph, arguments)
    random = numpy.random.default_rng(seed + 3)
    lines = [[random.normal(size=a.shape) for a in reals] for _ in range(2)]

    def slopes(line: list) -> tuple:
        def moved(t: object) -> tuple:
            return function(*(a + t * v for a, v in zip(reals, line, strict=True)))

        def slope(t: object) -> tuple:
            return jax.jvp(moved, (t,), (1.0,))[1]

        return jax.jvp(slope, (0.0,), (1.0,))

    expected = list(map(slopes, lines))

    builder, flags = Builder(PRIMITIVES), active(graph)
    inputs = [builder.input(wire.type) for wire in graph.inputs]
    tangents = [builder.input(w.type) if f else None for w, f in zip(inputs, flags, strict=True)]
    pairs = [
        builder.input(w.type.over(2)) if f else None for w, f in zip(inputs, flags, strict=True)
    ]
    columns = jets.taylor(builder, graph, inputs, tangents, 2)
    sums = jets.laplacian(builder, graph, inputs, pairs, 2)
    made = [
        builder.zeros(column[0].type) if wire is None else wire
        for column in columns
        for wire in column[1:]
    ]
    made += [builder.zeros(value.type) if wire is None else wire for value, _, wire in sums]
    both = [numpy.stack(pair) for pair in zip(*lines, strict=True)]
    found = lower(builder.finish(made), 64)(*arguments, *lines[0], *both)
    count = len(graph.outputs)
    same(found[0 : 2 * count : 2], expected[0][0], 1e-8)
    same([2 * array for array in found[1 : 2 * count : 2]], expected[0][1], 1e-8)
    same(found[2 * count :], [a + b for a, b in zip(*(e[1] for e in expected), strict=True)], 1e-8)
