"""Syntax errors: what was found, what it most likely means, what to write instead.

The layout pass and the parser notice that something is wrong; how to say it is decided
here. Every public function makes one `Diagnostic`, in the order

    characters and words      what cannot be read at all
    layout                    brackets, blocks and columns
    rows of operators         what reads, but not as one thing

What the grammar stops at is explained in unexpected.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .source import Span

if TYPE_CHECKING:
    from .layout import Token


class Mistake(Exception):
    """What makes one item unreadable; caught by the parser, item by item."""

    def __init__(self, diagnostic: Diagnostic, at_end: bool = False) -> None:
        super().__init__(diagnostic.title)
        self.diagnostic = diagnostic
        self.at_end = at_end  # whether more text could still mend it


def error(
    code: str,
    title: str,
    span: Span,
    label: str = "",
    *notes: str,
    also: Label | None = None,
    suggestion: str | None = None,
) -> Diagnostic:
    secondary = (also,) if also is not None else ()
    return Diagnostic(code, title, Label(span, label), secondary, notes, suggestion)


def rewritten(span: Span, text: str) -> str:
    """The line of a mistake with other text in its place: something to type instead."""
    line = span.source.line(span.line)
    line = (line[: span.column - 1] + text + line[span.end_column - 1 :]).strip()
    return line if len(line) <= 100 else "…" + line[max(0, span.column - 20) :][:60] + "…"


def one_of(things: Sequence[str], word: str = "or") -> str:
    """`a`, `b` or `c`."""
    *most, last = things
    return f"{', '.join(most)} {word} {last}" if most else last


# --- characters and words ---------------------------------------------------------------


def unterminated_comment(span: Span) -> Diagnostic:
    return error(
        "unterminated-comment",
        "this comment is never closed",
        span,
        "opened here",
        "A block comment ends with `-}`. Comments nest: each `{-` inside needs its own.",
    )


def bad_number(span: Span, text: str) -> Diagnostic | None:
    """What is wrong with a number as written, if anything."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?i?", text):
        if len(text) <= 400 and float(text.removesuffix("i")) < float("inf"):
            return None
        return error(
            "number-too-large",
            "this number is too large",
            span,
            "",
            "The largest numbers are near 1.8e308.",
        )
    note, better = "A number is written like `3`, `0.5` or `1e-3`.", None
    if re.fullmatch(r"[0-9_]+(\.[0-9_]+)?", text):
        better = text.replace("_", "")
        note = "Digits are not grouped by `_`. Write:"
    elif re.fullmatch(r"0[xX][0-9a-fA-F]{1,30}|0[bB][01]{1,90}|0[oO][0-7]{1,40}", text):
        better = str(int(text, 0))
        note = "Numbers are decimal. Write:"
    elif match := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)[jJI]", text):
        better = f"{match[1]}i"
        note = "An imaginary number is written with `i`:"
    elif match := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)((?![eE]$)[^\W\d]\w*)", text):
        better = f"{match[1]} * {match[2]}"
        note = "A product is written with `*`, a name starts with a letter. Write:"
    return error(
        "bad-number",
        f"`{text}` is not a number",
        span,
        "",
        note,
        suggestion=rewritten(span, better) if better else None,
    )


def tab(span: Span) -> Diagnostic:
    return error(
        "tab",
        "a tab stands here",
        span,
        "",
        "A tab is as wide as an editor likes, but columns decide here which line belongs to "
        "which block. Use spaces.",
    )


# What people write in other languages: how to say so, and what to write in its place.
_FOREIGN = {
    "**": ("a power is written `^`", "^"),
    ":=": ("a name is defined with `=`", "="),
    "!=": ("unequal is written `/=`", "/="),
    "<>": ("`<>` is not an operator: unequal is written `/=`, joining `++`", "++"),
    "//": ("`//` is not an operator: numbers are divided by `/`", "/"),
    "::": ("a type is declared with `:`", ":"),
    "=>": ("an arrow is written `->`", "->"),
    "<-": ("`<-` is not an operator", "< -"),
    "&": ("`&` is not an operator: `&&` is and, `&&&` pairs two functions", "&&"),
}
# The same where nothing can take its place: a note instead.
_ABSENT = {
    "$": "Put the argument in brackets, `f (g x)`, or in front, `g x |> f`.",
    "`": "Names are no operators: the function stands first, as in `max x y`.",
    "..": "The numbers from 0 to n - 1 are `iota[n]`; others are made from them.",
    "%": "Numbers are divided by `/`. A line that starts with `%nnfp` in column 0 is a line magic.",
}

