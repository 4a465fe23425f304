"""Training on: as the last training of these weights, of the points that a hand has left."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.session.again import training_on
from nnfp_kernel.views.scene import scene
from nnfp_kernel.views.scene.packed import kinds

PROGRAM = """
one : R[2] ~> R[1]
one = dense[2] >> tanh >> dense[1]

number : R[2] ~> R
number x = sum (dense[2] x)

share : R[2] ~> R
share x = sigmoid (sum (dense[2] x))

bent : R[2] ~> R[1]
bent = dense[1] >> tanh

logits : R[2] ~> R[2]
logits = dense[2]

shares : R[2] ~> R[2]
shares = dense[2] >> softmax

logs : R[2] ~> R[2]
logs = dense[2] >> logSoftmax

two : R[2] ~> (R[1], R[1])
two = dense[1] &&& dense[1]

distance : (R[2], R[1]) ~> R
distance (x, t) = squaredError (one x) t
"""
X = numpy.random.default_rng(0).normal(size=(60, 2))
SIDE = X[:, 0] > 0.1


def loss_after(session: nnfp.Session, name: str, colour: Any, **options: Any) -> tuple[Any, str]:
    made = scene(session[name], X, colour=colour, lines=0)
    training, words = training_on(session, made, X, kinds(made), **{"epochs": 40} | options)
    events = list(training)
    losses = [event.losses for event in events if hasattr(event, "losses")]
    return numpy.concatenate(losses), words


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("one", "binaryCrossEntropy"), ("number", "binaryCrossEntropy"), ("share", "squaredError"),
        ("bent", "squaredError"), ("logits", "crossEntropy"), ("shares", "crossEntropy"),
        ("logs", "crossEntropy"),
    ],
)  # fmt: skip
def test_without_a_training_before_the_answer_says_the_loss(
    session: nnfp.Session, name: str, loss: str
) -> None:
    """And it goes down: what each class is for it fits."""
    losses, words = loss_after(session, name, SIDE, rate=0.05)
    assert words == f"{loss}, on the points that are seen"
    assert losses[-4:].mean() < 0.6 * losses[:4].mean()


def test_it_goes_on_as_the_last_training_was_asked_for(session: nnfp.Session) -> None:
    y = numpy.where(SIDE, 1.0, -1.0)[:, None]
    for _ in session.train("one", [X, y], loss="squaredError", epochs=3, optimizer="sgd", rate=0.1):
        pass
    made = scene(session["one"], X, colour=SIDE, lines=0)
    few = numpy.concatenate([X[:20], [[3.0, 0.0]]])
    training, words = training_on(session, made, few, numpy.array([*kinds(made)[:20], 1.0]))
    assert words == "squaredError, on the points that are seen"
    assert not session.training
    started = next(training)
    assert session.training == ["one"]
    *_, last = training
    assert (started.examples, started.epochs, started.optimizer) == (21, 3.0, "sgd")
    assert last.epoch == 3.0
    assert not session.training
    # By an objective of its own, too: the pairs are those of the points.
    for _ in session.train("distance", [X, y], epochs=1):
        pass
    training, words = training_on(session, made, X, kinds(made))
    assert words == "distance, on the points that are seen"
    assert next(training).examples == len(X)
    training.close()
    # Data whose targets cannot be told of a new point: those that there were.
    for _ in session.train("distance", [X, y * numpy.linspace(0, 1, len(X))[:, None]], epochs=1):
        pass
    training, words = training_on(session, made, few, numpy.zeros(21))
    assert words == "distance, on the data it had"
    assert next(training).examples == len(X)
    training.close()


def test_quantities_are_fitted_and_what_has_no_loss_says_so(session: nnfp.Session) -> None:
    _, words = loss_after(session, "number", X[:, 1], loss="squaredError")
    assert words == "squaredError, on the points that are seen"
    with pytest.raises(nnfp.NnfpError, match="nobody has said what two is trained for"):
        loss_after(session, "two", SIDE)
