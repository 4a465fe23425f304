"""LaTeX and formulas: the templates of the primitives' table read, and formulas printed.

>>> from .formula import Letter, plus, symbol
>>> to_latex(template(r"\\tanh {0}", plus(symbol("x1"), Letter("b"))))
'\\\\tanh(x_1 + b)'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from .formula import (
    ATOM,
    FUNCTION,
    GREEK,
    POWER,
    PRODUCT,
    RELATION,
    SUM,
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
    fitted,
    holds,
    in_line,
    is_differential,
    substitute,
)

# --- reading --------------------------------------------------------------------------------

_SIGNS = {
    r"\cdot": "·", r"\otimes": "⊗", r"\oplus": "⊕", r"\odot": "⊙", r"\star": "⋆", r"\circ": "∘",
    r"\sum": "∑", r"\prod": "∏", r"\leq": "≤", r"\geq": "≥", r"\neq": "≠", r"\land": "∧",
    r"\lor": "∨", r"\lnot": "¬", r"\sim": "∼", r"\top": "⊤", r"\dagger": "†", r"\dots": "…",
    r"\in": "∈", r"\mapsto": "↦", r"\lessgtr": "≶", "+": "+", "-": "−", "=": "=", "<": "<",
    ">": ">", ",": ",", ":": ":", "?": "?", "′": "′", r"\partial": "∂", r"\gets": "←",
    r"\to": "→", "/": "/", "*": "*", r"\int": "∫",
}  # fmt: skip
_LATEX = {sign: latex for latex, sign in _SIGNS.items()} | {
    "+=": r"\mathrel{{+}{=}}", "⧺": r"\mathbin{+\!\!+}", ">>": r"\mathbin{\gg}", "@": "@", "!": "!",
    "H": r"\mathsf{H}",
    "&&&": r"\mathbin{\&\&\&}", "|||": r"\mathbin{|||}", "***": r"\mathbin{{*}{*}{*}}",
}  # fmt: skip
_RELATIONS = frozenset("=<>≤≥≠∼∧∨↦≶,:?←∈")
_COMPARISONS = frozenset("=<>≤≥≠")
_SUMS = frozenset("+−⧺")
_PRODUCTS = frozenset("·⊗⊙⋆∘")
_FENCES = {"(": ")", r"\lVert": r"\rVert", r"\lvert": r"\rvert", r"\langle": r"\rangle", "[": "]"}
_FENCE_GLYPHS = {
    r"\lVert": "‖", r"\rVert": "‖", r"\lvert": "|", r"\rvert": "|", r"\langle": "⟨",
    r"\rangle": "⟩",
}  # fmt: skip
_SCRIPT_LETTERS = {"N": "𝒩", "U": "𝒰", "B": "ℬ", "F": "ℱ"}
_FUNCTIONS = frozenset(["tanh", "sin", "cos", "tan", "log", "exp", "max", "min", "det"])
_TOKEN = re.compile(r"\x01\d+\x02|\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\S")


def template(text: str, *operands: Formula) -> Formula:
    """The formula that a LaTeX template of the table means, with operands in its slots.

    A command that is not known here is an operator by its name. Raises ValueError for what
    is no formula.
    """
    return _filled(_read(text), operands)


@cache
def _read(text: str) -> Formula:
    plain = text.format(*(f"\x01{k}\x02" for k in range(9)))
    reader = _Reader(_TOKEN.findall(plain))
    formula = reader.row("")
    if reader.tokens:
        raise ValueError(f"no formula: {text!r} goes on with {reader.tokens[-1]!r}")
    return formula


def _filled(formula: Formula, operands: Sequence[Formula]) -> Formula:
    for number in range(9):
        for needed in range(ATOM + 1):
            slot = Slot(number, needed)
            if number < len(operands):
                formula = substitute(formula, slot, fitted(operands[number], needed))
    return formula


class _Reader:
    """A recursive descent through the tokens, which stand in reverse."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]

    def row(self, end: str) -> Formula:
        items: list[Formula] = []
        while self.tokens and self.tokens[-1] != end:
            if self.tokens[-1] in "^_":
                mark = self.tokens.pop()
                base = _tight(items.pop(), ATOM)
                script = base if isinstance(base, Script) and base.sup is None else Script(base)
                inside = self.atom()
                items[len(items) :] = [
                    replace(script, sup=inside) if mark == "^" else replace(script, sub=inside)
                ]
            else:
                items.append(self.atom())
        if end and not self.tokens:
            raise ValueError(f"no formula: {end} is missing")
        return _as_row(items)

    def group(self) -> Formula:
        if self.tokens.pop() != "{":
            raise ValueError("no formula: a group is missing")
        inside = self.row("}")
        self.tokens.pop()
        return inside

    def word(self) -> str:
        self.tokens.pop()
        word = ""
        while self.tokens[-1] != "}":
            word += self.tokens.pop()
        self.tokens.pop()
        return word

    def atom(self) -> Formula:
        token = self.tokens[-1]
        if token == "{":
            return self.group()
        self.tokens.pop()
        if token in _FENCES:
            inside = self.row(_FENCES[token])
            self.tokens.pop()
            glyph = _FENCE_GLYPHS.get(token, token)
            other = _FENCE_GLYPHS.get(_FENCES[token], _FENCES[token])
            return Fenced(glyph, inside, other)
        if token.startswith("\x01"):
            return Slot(int(token[1:-1]))
        if token in _SIGNS:
            return Sign(_SIGNS[token])
        if token.isdigit() or token.replace(".", "").isdigit():
            return Digits(token)
        if token.isalpha():
            return Letter(token)
        match token:
            case r"\," | r"\;":
                return Space()
            case r"\frac":
                return Fraction(self.group(), self.group())
            case r"\sqrt":
                return Root(self.group())
            case r"\overline":
                return Bar(self.group())
            case r"\operatorname" | r"\mathrm":
                return Letter(self.word())
            case r"\mathcal":
                word = self.word()
                return Letter(_SCRIPT_LETTERS.get(word, word))
            case r"\mathbin":
                self.word()
                return Sign("⧺")
            case r"\Gamma":
                return Letter("Γ")
            case _ if token[1:] in GREEK:
                return Letter(GREEK[token[1:]])
            case _ if token[1:].isalpha():  # an operator by its name
                return Letter(token[1:])
            case _:
                raise ValueError(f"no formula: {token!r} means nothing here")


