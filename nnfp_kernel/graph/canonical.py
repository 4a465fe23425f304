"""A graph as hashable data: two graphs that compute the same in the same way are equal.

Wires are numbered in the order in which they are made, so that it matters neither when nor
from which text a graph was made. What was compiled for one serves the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any

import numpy

from .graph import Call, Constant, Graph, Wire


def canonical(graph: Graph) -> Hashable:
    """The graph by its structure, without the names and places that are for people.

    >>> from .graph import ArrayType, Builder
    >>> def made(name):
    ...     builder = Builder({})
    ...     return builder.finish([builder.input(ArrayType("R"), name)])
    >>> canonical(made("x")) == canonical(made("y"))
    True
    """
    numbers: dict[Wire, int] = {}

    def number(wire: Wire) -> int:
        return numbers.setdefault(wire, len(numbers))

    inputs = tuple((number(wire), wire.type) for wire in graph.inputs)
    nodes = tuple(
        (
            _operation(node.operation),
            tuple(map(number, node.inputs)),
            tuple(map(number, node.outputs)),
        )
        for node in graph.nodes
    )
    return inputs, nodes, tuple(map(number, graph.outputs))


def _operation(operation: Any) -> Hashable:
    match operation:
        case Constant(value=value, type=type):
            return "Constant", frozen(value), type
        case Call(primitive=primitive, parameters=parameters):
            return "Call", primitive.name, frozen(parameters)
        case _:
            parts = (frozen(getattr(operation, field.name)) for field in fields(operation))
            return operation.__class__.__name__, *parts


def frozen(part: Any) -> Hashable:
    """Hashable data for a part of an operation. An array is its bytes: zeros of either sign
    and NaNs are told apart."""
    match part:
        case Graph():
            return canonical(part)
        case numpy.ndarray() | numpy.generic():
            return part.dtype.str, part.shape, part.tobytes()
        case Mapping():
            return tuple((name, frozen(part[name])) for name in sorted(part))
        case tuple():
            return tuple(map(frozen, part))
        case float():
            return "float", part.hex()
        case bool() | int():
            return type(part).__name__, part
        case _:
            hash(part)  # by value; of an object, by identity
            return part  # type: ignore[no-any-return]
