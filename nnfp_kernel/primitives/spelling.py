"""How each primitive of the graph is written in the language: graph → term.

A `Term` is an expression with the type of the array it stands for. The operators of the
language repeat an operand over missing leading axes; so a term may stand for an array by
one with fewer axes (`core`), and is written out (`replicate`) only where that does not do.

    contract   `w @ x`, `outer`, `dot`, under further axes by `map` and `zipWith`
    movement   `take`, `drop`, `reverse`, `transpose`, …, inside by `map`
    the rest   by the name it has in the language
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy

from ..graph.graph import ArrayType, Constant
from ..graph.primitive import Parameters
from ..language import syntax as s

Shape = tuple[int, ...]


class Unspeakable(Exception):
    """Something of a graph that the language has no words for."""


@dataclass(frozen=True)
class Term:
    """An expression that stands for an array of `type`: by itself, or, repeated over
    leading axes, by an array of shape `core`."""

    tree: s.Expression
    type: ArrayType
    core: Shape
    depth: int = 0
    heavy: bool = False  # worth doing once only
    below: int | None = None  # an Int known to be a Fin of this size
    untyped: bool = False  # a name whose type only its use tells: of a function's parameter

    @property
    def whole(self) -> bool:
        """Whether it stands for the array without being repeated."""
        return self.core == self.type.shape

    @property
    def atom(self) -> bool:
        return isinstance(self.tree, s.Name | s.Path | s.Number)


def term(tree: s.Expression, type: ArrayType, **more: Any) -> Term:
    """A term that stands for an array as it is."""
    return Term(tree, type, type.shape, **more)


@dataclass
class Names:
    """New names for a definition: none that is in use."""

    taken: set[str] = field(default_factory=set)

    def fresh(self, wanted: str) -> str:
        """`wanted`, or with a number after it.

        >>> names = Names({"x"})
        >>> names.fresh("x"), names.fresh("y"), names.fresh("x")
        ('x2', 'y', 'x3')
        """
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}{number}", number + 1
        self.taken.add(name)
        return name


# --- making expressions ------------------------------------------------------------------------


def apply(function: s.Expression | str, *arguments: s.Expression) -> s.Expression:
    """`f x y`."""
    tree = s.Name(function) if isinstance(function, str) else function
    for argument in arguments:
        tree = s.Apply(tree, argument)
    return tree


def sized(name: str, *sizes: int, **options: int) -> s.Expression:
    """`take[3]`, `window[3, stride=2]`."""
    given = tuple(s.BracketOption(option, s.SizeNumber(n)) for option, n in options.items())
    return s.Bracket(name, tuple(map(s.SizeNumber, sizes)), given)


def lambda_(parameters: Sequence[str], body: s.Expression) -> s.Expression:
    """`\\(x, y) -> e`; a function of one argument that is only applied to it is itself."""
    if len(parameters) == 1:
        (name,) = parameters
        plain = s.Name(name)
        if (
            isinstance(body, s.Apply)
            and body.argument == plain
            and not mentions(body.function, name)
        ):
            return body.function
        return s.Lambda((s.PatternName(name),), body)
    return s.Lambda((s.PatternTuple(tuple(map(s.PatternName, parameters))),), body)


def mentions(tree: s.Tree, name: str) -> bool:
    """Whether a name occurs in an expression."""
    return any(isinstance(part, s.Name) and part.name == name for part in s.walk(tree))


def under(axes: int, function: s.Expression) -> s.Expression:
    """A function applied inside so many leading axes: `map (map f)`."""
    for _ in range(axes):
        function = apply("map", function)
    return function


def number(value: Any, kind: str = "R") -> s.Expression:
    """A literal."""
    if kind == "Bool":
        return s.Name("True" if value else "False")
    value = value.item() if isinstance(value, numpy.generic) else value
    if isinstance(value, complex):
        if value.imag:
            return _imaginary_number(value)
        value = value.real
    if not isfinite(value):
        infinite = s.Binary("/", s.Number(1), s.Number(0))
        if value != value:
            return s.Binary("/", s.Number(0), s.Number(0))
        return infinite if value > 0 else s.Negate(infinite)
    plain = int(value) if float(value).is_integer() and abs(value) < 1e15 else float(value)
    return s.Negate(s.Number(-plain)) if value < 0 else s.Number(plain)


def _imaginary_number(value: complex) -> s.Expression:
    """`2i`, `1 + 2i`."""
    unit = s.Number(complex(0, abs(value.imag)))
    if not value.real:
        return unit if value.imag > 0 else s.Negate(unit)
    return s.Binary("+" if value.imag > 0 else "-", number(value.real), unit)


def constant(operation: Constant) -> Term:
    """A literal array; one number repeated stays one."""
    value, type = operation.value, operation.type
    if value.ndim and value.size and (value == value.flat[0]).all():
        return Term(number(value.flat[0], type.kind), type, ())
    if value.size == 0:
        return zeros(type)

    def literal(array: Any) -> s.Expression:
        if not array.ndim:
            return number(array[()], type.kind)
        return s.Sequence(tuple(map(literal, array)))

    return term(literal(value), type)


def zeros(type: ArrayType) -> Term:
    return Term(s.Number(0), type, ())


def whole(given: Term) -> s.Expression:
    """The expression of a term, written out over all of its axes."""
    tree = given.tree
    missing = given.type.shape[: given.type.rank - len(given.core)]
    for size in reversed(missing):
        tree = apply(sized("replicate", size), tree)
    return tree


def deeper(*operands: Term) -> dict[str, Any]:
    """What a term made of others inherits."""
    return {
        "depth": 1 + max((operand.depth for operand in operands), default=0),
        "heavy": any(operand.heavy for operand in operands),
    }


# --- the table -----------------------------------------------------------------------------------

Spelling = Callable[["Call"], Term]
SPELLINGS: dict[str, Spelling] = {}


@dataclass(frozen=True)
class Call:
    """One use of a primitive, its operands spelled."""

    parameters: Parameters
    operands: tuple[Term, ...]
    type: ArrayType
    names: Names

    def made(self, tree: s.Expression, **more: Any) -> Term:
        return term(tree, self.type, **{**deeper(*self.operands), **more})

    def lifted(self, tree: s.Expression) -> Term:
        """Of an operation that works entry by entry."""
        core = max((operand.core for operand in self.operands), key=len)
        return Term(tree, self.type, core, **deeper(*self.operands))

    def axis_of(self, function: s.Expression, axis: int | None = None) -> Term:
        """A function of the first operand along an axis."""
        place = self.parameters["axis"] if axis is None else axis
        return self.made(apply(under(place, function), whole(self.operands[0])))


def spell(
    name: str, parameters: Parameters, operands: Sequence[Term], type: ArrayType, names: Names
) -> Term:
    """The term of one primitive at its operands. Raises Unspeakable."""
    rule = SPELLINGS.get(name)
    if rule is None:
        raise Unspeakable(f"the operation `{name}`")
    return rule(Call(parameters, tuple(operands), type, names))


def spelling(*names: str) -> Callable[[Spelling], Spelling]:
    def enter(rule: Spelling) -> Spelling:
        for name in names:
            SPELLINGS[name] = rule
        return rule

    return enter


# --- entry by entry ------------------------------------------------------------------------------


def _function(name: str) -> Spelling:
    return lambda call: call.lifted(apply(name, *(each.tree for each in call.operands)))


def _operator(operator: str) -> Spelling:
    return lambda call: call.lifted(
        s.Binary(operator, *_mixed(call.operands[0].tree, call.operands[1].tree))
    )


_MINUS_ONE = s.Negate(s.Number(1))
_COMPLEX = s.Number(0j)  # `x + 0i`, a real number as a complex one


def _mixed(left: s.Expression, right: s.Expression) -> tuple[s.Expression, s.Expression]:
    """Operands of arithmetic, where one that is real may stay so beside a complex one; a
    number beside it would be real too."""
    if (real := _as_real(left)) is not None and _is_complex(right):
        return real, right
    if (real := _as_real(right)) is not None and _is_complex(left):
        return left, real
    return left, right


def _as_real(tree: s.Expression) -> s.Expression | None:
    """`x` for `x + 0i`."""
    match tree:
        case s.Binary("+", real, zero) if zero is _COMPLEX:
            return real
    return None


def _is_complex(tree: s.Expression) -> bool:
    """Whether an expression of complex numbers is one by what it names, as it is written."""
    names = any(isinstance(part, s.Name | s.Path) for part in s.walk(tree))
    return names and _as_real(tree) is None


for _name in (
    "tanh", "sigmoid", "relu", "gelu", "silu", "softplus", "exp", "log", "log1p", "expm1", "sin",
    "cos", "tan", "abs", "sign", "sqrt", "square", "erf", "erfc", "lgamma", "digamma", "max", "min",
    "conj", "not", "reciprocalOrZero", "imag", "angle",
):  # fmt: skip
    SPELLINGS[_name] = _function(_name)
for _name, _sign in (
    ("subtract", "-"), ("divide", "/"), ("pow", "^"),
):  # fmt: skip
    SPELLINGS[_name] = _operator(_sign)
SPELLINGS["magnitude"] = _function("sqrt")
SPELLINGS["modulus"] = _function("abs")

_COMPARISONS = {"eq": "==", "ne": "/=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


@spelling("compare")
def _compare(call: Call) -> Term:
    return _operator(_COMPARISONS[call.parameters["how"]])(call)


def _logic(operator: str) -> Spelling:
    """`&&` and `||`, which repeat no operand."""

    def rule(call: Call) -> Term:
        left, right = call.operands
        if left.core == right.core:
            return _operator(operator)(call)
        return call.made(s.Binary(operator, whole(left), whole(right)))

    return rule


SPELLINGS |= {"and": _logic("&&"), "or": _logic("||")}


@spelling("add")
def _add(call: Call) -> Term:
    left, right = call.operands
    if isinstance(right.tree, s.Negate) and not isinstance(right.tree.operand, s.Number):
        return call.lifted(s.Binary("-", *_mixed(left.tree, right.tree.operand)))
    return _operator("+")(call)


@spelling("negate")
def _negate(call: Call) -> Term:
    return call.lifted(s.Negate(call.operands[0].tree))


@spelling("reciprocal")
def _reciprocal(call: Call) -> Term:
    return call.lifted(s.Binary("/", s.Number(1), call.operands[0].tree))


@spelling("power")
def _power(call: Call) -> Term:
    exponent, base = call.parameters["exponent"], call.operands[0].tree
    power = base if abs(exponent) == 1 else s.Binary("^", base, s.Number(abs(exponent)))
    return call.lifted(power if exponent >= 0 else s.Binary("/", s.Number(1), power))


@spelling("polygamma")
def _polygamma(call: Call) -> Term:
    return call.lifted(apply(sized("polygamma", call.parameters["order"]), call.operands[0].tree))


@spelling("mul")
def _mul(call: Call) -> Term:
    left, right = call.operands
    other = _conjugated(call, right, right.tree)
    for one, rest in ((left.tree, other), (other, left.tree)):
        if one == _MINUS_ONE and not isinstance(rest, s.Number):
            return call.lifted(s.Negate(rest))
    return call.lifted(s.Binary("*", *_mixed(left.tree, other)))


@spelling("convert")
def _convert(call: Call) -> Term:
    (given,) = call.operands
    kinds = given.type.kind, call.parameters["kind"]
    if kinds[0] == kinds[1] or isinstance(given.tree, s.Number):
        return call.lifted(given.tree)
    if kinds in (("Bool", "R"), ("Int", "R")):
        return call.lifted(apply("toReal", given.tree))
    if kinds == ("C", "R"):
        return call.lifted(apply("real", given.tree))
    if kinds == ("R", "C"):
        return call.lifted(s.Binary("+", given.tree, _COMPLEX))
    if kinds[1] == "C":
        return call.lifted(s.Binary("+", apply("toReal", given.tree), _COMPLEX))
    if kinds == ("Bool", "Int"):
        name = call.names.fresh("c")
        one, none = (s.Ascription(s.Number(n), s.TypeName("Int")) for n in (1, 0))
        if not given.core:
            return call.lifted(s.If(given.tree, one, none))
        each = lambda_((name,), s.If(s.Name(name), one, none))
        return call.made(apply(under(given.type.rank, each), whole(given)))
    raise Unspeakable(f"a conversion from {kinds[0]} to {kinds[1]}")


@spelling("select")
def _select(call: Call) -> Term:
    if call.type.kind != "Int":
        return _function("select")(call)
    # Indices are no numbers: one `if` for each.
    condition, one, other = call.operands
    if not call.type.rank:
        return call.made(s.If(condition.tree, one.tree, other.tree))
    names = [call.names.fresh(each) for each in ("c", "i", "j")]
    body: s.Expression = s.If(*map(s.Name, names))
    pattern = s.PatternTuple(
        (s.PatternTuple(tuple(map(s.PatternName, names[:2]))), s.PatternName(names[2]))
    )
    function: s.Expression = s.Lambda((pattern,), body)
    zipped = apply("zip", s.Tuple((whole(condition), whole(one))))
    for _ in range(call.type.rank - 1):
        p, q, r = (call.names.fresh("p") for _ in range(3))
        inner = apply("zip", s.Tuple((s.Name(p), s.Name(q))))
        given = s.PatternTuple(
            (s.PatternTuple((s.PatternName(p), s.PatternName(q))), s.PatternName(r))
        )
        function = s.Lambda((given,), apply("zipWith", function, s.Tuple((inner, s.Name(r)))))
    return call.made(apply("zipWith", function, s.Tuple((zipped, whole(other)))))


@spelling("hold")
def _hold(call: Call) -> Term:
    return call.operands[0]


@spelling("clamp")
def _clamp(call: Call) -> Term:
    low, high = number(call.parameters["low"]), number(call.parameters["high"])
    return call.lifted(apply("max", low, apply("min", high, call.operands[0].tree)))


# --- products ------------------------------------------------------------------------------------


@spelling("contract")
def _contract(call: Call) -> Term:
    left, right, out = (call.parameters[side] for side in ("left", "right", "out"))
    a, b = call.operands
    if not set(left) - set(out) and not set(right) - set(out):
        for one, other, ours, theirs in ((a, b, left, right), (b, a, right, left)):
            # Entry by entry, the one with fewer axes repeated over the leading ones.
            if ours == out and theirs == out[len(out) - len(theirs) :]:
                pair = (one.tree, _conjugated(call, b, other.tree)) if one is a else (
                    other.tree, _conjugated(call, b, one.tree)
                )  # fmt: skip
                core = max(one.core, other.core, key=len)
                return Term(s.Binary("*", *pair), call.type, core, **deeper(a, b))
    tree = _product(
        whole(a), tuple(left), _conjugated(call, b, whole(b)), tuple(right), tuple(out),
        call.names, call.type.kind,
    )  # fmt: skip
    return call.made(tree, heavy=True)


def _conjugated(call: Call, operand: Term, tree: s.Expression) -> s.Expression:
    """The second operand, conjugated where it is to be; a real one that stands for a
    complex one is its own conjugate, and so is a conjugate's."""
    conjugate = call.parameters.get("conjugate") and operand.type.kind == "C"
    if not conjugate or _as_real(tree) is not None:
        return tree
    return _undone("conj", tree) or apply("conj", tree)


