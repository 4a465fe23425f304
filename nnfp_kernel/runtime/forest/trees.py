"""Trees packed, as an argument of a function: one forest for all, or one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy

from ...graph.forest import Constructors, ForestShape, forest_layout, payload_layout
from ...graph.values import Declarations
from ...language import types as t
from ...language.sizes import constant
from ..data import DataValue
from ..exchange import Misfit, Packed, common_type, describe, is_concrete, match
from .flat import Flat
from .order import items_of
from .packing import arrays_of, rows_in
from .plan import Plan, common_shape, framed
from .unpacking import trees_of

Array = Any


@dataclass(frozen=True, eq=False)
class PackedTrees(Packed):
    """Trees packed as one forest, or, with `each`, one forest for each of them.

    Without `batch` there is one tree, and no axis of examples.
    """

    trees: tuple[DataValue, ...]
    type: t.Named
    declarations: Declarations
    batch: bool = False
    each: bool = False
    alike: int = 0  # of one number are those whose trees have the same shapes
    ordered: bool = False  # whether the payload of each is wanted as a sequence too

    @classmethod
    def of(
        cls,
        trees: Sequence[Any],
        expected: t.Type,
        declarations: Declarations,
        *,
        batch: bool = False,
        each: bool = False,
        ordered: bool = False,
        where: str = "the tree",
    ) -> PackedTrees:
        """Raises Misfit for what is no tree of the type, by its place in the batch."""
        type = _common(trees, expected, declarations, batch, where)
        return cls(tuple(trees), type, declarations, batch, each, ordered=ordered)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array: a batch has an axis of examples."""
        return (len(self.trees),) if self.batch else ()

    def matched(self, expected: t.Type, integers: bool) -> t.Type:
        element = expected.element if isinstance(expected, t.Array) else expected
        found = _common(self.trees, element, self.declarations, self.batch, integers=integers)
        return t.Array(found, constant(len(self.trees))) if self.batch else found

    @cached_property
    def _plans(self) -> list[Plan]:
        constructors = Constructors.of(self.type, self.declarations)
        key = t.show(self.type)
        flats = [Flat.of(tree, key, constructors, self.declarations) for tree in self.trees]
        return self._planned(flats)

    def _planned(self, flats: Sequence[Flat]) -> list[Plan]:
        constructors = Constructors.of(self.type, self.declarations)
        if not self.each:
            return [Plan(constructors, flats, self.declarations)]
        return framed([Plan(constructors, [flat], self.declarations) for flat in flats])

    @cached_property
    def structure(self) -> ForestShape:
        shapes = [plan.room for plan in self._plans]
        items = items_of(self._plans) if self.ordered else None
        if not self.each:
            return replace(shapes[0], shared=self.batch, alike=self.alike, items=items)
        if not shapes:
            constructors = Constructors.of(self.type, self.declarations)
            shapes = [replace(Plan(constructors, (), self.declarations).room, trees=1)]
        return replace(common_shape(shapes), alike=self.alike, items=items)

    def arrays(self, number: Callable[[Array, str], Array]) -> Iterator[Array]:
        """In the order of `forest_layout`; with one forest for each, over all trees."""
        layout = forest_layout(self.type, self.structure, self.declarations)
        made = [arrays_of(plan, self.structure) for plan in self._plans]
        for k, array in enumerate(layout):
            column = [own[k] for own in made]
            if not self.each:
                yield number(column[0], array.kind)
            elif column:
                yield number(_stack(column), array.kind)
            else:
                yield number(numpy.zeros((0, *array.shape)), array.kind)

    @property
    def places(self) -> tuple[Sequence[DataValue], list[int], list[int]]:
        """The nodes of the one tree, a parent before its children; of each the place of its
        parent, -1 of the root's; and the row of a TreeLoop's history that has its result."""
        (plan,) = self._plans
        (flat,) = plan.flats
        rows = rows_in(plan, self.structure)
        return flat.nodes, [int(k) for k in flat.parent], [int(row) for row in rows]

    def runs_by(self, schedule: Sequence[Array]) -> bool:
        """Whether the one tree is run by a schedule that begins so: reads, finals."""
        made = arrays_of(self._plans[0], self.structure)
        wanted = made[len(self.structure.inner) > 1 :]
        return not self.batch and all(map(numpy.array_equal, schedule, wanted))

    def alike_with(self, others: Sequence[PackedTrees]) -> PackedTrees:
        """The same, with the number of the first whose trees have its trees' shapes."""
        mine = [flat for plan in self._plans for flat in plan.flats]
        for other in others:
            theirs = [flat for plan in other._plans for flat in plan.flats]
            if len(mine) == len(theirs) and all(map(Flat.same_shape, mine, theirs)):
                return self._numbered(other.alike)
        return self._numbered(1 + max(other.alike for other in others)) if others else self

    def _numbered(self, alike: int) -> PackedTrees:
        again = replace(self, alike=alike)
        again.__dict__["_plans"] = self._plans
        return again

    def shared_out(self, places: Sequence[Sequence[int]]) -> list[PackedTrees]:
        """The trees at each of some places, as many each, packed in one room: what is compiled
        for the first of them serves for all."""
        parts = [replace(self, trees=tuple(self.trees[k] for k in own)) for own in places]
        plans = framed([plan for part in parts for plan in part._plans])
        shape = common_shape([plan.room for plan in plans])
        items = items_of(plans) if self.ordered else None
        shape = replace(shape, shared=not self.each, alike=self.alike, items=items)
        each = len(plans) // len(parts)
        for k, part in enumerate(parts):
            part.__dict__.update(_plans=plans[k * each : (k + 1) * each], structure=shape)
        return parts

    def planted(self, type: t.Named, k: int, arrays: Sequence[Array]) -> DataValue:
        """A tree of the shape of the k-th, of `type`, with this payload."""
        plan = self._plans[k if self.each else 0].of_type(type)
        return trees_of(plan, arrays, self.structure, fresh=True)[0 if self.each else k]

    def payload_of(
        self, type: t.Named, k: int, tree: Any, number: Callable[[Array, str], Array]
    ) -> list[Array]:
        """The payload of a tree of that shape, a cotangent of one that was planted."""
        plan = self._plans[k if self.each else 0].of_type(type)
        one = replace(self, trees=(self.trees[k],), type=type, batch=False, each=False)
        one.__dict__.update(_plans=[plan], structure=replace(self.structure, shared=False))
        (moved,) = one.tangent(tree)._plans
        own = payload_layout(plan.constructors, self.structure, self.declarations).values()
        kinds = [array.kind for arrays in own for array in arrays]
        found = arrays_of(moved, self.structure, once=True)[-len(kinds) :] if kinds else []
        return [number(array, kind) for array, kind in zip(found, kinds, strict=True)]

    def tangent(self, tree: Any) -> PackedTrees:
        """A tangent of the one tree: of its shape, with () in the place of what cannot move."""
        (plan,) = self._plans
        own = plan.flats[0]
        moved = replace(self, trees=(tree,))
        try:
            constructors = Constructors.of(self.type, self.declarations)
            flat = Flat.of(tree, t.show(self.type), constructors, self.declarations)
            flat = flat.with_lengths_of(own)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Misfit(
                describe(tree), "a tree of the same shape", "the tangent of the tree"
            ) from None
        moved.__dict__["_plans"] = [Plan(constructors, [flat], self.declarations, plan.frame)]
        moved.__dict__["structure"] = replace(self.structure, shared=False)
        return moved

    def unpacked(self, arrays: Iterator[Array]) -> Any:
        layout = forest_layout(self.type, self.structure, self.declarations)
        constructors = Constructors.of(self.type, self.declarations)
        own = payload_layout(constructors, self.structure, self.declarations).values()
        given = [next(arrays) for _ in layout]
        payload = [
            array if isinstance(array, tuple) or not is_concrete(array) else numpy.asarray(array)
            for array in given[len(given) - sum(map(len, own)) :]
        ]
        trees = []
        for k, plan in enumerate(self._plans):
            mine = payload
            if self.each:
                mine = [array if isinstance(array, tuple) else array[k] for array in payload]
            trees += trees_of(plan, mine, self.structure)
        return trees if self.batch else trees[0]


