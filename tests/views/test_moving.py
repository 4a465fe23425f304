"""A scene at other weights: folds, position by position, and parallel blocks, all of it compiled
once. The judge is a scene that is made anew, and what the kernel answers."""

from __future__ import annotations

import json
from typing import Any

import numpy
import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.exchange import paths_of, unflatten_paths
from nnfp_kernel.views.film.reel import Pace
from nnfp_kernel.views.scene import Scene, packed, scene
from nnfp_kernel.views.scene.changes import changed
from nnfp_kernel.views.scene.moving import Moving
from nnfp_kernel.views.scene.packed import Buffer, Still
from nnfp_kernel.views.scene.run import Run

PROGRAM = """
cell : (R[3], R[2]) ~> R[3]
cell (h, x) = tanh (?W @ h + ?U @ x + ?b)

states : R[2][5] ~> R[3][5]
states xs = scan cell zero xs

encode : R[2][5] ~> R[2]
encode xs = (fold cell zero >> dense[2]) xs

backwards : R[2][5] ~> R[3]
backwards xs = foldRight cell zero xs

square : R[2][5] ~> R[6]
square = fold (\\(h, x) -> tanh (reshape[2,3] (?P @ x) + 0.5 * h)) zero >> flatten

every : R[2][5] ~> R[3]
every = scan cell zero >> map (residual (dense[3] >> tanh)) >> mean

ways : R[2][5] ~> (R[3], R[3])
ways = fold cell zero &&& foldRight cell zero

both : R[2] ~> (R[2], R[3])
both = (dense[2] >> sigmoid >> dense[2]) &&& dense[3]

small : R[2] ~> R
small x = let (a, b) = both x in dot a a + dot b b

net : R[2] ~> R[1]
net = dense[2] >> tanh >> dense[1]
"""
N = 30
POINTS = numpy.random.default_rng(1).normal(size=(N, 2))
SEQUENCES = numpy.random.default_rng(2).normal(size=(N, 5, 2))
KIND = POINTS[:, 0] > 0
NAMES = ["encode", "backwards", "square", "every", "ways", "both", "net"]


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64, seed=0)
    made.run(PROGRAM)
    return made


def data(name: str) -> Any:
    return POINTS if name in ("both", "net") else SEQUENCES


def shown(session: nnfp.Session, name: str) -> Scene:
    return scene(session[name], data(name), colour=KIND)


def elsewhere(session: nnfp.Session, seed: int) -> nnfp.Session:
    """Another session, with other weights."""
    other = nnfp.Session(precision=64, seed=seed)
    other.run(PROGRAM)
    for name in NAMES:
        _ = other[name].weights  # they are drawn when they are asked for
    return other


def same(stage: Any, wanted: Any, fixed: int) -> None:
    """One stage as another, of the points that both have: not those of the boundary."""
    assert (stage.kind, stage.label, stage.type) == (wanted.kind, wanted.label, wanted.type)
    for t in (0, 0.1, 0.37, 0.8, 1):
        assert stage.path.dimension == wanted.path.dimension
        assert numpy.allclose(stage.at(t)[:fixed], wanted.at(t)[:fixed], atol=1e-12)
    for own, other in zip(stage.blocks, wanted.blocks, strict=True):
        for inner, judge in zip(own, other, strict=True):
            same(inner, judge, fixed)


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_at_other_weights_is_the_scene_that_is_made_with_them(
    session: nnfp.Session, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moving = Moving(shown(session, name))
    moving.scene_at({})
    # From here on nothing is lowered, traced or compiled.
    lowered: list[Any] = []
    monkeypatch.setattr(Run, "lowered", lambda *given: lowered.append(given))
    found = []
    for seed in (1, 2):
        other = elsewhere(session, seed)
        weights = other[name].weights
        found.append((other, moving.scene_at(weights)))
    assert not lowered
    assert moving._staged._cache_size() == 1
    monkeypatch.undo()
    for other, made in found:
        wanted = shown(other, name)
        fixed = wanted.count + wanted.lines * wanted.samples
        assert made.labels == wanted.labels
        for stage, judge in zip(made.stages, wanted.stages, strict=True):
            same(stage, judge, fixed)


def test_the_states_of_a_fold_at_other_weights_are_those_that_the_kernel_gives(
    session: nnfp.Session,
) -> None:
    moving, other = Moving(shown(session, "encode")), elsewhere(session, 3)
    fold = moving.scene_at(other["encode"].weights).stages[0]
    states = numpy.asarray(other["states"].batch(SEQUENCES))
    assert not fold.at(0).any()
    for position in range(1, 6):
        assert numpy.allclose(fold.at(position / 5), states[:, position - 1], atol=1e-12)


def test_what_is_told_of_blocks_that_come_to_mirror_is_whole(session: nnfp.Session) -> None:
    """The one block turns an axis through a dimension more, or the other one: what is beside it
    is elsewhere, and the camera is another."""
    session.run(
        "pair : (R[2], R[2]) ~> (R[2], R[2])\npair = (dense[2] >> tanh) *** (dense[2] >> tanh)"
    )
    places = [path for path, _ in paths_of(session["pair"].weights) if path[-1] == "W"]
    assert len(places) == 2
    made = scene(session["pair"], (POINTS, POINTS[::-1]))
    moving, still = Moving(made), Still(made)
    plain, mirrored = numpy.diag([2.0, 1.0]), numpy.diag([2.0, -1.0])
    before = None
    for kinds in [(plain, plain), (mirrored, plain), (plain, mirrored), (mirrored, mirrored)]:
        at = moving.scene_at(unflatten_paths(dict(zip(places, kinds, strict=True))))
        header, _ = packed(at, buffer=Buffer(half=True), still=still)
        wanted, _ = packed(at, buffer=Buffer(half=True), still=Still(made))
        stage, judge = header["stages"][0], wanted["stages"][0]
        assert [own["size"] for own in stage["motion"]["blocks"]] == [
            2 + (kind is mirrored) for kind in kinds
        ]
        assert numpy.allclose(stage["camera"]["first"], judge["camera"]["first"])
        if before is not None:
            assert "camera" in changed(before, header)["stages"][0]
        before = header


@pytest.mark.parametrize(("name", "trained"), [("encode", "encode"), ("both", "small")])
def test_a_live_bend_over_a_fold_or_blocks_tells_what_moves_and_makes_nothing_anew(
    session: nnfp.Session, name: str, trained: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend = nnfp.widgets.Bend(session[name], data(name), colour=KIND, measures=False)
    sent: list[tuple[Any, Any]] = []
    bend.send = lambda said, buffers=None: sent.append((said, buffers))
    bend._asked(bend, "here", [])
    anew: list[int] = []
    monkeypatch.setattr(bend, "_shown", lambda made: anew.append(len(sent)) or {})
    monkeypatch.setattr(Pace, "due", lambda *_: True)  # on a busy machine, too
    model = trained == name
    examples = [data(name), numpy.zeros((N, 2))] if model else [data(name)]
    given: dict[str, Any] = {"loss": "squaredError"} if model else {}
    for _ in session.train(trained, examples, rate=0.02, batch=10, epochs=100, **given):
        pass
    assert len(sent) > 2
    assert anew == [len(sent)]  # once, when it has ended
    for message, _ in sent[1:]:
        said = message["live"][bend.address]
        assert not said["whole"]
        json.dumps(said, allow_nan=False)
        assert said["scene"].keys() <= {"states", "stages"}
        assert all(own.keys() <= {"motion", "camera"} for own in said["scene"]["stages"])
