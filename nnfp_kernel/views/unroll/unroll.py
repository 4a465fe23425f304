"""A function's loops, maps and trees with their values, at one input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy

from ...graph.graph import Node, While, Wire
from ...language.diagnostics import NnfpError
from ...language.telling import plain
from ...runtime.data import DataValue
from ...runtime.forest.arguments import forests_in
from ...runtime.forest.trees import PackedTrees
from ...runtime.function import Function
from ..given import required_function
from ..wiring.diagram import Group
from ..wiring.tree import short
from .frames import Frame, Ran, inner, rows_of, sliding, tree_loops
from .steps import Chain, Steps, Strip, Tree, Unrolled
from .told import Called, Told

Array = Any
LARGEST = 4_000_000  # numbers of one part
NODES = 4_000  # of a tree


def unroll(
    function: Function,
    *inputs: Any,
    trail: Sequence[tuple[int, int]] = (),
    labels: Sequence[str] = (),
) -> Unrolled:
    """What repeats in a function of the session, step by step, with its present weights.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> session = Session(precision=64)
    >>> _ = session.run("total : [R] -> R\\ntotal = fold (\\\\(s, x) -> s + x) 0")
    >>> (part,) = unroll(session["total"], numpy.array([1.0, 2.0, 4.0])).parts
    >>> part.label, part.count, part.chains[0].states[0].values[:, 0].tolist()
    ('fold (\\\\(s, x) -> s + x) 0', 3, [0.0, 1.0, 3.0, 7.0])

    `inputs` are those of one call. `labels` are words for the positions of what comes in.
    With a `trail` it is what repeats inside of a step: of which part, and at which step,
    both counted from 0, from the outside to the inside.

    Raises NnfpError where nothing repeats, where a sequence is empty or too long, and where
    the trail leads nowhere.
    """
    call, whole, arrays = required_function(function).as_run(*inputs)
    told = Told(function)
    graph = call.traced.graph
    frame = Frame.of(graph, arrays, call.traced.arguments, function.program.precision)
    forests = [each for each in forests_in(whole) if isinstance(each, PackedTrees)]
    reader = _Reader(told, labels)
    parts, ran = reader.parts(frame, forests)
    for place, step in trail:
        if not 0 <= place < len(parts) or not 0 <= step < parts[place].count:
            raise _refused(
                function, f"{function.name} has no part {place + 1} with a step {step + 1}",
                "There is " + _listed(parts) + ".",
            )  # fmt: skip
        within = ran[place]
        if within is None:
            raise _refused(function, f"nothing repeats inside of {parts[place].label}")
        parts, ran = reader.parts(within.inside(step), [])
    if not parts and trail:
        raise _refused(function, "nothing repeats inside of that step")
    if not parts:
        raise _refused(
            function, f"nothing repeats in {function.name}",
            "What is unrolled is a fold, scan, map, window, unfold, iterate, while or cata, with "
            "an input that has something in it: an empty sequence has no steps.",
        )  # fmt: skip
    for part in parts:
        if part.numbers > LARGEST:
            raise _refused(
                function, f"{part.label} has {part.count:,} steps of {part.numbers:,} numbers in "
                f"all: more than {LARGEST:,}", "Take a shorter input, `xs[:1000]`.",
            )  # fmt: skip
    return Unrolled(
        function.name, function.type, tuple(parts), tuple(trail), told.representations,
        tuple(map(str, labels)),
    )  # fmt: skip


def first(frame: Unrolled, part: int | None = None) -> int:
    """The part that is seen first: the one that is asked for, else one with states, if there
    is one."""
    if part is not None:
        return min(max(part, 0), len(frame.parts) - 1)
    return next((k for k, each in enumerate(frame.parts) if each.kind != "map"), 0)


def _refused(function: Function, title: str, *notes: str) -> NnfpError:
    place = function.definition.span
    return NnfpError(plain("no-steps", title, place, f"has type {function.type}", notes=notes))


def _listed(parts: Sequence[Steps]) -> str:
    shown = [f"{k}, {part.label}, {part.count:,} steps" for k, part in enumerate(parts, 1)]
    return "; ".join(shown) or "none"


class _Reader:
    def __init__(self, told: Told, labels: Sequence[str]) -> None:
        self.told = told
        self.labels = labels

    def parts(
        self, frame: Frame, forests: Sequence[PackedTrees]
    ) -> tuple[list[Steps], list[Ran | None]]:
        """What repeats in a frame, and each as it ran, to go inside; trees first."""
        parts: list[Steps] = []
        kept: list[Ran | None] = []
        for node in tree_loops(frame.graph) if forests else []:
            made = self.tree(frame, node, forests)
            if made is not None:
                parts.append(made)
                kept.append(None)
        ran = [each for each in frame.run() if _steps_of(each) and self.is_written(each)]
        while ran:
            first = ran.pop(0)
            other = next((each for each in ran if _opposite(first, each)), None)
            if other is not None:
                ran.remove(other)
                together = sorted([first, other], key=lambda each: each.reverse)
                parts.append(self.steps(frame, together))
            else:
                parts.append(self.steps(frame, [first]))
            kept.append(first)
        return parts, kept

    def is_written(self, ran: Ran) -> bool:
        """Whether a person has written it: what a forest does with its leaves nobody has."""
        origin, own = ran.node.origin, self.told.function.definition.span.source
        return origin is not None and (origin.source.name != "expression" or origin.source == own)

    # --- loops and maps -------------------------------------------------------------------------

    def steps(self, frame: Frame, ran: Sequence[Ran]) -> Steps:
        """One part: a loop or a map, or two over the same sequence in opposite ways."""
        first = ran[0]
        told = self.told
        origin = first.node.origin
        groups = [told.group(each.node) for each in ran]
        chains = [self.chain(each, group) for each, group in zip(ran, groups, strict=True)]
        elements, seen = self.elements(frame, first, groups[0])
        count, whole = first.count, 0
        if _ends_itself(first):
            count, whole = _steps_of(first), first.count
            chains = [_cut(chain, count) for chain in chains]
        steps = [span for each in ran for span in told.done_at(each)]
        kind = "loop" if first.states else "map" if seen is None else "window"
        return Steps(
            told.label(origin), kind, count, tuple(chains), elements, None, seen,
            told.excerpts(told.place(origin), steps), told.place(origin),
            inner(first.body) if len(ran) == 1 else 0, whole,
        )  # fmt: skip

    def chain(self, ran: Ran, group: Group | None) -> Chain:
        told = self.told
        states, _, outputs = ran.names
        types, _, out = _types(group)
        named = told.called(states, types)
        stops = _ends_itself(ran)
        shown = [
            _strip(called, wire, values)
            for called, wire, values in zip(named, states, ran.states, strict=True)
            if not (stops and wire.type.kind == "Bool")
        ]
        after = ran.body.outputs[: len(ran.states)]
        given = []
        for k, (called, wire, values) in enumerate(
            zip(told.called(outputs, out), outputs, ran.outputs, strict=True)
        ):
            if wire not in after and not (stops and k == len(outputs) - 1):
                given.append(_strip(called, wire, values))
        untied = group is not None and group.kind == "stack"
        return Chain(
            told.box(ran, group), tuple(shown), tuple(given), ran.reverse, told.start(group),
            told.weights(group), not untied,
        )  # fmt: skip

    def elements(
        self, frame: Frame, ran: Ran, group: Group | None
    ) -> tuple[tuple[Strip, ...], Array | None]:
        """What comes in from below; of windows what they slide over, and what each sees."""
        if isinstance(ran.node.operation, While):
            return (), None
        _, wires, _ = ran.names
        _, types, _ = _types(group)
        operands = ran.node.inputs[len(ran.shared) + len(ran.states) :]
        strips, seen = [], None
        for called, wire, operand, values, moves in zip(
            self.told.called(wires, types), wires, operands, ran.elements, ran.moving, strict=False
        ):
            if not moves:
                continue
            found = sliding(frame, operand)
            if found is None:
                strips.append(_strip(called, wire, values))
                continue
            source, seen = found
            (slid,) = frame.values([source])
            one = Wire(source.type.element(), source.name)
            strips.append(_strip(Called(called.name, str(one.type), called.colour), one, slid))
        return tuple(strips), seen

    # --- trees ----------------------------------------------------------------------------------

    def tree(self, frame: Frame, node: Node, forests: Sequence[PackedTrees]) -> Steps | None:
        """A catamorphism over a tree that came in; None where it is no tree of the input's."""
        schedule = frame.values(node.inputs[:2])
        forest = next((each for each in forests if each.runs_by(schedule)), None)
        if forest is None:
            return None
        told = self.told
        nodes, parents, rows = forest.places
        if len(nodes) > NODES:
            raise _refused(
                told.function, f"the tree has {len(nodes):,} nodes: at most {NODES:,} are shown"
            )
        order, place = _arranged(parents)
        results = rows_of(frame, node, numpy.asarray(rows)[order])
        where = {old: new for new, old in enumerate(order)}
        group = told.cata
        types = [wire.type for wire in group.body.outputs] if group is not None else None
        wires = node.outputs[: len(results)]
        made = [Wire(wire.type.element(), wire.name, wire.representation) for wire in wires]
        strips = [
            _strip(called, wire, values)
            for called, wire, values in zip(told.called(made, types), made, results, strict=True)
        ]
        span, alternatives = told.alternatives()
        payload = [_payload(nodes[k].fields) for k in order]
        tree = Tree(
            tuple(nodes[k].constructor for k in order),
            tuple(where[parents[k]] if parents[k] >= 0 else -1 for k in order),
            tuple(" ".join(map(short, own)) for own in payload),
            tuple(map(_numbers, payload)),
            place[order],
        )
        chain = Chain("cata", tuple(strips), (), False, "", told.weights(group))
        return Steps(
            "cata", "tree", len(order), (chain,), (), tree, None,
            told.excerpts(span, alternatives), span,
        )  # fmt: skip


