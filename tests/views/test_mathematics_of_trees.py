"""The formulas of trees are true: read at every node, they are what the session computes."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy
import pytest

from nnfp_kernel import Session, tree
from nnfp_kernel.runtime.data import DataValue
from nnfp_kernel.views.mathematics import Mathematics, mathematics
from nnfp_kernel.views.mathematics import formula as m
from nnfp_kernel.views.mathematics.plain import to_plain

from .arithmetic import Page
from .arithmetic_trees import Forest, Grove, Node, Planted

PROGRAM = r"""
data Tree a = Leaf a | Node (Tree a) (Tree a)

product : Tree R -> R
product = cata { Leaf x -> sin x ; Node l r -> l * r + l }
counted : Tree R -> R
counted = cata { Leaf x -> x * x ; Node l r -> l + r }
doubled : Tree R -> Tree R
doubled = mapData (\x -> x * sin x)
folded : Tree R -> R
folded = foldData (\(s, x) -> s * x + x) 2
weighed : Tree R -> R
weighed = para (\n -> case n of { LeafF x -> x * x ; NodeF (l, a) (r, b) -> a * b + counted l })
mapped : Tree R -> R
mapped = cata {
  Leaf x -> sum (map (\a -> sin (a * x)) [1, x, 3]) ;
  Node l r -> let h = l * r in fold (\(s, a) -> s * cos a + h) l [r, 2, h] }
split s = if s > 1 then NodeF (s / 2) (s / 3) else LeafF (sin s)
grown : R -> R
grown = hylo[3] (\n -> case n of { LeafF x -> x * x ; NodeF l r -> l * r + l }) split
layered : R[2] ~> R
layered = hylo[3] (\n -> case n of { LeafF x -> x + 1 ; NodeF l r -> l * r })
  (\s -> let h = tanh (?W @ s) in if sum s > 1 then NodeF (?A @ h) (?B @ s) else LeafF (dot ?c h))
  where ?W : R[3,2]
