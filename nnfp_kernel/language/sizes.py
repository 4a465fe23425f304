"""Sizes: integer polynomials over size variables, with opaque floor quotients.

A size is kept in normal form, a sum of coefficient × monomial, so that equality
of sizes is equality of data: `n*m - 2*n + 4`. Division rounds down and stays an
atom of its own (`(n - k) / 2`) until it is known; what divides exactly leaves it.

    building     constant, variable, as_size, the operators + - * //
    asking       value, variables, bounds, at_least
    knowing      substitute, evaluate

Every variable stands for a number that is at least 0. Equations between sizes are solved in
size_equations.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True, order=True)
class SizeVariable:
    """A size not known here: a variable of a signature or a scheme, or (`open`) one
    inference still has to solve. `runtime` marks a length known only at run time."""

    name: str
    identity: int = 0  # two variables of one name in one scheme differ here
    open: bool = False
    runtime: bool = False

    @property
    def of_example(self) -> bool:
        """Whether it is the length of an example: each is looked at before it runs."""
        return self.runtime and self.identity < 0

    def __str__(self) -> str:
        return f"_{self.name}" if self.open else self.name

    def __hash__(self) -> int:  # the two fields that tell nearly all of them apart: quick
        return hash(self.name) ^ self.identity


@dataclass(frozen=True, slots=True)
class Quotient:
    """`numerator / denominator`, rounded down. Made by `//` only, which keeps it in
    normal form: over a constant, its coefficients are in 0..denominator-1."""

    numerator: Size
    denominator: Size


Atom: TypeAlias = SizeVariable | Quotient
Monomial: TypeAlias = tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """Σ coefficient × product of atoms, in normal form. Build with the operators.

    >>> n = variable("n")
    >>> str((n + 1) * (n - 1)), (n - n) == constant(0)
    ('n*n-1', True)
    >>> str((n - 3) // 2 + 1), (2 * n + 4) // 2 == n + 2
    ('(n-1)/2', True)

    Every operator takes an int for a Size.
    """

    terms: tuple[tuple[Monomial, int], ...]  # sorted; no zero coefficients

    @property
    def value(self) -> int | None:
        """The number this is, if it has no variables.

        >>> (constant(3) * 2).value, variable("n").value
        (6, None)
        """
        if not self.terms:
            return 0
        if len(self.terms) == 1 and not self.terms[0][0]:
            return self.terms[0][1]
        return None

    @property
    def atom(self) -> Atom | None:
        """The lone variable or quotient that this is, if it is one: `n`, not `2*n`."""
        if len(self.terms) == 1:
            monomial, coefficient = self.terms[0]
            if coefficient == 1 and len(monomial) == 1:
                return monomial[0]
        return None

    @property
    def lone_variable(self) -> SizeVariable | None:
        """The variable that this is, if it is nothing else."""
        atom = self.atom
        return atom if isinstance(atom, SizeVariable) else None

    def variables(self) -> frozenset[SizeVariable]:
        """All variables in it, those inside quotients too."""
        # Nearly every size met is a number or a lone variable.
        if len(self.terms) <= 1:
            if not self.terms or not self.terms[0][0]:
                return _NO_VARIABLES
            lone = self.lone_variable
            if lone is not None:
                return frozenset((lone,))
        return frozenset(occurrences(self))

    def written_variables(self) -> list[SizeVariable]:
        """Its variables in the order in which they are customarily written.

        >>> [variable.name for variable in (variable("m") + variable("n")).written_variables()]
        ['n', 'm']
        """
        variables = self.variables()
        if len(variables) <= 1:
            return list(variables)
        return sorted(variables, key=_Writing({}).rank)

    # --- arithmetic ------------------------------------------------------------------

    def __add__(self, other: Size | int) -> Size:
        other = as_size(other)
        left, right = self.value, other.value
        if left is not None and right is not None:
            return constant(left + right)
        if not self.terms:
            return other
        if not other.terms:
            return self
        collected = dict(self.terms)
        for monomial, coefficient in other.terms:
            collected[monomial] = collected.get(monomial, 0) + coefficient
        return normal(collected)

    def __mul__(self, other: Size | int) -> Size:
        other = as_size(other)
        if self == ONE:
            return other
        if other == ONE:
            return self
        collected: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                monomial = _product(left, right)
                collected[monomial] = collected.get(monomial, 0) + a * b
        return normal(collected)

    def __floordiv__(self, other: Size | int) -> Size:
        return _divide(self, as_size(other))

    def __neg__(self) -> Size:
        return Size(tuple((monomial, -coefficient) for monomial, coefficient in self.terms))

    def __sub__(self, other: Size | int) -> Size:
        return self + -as_size(other)

    def __rsub__(self, other: int) -> Size:
        return constant(other) + -self

    def __rfloordiv__(self, other: int) -> Size:
        return _divide(constant(other), self)

    __radd__ = __add__
    __rmul__ = __mul__

    # --- knowing more ------------------------------------------------------------------

    def substitute(self, mapping: Mapping[SizeVariable, Size]) -> Size:
        """This size with sizes in place of variables, in normal form again.

        >>> n = variable("n")
        >>> str(((n - 3) // 2).substitute({SizeVariable("n"): 2 * n + 3}))
        'n'

        Raises ValueError where a denominator becomes 0.
        """
        lone = self.lone_variable
        if lone is not None:
            return mapping.get(lone, self)
        if not any(variable in mapping for variable in occurrences(self)):
            return self
        result = ZERO
        for monomial, coefficient in self.terms:
            term = constant(coefficient)
            for atom in monomial:
                match atom:
                    case SizeVariable():
                        term = term * mapping[atom] if atom in mapping else term * as_size(atom)
                    case Quotient(numerator, denominator):
                        below = denominator.substitute(mapping)
                        term = term * (numerator.substitute(mapping) // below)
            result = result + term
        return result

    def evaluate(self, environment: Mapping[SizeVariable, int]) -> int:
        """The number this size is, once every variable has a value.

        >>> (variable("n") - 2).evaluate({SizeVariable("n"): 5})
        3

        Raises KeyError for a variable without one, and ValueError for a negative
        answer or a division by 0.
        """
        number = _number(self, environment)
        if number < 0:
            known = ", ".join(
                f"{variable} = {environment[variable]}" for variable in sorted(self.variables())
            )
            raise ValueError(
                f"{self} is {number}{f' at {known}' if known else ''}, and a size is at least 0"
            )
        return number

    # --- for people ------------------------------------------------------------------------

    def show(self, names: Mapping[SizeVariable, str] | None = None) -> str:
        """As people write it, without spaces; `names` says how variables are called,
        and its order is the order in which they are written.

        >>> n, k = variable("n"), variable("k")
        >>> ((n - k) // 2 + 1).show()
        '(n-k)/2+1'
        >>> (k + n).show({SizeVariable("k"): "k", SizeVariable("n"): "n"})
        'k+n'
        """
        return _Writing(names or {}).size(self)

    def __str__(self) -> str:
        return self.show()

    def __repr__(self) -> str:
        return f"<size {self.show()}>"


@lru_cache(maxsize=4096)
def constant(number: int) -> Size:
    """A number as a size."""
    return Size((((), number),) if number else ())


def variable(name: str, identity: int = 0, *, open: bool = False, runtime: bool = False) -> Size:
    """A new variable as a size.

    >>> str(variable("n") + 1), str(variable("n", open=True))
    ('n+1', '_n')
    """
    return as_size(SizeVariable(name, identity, open, runtime))


def as_size(value: Size | int | Atom) -> Size:
    """A number, a variable or a quotient as the size that it is."""
    match value:
        case Size():
            return value
        case int():
            return constant(value)
        case SizeVariable() | Quotient():
            return Size((((value,), 1),))


_NO_VARIABLES: frozenset[SizeVariable] = frozenset()
ZERO = constant(0)
ONE = constant(1)


# --- the normal form ---------------------------------------------------------------------


def normal(collected: Mapping[Monomial, int]) -> Size:
    """The size of terms by monomial, those that are 0 left out."""
    terms = [(monomial, coefficient) for monomial, coefficient in collected.items() if coefficient]
    if len(terms) > 1:
        terms.sort(key=lambda term: _monomial_key(term[0]))
    return Size(tuple(terms))


def _monomial_key(monomial: Monomial) -> tuple[Any, ...]:
    return tuple(_atom_key(atom) for atom in monomial)


def _atom_key(atom: Atom) -> tuple[Any, ...]:
    match atom:
        case SizeVariable(name, identity, open, runtime):
            return (0, name, identity, open, runtime)
        case Quotient(numerator, denominator):
            return (1, _size_key(numerator), _size_key(denominator))


def _size_key(size: Size) -> tuple[Any, ...]:
    return tuple((_monomial_key(monomial), coefficient) for monomial, coefficient in size.terms)


def _product(left: Monomial, right: Monomial) -> Monomial:
    if not left:
        return right
    if not right:
        return left
    return tuple(sorted(left + right, key=_atom_key))


def _divide(numerator: Size, denominator: Size) -> Size:
    """The floor quotient. Its laws, all exact for integers and a nonzero denominator:

    (a + d*b) / d = a/d + b        what divides leaves the quotient
    (g*a + r) / (g*d) = a/d        for 0 <= r < g
    (a/b + c) / d = (a + b*c) / (b*d)    for positive numbers b and d
    """
    number = denominator.value
    if number == 0:
        raise ValueError(f"{numerator}/0 is no size: a division by 0")
    if number is None:
        return _divide_by_unknown(numerator, denominator)
    if number < 0:
        numerator, number = -numerator, -number
    outside: dict[Monomial, int] = {}
    inside: dict[Monomial, int] = {}
    for monomial, coefficient in numerator.terms:
        outside[monomial], inside[monomial] = divmod(coefficient, number)
    common = math.gcd(number, *(rest for monomial, rest in inside.items() if monomial))
    if common == number:  # a number below the denominator is left: nothing
        return normal(outside)
    number //= common
    reduced = normal({monomial: rest // common for monomial, rest in inside.items()})
    nested = [
        (atom, below)
        for monomial, coefficient in reduced.terms
        if coefficient == 1
        and (atom := _lone_quotient(monomial)) is not None
        and (below := atom.denominator.value) is not None
    ]
    if len(nested) == 1:
        inner, below = nested[0]
        above = inner.numerator + (reduced - as_size(inner)) * below
        return normal(outside) + _divide(above, constant(below * number))
    return normal(outside) + as_size(Quotient(reduced, constant(number)))


def _lone_quotient(monomial: Monomial) -> Quotient | None:
    if len(monomial) == 1 and isinstance(monomial[0], Quotient):
        return monomial[0]
    return None


def _divide_by_unknown(numerator: Size, denominator: Size) -> Size:
    if not numerator.terms:
        return ZERO
    content = math.gcd(*(c for _, c in numerator.terms), *(c for _, c in denominator.terms))
    if denominator.terms[0][1] < 0:  # one sign for one quotient
        content = -content
    if content != 1:
        numerator, denominator = shrunk(numerator, content), shrunk(denominator, content)
    outside = ZERO
    if len(denominator.terms) == 1:
        divisor, factor = denominator.terms[0]
        whole: dict[Monomial, int] = {}
        rest: dict[Monomial, int] = {}
        for monomial, coefficient in numerator.terms:
            left = without(monomial, divisor)
            if left is None:
                rest[monomial] = coefficient
            else:
                whole[left], rest[monomial] = divmod(coefficient, factor)
        outside, numerator = normal(whole), normal(rest)
    elif numerator.terms[0][0] == denominator.terms[0][0]:
        times = numerator.terms[0][1] // denominator.terms[0][1]
        if numerator == denominator * times:
            return constant(times)
    if not numerator.terms:
        return outside
    return outside + as_size(Quotient(numerator, denominator))


def shrunk(size: Size, divisor: int) -> Size:
    """The size with every coefficient divided, which the divisor does."""
    return Size(tuple((monomial, c // divisor) for monomial, c in size.terms))


def without(monomial: Monomial, factors: Monomial) -> Monomial | None:
    """The monomial with these factors taken out, or None where one is missing."""
    left = list(monomial)
    for factor in factors:
        if factor not in left:
            return None
        left.remove(factor)
    return tuple(left)


def occurrences(size: Size) -> Iterator[SizeVariable]:
    """Its variables as often as they occur, those inside quotients too."""
    for monomial, _ in size.terms:
        for atom in monomial:
            match atom:
                case SizeVariable():
                    yield atom
                case Quotient(numerator, denominator):
                    yield from occurrences(numerator)
                    yield from occurrences(denominator)


def _number(size: Size, environment: Mapping[SizeVariable, int]) -> int:
    """As `evaluate`, but a part of a size may be negative."""
    total = 0
    for monomial, coefficient in size.terms:
        for atom in monomial:
            match atom:
                case SizeVariable():
                    coefficient *= environment[atom]
                case Quotient(numerator, denominator):
                    below = _number(denominator, environment)
                    if below == 0:
                        raise ValueError(f"{denominator} is 0 in {numerator}/({denominator})")
                    coefficient *= _number(numerator, environment) // below
        total += coefficient
    return total


# --- bounds -------------------------------------------------------------------------------


def bounds(size: Size) -> tuple[int | None, int | None]:
    """The least and greatest value that can be proved, None for none, given that
    every variable is at least 0.

    >>> bounds(variable("n") + 2), bounds(3 - variable("n"))
    ((2, None), (None, 3))
    """
    low: int | None = 0
    high: int | None = 0
    for monomial, coefficient in size.terms:
        least, most = _monomial_bounds(monomial)
        if coefficient < 0:
            least, most = most, least
        low = None if low is None or least is None else low + coefficient * least
        high = None if high is None or most is None else high + coefficient * most
    return low, high


def _monomial_bounds(monomial: Monomial) -> tuple[int | None, int | None]:
    least, most = 1, 1 if not monomial else None
    for atom in monomial:
        low, high = _atom_bounds(atom)
        if len(monomial) == 1:
            return low, high
        if low is None or low < 0:
            return None, None
        least *= low
    return least, most


def _atom_bounds(atom: Atom) -> tuple[int | None, int | None]:
    match atom:
        case SizeVariable():
            return 0, None
        case Quotient(numerator, denominator):
            low, high = bounds(numerator)
            below = denominator.value
            if below is not None and below > 0:
                return (
                    None if low is None else low // below,
                    None if high is None else high // below,
                )
            if low is not None and low >= 0 and at_least(denominator, 0):
                return 0, high  # the denominator is at least 1 wherever this is defined
            return None, None


def at_least(size: Size, bound: int) -> bool | None:
    """Whether `size >= bound`: True or False where it can be proved, else None.

    >>> n = variable("n")
    >>> at_least(n + 3, 3), at_least(2 - n, 3), at_least(n, 1)
    (True, False, None)
    """
    low, high = bounds(size)
    if low is not None and low >= bound:
        return True
    if high is not None and high < bound:
        return False
    return None


# --- writing ------------------------------------------------------------------------------

_CUSTOMARY = ("n", "m")  # people write n*m; other names follow the alphabet


class _Writing:
    """How variables are called and in which order they are written."""

    def __init__(self, names: Mapping[SizeVariable, str]) -> None:
        self.names = names
        self.place = {variable: place for place, variable in enumerate(names)}

    def size(self, size: Size) -> str:
        text = ""
        for monomial, coefficient in self.ordered(_gathered(dict(size.terms))):
            term = self.term(monomial, abs(coefficient))
            if coefficient < 0 and not text and _lone_quotient(monomial):
                term = f"({term})"  # -n/2 would be (-n)/2
            text += ("-" if coefficient < 0 else "+" if text else "") + term
        return text or "0"

    def ordered(self, terms: Mapping[Monomial, int]) -> Iterable[tuple[Monomial, int]]:
        """What is added before what is subtracted, higher degrees before lower ones, and
        the number last, unless a minus would then come first."""
        written = [
            (monomial, coefficient) for monomial, coefficient in terms.items() if coefficient
        ]
        rises = any(coefficient > 0 for monomial, coefficient in written if monomial)
        return sorted(
            written,
            key=lambda term: (
                rises and not term[0],
                term[1] < 0,
                -len(term[0]),
                [self.rank(atom) for atom in self.atoms(term[0])],
            ),
        )

    def atoms(self, monomial: Monomial) -> list[Atom]:
        return sorted(monomial, key=self.rank)

    def rank(self, atom: Atom) -> tuple[Any, ...]:
        match atom:
            case SizeVariable():
                if atom in self.place:
                    return (0, self.place[atom])
                customary = (
                    _CUSTOMARY.index(atom.name) if atom.name in _CUSTOMARY else len(_CUSTOMARY)
                )
                return (1, customary, atom)
            case Quotient():
                return (2, _atom_key(atom))

    def term(self, monomial: Monomial, coefficient: int) -> str:
        lone = _lone_quotient(monomial)
        if lone is not None and coefficient == 1:
            return self.quotient(lone)
        factors = [str(coefficient)] if coefficient != 1 or not monomial else []
        for atom in self.atoms(monomial):
            match atom:
                case SizeVariable():
                    factors.append(self.names.get(atom, str(atom)))
                case Quotient():
                    factors.append(f"({self.quotient(atom)})")
        return "*".join(factors)

    def quotient(self, quotient: Quotient) -> str:
        above, below = self.size(quotient.numerator), self.size(quotient.denominator)
        if len(quotient.numerator.terms) > 1 or any(c in above for c in "-/"):
            above = f"({above})"
        if any(c in below for c in "+-*/"):
            below = f"({below})"
        return f"{above}/{below}"


def _gathered(terms: dict[Monomial, int]) -> dict[Monomial, int]:
    """The terms as people write them: the normal form of `(n-k)/2` is `(n+k)/2 - k`,
    so what left a lone quotient returns to where it still has a part."""
    lone = [
        (monomial, atom, below)
        for monomial, coefficient in terms.items()
        if coefficient == 1
        and (atom := _lone_quotient(monomial)) is not None
        and (below := atom.denominator.value) is not None
    ]
    if len(lone) != 1:
        return terms
    place, quotient, below = lone[0]
    inside = {
        monomial: coefficient + below * terms.get(monomial, 0)
        for monomial, coefficient in quotient.numerator.terms
    }
    if not any(coefficient > 0 for monomial, coefficient in inside.items() if monomial):
        return terms
    outside = {m: c for m, c in terms.items() if m != place and m not in inside}
    # Not in normal form, on purpose: this quotient is only written, never kept.
    outside[(Quotient(normal(inside), quotient.denominator),)] = 1
    return outside
