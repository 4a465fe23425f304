"""The printer: tree → text, the inverse of the parser.

`parse(show(tree))` is `tree` again. Brackets stand only where the tree needs them;
what does not fit in a line is broken so that the layout rule still holds: nothing but
an item starts in column 0, and a binding's lines stand deeper than its first word.

A tree becomes a document (text with places where it may be broken), and a document
becomes lines. Chains of operators are taken in one go, so a sum may be thousands of
terms long.

>>> from .parser import parse_expression
>>> show(parse_expression("((a) * (W @ (x)))"))
'a * W @ x'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from . import syntax as s
from .fixity import FIXITIES, NEGATION, Fixity
from .layout import UNICODE

WIDTH = 88


def show(tree: s.Tree, *, unicode: bool = False, width: int = WIDTH) -> str:
    """The text of a program, an item, an expression, a pattern, a type or a size.

    With `unicode`, λ → ⊸ ∘ in place of `\\`, `->`, `-o`, `<<`. Raises ValueError for a
    tree that no text means, such as a number that is not finite.

    >>> from .parser import parse
    >>> print(show(parse("f = \\\\x->if x>0 then g x else h x").program, width=24))
    f =
      \\x ->
        if x > 0
          then g x
          else h x
    """
    glyphs = _UNICODE_GLYPHS if unicode else {}
    return _lay_out(_Writer(glyphs).anything(tree), width)


_UNICODE_GLYPHS = {ascii: unicode for unicode, ascii in UNICODE.items()}


# --- documents --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """A place to break; in a line that is not broken, `flat` stands there instead."""

    flat: str | None = " "  # None: always broken


@dataclass(frozen=True, slots=True)
class _Nest:
    """Lines inside start `columns` further right; with `align`, further right than the
    column where the document itself starts."""

    document: _Document
    columns: int = 0
    align: bool = False


@dataclass(frozen=True, slots=True)
class _Group:
    """Broken at all of its own places or at none."""

    document: _Document


_Document = str | _Line | _Nest | _Group | list["_Document"]

_LINE = _Line()
_NEXT = _Line("; ")  # between bindings: on one line a `;`, else a new line
_HARD = _Line(None)


def _lay_out(document: _Document, width: int) -> str:
    """A document as lines, each group on one line if it fits."""
    out: list[str] = []
    column = 0
    todo: list[tuple[int, bool, _Document]] = [(0, False, document)]
    while todo:
        indent, flat, part = todo.pop()
        match part:
            case str():
                out.append(part)
                column += len(part)
            case _Line(flat=None):
                out.append("\n" + " " * indent)
                column = indent
            case _Line(flat=str() as text):
                if flat:
                    out.append(text)
                    column += len(text)
                else:
                    out.append("\n" + " " * indent)
                    column = indent
            case _Nest(document=inner, columns=columns, align=align):
                todo.append(((column if align else indent) + columns, flat, inner))
            case _Group(document=inner):
                flat = flat or _fits(width - column, inner, todo)
                todo.append((indent, flat, inner))
            case list():
                todo += [(indent, flat, item) for item in reversed(part)]
            case _:
                raise AssertionError(f"no layout for {part!r}")
    lines = [line.rstrip() for line in "".join(out).split("\n")]
    return "\n".join(lines)


def _fits(room: int, document: _Document, rest: list[tuple[int, bool, _Document]]) -> bool:
    """Whether a group and what follows it up to the next break fit in `room` columns."""
    todo: list[tuple[bool, _Document]] = [(True, document)]
    behind = len(rest)
    while room >= 0:
        if not todo:
            if not behind:
                return True
            behind -= 1
            _, flat, part = rest[behind]
        else:
            flat, part = todo.pop()
        match part:
            case str():
                room -= len(part)
            case _Line(flat=None):
                return not flat
            case _Line(flat=str() as text):
                if not flat:
                    return True
                room -= len(text)
            case _Nest(document=inner) | _Group(document=inner):
                todo.append((flat, inner))
            case list():
                todo += [(flat, item) for item in reversed(part)]
            case _:
                raise AssertionError(f"no layout for {part!r}")
    return False


def _join(separator: Sequence[_Document], documents: Iterable[_Document]) -> list[_Document]:
    joined: list[_Document] = []
    for document in documents:
        if joined:
            joined += separator
        joined.append(document)
    return joined


def _spaced(documents: Sequence[_Document]) -> _Document:
    """`Node l r`, broken before every word but the first when it is too long."""
    rest: list[_Document] = [[_LINE, document] for document in documents[1:]]
    return _Group([documents[0], _Nest(rest, 2)])


def _enclosed(opening: str, documents: Iterable[_Document], closing: str) -> _Document:
    """`(a, b)`, broken after every comma when it is too long."""
    inside = _join([",", _LINE], documents)
    return _Group([opening, _Nest(inside, align=True), closing])


# --- from trees to documents -----------------------------------------------------------

# What may stand where. An operand of an operator may be followed by another operator
# that would take part of it; `follows` is how tightly that one binds, None when a
# bracket or the end follows and so anything may reach to the right.
_Follows = float | None

# Operators whose chains are broken before each of them or before none.
_STEPS = frozenset(("|>", ">>", "<<", "&&&", "***", "||", "&&"))


class _Writer:
    """Trees → documents, with the glyphs asked for."""

    def __init__(self, glyphs: dict[str, str]) -> None:
        self.glyph: Callable[[str], str] = lambda text: glyphs.get(text, text)

    def anything(self, tree: s.Tree) -> _Document:
        match tree:
            case s.Program():
                return self.program(tree)
            case (
                s.Signature()
                | s.Definition()
                | s.SizeItem()
                | s.AliasItem()
                | s.RepItem()
                | s.DataItem()
                | s.ImportItem()
                | s.ExpressionItem()
                | s.MagicItem()
            ):
                return self.item(tree)
            case s.Binding() | s.LocalSignature() | s.HoleDeclaration():
                return self.entry(tree)
            case s.Alternative():
                return self.alternative(tree)
            case s.Constructor():
                return self.constructor(tree)
            case s.BracketOption():
                return self.option(tree)
            case (
                s.TypeName()
                | s.TypeArray()
                | s.TypeSequence()
                | s.TypeProduct()
                | s.TypeApply()
                | s.TypeArrow()
            ):
                return self.type(tree)
            case (
                s.PatternName()
                | s.PatternWildcard()
                | s.PatternNumber()
                | s.PatternTuple()
                | s.PatternConstructor()
            ):
                return self.pattern(tree)
            case s.SizeNumber() | s.SizeName() | s.SizeBinary() | s.SizeWildcard():
                return self.size(tree)
            case _:
                return self.expression(tree)  # type: ignore[arg-type]

    # --- items

    def program(self, program: s.Program) -> _Document:
        """Items line by line; a signature stands on its definition, and below the
        comment of it. What has a comment or more than a line is set apart."""
        document: list[_Document] = []
        items = program.items
        paragraph = False  # whether the item before belongs to one
        for index, item in enumerate(items):
            following = items[index + 1] if index + 1 < len(items) else None
            before = items[index - 1] if index else None
            comment = ""
            if isinstance(item, s.Definition) and not _belongs(before, item):
                comment = item.comment
            if isinstance(following, s.Definition) and _belongs(item, following):
                comment = following.comment
            if before is not None:
                within = _belongs(before, item)
                apart = comment or (not within and (_heads(item) or paragraph))
                document += [_HARD, _HARD] if apart else [_HARD]
            if isinstance(item, s.Definition):
                item = replace(item, comment="")
            paragraph = _heads(item) or _belongs(before, item)
            document += [_comment(comment), self.item(item)]
        return document

    def item(self, item: s.Item) -> _Document:
        match item:
            case s.Signature(name=name, brackets=brackets, type=type_tree):
                return self.declared(_family(name, brackets), type_tree)
            case s.Definition():
                return self.definition(item)
            case s.SizeItem(name=name, value=value):
                return [f"size {name} = ", self.size(value)]
            case s.AliasItem(name=name, parameters=parameters, type=type_tree):
                return self.defined(["type", name, *parameters], self.type(type_tree))
            case s.RepItem(name=name, carrier=carrier):
                return self.defined(["rep", name], self.type(carrier))
            case s.DataItem(name=name, parameters=parameters, constructors=constructors):
                cases = _join([_LINE, "| "], map(self.constructor, constructors))
                return self.defined(["data", name, *parameters], _Group(cases))
            case s.ImportItem(target=target, is_file=is_file):
                return f'import "{target}"' if is_file else f"import {target}"
            case s.ExpressionItem(expression=s.Let() as let):
                return self.let(let, 2)  # column 0 is for items, not for `in`
            case s.ExpressionItem(expression=expression):
                return _Nest(self.expression(expression), 2)
            case s.MagicItem(text=text):
                return text
            case _:
                raise AssertionError(f"no text for {item!r}")

    def definition(self, definition: s.Definition) -> _Document:
        parameters = [self.plain_pattern(p) for p in definition.parameters]
        head = [_family(definition.name, definition.brackets), *parameters]
        document: list[_Document] = [_comment(definition.comment)]
        document.append(self.defined(head, self.expression(definition.body)))
        if definition.where:
            entries = _join([_HARD], map(self.entry, definition.where))
            document.append(_Nest([_HARD, "where", _Nest([_HARD, *entries], 2)], 2))
        return document

    def defined(self, head: Sequence[_Document], body: _Document) -> _Document:
        """`f x y = body`, the body deeper on a line of its own when it is too long."""
        return _Group([_spaced(head), " =", _Nest([_LINE, body], 2)])

    def declared(self, name: str, type_tree: s.TypeTree) -> _Document:
        return _Group([name, " :", _Nest([_LINE, self.type(type_tree)], 2)])

    def constructor(self, constructor: s.Constructor) -> _Document:
        return _spaced([constructor.name, *map(self.plain_type, constructor.fields)])

    def entry(self, entry: s.Binding | s.LocalSignature | s.HoleDeclaration) -> _Document:
        """A line of a `let` or `where`; its own lines stand deeper than its start."""
        document: _Document
        match entry:
            case s.Binding(pattern=pattern, parameters=parameters, body=body):
                head = [self.bound(pattern), *map(self.plain_pattern, parameters)]
                document = self.defined(head, self.expression(body))
            case s.LocalSignature(name=name, type=type_tree):
                document = self.declared(name, type_tree)
            case s.HoleDeclaration(name=name, type=type_tree, initialiser=initialiser):
                document = f"?{name}"
                if type_tree is not None:
                    document = self.declared(f"?{name}", type_tree)
                if initialiser is not None:
                    document = [document, " ~ ", _Nest(self.call(initialiser), 2)]
            case _:
                raise AssertionError(f"no text for {entry!r}")
        return _Nest(document, align=True)

    # --- expressions

    def expression(self, expression: s.Expression, follows: _Follows = None) -> _Document:
        """An expression where a row of operators may stand, with `follows` behind it."""
        match expression:
            case s.Binary():
                return self.chain(expression, follows)
            case s.Negate(operand=operand):
                weaker = _binding(operand) < NEGATION
                sign = "- " if isinstance(operand, s.Negate) else "-"  # `--` is a comment
                return [sign, self.operand(operand, weaker, follows)]
            case s.Lambda(parameters=parameters, body=body):
                head = [self.glyph("\\"), _spaced(list(map(self.plain_pattern, parameters)))]
                head.append(" " + self.glyph("->"))
                return _Group([*head, _Nest([_LINE, self.expression(body)], 2)])
            case s.Let():
                return self.let(expression)
            case s.If(condition=condition, then=then, otherwise=otherwise):
                parts: list[_Document] = ["if ", _Nest(self.expression(condition), 2)]
                parts += [_LINE, "then ", _Nest(self.expression(then), 2)]
                parts += [_LINE, "else ", _Nest(self.expression(otherwise), 2)]
                return _Group(_Nest(parts, 2, align=True))
            case s.Case(scrutinee=scrutinee, alternatives=alternatives):
                head = ["case ", _Nest(self.expression(scrutinee), 2), " of "]
                return _Nest([*head, self.alternatives(alternatives)], align=True)
            case _:
                return self.call(expression)

    def let(self, let: s.Let, indent: int = 0) -> _Document:
        entries = _join([_NEXT], map(self.entry, let.bindings))
        body = _Nest([_LINE, "in ", _Nest(self.expression(let.body), 2)], indent)
        return _Group(_Nest(["let ", _Nest(entries, align=True), body], align=True))

    def operand(self, operand: s.Expression, weaker: bool, follows: _Follows) -> _Document:
        """An operand, in brackets if it binds weaker than the operator it belongs to or
        would take what follows it."""
        match operand:
            case s.Lambda() | s.Let() | s.If():
                bracketed = follows is not None
            case s.Negate():
                bracketed = follows is not None and follows > NEGATION
            case _:
                bracketed = weaker
        if bracketed:
            return _Group(["(", _Nest(self.expression(operand), align=True), ")"])
        return self.expression(operand, follows)

    def chain(self, chain: s.Binary, follows: _Follows) -> _Document:
        """A chain of operators that bind alike, taken in one go."""
        fixity = FIXITIES[chain.operator]
        operands: list[s.Expression] = []
        operators: list[str] = []
        rest: s.Expression = chain
        if fixity.associativity == "right":
            while isinstance(rest, s.Binary) and FIXITIES[rest.operator] == fixity:
                operands.append(rest.left)
                operators.append(rest.operator)
                rest = rest.right
            operands.append(rest)
        else:
            # The first Binary always; more only if the chain goes on to the left.
            above = chain.operator
            while isinstance(rest, s.Binary) and (
                rest is chain or _goes_on(rest.operator, above, fixity)
            ):
                operands.append(rest.right)
                operators.append(rest.operator)
                above, rest = rest.operator, rest.left
            operands.append(rest)
            operands.reverse()
            operators.reverse()
        documents: list[_Document] = []
        for index, operand in enumerate(operands):
            last = index == len(operators)
            behind = follows if last else fixity.precedence
            weaker = _binding(operand) <= fixity.precedence
            document = self.operand(operand, weaker, behind)
            documents.append(_Nest(document, 2) if index else document)
        steps = chain.operator in _STEPS
        parts = [documents[0]]
        for operator, document in zip(operators, documents[1:], strict=True):
            step: list[_Document] = [_LINE, self.glyph(operator), " ", document]
            parts.append(step if steps else _Group(step))
        return _Group(parts)

    def call(self, expression: s.Expression) -> _Document:
        """An application, with what stands for a function in front."""
        arguments: list[s.Expression] = []
        while isinstance(expression, s.Apply):
            arguments.append(expression.argument)
            expression = expression.function
        match expression:
            case s.Fresh(expression=copied):
                head: _Document = ["fresh ", self.atom(copied)]
            case s.Open(expression=opened):
                head = ["open ", self.atom(opened)]
            case _:
                head = self.atom(expression)
        if not arguments:
            return head
        steps: list[_Document] = [[_LINE, self.atom(a)] for a in reversed(arguments)]
        return _Group([head, _Nest(steps, 2)])

    def atom(self, expression: s.Expression) -> _Document:
        """An expression where an argument may stand: whatever is longer, in brackets."""
        match expression:
            case s.Name(name=name):
                return name
            case s.Number(value=value, text=text):
                return _number(value, text)
            case s.Hole(name=name):
                return "?" + name
            case s.Blank():
                return "_"
            case s.Path(parts=parts):
                return ".".join(parts)
            case s.Bracket(name=name, sizes=sizes, options=options):
                inside = [*map(self.size, sizes), *map(self.option, options)]
                comma = ", " if options else ","
                return [name, "[", *_join([comma], inside), "]"]
            case s.Tuple(items=items):
                return _enclosed("(", map(self.expression, items), ")")
            case s.Sequence(items=items):
                return _enclosed("[", map(self.expression, items), "]")
            case s.Cata(alternatives=alternatives):
                return _Nest(["cata ", self.alternatives(alternatives)], align=True)
            case s.OperatorFunction(operator=operator):
                return f"({self.glyph(operator)})"
            case s.LeftSection(operand=operand, operator=operator):
                fixity = FIXITIES[operator]
                inner = self.operand(operand, _left_is_weaker(operand, operator), fixity.precedence)
                return _Group(["(", _Nest(inner, align=True), f" {self.glyph(operator)})"])
            case s.RightSection(operator="-"):
                raise ValueError("(- e) is a negation: `-` has no section on its right")
            case s.RightSection(operator=operator, operand=operand):
                fixity = FIXITIES[operator]
                alike = _binding(operand) == fixity.precedence
                weaker = _binding(operand) < fixity.precedence
                weaker = weaker or (alike and fixity.associativity != "right")
                inner = self.operand(operand, weaker, None)
                return _Group([f"({self.glyph(operator)} ", _Nest(inner, align=True), ")"])
            case s.Ascription(expression=inside, type=type_tree):
                ascribed: list[_Document] = [
                    self.expression(inside),
                    _LINE,
                    ": ",
                    self.type(type_tree),
                ]
                return _Group(["(", _Nest(ascribed, align=True), ")"])
            case (
                s.Apply()
                | s.Lambda()
                | s.Let()
                | s.If()
                | s.Case()
                | s.Binary()
                | s.Negate()
                | s.Fresh()
                | s.Open()
            ):
                return _Group(["(", _Nest(self.expression(expression), align=True), ")"])
            case _:
                raise AssertionError(f"no text for {expression!r}")

    def alternatives(self, alternatives: Sequence[s.Alternative]) -> _Document:
        """`{ Leaf x -> e ; Node l r -> e }`, each on a line of its own if too long."""
        inside = _join([" ;", _LINE], map(self.alternative, alternatives))
        return _Group(["{", _Nest([_LINE, *inside], 2), _LINE, "}"])

    def alternative(self, alternative: s.Alternative) -> _Document:
        head = [self.pattern(alternative.pattern), " " + self.glyph("->")]
        return _Group([*head, _Nest([_LINE, self.expression(alternative.body)], 2)])

    def option(self, option: s.BracketOption) -> _Document:
        value = option.value
        return [option.name, "=", value if isinstance(value, str) else self.size(value)]

    # --- patterns

    def pattern(self, pattern: s.PatternTree) -> _Document:
        match pattern:
            case s.PatternConstructor(name=name, arguments=arguments):
                return _spaced([name, *map(self.plain_pattern, arguments)])
            case s.PatternNumber(value=value) if _negative(value):
                return ["-", _number(-value, "")]
            case _:
                return self.plain_pattern(pattern)

    def plain_pattern(self, pattern: s.PatternTree) -> _Document:
        """A pattern where a parameter may stand."""
        match pattern:
            case s.PatternName(name=name):
                return name
            case s.PatternWildcard():
                return "_"
            case s.PatternNumber(value=value) if not _negative(value):
                return _number(value, "")
            case s.PatternTuple(items=items):
                return _enclosed("(", map(self.pattern, items), ")")
            case s.PatternConstructor(name=name, arguments=()):
                return name
            case s.PatternNumber() | s.PatternConstructor():
                return ["(", _Nest(self.pattern(pattern), align=True), ")"]
            case _:
                raise AssertionError(f"no text for {pattern!r}")

    def bound(self, pattern: s.PatternTree) -> _Document:
        """A pattern where a binding starts: a word there is the name that is bound."""
        match pattern:
            case s.PatternConstructor(arguments=(_, *_)):
                return self.pattern(pattern)
            case s.PatternConstructor() | s.PatternNumber():
                return ["(", _Nest(self.pattern(pattern), align=True), ")"]
            case _:
                return self.plain_pattern(pattern)

    # --- types and sizes

    def type(self, type_tree: s.TypeTree) -> _Document:
        steps: list[_Document] = []
        while isinstance(type_tree, s.TypeArrow):
            steps.append(self.applied_type(type_tree.domain))
            steps += [_LINE, self.glyph(type_tree.arrow), " "]
            type_tree = type_tree.codomain
            if isinstance(type_tree, s.TypeArrow) and type_tree.arrow == "-o":
                # A linear map that comes out is a value of its own: `a -> (a -o b)`.
                return _Group([*steps, self.plain_type(type_tree)])
        return _Group([*steps, self.applied_type(type_tree)])

    def applied_type(self, type_tree: s.TypeTree) -> _Document:
        match type_tree:
            case s.TypeApply(name=name, arguments=arguments):
                return _spaced([name, *map(self.plain_type, arguments)])
            case _:
                return self.plain_type(type_tree)

    def plain_type(self, type_tree: s.TypeTree) -> _Document:
        """A type where an argument may stand: whatever is longer, in brackets."""
        match type_tree:
            case s.TypeName(name=name):
                return name
            case s.TypeArray(element=element, sizes=sizes):
                inside = _join([","], map(self.size, sizes))
                return [self.plain_type(element), "[", *inside, "]"]
            case s.TypeSequence(element=element):
                return ["[", _Nest(self.type(element), align=True), "]"]
            case s.TypeProduct(items=items):
                return _enclosed("(", map(self.type, items), ")")
            case s.TypeApply() | s.TypeArrow():
                return ["(", _Nest(self.type(type_tree), align=True), ")"]
            case _:
                raise AssertionError(f"no text for {type_tree!r}")

    def size(self, size: s.SizeTree, above: int = 0) -> _Document:
        """A size, without blanks: `n*m-2`. `above` is 1 in a sum's right operand and in
        a product, 2 in a product's right operand."""
        match size:
            case s.SizeNumber(value=value):
                if value < 0:
                    raise ValueError(f"the size {value} is negative")
                return str(value)
            case s.SizeName(name=name):
                return name
            case s.SizeWildcard():
                return "_"
            case s.SizeBinary(operator=operator, left=left, right=right):
                level = 0 if operator in "+-" else 1
                inside: list[_Document] = [self.size(left, level), operator]
                inside.append(self.size(right, level + 1))
                return inside if level >= above else ["(", *inside, ")"]
            case _:
                raise AssertionError(f"no text for {size!r}")


