"""The builder that applies the laws to every node when it is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..graph import Builder, Call, Constant, Node, Operation, Wire
from .law import Fired, Law, Primitives
from .table import LAWS


class Simplifier(Builder):
    """A builder that applies the laws, and makes equal nodes once."""

    def __init__(self, primitives: Primitives, parent: Builder | None = None):
        super().__init__(primitives, parent)
        # What fires is told where somebody asks (views/mathematics/steps.py), at no cost otherwise.
        self.fired: Fired | None = parent.fired if isinstance(parent, Simplifier) else None
        self._known: dict[Any, Wire] = {}
        self.uses: Counter[Wire] = Counter()  # as far as they are known beforehand

    def child(self) -> Simplifier:
        return Simplifier(self.primitives, self)

    def add(self, operation: Operation, inputs: Sequence[Wire]) -> tuple[Wire, ...]:
        if type(operation) is not Call:
            return super().add(operation, inputs)
        own = tuple([self.own(wire) for wire in inputs])
        name = operation.primitive.name
        key = (name, own, *operation.parameters.items())
        wire = self._known.get(key)
        if wire is None:
            for law in self.laws(name):
                wire = law(self, operation.parameters, own)
                if wire is not None:
                    if self.fired is not None:
                        self.tell(law.__name__, law.__doc__ or "")
                    break
            else:
                (wire,) = super().add(operation, own)
            self._known[key] = wire
        elif self.fired is not None:
            self.tell("common_subexpression", "equal nodes are made once (CSE)")
        return (wire,)

    def tell(self, name: str, statement: str) -> None:
        """A law fired: where that is asked for, it is counted."""
        if self.fired is not None:
            self.fired[name.replace("_", " "), " ".join(statement.split())] += 1

    def laws(self, name: str) -> Sequence[Law]:
        """The laws of the primitive `name`, in the order in which they are tried."""
        return LAWS.get(name, ())

    def made_by(self, wire: Wire, name: str) -> Node | None:
        """The node that made `wire`, if it is a use of the primitive `name`."""
        node = self._producer.get(wire)
        if node is not None and type(node.operation) is Call:
            return node if node.operation.primitive.name == name else None
        return None

    def only_here(self, wire: Wire) -> bool:
        """Whether nothing else is known to use the wire."""
        return self.uses.get(wire, 0) <= 1

    def number(self, wire: Wire) -> Any:
        """The number that every entry of `wire` is known to be, or None."""
        node = self._producer.get(wire)
        if node is not None and type(node.operation) is Call:
            if node.operation.primitive.name != "broadcast":
                return None
            node = self._producer[node.inputs[0]]
        if node is None or type(node.operation) is not Constant or node.outputs[0].type.rank:
            return None
        return node.operation.value.item()