"""
TREE = ["Node", ["Leaf", 0.7], ["Node", ["Leaf", 1.2], ["Leaf", 0.4]]]


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session(precision=64)
    session.run(PROGRAM)
    return session


def planted(tree: Any) -> Node:
    constructor, *fields = tree
    return Node(constructor, *(planted(f) if isinstance(f, list) else f for f in fields))


def leaves(tree: Any) -> list[float]:
    if isinstance(tree, DataValue | list | tuple):
        parts = [leaves(field) for field in getattr(tree, "fields", tree)]
        return [each for part in parts for each in part]
    return [float(tree)]


def paired(tree: Any, values: Any) -> Any:
    """A tree of the same shape with other numbers."""
    constructor, *fields = tree
    return [
        constructor,
        *(paired(f, values) if isinstance(f, list) else next(values) for f in fields),
    ]


@pytest.mark.parametrize("name", ["product", "counted", "weighed", "mapped"])
def test_a_tree_is_reduced_as_its_formulas_say(session: Session, name: str) -> None:
    found = mathematics(session.program, name)
    random = numpy.random.default_rng(3)
    moved = paired(TREE, iter(random.uniform(-1, 1, 3)))
    root, tangent = planted(TREE), planted(moved)
    x = m.symbol("x")
    for node, way in zip(root.upwards(), tangent.upwards(), strict=True):
        if not node.children:
            node.own[m.differential(x)] = way.fields[0]
    page = Grove({m.symbol("t"): root}, ["Leaf", "Node"])

    def ends(whole: Node) -> list[Node]:
        return [node for node in whole.upwards() if not node.children]

    def value_of(whole: Node) -> float:
        return sum(node.fields[0] ** 2 for node in ends(whole))

    def pushed(whole: Node, _: Any) -> float:
        return sum(2 * node.fields[0] * node.own[m.differential(x)] for node in ends(whole))

    def pulled(whole: Node, bar: Any) -> float:
        for node in ends(whole):
            node.own[m.barred(x)] = node.own.get(m.barred(x), 0) + 2 * node.fields[0] * bar
        return 0.0

    page.named[m.Letter("counted")] = (value_of, pushed, pulled)
    page.read(found.section("value"))
    page.read(found.section("derivative"))
    function = session[name]
    value, change = function.jvp(({}, tree(TREE)), ({}, tree(moved)))
    y = m.symbol("y")
    assert page.whole(y) == pytest.approx(float(value), rel=1e-12)
    assert page.whole(m.differential(y)) == pytest.approx(float(change), rel=1e-10)
    page.values[m.barred(y)] = 0.8
    page.read(found.section("adjoint"), backwards=True)
    _, pullback = function.vjp({}, tree(TREE))
    gradient = leaves(pullback(0.8)[1])
    ours = [node.own[m.barred(x)] for node in root.upwards() if not node.children]
    assert ours == pytest.approx(gradient, rel=1e-10)


@pytest.mark.parametrize(("name", "x"), [("grown", 5.0), ("grown", 40.0), ("layered", None)])
def test_a_tree_is_grown_as_its_formulas_say(session: Session, name: str, x: Any) -> None:
    """40 would grow deeper than it may."""
    function, found = session[name], mathematics(session.program, name)
    given = numpy.array([1.3, 0.9]) if x is None else x
    way = numpy.array([0.4, -0.7]) if x is None else 0.6
    own = {
        key: numpy.asarray(value) + 0.5 for key, value in function.session_weights().get(name, {}).items()
    }  # fmt: skip
    held = {name: own} if own else {}
    still = {name: {key: numpy.zeros_like(v) for key, v in own.items()}} if own else {}
    page = Grove({m.symbol(key): value for key, value in own.items()}, ["Leaf", "Node"])
    symbol = found.inputs[0]
    page.values |= {symbol: given, m.differential(symbol): way}
    page.read(found.section("value"))
    page.read(found.section("derivative"))
    value, change = function.jvp((held, given), (still, way))
    (y,) = found.results
    assert page.whole(y) == pytest.approx(float(value), rel=1e-12)
    assert page.whole(m.differential(y)) == pytest.approx(float(change), rel=1e-10)
    page.values[m.barred(y)] = 0.8
    page.read(found.section("adjoint"), backwards=True)
    page.read(found.section("weights"), backwards=True)
    by_weights, by_input = function.vjp(held, given)[1](0.8)
    numpy.testing.assert_allclose(page.whole(m.barred(symbol)), by_input, rtol=1e-10)
    for key, gradient in by_weights.get(name, {}).items():
        found_bar = page.whole(m.barred(m.symbol(key)))
        numpy.testing.assert_allclose(found_bar, gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", ["doubled", "folded"])
def test_what_goes_along_the_payload_is_as_its_formulas_say(session: Session, name: str) -> None:
    """A tree is its payload from left to right here."""
    function, found = session[name], mathematics(session.program, name)
    moved = paired(TREE, iter([0.3, -0.8, 0.5]))
    t, y = found.inputs[0], found.results[0]
    page = Page({t: numpy.array(leaves(tree(TREE))), m.Fenced("|", t, "|"): 3})
    page.values[m.differential(t)] = numpy.array(leaves(tree(moved)))
    page.read(found.section("value"))
    page.read(found.section("derivative"))
    value, change = function.jvp(({}, tree(TREE)), ({}, tree(moved)))
    numpy.testing.assert_allclose(page.whole(y), numpy.squeeze(leaves(value)), rtol=1e-12)
    shown = page.whole(m.differential(y))
    numpy.testing.assert_allclose(shown, numpy.squeeze(leaves(change)), rtol=1e-10)
    bar = paired(TREE, iter([0.2, 0.9, -0.4])) if name == "doubled" else 0.7
    page.values[m.barred(y)] = numpy.array(leaves(tree(bar))) if name == "doubled" else bar
    page.read(found.section("adjoint"), backwards=True)
    _, pullback = function.vjp({}, tree(TREE))
    gradient = leaves(pullback(tree(bar) if name == "doubled" else bar)[1])
    numpy.testing.assert_allclose(page.whole(m.barred(t)), gradient, rtol=1e-10)


def test_a_parameter_that_is_a_pattern_names_the_fields_it_is_given() -> None:
    session = Session(precision=64)
    session.run(
        r"""
