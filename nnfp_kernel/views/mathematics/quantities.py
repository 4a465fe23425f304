"""Values on a tape: quantities, products of them, functions, and constructed data.

an array, a number       a Quantity
a product                a tuple; an array of pairs is a pair of arrays
a function               a Meaning: what it does, and how a formula refers to it
a data value             Built, where the constructor is known; Alternatives, where it
                         is one of several
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from ...graph.graph import ArrayType
from ...language import types as t
from ...language.sizes import Size, constant
from ...runtime.program import Program
from . import formula as m
from .formula import Formula
from .tape import Block, Quantity

Value: TypeAlias = Any  # Quantity | tuple of values | Meaning | Built


@dataclass(frozen=True)
class Meaning:
    """A function: what it does to a value, and how a formula refers to it."""

    call: Callable[[Value], Value]
    shown: Callable[[], Formula]
    linear: bool = False  # whether it is known to be, and to refer to nothing: its own derivative
    given: Callable[[], Value] | None = None  # an argument, by the names of its parameter
    gradient_of: Value = None  # the function, where it is the gradient of one


@dataclass(frozen=True)
class Built:
    """A constructor of `data` at its fields."""

    name: str
    fields: tuple[Value, ...]


@dataclass(frozen=True)
class Alternatives:
    """One of several constructed values: how each is said, its condition, where it is made."""

    branches: tuple[tuple[Formula, Formula, Block, Value], ...]


def flat(value: Value) -> Iterator[Quantity]:
    """The quantities of a value, from left to right."""
    if isinstance(value, Quantity):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from flat(item)
    elif isinstance(value, Built):
        yield from flat(value.fields)
    elif isinstance(value, Alternatives):
        for *_, each in value.branches:
            yield from flat(each)


def form_of(value: Value) -> object:
    """Which constructors are known in a value: what its quantities stand for goes by that."""
    if isinstance(value, tuple):
        return tuple(map(form_of, value))
    return (value.name, form_of(value.fields)) if isinstance(value, Built) else None


def rebuilt(value: Value, function: Callable[[Quantity], Quantity]) -> Value:
    """The same value of other quantities."""
    if isinstance(value, Quantity):
        return function(value)
    if isinstance(value, tuple):
        return tuple(rebuilt(item, function) for item in value)
    if isinstance(value, Built):
        return Built(value.name, rebuilt(value.fields, function))
    return value


def spread(type: t.Type, name: Formula, program: Program, role: str = "") -> Value:
    """A value of a type whose parts have the name, numbered where there are several."""
    if isinstance(type, t.Product):
        items = enumerate(type.items, 1)
        return tuple(
            spread(item, m.indexed(name, m.Digits(str(k))), program, role) for k, item in items
        )
    if isinstance(type, t.Array) and isinstance(type.element, t.Product):
        parts = t.Product(tuple(t.Array(item, type.length) for item in type.element.items))
        return spread(parts, name, program, role)
    if isinstance(type, t.Named) and type.name in program.reps:
        return spread(program.reps[type.name].carrier, name, program, role)
    own = role or ("" if differentiable(type) else "constant")
    return Quantity(type, name, role=own)


def respread(type: t.Type, names: Iterator[Formula], program: Program) -> Value:
    """A value of a type whose parts take their names in turn."""
    return rebuilt(
        spread(type, m.ONE, program), lambda q: Quantity(q.type, next(names), role=q.role)
    )


def size_formula(size: Size) -> Formula:
    """A size as it is written, a quotient, which is rounded down, as ⌊n/2⌋.

    >>> from ...language.sizes import variable
    >>> from .plain import to_plain
    >>> n, k = variable("rows"), variable("k")
    >>> to_plain(size_formula((n - k) // 2 + 1))
    '⌊(rows - k)/2⌋ + 1'
    """
    return _of_size(ast.parse(str(size).replace("/", "//"), mode="eval").body)


def _of_size(node: ast.expr) -> Formula:
    match node:
        case ast.Name(id=name):
            return m.symbol(name)
        case ast.Constant(value=int(number)):
            return m.number(number)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return m.negative(_of_size(inner))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return m.plus(_of_size(left), _of_size(right))
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return m.minus(_of_size(left), _of_size(right))
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return m.product(_of_size(left), _of_size(right))
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
            return m.floor(m.Fraction(_of_size(left), _of_size(right)))
        case _:
            raise AssertionError(f"no size: {ast.unparse(node)}")


def size_of_loop(sequences: Value) -> Size:
    for quantity in flat(sequences):
        if isinstance(quantity.type, t.Array):
            return quantity.type.length
    return constant(0)


def array_type(type: t.Type) -> ArrayType:
    """The array that stands for a type: sizes that are letters are some numbers."""
    shape: list[int] = []
    letters: dict[str, int] = {}
    while isinstance(type, t.Array):
        size = type.length
        known = size.value
        shape.append(letters.setdefault(str(size), len(letters) + 3) if known is None else known)
        type = type.element
    kind = "R" if isinstance(type, t.TypeVariable) else "Int"  # a field that is open is R
    return ArrayType(type.name if isinstance(type, t.Scalar) else kind, tuple(shape))


def of_open_field(type: t.Type) -> bool:
    """Whether it is an array over R or C, as its use will say."""
    while isinstance(type, t.Array):
        type = type.element
    return isinstance(type, t.TypeVariable)


def differentiable(type: t.Type) -> bool:
    match type:
        case t.Scalar(name=name):
            return name in "RC"
        case t.Fin() | t.Function():
            return False
        case t.Array(element=inner):
            return differentiable(inner)
        case t.Product(items=items):
            return any(map(differentiable, items))
        case _:
            return True
