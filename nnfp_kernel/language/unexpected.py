"""The grammar stopped at a word: why, most likely, and what to write instead.

A `Place` is where it stopped: the words before, the word found, and what could have
stood there. `unexpected` asks a row of recognisers, each for one mistake people make
or one habit of another language; the first that knows answers. When none knows, it
says what was found and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .layout import ITEM_KEYWORDS, KEYWORDS
from .mistakes import error, no_strings, one_of, reserved_word, rewritten
from .source import Source, Span

if TYPE_CHECKING:
    from .layout import Token

OPERATORS = frozenset(
    (
        *("|>", ">>", "<<", "&&&", "***", "||", "&&", "==", "/=", "<", "<=", ">", ">=", "++"),
        *("+", "-", "*", "/", "@", "^", "!"),
    )
)
_OPENING = frozenset(("(", "[", "{", "TOUCHING"))
_ATOMS = frozenset(("NAME", "CAPITAL", "PATH", "HOLE", "NUMBER", "_", ")", "]", "}"))


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
            if token.kind in _OPENING or token.kind == "OPEN_BLOCK":
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


def unexpected(place: Place) -> Diagnostic:
    """What is most likely wrong where the grammar stopped."""
    for recognise in _RECOGNISERS:
        diagnostic = recognise(place)
        if diagnostic is not None:
            return diagnostic
    if place.token is None:
        before = place.before
        after = f" after `{before.text}`" if before is not None else ""
        return error(
            "unexpected-end",
            f"something is missing{after}",
            place.span,
            f"expected {place.expected()}",
        )
    return error(
        "unexpected", f"did not expect {place.found} here", place.span,
        f"expected {place.expected()}",
    )  # fmt: skip


# --- items -----------------------------------------------------------------------------------


def _foreign_item(place: Place) -> Diagnostic | None:
    """`def f(x): return e`, `from a import b`, `import a as b`, `class`, …"""
    first = place.first
    line = place.source.line(first.line)
    match first.text:
        case "def" | "fn" | "func" | "function" | "fun" if place.before is not None:
            pattern = r"\w+\s+(\w+)\s*\(?([\w\s,:]*?)\)?\s*(?:->[^:=]*)?[:=]\s*(?:return\s+)?(.*)"
            match = re.match(pattern, line)
            suggestion = "f x y = x + y"
            if match is not None:
                given = [part.partition(":")[0].strip() for part in match[2].split(",")]
                body = match[3].strip() or "…"
                suggestion = f"{' '.join([match[1], *filter(None, given)])} = {body}"
            return error(
                "foreign-definition", "a function is defined with `=` alone", first.span, "",
                f"No `{first.text}`, no `return`. Write:", suggestion=suggestion,
            )  # fmt: skip
        case "class" | "struct" | "newtype" | "enum":
            return error(
                "foreign-definition", f"there is no `{first.text}`", first.span, "",
                "A type with constructors is declared with `data`, a representation with `rep`:",
                suggestion="data Tree a = Leaf a | Node (Tree a) (Tree a)",
            )  # fmt: skip
        case "for" | "while" | "with" | "try" | "except" | "elif" if line.rstrip().endswith(":"):
            return error(
                "statement", "there are no statements, only expressions", first.span, "",
                "What repeats is a `fold`, an `iterate` or `while c f`; a choice is "
                "`if c then a else b`.",
            )  # fmt: skip
        case "from":
            return error(
                "bad-import", "an import names one library or file", first.span, "",
                "All of its names come into scope. Write:", suggestion="import std.recurrent",
            )  # fmt: skip
        case "import":
            return error(
                "bad-import",
                "an import names one library or file",
                place.span,
                "",
                "Python's arrays and functions are brought in by `%%nnfp -i NAME`. Write:",
                suggestion='import std.recurrent\nimport "file.nnfp"',
            )
        case _:
            return None


def _signature_with_parameters(place: Place) -> Diagnostic | None:
    """`f x : R`, `f (x : R) : R`."""
    if place.tokens[0].kind != "SIGNATURE" or place.token is None or ":" not in place.accepted:
        return None
    if place.kind not in ("NAME", "(", "_", "CAPITAL", "NUMBER") or len(place.words) != 1:
        return None
    colon = [token.kind for token in place.tokens].index(":")
    if not _pattern_like(place.tokens[place.at : colon]):
        return None
    return error(
        "signature-with-parameters", "a signature names no parameters", place.span,
        "expected `:`", "Their types stand before the arrows:",
        suggestion=f"{place.first.text} : R[3] -> R",
    )  # fmt: skip


def _capital_definition(place: Place) -> Diagnostic | None:
    """`Foo x = e`: a definition has a small letter; `rep word = …` needs a capital."""
    token = place.token
    if token is None:
        return None
    marker = place.tokens[place.at - 1].kind if place.at else ""
    if token.kind == "CAPITAL" and marker in ("SIGNATURE", "DEFINITION"):
        small = token.text[0].lower() + token.text[1:]
        return error(
            "capital-name", "the name of a definition starts with a small letter", token.span, "",
            "Capital letters are for types, representations and constructors. Write:",
            suggestion=rewritten(token.span, small),
        )  # fmt: skip
    if token.kind == "NAME" and place.accepted == {"CAPITAL"}:
        large = token.text[0].upper() + token.text[1:]
        what = "a constructor" if place.before and place.before.text in "=|" else "a type"
        return error(
            "small-name", f"the name of {what} starts with a capital letter", token.span, "",
            "Small letters are for definitions and variables. Write:",
            suggestion=rewritten(token.span, large),
        )  # fmt: skip
    return None


def _reserved_word(place: Place) -> Diagnostic | None:
    """`f size = …`, `data = load x`: a word of the language where a name belongs."""
    token, before = place.token, place.before
    if before is not None and before is place.first and before.kind in ITEM_KEYWORDS:
        return reserved_word(before) if place.kind in ("=", ":", "(") else None
    if token is None or token.kind not in KEYWORDS:
        return None
    after = place.tokens[place.at + 1].kind if place.at + 1 < len(place.tokens) else ""
    if after in ("=", ":"):
        return reserved_word(token)
    name_due = "NAME" in place.accepted and not (place.expression_due or place.operand_read)
    joins = token.kind in ("where", "in", "then", "else", "of")
    return reserved_word(token) if name_due and not joins else None


def _hole_outside_where(place: Place) -> Diagnostic | None:
    """`?W : R[3]` as an item or in `let`; `?w = 3`."""
    before = place.before
    if place.kind == "=" and before is not None and before.kind == "HOLE" and place.brackets:
        value = place.rest[1:].strip()
        return error(
            "hole-defined", "a hole is learned, not defined; `~` says how it starts",
            place.span, "", "For example:",
            suggestion=f"{before.text} ~ constant {value}"
            if re.fullmatch(r"[\w.]+|\(.*\)", value) else f"{before.text} ~ zeros",
        )  # fmt: skip
    if place.bracket == "TOUCHING":
        return None
    token = place.token if place.new_line is None else place.new_line
    if token is None or token.kind != "HOLE" or place.expression_due or place.operand_read:
        return None
    if "HOLE" in place.accepted:
        return None
    return error(
        "hole-outside-where",
        "a hole is declared in the `where` of its definition",
        token.span,
        "",
        "There it may have a type, an initialiser or both; none is required. For example:",
        suggestion="layer x = ?W @ x + ?b\n  where\n    ?W : R[m,n] ~ glorot",
    )


def _pattern_definition(place: Place) -> Diagnostic | None:
    """`(a, b) = e` or `x + y = e` as an item, `if x = 1 then …`."""
    token = place.token
    if token is None or place.tokens[0].kind != "DEFINITION" or place.goal != "item":
        return None
    equals = _bare_equals(place)
    if equals is None or equals < place.at:
        return None
    sign = place.tokens[equals]
    head = place.tokens[1:equals]
    if token is place.first and token.kind == "(" and head[-1].kind == ")" and _pattern_like(head):
        return error(
            "pattern-definition",
            "an item defines one name",
            head[0].span.to(head[-1].span),
            "",
            "A tuple is taken apart in a `let` or `where`, or by functions. For a pair:",
            suggestion="pair = f x\na = fst pair\nb = snd pair",
        )
    if token.kind in OPERATORS and len(head) > 1 and head[0].kind in ("NAME", "("):
        return error(
            "equals-for-comparison", "`=` defines a name; `==` compares", sign.span, "",
            "If this is a comparison, write:",
            suggestion=rewritten(sign.span, "=="),
        )  # fmt: skip
    if token is place.first or token.kind in OPERATORS:
        return error(
            "equals-for-comparison", "`=` defines a name; `==` compares", sign.span,
            "no name stands before it" if token is place.first else "", "Write:",
            suggestion=rewritten(sign.span, "=="),
        )  # fmt: skip
    return None


def _pattern_like(tokens: list[Token]) -> bool:
    return all(t.kind in ("(", ")", ",", "NAME", "_", "CAPITAL", "NUMBER") for t in tokens)


def _bare_equals(place: Place) -> int | None:
    """Where the first `=` outside all brackets and blocks stands."""
    depth = 0
    for index, token in enumerate(place.tokens):
        if token.kind in _OPENING or token.kind == "OPEN_BLOCK":
            depth += 1
        elif token.kind in (")", "]", "}", "CLOSE_BLOCK"):
            depth -= 1
        elif token.kind == "=" and depth == 0:
            return index
    return None


def _second_sign(place: Place) -> Diagnostic | None:
    """A second `=` or `:`: a line that should be an item of its own, a comparison, an
    ascription without brackets, a signature that goes on as a definition."""
    token = place.token
    if token is None or token.kind not in ("=", ":") or "=" in place.accepted:
        return None
    if place.type_due or place.before is None or place.before.kind in ("=", ":"):
        return None
    line = [word for word in place.words if word.line == token.line]
    head = place.words[0]
    in_brackets = bool(place.brackets)
    if line and line[0].line > head.line and not in_brackets and line[0].kind == "NAME":
        start = line[0]
        return error(
            "item-not-in-column-zero",
            "this looks like an item of its own, but it is indented",
            start.span.to(token.span),
            "goes on with the item above",
            "An item starts in column 0:",
            also=Label(head.span, "the item starts here"),
            suggestion=place.source.line(token.line).strip(),
        )
    if token.kind == "=":
        if place.tokens[0].kind == "SIGNATURE" and not in_brackets:
            colon = next(word for word in place.words if word.kind == ":")
            name = place.source.line(token.line)[: colon.column - 1].strip()
            type_text = colon.span.to(token.span).text[1:-1].strip()
            value = place.rest[1:].strip()
            return error(
                "signature-and-definition", "a signature and a definition are two items",
                token.span, "", "Write:",
                suggestion=f"{name} : {type_text}\n{name} = {value}"
                if colon.line == token.line else None,
            )  # fmt: skip
        bracket = place.brackets[-1] if place.brackets else None
        called = bracket is not None and any(
            word.kind in _ATOMS and bracket.touches(word) for word in place.words
        )
        if called:
            return error(
                "keyword-argument", "arguments have no names: they stand in their order",
                token.span, "", "To compare, use `==`.",
            )  # fmt: skip
        return error(
            "equals-for-comparison", "`=` defines a name; `==` compares", token.span, "",
            "To compare, write:", suggestion=rewritten(token.span, "=="),
        )  # fmt: skip
    if place.bracket == "{":
        return None
    if place.tokens[0].kind == "SIGNATURE" and not in_brackets:
        colon = next(word for word in place.words if word.kind == ":")
        return error(
            "second-colon", "a signature has one `:`", token.span, "a second one",
            also=Label(colon.span, "the first"),
        )  # fmt: skip
    if place.bracket == "TOUCHING":
        return error(
            "slice", "brackets that touch a name hold sizes", token.span, "",
            "A part of a sequence is taken with `take[n]` and `drop[n]`: `x[1:]` is `drop[1] x`.",
        )  # fmt: skip
    return error(
        "bare-ascription",
        "the type of an expression stands with it in brackets",
        token.span,
        "",
        "For example:",
        suggestion="(x : R[3])",
    )


def _where_elsewhere(place: Place) -> Diagnostic | None:
    if place.kind != "where":
        return None
    kind = place.tokens[0].kind
    what = {
        "SIGNATURE": "a signature has no `where`",
        "EXPRESSION": "an expression on its own has no `where`",
    }.get(kind, "only a definition has a `where`")
    if kind == "DEFINITION":
        if place.expression_due:
            return error(
                "missing-operand", f"nothing stands after this `{place.words[-1].text}`",
                place.words[-1].span, f"expected {place.expected()}",
            )  # fmt: skip
        what = "`where` stands at the end of a definition"
    note = "`where` stands under a definition, after its expression. "
    if kind == "EXPRESSION":
        note += "Bind names with `let … in …`, or give the expression a name:"
    return error(
        "misplaced-where", what, place.span, "", note.strip(),
        suggestion="result = …\n  where …" if kind == "EXPRESSION" else None,
    )  # fmt: skip


def _guard(place: Place) -> Diagnostic | None:
    if place.kind != "|" or place.first.kind == "data":
        return None
    if place.bracket == "{":
        return error(
            "bar-in-case", "alternatives are parted by `;`", place.span, "", "Write:",
            suggestion=rewritten(place.span, ";"),
        )  # fmt: skip
    return error(
        "guard", "there are no guards", place.span, "",
        "A choice is an `if`, by constructors a `case`:",
        suggestion="sign x = if x > 0 then 1 else if x < 0 then -1 else 0",
    )  # fmt: skip


def _semicolon(place: Place) -> Diagnostic | None:
    if place.kind != ";" or not place.text or place.brackets:
        return None
    return error(
        "semicolon", "`;` parts the bindings of a block, not items", place.span, "",
        "Each item starts on a line of its own, in column 0.",
    )  # fmt: skip


# --- what is due and missing ---------------------------------------------------------------


def _new_line_of_block(place: Place) -> Diagnostic | None:
    """A line in the block's column starts a binding, but the one above is not over, or
    the line is none."""
    fresh = place.new_line
    if fresh is None:
        token = place.token
        after_break = place.at and place.tokens[place.at - 1].kind == ";"
        if token is None or not after_break or place.bracket != "OPEN_BLOCK":
            return None
        if token.kind not in OPERATORS and token.kind not in ("then", "else", "of", "->"):
            return None
        fresh = token
    return error(
        "unindented-line",
        "this line starts a new binding, but the one above goes on",
        fresh.span,
        "stands in the column of the block",
        "Indent it deeper than the block, if it goes on with the line above:",
        suggestion="  " + place.source.line(fresh.line).strip(),
        also=Label(place.brackets[-1].span, "the block") if place.brackets else None,
    )


def _awaited_word(place: Place) -> Diagnostic | None:
    """`if` without `then` or `else`, `case` without `of`, a lambda without `->`."""
    if not place.awaited or place.kind == "=":
        return None
    word, opener = place.awaited[-1]
    kind = place.kind
    if word in place.accepted or kind in ("else", "of") or (word == "->" and not place.token):
        pass
    elif place.expression_due or not place.operand_read:
        return None  # something is wrong inside it first
    match word:
        case "->":
            return None
        case "then" | "else":
            if kind in _ATOMS - {")", "]", "}"} or kind in ("\\", "let", "if", "case", "fresh"):
                return None
            title = f"this `if` has no `{word}`"
            note = (
                "An `if` is an expression, so it has both branches:"
                if word == "else"
                else "A condition is followed by `then`:"
            )
            if kind == ":":
                note = "No `:` stands after a condition; it is followed by `then`:"
            return error(
                f"missing-{word}",
                title,
                place.span,
                f"expected `{word}`",
                note,
                also=Label(opener.span, "this one"),
                suggestion="if c then a else b",
            )
        case "of":
            if kind == "{":
                return error(
                    "missing-of", "this `case` has no `of`", place.span, "expected `of`",
                    "Write:", also=Label(opener.span, "this one"),
                    suggestion=rewritten(place.span, "of {"),
                )  # fmt: skip
            return error(
                "missing-of", "this `case` has no `of`", place.span, "expected `of`",
                "For example:", also=Label(opener.span, "this one"),
                suggestion="case tree of { Leaf x -> x ; Node l r -> l + r }",
            )  # fmt: skip
        case _:
            raise AssertionError(f"nothing awaits {word}")


def _lambda(place: Place) -> Diagnostic | None:
    """`\\x = e`, `\\x . e`, `\\x e`, and a lambda where an argument stands."""
    token = place.token
    if place.awaited and place.awaited[-1][0] == "->" and "->" in place.accepted:
        opener = place.awaited[-1][1]
        if token is None:
            return error(
                "lambda-without-arrow", "this lambda has no `->`", place.span, "expected `->`",
                "For example:", also=Label(opener.span, "opened here"),
                suggestion=r"\x -> x + 1",
            )  # fmt: skip
        if token.kind == ",":
            return error(
                "lambda-with-comma", "the parameters of a lambda are parted by blanks",
                token.span, "", "For one parameter that is a pair, put it in brackets. Write:",
                also=Label(opener.span, "the lambda"), suggestion=rewritten(token.span, ""),
            )  # fmt: skip
        better = "->" if token.kind in ("=", ":", "~>") else None
        suggestion = rewritten(token.span, better) if better else r"\(h, x) -> h + x"
        return error(
            "lambda-without-arrow",
            "the parameters of a lambda end with `->`",
            token.span,
            "expected a parameter or `->`",
            "Write:" if better else "For example:",
            also=Label(opener.span, "the lambda"),
            suggestion=suggestion,
        )
    if token is None:
        return None
    if token.kind in ("->", "~>", "-o") and place.operand_read and place.bracket != "{":
        words = [word for word in place.words if word.line == token.line]
        for word in reversed(words):
            if word.text in ("lambda", "fun", "fn"):
                return error(
                    "lambda-without-backslash", "a lambda starts with `\\`", word.span, "",
                    "Write:", suggestion=rewritten(word.span, "\\").replace("\\ ", "\\"),
                )  # fmt: skip
        if place.tokens[0].kind == "EXPRESSION" and all(w.kind == "NAME" for w in place.words):
            return error(
                "arrow-in-expression", "a definition is written with `=`", token.span, "",
                "Write:", suggestion=rewritten(token.span, "="),
            )  # fmt: skip
        return error(
            "arrow-in-expression",
            f"an `{token.text}` stands here in an expression",
            token.span,
            "",
            r"A lambda starts with a backslash: `\x -> x + 1`. The type of an expression stands "
            "after a `:`, in brackets: `(f : R -> R)`.",
        )
    if token.kind in (":", ",") and any(word.text == "lambda" for word in place.words):
        word = next(word for word in place.words if word.text == "lambda")
        return _python_lambda(place, word)
    return None


def _python_lambda(place: Place, word: Token) -> Diagnostic:
    line = place.source.line(word.line)
    rest = re.match(r"lambda\s*([\w\s,]*):\s*(.*)", line[word.column - 1 :])
    suggestion = r"\x -> x + 1"
    if rest is not None:
        names = " ".join(part.strip() for part in rest[1].split(","))
        suggestion = (line[: word.column - 1] + f"\\{names} -> {rest[2]}").strip()
    return error(
        "lambda-without-backslash", "a lambda is written with `\\` and `->`", word.span, "",
        "Write:", suggestion=suggestion,
    )  # fmt: skip


def _reaching_argument(place: Place) -> Diagnostic | None:
    """`map \\x -> e`, `map fresh f`: what reaches to the right is no argument as it is."""
    token = place.token
    if token is None or not place.operand_read or place.type_due:
        return None
    if token.kind == "if" and place.before is not None and " else " in place.rest:
        value = re.match(r"if (.*?) else (.*)", place.rest)
        if value is not None and " then " not in place.rest:
            return error(
                "python-conditional",
                "the condition stands first: `if c then a else b`",
                token.span,
                "",
                "Write:",
                suggestion=f"if {value[1]} then {place.before.text} else {value[2]}",
            )
    names = {"\\": "a lambda", "let": "a `let`", "if": "an `if`", "case": "a `case`"}
    if token.kind in names:
        what = f"{names[token.kind]} as an argument stands in brackets"
    elif token.kind in ("fresh", "open"):
        what = f"`{token.kind} f` as an argument stands in brackets"
    else:
        return None
    if place.rest.rstrip() == token.text:
        return None  # nothing follows that could stand in brackets
    if token.kind in ("fresh", "open"):
        match = re.match(r"\w+ +([\w.'\[\]]+)", place.rest)
        end = token.column + (match.end() if match else len(place.rest)) - 1
    else:
        end = token.column + len(_balanced(place.rest)) - 1
    span = Span(place.source, token.line, token.column, token.line, end + 1)
    return error(
        "brackets-needed", what, token.span, "", "Write:",
        suggestion=rewritten(span, f"({span.text.rstrip()})"),
    )  # fmt: skip


def _balanced(text: str) -> str:
    """The beginning of a text up to a bracket that closes one outside it."""
    depth = 0
    for index, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth < 0:
                return text[:index]
    return text


def _case(place: Place) -> Diagnostic | None:
    """Around `case … of { … }`: missing braces, no alternatives, `,` for `;`, …"""
    token, before = place.token, place.before
    if before is None:
        return None
    if place.accepted == {"{"}:
        example = "{ Leaf x -> x ; Node l r -> l + r }"
        return error(
            "missing-braces",
            f"the alternatives of a `{before.text.replace('of', 'case')}` stand in braces",
            place.span, "expected `{`", "For example:",
            also=Label(before.span) if before.line == place.span.line else None,
            suggestion=f"{'cata' if before.text == 'cata' else 'case tree of'} {example}",
        )  # fmt: skip
    if place.bracket != "{":
        return None
    if token is not None and token.kind == "}" and before.kind == "{":
        return error(
            "empty-case", "there are no alternatives here", place.brackets[-1].span.to(token.span),
            "", "One for each constructor of the type:",
            suggestion="{ Leaf x -> x ; Node l r -> l + r }",
        )  # fmt: skip
    if token is not None and token.kind in ("=", ":") and "->" in place.accepted:
        return error(
            "equals-in-case", "an alternative is written with `->`", token.span, "", "Write:",
            suggestion=rewritten(token.span, "->" if token.column > before.end_column else " ->"),
        )  # fmt: skip
    if token is not None and token.kind == "->" and place.operand_read:
        return error(
            "missing-semicolon",
            "a `;` is missing before this alternative",
            token.span,
            "a second `->`",
            "Alternatives are parted by `;`, on one line or on several:",
            suggestion="{ Leaf x -> x ; Node l r -> l + r }",
        )
    if token is not None and token.kind == "," and ";" in place.accepted:
        return error(
            "comma-in-case", "alternatives are parted by `;`", token.span, "", "Write:",
            suggestion=rewritten(token.span, " ;"),
        )  # fmt: skip
    return None


def _word_without_opener(place: Place) -> Diagnostic | None:
    """`then` without `if`, `of` without `case`."""
    openers = {"then": "if", "else": "if", "of": "case"}
    if place.kind not in openers or any(word == place.kind for word, _ in place.awaited):
        return None
    if place.awaited and place.awaited[-1][0] == "then":
        return None
    opener = openers[place.kind]
    example = "if c then a else b" if opener == "if" else "case tree of { Leaf x -> x }"
    return error(
        "word-without-opener", f"this `{place.text}` has no `{opener}`", place.span, "",
        "For example:", suggestion=example,
    )  # fmt: skip


def _pattern(place: Place) -> Diagnostic | None:
    """`f (x : R) = e`, `f [a, b] = e`, `f (x + 1) = e`."""
    token = place.token
    pattern_due = {"NAME", "CAPITAL", "NUMBER", "_"} <= place.accepted
    reads_pattern = not place.expression_due and "HOLE" not in place.accepted
    if token is None or not reads_pattern or "PATH" in place.accepted:
        return None
    in_bracket = place.bracket == "(" and {",", ")"} <= place.accepted
    if token.kind == ":" and in_bracket and "::" not in place.accepted and not place.type_read:
        return error(
            "typed-parameter", "the type of a parameter stands in the signature", token.span, "",
            "For example:", suggestion="f : R[3] -> R\nf x = sum x",
        )  # fmt: skip
    if token.kind == "[" and pattern_due and place.tokens[0].kind != "SIGNATURE":
        return error(
            "sequence-pattern", "a sequence is not taken apart by a pattern", token.span, "",
            "Its elements are `xs ! 0`, `head xs`, `last xs`; what goes over all of them is a "
            "`fold` or a `map`.",
        )  # fmt: skip
    if token.kind in OPERATORS and in_bracket and not place.type_read:
        return error(
            "expression-as-pattern", "a pattern is no expression", token.span,
            f"expected {place.expected()}",
            "A pattern is a name, `_`, a number, a tuple, or a constructor with patterns.",
        )  # fmt: skip
    return None


# --- brackets and commas --------------------------------------------------------------------


def _trailing_comma(place: Place) -> Diagnostic | None:
    token, before = place.token, place.before
    if token is None or before is None or before.kind != "," or token.kind not in (")", "]"):
        return None
    if token.kind == ")" and _single(place):
        return error(
            "tuple-of-one", "there is no tuple of one", before.span, "",
            "`(x)` is `x` itself.",
        )  # fmt: skip
    return error(
        "trailing-comma", f"nothing stands between this `,` and the `{token.text}`", before.span,
        "expected " + place.expected(), "Write:", suggestion=rewritten(before.span, ""),
    )  # fmt: skip


def _single(place: Place) -> bool:
    """Whether the comma just read is the only one of its bracket."""
    depth = 0
    for word in reversed(place.words[:-1]):
        if word.kind in (")", "]", "}"):
            depth += 1
        elif word.kind in _OPENING:
            depth -= 1
            if depth < 0:
                return True
        elif word.kind == "," and depth == 0:
            return False
    return True


def _braces(place: Place) -> Diagnostic | None:
    if place.kind != "{" or not (place.expression_due or place.operand_read):
        return None
    return error(
        "braces", "braces hold the alternatives of a `case` or `cata`", place.span, "",
        "A sequence is written `[a, b]`, a product `(a, b)`.",
    )  # fmt: skip


def _string(place: Place) -> Diagnostic | None:
    return no_strings(place.span) if place.kind == "STRING" else None


# --- types and sizes ---------------------------------------------------------------------------


def _in_type(place: Place) -> Diagnostic | None:
    """`R [3]`, `R * R`, `R[]`, `R^3`, `R -> -> R`, an expression where a type stands."""
    token, before = place.token, place.before
    if before is None:
        return None
    sizes_due = {"NUMBER", "NAME", "_", "("} <= place.accepted and "CAPITAL" not in place.accepted
    in_bracket = place.bracket == "TOUCHING"
    if sizes_due and in_bracket and token is not None:
        if token.kind == "]":
            opening = place.brackets[-1]
            return error(
                "empty-brackets",
                "these brackets hold no size",
                opening.span.to(token.span),
                "",
                "A sequence of any length is `[R]`, of a given length `R[n]`.",
            )
        if token.kind == "-":
            return error(
                "negative-size", "a size is never negative", token.span, "",
                "Fewer than n are written `R[n-1]`.",
            )  # fmt: skip
        if token.kind in ("CAPITAL", "PATH", "HOLE", "STRING", "[", "\\"):
            return error(
                "not-a-size", f"`{token.text}` is not a size", token.span,
                "expected a number or a size's name",
                "Sizes are made of numbers, names and `+ - * /`.",
            )  # fmt: skip
    if (
        in_bracket
        and not sizes_due
        and "]" in place.accepted
        and place.kind in OPERATORS | _ATOMS | {"("}
    ):
        return error(
            "not-a-size", "a size is made of numbers, names and `+ - * /`", place.span,
            "expected `,` or `]`",
        )  # fmt: skip
    if token is None or not (place.type_due or place.type_read):
        return None
    if token.kind == "NUMBER" and before.kind == "[" and place.type_due:
        opening = place.brackets[-1]
        return error(
            "space-before-size",
            "the bracket of a size touches its type",
            opening.span,
            "a blank stands before it",
            "After a blank, `[t]` is the type of sequences of any length. Write:",
            suggestion=_closed_up(opening),
        )
    if token.kind == "^":
        following = place.tokens[place.at + 1 : place.at + 2]
        suggestion = "R[3]"
        if following and following[0].kind in ("NUMBER", "NAME"):
            size = following[0]
            suggestion = rewritten(token.span.to(size.span), f"[{size.text}]")
        return error(
            "power-type", "copies of a type are written in brackets", token.span, "", "Write:",
            suggestion=suggestion,
        )  # fmt: skip
    if token.kind in ("*", "&&&", "***", "+") and place.type_read:
        return error(
            "product-type", "a product of types is written as a tuple", token.span, "",
            "For example:", suggestion="(R[3], R)",
        )  # fmt: skip
    if token.kind == "NUMBER" and place.type_due:
        return error(
            "number-for-type", f"`{token.text}` is not a type", token.span,
            f"expected {place.expected()}", "Sizes stand in brackets: `R[3]`.",
        )  # fmt: skip
    return None


def _closed_up(opening: Token) -> str | None:
    """The line without the blanks before a bracket."""
    line = opening.source.line(opening.line)
    return (line[: opening.column - 1].rstrip() + line[opening.column - 1 :]).strip()


def _family_in_block(place: Place) -> Diagnostic | None:
    if place.kind != "TOUCHING" or place.bracket != "OPEN_BLOCK" or "=" not in place.accepted:
        return None
    return error(
        "local-family", "a family is defined at the top, not in a block", place.span, "",
        "Make it an item of its own:", suggestion="layer[m] x = ?W @ x + ?b",
    )  # fmt: skip


def _parameter_sizes(place: Place) -> Diagnostic | None:
    """`f x[3] = …`, `dense[32] x = …`: only names stand in the brackets of a family."""
    before = place.before
    if before is None or place.tokens[0].kind not in ("SIGNATURE", "DEFINITION"):
        return None
    if place.bracket == "TOUCHING" and place.accepted <= {"NAME", "]", ","} and place.token:
        return error(
            "family-brackets", "the brackets of a family hold names of sizes", place.span,
            f"expected {place.expected()}", "For example:",
            suggestion="dense[m] x = ?W @ x + ?b",
        )  # fmt: skip
    if place.kind == "TOUCHING" and "=" in place.accepted:
        return error(
            "parameter-brackets", "the shape of a parameter stands in the signature",
            place.span, "", "For example:", suggestion="f : R[3] -> R\nf x = sum x",
        )  # fmt: skip
    return None


def _operand_missing(place: Place) -> Diagnostic | None:
    """`a + * b`, `a +` and then nothing."""
    token, before = place.token, place.before
    if before is None or not place.expression_due:
        return None
    if before.kind in OPERATORS:
        if token is not None and token.kind in OPERATORS:
            return error(
                "missing-operand", f"nothing stands between `{before.text}` and `{token.text}`",
                token.span, "expected an expression", also=Label(before.span),
            )  # fmt: skip
        if token is None or token.kind in ("then", "else", "of", "in", ",", ";", "]", "}"):
            return error(
                "missing-operand", f"nothing stands after this `{before.text}`", before.span,
                "expected an expression on its right",
            )  # fmt: skip
    if token is not None and token.kind in OPERATORS and before.kind not in _ATOMS:
        return error(
            "missing-operand",
            f"nothing stands before this `{token.text}`",
            token.span,
            "expected an expression on its left",
            "A negation is written `not c`."
            if token.text == "!"
            else f"A function of the missing operand stands in brackets: `({token.text} 1)`.",
        )
    if (
        token is None
        or token.kind in ("then", "else", "of", "in", ";", "}", ",")
        or (place.new_line is not None)
    ):
        return error(
            "missing-expression", f"nothing stands after this `{before.text}`", before.span,
            "expected an expression",
        )  # fmt: skip
    return None


_RECOGNISERS: tuple[Callable[[Place], Diagnostic | None], ...] = (
    _string,
    _foreign_item,
    _signature_with_parameters,
    _capital_definition,
    _reserved_word,
    _hole_outside_where,
    _family_in_block,
    _parameter_sizes,
    _guard,
    _semicolon,
    _new_line_of_block,
    _word_without_opener,
    _case,
    _lambda,
    _pattern,
    _awaited_word,
    _pattern_definition,
    _second_sign,
    _where_elsewhere,
    _reaching_argument,
    _trailing_comma,
    _braces,
    _in_type,
    _operand_missing,
)
