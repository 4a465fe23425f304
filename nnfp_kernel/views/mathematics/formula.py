"""Formulas: mathematics as a tree, which latex.py and views/mathml.py print.

    x, W, σ, 3, +         Letter, Digits, Sign: atoms
    W x + b               Row: atoms side by side, and how tightly they bind
    x_1, x^2, s_{t+1}     Script
    ȳ                     Bar
    fractions, roots      Fraction, Root
    (…), |…|, ‖…‖, [x > 0] Fenced
    a case distinction    Cases

A formula is put into another by `fitted`, which brackets it where it binds less tightly
than its place asks for; so no printer ever has to think of brackets.

>>> from .latex import to_latex
>>> x = symbol("x1")
>>> to_latex(plus(power(x, Digits("2")), product(x, symbol("W"))))
'x_1^2 + x_1 W'
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import gcd, prod
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


# --- making formulas ------------------------------------------------------------------------


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

    >>> from .latex import to_latex
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


def number(value: complex) -> Formula:
    """A number by its digits: 3, −0.25, 10⁻⁶, 1 + 2i."""
    if isinstance(value, complex):
        imaginary = product(number(value.imag), Letter("i"))
        return plus(number(value.real), imaginary)
    digits, _, exponent = f"{abs(value):.6g}".partition("e")
    shown: Formula = Digits(digits)
    if exponent:
        power = Digits(str(abs(int(exponent))))
        ten = Script(Digits("10"), None, power if int(exponent) > 0 else negative(power))
        shown = ten if digits == "1" else Row((Digits(digits), Sign("·"), ten), PRODUCT)
    return negative(shown) if value < 0 else shown


def row(*items: Formula, binds: int = ATOM) -> Row:
    return Row(items, binds)


def negated(formula: Formula) -> Formula | None:
    """a, where the formula is -a."""
    if isinstance(formula, Row) and formula.binding == SUM and formula.items[0] == Sign("−"):
        rest = formula.items[1:]
        return rest[0] if len(rest) == 1 else None
    return None


def negative(a: Formula) -> Formula:
    if a == ZERO:
        return a
    inner = negated(a)
    return inner if inner is not None else Row((Sign("−"), fitted(a, PRODUCT)), SUM)


def plus(a: Formula, b: Formula) -> Formula:
    """a + b, where + 0 says nothing and + (- b) is - b."""
    if a == ZERO or b == ZERO:
        return b if a == ZERO else a
    inner = negated(b)
    if inner is not None:
        return minus(a, inner)
    *first, last = terms(a)
    if _is_sum(last) and not has_sum(b):  # b + ∑ a: what follows a sum would be read as in it
        return plus(_added([*first, b]), last)
    return Row((*_flat(_summand(a), SUM), Sign("+"), *_flat(_summand(b), SUM)), SUM)


def _is_sum(a: Formula) -> bool:
    """Whether it is ∑ a, and not a factor in front of it."""
    first = a.items[0] if isinstance(a, Row) and a.binding == PRODUCT else a
    return isinstance(first, Script) and first.base == SUMMED


def _added(terms: Sequence[Formula]) -> Formula:
    total: Formula = ZERO
    for term in terms:
        total = plus(total, term)
    return total


def minus(a: Formula, b: Formula) -> Formula:
    if b == ZERO:
        return a
    if a == ZERO:
        return negative(b)
    return Row((*_flat(_summand(a), SUM), Sign("−"), fitted(b, PRODUCT)), SUM)


def _summand(a: Formula) -> Formula:
    return Fenced("(", a, ")") if _is_joined(a) else a


def joined(a: Formula, b: Formula) -> Formula:
    """a ⧺ b: one sequence after the other."""
    left, right = (_flat(f, SUM) if _is_joined(f) else (fitted(f, PRODUCT),) for f in (a, b))
    return Row((*left, Sign("⧺"), *right), SUM)


def _is_joined(a: Formula) -> bool:
    return isinstance(a, Row) and Sign("⧺") in a.items


def terms(a: Formula) -> list[Formula]:
    """The terms of a sum, each with its sign."""
    if not isinstance(a, Row) or a.binding != SUM or _is_joined(a):
        return [a]
    found: list[Formula] = []
    negative_one = False
    own: list[Formula] = []
    for item in (*a.items, Sign("+")):
        if item not in (Sign("+"), Sign("−")):
            own.append(item)
            continue
        if own:
            term = own[0] if len(own) == 1 else Row(tuple(own), PRODUCT)
            found.append(negative(term) if negative_one else term)
        negative_one, own = item == Sign("−"), []
    return found


def _flat(a: Formula, level: int) -> tuple[Formula, ...]:
    return a.items if isinstance(a, Row) and a.binding == level else (fitted(a, level),)


def product(a: Formula, b: Formula) -> Formula:
    """a b side by side, where a factor 1 says nothing."""
    if a == ONE or b == ONE:
        return b if a == ONE else a
    if ZERO in (a, b):
        return ZERO
    if (inner := negated(a)) is not None:
        return negative(product(inner, b))
    if (inner := negated(b)) is not None:
        return negative(product(a, inner))
    a, b = (_HALF if f == Digits("0.5") else f for f in (a, b))
    if isinstance(a, Fraction) and a.top == ONE:
        return fraction(b, a.bottom)
    if isinstance(b, Fraction) and b.top == ONE:
        return fraction(a, b.bottom)
    if _is_integral(a):
        a = Fenced("(", a, ")")
    left, right = _flat(a, PRODUCT), _flat(b, PRODUCT)
    if isinstance(a, Digits) and len(right) > 1:
        match right[0]:
            case Fraction(top=top, bottom=bottom) if top == ONE or isinstance(bottom, Digits):
                rest = right[1:] if right[1] != Space() else right[2:]  # 2 (h/2) x is h x
                front = fraction(times(a, top), bottom)
                return product(front, rest[0] if len(rest) == 1 else Row(rest, PRODUCT))
    if isinstance(right[0], Digits) and not isinstance(left[0], Digits):  # numbers come first
        rest = right[2:] if right[1:2] in ((Sign("·"),), (Space(),)) else right[1:]
        return product(right[0], product(a, Row(rest, PRODUCT)) if rest else a)
    left = (*left[:-1], _enclosing(left[-1], right[0]))
    if Sign("⊙") in left or Sign("⊗") in left:
        left = (Fenced("(", a, ")"),)
    if Sign("⊙") in right and not isinstance(a, Digits):
        right = (Fenced("(", b, ")"),)
    between = _between(left[-1], right[0])
    return Row((*left, *between, *right), PRODUCT)


_HALF = Fraction(ONE, Digits("2"))


def _is_integral(a: Formula) -> bool:
    first = a.items[0] if isinstance(a, Row) else a
    return isinstance(first, Script) and first.base == Sign("∫")


# What is read as ending where a sum, a differential or a cotangent begins: cos x dx.
CUSTOMARY = frozenset(("sin", "cos", "tan", "sinh", "cosh", "tanh", "log"))


def _enclosing(a: Formula, following: Formula) -> Formula:
    """f(x), where f x would be read as if it went on: max(w) y, cos(angle) x."""
    if not isinstance(a, Row) or a.binding != FUNCTION or len(a.items) != 2:
        return a
    function, argument = a.items
    if not isinstance(function, Letter) or isinstance(argument, Fenced):
        return a
    word = isinstance(argument, Letter) and argument.upright
    bar = isinstance(following, Bar) or holds(following, (Bar,))
    ends = is_differential(following) or (
        function.text in CUSTOMARY and (bar or isinstance(following, Fenced))
    )
    return a if ends and not word else applied(function, [argument])


def _alone(a: Formula) -> Formula:
    """cos x, of cos(x) that no factor follows any more."""
    if isinstance(a, Row) and a.binding == POWER and len(a.items) == 2:
        function, argument = a.items
        if isinstance(function, Letter) and function.text in CUSTOMARY:
            inner = argument.inside if isinstance(argument, Fenced) else argument
            inner = inner.items[0] if isinstance(inner, Row) and len(inner.items) == 1 else inner
            return Row((function, inner), FUNCTION) if binding(inner) == ATOM else a
    return a


def _between(left: Formula, right: Formula) -> tuple[Formula, ...]:
    """What keeps two factors apart."""
    if isinstance(_first(right), Digits) or isinstance(right, Words):
        return (Sign("·"),)
    if _worded(left) or _worded(right):
        return (Space(),)
    return ()


def _first(formula: Formula) -> Formula:
    while isinstance(formula, Row | Script):
        formula = formula.base if isinstance(formula, Script) else formula.items[0]
    return formula


def _worded(formula: Formula) -> bool:
    if isinstance(formula, Row):  # a differential, a function at its argument
        return True
    first = _first(formula)
    return isinstance(first, Letter) and first.upright


def entrywise(a: Formula, b: Formula) -> Formula:
    """a ⊙ b: the product entry by entry."""
    if a == ONE or b == ONE:
        return b if a == ONE else a
    if ZERO in (a, b):
        return ZERO
    if (inner := negated(a)) is not None:
        return negative(entrywise(inner, b))
    if (inner := negated(b)) is not None:
        return negative(entrywise(a, inner))
    if isinstance(a, Digits) or isinstance(b, Digits):
        return product(a, b)
    for one, other in ((a, b), (b, a)):
        if (number := constant_array(one)) is not None:
            return product(number, other)
    if isinstance(a, Fraction) and a.top == ONE:
        return fraction(b, a.bottom)
    if isinstance(b, Fraction) and b.top == ONE:
        return fraction(a, b.bottom)
    (front, left), (number, right) = map(_entry_factors, (a, b))
    items: list[Formula] = []
    for factor in _powers([*left, *right]):
        items += [Sign("⊙")] if items else []
        items += _flat(factor, PRODUCT)
    numbers = _multiplied([front, number])
    own = [numbers, *_between(numbers, items[0])] if numbers != ONE else []
    return items[0] if len(items) == 1 and not own else Row((*own, *items), PRODUCT)


def _entry_factors(a: Formula) -> tuple[Formula, list[Formula]]:
    """2, and the factors x and y, of 2 x ⊙ y."""
    if not isinstance(a, Row) or a.binding != PRODUCT or _is_outer(a):
        return ONE, [Fenced("(", a, ")") if _is_outer(a) else a]
    number: Formula = ONE
    items = list(a.items)
    if isinstance(items[0], Digits) and items[1:2] not in ([Sign("⊙")], [Sign("·")]):
        number, *items = items
        items = items[1:] if items[:1] == [Space()] else items
    found: list[list[Formula]] = [[]]
    for item in items:
        if item == Sign("⊙"):
            found.append([])
        else:
            found[-1].append(item)
    return number, [own[0] if len(own) == 1 else Row(tuple(own), PRODUCT) for own in found]


def _powers(factors: Sequence[Formula]) -> list[Formula]:
    """The factors, where those that are equal are a power: x² y of x, y and x."""
    exponents: dict[Formula, int] = {}
    numbers = [each for each in factors if isinstance(each, Digits)]
    if len(numbers) > 1 and all(each.text.isdigit() for each in numbers):
        numbers = [Digits(str(prod(int(each.text) for each in numbers)))]
    for each in factors:
        match each:
            case Digits():
                continue
            case Script(base=base, sub=sub, sup=Digits(text=text)) if text.isdigit():
                bare = Script(base, sub) if sub else base
                bare, times = (bare.inside if _is_bracketed(bare) else bare), int(text)  # type: ignore[union-attr]
            case _:
                bare, times = each, 1
        exponents[bare] = exponents.get(bare, 0) + times
    return [*numbers, *(power(base, Digits(str(times))) for base, times in exponents.items())]


def _is_bracketed(a: Formula) -> bool:
    return isinstance(a, Fenced) and a.left == "("


def times(a: Formula, b: Formula) -> Formula:
    """The product of two numbers, or of a number and an array: x x is x²."""
    if (inner := negated(a)) is not None:
        return negative(times(inner, b))
    if (inner := negated(b)) is not None:
        return negative(times(a, inner))
    if isinstance(a, Fraction) or isinstance(b, Fraction):
        (top, bottom), (above, below) = (
            (f.top, f.bottom) if isinstance(f, Fraction) else (f, ONE) for f in (a, b)
        )
        return fraction(times(top, above), times(bottom, below))
    both = [*_own_factors(a), *_own_factors(b)]
    if has_sum(a) or has_sum(b) or len(merged := _powers(both)) == len(both):
        return product(a, b)
    return _multiplied(merged)


def _is_outer(a: Formula) -> bool:
    return isinstance(a, Row) and Sign("⊗") in a.items


def constant_array(a: Formula) -> Formula | None:
    """c, where the formula is c 𝟏."""
    if not isinstance(a, Row) or a.binding != PRODUCT or a.items[-1] != ONES:
        return None
    front = [item for item in a.items[:-1] if not isinstance(item, Space)]
    if any(isinstance(item, Sign) for item in front):
        return None
    return front[0] if len(front) == 1 else Row(tuple(front), PRODUCT)


LONG_TOP = 9  # atoms over a number


def fraction(top: Formula, bottom: Formula) -> Formula:
    """top / bottom, without the factors they have in common."""
    if (inner := negated(top)) is not None:
        return negative(fraction(inner, bottom))
    if top == Digits("0.5"):
        return fraction(ONE, product(Digits("2"), bottom))
    if isinstance(top, Fraction) and top.bottom == bottom:  # r/‖r‖ over ‖r‖ is r/‖r‖²
        return fraction(top.top, power(bottom, Digits("2")))
    if isinstance(top, Fraction) and isinstance(bottom, Digits):
        return fraction(top.top, product(bottom, top.bottom))
    if all(isinstance(f, Digits) and f.text.isdigit() and f != ZERO for f in (top, bottom)):
        share = gcd(*(int(f.text) for f in (top, bottom)))  # type: ignore[union-attr]
        top, bottom = (Digits(str(int(f.text) // share)) for f in (top, bottom))  # type: ignore[union-attr]
        return top if bottom == ONE else Fraction(top, bottom)
    above, under = _own_factors(top), _own_factors(bottom)
    for factor in list(above):
        if factor in under:
            above.remove(factor)
            under.remove(factor)
    if len(above) == len(_own_factors(top)):
        if isinstance(bottom, Digits) and size_of(top) > LONG_TOP:  # no line is broken in it
            return Row((Fraction(ONE, bottom), *_flat(top, PRODUCT)), PRODUCT)
        return Fraction(top, bottom)
    over, rest = _multiplied(above), _multiplied(under)
    return over if rest == ONE else Fraction(over, rest)


def factors(a: Formula) -> tuple[Formula, ...]:
    """What stands side by side in a product, as it is written."""
    return _flat(a, PRODUCT)


def _own_factors(a: Formula) -> list[Formula]:
    """The factors of a product of numbers, or the formula itself."""
    if (
        isinstance(a, Row)
        and a.binding == PRODUCT
        and not any(isinstance(i, Sign) for i in a.items)
    ):
        return [item for item in a.items if not isinstance(item, Space)]
    return [a]


def _multiplied(factors: Sequence[Formula]) -> Formula:
    total: Formula = ONE
    for factor in factors:
        total = product(total, factor)
    return _alone(total)


def coefficient(a: Formula, b: Formula, together: bool) -> Formula:
    """The product of two factors, entry by entry where both are vectors; fractions join."""
    join = entrywise if together else times
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return fraction(join(a.top, b.top), join(a.bottom, b.bottom))
    if isinstance(a, Fraction) and b != ONE:
        return fraction(join(a.top, b), a.bottom)
    if isinstance(b, Fraction) and a != ONE:
        return fraction(join(a, b.top), b.bottom)
    return join(a, b)


def collected(a: Formula, b: Formula) -> Formula:
    """a + b, where terms that are equal but for a number are one: 3 x² of 2 x² + x²."""
    found = terms(a) if a != ZERO else []
    for k, each in enumerate(found):
        (one, own), (two, other) = _numbered(each), _numbered(b)
        if own == other or Counter(_entry_factors(own)[1]) == Counter(_entry_factors(other)[1]):
            found[k] = _many(one + two, own)
            return _added([term for term in found if term != ZERO])
    return plus(a, b)


def common_number(a: Formula) -> tuple[Formula, Formula]:
    """2 and x - y, of 2 x - 2 y."""
    found = [_numbered(term) for term in terms(a)]
    (count, *others) = {abs(number) for number, _ in found}
    if others or count < 2 or len(found) < 2:
        return ONE, a
    return Digits(str(count)), _added([_many(k // count, own) for k, own in found])


def _numbered(a: Formula) -> tuple[int, Formula]:
    """-2 and x, of -2 x."""
    if (inner := negated(a)) is not None:
        count, positive = _numbered(inner)
        return -count, positive
    if isinstance(a, Digits) and a.text.isdigit():
        return int(a.text), ONE
    if isinstance(a, Row) and a.binding == PRODUCT and len(a.items) > 1:
        first, *rest = a.items
        if isinstance(first, Digits) and first.text.isdigit() and not isinstance(rest[0], Sign):
            rest = rest[1:] if rest[0] == Space() else rest
            return int(first.text), rest[0] if len(rest) == 1 else Row(tuple(rest), PRODUCT)
    return 1, a


def _many(count: int, a: Formula) -> Formula:
    if count < 0:
        return negative(_many(-count, a))
    if count == 0 or a == ONE:
        return Digits(str(count))
    if isinstance(a, Fraction):
        return times(Digits(str(count)), a)
    return product(Digits(str(count)), a) if count > 1 else a


def outer(a: Formula, b: Formula) -> Formula:
    """a ⊗ b, a sign or a number in front."""
    for k, f in enumerate((a, b)):
        if (inner := negated(f)) is not None:
            return negative(outer(inner, b) if k == 0 else outer(a, inner))
    if isinstance(b, Row) and b.binding == PRODUCT and Sign("⊗") not in b.items:
        first, *others = b.items
        if isinstance(first, Digits) or (isinstance(first, Fraction) and first.top == ONE):
            others = others[1:] if others[0] in (Space(), Sign("·")) else others
            own = outer(a, others[0] if len(others) == 1 else Row(tuple(others), PRODUCT))
            return Row((first, *_flat(own, PRODUCT)), PRODUCT)

    def operand(f: Formula) -> Formula:
        mixed = isinstance(f, Row) and any(isinstance(i, Sign) for i in f.items)
        return Fenced("(", f, ")") if mixed else f

    return Row((operand(a), Sign("⊗"), operand(b)), PRODUCT)


def power(a: Formula, exponent: Formula) -> Formula:
    return a if exponent == ONE else Script(fitted(a, ATOM), None, exponent)


def transposed(a: Formula, mark: str = "⊤") -> Formula:
    """aᵀ, or aᴴ; of the transpose, a itself; of an inverse, a⁻ᵀ; of a linear map, a†."""
    if mark == "⊤" and isinstance(a, Row) and a.binding == PRODUCT and len(a.items) == 2:
        left, right = a.items
        if isinstance(left, Script) and left.sup == Sign("⊤"):  # (Wᵀ Z)ᵀ of two matrices
            return product(transposed(right), transposed(left))
    if mark != "†":
        return marked(a, transpose=True, conjugate=mark == "H")
    if isinstance(a, Script) and a.sup in (Sign(mark), _DAGGERS[True]):
        return _bare(a) if a.sup == Sign(mark) else inverted(_bare(a))
    if isinstance(a, Script) and a.sup in (None, _INVERSE):
        return Script(a.base, a.sub, _DAGGERS[a.sup == _INVERSE])
    return Script(fitted(a, ATOM), None, Sign(mark))


def inverted(a: Formula, mark: str = "") -> Formula:
    """a⁻¹, or with a mark that of the transpose, a⁻ᵀ."""
    if isinstance(a, Script) and a.sup == Sign("†"):
        return Script(a.base, a.sub, _DAGGERS[True])
    return marked(a, inverse=True, transpose=mark in ("⊤", "H"), conjugate=mark == "H")


def starred(a: Formula) -> Formula:
    """The conjugate, a*; of a conjugate, a itself, and of a number."""
    if isinstance(a, Digits):
        return a
    return marked(a, conjugate=True)


_INVERSE = Row((Sign("−"), ONE), SUM)
_DAGGERS: dict[bool, Formula] = {False: Sign("†"), True: Row((Sign("−"), Sign("†")), SUM)}
_MARKS: dict[tuple[bool, bool, bool], Formula | None] = {  # inverse, transpose, conjugate
    (False, False, False): None,
    (False, True, False): Sign("⊤"),
    (False, False, True): Sign("*"),
    (False, True, True): Sign("H"),
    (True, False, False): _INVERSE,
    **{
        (True, transpose, conjugate): Row((Sign("−"), Sign(mark)), SUM)
        for transpose, conjugate, mark in (
            (True, False, "⊤"), (False, True, "*"), (True, True, "H"),
        )
    },
}  # fmt: skip


def marked(
    a: Formula, *, inverse: bool = False, transpose: bool = False, conjugate: bool = False
) -> Formula:
    """The inverse, transpose, conjugate of a letter: what stands above it already is joined."""
    own = (False, False, False)
    bare = a
    if isinstance(a, Script) and a.sup is not None:
        own = next((flags for flags, mark in _MARKS.items() if mark == a.sup), own)
        bare = _bare(a) if any(own) else a
    above = _MARKS[own[0] != inverse, own[1] != transpose, own[2] != conjugate]
    if above is None:
        return bare
    if isinstance(bare, Script) and bare.sup is None:
        return Script(bare.base, bare.sub, above)
    return Script(fitted(bare, ATOM), None, above)


def _bare(a: Script) -> Formula:
    """What stands below a mark."""
    if a.sub:
        return Script(a.base, a.sub)
    return a.base.inside if isinstance(a.base, Fenced) and a.base.left == "(" else a.base


def indexed(a: Formula, index: Formula) -> Formula:
    """The element of a at an index; of [0, …, n - 1] the index, of 0, which is any array, 0."""
    if a == ZERO:
        return a
    if isinstance(a, Fenced) and a.left == "[" and counts_up(a):
        return index
    if (number := constant_array(a)) is not None:
        return number
    if (positive := negated(a)) is not None:
        return negative(indexed(positive, index))
    if isinstance(a, Row) and a.items[:2] == (ONES, Sign("⊗")):
        return a.items[2] if len(a.items) == 3 else Row(a.items[2:], a.binding)
    if isinstance(a, Row) and a.binding == PRODUCT and _is_unit(a.items[-1]):  # (a e_z)_k
        unit, rest = a.items[-1], [item for item in a.items[:-1] if not isinstance(item, Space)]
        assert isinstance(unit, Script)
        if unit.sub is not None and not any(isinstance(item, Sign) for item in rest):
            return product(Fenced("[", equation(unit.sub, index), "]"), _multiplied(rest))
    if isinstance(a, Script) and isinstance(a.sup, Digits) and a.sub is None:  # x², by entries
        inner = a.base.inside if _is_bracketed(a.base) else a.base  # type: ignore[union-attr]
        return power(indexed(inner, index), a.sup)
    if isinstance(a, Row) and is_differential(a):
        return Row((a.items[0], indexed(a.items[1], index)), a.binding)
    if isinstance(a, Script) and a.sub is not None:
        several = (
            isinstance(index, Row) and Sign(",") in index.items and Sign("…") not in index.items
        )
        more = index.items if several and isinstance(index, Row) else (index,)
        for each in more[::2]:
            a = _in_window(a, each)
        return a
    if isinstance(a, Script) and isinstance(a.sup, Sign) and set(a.sup.text) == {"′"}:
        return Script(a.base, index, a.sup)
    return Script(fitted(a, ATOM), index)


def entry(a: Formula, index: Formula) -> Formula:
    """The entry of a vector, said of what it is made of where all of that are vectors:
    x_i² dx_i of x² ⊙ dx."""
    inner = _entry_of_parts(a, index)
    return indexed(a, index) if inner is None else inner


def _entry_of_parts(a: Formula, index: Formula) -> Formula | None:
    match a:
        case Script(base=Fenced(left="(", inside=inside), sub=None, sup=Digits() as sup):
            own = _entry_of_parts(inside, index)
            return indexed(a, index) if own is None else power(own, sup)
        case Letter() | Bar() | Script(sup=None) | Script(sup=Digits()):
            return indexed(a, index)
        case Script(base=Letter(text="e"), sub=None, sup=sup) if sup is not None:
            above = _entry_of_parts(sup, index)
            return above and Script(Letter("e"), None, above)
        case Row() if is_differential(a):
            return indexed(a, index)
        case Fenced(left="(", inside=inside):
            own = _entry_of_parts(inside, index)
            return own and fitted(own, ATOM)
        case Row(items=(Letter(text=text) as function, argument)) if text in _ENTRYWISE:
            own = _entry_of_parts(argument, index)
            if own is None:
                return None
            return applied(function, [own]) if isinstance(argument, Fenced) else (
                Row((function, own), FUNCTION))  # fmt: skip
        case Row(binding=level) if level == SUM and not _is_joined(a):
            found = [t for t in terms(a) if not isinstance(negated(t) or t, Digits)]
            if len(found) != 1:
                return None  # a number may be among them
            own = _entry_of_parts(negated(found[0]) or found[0], index)
            return own and _added([
                t if t != found[0] else own if negated(t) is None else negative(own)
                for t in terms(a)
            ])  # fmt: skip
        case Row(binding=level) if level == PRODUCT and Sign("⊙") in a.items:
            number, factors = _entry_factors(a)
            for factor in factors:
                own = _entry_of_parts(factor, index)
                if own is None:
                    return None
                number = times(number, own)
            return number
    return None


_ENTRYWISE = frozenset(("sin", "cos", "tan", "sinh", "cosh", "tanh", "log", "exp", "σ"))


def _is_unit(a: Formula) -> bool:
    """Whether it is e_z, which is 1 at z and 0 elsewhere."""
    return isinstance(a, Script) and a.base == Letter("e") and a.sup is None


def _windows(sub: Formula | None) -> list[int]:
    """Which of the indices below a letter, i, j…j+2, are windows."""
    return [k for k, each in enumerate(_listed_below(sub)) if _is_window(each)]


def has_windows(a: Formula) -> bool:
    """Whether it is made of windows x_{i…i+2}."""
    return any(isinstance(f, Script) and _windows(f.sub) for f in (a, *inside(a)))


def _is_window(index: Formula) -> bool:
    return isinstance(index, Row) and Sign("…") in index.items


def _listed_below(sub: Formula | None) -> list[Formula]:
    if not isinstance(sub, Row) or Sign(",") not in sub.items or _is_window(sub):
        return [] if sub is None else [sub]
    return [each for item in sub.items[::2] for each in _listed_below(item)]


def _in_window(a: Script, index: Formula) -> Script:
    """x_{i+k}, of x_{i…i+2} at k; behind the windows an index is one more."""
    below = _listed_below(a.sub)
    windows = _windows(a.sub)
    if not windows:
        below.append(index)
    else:
        first = windows[0]
        window = below[first]
        assert isinstance(window, Row)
        start, *rest = [each for each in window.items if not isinstance(each, Sign)]
        step = _step(start, rest[0]) if len(rest) > 1 else ONE

        def place(k: Formula) -> Formula:
            base, offset = _offset(start)
            own, more = _offset(product(step, k))
            return shifted(plus(base, own), offset + more)

        if _is_window(index):
            assert isinstance(index, Row)
            places = (k if isinstance(k, Sign) else place(k) for k in index.items)
            below[first] = Row(tuple(places), RELATION)
        else:
            below[first] = place(index)
    return Script(a.base, below[0] if len(below) == 1 else listed(below), a.sup)


def _step(start: Formula, second: Formula) -> Formula:
    (base, one), (other, two) = _offset(start), _offset(second)
    return number(two - one) if base == other else minus(second, start)


def counts_up(a: Fenced) -> bool:
    """Whether it is [0, 1, 2], or [0, …, n - 1]."""
    items = list(a.inside.items[::2]) if isinstance(a.inside, Row) else [a.inside]
    if items[1:2] == [Sign("…")]:
        return items[0] == ZERO
    return len(items) > 1 and items == [Digits(str(k)) for k in range(len(items))]


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


def summed(a: Formula, below: Formula, count: Formula | None = None) -> Formula:
    """Σ a, over all values of an index that there are, or so many."""
    if (positive := negated(a)) is not None:
        return negative(summed(positive, below, count))
    number, rest = _numbered(a)
    if number > 1 and rest != ONE:
        return product(Digits(str(number)), summed(rest, below, count))
    sign = Script(SUMMED, below)
    if count is not None:
        sign = Script(SUMMED, equation(below, ZERO), _before(count))
    return Row((sign, fitted(a, PRODUCT)), PRODUCT)


def equation(left: Formula, right: Formula, sign: str = "=") -> Row:
    return Row((left, Sign(sign), right), RELATION)


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

    >>> from .plain import to_plain
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


def shifted(a: Formula, by: int) -> Formula:
    """a + by, a number at the end of a joined with it."""
    base, offset = _offset(a)
    if base == ZERO:
        return number(offset + by)
    if offset + by == 0:
        return base
    return plus(base, number(offset + by))


def _offset(a: Formula) -> tuple[Formula, int]:
    """i and -1, of i - 1."""
    if isinstance(a, Digits) and a.text.isdigit():
        return ZERO, int(a.text)
    if isinstance(a, Row) and a.binding == SUM and isinstance(a.items[-1], Digits):
        *front, sign, last = a.items
        assert isinstance(last, Digits)
        if front and last.text.isdigit() and sign in (Sign("+"), Sign("−")):
            rest = front[0] if len(front) == 1 else Row(tuple(front), SUM)
            return rest, int(last.text) * (1 if sign == Sign("+") else -1)
    return a, 0


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
