"""The tree: what the parser makes of a text, before anything is known of types.

Frozen dataclasses, one for every form of the language. `span` takes no part in
equality, so that `parse(print(tree)) == tree` can be said as it is meant.
Brackets for grouping leave no trace: the printer puts them where they are needed.

A sum of 3,000 terms is a tree 3,000 deep on its left. Everything else is at most a
few hundred deep (layout.MAXIMUM_DEPTH), so a pass may recurse if it takes a chain in
one go: `left_spine` gives a `Binary` as its first operand and what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields

from .source import Source, Span

NOWHERE = Span(Source("", "nowhere"), 1, 1, 1, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tree:
    """What every node has: a place, and equality and hash that do not recurse."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tree):
            return NotImplemented
        todo: list[tuple[object, object]] = [(self, other)]
        while todo:
            left, right = todo.pop()
            if left is right:
                continue
            if type(left) is not type(right):  # the numbers 1 and 1.0 differ
                return False
            if isinstance(left, Tree):
                names = _compared(type(left))
                todo += [(getattr(left, name), getattr(right, name)) for name in names]
            elif isinstance(left, tuple) and isinstance(right, tuple):
                if len(left) != len(right):
                    return False
                todo += zip(left, right, strict=True)
            elif left != right:
                return False
        return True

    def __hash__(self) -> int:
        leaves: list[object] = []
        todo: list[object] = [self]
        while todo:
            part = todo.pop()
            if isinstance(part, Tree):
                leaves.append(type(part))
                todo += [getattr(part, name) for name in _compared(type(part))]
            elif isinstance(part, tuple):
                leaves.append(len(part))
                todo += part
            else:
                leaves.append(part)
        return hash(tuple(leaves))


_COMPARED: dict[type[Tree], tuple[str, ...]] = {}


def _compared(node: type[Tree]) -> tuple[str, ...]:
    """The fields of a node that take part in equality."""
    if node not in _COMPARED:
        _COMPARED[node] = tuple(each.name for each in fields(node) if each.compare)
    return _COMPARED[node]


def children(tree: Tree) -> Iterator[Tree]:
    """The trees directly inside a tree, from left to right."""
    for name in _compared(type(tree)):
        part = getattr(tree, name)
        if isinstance(part, Tree):
            yield part
        elif isinstance(part, tuple):
            yield from (item for item in part if isinstance(item, Tree))


def walk(tree: Tree) -> Iterator[Tree]:
    """A tree and all trees in it, each before what is in it, from left to right."""
    todo = [tree]
    while todo:
        tree = todo.pop()
        yield tree
        todo += reversed(list(children(tree)))


def left_spine(chain: Binary) -> tuple[Expression, list[Binary]]:
    """A chain of operators from the left: its first operand, then each `Binary` whose
    left operand is all that came before it.

    >>> a, b, c = Name("a"), Name("b"), Name("c")
    >>> first, rest = left_spine(Binary("-", Binary("+", a, b), c))
    >>> first.name, [(binary.operator, binary.right.name) for binary in rest]
    ('a', [('+', 'b'), ('-', 'c')])
    """
    rest: list[Binary] = []
    first: Expression = chain
    while isinstance(first, Binary):
        rest.append(first)
        first = first.left
    rest.reverse()
    return first, rest


# --- sizes in types and brackets ------------------------------------------------


@dataclass(frozen=True, eq=False)
class SizeNumber(Tree):
    value: int


@dataclass(frozen=True, eq=False)
class SizeName(Tree):
    name: str


@dataclass(frozen=True, eq=False)
class SizeBinary(Tree):
    operator: str  # + - * /
    left: SizeTree
    right: SizeTree


@dataclass(frozen=True, eq=False)
class SizeWildcard(Tree):  # `_`: to be inferred
    pass


SizeTree = SizeNumber | SizeName | SizeBinary | SizeWildcard


# --- types --------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TypeName(Tree):
    """`R`, `C`, `Bool`, `Int`, a declared name, or (lower case) a type variable."""

    name: str


@dataclass(frozen=True, eq=False)
class TypeArray(Tree):
    """`t[n,m]`: `sizes` from the outermost axis inwards. `Fin[n]` is one too."""

    element: TypeTree
    sizes: tuple[SizeTree, ...]


@dataclass(frozen=True, eq=False)
class TypeSequence(Tree):  # [t]
    element: TypeTree


@dataclass(frozen=True, eq=False)
class TypeProduct(Tree):  # (t, …), and () when empty
    items: tuple[TypeTree, ...]


@dataclass(frozen=True, eq=False)
class TypeApply(Tree):
    """`Tree R[3]`, `Tangent (Tree R)`, and `Weights f` with the name f as a TypeName."""

    name: str
    arguments: tuple[TypeTree, ...]


@dataclass(frozen=True, eq=False)
class TypeArrow(Tree):
    arrow: str  # "->", "~>" or "-o"
    domain: TypeTree
    codomain: TypeTree


TypeTree = TypeName | TypeArray | TypeSequence | TypeProduct | TypeApply | TypeArrow


# --- patterns ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PatternName(Tree):
    name: str


@dataclass(frozen=True, eq=False)
class PatternWildcard(Tree):
    pass


@dataclass(frozen=True, eq=False)
class PatternNumber(Tree):
    value: float | int


@dataclass(frozen=True, eq=False)
class PatternTuple(Tree):  # () when empty
    items: tuple[PatternTree, ...]


@dataclass(frozen=True, eq=False)
class PatternConstructor(Tree):
    """A constructor of a `data` type, or a representation left: `Thought t`."""

    name: str
    arguments: tuple[PatternTree, ...]


PatternTree = PatternName | PatternWildcard | PatternNumber | PatternTuple | PatternConstructor


