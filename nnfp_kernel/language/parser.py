"""The parser: text → tree.

A text is read item by item, so that one item's error does not hide another's. The
layout pass makes tokens of it (layout.py), lark's LALR(1) automaton reads them by the
grammar (grammar.lark), `_Builder` makes the dataclasses of syntax.py, and rows of
operators are grouped by the table `FIXITIES`.

>>> from .source import Source
>>> parsed = parse(Source("double x = 2 * x"))
>>> parsed.program.items[0].name, parsed.diagnostics
('double', ())
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import lark

from . import automaton, layout, mistakes
from . import syntax as s
from .automaton import Automaton
from .collector import uncollected
from .diagnostics import Diagnostic, NnfpError
from .layout import RawItem, Token
from .mistakes import Mistake
from .place import Place
from .source import Source, Span
from .unexpected import unexpected

# --- operators ------------------------------------------------------------------------


class Fixity(NamedTuple):
    precedence: int
    associativity: str  # "left", "right" or "none"


FIXITIES: dict[str, Fixity] = {
    operator: Fixity(precedence, associativity)
    for precedence, (associativity, operators) in enumerate(
        (
            ("left", "|>"),
            ("left", ">> <<"),
            ("right", "&&&"),
            ("right", "***"),
            ("right", "||"),
            ("right", "&&"),
            ("none", "== /= < <= > >="),
            ("right", "++"),
            ("left", "+ -"),
            ("left", "* /"),
            ("right", "@"),
            # here binds the sign, see NEGATION
            ("right", "^"),
            ("left", "!"),
        )
    )
    for operator in operators.split()
}
"""How tightly each operator binds, loosest first, and to which side it associates."""

NEGATION = FIXITIES["@"].precedence + 0.5
"""How tightly the sign binds: tighter than `@`, looser than `^`."""

MAXIMUM_CHAIN = 100
"""How long what nests to the right may be: `a ++ b ++ …`, arguments, sizes."""


# --- the public face --------------------------------------------------------------------


@dataclass(frozen=True)
class Parsed:
    """What was read of a text: the items that parsed, and what is wrong with the others."""

    program: s.Program
    diagnostics: tuple[Diagnostic, ...] = ()


@uncollected
def parse(source: Source | str) -> Parsed:
    """All items of a program, and all its syntax errors, by position.

    >>> [type(item).__name__ for item in parse("rep Word = R[4]\\nf x = x").program.items]
    ['RepItem', 'Definition']
    """
    source = _as_source(source)
    found: list[s.Item] = []
    diagnostics: list[Diagnostic] = []
    above: tuple[s.Item, str] | None = None  # the item just read, and its comment
    for raw in layout.items(source):
        try:
            item = _parse_item(raw)
        except Mistake as error:
            diagnostics.append(error.diagnostic)
            above = None
            continue
        if isinstance(item, s.Definition):
            item = _document(item, raw, above)
        above = (item, raw.comment)
        found.append(item)
    lines = source.text.split("\n")
    span = Span(source, 1, 1, len(lines), len(lines[-1]) + 1)
    return Parsed(s.Program(tuple(found), span=span), tuple(diagnostics))


def parse_expression(source: Source | str) -> s.Expression:
    """The expression a text is. Raises NnfpError when it is none.

    >>> parse_expression("1 + 2")
    Binary(operator='+', left=Number(value=1, text='1'), right=Number(value=2, text='2'))
    """
    expression: s.Expression = _parse_whole(source, "expression")
    return expression


def parse_type(source: Source | str) -> s.TypeTree:
    """The type a text is. Raises NnfpError when it is none.

    >>> parse_type("R[3] -> R")
    TypeArrow(arrow='->', domain=TypeArray(element=TypeName(name='R'), sizes=(SizeNumber(value=3),)), codomain=TypeName(name='R'))
    """  # noqa: E501
    type_tree: s.TypeTree = _parse_whole(source, "type")
    return type_tree


def is_complete(text: str) -> tuple[str, str]:
    """Whether a console should run a text, and if not, how deep the next line starts.

    "complete" runs, "incomplete" asks for more lines, "invalid" runs and shows its
    error. A last line that is indented could go on: an empty line ends it. A signature
    waits for its definition.

    >>> is_complete("f x = x + 1")
    ('complete', '')
    >>> is_complete("f x =")
    ('incomplete', '  ')
    >>> is_complete("f x = x + 1)")
    ('invalid', '')
    """
    source = Source(layout.silenced(text)[0])
    raws = layout.items(source)
    last: s.Item | None = None
    for raw in raws:
        try:
            last = _parse_item(raw)
        except Mistake as mistake:
            if mistake.at_end and raw is raws[-1]:
                return "incomplete", _next_indent(raw)
            return "invalid", ""
    *_, line = text.split("\n")
    if last is None or not line.strip():
        return "complete", ""
    if isinstance(last, s.Signature):
        names = {raw.tokens[0].text for raw in raws[:-1]}
        return ("incomplete" if last.name not in names else "complete"), ""
    indent = line[: len(line) - len(line.lstrip())]
    return ("incomplete", indent) if indent else ("complete", "")


def _next_indent(raw: RawItem) -> str:
    """Where the line after an unfinished item starts: in the column of an open block, or
    deeper than the line above if that opened something."""
    last = raw.tokens[-1]
    line = raw.source.line(last.line)
    indent = len(line) - len(line.lstrip())
    opens = last.kind in ("=", "->", "(", "[", "{", "TOUCHING", "then", "else", "in", ":")
    try:
        tokens = layout.arrange(raw, partial=True)
    except Mistake:
        tokens = []
    open_blocks: list[Token] = []
    for token in tokens:
        if token.kind == "OPEN_BLOCK":
            open_blocks.append(token)
        elif token.kind == "CLOSE_BLOCK":
            open_blocks.pop()
    if open_blocks:
        goes_on = opens or last.kind in FIXITIES
        return " " * (open_blocks[-1].column - 1 + (2 if goes_on else 0))
    return " " * max(2, indent + 2 if opens or last.kind in ("where", "let") else indent)


@dataclass(frozen=True)
class Expected:
    """What could be written at a place: for completion.

    `prefix` is the beginning of a word that stands there already, from offset `start`;
    `kinds` are of "item", "expression", "type", "size", "pattern", "name" (of something
    new), "hole", "library", "magic"; `words` the words of the language that could stand there.
    """

    kinds: frozenset[str]
    words: tuple[str, ...] = ()
    prefix: str = ""
    start: int = 0


def expected(text: str, position: int) -> Expected:
    """What could be written at an offset of a text.

    >>> sorted(expected("f : R -> ", 9).kinds)
    ['type']
    >>> expected("f x = if x > 0 th", 17).words
    ('then',)
    """
    before = text[:position]
    match = re.search(r"\??[\w.']*\Z", before)
    assert match is not None  # it may be empty
    start, prefix = match.start(), match.group()
    line = before[before.rfind("\n") + 1 :]
    if line.startswith("%"):
        return Expected(frozenset(("magic",)), (), prefix, start)
    # A word is put there and read as far as it: the layout pass then knows its part.
    word = "x"
    raws = layout.items(Source(before[:start] + word))
    last = raws[-1].tokens[-1] if raws else None
    line_number, column = before.count("\n") + 1, start - (before.rfind("\n", 0, start) + 1) + 1
    if last is None or (last.line, last.column) != (line_number, column):
        return Expected(frozenset(), (), prefix, start)  # inside a comment or a quote
    try:
        tokens = layout.arrange(raws[-1], partial=True)
        accepted = _accepted(tokens[:-1], "item")
    except (Mistake, lark.UnexpectedToken):
        return Expected(frozenset(("expression",)), (), prefix, start)
    kinds: set[str] = set()
    words = {kind for kind in accepted if kind in layout.KEYWORDS}
    if len(raws[-1].tokens) == 1:
        kinds.add("item")
        words |= layout.ITEM_KEYWORDS
    if "HOLE" in accepted:
        kinds.add("hole")
    if "STRING" in accepted:
        kinds.add("library")
    elif "PATH" in accepted:
        kinds.add("expression")
    elif {"CAPITAL", "["} <= accepted:
        kinds.add("type")
    elif {"NUMBER", "NAME", "_", "("} <= accepted:
        kinds.add("pattern" if "CAPITAL" in accepted else "size")
    elif accepted & {"NAME", "CAPITAL"}:
        kinds.add("name")
    matching = tuple(sorted(each for each in words if each.startswith(prefix)))
    return Expected(frozenset(kinds), matching, prefix, start)


def _as_source(source: Source | str) -> Source:
    return Source(source) if isinstance(source, str) else source


def _parse_whole(source: Source | str, goal: str) -> Any:
    source = _as_source(source)
    raw = RawItem(source, list(layout.scan(source)))
    try:
        if not raw.tokens:
            raise Mistake(mistakes.nothing_there(Span(source, 1, 1, 1, 1), goal))
        return _read(raw, layout.arrange(raw, goal), goal)
    except Mistake as error:
        raise NnfpError(error.diagnostic) from None


def _parse_item(raw: RawItem) -> s.Item:
    first = raw.tokens[0]
    if first.kind == "MAGIC":
        return s.MagicItem(first.text, span=first.span)
    item: s.Item = _read(raw, layout.arrange(raw), "item")
    return item


def _document(
    definition: s.Definition, raw: RawItem, above: tuple[s.Item, str] | None
) -> s.Definition:
    """The definition with the comment above it, or above its signature just above it."""
    comment = raw.comment
    if not comment and above is not None:
        item, its_comment = above
        if isinstance(item, s.Signature) and item.name == definition.name:
            comment = its_comment
    return replace(definition, comment=comment) if comment else definition


# --- the automaton ------------------------------------------------------------------------


_begun: Automaton | None = None


def _automaton() -> Automaton:
    """The automaton, made once a process."""
    global _begun
    if _begun is None:
        _begun = automaton.built(_Builder())
    return _begun


def tables() -> automaton.Tables:
    """The automaton as data, for a later process to begin with."""
    return automaton.tables(_automaton())


def begin_with(tables: automaton.Tables) -> None:
    """Read with the automaton that an earlier process built; nothing where there is one."""
    global _begun
    if _begun is None:
        _begun = automaton.put_together(tables, _Builder())


def _read(raw: RawItem, tokens: list[Token], goal: str) -> Any:
    begun = _automaton()
    names, state = begun.names, begun.reader.parse_interactive(start=goal)
    feed = state.feed_token
    at = 0
    try:
        for at, token in enumerate(tokens):  # noqa: B007
            token.type = names.get(token.kind, token.kind)
            feed(token)
        at = len(tokens)
        return state.feed_eof()
    except lark.UnexpectedToken:
        accepted = _accepted(tokens[:at], goal)
        diagnostic = unexpected(Place(raw.source, tokens, at, accepted, goal))
        at_end = all(token.kind == "CLOSE_BLOCK" for token in tokens[at:])
        raise Mistake(diagnostic, at_end) from None


def _accepted(tokens: list[Token], goal: str) -> set[str]:
    """The kinds of token that can follow some tokens.

    They are read again: on its way to an error the automaton has already closed what
    the wrong token could not go on with.
    """
    begun = _automaton()
    names, state = begun.names, begun.reader.parse_interactive(start=goal)
    state.parser_state.parse_conf = copy(state.parser_state.parse_conf)
    state.parser_state.parse_conf.callbacks = {}  # no tree is wanted
    for token in tokens:
        token.type = names.get(token.kind, token.kind)
        state.feed_token(token)
    kinds = {name: kind for kind, name in names.items()}
    return {kinds.get(name, name) for name in state.accepts()}


# --- building the tree ------------------------------------------------------------------

T = TypeVar("T", bound=s.Tree)
Part = Any  # a Token or a node


def _span(parts: list[Part]) -> Span:
    """From the first of the parts to the last."""
    first, last = parts[0], parts[-1]
    if type(first) is Token and type(last) is Token:
        return Span(first.source, first.line, first.column, last.line, last.end_column)
    start = first.span
    if first is last:
        return start  # type: ignore[no-any-return]
    stop = last.span
    return Span(start.source, start.line, start.column, stop.end_line, stop.end_column)


def _nodes(parts: list[Part]) -> tuple[Any, ...]:
    """The parts that are nodes, without the punctuation."""
    return tuple([part for part in parts if type(part) is not Token])


def _regrouped(node: T, parts: list[Part]) -> T:
    """What stood in brackets, its span widened by them."""
    return replace(node, span=_span(parts))


class _Builder:
    """One method for every rule of the grammar: its parts, tokens included → a node."""

    # --- items

    def signature(self, parts: list[Part]) -> s.Signature:
        _, name, *family, _, type_tree = parts
        span = _span(parts[1:])
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
            name.text, brackets, tuple(parameters), body, where, span=_span(parts[1:])
        )

    def expression_item(self, parts: list[Part]) -> s.ExpressionItem:
        return s.ExpressionItem(parts[1], span=_span(parts[1:]))

    def size_item(self, parts: list[Part]) -> s.SizeItem:
        _, name, _, size = parts
        return s.SizeItem(name.text, size, span=_span(parts))

    def alias_item(self, parts: list[Part]) -> s.AliasItem:
        _, name, variables, _, type_tree = parts
        return s.AliasItem(name.text, variables, type_tree, span=_span(parts))

    def rep_item(self, parts: list[Part]) -> s.RepItem:
        _, name, _, carrier = parts
        return s.RepItem(name.text, carrier, span=_span(parts))

    def data_item(self, parts: list[Part]) -> s.DataItem:
        _, name, variables, _, *constructors = parts
        return s.DataItem(name.text, variables, _nodes(constructors), span=_span(parts))

    def import_item(self, parts: list[Part]) -> s.ImportItem:
        target = parts[1]
        is_file = target.kind == "STRING"
        text = target.text[1:-1] if is_file else target.text
        return s.ImportItem(text, is_file, span=_span(parts))

    def family(self, parts: list[Part]) -> tuple[str, ...]:
        return tuple([part.text for part in parts if part.kind == "NAME"])

    def variables(self, parts: list[Part]) -> tuple[str, ...]:
        return tuple([part.text for part in parts])

    def constructor(self, parts: list[Part]) -> s.Constructor:
        return s.Constructor(parts[0].text, tuple(parts[1:]), span=_span(parts))

    def where(self, parts: list[Part]) -> _Where:
        return _Where(_nodes(parts), _span(parts))

    def hole_declaration(self, parts: list[Part]) -> s.HoleDeclaration:
        type_tree = initialiser = None
        for mark, value in zip(parts[1::2], parts[2::2], strict=True):
            if mark.kind == ":":
                type_tree = value
            else:
                initialiser = value
        name = parts[0].text[1:]
        return s.HoleDeclaration(name, type_tree, initialiser, span=_span(parts))

    def function_binding(self, parts: list[Part]) -> s.Binding:
        name, *parameters, _, body = parts
        pattern = s.PatternName(name.text, span=name.span)
        return s.Binding(pattern, tuple(parameters), body, span=_span(parts))

    def pattern_binding(self, parts: list[Part]) -> s.Binding:
        pattern, _, body = parts
        return s.Binding(pattern, (), body, span=_span(parts))

    def local_signature(self, parts: list[Part]) -> s.LocalSignature:
        return s.LocalSignature(parts[0].text, parts[2], span=_span(parts))

    # --- expressions

    def expression(self, parts: list[Part]) -> s.Expression:
        return parts[0] if len(parts) == 1 else _group(parts)

    def lambda_function(self, parts: list[Part]) -> s.Lambda:
        _, *patterns, _, body = parts
        return s.Lambda(tuple(patterns), body, span=_span(parts))

    def let(self, parts: list[Part]) -> s.Let:
        return s.Let(_nodes(parts[:-1]), parts[-1], span=_span(parts))

    def conditional(self, parts: list[Part]) -> s.If:
        _, condition, _, then, _, otherwise = parts
        return s.If(condition, then, otherwise, span=_span(parts))

    def case(self, parts: list[Part]) -> s.Case:
        _, scrutinee, _, *alternatives = parts
        return s.Case(scrutinee, _nodes(alternatives), span=_span(parts))

    def cata(self, parts: list[Part]) -> s.Cata:
        return s.Cata(_nodes(parts), span=_span(parts))

    def alternative(self, parts: list[Part]) -> s.Alternative:
        return s.Alternative(parts[0], parts[2], span=_span(parts))

    def apply(self, parts: list[Part]) -> s.Expression:
        if len(parts) > MAXIMUM_CHAIN:
            raise Mistake(mistakes.too_long(parts[MAXIMUM_CHAIN].span, MAXIMUM_CHAIN))
        applied: s.Expression = parts[0]
        for argument in parts[1:]:
            applied = s.Apply(applied, argument, span=_span([applied, argument]))
        return applied

    def fresh(self, parts: list[Part]) -> s.Fresh:
        return s.Fresh(parts[1], span=_span(parts))

    def open(self, parts: list[Part]) -> s.Open:
        return s.Open(parts[1], span=_span(parts))

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
        return s.Bracket(parts[0].text, sizes, options, span=_span(parts))

    def option(self, parts: list[Part]) -> s.BracketOption:
        value = parts[2]
        if isinstance(value, s.SizeName):  # a word or a size: inference knows which
            value = value.name
        return s.BracketOption(parts[0].text, value, span=_span(parts))

    def tuple(self, parts: list[Part]) -> s.Tuple:
        return s.Tuple(_nodes(parts), span=_span(parts))

    def sequence(self, parts: list[Part]) -> s.Sequence:
        return s.Sequence(_nodes(parts), span=_span(parts))

    def grouped(self, parts: list[Part]) -> s.Expression:
        expression: s.Expression = _regrouped(parts[1], parts)
        return expression

    def ascription(self, parts: list[Part]) -> s.Ascription:
        return s.Ascription(parts[1], parts[3], span=_span(parts))

    def operator_function(self, parts: list[Part]) -> s.OperatorFunction:
        return s.OperatorFunction(parts[1].kind, span=_span(parts))

    def minus_function(self, parts: list[Part]) -> s.OperatorFunction:
        if len(parts) > 3:  # `(a + -)`
            raise Mistake(mistakes.sign_without_operand(parts[-2].span))
        return self.operator_function(parts)

    def left_section(self, parts: list[Part]) -> s.LeftSection:
        opening, *row, operator, closing = parts
        missing = s.Blank(span=operator.span)
        whole = _group([*row, operator, missing])
        if not isinstance(whole, s.Binary) or whole.right is not missing:
            raise Mistake(mistakes.section_too_wide(_span(row), operator.span, left=True))
        return s.LeftSection(whole.left, operator.kind, span=_span([opening, closing]))

    def right_section(self, parts: list[Part]) -> s.RightSection:
        opening, operator, *row, closing = parts
        missing = s.Blank(span=operator.span)
        whole = _group([missing, operator, *row])
        if not isinstance(whole, s.Binary) or whole.left is not missing:
            raise Mistake(mistakes.section_too_wide(_span(row), operator.span, left=False))
        return s.RightSection(operator.kind, whole.right, span=_span([opening, closing]))

    # --- patterns

    def pattern(self, parts: list[Part]) -> s.PatternTree:
        first = parts[0]
        if type(first) is not Token:
            pattern: s.PatternTree = first
            return pattern
        if first.kind == "-":
            return s.PatternNumber(-_real_value(parts[1]), span=_span(parts))
        return s.PatternConstructor(first.text, tuple(parts[1:]), span=_span(parts))

    def pattern_name(self, parts: list[Part]) -> s.PatternName:
        return s.PatternName(parts[0].text, span=parts[0].span)

    def pattern_constant(self, parts: list[Part]) -> s.PatternConstructor:
        return s.PatternConstructor(parts[0].text, (), span=parts[0].span)

    def pattern_number(self, parts: list[Part]) -> s.PatternNumber:
        return s.PatternNumber(_real_value(parts[0]), span=parts[0].span)

    def pattern_wildcard(self, parts: list[Part]) -> s.PatternWildcard:
        return s.PatternWildcard(span=parts[0].span)

    def pattern_tuple(self, parts: list[Part]) -> s.PatternTuple:
        return s.PatternTuple(_nodes(parts), span=_span(parts))

    def pattern_grouped(self, parts: list[Part]) -> s.PatternTree:
        pattern: s.PatternTree = _regrouped(parts[1], parts)
        return pattern

    # --- types

    def type(self, parts: list[Part]) -> s.TypeTree:
        if len(parts) == 1:
            type_tree: s.TypeTree = parts[0]
            return type_tree
        domain, arrow, codomain = parts
        return s.TypeArrow(arrow.kind, domain, codomain, span=_span(parts))

    def type_name(self, parts: list[Part]) -> s.TypeName:
        return s.TypeName(parts[0].text, span=parts[0].span)

    def type_apply(self, parts: list[Part]) -> s.TypeApply:
        return s.TypeApply(parts[0].text, tuple(parts[1:]), span=_span(parts))

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
                array = s.TypeArray(array, tuple(sizes), span=_span([parts[0], part]))
                sizes = []
        return array

    def type_sequence(self, parts: list[Part]) -> s.TypeSequence:
        return s.TypeSequence(parts[1], span=_span(parts))

    def type_product(self, parts: list[Part]) -> s.TypeProduct:
        return s.TypeProduct(_nodes(parts), span=_span(parts))

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
        return _group_sizes(parts)

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


# --- grouping rows by the table -----------------------------------------------------------


def _group(row: list[Part]) -> s.Expression:
    """A row of operands and operators as a tree, by FIXITIES.

    Two stacks and no recursion: a row may be thousands of operands long.
    """
    operands: list[Any] = []
    waiting: list[tuple[float, Token, bool]] = []  # precedence, operator, is it a sign

    def reduce_one() -> None:
        _, operator, sign = waiting.pop()
        right = operands.pop()
        if sign:
            operands.append(s.Negate(right, span=_span([operator, right])))
        else:
            left = operands.pop()
            operands.append(s.Binary(operator.kind, left, right, span=_span([left, right])))

    expecting_operand = True
    for part in row:
        if type(part) is not Token:
            operands.append(part)
            expecting_operand = False
            continue
        if expecting_operand:
            waiting.append((NEGATION, part, True))
        else:
            fixity = FIXITIES[part.kind]
            while waiting and _first_binds(waiting[-1], part, fixity, operands):
                reduce_one()
            waiting.append((fixity.precedence, part, False))
            expecting_operand = True
        if len(waiting) > MAXIMUM_CHAIN:
            raise Mistake(mistakes.too_long(part.span, MAXIMUM_CHAIN))
    while waiting:
        reduce_one()
    expression: s.Expression = operands[0]
    return expression


def _first_binds(
    first: tuple[float, Token, bool], second: Token, fixity: Fixity, operands: list[Any]
) -> bool:
    """Whether an operator takes the last operand, which stands between it and a second."""
    precedence, operator, _ = first
    if precedence != fixity.precedence:
        return precedence > fixity.precedence
    if fixity.associativity == "none":
        left, between = operands[-2:]
        raise Mistake(mistakes.chained_comparison(operator, second, left.span, between.span))
    if operator.kind != second.kind and {operator.kind, second.kind} == {">>", "<<"}:
        raise Mistake(mistakes.mixed_composition(operator, second))
    return fixity.associativity == "left"


def _group_sizes(row: list[Part]) -> s.SizeTree:
    """The same for sizes: `*` and `/` before `+` and `-`, all to the left."""
    total: s.SizeTree | None = None
    pending: Token | None = None  # the + or - before the product being read
    product: s.SizeTree = row[0]
    for operator, atom in zip(row[1::2], row[2::2], strict=True):
        if operator.kind in "*/":
            product = s.SizeBinary(operator.kind, product, atom, span=_span([product, atom]))
            continue
        total = _add_size(total, pending, product)
        pending, product = operator, atom
    return _add_size(total, pending, product)


def _add_size(total: s.SizeTree | None, operator: Token | None, term: s.SizeTree) -> s.SizeTree:
    if total is None or operator is None:
        return term
    return s.SizeBinary(operator.kind, total, term, span=_span([total, term]))
