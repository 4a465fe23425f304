"""Trees whose shape is known only at run time: what `ana` grows, to a bounded depth.

A `Grown` tree is laid out level by level. Below each place of a level there is a place for
every slot that a child may stand in, whether the tree goes there or not; all layers of a level
lie in one array of each field, with a tag that says which constructor stands where. One level
is one map, so that a tree of n levels is n nodes of the graph, forward and backward:

    grow      from a seed, level by level: `ana`
    reduce    from the last level up: `cata`, `para`, `hylo`
    opened    the root, as a value whose constructor is known at run time: `case`

A child in a field takes one slot. Children in a sequence take as many as the sequence has
room for, which is found while tracing (`[s / 2, s / 3]` has room for two) and may differ from
level to level; how many are there is a length, as of every sequence. Below the last level a
sequence of children is empty, and a child in a field is the first constructor that needs no
children, its fields zero. Places where the tree does not go are branches not taken: they
contribute nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..language import types as t
from ..language.sizes import constant
from .graph import ArrayType, Wire
from .sequences import leading, map_all, over, present
from .values import (
    Chosen,
    Declarations,
    Extent,
    Held,
    Items,
    NotFirstOrder,
    Value,
    Variant,
    emptied,
    item_at,
    leaves,
    lengths,
    measured,
    refilled,
    same_shape,
    spread,
    within,
)
from .values import Sequence as Ragged

if TYPE_CHECKING:
    from .context import Context

MOST = 2**20  # places of a tree


@dataclass(frozen=True, eq=False)
class Growth:
    """A tree as it was grown: from the seed, by a function from seeds to layers."""

    context: Context
    function: Value
    seed: Value
    seed_type: t.Type
    depth: int


@dataclass(frozen=True, eq=False)
class Grown(Held):
    """A tree of type `type`: a level is layers with `()` in place of children (a Variant over
    its places), and `alive` where the tree goes. `rooms` is for the elements of sequences of
    children, by level."""

    type: t.Named
    functor: Functor
    layers: tuple[Variant, ...]
    alive: tuple[Wire, ...]
    rooms: tuple[int, ...]
    growth: Growth | None = None  # how it was grown, if nothing was done with it since

    @property
    def wires(self) -> list[Wire]:
        return spread(self.layers)

    def refilled(self, change: Callable[[Wire], Wire]) -> Grown:
        return replace(self, layers=refilled(self.layers, change), growth=None)

    def like(self, other: Held) -> bool:
        return isinstance(other, Grown) and same_shape(self.layers, other.layers)

    @property
    def telling(self) -> list[Wire]:
        """The wires that say where it goes, and how long the sequences in it are."""
        tags = (layer.tag for layer in self.layers if layer.tag is not None)
        return [*tags, *self.alive, *lengths(self.layers)]

    def told(self, change: Callable[[Wire], Wire]) -> Grown:
        """The same with other such wires."""
        layers = tuple(
            layer if layer.tag is None else replace(layer, tag=change(layer.tag))
            for layer in self.layers
        )
        alive = tuple(map(change, self.alive))
        return replace(self, layers=measured(layers, change), alive=alive)

    def slots(self, level: int) -> int:
        """How many children a place of a level has room for: none on the last."""
        if level + 1 < len(self.layers):
            return self.functor.slots(self.rooms[level])
        return 0


@dataclass(frozen=True)
class Functor:
    """A recursive type as layers: of each constructor its fields."""

    tree: t.Named
    base: str  # the name of the base functor
    fields: dict[str, tuple[t.Type, ...]]  # by constructor of the tree

    def slots(self, room: int) -> int:
        """How many children a layer has room for, with so many elements in a sequence."""
        return max(
            sum(1 if alone else room for _, alone in self.children(t.Product(items)))
            for items in self.fields.values()
        )

    def children(self, type: t.Type, alone: bool = True) -> Iterator[tuple[t.Type, bool]]:
        """The children in a type, and whether each is by itself or in a sequence."""
        match type:
            case t.Named() if type == self.tree:
                yield type, alone
            case t.Product(items=items):
                for item in items:
                    yield from self.children(item, alone)
            case t.Array(element=element, length=length) if t.mentions(element, self.tree):
                count = length.value
                for _ in range(1 if count is None else count):
                    yield from self.children(element, alone and count is not None)

    @property
    def plain(self) -> bool:
        """Whether each child is a field."""
        fields = [item for items in self.fields.values() for item in items]
        return all(item == self.tree or not t.mentions(item, self.tree) for item in fields)

    @property
    def counted(self) -> bool:
        """Whether each constructor has a number of children of its own: none in a sequence."""
        whole = (t.Product(items) for items in self.fields.values())
        return all(alone for type in whole for _, alone in self.children(type))

    @property
    def end(self) -> str | None:
        """The constructor that stands below the last level."""
        for name, items in self.fields.items():
            if not any(alone for _, alone in self.children(t.Product(items))):
                return name
        return None

    def layer(self, child: t.Type) -> t.Named:
        return t.Named(self.base, (*self.tree.arguments, child))


def functor_of(tree: t.Named, declarations: Declarations) -> Functor | None:
    """The functor of a type whose children are in fields, in products and arrays of them,
    or in sequences of such; None of another."""
    base = next((n for n, data in declarations.data.items() if data.base_of == tree.name), None)
    fields = declarations.constructors(tree)

    def fits(type: t.Type, inside: bool = False) -> bool:
        if type == tree:
            return True
        if not t.mentions(type, tree):
            return not declarations.has_trees(type)
        match type:
            case t.Product(items=items):
                return all(fits(item, inside) for item in items)
            case t.Array(element=element, length=length):
                open = length.value is None
                return not (open and inside) and fits(element, inside or open)
            case _:
                return False

    if base is None or not all(fits(item) for items in fields.values() for item in items):
        return None
    return Functor(tree, base, fields)


def base_name(name: str) -> str:
    """The base functor's constructor that stands for one of the tree: `LeafF` for `Leaf`."""
    return f"{name}F"


