"""Taylor series and Laplacians in one pass, against JAX's derivatives one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy
import pytest
from numpy.testing import assert_allclose

import nnfp_kernel as nnfp
from nnfp_kernel.graph.graph import ArrayType, Builder, Graph, Wire
from nnfp_kernel.graph.primitive import Primitive, Sample, Step
from nnfp_kernel.linear import jets
from nnfp_kernel.linear.maps import SolveL, Sum, section
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower

CASES = {
    name: next(s for s in primitive.samples if all(type.size for type in s.types))
    for name, primitive in PRIMITIVES.items()
    if primitive.kind != "discrete"
    and any(type.differentiable for s in primitive.samples for type in s.types)
}

# Of these derivatives take long to compile: fewer orders, and no Laplacian.
HEAVY = {
    "expm", "logm", "sqrtm", "frechet", "svdU", "svdV", "svdValues", "qrQ", "qrR", "eighVectors",
    "eighValues",
}  # fmt: skip


def one_call(primitive: Primitive, sample: Sample) -> Graph:
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(type) for type in sample.types]
    return builder.finish([builder.emit(primitive.name, *inputs, **sample.parameters)])


def entries(graph: Graph, sample: Sample, seed: int) -> list[Any]:
    random = numpy.random.default_rng(seed)
    found = []
    for wire in graph.inputs:
        shape, kind = wire.type.shape, wire.type.kind
        if kind == "Bool":
            found.append(random.integers(0, 2, shape).astype(bool))
        elif kind == "Int":
            found.append(random.integers(0, 2, shape))
        else:
            array = random.uniform(sample.low, sample.high, shape)
            if kind == "C":
                array = array + 1j * random.uniform(sample.low, sample.high, shape)
            if len(shape) >= 2 and shape[-1] == shape[-2] and sample.diagonal:
                array = array + sample.diagonal * numpy.eye(shape[-1])
            found.append(array)
    return found


def directions(graph: Graph, seed: int) -> list[Any]:
    random = numpy.random.default_rng(seed + 100)
    return [
        random.normal(size=w.type.shape) * (1 + (1j if w.type.kind == "C" else 0))
        for w in graph.inputs
        if w.type.differentiable
    ]


def filled(builder: Builder, column: Sequence[Wire | None]) -> list[Wire]:
    assert column[0] is not None
    return [wire or builder.zeros(column[0].type) for wire in column]


def series_graph(graph: Graph, order: int) -> Graph:
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(wire.type) for wire in graph.inputs]
    tangents = [builder.input(w.type) if w.type.differentiable else None for w in graph.inputs]
    columns = jets.taylor(builder, graph, inputs, tangents, order)
    return builder.finish([wire for column in columns for wire in filled(builder, column)])


def along(graph: Graph, at: Sequence[Any], moves: Sequence[Any], run: Callable) -> Callable:
    """The graph's outputs on the line through `at`, as a function of a number."""

    def line(t: Any) -> Any:
        steps = iter(moves)
        given = [
            a + t * next(steps) if w.type.differentiable else a
            for a, w in zip(at, graph.inputs, strict=True)
        ]
        return run(*given)

    return line


def by_jax(line: Callable, order: int) -> list[Any]:
    """The coefficients of every output, by derivatives of derivatives."""
    found, factor = [], 1.0
    for n in range(order + 1):
        found.append([numpy.asarray(array) / factor for array in line(0.0)])
        line = lambda t, f=line: jax.jvp(f, (t,), (1.0,))[1]  # noqa: E731
        factor *= n + 1
    return [coefficient for column in zip(*found, strict=True) for coefficient in column]