# What is copied from a page or a paper, and what it stands for.
_LOOKALIKES = {
    "−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "≤": "<=",
    "≥": ">=", "≠": "/=", "≡": "==", "∧": "&&", "∨": "||", "⇒": "->", "⟶": "->", "↦": "->",
    "⇝": "~>", "⊗": "@", "¬": "not ", "…": "...", "′": "'", "∷": ":", "：": ":", "（": "(",
    "）": ")", "，": ",", "＝": "=", "；": ";",
}  # fmt: skip


def unreadable(span: Span, text: str, rest: str) -> Diagnostic:
    """A character or operator the language does not have; `rest` is it and the rest of
    its line, where that matters."""
    line = span.source.line(span.line)
    after = line[span.end_column - 1 :]
    if text == "#":
        gap = "" if rest[1:2] in ("", " ") else " "
        return error(
            "foreign-comment", "a comment starts with `--`", span, "", "Write:",
            suggestion=rewritten(span, "--" + gap),
        )  # fmt: skip
    if text == '"' and line.lstrip().startswith("import"):
        return error(
            "unclosed-quote", "the name of this file has no closing quote", span, "opened here",
            "Write:", suggestion=line.strip() + '"',
        )  # fmt: skip
    if text in "\"'“”„‘’":
        return no_strings(span)
    if len(text) == 2 and text[1] == "=" and text[0] in "+-*/":
        return error(
            "assignment",
            "nothing is assigned here: a name means one thing",
            span,
            f"`{text}` is not an operator",
            "Define another name with `=`. What repeats is a `fold` or an `iterate`.",
        )
    if text == ".":
        return _dot(span, line, after)
    if text == "?":
        return error(
            "hole-without-name", "a hole needs a name", span, "",
            "A hole is a learned constant; its name touches the `?`, as in `?w`. A condition is "
            "written `if c then a else b`.",
        )  # fmt: skip
    if text == "%" and span.column == 1 and after.startswith("%"):
        return error(
            "cell-magic", "a cell magic stands only on the first line of a cell", span, "",
            "The program starts on the line below it.",
        )  # fmt: skip
    if text in _ABSENT:
        return error("foreign-operator", f"`{text}` is not an operator", span, "", _ABSENT[text])
    if text in _FOREIGN:
        title, better = _FOREIGN[text]
        return error(
            "foreign-operator", title, span, "", "Write:", suggestion=rewritten(span, better)
        )
    if text in _LOOKALIKES:
        better = _LOOKALIKES[text]
        return error(
            "unknown-character", f"`{text}` is written `{better.strip()}` here", span, "", "Write:",
            suggestion=rewritten(span, better),
        )  # fmt: skip
    name = unicodedata.name(text, "")
    known = f" (U+{ord(text):04X}{', ' + name.lower() if name else ''})"
    shown = f"`{text}`" if text.isprintable() else "this character"
    invisible = not text.isprintable()
    return error(
        "unknown-character", f"{shown}{known} means nothing here", span, "",
        *(["Without it:"] if invisible else []),
        suggestion=rewritten(span, "") if invisible else None,
    )  # fmt: skip


