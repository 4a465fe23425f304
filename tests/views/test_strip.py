"""The widget of measures without a browser: what it computes beside the cells, its forms."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.magics.terminal import TerminalHost
from nnfp_kernel.magics.workspace import Workspace
from nnfp_kernel.runtime.training.events import Progress
from nnfp_kernel.views.geometry.strip import strip
from nnfp_kernel.views.scene import scene
from nnfp_kernel.widgets.strip import rows
from nnfp_kernel.widgets.work import Stop, Work

X = numpy.random.default_rng(0).normal(size=(40, 2))


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    made = Workspace(TerminalHost(io.StringIO()), {"X": X, "kind": X[:, 0] > 0})
    made.run("net : R[2] ~> R[1]\nnet = dense[2] >> tanh >> dense[1]")
    return made


@pytest.fixture(scope="module")
def shown(workspace: Workspace) -> Any:
    return nnfp.widgets.Strip(workspace.session["net"], X, colour=X[:, 0] > 0)


def test_betti_numbers_come_beside_the_cells_and_never_without_bars(shown: Any) -> None:
    pytest.importorskip("ripser")
    assert shown.bars == []
    assert "landmarks" not in shown.sample
    shown.compute_betti()
    shown.wait()
    assert not shown.working
    assert shown.problem == ""
    assert [own["betti"] for own in shown.bars] == [list(own.betti) for own in shown.found.bars]
    for own in shown.bars:
        assert sum(death is None for _, death in own["bars"][0]) == 1  # one piece never dies
        assert own["landmarks"] == 40
        assert own["scale"] == 3 * own["cover"]
    assert "40 landmarks" in shown.sample
    assert "pieces" in shown.text


def test_what_is_stopped_leaves_nothing_half(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_scene: Any) -> Any:
        shown.stop()  # as somebody does, while the first stage is computed
        while True:
            yield barcode

    barcode = shown.found.bars[0] if shown.found.bars else None
    monkeypatch.setattr("nnfp_kernel.widgets.strip.bars_of", endless)
    shown.compute_betti()
    shown.wait()
    assert not shown.working
    assert shown.bars == []


def test_without_ripser_the_widget_says_what_to_install(
    shown: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ripser", None)
    shown.compute_betti()
    shown.wait()
    assert "pip install nnfp[topology]" in shown.problem
    assert not shown.working


def test_the_newest_job_stops_the_others() -> None:
    done: list[str] = []

    def job(name: str) -> Any:
        def run(stopped: Stop) -> None:
            while name != "last" and not stopped():
                pass
            done.append(name)

        return run

    work = Work()
    for name in ("first", "last"):
        work.start(job(name))
    work.wait()
    assert done[-1] == "last"
    assert set(done) <= {"first", "last"}


def test_the_verb_shows_a_picture_or_saves_a_page(workspace: Workspace, tmp_path: Path) -> None:
    view = workspace.line("strip net X --colour kind")
    assert view is not None
    assert "<svg" in view.svg
    assert "linearly separable" in view.text
    said = workspace.line(f"strip net X --colour kind --save {tmp_path / 'net.html'}")
    assert "a page that needs no kernel" in str(said)
    assert "default-src 'none'" in (tmp_path / "net.html").read_text()


def test_a_notebook_gets_the_widget_the_picture_and_the_text(shown: Any) -> None:
    bundle, _ = shown._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == shown.model_id
    assert bundle["text/plain"].startswith("net : R[2] ~> R[1]\nstage")
    assert "<svg" in bundle["text/html"]


def test_what_is_measured_is_measured_anew_when_weights_have_moved(workspace: Workspace) -> None:
    """By a hand, of which its front end tells, and by a training, at its end."""
    session = workspace.session
    made = nnfp.widgets.Strip(session["net"], X, colour=X[:, 0] > 0)
    first = made.measures

    def judge() -> list[Any]:
        return rows(strip(scene(session["net"], X, colour=X[:, 0] > 0)))

    session.weights = {"net.dense.W": numpy.array([[1.0, 0.0], [0.0, 0.0]])}  # a line
    assert made.measures == first
    made._asked(made, "moved", [])
    made.wait()
    assert made.measures == judge() != first
    second, running = made.measures, []
    for event in session.train("net", [X, X[:, :1]], loss="squaredError", epochs=3):
        running += [made.training] * isinstance(event, Progress)
    made.wait()
    assert running
    assert all(running)
    assert not made.training
    assert made.measures == judge() != second


def test_pieces_that_were_asked_for_are_counted_anew_as_well(workspace: Workspace) -> None:
    pytest.importorskip("ripser")
    made = nnfp.widgets.Strip(workspace.session["net"], X[:12], betti=True)
    before = made.found.bars
    made.refresh()
    made.wait()
    assert len(made.bars) == len(made.found.bars) == len(made.scene["states"])
    assert made.found.bars is not before
