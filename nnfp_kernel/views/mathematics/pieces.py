"""Pieces of formulas and of types that several rules share."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from ...language.sizes import Size
from . import formula as m
from .changes import Change, Linear
from .formula import Formula
from .latex import template
from .quantities import Value, flat, size_formula
from .tape import Quantity

if TYPE_CHECKING:
    from .reading import Reader


def items_of(formula: Formula) -> tuple[Formula, ...]:
    return formula.items if isinstance(formula, m.Row) else (formula,)


def at_tangent(map: Formula, tangent: Formula) -> Formula:
    """A linear map at a tangent, side by side: D f(x) dx; L ∘ M at dx is L (M dx); at what
    does not move, 0."""
    if tangent == m.ZERO:
        return m.ZERO
    if (positive := m.negated(tangent)) is not None:
        return m.negative(at_tangent(map, positive))
    outer, *others = _chain(map)
    for each in others[::-1]:
        tangent = at_tangent(each, tangent)
    map = m.fitted(outer, m.PRODUCT)
    return m.Row((*m.factors(map), m.Space(), m.fitted(tangent, m.FUNCTION)), m.PRODUCT)


AFTER = m.Sign("∘")
IDENTITY = m.Letter("id")


def composed(outer: Formula, inner: Formula) -> Formula:
    """L ∘ M, a sign in front."""
    if m.ZERO in (outer, inner):
        return m.ZERO
    if (positive := m.negated(outer)) is not None:
        return m.negative(composed(positive, inner))
    if (positive := m.negated(inner)) is not None:
        return m.negative(composed(outer, positive))
    items: list[Formula] = []
    for each in (outer, inner):
        mixed = not m.is_differential(each) and any(
            isinstance(item, m.Sign) and item != AFTER for item in items_of(each)
        )
        items += [AFTER] if items else []
        items += [m.Fenced("(", each, ")")] if mixed else m.factors(each)
    return m.Row(tuple(items), m.PRODUCT)


def adjoint_of(map: Quantity) -> Formula:
    """L†; of a Hessian, itself."""
    return map.shown() if map.own_adjoint else adjoined(map.shown())


def adjoined(f: Formula) -> Formula:
    """L†, of L ∘ M the other way round, of a ⊗ b b ⊗ a, of a Hessian itself."""
    if (positive := m.negated(f)) is not None:
        return m.negative(adjoined(positive))
    items = items_of(f)
    if len(maps := _chain(f)) > 1:
        turned = [adjoined(each) for each in maps[::-1]]
        for k in range(1, len(maps) - 1):  # V ∘ diag(λ) ∘ V†, with numbers λ
            if items_of(maps[k])[0] == m.Letter("diag") and adjoined(maps[k - 1]) == maps[k + 1]:
                turned[-1 - k] = maps[k]
        return reduce(composed, turned)
    if isinstance(f, m.Row) and len(items) == 3 and items[1] == m.Sign("⊗"):
        return m.outer(items[2], items[0])
    if f == IDENTITY or items[0] == m.Script(m.Letter("∇"), None, m.Digits("2")):
        return f
    if isinstance(f, m.Fenced) and f.left == "(":
        return m.fitted(adjoined(f.inside), m.ATOM)
    return m.transposed(f, "†")


def _chain(f: Formula) -> list[Formula]:
    """L and M, of L ∘ M."""
    if not isinstance(f, m.Row) or f.binding != m.PRODUCT or AFTER not in f.items:
        return [f]
    found = [list(own) for sign, own in groupby(f.items, lambda each: each == AFTER) if not sign]
    return [_unfenced(own[0]) if len(own) == 1 else m.Row(tuple(own), m.PRODUCT) for own in found]


def _unfenced(f: Formula) -> Formula:
    return f.inside if isinstance(f, m.Fenced) and f.left == "(" else f


def inner(a: Formula, b: Formula) -> Formula:
    """⟨a, b⟩, a sign in front."""
    if (positive := m.negated(a)) is not None:
        return m.negative(inner(positive, b))
    if (positive := m.negated(b)) is not None:
        return m.negative(inner(a, positive))
    return template(r"\langle {0}, {1} \rangle", a, b)


def scaled(share: m.Fraction, f: Formula) -> Formula:
    """f times a share, in front of it with its sign and its number."""
    if (positive := m.negated(f)) is not None:
        return m.negative(scaled(share, positive))
    first, *rest = items_of(f)
    if isinstance(first, m.Digits) and rest and not isinstance(rest[0], m.Sign):
        rest = rest[1:] if rest[0] == m.Space() else rest
        front = m.fraction(m.product(first, share.top), share.bottom)
        return m.product(front, rest[0] if len(rest) == 1 else m.Row(tuple(rest), m.PRODUCT))
    return m.Row((share, *items_of(m.fitted(f, m.PRODUCT))), m.PRODUCT)


def conjugate(q: Quantity) -> Formula:
    return m.starred(q.shown()) if is_complex(q.type) else q.shown()


def is_complex(type: t.Type) -> bool:
    while isinstance(type, t.Array):
        type = type.element
    return type == t.C


def with_brackets(use: p.Builtin) -> Formula:
    """take[3]"""
    name = m.symbol(use.name) if use.name.isalpha() else m.Words(use.name)
    if not use.brackets:
        return name
    return m.indexed(name, m.listed([size_formula(size) for size in use.brackets]))


def rank(type: t.Type) -> int:
    """The number of axes; of a type not known here, that of a vector."""
    if isinstance(type, t.Array):
        return 1 + (0 if isinstance(type.element, t.Scalar) else rank(type.element))
    return 0 if isinstance(type, t.Scalar | t.Fin) else 1


def larger(a: t.Type, b: t.Type) -> t.Type:
    """What comes of two operands: the shape of the one with more axes, over C if either is."""
    larger = a if rank(a) >= rank(b) else b
    return _over_complex(larger) if is_complex(a) or is_complex(b) else larger


def _over_complex(type: t.Type) -> t.Type:
    if isinstance(type, t.Array):
        return replace(type, element=_over_complex(type.element))
    return t.C


def down(bar: Linear, type: t.Type, own: t.Type) -> Change:
    """The cotangent of an operand that was repeated: summed over the axes it lacks."""
    if is_complex(type) and not is_complex(own):  # a real operand moves along the real axis
        bar = bar.through(lambda f: template(r"\operatorname{{Re}} {0}", f))
    if rank(own) >= rank(type):
        return bar
    missing = rank(type) - rank(own)

    def summed(f: Formula) -> Formula:
        free = [i for i in map(m.symbol, "ijklmnpqrstuvw") if i not in m.inside(f)]
        below = m.listed(free[:missing])
        return m.summed(m.indexed(f, below), below)

    return bar.through(summed)


def has_name(size: Size) -> bool:
    """Whether the program has a name for a size: not where it is open, or known as it runs."""
    return not str(size).startswith("_") and not any(v.runtime for v in size.variables())


def length_of(reader: Reader, size: Size, sequences: Value) -> Formula:
    """The number of elements; |r|, where the program has no name for it: `[R]`."""
    first = next(flat(sequences), None)
    if first is None or has_name(size):
        return size_formula(size)
    reader.ensure_named(first, "u", "v", "w")
    return m.Fenced("|", first.shown(), "|")