def _undone(name: str, tree: s.Expression) -> s.Expression | None:
    """`x` for `f x`, where f undoes itself."""
    match tree:
        case s.Apply(s.Name(applied), argument) if applied == name:
            return argument
    return None


Labels = tuple[int, ...]


def _product(
    a: s.Expression,
    left: Labels,
    b: s.Expression,
    right: Labels,
    out: Labels,
    names: Names,
    kind: str,
) -> s.Expression:
    """The sum of products over the labels that `out` lacks."""
    for one, ours, other, theirs in ((a, left, b, right), (b, right, a, left)):
        summed = set(ours) & set(theirs) - set(out)
        if not ours or not theirs:
            rest = ours or theirs
            if rest == out:
                return s.Binary("*", *((one, other) if not ours else (other, one)))
        vectors = len(summed) == 1 and max(len(ours), len(theirs)) == 2 and ours and theirs
        meet = vectors and ours[-1] == theirs[0] and (*ours[:-1], *theirs[1:]) == out
        if meet and max(len(ours), len(theirs)) <= 2:
            return s.Binary("@", one, other)
        if not summed and len(ours) == len(theirs) == 1 and out == (*ours, *theirs):
            return apply("outer", one, other)
    if not out and set(left) == set(right):
        return _summed(a, _ordered(b, right, left), len(left), kind)
    # Two matrices, one of them the other way round.
    if len(left) == len(right) == len(out) == 2 and len({*left, *right}) == 3:
        (label,) = set(left) - set(out)
        (row,), (column,) = _without(left, label), _without(right, label)
        if out[0] == row:
            first = _ordered(a, left, (row, label))
            return s.Binary("@", first, _ordered(b, right, (label, column)))
        first = _ordered(b, right, (column, label))
        return s.Binary("@", first, _ordered(a, left, (label, row)))
    head, rest = out[0], out[1:]
    p, q = names.fresh("p"), names.fresh("q")
    if head in left and head in right:
        ours, theirs = (head, *_without(left, head)), (head, *_without(right, head))
        body = _product(s.Name(p), ours[1:], s.Name(q), theirs[1:], rest, names, kind)
        pair = s.Tuple((_ordered(a, left, ours), _ordered(b, right, theirs)))
        return apply("zipWith", lambda_((p, q), body), pair)
    if head in left:
        ours = (head, *_without(left, head))
        body = _product(s.Name(p), ours[1:], b, right, rest, names, kind)
        return apply("map", lambda_((p,), body), _ordered(a, left, ours))
    theirs = (head, *_without(right, head))
    body = _product(a, left, s.Name(q), theirs[1:], rest, names, kind)
    return apply("map", lambda_((q,), body), _ordered(b, right, theirs))