data Rose a = Rose a [Rose a]
data Segment = Segment R[2] R
below : Rose R -> R
below (Rose _ rs) = sum (map weighed rs)
weighed : Rose R -> R
weighed (Rose x _) = x * sin x
slope : (Segment, R) ~> R
slope (Segment a r, c) = dot ?k a * sin r * c
"""
    )
    found = mathematics(session.program, "below")
    shown = [to_plain(line.formula) for line in found.section("derivative")]
    assert shown == ["dy_i = D weighed(r_i) dr_i", "dz = ∑_i dy_i"]
    assert {to_plain(line.range) for line in found.section("derivative") if line.range} == {
        "i = 0, …, |r| - 1"
    }
    function, found = session["slope"], mathematics(session.program, "slope")
    k, a, r, c = numpy.array([0.3, -0.8]), numpy.array([1.1, 0.4]), 0.7, -1.3
    a_way, r_way, c_way = numpy.array([0.2, 0.5]), -0.6, 0.9
    names = [m.symbol(name) for name in "arc"]
    page = Page({m.symbol("k"): k, **dict(zip(names, (a, r, c), strict=True))})
    ways = zip(names, (a_way, r_way, c_way), strict=True)
    page.values |= {m.differential(name): way for name, way in ways}
    page.read(found.section("value"))
    page.read(found.section("derivative"))
    held, still = {"slope": {"k": k}}, {"slope": {"k": numpy.zeros(2)}}
    given, way = (tree(["Segment", a, r]), c), (tree(["Segment", a_way, r_way]), c_way)
    value, change = function.jvp((held, given), (still, way))
    y = found.results[0]
    assert page.of(y) == pytest.approx(float(value), rel=1e-12)
    assert page.of(m.differential(y)) == pytest.approx(float(change), rel=1e-10)
    page.values[m.barred(y)] = 0.8
    page.read(found.section("adjoint"), backwards=True)
    page.read(found.section("weights"), backwards=True)
    by_weights, (segment, by_c) = function.vjp(held, given)[1](0.8)
    theirs = [*segment.fields, by_c, by_weights["slope"]["k"]]
    for name, gradient in zip((*names, m.symbol("k")), theirs, strict=True):
        numpy.testing.assert_allclose(page.of(m.barred(name)), gradient, rtol=1e-10)


# --- trees made of trees --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "lines"),
    [
        (
            "made : Tree R -> Tree R\nmade = cata { Leaf x -> Leaf (x * x) ; Node l r -> Node r l }",
            [
                "y_{Node l r} = Node(y_r, y_l)",
                "dy_{Leaf x} = Leaf(2 x dx)",
                "dy_{Node l r} = Node(dy_r, dy_l)",
                "ȳ_l = (ȳ_{Node l r})2",
                "x̄ = 2 x (ȳ_{Leaf x})1",
            ],
        ),
        (  # children are taken apart by patterns, and are told from each other
            "made : Tree R -> (Tree R, R)\nmade = cata { Leaf x -> (Leaf x, x) ;"
            " Node (a, x) (b, y) -> (Node b a, x * y) }",
            [
                "r_{Node c1 c2} = Node(r_c2, r_c1)",
                "dv_{Node c1 c2} = v_c2 dv_c1 + v_c1 dv_c2",
                "v̄_c1 = v_c2 v̄_{Node c1 c2}",
            ],
        ),
        (
            "made : Tree R -> Tree R\nmade = cata { Leaf x -> if x > 0 then Leaf x else"
            " Node (Leaf x) (Leaf x) ; Node l r -> Node l r }",
            ["y_{Leaf x} = {Leaf(x) if x > 0; Node(Leaf(x), Leaf(x)) otherwise}"],
        ),
    ],
)
def test_a_constructor_in_an_algebra_is_a_function_of_its_fields(
    definition: str, lines: list[str]
) -> None:
    session = Session()
    session.run(f"data Tree a = Leaf a | Node (Tree a) (Tree a)\n{definition}")
    found = mathematics(session.program, "made")
    shown = [to_plain(line.formula) for section in found.sections for line in section.lines]
    composed = {unicodedata.normalize("NFC", line) for line in shown}
    assert {unicodedata.normalize("NFC", line) for line in lines} <= composed


PUT_TOGETHER = r"""
data Tree a = Leaf a | Node (Tree a) (Tree a)
data Pair = Pair R R
pair : R -> Pair
pair x = Pair (x * x) (sin x)

