"""The laws of linear maps, class by class.

⟨L u, w⟩ = ⟨u, L† w⟩      L†† = L      L (a u + b v) = a L u + b L v
where `reach` says zero, the answer is zero
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

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
    TreeLoop,
    While,
    Wire,
    subgraphs_together,
)
from nnfp_kernel.graph.primitive import Step
from nnfp_kernel.linear.differentiate import linearize
from nnfp_kernel.linear.maps import (
    Add,
    Cell,
    Compose,
    Copair,
    DirectSum,
    Dup,
    Identity,
    Inject,
    LinearMap,
    Network,
    Pair,
    Part,
    Project,
    Recurrence,
    Scale,
    Section,
    SolveL,
    Sum,
    Variable,
    WhileL,
    Zero,
    chain,
    compose,
    filled,
    section,
)
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower


def R(*shape: int) -> ArrayType:
    return ArrayType("R", shape)


def C(*shape: int) -> ArrayType:
    return ArrayType("C", shape)


NewWire = Callable[[ArrayType], Wire]
Making = Callable[[Builder, NewWire], LinearMap]


def diag(factor: Wire) -> Section:
    return section(PRIMITIVES, Step("mul", {}, 0, (factor,)), factor.type)


def matmul(matrix: Wire) -> Section:
    labels = {"left": (0, 1), "right": (1,), "out": (0,)}
    domain = ArrayType(matrix.type.kind, matrix.type.shape[1:])
    return section(PRIMITIVES, Step("contract", labels, 1, (matrix,)), domain)


def together(name: str, count: int, type: ArrayType, **parameters: object) -> Section:
    """A primitive linear in all of its operands together."""
    primitive = PRIMITIVES[name]
    types = (type,) * count
    result = primitive.result(parameters, types)
    return Section(PRIMITIVES, primitive, parameters, tuple(range(count)), types, types, (result,))


def derivative(builder: Builder, wire: NewWire, graph: Graph) -> Network:
    inputs = [wire(w.type) for w in graph.inputs]
    return linearize(builder, graph, inputs, [w.type.differentiable for w in graph.inputs])[1]


def only_part(network: Network) -> LinearMap:
    (part,) = network.parts
    return part.map


def recurrence(length: int, reverse: bool = False) -> Making:
    """D of mapAccum (\\(s, x) -> (tanh (W s * x), s * x)) over `length` elements."""

    def make(builder: Builder, wire: NewWire) -> LinearMap:
        outer = Builder(PRIMITIVES)
        matrix, state, xs = (outer.input(t) for t in (R(2, 2), R(2), R(length, 2)))
        child = outer.child()
        s, x = child.input(R(2)), child.input(R(2))
        moved = child.emit("contract", matrix, s, left=(0, 1), right=(1,), out=(0,))
        body = child.finish(
            [child.emit("tanh", child.emit("mul", moved, x)), child.emit("mul", s, x)]
        )
        loop = Loop(body, 1, 1, length, reverse)
        graph = outer.finish(outer.add(loop, [*child.captured, state, xs]))
        return only_part(derivative(builder, wire, graph))

    return make


def rounds(most: int, counted: bool = False) -> Making:
    """D of while[most] (\\s -> sum s < 9) (\\s -> tanh (W s) + 1); or of the recurrence
    that its adjoint is."""

    def make(builder: Builder, wire: NewWire) -> LinearMap:
        outer = Builder(PRIMITIVES)
        matrix, start = outer.input(R(2, 2)), outer.input(R(2))
        observing, child = outer.child(), outer.child()
        for each in (observing, child):
            each.input(ArrayType("Int"))
        total = observing.emit("sum", observing.input(R(2)), axes=(0,))
        going = observing.emit("compare", total, observing.constant(9), how="lt")
        s = child.input(R(2))
        moved = child.emit("contract", matrix, s, left=(0, 1), right=(1,), out=(0,))
        after = child.emit("add", child.emit("tanh", moved), s)
        (condition, body), captured = subgraphs_together([(observing, [going]), (child, [after])])
        loop = While(condition, body, len(captured), 1, most)
        graph = outer.finish(outer.add(loop, [*captured, start])[1:])
        map = only_part(derivative(builder, wire, graph))
        if counted:
            assert isinstance(map, WhileL)
            return map.unrolled(builder)
        return map

    return make


def forest(builder: Builder, wire: NewWire) -> LinearMap:
    """D of \\l r -> tanh (W l * r) over the nodes of two trees of two levels."""
    places = (
        [[[0, 2], [1, 3]], [[5, 9], [6, 9]]],  # (0 1) and (2 3), then both; one lane is unused
        [7, 4],
        [[[6, 8]], [[0, 10]]],
        [2, 4, 3, 5, 1],
    )
    outer = Builder(PRIMITIVES)
    matrix, leaves = outer.input(R(2, 2)), outer.input(R(5, 2))
    schedule = [outer.constant(each, "Int") for each in places]
    child = outer.child()
    left, right = child.input(R(2, 2)), child.input(R(2, 2))
    moved = child.emit("contract", matrix, left, left=(0, 1), right=(2, 1), out=(2, 0))
    body = child.finish([child.emit("tanh", child.emit("mul", moved, right))])
    loop = TreeLoop(body, 1, 1, reads=2, writes=1, width=2, length=2)
    graph = outer.finish(outer.add(loop, [*schedule, *child.captured, leaves]))
    return only_part(derivative(builder, wire, graph))


def mapped(length: int) -> Making:
    """D of map (\\x -> tanh (W x)), of W and all x."""

    def make(builder: Builder, wire: NewWire) -> LinearMap:
        outer = Builder(PRIMITIVES)
        matrix, xs = outer.input(R(2, 3)), outer.input(R(length, 3))
        child = outer.child()
        x = child.input(R(3))
        y = child.emit("contract", matrix, x, left=(0, 1), right=(1,), out=(0,))
        body = child.finish([child.emit("tanh", y)])
        graph = outer.finish(outer.add(Map(body, 1, length), [*child.captured, xs]))
        return only_part(derivative(builder, wire, graph))

    return make


def choice(taken: int) -> Making:
    """D of a choice between x * y, tanh x and y."""

    def make(builder: Builder, wire: NewWire) -> LinearMap:
        branches = []
        for k in range(3):
            child = Builder(PRIMITIVES)
            x, y = child.input(R(2)), child.input(R(2))
            result = (child.emit("mul", x, y), child.emit("tanh", x), y)[k]
            branches.append(child.finish([result]))
        outer = Builder(PRIMITIVES)
        x, y = outer.input(R(2)), outer.input(R(2))
        selector = outer.constant(taken, "Int")
        graph = outer.finish(outer.add(Choose(tuple(branches)), [selector, x, y]))
        return only_part(derivative(builder, wire, graph))

    return make


def sharing(builder: Builder, wire: NewWire) -> Network:
    """x, y ↦ (A x + d * y, d * (A x + d * y)): a variable used twice, one summed twice."""
    matrix, factor = wire(R(2, 3)), wire(R(2))
    x, y, z, out = Variable(R(3)), Variable(R(2)), Variable(R(2)), Variable(R(2))
    parts = (
        Part(matmul(matrix), (x,), (z,)),
        Part(diag(factor), (y,), (z,)),
        Part(diag(factor), (z,), (out,)),
    )
    return Network((x, y), parts, (z, out))


SELECT = Step("select", {}, 1, ())
EVERY: dict[str, Making] = {
    "Zero": lambda b, w: Zero((R(2), R()), (R(0),)),
    "Identity": lambda b, w: Identity((R(2), R(2, 0))),
    "Section, diagonal": lambda b, w: diag(w(R(2, 3))),
    "Section, scalar": lambda b, w: diag(w(R())),
    "Section, empty": lambda b, w: diag(w(R(0))),
    "Section, matrix": lambda b, w: matmul(w(R(2, 3))),
    "Section, complex": lambda b, w: matmul(w(C(2, 3))),
    "Section, add": lambda b, w: together("add", 2, R(3)),
    "Section, subtract": lambda b, w: together("subtract", 2, R(3)),
    "Section, concat": lambda b, w: together("concat", 3, R(2, 2), axis=1),
    "Section, one branch": lambda b, w: section(
        PRIMITIVES, Step("select", {}, 1, (b.constant([True, False, True], "Bool"), R(3))), R(3)
    ),
    "Section, one of concat": lambda b, w: section(
        PRIMITIVES, Step("concat", {"axis": 0}, 1, (R(1), R(3))), R(2)
    ),
    "Compose": lambda b, w: Compose((diag(w(R(3))), matmul(w(R(2, 3))), diag(w(R(2))))),
    "Compose, complex": lambda b, w: Compose((matmul(w(C(2, 3))), diag(w(C(2))))),
    "Sum": lambda b, w: Sum((matmul(w(R(2, 2))), diag(w(R(2))), Zero((R(2),), (R(2),)))),
    "Scale": lambda b, w: Scale(w(R()), (R(2), R(), C(2))),
    "Scale, complex": lambda b, w: Scale(w(C()), (C(2), C())),
    "Pair": lambda b, w: Pair((matmul(w(R(2, 3))), Identity((R(3),)), Zero((R(3),), (R(),)))),
    "Copair": lambda b, w: Copair((matmul(w(R(2, 3))), Identity((R(2),)))),
    "DirectSum": lambda b, w: DirectSum((matmul(w(R(2, 3))), Dup((R(),), 2))),
    "Project": lambda b, w: Project((R(2), R(), R(3)), 1, 3),
    "Inject": lambda b, w: Inject((R(2), R(), R(3)), 0, 2),
    "Dup": lambda b, w: Dup((R(2), R()), 3),
    "Dup, none": lambda b, w: Dup((R(2),), 0),
    "Add": lambda b, w: Add((R(2), R()), 3),
    "Add, none": lambda b, w: Add((R(2),), 0),
    "Network": sharing,
    "Network, crossed": lambda b, w: Network(*(lambda x, y: ((x, y), (), (y, x, y)))(
        Variable(R(2)), Variable(R())
    )),
    **{f"MapL, {n}": mapped(n) for n in (0, 1, 4)},
    **{f"Recurrence, {n}": recurrence(n) for n in (0, 1, 5)},
    "Recurrence, backwards": recurrence(4, reverse=True),
    **{f"WhileL, {n}": rounds(n) for n in (0, 1, 5)},
    **{f"Recurrence, counted, {n}": rounds(n, counted=True) for n in (1, 5)},
    "SolveL": lambda b, w: SolveL(Sum((Identity((R(3),)), matmul(w(R(3, 3)))))),
    "SolveL, complex": lambda b, w: SolveL(DirectSum((diag(w(C(2))), diag(w(R()))))),
    "TreeRecurrence": forest,
    **{f"ChooseL, {k}": choice(k) for k in range(3)},
}  # fmt: skip
every = pytest.mark.parametrize("name", EVERY)
seeds = st.integers(0, 2**31)


class Given:
    """A map in a graph, with random arrays for the wires it refers to."""

    def __init__(self, name: str, seed: int):
        self.builder = Builder(PRIMITIVES)
        self.random = numpy.random.default_rng(seed)
        self.arguments: list[numpy.ndarray] = []
        self.map = EVERY[name](self.builder, self.wire)

    def array(self, type: ArrayType) -> numpy.ndarray:
        entries = self.random.normal(size=type.shape)
        return entries + 1j * self.random.normal(size=type.shape) if type.kind == "C" else entries

    def wire(self, type: ArrayType) -> Wire:
        self.arguments.append(self.array(type))
        return self.builder.input(type)

    def vector(self, types: Sequence[ArrayType]) -> tuple[list[Wire], list[numpy.ndarray]]:
        wires = [self.wire(type) for type in types]
        return wires, self.arguments[len(self.arguments) - len(wires) :]

    def applied(self, map: LinearMap, vector: Sequence[Wire | None]) -> tuple[Wire, ...]:
        return filled(self.builder, map.apply(self.builder, vector), map.codomain)

    def run(self, wires: Sequence[Wire]) -> list[numpy.ndarray]:
        graph = self.builder.finish(wires)
        return [numpy.asarray(a) for a in lower(graph, 64)(*self.arguments)]


def inner(left: Sequence[numpy.ndarray], right: Sequence[numpy.ndarray]) -> float:
    return sum(numpy.vdot(a, b).real for a, b in zip(left, right, strict=True))


def same(left: Sequence[numpy.ndarray], right: Sequence[numpy.ndarray]) -> None:
    for one, other in zip(left, right, strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-10)


def test_every_class_of_linear_maps_is_tested() -> None:
    covered = {type(Given(name, 0).map).__name__ for name in EVERY}
    own = {c.__name__ for c in LinearMap.__subclasses__() if c.__module__ == LinearMap.__module__}
    assert own - covered == set()


@every
@settings(max_examples=8)
@given(seed=seeds)
def test_the_adjoint_moves_to_the_other_side(name: str, seed: int) -> None:
    given_ = Given(name, seed)
    adjoint = given_.map.adjoint()
    assert (adjoint.domain, adjoint.codomain) == (given_.map.codomain, given_.map.domain)
    u, us = given_.vector(given_.map.domain)
    w, ws = given_.vector(given_.map.codomain)
    there, back = given_.applied(given_.map, u), given_.applied(adjoint, w)
    results = given_.run([*there, *back])
    assert_allclose(
        inner(results[: len(w)], ws), inner(us, results[len(w) :]), rtol=1e-9, atol=1e-9
    )


@every
def test_the_adjoint_of_the_adjoint_is_the_map(name: str) -> None:
    given_ = Given(name, 1)
    u, _ = given_.vector(given_.map.domain)
    again = given_.map.adjoint().adjoint()
    results = given_.run([*given_.applied(given_.map, u), *given_.applied(again, u)])
    count = len(given_.map.codomain)
    same(results[:count], results[count:])


@every
def test_a_linear_map_is_linear(name: str) -> None:
    given_ = Given(name, 2)
    u, us = given_.vector(given_.map.domain)
    v, vs = given_.vector(given_.map.domain)
    sums = [given_.wire(type) for type in given_.map.domain]
    for k, (a, b) in enumerate(zip(us, vs, strict=True)):
        given_.arguments[len(given_.arguments) - len(sums) + k] = 2 * a - 3 * b
    images = [given_.applied(given_.map, vector) for vector in (u, v, sums)]
    results = given_.run([wire for image in images for wire in image])
    count = len(given_.map.codomain)
    combined = [2 * a - 3 * b for a, b in zip(results[:count], results[count:], strict=False)]
    same(results[2 * count :], combined)


@every
@pytest.mark.parametrize("turned", [False, True], ids=["map", "adjoint"])
def test_a_symbolic_zero_is_a_zero_and_reach_is_right(name: str, turned: bool) -> None:
    """For every part alone: leaving the others out is giving zeros for them, and what
    `reach` excludes is None."""
    given_ = Given(name, 3)
    map = given_.map.adjoint() if turned else given_.map
    wires, _ = given_.vector(map.domain)
    outputs: list[Wire] = []
    for k in range(len(wires)):
        alone = [wire if j == k else None for j, wire in enumerate(wires)]
        zeros = [w or given_.builder.zeros(t) for w, t in zip(alone, map.domain, strict=True)]
        raw = map.apply(given_.builder, alone)
        reached = map.reach([wire is not None for wire in alone])
        assert len(reached) == len(raw) == len(map.codomain)
        assert all(wire is None or flag for wire, flag in zip(raw, reached, strict=True))
        outputs += filled(given_.builder, raw, map.codomain)
        outputs += given_.applied(map, zeros)
    results = given_.run(outputs)
    count = len(map.codomain)
    for k in range(len(wires)):
        part = results[2 * count * k : 2 * count * (k + 1)]
        same(part[:count], part[count:])


@every
def test_nothing_in_gives_nothing_out(name: str) -> None:
    map = Given(name, 4).map
    builder = Builder(PRIMITIVES)
    assert map.apply(builder, [None] * len(map.domain)) == (None,) * len(map.codomain)
    assert map.reach([False] * len(map.domain)) == (False,) * len(map.codomain)


@every
def test_a_map_moves_to_another_graph(name: str) -> None:
    given_ = Given(name, 5)
    u, us = given_.vector(given_.map.domain)
    kept = given_.map.fixed
    assert len(set(kept)) == len(kept)
    values = given_.run([*given_.applied(given_.map, u), *kept])
    count = len(given_.map.codomain)

    other = Builder(PRIMITIVES)
    renaming = {wire: other.input(wire.type) for wire in kept}
    moved = given_.map.substitute(renaming)
    assert moved.fixed == tuple(renaming[wire] for wire in kept)
    vector = [other.input(type) for type in given_.map.domain]
    graph = other.finish(filled(other, moved.apply(other, vector), moved.codomain))
    same(list(map_numpy(lower(graph, 64)(*values[count:], *us))), values[:count])


def map_numpy(arrays: Sequence[object]) -> list[numpy.ndarray]:
    return [numpy.asarray(array) for array in arrays]


@every
def test_a_map_can_be_read(name: str) -> None:
    text = repr(Given(name, 6).map)
    assert text
    assert " object at " not in text


def test_maps_read_like_the_paper() -> None:
    builder = Builder(PRIMITIVES)
    d, a = builder.input(R(3), "d"), builder.input(R(2, 3), "A")
    assert repr(diag(d) >> matmul(a)) == "(diag d) >> (contract(A, ·))"
    assert repr(Pair((diag(d), Identity((R(3),))))) == "(diag d) &&& id"
    assert repr(DirectSum((Dup((R(),)), Zero((R(),), (R(),))))) == "dup *** zero"


def test_composition_flattens_and_drops_identities() -> None:
    builder = Builder(PRIMITIVES)
    d, a = diag(builder.input(R(3))), matmul(builder.input(R(2, 3)))
    whole = compose(Identity((R(3),)), compose(d, a), Identity((R(2),)))
    assert isinstance(whole, Compose)
    assert whole.maps == (d, a)
    assert isinstance(compose(Identity((R(),)), Identity((R(),))), Identity)


def test_maps_that_do_not_fit_are_refused() -> None:
    builder = Builder(PRIMITIVES)
    d, a = diag(builder.input(R(3))), matmul(builder.input(R(2, 3)))
    wrong: list[Callable[[], object]] = [
        lambda: a >> d,
        lambda: a + d,
        lambda: Pair((a, Identity((R(2),)))),
        lambda: Copair((a, d)),
        lambda: Scale(builder.input(R(2)), (R(2),)),
        lambda: chain(PRIMITIVES, (), R(2), R(3)),
        lambda: chain(PRIMITIVES, (Step("negate"),), R(2), R(3)),
        lambda: Compose(()),
        lambda: Sum(()),
    ]
    for make in wrong:
        with pytest.raises(ValueError, match="no linear map"):
            make()


def test_a_network_applies_each_part_once() -> None:
    """Sharing: a chain of n doublings x + x has n additions, not 2ⁿ."""
    variables = [Variable(R())] + [Variable(R()) for _ in range(20)]
    parts = tuple(
        Part(Identity((R(),)), (one,), (two,)) for one, two in pairwise(variables) for _ in range(2)
    )
    network = Network((variables[0],), parts, (variables[-1],))
    for map in (network, network.adjoint()):
        builder = Builder(PRIMITIVES)
        graph = builder.finish(filled(builder, map.apply(builder, [builder.input(R())]), (R(),)))
        assert len(graph.nodes) == 20
        assert lower(graph, 64)(1.0)[0] == 2**20


def test_a_recurrence_carries_only_what_can_be_other_than_zero() -> None:
    """A tangent of the elements alone: no state, no initial zero is carried before it is
    reached; a tangent of nothing emits no loop."""
    given_ = Given("Recurrence, 5", 0)
    assert isinstance(given_.map, Recurrence)
    map = given_.map.adjoint()
    stacked = map.codomain.index(R(5, 2))
    builder = Builder(PRIMITIVES)
    alone: list[Wire | None] = [None] * len(map.domain)
    renamed = map.substitute({wire: builder.input(wire.type) for wire in map.fixed})
    assert renamed.apply(builder, alone)[stacked] is None
    assert not builder.finish([]).nodes


def test_cells_share_one_prologue_with_their_adjoint() -> None:
    map = Given("Recurrence, 5", 0).map
    assert isinstance(map, Recurrence)
    assert isinstance(map.cell, Cell)
    adjoint = map.adjoint()
    assert isinstance(adjoint, Recurrence)
    assert adjoint.cell.prologue is map.cell.prologue
    assert adjoint.reverse != map.reverse
