"""Folds over the payload of trees as forests: in order, of any shapes, in one batch."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnfp_kernel as nnfp
from nnfp_kernel import NnfpError, Session
from nnfp_kernel.runtime.data import DataValue

PROGRAM = """
data Rose a = Rose a [Rose a]
data Maybe a = Nothing | Just a
data Mix b a = Stop a (a, R) [a] | Edge [(a, Mix b a)] (Maybe a) (Mix b a) a b
             | Three (Mix b a)[3] a[2]

folded : Rose R ~> R
folded = foldData (\\(s, x) -> sin (2 * s + ?w * x)) 0.1
mixed : Mix R R -> R
mixed = foldData (\\(s, x) -> sin (2 * s + x)) 0.1
sums : Rose R[3] -> R[3]
sums = sumData
counts : Rose R[3] -> R
counts = countData
dots : (Rose R, Rose R) -> R
dots = dotTree
-- The state knows the example, and the tree that comes out has the shape of the tree.
descended : (Rose R, R) -> (Rose R, R)
descended (t, c) = (mapData (\\x -> x - c * sumData t) t, foldData (\\(s, x) -> c * s + x) 0 t)
"""


@pytest.fixture(scope="module")
def session() -> Session:
    made = Session(precision=64)
    made.run(PROGRAM)
    return made


Random = numpy.random.Generator


def rose(random: Random, depth: int, *shape: int) -> DataValue:
    count = int(random.integers(4)) if depth else 0
    children = [rose(random, depth - 1, *shape) for _ in range(count)]
    return DataValue(
        "Rose",
        (numpy.float64(random.normal()) if not shape else random.normal(size=shape), children),
    )


def mix(random: Random, depth: int) -> DataValue:
    number = random.normal
    match int(random.integers(3)) if depth else 0:
        case 0:
            run = random.normal(size=int(random.integers(4)))
            return DataValue("Stop", (number(), (number(), 9.0), run))
        case 1:
            pairs = [(number(), mix(random, depth - 1)) for _ in range(int(random.integers(3)))]
            maybe = DataValue("Just", (number(),)) if pairs else DataValue("Nothing", ())
            return DataValue("Edge", (pairs, maybe, mix(random, depth - 1), number(), 9.0))
        case _:
            three = [mix(random, depth - 1) for _ in range(3)]
            return DataValue("Three", (three, random.normal(size=2)))


def items(tree: DataValue) -> list[Any]:
    """The payload, from left to right."""
    match tree.constructor, tree.fields:
        case "Rose", (x, children):
            return [x, *(item for child in children for item in items(child))]
        case "Stop", (x, (y, _), run):
            return [x, y, *run]
        case "Edge", (pairs, maybe, last, x, _):
            inside = [item for w, child in pairs for item in (w, *items(child))]
            return [*inside, *maybe.fields, *items(last), x]
        case _, (three, two):
            return [*(item for child in three for item in items(child)), *two]


def by_hand(tree: DataValue, w: float = 1.0) -> tuple[float, list[float], float]:
    """The state after all items, and its slopes: in each item, and in w."""
    state, path = 0.1, []
    for x in map(float, items(tree)):
        slope = numpy.cos(2 * state + w * x)
        path.append((slope, x))
        state = numpy.sin(2 * state + w * x)
    below, slopes, of_w = 1.0, [], 0.0
    for slope, x in reversed(path):
        slopes.append(below * slope * w)
        of_w += below * slope * x
        below *= 2 * slope
    return float(state), slopes[::-1], of_w


def close(one: Any, other: Any) -> None:
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 1 << 30))
def test_a_fold_of_a_batch_is_that_of_each(session: Session, seed: int) -> None:
    random = numpy.random.default_rng(seed)
    trees = [mix(random, depth) for depth in (2, 1, 0)]
    expected = [by_hand(one) for one in trees]
    close(session["mixed"](trees), [state for state, _, _ in expected])
    value, pullback = session["mixed"].vjp({}, trees[0])
    close([value, *items(pullback(1.0)[1])], [expected[0][0], *expected[0][1]])

    trees = [rose(random, depth) for depth in (3, 2, 0)]
    weights = {"folded": {"w": numpy.float64(0.7)}}
    value, gradient = session["folded"].mean_value_and_grad(weights, trees)
    expected = [by_hand(one, 0.7) for one in trees]
    close(value, sum(state for state, _, _ in expected) / 3)
    close(gradient["folded"]["w"], sum(slope for _, _, slope in expected) / 3)


def test_helpers_of_the_library_run_as_forests(session: Session) -> None:
    random = numpy.random.default_rng(1)
    trees = [rose(random, depth, 3) for depth in (3, 1, 0)]
    close(session["sums"](trees), [sum(items(one)) for one in trees])
    close(session["counts"](trees), [float(len(items(one))) for one in trees])
    pairs = [(one, jax.tree.map(numpy.square, one)) for one in (rose(random, 2), rose(random, 3))]
    close(session["dots"](pairs), [numpy.dot(*map(items, pair)) for pair in pairs])
    _, pullback = session["dots"].vjp({}, pairs[0])
    close(pullback(2.0)[1], jax.tree.map(lambda x: 2 * x, pairs[0][::-1]))
    one = rose(random, 2)
    moved, state = session["descended"]((one, 0.5))
    xs = numpy.array(items(one))
    close(numpy.array(items(moved)), xs - 0.5 * xs.sum())
    close(state, sum(x * 0.5 ** (len(xs) - 1 - k) for k, x in enumerate(xs)))


def test_a_leaf_a_chain_and_a_batch_of_none(session: Session) -> None:
    chain = DataValue("Rose", (numpy.float64(0.3), []))
    assert session["folded"]([]) == []
    weights = {"folded": {"w": numpy.float64(0.7)}}
    close(session["folded"].apply(weights, chain), numpy.sin(0.2 + 0.7 * 0.3))
    for k in range(10_000):
        chain = DataValue("Rose", (numpy.float64(k % 7), [chain]))
    state = 0.1
    for k in (*reversed(range(10_000)), -1):
        state = numpy.sin(2 * state + 0.7 * (k % 7 if k >= 0 else 0.3))
    # 2 cos … stretches what rounding left over, not without end.
    assert float(session["folded"].apply(weights, chain)) == pytest.approx(state, abs=1e-6)


def test_a_fold_is_not_compiled_for_each_shape(session: Session) -> None:
    random = numpy.random.default_rng(2)
    for _ in range(8):
        trees = [rose(random, 3, 3) for _ in range(30)]
        close(session["counts"](trees), [float(len(items(one))) for one in trees])
    assert session["counts"].compilations <= 6


def test_payload_of_the_wrong_shape_is_named_by_its_tree_and_path(session: Session) -> None:
    random = numpy.random.default_rng(3)
    trees = [rose(random, 2, 3) for _ in range(500)]
    deep = DataValue("Rose", (numpy.zeros(4), []))
    trees[400] = DataValue("Rose", (numpy.zeros(3), [rose(random, 1, 3), deep]))
    before = session.weights
    with pytest.raises(NnfpError) as caught:
        session["sums"](trees)
    said = caught.value.render()
    for part in ("tree 400", "Rose.2[2].Rose.1", "R[4]", "R[3]"):
        assert part in said
    assert session.weights == before
    close(session["sums"](trees[:3]), [sum(items(one)) for one in trees[:3]])
    with pytest.raises(NnfpError, match="example 1 of the batch"):
        session["dots"](
            [
                (nnfp.tree("(Rose 1 [])"),) * 2,
                (nnfp.tree("(Rose 1 [])"), nnfp.tree("(Rose 1 [(Rose 2 [])])")),
            ]
        )


def test_the_gradient_of_a_mapped_tree_counts_each_item_once(session: Session) -> None:
    """Where a forest has room to spare an item stands again, and adds nothing."""
    tree = nnfp.tree("(Rose 1 [(Rose 2 []), (Rose 4 [(Rose 3 [])])])")
    cotangent = nnfp.tree("(Rose 5 [(Rose 1 []), (Rose 3 [(Rose 2 [])])])")
    _, pullback = session["descended"].vjp({}, (tree, 2.0))
    ((gradient, slope),) = pullback((cotangent, 3.0))[1:]
    # w - c Σw, and 3 cᵏ of the state; Σ -w Σx, and 3 d/dc of (((1 c + 2) c + 4) c + 3)
    assert items(gradient) == [7.0, -9.0, -13.0, -17.0]
    assert float(slope) == -38
