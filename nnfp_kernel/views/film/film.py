"""A function's stages at moments of a training: the same data, in every stage, all through it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ...runtime.function import Function
from ..scene import Scene, scene
from ..scene.moving import Moved, Moving
from ..scene.run import shaped
from ..training import Course
from .reel import FRAMES, Frame, Reel, Trainings

Array = Any
LINES, SAMPLES = 9, 25  # of the grid: a film has many of them
AXES = 3  # along which a state is seen
WIDE = 400  # dimensions, from which on axes are found from so many points
FEW = 8  # moments, at first, of a training that is seen from its middle
LONGEST = 2.0  # seconds that all frames together may take to be made after a training


@dataclass(frozen=True, eq=False)
class Moment:
    """Where all points are after so many steps: `moved.states` are along the film's axes, and
    the first `count` of each are the data."""

    step: int
    epoch: float
    loss: float | None
    count: int
    moved: Moved = field(repr=False)


class Film:
    """Data in every stage of a function, all through its last training.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> session = Session(seed=0)
    >>> _ = session.run("net : R[2] ~> R[1]\\nnet = dense[3] >> tanh >> dense[1]")
    >>> X = numpy.random.default_rng(0).normal(size=(64, 2))
    >>> y = (X[:, :1] > 0) * 1.0
    >>> for event in session.train("net", [X, y], loss="squaredError", epochs=40, film=True):
    ...     pass
    >>> made = Film(session["net"], X, colour=y[:, 0])
    >>> len(made.moments), made.moments[0].step, made.moments[-1].step
    (50, 0, 80)

    `inputs`, `colour` and `level` are as for `scene`. There are `most` moments at most, about
    evenly apart. Without a training that its weights took part in, there is one: now.

    Up to two dimensions are seen as they are. Of more there are AXES, the same all through the
    film: the principal ones of the last moment, turned so that the picture moves least from
    stage to stage. So what moves has been learned, and no camera.

    Raises NnfpError for what cannot be shown.
    """

    def __init__(
        self,
        function: Function,
        *inputs: Any,
        colour: Any = None,
        level: float | None = None,
        lines: int = LINES,
        samples: int = SAMPLES,
        most: int = FRAMES,
    ) -> None:
        if most < 2:
            raise ValueError(f"a film has two frames at least, not {most}")
        self.function, self.most = function, most
        self.scene: Scene = scene(
            function, *inputs, colour=colour, level=level, lines=lines, samples=samples
        )
        self.moving = Moving(self.scene)
        self.moving.axes = _axes([self.scene.points(state) for state in self.scene.states])
        self.reel: Reel | None = None
        self.looked: set[int] = set()  # steps of the training that goes on
        self.moments: tuple[Moment, ...] = (self.now(),)
        last = self.trainings.last if self.trainings else None
        if last is not None and last.is_of(function):
            self.take(last)

    @property
    def trainings(self) -> Trainings | None:
        trainings: Trainings | None = self.function.trainings
        return trainings

    @property
    def course(self) -> Course | None:
        """The course of the training that it is of."""
        return None if self.reel is None else self.reel.course

    def now(self) -> Moment:
        """With the weights that the session has now."""
        return Moment(0, 0.0, None, self.scene.count, self.moving.at({}))

    def begin(self, reel: Reel) -> None:
        """A training begins, or is seen from here on: some of its moments."""
        self.reel, self.looked = reel, set()
        self.moments = tuple(map(self.look, evenly(reel.frames, FEW)))

    def look(self, frame: Frame) -> Moment:
        """A moment of a training, along the axes of now."""
        self.looked.add(frame.step)
        moved = self.moving.at(frame.weights(), frame.known)
        return Moment(frame.step, frame.epoch, frame.loss, self.scene.count, moved)

    def take(self, reel: Reel, seconds: float = LONGEST) -> None:
        """All moments of a training, along axes that suit the last of them. There are fewer
        where they would take more seconds than so many."""
        frames, run = reel.frames, self.scene.run
        last = self.moving.held(frames[-1].weights())
        values = run.values(shaped(self.scene.states[0], run.sources), held=last)
        self.moving.axes = _axes([self.scene.points(run.flat(values, ends)) for ends in run.ends])
        begin = time.perf_counter()
        self.look(frames[-1])
        each = time.perf_counter() - begin
        most = max(min(self.most, int(seconds / max(each, 1e-6))), 2)
        self.reel = reel
        self.moments = tuple(map(self.look, evenly(frames, most)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of each state the dimensions that are seen."""
        return tuple(state.shape[1] for state in self.moments[0].moved.states)

    def spread(self, moment: Moment, state: int) -> float:
        """How far the points of a state are from their mean: the root of the mean square."""
        points = moment.moved.states[state][: self.scene.count]
        return float(numpy.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))


def evenly(frames: Sequence[Any], most: int) -> list[Any]:
    """At most so many of them, about evenly apart in their steps; the ends among them.

    >>> [frame.step for frame in evenly([Frame(k, 0, None, dict) for k in (0, 1, 2, 9, 10)], 3)]
    [0, 2, 10]
    """
    if len(frames) <= most:
        return list(frames)
    steps = numpy.array([frame.step for frame in frames])
    chosen: dict[int, None] = {}
    left = list(range(len(frames)))
    # Each place takes the nearest that is left, so that no two take the same.
    for wanted in numpy.linspace(steps[0], steps[-1], most):
        near = min(left, key=lambda k: (abs(int(steps[k]) - wanted), k))
        left.remove(near)
        chosen[near] = None
    return [frames[k] for k in sorted(chosen)]


def _axes(states: Sequence[Array]) -> list[Array | None]:
    """For each state the axes it is seen along, [d, AXES], or None where those are its own: the
    principal ones, turned so that the picture moves least from the one before."""
    found: list[Array | None] = []
    before: Array = numpy.zeros((len(states[0]), 0))
    for state in states:
        points = numpy.asarray(state, float)
        if points.shape[1] <= 2:
            found.append(None)
            before = points - points.mean(0)
            continue
        centred = points - points.mean(0)
        if points.shape[1] <= WIDE:
            axes = numpy.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :AXES]
        else:  # some of the points tell them as well
            some = centred[:: max(len(centred) // WIDE, 1)]
            axes = numpy.linalg.svd(some, full_matrices=False)[2][:AXES].T
        seen = centred @ axes
        wide = numpy.zeros((len(seen), axes.shape[1]))
        wide[:, : before.shape[1]] = before[:, : axes.shape[1]]
        left, _, right = numpy.linalg.svd(seen.T @ wide)
        axes = axes @ (left @ right)
        found.append(axes)
        before = centred @ axes
    return found