def _common(
    trees: Sequence[Any],
    expected: t.Type,
    declarations: Declarations,
    batch: bool,
    where: str = "the tree",
    integers: bool = True,
) -> t.Named:
    """The type that all trees have, which each remembers to have."""
    key = (t.show(expected), integers)
    found: Any = None
    for k, tree in enumerate(trees):
        place = f"tree {k}" if batch else where
        if not isinstance(tree, DataValue):
            raise Misfit(describe(tree), f"a {t.show(expected)}", place)
        kept = tree.__dict__.setdefault("_types", {})
        if key not in kept:
            kept[key] = match(expected, tree, declarations, place, integers=integers)
        own = kept[key]
        if found is None or found is own or found == own:
            found = own
        else:
            common = common_type(found, own)
            if common is None:
                raise Misfit(f"a {t.show(own)}", f"a {t.show(found)}, as before it", place)
            found = common
    if found is None:  # a batch of none
        found = t.substitute(expected, dict.fromkeys(t.free_variables(expected)[0], t.R), {})
    assert isinstance(found, t.Named)
    return found


def _stack(arrays: Sequence[Array]) -> Array:
    if all(isinstance(array, numpy.ndarray) for array in arrays):
        return numpy.stack(arrays)
    import jax.numpy

    return jax.numpy.stack(arrays)
