"""A training on disk: it goes on to the same bits, and whatever happens, a file stays whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy
import pytest
from soak import FACTOR

from nnfp_kernel.runtime.training.checkpoints import NAME
from nnfp_kernel.runtime.training.events import (
    Epoch,
    Event,
    Finished,
    Measured,
    Saved,
    Started,
    Warned,
)
from nnfp_kernel.runtime.training.plan import Objective
from nnfp_kernel.runtime.training.train import train

RNG = numpy.random.default_rng(0)
XS, YS = RNG.normal(size=(40, 3)), RNG.normal(size=40)
WEIGHTS = {"line": {"w": numpy.zeros(3), "b": numpy.zeros(())}}


def noisy(weights: Any, batch: Any, key: Any) -> Any:
    """A residual with noise in its weights: the draws of a step must come back as well."""
    x, y = batch
    w = weights["line"]["w"] + 0.1 * jax.random.normal(key, (3,))
    return x @ w + weights["line"]["b"] - y


def gradient(weights: Any, batch: Any, key: Any) -> Any:
    r = noisy(weights, batch, key)
    return jnp.mean(r**2), {"line": {"w": 2 * batch[0].T @ r / len(r), "b": 2 * jnp.mean(r)}}


GOAL = Objective(gradient, lambda w, batch, key: noisy(w, batch, key) ** 2)
ASKED: dict[str, Any] = {"rate": "cosine 0.05", "steps": 60, "batch": 7, "valid": 0.2, "seed": 3}


def run(folder: Path | None = None, stop: int | None = None, **change: Any) -> list[Event]:
    """The events of a training; interrupted when it yields event number `stop`."""
    asked = {**ASKED, **change}
    training = train(GOAL, WEIGHTS, (XS, YS), checkpoint=folder, **asked)
    events: list[Event] = []
    for event in training:
        events.append(event)
        if len(events) == stop:
            events.append(training.throw(KeyboardInterrupt))
            events.extend(training)
            break
    return events


def last(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def same(one: Any, other: Any) -> bool:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(numpy.asarray(a).tobytes() == numpy.asarray(b).tobytes() for a, b in pairs)


@pytest.fixture(scope="module")
def whole() -> list[Event]:
    return run()


@pytest.mark.parametrize("stop", [3, 4, 9, 14])
def test_a_training_that_was_stopped_goes_on_to_the_same_bits(
    stop: int, whole: list[Event], tmp_path: Path
) -> None:
    stopped = run(tmp_path, stop)
    assert last(stopped).reason == "interrupted"
    assert any(isinstance(event, Saved) and not event.problem for event in stopped)
    resumed = run(tmp_path, resume=True)
    started = resumed[0]
    assert isinstance(started, Started)
    assert started.resumed == last(stopped).step
    assert same(last(resumed).weights, last(whole).weights)
    assert last(resumed).kept_step == last(whole).kept_step

    def told(events: list[Event]) -> list[Event]:
        """What was said at the ends of epochs, but for what an interrupt made it measure."""
        return [e for e in events if isinstance(e, Epoch | Measured)]

    assert told(resumed) == told(whole)[-len(told(resumed)) :]


@pytest.mark.parametrize("stop", [5, 9])
def test_averages_schedules_and_patience_go_on_to_the_same_bits(stop: int, tmp_path: Path) -> None:
    asked = {
        "rate": 0.05, "schedule": "linear", "warmup": 5, "clip": 0.5, "decay": 0.01, "ema": 0.9,
        "patience": 2, "steps": 600,
    }  # fmt: skip
    expected = last(run(**asked))
    assert expected.reason == "patience"
    run(tmp_path, stop, **asked)
    found = last(run(tmp_path, resume=True, **asked))
    assert (found.reason, found.step) == ("patience", expected.step)
    assert found.kept_step == expected.kept_step
    assert same(found.weights, expected.weights)
    last_of_all = last(run(tmp_path, resume=True, **asked))  # its patience is still at its end
    assert (last_of_all.reason, last_of_all.step) == ("patience", expected.step)
    with pytest.raises(ValueError, match=r"its ema is 0\.9, and that of this one None"):
        run(tmp_path, resume=True, **{**asked, "ema": None})


def test_what_a_training_leaves_is_kept_from_others(tmp_path: Path) -> None:
    run(tmp_path, 6)
    with pytest.raises(ValueError, match=r"stopped after step .*: resume it, or name another"):
        run(tmp_path)
    assert last(run(tmp_path, resume=True)).reason == "finished"
    assert last(run(tmp_path)).reason == "finished"  # one that has ended may be written over


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 4}, "its seed is 3, and that of this one 4"),
        ({"batch": 8}, "its batch is 7, and that of this one 8"),
        ({"valid": 0.4}, "its share held out is 0.2"),
        ({"rate": 0.1}, "its rate is cosine 0.05, and that of this one 0.1"),
        ({"optimizer": "sgd"}, "its optimiser is adam"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(
    change: dict[str, Any], told: str, tmp_path: Path
) -> None:
    run(tmp_path, 6)
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(ValueError, match=told):
        run(tmp_path, resume=True, **change)
    with pytest.raises(ValueError, match="another training"):
        train(GOAL, {"line": {"w": numpy.zeros(2)}}, (XS, YS), checkpoint=tmp_path, resume=True,
              **ASKED)  # fmt: skip
    with pytest.raises(ValueError, match="its data is"):
        train(GOAL, WEIGHTS, (XS + 1, YS), checkpoint=tmp_path, resume=True, **ASKED)
    assert (tmp_path / NAME).read_bytes() == before


def test_a_broken_file_is_told_and_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no checkpoint in"):
        run(tmp_path, resume=True)
    with pytest.raises(ValueError, match="name the folder"):
        run(resume=True)
    with pytest.raises(ValueError, match="some seconds apart, not nan"):
        run(tmp_path, every=float("nan"))
    run(tmp_path, 6)
    place = tmp_path / NAME
    content = place.read_bytes()
    for broken in (content[: len(content) // 2], b"", b"not a checkpoint at all", b"\xff" * 400):
        place.write_bytes(broken)
        with pytest.raises(ValueError, match="no whole checkpoint"):
            run(tmp_path, resume=True)
        with pytest.raises(ValueError, match="no whole checkpoint: resume it, or"):
            run(tmp_path)
        assert place.read_bytes() == broken
    a_file = tmp_path / "notes"
    a_file.write_text("mine")
    with pytest.raises(ValueError, match="notes is a file"):
        run(a_file)


def test_more_steps_may_be_asked_for(tmp_path: Path) -> None:
    asked = {"rate": 0.01, "optimizer": "sgd"}
    twenty = last(run(tmp_path, steps=20, **asked))
    forty = last(run(tmp_path, steps=40, resume=True, **asked))
    assert (twenty.step, forty.step) == (20, 40)
    assert same(forty.weights, last(run(steps=40, **asked)).weights)


def test_complex_weights_come_back(tmp_path: Path) -> None:
    def toward(weights: Any, batch: Any, key: Any) -> Any:
        away = weights["z"] - (1 + 2j)
        return jnp.abs(away) ** 2, {"z": 2 * away}

    goal = Objective(toward, lambda w, batch, key: jnp.abs(w["z"] - (1 + 2j)) + 0 * batch[0])
    start, asked = {"z": jnp.zeros((), complex)}, {"optimizer": "sgd", "rate": 0.1, "batch": 5}
    *_, whole = train(goal, start, (XS[:, 0],), steps=30, **asked)
    list(train(goal, start, (XS[:, 0],), steps=15, checkpoint=tmp_path, **asked))
    *_, rest = train(goal, start, (XS[:, 0],), steps=30, checkpoint=tmp_path, resume=True, **asked)
    assert isinstance(whole, Finished)
    assert isinstance(rest, Finished)
    assert same(rest.weights, whole.weights)
    assert abs(complex(rest.weights["z"]) - (1 + 2j)) < 1e-2


# --- whatever happens to the process ---------------------------------------------------------

LONG = """
import resource, sys, time
import jax
jax.config.update("jax_enable_x64", True)
sys.path.insert(0, {tests!r})
from test_checkpoints import ASKED, GOAL, WEIGHTS, XS, YS
from nnfp_kernel.runtime.training import plan
from nnfp_kernel.runtime.training.events import Saved
from nnfp_kernel.runtime.training.train import train

