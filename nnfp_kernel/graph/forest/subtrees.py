"""A child beside its result, which is what the algebra of a paramorphism is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...language import types as t
from ..graph import Elsewhere
from ..values import Value
from .node import Algebra
from .reduction import reduce_forest
from .shape import Constructors, NoForest
from .wires import Forest

if TYPE_CHECKING:
    from ..trace import Tracer


@dataclass(frozen=True, eq=False)
class Subtree:
    """A child while the algebra of a paramorphism looks at its node: of a tree in a forest
    only what catamorphisms make of it is known, those that were asked for before."""

    type: t.Named
    known: tuple[tuple[object, Value], ...]

    def reduced(self, of: object, algebra: Algebra, result: t.Type) -> Value:
        """What the catamorphism `of` makes of it. Raises Wanted for one that is new."""
        for other, value in self.known:
            if other == of:
                return value
        raise Wanted(of, algebra, result)


class Wanted(Exception):
    """A catamorphism that an algebra asks for at a child."""

    def __init__(self, of: object, algebra: Algebra, result: t.Type) -> None:
        super().__init__()
        self.of, self.algebra, self.result = of, algebra, result


_MOST_ASKED = 8  # catamorphisms at a child; one that is made anew for each node never ends


def reduce_with_trees(tracer: Tracer, forest: Forest, algebra: Algebra, result: t.Type) -> Value:
    """The paramorphism: `algebra` is given pairs of a child and its result.

    All that is asked of a child is reduced with it, in one loop whose rows are the results
    of all. Raises NoForest where a child is used otherwise than by a catamorphism.
    """
    asked: list[Wanted] = []
    constructors = Constructors.of(forest.type, tracer.declarations)

    def every(name: str, fields: tuple[Value, ...]) -> Value:
        def only(k: int) -> tuple[Value, ...]:
            return _children(constructors, name, fields, lambda values: values[k])

        def beside(values: Value) -> Value:
            known = tuple((one.of, values[k]) for k, one in enumerate(asked, 1))
            return Subtree(forest.type, known), values[0]

        rest = [one.algebra(name, only(k)) for k, one in enumerate(asked, 1)]
        return (algebra(name, _children(constructors, name, fields, beside)), *rest)

    while len(asked) <= _MOST_ASKED:
        types = t.Product((result, *(one.result for one in asked)))
        try:
            return reduce_forest(tracer, forest, every, types)[0]
        except Wanted as wanted:
            asked.append(wanted)
        except Elsewhere:  # what is asked at a child knows something of the node
            break
    raise NoForest(result)


def _children(
    constructors: Constructors,
    name: str,
    fields: tuple[Value, ...],
    change: Callable[[Value], Value],
) -> tuple[Value, ...]:
    """The fields with `change` on what stands in place of each child."""

    def field(type: t.Type, value: Value) -> Value:
        if type == constructors.type:
            return change(value)
        if not t.mentions(type, constructors.type):
            return value
        if isinstance(type, t.Product):
            return tuple(field(item, part) for item, part in zip(type.items, value, strict=True))
        raise NoForest(type)  # a sequence of trees beside their results

    return tuple(map(field, constructors.fields[name], fields))
