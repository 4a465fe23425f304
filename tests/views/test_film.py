"""A film without a browser: what a training leaves, what it costs, its forms, what it refuses."""

from __future__ import annotations

import io
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from IPython.core.error import UsageError

import nnfp_kernel as nnfp
from nnfp_kernel.magics.terminal import TerminalHost
from nnfp_kernel.magics.workspace import Workspace
from nnfp_kernel.runtime.exchange import paths_of, unflatten_paths
from nnfp_kernel.runtime.training.events import Finished, Progress
from nnfp_kernel.views.film import Film
from nnfp_kernel.views.film.packed import packed
from nnfp_kernel.views.film.reel import BYTES, FRAMES, Audience, Frame, Pace, Reel
from nnfp_kernel.views.scene import scene
from nnfp_kernel.views.scene.moving import Moving
from nnfp_kernel.views.training import Course

PROGRAM = """
net : R[2] ~> R[1]
net = dense[8] >> tanh >> dense[2] >> tanh >> dense[1]

other : R[2] ~> R[1]
other = dense[1]
"""
X = numpy.random.default_rng(0).normal(size=(60, 2))
KIND = (X**2).sum(1) > 1
DATA = [X, 2.0 * KIND[:, None] - 1]
FIT: dict[str, Any] = {"loss": "squaredError", "rate": 0.02, "batch": 20}


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    names = {"X": X, "kind": KIND, "targets": DATA[1]}
    made = Workspace(TerminalHost(io.StringIO()), names)
    made.run(PROGRAM)
    return made


@pytest.fixture(scope="module")
def film(workspace: Workspace) -> Film:
    for _ in workspace.session.train("net", DATA, epochs=80, film=True, **FIT):
        pass
    return Film(workspace.session["net"], X, colour=KIND)


def of_session(session: nnfp.Session, weights: Any) -> nnfp.Session:
    """A session that has other weights."""
    other = nnfp.Session(precision=session.precision)
    other.run(PROGRAM)
    other.weights = weights
    return other


def test_moments_are_evenly_apart_and_hold_the_trainings_weights(
    workspace: Workspace, film: Film
) -> None:
    steps = [moment.step for moment in film.moments]
    assert (steps[0], steps[-1], len(steps)) == (0, 240, FRAMES)
    assert max(numpy.diff(steps)) <= 8
    last = film.moments[-1].moved.states[-1][: len(X)]
    assert numpy.allclose(last, workspace.session["net"].batch(X), atol=1e-6)


