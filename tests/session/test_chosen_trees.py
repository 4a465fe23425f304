"""Trees that a condition chooses at run time: whatever is made of one is made of the tree that
was chosen, and the other one contributes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from programs import judges
from views.roundtrip import check

import nnfp_kernel as nnfp
from nnfp_kernel.graph import choices
from nnfp_kernel.runtime.data import DataValue
from nnfp_kernel.runtime.training.events import Progress
from nnfp_kernel.runtime.training.objective import objective_of
from nnfp_kernel.runtime.training.train import train

PROGRAM = """
data Tree a = Leaf a | Node (Tree a) (Tree a)
data Way = This | That | Both R

total : Tree R -> R
total = cata { Leaf x -> x ; Node l r -> tanh (l + 2 * r) }

count : Tree R -> R
count = cata { Leaf x -> 1 ; Node l r -> l + r }

pick : R -> Tree R -> Tree R -> Tree R
pick c t u = if c > 0 then t else u

-- What is made in a branch is made only there: of its root there is no derivative at -1.
made : R -> Tree R -> Tree R -> Tree R
made c t u = if c > 0 then Node t (Leaf (sqrt c)) else u

way : Way -> Tree R -> Tree R -> R
way w t u = total (case w of { This -> t ; That -> u ; Both x -> Node (Leaf x) (Node t u) })

-- Everything that a tree may be asked.
asked : R -> Tree R -> Tree R -> R
asked c t u = total p * dot p p + foldData (\\(a, x) -> sin (a + x)) 0 p
    + (case p of { Leaf x -> x * x ; Node l r -> total l * count r })
    + para (\\n -> case n of { LeafF x -> x ; NodeF (a, x) (b, y) -> x + y * count b }) p
    + sum (map square (payload p))
  where
    p = made c t u

once : R -> Tree R -> Tree R -> R
once c t u = total (made c t u)

twice : R -> Tree R -> Tree R -> R
twice c t u = total (made c t u) * total (made c u t)

stepped : R -> Tree R -> Tree R -> Tree R
stepped c t u = pick c t u - 0.1 * grad total (pick c t u)

parted : R -> Tree R -> Tree R -> (R, Tree R, R)
parted c t u = if c > 0 then (c, t, 1) else (2 * c, Node u u, 0)

mapped : R -> Tree R -> Tree R -> R
mapped c t u = sum (map (\\x -> total (if x > 0 then t else Node (Leaf x) u)) [c, 1, -1])

bigger : (Tree R, Tree R) -> Tree R
bigger (a, b) = if count b > count a then b else a

biggest : Tree R -> Tree R -> R
biggest t u = total (fold bigger (Leaf 0) [t, u, Node t t])

-- Chosen inside of others, and lists of them.
inside : R -> Tree R -> Tree R -> Tree R
inside c t u = mapData square (Node (pick c t u) (Node u (pick c u t)))

listed : R -> Tree R -> Tree R -> [Tree R]
listed c t u = if c > 0 then [t] else [u, Leaf c]

paired : R -> Tree R -> Tree R -> R
paired c t u = sum (zipWith (\\(a, b) -> total a * count b) (listed c t u, listed c u t))

data Rose = Rose R [Rose]

rose : R -> R
rose c = (cata { Rose x xs -> x + sum xs }) (Rose c roses)
  where
    roses : [Rose]
    roses = if c > 0 then [Rose 1 []] else [Rose c [], Rose 2 [Rose c []]]

-- Chosen at every node, by what was chosen below it.
pruned : R -> Tree R -> Tree R
pruned c = cata { Leaf x -> Leaf x ; Node l r -> if total r > c then l else Node l r }

kept : R -> Tree R -> R
kept c t = total (pruned c t)

grown : R -> Tree R
grown s = case ana[3] (\\s -> if s > 1 then NodeF (s / 2) (s / 3) else LeafF s) s of
  { Leaf x -> Leaf (sin x) ; Node l r -> Node r l }

model : R -> Tree R -> Tree R ~> R
model c t u = (cata { Leaf x -> ?w * x ; Node l r -> tanh (?a * l + ?b * r) })
  (if c > 0 then t else Node t u)

loss : (R, Tree R, Tree R, R) ~> R
loss (c, t, u, y) = squaredError (model c t u) y
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    session = nnfp.Session(precision=64)
    session.run(PROGRAM)
    return session


