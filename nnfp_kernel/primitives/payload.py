"""The payload of `data`, of which a type is the functor: `Tree a` holds values of type a.

    mapData f, zipTree     another payload, the shape stays
    foldData f z           along the payload, from left to right
    payload, refill t      the payload as a sequence, and one in place of it

Shape and contents of data: Jay 1995, "A semantics for shape".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..graph.context import Context
from ..graph.forest import HOLE, Forest, NoForest, Unknown, fold_payload, mapped
from ..graph.grown import Grown, changed, functor_of
from ..graph.scope import Occurrence
from ..graph.sequences import elements, leading
from ..graph.values import (
    Extent,
    Items,
    NotFirstOrder,
    Value,
    Variant,
    emptied,
    item_at,
    leaves,
    map_leaves,
)
from ..language import types as t
from ..language.sizes import constant
from .table import Builtin, builtin
from .trees import known_constructor, require_known

Fields = tuple[Value, ...]


@dataclass(frozen=True)
class _Payload:
    """A data type as a functor: its declaration, and what stands for its last parameter."""

    context: Context
    declared: t.Named  # applied to its own parameters
    before: t.Named
    after: t.Named

    @property
    def last(self) -> t.Type:
        return self.declared.arguments[-1]

    def old(self, type: t.Type) -> t.Type:
        return self._in(type, self.before)

    def new(self, type: t.Type) -> t.Type:
        return self._in(type, self.after)

    def _in(self, type: t.Type, of: t.Named) -> t.Type:
        parameters = self.context.declarations.data[of.name].parameters
        return t.substitute(type, dict(zip(parameters, of.arguments, strict=True)), {})

    def there(self, type: t.Type) -> bool:
        return self.last in t.free_variables(type)[0]


def _payload(context: Context, before: t.Type, after: t.Type) -> _Payload:
    assert isinstance(before, t.Named)
    assert isinstance(after, t.Named)
    declared = t.Named(before.name, context.declarations.data[before.name].parameters)
    return _Payload(context, declared, before, after)


def _in_forest(
    of: _Payload, forests: tuple[Forest, ...], made: t.Named, change: Callable[..., Value]
) -> Forest:
    """`change` on the payload of forests whose trees have the same shapes: it is handed the
    declared type of a piece of payload, and of each forest the value."""
    whole = t.Named(of.declared.name, of.declared.arguments)
    if any(one.arguments[:-1] != made.arguments[:-1] for one in (f.type for f in forests)):
        raise NoForest(whole)
    return mapped(
        of.context, forests, made,
        lambda type, values: change(_with_parameter(type, of.last), *values),
    )  # fmt: skip


def _with_parameter(type: t.Type, last: t.Type) -> t.Type:
    """The declared type of payload, out of that with a hole in place of the parameter."""
    if type == HOLE:
        return last
    match type:
        case t.Array(element=element, length=length):
            return t.Array(_with_parameter(element, last), length)
        case t.Product(items=items):
            return t.Product(tuple(_with_parameter(item, last) for item in items))
        case t.Named(name=name, arguments=items):
            return t.Named(name, tuple(_with_parameter(item, last) for item in items))
        case _:
            return type


def _mapped(of: _Payload, declared: t.Type, value: Value, function: Value) -> Value:
    """A value of `declared` with `function` on its payload."""
    context = of.context
    if declared == of.last:
        return function(value)
    if not of.there(declared):
        return value
    match declared:
        case t.Product(items=items):
            return tuple(
                _mapped(of, item, part, function) for item, part in zip(items, value, strict=True)
            )
        case t.Array(element=element) if isinstance(value, Items):
            made = tuple(_mapped(of, element, item, function) for item in value.items)
            return Items(of.new(element), made)
        case t.Array(element=element):
            value, count = _along(context, value)
            return context.map(
                count, value, of.old(element),
                lambda item: _mapped(of, element, item, function), of.new(element),
            )  # fmt: skip
        case t.Named():
            return _mapped_data(of, declared, value, function)
        case _:
            raise NotFirstOrder(declared)


def _along(context: Context, value: Value) -> tuple[Value, int | Extent]:
    """A sequence and how long it is, of one length or another."""
    if leading(value):
        return context.together(value)
    return value, leaves(value)[0].type.shape[0]


def _mapped_data(of: _Payload, declared: t.Named, value: Value, function: Value) -> Value:
    context = of.context
    made = of.new(declared)
    assert isinstance(made, t.Named)
    if isinstance(value, Forest):
        change = lambda type, part: _mapped(of, type, part, function)  # noqa: E731
        return _in_forest(of, (value,), made, change)
    if isinstance(value, Grown):
        functor = functor_of(made, context.declarations)
        assert functor is not None

        def layers(children: t.Type, layer: Value) -> Value:
            base = t.Named(functor.base, (*declared.arguments, children))
            return _mapped_data(of, base, layer, function)

        tree = changed(context, value, functor, lambda layer: layers(t.UNIT, layer))
        if (growth := value.growth) is None:
            return tree
        # It grows so from the seed, too.
        step = lambda seed: layers(growth.seed_type, growth.function(seed))  # noqa: E731
        return replace(tree, growth=replace(growth, function=step))
    if isinstance(value, Unknown):
        before, after = of.before.arguments[-1], of.after.arguments[-1]
        return value.viewed(
            made,
            lambda name, fields: _payload_changed(
                of, name, fields, lambda type, part: _mapped(of, type, part, function)
            ),
            lambda items: context.map(
                leaves(items)[0].type.shape[0], items, before, function, after
            ),
        )
    if not isinstance(value, Variant):
        raise NotFirstOrder(of.before)
    constructors = context.declarations.constructors(declared)

    def fields(name: str) -> tuple[Value, ...]:
        return tuple(
            _mapped(of, field, part, function)
            for field, part in zip(constructors[name], value.fields[name], strict=True)
        )

    tag = value.tag
    if tag is None:
        return Variant(made, value.constructor, {name: fields(name) for name in value.fields})

    def where_it_is(place: int, name: str) -> Value:
        types = t.Product(tuple(map(of.new, constructors[name])))
        which = context.builder.constant(place, "Int")
        hit = context.builder.emit("compare", tag, which, how="eq")
        return context.choose(
            hit, lambda: fields(name), lambda: context.zero(emptied(types)), types
        )

    kept = {name: where_it_is(place, name) for place, name in enumerate(constructors)}
    return Variant(made, None, kept, tag)


def _payload_changed(
    of: _Payload, name: str, fields: tuple[Value, ...], change: Callable[..., Value],
    *others: tuple[Value, ...],
) -> tuple[Value, ...]:  # fmt: skip
    """The fields of a node, and of others beside it, with `change` on what is payload: the
    children, or what stands in place of them, are the first one's."""

    def field(declared: t.Type, *parts: Value) -> Value:
        if declared == of.declared or not of.there(declared):
            return parts[0]
        if not t.mentions(declared, of.declared):
            return change(declared, *parts)
        if isinstance(declared, t.Product):
            return tuple(
                field(item, *each) for item, *each in zip(declared.items, *parts, strict=True)
            )
        if isinstance(declared, t.Array) and declared.element == of.declared:
            return parts[0]
        raise NoForest(declared)

    types = of.context.declarations.constructors(of.declared)[name]
    return tuple(field(type, *parts) for type, *parts in zip(types, fields, *others, strict=True))


