"""Cells checked together: what all that stands is once a cell is added, or changed.

check           all of it anew: declarations may change the meaning of what is below them
check_touched   only what the new cell touches, where that is sure to be enough
imported_file   the program that `import "file.nnfp"` names
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..language import infer as inference
from ..language import syntax
from ..language import types as t
from ..language.diagnostics import NnfpError
from ..language.parser import parse
from ..language.source import Source
from ..library import library
from ..primitives import BUILTINS
from ..primitives.table import Builtin
from ..std import FILES
from . import touched
from .standing import Standing


def check(
    cells: Sequence[syntax.Program],
    externals: Mapping[str, tuple[t.Type, Any]],
    imported: Mapping[str, Builtin],
    folder: Path,
) -> inference.Checked:
    """All that stands, inferred anew. Raises NnfpError for mistakes of the last cell."""
    checked = inference.infer(
        cells,
        {**BUILTINS, **imported},
        library=library(),
        externals={name: type for name, (type, _) in externals.items()},
        loader=lambda item: imported_file(item, folder),
    )
    if checked.diagnostics:
        raise NnfpError(checked.diagnostics, checked.reps)
    return checked


def check_touched(
    before: Standing, program: syntax.Program, uses: touched.Uses
) -> inference.Checked | None:
    """What stands with a new cell, of which only what the cell touches is inferred; None
    where all has to be: for declarations, for names of the library, for mistakes."""
    own = set(before.uses.names) & set(before.checked.definitions)
    defined = {each.name for each in program.items if isinstance(each, syntax.Definition)}
    if (
        not touched.is_plain((program,))
        or not _imports_nothing(before)
        or before.checked.broken
        or (own | defined) & {*library().definitions, *BUILTINS}
    ):
        return None
    again = touched.touched(before.uses, uses, defined, before.checked)
    if 2 * len(again) > len(own):
        return None
    checked = inference.infer(
        (*touched.only(before.cells, again), program),
        before.builtins,
        library=inference.below(before.checked, again, own),
        externals={name: type for name, (type, _) in before.externals.items()},
    )
    return None if checked.diagnostics or checked.broken else checked


def _imports_nothing(standing: Standing) -> bool:
    """Whether all definitions stand in cells: a file may change, and bring any."""
    items = (item for cell in standing.cells for item in cell.items)
    return not any(isinstance(item, syntax.ImportItem) for item in items)


def imported_file(item: syntax.ImportItem, folder: Path) -> syntax.Program | None:
    """The program an import names; None where there is none. `std` is there already."""
    if not item.is_file:
        module = item.target.removeprefix("std.")
        return syntax.Program(()) if module in FILES else None
    try:
        text = (folder / item.target).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    parsed = parse(Source(text, item.target))
    if parsed.diagnostics:
        raise NnfpError(parsed.diagnostics)
    return parsed.program