def _arranged(parents: Sequence[int]) -> tuple[list[int], Array]:
    """The nodes of a tree in breadth-first order: in which order they are reached from the
    leaves, and where each stands, [nodes, 2]."""
    children: list[list[int]] = [[] for _ in parents]
    for k, above in enumerate(parents):
        if above >= 0:
            children[above].append(k)
    order: list[int] = []
    pending = [0]
    while pending:  # a parent, then its children from the right: the reverse of what is wanted
        k = pending.pop()
        order.append(k)
        pending.extend(children[k])
    order.reverse()
    place = numpy.zeros((len(parents), 2))
    leaves = 0
    for k in order:
        own = children[k]
        if not own:
            place[k] = leaves, 0
            leaves += 1
        else:
            place[k] = (place[own[0], 0] + place[own[-1], 0]) / 2, place[own, 1].max() + 1
    return order, place


def _payload(fields: Sequence[Any]) -> list[Any]:
    """What a node holds beside its children."""
    told: list[Any] = []
    pending = list(fields)
    while pending:
        part = pending.pop(0)
        if isinstance(part, tuple):
            pending = [*part, *pending]
        elif not isinstance(part, DataValue) and not (
            isinstance(part, list) and any(isinstance(each, DataValue | tuple) for each in part)
        ):
            told.append(part)
    return told


