"""Packing trees: Python's trees as the arrays of one forest, and gradients back as trees.

    Trees of a batch, or one tree     ->     kinds, schedule, payload     (graph/forest.py)

What a tree is by itself, its nodes in breadth-first order, is found once and kept with
the tree, which is why a tree's shape may not change afterwards (its arrays may: they are
read at each packing). A batch is then a matter of whole arrays: nodes are sorted by
their height and constructor, each such level is cut into chunks of `width`.

Room is counted in buckets, at most eight to an octave, so that a forest of about the same size
runs what is compiled already. What stands in the room left over repeats a node that is
there: no value comes up that would not come up anyway, and nobody reads its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy

from ..graph.forest import Constructors, ForestShape, NoForest, forest_layout, forestable
from ..graph.graph import ArrayType
from ..graph.values import Declarations
from ..language import types as t
from ..language.sizes import constant
from .data import DataValue
from .exchange import (
    Misfit,
    Packed,
    common_type,
    describe,
    flatten,
    is_concrete,
    match,
    part_of,
    rebuild,
    with_tags,
)

Array = Any
Indices = numpy.ndarray

WIDTHS = (1, 8, 64)  # of a chunk: wide enough for the arithmetic, not much wider than a level


def bucket(count: int) -> int:
    """The room for so many: a power of two, of many also one of eight steps between two.

    >>> [bucket(count) for count in (0, 1, 3, 9, 17, 100, 1000)]
    [0, 1, 4, 16, 32, 104, 1024]
    """
    if count <= 64:
        return 1 << (count - 1).bit_length() if count else 0
    step = 1 << (count.bit_length() - 4)
    return -(-count // step) * step


# --- one tree -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Flat:
    """A tree as arrays, a parent before its children.

    A node is known by its place. `columns` has for each constructor the arrays of its
    fields that are no children, in the order of the nodes.
    """

    nodes: tuple[DataValue, ...]
    kind: Indices  # place of the constructor in the declaration
    parent: Indices  # -1: the root
    port: Indices  # which child of its parent
    height: Indices  # 0: no children
    columns: tuple[tuple[Column, ...], ...]

    @classmethod
    def of(
        cls, tree: DataValue, key: str, constructors: Constructors, declarations: Declarations
    ) -> Flat:
        """The tree's own arrays, found once for each type it is used at, its `key`."""
        kept = tree.__dict__.setdefault("_flat", {})
        if key not in kept:
            kept[key] = cls._made(tree, constructors, declarations)
        found: Flat = kept[key]
        return found

    @classmethod
    def _made(cls, tree: DataValue, constructors: Constructors, declarations: Declarations) -> Flat:
        number = {name: k for k, name in enumerate(constructors.fields)}
        children = {name: constructors.children(name) for name in number}
        nodes, parent, port = [tree], [-1], [0]
        for place, node in enumerate(nodes):  # which grows meanwhile
            fields = node.fields
            for which, k in enumerate(children[node.constructor]):
                nodes.append(fields[k])
                parent.append(place)
                port.append(which)
        height = [0] * len(nodes)
        for place in range(len(nodes) - 1, 0, -1):
            above = parent[place]
            if height[above] <= height[place]:
                height[above] = height[place] + 1
        columns = []
        for name in number:
            own = [node for node in nodes if node.constructor == name]
            found: list[Column] = []
            for k in constructors.payload(name):
                type = constructors.fields[name][k]
                parts = [list(laid_out(node.fields[k], type, declarations)) for node in own]
                room = declarations.layout(type)
                found += [
                    Column.of([part[j] for part in parts], array.shape)
                    for j, array in enumerate(room)
                ]
            columns.append(tuple(found))
        integers = numpy.int32
        return cls(
            tuple(nodes),
            numpy.array([number[node.constructor] for node in nodes], integers),
            numpy.array(parent, integers), numpy.array(port, integers),
            numpy.array(height, integers), tuple(columns),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Column:
    """One array of a field, of all nodes of a constructor: stacked where that is for good,
    else the arrays themselves, which their owner may still write to."""

    arrays: tuple[Array, ...]
    shape: tuple[int, ...]  # of each
    stack: Array | None
    plain: bool = True  # whether all are NumPy's own

    @classmethod
    def of(cls, arrays: Sequence[Array], shape: tuple[int, ...]) -> Column:
        lasting = not any(isinstance(array, numpy.ndarray) for array in arrays)
        if lasting and all(map(is_concrete, arrays)):
            own = numpy.stack(arrays) if arrays else numpy.zeros((0, *shape))
            return cls((), shape, own.reshape(len(arrays), *shape))
        plain = all(isinstance(array, numpy.ndarray) for array in arrays)
        return cls(tuple(arrays), shape, None, plain)

    def __len__(self) -> int:
        return len(self.arrays) if self.stack is None else len(self.stack)

    def stacked(self) -> Array:
        if self.stack is not None:
            return self.stack
        if self.plain:
            if self.shape:
                flat = numpy.concatenate(self.arrays)
                return flat.reshape(len(self.arrays), *self.shape)
            return numpy.array(self.arrays)
        import jax.numpy

        return jax.numpy.stack([jax.numpy.asarray(array) for array in self.arrays])


def laid_out(value: Any, type: t.Type, declarations: Declarations) -> Iterator[Array]:
    """The arrays of a field in the order of its layout: of a data value the constructor's
    place, then the fields of every constructor, zero but for its own."""
    match type:
        case t.Scalar() | t.Fin() | t.Array() if isinstance(value, tuple) and not value:
            for array in declarations.layout(type):
                yield numpy.zeros(array.shape)  # the tangent of what cannot move
        case t.Product(items=items):
            for item, part in zip(items, value, strict=True):
                yield from laid_out(part, item, declarations)
        case t.Named(name=name) if name in declarations.reps:
            yield from laid_out(value, declarations.reps[name].carrier, declarations)
        case t.Named():
            constructors = declarations.constructors(type)
            yield numpy.int32(list(constructors).index(value.constructor))
            for name, fields in constructors.items():
                for k, field in enumerate(fields):
                    if name == value.constructor:
                        yield from laid_out(value.fields[k], field, declarations)
                    else:
                        for array in declarations.layout(field):
                            yield numpy.zeros(array.shape)
        case _:
            yield from flatten(value, type, declarations, lambda array, _: array)


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


# --- many trees -------------------------------------------------------------------------------


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

    @classmethod
    def of(
        cls,
        trees: Sequence[Any],
        expected: t.Type,
        declarations: Declarations,
        *,
        batch: bool = False,
        each: bool = False,
        where: str = "the tree",
    ) -> PackedTrees:
        """Raises Misfit for what is no tree of the type, by its place in the batch."""
        type = _common(trees, expected, declarations, batch, where)
        return cls(tuple(trees), type, declarations, batch, each)

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
        room = tuple(
            tuple(a for k in constructors.payload(name) for a in self.declarations.layout(own[k]))
            for name, own in constructors.fields.items()
        )
        key = t.show(self.type)
        flats = [Flat.of(tree, key, constructors, self.declarations) for tree in self.trees]
        if not self.each:
            return [Plan(constructors, room, flats)]
        width = max((Plan(constructors, room, [flat]).width for flat in flats), default=1)
        return [Plan(constructors, room, [flat], width) for flat in flats]

    @cached_property
    def structure(self) -> ForestShape:
        leaves = Constructors.of(self.type, self.declarations).leaves
        rooms = [plan.room for plan in self._plans]
        if not self.each:
            return replace(rooms[0], shared=self.batch)
        most = [max((room.leaves[k] for room in rooms), default=0) for k in range(len(leaves))]
        length = max((room.length for room in rooms), default=0)
        return ForestShape(1, tuple(most), length, rooms[0].width if rooms else 1)

    def arrays(self, number: Callable[[Array, str], Array]) -> Iterator[Array]:
        """In the order of `forest_layout`; with one forest for each, over all trees."""
        layout = forest_layout(self.type, self.structure, self.declarations)
        made = [plan.arrays(self.structure) for plan in self._plans]
        for k, array in enumerate(layout):
            column = [own[k] for own in made]
            if not self.each:
                yield number(column[0], array.kind)
            elif column:
                yield number(_stack(column), array.kind)
            else:
                yield number(numpy.zeros((0, *array.shape)), array.kind)

    def tangent(self, tree: Any) -> PackedTrees:
        """A tangent of the one tree: of its shape, with () in the place of what cannot move."""
        ((own,),) = [plan.flats for plan in self._plans]
        moved = replace(self, trees=(tree,))
        try:
            ((flat,),) = [plan.flats for plan in moved._plans]
            same = len(flat.nodes) == len(own.nodes) and all(
                (one == other).all()
                for one, other in ((flat.kind, own.kind), (flat.parent, own.parent))
            )
        except (AttributeError, KeyError, ValueError):
            same = False
        if not same:
            raise Misfit(describe(tree), "a tree of the same shape", "the tangent of the tree")
        return moved

    def unpacked(self, arrays: Iterator[Array]) -> Any:
        layout = forest_layout(self.type, self.structure, self.declarations)
        given = [next(arrays) for _ in layout]
        count = sum(map(len, self._plans[0].types)) if self._plans else 0
        payload = [
            array if isinstance(array, tuple) or not is_concrete(array) else numpy.asarray(array)
            for array in given[len(given) - count :]
        ]
        trees = []
        for k, plan in enumerate(self._plans):
            own = payload
            if self.each:
                own = [array if isinstance(array, tuple) else array[k] for array in payload]
            trees += plan.trees(own, self.declarations)
        return trees if self.batch else trees[0]


def packed(
    expected: t.Type,
    value: Any,
    declarations: Declarations,
    where: str = "the input",
    *,
    batch: bool = False,
    each: bool = False,
) -> Any:
    """A Python value with the trees in it packed; the value itself where there are none.

    In a batch a list of trees stands in the place of a tree. Raises Misfit, and NoForest
    for a batch of trees that no forest can hold.
    """
    match expected:
        case t.Product(items=items) if isinstance(value, tuple) and len(items) == len(value):
            parts = tuple(
                packed(item, part, declarations, part_of(where, k), batch=batch, each=each)
                for k, (item, part) in enumerate(zip(items, value, strict=True), 1)
            )
            # The value itself keeps what it was, if nothing in it is a tree.
            same = all(part is own for part, own in zip(parts, value, strict=True))
            return value if same else parts
        case t.Named(name=name) if name in declarations.data and declarations.data[name].recursive:
            if batch and not isinstance(value, list | tuple):
                raise Misfit(describe(value), f"a list of {t.show(expected)}s", where)
            trees = value if batch else (value,)
            made = PackedTrees.of(
                trees, expected, declarations, batch=batch, each=each, where=where
            )
            if forestable(made.type, declarations):
                return made
            if batch:
                raise NoForest(made.type)
            return value
        case _:
            return value


def packed_like(value: Any, tangent: Any) -> Any:
    """A tangent with its trees packed as those of `value` are. Raises Misfit."""
    if isinstance(value, PackedTrees):
        return value.tangent(tangent)
    if isinstance(value, tuple) and isinstance(tangent, tuple) and len(value) == len(tangent):
        return tuple(packed_like(*pair) for pair in zip(value, tangent, strict=True))
    return tangent


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


# --- the plan ---------------------------------------------------------------------------------


class Plan:
    """Where each node of some trees stands in a forest of theirs: in a row if it has no
    children, else at a step and in a lane. The arrays are over all nodes of all trees."""

    def __init__(
        self,
        constructors: Constructors,
        types: Sequence[Sequence[ArrayType]],
        flats: Sequence[Flat],
        width: int | None = None,
    ) -> None:
        self.constructors, self.types, self.flats = constructors, types, flats
        names = list(constructors.fields)
        sizes = [len(flat.kind) for flat in flats]
        starts = numpy.repeat(numpy.cumsum([0, *sizes])[:-1], sizes)
        self.kind = _joined([flat.kind for flat in flats])
        self.port = _joined([flat.port for flat in flats])
        parent = _joined([flat.parent for flat in flats])
        self.parent = numpy.where(parent < 0, -1, parent + starts)
        self.inner = numpy.array([name in constructors.inner for name in names])[self.kind]
        height = _joined([flat.height for flat in flats])

        self.places = [numpy.flatnonzero(self.kind == k) for k in range(len(names))]
        self.rows = numpy.zeros(len(self.kind), int)
        for places in self.places:
            self.rows[places] = numpy.arange(len(places))

        # Levels by height and constructor, each cut into chunks.
        inner = numpy.flatnonzero(self.inner)
        if width is None:
            mean = len(inner) / max(1, int(height.max(initial=0)))
            width = max(each for each in WIDTHS if each <= 2 * mean or each == 1)
        self.width = width
        level = height[inner] * len(names) + self.kind[inner]
        order = inner[numpy.argsort(level, kind="stable")]
        counts = numpy.bincount(level)
        counts = counts[counts > 0]
        chunks = -(-counts // width)
        within = numpy.arange(len(order)) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
        step = numpy.repeat(numpy.cumsum(chunks) - chunks, counts) + within // width
        self.length = int(chunks.sum())
        # Of a node with children, its place in the chunks laid end to end.
        self.place = numpy.zeros(len(self.kind), int)
        self.place[order] = step * width + within % width

    @property
    def room(self) -> ForestShape:
        """The least bucket for it."""
        names = list(self.constructors.fields)
        leaves = [len(self.places[names.index(name)]) for name in self.constructors.leaves]
        length = bucket(self.length)
        return ForestShape(len(self.flats), tuple(map(bucket, leaves)), length, self.width)

    def arrays(self, shape: ForestShape) -> list[Array]:
        """The arrays of `forest_layout`, in the room of `shape`."""
        names, inner = list(self.constructors.fields), self.constructors.inner
        filled = self._filled(shape)
        found: list[Array] = []
        if len(inner) > 1:
            number = numpy.array([inner.index(n) if n in inner else 0 for n in names])
            kinds = numpy.zeros(shape.length * shape.width, int)
            kinds[self.place[self.inner]] = number[self.kind[self.inner]]
            found.append(kinds[filled].reshape(shape.length, shape.width)[:, 0])
        found += self._schedule(shape, filled)
        room = dict(zip(self.constructors.leaves, shape.leaves, strict=True))
        for k, (name, types) in enumerate(zip(names, self.types, strict=True)):
            own = self.places[k]
            if name in room:
                axes: tuple[int, ...] = (room[name],)
                source = numpy.arange(room[name])
                source[len(own) :] = 0
            else:
                axes = (shape.length, shape.width)
                source = numpy.zeros(shape.length * shape.width, int)
                source[self.place[own]] = numpy.arange(len(own))
                source = source[filled]
            for j, type in enumerate(types):
                rows = _stacked([flat.columns[k][j] for flat in self.flats])
                if rows is None:
                    found.append(numpy.zeros((*axes, *type.shape)))
                else:
                    found.append(rows[source].reshape(*axes, *type.shape))
        return found

    def _filled(self, shape: ForestShape) -> Indices:
        """For each place in the chunks itself, if a node stands there; else the first of
        its chunk, where one does; in a chunk of none, the very first."""
        size = shape.length * shape.width
        taken = numpy.zeros(size, bool)
        taken[self.place[self.inner]] = True
        place = numpy.arange(size)
        first = place - place % shape.width
        first[self.length * shape.width :] = 0
        return numpy.where(taken, place, first)

    def _schedule(self, shape: ForestShape, filled: Indices) -> list[Indices]:
        """What a TreeLoop reads where."""
        names, ports, width = list(self.constructors.fields), self.constructors.arity, shape.width
        trees, first, size = shape.trees, sum(shape.leaves), shape.length * width
        starts = dict(zip(self.constructors.leaves, numpy.cumsum([0, *shape.leaves]), strict=False))
        start = numpy.array([starts.get(name, 0) for name in names])[self.kind]
        row = numpy.where(self.inner, first + self.place, start + self.rows)

        below = self.parent >= 0
        above = self.place[self.parent[below]]
        slot = ((above // width) * ports + self.port[below]) * width + above % width
        reads = numpy.zeros(ports * size, int)  # what nobody needs reads a leaf
        reads[slot] = row[below]
        lanes = reads.reshape(shape.length, ports, width).swapaxes(1, 2).reshape(size, ports)
        read = lanes[filled].reshape(shape.length, width, ports).swapaxes(1, 2)
        readers = numpy.full(first + size, trees + ports * size)
        readers[row[below]] = trees + slot
        finals = row[~below]
        readers[finals] = numpy.arange(len(finals))
        blocks = readers[first:].reshape(shape.length, 1, width)
        return [read, finals, blocks, readers[:first]]

    def trees(self, payload: Sequence[Array], declarations: Declarations) -> list[DataValue]:
        """The trees again with other payload: its arrays as `arrays` gives them."""
        supply = iter(payload)
        rows: list[list[Array]] = []  # for each constructor, arrays with a row for each node
        names = list(self.constructors.fields)
        for k, (name, types) in enumerate(zip(names, self.types, strict=True)):
            own = []
            for type, array in zip(types, supply, strict=False):
                if isinstance(array, tuple):
                    own.append(array)
                elif name in self.constructors.leaves:
                    own.append(array[: len(self.places[k])])
                else:
                    flat = array.reshape(-1, *type.shape)
                    own.append(flat[self.place[self.places[k]]])
            rows.append(own)
        start, made = 0, []
        for flat in self.flats:
            fields = [list(node.fields) for node in flat.nodes]
            for place in range(len(flat.nodes) - 1, -1, -1):
                node, k = flat.nodes[place], flat.kind[place]
                row = self.rows[start + place]
                own_ = iter([() if isinstance(a, tuple) else a[row] for a in rows[k]])
                for j in self.constructors.payload(node.constructor):
                    field = self.constructors.fields[node.constructor][j]
                    fields[place][j] = _moved(node.fields[j], field, own_, declarations)
                again = DataValue(node.constructor, tuple(fields[place]))
                if place:
                    above = flat.parent[place]
                    name = flat.nodes[above].constructor
                    fields[above][self.constructors.children(name)[flat.port[place]]] = again
            made.append(again)
            start += len(flat.nodes)
        return made


def _joined(arrays: Sequence[Indices]) -> Indices:
    return numpy.concatenate(arrays).astype(int) if arrays else numpy.zeros(0, int)


def _stacked(columns: Sequence[Column]) -> Array | None:
    """The rows of all columns; None where there are none."""
    if all(column.stack is None and column.plain and column.shape for column in columns):
        arrays = [array for column in columns for array in column.arrays]  # all at once
        return numpy.concatenate(arrays).reshape(len(arrays), *columns[0].shape) if arrays else None
    parts = [column.stacked() for column in columns if column]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, numpy.ndarray) for part in parts):
        return numpy.concatenate(parts)
    import jax.numpy

    return jax.numpy.concatenate(parts)
