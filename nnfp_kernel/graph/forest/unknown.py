"""A tree of which nothing is known: what a program makes of any tree, for reading.

Whatever a program makes of such a tree is a further input of the graph, as if the tree
consisted of these results (`Observation`): the result of a catamorphism, with the algebra
kept constructor by constructor as a graph of its own (`Branch`), and the payload as a
sequence (`Contents`). Two trees of one shape make a third (`Plant.parts`). So a function of
trees is a function of arrays and of some observations (views/terms writes it down). A `case`
on the tree asks for its constructor: Undecided is raised, and the caller traces once for
each. Raises NoForest for all else that a program may do with a tree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from ...language import types as t
from ...language.sizes import constant
from ..graph import ArrayType, Builder, Elsewhere, Graph, Wire
from ..values import Declarations, NotFirstOrder, OpenSize, Value
from .node import Algebra
from .shape import NoForest

if TYPE_CHECKING:
    from ..context import Context

Fields = tuple[Value, ...]
Path = tuple[int, ...]  # through the arguments, and the fields of constructors


@dataclass(frozen=True, eq=False)
class Branch:
    """The algebra at one constructor. Its inputs are wires of the outermost graph, which
    come first, then those of the fields, with results in place of the children."""

    body: Graph
    outside: tuple[Wire, ...]
    fields: tuple[t.Type, ...]


@dataclass(frozen=True, eq=False)
class Reduction:
    """A catamorphism over an unknown tree, and the inputs that stand for its result."""

    tree: Plant
    result: t.Type
    branches: dict[str, Branch]
    wires: tuple[Wire, ...]
    asked: tuple[object, object] = (None, None)  # which one it is, of which view

    @property
    def outside(self) -> tuple[Wire, ...]:
        """What the algebra takes from around it."""
        return tuple(dict.fromkeys(w for one in self.branches.values() for w in one.outside))


@dataclass(frozen=True, eq=False)
class Contents:
    """The payload of an unknown tree, from left to right: an array of so many elements,
    and the inputs that stand for it."""

    tree: Plant
    result: t.Array
    wires: tuple[Wire, ...]


Observation: TypeAlias = Reduction | Contents


@dataclass(frozen=True)
class AnyTree:
    """In place of a tree's structure: it is not known. A sequence in its fields has so
    many elements, in the text any number; `path` says where the tree stands."""

    room: int
    path: Path = ()


class Undecided(Exception):
    """A program asks for the constructor of a tree of which nothing is known."""

    def __init__(self, tree: Plant) -> None:
        super().__init__(tree.path)
        self.path = tree.path


@dataclass(frozen=True, eq=False)
class Plant:
    """The tree itself: an argument, or two trees of one shape as one. `observed` is what
    the program makes of all its trees, one after the other."""

    type: t.Named
    declarations: Declarations
    make: Callable[[ArrayType], Wire]  # a further input of the outermost graph
    room: int
    path: Path
    observed: list[Observation]
    parts: tuple[Plant, Plant] | None = None
    zipped: dict[Plant, Plant] = field(default_factory=dict)  # with others

    def beside(self, other: Plant, type: t.Named) -> Plant:
        """The two as one tree."""
        if other not in self.zipped:
            self.zipped[other] = replace(self, type=type, parts=(self, other), zipped={})
        return self.zipped[other]

    @property
    def bare(self) -> bool:
        """Whether all that moves in it is payload."""
        declarations = self.declarations
        payload = t.Named(self.type.name, (*self.type.arguments[:-1], t.INT))

        def moves(type: t.Type) -> bool:
            match type:
                case t.Scalar(name=name):
                    return name in ("R", "C")
                case t.Array(element=element):
                    return moves(element)
                case t.Product(items=items):
                    return any(map(moves, items))
                case t.Named(name=name) if name in declarations.reps:
                    return moves(declarations.reps[name].carrier)
                case t.Named() if type != payload:
                    fields = declarations.constructors(type).values()
                    return any(moves(field) for one in fields for field in one)
                case _:
                    return False

        fields = declarations.constructors(payload).values()
        return bool(self.type.arguments) and not any(moves(f) for one in fields for f in one)

    def contents(self) -> Contents:
        """The payload, which has a number of elements of its own."""
        for made in self.observed:
            if isinstance(made, Contents) and made.tree is self:
                return made
        others = sum(isinstance(made, Contents) for made in self.observed)
        type = t.Array(self.type.arguments[-1], constant(self.room + 6 * (others + 1)))
        made = Contents(self, type, tuple(map(self.make, self.declarations.layout(type))))
        self.observed.append(made)
        return made


@dataclass(frozen=True, eq=False)
class Unknown:
    """Such a tree as a program has it: of `type`, while the plant is of another where its
    payload was changed on the way. `seen` is what the fields of the plant are then, and
    `shown` what its payload is."""

    type: t.Named
    plant: Plant
    seen: Callable[[str, Fields], Fields] | None = None
    shown: Callable[[Value], Value] | None = None

    def viewed(
        self,
        type: t.Named,
        change: Callable[[str, Fields], Fields],
        each: Callable[[Value], Value],
    ) -> Unknown:
        """The tree with other payload: `change` on the fields of each node, `each` on all
        of the payload as a sequence."""
        return replace(
            self, type=type,
            seen=lambda name, fields: change(name, self.fields(name, fields)),
            shown=lambda payload: each(self.items(payload)),
        )  # fmt: skip

    def fields(self, name: str, fields: Fields) -> Fields:
        return fields if self.seen is None else self.seen(name, fields)

    def items(self, payload: Value) -> Value:
        return payload if self.shown is None else self.shown(payload)

    def payload(self) -> tuple[Value, int]:
        """All of its payload as a sequence, and how many elements that has here."""
        made = self.plant.contents()
        count = made.result.length.value
        assert count is not None
        return self.items(self.plant.declarations.rebuild(made.result, made.wires)), count

    def reduce(
        self, context: Context, algebra: Algebra, result: t.Type, asked: object = None
    ) -> Value:
        """What the catamorphism makes of the tree; the same that was `asked` before is made
        once."""
        plant = self.plant
        if not plant.declarations.data[plant.type.name].recursive:
            raise Undecided(plant)
        for made in plant.observed:
            if (
                isinstance(made, Reduction)
                and made.tree is plant
                and asked is not None
                and made.asked == (asked, self.seen)
            ):
                return plant.declarations.rebuild(result, made.wires)
        try:
            layout = plant.declarations.layout(result)
        except (NotFirstOrder, OpenSize):
            raise NoForest(result) from None
        root = context.builder
        while root.parent is not None:
            root = root.parent
        branches = {}
        for name, fields in plant.declarations.constructors(plant.type).items():
            types = tuple(self.field(each, result) for each in fields)
            try:
                branches[name] = self._branch(context, root, name, types, algebra, result)
            except Elsewhere:  # it knows something of an element, or a step
                raise NoForest(result) from None
        wires = tuple(map(plant.make, layout))
        plant.observed.append(Reduction(plant, result, branches, wires, (asked, self.seen)))
        return plant.declarations.rebuild(result, wires)

    def field(self, type: t.Type, result: t.Type) -> t.Type:
        """The type of a field, with results in place of the children."""
        return field_type(self.plant, type, result)

    def _branch(
        self,
        context: Context,
        root: Builder,
        name: str,
        types: Sequence[t.Type],
        algebra: Algebra,
        result: t.Type,
    ) -> Branch:
        with context.inside(root.child()) as child:
            values = tuple(
                context.rebuild(each, [child.input(array) for array in context.layout(each)])
                for each in types
            )
            outputs = context.flatten(algebra(name, self.fields(name, values)), result)
        return _from_inputs(root, child, outputs, tuple(types))


def field_type(plant: Plant, type: t.Type, result: t.Type) -> t.Type:
    """The type of a field of a node, with results in place of the children."""
    made = t.replace_type(type, plant.type, result)
    _, sizes = t.free_variables(made)
    return t.substitute(made, {}, dict.fromkeys(sizes, constant(plant.room)))


def _from_inputs(
    root: Builder, child: Builder, outputs: Sequence[Wire], types: tuple[t.Type, ...]
) -> Branch:
    """What a child of the outermost builder makes, with all that it takes from there made
    in it, out of inputs."""
    body, captured = child.finish(outputs), child.captured
    before = root.finish(captured)
    builder = Builder(root.primitives)
    given = [builder.input(w.type, w.name, w.representation) for w in before.inputs]
    values = builder.inline(before, given)
    fields = [builder.input(w.type, w.name) for w in body.inputs[len(captured) :]]
    graph = builder.finish(builder.inline(body, [*values, *fields]))
    used = {wire for node in graph.nodes for wire in node.inputs} | set(graph.outputs)
    kept = [pair for pair in zip(given, before.inputs, strict=True) if pair[0] in used]
    inputs = (*(own for own, _ in kept), *fields)
    outside = tuple(wire for _, wire in kept)
    return Branch(Graph(inputs, graph.nodes, graph.outputs), outside, types)


__all__ = [
    "AnyTree", "Branch", "Contents", "Observation", "Plant", "Reduction", "Undecided", "Unknown",
    "field_type",
]  # fmt: skip