data Rose a = Rose a [Rose a]
several : R -> Rose R
several x = Rose x [Rose (x * x) [], Rose (sin x) []]

planted : R -> Tree R
planted x = Node (Node (Leaf x) (Leaf 2)) (Leaf (x * x))
parted : R -> R
parted x = let Pair a b = pair x in a * sin b
taken : Tree R -> R
taken t = case t of { Leaf a -> a * a ; Node (Leaf b) (Leaf c) -> b * sin c ;
  Node (Leaf e) _ -> sin e ; _ -> 2 }
grafted : (Tree R, R) -> Tree R
grafted (t, x) = case t of { Node (Leaf a) r -> Node r (Leaf (a * x)) ; s -> Node s (Leaf (x * x)) }
chosen : (R, Tree R, Tree R) -> Tree R
chosen (c, t, u) = if c > 0 then Node t (Leaf (c * c)) else u
beside : (R, Tree R, Tree R) -> Tree R
beside (c, t, u) = let (x, s) = if c > 0 then (c * c, t) else (sin c, Node u (Leaf c))
                   in Node s (Leaf x)
"""
LEAF, SMALL = ["Leaf", 0.7], ["Node", ["Leaf", 0.4], ["Leaf", -1.1]]


@pytest.fixture(scope="module")
def gardener() -> Session:
    session = Session(precision=64)
    session.run(PUT_TOGETHER)
    return session


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("planted", [1.3]),
        ("several", [1.3]),
        ("parted", [0.8]),
        *(
            ("taken", [each])
            for each in (LEAF, SMALL, ["Node", LEAF, SMALL], ["Node", SMALL, LEAF])
        ),
        ("grafted", [["Node", LEAF, SMALL], 0.9]),
        ("grafted", [SMALL, 0.9]),
        ("grafted", [["Node", SMALL, LEAF], 0.9]),
        *((name, [c, SMALL, LEAF]) for name in ("chosen", "beside") for c in (0.7, -1.3)),
    ],
)
def test_trees_are_put_together_and_taken_apart_as_the_formulas_say(
    gardener: Session, name: str, given: list[Any]
) -> None:
    """A case takes the first pattern that matches; what none says has no cotangent."""
    function, found = gardener[name], mathematics(gardener.program, name)
    random = numpy.random.default_rng(7)

    def moved(value: Any) -> Any:
        return paired(value, iter(random.uniform(-1, 1, 9))) if isinstance(value, list) else 0.3

    def made(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        if not value or isinstance(value[0], list):
            return [made(each) for each in value]
        return Planted(value[0], [made(each) for each in value[1:]])

    def session_value(values: list[Any]) -> Any:
        own = [tree(each) if isinstance(each, list) else each for each in values]
        return own[0] if len(own) == 1 else tuple(own)

    def numbers(value: Any) -> list[float]:
        if isinstance(value, tuple):
            return [each for part in value for each in numbers(part)]
        return value.leaves if isinstance(value, Planted) else leaves(value)

    ways = [moved(each) for each in given]
    page = Forest({}, ["Leaf", "Node", "Pair", "Rose"])
    page.named[m.Letter("pair")] = (
        lambda x: Planted("Pair", [x * x, numpy.sin(x)]),
        lambda x, d: Planted("Pair", [2 * x * d, numpy.cos(x) * d]),
        lambda x, bar: 2 * x * bar.fields[0] + numpy.cos(x) * bar.fields[1],
    )
    for symbol, value, way in zip(found.inputs, given, ways, strict=True):
        page.values |= {symbol: made(value), m.differential(symbol): made(way)}
    page.read(found.section("value"))
    page.read(found.section("derivative"))
    value, change = function.jvp(({}, session_value(given)), ({}, session_value(ways)))
    (y,) = found.results
    assert numbers(page.of(y)) == pytest.approx(numbers(value), rel=1e-12)
    assert numbers(page.of(m.differential(y))) == pytest.approx(numbers(change), rel=1e-10)
    shape = page.of(y)

    def bar_like(value: Any) -> Any:
        if isinstance(value, list):
            return [bar_like(each) for each in value]
        if not isinstance(value, Planted):
            return float(random.uniform(-1, 1))
        return [value.name, *map(bar_like, value.fields)]

    bar = bar_like(shape)
    page.values[m.barred(y)] = made(bar)
    page.read(found.section("adjoint"), backwards=True)
    _, pullback = function.vjp({}, session_value(given))
    theirs = pullback(tree(bar) if isinstance(bar, list) else bar)[1]
    theirs = theirs if isinstance(theirs, tuple) else (theirs,)
    for symbol, gradient in zip(found.inputs, theirs, strict=True):
        ours = page.values.get(m.barred(symbol), 0.0)  # of what is 0, nothing is said
        assert filled(ours, gradient) == pytest.approx(numbers(gradient), rel=1e-10)


def filled(ours: Any, like: Any) -> list[float]:
    """The numbers of a tangent, where 0 stands for a whole tree of them."""
    if not isinstance(like, DataValue):
        return [float(ours)]
    fields = ours.fields if isinstance(ours, Planted) else [0.0] * len(like.fields)
    pairs = zip(fields, like.fields, strict=True)
    return [each for pair in pairs for each in filled(*pair)]


ROSES = r"""
data Rose a = Rose a [Rose a]
grown : R -> Rose R
grown = ana[3] (\s -> RoseF (s * s) [s / 2, s / 3])
reduced : R -> R
reduced = hylo[3] (\n -> case n of { RoseF x ys -> x * sum ys }) (\s -> RoseF (s * s) [s / 2, s / 3])
"""


def test_trees_are_zipped_place_by_place() -> None:
    session = Session(precision=64)
    session.run(
        r"""
