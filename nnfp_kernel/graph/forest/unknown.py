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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ...language import types as t
from ...language.sizes import constant
from ..graph import ArrayType, Builder, Elsewhere, Graph, Wire
from ..values import Declarations, Items, NotFirstOrder, OpenSize, Value, Variant, leaves
from .node import Algebra
from .shape import NoForest

if TYPE_CHECKING:
    from ..context import Context

Fields = tuple[Value, ...]
Path = tuple[Any, ...]  # through the arguments, and the fields of constructors


@dataclass(frozen=True, eq=False)
class Branch:
    """The algebra at one constructor. Its inputs are wires of the outermost graph, which
    come first, then those of the fields, with results in place of the children, and of what
    it observes of trees among these (`inside`)."""

    body: Graph
    outside: tuple[Wire, ...]
    fields: tuple[t.Type, ...]
    inside: Inside | None = None  # where there are trees in it


@dataclass(frozen=True, eq=False)
class Inside:
    """The trees at a node: how the fields are laid out, the result, what is observed, and
    the wires of all inputs as these know them."""

    structures: tuple[Structure, ...]
    answer: Value
    observed: tuple[Observation, ...]
    given: tuple[Wire, ...]
    called: Mapping[Path, str]  # the program's names of trees


@dataclass(frozen=True, eq=False)
class Reduction:
    """A catamorphism over an unknown tree, and the inputs that stand for its result."""

    tree: Plant
    result: t.Type
    branches: dict[str, Branch]
    wires: tuple[Wire, ...]
    asked: tuple[object, object] = (None, None)  # which one it is, of which view
    value: Value = None  # the result, with trees of which nothing is known
    structure: Structure = None  # of the result, where trees are in it

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
    outside: tuple[Wire, ...] = ()


@dataclass(frozen=True, eq=False)
class Made:
    """A tree made of others of its shape: `how` is add, subtract, scale or refill. What that
    takes of arrays, a factor or the payload, is the `branch`."""

    how: str
    tree: Plant
    parts: tuple[Plant, ...]
    branch: Branch | None = None
    wires: tuple[Wire, ...] = ()

    @property
    def outside(self) -> tuple[Wire, ...]:
        return () if self.branch is None else self.branch.outside


@dataclass(frozen=True, eq=False)
class Inner:
    """The inner product of two trees of one shape, and the input that stands for it."""

    tree: Plant
    other: Plant
    wires: tuple[Wire, ...]
    outside: tuple[Wire, ...] = ()


Observation: TypeAlias = Reduction | Contents | Made | Inner


@dataclass(frozen=True)
class AnyTree:
    """In place of a tree's structure: it is not known. A sequence in its fields has so
    many elements, in the text any number; `path` says where the tree stands."""

    room: int
    path: Path = ()


# What is known of the trees in a value: nothing, or their constructors; a type, with lengths.
Structure: TypeAlias = "AnyTree | t.Type | tuple[Any, ...] | None"


