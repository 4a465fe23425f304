"""Whose weights a box has, and how many: those that a used definition reaches, or the holes
that are written into the box.

    model = ?W @ · >> encode        two rings: of model.W, and of all that encode reaches
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...language import types as t
from ...language.sizes import Size, SizeVariable
from ...runtime.program import Program
from .diagram import Owner


@dataclass(frozen=True)
class Holder:
    """Whose holes are read: a definition, and what stands for its variables in this use."""

    name: str
    path: tuple[str, ...]
    types: Mapping[t.TypeVariable, t.Type] = field(default_factory=dict)
    sizes: Mapping[SizeVariable, Size] = field(default_factory=dict)


def owner_of(program: Program, name: str, path: tuple[str, ...]) -> Owner:
    """The weights of a use in the definition of that name: all that the definition used
    reaches, or what lies below a path."""
    if len(path) == 1:
        reached = program.reached(path[0])
    else:
        top = program.reached(name)
        reached = tuple(w for w in top if w.path[: len(path)] == path)
    if not reached or not all(t.is_concrete(weight.type) for weight in reached):
        return Owner(path, None)
    layout = program.declarations.layout
    return Owner(path, sum(a.size for weight in reached for a in layout(weight.type)))


def owner_of_holes(program: Program, holder: Holder, text: str) -> Owner:
    """The weights that are written into a box: `?W @ ·` has those of ?W."""
    found = [
        spec
        for spec in program.definitions[holder.name].holes
        if re.search(rf"\?{re.escape(spec.name)}(?!\w)", text)
    ]
    path = (*holder.path, *([spec.name for spec in found] or [text]))
    types = [t.substitute(spec.type, holder.types, holder.sizes) for spec in found]
    if not found or not all(map(t.is_concrete, types)):
        return Owner(path, None)
    layout = program.declarations.layout
    return Owner(path, sum(a.size for type in types for a in layout(type)))
