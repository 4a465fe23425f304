"""Recurrences: block lower bidiagonal in their states, solved by running along.

    sₜ = Aₜ sₜ₋₁ + Bₜ xₜ        yₜ = Cₜ sₜ₋₁ + Dₜ xₜ

The matrix from x to y has the blocks Dₜ on its diagonal; y is undone step by step:
xₜ = Dₜ⁻¹ (yₜ - Cₜ sₜ₋₁). Nothing larger than a step is made.

That from the first state to the last is the product Aₙ … A₁: it is undone from the last
step to the first, each step by its own structure, and log |det| is the sum over the steps.
The product itself, whose condition is that of all steps together, is only made where its
entries are asked for.
"""

from __future__ import annotations

from collections.abc import Callable

from ...graph.graph import Builder, Loop, Map, Wire
from ..maps import Inject, LinearMap, Network, Project, Tangent, compose
from .forms import Form, Steps, Transitions
from .probes import at_basis
from .recognise import recognise


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


By = Callable[[Builder, Form, Wire], Wire]


def through(
    builder: Builder, form: Transitions, columns: Wire, by: By, *, back: bool = False
) -> Wire:
    """`by` of every step's map on the columns that the step before has left; `back`: from
    the last step to the first."""
    steps = form.recurrence
    child = Builder(builder.primitives)
    shared = [child.input(wire.type) for wire in steps.shared]
    state = child.input(columns.type)
    stacked = [child.input(wire.type.element()) for wire in steps.stacked]
    after = by(child, _transition(child, form, [*shared, *stacked]), state)
    body = child.finish([after])
    operation = Loop(body, len(shared), 1, steps.length, steps.reverse != back)
    return builder.add(operation, [*steps.shared, columns, *steps.stacked])[0]


def of_each(builder: Builder, form: Transitions, number: Callable[[Builder, Form], Wire]) -> Wire:
    """A number of every step's map."""
    steps = form.recurrence
    child = Builder(builder.primitives)
    shared = [child.input(wire.type) for wire in steps.shared]
    stacked = [child.input(wire.type.element()) for wire in steps.stacked]
    made = number(child, _transition(child, form, [*shared, *stacked]))
    operation = Map(child.finish([made]), len(shared), steps.length)
    return builder.add(operation, [*steps.shared, *steps.stacked])[0]


def _transition(child: Builder, form: Transitions, residuals: list[Wire]) -> Form:
    """From a state to the next, over the residuals of that step."""
    steps = form.recurrence
    network = _step(child, form, residuals)
    if steps.states == len(network.domain) == len(network.codomain):
        return recognise(network)
    return recognise(compose(
        Inject(network.domain, 0, steps.states), network,
        Project(network.codomain, 0, steps.states),
    ))  # fmt: skip


def _block(form: Steps) -> int:
    return form.recurrence.cell.network.domain[form.source].size


def _step(child: Builder, form: Steps | Transitions, residuals: list[Wire]) -> LinearMap:
    """The linear map of one step, over the residuals of that step."""
    cell = form.recurrence.cell
    wires = child.inline(cell.prologue, residuals)
    network: Network = cell.network.substitute(dict(zip(cell.made, wires, strict=True)))
    return network
