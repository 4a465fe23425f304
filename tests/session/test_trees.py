"""Trees grown and reduced: `ana`, `hylo`, `para`, and the payload as a functor."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soak import examples

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.data import DataValue

PROGRAM = """
data Tree a = Leaf a | Node (Tree a) (Tree a)
data List a = Nil | Cons a (List a)
data Term = Number R | Minus Term | Plus Term Term R
data Rose a = Rose a [Rose a]
data Pair a = Pair a (a, R) [a]

total = cata { Leaf x -> x; Node l r -> l + r }
leaves : Tree a -> R
leaves = cata { Leaf _ -> 1; Node l r -> l + r }
add layer = case layer of { LeafF x -> x; NodeF l r -> l + r }
split s = if s > 1 then NodeF (0.5 * s) (0.3 * s) else LeafF (log s)

grown : R -> Tree R
grown = ana[4] split
grownTotal : R -> R
grownTotal = ana[4] split >> total
hyloTotal : R -> R
hyloTotal = hylo[4] add split

weigh layer = case layer of { LeafF x -> x; NodeF (a, x) (b, y) -> x * leaves a + y * leaves b }
weighed : Tree R -> R
weighed = para weigh
grownWeighed : R -> R
grownWeighed = ana[4] split >> para weigh
forgetful : Tree R -> R
forgetful = para (\\layer -> case layer of { LeafF x -> x; NodeF (_, x) (_, y) -> x + y })

squared : Tree R -> Tree R
squared = mapData square
grownSquared : R -> R
grownSquared = ana[4] split >> mapData square >> total
grownRoot s = case grown s of { Leaf x -> x; Node (Leaf x) _ -> 10 * x; Node l r -> total r }

taken : R -> List R
taken = ana[5] (\\s -> if s < 0.9 then NilF else ConsF (log (s - 0.8)) (s - 0.1))
listTotal : R -> R
listTotal = taken >> cata { Nil -> 0; Cons x s -> 2 * s + x }

term s = if s > 2 then PlusF (s / 2) (s / 3) s else if s > 1 then MinusF (s / 2) else NumberF s
value = cata { Number x -> x; Minus x -> 0 - x; Plus x y w -> x * y + w }
termValue : R -> R
termValue = ana[3] term >> value
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(PROGRAM)
    return made


def numbers(tree: Any) -> list[float]:
    """The payload, from left to right."""
    if tree.constructor == "Leaf":
        return [float(tree.fields[0])]
    return numbers(tree.fields[0]) + numbers(tree.fields[1])


def split(s: float, depth: int = 4) -> list[float]:
    """What `grown` has at its leaves, in plain Python; below the last level stands 0."""
    if depth == 0:
        return [0.0]
    if s > 1:
        return split(0.5 * s, depth - 1) + split(0.3 * s, depth - 1)
    return [float(numpy.log(s))]


def judged(session: nnfp.Session, name: str, x: float) -> None:
    """A derivative agrees with differences, with JAX, and with its own other direction."""
    f = session[name]
    value, pullback = f.vjp({}, x)
    gradient = float(pullback(1.0)[1])
    _, tangent = f.jvp(({}, x), ({}, 1.0))
    h = 1e-6
    difference = (float(f(x + h)) - float(f(x - h))) / (2 * h)
    _, theirs = jax.vjp(lambda x: f.apply({}, x), x)
    assert numpy.isfinite(gradient)
    assert gradient == pytest.approx(difference, rel=1e-6, abs=1e-8)
    assert gradient == pytest.approx(float(theirs(jax.numpy.ones_like(value))[0]), rel=1e-12)
    assert gradient == pytest.approx(float(tangent), rel=1e-12)


TREES = st.recursive(
    st.floats(-2, 2, allow_subnormal=False).map(lambda x: ["Leaf", x]),
    lambda inner: st.tuples(st.just("Node"), inner, inner).map(list),
    max_leaves=6,
).map(nnfp.tree)
SEEDS = st.floats(0.05, 20)


# --- growing --------------------------------------------------------------------------------------


@given(SEEDS)
def test_a_tree_is_grown_to_its_depth_and_ends_there(session: nnfp.Session, seed: float) -> None:
    assert numbers(session["grown"](seed)) == pytest.approx(split(seed), rel=1e-12)


@given(SEEDS)
def test_a_hylomorphism_is_a_cata_after_an_ana(session: nnfp.Session, seed: float) -> None:
    grown = session["grownTotal"](seed)
    assert float(session["hyloTotal"](seed)) == pytest.approx(float(grown), rel=1e-12)
    assert float(grown) == pytest.approx(sum(split(seed)), rel=1e-12)
    assert float(session["total"](session["grown"](seed))) == pytest.approx(float(grown), rel=1e-12)


