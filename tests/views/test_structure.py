"""The structure of a derivative in words, numbers and pictures."""

from __future__ import annotations

import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.views.structure import Structure, structure, table

PROGRAM = """
layer : R[8] ~> R[12]
layer x = tanh (?W @ x + ?b)

entry : R[40] -> R[40]
entry x = tanh x * x

stencil : R[40] -> R[40]
stencil x = window[3, pad=same] (\\w -> tanh (w ! 0) - w ! 1 * (w ! 2)) x

neighbours : R[n] ~> R[n-4]
neighbours = window[5] (\\w -> ?k @ w)

thin : R[40] ~> R[40]
thin x = sin x + ?U @ tanh (?V @ x) where
  ?V : R[2,40]

both : R[5,6] ~> R[5,6]
both x = ?A @ x @ ?B where
  ?A : R[5,5]
  ?B : R[6,6]

turned : R[3,4] -> R[4,3]
turned x = transpose x

chain : R[30,2] ~> R[30,2]
chain xs = scan (\\(s, x) -> tanh (?A @ s + ?B @ x)) zero xs where
  ?A : R[2,2]
  ?B : R[2,2]
"""


TREES = """
data Tree = Leaf R | Node Tree Tree

double : Tree -> Tree
double = cata { Leaf x -> Leaf (x * x) ; Node l r -> Node l r }
"""


def test_the_structure_of_a_function_of_trees_is_that_at_a_tree() -> None:
    session = nnfp.Session(precision=64)
    session.run(TREES)
    with pytest.raises(nnfp.NnfpError, match="depends on the tree"):
        structure(session["double"])
    tree = session.evaluate("Node (Leaf 1) (Node (Leaf 2) (Leaf 3))")
    at = structure(session["double"], (tree,))
    assert (at.words, at.rows, at.columns) == ("diagonal", 3, 3)


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    session = nnfp.Session(precision=64)
    session.run(PROGRAM)
    return session


def found(session: nnfp.Session, name: str) -> Structure:
    return structure(session[name])


@pytest.mark.parametrize(
    ("name", "words", "holds"),
    [
        ("layer", "dense, then diagonal", "96 + 12 numbers"),
        ("entry", "diagonal", "40 numbers"),
        ("neighbours", "banded (0 below, 4 above the diagonal)", "140 numbers"),
        ("stencil", "banded (1 below, 1 above the diagonal)", "118 numbers"),
        ("thin", "diagonal plus of rank 2", "40 + 162 numbers"),
        ("both", "a Kronecker product (5 x 5 and 6 x 6)", "61 numbers"),
        ("turned", "a permutation", "0 numbers"),
    ],
)
def test_what_a_derivative_is(session: nnfp.Session, name: str, words: str, holds: str) -> None:
    each = found(session, name)
    assert (each.words, each.holds) == (words, holds)


def test_a_recurrence_is_run_step_by_step(session: nnfp.Session) -> None:
    each = found(session, "chain")
    assert each.words == "a recurrence of 30 steps (block bidiagonal)"
    ways = {operation: how for operation, _, _, how in each.costs}
    assert ways["solve"] == ways["logdet"] == "step by step"


@pytest.mark.parametrize("name", ["entry", "stencil", "thin", "both", "chain"])
def test_structure_costs_less_than_a_matrix(session: nnfp.Session, name: str) -> None:
    costs = {
        operation: (number, dense) for operation, number, dense, _ in found(session, name).costs
    }
    for operation in ("diagonal", "trace", "logdet", "solve"):
        number, dense = costs[operation]
        assert number < dense


def test_every_operation_is_listed(session: nnfp.Session) -> None:
    """Of a map into another space those that it has."""
    every = [operation for operation, *_ in found(session, "both").costs]
    assert every == [
        "apply", "matrix", "diagonal", "trace", "logdet", "solve", "inverse, applied", "norm",
        "operatorNorm", "spectrum",
    ]  # fmt: skip
    some = [operation for operation, *_ in found(session, "layer").costs]
    assert some == ["apply", "matrix", "norm", "operatorNorm"]


def test_a_recurrence_from_state_to_state_is_a_product(session: nnfp.Session) -> None:
    session.run("deep : R[3] -> R[3]\ndeep x = iterate[5] (\\s -> sin (s - mean s)) x")
    each = found(session, "deep")
    assert each.words == "a recurrence of 5 steps, each 3 x 3, one after the other"
    ways = {operation: how for operation, _, _, how in each.costs}
    assert ways["solve"] == ways["logdet"] == "step by step"


def test_a_pattern_is_drawn_small(session: nnfp.Session) -> None:
    dense, diagonal = found(session, "layer").parts
    assert all(all(row) for row in dense.cells)
    size = len(diagonal.cells)
    assert diagonal.cells == tuple(tuple(r == c for c in range(size)) for r in range(size))
    for part in found(session, "stencil").parts:
        assert max(len(part.cells), len(part.cells[0])) <= 10


def test_the_table_says_it_in_one_line(session: nnfp.Session) -> None:
    grid = table(found(session, "layer"), "layer")
    assert grid.notes[0] == "Structure: dense, then diagonal; 12 x 8."
    assert "Holds 96 + 12 numbers." in grid.notes
