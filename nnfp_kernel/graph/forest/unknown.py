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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, repeat
from typing import TYPE_CHECKING, Any

from ...language import types as t
from ...language.diagnostics import NnfpError
from ...language.sizes import constant
from ..graph import ArrayType, Builder, Elsewhere, Graph, Wire
from ..grown import Grown
from ..scope import Keys
from ..values import (
    Chosen,
    Declarations,
    Items,
    NotFirstOrder,
    OpenSize,
    Standin,
    Value,
    Variant,
    holds_sequence,
    leaves,
    lengths,
    within,
)
from .along import Draft, axes_of
from .node import Algebra
from .observed import (
    AnyTree,
    Branch,
    Choosing,
    Columns,
    Entangled,
    Inner,
    Inside,
    Looked,
    Observation,
    Plant,
    Reduction,
    Structure,
    Unasked,
    Undecided,
)
from .shape import NoForest

if TYPE_CHECKING:
    from ..context import Context

Fields = tuple[Value, ...]


def sums_apart(first: int) -> Iterator[int]:
    """Numbers from the first on, of which no two sums of two are the same: so a sum tells of what.

    >>> from itertools import islice
    >>> list(islice(sums_apart(24), 8))
    [24, 25, 27, 31, 36, 44, 54, 68]

    Source: Mian and Chowla 1944, On the B2 sequences of Sidon.
    """
    found: list[int] = []
    apart: set[int] = set()
    for number in count(first):
        new = {number - each for each in found}
        if not new & apart:
            apart |= new
            found.append(number)
            yield number


ALIKE = 24  # in place of all lengths but those inside of algebras, where two are to agree
FEW = (2, 3, 4, 1, 0)  # children, for an algebra that asks for a certain number


