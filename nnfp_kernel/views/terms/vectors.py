"""Trees as vectors: sums, differences, multiples and inner products of trees of one shape, and
a tree with other payload among them.

    t2 = t + u          dt2 = dt + du                 wt += w; wu += w
    t2 = c * t          dt2 = dc * t + c * dt         wt += c * w; wc += dot t w
    y = dot t u         dy = dot dt u + dot t du      wt += w * u; wu += w * t
    t2 = refill t xs    dt2 = refill t dxs            wxs += payload w
"""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.forest import Inner, Made, Plant
from ...graph.graph import Wire
from ...language import syntax as s
from ...language import types as t
from ...language.sizes import constant
from ...linear.maps import Primitives
from ...primitives.decompile import Block, Term, Unspeakable, term, whole
from ...primitives.spelling import apply
from .entries import Entry, Exprs, Trees, is_nought, total
from .shapes import Key, Whole, key_of
from .values import Values

TAKES = {"first": "fst", "second": "snd"}


class Combination(Entry):
    """A tree made of others, or the inner product of two."""

    def __init__(
        self,
        values: Values,
        primitives: Primitives,
        observed: Made | Inner,
        around: tuple[Wire, ...],
    ) -> None:
        self.observed = observed
        self.key = key_of(observed.tree)
        branch, trees = None, list[Whole]()
        if isinstance(observed, Made):
            trees = [Whole(observed.tree.type, self.key, "t")]
            branch = observed.branch
            if observed.how == "scale" and branch is not None:
                (factor,) = branch.body.outputs
                if factor.type.kind == "C":
                    raise Unspeakable("a tree times a complex number")
        keys = [key_of(each) for each in operands(observed)]
        super().__init__(values, primitives, branch, around, keys, trees)

    # --- the values --------------------------------------------------------------------------

    def bind(
        self, tree: Trees, names: dict[Key, str], terms: dict[Wire, Term], block: Block
    ) -> None:
        """Binds it."""
        one, observed = self.observed, [tree(key) for key in self.keys]
        self.terms = terms
        if isinstance(one, Inner):
            (wire,) = one.wires
            name = self.values.names.fresh("y")
            block.bind(s.PatternName(name), apply("dot", *observed))
            terms[wire] = term(s.Name(name), wire.type)
            return
        self.arrays = [self.kept(each, block) for each in self.computed(block)]
        name = names[self.key] = self.values.names.fresh("t")
        block.bind(s.PatternName(name), self._made(observed, self.arrays, True))

    def _made(
        self, trees: Sequence[s.Expression], arrays: Sequence[s.Expression], every: bool = False
    ) -> s.Expression:
        assert isinstance(self.observed, Made)
        match self.observed.how:
            case "add":
                return s.Binary("+", trees[0], trees[1])
            case "subtract":
                return s.Binary("-", trees[0], trees[1])
            case "scale":
                return s.Binary("*", arrays[0], trees[0])
            case "first" | "second" as how:
                return apply("mapData", s.Name(TAKES[how]), trees[0])
            case _:
                payload = self.values.rebuilt(self._payload, iter(arrays), True, every)
                return apply("refill", trees[0], payload)

    @property
    def _payload(self) -> t.Array:
        """The type of the payload of a tree that is refilled."""
        assert isinstance(self.observed, Made)
        assert self.observed.branch is not None
        count = self.observed.branch.body.outputs[0].type.shape[0]
        return t.Array(self.observed.tree.type.arguments[-1], constant(count))

    # --- tangents ------------------------------------------------------------------------------

    def forward(
        self, tangent: Trees, tree: Trees, terms: dict[Wire, Term], block: Block
    ) -> dict[Key, s.Expression]:
        """Binds the tangent, and tells that of the tree."""
        one = self.observed
        moved = [tangent(key) for key in self.keys]
        if isinstance(one, Inner):
            (wire,) = one.wires
            first, second = map(tree, self.keys)
            made: s.Expression = s.Binary(
                "+", apply("dot", moved[0], second), apply("dot", first, moved[1])
            )
            name = self.values.names.fresh("dy")
            block.bind(s.PatternName(name), made)
            terms[wire] = term(s.Name(name), wire.type)
            return {}
        arrays: list[s.Expression] = []
        if self.around:
            found = {wire: terms[wire] for wire in self.around}
            arrays = [whole(each) for each in self.computed(block, found)]
        if one.how == "scale":
            made = s.Binary("*", self.arrays[0], moved[0])
            if arrays:
                made = s.Binary("+", s.Binary("*", arrays[0], tree(self.keys[0])), made)
        elif one.how == "refill":
            below = tree(self.keys[0]) if operands(one)[0].bare else moved[0]
            if arrays:
                made = self._made([below], arrays)
            else:  # the payload does not move
                made = apply("mapData", s.Lambda((s.PatternWildcard(),), s.Name("zero")), below)
        else:
            made = self._made(moved, ())
        name = self.values.names.fresh(f"d{_stem(tree(self.key))}")
        block.bind(s.PatternName(name), made)
        return {self.key: s.Name(name)}

    # --- cotangents ----------------------------------------------------------------------------

    def backward(
        self, arrays: Exprs, trees: dict[Key, list[s.Expression]], tree: Trees, block: Block
    ) -> None:
        """Adds the cotangents of what it is made of."""
        one = self.observed
        if isinstance(one, Inner):
            (wire,) = one.wires
            if all(map(is_nought, arrays[wire])):
                return
            w = self.named(total(arrays[wire]), block)
            first, second = self.keys
            trees.setdefault(first, []).append(s.Binary("*", w, tree(second)))
            trees.setdefault(second, []).append(s.Binary("*", w, tree(first)))
            return
        if self.key not in trees:
            return
        w = self.named(total(trees.pop(self.key)), block)
        first = self.keys[0]
        match one.how:
            case "add" | "subtract":
                trees.setdefault(first, []).append(w)
                other = w if one.how == "add" else s.Negate(w)
                trees.setdefault(self.keys[1], []).append(other)
            case "first" | "second" as how:
                pair = [s.Name("x"), s.Name("zero")]
                both = s.Tuple(tuple(pair if how == "first" else reversed(pair)))
                beside = apply("mapData", s.Lambda((s.PatternName("x"),), both), w)
                trees.setdefault(first, []).append(beside)
            case "scale":
                trees.setdefault(first, []).append(s.Binary("*", self.arrays[0], w))
                if self.around:
                    self.back(arrays, [apply("dot", tree(first), w)], block)
            case _:
                if not operands(one)[0].bare:
                    zero = s.Lambda((s.PatternWildcard(),), s.Name("zero"))
                    trees.setdefault(first, []).append(apply("mapData", zero, w))
                if self.around:
                    assert one.branch is not None
                    outputs = [w for w in one.branch.body.outputs if w.type.differentiable]
                    xs = self.named(apply("payload", w), block)
                    known = self.values.arrays(self._payload, xs, iter(outputs), block, True)
                    self.back(arrays, [whole(known[each]) for each in outputs], block)


def operands(observed: Made | Inner) -> tuple[Plant, ...]:
    """The trees that it is made of."""
    if isinstance(observed, Inner):
        return observed.tree, observed.other
    return observed.parts[1:] if observed.how == "refill" else observed.parts


def _stem(tree: s.Expression) -> str:
    return tree.name if isinstance(tree, s.Name) else "t"


__all__ = ["Combination", "operands"]
