"""A film in words and numbers: a row for some moments, with how far the points spread."""

from __future__ import annotations

from ..table import Grid
from ..training import short
from .film import Film, evenly

ROWS = 9


def table(film: Film, most: int = ROWS) -> Grid:
    """Epoch and loss, and how far the points of each stage are spread, at some moments.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.table import grid_to_text
    >>> session = Session(precision=64)
    >>> _ = session.run("half : R[2] -> R[2]\\nhalf x = tanh x")
    >>> print(grid_to_text(table(Film(session["half"], numpy.eye(2)))))
    epoch  loss      x   tanh
    0            0.707  0.539
    spread of 2 points in each stage; no training of it yet
    """
    scene, course = film.scene, film.course
    by_epochs = course is None or course.by_epochs
    rows = tuple(
        (
            f"{moment.epoch:.3g}" if by_epochs else f"{moment.step:,}",
            "" if moment.loss is None else short(moment.loss),
            *(f"{film.spread(moment, k):.3g}" for k in range(len(scene.states))),
        )
        for moment in evenly(film.moments, most)
    )
    unit = course.unit if course and by_epochs else "epoch" if by_epochs else "step"
    points = "1 point" if scene.count == 1 else f"{scene.count:,} points"
    told = f"spread of {points} in each stage; "
    if course is None:
        told += "no training of it yet"
    else:
        told += f"{len(film.moments)} moments. {course.line()}"
    right = tuple(range(1, len(scene.states) + 2))
    return Grid((unit, "loss", *scene.labels), rows, right, (told,))
