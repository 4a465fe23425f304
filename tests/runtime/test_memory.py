"""Memory: counted before a training starts, told where it is short, and when it is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy
import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.machine import memory
from nnfp_kernel.runtime.training.events import Event, Finished, Progress, Warned
from nnfp_kernel.runtime.training.plan import Objective
from nnfp_kernel.runtime.training.train import train
from nnfp_kernel.views.training import Course

PROGRAM = """
cell : (R[8], R[4]) ~> R[8]
cell (h, x) = tanh (?W @ h + ?U @ x + ?b)

model : (R[4][256], R) ~> R
model (xs, y) = square (sum (fold cell zero xs) - y)
"""

X = numpy.random.default_rng(0).normal(size=(20, 256, 4)).astype("float32")
Y = X.sum(axis=(1, 2))


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session()
    made.run(PROGRAM)
    return made


def warnings(events: list[Event]) -> list[Warned]:
    return [event for event in events if isinstance(event, Warned) and event.what == "memory"]


def losses(events: list[Event]) -> list[float]:
    return [loss for event in events if isinstance(event, Progress) for loss in event.losses]


def test_under_a_bound_a_training_takes_less_and_what_it_takes_is_told(
    session: nnfp.Session,
) -> None:
    model, example = session["model"], (X[:10], Y[:10])
    plain, short = model.live(example), model.within(200_000).live(example)
    assert plain is not None
    assert short is not None
    assert short < 0.5 * plain  # what is left is the batch itself, and its steps in front

    tight = list(session.train("model", (X, Y), steps=2, batch=10, memory=120_000))
    assert numpy.isfinite(losses(tight)).all()
    (warned,) = warnings(tight)
    estimate = warned.estimate
    assert estimate is not None
    assert estimate.state == 3 * 4 * (8 * 8 + 8 * 4 + 8) + 4  # adam has two more, and counts
    assert (estimate.data, estimate.live) == (X.nbytes + Y.nbytes, short)


def test_what_cannot_fit_is_an_error_before_it_starts(session: nnfp.Session) -> None:
    before = numpy.asarray(session.weights["cell"]["W"])
    with pytest.raises(nnfp.NnfpError) as raised:
        list(session.train("model", (X, Y), steps=2, memory=10_000))
    text = raised.value.render()
    assert "this training does not fit into memory: there are 10 kB" in text
    assert "takes some" in text
    assert numpy.array_equal(before, session.weights["cell"]["W"])


def test_a_warning_says_what_takes_it_and_the_way_out() -> None:
    course = Course("metric")
    course.add(Warned(0, "memory", estimate=memory.Estimate(2_000_000, 500, 7), free=3_000_000))
    assert course.notes["memory"] == (
        "It may take more memory than the 3 MB that are free: some 4 MB: 4 MB of weights and the "
        "optimiser's numbers, 500 B of data, 7 B while a gradient is made. A smaller --batch takes "
        "less; under a bound, --memory 2GB, long loops keep less for their derivative."
    )


def test_memory_that_is_exhausted_is_told_and_the_weights_are_kept() -> None:
    """From the third step on a batch asks for more than there is: 256 TB."""

    def value_and_grad(weights: Any, batch: Any, key: Any) -> Any:
        if float(weights) <= -2:  # not compiled: lists are run one by one
            jnp.zeros(1 << 46).block_until_ready()
        return jnp.float32(0.0), jnp.float32(1.0)

    objective = Objective(value_and_grad, lambda w, batch, key: jnp.zeros(len(batch[0])))
    data = ([numpy.zeros(1), numpy.zeros(2), numpy.zeros(3)],)
    kept: list[Any] = []
    events: list[Event] = []
    training = train(
        objective, 0.0, data, optimizer="sgd", rate=1.0, steps=9, batch=1, keep=kept.append
    )
    with pytest.raises(nnfp.NnfpError) as raised:
        events.extend(training)
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.error) == ("memory", raised.value)
    assert float(kept[0]) == float(end.weights) == -end.kept_step
    text = raised.value.render()
    assert "there was not enough memory" in text
    assert "out of memory allocating" in text
    assert "A smaller batch takes less: --batch." in text
    assert f"The weights of step {end.kept_step} are kept." in text
    course = Course("metric")
    for event in events:
        course.add(event)
    assert course.headline().startswith("stopped: there was not enough memory, after")


def test_a_call_that_exhausts_memory_raises_what_people_can_read() -> None:
    huge = nnfp.Session()
    huge.run("wide : R -> R[100000000000000]\nwide x = replicate[100000000000000] (sin x)")
    with pytest.raises(nnfp.NnfpError, match="there was not enough memory"):
        huge["wide"](1.0)


def test_data_that_do_not_fit_are_told(
    session: nnfp.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As JAX does where an array cannot be put on the device."""
    monkeypatch.setattr(
        "nnfp_kernel.runtime.training.columns.array", lambda given: jnp.zeros(1 << 46)
    )
    with pytest.raises(nnfp.NnfpError, match="The weights are as they were"):
        session.train("model", (X, Y))


def test_what_the_machine_has_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total, free = memory.total(), memory.free()
    assert total is not None
    assert free is not None
    assert 1 << 28 < free <= total
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:     500 kB\n")
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    assert (memory.total(), memory.free()) == (1_000_000, 512_000)
    (tmp_path / "memory.current").write_text("800000\n")
    assert memory.free() == 200_000
    (tmp_path / "memory.max").write_text("max\n")
    assert (memory.total(), memory.free()) == (total, 512_000)


def test_a_deep_stack_keeps_less_where_that_is_less() -> None:
    """At one example its weights, laid out by segments, are more than all that is kept."""
    session = nnfp.Session()
    session.run("deep : R[16] ~> R\ndeep = deepMlp[50, 16, 1] >> sum")
    function = session["deep"]
    examples = numpy.zeros((512, 16), numpy.float32)
    assert function.within(100_000).call_for().live <= function.call_for().live
    tight = function.within(100_000).live(examples)
    assert tight is not None
    assert tight < 0.7 * (function.live(examples) or 0)
