"""`treeRecurrence`: linear steps over a tree, the derivative of a catamorphism. The one
`With` more is that of an algebra that takes what moves from around it.

A step is a function of a node's layer (graph/grown.py: the base functor, with results in
place of the children) and gives the node's own result beside a linear map: from a layer of
tangents, those of the payload and of the results below, to the tangent of the result. So
what value and derivative share is computed once at a node. All steps together are a linear
map from tangents of the tree, which have its shape; bottom up, and its adjoint top down.

Source: DERIVATIVES.md; for the catamorphism Meijer, Fokkinga and Paterson 1991.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..graph.context import Context
from ..graph.forest import Forest, NoForest
from ..graph.scope import Occurrence
from ..graph.values import Items, NotFirstOrder, OpenSize, Value, Variant, same_shape
from ..language import types as t
from .linear_values import Promised
from .table import Builtin, builtin


@dataclass(frozen=True)
class _Step:
    """A node: its linear map, and the steps of its children from left to right."""

    constructor: str
    linear: Value
    below: tuple[_Step, ...]


@dataclass(frozen=True)
class _Recurrence:
    """The types of one use: the tree, a layer of results and one of their tangents; and
    whether the steps take what is the same for all besides."""

    context: Context
    whole: t.Named
    result: t.Type
    tangent: t.Type
    layer: t.Named
    moving: t.Named
    shared: bool

    def run(self, step: Value, node: Value) -> tuple[Value, _Step]:
        """The result at a node, and the steps below it."""
        if not isinstance(node, Variant) or node.constructor is None:
            raise NotFirstOrder(self.whole)
        below: list[_Step] = []

        def child(value: Value) -> Value:
            result, own = self.run(step, value)
            below.append(own)
            return result

        fields = self._fields(node, self.result, child)
        result, linear = step(self._layered(self.layer, node.constructor, fields))
        return result, _Step(node.constructor, linear, tuple(below))

    def apply(self, step: _Step, around: Value, node: Variant) -> Value:
        """The linear steps on a tangent of the tree, and of what is around it."""
        supply: Iterator[_Step] = iter(step.below)
        fields = self._fields(
            node, self.tangent, lambda value: self.apply(next(supply), around, value)
        )
        layer = self._layered(self.moving, step.constructor, fields)
        return step.linear((around, layer) if self.shared else layer)

    def _fields(self, node: Variant, made: t.Type, child: Value) -> tuple[Value, ...]:
        declared = self.context.declarations.constructors(self.whole)[node.constructor or ""]
        return tuple(
            self.context.reduced(value, field, self.whole, made, child)
            for field, value in zip(declared, node.fields[node.constructor or ""], strict=True)
        )

    @staticmethod
    def _layered(type: t.Named, constructor: str, fields: Sequence[Value]) -> Variant:
        return Variant(type, f"{constructor}F", {f"{constructor}F": tuple(fields)})


def _tree_recurrence(context: Context, use: Occurrence, step: Value, tree: Value) -> Value:
    return _recurrence(context, use, step, tree, None)


def _tree_recurrence_with(context: Context, use: Occurrence, step: Value, tree: Value) -> Value:
    function = use.domains()[0]
    assert isinstance(function, t.Function)
    assert isinstance(function.codomain, t.Product)
    linear = function.codomain.items[1]
    assert isinstance(linear, t.Linear)
    assert isinstance(linear.domain, t.Product)
    return _recurrence(context, use, step, tree, linear.domain.items[0])


def _recurrence(
    context: Context, use: Occurrence, step: Value, tree: Value, around: t.Type | None
) -> Value:
    function, whole = use.domains()
    assert isinstance(function, t.Function)
    assert isinstance(function.codomain, t.Product)
    result, linear = function.codomain.items
    assert isinstance(linear, t.Linear)
    moving = linear.domain
    if around is not None:
        assert isinstance(moving, t.Product)
        moving = moving.items[1]
    assert isinstance(function.domain, t.Named)
    assert isinstance(moving, t.Named)
    assert isinstance(whole, t.Named)
    if isinstance(tree, Forest):  # a linear map is no row of a forest
        raise NoForest(whole)
    if not isinstance(tree, Variant | Items) or (isinstance(tree, Variant) and tree.tag):
        context.fail(
            "shape-at-run-time",
            "the shape of this tree is known only at run time",
            "`derivative` of a `cata` works on it all the same.",
        )
    shared = around is not None
    of = _Recurrence(context, whole, result, linear.codomain, function.domain, moving, shared)
    value, steps = of.run(step, tree)

    def moved(tangent: Value) -> Value:
        beside, node = tangent if shared else ((), tangent)
        if not same_shape(node, tree):
            context.fail("shapes-disagree", "the tangent of a tree has the shape of the tree")
        return of.apply(steps, beside, node)

    if around is None:
        return value, Promised(context, moved, whole, linear.codomain, checked=False, source=tree)
    source: Value = None
    with suppress(OpenSize):  # then it is told by a point, `derivative l (xs, t)`
        source = (context.zero(around), tree)
    space = t.Product((around, whole))
    return value, Promised(context, moved, space, linear.codomain, checked=False, source=source)


builtin(
    Builtin(
        "treeRecurrence",
        "(f -> (p, g -o s)) -> t -> (p, t -o s) where f = layer t p, g = layer t s, smooth s",
        2, _tree_recurrence,
        doc="A catamorphism and its derivative in one. The function is given a layer with "
        "results in place of the children; it gives the result there, and a linear map from "
        "layers of tangents. All of these make one linear map from the tangents of the tree: "
        "bottom up, and its adjoint from the root to the leaves.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "step layer = case layer of\n"
        "  { LeafF x -> (x * x, section (\\d -> case d of { LeafF dx -> 2 * x * dx; _ -> 0 }))\n"
        "  ; NodeF l r -> (l * r, section (\\d -> case d of\n"
        "      { NodeF dl dr -> r * dl + l * dr; _ -> 0 })) }\n"
        "tree = Node (Leaf 2) (Leaf 3)\n"
        "snd (treeRecurrence step tree) (Node (Leaf 1) (Leaf 0))",
    )
)  # fmt: skip
builtin(
    Builtin(
        "treeRecurrenceWith",
        "(f -> (p, (e, g) -o s)) -> t -> (p, (e, t) -o s)"
        " where f = layer t p, g = layer t s, vector e, smooth s",
        2, _tree_recurrence_with,
        doc="`treeRecurrence` whose steps also take what is the same at every node: a pair of "
        "that and a layer of tangents. Its adjoint sums over all nodes.",
        example="data Tree a = Leaf a | Node (Tree a) (Tree a)\n"
        "step w layer = case layer of\n"
        "  { LeafF x -> (w * x, section (\\(dw, d) -> case d of\n"
        "      { LeafF dx -> dw * x + w * dx; _ -> 0 }))\n"
        "  ; NodeF l r -> (l + r, section (\\(_, d) -> case d of\n"
        "      { NodeF dl dr -> dl + dr; _ -> 0 })) }\n"
        "tree = Node (Leaf 2) (Leaf 3)\n"
        "adjoint (snd (treeRecurrenceWith (step 5) tree)) 1",
    )
)  # fmt: skip