data Tree a = Leaf a | Node (Tree a) (Tree a)
zipped : (Tree R, Tree R) -> Tree (R, R)
zipped (a, b) = zipTree (a, b)
weighted : (Tree R, Tree R) -> Tree R
weighted (a, b) = zipTreeWith (\(x, y) -> x * sin y) (a, b)
"""
    )
    zipped = mathematics(session.program, "zipped")
    shown = [to_plain(line.formula) for section in zipped.sections for line in section.lines]
    assert [unicodedata.normalize("NFC", line) for line in shown] == [
        "y = zipTree(a, b)",
        "dy = zipTree(da, db)",
        "ā = mapData(fst) (ȳ)",
        "b̄ = mapData(snd) (ȳ)",
    ]
    found = mathematics(session.program, "weighted")
    a, b, da, db, bar = numpy.random.default_rng(2).uniform(-1, 1, (5, 3))
    (first, second), y = found.inputs, found.results[0]
    page = Page({first: a, second: b, m.differential(first): da, m.differential(second): db})
    for title in ("value", "derivative"):
        page.read(found.section(title))
    numpy.testing.assert_allclose(page.whole(y), a * numpy.sin(b), rtol=1e-12)
    expected = da * numpy.sin(b) + a * numpy.cos(b) * db
    numpy.testing.assert_allclose(page.whole(m.differential(y)), expected, rtol=1e-12)
    page.values[m.barred(y)] = bar
    page.read(found.section("adjoint"), backwards=True)
    numpy.testing.assert_allclose(page.whole(m.barred(first)), numpy.sin(b) * bar, rtol=1e-12)
    numpy.testing.assert_allclose(page.whole(m.barred(second)), a * numpy.cos(b) * bar, rtol=1e-12)


def test_a_payload_of_pairs_moves_as_its_formulas_say() -> None:
    """Part by part, each at every place: made of numbers, and taken apart again."""
    session = Session(precision=64)
    session.run(
        r"""