@pytest.mark.parametrize("name", ["grownTotal", "hyloTotal", "grownWeighed", "grownSquared"])
@pytest.mark.parametrize("seed", [0.4, 1.7, 9.3])
def test_derivatives_pass_through_grown_trees(
    session: nnfp.Session, name: str, seed: float
) -> None:
    # The logarithm of places that no tree reaches would be NaN.
    judged(session, name, seed)


@pytest.mark.parametrize("seed", [0.4, 1.06, 1.5, 4.1, 30.0])
def test_constructors_may_have_different_numbers_of_children(
    session: nnfp.Session, seed: float
) -> None:
    def value(s: float, depth: int = 3) -> float:
        if depth == 0:
            return 0
        if s > 2:
            return value(s / 2, depth - 1) * value(s / 3, depth - 1) + s
        return -value(s / 2, depth - 1) if s > 1 else s

    assert float(session["termValue"](seed)) == pytest.approx(value(seed), rel=1e-12)
    judged(session, "termValue", seed)
    judged(session, "listTotal", seed / 10 + 0.82)


def test_a_list_is_grown_as_a_tree_with_one_child(session: nnfp.Session) -> None:
    found = session["taken"](1.15)
    steps = []
    while found.constructor == "Cons":
        steps.append(float(found.fields[0]))
        found = found.fields[1]
    assert steps == pytest.approx(numpy.log([0.35, 0.25, 0.15]), rel=1e-9)


def test_the_end_of_a_path_is_the_first_constructor_without_children(
    session: nnfp.Session,
) -> None:
    session.run(
        "cut : R -> Tree R\ncut = ana[1] (\\s -> NodeF s s)\n"
        "none : R -> Tree R\nnone = ana[0] split\n"
        "list : R -> List R\nlist = ana[2] (\\s -> ConsF s s)"
    )
    assert session["cut"](3.0) == nnfp.tree("(Node (Leaf 0) (Leaf 0))")
    assert session["none"](3.0) == nnfp.tree("(Leaf 0)")
    assert session["list"](3.0) == nnfp.tree("(Cons 3 (Cons 3 Nil))")


def test_of_a_tree_with_no_levels_the_end_is_known(session: nnfp.Session) -> None:
    """It is a value as any: its own cotangent, and taken apart by `case`."""
    session.run(
        "data Many a = Many a [(a, Many a)]\n"
        "bud : R -> Many R\nbud = ana[0] (\\s -> ManyF s [(s, s / 2), (s, s / 3)])\n"
        "beside : R -> (Tree R, R)\nbeside s = (ana[0] split s, s * s)\n"
        "inBud s = case bud s of { Many a rest -> a + toReal (length rest) + s }"
    )
    for name, gradient in {"bud": 0, "beside": 12}.items():
        value, pullback = session[name].vjp({}, 3.0)
        _, found = pullback(value if name == "bud" else (value[0], 2.0))
        assert float(found) == gradient
    assert repr(session["bud"](3.0)) == "(Many 0.0 [])"
    assert float(session["inBud"](3.0)) == 3.0


def test_a_grown_tree_is_taken_apart_by_case(session: nnfp.Session) -> None:
    assert float(session["grownRoot"](0.5)) == pytest.approx(numpy.log(0.5))
    assert float(session["grownRoot"](1.8)) == pytest.approx(10 * numpy.log(0.9))
    assert float(session["grownRoot"](3.0)) == pytest.approx(sum(split(0.9, 3)))


def test_a_tree_grows_in_a_batch_and_in_a_map(session: nnfp.Session) -> None:
    seeds = numpy.array([0.3, 1.4, 6.0])
    trees = session["grown"].batch(seeds)
    assert trees == [session["grown"](seed) for seed in seeds]
    session.run("every : R[n] -> R[n]\nevery = map grownTotal")
    numpy.testing.assert_allclose(session["every"](seeds), [sum(split(s)) for s in seeds])


def test_a_tree_in_place_of_a_batch_of_trees_is_told_apart(session: nnfp.Session) -> None:
    leaf = session.constructor("Leaf")(1.0)
    with pytest.raises(nnfp.NnfpError, match="expected a list of values of type Tree a"):
        session["total"].batch(leaf)