def _dot(span: Span, line: str, after: str) -> Diagnostic:
    """A lone `.`: part of a number, or the composition of Haskell."""
    before = line[: span.column - 1]
    if after[:1].isdigit() and not before[-1:].isalnum():
        return error(
            "bad-number", "a number has a digit before its point", span, "", "Write:",
            suggestion=rewritten(span, "0."),
        )  # fmt: skip
    if re.search(r"(?<![\w.])[0-9]+$", before):
        return error(
            "bad-number", "a number has a digit after its point", span, "", "Write:",
            suggestion=rewritten(span, ".0"),
        )  # fmt: skip
    if after[:1].isdigit():
        return error(
            "foreign-operator", "`.` is not an operator", span, "",
            "The parts of a pair are `fst x` and `snd x`; of any tuple, a pattern takes them: "
            "`let (a, b, c) = x in b`.",
        )  # fmt: skip
    return error(
        "foreign-operator",
        "`.` is not an operator",
        span,
        "",
        "`cell.W`, without blanks, is the weight `?W` of `cell`. Functions are composed with "
        "`>>` (first the left one) or `<<` (first the right one):",
        suggestion=rewritten(span, "<<"),
    )


def no_strings(span: Span) -> Diagnostic:
    return error(
        "string",
        "there is no text in this language, only numbers",
        span,
        "",
        'Quotes stand only around the name of a file: `import "file.nnfp"`.',
    )


_FOREIGN_WORDS = {
    "and": "`a and b` is written `a && b`.",
    "or": "`a or b` is written `a || b`.",
    "len": "The length of a sequence is `length xs`.",
    "range": "The numbers from 0 to n - 1 are `iota[n]`.",
    "return": "A function is its expression: nothing is returned with a word.",
    "print": "An expression on its own is displayed: no `print` is needed.",
    "pow": "A power is written `x ^ 2`.",
    "mod": "There is no remainder of a division.",
    "elif": "`elif` is written `else if`.",
    "lambda": "A function without a name is written `\\x -> e`.",
    "def": "A function is defined as `name x = e`.",
    "None": "There is no absent value: a `data` type can have a constructor for it.",
    "append": "Sequences are joined with `++`.",
}


def foreign_word(name: str) -> str | None:
    """What a name of another language is called here: a note for an unknown name.

    >>> foreign_word("len")
    'The length of a sequence is `length xs`.'
    """
    return _FOREIGN_WORDS.get(name)


def reserved_word(word: Token) -> Diagnostic:
    other = {"data": "points", "type": "kind", "size": "width", "in": "input"}
    return error(
        "reserved-word",
        f"`{word.text}` is a word of the language and cannot be a name",
        word.span,
        "",
        "Choose another name, such as:",
        suggestion=rewritten(word.span, other.get(word.text, word.text + "1")),
    )


# --- layout --------------------------------------------------------------------------------


def not_in_column_zero(span: Span) -> Diagnostic:
    return error(
        "item-not-in-column-zero",
        "the first item is indented",
        span,
        "starts deeper than column 0",
        "An item starts at the very left; an indented line goes on with the item above it, and "
        "there is none. Write:",
        suggestion=rewritten(span, span.text),
    )


def cannot_start_item(span: Span) -> Diagnostic:
    line = span.source.line(span.line).rstrip()
    return error(
        "item-starts-with-operator",
        f"an item cannot start with `{span.text}`",
        span,
        "starts in column 0",
        "A line in column 0 starts an item. Indent it, if it goes on with the item above it:",
        suggestion="  " + line,
    )


def nothing_to_close(span: Span) -> Diagnostic:
    line = span.source.line(span.line)
    if span.text == "}" and line[span.column - 2 : span.column - 1] == "-":
        return error(
            "unopened-comment", "this `-}` closes no comment", span, "",
            "A block comment is opened by `{-`.",
        )  # fmt: skip
    return error(
        "unopened-bracket", f"this `{span.text}` closes nothing", span, "no bracket is open here"
    )


def wrong_bracket(opener: Span, closer: Span, wanted: str) -> Diagnostic:
    return error(
        "wrong-bracket",
        f"`{opener.text}` is closed by `{wanted}`, not by `{closer.text}`",
        closer,
        f"expected `{wanted}`",
        also=Label(opener, "opened here"),
    )


