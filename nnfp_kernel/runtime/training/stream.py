"""Batches that an iterable gives one after the other, of data larger than memory.

    Stream(batches).at(k)      the batch of step k, counted from 0

A thread reads ahead, a few batches and no more, and puts them on the device meanwhile. A
batch stays until it is forgotten, so that the last steps can be taken once more; what an
iterator raises comes out of `at` in the step whose batch it was to be.
"""

from __future__ import annotations

import queue
import threading
import traceback
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..data import DataValue
from .events import Batch

AHEAD = 4  # batches at most that wait to be asked for
STRETCH = 100  # steps, after which a training on a stream looks back as others after an epoch


class Ended(Exception):
    """There is no batch any more; with an `error`, because the iterable raised it."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__(error)
        self.error = error


def is_stream(data: Any) -> bool:
    """Whether these are batches to go through, and not the examples themselves.

    >>> is_stream(iter([1])), is_stream([1]), is_stream("ab")
    (True, False, False)
    """
    whole = isinstance(data, Sequence | Mapping | DataValue) or hasattr(data, "shape")
    return isinstance(data, Stream) or (isinstance(data, Iterable) and not whole)


def raised(error: BaseException) -> str:
    """What an iterable raised, and where, in one line.

    >>> raised(ValueError("no such row"))
    'ValueError: no such row'
    """
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    return f"{words} ({frames[-1].name}, line {frames[-1].lineno})" if frames else words


class Stream:
    """The batches of an iterable, a tuple of arrays with a leading axis each, or one array.

    >>> stream = Stream(iter([[1.0, 2.0], [3.0, 4.0]]), read=lambda batch: (batch,))
    >>> stream.at(1), stream.at(0)
    (([3.0, 4.0],), ([1.0, 2.0],))
    >>> stream.at(2)
    Traceback (most recent call last):
    nnfp_kernel.runtime.training.stream.Ended: None

    An iterable that can be gone through again is, when it ends; an iterator ends.
    `read` makes a batch of what it gives and may refuse it; it runs in the thread.
    """

    def __init__(self, batches: Iterable[Any], read: Callable[[Any], Batch]) -> None:
        self._ready: queue.Queue[tuple[Batch | None, Ended | None]] = queue.Queue(AHEAD)
        self._kept: dict[int, Batch] = {}
        self._next = 0  # the step of the batch that is read next
        self._ended: Ended | None = None
        self._stop = threading.Event()
        weakref.finalize(self, self._stop.set)  # for one that is dropped
        arguments = (batches, read, self._ready, self._stop)
        threading.Thread(
            target=_read_ahead, args=arguments, name="nnfp stream", daemon=True
        ).start()

    def at(self, step: int) -> Batch:
        """The batch of a step, after waiting for it. Raises Ended where there is none."""
        while self._next <= step:
            if self._ended is not None:
                raise Ended(self._ended.error)
            batch, self._ended = self._ready.get()
            if batch is not None:
                self._kept[self._next] = batch
                self._next += 1
        return self._kept[step]

    def skip(self, steps: int) -> None:
        """Pass over the batches of the first steps: they were taken by another training."""
        for step in range(steps):
            self.at(step)
            self.forget(step + 1)

    def forget(self, step: int) -> None:
        """Batches of steps before this one are not asked for again."""
        for each in [k for k in self._kept if k < step]:
            del self._kept[each]

    def close(self) -> None:
        """Read no further."""
        self._stop.set()

    def slots(self, batch: int) -> int:
        """The examples of a stretch of steps."""
        return STRETCH * batch


def _read_ahead(
    batches: Iterable[Any],
    read: Callable[[Any], Batch],
    ready: queue.Queue[tuple[Batch | None, Ended | None]],
    stop: threading.Event,
) -> None:
    """The thread: batch after batch until there is none, or none is wanted."""

    def put(item: tuple[Batch | None, Ended | None]) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    try:
        for batch in _again_and_again(batches):
            if not put((read(batch), None)):
                return
    except BaseException as error:  # whatever it is, the training must not wait for ever
        put((None, Ended(error)))
    else:
        put((None, Ended()))


def _again_and_again(batches: Iterable[Any]) -> Iterator[Any]:
    """The batches; from the start when they end, where that is possible."""
    while True:
        found = iter(batches)
        empty = True
        for batch in found:
            empty = False
            yield batch
        if empty or found is batches:
            return


__all__ = ["Ended", "Stream", "is_stream", "raised"]