@dataclass(frozen=True, eq=False)
class Fellow(Standin):
    """One of a sequence of trees of which nothing is known. Its parts are its place in the
    sequence, and what was asked of each."""

    plant: Plant

    @classmethod
    def all(cls, plant: Plant, place: Wire) -> Fellow:
        """The sequence."""
        made = tuple(
            (type, plant.declarations.rebuild(type, wires)) for type, wires in plant.answers
        )
        return cls(plant.type, ((t.INT, place), *made), plant)

    @property
    def place(self) -> Wire:
        wire: Wire = self.values[0]
        return wire

    def undecided(self) -> Exception:
        """Its constructor is asked for."""
        return Looked(self)

    def looked(self, context: Context, question: object, algebra: Algebra, result: t.Type) -> Value:
        """What a `case` makes of it. Raises Elsewhere where that knows something of an element,
        or of a step."""
        return self.reduced(context, question, algebra, result, deep=False)

    def reduced(
        self,
        context: Context,
        question: object,
        algebra: Algebra,
        result: t.Type,
        deep: bool = True,
    ) -> Value:
        """What the catamorphism makes of it. Raises Unasked for one that is new."""
        plant = self.plant
        known = [one for one in plant.observed if one.tree is plant]
        for k, one in enumerate(known, 1):
            if isinstance(one, Reduction) and one.asked == (question, None):
                return self.values[k]
        count = len(known)
        root = plant.home or _outermost(context.builder)
        closed = plant.of_own_lengths(context, result)
        try:
            plant.declarations.layout(closed)
            drafts = Unknown(plant.type, plant).drafts(context, root, algebra, result, deep)
            branches = {name: draft.branch() for name, draft in drafts.items()}
        except (NotFirstOrder, OpenSize):
            raise NoForest(result) from None
        except Elsewhere:
            if not deep:
                raise
            inside = self.inside(context)
            if inside is None:
                raise Entangled(result, "a `cata` over trees of a sequence") from None
            return inside.reduce(context, algebra, result, question)
        if count == len(plant.answers):
            raise Unasked(plant, closed)
        type, wires = plant.answers[count]
        if type != closed:
            raise NoForest(result)
        written = None if closed == result else result
        asked = (question, None)
        made = Reduction(plant, closed, branches, wires, asked, deep=deep, written=written)
        if made.around:
            raise NoForest(result)
        plant.observed.append(made)
        return self.values[count + 1]

    def inside(self, context: Context) -> Unknown | None:
        """The tree as one that a body, in which trees are observed, goes along."""
        plant, homes = self.plant, []
        builder: Builder | None = context.builder
        while builder is not None and builder is not plant.home:
            homes += [context.homes[builder]] if builder in context.homes else []
            builder = builder.parent
        for home in reversed(homes):
            if self.place in home.sequences:
                made = home.each(plant, self.place)
                return Unknown(made.type, made)
            plant = home.tree(plant)
        return None


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
        return self.items(self.plant.declarations.rebuild(made.result, made.wires)), self.count

    def settled(self) -> Unknown:
        """The tree with its payload made here, where that was changed."""
        if self.shown is None:
            return self
        made, _ = self.payload()
        return replace(self, shown=lambda _: made)

    @property
    def count(self) -> int:
        """How many elements its payload has here."""
        count = self.plant.contents().result.length.value
        assert count is not None
        return count

    def inside(self, context: Context) -> Unknown | None:
        """The tree as it stands in the outermost body around this place, inside of where it is an
        input, in which trees are observed."""
        found = None
        builder: Builder | None = context.builder
        while builder is not None and builder is not self.plant.home:
            found, builder = context.homes.get(builder, found), builder.parent
        return None if found is None else replace(self, plant=found.tree(self.plant))

    # --- as a vector -----------------------------------------------------------------------

    def plus(self, context: Context, other: Unknown, how: str = "add") -> Unknown:
        """The sum, or with `subtract` the difference, of two trees of one shape."""
        one, two = _in_one_place(context, self.as_it_is(context), other.as_it_is(context))
        return Unknown(self.type, one.made(how, (two,)))

    def times(self, context: Context, factor: Wire) -> Unknown:
        plant = self.as_it_is(context)
        plant, branch = self.of(context, plant, [factor])
        return Unknown(self.type, plant.made("scale", (), branch))

    def dot(self, context: Context, other: Unknown) -> Wire:
        """The inner product with another tree of one shape."""
        one, two = _in_one_place(context, self.as_it_is(context), other.as_it_is(context))
        wire = one.make(ArrayType("R"))
        one.observed.append(Inner(one, two, (wire,)))
        return wire

    def as_it_is(self, context: Context) -> Plant:
        """The tree itself, with its payload if that was changed."""
        if self.shown is None:
            return self.plant
        arrays = leaves(self.payload()[0])
        plant, branch = self.of(context, self.plant, arrays)
        return replace(plant, type=self.type).made("refill", (plant,), branch)

    def of(self, context: Context, plant: Plant, wires: Sequence[Wire]) -> tuple[Plant, Branch]:
        """Arrays as they are made of what is around the tree, and the tree where that is known."""
        root = plant.home or _outermost(context.builder)
        try:
            return plant, Draft(root.child(), wires, ()).branch()
        except Elsewhere:  # an element, or a step
            inside = Unknown(plant.type, plant).inside(context)
            if inside is None:
                raise Entangled(self.type, "arithmetic of trees") from None
            return self.of(context, inside.plant, wires)

    # --- what is observed --------------------------------------------------------------------

    def undecided(self) -> Exception:
        """Its constructor is asked for, which is traced for each if it is an argument's."""
        return Undecided(self.plant) if self.plant.given else Looked(self)

    def looked(self, context: Context, question: object, algebra: Algebra, result: t.Type) -> Value:
        """What a `case` makes of it, whose algebra is given the children themselves. Raises
        Elsewhere where that knows something of an element, or of a step."""
        as_it_is = Unknown(self.type, self.as_it_is(context))
        return as_it_is.reduce(context, algebra, result, question, deep=False)

    def reduce(
        self,
        context: Context,
        algebra: Algebra,
        result: t.Type,
        asked: object = None,
        deep: bool = True,
    ) -> Value:
        """What the catamorphism makes of the tree; the same that was `asked` before is made
        once."""
        plant = self.plant
        if not plant.declarations.data[plant.type.name].recursive:
            if plant.given:
                raise Undecided(plant)
            deep = False
        for made in plant.observed:
            if (
                isinstance(made, Reduction)
                and (made.tree, made.deep) == (plant, deep)
                and asked is not None
                and made.asked == (asked, self.seen)
            ):
                return made.value
        root, count = plant.home or _outermost(context.builder), len(plant.observed)
        wires: list[Wire] = []

        def make(array: ArrayType) -> Wire:
            wires.append(plant.make(array))
            return wires[-1]

        path = ("of", plant.home, len(plant.observed))
        closed = plant.of_own_lengths(context, result)
        written = None if closed == result else result
        structure = tree_structure(closed, plant.declarations, plant.room, path)
        try:
            if structure is None:
                plant.declarations.layout(closed)
            drafts = self.drafts(context, root, algebra, result, deep)
            branches = {name: draft.branch() for name, draft in drafts.items()}
            value = planted(
                closed, structure, plant.declarations, make, plant.make, plant.observed, plant.home
            )
        except (NotFirstOrder, OpenSize):
            raise NoForest(result) from None
        except Elsewhere:  # it knows something of an element, or of a step
            if not deep:
                raise
            del plant.observed[count:]
            if structure is None and written is None:
                try:
                    return self._along(context, root, algebra, result)
                except Elsewhere:
                    pass
            inside = self.inside(context)
            if inside is None:
                raise Entangled(result, "a `cata`") from None
            return inside.reduce(context, algebra, result, asked)
        asked = (asked, self.seen)
        made = Reduction(
            plant, closed, branches, tuple(wires), asked, value, structure, deep, written
        )
        plant.observed.append(made)
        return value

    def _along(self, context: Context, home: Builder, algebra: Algebra, result: t.Type) -> Value:
        """What the catamorphism makes of the tree where it knows an element of a loop: observed
        for all elements at once. Raises Elsewhere where it knows the state."""
        plant = self.plant
        declarations = plant.declarations
        drafts = self.drafts(context, context.builder, algebra, result)
        levels = {name: each.levels(context.bodies, home) for name, each in drafts.items()}
        axes = axes_of(list(levels.values()), context.bodies)
        # A length that only a tree knows stands in no type of the linear map of a result.
        told = plant.open_lengths.isdisjoint(axis.length for axis in axes.values())
        for draft in drafts.values():
            if draft.inside is not None or not told:
                raise Elsewhere(draft.outputs[0])
        whole = result
        for axis in reversed(axes.values()):
            whole = t.Array(whole, constant(axis.length))
        branches = {
            name: drafts[name].lifted(plant, declared, whole, levels[name], axes)
            for name, declared in declarations.constructors(plant.type).items()
        }
        wires = tuple(map(plant.make, declarations.layout(whole)))
        value = declarations.rebuild(whole, wires)
        plant.observed.append(Reduction(plant, whole, branches, wires, value=value))
        for axis in axes.values():
            wires = tuple(map(axis.element, wires))
        return declarations.rebuild(result, wires)

    def drafts(
        self,
        context: Context,
        root: Builder,
        algebra: Algebra,
        result: t.Type,
        deep: bool = True,
    ) -> dict[str, Draft]:
        """The algebra, constructor by constructor. Where it cannot do with any number of children
        in a sequence, it may with a few."""
        made = {}
        for name in self.plant.declarations.constructors(self.plant.type):
            problem: NnfpError | None = None
            # Inside they are no others' lengths: if alike, then among themselves.
            alike = repeat(next(context.apart))
            known = self.plant.room
            tried = ((known, context.apart), *((room, alike) for room in (known, *FEW)))
            for room, told in tried:
                try:
                    with context.telling(told):
                        made[name] = self._with_room(
                            context, root, name, room, algebra, result, deep
                        )
                except NnfpError as error:
                    problem = problem or error
                else:
                    break
            else:
                assert problem is not None
                raise problem
        return made

    def _with_room(
        self,
        context: Context,
        root: Builder,
        name: str,
        room: int,
        algebra: Algebra,
        result: t.Type,
        deep: bool,
    ) -> Draft:
        """The algebra at one constructor, with so many children in each sequence."""
        types = self.plant.declarations.constructors(self.plant.type)[name]
        if deep:
            types = tuple(
                t.replace_type(each, self.plant.type, self.plant.of_own_lengths(context, result))
                for each in types
            )
        here = object()  # another place than any
        structures = tuple(
            tree_structure(each, self.plant.declarations, room, (here, k))
            for k, each in enumerate(types)
        )
        closed = tuple(_closed(each, room) for each in types)
        while True:
            child = root.child()
            try:
                return self._branch(context, child, name, closed, structures, algebra, result, deep)
            except Unasked as asked:
                if asked.plant.home is not child:
                    raise
                place, *path = asked.plant.path
                if place is not here:  # a sequence of trees that was made
                    raise NoForest(asked.result) from None
                structures = asking(structures, path, asked.result)

    def _branch(
        self,
        context: Context,
        child: Builder,
        name: str,
        closed: tuple[t.Type, ...],
        structures: tuple[Structure, ...],
        algebra: Algebra,
        result: t.Type,
        deep: bool,
    ) -> Draft:
        plant = self.plant
        observed: list[Observation] = []
        keys, outside = context.keys, context.builder
        # What is drawn at a node is drawn with a key of the node, which only running tells.
        with context.inside(child, Keys(lambda: keys.next(outside))):
            values = tuple(
                planted(
                    each, structure, plant.declarations, child.input, child.input, observed, child
                )
                for each, structure in zip(closed, structures, strict=True)
            )
            for tree in plants(values):
                context.plants.setdefault(child, tree)
            made = algebra(name, self.fields(name, values))
            if holds_sequence(made):
                raise NoForest(result)
            inside = None
            if not deep or observed or any(each is not None for each in structures) or (
                tree_structure(result, plant.declarations, plant.room) is not None
            ):  # fmt: skip
                answer = _laid_out(context, made, result)
                outputs = list(arrays_of(answer))
                called = {one.path: one.names[0] for one in plants(values) if one.names}
                around = tuple(self._around(child, answer, observed))
                homes = [one.home for one in around if one.home is not None]
                seen = all(home.encloses(child) for home in homes)
                seen = seen and not any(one.many for one in around)
                if around and (deep or not seen):
                    raise NoForest(plant.type)
                inside = Inside(structures, answer, tuple(observed), (), called, around)
            else:
                outputs = context.flatten(made, result)
        return Draft(child, outputs, closed, inside)

    @staticmethod
    def _around(child: Builder, answer: Value, observed: Sequence[Observation]) -> Iterator[Plant]:
        """The trees that are no part of the node and stand in what is made there."""
        inner = (tree for one in observed if isinstance(one, Reduction) for tree in one.around)
        for tree in (*plants(answer), *inner):
            if tree.home is not child:
                yield tree


