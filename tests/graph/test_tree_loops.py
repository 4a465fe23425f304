"""The loop over a forest: its value row by row, its derivative and adjoint, its rewriting.

The schedules here are drawn directly: a history of rows, each read once at most by a
later step or at the end.
"""

from __future__ import annotations

import jax
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nnfp_kernel.graph.graph import ArrayType, Builder, Call, Choose, Graph, Map, TreeLoop
from nnfp_kernel.graph.rewrite import optimise, vectorise
from nnfp_kernel.linear.differentiate import gradient_graph, linearize
from nnfp_kernel.linear.maps import TreeRecurrence, filled
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower

Schedule = tuple[numpy.ndarray, ...]


def schedule(
    random: numpy.random.Generator,
    length: int,
    width: int,
    first: int,
    finals: int,
    reads: int = 2,
    reverse: bool = False,
) -> Schedule:
    """A schedule in which every row is read once at most, one block made at each step."""
    steps = list(range(length))[:: -1 if reverse else 1]
    nothing, unread = first + length * width, finals + length * reads * width
    free = list(range(first))
    reading = numpy.full((length, reads, width), nothing)
    readers = numpy.full((length, 1, width), unread)
    leaves = numpy.full(first, unread)

    def tell(place: int, reader: int) -> None:
        if place < first:
            leaves[place] = reader
        else:
            readers[(place - first) // width, 0, (place - first) % width] = reader

    for step in steps:
        for port in range(reads):
            for lane in range(width):
                if free and random.random() < 0.8:
                    place = free.pop(random.integers(len(free)))
                    reading[step, port, lane] = place
                    tell(place, finals + (step * reads + port) * width + lane)
        free += [first + step * width + lane for lane in range(width)]
    ending = numpy.full(finals, nothing)
    for k in range(min(finals, len(free))):
        ending[k] = free.pop(random.integers(len(free)))
        tell(ending[k], k)
    return reading, ending, readers, leaves


def tree_graph(length: int, width: int, first: int, finals: int, reverse: bool = False) -> Graph:
    """Rows of two parts; each step uses a weight, an element and gives one output."""
    builder = Builder(PRIMITIVES)
    shapes = ((length, 2, width), (finals,), (length, 1, width), (first,))
    places = [builder.input(ArrayType("Int", shape)) for shape in shapes]
    W = builder.input(ArrayType("R", (3, 3)), "W")
    h = builder.input(ArrayType("R", (first, 3)), "h")
    c = builder.input(ArrayType("R", (first,)), "c")
    xs = builder.input(ArrayType("R", (length, width, 3)), "xs")
    child = builder.child()
    w = child.own(W)
    rows = [child.input(ArrayType("R", (width, *s))) for _ in range(2) for s in ((3,), ())]
    x = child.input(ArrayType("R", (width, 3)))
    (h1, c1, h2, c2) = rows
    moved = child.emit("contract", w, h1, left=(0, 1), right=(2, 1), out=(2, 0))
    gate = child.emit("broadcast", child.emit("sigmoid", c2), shape=(width, 3), axes=(0,))
    inner = child.emit("add", child.emit("mul", gate, h2), child.emit("mul", moved, x))
    h3 = child.emit("tanh", inner)
    c3 = child.emit("add", child.emit("mul", c1, c2), child.emit("sum", h3, axes=(1,)))
    body = child.finish([h3, c3, child.emit("sum", child.emit("mul", h3, h1), axes=(0,))])
    assert child.captured == (W,)
    loop = TreeLoop(body, 1, 2, 2, 1, width, length, reverse)
    return builder.finish(builder.add(loop, [*places, W, h, c, xs]))


def one_by_one(graph: Graph, arrays: list[numpy.ndarray], reverse: bool) -> list[numpy.ndarray]:
    """The same in numpy, as it is defined."""
    (reads, finals, _, _), (W, h, c, xs) = arrays[:4], arrays[4:]
    length, _, width = reads.shape
    rows_h = dict(enumerate(h)) | {len(h) + length * width: numpy.zeros(3)}
    rows_c = dict(enumerate(c)) | {len(h) + length * width: 0.0}
    outputs = numpy.zeros((length, 3))
    for step in list(range(length))[:: -1 if reverse else 1]:
        for lane in range(width):
            (h1, h2), (c1, c2) = (
                [rows[reads[step, port, lane]] for port in range(2)] for rows in (rows_h, rows_c)
            )
            h3 = numpy.tanh(h2 / (1 + numpy.exp(-c2)) + (W @ h1) * xs[step, lane])
            rows_h[len(h) + step * width + lane] = h3
            rows_c[len(h) + step * width + lane] = c1 * c2 + h3.sum()
            outputs[step] += h3 * h1
    ending_h = numpy.array([rows_h[k] for k in finals]).reshape(len(finals), 3)
    return [ending_h, numpy.array([rows_c[k] for k in finals]), outputs]


def operands(graph: Graph, seed: int, places: Schedule) -> list[numpy.ndarray]:
    random = numpy.random.default_rng(seed)
    return [*places, *(random.normal(size=wire.type.shape) for wire in graph.inputs[4:])]


# Length, width, first rows and final rows: a few, for each is compiled; the schedules vary.
sizes = st.sampled_from(
    [
        (0, 1, 2, 2),
        (1, 1, 0, 1),
        (1, 3, 4, 2),
        (2, 2, 3, 0),
        (3, 1, 4, 4),
        (3, 3, 1, 2),
        (4, 2, 4, 1),
    ]
)


@settings(max_examples=25)
@given(sizes, st.booleans(), st.integers(0, 1 << 30))
def test_it_is_what_it_says_row_by_row(shape, reverse, seed):
    length, width, first, finals = shape
    graph = tree_graph(length, width, first, finals, reverse)
    places = schedule(numpy.random.default_rng(seed), *shape, reverse=reverse)
    arrays = operands(graph, seed, places)
    expected = one_by_one(graph, arrays, reverse)
    for form in (graph, vectorise(PRIMITIVES, graph), optimise(PRIMITIVES, graph)):
        for found, wanted in zip(lower(form, 64)(*arrays), expected, strict=True):
            assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


@settings(max_examples=12)
@given(sizes, st.booleans(), st.integers(0, 1 << 30))
def test_its_gradient_is_that_of_the_lowered_program(shape, reverse, seed):
    graph = tree_graph(*shape, reverse)
    places = schedule(numpy.random.default_rng(seed), *shape, reverse=reverse)
    arrays = operands(graph, seed, places)
    random = numpy.random.default_rng(seed + 1)
    active = [False] * 4 + [True] * 4
    gradient = gradient_graph(PRIMITIVES, graph, active)

    def real(*inputs):
        return lower(graph, 64)(*places, *inputs)

    values, pullback = jax.vjp(real, *map(jax.numpy.asarray, arrays[4:]))
    cotangents = [random.normal(size=value.shape) for value in values]
    expected = pullback(tuple(map(jax.numpy.asarray, cotangents)))
    for form in (gradient, optimise(PRIMITIVES, gradient)):
        found = lower(form, 64)(*arrays, *cotangents)[len(values) :]
        for one, other in zip(found, expected, strict=True):
            assert_allclose(one, other, rtol=1e-9, atol=1e-11)


@settings(max_examples=8)
@given(sizes, st.integers(0, 1 << 30))
def test_the_adjoint_of_a_tree_recurrence(shape, seed):
    """<L u, v> = <u, L† v>, and L†† = L, of the recurrence by itself."""
    graph = tree_graph(*shape)
    places = schedule(numpy.random.default_rng(seed), *shape)
    arrays = operands(graph, seed, places)
    random = numpy.random.default_rng(seed + 1)
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(wire.type) for wire in graph.inputs]
    _, network = linearize(builder, graph, inputs, [False] * 4 + [True] * 4)
    (part,) = [part for part in network.parts if isinstance(part.map, TreeRecurrence)]
    forth, back = part.map, part.map.adjoint()
    assert forth.domain == back.codomain
    assert forth.codomain == back.domain
    u = [builder.input(type) for type in forth.domain]
    v = [builder.input(type) for type in forth.codomain]
    again = back.adjoint()
    made = [
        *filled(builder, forth.apply(builder, u), forth.codomain),
        *filled(builder, again.apply(builder, u), forth.codomain),
        *filled(builder, back.apply(builder, v), forth.domain),
    ]
    given_ = [random.normal(size=wire.type.shape) for wire in (*u, *v)]
    results = lower(builder.finish(made), 64)(*arrays, *given_)
    count = len(v)
    images, twice, pulled = results[:count], results[count : 2 * count], results[2 * count :]
    for one, other in zip(images, twice, strict=True):
        assert_allclose(one, other, rtol=1e-12)
    left = sum(float((a * b).sum()) for a, b in zip(images, given_[len(u) :], strict=True))
    right = sum(float((a * b).sum()) for a, b in zip(pulled, given_, strict=False))
    assert_allclose(left, right, rtol=1e-9, atol=1e-9)


