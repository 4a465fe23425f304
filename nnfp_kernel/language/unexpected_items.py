"""Mistakes in the form of an item: definitions, signatures and blocks of other languages,
names with the wrong letter, lines that stand where no item starts.

One recogniser a mistake; each answers with None for what is not its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .layout import ITEM_KEYWORDS, KEYWORDS
from .mistakes import error, reserved_word, rewritten
from .place import ATOMS, OPENING, OPERATORS, Place

if TYPE_CHECKING:
    from .layout import Token
    from .source import Span


def foreign_item(place: Place) -> Diagnostic | None:
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


def signature_with_parameters(place: Place) -> Diagnostic | None:
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


def capital_definition(place: Place) -> Diagnostic | None:
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


def word_as_name(place: Place) -> Diagnostic | None:
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


def hole_outside_where(place: Place) -> Diagnostic | None:
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


def pattern_definition(place: Place) -> Diagnostic | None:
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
        if token.kind in OPENING or token.kind == "OPEN_BLOCK":
            depth += 1
        elif token.kind in (")", "]", "}", "CLOSE_BLOCK"):
            depth -= 1
        elif token.kind == "=" and depth == 0:
            return index
    return None


def _indented_item(place: Place, span: Span) -> Diagnostic:
    return error(
        "item-not-in-column-zero",
        "this looks like an item of its own, but it is indented",
        span,
        "goes on with the item above",
        "An item starts in column 0:",
        also=Label(place.words[0].span, "the item starts here"),
        suggestion=place.source.line(span.line).strip(),
    )


def definition_under_signature(place: Place) -> Diagnostic | None:
    """The definition in the next line, indented as Python's bodies are: in a type it stops at
    its name."""
    token, before = place.token, place.before
    if token is None or before is None or token.kind != "NAME" or place.brackets:
        return None
    if place.tokens[0].kind != "SIGNATURE" or before.line == token.line:
        return None
    found = re.match(r"[\w\s,()\[\]]*=(?!=)", place.rest)
    return _indented_item(place, token.span) if found else None


def second_sign(place: Place) -> Diagnostic | None:
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
        return _indented_item(place, line[0].span.to(token.span))
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
            word.kind in ATOMS and bracket.touches(word) for word in place.words
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


def where_elsewhere(place: Place) -> Diagnostic | None:
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


def guard(place: Place) -> Diagnostic | None:
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


def semicolon(place: Place) -> Diagnostic | None:
    if place.kind != ";" or not place.text or place.brackets:
        return None
    return error(
        "semicolon", "`;` parts the bindings of a block, not items", place.span, "",
        "Each item starts on a line of its own, in column 0.",
    )  # fmt: skip
