"""Python's cyclic garbage collector, paused while trees and types are made.

What parsing and inference make lives on, and is walked by the collector again and again
while it grows; the cost of a line then grows with the length of the program. Hardly any of
it is garbage, and what is goes at the first collection afterwards.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def paused() -> Iterator[None]:
    """No collection inside; afterwards it is as it was.

    >>> with paused():
    ...     gc.isenabled()
    False
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def uncollected(function: Callable[P, T]) -> Callable[P, T]:
    """A function during which nothing is collected."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        with paused():
            return function(*args, **kwargs)

    return wrapped