def test_its_second_derivative_is_that_of_the_lowered_program():
    shape = (3, 2, 4, 2)
    graph = tree_graph(*shape)
    arrays = operands(graph, 3, schedule(numpy.random.default_rng(3), *shape))
    active = [False] * 4 + [True] * 4
    first = gradient_graph(PRIMITIVES, graph, active)
    cotangents = [numpy.ones(wire.type.shape) for wire in graph.outputs]
    given_ = [*arrays, *cotangents]
    again = [*active, *(False for _ in cotangents)]
    second = gradient_graph(PRIMITIVES, first, again)

    def real(*inputs):
        return lower(first, 64)(*arrays[:4], *inputs, *cotangents)

    values, pullback = jax.vjp(real, *map(jax.numpy.asarray, arrays[4:]))
    moved = [numpy.random.default_rng(k).normal(size=v.shape) for k, v in enumerate(values)]
    expected = pullback(tuple(map(jax.numpy.asarray, moved)))
    found = lower(optimise(PRIMITIVES, second), 64)(*given_, *moved)[len(values) :]
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-10)


def test_the_gradient_of_a_shared_weight_is_one_product_after_the_loop():
    graph = tree_graph(3, 2, 4, 2)
    made = optimise(PRIMITIVES, gradient_graph(PRIMITIVES, graph, [False] * 4 + [True] * 4))
    loops = [node for node in made.nodes if isinstance(node.operation, TreeLoop)]
    assert len(loops) == 2
    assert all(wire.type.shape[1:] != (3, 3) for node in loops for wire in node.outputs)
    products = [
        node
        for node in made.nodes
        if isinstance(node.operation, Call) and node.operation.primitive.name == "contract"
    ]
    assert [node.outputs[0].type.shape for node in products] == [(3, 3)]


