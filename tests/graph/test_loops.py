"""The laws of loops: they preserve the value, fire where they pay, and hold back where
they do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy
import pytest
from numpy.testing import assert_allclose

from nnfp_kernel.graph.graph import ArrayType, Builder, Call, Graph, Loop, Map, Wire
from nnfp_kernel.graph.rewrite import optimise, vectorise
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower


def R(*shape: int) -> ArrayType:
    return ArrayType("R", shape)


def looping(
    step: Callable[..., tuple[Sequence[Wire], Sequence[Wire]]],
    shared: Sequence[ArrayType],
    states: Sequence[ArrayType],
    sequences: Sequence[ArrayType],
    reverse: bool = False,
) -> Graph:
    """A loop whose `step(builder, *shared, *states, *elements)` gives the states after
    and the outputs; everything is an input and everything an output."""
    outer = Builder(PRIMITIVES)
    given = [outer.input(type) for type in (*shared, *states, *sequences)]
    child = Builder(PRIMITIVES)
    inner = [child.input(type) for type in (*shared, *states)]
    inner += [child.input(type.element()) for type in sequences]
    after, outputs = step(child, *inner)
    body = child.finish([*after, *outputs])
    length = sequences[0].shape[0] if sequences else 4
    loop = Loop(body, len(shared), len(states), length, reverse)
    return outer.finish(outer.add(loop, given))


def times(b: Builder, matrix: Wire, vector: Wire) -> Wire:
    """Of a matrix and a vector, or row by row of a matrix of rows."""
    if vector.type.rank == 1:
        return b.emit("contract", matrix, vector, left=(0, 1), right=(1,), out=(0,))
    return b.emit("contract", matrix, vector, left=(0, 1), right=(2, 1), out=(2, 0))


def outer_product(b: Builder, x: Wire, y: Wire) -> Wire:
    if x.type.rank == 1:
        return b.emit("contract", x, y, left=(0,), right=(1,), out=(0, 1))
    return b.emit("contract", x, y, left=(2, 0), right=(2, 1), out=(0, 1))


def check(graph: Graph) -> Graph:
    """The optimised graph, after its values have been compared."""
    random = numpy.random.default_rng(0)
    arguments = [random.normal(size=wire.type.shape) for wire in graph.inputs]
    made = optimise(PRIMITIVES, graph)
    expected = lower(graph, 64)(*arguments)
    for found, wanted in zip(lower(made, 64)(*arguments), expected, strict=True):
        assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    return made


def the_loop(graph: Graph) -> Loop:
    (loop,) = [node.operation for node in graph.nodes if isinstance(node.operation, Loop)]
    return loop


def products(graph: Graph) -> int:
    calls = [node.operation for node in graph.nodes if isinstance(node.operation, Call)]
    return sum(call.primitive.name == "contract" for call in calls)


way = pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])


@way
def test_a_product_with_the_elements_is_made_before_the_loop(reverse: bool) -> None:
    def step(b: Builder, w: Wire, u: Wire, h: Wire, x: Wire) -> tuple:
        after = b.emit("tanh", b.emit("add", times(b, w, h), times(b, u, x)))
        return [after], [after]

    made = check(looping(step, [R(3, 3), R(3, 2)], [R(3)], [R(5, 2)], reverse))
    assert products(the_loop(made).body) == 1  # W h
    assert products(made) == 1  # U x, of all x


@way
def test_a_product_no_later_step_needs_is_made_after_the_loop(reverse: bool) -> None:
    def step(b: Builder, w: Wire, v: Wire, h: Wire, x: Wire) -> tuple:
        after = b.emit("tanh", b.emit("add", times(b, w, h), x))
        return [after], [b.emit("sin", times(b, v, after))]

    made = check(looping(step, [R(3, 3), R(4, 3)], [R(3)], [R(5, 3)], reverse))
    assert products(the_loop(made).body) == 1
    assert products(made) == 1
    assert "sin" in [
        n.operation.primitive.name for n in made.nodes if isinstance(n.operation, Call)
    ]


@way
def test_a_sum_of_products_is_one_product_after_the_loop(reverse: bool) -> None:
    def step(b: Builder, w: Wire, h: Wire, total: Wire, x: Wire) -> tuple:
        after = b.emit("tanh", b.emit("add", times(b, w, h), x))
        twice = b.emit("add", outer_product(b, after, x), outer_product(b, x, h))
        return [after, b.emit("add", total, b.emit("negate", twice))], []

    made = check(looping(step, [R(3, 3)], [R(3), R(3, 3)], [R(5, 3)], reverse))
    loop = the_loop(made)
    assert loop.carried == 1
    assert products(loop.body) == 1
    assert products(made) == 2


def test_a_loop_without_a_state_is_a_map() -> None:
    def step(b: Builder, w: Wire, x: Wire) -> tuple:
        return [], [b.emit("tanh", times(b, w, x))]

    made = check(looping(step, [R(2, 3)], [], [R(5, 3)]))
    assert not [n for n in made.nodes if isinstance(n.operation, Loop)]
    assert products(made) == 1


def test_a_state_that_only_sums_leaves_no_loop() -> None:
    def step(b: Builder, total: Wire, x: Wire, y: Wire) -> tuple:
        return [b.emit("add", outer_product(b, x, y), total)], []

    made = check(looping(step, [], [R(3, 2)], [R(5, 3), R(5, 2)]))
    assert not [n for n in made.nodes if isinstance(n.operation, Loop)]


def test_products_of_a_large_batch_stay_in_the_loop() -> None:
    """The weight is small and the batch large: storing the operands of every step would
    cost more than it spares."""

    def step(b: Builder, w: Wire, u: Wire, h: Wire, total: Wire, x: Wire) -> tuple:
        after = b.emit("tanh", b.emit("add", times(b, w, h), times(b, u, x)))
        return [after, b.emit("add", total, outer_product(b, after, h))], []

    made = check(looping(step, [R(2, 2), R(2, 2)], [R(9, 2), R(2, 2)], [R(5, 9, 2)]))
    assert products(the_loop(made).body) == 3
    assert products(made) == 0


def test_a_sum_that_a_step_looks_at_stays() -> None:
    def step(b: Builder, h: Wire, total: Wire, x: Wire) -> tuple:
        both = b.emit("add", h, b.emit("sum", total, axes=(0,)))
        return [b.emit("tanh", both), b.emit("add", total, outer_product(b, x, x))], []

    made = check(looping(step, [], [R(3), R(3, 3)], [R(5, 3)]))
    assert the_loop(made).carried == 2


def test_a_sum_whose_terms_another_state_needs_stays() -> None:
    def step(b: Builder, h: Wire, total: Wire, x: Wire) -> tuple:
        term = outer_product(b, x, h)
        after = b.emit("tanh", b.emit("sum", term, axes=(0,)))
        return [after, b.emit("add", total, term)], []

    made = check(looping(step, [], [R(3), R(3, 3)], [R(5, 3)]))
    assert the_loop(made).carried == 2


def test_a_state_that_never_changes_is_shared() -> None:
    def step(b: Builder, fixed: Wire, h: Wire, x: Wire) -> tuple:
        return [fixed, b.emit("tanh", b.emit("add", b.emit("mul", h, fixed), x))], [fixed]

    made = check(looping(step, [], [R(3), R(3)], [R(5, 3)]))
    assert the_loop(made).carried == 1


def test_an_element_that_is_always_the_same_is_shared() -> None:
    builder = Builder(PRIMITIVES)
    h, x = builder.input(R(3)), builder.input(R(3))
    xs = builder.emit("broadcast", x, shape=(6, 3), axes=(1,))
    child = Builder(PRIMITIVES)
    state, element = child.input(R(3)), child.input(R(3))
    after = child.emit("tanh", child.emit("add", state, element))
    graph = builder.finish(builder.add(Loop(child.finish([after, after]), 0, 1, 6), [h, xs]))
    made = check(graph)
    (node,) = [n for n in made.nodes if isinstance(n.operation, Loop)]
    assert [wire.type for wire in node.inputs] == [R(3), R(3)]


def test_dead_states_and_outputs_go() -> None:
    """A state that nothing reaches and an output nobody looks at."""
    builder = Builder(PRIMITIVES)
    h, g, xs = builder.input(R()), builder.input(R()), builder.input(R(4))
    child = Builder(PRIMITIVES)
    s, dead, x = child.input(R()), child.input(R()), child.input(R())
    after = child.emit("tanh", child.emit("mul", s, x))
    body = child.finish([after, child.emit("sin", dead), child.emit("cos", x), s])
    last, _, _, _ = builder.add(Loop(body, 0, 2, 4), [h, g, xs])
    made = optimise(PRIMITIVES, builder.finish([last]))
    loop = the_loop(made)
    assert loop.carried == 1
    assert len(loop.body.outputs) == 1
    used = [n.operation.primitive.name for n in loop.body.nodes if isinstance(n.operation, Call)]
    assert sorted(used) == ["mul", "tanh"]


def test_a_state_that_another_state_needs_is_not_dead() -> None:
    """The first state reaches the output through the second, one step later."""

    def step(b: Builder, s: Wire, t: Wire, x: Wire) -> tuple:
        return [b.emit("tanh", b.emit("add", s, x)), b.emit("sin", s)], []

    graph = looping(step, [], [R(), R()], [R(4)])
    only_second = Graph(graph.inputs, graph.nodes, graph.outputs[1:])
    made = check(only_second)
    assert the_loop(made).carried == 2


@pytest.mark.parametrize("length", [0, 1, 2, 3])
@way
def test_a_loop_in_a_batch_is_a_loop_of_batches(length: int, reverse: bool) -> None:
    """The state is batched where a batched element reaches it, the rest stays single."""

    def step(b: Builder, w: Wire, h: Wire, count: Wire, x: Wire) -> tuple:
        after = b.emit("tanh", b.emit("add", times(b, w, h), b.emit("mul", x, count)))
        return [after, b.emit("sin", count)], [after, count]

    inner = looping(step, [R(2, 2)], [R(2), R(2)], [R(length, 2)], reverse)
    builder = Builder(PRIMITIVES)
    shared = [builder.input(type) for type in (R(2, 2), R(2), R(2))]
    xs = builder.input(R(5, length, 2))
    graph = builder.finish(builder.add(Map(inner, 3, 5), [*shared, xs]))
    made = check(graph)
    loop = the_loop(made)
    states = loop.body.inputs[loop.shared : loop.shared + loop.carried]
    if length > 0:
        assert {wire.type for wire in states} == {R(5, 2), R(2)}
    assert not [n for n in vectorise(PRIMITIVES, graph).walk() if isinstance(n.operation, Map)]


# --- packed state ----------------------------------------------------------------------------


def rolling(arrays: int, size: int, length: int) -> Graph:
    """A loop with so many arrays of a state, one that counts among them, and an output."""

    def step(b: Builder, *given: Wire) -> tuple[Sequence[Wire], Sequence[Wire]]:
        *states, count, x = given
        moved = [b.emit("tanh", b.emit("add", states[k - 1], x)) for k in range(arrays)]
        return [*moved, b.emit("add", count, b.constant(1, "Int"))], [states[0], count]

    return looping(step, [], [*[R(size)] * arrays, ArrayType("Int")], [R(length, size)])


def carried(graph: Graph) -> int:
    (loop,) = [n.operation for n in graph.nodes if isinstance(n.operation, Loop)]
    return loop.carried


def test_a_state_of_small_arrays_travels_as_one() -> None:
    assert carried(check(rolling(4, 3, 64))) == 2  # and the Int that counts


@pytest.mark.parametrize(("arrays", "size", "length"), [(2, 3, 64), (4, 40, 64), (4, 3, 5)])
def test_a_state_of_few_or_large_arrays_stays(arrays: int, size: int, length: int) -> None:
    assert carried(check(rolling(arrays, size, length))) == arrays + 1


# --- matrices that all steps share -----------------------------------------------------------


def labels_in(graph: Graph) -> list[tuple[int, ...]]:
    """Those of the shared matrix, in each product of the loop's body."""
    body = the_loop(graph).body
    shared = body.inputs[: the_loop(graph).shared]
    return [
        node.operation.parameters[side]
        for node in body.nodes
        if isinstance(node.operation, Call) and node.operation.primitive.name == "contract"
        for side, wire in zip(("left", "right"), node.inputs, strict=True)
        if wire in shared
    ]


