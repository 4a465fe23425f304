"""What is known of a name: its type, its documentation, where and how it is written, its
weights. For Shift-Tab, for `NAME?`, and for `%nnfp help NAME`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..language import infer as inference
from ..language import layout, syntax
from ..language import types as t
from ..language.reach import ReachedWeight
from ..language.source import Source, Span
from ..language.words import WORDS
from ..primitives import BUILTINS
from . import completion

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True)
class Inspection:
    """`place` is where `source` is written; `weights` are paths with types; `example` is
    a program; `broken` says why a definition is refused."""

    name: str
    kind: str
    type: str = ""
    documentation: str = ""
    source: str = ""
    place: str = ""
    weights: tuple[tuple[str, str], ...] = ()
    example: str = ""
    broken: str = ""


def inspect(session: Session, text: str, position: int) -> Inspection | None:
    """What is known of the name at an offset, or of the last one before it on its line."""
    token = _token_at(text, position)
    if token is None:
        return None
    if token.kind == "HOLE":
        return _hole(session, text, token)
    return find(session, token.text) or _written(session, text, token.text)


def find(session: Session, name: str) -> Inspection | None:
    """What is known of a name of the session or of the language."""
    head, dot, _ = name.partition(".")
    program = session.program
    if dot:
        paths = {".".join(w.path): t.show(w.type) for w in _own_weights(session, head)}
        return Inspection(name, "weight", paths[name]) if name in paths else find(session, head)
    if name in session.broken:
        return Inspection(name, "definition", broken=session.broken[name].title)
    if name in session.externals:
        return Inspection(name, "from Python", t.show(session.externals[name]))
    if name in program.definitions and name not in session.imported:
        return _definition(session, name)
    if name in program.builtins:
        builtin = program.builtins[name]
        if builtin.image is not None:
            return Inspection(name, "from Python", session.type(name), builtin.doc)
        brackets = f"[{', '.join(builtin.brackets)}]" if builtin.brackets else ""
        return Inspection(
            name + brackets, "built-in", builtin.type, builtin.doc, example=builtin.example
        )
    return _declared(session, name)


def _definition(session: Session, name: str) -> Inspection:
    definition = session.program.definitions[name]
    kind = "definition" if definition.brackets is None else "family"
    weights = tuple((".".join(w.path), t.show(w.type)) for w in _reached(session, name))
    return Inspection(
        name,
        kind,
        inference.show_type(definition),
        definition.comment,
        _with_signature(definition.span),
        _place(definition.span),
        weights,
    )


def _declared(session: Session, name: str) -> Inspection | None:
    """A type, a representation, a constructor, a size, a word of the grammar."""
    declared = session.checked.declarations
    if name in declared.reps:
        span, kind = declared.reps[name].span, "representation"
        type = f"{t.show(declared.reps[name].carrier)} -> {name}"
        return Inspection(name, kind, type, source=span.text, place=_place(span))
    for each in completion.constructors(session):
        if each.text == name:
            data = declared.data[declared.constructors[name][0]]
            return Inspection(
                name, each.kind, each.type, source=data.span.text, place=_place(data.span)
            )
    if name in declared.data:
        span = declared.data[name].span
        return Inspection(name, "data", source=span.text, place=_place(span))
    if name in declared.aliases:
        span = declared.aliases[name].span
        return Inspection(name, "type", source=span.text, place=_place(span))
    if name in declared.sizes:
        return Inspection(name, "size", str(declared.sizes[name]))
    if name in WORDS:
        said, example = WORDS[name]
        return Inspection(name, "keyword", documentation=said, example=example)
    if name in _SCALARS:
        return Inspection(name, "type", documentation=_SCALARS[name])
    return None


_SCALARS = {
    "R": "Real numbers; `R[n]` is a vector, `R[n,m]` a matrix, `[R]` a sequence.",
    "C": "Complex numbers, with the real inner product Re ⟨·,·⟩.",
    "Int": "Whole numbers; they have no derivative.",
    "Bool": "True and False.",
    "Fin": "`Fin[n]` is an index from 0 to n - 1: a class, a token.",
}


def _hole(session: Session, text: str, token: layout.Token) -> Inspection | None:
    """A hole of a definition that stands: the weight it is."""
    begin, end = completion.bounds(text, _offset(text, token))
    owner = text[begin:end].partition(" ")[0].partition("[")[0]
    definition = session.program.definitions.get(owner)
    for hole in definition.holes if definition is not None else ():
        if hole.name == token.text[1:]:
            said = f"A learned constant of `{owner}`."
            return Inspection(token.text, "hole", t.show(hole.type), said)
    return None


def _written(session: Session, text: str, name: str) -> Inspection | None:
    """What the cell itself says of a name that has not been run."""
    for item in completion.items_of(text):
        if isinstance(item, syntax.Signature) and item.name == name:
            return Inspection(name, "signature", item.type.span.text)
    return None


def _reached(session: Session, name: str) -> Sequence[ReachedWeight]:
    definition = session.program.definitions[name]
    return session.program.reached(name) if definition.brackets is None else ()


def _own_weights(session: Session, name: str) -> Sequence[ReachedWeight]:
    if name not in session.program.definitions or name in session.broken:
        return []
    return [weight for weight in _reached(session, name) if weight.path[0] == name]


def _with_signature(span: Span) -> str:
    """A definition's text, with the signature just above it."""
    above = span.source.line(span.line - 1)
    name = span.text.partition(" ")[0]
    signed = above.startswith(name) and above[len(name) :].lstrip().startswith((":", "["))
    return f"{above}\n{span.text}" if signed else span.text


def _place(span: Span) -> str:
    return f"{span.source.name}, line {span.line}"


def _offset(text: str, token: layout.Token) -> int:
    """Where a token starts in the text."""
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[: token.line - 1]) + token.column - 1


def _token_at(text: str, position: int) -> layout.Token | None:
    """The name, hole, operator or keyword at an offset, or else the last name before it on
    its line."""
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    before: layout.Token | None = None
    touching: layout.Token | None = None
    for token in layout.scan(Source(text)):
        if token.line < line or token.kind in ("ERROR", "NUMBER", "STRING", "MAGIC"):
            continue
        if token.line > line or token.column > column:
            break
        named = token.text[:1].isidentifier() or token.kind == "HOLE"
        if column <= token.end_column and (named or token.text in BUILTINS):
            if touching is None or named:
                touching = token
        elif named:
            before = token
    return touching or before
