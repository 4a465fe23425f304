"""The names that fit where the cursor stands.

The parser tells what could stand there (language/parser.py, `expected`); this fills in
the names: of the item being written, of the cell, of the session, of the library, and
the built-in ones, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..language import infer as inference
from ..language import layout, syntax
from ..language import types as t
from ..language.parser import Expected, expected, parse
from ..language.source import Source
from ..language.windows import OPTIONS
from ..language.words import WORDS
from ..primitives import BUILTINS
from ..std import FILES

if TYPE_CHECKING:
    from .session import Session


@dataclass(frozen=True)
class Completion:
    """A word that fits: its kind in a word (`definition`, `keyword`), and its type."""

    text: str
    kind: str
    type: str = ""


@dataclass(frozen=True)
class Completions:
    """Words that may replace a text from `start` to `end`."""

    start: int
    end: int
    items: tuple[Completion, ...]


def complete(session: Session, text: str, position: int) -> Completions:
    """What fits at an offset of a program's text."""
    wanted = expected(text, position)
    found: dict[str, Completion] = {}
    for completion in _candidates(session, text, position, wanted):
        if completion.text.startswith(wanted.prefix) and completion.text != wanted.prefix:
            found.setdefault(completion.text, completion)
    return Completions(wanted.start, position, tuple(found.values()))


def _candidates(
    session: Session, text: str, position: int, wanted: Expected
) -> Iterator[Completion]:
    kinds = wanted.kinds
    word = re.compile(r"[\w.'?]*").match(text, wanted.start)
    end = word.end() if word else position
    blanked = text[: wanted.start] + " " * (end - wanted.start) + text[end:]
    begin, end = bounds(text, position)
    item = blanked[begin:end]  # without the word that is being written
    if "hole" in kinds:
        holes = dict.fromkeys(re.findall(r"\?[^\W\d]\w*'*", item))
        yield from (Completion(hole, "hole") for hole in holes)
    if "." in wanted.prefix and "expression" in kinds:
        yield from _paths(session, wanted.prefix.partition(".")[0])
        return
    if kinds & {"expression", "size", "type", "item"}:
        yield from _written_here(session, text, item, wanted)
    if "expression" in kinds:
        yield from values(session)
    if kinds & {"expression", "pattern"}:
        yield from constructors(session)
    if "type" in kinds:
        yield from types(session)
    if "size" in kinds:
        declared = session.checked.declarations.sizes
        yield from (Completion(name, "size", str(value)) for name, value in declared.items())
        yield from _options(text[: wanted.start])
    if "library" in kinds:
        yield from (Completion(f"std.{name}", "library") for name in FILES)
    yield from (Completion(word, "keyword") for word in wanted.words)


def values(session: Session) -> Iterator[Completion]:
    """All names that are values: the session's, what Python brought in, the library's,
    the built-in ones."""
    program = session.program
    own = [*session.names, *program.definitions]
    for name in session.imported:
        yield Completion(name, "from Python", session.type(name))
    for name in dict.fromkeys(own):
        if name in program.definitions and name not in session.broken:
            definition = program.definitions[name]
            kind = "definition" if definition.brackets is None else "family"
            yield Completion(name, kind, inference.show_type(definition))
    for name, type in session.externals.items():
        yield Completion(name, "from Python", t.show(type))
    for name, builtin in BUILTINS.items():
        if name.isidentifier():
            yield Completion(name, "built-in", builtin.type)
    yield from (Completion(name, "built-in") for name in WORDS.keys() - layout.KEYWORDS)


def constructors(session: Session) -> Iterator[Completion]:
    """What makes and takes apart values: constructors of data, representations."""
    for name, rep in session.program.reps.items():
        yield Completion(name, "representation", f"{t.show(rep.carrier)} -> {name}")
    for data in session.program.data.values():
        whole = " ".join((data.name, *(variable.name for variable in data.parameters)))
        for name, fields in data.constructors:
            arrows = [t.show(field) for field in fields]
            shown = [f"({each})" if " -> " in each else each for each in arrows]
            yield Completion(name, "constructor", " -> ".join((*shown, whole)))


def types(session: Session) -> Iterator[Completion]:
    """All names that a type may begin with."""
    declared = session.checked.declarations
    for name in declared.type_names():
        if name in declared.reps:
            yield Completion(name, "representation", t.show(declared.reps[name].carrier))
        elif name in declared.aliases:
            yield Completion(name, "type", declared.aliases[name].type.span.text)
        else:
            yield Completion(name, "data" if name in declared.data else "type")


def _paths(session: Session, head: str) -> Iterator[Completion]:
    """The weights that a definition reaches, by path: `cell.W`."""
    definition = session.program.definitions.get(head)
    if definition is not None and definition.brackets is None and head not in session.broken:
        for weight in session.program.reached(head):
            if weight.path[0] == head:
                yield Completion(".".join(weight.path), "weight", t.show(weight.type))


def bounds(text: str, position: int) -> tuple[int, int]:
    """Where the item begins and ends that an offset stands in: from a line that starts in
    column 0 to the next; with its signature, whose names it may use."""
    starts = [0, *(match.start() for match in re.finditer(r"^(?=[^\s)\]}])", text, re.MULTILINE))]
    begin = max(start for start in starts if start <= position)
    end = min((start for start in starts if start > position), default=len(text))
    above = text[:begin].rstrip("\n").rpartition("\n")[2]
    if begin and text[begin:end].partition(" ")[0] == above.partition(" ")[0]:
        begin = text.rfind("\n", 0, begin - 1) + 1
    return begin, end


def items_of(text: str) -> tuple[syntax.Item, ...]:
    """The items of a cell that parse."""
    return parse(Source(text)).program.items


def _written_here(session: Session, text: str, item: str, wanted: Expected) -> Iterator[Completion]:
    """Names that stand in the item, and what the cell itself declares."""
    items = items_of(text)
    signatures = {
        each.name: each.type.span.text for each in items if isinstance(each, syntax.Signature)
    }
    defined = [each for each in items if isinstance(each, syntax.Definition)]
    if "item" in wanted.kinds:
        missing = signatures.keys() - {each.name for each in defined}
        yield from (Completion(name, "signature", signatures[name]) for name in missing)
    known = {*session.program.definitions, *BUILTINS, *(each.name for each in defined)}
    if wanted.kinds & {"type", "expression", "size"}:
        for token in layout.scan(Source(item)):
            itself = (token.line, token.column) == (1, 1)
            if token.kind == "NAME" and token.text not in known and not itself:
                yield Completion(token.text, "local")
    if "expression" in wanted.kinds:
        for each in defined:
            yield Completion(each.name, "definition", signatures.get(each.name, ""))


def _options(before: str) -> Iterator[Completion]:
    """The options of the name whose brackets are open: `window[3, stride=`."""
    found = re.search(r"(\w+)\[[^\[\]]*\Z", before)
    for option in OPTIONS.get(found[1], ()) if found else ():
        yield Completion(f"{option}=", "option")
