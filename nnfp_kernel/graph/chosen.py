"""Which of two trees it is, is known only at run time: what a branch gives that has no layout.

    pick c t u = if c > 0 then t else u         Chosen: the condition, and both of them
    cata algebra (pick c t u)                   if c > 0 then cata algebra t else cata algebra u

Whatever is made of such a tree is made of the one and of the other, in a branch each: what is
observed commutes with a choice. So nothing new is computed or differentiated, and of the tree
that is not taken nothing is. An answer has the arrays of both, and the condition says which of
them it is.

What the branches compute for a tree comes out of one choice, with zeros for the other's, and a
value that has a layout besides (of a pair, the number beside a tree) is chosen as ever.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from ..language import types as t
from .forest import Forest, Unknown
from .graph import Builder, Call, Constant, Node, Wire
from .grown import Grown
from .sequences import fitted, joined, unfilled
from .values import Chosen, Items, Standin, Value, Variant, within
from .values import Sequence as Ragged

if TYPE_CHECKING:
    from .choices import Choices

Make: TypeAlias = "Callable[[Sequence[Wire]], Value]"  # of what the choice gives


def chosen_of(
    context: Choices,
    condition: Wire,
    branches: Sequence[tuple[Builder, Value, Wire | None]],
    type: t.Type,
) -> tuple[Value, Wire | None]:
    """The value of one of two branches, otherwise and then, each with what is doubted in it; and
    what is doubted of that. Raises NotFirstOrder for what is no tree and has no layout."""
    union = _Union(context, condition, [child for child, _, _ in branches])
    make = union.of(type, [value for _, value, _ in branches])
    doubts = [doubt for _, _, doubt in branches]
    if any(doubt is not None for doubt in doubts):
        for child, outputs, doubt in zip(union.children, union.outputs, doubts, strict=True):
            outputs.append(child.constant(0, "Int") if doubt is None else doubt)
    bodies = list(zip(union.children, union.outputs, strict=True))
    made = context.chosen(condition, bodies) if union.outputs[0] else ()
    return make(made), made[-1] if any(doubt is not None for doubt in doubts) else None


class _Union:
    """Two branches while what both give is put together: outputs that are as many of each."""

    def __init__(self, context: Choices, condition: Wire, children: Sequence[Builder]) -> None:
        self.context, self.condition, self.children = context, condition, children
        self.outputs: list[list[Wire]] = [[] for _ in children]

    def of(self, type: t.Type, values: Sequence[Value]) -> Make:
        declarations = self.context.declarations
        if not declarations.has_trees(type):
            return self._laid_out(type, values)
        if isinstance(type, t.Product):
            parts = [self.of(item, each) for item, *each in zip(type.items, *values, strict=True)]
            return lambda made: tuple(part(made) for part in parts)
        if isinstance(type, t.Array) and all(isinstance(value, Items) for value in values):
            rows = [value.items for value in values]
            if len(rows[0]) == len(rows[1]):
                items = [self.of(type.element, each) for each in zip(*rows, strict=True)]
                element = type.element
                return lambda made: Items(element, tuple(item(made) for item in items))
        otherwise, then = (self._by_itself(k, value) for k, value in enumerate(values))
        condition = self.condition
        return lambda made: Chosen(type, condition, then(made), otherwise(made))

    def _laid_out(self, type: t.Type, values: Sequence[Value]) -> Make:
        """What has a layout, as one value."""
        declarations, room = self.context.declarations, joined(*values)
        start = len(self.outputs[0])
        pairs = list(zip(self.children, values, strict=True))
        likes = [fitted(child, value, room) for child, value in pairs]
        for child, like, own in zip(self.children, likes, self.outputs, strict=True):
            own += declarations.flatten(child, like, type)
        stop, like = len(self.outputs[0]), unfilled(likes[0])
        return lambda made: declarations.rebuild(type, made[start:stop], like)

    def _by_itself(self, k: int, value: Value) -> Make:
        """A value of one branch out of it: the other one has zeros for what it computes."""
        own, other = self.children[k], self.children[1 - k]
        places: dict[Wire, int] = {}

        def out(wire: Wire) -> Wire:
            if wire not in places and own.owns(wire) and own.outside(wire) is wire:
                places[wire] = len(self.outputs[k])
                self.outputs[k].append(wire)
                self.outputs[1 - k].append(other.zeros(wire.type))
            return wire

        moved(value, out)

        def placed(wire: Wire, made: Sequence[Wire]) -> Wire:
            if wire not in places:
                return own.outside(wire)
            node = own.producer(wire)
            if node is not None and isinstance(node.operation, Constant):  # it stays known
                constant = node.operation
                return self.context.builder.constant(constant.value, constant.type.kind)
            return made[places[wire]]

        return lambda made: moved(value, lambda wire: placed(wire, made))


def moved(value: Value, change: Callable[[Wire], Wire]) -> Value:
    """A value on other wires, those among them that say how long, or which, something is. What
    stands in it twice is moved once, and what has no other wires stays what it is."""
    known: dict[int, tuple[Value, Value]] = {}

    def again(part: Value) -> Value:
        if isinstance(part, Wire):
            return change(part)
        if id(part) not in known:
            known[id(part)] = part, _moved(part, again)
        return known[id(part)][1]

    return again(value)


def _moved(value: Value, again: Callable[[Value], Value]) -> Value:
    match value:
        case tuple():
            made = tuple(map(again, value))
            return value if all(map(operator.is_, made, value)) else made
        case Ragged(elements=elements, length=length):
            return _again(value, again, elements=elements, length=length)
        case Items(items=items):
            return _again(value, again, items=items)
        case Variant(fields=fields, tag=tag):
            own = tuple(fields.values())
            moved, place = again(own), tag and again(tag)
            if moved is own and place is tag:
                return value
            return replace(value, fields=dict(zip(fields, moved, strict=True)), tag=place)
        case Forest():
            return value.replaced(again)
        case Grown(layers=layers, alive=alive):
            made = _again(value, again, layers=layers, alive=alive)
            return value if made is value else replace(made, growth=None)
        case Chosen(condition=condition, then=then, otherwise=otherwise):
            return _again(value, again, condition=condition, then=then, otherwise=otherwise)
        case Standin():
            return value.refilled(again(value.values))
        case _:  # a tree of which nothing is known
            return value


def _again(value: Value, again: Callable[[Value], Value], **parts: Value) -> Value:
    made = {name: again(part) for name, part in parts.items()}
    return value if all(made[name] is parts[name] for name in parts) else replace(value, **made)


# --- in values that are known otherwise ----------------------------------------------------------


def telling(value: Value) -> list[Wire]:
    """The wires in a value that say where a grown tree goes, and which tree is chosen."""
    found: list[Wire] = []
    for part in within(value):
        match part:
            case Grown():
                found += part.telling
            case Chosen(condition=condition, then=then, otherwise=otherwise):
                found += [condition, *telling((then, otherwise))]
    return found


def told(value: Value, change: Callable[[Wire], Wire]) -> Value:
    """A value with other such wires, asked for in that order."""
    match value:
        case Grown():
            return value.told(change)
        case Chosen(condition=condition, then=then, otherwise=otherwise):
            condition = change(condition)
            then, otherwise = told((then, otherwise), change)
            return replace(value, condition=condition, then=then, otherwise=otherwise)
        case tuple():
            return tuple(told(part, change) for part in value)
        case Items(items=items):
            return replace(value, items=told(items, change))
        case Variant(constructor=str(name), fields=fields):
            return replace(value, fields={name: told(fields[name], change)})
        case _:
            return value


def chosen_in(value: Value) -> Iterator[Chosen]:
    """The choices in a value that is known otherwise."""
    return (part for part in within(value) if isinstance(part, Chosen))


def put(value: Value, tree: Chosen, other: Value) -> Value:
    """A value with another in place of a choice in it."""
    if value is tree:
        return other
    match value:
        case tuple():
            return tuple(put(part, tree, other) for part in value)
        case Items(items=items):
            return replace(value, items=put(items, tree, other))
        case Variant(constructor=str(name), fields=fields):
            return replace(value, fields={name: put(fields[name], tree, other)})
        case _:
            return value


def shared(tree: Chosen) -> list[Value]:
    """The trees that stand in both of the two, wherever conditions lead: what is made of them is
    made once, before the choice."""
    known: dict[int, dict[int, Value]] = {}

    def sure(value: Value) -> dict[int, Value]:
        if id(value) not in known:
            known[id(value)] = found = {}
            match value:
                case Variant(constructor=str(name), fields=fields):
                    found.update(sure(fields[name]))
                    found[id(value)] = value
                case Chosen(then=then, otherwise=otherwise):
                    found.update(_both(sure(then), sure(otherwise)))
                    found[id(value)] = value
                case Forest() | Grown() | Unknown():
                    found[id(value)] = value
                case tuple() | Items():
                    for part in value if isinstance(value, tuple) else value.items:
                        found.update(sure(part))
        return known[id(value)]

    return list(_both(sure(tree.then), sure(tree.otherwise)).values())


def _both(one: dict[int, Value], other: dict[int, Value]) -> dict[int, Value]:
    return {key: value for key, value in one.items() if key in other}


def same_wire(builder: Builder, one: Wire, other: Wire) -> bool:
    """Whether two wires are one, or are computed alike: `c > 0`, written twice."""
    seen: set[tuple[Wire, Wire]] = set()

    def same(one: Wire, other: Wire) -> bool:
        left, right = (_made(builder, wire) for wire in (one, other))
        if left is right or (one, other) in seen:
            return True
        if not isinstance(left, Node) or not isinstance(right, Node):
            return False
        match left.operation, right.operation:
            case Call(primitive=f, parameters=a), Call(primitive=g, parameters=b):
                alike = f is g and a == b and len(left.inputs) == len(right.inputs)
                alike = alike and all(map(same, left.inputs, right.inputs))
            case Constant(value=a, type=kind), Constant(value=b, type=other_kind):
                alike = kind == other_kind and a.tobytes() == b.tobytes()
            case _:
                alike = False
        if alike:
            seen.add((one, other))
        return alike

    return same(one, other)


def _made(builder: Builder | None, wire: Wire) -> Node | Wire:
    """The node that made a wire, here or around; an input, or what is elsewhere, itself."""
    while builder is not None:
        if builder.owns(wire):
            outer = builder.outside(wire)
            if outer is wire:
                node = builder.producer(wire)
                return wire if node is None or len(node.outputs) > 1 else node
            wire = outer
        builder = builder.parent
    return wire


__all__ = ["chosen_in", "chosen_of", "moved", "put", "same_wire", "shared", "telling", "told"]