@pytest.mark.parametrize("name", CASES)
def test_every_primitive_has_its_series(name: str) -> None:
    sample = CASES[name]
    graph = one_call(PRIMITIVES[name], sample)
    at, moves = entries(graph, sample, 0), directions(graph, 0)
    order = 1 if name in HEAVY else 3 if PRIMITIVES[name].kind == "elementwise" else 2
    found = lower(series_graph(graph, order), 64)(*at, *moves)
    expected = by_jax(along(graph, at, moves, lower(graph, 64)), order)
    for ours, theirs in zip(found, expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-7, atol=1e-8 * (1 + numpy.abs(theirs).max()))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, sample in CASES.items()
        if name not in HEAVY and all(type.kind != "C" for type in sample.types)
    ],
)
def test_every_primitive_has_its_laplacian(name: str) -> None:
    sample = CASES[name]
    graph = one_call(PRIMITIVES[name], sample)
    at = entries(graph, sample, 1)
    real = [k for k, wire in enumerate(graph.inputs) if wire.type.differentiable]
    count = 3
    random = numpy.random.default_rng(2)
    seeds = [random.normal(size=(count, *graph.inputs[k].type.shape)) for k in real]
    builder = Builder(PRIMITIVES)
    inputs = [builder.input(wire.type) for wire in graph.inputs]
    given = {k: builder.input(graph.inputs[k].type.over(count)) for k in real}
    ((value, first, second),) = jets.laplacian(
        builder, graph, inputs, [given.get(k) for k in range(len(inputs))], count
    )
    made = builder.finish(
        [value, first or builder.zeros(value.type.over(count)), second or builder.zeros(value.type)]
    )
    _, slopes, total = lower(made, 64)(*at, *seeds)
    every = [
        by_jax(along(graph, at, [seed[k] for seed in seeds], lower(graph, 64)), 2)
        for k in range(count)
    ]
    scale = 1 + numpy.abs(total).max()
    assert_allclose(slopes, [one[1] for one in every], rtol=1e-7, atol=1e-9 * scale)
    assert_allclose(total, sum(2 * one[2] for one in every), rtol=1e-7, atol=1e-8 * scale)


# --- programs ---------------------------------------------------------------------------------