# --- what the writer asks ----------------------------------------------------------------


def _binding(expression: s.Expression) -> float:
    """How tightly an expression holds together as an operand."""
    match expression:
        case s.Binary(operator=operator):
            return FIXITIES[operator].precedence
        case s.Negate():
            return NEGATION
        case _:
            return math.inf


def _goes_on(left: str, right: str, fixity: Fixity) -> bool:
    """Whether `a left b right c` reads `(a left b) right c`."""
    alike = FIXITIES[left] == fixity and fixity.associativity == "left"
    return alike and (left == right or {left, right} != {">>", "<<"})


def _left_is_weaker(operand: s.Expression, operator: str) -> bool:
    """Whether the left operand of an operator needs brackets."""
    fixity = FIXITIES[operator]
    if isinstance(operand, s.Binary) and _goes_on(operand.operator, operator, fixity):
        return False
    return _binding(operand) <= fixity.precedence


def _number(value: float | complex, text: str) -> str:
    """A number as it was written, if that is still its text."""
    if isinstance(value, complex):
        if value.real:
            raise ValueError(f"no literal is {value}: it is a sum")
        part = int(value.imag) if value.imag.is_integer() else value.imag
        imaginary = _number(part, text.removesuffix("i"))
        return f"{imaginary[:-1]}i)" if imaginary.endswith(")") else f"{imaginary}i"
    if not math.isfinite(value):
        raise ValueError(f"no text means the number {value}")
    if _negative(value):
        return f"(-{_number(-value, '')})"
    if text:
        try:
            same = int(text) if isinstance(value, int) else float(text)
        except ValueError:
            same = None
        if same == value and type(same) is type(value) and text[0].isdigit():
            return text
    return repr(value)


def _negative(value: float | int) -> bool:
    return math.copysign(1.0, value) < 0


def _family(name: str, brackets: tuple[str, ...] | None) -> str:
    return name if brackets is None else f"{name}[{', '.join(brackets)}]"


def _comment(comment: str) -> _Document:
    """Documentation as comment lines, each with its end of line."""
    lines = comment.split("\n") if comment else []
    document: list[_Document] = []
    for line in lines:
        document += [f"-- {line}".rstrip(), _HARD]
    return document


def _belongs(signature: s.Item | None, definition: s.Item) -> bool:
    """Whether a signature and the item below it speak of one name."""
    return (
        isinstance(signature, s.Signature)
        and isinstance(definition, s.Definition)
        and signature.name == definition.name
    )


def _heads(item: s.Item) -> bool:
    """Whether an item opens a paragraph: it has a signature or a `where`."""
    return isinstance(item, s.Signature) or (isinstance(item, s.Definition) and bool(item.where))
