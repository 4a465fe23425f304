"""A length known only at run time, where a size is said: proved, looked at, or `[t]` itself
(docs/decisions/0057)."""

from __future__ import annotations

import numpy
import pytest

from nnfp_kernel import NnfpError, Session

PROGRAM = """data Tree a = Leaf a | Node (Tree a) (Tree a)

size three = 3

joined : R -> R[3]
joined x = (([x] : [R]) ++ [x] : R[3])

signed : [R] -> R[3]
signed xs = xs

fewer : [R] -> R[3]
fewer xs = xs ++ [1]

any : R[2] -> [R]
any xs = xs

claimed x = (any x : R[4])

summed xs = ((xs : [R]) + (xs : [R]) : R[3])

rows xs = (concat [(xs : [R]), [1, 2, 3]] : R[6])

taken xs = take[3] (xs : [R])

three' : R[3] -> R
three' = sum

given xs = three' (xs : [R])

mapped xs = map three' [(xs : [R]), (xs : [R])]

handed : ([R] -> R) -> R
handed f = f [1, 2]

asked x = handed three' * x

weighted : [R] ~> R[2]
weighted xs = ?W @ (xs : R[3])

shrunk : R[4] -> R[4]
shrunk xs = fold (\\(s, a) -> (drop[1] s : [R])) xs [1, 2]

chosen : Bool -> [R] -> R
chosen b xs = if b then sum (xs : R[3]) else 0

grown : R -> R[3]
grown = unfoldWhile[5] (\\s -> (s + 1, s, s < 3))

leaves : Tree R -> R[3]
leaves t = (cata { Leaf x -> [x]; Node l r -> l ++ r } t : [R])
""".replace("three'", "total")


@pytest.fixture(scope="module")
def here() -> Session:
    session = Session(precision=64, seed=0)
    session.run(PROGRAM)
    return session


TWO, THREE = numpy.arange(2.0), numpy.arange(3.0)

WRONG = {
    "joined": (1.0,),
    "signed": (TWO,),
    "fewer": (THREE,),
    "claimed": (TWO,),
    "summed": (TWO,),
    "rows": (TWO,),
    "taken": (TWO,),
    "given": (TWO,),
    "mapped": (TWO,),
    "asked": (1.0,),
    "weighted": (TWO,),
    "shrunk": (numpy.arange(4.0),),
    "chosen": (True, TWO),
    "grown": (1.0,),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_length_that_is_not_the_size_that_is_said_is_told(here: Session, name: str) -> None:
    with pytest.raises(NnfpError) as told:
        here[name](*WRONG[name])
    (problem,) = told.value.diagnostics
    if name == "taken":  # by `take` itself
        assert problem.title == "take[3] of 2 elements"
        return
    assert problem.code == "length-differs"
    assert " elements" in problem.title
    assert "its type says" in problem.title
    assert "is expected" in problem.primary.text
    assert problem.secondary, "where both came from"
    assert "write `[R" in problem.notes[0]
    line = PROGRAM.splitlines()[problem.primary.span.line - 1]
    assert line.startswith(name)
    assert "=" in line


def test_what_is_as_long_as_is_said_is_right(here: Session) -> None:
    assert here["signed"](THREE).tolist() == [0, 1, 2]
    assert here["fewer"](TWO).tolist() == [0, 1, 1]
    assert here["summed"](THREE).tolist() == [0, 2, 4]
    assert here["mapped"](THREE).tolist() == [3, 3]
    assert here["chosen"](False, TWO) == 0
    assert here["grown"](0.0).tolist() == [0, 1, 2]
    _, pullback = here["grown"].vjp({}, 0.0)
    assert pullback(THREE)[1] == 3
    leaf, node = here.constructor("Leaf"), here.constructor("Node")
    assert here["leaves"](node(leaf(1.0), node(leaf(2.0), leaf(3.0)))).tolist() == [1, 2, 3]
    with pytest.raises(NnfpError, match="has 2 elements, and its type says 3"):
        here["leaves"](node(leaf(1.0), leaf(2.0)))


def test_examples_of_a_batch_are_looked_at_each(here: Session) -> None:
    weighted = here["weighted"]
    made = weighted.batch([THREE, THREE + 1])
    numpy.testing.assert_allclose(made[1], weighted(THREE + 1))
    with pytest.raises(NnfpError, match=r"not 3 elements(.|\n)*example 1 of the batch"):
        weighted.batch([THREE, TWO])


JOINS = """several x y = concat [(x : [R]), (y : [R])]

five : R[3] -> R[2] -> R[5]
five x y = several x y

six : R[3] -> R[2] -> R[6]
six x y = several x y

more x = ([x] : [R]) ++ [x]

less xs = fold (\\(s, a) -> (drop[1] s : [R])) xs [1, 2]

branch x = if x > 0 then [x, x, x] else ([x] : [R])

branches x = if x > 0 then [x, x, x] else more x

ragged x = [[x, x, x], more x]

twice : [R] -> [R]
twice xs = xs ++ xs

tied : R[2] ~> R[2]
tied x = ?W @ twice (take[1] x) + ?W @ x
"""


def test_what_may_be_of_any_length_says_so() -> None:
    session = Session(precision=64, seed=0)
    session.run(JOINS)
    types = {
        "several": "[R] -> [R] -> [R]",
        "more": "R -> [R]",
        "branch": "R -> [R]",
        "branches": "R -> [R]",
        "ragged": "R -> [R][2]",
    }
    assert {name: session[name].type for name in types} == types
    assert session["less"].type.endswith("-> [R]")
    assert session["five"](THREE, TWO).tolist() == [0, 1, 2, 0, 1]
    with pytest.raises(NnfpError, match="6 elements"):
        session["six"](THREE, TWO)
    assert len(session["less"](numpy.arange(5.0))) == 3
    assert [len(session["branches"](x)) for x in (1.0, -1.0)] == [3, 2]
    weights = session.weights["tied"]["W"]
    wanted = weights @ numpy.array([2.0, 3.0])
    numpy.testing.assert_allclose(session["tied"](numpy.array([1.0, 2.0])), wanted)


TREES = "data Tree a = Leaf a | Node (Tree a) (Tree a)\n"


def test_a_type_around_an_applied_algebra_is_that_of_its_results() -> None:
    session = Session(precision=64)
    algebra = "cata { Leaf x -> [x]; Node l r -> l ++ r }"
    session.run(
        f"{TREES}f t = ({algebra} t : [R])\n\ng : Tree R -> [R]\ng t = {algebra} t\n\n"
        f"h t = (t |> {algebra} : [R])\n\n"
        "k t = sum (cata { Leaf x -> [x]; Node l r -> (l ++ r : [R]) } t)"
    )
    assert [session[name].type for name in "fgh"] == ["Tree R -> [R]"] * 3
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    tree = node(leaf(1.0), node(leaf(2.0), leaf(3.0)))
    assert session["f"](tree).tolist() == [1, 2, 3]
    assert session["k"](tree) == 6
    out = r"(?s)a\[2\], and _a\[1\] is expected.*\(cata \{ … \} : Tree a -> \[a\]\)"
    with pytest.raises(NnfpError, match=out):
        session.run(f"wrong t = sum ({algebra} t)")
