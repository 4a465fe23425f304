"""Trees whose shape is known only at run time: what `ana` grows, to a bounded depth.

A `Grown` tree is laid out level by level. Level k has a place for every path of length k,
in the order of paths, whether the tree goes there or not; all its layers lie in one array
of each field, with a tag that says which constructor stands where. One level is one map,
so that a tree of n levels is n nodes of the graph, forward and backward:

    grow      from a seed, level by level: `ana`
    reduce    from the last level up: `cata`, `para`, `hylo`
    opened    the root, as a value whose constructor is known at run time: `case`

Below the last level the tree ends in the first constructor without children, its fields
zero. Places where the tree does not go are branches not taken: they contribute nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..language import types as t
from ..language.sizes import constant
from .graph import ArrayType, Wire
from .values import Declarations, Value, Variant, map_leaves

if TYPE_CHECKING:
    from .trace import Tracer

MOST = 2**20  # places of a tree


@dataclass(frozen=True)
class Grown:
    """A tree of type `type`: level k is layers with `()` in place of children (a Variant
    over an axis of `slots ** k` places), and `alive[k]` where the tree goes."""

    type: t.Named
    functor: Functor
    layers: tuple[Variant, ...]
    alive: tuple[Wire, ...]


@dataclass(frozen=True)
class Functor:
    """A recursive type as layers: of each constructor its fields, and which are children."""

    tree: t.Named
    base: str  # the name of the base functor
    fields: dict[str, tuple[t.Type, ...]]  # by constructor of the tree
    children: dict[str, tuple[int, ...]]  # places among the fields

    @property
    def slots(self) -> int:
        return max(map(len, self.children.values()))

    @property
    def end(self) -> str | None:
        """The constructor that stands below the last level."""
        return next((name for name, places in self.children.items() if not places), None)

    def layer(self, child: t.Type) -> t.Named:
        return t.Named(self.base, (*self.tree.arguments, child))


def functor_of(tree: t.Named, declarations: Declarations) -> Functor | None:
    """The functor of a type whose children are fields of their own; None of another."""
    base = next((n for n, data in declarations.data.items() if data.base_of == tree.name), None)
    fields = declarations.constructors(tree)
    children = {
        name: tuple(k for k, item in enumerate(items) if item == tree)
        for name, items in fields.items()
    }
    inside = any(
        item != tree and declarations.has_trees(item) for items in fields.values() for item in items
    )
    return None if base is None or inside else Functor(tree, base, fields, children)


def _base(name: str) -> str:
    return f"{name}F"


def tree_name(base: str) -> str:
    """The tree's constructor that one of the base functor stands for: `Leaf` for `LeafF`."""
    return base.removesuffix("F")


# --- growing -----------------------------------------------------------------------------------


def grow(
    context: Tracer, functor: Functor, function: Value, seed: Value, seed_type: t.Type, depth: int
) -> Grown:
    """`function` on the seed, on the seeds of its layer, and so on: `depth` times down."""
    builder, slots = context.builder, functor.slots
    layer_type = functor.layer(seed_type)
    seeds = map_leaves(lambda wire: _axis(context, wire), seed)
    alive = _axis(context, builder.constant(True, "Bool"))
    end = _end(context, functor, t.UNIT)
    layers: list[Variant] = []
    goes: list[Wire] = []
    for level in range(depth):
        count = slots**level
        made = context.map(
            count,
            (alive, seeds),
            t.Product((t.BOOL, seed_type)),
            lambda pair: context.choose(
                pair[0], lambda: function(pair[1]), lambda: end, layer_type
            ),
            layer_type,
        )
        goes.append(alive)
        stripped = {
            _base(name): tuple(
                () if k in functor.children[name] else value
                for k, value in enumerate(made.fields[_base(name)])
            )
            for name in functor.fields
        }
        layers.append(Variant(functor.layer(t.UNIT), None, stripped, made.tag))
        if level + 1 < depth:
            alive, seeds = _below(context, functor, made, alive)
    return Grown(functor.tree, functor, tuple(layers), tuple(goes))


