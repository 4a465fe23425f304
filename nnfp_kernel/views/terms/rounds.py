"""Loops that know trees and their state, on the tape of observations (trees.py).

    step (s, x) = let (y, dy) = … t in (x * s + y, \\(ds, (dx, dt)) -> … dy (ds, dt))
    (y, ss) = mapAccum (\\(s, x) -> let s2 = fst (step (s, x)) in (s2, s)) z xs

The body is written once, a function to the next state beside its linear map. Forwards that map is
taken along the states that were kept; backwards it is the adjoint of this, which is linear and so
its own derivative at any point:

    dy = fold (\\(ds, (p, dx)) -> snd (step p) (ds, (dx, dt))) dz (zip (zip (ss, xs), dxs))
    (wz, (wxs, wt)) = adjoint (derivative (\\(dz, (dxs, dt)) -> …) (z, (xs, t))) w
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...graph.dataflow import spread
from ...graph.forest import Rounds
from ...graph.graph import Builder, Graph, Wire
from ...graph.rewrite import tidy
from ...language import syntax as s
from ...linear.maps import Primitives
from ...primitives.decompile import Block, Term, decompile, term
from ...primitives.decompile import whole as whole_of
from ...primitives.spelling import apply, zeros
from ..combinators.nests import pairs, zip_tree
from .entries import Entry, Exprs, Trees, is_nought, known_around, total
from .shapes import Key, key_of
from .values import Values


@dataclass(frozen=True)
class Moving:
    """What moves in a loop: which of the states and elements, which of the next states and
    outputs, and around it which arrays and trees."""

    given: tuple[int, ...]
    answers: tuple[int, ...]
    around: tuple[Wire, ...]
    trees: tuple[Key, ...]
    each: tuple[Key, ...]  # of sequences of trees the one that is met


# Writes the body, given what is around it and what of all moves.
Round: TypeAlias = "Callable[[Rounds, Mapping[Wire, Term], Moving], s.Expression]"


class Running(Entry):
    """The loop."""

    def __init__(
        self,
        values: Values,
        primitives: Primitives,
        observed: Rounds,
        around: tuple[Wire, ...],
        round: Round,
    ) -> None:
        known = list(dict.fromkeys(map(key_of, observed.known)))
        self.sequences = [key_of(trees) for _, trees, _ in observed.each]
        keys = [*known, *self.sequences]
        super().__init__(values, primitives, observed.given, around, keys, [])
        self.observed, self.round = observed, round
        graph, outside = observed.given.body, observed.given.outside
        moved = spread(graph, [wire in around for wire in outside])
        carried = observed.carried
        differentiable = [wire.type.differentiable for wire in graph.outputs]
        self.differentiable = [k for k, flag in enumerate(differentiable) if flag]
        given = [k for k in self.differentiable if k < carried or moved[k]]
        answers = [k for k, wire in enumerate(observed.wires) if wire.type.differentiable]
        body = tuple(wire for wire in observed.body.outside if wire in around)
        met = tuple(key_of(one) for _, _, one in observed.each)
        self.moving = Moving(tuple(given), tuple(answers), body, tuple(known), met)
        self.states = [k for k in given if k < carried]
        self.items = [k for k in given if k >= carried]
        self.finals = [k for k in answers if k < carried]
        self.outputs = [k for k in answers if k >= carried]

    # --- the values --------------------------------------------------------------------------

    def bind(
        self, tree: Trees, names: dict[Key, str], terms: dict[Wire, Term], block: Block
    ) -> None:
        observed, fresh, carried = self.observed, self.values.names.fresh, self.observed.carried
        self.terms = terms
        made = [self._plain(each, block) for each in self.computed(block)]
        self.given = made
        self.step = fresh("step")
        block.bind(s.PatternName(self.step), self.round(observed, terms, self.moving))
        count = len(observed.wires) - carried
        ys = [fresh("y") for _ in range(carried)]
        rows = [fresh("ys") for _ in range(count)]
        kept = [fresh("ss") for _ in range(carried)]
        states = [s.Name(fresh("s")) for _ in range(carried)]
        items = [s.Name(fresh("x")) for _ in made[carried:]]
        point = s.Apply(s.Name("fst"), s.Apply(s.Name(self.step), pairs([*states, *items])))
        along = self._along(made[carried:])
        pattern = nested_pattern([s.PatternName(each.name) for each in items])
        if not carried:
            each = s.Lambda((pattern,), point)
            self._columns(rows, apply("map", each, along), block)
        else:
            after, out = s.Name(fresh("s")), [s.Name(fresh("y")) for _ in range(count)]
            ends: list[s.PatternTree] = [s.PatternName(after.name)]
            if out:
                ends.append(nested_pattern([s.PatternName(one.name) for one in out]))
            round = s.Let(
                (s.Binding(ends[0] if not out else s.PatternTuple(tuple(ends)), (), point),),
                s.Tuple((after, pairs([*states, *out]))),
            )
            first = nested_pattern([s.PatternName(each.name) for each in states])
            each = s.Lambda((s.PatternTuple((first, pattern)),), round)
            every, final = fresh("rows"), nested_pattern([s.PatternName(y) for y in ys])
            loop = apply(self._way("mapAccum"), each, pairs(made[:carried]), along)
            if carried + count == 1:
                every = kept[0]
            block.bind(s.PatternTuple((final, s.PatternName(every))), loop)
            if carried + count > 1:
                self._columns([*kept, *rows], s.Name(every), block)
        for wire, name in zip(observed.wires, [*ys, *rows], strict=True):
            terms[wire] = term(s.Name(name), wire.type)
        # Where in each round it was: the states before it, and the elements.
        self.points = [s.Name(each) for each in kept] + list(made[carried:])

    def _plain(self, made: Term, block: Block) -> s.Expression:
        known = whole_of(made)
        return known if isinstance(known, s.Name | s.Path | s.Number) else self.kept(made, block)

    def _along(self, sequences: Sequence[s.Expression]) -> s.Expression:
        """The sequences as one; without any, as many rounds as there are."""
        if sequences:
            return zip_tree(sequences)
        return s.Bracket("iota", (s.SizeNumber(self.observed.length),))

    def _way(self, word: str) -> str:
        backwards = {"mapAccum": "mapAccumRight", "fold": "foldRight"}
        return backwards[word] if self.observed.reverse else word

    def _columns(self, names: Sequence[str], rows: s.Expression, block: Block) -> None:
        """Binds what stands at each place of a sequence of nested pairs."""
        *front, last = names
        for name in front:
            rest = last if name == front[-1] else self.values.names.fresh("rows")
            both = s.PatternTuple((s.PatternName(name), s.PatternName(rest)))
            block.bind(both, apply("unzip", rows))
            rows = s.Name(rest)
        if not front:
            block.bind(s.PatternName(last), rows)

    # --- tangents ------------------------------------------------------------------------------

    def _loop(
        self,
        start: Sequence[s.Expression],
        along: Sequence[s.Expression],
        beside: Sequence[s.Expression],
    ) -> s.Expression:
        """The linear maps of all rounds, one after the other, at tangents: pairs of the final
        states and of the outputs that move."""
        fresh = self.values.names.fresh
        points = [s.Name(fresh("p")) for _ in self.points]
        states = [s.Name(fresh("ds")) for _ in start]
        items = [s.Name(fresh("dx")) for _ in along]
        linear = apply("snd", s.Apply(s.Name(self.step), pairs(points))) if points else None
        assert linear is not None
        moved = s.Apply(linear, pairs([*states, *items, *beside]))
        row: s.PatternTree = nested_pattern([s.PatternName(each.name) for each in points])
        every = zip_tree(self.points)
        if items:
            row = s.PatternTuple((row, nested_pattern([s.PatternName(e.name) for e in items])))
            every = apply("zip", s.Tuple((every, zip_tree(along))))
        if not states:
            return apply("map", s.Lambda((row,), moved), every)
        front = nested_pattern([s.PatternName(each.name) for each in states])
        each = s.Lambda((s.PatternTuple((front, row)),), moved)
        return apply(self._way("mapAccum" if self.outputs else "fold"), each, pairs(start), every)

    def forward(
        self, tangent: Trees, tree: Trees, terms: dict[Wire, Term], block: Block
    ) -> dict[Key, s.Expression]:
        observed, moving = self.observed, self.moving
        if not moving.answers:
            return {}
        wires = self.observed.given.body.outputs
        found = [zeros(wires[k].type) for k in self.differentiable]
        if not set(self.around).isdisjoint(observed.given.outside):
            found = self.computed(block, terms)
        place = dict(zip(self.differentiable, map(whole_of, found), strict=True))
        beside = [whole_of(terms[wire]) for wire in moving.around]
        beside += [self.named(tangent(key), block, "dt") for key in moving.trees]
        along = [self.named(place[k], block, "dxs") for k in self.items]
        along += [self._met(k, tangent(key), block) for k, key in enumerate(self.sequences)]
        made = self._loop([place[k] for k in self.states], along, beside)
        names = self._result(made, block)
        for k, name in zip(moving.answers, names, strict=True):
            terms[observed.wires[k]] = term(s.Name(name), observed.wires[k].type)
        return {}

    def _met(self, k: int, trees: s.Expression, block: Block) -> s.Expression:
        """What moves of a sequence of trees, in the places in which the loop goes along these."""
        given, (place, plant, _) = self.observed.given, self.observed.each[k]
        assert plant.place is not None
        builder = Builder(self.primitives)
        inputs = [builder.input(wire.type) for wire in given.body.inputs]
        only = Graph(given.body.inputs, given.body.nodes, (given.body.outputs[place],))
        graph = tidy(self.primitives, builder.finish(builder.inline(only, inputs)))
        moved = {plant.place: term(trees, plant.place.type)}
        terms = known_around(graph.inputs, given, {**self.terms, **moved})
        early, after, (made,) = decompile(graph, terms, self.values.names)
        block.bindings += [*early.bindings, *after.bindings]
        return self.named(whole_of(made), block, "dts")

    def _result(self, made: s.Expression, block: Block) -> list[str]:
        """Binds the tangents of final states and outputs."""
        fresh = self.values.names.fresh
        finals, rows = [fresh("dy") for _ in self.finals], [fresh("dys") for _ in self.outputs]
        if not rows:
            block.bind(nested_pattern([s.PatternName(each) for each in finals]), made)
            return finals
        if not finals:
            self._columns(rows, made, block)
            return rows
        every = rows[0] if len(rows) == 1 else fresh("rows")
        final = nested_pattern([s.PatternName(each) for each in finals])
        block.bind(s.PatternTuple((final, s.PatternName(every))), made)
        if len(rows) > 1:
            self._columns(rows, s.Name(every), block)
        return [*finals, *rows]

    # --- cotangents ----------------------------------------------------------------------------

    def backward(
        self, arrays: Exprs, trees: dict[Key, list[s.Expression]], tree: Trees, block: Block
    ) -> None:
        observed, moving, fresh = self.observed, self.moving, self.values.names.fresh
        cotangents = {k: total(arrays[observed.wires[k]]) for k in moving.answers}
        if all(map(is_nought, cotangents.values())):
            return
        given = not set(self.around).isdisjoint(observed.given.outside)
        starts = self.states if given else []
        place = [self.given[k] for k in (*starts, *self.items)]
        place += [tree(key) for key in self.sequences]
        place += [whole_of(self.terms[wire]) for wire in moving.around]
        place += [tree(key) for key in moving.trees]
        tangents = [fresh("d") for _ in place]
        names: list[s.Expression] = list(map(s.Name, tangents))
        own = names[: len(starts)]
        wires = observed.given.body.outputs
        if not given:
            own = [whole_of(zeros(wires[k].type)) for k in self.states]
        inner = Block()
        first = len(starts) + len(self.items)
        last = first + len(self.sequences)
        along = names[len(starts) : first]
        along += [self._met(k, many, inner) for k, many in enumerate(names[first:last])]
        loop = self._loop(own, along, names[last:])
        pattern = nested_pattern([s.PatternName(each) for each in tangents])
        found = self._result(loop, inner)
        nested = [found[: len(self.finals)], found[len(self.finals) :]]
        image = [pairs(list(map(s.Name, each))) for each in nested if each]
        whole = inner.around(image[0] if len(image) == 1 else s.Tuple(tuple(image)))
        linear = apply("derivative", s.Lambda((pattern,), whole), pairs(place))
        ends = [[cotangents[k] for k in each] for each in (self.finals, self.outputs)]
        moved = [pairs(each) for each in ends if each]
        back = s.Apply(
            apply("adjoint", linear), moved[0] if len(moved) == 1 else s.Tuple(tuple(moved))
        )
        results = [fresh("w") for _ in place]
        block.bind(nested_pattern([s.PatternName(each) for each in results]), back)
        supply = iter(map(s.Name, results))
        if given:
            known = {k: next(supply) for k in (*starts, *self.items)}
            nought = {k: whole_of(zeros(wires[k].type)) for k in self.differentiable}
            self.back(arrays, [known.get(k, nought[k]) for k in self.differentiable], block)
        else:
            for _ in self.items:
                next(supply)
        for key in self.sequences:
            trees.setdefault(key, []).append(next(supply))
        for wire in moving.around:
            arrays[wire].append(next(supply))
        for key in moving.trees:
            trees.setdefault(key, []).append(next(supply))


def nested_pattern(patterns: Sequence[s.PatternTree]) -> s.PatternTree:
    """A pattern of nested pairs; of nothing, one for anything."""
    if not patterns:
        return s.PatternWildcard()
    *front, made = patterns
    for each in reversed(front):
        made = s.PatternTuple((each, made))
    return made


__all__ = ["Moving", "Round", "Running", "nested_pattern"]
