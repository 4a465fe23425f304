"""Which definitions a new cell touches: the others need not be inferred again.

Holes get their types from all that stands. So a definition with weights is inferred together
with all that use it and all that it uses, on to everything that is coupled so; one without is
general by itself, and only its users depend on it. What a cell defines touches what the older
definition of the name was coupled with, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from ..language import infer as inference
from ..language import syntax
from ..language.uses import free_names, weights_named

PLAIN = syntax.Definition | syntax.Signature | syntax.ExpressionItem | syntax.MagicItem


@dataclass(frozen=True)
class Uses:
    """What every definition of a session uses, of those the session knows."""

    names: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def after(self, program: syntax.Program) -> Uses:
        """The same with the definitions of a new cell in the places of older ones."""
        signed = {
            item.name: frozenset(weights_named(item.type))
            for item in program.items
            if isinstance(item, syntax.Signature)
        }
        new = {
            item.name: frozenset(free_names(item)) | signed.get(item.name, frozenset())
            for item in program.items
            if isinstance(item, syntax.Definition)
        }
        return Uses({**self.names, **new}) if new else self

    def users(self) -> dict[str, set[str]]:
        """The other way round: who uses a name."""
        found: dict[str, set[str]] = {}
        for user, used in self.names.items():
            for name in used:
                found.setdefault(name, set()).add(user)
        return found


def touched(
    before: Uses, after: Uses, defined: Iterable[str], checked: inference.Checked
) -> set[str]:
    """All definitions whose types may depend on what a cell defines."""
    old, new = before.users(), after.users()
    learning = {
        name for name in before.names if (known := checked.definitions.get(name)) and known.learns
    }
    coupled = _closed(learning, old)
    found: set[str] = set()
    waiting = list(defined)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += old.get(name, set()) | new.get(name, set())
        uses = before.names.get(name, frozenset()) | after.names.get(name, frozenset())
        waiting += uses & coupled
    return found


def _closed(names: Set[str], users: Mapping[str, Set[str]]) -> set[str]:
    """These names and all that use them, through others too."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += users.get(name, ())
    return found


def is_plain(cells: Iterable[syntax.Program]) -> bool:
    """Whether cells hold definitions and expressions only: a declaration may touch all."""
    return all(isinstance(item, PLAIN) for cell in cells for item in cell.items)


def only(cells: Iterable[syntax.Program], names: Set[str]) -> tuple[syntax.Program, ...]:
    """The definitions of these names in the cells, and their signatures."""
    kept = (
        replace(
            cell,
            items=tuple(
                item
                for item in cell.items
                if isinstance(item, syntax.Definition | syntax.Signature) and item.name in names
            ),
        )
        for cell in cells
    )
    return tuple(cell for cell in kept if cell.items)
