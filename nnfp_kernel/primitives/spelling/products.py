"""Spellings of contractions: `w @ x`, `outer`, `dot`, under further axes by `map` and `zipWith`."""

from __future__ import annotations

from ...language import syntax as s
from .axes import Labels, ordered, without
from .complex_numbers import conjugated
from .table import Call, spelling
from .terms import Names, Term, apply, deeper, lambda_, whole


@spelling("contract")
def _contract(call: Call) -> Term:
    left, right, out = (call.parameters[side] for side in ("left", "right", "out"))
    a, b = call.operands
    if not set(left) - set(out) and not set(right) - set(out):
        for one, other, ours, theirs in ((a, b, left, right), (b, a, right, left)):
            # Entry by entry, the one with fewer axes repeated over the leading ones.
            if ours == out and theirs == out[len(out) - len(theirs) :]:
                pair = (one.tree, conjugated(call, b, other.tree)) if one is a else (
                    other.tree, conjugated(call, b, one.tree)
                )  # fmt: skip
                core = max(one.core, other.core, key=len)
                return Term(s.Binary("*", *pair), call.type, core, **deeper(a, b))
    tree = _product(
        whole(a), tuple(left), conjugated(call, b, whole(b)), tuple(right), tuple(out),
        call.names, call.type.kind,
    )  # fmt: skip
    return call.made(tree, heavy=True)


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
        return _summed(a, ordered(b, right, left), len(left), kind)
    # Two matrices, one of them the other way round.
    if len(left) == len(right) == len(out) == 2 and len({*left, *right}) == 3:
        (label,) = set(left) - set(out)
        (row,), (column,) = without(left, label), without(right, label)
        if out[0] == row:
            first = ordered(a, left, (row, label))
            return s.Binary("@", first, ordered(b, right, (label, column)))
        first = ordered(b, right, (column, label))
        return s.Binary("@", first, ordered(a, left, (label, row)))
    head, rest = out[0], out[1:]
    p, q = names.fresh("p"), names.fresh("q")
    if head in left and head in right:
        ours, theirs = (head, *without(left, head)), (head, *without(right, head))
        body = _product(s.Name(p), ours[1:], s.Name(q), theirs[1:], rest, names, kind)
        pair = s.Tuple((ordered(a, left, ours), ordered(b, right, theirs)))
        return apply("zipWith", lambda_((p, q), body), pair)
    if head in left:
        ours = (head, *without(left, head))
        body = _product(s.Name(p), ours[1:], b, right, rest, names, kind)
        return apply("map", lambda_((p,), body), ordered(a, left, ours))
    theirs = (head, *without(right, head))
    body = _product(a, left, s.Name(q), theirs[1:], rest, names, kind)
    return apply("map", lambda_((q,), body), ordered(b, right, theirs))


def _summed(a: s.Expression, b: s.Expression, axes: int, kind: str) -> s.Expression:
    """The sum of all products: `dot`, which over C would take the real part."""
    if kind != "C":
        return apply("dot", a, b)
    if axes == 1:
        return s.Binary("@", a, b)
    return apply("sum", apply("flatten", s.Binary("*", a, b)))