def _summed(a: s.Expression, b: s.Expression, axes: int, kind: str) -> s.Expression:
    """The sum of all products: `dot`, which over C would take the real part."""
    if kind != "C":
        return apply("dot", a, b)
    if axes == 1:
        return s.Binary("@", a, b)
    return apply("sum", apply("flatten", s.Binary("*", a, b)))


def _without(labels: Labels, label: int) -> Labels:
    return tuple(each for each in labels if each != label)


def _ordered(tree: s.Expression, labels: Labels, wanted: Labels) -> s.Expression:
    """The axes in another order, by exchanging neighbours."""
    order = list(labels)
    for place, label in enumerate(wanted):
        for k in range(order.index(label), place, -1):
            turned = _undone("transpose", tree) if k == 1 else None
            tree = turned or apply(under(k - 1, s.Name("transpose")), tree)
            order[k - 1], order[k] = order[k], order[k - 1]
    return tree


# --- movement ------------------------------------------------------------------------------------


@spelling("transpose")
def _transpose(call: Call) -> Term:
    permutation = call.parameters["permutation"]
    start = tuple(range(len(permutation)))
    return call.made(_ordered(whole(call.operands[0]), start, tuple(permutation)))


@spelling("broadcast")
def _broadcast(call: Call) -> Term:
    (given,), axes, shape = call.operands, call.parameters["axes"], call.parameters["shape"]
    first = len(shape) - len(axes)
    if tuple(axes) == tuple(range(first, len(shape))):
        return Term(given.tree, call.type, given.core, given.depth, given.heavy, given.below)

    def repeated(tree: s.Expression, shape: Shape, axes: Shape) -> s.Expression:
        rest = tuple(axis - 1 for axis in axes if axis)
        if not shape:
            return tree
        if 0 not in axes:
            return apply(sized("replicate", shape[0]), repeated(tree, shape[1:], rest))
        if len(axes) == len(shape):
            return tree
        name = call.names.fresh("p")
        return apply("map", lambda_((name,), repeated(s.Name(name), shape[1:], rest)), tree)

    return call.made(repeated(whole(given), tuple(shape), tuple(axes)))


