"""Operators: how tightly each binds, and rows of them as trees.

    a + b * c ^ d       a + (b * (c ^ d))
    f >> g >> h         (f >> g) >> h
    a == b == c         a mistake: comparisons have no side

The automaton (automaton.py) reads a row of operands and operators as it stands; here it is
grouped by the table `FIXITIES`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import mistakes
from . import syntax as s
from .layout import Part, Token, span_of
from .mistakes import Mistake


class Fixity(NamedTuple):
    precedence: int
    associativity: str  # "left", "right" or "none"


FIXITIES: dict[str, Fixity] = {
    operator: Fixity(precedence, associativity)
    for precedence, (associativity, operators) in enumerate(
        (
            ("left", "|>"),
            ("left", ">> <<"),
            ("right", "&&&"),
            ("right", "***"),
            ("right", "||"),
            ("right", "&&"),
            ("none", "== /= < <= > >="),
            ("right", "++"),
            ("left", "+ -"),
            ("left", "* /"),
            ("right", "@"),
            # here binds the sign, see NEGATION
            ("right", "^"),
            ("left", "!"),
        )
    )
    for operator in operators.split()
}
"""How tightly each operator binds, loosest first, and to which side it associates."""

NEGATION = FIXITIES["@"].precedence + 0.5
"""How tightly the sign binds: tighter than `@`, looser than `^`."""

MAXIMUM_CHAIN = 100
"""How long what nests to the right may be: `a ++ b ++ …`, arguments, sizes."""


def by_fixity(row: list[Part]) -> s.Expression:
    """A row of operands and operators as a tree, by FIXITIES.

    Two stacks and no recursion: a row may be thousands of operands long.
    """
    operands: list[Any] = []
    waiting: list[tuple[float, Token, bool]] = []  # precedence, operator, is it a sign

    def reduce_one() -> None:
        _, operator, sign = waiting.pop()
        right = operands.pop()
        if sign:
            operands.append(s.Negate(right, span=span_of([operator, right])))
        else:
            left = operands.pop()
            operands.append(s.Binary(operator.kind, left, right, span=span_of([left, right])))

    expecting_operand = True
    for part in row:
        if type(part) is not Token:
            operands.append(part)
            expecting_operand = False
            continue
        if expecting_operand:
            waiting.append((NEGATION, part, True))
        else:
            fixity = FIXITIES[part.kind]
            while waiting and _first_binds(waiting[-1], part, fixity, operands):
                reduce_one()
            waiting.append((fixity.precedence, part, False))
            expecting_operand = True
        if len(waiting) > MAXIMUM_CHAIN:
            raise Mistake(mistakes.too_long(part.span, MAXIMUM_CHAIN))
    while waiting:
        reduce_one()
    expression: s.Expression = operands[0]
    return expression


def _first_binds(
    first: tuple[float, Token, bool], second: Token, fixity: Fixity, operands: list[Any]
) -> bool:
    """Whether an operator takes the last operand, which stands between it and a second."""
    precedence, operator, _ = first
    if precedence != fixity.precedence:
        return precedence > fixity.precedence
    if fixity.associativity == "none":
        left, between = operands[-2:]
        raise Mistake(mistakes.chained_comparison(operator, second, left.span, between.span))
    if operator.kind != second.kind and {operator.kind, second.kind} == {">>", "<<"}:
        raise Mistake(mistakes.mixed_composition(operator, second))
    return fixity.associativity == "left"


def sizes_by_fixity(row: list[Part]) -> s.SizeTree:
    """The same for sizes: `*` and `/` before `+` and `-`, all to the left."""
    total: s.SizeTree | None = None
    pending: Token | None = None  # the + or - before the product being read
    product: s.SizeTree = row[0]
    for operator, atom in zip(row[1::2], row[2::2], strict=True):
        if operator.kind in "*/":
            product = s.SizeBinary(operator.kind, product, atom, span=span_of([product, atom]))
            continue
        total = _add_size(total, pending, product)
        pending, product = operator, atom
    return _add_size(total, pending, product)


def _add_size(total: s.SizeTree | None, operator: Token | None, term: s.SizeTree) -> s.SizeTree:
    if total is None or operator is None:
        return term
    return s.SizeBinary(operator.kind, total, term, span=span_of([total, term]))
