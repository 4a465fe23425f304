"""Derivatives, as text that runs, of derivatives that a program takes of what makes trees of
trees, of a `case`, and of trees whose numbers are no payload."""

from __future__ import annotations

import pytest
from soak import FACTOR
from views.roundtrip import check

from nnfp_kernel import Session
from nnfp_kernel.language.syntax import walk
from nnfp_kernel.views.terms import derivative_definition

TREES = """
data Tree a = Leaf a | Node (Tree a) (Tree a)
data Rose a = Rose a [Rose a]
data Sum = Number R | Add Sum Sum | Mul Sum Sum
reduce : Tree R -> R
reduce = cata { Leaf x -> x * x; Node l r -> sin l * r }
turned : Tree R -> Tree R
turned = cata { Leaf x -> Leaf (tanh x); Node l r -> Node (r * reduce l) l }
encode : (R, Tree R) -> (R, Tree R)
encode (c, t) = cata { Leaf x -> (x * c, Leaf (sin x))
                     ; Node (a, l) (b, r) -> (a * b + c * a, Node (c * r) (l * a)) } t
valued : Sum -> R
valued = cata { Number x -> x * x; Add a b -> a + b; Mul a b -> a * b }
"""
PROGRAMS = {
    "a gradient": (
        "f : Tree R -> Tree R\n"
        "f = grad (\\t -> reduce (cata { Leaf x -> Leaf (tanh x); Node l r -> Node r l } t))"
    ),
    "forwards, with what moves around": (
        "f : (R, Tree R, R, Tree R) -> (R, Tree R)\n"
        "f (c, t, d, u) = derivative encode (c, t) (d, u)"
    ),
    "no parameter, forwards": "f : (Sum, Sum) -> R\nf (t, u) = derivative valued t u",
    "a reduction at the node": "f : Tree R -> Tree R\nf = grad (\\t -> reduce (turned t))",
    "forwards": "f : (Tree R, Tree R) -> Tree R\nf (t, u) = derivative turned t u",
    "backwards": (
        "f : (Tree R, Tree R) -> Tree R\n"
        "f (t, u) = adjoint (derivative (turned >> turned) t) (turned (turned u))"
    ),
    "around": (
        "f : (R, Tree R) -> (R, Tree R)\nf = grad (\\p -> let (y, u) = encode p in y * reduce u)"
    ),
    "around alone": (
        "f : (R, Tree R) -> R\n"
        "f (c, t) = grad (\\x -> let (y, u) = encode (x, t) in y * reduce u) c"
    ),
    "used twice": (
        "f : Tree R -> R\nf t = dotTree (grad (\\u -> reduce (turned u)\n"
        "  * reduce (turned (turned u))) t, turned (turned t) + t)"
    ),
    "payload": "f : Tree R -> Tree R\nf = grad (\\t -> sum (payload (turned t)))",
    "squares of payload": "f : Tree R -> Tree R\nf = grad (turned >> payload >> map square >> sum)",
    "a case": (
        "f : (R, Tree R) -> (R, Tree R)\nf = grad (\\(c, t) -> case turned t of\n"
        "  { Leaf x -> x * x * c; Node l r -> c * c * reduce l * reduce r })"
    ),
    "a case, forwards": (
        "f : (Tree R, Tree R) -> R\nf (t, u) = derivative (\\s -> case turned s of\n"
        "  { Leaf x -> x * x; Node l r -> reduce l * reduce r }) t u"
    ),
    "no parameter": "f : Sum -> Sum\nf = grad valued",
    "sequences of children": (
        "f : Rose R -> Rose R\nf = grad (\\t -> total (cata { Rose x rs -> Rose (sin x) (reverse rs)\n"
        "  } t)) where\n  total = cata { Rose x rs -> x * x + sum (map square rs) }"
    ),
    "weights": (
        "enc : Tree R[2] ~> Tree R[3]\n"
        "enc = cata { Leaf x -> Leaf (tanh (?W @ x)); Node l r -> Node r l }\nf t = dot h h where\n"
        "  h = grad (\\w -> (cata { Leaf x -> sum x * sum x; Node l r -> l * r })\n"
        "    (open enc (w, t))) (weights enc)"
    ),
}
PROGRAMS |= {
    "a matrix of many rows": (
        "f : (R[17], Tree R) -> R\nf (w, t) = trace (derivative (\\x -> x * reduce (sum x * t)) w)"
    ),
    "many rows, with what moves around": (
        "f : (R[5,5], Tree R) -> R[5,5]\n"
        "f (w, t) = diagonal (derivative (\\x -> cata { Leaf y -> y * x; Node l r -> l * r } t) w)"
    ),
}
QUICK = (*tuple(PROGRAMS)[:2], "a matrix of many rows")  # the others are tried by `make soak`


@pytest.mark.parametrize("case", PROGRAMS if FACTOR > 1 else QUICK)
def test_a_derivative_of_a_derivative_of_what_makes_trees_is_written(case: str) -> None:
    session = Session(precision=64)
    session.run(TREES + PROGRAMS[case])
    check(session, session["f"])


def test_a_matrix_is_written_once_however_many_rows_it_has() -> None:
    lengths = []
    for rows in (20, 40):
        session = Session(precision=64)
        session.run(f"{TREES}f : (R[{rows}], Tree R) -> R\n"
                    "f (w, t) = trace (derivative (\\x -> x * reduce (sum x * t)) w)")  # fmt: skip
        made = derivative_definition(session["f"], adjoint=True)
        lengths.append(sum(1 for _ in walk(made.program)))
    assert lengths[0] == lengths[1]


def test_a_step_that_is_said_again_has_a_name() -> None:
    session = Session(precision=64)
    session.run(TREES + PROGRAMS["around"])
    text = str(derivative_definition(session["f"]))
    assert text.count("case layer of") == 1
    assert "adjoint (snd (treeRecurrenceWith (step " in " ".join(text.split())
