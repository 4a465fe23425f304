"""A known tree laid out as a grown one, level by level: a cotangent of a grown tree, which a
program gives with its constructors, so that a linear map takes it (primitives/linear_values.py).

Every node takes the place that it would have grown at (graph/grown.py), and places without a
node get zeros; the elements of a sequence of children, which lie where there is room for so many,
get zeros after them. That the two trees have the same nodes is required where they run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..language import types as t
from ..language.sizes import constant
from .graph import ArrayType, Wire
from .grown import Functor, Grown, base_name
from .values import NotFirstOrder, Value, Variant, emptied, item_at, item_count, known, lengths
from .values import Sequence as Ragged

if TYPE_CHECKING:
    from .context import Context

DIFFERENT = "the tangent of a tree has the shape of the tree"


def laid_out(context: Context, value: Value, like: Value) -> Value:
    """A value with known trees, laid out as the grown ones of another. That they have the same
    nodes is required."""
    match value, like:
        case (tuple(), tuple()):
            return tuple(laid_out(context, *pair) for pair in zip(value, like, strict=True))
        case Variant(constructor=str(name)), Variant(constructor=str(other)) if name == other:
            fields = laid_out(context, value.fields[name], like.fields[name])
            return replace(value, fields={name: fields})
        case Variant(constructor=str()), Grown():
            return _by_levels(context, value, like)
        case _:
            return value


def _by_levels(context: Context, tree: Variant, like: Grown) -> Grown:
    functor, builder = like.functor, context.builder
    nodes: list[Variant | None] = [tree]
    layers = []
    for level, (layer, alive) in enumerate(zip(like.layers, like.alive, strict=True)):
        fields = {}
        for name, items in functor.fields.items():
            here = [node if node and node.constructor == name else None for node in nodes]
            rows, pattern = [], layer.fields[base_name(name)]
            for k, item in enumerate(items):
                own = [None if node is None else node.fields[name][k] for node in here]
                rows.append(_Fields(context, like, level).row(item, pattern[k], own))
            fields[base_name(name)] = tuple(rows)
        places = list(functor.fields)
        tags = [places.index(node.constructor or "") if node else -1 for node in nodes]
        assert layer.tag is not None
        nowhere = builder.constant([-1] * len(nodes), "Int")
        there = builder.emit("select", alive, layer.tag, nowhere)
        _require_equal(context, there, list(tags))
        layers.append(Variant(layer.type, None, fields, layer.tag))
        below: list[Variant | None] = []
        for node in nodes:
            children = []
            if node is not None and like.slots(level):
                whole = t.Product(functor.fields[node.constructor or ""])
                value = node.fields[node.constructor or ""]
                children = _children(context, functor, whole, value, like.rooms[level])
            below += [*children, *[None] * (like.slots(level) - len(children))]
        nodes = below
    return replace(like, layers=tuple(layers), growth=None)


def _require_equal(context: Context, there: Wire, numbers: Sequence[int | None]) -> None:
    """That the integers over all places are these numbers, where there is one."""
    builder = context.builder
    if all(k is None for k in numbers):
        return
    wanted = builder.constant([0 if k is None else k for k in numbers], "Int")
    same = builder.emit("compare", there, wanted, how="eq")
    none = builder.zeros(ArrayType("Int", (len(numbers),)))
    asked = builder.constant([int(k is not None) for k in numbers], "Int")
    wrong = builder.emit("maximum", builder.emit("select", same, none, asked), axes=(0,))
    right = builder.emit("compare", wrong, builder.constant(0, "Int"), how="eq")
    context.require(right, DIFFERENT)


def _children(
    context: Context, functor: Functor, type: t.Type, value: Value, room: int
) -> list[Variant | None]:
    """The children in a field of a node, in the order of their slots: of the elements of a
    sequence, which has so much `room`, the first of each, then the second."""

    def within(type: t.Type, value: Value) -> list[Variant | None]:
        return _children(context, functor, type, value, room)

    match type:
        case t.Named() if type == functor.tree:
            return [value]
        case t.Product(items=items):
            pairs = zip(items, value, strict=True)
            return [child for pair in pairs for child in within(*pair)]
        case t.Array(element=element, length=length) if t.mentions(element, functor.tree):
            count = item_count(value) or 0 if length.value is None else length.value
            rows = [within(element, item_at(context.builder, value, k)) for k in range(count)]
            if length.value is not None:
                return [child for row in rows for child in row]
            each = len(list(functor.children(element)))
            empty = [None] * (room - count)
            return [
                child for k in range(each) for child in (*(row[k] for row in rows[:room]), *empty)
            ]
        case _:
            return []


@dataclass(frozen=True)
class _Fields:
    """The fields of a level, without the children in them."""

    context: Context
    like: Grown
    level: int

    def row(self, type: t.Type, pattern: Value, values: Sequence[Value]) -> Value:
        """A field over all places, zero where it is not there; `pattern` is that of the grown
        tree."""
        context, tree = self.context, self.like.functor.tree
        if not t.mentions(type, tree):
            return _row(context, type, values)
        match type:
            case t.Named() if type == tree:
                return ()
            case t.Product(items=items):
                columns = [
                    [None if value is None else value[k] for value in values]
                    for k in range(len(items))
                ]
                return tuple(map(self.row, items, pattern, columns))
            case t.Array(element=element, length=length) if length.value is None:
                counts = [None if value is None else item_count(value) or 0 for value in values]
                there = lengths(pattern)[0]
                if not self.like.slots(self.level):  # below the last level there are none
                    there = context.builder.zeros(there.type)
                _require_equal(context, there, counts)
                rows = [
                    [item_at(context.builder, value, k) for k in range(count or 0)]
                    for value, count in zip(values, counts, strict=True)
                ]
                return self.elements(element, pattern, rows)
            case _:
                functor = self.like.functor
                own = [None if v is None else _alone(context, functor, type, v) for v in values]
                return _row(context, t.replace_type(type, tree, t.UNIT), own)

    def elements(self, type: t.Type, pattern: Value, rows: Sequence[Sequence[Value]]) -> Value:
        """What stands beside the children in the elements of sequences, over all places."""
        context, tree = self.context, self.like.functor.tree
        match type:
            case t.Named() if type == tree:
                return pattern
            case t.Product(items=items):
                columns = [[[each[k] for each in row] for row in rows] for k in range(len(items))]
                return tuple(map(self.elements, items, pattern, columns))
            case _ if t.mentions(type, tree):
                raise NotFirstOrder(type)
        room = pattern.capacity
        zero = context.zero(emptied(type))
        whole = t.Array(type, constant(room))
        values = []
        for row in rows:
            every = (*row[:room], *[zero] * (room - len(row)))
            padded = [context.flatten(each, type) for each in every]
            stacked = [context.stacked(each) for each in zip(*padded, strict=True)]
            values.append(context.rebuild(whole, stacked) if room else None)
        return Ragged(_row(context, whole, values), pattern.length, pattern.filled)


def _alone(context: Context, functor: Functor, type: t.Type, value: Value) -> Value:
    """A field of a known node without the children in it."""
    match type:
        case t.Named() if type == functor.tree:
            return ()
        case t.Product(items=items):
            pairs = zip(items, value, strict=True)
            return tuple(_alone(context, functor, *pair) for pair in pairs)
        case t.Array(element=element) if t.mentions(element, functor.tree):
            rest = t.replace_type(element, functor.tree, t.UNIT)
            parts = (item_at(context.builder, value, k) for k in range(known(type.length)))
            kept = [context.flatten(_alone(context, functor, element, p), rest) for p in parts]
            return context.rebuild(
                t.replace_type(type, functor.tree, t.UNIT),
                [context.stacked(each) for each in zip(*kept, strict=True)],
            )
        case _:
            return value


def _row(context: Context, type: t.Type, values: Sequence[Value]) -> Value:
    """A field over all places, zero where it is not there."""
    empty = context.zero(emptied(type))
    columns = [context.flatten(empty if v is None else v, type) for v in values]
    return context.rebuild(type, [context.stacked(each) for each in zip(*columns, strict=True)])


__all__ = ["laid_out"]
