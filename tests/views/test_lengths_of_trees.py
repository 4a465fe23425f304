"""Derivatives of catamorphisms whose results have a length that only the tree knows, as text
that runs; what they compute is judged by differences, by jax.vjp and by the adjoint law."""

from __future__ import annotations

import re
from typing import Any

import jax
import numpy
import pytest
from programs import judges
from soak import FACTOR
from views.roundtrip import check

from nnfp_kernel import NnfpError, Session
from nnfp_kernel.views.terms import derivative_definition

TREES = """
data Tree a = Leaf a | Node (Tree a) (Tree a)
data Rose a = Rose a [Rose a]
data List a = Nil | Cons a (List a)
reduce = cata { Leaf x -> x * x; Node l r -> sin l * r }
flat : Tree R -> [R]
flat = cata { Leaf x -> [x * x]; Node l r -> l ++ r }
"""
PROGRAMS = {
    "joined": "f : Tree R -> [R]\nf = cata { Leaf x -> [x]; Node l r -> l ++ r }",
    "with what moves around": (
        "f : (Tree R, R) -> [R]\nf (t, c) = g t where\n  g : Tree R -> [R]\n"
        "  g = cata { Leaf x -> [c * x, x]; Node l r -> map (\\y -> y * c) l ++ reverse r }"
    ),
    "children joined": "f : Rose R -> [R]\nf = cata { Rose x rs -> [x * x] ++ concat rs }",
    "children joined, in a loop": (
        "f : Rose R -> R\nf t = fold (\\(s, x) -> s * x + sin x) 1 (g t) where\n  g : Rose R -> [R]\n"
        "  g = cata { Rose x rs -> concat (map (\\r -> map (\\y -> x * y) r) rs) ++ [sin x] }"
    ),
    "children joined, and squared": (
        "f : Rose R -> [R]\n"
        "f = cata { Rose x rs -> [x * sum (concat rs)] ++ map square (concat rs) }"
    ),
    "the other children's mean": (
        "f : Tree R -> [R]\nf = cata { Leaf x -> [x, 3]; Node l r -> [mean l] ++ map square r }"
    ),
    "one more each time": (
        "f : List R -> [R]\nf = cata { Nil -> []; Cons x xs -> [x * x] ++ xs * x }"
    ),
    "beside a number": (
        "f : Tree R -> ([R], R)\nf = cata { Leaf x -> ([x], x)\n"
        "  ; Node (xs, a) (ys, b) -> (map (\\x -> x * b) xs ++ ys, a * b) }"
    ),
    "beside a tree": (
        "f : Tree R -> ([R], Tree R)\nf = cata { Leaf x -> ([x], Leaf (sin x))\n"
        "  ; Node (xs, l) (ys, r) -> (ys ++ [reduce l] ++ xs, Node r l) }"
    ),
    "of pairs": (
        "f : Tree R -> [(R, R)]\n"
        "f = cata { Leaf x -> [(x, sin x)]; Node l r -> map (\\(x, y) -> (y, x * y)) l ++ r }"
    ),
    "of vectors": (
        "f : (Tree R, R[2]) -> [R[2]]\n"
        "f (t, v) = (cata { Leaf x -> [x * v]; Node l r -> map (\\u -> u * (l ! 0)) r ++ l }"
        " : Tree R -> [R[2]]) t"
    ),
    "a loop at a node": (
        "f : Tree R -> [R]\nf = cata { Leaf x -> [x, sin x]\n"
        "  ; Node l r -> scan (\\(s, x) -> s * x) (sum r) l ++ r }"
    ),
    "as long as the other": (
        "f : Tree R -> [R]\nf = cata { Leaf x -> [x, x * x]; Node l r -> l * r + sum l }"
    ),
    "of nothing": "f : Tree R -> [R]\nf = cata { Leaf x -> []; Node l r -> [1] ++ l ++ r * 2 }",
    "together": "f : Tree R -> R\nf t = dot (flat t) (reverse (flat (mapData sin t)))",
    "in a map of that length": "f : Tree R -> [R]\nf t = softmax (flat t)",
    "all with all": (
        "data Sum = Var R | Add Sum Sum | Mul Sum Sum | Neg Sum\nf : Sum -> [R]\n"
        "f = cata { Var x -> [x]; Add a b -> a ++ b; Neg a -> -a\n"
        "  ; Mul a b -> concat (map (\\x -> map (\\y -> x * y) b) a) }"
    ),
    "gone through again": (
        "f : Tree R -> R\nf t = let xs = flat t in fold (\\(s, x) -> sin (s * x)) 1 xs * mean xs"
    ),
    "two zipped": (
        "f : (Tree R, Tree R) -> [R]\nf (t, u) = zipWith (\\(x, y) -> x * y) (flat t, flat u)"
    ),
    "two zipped, one by means": (
        "f : (Tree R, Tree R) -> [R]\nf (t, u) = flat t * g u where\n  g : Tree R -> [R]\n"
        "  g = cata { Leaf x -> [x]; Node l r -> l ++ r * mean r }"
    ),
    "two joined": "f : (Tree R, Tree R) -> [R]\nf (t, u) = flat t ++ sin (flat u)",
    "parts": (
        "f : (Tree R, R) -> R\nf (t, c) = let xs = [c] ++ flat t ++ [c * c]\n"
        "  in sum (zipWith (\\(x, y) -> sin (x * y)) (drop[2] xs, reverse (flat t)))\n"
        "     * last (flat t) * head (flat t)"
    ),
    "the payload around": (
        "f : Tree R -> [R]\nf t = let xs = payload t in\n"
        "  cata { Leaf v -> v * xs; Node l r -> tanh (l + r) } t"
    ),
    "the payload around, a number": (
        "f : Tree R -> R\n"
        "f t = let xs = payload t in cata { Leaf v -> mean (v * xs); Node l r -> l * r } t"
    ),
    "two around, joined": (
        "f : (Tree R, Tree R) -> [R]\nf (t, u) = let xs = [1] ++ payload t ++ flat u in\n"
        "  cata { Leaf v -> v * xs; Node l r -> l * r } t"
    ),
    "the payload around, in a loop": (
        "f : (Tree R, [R]) -> R\nf (t, cs) = let xs = payload t in\n"
        "  fold (\\(s, c) -> (cata { Leaf v -> v * sum (xs * c) * s; Node l r -> l * r }) t) 1 cs"
    ),
    "the payload around each": (
        "f : ([Tree R], Tree R) -> [R]\nf (ts, u) = let xs = payload u in\n"
        "  map (cata { Leaf v -> v * sum xs; Node l r -> l * r }) ts"
    ),
    "the payload around, twice": (
        "f : Tree R -> Tree R\nf t = adjoint (derivative (\\u -> let xs = payload u in\n"
        "  (cata { Leaf v -> v * sum xs; Node l r -> l * r }) u) t) 1"
    ),
    "the payload around trees": (
        "f : Tree R -> (Tree R, R)\nf t = let xs = payload t in\n"
        "  cata { Leaf v -> (Leaf (v * sum xs), v); Node (l, a) (r, b) ->\n"
        "    (Node (mapData (\\x -> x * sum xs) r) l, a * b * reduce l) } t"
    ),
    "rows of payload around": (
        "f : Tree R[2] -> R[2]\n"
        "f t = let xs = payload t in cata { Leaf v -> sum xs * v; Node l r -> tanh (l + r) } t"
    ),
    "of the payload, joined": "f : (Tree R, Tree R) -> [R]\nf (t, u) = payload t ++ flat u",
    "of each of a sequence": (
        "f : ([Tree R], R) -> [R]\n"
        "f (ts, c) = concat (map (\\t -> map (\\x -> sin (c * x)) (flat t)) ts)"
    ),
    "of each, with what moves around": (
        "f : ([Tree R], R) -> [R]\nf (ts, c) = concat (map g ts) where\n  g : Tree R -> [R]\n"
        "  g = cata { Leaf x -> [c * x, x]; Node l r -> map (\\y -> y * c) l ++ reverse r }"
    ),
    "of each, two": (
        "f : [Tree R] -> R\nf ts = sum (map (\\t -> dot (flat t) (sin (flat t))) ts)\n"
        "  * sum (concat (map flat ts))"
    ),
    "of each, for a state": (
        "f : [Tree R] -> R\nf ts = fold (\\(s, t) -> s * sum (flat t) + s) 1 ts"
    ),
    "of each, twice": (
        "f : ([Tree R], [Tree R]) -> [R]\nf (ts, us) = concat (map flat ts) ++ concat (map flat us)"
    ),
    "of each in a field": (
        "data Wood = Wood [Tree R]\nf : Wood -> [R]\n"
        "f w = case w of { Wood ts -> concat (map flat ts) }"
    ),
    "of a tree for payload": (
        "f : Rose (Tree R) -> [R]\nf = cata { Rose t rs -> flat t ++ concat rs }"
    ),
    "windows": "f t = sum (window[2] (\\w -> w ! 0 * w ! 1) ([3] ++ flat t))",
    "made of two lengths": (
        "f : (Tree R, Tree R) -> R\nf (t, u) = let xs = flat t ++ payload u\n"
        "  in mean (window[2] (\\w -> w ! 0 * w ! 1) xs) * last xs + xs ! 1"
    ),
    "windows of two, with a few between": (
        "g : R[2] -> R\ng w = w ! 0 * w ! 1\nf : (Tree R, Tree R) -> [R]\n"
        "f (t, u) = window[2] g (flat t ++ [1, 2] ++ flat u)"
    ),
    "softmax of two": "f : (Tree R, Tree R) -> [R]\nf (t, u) = softmax (flat t ++ flat u)",
    "two payloads in a loop": (
        "f : (Tree R, Tree R, R[3]) -> R[3]\nf (t, u, c) =\n"
        "  map (\\x -> sum (map (\\y -> sin (x * y)) (payload t ++ payload u))) c"
    ),
    "a case on what was made": (
        "f : (Tree R, R) -> [R]\nf (t, c) = case t + c * t of\n"
        "  { Leaf x -> [x, c]; Node l r -> [reduce l] ++ [reduce r, c * c, reduce l] }"
    ),
    "a case on an argument": (
        "f : Tree R -> [R]\nf t = case t of { Leaf x -> [x]; Node l r -> flat l }"
    ),
}
QUICK = (  # the others are tried by `make soak`
    "with what moves around",
    "children joined",
    "together",
    "of each of a sequence",
    "made of two lengths",
    "two payloads in a loop",
    "the payload around",
    "the payload around each",
)


