"""Constraints of data types as functors: the layer a tree is made of, and its payload.

    Layer      f = layer t s: `TreeF a s` for `Tree a`, what `ana` unfolds and `para` folds
    Payload    u = t with b for a: `Tree b` for `Tree a`, what `mapData` changes

Each fires as soon as one of its types is known to be of a declared `data` type. The base
functor `TreeF` is derived with the declaration of `Tree` (declare.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .constraints import Constraint
from .diagnostics import Diagnostic
from .sizes import Size
from .solve import Mistake, OpenArrow, Solver
from .telling import came, plain, shown
from .types import Named, Type, TypeVariable


@dataclass(kw_only=True, eq=False)
class Layer(Constraint):
    """`layer` is the base functor of `whole`, with `seed` in place of the children."""

    layer: Type
    whole: Type
    seed: Type
    kind: ClassVar[str] = "functor"

    def attempt(self, solver: Solver) -> bool:
        layer, whole = solver.resolve(self.layer), solver.resolve(self.whole)
        if isinstance(layer, Named) and layer.name in solver.bases:
            *inside, seed = layer.arguments
            made = Named(solver.bases[layer.name], tuple(inside), origin=layer.origin)
            self.unify(solver, made, self.whole)
            self.unify(solver, seed, self.seed)
            return True
        known = not isinstance(layer, TypeVariable | OpenArrow)
        if isinstance(whole, Named):
            for base, of in solver.bases.items():
                if of == whole.name and not known:
                    made = Named(base, (*whole.arguments, self.seed), origin=whole.origin)
                    self.unify(solver, made, self.layer)
                    return True
        if known:
            raise Mistake(self._no_layer(solver, layer))
        if not isinstance(whole, TypeVariable | OpenArrow):
            raise Mistake(self._no_layer(solver, whole))
        return False

    def _no_layer(self, solver: Solver, found: Type) -> Diagnostic:
        assert self.place is not None
        notes = [
            "The layers of a recursive `data` type are written with its base functor, which "
            "has the same constructors with an F: after `data Tree a = Leaf a | Node (Tree a) "
            "(Tree a)` they are `LeafF x` and `NodeF l r`, of the type `TreeF a r`, and "
            "something else stands in place of the children."
        ]
        title = f"{shown(solver, found)} is not a layer of a tree"
        if isinstance(found, Named) and found.name in solver.bases.values():
            title = f"{shown(solver, found)} is a tree, and a layer of one is expected"
        return plain(
            "not-a-layer",
            title,
            self.place.span,
            "takes and gives one layer at a time",
            secondary=came(solver, found, self.place.span),
            notes=notes,
        )

    def text(self, show: Callable[[Type | Size], str]) -> str:
        return f"{show(self.layer)} = layer {show(self.whole)} {show(self.seed)}"


@dataclass(kw_only=True, eq=False)
class Payload(Constraint):
    """`made` is the data type `whole` with `other` in place of its payload."""

    whole: Type
    payload: Type
    made: Type
    other: Type
    kind: ClassVar[str] = "functor"

    def attempt(self, solver: Solver) -> bool:
        whole, made = solver.resolve(self.whole), solver.resolve(self.made)
        for known, own, unknown, new in (
            (whole, self.payload, self.made, self.other),
            (made, self.other, self.whole, self.payload),
        ):
            if isinstance(known, TypeVariable | OpenArrow):
                continue
            if not isinstance(known, Named) or not solver.parametric.get(known.name):
                raise Mistake(self._no_payload(solver, known))
            *inside, last = known.arguments
            self.unify(solver, last, own)
            self.unify(solver, Named(known.name, (*inside, new), origin=known.origin), unknown)
            return True
        return False

    def _no_payload(self, solver: Solver, found: Type) -> Diagnostic:
        assert self.place is not None
        return plain(
            "no-payload",
            f"{shown(solver, found)} has no payload",
            self.place.span,
            "works on the payload of a data type",
            secondary=came(solver, found, self.place.span),
            notes=["The payload is what the last parameter of a `data` type stands for:"],
            suggestion="data Tree a = Leaf a | Node (Tree a) (Tree a)",
        )

    def text(self, show: Callable[[Type | Size], str]) -> str:
        whole, made = show(self.whole), show(self.made)
        payload, other = show(self.payload), show(self.other)
        if (whole, payload) == (made, other):
            return f"{payload} in {whole}"
        return f"{made} = {whole} with {other} for {payload}"