@spelling("reshape")
def _reshape(call: Call) -> Term:
    (given,), shape = call.operands, call.type.shape
    before = given.type.shape
    tree = whole(given)
    if shape == before:
        return given
    if shape == (1, *before):
        return call.made(s.Sequence((tree,)))
    if before == (1, *shape):
        return call.made(s.Binary("!", tree, s.Number(0)))
    if not shape:
        for _ in before:
            tree = s.Binary("!", tree, s.Number(0))
        return call.made(tree)
    if not before:
        for _ in shape:
            tree = s.Sequence((tree,))
        return call.made(tree)
    if len(shape) == 1:
        return call.made(apply("flatten", tree))
    return call.made(apply(sized("reshape", *shape), tree))


@spelling("reverse")
def _reverse(call: Call) -> Term:
    return call.axis_of(s.Name("reverse"))


@spelling("slice")
def _slice(call: Call) -> Term:
    (given,) = call.operands
    axis, start, stop, stride = (
        call.parameters[name] for name in ("axis", "start", "stop", "stride")
    )
    size, count = given.type.shape[axis], call.type.shape[axis]
    tree = whole(given)
    if stride > 1:
        if not count:
            return zeros(call.type)
        places = s.Sequence(tuple(map(s.Number, range(start, stop, stride))))
        name = call.names.fresh("p")
        picked = lambda_((name,), apply("gather", s.Name(name), places))
        return call.made(
            apply(under(axis, picked), tree) if axis else apply("gather", tree, places)
        )
    if start:
        tree = apply(under(axis, sized("drop", start)), tree)
    if stop < size:
        tree = apply(under(axis, sized("take", count)), tree)
    return call.made(tree)


