"""Residuals: which wires of a body the adjoint keeps, and which it makes again.

The linear map of a step refers to wires of the primal's step. The adjoint runs later,
so each of them is either kept, one array for every step, or made again from what is
kept. What is there anyway costs nothing: the body's inputs (but the state) and its
stacked outputs. The residuals are the cheapest set from which the rest follows by
cheap operations: a minimum cut between what cannot be made again and what is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from ..graph.graph import Builder, Call, Constant, Graph, Wire

# Cheaper to make again than to store and load: data movement and plain arithmetic.
_ARITHMETIC = {"add", "subtract", "mul", "negate", "select", "compare", "and", "or", "not", "sign"}
_MOVEMENT = {"convert", "conj", "real", "imag", "broadcast", "reshape", "transpose", "slice"}
# A key is made again from the one it comes of: a branch not taken has none to leave in its place.
_KEYS = {"foldKey", "splitKey"}
CHEAP = _ARITHMETIC | _MOVEMENT | _KEYS | {"reverse"}
_PER_ARRAY = 64  # entries: one array more costs about as much as these


def keep(builder: Builder, needed: Sequence[Wire], free: Collection[Wire]) -> tuple[Wire, ...]:
    """The wires to keep so that all `needed` can be made again, at the least cost.

    `free` wires are there anyway. The answer holds those of them that are used.
    Ties go to the wires nearest to the need, which leaves the least work.
    """
    # The part of the graph behind the need: from each wire to what it is made from,
    # by cheap operations, as far as the free wires.
    made_from: dict[Wire, tuple[Wire, ...]] = {}
    sources: list[Wire] = []  # cannot be made again: something after them is kept
    stack = list(needed)
    while stack:
        wire = stack.pop()
        if wire in made_from:
            continue
        made_from[wire] = ()
        if wire in free:
            continue
        node = builder.producer(wire)
        match node.operation if node else None:
            case Constant():
                pass
            case Call(primitive, _) if node is not None and primitive.name in CHEAP:
                made_from[wire] = node.inputs
                stack.extend(node.inputs)
            case _:
                sources.append(wire)
    if not sources:
        cut: Collection[Wire] = ()
    else:
        cut = _minimum_cut(made_from, sources, frozenset(needed))
    ends = {*free, *cut}
    return _back(needed, lambda wire: None if wire in ends else made_from[wire])


def entering(builder: Builder, needed: Sequence[Wire]) -> tuple[Wire, ...]:
    """The inputs of `builder` from which all `needed` can be made again, however dear that
    is: what a step keeps that is a segment of a longer loop."""

    def inputs(wire: Wire) -> Sequence[Wire] | None:
        node = builder.producer(wire)
        return None if node is None else node.inputs

    return _back(needed, inputs)


def _back(
    needed: Sequence[Wire], made_from: Callable[[Wire], Sequence[Wire] | None]
) -> tuple[Wire, ...]:
    """The wires where the ways back from those needed end, which are made from None, in a
    stable order."""
    found: dict[Wire, None] = {}
    seen: set[Wire] = set()
    stack = list(reversed(needed))
    while stack:
        wire = stack.pop()
        if wire in seen:
            continue
        seen.add(wire)
        parts = made_from(wire)
        if parts is None:
            found[wire] = None
        else:
            stack.extend(reversed(parts))
    return tuple(found)


def prologue(builder: Builder, kept: Sequence[Wire], needed: Sequence[Wire]) -> Graph:
    """The graph from the wires kept to those needed."""
    again = Builder(builder.primitives)
    place = {wire: again.input(wire.type, wire.name, wire.representation) for wire in kept}

    todo = list(reversed(needed))  # no recursion: a sum may have thousands of terms
    while todo:
        wire = todo[-1]
        if wire in place:
            todo.pop()
            continue
        node = builder.producer(wire)
        assert node is not None, "an input that is needed is kept"
        if isinstance(node.operation, Constant):
            place[wire] = again.constant(node.operation.value, node.operation.type.kind)
        elif missing := [operand for operand in node.inputs if operand not in place]:
            todo.extend(reversed(missing))
        else:
            made = again.add(node.operation, [place[operand] for operand in node.inputs])
            place.update(zip(node.outputs, made, strict=True))
    return again.finish([place[wire] for wire in needed])


Place = tuple[Wire, bool]  # a wire has an entry (False) and an exit (True)


def _minimum_cut(
    made_from: dict[Wire, tuple[Wire, ...]], sources: Sequence[Wire], needed: Collection[Wire]
) -> set[Wire]:
    """The cheapest wires that separate all sources from the need, nearest to the need.

    Flow runs from a source through the wires made from it to a needed one; a wire lets
    through as much as keeping it costs (Ford and Fulkerson, shortest paths first).
    """
    uses: dict[Wire, list[Wire]] = {wire: [] for wire in made_from}
    for wire, operands in made_from.items():
        for operand in dict.fromkeys(operands):
            uses[operand].append(wire)
    room = {wire: wire.type.size + _PER_ARRAY for wire in made_from}
    # Flow along each edge, so that it can be sent back.
    flow: dict[Wire, dict[Wire, int]] = {wire: {} for wire in made_from}
    through: dict[Wire, int] = dict.fromkeys(made_from, 0)

    def neighbours(place: Place) -> list[tuple[Place, int]]:
        wire, left = place
        found: list[tuple[Place, int]] = []
        if not left:
            if room[wire] > through[wire]:
                found.append(((wire, True), room[wire] - through[wire]))
            for operand in dict.fromkeys(made_from[wire]):
                if flow[operand].get(wire, 0) > 0:
                    found.append(((operand, True), flow[operand][wire]))
        else:
            found.extend(((use, False), _UNBOUNDED) for use in uses[wire])
            if through[wire] > 0:
                found.append(((wire, False), through[wire]))
        return found

    while True:
        came: dict[Place, tuple[Place | None, int]] = {
            (s, False): (None, _UNBOUNDED) for s in sources
        }
        queue = list(came)
        end = None
        for place in queue:
            if place[1] and place[0] in needed:
                end = place
                break
            for after, spare in neighbours(place):
                if after not in came:
                    came[after] = (place, spare)
                    queue.append(after)
        if end is None:
            break
        amount, place = _UNBOUNDED, end
        while (step := came[place])[0] is not None:
            amount, place = min(amount, step[1]), step[0]
        place = end
        while (previous := came[place][0]) is not None:
            if previous[0] is place[0]:
                through[place[0]] += amount if place[1] else -amount
            elif place[1]:  # flow sent back along operand -> wire
                flow[place[0]][previous[0]] -= amount
            else:
                flow[previous[0]][place[0]] = flow[previous[0]].get(place[0], 0) + amount
            place = previous
    # What can still reach the need; a wire whose exit can and whose entry cannot is cut.
    backward: dict[Place, list[Place]] = {}
    for wire in made_from:
        for left in (False, True):
            for after, _ in neighbours((wire, left)):
                backward.setdefault(after, []).append((wire, left))
    reaching = {(wire, True) for wire in needed}
    stack = list(reaching)
    while stack:
        for before in backward.get(stack.pop(), ()):
            if before not in reaching:
                reaching.add(before)
                stack.append(before)
    return {
        wire for wire in made_from if (wire, True) in reaching and (wire, False) not in reaching
    }


_UNBOUNDED = 1 << 62
