"""Our tool for GradBench: every problem a program of the language, its derivative ours.

    python benchmarks/gradbench/tool.py

speaks GradBench's protocol (`protocol.py`) on standard input and output. The programs
are `programs/*.nnfp`; Python only turns JSON into arrays and back (`problems.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
from protocol import serve

import nnfp_kernel as nnfp

PROGRAMS = Path(__file__).parent / "programs"


@cache
def session(module: str) -> nnfp.Session:
    """The program of a problem, in 64 bits."""
    made = nnfp.Session(precision=64)
    made.run((PROGRAMS / f"{module}.nnfp").read_text(), module)
    return made


def function(module: str, name: str, size: int | None = None) -> Callable[..., Any]:
    """A function of a problem, compiled; `size` is what no array tells it."""
    found = session(module).function(name if size is None else f"{name}[{size}]")
    return jax.jit(lambda *arrays: found.apply({}, *arrays))


if __name__ == "__main__":
    serve("nnfp", function)
