"""How the pieces of a spelled program are made: terms, new names, literals, applications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy

from ...graph.graph import ArrayType, Constant
from ...language import syntax as s

Shape = tuple[int, ...]


class Unspeakable(Exception):
    """Something of a graph that the language has no words for."""


@dataclass(frozen=True)
class Term:
    """An expression that stands for an array of `type`: by itself, or, repeated over
    leading axes, by an array of shape `core`."""

    tree: s.Expression
    type: ArrayType
    core: Shape
    depth: int = 0
    heavy: bool = False  # worth doing once only
    below: int | None = None  # an Int known to be a Fin of this size
    untyped: bool = False  # a name whose type only its use tells: of a function's parameter

    @property
    def whole(self) -> bool:
        """Whether it stands for the array without being repeated."""
        return self.core == self.type.shape

    @property
    def atom(self) -> bool:
        return isinstance(self.tree, s.Name | s.Path | s.Number)


def term(tree: s.Expression, type: ArrayType, **more: Any) -> Term:
    """A term that stands for an array as it is."""
    return Term(tree, type, type.shape, **more)


@dataclass
class Names:
    """New names for a definition: none that is in use."""

    taken: set[str] = field(default_factory=set)
    open: bool = False  # lengths stand for others: a part of a sequence is said with all of them

    def fresh(self, wanted: str) -> str:
        """`wanted`, or with a number after it.

        >>> names = Names({"x"})
        >>> names.fresh("x"), names.fresh("y"), names.fresh("x")
        ('x2', 'y', 'x3')
        """
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}{number}", number + 1
        self.taken.add(name)
        return name


def apply(function: s.Expression | str, *arguments: s.Expression) -> s.Expression:
    """`f x y`."""
    tree = s.Name(function) if isinstance(function, str) else function
    for argument in arguments:
        tree = s.Apply(tree, argument)
    return tree


def sized(name: str, *sizes: int, **options: int) -> s.Expression:
    """`take[3]`, `window[3, stride=2]`."""
    given = tuple(s.BracketOption(option, s.SizeNumber(n)) for option, n in options.items())
    return s.Bracket(name, tuple(map(s.SizeNumber, sizes)), given)


def lambda_(parameters: Sequence[str], body: s.Expression) -> s.Expression:
    """`\\(x, y) -> e`; a function of one argument that is only applied to it is itself."""
    if len(parameters) == 1:
        (name,) = parameters
        plain = s.Name(name)
        if (
            isinstance(body, s.Apply)
            and body.argument == plain
            and not mentions(body.function, name)
        ):
            return body.function
        return s.Lambda((s.PatternName(name),), body)
    return s.Lambda((s.PatternTuple(tuple(map(s.PatternName, parameters))),), body)


def mentions(tree: s.Tree, name: str) -> bool:
    """Whether a name occurs in an expression."""
    return any(isinstance(part, s.Name) and part.name == name for part in s.walk(tree))


def under(axes: int, function: s.Expression) -> s.Expression:
    """A function applied inside so many leading axes: `map (map f)`."""
    for _ in range(axes):
        function = apply("map", function)
    return function


def number(value: Any, kind: str = "R") -> s.Expression:
    """A literal."""
    if kind == "Bool":
        return s.Name("True" if value else "False")
    value = value.item() if isinstance(value, numpy.generic) else value
    if isinstance(value, complex):
        if value.imag:
            return _imaginary_number(value)
        value = value.real
    if not isfinite(value):
        infinite = s.Binary("/", s.Number(1), s.Number(0))
        if value != value:
            return s.Binary("/", s.Number(0), s.Number(0))
        return infinite if value > 0 else s.Negate(infinite)
    plain = int(value) if float(value).is_integer() and abs(value) < 1e15 else float(value)
    return s.Negate(s.Number(-plain)) if value < 0 else s.Number(plain)


def _imaginary_number(value: complex) -> s.Expression:
    """`2i`, `1 + 2i`."""
    unit = s.Number(complex(0, abs(value.imag)))
    if not value.real:
        return unit if value.imag > 0 else s.Negate(unit)
    return s.Binary("+" if value.imag > 0 else "-", number(value.real), unit)


def constant(operation: Constant) -> Term:
    """A literal array; one number repeated stays one."""
    value, type = operation.value, operation.type
    if value.ndim and value.size and (value == value.flat[0]).all():
        return Term(number(value.flat[0], type.kind), type, ())
    if value.size == 0:
        return zeros(type)

    def literal(array: Any) -> s.Expression:
        if not array.ndim:
            return number(array[()], type.kind)
        return s.Sequence(tuple(map(literal, array)))

    return term(literal(value), type)


def zeros(type: ArrayType) -> Term:
    return Term(s.Number(0), type, ())


def whole(given: Term) -> s.Expression:
    """The expression of a term, written out over all of its axes."""
    tree = given.tree
    missing = given.type.shape[: given.type.rank - len(given.core)]
    for size in reversed(missing):
        tree = apply(sized("replicate", size), tree)
    return tree


def deeper(*operands: Term) -> dict[str, Any]:
    """What a term made of others inherits."""
    return {
        "depth": 1 + max((operand.depth for operand in operands), default=0),
        "heavy": any(operand.heavy for operand in operands),
    }


def type_tree(type: ArrayType) -> s.TypeTree:
    """The type of an array, as it is written."""
    scalar = s.TypeName(type.kind)
    return s.TypeArray(scalar, tuple(map(s.SizeNumber, type.shape))) if type.shape else scalar


def undone(name: str, tree: s.Expression) -> s.Expression | None:
    """`x` for `f x`, where f undoes itself."""
    match tree:
        case s.Apply(s.Name(applied), argument) if applied == name:
            return argument
    return None
