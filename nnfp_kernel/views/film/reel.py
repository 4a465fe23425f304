"""What a training leaves to be looked at: its weights at some moments, and its course.

    trainings = Trainings()
    trainings.watch(view, "it")                     view.look(reel, frame) while it goes on
    for event in trainings.followed(events, weights): …
    trainings.last.frames

Weights are the training's own arrays, of which no copy is made. What views do while it goes
on is bounded: a tenth of the time, however long each of them takes.
"""

from __future__ import annotations

import math
import time
import warnings
import weakref
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy

from ...runtime.exchange import paths_of
from ...runtime.function import Function
from ...runtime.training.events import Event, Finished, Progress, Started, Weights
from ..training import Course

FRAMES = 50  # that a film has at most
LARGEST = 2**28  # bytes of weights that are kept for it
SHARE = 0.09  # of a training's time, and of its work, that views may take: a tenth, less a look
AT_MOST = 20.0  # looks a second
BYTES = 2_000_000  # a second: what comes through a line of some 16 Mbit


@dataclass(frozen=True, eq=False)
class Frame:
    """The weights after `step` steps, `epoch` passes over the examples; the mean loss of the
    steps since the one before."""

    step: int
    epoch: float
    loss: float | None
    weights: Callable[[], Weights] = field(repr=False)
    known: dict[Any, Any] = field(default_factory=dict, repr=False)  # what views found of them


