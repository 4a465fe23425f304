"""The arrays of a forest, by the plan of its trees."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy

from ...graph.forest import ForestShape, Kind
from .flat import payload_of, rows_at
from .order import order_of
from .plan import Plan

Array = Any
Indices = numpy.ndarray


def arrays_of(plan: Plan, shape: ForestShape, *, once: bool = False) -> list[Array]:
    """The arrays of `forest_layout`, in the room of `shape`. What stands in the room left over
    repeats payload that is there; payload that stands there `once`, a cotangent, is 0 then."""
    filled = _filled(plan, shape)
    owners = _owners(plan, shape)
    found: list[Array] = []
    if len(shape.inner) > 1:
        number = numpy.zeros(max(plan.kinds.values(), default=0) + 1, int)
        for kind, code in plan.kinds.items():
            if not kind.leaf:
                number[code] = shape.inner.index(kind)
        kinds = numpy.zeros(shape.length * shape.width, int)
        kinds[plan.place[plan.inner]] = number[plan.code[plan.inner]]
        found.append(kinds[filled].reshape(shape.length, shape.width)[:, 0])
    found += _schedule(plan, shape, filled, owners)
    if shape.items is not None:
        found += order_of(plan, shape)
    own = {name: Joined(plan, k) for k, name in enumerate(plan.names)}
    for kind, count in shape.leaves:
        number = own[kind.constructor].number
        nodes = numpy.flatnonzero(plan.code == plan.kinds.get(kind, -1))
        source = numpy.zeros(count, int)
        source[: len(nodes)] = number[nodes]
        source[len(nodes) :] = source[:1]
        elements = numpy.repeat(source, kind.room), numpy.tile(numpy.arange(kind.room), count)
        there = numpy.arange(count) < len(nodes)
        real = (there, numpy.repeat(there, kind.room)) if once else None
        found += own[kind.constructor].at(source, (count,), elements, kind.room, kind, real)
    steps = (shape.length, shape.width)
    for name in plan.constructors.inner:
        payload, full = own[name], plan.constructors.sequences(name)
        if not payload.parts and not full:
            continue
        here = plan.inner & (plan.which == plan.names.index(name))
        source = numpy.zeros(shape.length * shape.width, int)
        source[plan.place[here]] = payload.number[here]
        source = source[filled]
        slots = _elements(source, owners, shape.reads) if full else None
        real = None
        if once:
            there = numpy.zeros(len(source), bool)
            there[plan.place[here]] = True
            real = there, numpy.repeat(there[owners[0]], shape.reads)
        found += payload.at(source, steps, slots, shape.reads, Kind(name), real)
    return found


def _filled(plan: Plan, shape: ForestShape) -> Indices:
    """For each place in the chunks itself, if a node stands there; else the first of
    its chunk, where one does; in a chunk of none, the very first."""
    size = shape.length * shape.width
    taken = numpy.zeros(size, bool)
    taken[plan.place[plan.inner]] = True
    place = numpy.arange(size)
    first = place - place % shape.width
    first[plan.length * shape.width :] = 0
    return numpy.where(taken, place, first)


def _owners(plan: Plan, shape: ForestShape) -> tuple[Indices, Indices, Indices]:
    """Of each lane the place of its node, which of the node's lanes it is, and how many
    it has: of nodes without sequences every one has its own."""
    if plan.constructors.bounded:
        place = numpy.arange(shape.length * shape.width)
        return place, numpy.zeros_like(place), numpy.ones_like(place)
    by_step = numpy.ones(shape.length, int)
    by_step[plan.step[plan.inner]] = plan.lanes[plan.inner]
    by_step[plan.length :] = by_step[:1]  # the first chunk stands there again
    step, lane = numpy.divmod(numpy.arange(shape.length * shape.width), shape.width)
    lanes = by_step[step]
    return step * shape.width + lane // lanes, lane % lanes, lanes


def rows_in(plan: Plan, shape: ForestShape) -> Indices:
    """Of each node the row of the history that has its result."""
    start = numpy.zeros(max(plan.kinds.values(), default=0) + 1, int)
    before = 0
    for kind, count in shape.leaves:
        if kind in plan.kinds:
            start[plan.kinds[kind]] = before
        before += count
    rows: Indices = numpy.where(plan.inner, shape.rows + plan.place, start[plan.code] + plan.rows)
    return rows


def _schedule(
    plan: Plan, shape: ForestShape, filled: Indices, owners: tuple[Indices, Indices, Indices]
) -> list[Indices]:
    """What a TreeLoop reads where."""
    slots, width, trees, first = shape.reads, shape.width, shape.trees, shape.rows
    size = shape.length * width
    row = rows_in(plan, shape)

    below = numpy.flatnonzero(plan.parent >= 0)
    above = plan.parent[below]
    lane, block = numpy.divmod(plan.slot[below], slots)
    slot = (plan.step[above] * slots + block) * width + plan.lane[above] + lane
    reads = numpy.zeros(slots * size, int)  # what nobody needs reads a leaf
    reads[slot] = row[below]
    by_lane = reads.reshape(shape.length, slots, width).swapaxes(1, 2).reshape(size, slots)
    lane = filled
    if not plan.constructors.bounded:
        place, part, lanes = owners
        step, node = numpy.divmod(filled[place], width)  # of whatever stands in for it
        lane = step * width + node * lanes + part
    read = by_lane[lane]
    readers = numpy.full(first + size, trees + slots * size)
    readers[row[below]] = trees + slot
    finals = row[plan.parent < 0]
    readers[finals] = numpy.arange(len(finals))
    blocks = readers[first:].reshape(shape.length, 1, width)
    read = read.reshape(shape.length, width, slots).swapaxes(1, 2)
    return [read, finals, blocks, readers[:first]]


def _elements(
    source: Indices, owners: tuple[Indices, Indices, Indices], slots: int
) -> tuple[Indices, Indices]:
    """Of each slot the node, as `source` has it by place, and which element it is for."""
    place, part, _ = owners
    which = part[:, None] * slots + numpy.arange(slots)
    return numpy.repeat(source[place], slots), which.reshape(-1)


class Joined:
    """The payload of a constructor's nodes in all trees."""

    def __init__(self, plan: Plan, k: int) -> None:
        self.constructors, self.name = plan.constructors, plan.names[k]
        here = plan.which == k
        self.number = numpy.zeros(len(here), int)  # of each node of the plan, among them
        self.number[here] = numpy.arange(int(here.sum()))
        self.parts = payload_of(plan.constructors, self.name, plan.declarations)
        self.payload = [flat.payload[k] for flat in plan.flats]
        count = len(plan.constructors.sequences(self.name))
        lengths = [one.lengths for one in self.payload]
        self.lengths = numpy.concatenate(lengths) if lengths else numpy.zeros((0, count), int)

    @cached_property
    def starts(self) -> Indices:
        """Where the elements of each node begin, by sequence."""
        starts: Indices = numpy.cumsum(self.lengths, 0) - self.lengths
        return starts

    def at(
        self,
        source: Indices,
        axes: tuple[int, ...],
        elements: tuple[Indices, Indices] | None,
        slots: int,
        kind: Kind,
        real: tuple[Indices, Indices] | None = None,
    ) -> Iterator[Array]:
        """The arrays of `own_layout`, of the nodes `source`; in sequences, with so many slots,
        of `elements`: of which node, and which one, the first of it where there are fewer.
        0 where nothing is `real`, of the nodes and of the elements."""
        full = self.constructors.sequences(self.name)
        for k, children in enumerate(full):
            if not (kind.leaf and children):
                yield self._rows(self.lengths[:, k], source).reshape(axes)
        for k, (part, array) in enumerate(self.parts):
            if self.constructors.missing(kind, part):
                continue
            index, room = source, axes
            there = None if real is None else real[0]
            if part.sequence is not None:
                assert elements is not None
                nodes, which = elements
                room = (*axes, slots)
                if len(self.lengths):
                    short = which >= self.lengths[nodes, part.sequence]
                    index = self.starts[nodes, part.sequence] + numpy.where(short, 0, which)
                    there = None if real is None else real[1] & ~short
            columns = [column for one in self.payload if len(column := one.columns[k])]
            if not columns:
                yield numpy.zeros((*room, *array.shape))
                continue
            # A sequence without elements borrows one of its neighbour's.
            index = numpy.minimum(index, sum(map(len, columns)) - 1)
            rows = rows_at(index, columns)
            if there is not None:
                rows = rows * there.reshape(-1, *(1 for _ in array.shape))
            yield rows.reshape(*room, *array.shape)

    @staticmethod
    def _rows(rows: Indices, source: Indices) -> Indices:
        return rows[source] if len(rows) else numpy.zeros(len(source), int)
