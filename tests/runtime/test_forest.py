"""Forests: trees of any shapes run together, and give what each gives by itself."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nnfp_kernel import NnfpError, Session
from nnfp_kernel.graph.graph import TreeLoop
from nnfp_kernel.runtime.data import DataValue
from nnfp_kernel.runtime.data import tree as read
from nnfp_kernel.runtime.forest import bucket
from nnfp_kernel.runtime.training.events import Progress
from nnfp_kernel.runtime.training.objective import objective_of
from nnfp_kernel.runtime.training.train import train

PROGRAM = """
data Tree = Leaf R[3] | Node Tree Tree

tree : Tree ~> R[4]
tree = cata { Leaf x -> tanh (?E @ x) ; Node l r -> tanh (?L @ l + ?R @ r + ?b) }

loss : (Tree, R[4]) ~> R
loss (t, y) = squaredError (tree t) y

-- The algebra knows something of the example: its label is in it.
near : (Tree, R[4]) ~> R
near (t, y) = sum (cata { Leaf x -> tanh (?E @ x + y) ; Node l r -> ?s * l * r + y } t)

-- A catamorphism in a branch: what is not taken contributes nothing.
sometimes : (Tree, R) ~> R
sometimes (t, x) =
  if x > 0 then cata { Leaf x -> sum (?e * x) ; Node l r -> sqrt l + r } t else x * ?c

-- Several constructors with children and without, a payload in each, a pair as the result.
data Op = Plus | Scaled R
data Sum = Zero | Number R Fin[3] | Many Op Sum R[2] Sum | One Sum Bool

value : Sum ~> (R, R[2])
value = cata { Zero -> (?z, zero) ; Number x k -> (x * (?w ! k), ?v)
             ; Many o (a, u) y (b, v) -> (work o a b + sum (y * u), sin (u + v) * y)
             ; One (a, u) c -> (if c then a * a else cos a, 2 * u) }

work : Op -> R -> R -> R
work o a b = case o of { Plus -> a + b ; Scaled k -> k * a * b }

total : Sum ~> R
total s = let (a, u) = value s in a + sum u

-- Uses of a tree that are no catamorphism.
left : Tree ~> R[4]
left t = case t of { Leaf x -> tree t ; Node l r -> tree l }

mirror : Tree -> Tree
mirror = cata { Leaf x -> Leaf (2 * x) ; Node l r -> Node r l }

data Chain a = End a | Link a (Chain a)

run : Chain R[2] ~> R
run = cata { End x -> dot ?w x ; Link x s -> tanh (s + dot ?w x) }

