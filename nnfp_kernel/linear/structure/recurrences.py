"""Recurrences: block lower bidiagonal in their states, solved by running along.

    sₜ = Aₜ sₜ₋₁ + Bₜ xₜ        yₜ = Cₜ sₜ₋₁ + Dₜ xₜ

The matrix from x to y has the blocks Dₜ on its diagonal; y is undone step by step:
xₜ = Dₜ⁻¹ (yₜ - Cₜ sₜ₋₁). Nothing larger than a step is made.
"""

from __future__ import annotations

from ...graph.graph import Builder, Loop, Map, Wire
from ..maps import Inject, LinearMap, Network, Project, Tangent, compose
from .forms import Steps
from .probes import at_basis


def diagonal_blocks(builder: Builder, form: Steps) -> Wire:
    """The blocks Dₜ, one for each step."""
    steps = form.recurrence
    child = Builder(builder.primitives)
    shared = [child.input(wire.type) for wire in steps.shared]
    stacked = [child.input(wire.type.element()) for wire in steps.stacked]
    network = _step(child, form, [*shared, *stacked])
    inside = compose(
        Inject(network.domain, form.source, form.source + 1),
        network,
        Project(network.codomain, form.target, form.target + 1),
    )
    size = _block(form)
    body = child.finish([at_basis(child, inside, size, size, form.kind)])
    operands = [*steps.shared, *steps.stacked]
    return builder.add(Map(body, len(shared), steps.length), operands)[0]


def solve(builder: Builder, form: Steps, image: Wire) -> Wire:
    """The elements x whose stacked outputs are `image`."""
    steps = form.recurrence
    network = steps.cell.network
    blocks = diagonal_blocks(builder, form)
    size = _block(form)
    lines = builder.emit("reshape", image, shape=(steps.length, size))

    child = Builder(builder.primitives)
    shared = [child.input(wire.type) for wire in steps.shared]
    state = [child.input(type) for type in network.domain[: steps.states]]
    stacked = [child.input(wire.type.element()) for wire in steps.stacked]
    block, line = child.input(blocks.type.element()), child.input(lines.type.element())
    step = _step(child, form, [*shared, *stacked])
    given: list[Tangent] = [None] * len(network.domain)
    given[: steps.states] = state
    carried = step.apply(child, given)[form.target]
    if carried is not None:
        line = child.emit("subtract", line, child.emit("reshape", carried, shape=(size,)))
    answer = child.emit("solve", block, line)
    given[form.source] = child.emit("reshape", answer, shape=network.domain[form.source].shape)
    after = step.apply(child, given)[: steps.states]
    outputs = [
        wire or child.zeros(type)
        for wire, type in zip(after, network.codomain[: steps.states], strict=True)
    ]
    body = child.finish([*outputs, answer])
    operation = Loop(body, len(shared), steps.states, steps.length, steps.reverse)
    initial = [builder.zeros(type) for type in network.domain[: steps.states]]
    operands = [*steps.shared, *initial, *steps.stacked, blocks, lines]
    made = builder.add(operation, operands)
    return builder.emit("reshape", made[-1], shape=(image.type.size,))


def _block(form: Steps) -> int:
    return form.recurrence.cell.network.domain[form.source].size


def _step(child: Builder, form: Steps, residuals: list[Wire]) -> LinearMap:
    """The linear map of one step, over the residuals of that step."""
    cell = form.recurrence.cell
    wires = child.inline(cell.prologue, residuals)
    network: Network = cell.network.substitute(dict(zip(cell.made, wires, strict=True)))
    return network