def tree_name(base: str) -> str:
    """The tree's constructor that one of the base functor stands for: `Leaf` for `LeafF`."""
    return base.removesuffix("F")


# --- growing -----------------------------------------------------------------------------------


def grow(
    context: Context, functor: Functor, function: Value, seed: Value, seed_type: t.Type, depth: int
) -> Grown:
    """`function` on the seed, on the seeds of its layer, and so on: `depth` times down."""
    builder = context.builder
    layer_type = functor.layer(seed_type)
    seeds = map_all(lambda wire: _axis(context, wire), seed)
    alive = _axis(context, builder.constant(True, "Bool"))
    layers: list[Variant] = []
    goes: list[Wire] = []
    rooms: list[int] = []
    for level in range(depth):
        made = context.map(
            alive.type.shape[0],
            (alive, seeds),
            t.Product((t.BOOL, seed_type)),
            lambda pair: context.choose(
                pair[0], lambda: function(pair[1]), lambda: _end(context, functor, seed_type),
                layer_type,
            ),
            layer_type,
        )  # fmt: skip
        assert made.tag is not None
        goes.append(alive)
        blocks: dict[str, list[_Block]] = {}
        stripped = {}
        for name, items in functor.fields.items():
            blocks[name] = []
            pairs = zip(items, made.fields[base_name(name)], strict=True)
            stripped[base_name(name)] = tuple(
                _stripped(context, functor, item, value, blocks[name], alive.type.shape)
                for item, value in pairs
            )
        layers.append(Variant(functor.layer(t.UNIT), None, stripped, made.tag))
        many = [
            block.count for each in blocks.values() for block in each if block.count is not None
        ]
        rooms.append(max(many, default=0))
        slots = functor.slots(rooms[-1])
        if level + 1 == depth or slots == 0:
            break
        if alive.type.shape[0] * slots > MOST:
            context.fail(
                "tree-too-deep",
                f"a tree of depth {depth} has more than {MOST:,} places here",
                f"A layer has room for {slots} children on level {level + 1}. A grown tree is "
                "laid out with a place for every node that there may be. Grow it less deep, or "
                "with shorter sequences of children.",
            )
        alive, seeds = _below(context, functor, made.tag, blocks, rooms[-1], alive)
    growth = Growth(context, function, seed, seed_type, depth)
    return Grown(functor.tree, functor, tuple(layers), tuple(goes), tuple(rooms), growth)


