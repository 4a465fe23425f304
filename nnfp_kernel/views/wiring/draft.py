"""A diagram in the making: boxes, wires between them, and groups, which are sheets that lie on
this one.

    x = draft.wire(R[3])                          a wire that comes in
    y = draft.operate("tanh", [x], R[3])          a box, and what leaves it
    draft.finish(draft.sheet, [x], [y])           the diagram

What stands for a closed expression is written into the box that takes it. A wire of a sheet
below is led into a group through a port.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ...language import types as t
from ...language.source import Span
from .diagram import Diagram, Group, Node, Owner, Port, Wire
from .values import (
    SYMBOLS,
    Closure,
    Term,
    Value,
    applied,
    leaf_types,
    made_from,
    made_of,
    parts,
    section,
    written,
)


@dataclass
class Sheet:
    """A diagram in the making, and the sheet it lies on."""

    parent: Sheet | None
    nodes: list[Node] = field(default_factory=list)
    wires: set[Wire] = field(default_factory=set)
    led: dict[Wire, Wire] = field(default_factory=dict)  # wires of outside, and theirs here

    def lead(self, wire: Wire) -> Wire:
        """The wire on this sheet; one of a sheet below is led in."""
        if wire in self.wires:
            return wire
        if wire not in self.led:
            assert self.parent is not None, "a wire of no sheet"
            made = Wire(wire.type, wire.name)
            self.parent.lead(wire)
            self.led[wire] = made
            self.wires.add(made)
        return self.led[wire]


class Draft:
    """A diagram in the making. `holes` answers whose weights are in a text of the program."""

    def __init__(self, holes: Callable[[str], Owner]) -> None:
        self.holes = holes
        self.sheet = Sheet(None)
        self.here: Span | None = None  # what is read just now is written there

    @contextmanager
    def at(self, span: Span | None) -> Iterator[None]:
        """Boxes made inside are written there."""
        before, self.here = self.here, span or self.here
        try:
            yield
        finally:
            self.here = before

    def whole(self, span: Span, named: bool = True) -> Span:
        """The whole that a name is written in with its arguments, where it is called by
        others: `fold cell zero`, handed to `>>`. As the tracer has it."""
        return self.here if self.here is not None and self.here.contains(span, named) else span

    def wire(self, type: t.Type, name: str = "") -> Wire:
        made = Wire(type, name)
        self.sheet.wires.add(made)
        return made

    def flow(self, value: Value) -> list[Wire]:
        """The wires of a value, on this sheet; a closed expression becomes a source."""
        if isinstance(value, tuple):
            return [wire for part in value for wire in self.flow(part)]
        if isinstance(value, Wire):
            return [self.sheet.lead(value)]
        if isinstance(value, Closure):
            value = Term(value.text, value.type)
        assert isinstance(value, Term), value
        node = self.source(value)
        self.sheet.nodes.append(node)
        return list(node.outputs)

    def source(self, term: Term) -> Node:
        """A closed expression as a box that nothing flows into."""
        wires: list[Wire] = []
        made_of(term.type, lambda leaf: wires.append(self.wire(leaf)))
        owner = self.holes(term.text) if term.learns else None
        shape = "zero" if term.text == "zero" else "source"
        return Node(
            shape, term.text, (), tuple(wires), owner, operation="constant", origin=self.here
        )

    def box(
        self,
        shape: str,
        label: str,
        given: Sequence[Value],
        result: t.Type,
        owner: Owner | None = None,
        operation: str = "",
        held: tuple[str | None, ...] = (),
        before: tuple[str, ...] = (),
    ) -> Value:
        """A new node whose inputs are all wires of the arguments; its result as a value."""
        inputs = tuple(itertools.chain.from_iterable(map(self.flow, given)))
        outputs: list[Wire] = []

        def wire(leaf: t.Type) -> Wire:
            outputs.append(self.wire(leaf))
            return outputs[-1]

        value = made_of(result, wire)
        self.sheet.nodes.append(
            Node(
                shape, label, inputs, tuple(outputs), owner, before,
                operation=operation, held=held, origin=self.here,
            )
        )  # fmt: skip
        return value

    def operate(
        self,
        label: str,
        given: Sequence[Value],
        result: t.Type,
        owner: Owner | None = None,
        operation: str = "",
    ) -> Value:
        """A function at its arguments: closed ones are written into the box."""
        operation = operation or label
        closed = [each for each in given if isinstance(each, Term | Closure)]
        flowing = [each for each in given if not isinstance(each, Term | Closure)]
        learns = any(isinstance(each, Term) and each.learns for each in closed)
        held = tuple(written(e) if isinstance(e, Term | Closure) else None for e in given)
        if not flowing and given:
            text = applied(label, held)
            return Term(text, result, learns or owner is not None, atomic=False)
        wires = [wire for value in flowing for wire in _leaves(value)]
        symbolic = label in SYMBOLS
        if len(wires) > 1 and symbolic and not closed:
            return self.box("circle", label, flowing, result, owner, operation, held)
        if learns and owner is None:
            owner = self.holes(applied(label, held))
        text = label if not closed else section(label, held)
        return self.box("box", text, flowing, result, owner, operation, held)

    # --- sheets and groups -----------------------------------------------------------------------

    def finish(self, sheet: Sheet, inputs: Sequence[Wire], outputs: Sequence[Wire]) -> Diagram:
        """The sheet's diagram: what does not lead to an output is left out."""
        wanted, kept = set(outputs), []
        for node in reversed(sheet.nodes):
            if wanted.intersection(node.outputs):
                wanted.update(node.inputs)
                kept.append(_without_unused(node, wanted))
        return Diagram(tuple(inputs), tuple(reversed(kept)), tuple(outputs))

    def inside(self, run: Callable[[], Any]) -> tuple[Sheet, Any]:
        """Read on a sheet that lies on this one; the sheet, and what `run` answers."""
        before = self.sheet
        self.sheet = Sheet(before)
        try:
            return self.sheet, run()
        finally:
            self.sheet = before

    def group(
        self,
        label: str,
        kind: str,
        states: Sequence[tuple[Value, t.Type]],
        elements: Sequence[tuple[Value, t.Type]],
        run: Callable[..., tuple[Value, Value]],
        state_leaves: str,
        result: t.Type,
        **more: Any,
    ) -> tuple[Value, Value]:
        """A group: states that go round, elements that come one by one.

        `run(*states, *elements)` reads the body and answers the states after it and what
        leaves it. `state_leaves` is "plain" (the last one), "element" (each, then `more` has
        its `length`) or "". The answer is the state that leaves and the `result`.
        """
        one_by_one = "element" if kind in ("map", "loop", "window") else "plain"
        length = more.pop("length", None)
        inputs: list[Wire] = []

        def body() -> tuple[list[Wire], list[Wire]]:
            arguments = [
                made_of(type, lambda leaf: self._input(leaf, inputs))
                for _, type in (*states, *elements)
            ]
            after, out = run(*arguments)
            return self.flow(after), self.flow(out)

        sheet, (after, out) = self.inside(body)
        diagram = self.finish(sheet, inputs, [*after, *out])
        outer: list[Wire] = []
        entering = [*self._begun(states, outer), *self._taken(elements, one_by_one, outer)]
        used = {wire for node in diagram.nodes for wire in node.inputs} | {*after, *out}
        for captured, here in sheet.led.items():
            if here in used:
                entering.append(Port("plain", len(outer)))
                outer += self.flow(captured)
                inputs.append(here)
        left: list[Wire] = []  # the group's own outputs

        def leave(type: t.Type) -> Wire:
            left.append(self.wire(type))
            return left[-1]

        leaving = []
        for place, wire in enumerate(after):
            leaving.append(Port("state", place if state_leaves else None))
            if state_leaves:
                leave(wire.type if length is None else t.Array(wire.type, length))
        state = made_from(left, states[0][1]) if states and state_leaves else ()
        leaving += [Port(one_by_one, len(left) + place) for place in range(len(out))]
        answer = made_of(result, leave) if out else ()
        self.sheet.nodes.append(
            Group(
                "group", label, tuple(outer), tuple(left),
                body=replace(diagram, inputs=tuple(inputs)), entering=tuple(entering),
                leaving=tuple(leaving), kind=kind, origin=self.here, **more,
            )
        )  # fmt: skip
        return state, answer

    def _begun(self, states: Sequence[tuple[Value, t.Type]], outer: list[Wire]) -> Iterator[Port]:
        """What states begin with: a wire from outside, or what stands in the group."""
        for value, type in states:
            for part in parts(value, type):
                if isinstance(part, Term):
                    yield Port("state", None, replace(self.source(part), operation="start"))
                else:
                    yield Port("state", len(outer))
                    outer += self.flow(part)

    def _taken(
        self, elements: Sequence[tuple[Value, t.Type]], role: str, outer: list[Wire]
    ) -> Iterator[Port]:
        """Where elements come from. A tree of pairs is one wire, each of its pairs is two."""
        for value, type in elements:
            flowing, count = self.flow(value), len(leaf_types(type))
            for number in range(count):
                yield Port(role, len(outer) + (number if len(flowing) == count else 0))
            outer += flowing

    def _input(self, leaf: t.Type, inputs: list[Wire]) -> Wire:
        inputs.append(self.wire(leaf))
        return inputs[-1]


