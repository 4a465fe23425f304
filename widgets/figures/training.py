"""The course of a training: its loss, step by step, and what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nnfp_kernel.language.palette import HAIR, INK, INK2, INK3, PAPER
from nnfp_kernel.runtime.training.events import Event
from nnfp_kernel.views.training import Course

from . import panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HIGH = 2.6  # inches
APART = 0.15  # between the names of lines that end together


def training(events: Iterable[Event], metric: str = "metric") -> Figure:
    """Two lines, named where they end: the loss of epochs and that of validation, on a
    logarithmic scale, over the losses of single steps; the best is marked. Below it is said how
    it ended.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> session = Session()
    >>> _ = session.run("distance x = squaredError x (?centre : R[2])")
    >>> points = numpy.random.default_rng(0).normal(size=(40, 2))
    >>> made = training(session.train("distance", [points], valid=0.25, epochs=3))
    >>> [text.get_text() for text in made.axes[0].texts]
    ['training', 'validation', 'best, kept']
    """
    from matplotlib.figure import Figure

    course = Course(metric)
    for event in events:
        course.add(event)
    steps, epochs, validation = course.curves()
    with panels.settings():
        made = Figure(figsize=(panels.WIDTH, HIGH), facecolor=PAPER)
        wide, left, foot, right = panels.WIDTH, 0.6, 0.75, 1.0
        axes = made.add_axes(
            (
                left / panels.WIDTH,
                foot / HIGH,
                1 - (left + right) / panels.WIDTH,
                0.95 - foot / HIGH,
            )
        )
        axes.set_yscale("log")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y", color=HAIR, linewidth=0.8)
        axes.tick_params(length=0, which="both", labelsize=7)
        axes.yaxis.set_minor_formatter(lambda value, place: "")
        axes.yaxis.set_major_formatter(lambda value, place: f"{value:.10g}")
        axes.set_xlabel(course.unit, size=7, loc="right")
        lines: tuple[tuple[Any, dict[str, Any]], ...] = (
            (steps, {"color": INK, "alpha": 0.18, "linewidth": 0.8}),
            (epochs, {"color": INK2, "linewidth": 1.0}),
            (validation, {"color": INK, "linewidth": 1.6}),
        )
        for points, how in lines:
            if len(points) > 1:
                axes.plot(*zip(*points, strict=True), **how)
        axes.set_xlim(left=0, right=max((x for points, _ in lines for x, _ in points), default=1))
        axes.get_ylim()  # settles the scale, by which the names are moved
        ends = [
            (points[-1], name, weight)
            for points, name, weight in (
                (epochs, "training", "normal"),
                (validation, "validation", "bold"),
            )
            if len(points) > 1
        ]
        if len(ends) == 2:  # by how much they would lie over each other, in inches
            low, high = (axes.transData.transform(end[0])[1] / made.dpi for end in ends)
            less = max(0.0, APART - abs(high - low)) / 2
            moved = [-less, less] if high >= low else [less, -less]
        else:
            moved = [0.0] * len(ends)
        for (end, name, weight), by in zip(ends, moved, strict=True):
            axes.annotate(
                name, end, (6, 72 * by), textcoords="offset points", va="center", size=7,
                weight=weight, color=INK if weight == "bold" else INK2,
            )  # fmt: skip
        best = course.best
        if best is not None:
            at = (best.epoch, best.loss)
            axes.plot(*at, "o", markersize=5, mfc=PAPER, mec=INK, mew=1.2)
            said = "best, kept" if course.finished else "best"
            axes.annotate(
                said, at, (-6, -8), textcoords="offset points", ha="right", va="center", size=7,
                color=INK3,
            )  # fmt: skip
        words = course.summary() if course.finished else course.line()
        made.text(left / wide, 0.04, words, size=7, color=INK2, va="bottom", parse_math=False)
    return made
