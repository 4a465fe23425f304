"""The combinators of linear maps as names of the language (LANGUAGE section 6).

A derivative can be written down with them, and so can its adjoint: each is a linear map
or gives one, is applied like a function and transposed by `adjoint`.

    dup, add          u ↦ (u, u) and (u, v) ↦ u + v, each other's adjoints
    diag d, scale c   u ↦ d * u, u ↦ c * u
    mapL l            one map for every element
    eachL f es        a map of its own for every element: block diagonal
    recurrence f es   a state through linear steps; recurrenceRight from the end
    choose c l m      the one or the other
    scatterAdd, overlapAdd   what `gather` and `window` take out, put back and added

Sources: Elliott 2018; Elsman, Henglein, Kaarsgaard, Mathiesen, Schenck 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph.context import Context
from ..graph.graph import Wire
from ..graph.scope import Occurrence
from ..graph.sequences import leading
from ..graph.values import Extent, Value, leaves, map_leaves
from ..language import types as t
from .linear_values import Promised
from .table import Builtin, builtin


def _linear(
    context: Context, use: Occurrence, arity: int, function: Callable[[Any], Value]
) -> Promised:
    """A function that is linear by what it is made of."""
    type = use.result(arity)
    assert isinstance(type, t.Linear)
    return Promised(context, function, type.domain, type.codomain, checked=False)


def _plus(context: Context, left: Value, right: Value) -> Value:
    if isinstance(left, tuple):
        return tuple(_plus(context, *pair) for pair in zip(left, right, strict=True))
    return context.builder.emit("add", left, right)


def _dup(context: Context, use: Occurrence) -> Value:
    return _linear(context, use, 0, lambda u: (u, u))


def _parts(context: Context, use: Occurrence) -> Value:
    return _linear(context, use, 0, lambda every: every[0] if len(every) == 1 else every)


def _add(context: Context, use: Occurrence) -> Value:
    return _linear(context, use, 0, lambda pair: _plus(context, *pair))


def _diag(context: Context, use: Occurrence, d: Value) -> Value:
    return _linear(context, use, 1, lambda u: context.builder.emit("mul", u, d))


def _scale(context: Context, use: Occurrence, c: Wire) -> Value:
    def scaled(u: Wire) -> Wire:
        factor = context.builder.emit("convert", c, kind=u.type.kind)
        factor = context.builder.emit("broadcast", factor, shape=u.type.shape, axes=())
        return context.builder.emit("mul", factor, u)

    return _linear(context, use, 1, lambda u: map_leaves(scaled, u))


def _elements(type: t.Type) -> tuple[Any, t.Type]:
    assert isinstance(type, t.Array)
    return type.length.value, type.element


def _along(context: Context, length: int | None, sequence: Value) -> tuple[Value, int | Extent]:
    """A sequence and how long it is, where the type does not tell."""
    if length is not None:
        return sequence, length
    if leading(sequence):
        return context.together(sequence)
    counts = {wire.type.shape[0] for wire in leaves(sequence)}
    if len(counts) > 1:
        context.fail(
            "shapes-disagree",
            f"a linear map on {min(counts)} elements is given {max(counts)}, or the reverse",
            "A tangent is as long as the point at which the map was made.",
        )
    return sequence, counts.pop()


def _map_l(context: Context, use: Occurrence, linear: Value) -> Value:
    type = use.result(1)
    assert isinstance(type, t.Linear)
    length, element = _elements(type.domain)
    result = _elements(type.codomain)[1]

    def each(us: Value) -> Value:
        us, count = _along(context, length, us)
        return context.map(count, us, element, linear, result)

    return _linear(context, use, 1, each)


def _each_l(context: Context, use: Occurrence, blocks: Value, sequence: Value) -> Value:
    type = use.result(2)
    assert isinstance(type, t.Linear)
    length, element = _elements(type.domain)
    pair = t.Product((_elements(use.domains()[1])[1], element))
    result = _elements(type.codomain)[1]

    def each(us: Value) -> Value:
        both, count = _along(context, length, (sequence, us))
        return context.map(count, both, pair, lambda each: blocks(each[0])(each[1]), result)

    return _linear(context, use, 2, each)


def _recurrence(reverse: bool) -> Callable[..., Value]:
    def trace(context: Context, use: Occurrence, steps: Value, sequence: Value) -> Value:
        type = use.result(2)
        assert isinstance(type, t.Linear)
        assert isinstance(type.domain, t.Product)
        assert isinstance(type.codomain, t.Product)
        state, inputs = type.domain.items
        length, element = _elements(inputs)
        output = _elements(type.codomain.items[1])[1]
        pair = t.Product((_elements(use.domains()[1])[1], element))

        def run(given: Value) -> Value:
            start, us = given
            both, count = _along(context, length, (sequence, us))
            return context.loop(
                count, start, state, both, pair,
                lambda s, both: steps(both[0])((s, both[1])), output, reverse=reverse,
            )  # fmt: skip

        return _linear(context, use, 2, run)

    return trace


def _choose(context: Context, use: Occurrence, c: Wire, one: Value, other: Value) -> Value:
    type = use.result(3)
    assert isinstance(type, t.Linear)
    codomain = type.codomain

    def chosen(u: Value) -> Value:
        return context.choose(c, lambda: one(u), lambda: other(u), codomain)

    return _linear(context, use, 3, chosen)


def _scatter_add(context: Context, use: Occurrence, index: Wire) -> Value:
    (size,) = use.brackets

    def put(wire: Wire) -> Wire:
        return context.builder.emit("scatterAdd", wire, index, axis=0, size=size)

    return _linear(context, use, 1, lambda u: map_leaves(put, u))


def _overlap_add(context: Context, use: Occurrence) -> Value:
    lengths, count = use.brackets, len(use.brackets)
    stride, dilation = use.options.get("stride", 1), use.options.get("dilation", 1)

    def put(wire: Wire) -> Wire:
        return context.builder.emit(
            "overlapAdd", wire, axis=0, sizes=wire.type.shape[count : 2 * count],
            strides=(stride,) * count, dilations=(dilation,) * count, lengths=tuple(lengths),
        )  # fmt: skip

    return _linear(context, use, 0, lambda u: map_leaves(put, u))


def _polygamma(context: Context, use: Occurrence, x: Wire) -> Value:
    (order,) = use.brackets
    return context.builder.emit("polygamma", x, order=order)


for _record in (
    Builtin(
        "dup", "a -o (a, a) where vector a", 0, _dup,
        doc="Two copies of an element of a vector space; its adjoint is `add`.",
        example="adjoint dup (1, 2)",
    ),
    Builtin(
        "add", "(a, a) -o a where vector a", 0, _add,
        doc="The sum of the two parts of a pair; its adjoint is `dup`.",
        example="(diag [1, 2] *** diag [3, 4] >> add) ([1, 1], [1, 1])",
    ),
    Builtin(
        "parts", "a -o b where b = parts a", 0, _parts,
        doc="The weights of a definition, a value of the type `Weights f`, one by one in the order "
        "of their paths; where there is one weight, that one. The adjoint puts them together.",
        example="net : R[2] ~> R\nnet x = dot ?w x + ?b\nfst (parts (weights net))",
    ),
    Builtin(
        "diag", "a -> (a -o a) where elementwise a", 1, _diag,
        doc="The product with d, entry by entry: the derivative of an elementwise function.",
        latex=r"\operatorname{{diag}} {0}",
        example="adjoint (diag [1, 2]) [3, 4]",
    ),
    Builtin(
        "scale", "R -> (a -o a) where vector a", 1, _scale,
        doc="The product with one number, in any vector space.",
        example="scale 2 [1, 2]",
    ),
    Builtin(
        "mapL", "(a -o b) -> (a[n] -o b[n]) where vector a, vector b", 1, _map_l,
        doc="One linear map for every element. Its adjoint maps the adjoint.",
        example="adjoint (mapL (section (dot [1, 2]))) [1, 0, 3]",
    ),
    Builtin(
        "eachL", "(e -> (a -o b)) -> e[n] -> (a[n] -o b[n]) where vector a, vector b", 2, _each_l,
        doc="A linear map of its own for every element: block diagonal. `eachL f es` is f of "
        "the i-th of `es` on the i-th element.",
        example="eachL diag [[1, 2], [3, 4]] [[1, 1], [1, 1]]",
    ),
    Builtin(
        "recurrence",
        "(e -> ((s, a) -o (s, b))) -> e[n] -> ((s, a[n]) -o (s, b[n])) "
        "where vector s, vector a, vector b",
        2, _recurrence(False),
        doc="A state carried through linear steps: the derivative of an accumulating map. Its "
        "adjoint runs from the end with the adjoint steps.",
        example="snd (recurrence (\\e -> (add >> dup)) [1, 2, 3] (0, [1, 2, 3]))",
    ),
    Builtin(
        "recurrenceRight",
        "(e -> ((s, a) -o (s, b))) -> e[n] -> ((s, a[n]) -o (s, b[n])) "
        "where vector s, vector a, vector b",
        2, _recurrence(True),
        doc="As `recurrence`, from the last element to the first.",
        example="snd (recurrenceRight (\\e -> (add >> dup)) [1, 2, 3] (0, [1, 2, 3]))",
    ),
    Builtin(
        "choose", "Bool -> (a -o b) -> (a -o b) -> (a -o b) where vector a, vector b", 3, _choose,
        doc="The first linear map where the condition holds, else the second: the derivative "
        "of `if`.",
        example="choose (2 > 1) (diag [1, 2]) (scale 0) [1, 1]",
    ),
    Builtin(
        "scatterAdd", "i[m] -> (a[m] -o a[n]) where vector a, index i n", 1, _scatter_add,
        brackets=("n",),
        doc="Elements put at indices, those of one index added up, zero elsewhere: the adjoint "
        "of `gather`.",
        example="scatterAdd[4] [0, 2, 0] [1, 2, 3]",
    ),
    Builtin(
        "overlapAdd", "a[m,k] -o a[n] where vector a", 0, _overlap_add, brackets=("n",),
        doc="Windows laid back at their places and added where they overlap: the adjoint of "
        "`window[k] id`. Options `stride` and `dilation` as there; two or three sizes for two "
        "or three axes.",
        example="overlapAdd[4] [[1, 1], [1, 1], [1, 1]]",
    ),
    Builtin(
        "polygamma", "a -> a where real a", 1, _polygamma, brackets=("n",),
        doc="The n-th derivative of `digamma`.", latex=r"\psi^{{(n)}}({0})",
        example="polygamma[1] [0.5, 1.5]",
    ),
):  # fmt: skip
    builtin(_record)
