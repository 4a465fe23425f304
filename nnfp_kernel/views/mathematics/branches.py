"""Values of which one is taken: `if` and `case`, a line for each with the condition it has.

What the branches give is one quantity where all have the same form. Data of several forms,
`Leaf x` and `Node l r`, stay apart (`Alternatives`) until a `case` takes them up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .blocks import Choice
from .constructors import joined, opened
from .formula import Formula
from .latex import template
from .quantities import Alternatives, Built, Value, flat, form_of, rebuilt
from .tape import Block, Quantity

if TYPE_CHECKING:
    from .reading import Environment, Reader


def choose(
    reader: Reader, branches: Sequence[tuple[Formula, Formula, Callable[[], Value]]], type: t.Type
) -> Value:
    """One of several values: how each is said, its condition, and how it is made."""
    values: list[Value] = []
    blocks: list[Block] = []
    for *_, make in branches:
        with reader.within(Block()) as block:
            values.append(make())
        blocks.append(block)
    differ = len(set(map(form_of, values))) > 1 or any(map(_open, values))
    if differ and isinstance(type, t.Product):  # data of several forms among other values
        for k, block in enumerate(blocks):
            with reader.within(block):
                values[k] = joined(reader, values[k], type)
    made = [
        (said, condition, block, tuple(flat(value)))
        for (said, condition, _), block, value in zip(branches, blocks, values, strict=True)
    ]
    if differ and not isinstance(type, t.Product):
        return _alternatives(made, values)
    if not made[0][3]:
        return values[0]
    found = [q for *_, block, results in made for q in (*block.outside(), *results)]
    inside = {q for *_, b, _ in made for op in b.everywhere() for q in op.outputs}
    inputs = tuple(q for q in dict.fromkeys(found) if q not in inside)
    reader.add(Choice(inputs, tuple(made)), *(q.type for q in made[0][3]))
    supply = iter(reader.block.operations[-1].outputs)
    return rebuilt(values[0], lambda _: next(supply))


def case(
    reader: Reader,
    value: Value,
    alternatives: Sequence[tuple[p.Pattern, p.Expression]],
    env: Environment,
    type: t.Type,
) -> Value:
    if isinstance(value, Built):
        for pattern, body in alternatives:
            if not isinstance(pattern, p.MatchConstructor) or pattern.name == value.name:
                return reader.evaluate(body, env.bind(reader.bindings(pattern, value, True)))
    if isinstance(value, Alternatives):

        def within(block: Block, inner: Value) -> Callable[[], Value]:
            def make() -> Value:
                reader.block.operations += block.operations
                return case(reader, inner, alternatives, env, type)

            return make

        return choose(
            reader,
            [(said, when, within(block, inner)) for said, when, block, inner in value.branches],
            type,
        )
    if len(alternatives) == 1:
        pattern, body = alternatives[0]
        return reader.evaluate(body, env.bind(reader.bindings(pattern, value, True)))
    branches = []
    before: list[tuple[p.Pattern, Formula]] = []  # the first that matches is the one
    for pattern, body in alternatives:
        taken = isinstance(pattern, p.MatchConstructor) and isinstance(value, Quantity)
        bound = reader.fields(pattern) if taken else reader.bindings(pattern, value)
        form = reader.pattern(pattern, bound)
        condition: Formula = m.equation(reader.shown(value), form)
        said: Formula = m.row(m.Words("if "), condition)
        rest = isinstance(pattern, p.BindName | p.BindNothing)
        others = [each for other, each in before if rest or _overlap(other, pattern)]
        if rest and before:
            said, (condition, *others) = m.Words("otherwise"), others
            condition = m.equation(reader.shown(value), condition, "≠")
        for each in others:
            unlike = m.equation(reader.shown(value), each, "≠")
            condition = template(r"{0} \land {1}", condition, unlike)
        before.append((pattern, form))

        def make(
            bound: Mapping[str, Value] = bound,
            body: p.Expression = body,
            pattern: p.Pattern | None = pattern if taken else None,
            holds: Formula = condition,
        ) -> Value:
            if pattern is not None and bound:
                reader.block.range = m.row(m.Words("if "), holds)
                opened(reader, pattern, value, bound, True)
            return reader.evaluate(body, env.bind(bound))

        branches.append((said, condition, make))
    return choose(reader, branches, type)


def _alternatives(
    made: Sequence[tuple[Formula, Formula, Block, tuple[Quantity, ...]]], values: Sequence[Value]
) -> Alternatives:
    """Constructed values of different forms; choices among choices are one."""
    found: list[tuple[Formula, Formula, Block, Value]] = []
    for (said, condition, block, _), value in zip(made, values, strict=True):
        if not isinstance(value, Alternatives):
            found.append((said, condition, block, value))
            continue
        for _, inner, more, each in value.branches:
            both = template(r"{0} \land {1}", condition, inner)
            joined = Block(operations=[*block.operations, *more.operations])
            found.append((m.row(m.Words("if "), both), both, joined, each))
    return Alternatives(tuple(found))


def _open(value: Value) -> bool:
    """Whether there is a choice of forms in a value."""
    if isinstance(value, tuple):
        return any(map(_open, value))
    return isinstance(value, Alternatives) or (isinstance(value, Built) and _open(value.fields))


def _overlap(a: p.Pattern, b: p.Pattern) -> bool:
    """Whether a value may match both."""
    return not (
        isinstance(a, p.MatchConstructor) and isinstance(b, p.MatchConstructor) and a.name != b.name
    )
