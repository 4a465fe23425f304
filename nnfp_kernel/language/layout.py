"""The layout pass: text → items of tokens, with what only the eye sees put in.

Before the grammar reads a program, three passes go over its text:

    scan      characters → tokens; comments go, but the documentation is kept
    items     tokens → items: an item starts in column 0, deeper lines continue it
    arrange   one item: markers, blocks and touching brackets, all brackets matched

`arrange` tells a signature, a definition and an expression apart by the first bare
`:` or `=` and puts a marker in front; it surrounds what `let` and `where` hold with
OPEN_BLOCK and CLOSE_BLOCK and parts its lines with `;`; it makes a `[` that touches
what stands before it a TOUCHING; and it reads `-o` as one token where a type is read.

>>> from .source import Source
>>> [item] = items(Source("f = let a = 1\\n        b = 2 in g[2]"))
>>> " ".join(token.kind for token in arrange(item)[3:])
'let OPEN_BLOCK NAME = NUMBER ; NAME = NUMBER CLOSE_BLOCK in NAME TOUCHING NUMBER ]'
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import mistakes
from .diagnostics import Diagnostic
from .mistakes import Mistake
from .source import Source, Span

MAXIMUM_DEPTH = 100
"""How deep brackets, lambdas, `let` and `if` may nest; chains of operators are flat."""

ITEM_KEYWORDS = frozenset(("size", "type", "rep", "data", "import"))
KEYWORDS = ITEM_KEYWORDS | frozenset(
    ("let", "in", "where", "if", "then", "else", "case", "of", "cata", "fresh", "open")
)

_TYPED_ITEMS = frozenset(("type", "rep", "data"))  # a type stands after their `=`

# No item starts with one of these: the line was meant to be indented.
_CONTINUING = frozenset(
    (
        *("|>", ">>", "<<", "&&&", "***", "||", "&&", "==", "/=", "<", "<=", ">", ">=", "++", "+"),
        *("*", "/", "@", "^", "!", "=", ":", "->", "~>", ",", ";", "|", "~"),
        *("then", "else", "of", "in", "where"),
    )
)

# What a character outside ASCII stands for on input.
UNICODE = {"λ": "\\", "→": "->", "⊸": "-o", "∘": "<<"}

_OPENING = {"(": ")", "[": "]", "TOUCHING": "]", "{": "}"}
_CLOSING = frozenset(")]}")
# A `[` that touches one of these holds sizes …
_SIZEABLE = frozenset(("NAME", "CAPITAL"))
# … and one that touches one of these is an index that should have been a `!`.
_INDEXABLE = frozenset((")", "]", "}", "HOLE", "NUMBER", "PATH", "_", "STRING"))

# One pattern for all tokens, the frequent ones first; a longer operator stands before
# its own beginnings. The group that matched tells the kind.
_TOKEN = re.compile(
    r"""
      (?P<space>   [^\S\n\t]+ )
    | (?P<newline> \n )
    | (?P<word>    [^\W\dλ][^\Wλ]*'* (?: \.[^\W\dλ][^\Wλ]*'* )* )
    | (?P<comment> --[^\n]* )
    | (?P<block>   \{- )
    | (?P<number>  \d (?: [eE][+-]?(?=\d) | [\w] | \.(?=[\w]) )* )
    | (?P<hole>    \?[^\W\dλ][^\Wλ]*'* )
    | (?P<alien>   \*\*(?!\*) | := | != | // | :: | <- | => | \.\. | [+\-*]= | <> | &(?!&) )
    | (?P<fixed>   &&& | \*\*\* | \|> | \|\| | >> | << | >= | <= | == | /= | && | \+\+ | -> | ~>
                 | [()\[\]{},;:=\\+\-*/@^!<>|~] )
    | (?P<unicode> [λ→⊸∘] )
    | (?P<string>  "[^"\n]*" )
    | (?P<tab>     \t+ )
    | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)


_MAGIC = re.compile(r"%nnfp\b")


class Token:
    """A word of the text, on one line. `kind` is what the grammar calls it: the text
    itself for fixed words, NAME, NUMBER, … for the others."""

    __slots__ = ("column", "diagnostic", "end_column", "kind", "line", "source", "text", "type")

    def __init__(self, kind: str, text: str, source: Source, line: int, column: int) -> None:
        self.kind = kind
        self.type = kind  # the parser's own name of the kind, filled in by it
        self.text = text
        self.source = source
        self.line = line
        self.column = column
        self.end_column = column + len(text)
        self.diagnostic: Diagnostic | None = None

    @property
    def span(self) -> Span:
        return Span(self.source, self.line, self.column, self.line, self.end_column)

    def touches(self, before: Token) -> bool:
        """Whether nothing stands between `before` and this token."""
        return self.line == before.line and self.column == before.end_column

    def __repr__(self) -> str:
        return f"Token({self.kind}, {self.text!r}, {self.line}:{self.column})"


Part: TypeAlias = Any  # a Token or a node of the tree


def span_of(parts: list[Part]) -> Span:
    """From the first of the parts to the last."""
    first, last = parts[0], parts[-1]
    if type(first) is Token and type(last) is Token:
        return Span(first.source, first.line, first.column, last.line, last.end_column)
    start = first.span
    if first is last:
        return start  # type: ignore[no-any-return]
    stop = last.span
    return Span(start.source, start.line, start.column, stop.end_line, stop.end_column)


@dataclass
class RawItem:
    """The tokens of one item, as they stand in the text, and the comment above it."""

    source: Source
    tokens: list[Token]
    comment: str = ""


# --- scan ----------------------------------------------------------------------------


def scan(source: Source, comments: dict[int, str] | None = None) -> Iterator[Token]:
    """The tokens of a text. What cannot be read comes as a token of kind ERROR.

    `comments` receives the text of every line that holds nothing but a `--` comment.
    """
    text = source.text
    line, start = 1, 0  # of the line we are in: its number, where it starts
    at, end = 0, len(text)
    if text.startswith("\ufeff"):  # a byte order mark takes no column
        at = start = 1
    match_at = _TOKEN.match
    fresh_line = True  # nothing but blanks so far on this line
    while at < end:
        if at == start and _MAGIC.match(text, at):
            stop = text.find("\n", at)
            stop = end if stop < 0 else stop
            yield Token("MAGIC", text[at:stop].rstrip(), source, line, 1)
            at = stop
            continue
        match = match_at(text, at)
        assert match is not None  # `other` matches anything
        group, word = match.lastgroup, match.group()
        column = at - start + 1
        at = match.end()
        match group:
            case "space":
                continue
            case "newline":
                line, start, fresh_line = line + 1, at, True
                continue
            case "comment":
                if fresh_line and comments is not None:
                    comments[line] = word[2:].removeprefix(" ").rstrip()
                continue
            case "block":
                closed = _end_of_block_comment(text, at)
                if closed is None:
                    token = Token("ERROR", word, source, line, column)
                    token.diagnostic = mistakes.unterminated_comment(token.span)
                    yield token
                    return
                line += text.count("\n", at, closed)
                start = max(start, text.rfind("\n", at, closed) + 1)
                at = closed
                continue
            case "word":
                token = _word(word, source, line, column)
            case "fixed":
                token = Token(word, word, source, line, column)
            case "number":
                token = Token("NUMBER", word, source, line, column)
                if (mistake := mistakes.bad_number(token.span, word)) is not None:
                    token.kind, token.diagnostic = "ERROR", mistake
            case "hole":
                token = Token("HOLE", word, source, line, column)
            case "unicode":
                token = Token(UNICODE[word], word, source, line, column)
            case "string":
                token = Token("STRING", word, source, line, column)
            case "tab":
                token = Token("ERROR", word, source, line, column)
                token.diagnostic = mistakes.tab(token.span)
            case "alien" | "other":
                if word in "'\"`#":  # nothing after it on this line is of use
                    stop = text.find("\n", at)
                    at = end if stop < 0 else stop
                token = Token("ERROR", word, source, line, column)
                rest = text[start + column - 1 : at]
                token.diagnostic = mistakes.unreadable(token.span, word, rest)
            case _:
                raise AssertionError(f"no rule for a {group}")
        fresh_line = False
        yield token


def _word(word: str, source: Source, line: int, column: int) -> Token:
    if word in KEYWORDS or word == "_":
        return Token(word, word, source, line, column)
    if "." in word:
        return Token("PATH", word, source, line, column)
    return Token("CAPITAL" if word[0].isupper() else "NAME", word, source, line, column)


_COMMENT_EDGE = re.compile(r"\{-|-\}")


def _end_of_block_comment(text: str, at: int) -> int | None:
    """Where the block comment ends whose `{-` ends at `at`; they nest."""
    depth = 1
    while depth:
        match = _COMMENT_EDGE.search(text, at)
        if match is None:
            return None
        depth += 1 if match.group() == "{-" else -1
        at = match.end()
    return at


def silenced(text: str) -> tuple[str, bool]:
    """A cell without the `;` at its end, and whether it had one: such a cell shows nothing.

    >>> silenced("f x = x + 1;  -- for later")
    ('f x = x + 1   -- for later', True)
    >>> silenced("let a = 1; b = 2 in a + b")
    ('let a = 1; b = 2 in a + b', False)
    """
    *_, last = [None, *scan(Source(text))] if ";" in text else [None]
    if last is None or last.kind != ";":
        return text, False
    lines = text.split("\n")
    line, at = lines[last.line - 1], last.column - 1
    lines[last.line - 1] = line[:at] + " " + line[at + 1 :]
    return "\n".join(lines), True


# --- items ----------------------------------------------------------------------------


def items(source: Source) -> list[RawItem]:
    """The items of a text: each starts in column 0, where only `)`, `]`, `}` may
    stand without starting one."""
    comments: dict[int, str] = {}
    found: list[RawItem] = []
    current: RawItem | None = None
    for token in scan(source, comments):
        if token.kind == "MAGIC":
            found.append(RawItem(source, [token]))
            current = None
        elif current is None or _starts_item(token):
            if token.kind in _CONTINUING and token.column == 1:
                token.diagnostic = mistakes.cannot_start_item(token.span)
                if current is not None:  # what it was meant to go on with
                    current.tokens.append(token)
                    continue
            current = RawItem(source, [token])
            found.append(current)
        else:
            current.tokens.append(token)
    for item in found:
        lines: list[str] = []
        line = item.tokens[0].line
        while (line := line - 1) in comments:
            lines.append(comments[line])
        item.comment = "\n".join(reversed(lines))
    return found


def _starts_item(token: Token) -> bool:
    """Whether a word starts an item by standing in column 0. A tab there is a mistake
    of the line that it indents."""
    return token.column == 1 and token.kind not in _CLOSING and not token.text.isspace()


# --- arrange --------------------------------------------------------------------------


@dataclass(slots=True)
class _Context:
    """A bracket or a block that is open: what opened it, and what held outside it."""

    opener: Token  # the bracket, or the word `let` or `where`
    typing: bool  # whether a type was being read outside
    depth: int  # how deep the outside was
    first: Token | None = None  # of a block: the word at whose column its lines start

    @property
    def block(self) -> bool:
        return self.first is not None

    @property
    def column(self) -> int:
        return self.first.column if self.first is not None else 0


def arrange(item: RawItem, goal: str = "item", partial: bool = False) -> list[Token]:
    """An item's tokens as the grammar wants them.

    `goal` is "item", "expression" or "type": the latter two are read without a marker,
    wherever they start. `partial` text may end with brackets and blocks still open.
    Raises Mistake for what cannot be arranged.
    """
    for token in item.tokens:
        if token.diagnostic is not None:
            raise Mistake(token.diagnostic, at_end=token.text == "{-")
    marker = _marker(item.tokens[0]) if goal == "item" else None
    arranger = _Arranger(item, goal, marker)
    for index, token in enumerate(item.tokens):
        arranger.take(index, token)
    if not partial:
        arranger.end()
    if arranger.marker is not None:
        arranger.out.insert(0, _virtual(arranger.marker, item.tokens[0]))
    return arranger.out


def _marker(first: Token) -> str | None:
    """What an item is taken for until a bare `:` or `=` is found; None for an item that
    its first word tells."""
    if first.column != 1:
        raise Mistake(mistakes.not_in_column_zero(first.span))
    if first.kind in _CLOSING:
        raise Mistake(mistakes.nothing_to_close(first.span))
    return None if first.kind in ITEM_KEYWORDS else "EXPRESSION"


def _virtual(kind: str, at: Token) -> Token:
    """A token without text, where another starts."""
    return Token(kind, "", at.source, at.line, at.column)


class _Arranger:
    """One item's way through `arrange`: what is open, and what has been put out."""

    def __init__(self, item: RawItem, goal: str, marker: str | None) -> None:
        self.tokens = item.tokens
        self.goal = goal
        self.marker = marker
        self.out: list[Token] = []
        self.open: list[_Context] = []
        self.typing = goal == "type"  # whether a type is being read
        self.depth = 0  # of brackets, blocks and what reaches to the right
        self.awaiting_block = False  # whether `let` or `where` was the last word
        self.line = self.tokens[0].line if self.tokens else 0

    def take(self, index: int, token: Token) -> None:
        """The next word: what it opens, closes or changes; then it is put out."""
        if self.awaiting_block:
            self.awaiting_block = False
            self.open_block(token)
        elif token.line != self.line and self.open:
            self.new_line(token)
        self.line = token.line
        match token.kind:
            case "(" | "{":
                self.open_bracket(token)
            case "[":
                token = self.square_bracket(index, token)
            case ")" | "]" | "}":
                self.close_bracket(token)
            case ":" | "=" | "~":
                self.sign(token)
            case "NAME" if token.text == "o" and self.typing and self.after_minus(token):
                minus = self.out.pop()
                token = Token("-o", "-o", minus.source, minus.line, minus.column)
                self.deeper(token)
            case "let":
                self.deeper(token)
                self.awaiting_block = True
            case "where":
                if self.open or self.goal != "item":
                    opener = self.open[-1].opener.span if self.open else None
                    raise Mistake(mistakes.misplaced_where(token.span, opener))
                self.awaiting_block = True
            case "in":
                self.close_let(token)
            case "\\" | "if" | "case" | "-o":
                self.deeper(token)
            case "->" | "~>" if self.typing:
                self.deeper(token)
            case "," | ";" if self.open:
                self.depth = self.open[-1].depth + 1
                if self.open[-1].block:
                    self.typing = False
            case _:
                pass
        self.out.append(token)

    def sign(self, token: Token) -> None:
        """`:`, `=` or `~`: the first bare one tells what the item is, and each says
        whether a type stands behind it."""
        bare = not self.open
        if bare and self.marker == "EXPRESSION" and token.kind != "~":
            self.marker = "SIGNATURE" if token.kind == ":" else "DEFINITION"
        declares_type = bare and self.goal == "item" and self.tokens[0].kind in _TYPED_ITEMS
        self.typing = token.kind == ":" or (token.kind == "=" and declares_type)

    def after_minus(self, token: Token) -> bool:
        """Whether a `-` stands before a word and touches it."""
        return bool(self.out) and self.out[-1].kind == "-" and token.touches(self.out[-1])

    def deeper(self, token: Token) -> None:
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            raise Mistake(mistakes.too_deep(token.span, MAXIMUM_DEPTH))

    # --- brackets

    def open_bracket(self, token: Token) -> None:
        self.open.append(_Context(token, self.typing, self.depth))
        self.deeper(token)

    def square_bracket(self, index: int, token: Token) -> Token:
        """A `[`: of a sequence, or, touching what stands before it, of sizes."""
        before = self.tokens[index - 1] if index else None
        if before is not None and token.touches(before):
            if before.kind in _SIZEABLE or (self.typing and before.kind in _CLOSING):
                token = Token("TOUCHING", token.text, token.source, token.line, token.column)
            elif before.kind in _INDEXABLE:
                raise Mistake(mistakes.index_with_brackets(self.tokens, index))
        self.open_bracket(token)
        if token.kind == "TOUCHING":
            self.typing = False  # sizes stand inside, whatever stands outside
        return token

    def close_bracket(self, token: Token) -> None:
        if not self.open or self.open[-1].opener.kind == "where":
            raise Mistake(mistakes.nothing_to_close(token.span))
        context = self.open.pop()
        if context.opener.kind == "let":
            raise Mistake(self.let_without_in(context, token))
        wanted = _OPENING[context.opener.kind]
        if wanted != token.kind:
            raise Mistake(mistakes.wrong_bracket(context.opener.span, token.span, wanted))
        self.typing, self.depth = context.typing, context.depth

    # --- blocks

    def open_block(self, first: Token) -> None:
        """`first` is the word after `let` or `where`: the block stands at its column."""
        opener = self.out[-1]
        if first.kind == "in" and opener.kind == "let":
            raise Mistake(mistakes.empty_block(opener.span))
        around = next((each.first for each in reversed(self.open) if each.first), None)
        if around is not None and first.column <= around.column:
            raise Mistake(mistakes.shallow_block(opener.span, first.span, around.span))
        self.out.append(_virtual("OPEN_BLOCK", first))
        self.open.append(_Context(opener, self.typing, self.depth, first=first))
        self.deeper(first)
        self.typing = False

    def new_line(self, token: Token) -> None:
        """The first word of a line, inside brackets or blocks: it starts a binding, goes
        on with one, or stands where nothing may."""
        inner = self.open[-1]
        if token.kind in _CLOSING or token.kind == "where":
            return  # a bracket may stand anywhere; a `where` too many is said there
        if inner.first is None:
            around = next((each for each in reversed(self.open) if each.block), None)
            if around is not None and token.column <= around.column:
                raise Mistake(mistakes.unclosed_bracket(inner.opener.span, token.span))
            return
        is_let = inner.opener.kind == "let"
        if token.column > inner.column or (token.kind == "in" and is_let):
            return
        if token.column < inner.column:
            columns_around = [each.column for each in self.open[:-1] if each.block]
            left_of_let = token.column <= inner.opener.column and not self.in_follows(token)
            if is_let and (token.column in columns_around or left_of_let):
                raise Mistake(self.let_without_in(inner, token))
            opener = inner.opener.span
            raise Mistake(mistakes.bad_indentation(token.span, opener, inner.first.span))
        if self.out[-1].kind not in (";", "OPEN_BLOCK"):
            self.out.append(_virtual(";", token))
        self.depth = inner.depth + 1
        self.typing = False

    def in_follows(self, token: Token) -> bool:
        """Whether an `in` stands somewhere after a word."""
        return any(each.kind == "in" for each in self.tokens[self.tokens.index(token) :])

    def close_let(self, token: Token) -> None:
        """An `in`: the innermost thing open must be a `let`."""
        context = self.open[-1] if self.open else None
        if context is not None and context.opener.kind == "let":
            self.leave_block()
        elif context is not None and any(each.opener.kind == "let" for each in self.open):
            raise Mistake(mistakes.unclosed_bracket(context.opener.span, token.span))
        else:
            raise Mistake(mistakes.in_without_let(token, self.tokens))

    def let_without_in(self, context: _Context, at: Token | None) -> Diagnostic:
        top = context.opener is self.tokens[0]
        return mistakes.let_without_in(context.opener.span, at.span if at else None, top)

    def leave_block(self) -> None:
        context = self.open.pop()
        last = self.out[-1]
        self.out.append(Token("CLOSE_BLOCK", "", last.source, last.line, last.end_column))
        self.typing, self.depth = context.typing, context.depth

    def end(self) -> None:
        """The item ends: nothing may be open but a `where`."""
        if self.awaiting_block:
            raise Mistake(mistakes.empty_block(self.out[-1].span), at_end=True)
        while self.open:
            context = self.open[-1]
            if not context.block:
                mistake = mistakes.unclosed_bracket(context.opener.span, None)
                raise Mistake(mistake, at_end=True)
            if context.opener.kind == "let":
                raise Mistake(self.let_without_in(context, None), at_end=True)
            self.leave_block()
