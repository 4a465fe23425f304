"""A loop that draws, made once where a graph makes it twice.

A `While` keeps nothing of its rounds. Its derivative in reverse makes it again, as a loop that
keeps what is needed of every round (linear/maps/loops.py), and draws the same numbers again,
for these depend on the key and the round. Written as a program the second loop would draw
anew. So before a graph is read as a program, the two become one: a loop of so many rounds as
there may be, in which a round that comes after the last leaves the state as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from .graph import ArrayType, Builder, Choose, Graph, Loop, Node, While, Wire, subgraphs_together


def drawn_once(builder: Builder, graph: Graph) -> Graph:
    """The graph, in which every bounded `While` that draws is one with the loops that make
    its rounds again. The builder is new, and makes equal nodes once."""
    for node in graph.nodes:
        if isinstance(node.operation, While) and node.operation.most is not None:
            again = [each for each in graph.nodes if _makes_again(each, node)]
            after = _after(graph, node)
            operands = [wire for each in again for wire in each.inputs[:-1]]
            if again and after.isdisjoint(operands):
                return drawn_once(builder.child(), _together(builder, graph, node, again, after))
    return graph


def _makes_again(node: Node, first: Node) -> bool:
    """Whether a node makes the rounds of a `While` again, and draws as it does."""
    operation = node.operation
    return (
        isinstance(operation, Loop)
        and operation.counted
        and not operation.reverse
        and node.inputs[-1] is first.outputs[0]
        and not _keys(node).isdisjoint(_keys(first))
    )


def _keys(node: Node) -> set[Wire]:
    return {wire for wire in node.inputs if wire.type.kind == "Key"}


def _after(graph: Graph, first: Node) -> set[Wire]:
    """All that depends on what a node gives."""
    found = set(first.outputs)
    for node in graph.nodes:
        if not found.isdisjoint(node.inputs):
            found.update(node.outputs)
    return found


def _together(
    builder: Builder, graph: Graph, first: Node, again: Sequence[Node], after: set[Wire]
) -> Graph:
    """The graph with one loop for these: what does not depend on it, the loop, the rest."""
    place = {
        wire: builder.input(wire.type, wire.name, wire.representation) for wire in graph.inputs
    }

    def copied(node: Node) -> None:
        with builder.at(node.origin):
            made = builder.add(node.operation, [place[wire] for wire in node.inputs])
        for old, new in zip(node.outputs, made, strict=True):
            new.name = new.name or old.name
            place[old] = new

    others = [node for node in graph.nodes if node is not first and node not in again]
    for node in others:
        if after.isdisjoint(node.outputs):
            copied(node)
    with builder.at(first.origin):
        place |= _one_loop(builder, first, again, place)
    for node in others:
        if not after.isdisjoint(node.outputs):
            copied(node)
    return builder.finish([place[wire] for wire in graph.outputs])


def _one_loop(
    builder: Builder, first: Node, again: Sequence[Node], place: dict[Wire, Wire]
) -> dict[Wire, Wire]:
    """What stands for the outputs of the loops, from one that makes the rounds of all."""
    rounds = first.operation
    assert isinstance(rounds, While)
    assert rounds.most is not None
    operands = [place[wire] for wire in first.inputs]
    shared, start = operands[: rounds.shared], operands[rounds.shared :]
    loops = [(node, node.operation) for node in again if isinstance(node.operation, Loop)]
    initial = [builder.constant(0, "Int"), *start]
    along: list[Wire] = []
    numbers = builder.emit("iota", size=rounds.most)
    given = []
    for node, loop in loops:
        own, states, stacked, _ = loop.operands([place.get(w, w) for w in node.inputs])
        given.append((own, stacked))
        initial += states
        along += [wire for wire in stacked if wire is not numbers and wire not in along]

    body = builder.child()
    state = [body.input(wire.type) for wire in initial]
    elements = {wire: body.input(_element(wire)) for wire in [*along, numbers]}
    number = elements[numbers]
    (here,) = body.inline(rounds.condition, [*shared, number, *state[1 : 1 + len(start)]])
    step, wait = body.child(), body.child()
    after = [step.emit("add", state[0], step.constant(1, "Int"))]
    after += step.inline(rounds.body, [*shared, number, *state[1 : 1 + len(start)]])
    stacks: list[Wire] = []
    more = iter(state[1 + len(start) :])
    for (own, stacked), (_, loop) in zip(given, loops, strict=True):
        before = [next(more) for _ in range(loop.carried)]
        made = step.inline(loop.body, [*own, *before, *(elements[wire] for wire in stacked)])
        after += made[: loop.carried]
        stacks += made[loop.carried :]
    kept = [*state, *(wait.zeros(wire.type) for wire in stacks)]
    branches, captured = subgraphs_together([(wait, kept), (step, [*after, *stacks])])
    inner = body.finish(body.add(Choose(branches), (here, *captured)))
    one = Loop(inner, len(body.captured), len(state), rounds.most)
    found = iter(builder.add(one, (*body.captured, *initial, *along, numbers)))
    named = dict(zip(first.outputs, found, strict=False))
    for node, each in loops:
        named |= dict(zip(node.outputs[: each.carried], found, strict=False))
    for node, each in loops:
        named |= dict(zip(node.outputs[each.carried :], found, strict=False))
    return named


def _element(wire: Wire) -> ArrayType:
    return ArrayType(wire.type.kind, wire.type.shape[1:])
