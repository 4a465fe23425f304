"""Choices between graphs: branches, and trees that conditions choose.

choose    a branch of any type: a Choose node, or at once where the condition is known
one_of    the branch of the constructor that data turn out to have
observed  what is made of a tree that a condition chooses, of the one and of the other
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..language import types as t
from .building import Building
from .chosen import chosen_of, same_wire
from .graph import (
    Builder,
    Choose,
    Wire,
    subgraphs_together,
)
from .sequences import (
    fitted,
    joined,
    unfilled,
)
from .values import (
    Chosen,
    Items,
    NotFirstOrder,
    Value,
    Variant,
)

APART = (
    "Several conditions choose these trees, each by itself. Trees that go together are chosen by "
    "one: `if c then (t, dt) else (u, du)`."
)
MOST_LOOKS = 1000  # at trees that conditions choose, each of which is traced


class Choices(Building):
    """The graph being built, and branches in it."""

    def choose(
        self,
        condition: Wire,
        then: Callable[[], Value],
        otherwise: Callable[[], Value],
        type: t.Type,
    ) -> Value:
        """A branch of `type`; at once when the condition is known while tracing."""
        decided = self._decided(condition)
        if decided is not None:
            return then() if decided else otherwise()
        if isinstance(type, t.Function):
            codomain = type.codomain
            return lambda argument: self.choose(
                condition, lambda: then()(argument), lambda: otherwise()(argument), codomain
            )
        if isinstance(type, t.Linear):
            return then().choose(condition, otherwise())
        branches = []
        self.branching += 1
        for branch in (otherwise, then):  # branches[int(condition)]
            with self.inside(self.builder.child()) as child:
                branches.append((child, branch(), self.doubt().wire))
        self.branching -= 1
        if self.declarations.has_trees(type) and not self._laid_out(type, branches):
            value, doubt = chosen_of(self, self._as_before(condition), branches, type)
            if doubt is not None:
                self._doubts.append(doubt)
            return value
        room = joined(branches[0][1], branches[1][1])
        doubted = any(doubt is not None for _, _, doubt in branches)
        bodies = []
        for child, value, doubt in branches:
            outputs = self.declarations.flatten(child, fitted(child, value, room), type)
            if doubted:
                outputs.append(child.constant(0, "Int") if doubt is None else doubt)
            bodies.append((child, outputs))
        like = unfilled(fitted(bodies[0][0], branches[0][1], room))
        made = self.chosen(condition, bodies)
        if doubted:
            self._doubts.append(made[-1])
            made = made[:-1]
        return self.declarations.rebuild(type, made, like)

    def _decided(self, condition: Wire) -> bool | None:
        """Whether a condition holds, where that is known: in a branch of its own, too, while a
        tree that it chooses is looked at."""
        for one, holds in self._assumed:
            if same_wire(self.builder, one, condition):
                return holds
        value: bool | None = self.constant_value(condition)
        return value

    def _laid_out(
        self, type: t.Type, branches: Sequence[tuple[Builder, Value, Wire | None]]
    ) -> bool:
        """Whether both branches have a layout all the same: children that a `para` looks at."""
        try:
            for child, value, _ in branches:
                self.declarations.flatten(child, value, type)
        except NotFirstOrder:
            return False
        return True

    def _as_before(self, condition: Wire) -> Wire:
        """The condition that a tree was chosen by before, where this one is computed alike."""
        for before in self._conditions:
            if same_wire(self.builder, before, condition):
                return before
        self._conditions.append(condition)
        return condition

    def observed(self, tree: Chosen, observe: Callable[[Value], Value], type: t.Type) -> Value:
        """What is made of a tree that a condition chooses: of the one, or of the other."""

        def branch(holds: bool, part: Value) -> Callable[[], Value]:
            def made() -> Value:
                self._assumed.append((tree.condition, holds))
                try:
                    return observe(part)
                finally:
                    self._assumed.pop()

            return made

        self._looks += 1
        if self._looks > MOST_LOOKS:
            self.fail(
                "tree-chosen",
                "which tree this is depends on too many conditions",
                f"What is made of a tree that conditions choose is made of each that it may be, "
                f"here of more than {MOST_LOOKS:,}. Choose what is made of trees instead, "
                "`if c then f t else f u`.",
            )
        then, otherwise = branch(True, tree.then), branch(False, tree.otherwise)
        return self.choose(tree.condition, then, otherwise, type)

    def reduced(
        self,
        value: Value,
        field: t.Type,
        whole: t.Type,
        result: t.Type,
        reduce: Callable[[Value], Value],
    ) -> Value:
        """A constructor's field with results in place of the children."""
        if field == whole:
            return reduce(value)
        match field:
            case t.Array() if isinstance(value, Chosen):
                made = t.replace_type(field, whole, result)
                again = lambda own: self.reduced(own, field, whole, result, reduce)  # noqa: E731
                return self.observed(value, again, made)
            case t.Array(element=element) if isinstance(value, Items):
                items = [self.reduced(item, element, whole, result, reduce) for item in value.items]
                inner = t.replace_type(element, whole, result)
                with self._of_numbers():
                    return self.sequence(items, inner)
            case t.Product(items=types):
                return tuple(
                    self.reduced(part, item, whole, result, reduce)
                    for part, item in zip(value, types, strict=True)
                )
            case _:
                return value

    def one_of(self, value: Variant, branch: Callable[[str], Value], type: t.Type) -> Value:
        """The branch of the constructor that a value turns out to have at run time."""
        names = list(self.declarations.constructors(value.type))
        assert value.tag is not None
        tag = value.tag

        def from_here(place: int) -> Value:
            if place == len(names) - 1:
                return branch(names[place])
            which = self.builder.constant(place, "Int")
            hit = self.builder.emit("compare", tag, which, how="eq")
            return self.choose(
                hit, lambda: branch(names[place]), lambda: from_here(place + 1), type
            )

        return from_here(0)

    def chosen(
        self, selector: Wire, bodies: Sequence[tuple[Builder, Sequence[Wire]]]
    ) -> tuple[Wire, ...]:
        """A Choose node: the outputs of the branch selected, each with its builder."""
        graphs, captured = subgraphs_together(bodies)
        return self.builder.add(Choose(graphs), (selector, *captured))
