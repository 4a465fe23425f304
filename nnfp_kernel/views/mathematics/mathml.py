"""Formulas as MathML, which browsers draw by themselves: online or not, and in saved pages."""

from __future__ import annotations

import html
from collections.abc import Sequence

from .formula import (
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
    has_sum,
    holds,
    in_line,
    is_differential,
)
from .latex import TALL
from .plain import to_plain


def to_mathml(formula: Formula, display: bool = True) -> str:
    """The MathML of a formula on a line of its own, or within a line of text."""
    kind = ' displaystyle="true"' if display else ""
    return f"<math{kind}>{_mathml(formula)}</math>"


def to_mathml_parts(formula: Formula, display: bool = True) -> str:
    """A formula as several elements, between which a browser may break the line: it does
    not break inside of one. A short one is one element."""
    out = ""
    for part in _parts(formula):
        first = part
        while isinstance(first, Row):
            first = first.items[0]
        apart = first in (Sign("+"), Sign("−")) or out.endswith(",</mo></mrow></math>")
        out += (" " if apart else "<wbr/>") if out else ""
        out += to_mathml(part, display)
    return out


WHOLE = 26  # letters of a formula that is not broken
LEFT = 14  # and of a linear map after which the line may be, where what follows is long
_OPERATORS = frozenset(("+", "−", "⊙", "⊗", "∘", ">>", "&&&", "|||", "***"))
_RELATIONS = frozenset(("=", "+="))
_BRACKETS = frozenset("()[]⟨⟩‖|")


def _parts(formula: Formula) -> list[Formula]:
    """Pieces side by side, each beginning with its operator; brackets around what is long
    open in one and close in another."""
    if len(to_plain(formula)) <= WHOLE:
        return [formula]
    match formula:
        case Fenced(left=left, inside=inside, right=right):
            return _enclosed(left, inside, Letter(right))
        case Script(base=Fenced(left=left, inside=inside, right=right), sub=sub, sup=sup):
            return _enclosed(left, inside, Script(Letter(right), sub, sup))
        case Row(items=items):
            return _between_operators(items)
        case _:
            return [formula]


def _enclosed(left: str, inside: Formula, right: Formula) -> list[Formula]:
    first, *rest = _parts(inside)
    made: list[Formula] = [Row((Letter(left), first)), *rest]
    return [*made[:-1], Row((made[-1], right))]


def _between_operators(items: Sequence[Formula]) -> list[Formula]:
    found: list[list[Formula]] = [[]]
    for k, item in enumerate(items):
        if isinstance(item, Sign) and item.text in _OPERATORS and found[-1]:
            spaced = item.text in "+−"  # at the beginning of an element they would be signs
            found.append([item, Space()] if spaced else [item])
            continue
        if isinstance(item, Sign) and item.text in _RELATIONS:
            found += [[]] if len(to_plain(Row(tuple(items[:k])))) > WHOLE else []
            found[-1].append(item)
            continue
        if k and isinstance(items[k - 1], Space):  # what a linear map is applied to
            after = len(to_plain(Row(tuple(found[-1])))) > LEFT and len(to_plain(item)) > LEFT // 2
            full = len(to_plain(Row(tuple(found[-1])))) > WHOLE
            long = isinstance(item, Fenced) or after or full
            found += [[]] if long else []
        inner = _parts(item)
        found[-1].append(inner[0])
        found += [[each] for each in inner[1:]]
        if item == Sign(","):
            found.append([])
    return [own[0] if len(own) == 1 else Row(tuple(own)) for own in found if own]


