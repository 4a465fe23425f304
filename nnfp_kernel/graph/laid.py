"""A matrix that all steps of a loop share is laid out once as their products read it.

In U @ hₜ of a batch XLA's processor goes along the columns of U: rows have to be gathered, at
every step. So U is transposed before the loop, which then takes what it sums over first.
Where a product has it so already, as the one of the loop's adjoint, nothing is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .graph import Builder, Call, Graph, Loop, Node, Wire

# Measured on a processor with 0 to 128 rows: a product takes 0.45 to 1.0 of its time from 32 by
# 32 numbers on; transposing takes as long as is spared in ten steps.
NUMBERS, STEPS = 1 << 10, 16


def laid_out(builder: Builder, loop: Loop, operands: Sequence[Wire]) -> tuple[Loop, list[Wire]]:
    """The loop and its operands with such matrices transposed."""
    body, fixed = loop.body, loop.shared
    matrices = dict(zip(body.inputs[:fixed], operands, strict=False))
    made: dict[tuple[Wire, tuple[int, ...]], Wire] = {}  # the body's, by matrix and permutation
    nodes = []
    for node in body.nodes if loop.length >= STEPS else ():
        for position, wire in enumerate(node.inputs):
            permutation = _wanted(node, position) if wire in matrices else None
            if permutation is None:
                continue
            shape = tuple(wire.type.shape[axis] for axis in permutation)
            own = made.setdefault((wire, permutation), Wire(replace(wire.type, shape=shape)))
            node = _reading(node, position, own, permutation)
        nodes.append(node)
    if not made:
        return loop, list(operands)
    used = {wire for node in nodes for wire in node.inputs} | set(body.outputs)
    kept = [wire for wire in matrices if wire in used]
    given = [matrices[wire] for wire in kept]
    given += [
        builder.emit("transpose", matrices[wire], permutation=permutation)
        for wire, permutation in made
    ]
    inputs = (*kept, *made.values(), *body.inputs[fixed:])
    changed = replace(loop, body=Graph(inputs, tuple(nodes), body.outputs), shared=len(given))
    return changed, [*given, *operands[fixed:]]


def _wanted(node: Node, position: int) -> tuple[int, ...] | None:
    """How an operand of a product is transposed for what is summed over to come first; None
    where it is as good as it is."""
    operation, size = node.operation, node.inputs[position].type.size
    if not (isinstance(operation, Call) and operation.primitive.name == "contract"):
        return None
    sides, out = (
        (operation.parameters["left"], operation.parameters["right"]),
        operation.parameters["out"],
    )
    own, other = sides[position], sides[1 - position]
    summed = [label for label in own if label not in out]
    free = [label for label in own if label in out]
    if not summed or not free or not set(free).isdisjoint(other) or size < NUMBERS:
        return None
    if set(own[: len(summed)]) == set(summed) or set(out[-len(free) :]) != set(free):
        return None
    return tuple(own.index(label) for label in (*summed, *free))


def _reading(node: Node, position: int, wire: Wire, permutation: Sequence[int]) -> Node:
    """The product with this operand in the place of another."""
    assert isinstance(node.operation, Call)
    side = ("left", "right")[position]
    labels = node.operation.parameters[side]
    moved = {**node.operation.parameters, side: tuple(labels[axis] for axis in permutation)}
    inputs = (*node.inputs[:position], wire, *node.inputs[position + 1 :])
    return replace(node, operation=replace(node.operation, parameters=moved), inputs=inputs)
