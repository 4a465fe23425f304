"""Values of `data` types: as text by indentation, and drawn as their shape.

    Node
    ├─ Node
    │  ├─ Leaf 1
    │  └─ Leaf 2
    └─ Leaf 3

A tree may be thousands of nodes deep, and no one looks at thousands of nodes: what is
shown is cut off at a depth and at a number of nodes, and says how much is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy

from ...runtime.data import DataValue
from .numbers import array_of, array_text, largest, number
from .pictures import Drawn, cells, coordinate, text

ON_A_LINE = 88  # characters
LINES = 60
DEPTH = 16  # of text
NODES = 48  # of a drawing
LEVELS = 8
CELL = 15.0  # of the strip of a payload
CHARACTER = 7.3
GAP, LEVEL = 18.0, 46.0


def is_tree(value: Any) -> bool:
    return isinstance(value, DataValue)


def children(value: DataValue) -> list[DataValue]:
    """The values of data types among the fields, also in products and sequences."""
    found: list[DataValue] = []
    pending = list(reversed(value.fields))
    while pending:
        part = pending.pop()
        if isinstance(part, DataValue):
            found.append(part)
        elif isinstance(part, tuple | list):
            pending.extend(reversed(part))
    return found


def payload(value: DataValue) -> list[Any]:
    """What else is in the fields: numbers and arrays."""
    found: list[Any] = []
    pending = list(reversed(value.fields))
    while pending:
        part = pending.pop()
        if isinstance(part, tuple) or (isinstance(part, list) and array_of(part) is None):
            pending.extend(reversed(part))
        elif not isinstance(part, DataValue) and numpy.size(part):
            found.append(part)
    return found


def extent(value: DataValue) -> str:
    """How large a tree is: `5 nodes, depth 3, 12 numbers`.

    >>> leaf = DataValue("Leaf", (1.0,))
    >>> extent(DataValue("Node", (leaf, leaf)))
    '3 nodes, depth 2, 2 numbers'
    """
    count = depth = numbers = 0
    pending = [(value, 1)]
    while pending:
        node, level = pending.pop()
        count, depth = count + 1, max(depth, level)
        numbers += sum(numpy.size(part) for part in payload(node))
        pending += [(child, level + 1) for child in children(node)]
    told = [
        f"{n:,} {word}{'s' * (n != 1)}" for n, word in ((count, "node"), (numbers, "number")) if n
    ]
    return ", ".join([told[0], *([f"depth {depth}"] if depth > 1 else []), *told[1:]])


# --- as text ------------------------------------------------------------------------------------


def to_text(value: DataValue) -> str:
    """On one line, as it is read back, if that is short; else a line a node.

    >>> leaf = DataValue("Leaf", (1.0,))
    >>> print(to_text(DataValue("Node", (leaf, leaf))))
    Node (Leaf 1) (Leaf 1)
    """
    line = _line(value, ON_A_LINE)
    if line is not None:
        return line
    lines = list(islice(_lines(value), LINES + 1))
    return "\n".join(lines if len(lines) <= LINES else [*lines[:LINES], "…"])


def _line(value: Any, room: int) -> str | None:
    """A value on a line of so many characters, if there is room; arguments in brackets."""
    pieces: list[str] = []
    pending: list[Any] = [value]
    first = True
    while pending:
        if sum(map(len, pieces)) > room:
            return None
        part = pending.pop()
        if isinstance(part, _Piece):
            pieces.append(part)
        elif isinstance(part, DataValue):
            opened = bool(part.fields) and not first
            pieces.append("(" * opened + part.constructor)
            inside = [each for one in part.fields for each in (_Piece(" "), one)]
            pending.extend(reversed([*inside, _Piece(")" * opened)]))
        elif isinstance(part, tuple) or (isinstance(part, list) and array_of(part) is None):
            left, right = "()" if isinstance(part, tuple) else "[]"
            inside = [each for one in part for each in (_Piece(", "), one)][1:]
            pending.extend(reversed([_Piece(left), *inside, _Piece(right)]))
        else:
            pieces.append(_numbers(part))
        first = False
    line = "".join(pieces)
    return line if len(line) <= room and "\n" not in line else None


class _Piece(str):
    """Text between values."""


def _numbers(part: Any) -> str:
    array = array_of(part)
    if array is not None and array.ndim == 0:
        return number(array.item())
    return array_text(part, 6).replace("\n", "")


def _lines(value: DataValue) -> Iterator[str]:
    pending: list[tuple[DataValue, str, str, int]] = [(value, "", "", 0)]
    while pending:
        node, before, below, depth = pending.pop()
        yield before + " ".join([node.constructor, *map(_numbers, payload(node))])
        kept = children(node)
        if kept and depth >= DEPTH:
            yield f"{below}└─ …"
            continue
        rows = [
            (child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))
            for child, last in ((c, k == len(kept) - 1) for k, c in enumerate(kept))
        ]
        pending.extend((*row, depth + 1) for row in reversed(rows))


# --- drawn --------------------------------------------------------------------------------------


@dataclass
class _Node:
    """A node in a drawing: its name, its strips of numbers, its place."""

    name: str
    strips: list[numpy.ndarray] = field(default_factory=list)
    children: list[_Node] = field(default_factory=list)
    x: float = 0.0  # the middle
    depth: int = 0

    @property
    def width(self) -> float:
        strips = sum(len(strip) * CELL for strip in self.strips) + 6 * (len(self.strips) - 1)
        return max(len(self.name) * CHARACTER, strips if self.strips else 0)


def draw(value: DataValue) -> Drawn:
    """A tree as its shape: constructors by name, payload as strips or numbers."""
    root, nodes = _shape(value)
    _place(root)
    left = min(node.x - node.width / 2 for node in nodes)
    for node in nodes:
        node.x -= left
    scale = max((largest(strip) for node in nodes for strip in node.strips), default=0.0)
    body, bottom = "", 0.0
    for node in nodes:
        top = LEVEL * node.depth
        low = top + (38 if node.strips else 17)
        for child in node.children:
            ends = (node.x, low, child.x, LEVEL * child.depth + (0 if child.strips else 2))
            x0, y0, x1, y1 = map(coordinate, ends)
            body += f'<path class="branch" d="M{x0} {y0}L{x1} {y1}"/>'
        body += _drawn(node, top, scale)
        bottom = max(bottom, low)
    width = max(node.x + node.width / 2 for node in nodes)
    return Drawn(body, width + 1, bottom + 4, "as text")


def _drawn(node: _Node, top: float, scale: float) -> str:
    """A node's name; one with numbers has them as strips above it."""
    if not node.strips:
        return text(node.x, top + 14, node.name, "middle", "name")
    body, at = text(node.x, top + 34, node.name, "middle", "leaf"), 0.0
    at = node.x - (sum(len(s) * CELL for s in node.strips) + 6 * (len(node.strips) - 1)) / 2
    for strip in node.strips:
        end = len(strip) * CELL
        place = f'x="{coordinate(at - 0.5)}" y="{top + 1:g}" width="{coordinate(end)}" height="17"'
        body += f'<rect class="frame" {place}/>'
        body += cells(strip, at, top + 1.5, CELL, 16, scale)
        at += end + 6
    return body


