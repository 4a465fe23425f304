"""The grammar stopped at a word: why, most likely, and what to write instead.

A `Place` is where it stopped: the words before, the word found, and what could have
stood there. `unexpected` asks a row of recognisers, each for one mistake people make
or one habit of another language; the first that knows answers. When none knows, it
says what was found and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from .diagnostics import Diagnostic, Label
from .mistakes import error, no_strings, rewritten
from .place import ATOMS, OPENING, OPERATORS, Place
from .source import Span
from .unexpected_items import (
    capital_definition,
    definition_under_signature,
    foreign_item,
    guard,
    hole_outside_where,
    pattern_definition,
    second_sign,
    semicolon,
    signature_with_parameters,
    where_elsewhere,
    word_as_name,
)

if TYPE_CHECKING:
    from .layout import Token


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
            if kind in ATOMS - {")", "]", "}"} or kind in ("\\", "let", "if", "case", "fresh"):
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
        elif word.kind in OPENING:
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
        and place.kind in OPERATORS | ATOMS | {"("}
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
    if token is not None and token.kind in OPERATORS and before.kind not in ATOMS:
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
    foreign_item,
    signature_with_parameters,
    capital_definition,
    word_as_name,
    hole_outside_where,
    _family_in_block,
    _parameter_sizes,
    guard,
    semicolon,
    _new_line_of_block,
    _word_without_opener,
    _case,
    _lambda,
    _pattern,
    _awaited_word,
    pattern_definition,
    definition_under_signature,
    second_sign,
    where_elsewhere,
    _reaching_argument,
    _trailing_comma,
    _braces,
    _in_type,
    _operand_missing,
)
