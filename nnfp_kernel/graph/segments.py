"""A long loop as a loop over segments: the form in which its derivative takes little memory.

    fold f z [x₁ … xₙ]  =  fold (fold f) z [[x₁ … x_c] … [… xₙ]]

The adjoint of a loop runs it the other way and needs what each step kept. Of the outer
loop's steps, the segments, nothing is kept but the state before each; the adjoint makes a
segment again, with what its steps keep, right before it goes back through it. Instead of
n · r bytes that is n / c · s for the states and c · r for one segment, at the price of
running the loop forwards twice. With c = √(n s / r) both are the same, of the order of √n.

Sources: Chen, Xu, Zhang, Guestrin 2016, "Training deep nets with sublinear memory cost";
Griewank 1992, "Achieving logarithmic growth of temporal and spatial complexity in reverse
automatic differentiation".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from .graph import ArrayType, Builder, Call, Graph, Loop, Node, Wire
from .primitive import Primitive


def steps_of_a_segment(length: int, state: int, kept: int) -> int:
    """How many steps a segment has so that the least is held at one time: `state` bytes
    for each segment and `kept` bytes for each step of one. A number that divides the
    length is taken where there is one nearby: then no steps are left over.

    >>> steps_of_a_segment(4096, 8, 8), steps_of_a_segment(4096, 8, 32)
    (64, 32)
    >>> steps_of_a_segment(100, 8, 8), steps_of_a_segment(97, 8, 8)
    (10, 10)
    """
    best = min(max(math.sqrt(length * state / max(kept, 1)), 1.0), float(length))
    near = range(max(1, math.ceil(best / 1.5)), min(length, int(best * 1.5)) + 1)
    divisors = [size for size in near if length % size == 0]
    return min(divisors, key=lambda size: abs(math.log(size / best)), default=round(best))


def segmented(primitives: Mapping[str, Primitive], loop: Loop, size: int) -> Graph:
    """The graph that does what a loop does, in segments of `size` steps: the loop's
    operands -> its results. Steps that make no whole segment follow in a loop of their own.
    Of one that is counted every segment is: the steps to make end in one of them.

    Raises ValueError for a loop that is counted and reversed, and for segments it does not have.
    """
    if (loop.counted and loop.reverse) or not 1 <= size <= loop.length:
        raise ValueError(f"a loop of {loop.length} steps has no segments of {size}")
    builder = Builder(primitives)
    first = loop.shared + loop.carried
    inputs = [
        builder.input(
            wire.type if k < first else wire.type.over(loop.length), wire.name, wire.representation
        )
        for k, wire in enumerate(loop.body.inputs)
    ]
    if loop.counted:
        inputs.append(builder.input(ArrayType("Int"), "rounds"))
    number, rest = divmod(loop.length, size)
    shared, state, sequences, rounds = loop.operands(inputs)

    def part(wire: Wire, start: int, stop: int) -> Wire:
        return builder.emit("slice", wire, axis=0, start=start, stop=stop, stride=1)

    # A loop from the last element leaves over the steps at the front.
    start = rest if loop.reverse else 0
    blocks = [
        builder.emit(
            "reshape",
            part(wire, start, start + number * size),
            shape=(number, size, *wire.type.shape[1:]),
        )
        for wire in sequences
    ]
    blocks += [_of_segments(builder, wire, number, size) for wire in rounds]
    outer = Loop(
        _segment(primitives, loop, size), loop.shared, loop.carried, number, loop.reverse,
        segments=True,
    )  # fmt: skip
    results = builder.add(outer, [*shared, *state, *blocks])
    state = list(results[: loop.carried])
    stacked = [
        builder.emit("reshape", wire, shape=(number * size, *wire.type.shape[2:]))
        for wire in results[loop.carried :]
    ]
    if rest:
        begin = 0 if loop.reverse else number * size
        over = [part(wire, begin, begin + rest) for wire in sequences]
        over += [_left(builder, wire, number * size) for wire in rounds]
        results = builder.add(replace(loop, length=rest), [*shared, *state, *over])
        state = list(results[: loop.carried])
        pairs = zip(stacked, results[loop.carried :], strict=True)
        stacked = [
            builder.emit("concat", *(pair[::-1] if loop.reverse else pair), axis=0)
            for pair in pairs
        ]
    return builder.finish([*state, *stacked])


def _segment(primitives: Mapping[str, Primitive], loop: Loop, size: int) -> Graph:
    """So many steps of a loop as the body of one step."""
    builder = Builder(primitives)
    first = loop.shared + loop.carried
    inputs = [
        builder.input(wire.type if k < first else wire.type.over(size), wire.name)
        for k, wire in enumerate(loop.body.inputs)
    ]
    if loop.counted:
        inputs.append(builder.input(ArrayType("Int"), "rounds"))
    return builder.finish(builder.add(replace(loop, length=size), inputs))


def _of_segments(builder: Builder, rounds: Wire, number: int, size: int) -> Wire:
    """How many of so many rounds each segment makes."""
    starts = builder.constant([k * size for k in range(number)], "Int")
    every = builder.emit("broadcast", rounds, shape=(number,), axes=())
    left = builder.emit("subtract", every, starts)
    none, all = (builder.constant([count] * number, "Int") for count in (0, size))
    return builder.emit("min", builder.emit("max", left, none), all)


def _left(builder: Builder, rounds: Wire, made: int) -> Wire:
    """How many are left after the segments."""
    left = builder.emit("subtract", rounds, builder.constant(made, "Int"))
    return builder.emit("max", left, builder.constant(0, "Int"))


def where_it_lies(
    builder: Builder, child: Builder, sequence: Wire, number: Callable[[], Wire]
) -> Wire | None:
    """The block of one segment, made in `child` of a sequence of blocks whose axis was moved
    to the front for it (as of a batch, whose examples stand in front): read where it lies,
    and moved by itself, so that the whole need not be there a second time. None for any other
    sequence. `number` gives the number of the segment, in `child`."""
    cut = _made_by(builder, sequence, "reshape")
    moved = cut and _made_by(builder, cut.inputs[0], "transpose")
    if moved is None or not isinstance(moved.operation, Call):
        return None
    (whole,) = moved.inputs
    permutation = tuple(moved.operation.parameters["permutation"])
    axis, shape = permutation[0], whole.type.shape
    blocks = sequence.type.shape[:2]
    if axis == 0 or math.prod(blocks) != shape[axis]:
        return None
    apart = builder.emit("reshape", whole, shape=(*shape[:axis], *blocks, *shape[axis + 1 :]))
    block = child.emit("gather", apart, number(), axis=axis)
    return child.emit("transpose", block, permutation=permutation)


def _made_by(builder: Builder, wire: Wire, name: str) -> Node | None:
    node = builder.producer(wire) if builder.owns(wire) else None
    if node is None or not isinstance(node.operation, Call):
        return None
    return node if node.operation.primitive.name == name else None