def unclosed_bracket(opener: Span, at: Span | None) -> Diagnostic:
    wanted = {"(": ")", "[": "]", "{": "}"}[opener.text]
    also = Label(at, f"no `{wanted}` before this") if at is not None else None
    notes = [f"No `{wanted}` stands before the end of the item."] if at is None else []
    return error(
        "unclosed-bracket", f"this `{opener.text}` is never closed", opener, "opened here",
        *notes, also=also,
    )  # fmt: skip


def index_with_brackets(tokens: Sequence[Token], bracket: int) -> Diagnostic:
    """`(f x)[0]`, `?w[0]`: brackets hold sizes, an element is taken with `!`. `bracket` is
    the index of the `[` among the tokens."""
    opening, before = tokens[bracket], tokens[bracket - 1]
    start = before
    if before.kind in (")", "]", "}"):
        start = tokens[matching(tokens, bracket - 1)]
    last = next((i for i in range(bracket, len(tokens)) if matching(tokens, i) == bracket), None)
    span = opening.span if last is None else opening.span.to(tokens[last].span)
    inside = tokens[bracket + 1 : last] if last is not None else []
    operand = start.span.to(before.span)
    one_line = span.line == span.end_line == operand.line
    index = inside[0].span.to(inside[-1].span).text if inside else ""
    notes = ["Brackets that touch a name hold sizes, as in `dense[32]`."]
    suggestion: str | None = None
    kinds = [token.kind for token in inside]
    if not one_line or not inside:
        notes.append("The element at place i is written `x ! i`.")
    elif ":" in kinds:
        notes.append("A part is taken with `take[n]` and `drop[n]`: `x[1:]` is `drop[1] x`.")
    elif kinds[0] == "-":
        notes.append("There is no counting from the end; the last element is:")
        suggestion = f"last {argument(operand.text)}" if index == "-1" else None
        if suggestion is None:
            notes[-1] = "There is no counting from the end: use `reverse` first."
    elif "," in kinds:
        notes.append("One axis is indexed at a time:")
        parts = " ! ".join(part.strip() for part in index.split(","))
        suggestion = f"{operand.text} ! {parts}" if "(" not in index else None
    else:
        notes.append("Write:")
        suggestion = f"{operand.text} ! {argument(index)}"
    return error(
        "index-with-brackets",
        "an element is taken with `!`, not with brackets",
        span,
        "",
        " ".join(notes),
        suggestion=suggestion,
    )


def argument(text: str) -> str:
    """A text as an argument: in brackets if it is more than one word."""
    return text if re.fullmatch(r"[\w.?']+|\(.*\)", text) else f"({text})"


def matching(tokens: Sequence[Token], closing: int) -> int:
    """Where the bracket opens that closes at an index; -1 if it is none."""
    depth = 0
    if tokens[closing].kind not in (")", "]", "}"):
        return -1
    for index in range(closing, -1, -1):
        kind = tokens[index].kind
        if kind in (")", "]", "}"):
            depth += 1
        elif kind in ("(", "[", "{", "TOUCHING"):
            depth -= 1
            if depth == 0:
                return index
    return -1


def misplaced_where(span: Span, opener: Span | None) -> Diagnostic:
    also = None
    if opener is not None:
        also = Label(opener, "still open" if opener.text != "where" else "the first one")
    title = "`where` stands at the end of a definition, not inside it"
    if opener is not None and opener.text == "where":
        title = "a definition has one `where`"
    return error(
        "misplaced-where", title, span, "",
        "Names that belong to a part of a definition are bound with `let … in …`.",
        also=also,
    )  # fmt: skip


def empty_block(span: Span) -> Diagnostic:
    example = "let y = 2 * x in y + 1" if span.text == "let" else "where\n    y = 2 * x"
    return error(
        "empty-block", f"nothing stands after this `{span.text}`", span,
        "expected a binding", "For example:", suggestion=example,
    )  # fmt: skip


def let_without_in(span: Span, at: Span | None, top: bool = False) -> Diagnostic:
    notes = ["`let` binds names for the expression after `in`:"]
    if top:
        notes = ["An item needs no `let`: write `name = …`. Inside an expression:"]
    return error(
        "let-without-in",
        "this `let` has no `in`",
        span,
        "opened here",
        *notes,
        also=Label(at, "expected `in` before this") if at is not None else None,
        suggestion="let y = 2 * x in y + 1",
    )