def _in_one_place(context: Context, one: Plant, two: Plant) -> tuple[Plant, Plant]:
    """Two trees where both are known."""
    for first, other in ((one, two), (two, one)):
        while other.home is not first.home:
            inside = Unknown(other.type, other).inside(context)
            if inside is None:
                break
            other = inside.plant
        if other.home is first.home:
            return (first, other) if first is one else (other, first)
    raise NoForest(one.type)


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
                if isinstance(element, t.Product):
                    return Columns.of(element, declarations, room, path)
                if not isinstance(element, t.Named):
                    raise NotFirstOrder(type)
                return AnyTree(room, path, many=True)
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
        case t.Array(element=t.Product(items=items), length=length) if isinstance(
            structure, Columns
        ):
            return tuple(
                each(t.Array(item, length), part)
                for item, part in zip(items, structure.parts, strict=True)
            )
        case t.Array() if isinstance(structure, t.Array):
            return each(structure, None)
        case t.Array(element=t.Named() as element) if isinstance(structure, AnyTree):
            room = structure.room
            place = array(ArrayType("Int", (room,)))
            answers = tuple(
                (one, tuple(make(each) for each in declarations.layout(one, (room,))))
                for one in structure.asked
            )
            plant = Plant(
                element, declarations, make, room, structure.path, observed, home, many=True,
                answers=answers, alike=structure.alike, place=place,
            )  # fmt: skip
            return Fellow.all(plant, place)
        case t.Named() if isinstance(structure, AnyTree):
            plant = Plant(
                type, declarations, make, structure.room, structure.path, observed, home,
                apart=structure.apart, alike=structure.alike,
            )  # fmt: skip
            return Unknown(type, plant)
        case t.Array(element=element) if isinstance(structure, tuple):
            return Items(element, tuple(each(element, part) for part in structure))
        case _:
            return declarations.rebuild(type, [array(one) for one in declarations.layout(type)])


