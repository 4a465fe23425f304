"""A loop as an observation: what its body makes of trees is known round by round.

    fold (\\(s, x) -> x * s + cata { Leaf v -> v * s ; Node l r -> tanh (l + r) } t) z xs

Where an algebra knows the state, what it makes is not there before the loop. Then the body is a
function of arrays and of the trees around it, as an algebra at a node is that has trees: what it
observes is written down on these trees as they stand in the body (`Home`), and the states and the
outputs of the loop are further inputs of the graph around it (`Rounds`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

from ...language import types as t
from ..graph import Builder, Wire
from ..scope import Keys
from .along import Draft
from .observed import Entangled, Inside, Observation, Plant, Rounds

if TYPE_CHECKING:
    from ..context import Context

Step = Callable[[list[Wire], list[Wire]], tuple[Sequence[Wire], Sequence[Wire]]]


@dataclass(frozen=True, eq=False)
class Home:
    """A body in which trees from around it are observed, by those."""

    builder: Builder
    observed: list[Observation] = field(default_factory=list)
    trees: dict[Plant, Plant] = field(default_factory=dict)

    def tree(self, plant: Plant) -> Plant:
        """A tree as it stands in the body."""
        if plant not in self.trees:
            parts = None
            if plant.parts is not None:
                parts = self.tree(plant.parts[0]), self.tree(plant.parts[1])
            self.trees[plant] = replace(
                plant, home=self.builder, make=self.builder.input, observed=self.observed,
                parts=parts, zipped={}, same=None,
            )  # fmt: skip
        return self.trees[plant]


def in_rounds(
    context: Context,
    plant: Plant,
    length: int,
    start: Sequence[Wire],
    along: Sequence[Wire],
    step: Step,
    reverse: bool,
) -> tuple[tuple[Wire, ...], tuple[Wire, ...]]:
    """The final states and the outputs of a loop, observed; `plant` is any tree where it stands.
    Raises NoForest for a body that cannot be."""
    outer = context.builder
    child = outer.child()
    home = Home(child)
    context.homes[child] = home
    context.plants[child] = home.tree(plant)

    def drawn() -> NoReturn:
        raise Entangled(t.UNIT, "a random draw, with a tree,")

    with context.inside(child, Keys(drawn)):
        states = [child.input(wire.type) for wire in start]
        items = [child.input(wire.type.element()) for wire in along]
        after, outputs = step(states, items)
        answer = (*after, *outputs)
        if [wire.type for wire in after] != [wire.type for wire in start]:
            raise Entangled(t.UNIT, "a state that grows, with a tree,")
        inside = Inside((), answer, tuple(home.observed), (), {})
        body = Draft(child, answer, (), inside).branch()
    given = Draft(outer.child(), (*start, *along), ()).branch()
    final = tuple(plant.make(wire.type) for wire in after)
    stacked = tuple(plant.make(wire.type.over(length)) for wire in outputs)
    known = tuple(tree for tree in home.trees if tree.parts is None)
    plant.observed.append(
        Rounds(plant, given, body, len(final), length, reverse, known, (*final, *stacked))
    )
    return final, stacked


__all__ = ["Home", "in_rounds"]
