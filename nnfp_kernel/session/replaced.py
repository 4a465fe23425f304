"""What a cell puts in the place of older definitions: whose weights stay, and who uses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..language import syntax
from ..language import types as t
from ..runtime.program import Program
from .outputs import Defined
from .standing import Standing


class Replaced:
    """The definitions of one cell, beside what stood before."""

    def __init__(self, cell: syntax.Program, before: Standing, after: Standing) -> None:
        self._cell, self._before, self._after = cell, before, after

    def told(self, made: Defined) -> Defined:
        """A definition with what is to be said of the older one in its place."""
        older = self._before.checked.definitions.get(made.name)
        if older is None or older.span.source.name.startswith("std/"):
            return made  # that a library's name is taken is told by inference
        newer = self._after.checked.definitions[made.name]
        known = [_known(at.program, made.name) for at in (self._before, self._after)]
        kept = bool(made.weights) and known[0] == known[1]
        if older.span.text == newer.span.text:  # a cell that is run again
            return replace(made, kept=kept)
        return replace(
            made,
            replaces=older.span.source.name,
            kept=kept,
            users=tuple(self._users(made.name)),
        )

    def _users(self, name: str) -> Iterator[str]:
        """The definitions of other cells that use a name, those that check."""
        own = {item.name for item in self._cell.items if isinstance(item, syntax.Definition)}
        left_out = own | self._after.checked.broken.keys()
        for user, used in self._after.uses.names.items():
            if name in used and user not in left_out:
                yield user


def _known(program: Program, name: str) -> set[tuple[Any, ...]]:
    """What the weights of a definition are known by: they stay while that stays."""
    if program.definitions[name].brackets is not None:
        return set()
    return {(w.path, t.show(w.type), w.initialiser) for w in program.reached(name)}
