"""Trees whose nodes have sequences of children, run as one forest: what each gives."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from nnfp_kernel import NnfpError, Session
from nnfp_kernel.graph.graph import TreeLoop
from nnfp_kernel.runtime.data import DataValue
from nnfp_kernel.runtime.forest import arguments
from nnfp_kernel.runtime.training.events import Progress
from nnfp_kernel.runtime.training.objective import objective_of
from nnfp_kernel.runtime.training.train import train

PROGRAM = """
data Rose = Rose R[3] [Rose]

cell : Rose ~> R[4]
cell = cata { Rose x hs -> tanh (?E @ x + ?U @ sum hs + sum (map gate hs)) }

gate : R[4] ~> R[4]
gate h = sigmoid (?G @ h) * h

loss : (Rose, R[4]) ~> R
loss (t, y) = squaredError (cell t) y

-- Children, payload and both in products, sequences and arrays of a known length.
data Mix b = Stop | Word [R[2]] | Edge b [(R, Mix b)] (Mix b)
           | Two (Mix b, R) [Mix b] [(Mix b, Mix b)] [R] | Three (Mix b)[3] Bool

mix : Mix R ~> R[2]
mix = cata { Stop -> ?z
           ; Word xs -> sum (map tanh xs)
           ; Edge a es m -> tanh (a * m + fold edge zero es)
           ; Two (u, r) us vs ws -> sin (u * r + sum us + ?v * pairs vs) * (1 + sum ws)
           ; Three hs b -> if b then hs ! 1 - sum hs else maximum hs }

edge : (R[2], (R, R[2])) ~> R[2]
edge (s, (w, h)) = tanh (?A @ s + w * h)

pairs : [(R[2], R[2])] -> R[2]
pairs = map (\\(a, b) -> a * b) >> sum

-- Folds, maps and reductions over the children.
data Call = Number R | Call [Call] | Ends R [Call]

reduced : Call ~> R
reduced = cata { Number x -> x
               ; Call xs -> mean xs + last xs * maximum xs + ?a * dot xs (softmax xs)
               ; Ends r xs -> r + fold (\\(s, x) -> sin (s + x)) 0 xs + sum (scan (+) 0 xs) }

-- What needs the number of children before running, and an answer that is no number.
counted : Call -> R
counted = cata { Number x -> x ; Call xs -> sum (reshape[2] xs) ; Ends r xs -> r }