def test_every_stage_at_every_moment_is_the_functions(workspace: Workspace, film: Film) -> None:
    """The compiled function of weights and points is that of the scene."""
    frames = film.trainings.last.frames  # type: ignore[union-attr]
    for place in (0, len(frames) // 2):
        other = of_session(workspace.session, frames[place].weights())
        found = Moving(film.scene).at(frames[place].weights())
        wanted = scene(other["net"], X, colour=KIND, lines=9, samples=25)
        for state, own in zip(found.states, wanted.states, strict=True):
            assert numpy.allclose(state[: found.fixed], own[: found.fixed], atol=1e-6)


def test_affine_stages_are_found_with_their_weights(film: Film) -> None:
    made = scene(film.function, X)
    found = Moving(made).scene_at({})
    assert [k for k, stage in enumerate(found.stages) if stage.weights] == [0, 2, 4]
    for stage, own in zip(made.stages, found.stages, strict=True):
        for wanted, value in zip(stage.weights or (), own.weights or (), strict=True):
            assert numpy.allclose(value, wanted, atol=1e-6)


def test_one_view_all_through_the_film(film: Film) -> None:
    """Points of eight dimensions are projected by one matrix at all moments."""
    (axes,) = [axes for axes in film.moving.axes if axes is not None][:1]
    assert numpy.allclose(axes.T @ axes, numpy.eye(3), atol=1e-6)
    frames = {frame.step: frame for frame in film.trainings.last.frames}  # type: ignore[union-attr]
    whole = Moving(film.scene)
    for moment in film.moments[::20]:
        values = whole.at(frames[moment.step].weights()).states[1]
        assert numpy.allclose(values @ axes, moment.moved.states[1], atol=1e-5)


def test_sixteen_bits_are_enough(film: Film) -> None:
    """To 1e-3 of the extent that a state has at that moment; VIEWS' law."""
    header, numbers = packed(film)
    json.dumps(header, allow_nan=False)
    for moment, told in zip(film.moments, header["moments"], strict=True):
        for state, place in zip(moment.moved.states, told["states"], strict=True):
            count = place["shape"][0] * place["shape"][1]
            half = numpy.frombuffer(numbers, "<f2", count, place["offset"]).reshape(place["shape"])
            found = numpy.array(place["middle"]) + place["reach"] * half.astype(float)
            wanted = state[: film.moving.fixed]
            extent = numpy.ptp(wanted[: len(X)], axis=0).max()
            assert abs(found - wanted)[: len(X)].max() <= 1e-3 * extent
    # What does not move is there once.
    assert len({json.dumps(told["states"][0]) for told in header["moments"]}) == 1


def test_the_boundary_is_where_the_answer_changes(workspace: Workspace, film: Film) -> None:
    ends = film.moments[-1].moved.boundary(0).reshape(-1, 2)
    assert len(ends) > 10
    answers = numpy.asarray(workspace.session["net"].batch(ends))
    assert abs(answers).max() < 0.1 * abs(film.moments[-1].moved.states[-1]).max()


def test_what_has_not_been_trained_has_one_moment(workspace: Workspace, film: Film) -> None:
    made = Film(workspace.session["other"], X)
    assert [moment.step for moment in made.moments] == [0]
    assert "no training of it yet" in nnfp.widgets.Film(made).text


class Seen:
    """A view that counts."""

    awake, rank = True, 0

    def __init__(self, seconds: float = 0.0, error: type[BaseException] | None = None) -> None:
        self.seconds, self.error, self.steps, self.told = seconds, error, list[int](), list[str]()

    def began(self, reel: Any) -> None:
        self.told.append("began")

    def look(self, reel: Any, frame: Any) -> int:
        self.steps.append(frame.step)
        if self.error:
            raise self.error("so it is")
        time.sleep(self.seconds)
        return 0

    def ended(self, reel: Any) -> None:
        self.told.append("ended")


def test_views_take_a_tenth_of_the_time_and_no_more(workspace: Workspace, film: Film) -> None:
    slow = Seen(0.004)
    workspace.session.trainings.watch(slow, "slow")
    begin = time.perf_counter()
    for _ in workspace.session.train("net", DATA, epochs=400, **FIT):
        time.sleep(0.002)
    passed = time.perf_counter() - begin
    assert slow.told == ["began", "ended"]
    assert 1 <= len(slow.steps) <= 1 + 0.1 * passed / 0.004


def test_time_in_which_is_compiled_is_none_to_have_a_share_of() -> None:
    class Compiled(Seen):
        def began(self, reel: Any) -> None:
            begin = time.process_time()
            while time.process_time() < begin + 0.4:
                pass

    slow = Compiled(0.035)  # ten times that is long after what follows, even on a busy machine
    audience, reel = Audience([slow]), Reel(Course())
    audience.see(reel, Frame(0, 0.0, None, dict))
    begin = time.perf_counter()
    while time.perf_counter() < begin + 0.15:
        audience.see(reel, Frame(1, 0.0, None, dict))
        time.sleep(0.002)
    assert slow.steps == [0]


def test_bytes_are_counted_as_well() -> None:
    pace = Pace(0.0)
    pace.looked(1.0, 0.001, 10 * BYTES)
    assert not pace.due(9.0)
    assert pace.due(10.1)


def test_a_view_that_fails_is_told_no_more_and_the_training_goes_on(workspace: Workspace) -> None:
    broken = Seen(error=ValueError)
    workspace.session.trainings.watch(broken, "broken")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        *_, last = workspace.session.train("net", DATA, epochs=40, **FIT)
    assert isinstance(last, Finished)
    assert (last.reason, len(broken.steps)) == ("finished", 1)
    assert "no longer: so it is" in str(caught[0].message)


def test_a_view_that_cannot_begin_is_told_no_more_either(workspace: Workspace) -> None:
    class Unready(Seen):
        def began(self, reel: Any) -> None:
            raise ValueError("so it is")

    unready, well = Unready(), Seen()
    workspace.session.trainings.watch(unready, "unready")
    workspace.session.trainings.watch(well, "well")
    with pytest.warns(UserWarning, match="no longer: so it is"):
        *_, last = workspace.session.train("net", DATA, epochs=40, **FIT)
    assert (last.reason, unready.steps) == ("finished", [])
    assert well.told == ["began", "ended"]


@pytest.mark.parametrize("where", ["in a view", "at a yield"])
def test_an_interrupt_ends_a_watched_training_and_keeps_its_moments(
    workspace: Workspace, where: str
) -> None:
    struck = Seen(error=KeyboardInterrupt if where == "in a view" else None)
    workspace.session.trainings.watch(struck, "struck")
    events = workspace.session.train("net", DATA, epochs=400, **FIT)
    found: list[Any] = []
    if where == "at a yield":
        while not isinstance(next(events), Progress):
            pass
        found.append(events.throw(KeyboardInterrupt()))
    found += events
    assert (found[-1].reason, struck.told) == ("interrupted", ["began", "ended"])
    reel = workspace.session.trainings.last
    assert reel is not None
    assert reel.frames[-1].step == found[-1].step > 0
    del struck


def test_a_training_that_ends_in_nan_keeps_its_moments(workspace: Workspace) -> None:
    spoilt = [X, numpy.where(numpy.arange(len(X))[:, None] == 7, numpy.nan, DATA[1])]
    *_, last = workspace.session.train("net", spoilt, epochs=3, film=True, **FIT)
    assert last.reason == "diverged"
    assert workspace.session.trainings.last.frames[0].step == 0  # type: ignore[union-attr]


def test_nobody_watches_nothing_is_held_up(workspace: Workspace) -> None:
    """Without a film a training goes in chunks as large as ever."""
    found = [e for e in workspace.session.train("net", DATA, epochs=200, **FIT)
             if isinstance(e, Progress)]  # fmt: skip
    assert len(found) < 60
    assert found[-1].weights is not None
    kept = dict(paths_of(found[-1].weights()))
    assert kept.keys() == dict(paths_of(workspace.session["net"].weights)).keys()
    assert unflatten_paths(kept)


@pytest.fixture(scope="module")
def shown(film: Film) -> Any:
    return nnfp.widgets.Film(film)


def test_a_notebook_gets_the_widget_the_picture_and_the_text(shown: Any) -> None:
    bundle, _ = shown._repr_mimebundle_()
    assert {"text/plain", "text/html", "image/svg+xml"} < set(bundle)
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == shown.model_id
    assert bundle["text/plain"].startswith("net : R[2] ~> R[1]\n")
    assert "finished: 80 epochs" in bundle["text/plain"]


def test_a_live_film_gets_each_moment_and_the_whole_in_the_end(workspace: Workspace) -> None:
    film = nnfp.widgets.Film(workspace.session["net"], X, colour=KIND)
    sent: list[tuple[Any, Any]] = []
    film.send = lambda said, buffers=None: sent.append((said, buffers))
    film._asked(film, "here", [])
    for _ in workspace.session.train("net", DATA, epochs=400, **FIT):
        time.sleep(0.001)
    assert sent
    said, (numbers,) = sent[-1][0]["live"][film.address], sent[-1][1]
    assert said["moment"]["step"] in said["kept"]
    assert said["moment"]["states"][0] is None  # the input does not move
    place = said["moment"]["states"][-1]
    assert place["offset"] + 2 * len(X) <= len(numbers)
    assert [moment["step"] for moment in film.film["moments"]][-1] == 1200
    assert film.film["course"]["running"] is False


def test_bend_is_live_as_well_and_ends_with_the_weights_that_are_kept(
    workspace: Workspace,
) -> None:
    bend = nnfp.widgets.Bend(workspace.session["net"], X, colour=KIND, measures=False)
    sent: list[tuple[Any, Any]] = []
    bend.send = lambda said, buffers=None: sent.append((said, buffers))
    for _ in workspace.session.train("net", DATA, epochs=40, **FIT):
        pass
    assert not sent  # nobody sees it
    bend._asked(bend, "here", [])
    for _ in workspace.session.train("net", DATA, epochs=400, **FIT):
        time.sleep(0.001)
    assert sent
    said = [each["live"][bend.address] for each, _ in sent]
    assert [each["whole"] for each in said] == [True] + [False] * (len(sent) - 1)
    header, (numbers,) = said[0]["scene"], sent[0][1]
    json.dumps(header, allow_nan=False)
    assert [stage["motion"]["form"] for stage in header["stages"]][:2] == ["affine", "straight"]
    assert header["id"] == bend.scene["id"]
    place = header["states"][-1]["array"]
    assert place["type"] == "f16"
    assert place["offset"] + 2 * place["shape"][0] <= len(numbers)
    if len(sent) > 1:  # then what is new: no label, no camera, no colour
        then = said[1]["scene"]
        assert then.keys() <= {"states", "stages", "colour"}
        assert all(stage.keys() <= {"motion"} for stage in then["stages"])
        assert len(json.dumps(then)) < len(json.dumps(header)) / 2
    bend._asked(bend, "here", [])  # another page of it, which has not heard the first one
    for _ in workspace.session.train("net", DATA, epochs=400, **FIT):
        time.sleep(0.001)
    assert [each["live"][bend.address]["whole"] for each, _ in sent].count(True) == 2
    moved = bend.data.points(bend.data.states[-1])
    assert numpy.allclose(moved, workspace.session["net"].batch(X), atol=1e-5)


def test_all_who_watch_are_told_of_a_moment_by_one_message_and_one_evaluation(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, sent = workspace.session["net"], list[tuple[Any, Any, Any]]()
    film = nnfp.widgets.Film(net, X, colour=KIND)
    bend = nnfp.widgets.Bend(net, X, colour=KIND, measures=False)
    for view in (film, bend):
        view.send = lambda said, buffers, own=view: sent.append((own, said["live"], buffers))
        view._asked(view, "here", [])
    reel = workspace.session.trainings.last
    assert reel is not None
    audience = Audience([film, bend])
    audience.see(reel, reel.frames[0])  # all is compiled
    found: list[Moving] = []
    boundary = Moving._boundary
    monkeypatch.setattr(
        Moving, "_boundary", lambda self, held: found.append(self) or boundary(self, held)
    )
    frame = reel.frames[-1]
    audience.pace = Pace(0.0)
    audience.see(reel, frame)
    assert len(found) == 1
    assert not frame.known  # it is large, and the reel keeps the frame
    assert [view for view, _, _ in sent] == [bend, bend]  # the last that was shown
    _, live, (bent, filmed) = sent[-1]
    assert list(live) == [bend.address, film.address]
    # In 16 bits both have where the function puts the points.
    wanted = film.data.moving.at(frame.weights()).states[-1][: len(X), 0]
    place = live[film.address]["moment"]["states"][-1]
    assert live[film.address]["moment"]["step"] == frame.step
    half = numpy.frombuffer(filmed, "<f2", len(X), place["offset"])
    extent = numpy.ptp(wanted)
    assert abs(place["middle"][0] + place["reach"] * half - wanted).max() <= 1e-3 * extent
    assert live[bend.address]["whole"] is False
    offset = bend._live.told["states"][-1]["array"]["offset"]  # type: ignore[index]
    assert abs(numpy.frombuffer(bent, "<f2", len(X), offset) - wanted).max() <= 1e-3 * extent


def test_what_nobody_sees_is_made_when_it_is_asked_for(workspace: Workspace) -> None:
    film = nnfp.widgets.Film(workspace.session["net"], X, colour=KIND)
    for _ in workspace.session.train("net", DATA, epochs=21, **FIT):
        pass
    assert film.film["moments"][-1]["step"] != 63
    assert "finished: 21 epochs" in film.text
    assert film.film["moments"][-1]["step"] == 63


def test_a_page_is_within_its_budget_or_says_what_to_reduce(shown: Any, tmp_path: Path) -> None:
    assert shown.save(tmp_path / "film.html") < 2**21
    with pytest.raises(ValueError, match=r"50 moments of 60 points in 6 places: .*`most=25`"):
        shown.save(tmp_path / "small.html", budget=1000)


def test_the_verb_tells_a_training(workspace: Workspace, film: Film, tmp_path: Path) -> None:
    workspace.line("train net --data X,targets --loss squaredError --epochs 40 --batch 20 --film")
    view = workspace.line("film net X --colour kind --most 5")
    assert view is not None
    assert len(view.value.moments) == 5
    assert "5 moments. finished: 40 epochs" in str(view)
    assert "<svg" in view.html
    saved = workspace.line(f"film net X --colour kind --save {tmp_path / 'net.html'}")
    assert "a page that needs no kernel" in str(saved)
    with pytest.raises(UsageError, match="two frames"):
        workspace.line("film net X --most 1")


def test_what_was_written_anew_is_not_taken_for_what_was_trained(film: Film) -> None:
    session = nnfp.Session()
    session.run(PROGRAM)
    for _ in session.train("net", DATA, epochs=2, **FIT):
        pass
    session.run("net : R[2] ~> R[1]\nnet = dense[5] >> tanh >> dense[1]")
    assert len(Film(session["net"], X).moments) == 1


@pytest.fixture(autouse=True)
def forgotten(workspace: Workspace) -> Iterator[None]:
    """No view of one test watches the trainings of the next."""
    yield
    workspace.session.trainings._watchers.clear()
