"""From a diagram to a picture: columns from left to right, wires with square bends.

`f >> g` stands left to right, `f *** g` one above the other, because that is how their
wires go; a loop is a tinted group whose states go back over the top. A chain that is
wider than the page goes on in a further row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from ...language import types as t
from .diagram import Diagram, Group, Node, Wire
from .layers import Item, arranged
from .picture import IN_BOX, ON_WIRE, READING, Block, Box, Dot, Drawing, Path, Picture, Text, tidy
from .rows import Plan
from .ties import tie

WIDTH = 760
BOX, PORT = 34, 20  # the height of a box, and of each further port
MARGIN = 8
NARROW = 22  # a band is at least so wide
TITLE = 18  # above a group, for its name


def picture(diagram: Diagram, representations: Sequence[str], width: float = WIDTH) -> Picture:
    """The diagram as a picture, at most so wide where its boxes allow."""
    drawing, size = laid_out(Layout(representations, sequences(diagram)), diagram, width)
    return finished(drawing, *size)


def laid_out(layout: Layout, diagram: Diagram, width: float) -> tuple[Drawing, tuple[float, float]]:
    """A diagram in its place, with a margin around it; its width and height."""
    block = layout.block(diagram, width - 2 * MARGIN)
    drawing = Drawing()
    drawing.add(block.drawing, MARGIN, MARGIN)
    return drawing, (block.width + 2 * MARGIN, block.height + 2 * MARGIN)


def finished(drawing: Drawing, width: float, height: float) -> Picture:
    """The picture, weights that are used in several places tied."""
    drawing.boxes = [*bands(drawing), *drawing.boxes]
    height = tie(drawing, width, height)
    right = max([width, *(text.left + text.width + 4 for text in drawing.texts)])
    return drawing.picture(right, height)


def bands(drawing: Drawing) -> Iterator[Box]:
    """Where several wires of one representation run side by side, with nothing between
    them: a tinted band says that they meet in it."""
    level: dict[int, list[tuple[float, float, float, Wire | None]]] = {}
    for path in drawing.paths:
        for (x0, y0), (x1, y1) in pairwise(path.points):
            if path.colour is not None and y0 == y1 and abs(x1 - x0) >= NARROW:
                stroke = (y0, min(x0, x1), max(x0, x1), path.wire)
                level.setdefault(path.colour, []).append(stroke)
    for colour, strokes in level.items():
        strokes.sort(key=lambda stroke: stroke[:3])
        while len(strokes) > 1:
            y, left, right, wire = strokes.pop(0)
            low, met = y, [wire]
            for other in strokes[:]:
                inside = max(left, other[1]), min(right, other[2])
                if inside[1] - inside[0] >= NARROW and other[3] not in met:
                    left, right = inside
                    low = other[0]
                    met.append(other[3])
                    strokes.remove(other)
            band = Box("band", left + 2, y - 18, right - left - 4, low - y + 30, None, colour)
            if len(met) > 1 and not any(_overlap(band, box) for box in drawing.boxes):
                yield band


def _overlap(a: Box, b: Box) -> bool:
    return a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom


def sequences(diagram: Diagram) -> set[Wire]:
    """The wires that are sequences: their elements are taken one by one, or are to be."""
    found: set[Wire] = set()
    for node in diagram.everywhere():
        if isinstance(node, Group) and node.kind in ("map", "loop", "window"):
            for port in node.entering:
                if port.role == "element" and port.outer is not None:
                    found.add(node.inputs[port.outer])
            for port, inner in zip(node.leaving, node.body.outputs, strict=True):
                if port.outer is not None and (
                    port.role == "element" or node.outputs[port.outer].type != inner.type
                ):
                    found.add(node.outputs[port.outer])
    nodes = list(diagram.everywhere())
    for node in (*reversed(nodes), *nodes):  # what is led in and out of a group, too
        if not isinstance(node, Group):
            continue
        for ports, outside, inside in (
            (node.entering, node.inputs, node.body.inputs),
            (node.leaving, node.outputs, node.body.outputs),
        ):
            for port, wire in zip(ports, inside, strict=True):
                if port.role == "plain" and port.outer is not None:
                    pair = {wire, outside[port.outer]}
                    found |= pair if pair & found else set()
    wires = {wire for node in diagram.everywhere() for wire in (*node.inputs, *node.outputs)}
    return found | {wire for wire in wires.union(diagram.inputs) if _runtime(wire.type)}


def _runtime(type: t.Type) -> bool:
    if not isinstance(type, t.Array):
        return False
    length = type.length.lone_variable
    return length is not None and length.runtime


class Layout:
    """How things look: knows the session's representations and which wires are sequences."""

    def __init__(
        self,
        representations: Sequence[str],
        sequences: set[Wire],
        room: Callable[[Node], int] = lambda node: len(node.label),
    ) -> None:
        self.representations = {name: k for k, name in enumerate(representations)}
        self.sequences = sequences
        self.room = room  # for how many characters a box has room

    def colour(self, wire: Wire) -> int | None:
        """The number of the representation that flows on a wire."""
        type = wire.type
        while isinstance(type, t.Array):
            type = type.element
        return self.representations.get(type.name) if isinstance(type, t.Named) else None

    def path(
        self, wire: Wire, *points: tuple[float, float], arrows: tuple[tuple[int, float], ...] = ()
    ) -> Path:
        return Path(tidy(points), "wire", self.colour(wire), wire in self.sequences, arrows, wire)

    # --- a diagram --------------------------------------------------------------------------

    def block(self, diagram: Diagram, limit: float, group: Group | None = None) -> Block:
        """A diagram where it stands alone, or as the body of a group."""
        inputs, nodes, outputs = self.items(diagram, limit, group)
        layers = arranged([*inputs, *nodes, *outputs])
        plan = Plan(self, layers, self._labels(diagram, group), limit, group is None)
        return plan.block(inputs, outputs)

    def items(
        self, diagram: Diagram, limit: float, group: Group | None
    ) -> tuple[list[Item], list[Item], list[Item]]:
        """What is to be placed: inputs, nodes, outputs."""
        return (
            [self.end(wire, True) for wire in diagram.inputs],
            [self.item(node, limit) for node in diagram.nodes],
            [self.end(wire, False) for wire in diagram.outputs],
        )

    def end(self, wire: Wire, comes: bool) -> Item:
        """Where a wire comes into the diagram, or leaves it."""
        if comes:
            return Item(0, 0, (), (0,), (), (wire,), wire, fixed=True, gap=PORT)
        return Item(0, 0, (0,), (), (wire,), (), wire, fixed=True, gap=PORT)

    def _labels(self, diagram: Diagram, group: Group | None) -> dict[Wire, str]:
        """What is said on wires, at their beginnings: types, where they change. In a group,
        not what is said already outside of it."""
        if group is not None and len(diagram.nodes) <= 1:
            return {}
        said: dict[Wire, str] = {}
        for k, wire in enumerate(diagram.inputs):
            if group is None:
                said[wire] = f"{wire.name} : {show(wire)}" if wire.name else show(wire)
            elif group.entering[k].role == "element":
                said[wire] = show(wire)
        told = set() if group is None else {
            wire
            for wire, port in zip(diagram.outputs, group.leaving, strict=True)
            if port.role == "plain"
        }  # fmt: skip
        for node in diagram.nodes:
            before = {t.show(wire.type) for wire in node.inputs}
            for wire in node.outputs:
                changes = before != {t.show(wire.type)}
                if wire not in told and (changes or (group is None and wire in diagram.outputs)):
                    said[wire] = show(wire)
        return said

    # --- boxes --------------------------------------------------------------------------------

    def item(self, node: Node, limit: float) -> Item:
        """A node's room: how large it is, and where its ports are."""
        if isinstance(node, Group):
            block = self.group(node, limit)
            return Item(
                block.width, block.height, tuple(block.entering), tuple(block.leaving),
                node.inputs, node.outputs, block, gap=22,
            )  # fmt: skip
        rows = max(len(node.inputs), len(node.outputs), 1)
        match node.shape:
            case "circle":
                height = max(26.0, 13.0 * rows)
                width, gap = max(26.0, self.room(node) * IN_BOX + 10), 14
                ports = 13.0
            case "zero":
                width, height, gap, ports = 16, 16, 10, PORT
            case "enter" | "leave":
                width, height, gap, ports = 9, max(18, PORT * rows), 11, PORT
            case "source":
                width, height, gap = len(node.label) * IN_BOX + 20, max(26, PORT * rows), 14
                ports = PORT
            case _ if node.before or node.after:
                named = max(map(len, node.before), default=0), max(map(len, node.after), default=0)
                width = sum(ON_WIRE * n + 7 for n in named if n) + 14
                width = max(width, len(node.label) * IN_BOX + 20)
                top = PORT if node.label else 2
                height, gap = top + PORT * rows + 4, 22
                places = tuple(top + PORT * (k + 0.5) for k in range(rows))
                return Item(
                    width, height, places[: len(node.inputs)] if len(node.inputs) == rows
                    else _spread(len(node.inputs), top, height - top, PORT),
                    places[: len(node.outputs)] if len(node.outputs) == rows
                    else _spread(len(node.outputs), top, height - top, PORT),
                    node.inputs, node.outputs, node, gap=gap,
                )  # fmt: skip
            case _:
                width = max(self.room(node) * IN_BOX + 22, 36)
                height, gap, ports = BOX + PORT * (rows - 1) * 0.8, 22, PORT
                height = max(height, PORT * rows)
        return Item(
            width, height,
            _spread(len(node.inputs), 0, height, ports),
            _spread(len(node.outputs), 0, height, ports),
            node.inputs, node.outputs, node, gap=gap,
            commutes=node.shape == "circle" and node.label in ("+", "*"),
        )  # fmt: skip

    def drawn(self, item: Item, drawing: Drawing) -> None:
        """A node where it stands."""
        node = item.content
        if isinstance(node, Block):
            drawing.add(node.drawing, item.x, item.y)
            return
        if not isinstance(node, Node):
            return
        x, y, middle = item.x, item.y, item.y + item.height / 2
        style = node.shape
        if style == "circle" and item.width > 2 * item.height:  # room for a longer derivative
            style = "box"
        colour = None
        if node.shape == "enter":
            colour = self.colour(node.outputs[0])
        if node.shape == "leave":
            colour = self.colour(node.inputs[0])
        if node.shape == "zero" and node.outputs:
            colour = self.colour(node.outputs[0])
        drawing.put(Box(style, x, y, item.width, item.height, node, colour))
        if node.shape in ("enter", "leave"):
            return
        label = "0" if node.shape == "zero" else node.label
        if node.before or node.after:
            drawing.put(Text(x + item.width / 2, y + 16, label, "box", "middle", node))
            for name, port in zip(node.before, item.entering, strict=False):
                drawing.put(Text(x + 7, y + port + 3.5, name, "port", of=node))
            for name, port in zip(node.after, item.leaving, strict=False):
                drawing.put(Text(x + item.width - 7, y + port + 3.5, name, "port", "end", node))
        else:
            drawing.put(Text(x + item.width / 2, middle + 4, label, "box", "middle", node))
        if node.owner is not None:
            drawing.put(Dot(x + item.width - 10, y, style="ring"))

    # --- groups ---------------------------------------------------------------------------------

    def group(self, group: Group, limit: float) -> Block:
        """A tinted room around a body; states go back over the top, elements come and go
        through dots on its edges."""
        states = [k for k, port in enumerate(group.entering) if port.role == "state"]
        started = [k for k in states if group.entering[k].start is not None]
        outer = [k for k in states if k not in started]
        glyph = {1: 44, 2: 66}.get(group.axes, 66) if group.kind == "window" else 0
        left = 26 + glyph + sum(self._start_width(group, k) + 24 for k in started) + 14 * len(outer)
        back = len(group.body.outputs) if group.kind == "cata" else 0
        right = 26 + 12 * (len(states) + back)
        inner = self.block(group.body, max(limit - left - right, 120), group)
        loops = len(states) + back
        top = TITLE + 14 + 13 * loops
        drawing = Drawing()
        width = left + inner.width + right
        width = max(width, len(group.label) * IN_BOX + 8)
        bottom = top + inner.height + 14
        drawing.put(
            Box("group", 0, TITLE, width, bottom - TITLE, group),
            Text(4, 12, group.label, "name"),
        )
        drawing.add(inner.drawing, left, top)
        entering: dict[int, float] = {}
        leaving: dict[int, float] = {}
        x = left - 12.0
        for number, k in enumerate(states):
            x = self._loop(group, k, number, x, left, top, width, inner, entering, leaving, drawing)
        for k, port in enumerate(group.entering):
            if port.role == "state" or port.outer is None:
                continue
            y = top + inner.entering[k]
            wire = group.body.inputs[k]
            if port.outer in entering:  # one more part of the same elements
                drawing.put(
                    self.path(wire, (0, entering[port.outer]), (12, entering[port.outer]), (12, y),
                              (left, y))
                )  # fmt: skip
                continue
            entering[port.outer] = y
            if group.kind == "window":
                self._window(group, wire, 12, glyph, y, drawing)
                drawing.put(self.path(wire, (glyph, y), (left, y)))
            else:
                drawing.put(self.path(wire, (0, y), (left, y)))
            if port.role == "element":
                drawing.put(Dot(0, y, self.colour(wire), "edge", wire))
        for k, port in enumerate(group.leaving):
            if port.outer is None or port.outer in leaving:
                continue
            y = top + inner.leaving[k]
            wire = group.body.outputs[k]
            leaving[port.outer] = y
            drawing.put(self.path(wire, (left + inner.width, y), (width, y)))
            if port.role == "element":
                drawing.put(Dot(width, y, self.colour(wire), "edge", wire))
        if group.kind == "cata":
            self._children(group, left, top, width, inner, drawing)
        height = bottom
        if group.note:
            drawing.put(Text(4, bottom + 14, group.note, "note"))
            height += 18
            width = max(width, len(group.note) * READING + 8)
        return Block(
            width, height,
            [entering[k] for k in range(len(group.inputs))],
            [leaving[k] for k in range(len(group.outputs))],
            drawing,
        )  # fmt: skip

    def _start_width(self, group: Group, k: int) -> float:
        start = group.entering[k].start
        assert start is not None
        return 16 if start.shape == "zero" else len(start.label) * IN_BOX + 16

    def _loop(
        self, group: Group, k: int, number: int, x: float, left: float, top: float, width: float,
        inner: Block, entering: dict[int, float], leaving: dict[int, float], drawing: Drawing,
    ) -> float:  # fmt: skip
        """A state: from the body's right edge over the top to its left one. The first is the
        innermost. Answers where there is room on the left for the next."""
        port = group.entering[k]
        wire = group.body.inputs[k]
        y_in, y_out = top + inner.entering[k], top + inner.leaving[k]
        over = top - 12 - 13 * number
        x_out = left + inner.width + 12 + 12 * number
        out = group.leaving[k]
        goes_on = out.outer is not None
        colour = self.colour(wire)
        drawing.put(
            self.path(
                wire, (left + inner.width, y_out), (x_out, y_out), (x_out, over), (x, over),
                (x, y_in), arrows=((2, 0.5),),
            )
        )  # fmt: skip
        drawing.put(Dot(x, y_in, colour, "join", wire))
        if goes_on:
            assert out.outer is not None
            leaving[out.outer] = y_out
            drawing.put(
                self.path(wire, (x_out, y_out), (width, y_out)),
                Dot(x_out, y_out, colour, "copy", wire),
            )
            if group.outputs[out.outer] in self.sequences and wire not in self.sequences:
                drawing.put(Dot(width, y_out, colour, "edge", wire))
        if port.start is None:
            assert port.outer is not None
            entering[port.outer] = y_in
            drawing.put(self.path(wire, (0, y_in), (left, y_in)))
            return x - 14
        room = self._start_width(group, k)
        start = x - 12 - room
        drawing.put(self.path(wire, (start + room / 2, y_in), (left, y_in)))
        height = 16 if port.start.shape == "zero" else 24
        item = Item(room, height, (), (), content=port.start, x=start, y=y_in - height / 2)
        self.drawn(item, drawing)
        return start - 12

    def _window(
        self, group: Group, wire: Wire, x: float, end: float, y: float, drawing: Drawing
    ) -> None:
        """A window that slides: some elements, a frame around those it sees now, and where
        it stands next; over a plane where it slides along two axes."""
        plane, size = group.axes > 1, 8
        seen = min(group.span, 3 if plane else 4)
        cells, wide = seen + 2, size * seen if plane else size
        top, left = y - size * seen / 2 - size, x + 6
        drawing.put(self.path(wire, (0, y), (left if plane else x, y)))
        for row in range(cells):
            for k in range(cells if plane else 1):
                corner = left + k * size, top + row * size
                drawing.put(Box("cell", *corner, size, size, None, self.colour(wire)))
        framed = left + (size if plane else 0)
        drawing.put(
            Box("frame", framed - 3, top + size - 2, wide + 6, seen * size + 4),
            Box("ghost", framed - 3 + (size if plane else 0), top + size - 2 + (
                0 if plane else size), wide + 6, seen * size + 4),
        )  # fmt: skip
        across = cells * size if plane else size + 3
        drawing.put(self.path(wire, (left + across, y), (end, y)))

    def _children(
        self, group: Group, left: float, top: float, width: float, inner: Block, drawing: Drawing
    ) -> None:
        """The result of a tree is what its parent sees in its place."""
        cases = [box for box in drawing.boxes if box.node is group.body.nodes[0]]
        if not cases:
            return
        case = cases[0]
        for k, (wire, leaving) in enumerate(zip(group.body.outputs, inner.leaving, strict=True)):
            y, over, x = top + leaving, top - 12 - 13 * k, left + inner.width + 12 + 12 * k
            middle = case.x + case.width / 2 - 10 * k
            drawing.put(
                self.path(wire, (left + inner.width, y), (x, y)),
                self.path(
                    wire, (x, y), (x, over), (middle, over), (middle, case.y), arrows=((1, 0.5),)
                ),
                Dot(x, y, self.colour(wire), "copy", wire),
            )


def _spread(number: int, top: float, height: float, ports: float) -> tuple[float, ...]:
    """Ports evenly about the middle of a side."""
    middle = top + height / 2
    return tuple(middle + ports * (k - (number - 1) / 2) for k in range(number))


def show(wire: Wire) -> str:
    """A wire's type, no longer than there is room for."""
    text = t.show(wire.type)
    return text if len(text) <= 22 else text[:21] + "…"
