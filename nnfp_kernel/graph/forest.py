"""Forests: trees of any shapes as one flat value, and the catamorphism over it.

Which node is whose child is data here, not structure: one graph serves every forest of
like size. The nodes of the constructors without children (the leaves) stand in one row
each and are reduced at once, by a map. The others stand in chunks, `length` steps of
`width` nodes of one constructor, a node after its children; a `TreeLoop` runs through
them. The roots' results are what is asked for.

A batch of trees is one forest, shared by all examples: the catamorphism is made outside
the map over examples, and an example takes the result of its own tree. That holds as
long as the algebra knows nothing of the example; otherwise each example has a forest of
its own. What is not a catamorphism (a `case` on a tree, a tree that is the answer) needs
to know the tree while tracing: NoForest is raised, and the caller traces for its structure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..language import types as t
from ..language.sizes import constant
from .graph import ArrayType, Builder, Elsewhere, TreeLoop, Wire
from .values import Declarations, NotFirstOrder, OpenSize, Value

if TYPE_CHECKING:
    from .trace import Keys, Tracer

Algebra = Callable[[str, "tuple[Value, ...]"], Value]  # a constructor and its fields
Own = Callable[[Sequence[Wire]], Sequence[Wire]]


class NoForest(Exception):
    """A tree is used otherwise than by a catamorphism that a forest can run."""


@dataclass(frozen=True)
class ForestShape:
    """How much room a forest has, which is all that a graph knows of its trees.

    `leaves` counts the nodes of each constructor without children. `shared`: one forest
    holds the trees of all examples of a batch.
    """

    trees: int
    leaves: tuple[int, ...]
    length: int
    width: int
    shared: bool = False


@dataclass(frozen=True)
class Constructors:
    """The constructors of a data type, as a forest sees them.

    >>> tree = t.Named("Tree", ())
    >>> made = Constructors({"Leaf": (t.R,), "Node": (tree, t.R, tree)}, tree)
    >>> made.leaves, made.inner, made.arity, made.children("Node"), made.payload("Node")
    (('Leaf',), ('Node',), 2, (0, 2), (1,))
    """

    fields: Mapping[str, tuple[t.Type, ...]]
    type: t.Named

    @classmethod
    def of(cls, type: t.Named, declarations: Declarations) -> Constructors:
        return cls(declarations.constructors(type), type)

    @property
    def leaves(self) -> tuple[str, ...]:
        return tuple(name for name in self.fields if not self.children(name))

    @property
    def inner(self) -> tuple[str, ...]:
        return tuple(name for name in self.fields if self.children(name))

    @property
    def arity(self) -> int:
        """The most children a node may have."""
        return max((len(self.children(name)) for name in self.fields), default=0)

    def children(self, name: str) -> tuple[int, ...]:
        """Which fields hold a child."""
        return tuple(k for k, field in enumerate(self.fields[name]) if field == self.type)

    def payload(self, name: str) -> tuple[int, ...]:
        """Which fields hold something else."""
        return tuple(k for k, field in enumerate(self.fields[name]) if field != self.type)


def forestable(type: t.Type, declarations: Declarations) -> bool:
    """Whether values of `type` are trees that a forest can hold: a recursive data type
    whose children are fields of their own, and whose other fields are made of numbers."""
    if not isinstance(type, t.Named) or type.name not in declarations.data:
        return False
    if not declarations.data[type.name].recursive:
        return False
    try:
        for fields in declarations.constructors(type).values():
            for field in fields:
                if field != type:
                    declarations.layout(field)
    except (NotFirstOrder, OpenSize):
        return False
    return True


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees on wires.

    `kinds`, where there are several constructors with children, has for each step which
    one. `payload` holds the fields that are no children: over the nodes of a constructor
    without children, over steps and lanes for the others.
    """

    type: t.Named
    shape: ForestShape
    schedule: tuple[Wire, ...]  # as of a TreeLoop
    kinds: Wire | None
    payload: Mapping[str, tuple[Value, ...]]
    place: tuple[Builder, Keys] | None = None  # of a shared forest: where it is reduced
    own: Own | None = None  # of a shared forest: an example's own of the roots' results

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
        kinds = new(_kinds(shape)) if len(constructors.inner) > 1 else None
        schedule = tuple(map(new, _schedule(constructors, shape)))
        payload = {}
        for name, types in _payload(constructors, shape).items():
            fields = []
            for each in types:
                wires = [new(array) for array in declarations.layout(each)]
                fields.append(declarations.rebuild(each, wires))
            payload[name] = tuple(fields)
        return cls(type, shape, schedule, kinds, payload)

    def replaced(self, renew: Callable[[Value], Value]) -> Forest:
        """The forest on other wires."""
        return replace(
            self,
            schedule=renew(self.schedule),
            kinds=None if self.kinds is None else renew(self.kinds),
            payload={name: renew(fields) for name, fields in self.payload.items()},
        )


def forest_layout(type: t.Named, shape: ForestShape, declarations: Declarations) -> list[ArrayType]:
    """The arrays of a forest: what kind each step is of, the schedule, the payload."""
    constructors = Constructors.of(type, declarations)
    arrays = [_kinds(shape)] if len(constructors.inner) > 1 else []
    arrays += _schedule(constructors, shape)
    for types in _payload(constructors, shape).values():
        arrays += [array for each in types for array in declarations.layout(each)]
    return arrays


def _kinds(shape: ForestShape) -> ArrayType:
    return ArrayType("Int", (shape.length,))


