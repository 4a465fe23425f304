"""Q and R of a matrix with more columns than rows, or of an open size: `qr`.

The columns on the left, as many as there are rows, give Q; it turns the others. With
J the first columns of I, as many as Q has, P = J (R J)⁻¹ is a right inverse of R:

    T = G ⊙ sym(Qᴴ dA P)     dQ = dA P - Q T                  G_{i,j} = [i = j] + 2 [i < j]
                             dR = T R + Qᴴ dA (I - P R)
    T̄ = R̄ Rᴴ - Qᴴ Q̄          Ā = (Q̄ + Q sym(G ⊙ T̄)) Pᴴ + Q R̄ (I - P R)ᴴ

It holds of any matrix whose Q has a derivative: where R is square, P is R⁻¹, and it is the rule
of primitives/factorisations.py; where Q is, R = Qᴴ A moves with both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from ...language.sizes import Size
from . import formula as m
from .calls import symmetric
from .changes import Change, Linear
from .formula import Formula
from .named import opaque_builtin
from .pieces import is_complex
from .quantities import Value, of_open_field, size_formula
from .records import general
from .table import result_of, rule, template_of
from .tape import Line, Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Reader

I = m.Letter("I")  # noqa: E741


@rule("qr")
def qr(reader: Reader, use: p.Builtin, a: Value) -> Value:
    if not isinstance(a, Quantity) or not _is_matrix(a.type):
        return opaque_builtin(reader, use, [a])
    result = result_of(use, 1)
    assert isinstance(result, t.Product)
    rows, columns = _sizes(a.type)
    more = (rows - columns).value
    if more is not None and more >= 0:
        return general(reader, use, a)
    return _factors(reader, use, a, result)


def _is_matrix(type: t.Type) -> bool:
    if not isinstance(type, t.Array) or not isinstance(type.element, t.Array):
        return False
    return isinstance(type.element.element, t.Scalar | t.TypeVariable)


def _sizes(type: t.Type) -> tuple[Size, Size]:
    assert isinstance(type, t.Array)
    assert isinstance(type.element, t.Array)
    return type.length, type.element.length


@dataclass(eq=False)
class _Factors(Rule):
    """Q and R, with what their derivative needs."""

    says: Callable[[Pass], list[Line]] | None = None

    def values(self, walk: Pass) -> None:
        super().values(walk)
        if self.says is not None and walk.moves:
            walk.lines += self.says(walk)


def _factors(reader: Reader, use: p.Builtin, a: Quantity, result: t.Product) -> Value:
    reader.real = reader.real or of_open_field(a.type)
    mark = "H" if is_complex(a.type) else "⊤"
    i = reader.index("i", "j", "k", "l")
    j = reader.index(*(name for name in ("j", "k", "l", "m") if m.symbol(name) != i))
    mask, first = (reader.fresh(*names) for names in (("G", "F", "H"), ("J", "K", "L")))
    over, turning = (
        reader.within_loops(reader.fresh(*names)) for names in (("P", "M", "N"), ("T", "S", "X"))
    )
    width, columns = _sizes(result.items[1])

    def turned(f: Formula) -> Formula:
        return m.transposed(f, mark)

    def asked(walk: Pass) -> tuple[Formula, Formula]:
        walk.asked += [each for each in (a, *made.outputs) if each.name is None]
        q, r = (each.shown() for each in made.outputs)
        return q, r

    def rest(r: Formula) -> Formula:
        """I - P R, which takes away what R has on the left."""
        return m.minus(I, m.product(over, r))

    def says(walk: Pass) -> list[Line]:
        _, r = asked(walk)
        size, place = size_formula(width), m.listed([i, j])
        on, above = (m.Fenced("[", m.equation(i, j, sign), "]") for sign in "=<")
        square = m.counted(place, size)
        wide = m.nested([m.counted(i, size_formula(columns)), m.counted(j, size)])
        return [
            Line(m.indexed(mask, place), m.plus(on, m.product(m.Digits("2"), above)), range=square),
            Line(m.indexed(first, place), on, range=wide),
            Line(over, m.product(first, m.inverted(m.product(r, first))), range=walk.range),
        ]

    def forward(walk: Pass, d: list[Change]) -> list[Change]:
        if d[0] is None:
            return [None, None]
        q, r = asked(walk)
        da = d[0].formula()
        inside = m.product(m.product(turned(q), da), over)
        walk.line(turning, m.entrywise(mask, symmetric(inside)))
        dq = m.minus(m.product(da, over), m.product(q, turning))
        dr = m.plus(m.product(turning, r), m.product(m.product(turned(q), da), rest(r)))
        return [
            Linear.of(change) if output in walk.wanted else None
            for output, change in zip(made.outputs, (dq, dr), strict=True)
        ]

    def backward(walk: Pass, bars: list[Change]) -> list[Change]:
        q, r = asked(walk)
        of_q, of_r = (m.ZERO if bar is None else bar.formula() for bar in bars)
        bar = m.barred(turning)
        walk.line(bar, m.minus(m.product(of_r, turned(r)), m.product(turned(q), of_q)))
        inside = m.plus(of_q, m.product(q, symmetric(m.entrywise(mask, bar))))
        total = m.product(inside, turned(over))
        total = m.plus(total, m.product(m.product(q, of_r), turned(rest(r))))
        return [Linear.of(total)]

    def component(k: int) -> Formula:
        return m.indexed(m.Fenced("(", value(), ")"), m.Digits(str(k + 1)))

    def value() -> Formula:
        return template_of(reader, use, [a.shown()])

    made = _Factors((a,), component, forward, backward, joint=value, says=says)
    reader.add(made, *result.items)
    return made.outputs
