"""What repeats, as data: strips of numbers at every step, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy

from ...language.source import Span

Array = Any


@dataclass(frozen=True, eq=False)
class Strip:
    """One wire at every position: `values` : [positions, numbers].

    Of a state the first row is what it begins with, and the others are in the order of the
    steps; of elements and outputs a row is that of its position in the sequence. `shape` is
    that of one value; `colour` the number of its representation, counted from 0; `kind` what
    the numbers are, "R", "C", "Int" or "Bool" (of complex ones the real parts come first).
    """

    name: str
    type: str
    shape: tuple[int, ...]
    values: Array = field(repr=False)
    colour: int | None = None
    kind: str = "R"

    @cached_property
    def reach(self) -> float:
        """The largest magnitude: the scale of its colours, one for all steps."""
        finite = numpy.abs(self.values[numpy.isfinite(self.values)])
        return float(finite.max(initial=0.0)) or 1.0


@dataclass(frozen=True, eq=False)
class Chain:
    """One function at every position: its states go from one to the next."""

    label: str
    states: tuple[Strip, ...] = ()
    outputs: tuple[Strip, ...] = ()
    reverse: bool = False
    start: str = ""  # what the states begin with, as it is written
    weights: int | None = None  # how many it has; None where it has none of its own
    tied: bool = True  # whether all positions have the same ones

    @cached_property
    def way(self) -> Array:
        """All states as points, [steps + 1, numbers]."""
        parts = [strip.values for strip in self.states if strip.kind in "RC"]
        return numpy.concatenate(parts, axis=1) if parts else numpy.zeros((0, 0))


@dataclass(frozen=True, eq=False)
class Tree:
    """The nodes of a tree, children before their parents, in the order of the steps.

    `place` : [nodes, 2], how many leaves stand on the left, and the height above the lowest
    leaf; `payload` what each holds beside its children, in a few characters, and `held` its
    numbers.
    """

    constructors: tuple[str, ...]
    parents: tuple[int, ...]  # -1 of the root
    payload: tuple[str, ...]
    held: tuple[Array, ...] = field(repr=False)
    place: Array = field(repr=False)


@dataclass(frozen=True, eq=False)
class Mark:
    """A stretch of a definition's text: `what` is "whole", the combinator, "step", what is done
    at each step, or the constructor whose alternative it is."""

    what: str
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class Excerpt:
    """A definition as it is written, with what is looked at marked."""

    place: str  # "cell 3"
    text: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, eq=False)
class Steps:
    """A loop, a map or a tree, step by step.

    `seen` says which elements a window sees at each of its positions, [positions, span].
    `inner` counts what repeats inside of each step.
    """

    label: str
    kind: str  # "loop", "map", "window" or "tree"
    count: int
    chains: tuple[Chain, ...]
    elements: tuple[Strip, ...] = ()
    tree: Tree | None = None
    seen: Array | None = None
    excerpts: tuple[Excerpt, ...] = ()
    span: Span | None = None
    inner: int = 0
    whole: int = 0  # how many steps there could have been, where some were not made

    @property
    def numbers(self) -> int:
        """How many numbers are shown."""
        strips = [*self.elements, *(s for c in self.chains for s in (*c.states, *c.outputs))]
        return sum(strip.values.size for strip in strips)

    @cached_property
    def path(self) -> tuple[Array, float] | None:
        """The states in the plane, [states, 2], and how much of their spread that is: their
        two principal axes, or themselves; of one number, the number over the steps. All
        chains are in one plane, one after the other, where they have as many numbers."""
        ways = [chain.way for chain in self.chains]
        ways = [way for way in ways if way.size and way.shape[1] == ways[0].shape[1]]
        if not ways or not numpy.isfinite(numpy.concatenate(ways)).all():
            return None
        size = ways[0].shape[1]
        if size == 1:
            ticks = [numpy.arange(len(way), dtype=float) for way in ways]
            flat = [
                numpy.stack([tick, way[:, 0]], 1) for tick, way in zip(ticks, ways, strict=True)
            ]
            return numpy.concatenate(flat), 1.0
        points = numpy.concatenate(ways)
        if size == 2:
            return points, 1.0
        centred = points - points.mean(0)
        _, spread, axes = numpy.linalg.svd(centred, full_matrices=False)
        axes = (
            axes[:2] * numpy.sign(axes[:2][range(2), numpy.abs(axes[:2]).argmax(1)])[:, None]
            if len(axes) > 1
            else numpy.concatenate([axes, numpy.zeros_like(axes)])[:2]
        )
        total = float((spread**2).sum())
        share = float((spread[:2] ** 2).sum()) / total if total else 1.0
        return centred @ axes.T, share


@dataclass(frozen=True, eq=False)
class Unrolled:
    """What repeats in a function, one after the other; `trail` leads to it from the outside:
    through which of the outer ones, and at which step of each."""

    name: str
    type: str
    parts: tuple[Steps, ...]
    trail: tuple[tuple[int, int], ...] = ()
    representations: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # of the positions of the sequence that came in
