"""How much memory there is: what a device has, what is free of it, the plan by which loops
are kept within it (linear/planning.py), and what a training will take of it.

A processor's is what the machine has, or the container that this runs in may use; that of
an accelerator is what JAX says. None where nobody knows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...language.diagnostics import Diagnostic, Label, NnfpError
from ...language.source import Span
from ...language.syntax import NOWHERE
from ...linear.planning import PER_BYTE, Plan


@dataclass(frozen=True)
class Estimate:
    """The bytes that a training takes, counted before it starts.

    state   weights, their average and the optimiser's numbers; there twice, before a chunk of
            steps and after it
    data    the examples on the device
    live    what is alive at most while the value and the gradient of a batch are made
    """

    state: int
    data: int
    live: int

    @property
    def least(self) -> int:
        """What is there whatever XLA spares."""
        return 2 * self.state + self.data

    @property
    def total(self) -> int:
        return self.least + self.live

    def __str__(self) -> str:
        return (
            f"some {said(self.total)}: {said(2 * self.state)} of weights and the optimiser's "
            f"numbers, {said(self.data)} of data, {said(self.live)} while a gradient is made"
        )


def said(bytes: int) -> str:
    """Bytes as people say them.

    >>> said(12), said(3_400_000), said(81_000_000_000)
    ('12 B', '3.4 MB', '81 GB')
    """
    number, unit = float(bytes), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 999.5 or unit == "TB":
            break
        number /= 1000
    return f"{number:.3g} {unit}"


_OUT = (
    "A smaller batch takes less: --batch. So does a bound, --memory 2GB or Session(memory=…):",
    "under it long loops keep less for their derivative.",
)


def too_little(estimate: Estimate, there: int, place: Span | None) -> NnfpError:
    """A training that cannot fit, told before it starts."""
    return NnfpError(
        Diagnostic(
            "too-little-memory",
            f"this training does not fit into memory: there are {said(there)}",
            Label(place or NOWHERE, f"takes {estimate}"),
            (),
            ("Fewer examples or weights take less. Data larger than memory come as an iterable of",
             "batches; %nnfp devices lists other devices."),
        )
    )  # fmt: skip


class Exhausted(NnfpError):
    """Memory was exhausted while something ran."""


def exhausted(error: BaseException, place: Span | None = None, kept: str = "") -> Exhausted:
    """What JAX raised because memory was exhausted, for people; `kept` is what is not lost."""
    if isinstance(error, Exhausted):
        what = error.diagnostics[0].title
    else:
        first = str(error).splitlines()[0].partition(": ")[2].rstrip(".")
        what = f"there was not enough memory ({first[:1].lower()}{first[1:]})"
    return Exhausted(
        Diagnostic(
            "memory-exhausted",
            what,
            Label(place or NOWHERE, "is what was trained"),
            (),
            (*_OUT, kept) if kept else _OUT,
        )
    )


@contextmanager
def telling(place: Span | None) -> Iterator[None]:
    """What is made inside raises NnfpError where memory is exhausted."""
    try:
        yield
    except RuntimeError as error:
        if not is_exhausted(error):
            raise
        raise exhausted(error, place, "The weights are as they were.") from None


def is_exhausted(error: BaseException) -> bool:
    """Whether JAX raised that memory is exhausted."""
    return "RESOURCE_EXHAUSTED" in str(error)


_MEMINFO = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")


def plan(precision: int) -> Plan:
    """The plan that suits the device, before it is known whether all fits."""
    return Plan(precision, per_byte=lambda: PER_BYTE if on_processor() else 0.0)


def limit(memory: int | None) -> int | None:
    """The bytes that what runs may take: those asked for, or all there are."""
    return total() if memory is None else memory


def total() -> int | None:
    """The bytes of the device that programs run on: it does not change while they do."""
    stats = _accelerator()
    if stats is not None:
        return stats.get("bytes_limit")
    bounds = [_installed(), _number(_CONTAINER / "memory.max")]
    return min((bound for bound in bounds if bound is not None), default=None)


def free() -> int | None:
    """The bytes of it that nobody uses at the moment."""
    stats = _accelerator()
    if stats is not None:
        limit = stats.get("bytes_limit")
        return None if limit is None else limit - stats.get("bytes_in_use", 0)
    bounds = [_available()]
    limit, used = (_number(_CONTAINER / name) for name in ("memory.max", "memory.current"))
    if limit is not None and used is not None:
        bounds.append(limit - used)
    return min((bound for bound in bounds if bound is not None), default=None)


def on_processor() -> bool:
    """Whether programs run on the processor, not on an accelerator."""
    import jax

    return bool(jax.default_backend() == "cpu")


def _accelerator() -> dict[str, int] | None:
    """What an accelerator says of its memory; None on a processor."""
    import jax

    return None if on_processor() else told_by(jax.local_devices()[0])


def told_by(device: Any) -> dict[str, int]:
    """What a device of JAX's says of its memory. Nothing where it does not tell, which JAX
    lets its kinds of devices say by NotImplementedError, or where it is another process's."""
    import jax

    with suppress(jax.errors.JaxRuntimeError, NotImplementedError):
        return device.memory_stats() or {}
    return {}


def _installed() -> int | None:
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _available() -> int | None:
    with suppress(OSError):
        for line in _MEMINFO.read_text().splitlines():
            name, _, amount = line.partition(":")
            if name == "MemAvailable":
                return int(amount.split()[0]) * 1024
    return _installed()


def _number(file: Path) -> int | None:
    """The number in a file of the system's; `max` is none."""
    with suppress(OSError, ValueError):
        return int(file.read_text())
    return None