@dataclass(frozen=True)
class _Block:
    """The seeds of one child of a layer, over places; of a child in the elements of a sequence,
    over `count` of those as well, `length` of which are there."""

    seeds: Value
    count: int | None = None
    length: Wire | None = None


def _stripped(
    context: Context,
    functor: Functor,
    type: t.Type,
    value: Value,
    blocks: list[_Block],
    shape: tuple[int, ...],
) -> Value:
    """A field, over places, without the seeds in it, which are added to `blocks`."""
    if type == functor.tree:
        blocks.append(_Block(value))
        return ()
    if not t.mentions(type, functor.tree):
        return value
    match type:
        case t.Product(items=items):
            pairs = zip(items, value, strict=True)
            return tuple(_stripped(context, functor, *pair, blocks, shape) for pair in pairs)
        case t.Array(element=element, length=length) if length.value is not None:
            parts = [_column(context, value, k) for k in range(length.value)]
            kept = [_stripped(context, functor, element, part, blocks, shape) for part in parts]
            return _beside(context, kept)
        case t.Array(element=element):
            ragged, wires = _sequences(value), leaves(value)
            if ragged:
                count, lengths = ragged[0].capacity, ragged[0].length
            else:  # seeds of a known number
                count = wires[0].type.shape[1] if wires else 0
                number = context.builder.constant(count, "Int")
                lengths = context.builder.emit("broadcast", number, shape=shape, axes=())
            inside: list[_Block] = []
            kept = _stripped(context, functor, element, _elements(value), inside, shape)
            blocks += [_Block(block.seeds, count, lengths) for block in inside]
            return _together(kept, lengths)
        case _:
            raise NotFirstOrder(type)


def _together(value: Value, lengths: Wire) -> Value:
    """What all elements have as a sequence, even if it is nothing."""
    if isinstance(value, tuple) and value:
        return tuple(_together(item, lengths) for item in value)
    return Ragged(value, lengths)


def _below(
    context: Context,
    functor: Functor,
    tag: Wire,
    blocks: dict[str, list[_Block]],
    room: int,
    alive: Wire,
) -> tuple[Wire, Value]:
    """Where the tree goes on the next level, and the seeds there."""
    builder = context.builder
    (count,) = alive.type.shape
    slots = functor.slots(room)
    goes = builder.zeros(ArrayType("Bool", (count, slots)))
    chosen: Value = None
    for place, name in enumerate(functor.fields):
        if not blocks[name]:
            continue
        there, seeds = [], []
        for block in blocks[name]:
            if block.count is None or block.length is None:
                one = builder.constant(True, "Bool")
                there.append(builder.emit("broadcast", one, shape=(count, 1), axes=()))
                seeds.append(map_all(lambda wire: _second(context, wire), block.seeds))
            else:
                there.append(_present(context, block.length, room))
                more = room - block.count
                seeds.append(map_all(lambda w, more=more: _padded(context, w, more), block.seeds))
        more = slots - sum(wire.type.shape[1] for wire in there)
        here = _padded(context, _concat(context, there), more)
        own = map_all(lambda *w, more=more: _padded(context, _concat(context, w), more), *seeds)
        which = builder.emit("broadcast", builder.constant(place, "Int"), shape=(count,), axes=())
        hit = builder.emit("compare", tag, which, how="eq")
        hit = builder.emit("broadcast", hit, shape=(count, slots), axes=(0,))
        goes = builder.emit("or", goes, builder.emit("and", hit, here))
        if chosen is None:
            chosen = own
        else:
            chosen = map_all(
                lambda new, old, hit=hit: builder.emit(
                    "select", _spread(context, hit, new.type.shape), new, old
                ),
                own,
                chosen,
            )
    parents = builder.emit("broadcast", alive, shape=(count, slots), axes=(0,))
    goes = builder.emit("and", parents, goes)
    return _flat(context, goes), map_all(lambda wire: _flat(context, wire), chosen)


def _end(context: Context, functor: Functor, child: t.Type) -> Variant:
    """What stands below the last level, as a layer."""
    name = functor.end
    assert name is not None, "asked before"
    fields = (t.replace_type(item, functor.tree, child) for item in functor.fields[name])
    zeros = tuple(_nothing(context, functor, emptied(item)) for item in fields)
    return Variant(functor.layer(child), base_name(name), {base_name(name): zeros})


