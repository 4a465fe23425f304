"""Values of the program as arrays, and arrays as values again: patterns and expressions.

A graph knows arrays only. `arrays` says how those that a value is made of are taken out of
it, `rebuilt` what value they make up. Of data whose constructor is known at run time one of
the arrays says which it is (its tag): `case m of { Nothing -> 0 ; Just _ -> 1 }`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

from ...graph.graph import ArrayType, Wire
from ...graph.values import Declarations, known
from ...language import syntax as s
from ...language import typed as p
from ...language import types as t
from ...language.parser import parse
from ...language.sizes import as_size
from ...language.source import Source
from ...primitives.decompile import PLAIN, Block, Term, Unspeakable, term, whole
from ...primitives.spelling import Names, apply, lambda_, number, sized, zeros

Take: TypeAlias = Callable[[s.Expression], s.Expression]
# An array in a value, what takes it out, and the array that is wanted: with its room.
Leaf: TypeAlias = tuple[t.Type, Take, ArrayType]
Supply: TypeAlias = Iterator[s.Expression]


class Values:
    """The types of a program, and the names in use."""

    def __init__(self, declarations: Declarations, names: Names) -> None:
        self.declarations, self.names = declarations, names

    # --- types -----------------------------------------------------------------------------

    def is_data(self, type: t.Type) -> bool:
        return isinstance(type, t.Named) and type.name in self.declarations.data

    def tangent(self, type: t.Type) -> t.Type:
        """The space that derivatives move in: () where there are no numbers to move."""
        match type:
            case t.Scalar(name=name):
                return type if name in ("R", "C") else t.UNIT
            case t.Fin():
                return t.UNIT
            case t.Array(element=element):
                return type if self.tangent(element) == element else (
                    t.UNIT if self.tangent(element) == t.UNIT
                    else t.Array(self.tangent(element), type.length)
                )  # fmt: skip
            case t.Product(items=items):
                return t.Product(tuple(map(self.tangent, items)))
            case t.Named(name=name) if name in self.declarations.reps:
                carrier = self.declarations.reps[name].carrier
                return type if self.tangent(carrier) == carrier else self.tangent(carrier)
            case t.Named() if self.is_data(type):
                return type
            case t.Weights():
                return type
            case _:
                raise Unspeakable(f"values of type {t.show(type)}")

    def weights(self, type: t.Weights) -> t.Type:
        """All weights of a definition as a product, as `parts` gives them."""
        every = tuple(item for _, item in self.declarations.weights(type.name))
        return every[0] if len(every) == 1 else t.Product(every)

    def moves(self, type: t.Type, inside: frozenset[str] = frozenset()) -> bool:
        """Whether there may be real or complex numbers in a value."""
        match type:
            case t.Array(element=element):
                return self.moves(element, inside)
            case t.Product(items=items):
                return any(self.moves(item, inside) for item in items)
            case t.Named(name=name) if name in self.declarations.reps:
                return self.moves(self.declarations.reps[name].carrier, inside)
            case t.Weights():
                return self.moves(self.weights(type))
            case t.Named(name=name) if self.is_data(type):
                fields = self.declarations.constructors(type).values()
                return name not in inside and any(
                    self.moves(each, inside | {name}) for one in fields for each in one
                )
            case _:
                return _moves(type)

    def slots(self, type: t.Type) -> list[bool | None]:
        """Of the arrays of a value whether each is a tag; None for what does not move."""
        match type:
            case t.Scalar(name="R" | "C"):
                return [False]
            case t.Scalar() | t.Fin():
                return [None]
            case t.Array(element=element):
                return self.slots(element)
            case t.Product(items=items):
                return [slot for item in items for slot in self.slots(item)]
            case t.Named(name=name) if name in self.declarations.reps:
                return self.slots(self.declarations.reps[name].carrier)
            case t.Weights():
                return self.slots(self.weights(type))
            case t.Named() if self.is_data(type):
                fields = self.declarations.constructors(type).values()
                return [
                    True,
                    *(slot for one in fields for each in one for slot in self.slots(each)),
                ]
            case _:
                raise Unspeakable(f"values of type {t.show(type)}")

    # --- from a value to its arrays ------------------------------------------------------------

    def taken(
        self,
        type: t.Type,
        known: p.Pattern | None,
        supply: Iterator[Wire],
        otherwise: str,
        block: Block,
        moving: bool = False,
    ) -> tuple[s.PatternTree, dict[Wire, Term]]:
        """A pattern for a value of `type`, and what its wires are then called; of a value
        that is `moving`, as the field of data, only of those that do."""
        if isinstance(known, p.BindName):
            otherwise = known.name
        match type:
            case t.Product(items=items):
                below = known.items if isinstance(known, p.MatchTuple) else [None] * len(items)
                parts: list[s.PatternTree] = []
                terms: dict[Wire, Term] = {}
                for item, each in zip(items, below, strict=True):
                    pattern, found = self.taken(item, each, supply, otherwise, block, moving)
                    parts.append(pattern)
                    terms |= found
                return s.PatternTuple(tuple(parts)), terms
            case t.Named(name=name) if name in self.declarations.reps:
                below_rep = known.argument if isinstance(known, p.LeaveRep) else None
                carrier = self.declarations.reps[name].carrier
                if below_rep is None and isinstance(known, p.BindName):
                    below_rep = known
                pattern, terms = self.taken(carrier, below_rep, supply, otherwise, block, moving)
                return s.PatternConstructor(name, (pattern,)), terms
            case _ if moving and False not in self.slots(type):
                return s.PatternWildcard(), {}
            case _:
                first = [wire for wire in (next(supply, None),) if wire is not None]
                if first and PLAIN.match(first[0].name):
                    otherwise = first[0].name
                name = self.names.fresh(otherwise)
                supply = chain(first, supply)
                found = self.arrays(type, s.Name(name), supply, block, moving)
                return s.PatternName(name), found

    def arrays(
        self,
        type: t.Type,
        tree: s.Expression,
        supply: Iterator[Wire],
        block: Block,
        moving: bool = False,
    ) -> dict[Wire, Term]:
        """The arrays that a value of `type` is made of."""
        if isinstance(type, t.Weights):
            inside = Block()
            every = self.weights(type)
            pattern, found = self.taken(every, None, supply, _stem(tree), inside, moving)
            # A product of matrices is not known by what is done with them.
            block.bind(pattern, s.Ascription(apply("parts", tree), type_tree(t.show(every))))
            block.bindings += inside.bindings
            return found
        if is_plain(type):
            wire = next(supply)
            return {wire: term(tree, wire.type, below=_below(type))}
        slots = [slot for slot in self.slots(type) if slot is False or not moving]
        wires = [next(supply) for _ in slots]
        leaves = self.leaves(type, iter([wire.type for wire in wires]), moving)
        names = [self.names.fresh(_stem(tree) + str(k)) for k, _ in enumerate(leaves, 1)]
        if is_pair(type) and len(leaves) == 2:
            pattern = s.PatternTuple(tuple(map(s.PatternName, names)))
            block.bind(pattern, apply("unzip", tree))
        else:
            for name, (_, take, _) in zip(names, leaves, strict=True):
                block.bind(s.PatternName(name), take(tree))
        return {
            wire: term(s.Name(name), wire.type, below=_below(leaf))
            for wire, name, (leaf, *_) in zip(wires, names, leaves, strict=True)
        }

    def leaves(self, type: t.Type, rooms: Iterator[ArrayType], moving: bool = False) -> list[Leaf]:
        """The arrays in a value of `type`, each with what takes it out."""
        if is_plain(type):
            return [(type, lambda tree: tree, next(rooms))] if not moving or _moves(type) else []
        if self.is_data(type):
            assert isinstance(type, t.Named)
            return self._of_data(type, rooms, moving)
        if isinstance(type, t.Array):
            length = type.length
            return [
                (t.Array(leaf, length), lambda tree, p=pattern, n=name, take=take: apply(  # type: ignore[misc]
                    "map", s.Lambda((p,), take(s.Name(n))), tree
                ), room)
                for pattern, name, (leaf, take, room) in self._places(type.element, rooms, moving)
            ]  # fmt: skip
        return [
            (leaf, lambda tree, p=pattern, n=name, take=take: s.Apply(  # type: ignore[misc]
                s.Lambda((p,), take(s.Name(n))), tree
            ), room)
            for pattern, name, (leaf, take, room) in self._places(type, rooms, moving)
        ]  # fmt: skip

    def _of_data(self, type: t.Named, rooms: Iterator[ArrayType], moving: bool) -> list[Leaf]:
        """The tag, and the fields of each constructor, 0 where it is another one. A sequence
        of any length is given the room that its array has, zeros after its end."""
        if self.declarations.one_by_one(type) and not moving:
            raise Unspeakable(f"values of type {t.show(type)} among others")
        constructors = self.declarations.constructors(type)
        found: list[Leaf] = []
        if not moving:
            numbers = tuple(
                s.Alternative(
                    _constructed(name, [s.PatternWildcard()] * len(fields)),
                    s.Ascription(s.Number(k), s.TypeName("Int")),
                )
                for k, (name, fields) in enumerate(constructors.items())
            )
            found.append((t.INT, lambda tree: s.Case(tree, numbers), next(rooms)))
        for name, fields in constructors.items():
            for k, field in enumerate(fields):
                for leaf, take, room in self.leaves(field, rooms, moving):
                    part = self.names.fresh("e")
                    patterns: list[s.PatternTree] = [s.PatternWildcard()] * len(fields)
                    patterns[k] = s.PatternName(part)
                    closed = _with_room(leaf, room)
                    taken = self._padded(take(s.Name(part)), leaf, closed)
                    cases = [s.Alternative(_constructed(name, patterns), taken)]
                    if len(constructors) > 1:
                        cases.append(s.Alternative(s.PatternWildcard(), self.zero(closed)))
                    found.append((closed, _by_case(cases), room))
        return found

    def _padded(self, tree: s.Expression, type: t.Type, closed: t.Type) -> s.Expression:
        """Arrays of any lengths with zeros after their ends: `take[4] (xs ++ replicate[4] 0)`."""
        if type == closed:
            return tree
        assert isinstance(type, t.Array)
        assert isinstance(closed, t.Array)
        if type.element != closed.element:
            name = self.names.fresh("e")
            each = self._padded(s.Name(name), type.element, closed.element)
            tree = apply("map", lambda_((name,), each), tree)
        if type.length == closed.length:
            return tree
        return apply(sized("take", known(closed.length)), s.Binary("++", tree, self.zero(closed)))

    def zero(self, type: t.Type) -> s.Expression:
        """An array of zeros."""
        (array,) = self.declarations.layout(type)
        if array.kind == "Bool":
            made: s.Expression = s.Name("False")
            for size in reversed(array.shape):
                made = apply(sized("replicate", size), made)
            return made
        made = whole(zeros(array))
        return s.Ascription(made, s.TypeName("Int")) if type == t.INT else made

    def _places(
        self, type: t.Type, rooms: Iterator[ArrayType], moving: bool
    ) -> list[tuple[s.PatternTree, str, Leaf]]:
        """For each array in a value a pattern that names what holds it, and how to go on."""
        match type:
            case t.Product(items=items):
                return [
                    (_at(k, len(items), pattern), name, leaf)
                    for k, item in enumerate(items)
                    for pattern, name, leaf in self._places(item, rooms, moving)
                ]
            case t.Named(name=rep) if rep in self.declarations.reps:
                return [
                    (s.PatternConstructor(rep, (pattern,)), name, leaf)
                    for pattern, name, leaf in self._places(
                        self.declarations.reps[rep].carrier, rooms, moving
                    )
                ]
            case t.Array() | t.Scalar() | t.Fin() | t.Named() if (
                is_plain(type) or isinstance(type, t.Array) or self.is_data(type)
            ):
                found = []
                for leaf in self.leaves(type, rooms, moving):
                    name = self.names.fresh("e")
                    found.append((s.PatternName(name), name, leaf))
                return found  # type: ignore[return-value]
            case _:
                raise Unspeakable(f"values of type {t.show(type)}")

    # --- from arrays to the value --------------------------------------------------------------

    def rebuilt(
        self, type: t.Type, supply: Supply, inside: bool = False, every: bool = False
    ) -> s.Expression:
        """The value of `type` that these arrays and tags make up. They are those that move:
        `inside` data the others are 0; or `every` array of the value."""
        if is_plain(type):
            return next(supply) if every or _moves(type) else self.zero(type)
        match type:
            case t.Product(items=items):
                return s.Tuple(tuple(self.rebuilt(item, supply, inside, every) for item in items))
            case t.Named(name=name) if name in self.declarations.reps:
                carrier = self.declarations.reps[name].carrier
                return s.Apply(s.Name(name), self.rebuilt(carrier, supply, inside, every))
            case t.Named() if self.is_data(type):
                return self._rebuilt_data(type, supply, every)
            case t.Weights(name=name):
                made = self.rebuilt(self.weights(type), supply, inside, every)
                said = s.TypeApply("Weights", (s.TypeName(name),))
                return s.Ascription(apply(apply("adjoint", s.Name("parts")), made), said)
            case t.Array(element=element):
                slots = self.slots(element)
                count = len(slots) if every else sum(slot is not None for slot in slots)
                if not count:
                    raise Unspeakable("a sequence without real numbers")
                return self._each(element, [next(supply) for _ in range(count)], every)
            case _:
                raise Unspeakable(f"values of type {t.show(type)}")

    def _rebuilt_data(self, type: t.Named, supply: Supply, every: bool) -> s.Expression:
        tag = next(supply)
        made = [
            apply(name, *(self.rebuilt(field, supply, True, every) for field in fields))
            for name, fields in self.declarations.constructors(type).items()
        ]
        if isinstance(tag, s.Number):
            return made[int(tag.value.real)]
        tree = made[-1]
        for k in range(len(made) - 2, -1, -1):
            tree = s.If(s.Binary("==", tag, number(k)), made[k], tree)
        return tree

    def _each(
        self, element: t.Type, arrays: list[s.Expression], every: bool = False
    ) -> s.Expression:
        """A sequence of values, of the sequences of their arrays."""
        if is_plain(element):
            return arrays[0]
        if len(arrays) == 1:
            name = self.names.fresh("e")
            made = self.rebuilt(element, iter([s.Name(name)]), False, every)
            return apply("map", lambda_((name,), made), arrays[0])
        names = [self.names.fresh("e") for _ in arrays]
        pattern: s.PatternTree = s.PatternName(names[0])
        zipped = arrays[0]
        for name, array in zip(names[1:], arrays[1:], strict=True):
            pattern = s.PatternTuple((pattern, s.PatternName(name)))
            zipped = apply("zip", s.Tuple((zipped, array)))
        made = self.rebuilt(element, iter([s.Name(name) for name in names]), False, every)
        if made == s.Tuple(tuple(map(s.Name, names))) and len(names) == 2:
            return zipped
        return apply("map", s.Lambda((pattern,), made), zipped)


def type_tree(text: str) -> s.TypeTree:
    """A type as a tree."""
    (item,) = parse(Source(f"x : {text}", "type")).program.items
    assert isinstance(item, s.Signature)
    return item.type


def named_lengths(pattern: s.PatternTree, closed: t.Type, written: t.Type | None) -> dict[str, int]:
    """The names of sequences whose lengths the type that is `written` leaves open, with the
    numbers that stand for them."""
    match pattern, closed, written:
        case s.PatternName(name=name), t.Array(length=length), t.Array(length=size) if (
            size.value is None
        ):
            return {name: known(length)}
        case s.PatternTuple(items=patterns), t.Product(items=parts), t.Product(items=items):
            found: dict[str, int] = {}
            for each in zip(patterns, parts, items, strict=True):
                found |= named_lengths(*each)
            return found
        case _:
            return {}


def _with_room(type: t.Type, room: ArrayType) -> t.Type:
    """The type of an array whose open lengths are what its array has room for."""

    def closed(type: t.Type, shape: tuple[int, ...]) -> t.Type:
        if not isinstance(type, t.Array):
            return type
        length = as_size(shape[0]) if type.length.value is None else type.length
        return t.Array(closed(type.element, shape[1:]), length)

    rank, inner = 0, type
    while isinstance(inner, t.Array):
        rank, inner = rank + 1, inner.element
    return closed(type, room.shape[len(room.shape) - rank :])


def _by_case(cases: Sequence[s.Alternative]) -> Take:
    return lambda tree: s.Case(tree, tuple(cases))


def _constructed(name: str, fields: Sequence[s.PatternTree]) -> s.PatternTree:
    return s.PatternConstructor(name, tuple(fields))


def _at(place: int, count: int, pattern: s.PatternTree) -> s.PatternTuple:
    return s.PatternTuple(
        tuple(pattern if k == place else s.PatternWildcard() for k in range(count))
    )


def nests(type: t.Type, count: int) -> bool:
    """Whether a value of the type is so many arrays, as pairs that nest to the right."""
    while count > 1 and isinstance(type, t.Product) and len(type.items) == 2:
        if not is_plain(type.items[0]):
            return False
        type, count = type.items[1], count - 1
    return count == 1 and is_plain(type)


def is_pair(type: t.Type) -> bool:
    """Whether it is a sequence of pairs of plain values."""
    return (
        isinstance(type, t.Array)
        and isinstance(type.element, t.Product)
        and len(type.element.items) == 2
        and all(map(is_plain, type.element.items))
    )


def is_plain(type: t.Type) -> bool:
    """Whether a value is one array of numbers."""
    while isinstance(type, t.Array):
        type = type.element
    return isinstance(type, t.Scalar | t.Fin)


def _moves(type: t.Type) -> bool:
    """Whether one array of numbers is of real or complex ones."""
    while isinstance(type, t.Array):
        type = type.element
    return type in (t.R, t.Scalar("C"))


def _below(type: t.Type) -> int | None:
    while isinstance(type, t.Array):
        type = type.element
    return type.size.value if isinstance(type, t.Fin) else None


def _stem(tree: s.Expression) -> str:
    name = tree.name if isinstance(tree, s.Name) else "w"
    return name if name[-1:].isalpha() else f"{name}_"


__all__ = [
    "ArrayType", "Values", "is_pair", "is_plain", "named_lengths", "nests",
    "type_tree",
]  # fmt: skip
