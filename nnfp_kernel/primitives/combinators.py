"""Combinators: architectures as functions of functions (LANGUAGE section 5).

Each becomes one structured node of the graph: a map, a loop, or wires that are
merely led elsewhere. What a combinator hands to a function is a pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..graph.context import Context
from ..graph.graph import ArrayType, Wire
from ..graph.scope import Occurrence
from ..graph.sequences import elements, leading, over, where
from ..graph.values import (
    Extent,
    Items,
    Value,
    holds_sequence,
    item_at,
    item_count,
    leaves,
    map_leaves,
)
from ..language import types as t
from ..language.sizes import constant
from . import sequences
from .linear_values import LinearValue
from .table import Builtin, builtin


def _length(sequence: Value, type: t.Type) -> int:
    """How many elements there are: as the wires say, all of which must agree."""
    if (count := item_count(sequence)) is not None:
        return count
    lengths = {wire.type.shape[0] for wire in leaves(sequence)}
    if len(lengths) > 1:
        found = " and ".join(map(str, sorted(lengths)))
        raise ValueError(f"sequences that go together have lengths {found}")
    if lengths:
        return lengths.pop()
    assert isinstance(type, t.Array)
    length = type.length.value
    if length is None:
        raise ValueError("the length of this sequence cannot be told: its elements hold no numbers")
    return length


def _along(context: Context, sequence: Value, type: t.Type) -> tuple[Value, int | Extent]:
    """What a combinator runs along, and how many elements it has."""
    if leading(sequence):
        return context.together(sequence)
    return sequence, _length(sequence, type)


def _element(type: t.Type) -> t.Type:
    assert isinstance(type, t.Array)
    return type.element


def _zipped(type: t.Type) -> t.Array:
    """`(a[n], b[n])` as `(a, b)[n]`."""
    assert isinstance(type, t.Product)
    first = type.items[0]
    assert isinstance(first, t.Array)
    return t.Array(t.Product(tuple(_element(item) for item in type.items)), first.length)


# --- one by one ------------------------------------------------------------------------


def _map(context: Context, use: Occurrence, function: Value, xs: Value) -> Value:
    _, sequence = use.domains()[:2]
    result = _element(use.result(2))
    xs, length = _along(context, xs, sequence)
    return context.map(length, xs, _element(sequence), function, result)


def _zip_with(context: Context, use: Occurrence, function: Value, pair: Value) -> Value:
    sequence = _zipped(use.domains()[1])
    pair, length = _along(context, pair, sequence)
    return context.map(length, pair, sequence.element, function, _element(use.result(2)))


def _zip(context: Context, use: Occurrence, pair: Value) -> Value:
    # An array of pairs is a pair of arrays; with trees, they are pairs one by one.
    sequence = _zipped(use.domains()[0])
    pair, length = _along(context, pair, sequence)
    if any(isinstance(side, Items) for side in pair):
        assert isinstance(length, int)
        made = tuple(item_at(context.builder, pair, k) for k in range(length))
        return Items(sequence.element, made)
    return pair


def _unzip(context: Context, use: Occurrence, pairs: Value) -> Value:
    if not isinstance(pairs, Items):
        return pairs
    sides = use.result(1)
    assert isinstance(sides, t.Product)
    return tuple(
        context.sequence([item[k] for item in pairs.items], _element(side))
        for k, side in enumerate(sides.items)
    )


builtin(
    Builtin(
        "map", "(a -> b) -> a[n] -> b[n]", 2, _map,
        doc="A function on every element: one layer applied everywhere, its weights shared.",
        latex=r"\mathrm{{map}}({0})",
        example="map square [1, 2, 3]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "zip", "(a[n], b[n]) -> (a, b)[n]", 1, _zip,
        doc="Two sequences of one length as a sequence of pairs.",
        example="zip ([1, 2], [3, 4])",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "unzip", "(a, b)[n] -> (a[n], b[n])", 1, _unzip,
        doc="A sequence of pairs as a pair of sequences.",
        example="unzip (zip ([1, 2], [3, 4]))",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "zipWith", "((a, b) -> c) -> (a[n], b[n]) -> c[n]", 2, _zip_with,
        doc="A function of pairs on two sequences of one length.",
        example="zipWith (*) ([1, 2], [3, 4])",
        ragged=True,
    )
)  # fmt: skip


# --- along a sequence, with a state ---------------------------------------------------------


def _fold(reverse: bool) -> Callable[..., Value]:
    def trace(context: Context, use: Occurrence, step: Value, start: Value, xs: Value) -> Value:
        _, state, sequence = use.domains()[:3]
        xs, length = _along(context, xs, sequence)
        final, _ = context.loop(
            length, start, state, xs, _element(sequence),
            lambda s, x: (step((s, x)), ()), t.UNIT, reverse=reverse,
        )  # fmt: skip
        return final

    return trace


def _scan(context: Context, use: Occurrence, step: Value, start: Value, xs: Value) -> Value:
    _, state, sequence = use.domains()[:3]

    def accumulate(s: Value, x: Value) -> tuple[Value, Value]:
        after = step((s, x))
        return after, after

    xs, length = _along(context, xs, sequence)
    _, states = context.loop(length, start, state, xs, _element(sequence), accumulate, state)
    return states


def _map_accumulate(reverse: bool) -> Callable[..., Value]:
    def trace(context: Context, use: Occurrence, step: Value, start: Value, xs: Value) -> Value:
        _, state, sequence = use.domains()[:3]
        result = use.result(3)
        assert isinstance(result, t.Product)
        xs, length = _along(context, xs, sequence)
        return context.loop(
            length, start, state, xs, _element(sequence),
            lambda s, x: step((s, x)), _element(result.items[1]), reverse=reverse,
        )  # fmt: skip

    return trace


def _unfold(context: Context, use: Occurrence, step: Value, seed: Value) -> Value:
    _, state = use.domains()[:2]
    _, outputs = context.loop(
        use.brackets[0], seed, state, (), t.UNIT, lambda s, _: step(s), _element(use.result(2))
    )
    return outputs


def _unfold_while(context: Context, use: Occurrence, step: Value, seed: Value) -> Value:
    """A loop of n steps that stays where it is once it was told to stop, and starts from
    the seed again, so that nothing is computed that is not computed anyway."""
    _, state = use.domains()[:2]
    builder, (most,) = context.builder, use.brackets
    if isinstance(most, Extent):
        context.needs_length("`unfoldWhile`")
    start = [builder.emit("hold", wire) for wire in context.flatten(seed, state)]

    def one(before: Value, _: Value) -> tuple[Value, Value]:
        here, going = before
        builder = context.builder
        wires = context.flatten(here, state)
        safe = [where(builder, going, *pair) for pair in zip(wires, start, strict=True)]
        after, output, more = step(context.rebuild(state, safe, here))
        on = builder.emit("and", going, more)
        moved = context.flatten(after, state)
        kept = [where(builder, on, *pair) for pair in zip(moved, wires, strict=True)]
        return (context.rebuild(state, kept, here), on), (output, on)

    element = _element(use.result(2))
    _, (outputs, on) = context.loop(
        most, (seed, builder.constant(True, "Bool")), t.Product((state, t.BOOL)),
        (), t.UNIT, one, t.Product((element, t.BOOL)),
    )  # fmt: skip
    length = builder.emit("sum", builder.emit("convert", on, kind="Int"), axes=(0,))
    return over(outputs, length)


def _iterate(context: Context, use: Occurrence, function: Value, start: Value) -> Value:
    _, state = use.domains()[:2]
    final, _ = context.loop(
        use.brackets[0], start, state, (), t.UNIT, lambda s, _: (function(s), ()), t.UNIT
    )
    return final


builtin(
    Builtin(
        "fold", "((s, a) -> s) -> s -> a[n] -> s", 3, _fold(reverse=False),
        doc="The state after the last element: an encoding RNN.",
        example="fold (+) 0 [1, 2, 3]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "foldRight", "((s, a) -> s) -> s -> a[n] -> s", 3, _fold(reverse=True),
        doc="A fold that starts at the last element.",
        example="foldRight (\\(s, x) -> s / 2 + x) 0 [1, 2, 3]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "scan", "((s, a) -> s) -> s -> a[n] -> s[n]", 3, _scan,
        doc="The states after each element, without the first one.",
        example="scan (+) 0 [1, 2, 3]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "mapAccum", "((s, a) -> (s, b)) -> s -> a[n] -> (s, b[n])", 3,
        _map_accumulate(reverse=False),
        doc="The accumulating map: a final state and one output an element. An RNN.",
        example="mapAccum (\\(s, x) -> (s + x, s * x)) 0 [1, 2, 3]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "mapAccumRight", "((s, a) -> (s, b)) -> s -> a[n] -> (s, b[n])", 3,
        _map_accumulate(reverse=True),
        doc="The accumulating map from the right; outputs stay at their elements' places.",
        example="mapAccumRight (\\(s, x) -> (s + x, s * x)) 0 [1, 2, 3]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "unfold", "(s -> (s, b)) -> s -> b[n]", 2, _unfold, brackets=("n",),
        doc="n outputs grown from a seed: a generating RNN.",
        example="unfold[4] (\\s -> (2 * s, s)) 1",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "unfoldWhile", "(s -> (s, b, Bool)) -> s -> [b]", 2, _unfold_while, brackets=("n",),
        doc="At most n outputs grown from a seed, while the third is true: the output that "
        "comes with the first False is none of them. A generating RNN with a stop.",
        example="unfoldWhile[8] (\\s -> (2 * s, s, s < 20)) 1",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "iterate", "(a -> a) -> a -> a", 2, _iterate, brackets=("n",),
        doc="One function applied n times over: a deep network with tied weights.",
        example="iterate[3] (* 2) 1",
        ragged=True,
    )
)  # fmt: skip


# --- windows -------------------------------------------------------------------------------


def _over_windows(
    context: Context, function: Value, patches: Value, rank: int, patch: t.Type, result: t.Type
) -> Value:
    """`function` at each of the positions, which are the leading `rank` axes of `patches`.

    `patch` and `result` are the types of one patch and of the whole answer.
    """
    if rank == 0:
        return function(patches)
    inner_patch = patch
    for size in leaves(patches)[0].type.shape[1:rank][::-1]:
        inner_patch = t.Array(inner_patch, constant(size))
    inner_result = _element(result)
    return context.map(
        _length(patches, result),
        patches,
        inner_patch,
        lambda row: _over_windows(context, function, row, rank - 1, patch, inner_result),
        inner_result,
    )


def _window(context: Context, use: Occurrence, function: Value, xs: Value) -> Value:
    if leading(xs):
        return _sliding(context, use, function, xs)
    _known_inside(context, xs)
    domain = use.domains()[0]
    assert isinstance(domain, t.Function)
    rank = len(use.brackets)
    patches = map_leaves(lambda wire: _windows(context, use, wire, 0, use.brackets), xs)
    return _over_windows(context, function, patches, rank, domain.domain, use.result(2))


def _windows(
    context: Context, use: Occurrence, wire: Wire, axis: int, sizes: Sequence[int]
) -> Wire:
    """All windows of these sizes over the axes from this one on: first the positions."""
    rank = len(sizes)
    strides = (_number(use.options.get("stride", 1)),) * rank
    dilations = (_number(use.options.get("dilation", 1)),) * rank
    padding = use.options.get("pad", "valid")
    before, lengths = wire.type.shape[:axis], wire.type.shape[axis : axis + rank]
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]
    if padding == "same" and 0 in lengths:  # of nothing there are no windows, padded or not
        positions = (-(-n // stride) for n, stride in zip(lengths, strides, strict=True))
        rest = wire.type.shape[axis + rank :]
        return context.builder.zeros(
            ArrayType(wire.type.kind, (*before, *positions, *sizes, *rest))
        )
    for k in range(rank):
        if padding == "same":
            # As many positions as there are strides in the axis, centred; the odd zero
            # goes to the end.
            strided = -(-lengths[k] // strides[k])
            total = max((strided - 1) * strides[k] + reach[k] - lengths[k], 0)
            low, high = total // 2, total - total // 2
        else:
            low = high = 0 if padding == "valid" else _number(padding)
        if low or high:
            wire = context.builder.emit("pad", wire, axis=axis + k, low=low, high=high, interior=0)
        padded = wire.type.shape[axis + k]
        if padded < reach[k]:
            raise ValueError(f"a window of {reach[k]} does not fit into {padded} elements")
    return context.builder.emit(
        "windows", wire, axis=axis, sizes=tuple(sizes), strides=strides, dilations=dilations
    )


def _known_inside(context: Context, xs: Value) -> None:
    """Required of what windows over several axes are taken of, behind the leading one."""
    if holds_sequence(xs):
        context.needs_length("a window over rows of different lengths")


def _sliding(context: Context, use: Occurrence, function: Value, xs: Value) -> Value:
    """Windows along a sequence of run-time length."""
    stride, dilation = (_number(use.options.get(name, 1)) for name in ("stride", "dilation"))
    patches, extent = sequences.windows(
        context, xs, use.brackets[0], stride, dilation, use.options.get("pad", "valid")
    )
    return _over_patches(
        context, use, function, patches, extent,
        lambda wire, sizes: _windows(context, use, wire, 1, sizes),
    )  # fmt: skip


def _over_patches(
    context: Context,
    use: Occurrence,
    function: Value,
    patches: Value,
    extent: Extent,
    inside: Callable[[Wire, Sequence[int]], Wire],
) -> Value:
    """`function` at each of the patches along a sequence, and in each along the axes behind
    the leading one, where the patches are `inside`."""
    domain = use.domains()[0]
    assert isinstance(domain, t.Function)
    element, patch, rank = _element(use.result(2)), domain.domain, len(use.brackets)
    if rank == 1:
        return context.map(extent, patches, patch, function, element)
    _known_inside(context, elements(patches))
    entry = patch
    for _ in range(rank):
        entry = _element(entry)
    for size in leaves(patches)[0].type.shape[1 : rank + 1][::-1]:
        entry = t.Array(entry, constant(size))

    def along(stripe: Value) -> Value:
        def one(wire: Wire) -> Wire:
            # From the rows of the patch, positions and places in them, to positions first.
            made = inside(wire, use.brackets[1:])
            order = (*range(1, rank), 0, *range(rank, made.type.rank))
            return context.builder.emit("transpose", made, permutation=order)

        found = map_leaves(one, stripe)
        return _over_windows(context, function, found, rank - 1, patch, element)

    return context.map(extent, patches, entry, along, element)


def _pool(context: Context, use: Occurrence, function: Value, xs: Value) -> Value:
    sizes, rank = use.brackets, len(use.brackets)
    if any(size < 1 for size in sizes):
        raise ValueError("a pool needs at least one element")

    def split(wire: Wire, sizes: Sequence[int] = sizes, first: int = 0) -> Wire:
        """Windows that do not overlap, over the axes from `first` on: positions first."""
        last = first + len(sizes)
        shape = wire.type.shape
        for axis, size in enumerate(sizes, first):
            kept = shape[axis] // size * size
            wire = context.builder.emit("slice", wire, axis=axis, start=0, stop=kept, stride=1)
        each = zip(shape[first:last], sizes, strict=True)
        parts = [part for n, k in each for part in (n // k, k)]
        shape = (*shape[:first], *parts, *shape[last:])
        wire = context.builder.emit("reshape", wire, shape=shape)
        after = first + 2 * len(sizes)
        order = [*range(first), *range(first, after, 2), *range(first + 1, after, 2)]
        rest = range(after, wire.type.rank)
        return context.builder.emit("transpose", wire, permutation=(*order, *rest))

    if leading(xs):
        patches, extent = sequences.groups(context, xs, sizes[0])
        return _over_patches(
            context, use, function, patches, extent, lambda wire, inner: split(wire, inner, 1)
        )
    _known_inside(context, xs)
    domain = use.domains()[0]
    assert isinstance(domain, t.Function)
    patches = map_leaves(split, xs)
    return _over_windows(context, function, patches, rank, domain.domain, use.result(2))


def _number(option: object) -> int:
    assert isinstance(option, int)
    return option


builtin(
    Builtin(
        "window", "(a[k] -> b) -> a[n] -> b[n-k+1]", 2, _window, brackets=("k",),
        doc="A function on every window of k neighbours: a convolution, when it is linear. "
        "Options: stride, pad (valid, same or a number of zeros), dilation; window[h,w] and "
        "window[d,h,w] go over two and three leading axes.",
        example="window[2] sum [1, 2, 3, 4]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "pool", "(a[k] -> b) -> a[n] -> b[n/k]", 2, _pool, brackets=("k",),
        doc="A function on windows that do not overlap; what is left over is dropped.",
        example="pool[2] maximum [1, 5, 2, 3]",
        ragged=True,
    )
)  # fmt: skip


# --- wiring: functions put together -----------------------------------------------------------


def _then(context: Context, use: Occurrence, first: Value, second: Value) -> Value:
    if isinstance(first, LinearValue) and isinstance(second, LinearValue):
        return first.then(second)
    return lambda x: second(first(x))


def _both(context: Context, use: Occurrence, first: Value, second: Value) -> Value:
    if isinstance(first, LinearValue) and isinstance(second, LinearValue):
        return first.both(second)
    return lambda x: (first(x), second(x))


def _beside(context: Context, use: Occurrence, first: Value, second: Value) -> Value:
    if isinstance(first, LinearValue) and isinstance(second, LinearValue):
        return first.beside(second)
    return lambda pair: (first(pair[0]), second(pair[1]))


builtin(
    Builtin(
        ">>", "(a -> b) -> (b -> c) -> a -> c", 2, _then,
        doc="First the left function, then the right one.",
        latex=r"{1} \circ {0}",
        example="(square >> sqrt) 3",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "<<", "(b -> c) -> (a -> b) -> a -> c", 2,
        lambda context, use, after, before: _then(context, use, before, after),
        doc="The left function after the right one.",
        latex=r"{0} \circ {1}",
        example="(sqrt << square) 3",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "|>", "a -> (a -> b) -> b", 2, lambda context, use, x, function: function(x),
        doc="A value led into a function.",
        example="3 |> square",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "&&&", "(a -> b) -> (a -> c) -> a -> (b, c)", 2, _both,
        doc="Both functions of one value: a pair.",
        example="(square &&& sqrt) 4",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "***", "(a -> b) -> (c -> d) -> (a, c) -> (b, d)", 2, _beside,
        doc="Two functions side by side, on a pair.",
        example="(square *** sqrt) (3, 4)",
        ragged=True,
    )
)  # fmt: skip
