"""What complex numbers change in a spelling: operands of both kinds, conjugates."""

from __future__ import annotations

from ...language import syntax as s
from .table import Call
from .terms import Term, apply, undone

COMPLEX = s.Number(0j)  # `x + 0i`, a real number as a complex one


def mixed(left: s.Expression, right: s.Expression) -> tuple[s.Expression, s.Expression]:
    """Operands of arithmetic, where one that is real may stay so beside a complex one; a
    number beside it would be real too."""
    if (real := as_real(left)) is not None and is_complex(right):
        return real, right
    if (real := as_real(right)) is not None and is_complex(left):
        return left, real
    return left, right


def as_real(tree: s.Expression) -> s.Expression | None:
    """`x` for `x + 0i`."""
    match tree:
        case s.Binary("+", real, zero) if zero is COMPLEX:
            return real
    return None


def is_complex(tree: s.Expression) -> bool:
    """Whether an expression of complex numbers is one by what it names, as it is written."""
    names = any(isinstance(part, s.Name | s.Path) for part in s.walk(tree))
    return names and as_real(tree) is None


def conjugated(call: Call, operand: Term, tree: s.Expression) -> s.Expression:
    """The second operand, conjugated where it is to be; a real one that stands for a
    complex one is its own conjugate, and so is a conjugate's."""
    conjugate = call.parameters.get("conjugate") and operand.type.kind == "C"
    if not conjugate or as_real(tree) is not None:
        return tree
    return undone("conj", tree) or apply("conj", tree)
