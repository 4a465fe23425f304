"""What was compiled, kept by what it computes: a program that is run again, or renamed, does
not compile."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from ..graph.canonical import canonical
from ..graph.graph import Graph

MOST = 256  # executables kept; the one that was used last goes last


class Executables:
    """Compiled functions by the canonical form of their graphs: one for a session."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Callable[..., Any]] = OrderedDict()

    def of(
        self, graph: Graph, precision: int, make: Callable[[], Callable[..., Any]]
    ) -> Callable[..., Any]:
        """The compiled function of a graph: that of an equal graph, if one is known, else the
        one that `make` gives."""
        try:
            key = (precision, canonical(graph))
            known = self._known.get(key)
        except TypeError:  # something in it has no hash: it stands for itself
            return make()
        if known is None:
            known = self._known[key] = make()
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return known
