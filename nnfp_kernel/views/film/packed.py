"""A film as JSON and one buffer of numbers: what a widget and a page draw.

    header, numbers = packed(film)

Arrays lie in the buffer as those of a scene do (views/scene/packed.py). Where points are is
X: f16[T, S, N, k], moment by moment and state by state, each [N, k] with a `middle` and a
`reach` of its own, so that 16 bits are enough: a coordinate is middle + reach * x, to 1/2048
of the reach. What does not move, the data and the grid in the input, is there once.

The loss curve is that of the training's course: lines of (epoch, loss).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ..scene.packed import Buffer, coloured, link
from ..training import Course
from .film import Film, Moment

Array = Any
POINTS = 240  # of a line, at most
Json = dict[str, Any]


def packed(film: Film) -> tuple[Json, bytes]:
    """The film as JSON and a buffer.

    >>> from nnfp_kernel import Session
    >>> session = Session(precision=64)
    >>> _ = session.run("half : R[2] -> R[2]\\nhalf x = tanh x")
    >>> header, numbers = packed(Film(session["half"], numpy.eye(2)))
    >>> [state["label"] for state in header["states"]], len(header["moments"])
    (['x', 'tanh'], 1)
    """
    scene, buffer = film.scene, Buffer()
    still = placed(film.moments[0].moved.states[0][: film.moving.fixed], buffer)
    header = {
        "name": scene.name,
        "type": scene.type,
        "id": link(scene),
        "count": scene.count,
        "lines": scene.lines,
        "samples": scene.samples,
        "colour": coloured(scene, buffer),
        "states": [
            {"label": label, "type": type, "size": state.shape[1], "seen": seen}
            for label, type, state, seen in zip(
                scene.labels, scene.types, scene.states, film.sizes, strict=True
            )
        ],
        "moments": [told(moment, still, buffer) for moment in film.moments],
        "course": curve(film.course),
    }
    return header, buffer.whole()


def told(moment: Moment, still: Json | None, buffer: Buffer, most: int | None = None) -> Json:
    """One moment; `still` is the place of what does not move in the input. Where it would be more
    than `most` bytes, it has `every` so many-th of the data."""
    moved, count = moment.moved, moment.count
    states, every = moved.states, 1
    if most is not None:
        size = 2 * sum(state.shape[1] for state in states[1:])
        rest = sum(2 * state.size for state in states) - size * count
        every = max(-(-size * count // max(most - rest, size)), 1)
    return {
        "step": moment.step,
        "epoch": moment.epoch,
        "loss": moment.loss if moment.loss is None or math.isfinite(moment.loss) else None,
        "every": every,
        "states": [
            still if k == 0 else placed(_thinned(state[: moved.fixed], count, every), buffer)
            for k, state in enumerate(states)
        ],
        "boundary": [placed(state[moved.fixed :], buffer) for state in states],
    }


def _thinned(points: Array, count: int, every: int) -> Array:
    """Every so many-th of the data, and the grid behind them."""
    if every == 1:
        return points
    return numpy.concatenate([points[:count:every], points[count:]])


def placed(points: Array, buffer: Buffer) -> Json:
    """Points [N, k] in 16 bits: their place, and where and how large they are."""
    low, high = numpy.zeros((2, points.shape[1]))
    if len(points):
        low, high = points.min(0), points.max(0)
        if not numpy.isfinite(low + high).all():
            finite = numpy.where(numpy.isfinite(points), points, 0)
            low, high = finite.min(0), finite.max(0)
    middle = (low.astype(float) + high) / 2
    reach = float((high.astype(float) - low).max(initial=0)) / 2 or 1.0
    half = ((points - middle) / reach).astype(numpy.float16)
    return {**buffer.add(half), "middle": middle.tolist(), "reach": reach}


def curve(course: Course | None) -> Json | None:
    """The losses of a training, for a line: of its steps, epochs and of the validation; the
    best one, and how far it was to go."""
    if course is None or course.started is None:
        return None
    lines = [_some(line) for line in course.curves()]
    best = course.best
    return {
        "unit": course.unit if course.by_epochs else "step",
        "epochs": course.started.epochs,
        "steps": course.started.steps,
        "lines": lines,
        "best": None if best is None else [best.epoch, best.loss],
        "said": course.line(),
        "running": course.finished is None,
    }


def _some(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """A line of fewer points: every so many-th, and the last."""
    step = -(-len(line) // POINTS)
    chosen = list(line[:: max(step, 1)])
    return chosen if not line or chosen[-1] == line[-1] else [*chosen, line[-1]]