def _map_data(context: Context, use: Occurrence, function: Value, tree: Value) -> Value:
    of = _payload(context, use.domains()[1], use.result(2))
    return _mapped(of, of.declared, tree, function)


def _folded(
    of: _Payload, declared: t.Type, value: Value, step: Value, state: Value, state_type: t.Type
) -> Value:
    """The state after the payload in `value`, from left to right."""
    if declared == of.last:
        return step((state, value))
    if not of.there(declared):
        return state

    def on(type: t.Type, part: Value, before: Value) -> Value:
        return _folded(of, type, part, step, before, state_type)

    match declared:
        case t.Product(items=items):
            for item, part in zip(items, value, strict=True):
                state = on(item, part, state)
            return state
        case t.Array(element=element) if isinstance(value, Items):
            for item in value.items:
                state = on(element, item, state)
            return state
        case t.Array(element=element):
            value, count = _along(of.context, value)
            final, _ = of.context.loop(
                count, state, state_type, value, of.old(element),
                lambda before, item: (on(element, item, before), ()), t.UNIT,
            )  # fmt: skip
            return final
        case t.Named():
            constructors = of.context.declarations.constructors(declared)

            def after(name: str) -> Value:
                folded = state
                for field, part in zip(constructors[name], value.fields[name], strict=True):
                    folded = on(field, part, folded)
                return folded

            if isinstance(value, Variant) and value.tag is not None:
                return of.context.one_of(value, after, state_type)
            return after(known_constructor(value))
        case _:
            raise NotFirstOrder(declared)


