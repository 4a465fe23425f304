"""Loops in segments: the same values and gradients as plain loops, and less held; and what
a plan decides."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import numpy
import pytest
from graph.test_random_graphs import active, cotangents, entries, graphs, same
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from soak import examples

import nnfp_kernel as nnfp
from nnfp_kernel.graph.counts import peak
from nnfp_kernel.graph.graph import ArrayType, Builder, Call, Graph, Loop
from nnfp_kernel.graph.rewrite import optimise
from nnfp_kernel.graph.segments import segmented, steps_of_a_segment
from nnfp_kernel.linear.differentiate import gradient_graph
from nnfp_kernel.linear.planning import LARGE, Plan
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower


@dataclass(frozen=True)
class Always(Plan):
    """A plan that has every loop in segments of so many steps, as far as it is as long."""

    steps: int = 2

    def segment(self, loop: Loop, *_: object) -> int | None:
        whole = not (self.settled or loop.segments or loop.counted)
        return min(self.steps, loop.length) if whole and loop.length else None


@pytest.mark.slow
@settings(max_examples=examples(4))
@given(graphs(), st.integers(0, 2**31), st.sampled_from([1, 2, 3]))
def test_segments_change_no_gradient(graph: Graph, seed: int, steps: int) -> None:
    assume(any(isinstance(node.operation, Loop) for node in graph.walk()))
    arguments = [*entries(graph, seed), *cotangents(graph, seed)]
    plain = gradient_graph(PRIMITIVES, graph, active(graph))
    held = gradient_graph(PRIMITIVES, graph, active(graph), Always(steps=steps))
    expected = lower(plain, 64)(*arguments)
    same(lower(optimise(PRIMITIVES, held), 64)(*arguments), expected)


def adding(length: int, reverse: bool) -> tuple[Loop, list[ArrayType]]:
    """A loop with something shared, a state that counts, elements and an output."""
    body = Builder(PRIMITIVES)
    w, s, k, x = (body.input(ArrayType(*type)) for type in (("R",), ("R",), ("Int",), ("R", (2,))))
    total = body.emit("add", body.emit("mul", w, s), body.emit("sum", x, axes=(0,)))
    after = body.emit("add", k, body.constant(1, "Int"))
    loop = Loop(body.finish([body.emit("tanh", total), after, x, k]), 1, 2, length, reverse)
    types = [ArrayType("R"), ArrayType("R"), ArrayType("Int"), ArrayType("R", (length, 2))]
    return loop, types


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("length", "size"), [(6, 2), (7, 3), (5, 5), (5, 1), (3, 2)])
def test_a_loop_in_segments_is_the_loop(length: int, size: int, reverse: bool) -> None:
    loop, types = adding(length, reverse)
    whole = Builder(PRIMITIVES)
    graph = whole.finish(whole.add(loop, [whole.input(type) for type in types]))
    random = numpy.random.default_rng(length)
    arguments = [0.5, 0.2, 7, random.normal(size=(length, 2))]
    expected = jax.jit(lower(graph, 64))(*arguments)
    found = jax.jit(lower(segmented(PRIMITIVES, loop, size), 64))(*arguments)
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_segments_of_a_counted_loop_make_as_many_steps(size: int) -> None:
    loop, types = adding(7, False)
    loop, types = replace(loop, counted=True), [*types, ArrayType("Int")]
    whole = Builder(PRIMITIVES)
    graph = whole.finish(whole.add(loop, [whole.input(type) for type in types]))
    given = [0.5, 0.2, 7, numpy.random.default_rng(1).normal(size=(7, 2))]
    expected = jax.jit(lower(graph, 64))
    found = jax.jit(lower(segmented(PRIMITIVES, loop, size), 64))
    for rounds in range(8):
        pairs = zip(found(*given, rounds), expected(*given, rounds), strict=True)
        for one, other in pairs:
            assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("size", [0, 4])
def test_no_segment_is_empty_or_longer_than_the_loop(size: int) -> None:
    with pytest.raises(ValueError, match="no segments"):
        segmented(PRIMITIVES, adding(3, False)[0], size)


@given(st.integers(1, 5000), st.integers(1, 10**6), st.integers(1, 10**6))
def test_segments_hold_nearly_as_little_as_can_be(length: int, state: int, kept: int) -> None:
    def held(size: float) -> float:
        return length / size * state + size * kept

    size = steps_of_a_segment(length, state, kept)
    assert 1 <= size <= length
    best = min(held(each) for each in range(1, length + 1))
    assert held(size) <= 1.13 * best + state + kept


PROGRAM = """
size n = 60

