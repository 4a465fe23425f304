"""Equations between sizes: which variable one settles, and to what.

n + 2 = 3 * m       n = 3*m - 2
2 * n = 5           a contradiction: no size makes it true
n * n = 4           nothing can be said yet
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .sizes import (
    ZERO,
    Monomial,
    Size,
    SizeVariable,
    as_size,
    bounds,
    constant,
    normal,
    occurrences,
    shrunk,
    without,
)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """No sizes make both sides equal; `reason` is half a sentence for a message."""

    reason: str


def solve(left: Size, right: Size) -> tuple[SizeVariable, Size] | Contradiction | None:
    """An open variable and what the equation `left = right` makes it, never a guess.

    >>> from .sizes import variable
    >>> n, m = variable("n", open=True), variable("m")
    >>> solve(n + 2, m * 3)
    (SizeVariable(name='n', identity=0, open=True, runtime=False), <size 3*m-2>)
    >>> solve(2 * n, constant(5)).reason
    'no size makes 2*_n equal to 5'
    >>> solve(n * n, constant(4)) is None
    True

    The equation is solved where it is linear in an open variable whose coefficient
    divides all else; among several, a solution without negative coefficients is
    preferred, then one that keeps a run-time length. The coefficient may have variables
    that are not open (`n*k = 3*k`): then the solution is the only one but where it is 0.
    A sum of sizes that is 0 makes each of them 0. None: nothing can be said yet (or both
    sides are already equal); where no open variable is left the sides agree only for
    some sizes.
    """
    for lone, other in ((left.lone_variable, right.value), (right.lone_variable, left.value)):
        if lone is not None and lone.open and other is not None and other >= 0:
            return lone, constant(other)  # by far the most frequent equation
    difference = left - right
    if not difference.terms:
        return None
    rest = difference.value
    low, high = bounds(difference)
    if rest is not None:
        return Contradiction(f"{left} is never {right}")
    common = math.gcd(*(c for monomial, c in difference.terms if monomial))
    number = next((c for monomial, c in difference.terms if not monomial), 0)
    if number % common or (low is not None and low > 0) or (high is not None and high < 0):
        return Contradiction(f"no size makes {left} equal to {right}")
    if common != 1:
        difference = shrunk(difference, common)
    if low == 0 or high == 0:
        # Every term is at the one bound that the sum needs, so a lone variable is 0.
        vanishing = sorted(
            monomial[0]
            for monomial, _ in difference.terms
            if len(monomial) == 1 and isinstance(monomial[0], SizeVariable) and monomial[0].open
        )
        if vanishing:
            return vanishing[0], ZERO
    solutions = [
        (unknown, solution)
        for place, unknown in _linear_unknowns(difference)
        if (solution := _isolate(difference, place, unknown)) is not None
    ]
    if not solutions:
        return None
    return min(
        solutions,
        key=lambda found: (
            any(coefficient < 0 for _, coefficient in found[1].terms),
            found[0].runtime,
            len(found[1].terms),
            -found[0].identity,  # the newer variable goes
            found[0],
        ),
    )


def solve_for_examples(left: Size, right: Size) -> tuple[SizeVariable, Size] | None:
    """The one open variable of `c * m = n`, where n is made of lengths of examples: n / c.

    >>> from .sizes import variable
    >>> n = as_size(SizeVariable("n", -1, False, True))
    >>> solve_for_examples(2 * variable("m", open=True), n)
    (SizeVariable(name='m', identity=0, open=True, runtime=False), <size n/2>)

    None for any other equation. That c divides n is for whoever looks at the examples.
    """
    difference = left - right
    opened = [v for v in difference.variables() if v.open]
    if len(opened) != 1 or not all(v.of_example for v in difference.variables() if not v.open):
        return None
    factor = dict(difference.terms).get((opened[0],))
    rest = difference - as_size(opened[0]) * (factor or 0)
    if factor is None or opened[0] in rest.variables():
        return None
    return opened[0], (-rest if factor > 0 else rest) // abs(factor)


def _linear_unknowns(size: Size) -> list[tuple[Monomial, SizeVariable]]:
    """The open variables that occur once, and the term they stand in; all other factors
    of that term are variables that are not open."""
    met = list(occurrences(size))
    return [
        (monomial, atom)
        for monomial, _ in size.terms
        for atom in monomial
        if isinstance(atom, SizeVariable)
        and atom.open
        and met.count(atom) == 1
        and all(
            isinstance(other, SizeVariable) and not other.open
            for other in monomial
            if other != atom
        )
    ]


def _isolate(size: Size, place: Monomial, unknown: SizeVariable) -> Size | None:
    """What `size = 0` makes the unknown, which stands in the term `place`; None where its
    coefficient does not divide."""
    factor = dict(size.terms)[place]
    beside = without(place, (unknown,)) or ()
    solution: dict[Monomial, int] = {}
    for monomial, coefficient in size.terms:
        if monomial == place:
            continue
        left = without(monomial, beside)
        if left is None or coefficient % factor:
            return None
        solution[left] = -coefficient // factor
    return normal(solution)
