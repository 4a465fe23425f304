"""The parser: text → tree.

A text is read item by item, so that one item's error does not hide another's. The
layout pass makes tokens of it (layout.py), lark's LALR(1) automaton reads them by the
grammar (grammar.lark), building.py makes the dataclasses of syntax.py, and rows of
operators are grouped by their fixities (fixity.py).

>>> from .source import Source
>>> parsed = parse(Source("double x = 2 * x"))
>>> parsed.program.items[0].name, parsed.diagnostics
('double', ())
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import lark

from . import automaton, layout, mistakes
from . import syntax as s
from .automaton import Automaton
from .building import Builder
from .collector import uncollected
from .diagnostics import Diagnostic, NnfpError
from .fixity import FIXITIES
from .layout import RawItem, Token
from .mistakes import Mistake
from .place import Place
from .source import Source, Span
from .unexpected import unexpected

# --- the public face --------------------------------------------------------------------


@dataclass(frozen=True)
class Parsed:
    """What was read of a text: the items that parsed, and what is wrong with the others."""

    program: s.Program
    diagnostics: tuple[Diagnostic, ...] = ()


@uncollected
def parse(source: Source | str) -> Parsed:
    """All items of a program, and all its syntax errors, by position.

    >>> [type(item).__name__ for item in parse("rep Word = R[4]\\nf x = x").program.items]
    ['RepItem', 'Definition']
    """
    source = _as_source(source)
    found: list[s.Item] = []
    diagnostics: list[Diagnostic] = []
    above: tuple[s.Item, str] | None = None  # the item just read, and its comment
    for raw in layout.items(source):
        try:
            item = _parse_item(raw)
        except Mistake as error:
            diagnostics.append(error.diagnostic)
            above = None
            continue
        if isinstance(item, s.Definition):
            item = _document(item, raw, above)
        above = (item, raw.comment)
        found.append(item)
    lines = source.text.split("\n")
    span = Span(source, 1, 1, len(lines), len(lines[-1]) + 1)
    return Parsed(s.Program(tuple(found), span=span), tuple(diagnostics))


def parse_expression(source: Source | str) -> s.Expression:
    """The expression a text is. Raises NnfpError when it is none.

    >>> parse_expression("1 + 2")
    Binary(operator='+', left=Number(value=1, text='1'), right=Number(value=2, text='2'))
    """
    expression: s.Expression = _parse_whole(source, "expression")
    return expression


def parse_type(source: Source | str) -> s.TypeTree:
    """The type a text is. Raises NnfpError when it is none.

    >>> parse_type("R[3] -> R")
    TypeArrow(arrow='->', domain=TypeArray(element=TypeName(name='R'), sizes=(SizeNumber(value=3),)), codomain=TypeName(name='R'))
    """  # noqa: E501
    type_tree: s.TypeTree = _parse_whole(source, "type")
    return type_tree


def is_complete(text: str) -> tuple[str, str]:
    """Whether a console should run a text, and if not, how deep the next line starts.

    "complete" runs, "incomplete" asks for more lines, "invalid" runs and shows its
    error. A last line that is indented could go on: an empty line ends it. A signature
    waits for its definition.

    >>> is_complete("f x = x + 1")
    ('complete', '')
    >>> is_complete("f x =")
    ('incomplete', '  ')
    >>> is_complete("f x = x + 1)")
    ('invalid', '')
    """
    source = Source(layout.silenced(text)[0])
    raws = layout.items(source)
    last: s.Item | None = None
    for raw in raws:
        try:
            last = _parse_item(raw)
        except Mistake as mistake:
            if mistake.at_end and raw is raws[-1]:
                return "incomplete", _next_indent(raw)
            return "invalid", ""
    *_, line = text.split("\n")
    if last is None or not line.strip():
        return "complete", ""
    if isinstance(last, s.Signature):
        names = {raw.tokens[0].text for raw in raws[:-1]}
        return ("incomplete" if last.name not in names else "complete"), ""
    indent = line[: len(line) - len(line.lstrip())]
    return ("incomplete", indent) if indent else ("complete", "")


def _next_indent(raw: RawItem) -> str:
    """Where the line after an unfinished item starts: in the column of an open block, or
    deeper than the line above if that opened something."""
    last = raw.tokens[-1]
    line = raw.source.line(last.line)
    indent = len(line) - len(line.lstrip())
    opens = last.kind in ("=", "->", "(", "[", "{", "TOUCHING", "then", "else", "in", ":")
    try:
        tokens = layout.arrange(raw, partial=True)
    except Mistake:
        tokens = []
    open_blocks: list[Token] = []
    for token in tokens:
        if token.kind == "OPEN_BLOCK":
            open_blocks.append(token)
        elif token.kind == "CLOSE_BLOCK":
            open_blocks.pop()
    if open_blocks:
        goes_on = opens or last.kind in FIXITIES
        return " " * (open_blocks[-1].column - 1 + (2 if goes_on else 0))
    return " " * max(2, indent + 2 if opens or last.kind in ("where", "let") else indent)


@dataclass(frozen=True)
class Expected:
    """What could be written at a place: for completion.

    `prefix` is the beginning of a word that stands there already, from offset `start`;
    `kinds` are of "item", "expression", "type", "size", "pattern", "name" (of something
    new), "hole", "library", "magic"; `words` the words of the language that could stand there.
    """

    kinds: frozenset[str]
    words: tuple[str, ...] = ()
    prefix: str = ""
    start: int = 0


def expected(text: str, position: int) -> Expected:
    """What could be written at an offset of a text.

    >>> sorted(expected("f : R -> ", 9).kinds)
    ['type']
    >>> expected("f x = if x > 0 th", 17).words
    ('then',)
    """
    before = text[:position]
    match = re.search(r"\??[\w.']*\Z", before)
    assert match is not None  # it may be empty
    start, prefix = match.start(), match.group()
    line = before[before.rfind("\n") + 1 :]
    if line.startswith("%"):
        return Expected(frozenset(("magic",)), (), prefix, start)
    # A word is put there and read as far as it: the layout pass then knows its part.
    word = "x"
    raws = layout.items(Source(before[:start] + word))
    last = raws[-1].tokens[-1] if raws else None
    line_number, column = before.count("\n") + 1, start - (before.rfind("\n", 0, start) + 1) + 1
    if last is None or (last.line, last.column) != (line_number, column):
        return Expected(frozenset(), (), prefix, start)  # inside a comment or a quote
    try:
        tokens = layout.arrange(raws[-1], partial=True)
        accepted = _accepted(tokens[:-1], "item")
    except (Mistake, lark.UnexpectedToken):
        return Expected(frozenset(("expression",)), (), prefix, start)
    kinds: set[str] = set()
    words = {kind for kind in accepted if kind in layout.KEYWORDS}
    if len(raws[-1].tokens) == 1:
        kinds.add("item")
        words |= layout.ITEM_KEYWORDS
    if "HOLE" in accepted:
        kinds.add("hole")
    if "STRING" in accepted:
        kinds.add("library")
    elif "PATH" in accepted:
        kinds.add("expression")
    elif {"CAPITAL", "["} <= accepted:
        kinds.add("type")
    elif {"NUMBER", "NAME", "_", "("} <= accepted:
        kinds.add("pattern" if "CAPITAL" in accepted else "size")
    elif accepted & {"NAME", "CAPITAL"}:
        kinds.add("name")
    matching = tuple(sorted(each for each in words if each.startswith(prefix)))
    return Expected(frozenset(kinds), matching, prefix, start)


def _as_source(source: Source | str) -> Source:
    return Source(source) if isinstance(source, str) else source


def _parse_whole(source: Source | str, goal: str) -> Any:
    source = _as_source(source)
    raw = RawItem(source, list(layout.scan(source)))
    try:
        if not raw.tokens:
            raise Mistake(mistakes.nothing_there(Span(source, 1, 1, 1, 1), goal))
        return _read(raw, layout.arrange(raw, goal), goal)
    except Mistake as error:
        raise NnfpError(error.diagnostic) from None


def _parse_item(raw: RawItem) -> s.Item:
    first = raw.tokens[0]
    if first.kind == "MAGIC":
        return s.MagicItem(first.text, span=first.span)
    item: s.Item = _read(raw, layout.arrange(raw), "item")
    return item


def _document(
    definition: s.Definition, raw: RawItem, above: tuple[s.Item, str] | None
) -> s.Definition:
    """The definition with the comment above it, or above its signature just above it."""
    comment = raw.comment
    if not comment and above is not None:
        item, its_comment = above
        if isinstance(item, s.Signature) and item.name == definition.name:
            comment = its_comment
    return replace(definition, comment=comment) if comment else definition


# --- the automaton ------------------------------------------------------------------------


_begun: Automaton | None = None


def _automaton() -> Automaton:
    """The automaton, made once a process."""
    global _begun
    if _begun is None:
        _begun = automaton.built(Builder())
    return _begun


def tables() -> automaton.Tables:
    """The automaton as data, for a later process to begin with."""
    return automaton.tables(_automaton())


def begin_with(tables: automaton.Tables) -> None:
    """Read with the automaton that an earlier process built; nothing where there is one."""
    global _begun
    if _begun is None:
        _begun = automaton.put_together(tables, Builder())


def _read(raw: RawItem, tokens: list[Token], goal: str) -> Any:
    begun = _automaton()
    names, state = begun.names, begun.reader.parse_interactive(start=goal)
    feed = state.feed_token
    at = 0
    try:
        for at, token in enumerate(tokens):  # noqa: B007
            token.type = names.get(token.kind, token.kind)
            feed(token)
        at = len(tokens)
        return state.feed_eof()
    except lark.UnexpectedToken:
        accepted = _accepted(tokens[:at], goal)
        diagnostic = unexpected(Place(raw.source, tokens, at, accepted, goal))
        at_end = all(token.kind == "CLOSE_BLOCK" for token in tokens[at:])
        raise Mistake(diagnostic, at_end) from None


def _accepted(tokens: list[Token], goal: str) -> set[str]:
    """The kinds of token that can follow some tokens.

    They are read again: on its way to an error the automaton has already closed what
    the wrong token could not go on with.
    """
    begun = _automaton()
    names, state = begun.names, begun.reader.parse_interactive(start=goal)
    state.parser_state.parse_conf = copy(state.parser_state.parse_conf)
    state.parser_state.parse_conf.callbacks = {}  # no tree is wanted
    for token in tokens:
        token.type = names.get(token.kind, token.kind)
        state.feed_token(token)
    kinds = {name: kind for kind, name in names.items()}
    return {kinds.get(name, name) for name in state.accepts()}
