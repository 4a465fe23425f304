"""A training that meets NaN or infinity says which expression it came from."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from nnfp_kernel import Session
from nnfp_kernel.runtime.training.events import Finished


def ended(program: str, name: str, data: Any, **options: Any) -> Finished:
    session = Session(precision=64)
    session.run(program, "cell 1")
    *_, last = session.train(name, data, **{"epochs": 5, **options})
    assert isinstance(last, Finished)
    return last


DATA = (numpy.abs(numpy.random.default_rng(0).normal(size=(20, 5))) + 1,)
HEAD = "objective : R[5] ~> R\n"


@pytest.mark.parametrize(
    ("body", "blamed"),
    [
        ("objective xs = sum (log (?a * xs - 1000))", "`log (?a * xs - 1000)` (cell 1, line 2, "),
        (
            "objective xs = sum (map inner xs) where\n  inner x = sqrt (?a - x * 1000)\n",
            "`sqrt (?a - x * 1000)` (cell 1, line 3, ",
        ),
        (
            "objective = fold (\\(h, x) -> ?a * x + log (h - 3)) 4",
            "`log (h - 3)` (cell 1, line 2, ",
        ),
        (
            "objective xs = if sum xs > 0 then sum xs / (?a * 0) else ?a",
            "`sum xs / (?a * 0)` (cell 1, line 2, ",
        ),
        (
            "objective xs = exp (exp (exp (10 + ?a * sum xs)))",
            "`exp (exp (exp (10 + ?a * sum xs)))`",
        ),
        # the loss is finite, its gradient is not
        ("objective xs = sqrt (?a * 0) + sum xs", "`sqrt (?a * 0)`"),
        # an infinity that is masked is not to blame
        (
            "objective xs = exp (- (1 / (0 * square ?a))) + log (?a * 0 - 1) * sum xs",
            "`log (?a * 0 - 1)`",
        ),
    ],
)
def test_the_expression_at_fault_is_named(body: str, blamed: str) -> None:
    last = ended(HEAD + body, "objective", DATA)
    assert last.reason == "diverged"
    assert last.failure is not None
    assert last.failure.cause.startswith(blamed), last.failure.cause


def test_a_loss_of_a_model_is_looked_into() -> None:
    program = "model : R[5] ~> R\nmodel x = ?w @ x\nloss p y = log (0 * p) + y"
    last = ended(program, "model", (*DATA, numpy.ones(20)), loss="loss")
    assert last.failure is not None
    assert last.failure.cause.startswith("`log (0 * p)` (cell 1, line 3, ")


def test_data_that_are_not_finite_are_to_blame_themselves() -> None:
    spoiled = DATA[0].copy()
    spoiled[7, 2] = numpy.inf
    last = ended(HEAD + "objective xs = ?a * sum xs", "objective", (spoiled,), batch=4)
    assert last.failure is not None
    assert "the data" in last.failure.cause