class Reel:
    """The frames of one training, as they come: never more than twice FRAMES, about evenly
    apart, the first and the last ones among them.

    >>> reel = Reel(Course())
    >>> for step in range(1000):
    ...     reel.add(Frame(step, step / 10, None, dict))
    >>> len(reel.frames), reel.frames[0].step, reel.frames[-1].step
    (64, 0, 999)
    """

    def __init__(self, course: Course, most: int = 2 * FRAMES) -> None:
        self.course = course
        self.most = max(most, 2)
        self._kept: list[Frame] = []
        self._apart = 0  # steps, at least, between two that are kept
        self._latest: Frame | None = None

    def add(self, frame: Frame) -> None:
        self._latest = frame
        if self._kept and frame.step - self._kept[-1].step < max(self._apart, 1):
            return
        self._kept.append(frame)
        if len(self._kept) > self.most:
            self._kept = self._kept[::2]
            steps = self._kept[-1].step - self._kept[0].step
            self._apart = max(2 * self._apart, steps // max(len(self._kept) - 1, 1))

    def begin(self, loss: float) -> None:
        """The loss that the first weights had, which the first step tells."""
        if self._kept and self._kept[0].loss is None:
            self._kept[0] = replace(self._kept[0], loss=loss)

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Those that are kept, and the latest."""
        latest = [] if self._latest is None or self._latest in self._kept[-1:] else [self._latest]
        return (*self._kept, *latest)

    def is_of(self, function: Function) -> bool:
        """Whether weights of a function took part, and still fit it."""
        frames, own = self.frames, {weight.path: weight for weight in function.reached}
        found = dict(paths_of(frames[-1].weights())) if frames else {}
        present = dict(paths_of(function.session_weights()))
        return not own.keys().isdisjoint(found) and all(
            numpy.shape(present.get(path, ())) == numpy.shape(value)
            for path, value in found.items()
            if path in own
        )

    @property
    def running(self) -> bool:
        return self.course.finished is None


@dataclass(frozen=True, eq=False)
class Said:
    """What a view says of a moment to the pages that show it: JSON, and numbers beside it."""

    view: Any
    words: dict[str, Any]
    numbers: bytes


class Watcher(Protocol):
    """A view of a training, of which it is told between two chunks of steps, from when it is
    `awake`: somebody sees it. One that sends nothing itself has something `Said`, and a `rank`
    if it takes what others find of the weights: those of a lower one look before it."""

    rank: int

    @property
    def awake(self) -> bool: ...

    def began(self, reel: Reel) -> None: ...

    def look(self, reel: Reel, frame: Frame) -> Said | int:
        """Gives what it has to say, or the bytes that it has sent."""

    def post(self, said: Sequence[Said]) -> int:
        """Send what all have to say as one message; gives its bytes. Of those who say."""

    def ended(self, reel: Reel) -> None: ...


@dataclass
class Pace:
    """When it is time to look again, so that looking takes no more of all time, and sends no
    more in it, than it may.

    >>> pace = Pace(0.0)
    >>> pace.due(0.1)
    True
    >>> pace.looked(0.1, 0.05, 2_000)  # for 50 ms: then so long that it is a tenth
    >>> pace.due(0.2), pace.due(0.7)
    (False, True)
    """

    begun: float
    worked: float = 0.0  # by the processor, until then
    spent: float = 0.0
    work: float = 0.0
    sent: int = 0
    last: float = float("-inf")

    def due(self, now: float, worked: float = math.inf) -> bool:
        """`worked`: the processor's time, where it is the processor that trains. On a machine
        that others use, too, a clock alone would let views have more than their share."""
        passed = now - self.begun
        rested = now - self.last >= 1 / AT_MOST
        light = self.spent <= SHARE * passed and self.work <= SHARE * (worked - self.worked)
        return rested and light and self.sent <= BYTES * passed

    def looked(self, at: float, seconds: float, sent: int, work: float = 0.0) -> None:
        self.last, self.spent = at, self.spent + seconds
        self.sent, self.work = self.sent + sent, self.work + work


class Audience:
    """The views of one training, and how much of its time they have taken."""

    def __init__(self, views: Iterable[Any]) -> None:
        self.views = list(views)
        self.looking: list[Any] = []
        self.pace = Pace(time.perf_counter(), time.process_time())

    def see(self, reel: Reel, frame: Frame) -> None:
        """A moment, for those that are awake, if it is time to look."""
        for view in [*self.views]:
            if view not in self.looking and self._tell(view, lambda own: own.awake):
                self.looking = sorted([*self.looking, view], key=lambda own: own.rank)
                self._tell(view, lambda own: own.began(reel))
                # Time in which it, or the training, was compiled is none to have a share of.
                self.pace = Pace(time.perf_counter(), time.process_time())
        if not self.looking:
            return
        shared = self._by_processor
        begin, worked = time.perf_counter(), time.process_time()
        if self.pace.due(begin, worked if shared else math.inf):
            sent = self._look(reel, frame)
            work = time.process_time() - worked
            self.pace.looked(begin, time.perf_counter() - begin, sent, work)

    def _look(self, reel: Reel, frame: Frame) -> int:
        """All look, and what they say goes out together; gives the bytes that were sent."""
        found = [self._tell(view, lambda own: own.look(reel, frame)) for view in [*self.looking]]
        frame.known.clear()  # it was for those who look now, and is large
        said = [each for each in found if isinstance(each, Said)]
        sent = sum(each for each in found if isinstance(each, int))
        return sent + (self._tell(said[0].view, lambda own: own.post(said)) if said else 0)

    @cached_property
    def _by_processor(self) -> bool:
        import jax

        return str(jax.default_backend()) == "cpu"

    def end(self, reel: Reel) -> None:
        for view in [*self.views]:
            self._tell(view, lambda own: own.ended(reel))

    def _tell(self, view: Any, tell: Callable[[Any], Any]) -> Any:
        """What a view says. One that fails is told no more; the training goes on."""
        try:
            return tell(view) or 0
        except Exception as error:
            self.views = [each for each in self.views if each is not view]
            self.looking = [each for each in self.looking if each is not view]
            warnings.warn(f"a view follows this training no longer: {error}", stacklevel=2)
            return 0


class Trainings:
    """The trainings of a session: the last one, and who watches."""

    def __init__(self) -> None:
        self.last: Reel | None = None
        self._watchers: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()

    def watch(self, watcher: Watcher, name: Hashable) -> None:
        """Tell a view of every training from now on, as long as somebody holds it, and until
        another of that name comes: a cell that was run again."""
        self._watchers[name] = watcher

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def followed(
        self, events: Generator[Event, None, None], weights: Weights, metric: str | None = None
    ) -> Generator[Event, None, None]:
        """The same events, while the reel is filled and views look."""
        size = sum(getattr(value, "nbytes", 8) for _, value in paths_of(weights))
        reel = Reel(Course(metric or "metric"), min(2 * FRAMES, LARGEST // max(size, 1)))
        audience = Audience(self._watchers.values())
        thrown: BaseException | None = None
        try:
            while reel.running:
                try:
                    event = next(events) if thrown is None else events.throw(thrown)
                except StopIteration:
                    return
                thrown = None
                try:
                    self._note(reel, event, weights, audience)
                except KeyboardInterrupt as struck:  # it ends the training, as in a step
                    thrown = struck if reel.running else None
                try:
                    yield event
                except GeneratorExit:
                    raise
                except BaseException as struck:
                    thrown = struck
            if thrown is not None:
                raise thrown
            yield from events  # what ended it may be raised
        finally:
            events.close()

    def _note(self, reel: Reel, event: Event, weights: Weights, audience: Audience) -> None:
        reel.course.add(event)
        match event:
            case Started(resumed=resumed):
                self.last = reel
                if not resumed:
                    reel.add(Frame(0, 0.0, None, lambda: weights))
            case Progress(weights=now) if now is not None:
                reel.begin(float(event.losses[0]))
                frame = Frame(event.step, event.epoch, event.loss, now)
                reel.add(frame)
                audience.see(reel, frame)
            case Finished():
                audience.end(reel)