def _fold_data(context: Context, use: Occurrence, step: Value, start: Value, tree: Value) -> Value:
    _, state, whole = use.domains()[:3]
    if isinstance(tree, Grown):
        require_known(context, tree)
    of = _payload(context, whole, whole)
    if isinstance(tree, Unknown):
        items, _ = tree.payload()
        return _folded(of, _sequence_of(of.last), items, step, start, state)
    if isinstance(tree, Forest):

        def along(holed: t.Type, value: Value, before: Value) -> Value:
            return _folded(of, _with_parameter(holed, of.last), value, step, before, state)

        return fold_payload(context, tree, along, start, state)
    return _folded(of, of.declared, tree, step, start, state)


def _zipped(of: _Payload, declared: t.Type, one: Value, two: Value) -> Value:
    """Two values of one shape as one, with pairs for payload."""
    context = of.context
    if declared == of.last:
        return one, two
    if not of.there(declared):
        return one
    match declared:
        case t.Product(items=items):
            return tuple(_zipped(of, *parts) for parts in zip(items, one, two, strict=True))
        case t.Array(element=element) if isinstance(one, Items):
            if len(one.items) != len(two.items):
                raise ValueError(f"{len(one.items)} children stand opposite {len(two.items)}")
            pairs = zip(one.items, two.items, strict=True)
            return Items(of.new(element), tuple(_zipped(of, element, a, b) for a, b in pairs))
        case t.Array(element=element) if element == of.last:
            lengths = [leaves(value)[0].type.shape[0] for value in (one, two)]
            if lengths[0] != lengths[1]:
                raise ValueError(f"sequences of lengths {lengths[0]} and {lengths[1]} are zipped")
            return one, two
        case t.Named():
            left, right = known_constructor(one), known_constructor(two)
            if left != right:
                raise ValueError(f"a {left} stands opposite a {right}: the trees differ in shape")
            fields = context.declarations.constructors(declared)[left]
            parts = zip(fields, one.fields[left], two.fields[left], strict=True)
            made = of.new(declared)
            assert isinstance(made, t.Named)
            return Variant(made, left, {left: tuple(_zipped(of, *part) for part in parts)})
        case _:
            raise NotFirstOrder(declared)


def _zipped_unknown(of: _Payload, one: Unknown, two: Unknown) -> Unknown:
    """Two trees of which nothing is known as one, or two views of the same."""

    def both(name: str, ours: Fields, theirs: Fields) -> Fields:
        change = lambda type, *parts: _zipped(of, type, *parts)  # noqa: E731
        left, right = one.fields(name, ours), two.fields(name, theirs)
        return _payload_changed(of, name, left, change, right)

    if one.plant is two.plant:
        return replace(
            one, type=of.after,
            seen=lambda name, fields: both(name, fields, fields),
            shown=lambda items: (one.items(items), two.items(items)),
        )  # fmt: skip
    payloads = t.Product((one.plant.type.arguments[-1], two.plant.type.arguments[-1]))
    plant = one.plant.beside(
        two.plant, replace(of.after, arguments=(*of.after.arguments[:-1], payloads))
    )
    if one.seen is None and two.seen is None:
        return Unknown(of.after, plant)

    def part(k: int, name: str, fields: Fields) -> Fields:
        """What the fields of one of the trees are, of those of both as one."""
        own = replace(of, after=(one, two)[k].plant.type)
        return _payload_changed(own, name, fields, lambda type, value: _part(own, type, value, k))

    return Unknown(
        of.after, plant,
        lambda name, fields: both(name, part(0, name, fields), part(1, name, fields)),
        lambda items: (one.items(items[0]), two.items(items[1])),
    )  # fmt: skip


