"""Figures: what a scene looks like on paper, and what the verb shows."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy
import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.views.scene import Scene, scene
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
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64, seed=3)
    made.run(PROGRAM)
    return made


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
