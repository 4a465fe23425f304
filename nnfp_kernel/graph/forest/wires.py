"""A forest on wires, and a function on the payload of its trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from ...language import types as t
from ..graph import ArrayType, Builder, Elsewhere, Wire
from ..values import Declarations, Held, Value
from .shape import (
    Constructors,
    ForestShape,
    Kind,
    NoForest,
    Part,
    kinds_layout,
    order_layout,
    payload_layout,
    schedule_layout,
)

if TYPE_CHECKING:
    from ..context import Context
    from ..scope import Keys

T = TypeVar("T")

Own = Callable[[Sequence[Wire]], Sequence[Wire]]


@dataclass(frozen=True, eq=False)
class Forest(Held):
    """Trees on wires.

    `kinds`, where there are several with children, has for each step which one. `payload`
    holds what is no child: over the nodes of each kind of leaves; over steps and lanes for
    the constructors with children, with an axis of `reads` slots for what stands in
    sequences. Lengths of sequences come first (`own_layout`).
    """

    type: t.Named
    shape: ForestShape
    schedule: tuple[Wire, ...]  # as of a TreeLoop
    kinds: Wire | None
    payload: Mapping[Kind | str, tuple[Wire, ...]]
    place: tuple[Builder, Keys] | None = None  # of a shared forest: where it is reduced
    own: Own | None = None  # of a shared forest: an example's own of the roots' results
    order: tuple[Wire, ...] = ()  # of the payload of each tree, if that was asked for
    origin: int = 0  # which of the forests among the arguments has its schedule

    @classmethod
    def make(
        cls,
        type: t.Named,
        shape: ForestShape,
        declarations: Declarations,
        new: Callable[[ArrayType], Wire],
    ) -> Forest:
        """A forest on new wires, which come in the order of `forest_layout`."""
        constructors = Constructors.of(type, declarations)
        kinds = new(kinds_layout(shape)) if len(shape.inner) > 1 else None
        schedule = tuple(map(new, schedule_layout(shape)))
        order = tuple(map(new, order_layout(shape)))
        payload = {
            key: tuple(map(new, arrays))
            for key, arrays in payload_layout(constructors, shape, declarations).items()
        }
        return cls(type, shape, schedule, kinds, payload, order=order)

    def replaced(self, renew: Callable[[Value], Value]) -> Forest:
        """The forest on other wires."""
        return replace(
            self,
            schedule=renew(self.schedule),
            order=renew(self.order),
            kinds=None if self.kinds is None else renew(self.kinds),
            payload={key: renew(wires) for key, wires in self.payload.items()},
        )

    @property
    def wires(self) -> list[Wire]:
        return [wire for own in self.payload.values() for wire in own]

    def refilled(self, change: Callable[[Wire], Wire]) -> Forest:
        return replace(
            self, payload={k: tuple(map(change, own)) for k, own in self.payload.items()}
        )

    def like(self, other: Held) -> bool:
        return (
            isinstance(other, Forest)
            and (self.type, self.shape) == (other.type, other.shape)
            and [wire.type for wire in self.wires] == [wire.type for wire in other.wires]
        )


HOLE = t.Named("hole", ())  # in place of the payload in a type


def mapped(
    context: Context,
    forests: Sequence[Forest],
    made: t.Named,
    change: Callable[[t.Type, Sequence[Value]], Value],
) -> Forest:
    """Trees of the shape of all `forests`, of type `made`: `change` on each piece of payload,
    of a type with HOLE in place of the last parameter. Raises NoForest."""
    payload = _there(context, forests[0], lambda: _changed(context, forests, made, change))
    return replace(forests[0], type=made, payload=payload)


def entrywise(context: Context, forests: Sequence[Forest], change: Callable[..., Wire]) -> Forest:
    """Trees of the shape of all `forests`: `change` on corresponding arrays that can move,
    the first one's where they cannot. Raises NoForest."""

    def payload() -> dict[Kind | str, tuple[Wire, ...]]:
        return {
            key: tuple(
                change(*wires) if wires[0].type.differentiable else wires[0]
                for wires in zip(*(forest.payload[key] for forest in forests), strict=True)
            )
            for key in forests[0].payload
        }

    return replace(forests[0], payload=_there(context, forests[0], payload))


def _there(context: Context, forest: Forest, make: Callable[[], T]) -> T:
    """What is made where the forest stands, which may be outside of here. Raises NoForest
    where it needs something of here."""
    if forest.place is None:
        return make()
    if context.branching:
        raise NoForest(forest.type)
    try:
        with context.inside(*forest.place):
            return make()
    except Elsewhere:
        raise NoForest(forest.type) from None


def _changed(
    context: Context,
    forests: Sequence[Forest],
    made: t.Named,
    change: Callable[[t.Type, Sequence[Value]], Value],
) -> dict[Kind | str, tuple[Wire, ...]]:
    holed = t.Named(made.name, (*made.arguments[:-1], HOLE))
    types = [*(forest.type for forest in forests), made, holed]
    each = [Constructors.of(type, context.declarations) for type in types]
    own = each[0]

    def lifted(wires: Sequence[Wire], axes: Sequence[int], parts: Sequence[Part]) -> list[Wire]:
        """The change over so many axes in front."""
        if axes:
            body = lambda inner: lifted(inner, axes[1:], parts)  # noqa: E731
            return list(context.map_wires(axes[0], wires, body))
        supply = iter(wires)
        values = [
            context.rebuild(part.type, [next(supply) for _ in context.layout(part.type)])
            for part in parts[:-2]
        ]
        value = change(parts[-1].type, values)
        if context.doubt().wire is not None:
            raise NoForest(made)
        return context.flatten(value, parts[-2].type)

    found: dict[Kind | str, tuple[Wire, ...]] = {}
    for key in forests[0].payload:
        kind = key if isinstance(key, Kind) else Kind(key)
        name = kind.constructor
        supplies = [iter(forest.payload[key]) for forest in forests]
        lengths = [full for full in own.sequences(name) if not (kind.leaf and full)]
        new, *_ = ([next(supply) for _ in lengths] for supply in supplies)
        for parts in zip(*(one.parts(name) for one in each), strict=True):
            if parts[0].type == own.type or own.missing(kind, parts[0]):
                continue
            pieces = [
                [next(supply) for _ in context.layout(part.type)]
                for supply, part in zip(supplies, parts, strict=False)
            ]
            if not t.mentions(parts[-1].type, HOLE):
                new += pieces[0]
                continue
            front = _axes_before(pieces[0][0], context.layout(parts[0].type)[0])
            new += lifted([wire for piece in pieces for wire in piece], front, parts)
        found[key] = tuple(new)
    return found


def _axes_before(wire: Wire, array: ArrayType) -> tuple[int, ...]:
    return wire.type.shape[: wire.type.rank - array.rank]
