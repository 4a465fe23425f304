"""Derivatives as values of a program, and linear maps at vectors: D f(x), ∇ f(x), L u.

derivative f x     D f(x), a linear map      moves by D² f(x) dx
grad f x           ∇ f(x)                    moves by ∇² f(x) dx, and back by it, too
hessian f x        ∇² f(x), its own adjoint  moves by ∇³ f(x) dx
adjoint l          l†
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .changes import Change, Linear
from .constructors import joined
from .formula import Formula
from .named import DERIVATIVE, GRADIENT, HESSIAN, Order, all_captured, opaque
from .pieces import IDENTITY, adjoined, adjoint_of, at_tangent
from .quantities import Meaning, Value, flat, rebuilt, spread
from .table import linear_map, result_of, rule
from .tape import Block, Operation, Pass, Quantity, Rule, alias

if TYPE_CHECKING:
    from .reading import Reader

# A name of the language, and definitions of its library, that mathematics has a sign for.
SIGNS = {"derivative": DERIVATIVE, "grad": GRADIENT, "hessian": HESSIAN}


def derivative(reader: Reader, name: str, type: t.Type) -> Value:
    """What `derivative`, `grad` or `hessian` is, of the type: a function of a function."""
    order = SIGNS[name]

    def of(f: Value) -> Value:
        return Meaning(
            lambda x: derived(reader, order, type, f, x),
            lambda: order.of(reader.shown(f)),
            gradient_of=f if order == GRADIENT else None,
        )

    return Meaning(of, lambda: m.Letter(order.letter))


def derived(reader: Reader, order: Order, type: t.Type, function: Value, x: Value) -> Value:
    """A derivative of a function at a point: D f(x), ∇ f(x)."""
    assert isinstance(type, t.Function)
    arrow, arrows = type.domain, type.codomain
    assert isinstance(arrow, t.Function)
    assert isinstance(arrows, t.Function)
    if isinstance(function, Meaning) and order == DERIVATIVE:
        if function.linear:
            return reader.constant(reader.shown(function), arrows.codomain)
        if function.gradient_of is not None:
            order, function = HESSIAN, function.gradient_of
            arrow = t.Function(arrow.domain, t.R)
    others = all_captured(reader, [function, x], t.Function(arrow, arrows))
    if isinstance(function, Meaning) and not reader.indices:
        told = _told(reader, function, arrow)
        if told is not None:
            function = Meaning(function.call, told.shown)
            others = [*others, (told.shown(), told)]
    made = opaque(
        reader, m.Letter(order.letter), [function, x], arrows.codomain, others, order=order
    )
    if order == HESSIAN and isinstance(made, Quantity):
        made.own_adjoint = True
    return made


# --- a function without a name gets one -----------------------------------------------------

SHORT = 4  # atoms of a function that is said where it is used


@dataclass(eq=False)
class _Told(Operation):
    """g(y) = …, a function that a derivative is taken of: what it gives at some y."""

    inputs: tuple[Quantity, ...]  # what it refers to
    block: Block
    results: tuple[Quantity, ...]
    at: Formula  # g(y)

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (self.block,)

    @property
    def within(self) -> tuple[Quantity, ...]:
        return self.results

    def value(self, place: int) -> Formula:
        raise AssertionError("a function that is told has its name")

    def values(self, walk: Pass) -> None:
        walk.moves = False
        walk.values(self.block)
        walk.moves = True
        walk.line(self.at, m.tupled([each.shown() for each in self.results]))

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        return [None]

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        return [None] * len(self.inputs)


def _told(reader: Reader, function: Meaning, type: t.Function) -> Quantity | None:
    """The name of a function, which is said on a line of its own; None of what has one, or
    is short."""
    if m.size_of(function.shown()) <= SHORT and m.Sign("↦") not in m.inside(function.shown()):
        return None
    own = {each.name for each in p.nodes(reader.definition.body) if isinstance(each, p.BindName)}
    own |= set(reader.program.definitions)
    name = reader.fresh(*(each for each in ("g", "f", "k", "φ") if each not in own))
    with reader.within(Block()) as block:
        argument = function.given() if function.given else None
        if argument is None:
            letter = reader.fresh("z", "w", "v", "x")
            argument = spread(type.domain, letter, reader.program, "constant")
        reader.taken |= {q.name for q in flat(argument) if q.name is not None}
        value = joined(reader, function.call(argument), type.codomain)
        results = tuple(flat(value))
    found = {*block.outside(), *(q for q in results if q.maker is None)} - {*flat(argument)}
    inputs = tuple(q for q in found if q.role != "constant")
    told = _Told(inputs, block, results, m.applied(name, [reader.shown(argument)]))
    told.outputs = (Quantity(t.UNIT, name, told, role="constant"),)
    reader.add(told)
    return told.outputs[0]


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
