"""The automaton that reads programs: lark's, built from `grammar.lark`.

    built(builder)                  from the grammar: a twentieth of a second
    tables(automaton)               the same as data that JSON can hold
    put_together(tables, builder)   from such data: much sooner

`builder` has a method for every rule of the grammar, which makes its node of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

Tables = dict[str, Any]


@dataclass(frozen=True)
class Automaton:
    """lark's automaton, and what it calls each kind of token: `+` is `PLUS`."""

    reader: lark.Lark
    names: dict[str, str]


class _NoLexer(lark.lexer.Lexer):  # type: ignore[misc]
    """The layout pass makes the tokens; lark only reads them."""

    def __init__(self, configuration: object) -> None:
        pass

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[lark.Token]:
        return iter(())


def built(builder: object) -> Automaton:
    """The automaton of the grammar."""
    grammar = resources.files(__package__).joinpath("grammar.lark").read_text("utf-8")
    return _named(
        lark.Lark(
            grammar,
            parser="lalr",
            lexer=_NoLexer,
            strict=True,
            start=["item", "expression", "type"],
            keep_all_tokens=True,  # so that every node knows its first and last token
            maybe_placeholders=False,
            transformer=builder,
        )
    )


def _named(reader: lark.Lark) -> Automaton:
    patterns = {terminal.name: terminal.pattern for terminal in reader.terminals}
    return Automaton(reader, {p.value: name for name, p in patterns.items() if p is not None})


def tables(automaton: Automaton) -> Tables:
    """An automaton without what is Python's: lark's own form for its stand-alone parsers."""
    data, memo = automaton.reader.memo_serialize([TerminalDef, Rule])
    options = data["options"]
    plain = {name: options[name] for name in options if name not in ("lexer", "transformer")}
    parser = data["parser"]
    lexer = {**parser["lexer_conf"], "lexer_type": None}
    return {
        "memo": memo,
        "data": {**data, "options": plain, "parser": {**parser, "lexer_conf": lexer}},
    }


def put_together(tables: Tables, builder: object) -> Automaton:
    """The automaton that `tables` were made of. JSON makes texts of numbers that are keys."""
    data = tables["data"]
    parser = data["parser"]
    states = parser["parser"]
    states = {
        **states,
        "tokens": _numbered(states["tokens"]),
        "states": {int(k): _numbered(state) for k, state in states["states"].items()},
    }
    lexer = {**parser["lexer_conf"], "lexer_type": _NoLexer}
    whole = {
        **data,
        "options": {**data["options"], "lexer": _NoLexer},
        "parser": {**parser, "parser": states, "lexer_conf": lexer},
    }
    memo = _numbered(tables["memo"])
    return _named(lark.Lark._load_from_dict(whole, memo, transformer=builder))


def _numbered(table: dict[Any, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in table.items()}
