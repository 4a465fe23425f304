"""Training on Python lists of examples of any length: mini-batches out of buckets."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest

from nnfp_kernel import NnfpError, Session
from nnfp_kernel.runtime.examples import Buckets
from nnfp_kernel.runtime.lists import form_of
from nnfp_kernel.runtime.objective import objective_of

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


def test_a_loss_that_is_not_finite_names_its_expression() -> None:
    session = made()
    data = [numpy.ones(3), numpy.array([1.0, 0.0])]
    *_, last = session.train("blown", [data], steps=5, batch=2)
    assert last.reason == "diverged"
    assert "log" in last.failure.cause