def _tight(item: Formula, needed: int) -> Formula:
    return replace(item, needed=needed) if isinstance(item, Slot) else item


def _as_row(items: list[Formula]) -> Formula:
    """Items side by side: how tightly they bind, and what their slots ask for."""
    if len(items) == 1:
        return items[0]
    signs = {item.text for item in items if isinstance(item, Sign)}
    named = {k for k, item in enumerate(items) if isinstance(item, Letter) and item.upright}
    if signs & _RELATIONS:
        level = RELATION
    elif signs & _SUMS:
        level = SUM
    elif signs & _PRODUCTS or signs & {"∑", "∏"} or (not named and len(items) > 1):
        level = PRODUCT
    else:
        level = FUNCTION
    if not signs and isinstance(items[-1], Fenced):
        level = POWER
    placed = list(items)
    for k, item in enumerate(items):
        if isinstance(item, Slot):
            after = items[k - 1] if k else None
            needed = SUM if signs & _COMPARISONS else level
            if k - 1 in named or after == Letter("Γ"):
                needed = POWER
            elif after == Sign("−") or (level == PRODUCT and isinstance(after, Sign)):
                needed = PRODUCT
            elif signs == {"¬"}:
                needed = ATOM
            placed[k] = replace(item, needed=needed)
        elif isinstance(item, Script) and isinstance(item.base, Slot):
            placed[k] = replace(item, base=_tight(item.base, ATOM))
    return Row(tuple(placed), level)


# --- printing ------------------------------------------------------------------------------

_LATEX_LETTERS = {glyph: rf"\{name}" for name, glyph in GREEK.items()} | {
    "𝟏": r"\mathbf{1}", "𝟎": r"\mathbf{0}",
    "Γ": r"\Gamma", "𝒩": r"\mathcal{N}", "𝒰": r"\mathcal{U}", "ℬ": r"\mathcal{B}",
    "ℱ": r"\mathcal{F}", "∞": r"\infty", "∇": r"\nabla",
}  # fmt: skip
_LATEX_FENCES = {
    "‖": r"\Vert", "|": r"\vert", "⟨": r"\langle", "⟩": r"\rangle",
    "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil",
}  # fmt: skip
TALL = (Fraction, Cases, Root)  # what brackets grow around


