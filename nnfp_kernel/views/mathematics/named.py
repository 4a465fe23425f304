"""What stays a name on a tape: f(x, y), with D f(x, y) for its derivative.

A definition that is used by name, a function that is given, and a built-in name without a
rule of its own. What is a derivative already, ∇ f(x), is moved by the next one, ∇² f(x).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .changes import Change, Linear
from .formula import Formula
from .latex import template
from .pieces import at_tangent, items_of, with_brackets
from .quantities import Meaning, Value, flat, rebuilt, spread
from .table import result_of, rule
from .tape import Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Reader


def opaque_builtin(
    reader: Reader,
    use: p.Builtin,
    arguments: list[Value],
) -> Value:
    primitive = reader.program.primitives.get(use.name)
    discrete = primitive is not None and primitive.kind == "discrete"
    return opaque(reader,
        with_brackets(use), arguments, result_of(use, len(arguments)),
        all_captured(reader, arguments, use.type),
        reader.program.builtins[use.name].latex, discrete or not arguments,
    )  # fmt: skip


def all_captured(
    reader: Reader, arguments: Sequence[Value], type: t.Type
) -> list[tuple[Formula, Quantity]]:
    """What the functions among the arguments of a function of a type refer to, with names."""
    found: dict[Quantity, Formula] = {}
    for argument in arguments:
        assert isinstance(type, t.Function)
        for quantity in captured(reader, argument, type.domain):
            found[quantity] = quantity.shown()
        type = type.codomain
    return [(shown, quantity) for quantity, shown in found.items()]


def rule_of_quantities(
    *names: str, of_arrays: bool = False
) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Enter the rule of some built-in names that are at home with quantities.

    A product as the first argument is taken part by part, the others being as they are;
    where an argument is no quantity, or no array that has to be one, the name stays.
    """

    def enter(function: Callable[..., Value]) -> Callable[..., Value]:
        @rule(*names)
        @wraps(function)
        def by_parts(reader: Reader, use: p.Builtin, first: Value, *others: Value) -> Value:
            if isinstance(first, tuple):
                return tuple(by_parts(reader, use, part, *others) for part in first)
            given = (first, *others)
            known = all(isinstance(each, Quantity) for each in given)
            if not known or (of_arrays and not all(_is_array(each) for each in given)):
                return opaque_builtin(reader, use, list(given))
            return function(reader, use, *given)

        return by_parts

    return enter


def _is_array(quantity: Quantity) -> bool:
    return isinstance(quantity.type, t.Array)


@dataclass(frozen=True)
class Order:
    """Which derivative: D, ∇, ∇², or D_θ."""

    letter: str
    number: int = 1
    by: Formula | None = None

    @property
    def next(self) -> Order:
        return replace(self, number=self.number + 1)

    def of(self, at: Formula) -> Formula:
        """D f(x), of f(x)"""
        sign: Formula = m.Letter(self.letter)
        if self.by is not None or self.number > 1:
            above = m.Digits(str(self.number)) if self.number > 1 else None
            sign = m.Script(sign, self.by, above)
        return m.Row((sign, m.Space(), *items_of(at)), m.PRODUCT)


DERIVATIVE, GRADIENT, HESSIAN = Order("D"), Order("∇"), Order("∇", 2)


def captured(reader: Reader, function: Value, type: t.Type) -> list[Quantity]:
    """What a function refers to besides its argument."""

    if not isinstance(function, Meaning) or not isinstance(type, t.Function):
        return []
    with reader.apart() as block:
        value: Value = function
        own: list[Quantity] = []
        while isinstance(value, Meaning) and isinstance(type, t.Function):
            argument = spread(type.domain, m.Sign("·"), reader.program)
            own += flat(argument)
            value, type = value.call(argument), type.codomain
        found = [*block.outside(), *(q for q in flat(value) if q.maker is None)]
    return [q for q in dict.fromkeys(found) if q not in own and q.role != "constant"]