def test_a_tree_may_learn_how_it_grows(session: nnfp.Session) -> None:
    session.run(
        "sprout : R[3] ~> TreeF R R[3]\n"
        "sprout h = if sum h > 0 then NodeF (tanh (?L @ h)) (tanh (?R @ h)) else LeafF (dot ?w h)\n"
        "grows : R[3] ~> R\ngrows = ana[3] sprout >> total"
    )
    f = session["grows"]
    weights = f.init(jax.random.key(0))
    x = numpy.array([0.5, 0.2, 0.9])
    _, gradient = f.value_and_grad(weights, x)
    theirs = jax.grad(lambda w: f.apply(w, x))(weights)
    jax.tree.map(lambda a, b: numpy.testing.assert_allclose(a, b, rtol=1e-9), gradient, theirs)


def test_the_tangent_of_a_grown_tree_is_a_tree(session: nnfp.Session) -> None:
    value, tangent = session["grown"].jvp(({}, 1.5), ({}, 1.0))
    assert str(tangent).count("Node") == str(value).count("Node") == 1
    assert numbers(tangent) == pytest.approx([1 / 1.5, 1 / 1.5])


def test_the_cotangent_of_a_grown_tree_is_a_tree(session: nnfp.Session) -> None:
    _, pullback = session["grown"].vjp({}, 1.5)
    cotangent = nnfp.tree("(Node (Leaf 3) (Leaf 5))")
    (gradient,) = pullback(cotangent)[1:]
    assert float(gradient) == pytest.approx((3 + 5) / 1.5)
    with pytest.raises(nnfp.NnfpError, match="the constructor of the value"):
        pullback(nnfp.tree("(Leaf 1)"))
    _, tangent = session["grown"].jvp(({}, 1.5), ({}, 2.0))
    paired = numpy.dot(numbers(tangent), numbers(cotangent))
    assert paired == pytest.approx(2 * float(gradient))


# --- growing with children in sequences ---------------------------------------------------------

BUSHES = """
data Bush a = Bush a [Bush a]
data Mixed a = Stop a | Edge a [(R, Mixed a)] (Mixed a) | Pairs [(Mixed a, Mixed a)]
data Two a = End a | Both (Two a)[2]
sprout s = if s > 1 then BushF s [s / 2, s / 3, 0.9 * s - 0.05] else BushF (log s) []
bush : R -> Bush R
bush = ana[3] sprout
reduced layer = case layer of { BushF x ns -> x + 2 * sum ns }
inTwo : R -> R
inTwo = bush >> cata { Bush x ns -> x + 2 * sum ns }
atOnce : R -> R
atOnce = hylo[3] reduced sprout
squaredBush : R -> Bush R
squaredBush = bush >> mapData square
mixedOf : R -> Mixed R
mixedOf = ana[3] (\\s -> if s > 2 then EdgeF s [(s, s / 2), (2 * s, s / 3)] (s / 4)
                 else if s > 1 then PairsF [(s - 0.5, s - 0.7)] else StopF (log s))
mixedValue = cata { Stop x -> x ; Edge x ps r -> x + r + sum (map (\\(w, y) -> w * y) ps)
                  ; Pairs qs -> sum (map (\\(a, b) -> a * b) qs) }
ofMixed : R -> R
ofMixed = mixedOf >> mixedValue
two : R -> Two R
two = ana[3] (\\s -> if s > 1 then BothF [s / 2, s / 3] else EndF s)
-- As many children as the data have, with a sequence for a seed.
halves : [R] -> Bush R
halves = ana[3] (\\xs -> if sum xs > 3 then BushF (sum xs) [map (0.5 *) xs, xs] else BushF 0 [])
wide : ([R], R) -> R
wide (xs, s) = (ana[2] (\\y -> BushF y (map (\\x -> x * y) xs)) >> cata { Bush x ns -> x + sum ns }) s
"""


def bush(s: float, depth: int = 3) -> Any:
    if s <= 1:
        return DataValue("Bush", (float(numpy.log(s)), []))
    below = [bush(x, depth - 1) for x in (s / 2, s / 3, 0.9 * s - 0.05)] if depth > 1 else []
    return DataValue("Bush", (s, below))


def mixed_of(s: float, depth: int = 3) -> Any:
    def below(x: float) -> Any:  # a child in a field ends in the first constructor
        return mixed_of(x, depth - 1) if depth > 1 else DataValue("Stop", (0.0,))

    if s > 2:
        pairs = [(s, below(s / 2)), (2 * s, below(s / 3))] if depth > 1 else []
        return DataValue("Edge", (s, pairs, below(s / 4)))
    if s > 1:
        return DataValue("Pairs", ([(below(s - 0.5), below(s - 0.7))] if depth > 1 else [],))
    return DataValue("Stop", (float(numpy.log(s)),))


def same_trees(one: Any, other: Any) -> None:
    left, right = jax.tree.flatten(one), jax.tree.flatten(other)
    assert left[1] == right[1]
    numpy.testing.assert_allclose(left[0], right[0], rtol=1e-12, atol=1e-14)