@spelling("pad")
def _pad(call: Call) -> Term:
    (given,), axis = call.operands, call.parameters["axis"]
    low, high, interior = (call.parameters[name] for name in ("low", "high", "interior"))
    size, total = given.type.shape[axis], call.type.shape[axis]
    inner = given.type.shape[axis + 1 :]
    tree = whole(given)

    def nothing(count: int) -> s.Expression:
        return apply(sized("replicate", count), whole(zeros(ArrayType(given.type.kind, inner))))

    if interior and size > 1:
        places = [low + k * (interior + 1) for k in range(size)]
        there = [k for k, place in enumerate(places) if 0 <= place < total]
        if not there:
            return zeros(call.type)
        if there[-1] + 1 < size:
            tree = apply(under(axis, sized("take", there[-1] + 1)), tree)
        if there[0]:
            tree = apply(under(axis, sized("drop", there[0])), tree)
        places = places[there[0] : there[-1] + 1]
        indices = s.Sequence(tuple(map(s.Number, places)))
        return call.made(apply(under(axis, apply(sized("scatterAdd", total), indices)), tree))
    if low < 0:
        tree = apply(under(axis, sized("drop", -low)), tree)
    if high < 0:
        if total <= low:
            return zeros(call.type)
        tree = apply(under(axis, sized("take", total - max(low, 0))), tree)
    if low <= 0 and high <= 0:
        return call.made(tree)
    name = call.names.fresh("p") if axis else ""
    body: s.Expression = s.Name(name) if axis else tree
    if low > 0:
        body = s.Binary("++", nothing(low), body)
    if high > 0:
        body = s.Binary("++", body, nothing(high))
    return call.made(apply(under(axis, lambda_((name,), body)), tree) if axis else body)


