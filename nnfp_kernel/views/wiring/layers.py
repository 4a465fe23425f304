"""Layered drawing: which column a node stands in, in which order, and how high.

The three steps of Sugiyama, Tagawa and Toda 1981: columns by the longest path, orders
that cross few wires (barycentres), heights that leave most wires straight. The last is
a median regression along each column, solved exactly by pooling neighbours that would
stand too close (Ayer et al. 1955); medians, not means, because they keep wires straight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .diagram import Wire

SLIGHT = 4  # pixels that a wire may be off before it is seen


@dataclass(eq=False)
class Item:
    """What takes room in a column: a node, an end of the diagram, or a wire in passing.

    `entering` and `leaving` are the heights of its ports below its top.
    """

    width: float
    height: float
    entering: tuple[float, ...]
    leaving: tuple[float, ...]
    inputs: tuple[Wire, ...] = ()
    outputs: tuple[Wire, ...] = ()
    content: Any = None
    fixed: bool = False  # its place in the order of its column is given
    passing: bool = False
    commutes: bool = False  # its inputs may change places, so that they do not cross
    gap: float = 18  # room above it
    column: int = 0
    x: float = 0
    y: float = 0


@dataclass(frozen=True)
class Link:
    """A stretch of a wire between two neighbouring columns."""

    wire: Wire
    source: Item
    leaving: int
    target: Item
    entering: int

    @property
    def start(self) -> float:
        return self.source.y + self.source.leaving[self.leaving]

    @property
    def end(self) -> float:
        return self.target.y + self.target.entering[self.entering]

    @property
    def weight(self) -> int:
        return 4 if self.source.passing and self.target.passing else 2


@dataclass
class Layers:
    columns: list[list[Item]]
    links: list[list[Link]] = field(default_factory=list)  # out of each column


def arranged(items: Sequence[Item]) -> Layers:
    """The items in columns, in order and at their heights, with all links between
    neighbours. Items come in an order in which every wire is made before it is used; the
    first may be inputs and the last outputs, marked `fixed`."""
    layers = _columns(items)
    _order(layers)
    _exchange(layers)
    _heights(layers)
    return layers


def _columns(items: Sequence[Item]) -> Layers:
    made: dict[Wire, tuple[Item, int]] = {}
    users: dict[Wire, list[Item]] = {}
    for item in items:
        below = [made[wire][0].column for wire in item.inputs]
        item.column = max(below, default=-1) + 1
        for place, wire in enumerate(item.outputs):
            made[wire] = item, place
        for wire in item.inputs:
            users.setdefault(wire, []).append(item)
    last = max((item.column for item in items), default=0)
    for item in items:
        if item.fixed and item.inputs:  # outputs stand together at the end
            item.column = last
    ends = [item for item in items if item.fixed and item.inputs]
    if ends and any(item.column == last and not item.fixed for item in items):
        last += 1
        for item in ends:
            item.column = last
    for item in reversed(items):  # what waits for others stands next to who uses it
        if item.fixed or item.inputs:
            continue
        after = [user.column for wire in item.outputs for user in users.get(wire, ())]
        if after:
            item.column = max(min(after) - 1, 0)
    columns: list[list[Item]] = [[] for _ in range(last + 1)]
    for item in items:
        columns[item.column].append(item)
    links: list[list[Link]] = [[] for _ in range(last + 1)]
    passing: dict[tuple[Wire, int], Item] = {}

    def at(wire: Wire, column: int) -> tuple[Item, int]:
        """Where a wire leaves a column: its source, or an item that lets it pass."""
        source, place = made[wire]
        if column == source.column:
            return source, place
        if (wire, column) not in passing:
            item = Item(0, 0, (0,), (0,), passing=True, column=column, gap=20)
            passing[wire, column] = item
            columns[column].append(item)
            before, leaving = at(wire, column - 1)
            links[column - 1].append(Link(wire, before, leaving, item, 0))
        return passing[wire, column], 0

    for item in items:
        for place, wire in enumerate(item.inputs):
            source, leaving = at(wire, item.column - 1)
            links[item.column - 1].append(Link(wire, source, leaving, item, place))
    return Layers(columns, links)


# --- order ----------------------------------------------------------------------------------


def _order(layers: Layers) -> None:
    best, fewest = [list(column) for column in layers.columns], _crossings(layers)
    for sweep in range(8):
        if not fewest:
            break
        forward = sweep % 2 == 0
        numbers = range(1, len(layers.columns))
        for k in numbers if forward else reversed(range(len(layers.columns) - 1)):
            _sort(layers, k, forward)
        found = _crossings(layers)
        if found < fewest:
            best, fewest = [list(column) for column in layers.columns], found
    layers.columns[:] = best


def _sort(layers: Layers, k: int, forward: bool) -> None:
    column = layers.columns[k]
    if all(item.fixed for item in column):
        return
    near = layers.columns[k - 1 if forward else k + 1]
    place = {item: number for number, item in enumerate(near)}
    centres: dict[Item, float] = {}
    for link in layers.links[k - 1 if forward else k]:
        mine, other = (link.target, link.source) if forward else (link.source, link.target)
        port = link.leaving if forward else link.entering
        count = len(other.leaving if forward else other.entering)
        centres.setdefault(mine, 0)
        centres[mine] += place[other] + (port + 0.5) / max(count, 1)
    counts: dict[Item, int] = {}
    for link in layers.links[k - 1 if forward else k]:
        mine = link.target if forward else link.source
        counts[mine] = counts.get(mine, 0) + 1
    numbers = {item: number for number, item in enumerate(column)}

    def key(item: Item) -> tuple[float, int]:
        centre = centres[item] / counts[item] if item in centres else numbers[item]
        return centre, numbers[item]

    free = sorted((item for item in column if not item.fixed), key=key)
    ends = [item for item in column if item.fixed]
    merged: list[Item] = []
    while free or ends:  # the ends of the diagram keep their order
        if not ends or (free and key(free[0]) <= key(ends[0])):
            merged.append(free.pop(0))
        else:
            merged.append(ends.pop(0))
    layers.columns[k] = merged


def _crossings(layers: Layers) -> int:
    total = 0
    for k, links in enumerate(layers.links[:-1]):
        here = {item: number for number, item in enumerate(layers.columns[k])}
        there = {item: number for number, item in enumerate(layers.columns[k + 1])}
        ends = [
            ((here[link.source], link.leaving), (there[link.target], link.entering))
            for link in links
        ]
        total += sum(
            1
            for a, (start, end) in enumerate(ends)
            for other_start, other_end in ends[a + 1 :]
            if (start < other_start and end > other_end)
            or (start > other_start and end < other_end)
        )
    return total


def _exchange(layers: Layers) -> None:
    """The ports of what commutes, in the order in which their wires come."""
    for k, links in enumerate(layers.links[:-1]):
        here = {item: number for number, item in enumerate(layers.columns[k])}
        coming: dict[Item, list[Link]] = {}
        for link in links:
            if link.target.commutes:
                coming.setdefault(link.target, []).append(link)
        for item, found in coming.items():
            found.sort(key=lambda link: (here[link.source], link.leaving, link.entering))
            heights = sorted(item.entering)
            places = {link.entering: height for link, height in zip(found, heights, strict=True)}
            item.entering = tuple(places[k] for k in range(len(heights)))


# --- heights -----------------------------------------------------------------------------------


def _heights(layers: Layers) -> None:
    for column in layers.columns:
        y = 0.0
        for item in column:
            y += item.gap
            item.y = y
            y += item.height
    entering: dict[Item, list[Link]] = {}
    leaving: dict[Item, list[Link]] = {}
    for links in layers.links:
        for link in links:
            entering.setdefault(link.target, []).append(link)
            leaving.setdefault(link.source, []).append(link)
    count = len(layers.columns)
    # At first each column follows the one before it, then the one behind it; at last both,
    # the one before it most, so that a chain stays straight and turns where wires meet.
    for sweep in range(15):
        whole = sweep >= 6
        order = range(count) if sweep % 2 == 0 else reversed(range(count))
        for k in order:
            wishes = []
            for item in layers.columns[k]:
                wish: list[tuple[float, int]] = []
                if whole or sweep % 2 == 0:
                    wish += [
                        (
                            link.start - item.entering[link.entering],
                            link.weight * (3 if sweep % 2 == 0 else 1),
                        )
                        for link in entering.get(item, ())
                    ]
                if whole or sweep % 2 == 1:
                    wish += [
                        (
                            link.end - item.leaving[link.leaving],
                            link.weight * (3 if sweep % 2 == 1 else 1),
                        )
                        for link in leaving.get(item, ())
                    ]
                wishes.append(wish or [(item.y, 1)])
            _settle(layers.columns[k], wishes)

    for k in range(1, count):  # what is nearly straight is made so
        column = layers.columns[k]
        for number, item in enumerate(column):
            bends = [link.start - link.end for link in entering.get(item, ())]
            bend = min(bends, key=abs, default=0)
            above = column[number - 1] if number else None
            below = column[number + 1] if number + 1 < len(column) else None
            if abs(bend) > SLIGHT:
                continue
            if above is not None and item.y + bend < above.y + above.height + item.gap - SLIGHT:
                continue
            if below is not None and item.y + bend + item.height > below.y - below.gap + SLIGHT:
                continue
            item.y += bend


def _settle(column: Sequence[Item], wishes: Sequence[list[tuple[float, int]]]) -> None:
    """Heights as near to the wishes as the room between neighbours allows."""
    blocks: list[tuple[list[tuple[float, int]], int, float]] = []  # wishes, items, height
    offsets, offset = [], 0.0
    for number, item in enumerate(column):
        if number:
            offset += column[number - 1].height + item.gap
        offsets.append(offset)
        block = ([(y - offset, weight) for y, weight in wishes[number]], 1)
        height = _median(block[0])
        merged = (*block, height)
        while blocks and blocks[-1][2] > merged[2]:
            before = blocks.pop()
            joined = before[0] + merged[0]
            merged = (joined, before[1] + merged[1], _median(joined))
        blocks.append(merged)
    heights = [height for _, items, height in blocks for _ in range(items)]
    for item, offset, height in zip(column, offsets, heights, strict=True):
        item.y = height + offset


def _median(wishes: list[tuple[float, int]]) -> float:
    """A weighted median; the middle where it is a stretch."""
    ordered = sorted(wishes)
    half, below = sum(weight for _, weight in ordered) / 2, 0
    for number, (y, weight) in enumerate(ordered):
        below += weight
        if below > half:
            return y
        if below == half:
            return (y + ordered[number + 1][0]) / 2
    return ordered[-1][0]
