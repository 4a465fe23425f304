"""Formulas as plain text, for terminals: tanh(W x + b), (1 - y^2) * dx."""

from __future__ import annotations

import textwrap

from .formula import (
    PRODUCT,
    Bar,
    Cases,
    Digits,
    Fenced,
    Formula,
    Fraction,
    Letter,
    Root,
    Row,
    Script,
    Sign,
    Slot,
    Space,
    Words,
    binding,
    is_differential,
)


def to_plain(formula: Formula) -> str:
    """The formula on one line.

    >>> from .formula import ONE, fraction, plus, power, symbol
    >>> to_plain(plus(fraction(ONE, symbol("x1")), power(symbol("y"), Digits("2"))))
    '1/x1 + y^2'
    """
    match formula:
        case Letter(text=text) | Digits(text=text) | Words(text=text):
            return text
        case Sign(text=text):
            return "-" if text == "−" else text
        case Space(wide=wide):
            return "  " if wide else " "
        case Row(items=(_, inside)) if is_differential(formula):
            return f"d{to_plain(inside)}"
        case Row(items=items):
            return _row([to_plain(item) for item in items], list(items))
        case Script(base=base, sub=sub, sup=sup):
            return to_plain(base) + _below(sub) + _above(sup)
        case Bar(inside=inside):
            return to_plain(inside) + "\u0304"
        case Fraction(top=top, bottom=bottom):
            return f"{_operand(top)}/{_operand(bottom)}"
        case Root(inside=inside):
            return f"sqrt({to_plain(inside)})"
        case Fenced(left=left, inside=inside, right=right):
            return f"{left}{to_plain(inside)}{right}"
        case Cases(rows=rows):
            return "{" + "; ".join(f"{to_plain(a)} {to_plain(b)}" for a, b in rows) + "}"
        case Slot():
            raise AssertionError("an empty slot has no text")


def _operand(formula: Formula) -> str:
    text = to_plain(formula)
    return f"({text})" if binding(formula) <= PRODUCT else text


def _below(sub: Formula | None) -> str:
    if sub is None:
        return ""
    text = to_plain(sub)
    return text if isinstance(sub, Digits) else f"_{text}" if text.isalnum() else f"_{{{text}}}"


def _above(sup: Formula | None) -> str:
    if sup is None:
        return ""
    text = to_plain(sup)
    if text in "⊤†′″←":
        return text.replace("⊤", "ᵀ")
    return f"^{text}" if text.isalnum() else f"^({text})"


def _row(texts: list[str], items: list[Formula]) -> str:
    out = ""
    for k, (text, item) in enumerate(zip(texts, items, strict=True)):
        before = items[k - 1] if k else None
        spaced = out and not out.endswith(" ") and not text.startswith(" ")
        comma = isinstance(item, Sign) and item.text == ","
        called = isinstance(item, Fenced) and isinstance(before, Letter | Script)
        prefix = k == 1 and isinstance(before, Sign) and before.text in "−¬"
        if spaced and not comma and not called and not prefix:
            out += " "
        out += text
    return out


# --- long lines ---------------------------------------------------------------------------------

_BREAKS = (" >> ", " + ", " - ", " &&& ", " ||| ", " *** ", "  becomes  ", " = ")


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Lines no longer than the width, if it can be: broken before an operator, an outer one
    rather than an inner one, and else at a space. `first` and `rest` are their indents.

    >>> wrapped("diag(a + b) >> (W · >> diag(c))", 22, "= ", "  ")
    ['= diag(a + b)', '  >> (W · >> diag(c))']
    """
    if len(first) + len(text) <= width:
        return [first + text]
    places = _places(text)
    for depth in sorted({depth for _, depth in places}):
        lines = _filled(text, [k for k, own in places if own <= depth], width, first, rest)
        if max(map(len, lines)) <= width:
            return lines
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _places(text: str) -> list[tuple[int, int]]:
    """Where a line may be broken, before an operator, and inside how many brackets."""
    found, depth = [], 0
    for k, sign in enumerate(text):
        depth += (sign in "([{⟨") - (sign in ")]}⟩")
        if sign == " " and k and text[k - 1] != " " and text.startswith(_BREAKS, k):
            found.append((k, depth))
    return found


def _filled(text: str, places: list[int], width: int, first: str, rest: str) -> list[str]:
    """As much on every line as there is room for."""
    lines: list[str] = []
    here = first
    for start, stop in zip([0, *places], [*places, len(text)], strict=True):
        part = text[start:stop]
        if here.strip() and len(here) + len(part) > width and start:
            lines.append(here)
            here = rest + part.strip()
        else:
            here += part
    return [*lines, here]
