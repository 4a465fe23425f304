"""Laws of numbers, entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph import Wire
from ..primitive import Parameters
from .law import Law

if TYPE_CHECKING:
    from .simplifier import Simplifier


def one_times(builder: Simplifier, parameters: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x · 1 = x = 1 · x"""
    left, right = inputs
    if builder.number(right) == 1:
        return left
    if builder.number(left) == 1 and not parameters.get("conjugate"):
        return right
    return None


def plus_zero(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x + 0 = x = 0 + x"""
    left, right = inputs
    if builder.number(right) == 0:
        return left
    return right if builder.number(left) == 0 else None


def plus_negative(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x + (- y) = x - y = (- y) + x"""
    left, right = inputs
    if node := builder.made_by(right, "negate"):
        return builder.emit("subtract", left, node.inputs[0])
    if node := builder.made_by(left, "negate"):
        return builder.emit("subtract", right, node.inputs[0])
    return None


def minus_zero(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x - 0 = x and 0 - x = - x"""
    left, right = inputs
    if builder.number(right) == 0:
        return left
    return builder.emit("negate", right) if builder.number(left) == 0 else None


def minus_negative(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """x - (- y) = x + y"""
    left, right = inputs
    if node := builder.made_by(right, "negate"):
        return builder.emit("add", left, node.inputs[0])
    return None


def same_choice(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
    """select c x x = x"""
    return inputs[1] if inputs[1] is inputs[2] else None


def twice(name: str) -> Law:
    def law(builder: Simplifier, _: Parameters, inputs: tuple[Wire, ...]) -> Wire | None:
        node = builder.made_by(inputs[0], name)
        return node.inputs[0] if node else None

    law.__name__ = f"{name}_twice"
    law.__doc__ = f"{name} ({name} x) = x"
    return law