data Tree a = Leaf a | Node (Tree a) (Tree a)
both : Tree R -> Tree (R, R)
both = mapData (\x -> (sin x, x * x))
nested : Tree R -> Tree R
nested t = mapData (\((a, b), c) -> a * b + c) (mapData (\x -> ((x, sin x), x * x)) t)
"""
    )
    found, function = mathematics(session.program, "both"), session["both"]
    (t,), (y,) = found.inputs, found.results
    random = numpy.random.default_rng(2)
    x, dx = random.uniform(-1, 1, (2, 3))
    page = Page({t: x, m.differential(t): dx})
    page.read(found.section("value"))
    page.read(found.section("derivative"))
    given, moved = (tree(paired(TREE, iter(each))) for each in (x, dx))
    value, change = function.jvp(({}, given), ({}, moved))

    def parts(of: m.Formula) -> list[float]:
        return [page.elements[of][v, k] for v in range(3) for k in (1, 2)]

    assert parts(y) == pytest.approx(leaves(value), rel=1e-12)
    assert parts(m.differential(y)) == pytest.approx(leaves(change), rel=1e-12)
    bar = random.uniform(-1, 1, (3, 2))
    page.elements[m.barred(y)] = {(v, k): bar[v, k - 1] for v in range(3) for k in (1, 2)}
    page.read(found.section("adjoint"), backwards=True)
    pairs = tree(paired(TREE, iter([tuple(each) for each in bar])))
    gradient = leaves(function.vjp({}, given)[1](pairs)[1])
    assert [*page.whole(m.barred(t))] == pytest.approx(gradient, rel=1e-12)
    lines = mathematics(session.program, "nested").section("derivative")
    assert not any(m.Letter("D") in m.inside(line.right) for line in lines)


def test_trees_of_different_things_are_zipped_and_what_holds_pairs_is_taken_apart() -> None:
    session = Session(precision=64)
    session.run(
        r"""
data Tree a = Leaf a | Node (Tree a) (Tree a)
scaled : (Tree R, Tree R[2]) -> Tree R[2]
scaled (a, b) = zipTreeWith (\(x, y) -> x * y) (a, b)
held : Tree (R, R[2]) -> R
held = foldData (\(s, (x, y)) -> s + x * sum y) 0
built : R -> R
built x = foldData (\(s, (a, b)) -> s + a * b) 0 (zipTree (Node (Leaf x) (Leaf 2), Leaf x))
"""
    )

    def shown(name: str, title: str) -> list[str]:
        found = mathematics(session.program, name).section(title)
        return [unicodedata.normalize("NFC", to_plain(line.formula)) for line in found]

    assert shown("scaled", "derivative") == ["dy_v = b_v da_v + a_v db_v"]
    assert shown("scaled", "adjoint") == ["ā_v = ⟨b_v, ȳ_v⟩", "b̄_v = a_v ȳ_v"]
    assert shown("held", "value")[1] == "s_{k + 1} = s_k + t_{k, 1} ∑_i t_{k, 2, i}"
    assert shown("held", "adjoint")[-2:] == [
        "t̄_{k, 2} = t_{k, 1} s̄_{k + 1} 𝟏",
        "t̄_{k, 1} = ∑_i t_{k, 2, i} s̄_{k + 1}",
    ]
    assert not any("D " in line for line in shown("built", "derivative"))


def test_children_that_come_in_a_sequence_are_grown_from_a_sequence_of_seeds() -> None:
    session = Session()
    session.run(ROSES)
    grown, reduced = (mathematics(session.program, name) for name in ("grown", "reduced"))

    def said(found: Mathematics, title: str) -> list[str]:
        lines = [to_plain(line.formula) for line in found.section(title)]
        return [unicodedata.normalize("NFC", line) for line in lines]

    assert said(grown, "value") == ["s_t = x", "a = s_v^2", "s_c = [s_v/2, s_v/3]"]
    assert said(grown, "derivative") == ["ds_t = dx", "da = 2 s_v ds_v", "ds_c = [ds_v/2, ds_v/3]"]
    assert said(grown, "adjoint") == ["s̄_v = 2 s_v ā + s̄_{c, 0}/2 + s̄_{c, 1}/3", "x̄ = s̄_t"]
    assert "y_{Rose a c} = a ∑_i y_{c, i}" in said(reduced, "value")
    assert "ȳ_c = a ȳ_{Rose a c} 𝟏" in said(reduced, "adjoint")


ASKED = r"""
data Rose a = Rose a [Rose a]
squares : Rose R -> R
squares = cata { Rose x rs -> x * x + sum rs }
asked : Rose R -> R
asked = para (\layer -> case layer of
  { RoseF x pairs -> fold (\(s, (t, r)) -> sin (s + r * squares t)) x pairs })
