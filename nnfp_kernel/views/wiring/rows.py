"""Columns on paper: channels between them for wires that go up or down, rows for what is
wider than the page.

Wires in a channel have tracks, given in an order in which they do not cross twice. A chain
that is too wide is cut where few wires cross; they go on in the next row, led below the row
to the left, one inside the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from .diagram import Node, Wire
from .layers import Item, Layers, Link
from .picture import ON_WIRE, Block, Dot, Drawing, Text

if TYPE_CHECKING:
    from .layout import Layout

GAP, TRACK = 26, 10  # between columns, and between wires side by side in there
WIDER = 1.35  # than the page, at most: it is then shown smaller


@dataclass
class _Channel:
    """Between two columns: where labels stand, then the tracks of wires that go up or down."""

    labels: float
    tracks: dict[Wire, int]
    width: float


class Plan:
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
