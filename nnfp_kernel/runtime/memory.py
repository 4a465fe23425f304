"""How much memory there is: what a device has, what is free of it, and the plan by which
loops are kept within it (linear/planning.py).

A processor's is what the machine has, or the container that this runs in may use; that of
an accelerator is what JAX says. None where nobody knows.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..linear.planning import PER_BYTE, Plan

if TYPE_CHECKING:
    from .program import Program

_MEMINFO = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")


def plan(program: Program) -> Plan:
    """The plan that suits the device, before it is known whether all fits."""
    return Plan(program.precision, per_byte=PER_BYTE if on_processor() else 0.0)


def limit(program: Program) -> int | None:
    """The bytes that what runs may take."""
    return total() if program.memory is None else program.memory


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

    if on_processor():
        return None
    with suppress(jax.errors.JaxRuntimeError, NotImplementedError):
        return jax.local_devices()[0].memory_stats() or {}
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
