"""Several processes that train as one, on one machine or on many (`jax.distributed`).

Each runs the same program on the same data and has its share of every batch; JAX carries
between them what a step needs. What depends on the clock or on a person (how many steps come
next, whether to stop) is settled by asking all, so that all do the same. In a single process
everything here answers at once.
"""

from __future__ import annotations

import re
import signal
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy

HEARD_FROM = 60  # seconds without a sign of life, after which a process counts as dead


def connect(coordinator: str, processes: int, number: int) -> None:
    """Make this process the `number`th of so many, before JAX computes anything.

    The coordinator, `host:port`, is process 0: that is where it listens. Raises ValueError
    for what cannot be so, and where the others do not come together.
    """
    host, colon, port = coordinator.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"a coordinator is HOST:PORT, such as 10.0.0.1:1234; not {coordinator!r}")
    if processes < 1:
        raise ValueError(f"there is at least one process, not {processes}")
    if not 0 <= number < processes:
        raise ValueError(
            f"the id of one of {processes} processes is 0 to {processes - 1}, not {number}"
        )
    if number == 0:
        _require_free(int(port))
    try:
        jax.distributed.initialize(
            coordinator, processes, number, heartbeat_timeout_seconds=HEARD_FROM,
            shutdown_timeout_seconds=HEARD_FROM, cluster_detection_method="deactivate",
        )  # fmt: skip
    except RuntimeError as error:
        raise ValueError(f"the processes do not come together: {error}") from None


def _require_free(port: int) -> None:
    """JAX ends the process where it cannot listen: better to say it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("", port))
        except OSError as error:
            raise ValueError(f"port {port} cannot be listened on: {error.strerror}") from None


def first() -> bool:
    """Whether this process is the one that writes files and shows how it goes."""
    return int(jax.process_index()) == 0


def several() -> bool:
    return int(jax.process_count()) > 1


def agreed(*numbers: int) -> tuple[int, ...]:
    """The numbers of process 0. All must ask."""
    return tuple(map(int, _all(numbers)[0]))


def anyone(said: bool) -> bool:
    """Whether any process says so. All must ask."""
    return bool(_all((said,)).any())


def require_alike(what: str, told: str) -> None:
    """Raise ValueError where the processes do not tell the same of themselves. All must ask."""
    sums = _all((zlib.crc32(told.encode()),))[:, 0]
    for number, found in enumerate(sums):
        if found != sums[0]:
            raise ValueError(f"process {number} has {what} than process 0")


def lost(error: Exception) -> bool:
    """Whether an error is that of a process which others no longer answer. XLA raises what
    carries messages between them as it comes, under the name of a status."""
    return several() and _STATUS.match(str(error)) is not None


_STATUS = re.compile(r"(UNKNOWN|UNAVAILABLE|INTERNAL|ABORTED|CANCELLED|DEADLINE_EXCEEDED): ")


def _all(numbers: Any) -> numpy.ndarray:
    """The numbers of all processes, a row for each."""
    own = numpy.asarray([numbers], numpy.uint32)
    if not several():
        return own
    from jax.experimental.multihost_utils import process_allgather

    return numpy.asarray(process_allgather(own[0]))


class Stop:
    """Whether a person wants to stop, while `interrupts` holds signals back."""

    def __init__(self) -> None:
        self.wanted = False


@contextmanager
def interrupts() -> Iterator[Stop]:
    """Hold SIGINT back: a process that left a step half done would leave the others waiting
    for it. A second one is meant, and goes through. A single process is left as it is."""
    stop = Stop()
    if not several():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def struck(_number: int, _frame: Any) -> None:
        stop.wanted = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, struck)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
