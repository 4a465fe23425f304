"""Names of what a function is given: arrays and trees, by patterns.

An array, or a tree of which nothing is known, is a name; a tree whose constructor is known
is a pattern of its fields. `order` is that of the arrays and trees among all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ...graph.forest import AnyTree, Columns
from ...graph.graph import Wire
from ...graph.values import known as known_size
from ...language import syntax as s
from ...language import typed as p
from ...language import types as t
from ...primitives.decompile import PLAIN, Block, Term, Unspeakable, term
from .shapes import (
    Arrays,
    Key,
    Listed,
    Node,
    Rep,
    Several,
    Shape,
    Unzipped,
    Whole,
    bind_columns,
)
from .values import Values

Argument: TypeAlias = "tuple[s.PatternTree, Shape, dict[Wire, Term]]"


@dataclass(frozen=True)
class Found:
    """Several arguments: how they are named, what they look like, and their arrays."""

    patterns: tuple[s.PatternTree, ...]
    shapes: tuple[Shape, ...]
    terms: dict[Wire, Term]

    @classmethod
    def of(cls, arguments: Iterable[Argument]) -> Found:
        patterns, shapes, terms = [], [], dict[Wire, Term]()
        for pattern, shape, found in arguments:
            patterns.append(pattern)
            shapes.append(shape)
            terms |= found
        return cls(tuple(patterns), tuple(shapes), terms)


@dataclass
class Naming:
    """Names of values, and what binds their parts."""

    values: Values
    block: Block
    trees: dict[Key, str]  # the names of those of which nothing is known
    sequences: dict[str, int]  # of those whose lengths only a tree knows, the numbers here
    order: list[Wire | Key] = field(default_factory=list)
    places: dict[Key, Wire] = field(default_factory=dict)  # of each tree of a sequence
    called: Mapping[Key, str] = field(default_factory=dict)  # the program's names of trees

    def argument(
        self,
        type: t.Type,
        structure: object,
        known: p.Pattern | None,
        supply: Iterator[Wire],
        otherwise: str,
    ) -> Argument:
        if isinstance(known, p.BindName):
            otherwise = known.name
        match type:
            case _ if isinstance(structure, t.Array):
                argument = self.argument(structure, None, known, supply, otherwise)
                if isinstance(argument[0], s.PatternName):
                    self.sequences[argument[0].name] = known_size(structure.length)
                return argument
            case _ if isinstance(structure, AnyTree):
                stem = otherwise
                if not isinstance(known, p.BindName):
                    stem = self.called.get(structure.path, otherwise)
                name = self.values.names.fresh(stem)
                self.trees[structure.path] = name
                terms: dict[Wire, Term] = {}
                if structure.many:
                    place = next(supply)
                    self.places[structure.path] = place
                    self.order.append(place)
                    self.sequences[name] = structure.room
                    terms[place] = term(s.Name(name), place.type)
                self.order.append(structure.path)
                return s.PatternName(name), Whole(type, structure.path, stem), terms
            case t.Array(element=t.Product() as element) if isinstance(structure, Columns):
                return self._columns(type, element, structure, supply, otherwise)
            case t.Product(items=items):
                below = known.items if isinstance(known, p.MatchTuple) else [None] * len(items)
                inner = structure if isinstance(structure, tuple) else [None] * len(items)
                found = Found.of(
                    self.argument(item, part, each, supply, otherwise)
                    for item, part, each in zip(items, inner, below, strict=True)
                )
                return s.PatternTuple(found.patterns), Several(found.shapes), found.terms
            case t.Named(name=name) if name in self.values.declarations.reps:
                carrier = self.values.declarations.reps[name].carrier
                inside: p.Pattern | None = known if isinstance(known, p.BindName) else None
                inside = known.argument if isinstance(known, p.LeaveRep) else inside
                pattern, shape, terms = self.argument(carrier, structure, inside, supply, otherwise)
                return s.PatternConstructor(name, (pattern,)), Rep(type, shape), terms
            case t.Named() if isinstance(structure, tuple):
                constructor, inner = structure
                constructors = self.values.declarations.constructors(type)
                found = Found.of(
                    self.argument(item, part, None, supply, otherwise)
                    for item, part in zip(constructors[constructor], inner, strict=True)
                )
                return (
                    s.PatternConstructor(constructor, found.patterns),
                    Node(type, constructor, found.shapes, len(constructors) == 1),
                    found.terms,
                )
            case t.Array(element=element) if isinstance(structure, tuple):
                name = self.values.names.fresh(otherwise)
                found = Found.of(
                    self.argument(element, part, None, supply, otherwise) for part in structure
                )
                if any(isinstance(one, Node) and not one.alone for one in found.shapes):
                    raise Unspeakable("a tree of a sequence that is looked at")
                for k, pattern in enumerate(found.patterns):
                    self.block.bind(pattern, s.Binary("!", s.Name(name), s.Number(k)))
                return s.PatternName(name), Listed(element, found.shapes), found.terms
            case _:
                wires = [next(supply) for _ in self.values.declarations.layout(type)]
                self.order += wires
                pattern, terms = self.values.taken(type, known, iter(wires), otherwise, self.block)
                slots = self.values.slots(type)
                tags = tuple(w for w, slot in zip(wires, slots, strict=True) if slot)
                if wires and PLAIN.match(wires[0].name):
                    otherwise = wires[0].name
                return pattern, Arrays(type, otherwise, tags), terms

    def _columns(
        self,
        type: t.Array,
        element: t.Product,
        structure: Columns,
        supply: Iterator[Wire],
        otherwise: str,
    ) -> Argument:
        """A sequence of tuples by its name, and what stands at each place by another."""
        name = self.values.names.fresh(otherwise)
        self.sequences[name] = _room(structure)
        outer, self.block = self.block, Block()
        found = Found.of(
            self.argument(t.Array(item, type.length), part, None, supply, otherwise)
            for item, part in zip(element.items, structure.parts, strict=True)
        )
        inside, self.block = self.block, outer
        bind_columns(found.patterns, s.Name(name), self.values.names, outer)
        outer.bindings += inside.bindings
        return s.PatternName(name), Unzipped(type, found.shapes), found.terms


def _room(structure: object) -> int:
    """How many tuples there are in a sequence of such."""
    match structure:
        case Columns(parts=parts):
            return _room(parts[0])
        case AnyTree(room=room):
            return room
        case t.Array(length=length):
            return known_size(length)
        case _:
            raise AssertionError(f"no column: {structure}")


__all__ = ["Argument", "Found", "Naming"]
