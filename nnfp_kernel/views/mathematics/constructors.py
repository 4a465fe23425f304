"""Constructors of `data` on a tape: values put together of their fields, and taken apart.

    y = Node(l, r)      dy = Node(dl, dr)         l̄ = ȳ₁, r̄ = ȳ₂
    Node(l, r) = t      Node(dl, dr) = dt         t̄ = Node(l̄, r̄)

A tangent of a data value has its form, and so has a cotangent: a constructor is linear in its
fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from ...language.sizes import constant
from . import formula as m
from .changes import Change, Linear
from .formula import Formula
from .quantities import Alternatives, Built, Value, flat, rebuilt
from .tape import Block, Operation, Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Reader

ANY = m.Sign("·")  # what a pattern does not name


def joined(reader: Reader, value: Value, type: t.Type) -> Value:
    """A value in which what constructors make is one quantity each."""
    if isinstance(type, t.Product) and isinstance(value, tuple):
        pairs = zip(value, type.items, strict=True)
        return tuple(joined(reader, part, item) for part, item in pairs)
    if isinstance(value, Built):
        assert isinstance(type, t.Named)
        pairs = zip(value.fields, reader.program.declarations.constructors(type)[value.name],
                    strict=True)  # fmt: skip
        fields = [joined(reader, part, item) for part, item in pairs]
        if not fields:
            return reader.constant(m.Letter(value.name), type)
        return _constructed(reader, value.name, fields, type)
    if isinstance(value, Alternatives):

        def within(block: Block, inner: Value) -> Callable[[], Value]:
            def make() -> Value:
                reader.block.operations += block.operations
                return joined(reader, inner, type)

            return make

        return reader.choose(
            [(said, when, within(block, inner)) for said, when, block, inner in value.branches],
            type,
        )
    return value


def _constructed(reader: Reader, name: str, fields: Sequence[Value], type: t.Type) -> Quantity:
    constructor = m.Letter(name)

    def made_of(formulas: Sequence[Formula]) -> Formula:
        supply = iter(formulas)
        own = [rebuilt(field, lambda q: Quantity(q.type, next(supply))) for field in fields]
        return m.applied(constructor, [reader.shown(field) for field in own])

    def still(quantity: Quantity) -> Formula:
        """What does not change is 0; where it has no number in it, it is what it is."""
        own = quantity.type
        if isinstance(own, t.Array) and own.length == constant(0):
            return quantity.shown()
        if not isinstance(own, t.Named) or own.name not in reader.program.data:
            return m.ZERO
        empty = reader.program.declarations.constructors(own)
        shown = quantity.shown()
        return shown if isinstance(shown, m.Letter) and shown.text in empty else m.ZERO

    def forward(_: Pass, d: list[Change]) -> list[Change]:
        if not any(d):
            return [None]
        pairs = zip(inputs, d, strict=True)
        return [Linear.of(made_of([still(q) if c is None else c.formula() for q, c in pairs]))]

    def backward(_: Pass, bars: list[Change]) -> list[Change]:
        (bar,) = bars
        assert bar is not None
        return [
            None if q.role == "constant" else bar.through(lambda f, at=at: _field(f, at))  # type: ignore[misc]
            for q, at in zip(inputs, places, strict=True)
        ]

    inputs = [q for field in fields for q in flat(field)]
    places = [place for k, field in enumerate(fields, 1) for place in _places(field, (k,))]
    operation = Rule(
        tuple(inputs), lambda _: made_of([q.shown() for q in inputs]), forward, backward
    )
    return reader.add(operation, type)


def _places(field: Value, place: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Where the quantities of a field are: its number, in a product that of the part, too."""
    if isinstance(field, tuple):
        parts = enumerate(field, 1)
        return [each for k, part in parts for each in _places(part, (*place, k))]
    return [place] if isinstance(field, Quantity) else []


def _field(whole: Formula, place: Sequence[int]) -> Formula:
    """Field 2 of ȳ, ȳ₂, and the first of that, ȳ₂,₁; of what has an index, (ȳ_{Node l r})₂."""
    numbers: list[Formula] = [m.Digits(str(k)) for k in place]
    if isinstance(whole, m.Script) and isinstance(whole.base, m.Fenced):  # (ȳ_{Node l r})₁,₂
        return m.Script(whole.base, m.listed([*_numbers(whole.sub), *numbers]))
    if isinstance(whole, m.Script) and whole.sub is not None:
        above = _numbers(whole.sub)
        if all(isinstance(f, m.Digits) for f in above) and isinstance(whole.base, m.Bar):
            return m.Script(whole.base, m.listed([*above, *numbers]))
        whole = m.Fenced("(", whole, ")")
    return m.indexed(whole, numbers[0] if len(numbers) == 1 else m.listed(numbers))


def _numbers(sub: Formula | None) -> list[Formula]:
    return [f for f in m.parts(sub) or [sub] if f != m.Sign(",")] if sub is not None else []


# --- taken apart ----------------------------------------------------------------------------


@dataclass(eq=False)
class Opened(Operation):
    """A data value whose form a pattern says: its fields, by the pattern's names."""

    inputs: tuple[Quantity, ...]  # the value
    pattern: Callable[[Callable[[Quantity], Formula], Formula], Formula]
    known: bool  # whether the condition of a case says it already
    outputs: tuple[Quantity, ...] = ()

    def value(self, place: int) -> Formula:
        raise AssertionError("a field that a pattern binds has its name")

    def values(self, walk: Pass) -> None:
        if not self.known:
            shown = self.pattern(lambda q: q.name or m.ZERO, ANY)
            walk.line(shown, self.inputs[0].shown())

    def tangents(self, walk: Pass, given: list[Change]) -> list[Change]:
        (change,) = given
        assert change is not None
        differentials = [m.differential(q.name) for q in self.outputs if q.name is not None]
        found = dict(zip(self.outputs, differentials, strict=True))
        shown = self.pattern(lambda q: ANY if q.role == "constant" else found[q], ANY)
        walk.line(shown, change.formula())
        return [
            None if q.role == "constant" else Linear.of(d) for q, d in found.items()
        ]  # fmt: skip

    def cotangents(self, walk: Pass, bars: list[Change]) -> list[Change]:
        found = {q: bar.formula() for q, bar in zip(self.outputs, bars, strict=True) if bar}
        return [Linear.of(self.pattern(lambda q: found.get(q, m.ZERO), m.ZERO))]


def opened(
    reader: Reader,
    pattern: p.Pattern,
    value: Quantity,
    bound: Mapping[str, Value],
    known: bool = False,
) -> None:
    """The names that a pattern binds are the fields of a quantity."""

    def shown(name: Callable[[Quantity], Formula], rest: Formula) -> Formula:
        own = {
            key: rebuilt(each, lambda q: Quantity(q.type, name(q))) for key, each in bound.items()
        }
        return reader.pattern(pattern, own, rest)

    fields = tuple(q for each in bound.values() for q in flat(each))
    if fields:
        reader.add(Opened((value,), shown, known, fields))
