"""Indices and how far they run: sums, t = 0, …, n - 1, and conditions.

summed      Σ a, over an index
counted     i = 0, …, n - 1, and `nested` of a loop in a loop
negation    a ≥ b, of not a < b
"""

from __future__ import annotations

from collections.abc import Sequence

from .arithmetic import negated, negative, numbered, product, shifted
from .tree import (
    ATOM,
    ONE,
    PRODUCT,
    RELATION,
    SUMMED,
    ZERO,
    Digits,
    Fenced,
    Formula,
    Row,
    Script,
    Sign,
    Space,
    equation,
    fitted,
    inside,
    listed,
)


def summed(a: Formula, below: Formula, count: Formula | None = None) -> Formula:
    """Σ a, over all values of an index that there are, or so many."""
    if (positive := negated(a)) is not None:
        return negative(summed(positive, below, count))
    number, rest = numbered(a)
    if number > 1 and rest != ONE:
        return product(Digits(str(number)), summed(rest, below, count))
    sign = Script(SUMMED, below)
    if count is not None:
        sign = Script(SUMMED, equation(below, ZERO), _before(count))
    return Row((sign, fitted(a, PRODUCT)), PRODUCT)


_OPPOSITES = {"=": "≠", "<": "≥", ">": "≤"}


_OPPOSITES |= {other: sign for sign, other in _OPPOSITES.items()}


_LOGIC = frozenset((*_OPPOSITES, *"∧∨¬"))


def negation(a: Formula) -> Formula:
    """¬ a; of a < b, a ≥ b."""
    items = list(a.items) if isinstance(a, Row) else []
    signs = [k for k, each in enumerate(items) if isinstance(each, Sign) and each.text in _LOGIC]
    if len(signs) == 1 and items[signs[0]] == Sign("¬"):
        inner = items[1]
        return inner.inside if isinstance(inner, Fenced) and inner.left == "(" else inner
    if len(signs) == 1:
        sign = items[signs[0]]
        assert isinstance(sign, Sign)
        if sign.text in _OPPOSITES:
            items[signs[0]] = Sign(_OPPOSITES[sign.text])
            return Row(tuple(items), RELATION)
    return Row((Sign("¬"), fitted(a, ATOM)), PRODUCT)


def counted(index: Formula, count: Formula, down: bool = False) -> Formula:
    """t = 0, …, n - 1: elements are counted from 0, as in the program; or from the last down."""
    first, last = (_before(count), ZERO) if down else (ZERO, _before(count))
    return Row((*equation(index, first).items, Sign(","), Sign("…"), Sign(","), last), RELATION)


def nested(ranges: Sequence[Formula]) -> Formula:
    """i = 0, …, 2, j = 0, …, 3 of a loop in a loop, the outer one first; i, j = 0, …, 3 of
    two that are as long.

    >>> from ..plain import to_plain
    >>> from .tree import Letter
    >>> i, j = (counted(Letter(name), Digits("4")) for name in "ij")
    >>> to_plain(nested([i, j])), to_plain(nested([i, counted(Letter("k"), Letter("n"))]))
    ('i, j = 0, …, 3', 'i = 0, …, 3,  k = 0, …, n - 1')
    """
    made: list[Row] = []
    for each in ranges:
        assert isinstance(each, Row)
        if made and len(each.items) == _COUNTED and made[-1].items[1:] == each.items[1:]:
            index = listed([*_listed(made[-1].items[0]), each.items[0]])
            made[-1] = Row((index, *each.items[1:]), RELATION)
        else:
            made.append(each)
    items: list[Formula] = []
    for each in made:
        items += [Sign(","), Space(True), each] if items else [each]
    return made[0] if len(made) == 1 else Row(tuple(items), RELATION)


def ranges(nested: Formula) -> list[Formula]:
    """What a range is made of: i = 0, …, 2 and j = 0, …, 3, each with its comma."""
    if not isinstance(nested, Row) or Space(True) not in nested.items:
        return [nested]
    made: list[list[Formula]] = [[]]
    for item in nested.items:
        if item == Space(True):
            made.append([])
        else:
            made[-1].append(item)
    return [Row(tuple(own), RELATION) for own in made if own]


_COUNTED = 7  # the signs of t = 0, …, n


def _listed(index: Formula) -> Sequence[Formula]:
    return index.items[::2] if isinstance(index, Row) else (index,)


def counts(range: Formula) -> bool:
    """Whether a range is that of a loop over numbers, and not of nodes or a condition."""
    return isinstance(range, Row) and any(each == Sign("…") for each in inside(range))


def _before(count: Formula) -> Formula:
    """count - 1: n - 1 of n, 4 of 5, n - 3 of n - 2."""
    return shifted(count, -1)
