"""Which expression of a program NaN or infinity came from, as it is told.

    `log x` (cell 3, line 1)

watch.py finds the node of the graph, equations.py says why where it was an iteration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...language.source import Span
from . import watch
from .call import Call
from .equations import why

Array = Any


@dataclass(frozen=True)
class Spoiled:
    """Where NaN or infinity came from; why, where that can be said (`equations.why`)."""

    span: Span
    why: str = ""

    def __str__(self) -> str:
        """As a sentence goes on: "`log x` (cell 3, line 1)"."""
        text = " ".join(self.span.text.split())
        text = text if len(text) <= 60 else text[:59] + "…"
        return f"`{text}` ({self.span})" + (f": {self.why}" if self.why else "")


def spoiled_by(call: Call, arrays: Sequence[Array], definition: Span) -> Spoiled | None:
    """The expression at which NaN or infinity came into the value or the gradient of a call;
    its whole `definition` where the node comes from no expression; None where all is finite."""
    precision = call.traced.program.precision
    for graph in (call.traced.graph, call.gradient_graph):
        found = watch.where_not_finite(graph, arrays, precision)
        if found is not None:
            node, given = found
            return Spoiled(node.origin or definition, why(node, given, precision))
    return None
