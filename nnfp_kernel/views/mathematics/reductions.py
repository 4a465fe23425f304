"""Reductions along the first axis: how much each element counts has a line of its own.

    product      pᵢ = ∏_{j ≠ i} xⱼ          which holds where an element is 0, too
    maximum      pᵢ = [xᵢ = y] / ∑ₖ [xₖ = y]
    logsumexp    pᵢ = e^{xᵢ - y}

    dy = ∑ᵢ pᵢ ⊙ dxᵢ      x̄ = p ⊙ (𝟏 ⊗ ȳ)      of a vector, ⟨p, dx⟩ and ȳ p

Of a vector, the largest and the log-sum-exp are read from their records instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .changes import Change
from .formula import Formula
from .named import opaque_builtin
from .pieces import inner, is_complex, length_of, rank
from .quantities import Value
from .records import general
from .table import result_of, rule, template_of
from .tape import Line, Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Reader

# Of x at i and at another index, and of the answer: how much the element at i counts.
SHARES: dict[str, Callable[[Callable[[Formula], Formula], Formula, Formula, Formula], Formula]] = {
    "product": lambda x, i, k, y: m.Row(
        (m.Script(m.Sign("∏"), m.equation(k, i, "≠")), x(k)), m.PRODUCT
    ),
    "maximum": lambda x, i, k, y: _equal_shares(x, i, k, y),
    "minimum": lambda x, i, k, y: _equal_shares(x, i, k, y),
    "logsumexp": lambda x, i, k, y: m.Script(m.Letter("e"), None, m.minus(x(i), y)),
}


def _equal_shares(x: Callable[[Formula], Formula], i: Formula, k: Formula, y: Formula) -> Formula:
    hit, hits = (m.Fenced("[", m.equation(x(at), y), "]") for at in (i, k))
    return m.Fraction(hit, m.summed(hits, k))


@dataclass(eq=False)
class _Reduction(Rule):
    """The shares are said with the value."""

    shares: Callable[[Pass], Line] | None = None

    def values(self, walk: Pass) -> None:
        super().values(walk)
        if self.shares is not None and walk.moves:
            walk.lines.append(self.shares(walk))


@rule(*SHARES)
def reduced(reader: Reader, use: p.Builtin, a: Value) -> Value:
    if not isinstance(a, Quantity) or not isinstance(a.type, t.Array) or is_complex(a.type):
        return opaque_builtin(reader, use, [a])
    if use.name != "product" and rank(a.type) == 1:
        found = general(reader, use, a)
        return opaque_builtin(reader, use, [a]) if found is None else found
    if a.role == "constant":
        return opaque_builtin(reader, use, [a])
    if a.name is None:
        a.name = reader.within_loops(reader.fresh("h", "u", "v"))
    count, type = length_of(reader, a.type.length, a), result_of(use, 1)
    share = reader.within_loops(reader.fresh("p", "q", "w", "g", "f", "b", "c"))
    i = reader.index("i", "j", "k")
    other = reader.index(*(n for n in ("j", "k", "l") if m.symbol(n) != i))

    def shares(walk: Pass) -> Line:
        if made.name is None:
            walk.asked.append(made)
        right = SHARES[use.name](lambda at: m.indexed(a.shown(), at), i, other, made.shown())
        range = m.nested([*walk.ranges, m.counted(i, count)])
        return Line(m.indexed(share, i), right, range=range)

    def along(f: Formula) -> Formula:
        if rank(type) == 0:
            return inner(share, f)
        return m.summed(m.entrywise(m.indexed(share, i), m.indexed(f, i)), i)

    def back(f: Formula) -> Formula:
        if rank(type) == 0:
            return m.product(f, share)
        return m.entrywise(share, m.outer(m.ONES, f))

    def forward(_: Pass, d: list[Change]) -> list[Change]:
        return [None if d[0] is None else d[0].through(along)]

    def backward(_: Pass, bars: list[Change]) -> list[Change]:
        return [None if bars[0] is None else bars[0].through(back)]

    operation = _Reduction(
        (a,), lambda _: template_of(reader, use, [a.shown()]), forward, backward, shares=shares
    )
    made = reader.add(operation, type)
    return made
