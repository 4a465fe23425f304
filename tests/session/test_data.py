"""`data` values from Python: what their payload is, how they are built and written."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnfp_kernel as nnfp

TREES = """
data Tree a = Leaf a | Node (Tree a) (Tree a)
data Maybe a = Nothing | Just a
total = cata { Leaf x -> x; Node l r -> l + r }
products = cata { Leaf (x, y) -> x * y; Node l r -> l + r }
leaves : Tree a -> R
leaves = cata { Leaf _ -> 1; Node l r -> l + r }
orNought = cata { Nothing -> 0; Just x -> x }
scaled (tree, s) = total tree * s
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(TREES)
    return made


def node(session: nnfp.Session, shape: Any) -> Any:
    """A tree: pairs are nodes, anything else a payload."""
    if isinstance(shape, list):
        return session.constructor("Node")(*(node(session, part) for part in shape))
    return session.constructor("Leaf")(shape)


# --- the payload of a parametric type is what the value has ----------------------------------


def test_the_payload_is_inferred_from_the_value(session: nnfp.Session) -> None:
    assert float(session["total"](node(session, [1.0, [2.0, 3.0]]))) == 6
    vectors = node(session, [numpy.array([1.0, 2.0]), numpy.array([3.0, 4.0])])
    numpy.testing.assert_array_equal(session["total"](vectors), [4, 6])
    assert float(session["products"](node(session, [(1.0, 2.0), (3.0, 4.0)]))) == 14
    assert float(session["scaled"]((node(session, [1.0, 2.0]), 3.0))) == 9


def test_whole_numbers_are_real_where_real_numbers_are_wanted(session: nnfp.Session) -> None:
    assert float(session["total"](node(session, [1, 2]))) == 3
    assert float(session["total"](node(session, [1, 2.5]))) == 3.5
    assert float(session["leaves"](node(session, [1, [2, 3]]))) == 3


def test_a_payload_that_is_not_there_is_a_number(session: nnfp.Session) -> None:
    assert float(session["orNought"](session.constructor("Nothing")())) == 0
    assert float(session["orNought"](session.constructor("Just")(2.0))) == 2


def test_payloads_of_two_shapes_are_refused_by_path(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        session["total"](node(session, [[1.0, 2.0], numpy.ones(3)]))
    assert "the input.Node.2.Leaf.1" in str(caught.value)


def test_the_gradient_of_a_tree_is_a_tree(session: nnfp.Session) -> None:
    tree = node(session, [(1.0, 2.0), (3.0, 4.0)])
    _, pullback = session["products"].vjp({}, tree)
    _, gradient = pullback(1.0)
    (left,), (right,) = (leaf.fields for leaf in gradient.fields)
    numpy.testing.assert_array_equal([left, right], [(2, 1), (4, 3)])


SHAPES = st.recursive(st.floats(-2, 2), lambda inner: st.lists(inner, min_size=2, max_size=2))


@given(SHAPES)
def test_a_sum_over_a_tree_is_the_sum_of_its_leaves(session: nnfp.Session, shape: Any) -> None:
    def numbers(part: Any) -> list[float]:
        if not isinstance(part, list):
            return [part]
        return [number for inner in part for number in numbers(inner)]

    found = float(session["total"](node(session, shape)))
    assert found == pytest.approx(sum(numbers(shape)), abs=1e-12)
