"""How far random search goes: `make soak` looks ten times as far as `make test` does."""

from __future__ import annotations

import os

FACTOR = int(os.environ.get("NNFP_SOAK", "1"))


def examples(count: int) -> int:
    """So many examples in `make test`, and so many more in `make soak`."""
    return count * FACTOR