def _numbers(parts: Sequence[Any]) -> Array:
    rows = [numpy.asarray(part) for part in parts]
    rows = [row.reshape(-1).astype(float) for row in rows if row.dtype.kind in "biuf"]
    return numpy.concatenate(rows) if rows else numpy.zeros(0)


# --- values -----------------------------------------------------------------------------------


def _strip(called: Called, wire: Wire, values: Array) -> Strip:
    rows = numpy.asarray(values)
    rows = rows.reshape(len(rows), -1)
    if numpy.iscomplexobj(rows):
        rows = numpy.concatenate([rows.real, rows.imag], axis=1)
    return Strip(
        called.name, called.type, wire.type.shape, rows.astype(float), called.colour,
        wire.type.kind,
    )  # fmt: skip


def _types(group: Group | None) -> tuple[Any, Any, Any]:
    """What the program says the states, elements and outputs are: None where it does not."""
    if group is None:
        return None, None, None
    entering = list(zip(group.body.inputs, group.entering, strict=False))
    leaving = list(zip(group.body.outputs, group.leaving, strict=False))
    states = [wire.type for wire, port in entering if port.role == "state"]
    elements = [wire.type for wire, port in entering if port.role == "element"]
    outputs = [wire.type for wire, port in leaving if port.role == "element"]
    return states, elements, outputs


def _opposite(one: Ran, other: Ran) -> bool:
    """Whether two loops go over the same sequence in opposite ways: a bidirectional one."""
    if not one.states or not other.states or one.reverse == other.reverse:
        return False
    first = one.node.inputs[len(one.shared) + len(one.states) :]
    second = other.node.inputs[len(other.shared) + len(other.states) :]
    return bool(first) and tuple(first) == tuple(second) and one.count == other.count


def _ends_itself(ran: Ran) -> bool:
    """Whether it is an unfold that stops: its last state and output say whether it goes on."""
    last = ran.body.outputs[len(ran.states) - 1 : len(ran.states)]
    ends = ran.body.outputs[-1:]
    return bool(last) and len(ran.outputs) > 0 and last == ends and last[0].type.kind == "Bool"


def _steps_of(ran: Ran) -> int:
    """How many steps were made."""
    return int(ran.outputs[-1].sum()) if _ends_itself(ran) else ran.count


def _cut(chain: Chain, count: int) -> Chain:
    """The steps that were made."""
    states = tuple(replace(s, values=s.values[: count + 1]) for s in chain.states)
    outputs = tuple(replace(s, values=s.values[:count]) for s in chain.outputs)
    return replace(chain, states=states, outputs=outputs)
