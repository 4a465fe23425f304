"""What the names of a pattern stand for: a value taken apart, as the pattern takes it.

(x, y)          the parts of a pair, which are wires already
Picture p       a box that leaves the representation
Node l r        a box with an output for each name
"""

from __future__ import annotations

from collections.abc import Sequence

from ...language import typed as p
from ...language import types as t
from .diagram import Node, Wire
from .draft import Draft
from .place import Place
from .values import Term, Value, made_from, made_of


def bindings(draft: Draft, pattern: p.Pattern, value: Value, place: Place) -> dict[str, Value]:
    """The names of a pattern, each with what it stands for."""
    match pattern:
        case p.BindName(name=name):
            return {name: value}
        case p.MatchTuple(items=items):
            found: dict[str, Value] = {}
            for item, part in zip(items, split(draft, value, len(items)), strict=True):
                found.update(bindings(draft, item, part, place))
            return found
        case p.LeaveRep(name=name, argument=argument):
            carrier = place.type(argument.type)
            with draft.at(pattern.span):
                left = draft.box("leave", name, [value], carrier, operation="leave")
            return bindings(draft, argument, left, place)
        case p.MatchConstructor(name=name, arguments=arguments):
            return fields(draft, [(name, arguments)], value, place)[0]
        case _:
            return {}


def split(draft: Draft, value: Value, count: int) -> Sequence[Value]:
    """The parts of a product: of a closed one, too."""
    if isinstance(value, tuple):
        return value
    assert isinstance(value, Term), value
    if isinstance(value.type, t.Product):
        if value.text == "zero":
            return [Term("zero", item) for item in value.type.items]
        return list(made_from(draft.flow(value), value.type))
    raise AssertionError("a pattern of a value that is no product")


def fields(
    draft: Draft,
    patterns: Sequence[tuple[str, Sequence[p.Pattern]]],
    value: Value,
    place: Place,
) -> list[dict[str, Value]]:
    """A data value taken apart: a box with an output for each name in the patterns."""
    wires: list[Wire] = []
    names: list[str] = []
    values = []
    for constructor, arguments in patterns:
        parts = []
        for argument in arguments:
            type = place.type(argument.type)

            def wire(leaf: t.Type, of: p.Pattern = argument, by: str = constructor) -> Wire:
                inside = of.argument if isinstance(of, p.LeaveRep) else of
                known = inside.name if isinstance(inside, p.BindName) else ""
                names.append(f"{by} {known}".rstrip())
                wires.append(draft.wire(leaf, known))
                return wires[-1]

            parts.append(made_of(type, wire))
        values.append(parts)
    label = patterns[0][0] if len(patterns) == 1 else "case"
    node = Node(
        "box", label, tuple(draft.flow(value)), tuple(wires), after=tuple(names),
        operation="case", origin=draft.here,
    )  # fmt: skip
    draft.sheet.nodes.append(node)
    answers = []
    for (_, arguments), found in zip(patterns, values, strict=True):
        bound: dict[str, Value] = {}
        for argument, part in zip(arguments, found, strict=True):
            bound.update(bindings(draft, argument, part, place))
        answers.append(bound)
    return answers
