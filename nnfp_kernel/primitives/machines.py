"""Machines: a cell run along a sequence, as automata theory knows it.

A Mealy machine (`mealy`, in std/prelude.nnfp) may look at its input for its output; a
Moore machine may not, and whether it does is seen on the traced cell.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.context import Context
from ..graph.graph import Builder, Node, Wire
from ..graph.scope import Occurrence
from ..graph.values import Value, leaves
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.source import Span
from .table import BUILTINS, Builtin, builtin


def _moore(context: Context, use: Occurrence, cell: Value, start: Value, xs: Value) -> Value:
    state = use.domains()[1]
    outputs = use.result(3)
    assert isinstance(outputs, t.Array)

    def checked(pair: Value) -> Value:
        after, output = cell(pair)
        wires = context.flatten(output, outputs.element)
        read = _read_by(context.builder, wires, set(leaves(pair[1])))
        if read is not None:
            raise NnfpError(_not_moore(use.span, read))
        return after, output

    both: t.Type = t.Product((state, outputs))
    domains = use.domains()[:3]
    for domain in reversed(domains):
        both = t.Function(domain, both)
    made = context.call(BUILTINS["mapAccum"], Occurrence(both), checked, start, xs)
    return made[1]


def _read_by(builder: Builder, outputs: list[Wire], inputs: set[Wire]) -> Sequence[Node] | None:
    """The nodes by which outputs depend on the inputs, those that take one of them; empty
    where an input is an output itself, None where no output depends on any."""
    pending = [builder.own(wire) for wire in outputs]
    seen: set[Wire] = set()
    reading: dict[Node, None] = {}
    while pending:
        wire = pending.pop()
        if wire in seen:
            continue
        seen.add(wire)
        node = builder.producer(wire)
        if node is not None:
            if not inputs.isdisjoint(node.inputs):
                reading[node] = None
            pending.extend(node.inputs)
    return list(reading) if reading or not inputs.isdisjoint(seen) else None


def _not_moore(place: Span, reading: Sequence[Node]) -> Diagnostic:
    spans = dict.fromkeys(node.origin for node in reading if node.origin not in (None, place))
    return Diagnostic(
        "moore-output",
        "the output of this machine looks at its input",
        Label(place, "a Moore machine's output depends on the state alone"),
        tuple(Label(span, "the input is read here") for span in spans if span is not None)[:1],
        (
            "The input may only change the state: the output sees it one step later. A cell "
            "whose output looks at its input is a Mealy machine:",
        ),
        "mealy f z",
    )


builtin(
    Builtin(
        "moore", "((s, a) -> (s, b)) -> s -> a[n] -> b[n]", 3, _moore,
        doc="A Moore machine: a cell run along a sequence from a state, giving the outputs, "
        "each of which depends on the state before its element and not on the element "
        "(Moore 1956). That is checked.",
        example="moore (\\(s, x) -> (s + x, 2 * s)) 0 [1, 2, 3]",
    )
)  # fmt: skip
