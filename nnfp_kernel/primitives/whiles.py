"""Loops whose length the data decide: `while` (LANGUAGE section 5).

A while is one node of the graph. Its derivative forwards carries the tangents in the
loop's state. Its derivative in reverse goes back through the rounds, which takes a bound:
`while[n]`.
"""

from __future__ import annotations

from ..graph.trace import Occurrence, Tracer
from ..graph.values import Extent, Value
from .table import Builtin, builtin


def _while(context: Tracer, use: Occurrence, condition: Value, step: Value, start: Value) -> Value:
    most = use.brackets[0] if use.brackets else None
    if isinstance(most, Extent):
        context.needs_length("the bound of a `while`")
    return context.while_loop(most, condition, step, start, use.domains()[2])[1]


builtin(
    Builtin(
        "while", "(a -> Bool) -> (a -> a) -> a -> a", 3, _while, brackets=("n",),
        doc="A function applied again and again as long as a condition holds of the state. "
        "`while[n]` stops after n rounds at the latest, and has a derivative in reverse.",
        example="while (< 100) (* 3) 1",
        ragged=True,
        bare=True,
    )
)  # fmt: skip
