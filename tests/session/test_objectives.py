"""What is compiled for a training serves the next one as long as it computes the same."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest

from nnfp_kernel import NnfpError, Session
from nnfp_kernel.runtime.training.events import Finished, Measured, Progress

XS = numpy.ones((8, 3))
PROGRAM = (
    "other : R[3] ~> R[3]\nother x = ?k * x\n\ngoal : R[3] ~> R\ngoal x = sum (?g * x + other.k)"
)


def first_loss(session: Session, **asked: Any) -> float:
    """The loss before the first step, of a training of one step."""
    options = {"steps": 1, "batch": 8, "optimizer": "sgd", **asked}
    events = list(session.train("goal", [XS], **options))
    (progress,) = (event for event in events if isinstance(event, Progress))
    return float(progress.losses[0])


def value_and_grad(session: Session, name: str = "goal") -> Any:
    return session._objectives.of(session.program, name, None, None, None)[0].value_and_grad


def test_what_does_not_concern_it_compiles_nothing_again() -> None:
    session = Session(precision=64)
    session.run(PROGRAM, "cell 1")
    known = value_and_grad(session)
    session.run("1 + 1")
    session.run("unheard : R[3] -> R[3]\nunheard x = 2 * x")
    assert value_and_grad(session) is known
    session.run("-- the same, further down\n\n" + PROGRAM, "cell 2")
    assert value_and_grad(session) is known
    session.run("goal : R[3] ~> R\ngoal x = sum (?g * x - other.k)")
    assert value_and_grad(session) is not known


def test_a_weight_held_constant_is_its_present_value_in_every_training() -> None:
    session = Session(precision=64)
    session.run(PROGRAM)
    session.weights = {"goal.g": numpy.zeros(3), "other.k": numpy.full(3, 2.0)}
    assert first_loss(session) == 6.0
    session.weights = {"goal.g": numpy.zeros(3), "other.k": numpy.full(3, 5.0)}
    assert first_loss(session) == 15.0


def test_a_weight_held_constant_has_a_first_value_where_it_is_asked_for_first() -> None:
    """Inside of what JAX traces, a training or a `jit`: it is a number all the same."""
    for ask in (
        first_loss,
        lambda session: jax.jit(session["goal"].apply)(
            session["goal"].init(jax.random.key(0)), XS[0]
        ),
    ):
        session = Session(precision=64, seed=4)
        session.run(PROGRAM)
        ask(session)
        expected = Session(precision=64, seed=4)
        expected.run(PROGRAM)
        assert numpy.array_equal(session.weights["other"]["k"], expected.weights["other"]["k"])


def test_a_value_from_python_is_the_one_it_has_now() -> None:
    session = Session(precision=64)
    for value in (1.0, 7.0):
        session.bind("shift", numpy.float64(value))
        session.run("goal : R[3] ~> R\ngoal x = shift + 0 * sum (?g * x)")
        assert first_loss(session) == value


def test_a_value_that_is_not_finite_is_named_where_it_stands_now() -> None:
    session = Session(precision=64)
    program = "goal : R[3] ~> R\ngoal x = log (0 * sum (?g * x) - 1)"
    for above, line in (("", 2), ("-- moved\n\n", 4)):
        session.run(above + program, "cell")
        *_, last = session.train("goal", [XS], steps=1)
        assert isinstance(last, Finished)
        assert last.failure is not None
        assert f"(cell, line {line}, " in last.failure.cause


MODEL = "net : R[3] ~> R\nnet x = ?w @ x + ?b\n"


@pytest.mark.parametrize(
    ("asked", "place", "text", "told"),
    [
        ({"loss": "crossEntropy"}, "the model", "net", "take what `net` gives: `squaredError`"),
        ({"loss": "crosEntropy"}, "--loss", "crosEntropy", "Did you mean `crossEntropy`?"),
        ({"loss": "softmax"}, "--loss", "softmax", "an example (x, y) is `softmax (net x) y`."),
        ({"loss": "\\x y -> [x]"}, "--loss", "\\x y -> [x]", "gives R[1] for an example"),
        (
            {"loss": "squaredError", "metric": "accuracy"}, "the model", "net",
            "The metric of an example (x, y) is `accuracy (net x) y`.",
        ),
        ({"loss": "squaredError +"}, "--loss", "+", "expected an expression on its right"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_flag_is_told_at_its_text(
    asked: dict[str, str], place: str, text: str, told: str
) -> None:
    session = Session()
    session.run(MODEL)
    with pytest.raises(NnfpError) as mistake:
        session.train("net", [XS, XS[:, 0]], **asked)
    [diagnostic] = mistake.value.diagnostics
    span = diagnostic.primary.span
    assert (span.source.name, span.text) == (place, text)
    assert told in " ".join(mistake.value.render().split())
    assert "\\(x, y)" not in mistake.value.render()


def test_a_model_without_a_name_is_given_one() -> None:
    with pytest.raises(NnfpError) as mistake:
        Session().train("dense[3]", [XS, XS], loss="squaredError")
    assert mistake.value.diagnostics[0].suggestion == "y = dense[3]"


def test_a_metric_that_is_true_or_false_is_a_share() -> None:
    session = Session(precision=64)
    session.run(MODEL)
    session.weights = {"net.w": numpy.zeros(3), "net.b": 0.0}
    asked = {"loss": "squaredError", "metric": "\\x y -> x < y", "valid": 0.5, "rate": 1e-9}
    ys = numpy.ones(len(XS))
    events = session.train("net", [XS, ys], epochs=1, **asked)
    assert [event.metric for event in events if isinstance(event, Measured)] == [1.0]
