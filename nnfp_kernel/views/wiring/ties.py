"""Weights that are used in several places: a dotted tie through the rings of the boxes.

A tie never crosses a box. Where there is no way for one, the rings get a letter, and the
letter is explained below the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from string import ascii_lowercase

from .diagram import Owner
from .picture import Box, Dot, Drawing, Path, Point, Text

LANE = 12  # above the boxes


def tie(drawing: Drawing, width: float, height: float) -> float:
    """Join the boxes of one owner, and say what they share; the picture's new height."""
    shared: dict[tuple[str, ...], list[Box]] = {}
    owners: dict[tuple[str, ...], Owner] = {}
    for box in drawing.boxes:
        if box.node is not None and box.node.owner is not None:
            owners[box.node.owner.path] = box.node.owner
            shared.setdefault(box.node.owner.path, []).append(box)
    said: list[str] = []
    letters = iter(ascii_lowercase)
    for path, boxes in shared.items():
        if len(boxes) < 2:
            continue
        first = boxes[0].node
        assert first is not None
        text = f"one {first.label}"
        if (number := owners[path].count) is not None:
            text += f", {number:,} {'weight' if number == 1 else 'weights'}"
        ordered = sorted(boxes, key=lambda box: (box.y, box.x))
        ways = [_way(a, b, drawing) for a, b in pairwise(ordered)]
        if all(way is not None for way in ways):
            drawing.dots = [d for d in drawing.dots if not any(_on(d, box) for box in boxes)]
            for way in ways:
                assert way is not None
                drawing.put(Path(way, "tie"))
                drawing.put(*(Dot(x, y, style="ring") for x, y in (way[0], way[-1])))
            said.append(f"○┄○ {text}")
            continue
        letter = next(letters, "*")
        for box in boxes:
            drawing.put(Text(box.right - 5, box.y - 3, letter, "port"))
        said.append(f"○ {letter}: {text}, used {len(boxes)} times")
    for line in said:
        drawing.put(Text(8, height + 14, line, "note"))
        height += 18
    return height


def _on(dot: Dot, box: Box) -> bool:
    """Whether a dot is the ring of a box."""
    return dot.style == "ring" and dot.y == box.y and box.x < dot.x < box.right


def _way(a: Box, b: Box, drawing: Drawing) -> tuple[Point, ...] | None:
    """Straight down from one box to another, or over the top of two side by side."""
    low, high = max(a.x, b.x) + 8, min(a.right, b.right) - 8
    if b.y > a.bottom and low <= high:
        for x in ((low + high) / 2, high, low):
            down = ((x, a.bottom), (x, b.y))
            if free(down, drawing, (a, b)):
                return down
    if abs(a.y - b.y) < 1:
        left, right = sorted((a, b), key=lambda box: box.x)
        over = a.y - LANE
        way = (
            (left.right - 10, left.y), (left.right - 10, over),
            (right.right - 10, over), (right.right - 10, right.y),
        )  # fmt: skip
        if free(way, drawing, (a, b)):
            return way
    return None


def free(way: Sequence[Point], drawing: Drawing, ends: Sequence[object]) -> bool:
    """Whether a way runs through no box but its ends, and through no words."""
    for (x0, y0), (x1, y1) in pairwise(way):
        left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
        for box in drawing.boxes:
            if box.style == "group" or box in ends:
                continue
            if left < box.right and right > box.x and top < box.bottom and bottom > box.y:
                return False
        for text in drawing.texts:
            if text.style in ("type", "name") and (
                left < text.left + text.width and right > text.left
                and top < text.y and bottom > text.y - 10
            ):  # fmt: skip
                return False
        if top < 2:
            return False
    return True
