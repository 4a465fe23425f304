"""Figures: what a scene looks like on paper, and what the verb shows."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy
import pytest
from matplotlib import image

import nnfp_kernel as nnfp
from nnfp_kernel.views.film.film import Film
from nnfp_kernel.views.film.reel import Frame, Reel
from nnfp_kernel.views.geometry.lens import lens
from nnfp_kernel.views.geometry.regions import regions
from nnfp_kernel.views.geometry.strip import alignments, strip
from nnfp_kernel.views.scene import Scene, scene
from nnfp_kernel.views.training import Course
from nnfp_kernel.widgets import figures

PROGRAM = """
net : R[2] ~> R[1]
net = dense[3] >> tanh >> dense[2] >> relu >> dense[1]

deep : R[2] ~> R[2]
deep = stack[5] (dense[2] >> tanh)

sharp : R[2] -> R[2]
sharp x = tanh (100 * x)

odd : R[2] -> R[2]
odd x = if x ! 0 < 0.5 && 0 < x ! 1 then x else tanh (2 * x)
"""
X = numpy.random.default_rng(0).normal(size=(60, 2))
Y = (X**2).sum(1) > 1


@pytest.fixture(scope="module")
def made(session: nnfp.Session) -> Scene:
    return scene(session["net"], X, colour=Y)


def widths(figure: Any) -> list[float]:
    return [float(numpy.ptp(axes.get_xlim())) for axes in figure.axes]


def test_every_state_has_a_panel_with_its_text(made: Scene) -> None:
    figure = figures.bend(made)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["x", "dense[3]", "tanh", "dense[2]", "relu", "dense[1]"]
    below = [axes.texts[0].get_text() for axes in figure.axes]
    assert below == ["R[2]", "R[3]", "R[3]", "R[2]", "R[2]", "R[1]"]


def test_the_points_that_are_drawn_are_the_activations(session: nnfp.Session, made: Scene) -> None:
    """The last panel is a line: its first coordinate is the answer, class by class."""
    marks = [line for line in figures.bend(made).axes[-1].lines if line.get_marker() in "Do"]
    answer = numpy.asarray(session["net"].batch(X))[:, 0]
    for line, own in zip(marks, (~Y, Y), strict=True):
        assert numpy.allclose(line.get_xdata(), answer[own])


def test_panels_have_one_scale_or_say_their_own(session: nnfp.Session, made: Scene) -> None:
    one = widths(figures.bend(made, scale="one"))
    assert numpy.allclose(one, one[0])
    sharp = figures.bend(scene(session["sharp"], X))
    assert len(set(widths(sharp))) == 3
    assert all("wide" in axes.texts[1].get_text() for axes in sharp.axes)


def test_many_stages_go_on_in_the_next_row(session: nnfp.Session) -> None:
    figure = figures.bend(scene(session["deep"], X))
    rows = {round(axes.get_position().y0, 3) for axes in figure.axes}
    assert (len(figure.axes), len(rows)) == (11, 2)


def test_what_is_no_homotopy_is_marked(session: nnfp.Session) -> None:
    figure = figures.bend(scene(session["odd"], X))
    assert any("not a homotopy" in text.get_text() for axes in figure.axes for text in axes.texts)


def test_classes_differ_in_shape_and_quantities_in_lightness(session: nnfp.Session) -> None:
    def shapes(colour: Any) -> set[str]:
        axes = figures.bend(scene(session["sharp"], X, colour=colour)).axes[0]
        return {line.get_marker() for line in axes.lines} - {"None"}

    assert len(shapes(numpy.arange(60) % 4)) == 4
    assert shapes(None) == {"o"}
    assert shapes(X[:, 0]) == set()  # one collection, by cividis


def test_a_hostile_label_is_text_in_the_svg(session: nnfp.Session) -> None:
    session.run("bad : R[2] -> R[2]\nbad x = select (x ! 0 < 0 && x ! 1 > 0) (square x) x")
    svg = figures.to_svg(figures.bend(scene(session["bad"], X)))
    assert "&lt; 0" in svg
    ElementTree.fromstring(svg)


def test_an_svg_is_the_same_each_time_and_takes_the_pages_colours(made: Scene) -> None:
    svg = figures.to_svg(figures.bend(made))
    assert svg == figures.to_svg(figures.bend(made))
    inner = figures.themed(svg)
    ElementTree.fromstring(inner)
    assert "#ffffff" not in inner.lower()
    assert "var(--rep1)" in inner
    assert len(svg) < 150_000


def test_numbers_on_colours_are_as_dark_by_night(made: Scene) -> None:
    """The cells of the matrix do not change with the page; so neither may what stands in them."""
    inner = figures.themed(figures.to_svg(figures.alignment(made)))
    assert inner.count("#1a1e23") + inner.count("#fdfdfd") == len(made.states) ** 2


# --- compared with stored pictures ------------------------------------------------------------

STORED = Path(__file__).parent / "pictures"
# Functions without weights, and one with weights that are set: the same everywhere.
DRAWN = """
swirl : R[2] -> R[2]
swirl = turned >> tanh >> turned >> tanh where
  turned x = [1.6 * x ! 0 - 1.2 * x ! 1, 0.9 * x ! 0 + 1.2 * x ! 1]

