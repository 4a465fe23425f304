"""Derivatives that the program takes of what makes trees of trees, and the derivatives of these.

    u = dy dt                       du = dy ddt + derivative (\\t -> l t dt) t dt
    wt = adjoint dy w               dwt = adjoint dy dw + derivative (\\t -> adjoint (l t) w) t dt

where `dy` is the linear map of a reduction of t, and `l t` says it again: `snd (treeRecurrence
step t)`, or of a `case` the derivative of its value. Backwards these have their adjoints. So
it is written of any reduction; what a reduction of arrays alone has is shorter (adjoints.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...graph.forest import Derived
from ...graph.graph import Wire
from ...language import syntax as s
from ...linear.maps import Primitives
from ...primitives.decompile import Block, Term, term
from ...primitives.decompile import whole as whole_of
from ...primitives.spelling import apply, zeros
from ..combinators import pair_pattern, pairs
from .entries import Entry, Exprs, Trees, is_nought, total
from .shapes import Key, Making, Opening, Whole, key_of, no_tag
from .values import Values

if TYPE_CHECKING:
    from .trees import Group


class Differential(Entry):
    """What the linear map of a reduction, or its adjoint, makes of arrays and trees."""

    def __init__(
        self,
        values: Values,
        primitives: Primitives,
        observed: Derived,
        around: tuple[Wire, ...],
        of: Group,
    ) -> None:
        self.source = key_of(observed.reduction.tree)
        self.given = [key_of(each) for each in observed.given]
        stem = "wt" if observed.back else "dt"
        trees = [Whole(each.type, key_of(each), stem) for each in observed.made]
        keys = [self.source, *self.given]
        super().__init__(values, primitives, observed.branch, around, keys, trees)
        self.observed, self.of = observed, of
        self.results = [w for w in observed.reduction.wires if w.type.differentiable]

    # --- the two spaces: of what the reduction takes, and of what it makes -----------------------

    def _taken(self, arrays: Mapping[Wire, s.Expression], tree: s.Expression) -> s.Expression:
        """What is around the tree, and the tree."""
        if not self.of.around:
            return tree
        around = [arrays.get(wire) or whole_of(zeros(wire.type)) for wire in self.of.around]
        return s.Tuple((pairs(around), tree))

    def _result(
        self, arrays: Sequence[s.Expression], trees: Sequence[s.Expression]
    ) -> s.Expression:
        """A tangent, or a cotangent, of what the reduction makes."""
        reals = iter(arrays)
        if self.of.shape is None:
            space = self.values.tangent(self.observed.reduction.result)
            return self.values.rebuilt(space, reals)
        supply = iter(trees)
        making = Making(
            self.values, reals, no_tag, lambda _: next(supply), lambda _: s.Name("zero")
        )
        return making.made(self.of.shape)

    def _of(
        self,
        back: bool,
        arrays: Sequence[s.Expression],
        trees: Sequence[s.Expression],
    ) -> s.Expression:
        """What the linear map is given, or its adjoint where it goes `back`."""
        if back:
            return self._result(arrays, trees)
        return self._taken(dict(zip(self.observed.moving, arrays, strict=True)), *trees)

    def _opened(
        self, back: bool, made: s.Expression, block: Block, prefix: str
    ) -> tuple[dict[Wire, s.Expression], list[s.Expression]]:
        """Binds what that makes: of the wires that it is on, the arrays, and the trees."""
        fresh = self.values.names.fresh
        if back:
            tree = fresh(f"{prefix}t")
            own = [fresh(prefix) for _ in self.of.around]
            pattern: s.PatternTree = s.PatternName(tree)
            if own:
                pattern = s.PatternTuple((pair_pattern(own), pattern))
            block.bind(pattern, made)
            return dict(zip(self.of.around, map(s.Name, own), strict=True)), [s.Name(tree)]
        if self.of.shape is None:
            unpacking = Block()
            space = self.values.tangent(self.observed.reduction.result)
            wires = [Wire(wire.type) for wire in self.results]
            pattern, found = self.values.taken(space, None, iter(wires), f"{prefix}y", unpacking)
            trees: list[s.Expression] = []
        else:
            wires = [Wire(wire.type) for wire in self.results]
            opening = Opening(self.values, iter(wires), lambda stem: f"{prefix}{stem}")
            pattern, unpacking, found = opening.pattern(self.of.shape), opening.block, opening.terms
            trees = [opening.trees[each.key][0] for each in self.of.trees]
        block.bind(pattern, made)
        block.bindings += unpacking.bindings
        pairs_of = zip(self.results, wires, strict=True)
        return {wire: whole_of(found[own]) for wire, own in pairs_of}, trees

    # --- the linear map ------------------------------------------------------------------------

    def _linear(self, around: Sequence[s.Expression], tree: s.Expression) -> s.Expression:
        """It, with what is around the tree called so."""
        if self.of.deep:
            return apply("snd", self.of.at(around, tree))
        pattern, own, name = self._point()
        function = s.Lambda((pattern,), apply("fst", self.of.at(own, name)))
        return apply("derivative", function, s.Tuple((pairs(around), tree)) if around else tree)

    def _point(self) -> tuple[s.PatternTree, list[s.Expression], s.Expression]:
        """Names for what the reduction takes."""
        fresh = self.values.names.fresh
        name, own = fresh("t"), [fresh("x") for _ in self.of.around]
        pattern: s.PatternTree = s.PatternName(name)
        if own:
            pattern = s.PatternTuple((pair_pattern(own), pattern))
        return pattern, list(map(s.Name, own)), s.Name(name)

    def _turned(self, linear: s.Expression, back: bool) -> s.Expression:
        return apply("adjoint", linear) if back else linear

    def _second(self, tree: s.Expression) -> s.Expression:
        """The derivative of what is made, in what the reduction takes."""
        pattern, own, name = self._point()
        linear = self._turned(self._linear(own, name), self.observed.back)
        given = self._of(self.observed.back, self.arrays, self.moved)
        here = {wire: whole_of(self.terms[wire]) for wire in self.of.around}
        function = s.Lambda((pattern,), s.Apply(linear, given))
        return apply("derivative", function, self._taken(here, tree))

    # --- the values ----------------------------------------------------------------------------

    def bind(
        self, tree: Trees, names: dict[Key, str], terms: dict[Wire, Term], block: Block
    ) -> None:
        self.terms = terms
        self.arrays = [self.kept(each, block) for each in self.computed(block)]
        self.moved = [tree(key) for key in self.given]
        linear: s.Expression = s.Name(self.of.linear)
        if not self.of.deep:
            here = [whole_of(terms[wire]) for wire in self.of.around]
            linear = self.named(self._linear(here, tree(self.source)), block, "dy")
        self.linear = linear
        back = self.observed.back
        made = s.Apply(self._turned(linear, back), self._of(back, self.arrays, self.moved))
        arrays, trees = self._opened(back, made, block, "w" if back else "d")
        for wire, own in self._on():
            terms[own] = term(arrays[wire], own.type)
        for key, each in zip(self.made, trees, strict=True):
            assert isinstance(each, s.Name)
            names[key] = each.name

    @property
    def made(self) -> list[Key]:
        return [key_of(each) for each in self.observed.made]

    def _on(self) -> list[tuple[Wire, Wire]]:
        """The wires of the reduction whose tangents or cotangents are made, and those of these."""
        sources = self.observed.moving if self.observed.back else self.results
        return list(zip(sources, self.observed.wires, strict=True))

    @property
    def _moves(self) -> bool:
        """Whether what the linear map is given moves."""
        assert self.branch is not None
        return bool(self.given) or not set(self.around).isdisjoint(self.branch.outside)

    # --- tangents ------------------------------------------------------------------------------

    def forward(
        self, tangent: Trees, tree: Trees, terms: dict[Wire, Term], block: Block
    ) -> dict[Key, s.Expression]:
        back = self.observed.back
        here = {wire: whole_of(terms[wire]) for wire in self.of.around}
        made: s.Expression = s.Apply(
            self._second(tree(self.source)), self._taken(here, tangent(self.source))
        )
        if self._moves:
            moved = [whole_of(each) for each in self.computed(block, terms)]
            given = self._of(back, moved, [tangent(key) for key in self.given])
            made = s.Binary("+", s.Apply(self._turned(self.linear, back), given), made)
        arrays, trees = self._opened(back, made, block, "dw" if back else "d")
        for wire, own in self._on():
            terms[own] = term(arrays[wire], own.type)
        return dict(zip(self.made, trees, strict=True))

    # --- cotangents ----------------------------------------------------------------------------

    def backward(
        self, arrays: Exprs, trees: dict[Key, list[s.Expression]], tree: Trees, block: Block
    ) -> None:
        assert self.branch is not None
        back = self.observed.back
        known = {wire: total(arrays[own]) for wire, own in self._on()}
        if not any(key in trees for key in self.made) and all(map(is_nought, known.values())):
            return
        shown = {key: each.type for key, each in zip(self.made, self.observed.made, strict=True)}
        given = [
            self.named(total(trees.pop(key)), block)
            if key in trees
            else s.Binary("*", s.Number(0), tree(key))
            for key in shown
        ]
        own = [self.named(each, block) if not is_nought(each) else each for each in known.values()]
        if back:
            w = self._taken(dict(zip(known, own, strict=True)), *given)
        else:
            w = self._result(own, given)
        if self._moves:
            made = s.Apply(self._turned(self.linear, not back), w)
            found, moved = self._opened(not back, made, block, "w")
            if set(self.around) & set(self.branch.outside):
                order = self.results if back else self.observed.moving
                self.back(arrays, [found[wire] for wire in order], block)
            for key, each in zip(self.given, moved, strict=True):
                trees.setdefault(key, []).append(each)
        made = s.Apply(apply("adjoint", self._second(tree(self.source))), w)
        found, (moved_tree,) = self._opened(True, made, block, "w")
        trees.setdefault(self.source, []).append(moved_tree)
        for wire, each in found.items():
            arrays[wire].append(each)


__all__ = ["Differential"]
