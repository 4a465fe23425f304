"""Every structure with every operation: the value against that of the dense matrix, and how the
count of operations grows with the size of the map, against what it must cost.

A column of the table says with which power of the size n an operation may grow; what a map
of that structure does not have (a determinant, where it is singular) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy
import pytest
from numpy.testing import assert_allclose

from nnfp_kernel.graph.counts import count
from nnfp_kernel.graph.graph import ArrayType, Builder, Graph, Loop, Wire
from nnfp_kernel.graph.primitive import Step
from nnfp_kernel.graph.rewrite import optimise
from nnfp_kernel.linear import structure
from nnfp_kernel.linear.differentiate import linearize
from nnfp_kernel.linear.maps import (
    DirectSum,
    Identity,
    LinearMap,
    Scale,
    Section,
    Sum,
    Zero,
    compose,
    filled,
    section,
)
from nnfp_kernel.linear.structure import cost
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower

RANK, BLOCK = 2, 3

New = Callable[..., Wire]  # a new input of a shape
Operation = Callable[[Builder, LinearMap], Sequence[Wire]]


def R(*shape: int) -> ArrayType:
    return ArrayType("R", shape)


def step(
    name: str, domain: ArrayType, place: int = 0, fixed: Sequence[Wire] = (), **more
) -> Section:
    return section(PRIMITIVES, Step(name, more, place, tuple(fixed)), domain)


def matmul(matrix: Wire) -> LinearMap:
    labels = {"left": (0, 1), "right": (1,), "out": (0,)}
    return step("contract", R(matrix.type.shape[1]), 1, (matrix,), **labels)


def diagonal(line: Wire) -> LinearMap:
    return step("mul", line.type, 0, (line,))


def shifted(n: int, by: int) -> LinearMap:
    low, high = max(by, 0), max(-by, 0)
    pad = step("pad", R(n), axis=0, low=low, high=high, interior=0)
    return compose(pad, step("slice", R(n + abs(by)), axis=0, start=high, stop=high + n, stride=1))


def band(n: int, new: New, lower: int = 1, upper: int = 1) -> LinearMap:
    terms = [
        compose(shifted(n, by), diagonal(new(n)))
        for by in (*range(-upper, 0), *range(1, lower + 1))
    ]
    return Sum((diagonal(new(n)), *terms))


def blocks(n: int, new: New) -> LinearMap:
    count = n // BLOCK
    shaped = step("reshape", R(n), shape=(count, BLOCK))
    labels = {"left": (0, 1, 2), "right": (0, 2), "out": (0, 1)}
    each = step("contract", R(count, BLOCK), 1, (new(count, BLOCK, BLOCK),), **labels)
    return compose(shaped, each, step("reshape", R(count, BLOCK), shape=(n,)))


def kronecker(n: int, new: New) -> LinearMap:
    """X ↦ A X B on the entries of a square matrix."""
    side = round(n**0.5)
    labels = {"left": (0, 1), "right": (1, 2), "out": (0, 2)}
    grid = R(side, side)
    return compose(
        step("reshape", R(n), shape=(side, side)),
        step("contract", grid, 1, (new(side, side),), **labels),
        step("contract", grid, 0, (new(side, side),), **labels),
        step("reshape", grid, shape=(n,)),
    )


def thin(n: int, new: New) -> LinearMap:
    return compose(matmul(new(RANK, n)), matmul(new(n, RANK)))


def cycle(n: int) -> LinearMap:
    """The last entry in front of the others."""
    return compose(
        step("pad", R(n), axis=0, low=1, high=0, interior=0),
        step("slice", R(n + 1), axis=0, start=0, stop=n, stride=1),
    ) + compose(
        step("slice", R(n), axis=0, start=n - 1, stop=n, stride=1),
        step("pad", R(1), axis=0, low=0, high=n - 1, interior=0),
    )


def recurrence(builder: Builder, length: int, new: New, *, states: bool) -> LinearMap:
    """The derivative of sₜ = tanh (W sₜ₋₁ + xₜ) in all xₜ, or in s₀."""
    inner, body = Builder(PRIMITIVES), Builder(PRIMITIVES)
    weight, state, x = body.input(R(BLOCK, BLOCK)), body.input(R(BLOCK)), body.input(R(BLOCK))
    moved = body.emit("contract", weight, state, left=(0, 1), right=(1,), out=(0,))
    after = body.emit("tanh", body.emit("add", moved, x))
    loop = Loop(body.finish([after, after]), 1, 1, length)
    inputs = [inner.input(type) for type in (R(BLOCK, BLOCK), R(BLOCK), R(length * BLOCK))]
    lines = inner.emit("reshape", inputs[2], shape=(length, BLOCK))
    last, each = inner.add(loop, [*inputs[:2], lines])
    out = last if states else inner.emit("reshape", each, shape=(length * BLOCK,))
    given = [new(*wire.type.shape) for wire in inputs]
    active = [False, states, not states]
    return linearize(builder, inner.finish([out]), given, active)[1]


@dataclass(frozen=True)
class Row:
    """A structure, and how each operation on it may grow: the powers of n."""

    make: Callable[[Builder, int, New], LinearMap]
    grows: dict[str, float]
    sizes: tuple[int, int] = (60, 120)
    small: int = 12


def row(
    make: Callable[[Builder, int, New], LinearMap], *, sizes: tuple[int, int] = (60, 120),
    small: int = 12, **grows: float,
) -> Row:  # fmt: skip
    return Row(make, grows, sizes, small)


# Linear in every operation that does not write the matrix down.
LEAST = {
    "matrix": 2, "diagonal": 1, "trace": 1, "logdet": 1, "solve": 1, "inverse": 1, "norm": 1,
    "operatorNorm": 1, "spectrum": 1,
}  # fmt: skip
SINGULAR = {name: power for name, power in LEAST.items() if name not in ("solve", "inverse")}

TABLE: dict[str, Row] = {
    "zero": row(lambda b, n, new: Zero((R(n),), (R(n),)), **SINGULAR),
    "identity": row(lambda b, n, new: Identity((R(n),)), **LEAST),
    "scaling": row(lambda b, n, new: Scale(new(), (R(n),)), **LEAST),
    "diagonal": row(lambda b, n, new: diagonal(new(n)), **LEAST),
    "permutation": row(lambda b, n, new: cycle(n), **LEAST),
    "permutation with numbers": row(
        lambda b, n, new: compose(cycle(n), diagonal(new(n))), **LEAST
    ),
    "banded": row(
        lambda b, n, new: band(n, new), **LEAST | {"operatorNorm": 3, "spectrum": 3}, small=16
    ),
    "triangular": row(
        lambda b, n, new: band(n, new, n // 2, 0), matrix=2, diagonal=2, trace=2, logdet=2,
        solve=2, inverse=2, norm=2, operatorNorm=3, spectrum=2,
    ),
    "block diagonal": row(lambda b, n, new: blocks(n, new), **LEAST | {"operatorNorm": 3}),
    "direct sum": row(
        lambda b, n, new: DirectSum((diagonal(new(n // 2)), Scale(new(), (R(n // 2),)))), **LEAST
    ),
    "Kronecker": row(
        lambda b, n, new: kronecker(n, new),
        **LEAST | {"logdet": 1.5, "solve": 1.5, "inverse": 1.5, "operatorNorm": 1.5,
                   "spectrum": 1.5},
        sizes=(64, 256), small=9,
    ),
    "low rank": row(lambda b, n, new: thin(n, new), **SINGULAR),
    "scaling plus low rank": row(
        lambda b, n, new: Scale(new(), (R(n),)) + thin(n, new),
        **LEAST | {"norm": 2, "operatorNorm": 3},
    ),
    "diagonal plus low rank": row(
        lambda b, n, new: diagonal(new(n)) + thin(n, new),
        **LEAST | {"norm": 2, "operatorNorm": 3, "spectrum": 3},
    ),
    "a product with a Kronecker product": row(
        lambda b, n, new: compose(diagonal(new(n)), kronecker(n, new)),
        **LEAST | {"diagonal": 2, "trace": 2, "norm": 2, "logdet": 1.5, "solve": 1.5,
                   "inverse": 1.5, "operatorNorm": 3, "spectrum": 3, "matrix": 2},
        sizes=(64, 256), small=9,
    ),
    "a product with a permutation": row(
        lambda b, n, new: compose(cycle(n), diagonal(new(n)), matmul(new(n, n))),
        **LEAST | {"diagonal": 2, "trace": 2, "norm": 2, "logdet": 3, "solve": 3, "inverse": 3,
                   "operatorNorm": 3, "spectrum": 3},
    ),
    "recurrence": row(
        lambda b, n, new: recurrence(b, n // BLOCK, new, states=False),
        **LEAST | {"norm": 2, "operatorNorm": 3},
    ),
    # Of a state of one size, n is the number of steps.
    "recurrence of a state": row(
        lambda b, n, new: recurrence(b, n, new, states=True),
        matrix=1, diagonal=1, trace=1, logdet=1, solve=1, inverse=1, norm=1, operatorNorm=1,
        spectrum=1, small=4,
    ),
}  # fmt: skip


def counting(builder: Builder, types: Sequence[ArrayType]) -> list[Wire]:
    """A vector to solve for: 0, 1, 2, … in every array."""
    indices = [builder.emit("iota", size=type.size) for type in types]
    return [builder.emit("convert", wire, kind="R") for wire in indices]


def solved(builder: Builder, map: LinearMap) -> Sequence[Wire]:
    return structure.solve(builder, map, counting(builder, map.codomain))


def inverted(builder: Builder, map: LinearMap) -> Sequence[Wire]:
    """L⁻¹ᵀ at a vector."""
    inverse = structure.Inverse(map).adjoint()
    images = inverse.apply(builder, counting(builder, inverse.domain))
    return filled(builder, images, inverse.codomain)


OPERATIONS: dict[str, Operation] = {
    "matrix": lambda b, m: [structure.matrix(b, m)],
    "diagonal": structure.diagonal,
    "trace": lambda b, m: [structure.trace(b, m)],
    "logdet": lambda b, m: [structure.logdet(b, m)],
    "solve": solved,
    "inverse": inverted,
    "norm": lambda b, m: [structure.norm(b, m)],
    "operatorNorm": lambda b, m: [structure.operator_norm(b, m)],
    "spectrum": lambda b, m: [structure.spectrum(b, m)],
}


def graph_of(row: Row, size: int, use: Operation) -> Graph:
    builder = Builder(PRIMITIVES)

    def new(*shape: int) -> Wire:
        return builder.input(R(*shape))

    return builder.finish(use(builder, row.make(builder, size, new)))


def whole(builder: Builder, wires: Sequence[Wire]) -> Wire:
    """A product's arrays, end to end."""
    return wires[0] if len(wires) == 1 else builder.emit("concat", *wires, axis=0)


