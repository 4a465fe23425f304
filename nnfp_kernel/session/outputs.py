"""What a cell shows, as data: one output for each of its items, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..language.diagnostics import Diagnostic


@dataclass(frozen=True)
class Defined:
    """A definition: its type, its own holes with their types, and its weights.

    `weights` counts all it reaches (None while a size is open); `own` those written in
    it; `shares` are the definitions whose weights it uses by name. Where it replaces an
    older one, `replaces` is the cell of that, `kept` says whether its weights stay, and
    `users` are the definitions of other cells that use the new one now.
    """

    name: str
    type: str
    holes: tuple[tuple[str, str], ...]
    weights: int | None
    own: int | None
    shares: tuple[str, ...]
    replaces: str = ""
    kept: bool = False
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declared:
    """A `size`, `type`, `rep` or `data` declaration, as text."""

    name: str
    kind: str
    text: str


@dataclass(frozen=True)
class Shown:
    """An expression's value and type; a function or linear map has no value to show."""

    value: Any
    type: str
    text: str


@dataclass(frozen=True)
class Magic:
    """A line `%nnfp …` in a program, for the magics to run in its place."""

    text: str


Output: TypeAlias = Defined | Declared | Shown | Magic


@dataclass(frozen=True)
class CellResult:
    """What a cell made, in the order it was written, and what is to be said about it.

    `broken` are older definitions that no longer check, with the reason.
    """

    outputs: tuple[Output, ...]
    notes: tuple[Diagnostic, ...] = ()
    broken: Mapping[str, Diagnostic] = field(default_factory=dict)
