"""The derivative of what a definition makes of trees: `treeRecurrence`, and the payload.

    let (y, dy) = treeRecurrence
          (\\layer -> case layer of
             { LeafF x -> let y = tanh (tree.E @ x)
                          in (y, section (\\d -> case d of { LeafF dx -> …; _ -> zero }))
             ; NodeF l r -> … })
          t
        xs = payload t

A definition of trees is a function of arrays and of what it observes of the trees
(graph/forest/unknown.py). Catamorphisms of one tree that are independent are one (the
banana split law); one whose algebra takes what moves from around it is a
`treeRecurrenceWith`. All observations, one after the other, take tangents of the arguments
to those of the arrays; and backwards, cotangents of the arrays to those of the arguments.
The rest of the derivative is that of a function of arrays.

Source: Meijer, Fokkinga and Paterson 1991.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ...graph.forest import (
    Branch,
    Contents,
    Derived,
    Inner,
    Kept,
    Made,
    Observation,
    Plant,
    Pulled,
    Reduction,
    Rounds,
    field_type,
    plants,
)
from ...graph.graph import Builder, Wire
from ...language import syntax as s
from ...language import types as t
from ...language.sizes import constant
from ...linear.maps import Primitives
from ...primitives.decompile import Block, Term, Unspeakable, whole
from ...primitives.spelling import Names, apply
from ..combinators import pair_pattern, pairs
from .adjoints import Adjoint, Point, Step
from .differentials import Differential
from .entries import Entry, Exprs, Trees, is_nought, total, turned
from .rounds import Round, Running
from .shapes import Key, Making, Opening, Shape, Whole, key_of, no_tag, parts
from .values import Values
from .vectors import Combination, operands

Sums: TypeAlias = "dict[Key, list[s.Expression]]"  # cotangents that add up


@dataclass
class Group:
    """Observations of one tree that are made at once: `linear` is the name of the linear map
    from what moves around it (`around`) and tangents of the tree. That of a `case` is written
    forwards or backwards, as it is wanted."""

    key: Key
    observed: Reduction | Contents
    around: tuple[Wire, ...] = ()
    beside: tuple[Key, ...] = ()  # trees that it takes as they are, around which it moves
    linear: str = ""
    shape: Shape | None = None  # of the result, where trees are in it
    whole: bool = False  # whether the step of each of a sequence is a function of the tree
    again: bool = False  # whether it is said more than once: by the name of the `function`
    function: str = ""
    ascribed: Callable[[s.Expression], s.Expression] = lambda made: made  # with its type

    @property
    def many(self) -> bool:
        """Whether it is made of each of a sequence of trees; `linear` is the step then."""
        return self.observed.tree.many

    @property
    def deep(self) -> bool:
        """Whether it is a recurrence, and no `case`."""
        return not isinstance(self.observed, Reduction) or self.observed.deep

    def of(self, tree: s.Expression) -> s.Expression:
        """What the step makes of a tree: the result, and the linear map."""
        if self.whole:
            return apply(self.linear, tree)
        word = "treeRecurrenceWith" if self.around else "treeRecurrence"
        return apply(word, s.Name(self.linear), tree)

    def at(self, around: Sequence[s.Expression], tree: s.Expression) -> s.Expression:
        """The same by the name of its function, of what is around it too."""
        function: s.Expression = s.Name(self.function)
        if around:
            function = s.Apply(function, pairs(around))
        if not self.deep:
            return self.ascribed(s.Apply(function, tree))
        word = "treeRecurrenceWith" if around else "treeRecurrence"
        return self.ascribed(apply(word, function, tree))

    def back(
        self, linear: s.Expression, terms: Mapping[Wire, Term], trees: Trees, tree: s.Expression
    ) -> s.Expression:
        """The adjoint of its linear map."""
        if not self.deep:
            return linear
        around = self.takes(terms, trees)
        return turned(linear, self.around, around, tree)

    def takes(self, arrays: Mapping[Wire, Term], tree: Trees) -> s.Expression | None:
        """What moves around it, of the tangents of arrays and trees."""
        moving = [whole(arrays[wire]) for wire in self.around]
        moving += [tree(key) for key in self.beside]
        return pairs(moving) if moving else None

    def spread(self, names: Names, arrays: Exprs, trees: Sums) -> s.PatternTree | None:
        """A pattern for the cotangent of that, which is added to the others."""
        added = [arrays[wire] for wire in self.around]
        added += [trees.setdefault(key, []) for key in self.beside]
        own = [names.fresh("w") for _ in added]
        for name, found in zip(own, added, strict=True):
            found.append(s.Name(name))
        return pair_pattern(own) if own else None

    @property
    def trees(self) -> list[Whole]:
        """The trees among its results."""
        return [] if self.shape is None else [p for p in parts(self.shape) if isinstance(p, Whole)]


@dataclass
class Grove:
    """All trees of a function, and what it makes of them; `names` are those of the trees."""

    values: Values
    primitives: Primitives
    observed: Sequence[Observation]
    active: set[Wire]  # inputs of the graph that move
    names: dict[Key, str]
    step: Step
    round: Round
    terms: Mapping[Wire, Term]  # of the inputs of the graph
    groups: list[Group | Entry] = field(default_factory=list)
    types: dict[Key, t.Type] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.observed:
            if one.tree.parts is not None and not one.tree.parts[1].bare:
                raise Unspeakable("two trees as one that hold more than payload")
        self.groups = list(self._grouped())

    # --- what is made at once ----------------------------------------------------------------

    def _grouped(self) -> Iterator[Group | Entry]:
        """Reductions of a tree that need nothing of each other, together."""
        depth: dict[Wire, int] = {}
        levels: dict[tuple[Key, int], list[Reduction]] = {}
        made_at: dict[Key, int] = {}  # trees that are results
        reduced_at: dict[Reduction, int] = {}  # those whose adjoints are asked for
        pulled = {one.reduction for one in self.observed if isinstance(one, Pulled | Derived)}
        again = {one.reduction for one in self.observed if isinstance(one, Derived)}
        written: dict[Reduction, Group] = {}
        order: list[tuple[int, int, Key, Observation | None]] = []
        for place, one in enumerate(self.observed):
            key = key_of(one.tree)
            self._note_types(one.tree)
            known = [key]
            if isinstance(one, Made | Inner):
                known = [key_of(each) for each in operands(one)]
            elif isinstance(one, Reduction):
                known += [key_of(each) for each in one.around]
                for each in one.around:
                    self._note_types(each)
            elif isinstance(one, Rounds):
                known = [key_of(each) for each in (*one.known, *(many for _, many, _ in one.each))]
                for each in one.known:
                    self._note_types(each)
            elif isinstance(one, Kept | Pulled):
                known = [key_of(one.reduction.tree)] if isinstance(one, Pulled) else []
            elif isinstance(one, Derived):
                known += map(key_of, one.given)
                for each in (*one.given, *one.made):
                    self._note_types(each)
            below = max(
                (made_at[p] for each in known for p in _all_parts(each) if p in made_at),
                default=-1,
            )
            if isinstance(one, Contents):
                depth |= dict.fromkeys(one.wires, below + 1)
                order.append((below + 1, place, key, one))
                continue
            outside = (depth[wire] for wire in one.outside if wire in depth)
            level = 1 + max(outside, default=below)
            level = max(level, 1 + below)
            if isinstance(one, Pulled | Derived):
                level = max(level, 1 + reduced_at[one.reduction])
            depth |= dict.fromkeys(one.wires, level)
            if isinstance(one, Made | Pulled):
                made_at[key] = level
            elif isinstance(one, Derived):
                made_at |= dict.fromkeys(map(key_of, one.made), level)
            if one in pulled:
                reduced_at[one] = level
            if (
                isinstance(one, Made | Inner | Kept | Pulled | Derived | Rounds)
                or one in pulled
                or one.structure is not None
                or not _any(one)
            ):
                if isinstance(one, Reduction):
                    made_at |= dict.fromkeys(map(key_of, plants(one.value)), level)
                order.append((level, place, key, one))
                continue
            if (key, level) not in levels:
                order.append((level, place, key, None))
            levels.setdefault((key, level), []).append(one)
        for level, _, key, alone in sorted(order, key=lambda each: each[:2]):
            made = alone or together(self.primitives, levels[key, level])
            around = tuple(wire for wire in made.outside if wire in self.active)
            match made:
                case Made() | Inner():
                    yield Combination(self.values, self.primitives, made, around)
                case Rounds():
                    yield Running(self.values, self.primitives, made, around, self.round)
                case Kept():
                    yield Point(self.values, self.primitives, made, around)
                case Pulled():
                    of = written[made.reduction]
                    yield Adjoint(self.values, self.primitives, made, around, of, self.step)
                case Derived():
                    of = written[made.reduction]
                    yield Differential(self.values, self.primitives, made, around, of)
                case _:
                    beside = map(key_of, made.around) if isinstance(made, Reduction) else ()
                    group = Group(key, made, around, tuple(beside))
                    if isinstance(made, Reduction):
                        written[made] = group
                        group.again = made in again
                    yield group

    def _note_types(self, tree: Plant) -> None:
        if not tree.many:
            self.types[key_of(tree)] = tree.type
        for part in tree.parts or ():
            self._note_types(part)

    def plain(self, key: Key) -> Group | None:
        """The one group of a tree that nothing else is done with, if that is so."""
        if any(isinstance(group, Entry) for group in self.groups):
            return None
        own = [group for group in self.groups if isinstance(group, Group) and group.key == key]
        if len(own) != 1 or own[0].around or not isinstance(own[0].observed, Reduction):
            return None
        if own[0].trees or own[0].many or not own[0].deep:
            return None
        groups = [group for group in self.groups if isinstance(group, Group)]
        zipped = (part for group in groups for part in _parts(group.key))
        return None if key in zipped else own[0]

    # --- the values --------------------------------------------------------------------------

    def tree(self, key: Key) -> s.Expression:
        """A tree, or two as one."""
        if key in self.names:
            return s.Name(self.names[key])
        one, two = map(self.tree, _parts(key))
        return apply("zipTree", s.Tuple((one, two)))

    def bind_zipped(self, key: Key, block: Block) -> None:
        """Two trees as one are made once."""
        if key not in self.names:
            for part in _parts(key):
                self.bind_zipped(part, block)
            made = self.tree(key)
            self.names[key] = self.values.names.fresh("both")
            block.bind(s.PatternName(self.names[key]), made)

    # --- tangents ------------------------------------------------------------------------------

    def forward(
        self, trees: Mapping[Key, s.Expression], terms: dict[Wire, Term], block: Block
    ) -> Callable[[Key], s.Expression]:
        """Binds the tangents of what is observed, given those of trees and arrays; gives
        that of any tree."""
        known = dict(trees)

        def tangent(key: Key) -> s.Expression:
            if key not in known:
                one, two = map(tangent, _parts(key))
                name = self.values.names.fresh("dboth")
                block.bind(s.PatternName(name), apply("zipTree", s.Tuple((one, two))))
                known[key] = s.Name(name)
            return known[key]

        for group in self.groups:
            if isinstance(group, Entry):
                known |= group.forward(tangent, self.tree, terms, block)
                continue
            wires = [wire for wire in group.observed.wires if wire in self.active]
            if not wires and not group.trees:
                continue
            given = tangent(group.key)
            result = group.observed.result
            if isinstance(group.observed, Contents):
                made, moving = apply("payload", given), result
            else:
                around = group.takes(terms, tangent)
                if group.many:
                    made = self._each(group, around, given)
                    moving = t.Array(self.values.tangent(result), constant(room_of(group.observed)))
                else:
                    given = given if around is None else s.Tuple((around, given))
                    made, moving = apply(group.linear, given), self.values.tangent(result)
            if group.shape is not None:
                opening = Opening(self.values, iter(wires), lambda stem: f"d{stem}")
                block.bind(opening.pattern(group.shape), made)
                block.bindings += opening.block.bindings
                terms |= opening.terms
                known |= {key: found[0] for key, found in opening.trees.items()}
                continue
            unpacking = Block()
            inside = isinstance(group.observed, Contents)
            pattern, found = self.values.taken(
                moving, None, iter(wires), "dxs" if inside else "dy", unpacking, inside
            )
            block.bind(pattern, made)
            block.bindings += unpacking.bindings
            terms |= found
        return tangent

    def _each(
        self, group: Group, around: s.Expression | None, tangents: s.Expression
    ) -> s.Expression:
        """Of each of a sequence of trees the tangent of what is made of it."""
        tree, moved = (self.values.names.fresh(name) for name in ("t", "dt"))
        given: s.Expression = s.Name(moved)
        given = given if around is None else s.Tuple((around, given))
        step = apply("snd", group.of(s.Name(tree)))
        return _along(tree, moved, s.Apply(step, given), self.tree(group.key), tangents)

    # --- cotangents ----------------------------------------------------------------------------

    def backward(self, arrays: Exprs, trees: dict[Key, list[s.Expression]], block: Block) -> None:
        """Adds to the cotangents of arrays and trees what comes through the observations."""
        for group in reversed(self.groups):
            own = {one.key for one in group.trees}
            self._unzip(trees, block, own)
            if isinstance(group, Entry):
                group.backward(arrays, trees, self.tree, block)
                continue
            wires = [wire for wire in group.observed.wires if wire in self.active]
            if wires or own & trees.keys():
                self._behind(group, wires, arrays, trees, block)
        self._unzip(trees, block)

    def _unzip(
        self, trees: dict[Key, list[s.Expression]], block: Block, own: set[Key] | None = None
    ) -> None:
        """The cotangents of trees that are several as one, `own` among them, to each."""
        while zipped := [
            key
            for key in trees
            if _parts(key) and (own is None or own.intersection(_all_parts(key)))
        ]:
            self._unzipped(max(zipped, key=_depth), trees, block)

    def nought(self, key: Key) -> s.Expression:
        """The tree with zeros: nothing depends on it."""
        tree, type = self.tree(key), self.types[key]
        return s.Binary("*", s.Number(0), tree) if self.values.moves(type) else tree

    def _behind(
        self,
        group: Group,
        wires: Sequence[Wire],
        arrays: Exprs,
        trees: dict[Key, list[s.Expression]],
        block: Block,
    ) -> None:
        used = any(one.key in trees for one in group.trees)
        nought = map(is_nought, (each for wire in wires for each in arrays[wire]))
        if all(nought) and not used:
            return
        cotangents = iter([total(arrays[wire]) for wire in wires])
        result = group.observed.result
        if isinstance(group.observed, Contents):
            items = self.values.rebuilt(result, cotangents, True)
            tree = self.tree(group.key)
            back = apply("refill", tree)
            if not group.observed.tree.bare:  # elsewhere in the tree is 0
                back = apply("adjoint", apply("derivative", s.Name("payload"), tree))
            trees.setdefault(group.key, []).append(s.Apply(back, items))
            return
        if group.many:
            space = t.Array(self.values.tangent(result), constant(room_of(group.observed)))
            self._each_behind(group, self.values.rebuilt(space, cotangents), arrays, trees, block)
            return
        if group.shape is None:
            given = self.values.rebuilt(self.values.tangent(result), cotangents)
        else:

            def cotangent(key: Key) -> s.Expression:
                return total(trees.pop(key)) if key in trees else self.nought(key)

            making = Making(self.values, cotangents, no_tag, cotangent, self.tree)
            given = making.made(group.shape)
        back = group.back(s.Name(group.linear), self.terms, self.tree, self.tree(group.key))
        made: s.Expression = s.Apply(back, given)
        around = group.spread(self.values.names, arrays, trees)
        if around is not None:
            below = self.values.names.fresh("wt")
            block.bind(s.PatternTuple((around, s.PatternName(below))), made)
            made = s.Name(below)
        trees.setdefault(group.key, []).append(made)

    def _each_behind(
        self,
        group: Group,
        cotangents: s.Expression,
        arrays: Exprs,
        trees: dict[Key, list[s.Expression]],
        block: Block,
    ) -> None:
        """The same for each of a sequence of trees: what is around them gets the sum."""
        names = self.values.names
        tree, moved = names.fresh("t"), names.fresh("w")
        back = group.back(apply("snd", group.of(s.Name(tree))), self.terms, self.tree, s.Name(tree))
        given = s.Apply(back, s.Name(moved))
        made = _along(tree, moved, given, self.tree(group.key), cotangents)
        if group.around:
            both = names.fresh("ws")
            block.bind(s.PatternName(both), made)
            for k, wire in enumerate(group.around):
                own = [names.fresh("w") for _ in group.around]
                pattern = s.PatternTuple((pair_pattern(own), s.PatternWildcard()))
                each = apply("map", s.Lambda((pattern,), s.Name(own[k])), s.Name(both))
                arrays[wire].append(apply("sum", each))
            made = apply("map", s.Name("snd"), s.Name(both))
        trees.setdefault(group.key, []).append(made)

    def _unzipped(self, key: Key, trees: dict[Key, list[s.Expression]], block: Block) -> None:
        """Of the cotangent of two trees as one those of each."""
        name = self.values.names.fresh("wboth")
        block.bind(s.PatternName(name), total(trees.pop(key)))
        for part, take in zip(_parts(key), ("fst", "snd"), strict=True):
            made = apply("mapData", s.Name(take), s.Name(name))
            trees.setdefault(part, []).append(made)


def _parts(key: Key) -> tuple[Key, ...]:
    return tuple(key[1:]) if key[:1] == ("both",) else ()  # type: ignore[arg-type]


def _any(one: Reduction) -> bool:
    """Whether it is a catamorphism whose algebra does with any number of children."""
    if not one.deep:
        return False
    declared = one.tree.declarations.constructors(one.tree.type)
    return all(
        branch.fields == tuple(field_type(one.tree, each, one.result) for each in declared[name])
        for name, branch in one.branches.items()
    )


def _all_parts(key: Key) -> set[Key]:
    """A tree, and all that it is made of as several as one."""
    return {key}.union(*map(_all_parts, _parts(key)))


def room_of(observed: Reduction | Contents) -> int:
    """How many trees there are in a sequence, as it is traced."""
    return observed.tree.room


def _along(
    one: str, two: str, made: s.Expression, left: s.Expression, right: s.Expression
) -> s.Expression:
    """`map (\\(one, two) -> made) (zip (left, right))`."""
    pattern = s.PatternTuple((s.PatternName(one), s.PatternName(two)))
    return apply("map", s.Lambda((pattern,), made), apply("zip", s.Tuple((left, right))))


def _depth(key: Key) -> int:
    return 1 + max(map(_depth, _parts(key)), default=0)


# --- several reductions of a tree as one ---------------------------------------------------------


def together(primitives: Primitives, reductions: Sequence[Reduction]) -> Reduction:
    """Reductions of one tree as one, with all their results."""
    if len(reductions) == 1:
        return reductions[0]
    tree = reductions[0].tree
    result = t.Product(tuple(one.result for one in reductions))
    branches = {
        name: _beside(primitives, reductions, tree, name, result) for name in reductions[0].branches
    }
    written = None
    if any(one.written is not None for one in reductions):
        written = t.Product(tuple(one.written or one.result for one in reductions))
    wires = tuple(w for one in reductions for w in one.wires)
    return Reduction(tree, result, branches, wires, written=written)


def _beside(
    primitives: Primitives,
    reductions: Sequence[Reduction],
    tree: Plant,
    name: str,
    result: t.Product,
) -> Branch:
    """The algebras of all reductions at one constructor, as one."""
    parts = [one.branches[name] for one in reductions]
    declared = tree.declarations.constructors(tree.type)[name]
    outside = tuple(dict.fromkeys(wire for part in parts for wire in part.outside))
    builder = Builder(primitives)
    own = {wire: builder.input(wire.type, wire.name) for wire in outside}
    fields = tuple(field_type(tree, each, result) for each in declared)
    layouts = [tree.declarations.layout(each) for each in fields]
    wires = [[builder.input(array) for array in layout] for layout in layouts]

    def of(type: t.Type, supply: Iterator[Wire], k: int) -> list[Wire]:
        """Of the arrays of a field those that the k-th reduction sees."""
        if type == tree.type:
            return [
                wire
                for place, item in enumerate(result.items)
                for wire in [next(supply) for _ in tree.declarations.layout(item)]
                if place == k
            ]
        match type:
            case t.Product(items=items):
                return [wire for item in items for wire in of(item, supply, k)]
            case t.Array(element=element) if t.mentions(element, tree.type):
                return of(element, supply, k)
            case _:
                layout = tree.declarations.layout(field_type(tree, type, t.R))
                return [next(supply) for _ in layout]

    outputs: list[Wire] = []
    for k, part in enumerate(parts):
        given = [own[wire] for wire in part.outside]
        for type, arrays in zip(declared, wires, strict=True):
            given += of(type, iter(arrays), k)
        for mine, theirs in zip(given, part.body.inputs, strict=True):
            mine.name = mine.name or theirs.name
        outputs += builder.inline(part.body, given)
    return Branch(builder.finish(outputs), outside, fields)


__all__ = ["Group", "Grove", "together", "total"]
