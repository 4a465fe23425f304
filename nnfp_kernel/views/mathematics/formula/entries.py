"""The entry of an array at an index, by what the array is made of: x_i² of x², x_{i+1} of a window.

>>> from .tree import Digits, symbol
>>> from ..plain import to_plain
>>> to_plain(entry(Script(symbol("x"), None, Digits("2")), symbol("i")))
'x_i^2'
"""

from __future__ import annotations

from .arithmetic import (
    added,
    constant_array,
    entry_factors,
    is_bracketed,
    is_joined,
    minus,
    multiplied,
    negated,
    negative,
    number,
    offset_of,
    plus,
    power,
    product,
    shifted,
    terms,
    times,
)
from .tree import (
    ATOM,
    FUNCTION,
    ONE,
    ONES,
    PRODUCT,
    RELATION,
    SUM,
    ZERO,
    Bar,
    Digits,
    Fenced,
    Formula,
    Letter,
    Row,
    Script,
    Sign,
    Space,
    applied,
    equation,
    fitted,
    inside,
    is_differential,
    listed,
)


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
            return product(Fenced("[", equation(unit.sub, index), "]"), multiplied(rest))
    if isinstance(a, Script) and isinstance(a.sup, Digits) and a.sub is None:  # x², by entries
        inner = a.base.inside if is_bracketed(a.base) else a.base  # type: ignore[union-attr]
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
        case Row(binding=level) if level == SUM and not is_joined(a):
            found = [t for t in terms(a) if not isinstance(negated(t) or t, Digits)]
            if len(found) != 1:
                return None  # a number may be among them
            own = _entry_of_parts(negated(found[0]) or found[0], index)
            return own and added([
                t if t != found[0] else own if negated(t) is None else negative(own)
                for t in terms(a)
            ])  # fmt: skip
        case Row(binding=level) if level == PRODUCT and Sign("⊙") in a.items:
            number, factors = entry_factors(a)
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
            base, offset = offset_of(start)
            own, more = offset_of(product(step, k))
            return shifted(plus(base, own), offset + more)

        if _is_window(index):
            assert isinstance(index, Row)
            places = (k if isinstance(k, Sign) else place(k) for k in index.items)
            below[first] = Row(tuple(places), RELATION)
        else:
            below[first] = place(index)
    return Script(a.base, below[0] if len(below) == 1 else listed(below), a.sup)


def _step(start: Formula, second: Formula) -> Formula:
    (base, one), (other, two) = offset_of(start), offset_of(second)
    return number(two - one) if base == other else minus(second, start)


def counts_up(a: Fenced) -> bool:
    """Whether it is [0, 1, 2], or [0, …, n - 1]."""
    items = list(a.inside.items[::2]) if isinstance(a.inside, Row) else [a.inside]
    if items[1:2] == [Sign("…")]:
        return items[0] == ZERO
    return len(items) > 1 and items == [Digits(str(k)) for k in range(len(items))]
