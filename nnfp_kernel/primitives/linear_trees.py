"""Derivatives taken where nothing is known of the trees, for reading.

    grad total t        total : Tree R -> R

A program that takes a derivative is traced with trees of which nothing is known
(graph/forest/unknown.py) as any other. The function is called at the point, with the arrays
in it kept apart: so what it observes of trees stands on the tape of the program, and the
tape from there on is gone through for each tangent, forwards, and for each cotangent,
backwards (Speelpenning 1980). What that makes is observed again. Of a reduction

    forwards     the reduction of the tree and its tangent as one (linear/paired.py)
    backwards    what its adjoint makes of a cotangent (`Pulled`)

and each of these is a reduction or can be said of one, so that derivatives of derivatives
are on the tape too, to any order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..graph.context import Context
from ..graph.forest import (
    Branch,
    Contents,
    Derived,
    Inner,
    Kept,
    Made,
    NoForest,
    Observation,
    Plant,
    Pulled,
    Reduction,
    Rounds,
    Unknown,
    plants,
)
from ..graph.graph import Graph, Wire
from ..graph.values import Items, Value, Variant, leaves
from ..language import types as t
from ..linear.differentiate import jvp, vjp
from ..linear.paired import paired, pairs_up, with_tangent
from .decompile import Unspeakable

Arrays = dict[Wire, Wire]  # tangents or cotangents of inputs
Trees = dict[Plant, Unknown]


def at_trees(context: Context, function: Value, point: Value, domain: t.Type) -> Tape:
    """The derivative of a function at a point. Raises NoForest for what cannot be said of
    trees of which nothing is known."""
    here = context.plants.get(context.builder)
    if here is None:
        raise NoForest(domain)
    # An array that stands twice in the point moves twice, each time by itself.
    moving: list[Wire] = []

    def noted(wire: Wire) -> Wire:
        if wire.type.differentiable:
            moving.append(wire)
        return wire

    _changed(point, noted, lambda tree: tree)
    supply = iter(_kept(context, here, moving) if moving else ())

    def apart(tree: Unknown) -> Unknown:
        plant = tree.as_it_is(context)
        while plant.home is not here.home and (
            inside := Unknown(plant.type, plant).inside(context)
        ):
            plant = inside.plant
        if plant.home is not here.home or plant.many:
            raise NoForest(domain)
        return Unknown(plant.type, plant.point())

    def kept(wire: Wire) -> Wire:
        return next(supply) if wire.type.differentiable else wire

    own = _changed(point, kept, apart)
    start = len(here.observed)
    value = _changed(
        function(own), lambda wire: wire, lambda tree: Unknown(tree.type, tree.as_it_is(context))
    )
    return Tape(context, own, value, here, tuple(here.observed[start:]))


def _kept(context: Context, here: Plant, wires: Sequence[Wire]) -> tuple[Wire, ...]:
    """Inputs that stand for arrays."""
    plant, branch = Unknown(here.type, here).of(context, here, wires)
    return plant.kept(branch)


# --- values ------------------------------------------------------------------------------------


def _moving(value: Value) -> list[Wire]:
    """The arrays in a value that move, each once."""
    found: dict[Wire, Wire] = {}
    _changed(value, lambda wire: found.setdefault(wire, wire), lambda tree: tree)
    return [wire for wire in found if wire.type.differentiable]


def _changed(
    value: Value, array: Callable[[Wire], Wire], tree: Callable[[Unknown], Unknown]
) -> Value:
    """A value with other arrays and trees."""

    def again(part: Value) -> Value:
        return _changed(part, array, tree)

    match value:
        case tuple():
            return tuple(map(again, value))
        case Items(items=items):
            return replace(value, items=again(items))
        case Variant(fields=fields):
            return replace(value, fields={name: again(own) for name, own in fields.items()})
        case Wire():
            return array(value)
        case Unknown():
            return tree(value)
        case _:
            raise NoForest(getattr(value, "type", t.UNIT))


def _along(
    space: Value, moved: Value, array: Callable[[Wire, Wire], None],
    tree: Callable[[Unknown, Unknown], None],
) -> None:  # fmt: skip
    """Goes through a value and what moves of it. Where nothing can, that may be ()."""
    match space, moved:
        case tuple(), tuple() if len(space) == len(moved):
            for one, other in zip(space, moved, strict=True):
                _along(one, other, array, tree)
        case Items(items=one), Items(items=other):
            _along(one, other, array, tree)
        case Variant(constructor=one), Variant(constructor=other) if one == other:
            for name, fields in space.fields.items():
                _along(fields, moved.fields[name], array, tree)
        case Wire(), _:
            if space.type.differentiable:
                array(space, moved)
        case Unknown(), Unknown():
            tree(space, moved)
        case _:
            raise NoForest(getattr(space, "type", t.UNIT))


# --- the tape ----------------------------------------------------------------------------------


@dataclass
class Tape:
    """What a function observed, from its argument, of which the arrays are inputs, to its
    value; all trees in these are as they are, not views."""

    context: Context
    argument: Value
    value: Value
    here: Plant
    observed: tuple[Observation, ...]
    arrays: set[Wire] = field(default_factory=set)  # the inputs that move
    trees: set[Plant] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.arrays = set(_moving(self.argument))
        _changed(self.argument, lambda wire: wire, self._noted)
        for one in self.observed:
            if self.follows(one):
                if isinstance(one, Rounds):
                    raise Unspeakable(
                        "the derivative of a derivative of a loop in which what is made of a tree "
                        "knows the state"
                    )
                self.arrays |= {wire for wire in one.wires if wire.type.differentiable}
                self.trees |= set(_made(one))

    def _noted(self, tree: Unknown) -> Unknown:
        self.trees.add(tree.plant)
        return tree

    def own(self, plant: Plant) -> Plant:
        """The tree as it moves here, where it is the point of a derivative inside."""
        while plant not in self.trees and plant.same is not None:
            plant = plant.same
        return plant

    def moves(self, plant: Plant) -> bool:
        return self.own(plant) in self.trees or any(map(self.moves, plant.parts or ()))

    def __call__(self, tangent: Value) -> Value:
        """The tangent of the value."""
        self._require_here()
        forward = _Forward(self)
        _along(self.argument, tangent, forward.arrays.__setitem__, forward.move)
        for one in self.observed:
            forward.of(one)
        builder = self.context.builder
        wires = _moving(self.value)
        graph = builder.finish(wires)
        found = dict(zip(wires, forward.through(graph, graph.inputs), strict=True))
        return _changed(
            self.value,
            lambda wire: found.get(wire) or builder.zeros(wire.type),
            lambda tree: forward.tangent(tree.plant) or self.nought(tree.plant),
        )

    def back(self, cotangent: Value) -> Value:
        """The cotangent of the argument."""
        self._require_here()
        back = _Back(self)
        ends: list[tuple[Wire, Wire]] = []
        _along(
            self.value, cotangent, lambda wire, own: ends.append((wire, own)),
            lambda tree, own: back.add(tree.plant, Unknown(own.type, own.as_it_is(self.context))),
        )  # fmt: skip
        builder = self.context.builder
        graph = builder.finish([wire for wire, _ in ends])
        back.through(graph, graph.inputs, [own for _, own in ends])
        for one in reversed(self.observed):
            back.of(one)
        return _changed(
            self.argument,
            lambda wire: back.arrays.get(wire) or builder.zeros(wire.type),
            lambda tree: back.trees.get(tree.plant) or self.nought(tree.plant),
        )

    def nought(self, plant: Plant) -> Unknown:
        """The tree with zeros."""
        return Unknown(plant.type, plant).times(self.context, self.context.builder.constant(0.0))

    def _require_here(self) -> None:
        """What is observed belongs to one graph."""
        there = self.context.plants.get(self.context.builder)
        if there is None or there.home is not self.here.home:
            raise Unspeakable("a derivative of a tree, applied in a loop or an algebra")

    def follows(self, one: Observation) -> bool:
        """Whether it moves with the argument."""
        return not self.arrays.isdisjoint(one.outside) or any(map(self.moves, _given(one)))

    # --- what both ways are made of ------------------------------------------------------------

    def made(self, branch: Branch) -> Sequence[Wire]:
        """The arrays of a branch."""
        return self.context.builder.inline(branch.body, branch.outside)

    def branch(self, plant: Plant, wires: Sequence[Wire]) -> Branch:
        return Unknown(plant.type, plant).of(self.context, plant, wires)[1]

    def paired(self, one: Reduction, tangent: Unknown | None, around: Arrays) -> Reduction:
        """The reduction of the tree and its tangent as one, observed."""
        tree = one.tree
        moved = tangent or self.nought(tree)
        both = tree.beside(moved.plant, with_tangent(tree.type))
        beside = _kept(self.context, tree, list(around.values())) if around else ()
        made = paired(
            self.context.builder.primitives, one, both, dict(zip(around, beside, strict=True))
        )
        wires = tuple(map(tree.make, tree.declarations.layout(made.result)))
        made = replace(made, wires=wires)
        both.observed.append(made)
        return made

    def refilled(self, tree: Plant, type: t.Named, payload: Sequence[Wire]) -> Unknown:
        """The tree with other payload."""
        made = replace(tree, type=type).made("refill", (tree,), self.branch(tree, payload))
        return Unknown(type, made)

    def second(
        self, one: Pulled, pair: Reduction, around: Sequence[Wire], whole: bool
    ) -> tuple[Unknown | None, dict[Wire, Wire]]:
        """The derivative of what an adjoint makes of a cotangent, in the tree, where that is
        asked for as a `whole`, and in what is around it, by the adjoint of the pair's reduction."""
        builder = self.context.builder
        value = [wire for wire in one.reduction.wires if wire.type.differentiable]
        nothing = [builder.zeros(wire.type) for wire in value]
        cotangent = self.branch(pair.tree, [*nothing, *self.made(one.branch)])
        found = pair.tree.pulled(pair, cotangent, around, whole)
        beside = dict(zip(around, found.wires, strict=True))
        if not whole:
            return None, beside
        tree = found.tree.part(0)
        return Unknown(tree.type, tree), beside