def _part(of: _Payload, declared: t.Type, value: Value, k: int) -> Value:
    """Of a value whose payload is pairs the part that holds the k-th of each."""
    if declared == of.last:
        return value[k]
    if not of.there(declared):
        return value
    match declared:
        case t.Product(items=items):
            return tuple(_part(of, *each, k) for each in zip(items, value, strict=True))
        case t.Array(element=element):  # an array of pairs is a pair of arrays
            return _part(of, element, value, k)
        case _:
            raise NoForest(declared)


def _zip_tree(context: Context, use: Occurrence, pair: Value) -> Value:
    for tree in pair:
        require_known(context, tree)
    both = use.domains()[0]
    assert isinstance(both, t.Product)
    of = _payload(context, both.items[0], use.result(1))
    unknown = [tree for tree in pair if isinstance(tree, Unknown)]
    if len(unknown) == 1:  # one is known node by node: so must the other be
        raise unknown[0].undecided()
    if unknown:
        return _zipped_unknown(of, *unknown)
    if all(isinstance(tree, Forest) for tree in pair):
        if pair[0].shape != pair[1].shape:  # a mistake: it shows tree by tree
            raise NoForest(both)
        change = lambda type, one, two: _zipped(of, type, one, two)  # noqa: E731
        return _in_forest(of, pair, of.after, change)
    return _zipped(of, of.declared, *pair)


# --- as a sequence ---------------------------------------------------------------------------


def _rows(of: _Payload, declared: t.Type, value: Value) -> Iterator[tuple[Value, bool]]:
    """The payload in a value, from left to right: items, and sequences of them (True)."""
    if declared == of.last:
        yield value, False
    elif of.there(declared):
        match declared:
            case t.Product(items=items):
                for item, part in zip(items, value, strict=True):
                    yield from _rows(of, item, part)
            case t.Array(element=element) if element == of.last:
                if leading(value):
                    of.context.needs_length("`payload`")
                yield value, True
            case t.Array(element=element):
                for k in range(_count(of.context, value)):
                    yield from _rows(of, element, item_at(of.context.builder, value, k))
            case t.Named():
                name = known_constructor(value)
                fields = of.context.declarations.constructors(declared)[name]
                for field, part in zip(fields, value.fields[name], strict=True):
                    yield from _rows(of, field, part)
            case _:
                raise NotFirstOrder(declared)


def _count(context: Context, value: Value) -> int:
    """How many elements there are, where that is known while tracing."""
    if isinstance(value, Items):
        return len(value.items)
    if leading(value):
        context.needs_length("`payload`")
    return int(leaves(value)[0].type.shape[0])


def _contents(context: Context, use: Occurrence, tree: Value) -> Value:
    whole = use.domains()[0]
    require_known(context, tree)
    if isinstance(tree, Forest):
        raise NoForest(whole)
    if isinstance(tree, Unknown):
        return tree.payload()[0]
    of = _payload(context, whole, whole)
    assert isinstance(whole, t.Named)
    item = whole.arguments[-1]
    builder = context.builder
    columns = []
    for value, many in _rows(of, of.declared, tree):
        wires = context.flatten(value, _sequence_of(item, _count(context, value)) if many else item)
        columns.append(
            wires if many
            else [builder.emit("reshape", w, shape=(1, *w.type.shape)) for w in wires]
        )  # fmt: skip
    if not columns:
        return context.zero(_sequence_of(item))
    made = [
        column[0] if len(column) == 1 else builder.emit("concat", *column, axis=0)
        for column in zip(*columns, strict=True)
    ]
    return context.rebuild(_sequence_of(item, int(made[0].type.shape[0])), made)


def _sequence_of(item: t.Type, count: int = 0) -> t.Array:
    return t.Array(item, constant(count))


