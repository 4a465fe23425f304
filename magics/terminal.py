"""Showing outputs in a terminal, or in a file that is written instead of one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from .verb import View
from .workspace import Live

UPDATES_PER_SECOND = 10
LINES_PER_SECOND = 1  # where a line cannot be written over


class TerminalHost:
    """Prints texts."""

    widgets = False

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def show(self, view: View) -> None:
        print(view.text, file=self._stream or sys.stdout)

    def live(self) -> Live:
        return Printed(self._stream or sys.stdout)


class Printed:
    """One line that is written over in a terminal; elsewhere a line every second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._told = 0.0
        self._width = 0

    def update(self, view: Callable[[], View], *, last: bool = False) -> None:
        now = time.monotonic()
        rate = UPDATES_PER_SECOND if self._terminal else LINES_PER_SECOND
        if not last and now - self._told < 1 / rate:
            return
        self._told = now
        text = view().text
        if not self._terminal:
            print(text, file=self._stream, flush=True)
            return
        first, newline, rest = text.partition("\n")
        end = f"{newline}{rest}\n" if last else ""
        print("\r" + first.ljust(self._width), end=end, file=self._stream, flush=True)
        self._width = 0 if last else len(first)

    def close(self) -> None:
        """What comes next begins on a line of its own."""
        if self._width:
            print(file=self._stream, flush=True)
            self._width = 0
