"""Sequences of run-time length: what each built-in name means for them.

A `Sequence` is an array with padding behind its elements (graph/values.py). Here is, for
every name that is not a combinator, how padding is kept from being seen; what a sequence
may turn out too short for is required of the context, which tells the example.

    filled               elementwise names and products, of which padding must make
                         nothing that is not finite
    masked               reductions, contractions over the length
    by index             reverse, last, ++, concat: elements are looked up where they are
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from math import prod
from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Wire
from ..graph.scope import Occurrence
from ..graph.sequences import (
    filled,
    filled_throughout,
    leading,
    map_leading,
    masked,
    over,
    present,
    resized,
    where,
)
from ..graph.values import Extent, Sequence, Value, leaves, map_leaves
from .tracing import arguments, axes, of_one_kind, real_inner, spread

Trace = Callable[..., Value]

# --- small helpers -----------------------------------------------------------------------


def _only(context: Context, value: Value) -> Value:
    """Sequences of arrays, along their leading axis, of one length; else the length is
    needed before running."""
    if not leading(value):
        context.needs_length("this")
    together, _ = context.together(value)
    if any(isinstance(part.elements, Sequence) for part in leading(together)):
        context.needs_length("a sequence of sequences")
    return together


def _int(context: Context, number: int) -> Wire:
    return context.builder.constant(number, "Int")


def _required(context: Context, length: Wire, least: int, problem: str) -> None:
    enough = context.builder.emit("compare", length, _int(context, least), how="ge")
    context.require(enough, problem)


def _counted(context: Context, conditions: Wire) -> Wire:
    """How many of some truth values hold."""
    whole = context.builder.emit("convert", conditions, kind="Int")
    return context.builder.emit("sum", whole, axes=(0,))


def _plus(context: Context, length: Wire, number: int) -> Wire:
    return context.builder.emit("add", length, _int(context, number)) if number else length


# --- elementwise ---------------------------------------------------------------------------


def elementwise(trace: Trace) -> Trace:
    """A function of every entry by itself."""

    def ragged(context: Context, occurrence: Occurrence, value: Value) -> Value:
        return trace(context, occurrence, filled_throughout(context.builder, value))

    return ragged


def lifted(name: str, **parameters: Any) -> Trace:
    """An operation of two operands that lifts, where either is a sequence: on all of the
    room, the lengths being required to agree."""

    def trace(context: Context, occurrence: Occurrence, *operands: Value) -> Value:
        types, _ = arguments(occurrence.type, len(operands))
        return lift(context, name, operands, [axes(type) for type in types], **parameters)

    return trace


def lift(
    context: Context, name: str, operands: tuple[Value, ...], counts: list[int], **parameters: Any
) -> Value:
    """`name` on operands with so many axes around their element types each."""
    tuples = [value for value in operands if isinstance(value, tuple)]
    if tuples:
        parts = [
            value if isinstance(value, tuple) else (value,) * len(tuples[0]) for value in operands
        ]
        return tuple(
            lift(context, name, items, counts, **parameters) for items in zip(*parts, strict=True)
        )
    builder, most = context.builder, max(counts)
    grids = [_Grid.of(context, filled_throughout(builder, value)) for value in operands]
    # Axes are counted from the innermost one around the elements, where all are aligned.
    lengths: dict[int, Wire] = {}
    sizes: dict[int, int] = {}
    for grid, count in zip(grids, counts, strict=True):
        for axis in range(count):
            place = most - count + axis
            size = grid.wire.type.shape[axis]
            sizes[place] = min(size, sizes.get(place, size))
    for grid, count in zip(grids, counts, strict=True):
        for axis in range(count):
            place = most - count + axis
            _agree(context, lengths, place, grid, axis, sizes)
    inner = max((grid.wire.type.shape[count:] for grid, count in zip(grids, counts, strict=True)),
                key=len)  # fmt: skip
    shape = (*(sizes[place] for place in range(most)), *inner)
    wires = []
    for grid, count in zip(grids, counts, strict=True):
        wire = grid.wire
        for axis in range(count):
            wire = resized(builder, wire, axis, sizes[most - count + axis])
        for place in lengths.keys() & range(most - count):
            wire = _where_any(context, wire, lengths[place])
        places = range(most - count, most - count + wire.type.rank)
        wires.append(wire if wire.type.shape == shape else spread(builder, wire, shape, places))
    made = builder.emit(name, *of_one_kind(builder, *wires), **parameters)
    filling = all(grid.filled or not grid.lengths for grid in grids)
    return _Grid(made, lengths, filling).value(context)


def _where_any(context: Context, wire: Wire, length: Wire) -> Wire:
    """What meets every element of a sequence, where it has any. Of none it may be
    anything, a logsumexp of nothing say, and would meet the padding."""
    builder = context.builder
    if wire.type.kind not in ("R", "C") or context.constant_value(wire) is not None:
        return wire
    some = builder.emit("compare", length, _int(context, 0), how="gt")
    one = builder.constant(1.0, wire.type.kind)
    return where(builder, some, wire, spread(builder, one, wire.type.shape, ()))


def _agree(
    context: Context, lengths: dict[int, Wire], place: int, grid: _Grid, axis: int,
    sizes: dict[int, int],
) -> None:  # fmt: skip
    """The length of an axis is required to be what it is in the other operands."""
    own = grid.lengths.get(axis)
    if own is None and (place in lengths or grid.wire.type.shape[axis] != sizes[place]):
        own = _int(context, grid.wire.type.shape[axis])
    if own is None:
        return
    if place not in lengths:
        lengths[place] = own
    elif lengths[place] is not own:
        context.same_length(lengths[place], own)


class _Grid:
    """An array some of whose axes have a length known only at run time, the same
    wherever one stands in the others: no row is shorter than the next."""

    def __init__(self, wire: Wire, lengths: dict[int, Wire], filled: bool) -> None:
        self.wire, self.lengths, self.filled = wire, lengths, filled

    @classmethod
    def of(cls, context: Context, value: Value) -> _Grid:
        lengths: dict[int, Wire] = {}
        filling = isinstance(value, Sequence)
        while isinstance(value, Sequence):
            lengths[value.axis] = _same_everywhere(context, value.length)
            filling = filling and value.filled
            value = value.elements
        if not isinstance(value, Wire):
            context.needs_length("this")
        return cls(value, lengths, filling)

    def value(self, context: Context) -> Value:
        """The nested sequences that this is."""
        made: Value = self.wire
        for axis in sorted(self.lengths, reverse=True):
            length = self.lengths[axis]
            if axis:
                length = spread(context.builder, length, self.wire.type.shape[:axis], ())
            made = Sequence(made, length, self.filled)
        return made


def _same_everywhere(context: Context, length: Wire) -> Wire:
    """A length that does not depend on where a sequence stands in others."""
    if not length.type.shape:
        return length
    builder = context.builder
    node = builder.producer(builder.own(length))
    operation = getattr(node, "operation", None)
    primitive = getattr(operation, "primitive", None)
    if node is None or primitive is None or primitive.name != "broadcast":
        context.needs_length("a sequence of sequences")
    if node.inputs[0].type.shape:
        context.needs_length("a sequence of sequences")
    return node.inputs[0]


# --- contraction -----------------------------------------------------------------------------


def matmul(context: Context, _occurrence: Occurrence, a: Value, b: Value) -> Value:
    """`a @ b`; where the length is contracted, padding counts for nothing."""
    left, right = (_Grid.of(context, filled_throughout(context.builder, value)) for value in (a, b))
    last = left.wire.type.rank - 1
    size = min(left.wire.type.shape[last], right.wire.type.shape[0])
    lengths: dict[int, Wire] = {}
    sizes = {0: size}
    for grid, axis in ((left, last), (right, 0)):
        _agree(context, lengths, 0, grid, axis, sizes)
    wires = []
    for grid, axis in ((left, last), (right, 0)):
        wire = resized(context.builder, grid.wire, axis, size)
        if 0 in lengths:
            wire = _zero_beyond(context, wire, axis, lengths[0])
        wires.append(wire)
    labels = tuple(range(last + 1))
    other = (last, *range(last + 1, last + right.wire.type.rank))
    wires = of_one_kind(context.builder, *wires)
    made = context.builder.emit(
        "contract", *wires, left=labels, right=other, out=(*labels[:-1], *other[1:])
    )
    rest = {axis: length for axis, length in left.lengths.items() if axis != last}
    rest |= {last + axis - 1: length for axis, length in right.lengths.items() if axis}
    filling = all(grid.filled or not grid.lengths for grid in (left, right))
    return _Grid(made, rest, filling).value(context)


def _zero_beyond(context: Context, wire: Wire, axis: int, length: Wire) -> Wire:
    builder, shape = context.builder, wire.type.shape
    mask = present(builder, Extent(shape[axis], length))
    mask = spread(builder, mask, shape, (axis,))
    return builder.emit("select", mask, wire, builder.zeros(wire.type))


def inner(context: Context, _occurrence: Occurrence, a: Value, b: Value) -> Wire:
    """The inner product: padding counts for nothing."""
    builder = context.builder
    terms = []
    for x, y in zip(_parts(a), _parts(b), strict=True):
        left, right = _Grid.of(context, x), _Grid.of(context, y)
        lengths: dict[int, Wire] = {}
        shapes = zip(left.wire.type.shape, right.wire.type.shape, strict=True)
        sizes = {axis: min(both) for axis, both in enumerate(shapes)}
        wires = [left.wire, right.wire]
        for axis in sizes:
            for grid in (left, right):
                _agree(context, lengths, axis, grid, axis, sizes)
            wires = [resized(builder, wire, axis, sizes[axis]) for wire in wires]
            if axis in lengths:
                wires = [_zero_beyond(context, wire, axis, lengths[axis]) for wire in wires]
        terms.append(real_inner(builder, *wires))
    if not terms:
        return builder.constant(0.0)
    return reduce(lambda total, term: builder.emit("add", total, term), terms)


def _parts(value: Value) -> Iterator[Value]:
    if isinstance(value, tuple):
        for item in value:
            yield from _parts(item)
    else:
        yield value


def norm(context: Context, occurrence: Occurrence, value: Value) -> Value:
    return context.builder.emit("magnitude", inner(context, occurrence, value, value))


def transpose(context: Context, _occurrence: Occurrence, matrix: Value) -> Value:
    def one(value: Value) -> Value:
        grid = _Grid.of(context, value)
        permutation = (1, 0, *range(2, grid.wire.type.rank))
        wire = context.builder.emit("transpose", grid.wire, permutation=permutation)
        lengths = {{0: 1, 1: 0}.get(axis, axis): length for axis, length in grid.lengths.items()}
        return _Grid(wire, lengths, grid.filled).value(context)

    return map_leading(one, matrix)


# --- reductions -------------------------------------------------------------------------------

# What padding becomes, so that it changes nothing. The extremes of Ints are filled with
# the first element instead: there is no smallest Int.
_NEUTRAL = {
    "sum": 0.0, "product": 1.0, "logsumexp": float("-inf"),
    "maximum": float("-inf"), "minimum": float("inf"), "argmax": float("-inf"),
}  # fmt: skip
_OF_NOTHING = ("maximum", "minimum", "argmax")


def reduction(name: str, **parameters: Any) -> Trace:
    """A reduction over the length."""

    def trace(context: Context, _occurrence: Occurrence, value: Value) -> Value:
        if not leading(value):
            context.needs_length(f"`{name}`")
        value, extent = context.together(value)
        if name in _OF_NOTHING:
            _required(context, extent.length, 1, f"the {name} of nothing")
        return map_leading(lambda part: reduced(context, name, part, parameters), value)

    return trace


def reduced(context: Context, name: str, sequence: Sequence, parameters: dict[str, Any]) -> Value:
    builder = context.builder
    if isinstance(sequence.elements, Sequence):
        grid = _Grid.of(context, sequence)
        inside = {axis - 1: length for axis, length in grid.lengths.items() if axis}
        wire = reduced(context, name, Sequence(grid.wire, sequence.length), parameters)
        return _Grid(wire, inside, False).value(context)
    wire = sequence.elements
    if sequence.capacity == 0 and name in _OF_NOTHING:  # refused already
        kind = "Int" if name == "argmax" else wire.type.kind
        return builder.zeros(ArrayType(kind, wire.type.shape[1:]))
    if name in _OF_NOTHING and wire.type.kind == "Int":
        wire = filled(builder, sequence).elements
    else:
        wire = masked(builder, sequence, _NEUTRAL[name])
    return builder.emit(name, wire, **(parameters or {"axes": (0,)}))


def mean(context: Context, _occurrence: Occurrence, value: Value) -> Value:
    if not leading(value):
        context.needs_length("`mean`")
    value, extent = context.together(value)
    _required(context, extent.length, 1, "the mean of nothing")
    builder = context.builder
    count = builder.emit("max", extent.length, _int(context, 1))
    share = builder.emit("reciprocal", builder.emit("convert", count, kind="R"))

    def of_leaf(wire: Wire) -> Wire:
        factor = builder.emit("convert", share, kind=wire.type.kind)
        return builder.emit("mul", wire, spread(builder, factor, wire.type.shape, ()))

    totals = map_leading(lambda part: reduced(context, "sum", part, {}), value)
    return map_leaves(of_leaf, totals)


# --- elements by their place -------------------------------------------------------------------


def length(context: Context, _occurrence: Occurrence, xs: Value) -> Value:
    if not leading(xs):
        return _int(context, leaves(xs)[0].type.shape[0])
    return context.together(xs)[1].length


def _looked_up(context: Context, part: Sequence, index: Wire) -> Value:
    """The elements at an index, or several, inside the room; what there is of lengths
    inside goes along."""

    def at(value: Value) -> Value:
        if isinstance(value, Sequence):
            return Sequence(at(value.elements), at(value.length))
        return context.builder.emit("gather", value, index, axis=0)

    return at(part.elements)


def element(which: str) -> Trace:
    """`head` or `last`."""

    def trace(context: Context, _occurrence: Occurrence, xs: Value) -> Value:
        if not leading(xs):
            context.needs_length(f"`{which}`")
        xs, extent = context.together(xs)
        _required(context, extent.length, 1, f"the {which} of nothing")
        place = _int(context, 0) if which == "head" else _plus(context, extent.length, -1)
        return map_leading(lambda part: _at(context, part, place), xs)

    return trace


def _at(context: Context, part: Sequence, place: Wire) -> Value:
    if part.capacity == 0:  # refused already
        return map_leaves(lambda wire: context.builder.zeros(wire.type.element()), part.elements)
    return _looked_up(context, part, place)


def index(context: Context, _occurrence: Occurrence, xs: Value, place: Value) -> Value:
    """`xs ! i` and `gather xs is`: an index outside is moved to the nearest end."""
    builder = context.builder
    if isinstance(place, Sequence):
        if leading(xs):
            context.needs_length("`gather`")
        grid = _Grid.of(context, place)
        found = map_leaves(lambda leaf: builder.emit("gather", leaf, grid.wire, axis=0), xs)
        return map_leaves_over(found, place)
    if not leading(xs):
        context.needs_length("`!`")
    xs, extent = context.together(xs)
    _required(context, extent.length, 1, "an element of nothing")
    end = spread(builder, _plus(context, extent.length, -1), place.type.shape, ())
    return map_leading(lambda part: _at(context, part, builder.emit("min", place, end)), xs)


def map_leaves_over(found: Value, like: Sequence) -> Value:
    return over(found, like.length, filled=like.filled)


def reverse(context: Context, _occurrence: Occurrence, xs: Value) -> Value:
    if not leading(xs):
        context.needs_length("`reverse`")
    xs, extent = context.together(xs)
    if extent.capacity == 0:
        return xs
    builder = context.builder
    final = spread(builder, _plus(context, extent.length, -1), (extent.capacity,), ())
    places = builder.emit("subtract", final, builder.emit("iota", size=extent.capacity))
    return map_leading(lambda part: Sequence(_looked_up(context, part, places), extent.length), xs)


def take(context: Context, occurrence: Occurrence, xs: Value) -> Value:
    (count,) = occurrence.brackets
    builder = context.builder
    if isinstance(count, Extent):
        if leading(xs):
            context.needs_length("`take`")

        def some(wire: Wire) -> Wire:
            kept = min(count.capacity, wire.type.shape[0])
            return builder.emit("slice", wire, axis=0, start=0, stop=kept, stride=1)

        most = leaves(xs)[0].type.shape[0]
        enough = builder.emit("compare", count.length, _int(context, most), how="le")
        context.require(enough, f"more than all of {most} elements are taken")
        return over(map_leaves(some, xs), count.length)
    xs = _only(context, xs)
    _required(context, context.together(xs)[1].length, count, f"take[{count}] of fewer elements")
    return map_leading(lambda part: resized(builder, part.elements, 0, count), xs)


def drop(context: Context, occurrence: Occurrence, xs: Value) -> Value:
    (count,) = occurrence.brackets
    if isinstance(count, Extent):
        context.needs_length("`drop`")
    xs = _only(context, xs)
    _, extent = context.together(xs)
    _required(context, extent.length, count, f"drop[{count}] of fewer elements")
    rest = _plus(context, extent.length, -count)

    def cut(wire: Wire) -> Wire:
        start = min(count, extent.capacity)
        return context.builder.emit(
            "slice", wire, axis=0, start=start, stop=extent.capacity, stride=1
        )

    return map_leading(lambda part: Sequence(map_leaves(cut, part.elements), rest), xs)


def shift(context: Context, occurrence: Occurrence, xs: Value) -> Value:
    (places,) = occurrence.brackets
    if isinstance(places, Extent):
        context.needs_length("`shift`")
    xs = _only(context, xs)

    def moved(part: Sequence) -> Sequence:
        wire = context.builder.emit(
            "pad", masked(context.builder, part, 0.0), axis=0, low=places, high=-places, interior=0
        )
        return Sequence(wire, part.length)

    return map_leading(moved, xs)


def append(context: Context, _occurrence: Occurrence, xs: Value, ys: Value) -> Value:
    """Two sequences, one after the other: padding of the first goes behind the second."""
    if isinstance(xs, tuple):
        return tuple(append(context, _occurrence, x, y) for x, y in zip(xs, ys, strict=True))
    if not (leading(xs) or leading(ys)):
        context.needs_length("`++`")
    builder = context.builder
    pieces = [value.elements if leading(value) else value for value in (xs, ys)]
    if any(isinstance(piece, Sequence) for piece in pieces):
        context.needs_length("a sequence of sequences")
    rooms = [piece.type.shape[0] for piece in pieces]
    lengths = [
        value.length if leading(value) else _int(context, room)
        for value, room in zip((xs, ys), rooms, strict=True)
    ]
    joined = builder.emit("concat", *pieces, axis=0)
    whole = builder.emit("add", *lengths)
    if not leading(xs) or rooms[0] == 0 or rooms[1] == 0:
        return Sequence(joined, whole)
    # Place i is i in the first, and behind its padding in the second.
    room = sum(rooms)
    places = builder.emit("iota", size=room)
    first = present(builder, Extent(room, lengths[0]))
    behind = builder.emit("subtract", _int(context, rooms[0]), lengths[0])
    later = builder.emit("add", places, spread(builder, behind, (room,), ()))
    index = builder.emit("select", first, places, later)
    return Sequence(builder.emit("gather", joined, index, axis=0), whole)


def concat(context: Context, occurrence: Occurrence, xss: Value) -> Value:
    """The rows of a sequence one after the other, whatever their lengths."""
    if isinstance(xss, tuple):
        return tuple(concat(context, occurrence, part) for part in xss)
    builder = context.builder
    outer, rows = (xss.extent, xss.elements) if leading(xss) else (None, xss)
    inner = rows.extent if isinstance(rows, Sequence) and rows.axis == 1 else None
    n, m = leaves(rows)[0].type.shape[:2]

    def joined(wire: Wire) -> Wire:
        return builder.emit("reshape", wire, shape=(n * m, *wire.type.shape[2:]))

    whole = _each_wire(joined, rows.elements if inner is not None else rows)
    if inner is None:
        if outer is None:
            return whole
        return Sequence(whole, builder.emit("mul", outer.length, _int(context, m)))
    there = present(builder, inner)
    if outer is not None:
        row = spread(builder, present(builder, outer), (n, m), (0,))
        there = builder.emit("and", there, row)
    there = builder.emit("convert", joined(there), kind="Int")
    # The places that hold an element, in their order, and then the others.
    places = builder.emit("top", there, axis=0, count=n * m)
    count = builder.emit("sum", there, axes=(0,))
    return Sequence(_looked_up(context, Sequence(whole, count), places), count)


def flatten(context: Context, _occurrence: Occurrence, xs: Value) -> Value:
    """All entries of rows of known shape in one axis."""
    if not isinstance(xs, Sequence) or xs.axis or not isinstance(xs.elements, Wire):
        context.needs_length("`flatten`")
    count, *rest = xs.elements.type.shape
    wire = context.builder.emit("reshape", xs.elements, shape=(count * prod(rest),))
    length = context.builder.emit("mul", xs.length, _int(context, prod(rest)))
    return Sequence(wire, length, xs.filled and prod(rest) == 1)


def _each_wire(function: Callable[[Wire], Wire], value: Value) -> Value:
    """`function` on the arrays of a row's elements, lengths inside among them."""
    if isinstance(value, Sequence):
        return Sequence(_each_wire(function, value.elements), function(value.length))
    return map_leaves(function, value)


