"""Random structured maps: every operation is the one on the dense matrix, real and
complex, and so is its derivative; and what is recognised, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nnfp_kernel import Session
from nnfp_kernel.graph.graph import ArrayType, Builder, Call, Graph, Wire
from nnfp_kernel.graph.primitive import Step
from nnfp_kernel.linear import structure
from nnfp_kernel.linear.differentiate import gradient_graph
from nnfp_kernel.linear.maps import (
    Compose,
    DirectSum,
    Identity,
    LinearMap,
    Scale,
    Sum,
    compose,
    filled,
    section,
)
from nnfp_kernel.linear.structure.forms import Form, Kronecker, Product, Scaling, Sparse, Zero
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower

ROWS, COLUMNS = 2, 3
SIZE = ROWS * COLUMNS

Given = Callable[..., Wire]  # a new input of a shape


def array(kind: str, *shape: int) -> ArrayType:
    return ArrayType(kind, shape)


def step(name: str, domain: ArrayType, position: int = 0, fixed: Sequence[Any] = (), **more: Any):
    return section(PRIMITIVES, Step(name, more, position, tuple(fixed)), domain)


def matmul(matrix: Wire) -> LinearMap:
    labels = {"left": (0, 1), "right": (1,), "out": (0,)}
    domain = array(matrix.type.kind, matrix.type.shape[1])
    return step("contract", domain, 1, (matrix,), **labels)


def beside(kind: str, left: Wire | None, right: Wire | None) -> LinearMap:
    """X ↦ A X, or X ↦ X B, on the entries of a matrix."""
    grid, line = array(kind, ROWS, COLUMNS), array(kind, SIZE)
    into = step("reshape", line, shape=grid.shape)
    back = step("reshape", grid, shape=line.shape)
    if left is not None:
        labels = {"left": (0, 1), "right": (1, 2), "out": (0, 2)}
        return compose(into, step("contract", grid, 1, (left,), **labels), back)
    labels = {"left": (0, 1), "right": (1, 2), "out": (0, 2)}
    return compose(into, step("contract", grid, 0, (right,), **labels), back)


def shifted(kind: str, by: int) -> LinearMap:
    """u ↦ u moved by some places, zero filled."""
    line = array(kind, SIZE)
    if by > 0:
        pad = step("pad", line, axis=0, low=by, high=0, interior=0)
        cut = step("slice", pad.codomain[0], axis=0, start=0, stop=SIZE, stride=1)
        return compose(pad, cut)
    pad = step("pad", line, axis=0, low=0, high=-by, interior=0)
    return compose(pad, step("slice", pad.codomain[0], axis=0, start=-by, stop=SIZE - by, stride=1))


def turned(kind: str) -> LinearMap:
    """The entries of a matrix reversed and transposed: a permutation."""
    line = array(kind, SIZE)
    shaped = step("reshape", line, shape=(ROWS, COLUMNS))
    moved = step("transpose", shaped.codomain[0], permutation=(1, 0))
    back = step("reshape", moved.codomain[0], shape=(SIZE,))
    return compose(step("reverse", line, axis=0), shaped, moved, back)


LEAVES: dict[str, Callable[[str, Given], LinearMap]] = {
    "identity": lambda kind, new: Identity((array(kind, SIZE),)),
    "scaling": lambda kind, new: Scale(new(), (array(kind, SIZE),)),
    "diagonal": lambda kind, new: step("mul", array(kind, SIZE), 0, (new(SIZE),)),
    "turned": lambda kind, new: turned(kind),
    "band": lambda kind, new: Sum(tuple(
        compose(shifted(kind, by), step("mul", array(kind, SIZE), 0, (new(SIZE),)))
        for by in (-1, 1)
    )),
    "dense": lambda kind, new: matmul(new(SIZE, SIZE)),
    "thin": lambda kind, new: compose(matmul(new(1, SIZE)), matmul(new(SIZE, 1))),
    "left": lambda kind, new: beside(kind, new(ROWS, ROWS), None),
    "right": lambda kind, new: beside(kind, None, new(COLUMNS, COLUMNS)),
    "apart": lambda kind, new: compose(
        step("reshape", array(kind, SIZE), shape=(ROWS, COLUMNS)),
        step("contract", array(kind, ROWS, COLUMNS), 1, (new(ROWS, COLUMNS, COLUMNS),),
             left=(0, 1, 2), right=(0, 2), out=(0, 1)),
        step("reshape", array(kind, ROWS, COLUMNS), shape=(SIZE,)),
    ),
}  # fmt: skip

# A recipe: a leaf's name, or ("then", [...]), ("plus", [...]), ("adjoint", recipe).
recipes = st.recursive(
    st.sampled_from(sorted(LEAVES)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["then", "plus"]), st.lists(inner, min_size=2, max_size=3)),
        st.tuples(st.just("adjoint"), inner),
    ),
    max_leaves=4,
)


def made(recipe: Any, kind: str, new: Given) -> LinearMap:
    match recipe:
        case str():
            return LEAVES[recipe](kind, new)
        case ("then", parts):
            return Compose(tuple(made(part, kind, new) for part in parts))
        case ("plus", parts):
            return Sum(tuple(made(part, kind, new) for part in parts))
        case ("adjoint", inner):
            return made(inner, kind, new).adjoint()
    raise AssertionError(recipe)


class Case:
    """A recipe with numbers: its matrix, by numpy, and graphs over its numbers."""

    def __init__(self, recipe: Any, kind: str, seed: int):
        self.recipe, self.kind = recipe, kind
        self.random = numpy.random.default_rng(seed)
        self.arrays: list[numpy.ndarray] = []
        builder = Builder(PRIMITIVES)
        map = made(recipe, kind, self.drawn(builder))
        vector = builder.input(array(kind, SIZE))
        image = filled(builder, map.apply(builder, [vector]), map.codomain)
        function = lower(builder.finish(image), 64)
        columns = [function(*self.arrays, unit)[0] for unit in numpy.eye(SIZE)]
        self.matrix = numpy.array(columns).T

    def drawn(self, builder: Builder) -> Given:
        def new(*shape: int) -> Wire:
            entries = self.random.normal(size=shape)
            if self.kind == "C":
                entries = entries + 1j * self.random.normal(size=shape)
            if len(shape) > 1 and shape[-1] == shape[-2]:
                entries = entries + 3 * numpy.eye(shape[-1])  # well conditioned
            self.arrays.append(entries)
            return builder.input(array(self.kind, *shape))

        return new

    def graph(self, use: Callable[[Builder, LinearMap], Sequence[Wire]]) -> Graph:
        builder = Builder(PRIMITIVES)
        types = iter([array(self.kind, *each.shape) for each in self.arrays])

        def new(*shape: int) -> Wire:
            return builder.input(next(types))

        return builder.finish(use(builder, made(self.recipe, self.kind, new)))

    def run(self, use: Callable[[Builder, LinearMap], Sequence[Wire]]) -> list[numpy.ndarray]:
        return [numpy.asarray(r) for r in lower(self.graph(use), 64)(*self.arrays)]


kinds = st.sampled_from(["R", "C"])
seeds = st.integers(0, 1000)


@settings(max_examples=8, deadline=None)
@given(recipe=recipes, kind=kinds, seed=seeds)
def test_every_operation_is_the_one_on_the_dense_matrix(recipe: Any, kind: str, seed: int) -> None:
    case = Case(recipe, kind, seed)
    dense = case.matrix
    image = case.random.normal(size=SIZE)
    regular = numpy.linalg.cond(dense) < 1e5

    def use(builder: Builder, map: LinearMap) -> Sequence[Wire]:
        found = [structure.matrix(builder, map), *structure.diagonal(builder, map)]
        found.append(structure.trace(builder, map))
        if regular:
            found.append(structure.logdet(builder, map))
            found += structure.solve(builder, map, [builder.constant(image, kind)])
        return found

    matrix, diagonal, trace, *rest = case.run(use)
    scale = 1 + abs(dense).max()
    assert_allclose(matrix, dense, atol=1e-9 * scale)
    assert_allclose(diagonal, numpy.diag(dense), atol=1e-9 * scale)
    assert_allclose(trace, numpy.trace(dense), atol=1e-9 * scale)
    if regular:
        logdet, solution = rest
        assert_allclose(logdet, numpy.linalg.slogdet(dense)[1], atol=1e-8)
        assert_allclose(dense @ solution, image, atol=1e-7)


@settings(max_examples=4, deadline=None)
@given(recipe=recipes, kind=kinds, seed=seeds)
def test_every_operation_has_its_derivative(recipe: Any, kind: str, seed: int) -> None:
    """Of Re(what is found · weights), along a random direction, by finite differences."""
    case = Case(recipe, kind, seed)
    if not case.arrays or numpy.linalg.cond(case.matrix) > 1e3:
        return
    random = case.random
    image = random.normal(size=SIZE)

    def use(builder: Builder, map: LinearMap) -> Sequence[Wire]:
        found = [structure.matrix(builder, map), *structure.diagonal(builder, map)]
        found += [structure.trace(builder, map), structure.logdet(builder, map)]
        found += structure.solve(builder, map, [builder.constant(image, kind)])
        return found

    graph = case.graph(use)
    function = lower(graph, 64)
    cotangents = [random.normal(size=wire.type.shape) for wire in graph.outputs]
    way = [random.normal(size=each.shape) for each in case.arrays]
    together = gradient_graph(PRIMITIVES, graph, [True] * len(case.arrays))
    gradients = lower(together, 64)(*case.arrays, *cotangents)[len(graph.outputs) :]

    def value(by: float) -> float:
        moved = [each + by * along for each, along in zip(case.arrays, way, strict=True)]
        found = function(*moved)
        return float(sum((numpy.real(f) * c).sum() for f, c in zip(found, cotangents, strict=True)))

    expected = (value(1e-6) - value(-1e-6)) / 2e-6
    found = sum((numpy.real(g) * along).sum() for g, along in zip(gradients, way, strict=True))
    assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


ZEROS = 8  # entries of the diagonals below


@pytest.mark.parametrize(
    ("kind", "zeros", "small"), [("R", 2, 0.0), ("C", 2, 0.0), ("R", 1, 1e-12), ("R", 2, 1e-200)]
)
def test_a_diagonal_may_hold_zeros_beside_a_term_of_low_rank(
    kind: str, zeros: int, small: float
) -> None:
    """Woodbury divides by the diagonal: as many of its entries may be 0, or next to it, as
    the rank of the other term; solution, determinant and their derivatives stay right."""
    random = numpy.random.default_rng(zeros)
    given = [random.normal(size=size) for size in (ZEROS, (2, ZEROS), (ZEROS, 2), ZEROS)]
    if kind == "C":
        given = [each + 1j * random.normal(size=each.shape) for each in given]
    line, right, left, image = given
    line[3 : 3 + zeros] *= small
    dense = numpy.diag(line) + left @ right

    def use(builder: Builder) -> Sequence[Wire]:
        d, v, u, b = (builder.input(array(kind, *each.shape)) for each in given)
        map = step("mul", d.type, 0, (d,)) + compose(matmul(v), matmul(u))
        return [structure.logdet(builder, map), *structure.solve(builder, map, [b])]

    builder = Builder(PRIMITIVES)
    graph = builder.finish(use(builder))
    logdet, solution = lower(graph, 64)(*given)
    assert_allclose(logdet, numpy.linalg.slogdet(dense)[1], rtol=1e-9)
    assert_allclose(solution, numpy.linalg.solve(dense, image), rtol=1e-7)

    along = random.normal(size=ZEROS)
    both = gradient_graph(PRIMITIVES, graph, [True] * 4)
    ones = numpy.ones(ZEROS, dense.dtype)
    d_line, *_ = lower(both, 64)(*given, 1.0, 0 * ones)[2:]
    inverse = numpy.linalg.inv(dense)
    # d log |det| = Re tr (A⁻¹ dA); d x = - A⁻¹ dA x
    assert_allclose(
        (numpy.conj(d_line) * along).sum().real, (numpy.diag(inverse) * along).sum().real, rtol=1e-7
    )
    d_line, *_ = lower(both, 64)(*given, 0.0, ones)[2:]
    expected = -(inverse @ (along * solution)).sum().real
    assert_allclose((numpy.conj(d_line) * along).sum().real, expected, rtol=1e-6)


def test_a_permutation_may_hold_zeros_beside_a_term_of_low_rank() -> None:
    random = numpy.random.default_rng(0)
    given = [random.normal(size=size) for size in (ZEROS, (1, ZEROS), (ZEROS, 1), ZEROS)]
    given[0][2] = 0.0
    line, right, left, image = given
    builder = Builder(PRIMITIVES)
    d, v, u, b = (builder.input(array("R", *each.shape)) for each in given)
    turn = step("reverse", d.type, axis=0)
    map = compose(turn, step("mul", d.type, 0, (d,))) + compose(matmul(v), matmul(u))
    graph = builder.finish([structure.logdet(builder, map), *structure.solve(builder, map, [b])])
    dense = line[:, None] * numpy.eye(ZEROS)[::-1] + left @ right
    logdet, solution = lower(graph, 64)(*given)
    assert_allclose(logdet, numpy.linalg.slogdet(dense)[1], rtol=1e-9)
    assert_allclose(solution, numpy.linalg.solve(dense, image), rtol=1e-8)


def test_a_singular_band_is_solved_with_a_term_of_low_rank_beside_it() -> None:
    """By the matrix of both: which way is taken shows at run time."""
    random = numpy.random.default_rng(1)
    given = [random.normal(size=size) for size in (ZEROS, (1, ZEROS), (ZEROS, 1), ZEROS)]
    entries, right, left, image = given
    entries[-1] = 0.0  # the last row of the band
    builder = Builder(PRIMITIVES)
    d, v, u, b = (builder.input(array("R", *each.shape)) for each in given)
    below = compose(_moved(1), step("mul", d.type, 0, (d,)))
    band = step("mul", d.type, 0, (d,)) + below
    map = band + compose(matmul(v), matmul(u))
    graph = builder.finish([structure.logdet(builder, map), *structure.solve(builder, map, [b])])
    dense = entries[:, None] * (numpy.eye(ZEROS) + numpy.eye(ZEROS, k=-1)) + left @ right
    logdet, solution = lower(graph, 64)(*given)
    assert_allclose(logdet, numpy.linalg.slogdet(dense)[1], rtol=1e-9)
    assert_allclose(solution, numpy.linalg.solve(dense, image), rtol=1e-8)
    both = gradient_graph(PRIMITIVES, graph, [True] * 4)
    gradients = lower(both, 64)(*given, 1.0, numpy.zeros(ZEROS))[2:]
    assert all(numpy.isfinite(each).all() for each in gradients)
    assert_allclose(gradients[2], numpy.linalg.inv(dense).T @ right.T, atol=1e-9)


def _moved(by: int) -> LinearMap:
    pad = step("pad", array("R", ZEROS), axis=0, low=by, high=0, interior=0)
    cut = step("slice", array("R", ZEROS + by), axis=0, start=0, stop=ZEROS, stride=1)
    return compose(pad, cut)


def test_more_zeros_than_the_rank_make_up_for_are_a_singular_map() -> None:
    random = numpy.random.default_rng(0)
    given = [random.normal(size=size) for size in (ZEROS, (1, ZEROS), (ZEROS, 1))]
    given[0][2:4] = 0.0
    builder = Builder(PRIMITIVES)
    d, v, u = (builder.input(array("R", *each.shape)) for each in given)
    map = step("mul", d.type, 0, (d,)) + compose(matmul(v), matmul(u))
    (found,) = lower(builder.finish([structure.logdet(builder, map)]), 64)(*given)
    assert found == -numpy.inf


# --- what is recognised -------------------------------------------------------------------


def form(recipe: Any, kind: str = "R") -> Form:
    builder = Builder(PRIMITIVES)
    return structure.recognise(
        made(recipe, kind, lambda *shape: builder.input(array(kind, *shape)))
    )


@pytest.mark.parametrize(
    ("recipe", "shape"),
    [
        (("then", ["diagonal", "diagonal"]), "diagonal"),
        (("plus", ["identity", "scaling", "diagonal"]), "diagonal"),
        (("then", ["turned", ("adjoint", "turned")]), "identity"),
        ("turned", "permutation"),
        (("then", ["turned", "diagonal"]), "permutation"),
        ("band", "banded"),
        (("adjoint", "band"), "banded"),
        (("plus", ["band", "diagonal"]), "banded"),
        (("then", ["diagonal", "band"]), "banded"),
        ("apart", "blocks"),
        (("adjoint", "apart"), "blocks"),
    ],
)
def test_what_is_recognised(recipe: Any, shape: str) -> None:
    found = form(recipe)
    if shape == "identity":
        assert isinstance(found, Scaling)
        assert found.factor is None
    else:
        assert isinstance(found, Sparse)
        assert found.shape == shape


def test_bandwidths_swap_in_the_adjoint_and_add_in_a_product() -> None:
    one = compose(shifted("R", 1), turned("R"), turned("R").adjoint())
    assert _widths(one) == (1, 0)
    assert _widths(one.adjoint()) == (0, 1)
    assert _widths(compose(one, one)) == (2, 0)
    assert isinstance(structure.recognise(compose(*[shifted("R", 1)] * SIZE)), Zero)


def _widths(map: LinearMap) -> tuple[int, int]:
    found = structure.recognise(map)
    assert isinstance(found, Sparse)
    return found.pattern.bandwidths


def test_a_product_of_maps_on_either_side_is_one_kronecker_product() -> None:
    found = form(("then", ["left", "right", "left"]))
    assert isinstance(found, Kronecker)
    assert (found.left.rows, found.right.rows) == (ROWS, COLUMNS)


def test_a_narrow_product_is_of_low_rank() -> None:
    found = form("thin")
    assert isinstance(found, Product)
    assert found.rank == 1


def test_parts_that_do_not_mix_are_solved_by_themselves() -> None:
    builder = Builder(PRIMITIVES)
    both = DirectSum((matmul(builder.input(array("R", 9, 9))), Identity((array("R", 40),))))
    image = [builder.input(type) for type in both.codomain]
    graph = builder.finish(
        [structure.logdet(builder, both), *structure.solve(builder, both, image)]
    )
    assert largest(graph) <= 200  # of 2401 entries


# --- what it costs ----------------------------------------------------------------------------


def largest(graph: Graph) -> int:
    return max(wire.type.size for node in graph.walk() for wire in node.outputs)


@pytest.mark.parametrize("operation", [structure.logdet, structure.trace])
def test_no_square_array_for_a_diagonal_plus_low_rank(operation: Any) -> None:
    size, rank = 200, 3
    builder = Builder(PRIMITIVES)
    line = array("R", size)
    diagonal = step("mul", line, 0, (builder.input(line),))
    thin = compose(
        matmul(builder.input(array("R", rank, size))), matmul(builder.input(array("R", size, rank)))
    )
    graph = builder.finish([operation(builder, diagonal + thin)])
    assert largest(graph) <= size * (2 * rank + 1)


def test_a_kronecker_product_is_never_multiplied_out() -> None:
    builder = Builder(PRIMITIVES)
    grid = array("R", 12, 14)
    labels = {"left": (0, 1), "right": (1, 2), "out": (0, 2)}
    left, right = builder.input(array("R", 12, 12)), builder.input(array("R", 14, 14))
    map = compose(
        step("contract", grid, 1, (left,), **labels), step("contract", grid, 0, (right,), **labels)
    )
    image = [builder.input(grid)]
    graph = builder.finish([structure.logdet(builder, map), *structure.solve(builder, map, image)])
    assert largest(graph) <= 14 * 14


def test_a_band_is_solved_without_its_matrix() -> None:
    size = 100
    builder = Builder(PRIMITIVES)
    line = array("R", size)
    pad = step("pad", line, axis=0, low=1, high=0, interior=0)
    below = compose(pad, step("slice", array("R", size + 1), axis=0, start=0, stop=size, stride=1))
    scaled = step("mul", line, 0, (builder.input(line),))
    map = compose(below, scaled) + compose(below.adjoint(), scaled) + scaled
    image = [builder.input(line)]
    graph = builder.finish([structure.logdet(builder, map), *structure.solve(builder, map, image)])
    assert largest(graph) <= 4 * size


def test_the_trace_of_a_map_after_its_mirror_image_takes_half_of_it() -> None:
    """tr (Lᵀ D L) is a sum of squares of L: L is multiplied out once, its mirror image not."""
    builder = Builder(PRIMITIVES)
    random = numpy.random.default_rng(0)
    arrays = [random.normal(size=size) for size in ((5, 3), (7, 5), 7)]
    first, second, entries = (builder.input(array("R", *each.shape)) for each in arrays)
    half = compose(matmul(first), matmul(second))
    map = compose(half, step("mul", array("R", 7), 0, (entries,)), half.adjoint())
    graph = builder.finish([structure.trace(builder, map)])
    products = [
        node
        for node in graph.nodes
        if isinstance(node.operation, Call) and node.operation.primitive.name == "contract"
        and all(wire.type.rank == 2 for wire in node.inputs)
    ]  # fmt: skip
    assert len(products) == 1
    w, v, d = arrays
    (found,) = lower(graph, 64)(*arrays)
    assert_allclose(found, numpy.trace((v @ w).T @ numpy.diag(d) @ (v @ w)))


def test_a_band_is_taken_from_its_factors_without_gathers() -> None:
    session = Session(precision=64)
    session.run(
        "stencil c x = window[5, pad=same] (\\w -> tanh (dot c w) * w ! 2) x\n"
        "jacobian : R[5] -> R[40] -> R[40,5]\n"
        "jacobian c x = bands[2,2] (derivative (stencil c) x)\n"
        "dense : R[5] -> R[40] -> R[40,40]\n"
        "dense c x = matrix (derivative (stencil c) x)"
    )
    c, x = numpy.linspace(-1, 1, 5), numpy.sin(numpy.arange(40.0))
    names = [
        node.operation.primitive.name
        for node in session["jacobian"].graph().walk()
        if isinstance(node.operation, Call)
    ]
    assert not {"gather", "scatterAdd"} & set(names)
    found = numpy.zeros((40, 40))
    for row, entries in enumerate(numpy.asarray(session["jacobian"](c, x))):
        for k, entry in enumerate(entries):
            if 0 <= row + k - 2 < 40:
                found[row, row + k - 2] = entry
            else:
                assert entry == 0
    numpy.testing.assert_allclose(found, session["dense"](c, x), rtol=1e-12, atol=1e-14)