plain : Call -> [R]
plain = cata { Number x -> [x] ; Call xs -> concat xs ; Ends r xs -> concat xs ++ [r] }
"""


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session(precision=64)
    session.run(PROGRAM)
    return session


Random = numpy.random.Generator


def rose(random: Random, depth: int, most: int = 4) -> DataValue:
    count = int(random.integers(0, most + 1)) if depth else 0
    children = [rose(random, depth - 1, most) for _ in range(count)]
    return DataValue("Rose", (random.normal(size=3), children))


def mix(random: Random, depth: int) -> DataValue:
    def some(most: int) -> range:
        return range(int(random.integers(0, most)))

    match int(random.integers(0, 5 if depth else 2)):
        case 0:
            return DataValue("Stop", ())
        case 1:
            return DataValue("Word", (random.normal(size=(len(some(6)), 2)),))
        case 2:
            edges = [(random.normal(), mix(random, depth - 1)) for _ in some(4)]
            return DataValue("Edge", (random.normal(), edges, mix(random, depth - 1)))
        case 3:
            return DataValue(
                "Two",
                (
                    (mix(random, depth - 1), random.normal()),
                    [mix(random, depth - 1) for _ in some(3)],
                    [(mix(random, depth - 1), mix(random, depth - 1)) for _ in some(3)],
                    random.normal(size=len(some(7))),
                ),
            )
        case _:
            three = [mix(random, depth - 1) for _ in range(3)]
            return DataValue("Three", (three, bool(random.integers(2))))


def call(random: Random, depth: int) -> DataValue:
    kind = int(random.integers(0, 3)) if depth else 0
    if kind == 0:
        return DataValue("Number", (random.normal(),))
    least = 1 if kind == 1 else 0
    children = [call(random, depth - 1) for _ in range(int(random.integers(least, 4)))]
    return DataValue("Call", (children,)) if kind == 1 else DataValue("Ends", (1.0, children))


def by_hand(tree: DataValue, weights: dict[str, Any], np: Any = numpy) -> Any:
    """The algebra of `cell` in NumPy."""
    x, children = tree.fields
    state = weights["cell"]["E"] @ x
    for child in children:
        h = by_hand(child, weights, np)
        state = state + weights["cell"]["U"] @ h + h / (1 + np.exp(-weights["gate"]["G"] @ h))
    return np.tanh(state)


def same(one: Any, other: Any) -> None:
    left, right = jax.tree.flatten(one), jax.tree.flatten(other)
    assert len(left[0]) == len(right[0])
    for a, b in zip(left[0], right[0], strict=True):
        assert_allclose(a, b, rtol=1e-9, atol=1e-11)


seeds = st.integers(0, 1 << 30)


# --- a batch is what its trees are ----------------------------------------------------------------


@settings(max_examples=2, deadline=None)
@given(seeds)
def test_a_batch_of_rose_trees_gives_what_each_gives(session: Session, seed: int) -> None:
    random = numpy.random.default_rng(seed)
    trees = [rose(random, 3), rose(random, 2), rose(random, 0)]
    weights, cell, loss = session.weights, session["cell"], session["loss"]
    expected = [by_hand(tree, weights) for tree in trees]
    same(cell(trees), expected)
    same(cell(trees[0]), expected[0])
    labels = random.normal(size=(len(trees), 4))
    value, gradient = loss.mean_value_and_grad(weights, (trees, labels))

    def judge(weights: Any) -> Any:
        made = [by_hand(tree, weights, jax.numpy) for tree in trees]
        return sum(((h - y) ** 2).sum() for h, y in zip(made, labels, strict=True)) / len(trees)

    mine = {name: weights[name] for name in ("cell", "gate")}
    same((value, gradient), jax.value_and_grad(judge)(mine))


def test_every_form_of_field_gives_what_it_gives_by_structure(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = numpy.random.default_rng(40)
    trees = [mix(random, 2) for _ in range(8)]
    session.run("again = mix")
    f, again, weights = session["mix"], session["again"], session.weights
    together = f(trees)
    some = [k for k, tree in enumerate(trees) if 3 < len(jax.tree.leaves(tree)) < 12][:3]
    assert {trees[k].constructor for k in some} == {"Edge", "Two", "Three"}
    cotangent = numpy.array([1.0, 2.0])

    def asked(function: Any, tree: DataValue) -> Any:
        value, pullback = function.vjp(weights, tree)
        return value, pullback(cotangent)

    found = {k: asked(f, trees[k]) for k in some[:1]}
    one = trees[some[0]]  # and the other way: <Lu, v> = <u, L† v>
    moved = jax.tree.map(lambda x: 0.1 + numpy.asarray(x), one)
    _, tangent = f.jvp((weights, one), (jax.tree.map(numpy.zeros_like, weights), moved))
    gradient = found[some[0]][1][1]
    paired = zip(jax.tree.leaves(gradient), jax.tree.leaves(moved), strict=True)
    same(numpy.dot(cotangent, tangent), sum(numpy.sum(a * b) for a, b in paired))

    monkeypatch.setattr(arguments, "forestable", lambda *_: False)
    same([together[k] for k in some[1:]], [again(trees[k]) for k in some[1:]])
    for k in some[:1]:
        by_structure = asked(again, trees[k])
        same(together[k], by_structure[0])
        same(found[k], by_structure)
        shapes = [jax.tree.map(numpy.shape, pair[1][1]) for pair in (found[k], by_structure)]
        assert shapes[0] == shapes[1]


@settings(max_examples=3, deadline=None)
@given(seeds)
def test_children_are_reduced_by_their_number(session: Session, seed: int) -> None:
    random = numpy.random.default_rng(seed)
    trees = [call(random, 3) for _ in range(6)]
    a = float(session.weights["reduced"]["a"])

    def by_hand(tree: DataValue) -> float:
        if tree.constructor == "Number":
            return float(tree.fields[0])
        xs = numpy.array([by_hand(child) for child in tree.fields[-1]])
        if tree.constructor == "Call":
            e = numpy.exp(xs - xs.max())
            return float(xs.mean() + xs[-1] * xs.max() + a * xs @ e / e.sum())
        state = 0.0
        for x in xs:
            state = numpy.sin(state + x)
        return float(tree.fields[0] + state + numpy.cumsum(xs).sum())

    same(session["reduced"](trees), [by_hand(tree) for tree in trees])


def test_gradients_agree_with_differences(session: Session) -> None:
    random = numpy.random.default_rng(8)
    tree, reduced = call(random, 3), session["reduced"]
    while len(jax.tree.leaves(tree)) < 5:
        tree = call(random, 4)
    _, pullback = reduced.vjp(session.weights, tree)
    gradient = jax.tree.leaves(pullback(1.0)[1])
    leaves, structure = jax.tree.flatten(tree)
    for k in range(len(leaves)):
        moved = [
            float(
                reduced(
                    jax.tree.unflatten(structure, [*leaves[:k], leaves[k] + h, *leaves[k + 1 :]])
                )
            )
            for h in (1e-6, -1e-6)
        ]
        assert_allclose(gradient[k], (moved[0] - moved[1]) / 2e-6, rtol=1e-6, atol=1e-8)


# --- ends of the range -----------------------------------------------------------------------------


def test_a_node_of_300_children_beside_leaves_takes_little_room(session: Session) -> None:
    random = numpy.random.default_rng(5)
    wide = DataValue("Rose", (random.normal(size=3), [rose(random, 0) for _ in range(300)]))
    above = DataValue("Rose", (random.normal(size=3), [rose(random, 0), wide]))
    trees = [above, *(rose(random, 2) for _ in range(200)), rose(random, 0)]
    cell, weights = session["cell"], session.weights
    same(cell(trees), [by_hand(tree, weights) for tree in trees])
    called, _, _ = cell.calls.of_batch((trees,))
    (shape,) = called.structures
    nodes = sum(len(jax.tree.leaves(tree)) for tree in trees)
    assert shape.length * shape.width * shape.reads < 10 * nodes
    assert sum(isinstance(n.operation, TreeLoop) for n in called.traced.optimised.walk()) == 1


def test_a_chain_and_a_batch_of_none(session: Session) -> None:
    random = numpy.random.default_rng(6)
    chain = rose(random, 0)
    weights = session.weights
    for _ in range(3000):
        chain = DataValue("Rose", (random.normal(size=3), [chain]))
    state, node = numpy.zeros(4), chain
    payload = []
    while True:
        payload.append(node.fields[0])
        if not node.fields[1]:
            break
        (node,) = node.fields[1]
    gate = weights["gate"]["G"]
    for place, x in enumerate(reversed(payload)):
        below = weights["cell"]["U"] @ state + state / (1 + numpy.exp(-gate @ state))
        state = numpy.tanh(weights["cell"]["E"] @ x + below * (place > 0))
    same(session["cell"](chain), state)
    assert session["cell"]([]) == []


def test_rose_trees_of_other_shapes_run_what_is_compiled(session: Session) -> None:
    random = numpy.random.default_rng(1)
    loss, before = session["loss"], None
    for _ in range(8):
        trees = [rose(random, 3) for _ in range(30)]
        loss.mean_value_and_grad(session.weights, (trees, random.normal(size=(30, 4))))
        before = before or loss.compilations
    assert loss.compilations <= before + 3


def test_trees_beside_sequences_of_any_length_run_in_buckets() -> None:
    session = Session(precision=64)
    session.run(
        "data Tree = Leaf R[2] | Node Tree Tree\n"
        "look : (Tree, [R[2]]) ~> R[2]\n"
        "look (t, xs) = (cata { Leaf x -> tanh (x + attend xs x)\n"
        "                     ; Node l r -> tanh (?L @ l + attend xs r) }) t\n"
        "attend xs q = sum (zipWith (\\(w, x) -> w * x) (softmax (map (dot q) xs), xs))\n"
        "total : (Tree, [R[2]]) ~> R\ntotal p = sum (square (look p))"
    )
    random, weights = numpy.random.default_rng(0), session.weights

    def tree(leaves: int) -> DataValue:
        if leaves == 1:
            return DataValue("Leaf", (random.normal(size=2),))
        return DataValue("Node", (tree(1), tree(leaves - 1)))

    def by_hand(t: DataValue, xs: numpy.ndarray, L: numpy.ndarray) -> numpy.ndarray:
        def attend(q: numpy.ndarray) -> numpy.ndarray:
            e = numpy.exp(xs @ q)
            return (e / e.sum()) @ xs

        if t.constructor == "Leaf":
            return numpy.tanh(t.fields[0] + attend(t.fields[0]))
        left, right = (by_hand(child, xs, L) for child in t.fields)
        return numpy.tanh(L @ left + attend(right))

    lengths = (1, 3, 4, 6, 7, 8, 2, 5)
    examples = [(tree(1 + n % 4), random.normal(size=(n, 2))) for n in lengths]
    L = numpy.asarray(weights["look"]["L"])
    values = session["look"](examples)
    same(values, [by_hand(t, xs, L) for t, xs in examples])
    assert session["look"].compilations <= 4

    def judge(L: Any) -> float:
        made = [(by_hand(t, xs, L) ** 2).sum() for t, xs in examples]
        return float(sum(made) / len(made))

    value, gradient = session["total"].mean_value_and_grad(weights, examples)
    same(value, judge(L))
    for step in 1e-6 * numpy.eye(4).reshape(4, 2, 2):
        slope = (judge(L + step) - judge(L - step)) / 2e-6
        assert_allclose((gradient["look"]["L"] * step).sum() / 1e-6, slope, rtol=1e-6, atol=1e-8)


# --- what is no forest ------------------------------------------------------------------------------


def test_what_needs_the_number_of_children_runs_by_structure(session: Session) -> None:
    one, two = (DataValue("Number", (x,)) for x in (2.0, 3.0))
    tree = DataValue("Call", ([one, two],))
    assert [float(x) for x in session["counted"]([tree, one])] == [5.0, 2.0]
    both = DataValue("Ends", (4.0, [tree, one]))
    assert [row.tolist() for row in session["plain"]([both, one])] == [[2, 3, 2, 4], [2]]
    with pytest.raises(NnfpError, match="example 1 of the batch"):
        session["counted"]([tree, DataValue("Call", ([one],))])


# --- mistakes ---------------------------------------------------------------------------------------


def test_the_mean_of_no_children_names_the_example(session: Session) -> None:
    one = DataValue("Number", (2.0,))
    inner = DataValue("Ends", (1.0, [DataValue("Call", ([],))]))
    trees = [one, DataValue("Call", ([one],)), inner]
    for use in (
        lambda: session["reduced"](trees),
        lambda: session["reduced"].mean_value_and_grad(session.weights, trees),
    ):
        with pytest.raises(NnfpError, match="of nothing") as caught:
            use()
        assert "example 2 of the batch" in caught.value.render()
    with pytest.raises(NnfpError, match="of nothing"):
        session["reduced"](inner)
    assert float(session["reduced"](one)) == 2.0


def test_a_leaf_of_the_wrong_shape_is_named_by_its_tree_and_path(session: Session) -> None:
    random = numpy.random.default_rng(3)
    trees = [rose(random, 2) for _ in range(400)]
    wrong = DataValue("Rose", (numpy.ones(4), []))
    inner = DataValue("Rose", (numpy.ones(3), [rose(random, 1), wrong]))
    trees[399] = DataValue("Rose", (numpy.ones(3), [inner]))
    with pytest.raises(NnfpError) as caught:
        session["cell"](trees)
    said = caught.value.render()
    for part in ("tree 399", "Rose.2[1].Rose.2[2].Rose.1", "R[4]", "R[3]"):
        assert part in said
    with pytest.raises(NnfpError, match=r"tree 0.Edge.2\[1\].2"):
        session["mix"]([DataValue("Edge", (1.0, [(1.0, 2.0)], DataValue("Stop", ())))])
    with pytest.raises(NnfpError, match="3 of them"):
        session["mix"](DataValue("Three", ([DataValue("Stop", ())], True)))


# --- training ---------------------------------------------------------------------------------------


def test_training_on_rose_trees_learns(session: Session) -> None:
    random = numpy.random.default_rng(6)
    trees = [rose(random, 2) for _ in range(24)]
    labels = numpy.tile(random.uniform(-0.5, 0.5, size=4), (24, 1))
    events = train(
        objective_of(session["loss"]),
        session.weights,
        (trees, labels),
        steps=30,
        batch=24,
        rate=0.05,
    )
    losses = [value for e in events if isinstance(e, Progress) for value in e.losses]
    assert numpy.mean(losses[-3:]) < 0.5 * numpy.mean(losses[:3])