cell : (R[4], R[3]) ~> R[4]
cell (h, x) = tanh (?W @ h + ?U @ x + ?b)

counted : ((R[4], R), R[3]) -> ((R[4], R), R[4])
counted ((h, k), x) = ((sin (h + sum x), k + 1), h * k)

layer : R[4] ~> R[4]
layer x = x + tanh (?W @ x)

inner : (R[4], R[3][n]) ~> R[4]
inner (h, xs) = fold (\\(s, x) -> sin (?a * s + sum x + h)) h xs

model : R[3][n] ~> R
model xs = sum (flatten (scan cell ?start (reverse xs)))
  + sum (foldRight (\\(s, x) -> cos (?b * s + head x)) (zero : R[4]) xs)
  + sum (flatten (snd (mapAccum counted (?start, 1) xs)))
  + sum (stack[12] layer (fold cell zero xs))
  + sum (fold (\\(s, x) -> inner (s + sum x, xs)) zero xs)

folded : R[3][n] ~> R
folded xs = sum (fold cell zero xs)

descended : R[3][n] ~> R[3][n]
descended xs = xs - 0.1 * grad folded xs

again : R[3][n] ~> R
again xs = folded (descended xs)

settled : (R[4], R) ~> R
settled (h, a) = sum h2 * k
  where
    (h2, k) = while[97] (\\(h, k) -> sum (h * h) < 40 && k < 80) grown (h, 1)
    grown (h, k) = (h * 1.02 + 0.1 * tanh (?M @ h) * a, k + 1)
    ?M : R[4,4]

never : R[4] -> R[4]
never h = while[0] (\\s -> sum s < 40) (\\s -> s * tanh s) h