def asking(structure: Structure, path: Sequence[Any], result: t.Type) -> Any:
    """The structure in which one more result is provided for, of each tree in the sequence
    at the path."""
    if isinstance(structure, AnyTree):
        return replace(structure, asked=(*structure.asked, result))
    if isinstance(structure, Columns):
        return Columns(asking(structure.parts, path, result))
    assert isinstance(structure, tuple)
    k, *rest = path
    if structure and isinstance(structure[0], str):  # a constructor and its fields
        name, parts = structure
        return name, asking(parts, path, result)
    return (*structure[:k], asking(structure[k], rest, result), *structure[k + 1 :])


def growing(tree: Grown) -> Branch:
    """The function that a tree is grown by, from a seed to a layer with seeds in place of the
    children, as an algebra is kept. Raises NotFirstOrder for what has no layout, and NoForest
    where only running tells how many children there are in a sequence."""
    growth = tree.growth
    if growth is None:
        raise NotFirstOrder(tree.type)
    context, root = growth.context, _outermost(growth.context.builder)
    child = root.child()
    with context.inside(child):
        inputs = [child.input(array) for array in context.layout(growth.seed_type)]
        layer = growth.function(context.rebuild(growth.seed_type, inputs))
        if isinstance(layer, Variant) and lengths(tuple(layer.fields.values())):
            raise NoForest(tree.type)
        outputs = context.flatten(layer, tree.functor.layer(growth.seed_type))
    return Draft(child, outputs, (growth.seed_type,)).branch()


