"""A catamorphism over one tree: the algebra, and beside it a box for every constructor.

The tree stands on its leaves: what a box gives goes up to the box of its parent. All boxes
of one constructor are one alternative of the algebra, with the same weights.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as made_by
from itertools import pairwise
from typing import Any

import numpy

from ...runtime.data import DataValue
from .diagram import Diagram, Group, Node, Wire
from .layout import BOX, MARGIN, Layout, sequences, show
from .picture import IN_BOX, ON_WIRE, Box, Dot, Drawing, NotDrawn, Path, Picture, Text
from .ties import free

STOREY = 66  # from the boxes of one height to the next
MOST = 160  # boxes


@dataclass(eq=False)
class _Place:
    """A constructor in the tree: what it holds beside its children, and where it stands."""

    constructor: str
    payload: list[str]
    field: int = 0  # which of its fields the payload is
    children: list[_Place] = made_by(default_factory=list)
    x: float = 0
    height: int = 0  # above its lowest leaf


def folds(diagram: Diagram) -> Group | None:
    """The first catamorphism of a diagram."""
    for node in diagram.everywhere():
        if isinstance(node, Group) and node.kind == "cata":
            return node
    return None


def over_tree(diagram: Diagram, value: DataValue, representations: Sequence[str]) -> Picture:
    """The algebra of a diagram's catamorphism on the left, its run over a tree on the right.
    Raises NotDrawn where there is none, and where the tree is too large to look at."""
    group = folds(diagram)
    if group is None:
        raise NotDrawn("there is no cata in it")
    layout = Layout(representations, sequences(diagram))
    drawing = Drawing()
    algebra = _Algebra(group, layout)
    names = set(algebra.alternatives)
    if value.constructor not in names:
        raise NotDrawn(f"its cata takes {', '.join(sorted(names))}, not {value.constructor}")
    root, places = _places(value, names)
    width, height = algebra.draw(drawing)
    _draw_tree(root, places, algebra, layout, drawing, width + 40)
    lowest = max([height, *(box.bottom for box in drawing.boxes)]) + 44
    top = min(text.y for text in drawing.texts) - 14
    moved = Drawing()
    moved.add(drawing, MARGIN, MARGIN - min(top, 0))
    right = max(
        [text.left + text.width for text in moved.texts] + [box.right for box in moved.boxes]
    )
    return moved.picture(right + MARGIN, lowest + 2 * MARGIN - min(top, 0))


# --- the algebra ----------------------------------------------------------------------------------


class _Algebra:
    """The alternatives: what each takes, which weights it has."""

    def __init__(self, group: Group, layout: Layout) -> None:
        self.layout = layout
        self.node = group
        body = group.body
        fields = next(node for node in body.nodes if node.operation == "case")
        self.result = body.outputs[0]
        self.alternatives: dict[str, list[Wire]] = {}
        for name, wire in zip(fields.after, fields.outputs, strict=True):
            self.alternatives.setdefault(name.split()[0], []).append(wire)
        makers = {wire: node for node in body.nodes for wire in node.outputs}
        merge = makers.get(self.result)
        self.weights: dict[str, int | None] = {}
        if merge is None or merge.operation != "choice":
            return
        for name, wire in zip(merge.before, merge.inputs, strict=True):
            self.alternatives.setdefault(name, [])
            owners = {n.owner for n in _upstream(wire, makers) if n.owner is not None}
            if owners:
                counts = [owner.count for owner in owners]
                known = [count for count in counts if count is not None]
                self.weights[name] = sum(known) if len(known) == len(counts) else None

    def draw(self, drawing: Drawing) -> tuple[float, float]:
        """A tinted room with a box for each alternative; its width and height."""
        x, y = 18.0, 90.0
        for name, wires in self.alternatives.items():
            named = [show(wire) for wire in wires]
            wide = max(len(name) * IN_BOX + 20, sum(len(n) * ON_WIRE + 10 for n in named), 46)
            self._one(name, wires, named, x, y, wide, drawing)
            x += wide + 26
        width = max(x - 8, 90.0)
        drawing.put(
            Box("group", 0, 18, width, 160, self.node), Text(4, 12, "cata", "name"),
            Text(12, 40, show(self.result), "type"),
        )  # fmt: skip
        return width, 180

    def _one(
        self, name: str, wires: Sequence[Wire], named: Sequence[str], x: float, y: float,
        wide: float, drawing: Drawing,
    ) -> None:  # fmt: skip
        layout, middle = self.layout, x + wide / 2
        drawing.put(self.box(name, middle, y), Text(middle, y + 21, name, "box", "middle"))
        if name in self.weights:
            drawing.put(Dot(middle + self.width(name) / 2, y + BOX / 2, style="ring"))
        drawing.put(layout.path(self.result, (middle, y), (middle, 50), arrows=((0, 1.0),)))
        places = _spread(x, wide, named)
        ports = _ports(middle, len(wires), self.width(name))
        for wire, text, place, port in zip(wires, named, places, ports, strict=True):
            points = ((place, y + BOX + 32), (place, y + BOX + 18), (port, y + BOX + 18))
            drawing.put(layout.path(wire, *points, (port, y + BOX)))
            drawing.put(Text(place, y + BOX + 46, text, "type", "middle"))

    def width(self, name: str) -> float:
        return max(len(name) * IN_BOX + 20, 40)

    def box(self, name: str, middle: float, y: float) -> Box:
        width = self.width(name)
        return Box("box", middle - width / 2, y, width, BOX, Node("box", name, (), ()))


def _upstream(wire: Wire, makers: dict[Wire, Node]) -> Iterator[Node]:
    pending, seen = [wire], set()
    while pending:
        node = makers.get(pending.pop())
        if node is not None and node not in seen and node.operation != "case":
            seen.add(node)
            yield node
            if isinstance(node, Group):
                yield from node.body.everywhere()
            pending.extend(node.inputs)


def _spread(x: float, wide: float, named: Sequence[str]) -> list[float]:
    """The middles of labels side by side, about the middle of a stretch."""
    total = sum(len(name) * ON_WIRE + 10 for name in named)
    places, left = [], x + (wide - total) / 2
    for name in named:
        places.append(left + (len(name) * ON_WIRE + 10) / 2)
        left += len(name) * ON_WIRE + 10
    return places


def _ports(middle: float, count: int, width: float) -> list[float]:
    step = min(16.0, (width - 12) / max(count, 1))
    return [middle + step * (k - (count - 1) / 2) for k in range(count)]


# --- the tree -----------------------------------------------------------------------------


def _places(value: DataValue, names: set[str]) -> tuple[_Place, list[_Place]]:
    """All constructors of a tree, children before their parents."""
    root = _Place(value.constructor, [])
    found: list[_Place] = []
    pending: list[tuple[_Place, Any]] = [(root, value)]
    while pending:
        place, of = pending.pop()
        found.append(place)
        if len(found) > MOST:
            raise NotDrawn(f"its tree has more than {MOST} constructors: too many to look at")
        inside = list(enumerate(of.fields))
        while inside:
            number, part = inside.pop(0)
            if isinstance(part, DataValue) and part.constructor in names:
                child = _Place(part.constructor, [])
                place.children.append(child)
                pending.append((child, part))
            elif isinstance(part, tuple | list):
                inside = [*((number, each) for each in part), *inside]
            else:
                place.field = number if not place.payload else place.field
                place.payload.append(short(part))
    found.reverse()
    for place in found:
        place.height = max((child.height + 1 for child in place.children), default=0)
    return root, found


def short(value: Any) -> str:
    """A value as a few characters."""
    if isinstance(value, str | DataValue):
        text = str(value)
        return text if len(text) <= 12 else text[:11] + "…"
    array = numpy.asarray(value)
    if array.ndim == 0:
        return f"{array.item():.3g}"
    if array.size <= 2:
        return "[" + " ".join(f"{x:.2g}" for x in array.flat) + "]"
    return f"R[{','.join(map(str, array.shape))}]"


def _draw_tree(
    root: _Place, places: Sequence[_Place], algebra: _Algebra, layout: Layout, drawing: Drawing,
    left: float,
) -> None:  # fmt: skip
    wide = max(
        max(algebra.width(place.constructor), _room(place) * (2 if place.children else 1))
        for place in places
    )
    pitch = wide + 16
    x = left + wide / 2
    for place in _from_the_left(root):  # leaves in order, parents over their children
        if not place.children:
            place.x, x = x, x + pitch
    for place in places:
        if place.children:
            place.x = (place.children[0].x + place.children[-1].x) / 2
    base = 40 + STOREY * root.height

    def top(place: _Place) -> float:
        return base - STOREY * place.height

    result = algebra.result
    kept = {id(place): algebra.box(place.constructor, place.x, top(place)) for place in places}
    for place in places:
        box = kept[id(place)]
        label = Text(place.x, box.y + 21, place.constructor, "box", "middle", box.node)
        drawing.put(box, label)
        if place.constructor in algebra.weights:
            drawing.put(Dot(box.x, box.y + BOX / 2, style="ring"))
        count = len(place.children)
        for k, (child, port) in enumerate(
            zip(place.children, _ports(place.x, count, box.width), strict=True)
        ):
            # The outer children turn higher up, so that no wires cross.
            depth = min(k, count - 1 - k)
            lane = box.bottom + 10 + min(6.0, 18 / count) * depth
            points = ((child.x, top(child)), (child.x, lane), (port, lane), (port, box.bottom))
            drawing.put(layout.path(result, *points))
        _payload(place, box, algebra, layout, drawing)
    middle = root.x
    drawing.put(layout.path(result, (middle, top(root)), (middle, top(root) - 22),
                            arrows=((0, 1.0),)))  # fmt: skip
    drawing.put(Text(middle + 8, top(root) - 12, show(result), "type"))
    _ties(places, kept, algebra, drawing)


def _room(place: _Place) -> float:
    return len(" ".join(place.payload)) * ON_WIRE + 12 + (24 if place.children else 0)


def _payload(place: _Place, box: Box, algebra: _Algebra, layout: Layout, drawing: Drawing) -> None:
    """What a constructor holds: below a leaf, on the left of what has children."""
    if not place.payload:
        return
    wires = algebra.alternatives[place.constructor]
    wire = wires[min(place.field, len(wires) - 1)] if wires else algebra.result
    text = " ".join(place.payload)
    if place.children:
        y = box.bottom - 8
        drawing.put(layout.path(wire, (box.x - 16, y), (box.x, y)))
        drawing.put(Text(box.x - 19, y + 4, text, "type", "end"))
        return
    drawing.put(layout.path(wire, (place.x, box.bottom + 22), (place.x, box.bottom)))
    drawing.put(Text(place.x, box.bottom + 36, text, "type", "middle"))


def _ties(
    places: Sequence[_Place], boxes: dict[int, Box], algebra: _Algebra, drawing: Drawing
) -> None:
    """Boxes of one constructor have the same weights: said on the right, tied where there
    is a way from one to the next."""
    uses = Counter(place.constructor for place in places)
    right = max(box.right for box in boxes.values()) + 24
    taken: set[float] = set()
    for name, count in uses.items():
        if name not in algebra.weights:
            continue
        own = sorted(
            (boxes[id(place)] for place in places if place.constructor == name),
            key=lambda box: (box.y, box.x),
        )
        for a, b in pairwise(own):
            way = ((a.right, a.y + BOX / 2), (b.x, b.y + BOX / 2))
            if a.y == b.y and free(way, drawing, (a, b)):
                drawing.put(Path(way, "tie"))
        y = own[-1].y + 14
        while y in taken:
            y -= 40
        taken.add(y)
        drawing.put(Text(right, y, f"{count} use{'s' * (count > 1)} of one {name}", "note"))
        weights = algebra.weights[name]
        if weights is not None:
            said = f"{weights:,} weight" + "s" * (weights != 1)
            drawing.put(Text(right, y + 15, said, "note"))


def _from_the_left(root: _Place) -> Iterator[_Place]:
    pending = [root]
    while pending:
        place = pending.pop()
        yield place
        pending.extend(reversed(place.children))
