"""A diagram as lines of text: each chain of boxes on a line, as it would be drawn.

    x : R[8] ──[ ?W @ · ○ ]── R[12] ──[ + ?b ○ ]── R[12] ──[ tanh ]── a : R[12]

A ring is a box with weights; a wire with two lines is a sequence. Where wires meet or
part they are called a, b, c; a group's inside is indented.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from string import ascii_lowercase

from ...language import types as t
from .diagram import Diagram, Group, Node, Wire
from .layout import sequences


def diagram_text(diagram: Diagram) -> str:
    return "\n".join(_Writer(diagram).lines(diagram, ""))


class _Writer:
    def __init__(self, diagram: Diagram) -> None:
        self.sequences = sequences(diagram)
        self.names: dict[Wire, str] = {}
        self.free = (
            "".join(letters)
            for length in (1, 2, 3)
            for letters in product(ascii_lowercase, repeat=length)
        )

    def lines(self, diagram: Diagram, indent: str) -> Iterator[str]:
        users: dict[Wire, list[Node]] = {}
        makers = {wire: node for node in diagram.nodes for wire in node.outputs}
        for node in diagram.nodes:
            for wire in node.inputs:
                users.setdefault(wire, []).append(node)
        following: dict[Wire, Node] = {}  # on the line of the wire they take
        for wire, taking in users.items():
            alone = wire not in makers or len(makers[wire].outputs) == 1
            node = taking[0]
            lone = len(taking) == len(node.inputs) == 1 and not isinstance(node, Group)
            if alone and lone and wire not in diagram.outputs:
                following[wire] = node
        taken = {wire.name for wire in diagram.inputs}
        for wire in diagram.inputs:
            self.names[wire] = wire.name or self.new(taken)
            line = f"{indent}{self.names[wire]} : {t.show(wire.type)}"
            if wire in following:
                line += f" {self.line(wire)}{self.chain(following[wire], following, taken)}"
            elif wire in diagram.outputs:
                line += f" {self.line(wire)}▸"
            yield line
        for node in diagram.nodes:
            if len(node.inputs) == 1 and following.get(node.inputs[0]) is node:
                continue
            entering = ", ".join(self.named(wire, taken) for wire in node.inputs)
            line = f"{entering} {self.line(node.inputs[0])}" if entering else ""
            yield indent + line + self.chain(node, following, taken)
            if isinstance(node, Group):
                yield from self.lines(node.body, indent + "    ")
        last = [self.named(wire, taken) for wire in diagram.outputs]
        if not diagram.outputs or len(last) > 1:
            yield f"{indent}gives {', '.join(last)}"

    def chain(self, node: Node, following: dict[Wire, Node], taken: set[str]) -> str:
        """A node and those that follow it one by one, and where the last one leads."""
        line = self.box(node)
        while len(node.outputs) == 1 and node.outputs[0] in following:
            wire = node.outputs[0]
            node = following[wire]
            line += f"{self.line(wire)} {t.show(wire.type)} {self.line(wire)}{self.box(node)}"
        shown = [f"{self.named(wire, taken)} : {t.show(wire.type)}" for wire in node.outputs]
        return f"{line}{self.line(node.outputs[0])} {', '.join(shown)}"

    def box(self, node: Node) -> str:
        ring = " ○" if node.owner is not None else ""
        match node.shape:
            case "enter":
                return f"( {node.label} ◗"
            case "leave":
                return f"◖ {node.label} )"
            case "circle":
                return f"({node.label})"
            case "zero":
                return "(0)"
            case "group":
                return f"⟦ {node.label} ⟧"
            case _:
                label = node.label or " | ".join(dict.fromkeys(node.before))
                return f"[ {label}{ring} ]"

    def line(self, wire: Wire) -> str:
        return "══" if wire in self.sequences else "──"

    def named(self, wire: Wire, taken: set[str]) -> str:
        if wire not in self.names:
            self.names[wire] = self.new(taken)
        return self.names[wire]

    def new(self, taken: set[str]) -> str:
        return next(name for name in self.free if name not in taken)
