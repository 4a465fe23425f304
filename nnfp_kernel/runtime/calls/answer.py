"""What a traced expression gives: the wires of its answer, and the Python value of their arrays.

(R[3], R)        two wires, a tuple of two arrays
[R]              wires of a length and of the elements, an array cut to that length
Tree             one tag and the fields of every constructor; or, where the shape is that of
                 an argument, its payload alone (`Planted`)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy

from ...graph.forest import Constructors, Fellow, Forest, Kind, NoForest, Unknown
from ...graph.graph import Wire
from ...graph.grown import Grown, opened, tree_name
from ...graph.trace import Tracer
from ...graph.values import Chosen, Items, NotFirstOrder, Value, Variant, emptied, leaves, lengths
from ...language import types as t
from ...language.diagnostics import Diagnostic, Label, NnfpError
from ...language.sizes import constant
from ...language.syntax import NOWHERE
from ..data import DataValue
from ..exchange import NotConcrete, is_concrete, rebuild, tags_of
from ..forest import Planted

Array = Any


@dataclass(frozen=True)
class Answer:
    """What a traced expression gives: its wires, and the Python value of their arrays.
    `tags` are the wires that say which constructor a data value has, or how long a
    sequence is; `lengths` are the latter."""

    wires: tuple[Wire, ...]
    rebuild: Callable[[Iterator[Array]], Any]
    tags: frozenset[int] = frozenset()
    lengths: frozenset[int] = frozenset()

    @classmethod
    def of(cls, value: Value, type: t.Type, tracer: Tracer) -> Answer:
        """Raises NnfpError for a function, which is not an answer."""
        made = _Made()
        rebuild = _rebuilder(value, type, tracer, made)
        said = set(lengths(value))
        long = frozenset(k for k, (wire, _) in enumerate(made) if wire in said)
        tags = frozenset(k for k, (_, is_tag) in enumerate(made) if is_tag) | long
        return cls(tuple(wire for wire, _ in made), rebuild, tags, long)


class _Made(list["tuple[Wire, bool]"]):
    """The wires of an answer, and which of them are tags. Inside of what a condition chooses, a
    tree that stands in both has its arrays once: `known`, by identity."""

    known: dict[int, tuple[Value, Callable[[Iterator[Array]], Any]]] | None = None


def _rebuilder(
    value: Value, type: t.Type, tracer: Tracer, made: _Made
) -> Callable[[Iterator[Array]], Any]:
    if made.known is None or isinstance(value, tuple | Wire):
        return _own_rebuilder(value, type, tracer, made)
    if id(value) in made.known:
        return made.known[id(value)][1]
    own, last = _own_rebuilder(value, type, tracer, made), [None]

    def build(arrays: Iterator[Array]) -> Any:
        last[0] = own(arrays)
        return last[0]

    made.known[id(value)] = value, lambda arrays: last[0]
    return build


def _own_rebuilder(
    value: Value, type: t.Type, tracer: Tracer, made: _Made
) -> Callable[[Iterator[Array]], Any]:
    declarations = tracer.declarations
    if isinstance(value, Forest):
        return _forest_rebuilder(value, tracer, made)
    if isinstance(value, Fellow):  # for reading: which of the trees
        made.append((value.place, False))
        return lambda arrays: None
    if isinstance(value, Unknown):  # for reading: its payload, where that was changed
        changed = () if value.shown is None else leaves(value.payload()[0])
        made.extend((wire, False) for wire in changed)
        return lambda arrays: None
    if isinstance(value, Variant) and value.constructor is not None:
        # The constructor is known, so only its own fields are there: trees come out too.
        fields = declarations.constructors(value.type)[value.constructor]
        parts = [
            _rebuilder(part, field, tracer, made)
            for part, field in zip(value.fields[value.constructor], fields, strict=True)
        ]
        constructor = value.constructor
        return lambda arrays: DataValue(constructor, tuple(part(arrays) for part in parts))
    if isinstance(value, Grown) and not value.layers:  # only the end below them, which is known
        return _rebuilder(opened(tracer, value), type, tracer, made)
    if isinstance(value, Grown):
        return _grown_rebuilder(value, tracer, made)
    if isinstance(value, Chosen):
        return _chosen_rebuilder(value, type, tracer, made)
    if isinstance(value, Items):
        each = [_rebuilder(item, value.type, tracer, made) for item in value.items]
        return lambda arrays: [one(arrays) for one in each]
    if isinstance(type, t.Product):
        items = [
            _rebuilder(part, item, tracer, made)
            for part, item in zip(value, type.items, strict=True)
        ]
        return lambda arrays: tuple(item(arrays) for item in items)
    if isinstance(value, tuple) and isinstance(type, t.Array) and declarations.has_trees(type):
        assert isinstance(type.element, t.Product)  # for reading: what stands at each place
        for part, item in zip(value, type.element.items, strict=True):
            _rebuilder(part, t.Array(item, type.length), tracer, made)
        return lambda arrays: None
    try:
        wires = tracer.flatten(value, type)
        tags = tags_of(type, declarations, value) if declarations.has_data(type) else []
        tags = tags if len(tags) == len(wires) else [False] * len(wires)
        made.extend(zip(wires, tags, strict=True))
    except NotFirstOrder as problem:
        raise NnfpError(
            Diagnostic(
                "function-as-value",
                f"{problem.kind} has no value of numbers to show",
                Label(tracer.builder.origin or NOWHERE, f"has type {t.show(problem.type)}"),
                (),
                (
                    "Draw from it with `draw`."
                    if problem.kind == "a distribution"
                    else "Apply it to an argument, or define it with a name to see its type.",
                ),
            )
        ) from None
    return lambda arrays: rebuild(type, arrays, declarations, like=value)


def _chosen_rebuilder(
    value: Chosen, type: t.Type, tracer: Tracer, made: _Made
) -> Callable[[Iterator[Array]], Any]:
    """The arrays of both, and which of them it is."""
    outermost, made.known = made.known is None, {} if made.known is None else made.known
    made.append((value.condition, True))
    parts = [_rebuilder(part, type, tracer, made) for part in (value.then, value.otherwise)]
    made.known = None if outermost else made.known

    def build(arrays: Iterator[Array]) -> Any:
        holds = next(arrays)
        if not is_concrete(holds):
            raise NotConcrete
        then, otherwise = [part(arrays) for part in parts]
        return then if holds else otherwise

    return build


def _forest_rebuilder(
    forest: Forest, tracer: Tracer, made: _Made
) -> Callable[[Iterator[Array]], Any]:
    """Trees by their payload: the shape is that of an argument, which a call knows."""
    if forest.shape.shared:  # each example needs a forest of its own
        raise NoForest(forest.type)
    constructors = Constructors.of(forest.type, tracer.declarations)
    for key, wires in forest.payload.items():
        kind = key if isinstance(key, Kind) else Kind(key)
        tags = [
            tag
            for part in constructors.parts(kind.constructor)
            if part.type != forest.type and not constructors.missing(kind, part)
            for tag in tags_of(part.type, tracer.declarations)
        ]
        lengths = [False] * (len(wires) - len(tags))
        made.extend(zip(wires, [*lengths, *tags], strict=True))
    count = len(forest.wires)
    return lambda arrays: Planted(
        forest.origin, forest.type, tuple(next(arrays) for _ in range(count))
    )


def _grown_rebuilder(tree: Grown, tracer: Tracer, made: _Made) -> Callable[[Iterator[Array]], Any]:
    """The tree, node by node, of its levels' arrays: only the nodes that are there."""
    functor, declarations = tree.functor, tracer.declarations
    levels = [
        _rebuilder(
            layer, t.Array(functor.layer(t.UNIT), constant(alive.type.shape[0])), tracer, made
        )
        for layer, alive in zip(tree.layers, tree.alive, strict=True)
    ]
    assert functor.end is not None

    def zero(type: t.Type) -> Any:
        """A field of the node that stands below the last level."""
        if t.mentions(type, functor.tree):
            return tuple(map(zero, type.items)) if isinstance(type, t.Product) else []
        item = emptied(type)
        arrays = iter([numpy.zeros(array.shape) for array in declarations.layout(item)])
        return rebuild(item, arrays, declarations)

    end = DataValue(functor.end, tuple(map(zero, functor.fields[functor.end])))

    def filled(
        type: t.Type, value: Any, level: int, take: Callable[[int], int], child: Callable[..., Any]
    ) -> Any:
        """A field of a layer with its children; `take` gives so many slots of the layer."""
        if type == functor.tree:
            return child(take(1))
        if not t.mentions(type, functor.tree):
            return value
        if isinstance(type, t.Product):
            pairs = zip(type.items, value, strict=True)
            return tuple(filled(item, part, level, take, child) for item, part in pairs)
        assert isinstance(type, t.Array)
        element, count = type.element, type.length.value
        if count is not None:
            rows = _rows_of(element, value, count)
            return [filled(element, row, level, take, child) for row in rows]
        starts = [take(tree.rooms[level]) for _ in functor.children(element)]
        if not tree.slots(level):  # below the last level
            return []
        made = []
        for k, row in enumerate(_rows_of(element, value)):
            slots = iter([start + k for start in starts])
            made.append(filled(element, row, level, partial(_next, slots), child))
        return made

    def build(arrays: Iterator[Array]) -> DataValue:
        layers = [level(arrays) for level in levels]

        def node(level: int, k: int) -> DataValue:
            layer, slots = layers[level][k], tree.slots(level)
            name, first = tree_name(layer.constructor), 0

            def take(count: int) -> int:
                nonlocal first
                first += count
                return first - count

            def child(slot: int) -> DataValue:
                return node(level + 1, k * slots + slot) if slots else end

            pairs = zip(functor.fields[name], layer.fields, strict=True)
            return DataValue(
                name, tuple(filled(type, value, level, take, child) for type, value in pairs)
            )

        return node(0, 0)

    return build


def _rows_of(type: t.Type, value: Any, count: int | None = None) -> list[Any]:
    """The elements of an array of products, of which a part that is () counts nothing."""
    if not isinstance(type, t.Product):
        return [()] * count if count is not None and isinstance(value, tuple) else list(value)
    parts = [_rows_of(item, part, count) for item, part in zip(type.items, value, strict=True)]
    return list(zip(*parts, strict=True))


def _next(slots: Iterator[int], _: int) -> int:
    return next(slots)
