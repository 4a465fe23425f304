"""What stands by itself on the tape of observations (trees.py): how it is bound, and what its
derivative is, forwards and backwards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ...graph.forest import Branch
from ...graph.graph import Builder, Wire
from ...graph.rewrite import tidy
from ...language import syntax as s
from ...linear.differentiate import linearize
from ...linear.maps import Primitives, filled
from ...primitives.decompile import Block, Term, decompile, term, whole
from ...primitives.spelling import apply
from .shapes import Key, Whole
from .values import Values

Exprs: TypeAlias = "dict[Wire, list[s.Expression]]"
Trees: TypeAlias = "Callable[[Key], s.Expression]"


class Entry(ABC):
    """An observation that is made by itself. `keys` are those of the trees that it is of;
    `trees` are those it makes. What it takes of arrays is the `branch`."""

    terms: dict[Wire, Term]

    def __init__(
        self,
        values: Values,
        primitives: Primitives,
        branch: Branch | None,
        around: tuple[Wire, ...],
        keys: list[Key],
        trees: list[Whole],
    ) -> None:
        self.values, self.primitives, self.branch = values, primitives, branch
        self.around = around  # what moves of that which it takes of arrays
        self.keys, self.trees = keys, trees

    @abstractmethod
    def bind(
        self, tree: Trees, names: dict[Key, str], terms: dict[Wire, Term], block: Block
    ) -> None:
        """Binds it."""

    @abstractmethod
    def forward(
        self, tangent: Trees, tree: Trees, terms: dict[Wire, Term], block: Block
    ) -> dict[Key, s.Expression]:
        """Binds the tangent, and tells that of the tree."""

    @abstractmethod
    def backward(
        self, arrays: Exprs, trees: dict[Key, list[s.Expression]], tree: Trees, block: Block
    ) -> None:
        """Adds the cotangents of what it is made of."""

    # --- what it takes of arrays ---------------------------------------------------------------

    def computed(self, block: Block, moving: Mapping[Wire, Term] | None = None) -> list[Term]:
        """The arrays that it takes; or, of their inputs that move, the tangents."""
        return self._through(block, moving, None)

    def _through(
        self,
        block: Block,
        moving: Mapping[Wire, Term] | None,
        cotangents: Sequence[s.Expression] | None,
    ) -> list[Term]:
        branch = self.branch
        if branch is None:
            return []
        builder = Builder(self.primitives)
        inputs = [builder.input(w.type, w.name, w.representation) for w in branch.body.inputs]
        given = known_around(inputs, branch, self.terms)
        active = [wire in self.around for wire in branch.outside]
        outputs, network = linearize(builder, branch.body, inputs, active)
        late: list[Wire] = []
        if moving is not None or cotangents is not None:
            network = network if cotangents is None else network.adjoint()
            late = [builder.input(array) for array in network.domain]
            if cotangents is None:
                assert moving is not None
                found = [moving[wire] for wire in branch.outside if wire in self.around]
            else:
                found = [term(c, w.type) for c, w in zip(cotangents, late, strict=True)]
            given |= dict(zip(late, found, strict=True))
            outputs = tuple(filled(builder, network.apply(builder, late), network.codomain))
        graph = tidy(builder.primitives, builder.finish(outputs))
        place = dict(zip((*inputs, *late), graph.inputs, strict=True))
        early, after, made = decompile(
            graph,
            {place[wire]: each for wire, each in given.items()},
            self.values.names,
            [place[wire] for wire in late],
        )
        block.bindings += [*early.bindings, *after.bindings]
        return made

    def kept(self, made: Term, block: Block) -> s.Expression:
        """An array by its name."""
        tree = whole(made)
        if isinstance(tree, s.Name | s.Number | s.Path):
            return tree
        name = self.values.names.fresh("h")
        block.bind(s.PatternName(name), tree)
        return s.Name(name)

    def back(self, arrays: Exprs, cotangents: Sequence[s.Expression], block: Block) -> None:
        """Adds the cotangents of what the arrays are made of."""
        assert self.branch is not None
        wires = [wire for wire in self.branch.outside if wire in self.around]
        for wire, made in zip(wires, self._through(block, None, cotangents), strict=True):
            arrays[wire].append(whole(made))

    def named(self, made: s.Expression, block: Block, stem: str = "w") -> s.Expression:
        """By a name, for it is said more than once."""
        if isinstance(made, s.Name):
            return made
        name = self.values.names.fresh(stem)
        block.bind(s.PatternName(name), made)
        return s.Name(name)


def known_around(
    inputs: Sequence[Wire], branch: Branch, terms: Mapping[Wire, Term]
) -> dict[Wire, Term]:
    """The terms of what a branch takes from around it; a key has none."""
    pairs = zip(inputs, branch.outside, strict=False)
    return {own: terms[wire] for own, wire in pairs if wire.type.kind != "Key"}


def turned(
    linear: s.Expression,
    wires: Sequence[Wire],
    around: s.Expression | None,
    tree: s.Expression,
) -> s.Expression:
    """The adjoint of the linear map of a tree and of what is around it, which are a point of its
    space. Where a length there is one that only running tells, the map is that of the derivative
    at this point (general.py): `adjoint (derivative l (xs, t))`."""
    sizes = tuple(s.SizeNumber(size) for wire in wires for size in wire.type.shape)
    if around is not None and sizes:
        linear = apply(s.Bracket("placed", sizes), linear, s.Tuple((around, tree)))
    return apply("adjoint", linear)


def total(trees: Sequence[s.Expression]) -> s.Expression:
    """The sum of cotangents."""
    made, *others = [tree for tree in trees if not is_nought(tree)] or trees[:1]
    for other in others:
        made = s.Binary("+", made, other)
    return made


def is_nought(tree: s.Expression) -> bool:
    """Whether it is written as zeros: nothing depends on it."""
    while isinstance(tree, s.Apply) and isinstance(tree.function, s.Bracket):
        if tree.function.name != "replicate":
            return False
        tree = tree.argument
    return isinstance(tree, s.Number) and tree.value == 0


__all__ = ["Entry", "Exprs", "Trees", "is_nought", "known_around", "total", "turned"]
