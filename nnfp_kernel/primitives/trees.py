"""Names of the language for recursive `data`: growing, reducing, and the payload.

A tree is known node by node (a Variant: its constructors are seen while tracing) or
grown (graph/grown.py: its shape is known at run time, up to a depth). Source of the
schemes: Meijer, Fokkinga and Paterson 1991; of the base functor: Kmett's recursion-schemes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from ..graph.context import Context
from ..graph.forest import (
    HOLE,
    Forest,
    NoForest,
    Unknown,
    fold_payload,
    mapped,
    reduce_with_trees,
)
from ..graph.grown import (
    MOST,
    Functor,
    Grown,
    changed,
    functor_of,
    grow,
    places,
    reduce,
)
from ..graph.scope import Occurrence
from ..graph.sequences import leading
from ..graph.values import Extent, Items, NotFirstOrder, Value, Variant, emptied, leaves
from ..language import types as t
from .table import Builtin, builtin

# --- growing and reducing ------------------------------------------------------------------


def _functor(context: Context, tree: t.Type, depth: int) -> Functor:
    """The functor of a type that can be grown to this depth; a mistake is the user's."""
    assert isinstance(tree, t.Named)
    functor = functor_of(tree, context.declarations)
    name = t.show(tree)
    if functor is None:
        context.fail(
            "cannot-grow",
            f"a {name} cannot be grown",
            "The children of a tree that is grown stand in fields, in products and arrays of "
            "them, or in sequences of such, and nowhere deeper.",
        )
    if functor.end is None:
        context.fail(
            "endless-data",
            f"a {name} has no end",
            "Each of its constructors has children, so that nothing can stand below the last "
            "level. Add a constructor without children.",
        )
    if places(functor, depth) > MOST:
        context.fail(
            "tree-too-deep",
            f"a tree of depth {depth} with {functor.slots(1)} children a node has "
            f"{places(functor, depth)} places",
            f"A grown tree is laid out with a place for every node that there may be, {MOST} at "
            "most.",
        )
    return functor


def _seed_of(use: Occurrence) -> tuple[t.Named, t.Type]:
    """The layer's type and the seed's, of `s -> f`."""
    function = use.domains()[-2]
    assert isinstance(function, t.Function)
    assert isinstance(function.codomain, t.Named)
    return function.codomain, function.domain


def _ana(context: Context, use: Occurrence, function: Value, seed: Value) -> Value:
    _, seed_type = _seed_of(use)
    depth = use.brackets[0]
    functor = _functor(context, use.result(2), depth)
    return grow(context, functor, function, seed, seed_type, depth)


def _hylo(context: Context, use: Occurrence, algebra: Value, function: Value, seed: Value) -> Value:
    layer, seed_type = _seed_of(use)
    depth = use.brackets[0]
    whole = t.Named(context.declarations.data[layer.name].base_of, layer.arguments[:-1])
    functor = _functor(context, whole, depth)
    tree = grow(context, functor, function, seed, seed_type, depth)
    return reduce(context, tree, algebra, use.result(3))


def _para(context: Context, use: Occurrence, algebra: Value, tree: Value) -> Value:
    result = use.result(2)
    if isinstance(tree, Grown):
        if not tree.functor.plain:
            _not_yet_known(context, "the children of this tree, in sequences, are")
        return reduce(context, tree, algebra, result, with_trees=True)
    layer_type = _layer_type(use)

    def layer(constructor: str, fields: tuple[Value, ...]) -> Value:
        return algebra(Variant(layer_type, f"{constructor}F", {f"{constructor}F": fields}))

    if isinstance(tree, Forest | Unknown):
        return reduce_with_trees(context, tree, layer, result)
    whole = _named(tree)
    pair = t.Product((whole, result))

    def at(node: Value) -> Value:
        constructor = _known(node)
        declared = context.declarations.constructors(whole)[constructor]
        fields = tuple(
            context.reduced(value, field, whole, pair, lambda child: (child, at(child)))
            for field, value in zip(declared, node.fields[constructor], strict=True)
        )
        return layer(constructor, fields)

    return at(tree)


def _layer_type(use: Occurrence) -> t.Named:
    algebra = use.domains()[0]
    assert isinstance(algebra, t.Function)
    assert isinstance(algebra.domain, t.Named)
    return algebra.domain


def _named(tree: Value) -> t.Named:
    if not isinstance(tree, Variant):
        raise NotFirstOrder(getattr(tree, "type", t.UNIT))
    return tree.type