class Undecided(Exception):
    """A program asks for the constructor of a tree of which nothing is known."""

    def __init__(self, tree: Plant | AnyTree) -> None:
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
    home: Builder | None = None  # where what is made of it is an input; None: the outermost
    parts: tuple[Plant, Plant] | None = None
    zipped: dict[Plant, Plant] = field(default_factory=dict)  # with others
    names: list[str] = field(default_factory=list)  # in the program

    def beside(self, other: Plant, type: t.Named) -> Plant:
        """The two as one tree."""
        if other not in self.zipped:
            self.zipped[other] = replace(self, type=type, parts=(self, other), zipped={}, names=[])
        return self.zipped[other]

    def made(self, how: str, others: Sequence[Plant], branch: Branch | None = None) -> Plant:
        """A tree of this shape, made of this one and others."""
        if any(other.home is not self.home for other in others):
            raise NoForest(self.type)
        path = ("of", len(self.observed))
        tree = replace(self, path=path, parts=None, zipped={}, names=[])
        self.observed.append(Made(how, tree, (self, *others), branch))
        return tree

    def undecided(self) -> Exception:
        """Its constructor is asked for, which may be traced for each if it is an argument's."""
        given = all(isinstance(place, int) for place in self.path)
        return Undecided(self) if given and self.parts is None else NoForest(self.type)

    @property
    def in_sequences(self) -> bool:
        """Whether there are children in sequences of any length."""

        def inside(type: t.Type) -> bool:
            match type:
                case t.Array(element=element, length=length):
                    open = length.value is None and t.mentions(element, self.type)
                    return open or inside(element)
                case t.Product(items=items):
                    return any(map(inside, items))
                case _:
                    return False

        fields = self.declarations.constructors(self.type).values()
        return any(inside(field) for one in fields for field in one)

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

    # --- as a vector -----------------------------------------------------------------------

    def plus(self, context: Context, other: Unknown, how: str = "add") -> Unknown:
        """The sum, or with `subtract` the difference, of two trees of one shape."""
        one, two = self._as_it_is(context), other._as_it_is(context)
        return Unknown(self.type, one.made(how, (two,)))

    def times(self, context: Context, factor: Wire) -> Unknown:
        plant = self._as_it_is(context)
        return Unknown(self.type, plant.made("scale", (), self._of(context, plant, [factor])))

    def dot(self, context: Context, other: Unknown) -> Wire:
        """The inner product with another tree of one shape."""
        one, two = self._as_it_is(context), other._as_it_is(context)
        if one.home is not two.home:
            raise NoForest(self.type)
        wire = one.make(ArrayType("R"))
        one.observed.append(Inner(one, two, (wire,)))
        return wire

    def _as_it_is(self, context: Context) -> Plant:
        """The tree itself, with its payload if that was changed."""
        if self.shown is None:
            return self.plant
        arrays = leaves(self.payload()[0])
        branch = self._of(context, self.plant, arrays)
        return replace(self.plant, type=self.type).made("refill", (self.plant,), branch)

    def _of(self, context: Context, plant: Plant, wires: Sequence[Wire]) -> Branch:
        """Arrays as they are made of what is around the tree."""
        root = plant.home or _outermost(context.builder)
        try:
            return _from_inputs(root, root.child(), wires, (), None)
        except Elsewhere:
            raise NoForest(self.type) from None

    # --- what is observed --------------------------------------------------------------------

    def reduce(
        self, context: Context, algebra: Algebra, result: t.Type, asked: object = None
    ) -> Value:
        """What the catamorphism makes of the tree; the same that was `asked` before is made
        once."""
        plant = self.plant
        if not plant.declarations.data[plant.type.name].recursive:
            raise plant.undecided()
        for made in plant.observed:
            if (
                isinstance(made, Reduction)
                and made.tree is plant
                and asked is not None
                and made.asked == (asked, self.seen)
            ):
                return made.value
        root = plant.home or _outermost(context.builder)
        wires: list[Wire] = []

        def make(array: ArrayType) -> Wire:
            wires.append(plant.make(array))
            return wires[-1]

        path = ("of", len(plant.observed))
        structure = tree_structure(result, plant.declarations, plant.room, path)
        branches = {}
        try:
            if structure is None:
                plant.declarations.layout(result)
            elif plant.in_sequences:  # any number of trees
                raise NotFirstOrder(result)
            for name, fields in plant.declarations.constructors(plant.type).items():
                types = tuple(self.field(each, result) for each in fields)
                branches[name] = self._branch(context, root, name, types, algebra, result)
            value = planted(
                result, structure, plant.declarations, make, plant.make, plant.observed, plant.home
            )
        except (NotFirstOrder, OpenSize, Elsewhere):  # it knows something of an element, or a step
            raise NoForest(result) from None
        asked = (asked, self.seen)
        made = Reduction(plant, result, branches, tuple(wires), asked, value, structure)
        plant.observed.append(made)
        return value

    def field(self, type: t.Type, result: t.Type) -> t.Type:
        """The type of a field, with results in place of the children."""
        return field_type(self.plant, type, result)

    def _branch(
        self,
        context: Context,
        root: Builder,
        name: str,
        types: tuple[t.Type, ...],
        algebra: Algebra,
        result: t.Type,
    ) -> Branch:
        plant, child = self.plant, root.child()
        structures = tuple(
            tree_structure(each, plant.declarations, plant.room, ("field", k))
            for k, each in enumerate(types)
        )
        observed: list[Observation] = []
        with context.inside(child):
            values = tuple(
                planted(
                    each, structure, plant.declarations, child.input, child.input, observed, child
                )
                for each, structure in zip(types, structures, strict=True)
            )
            made = algebra(name, self.fields(name, values))
            inside = None
            if observed or any(each is not None for each in structures) or (
                tree_structure(result, plant.declarations, plant.room) is not None
            ):  # fmt: skip
                answer = _laid_out(context, made, result)
                outputs = list(arrays_of(answer))
                called = {one.path: one.names[0] for one in plants(values) if one.names}
                inside = Inside(structures, answer, tuple(observed), (), called)
            else:
                outputs = context.flatten(made, result)
        return _from_inputs(root, child, outputs, types, inside)