def split(context: Context, occurrence: Occurrence, xs: Value) -> Value:
    """Groups, with nothing left over: the length has to be a multiple."""
    (size,) = occurrence.brackets
    if isinstance(size, Extent) or size == 0:
        context.needs_length("`split`")
    xs = _only(context, xs)
    _, whole = context.together(xs)
    patches, extent = groups(context, xs, size)
    covered = context.builder.emit("mul", extent.length, _int(context, size))
    same = context.builder.emit("compare", covered, whole.length, how="eq")
    context.require(same, f"split[{size}] of a length that is no multiple of {size}")
    return patches


def top(context: Context, occurrence: Occurrence, xs: Value) -> Value:
    """The largest entries; padding is smaller than all."""
    (count,) = occurrence.brackets
    if isinstance(count, Extent):
        context.needs_length("`topK`")
    xs = _only(context, xs)
    _required(context, xs.length, count, f"topK[{count}] of fewer elements")
    builder = context.builder
    wire = masked(builder, xs, float("-inf"))
    if count > xs.capacity:  # refused already
        return builder.zeros(ArrayType("R", (count,))), builder.zeros(ArrayType("Int", (count,)))
    places = builder.emit("top", wire, axis=0, count=count)
    return builder.emit("gather", xs.elements, places, axis=0), places


