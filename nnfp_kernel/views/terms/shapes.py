"""What the arguments and the answer of a function look like: arrays, trees, and tuples and
constructors of these.

A tree of which nothing is known is a name; one that a `case` has asked for is a constructor
of its fields, which is a pattern on one side and an expression on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import TypeAlias

from ...graph.forest import Fellow, Plant, Unknown
from ...graph.graph import Wire
from ...graph.grown import Grown
from ...graph.values import Items, Value, Variant, leaves
from ...language import syntax as s
from ...language import types as t
from ...language.sizes import constant
from ...primitives.decompile import Block, Names, Term, Unspeakable
from ...primitives.spelling import apply
from ..combinators import pair_pattern
from .values import Values

Key: TypeAlias = "tuple[object, ...]"  # of a tree: where it stands; of two as one, both keys


def key_of(plant: Plant) -> Key:
    if plant.parts is None:
        return plant.path
    one, two = map(key_of, plant.parts)
    return ("both", one, two)


@dataclass(frozen=True)
class Arrays:
    """A value of a type that tells its layout; `tags` say which data it holds."""

    type: t.Type
    stem: str = "x"
    tags: tuple[Wire, ...] = ()


@dataclass(frozen=True)
class Several:
    items: tuple[Shape, ...]


@dataclass(frozen=True)
class Rep:
    type: t.Named
    carrier: Shape


@dataclass(frozen=True)
class Node:
    """A value of data whose constructor is known; `alone`, it is the only one."""

    type: t.Named
    constructor: str
    fields: tuple[Shape, ...]
    alone: bool


@dataclass(frozen=True)
class Listed:
    """A sequence of trees that are known one by one."""

    element: t.Type
    items: tuple[Shape, ...]


@dataclass(frozen=True)
class Whole:
    """A tree of which nothing is known, as it is, or a sequence of such."""

    type: t.Type
    key: Key
    stem: str = "x"


@dataclass(frozen=True)
class Unzipped:
    """A sequence of tuples with trees in them, any number: `items` are the sequences of what
    stands at each place."""

    type: t.Array
    items: tuple[Shape, ...]


@dataclass(frozen=True)
class Refilled:
    """Such a tree with other payload, which the graph computes."""

    type: t.Named
    key: Key
    payload: t.Array
    bare: bool  # nothing else in it moves


@dataclass(frozen=True)
class Moved:
    """Trees of such a sequence in other places, or one of them: `place` says which."""

    type: t.Type
    key: Key
    place: Wire


@dataclass(frozen=True, eq=False)
class Sprout:
    """A tree that is grown: what moves is the seed."""

    type: t.Named
    tree: Grown
    seed: tuple[Wire, ...]


Shape: TypeAlias = (
    Arrays | Several | Rep | Node | Listed | Unzipped | Whole | Refilled | Moved | Sprout
)


def parts(shape: Shape) -> Iterator[Shape]:
    """A shape and all that it is made of."""
    yield shape
    match shape:
        case (
            Several(items=inside)
            | Node(fields=inside)
            | Listed(items=inside)
            | Unzipped(items=inside)
        ):
            for each in inside:
                yield from parts(each)
        case Rep(carrier=carrier):
            yield from parts(carrier)


def type_of(shape: Shape) -> t.Type:
    match shape:
        case Several(items=items):
            return t.Product(tuple(map(type_of, items)))
        case Listed(element=element, items=items):
            return t.Array(element, constant(len(items)))
        case _:
            return shape.type


def answer_shape(values: Values, value: Value, type: t.Type) -> Shape:
    """The shape of a traced answer. Raises Unspeakable."""
    if isinstance(value, Unknown):
        if value.shown is None:
            return Whole(value.type, key_of(value.plant))
        payload = t.Array(value.type.arguments[-1], constant(value.count))
        return Refilled(value.type, key_of(value.plant), payload, value.plant.bare)
    if isinstance(value, Fellow):
        return Moved(type, key_of(value.plant), value.place)
    if isinstance(value, Variant) and value.constructor is not None:
        constructors = values.declarations.constructors(value.type)
        types = constructors[value.constructor]
        fields = tuple(
            answer_shape(values, part, each)
            for part, each in zip(value.fields[value.constructor], types, strict=True)
        )
        return Node(value.type, value.constructor, fields, len(constructors) == 1)
    if isinstance(value, Items):
        return Listed(
            value.type, tuple(answer_shape(values, item, value.type) for item in value.items)
        )
    if isinstance(value, Grown):
        assert value.growth is not None, "asked before"
        return Sprout(value.type, value, tuple(leaves(value.growth.seed)))
    match type:
        case t.Array(element=t.Product(items=items), length=length) if any(
            isinstance(part, Fellow) for part in _flat(value)
        ):
            return Unzipped(
                type,
                tuple(
                    answer_shape(values, part, t.Array(item, length))
                    for part, item in zip(value, items, strict=True)
                ),
            )
        case t.Product(items=items):
            return Several(
                tuple(answer_shape(values, *pair) for pair in zip(value, items, strict=True))
            )
        case t.Named(name=name) if name in values.declarations.reps:
            return Rep(type, answer_shape(values, value, values.declarations.reps[name].carrier))
        case _:
            return Arrays(type, tags=tuple(_tags(value)))


def _flat(value: Value) -> Iterator[Value]:
    """What tuples in tuples hold."""
    if isinstance(value, tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _tags(value: Value) -> Iterator[Wire]:
    if isinstance(value, Variant) and value.tag is not None:
        yield value.tag
        for fields in value.fields.values():
            for part in fields:
                yield from _tags(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _tags(part)
    elif hasattr(value, "elements"):
        yield from _tags(value.elements)


# --- taking apart ------------------------------------------------------------------------------


@dataclass
class Opening:
    """How a value that moves is taken apart: by patterns, each on an expression (the first
    on the value itself), with bindings between them."""

    values: Values
    given: Iterator[Wire]  # the arrays in it that move
    stem: Callable[[str], str]
    back: Callable[[Moved, s.Expression], s.Expression] | None = None  # to the own places
    shrunk: Callable[[Sprout, str, Opening], None] | None = None  # to the seed
    terms: dict[Wire, Term] = field(default_factory=dict)
    trees: dict[Key, list[s.Expression]] = field(default_factory=dict)
    block: Block = field(default_factory=Block)
    later: list[tuple[s.Expression, Shape]] = field(default_factory=list)
    refutable: bool = False

    def pattern(self, shape: Shape, inside: bool = False) -> s.PatternTree:
        values = self.values
        match shape:
            case Several(items=items):
                return s.PatternTuple(tuple(self.pattern(item, inside) for item in items))
            case Rep(type=type, carrier=carrier):
                pattern = self.pattern(carrier, inside)
                if not inside and values.tangent(type) != type:
                    return pattern
                return s.PatternConstructor(type.name, (pattern,))
            case Node(constructor=name, fields=fields, alone=alone):
                self.refutable = self.refutable or not alone
                return s.PatternConstructor(name, tuple(self.pattern(f, True) for f in fields))
            case Arrays(type=type, stem=stem):
                space = type if inside else values.tangent(type)
                if False not in values.slots(space):
                    plain = isinstance(space, t.Product) and not space.items
                    return s.PatternTuple(()) if plain else s.PatternWildcard()
                name = values.names.fresh(self.stem(stem))
                self.terms |= values.arrays(space, s.Name(name), self.given, self.block, True)
                return s.PatternName(name)
            case Whole(key=key, stem=stem):
                name = values.names.fresh(self.stem(stem))
                self.trees.setdefault(key, []).append(s.Name(name))
                return s.PatternName(name)
            case Refilled(key=key, payload=payload, bare=bare):
                name = values.names.fresh(self.stem("x"))
                within = values.names.fresh("ws")
                self.block.bind(s.PatternName(within), apply("payload", s.Name(name)))
                self.terms |= values.arrays(payload, s.Name(within), self.given, self.block, True)
                if not bare:
                    zero = s.Lambda((s.PatternWildcard(),), s.Name("zero"))
                    rest = apply("mapData", zero, s.Name(name))
                    self.trees.setdefault(key, []).append(rest)
                return s.PatternName(name)
            case Sprout():
                name = values.names.fresh(self.stem("t"))
                if self.shrunk is not None:
                    self.shrunk(shape, name, self)
                return s.PatternName(name)
            case Moved(key=key):
                name = values.names.fresh(self.stem("ts"))
                if self.back is not None:
                    self.trees.setdefault(key, []).append(self.back(shape, s.Name(name)))
                return s.PatternName(name)
            case Unzipped(items=items):
                name = values.names.fresh(self.stem("xs"))
                outer, self.block = self.block, Block()
                patterns = tuple(
                    self.pattern(item, inside)
                    if values.moves(type_of(item))
                    else s.PatternWildcard()
                    for item in items
                )
                below, self.block = self.block, outer
                bind_columns(patterns, s.Name(name), values.names, outer)
                outer.bindings += below.bindings
                return s.PatternName(name)
            case Listed(items=several):
                name = values.names.fresh(self.stem("x"))
                for k, item in enumerate(several):
                    self.later.append((s.Binary("!", s.Name(name), s.Number(k)), item))
                return s.PatternName(name)

    def around(
        self, shape: Shape, body: Callable[[], s.Expression], otherwise: Callable[[], s.Expression]
    ) -> tuple[s.PatternTree, s.Expression]:
        """The pattern for the value and the expression after it; `otherwise` is for the
        constructors that it cannot have."""
        pattern = self.pattern(shape)
        if self.refutable:
            name = self.values.names.fresh("d")
            return s.PatternName(name), self._case(s.Name(name), pattern, body, otherwise)
        return pattern, self.inner(body, otherwise)

    def _case(
        self,
        value: s.Expression,
        pattern: s.PatternTree,
        body: Callable[[], s.Expression],
        otherwise: Callable[[], s.Expression],
    ) -> s.Expression:
        refutable, self.refutable = self.refutable, False
        inner = self.inner(body, otherwise)
        cases = [s.Alternative(pattern, inner)]
        if refutable:
            cases.append(s.Alternative(s.PatternWildcard(), otherwise()))
        return s.Case(value, tuple(cases))

    def inner(
        self, body: Callable[[], s.Expression], otherwise: Callable[[], s.Expression]
    ) -> s.Expression:
        if self.later:
            value, shape = self.later.pop(0)
            return self._case(value, self.pattern(shape, True), body, otherwise)
        made = body()
        return self.block.around(made)


def bind_columns(
    patterns: Sequence[s.PatternTree], tuples: s.Expression, names: Names, block: Block
) -> None:
    """Binds what stands at each place of a sequence of tuples: `(xs, ts) = unzip rs`."""
    if len(patterns) == 2:
        block.bind(s.PatternTuple(tuple(patterns)), apply("unzip", tuples))
        return
    for k, pattern in enumerate(patterns):
        if isinstance(pattern, s.PatternName):
            name = names.fresh("e")
            places: list[s.PatternTree] = [s.PatternWildcard()] * len(patterns)
            places[k] = s.PatternName(name)
            take = s.Lambda((s.PatternTuple(tuple(places)),), s.Name(name))
            block.bind(pattern, apply("map", take, tuples))


def zipped(
    columns: Sequence[s.Expression | None], rest: Sequence[s.Expression], names: Names
) -> s.Expression:
    """The sequence of tuples of what stands at each place; in all of them the `rest` where
    there is no column."""
    *before, made = [column for column in columns if column is not None]
    for column in reversed(before):
        made = apply("zip", s.Tuple((column, made)))
    if not rest and len(columns) == 2:
        return made
    own = [names.fresh("e") for column in columns if column is not None]
    parts, same = iter(map(s.Name, own)), iter(rest)
    items = tuple(next(same) if column is None else next(parts) for column in columns)
    return apply("map", s.Lambda((pair_pattern(own),), s.Tuple(items)), made)


# --- putting together --------------------------------------------------------------------------


@dataclass(frozen=True)
class Making:
    """What a value that moves is put together of."""

    values: Values
    reals: Iterator[s.Expression]  # the arrays in it
    tag: Callable[[Wire], s.Expression]
    tree: Callable[[Key], s.Expression]  # what moves of a tree
    named: Callable[[Key], s.Expression]  # the tree itself
    moved: Callable[[Moved, s.Expression], s.Expression] = lambda _, trees: trees
    grown: Callable[[Sprout, Iterator[s.Expression]], s.Expression] | None = None
    every: bool = False  # not what moves, but a value with all its arrays and tags

    def made(self, shape: Shape, inside: bool = False) -> s.Expression:
        values = self.values
        match shape:
            case Several(items=items):
                return s.Tuple(tuple(self.made(item, inside) for item in items))
            case Rep(type=type, carrier=carrier):
                made = self.made(carrier, inside)
                if not (inside or self.every) and values.tangent(type) != type:
                    return made
                return s.Apply(s.Name(type.name), made)
            case Node(constructor=name, fields=fields):
                return apply(name, *(self.made(each, True) for each in fields))
            case Arrays(type=type) if self.every:
                return values.rebuilt(type, self.reals, inside, True)
            case Arrays(type=type, tags=tags):
                space = type if inside else values.tangent(type)
                return values.rebuilt(space, self._slots(space, tags), inside)
            case Whole(key=key):
                return self.tree(key)
            case Sprout():
                assert self.grown is not None
                return self.grown(shape, self.reals)
            case Moved(key=key):
                return self.moved(shape, (self.named if self.every else self.tree)(key))
            case Refilled(key=key, payload=payload) if self.every:
                made = values.rebuilt(payload, self.reals, True, True)
                return apply("refill", self.named(key), made)
            case Refilled(key=key, payload=payload, bare=bare):
                made = values.rebuilt(payload, self._slots(payload, ()), True)
                return apply("refill", self.named(key) if bare else self.tree(key), made)
            case Unzipped(items=items):
                columns: list[s.Expression | None] = []
                rest: list[s.Expression] = []  # of each tuple, what does not move
                for item in items:
                    own = type_of(item)
                    assert isinstance(own, t.Array)
                    if self.every or values.moves(own):
                        columns.append(self.made(item, inside))
                        continue
                    columns.append(None)
                    space = own.element if inside else values.tangent(own.element)
                    rest.append(values.rebuilt(space, iter(()), inside))
                return zipped(columns, rest, values.names)
            case Listed(items=items):
                return s.Sequence(tuple(self.made(item, True) for item in items))

    def _slots(self, type: t.Type, tags: Sequence[Wire]) -> Iterator[s.Expression]:
        supply = map(self.tag, tags)
        for slot in self.values.slots(type):
            if slot is not None:
                yield next(supply) if slot else next(self.reals)


def no_tag(wire: Wire) -> s.Expression:
    """For what a tree makes: it has no tags."""
    raise Unspeakable("data among the results of a tree")


def nothing(
    values: Values,
    shape: Shape,
    named: Callable[[Key], s.Expression],
    moved: Callable[[Moved, s.Expression], s.Expression],
) -> s.Expression:
    """Some value of the same type: zero, and for trees the trees themselves."""

    def replaced(part: Shape) -> Shape:
        match part:
            case Refilled(type=type, key=key):
                return Whole(type, ("mapped", key))
            case Several(items=items):
                return Several(tuple(map(replaced, items)))
            case Node(type=type, constructor=name, fields=fields, alone=alone):
                return Node(type, name, tuple(map(replaced, fields)), alone)
            case Rep(type=type, carrier=carrier):
                return Rep(type, replaced(carrier))
            case Listed(element=element, items=items):
                return Listed(element, tuple(map(replaced, items)))
            case Unzipped(type=type, items=items):
                return Unzipped(type, tuple(map(replaced, items)))
            case _:
                return part

    def tree(key: Key) -> s.Expression:
        if key[:1] == ("mapped",):
            zero = s.Lambda((s.PatternWildcard(),), s.Name("zero"))
            return apply("mapData", zero, named(key[1]))  # type: ignore[arg-type]
        return named(key)

    making = Making(values, repeat(s.Name("zero")), lambda _: s.Number(0), tree, named, moved)
    return making.made(replaced(shape))


__all__ = [
    "Arrays", "Key", "Listed", "Making", "Moved", "Node", "Opening", "Refilled", "Rep", "Several",
    "Shape", "Sprout", "Unzipped", "Whole", "answer_shape", "bind_columns", "key_of", "no_tag",
    "nothing",    "parts", "type_of",
]  # fmt: skip
