"""Rewriting: laws that change how a graph computes, never what.

    vectorise   what is made only for a branch is made in it (graph/branches.py); then
                map (f >> g) = map f >> map g, and the map of a primitive is the
                primitive over one more axis (graph/vectorise.py)
    optimise    that, choices in a batch resolved, and the laws of loops (graph/loops.py)
    tidy        only what makes it shorter to read: maps and loops stay

Both apply the laws of primitives (graph/laws) wherever they fire, make equal nodes
once and dead nodes not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from .branches import within_branches
from .drawn import drawn_before
from .graph import Graph, Map
from .laws import LAWS, Fired, Law, Primitives, Simplifier
from .loops import Moved, put_loop, put_tree_loop
from .vectorise import Rebuild

__all__ = ["LAWS", "Reader", "Simplifier", "drawn_once", "optimise", "tidy", "vectorise"]


def vectorise(primitives: Primitives, graph: Graph, fired: Fired | None = None) -> Graph:
    """The graph with its maps turned into primitives over one more axis, simplified.

    Done before differentiation: so the gradient of a weight over a batch is one product,
    and that of a convolution is convolutions. A choice whose selector differs between
    elements stays a Map of that choice alone, so that its derivative is the derivative
    of the branch taken; `optimise` resolves it. Otherwise no Map remains. `fired` counts
    the laws that were applied, by name and statement.
    """
    rebuild = Rebuild(primitives)
    rebuild.fired = fired
    return rebuild.graph(within_branches(graph))


def optimise(
    primitives: Primitives,
    graph: Graph,
    fired: Fired | None = None,
    moved: list[Moved] | None = None,
) -> Graph:
    """The graph as it is lowered. Differentiate before, not after. `moved` is told what the
    laws of loops did to each, and where they were held back.

    >>> from nnfp_kernel.primitives import PRIMITIVES
    >>> from nnfp_kernel.graph.graph import ArrayType, Builder
    >>> builder = Builder(PRIMITIVES)
    >>> x = builder.input(ArrayType("R", (2,)), "x")
    >>> graph = builder.finish([builder.emit("negate", builder.emit("negate", x))])
    >>> len(optimise(PRIMITIVES, graph).nodes)
    0
    """
    rebuild = Rebuild(primitives, True, put_loop, put_tree_loop)
    rebuild.fired, rebuild.moved = fired, moved
    return rebuild.graph(graph)


def tidy(primitives: Primitives, graph: Graph) -> Graph:
    """The graph as it is read: equal nodes once, dead ones not at all, nothing multiplied
    by one or added to zero. What the program says by maps and loops stays so.

    >>> from nnfp_kernel.primitives import PRIMITIVES
    >>> from nnfp_kernel.graph.graph import ArrayType, Builder
    >>> builder = Builder(PRIMITIVES)
    >>> x = builder.input(ArrayType("R", (2,)), "x")
    >>> graph = builder.finish([builder.emit("add", x, builder.zeros(x.type))])
    >>> len(tidy(PRIMITIVES, graph).nodes)
    0
    """
    return _Tidying(primitives).graph(graph)


def drawn_once(primitives: Primitives, graph: Graph) -> Graph:
    """The graph as its derivative is to be read, in which nothing is drawn again (drawn.py)."""
    return drawn_before(lambda: Reader(primitives), graph)


_PLAIN = frozenset(("add", "subtract", "mul", "negate", "conj", "reverse", "reshape", "transpose"))


class Reader(Simplifier):
    """Applies the laws that make a graph shorter."""

    def child(self) -> Reader:
        return Reader(self.primitives, self)

    def laws(self, name: str) -> Sequence[Law]:
        return super().laws(name) if name in _PLAIN else ()


class _Tidying(Rebuild):
    def start(self) -> Simplifier:
        return Reader(self.primitives)

    def _irreducible(self, each: Map) -> bool:
        return True