def _require_arrays(one: Reduction) -> None:
    """Of a reduction that trees of its tree and a tangent can be gone through by it."""
    if not pairs_up(one):
        raise Unspeakable(
            "the derivative of a derivative of a derivative of a `case`, or of a `cata` that has "
            "trees at a node, asks for a certain number of children, or goes over a type without "
            "a parameter: of these the second is written, and no third"
        )


def _require_bare(tree: Plant) -> None:
    if not tree.bare:
        raise Unspeakable(
            "the derivative of a derivative of a tree whose numbers are not its payload: "
            "give the type a parameter, `data Tree a = Leaf a | ...`, and they are"
        )


def _given(one: Observation) -> tuple[Plant, ...]:
    """The trees that an observation is of."""
    match one:
        case Made(parts=parts):
            return parts
        case Inner(tree=tree, other=other):
            return tree, other
        case Pulled(reduction=reduction):
            return (reduction.tree,)
        case Derived(reduction=reduction, given=given):
            return reduction.tree, *given
        case Kept():
            return ()
        case Rounds(known=known, each=each):
            return *known, *(trees for _, trees, _ in each)
        case _:
            return (one.tree,)


def _made(one: Observation) -> tuple[Plant, ...]:
    """The trees that it makes."""
    match one:
        case Made(tree=tree) | Pulled(tree=tree):
            return (tree,)
        case Reduction(value=value):
            return tuple(plants(value))
        case Derived(made=made):
            return made
        case _:
            return ()


