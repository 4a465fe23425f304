"""Trees and types in few words, for tests that write programs.

array(t.R, 2, 3)                      the type R[2,3]
infix("+", name("x"), number(1))      the tree of `x + 1`
"""

from __future__ import annotations

from typing import Any

from nnfp_kernel.language import syntax as s
from nnfp_kernel.language import types as t
from nnfp_kernel.language.sizes import constant

Type = t.Type
Tree = Any
Scope = tuple[tuple[str, Type], ...]

# --- types -------------------------------------------------------------------------------------


def array(element: Type, *sizes: int) -> Type:
    """`element[sizes]`, the outermost axis first."""
    for size in reversed(sizes):
        element = t.Array(element, constant(size))
    return element


def length(type: Type) -> int:
    assert isinstance(type, t.Array)
    size = type.length.value
    assert size is not None
    return size


def axes(type: Type) -> tuple[Type, tuple[int, ...]]:
    """The base of an array type and its sizes, outermost first."""
    sizes = []
    while isinstance(type, t.Array):
        sizes.append(length(type))
        type = type.element
    return type, tuple(sizes)


def real(type: Type) -> bool:
    """R under any axes: what elementwise functions take."""
    return axes(type)[0] == t.R


def entries(type: Type) -> int:
    count = 1
    for size in axes(type)[1]:
        count *= size
    return count


def visible(scope: Scope) -> list[tuple[str, Type]]:
    """The variables that are not shadowed, the innermost first."""
    return list(dict(scope).items())[::-1]


def size_tree(size: int) -> s.SizeTree:
    return s.SizeNumber(size)


# --- trees -------------------------------------------------------------------------------------


def name(text: str) -> s.Name:
    return s.Name(text)


def apply(function: Tree | str, *arguments: Tree) -> Tree:
    tree = name(function) if isinstance(function, str) else function
    for argument in arguments:
        tree = s.Apply(tree, argument)
    return tree


def number(value: float) -> Tree:
    return s.Number(value, repr(value)) if value >= 0 else s.Negate(number(-value))


def infix(operator: str, left: Tree, right: Tree) -> Tree:
    return s.Binary(operator, left, right)


def bracket(word: str, *sizes: int, **options: int | str) -> Tree:
    given = tuple(
        s.BracketOption(key, value if isinstance(value, str) else s.SizeNumber(value))
        for key, value in options.items()
    )
    return s.Bracket(word, tuple(size_tree(size) for size in sizes), given)


def function_of(pattern: Tree, body: Tree) -> Tree:
    return s.Lambda((pattern,), body)