def _outermost(builder: Builder) -> Builder:
    while builder.parent is not None:
        builder = builder.parent
    return builder


# --- values with trees in them -----------------------------------------------------------------


def tree_structure(
    type: t.Type, declarations: Declarations, room: int, path: tuple[object, ...] = ()
) -> Structure:
    """The structure of a value in which nothing is known of the trees; None without any."""
    match type:
        case t.Product(items=items):
            parts = tuple(
                tree_structure(item, declarations, room, (*path, k)) for k, item in enumerate(items)
            )
            return parts if any(part is not None for part in parts) else None
        case t.Named(name=name) if name in declarations.reps:
            return tree_structure(declarations.reps[name].carrier, declarations, room, path)
        case t.Named() if declarations.has_trees(type):
            return AnyTree(room, path)
        case t.Array(element=element, length=length) if declarations.has_trees(element):
            if length.value is None:
                raise NotFirstOrder(type)
            return tuple(
                tree_structure(element, declarations, room, (*path, k)) for k in range(length.value)
            )
        case _:
            return None


def planted(
    type: t.Type,
    structure: Structure,
    declarations: Declarations,
    array: Callable[[ArrayType], Wire],
    make: Callable[[ArrayType], Wire],
    observed: list[Observation],
    home: Builder | None,
) -> Value:
    """A value whose arrays are new inputs, and whose trees are any: what is made of them
    is an input too, by `make`."""

    def each(type: t.Type, structure: Structure) -> Value:
        return planted(type, structure, declarations, array, make, observed, home)

    match type:
        case t.Product(items=items) if isinstance(structure, tuple):
            return tuple(map(each, items, structure))
        case t.Named(name=name) if name in declarations.reps and structure is not None:
            return each(declarations.reps[name].carrier, structure)
        case t.Named() if isinstance(structure, AnyTree):
            plant = Plant(type, declarations, make, structure.room, structure.path, observed, home)
            return Unknown(type, plant)
        case t.Array(element=element) if isinstance(structure, tuple):
            return Items(element, tuple(each(element, part) for part in structure))
        case _:
            return declarations.rebuild(type, [array(one) for one in declarations.layout(type)])