@pytest.fixture(scope="module")
def bushes(session: nnfp.Session) -> nnfp.Session:
    session.run(BUSHES)
    return session


@settings(max_examples=8)
@given(SEEDS)
def test_children_in_sequences_are_grown_down_to_the_depth(
    bushes: nnfp.Session, seed: float
) -> None:
    same_trees(bushes["bush"](seed), bush(seed))
    same_trees(bushes["mixedOf"](seed), mixed_of(seed))
    one = float(bushes["inTwo"](seed))
    assert one == pytest.approx(float(bushes["atOnce"](seed)), rel=1e-12, abs=1e-12)
    reduced = lambda b: b.fields[0] + 2 * sum(map(reduced, b.fields[1]))  # noqa: E731
    assert one == pytest.approx(reduced(bush(seed)), rel=1e-12, abs=1e-12)
    value = bushes["mixedValue"](mixed_of(seed))
    assert float(bushes["ofMixed"](seed)) == pytest.approx(float(value), rel=1e-12, abs=1e-12)


def test_a_type_with_one_constructor_is_opened_in_a_parameter() -> None:
    """Whatever is known of it: there is nothing else it could be."""
    session = nnfp.Session(precision=64)
    session.run(r"""
data Rose a = Rose a [Rose a]
data Box a = Box a
grown : R -> R
grown = hylo[2] (\(RoseF x cs) -> x + sum cs) (\s -> RoseF s [s / 2, s / 3])
boxes : R[2] -> R
boxes xs = sum (map (\(Box y) -> y * y) (map (\x -> if x > 0 then Box x else Box 0) xs))
""")
    assert session.evaluate("grown 1") == pytest.approx(1 + 1 / 2 + 1 / 3)
    assert session.evaluate("boxes [2, -1]") == 4


@pytest.mark.parametrize("name", ["inTwo", "atOnce", "ofMixed"])
@pytest.mark.parametrize("seed", [0.7, 1.63, 8.05])
def test_derivatives_pass_through_grown_sequences(
    bushes: nnfp.Session, name: str, seed: float
) -> None:
    judged(bushes, name, seed)


def test_grown_sequences_have_the_length_that_the_data_say(bushes: nnfp.Session) -> None:
    squares = jax.tree.map(numpy.square, bush(3.3))
    same_trees(bushes["squaredBush"](3.3), squares)
    assert bushes["two"](4.0) == nnfp.tree(
        f"(Both [(Both [(End 1) (End {2 / 3})]) (Both [(End {2 / 3}) (End {4 / 9})])])"
    )
    for xs in ([3.0, 1.0], [1.0], []):
        assert float(bushes["wide"]((numpy.array(xs), 2.0))) == 2 + 2 * sum(xs)
    batch = bushes["wide"]([(numpy.array([3.0, 1.0]), 2.0), (numpy.array([5.0]), 1.0)])
    assert [float(one) for one in batch] == [10, 6]
    assert str(bushes["halves"](numpy.array([1.0, 3.0]))).count("Bush") == 5
    value, pullback = bushes["bush"].vjp({}, 2.5)
    cotangent = jax.tree.map(numpy.ones_like, value)
    _, tangent = bushes["bush"].jvp(({}, 2.5), ({}, 1.0))
    assert float(pullback(cotangent)[1]) == pytest.approx(sum(jax.tree.leaves(tangent)))
    trees = bushes["bush"].batch(numpy.array([0.5, 3.3]))
    for one, other in zip(trees, (0.5, 3.3), strict=True):
        same_trees(one, bush(other))


# --- reducing -------------------------------------------------------------------------------------


@settings(max_examples=examples(25))
@given(TREES)
def test_para_that_does_not_look_at_the_trees_is_cata(session: nnfp.Session, tree: Any) -> None:
    one, two = session["forgetful"](tree), session["total"](tree)
    assert float(one) == pytest.approx(float(two), abs=1e-12)


@settings(max_examples=examples(25))
@given(TREES)
def test_para_sees_each_child_beside_its_result(session: nnfp.Session, tree: Any) -> None:
    def weighed(node: Any) -> float:
        if node.constructor == "Leaf":
            return float(node.fields[0])
        return sum(weighed(child) * len(numbers(child)) for child in node.fields)

    assert float(session["weighed"](tree)) == pytest.approx(weighed(tree), abs=1e-9)


@given(SEEDS)
def test_para_of_a_grown_tree_is_that_of_its_value(session: nnfp.Session, seed: float) -> None:
    known = session["weighed"](session["grown"](seed))
    assert float(session["grownWeighed"](seed)) == pytest.approx(float(known), rel=1e-9)