@pytest.mark.parametrize("case", PROGRAMS if FACTOR > 1 else QUICK)
def test_what_a_tree_makes_of_any_length_has_a_derivative_in_the_language(case: str) -> None:
    session = Session(precision=64)
    session.run(TREES + PROGRAMS[case])
    check(session, session["f"])


def test_a_length_that_a_type_leaves_to_the_run_is_written_with_the_recurrence() -> None:
    session = Session(precision=64)
    session.run(TREES)
    text = str(derivative_definition(session["flat"], adjoint=True))
    assert "flatAdjoint : Tree R -> ([R] -o Tree R)" in text
    assert ": ([R], Tree R -o [R]))" in text


def test_a_length_around_a_tree_is_told_by_a_point_and_no_other_is() -> None:
    session = Session(precision=64)
    session.run(
        "data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "f : (Tree R, R[6]) -> R\n"
        "f (t, c) = let xs = payload t; a = (cata { Leaf v -> v * sum xs; Node l r -> l * r }) t in\n"
        "  a * (cata { Leaf v -> v * sum c; Node l r -> l + r }) t"
    )
    text = str(derivative_definition(session["f"], adjoint=True))
    (told,) = re.findall(r"adjoint \(derivative \w+ \((.*?), (.*?)\)\)", text)
    assert told == ("xs", "t")
    assert len(re.findall(r"adjoint dy\w* ", text)) == 1