@spelling("concat")
def _concat(call: Call) -> Term:
    axis = call.parameters["axis"]
    trees = [whole(operand) for operand in call.operands]
    if axis == 0:
        if all(isinstance(tree, s.Sequence) for tree in trees):
            items = tuple(item for tree in trees for item in tree.items)  # type: ignore[union-attr]
            return call.made(s.Sequence(items))
        joined = trees[-1]
        for tree in reversed(trees[:-1]):
            joined = s.Binary("++", tree, joined)
        return call.made(joined)

    def join(left: s.Expression, right: s.Expression, axes: int) -> s.Expression:
        p, q = call.names.fresh("p"), call.names.fresh("q")
        body: s.Expression = s.Binary("++", s.Name(p), s.Name(q))
        if axes > 1:
            body = join(s.Name(p), s.Name(q), axes - 1)
            return apply("zipWith", lambda_((p, q), body), s.Tuple((left, right)))
        return apply("zipWith", s.OperatorFunction("++"), s.Tuple((left, right)))

    joined = trees[-1]
    for tree in reversed(trees[:-1]):
        joined = join(tree, joined, axis)
    return call.made(joined)


# --- indices -------------------------------------------------------------------------------------


def _look_up(xs: s.Expression, index: Term, size: int, names: Names) -> s.Expression:
    """`xs ! i`, or `gather` at several indices; an Int that may be none is moved by `!`."""
    if index.type.rank == 0:
        return s.Binary("!", xs, whole(index))
    if index.below == size or isinstance(index.tree, s.Sequence):
        return apply(under(index.type.rank - 1, apply("gather", xs)), whole(index))
    name = names.fresh("i")
    one = s.Lambda((s.PatternName(name),), s.Binary("!", xs, s.Name(name)))
    return apply(under(index.type.rank, one), whole(index))


def _together(call: Call, axes: int, name: str, parameters: Parameters) -> Term:
    """An operation on two operands under axes that both have, one for each element."""
    one, other = call.operands
    p, q = call.names.fresh("p"), call.names.fresh("q")
    parts = (
        term(s.Name(p), ArrayType(one.type.kind, one.type.shape[axes:]), untyped=True),
        term(s.Name(q), ArrayType(other.type.kind, other.type.shape[axes:]), below=other.below),
    )
    inner = ArrayType(call.type.kind, call.type.shape[axes:])
    made = spell(name, {**parameters, "together": 0}, parts, inner, call.names)
    function = lambda_((p, q), whole(made))
    for _ in range(axes - 1):
        p, q = call.names.fresh("p"), call.names.fresh("q")
        pair = s.Tuple((s.Name(p), s.Name(q)))
        function = lambda_((p, q), apply("zipWith", function, pair))
    return call.made(apply("zipWith", function, s.Tuple((whole(one), whole(other)))))


@spelling("gather")
def _gather(call: Call) -> Term:
    (x, index), axis = call.operands, call.parameters["axis"]
    if together := call.parameters.get("together", 0):
        return _together(call, together, "gather", {**call.parameters, "axis": axis - together})
    size = x.type.shape[axis]
    if not axis:
        return call.made(_look_up(whole(x), index, size, call.names))
    name = call.names.fresh("p")
    look = lambda_((name,), _look_up(s.Name(name), index, size, call.names))
    return call.made(apply(under(axis, look), whole(x)))


@spelling("scatterAdd")
def _scatter(call: Call) -> Term:
    (u, index), axis = call.operands, call.parameters["axis"]
    if together := call.parameters.get("together", 0):
        return _together(call, together, "scatterAdd", {**call.parameters, "axis": axis - together})
    name = call.names.fresh("p") if axis else ""
    inner: s.Expression = s.Name(name) if axis else whole(u)
    place = whole(index)
    if index.type.rank == 0:
        place, inner = s.Sequence((place,)), s.Sequence((inner,))
    for _ in range(index.type.rank - 1):
        place, inner = apply("concat", place), apply("concat", inner)
    put = apply(sized("scatterAdd", call.parameters["size"]), place, inner)
    return call.made(apply(under(axis, lambda_((name,), put)), whole(u)) if axis else put)


@spelling("iota")
def _iota(call: Call) -> Term:
    size = call.parameters["size"]
    return call.made(sized("iota", size), below=size)


# --- reductions ----------------------------------------------------------------------------------