def test_para_goes_into_sequences_of_children() -> None:
    made = nnfp.Session(precision=64)
    made.run(
        "data Rose a = Rose a [Rose a]\n"
        "weight : Rose a -> R\nweight = cata { Rose _ ns -> 1 + sum ns }\n"
        "each layer = case layer of { RoseF x pairs -> fold (\\(s, (t, r)) -> s + r * weight t) x "
        "pairs }\n"
        "f : Rose R -> R\nf = para each"
    )
    rose = nnfp.tree("(Rose 1 [(Rose 2 [(Rose 3 [])]) (Rose 4 [])])")
    assert float(made["f"](rose)) == 1 + 2 * (2 + 3) + 4


@given(st.floats(-2, 2), TREES)
def test_a_linear_function_is_fused_into_the_algebra(
    session: nnfp.Session, factor: float, tree: Any
) -> None:
    # If h (alg x) = alg' (F h x), then h after cata alg is cata alg'.
    session.run(
        "after : (Tree R, R) -> R\nafter (t, c) = c * total t\n"
        "fused : (Tree R, R) -> R\n"
        "fused (t, c) = (cata { Leaf x -> c * x; Node l r -> l + r }) t"
    ) if "after" not in session.names else None
    one, two = session["after"]((tree, factor)), session["fused"]((tree, factor))
    assert float(one) == pytest.approx(float(two), abs=1e-9)


# --- the payload ----------------------------------------------------------------------------------


@settings(max_examples=examples(25))
@given(TREES)
def test_map_data_keeps_identity_and_composition(session: nnfp.Session, tree: Any) -> None:
    if "composed" not in session.names:
        session.run(
            "same : Tree R -> Tree R\nsame = mapData id\n"
            "composed : Tree R -> Tree R\ncomposed = mapData (square >> sin)\n"
            "inTurn : Tree R -> Tree R\ninTurn = mapData square >> mapData sin"
        )
    assert session["same"](tree) == tree
    assert session["composed"](tree) == session["inTurn"](tree)
    squares = [x * x for x in numbers(tree)]
    assert numbers(session["squared"](tree)) == pytest.approx(squares, abs=1e-300)


def test_payload_stands_in_tuples_sequences_and_other_data() -> None:
    made = nnfp.Session(precision=64)
    made.run(
        "data Maybe a = Nothing | Just a\n"
        "data Mixed b a = Mixed a (a, R) [a] (Maybe a) b | End\n"
        "f : Mixed R R -> Mixed R R\nf = mapData square\n"
        "g : Mixed R R -> R\ng = foldData (\\(s, x) -> 10 * s + x) 0\n"
        "many : (Maybe R)[n] -> (Maybe R)[n]\nmany = map (mapData log)\n"
        "logs : (Maybe R)[n] -> R\nlogs = many >> map (cata { Nothing -> 0; Just x -> x }) >> sum"
    )
    mixed = nnfp.tree("(Mixed 2 (3, 5) [4, 6] (Just 7) 8)")
    assert made["f"](mixed) == nnfp.tree("(Mixed 4 (9, 5) [16, 36] (Just 49) 8)")
    assert float(made["g"](mixed)) == 23467
    assert made["f"](nnfp.tree("End")) == nnfp.tree("End")
    items = (nnfp.tree("(Just 2)"), nnfp.tree("Nothing"))
    _, pullback = made["logs"].vjp({}, items)  # log of the payload that is not there: no NaN
    assert pullback(1.0)[1] == [nnfp.tree("(Just 0.5)"), nnfp.tree("Nothing")]


@settings(max_examples=examples(25))
@given(TREES)
def test_zipping_a_tree_with_itself_doubles_its_payload(session: nnfp.Session, tree: Any) -> None:
    if "doubled" not in session.names:
        session.run("doubled : Tree R -> Tree R\ndoubled t = zipTreeWith (+) (t, t)")
    assert numbers(session["doubled"](tree)) == [2 * x for x in numbers(tree)]


def test_helpers_on_trees_are_written_in_the_language(session: nnfp.Session) -> None:
    session.run(
        "sums : Tree R[2] -> R[2]\nsums = sumData\n"
        "counts : Tree R[2] -> R\ncounts = countData\n"
        "dots : (Tree R[2], Tree R[2]) -> R\ndots = dotTree"
    )
    tree = nnfp.tree("(Node (Leaf [1, 2]) (Node (Leaf [3, 4]) (Leaf [5, 6])))")
    assert session["sums"](tree).tolist() == [9, 12]
    assert float(session["counts"](tree)) == 3
    assert float(session["dots"]((tree, tree))) == 91