def test_a_size_that_no_sequence_has_is_refused_with_the_reason() -> None:
    session = Session(precision=64)
    session.run(TREES + "f t = sum (window[2, stride=2] (\\w -> w ! 0 * w ! 1) (flat t))")
    with pytest.raises(NnfpError) as caught:
        derivative_definition(session["f"], adjoint=True)
    assert "of no sequence by itself" in caught.value.diagnostics[0].primary.text


def test_a_length_that_has_to_be_another_is_refused_with_the_reason() -> None:
    session = Session(precision=64)
    session.run(
        "data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "f : Tree R -> [R]\nf t = let xs = payload t; m = map (\\x -> sin (x * xs)) xs in\n"
        "  cata { Leaf v -> v * xs; Node l r -> m @ (l + r) } t"
    )
    with pytest.raises(NnfpError) as caught:
        derivative_definition(session["f"], adjoint=True)
    assert "it has to be that of something else" in caught.value.diagnostics[0].primary.text


def test_of_two_lengths_that_agree_no_third_is_told() -> None:
    session = Session(precision=64)
    session.run(
        TREES + "f : (Tree R, Tree R, Tree R) -> R\n"
        "f (t, u, v) = dot (flat t) (flat u) * mean (flat v)"
    )
    with pytest.raises(NnfpError) as caught:
        derivative_definition(session["f"])
    assert "several sequences, two of which agree" in caught.value.diagnostics[0].primary.text