def answered(tree: Grown, value: Value) -> Graph:
    """The graph that ends with the arrays in an answer, the seed in place of a grown tree."""
    assert tree.growth is not None
    return _outermost(tree.growth.context.builder).finish(list(arrays_of(value)))


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
        case t.Array(element=t.Product(items=items), length=length) if isinstance(value, tuple):
            return tuple(
                _laid_out(context, part, t.Array(item, length))
                for part, item in zip(value, items, strict=True)
            )
        case _ if isinstance(value, Unknown):
            return value.settled()
        case _ if isinstance(value, Fellow):
            return value
        case _ if isinstance(value, Chosen):
            raise Choosing(type)
        case _:
            raise NoForest(type)


def arrays_of(value: Value) -> Iterator[Wire]:
    """The arrays in a value with trees: of a tree, its payload where that was changed."""
    for part in within(value):
        match part:
            case Unknown(shown=shown):
                if shown is not None:
                    yield from leaves(part.payload()[0])
            case Fellow(place=place):
                yield place
            case Grown(growth=growth):
                if growth is None:
                    raise NotFirstOrder(part.type)
                yield from leaves(growth.seed)
            case Chosen(type=type):
                raise Choosing(type)
            case _:
                yield from leaves(part)


def plants(value: Value) -> Iterator[Plant]:
    """The trees of which nothing is known in a value."""
    for part in within(value):
        match part:
            case Variant(fields=fields):  # of no known constructor: all there may be
                yield from plants(tuple(fields.values()))
            case Chosen(then=then, otherwise=otherwise):
                yield from plants((then, otherwise))
            case Unknown() | Fellow():
                yield part.plant


def field_type(plant: Plant, type: t.Type, result: t.Type) -> t.Type:
    """The type of a field of a node, with results in place of the children."""
    return _closed(t.replace_type(type, plant.type, result), plant.room)


def _closed(type: t.Type, room: int) -> t.Type:
    """The type with so much room in sequences of any length."""
    _, sizes = t.free_variables(type)
    return t.substitute(type, {}, dict.fromkeys(sizes, constant(room)))


__all__ = [
    "Fellow",
    "Unknown",
    "answered",
    "arrays_of",
    "asking",
    "field_type",
    "growing",
    "planted",
    "plants",
]