# --- derivatives in the language ------------------------------------------------------------------

TANGENTS = """
data Mixed = Mixed R Int [R]
curved = cata { Leaf x -> sin x; Node l r -> l * r + l }
slope : Tree R -> Tree R
slope t = grad curved t
along : (Tree R, Tree R) -> R
along (t, u) = derivative curved t u
back : (Tree R, R) -> Tree R
back (t, w) = adjoint (derivative curved t) w
bent : Tree R -> R
bent t = sumData (mapData square (grad curved t))
both : (Tree R, R) -> (Tree R, R)
both p = grad (\\(t, x) -> x * x * curved t) p
descended : Tree R -> Tree R
descended t = zipTreeWith (\\(x, g) -> x - 0.1 * g) (t, grad curved t)
"""


@pytest.fixture(scope="module")
def tangents(session: nnfp.Session) -> nnfp.Session:
    session.run(TANGENTS)
    return session


@settings(max_examples=examples(25))
@given(TREES)
def test_the_gradient_of_a_tree_in_the_language_is_the_adjoints(
    tangents: nnfp.Session, tree: Any
) -> None:
    _, pullback = tangents.function("curved").vjp({}, tree)
    expected = numbers(pullback(1.0)[1])
    slope = tangents["slope"](tree)
    assert numbers(slope) == pytest.approx(expected, abs=1e-12)
    # <L u, w> = <u, L† w>, with the tree for its own tangent.
    moved = float(tangents["along"]((tree, tree)))
    paired = numpy.dot(numbers(tree), numbers(tangents["back"]((tree, 2.0))))
    assert 2 * moved == pytest.approx(paired, abs=1e-9)
    stepped = [x - 0.1 * g for x, g in zip(numbers(tree), expected, strict=True)]
    assert numbers(tangents["descended"](tree)) == pytest.approx(stepped, abs=1e-12)


def test_derivatives_of_trees_nest_and_stand_beside_others(tangents: nnfp.Session) -> None:
    tree = nnfp.tree("(Node (Leaf 0.3) (Node (Leaf 0.7) (Leaf -0.2)))")
    _, pullback = tangents["bent"].vjp({}, tree)
    gradient = numbers(pullback(1.0)[1])
    for k, at in enumerate(numbers(tree)):
        h = 1e-6
        moved = [
            float(tangents["bent"](nnfp.tree(str(tree).replace(str(at), str(at + step)))))
            for step in (h, -h)
        ]
        assert gradient[k] == pytest.approx((moved[0] - moved[1]) / (2 * h), rel=1e-6)
    left, right = tangents["both"]((tree, 3.0))
    assert numbers(left) == pytest.approx([9 * x for x in numbers(tangents["slope"](tree))])
    assert float(right) == pytest.approx(6 * float(tangents.function("curved")(tree)))


def test_the_tangent_of_a_type_is_written_down(tangents: nnfp.Session) -> None:
    tangents.run(
        "typed : Tree R -> Tangent (Tree R)\ntyped t = grad curved t\n"
        "paired : (Tangent (Tree R), Tree R) -> R\npaired = dotTree\n"
        "typedMixed : Mixed -> Tangent Mixed\ntypedMixed m = grad (\\m -> case m of "
        "{ Mixed x n ys -> x * x * toReal n }) m\n"
        "spread : Tangent (R[3], Int, Bool[2], Fin[4][2]) -> R[3]\nspread (x, (), (), ()) = x\n"
        "map1 : Tree R -> (Tangent (Tree R) -o Tangent R)\nmap1 t = derivative curved t"
    )
    tree = nnfp.tree("(Node (Leaf 2) (Leaf 3))")
    assert tangents["typed"].type == "Tree R -> Tree R"  # it is a tree of the same shape
    assert tangents["spread"].type == "(R[3], (), (), ()) -> R[3]"
    assert tangents["typed"](tree) == tangents["slope"](tree)
    assert float(tangents["paired"]((tangents["typed"](tree), tree))) == pytest.approx(
        float(tangents["along"]((tree, tree)))
    )
    assert tangents["typedMixed"](nnfp.tree("(Mixed 2 3 [4])")) == nnfp.tree("(Mixed 12 0 [0])")
    with pytest.raises(nnfp.NnfpError, match="a function has no tangent"):
        tangents.run("wrong : Tangent (R -> R) -> R\nwrong _ = 1")


