"""The one interpreter of graphs. What a graph means depends on the domain of its values:

    arrays    numbers, on an accelerator       runtime/lower.py
    counts    operations and bytes             graph/counts.py
    terms     the program, printed             primitives/decompile.py

    interpret(graph, values, domain) -> the values of the graph's outputs

A domain says what each kind of node makes of its operands' values; for the graphs
inside a loop or a choice it calls the interpreter again. The order of the nodes, and
which wire has which value, is settled here once for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from .graph import Call, Choose, Constant, Fixpoint, Graph, Loop, Map, Node, TreeLoop, While

V = TypeVar("V")


class Domain(Protocol[V]):
    """What every kind of node is in one domain of values.

    Each case gets the operation, the values of its operands and the node itself, whose
    wires have types and names, and gives a value for each of the node's outputs.
    """

    def constant(self, operation: Constant, operands: list[V], node: Node) -> Sequence[V]: ...

    def call(self, operation: Call, operands: list[V], node: Node) -> Sequence[V]: ...

    def map(self, operation: Map, operands: list[V], node: Node) -> Sequence[V]: ...

    def loop(self, operation: Loop, operands: list[V], node: Node) -> Sequence[V]: ...

    def while_loop(self, operation: While, operands: list[V], node: Node) -> Sequence[V]: ...

    def fixpoint(self, operation: Fixpoint, operands: list[V], node: Node) -> Sequence[V]: ...

    def tree_loop(self, operation: TreeLoop, operands: list[V], node: Node) -> Sequence[V]: ...

    def choose(self, operation: Choose, operands: list[V], node: Node) -> Sequence[V]: ...


def interpret(graph: Graph, values: Sequence[V], domain: Domain[V]) -> list[V]:
    """The values of the graph's outputs, from those of its inputs.

    Their number is the number of the graph's inputs; else ValueError. Nothing is done
    twice and nothing is left out: a node is asked for once, in the graph's order.
    """
    place = dict(zip(graph.inputs, values, strict=True))
    for node in graph.nodes:
        results = interpret_node(node, [place[wire] for wire in node.inputs], domain)
        place.update(zip(node.outputs, results, strict=True))
    return [place[wire] for wire in graph.outputs]


def interpret_node(node: Node, operands: list[V], domain: Domain[V]) -> Sequence[V]:
    """The values of one node's outputs."""
    match node.operation:
        case Call() as operation:
            return domain.call(operation, operands, node)
        case Constant() as operation:
            return domain.constant(operation, operands, node)
        case Map() as operation:
            return domain.map(operation, operands, node)
        case Loop() as operation:
            return domain.loop(operation, operands, node)
        case While() as operation:
            return domain.while_loop(operation, operands, node)
        case Fixpoint() as operation:
            return domain.fixpoint(operation, operands, node)
        case TreeLoop() as operation:
            return domain.tree_loop(operation, operands, node)
        case Choose() as operation:
            return domain.choose(operation, operands, node)
        case other:
            raise AssertionError(f"no case of the interpreter for {other}")