def _shape(value: DataValue) -> tuple[_Node, list[_Node]]:
    """The nodes that are drawn, level by level, as many as one can look at."""
    root = _node(value, 0)
    nodes, level = [root], [(root, value)]
    while level:
        below: list[tuple[_Node, DataValue]] = []
        for node, one in level:
            inside = children(one)
            room = NODES - len(nodes)
            if inside and (node.depth >= LEVELS or room <= 0):
                node.children = [_Node("…", depth=node.depth + 1)]
                nodes += node.children
                continue
            kept = inside if len(inside) <= 12 else inside[:11]
            made = [_node(child, node.depth + 1) for child in kept]
            below += list(zip(made, kept, strict=True))
            if len(kept) < len(inside):
                made.append(_Node(f"… {len(inside) - len(kept):,} more", depth=node.depth + 1))
            node.children = made
            nodes += made
        level = below
    return root, nodes


def _node(value: DataValue, depth: int) -> _Node:
    """A node: its vectors of up to eight numbers are strips, numbers stand after its name."""
    name, strips = [value.constructor], []
    for part in payload(value):
        array = array_of(part)
        if array is None or array.ndim == 0:
            name.append(number(array.item()) if array is not None else str(part))
        elif array.ndim == 1 and array.size <= 8 and array.dtype.kind == "f":
            strips.append(array.astype(float))
        else:
            name.append("×".join(map(str, array.shape)) + " numbers" * (array.ndim == 1))
    shown = " ".join(name[:4]) + " …" * (len(name) > 4)
    return _Node(shown if len(shown) <= 24 else shown[:23] + "…", strips[:3], depth=depth)


def _place(root: _Node) -> None:
    """Every node above the middle of its children, subtrees as near as they go."""
    _beside(root)
    pending = [(root, 0.0)]
    while pending:
        node, parent = pending.pop()
        node.x += parent
        pending += [(child, node.x) for child in node.children]


def _beside(node: _Node) -> list[tuple[float, float]]:
    """Place a node's children beside each other, seen from it; gives how far its tree
    reaches to the left and to the right on each level. It is `LEVELS` deep at most."""
    reaches: list[list[tuple[float, float]]] = []
    right: list[float] = []  # how far what is placed already reaches, on each level
    for child in node.children:
        reach = _beside(child)
        child.x = max((r + GAP - left for r, (left, _) in zip(right, reach, strict=False)),
                      default=0.0)  # fmt: skip
        right[: len(reach)] = [child.x + end for _, end in reach]
        reaches.append(reach)
    if node.children:
        middle = (node.children[0].x + node.children[-1].x) / 2
        for child in node.children:
            child.x -= middle
    found = [(-node.width / 2, node.width / 2)]
    for level in range(max(map(len, reaches), default=0)):
        ends = [
            (child.x + reach[level][0], child.x + reach[level][1])
            for child, reach in zip(node.children, reaches, strict=True)
            if level < len(reach)
        ]
        found.append((min(end[0] for end in ends), max(end[1] for end in ends)))
    return found
