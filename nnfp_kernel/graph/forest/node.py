"""One node of a kind, while its wires are made the fields that an algebra is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ...language import types as t
from ...language.sizes import constant
from ..graph import Wire
from ..sequences import longest, over, present, where
from ..values import Extent, Value, holds_sequence, known
from .shape import Kind, NoForest

if TYPE_CHECKING:
    from .reduction import Reduction

Algebra = Callable[[str, "tuple[Value, ...]"], Value]  # a constructor and its fields


class Doubted(Exception):
    """Something is required at a node: results carry the number of what went wrong."""


class Node:
    """A node of some kind while its wires are made the fields that the algebra is given.

    The wires, in order: the results of each child outside of sequences; over its room, of
    each child in the elements of a sequence; then the payload, as `own_layout` has it.
    """

    def __init__(self, reduction: Reduction, kind: Kind, wires: Sequence[Wire]) -> None:
        self.reduction, self.kind, self.context = reduction, kind, reduction.context
        self.constructors, self.supply = reduction.constructors, iter(wires)
        name = kind.constructor
        sequences = self.constructors.sequences(name)
        self.children: dict[int | None, list[list[Wire]]] = {}
        for place in (None, *(k for k, full in enumerate(sequences) if full and not kind.leaf)):
            self.children[place] = [
                [next(self.supply) for _ in reduction.row]
                for _ in range(self.constructors.children(name, place))
            ]
        self.lengths = [
            self.context.builder.constant(0, "Int") if kind.leaf and full else next(self.supply)
            for full in sequences
        ]

    def outputs(self) -> list[Wire]:
        """The result at the node; `doubted`, with the number of what went wrong."""
        reduction, context = self.reduction, self.context
        doubts = list(self._doubts()) if reduction.doubted else []
        rest = {place: iter(rows) for place, rows in self.children.items()}
        sequences = iter(range(len(self.lengths)))
        fields = self.constructors.fields[self.kind.constructor]
        value = reduction.algebra(
            self.kind.constructor, tuple(self._field(f, rest, sequences) for f in fields)
        )
        if holds_sequence(value):  # of a length that the type does not tell
            raise NoForest(reduction.result)
        own = context.doubt().wire
        if own is not None and not reduction.doubted:
            raise Doubted
        made = context.flatten(value, reduction.result)
        if reduction.doubted:
            doubts += [context.builder.constant(0, "Int")] if own is None else [own]
            made.append(longest(context.builder, doubts))
        return made

    def _doubts(self) -> Iterator[Wire]:
        """What went wrong below each child, or below any of a sequence of children."""
        builder = self.context.builder
        for place, rows in self.children.items():
            for *_, wire in rows:
                if place is None:
                    yield wire
                else:
                    there = present(builder, Extent(self.kind.room, self.lengths[place]))
                    wire = where(builder, there, wire, builder.zeros(wire.type))
                    yield builder.emit("maximum", wire, axes=(0,))

    def _field(
        self,
        type: t.Type,
        rest: dict[int | None, Iterator[list[Wire]]],
        sequences: Iterator[int],
        inside: int | None = None,
    ) -> Value:
        """A field with results in place of children, or what all elements of the sequence
        that it is `inside` of have there."""
        context, constructors = self.context, self.constructors
        if constructors.whole(type):
            child = type == constructors.type
            made = self.reduction.result if child else type
            if (
                inside is not None
                and self.kind.leaf
                and constructors.sequences(self.kind.constructor)[inside]
            ):
                return context.zero(t.Array(made, constant(0)))
            layout = context.layout(made)
            if child:
                return context.rebuild(made, next(rest[inside])[: len(layout)])
            return context.rebuild(made, [next(self.supply) for _ in layout])
        match type:
            case t.Product(items=items):
                return tuple(self._field(item, rest, sequences, inside) for item in items)
            case t.Array(element=element) if constructors.open(type):
                number = next(sequences)
                value = self._field(element, rest, sequences, number)
                full = constructors.sequences(self.kind.constructor)[number]
                return over(value, self.lengths[number], filled=not full)
            case t.Array(element=element, length=length):
                values = [self._field(element, rest, sequences) for _ in range(known(length))]
                inner = t.replace_type(element, constructors.type, self.reduction.result)
                return context.sequence(values, inner)
            case _:
                raise AssertionError(f"no field of a forest: {t.show(type)}")
