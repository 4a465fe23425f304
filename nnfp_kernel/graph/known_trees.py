"""A known tree laid out as a grown one, level by level: a cotangent of a grown tree, which a
program gives with its constructors, so that a linear map takes it (primitives/linear_values.py).

Every node takes the place that it would have grown at (graph/grown.py), and places without a
node get zeros. That the two trees have the same nodes is required where they run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..language import types as t
from .graph import ArrayType
from .grown import Functor, Grown, base_name
from .values import Value, Variant, emptied, item_at, known

if TYPE_CHECKING:
    from .context import Context


def laid_out(context: Context, value: Value, like: Value) -> Value:
    """A value with known trees, laid out as the grown ones of another. That they have the same
    nodes is required."""
    match value, like:
        case (tuple(), tuple()):
            return tuple(laid_out(context, *pair) for pair in zip(value, like, strict=True))
        case Variant(constructor=str(name)), Variant(constructor=str(other)) if name == other:
            fields = laid_out(context, value.fields[name], like.fields[name])
            return replace(value, fields={name: fields})
        case Variant(constructor=str()), Grown() if like.functor.counted:
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
            rows = []
            for k, item in enumerate(items):
                own = [
                    None if node is None else _alone(context, functor, item, node.fields[name][k])
                    for node in here
                ]
                rows.append(_row(context, t.replace_type(item, functor.tree, t.UNIT), own))
            fields[base_name(name)] = tuple(rows)
        places = list(functor.fields)
        tags = [places.index(node.constructor or "") if node else -1 for node in nodes]
        assert layer.tag is not None
        nowhere = builder.constant([-1] * len(nodes), "Int")
        there = builder.emit("select", alive, layer.tag, nowhere)
        same = builder.emit("compare", there, builder.constant(tags, "Int"), how="eq")
        none = builder.zeros(ArrayType("Int", (len(nodes),)))
        wrong = builder.emit("select", same, none, builder.constant([1] * len(nodes), "Int"))
        wrong = builder.emit("maximum", wrong, axes=(0,))
        right = builder.emit("compare", wrong, builder.constant(0, "Int"), how="eq")
        context.require(right, "the tangent of a tree has the shape of the tree")
        layers.append(Variant(layer.type, None, fields, layer.tag))
        below: list[Variant | None] = []
        for node in nodes:
            children = [] if node is None else list(_children(context, functor, node))
            below += [*children, *[None] * (like.slots(level) - len(children))]
        nodes = below
    return replace(like, layers=tuple(layers), growth=None)


def _children(context: Context, functor: Functor, node: Variant) -> Iterator[Variant]:
    """The children of a node, in the order of their slots."""

    def within(type: t.Type, value: Value) -> Iterator[Variant]:
        match type:
            case t.Named() if type == functor.tree:
                yield value
            case t.Product(items=items):
                for item, part in zip(items, value, strict=True):
                    yield from within(item, part)
            case t.Array(element=element) if t.mentions(element, functor.tree):
                for k in range(known(type.length)):
                    yield from within(element, item_at(context.builder, value, k))

    name = node.constructor or ""
    yield from within(t.Product(functor.fields[name]), node.fields[name])


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
