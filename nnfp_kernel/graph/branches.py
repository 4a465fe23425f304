r"""What is made only for a branch of an `if` is made in it, before a graph is differentiated.

    if x > 0 then y else 0          if x > 0 then (let y = sqrt x in y) else 0
      where y = sqrt x

The two have the same values; but where x is -1 the derivative of the first multiplies the
branch's cotangent, which is 0, with the derivative of `sqrt` there, which is no number. In
the second that derivative is never asked for: a branch not taken contributes nothing, not
even NaN. (`linear/taken.py` does the like for `select`, which computes both of its branches.)

A node goes into a branch when nothing but that choice uses it, and not on every path: what
all branches are sure to use stays where it is. Between branches that use it on some paths
only, as guards do, it is copied. What two choices use stays outside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from .graph import (
    Choose,
    Graph,
    Node,
    Wire,
    over_subgraphs,
)

# Where a wire is used: in a branch of a choice, or (None) in the graph itself; and whether
# it is used there on every path.
Place: TypeAlias = "tuple[Node, int] | None"
Uses: TypeAlias = "dict[Wire, dict[Place, bool]]"


def within_branches(graph: Graph) -> Graph:
    """The graph with what is made only for branches in them.

    >>> from nnfp_kernel import Session
    >>> session = Session(precision=64)
    >>> _ = session.run('''
    ... root x = if x > 0 then y else 0 where y = sqrt x''')
    >>> float(session.evaluate("grad root (-1)")), float(session.evaluate("grad root 4"))
    (0.0, 0.25)
    """
    if not any(_chooses(node) for node in graph.walk()):
        return graph
    moved = _moved(graph)
    arriving: dict[Node, list[Node]] = defaultdict(list)
    for node in graph.nodes:  # in the order in which they are made
        for choice in dict.fromkeys(choice for choice, _ in moved.get(node, ())):
            arriving[choice].append(node)
    nodes = [
        _with(node, arriving[node], moved) if node in arriving else node
        for node in graph.nodes
        if node not in moved
    ]
    inside = (
        replace(node, operation=over_subgraphs(node.operation, within_branches)) for node in nodes
    )
    return Graph(graph.inputs, tuple(inside), graph.outputs)


def _chooses(node: Node) -> bool:
    return isinstance(node.operation, Choose) and not node.inputs[0].type.rank


def _moved(graph: Graph) -> dict[Node, dict[tuple[Node, int], bool]]:
    """The nodes that go into branches: into which, and whether these use them always."""
    uses: Uses = defaultdict(dict)
    moved: dict[Node, dict[tuple[Node, int], bool]] = {}
    for wire in graph.outputs:
        uses[wire][None] = True
    for node in reversed(graph.nodes):
        places = _together(uses, node)
        into = _branches(node, places)
        if into is not None:
            moved[node] = into
        for place, wire, always in _uses(node, into):
            uses[wire][place] = uses[wire].get(place, False) or always
    return moved


def _uses(
    node: Node, into: Mapping[tuple[Node, int], bool] | None
) -> Iterator[tuple[Place, Wire, bool]]:
    """Where a node uses its operands, if it goes `into` branches or (None) stays."""
    if into is not None:
        yield from ((place, wire, always) for place, always in into.items() for wire in node.inputs)
    elif _chooses(node):
        yield None, node.inputs[0], True
        yield from _used_by(node)
    else:
        yield from ((None, wire, True) for wire in node.inputs)


def _together(uses: Uses, node: Node) -> dict[Place, bool]:
    """Where the outputs of a node are used."""
    places: dict[Place, bool] = {}
    for wire in node.outputs:
        for place, always in uses.get(wire, {}).items():
            places[place] = places.get(place, False) or always
    return places


def _branches(node: Node, places: Mapping[Place, bool]) -> dict[tuple[Node, int], bool] | None:
    """The branches of one choice that a node is made for, if it should go into them."""
    if not any(wire.type.differentiable for wire in node.outputs):
        return None
    into = {place: always for place, always in places.items() if place is not None}
    if len(into) < len(places) or len({choice for choice, _ in into}) != 1:
        return None
    (choice, _), *_ = into
    assert isinstance(choice.operation, Choose)
    everywhere = len(into) == len(choice.operation.branches) and all(into.values())
    return None if everywhere else into


def _used_by(choice: Node) -> list[tuple[tuple[Node, int], Wire, bool]]:
    """The operands that the branches of a choice use: where, which, and whether always."""
    assert isinstance(choice.operation, Choose)
    return [
        ((choice, k), operand, always)
        for k, branch in enumerate(choice.operation.branches)
        for operand, inner in zip(choice.inputs[1:], branch.inputs, strict=True)
        if (always := _always(branch, inner)) is not None
    ]


def _always(branch: Graph, wire: Wire) -> bool | None:
    """Whether a branch uses an input on every path; None if on none."""
    if wire in branch.outputs:
        return True
    found: bool | None = None
    for node in branch.nodes:
        if wire in node.inputs:
            if not _chooses(node) or wire is node.inputs[0]:
                return True
            assert isinstance(node.operation, Choose)
            sure = {place for place, used, always in _used_by(node) if used is wire and always}
            if len(sure) == len(node.operation.branches):
                return True
            found = False
    return found


def _with(
    choice: Node, arriving: list[Node], moved: Mapping[Node, Mapping[tuple[Node, int], bool]]
) -> Node:
    """A choice whose branches make what is made only for them."""
    operation = choice.operation
    assert isinstance(operation, Choose)
    made = {wire for node in arriving for wire in node.outputs}
    needed = (*choice.inputs[1:], *(wire for node in arriving for wire in node.inputs))
    operands = [wire for wire in dict.fromkeys(needed) if wire not in made]
    branches = []
    for k, branch in enumerate(operation.branches):
        inputs = [Wire(wire.type, wire.name, wire.representation) for wire in operands]
        place = dict(zip(operands, inputs, strict=True))
        own = [
            made
            for node in arriving
            if (choice, k) in moved[node]
            for made in _arrived(node, choice, k, place)
        ]
        inside = {
            inner: place[wire]
            for wire, inner in zip(choice.inputs[1:], branch.inputs, strict=True)
            if wire in place
        }
        rest = [
            replace(node, inputs=tuple(inside.get(wire, wire) for wire in node.inputs))
            for node in branch.nodes
        ]
        outputs = tuple(inside.get(wire, wire) for wire in branch.outputs)
        branches.append(Graph(tuple(inputs), (*own, *rest), outputs))
    return replace(choice, operation=Choose(tuple(branches)), inputs=(choice.inputs[0], *operands))


def _arrived(node: Node, choice: Node, k: int, place: dict[Wire, Wire]) -> list[Node]:
    """A node in a branch of a choice; of a choice by the same condition what it makes there."""
    if not _chooses(node) or node.inputs[0] is not choice.inputs[0]:
        return [_copy(node, place)]
    assert isinstance(node.operation, Choose)
    body = node.operation.branches[k]
    operands = (place[wire] for wire in node.inputs[1:])
    inside = dict(zip(body.inputs, operands, strict=True))
    made = [_copy(each, inside) for each in body.nodes]
    results = (inside[wire] for wire in body.outputs)
    place.update(zip(node.outputs, results, strict=True))
    return made


def _copy(node: Node, place: dict[Wire, Wire]) -> Node:
    outputs = tuple(Wire(wire.type, wire.name, wire.representation) for wire in node.outputs)
    made = replace(node, inputs=tuple(place[wire] for wire in node.inputs), outputs=outputs)
    place.update(zip(node.outputs, outputs, strict=True))
    return made
