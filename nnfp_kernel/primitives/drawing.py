"""The order of draws, for text that is to draw what the graph does.

Every draw of a body folds its number into the key of the body (graph/scope.py). So a text draws
the same if its draws are evaluated in the order of these numbers, each of them once, and none is
left out that comes before one: of a value alone the first of two draws may be used, of the
derivative the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..graph.graph import Call, Constant, Graph, Node, Wire


@dataclass
class Drawn:
    """How often a body has drawn so far."""

    count: int = 0


class Draws:
    """The draws of a graph: the `wires` that hold them. A branch goes on with the numbers of
    what it stands in: `keys` are those that it has from there."""

    def __init__(self, graph: Graph, keys: Mapping[Wire, Drawn] | None = None) -> None:
        self.wires = {
            wire for node in graph.nodes if _draws(node) for wire in node.outputs
        }  # fmt: skip
        self.keys = dict(keys or {})
        self.numbers: dict[Wire, tuple[Wire, int]] = {}  # of a key: whose, and which draw's
        constants: dict[Wire, int] = {}
        for node in graph.nodes:
            match node.operation:
                case Constant(value=value, type=type) if type.kind == "Int" and not type.rank:
                    constants[node.outputs[0]] = int(value)
                case Call(primitive, _) if primitive.name == "foldKey":
                    key, number = node.inputs
                    if number in constants:
                        self.numbers[node.outputs[0]] = key, constants[number]
                case Call(primitive, _) if primitive.name == "splitKey":
                    (key,) = node.inputs
                    if key in self.numbers:
                        self.numbers[node.outputs[0]] = self.numbers[key]

    def of(self, key: Wire) -> Drawn:
        return self.keys.setdefault(key, Drawn())

    def unused_before(self, node: Node) -> int:
        """How many draws there are before those of a node that nothing in the graph uses. It
        is told of every node once, in the order of the graph."""
        missing = 0
        for key, number in sorted(
            (self.numbers[wire] for wire in node.inputs if wire in self.numbers),
            key=lambda pair: pair[1],
        ):
            drawn = self.of(key)
            missing += max(number - 1 - drawn.count, 0)
            drawn.count = max(number, drawn.count)
        return missing


def _draws(node: Node) -> bool:
    return node.outputs[0].type.kind != "Key" and any(w.type.kind == "Key" for w in node.inputs)


__all__ = ["Drawn", "Draws"]
