"""D of particular graphs: the paper's examples, what is kept, what is safe.

The laws over random graphs are in tests/graph/test_random_graphs.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import cos, log, sin

import jax
import numpy
import pytest
from numpy.testing import assert_allclose

from nnfp_kernel.graph.graph import ArrayType, Builder, Call, Choose, Graph, Loop, Map, Node, Wire
from nnfp_kernel.graph.rewrite import optimise, vectorise
from nnfp_kernel.linear.differentiate import gradient_graph, jvp, linearize, vjp
from nnfp_kernel.linear.maps import MapL, Recurrence
from nnfp_kernel.linear.reach import reach
from nnfp_kernel.linear.residuals import keep, prologue
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower


def R(*shape: int) -> ArrayType:
    return ArrayType("R", shape)


def graph_of(function: Callable[..., Sequence[Wire]], *types: ArrayType) -> Graph:
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(type) for type in types]
    return builder.finish(function(builder, *inputs))


def scalar(function: Callable[..., Wire], count: int) -> Graph:
    return graph_of(lambda b, *x: [function(b, *x)], *[R()] * count)


def value_and_gradient(graph: Graph, *point: object) -> tuple[float, tuple[float, ...]]:
    flags = [wire.type.differentiable for wire in graph.inputs]
    gradient = gradient_graph(PRIMITIVES, graph, flags)
    value, *parts = lower(optimise(PRIMITIVES, gradient), 64)(*point, 1.0)
    return float(value), tuple(map(float, parts))


# --- the worked examples of Elsman et al. 2022 ----------------------------------------------


def log_sin(b: Builder, x: Wire) -> Wire:
    return b.emit("log", b.emit("sin", x))


def product(b: Builder, x: Wire, y: Wire) -> Wire:
    return b.emit("mul", x, y)


def baydin(b: Builder, x: Wire, y: Wire) -> Wire:
    """ln x₁ + x₁ x₂ − sin x₂"""
    total = b.emit("add", b.emit("log", x), b.emit("mul", x, y))
    return b.emit("subtract", total, b.emit("sin", y))


def baydin_times_sum(b: Builder, x: Wire, y: Wire) -> Wire:
    return b.emit("mul", baydin(b, x, y), b.emit("add", x, y))


def log_x_cos_y(b: Builder, x: Wire, y: Wire) -> Wire:
    return b.emit("log", b.emit("mul", x, b.emit("cos", y)))


def _baydin(x: float, y: float) -> float:
    return log(x) + x * y - sin(y)


EXAMPLES = [
    (log_sin, (1.2,), log(sin(1.2)), (cos(1.2) / sin(1.2),)),
    (product, (3.0, 4.0), 12.0, (4.0, 3.0)),
    (baydin, (2.0, 5.0), 11.652, (5.5, 1.7163)),
    (baydin, (0.7, 1.9), _baydin(0.7, 1.9), (1 / 0.7 + 1.9, 0.7 - cos(1.9))),
    (
        baydin_times_sum,
        (2.0, 5.0),
        7 * _baydin(2, 5),
        (7 * 5.5 + _baydin(2, 5), 7 * (2 - cos(5)) + _baydin(2, 5)),
    ),
    (log_x_cos_y, (2.0, 0.5), log(2 * cos(0.5)), (0.5, -sin(0.5) / cos(0.5))),
]


@pytest.mark.parametrize(("function", "point", "value", "gradient"), EXAMPLES)
def test_the_examples_of_the_paper(
    function: Callable[..., Wire], point: tuple, value: float, gradient: tuple
) -> None:
    found, parts = value_and_gradient(scalar(function, len(point)), *point)
    assert_allclose(found, value, rtol=1e-4)
    assert_allclose(parts, gradient, rtol=1e-4)


def test_perturbations_are_not_confused() -> None:
    """d/dx (x · d/dy (x + y)) at x = 1, y = 1 is 1 (Siskind and Pearlmutter 2005)."""

    def inner(b: Builder, x: Wire, y: Wire) -> list[Wire]:
        return [b.emit("add", x, y)]

    def outer(b: Builder, x: Wire) -> list[Wire]:
        one = b.constant(1.0)
        plus = graph_of(inner, R(), R())
        _, (slope,) = jvp(b, plus, [x, one], [None, one])
        assert slope is not None
        return [b.emit("mul", x, slope)]

    assert value_and_gradient(graph_of(outer, R()), 1.0) == (1.0, (1.0,))

    def outer_reverse(b: Builder, x: Wire) -> list[Wire]:
        one = b.constant(1.0)
        plus = graph_of(lambda c, u, v: [c.emit("mul", u, c.emit("mul", u, v))], R(), R())
        _, (_, slope) = vjp(b, plus, [x, one], [False, True], [one])
        assert slope is not None
        return [b.emit("mul", x, slope)]  # x · x²

    assert value_and_gradient(graph_of(outer_reverse, R()), 2.0) == (8.0, (12.0,))


def test_derivatives_of_a_power_by_nesting() -> None:
    """The n-th derivative of x⁶, forward and reverse in turns."""
    graph = graph_of(lambda b, x: [b.emit("power", x, exponent=6)], R())
    for order, expected in enumerate((6, 30, 120, 360, 720, 720, 0), 1):

        def turn(b: Builder, x: Wire, graph: Graph = graph, order: int = order) -> list[Wire]:
            one = b.constant(1.0)
            if order % 2:
                (made,) = vjp(b, graph, [x], [True], [one])[1]
            else:
                (made,) = jvp(b, graph, [x], [one])[1]
            return [b.zeros(R()) if made is None else made]

        graph = graph_of(turn, R())
        assert_allclose(lower(optimise(PRIMITIVES, graph), 64)(1.0)[0], expected)


# --- what has a derivative ------------------------------------------------------------------


def test_an_integer_has_no_tangent() -> None:
    graph = graph_of(lambda b, k: [k], ArrayType("Int"))
    with pytest.raises(ValueError, match="no tangent"):
        linearize(Builder(PRIMITIVES), graph, [], [True])


def test_discrete_results_end_a_derivative() -> None:
    def steps(b: Builder, x: Wire) -> list[Wire]:
        positive = b.emit("compare", x, b.constant(0.0), how="gt")
        return [b.emit("convert", positive, kind="R"), positive, x]

    graph = graph_of(steps, R())
    assert reach(graph, [True]) == (False, False, True)
    builder = Builder(PRIMITIVES)
    x = builder.input(R())
    outputs, network = linearize(builder, graph, [x], [True])
    assert len(outputs) == 3
    assert network.codomain == (R(), R())  # the Bool has none
    assert network.apply(builder, [x]) == (None, x)


def test_what_is_not_active_is_only_inlined() -> None:
    def both(b: Builder, x: Wire, y: Wire) -> list[Wire]:
        return [b.emit("tanh", b.emit("tanh", y)), b.emit("sin", x)]

    builder = Builder(PRIMITIVES)
    inputs = [builder.input(R()), builder.input(R())]
    outputs, network = linearize(builder, graph_of(both, R(), R()), inputs, [True, False])
    assert len(network.parts) == 1
    assert [n.operation.primitive.name for n in builder.finish(outputs).nodes] == [
        "tanh", "tanh", "sin",
    ]  # fmt: skip


def test_parts_that_reach_no_output_are_dropped() -> None:
    inner = Builder(PRIMITIVES)
    x = inner.input(R())
    dead = inner.producer(inner.emit("tanh", x))
    assert dead is not None
    graph = Graph((x,), (dead,), (x,))  # a hand-made graph may hold a dead node
    builder = Builder(PRIMITIVES)
    assert linearize(builder, graph, [builder.input(R())], [True])[1].parts == ()


def test_sharing_keeps_the_gradient_small() -> None:
    """x ↦ f (f … x), f x = x · tanh x: the nodes of the gradient grow linearly."""

    def tower(levels: int) -> Graph:
        def build(b: Builder, x: Wire) -> list[Wire]:
            for _ in range(levels):
                x = b.emit("mul", x, b.emit("tanh", x))
            return [x]

        return graph_of(build, R(2))

    sizes = [
        len(optimise(PRIMITIVES, gradient_graph(PRIMITIVES, tower(n), [True])).nodes)
        for n in (10, 20, 40)
    ]
    assert sizes[2] - sizes[1] == 2 * (sizes[1] - sizes[0])


# --- the branch not taken ---------------------------------------------------------------------


def safe_log(b: Builder, w: Wire, x: Wire) -> Wire:
    """if x > 0 then w · log x else w · x, whose other branch is not finite."""
    positive = b.emit("compare", x, b.constant(0.0), how="gt")
    branches = []
    for name in ("identity", "log"):
        child = Builder(PRIMITIVES)
        u, v = child.input(R()), child.input(R())
        value = child.emit("log", v) if name == "log" else v
        branches.append(child.finish([child.emit("mul", u, value)]))
    return b.add(Choose(tuple(branches)), [positive, w, x])[0]


POINTS = numpy.array([2.0, 0.0, -3.0, 0.5])


def test_the_branch_not_taken_contributes_nothing() -> None:
    graph = scalar(safe_log, 2)
    for x in POINTS:
        value, (dw, dx) = value_and_gradient(graph, 1.5, x)
        expected = (log(x), 1.5 / x) if x > 0 else (x, 1.5)
        assert_allclose((value, dw, dx), (1.5 * expected[0], *expected))


def batch_of_choices() -> Graph:
    """The same for every element of a batch, with one weight for all."""
    builder = Builder(PRIMITIVES)
    w, xs = builder.input(R()), builder.input(R(4))
    child = builder.child()
    x = child.input(R())
    body = child.finish([safe_log(child, child.own(w), x)])
    ys = builder.add(Map(body, 1, 4), [*child.captured, xs])
    return builder.finish(ys)


@pytest.mark.parametrize("before", [False, True], ids=["as it stands", "vectorised before"])
@pytest.mark.parametrize("after", [False, True], ids=["as it stands", "optimised after"])
def test_in_a_batch_too_the_branch_not_taken_contributes_nothing(before: bool, after: bool) -> None:
    graph = batch_of_choices()
    graph = vectorise(PRIMITIVES, graph) if before else graph
    gradient = gradient_graph(PRIMITIVES, graph, [True, True])
    gradient = optimise(PRIMITIVES, gradient) if after else gradient
    ys, dw, dx = lower(gradient, 64)(1.5, POINTS, numpy.ones(4))
    expected = numpy.where(POINTS > 0, numpy.log(numpy.maximum(POINTS, 1e-3)), POINTS)
    assert_allclose(ys, 1.5 * expected)
    assert_allclose(dw, expected.sum())
    slopes = [1.5 / x if x > 0 else 1.5 for x in POINTS]
    assert_allclose(dx, slopes)


def test_tangents_of_the_branch_not_taken_contribute_nothing() -> None:
    graph = vectorise(PRIMITIVES, batch_of_choices())
    builder = Builder(PRIMITIVES)
    w, xs = builder.input(R()), builder.input(R(4))
    one = builder.constant(1.0)
    ones = builder.emit("broadcast", one, shape=(4,), axes=())
    _, (tangent,) = jvp(builder, graph, [w, xs], [one, ones])
    assert tangent is not None
    made = optimise(PRIMITIVES, builder.finish([tangent]))
    (found,) = lower(made, 64)(1.5, POINTS)
    expected = [log(x) + 1.5 / x if x > 0 else x + 1.5 for x in POINTS]
    assert_allclose(found, expected)


def test_a_choice_over_a_batch_is_differentiated_before_it_is_resolved() -> None:
    graph = graph_of(lambda b, x: [x], R(4))
    builder = Builder(PRIMITIVES)
    c, x = builder.input(ArrayType("Bool", (4,))), builder.input(R(4))
    batch = builder.finish(builder.add(Choose((graph, graph)), [c, x]))
    with pytest.raises(ValueError, match="linearize first"):
        gradient_graph(PRIMITIVES, batch, [False, True])


# --- what a loop keeps ------------------------------------------------------------------------


def recurrent(length: int, outputs: bool = True) -> Graph:
    """h ↦ tanh (W h + U x + b), all states as outputs."""
    builder = Builder(PRIMITIVES)
    weights = [builder.input(R(2, 2), name) for name in "WU"]
    bias, state, xs = (builder.input(type) for type in (R(2), R(2), R(length, 2)))
    child = builder.child()
    h, x = child.input(R(2)), child.input(R(2))
    terms = [
        child.emit("contract", w, v, left=(0, 1), right=(1,), out=(0,))
        for w, v in zip(weights, (h, x), strict=True)
    ]
    total = child.emit("add", child.emit("add", *terms), bias)
    after = child.emit("tanh", total)
    body = child.finish([after, after] if outputs else [after])
    return builder.finish(
        builder.add(Loop(body, len(child.captured), 1, length), [*child.captured, state, xs])
    )


def loops(graph: Graph) -> list[tuple[Node, Loop]]:
    return [(n, n.operation) for n in graph.nodes if isinstance(n.operation, Loop)]


def test_a_recurrent_cell_keeps_its_states_and_nothing_twice() -> None:
    """W† needs the state before, tanh′ the state after, U† the element: the states are
    stacked as outputs already, the elements are there."""
    builder = Builder(PRIMITIVES)
    graph = recurrent(5)
    inputs = [builder.input(wire.type) for wire in graph.inputs]
    outputs, network = linearize(builder, graph, inputs, [True] * len(inputs))
    (part,) = network.parts
    assert isinstance(part.map, Recurrence)
    ((node, loop),) = loops(builder.finish([*outputs, *part.map.fixed]))
    assert len(node.outputs) == 3  # last state, states after, states before
    assert loop.carried == 1
    assert set(part.map.stacked) == {*node.outputs[1:], inputs[-1]}
    assert set(part.map.shared) <= set(inputs)


def test_a_cheap_wire_is_made_again_and_not_kept() -> None:
    """Of b broadcast to a matrix, of y and of y² - b, only b and y are kept."""
    builder = Builder(PRIMITIVES)
    b, x = builder.input(R(3)), builder.input(R(4, 3))
    wide = builder.emit("broadcast", b, shape=(4, 3), axes=(1,))
    y = builder.emit("tanh", x)
    square = builder.emit("mul", y, y)
    slope = builder.emit("subtract", square, wide)
    kept = keep(builder, [wide, slope, y], free={b})
    assert kept == (b, y)
    again = prologue(builder, kept, [wide, slope, y])
    names = [n.operation.primitive.name for n in again.nodes if isinstance(n.operation, Call)]
    assert sorted(names) == ["broadcast", "mul", "subtract"]


def test_the_least_is_kept() -> None:
    """A sum is kept rather than both of its terms; both terms rather than five sums."""
    builder = Builder(PRIMITIVES)
    x, y = (builder.emit("exp", builder.input(R(100))) for _ in range(2))
    total = builder.emit("add", x, y)
    assert keep(builder, [total], free=()) == (total,)
    several = [builder.emit("mul", total, builder.emit("add", total, x)), x, y, total]
    assert set(keep(builder, several, free=())) == {x, y}
    assert keep(builder, several, free={x, y}) == (x, y)


def test_constants_of_a_body_are_made_again() -> None:
    builder = Builder(PRIMITIVES)
    xs = builder.input(R(4, 2))
    child = builder.child()
    x = child.input(R(2))
    doubled = child.emit("mul", x, child.constant([2.0, 3.0]))
    graph = builder.finish(builder.add(Map(child.finish([doubled]), 0, 4), [xs]))
    outer = Builder(PRIMITIVES)
    given = outer.input(R(4, 2))
    _, network = linearize(outer, graph, [given], [True])
    (part,) = network.parts
    assert isinstance(part.map, MapL)
    assert part.map.fixed == ()
    (made,) = part.map.adjoint().apply(outer, [given])
    assert made is not None
    value = numpy.arange(8.0).reshape(4, 2)
    assert_allclose(lower(outer.finish([made]), 64)(value)[0], value * [2, 3])


@pytest.mark.parametrize("length", [0, 1, 2, 7])
@pytest.mark.parametrize("outputs", [False, True])
def test_a_loop_of_any_length_has_the_gradient_of_jax(length: int, outputs: bool) -> None:
    graph = recurrent(length, outputs)
    random = numpy.random.default_rng(length)
    arguments = [random.normal(size=w.type.shape) for w in graph.inputs]
    cotangents = [random.normal(size=w.type.shape) for w in graph.outputs]
    values, pullback = jax.vjp(lower(graph, 64), *map(jax.numpy.asarray, arguments))
    expected = [*values, *pullback(tuple(map(jax.numpy.asarray, cotangents)))]
    gradient = gradient_graph(PRIMITIVES, graph, [True] * len(arguments))
    for made in (gradient, optimise(PRIMITIVES, gradient)):
        for found, wanted in zip(lower(made, 64)(*arguments, *cotangents), expected, strict=True):
            assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


# --- every kind of node -------------------------------------------------------------------------


class Unknown:
    """An operation that no pass has heard of."""


def test_an_unknown_operation_is_an_explicit_failure() -> None:
    x, y = Wire(R()), Wire(R())
    node = Node(Unknown(), (x,), (y,))  # type: ignore[arg-type]
    graph = Graph((x,), (node,), (y,))
    builder = Builder(PRIMITIVES)
    outer = builder.input(R())
    with pytest.raises(AssertionError, match="no operation of a graph"):
        linearize(builder, graph, [outer], [True])
    with pytest.raises(AssertionError, match="no derivative"):
        reach(graph, [True])