ragged : [R[3]] ~> R
ragged xs = sum (square (fold (\\(h, x) -> dropout 0.2 (cell (h, x))) zero xs))
"""


@pytest.fixture(scope="module")
def sessions() -> list[nnfp.Session]:
    """One that keeps, and one that has no memory for it."""
    made = [nnfp.Session(precision=64, memory=memory) for memory in (1 << 40, 1)]
    for session in made:
        session.run(PROGRAM)
    return made


def segments(graph: Graph) -> int:
    return sum(isinstance(n.operation, Loop) and n.operation.segments for n in graph.walk())


def gradients(session: nnfp.Session, name: str, examples: object, **options: object) -> list:
    function = session[name]
    value, gradient = function.mean_value_and_grad(function.weights, examples, **options)
    return [value, *jax.tree.leaves(gradient)]


def test_where_memory_is_short_loops_hold_less_and_give_the_same(
    sessions: list[nnfp.Session],
) -> None:
    xs = numpy.random.default_rng(0).normal(size=(2, 60, 3))
    found, expected = (gradients(session, "model", xs) for session in reversed(sessions))
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-11)
    calls = [session["model"].call_for(xs[0]) for session in sessions]
    plain, short = (call.gradient_graph for call in calls)
    assert (segments(plain), segments(short) > 8) == (0, True)
    assert peak(short, 64) < 0.5 * peak(plain, 64)


def test_a_gradient_that_the_program_takes_is_within_the_memory_too(
    sessions: list[nnfp.Session],
) -> None:
    xs = numpy.random.default_rng(2).normal(size=(60, 3))
    plain, short = (session["descended"] for session in sessions)
    assert_allclose(short(xs), plain(xs), rtol=1e-12)
    graphs = [one.call_for(xs).traced.optimised for one in (plain, short)]
    assert [segments(graph) for graph in graphs] == [0, 2]
    assert peak(graphs[1], 64) < 0.85 * peak(graphs[0], 64)
    told = [one.cost(xs).loops[0] for one in (plain, short)]
    assert [(one.reason, one.steps) for one in told] == [("little", None), ("memory", 6)]
    found, expected = (gradients(one, "again", xs[None]) for one in reversed(sessions))
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-11)


def test_a_loop_with_a_bound_makes_its_rounds_again(sessions: list[nnfp.Session]) -> None:
    random = numpy.random.default_rng(3)
    # Of one the condition ends it, of the second the count; the third begins with neither.
    given = numpy.array([[1.0], [0.01], [4.0]]) * random.normal(size=(3, 4)), random.normal(size=3)
    found, expected = (gradients(one, "settled", given) for one in reversed(sessions))
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-11)
    example = given[0][1], given[1][1]
    for one, told in zip(sessions, (("little", None), ("memory", 8)), strict=True):
        (loop,) = one["settled"].cost(example).loops
        assert (loop.reason, loop.steps) == told
    graphs = [one["settled"].call_for(example).gradient_graph for one in sessions]
    assert peak(graphs[1], 64) < 0.5 * peak(graphs[0], 64)


def test_a_loop_of_no_rounds_has_no_segments(sessions: list[nnfp.Session]) -> None:
    h = numpy.arange(4.0)
    _, pullback = sessions[1]["never"].vjp({}, h)
    assert_allclose(pullback(h + 1)[-1], h + 1)


def test_draws_and_padding_are_made_again_as_they_were(sessions: list[nnfp.Session]) -> None:
    random = numpy.random.default_rng(1)
    xs = [random.normal(size=(length, 3)) for length in (60, 41)]
    key = jax.random.key(3)
    found, expected = (
        gradients(session, "ragged", xs, key=key, train=True) for session in reversed(sessions)
    )
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-11)


def test_segments_of_a_batch_are_read_where_they_lie(sessions: list[nnfp.Session]) -> None:
    """The data stay as they are, the examples in front: nothing as large is made of them."""
    call, *_ = sessions[1]["folded"].calls.of_batch([numpy.zeros((2, 60, 3))])
    nodes = [n for n in call.gradient_as_run.nodes if isinstance(n.operation, Call)]
    assert {"reshape", "iota"} <= {n.operation.primitive.name for n in nodes}
    assert "transpose" not in {n.operation.primitive.name for n in nodes}


# --- decisions -------------------------------------------------------------------------------


def decided(plan: Plan, length: int, width: int, kept: int) -> str:
    body = Builder(PRIMITIVES)
    matrix = body.input(ArrayType("R", (width, width)))
    state = body.input(ArrayType("R", (width,)))
    after = body.emit("contract", matrix, state, left=(0, 1), right=(1,), out=(0,))
    loop = Loop(body.finish([after]), 1, 1, length)
    plan.segment(loop, [ArrayType("R", (kept,))], None)
    return plan.decisions[-1].reason


def test_a_plan_says_why() -> None:
    assert decided(Plan(), 100, 8, 8) == "little"
    assert decided(Plan(), 3, 8, 1 << 20) == "no less" or LARGE > 3 * 4 << 20
    assert decided(Plan(), 10_000, 8, 1000) == "quicker"
    assert decided(Plan(), 10_000, 1000, 1000) == "dearer"
    assert decided(Plan(per_byte=0), 10_000, 8, 1000) == "dearer"
    assert decided(Plan(tight=True), 10_000, 1000, 1000) == "memory"
    assert decided(Plan(tight=True), 2, 8, 8) == "no less"