def opaque(
    reader: Reader,
    function: Formula,
    arguments: Sequence[Value],
    result: t.Type,
    others: Sequence[tuple[Formula, Quantity]] = (),
    latex: str = "",
    constant: bool = False,
    order: Order | None = None,
) -> Value:
    """f(x, y), with D f(x, y) for its derivative.

    `others` are what f depends on besides, each with its sign: D_θ f. With an `order` it is
    a derivative itself, of the first argument, and that of the next order is its derivative.
    """
    given = [argument for argument in arguments if not isinstance(argument, Meaning)]
    functions = [argument for argument in arguments if isinstance(argument, Meaning)]
    called = function
    if functions and order is not None:
        called = reader.shown(functions[0])
    elif functions:  # a function made of functions: window(f)
        called = m.applied(function, [reader.shown(each) for each in functions])
    quantities = [q for value in given for q in flat(value)]
    moving = [k for k, q in enumerate(quantities) if q.role != "constant"]
    like = spread(result, m.ONE, reader.program)
    parts = list(flat(like))
    if not parts:
        return like

    def at() -> Formula:
        return m.applied(called, [reader.shown(value) for value in given]) if given else called

    def value() -> Formula:
        if order is not None:
            return order.of(at())
        return template(latex, *map(reader.shown, arguments)) if latex else at()

    def derivative(by: Formula | None = None) -> Formula:
        own = order.of(at()) if order is not None else at()
        if by is not None:  # by one of several: D_θ f, and D_θ ∇ f of a derivative
            return Order("D", by=by).of(own)
        return order.next.of(at()) if order is not None else Order("D").of(own)

    def backwards(by: Formula | None, bar: Formula) -> Change:
        if order == GRADIENT and by is None:  # ∇² f is its own adjoint
            return Linear.of(at_tangent(derivative(), bar))
        return Linear.of(at_tangent(m.transposed(derivative(by), "†"), bar))

    def whole(d: list[Change]) -> Change:
        changes = [d[k] for k in moving]
        total: Change = None
        if len([c for c in changes if c]) == 1 < len(changes):  # D₂ f(x, y) dy
            place = next(k for k, c in enumerate(changes) if c)
            (own,) = (c for c in changes if c)
            map = derivative(m.Digits(str(place + 1)))
            total = Linear.of(at_tangent(map, own.formula()))
        elif any(changes):
            listed = m.tupled([m.ZERO if c is None else c.formula() for c in changes])
            total = Linear.of(at_tangent(derivative(), listed))
        for (by, _), change in zip(others, d[len(quantities) :], strict=True):
            if change is not None:
                part = Linear.of(at_tangent(derivative(by), change.formula()))
                total = part if total is None else Linear(total.terms + part.terms)
        return total

    def component(f: Formula, k: int) -> Formula:
        return f if len(parts) == 1 else m.Script(m.fitted(f, m.ATOM), m.Digits(str(k + 1)))

    def forward(walk: Pass, d: list[Change]) -> list[Change]:
        for quantity in quantities:
            walk.ask(quantity, 2)
        total = whole(d)
        if total is None:
            return [None] * len(parts)
        return [
            total.through(lambda f, k=k: component(f, k))  # type: ignore[misc]
            for k in range(len(parts))
        ]

    def backward(walk: Pass, bars: list[Change]) -> list[Change]:
        for quantity in quantities:
            walk.ask(quantity, 2)
        bar = m.tupled([m.ZERO if each is None else each.formula() for each in bars])
        made: list[Change] = []
        for k, quantity in enumerate(quantities):
            place = m.Digits(str(moving.index(k) + 1)) if k in moving else None
            still = place is None or quantity not in walk.varied
            made.append(None if still else backwards(place if len(moving) > 1 else None, bar))
        for by, quantity in others:
            made.append(backwards(by, bar) if quantity in walk.varied else None)
        return made

    operation = Rule(
        (*quantities, *(quantity for _, quantity in others)),
        lambda k: component(value(), k), forward, backward, value, whole,
    )  # fmt: skip
    reader.add(operation, *(part.type for part in parts))
    for quantity, part in zip(operation.outputs, parts, strict=True):
        quantity.role = "constant" if constant else part.role
    supply = iter(operation.outputs)
    return rebuilt(like, lambda _: next(supply))