SOURCE = r"""
data Tree = Leaf R | Node Tree Tree

net : R[3] ~> R
net x = sum (tanh (?V @ tanh (?W @ x + ?b)) * exp (?c * x))
  where ?W : R[5,3]
        ?V : R[3,5]
along x = taylor[4] net x [1, -1, 0.5]
curved x = laplacian net x
traced x = trace (hessian net x)
slope x = grad (\x -> laplacian net x) x
learned x = grad (\w -> laplacian (\x -> open net (w, x)) x) (weights net)
nested : R -> (R[4], R[4])
nested x = (derivative (\x -> taylor[3] g x 1) x 1, taylor[3] (\x -> grad g x) x 1)
  where g y = sin (y * y) / (1 + exp y)

loops : R -> (R, R, R[2], R)
loops x = (iterate[3] (\h -> sin (h * x)) x, while (< 5) (\h -> h * h + x) x,
  map (\y -> if y > 1 then y * x * x else sin (x * y)) [0.5, 2],
  fixpoint (\h -> cos (h * x)) 1)
loopSeries x = taylor[3] loops x 1
loopLaplacian x = laplacian loops x
ofTree : Tree -> (R[3], R)
ofTree t = (taylor[2] fed 0.5 1, laplacian fed 0.5)
  where fed a = cata { Leaf x -> tanh (a * x) ; Node l r -> sin (l + a * r) } t
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64, seed=0)
    made.run(SOURCE)
    return made


def test_a_network_has_its_series_and_its_laplacian(session: nnfp.Session) -> None:
    x, v = numpy.array([0.3, -0.2, 0.5]), numpy.array([1.0, -1.0, 0.5])
    weights = session.weights
    call = lambda x: session["net"].apply({"net": weights["net"]}, x)  # noqa: E731
    expected = by_jax(lambda t: [call(x + t * v)], 4)
    assert_allclose(session["along"](x), expected, rtol=1e-10)
    total = numpy.trace(jax.hessian(call)(x))
    assert_allclose(session["curved"](x), total, rtol=1e-10)
    assert_allclose(session["traced"](x), total, rtol=1e-10)
    third = jax.grad(lambda x: jax.numpy.trace(jax.hessian(call)(x)))(x)
    assert_allclose(session["slope"](x), third, rtol=1e-9)

    def by_weights(own: Any) -> Any:
        return jax.numpy.trace(jax.hessian(lambda x: session["net"].apply({"net": own}, x))(x))

    theirs = jax.grad(by_weights)(weights["net"])
    for name, ours in session["learned"](x)["net"].items():
        assert_allclose(ours, theirs[name], rtol=1e-9, atol=1e-12)


def test_series_and_derivatives_nest(session: nnfp.Session) -> None:
    """The series of a derivative is the derivative of the series."""
    one, other = session["nested"](0.7)
    assert_allclose(one, other, rtol=1e-10)


def test_series_go_through_loops_branches_and_fixpoints(session: nnfp.Session) -> None:
    x, step = 0.9, 1e-3
    column = session["loopSeries"](x)
    line = lambda t: jax.tree.leaves(session["loops"](x + t))  # noqa: E731
    ahead, here, behind = line(step), line(0.0), line(-step)
    for series, a, h, b in zip(jax.tree.leaves(column), ahead, here, behind, strict=True):
        assert series.shape[0] == 4
        powers = step ** numpy.arange(4)
        assert_allclose(numpy.tensordot(powers, series, 1), a, rtol=1e-9)
        signs = numpy.array([1, -1, 1, -1]) * powers
        assert_allclose(numpy.tensordot(signs, series, 1), b, rtol=1e-9)
        assert_allclose(series[0], h)
    twice = jax.tree.leaves(session["loopLaplacian"](x))
    for series, second in zip(jax.tree.leaves(column), twice, strict=True):
        assert_allclose(2 * series[2], second, rtol=1e-12)


def test_series_go_through_solutions_found_by_iteration() -> None:
    """Of a self-adjoint map, by conjugate gradients; the coefficients' is not self-adjoint."""
    vector = ArrayType("R", (4,))
    builder = Builder(PRIMITIVES)
    d, b = builder.input(vector), builder.input(vector)
    ones = builder.constant(numpy.ones((4, 4)))
    step = Step("contract", {"left": (0, 1), "right": (1,), "out": (0,)}, 1, (ones,))
    whole = Sum((
        section(PRIMITIVES, Step("mul", {}, 0, (d,)), vector), section(PRIMITIVES, step, vector),
    ))  # fmt: skip
    graph = builder.finish(SolveL(whole, positive=True).apply(builder, [b]))
    random = numpy.random.default_rng(0)
    at, moves = list(random.uniform(1, 2, (2, 4))), list(random.normal(size=(2, 4)))
    found = lower(series_graph(graph, 3), 64)(*at, *moves)

    def dense(d: Any, b: Any) -> Any:
        return [jax.numpy.linalg.solve(jax.numpy.diag(d) + 1, b)]

    for ours, theirs in zip(found, by_jax(along(graph, at, moves, dense), 3), strict=True):
        assert_allclose(ours, theirs, rtol=1e-10)


def test_series_go_through_forests(session: nnfp.Session) -> None:
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    trees = [node(leaf(1.0), node(leaf(0.5), leaf(2.0))), leaf(3.0), node(leaf(0.1), leaf(0.2))]
    together = session["ofTree"](trees)
    for tree, (series, second) in zip(trees, together, strict=True):
        alone, curve = session["ofTree"](tree)
        assert_allclose(series, alone, rtol=1e-12)
        assert_allclose(second, 2 * series[2], rtol=1e-12)
        assert_allclose(second, curve, rtol=1e-12)


def test_the_size_of_a_series_grows_with_the_square_of_its_order() -> None:
    def size(order: int) -> int:
        builder = Builder(PRIMITIVES)
        x = builder.input(CASES["tanh"].types[0])
        y = builder.emit("sin", builder.emit("tanh", builder.emit("mul", x, x)))
        graph = builder.finish([builder.emit("mul", y, builder.emit("exp", y))])
        return len(series_graph(graph, order).nodes)

    assert size(16) < 4.5 * size(8)
    assert size(16) > 2 * size(8)  # not for nothing
