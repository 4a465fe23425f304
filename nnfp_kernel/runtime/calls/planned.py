"""What a plan of loops makes, within the memory there is.

Loops that are differentiated are kept or made again as a plan decides (linear/planning.py). The
first plan asks what is quicker; where what it makes would not fit, a tight one makes it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from ...graph.counts import peak
from ...graph.graph import Graph
from ...graph.rewrite import optimise
from ...linear.planning import LARGE, Plan
from ..machine import memory
from ..program import Program

T = TypeVar("T")


def planned(
    program: Program, make: Callable[[Plan], T], graphs: Callable[[T], Sequence[Graph]]
) -> tuple[T, Plan]:
    """What `make` makes by a plan, with that plan: a tight one where its `graphs` would take more
    memory than there is, and less by it."""
    plan = memory.plan(program.precision)
    made = make(plan)
    if not plan.could_hold_less:
        return made, plan
    first = max(peak(graph, program.precision) for graph in graphs(made))
    if program.memory is None and first <= LARGE:  # every device has that, and JAX rests
        return made, plan
    limit = memory.limit(program.memory)
    if limit is None or first <= limit // 4:
        return made, plan
    # What the laws of loops make for all steps at once counts too.
    plain = _peak(program, graphs(made))
    if plain <= limit:
        return made, plan
    tight = replace(plan, tight=True, decisions=[])
    smaller = make(tight)
    # The weights of a deep stack, laid out by segments, may be more than what is not kept.
    return (smaller, tight) if _peak(program, graphs(smaller)) < plain else (made, plan)


def _peak(program: Program, graphs: Iterable[Graph]) -> int:
    """The bytes alive at most while these graphs run, one after the other, counted."""
    run = (optimise(program.primitives, graph) for graph in graphs)
    return max(peak(graph, program.precision) for graph in run)
