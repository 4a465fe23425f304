"""Where the payload of each tree stands in the arrays of a forest, from left to right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from ...graph.forest import ForestShape, Kind, Piece, pieces
from .plan import Plan, bucket

Indices = numpy.ndarray


def items_of(plans: Sequence[Plan]) -> int:
    """The room for the payload of each tree, in order."""
    most = 0
    for plan in plans:
        made = pieces(plan.constructors.type, plan.room, plan.declarations)
        tree, *_ = _items(plan, made)
        most = max(most, int(numpy.bincount(tree).max(initial=0)))
    return bucket(most)


def order_of(plan: Plan, shape: ForestShape) -> list[Indices]:
    """The arrays of `order_layout`: of each tree the places of its items in all pieces, and
    how many it has. What stands in the room left over repeats the first."""
    assert shape.items is not None
    made = pieces(plan.constructors.type, shape, plan.declarations)
    tree, node, part, element = _items(plan, made)
    places = numpy.zeros(len(tree), int)
    for piece in made:
        here = part == piece.part
        if isinstance(piece.key, Kind):
            here &= plan.code[node] == plan.kinds.get(piece.key, -1)
            row = plan.rows[node]
        else:
            here &= plan.inner[node] & (plan.which[node] == plan.names.index(piece.name))
            row = plan.place[node]
            if piece.sequence:  # in the lanes of the node, slot by slot
                row = plan.step[node] * plan.width + plan.lane[node]
        places = numpy.where(here, piece.start + row * piece.each + element, places)
    length = numpy.bincount(tree, minlength=shape.trees)
    first = numpy.cumsum(length) - length
    where = numpy.zeros((shape.trees, shape.items), int)
    some = numpy.flatnonzero(length)
    where[some] = places[first[some]][:, None]
    where[tree, numpy.arange(len(tree)) - first[tree]] = places
    return [where, length]


def _items(plan: Plan, made: Sequence[Piece]) -> tuple[Indices, Indices, Indices, Indices]:
    """All payload of all trees in order: of each item the tree, the node, which part of its
    constructor it is, and of which element of a sequence."""
    names = plan.names
    parts = 1 + max((len(plan.constructors.parts(name)) for name in names), default=0)
    payload = numpy.zeros(len(names) * parts, bool)
    for piece in made:
        payload[names.index(piece.name) * parts + piece.part] = True
    orders = [flat.order for flat in plan.flats]
    sizes = [len(flat.nodes) for flat in plan.flats]
    starts = numpy.cumsum([0, *sizes])[:-1]
    tree = numpy.repeat(numpy.arange(len(orders)), list(map(len, orders)))
    whole = numpy.concatenate(orders).astype(int) if orders else numpy.zeros((0, 3), int)
    node = whole[:, 0] + starts[tree]
    held = payload[plan.which[node] * parts + whole[:, 1]]
    return tree[held], node[held], whole[held, 1], whole[held, 2]