def test_a_map_of_tree_loops_stays_one_and_is_right():
    """Each element with a schedule and rows of its own."""
    shape = (3, 2, 4, 2)
    graph = tree_graph(*shape)
    builder = Builder(PRIMITIVES)
    inputs = [
        builder.input(wire.type if wire.name == "W" else wire.type.over(5)) for wire in graph.inputs
    ]
    inner = Graph(
        (graph.inputs[4], *graph.inputs[:4], *graph.inputs[5:]), graph.nodes, graph.outputs
    )
    made = builder.add(Map(inner, 1, 5), [inputs[4], *inputs[:4], *inputs[5:]])
    whole = builder.finish(made)
    each = [operands(graph, k, schedule(numpy.random.default_rng(k), *shape)) for k in range(5)]
    arrays = [each[0][4] if k == 4 else numpy.stack([a[k] for a in each]) for k in range(8)]
    active = [False] * 4 + [True] * 4
    gradient = gradient_graph(PRIMITIVES, vectorise(PRIMITIVES, whole), active)
    cotangents = [numpy.ones(wire.type.shape) for wire in whole.outputs]
    found = lower(optimise(PRIMITIVES, gradient), 64)(*arrays, *cotangents)
    total = 0.0
    for k, own in enumerate(each):
        own[4] = arrays[4]
        ones = [numpy.ones(wire.type.shape) for wire in graph.outputs]
        expected = lower(gradient_graph(PRIMITIVES, graph, active), 64)(*own, *ones)
        for one, other in zip(found[:3], expected[:3], strict=True):
            assert_allclose(one[k], other, rtol=1e-10)
        assert_allclose(found[4][k], expected[4], rtol=1e-10)
        total = total + expected[3]
    assert_allclose(found[3], total, rtol=1e-10)


def test_a_choice_by_step_runs_in_the_body():
    """The chunks of one constructor take one branch, forth and back."""
    length, width, first = 4, 2, 5
    builder = Builder(PRIMITIVES)
    shapes = ((length, 2, width), (2,), (length, 1, width), (first,))
    wires = [builder.input(ArrayType("Int", shape)) for shape in shapes]
    h = builder.input(ArrayType("R", (first,)))
    kind = builder.input(ArrayType("Int", (length,)))
    child = builder.child()
    one, other = (child.input(ArrayType("R", (width,))) for _ in range(2))
    selector = child.input(ArrayType("Int"))
    branches = []
    for name in ("mul", "add"):
        inner = Builder(PRIMITIVES)
        pair = [inner.input(wire.type) for wire in (one, other)]
        branches.append(inner.finish([inner.emit("sin", inner.emit(name, *pair))]))
    body = child.finish(child.add(Choose(tuple(branches)), [selector, one, other]))
    loop = TreeLoop(body, 0, 1, 2, 1, width, length)
    graph = builder.finish(builder.add(loop, [*wires, h, kind]))
    random = numpy.random.default_rng(0)
    places = schedule(random, length, width, first, 2)
    arrays = [*places, random.normal(size=first), numpy.array([0, 1, 1, 0])]
    gradient = gradient_graph(PRIMITIVES, graph, [*[False] * 4, True, False])
    found = lower(optimise(PRIMITIVES, gradient), 64)(*arrays, numpy.ones(2))[1]
    expected = jax.grad(lambda h: lower(graph, 64)(*places, h, arrays[5])[0].sum())(arrays[4])
    assert_allclose(found, expected, rtol=1e-10)
    assert abs(expected).max() > 0


def test_a_schedule_of_another_shape_is_refused():
    builder = Builder(PRIMITIVES)
    graph = tree_graph(2, 2, 3, 1)
    (node,) = [n for n in graph.nodes if not isinstance(n.operation, Call)]
    inputs = [builder.input(wire.type) for wire in graph.inputs]
    inputs[1] = builder.input(ArrayType("R", (1,)))
    with pytest.raises(ValueError, match="tree loop schedule"):
        builder.add(node.operation, inputs)
