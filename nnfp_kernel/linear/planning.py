"""What a plan decides of each loop that is differentiated: to keep or to make again.

The adjoint of a loop needs of every step what its linear map refers to. A plain loop keeps
that, n steps of it; a loop in segments (graph/segments.py) keeps the state before each
segment and makes its steps again. The plan counts both and takes segments

    where that is quicker   what is kept is larger than a cache and is written and read in
                            more time than the operations take that make it again
    where memory says so    the whole would not fit: the plan is `tight`

and leaves every other loop plain. The counts are those of graph/counts.py, so a decision
depends on types alone and on the machine: the same program decides the same on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..graph.counts import bytes_of, count
from ..graph.graph import ArrayType, Loop
from ..graph.segments import steps_of_a_segment
from ..language.source import Span

# Measured on two cores with RNN and LSTM cells, 64 to 512 wide: from some 16 MB kept, making
# again is quicker; below, what is kept stays in a cache and making again costs up to a fifth.
LARGE = 16 << 20
# The operations for each byte written or read up to which making again is quicker, on a
# processor: at 20 it took 0.6 of the time, at 36 0.9, at 74 1.1 (benchmarks/memory.py). On an
# accelerator a loop waits for its steps, not for memory, and segments are for memory alone.
PER_BYTE = 48.0

Reason = Literal["little", "no less", "quicker", "memory", "dearer"]


@dataclass(frozen=True)
class Decision:
    """What was decided of a loop, and the counts that decided it."""

    place: Span | None
    length: int
    steps: int | None  # of a segment; None: the loop stays plain
    kept: int  # bytes that the plain loop keeps for its adjoint
    held: int  # bytes that are held in segments
    operations: int  # that are made again in segments
    reason: Reason


@dataclass(frozen=True)
class Plan:
    """How loops are decided, and what was decided so far.

    >>> from ..primitives import PRIMITIVES
    >>> from ..graph.graph import Builder
    >>> body = Builder(PRIMITIVES)
    >>> state, x = (body.input(ArrayType("R", (100,))) for _ in range(2))
    >>> after = body.emit("tanh", body.emit("add", state, x))
    >>> loop = Loop(body.finish([after]), 0, 1, 100_000)
    >>> plan = Plan()
    >>> plan.segment(loop, [after.type], None)
    400
    >>> decision = plan.decisions[0]
    >>> decision.reason, decision.kept, decision.held
    ('quicker', 40000000, 260000)
    """

    precision: int = 32
    tight: bool = False
    per_byte: float | Callable[[], float] = PER_BYTE  # asked for where a loop is large
    decisions: list[Decision] = field(default_factory=list)
    settled: bool = False  # a loop met now was decided already: it is what a segment runs

    def within(self, segments: bool) -> Plan:
        """The plan for the body of a loop."""
        return replace(self, settled=segments)

    def segment(
        self, loop: Loop, extra: Sequence[ArrayType], place: Span | None, since: int | None = None
    ) -> int | None:
        """How many steps of a loop make a segment; None where it stays plain. `extra` is
        what a step keeps in a plain loop; `since` is how many decisions stood before its
        body: in segments that is gone through again, and so are they."""
        if self.settled or loop.segments or loop.counted or not loop.length:
            return None
        each = sum(bytes_of(type, self.precision) for type in extra)
        carried = loop.body.outputs[: loop.carried]
        state = sum(bytes_of(wire.type, self.precision) for wire in carried)
        kept = loop.length * each
        size = steps_of_a_segment(loop.length, state, each)
        held = -(-loop.length // size) * state + size * each
        again = loop.length * count(loop.body, self.precision).total.operations
        reason = self._reason(kept, held, again)
        chosen = size if reason in ("quicker", "memory") else None
        if chosen is not None and since is not None:
            del self.decisions[since:]
        self.decisions.append(Decision(place, loop.length, chosen, kept, held, again, reason))
        return chosen

    def _reason(self, kept: int, held: int, again: int) -> Reason:
        if 2 * held > kept:
            return "no less"
        if self.tight:
            return "memory"
        if kept < LARGE:
            return "little"
        per_byte = self.per_byte() if callable(self.per_byte) else self.per_byte
        return "quicker" if again <= per_byte * 2 * kept else "dearer"

    @property
    def could_hold_less(self) -> bool:
        """Whether a tight plan would decide otherwise."""
        return any(one.reason in ("little", "dearer") for one in self.decisions)