def _nothing(context: Context, functor: Functor, type: t.Type) -> Value:
    """Zero of a field, of a sequence of trees none."""
    match type:
        case t.Array(element=element) if t.mentions(element, functor.tree):
            return Items(element, ())
        case t.Product(items=items):
            return tuple(_nothing(context, functor, item) for item in items)
        case _:
            return context.zero(type)


# --- reducing ----------------------------------------------------------------------------------


def reduce(
    context: Context,
    tree: Grown,
    algebra: Callable[[Variant], Value],
    result: t.Type,
    *,
    with_trees: bool = False,
) -> Value:
    """`algebra` on every layer, from the last level up, with results in place of children,
    or, `with_trees`, pairs of the child and its result. It is handed a layer."""
    functor = tree.functor
    child = t.Product((tree.type, result)) if with_trees else result
    end = algebra(_end(context, functor, child))
    results: Value = end
    for level in reversed(range(len(tree.layers))):
        slots = tree.slots(level)
        (count,) = tree.alive[level].type.shape
        trees = [
            _subtrees(context, tree, level, slot) if with_trees else ((), t.UNIT)
            for slot in range(slots)
        ]
        below: Value = ()
        if slots:
            below = map_all(
                lambda wire, count=count, slots=slots: context.builder.emit(
                    "reshape", wire, shape=(count, slots, *wire.type.shape[1:])
                ),
                results,
            )
        of = t.Product(
            (
                t.Product((t.BOOL, functor.layer(t.UNIT))),
                t.Array(result, constant(slots)) if slots else t.UNIT,
                t.Product(tuple(type for _, type in trees)),
            )
        )

        def node(parts: Value, level: int = level, slots: int = slots) -> Value:
            (alive, layer), results, levels = parts

            def taken() -> Value:
                fields = {}
                for name, items in functor.fields.items():
                    slot = 0

                    def one() -> Value:
                        nonlocal slot
                        value = item_at(context.builder, results, slot) if slots else end
                        if with_trees:
                            value = (
                                _grown(tree, level, levels[slot]) if slots else _none(tree),
                                value,
                            )
                        slot += 1
                        return value

                    def many(room: int) -> Value:
                        nonlocal slot
                        if not slots:
                            return context.zero(emptied(t.Array(result, constant(0))))
                        first, slot = slot, slot + room
                        return map_all(
                            lambda wire: context.builder.emit(
                                "slice", wire, axis=0, start=first, stop=slot, stride=1
                            ),
                            results,
                        )

                    filling = _Filling(context, tree, level, slots, one, many)
                    values = layer.fields[base_name(name)]
                    fields[base_name(name)] = tuple(map(filling.field, items, values))
                return algebra(Variant(functor.layer(child), None, fields, layer.tag))

            return context.choose(alive, taken, lambda: context.zero(result), result)

        results = context.map(
            count,
            ((tree.alive[level], tree.layers[level]), below, tuple(value for value, _ in trees)),
            of,
            node,
            result,
        )
    if tree.layers:
        return map_all(lambda wire: _item(context, wire, 0), results)
    return end


@dataclass(frozen=True)
class _Filling:
    """Puts the children, taken slot by slot, into the fields of a layer."""

    context: Context
    tree: Grown
    level: int
    slots: int
    one: Callable[[], Value]
    many: Callable[[int], Value]

    def field(self, type: t.Type, value: Value) -> Value:
        functor = self.tree.functor
        if type == functor.tree:
            return self.one()
        if not t.mentions(type, functor.tree):
            return value
        match type:
            case t.Product(items=items):
                return tuple(map(self.field, items, value))
            case t.Array(element=element, length=length) if length.value is not None:
                parts = [item_at(self.context.builder, value, k) for k in range(length.value)]
                made = [self.field(element, part) for part in parts]
                return map_all(lambda *wires: self.context.stacked(wires), *made)
            case t.Array(element=element):
                there = _first_sequence(value).length
                if not self.slots:  # below the last level
                    there = self.context.builder.constant(0, "Int")
                return self._elements(element, value, there)
            case _:
                raise NotFirstOrder(type)

    def _elements(self, type: t.Type, value: Value, there: Wire) -> Value:
        """The elements of a sequence, of which so many are there."""
        functor, room = self.tree.functor, self.tree.rooms[self.level]
        if type == functor.tree:
            return over(self.many(room), there)
        if isinstance(type, t.Product) and t.mentions(type, functor.tree):
            pairs = zip(type.items, value, strict=True)
            return tuple(self._elements(item, part, there) for item, part in pairs)
        return map_payload(self.context, value, room if self.slots else None, there)


