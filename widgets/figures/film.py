"""Some moments of a training, and every stage at each of them: a row a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from nnfp_kernel.language.palette import INK, INK2, PAPER
from nnfp_kernel.views.film.film import Film, Moment, evenly
from nnfp_kernel.views.training import short

from . import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = Any
ROWS = 5
LEFT, HEAD, FOOT = 0.78, 0.3, 0.3  # inches, for the moments, the labels and the types
LARGEST = 1.5


def film(film: Film, *, rows: int = ROWS) -> Figure:
    """Moments of a training below each other, the stages of the function beside each other: data,
    grid and boundary. Each stage has one scale and one view at all moments.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.film import Film
    >>> session = Session(seed=0)
    >>> _ = session.run("net : R[2] ~> R[1]\\nnet = dense[2] >> tanh >> dense[1]")
    >>> X = numpy.random.default_rng(0).normal(size=(50, 2))
    >>> data = [X, 1.0 * (X[:, :1] > 0)]
    >>> *_, last = session.train("net", data, loss="squaredError", epochs=60, film=True)
    >>> made = film(Film(session["net"], X), rows=3)
    >>> len(made.axes)  # three moments of four states, and a sheet for the words
    13
    """
    from .drawing import Drawing

    scene = film.scene
    moments: list[Moment] = evenly(film.moments, rows)
    count = len(scene.states)
    cell = min((panels.WIDTH - LEFT) / count, LARGEST)
    width, high = LEFT + cell * count, HEAD + cell * len(moments) + FOOT
    bounds = [_bounds(film, k) for k in range(count)]
    with panels.settings():
        made = Drawing(figsize=(width, high), facecolor=PAPER)
        sheet = made.add_axes((0, 0, 1, 1))
        sheet.set_xlim(0, width)
        sheet.set_ylim(0, high)
        sheet.axis("off")
        how: dict[str, Any] = {"family": panels.CODE, "parse_math": False, "ha": "center"}
        for k in range(count):
            middle = LEFT + (k + 0.5) * cell
            label = scene.labels[k]
            size = min(8.0, 100 * cell / max(len(label), 1))
            sheet.text(middle, high - 0.2, label, size=max(size, 4.5), color=INK, **how)
            sheet.text(middle, 0.1, scene.types[k], size=6.3, color=INK2, **how)
        for row, moment in enumerate(moments):
            bottom = high - HEAD - (row + 1) * cell
            _words(sheet, film, moment, bottom + cell / 2)
            for k in range(count):
                inset = 0.06 * cell
                axes = made.add_axes(
                    ((LEFT + k * cell + inset) / width, (bottom + inset) / high,
                     (cell - 2 * inset) / width, (cell - 2 * inset) / high)
                )  # fmt: skip
                axes.set_aspect("equal")
                axes.axis("off")
                _panel(axes, film, moment, k, bounds[k])
    return made


def _words(sheet: Any, film: Film, moment: Moment, y: float) -> None:
    course = film.course
    if course is None:
        when = "now"
    elif course.by_epochs:
        unit = course.unit if course.started and course.started.examples else "stretch"
        when = f"{unit} {moment.epoch:.3g}"
    else:
        when = f"step {moment.step:,}"
    sheet.text(0.04, y + 0.02, when, size=7, color=INK, ha="left", va="bottom")
    if moment.loss is not None:
        told = f"loss {short(moment.loss)}"
        sheet.text(0.04, y - 0.02, told, size=6.3, color=INK2, ha="left", va="top")


def _bounds(film: Film, state: int) -> tuple[Array, float]:
    """The middle and the extent of a state, over all moments."""
    scene = film.scene
    flat = [panels.flat(moment.moved.states[state]) for moment in film.moments]
    data = numpy.concatenate([points[: scene.count] for points in flat])
    low, high = data.min(0), data.max(0)
    wide = max(float((high - low).max()), 1e-9)
    # Of the grid what is near: it may go far.
    every = numpy.concatenate(flat)
    low = numpy.maximum(every.min(0), low - 0.3 * wide)
    high = numpy.minimum(every.max(0), high + 0.3 * wide)
    return (low + high) / 2, max(float((high - low).max()), 1e-9)


def _panel(
    axes: Any, film: Film, moment: Moment, k: int, bounds: tuple[Array, float]
) -> None:  # fmt: skip
    scene, middle = film.scene, bounds[0]
    state = panels.flat(moment.moved.states[k])
    half = 0.53 * bounds[1]
    axes.set_xlim(middle[0] - half, middle[0] + half)
    axes.set_ylim(middle[1] - half, middle[1] + half)
    panels.whole(axes, scene, state, k, 2.4)
    for line in (*axes.lines, *axes.collections):
        line.set_clip_on(True)
