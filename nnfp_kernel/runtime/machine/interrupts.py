"""Interrupts (SIGINT) of which none is lost, and none breaks what it falls into.

Python raises KeyboardInterrupt wherever a program stands. Two places cannot bear it: a destructor,
and a callback of the garbage collector, where JAX has one, drop it; and an import leaves a
package half made, which cannot be imported again (the first program imports JAX, for seconds).

    with heard() as signals:    bool(signals): whether one came, whatever became of it

An interrupt that falls into an import waits for its end. A second one is meant, and does not.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

WAIT = 0.02  # seconds, after which it is looked whether an import is over

Handler = Callable[[int, FrameType | None], object]


class Signals:
    """The signals to interrupt that came."""

    def __init__(self) -> None:
        self._came = False
        self._waiting = False  # for the end of an import
        self._again = False  # the next one is no new one: that which waited
        self._watched = False  # there is a thread that strikes again
        self._over = False

    def __bool__(self) -> bool:
        return self._came

    def clear(self) -> None:
        """They have been answered."""
        self._came = self._waiting = False

    def handler(self, before: Handler) -> Handler:
        """What hears a signal, and hands it on to `before`."""

        def hear(number: int, frame: FrameType | None) -> None:
            if self._again:
                self._again = False
                if self._over or not self._waiting:
                    return  # it was answered meanwhile
                meant = False
            else:
                self._came = True
                meant = self._waiting
            if _importing(frame) and not meant:
                self._waiting = True
                if not self._watched:
                    self._watched = True
                    _thread.start_new_thread(self._strike_again, ())  # takes no lock
                return
            self._waiting = False
            before(number, frame)

        return hear

    def _strike_again(self) -> None:
        while self._waiting and not self._over:
            time.sleep(WAIT)
            self._again = True
            if hasattr(signal, "pthread_kill"):  # which wakes it, where it waits for something
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            else:
                _thread.interrupt_main()
        self._watched = False

    def end(self) -> bool:
        """Whether one waits still. None strikes any more."""
        self._over = True
        while self._watched:
            time.sleep(WAIT / 10)
        return self._waiting


@contextmanager
def heard() -> Iterator[Signals]:
    """Hear the signals to interrupt while what is inside runs; they do what they did before."""
    signals = Signals()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield signals  # they are not ours to handle
        return
    told = sys.unraisablehook
    signal.signal(signal.SIGINT, signals.handler(before))
    sys.unraisablehook = _all_but_interrupts(told)
    try:
        yield signals
    finally:
        waits = signals.end()
        sys.unraisablehook = told
        signal.signal(signal.SIGINT, before)
    if waits:
        raise KeyboardInterrupt


def _all_but_interrupts(tell: Callable[[Any], object]) -> Callable[[Any], object]:
    """What is told of an exception that nothing can be done about: an interrupt that Python
    drops was heard all the same, and its traceback would be of a place that nobody wrote."""

    def told(dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            tell(dropped)

    return told


def _importing(frame: FrameType | None) -> bool:
    """Whether Python is about to import a module, at this place."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False