def iota(context: Context, occurrence: Occurrence) -> Value:
    (count,) = occurrence.brackets
    return Sequence(context.builder.emit("iota", size=count.capacity), count.length)


def replicate(context: Context, occurrence: Occurrence, x: Value) -> Value:
    (count,) = occurrence.brackets
    if not isinstance(count, Extent) or leading(x):
        context.needs_length("`replicate`")

    def copies(wire: Wire) -> Wire:
        shape = (count.capacity, *wire.type.shape)
        return spread(context.builder, wire, shape, range(1, wire.type.rank + 1))

    return over(map_leaves(copies, x), count.length, filled=True)


# --- windows ------------------------------------------------------------------------------------


def windows(
    context: Context, xs: Value, size: int, stride: int, dilation: int, padding: object
) -> tuple[Value, Extent]:
    """All windows over a sequence, as a sequence of arrays."""
    xs = _only(context, xs)
    _, extent = context.together(xs)
    builder = context.builder
    reach = (size - 1) * dilation + 1
    if padding == "same" and stride != 1:
        return _strided(context, xs, size, stride, dilation)
    if padding == "same":
        low, high = (reach - 1) // 2, reach - 1 - (reach - 1) // 2
    else:
        low = high = 0 if padding == "valid" else int(str(padding))
    padded = _plus(context, extent.length, low + high)
    if padding != "same":
        fits = builder.emit("compare", padded, _int(context, reach), how="ge")
        context.require(fits, f"a window of {reach} does not fit into fewer elements")
    room = max(extent.capacity + low + high, reach)

    def patches(part: Sequence) -> Value:
        wire = masked(builder, part, 0.0) if low or high else part.elements
        wire = builder.emit("pad", wire, axis=0, low=low, high=high, interior=0)
        wire = resized(builder, wire, 0, room)
        return builder.emit(
            "windows", wire, axis=0, sizes=(size,), strides=(stride,), dilations=(dilation,)
        )

    positions = (room - reach) // stride + 1
    return _placed(context, map_leading(patches, xs), padded, reach, stride, positions)