def stepping(rows: int, width: int, length: int, adjoint: bool = False) -> Graph:
    """hₜ₊₁ = tanh (U hₜ + xₜ), or with the adjoint of U; of one row or of several."""
    state = R(rows, width) if rows else R(width)

    def step(b: Builder, u: Wire, h: Wire, x: Wire) -> tuple:
        u = b.emit("transpose", u, permutation=(1, 0)) if adjoint else u
        after = b.emit("tanh", b.emit("add", times(b, u, h), x))
        return [after], [after]

    return looping(step, [R(width, width)], [state], [R(length, *state.shape)])


@pytest.mark.parametrize("rows", [0, 2])
def test_a_matrix_that_all_steps_share_is_laid_out_as_its_product_reads_it(rows: int) -> None:
    """What is summed over comes first; where it does already, nothing is transposed."""
    made = check(stepping(rows, 32, 16))
    assert labels_in(made) == [(1, 0)]
    (transposed,) = [n for n in made.nodes if isinstance(n.operation, Call)]
    assert transposed.operation.primitive.name == "transpose"
    as_it_is = check(stepping(rows, 32, 16, adjoint=True))
    assert labels_in(as_it_is) == [(0, 1)] or labels_in(as_it_is) == [(1, 0)]
    assert [n for n in as_it_is.nodes if isinstance(n.operation, Call)] == []


@pytest.mark.parametrize(("width", "length"), [(31, 16), (32, 15)])
def test_a_small_matrix_and_that_of_few_steps_stay(width: int, length: int) -> None:
    assert labels_in(check(stepping(2, width, length))) == [(0, 1)]