def _known(tree: Value) -> str:
    """The constructor of a tree that is known node by node."""
    if not isinstance(tree, Variant) or tree.constructor is None:
        raise NotFirstOrder(getattr(tree, "type", t.UNIT))
    return tree.constructor


builtin(
    Builtin(
        "ana", "(s -> f) -> s -> t where f = layer t s", 2, _ana, brackets=("n",),
        doc="The tree grown from a seed (anamorphism): a function from a seed to a layer, of "
        "the base functor, with seeds in place of children, at most n times down a path. "
        "Below that the tree ends in the first constructor without children, its fields zero, and "
        "a sequence of children is empty.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "ana[3] (\\s -> if s > 1 then NodeF (s / 2) (s / 3) else LeafF s) 4",
    )
)  # fmt: skip
builtin(
    Builtin(
        "hylo", "(g -> r) -> (s -> f) -> s -> r where f = layer t s, g = layer t r", 3, _hylo,
        brackets=("n",),
        doc="Growing and reducing in one (hylomorphism): `ana` of the second function, then "
        "the first one from the last level up, on layers with results in place of children.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "total layer = case layer of { LeafF x -> x; NodeF l r -> l + r }\n"
        "hylo[3] total (\\s -> if s > 1 then NodeF (s / 2) (s / 3) else LeafF s) 4",
    )
)  # fmt: skip
builtin(
    Builtin(
        "para", "(f -> r) -> t -> r where f = layer t (t, r)", 2, _para,
        doc="A catamorphism whose algebra sees each child beside its result (paramorphism): a "
        "function on layers with pairs in place of children.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "leaves = cata { Leaf x -> 1; Node l r -> l + r }\n"
        "weigh layer = case layer of { LeafF x -> x; NodeF (a, x) (b, y) -> x + y * leaves b }\n"
        "para weigh (Node (Leaf 1) (Node (Leaf 2) (Leaf 3)))",
    )
)  # fmt: skip


# --- the payload ---------------------------------------------------------------------------


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
        base = t.Named(functor.base, (*declared.arguments, t.UNIT))
        return changed(
            context, value, functor, lambda layer: _mapped_data(of, base, layer, function)
        )
    if isinstance(value, Unknown):
        return value.viewed(
            made, lambda name, fields: _payload_changed(of, name, fields, lambda type, part: (
                _mapped(of, type, part, function)
            ))
        )  # fmt: skip
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
            return after(_known(value))
        case _:
            raise NotFirstOrder(declared)


def _fold_data(context: Context, use: Occurrence, step: Value, start: Value, tree: Value) -> Value:
    _, state, whole = use.domains()[:3]
    if isinstance(tree, Grown):
        _require_known(context, tree)
    of = _payload(context, whole, whole)
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
            left, right = _known(one), _known(two)
            if left != right:
                raise ValueError(f"a {left} stands opposite a {right}: the trees differ in shape")
            fields = context.declarations.constructors(declared)[left]
            parts = zip(fields, one.fields[left], two.fields[left], strict=True)
            made = of.new(declared)
            assert isinstance(made, t.Named)
            return Variant(made, left, {left: tuple(_zipped(of, *part) for part in parts)})
        case _:
            raise NotFirstOrder(declared)


def _zip_tree(context: Context, use: Occurrence, pair: Value) -> Value:
    for tree in pair:
        _require_known(context, tree)
    both = use.domains()[0]
    assert isinstance(both, t.Product)
    of = _payload(context, both.items[0], use.result(1))
    if all(isinstance(tree, Unknown) for tree in pair):
        zipped = lambda type, one, two: _zipped(of, type, one, two)  # noqa: E731
        return pair[0].beside(
            pair[1], of.after,
            lambda name, one, two: _payload_changed(of, name, one, zipped, two),
        )  # fmt: skip
    if all(isinstance(tree, Forest) for tree in pair):
        if pair[0].shape != pair[1].shape:  # a mistake: it shows tree by tree
            raise NoForest(both)
        change = lambda type, one, two: _zipped(of, type, one, two)  # noqa: E731
        return _in_forest(of, pair, of.after, change)
    return _zipped(of, of.declared, *pair)


def _require_known(context: Context, tree: Value) -> None:
    if isinstance(tree, Grown) or (isinstance(tree, Variant) and tree.tag is not None):
        _not_yet_known(context, "the shape of this tree is")


def _not_yet_known(context: Context, what: str) -> NoReturn:
    context.fail(
        "shape-at-run-time",
        f"{what} known only at run time",
        "`cata`, `hylo` and `mapData` work on a tree that is grown all the same; what came out of "
        "a function, handed in to another, is a tree as any other.",
    )


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
