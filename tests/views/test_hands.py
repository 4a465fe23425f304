"""Weights in the hand, as Python has them: what goes into the session, and what must wait."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy
import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.views.scene.handed import vector

PROGRAM = """
net : R[2] ~> R[1]
net = dense[3] >> tanh >> dense[1]

lone : R[2] ~> R[2]
lone x = fixpoint (\\y -> tanh (0.1 * y + x)) zero + ?b

plain : R[2] -> R[2]
plain x = tanh x
"""
X = numpy.random.default_rng(0).normal(size=(30, 2))
SIDE = X[:, 0] > 0


@pytest.fixture
def hands(session: nnfp.Session) -> Any:
    session.run(PROGRAM)
    session.reset_weights()
    session.asked.clear()
    return nnfp.widgets.Hands(session["net"], X, colour=SIDE, training={"epochs": 4})


def commit(hands: Any, weights: Any, points: Any = None, kinds: Any = None) -> Any:
    arrays = [weights, hands._points if points is None else points,
              hands._kinds if kinds is None else kinds]  # fmt: skip
    sent: list[Any] = []
    hands.send = lambda said, buffers=None: sent.append(said)
    hands._asked(hands, {"do": "commit", "seq": 5}, [each.tobytes() for each in arrays])
    return sent[0]


def near(hands: Any, session: nnfp.Session) -> bool:
    """Whether the page is shown the session's weights."""
    shown = numpy.frombuffer(hands.weights)[:6]
    return bool(numpy.allclose(shown, session.weights["net"]["dense"]["W"].reshape(-1)))


def test_what_a_hand_has_changed_is_the_sessions(session: nnfp.Session, hands: Any) -> None:
    others = session.weights["net"]["dense_2"]["W"]
    weights = vector(hands.data)
    weights[1] = 7.0
    points, kinds = numpy.concatenate([X, [[2.0, 3.0]]]), numpy.array([*SIDE, 1.0], float)
    linked = nnfp.widgets.Bend(session["net"], X)
    before = linked.data.states[-1]
    assert commit(hands, weights, points, kinds) == {"done": 5, "note": "", "moved": True}
    assert session.weights["net"]["dense"]["W"].tolist()[0][1] == 7.0
    assert (session.weights["net"]["dense_2"]["W"] == others).all()
    assert hands.X.tolist() == points.tolist()
    # What a linked view is told by the page: it shows the same data with the weights of now.
    linked._asked(linked, "moved", [])
    linked.wait()
    after = linked.data.points(linked.data.states[-1])
    assert numpy.allclose(after, session["net"].batch(X), atol=1e-5)
    assert not numpy.allclose(after, before[: len(X)], atol=0.1)
    assert hands.y.tolist() == [*SIDE, True]
    # What a cell has set meanwhile is not written over, but shown.
    session.weights = {"net.dense_2.b": [5.0]}
    weights[0] = 1.0
    assert commit(hands, weights)["done"] == 5
    assert session.weights["net"]["dense_2"]["b"].tolist() == [5.0]
    assert numpy.frombuffer(hands.weights)[-1] == 5.0


def test_it_waits_while_a_cell_runs_or_a_training(session: nnfp.Session, hands: Any) -> None:
    weights = vector(hands.data)
    weights[0] = 2.0
    held, release = threading.Event(), threading.Event()

    def cell() -> None:
        with session.turn:
            held.set()
            release.wait(30)

    thread = threading.Thread(target=cell)
    thread.start()
    held.wait(30)
    assert commit(hands, weights) == {"waits": 5, "why": "a cell is running"}
    release.set()
    thread.join()
    training = session.train("net", [X, SIDE[:, None] * 1.0], loss="squaredError", epochs=1)
    next(training)
    assert commit(hands, weights) == {"waits": 5, "why": "net is being trained"}
    training.close()
    assert commit(hands, weights) == {"done": 5, "note": "", "moved": True}
    assert commit(hands, weights) == {"done": 5, "note": "", "moved": False}


