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
    formula: Formula
    entrywise: bool


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


def _coefficients(lists: Sequence[tuple[Factor, ...]]) -> Formula:
    """The sum of products of factors, the first ones taken out where they are shared."""
    total: Formula = m.ZERO
    for (*first,), group in _grouped(lists, lambda factors: factors[:1]).items():
        if not first:
            total = m.plus(total, m.Digits(str(len(group))))
            continue
        inner = _coefficients([factors[1:] for factors in group])
        wide = any(factor.entrywise for factors in group for factor in factors[1:])
        together = first[0].entrywise and wide
        total = m.plus(total, m.coefficient(inner, first[0].formula, together))
    return total


@dataclass(frozen=True)
class Linear:
    """A sum of terms: a differential or a cotangent on its way."""

    terms: tuple[Term, ...]

    @classmethod
    def of(cls, base: Formula) -> Linear:
        return cls((Term(base),))

    def times(self, formula: Formula, entrywise: bool) -> Linear:
        factor = Factor(formula, entrywise)
        return Linear(tuple(replace(term, factors=(*term.factors, factor)) for term in self.terms))

    def through(self, function: Callable[[Formula], Formula]) -> Linear:
        """A linear function of the sum as a whole."""
        return Linear.of(function(self.formula()))

    def negative(self) -> Linear:
        return self.times(m.negative(m.ONE), False)

    def formula(self) -> Formula:
        """The sum, with what its terms have in common taken out: (1/x₁ + x₂) dx₁."""
        total: Formula = m.ZERO
        rest: list[Term] = []
        groups = _grouped(self.terms, lambda term: term.factors[-1:])
        for (*factors,), group in groups.items():
            if not factors or len(group) < 2 or len({term.base for term in group}) < 2:
                rest += group
                continue
            inner = Linear(tuple(replace(term, factors=term.factors[:-1]) for term in group))
            total = m.plus(total, _scaled(factors[0], inner.formula()))
        for (base,), group in _grouped(rest, lambda term: (term.base,)).items():
            lists = [term.factors for term in group]
            entrywise = dict.fromkeys(any(f.entrywise for f in factors) for factors in lists)
            for wide in entrywise:
                own = [fs for fs in lists if any(f.entrywise for f in fs) == wide]
                whole = Factor(_coefficients(own), wide)
                total = m.plus(total, _scaled(whole, base))
        return total


Change: TypeAlias = Linear | None  # None: zero


def plus(a: Change, b: Change) -> Change:
    if a is None or b is None:
        return a or b
    return Linear(a.terms + b.terms)