"""


def test_an_algebra_asks_children_that_come_in_a_sequence() -> None:
    """Its lines are done at every node, with what came of the children."""
    session = Session(precision=64)
    session.run(ASKED)
    found = mathematics(session.program, "asked")
    assert {to_plain(line.range) for line in found.section("value") if line.range} == {
        "i = 0, …, |c| - 1"
    }
    below: list[Any] = [["Rose", 0.4, []], ["Rose", -0.8, [["Rose", 0.3, []]]]]
    given: list[Any] = ["Rose", 0.7, below]
    moved: list[Any] = ["Rose", 0.2, [["Rose", -0.5, []], ["Rose", 0.6, [["Rose", 0.9, []]]]]]
    x, c, y = m.symbol("x"), m.symbol("c"), m.symbol("y")
    whole = m.Row((m.Letter("Rose"), m.Space(), x, m.Space(), c), m.FUNCTION)

    def squared(rose: Any) -> float:
        return rose[1] ** 2 + sum(map(squared, rose[2]))

    def moving(rose: Any, way: Any) -> float:
        return 2 * rose[1] * way[1] + sum(map(moving, rose[2], way[2]))

    def pulled(rose: Any, bar: float) -> list[float]:
        return [2 * rose[1] * bar, *(each for r in rose[2] for each in pulled(r, bar))]

    def node(rose: Any, way: Any) -> tuple[Page, list[Any], float, float]:
        """The page of a node, those of its children, what is made of it and how it moves."""
        inner = [node(*pair) for pair in zip(rose[2], way[2], strict=True)]
        places = numpy.arange(len(inner))
        page = Page({x: rose[1], m.differential(x): way[1], whole: 0, c: places})
        page.values |= {m.Fenced("|", c, "|"): len(inner), m.differential(c): places}
        page.named[m.Letter("squares")] = (
            lambda k: squared(rose[2][int(k)]),
            lambda k, way_k: moving(rose[2][int(k)], way[2][int(way_k)]),
            lambda k, bar: bar,  # to be pulled back in the child
        )
        page.values[m.indexed(y, c)] = numpy.array([made for _, _, made, _ in inner])
        page.values[m.differential(m.indexed(y, c))] = numpy.array([d for *_, d in inner])
        for title in ("value", "derivative"):
            page.read([line for line in found.section(title) if not alone(line)])
        made = page.of(m.indexed(y, whole)), page.of(m.differential(m.indexed(y, whole)))
        return page, inner, *made

    def alone(line: Any) -> bool:
        """Said once, of the root: y = y_t."""
        return m.symbol("t") in m.inside(line.formula)

    def back(page: Page, inner: list[Any], rose: Any, bar: float) -> list[float]:
        page.values[m.barred(m.indexed(y, whole))] = bar
        page.values |= {m.barred(x): 0.0, m.barred(m.indexed(y, c)): 0.0}
        page.read([line for line in found.section("adjoint") if not alone(line)], backwards=True)
        gradients = [page.of(m.barred(x))]
        for k, ((own, below, *_), child) in enumerate(zip(inner, rose[2], strict=True)):
            one = m.Digits(str(k))
            by_result = back(own, below, child, page.of(m.barred(m.indexed(m.indexed(y, c), one))))
            by_question = pulled(child, page.of(m.barred(m.indexed(c, one))))
            gradients += [a + b for a, b in zip(by_result, by_question, strict=True)]
        return gradients

    function = session["asked"]
    page, inner, value, change = node(given, moved)
    theirs, tangent = function.jvp(({}, tree(given)), ({}, tree(moved)))
    assert value == pytest.approx(float(theirs), rel=1e-12)
    assert change == pytest.approx(float(tangent), rel=1e-10)
    gradient = leaves(function.vjp({}, tree(given))[1](0.8)[1])
    assert back(page, inner, given, 0.8) == pytest.approx(gradient, rel=1e-10)


def test_every_recursion_has_a_letter_of_its_own_and_no_payload_has_it() -> None:
    session = Session()
    session.run(
        r"""
