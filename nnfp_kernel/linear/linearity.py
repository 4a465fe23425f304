"""Whether a graph is linear in some of its inputs, proved node by node.

A wire is constant (it does not depend on those inputs), linear, or neither. The
first node that makes neither is the one to show to whoever declared `a -o b`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graph.graph import (
    Call,
    Choose,
    Constant,
    Fixpoint,
    Graph,
    Loop,
    Map,
    Node,
    TreeLoop,
    While,
    Wire,
)
from .differentiate import node_reach


@dataclass(frozen=True)
class Nonlinear(Exception):
    """The node at which linearity is lost; None: an output does not depend linearly."""

    node: Node | None


def nonlinear_node(graph: Graph, active: Sequence[bool]) -> Nonlinear | None:
    """None where every output of `graph` is linear in the inputs flagged `active`.

    A constant output other than zero is not linear: linear maps keep zero. What is asked of
    a value besides (whether an equation had a solution) is no part of the map.
    """
    try:
        flags = _outputs(graph, active, [wire.type.differentiable for wire in graph.outputs])
    except Nonlinear as found:
        return found
    for wire, linear in zip(graph.outputs, flags, strict=True):
        if not linear and wire.type.differentiable and not _is_zero(graph, wire):
            return Nonlinear(_producer(graph, wire))
    return None


def _outputs(
    graph: Graph, active: Sequence[bool], wanted: Sequence[bool] | None = None
) -> list[bool]:
    """Which outputs depend linearly on the active inputs, of those that are wanted. Raises
    Nonlinear."""
    linear: dict[Wire, bool] = dict(zip(graph.inputs, active, strict=True))
    flagged = zip(graph.outputs, wanted or [True] * len(graph.outputs), strict=True)
    needed = {wire for wire, flag in flagged if flag}
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
    for node in graph.nodes:
        flags = [linear[wire] for wire in node.inputs]
        asked = [wire in needed for wire in node.outputs]
        answers = [False] * len(node.outputs)
        if any(flags) and any(asked):
            answers = _node(graph, node, flags, asked)
        linear.update(zip(node.outputs, answers, strict=True))
    return [linear[wire] for wire in graph.outputs]


def _node(graph: Graph, node: Node, flags: list[bool], asked: list[bool]) -> list[bool]:
    try:
        return _as_flagged(graph, node, flags, asked)
    except Nonlinear:
        # A sequence of zeros goes with one that moves.
        along = node.operation.shared if isinstance(node.operation, Map | Loop) else len(flags)
        more = [
            flag or (k >= along and wire.type.differentiable and _is_zero(graph, wire))
            for k, (flag, wire) in enumerate(zip(flags, node.inputs, strict=True))
        ]
        if more == flags:
            raise
        return _as_flagged(graph, node, more, asked)


def _as_flagged(graph: Graph, node: Node, flags: list[bool], asked: list[bool]) -> list[bool]:
    match node.operation:
        case Call(primitive=primitive):
            positions = primitive.open_positions or range(len(flags))
            open_flags = [flags[k] for k in positions]
            if primitive.kind == "bilinear" and sum(flags) == 1 and any(open_flags):
                return [True]
            if primitive.kind == "linear" and sum(flags) == sum(open_flags):
                # Jointly linear: a constant beside a linear operand must be zero.
                for k in positions:
                    if not flags[k] and not _is_zero(graph, node.inputs[k]):
                        raise Nonlinear(node)
                return [True]
            # Of a `solve`: linear in the right side, whatever it is in the matrix.
            if primitive.kind == "general" and primitive.open_positions:
                if sum(flags) == sum(open_flags):
                    return [True]
                raise Nonlinear(node)
            # A quotient is linear in what is divided.
            if primitive.name == "divide" and flags == [True, False]:
                return [True]
            raise Nonlinear(node)
        case Map(body=body):
            return _outputs(body, flags, asked)
        case Loop(length=0, shared=shared, carried=carried):  # no step is made
            return [*flags[shared : shared + carried], *[False] * (len(asked) - carried)]
        case Loop(body=body, shared=shared, carried=carried):
            given = list(flags[: len(body.inputs)])
            state = slice(shared, shared + carried)
            reached = node_reach(node, flags)
            for k in range(*state.indices(len(given))):
                if reached[k - shared] and not given[k] and _is_zero(graph, node.inputs[k]):
                    given[k] = True  # zero is linear too
            answers = _outputs(body, given, [*[True] * carried, *asked[carried:]])
            if answers[:carried] != given[state]:
                raise Nonlinear(node)
            return answers
        case While(condition=condition, body=body, shared=shared):
            reached = node_reach(node, flags)[1:]
            triples = zip(flags[shared:], reached, node.inputs[shared:], strict=True)
            moving = [linear or (on and _is_zero(graph, wire)) for linear, on, wire in triples]
            inner = [*flags[:shared], False, *moving]
            if _outputs(condition, inner)[0] or _outputs(body, inner) != moving:
                raise Nonlinear(node)
            return [False, *moving]
        case Fixpoint(body=body, shared=shared, carried=carried):
            together = _outputs(body, [*flags[:shared], *[True] * carried])
            if not any(flags[:shared]):
                return [False] * (carried + 1)
            if not all(together):
                raise Nonlinear(node)
            return [*together, False]
        case TreeLoop() as tree:
            _, own, initial, elements = tree.operands(flags)
            rows = [
                linear or _is_zero(graph, wire)
                for linear, wire in zip(initial, tree.operands(node.inputs)[2], strict=True)
            ]
            answers = _outputs(tree.body, [*own, *rows * tree.reads, *elements])
            made = tree.writes * tree.rows
            if answers[:made] != rows * tree.writes:
                raise Nonlinear(node)
            return [*rows, *answers[made:]]
        case Choose(branches=branches):
            if flags[0]:
                raise Nonlinear(node)
            found = []
            for branch in branches:
                answers = _outputs(branch, flags[1:], asked)
                found.append(
                    [
                        linear or _is_zero(branch, wire)
                        for linear, wire in zip(answers, branch.outputs, strict=True)
                    ]
                )
            return [all(column) for column in zip(*found, strict=True)]
        case Constant():
            return [False]
        case other:
            raise AssertionError(f"no case for {type(other).__name__}")


def _producer(graph: Graph, wire: Wire) -> Node | None:
    return next((node for node in graph.nodes if wire in node.outputs), None)


def _is_zero(graph: Graph, wire: Wire) -> bool:
    """Whether a wire is known to be zero: it has no entries, is a literal, or is made of
    zeros by what is linear in them."""
    if wire.type.size == 0:
        return True
    node = _producer(graph, wire)
    match node:
        case Node(operation=Constant(value=value)):
            return not value.any()
        case Node(operation=Loop(shared=shared, length=0), inputs=inputs, outputs=outputs):
            return _is_zero(graph, inputs[shared + outputs.index(wire)])
        case Node(operation=Map(body=body), outputs=outputs):
            return _is_zero(body, body.outputs[outputs.index(wire)])
        case Node(operation=Choose(branches=branches), outputs=outputs):
            place = outputs.index(wire)
            return all(_is_zero(branch, branch.outputs[place]) for branch in branches)
        case Node(operation=Call(primitive=primitive), inputs=inputs):
            opens = primitive.open_positions or range(len(inputs))
            zeros = [_is_zero(graph, inputs[k]) for k in opens]
            linear = primitive.kind == "linear" and all(zeros)
            return linear or (primitive.kind == "bilinear" and any(zeros))
        case _:
            return False