def test_what_cannot_move_has_the_tangent_zero(tangents: nnfp.Session) -> None:
    tangents.run(
        "mixed m = case m of { Mixed x n ys -> x * x * toReal n + sum (square ys) }\n"
        "mixedSlope : Mixed -> Mixed\nmixedSlope m = grad mixed m"
    )
    found = tangents["mixedSlope"](nnfp.tree("(Mixed 2 3 [4, 5])"))
    assert found == nnfp.tree("(Mixed 12 0 [8, 10])")


# --- as forests: no shape is compiled again ------------------------------------------------------

FORESTS = """
data Rose a = Rose a [Rose a]
leaves = cata { Leaf x -> 1; Node l r -> l + r }
height = cata { Leaf x -> 0; Node l r -> 1 + max l r }
paired layer = case layer of
  { LeafF x -> x * x; NodeF (a, x) (b, y) -> x * leaves a + y * leaves b + height b }
para2 : Tree R -> R
para2 = para paired
stepped : Tree R -> Tree R
stepped t = zipTreeWith (\\(x, g) -> x - 0.1 * g) (t, grad total (mapData sin t))
product : (Tree R, Tree R) -> R
product p = total (zipTreeWith (\\(x, y) -> x * y) p)
pairs : Rose R -> Rose (R, R)
pairs = mapData (\\x -> (x, x * x))
known layer = case layer of
  { LeafF x -> x; NodeF (a, x) (b, y) -> (cata { Leaf z -> z * x; Node l r -> l + r }) a + y }
knowing : Tree R -> R
knowing = para known
"""

SHAPES = [
    "(Node (Leaf 1) (Node (Leaf 2) (Node (Leaf 3) (Leaf 4))))",
    "(Node (Node (Node (Leaf 1) (Leaf 2)) (Leaf 3)) (Leaf 4))",
    "(Node (Leaf 3) (Node (Node (Leaf 1) (Leaf 2)) (Leaf 4)))",
]


def test_what_is_made_of_a_tree_by_its_shape_compiles_once(session: nnfp.Session) -> None:
    session.run(FORESTS)
    trees = [nnfp.tree(text) for text in SHAPES]

    def paired(t: Any) -> float:
        if t.constructor == "Leaf":
            return float(t.fields[0]) ** 2
        a, b = t.fields
        return paired(a) * len(numbers(a)) + paired(b) * len(numbers(b)) + depth(b)

    def depth(t: Any) -> int:
        return 0 if t.constructor == "Leaf" else 1 + max(map(depth, t.fields))

    assert [float(session["para2"](t)) for t in trees] == [paired(t) for t in trees]
    for t in trees:
        moved = [x - 0.1 for x in numbers(t)]
        assert numbers(session["stepped"](t)) == pytest.approx(moved)
        assert float(session["product"]((t, t))) == sum(x * x for x in numbers(t))
    for name in ("para2", "stepped", "product"):
        assert session[name].compilations == 1
    assert [numbers(t) for t in session["stepped"](trees)] == [
        pytest.approx([x - 0.1 for x in numbers(t)]) for t in trees
    ]
    with pytest.raises(nnfp.NnfpError, match="example 1 of the batch"):
        session["product"]([(trees[0], trees[0]), (trees[0], trees[1])])
    # What is asked of a child may know of the node.
    assert float(session["knowing"](nnfp.tree("(Node (Leaf 2) (Leaf 3))"))) == 2 * 2 + 3


def test_a_tree_that_a_forest_gives_has_its_derivatives(session: nnfp.Session) -> None:
    if "pairs" not in session.names:
        session.run(FORESTS)
    rose = nnfp.tree("(Rose 1 [(Rose 2 [(Rose 3 [])]) (Rose 4 [])])")
    value, pullback = session["pairs"].vjp({}, rose)
    text = "(Rose (1, 1) [(Rose (2, 4) [(Rose (3, 9) [])]) (Rose (4, 16) [])])"
    assert value == nnfp.tree(text)
    # x + 2 x · x² for the cotangent (x, x²)
    assert pullback(value)[1] == nnfp.tree("(Rose 3 [(Rose 18 [(Rose 57 [])]) (Rose 132 [])])")
    _, tangent = session["pairs"].jvp(({}, rose), ({}, rose))
    assert tangent == nnfp.tree(
        "(Rose (1, 2) [(Rose (2, 8) [(Rose (3, 18) [])]) (Rose (4, 32) [])])"
    )
    with pytest.raises(nnfp.NnfpError, match="the same shape"):
        pullback(nnfp.tree("(Rose (1, 1) [])"))


