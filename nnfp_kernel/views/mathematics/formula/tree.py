"""The tree that a formula is: letters, digits and signs, and what is made of them.

Nothing here calculates: what is put into another is bracketed where it must be (`fitted`), and
that is all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

# How tightly formulas bind, loosest first.
RELATION, SUM, PRODUCT, FUNCTION, POWER, ATOM = range(6)


@dataclass(frozen=True)
class Letter:
    """A variable in italics, or a name of several letters, upright."""

    text: str

    @property
    def upright(self) -> bool:
        return len(self.text) > 1


@dataclass(frozen=True)
class Digits:
    text: str


@dataclass(frozen=True)
class Sign:
    """An operator, a relation or a big operator: `+`, `⊙`, `=`, `∑`."""

    text: str


@dataclass(frozen=True)
class Space:
    wide: bool = False


@dataclass(frozen=True)
class Words:
    """Plain text among formulas."""

    text: str


@dataclass(frozen=True)
class Row:
    items: tuple[Formula, ...]
    binding: int = ATOM


@dataclass(frozen=True)
class Script:
    base: Formula
    sub: Formula | None = None
    sup: Formula | None = None


@dataclass(frozen=True)
class Bar:
    inside: Formula


@dataclass(frozen=True)
class Fraction:
    top: Formula
    bottom: Formula


@dataclass(frozen=True)
class Root:
    inside: Formula


@dataclass(frozen=True)
class Fenced:
    left: str
    inside: Formula
    right: str


@dataclass(frozen=True)
class Cases:
    """Values, each with the condition under which it is the one."""

    rows: tuple[tuple[Formula, Formula], ...]


@dataclass(frozen=True)
class Slot:
    """The place of an operand in a template, and how tightly that has to bind."""

    number: int
    needed: int = RELATION


Formula: TypeAlias = (
    Letter | Digits | Sign | Space | Words | Row | Script | Bar | Fraction | Root | Fenced | Cases
    | Slot
)  # fmt: skip


ZERO, ONE = Digits("0"), Digits("1")


ONES = Letter("𝟏")  # an array of ones


ZEROS = Letter("𝟎")  # with its sizes below, an array of zeros


SUMMED = Sign("∑")


def binding(formula: Formula) -> int:
    """How tightly a formula holds together."""
    match formula:
        case Row():
            return formula.binding
        case Script(sup=None):
            return ATOM
        case Script():
            return POWER
        case Fraction() | Words():
            return PRODUCT
        case Cases():
            return SUM
        case _:
            return ATOM


def fitted(formula: Formula, needed: int) -> Formula:
    """The formula, in brackets where it binds less tightly than needed."""
    return formula if binding(formula) >= needed else Fenced("(", formula, ")")


_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
    "_ sigma tau upsilon phi chi psi omega"
)


GREEK = {name: chr(ord("α") + k) for k, name in enumerate(_GREEK.split()) if name != "_"}


def symbol(name: str) -> Formula:
    """A name of the language as mathematics writes it: x1 is x with an index, theta is θ.

    >>> from ..latex import to_latex
    >>> to_latex(symbol("theta2")), to_latex(symbol("hidden")), to_latex(symbol("h'"))
    ('\\\\theta_2', '\\\\mathrm{hidden}', "h'")
    """
    if re.fullmatch(r"_\d+", name):  # what a program has no name for
        name = "x" + name
    primes = len(name) - len(name.rstrip("'"))
    found = re.fullmatch(r"([^\W\d_]+)_?(\d+)", name.rstrip("'"))
    text, number = (found[1], found[2]) if found else (name.rstrip("'"), "")
    letter = Letter(GREEK.get(text, text))
    if not number and not primes:
        return letter
    return Script(
        letter, Digits(number) if number else None, Sign("′" * primes) if primes else None
    )


def row(*items: Formula, binds: int = ATOM) -> Row:
    return Row(items, binds)


def floor(a: Formula, ceiling: bool = False) -> Formula:
    """⌊a⌋, or ⌈a⌉"""
    return Fenced("⌈", a, "⌉") if ceiling else Fenced("⌊", a, "⌋")


def in_line(a: Fenced) -> Fenced:
    """⌊n/2⌋ with a stroke for its fraction: it stands in indices and beside a line."""
    if a.left not in "⌊⌈" or not isinstance(a.inside, Fraction):
        return a
    top, bottom = fitted(a.inside.top, PRODUCT), fitted(a.inside.bottom, ATOM)
    return Fenced(a.left, Row((top, Sign("/"), bottom), PRODUCT), a.right)


def listed(items: Sequence[Formula]) -> Formula:
    """a, b, c"""
    inside: list[Formula] = []
    for item in items:
        inside += [Sign(","), item] if inside else [item]
    return Row(tuple(inside), RELATION)


def tupled(items: Sequence[Formula]) -> Formula:
    """(a, b); of one, that one."""
    return items[0] if len(items) == 1 else Fenced("(", listed(items), ")")


def applied(function: Formula, arguments: Sequence[Formula]) -> Formula:
    """f(x, y)"""
    if len(arguments) == 1 and isinstance(arguments[0], Fenced) and arguments[0].left == "(":
        return Row((fitted(function, POWER), arguments[0]), POWER)
    return Row((fitted(function, POWER), Fenced("(", listed(arguments), ")")), POWER)


def differential(a: Formula) -> Formula:
    """dx"""
    return Row((Letter("d"), a), POWER)


def is_differential(a: Formula) -> bool:
    """Whether it is dx, and no product with a d of the program."""
    return isinstance(a, Row) and a.binding == POWER and len(a.items) == 2 and a.items[0] == (
        Letter("d")
    )  # fmt: skip


def barred(a: Formula) -> Formula:
    """x̄, the bar over the letter alone: the cotangent of x_t is x̄ with the index t."""
    return replace(a, base=Bar(a.base)) if isinstance(a, Script) else Bar(a)


def equation(left: Formula, right: Formula, sign: str = "=") -> Row:
    return Row((left, Sign(sign), right), RELATION)


def size_of(formula: Formula, indices: bool = True) -> int:
    """The number of atoms, or of those that are no indices."""
    if isinstance(formula, Letter | Digits | Slot):
        return 1
    if isinstance(formula, Script) and not indices:
        formula = Script(formula.base, None, formula.sup)
    return sum(size_of(part, indices) for part in parts(formula))


def inside(formula: Formula) -> list[Formula]:
    """All formulas inside, however deep."""
    return [each for part in parts(formula) for each in (part, *inside(part))]


def has_sum(formula: Formula) -> bool:
    return any(each == SUMMED for each in inside(formula))


def parts(formula: Formula) -> list[Formula]:
    """The formulas directly inside."""
    match formula:
        case Row(items=items):
            return list(items)
        case Cases(rows=rows):
            return [each for pair in rows for each in pair]
        case _:
            values = [getattr(formula, field.name) for field in fields(formula)]
            return [each for each in values if not isinstance(each, str | int) and each]


def substitute(formula: Formula, old: Formula, new: Formula) -> Formula:
    """The formula with `new`, bracketed where needed, for every `old` in it."""
    if formula == old:
        return new

    def inner(part: Formula | None) -> Formula | None:
        return None if part is None else substitute(part, old, new)

    match formula:
        case Row(items=items, binding=level):
            return Row(tuple(substitute(item, old, new) for item in items), level)
        case Script(base=base, sub=sub, sup=sup):
            return Script(fitted(substitute(base, old, new), ATOM), inner(sub), inner(sup))
        case Bar(inside=inside):
            return Bar(substitute(inside, old, new))
        case Root(inside=inside):
            return Root(substitute(inside, old, new))
        case Fraction(top=top, bottom=bottom):
            return Fraction(substitute(top, old, new), substitute(bottom, old, new))
        case Fenced(left=left, inside=inside, right=right):
            return Fenced(left, substitute(inside, old, new), right)
        case Cases(rows=rows):
            return Cases(tuple((substitute(a, old, new), substitute(b, old, new)) for a, b in rows))
        case _:
            return formula


def holds(formula: Formula, kinds: tuple[type, ...]) -> bool:
    return isinstance(formula, kinds) or any(holds(each, kinds) for each in parts(formula))
