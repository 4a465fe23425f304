"""What is kept of the body of a loop, a map or a branch for its linear maps, and where it is found.

    kept_of(child, needed, …)   the residuals of a body: outside already, or a further output
    seats_of, seated            those of branches, which share places: only one of them is taken

What is kept, and what is made again from it, `residuals` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..graph.graph import Builder, Graph, Wire
from .maps import Cell, Network
from .residuals import entering, keep, prologue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """The residuals of a body: where each is found outside, and how the rest follows."""

    shared: tuple[Wire, ...]  # wires outside: the same for every element
    stacked: tuple[Wire | int, ...]  # one for each: a wire outside, or a stacked output
    extra: tuple[Wire, ...]  # wires of the body that become further outputs
    prologue: Graph
    made: tuple[Wire, ...]

    def cell(self, network: Network) -> Cell:
        return Cell(self.prologue, self.made, network)

    def found(self, stacks: Sequence[Wire]) -> tuple[Wire, ...]:
        """The stacked residuals, given the node's stacked outputs."""
        return tuple(stacks[each] if isinstance(each, int) else each for each in self.stacked)


def kept_of(
    child: Builder,
    needed: Sequence[Wire],
    shared: Mapping[Wire, Wire],
    elements: Mapping[Wire, Wire],
    stacks: Sequence[Wire],
    again: bool = False,
) -> Kept:
    """What to keep of a body of which outside there are `shared` inputs, `elements`
    and the outputs in `stacks`: what is dear to make, or of one that is made `again` as a
    whole what enters it."""
    there = {wire: k for k, wire in reversed(list(enumerate(stacks)))}
    if again:
        saved = entering(child, needed)
    else:
        saved = keep(child, needed, shared.keys() | elements.keys() | there.keys())
    once = [wire for wire in saved if wire in shared]
    each = [wire for wire in saved if wire not in shared]
    extra = [wire for wire in each if wire not in elements and wire not in there]
    further = {wire: len(stacks) + k for k, wire in enumerate(extra)}
    return Kept(
        tuple(shared[wire] for wire in once),
        tuple(
            elements[w] if w in elements else there[w] if w in there else further[w] for w in each
        ),
        tuple(extra),
        prologue(child, [*once, *each], needed),
        tuple(needed),
    )


def seats_of(seats: list[T], wires: Sequence[Wire], kind: Callable[[Wire], T]) -> list[int]:
    """For each wire a seat of its own kind; those that are missing are added."""
    taken: list[int] = []
    for wire in wires:
        wanted = kind(wire)
        free = (k for k, seat in enumerate(seats) if seat == wanted and k not in taken)
        place = next(free, len(seats))
        if place == len(seats):
            seats.append(wanted)
        taken.append(place)
    return taken


def seated(cell: Cell, own: Sequence[int], residuals: Sequence[Wire]) -> Cell:
    """The cell with a prologue that takes all residuals, of which it uses its own."""
    prologue = cell.prologue
    inputs = [Wire(wire.type) for wire in residuals]
    for place, wire in zip(own, prologue.inputs, strict=True):
        inputs[place] = wire
    return Cell(Graph(tuple(inputs), prologue.nodes, prologue.outputs), cell.made, cell.network)