def to_latex(formula: Formula) -> str:
    """The LaTeX of a formula, for text/latex and for papers."""
    match formula:
        case Letter(text=text):
            if text in _LATEX_LETTERS:
                return _LATEX_LETTERS[text]
            if text in _FUNCTIONS:
                return rf"\{text}"
            return rf"\mathrm{{{_escaped(text)}}}" if formula.upright else text
        case Digits(text=text):
            return text
        case Sign(text=text):
            return "'" * len(text) if set(text) == {"′"} else _LATEX[text]
        case Space(wide=wide):
            return r"\quad" if wide else r"\,"
        case Words(text=text):
            return rf"\text{{{_escaped(text)}}}"
        case Row(items=(_, inside)) if is_differential(formula):
            return _glued("d", to_latex(inside))
        case Row(items=items):
            return _joined([to_latex(item) for item in items], items)
        case Script(base=base, sub=sub, sup=sup):
            below = "" if sub is None else "_" + _group(sub)
            if isinstance(sup, Sign) and set(sup.text) == {"′"}:
                return to_latex(base) + to_latex(sup) + below
            return to_latex(base) + below + ("" if sup is None else "^" + _group(sup))
        case Bar(inside=inside):
            short = isinstance(inside, Letter) and not inside.upright
            return (r"\bar " if short else r"\overline") + (
                to_latex(inside) if short else _braced(inside)
            )
        case Fraction(top=top, bottom=bottom):
            return rf"\frac{_braced(top)}{_braced(bottom)}"
        case Root(inside=inside):
            return rf"\sqrt{_braced(inside)}"
        case Fenced(left="⌊" | "⌈", inside=Fraction()):
            return to_latex(in_line(formula))
        case Fenced(left=left, inside=inside, right=right):
            tall = holds(inside, TALL) or left == "‖"
            one, two = (_LATEX_FENCES.get(each, each) for each in (left, right))
            text = to_latex(inside)
            if tall:
                return rf"\left{one} {text} \right{two}"
            return f"{_spaced(one)}{text}{' ' if two.startswith(chr(92)) else ''}{two}"
        case Cases(rows=rows):
            lines = [rf"{to_latex(value)} & {to_latex(when)}" for value, when in rows]
            return r"\begin{cases} " + r" \\ ".join(lines) + r" \end{cases}"
        case Slot():
            raise AssertionError("an empty slot has no LaTeX")


def _spaced(text: str) -> str:
    return text + " " if text.startswith("\\") else text


def _escaped(text: str) -> str:
    return re.sub(r"([#$%&_{}])", r"\\\1", text).replace("^", r"\^{}").replace("~", r"\~{}")


def _braced(formula: Formula) -> str:
    return f"{{{to_latex(formula)}}}"


def _group(formula: Formula) -> str:
    text = to_latex(formula)
    alone = len(text) == 1 or text in (r"\top", r"\dagger")
    return text if alone else rf"{{{text}}}"


def _joined(texts: list[str], items: Sequence[Formula]) -> str:
    """Spaces around operators, none after `d` or before a bracket."""
    out = ""
    for k, (text, item) in enumerate(zip(texts, items, strict=True)):
        before = items[k - 1] if k else None
        if not k:
            out = text
        elif isinstance(item, Sign) and item.text == ",":
            out += text
        elif (
            (isinstance(item, Fenced) and _callable(before))
            or (k == 1 and isinstance(before, Sign) and before.text in "−¬")
            or isinstance(item, Space)
            or isinstance(before, Space)
        ):
            out = _glued(out, text)
        elif _upright(before) and not isinstance(item, Sign):
            out += r"\," + text
        else:
            out += " " + text
    return out


def _upright(formula: Formula | None) -> bool:
    """A name that TeX does not know for a function, and would set no space behind."""
    return isinstance(formula, Letter) and formula.upright and formula.text not in _FUNCTIONS


def _callable(formula: Formula | None) -> bool:
    return isinstance(formula, Letter | Script | Bar | Space)


def _glued(left: str, right: str) -> str:
    return left + (" " if re.search(r"\\[A-Za-z]+$", left) and right[:1].isalpha() else "") + right