TREES = st.recursive(
    st.floats(-2, 2, allow_subnormal=False).map(lambda x: ["Leaf", x]),
    lambda inner: st.tuples(st.just("Node"), inner, inner).map(list),
    max_leaves=5,
).map(nnfp.tree)
SIDES = st.sampled_from([-1.3, 0.7])


def leaf(x: float) -> DataValue:
    return DataValue("Leaf", (x,))


def node(left: Any, right: Any) -> DataValue:
    return DataValue("Node", (left, right))


T = node(leaf(0.5), node(leaf(-1.0), leaf(0.25)))
U = node(leaf(1.5), leaf(-0.75))


def payload(tree: Any) -> list[float]:
    if tree.constructor == "Leaf":
        return [float(tree.fields[0])]
    return payload(tree.fields[0]) + payload(tree.fields[1])


def total(tree: Any) -> float:
    if tree.constructor == "Leaf":
        return float(tree.fields[0])
    left, right = map(total, tree.fields)
    return math.tanh(left + 2 * right)


def count(tree: Any) -> int:
    return len(payload(tree))


def shape(tree: Any) -> Any:
    return None if tree.constructor == "Leaf" else tuple(map(shape, tree.fields))


def weighed(tree: Any) -> float:
    """The paramorphism of the program."""
    if tree.constructor == "Leaf":
        return float(tree.fields[0])
    left, right = tree.fields
    return weighed(left) + weighed(right) * count(right)


def made(c: float, t: Any, u: Any) -> Any:
    return node(t, leaf(math.sqrt(c))) if c > 0 else u


def asked(c: float, t: Any, u: Any) -> float:
    p, along = made(c, t, u), 0.0
    for x in payload(p):
        along = math.sin(along + x)
    root = total(p) ** 2
    if p.constructor == "Node":
        root = total(p.fields[0]) * count(p.fields[1])
    squares = sum(x * x for x in payload(p))
    return total(p) * squares + along + root + weighed(p) + squares


def same(one: Any, other: Any) -> None:
    """Trees of one shape with the same payload."""
    assert shape(one) == shape(other)
    assert_allclose(payload(one), payload(other), rtol=1e-9, atol=1e-11)


# --- what is made of the tree that was chosen ----------------------------------------------------


@settings(max_examples=3, deadline=None)
@given(SIDES, TREES, TREES)
def test_what_is_made_of_a_chosen_tree_is_made_of_that_tree(session, c, t, u):
    wanted = total(made(c, t, u)) * total(made(c, u, t))
    assert float(session["twice"](c, t, u)) == pytest.approx(wanted, rel=1e-9)


def test_whatever_is_asked_of_a_chosen_tree_is_asked_of_that_tree(session):
    for c in (-1.3, 0.7):
        assert float(session["asked"](c, T, U)) == pytest.approx(asked(c, T, U), rel=1e-9)


@settings(max_examples=2, deadline=None)
@given(SIDES, TREES, TREES)
def test_the_answer_is_the_tree_that_was_chosen(session, c, t, u):
    same(session["pick"](c, t, u), t if c > 0 else u)
    same(session["made"](c, t, u), made(c, t, u))
    number, tree, tag = session["parted"](c, t, u)
    same(tree, t if c > 0 else node(u, u))
    assert (float(number), float(tag)) == ((c, 1) if c > 0 else (2 * c, 0))


def test_a_constructor_chooses_among_several(session):
    t, u = node(leaf(0.5), leaf(-1.0)), leaf(2.0)
    ways = DataValue("This", ()), DataValue("That", ()), DataValue("Both", (3.0,))
    trees = t, u, node(leaf(3.0), node(t, u))
    for way, tree in zip(ways, trees, strict=True):
        assert float(session["way"](way, t, u)) == pytest.approx(total(tree))
    alone, shown = session.run(
        "pick 1 (Leaf 1) (Node (Leaf 2) (Leaf 3))\n\npick (-1) (Leaf 1) (Node (Leaf 2) (Leaf 3))"
    ).outputs
    assert [str(each.value) for each in (alone, shown)] == [
        "(Leaf 1.0)", "(Node (Leaf 2.0) (Leaf 3.0))",
    ]  # fmt: skip


