"""Where a value stopped being finite: a graph run once more, node by node.

Slow and exact: for the one batch on which a training failed, not for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from ...graph.graph import Choose, Constant, Fixpoint, Graph, Loop, Map, Node, TreeLoop, While, Wire
from ...graph.interpret import interpret, interpret_node
from ..lower import DTYPES, Arrays, Precision

Array = Any
_STEPS = 1000  # of a fixpoint: one that fails later than this is blamed itself


Found = tuple[Node, list[Array]]  # a node, and what it was given


def where_not_finite(graph: Graph, arrays: Sequence[Array], precision: Precision) -> Found | None:
    """The node from which NaN or infinity came into the graph's outputs, and its operands.

    Found from the outputs backwards, so that an infinity which a later node masks is
    not blamed; within a map, a loop or a branch it is the node of its body. None where all
    outputs are finite, or where it came in with the inputs.
    """
    return _search(graph, list(arrays), Arrays(DTYPES[precision]))


def finite(array: Array) -> bool:
    """Whether all entries are numbers; true of what is no number at all (a key)."""
    given = array if hasattr(array, "dtype") else numpy.asarray(array)
    kind = getattr(given.dtype, "kind", None)
    return kind not in ("f", "c") or bool(numpy.isfinite(numpy.asarray(given)).all())


def _search(graph: Graph, arrays: list[Array], domain: Arrays) -> Found | None:
    place: dict[Wire, Array] = dict(zip(graph.inputs, arrays, strict=True))
    made_by: dict[Wire, int] = {}
    for number, node in enumerate(graph.nodes):
        results = interpret_node(node, [place[wire] for wire in node.inputs], domain)
        place.update(zip(node.outputs, results, strict=True))
        made_by.update(dict.fromkeys(node.outputs, number))

    def spoiled(wires: Sequence[Wire]) -> list[int]:
        """The nodes that made those of the wires that are not finite. An infinite
        literal is meant."""
        return [
            made_by[wire]
            for wire in wires
            if wire in made_by
            and not isinstance(graph.nodes[made_by[wire]].operation, Constant)
            and not finite(place[wire])
        ]

    pending, seen, origins = spoiled(graph.outputs), set[int](), set[int]()
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        seen.add(number)
        before = spoiled(graph.nodes[number].inputs)
        pending += before
        if not before:
            origins.add(number)
    if not origins:
        return None
    node = graph.nodes[min(origins)]
    given = [place[wire] for wire in node.inputs]
    return _within(node, given, domain) or (node, given)


def _within(node: Node, arrays: list[Array], domain: Arrays) -> Found | None:
    """The node of a body at which it began, element by element."""
    match node.operation:
        case Map(body=body, shared=shared, length=length):
            for k in range(length):
                given = [*arrays[:shared], *(array[k] for array in arrays[shared:])]
                found = _search(body, given, domain)
                if found is not None:
                    return found
        case Loop(body=body, carried=carried, length=length, reverse=reverse) as loop:
            own, state, sequences, rounds = loop.operands(arrays)
            count = int(rounds[0]) if rounds else length
            for k in reversed(range(count)) if reverse else range(count):
                given = [*own, *state, *(array[k] for array in sequences)]
                found = _search(body, given, domain)
                if found is not None:
                    return found
                state = interpret(body, given, domain)[:carried]
        case While(condition=condition, body=body, shared=shared, most=most):
            state, number = arrays[shared:], 0
            while number != most:
                given = [*arrays[:shared], numpy.asarray(number, domain.dtypes["Int"]), *state]
                if not interpret(condition, given, domain)[0]:
                    break
                found = _search(body, given, domain)
                if found is not None:
                    return found
                state, number = interpret(body, given, domain), number + 1
        case Fixpoint(body=body, shared=shared, most=most, linear=False):
            state = arrays[shared:]
            for _ in range(min(most, _STEPS)):
                given = [*arrays[:shared], *state]
                found = _search(body, given, domain)
                if found is not None:
                    return found
                state = interpret(body, given, domain)
        case TreeLoop() as tree:
            return _within_tree(tree, arrays, domain)
        case Choose(branches=branches) if not numpy.shape(arrays[0]):
            return _search(branches[int(arrays[0])], arrays[1:], domain)
        case _:
            pass
    return None


def _within_tree(tree: TreeLoop, arrays: list[Array], domain: Arrays) -> Found | None:
    (reads, _, _, _), shared, initial, elements = tree.operands(arrays)
    block = tree.writes * tree.width
    history = []
    for rows in initial:
        room = numpy.zeros((tree.length * block + 1, *rows.shape[1:]), rows.dtype)
        history.append(numpy.concatenate([numpy.asarray(rows), room]))
    first = len(history[0]) - tree.length * block - 1 if history else 0
    for k in reversed(range(tree.length)) if tree.reverse else range(tree.length):
        read = [rows[reads[k][port]] for port in range(tree.reads) for rows in history]
        given = [*shared, *read, *(array[k] for array in elements)]
        found = _search(tree.body, given, domain)
        if found is not None:
            return found
        made = interpret(tree.body, given, domain)
        start = first + k * block
        for j, rows in enumerate(history):
            blocks = made[j : tree.writes * tree.rows : tree.rows]
            rows[start : start + block] = numpy.concatenate(list(map(numpy.asarray, blocks)))
    return None
