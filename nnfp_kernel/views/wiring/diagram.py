"""A string diagram as data, before it has a place on paper: boxes, and wires that join them.

A `Diagram` is open: wires come in on the left and leave on the right. A loop or a map is
a `Group`: a box with a diagram inside, whose ports say which wires are states that go
round, which are single elements of a sequence, and which are merely led in.

Source: Joyal and Street 1991, "The geometry of tensor calculus"; the figures are those of
Olah 2015, "Neural Networks, Types, and Functional Programming".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...language import types as t
from ...language.source import Span


@dataclass(frozen=True, eq=False)
class Wire:
    """A value on its way. Its identity is the wire's: two wires of one type are two."""

    type: t.Type
    name: str = ""  # what the program calls it, if anything


@dataclass(frozen=True)
class Owner:
    """Whose weights a box has: their path in the program, and how many numbers they are
    (None while a size is open). Boxes of one owner share them."""

    path: tuple[str, ...]
    count: int | None


@dataclass(frozen=True, eq=False)
class Node:
    """A box, or a mark that stands for one.

    `shape` is "box"; "circle", an operator where wires meet; "source", a value without
    inputs; "zero"; "enter" and "leave", the half discs of a representation; "parameter",
    a function that is itself an argument. `before` and `after` name ports. `operation`
    and `held` say what it computes, for its derivative: a primitive's name, and for each
    argument the text of a constant or None for a wire. `origin` is where it is written. `key`
    names the use of a definition, as a box or open: `0.2` is the third one inside of the first.
    """

    shape: str
    label: str
    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]
    owner: Owner | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    operation: str = ""
    held: tuple[str | None, ...] = ()
    origin: Span | None = None
    key: str = ""


@dataclass(frozen=True)
class Port:
    """What one wire of a group's body is to the outside.

    "state" goes round, from the body's output back to its input; "element" is one of a
    sequence; "plain" is the outer wire itself. `outer` counts the group's own inputs or
    outputs; None where nothing is outside. `start` is what a state begins with, if that is
    no wire.
    """

    role: str
    outer: int | None = None
    start: Node | None = None


@dataclass(frozen=True, eq=False)
class Group(Node):
    """A box with its inside: a fold, a map, a window, an algebra, a function of functions."""

    body: Diagram = None  # type: ignore[assignment]
    entering: tuple[Port, ...] = ()
    leaving: tuple[Port, ...] = ()
    kind: str = "plain"  # "map", "loop", "window", "cata", "stack", "iterate"
    reverse: bool = False
    note: str = ""  # what is said below: "4 in a row"
    text: str = ""  # the function that is applied over and over, as it is written
    span: int = 1  # how many elements a window sees
    axes: int = 1  # over how many axes a window slides
    count: int | None = None  # how many steps there are, where that is known


@dataclass(frozen=True, eq=False)
class Diagram:
    inputs: tuple[Wire, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Wire, ...]

    def everywhere(self) -> Iterator[Node]:
        """All nodes, those inside groups after their group."""
        for node in self.nodes:
            yield node
            if isinstance(node, Group):
                yield from node.body.everywhere()
