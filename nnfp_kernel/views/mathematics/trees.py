"""Combinators on trees: a line for every constructor, y_{Node l r} = … of y_l and y_r."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .blocks import Recursion
from .formula import Formula
from .quantities import Value, flat, respread, spread
from .tape import Block, Quantity

if TYPE_CHECKING:
    from .reading import Environment, Reader


def cata(
    reader: Reader,
    tree: Value,
    alternatives: Sequence[tuple[p.MatchConstructor, p.Expression]],
    type: t.Type,
    env: Environment,
) -> Value:
    assert isinstance(type, t.Function)
    result, tree_type = type.codomain, type.domain
    assert isinstance(tree_type, t.Named)
    declared = reader.program.declarations.constructors(tree_type)
    whole = reader.shown(tree)
    bases = [reader.fresh("y", "r", "v") for _ in flat(spread(result, m.ONE, reader.program))]
    reader.taken -= set(bases)  # y_t and y are different names
    cases = []
    for pattern, body in alternatives:
        children: list[Quantity] = []
        payload: list[Quantity] = []
        bound: dict[str, Value] = {}
        said: list[Formula] = []
        fields = zip(pattern.arguments, declared[pattern.name], strict=True)
        for argument, field_type in fields:
            if not _holds_tree(field_type, tree_type.name):
                found = reader.fields(argument)
                bound |= found
                payload += [q for value in found.values() for q in flat(value)]
                said.append(reader.pattern(argument, found))
                continue
            name = argument.name if isinstance(argument, p.BindName) else "c"
            letter = m.symbol(name)
            said.append(letter)
            if isinstance(argument, p.BindName):
                parts = iter(m.indexed(base, letter) for base in bases)
                value = respread(reader.concrete(argument.type, env), parts, reader.program)
                bound[name] = value
                children += flat(value)
        node: Formula = m.Letter(pattern.name)
        if said:
            node = m.Row((node, *(x for s in said for x in (m.Space(), s))), m.FUNCTION)
        with reader.within(Block()) as block:
            value = reader.evaluate(body, env.bind(bound))
            results = tuple(
                reader.renamed(q, m.indexed(base, node))
                for q, base in zip(flat(value), bases, strict=True)
            )
        cases.append((node, block, results, tuple(children), tuple(payload)))
    given = [q for case in cases for q in (*case[3], *case[4])]
    outside = [q for case in cases for q in case[1].outside() if q not in given]
    source = tree if isinstance(tree, Quantity) else reader.constant(whole, tree_type)
    operation = Recursion((source, *dict.fromkeys(outside)), tuple(cases))
    names = iter(m.indexed(base, whole) for base in bases)
    made = respread(result, names, reader.program)
    operation.outputs = tuple(flat(made))
    reader.add(operation)
    return made


def _holds_tree(type: t.Type, name: str) -> bool:
    match type:
        case t.Named(name=own):
            return own == name
        case t.Array(element=inner):
            return _holds_tree(inner, name)
        case t.Product(items=items):
            return any(_holds_tree(item, name) for item in items)
        case _:
            return False