def map_payload(context: Context, value: Value, room: int | None, there: Wire) -> Value:
    """What stands beside the children in the elements of a sequence, with their room."""

    def fit(part: Ragged) -> Value:
        inside = part.elements
        if room is not None:
            inside = map_all(
                lambda w: context.builder.emit(
                    "pad", w, axis=0, low=0, high=room - w.type.shape[0], interior=0
                ),
                inside,
            )
        return Ragged(inside, there)

    return tuple(map(fit, value)) if isinstance(value, tuple) else fit(value)


def _first_sequence(value: Value) -> Ragged:
    return leading(value)[0]


def _subtrees(context: Context, tree: Grown, level: int, slot: int) -> tuple[Value, t.Type]:
    """The trees that stand in a slot of each place of a level: every level of theirs, over
    the places, and the type of that at one place."""
    functor = tree.functor
    (count,) = tree.alive[level].type.shape
    one = t.Product((t.BOOL, functor.layer(t.UNIT)))
    levels, types = [], []
    slots, size = tree.slots(level), 1
    for below in range(level + 1, len(tree.layers)):

        def stretch(wire: Wire, size: int = size) -> Wire:
            shape = (count, slots, size, *wire.type.shape[1:])
            whole = context.builder.emit("reshape", wire, shape=shape)
            part = context.builder.emit("slice", whole, axis=1, start=slot, stop=slot + 1, stride=1)
            return context.builder.emit("reshape", part, shape=(count, *shape[2:]))

        levels.append((stretch(tree.alive[below]), map_all(stretch, tree.layers[below])))
        types.append(t.Array(one, constant(size)))
        size *= tree.slots(below)
    return tuple(levels), t.Product(tuple(types))


def _grown(tree: Grown, level: int, levels: Sequence[tuple[Wire, Variant]]) -> Grown:
    layers, alive = tuple(layer for _, layer in levels), tuple(goes for goes, _ in levels)
    return Grown(tree.type, tree.functor, layers, alive, tree.rooms[level + 1 :])


def _none(tree: Grown) -> Grown:
    """The tree that stands below the last level."""
    return Grown(tree.type, tree.functor, (), (), ())


def as_tree(functor: Functor, layer: Variant) -> Variant:
    """A layer as a value of the tree's own constructors."""
    fields = {
        name: layer.fields[base_name(name)]
        for name in functor.fields
        if base_name(name) in layer.fields
    }
    named = None if layer.constructor is None else next(iter(fields))
    return Variant(functor.tree, named, fields, layer.tag)


# --- looking -----------------------------------------------------------------------------------


def opened(context: Context, tree: Grown) -> Variant:
    """The root of a tree, its constructor known at run time; the children in fields are grown
    trees. A sequence of children is not to be had (None)."""
    functor = tree.functor
    if not tree.layers:
        return as_tree(functor, _end(context, functor, functor.tree))
    root = map_all(lambda wire: _item(context, wire, 0), tree.layers[0])
    fields = {}
    for name, items in functor.fields.items():
        slot, values = 0, []
        for item, value in zip(items, root.fields[base_name(name)], strict=True):
            if item == functor.tree:
                value = subtree(context, tree, slot) if tree.slots(0) else _none(tree)
                slot += 1
            elif t.mentions(item, functor.tree):
                value = None
            values.append(value)
        fields[name] = tuple(values)
    return Variant(tree.type, None, fields, root.tag)


def subtree(context: Context, tree: Grown, slot: int) -> Grown:
    """The child in this slot of the root: a stretch of every level below."""
    layers, alive, length = [], [], 1
    for level in range(1, len(tree.layers)):

        def stretch(wire: Wire, length: int = length) -> Wire:
            return context.builder.emit(
                "slice", wire, axis=0, start=slot * length, stop=(slot + 1) * length, stride=1
            )

        layers.append(map_all(stretch, tree.layers[level]))
        alive.append(stretch(tree.alive[level]))
        length *= tree.slots(level)
    return Grown(tree.type, tree.functor, tuple(layers), tuple(alive), tree.rooms[1:])