@pytest.mark.parametrize("name", TABLE)
def test_every_operation_is_the_one_on_the_dense_matrix(name: str) -> None:
    row = TABLE[name]
    random = numpy.random.default_rng(len(name))

    def use(builder: Builder, map: LinearMap) -> Sequence[Wire]:
        found = [whole(builder, OPERATIONS[each](builder, map)) for each in row.grows]
        found.append(whole(builder, counting(builder, map.domain)))
        for k in range(found[-1].type.size):
            unit, cut = builder.constant(numpy.eye(found[-1].type.size)[k]), []
            for type in map.domain:
                start = sum(each.type.size for each in cut)
                stop = start + type.size
                cut.append(builder.emit("slice", unit, axis=0, start=start, stop=stop, stride=1))
            images = filled(builder, map.apply(builder, cut), map.codomain)
            found.append(whole(builder, images))
        return found

    graph = graph_of(row, row.small, use)
    arrays = [random.normal(size=wire.type.shape) for wire in graph.inputs]
    results = [numpy.asarray(each) for each in lower(graph, 64)(*arrays)]
    found = dict(zip(row.grows, results, strict=False))
    image, *columns = results[len(found) :]
    dense = numpy.array(columns).T
    assert_allclose(found["matrix"].reshape(dense.shape), dense, atol=1e-12)
    assert_allclose(found["diagonal"], numpy.diag(dense), atol=1e-12)
    assert_allclose(found["trace"], numpy.trace(dense), atol=1e-12)
    assert_allclose(found["norm"], numpy.linalg.norm(dense), atol=1e-12)
    assert_allclose(found["operatorNorm"], numpy.linalg.norm(dense, 2), rtol=1e-9, atol=1e-12)
    assert_same(found["spectrum"], numpy.linalg.eigvals(dense))
    if "solve" not in found:
        assert found["logdet"] == -numpy.inf
        return
    assert_allclose(found["logdet"], numpy.linalg.slogdet(dense)[1], rtol=1e-8, atol=1e-10)
    assert_allclose(dense @ found["solve"], image, rtol=1e-7, atol=1e-7)
    assert_allclose(dense.T @ found["inverse"], image, rtol=1e-7, atol=1e-7)