# --- expressions ----------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Name(Tree):
    """A variable, or (capital first letter) a constructor or representation."""

    name: str


@dataclass(frozen=True, eq=False)
class Number(Tree):
    value: float | int | complex  # `1` is an int, `1.0` and `1e3` are floats, `2i` is complex
    text: str = field(compare=False, default="")


@dataclass(frozen=True, eq=False)
class Hole(Tree):  # ?w
    name: str


@dataclass(frozen=True, eq=False)
class Blank(Tree):  # `_` in an expression: "what would fit here?"
    pass


@dataclass(frozen=True, eq=False)
class Path(Tree):
    """`cell.W`, `step.dense.W`: a weight's present value."""

    parts: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class BracketOption(Tree):
    """`stride=2`, `pad=same`: a lone name is a `str`, whether it is a word or a size
    is for whoever knows the option to say; anything else is a size tree."""

    name: str
    value: SizeTree | str


@dataclass(frozen=True, eq=False)
class Bracket(Tree):
    """`dense[32]`, `window[3, stride=2]`, `scaleShift[]`: sizes touch the name."""

    name: str
    sizes: tuple[SizeTree, ...]
    options: tuple[BracketOption, ...] = ()


@dataclass(frozen=True, eq=False)
class Apply(Tree):
    function: Expression
    argument: Expression


@dataclass(frozen=True, eq=False)
class Lambda(Tree):
    parameters: tuple[PatternTree, ...]
    body: Expression


@dataclass(frozen=True, eq=False)
class Let(Tree):
    bindings: tuple[Binding | LocalSignature, ...]
    body: Expression


@dataclass(frozen=True, eq=False)
class If(Tree):
    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, eq=False)
class Alternative(Tree):
    pattern: PatternTree
    body: Expression


@dataclass(frozen=True, eq=False)
class Case(Tree):
    scrutinee: Expression
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, eq=False)
class Cata(Tree):
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, eq=False)
class Tuple(Tree):  # () when empty; never of one item
    items: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Sequence(Tree):  # [e1, e2, e3]
    items: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Binary(Tree):
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, eq=False)
class Negate(Tree):
    operand: Expression


@dataclass(frozen=True, eq=False)
class OperatorFunction(Tree):  # (+): a function of a pair
    operator: str


@dataclass(frozen=True, eq=False)
class LeftSection(Tree):  # (2 *): the left operand is given
    operand: Expression
    operator: str


@dataclass(frozen=True, eq=False)
class RightSection(Tree):  # (+ 1): the right operand is given
    operator: str
    operand: Expression


@dataclass(frozen=True, eq=False)
class Ascription(Tree):  # (e : type)
    expression: Expression
    type: TypeTree


@dataclass(frozen=True, eq=False)
class Fresh(Tree):
    expression: Expression


@dataclass(frozen=True, eq=False)
class Open(Tree):
    expression: Expression


Expression = (
    Name | Number | Hole | Blank | Path | Bracket | Apply | Lambda | Let | If | Case | Cata
    | Tuple | Sequence | Binary | Negate | OperatorFunction | LeftSection | RightSection
    | Ascription | Fresh | Open
)  # fmt: skip


# --- what `let` and `where` hold ---------------------------------------------------


@dataclass(frozen=True, eq=False)
class Binding(Tree):
    """`f x y = e` (a name with parameters) or `(a, b) = e` (any pattern, none)."""

    pattern: PatternTree
    parameters: tuple[PatternTree, ...]
    body: Expression


@dataclass(frozen=True, eq=False)
class LocalSignature(Tree):  # `h : R[3]` beside a local binding
    name: str
    type: TypeTree


@dataclass(frozen=True, eq=False)
class HoleDeclaration(Tree):
    """`?W : R[m,n] ~ glorot`, `?g ~ ones`, `?b : R[3]`; only in `where`."""

    name: str
    type: TypeTree | None
    initialiser: Expression | None  # Name("glorot"), Apply(Name("normal"), Number(0.1))


# --- items -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Signature(Tree):
    name: str
    brackets: tuple[str, ...] | None  # None: not a family; (): `scaleShift[]`
    type: TypeTree


@dataclass(frozen=True, eq=False)
class Definition(Tree):
    name: str
    brackets: tuple[str, ...] | None
    parameters: tuple[PatternTree, ...]
    body: Expression
    where: tuple[Binding | LocalSignature | HoleDeclaration, ...] = ()
    comment: str = field(default="", compare=False)  # the `--` lines just above: its documentation


@dataclass(frozen=True, eq=False)
class SizeItem(Tree):
    name: str
    value: SizeTree


@dataclass(frozen=True, eq=False)
class AliasItem(Tree):
    name: str
    parameters: tuple[str, ...]
    type: TypeTree


@dataclass(frozen=True, eq=False)
class RepItem(Tree):
    name: str
    carrier: TypeTree


@dataclass(frozen=True, eq=False)
class Constructor(Tree):
    name: str
    fields: tuple[TypeTree, ...]


@dataclass(frozen=True, eq=False)
class DataItem(Tree):
    name: str
    parameters: tuple[str, ...]
    constructors: tuple[Constructor, ...]


@dataclass(frozen=True, eq=False)
class ImportItem(Tree):
    target: str  # "file.nnfp", or "std.recurrent" for `import std.recurrent`
    is_file: bool


@dataclass(frozen=True, eq=False)
class ExpressionItem(Tree):
    expression: Expression


@dataclass(frozen=True, eq=False)
class MagicItem(Tree):  # a line `%nnfp …` in its place, whole
    text: str


Item = (
    Signature | Definition | SizeItem | AliasItem | RepItem | DataItem | ImportItem
    | ExpressionItem | MagicItem
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Program(Tree):
    """One cell or file: its items in the order they are written."""

    items: tuple[Item, ...]