def _strided(
    context: Context, xs: Value, size: int, stride: int, dilation: int
) -> tuple[Value, Extent]:
    """The windows of `pad=same` with a stride: as many as there are strides in the length,
    centred, so that the length says how many zeros come in front."""
    _, extent = context.together(xs)
    builder = context.builder
    reach = (size - 1) * dilation + 1
    count = builder.emit("divide", _plus(context, extent.length, stride - 1), _int(context, stride))
    steps = builder.emit("mul", _plus(context, count, -1), _int(context, stride))
    missing = builder.emit("subtract", _plus(context, steps, reach), extent.length)
    missing = builder.emit("max", missing, _int(context, 0))
    low = builder.emit("divide", missing, _int(context, 2))
    most = (reach - 1) // 2  # so many in front at most
    positions = -(-extent.capacity // stride)
    room = max(positions - 1, 0) * stride + reach
    start = builder.emit("subtract", _int(context, most), low)
    places = builder.emit("iota", size=room)
    places = builder.emit("add", places, spread(builder, start, (room,), ()))

    def patches(part: Sequence) -> Value:
        wire = masked(builder, part, 0.0)
        high = room - extent.capacity
        wire = builder.emit("pad", wire, axis=0, low=most, high=high, interior=0)
        wire = builder.emit("gather", wire, places, axis=0)
        made = builder.emit(
            "windows", wire, axis=0, sizes=(size,), strides=(stride,), dilations=(dilation,)
        )
        return resized(builder, made, 0, positions)

    return over(map_leading(patches, xs), count), Extent(positions, count)


def groups(context: Context, xs: Value, size: int) -> tuple[Value, Extent]:
    """Windows that do not overlap; what is left over is dropped."""
    xs = _only(context, xs)
    _, extent = context.together(xs)
    positions = extent.capacity // size

    def split(part: Sequence) -> Value:
        wire = resized(context.builder, part.elements, 0, positions * size)
        shape = (positions, size, *wire.type.shape[1:])
        return context.builder.emit("reshape", wire, shape=shape)

    return _placed(context, map_leading(split, xs), extent.length, size, size, positions)


def _placed(
    context: Context, patches: Value, length: Wire, reach: int, stride: int, positions: int
) -> tuple[Value, Extent]:
    """Windows as a sequence: of as many as end before the end."""
    builder = context.builder
    places = builder.emit("iota", size=positions)
    ends = builder.emit(
        "add",
        builder.emit("mul", places, spread(builder, _int(context, stride), (positions,), ())),
        spread(builder, _int(context, reach), (positions,), ()),
    )
    inside = builder.emit("compare", ends, spread(builder, length, (positions,), ()), how="le")
    count = _counted(context, inside)
    return over(patches, count), Extent(positions, count)


__all__ = [
    "append", "concat", "drop", "element", "elementwise", "flatten", "groups", "index", "inner",
    "iota",
    "length", "lift", "lifted", "matmul", "mean", "norm", "reduction", "replicate", "reverse",
    "shift", "split", "take", "top", "transpose", "windows",
]  # fmt: skip