folded : R[2] -> R[1]
folded = first >> relu >> second where
  first x = [x ! 0 + x ! 1, x ! 0 - x ! 1, 0.5 - x ! 0]
  second h = [h ! 0 + h ! 1 - 2 * h ! 2 - 0.4]

held : R[2] ~> R[2]
held x = tanh (?W @ x + ?b)
"""
HELD = {"held.W": [[1.4, -0.8], [0.3, 1.2]], "held.b": [0.5, 0.2]}
OF = {"regions": "folded", "hands": "held"}  # the others are of `swirl`


def turning(made: Scene) -> Film:
    """A film whose weights are no training's: a turn that grows, which is the same everywhere."""
    session = nnfp.Session(precision=64)
    session.run(
        "turn : R[2] ~> R[1]\nturn x = [?v @ tanh (?W @ x)] where\n  ?v : R[2]\n  ?W : R[2, 2]"
    )
    reel, steps = Reel(Course()), range(0, 60, 10)
    for step in steps:
        c, s = numpy.cos(0.05 * step), numpy.sin(0.05 * step)
        matrix = (1 + 0.03 * step) * numpy.array([[c, -s], [s, c]])
        weights = {"turn": {"W": matrix, "v": numpy.array([1.0, 0.3])}}
        reel.add(Frame(step, step / 10, 0.5**step, lambda own=weights: own))
    film = Film(session["turn"], made.points(made.states[0]), colour=made.colour)
    film.take(reel)
    return film


FIGURES: dict[str, Callable[[Scene], Any]] = {
    "bend": figures.bend,
    "film": lambda made: figures.film(turning(made)),
    "tissot": lambda made: figures.tissot(lens(made)),
    "strip": lambda made: figures.strip(strip(made)),
    "regions": lambda made: figures.regions(regions(made), made),
    "hands": figures.hands,
    "alignment": figures.alignment,
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Scene]:
    made = nnfp.Session(precision=64)
    made.run(DRAWN)
    made.weights = HELD
    points = numpy.random.default_rng(4).uniform(-1, 1, size=(120, 2))
    inside = (points**2).sum(1) < 0.5
    scenes = {name: scene(made[name], points, colour=inside) for name in ("swirl", *OF.values())}
    return {name: scenes[OF.get(name, "swirl")] for name in FIGURES}


def pixels(figure: Any) -> Any:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=48)
    return image.imread(io.BytesIO(stream.getvalue()))[..., :3]


