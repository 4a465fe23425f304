"""A `Program`: a snapshot of what a session defined at some moment, from which graphs are traced.

It is data alone: calls/traced.py makes graphs of its expressions, and they are kept by who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..graph.primitive import Primitive
from ..graph.values import Declarations
from ..language import typed as p
from ..language.reach import ReachedWeight, reached
from .executables import Executables
from .lower import Precision


@dataclass(frozen=True, eq=False)
class Program:
    """What a session defined at some moment. Immutable; graphs made from it are kept."""

    definitions: Mapping[str, p.Definition]
    reps: Mapping[str, p.RepDeclaration]
    data: Mapping[str, p.DataDeclaration]
    builtins: Mapping[str, Any]
    primitives: Mapping[str, Primitive]
    precision: Precision = 32
    externals: Mapping[str, Any] = field(default_factory=dict)  # values brought in by name
    memory: int | None = None  # bytes that what runs may take; None: those the device has
    executables: Executables = field(default_factory=Executables)  # the session's
    _reached: dict[str, tuple[ReachedWeight, ...]] = field(default_factory=dict)

    @cached_property
    def declarations(self) -> Declarations:
        return Declarations(
            self.reps, self.data, lambda name: tuple((w.path, w.type) for w in self.reached(name))
        )

    def reached(self, name: str) -> tuple[ReachedWeight, ...]:
        """The weights a definition reaches, in order."""
        if name not in self._reached:
            self._reached[name] = reached(self.definitions, name)
        return self._reached[name]