def test_trees_are_chosen_in_a_map_in_a_fold_and_at_every_node(session):
    t, u = node(leaf(0.5), node(leaf(-1.0), leaf(0.25))), leaf(2.0)
    wanted = total(t) + total(t) + total(node(leaf(-1.0), u))
    assert float(session["mapped"](0.3, t, u)) == pytest.approx(wanted)
    assert float(session["biggest"](t, u)) == pytest.approx(total(node(t, t)))

    def pruned(c: float, tree: Any) -> Any:
        if tree.constructor == "Leaf":
            return tree
        left, right = (pruned(c, child) for child in tree.fields)
        return left if total(right) > c else node(left, right)

    chain = leaf(1.0)
    for k in range(9):  # linear in the depth: what stands in both branches is made once
        chain = node(chain, leaf(k / 9))
    same(session["pruned"](0.5, chain), pruned(0.5, chain))
    assert float(session["kept"](0.5, chain)) == pytest.approx(total(pruned(0.5, chain)))


def test_trees_are_chosen_inside_of_others_and_in_lists(session):
    for c, t, u in ((1.0, T, U), (-1.0, T, U)):
        chosen, other = (t, u) if c > 0 else (u, t)
        whole = node(chosen, node(u, other))
        found = session["inside"](c, t, u)
        assert shape(found) == shape(whole)
        assert_allclose(payload(found), numpy.square(payload(whole)))
        ones, others = ([t], [u]) if c > 0 else ([u, leaf(c)], [t, leaf(c)])
        wanted = sum(total(a) * count(b) for a, b in zip(ones, others, strict=True))
        assert float(session["paired"](c, t, u)) == pytest.approx(wanted)
        assert len(session["listed"](c, t, u)) == len(ones)
        assert float(session["rose"](c)) == pytest.approx(c + (1 if c > 0 else 2 * c + 2))


def test_a_grown_tree_is_chosen_by_its_constructor(session):
    same(session["grown"](2.0), node(leaf(2 / 3), leaf(1.0)))
    same(session["grown"](0.5), leaf(math.sin(0.5)))
    assert float(session["grown"].jvp(({}, 0.5), ({}, 1.0))[1].fields[0]) == pytest.approx(
        math.cos(0.5)
    )


# --- in a batch ----------------------------------------------------------------------------------


def test_a_batch_of_trees_of_any_shape_gives_what_each_gives(session):
    random = numpy.random.default_rng(3)
    trees = [some_tree(random, n) for n in (1, 4, 2)]
    sides = [1.0, -1.0, 2.0]
    others = trees[::-1]
    f = session["made"]
    for answer, *each in zip(f(sides, trees, others), sides, trees, others, strict=True):
        same(answer, made(*each))
    twice, wanted = session["twice"], []
    for c, t, u in zip(sides, trees, others, strict=True):
        wanted.append(total(made(c, t, u)) * total(made(c, u, t)))
    values, pullback = twice.vjp({}, sides, trees, others)
    assert_allclose(values, wanted, rtol=1e-9)
    _, dsides, dtrees, dothers = pullback([1.0] * len(sides))
    for k in (1, 2):
        alone = twice.vjp({}, sides[k], trees[k], others[k])[1](1.0)
        assert_allclose(dsides[k], alone[1], rtol=1e-9)
        same(dtrees[k], alone[2])
        same(dothers[k], alone[3])


def some_tree(random: numpy.random.Generator, leaves: int) -> DataValue:
    if leaves == 1:
        return leaf(float(random.normal()))
    k = int(random.integers(1, leaves))
    return node(some_tree(random, k), some_tree(random, leaves - k))


def test_trees_of_other_shapes_run_what_is_compiled(session):
    f, random = session["twice"], numpy.random.default_rng(5)
    calls = {
        id(f.calls.of((0.7, some_tree(random, n), some_tree(random, m)))[0])
        for n, m in ((7, 6), (6, 8), (8, 7))
    }
    assert len(calls) == 1


# --- derivatives ---------------------------------------------------------------------------------


