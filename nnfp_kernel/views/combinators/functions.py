"""Functions of the text, as linear maps where they have a name."""

from __future__ import annotations

from collections.abc import Sequence

from ...language import syntax as s
from ...primitives.spelling import apply, lambda_, mentions
from .chains import IDENTITY, Chain
from .nests import pair_pattern, pairs

MINUS = apply("scale", s.Negate(s.Number(1)))
_LINEAR = ("sum", "reverse", "transpose", "flatten", "concat", "unzip", "parts")
_LINEAR_SIZED = ("take", "drop", "replicate", "reshape", "overlapAdd", "split")


def linear_function(name: str, body: s.Expression) -> s.Expression:
    """A function of `name` as a linear map: a name, a section, or a lambda."""
    plain = s.Name(name)
    match body:
        case s.Negate(operand=operand) if operand == plain:
            return MINUS
        case s.Binary(operator=operator, left=left, right=right) if right == plain and not mentions(
            left, name
        ):
            return apply("section", s.LeftSection(left, operator))
        case s.Binary(operator=operator, left=left, right=right) if left == plain and not mentions(
            right, name
        ):
            return apply("section", s.RightSection(operator, right))
        case s.Apply(function=s.Apply(function=s.Name("dot"), argument=left), argument=right) if (
            left == plain and not mentions(right, name)
        ):  # symmetric
            return apply("section", apply("dot", right))
    function = lambda_((name,), body)
    match function:
        case s.Name(name=known) if known in _LINEAR:
            return function
        case s.Bracket(name=known) if known in _LINEAR_SIZED:
            return function
        case s.Apply(function=s.Bracket(name="scatterAdd")):
            return function
        case _:
            return apply("section", function)


def function_of(pattern: s.PatternTree, body: s.Expression) -> s.Expression:
    if isinstance(pattern, s.PatternName):
        return lambda_((pattern.name,), body)
    return s.Lambda((pattern,), body)


def may_be_a_function(tree: s.Expression) -> bool:
    """Whether `id` or `zero`, functions by themselves, are paired in it: where no linear map
    is expected, that pair is a function."""
    return any(
        isinstance(part, s.Binary)
        and part.operator in ("***", "&&&")
        and not {IDENTITY, s.Name("zero")}.isdisjoint((part.left, part.right))
        for part in s.walk(tree)
    )


def taken(gives: Sequence[bool]) -> Chain:
    """The parts of nested pairs that are asked for."""
    names = [f"u{k}" for k in range(len(gives))]
    kept = [s.Name(name) for name, flag in zip(names, gives, strict=True) if flag]
    return (apply("section", s.Lambda((pair_pattern(names),), pairs(kept))),)
