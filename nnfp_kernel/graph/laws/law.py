"""What a law is, and how one looks at the nodes before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from ..graph import Call, Node, Wire
from ..primitive import Parameters, Primitive

if TYPE_CHECKING:
    from .simplifier import Simplifier

Primitives: TypeAlias = Mapping[str, Primitive]
Law: TypeAlias = Callable[["Simplifier", Parameters, tuple[Wire, ...]], Wire | None]
Labels: TypeAlias = tuple[int, ...]
Fired: TypeAlias = "Counter[tuple[str, str]]"  # laws by name and statement: how often


def name_of(node: Node) -> str:
    assert isinstance(node.operation, Call)
    return node.operation.primitive.name


def parameters_of(node: Node) -> Parameters:
    assert isinstance(node.operation, Call)
    return node.operation.parameters