@spelling("sum", "product", "maximum", "minimum", "logsumexp")
def _refused(call: Call) -> Term:
    raise AssertionError("replaced below")


def _reduction(name: str) -> Spelling:
    def rule(call: Call) -> Term:
        tree = whole(call.operands[0])
        for axis in sorted(call.parameters["axes"], reverse=True):
            tree = apply(under(axis, s.Name(name)), tree)
        return call.made(tree)

    return rule


for _name in ("sum", "product", "maximum", "minimum", "logsumexp"):
    SPELLINGS[_name] = _reduction(_name)


@spelling("argmax")
def _argmax(call: Call) -> Term:
    axis = call.parameters["axis"]
    tree, rank = whole(call.operands[0]), call.operands[0].type.rank
    labels = tuple(range(rank))
    last = (*(k for k in labels if k != axis), axis)
    size = call.operands[0].type.shape[axis]
    tree = apply(under(rank - 1, s.Name("argmax")), _ordered(tree, labels, last))
    return call.made(tree, below=size)


@spelling("top")
def _top(call: Call) -> Term:
    (given,), axis, count = call.operands, call.parameters["axis"], call.parameters["count"]
    top = s.Binary(">>", sized("topK", count), s.Name("snd"))
    labels = tuple(range(given.type.rank))
    last = (*(k for k in labels if k != axis), axis)
    tree = apply(under(len(labels) - 1, top), _ordered(whole(given), labels, last))
    return call.made(_ordered(tree, last, labels), below=given.type.shape[axis])


# --- windows, draws, equations -------------------------------------------------------------------


@spelling("windows")
def _windows(call: Call) -> Term:
    options = _window_options(call.parameters)
    if options is not None:
        return call.axis_of(apply(sized("window", *call.parameters["sizes"], **options), ID))
    # A stride or dilation of its own for each axis: one axis after the other, and then the
    # axes of places before those of windows.
    tree, axis = whole(call.operands[0]), call.parameters["axis"]
    count = len(call.parameters["sizes"])
    for k, one in enumerate(_each_axis(call.parameters)):
        own = sized("window", *one["sizes"], **(_window_options(one) or {}))
        tree = apply(under(axis + 2 * k, apply(own, ID)), tree)
    labels = tuple(range(call.type.rank))
    pairs = [(axis + 2 * k, axis + 2 * k + 1) for k in range(count)]
    wanted = (
        *labels[:axis], *(place for place, _ in pairs), *(inside for _, inside in pairs),
        *labels[axis + 2 * count :],
    )  # fmt: skip
    return call.made(_ordered(tree, labels, wanted))


ID = s.Name("id")


def _window_options(parameters: Parameters) -> dict[str, int] | None:
    """`stride=2`; None where each axis has its own."""
    options = {}
    for name in ("stride", "dilation"):
        given = parameters[f"{name}s"]
        if len(set(given)) > 1:
            return None
        if given[0] != 1:
            options[name] = given[0]
    return options


def _each_axis(parameters: Parameters) -> list[Parameters]:
    """Of windows over several axes what they are along each."""
    several = ("sizes", "strides", "dilations", "lengths")
    return [
        {name: value[k : k + 1] for name, value in parameters.items() if name in several}
        for k in range(len(parameters["sizes"]))
    ]


@spelling("overlapAdd")
def _overlap_add(call: Call) -> Term:
    options = _window_options(call.parameters)
    if options is not None:
        return call.axis_of(sized("overlapAdd", *call.parameters["lengths"], **options))
    (given,), axis = call.operands, call.parameters["axis"]
    count = len(call.parameters["sizes"])
    labels = tuple(range(given.type.rank))
    first = axis + count
    wanted = (
        *labels[:axis], *(k for pair in zip(labels[axis:first], labels[first:], strict=False)
                          for k in pair),
        *labels[first + count :],
    )  # fmt: skip
    tree = _ordered(whole(given), labels, wanted)
    for k, one in reversed(list(enumerate(_each_axis(call.parameters)))):
        own = sized("overlapAdd", *one["lengths"], **(_window_options(one) or {}))
        tree = apply(under(axis + 2 * k, own), tree)
    return call.made(tree)


@spelling("solve")
def _solve(call: Call) -> Term:
    a, b = call.operands
    if batch := a.type.rank - 2:
        return _together(call, batch, "solve", call.parameters)
    matrix = _as_matrix(a)
    if call.parameters.get("adjoint"):
        matrix = apply("transpose", matrix)
        if a.type.kind == "C":
            matrix = apply("conj", matrix)
    if b.type.rank == 1:
        return call.made(apply("solve", matrix, whole(b)), heavy=True)
    columns = apply("map", apply("solve", matrix), apply("transpose", whole(b)))
    return call.made(apply("transpose", columns), heavy=True)


