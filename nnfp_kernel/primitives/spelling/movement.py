"""Spellings of what moves entries: axes in another order, slices, paddings, places looked up."""

from __future__ import annotations

from ...graph.graph import ArrayType
from ...language import syntax as s
from .axes import ordered, together
from .table import Call, spelling
from .terms import Names, Shape, Term, apply, lambda_, sized, under, whole, zeros

FEW_PLACES = 16  # that are listed


@spelling("transpose")
def _transpose(call: Call) -> Term:
    permutation = call.parameters["permutation"]
    start = tuple(range(len(permutation)))
    return call.made(ordered(whole(call.operands[0]), start, tuple(permutation)))


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
    if len(before) > 1 and shape == (before[0] * before[1], *before[2:]):
        return call.made(apply("concat", tree))  # the rows may be of different lengths
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
        places = _places(call, range(start, stop, stride), size)
        name = call.names.fresh("p")
        picked = lambda_((name,), apply("gather", s.Name(name), places))
        return call.made(
            apply(under(axis, picked), tree) if axis else apply("gather", tree, places)
        )
    if call.names.open and not axis:
        return call.made(apply(sized("slice", start, count, size - stop), tree))
    if start:
        tree = apply(under(axis, sized("drop", start)), tree)
    if stop < size:
        tree = apply(under(axis, sized("take", count)), tree)
    return call.made(tree)


def _places(call: Call, places: range, size: int) -> s.Expression:
    """Places in an axis of that size: a few as they are, many as they are counted."""
    if len(places) <= FEW_PLACES:
        return s.Sequence(tuple(map(s.Number, places)))
    name = call.names.fresh("k")
    place: s.Expression = s.Binary("*", s.Number(places.step), apply("toInt", s.Name(name)))
    if places.start:
        place = s.Binary("+", s.Number(places.start), place)
    at = lambda_((name,), apply(sized("toFin", size), place))
    return apply("map", at, sized("iota", len(places)))


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
        indices = _places(call, range(places[0], places[-1] + 1, interior + 1), total)
        return call.made(apply(under(axis, apply(sized("scatterAdd", total), indices)), tree))
    if -low >= size > 0:  # nothing of it is left
        return zeros(call.type)
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


def _look_up(xs: s.Expression, index: Term, size: int, names: Names) -> s.Expression:
    """`xs ! i`, or `gather` at several indices; an Int that may be none is moved by `!`."""
    if index.type.rank == 0:
        place = whole(index)
        one_there = isinstance(place, s.Number) and place.value in range(size)
        if index.below is None and not one_there and not isinstance(place, s.Ascription):
            place = s.Ascription(place, s.TypeName("Int"))  # `!` alone would make an index of it
        return s.Binary("!", xs, place)
    if index.below == size or isinstance(index.tree, s.Sequence):
        return apply(under(index.type.rank - 1, apply("gather", xs)), whole(index))
    name = names.fresh("i")
    one = s.Lambda((s.PatternName(name),), s.Binary("!", xs, s.Name(name)))
    return apply(under(index.type.rank, one), whole(index))


@spelling("gather")
def _gather(call: Call) -> Term:
    (x, index), axis = call.operands, call.parameters["axis"]
    if shared := call.parameters.get("together", 0):
        return together(call, shared, "gather", {**call.parameters, "axis": axis - shared})
    size = x.type.shape[axis]
    if not axis:
        return call.made(_look_up(whole(x), index, size, call.names))
    name = call.names.fresh("p")
    look = lambda_((name,), _look_up(s.Name(name), index, size, call.names))
    return call.made(apply(under(axis, look), whole(x)))


@spelling("scatterAdd")
def _scatter(call: Call) -> Term:
    (u, index), axis = call.operands, call.parameters["axis"]
    if shared := call.parameters.get("together", 0):
        return together(call, shared, "scatterAdd", {**call.parameters, "axis": axis - shared})
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