plan.CHUNK_SECONDS = 0.001  # many chunks, and a checkpoint after each
asked = {{**ASKED, "steps": 100_000, "checkpoint": {folder!r}, "every": 0, "resume": {resume}}}
for event in train(GOAL, WEIGHTS, (XS, YS), **asked):
    if isinstance(event, Saved):
        print(event.step, event.problem, flush=True)
        if {limit} and not event.problem:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
        elif {limit}:
            break
"""


def long_training(folder: Path, resume: bool, limit: bool = False) -> subprocess.Popen[str]:
    tests = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(tests)}
    program = LONG.format(tests=tests[0], folder=str(folder), resume=resume, limit=limit)
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_from_a_whole_checkpoint(tmp_path: Path) -> None:
    """kill -9 while it does nothing but step and write: at most one checkpoint is lost."""
    moments = random.Random(0)
    said = 0
    for round_ in range(2 if FACTOR == 1 else 50):
        process = long_training(tmp_path, resume=round_ > 0)
        assert process.stdout is not None
        first = int(process.stdout.readline().split()[0])
        assert first > said  # it went on from at least what was said to be on disk
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().split("\n")
        process.wait()
        said = max([first, *(int(line.split()[0]) for line in lines[:-1] if line.strip())])
    resumed = train(
        GOAL, WEIGHTS, (XS, YS), checkpoint=tmp_path, resume=True, **{**ASKED, "steps": 100_000}
    )
    started = next(resumed)
    assert isinstance(started, Started)
    assert started.resumed >= said
    assert [path.name for path in tmp_path.iterdir()] == [NAME]  # nothing half written is left
    resumed.close()


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_checkpoint_before_stays(tmp_path: Path) -> None:
    process = long_training(tmp_path, resume=False, limit=True)
    out, _ = process.communicate(timeout=120)
    written, refused = out.splitlines()[:2]
    assert written.split() == [written.split()[0]]
    assert "too large" in refused
    resumed = train(
        GOAL, WEIGHTS, (XS, YS), checkpoint=tmp_path, resume=True, **{**ASKED, "steps": 100_000}
    )
    started = next(resumed)
    assert isinstance(started, Started)
    assert started.resumed == int(written)
    resumed.close()


# --- warnings ----------------------------------------------------------------------------------


def warned(gradient: Any, weights: Any, **asked: Any) -> list[Warned]:
    goal = Objective(gradient, lambda w, batch, key: batch[0])
    events = train(goal, weights, (XS[:, 0],), batch=5, **asked)
    return [event for event in events if isinstance(event, Warned)]


def test_weights_that_do_not_move_are_named() -> None:
    def half_dead(weights: Any, batch: Any, key: Any) -> Any:
        value = jnp.mean((weights["net"]["a"] - batch[0]) ** 2)
        moves = 2 * jnp.mean(weights["net"]["a"] - batch[0])
        return value, {"net": {"a": moves, "dead": jnp.zeros(4)}}

    (found,) = warned(half_dead, {"net": {"a": 1.0, "dead": numpy.ones(4)}}, steps=200)
    assert (found.what, found.paths) == ("unmoved", ("net.dead",))


def test_a_loss_that_grows_is_told_once() -> None:
    def uphill(weights: Any, batch: Any, key: Any) -> Any:
        return weights["w"] ** 2, {"w": 2 * weights["w"]}

    (found,) = warned(uphill, {"w": 1.0}, steps=300, optimizer="sgd", rate=1.02)
    assert found.what == "grows"
    assert found.factor > 100
    assert not warned(uphill, {"w": 1.0}, steps=300, optimizer="sgd", rate=0.1)
