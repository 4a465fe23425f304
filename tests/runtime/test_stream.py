"""Batches as they come: what a training makes of an iterable, and of one that fails."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy
import pytest

from nnfp_kernel.language.diagnostics import NnfpError
from nnfp_kernel.runtime.training.events import Epoch, Event, Finished, Measured, Saved, Started
from nnfp_kernel.runtime.training.plan import Objective
from nnfp_kernel.runtime.training.stream import AHEAD, Ended, Stream, is_stream
from nnfp_kernel.runtime.training.train import train
from nnfp_kernel.session import Session

LINE = Objective(
    lambda w, batch, key: (
        jnp.mean((batch[0] @ w - batch[1]) ** 2),
        2 * batch[0].T @ (batch[0] @ w - batch[1]) / len(batch[1]),
    ),
    lambda w, batch, key: (batch[0] @ w - batch[1]) ** 2,
)
RNG = numpy.random.default_rng(3)
XS = RNG.normal(size=(400, 5, 3))
YS = XS @ numpy.array([1.0, -2.0, 0.5]) + 0.1 * RNG.normal(size=(400, 5))
START = numpy.zeros(3)


def batches(count: int = 400, first: int = 0) -> Iterator[Any]:
    for k in range(first, count):
        yield XS[k], YS[k]


def broken(count: int) -> Iterator[Any]:
    yield from batches(count)
    raise OSError("the disk is gone")


def run(stream: Any, **asked: Any) -> list[Event]:
    return list(train(LINE, START, stream, **{"optimizer": "sgd", "rate": 0.02, **asked}))


def end(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def by_hand(steps: int) -> Any:
    """Gradient descent in plain numpy, batch after batch."""
    w = START
    for x, y in zip(XS[:steps], YS[:steps], strict=True):
        w = w - 0.02 * 2 * x.T @ (x @ w - y) / len(y)
    return w


def test_every_step_takes_the_next_batch() -> None:
    events = run(batches(), steps=250)
    found = end(events)
    assert (found.reason, found.step) == ("finished", 250)
    numpy.testing.assert_allclose(found.weights, by_hand(250), rtol=1e-4)
    assert isinstance(events[0], Started)
    assert (events[0].examples, events[0].batch) == (0, 5)
    assert [e.step for e in events if isinstance(e, Epoch)] == [100, 200]


def test_an_iterator_that_raises_ends_it_and_nothing_is_lost(tmp_path: Path) -> None:
    kept: list[Any] = []
    events = run(broken(37), steps=100, keep=kept.append, checkpoint=tmp_path)
    found = end(events)
    assert (found.reason, found.step, found.kept_step) == ("data", 37, 37)
    assert isinstance(found.error, OSError)
    numpy.testing.assert_allclose(found.weights, by_hand(37), rtol=1e-4)
    assert numpy.array_equal(kept[0], found.weights)
    # The data are mended: it goes on where it was, to the same bits.
    saved = [event for event in events if isinstance(event, Saved)]
    assert saved[-1].step == 37
    resumed = end(run(batches(), steps=100, checkpoint=tmp_path, resume=True))
    assert numpy.array_equal(resumed.weights, end(run(batches(), steps=100)).weights)


def test_a_stream_that_ends_ends_it_and_one_that_begins_again_does_not() -> None:
    found = end(run(batches(21), steps=100))
    assert (found.reason, found.step, found.error) == ("exhausted", 21, None)

    class Again:
        def __iter__(self) -> Iterator[Any]:
            return batches(21)

    found = end(run(Again(), steps=42))
    assert (found.reason, found.step) == ("finished", 42)
    twice = end(run(iter([*batches(21), *batches(21)]), steps=42))
    assert numpy.array_equal(found.weights, twice.weights)


def test_the_best_on_given_examples_are_kept() -> None:
    # After 200 good batches come wrong ones: what they teach is not kept.
    spoilt = ((x, -10 * y) for x, y in batches(400, 200))
    events = run(iter([*batches(200), *spoilt]), steps=500, valid=(XS[0], YS[0]), patience=2)
    found = end(events)
    assert (found.reason, found.step, found.kept_step) == ("patience", 400, 200)
    assert found.kept_by == "validation"
    numpy.testing.assert_allclose(found.weights, by_hand(200), rtol=1e-4)
    told = [event for event in events if isinstance(event, Measured)]
    expected = numpy.mean((XS[0] @ by_hand(200) - YS[0]) ** 2)
    assert told[1].loss == pytest.approx(expected, rel=1e-3)


def test_a_step_that_fails_goes_back_to_the_last_good_weights() -> None:
    # The loss at the weights of step 60 is not finite, so those before are kept.
    bad = [(x, y * (numpy.nan if k == 60 else 1)) for k, (x, y) in enumerate(batches(100))]
    found = end(run(iter(bad), steps=100))
    assert (found.reason, found.step, found.kept_step) == ("diverged", 61, 59)
    numpy.testing.assert_allclose(found.weights, by_hand(59), rtol=1e-4)
    assert found.failure is not None
    assert numpy.isnan(found.failure.batch[1]).all()


def test_it_is_read_ahead_but_not_far() -> None:
    asked: list[int] = []

    def counted() -> Iterator[int]:
        for k in range(1000):
            asked.append(k)
            yield k

    stream = Stream(counted(), lambda batch: (batch,))
    wait_until(lambda: len(asked) > AHEAD)
    time.sleep(0.05)
    assert len(asked) <= AHEAD + 1
    assert stream.at(30) == (30,)
    assert stream.at(3) == (3,)
    stream.forget(25)
    with pytest.raises(KeyError):
        stream.at(3)
    assert stream.at(25) == (25,)
    assert len(asked) <= 31 + AHEAD + 1


def test_a_stream_that_is_dropped_or_closed_leaves_no_thread() -> None:
    def threads() -> int:
        return sum(thread.name == "nnfp stream" for thread in threading.enumerate())

    wait_until(lambda: threads() == 0)
    endless = iter(lambda: (XS[0], YS[0]), None)
    training = train(LINE, START, endless, steps=10)  # never begun
    assert threads() == 1
    del training
    gc.collect()
    wait_until(lambda: threads() == 0)
    training = train(LINE, START, endless, steps=10_000)
    next(training)
    next(training)
    training.throw(KeyboardInterrupt)
    training.close()
    wait_until(lambda: threads() == 0)


def wait_until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + 10
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_what_is_a_stream() -> None:
    assert is_stream(batches())
    assert is_stream(map(abs, [1]))
    assert not any(map(is_stream, ([XS], (XS, YS), XS, jnp.ones(2), "batches", {"a": XS}, 3)))
    ended = Stream(iter([]), lambda batch: batch)
    for _ in range(2):  # it does not wait for what never comes
        with pytest.raises(Ended):
            ended.at(0)


@pytest.mark.parametrize(
    ("stream", "asked", "told"),
    [
        (batches, {}, "say how many steps"),
        (batches, {"steps": 3, "valid": 0.1}, "no share of a stream"),
        (batches, {"steps": 3, "devices": 1, "patience": 2}, "hold a share"),
        (lambda: iter([]), {"steps": 3}, "gave no batch"),
        (lambda: broken(0), {"steps": 3}, r"OSError: the disk is gone \(broken, line"),
        (lambda: iter([(XS[0], YS[0][:2])]), {"steps": 3}, "differ in their number"),
    ],
)
def test_what_makes_no_sense_is_told(stream: Any, asked: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        run(stream(), **asked)


def test_a_session_trains_on_batches_and_looks_at_each() -> None:
    session = Session(precision=64)
    session.run("line : R[3] ~> R\nline x = ?w @ x + ?b")
    *_, found = session.train(
        "line", batches(), loss="squaredError", steps=300, optimizer="sgd", rate=0.05
    )
    assert found.reason == "finished"
    numpy.testing.assert_allclose(session.weights["line"]["w"], [1.0, -2.0, 0.5], atol=0.05)
    wrong = [*batches(4), (XS[0][:, :2], YS[0])]
    *_, found = session.train("line", iter(wrong), loss="squaredError", steps=9)
    assert (found.reason, found.step) == ("data", 4)
    assert isinstance(found.error, NnfpError)
    with pytest.raises(NnfpError, match=r"R\[5, ?3\]|3"):
        session.train("line", iter(wrong[::-1]), loss="squaredError", steps=9)
