"""What takes longer than a hand waits, beside the cell: in a thread, one job at a time.

work = Work()
work.start(job)     job(stopped) runs; one that runs is told to stop first
work.stop()         `stopped()` is True from now on, and the job raises Stopped
work.wait()         until nothing runs
"""

from __future__ import annotations

import threading
from collections.abc import Callable

Stop = Callable[[], bool]


class Stopped(Exception):
    """A job that was told to stop has done so."""


class Work:
    """A thread for the newest of several jobs.

    >>> done = []
    >>> work = Work()
    >>> work.start(lambda stopped: done.append(stopped()))
    >>> work.wait(); done
    [False]
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._told = threading.Event()
        self._lock = threading.Lock()

    def start(self, job: Callable[[Stop], None]) -> None:
        with self._lock:
            self._told.set()
            before, own = self._thread, threading.Event()

            def run() -> None:
                if before is not None:
                    before.join()  # two at once would write what they find in turns
                try:
                    if not own.is_set():
                        job(own.is_set)
                except Stopped:
                    pass

            self._told = own
            self._thread = threading.Thread(target=run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._told.set()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
