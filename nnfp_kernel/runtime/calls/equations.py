"""Equations without a solution, told: of fixpoints, and of their derivatives.

    told(graph, function, precision)    the function, raising NnfpError where a linear
                                        equation inside has come to no solution
    why(node, arrays, precision)        in words, why a node of iteration gave no numbers

The derivative of a fixpoint solves (id - D f) d = b, with f its step. Where that is
singular (at a double root, say) there is no derivative, and what came out is NaN. That a
program has such an equation is seen from its graph; whether it was solved from what comes
out, so that a run that goes well costs no more. Inside a `jit` of the user's own nothing can
be told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...graph.graph import Fixpoint, Graph, Node
from ...language.diagnostics import Diagnostic, Label, NnfpError
from ...language.syntax import NOWHERE
from ..exchange import is_concrete
from ..fixpoint import nearest, tolerated
from ..lower import DTYPES, Arrays, Precision
from .watch import finite, where_not_finite

Array = Any
Run = Callable[..., tuple[Array, ...]]


def told(graph: Graph, function: Run, precision: Precision) -> Run:
    """The function of a graph; it raises NnfpError where what comes out is not finite because
    a linear equation of the graph was not solved."""
    if not any(_is_equation(node) for node in graph.walk()):
        return function

    def run(*arrays: Array) -> tuple[Array, ...]:
        results = function(*arrays)
        if all(map(is_concrete, results)) and not all(map(finite, results)):
            _raise(graph, arrays, precision)
        return results

    return run


def why(node: Node, arrays: Sequence[Array], precision: Precision) -> str:
    """Why a node gave no numbers: "it came to no fixpoint in 1,000 steps"; nothing for what
    is no iteration."""
    operation = node.operation
    if not isinstance(operation, Fixpoint):
        return ""
    if not operation.linear:
        return f"it came to no fixpoint in {operation.most:,} steps"
    left, _ = _residual(operation, arrays, precision)
    return f"the equation of its derivative has no solution: {_method(operation)} left {left}"


def _raise(graph: Graph, arrays: Sequence[Array], precision: Precision) -> None:
    found = where_not_finite(graph, arrays, precision)
    if found is None or not _is_equation(found[0]):
        return  # infinite or no number for a reason of its own
    node, given = found
    operation = node.operation
    assert isinstance(operation, Fixpoint)
    left, asked = _residual(operation, given, precision)
    raise NnfpError(
        Diagnostic(
            "no-solution",
            "a linear equation here came to no solution",
            Label(node.origin or NOWHERE, f"{_method(operation)} left {left}"),
            (),
            (
                f"A residual of at most {asked:.2g} of the right side counts as a solution.",
                "The derivative of `fixpoint f z`, at its fixpoint x, is the d with "
                "`d - derivative f x d = b`. There is none where a step moves as far as its "
                "argument does: at a double root, or where fixpoints are not apart.",
                "If no derivative is meant to go through it, hold it constant:",
            ),
            "held (fixpoint f z)",
        )
    )


def _is_equation(node: Node) -> bool:
    return isinstance(node.operation, Fixpoint) and node.operation.linear


def _method(operation: Fixpoint) -> str:
    return "the method of conjugate gradients" if operation.positive else "GMRES"


def _residual(
    operation: Fixpoint, arrays: Sequence[Array], precision: Precision
) -> tuple[str, float]:
    """How near to a solution the iteration came, in words, and how near was asked for."""
    domain = Arrays(DTYPES[precision])
    step, initial = domain.steps(operation, list(arrays))
    _, left = nearest(step, initial, operation.most, operation.tolerance, operation.positive)
    asked = float(tolerated(initial, operation.tolerance))
    return f"a residual of {float(left):.2g} of the right side", asked
