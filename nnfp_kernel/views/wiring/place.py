"""Where an expression is read: what its names and variables stand for, whose weights it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ...language import types as t
from ...language.sizes import Size, SizeVariable
from .values import Value


@dataclass(frozen=True)
class Place:
    """What names and variables stand for here, and where weights met here live."""

    path: tuple[str, ...]
    root: tuple[str, ...] = ()
    primes: str = ""
    locals: Mapping[str, Value] = field(default_factory=dict)
    types: Mapping[t.TypeVariable, t.Type] = field(default_factory=dict)
    sizes: Mapping[SizeVariable, Size] = field(default_factory=dict)

    def bind(self, names: Mapping[str, Value]) -> Place:
        return replace(self, locals={**self.locals, **names})

    def type(self, type: t.Type) -> t.Type:
        """A type of the definition's, with what its variables stand for here."""
        return t.substitute(type, self.types, self.sizes)