def in_without_let(word: Token, words: Sequence[Token]) -> Diagnostic:
    span = word.span
    after = words[words.index(word) + 1 :]
    if after and after[0].kind == "=":
        return reserved_word(word)
    if any(token.text == "for" for token in words):
        return error(
            "comprehension",
            "there is no `for`: a function is mapped over a sequence",
            span,
            "",
            "For `[f(x) for x in xs]` write:",
            suggestion="map f xs",
        )
    return error(
        "in-without-let",
        "this `in` has no `let`",
        span,
        "",
        "`in` ends the names that a `let` binds: `let y = 2 * x in y + 1`.",
    )


def shallow_block(opener: Span, span: Span, around: Span) -> Diagnostic:
    return error(
        "bad-indentation",
        f"what this `{opener.text}` holds must stand deeper than the block around it",
        span,
        f"starts in column {span.column - 1}",
        also=Label(around, f"the block around it stands in column {around.column - 1}"),
    )


def bad_indentation(span: Span, opener: Span, first: Span) -> Diagnostic:
    return error(
        "bad-indentation",
        f"this line stands in no column of its `{opener.text}` block",
        span,
        f"starts in column {span.column - 1}",
        f"A line in column {first.column - 1} starts a binding, a deeper one goes on with the one "
        "above it.",
        also=Label(first, f"the block stands in column {first.column - 1}"),
    )


def too_deep(span: Span, limit: int) -> Diagnostic:
    return error(
        "too-deep",
        f"this is nested more than {limit} deep",
        span,
        "",
        "Give a part of it a name of its own.",
    )


# --- rows of operators --------------------------------------------------------------------


def too_long(span: Span, limit: int) -> Diagnostic:
    return error(
        "too-deep",
        f"more than {limit} of these in a row nest too deep",
        span,
        "",
        "Give a part of it a name of its own.",
    )


def sign_without_operand(span: Span) -> Diagnostic:
    return error("missing-operand", "nothing stands after this `-`", span)


def section_too_wide(row: Span, operator: Span, left: bool) -> Diagnostic:
    text = operator.text
    grouped = f"(({row.text}) {text})" if left else f"({text} ({row.text}))"
    side = "left" if left else "right"
    return error(
        "section-too-wide",
        f"the {side} operand of this section needs brackets",
        row,
        f"holds together weaker than `{text}` here",
        "Write:",
        also=Label(operator),
        suggestion=grouped if row.line == row.end_line else None,
    )


def imaginary_pattern(span: Span) -> Diagnostic:
    return error(
        "imaginary-pattern", "no pattern is a complex number", span, "an imaginary number",
        "Name it, and compare with `==` in an `if`.",
    )  # fmt: skip


def fractional_size(span: Span) -> Diagnostic:
    return error(
        "fractional-size", "a size is a whole number", span, "not a whole number",
        "A size counts: `R[3]` is three copies of `R`.",
    )  # fmt: skip


def chained_comparison(first: Token, second: Token, left: Span, middle: Span) -> Diagnostic:
    a, b = (s.text if s.line == s.end_line and len(s.text) < 20 else "…" for s in (left, middle))
    return error(
        "chained-comparison",
        "comparisons do not chain",
        second.span,
        "a second comparison",
        "Compare twice and join with `&&`:",
        also=Label(first.span, "the first"),
        suggestion=f"{a} {first.text} {b} && {b} {second.text} …",
    )


def mixed_composition(first: Token, second: Token) -> Diagnostic:
    return error(
        "mixed-composition",
        "`>>` and `<<` do not mix without brackets",
        second.span,
        "",
        "`f >> g` runs `f` first, `f << g` runs `g` first. Use one of them, or brackets:",
        also=Label(first.span),
        suggestion=f"(f {first.kind} g) {second.kind} h",
    )


def nothing_there(span: Span, goal: str) -> Diagnostic:
    article = "a" if goal == "type" else "an"
    return error("nothing-there", f"expected {article} {goal}, found nothing", span)
