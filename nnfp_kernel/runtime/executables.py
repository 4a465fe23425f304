"""What was compiled, kept by what it computes: a cell that is run again does not compile."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from ..graph.canonical import canonical
from .program import Traced

MOST = 256  # executables kept; the one that was used last goes last


class Executables:
    """Compiled functions by the canonical form of their graphs."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Callable[..., Any]] = OrderedDict()

    def of(self, traced: Traced) -> Callable[..., Any]:
        """The compiled function of a traced graph: that of an equal graph, if one is known."""
        try:
            key = (traced.program.precision, canonical(traced.graph))
            known = self._known.get(key)
        except TypeError:  # something in it has no hash: it stands for itself
            return traced.run
        if known is None:
            known = self._known[key] = traced.bare
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return traced.telling(known)
