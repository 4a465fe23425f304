"""Names of the language for recursive `data`: growing and reducing.

A tree is known node by node (a Variant: its constructors are seen while tracing) or
grown (graph/grown.py: its shape is known at run time, up to a depth). Source of the
schemes: Meijer, Fokkinga and Paterson 1991; of the base functor: Kmett's recursion-schemes.
"""

from __future__ import annotations

from typing import NoReturn

from ..graph.context import Context
from ..graph.forest import (
    Forest,
    Unknown,
    reduce_with_trees,
)
from ..graph.grown import (
    MOST,
    Functor,
    Grown,
    functor_of,
    grow,
    places,
    reduce,
)
from ..graph.scope import Occurrence
from ..graph.values import NotFirstOrder, Value, Variant
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
            not_yet_known(context, "the children of this tree, in sequences, are")
        return reduce(context, tree, algebra, result, with_trees=True)
    layer_type = _layer_type(use)

    def layer(constructor: str, fields: tuple[Value, ...]) -> Value:
        return algebra(Variant(layer_type, f"{constructor}F", {f"{constructor}F": fields}))

    if isinstance(tree, Forest | Unknown):
        return reduce_with_trees(context, tree, layer, result)
    whole = _named(tree)
    pair = t.Product((whole, result))

    def at(node: Value) -> Value:
        constructor = known_constructor(node)
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


def known_constructor(tree: Value) -> str:
    """The constructor of a tree that is known node by node."""
    if not isinstance(tree, Variant) or tree.constructor is None:
        raise NotFirstOrder(getattr(tree, "type", t.UNIT))
    return tree.constructor


def require_known(context: Context, tree: Value) -> None:
    if isinstance(tree, Grown) or (isinstance(tree, Variant) and tree.tag is not None):
        not_yet_known(context, "the shape of this tree is")


def not_yet_known(context: Context, what: str) -> NoReturn:
    context.fail(
        "shape-at-run-time",
        f"{what} known only at run time",
        "`cata`, `hylo` and `mapData` work on a tree that is grown all the same; what came out of "
        "a function, handed in to another, is a tree as any other.",
    )


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

__all__ = ["known_constructor", "not_yet_known", "require_known"]
