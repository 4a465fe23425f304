"""Derivatives that the program takes of what it makes of trees, and the derivatives of these.

    wt = adjoint dy w               dwt = adjoint dy dw + mapData fst (adjoint d2 (0, w))

where `dy` is the linear map of a reduction of t, and `d2` that of the reduction of t and its
tangent as one (linear/paired.py), at (t, dt). Backwards, at a cotangent v of `wt`, it is `dy v`
for w, and `mapData fst (adjoint d2 (0, w))` for t, with `d2` at (t, v): the second derivative
is its own adjoint. What moves around the tree goes along with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ...graph.forest import Kept, Pulled, Reduction
from ...graph.graph import Wire
from ...language import syntax as s
from ...linear.maps import Primitives
from ...linear.paired import moving, paired, with_tangent
from ...primitives.decompile import PLAIN, Block, Term, term
from ...primitives.decompile import whole as whole_of
from ...primitives.spelling import apply, zeros
from ..combinators import pair_pattern, pairs
from .entries import Entry, Exprs, Trees, is_nought, total, turned
from .shapes import Key, Whole, key_of
from .values import Values

# Writes the step of a recurrence, given what its algebra takes and what of that moves.
Step = Callable[[Reduction, Mapping[Wire, Term], "tuple[Wire, ...]"], s.Expression]


class Recurrence(Protocol):
    """A reduction that is written: the name of its linear map, and what moves around it."""

    linear: str
    around: tuple[Wire, ...]


class Point(Entry):
    """Arrays at which a derivative is taken: each by a name."""

    def __init__(
        self, values: Values, primitives: Primitives, observed: Kept, around: tuple[Wire, ...]
    ) -> None:
        super().__init__(values, primitives, observed.branch, around, [], [])
        self.observed = observed
        self.moving = [wire for wire in observed.wires if wire.type.differentiable]

    def bind(
        self, tree: Trees, names: dict[Key, str], terms: dict[Wire, Term], block: Block
    ) -> None:
        self.terms = terms
        for wire, made in zip(self.observed.wires, self.computed(block), strict=True):
            known = whole_of(made)
            if not isinstance(known, s.Name | s.Path):
                plain = wire.name if PLAIN.match(wire.name) else "x"
                known = self.named(known, block, plain)
            terms[wire] = term(known, wire.type)

    def forward(
        self, tangent: Trees, tree: Trees, terms: dict[Wire, Term], block: Block
    ) -> dict[Key, s.Expression]:
        found = [zeros(wire.type) for wire in self.moving]
        if self.around:
            found = self.computed(block, {wire: terms[wire] for wire in self.around})
        for wire, made in zip(self.moving, found, strict=True):
            known = whole_of(made)
            if not isinstance(known, s.Number):
                known = self.named(known, block, "dx")
            terms[wire] = term(known, wire.type)
        return {}

    def backward(
        self, arrays: Exprs, trees: dict[Key, list[s.Expression]], tree: Trees, block: Block
    ) -> None:
        cotangents = [total(arrays[wire]) for wire in self.moving]
        if self.around and not all(map(is_nought, cotangents)):
            self.back(arrays, cotangents, block)


class Adjoint(Entry):
    """What the adjoint of a reduction makes of a cotangent."""

    def __init__(
        self,
        values: Values,
        primitives: Primitives,
        observed: Pulled,
        around: tuple[Wire, ...],
        of: Recurrence,
        step: Step,
    ) -> None:
        self.key = key_of(observed.tree)
        self.source = key_of(observed.reduction.tree)
        trees = [Whole(observed.tree.type, self.key, "wt")] if observed.whole else []
        super().__init__(values, primitives, observed.branch, around, [self.source], trees)
        self.observed, self.of, self.step = observed, of, step
        layout = values.declarations.layout(observed.reduction.result)
        self.types = [type for type in layout if type.differentiable]

    # --- the values --------------------------------------------------------------------------

    def bind(
        self, tree: Trees, names: dict[Key, str], terms: dict[Wire, Term], block: Block
    ) -> None:
        self.terms = terms
        self.cotangent = [self.kept(each, block) for each in self.computed(block)]
        made, beside = self._pulled(self.cotangent, tree, block)
        if made:
            names[self.key] = made
        for own, wire in zip(self.observed.moving, self.observed.wires, strict=True):
            terms[wire] = term(beside[own], wire.type)

    def _pulled(
        self, cotangent: Sequence[s.Expression], tree: Trees, block: Block
    ) -> tuple[str, dict[Wire, s.Expression]]:
        """Binds what the adjoint makes of a cotangent: the tree's, and what is around it."""
        space = self.values.tangent(self.observed.reduction.result)
        back = self._turned(s.Name(self.of.linear), tree(self.source))
        made = s.Apply(back, self.values.rebuilt(space, iter(cotangent)))
        return self._bound(made, self.observed.whole, block)

    def _bound(
        self, made: s.Expression, whole: bool, block: Block
    ) -> tuple[str, dict[Wire, s.Expression]]:
        fresh = self.values.names.fresh
        around = [fresh("w") for _ in self.of.around]
        name = fresh("wt") if whole else ""
        tree: s.PatternTree = s.PatternName(name) if whole else s.PatternWildcard()
        if around:
            tree = s.PatternTuple((pair_pattern(around), tree))
        block.bind(tree, made)
        return name, dict(zip(self.of.around, map(s.Name, around), strict=True))

    def _second(
        self,
        tree: s.Expression,
        moved: s.Expression,
        around: Mapping[Wire, Term],
        whole: bool,
        block: Block,
    ) -> tuple[s.Expression, dict[Wire, s.Expression]]:
        """The derivative of that in the tree, where it moves so, and in what is around it."""
        values, reduction = self.values, self.observed.reduction
        plant = reduction.tree
        beside = replace(plant, path=("tangent",), parts=None, zipped={})
        both = replace(plant, type=with_tangent(plant.type), parts=(plant, beside), zipped={})
        tangents = {wire: Wire(wire.type) for wire in self.of.around}
        terms = {tangents[wire]: known for wire, known in around.items()}
        pair = paired(self.primitives, reduction, both, tangents)
        step = self.step(pair, {**self.terms, **terms}, self.of.around)
        zipped = apply("zipTree", s.Tuple((tree, moved)))
        nothing = map(whole_of, map(zeros, self.types))
        layout = values.declarations.layout(reduction.result)
        cotangent = s.Tuple((
            values.rebuilt(values.tangent(reduction.result), nothing),
            values.rebuilt(moving(layout), iter(self.cotangent)),
        ))  # fmt: skip
        linear = apply("snd", apply(self._word, step, zipped))
        back = self._turned(linear, zipped)
        name, found = self._bound(s.Apply(back, cotangent), whole, block)
        return apply("mapData", s.Name("fst"), s.Name(name)), found

    def _turned(self, linear: s.Expression, tree: s.Expression) -> s.Expression:
        """The adjoint of a linear map of what is around the tree, and of the tree."""
        around = [whole_of(self.terms[wire]) for wire in self.of.around]
        return turned(linear, self.of.around, pairs(around) if around else None, tree)

    @property
    def _word(self) -> str:
        return "treeRecurrenceWith" if self.of.around else "treeRecurrence"

    # --- tangents ------------------------------------------------------------------------------

    def forward(
        self, tangent: Trees, tree: Trees, terms: dict[Wire, Term], block: Block
    ) -> dict[Key, s.Expression]:
        assert self.branch is not None
        trees: list[s.Expression] = []
        arrays: dict[Wire, list[s.Expression]] = {wire: [] for wire in self.of.around}
        if not set(self.around).isdisjoint(self.branch.outside):
            moved = [whole_of(each) for each in self.computed(block, terms)]
            name, beside = self._pulled(moved, tree, block)
            trees.append(s.Name(name))
            for wire, found in beside.items():
                arrays[wire].append(found)
        around = {wire: terms[wire] for wire in self.of.around}
        made, beside = self._second(
            tree(self.source), tangent(self.source), around, self.observed.whole, block
        )
        trees.append(made)
        for wire, found in beside.items():
            arrays[wire].append(found)
        for own, wire in zip(self.observed.moving, self.observed.wires, strict=True):
            terms[wire] = term(self.named(total(arrays[own]), block, "dw"), wire.type)
        if not self.observed.whole:
            return {}
        return {self.key: self.named(total(trees), block, "dwt")}

    # --- cotangents ----------------------------------------------------------------------------

    def backward(
        self, arrays: Exprs, trees: dict[Key, list[s.Expression]], tree: Trees, block: Block
    ) -> None:
        assert self.branch is not None
        values, observed = self.values, self.observed
        given = {
            own: total(arrays[wire])
            for own, wire in zip(observed.moving, observed.wires, strict=True)
        }
        if self.key not in trees and all(map(is_nought, given.values())):
            return
        moved: s.Expression = s.Binary("*", s.Number(0), tree(self.source))
        if self.key in trees:
            moved = total(trees.pop(self.key))
        moved = self.named(moved, block)
        around = {
            wire: term(self.named(given[wire], block), wire.type)
            if wire in given and not is_nought(given[wire])
            else zeros(wire.type)
            for wire in self.of.around
        }
        if not set(self.around).isdisjoint(self.branch.outside):
            beside = pairs([whole_of(each) for each in around.values()]) if around else None
            image = moved if beside is None else s.Tuple((beside, moved))
            unpacking, wires = Block(), [Wire(type) for type in self.types]
            space = values.tangent(observed.reduction.result)
            pattern, found = values.taken(space, None, iter(wires), "dy", unpacking)
            block.bind(pattern, apply(self.of.linear, image))
            block.bindings += unpacking.bindings
            self.back(arrays, [whole_of(found[wire]) for wire in wires], block)
        made, back = self._second(tree(self.source), moved, around, True, block)
        trees.setdefault(self.source, []).append(made)
        for wire, found_there in back.items():
            arrays[wire].append(found_there)


__all__ = ["Adjoint", "Point", "Step"]
