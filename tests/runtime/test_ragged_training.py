"""Training on Python lists of examples of any length: mini-batches out of buckets."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import jax
import numpy
import pytest
from hypothesis import given, settings

from nnfp_kernel import NnfpError, Session
from nnfp_kernel.runtime.lists import form_of
from nnfp_kernel.runtime.training.examples import Buckets
from nnfp_kernel.runtime.training.objective import examples_of, objective_of

PROGRAM = """
model : [R[2]] ~> R
model xs = ?w @ fold (\\(h, x) -> tanh (?W @ h + ?U @ x)) zero xs + ?b
  where ?W : R[3,3]

distance : ([R[2]], [R]) ~> R
distance (xs, ys) = squaredError (model xs) (sum ys)

steady : [R] ~> R
steady xs = square (?m - mean xs)

blown : [R] ~> R
blown xs = ?m * sum (map log xs)
"""


def made(precision: Any = 64) -> Session:
    session = Session(precision=precision, seed=2)
    session.run(PROGRAM)
    return session


def examples(count: int, seed: int = 0) -> list[numpy.ndarray]:
    rng = numpy.random.default_rng(seed)
    return [rng.normal(size=(n, 2)) for n in rng.integers(0, 10, count)]


def test_a_batch_of_buckets_has_the_mean_loss_and_gradient_of_its_examples() -> None:
    session = made()
    function = session["distance"]
    data = [(x, x[::2, 0]) for x in examples(30)]
    form = form_of(function, [(one,) for one in data])
    program = function.program
    buckets = Buckets.of(form, [(one,) for one in data], program.declarations, 64)
    objective = objective_of(function)
    seen = []
    order = numpy.asarray(buckets.order(jax.random.key(0), 8))
    sorted_data = sorted(data, key=lambda one: form.capacity((one,)))
    for places in order.reshape(-1, 8):
        own = [sorted_data[k] for k in places if k >= 0]
        seen.extend(k for k in places if k >= 0)
        assert len({form.capacity((one,)) for one in own}) == 1
        value, gradient = objective.value_and_grad(
            function.weights, buckets.take(places), jax.random.key(0)
        )
        each = [function.value_and_grad(function.weights, one) for one in own]
        wanted = jax.tree.map(lambda *parts: sum(parts) / len(parts), *each)
        for one, other in zip(
            jax.tree.leaves((value, gradient)), jax.tree.leaves(wanted), strict=True
        ):
            numpy.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    assert sorted(seen) == list(range(30))


def test_lists_of_sequences_and_labels_are_learned_from() -> None:
    session = made(32)
    data = examples(120)
    labels = [float(x.sum(axis=0) @ [0.1, -0.2]) for x in data]
    *events, last = session.train(
        "model", [data, labels], loss="squaredError", valid=0.2, epochs=30, rate=0.02, batch=16
    )
    assert last.reason == "finished"
    losses = [event.loss for event in events if type(event).__name__ == "Measured"]
    assert len(losses) >= 30
    assert losses[-1] < losses[0] / 3
    started = events[0]
    assert (started.examples, started.held_out) == (96, 24)


def test_several_sequences_of_an_example_are_learned_from() -> None:
    session = made(32)
    data = examples(40)
    targets = [x[:, 0] for x in data]
    before = session.weights["model"]["b"]
    *_, last = session.train("distance", [data, targets], steps=20, batch=8)
    assert last.reason == "finished"
    assert session.weights["model"]["b"] != before


def test_what_no_training_can_look_at_is_told_before_it() -> None:
    session = made()
    data = [numpy.ones(3), numpy.ones(2), numpy.ones(0)]
    with pytest.raises(NnfpError) as caught:
        session.train("steady", [data])
    assert "the mean of nothing" in caught.value.render()
    assert "example 2 of the batch" in caught.value.render()
    with pytest.raises(NnfpError) as caught:
        session.train("steady", [[numpy.ones(3), numpy.ones((2, 2))]])
    assert "example 1 of the batch" in caught.value.render()


TREES = """
data Tree = Leaf R[2] | Node Tree Tree

