"""A tree of which nothing is known: what a program makes of any tree, for reading.

Whatever catamorphisms make of such a tree are further inputs of the graph, as if the tree
consisted of these results; the algebra of each is kept, constructor by constructor, as a
graph of its own (`Branch`). So a function of trees is a function of arrays and some
reductions (views/trees.py writes it down). Raises NoForest for all else that a program may
do with a tree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...language import types as t
from ...language.sizes import constant
from ..graph import ArrayType, Builder, Elsewhere, Graph, Wire
from ..values import Declarations, NotFirstOrder, OpenSize, Value
from .node import Algebra
from .shape import NoForest

if TYPE_CHECKING:
    from ..context import Context

Fields = tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Branch:
    """The algebra at one constructor. Its inputs are wires of the outermost graph, which
    come first, then those of the fields, with results in place of the children."""

    body: Graph
    outside: tuple[Wire, ...]
    fields: tuple[t.Type, ...]


@dataclass(frozen=True, eq=False)
class Reduction:
    """A catamorphism over an unknown tree, and the inputs that stand for its result."""

    result: t.Type
    branches: dict[str, Branch]
    wires: tuple[Wire, ...]
    asked: tuple[object, object] = (None, None)  # which one it is, of which view


@dataclass(frozen=True)
class AnyTree:
    """In place of a tree's structure: it is not known. A sequence in its fields has so
    many elements, in the text any number."""

    room: int


@dataclass(frozen=True, eq=False)
class Unknown:
    """Such a tree. `seen` is what its fields are to a function that looks at it, where they
    are changed on the way: of `type`, while `base` is what the tree is."""

    type: t.Named
    declarations: Declarations
    make: Callable[[ArrayType], Wire]  # a further input of the outermost graph
    room: int
    base: t.Named
    seen: Callable[[str, Fields], Fields] = lambda _, fields: fields  # one for all
    reductions: list[Reduction] = field(default_factory=list)

    def viewed(self, type: t.Named, change: Callable[[str, Fields], Fields]) -> Unknown:
        """The tree with other payload: `change` on the fields of each node."""
        before = self.seen
        return replace(
            self, type=type, seen=lambda name, fields: change(name, before(name, fields))
        )

    def beside(self, other: Unknown, type: t.Named, both: Callable[..., Fields]) -> Unknown:
        """Two views of one tree as one. Raises NoForest for two trees."""
        if self.reductions is not other.reductions:
            raise NoForest(type)
        one, two = self.seen, other.seen
        return replace(
            self, type=type,
            seen=lambda name, fields: both(name, one(name, fields), two(name, fields)),
        )  # fmt: skip

    def reduce(
        self, context: Context, algebra: Algebra, result: t.Type, asked: object = None
    ) -> Value:
        """What the catamorphism makes of the tree; the same that was `asked` before is made
        once."""
        for made in self.reductions:
            if asked is not None and made.asked == (asked, self.seen):
                return self.declarations.rebuild(result, made.wires)
        try:
            layout = self.declarations.layout(result)
        except (NotFirstOrder, OpenSize):
            raise NoForest(result) from None
        root = context.builder
        while root.parent is not None:
            root = root.parent
        branches = {}
        for name, fields in self.declarations.constructors(self.base).items():
            types = tuple(self.field(each, result) for each in fields)
            try:
                branches[name] = self._branch(context, root, name, types, algebra, result)
            except Elsewhere:  # it knows something of an element, or a step
                raise NoForest(result) from None
        wires = tuple(map(self.make, layout))
        self.reductions.append(Reduction(result, branches, wires, (asked, self.seen)))
        return self.declarations.rebuild(result, wires)

    def field(self, type: t.Type, result: t.Type) -> t.Type:
        """The type of a field, with results in place of the children."""
        made = t.replace_type(type, self.base, result)
        _, sizes = t.free_variables(made)
        return t.substitute(made, {}, dict.fromkeys(sizes, constant(self.room)))

    def _branch(
        self,
        context: Context,
        root: Builder,
        name: str,
        types: Sequence[t.Type],
        algebra: Algebra,
        result: t.Type,
    ) -> Branch:
        with context.inside(root.child()) as child:
            values = tuple(
                context.rebuild(each, [child.input(array) for array in context.layout(each)])
                for each in types
            )
            outputs = context.flatten(algebra(name, self.seen(name, values)), result)
        return _from_inputs(root, child, outputs, tuple(types))


def _from_inputs(
    root: Builder, child: Builder, outputs: Sequence[Wire], types: tuple[t.Type, ...]
) -> Branch:
    """What a child of the outermost builder makes, with all that it takes from there made
    in it, out of inputs."""
    body, captured = child.finish(outputs), child.captured
    before = root.finish(captured)
    builder = Builder(root.primitives)
    given = [builder.input(w.type, w.name, w.representation) for w in before.inputs]
    values = builder.inline(before, given)
    fields = [builder.input(w.type, w.name) for w in body.inputs[len(captured) :]]
    graph = builder.finish(builder.inline(body, [*values, *fields]))
    used = {wire for node in graph.nodes for wire in node.inputs} | set(graph.outputs)
    kept = [pair for pair in zip(given, before.inputs, strict=True) if pair[0] in used]
    inputs = (*(own for own, _ in kept), *fields)
    outside = tuple(wire for _, wire in kept)
    return Branch(Graph(inputs, graph.nodes, graph.outputs), outside, types)


__all__ = ["AnyTree", "Branch", "Reduction", "Unknown"]