# --- forwards ----------------------------------------------------------------------------------


@dataclass
class _Forward:
    """The tangents of what is observed, one after the other. None is zero."""

    tape: Tape
    arrays: Arrays = field(default_factory=dict)
    trees: Trees = field(default_factory=dict)

    def move(self, tree: Unknown, tangent: Unknown) -> None:
        plant = tangent.as_it_is(self.tape.context)
        self.trees[tree.plant] = Unknown(plant.type, plant.point(tree.plant))

    def through(self, graph: Graph, inputs: Sequence[Wire]) -> Sequence[Wire | None]:
        """The tangents of a graph's outputs."""
        given = [self.arrays.get(wire) for wire in inputs]
        return jvp(self.tape.context.builder, graph, inputs, given)[1]

    def of(self, one: Observation) -> None:
        tape, context = self.tape, self.tape.context
        match one:
            case Kept(branch=branch, wires=wires):
                self._found(wires, self.through(branch.body, branch.outside))
            case Reduction():
                around = {wire: self.arrays[wire] for wire in one.outside if wire in self.arrays}
                tangent = self.tangent(one.tree)
                if (around or tangent is not None) and not pairs_up(one):
                    self._derived(one, tangent or tape.nought(one.tree), around)
                elif around or tangent is not None:
                    pair = tape.paired(one, tangent, around)
                    self._found([w for w in one.wires if w.type.differentiable], _moved(one, pair))
            case Inner(tree=tree, other=other, wires=wires):
                products = [
                    made.dot(context, Unknown(there.type, there))
                    for there, moved in ((other, tree), (tree, other))
                    if (made := self.tangent(moved)) is not None
                ]
                self._found(wires, [_sum(context, products)])
            case Made():
                made = self._made(one)
                if made is not None:
                    self.trees[one.tree] = made
            case Pulled():
                self._pulled(one)
            case Derived() if tape.follows(one):
                _require_arrays(one.reduction)
            case Contents(tree=tree, wires=wires):
                moved = self.tangent(tree)
                if moved is not None:
                    self._found(wires, leaves(moved.payload()[0]))

    def _found(self, wires: Sequence[Wire], tangents: Sequence[Wire | None]) -> None:
        for wire, made in zip(wires, tangents, strict=True):
            if made is not None and wire.type.differentiable:
                self.arrays[wire] = made

    def _derived(self, one: Reduction, tangent: Unknown, around: Arrays) -> None:
        """By the linear map itself, which makes the tangents of trees too."""
        branch = self.tape.branch(one.tree, list(around.values()))
        results = _single(one)
        found = one.tree.derived(one, branch, (tangent.plant,), list(around), results)
        self._found([wire for wire in one.wires if wire.type.differentiable], found.wires)
        for tree, made in zip(results, found.made, strict=True):
            self.trees[tree] = Unknown(made.type, made)

    def tangent(self, plant: Plant) -> Unknown | None:
        """Of a tree, or of two as one."""
        if plant.parts is None:
            return self.trees.get(self.tape.own(plant))
        found = [self.tangent(part) for part in plant.parts]
        if not any(found):
            return None
        one, two = (
            (made or self.tape.nought(part)).plant
            for made, part in zip(found, plant.parts, strict=True)
        )
        return Unknown(plant.type, one.beside(two, plant.type))

    def _made(self, one: Made) -> Unknown | None:
        context = self.tape.context
        found = [self.tangent(part) for part in one.parts]
        match one.how:
            case "add" | "subtract":
                left, right = found
                if right is None:
                    return left
                if left is None:
                    minus = context.builder.constant(-1.0)
                    return right if one.how == "add" else right.times(context, minus)
                return left.plus(context, right, one.how)
            case "scale":
                assert one.branch is not None
                (tree,), branch = one.parts, one.branch
                (factor,) = self.tape.made(branch)
                (moved,) = self.through(branch.body, branch.outside)
                terms = [] if found[0] is None else [found[0].times(context, factor)]
                if moved is not None:
                    terms.append(Unknown(tree.type, tree).times(context, moved))
                return _total(context, terms)
            case "first" | "second":
                return None if found[0] is None else _part(found[0], one.how)
            case _:
                return self._refilled(one, found[-1])

    def _refilled(self, one: Made, tangent: Unknown | None) -> Unknown | None:
        """Of a tree with other payload."""
        assert one.branch is not None
        below = one.parts[-1]
        moved = self.through(one.branch.body, one.branch.outside)
        if not any(moved) and (tangent is None or below.bare):
            return None
        zeros = self.tape.context.builder.zeros
        types = [wire.type for wire in one.branch.body.outputs]
        filled = [made or zeros(type) for made, type in zip(moved, types, strict=True)]
        if not below.bare:
            below = (tangent or self.tape.nought(below)).plant
        return self.tape.refilled(below, one.tree.type, filled)

    def _pulled(self, one: Pulled) -> None:
        tape, context = self.tape, self.tape.context
        trees: list[Unknown] = []
        arrays: list[Mapping[Wire, Wire]] = []
        moved = self.through(one.branch.body, one.branch.outside)
        if any(moved):
            types = [wire.type for wire in one.branch.body.outputs]
            filled = [
                made or context.builder.zeros(type) for made, type in zip(moved, types, strict=True)
            ]
            source = one.reduction.tree
            found = source.pulled(one.reduction, tape.branch(source, filled), one.moving, one.whole)
            if one.whole:
                trees.append(Unknown(found.tree.type, found.tree))
            arrays.append(dict(zip(one.moving, found.wires, strict=True)))
        around = {w: self.arrays[w] for w in one.reduction.outside if w in self.arrays}
        tangent = self.tangent(one.reduction.tree)
        if around or tangent is not None:
            pair = tape.paired(one.reduction, tangent, around)
            tree, beside = tape.second(one, pair, one.moving, one.whole)
            if tree is not None:
                trees.append(tree)
            arrays.append(beside)
        made = _total(context, trees)
        if made is not None:
            self.trees[one.tree] = made
        for own, wire in zip(one.moving, one.wires, strict=True):
            self._found([wire], [_sum(context, [found[own] for found in arrays])])


