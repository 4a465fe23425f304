"""Matrix, diagonal, trace and solution against the map applied to a basis in numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nnfp_kernel.graph.graph import ArrayType, Builder, Graph, Wire
from nnfp_kernel.graph.primitive import Step
from nnfp_kernel.graph.rewrite import optimise
from nnfp_kernel.linear import structure
from nnfp_kernel.linear.differentiate import linearize
from nnfp_kernel.linear.maps import (
    Add,
    ChooseL,
    DirectSum,
    Dup,
    Identity,
    Inject,
    LinearMap,
    MapL,
    Network,
    Pair,
    Project,
    Recurrence,
    Scale,
    Section,
    Zero,
    filled,
    section,
)
from nnfp_kernel.linear.structure.sparse import entries
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower


def R(*shape: int) -> ArrayType:
    return ArrayType("R", shape)


Making = Callable[[Builder, Callable[[ArrayType], Wire]], LinearMap]


def diag(builder: Builder, factor: Wire) -> Section:
    return section(PRIMITIVES, Step("mul", {}, 0, (factor,)), factor.type)


def matmul(matrix: Wire) -> Section:
    labels = {"left": (0, 1), "right": (1,), "out": (0,)}
    return section(PRIMITIVES, Step("contract", labels, 1, (matrix,)), R(matrix.type.shape[1]))


def network(builder: Builder, wire: Callable[[ArrayType], Wire], entry: bool) -> Network:
    """The derivative of x ↦ tanh x * x (entry by entry) or of x ↦ sum x * x."""
    inner = Builder(PRIMITIVES)
    x = inner.input(R(3))
    y = inner.emit("tanh", x)
    if not entry:
        total = inner.emit("sum", x, axes=(0,))
        y = inner.emit("broadcast", total, shape=(3,), axes=())
    graph = inner.finish([inner.emit("mul", x, y)])
    return linearize(builder, graph, [wire(R(3))], [True])[1]


SQUARE: dict[str, Making] = {
    "identity": lambda b, w: Identity((R(2), R(2, 2))),
    "scalar": lambda b, w: diag(b, w(R())),
    "diagonal": lambda b, w: diag(b, w(R(2, 3))),
    "scale": lambda b, w: Scale(w(R()), (R(3), R())),
    "matrix": lambda b, w: matmul(w(R(3, 3))),
    "composition": lambda b, w: diag(b, w(R(3))) >> matmul(w(R(3, 3))) >> diag(b, w(R(3))),
    "diagonals": lambda b, w: diag(b, w(R(3))) >> diag(b, w(R(3))),
    "sum": lambda b, w: diag(b, w(R(3))) + matmul(w(R(3, 3))),
    "direct sum": lambda b, w: DirectSum((diag(b, w(R(2))), matmul(w(R(2, 2))))),
    "entry by entry": lambda b, w: network(b, w, True),
    "derivative": lambda b, w: network(b, w, False),
}
OTHER: dict[str, Making] = {
    "wide": lambda b, w: matmul(w(R(2, 5))),
    "tall": lambda b, w: matmul(w(R(4, 2))),
    "pair": lambda b, w: Pair((matmul(w(R(2, 3))), Identity((R(3),)))),
    "projection": lambda b, w: Project((R(2), R(), R(3)), 1, 3),
    "injection": lambda b, w: Inject((R(2), R(), R(3)), 1, 3),
    "dup": lambda b, w: Dup((R(2),), 3),
    "add": lambda b, w: Add((R(2),), 3),
    "zero": lambda b, w: Zero((R(2),), (R(2, 2),)),
    "nothing": lambda b, w: matmul(w(R(0, 3))),
    "tensor": lambda b, w: section(
        PRIMITIVES,
        Step("contract", {"left": (0, 1), "right": (1, 2), "out": (2, 0)}, 0, (w(R(2, 3)),)),
        R(4, 2),
    ),
}
EVERY = {**SQUARE, **OTHER}


def evaluated(
    make: Making, seed: int, use: Callable[[Builder, LinearMap], Sequence[Wire]]
) -> tuple[list, LinearMap, Graph, list]:
    builder = Builder(PRIMITIVES)
    random = numpy.random.default_rng(seed)
    arguments: list[numpy.ndarray] = []

    def wire(type: ArrayType) -> Wire:
        array = random.normal(size=type.shape)
        if type.rank == 2 and type.shape[0] == type.shape[1]:
            array = array + 3 * numpy.eye(type.shape[0])  # well conditioned
        arguments.append(array)
        return builder.input(type)

    map = make(builder, wire)
    graph = builder.finish(use(builder, map))
    results = lower(optimise(PRIMITIVES, graph), 64)(*arguments)
    return list(results), map, graph, arguments


def dense(make: Making, seed: int) -> numpy.ndarray:
    """The matrix of all entries, column by column."""
    columns = []
    builder = Builder(PRIMITIVES)
    map = make(builder, builder.input)
    for k in range(sum(type.size for type in map.domain)):

        def use(builder: Builder, map: LinearMap, k: int = k) -> Sequence[Wire]:
            basis = numpy.zeros(sum(type.size for type in map.domain))
            basis[k] = 1
            vectors, start = [], 0
            for type in map.domain:
                part = basis[start : start + type.size].reshape(type.shape)
                vectors.append(builder.constant(part))
                start += type.size
            return filled(builder, map.apply(builder, vectors), map.codomain)

        results, *_ = evaluated(make, seed, use)
        columns.append(numpy.concatenate([numpy.ravel(r) for r in results] or [numpy.zeros(0)]))
    rows = sum(type.size for type in map.codomain)
    return numpy.array(columns).reshape(len(columns), rows).T


every = pytest.mark.parametrize("name", EVERY)
square = pytest.mark.parametrize("name", SQUARE)
seeds = st.integers(0, 1000)


@every
def test_the_matrix_is_the_map_on_a_basis(name: str) -> None:
    (found,), map, *_ = evaluated(EVERY[name], 1, lambda b, m: [structure.matrix(b, m)])
    sides = (map.codomain, map.domain)
    axes = [t[0].shape if len(t) == 1 else (sum(x.size for x in t),) for t in sides]
    assert found.shape == (*axes[0], *axes[1])
    expected = dense(EVERY[name], 1)
    assert_allclose(numpy.reshape(found, expected.shape), expected, atol=1e-12)


@square
def test_the_diagonal_is_that_of_the_matrix(name: str) -> None:
    found, map, *_ = evaluated(SQUARE[name], 2, structure.diagonal)
    assert [wire.shape for wire in found] == [type.shape for type in map.domain]
    flat = numpy.concatenate([numpy.ravel(f) for f in found])
    assert_allclose(flat, numpy.diag(dense(SQUARE[name], 2)), atol=1e-12)


@square
def test_the_trace_is_that_of_the_matrix(name: str) -> None:
    (found,), *_ = evaluated(SQUARE[name], 3, lambda b, m: [structure.trace(b, m)])
    assert_allclose(found, numpy.trace(dense(SQUARE[name], 3)), atol=1e-12)


@square
@settings(max_examples=8)
@given(seed=seeds)
def test_the_solution_is_mapped_to_the_image(name: str, seed: int) -> None:
    random = numpy.random.default_rng(seed + 1)

    def use(builder: Builder, map: LinearMap) -> Sequence[Wire]:
        image = [builder.constant(random.normal(size=type.shape)) for type in map.codomain]
        solution = structure.solve(builder, map, image)
        again = filled(builder, map.apply(builder, solution), map.codomain)
        return [*again, *image]

    results, *_ = evaluated(SQUARE[name], seed, use)
    count = len(results) // 2
    for found, expected in zip(results[:count], results[count:], strict=True):
        assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "most"), [("diagonals", 12), ("entry by entry", 20), ("scale", 12), ("identity", 10)]
)
def test_structure_spares_the_matrix(name: str, most: int) -> None:
    """Diagonal and solution of an entrywise map are made of its factors: no array in the
    graph has more entries than the space."""

    def use(builder: Builder, map: LinearMap) -> Sequence[Wire]:
        image = [builder.input(type) for type in map.codomain]
        return [*structure.diagonal(builder, map), *structure.solve(builder, map, image)]

    builder = Builder(PRIMITIVES)
    map = SQUARE[name](builder, builder.input)
    graph = builder.finish(use(builder, map))
    size = sum(type.size for type in map.domain)
    assert all(wire.type.size <= size for node in graph.walk() for wire in node.outputs)
    assert len(graph.nodes) <= most


def test_a_map_between_different_spaces_has_no_diagonal_and_no_solution() -> None:
    builder = Builder(PRIMITIVES)
    wide = matmul(builder.input(R(2, 5)))
    with pytest.raises(ValueError, match="no diagonal"):
        structure.diagonal(builder, wide)
    with pytest.raises(ValueError, match="no solution"):
        structure.solve(builder, wide, [builder.input(R(2))])


def test_every_kind_of_map_is_asked_for_its_structure() -> None:
    """A new class of linear maps without a case fails here, not in a user's program."""
    classes = LinearMap.__subclasses__()
    assert {Network, MapL, Recurrence, ChooseL, Section} <= set(classes)

    # A class of maps that nobody has thought of: abstract methods are there, never called.
    nothing = {"domain": (), "codomain": ()}
    unknown = type(
        "Unknown", (LinearMap,), {**dict.fromkeys(LinearMap.__abstractmethods__), **nothing}
    )
    with pytest.raises(AssertionError, match="no structure"):
        entries(unknown())
