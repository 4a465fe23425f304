"""Paramorphisms as forests: what is asked of the children of a node, in fields and sequences."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnfp_kernel import Session
from nnfp_kernel.runtime.data import DataValue

PROGRAM = """
data Rose a = Rose a [Rose a]
data Mix a = Stop a | Edge [(R, Mix a)] (Mix a) a
data Tree a = Leaf a | Node (Tree a) (Tree a)

weight : Rose a -> R
weight = cata { Rose _ ns -> 1 + sum ns }
weighed : Rose R -> R
weighed = para (\\layer -> case layer of
  { RoseF x pairs -> fold (\\(s, (t, r)) -> sin (s + r * weight t)) x pairs })
-- A question that knows the node, in a map over its children.
knowing : Rose R -> R
knowing = para (\\layer -> case layer of
  { RoseF x pairs -> x + sum (map (\\(t, r) -> r * (cata { Rose z ns -> sin (z * x) + sum ns }) t) pairs) })

total = cata { Stop x -> x ; Edge ps r y -> y + r + sum (map (\\(w, s) -> w * s) ps) }
edges : Mix R -> R
edges = para (\\layer -> case layer of
  { StopF x -> x
  ; EdgeF ps (t, r) y -> y + r * total t + sum (map (\\(w, (t, r)) -> w * r + y * total t) ps) })
above : Tree R -> R
above = para (\\layer -> case layer of
  { LeafF x -> x ; NodeF (a, x) (b, y) -> (cata { Leaf z -> z * x; Node l r -> l + r }) a + y })
"""


@pytest.fixture(scope="module")
def session() -> Session:
    made = Session(precision=64)
    made.run(PROGRAM)
    return made


def weight(tree: DataValue) -> int:
    return 1 + sum(map(weight, tree.fields[1]))


def weighed(tree: DataValue) -> Any:
    state, children = tree.fields
    for child in children:
        state = jnp.sin(state + weighed(child) * weight(child))
    return state


def knowing(tree: DataValue) -> Any:
    x, children = tree.fields

    def below(other: DataValue) -> Any:
        return jnp.sin(other.fields[0] * x) + sum(map(below, other.fields[1]))

    return x + sum(knowing(child) * below(child) for child in children)


def total(tree: DataValue) -> Any:
    if tree.constructor == "Stop":
        return tree.fields[0]
    pairs, last, y = tree.fields
    return y + total(last) + sum(w * total(t) for w, t in pairs)


def edges(tree: DataValue) -> Any:
    if tree.constructor == "Stop":
        return tree.fields[0]
    pairs, last, y = tree.fields
    return y + edges(last) * total(last) + sum(w * edges(t) + y * total(t) for w, t in pairs)


def above(tree: DataValue) -> Any:
    def leaves(other: DataValue) -> list[Any]:
        if other.constructor == "Leaf":
            return [other.fields[0]]
        return leaves(other.fields[0]) + leaves(other.fields[1])

    if tree.constructor == "Leaf":
        return tree.fields[0]
    a, b = tree.fields
    return above(a) * sum(leaves(a)) + above(b)


Random = numpy.random.Generator


def rose(random: Random, depth: int) -> DataValue:
    children = [rose(random, depth - 1) for _ in range(int(random.integers(4)) if depth else 0)]
    return DataValue("Rose", (random.normal(), children))


def mix(random: Random, depth: int) -> DataValue:
    if not depth or random.random() < 0.3:
        return DataValue("Stop", (random.normal(),))
    pairs = [(random.normal(), mix(random, depth - 1)) for _ in range(int(random.integers(3)))]
    return DataValue("Edge", (pairs, mix(random, depth - 1), random.normal()))


def tree(random: Random, depth: int) -> DataValue:
    if not depth or random.random() < 0.2:
        return DataValue("Leaf", (random.normal(),))
    return DataValue("Node", (tree(random, depth - 1), tree(random, depth - 1)))


def close(one: Any, other: Any) -> None:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    for a, b in pairs:
        numpy.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def judged(session: Session, name: str, judge: Any, trees: list[DataValue]) -> None:
    f = session[name]
    close(f(trees), [judge(one) for one in trees])
    value, pullback = f.vjp({}, trees[0])
    close((value, pullback(1.0)[1]), jax.value_and_grad(judge)(trees[0]))


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 1 << 30))
@pytest.mark.parametrize(
    ("name", "judge", "grow"), [("weighed", weighed, rose), ("edges", edges, mix)]
)
def test_a_paramorphism_of_a_batch_is_that_of_each(
    session: Session, name: str, judge: Any, grow: Any, seed: int
) -> None:
    random = numpy.random.default_rng(seed)
    judged(session, name, judge, [grow(random, depth) for depth in (3, 2, 0)])


@pytest.mark.parametrize(
    ("name", "judge", "grow"),
    [pytest.param("knowing", knowing, rose, marks=pytest.mark.slow), ("above", above, tree)],
)
def test_a_question_that_knows_the_node_runs_as_a_forest(
    session: Session, name: str, judge: Any, grow: Any
) -> None:
    random = numpy.random.default_rng(3)
    trees = [grow(random, 2) for _ in range(12)]
    judged(session, name, judge, trees)
    f = session[name]
    before = f.compilations
    again = trees[::-1]
    close(f(again), [judge(one) for one in again])
    moved = [grow(random, 2), *trees[1:]]  # of other shapes, of about the size
    close(f(moved), [judge(one) for one in moved])
    assert f.compilations <= before + 1 <= 4
