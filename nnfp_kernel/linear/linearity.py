"""Whether a graph is linear in some of its inputs, proved node by node.

A wire is constant (it does not depend on those inputs), linear, or neither. The
first node that makes neither is the one to show to whoever declared `a -o b`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

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
from .reach import node_reach


@dataclass(frozen=True)
class Nonlinear(Exception):
    """The node at which linearity is lost; None: an output does not depend linearly."""

    node: Node | None


def nonlinear_node(graph: Graph, active: Sequence[bool]) -> Nonlinear | None:
    """None where every output of `graph` is linear in the inputs flagged `active`.

    A constant output other than zero is not linear: linear maps keep zero. What is asked of
    a value besides (whether an equation had a solution) is no part of the map.
    """
    zeros, wanted = Zeros(graph), [wire.type.differentiable for wire in graph.outputs]
    try:
        flags = _outputs(graph, active, wanted, zeros)
    except Nonlinear as found:
        return found
    for wire, linear in zip(graph.outputs, flags, strict=True):
        if not linear and wire.type.differentiable and wire not in zeros:
            return Nonlinear(_producer(graph, wire))
    return None


def _outputs(
    graph: Graph,
    active: Sequence[bool],
    wanted: Sequence[bool] | None = None,
    zeros: Zeros | None = None,
) -> list[bool]:
    """Which outputs depend linearly on the active inputs, of those that are wanted; `zeros`
    are what is known to be zero. Raises Nonlinear."""
    zeros = zeros or Zeros(graph)
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
            answers = _node(node, flags, asked, zeros)
        linear.update(zip(node.outputs, answers, strict=True))
    return [linear[wire] for wire in graph.outputs]


def _node(node: Node, flags: list[bool], asked: list[bool], zeros: Zeros) -> list[bool]:
    try:
        return _as_flagged(node, flags, asked, zeros)
    except Nonlinear:
        # A sequence of zeros goes with one that moves.
        along = node.operation.shared if isinstance(node.operation, Map | Loop) else len(flags)
        more = [
            flag or (k >= along and wire.type.differentiable and wire in zeros)
            for k, (flag, wire) in enumerate(zip(flags, node.inputs, strict=True))
        ]
        if more == flags:
            raise
        return _as_flagged(node, more, asked, zeros)


def _as_flagged(node: Node, flags: list[bool], asked: list[bool], zeros: Zeros) -> list[bool]:
    match node.operation:
        case Call(primitive=primitive, parameters=parameters) if (
            primitive.name == "hold" and parameters.get("padding")
        ):
            return [True]  # what stands in place of padding is the same array, and is not looked at
        case Call(primitive=primitive):
            positions = primitive.open_positions or range(len(flags))
            open_flags = [flags[k] for k in positions]
            if primitive.kind == "bilinear" and sum(flags) == 1 and any(open_flags):
                return [True]
            if primitive.kind == "linear" and sum(flags) == sum(open_flags):
                # Jointly linear: a constant beside a linear operand must be zero.
                for k in positions:
                    if not flags[k] and node.inputs[k] not in zeros:
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
            return _outputs(body, flags, asked, zeros.inside(node, body))
        case Loop(length=0, shared=shared, carried=carried):  # no step is made
            return [*flags[shared : shared + carried], *[False] * (len(asked) - carried)]
        case Loop(body=body, shared=shared, carried=carried):
            given = list(flags[: len(body.inputs)])
            state = slice(shared, shared + carried)
            reached = node_reach(node, flags)
            for k in range(*state.indices(len(given))):
                if reached[k - shared] and not given[k] and node.inputs[k] in zeros:
                    given[k] = True  # zero is linear too
            known = zeros.inside(node, body)
            answers = _outputs(body, given, [*[True] * carried, *asked[carried:]], known)
            if answers[:carried] != given[state]:
                raise Nonlinear(node)
            return answers
        case While(condition=condition, body=body, shared=shared):
            reached = node_reach(node, flags)[1:]
            triples = zip(flags[shared:], reached, node.inputs[shared:], strict=True)
            moving = [linear or (on and wire in zeros) for linear, on, wire in triples]
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
                linear or wire in zeros
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
                known = zeros.inside(node, branch)
                answers = _outputs(branch, flags[1:], asked, known)
                found.append(
                    [
                        linear or (wire in known and wire.type.differentiable)
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


class Zeros:
    """Which wires of a graph are known to be zero: they have no entries, are literals, are
    `given`, or are made of zeros by what is linear in them. Looked for when first asked."""

    def __init__(self, graph: Graph, given: frozenset[Wire] = frozenset()) -> None:
        self.graph, self.given = graph, given

    def __contains__(self, wire: Wire) -> bool:
        return wire.type.size == 0 or wire in self.found

    @cached_property
    def found(self) -> set[Wire]:
        found = set(self.given)
        for node in self.graph.nodes:
            made = self._made(node, lambda wire: wire.type.size == 0 or wire in found)
            found.update(wire for wire, zero in zip(node.outputs, made, strict=True) if zero)
        return found

    def inside(self, node: Node, body: Graph) -> Zeros:
        """Those of a branch, or of what is done to every element; of a loop's body, those
        that are zero at every step."""
        return _of_body(node, body, self.__contains__)

    def _made(self, node: Node, zero: Callable[[Wire], bool]) -> list[bool]:
        match node.operation:
            case Constant(value=value):
                return [not value.any()]
            case Loop(shared=shared, carried=carried, length=0):
                states = node.inputs[shared : shared + carried]
                return [*map(zero, states), *[True] * (len(node.outputs) - carried)]
            case Loop(body=body, shared=shared, carried=carried):
                known = _of_body(node, body, zero)
                states = body.inputs[shared : shared + carried]
                return [
                    wire in known and (k >= carried or states[k] in known)
                    for k, wire in enumerate(body.outputs)
                ]
            case Map(body=body):
                known = _of_body(node, body, zero)
                return [wire in known for wire in body.outputs]
            case Choose(branches=branches):
                each = [(branch, _of_body(node, branch, zero)) for branch in branches]
                return [
                    all(branch.outputs[k] in known for branch, known in each)
                    for k in range(len(node.outputs))
                ]
            case Call(primitive=primitive):
                opens = primitive.open_positions or range(len(node.inputs))
                zeros = [zero(node.inputs[k]) for k in opens]
                if primitive.name == "divide":
                    return [zeros[0]]
                linear = (primitive.kind == "linear" or primitive.name == "hold") and all(zeros)
                return [linear or (primitive.kind == "bilinear" and any(zeros))]
            case _:
                return [False] * len(node.outputs)


def _of_body(node: Node, body: Graph, zero: Callable[[Wire], bool]) -> Zeros:
    given = node.inputs[1:] if isinstance(node.operation, Choose) else node.inputs
    pairs = zip(body.inputs, given, strict=False)  # a counted loop is also given its count
    found = frozenset(own for own, wire in pairs if zero(wire))
    if not isinstance(node.operation, Loop):
        return Zeros(body, found)
    shared, carried = node.operation.shared, node.operation.carried
    states = list(zip(body.inputs[shared : shared + carried], body.outputs, strict=False))
    while moved := {own for own, made in states if own in found and made not in Zeros(body, found)}:
        found -= moved
    return Zeros(body, found)
