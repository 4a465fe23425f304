"""`data` values from Python: what their payload is, how they are built and written."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.data import DataValue

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


# --- sequences of trees, arrays of data ----------------------------------------------------------

ROSES = """
data Rose a = Rose a [Rose a]
data Maybe a = Nothing | Just a
data Row = Row [R] | Scaled (R, Row)
squares : Rose R -> R
squares = cata { Rose x rs -> x * x + sum rs }
branches (Rose _ rs) = sum (map squares rs) + fold (\\(s, r) -> s + squares r) 0 rs
planted x = Rose x [Rose 1 [], Rose (2 * x) [Rose 3 []]]
row = cata { Row xs -> sum (square xs); Scaled (s, r) -> s * r }
orNought = cata { Nothing -> 0; Just x -> square x }
sumJust : (Maybe R)[n] -> R
sumJust = map orNought >> sum
backwards : (Maybe R)[n] -> (Maybe R)[n]
backwards = reverse
"""


@pytest.fixture(scope="module")
def roses() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(ROSES)
    return made


def test_children_may_be_a_sequence_of_any_length(roses: nnfp.Session) -> None:
    rose = nnfp.tree("(Rose 3 [(Rose 1 []), (Rose 2 [(Rose 1 [])])])")
    value, pullback = roses["squares"].vjp({}, rose)
    assert float(value) == 15
    assert pullback(1.0)[1] == nnfp.tree("(Rose 6 [(Rose 2 []), (Rose 4 [(Rose 2 [])])])")
    assert float(roses["branches"](rose)) == 12
    assert float(roses["branches"](nnfp.tree("(Rose 3 [])"))) == 0


def test_a_batch_of_trees_may_have_answers_of_several_shapes(roses: nnfp.Session) -> None:
    roses.run("under (Rose _ rs) = map squares rs\nyoung (Rose _ rs) = rs")
    trees = [nnfp.tree("(Rose 3 [(Rose 1 []), (Rose 2 [])])"), nnfp.tree("(Rose 3 [])")]
    assert [answer.tolist() for answer in roses["under"](trees)] == [[1, 4], []]
    assert roses["young"](trees) == [list(tree.fields[1]) for tree in trees]


def test_a_program_makes_sequences_of_children(roses: nnfp.Session) -> None:
    assert roses["planted"](2.0) == nnfp.tree("(Rose 2 [(Rose 1 []), (Rose 4 [(Rose 3 [])])])")


def test_a_sequence_of_pairs_with_trees_is_given_pair_by_pair(roses: nnfp.Session) -> None:
    roses.run(
        "paired : [(R, Rose R)] -> ([R], [(R, Rose R)])\n"
        "paired ps = let (xs, ts) = unzip ps in (map squares ts, zip (reverse xs, ts))"
    )
    one, two = nnfp.tree("(Rose 3 [(Rose 1 [])])"), nnfp.tree("(Rose 2 [])")
    squares, pairs = roses["paired"](((5.0, one), (6.0, two)))
    assert squares.tolist() == [10, 4]
    assert [(float(x), tree) for x, tree in pairs] == [(6, one), (5, two)]
    with pytest.raises(nnfp.NnfpError, match="expected R"):
        roses["paired"]((([5.0, 6.0], [one, two]),))


def test_a_field_of_any_length_has_its_own_in_each_value(roses: nnfp.Session) -> None:
    value, pullback = roses["row"].vjp({}, nnfp.tree("(Scaled (2, (Row [1, 2, 3])))"))
    assert float(value) == 28
    assert pullback(1.0)[1] == nnfp.tree("(Scaled (14, (Row [4, 8, 12])))")
    assert float(roses["row"](nnfp.tree("(Row [5])"))) == 25


def test_an_array_of_data_is_arrays_of_its_fields(roses: nnfp.Session) -> None:
    items = tuple(map(nnfp.tree, ("(Just 2)", "Nothing", "(Just 3)")))
    value, pullback = roses["sumJust"].vjp({}, items)
    assert float(value) == 13
    assert pullback(1.0)[1] == list(map(nnfp.tree, ("(Just 4)", "Nothing", "(Just 6)")))
    assert roses["backwards"](items) == list(reversed(items))
    assert roses["backwards"](()) == []


# --- building and writing: constructors, nested lists, S-expressions -------------------------------


def test_a_tree_is_built_in_four_ways(session: nnfp.Session) -> None:
    text = nnfp.tree("(Node (Node (Leaf 1) (Leaf 2)) (Leaf 3))")
    assert text == node(session, [[1, 2], 3])
    assert text == session.tree("Tree", [[1, 2], 3])
    assert text == nnfp.tree(["Node", ["Node", ["Leaf", 1], ["Leaf", 2]], ["Leaf", 3]])
    assert text != nnfp.tree("(Node (Node (Leaf 1) (Leaf 2)) (Leaf 4))")
    assert text != nnfp.tree("(Node (Leaf 1) (Leaf 2))")


def test_payload_is_numbers_arrays_tuples_and_truth_values() -> None:
    value = nnfp.tree("(Many 1 -2.5e3 [1, 2] [[1 2] [3 4]] (1, [2.5]) True Nothing [] 1j)")
    one, two, three, four, five, six, seven, eight, nine = value.fields
    assert (one, two, six, eight, nine) == (1, -2500.0, True, [], 1j)
    assert isinstance(one, int)
    numpy.testing.assert_array_equal(three, [1, 2])
    numpy.testing.assert_array_equal(four, [[1, 2], [3, 4]])
    assert five[0] == 1
    assert five[1].tolist() == [2.5]
    assert seven.constructor == "Nothing"


PAYLOADS = st.one_of(
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False),
    st.booleans(),
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=4).map(numpy.array),
    st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=2), min_size=1).map(numpy.array),
    st.tuples(st.floats(-1, 1), st.integers(0, 5)),
)
WRITTEN = st.recursive(
    PAYLOADS.map(lambda payload: ["Leaf", payload]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: ["Node", *pair]),
        st.tuples(PAYLOADS, st.lists(inner, max_size=3)).map(lambda pair: ["Rose", *pair]),
        st.just(["Tip"]),
    ),
)


@given(WRITTEN)
def test_what_is_written_is_read_back(written: Any) -> None:
    value = nnfp.tree(written)
    assert nnfp.tree(str(value)) == value


def test_a_tree_may_be_ten_thousand_nodes_deep(session: nnfp.Session) -> None:
    depth = 10_000
    text = "(Node (Leaf 1) " * depth + "(Leaf 2)" + ")" * depth
    value = nnfp.tree(text)
    assert str(value) == text
    nested: Any = 2
    for _ in range(depth):
        nested = [1, nested]
    assert session.tree("Tree", nested) == value


def test_a_tree_too_deep_to_be_traced_is_told(session: nnfp.Session) -> None:
    session.run(
        "deeper : Tree R -> Tree R\ndeeper = mapData square\n"
        "turned : Tree R -> Tree R\nturned = cata { Leaf x -> Leaf x; Node l r -> Node r l }"
    )
    text = "(Node (Leaf 1) " * 3000 + "(Leaf 2)" + ")" * 3000
    assert session["deeper"](nnfp.tree(text)) == nnfp.tree(text.replace("2", "4"))
    with pytest.raises(nnfp.NnfpError, match="too deep to be traced"):
        session["turned"](nnfp.tree(text))


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("(Node (Leaf 1) (Leaf x))", (1, 22), "`x` has no place in a tree"),
        ("(Node (Leaf 1)\n  (Leaf ?))", (2, 9), "`?` has no place in a tree"),
        ("(Node (Leaf 1", (1, 7), "a bracket is not closed"),
        ("(Node (Leaf 1)]", (1, 15), "`]` closes `(`"),
        ("(Leaf 1))", (1, 9), "something follows the tree"),
        (") Leaf", (1, 1), "never opened"),
        ("(Leaf [[1] [1 2]])", (1, 7), "differ in length"),
        ("3", (1, 1), "this is no tree"),
        ("", (1, 1), "there is no tree here"),
    ],
)
def test_bad_text_is_told_at_its_place(text: str, place: tuple[int, int], said: str) -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        nnfp.tree(text)
    span = caught.value.diagnostics[0].primary.span
    assert (span.line, span.column) == place
    assert said in caught.value.render()


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda made: nnfp.tree([3]), "this is no tree"),
        (lambda made: made.tree("Tree", [1, 2, 3]), "which constructor of Tree is a list of 3"),
        (lambda made: made.tree("Bush", [1, 2]), "no data type is called Bush"),
        (lambda made: made.tree("Tree", [1, "x"]), "the tree.Node.2.Leaf.1 is"),
        (lambda made: made.constructor("Node")(1, 2), "expected a Tree a"),
        (
            lambda made: made.constructor("Node")(nnfp.tree("Nothing"), nnfp.tree("(Leaf 1)")),
            "field 1 of Node is a Nothing",
        ),
        (
            lambda made: made["total"](nnfp.tree("(Node (Leaf 1) (Just 2))")),
            "the input.Node.2 of `total` is a Just",
        ),
        (
            lambda made: made["total"](nnfp.tree("(Node (Leaf 1))")),
            "Node with 1 fields",
        ),
    ],
)
def test_what_is_no_tree_is_told(session: nnfp.Session, build: Any, said: str) -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        build(session)
    assert said in caught.value.render()


# --- patterns ---------------------------------------------------------------------------------------


def test_truth_values_are_patterns() -> None:
    made = nnfp.Session(precision=64)
    made.run(
        """
