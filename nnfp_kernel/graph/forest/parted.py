"""A tree of which nothing is known as its parts: where a `case` in a sequence, or in a loop, knows
something of another element, or of the state.

    map (\\(x, t) -> case t of { Leaf y -> x * y ; Node l r -> reduce l + x }) xs

Such alternatives cannot be observed of the tree alone (`Looked`). What they take of it can: which
constructor it has, the fields that are no trees, and what is made of the children, 0 where the
tree has another constructor. These are observations of the tree (unknown.py), made before the
loop; in it the constructor is a tag, as that of any data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ...language import types as t
from ..graph import Wire
from ..values import Items, NotFirstOrder, Value, Variant
from .node import Algebra
from .observed import Looked
from .shape import NoForest
from .unknown import Fellow, Unknown

if TYPE_CHECKING:
    from ..context import Context

Place: TypeAlias = "tuple[str, int, tuple[int, ...]]"  # constructor, field, and where in it


@dataclass(frozen=True, eq=False)
class Child:
    """A child of a tree, if that has the constructor: what is made of it is made of the tree."""

    type: t.Named
    parent: Tree
    place: Place

    def undecided(self) -> Exception:
        """Its constructor is asked for."""
        return Looked(self)

    def looked(self, context: Context, question: object, algebra: Algebra, result: t.Type) -> Value:
        """What a `case` makes of it. Raises Elsewhere where that knows something of an element."""

        def of(tree: Any) -> Value:
            return tree.looked(context, question, algebra, result)

        return _asked(context, self.parent, self.place, ("looked", question), of, result)

    def reduced(
        self, context: Context, question: object, algebra: Algebra, result: t.Type
    ) -> Value:
        """What the catamorphism makes of it."""

        def of(tree: Any) -> Value:
            if isinstance(tree, Unknown):
                return tree.reduce(context, algebra, result, question)
            return tree.reduced(context, question, algebra, result)

        return _asked(context, self.parent, self.place, ("reduced", question), of, result)


Tree: TypeAlias = "Unknown | Fellow | Child"


@dataclass(frozen=True, eq=False)
class Parted:
    """The tree, the tag that says which constructor it has, where its parts are asked for, and
    what is known of its children."""

    tree: Tree
    tag: Wire | None
    context: Context
    known: Mapping[Place, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, context: Context, tree: Tree) -> Parted:
        if isinstance(tree, Unknown):
            tree = Unknown(tree.type, tree.as_it_is(context))
        names = list(context.declarations.constructors(tree.type))

        def place(name: str, _: Sequence[Value]) -> Value:
            return context.builder.constant(names.index(name), "Int")

        tag = None
        if len(names) > 1:
            tag = tree.looked(context, ("constructor", tree.type), place, t.INT)
        return cls(tree, tag, context)

    def knowing(self, change: Callable[[Value], Value], child: Value, known: Value) -> Parted:
        """The same where a child is `known`, or what is known is changed."""
        made = {place: change(value) for place, value in self.known.items()}
        if isinstance(child, Child) and child.parent is self.tree:
            made[child.place] = known
        return replace(self, known=made)

    def shown(self, name: str, wanted: Sequence[bool]) -> Variant:
        """The tree as data, with those fields of a constructor that are wanted."""
        types = self.context.declarations.constructors(self.tree.type)[name]
        fields = tuple(
            self._field(type, (name, k, ())) if want else None
            for k, (type, want) in enumerate(zip(types, wanted, strict=True))
        )
        constructor = name if self.tag is None else None
        return Variant(self.tree.type, constructor, {name: fields}, self.tag)

    def _field(self, type: t.Type, place: Place) -> Value:
        if place in self.known:
            return self.known[place]
        declarations = self.context.declarations
        name, k, path = place

        def each(types: Sequence[t.Type]) -> tuple[Value, ...]:
            return tuple(self._field(one, (name, k, (*path, j))) for j, one in enumerate(types))

        match type:
            case t.Product(items=items):
                return each(items)
            case t.Named(name=rep) if rep in declarations.reps:
                return self._field(declarations.reps[rep].carrier, place)
            case t.Named() if declarations.has_trees(type):
                return Child(type, self.tree, place)
            case t.Array(element=element, length=length) if declarations.has_trees(element):
                if length.value is None:
                    raise NoForest(type)
                return Items(element, each([element] * length.value))
            case _:
                return _asked(
                    self.context, self.tree, place, "field", lambda value: value, type
                )  # fmt: skip


def _asked(
    context: Context,
    tree: Tree,
    place: Place,
    question: object,
    of: Callable[[Value], Value],
    result: t.Type,
) -> Value:
    """What is made `of` a part of the tree; 0 where it has no such part."""
    constructor, k, path = place

    def algebra(name: str, fields: Sequence[Value]) -> Value:
        if name == constructor:
            value = fields[k]
            for step in path:
                value = value.items[step] if isinstance(value, Items) else value[step]
            return of(value)
        return context.rebuild(result, list(map(context.builder.zeros, context.layout(result))))

    try:
        if context.declarations.is_open(result):
            raise NoForest(result)
        context.layout(result)
    except NotFirstOrder:
        raise NoForest(result) from None
    return tree.looked(context, (place, question), algebra, result)


__all__ = ["Child", "Parted", "Tree"]
