"""From a diagram to a picture: columns from left to right, wires with square bends.

`f >> g` stands left to right, `f *** g` one above the other, because that is how their
wires go; a loop is a tinted group whose states go back over the top. A chain that is
wider than the page goes on in a further row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from ...language import types as t
from .diagram import Diagram, Group, Node, Wire
from .layers import Item, Layers, Link, arranged
from .picture import IN_BOX, ON_WIRE, READING, Box, Dot, Drawing, Path, Picture, Text
from .ties import tie

WIDTH = 760
BOX, PORT = 34, 20  # the height of a box, and of each further port
GAP, TRACK = 26, 10  # between columns, and between wires side by side in there
MARGIN = 8
WIDER = 1.35  # than the page, at most: it is then shown smaller
TITLE = 18  # above a group, for its name


@dataclass
class Block:
    """A diagram in its place: the heights of its inputs on its left edge and of its outputs
    on its right one."""

    width: float
    height: float
    entering: list[float]
    leaving: list[float]
    drawing: Drawing = field(default_factory=Drawing)


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
    height = tie(drawing, width, height)
    right = max([width, *(text.left + text.width + 4 for text in drawing.texts)])
    return drawing.picture(right, height)


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
        plan = _Plan(self, layers, self._labels(diagram, group), limit, group is None)
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
        glyph = 44 if group.kind == "window" else 0
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
                self._window(group, wire, 12, y, drawing)
                drawing.put(self.path(wire, (44, y), (left, y)))
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

    def _window(self, group: Group, wire: Wire, x: float, y: float, drawing: Drawing) -> None:
        """A window that slides: some elements, a frame around those it sees now, and where
        it stands next."""
        seen = min(group.span, 4)
        cells, size = seen + 2, 8
        top = y - size * seen / 2 - size
        drawing.put(self.path(wire, (0, y), (x, y)))
        for k in range(cells):
            drawing.put(Box("cell", x + 6, top + k * size, size, size, None, self.colour(wire)))
        drawing.put(
            Box("frame", x + 3, top + size - 2, size + 6, seen * size + 4),
            Box("ghost", x + 3, top + 2 * size - 2, size + 6, seen * size + 4),
        )
        drawing.put(self.path(wire, (x + 17, y), (44, y)))

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


# --- columns, channels and rows -------------------------------------------------------------


@dataclass
class _Channel:
    """Between two columns: where labels stand, then the tracks of wires that go up or down."""

    labels: float
    tracks: dict[Wire, int]
    width: float


class _Plan:
    """The columns of a diagram on paper: widths, tracks, rows; then the drawing."""

    def __init__(
        self, layout: Layout, layers: Layers, labels: dict[Wire, str], limit: float, arrows: bool
    ) -> None:
        self.layout, self.layers, self.labels, self.arrows = layout, layers, labels, arrows
        self.widths = [max((i.width for i in c), default=0.0) for c in layers.columns]
        self.channels = [self._channel(k) for k in range(len(layers.columns))]
        self.rows = self._rows(limit)

    def _channel(self, k: int) -> _Channel:
        last = k == len(self.layers.columns) - 1
        links = self.layers.links[k] if not last else []
        room = 0.0
        for item in self.layers.columns[k]:
            for wire in item.outputs if not item.passing else ():
                if wire in self.labels:
                    beside = self.widths[k] - item.width - self._beside(item, k)
                    room = max(room, len(self.labels[wire]) * ON_WIRE + 12 - beside)
        spans: dict[Wire, tuple[float, float, float]] = {}
        for link in links:
            low, high, start = spans.get(link.wire, (link.start, link.start, link.start))
            spans[link.wire] = min(low, link.end), max(high, link.end), start
        bent = {wire: span for wire, span in spans.items() if span[1] - span[0] > 0.5}
        # Of wires that go down the lower turns first, of those that go up the upper one.
        down = sorted((w for w in bent if bent[w][1] > bent[w][2]), key=lambda w: -bent[w][2])
        up = sorted((w for w in bent if w not in down), key=lambda w: bent[w][2])
        tracks: dict[Wire, int] = {}
        for wire in (*down, *up):
            low, high, _ = bent[wire]
            for track in count(0):
                if all(
                    bent[other][0] > high + 4 or bent[other][1] < low - 4
                    for other, used in tracks.items()
                    if used == track
                ) and track >= self._after(wire, bent, tracks):
                    tracks[wire] = track
                    break
        across = TRACK * (max(tracks.values(), default=-1) + 1)
        width = max(GAP, room + across + (10 if tracks else 2)) if not last else room
        if k == 0 and not last and self.widths[0] == 0:
            width = max(width, GAP)
        return _Channel(room, tracks, width)

    def _beside(self, item: Item, k: int) -> float:
        """Room on the left of an item in its column: inputs stand on the left edge."""
        return 0 if item.fixed and not item.inputs else (self.widths[k] - item.width) / 2

    @staticmethod
    def _after(
        wire: Wire, bent: dict[Wire, tuple[float, float, float]], tracks: dict[Wire, int]
    ) -> int:
        """The first track behind those of wires it would otherwise cross twice."""
        low, high, start = bent[wire]
        return max(
            (
                used + 1
                for other, used in tracks.items()
                if low <= bent[other][2] <= high and bent[other][2] != start
            ),
            default=0,
        )

    def _rows(self, limit: float) -> list[list[int]]:
        """Columns in rows no wider than the limit, cut where few wires cross. What is a
        little too wide, and could only be cut through many wires, stays whole."""
        rooms = [w + channel.width for w, channel in zip(self.widths, self.channels, strict=True)]
        ends = [all(item.fixed or item.passing for item in c) for c in self.layers.columns]
        whole = max((k for k, end in enumerate(ends) if not end), default=0)
        rows: list[list[int]] = [[]]
        used = 0.0
        for k, room in enumerate(rooms):
            row = rows[-1]
            if k > whole:  # the ends of wires stay with the last box
                row.append(k)
                continue
            carried = TRACK * (self._crossing(row[-1]) + 1) if row else 0
            rest = sum(rooms[k : whole + 1])
            begun = len(rows) > 1 or any(not ends[j] for j in row)
            if len(row) > 1 and begun and used + room + carried > limit and used + rest > limit:
                cuts = range(max(1, len(row) // 2), len(row) + 1)
                cut = min(cuts, key=lambda p: (self._crossing(row[p - 1]), -p))
                if self._crossing(row[cut - 1]) > 1 and used + rest <= WIDER * limit:
                    row.append(k)
                    used += room
                    continue
                rows[-1], moved = row[:cut], row[cut:]
                rows.append(moved)
                used = sum(rooms[j] for j in moved) + carried
            rows[-1].append(k)
            used += room
        return rows

    def _crossing(self, k: int) -> int:
        return len({link.wire for link in self.layers.links[k]})

    def block(self, inputs: Sequence[Item], outputs: Sequence[Item]) -> Block:
        drawing = Drawing()
        top, width = 0.0, 0.0
        carried: list[tuple[Wire, float, float]] = []  # wires that go on in the next row
        for number, row in enumerate(self.rows):
            wires = len(carried)
            x = 0.0 if not number else 14.0 + TRACK * max(wires - 1, 0)
            low, high = self._extent(row)
            gutter = top
            if number:
                top += TRACK * wires + 16
            starts: list[float] = []
            for k in row:
                for item in self.layers.columns[k]:
                    item.y += top - low
                    item.x = x + self._beside(item, k)
                x += self.widths[k] + self.channels[k].width
                starts.append(x)
            if number:
                self._carry(carried, row[0], gutter, width, drawing, number)
            for k, end in zip(row[:-1], starts[:-1], strict=True):
                self._wires(k, end, drawing)
            if number + 1 < len(self.rows):
                carried = self._leave(row[-1], x, drawing)
                x += 10 + TRACK * max(len(carried) - 1, 0)
            width = max(width, x)
            top += high - low
        for column, links in zip(self.layers.columns, self.layers.links, strict=True):
            taken = {link.wire for link in links}
            for item in column:
                self._labelled(item, drawing)
                self._unused(item, taken, drawing)
                self.layout.drawn(item, drawing)
        return Block(
            width, top, [i.y for i in inputs], [self._ended(i, width, drawing) for i in outputs],
            drawing,
        )  # fmt: skip

    def _ended(self, item: Item, width: float, drawing: Drawing) -> float:
        """An output reaches the right edge; that of the whole picture ends in an arrow."""
        wire = item.inputs[0]
        if self.arrows:
            width = item.x
        arrows = ((0, 1.0),) if self.arrows else ()
        if width - item.x > 0.5 or arrows:
            start = item.x - (6 if width - item.x <= 0.5 else 0)
            drawing.put(self.layout.path(wire, (start, item.y), (width, item.y), arrows=arrows))
        return item.y

    def _extent(self, row: Sequence[int]) -> tuple[float, float]:
        """The room that a row takes, with what is said above its wires."""
        low, high = 1e9, -1e9
        for k in row:
            for item in self.layers.columns[k]:
                ports = [*item.entering, *item.leaving]
                above = min([0.0, *(port - 16 for port in ports)])
                low = min(low, item.y + above)
                high = max(high, item.y + max(item.height, 8))
        for k in row[:1]:
            for link in self.layers.links[k - 1] if k else ():
                low, high = min(low, link.end - 16), max(high, link.end + 6)
        return (low, high) if high > low else (0.0, 20.0)

    def _labelled(self, item: Item, drawing: Drawing) -> None:
        if item.passing:
            return
        for port, wire in zip(item.leaving, item.outputs, strict=True):
            if wire in self.labels:
                x = item.x + item.width + (6 if item.width else 0)
                drawing.put(Text(x, item.y + port - 6, self.labels[wire], "type", of=wire))

    def _unused(self, item: Item, taken: set[Wire], drawing: Drawing) -> None:
        """What nothing takes ends at once."""
        if item.passing:
            return
        for port, wire in zip(item.leaving, item.outputs, strict=True):
            if wire not in taken:
                x, y = item.x + item.width, item.y + port
                drawing.put(self.layout.path(wire, (x, y), (x + 12, y)))
                drawing.put(Dot(x + 12, y, self.layout.colour(wire), "end", wire))

    def _wires(self, k: int, end: float, drawing: Drawing) -> None:
        """The wires of the channel behind column k, which ends at x = `end`."""
        channel = self.channels[k]
        begin = end - channel.width
        across = TRACK * (max(channel.tracks.values(), default=-1) + 1)
        first = end - across - 4 + TRACK / 2
        groups: dict[Wire, list[Link]] = {}
        for link in self.layers.links[k]:
            groups.setdefault(link.wire, []).append(link)
        for wire, links in groups.items():
            source, y = links[0].source, links[0].start
            x0 = source.x + source.width - _inset(source)
            if wire not in channel.tracks:
                for link in links:
                    drawing.put(
                        self.layout.path(wire, (x0, y), (link.target.x + _inset(link.target), y))
                    )
                continue
            x = first + TRACK * channel.tracks[wire]
            assert x >= begin - 0.01
            if len(links) == 1:
                link = links[0]
                to = link.target.x + _inset(link.target)
                drawing.put(self.layout.path(wire, (x0, y), (x, y), (x, link.end), (to, link.end)))
                continue
            drawing.put(self.layout.path(wire, (x0, y), (x, y)))
            for link in links:
                to = link.target.x + _inset(link.target)
                drawing.put(self.layout.path(wire, (x, y), (x, link.end), (to, link.end)))
            drawing.put(Dot(x, y, self.layout.colour(wire), "copy", wire))

    def _leave(self, k: int, x: float, drawing: Drawing) -> list[tuple[Wire, float, float]]:
        """Wires that leave a row on its right, from the top: where each turns down."""
        found: dict[Wire, Link] = {}
        for link in self.layers.links[k]:
            found.setdefault(link.wire, link)
        ordered = sorted(found.values(), key=lambda link: link.start)
        carried = []
        for number, link in enumerate(ordered):
            turn = x + TRACK * (len(ordered) - 1 - number)
            start = link.source.x + link.source.width - _inset(link.source)
            drawing.put(self.layout.path(link.wire, (start, link.start), (turn, link.start)))
            carried.append((link.wire, turn, link.start))
        return carried

    def _carry(
        self, carried: Sequence[tuple[Wire, float, float]], k: int, gutter: float, width: float,
        drawing: Drawing, number: int,
    ) -> None:  # fmt: skip
        """Wires of the row above, led below it to the left and into this one: nested, so
        that they do not cross each other."""
        targets: dict[Wire, list[Link]] = {}
        for link in self.layers.links[k - 1]:
            targets.setdefault(link.wire, []).append(link)
        order = sorted(targets, key=lambda wire: min(link.end for link in targets[wire]))
        for place, (wire, turn, y) in enumerate(carried):
            line = gutter + 12 + TRACK * (len(carried) - 1 - place)
            x = TRACK * (len(carried) - 1 - order.index(wire)) + 2
            links = targets[wire]
            for number_, link in enumerate(links):
                to = link.target.x + _inset(link.target)
                points = [(turn, y), (turn, line), (x, line), (x, link.end), (to, link.end)]
                arrows = ((1, 0.5),) if not number_ else ()
                drawing.put(self.layout.path(wire, *points, arrows=arrows))
            if len(links) > 1:
                nearest = min(links, key=lambda link: link.end)
                drawing.put(Dot(x, nearest.end, self.layout.colour(wire), "copy", wire))


def _inset(item: Item) -> float:
    """How far a wire goes on below a round shape, which is drawn over it."""
    content = item.content
    if isinstance(content, Node) and content.shape in ("circle", "zero", "source"):
        return min(item.width / 2, 8)
    return 0


def _spread(number: int, top: float, height: float, ports: float) -> tuple[float, ...]:
    """Ports evenly about the middle of a side."""
    middle = top + height / 2
    return tuple(middle + ports * (k - (number - 1) / 2) for k in range(number))


def tidy(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """The points without repetitions and without those on a straight line."""
    kept: list[tuple[float, float]] = []
    for x, y in points:
        point = (round(x, 1), round(y, 1))
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and _straight(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return tuple(kept) if len(kept) > 1 else (*kept, *kept)


def _straight(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    same_x = a[0] == b[0] == c[0] and (b[1] - a[1]) * (c[1] - b[1]) > 0
    same_y = a[1] == b[1] == c[1] and (b[0] - a[0]) * (c[0] - b[0]) > 0
    return same_x or same_y


def show(wire: Wire) -> str:
    """A wire's type, no longer than there is room for."""
    text = t.show(wire.type)
    return text if len(text) <= 22 else text[:21] + "…"
