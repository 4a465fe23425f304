"""Definitions that stay names in a graph, for reading: `rotate r x` is one operation.

    kept(definition)      a built-in in place of a definition: it is called, and not looked into
    Pushed, Pulled        its derivative in one operand, and the adjoint of that (imported.py)

A derivative that is written of such a graph says `derivative (rotate r) x` where it would else
say all that `rotate` is made of. Nothing of it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..graph.context import Context
from ..graph.graph import Wire
from ..graph.values import Value, leaves
from ..language import typed as p
from ..language import types as t
from .imported import Array, structure
from .table import Builtin, Occurrence


@dataclass(frozen=True)
class Kept:
    """A definition by its name, with the structure of its arguments: nested tuples, and None
    for an array."""

    name: str
    arguments: tuple[Any, ...]

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        raise AssertionError(f"`{self.name}` stands for reading only")


def kept(definition: p.Definition) -> Builtin:
    """A definition as a name that nothing is known of but its type."""
    name = definition.name
    domains, _ = t.uncurried(definition.scheme.type)

    def trace(context: Context, occurrence: Occurrence, *values: Value) -> Wire:
        (array,) = context.layout(occurrence.result(len(domains)))
        function = Kept(name, tuple(map(structure, values)))
        wires = [wire for value in values for wire in leaves(value)]
        return context.builder.emit(
            "imported", *wires, function=function, output=0, kind=array.kind, shape=array.shape
        )

    return Builtin(name, t.show(definition.scheme.type), len(domains), trace)


def may_be_kept(definition: p.Definition) -> bool:
    """Whether it is a function from arrays to one array, without weights and draws."""
    domains, codomain = t.uncurried(definition.scheme.type)
    if definition.brackets is not None or definition.learns or definition.draws or not domains:
        return False
    return _plain(codomain) and all(map(_made_of_arrays, domains))


def with_names(
    definitions: Mapping[str, p.Definition], without: str
) -> tuple[dict[str, p.Definition], dict[str, Builtin]]:
    """The definitions with those that may be names as such, but for one; and the built-ins
    that these then are."""
    names = {
        name: kept(each)
        for name, each in definitions.items()
        if name != without and may_be_kept(each)
    }
    stay = {
        name: replace(each, body=p.Builtin(name, each.scheme.type, span=each.span))
        for name, each in definitions.items()
        if name in names
    }
    return {**definitions, **stay}, names


def _plain(type: t.Type) -> bool:
    while isinstance(type, t.Array):
        type = type.element
    return isinstance(type, t.Scalar) and type.name in ("R", "C")


def _made_of_arrays(type: t.Type) -> bool:
    if isinstance(type, t.Product):
        return bool(type.items) and all(map(_made_of_arrays, type.items))
    return _plain(type)


__all__ = ["Kept", "kept", "may_be_kept", "with_names"]