depth : Chain a -> R
depth = cata { End x -> 1 ; Link x s -> s + 1 }
"""


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session(precision=64)
    session.run(PROGRAM)
    return session


def maker(session: Session, name: str) -> Callable[..., DataValue]:
    return session.constructor(name)


def random_tree(session: Session, random: numpy.random.Generator, leaves: int) -> DataValue:
    if leaves == 1:
        return session.constructor("Leaf")(random.normal(size=3))
    k = int(random.integers(1, leaves))
    parts = random_tree(session, random, k), random_tree(session, random, leaves - k)
    return session.constructor("Node")(*parts)


def random_sum(session: Session, random: numpy.random.Generator, depth: int) -> DataValue:
    zero, number, many, one, plus, scaled = map(
        session.constructor, ("Zero", "Number", "Many", "One", "Plus", "Scaled")
    )
    kind = random.integers(0, 4 if depth else 2)
    if kind == 0:
        return zero if isinstance(zero, DataValue) else zero()
    if kind == 1:
        return number(random.normal(), int(random.integers(3)))
    if kind == 2:
        return one(random_sum(session, random, depth - 1), bool(random.integers(2)))
    op = scaled(random.normal()) if random.integers(2) else plus
    op = op if isinstance(op, DataValue) else op()
    left, right = (random_sum(session, random, depth - 1) for _ in range(2))
    return many(op, left, random.normal(size=2), right)


def parts(value: object) -> list[numpy.ndarray]:
    """All the numbers of a value: of arrays, tuples, dicts, trees."""
    if isinstance(value, DataValue):
        return parts(value.fields)
    if isinstance(value, dict):
        return parts(tuple(value.values()))
    if isinstance(value, tuple | list):
        return [each for part in value for each in parts(part)]
    return [numpy.asarray(value)]


def same(one: object, other: object) -> None:
    left, right = parts(one), parts(other)
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-11)


sizes = st.lists(st.integers(1, 9), min_size=4, max_size=4)
seeds = st.integers(0, 1 << 30)


# --- a batch is what its examples are ---------------------------------------------------------


@settings(max_examples=3, deadline=None)
@given(sizes, seeds)
def test_a_batch_of_trees_gives_what_each_gives(session, leaves, seed):
    random = numpy.random.default_rng(seed)
    trees = [random_tree(session, random, n) for n in leaves]
    labels = random.normal(size=(len(trees), 4))
    tree, loss, weights = session["tree"], session["loss"], session.weights
    same(tree(trees), [tree(each) for each in trees])
    value, gradient = loss.mean_value_and_grad(weights, (trees, labels))
    alone = [loss.value_and_grad(weights, pair) for pair in zip(trees, labels, strict=True)]
    same(value, sum(one for one, _ in alone) / len(trees))
    for name in ("E", "L", "R", "b"):
        mean = sum(g["tree"][name] for _, g in alone) / len(trees)
        same(gradient["tree"][name], mean)


@settings(max_examples=3, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=3, max_size=3), seeds)
def test_several_constructors_with_payload_and_a_pair_as_the_result(session, depths, seed):
    random = numpy.random.default_rng(seed)
    trees = [random_sum(session, random, depth) for depth in depths]
    value, total, weights = session["value"], session["total"], session.weights
    expected = [by_hand(each, weights["value"]) for each in trees]
    same(value(trees), expected)
    same([value(each) for each in trees], expected)
    mean, gradient = total.mean_value_and_grad(weights, trees)
    alone = [total.value_and_grad(weights, each) for each in trees]
    same(mean, sum(one for one, _ in alone) / len(trees))
    for name in ("z", "w", "v"):
        same(gradient["value"][name], sum(g["value"][name] for _, g in alone) / len(trees))


def by_hand(tree: DataValue, weights: dict) -> tuple[float, numpy.ndarray]:
    """The algebra of `value` in Python."""
    match tree.constructor:
        case "Zero":
            return weights["z"], numpy.zeros(2)
        case "Number":
            x, k = tree.fields
            return x * weights["w"][k], weights["v"]
        case "Many":
            op, left, y, right = tree.fields
            (a, u), (b, v) = by_hand(left, weights), by_hand(right, weights)
            made = a + b if op.constructor == "Plus" else op.fields[0] * a * b
            return made + (y * u).sum(), numpy.sin(u + v) * y
        case "One":
            a, u = by_hand(tree.fields[0], weights)
            return (a * a if tree.fields[1] else numpy.cos(a)), 2 * u
    raise AssertionError(tree.constructor)


@settings(max_examples=3, deadline=None)
@given(sizes, seeds)
def test_an_algebra_that_knows_its_example_is_right(session, leaves, seed):
    random = numpy.random.default_rng(seed)
    trees = [random_tree(session, random, n) for n in leaves]
    labels = random.normal(size=(len(trees), 4))
    near, weights = session["near"], session.weights
    pairs = list(zip(trees, labels, strict=True))
    same(near(pairs), [near(pair) for pair in pairs])
    value, gradient = near.mean_value_and_grad(weights, (trees, labels))
    alone = [near.value_and_grad(weights, pair) for pair in pairs]
    same(value, sum(one for one, _ in alone) / len(trees))
    for name in ("E", "s"):
        same(gradient["near"][name], sum(g["near"][name] for _, g in alone) / len(trees))


def test_a_branch_not_taken_contributes_nothing_not_even_nan(session):
    """The square root of a negative number is in the branch that is not taken."""
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    trees = [node(leaf(sign * numpy.ones(3)), leaf(numpy.ones(3))) for sign in (1.0, -1.0)]
    sometimes = session["sometimes"]
    weights = {"sometimes": {"e": numpy.ones(3), "c": numpy.array(2.0)}}
    values = sometimes.apply_batch(weights, (trees, numpy.array([1.0, -1.0])))
    same(values, numpy.array([numpy.sqrt(3.0) + 3.0, -2.0]))
    _, gradient = sometimes.mean_value_and_grad(weights, (trees, numpy.array([1.0, -1.0])))
    assert all(numpy.isfinite(part).all() for part in parts(gradient))


def test_what_is_no_catamorphism_runs_by_structure(session):
    random = numpy.random.default_rng(0)
    trees = [random_tree(session, random, n) for n in (1, 4, 6)]
    left, mirror, tree = session["left"], session["mirror"], session["tree"]
    expected = [tree(t if t.constructor == "Leaf" else t.fields[0]) for t in trees]
    same([left(each) for each in trees], expected)
    same(left(trees), expected)
    same(left.apply_batch(session.weights, trees), numpy.stack(expected))
    turned = mirror(mirror(trees[2]))
    same(turned, [4 * part for part in parts(trees[2])])
    assert [each.constructor for each in mirror(trees)] == ["Leaf", "Node", "Node"]


# --- derivatives --------------------------------------------------------------------------------


@settings(max_examples=3, deadline=None)
@given(st.integers(1, 9), seeds)
def test_the_gradient_of_a_tree_is_a_tree(session, leaves, seed):
    """Of its shape; judged by finite differences and <Lu, v> = <u, L† v>."""
    random = numpy.random.default_rng(seed)
    tree, weights = session["tree"], session.weights
    one = random_tree(session, numpy.random.default_rng(seed), leaves)
    moved = jax.tree.map(lambda part: random.normal(size=part.shape), one)
    _value, pullback = tree.vjp(weights, one)
    cotangent = random.normal(size=4)
    dweights, gradient = pullback(cotangent)
    assert shape_of(gradient) == shape_of(one)

    still = jax.tree.map(numpy.zeros_like, weights)
    _, tangent = tree.jvp((weights, one), (still, moved))
    same(
        numpy.dot(cotangent, tangent),
        sum((a * b).sum() for a, b in zip(parts(gradient), parts(moved), strict=True)),
    )
    step = 1e-6
    there, back = (tree.apply(weights, combined(one, moved, sign * step)) for sign in (1, -1))
    assert_allclose(tangent, (there - back) / (2 * step), rtol=1e-6, atol=1e-8)

    # The lowered program is an ordinary JAX function: jax.vjp judges the weights' gradient.
    _, judge = jax.vjp(lambda w: tree.apply(w, one), {"tree": weights["tree"]})
    same(dweights["tree"], judge(jax.numpy.asarray(cotangent))[0]["tree"])


def shape_of(tree: DataValue) -> tuple:
    return (
        tree.constructor,
        tuple(shape_of(f) if isinstance(f, DataValue) else numpy.shape(f) for f in tree.fields),
    )


def combined(tree: DataValue, moved: DataValue, step: float) -> DataValue:
    fields = tuple(
        combined(one, other, step) if isinstance(one, DataValue) else one + step * other
        for one, other in zip(tree.fields, moved.fields, strict=True)
    )
    return DataValue(tree.constructor, fields)


def test_the_gradient_of_data_inside_a_tree_has_its_form(session):
    random = numpy.random.default_rng(5)
    tree = random_sum(session, random, 4)
    _value, pullback = session["total"].vjp(session.weights, tree)
    gradient = pullback(1.0)[1]

    def check(one: object, other: object) -> None:
        if isinstance(one, DataValue):
            assert one.constructor == other.constructor
            for a, b in zip(one.fields, other.fields, strict=True):
                check(a, b)
        elif isinstance(one, bool | int):
            assert other == ()
        else:
            assert numpy.shape(one) == numpy.shape(other)

    check(tree, gradient)


def test_a_payload_may_be_traced_by_jax(session):
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    tree, weights = session["tree"], session.weights

    def total(x: jax.Array) -> jax.Array:
        return tree.apply(weights, node(leaf(x), node(leaf(2 * x), leaf(numpy.ones(3))))).sum()

    x = jax.numpy.array([0.1, -0.4, 0.3])
    found = jax.jit(jax.grad(total))(x)
    step = 1e-6
    for k in range(3):
        shift = step * numpy.eye(3)[k]
        assert_allclose(found[k], (total(x + shift) - total(x - shift)) / (2 * step), rtol=1e-6)


# --- no shape is compiled twice --------------------------------------------------------------


def test_trees_of_other_shapes_run_what_is_compiled(session):
    random = numpy.random.default_rng(1)
    session.run("again = tree")
    again, loss = session["again"], session["loss"]
    for _ in range(12):
        again(random_tree(session, random, 14))
    assert again.compilations <= 4  # by width and number of steps; shapes are hundreds
    before = None
    for _ in range(8):
        trees = [random_tree(session, random, int(random.integers(5, 12))) for _ in range(40)]
        loss.mean_value_and_grad(session.weights, (trees, random.normal(size=(40, 4))))
        before = before or loss.compilations
    assert loss.compilations <= before + 3


def test_the_graph_of_a_batch_has_one_loop_for_all_trees(session):
    random = numpy.random.default_rng(2)
    trees = [random_tree(session, random, n) for n in (3, 5, 1)]
    call, _, _ = session["tree"].calls.of_batch((trees,))
    loops = [n for n in call.traced.optimised.walk() if isinstance(n.operation, TreeLoop)]
    assert len(loops) == 1
    assert loops[0] in call.traced.optimised.nodes


def test_buckets_are_few_and_not_much_larger():
    for count in range(1, 3000):
        room = bucket(count)
        assert count <= room < (2 * count if count <= 64 else 1.125 * count + 1)
        assert bucket(room) == room
    assert len({bucket(count) for count in range(1, 1025)}) <= 7 + 4 * 8


# --- ends of the range ---------------------------------------------------------------------------


def test_one_leaf_a_batch_of_leaves_and_a_batch_of_none(session):
    leaf = session.constructor("Leaf")
    tree, loss, weights = session["tree"], session["loss"], session.weights
    x = numpy.array([0.3, -0.2, 0.5])
    expected = numpy.tanh(weights["tree"]["E"] @ x)
    same(tree(leaf(x)), expected)
    same(tree([leaf(x), leaf(2 * x)])[0], expected)
    assert tree([]) == []
    assert tree.apply_batch(weights, []).shape == (0, 4)
    value, gradient = loss.mean_value_and_grad(weights, ([], numpy.zeros((0, 4))))
    assert float(value) == 0
    assert not any(part.any() for part in parts(gradient))


def test_a_chain_of_ten_thousand_nodes(session):
    random = numpy.random.default_rng(4)
    end, link = session.constructor("End"), session.constructor("Link")
    xs = random.normal(size=(10_000, 2))
    chain = end(xs[0])
    for x in xs[1:]:
        chain = link(x, chain)
    run = session["run"]
    w = session.weights["run"]["w"]
    state = w @ xs[0]
    for x in xs[1:]:
        state = numpy.tanh(state + w @ x)
    same(run(chain), state)
    same(session["depth"](chain), 10_000.0)
    _value, pullback = run.vjp(session.weights, chain)
    gradient = pullback(1.0)[1]
    assert gradient.constructor == "Link"
    assert_allclose(gradient.fields[0], (1 - state**2) * w, rtol=1e-9)


def test_a_tree_stays_what_it_is_whatever_is_written_to_what_it_was_made_of(session):
    x = numpy.array([0.1, 0.2, 0.3])
    one = session.constructor("Leaf")(x)
    written = read("(Leaf [0.1, 0.2, 0.3])")
    before = session["tree"](one)
    x *= 2
    same(session["tree"](one), before)
    for tree in (one, written):
        with pytest.raises(ValueError, match="read-only"):
            tree.fields[0][0] = 1.0
    items = [x, [x, 1.0]]
    inside = DataValue("Any", (items, (x,)))
    items[1][1] = 2.0
    x *= 2
    same(inside, DataValue("Any", ([x / 2, [x / 2, 1.0]], (x / 2,))))


@pytest.mark.parametrize(
    "kinds",
    [
        (lambda x: numpy.repeat(x, 2)[::2],),  # not in one piece
        (numpy.float32, numpy.float64, numpy.int8),  # of several dtypes
        (lambda x: x.astype(">f8"),),  # bytes the other way round
    ],
)
def test_leaves_are_packed_however_their_arrays_lie_in_memory(session, kinds):
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    rows = numpy.array([[0.0, 1.0, 2.0], [3.0, 5.0, 8.0], [13.0, 21.0, 34.0]])
    plain, made = (
        node(leaf(a), node(leaf(b), leaf(c)))
        for a, b, c in (rows, [kinds[k % len(kinds)](row) for k, row in enumerate(rows)])
    )
    tree = session["tree"]
    same(tree([made, made]), tree([plain, plain]))


# --- mistakes ----------------------------------------------------------------------------------


def test_a_leaf_of_the_wrong_shape_is_named_by_its_tree_and_path(session):
    random = numpy.random.default_rng(3)
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    trees = [random_tree(session, random, 3) for _ in range(400)]
    wrong = DataValue("Leaf", (numpy.ones(4),))
    trees[399] = node(node(leaf(numpy.ones(3)), wrong), trees[0])
    before = session["tree"](trees[0])
    for use in (
        lambda: session["tree"](trees),
        lambda: session["loss"].mean_value_and_grad(
            session.weights, (trees, numpy.zeros((400, 4)))
        ),
    ):
        with pytest.raises(NnfpError) as caught:
            use()
        said = caught.value.render()
        assert "tree 399" in said
        assert "Node.1.Node.2.Leaf.1" in said
        assert "R[4]" in said
        assert "R[3]" in said
    with pytest.raises(NnfpError, match="tree 1"):
        session["tree"]([trees[0], numpy.ones(3)])
    same(session["tree"](trees[0]), before)  # nothing of the session is lost


def test_a_forest_runs_in_32_bits_when_64_have_been_switched_on() -> None:
    Session(precision=64).run("1 + 1")  # the switch is one of the whole process
    session = Session(precision=32)
    session.run(
        "data Ops = Digit Fin[10] | Open Fin[4] | Arg Ops Ops | Close Ops\n"
        "f = cata { Digit d -> toReal d; Open o -> toReal o; Arg a b -> a + b; Close a -> 2 * a }"
    )
    one = read("(Close (Arg (Open 3) (Digit 1)))")
    found = session["f"].batch([one, one])
    assert found.dtype == numpy.float32
    assert found.tolist() == [8.0, 8.0]


# --- training ----------------------------------------------------------------------------------


def test_training_on_trees_of_many_shapes_learns(session):
    random = numpy.random.default_rng(6)
    trees = [random_tree(session, random, 4) for _ in range(24)]
    labels = numpy.tile(random.uniform(-0.5, 0.5, size=4), (24, 1))
    loss = session["loss"]
    events = train(
        objective_of(loss), session.weights, (trees, labels), steps=30, batch=12, rate=0.05
    )
    losses = [value for e in events if isinstance(e, Progress) for value in e.losses]
    assert len(losses) == 30
    assert numpy.mean(losses[-3:]) < 0.5 * numpy.mean(losses[:3])