def _below(context: Tracer, functor: Functor, layers: Variant, alive: Wire) -> tuple[Wire, Value]:
    """Where the tree goes on the next level, and the seeds there."""
    emit = context.builder.emit
    names = list(functor.fields)
    goes, seeds = [], []
    assert layers.tag is not None
    count = layers.tag.type.shape[0]
    for slot in range(functor.slots):
        here = context.builder.zeros(ArrayType("Bool", (count,)))
        chosen: Value = None
        for place, name in enumerate(names):
            if slot >= len(functor.children[name]):
                continue
            tag = context.builder.constant(place, "Int")
            which = emit("broadcast", tag, shape=(count,), axes=())
            hit = emit("compare", layers.tag, which, how="eq")
            here = emit("or", here, hit)
            seed = layers.fields[_base(name)][functor.children[name][slot]]
            if chosen is None:
                chosen = seed
            else:
                chosen = map_leaves(
                    lambda new, old, hit=hit: emit(
                        "select", _spread(context, hit, new.type.shape), new, old
                    ),
                    seed,
                    chosen,
                )
        goes.append(emit("and", alive, here))
        seeds.append(chosen)
    beside = map_leaves(lambda *wires: _interleaved(context, wires), *seeds)
    return _interleaved(context, goes), beside


def _end(context: Tracer, functor: Functor, child: t.Type) -> Variant:
    """What stands below the last level, as a layer."""
    name = functor.end
    assert name is not None, "asked before"
    zeros = tuple(context.zero(item) for item in functor.fields[name])
    return Variant(functor.layer(child), _base(name), {_base(name): zeros})


# --- reducing ----------------------------------------------------------------------------------


def reduce(
    context: Tracer,
    tree: Grown,
    algebra: Callable[[Variant], Value],
    result: t.Type,
    *,
    with_trees: bool = False,
) -> Value:
    """`algebra` on every layer, from the last level up, with results in place of children,
    or, `with_trees`, pairs of the child and its result. It is handed a layer."""
    functor, slots = tree.functor, tree.functor.slots
    child = t.Product((tree.type, result)) if with_trees else result
    end = algebra(_end(context, functor, child))
    below: list[Value] = [end] * slots  # of each slot the results
    for level in reversed(range(len(tree.layers))):
        last = level + 1 == len(tree.layers)
        trees = [_subtrees(context, tree, level, slot) for slot in range(slots)]
        if last or not with_trees:
            trees = [((), t.UNIT)] * slots
        given = () if last else tuple(below)
        of = t.Product(
            (
                t.Product((t.BOOL, functor.layer(t.UNIT))),
                t.UNIT if last else t.Product((result,) * slots),
                t.Product(tuple(type for _, type in trees)),
            )
        )

        def node(parts: Value, last: bool = last) -> Value:
            (alive, layer), results, levels = parts
            if last:
                results = (end,) * slots
            children = results
            if with_trees:
                inside = [_grown(functor, part) for part in levels]
                children = tuple(zip(inside, results, strict=True))
            fields = {
                _base(name): _filled(functor, name, layer.fields[_base(name)], children)
                for name in functor.fields
            }
            whole = Variant(functor.layer(child), None, fields, layer.tag)
            return context.choose(
                alive, lambda: algebra(whole), lambda: context.zero(result), result
            )

        results = context.map(
            slots**level,
            ((tree.alive[level], tree.layers[level]), given, tuple(value for value, _ in trees)),
            of,
            node,
            result,
        )
        if level == 0:
            return map_leaves(lambda wire: _item(context, wire, 0), results)
        below = [
            map_leaves(lambda wire, slot=slot: _column(context, wire, slots, slot), results)
            for slot in range(slots)
        ]
    return end


def _subtrees(context: Tracer, tree: Grown, level: int, slot: int) -> tuple[Value, t.Type]:
    """The trees that stand in a slot of each place of a level: every level of theirs, over
    the places, and the type of that at one place."""
    functor, count = tree.functor, tree.functor.slots**level
    one = t.Product((t.BOOL, functor.layer(t.UNIT)))
    levels, types = [], []
    for below in range(level + 1, len(tree.layers)):
        size = functor.slots ** (below - level - 1)

        def stretch(wire: Wire, size: int = size) -> Wire:
            shape = (count * functor.slots, size, *wire.type.shape[1:])
            return _column(
                context, context.builder.emit("reshape", wire, shape=shape), functor.slots, slot
            )

        levels.append((stretch(tree.alive[below]), map_leaves(stretch, tree.layers[below])))
        types.append(t.Array(one, constant(size)))
    return tuple(levels), t.Product(tuple(types))


def _grown(functor: Functor, levels: Sequence[tuple[Wire, Variant]]) -> Grown:
    layers, alive = tuple(layer for _, layer in levels), tuple(goes for goes, _ in levels)
    return Grown(functor.tree, functor, layers, alive)