def _laid_out(context: Context, value: Value, type: t.Type) -> Value:
    """A value in which all but the trees is known by its tags, whatever made it."""
    declarations = context.declarations
    match type:
        case _ if not declarations.has_trees(type):
            return context.rebuild(type, context.flatten(value, type))
        case t.Product(items=items):
            return tuple(_laid_out(context, *each) for each in zip(value, items, strict=True))
        case t.Named(name=name) if name in declarations.reps:
            return _laid_out(context, value, declarations.reps[name].carrier)
        case t.Named() if isinstance(value, Variant) and value.constructor is not None:
            name = value.constructor
            types = declarations.constructors(type)[name]
            parts = zip(value.fields[name], types, strict=True)
            return replace(value, fields={name: tuple(_laid_out(context, *p) for p in parts)})
        case t.Array(element=element) if isinstance(value, Items):
            return Items(element, tuple(_laid_out(context, v, element) for v in value.items))
        case t.Named() if isinstance(value, Unknown):
            return value
        case _:
            raise NoForest(type)


def arrays_of(value: Value) -> Iterator[Wire]:
    """The arrays in a value with trees: of a tree, its payload where that was changed."""
    match value:
        case tuple():
            for part in value:
                yield from arrays_of(part)
        case Items(items=items):
            yield from arrays_of(items)
        case Variant(constructor=str(name), fields=fields):
            yield from arrays_of(fields[name])
        case Unknown(shown=shown):
            if shown is not None:
                yield from leaves(value.payload()[0])
        case _:
            yield from leaves(value)


def plants(value: Value) -> Iterator[Plant]:
    """The trees of which nothing is known in a value."""
    match value:
        case tuple():
            for part in value:
                yield from plants(part)
        case Items(items=items):
            yield from plants(items)
        case Variant(fields=fields):
            yield from plants(tuple(fields.values()))
        case Unknown():
            yield value.plant


def field_type(plant: Plant, type: t.Type, result: t.Type) -> t.Type:
    """The type of a field of a node, with results in place of the children."""
    made = t.replace_type(type, plant.type, result)
    _, sizes = t.free_variables(made)
    return t.substitute(made, {}, dict.fromkeys(sizes, constant(plant.room)))


def _from_inputs(
    home: Builder,
    child: Builder,
    outputs: Sequence[Wire],
    types: tuple[t.Type, ...],
    inside: Inside | None,
) -> Branch:
    """What a child builder makes, with all that it takes from around it made in it, out of
    inputs of the enclosing ones."""
    body, captured = child.finish(outputs), child.captured
    builder = Builder(home.primitives)
    given: dict[Wire, Wire] = {}

    def entering(wire: Wire) -> Wire:
        if wire not in given:
            given[wire] = builder.input(wire.type, wire.name, wire.representation)
        return given[wire]

    def made(where: Builder, wires: Sequence[Wire]) -> Sequence[Wire]:
        """Wires of a builder, or ones around it, made of inputs."""
        graph, outer = where.finish(wires), where.captured
        before = made(where.parent, outer) if where.parent is not None and outer else ()
        own = map(entering, graph.inputs[len(outer) :])
        return builder.inline(graph, [*before, *own])

    values = made(home, captured)
    originals = body.inputs[len(captured) :]
    fields = [builder.input(wire.type, wire.name) for wire in originals]
    graph = builder.finish(builder.inline(body, [*values, *fields]))
    used = {wire for node in graph.nodes for wire in node.inputs} | set(graph.outputs)
    if inside is not None:
        inside = replace(inside, given=originals)
        around = [wire for one in inside.observed for wire in one.outside]
        used |= {entering(wire) for wire in around if wire not in originals}
    outside = tuple(wire for wire, own in given.items() if own in used)
    inputs = (*(given[wire] for wire in outside), *fields)
    return Branch(Graph(inputs, graph.nodes, graph.outputs), outside, types, inside)


__all__ = [
    "AnyTree", "Branch", "Contents", "Inner", "Inside", "Made", "Observation", "Plant", "Reduction",
    "Structure", "Undecided", "Unknown", "arrays_of", "field_type", "plants",
]  # fmt: skip
