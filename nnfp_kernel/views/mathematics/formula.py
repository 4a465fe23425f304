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
    return Row((*_flat(_summand(a), SUM), Sign("+"), *_flat(_summand(b), SUM)), SUM)


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
    if isinstance(a, Fraction) and a.top == ONE:
        return fraction(b, a.bottom)
    if isinstance(b, Fraction) and b.top == ONE:
        return fraction(a, b.bottom)
    left, right = _flat(a, PRODUCT), _flat(b, PRODUCT)
    if isinstance(a, Digits) and isinstance(right[0], Fraction) and right[0].top == ONE:
        return Row((Fraction(a, right[0].bottom), *right[1:]), PRODUCT)
    if isinstance(right[0], Digits) and not isinstance(left[0], Digits):  # numbers come first
        rest = right[2:] if right[1:2] in ((Sign("·"),), (Space(),)) else right[1:]
        return product(right[0], product(a, Row(rest, PRODUCT)) if rest else a)
    left = (*left[:-1], _enclosing(left[-1], right[0]))
    if Sign("⊙") in left or Sign("⊗") in left:
        left = (Fenced("(", a, ")"),)
    if Sign("⊙") in right:
        right = (Fenced("(", b, ")"),)
    between = _between(left[-1], right[0])
    return Row((*left, *between, *right), PRODUCT)


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
    if a == b:
        return power(a, Digits("2"))
    if isinstance(a, Digits) or isinstance(b, Digits):
        return product(a, b)
    for one, other in ((a, b), (b, a)):
        if (number := constant_array(one)) is not None:
            return product(number, other)
    if isinstance(a, Fraction) and a.top == ONE:
        return fraction(b, a.bottom)
    if isinstance(b, Fraction) and b.top == ONE:
        return fraction(a, b.bottom)
    left, right = (Fenced("(", f, ")") if _is_outer(f) else f for f in (a, b))
    return Row((*_flat(left, PRODUCT), Sign("⊙"), *_flat(right, PRODUCT)), PRODUCT)


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


def fraction(top: Formula, bottom: Formula) -> Formula:
    """top / bottom, without the factors they have in common."""
    if (inner := negated(top)) is not None:
        return negative(fraction(inner, bottom))
    if isinstance(top, Fraction) and top.bottom == bottom:  # r/‖r‖ over ‖r‖ is r/‖r‖²
        return fraction(top.top, power(bottom, Digits("2")))
    if isinstance(top, Fraction) and isinstance(bottom, Digits):
        return fraction(top.top, product(bottom, top.bottom))
    above, under = _own_factors(top), _own_factors(bottom)
    for factor in list(above):
        if factor in under:
            above.remove(factor)
            under.remove(factor)
    if len(above) == len(_own_factors(top)):
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
    join = entrywise if together else product
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return fraction(join(a.top, b.top), join(a.bottom, b.bottom))
    if isinstance(a, Fraction) and b != ONE:
        return fraction(join(a.top, b), a.bottom)
    if isinstance(b, Fraction) and a != ONE:
        return fraction(join(a, b.top), b.bottom)
    return join(a, b)


def outer(a: Formula, b: Formula) -> Formula:
    """a ⊗ b"""

    def operand(f: Formula) -> Formula:
        mixed = isinstance(f, Row) and any(isinstance(i, Sign) for i in f.items)
        return Fenced("(", f, ")") if mixed else f

    return Row((operand(a), Sign("⊗"), operand(b)), PRODUCT)


def power(a: Formula, exponent: Formula) -> Formula:
    return a if exponent == ONE else Script(fitted(a, ATOM), None, exponent)


def transposed(a: Formula, mark: str = "⊤") -> Formula:
    """aᵀ, or aᴴ; of the transpose, a itself; of an inverse, a⁻ᵀ; of a linear map, a†."""
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
    """The conjugate, a*; of a conjugate, a itself."""
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
    if isinstance(a, Row) and is_differential(a):
        return Row((a.items[0], indexed(a.items[1], index)), a.binding)
    if isinstance(a, Script) and a.sub is not None:
        several = (
            isinstance(index, Row) and Sign(",") in index.items and Sign("…") not in index.items
        )
        more = index.items if several and isinstance(index, Row) else (index,)
        return Script(a.base, Row((a.sub, Sign(","), *more)), a.sup)
    if isinstance(a, Script) and isinstance(a.sup, Sign) and set(a.sup.text) == {"′"}:
        return Script(a.base, index, a.sup)
    return Script(fitted(a, ATOM), index)


def counts_up(a: Fenced) -> bool:
    """Whether it is [0, 1, 2], or [0, …, n - 1]."""
    items = list(a.inside.items[::2]) if isinstance(a.inside, Row) else [a.inside]
    if items[1:2] == [Sign("…")]:
        return items[0] == ZERO
    return len(items) > 1 and items == [Digits(str(k)) for k in range(len(items))]


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


def summed(a: Formula, below: Formula) -> Formula:
    """Σ a"""
    return Row((Script(SUMMED, below), fitted(a, PRODUCT)), PRODUCT)


def equation(left: Formula, right: Formula, sign: str = "=") -> Row:
    return Row((left, Sign(sign), right), RELATION)


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


_COUNTED = 7  # the signs of t = 0, …, n


def _listed(index: Formula) -> Sequence[Formula]:
    return index.items[::2] if isinstance(index, Row) else (index,)


def counts(range: Formula) -> bool:
    """Whether a range is that of a loop over numbers, and not of nodes or a condition."""
    return isinstance(range, Row) and any(each == Sign("…") for each in inside(range))


def _before(count: Formula) -> Formula:
    """count - 1: n - 1 of n, 4 of 5, n - 3 of n - 2."""
    if isinstance(count, Digits) and count.text.isdigit() and count != ZERO:
        return Digits(str(int(count.text) - 1))
    if isinstance(count, Row) and count.binding == SUM and isinstance(count.items[-1], Digits):
        *front, sign, last = count.items
        assert isinstance(last, Digits)
        if front and last.text.isdigit() and sign in (Sign("+"), Sign("−")):
            more = int(last.text) * (1 if sign == Sign("+") else -1) - 1
            rest = front[0] if len(front) == 1 else Row(tuple(front), SUM)
            return plus(rest, number(more))
    return minus(count, ONE)


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