def judged(function: Callable[..., Any], c: float, t: Any, u: Any, theirs: bool = True) -> None:
    """<Lu, v> = <u, L† v>, differences, and jax.vjp of the lowered program."""
    random = numpy.random.default_rng(7)
    value, pullback = function.vjp({}, c, t, u)

    def like(each: Any) -> Any:
        return judges.put(
            each, iter([random.normal(size=numpy.shape(a)) for a in judges.parts(each)])
        )

    moved, cotangent = [like(each) for each in (c, t, u)], like(value)
    _, tangent = function.jvp(({}, c, t, u), ({}, *moved))
    pulled = judges.parts(pullback(cotangent)[1:])
    one = judges.inner(judges.parts(tangent), judges.parts(cotangent))
    assert one == pytest.approx(judges.inner(judges.parts(tuple(moved)), pulled), rel=1e-9)
    flat, at = judges.flat_function(lambda *each: function.apply({}, *each), (c, t, u))
    along = judges.directional(flat, at, judges.parts(tuple(moved)), judges.parts(cotangent))
    assert one == pytest.approx(along, rel=1e-6, abs=1e-8)
    if theirs:
        _, back = jax.vjp(flat, *[jax.numpy.asarray(a) for a in at])
        assert_allclose(
            judges.inner(judges.parts(tuple(moved)), back(judges.parts(cotangent))), one
        )


@pytest.mark.parametrize("c", [-1.3, 0.7])
def test_derivatives_are_those_of_the_tree_that_was_chosen(session, c):
    judged(session["asked"], c, T, U)
    judged(session["parted"], c, T, U, theirs=False)


def test_the_tree_that_was_not_chosen_contributes_nothing_not_even_nan(session):
    t, u = node(leaf(0.5), leaf(2.0)), leaf(-1.5)
    _, gradient, dt, du = session["twice"].vjp({}, -1.0, t, u)[1](1.0)
    assert float(gradient) == 0
    same(dt, node(leaf(float(dt.fields[0].fields[0])), leaf(float(dt.fields[1].fields[0]))))
    assert all(map(math.isfinite, (*payload(dt), *payload(du))))
    _, (at, *_) = session["twice"].vjp({}, [-1.0, 2.0], [t, t], [u, u])[1]([1.0, 1.0])[:2]
    assert float(at) == 0


def test_derivatives_at_a_chosen_tree_are_written_in_the_language(session):
    for c, tree in ((1.0, T), (-1.0, U)):
        gradient = session["total"].vjp({}, tree)[1](1.0)[1]
        stepped = [x - 0.1 * d for x, d in zip(payload(tree), payload(gradient), strict=True)]
        found = session["stepped"](c, T, U)
        assert shape(found) == shape(tree)
        assert_allclose(payload(found), stepped, rtol=1e-9)


def test_a_model_that_chooses_its_tree_is_trained(session):
    random = numpy.random.default_rng(6)
    trees = [some_tree(random, int(n)) for n in random.integers(1, 6, size=12)]
    sides = random.choice([-1.0, 1.0], size=12)

    def taught(tree: Any) -> float:
        if tree.constructor == "Leaf":
            return 0.5 * float(tree.fields[0])
        left, right = map(taught, tree.fields)
        return math.tanh(left - right)

    chosen = [t if c > 0 else node(t, t) for c, t in zip(sides, trees, strict=True)]
    labels = numpy.array(list(map(taught, chosen)))
    events = train(
        objective_of(session["loss"]), session.weights, (sides, trees, trees, labels),
        steps=60, batch=12, rate=0.05,
    )  # fmt: skip
    losses = [value for each in events if isinstance(each, Progress) for value in each.losses]
    assert len(losses) == 60
    assert losses[-1] < 0.2 * losses[0]


# --- as text -------------------------------------------------------------------------------------


def test_what_is_made_of_a_chosen_tree_has_a_derivative_as_text(session):
    check(session, session["once"], inputs=[0.7, node(leaf(0.5), leaf(-1.0)), leaf(0.25)])
    for name in ("made", "kept"):
        assert "a tree that a condition chooses" in str(session[name].derivative())


# --- what is told --------------------------------------------------------------------------------


def told(session: nnfp.Session, program: str) -> str:
    with pytest.raises(nnfp.NnfpError) as told:
        session.run(program)
    return str(told.value)


def test_trees_that_go_together_are_chosen_by_one_condition(session, monkeypatch):
    given = "(Leaf 1) (Node (Leaf 2) (Leaf 3))"
    found = told(session, f"apart c t u = dot (pick c t u) (pick (2 * c) t u)\n\napart 1 {given}")
    assert "the trees differ in shape" in found
    assert "Trees that go together are chosen" in found
    found = told(
        session, f"state c t u = iterate[3] (\\s -> pick c s (Node s u)) t\n\nstate 1 {given}"
    )
    assert "a tree cannot be an element or a state here" in found
    monkeypatch.setattr(choices, "MOST_LOOKS", 3)
    found = told(session, f"many c t u = asked c t u\n\nmany 1 {given}")
    assert "too many conditions" in found