def assert_same(found: numpy.ndarray, expected: numpy.ndarray) -> None:
    """As sets, whatever their order."""
    left = list(expected)
    for each in found:
        near = min(range(len(left)), key=lambda k: abs(left[k] - each))
        assert_allclose(left.pop(near), each, atol=1e-7)
    assert not left


@pytest.mark.parametrize("name", TABLE)
def test_an_operation_costs_what_it_must(name: str) -> None:
    """Between two sizes the operations grow with no more than the power of the table."""
    row = TABLE[name]
    told = {}
    for each, power in row.grows.items():
        small, large = (
            count(optimise(PRIMITIVES, graph_of(row, size, OPERATIONS[each]))).total.operations
            for size in row.sizes
        )
        ratio = row.sizes[1] / row.sizes[0]
        if large > 1.2 * small * ratio**power + 10:
            told[each] = (small, large, power)
    assert not told


FORMULAS = {
    "matrix": cost.matrix, "diagonal": cost.diagonal, "trace": cost.diagonal,
    "logdet": cost.logdet, "solve": cost.solve, "norm": cost.norm,
    "operatorNorm": cost.operator_norm, "spectrum": cost.spectrum,
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_what_is_foretold_is_what_is_counted(name: str) -> None:
    """The formulas that choose between readings, and that `--structure` shows, leave out lower
    orders: they are right within a factor of a few."""
    row = TABLE[name]
    size = row.sizes[1]
    told = {}
    for each, formula in FORMULAS.items():
        if each in row.grows:
            graph = optimise(PRIMITIVES, graph_of(row, size, OPERATIONS[each]))
            counted = count(graph).total.operations
            builder = Builder(PRIMITIVES)
            map = row.make(builder, size, lambda *shape, b=builder: b.input(R(*shape)))
            foretold = formula(structure.recognise(map))
            if not counted / 8 - 20 * size <= foretold <= 8 * counted + 20 * size:
                told[each] = (foretold, counted)
    assert not told
