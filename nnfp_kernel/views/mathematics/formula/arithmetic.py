"""Sums, products and powers of formulas, as a hand writes them: nothing is there that says nothing.

    x + 0, 1 x, - (- x)       x
    2 x² + x²                 3 x²
    (a / n) (b / m)           a b / (n m)
    x ⊙ x                     x²

Numbers and signs come first, equal factors are powers, fractions lose what both sides have.

>>> from .tree import Digits, symbol
>>> from ..plain import to_plain
>>> x = symbol("x")
>>> to_plain(collected(product(Digits("2"), times(x, x)), times(x, x)))
'3 x^2'
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import gcd, prod

from .tree import (
    ATOM,
    FUNCTION,
    ONE,
    ONES,
    POWER,
    PRODUCT,
    SUM,
    SUMMED,
    ZERO,
    Bar,
    Digits,
    Fenced,
    Formula,
    Fraction,
    Letter,
    Row,
    Script,
    Sign,
    Space,
    Words,
    applied,
    binding,
    fitted,
    has_sum,
    holds,
    is_differential,
    size_of,
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
        return plus(added([*first, b]), last)
    return Row((*_flat(_summand(a), SUM), Sign("+"), *_flat(_summand(b), SUM)), SUM)


def _is_sum(a: Formula) -> bool:
    """Whether it is ∑ a, and not a factor in front of it."""
    first = a.items[0] if isinstance(a, Row) and a.binding == PRODUCT else a
    return isinstance(first, Script) and first.base == SUMMED


def added(terms: Sequence[Formula]) -> Formula:
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
    return Fenced("(", a, ")") if is_joined(a) else a


def joined(a: Formula, b: Formula) -> Formula:
    """a ⧺ b: one sequence after the other."""
    left, right = (_flat(f, SUM) if is_joined(f) else (fitted(f, PRODUCT),) for f in (a, b))
    return Row((*left, Sign("⧺"), *right), SUM)


def is_joined(a: Formula) -> bool:
    return isinstance(a, Row) and Sign("⧺") in a.items


def terms(a: Formula) -> list[Formula]:
    """The terms of a sum, each with its sign."""
    if not isinstance(a, Row) or a.binding != SUM or is_joined(a):
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
    (front, left), (number, right) = map(entry_factors, (a, b))
    items: list[Formula] = []
    for factor in _powers([*left, *right]):
        items += [Sign("⊙")] if items else []
        items += _flat(factor, PRODUCT)
    numbers = multiplied([front, number])
    own = [numbers, *_between(numbers, items[0])] if numbers != ONE else []
    return items[0] if len(items) == 1 and not own else Row((*own, *items), PRODUCT)


def entry_factors(a: Formula) -> tuple[Formula, list[Formula]]:
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
                bare, times = (bare.inside if is_bracketed(bare) else bare), int(text)  # type: ignore[union-attr]
            case _:
                bare, times = each, 1
        exponents[bare] = exponents.get(bare, 0) + times
    return [*numbers, *(power(base, Digits(str(times))) for base, times in exponents.items())]


def is_bracketed(a: Formula) -> bool:
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
    return multiplied(merged)


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
    over, rest = multiplied(above), multiplied(under)
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


def multiplied(factors: Sequence[Formula]) -> Formula:
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
        (one, own), (two, other) = numbered(each), numbered(b)
        if own == other or Counter(entry_factors(own)[1]) == Counter(entry_factors(other)[1]):
            found[k] = _many(one + two, own)
            return added([term for term in found if term != ZERO])
    return plus(a, b)


def common_number(a: Formula) -> tuple[Formula, Formula]:
    """2 and x - y, of 2 x - 2 y."""
    found = [numbered(term) for term in terms(a)]
    (count, *others) = {abs(number) for number, _ in found}
    if others or count < 2 or len(found) < 2:
        return ONE, a
    return Digits(str(count)), added([_many(k // count, own) for k, own in found])


def numbered(a: Formula) -> tuple[int, Formula]:
    """-2 and x, of -2 x."""
    if (inner := negated(a)) is not None:
        count, positive = numbered(inner)
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


def shifted(a: Formula, by: int) -> Formula:
    """a + by, a number at the end of a joined with it."""
    base, offset = offset_of(a)
    if base == ZERO:
        return number(offset + by)
    if offset + by == 0:
        return base
    return plus(base, number(offset + by))


def offset_of(a: Formula) -> tuple[Formula, int]:
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
