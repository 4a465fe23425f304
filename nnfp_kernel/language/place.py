"""Where the grammar stopped: the words before, the word found, and what could have stood there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .mistakes import one_of
from .source import Source, Span

if TYPE_CHECKING:
    from .layout import Token

OPERATORS = frozenset(
    (
        *("|>", ">>", "<<", "&&&", "***", "||", "&&", "==", "/=", "<", "<=", ">", ">=", "++"),
        *("+", "-", "*", "/", "@", "^", "!"),
    )
)
OPENING = frozenset(("(", "[", "{", "TOUCHING"))
ATOMS = frozenset(("NAME", "CAPITAL", "PATH", "HOLE", "NUMBER", "_", ")", "]", "}"))


@dataclass(frozen=True)
class Place:
    """Where the grammar stopped: before `tokens[at]`, or at the end of them."""

    source: Source
    tokens: list[Token]
    at: int
    accepted: set[str]  # the kinds of token that could have stood here
    goal: str = "item"

    @cached_property
    def token(self) -> Token | None:
        """The word that was found; None at the end and where a block ends."""
        if self.at >= len(self.tokens) or self.tokens[self.at].kind == "CLOSE_BLOCK":
            return None
        return self.tokens[self.at]

    @property
    def kind(self) -> str:
        return self.token.kind if self.token is not None else ""

    @property
    def text(self) -> str:
        return self.token.text if self.token is not None else ""

    @cached_property
    def words(self) -> list[Token]:
        """The words before, without what the layout pass put in."""
        return [token for token in self.tokens[: self.at] if token.text]

    @property
    def before(self) -> Token | None:
        return self.words[-1] if self.words else None

    @property
    def first(self) -> Token:
        return next(token for token in self.tokens if token.text)

    @cached_property
    def new_line(self) -> Token | None:
        """The first word of a line of a block, if the grammar stopped before it."""
        if self.token is None or self.kind != ";" or self.text:
            return None
        return self.tokens[self.at + 1]

    @cached_property
    def span(self) -> Span:
        """The word found; at the end, the place behind the last word."""
        if self.new_line is not None:
            return self.new_line.span
        if self.token is not None:
            return self.token.span
        last = (self.before or self.first).span
        return Span(self.source, last.end_line, last.end_column, last.end_line, last.end_column + 1)

    @property
    def found(self) -> str:
        if self.new_line is not None:
            return "a new line of the block"
        return f"`{self.text}`" if self.token is not None else "the end"

    @property
    def rest(self) -> str:
        """The rest of the line, from the word found."""
        line = self.source.line(self.span.line)
        return re.sub(r"\s*--.*", "", line[self.span.column - 1 :]).rstrip()

    @cached_property
    def brackets(self) -> list[Token]:
        """The brackets and blocks that are open here, the innermost last."""
        found: list[Token] = []
        for token in self.tokens[: self.at]:
            if token.kind in OPENING or token.kind == "OPEN_BLOCK":
                found.append(token)
            elif token.kind in (")", "]", "}", "CLOSE_BLOCK") and found:
                found.pop()
        return found

    @property
    def bracket(self) -> str:
        """The kind of the innermost bracket or block; empty outside all."""
        return self.brackets[-1].kind if self.brackets else ""

    @cached_property
    def awaited(self) -> list[tuple[str, Token]]:
        """The words still due inside the innermost bracket, and what they belong to:
        `then` and the `if`."""
        levels: list[list[tuple[str, Token]]] = [[]]
        for token in self.tokens[: self.at]:
            level = levels[-1]
            match token.kind:
                case "(" | "[" | "{" | "TOUCHING" | "OPEN_BLOCK":
                    levels.append([])
                case ")" | "]" | "}" | "CLOSE_BLOCK":
                    if len(levels) > 1:
                        levels.pop()
                case "if":
                    level.append(("then", token))
                case "case":
                    level.append(("of", token))
                case "\\":
                    level.append(("->", token))
                case "then":
                    if level and level[-1][0] == "then":
                        _, opener = level.pop()
                        level.append(("else", opener))
                case "else" | "of" | "->":
                    if level and level[-1][0] == token.kind:
                        level.pop()
                case "," | ";":
                    level.clear()
                case _:
                    pass
        return levels[-1]

    # --- what is expected here

    @property
    def expression_due(self) -> bool:
        return "NUMBER" in self.accepted and "\\" in self.accepted

    @property
    def type_due(self) -> bool:
        accepted = self.accepted
        return {"CAPITAL", "["} <= accepted and not {"NUMBER", "-o"} & accepted

    @property
    def type_read(self) -> bool:
        return "-o" in self.accepted

    @property
    def operand_read(self) -> bool:
        """Whether an expression stands before, which an operator could go on with."""
        return ">>" in self.accepted and not self.expression_due

    def expected(self) -> str:
        """What could have stood here, in words."""
        accepted = set(self.accepted)
        parts: list[str] = []

        def take(words: str, *kinds: str) -> None:
            parts.append(words)
            accepted.difference_update(kinds)

        anything = ("NAME", "CAPITAL", "PATH", "HOLE", "NUMBER", "_", "(", "[", "{", "cata")
        if self.expression_due:
            reaching = ("\\", "let", "if", "case", "fresh", "open", *OPERATORS)
            take("an expression", *anything, *reaching)
        elif self.operand_read:
            take("an operator", *anything, *OPERATORS)
        elif self.type_due:
            take("a type", *anything)
        elif self.type_read:
            take("an arrow", "->", "~>", "-o", *anything)
        elif "PATH" in accepted:
            take("an argument", *anything)
        elif {"NUMBER", "NAME", "_", "("} <= accepted:
            take("a pattern" if "CAPITAL" in accepted else "a size", *anything, "-")
        elif "NAME" in accepted:
            take("a name", "NAME", "CAPITAL", "HOLE", "PATH", "_", "(")
        elif "CAPITAL" in accepted:
            take("a name with a capital letter", "CAPITAL")
        elif "HOLE" in accepted:
            take("a hole", "HOLE")
        accepted -= {"SIGNATURE", "DEFINITION", "EXPRESSION", "$END", "STRING"}
        accepted -= {"OPEN_BLOCK", "CLOSE_BLOCK", "TOUCHING", "import", "data", "rep", "size"}
        accepted.discard("type")
        order = ("=", ":", "->", "then", "else", "of", "in", ",", ";", "|", "~", "where", "{")
        literal = [kind for kind in order if kind in accepted]
        literal += sorted(accepted - set(literal) - OPERATORS)
        if len(literal) <= 4:
            parts += [f"`{kind}`" for kind in literal]
        if not parts:
            return "the end of this item" if self.goal == "item" else "the end"
        return one_of(parts)
