"""What stands after all cells so far, and expressions typed over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..language import infer as inference
from ..language import syntax
from ..language import typed as p
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.parser import parse_expression
from ..language.reach import ReachedWeight
from ..language.source import Source, Span
from ..primitives.table import Builtin
from ..runtime.program import Program
from .touched import Uses


@dataclass(frozen=True)
class Standing:
    """All that cells have made so far, as data: replaced whole by each cell."""

    cells: tuple[syntax.Program, ...]
    checked: inference.Checked
    externals: Mapping[str, tuple[t.Type, Any]]
    program: Program
    imported: Mapping[str, Builtin] = field(default_factory=dict)  # functions of Python's
    uses: Uses = field(default_factory=Uses)

    @property
    def builtins(self) -> Mapping[str, Builtin]:
        """The built-in names, and those of Python's functions."""
        return self.program.builtins


def without(cell: syntax.Program, names: set[str]) -> syntax.Program:
    """A cell without what a newer one defines anew, and without its expressions."""
    items = tuple(
        item
        for item in cell.items
        if not isinstance(item, syntax.ExpressionItem | syntax.MagicItem)
        and getattr(item, "name", None) not in names
    )
    return replace(cell, items=items)


def count(weights: Sequence[ReachedWeight], program: Program) -> int | None:
    """The number of numbers in these weights; None while a size is open."""
    if any(not t.is_concrete(weight.type) for weight in weights):
        return None
    return sum(
        array.size for weight in weights for array in program.declarations.layout(weight.type)
    )


def asked_by(error: NnfpError, span: Span) -> NnfpError:
    """A mistake that showed while an expression was evaluated names that expression."""
    told: list[Diagnostic] = []
    for diagnostic in error.diagnostics:
        place = diagnostic.primary.span
        if place.source == syntax.NOWHERE.source:
            diagnostic = replace(diagnostic, primary=Label(span, diagnostic.primary.text))
        elif place.source != span.source or not span.line <= place.line <= span.end_line:
            asked = Label(span, "evaluated for this")
            diagnostic = replace(diagnostic, secondary=(*diagnostic.secondary, asked))
        told.append(diagnostic)
    return NnfpError(told)


def handed(error: NnfpError, name: str, types: Sequence[t.Type]) -> NnfpError:
    """A mistake that types show in what Python hands to `name` is told at the program's own
    word, the `last` in it say: what was typed for the call is no text of the user's."""
    told: list[Diagnostic] = []
    for diagnostic in error.diagnostics:
        call = diagnostic.primary.span
        words = [
            label
            for label in diagnostic.secondary
            if label.span.source != call.source and not label.span.source.library
        ]
        if call.source.name == CALL and words:
            given = ", ".join(map(t.show, types))
            diagnostic = replace(
                diagnostic,
                primary=words[0],
                secondary=tuple(each for each in diagnostic.secondary if each is not words[0]),
                notes=(*diagnostic.notes, f"`{name}` is given {given}."),
            )
        told.append(diagnostic)
    return NnfpError(told, error.representations)


CALL = "expression"  # the name of the source of what is typed by itself


def typed(
    standing: Standing, written: str | syntax.Expression, arguments: Mapping[str, t.Type]
) -> p.Expression:
    """An expression over what stands, as text or read, typed; applied to `arguments`, which are
    names of externals that no program can write, with their types."""
    tree = parse_expression(Source(written, CALL)) if isinstance(written, str) else written
    for name in arguments:
        tree = syntax.Apply(tree, syntax.Name(name, span=tree.span), span=tree.span)
    head = _head(tree)
    family = standing.checked.definitions.get(head) if head is not None else None
    item: syntax.Item = syntax.ExpressionItem(tree, span=tree.span)
    if family is not None and family.brackets is not None and family.learns:
        # An expression may not own an occurrence of a family; a definition may.
        item = syntax.Definition(_OCCURRENCE, None, (), tree, span=tree.span)
    externals = {name: type for name, (type, _) in standing.externals.items()}
    checked = inference.infer(
        [syntax.Program((item,), span=tree.span)],
        standing.builtins,
        library=standing.checked,
        externals={**externals, **arguments},
    )
    if checked.diagnostics:
        raise NnfpError(checked.diagnostics, checked.reps)
    if isinstance(item, syntax.Definition):
        return checked.definitions[_OCCURRENCE].body
    return checked.expressions[0].tree


_OCCURRENCE = "an occurrence"  # of a family: a name that no program can write


def _head(tree: syntax.Expression) -> str | None:
    """The name at the head of an application: `dense` of `dense[3] x`."""
    while isinstance(tree, syntax.Apply):
        tree = tree.function
    return tree.name if isinstance(tree, syntax.Name | syntax.Bracket) else None
