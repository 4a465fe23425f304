"""What the session answers, as views: definitions, values, weights, types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from nnfp_kernel.language.excerpt import harmless, shortened
from nnfp_kernel.language.palette import underlined
from nnfp_kernel.views.style import escape, page
from nnfp_kernel.views.table import (
    Entry,
    Grid,
    Note,
    Table,
    Weight,
    grid_to_html,
    grid_to_text,
    in_all,
    to_html,
    to_latex,
    to_svg,
    to_text,
)
from nnfp_kernel.views.values import Value

from .verb import View

if TYPE_CHECKING:
    from nnfp_kernel.language.diagnostics import Diagnostic
    from nnfp_kernel.language.reach import ReachedWeight
    from nnfp_kernel.session import CellResult, Defined, Session


LONGEST = 100  # characters of what was written


def table(content: Table) -> View:
    """A table to look at; the value behind it is that of the last expression."""
    value = content.values[-1].value if content.values else None
    return View(to_text(content), to_html(content), value, to_latex(content), to_svg(content))


def grid(content: Grid) -> View:
    return View(grid_to_text(content), grid_to_html(content))


def grids(*contents: Grid) -> View:
    """Several tables, one below the other."""
    text = "\n\n".join(map(grid_to_text, contents))
    return View(text, "".join(map(grid_to_html, contents)))


def code(text: str, session: Session, value: Any = None) -> View:
    """A piece of the language, representations underlined."""
    shown = underlined(text, tuple(session.program.reps))
    return View(text, page(f'<div class="code" style="white-space:pre">{shown}</div>'), value)


def plain(text: str) -> View:
    return View(text, page(f'<div style="white-space:pre-wrap">{escape(text)}</div>'))


def cell(session: Session, outputs: Sequence[Any], notes: Sequence[Note] = ()) -> View | None:
    """What a cell shows; None for nothing."""
    from nnfp_kernel.session import Declared, Defined, Shown

    items: list[Entry | Value] = []
    for output in outputs:
        match output:
            case Defined(name=name, type=type):
                items.append(entry(session, name, type, "weights kept" * output.kept))
            case Declared(name=name, kind=kind, text=text):
                items.append(Entry(name, _on_a_line(text), kind))
            case Shown(value=None, type=type, text=text):
                items.append(_function(session, type, text))
            case Shown(value=value, type=type):
                items.append(Value(type, value, carrier=_carried(session, type)))
    notes = [*_replaced([each for each in outputs if isinstance(each, Defined)]), *notes]
    if not items and not notes:
        return None
    return table(_with_total(session, items, notes))


def _replaced(made: Sequence[Defined]) -> list[Note]:
    """Which older definitions are replaced, and who uses the new ones now."""
    said = []
    for cell in dict.fromkeys(each.replaces for each in made if each.replaces):
        here = [each for each in made if each.replaces == cell]
        names = _listed([each.name for each in here], "definitions")
        users = list(dict.fromkeys(user for each in here for user in each.users))
        text = f"Replaces {names} of {cell}."
        if users:
            ones = "the new one" if len(here) == 1 else "the new ones"
            uses = f"uses {ones} now" if len(users) == 1 else f"use {ones} now"
            text += f" {_listed(users, 'others')} {uses}."
        said.append(Note(text))
    return said


def _listed(names: Sequence[str], many: str) -> str:
    """`a`, `b` and `c`; of very many, how many."""
    if len(names) > 4:
        return f"{len(names)} {many}"
    quoted = [f"`{name}`" for name in names]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def _carried(session: Session, type: str) -> str:
    """What stands behind a representation: `R[32]` of a Thought."""
    declared = session.program.reps.get(type)
    return _carrier(declared.carrier) if declared is not None else ""


def _function(session: Session, type: str, text: str) -> Entry | Value:
    """An expression that is a function, as its wiring; a linear map as its structure.
    Only its type, where it has no picture: at open sizes, and where it is too large."""
    from nnfp_kernel import NnfpError
    from nnfp_kernel.views.derivative import value_to_latex
    from nnfp_kernel.views.mathematics import mathematics
    from nnfp_kernel.views.structure import structure
    from nnfp_kernel.views.values.functions import of_function, of_linear_map
    from nnfp_kernel.views.wiring import NotDrawn, wiring

    name = _on_a_line(text)
    try:
        function = session.function(text)
        if _is_linear(type):
            return Value(type, None, name, picture=of_linear_map(structure(function)))
        type = function.type if function.reached else type
        program = session.program
        if text not in program.definitions:
            made = {**program.definitions, text: function.definition}
            program = replace(program, definitions=made)
        drawn = of_function(wiring(program, text), value_to_latex(mathematics(program, text)))
        return Value(type, None, name, picture=drawn)
    except (NnfpError, NotDrawn):
        return Entry(name, type)


def _on_a_line(text: str) -> str:
    """What was written, perhaps on several lines, as one that is not too long; without what
    would move the text around it, or speak to a terminal."""
    return shortened(harmless(" ".join(text.split())), LONGEST)


def _is_linear(type: str) -> bool:
    """Whether the arrow of a function's type is that of a linear map: `R -> (R -o R)` is not."""
    outside = type
    while (shorter := re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", outside)) != outside:
        outside = shorter
    arrows = re.findall(r"->|~>|-o", outside)
    return arrows[:1] == ["-o"]


def definitions(session: Session) -> View:
    """All that the session defines."""
    program = session.program
    items: list[Entry | Value] = [
        Entry(name, _carrier(declared.carrier), "representation")
        for name, declared in program.reps.items()
    ]
    items += [Entry(name, "", "data") for name, data in program.data.items() if not data.base_of]
    for name in session.names:
        if name in program.definitions:
            items.append(entry(session, name, session.describe(name).type))
    for name in session.broken:
        items.append(Entry(name, "", "refused until it is mended"))
    if not items:
        return plain("Nothing is defined yet.")
    return table(_with_total(session, items, ()))


def _carrier(type: Any) -> str:
    from nnfp_kernel.language.types import show

    return show(type)


def _with_total(session: Session, items: Sequence[Entry | Value], notes: Sequence[Note]) -> Table:
    """The table, with the number of weights reached in it, each counted once."""
    program = session.program
    counts: dict[tuple[str, ...], int] = {}
    for item in items:
        definition = program.definitions.get(item.name)
        if isinstance(item, Entry) and definition is not None and definition.brackets is None:
            for weight in program.reached(item.name):
                counts[weight.path] = _sized(session, weight)[1] or 0
    return Table(tuple(items), tuple(notes), tuple(program.reps), sum(counts.values()))


def entry(session: Session, name: str, type: str, remark: str = "") -> Entry:
    """A definition's line: its own weights, and what it uses by name."""
    program = session.program
    definition = program.definitions[name]
    if definition.brackets is not None:  # a template: weights belong to its occurrences
        return Entry(name, type, "family", remark=remark)
    reached = program.reached(name)
    own = [
        Weight(weight.path[1:], *_sized(session, weight))
        for weight in reached
        if weight.path[0] == name
    ]
    uses = dict.fromkeys(weight.path[0] for weight in reached if weight.path[0] != name)
    counts = [_sized(session, weight)[1] for weight in reached]
    known = [count for count in counts if count is not None]
    total = sum(known) if len(known) == len(counts) else None
    return Entry(name, type, "", tuple(own), tuple(uses), total, remark)


def _sized(session: Session, weight: ReachedWeight) -> tuple[str, int | None]:
    """A weight's size as people read it, and how many numbers it has."""
    from nnfp_kernel.language.types import is_concrete, show

    if not is_concrete(weight.type):
        return show(weight.type), None
    layout = session.program.declarations.layout(weight.type)
    shapes = ["×".join(map(str, array.shape)) or "1" for array in layout]
    return " + ".join(shapes), sum(array.size for array in layout)


def weights(session: Session, name: str) -> View:
    """The weights that a definition reaches: path, size, count, and who shares them."""
    program = session.program
    users: dict[tuple[str, ...], list[str]] = {}
    for other in session.names:
        definition = program.definitions.get(other)
        if definition is not None and definition.brackets is None:
            for weight in program.reached(other):
                users.setdefault(weight.path, []).append(other)
    rows = []
    total = 0
    for weight in program.reached(name):
        size, count = _sized(session, weight)
        total += count or 0
        shared = ", ".join(users.get(weight.path, []))
        rows.append(
            (".".join(weight.path), size, "open" if count is None else f"{count:,}", shared)
        )
    if not rows:
        return plain(f"{name} owns no weights.")
    found = Grid(("weight", "size", "count", "used by"), tuple(rows), (2,), (in_all(total),))
    return grid(found)


def stored(session: Session, name: str, what: str) -> View:
    """What `save` and `load` did: how many weights went to or came from a file."""
    reached = session.program.reached(name)
    count = sum(_sized(session, weight)[1] or 0 for weight in reached)
    owned = "1 weight" if count == 1 else f"{count:,} weights"
    return plain(f"{name}: {owned} {what}.")


def notes(result: CellResult) -> list[Note]:
    """What is to be said about a cell."""
    taken = [each for each in result.notes if each.code == "default-taken"]
    others = [each for each in result.notes if each.code != "default-taken"]
    said = [Note(_told(diagnostic)) for diagnostic in others]
    if taken:  # needed by few, so in one line that opens
        taken.sort(key=lambda each: each.primary.span.line)
        count = "a default was" if len(taken) == 1 else f"{len(taken)} defaults were"
        said.append(Note(f"{count} taken", details=tuple(map(_told, taken))))
    for name, diagnostic in result.broken.items():
        told = f"`{name}` no longer checks and is refused until it is mended: "
        said.append(Note(told + _told(diagnostic, str(diagnostic.primary.span)), "warning"))
    return said


def _told(diagnostic: Diagnostic, place: str = "") -> str:
    place = place or f"line {diagnostic.primary.span.line}"
    return " ".join([f"{diagnostic.title} ({place}).", *diagnostic.notes])


def listing(text: str) -> View:
    """Lines of a fixed-width font."""
    return View(text, page(f'<div class="code" style="white-space:pre">{escape(text)}</div>'))


def function(session: Session, name: str) -> Any:
    """The definition as a function; a UsageError where it is a plain value."""
    found = session[name]
    if not hasattr(found, "graph"):
        raise UsageError(f"{name} is a value, not a function")
    return found
