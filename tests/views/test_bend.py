"""The manifold view without a browser: its forms, and what it refuses."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy
import pytest
from IPython.core.error import UsageError

import nnfp_kernel as nnfp
from nnfp_kernel.magics.terminal import TerminalHost
from nnfp_kernel.magics.workspace import Workspace
from nnfp_kernel.views.scene import packed, scene

X = numpy.random.default_rng(0).normal(size=(60, 2))
KIND = X[:, 0] > 0


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    made = Workspace(TerminalHost(io.StringIO()), {"X": X, "kind": KIND})
    made.run("net : R[2] ~> R[1]\nnet = dense[2] >> tanh >> dense[1]")
    return made


@pytest.fixture(scope="module")
def shown(workspace: Workspace) -> Any:
    return nnfp.widgets.Bend(workspace.session["net"], X, colour=KIND)


def test_a_notebook_gets_the_widget_the_picture_and_the_text(shown: Any) -> None:
    bundle, _ = shown._repr_mimebundle_()
    assert {"text/plain", "text/html", "image/svg+xml"} < set(bundle)
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == shown.model_id
    assert bundle["text/plain"].startswith("net : R[2] ~> R[1]\n")
    assert "<svg" in bundle["text/html"]


def test_the_numbers_are_json_and_one_buffer_in_which_every_array_lies(shown: Any) -> None:
    header, numbers = packed(shown.data)
    json.dumps(header, allow_nan=False)
    for state, values in zip(header["states"], shown.data.states, strict=True):
        place = state["array"]
        size = math.prod(place["shape"])
        found = numpy.frombuffer(numbers, "<f4", size, place["offset"]).reshape(place["shape"])
        assert numpy.array_equal(found, values.astype("f4"))
    kinds = header["colour"]["array"]
    found = numpy.frombuffer(numbers, "u1", len(X), kinds["offset"])
    assert numpy.array_equal(found, KIND)
    assert header["colour"]["classes"] == ["False", "True"]


def test_widgets_over_the_same_data_have_one_name_and_others_have_others(
    workspace: Workspace, shown: Any
) -> None:
    again = packed(scene(workspace.session["net"], X))[0]["id"]
    other = packed(scene(workspace.session["net"], X[:-1]))[0]["id"]
    assert shown.scene["id"] == again != other


def test_it_is_seen_again_with_the_weights_of_now(workspace: Workspace) -> None:
    session = workspace.session
    bend = nnfp.widgets.Bend(session["net"], X, measures=False)
    bend.position, before = 1.5, bend.numbers
    session.weights = {"net.dense.b": session.weights["net"]["dense"]["b"] + 1}
    bend.refresh()
    assert bend.position == 1.5
    assert bend.numbers != before
    moved = bend.data.points(bend.data.states[-1])
    assert numpy.allclose(moved, session["net"].batch(X), atol=1e-5)


def test_a_page_is_within_its_budget_or_says_what_to_reduce(shown: Any, tmp_path: Path) -> None:
    size = shown.save(tmp_path / "net.html")
    assert (tmp_path / "net.html").stat().st_size == size < 2**19
    with pytest.raises(
        ValueError, match=r"60 points in 4 places: take fewer.*a grid of fewer `lines`"
    ):
        shown.save(tmp_path / "small.html", budget=1000)
    assert not (tmp_path / "small.html").exists()


def test_the_verb_writes_a_page(workspace: Workspace, tmp_path: Path) -> None:
    view = workspace.line(f"bend net X --colour kind --save {tmp_path / 'net.html'}")
    assert "a page that needs no kernel" in str(view)
    assert "default-src 'none'" in (tmp_path / "net.html").read_text()
    with pytest.raises(UsageError, match="--save"):
        workspace.line(f"bend net X --save {tmp_path / 'nowhere' / 'net.html'}")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"bookmarks": {"far": 7.0}}, "there is 0 to 3"),
        ({"captions": {4: "late"}}, "there is 0, the input, to 3"),
        ({"locked": ("doors",)}, "'doors' cannot be locked"),
    ],
)
def test_an_author_is_told_what_there_is(shown: Any, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        nnfp.widgets.Bend(shown.data, measures=False, **given)


@pytest.mark.parametrize("view", ["Bend", "Strip", "Regions", "Film", "Hands", "Unroll", "Wiring"])
def test_what_is_no_function_is_told_to_be_none(view: str) -> None:
    show = getattr(nnfp.widgets, view)
    data = () if view == "Wiring" else (numpy.eye(2),)
    with pytest.raises(TypeError, match=r'session\["net"\], and not its name'):
        show("net", *data)
    with pytest.raises(TypeError, match="and not a value of Python's, ndarray"):
        show(numpy.eye(2), *data)
