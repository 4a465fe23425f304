"""The typed program: what inference hands to the tracer.

A small explicit core. Every node has its type; every use of a definition says
with which types and sizes it is used; every family occurrence knows its label in
weight paths. Operators, `where`, sections and sugar are gone:

    surface                      here
    a + b                        Apply(Apply(Builtin("+"), a), b)
    f >> g                       Apply(Apply(Builtin(">>"), f), g)
    (+ 1), (2 *), (+)            Lambda over the same
    e where …, let               Let, bindings sorted by use
    let f x = …                  Let binding PatternName f to a Lambda
    \\(a, b) c -> e               Lambda(PatternTuple …, Lambda(c, e))

Variables in types are those of the enclosing definition's scheme; the tracer has
concrete values for them. A size still `open` after inference is shown as `_n`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields

from .diagnostics import Diagnostic
from .sizes import Size, SizeVariable
from .source import Span
from .syntax import NOWHERE
from .types import Scheme, Type, TypeVariable


@dataclass(frozen=True, kw_only=True)
class Node:
    span: Span = field(default=NOWHERE, compare=False, repr=False)


# --- patterns: as in the syntax, each with the type of what it matches -------------


@dataclass(frozen=True)
class BindName(Node):
    name: str
    type: Type


@dataclass(frozen=True)
class BindNothing(Node):  # `_`
    type: Type


@dataclass(frozen=True)
class MatchNumber(Node):
    value: float | int
    type: Type


@dataclass(frozen=True)
class MatchTuple(Node):
    items: tuple[Pattern, ...]
    type: Type


@dataclass(frozen=True)
class MatchConstructor(Node):  # a constructor of `data`
    name: str
    arguments: tuple[Pattern, ...]
    type: Type


@dataclass(frozen=True)
class LeaveRep(Node):  # `Thought t`
    name: str
    argument: Pattern
    type: Type


Pattern = BindName | BindNothing | MatchNumber | MatchTuple | MatchConstructor | LeaveRep


# --- expressions --------------------------------------------------------------------


@dataclass(frozen=True)
class Local(Node):
    name: str
    type: Type


@dataclass(frozen=True)
class Instance:
    """With which types and sizes a scheme's variables are used here."""

    types: Mapping[TypeVariable, Type] = field(default_factory=dict)
    sizes: Mapping[SizeVariable, Size] = field(default_factory=dict)


@dataclass(frozen=True)
class Global(Node):
    """A use of a top-level definition. `label` is None for a definition (naming is
    sharing) and the path component for a family occurrence: `dense`, `dense_2`."""

    name: str
    type: Type
    instance: Instance
    label: str | None = None