def _schedule(constructors: Constructors, shape: ForestShape) -> list[ArrayType]:
    blocks = (shape.length, constructors.arity, shape.width), (shape.length, 1, shape.width)
    shapes = (blocks[0], (shape.trees,), blocks[1], (sum(shape.leaves),))
    return [ArrayType("Int", each) for each in shapes]


def _payload(constructors: Constructors, shape: ForestShape) -> dict[str, list[t.Type]]:
    """The types of the fields that are no children, over all nodes of the constructor."""
    room = {name: (count,) for name, count in zip(constructors.leaves, shape.leaves, strict=True)}
    found = {}
    for name, fields in constructors.fields.items():
        axes = room.get(name, (shape.length, shape.width))
        types = [fields[k] for k in constructors.payload(name)]
        for axis in reversed(axes):
            types = [t.Array(each, constant(axis)) for each in types]
        found[name] = types
    return found


# --- the catamorphism ---------------------------------------------------------------------


def reduce_forest(tracer: Tracer, forest: Forest, algebra: Algebra, result: t.Type) -> Value:
    """The result of the algebra at the roots: of the one tree, or of the example's own.

    Raises NoForest where the results are not made of numbers, or where the forest is
    shared by all examples and the algebra knows something of the one it is used in.
    """
    try:
        tracer.declarations.layout(result)
    except NotFirstOrder:
        raise NoForest(result) from None
    if forest.place is None:
        made = _roots(tracer, forest, algebra, result)
        own = [tracer.builder.emit("reshape", w, shape=w.type.shape[1:]) for w in made]
        return tracer.declarations.rebuild(result, own)
    if tracer.branching:  # a branch that is not taken contributes nothing, not even NaN
        raise NoForest(result)
    assert forest.own is not None
    try:
        with tracer.inside(*forest.place):
            made = _roots(tracer, forest, algebra, result)
    except Elsewhere:
        raise NoForest(result) from None
    return tracer.declarations.rebuild(result, forest.own(made))


def _roots(tracer: Tracer, forest: Forest, algebra: Algebra, result: t.Type) -> tuple[Wire, ...]:
    """The results at all roots, stacked."""
    declarations, shape = tracer.declarations, forest.shape
    constructors = Constructors.of(forest.type, declarations)
    builder, layout = tracer.builder, declarations.layout(result)

    def reduced(
        name: str, count: int, children: Sequence[Wire], own: Sequence[Wire]
    ) -> tuple[Wire, ...]:
        """The results of `count` nodes of one constructor, given those of their children
        and their own fields, all stacked."""

        def node(wires: Sequence[Wire]) -> list[Wire]:
            supply = iter(wires)
            fields: dict[int, Value] = {}
            for places, types in (
                (constructors.children(name), [result] * len(constructors.children(name))),
                (constructors.payload(name), constructors.fields[name]),
            ):
                for k, place in enumerate(places):
                    type = types[k] if types is not constructors.fields[name] else types[place]
                    parts = [next(supply) for _ in declarations.layout(type)]
                    fields[place] = declarations.rebuild(type, parts)
            value = algebra(name, tuple(fields[k] for k in sorted(fields)))
            if tracer.doubt().wire is not None:  # a mistake that is known at run time only
                raise NoForest(result)
            return declarations.flatten(tracer.builder, value, result)

        return tracer.map_wires(count, [*children, *own], node)

    payload = _payload(constructors, shape)
    wires = {
        name: [
            wire
            for value, type in zip(forest.payload[name], payload[name], strict=True)
            for wire in declarations.flatten(builder, value, type)
        ]
        for name in constructors.fields
    }
    parts = [
        reduced(name, count, (), wires[name])
        for name, count in zip(constructors.leaves, shape.leaves, strict=True)
        if count
    ]
    if parts:
        initial = [
            column[0] if len(column) == 1 else builder.emit("concat", *column, axis=0)
            for column in zip(*parts, strict=True)
        ]
    else:
        initial = [builder.zeros(array.over(0)) for array in layout]

    child, keys, extra = tracer.steps(shape.length)
    with tracer.inside(child, keys):
        lanes = [array.over(shape.width) for array in layout]
        read = [child.input(lane) for _ in range(constructors.arity) for lane in lanes]
        kind = None if forest.kinds is None else child.input(forest.kinds.type.element())
        elements = {
            name: [child.input(wire.type.element()) for wire in wires[name]]
            for name in constructors.inner
        }

        def step(name: str) -> Sequence[Wire]:
            children = read[: len(constructors.children(name)) * len(layout)]
            return reduced(name, shape.width, children, elements[name])

        if kind is None:
            outputs = step(constructors.inner[0])
        else:
            branches = []
            for name in constructors.inner:
                with tracer.inside(child.child()) as branch:
                    branches.append((branch, step(name)))
            outputs = tracer.chosen(kind, branches)
    body = child.finish(outputs)
    loop = TreeLoop(
        body, len(child.captured), len(layout), constructors.arity, 1, shape.width, shape.length
    )
    sequences = [] if forest.kinds is None else [forest.kinds]
    sequences += [wire for name in constructors.inner for wire in wires[name]]
    operands = (*forest.schedule, *child.captured, *initial, *sequences)
    return builder.add(loop, (*operands, *(make() for make in extra)))


__all__ = [
    "Constructors", "Forest", "ForestShape", "NoForest", "forest_layout", "forestable",
    "reduce_forest",
]  # fmt: skip