def test_a_program_that_has_changed_is_told_of(session: nnfp.Session, hands: Any) -> None:
    weights = vector(hands.data)
    weights[0] = 2.0
    session.run(PROGRAM.replace("tanh", "relu"))
    assert "has been defined anew since" in commit(hands, weights)["note"]
    session.run(PROGRAM.replace("dense[3]", "dense[4]"))
    weights[0] = 3.0
    told = commit(hands, weights)
    assert told["refused"] == 5
    assert told["why"].startswith("The program has changed: the weight `net.dense.W` is R[4,2]")
    assert session.weights["net"]["dense"]["W"].shape == (4, 2)


def test_train_on_trains_the_points_that_are_there(session: nnfp.Session, hands: Any) -> None:
    before = vector(hands.data)
    commit(hands, before, X[:20], numpy.array(SIDE[:20], float))
    hands._asked(hands, {"do": "train"}, [])
    hands.wait()
    assert hands.status["state"] == "ended", hands.status
    assert hands.status["words"].startswith("binaryCrossEntropy, on the points")
    assert len(session.asked["net"].data[0]) == 20
    after = numpy.frombuffer(hands.weights)
    assert (after != before).any()
    assert near(hands, session)
    # What a cell trains is followed, too; and no second one is begun beside it.
    seen: list[Any] = []
    hands.observe(lambda change: seen.append(change["new"]["state"]), "status")
    hands._asked(hands, "here", [])
    training = session.train("net", [X, SIDE[:, None] * 1.0], loss="squaredError", epochs=40)
    next(training)
    hands.train_on()
    assert hands.status["words"].startswith("A cell is running")
    for _ in training:
        pass
    assert "watched" in seen
    assert hands.status["state"] == "ended"
    assert near(hands, session)
    # A stop ends it, and its weights are kept.
    hands._training = {"epochs": 1e6}
    hands.train_on()
    hands._asked(hands, {"do": "stop"}, [])
    hands.wait()
    assert hands.status["state"] == "ended"
    assert not session.training


def test_what_a_page_does_not_compute_the_kernel_is_asked_for(session: nnfp.Session) -> None:
    session.run(PROGRAM)
    made = nnfp.widgets.Hands(session["lone"], X)
    assert made.scene["tape"]["missing"] == "`fixpoint`"
    assert made.scene["layers"] == []
    sent: list[Any] = []
    made.send = lambda said, buffers=None: sent.append((said, buffers))
    weights = vector(made.data) + numpy.array([1.0, 2.0])
    columns = [column for state in made.scene["states"] for column in state["columns"]]
    asked = {"do": "ask", "seq": 1, "columns": columns}
    made._asked(made, asked, [weights.tobytes(), X.tobytes()])
    said, buffers = sent[0]
    assert (said["answer"], said["ends"], len(buffers)) == (1, 0, len(columns))
    last = numpy.frombuffer(buffers[-1]).reshape(-1, 2)[: len(X)]
    session.weights = {"lone.b": [1.0, 2.0]}
    assert numpy.allclose(last, session["lone"].batch(X), atol=1e-5)


def test_forms(session: nnfp.Session, hands: Any, tmp_path: Path) -> None:
    assert hands.text.splitlines()[0] == "net : R[2] ~> R[1]"
    assert hands.text.splitlines()[2].split()[:3] == ["dense[3]", "net.dense.W", "3×2"]
    assert [axes.get_title() for axes in hands.figure().axes] == ["x", "dense[3]", "dense[1]"]
    assert {"text/plain", "text/html", "image/svg+xml"} <= set(hands._repr_mimebundle_()[0])
    assert hands.save(tmp_path / "x.html") < 2**20
    with pytest.raises(ValueError, match="take fewer"):
        hands.save(tmp_path / "x.html", budget=1000)
    with pytest.raises(nnfp.NnfpError, match="plain owns no weights"):
        nnfp.widgets.Hands(session["plain"], X)
    with pytest.raises(ValueError, match="there is no layer 2 to hold: there is 0 to 1"):
        nnfp.widgets.Hands(session["net"], X, layer=2)