def _single(one: Reduction) -> tuple[Plant, ...]:
    """The trees that a reduction makes, where each is one and no tree stands around it."""
    results = _made(one)
    if one.around or any(tree.many for tree in results):
        raise Unspeakable(
            "the derivative of a derivative of a `case` that takes another tree from around it, "
            "or makes a sequence of trees"
        )
    return results


def _moved(one: Reduction, pair: Reduction) -> Sequence[Wire]:
    """The wires of the pair's reduction that are those of the tangent."""
    return pair.wires[len(one.wires) :]


def _part(tree: Unknown, how: str) -> Unknown:
    plant = tree.plant.part(("first", "second").index(how))
    return Unknown(plant.type, plant)


def _sum(context: Context, wires: Sequence[Wire]) -> Wire | None:
    made: Wire | None = None
    for wire in wires:
        made = wire if made is None else context.builder.emit("add", made, wire)
    return made


def _total(context: Context, trees: Sequence[Unknown]) -> Unknown | None:
    made: Unknown | None = None
    for tree in trees:
        made = tree if made is None else made.plus(context, tree)
    return made


# --- backwards ---------------------------------------------------------------------------------


@dataclass
class _Back:
    """The cotangents of what is observed, from the last to the first."""

    tape: Tape
    arrays: Arrays = field(default_factory=dict)
    trees: Trees = field(default_factory=dict)

    def through(
        self, graph: Graph, inputs: Sequence[Wire], cotangents: Sequence[Wire | None]
    ) -> None:
        """Adds those of a graph's inputs."""
        active = [wire in self.tape.arrays for wire in inputs]
        if any(active) and any(cotangents):
            made = vjp(self.tape.context.builder, graph, inputs, active, cotangents)[1]
            for wire, cotangent in zip(inputs, made, strict=True):
                self._add(wire, cotangent)

    def _add(self, wire: Wire, cotangent: Wire | None) -> None:
        if cotangent is not None and wire in self.tape.arrays:
            before = [self.arrays[wire]] if wire in self.arrays else []
            made = _sum(self.tape.context, [*before, cotangent])
            assert made is not None
            self.arrays[wire] = made

    def add(self, plant: Plant, cotangent: Unknown) -> None:
        """To a tree; of two as one, to each."""
        if not self.tape.moves(plant):
            return
        for how, part in zip(("first", "second"), plant.parts or (), strict=False):
            if self.tape.moves(part):
                self.add(part, _part(cotangent, how))
        plant = self.tape.own(plant)
        if plant.parts is None:
            before = [self.trees[plant]] if plant in self.trees else []
            made = _total(self.tape.context, [*before, cotangent])
            assert made is not None
            self.trees[plant] = made

    def of(self, one: Observation) -> None:
        tape, context = self.tape, self.tape.context
        wires = [wire for wire in one.wires if wire.type.differentiable]
        given = [self.arrays.get(wire) for wire in wires]
        match one:
            case Kept(branch=branch):
                self.through(
                    branch.body, branch.outside, [self.arrays.get(wire) for wire in one.wires]
                )
            case Reduction() if not pairs_up(one):
                if any(given) or not self.trees.keys().isdisjoint(_made(one)):
                    self._derived(one, tape.branch(one.tree, self._filled(wires, given)))
            case Reduction() if any(given):
                cotangent = tape.branch(one.tree, self._filled(wires, given))
                found = one.tree.pulled(one, cotangent, self._around(one), tape.moves(one.tree))
                self.add(one.tree, Unknown(found.tree.type, found.tree))
                for wire, made in zip(found.moving, found.wires, strict=True):
                    self._add(wire, made)
            case Inner(tree=tree, other=other) if given[0] is not None:
                for there, moved in ((other, tree), (tree, other)):
                    if tape.moves(moved):
                        self.add(moved, Unknown(there.type, there).times(context, given[0]))
            case Made() if one.tree in self.trees:
                self._made(one, self.trees.pop(one.tree))
            case Pulled() if one.tree in self.trees or any(given):
                self._pulled(one, given)
            case Derived() if any(given) or not self.trees.keys().isdisjoint(one.made):
                _require_arrays(one.reduction)
            case Contents(tree=tree) if any(given):
                _require_bare(tree)
                supply = iter(self._filled(wires, given))
                zeros = tape.context.builder.zeros
                payload = [
                    next(supply) if wire.type.differentiable else zeros(wire.type)
                    for wire in one.wires
                ]
                self.add(tree, tape.refilled(tree, tree.type, payload))
            case _:
                pass

    def _derived(self, one: Reduction, cotangent: Branch) -> None:
        """By the adjoint of the linear map itself, with cotangents of trees too."""
        found = [self.trees.get(tree) or self.tape.nought(tree) for tree in _single(one)]
        given = [tree.as_it_is(self.tape.context) for tree in found]
        made = one.tree.derived(one, cotangent, given, self._around(one), None)
        (tree,) = made.made
        self.add(one.tree, Unknown(tree.type, tree))
        for wire, own in zip(made.moving, made.wires, strict=True):
            self._add(wire, own)

    def _filled(self, wires: Sequence[Wire], given: Sequence[Wire | None]) -> list[Wire]:
        zeros = self.tape.context.builder.zeros
        return [made or zeros(w.type) for w, made in zip(wires, given, strict=True)]

    def _around(self, one: Reduction) -> list[Wire]:
        return [wire for wire in one.outside if wire in self.tape.arrays]

    def _made(self, one: Made, cotangent: Unknown) -> None:
        tape, context = self.tape, self.tape.context
        first = one.parts[0]
        match one.how:
            case "add" | "subtract":
                self.add(first, cotangent)
                if one.how == "subtract":
                    cotangent = cotangent.times(context, context.builder.constant(-1.0))
                self.add(one.parts[1], cotangent)
            case "scale":
                assert one.branch is not None
                (factor,) = tape.made(one.branch)
                if tape.moves(first):
                    self.add(first, cotangent.times(context, factor))
                if not tape.arrays.isdisjoint(one.branch.outside):
                    product = Unknown(first.type, first).dot(context, cotangent)
                    self.through(one.branch.body, one.branch.outside, [product])
            case "first" | "second":
                zero = cotangent.times(context, context.builder.constant(0.0))
                pair = (cotangent, zero) if one.how == "first" else (zero, cotangent)
                both = pair[0].plant.beside(pair[1].plant, first.type)
                self.add(first, Unknown(both.type, both))
            case _:
                assert one.branch is not None
                _require_bare(one.parts[-1])
                payload = leaves(cotangent.payload()[0])
                self.through(one.branch.body, one.branch.outside, payload)

    def _pulled(self, one: Pulled, given: Sequence[Wire | None]) -> None:
        tape = self.tape
        moved = {own: made for own, made in zip(one.moving, given, strict=True) if made is not None}
        pair = tape.paired(one.reduction, self.trees.pop(one.tree, None), moved)
        self.through(one.branch.body, one.branch.outside, _moved(one.reduction, pair))
        source = one.reduction.tree
        around = self._around(one.reduction)
        tree, beside = tape.second(one, pair, around, tape.moves(source))
        if tree is not None:
            self.add(source, tree)
        for wire, made in beside.items():
            self._add(wire, made)


__all__ = ["Tape", "at_trees"]