def test_a_tree_that_is_grown_with_sequences_of_children_is_a_space() -> None:
    made = nnfp.Session(precision=64)
    made.run(
        "data Rose a = Rose a [Rose a]\n"
        "grow : R -> Rose R\ngrow = ana[2] (\\s -> RoseF (s * s) [s / 2, sin s])"
    )
    slopes = 4, 1, numpy.sin(4)  # of x^2, (x / 2)^2 and (sin x)^2 at 2
    moved = made.evaluate("derivative grow 2 3")
    assert jax.tree.leaves(moved) == pytest.approx([3 * slope for slope in slopes])
    back = made.evaluate("adjoint (derivative grow 2) (Rose 1 [Rose 2 [], Rose 3 []])")
    assert float(back) == pytest.approx(4 + 2 * 1 + 3 * numpy.sin(4))
    for other in ("Rose 1 [Rose 2 []]", "Rose 1 [Rose 2 [Rose 5 []], Rose 3 []]", "Rose 1 []"):
        with pytest.raises(nnfp.NnfpError, match="has the shape of the tree"):
            made.evaluate(f"adjoint (derivative grow 2) ({other})")


# --- mistakes -------------------------------------------------------------------------------------

TREE = "data Tree a = Leaf a | Node (Tree a) (Tree a)\n"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (TREE + "f : R -> Tree R\nf = ana[3] (\\s -> Leaf s)", "TreeF is one layer of a Tree"),
        (TREE + "f = ana[3] (\\s -> s + 1)\nf 1", "R is not a layer of a tree"),
        (TREE + "para (\\layer -> 1) 2", "R is not a layer of a tree"),
        ("data S = S R S\nana[3] (\\s -> SF s s) 1", "has no end"),
        ("data D = D R [[D]]\nana[3] (\\s -> DF s [[s, s]]) 1", "a D cannot be grown"),
        ("data Rose a = Rose a [Rose a]\nana[30] (\\s -> RoseF s [s, s]) 1", "room for 2 children"),
        (
            "data Rose a = Rose a [Rose a]\ncase ana[2] (\\s -> RoseF s [s]) 1 of "
            "{ Rose x ns -> x }",
            "`_` may stand in a pattern",
        ),
        (
            "data Rose a = Rose a [Rose a]\npara (\\l -> case l of { RoseF x _ -> x }) "
            "(ana[2] (\\s -> RoseF s [s]) 1)",
            "in sequences, are known only at run time",
        ),
        (TREE + "ana[30] (\\s -> NodeF s s) 1", "places"),
        (
            TREE + "f = cata { Leaf x -> x; Node l r -> l + r }\nderivative f (Leaf 1) (Node (Leaf "
            "1) (Leaf 2))",
            "the tangent of a tree has the shape of the tree",
        ),
        (TREE + "zipTree (Leaf 1, Node (Leaf 1) (Leaf 2))", "a Leaf stands opposite a Node"),
        (TREE + "zipTree (ana[2] (\\s -> LeafF s) 1, Leaf 1)", "known only at run time"),
        ("data T = L R | N T T\nmapData square (L 1)", "T has no payload"),
        ("mapData square [1, 2]", "has no payload"),
    ],
)
def test_what_cannot_be_grown_or_mapped_is_told(program: str, said: str) -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        nnfp.Session(precision=64).run(program)
    assert said in caught.value.render()


def test_a_constructor_is_put_around_trees_of_a_forest() -> None:
    made = nnfp.Session(precision=64)
    made.run(
        "data Pair = Leaf R | Node Pair Pair\n"
        "grow : (Pair, R) -> (Pair, R)\n"
        "grow (t, x) = (Node (Node t (Leaf x)) t, x)"
    )
    grow, tree = made["grow"], nnfp.tree("(Node (Leaf 1) (Leaf 2))")
    grown = nnfp.tree("(Node (Node (Node (Leaf 1) (Leaf 2)) (Leaf 7)) (Node (Leaf 1) (Leaf 2)))")
    (value, x), pullback = grow.vjp({}, (tree, 7.0))
    assert value == grown
    assert grow((value, x))[0].fields[1] == grown  # an answer is an input again
    cotangent = "(Node (Node (Node (Leaf 1) (Leaf 10)) (Leaf 5)) (Node (Leaf 2) (Leaf 20)))"
    gradient, slope = pullback((nnfp.tree(cotangent), 100.0))[1]
    assert gradient == nnfp.tree("(Node (Leaf 3) (Leaf 30))")
    assert slope == 105
    several = grow([(tree, 7.0), (nnfp.tree("(Leaf 4)"), 0.0)])
    assert several[0][0] == grown
    assert several[1][0] == nnfp.tree("(Node (Node (Leaf 4) (Leaf 0)) (Leaf 4))")
    with pytest.raises(nnfp.NnfpError, match="cotangent"):
        pullback((nnfp.tree("(Leaf 1)"), 0.0))
