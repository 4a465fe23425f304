"""The trees in arguments and answers, which hold more than trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from ...graph.forest import NoForest, forestable
from ...graph.values import Declarations
from ...language import types as t
from ..data import DataValue
from ..exchange import Misfit, describe, part_of
from .trees import PackedTrees

Array = Any


def packed(
    expected: t.Type,
    value: Any,
    declarations: Declarations,
    where: str = "the input",
    *,
    batch: bool = False,
    each: bool = False,
    ordered: bool = False,
) -> Any:
    """A Python value with the trees in it packed; the value itself where there are none.

    In a batch a list of trees stands in the place of a tree. Raises Misfit, and NoForest
    for a batch of trees that no forest can hold.
    """
    match expected:
        case t.Product(items=items) if isinstance(value, tuple) and len(items) == len(value):
            parts = tuple(
                packed(
                    item,
                    part,
                    declarations,
                    part_of(where, k),
                    batch=batch,
                    each=each,
                    ordered=ordered,
                )
                for k, (item, part) in enumerate(zip(items, value, strict=True), 1)
            )
            # The value itself keeps what it was, if nothing in it is a tree.
            same = all(part is own for part, own in zip(parts, value, strict=True))
            return value if same else parts
        case t.Named(name=name) if name in declarations.data and declarations.data[name].recursive:
            if batch and not isinstance(value, list | tuple):
                raise Misfit(describe(value), f"a list of values of type {t.show(expected)}", where)
            trees = value if batch else (value,)
            made = PackedTrees.of(
                trees,
                expected,
                declarations,
                batch=batch,
                each=each,
                ordered=ordered,
                where=where,
            )
            if forestable(made.type, declarations):
                return made
            if batch:
                raise NoForest(made.type)
            return value
        case _:
            return value


@dataclass(frozen=True)
class Planted:
    """A tree that a forest gave, before its shape is put to it: that of the trees of one of
    the forests among the arguments."""

    origin: int
    type: t.Named
    payload: tuple[Array, ...]


def forests_in(value: Any) -> list[PackedTrees]:
    """The packed trees in a value, in order."""
    if isinstance(value, tuple | list):
        return [found for part in value for found in forests_in(part)]
    return [value] if isinstance(value, PackedTrees) else []


def planted(value: Any, forests: Sequence[PackedTrees], k: int = 0) -> Any:
    """An answer with its trees as trees."""
    if isinstance(value, Planted):
        return forests[value.origin].planted(value.type, k, value.payload)
    if isinstance(value, DataValue):  # a constructor put around trees of a forest
        return DataValue(value.constructor, planted(value.fields, forests, k))
    if isinstance(value, tuple | list):
        return type(value)(planted(part, forests, k) for part in value)
    return value


def numbered(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments in which packed trees of the same shapes are known to be alike."""
    seen: list[PackedTrees] = []

    def one(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(one, value))
        if isinstance(value, PackedTrees):
            value = value.alike_with(seen)
            seen.append(value)
        return value

    return one(values) if len(forests_in(values)) > 1 else values


def shared_out(value: Any, places: Sequence[Sequence[int]]) -> list[Any]:
    """A packed batch as several: the examples at each of some places, as many each, with the
    trees of all in one room."""
    if isinstance(value, PackedTrees):
        return list(value.shared_out(places))
    if isinstance(value, tuple):
        return list(zip(*(shared_out(part, places) for part in value), strict=True))
    if isinstance(value, list):
        return [[value[k] for k in own] for own in places]
    return [numpy.asarray(value)[own] for own in places]


def packed_like(value: Any, tangent: Any) -> Any:
    """A tangent with its trees packed as those of `value` are. Raises Misfit."""
    if isinstance(value, PackedTrees):
        return value.tangent(tangent)
    if isinstance(value, tuple) and isinstance(tangent, tuple) and len(value) == len(tangent):
        return tuple(packed_like(*pair) for pair in zip(value, tangent, strict=True))
    return tangent
