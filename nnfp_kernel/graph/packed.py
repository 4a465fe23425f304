"""A state of several small arrays travels as one.

What a loop costs beside its arithmetic goes by the number of arrays it carries: each is
read, written and waited for on its own. A state of a few arrays of a few numbers each is
laid end to end in one, which every step takes apart and puts together again. Of larger
arrays that copying costs more than it spares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .graph import ArrayType, Builder, Graph, Loop, Wire

# Measured on a processor, forwards and with its gradient, 3 to 8 arrays of 2 to 32 numbers:
# up to 64 numbers in all 0.1 to 0.9 of the time of the loop as it was; from 96 on more.
ARRAYS, NUMBERS, STEPS = 3, 64, 64


def together(loop: Loop) -> list[int]:
    """The places of those arrays of a loop's state that are to travel as one; none where it
    does not pay."""
    first = loop.shared
    states = loop.body.inputs[first : first + loop.carried]
    small = [k for k, wire in enumerate(states) if wire.type.kind == "R" and wire.type.size]
    total = sum(states[k].type.size for k in small)
    fits = len(small) >= ARRAYS and total <= NUMBERS and loop.length >= STEPS
    return small if fits and not loop.counted else []


def end_to_end(builder: Builder, wires: Sequence[Wire]) -> Wire:
    """Arrays as one vector."""
    flat = [builder.emit("reshape", wire, shape=(wire.type.size,)) for wire in wires]
    return flat[0] if len(flat) == 1 else builder.emit("concat", *flat, axis=0)


def parted(builder: Builder, vector: Wire, types: Sequence[ArrayType]) -> list[Wire]:
    """The arrays of these types that lie end to end in a vector."""
    found, start = [], 0
    for type in types:
        stop = start + type.size
        part = builder.emit("slice", vector, axis=0, start=start, stop=stop, stride=1)
        found.append(builder.emit("reshape", part, shape=type.shape))
        start = stop
    return found


def put_packed(
    builder: Builder, loop: Loop, operands: Sequence[Wire], places: Sequence[int]
) -> list[Wire]:
    """The loop with those arrays of its state as one, put into `builder`: its results."""
    shared, initial, sequences, _ = loop.operands(operands)
    others = [k for k in range(loop.carried) if k not in places]
    types = [initial[k].type for k in places]

    def in_order(whole: Sequence[Wire], rest: Sequence[Wire]) -> list[Wire]:
        place = dict(zip((*places, *others), (*whole, *rest), strict=True))
        return [place[k] for k in range(loop.carried)]

    child = Builder(builder.primitives)
    child.origin = builder.origin
    given = loop.body.inputs
    inputs = [child.input(wire.type, wire.name) for wire in given[: loop.shared]]
    one = child.input(replace(types[0], shape=(sum(type.size for type in types),)))
    rest = [child.input(given[loop.shared + k].type) for k in others]
    inputs += in_order(parted(child, one, types), rest)
    inputs += [child.input(wire.type, wire.name) for wire in given[len(inputs) :]]
    after = child.inline(loop.body, inputs)
    states = [end_to_end(child, [after[k] for k in places]), *(after[k] for k in others)]
    body: Graph = child.finish([*states, *after[loop.carried :]])
    start = [end_to_end(builder, [initial[k] for k in places]), *(initial[k] for k in others)]
    operation = replace(loop, body=body, carried=1 + len(others))
    made = builder.add(operation, [*shared, *start, *sequences])
    finals = in_order(parted(builder, made[0], types), made[1 : 1 + len(others)])
    return [*finals, *made[1 + len(others) :]]