@dataclass(frozen=True)
class Builtin(Node):
    """A use of a primitive or combinator: `map`, `+`, `window[3, stride=2]`, `zero`.

    `type` is the full type of this occurrence, `brackets` its size arguments in
    order (inferred ones filled in), `options` the named ones: ints are Sizes.
    """

    name: str
    type: Type
    brackets: tuple[Size, ...] = ()
    options: Mapping[str, Size | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Literal(Node):  # its type says whether R, Int, Fin or C
    value: float | int | complex
    type: Type


@dataclass(frozen=True)
class SizeValue(Node):  # a size used as a number
    size: Size
    type: Type


@dataclass(frozen=True)
class Hole(Node):  # ?w of the enclosing top-level definition
    name: str
    type: Type


@dataclass(frozen=True)
class Apply(Node):
    function: Expression
    argument: Expression
    type: Type


@dataclass(frozen=True)
class Lambda(Node):
    parameter: Pattern
    body: Expression
    type: Type


@dataclass(frozen=True)
class Let(Node):
    bindings: tuple[tuple[Pattern, Expression], ...]  # each after what it uses
    body: Expression
    type: Type


@dataclass(frozen=True)
class If(Node):
    condition: Expression
    then: Expression
    otherwise: Expression
    type: Type


@dataclass(frozen=True)
class Case(Node):  # exhaustive; first match wins
    scrutinee: Expression
    alternatives: tuple[tuple[Pattern, Expression], ...]
    type: Type


@dataclass(frozen=True)
class Cata(Node):
    """An algebra: each alternative's pattern has results in place of the children."""

    alternatives: tuple[tuple[MatchConstructor, Expression], ...]
    type: Type


@dataclass(frozen=True)
class MakeProduct(Node):
    items: tuple[Expression, ...]
    type: Type


@dataclass(frozen=True)
class MakeSequence(Node):
    items: tuple[Expression, ...]
    type: Type


@dataclass(frozen=True)
class Construct(Node):
    """A constructor of `data` or a representation (`Thought`) as a curried function."""

    name: str
    type: Type


@dataclass(frozen=True)
class Fresh(Node):
    """An independent copy. `label` is the path component (`cell` for `fresh cell`,
    `cell_2` for a second one there), None where weights stand directly there."""

    expression: Expression
    label: str | None
    type: Type


@dataclass(frozen=True)
class Stack(Node):
    """`stack[count] e`: count fresh copies in a row, each weight with one more axis."""

    count: Size
    expression: Expression
    label: str | None
    type: Type


@dataclass(frozen=True)
class Open(Node):  # (Weights name, A) -> B
    target: Global
    type: Type


@dataclass(frozen=True)
class WeightsOf(Node):  # `weights f`, the session's present value
    name: str
    type: Type


@dataclass(frozen=True)
class WeightValue(Node):  # `cell.W`, held constant
    path: tuple[str, ...]
    type: Type


@dataclass(frozen=True)
class External(Node):  # an array or number brought in from Python by name
    name: str
    type: Type


@dataclass(frozen=True)
class AsLinear(Node):
    """A matrix (`A @ ·`) or a function with a linear signature, used as a linear map."""

    expression: Expression
    type: Type


@dataclass(frozen=True)
class Measured(Node):
    """An expression whose type by itself is `found`, with lengths known only at run time,
    where its type says sizes: its lengths are looked at. `told` is the mistake if they differ."""

    expression: Expression
    found: Type
    type: Type
    told: Diagnostic = field(compare=False, repr=False)


Expression = (
    Local | Global | Builtin | Literal | SizeValue | Hole | Apply | Lambda | Let | If | Case
    | Cata | MakeProduct | MakeSequence | Construct | Fresh | Stack | Open | WeightsOf
    | WeightValue | External | AsLinear | Measured
)  # fmt: skip


# --- definitions -----------------------------------------------------------------------


@dataclass(frozen=True)
class Initialiser:
    """`glorot`, `normal 0.1`, `constant 3`: a name and its number, if it takes one."""

    name: str
    argument: float | None = None


@dataclass(frozen=True)
class HoleSpec(Node):
    """A hole of a definition: its type over the definition's variables."""

    name: str
    type: Type
    initialiser: Initialiser


@dataclass(frozen=True)
class Definition(Node):
    """A checked top-level definition. `brackets` is None unless it is a family; then
    its size variables, all among `scheme.sizes`, in the order of the brackets."""

    name: str
    scheme: Scheme
    brackets: tuple[SizeVariable, ...] | None
    holes: tuple[HoleSpec, ...]
    body: Expression
    learns: bool  # it reaches weights: its first arrow is shown as ~>
    draws: bool  # it reaches a random draw
    linear: bool = False  # declared with `-o`: to be checked linear once it is a graph
    comment: str = ""


@dataclass(frozen=True)
class RepDeclaration(Node):
    name: str
    carrier: Type


@dataclass(frozen=True)
class DataDeclaration(Node):
    name: str
    parameters: tuple[TypeVariable, ...]
    constructors: tuple[tuple[str, tuple[Type, ...]], ...]
    recursive: bool
    base_of: str = ""  # the recursive type of which this is the base functor


def nodes(tree: Expression | Pattern) -> Iterator[Node]:
    """All nodes of an expression or a pattern, in no order that matters."""
    stack: list[object] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Node):
            yield node
            stack.extend(getattr(node, item.name) for item in fields(node))
        elif isinstance(node, tuple):
            stack.extend(node)
