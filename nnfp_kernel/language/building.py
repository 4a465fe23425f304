"""The tree of a text: one method for every rule of the grammar (grammar.lark), which is handed
the rule's parts, tokens included, and makes the node of syntax.py.

    size_item: SIZE NAME "=" size       size_item([size, n, =, 3]) -> SizeItem("n", 3)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

from . import mistakes
from . import syntax as s
from .fixity import MAXIMUM_CHAIN, by_fixity, sizes_by_fixity
from .layout import Part, Token, span_of
from .mistakes import Mistake
from .source import Span

T = TypeVar("T", bound=s.Tree)


def _nodes(parts: list[Part]) -> tuple[Any, ...]:
    """The parts that are nodes, without the punctuation."""
    return tuple([part for part in parts if type(part) is not Token])


def _regrouped(node: T, parts: list[Part]) -> T:
    """What stood in brackets, its span widened by them."""
    return replace(node, span=span_of(parts))


class Builder:
    """One method for every rule of the grammar: its parts, tokens included → a node."""

    # --- items

    def signature(self, parts: list[Part]) -> s.Signature:
        _, name, *family, _, type_tree = parts
        span = span_of(parts[1:])
        return s.Signature(name.text, family[0] if family else None, type_tree, span=span)

    def definition(self, parts: list[Part]) -> s.Definition:
        _, name, *rest = parts
        brackets: tuple[str, ...] | None = None
        where: tuple[Any, ...] = ()
        if isinstance(rest[0], tuple):
            brackets = rest.pop(0)
        if isinstance(rest[-1], _Where):
            where = rest[-1].entries
            rest = [*rest[:-1]]
        *parameters, _, body = rest
        return s.Definition(
            name.text, brackets, tuple(parameters), body, where, span=span_of(parts[1:])
        )

    def expression_item(self, parts: list[Part]) -> s.ExpressionItem:
        return s.ExpressionItem(parts[1], span=span_of(parts[1:]))

    def size_item(self, parts: list[Part]) -> s.SizeItem:
        _, name, _, size = parts
        return s.SizeItem(name.text, size, span=span_of(parts))

    def alias_item(self, parts: list[Part]) -> s.AliasItem:
        _, name, variables, _, type_tree = parts
        return s.AliasItem(name.text, variables, type_tree, span=span_of(parts))

    def rep_item(self, parts: list[Part]) -> s.RepItem:
        _, name, _, carrier = parts
        return s.RepItem(name.text, carrier, span=span_of(parts))

    def data_item(self, parts: list[Part]) -> s.DataItem:
        _, name, variables, _, *constructors = parts
        return s.DataItem(name.text, variables, _nodes(constructors), span=span_of(parts))

    def import_item(self, parts: list[Part]) -> s.ImportItem:
        target = parts[1]
        is_file = target.kind == "STRING"
        text = target.text[1:-1] if is_file else target.text
        return s.ImportItem(text, is_file, span=span_of(parts))

    def family(self, parts: list[Part]) -> tuple[str, ...]:
        return tuple([part.text for part in parts if part.kind == "NAME"])

    def variables(self, parts: list[Part]) -> tuple[str, ...]:
        return tuple([part.text for part in parts])

    def constructor(self, parts: list[Part]) -> s.Constructor:
        return s.Constructor(parts[0].text, tuple(parts[1:]), span=span_of(parts))

    def where(self, parts: list[Part]) -> _Where:
        return _Where(_nodes(parts), span_of(parts))

    def hole_declaration(self, parts: list[Part]) -> s.HoleDeclaration:
        type_tree = initialiser = None
        for mark, value in zip(parts[1::2], parts[2::2], strict=True):
            if mark.kind == ":":
                type_tree = value
            else:
                initialiser = value
        name = parts[0].text[1:]
        return s.HoleDeclaration(name, type_tree, initialiser, span=span_of(parts))

    def function_binding(self, parts: list[Part]) -> s.Binding:
        name, *parameters, _, body = parts
        pattern = s.PatternName(name.text, span=name.span)
        return s.Binding(pattern, tuple(parameters), body, span=span_of(parts))

    def pattern_binding(self, parts: list[Part]) -> s.Binding:
        pattern, _, body = parts
        return s.Binding(pattern, (), body, span=span_of(parts))

    def local_signature(self, parts: list[Part]) -> s.LocalSignature:
        return s.LocalSignature(parts[0].text, parts[2], span=span_of(parts))

    # --- expressions

    def expression(self, parts: list[Part]) -> s.Expression:
        return parts[0] if len(parts) == 1 else by_fixity(parts)

    def lambda_function(self, parts: list[Part]) -> s.Lambda:
        _, *patterns, _, body = parts
        return s.Lambda(tuple(patterns), body, span=span_of(parts))

    def let(self, parts: list[Part]) -> s.Let:
        return s.Let(_nodes(parts[:-1]), parts[-1], span=span_of(parts))

    def conditional(self, parts: list[Part]) -> s.If:
        _, condition, _, then, _, otherwise = parts
        return s.If(condition, then, otherwise, span=span_of(parts))

    def case(self, parts: list[Part]) -> s.Case:
        _, scrutinee, _, *alternatives = parts
        return s.Case(scrutinee, _nodes(alternatives), span=span_of(parts))

    def cata(self, parts: list[Part]) -> s.Cata:
        return s.Cata(_nodes(parts), span=span_of(parts))

    def alternative(self, parts: list[Part]) -> s.Alternative:
        return s.Alternative(parts[0], parts[2], span=span_of(parts))

    def apply(self, parts: list[Part]) -> s.Expression:
        if len(parts) > MAXIMUM_CHAIN:
            raise Mistake(mistakes.too_long(parts[MAXIMUM_CHAIN].span, MAXIMUM_CHAIN))
        applied: s.Expression = parts[0]
        for argument in parts[1:]:
            applied = s.Apply(applied, argument, span=span_of([applied, argument]))
        return applied

    def fresh(self, parts: list[Part]) -> s.Fresh:
        return s.Fresh(parts[1], span=span_of(parts))

    def open(self, parts: list[Part]) -> s.Open:
        return s.Open(parts[1], span=span_of(parts))

    def name(self, parts: list[Part]) -> s.Name:
        return s.Name(parts[0].text, span=parts[0].span)

    def path(self, parts: list[Part]) -> s.Path:
        return s.Path(tuple(parts[0].text.split(".")), span=parts[0].span)

    def hole(self, parts: list[Part]) -> s.Hole:
        return s.Hole(parts[0].text[1:], span=parts[0].span)

    def number(self, parts: list[Part]) -> s.Number:
        return s.Number(_value(parts[0]), parts[0].text, span=parts[0].span)

    def blank(self, parts: list[Part]) -> s.Blank:
        return s.Blank(span=parts[0].span)

    def bracket(self, parts: list[Part]) -> s.Bracket:
        inside = _nodes(parts)
        options = tuple([part for part in inside if isinstance(part, s.BracketOption)])
        sizes = tuple([part for part in inside if not isinstance(part, s.BracketOption)])
        return s.Bracket(parts[0].text, sizes, options, span=span_of(parts))

    def option(self, parts: list[Part]) -> s.BracketOption:
        value = parts[2]
        if isinstance(value, s.SizeName):  # a word or a size: inference knows which
            value = value.name
        return s.BracketOption(parts[0].text, value, span=span_of(parts))

    def tuple(self, parts: list[Part]) -> s.Tuple:
        return s.Tuple(_nodes(parts), span=span_of(parts))

    def sequence(self, parts: list[Part]) -> s.Sequence:
        return s.Sequence(_nodes(parts), span=span_of(parts))

    def grouped(self, parts: list[Part]) -> s.Expression:
        expression: s.Expression = _regrouped(parts[1], parts)
        return expression

    def ascription(self, parts: list[Part]) -> s.Ascription:
        return s.Ascription(parts[1], parts[3], span=span_of(parts))

    def operator_function(self, parts: list[Part]) -> s.OperatorFunction:
        return s.OperatorFunction(parts[1].kind, span=span_of(parts))

    def minus_function(self, parts: list[Part]) -> s.OperatorFunction:
        if len(parts) > 3:  # `(a + -)`
            raise Mistake(mistakes.sign_without_operand(parts[-2].span))
        return self.operator_function(parts)

    def left_section(self, parts: list[Part]) -> s.LeftSection:
        opening, *row, operator, closing = parts
        missing = s.Blank(span=operator.span)
        whole = by_fixity([*row, operator, missing])
        if not isinstance(whole, s.Binary) or whole.right is not missing:
            raise Mistake(mistakes.section_too_wide(span_of(row), operator.span, left=True))
        return s.LeftSection(whole.left, operator.kind, span=span_of([opening, closing]))

    def right_section(self, parts: list[Part]) -> s.RightSection:
        opening, operator, *row, closing = parts
        missing = s.Blank(span=operator.span)
        whole = by_fixity([missing, operator, *row])
        if not isinstance(whole, s.Binary) or whole.left is not missing:
            raise Mistake(mistakes.section_too_wide(span_of(row), operator.span, left=False))
        return s.RightSection(operator.kind, whole.right, span=span_of([opening, closing]))

    # --- patterns

    def pattern(self, parts: list[Part]) -> s.PatternTree:
        first = parts[0]
        if type(first) is not Token:
            pattern: s.PatternTree = first
            return pattern
        if first.kind == "-":
            return s.PatternNumber(-_real_value(parts[1]), span=span_of(parts))
        return s.PatternConstructor(first.text, tuple(parts[1:]), span=span_of(parts))

    def pattern_name(self, parts: list[Part]) -> s.PatternName:
        return s.PatternName(parts[0].text, span=parts[0].span)

    def pattern_constant(self, parts: list[Part]) -> s.PatternConstructor:
        return s.PatternConstructor(parts[0].text, (), span=parts[0].span)

    def pattern_number(self, parts: list[Part]) -> s.PatternNumber:
        return s.PatternNumber(_real_value(parts[0]), span=parts[0].span)

    def pattern_wildcard(self, parts: list[Part]) -> s.PatternWildcard:
        return s.PatternWildcard(span=parts[0].span)

    def pattern_tuple(self, parts: list[Part]) -> s.PatternTuple:
        return s.PatternTuple(_nodes(parts), span=span_of(parts))

    def pattern_grouped(self, parts: list[Part]) -> s.PatternTree:
        pattern: s.PatternTree = _regrouped(parts[1], parts)
        return pattern

    # --- types

    def type(self, parts: list[Part]) -> s.TypeTree:
        if len(parts) == 1:
            type_tree: s.TypeTree = parts[0]
            return type_tree
        domain, arrow, codomain = parts
        return s.TypeArrow(arrow.kind, domain, codomain, span=span_of(parts))

    def type_name(self, parts: list[Part]) -> s.TypeName:
        return s.TypeName(parts[0].text, span=parts[0].span)

    def type_apply(self, parts: list[Part]) -> s.TypeApply:
        return s.TypeApply(parts[0].text, tuple(parts[1:]), span=span_of(parts))

    def type_array(self, parts: list[Part]) -> s.TypeTree:
        array: s.TypeTree = parts[0]
        sizes: list[s.SizeTree] = []
        nested = 0
        for part in parts[1:]:
            if type(part) is not Token:
                sizes.append(part)
            elif part.kind == "]":
                nested += 1
                if nested > MAXIMUM_CHAIN:
                    raise Mistake(mistakes.too_long(part.span, MAXIMUM_CHAIN))
                array = s.TypeArray(array, tuple(sizes), span=span_of([parts[0], part]))
                sizes = []
        return array

    def type_sequence(self, parts: list[Part]) -> s.TypeSequence:
        return s.TypeSequence(parts[1], span=span_of(parts))

    def type_product(self, parts: list[Part]) -> s.TypeProduct:
        return s.TypeProduct(_nodes(parts), span=span_of(parts))

    def type_grouped(self, parts: list[Part]) -> s.TypeTree:
        type_tree: s.TypeTree = _regrouped(parts[1], parts)
        return type_tree

    # --- sizes

    def size(self, parts: list[Part]) -> s.SizeTree:
        if len(parts) == 1:
            size: s.SizeTree = parts[0]
            return size
        if len(parts) > 2 * MAXIMUM_CHAIN:
            raise Mistake(mistakes.too_long(parts[2 * MAXIMUM_CHAIN].span, MAXIMUM_CHAIN))
        return sizes_by_fixity(parts)

    def size_number(self, parts: list[Part]) -> s.SizeNumber:
        value = _value(parts[0])
        if not isinstance(value, int):
            raise Mistake(mistakes.fractional_size(parts[0].span))
        return s.SizeNumber(value, span=parts[0].span)

    def size_name(self, parts: list[Part]) -> s.SizeName:
        return s.SizeName(parts[0].text, span=parts[0].span)

    def size_wildcard(self, parts: list[Part]) -> s.SizeWildcard:
        return s.SizeWildcard(span=parts[0].span)

    def size_grouped(self, parts: list[Part]) -> s.SizeTree:
        size: s.SizeTree = _regrouped(parts[1], parts)
        return size


@dataclass(frozen=True)
class _Where:
    """What stands under `where`, on its way into a Definition."""

    entries: tuple[Any, ...]
    span: Span


def _value(token: Token) -> int | float | complex:
    if token.text.endswith("i"):
        return complex(0, float(token.text[:-1]))
    return int(token.text) if token.text.isdigit() else float(token.text)


def _real_value(token: Token) -> int | float:
    """The number in a pattern, which is no complex one."""
    value = _value(token)
    if isinstance(value, complex):
        raise Mistake(mistakes.imaginary_pattern(token.span))
    return value
