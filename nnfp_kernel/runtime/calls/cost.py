"""What a function costs: operations and bytes counted before it runs, and times measured.

    cost_of(call)                  -> Cost       nothing is compiled or run
    measure(call, arrays)          -> Timings    compiled, and run again and again

`Function.cost` and `Function.time` are the doors; `%nnfp time` shows both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import numpy

from ...graph.counts import Count, Counts, bytes_of, count, peak
from ...graph.graph import Graph
from ...graph.loops import Moved
from ...graph.rewrite import optimise
from ...language.source import Span
from ...language.types import show
from ...linear.planning import Decision
from ..lower import DTYPES, Precision, lower

if TYPE_CHECKING:
    from .call import Call

Array = Any


@dataclass(frozen=True)
class Pass:
    """One way through a function: what it costs in all and at every place in the
    program, and the most bytes alive at one moment."""

    total: Count
    places: dict[Span | None, Count]
    peak: int

    @classmethod
    def through(cls, graph: Graph, precision: Precision) -> Pass:
        counts: Counts = count(graph, precision)
        return cls(counts.total, counts.places, peak(graph, precision))


@dataclass(frozen=True)
class Cost:
    """What a function and its adjoint cost at inputs of certain types.

    `forward` gives the value alone. `adjoint` takes a cotangent back, from `kept` bytes
    that the value left for it; it is None where there is nothing to differentiate.
    """

    inputs: tuple[str, ...]
    forward: Pass
    adjoint: Pass | None
    kept: int = 0
    loops: tuple[Decision, ...] = ()  # what is kept of each for the adjoint, and why
    moved: tuple[tuple[str, Moved], ...] = ()  # in which pass, what left a loop or not
    number: int = 4  # bytes of a number

    @property
    def ratio(self) -> float | None:
        """How many times the operations of the value its adjoint takes."""
        if self.adjoint is None or not self.forward.total.operations:
            return None
        return self.adjoint.total.operations / self.forward.total.operations


@dataclass(frozen=True)
class Timing:
    """The seconds one executable took to compile, and then each time it ran."""

    compiling: float
    runs: tuple[float, ...]

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """A quarter of the runs, half of them and three quarters took no longer."""
        low, middle, high = quantiles(self.runs, n=4, method="inclusive")
        return low, middle, high


@dataclass(frozen=True)
class Timings:
    """Of the value, and of the value with its adjoint in one executable."""

    forward: Timing
    gradient: Timing | None


def cost_of(call: Call) -> Cost:
    """Counted on the graphs that would be lowered."""
    program = call.traced.program
    precision = program.precision
    said = tuple(map(show, call.types))
    moved: dict[str, list[Moved]] = {"forward": [], "adjoint": []}

    def through(graph: Graph, name: str) -> Pass:
        return Pass.through(optimise(program.primitives, graph, moved=moved[name]), precision)

    forward = through(call.traced.graph, "forward")
    if differentiable(call):
        (kept, backward), plan = call.planned_split
        adjoint = through(backward, "adjoint")
        outputs = len(call.traced.vectorised.outputs)
        held = sum(bytes_of(wire.type, precision) for wire in kept.outputs[outputs:])
        decisions = tuple(plan.decisions)
    else:
        adjoint, held, decisions = None, 0, ()
    decisions = (*call.traced.decisions, *decisions)
    told = tuple((name, one) for name, found in moved.items() for one in dict.fromkeys(found))
    return Cost(said, forward, adjoint, held, decisions, told, precision // 8)


def differentiable(call: Call) -> bool:
    """Whether there is a number to differentiate, and one to differentiate in."""
    return any(call.active) and any(wire.type.differentiable for wire in call.traced.answers)


def measure(call: Call, arrays: Sequence[Array], seconds: float = 0.3) -> Timings:
    """Compile and run on arrays for all inputs of the call's graph. Each executable runs
    at least five times, and for so many seconds; every result is waited for."""
    precision = call.traced.program.precision
    forward = _timed(call.traced.lowered, arrays, seconds)
    if not differentiable(call):
        return Timings(forward, None)
    graph = optimise(call.traced.program.primitives, call.reverse_graph)
    given = graph.inputs[len(arrays) :]
    cotangents = [numpy.ones(w.type.shape, DTYPES[precision][w.type.kind]) for w in given]
    return Timings(forward, _timed(lower(graph, precision), [*arrays, *cotangents], seconds))


def _timed(function: Callable[..., Any], arrays: Sequence[Array], seconds: float) -> Timing:
    import jax

    arrays = jax.device_put(list(arrays))
    start = time.perf_counter()
    compiled = jax.jit(lambda *given: function(*given)).lower(*arrays).compile()
    compiling = time.perf_counter() - start
    jax.block_until_ready(compiled(*arrays))  # the first run touches memory anew
    runs: list[float] = []
    while len(runs) < 5 or sum(runs) < seconds:
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arrays))
        runs.append(time.perf_counter() - start)
    return Timing(compiling, tuple(runs))


def example_arrays(call: Call, seed: int = 0) -> list[Array]:
    """Arrays for the arguments of a call: normal numbers, and 0 for integers."""
    random = numpy.random.default_rng(seed)
    dtypes = DTYPES[call.traced.program.precision]
    return [
        random.normal(size=wire.type.shape).astype(dtypes[wire.type.kind])
        if wire.type.differentiable
        else numpy.zeros(wire.type.shape, dtypes[wire.type.kind])
        for wire in call.traced.graph.inputs[: call.traced.arguments]
    ]