def _leaves(value: Value) -> Iterator[Wire]:
    if isinstance(value, tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def alone(group: Group, label: str) -> Group:
    """A group whose whole inside is one group, as that one under the outer name."""
    body = group.body
    if len(body.nodes) != 1 or not isinstance(body.nodes[0], Group):
        return group
    inner = body.nodes[0]
    if not set(body.outputs) <= set(inner.outputs) or not set(inner.inputs) <= set(body.inputs):
        return group
    ins = [group.entering[body.inputs.index(wire)].outer for wire in inner.inputs]
    outs = {wire: group.leaving[place].outer for place, wire in enumerate(body.outputs)}
    return replace(
        inner,
        label=label,
        inputs=group.inputs,
        outputs=group.outputs,
        entering=tuple(
            port if port.outer is None else replace(port, outer=ins[port.outer])
            for port in inner.entering
        ),
        leaving=tuple(
            port if port.outer is None else replace(port, outer=outs.get(inner.outputs[port.outer]))
            for port in inner.leaving
        ),
    )


def _without_unused(node: Node, wanted: Collection[Wire]) -> Node:
    """A group without the outputs that nothing takes."""
    if not isinstance(node, Group) or all(wire in wanted for wire in node.outputs):
        return node
    outputs = tuple(wire for wire in node.outputs if wire in wanted)
    place = {wire: number for number, wire in enumerate(outputs)}
    leaving = tuple(
        port if port.outer is None else replace(port, outer=place.get(node.outputs[port.outer]))
        for port in node.leaving
    )
    return replace(node, outputs=outputs, leaving=leaving)
