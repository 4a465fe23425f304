"""Loops, maps and choices as so many copies of their bodies, one after the other.

A loop of n steps becomes n copies of its body, a map over n elements likewise, and a choice
by a Bool both of its branches and a `select`. What a graph computes stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .graph import Builder, Choose, Constant, Graph, Loop, Map, Node, Wire
from .primitive import Primitive


def can_unroll(node: Node) -> bool:
    """Whether a node is a loop, a map or a choice that has a form without one."""
    match node.operation:
        case Loop(counted=False) | Map():
            return True
        case Choose(branches=branches):
            return len(branches) == 2 and node.inputs[0].type.kind == "Bool"
        case _:
            return False


def unrolled(
    graph: Graph, primitives: Mapping[str, Primitive], wanted: Callable[[Node], bool] = can_unroll
) -> Graph:
    """The graph with the nodes that are `wanted` as copies of their bodies. The copies are
    not looked at again: `can_unroll` must hold of what is wanted.

    >>> from nnfp_kernel import Session
    >>> session = Session()
    >>> _ = session.run("total : R[3] -> R\\ntotal = fold (\\\\(s, x) -> s + x) 0")
    >>> graph = session["total"].graph()
    >>> [type(node.operation).__name__ for node in graph.nodes if can_unroll(node)]
    ['Loop']
    >>> copies = unrolled(graph, session.program.primitives)
    >>> any(map(can_unroll, copies.nodes)), len(copies.nodes) > len(graph.nodes)
    (False, True)
    """
    builder = Builder(primitives)
    place = {
        wire: builder.input(wire.type, wire.name, wire.representation) for wire in graph.inputs
    }
    for node in graph.nodes:
        with builder.at(node.origin):
            given = [place[wire] for wire in node.inputs]
            made: Sequence[Wire]
            match node.operation:
                case Constant(value=value, type=type):
                    made = (builder.constant(value, type.kind),)
                case Loop() as loop if wanted(node):
                    made = _steps(builder, loop, given)
                case Map() as each if wanted(node):
                    made = _elements(builder, each, given)
                case Choose(branches=(first, other)) if wanted(node):
                    made = _both(builder, first, other, given)
                case operation:
                    made = builder.add(operation, given)
        for old, new in zip(node.outputs, made, strict=True):
            new.name, new.representation = new.name or old.name, old.representation
            place[old] = new
    return builder.finish([place[wire] for wire in graph.outputs])


def _element(builder: Builder, wire: Wire, k: int) -> Wire:
    piece = builder.emit("slice", wire, axis=0, start=k, stop=k + 1, stride=1)
    return builder.emit("reshape", piece, shape=wire.type.shape[1:])


def _stacked(builder: Builder, wires: Sequence[Wire]) -> Wire:
    rows = [builder.emit("reshape", wire, shape=(1, *wire.type.shape)) for wire in wires]
    return builder.emit("concat", *rows, axis=0)


def _steps(builder: Builder, loop: Loop, given: Sequence[Wire]) -> list[Wire]:
    shared, state, elements, _ = loop.operands(given)
    steps: list[list[Wire]] = []
    for k in reversed(range(loop.length)) if loop.reverse else range(loop.length):
        own = [_element(builder, wire, k) for wire in elements]
        results = builder.inline(loop.body, [*shared, *state, *own])
        state = list(results[: loop.carried])
        steps.append(list(results[loop.carried :]))
    if loop.reverse:
        steps.reverse()
    if not steps:
        empty = [wire.type.over(0) for wire in loop.body.outputs[loop.carried :]]
        return [*state, *map(builder.zeros, empty)]
    return [*state, *(_stacked(builder, column) for column in zip(*steps, strict=True))]


def _elements(builder: Builder, each: Map, given: Sequence[Wire]) -> list[Wire]:
    shared, sequences = given[: each.shared], given[each.shared :]
    rows = [
        builder.inline(each.body, [*shared, *(_element(builder, wire, k) for wire in sequences)])
        for k in range(each.length)
    ]
    if not rows:
        return [builder.zeros(wire.type.over(0)) for wire in each.body.outputs]
    return [_stacked(builder, column) for column in zip(*rows, strict=True)]


def _both(builder: Builder, first: Graph, other: Graph, given: Sequence[Wire]) -> list[Wire]:
    """Branch 0 is taken where the selector is false."""
    selector, operands = given[0], given[1:]
    made = []
    pairs = zip(builder.inline(first, operands), builder.inline(other, operands), strict=True)
    for no, yes in pairs:
        axes = tuple(range(selector.type.rank))
        here = selector
        if yes.type.shape != selector.type.shape:
            here = builder.emit("broadcast", selector, shape=yes.type.shape, axes=axes)
        made.append(builder.emit("select", here, yes, no))
    return made