def test_what_is_made_of_a_tree_twice_is_written_once() -> None:
    session = Session(precision=64)
    session.run(TREES + PROGRAMS["parts"])
    assert str(derivative_definition(session["f"], adjoint=True)).count("treeRecurrence") == 1


def some_tree(session: Session) -> Any:
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    return node(node(leaf(0.3), leaf(-1.2)), node(leaf(0.7), node(leaf(2.0), leaf(0.4))))


def some_rose(session: Session) -> Any:
    rose = session.constructor("Rose")
    return rose(0.5, [rose(1.5, []), rose(-0.3, [rose(0.8, []), rose(1.1, [])])])


@pytest.mark.parametrize(
    ("case", "tree"),
    [("the other children's mean", some_tree), ("children joined", some_rose)],
)
def test_what_is_computed_agrees_with_differences_and_with_jax(case: str, tree: Any) -> None:
    session = Session(precision=64)
    session.run(TREES + PROGRAMS[case])
    function, at = session["f"], tree(session)

    def value(given: Any) -> Any:
        return function.apply({}, given)

    with jax.disable_jit():
        flat, reals = judges.flat_function(value, (at,))
        rng = numpy.random.default_rng(1)
        direction = [rng.normal(size=numpy.shape(x)) for x in reals]
        cotangent = rng.normal(size=numpy.shape(value(at)))
        moved = judges.put(at, iter(direction))
        _, tangent = function.jvp(({}, at), ({}, moved))
        _, pullback = function.vjp({}, at)
        _, gradient = pullback(cotangent)
        _, theirs = jax.vjp(value, at)
    expected = judges.inner([cotangent], [tangent])
    assert judges.inner(judges.parts(gradient), direction) == pytest.approx(expected, rel=1e-12)
    along = judges.directional(flat, reals, direction, [cotangent])
    assert along == pytest.approx(expected, rel=1e-8)
    for ours, other in zip(judges.parts(gradient), jax.tree.leaves(theirs(cotangent)), strict=True):
        numpy.testing.assert_allclose(ours, other, rtol=1e-12)


def test_a_cotangent_of_another_length_is_a_mistake_that_is_told() -> None:
    session = Session(precision=64)
    with pytest.raises(NnfpError) as caught:
        session.run(TREES + "adjoint (derivative flat (Node (Leaf 1) (Leaf 2))) [1, 2, 3]")
    (told,) = caught.value.diagnostics
    assert told.title == "a linear map from R[2] is given R[3]"
    assert told.primary.span.text.startswith("adjoint")
