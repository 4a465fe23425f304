"""Loops whose length the data decide: `while`, `fixpoint` (LANGUAGE section 5).

Each is one node of the graph. The derivative of a while carries, forwards, the tangents
in the loop's state; in reverse it goes back through the rounds, which takes a bound:
`while[n]`. That of a fixpoint is a linear equation at the fixpoint, in either direction,
whatever the way there was.
"""

from __future__ import annotations

from ..graph.context import Context
from ..graph.scope import Occurrence
from ..graph.values import Extent, Value
from .table import Builtin, builtin


def _while(context: Context, use: Occurrence, condition: Value, step: Value, start: Value) -> Value:
    most = use.brackets[0] if use.brackets else None
    if isinstance(most, Extent):
        context.needs_length("the bound of a `while`")
    return context.while_loop(most, condition, step, start, use.domains()[2])


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


# --- fixpoints ------------------------------------------------------------------------------

_STEPS = 100_000  # enough for steps that shrink by a factor of 0.9997, in 64 bits


def _fixpoint(context: Context, use: Occurrence, step: Value, start: Value) -> Value:
    most = use.brackets[0] if use.brackets else _STEPS
    if isinstance(most, Extent):
        context.needs_length("the bound of a `fixpoint`")
    return context.fixpoint(most, step, start, use.domains()[1])


builtin(
    Builtin(
        "fixpoint", "(a -> a) -> a -> a where vector a", 2, _fixpoint, brackets=("n",),
        doc="The x with f x = x that f, applied again and again, leads to from a start. Its "
        "derivative is that of the equation (implicit function theorem), at the cost of one "
        "linear solution and no memory of the way; none in the start. `fixpoint[n]` gives up "
        "after n steps.",
        example="fixpoint cos 1",
        bare=True,
    )
)  # fmt: skip
