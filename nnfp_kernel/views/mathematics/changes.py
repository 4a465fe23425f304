"""Differentials and cotangents on their way: sums of factors times a symbol.

    (1/x₁ + x₂) dx₁ + cos x₂ dx₂        terms; what they have in common is taken out
    None                                zero: nothing changes

A `Linear` is written as a formula only where it gets a line of its own or goes through a
map, so that the factors of one step can still be joined with those of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from . import formula as m
from .formula import Formula

T = TypeVar("T")


@dataclass(frozen=True)
class Factor:
    """A factor: an array or a number, and whether what it multiplies is an array, too."""

    formula: Formula
    entrywise: bool
    array: bool


@dataclass(frozen=True)
class Term:
    """A tangent or cotangent times factors, the first applied first."""

    base: Formula
    factors: tuple[Factor, ...] = ()


def _grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> dict[Any, list[T]]:
    groups: dict[Any, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _scaled(factor: Factor, formula: Formula) -> Formula:
    return (m.entrywise if factor.entrywise else m.product)(factor.formula, formula)


def _entrywise(factors: Sequence[Factor]) -> bool:
    """Whether what factors multiply is an array, and so is their product."""
    return next((factor.entrywise for factor in factors if factor.array), False)


def _coefficients(lists: Sequence[tuple[Factor, ...]]) -> Formula:
    """The sum of products of factors, the first ones taken out where they are shared."""
    total: Formula = m.ZERO
    for (*first,), group in _grouped(lists, lambda factors: factors[:1]).items():
        if not first:
            total = m.collected(total, m.Digits(str(len(group))))
            continue
        inner = _coefficients([factors[1:] for factors in group])
        wide = any(factor.array for factors in group for factor in factors[1:])
        total = m.collected(total, m.coefficient(inner, first[0].formula, first[0].array and wide))
    return total


@dataclass(frozen=True)
class Linear:
    """A sum of terms: a differential or a cotangent on its way."""

    terms: tuple[Term, ...]

    @classmethod
    def of(cls, base: Formula) -> Linear:
        return cls((Term(base),))

    def times(self, formula: Formula, entrywise: bool, array: bool | None = None) -> Linear:
        """Every term times a factor: entry by entry, of an array and an array, or with a
        number. An `array` that a number is multiplied by makes it one."""
        factor = Factor(formula, entrywise, entrywise if array is None else array)
        return Linear(tuple(replace(term, factors=(*term.factors, factor)) for term in self.terms))

    def through(self, function: Callable[[Formula], Formula]) -> Linear:
        """A linear function of the sum as a whole."""
        return Linear.of(function(self.formula()))

    def negative(self) -> Linear:
        return self.times(m.negative(m.ONE), False)

    def formula(self) -> Formula:
        """The sum, with what its terms have in common taken out: (1/x₁ + x₂) dx₁."""
        made: list[Formula] = []
        rest: list[Term] = []
        groups = _grouped(self.terms, lambda term: term.factors[-1:])
        for (*factors,), group in groups.items():
            if not factors or len(group) < 2 or len({term.base for term in group}) < 2:
                rest += group
                continue
            inner = Linear(tuple(replace(term, factors=term.factors[:-1]) for term in group))
            count, own = m.common_number(inner.formula())
            made.append(m.product(count, _scaled(factors[0], own)))
        for (base,), group in _grouped(rest, lambda term: (term.base,)).items():
            lists = [term.factors for term in group]
            for wide in dict.fromkeys(map(_entrywise, lists)):
                own = _coefficients([factors for factors in lists if _entrywise(factors) == wide])
                made.append(_scaled(Factor(own, wide, wide), base))
        if made and m.negated(made[0]) is not None:  # a sum begins with what has no sign
            made.sort(key=lambda each: m.negated(each) is not None)
        total: Formula = m.ZERO
        for each in made:
            total = m.plus(total, each)
        return total


Change: TypeAlias = Linear | None  # None: zero


def plus(a: Change, b: Change) -> Change:
    if a is None or b is None:
        return a or b
    return Linear(a.terms + b.terms)
