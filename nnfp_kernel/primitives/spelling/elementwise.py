"""Spellings entry by entry: operators, functions, comparisons, conversions."""

from __future__ import annotations

from dataclasses import replace

from ...language import syntax as s
from .complex_numbers import COMPLEX, conjugated, mixed
from .table import SPELLINGS, Call, Spelling, spelling
from .terms import Term, Unspeakable, apply, lambda_, number, sized, under, whole


def _function(name: str) -> Spelling:
    return lambda call: call.lifted(
        apply(name, *(each.tree for each in _with_integers(call).operands))
    )


def _operator(operator: str) -> Spelling:
    def rule(call: Call) -> Term:
        call = _with_integers(call)
        left, right = (each.tree for each in call.operands)
        return call.lifted(s.Binary(operator, *mixed(left, right)))

    return rule


def _with_integers(call: Call) -> Call:
    """Indices among the operands as integers: one counts with them."""
    if call.type.kind != "Int":
        return call
    return replace(call, operands=tuple(map(as_integer, call.operands)))


def as_integer(given: Term) -> Term:
    """Indices as whole numbers, which know no bound."""
    if given.below is None or isinstance(given.tree, s.Number):
        return given
    tree = apply(under(len(given.core), s.Name("toInt")), given.tree)
    return replace(given, tree=tree, below=None)


_MINUS_ONE = s.Negate(s.Number(1))


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
    one, other = call.operands
    literal = any(isinstance(each.tree, s.Number) for each in call.operands)
    if (one.below is None) != (other.below is None) and not literal:
        # An index and a number of elements are of two types.
        call = replace(call, operands=(as_integer(one), as_integer(other)))
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
    call = _with_integers(call)
    left, right = call.operands
    if isinstance(right.tree, s.Negate) and not isinstance(right.tree.operand, s.Number):
        return call.lifted(s.Binary("-", *mixed(left.tree, right.tree.operand)))
    return _operator("+")(call)


@spelling("negate")
def _negate(call: Call) -> Term:
    return call.lifted(s.Negate(_with_integers(call).operands[0].tree))


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
    call = _with_integers(call)
    left, right = call.operands
    other = conjugated(call, right, right.tree)
    for one, rest in ((left.tree, other), (other, left.tree)):
        if one == _MINUS_ONE and not isinstance(rest, s.Number):
            return call.lifted(s.Negate(rest))
    return call.lifted(s.Binary("*", *mixed(left.tree, other)))


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
        return call.lifted(s.Binary("+", given.tree, COMPLEX))
    if kinds[1] == "C":
        return call.lifted(s.Binary("+", apply("toReal", given.tree), COMPLEX))
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
    if (one.below is None) != (other.below is None):
        one, other = as_integer(one), as_integer(other)
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