def as_tree(functor: Functor, layer: Variant) -> Variant:
    """A layer as a value of the tree's own constructors."""
    fields = {
        name: layer.fields[_base(name)] for name in functor.fields if _base(name) in layer.fields
    }
    named = None if layer.constructor is None else next(iter(fields))
    return Variant(functor.tree, named, fields, layer.tag)


def _filled(
    functor: Functor, name: str, fields: Sequence[Value], children: Sequence[Value]
) -> tuple[Value, ...]:
    """A layer's fields with its children put in."""
    places = functor.children[name]
    return tuple(
        children[places.index(k)] if k in places else value for k, value in enumerate(fields)
    )


# --- looking -----------------------------------------------------------------------------------


def opened(context: Tracer, tree: Grown) -> Variant:
    """The root of a tree, its constructor known at run time; the children are grown trees."""
    functor, slots = tree.functor, tree.functor.slots
    if not tree.layers:
        return as_tree(functor, _end(context, functor, functor.tree))
    children = [subtree(context, tree, slot) for slot in range(slots)]
    root = map_leaves(lambda wire: _item(context, wire, 0), tree.layers[0])
    fields = {
        name: _filled(functor, name, root.fields[_base(name)], children) for name in functor.fields
    }
    return Variant(tree.type, None, fields, root.tag)


def subtree(context: Tracer, tree: Grown, slot: int) -> Grown:
    """The child in this slot of the root: a stretch of every level below."""

    def stretch(level: int) -> Callable[[Wire], Wire]:
        length = tree.functor.slots ** (level - 1)
        return lambda wire: context.builder.emit(
            "slice", wire, axis=0, start=slot * length, stop=(slot + 1) * length, stride=1
        )

    levels = range(1, len(tree.layers))
    return Grown(
        tree.type,
        tree.functor,
        tuple(map_leaves(stretch(level), tree.layers[level]) for level in levels),
        tuple(stretch(level)(tree.alive[level]) for level in levels),
    )


# --- arrays ------------------------------------------------------------------------------------


def _axis(context: Tracer, wire: Wire) -> Wire:
    return context.builder.emit("reshape", wire, shape=(1, *wire.type.shape))


def _item(context: Tracer, wire: Wire, k: int) -> Wire:
    row = context.builder.emit("slice", wire, axis=0, start=k, stop=k + 1, stride=1)
    return context.builder.emit("reshape", row, shape=wire.type.shape[1:])


def _interleaved(context: Tracer, wires: Sequence[Wire]) -> Wire:
    """One array of all slots: those of one node lie together."""
    count, *rest = wires[0].type.shape
    rows = [context.builder.emit("reshape", w, shape=(count, 1, *rest)) for w in wires]
    whole = rows[0] if len(rows) == 1 else context.builder.emit("concat", *rows, axis=1)
    return context.builder.emit("reshape", whole, shape=(count * len(wires), *rest))


def _column(context: Tracer, wire: Wire, slots: int, slot: int) -> Wire:
    """Of an array of all slots those of one slot."""
    count, *rest = wire.type.shape
    shaped = context.builder.emit("reshape", wire, shape=(count // slots, slots, *rest))
    one = context.builder.emit("slice", shaped, axis=1, start=slot, stop=slot + 1, stride=1)
    return context.builder.emit("reshape", one, shape=(count // slots, *rest))


def _spread(context: Tracer, flags: Wire, shape: tuple[int, ...]) -> Wire:
    if flags.type.shape == shape:
        return flags
    return context.builder.emit("broadcast", flags, shape=shape, axes=(0,))


def places(functor: Functor, depth: int) -> int:
    """How many places a tree of this depth has."""
    return sum(functor.slots**level for level in range(depth))


def changed(
    context: Tracer, tree: Grown, functor: Functor, change: Callable[[Variant], Variant]
) -> Grown:
    """A tree of the same shape: `change` on every layer; it keeps the constructor."""
    one, other = tree.functor.layer(t.UNIT), functor.layer(t.UNIT)
    end = _end(context, functor, t.UNIT)
    layers = tuple(
        context.map(
            tree.functor.slots**level,
            (alive, layer),
            t.Product((t.BOOL, one)),
            lambda pair: context.choose(pair[0], lambda: change(pair[1]), lambda: end, other),
            other,
        )
        for level, (alive, layer) in enumerate(zip(tree.alive, tree.layers, strict=True))
    )
    return Grown(functor.tree, functor, layers, tree.alive)


__all__ = [
    "MOST", "Functor", "Grown", "as_tree", "changed", "functor_of", "grow", "opened", "places",
    "reduce", "subtree", "tree_name",
]  # fmt: skip
