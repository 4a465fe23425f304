"""Where each node of some trees stands in a forest of theirs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy

from ...graph.forest import Constructors, ForestShape, Kind
from ...graph.values import Declarations
from ...language import types as t
from .flat import Flat

Indices = numpy.ndarray

WIDTHS = (1, 8, 64)  # of a chunk: wide enough for the arithmetic, not much wider than a level
SLOTS = (4, 8)  # of a lane, where nodes have any number of children
STEP = 16  # what a step costs by itself, in rows read
# Of the sequences in a node. Each is a branch of the loop, so they are few; a forest has
# those of the first two, and up to the largest it needs.
ROOMS = numpy.array([0, 2, 4, *(8 << 2 * k for k in range(12))])


def bucket(count: int) -> int:
    """The room for so many: a power of two, of many also one of eight steps between two.

    >>> [bucket(count) for count in (0, 1, 3, 9, 17, 100, 1000)]
    [0, 1, 4, 16, 32, 104, 1024]
    """
    if count <= 64:
        return 1 << (count - 1).bit_length() if count else 0
    step = 1 << (count.bit_length() - 4)
    return -(-count // step) * step


class Plan:
    """Where each node of some trees stands in a forest of theirs: in a row if it has no
    children, else at a step and from a lane on. The arrays are over all nodes of all trees.

    `frame` is the width of a chunk and the slots of a lane.
    """

    def __init__(
        self,
        constructors: Constructors,
        flats: Sequence[Flat],
        declarations: Declarations,
        frame: tuple[int, int] | None = None,
    ) -> None:
        self.constructors, self.flats, self.declarations = constructors, flats, declarations
        self.names = names = list(constructors.fields)
        sizes = [len(flat.nodes) for flat in flats]
        starts = numpy.repeat(numpy.cumsum([0, *sizes])[:-1], sizes)
        tables = [flat.table for flat in flats]
        table = numpy.concatenate(tables, 1) if tables else numpy.zeros((6, 0), numpy.int32)
        which, parent, offset, per, height, longest = table.astype(int)
        self.which = which
        self.parent = numpy.where(parent < 0, -1, parent + starts)
        self.inner = height > 0

        # Its kind: the constructor, the room of its sequences, whether there are children.
        wide = which * (2 * len(ROOMS)) + self.inner
        self.slot = offset
        if not constructors.bounded:
            rooms = self._rooms(longest)
            wide += 2 * rooms
            self.slot = offset + per * ROOMS[rooms][self.parent] * (self.parent >= 0)
        there = numpy.flatnonzero(numpy.bincount(wide))
        number = numpy.zeros(int(wide.max(initial=0)) + 1, int)
        number[there] = numpy.arange(len(there))
        self.code = code = number[wide]
        self.kinds = {
            Kind(names[c // 2 // len(ROOMS)], int(ROOMS[c // 2 % len(ROOMS)]), c % 2 == 0): k
            for k, c in enumerate(map(int, there))
        }
        self.rows = numpy.zeros(len(which), int)  # of a leaf among those of its kind
        for kind, c in self.kinds.items():
            if kind.leaf:
                places = numpy.flatnonzero(code == c)
                self.rows[places] = numpy.arange(len(places))

        # Levels by height and kind, each cut into chunks.
        inner = numpy.flatnonzero(self.inner)
        base = int(code.max(initial=0)) + 1
        level = height[inner] * base + code[inner]
        small = level.astype(numpy.uint16) if level.max(initial=0) < 1 << 16 else level
        order = inner[numpy.argsort(small, kind="stable")]  # of small numbers, a radix sort
        counts = numpy.bincount(level)
        levels = numpy.flatnonzero(counts)
        counts, codes = counts[levels], levels % base
        if frame is None:
            frame = self._frame(codes, counts, len(inner), height)
        self.frame = self.width, self.reads = frame
        lanes = self._lanes(self.reads)
        self.lanes = lanes[code]  # of each node, how many it takes
        most = self.width // lanes[codes]  # nodes of a chunk
        chunks = -(-counts // most)
        within = numpy.arange(len(order)) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
        most = numpy.repeat(most, counts)
        step = numpy.repeat(numpy.cumsum(chunks) - chunks, counts) + within // most
        within %= most
        self.length = int(chunks.sum())
        # Of a node with children, its place among the nodes of all chunks; its chunk, and the
        # first of its lanes there.
        self.place, self.step, self.lane = numpy.zeros((3, len(which)), int)
        self.place[order] = step * self.width + within
        self.step[order] = step
        self.lane[order] = within * self.lanes[order]

    def _rooms(self, longest: Indices) -> Indices:
        """Of each node, which of ROOMS its sequences are given: the first where its kind
        has none."""
        sequences = [self.constructors.sequences(name) for name in self.names]
        of_inner = numpy.array([bool(full) for full in sequences], bool)
        of_leaf = numpy.array([not all(full) for full in sequences], bool)
        wanted = numpy.where(self.inner, of_inner[self.which], of_leaf[self.which])
        rooms = numpy.searchsorted(ROOMS, longest)
        return numpy.where(wanted, numpy.maximum(rooms, 1), 0)

    def _lanes(self, reads: int) -> Indices:
        """By code, the lanes that a node takes."""
        lanes = numpy.ones(max(self.kinds.values(), default=0) + 1, int)
        for kind, code in self.kinds.items():
            lanes[code] = self.constructors.lanes(kind, reads)
        return lanes

    def _frame(
        self, codes: Indices, counts: Indices, nodes: int, height: Indices
    ) -> tuple[int, int]:
        """Width and slots by which levels of so many nodes of a kind are run at least cost."""
        if self.constructors.bounded:
            mean = nodes / max(1, int(height.max(initial=0)))
            width = max(each for each in WIDTHS if each <= 2 * mean or each == 1)
            return width, self.constructors.reads
        for reads in SLOTS:
            lanes = self._lanes(reads)[codes]
            most = int(lanes.max(initial=1))
            if most <= WIDTHS[-1]:
                break
        costs = {}
        for width in WIDTHS:
            while width < most:
                width *= 8
            steps = int((-(-counts // (width // lanes))).sum())
            costs[width] = steps * (width * reads + STEP)
        return min(costs, key=lambda width: costs[width]), reads

    @property
    def room(self) -> ForestShape:
        """The least bucket for it."""
        counts = {
            kind: int((self.code == code).sum()) for kind, code in self.kinds.items() if kind.leaf
        }
        leaves, inner = [], []
        for name in self.names:
            sequences = self.constructors.sequences(name)
            for leaf in (True, False):
                names = self.constructors.leaves if leaf else self.constructors.inner
                if name not in names:
                    continue
                there = [k.room for k in self.kinds if (k.constructor, k.leaf) == (name, leaf)]
                rooms = [0]
                if sequences and not (leaf and all(sequences)):
                    least = 0 if leaf and not there else int(ROOMS[2])
                    rooms = [int(r) for r in ROOMS[1:] if r <= max(least, *there, 0)]
                kinds = [Kind(name, room, leaf) for room in rooms]
                if leaf:
                    leaves += [(kind, self._room(counts.get(kind, 0), 8)) for kind in kinds]
                else:
                    inner += kinds
        return ForestShape(
            len(self.flats), tuple(leaves), tuple(inner), self._room(self.length, 4), self.reads,
            self.width,
        )  # fmt: skip

    def _room(self, count: int, least: int) -> int:
        """The bucket of a count; of kinds there may be many, and trees differ in all."""
        return bucket(count) if self.constructors.bounded else max(bucket(count), least)

    def of_type(self, type: t.Named) -> Plan:
        """The same for trees of these shapes with payload of another type."""
        made = copy.copy(self)
        made.constructors = Constructors.of(type, self.declarations)
        return made


def framed(plans: Sequence[Plan]) -> list[Plan]:
    """The plans of forests that run alike: of one width and as many slots."""
    frame = tuple(max(sizes) for sizes in zip(*(plan.frame for plan in plans), strict=True))
    return [
        plan
        if plan.frame == frame
        else Plan(plan.constructors, plan.flats, plan.declarations, frame)
        for plan in plans
    ]


def common_shape(shapes: Sequence[ForestShape]) -> ForestShape:
    """The least shape that has the room of all."""
    counts: dict[Kind, int] = {}
    inner: dict[Kind, None] = {}
    for shape in shapes:
        for kind, count in shape.leaves:
            counts[kind] = max(count, counts.get(kind, 0))
        inner.update(dict.fromkeys(shape.inner))
    return replace(
        shapes[0],
        leaves=tuple(counts.items()), inner=tuple(inner),
        length=max(shape.length for shape in shapes),
    )  # fmt: skip