data Tree a = Leaf a | Node (Tree a) (Tree a)
data List a = End a | Link a (List a)
above : Tree R -> R
above = para (\layer -> case layer of
  { LeafF x -> x ; NodeF (a, x) (b, y) -> (cata { Leaf z -> z * x ; Node l r -> l * r }) a + y })
chain : List R -> R
chain = cata { End y -> y * y ; Link y s -> y * s }
"""
    )

    def lines(name: str, title: str) -> list[str]:
        found = mathematics(session.program, name).section(title)
        return [unicodedata.normalize("NFC", to_plain(line.formula)) for line in found]

    assert lines("above", "value") == [
        "y_{Leaf x} = x",
        "v_{Leaf z} = z y_l",
        "v_{Node l′ r′} = v_{l′} v_{r′}",
        "y_{Node l r} = v_l + y_r",
        "y = y_t",
    ]
    assert not [line for line in lines("above", "adjoint") if line.endswith("+= 0")]
    assert lines("chain", "value") == ["r_{End y} = y^2", "r_{Link y s} = y r_s", "z = r_t"]


def test_children_in_pairs_and_data_in_the_state_of_a_fold_have_formulas() -> None:
    session = Session()
    session.run(
        r"""
data Mix a = Stop a | Edge [(R, Mix a)] (Mix a) a
data Row = Row R | Scaled (R, Row)
data Runs a = Empty | Runs [a] R
total : Mix R -> R
total = cata { Stop x -> x ; Edge ps r y -> y * r + sum (map (\(w, s) -> w * s) ps) }
row : Row -> R
row = cata { Row x -> x * x ; Scaled (s, r) -> s * r }
joined : R[4] -> Runs R
joined = fold (\(m, x) -> case m of { Empty -> Runs [x] 1 ; Runs xs y -> Runs xs (y + x) }) Empty
"""
    )

    def value(name: str) -> list[str]:
        return [
            to_plain(line.formula) for line in mathematics(session.program, name).section("value")
        ]

    assert "u_{Edge p r y, i} = p_{1, i} v_{p2, i}" in value("total")
    assert "v_{Edge p r y} = y v_r + ∑_i u_{Edge p r y, i}" in value("total")
    assert value("row") == ["y_{Row x} = x^2", "y_{Scaled (s, r)} = s y_r", "y = y_t"]
    assert value("joined")[0] == "s0 = Empty"


def test_where_no_payload_is_a_number_nothing_moves() -> None:
    session = Session()
    session.run("data Ops = Stop | Open Ops\ncounted : Ops -> R\n"
                "counted = cata { Stop -> 1; Open n -> n + 1 }")  # fmt: skip
    assert not mathematics(session.program, "counted").section("derivative")
