"""Trees again, from arrays of their payload as a forest has it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy

from ...graph.forest import ForestShape, Kind, Part, payload_layout
from ...graph.graph import ArrayType
from ...graph.values import Declarations
from ...language import types as t
from ...language.sizes import constant
from ..data import DataValue
from ..exchange import rebuild, with_tags
from .flat import concatenated
from .packing import Joined
from .plan import Plan

Array = Any


def trees_of(
    plan: Plan, payload: Sequence[Array], shape: ForestShape, *, fresh: bool = False
) -> list[DataValue]:
    """The trees again with other payload: its arrays as `arrays` gives them. It is a
    gradient, in the form of theirs, or `fresh`, values of its own."""
    supply = iter(payload)
    given: dict[Kind | str, list[Array]] = {
        key: [next(supply) for _ in arrays]
        for key, arrays in payload_layout(plan.constructors, shape, plan.declarations).items()
    }
    rows = [_Rows(plan, Joined(plan, k), given, shape, fresh) for k in range(len(plan.names))]
    start, made = 0, []
    for flat in plan.flats:
        children: list[list[DataValue]] = [[] for _ in flat.nodes]
        for place in range(len(flat.nodes) - 1, -1, -1):
            own = rows[flat.kind[place]]
            again = own.node(start + place, flat.nodes[place], children[place])
            if place:
                children[flat.parent[place]].append(again)
        made.append(again)
        start += len(flat.nodes)
    return made


class _Rows:
    """The payload of a constructor's nodes, as the arrays of a forest have it."""

    def __init__(
        self,
        plan: Plan,
        joined: Joined,
        given: Mapping[Kind | str, Sequence[Array]],
        shape: ForestShape,
        fresh: bool,
    ) -> None:
        self.plan, self.joined, self.shape, self.fresh = plan, joined, shape, fresh
        self.constructors = plan.constructors
        self.fields = self.constructors.fields[joined.name]
        self.full = self.constructors.sequences(joined.name)
        self.nodes = numpy.flatnonzero(plan.which == plan.names.index(joined.name))
        # Columns by part, of parts by themselves and of those in each sequence.
        self.alone: list[list[Array]] = []
        self.inside: list[list[list[Array]]] = [[] for _ in self.full]
        last: Part | None = None
        supplies = {self._kind(key): list(arrays) for key, arrays in given.items()}
        supplies = {k: v for k, v in supplies.items() if k.constructor == joined.name}
        own = {
            kind: iter(arrays[sum(not (kind.leaf and full) for full in self.full) :])
            for kind, arrays in supplies.items()
        }
        for part, array in joined.parts:
            if part is not last:
                place = self.alone if part.sequence is None else self.inside[part.sequence]
                place.append([])
            pieces = {
                kind: next(arrays)
                for kind, arrays in own.items()
                if not self.constructors.missing(kind, part)
            }
            place[-1].append(self._column(part, array, pieces))
            last = part

    @staticmethod
    def _kind(key: Kind | str) -> Kind:
        return Kind(key) if isinstance(key, str) else key

    def _column(self, part: Part, array: ArrayType, pieces: Mapping[Kind, Array]) -> Array:
        """The rows of all nodes, or of all their elements; () of what does not move."""
        plan, width = self.plan, self.shape.width
        if not pieces or any(isinstance(piece, tuple) for piece in pieces.values()):
            return ()
        before, where = 0, numpy.zeros(len(self.nodes), int)
        flat = []
        for kind, piece in pieces.items():
            if kind.leaf:
                here = plan.code[self.nodes] == plan.kinds.get(kind, -1)
                place, room = plan.rows, kind.room
            else:
                here = plan.inner[self.nodes]
                place, room = plan.place, self.shape.reads
            nodes = self.nodes[here]
            rows = place[nodes]
            if part.sequence is None:
                room = 1
            elif not kind.leaf:  # a node's lanes, and their slots, lie in a row
                rows = plan.step[nodes] * width + plan.lane[nodes]
            where[here] = before + rows * room
            flat.append(piece.reshape(-1, *array.shape))
            before += len(flat[-1])
        if part.sequence is not None:
            lengths = self.joined.lengths[:, part.sequence]
            within = numpy.arange(lengths.sum()) - numpy.repeat(
                numpy.cumsum(lengths) - lengths, lengths
            )
            where = numpy.repeat(where, lengths) + within
        return (flat[0] if len(flat) == 1 else concatenated(flat))[where]

    def node(self, place: int, node: DataValue, children: list[DataValue]) -> DataValue:
        """The node at a place with this payload, and with these children, the last one
        first."""
        row, sequences = self.joined.number[place], itertools.count()
        declarations = self.plan.declarations

        def made(type: t.Type, value: Any, own: list[Array]) -> Any:
            if self.fresh:
                return rebuild(type, iter(own), declarations)
            return _moved(value, type, iter(own), declarations)

        def field(type: t.Type, value: Any, parts: Iterator[list[Array]], at: Any) -> Any:
            if type == self.constructors.type:
                return children.pop()
            if self.constructors.whole(type):
                own = [array if isinstance(array, tuple) else array[at] for array in next(parts)]
                return made(type, value, own)
            match type:
                case t.Product(items=items):
                    pairs = zip(items, value, strict=True)
                    return tuple(field(item, part, parts, at) for item, part in pairs)
                case t.Array(element=element) if self.constructors.open(type):
                    number = next(sequences)
                    count = int(self.joined.lengths[row, number])
                    start = int(self.joined.starts[row, number])
                    inside = self.inside[number]
                    if not self.full[number]:
                        whole = t.Array(element, constant(count))
                        run = slice(start, start + count)
                        own = [a if isinstance(a, tuple) else a[run] for a in inside[0]]
                        return made(whole, value, own)
                    each = enumerate(value, start)
                    return [field(element, one, iter(inside), k) for k, one in each]
                case t.Array(element=element):
                    return [field(element, one, parts, at) for one in value]
            raise AssertionError(f"no field of a forest: {t.show(type)}")

        parts = iter(self.alone)
        pairs = zip(self.fields, node.fields, strict=True)
        return DataValue(
            node.constructor, tuple(field(type, value, parts, row) for type, value in pairs)
        )


def _moved(value: Any, type: t.Type, arrays: Iterator[Array], declarations: Declarations) -> Any:
    """The gradient of a field, in the form of its value."""
    match type:
        case t.Product(items=items):
            return tuple(
                _moved(part, item, arrays, declarations)
                for item, part in zip(items, value, strict=True)
            )
        case t.Named(name=name) if name in declarations.reps:
            return _moved(value, declarations.reps[name].carrier, arrays, declarations)
        case t.Named():
            next(arrays)
            own: tuple[Any, ...] = ()
            for name, fields in declarations.constructors(type).items():
                if name == value.constructor:
                    own = tuple(
                        _moved(part, field, arrays, declarations)
                        for part, field in zip(value.fields, fields, strict=True)
                    )
                else:
                    for field in fields:
                        for _ in declarations.layout(field):
                            next(arrays)
            return DataValue(value.constructor, own)
        case _:
            return rebuild(type, with_tags(type, value, arrays, declarations), declarations)
