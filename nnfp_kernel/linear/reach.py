"""Which wires have a tangent: those that depend differentiably on what is moved.

reach        the outputs of a graph
node_reach   the outputs of a node
loop_reach   and the like: the state of a loop too, whose every step may move what the next
             begins with; so it is a least fixed point
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.graph import Call, Choose, Constant, Fixpoint, Graph, Loop, Map, Node, TreeLoop, While


def reach(graph: Graph, active: Sequence[bool]) -> tuple[bool, ...]:
    """Which outputs depend differentiably on the active inputs."""
    live = {wire for wire, flag in zip(graph.inputs, active, strict=True) if flag}
    for node in graph.nodes:
        if not live.isdisjoint(node.inputs):
            flags = node_reach(node, [wire in live for wire in node.inputs])
            live.update(
                wire
                for wire, flag in zip(node.outputs, flags, strict=True)
                if flag and wire.type.differentiable
            )
    return tuple(wire in live for wire in graph.outputs)


def node_reach(node: Node, active: Sequence[bool]) -> Sequence[bool]:
    """The same of one node."""
    match node.operation:
        case Constant():
            return (False,)
        case Call(primitive, _):
            return (primitive.kind != "discrete" and any(active),)
        case Map(body=body):
            return reach(body, active)
        case Loop() as loop:
            return loop_reach(loop, active)[1]
        case While() as loop:
            return [False, *while_reach(loop, active)[loop.shared :]]
        case Fixpoint() as fixpoint:
            return [*fixpoint_reach(fixpoint, active)[fixpoint.shared :], False]
        case TreeLoop() as tree:
            return tree_reach(tree, active)[1]
        case Choose(branches=branches):
            return [any(flags) for flags in zip(*(reach(b, active[1:]) for b in branches))]  # noqa: B905
        case other:
            raise AssertionError(f"no derivative for {other}")


def loop_reach(loop: Loop, active: Sequence[bool]) -> tuple[list[bool], list[bool]]:
    """The activity of the body's inputs and outputs: a least fixed point over the state."""
    first, last = loop.shared, loop.shared + loop.carried
    given = list(active[: len(loop.body.inputs)])
    while True:
        after = list(reach(loop.body, given))
        state = [a or b for a, b in zip(given[first:last], after, strict=False)]
        after[: loop.carried] = state
        if state == given[first:last]:
            return given, after
        given[first:last] = state


def while_reach(loop: While, active: Sequence[bool]) -> list[bool]:
    """The activity of a while's operands: a least fixed point over the state."""
    first, given = loop.shared, list(active)
    while True:
        after = reach(loop.body, [*given[:first], False, *given[first:]])
        state = [a or b for a, b in zip(given[first:], after, strict=True)]
        if state == given[first:]:
            return given
        given[first:] = state


def fixpoint_reach(fixpoint: Fixpoint, active: Sequence[bool]) -> list[bool]:
    """The activity of a fixpoint's body's inputs: a least fixed point over the state."""
    first = fixpoint.shared
    given = [*active[:first], *[False] * fixpoint.carried]
    while True:
        after = [*active[:first], *reach(fixpoint.body, given)]
        if after == given:
            return given
        given = after


def tree_reach(tree: TreeLoop, active: Sequence[bool]) -> tuple[list[bool], list[bool]]:
    """The activity of a tree loop's operands and results: a least fixed point over rows."""
    schedule, shared, initial, elements = tree.operands(active)
    rows, count = list(initial), tree.rows
    while True:
        made = list(reach(tree.body, [*shared, *rows * tree.reads, *elements]))
        blocks = [made[j * count : (j + 1) * count] for j in range(tree.writes)]
        after = [any(flags) for flags in zip(rows, *blocks, strict=True)]
        if after == rows:
            return [*schedule, *shared, *rows, *elements], [*rows, *made[tree.writes * count :]]
        rows = after