def _mathml(formula: Formula) -> str:
    match formula:
        case Letter(text=text):
            upright = ' mathvariant="normal"' if formula.upright or text == "Γ" else ""
            return f"<mi{upright}>{html.escape(text)}</mi>"
        case Digits(text=text):
            return f"<mn>{html.escape(text)}</mn>"
        case Sign(text="⧺"):
            # by itself it would be a postfix, without space
            return '<mo form="infix" lspace="0.22em" rspace="0.22em">++</mo>'
        case Sign(text=text):
            return f"<mo>{html.escape(text)}</mo>"
        case Space(wide=wide):
            return f'<mspace width="{"1em" if wide else "0.17em"}"/>'
        case Words(text=text):  # a space at an end would be dropped
            return f"<mtext>{html.escape(text).replace(' ', chr(0xA0))}</mtext>"
        case Row(items=(d, inside)) if is_differential(formula):
            return f"<mrow>{_mathml(d)}{_mathml(inside)}</mrow>"
        case Row(items=items):
            return f"<mrow>{''.join(_row(items))}</mrow>"
        case Script(base=base, sub=sub, sup=sup):
            big = isinstance(base, Sign) and base.text in "∑∏"
            if sup is None:
                tag = "munder" if big else "msub"
                return f"<{tag}>{_mathml(base)}{_mathml(sub) if sub else '<mrow/>'}</{tag}>"
            if sub is None:
                return f"<msup>{_mathml(base)}{_mathml(sup)}</msup>"
            if big:
                return f"<munderover>{_mathml(base)}{_mathml(sub)}{_mathml(sup)}</munderover>"
            return f"<msubsup>{_mathml(base)}{_mathml(sub)}{_mathml(sup)}</msubsup>"
        case Bar(inside=Letter(text=text, upright=True)):  # no font's bar is as long as a word
            return f'<mi style="border-top:.06em solid;padding-top:.1em">{html.escape(text)}</mi>'
        case Bar(inside=inside):
            bar = f'<mo stretchy="{_wide(inside)}">¯</mo>'
            return f"<mover>{_mathml(inside)}{bar}</mover>"  # no accent: it would touch the letter
        case Fraction(top=top, bottom=bottom):
            return f"<mfrac>{_mathml(top)}{_mathml(bottom)}</mfrac>"
        case Root(inside=inside):
            return f"<msqrt>{_mathml(inside)}</msqrt>"
        case Fenced(left="⌊" | "⌈", inside=Fraction()):
            return _mathml(in_line(formula))
        case Fenced(left=left, inside=inside, right=right):
            tall = holds(inside, TALL) or has_sum(inside)
            stretch = f' stretchy="{str(tall).lower()}"'
            one = f'<mo form="prefix"{stretch}>{html.escape(left)}</mo>'
            two = f'<mo form="postfix"{stretch}>{html.escape(right)}</mo>'
            return f"<mrow>{one}{_mathml(inside)}{two}</mrow>"
        case Cases(rows=rows):
            lines = "".join(
                f"<mtr><mtd>{_mathml(value)}</mtd><mtd>{_mathml(when)}</mtd></mtr>"
                for value, when in rows
            )
            table = f'<mtable columnalign="left left" rowspacing="0.2em">{lines}</mtable>'
            return f'<mrow><mo form="prefix" stretchy="true">{{</mo>{table}</mrow>'
        case Slot():
            raise AssertionError("an empty slot has no MathML")


def _wide(inside: Formula) -> str:
    return str(not isinstance(inside, Letter) or inside.upright).lower()


def _row(items: Sequence[Formula]) -> list[str]:
    """Factors side by side stand a hair apart, as `W dx` does."""
    out: list[str] = []
    for k, item in enumerate(items):
        if k and _apart(items[k - 1], item):
            out.append('<mspace width="0.14em"/>')
        minus = isinstance(item, Sign) and item.text == "−" and not k
        out.append('<mo form="prefix">−</mo>' if minus else _mathml(item))
    return out


def _apart(before: Formula, item: Formula) -> bool:
    """Whether nothing else keeps two neighbours apart."""
    if any(isinstance(each, Sign | Space) for each in (before, item)):
        return False
    if any(isinstance(each, Letter) and each.text in _BRACKETS for each in (before, item)):
        return False  # one that opens in an element and closes in another
    return not isinstance(item, Fenced)
