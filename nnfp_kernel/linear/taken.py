"""Where a branch of `select` is taken, and what is made only for it.

`select c a b` computes both branches. Where `a` is not taken its cotangent is 0; but what
`a` was made of may have an infinite derivative there (`sqrt` at 0), and 0 · inf is no
number. So what is made only for a branch has the derivative 0 where that is not taken: the
same trick that people write as a `where` inside a `where`, done once and for all.

A condition belongs to the leading axes of what it is for: an entry is made for the entry of
the branch at the same place, or (a sum) for the one in its row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..graph.graph import Builder, Call, Graph, Node, Wire

_ENTRYWISE = frozenset({"add", "subtract", "negate", "mul", "select"})


@dataclass(frozen=True)
class Taken:
    """The entries at which a condition holds, or does not."""

    condition: Wire
    holds: bool


Branches = frozenset[Taken]
NOWHERE_ELSE: Branches = frozenset()


def taken(graph: Graph) -> dict[Wire, Branches]:
    """For the wires that are made only for branches of `select`: for which ones.

    A wire that is used in several places is made for what all of them are made for.
    """
    if not any(_is_select(node) for node in graph.nodes):
        return {}
    found: dict[Wire, Branches] = dict.fromkeys(graph.outputs, NOWHERE_ELSE)
    for node in reversed(graph.nodes):
        if not any(wire.type.differentiable for wire in node.outputs):
            continue
        outer = [found.get(wire, NOWHERE_ELSE) for wire in node.outputs]
        own = frozenset.intersection(*outer) if outer else NOWHERE_ELSE
        for position, wire in enumerate(node.inputs):
            if wire.type.differentiable:
                use = frozenset(one for one in own if _goes_on(node, wire, one))
                if _is_select(node):
                    use |= {Taken(node.inputs[0], position == 1)}
                found[wire] = found[wire] & use if wire in found else use
    return {wire: branches for wire, branches in found.items() if branches}


def _is_select(node: Node) -> bool:
    match node.operation:
        case Call(primitive, parameters):
            return primitive.name == "select" and bool(parameters.get("guard", True))
    return False


def _goes_on(node: Node, wire: Wire, one: Taken) -> bool:
    """Whether the entries of an operand belong to the condition as those of the result do."""
    rank = one.condition.type.rank
    if rank == 0:
        return True  # the whole branch, whatever it is made of
    match node.operation:
        case Call(primitive, parameters):
            if primitive.kind == "elementwise" or primitive.name in _ENTRYWISE:
                return wire.type.shape == node.outputs[0].type.shape
            if primitive.name == "sum":
                return all(axis >= rank for axis in parameters["axes"])
            if primitive.name == "broadcast":
                return tuple(parameters["axes"][:rank]) == tuple(range(rank))
    return False


def coefficients_within(found: Mapping[Wire, Branches], node: Node) -> Branches:
    """The branches for which the coefficients of a call's derivative are wanted only."""
    branches = found.get(node.outputs[0], NOWHERE_ELSE)
    if not branches or not isinstance(node.operation, Call):
        return NOWHERE_ELSE
    primitive = node.operation.primitive
    if primitive.kind == "elementwise" or primitive.name == "mul":
        return branches
    if primitive.kind == "bilinear":  # entries of a factor are no entries of the product
        return frozenset(one for one in branches if one.condition.type.rank == 0)
    return NOWHERE_ELSE


def masked(builder: Builder, wire: Wire, branches: Branches, place: Mapping[Wire, Wire]) -> Wire:
    """What stands on a wire where all of the branches are taken, and zero elsewhere."""
    shape = wire.type.shape
    for one in sorted(branches, key=lambda one: one.holds):
        condition = place[one.condition]
        axes = tuple(range(condition.type.rank))
        if condition.type.shape != shape:
            if condition.type.shape != shape[: len(axes)]:
                continue
            condition = builder.emit("broadcast", condition, shape=shape, axes=axes)
        zero = builder.zeros(wire.type)
        pair = (wire, zero) if one.holds else (zero, wire)
        wire = builder.emit("select", condition, *pair)
    return wire
