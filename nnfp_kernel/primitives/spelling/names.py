"""Definitions that stayed names: `rotate r x`, and `derivative (rotate r) x` (../kept.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...graph.primitive import Parameters
from ...language import syntax as s
from ..imported import Pulled, Pushed
from ..kept import Kept
from .table import Call, spelling
from .terms import Names, Term, Unspeakable, apply, lambda_, mentions, whole


@spelling("imported")
def _called(call: Call) -> Term:
    function = call.parameters["function"]
    if not isinstance(function, Kept):
        raise Unspeakable("a function of Python's")
    made = apply(function.name, *_arguments(function, list(map(whole, call.operands))))
    return call.made(made, heavy=True)


@spelling("importedSection")
def _moved(call: Call) -> Term:
    tangent, *others = call.operands
    linear = linear_map(call.parameters, others, call.names)
    return call.made(s.Apply(linear, whole(tangent)), heavy=True)


def linear_map(parameters: Parameters, operands: Sequence[Term], names: Names) -> s.Expression:
    """The derivative in one operand at these, or the adjoint of that, as a linear map."""
    function = parameters["function"]
    if not isinstance(function, Pushed | Pulled) or not isinstance(function.function, Kept):
        raise Unspeakable("a function of Python's")
    if isinstance(function, Pulled):
        return apply("adjoint", _partial(function.function, function.operand, operands, names))
    return _partial(function.function, function.operand, operands, names)


def _partial(function: Kept, place: int, operands: Sequence[Term], names: Names) -> s.Expression:
    trees = list(map(whole, operands))
    point = trees[place]
    others = s.Tuple((*trees[:place], *trees[place + 1 :]))
    name = point.name if isinstance(point, s.Name) else ""
    if not name or mentions(others, name):
        name = names.fresh("u")
    trees[place] = s.Name(name)
    body = apply(function.name, *_arguments(function, trees))
    return apply("derivative", lambda_((name,), body), point)


def _arguments(function: Kept, trees: Sequence[s.Expression]) -> list[s.Expression]:
    supply = iter(trees)

    def argument(form: Any) -> s.Expression:
        return next(supply) if form is None else s.Tuple(tuple(map(argument, form)))

    return list(map(argument, function.arguments))


__all__ = ["linear_map"]
