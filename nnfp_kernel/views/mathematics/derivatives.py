"""Derivatives as values of a program, and linear maps at vectors: D f(x), ∇ f(x), L u.

derivative f x     D f(x), a linear map      moves by D² f(x) dx
grad f x           ∇ f(x)                    moves by ∇² f(x) dx, and back by it, too
hessian f x        ∇² f(x), its own adjoint  moves by ∇³ f(x) dx
adjoint l          l†
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .changes import Change, Linear
from .formula import Formula
from .named import DERIVATIVE, GRADIENT, HESSIAN, Order, all_captured, opaque
from .pieces import IDENTITY, adjoined, adjoint_of, at_tangent
from .quantities import Meaning, Value, flat, rebuilt, spread
from .table import linear_map, result_of, rule
from .tape import Pass, Quantity, Rule, alias

if TYPE_CHECKING:
    from .reading import Reader

# Definitions of the library that mathematics has a sign for.
SIGNS = {"grad": GRADIENT, "hessian": HESSIAN}


@rule("derivative")
def derivative(reader: Reader, use: p.Builtin, f: Value, x: Value) -> Value:
    return derived(reader, DERIVATIVE, use.type, [f, x])


def derived(reader: Reader, order: Order, type: t.Type, arguments: Sequence[Value]) -> Value:
    """A derivative of a function at a point: D f(x), ∇ f(x)."""
    (function, *_), others = arguments, all_captured(reader, arguments, type)
    for _ in arguments:
        assert isinstance(type, t.Function)
        type = type.codomain
    if isinstance(function, Meaning) and function.linear and order == DERIVATIVE:
        return reader.constant(reader.shown(function), type)
    made = opaque(reader, m.Letter(order.letter), arguments, type, others, order=order)
    if order == HESSIAN and isinstance(made, Quantity):
        made.own_adjoint = True
    return made


@rule("selfAdjoint")
def self_adjoint(reader: Reader, use: p.Builtin, map: Value) -> Value:
    """The map itself, of which one knows that it is its own adjoint."""
    if not isinstance(map, Quantity):
        return map
    made = reader.add(alias(map), map.type)
    made.own_adjoint = True
    return made


@rule("adjoint")
def adjoint(reader: Reader, use: p.Builtin, map: Value) -> Value:
    if not isinstance(map, Quantity):
        shown = reader.shown(map)
        return reader.constant(m.transposed(shown, "†"), result_of(use, 1))
    if map.own_adjoint:
        return map
    return linear_map(reader, result_of(use, 1), map, adjoined, adjoined)


def linear_at(reader: Reader, function: Value, argument: Value) -> Value:
    """A linear map that is a quantity, at a vector: linear in both."""
    assert isinstance(function, Quantity), "only functions and linear maps are applied"
    if function.name == IDENTITY:
        return argument
    type = function.type
    result = type.codomain if isinstance(type, t.Linear) else t.R
    given = list(flat(argument))

    def listed(changes: Sequence[Change]) -> Formula:
        return m.tupled([m.ZERO if c is None else c.formula() for c in changes])

    def vector() -> Formula:
        return m.tupled([q.shown() for q in given])

    def component(f: Formula, k: int) -> Formula:
        """Of several outputs, or inputs, the one: (L u)₁."""
        return f if k < 0 else m.indexed(m.Fenced("(", f, ")"), m.Digits(str(k + 1)))

    def forward(_: Pass, d: list[Change]) -> list[Change]:
        total: Change = None
        if any(d[1:]):
            total = Linear.of(at_tangent(function.shown(), listed(d[1:])))
        if d[0] is not None:
            part = Linear.of(at_tangent(d[0].formula(), vector()))
            total = part if total is None else Linear((*part.terms, *total.terms))
        return [
            total and total.through(lambda f, k=k: component(f, k))  # type: ignore[misc]
            for k in places(operation.outputs)
        ]

    def backward(_: Pass, bars: list[Change]) -> list[Change]:
        bar = listed(bars)
        back = at_tangent(adjoint_of(function), bar)
        each = [Linear.of(component(back, k)) for k in places(given)]
        return [Linear.of(m.outer(bar, vector())), *each]

    def places(quantities: Sequence[Quantity]) -> Sequence[int]:
        return range(len(quantities)) if len(quantities) > 1 else (-1,) * len(quantities)

    def value(k: int) -> Formula:
        return component(at_tangent(function.shown(), vector()), places(operation.outputs)[k])

    operation = Rule((function, *given), value, forward, backward)
    like = spread(result, m.ONE, reader.program)
    reader.add(operation, *(q.type for q in flat(like)))
    supply = iter(operation.outputs)
    return rebuilt(like, lambda _: next(supply))