def _refill(context: Context, use: Occurrence, tree: Value, items: Value) -> Value:
    whole = use.domains()[0]
    require_known(context, tree)
    if isinstance(tree, Forest):
        raise NoForest(whole)
    made = use.result(2)
    if isinstance(tree, Unknown):
        assert isinstance(made, t.Named)
        return replace(tree, type=made, shown=lambda _: items, seen=_only_shown(made))
    of = _payload(context, whole, made)
    of_old = _payload(context, whole, whole)
    total = sum(
        _count(context, value) if many else 1 for value, many in _rows(of_old, of.declared, tree)
    )
    ragged = leading(items)
    if ragged:
        context.same_length(ragged[0].length, context.builder.constant(total, "Int"))
        items = elements(items)
        room = int(leaves(items)[0].type.shape[0])
        total = min(total, room)
    count = int(leaves(items)[0].type.shape[0]) if leaves(items) else total
    if count < total or (count > total and not ragged):
        raise ValueError(f"a payload of {total} stands opposite a sequence of {count}")
    place = iter(range(total))
    return _refilled(of, of.declared, tree, items, place)


def _only_shown(type: t.Named) -> Callable[[str, Fields], Fields]:
    def seen(name: str, fields: Fields) -> Fields:
        raise NoForest(type)

    return seen


def _refilled(
    of: _Payload, declared: t.Type, value: Value, items: Value, place: Iterator[int]
) -> Value:
    """A value of the same shape whose payload is the items from that place on."""
    context = of.context
    if declared == of.last:
        return item_at(context.builder, items, next(place))
    if not of.there(declared):
        return value
    match declared:
        case t.Product(parts):
            return tuple(
                _refilled(of, item, part, items, place)
                for item, part in zip(parts, value, strict=True)
            )
        case t.Array(element=element) if element == of.last:
            count = _count(context, value)
            first = next(place) if count else 0
            for _ in range(count - 1):
                next(place)
            return map_leaves(
                lambda wire: context.builder.emit(
                    "slice", wire, axis=0, start=first, stop=first + count, stride=1
                ),
                items,
            )
        case t.Array(element=element):
            made = [
                _refilled(of, element, item_at(context.builder, value, k), items, place)
                for k in range(_count(context, value))
            ]
            return context.sequence(made, of.new(element))
        case t.Named():
            name = known_constructor(value)
            fields = context.declarations.constructors(declared)[name]
            type = of.new(declared)
            assert isinstance(type, t.Named)
            parts = tuple(
                _refilled(of, field, part, items, place)
                for field, part in zip(fields, value.fields[name], strict=True)
            )
            return Variant(type, name, {name: parts})
        case _:
            raise NotFirstOrder(declared)


builtin(
    Builtin(
        "mapData", "(a -> b) -> t -> u where u = t with b for a", 2, _map_data,
        doc="A function on the payload of a data value, whose shape stays: the functor's map.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "mapData square (Node (Leaf 1) (Leaf 2))",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "foldData", "((s, a) -> s) -> s -> t -> s where t = t with a for a", 3, _fold_data,
        doc="A fold over the payload of a data value, from left to right.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "foldData (+) 0 (Node (Leaf 1) (Leaf 2))",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "zipTree", "(t, u) -> v where u = t with b for a, v = t with (a, b) for a", 1, _zip_tree,
        doc="Two data values of one shape as one, whose payload is pairs; what is not payload "
        "is the first one's. Trees of different shapes are a mistake.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "zipTree (Node (Leaf 1) (Leaf 2), Node (Leaf 3) (Leaf 4))",
    )
)  # fmt: skip
builtin(
    Builtin(
        "payload", "t -> [a] where t = t with a for a", 1, _contents,
        doc="The payload of a data value as a sequence, from left to right.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "payload (Node (Leaf 1) (Leaf 2))",
    )
)  # fmt: skip
builtin(
    Builtin(
        "refill", "t -> b[n] -> u where u = t with b for a", 2, _refill,
        doc="The data value with a sequence in place of its payload, from left to right: "
        "`refill t (payload t)` is t.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "refill (Node (Leaf 1) (Leaf 2)) [3, 4]",
        ragged=True,
    )
)  # fmt: skip