def _as_matrix(given: Term) -> s.Expression:
    """A matrix where a linear map may stand, too; a parameter would be taken for that."""
    tree = whole(given)
    plain = given.untyped and isinstance(tree, s.Name)
    return s.Binary("*", s.Number(1), tree) if plain else tree


@spelling("logdet")
def _logdet(call: Call) -> Term:
    (matrix,) = call.operands
    batch = matrix.type.rank - 2
    if not batch:
        return call.made(apply("logdet", _as_matrix(matrix)), heavy=True)
    name = call.names.fresh("p")
    one = lambda_((name,), apply("logdet", s.Binary("*", s.Number(1), s.Name(name))))
    return call.made(apply(under(batch, one), whole(matrix)), heavy=True)


def _of_matrices(function: s.Expression) -> Spelling:
    """A function of a matrix, under the axes of a batch."""

    def rule(call: Call) -> Term:
        (matrix,) = call.operands
        tree = apply(under(matrix.type.rank - 2, function), whole(matrix))
        return call.made(tree, heavy=True)

    return rule


def _of_parts(name: str, *parts: str, give: s.Expression) -> Spelling:
    """`\\(w, v) -> v` after a factorisation."""
    pattern = s.PatternTuple(tuple(map(s.PatternName, parts)))
    return _of_matrices(s.Binary(">>", s.Name(name), s.Lambda((pattern,), give)))


for _name in ("expm", "logm", "sqrtm", "cholesky", "inverse", "hermitian", "leading"):
    SPELLINGS[_name] = _of_matrices(s.Name(_name))
SPELLINGS |= {
    "qrQ": _of_matrices(s.Binary(">>", s.Name("qr"), s.Name("fst"))),
    "qrR": _of_matrices(s.Binary(">>", s.Name("qr"), s.Name("snd"))),
    "eighValues": _of_matrices(s.Binary(">>", s.Name("eigh"), s.Name("fst"))),
    "eigValues": _of_matrices(s.Binary(">>", s.Name("eig"), s.Name("fst"))),
    # The leading entry of each column is 1.
    "eigVectors": _of_matrices(
        s.Binary(
            ">>", s.Binary(">>", s.Name("eig"), s.Name("snd")),
            s.Lambda(
                (s.PatternName("v"),),
                s.Binary(
                    "/", s.Name("v"),
                    apply("sum", s.Binary("*", s.Name("v"), apply("leading", s.Name("v")))),
                ),
            ),
        )
    ),
    # Of another phase, which what is made of them does not depend on.
    "eighVectors": _of_matrices(s.Binary(">>", s.Name("eigh"), s.Name("snd"))),
    "svdU": _of_parts("svd", "u", "s", "v", give=s.Name("u")),
    "svdValues": _of_parts("svd", "u", "s", "v", give=s.Name("s")),
    "svdV": _of_parts(
        "svd", "u", "s", "v", give=apply("conj", apply("transpose", s.Name("v")))
    ),
}  # fmt: skip


@spelling("frechet")
def _frechet(call: Call) -> Term:
    matrix, direction = call.operands
    if batch := matrix.type.rank - 2:
        return _together(call, batch, "frechet", call.parameters)
    function = apply("derivative", s.Name(call.parameters["function"]))
    at, along = whole(matrix), whole(direction)
    if call.parameters.get("adjoint"):
        at = apply("transpose", at)
        at = apply("conj", at) if matrix.type.kind == "C" else at
    return call.made(apply(function, at, along), heavy=True)


@spelling("fourier")
def _fourier(call: Call) -> Term:
    size = call.type.shape[call.parameters["axis"]]
    if not call.parameters["backward"]:
        return call.axis_of(s.Name("fft"))
    made = call.axis_of(s.Name("ifft"))
    return call.made(s.Binary("*", s.Number(size), made.tree))


@spelling("imaginary")
def _imaginary(call: Call) -> Term:
    return call.lifted(s.Binary("*", s.Number(1j), call.operands[0].tree))


def _draw(name: str, *arguments: int) -> Spelling:
    def rule(call: Call) -> Term:
        drawn = apply("draw", apply(name, *map(s.Number, arguments)))
        return call.made(s.Ascription(drawn, type_tree(call.type)), heavy=True)

    return rule


SPELLINGS["normal"] = _draw("normal", 1)
SPELLINGS["uniform"] = _draw("uniform", 0, 1)


def type_tree(type: ArrayType) -> s.TypeTree:
    """The type of an array, as it is written."""
    scalar = s.TypeName(type.kind)
    return s.TypeArray(scalar, tuple(map(s.SizeNumber, type.shape))) if type.shape else scalar
