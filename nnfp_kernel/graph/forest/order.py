"""The payload of each tree as a sequence, from left to right: what `foldData` runs along.

All payload lies in the arrays of the forest, by constructor and field. `pieces` says where,
one piece after the other; an item of a tree is known by its place in all of them. The places,
and how many there are, come with the forest (`Forest.order`) if somebody asks: a fold of
a forest that has none raises Unordered, and the caller packs again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...language import types as t
from ...language.sizes import constant
from ..graph import Wire
from ..sequences import over
from ..values import Declarations, Extent, Value
from .shape import Constructors, ForestShape, Kind, Unordered
from .wires import HOLE, Forest

if TYPE_CHECKING:
    from ..context import Context

Step = Callable[[t.Type, Value, Value], Value]  # a type with HOLE, payload of it, the state


@dataclass(frozen=True)
class Piece:
    """The payload that one field of some nodes holds: `part` counts the parts of the
    constructor, `holed` is its type with HOLE in place of the last parameter."""

    key: Kind | str
    part: int
    holed: t.Type
    type: t.Type
    start: int
    rows: int
    each: int  # of a node, or of a lane of one: how many elements of a sequence
    sequence: bool = False

    @property
    def size(self) -> int:
        return self.rows * self.each

    @property
    def name(self) -> str:
        return self.key.constructor if isinstance(self.key, Kind) else self.key


def pieces(type: t.Named, shape: ForestShape, declarations: Declarations) -> list[Piece]:
    """All pieces, those of one type together."""
    holed = t.Named(type.name, (*type.arguments[:-1], HOLE))
    found: dict[t.Type, list[Piece]] = {}
    own, open = Constructors.of(type, declarations), Constructors.of(holed, declarations)
    steps = shape.length * shape.width
    keys: list[tuple[Kind | str, int, int]] = [(k, count, k.room) for k, count in shape.leaves]
    keys += [(name, steps, shape.reads) for name in own.inner]
    for key, rows, room in keys:
        kind = key if isinstance(key, Kind) else Kind(key)
        pairs = zip(own.parts(kind.constructor), open.parts(kind.constructor), strict=True)
        for number, (part, other) in enumerate(pairs):
            if own.missing(kind, part) or not t.mentions(other.type, HOLE):
                continue
            if part.type == own.type:
                continue
            each = 1 if part.sequence is None else room
            piece = Piece(
                key, number, other.type, part.type, 0, rows, each, part.sequence is not None
            )
            found.setdefault(other.type, []).append(piece)
    placed, start = [], 0
    for piece in (piece for group in found.values() for piece in group):
        placed.append(replace(piece, start=start))
        start += piece.size
    return placed


def fold_payload(
    context: Context, forest: Forest, step: Step, start: Value, state_type: t.Type
) -> Value:
    """The state after all items of the tree, or of the example's own. Raises Unordered."""
    if forest.shape.items is None:
        raise Unordered(forest.type)
    builder, items = context.builder, forest.shape.items
    groups: dict[t.Type, list[Piece]] = {}
    for piece in pieces(forest.type, forest.shape, context.declarations):
        if piece.size:
            groups.setdefault(piece.holed, []).append(piece)
    if items == 0 or not groups:
        return start
    if forest.own is not None:
        where, length = forest.own(forest.order)
    else:
        where, length = (
            builder.emit("reshape", wire, shape=wire.type.shape[1:]) for wire in forest.order
        )

    columns: list[Value] = [where]
    types: list[t.Type] = [t.INT]
    for group in groups.values():
        # An item of another group reads what it likes here, and nobody looks at it.
        first = _spread(context, group[0].start, items)
        last = _spread(context, sum(piece.size for piece in group) - 1, items)
        own = builder.emit("subtract", where, first)
        if len(groups) > 1:
            own = builder.emit("min", builder.emit("max", own, _spread(context, 0, items)), last)
        whole = _all(context, forest, group)
        rows = [builder.emit("gather", wire, own, axis=0) for wire in whole]
        columns.append(context.rebuild(t.Array(group[0].type, constant(items)), rows))
        types.append(group[0].type)

    holed = list(groups)
    ends = [group[-1].start + group[-1].size for group in groups.values()]

    def after(state: Value, item: Value) -> tuple[Value, tuple[()]]:
        place, *values = item

        def of(k: int) -> Value:
            if k == len(values) - 1:
                return step(holed[k], values[k], state)
            end = context.builder.constant(ends[k], "Int")
            return context.choose(
                context.builder.emit("compare", place, end, how="lt"),
                lambda: step(holed[k], values[k], state), lambda: of(k + 1), state_type,
            )  # fmt: skip

        return of(0), ()

    along = over(tuple(columns), length, filled=True)
    extent = Extent(items, length)
    state, _ = context.loop(
        extent, start, state_type, along, t.Product(tuple(types)), after, t.UNIT
    )
    return state


def _spread(context: Context, number: int, items: int) -> Wire:
    one = context.builder.constant(number, "Int")
    return context.builder.emit("broadcast", one, shape=(items,), axes=())


def _all(context: Context, forest: Forest, group: Sequence[Piece]) -> Iterator[Wire]:
    """The payload of all pieces of one type, one after the other, array by array."""
    builder = context.builder
    columns = zip(*(_wires(context, forest, piece) for piece in group), strict=True)
    for array, column in zip(context.layout(group[0].type), columns, strict=True):
        rows = [
            builder.emit("reshape", wire, shape=(piece.size, *array.shape))
            for wire, piece in zip(column, group, strict=True)
        ]
        yield rows[0] if len(rows) == 1 else builder.emit("concat", *rows, axis=0)


def _wires(context: Context, forest: Forest, piece: Piece) -> list[Wire]:
    """The arrays of one piece, out of those of its nodes' payload (`own_layout`)."""
    constructors = Constructors.of(forest.type, context.declarations)
    kind = piece.key if isinstance(piece.key, Kind) else Kind(piece.key)
    supply = iter(forest.payload[piece.key])
    for children in constructors.sequences(piece.name):
        if not (kind.leaf and children):
            next(supply)
    for number, part in enumerate(constructors.parts(piece.name)):
        if part.type == constructors.type or constructors.missing(kind, part):
            continue
        wires = [next(supply) for _ in context.layout(part.type)]
        if number == piece.part:
            return wires
    raise AssertionError("a piece is one of its constructor's parts")


__all__ = ["Piece", "fold_payload", "pieces"]