encode : Tree ~> R[3]
encode = cata { Leaf x -> tanh (?E @ x) ; Node l r -> tanh (?L @ l + ?R @ r) }

captioned : (Tree, [R], [[R]]) ~> R
captioned (tree, xs, pages) =
  sum (encode tree) + fold (\\(s, x) -> tanh (s + ?k * x)) 0 xs * ?a - sum (map sum pages) * ?b

closing : (Tree, [R]) ~> R
closing (tree, xs) = sum (encode tree) * last xs
"""


@pytest.fixture(scope="module")
def forest() -> Session:
    session = Session(precision=64, seed=3)
    session.run(TREES)
    return session


def grown(session: Session, leaves: int, random: numpy.random.Generator) -> Any:
    if leaves == 1:
        return session.constructor("Leaf")(random.normal(size=2))
    left = int(random.integers(1, leaves))
    parts = (grown(session, n, random) for n in (left, leaves - left))
    return session.constructor("Node")(*parts)


@settings(max_examples=2, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 9)), min_size=1, max_size=5),
    seed=st.integers(0, 9),
)
def test_trees_beside_sequences_are_batched_in_buckets(
    forest: Session, counts: list[tuple[int, int]], seed: int
) -> None:
    random = numpy.random.default_rng(seed)
    trees = [grown(forest, n, random) for n, _ in counts]
    sequences = [random.normal(size=m) for _, m in counts]
    pages = [[random.normal(size=m) for m in (n % 4, k % 3)] for n, k in counts]
    function = forest["captioned"]
    weights, objective = function.weights, objective_of(function)
    buckets = examples_of(function, weights, [trees, sequences, pages])
    assert isinstance(buckets, Buckets)
    assert len(buckets.capacities) <= math.ceil(math.log2(9)) + 1
    rooms = [
        buckets.form.capacity(((tree, xs, page),))
        for tree, xs, page in zip(trees, sequences, pages, strict=True)
    ]
    sorted_places = numpy.argsort(rooms, kind="stable")
    order = numpy.asarray(buckets.order(jax.random.key(seed), 3)).reshape(-1, 3)
    seen = []
    for places in order:
        own = [int(sorted_places[place]) for place in places if place >= 0]
        seen += own
        found = objective.value_and_grad(weights, buckets.take(places), jax.random.key(0))
        each = [function.value_and_grad(weights, (trees[k], sequences[k], pages[k])) for k in own]
        wanted = jax.tree.map(lambda *parts: sum(parts) / len(parts), *each)
        pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
        for one, other in pairs:
            numpy.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    assert sorted(seen) == list(range(len(counts)))


def test_trees_beside_sequences_are_learned_from(forest: Session) -> None:
    random = numpy.random.default_rng(0)
    trees = [grown(forest, int(random.integers(1, 6)), random) for _ in range(24)]
    sequences = [random.normal(size=1 + k % 5) for k in range(24)]
    before = forest.weights["encode"]["E"]
    events = list(
        forest.train("closing", [trees, sequences], steps=6, batch=4, valid=0.25, rate=0.01)
    )
    assert events[-1].reason == "finished"
    assert numpy.abs(forest.weights["encode"]["E"] - before).max() > 0
    sequences[17] = numpy.zeros(0)
    with pytest.raises(NnfpError) as caught:
        list(forest.train("closing", [trees, sequences], steps=2, batch=4))
    assert "the last of nothing" in caught.value.render()
    assert "example 17 of the batch" in caught.value.render()


def test_a_loss_that_is_not_finite_names_its_expression() -> None:
    session = made()
    data = [numpy.ones(3), numpy.array([1.0, 0.0])]
    *_, last = session.train("blown", [data], steps=5, batch=2)
    assert last.reason == "diverged"
    assert "log" in last.failure.cause
