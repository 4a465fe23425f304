"""A child beside its result, which is what the algebra of a paramorphism is given.

Of a child only what catamorphisms make of it can be asked. What is asked alike at every
node is reduced with the paramorphism itself, in one loop whose rows are all results. What
knows something of the node (`\\x -> cata { Leaf z -> z * x; … }`) is another catamorphism
at every node: there the forest is reduced again, with the child for its root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ...language import types as t
from ..graph import ArrayType, Elsewhere, Wire
from ..sequences import elements, leading, over
from ..values import Standin, Value, Variant
from .node import Algebra
from .reduction import reduce_forest
from .shape import Constructors, Kind, NoForest
from .unknown import Unknown
from .wires import Forest

if TYPE_CHECKING:
    from ..context import Context


@dataclass(frozen=True)
class Question:
    """A catamorphism that is asked of a child: what it is wherever it is asked, and what it
    knows of the place."""

    everywhere: object
    here: Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class Subtree(Standin):
    """A child while the algebra of a paramorphism looks at its node. Its parts are its
    result, the answers to what is asked of all, and, if some questions know the node, the
    row of the child in the forest."""

    within: Paramorphism

    def reduced(
        self, context: Context, question: Question, algebra: Algebra, result: t.Type
    ) -> Value:
        """What the catamorphism makes of it. Raises Wanted for one that is new."""
        within = self.within
        if question.everywhere in within.knowing:
            assert isinstance(within.forest, Forest)
            forest = _rooted(context, within.forest, self.values[-1])
            return reduce_forest(context, forest, algebra, result)
        for other, value in zip(within.asked, self.values[1:], strict=False):
            if other.question == question:
                return value
        raise Wanted(question, algebra, result)


class Wanted(Exception):
    """A catamorphism that an algebra asks for at a child."""

    def __init__(self, question: Question, algebra: Algebra, result: t.Type) -> None:
        super().__init__()
        self.question, self.algebra, self.result = question, algebra, result


_MOST_ASKED = 8  # catamorphisms at a child; one that is made anew for each node never ends


def reduce_with_trees(
    context: Context, forest: Forest | Unknown, algebra: Algebra, result: t.Type
) -> Value:
    """The paramorphism: `algebra` is given pairs of a child and its result. Raises NoForest
    where a child is used otherwise than by a catamorphism."""
    made = Paramorphism(forest, Constructors.of(forest.type, context.declarations))
    while len(made.asked) + len(made.knowing) <= _MOST_ASKED:
        try:
            return made.reduced(context, algebra, result)
        except Wanted as wanted:
            made.asked.append(wanted)
        except NoForest:
            if not isinstance(forest, Unknown):
                raise
            return _beside_itself(context, forest, algebra, result)
        except Elsewhere:  # what was asked last knows something of the node
            if not made.asked or isinstance(forest, Unknown) or forest.place is not None:
                break  # a forest of all examples would be reduced for each node of all
            made.knowing.append(made.asked.pop().question.everywhere)
    raise NoForest(result)


def _beside_itself(context: Context, tree: Unknown, algebra: Algebra, result: t.Type) -> Value:
    """The paramorphism as the catamorphism that makes the tree itself beside its result
    (Meertens 1992): so children are trees while a node is looked at."""

    constructors = Constructors.of(tree.type, context.declarations)

    def both(name: str, fields: tuple[Value, ...]) -> Value:
        own = _with_children(constructors, name, fields, lambda pair: pair[0])
        return Variant(tree.type, name, {name: own}), algebra(name, fields)

    return tree.reduce(context, both, t.Product((tree.type, result)))[1]


@dataclass(eq=False)
class Paramorphism:
    """What is known, from one attempt to the next, of the questions an algebra asks."""

    forest: Forest | Unknown
    constructors: Constructors
    asked: list[Wanted] = field(default_factory=list)
    knowing: list[object] = field(default_factory=list)

    def reduced(self, context: Context, algebra: Algebra, result: t.Type) -> Value:
        types = (result, *(one.result for one in self.asked))
        numbered = (*types, t.INT) if self.knowing else types
        tree = self.forest.type

        def every(name: str, fields: tuple[Value, ...]) -> Value:
            row = None
            if self.knowing:
                *own, row = fields
                fields = tuple(own)

            def only(k: int) -> tuple[Value, ...]:
                return self._fields(name, fields, lambda values: values[k])

            def beside(values: Value) -> Value:
                parts = tuple(zip(numbered, values, strict=True))
                return Subtree(tree, parts, self), values[0]

            # First what is asked of all: what cannot be said here knows of another node.
            rest = [one.algebra(name, only(k)) for k, one in enumerate(self.asked, 1)]
            made = algebra(name, self._fields(name, fields, beside))
            return (made, *rest) if row is None else (made, *rest, row)

        forest, constructors = self.forest, self.constructors
        if self.knowing:
            assert isinstance(forest, Forest)
            forest, constructors = _numbered(context, forest), _with_number(constructors)
        return reduce_forest(context, forest, every, t.Product(numbered), constructors)[0]

    def _fields(
        self, name: str, fields: tuple[Value, ...], change: Callable[[Value], Value]
    ) -> tuple[Value, ...]:
        return _with_children(self.constructors, name, fields, change)


def _with_children(
    constructors: Constructors,
    name: str,
    fields: tuple[Value, ...],
    change: Callable[[Value], Value],
) -> tuple[Value, ...]:
    """The fields with `change` on what stands in place of each child."""
    tree = constructors.type

    def one(type: t.Type, value: Value) -> Value:
        if type == tree:
            return change(value)
        if not t.mentions(type, tree):
            return value
        if isinstance(type, t.Product):
            return tuple(one(item, part) for item, part in zip(type.items, value, strict=True))
        assert isinstance(type, t.Array)
        inside = one(type.element, elements(value))
        ragged = leading(value)
        return over(inside, ragged[0].length) if ragged else inside

    return tuple(map(one, constructors.fields[name], fields))


# --- the rows of a forest ----------------------------------------------------------------------


def _with_number(constructors: Constructors) -> Constructors:
    """The constructors with the row of the node for one more field."""
    fields = {name: (*items, t.INT) for name, items in constructors.fields.items()}
    return Constructors(fields, constructors.type)


def _numbered(context: Context, forest: Forest) -> Forest:
    """The forest with the row of each node as more payload."""
    builder, shape = context.builder, forest.shape
    payload: dict[Kind | str, tuple[Wire, ...]] = {}
    first = 0

    def rows(count: int, axes: tuple[int, ...]) -> Wire:
        start = builder.constant(first, "Int")
        start = builder.emit("broadcast", start, shape=(count,), axes=())
        numbers = builder.emit("add", builder.emit("iota", size=count), start)
        return builder.emit("reshape", numbers, shape=axes)

    for kind, count in shape.leaves:
        payload[kind] = (*forest.payload[kind], rows(count, (count,)))
        first += count
    inner = rows(shape.length * shape.width, (shape.length, shape.width))
    for key, wires in forest.payload.items():
        if not isinstance(key, Kind):
            payload[key] = (*wires, inner)
    return replace(forest, payload=payload)


def _rooted(context: Context, forest: Forest, row: Wire) -> Forest:
    """The forest of one tree, with the node of this row for its root."""
    builder, shape = context.builder, forest.shape
    reads, finals, blocks, leaves = forest.schedule
    trees = finals.type.shape[0]
    nobody = trees + shape.reads * shape.length * shape.width
    first = sum(count for _, count in shape.leaves)

    def same(number: int, type: ArrayType) -> Wire:
        return builder.emit("broadcast", builder.constant(number, "Int"), shape=type.shape, axes=())

    def readers(old: Wire, start: int) -> Wire:
        """Who reads each row, in a history that begins with one row at the end."""
        type = old.type
        count = 1
        for size in type.shape:
            count *= size
        numbers = builder.emit("reshape", builder.emit("iota", size=count), shape=type.shape)
        numbers = builder.emit("add", numbers, same(start, type))
        root = builder.emit("broadcast", row, shape=type.shape, axes=())
        here = builder.emit("compare", numbers, root, how="eq")
        ended = builder.emit("compare", old, same(trees, type), how="lt")
        old = builder.emit("select", ended, same(nobody, type), old)
        old = builder.emit("subtract", old, same(trees - 1, type))
        return builder.emit("select", here, same(0, type), old)

    finals = builder.emit("reshape", row, shape=(1,))
    schedule = (reads, finals, readers(blocks, first), readers(leaves, 0))
    return replace(forest, schedule=schedule, shape=replace(shape, trees=1))
