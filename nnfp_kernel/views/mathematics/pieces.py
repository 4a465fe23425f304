"""Pieces of formulas and of types that several rules share."""

from __future__ import annotations

from dataclasses import replace

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .changes import Change, Linear
from .formula import Formula
from .latex import template
from .quantities import size_formula
from .tape import Quantity


def items_of(formula: Formula) -> tuple[Formula, ...]:
    return formula.items if isinstance(formula, m.Row) else (formula,)


def at_tangent(map: Formula, tangent: Formula) -> Formula:
    """A linear map at a tangent, side by side: D f(x) dx."""
    return m.Row(
        (*items_of(m.fitted(map, m.PRODUCT)), m.Space(), m.fitted(tangent, m.FUNCTION)), m.PRODUCT
    )


def inner(a: Formula, b: Formula) -> Formula:
    """⟨a, b⟩, a sign in front."""
    if (positive := m.negated(a)) is not None:
        return m.negative(inner(positive, b))
    return template(r"\langle {0}, {1} \rangle", a, b)


def scaled(share: Formula, f: Formula) -> Formula:
    return m.Row((share, *items_of(m.fitted(f, m.PRODUCT))), m.PRODUCT)


def conjugate(q: Quantity) -> Formula:
    return template("{0}^{{*}}", q.shown()) if is_complex(q.type) else q.shown()


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
    index = [m.symbol(name) for name in "ijk"][: rank(type) - rank(own)]
    below = m.listed(index)
    return bar.through(lambda f: m.summed(m.indexed(f, below), below))