number b = case b of { True -> 1; False -> 2 }
both p = case p of { (True, True) -> 1; (False, _) -> 2; (_, False) -> 3 }
data Maybe a = Nothing | Just a
deep m = case m of { Just (Just True) -> 1; Just (Just False) -> 2; Just Nothing -> 3; Nothing -> 4}
"""
    )
    assert [float(made["number"](b)) for b in (True, numpy.bool_(False))] == [1, 2]
    pairs = [(True, True), (False, True), (True, False)]
    assert [float(made["both"](pair)) for pair in pairs] == [1, 2, 3]
    values = ["(Just (Just True))", "(Just (Just False))", "(Just Nothing)", "Nothing"]
    assert [float(made["deep"](nnfp.tree(value))) for value in values] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("f b = case b of { True -> 1 }", "`False` is missing"),
        ("f p = case p of { (True, x) -> x }", "`(False, _)` is missing"),
        ("f b = case b of { True -> 1; False -> 2; _ -> 3 }", "never reached"),
        ("f True = 1", "`False` is not matched"),
        ("f b = case b of { True x -> 1; _ -> 2 }", "`True` carries nothing"),
        ("data M a = N | J a\nf m = case m of { J (J x) -> x; N -> 0 }", "`J N` is missing"),
        (
            "data T a = L a | B (T a) (T a)\n"
            "f t = case t of { B (L _) (B _ _) -> 1; L _ -> 2; B (B _ _) _ -> 3 }",
            "`B (L _) (L _)` is missing",
        ),
    ],
)
def test_patterns_must_cover_and_be_reached(program: str, said: str) -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        nnfp.Session(precision=64).run(program)
    assert said in caught.value.render()


@pytest.mark.parametrize(
    "program",
    [
        "data F = F (R -> R)",
        "data M a = N | J a\nf = J sin",
        "data M a = N | J a\nf x = J (J (+ x))",
    ],
)
def test_functions_are_not_kept_in_data(program: str) -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        nnfp.Session(precision=64).run(program)
    assert "functions cannot be kept in data" in caught.value.render()
    assert "its tangent is a tree" in caught.value.render()


def test_children_are_a_sequence_among_others(roses: nnfp.Session) -> None:
    roses.run(
        "many (Rose _ rs) = length rs\n"
        "second (Rose _ rs) = squares (rs ! 1)\n"
        "ends (Rose _ rs) = squares (head rs) - squares (last rs)\n"
        "turned (Rose x rs) = Rose x (reverse rs)\n"
        "firstOf (Rose x rs) = Rose x (take[1] rs)\n"
        "sums (Rose x rs) = scan (\\(s, r) -> s + squares r) x rs\n"
        "numbered (Rose x rs) = mapAccumRight (\\(s, r) -> (s + 1, s * squares r)) x rs |> snd\n"
        "products (Rose _ rs) = sum (zipWith (\\(a, b) -> squares a * squares b) (rs, reverse rs))"
    )
    rose = nnfp.tree("(Rose 3 [(Rose 1 []), (Rose 2 [])])")
    assert int(roses["many"](rose)) == 2
    assert float(roses["second"](rose)) == 4
    assert float(roses["ends"](rose)) == -3
    assert roses["turned"](rose) == nnfp.tree("(Rose 3 [(Rose 2 []), (Rose 1 [])])")
    assert roses["firstOf"](rose) == nnfp.tree("(Rose 3 [(Rose 1 [])])")
    assert roses["sums"](rose).tolist() == [4, 8]
    assert roses["numbered"](rose).tolist() == [4, 12]
    assert float(roses["products"](rose)) == 8
    with pytest.raises(nnfp.NnfpError, match="without elements has no first one"):
        roses["ends"](nnfp.tree("(Rose 3 [])"))


def test_a_constructor_chosen_at_run_time_is_not_known_under_a_jit_of_the_users_own() -> None:
    session = nnfp.Session(precision=64)
    session.run(
        "data Shape = Circle R | Square R R\n"
        "shape x = if x > 0 then Circle x else Square x 2\n"
        "shapes : R[3] -> Shape[3]\n"
        "shapes = map shape\n"
        "area = cata { Circle r -> r * r ; Square a b -> a * b }\n"
        "both x = (x, shape x)"
    )
    shape, x = session["shape"], numpy.ones(2)
    assert [str(one) for one in shape([1.0, -1.0])] == ["(Circle 1.0)", "(Square -1.0 2.0)"]
    for run in (
        lambda: jax.jit(lambda x: shape.apply({}, x))(1.0),
        lambda: jax.vmap(lambda x: shape.apply({}, x))(x),
        lambda: jax.jit(lambda x: shape.vjp({}, x)[0])(1.0),
        lambda: jax.jit(lambda x: shape.jvp(({}, x), ({}, x)))(1.0),
        lambda: jax.jit(lambda x: shape.apply_batch({}, x))(x),
        lambda: jax.jit(lambda x: session["shapes"].apply({}, x))(numpy.ones(3)),
        lambda: jax.jit(lambda x: session["both"].apply({}, x))(1.0),
    ):
        with pytest.raises(nnfp.NnfpError, match="known only once it has run"):
            run()
    session.run("within x = area (shape x)")  # what takes it apart runs inside
    within = session["within"]
    assert jax.vmap(lambda x: within.apply({}, x))(numpy.array([3.0, -1.0])).tolist() == [9, -2]
    assert float(jax.jit(jax.grad(lambda x: within.apply({}, x)))(3.0)) == 6


# --- in JAX -----------------------------------------------------------------------------------------


def test_a_tree_is_a_pytree_of_its_payload(session: nnfp.Session) -> None:
    tree = nnfp.tree("(Node (Leaf (2, 3)) (Node (Leaf (5, 7)) (Leaf (1, 4))))")
    products = session.function("products")
    doubled = jax.tree.map(lambda x: 2 * x, tree)
    assert doubled == nnfp.tree("(Node (Leaf (4, 6)) (Node (Leaf (10, 14)) (Leaf (2, 8))))")
    real = jax.tree.map(float, tree)
    value, gradient = jax.jit(jax.value_and_grad(lambda t: products.apply({}, t)))(real)
    _, pullback = products.vjp({}, real)
    assert float(value) == 6 + 35 + 4
    assert gradient == pullback(1.0)[1]
    assert jax.jit(lambda t: t)(real) == real


def test_all_that_a_field_may_hold_passes_through_jax() -> None:
    rose = nnfp.tree("(Rose (1, [2, 3]) [(Rose 4 []) (Rose (Just 5) [])])")
    leaves, structure = jax.tree.flatten(rose)
    assert jax.tree.unflatten(structure, leaves) == rose
    assert numpy.concatenate([numpy.ravel(leaf) for leaf in leaves]).tolist() == [1, 2, 3, 4, 5]
    assert structure == jax.tree.structure(jax.tree.map(lambda x: 0 * x, rose))


def test_a_deep_tree_is_flattened_without_recursion(session: nnfp.Session) -> None:
    chain = session.constructor("Leaf")(1.0)
    for _ in range(20_000):
        chain = session.constructor("Node")(session.constructor("Leaf")(1.0), chain)
    assert sum(jax.tree.leaves(chain)) == 20_001


# --- sequences in the fields of data ----------------------------------------------------------

RUNS = """
data Runs a = Empty | Runs [a] R
make : R -> Runs R
make x = if x > 2 then Empty else if x > 1 then Runs [x, 2 * x] x else Runs [log x] 5
read = cata { Empty -> 0 ; Runs xs y -> sum xs * y }
each : R[n] -> (Runs R)[n]
each = map make
some : [R] -> [Runs R]
some = map make
total : [R] -> R
total = some >> map read >> sum
joined : R[4] -> Runs R
joined = fold (\\(m, x) -> case m of { Empty -> Runs [x] 1 ; Runs xs y -> Runs xs (y + sum xs) }) Empty
squares : R -> Runs R
squares = make >> mapData square
digits : R -> R
digits = make >> foldData (\\(s, x) -> 10 * s + x) 0
mixed : R[3] -> (Runs R)[3]
mixed xs = [Runs [xs ! 0] 1, Empty, make (xs ! 1)]
"""


def made_runs(x: float) -> DataValue:
    if x > 2:
        return nnfp.tree("Empty")
    xs = [x, 2 * x] if x > 1 else [float(numpy.log(x))]
    return DataValue("Runs", (numpy.array(xs), x if x > 1 else 5.0))


def test_a_sequence_may_hold_constructors_with_sequences() -> None:
    made = nnfp.Session(precision=64)
    made.run(
        "data Shape = Circle R | Box R R | Poly [R[2]]\n"
        "area s = case s of { Circle r -> r ; Box w h -> w * h ; Poly ps -> sum (map sum ps) }\n"
        "areas : R -> R[4]\n"
        "areas x = map area [Circle x, Box x 3, Poly [[1, x], [3, 4]], Poly [[x, x]]]\n"
        "data Rose a = Rose a [Rose a]\n"
        "height = cata { Rose x ns -> if length ns == 0 then 1 else 1 + maximum ns }\n"
        "two : R\ntwo = height (Rose 1 [Rose 2 []])"
    )
    assert made["areas"](2.0).tolist() == [2, 6, 10, 4]
    _, pullback = made["areas"].vjp({}, 2.0)
    assert float(pullback(numpy.array([1.0, 10.0, 100.0, 1000.0]))[1]) == 2131
    # What a known length rules out is not looked at: the maximum of nothing.
    assert float(made["two"]) == 2
    assert float(made["height"](nnfp.tree("(Rose 1 [(Rose 2 [(Rose 3 [])]) (Rose 4 [])])"))) == 3


def test_branches_may_give_data_with_sequences_of_several_lengths() -> None:
    made = nnfp.Session(precision=64)
    made.run(RUNS)
    xs = numpy.array([0.5, 1.5, 2.5])
    expected = [made_runs(x) for x in xs]
    for found in (made["each"](xs), made["some"](xs), made["make"](list(xs))):
        assert list(found) == expected
    assert made["mixed"](xs) == [nnfp.tree("(Runs [0.5] 1)"), nnfp.tree("Empty"), expected[1]]
    assert made["joined"](numpy.array([2.0, 3.0, 4.0, 5.0])) == nnfp.tree("(Runs [2] 7)")
    assert float(made["digits"](1.5)) == 18.0
    squares = [made["squares"](x).fields[0].tolist() for x in xs[:2]]
    assert squares == [[pytest.approx(numpy.log(0.5) ** 2)], [2.25, 9.0]]
    # log is not looked at where it is not taken: 0 · ∞ is no number
    value, pullback = made["total"].vjp({}, xs)
    assert float(value) == pytest.approx(5 * numpy.log(0.5) + 3 * 1.5**2)
    assert pullback(1.0)[1] == pytest.approx([5 / 0.5, 6 * 1.5, 0.0])
    value, pullback = made["make"].vjp({}, 1.5)
    assert float(pullback(value)[1]) == pytest.approx(1.5 + 2 * 3.0 + 1.5)
