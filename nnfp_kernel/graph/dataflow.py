"""What is known of the wires of a graph from its ends: forwards, backwards, and how often used.

    spread(graph, flags)           which outputs differ, when these inputs do
    demand(graph, wanted, alive)   the wires on which these outputs depend
    count_uses(graph, uses)        how often each wire is used

A state of a loop is a least fixed point: what one step changes, or needs, the next may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from .graph import (
    Call,
    Choose,
    Constant,
    Fixpoint,
    Graph,
    Loop,
    Map,
    TreeLoop,
    While,
    Wire,
    subgraphs,
)

Flags: TypeAlias = Sequence[bool]


def spread(graph: Graph, flags: Flags) -> list[bool]:
    """Which outputs differ from element to element, when the inputs flagged do."""
    mapped = {wire for wire, flag in zip(graph.inputs, flags, strict=True) if flag}
    for node in graph.nodes:
        if not mapped.isdisjoint(node.inputs):
            given = [wire in mapped for wire in node.inputs]
            match node.operation:
                case Loop() as loop:
                    reached: Flags = spread_loop(loop, given)[1]
                    mapped.update(w for w, f in zip(node.outputs, reached, strict=True) if f)
                case While() as loop:
                    reached = spread_while(loop, given)[1]
                    mapped.update(w for w, f in zip(node.outputs, reached, strict=True) if f)
                case Call() | Constant() | Map() | Fixpoint() | TreeLoop() | Choose():
                    mapped.update(node.outputs)
                case other:
                    raise AssertionError(f"no flow through {other}")
    return [wire in mapped for wire in graph.outputs]


def spread_loop(loop: Loop, flags: Flags) -> tuple[list[bool], list[bool]]:
    """The flags of what a loop's body takes and of the loop's results: the least fixed
    point over its state; all of them, where the rounds differ."""
    if loop.counted and flags[-1]:
        return [True] * len(loop.body.inputs), [True] * len(loop.body.outputs)
    first, last = loop.shared, loop.shared + loop.carried
    given = list(flags[: len(loop.body.inputs)])
    while True:
        after = spread(loop.body, given)
        state = [a or b for a, b in zip(given[first:last], after, strict=False)]
        after[: loop.carried] = state
        if state == given[first:last]:
            return given, after
        given[first:last] = state


def spread_while(loop: While, flags: Flags) -> tuple[list[bool], list[bool]]:
    """The flags of a while's operands and results: the least fixed point over its state;
    all of them, where the condition differs."""
    first = loop.shared
    given = list(flags)
    while True:
        inner = [*given[:first], False, *given[first:]]
        if spread(loop.condition, inner)[0]:
            return [True] * len(given), [True] * (1 + loop.carried)
        after = spread(loop.body, inner)
        state = [a or b for a, b in zip(given[first:], after, strict=True)]
        if state == given[first:]:
            return given, [False, *state]
        given[first:] = state


def demand(graph: Graph, wanted: Flags, alive: set[Wire]) -> None:
    """Adds to `alive` the wires of `graph`, and of the graphs in it, on which the
    outputs `wanted` depend; an output that only another step needs counts as needed."""
    alive.update(wire for wire, flag in zip(graph.outputs, wanted, strict=True) if flag)
    for node in reversed(graph.nodes):
        if alive.isdisjoint(node.outputs):
            continue
        used = [wire in alive for wire in node.outputs]
        match node.operation:
            case Call() | Constant():
                alive.update(node.inputs)
            case Map(body=body):
                demand(body, used, alive)
                _needed(node.inputs, body.inputs, alive)
            case Choose(branches=branches):
                alive.add(node.inputs[0])
                for branch in branches:
                    demand(branch, used, alive)
                    _needed(node.inputs[1:], branch.inputs, alive)
            case Fixpoint(body=body, shared=shared):
                demand(body, [True] * len(body.outputs), alive)
                alive.update(node.inputs[shared:])
                _needed(node.inputs[:shared], body.inputs[:shared], alive)
            case TreeLoop(body=body) as tree:
                rows = [True] * (tree.writes * tree.rows)  # all its parts are made together
                demand(body, [*rows, *used[tree.rows :]], alive)
                schedule, own, initial, stacked = tree.operands(node.inputs)
                alive.update((*schedule, *initial))
                inner_own, _, inner_stacked = tree.inputs(body.inputs)
                _needed((*own, *stacked), (*inner_own, *inner_stacked), alive)
            case Loop(body=body, shared=shared, carried=carried):
                while True:
                    demand(body, used, alive)
                    states = body.inputs[shared : shared + carried]
                    needed = [
                        flag or wire in alive for flag, wire in zip(used, states, strict=False)
                    ]
                    if needed == used[:carried]:
                        break
                    used[:carried] = needed
                alive.update(w for w, flag in zip(node.inputs[shared:], used[:carried]) if flag)  # noqa: B905
                _needed(node.inputs[: len(body.inputs)], body.inputs, alive)
                alive.update(node.inputs[len(body.inputs) :])
            case While(condition=condition, body=body, shared=shared):
                demand(condition, [True], alive)
                moving = used[1:]
                while True:
                    demand(body, moving, alive)
                    inside = zip(
                        condition.inputs[shared + 1 :], body.inputs[shared + 1 :], strict=True
                    )
                    needed = [
                        flag or not alive.isdisjoint(pair)
                        for flag, pair in zip(moving, inside, strict=True)
                    ]
                    if needed == moving:
                        break
                    moving = needed
                alive.update(w for w, flag in zip(node.inputs[shared:], moving) if flag)  # noqa: B905
                _needed(node.inputs[:shared], condition.inputs[:shared], alive)
                _needed(node.inputs[:shared], body.inputs[:shared], alive)
            case other:
                raise AssertionError(f"no demand through {other}")


def count_uses(graph: Graph, uses: Counter[Wire]) -> None:
    """How often each wire of `graph`, and of the graphs in it, is used."""
    for node in graph.nodes:
        uses.update(node.inputs)
        for inner in subgraphs(node.operation):
            count_uses(inner, uses)
    uses.update(graph.outputs)


def _needed(operands: Sequence[Wire], inputs: Sequence[Wire], alive: set[Wire]) -> None:
    alive.update(o for o, wire in zip(operands, inputs, strict=True) if wire in alive)
