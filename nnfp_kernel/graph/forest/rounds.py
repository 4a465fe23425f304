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
from typing import TYPE_CHECKING

from ...language import types as t
from ..graph import ArrayType, Builder, Wire
from ..scope import Keys
from .along import Draft
from .observed import Entangled, Inside, Observation, Plant, Rounds

if TYPE_CHECKING:
    from ..building import Building

Step = Callable[[list[Wire], list[Wire]], tuple[Sequence[Wire], Sequence[Wire]]]


@dataclass(frozen=True, eq=False)
class Home:
    """A body in which trees from around it are observed, by those."""

    builder: Builder
    observed: list[Observation] = field(default_factory=list)
    trees: dict[Plant, Plant] = field(default_factory=dict)
    sequences: dict[Wire, Wire] = field(default_factory=dict)  # of the inputs that are elements
    # By its place, one of a sequence of trees.
    met: dict[Wire, tuple[Plant, Plant]] = field(default_factory=dict)

    def tree(self, plant: Plant) -> Plant:
        """A tree as it stands in the body."""
        if plant not in self.trees:
            parts = None
            if plant.parts is not None:
                parts = self.tree(plant.parts[0]), self.tree(plant.parts[1])
            self.trees[plant] = replace(self.any(plant), parts=parts)
        return self.trees[plant]

    def any(self, plant: Plant) -> Plant:
        """Some tree that stands in the body, which nothing is asked of."""
        return replace(
            plant, home=self.builder, make=self.builder.input, observed=self.observed, zipped={},
            parts=None, same=None,
        )  # fmt: skip

    def each(self, plant: Plant, place: Wire) -> Plant:
        """The tree that a round meets which goes along a sequence of trees, or along these in other
        places."""
        if place not in self.met:
            own = Plant(
                plant.type, plant.declarations, self.builder.input, plant.room,
                ("each", self.builder, len(self.met)), self.observed, self.builder,
            )  # fmt: skip
            self.met[place] = plant, own
        return self.met[place][1]


def in_rounds(
    context: Building,
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
    context.plants[child] = home.any(plant)

    keys: list[Wire] = []

    def key() -> Wire:
        keys.append(child.input(ArrayType("Key")))
        return keys[0]

    with context.inside(child, Keys(key)):
        states = [child.input(wire.type) for wire in start]
        items = [child.input(wire.type.element()) for wire in along]
        home.sequences.update(zip(items, along, strict=True))
        after, outputs = step(states, items)
        answer = (*after, *outputs)
        if [wire.type for wire in after] != [wire.type for wire in start]:
            raise Entangled(t.UNIT, "a state that grows, with a tree,")
        inside = Inside((), answer, tuple(home.observed), (), {})
        body = Draft(child, answer, (), inside).branch()
    if keys:  # of each round one; what is drawn with it is found in drawn.py
        along = [*along, outer.emit("splitKey", context.key(), count=length)]
    given = Draft(outer.child(), (*start, *along), ()).branch()
    final = tuple(plant.make(wire.type) for wire in after)
    stacked = tuple(plant.make(wire.type.over(length)) for wire in outputs)
    known = tuple(tree for tree in home.trees if tree.parts is None)
    own = [*states, *items]
    each = tuple((own.index(place), trees, one) for place, (trees, one) in home.met.items())
    wires = (*final, *stacked)
    plant.observed.append(
        Rounds(plant, given, body, len(final), length, reverse, known, wires, each)
    )
    return final, stacked


__all__ = ["Home", "in_rounds"]
