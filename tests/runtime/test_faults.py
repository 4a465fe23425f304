"""Faults that strike a training of a program: a NaN in the middle of a network, and interrupts
at any moment. What happens to the process itself is in test_checkpoints."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy
import pytest
from soak import FACTOR

from nnfp_kernel import Session
from nnfp_kernel.runtime.training import chunks, plan
from nnfp_kernel.runtime.training.events import Finished, Saved, Started, follow

DEEP = """
net : (R[4], R) ~> R[4]
net = first >> second >> third >> fourth >> fifth

first  (h, s) = (tanh (dense[4] h), s)
second (h, s) = (tanh (dense[4] h), s)
third  (h, s) = (tanh (dense[4] h + sqrt s), s)
fourth (h, s) = (tanh (dense[4] h), s)
fifth  (h, s) = dense[4] h

loss (h, s, y) = squaredError (net (h, s)) y
"""
RNG = numpy.random.default_rng(0)
XS, YS = RNG.normal(size=(600, 4)), RNG.normal(size=(600, 4))


def test_a_nan_planted_in_the_third_of_five_layers_is_named_by_its_line() -> None:
    """The example of step 500 holds what only the third layer cannot take."""
    seed = 3
    order = numpy.asarray(chunks.order(jax.random.key(seed), 0, 600, 1))
    scales = numpy.ones(600)
    scales[order[499]] = -1.0
    session = Session(precision=64)
    session.run(DEEP, "cell 1")
    before = session.weights
    *_, last = session.train("loss", (XS, scales, YS), steps=600, batch=1, seed=seed)
    assert isinstance(last, Finished)
    assert (last.reason, last.step) == ("diverged", 500)
    assert last.failure is not None
    assert last.failure.cause.startswith("`sqrt s` (cell 1, line 7, "), last.failure.cause
    assert last.kept_step == 498  # at the weights of step 499 the loss was not finite
    kept = session.weights
    assert all(numpy.isfinite(leaf).all() for leaf in jax.tree.leaves(kept))
    moved = jax.tree.map(lambda a, b: bool(numpy.any(a != b)), before, kept)
    assert all(jax.tree.leaves(moved))


# --- interrupts at any moment -------------------------------------------------------------------


@contextmanager
def struck(after: float) -> Iterator[None]:
    """SIGINT after so many seconds, and again every other second: Python loses one that falls
    into a destructor. None once it is over."""
    over = threading.Event()

    def handler(number: int, frame: Any) -> None:
        if not over.is_set():
            raise KeyboardInterrupt

    def strike() -> None:
        wait = after
        while not over.wait(wait):
            os.kill(os.getpid(), signal.SIGINT)
            wait = 2.0

    before = signal.signal(signal.SIGINT, handler)
    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_interrupted_at_any_moment_it_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "CHUNK_SECONDS", 0.002)  # much of the time is between chunks
    session = Session(precision=64, seed=1)
    session.run("line : R[4] ~> R[4]\nline = dense[4] >> tanh >> dense[4]")
    asked: dict[str, Any] = {"loss": "squaredError", "valid": 0.2, "batch": 32, "ema": 0.9}
    first = session.weights
    list(session.train("line", (XS, YS), steps=20, **asked))  # what it needs is compiled
    session.weights = first
    ends: list[str] = []
    moments, reached = random.Random(0), 0
    for _ in range(5 if FACTOR == 1 else 50):
        last: Finished | None = None
        told: list[Any] = []
        try:
            with struck(moments.uniform(0, 0.3)):
                training = session.train(
                    "line", (XS, YS), steps=10**7, checkpoint=tmp_path, every=0,
                    resume=reached > 0, **asked,
                )  # fmt: skip
                last = follow(training, told.append)
        except KeyboardInterrupt:
            ends.append("before it began" if not told else "twice")
        if last is not None:
            ends.append(last.reason)
            kept = jax.tree.leaves(last.weights)
            assert all(map(numpy.array_equal, kept, jax.tree.leaves(session.weights["line"])))
        steps = [event.step for event in told if isinstance(event, Saved) and not event.problem]
        began = [event.resumed for event in told if isinstance(event, Started)]
        assert began in ([], [reached])
        reached = max([reached, *steps])
        assert session.run("sum [1.0, 2.0]").outputs[0].value == 3.0  # it can be used
    assert set(ends) <= {"interrupted", "before it began"}, ends
    assert ends.count("interrupted") > len(ends) / 2, ends

    session.weights = first
    resumed = follow(
        session.train(
            "line", (XS, YS), steps=reached + 50, checkpoint=tmp_path, resume=True, **asked
        ),
        lambda event: None,
    )
    session.weights = first
    whole = follow(session.train("line", (XS, YS), steps=reached + 50, **asked), lambda event: None)
    assert (resumed.reason, resumed.step, resumed.kept_step) == (
        "finished", whole.step, whole.kept_step,
    )  # fmt: skip
    pairs = zip(jax.tree.leaves(resumed.weights), jax.tree.leaves(whole.weights), strict=True)
    assert all(numpy.asarray(a).tobytes() == numpy.asarray(b).tobytes() for a, b in pairs)