def difference(one: Any, other: Any) -> float:
    """The share of pixels that are not nearly the same."""
    if one.shape != other.shape:
        return 1.0
    return float((abs(one - other).max(2) > 0.25).mean())


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_stored_picture(name: str, drawn: dict[str, Scene]) -> None:
    """To look at a new one and keep it: NNFP_PICTURES=1 pytest …"""
    path = STORED / f"{name}.png"
    found = pixels(FIGURES[name](drawn[name]))
    if os.environ.get("NNFP_PICTURES"):
        image.imsave(path, found)
    assert difference(found, image.imread(path)[..., :3]) < 0.01


def test_another_picture_is_told_from_the_stored_one(drawn: dict[str, Scene]) -> None:
    own = drawn["bend"]
    other = replace(own, colour=~numpy.asarray(own.colour))
    stored = image.imread(STORED / "bend.png")[..., :3]
    assert difference(pixels(figures.bend(other)), stored) > 0.01
    assert difference(pixels(figures.bend(own, scale="own")), stored) > 0.01


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_saved_for_paper_and_takes_a_pages_colours(
    name: str, drawn: dict[str, Scene], tmp_path: Path
) -> None:
    figure = FIGURES[name](drawn[name])
    figure.savefig(tmp_path / "figure.pdf")
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")
    svg = figures.to_svg(figure)
    assert svg == figures.to_svg(figure)
    inner = figures.themed(svg)
    ElementTree.fromstring(inner)
    assert "var(--nn-ink" in inner
    assert len(svg) < 400_000
    width, _ = figure.get_size_inches()
    assert width <= 8


def test_measures_of_a_strip_stand_under_their_stage(drawn: dict[str, Scene]) -> None:
    found = strip(drawn["strip"])
    sheet = next(axes for axes in figures.strip(found).axes if axes.get_xlim()[0] == 0)
    told = [text.get_text() for text in sheet.texts]
    assert told.count("tanh") == 2
    assert "intrinsic dimension, TwoNN" in told
    assert f"{found.aligned[-1]:.2f}" in told


def test_bars_are_drawn_with_their_numbers(drawn: dict[str, Scene]) -> None:
    pytest.importorskip("ripser")
    found = strip(drawn["strip"], betti=True)
    sheet = next(axes for axes in figures.strip(found).axes if axes.get_xlim()[0] == 0)
    told = [text.get_text() for text in sheet.texts]
    assert "{}, {}".format(*found.bars[-1].betti) in told


def test_the_lens_is_of_a_plane_and_its_areas_are_the_determinants(
    session: nnfp.Session, drawn: dict[str, Scene]
) -> None:
    made = lens(drawn["tissot"])
    start, first = made.sheet[0].reshape(-1, 2), made.volume[1]
    assert numpy.allclose(first, numpy.log(1.6 * 1.2 + 1.2 * 0.9))
    assert not made.volume[0].any()
    h = 1e-5
    states = [
        drawn["tissot"].run.states(start + h * axis)[-1] - made.sheet[-1].reshape(-1, 2)
        for axis in numpy.eye(2)
    ]
    area = numpy.linalg.det(numpy.stack(states, axis=2) / h)
    assert numpy.allclose(numpy.exp(made.volume[-1]).ravel(), area, rtol=1e-3)
    session.run("three : R[3] -> R[2]\nthree x = [x ! 0, x ! 1 * 2]")
    with pytest.raises(nnfp.NnfpError, match="ellipses are of a plane"):
        lens(scene(session["three"], numpy.eye(3)))


def test_alignment_of_two_functions_is_over_the_same_data(
    session: nnfp.Session, drawn: dict[str, Scene]
) -> None:
    found = alignments(drawn["strip"], drawn["regions"])
    assert found.shape == (len(drawn["strip"].states), len(drawn["regions"].states))
    assert numpy.allclose(alignments(drawn["strip"]).diagonal(), 1)
    with pytest.raises(nnfp.NnfpError, match="over 120 points"):
        alignments(drawn["strip"], scene(session["sharp"], X))


def test_without_ripser_the_strip_says_what_to_install(
    drawn: dict[str, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ripser", None)
    with pytest.raises(nnfp.NnfpError) as raised:
        strip(drawn["strip"], betti=True)
    assert "pip install nnfp[topology]" in raised.value.render()