# --- in values that are known otherwise --------------------------------------------------------


def grown_in(value: Value) -> Iterator[Grown]:
    """The grown trees in a value that is known otherwise."""
    for part in within(value):
        if isinstance(part, Chosen):
            yield from grown_in((part.then, part.otherwise))
        elif isinstance(part, Grown):
            yield part


# --- arrays ------------------------------------------------------------------------------------


def _axis(context: Context, wire: Wire) -> Wire:
    return context.builder.emit("reshape", wire, shape=(1, *wire.type.shape))


def _second(context: Context, wire: Wire) -> Wire:
    """With an axis of one slot."""
    count, *rest = wire.type.shape
    return context.builder.emit("reshape", wire, shape=(count, 1, *rest))


def _flat(context: Context, wire: Wire) -> Wire:
    """Places and their slots as the places of the next level."""
    count, slots, *rest = wire.type.shape
    return context.builder.emit("reshape", wire, shape=(count * slots, *rest))


def _padded(context: Context, wire: Wire, more: int) -> Wire:
    if not more:
        return wire
    return context.builder.emit("pad", wire, axis=1, low=0, high=more, interior=0)


def _concat(context: Context, wires: Sequence[Wire]) -> Wire:
    return wires[0] if len(wires) == 1 else context.builder.emit("concat", *wires, axis=1)


def _item(context: Context, wire: Wire, k: int) -> Wire:
    row = context.builder.emit("slice", wire, axis=0, start=k, stop=k + 1, stride=1)
    return context.builder.emit("reshape", row, shape=wire.type.shape[1:])


def _column(context: Context, value: Value, k: int) -> Value:
    """Of all places the k-th element."""

    def one(wire: Wire) -> Wire:
        count, _, *rest = wire.type.shape
        part = context.builder.emit("slice", wire, axis=1, start=k, stop=k + 1, stride=1)
        return context.builder.emit("reshape", part, shape=(count, *rest))

    return map_all(one, value)


def _beside(context: Context, values: Sequence[Value]) -> Value:
    """Values over places, as elements of an array over places."""
    return map_all(
        lambda *wires: _concat(context, [_second(context, wire) for wire in wires]), *values
    )


def _present(context: Context, length: Wire, room: int) -> Wire:
    return present(context.builder, Extent(room, length))


def _spread(context: Context, flags: Wire, shape: tuple[int, ...]) -> Wire:
    if flags.type.shape == shape:
        return flags
    axes = tuple(range(flags.type.rank))
    return context.builder.emit("broadcast", flags, shape=shape, axes=axes)


def _sequences(value: Value) -> list[Ragged]:
    """Those along the second axis, after that of places."""
    if isinstance(value, tuple):
        return [found for item in value for found in _sequences(item)]
    return [value] if isinstance(value, Ragged) and value.axis == 1 else []


def _elements(value: Value) -> Value:
    """What all elements of a sequence have, over places."""
    if isinstance(value, tuple):
        return tuple(map(_elements, value))
    return value.elements if isinstance(value, Ragged) and value.axis == 1 else value


def places(functor: Functor, depth: int) -> int:
    """How many places a tree of this depth has at least."""
    room = 0 if not functor.plain else 1
    return sum(functor.slots(room) ** level for level in range(depth))


def changed(
    context: Context, tree: Grown, functor: Functor, change: Callable[[Variant], Variant]
) -> Grown:
    """A tree of the same shape: `change` on every layer; it keeps the constructor."""
    one, other = tree.functor.layer(t.UNIT), functor.layer(t.UNIT)
    layers = tuple(
        context.map(
            alive.type.shape[0],
            (alive, layer),
            t.Product((t.BOOL, one)),
            lambda pair: context.choose(
                pair[0], lambda: change(pair[1]), lambda: _end(context, functor, t.UNIT), other
            ),
            other,
        )
        for alive, layer in zip(tree.alive, tree.layers, strict=True)
    )
    return Grown(functor.tree, functor, layers, tree.alive, tree.rooms)


__all__ = [
    "MOST", "Functor", "Grown", "Growth", "as_tree", "base_name", "changed", "functor_of",
    "grow", "grown_in", "opened", "places", "reduce", "subtree", "tree_name",
]  # fmt: skip
