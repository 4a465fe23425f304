"""Loops and maps laid out over so many positions: a box for each step.

Steps stand side by side, states go from one to the next, elements come from below and
leave above; what is run over what another gives stands above it. So a recurrent network
looks as in the textbooks, and a stack of window maps is a pyramid. The boxes of a row are
one function: a dotted tie through their rings says that the weights are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ...language import types as t
from .diagram import Diagram, Group, Node, Wire
from .layers import Item
from .layout import BOX, MARGIN, WIDTH, Layout, sequences, show
from .picture import IN_BOX, ON_WIRE, Block, Box, Dot, Drawing, Path, Picture, Text

WIDER = 1.15  # than the page, at most: it is then shown smaller
GAP = 30  # between the boxes of a row
TRACK = 9  # between wires side by side below a row
PORT = 16  # between wires that go into one box from below
LONGEST = 22  # of a box's label, in characters
STEP = 18  # between states


def unrolled(
    diagram: Diagram, representations: Sequence[str], count: int, width: float = WIDTH
) -> Picture | None:
    """The diagram with its loops and maps laid out over `count` positions; None where it
    has none."""
    if not any(map(_repeats, diagram.nodes)):
        return None
    layout = _Unrolled(representations, sequences(diagram), count)
    block = layout.block(diagram, WIDER * width)
    drawing = Drawing()
    drawing.add(block.drawing, MARGIN, MARGIN)
    right = max([block.width, *(text.left + text.width for text in drawing.texts)])
    return drawing.picture(right + 2 * MARGIN, block.height + 2 * MARGIN)


def _repeats(node: Node) -> bool:
    """Whether a node is a function applied once for each of many positions, of one axis."""
    if not isinstance(node, Group) or node.kind not in ("map", "loop", "window", "stack"):
        return False
    return node.axes == 1


class _Unrolled(Layout):
    """A layout in which what runs along one sequence is one block of rows."""

    def __init__(self, representations: Sequence[str], sequences: set[Wire], count: int) -> None:
        super().__init__(representations, sequences)
        self.count = count

    def items(
        self, diagram: Diagram, limit: float, group: Group | None
    ) -> tuple[list[Item], list[Item], list[Item]]:
        if group is not None:
            return super().items(diagram, limit, group)
        stacks = _stacks(diagram)
        made: dict[int, _Stack] = {}
        items: list[Item] = []
        below: set[Wire] = set()
        above: set[Wire] = set()
        for node in diagram.nodes:
            number = stacks.get(node)
            if number is None:
                items.append(self.item(node, limit))
            elif number not in made:
                rows = [n for n in diagram.nodes if stacks.get(n) == number]
                stack = _Stack(self, diagram, [n for n in rows if isinstance(n, Group)])
                made[number] = stack
                items.append(stack.item())
                below |= stack.below
                above |= stack.above
        inputs = [self.end(wire, True) for wire in diagram.inputs if wire not in below]
        outputs = [self.end(wire, False) for wire in diagram.outputs if wire not in above]
        return inputs, _in_order(items), outputs


def _in_order(items: list[Item]) -> list[Item]:
    """Every item behind those it needs."""
    makers = {wire: item for item in items for wire in item.outputs}
    ordered: list[Item] = []
    seen: set[Item] = set()

    def visit(item: Item) -> None:
        if item in seen:
            return
        seen.add(item)
        for wire in item.inputs:
            if wire in makers:
                visit(makers[wire])
        ordered.append(item)

    for item in items:
        visit(item)
    return ordered


def _stacks(diagram: Diagram) -> dict[Node, int]:
    """Which groups run along the same sequence: each with the number of its block.

    A group stands above the one that gives its elements, and beside one that takes the
    same elements, unless a wire also goes from one to the other by way of something else.
    """
    groups = [node for node in diagram.nodes if _repeats(node)]
    number = {node: k for k, node in enumerate(groups)}
    makers = {wire: node for node in diagram.nodes for wire in node.outputs}

    def needed(node: Node) -> set[Node]:
        found: set[Node] = set()
        pending = [node]
        while pending:
            for wire in pending.pop().inputs:
                if wire in makers and makers[wire] not in found:
                    found.add(makers[wire])
                    pending.append(makers[wire])
        return found

    for k, later in enumerate(groups):
        for earlier in groups[:k]:
            given = set(_elements_in(later)) & {*_elements_out(earlier), *_elements_in(earlier)}
            if not given or number[later] == number[earlier]:
                continue
            block = {n for n, own in number.items() if own in (number[later], number[earlier])}
            inside = {n for n in block if n in needed(later) or n is later}
            around = {n for n in needed(later) - block if needed(n) & block}
            direct = all(
                set(_elements_in(later)) & set(n.outputs) or not set(n.outputs) & set(later.inputs)
                for n in inside
                if n is not later
            )
            if around or not direct:
                continue
            old = number[later]
            for node in groups:
                if number[node] == old:
                    number[node] = number[earlier]
    return number


def _elements_in(group: Node) -> list[Wire]:
    assert isinstance(group, Group)
    return [
        group.inputs[port.outer]
        for port in group.entering
        if port.role == "element" and port.outer is not None
    ]


def _elements_out(group: Node) -> list[Wire]:
    """The sequences a group gives; a state that leaves after each step is one."""
    assert isinstance(group, Group)
    return [
        group.outputs[port.outer]
        for port, inner in zip(group.leaving, group.body.outputs, strict=True)
        if port.outer is not None
        and (port.role == "element" or _each(group.outputs[port.outer], inner))
    ]


def _each(outer: Wire, inner: Wire) -> bool:
    return isinstance(outer.type, t.Array) and outer.type.element == inner.type


# --- a block of rows ------------------------------------------------------------------------------


@dataclass
class _Row:
    """One function at all its positions."""

    group: Group
    label: str
    width: float
    height: float
    taken: list[Wire]  # sequences, from below
    given: list[Wire]  # sequences, above
    states: list[int]  # places among the ports
    led: list[Wire]  # from outside, the same for every position
    centres: list[float] = field(default_factory=list)
    y: float = 0


class _Stack:
    """Rows that run along one sequence, drawn from the bottom to the top."""

    def __init__(self, layout: _Unrolled, diagram: Diagram, groups: Sequence[Group]) -> None:
        self.layout = layout
        self.drawing = Drawing()
        self.rows = [self._row(group) for group in groups]
        users: dict[Wire, list[Node]] = {}
        for node in diagram.nodes:
            for wire in node.inputs:
                users.setdefault(wire, []).append(node)
        own = set(groups)
        taken = [wire for row in self.rows for wire in row.taken]
        given = [wire for row in self.rows for wire in row.given]
        # Sequences of the whole diagram come from below and leave above, a wire for each.
        self.below = {
            wire for wire in taken
            if wire in diagram.inputs and own.issuperset(users[wire])
            and wire not in diagram.outputs
            and all(wire not in row.led and wire not in self._starts(row) for row in self.rows)
        }  # fmt: skip
        self.above = {w for w in given if w in diagram.outputs and w not in users}
        self.coming = [w for w in dict.fromkeys(taken) if w not in given and w not in self.below]
        self.going = [
            w for w in given
            if w not in self.above
            and (w in diagram.outputs or not own.issuperset(users.get(w, ())))
        ]  # fmt: skip
        self.entering: dict[Wire, float] = {}
        self.leaving: dict[Wire, float] = {}

    def _row(self, group: Group) -> _Row:
        nodes = group.body.nodes
        label = nodes[0].label if len(nodes) == 1 else group.text or group.label
        if len(label) > LONGEST:
            label = label[: LONGEST - 1] + "…"
        states = [k for k, port in enumerate(group.entering) if port.role == "state"]
        led = [
            group.inputs[port.outer]
            for port in group.entering
            if port.role == "plain" and port.outer is not None and group.kind != "stack"
        ]
        taken, given = _elements_in(group), _elements_out(group)
        ports = max(len(taken) * (group.span if group.kind == "window" else 1) + len(led), 1)
        width = max(len(label) * IN_BOX + 20, 36, PORT * ports + 8)
        if len(nodes) == 1 and nodes[0].shape == "circle" and not states and ports < 3:
            width = max(28, PORT * ports)
        height = max(BOX, STEP * len(states) + 10)
        return _Row(group, label, width, height, taken, given, states, led)

    def _starts(self, row: _Row) -> list[Wire]:
        group = row.group
        return [
            group.inputs[port.outer]
            for port in group.entering
            if port.role == "state" and port.outer is not None
        ]

    def item(self) -> Item:
        """The block as one item of a column."""
        self._place()
        width, height = self._draw()
        inputs, outputs = tuple(self.entering), tuple(self.leaving)
        block = Block(width, height, [], [], self.drawing)
        return Item(
            width, height, tuple(self.entering[w] for w in inputs),
            tuple(self.leaving[w] for w in outputs), inputs, outputs, block, gap=26,
        )  # fmt: skip

    # --- where things stand ---------------------------------------------------------------------

    def _place(self) -> None:
        """Positions from left to right: rows one above the other where each takes what the
        one below gives, else staggered, so that wires pass between boxes."""
        rows = self.rows
        chain = all(
            set(after.taken) <= set(before.given) and len(after.taken) <= 1
            for before, after in pairwise(rows)
        )
        slots: list[float] = []
        for k, row in enumerate(rows):
            under = [slots[j] for j in range(k) if set(rows[j].given) & set(row.taken)]
            middle = sum(under) / len(under) if under else 0.0
            free = all(abs(middle - slots[j]) > 0.4 for j in range(k) if slots)
            if chain:
                slots.append(0)
            elif len(under) > 1 and under and free and set(row.taken) <= _given(rows[:k]):
                slots.append(middle)
            else:
                slots.append(max(slots, default=-1) + 1 if slots else 0)
        widest = max(row.width for row in rows)
        apart = widest + 12 if max(slots) else 0
        pitch = max(widest + (GAP if any(r.states for r in rows) else 16), 46)
        pitch = max(pitch, apart * (max(slots) + 1) + 16 if max(slots) else 0)
        left = self._room() + widest / 2
        positions: dict[Wire, list[float]] = {}
        for row, slot in zip(rows, slots, strict=True):
            group = row.group
            known = [positions[wire] for wire in row.taken if wire in positions]
            count = self._count(group)
            if known and not max(slots):
                at = known[0]
            else:
                at = [left + pitch * k + apart * slot for k in range(count)]
            if known:
                at = at[: len(known[0])] if len(known[0]) <= len(at) else at
            if group.kind == "window":
                seen = min(group.span, len(at))
                steps = range(0, len(at) - seen + 1, seen if group.label.startswith("pool") else 1)
                row.centres = [sum(at[k : k + seen]) / seen for k in steps]
                for wire in row.taken:
                    positions.setdefault(wire, at)
            else:
                row.centres = list(at)
                for wire in row.taken:
                    positions.setdefault(wire, row.centres)
            for wire in row.given:
                positions[wire] = row.centres
        self.positions = positions

    def _count(self, group: Group) -> int:
        count = self.layout.count
        return min(count, group.count) if group.count else count

    def _room(self) -> float:
        """On the left of the first boxes: what states begin with."""
        room = 16.0
        for row in self.rows:
            for k in row.states:
                start = row.group.entering[k].start
                if start is not None and not row.group.reverse:
                    wide = 16 if start.shape == "zero" else len(start.label) * IN_BOX + 16
                    room = max(room, wide + 22)
        return room + (16 if any(self._shared(wire) for wire in self.coming) else 0)

    def _last_start(self, row: _Row) -> float:
        """How far on the right the start of a row reaches that runs from there."""
        if not row.group.reverse:
            return 0
        starts = [row.group.entering[k].start for k in row.states]
        wide = [16 if s.shape == "zero" else len(s.label) * IN_BOX + 16 for s in starts if s]
        return row.centres[-1] + row.width / 2 + 24 + max(wide, default=0)

    def _draw(self) -> tuple[float, float]:
        """From the top down, as pictures are measured."""
        y = 0.0
        if self.going:
            y += 12 + TRACK * len(self.going)
        if self.above:
            y += 40.0
        top = y
        for number, row in enumerate(reversed(self.rows)):
            if number:
                y += 30
            row.y = y + (30 if self._tied_above(row) else 0) + self._over(row)
            y = row.y + row.height + self._under(row)
        bottom = y
        right = max(x + row.width / 2 for row in self.rows for x in row.centres)
        for row in self.rows:
            right = max(right, self._boxes(row), self._last_start(row))
        right += 14
        for row in self.rows:
            self._states(row, right)
        for place, wire in enumerate(self.going):
            self._collect(wire, 6 + TRACK * place, right)
        for row in self.rows:
            self._wires(row, bottom)
        self._ends(top, bottom)
        height = bottom + (30 if self.below else 0)
        return right, height

    def _under(self, row: _Row) -> float:
        """Room below a row: bends of wires, and the tie."""
        lanes = len(row.taken) + len(row.led)
        return 12 + TRACK * lanes + (14 if not self._tied_above(row) else 0) + (
            14 if row.group.kind == "window" else 0
        )  # fmt: skip

    def _tied_above(self, row: _Row) -> bool:
        """Ties stand on the side where no elements leave."""
        return not row.given

    def _over(self, row: _Row) -> float:
        """Room for states that go back over a row that runs from the right: to where it
        begins, or from where it ends."""
        if not row.group.reverse:
            return 0
        ports = (*row.group.entering, *row.group.leaving)
        count = sum(port.role == "state" and port.outer is not None for port in ports)
        return 16 + TRACK * count + (0 if self._tied_above(row) else 20) if count else 0

    # --- boxes, states, ties --------------------------------------------------------------

    def _boxes(self, row: _Row) -> float:
        nodes = row.group.body.nodes
        node = nodes[0] if len(nodes) == 1 else Node("box", row.label, (), ())
        circle = node.shape == "circle" and row.width < 40
        drawing = self.drawing
        for x in row.centres:
            drawing.put(
                Box("circle" if circle else "box", x - row.width / 2, row.y, row.width,
                    row.height, node),
                Text(x, row.y + row.height / 2 + 4, row.label, "box", "middle", node),
            )  # fmt: skip
        owners = {n.owner for n in row.group.body.everywhere() if n.owner is not None}
        right = row.centres[-1] + row.width / 2
        if not owners:
            return right
        above = self._tied_above(row)
        edge = row.y if above else row.y + row.height
        rings = [x + (row.width / 2 - 9 if above else 9 - row.width / 2) for x in row.centres]
        drawing.put(*(Dot(x, edge, style="ring") for x in rings))
        counts = [owner.count for owner in owners]
        name = row.label.replace("[", "").replace("]", "").replace("′", "")
        said = f"one {row.label}" if name.isidentifier() else "one function"
        if None not in counts:
            total = sum(count for count in counts if count is not None)
            said += f", {total:,} weight" + "s" * (total != 1)
        if row.group.kind == "stack":
            text = Text(right + 10, row.y + row.height / 2 + 14, "weights of their own", "note")
            drawing.put(text)
            return text.left + text.width
        line = edge - 11 if above else edge + 11
        if len(rings) > 1:
            points = ((rings[0], edge), (rings[0], line), (rings[-1], line), (rings[-1], edge))
            drawing.put(Path(points, "tie"))
            for x in rings[1:-1]:
                drawing.put(Path(((x, line), (x, edge)), "tie"))
        if above:
            drawing.put(Text(rings[0], line - 4, said, "note"))
            return max(right, rings[0] + drawing.texts[-1].width)
        if not row.taken and not row.led:  # nothing else stands below
            drawing.put(Text(rings[0], line + 13, said, "note"))
            return max(right, rings[0] + drawing.texts[-1].width)
        right = max([right, *(x for wire in row.taken for x in self.positions[wire])])
        right = max([right, *(other.centres[-1] for other in self.rows)])
        drawing.put(Text(right + 8, line + 4, said, "note"))
        return right + 8 + drawing.texts[-1].width

    def _states(self, row: _Row, edge: float) -> None:
        group, drawing, layout = row.group, self.drawing, self.layout
        if group.kind == "stack":
            self._row_through(row, group.inputs, group.outputs, edge)
            return
        middle = row.y + row.height / 2
        for number, k in enumerate(row.states):
            wire = group.body.inputs[k]
            y = middle + STEP * (number - (len(row.states) - 1) / 2)
            out = group.leaving[number]
            half = row.width / 2
            arrows = ((0, 0.5),) if group.reverse else ()
            for a, b in pairwise(row.centres):
                points = ((a + half, y), (b - half, y))
                drawing.put(
                    layout.path(wire, *(reversed(points) if group.reverse else points),
                                arrows=arrows)
                )  # fmt: skip
            first, last = row.centres[0] - half, row.centres[-1] + half
            begin, finish = (last, first) if group.reverse else (first, last)
            port = group.entering[k]
            if port.start is not None:
                start = port.start
                room = 16 if start.shape == "zero" else len(start.label) * IN_BOX + 16
                left = begin + 22 if group.reverse else begin - 22 - room
                drawing.put(
                    layout.path(wire, (left + room / 2, y), (begin, y),
                                arrows=((0, 0.7),) if group.reverse else ())
                )  # fmt: skip
                item = Item(room, 16, (), (), content=start, x=left, y=y - 8)
                layout.drawn(item, drawing)
            else:
                assert port.outer is not None
                outer = group.inputs[port.outer]
                if group.reverse:
                    over, turn = row.y - 32 - TRACK * (number + 1), begin + 10
                    self.entering[outer] = over
                    drawing.put(layout.path(wire, (0, over), (turn, over), (turn, y), (begin, y)))
                else:
                    self.entering[outer] = y
                    drawing.put(layout.path(wire, (0, y), (begin, y)))
            leaves = out.outer is not None
            if leaves and not _each(group.outputs[out.outer or 0], wire):
                outer = group.outputs[out.outer or 0]
                if group.reverse:  # back over the row to the right
                    over = row.y - 32
                    self.leaving[outer] = over
                    turn = finish - 8
                    drawing.put(
                        layout.path(wire, (finish, y), (turn, y), (turn, over), (edge, over))
                    )
                else:
                    self.leaving[outer] = y
                    drawing.put(layout.path(wire, (finish, y), (edge, y)))
            elif not group.reverse and group.label.startswith("unfold"):
                drawing.put(layout.path(wire, (finish, y), (finish + 12, y)))
                if group.count is None or group.count > self.layout.count:
                    drawing.put(Text(finish + 15, y + 4, "…", "port"))
                else:
                    drawing.put(Dot(finish + 12, y, layout.colour(wire), "end", wire))

    def _row_through(
        self, row: _Row, inputs: Sequence[Wire], outputs: Sequence[Wire], edge: float
    ) -> None:
        """A wire through all boxes of a row, one after the other."""
        y, half = row.y + row.height / 2, row.width / 2
        layout, drawing = self.layout, self.drawing
        for wire in inputs[:1]:
            self.entering[wire] = y
            drawing.put(layout.path(wire, (0, y), (row.centres[0] - half, y)))
            for a, b in pairwise(row.centres):
                drawing.put(layout.path(wire, (a + half, y), (b - half, y)))
        for wire in outputs[:1]:
            self.leaving[wire] = y
            drawing.put(layout.path(wire, (row.centres[-1] + half, y), (edge, y)))

    # --- elements ---------------------------------------------------------------------------

    def _inner(self, row: _Row, wire: Wire) -> Wire:
        """An element's wire, for its colour."""
        group = row.group
        for port, inner in zip(group.entering, group.body.inputs, strict=True):
            if port.outer is not None and group.inputs[port.outer] is wire:
                return inner
        raise AssertionError("a wire that does not go into the group")

    def _wires(self, row: _Row, bottom: float) -> None:
        """What goes into the boxes of a row from below: elements, and what is the same for all."""
        layout, drawing = self.layout, self.drawing
        base = row.y + row.height
        seen = row.group.span if row.group.kind == "window" else 1
        all_wires = [*row.taken, *row.led]
        count = len(row.taken) * min(seen, 5) + len(row.led)
        for place, wire in enumerate(all_wires):
            inner = self._inner(row, wire)
            lane = base + 8 + (13 if not self._tied_above(row) else 0) + TRACK * place
            if wire in row.led or wire in self.coming:
                targets = [x + PORT * (place - (count - 1) / 2) for x in row.centres]
                self._bus(wire, inner, targets, lane, base)
                continue
            source = next((r for r in self.rows if wire in r.given), None)
            at = self.positions[wire]
            start = source.y if source is not None else bottom + 12
            for k, x in enumerate(row.centres):
                if row.group.kind == "window":
                    step = seen if row.group.label.startswith("pool") else 1
                    for j in range(min(seen, len(at))):
                        to = x + PORT * (j - (min(seen, len(at)) - 1) / 2)
                        drawing.put(
                            Path(
                                ((at[k * step + j], start), (at[k * step + j], base + 24),
                                 (to, base)),
                                "wire", layout.colour(inner), False, (), inner,
                            )
                        )  # fmt: skip
                    continue
                to = x + PORT * (place - (count - 1) / 2)
                own = at[k] if source is not None or not self._shared(wire) else self._foot(wire, k)
                if source is None and self._shared(wire):
                    branch = bottom + 4
                    points = [(own, start), (own, branch), (to, branch), (to, base)]
                elif source is None:
                    points = [(to, start), (to, base)]
                else:
                    points = [(own, start), (own, lane), (to, lane), (to, base)]
                drawing.put(Path(_clean(points), "wire", layout.colour(inner), False, (), inner))

    def _shared(self, wire: Wire) -> bool:
        return sum(wire in row.taken for row in self.rows) > 1

    def _foot(self, wire: Wire, k: int) -> float:
        """Where an element that several rows take comes in."""
        xs = [row.centres[k] for row in self.rows if wire in row.taken and k < len(row.centres)]
        return sum(xs) / len(xs)

    def _bus(
        self, wire: Wire, inner: Wire, targets: Sequence[float], y: float, base: float
    ) -> None:
        """From the left below the row: a branch to each box."""
        layout, drawing = self.layout, self.drawing
        if wire in self.entering:  # it goes to a further row
            before = self.entering[wire]
            drawing.put(layout.path(wire, (6, before), (6, y), (targets[-1], y)))
            drawing.put(Dot(6, before, layout.colour(wire), "copy", wire))
        else:
            self.entering[wire] = y
            drawing.put(layout.path(wire, (0, y), (targets[-1], y)))
        for x in targets:
            drawing.put(Path(((x, y), (x, base)), "wire", layout.colour(inner), False, (), inner))
            drawing.put(Dot(x, y, layout.colour(inner), "edge", wire))

    def _collect(self, wire: Wire, y: float, edge: float) -> None:
        """Elements above a row, gathered into one wire that leaves on the right."""
        layout, drawing = self.layout, self.drawing
        row = next(row for row in self.rows if wire in row.given)
        drawing.put(layout.path(wire, (row.centres[0], y), (edge, y)))
        for x in row.centres:
            drawing.put(Path(((x, row.y), (x, y)), "wire", layout.colour(wire), False, (), wire))
            drawing.put(Dot(x, y, layout.colour(wire), "edge", wire))
        self.leaving[wire] = y

    def _called(
        self, x: float, y: float, name: str, wire: Wire, k: int, others: int, at: Sequence[float]
    ) -> None:
        """The name of an element; of the first one also the type, where there is room."""
        left = len(name) * ON_WIRE / 2
        said = f"{name} : {show(Wire(wire.type.element))}" if isinstance(wire.type, t.Array) else ""
        room = at[1] - at[0] if len(at) > 1 else 200
        if k == 0 and others == 1 and said and len(said) * ON_WIRE < room:
            self.drawing.put(Text(x - left, y, said, "type"))
        elif others == 1 or room > 40 * others:
            self.drawing.put(Text(x, y, name, "type", "middle"))

    def _ends(self, top: float, bottom: float) -> None:
        """Names of the elements that come from below and leave above."""
        layout, drawing = self.layout, self.drawing
        names = _names(self.below, self.rows)
        for wire, name in names.items():
            users = [row for row in self.rows if wire in row.taken]
            place = users[0].taken.index(wire)
            count = len(users[0].taken) + len(users[0].led)
            inner = self._inner(users[0], wire)
            shift = 0.0 if users[0].group.kind == "window" else PORT * (place - (count - 1) / 2)
            at = self.positions[wire]
            for k in range(len(at)):
                x = self._foot(wire, k) if self._shared(wire) else at[k] + shift
                self._called(x, bottom + 26, f"{name}{_subscript(k + 1)}", wire, k, len(names), at)
                if self._shared(wire):
                    drawing.put(Dot(x, bottom + 4, layout.colour(inner), "copy", inner))
        for wire in self.above:
            row = next(row for row in self.rows if wire in row.given)
            place, count = row.given.index(wire), len(row.given)
            for k, x in enumerate(row.centres):
                to = x + PORT * (place - (count - 1) / 2)
                colour = layout.colour(wire)
                points = ((to, row.y), (to, 20.0))
                drawing.put(Path(points, "wire", colour, False, ((0, 1.0),), wire))
                self._called(to, 14, f"y{_subscript(k + 1)}", wire, k, count, row.centres)


def _given(rows: Sequence[_Row]) -> set[Wire]:
    return {wire for row in rows for wire in row.given}


def _names(below: set[Wire], rows: Sequence[_Row]) -> dict[Wire, str]:
    wires = [w for w in dict.fromkeys(w for row in rows for w in row.taken) if w in below]
    letters: Iterator[str] = iter("xzuvw")
    return {wire: next(letters, "x") for wire in wires}


def _subscript(number: int) -> str:
    return "".join("₀₁₂₃₄₅₆₇₈₉"[int(digit)] for digit in str(number))


def _clean(points: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    kept = [points[0]]
    for point in points[1:]:
        if point != kept[-1]:
            kept.append(point)
    return tuple(kept)
