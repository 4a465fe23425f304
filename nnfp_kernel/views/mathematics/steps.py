"""A derivative worked out law by law.

    D layer x
      chain rule                     D (W @ ·) >> D (+) >> D tanh
      bilinear function              W · >> D (+) >> D tanh
      elementwise function           W · >> D (+) >> diag(1 - y^2)
      constant summand, identity     W · >> diag(1 - y^2)

A large program is followed piece by piece (linear/pieces.py): dh of dx, then dy of dh. The
adjoint takes the pieces in reverse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...graph.graph import Builder, Wire
from ...graph.laws import Fired
from ...graph.rewrite import optimise, vectorise
from ...language import types as t
from ...linear import laws
from ...linear.differentiate import linearize
from ...linear.laws import Adjoint, Differential
from ...linear.maps import LinearMap, Network, Variable
from ...linear.pieces import Piece, pieces
from ...runtime.calls.call import Call as Traced
from ...runtime.function import Function
from ..structure import require_trees
from . import formula as m
from .formula import Formula
from .maps import Naming, map_formula
from .plain import to_plain
from .sections import Mathematics


@dataclass(frozen=True)
class Shown:
    """One law that fired: its name, what it says, and the map after it, or only what
    changed where the map is long."""

    law: str
    statement: str
    formula: Formula
    changes: tuple[tuple[Formula, Formula], ...] = ()


@dataclass(frozen=True)
class Derivation:
    """A map, the laws that were applied to it, and the letters its formulas use."""

    start: Formula
    steps: tuple[Shown, ...]
    where: tuple[tuple[Formula, Formula], ...]
    # Of a piece: what it makes, and of what.
    makes: tuple[Formula, ...] | None = None
    of: tuple[Formula, ...] = ()

    @property
    def result(self) -> Formula:
        return self.steps[-1].formula if self.steps else self.start


LONG = 16  # atoms of a formula that is shown whole at every step


def derivation(
    builder: Builder, start: LinearMap, said: Formula, naming: Naming, inputs: Sequence[Formula]
) -> tuple[Derivation, LinearMap]:
    """The laws applied to a map one after the other, and the map they end in."""
    shown: list[Shown] = []
    map = start
    for step in laws.steps(builder, start):
        map = step.map
        formula = map_formula(map, naming, inputs)
        changes: tuple[tuple[Formula, Formula], ...] = ()
        if m.size_of(formula) > LONG:
            pairs = [
                (map_formula(a, naming, inputs), map_formula(b, naming, inputs))
                for a, b in step.changes
            ]
            changes = tuple(dict.fromkeys(pairs))
        shown.append(Shown(step.law.name, step.law.statement, formula, changes))
    return Derivation(said, tuple(shown), tuple(naming.where)), map


@dataclass(frozen=True)
class Derivations:
    """The derivative in the inputs, from the chain rule on, and its adjoint from there: in
    one, or in pieces.

    `graph` are the laws that rewrite the graph which runs, each with how often it fires.
    """

    derivative: tuple[Derivation, ...]
    adjoint: tuple[Derivation, ...]
    graph: tuple[tuple[str, str, int], ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the derivative is one expression."""
        return len(self.derivative) == 1 and self.derivative[0].makes is None


def derivations(
    function: Function, found: Mathematics, given: Sequence[Any] = (), in_pieces: bool = False
) -> Derivations | None:
    """The derivative of a function worked out; None where nothing in the result has a tangent,
    or where it is too large to be followed in one expression, unless it may come `in_pieces`.

    It starts from the graph that is differentiated: maps are vectorised by then, and a
    window of a linear map is a convolution. `given` tell the sizes that its type leaves open.
    Raises NnfpError for a function of trees that are not given: their shape is that of the maps.
    """
    require_trees(function, given)
    call = function.call_for(*given)
    graph = call.traced.vectorised
    builder = Builder(call.traced.program.primitives)
    wires = [builder.input(wire.type, wire.name) for wire in graph.inputs]
    active = [
        k < call.traced.arguments and wire.type.differentiable for k, wire in enumerate(wires)
    ]
    outputs, network = linearize(builder, graph, wires, active)
    if not network.outputs:
        return None
    whole = laws.expression(network)
    if whole is None and not in_pieces:
        return None
    inputs = [wire for wire, flag in zip(wires, active, strict=True) if flag]
    own = wires[: call.traced.arguments]
    names = dict(zip(own, found.inputs, strict=False))
    if len(found.inputs) != len(own):
        names = _input_names(found.inputs, call, own) if function.calls.takes_trees else {}
    results = [wire for wire in outputs if wire.type.differentiable]
    if len(results) == len(found.results):
        names |= dict(zip(results, found.results, strict=True))
    naming = Naming(names, [builder])
    naming.taken |= {line.left for section in found.sections for line in section.lines}
    symbols = [naming.of(wire) for wire in inputs]
    if whole is None:
        return _in_pieces(builder, network, naming, symbols, results, graph_laws(call))
    said = _differential_of(m.symbol(function.name))
    start = Differential(function.name, "program", whole)
    first, worked = derivation(builder, start, said, naming, symbols)
    turned = m.transposed(map_formula(worked, naming, symbols), "†")
    second, _ = derivation(builder, Adjoint(worked), turned, naming, symbols)
    second = replace(second, where=tuple(naming.where))
    return Derivations((first,), (second,), graph_laws(call))


def _input_names(
    own: Sequence[Formula], call: Traced, wires: Sequence[Wire]
) -> dict[Wire, Formula]:
    """What the wires of the inputs are called: as the inputs are. A tree comes in several
    wires, those of its payload numbered; the other parts of a product are a wire each."""
    parts = [part for type in call.types for part in _flat(type)]
    trees = [k for k, part in enumerate(parts) if call.traced.program.declarations.has_trees(part)]
    if len(parts) != len(own) or len(trees) > 1:
        own, trees = (m.symbol("x"),), [0]
    first = trees[0] if trees else len(own)
    after = len(wires) - (len(own) - first - 1)
    names = dict(zip(wires[:first], own[:first], strict=False))
    names |= dict(zip(wires[after:], own[first + 1 :], strict=False))
    payload = [wire for wire in wires[first:after] if wire.type.differentiable]
    for k, wire in enumerate(payload, 1):
        names[wire] = own[first] if len(payload) == 1 else m.indexed(own[first], m.symbol(str(k)))
    return names


def _flat(type: t.Type) -> list[t.Type]:
    return (
        [p for item in type.items for p in _flat(item)] if isinstance(type, t.Product) else [type]
    )


def _differential_of(function: Formula) -> Formula:
    return m.Row((m.Letter("D"), m.Space(), function), m.FUNCTION)


def _in_pieces(
    builder: Builder, network: Network, naming: Naming, symbols: Sequence[Formula],
    results: Sequence[Wire], graph: tuple[tuple[str, str, int], ...],
) -> Derivations:  # fmt: skip
    names: dict[Variable, Formula] = dict(zip(network.inputs, symbols, strict=True))
    answers = [wire for wire in results if wire in naming.known]
    if len(answers) == len(network.outputs):
        names |= {
            variable: naming.of(wire)
            for variable, wire in zip(network.outputs, answers, strict=True)
            if variable not in names
        }
    forward: list[Derivation] = []
    backward: list[Derivation] = []
    for piece in pieces(network):
        if piece.variable not in names:
            names[piece.variable] = naming.letter(piece.variable.name)
        there, back = _piece(builder, piece, naming, names)
        forward.append(there)
        backward.insert(0, back)
    return Derivations(tuple(forward), tuple(backward), graph)


def _piece(
    builder: Builder, piece: Piece, naming: Naming, names: dict[Variable, Formula]
) -> tuple[Derivation, Derivation]:
    name = names[piece.variable]
    read = [names.setdefault(v, m.ZERO) for v in piece.network.inputs]
    whole = laws.expression(piece.network)
    assert whole is not None, "a piece is small"
    before = len(naming.where)
    start = Differential(to_plain(name), "program", whole)
    there, worked = derivation(builder, start, _differential_of(name), naming, read)
    turned = m.transposed(map_formula(worked, naming, read), "†")
    back, _ = derivation(builder, Adjoint(worked), turned, naming, read)
    where = tuple(naming.where[before:])
    tangents = tuple(map(m.differential, read))
    bars = tuple(map(m.barred, read))
    return (
        replace(there, where=where, makes=(m.differential(name),), of=tangents),
        replace(back, where=where, makes=bars, of=(m.barred(name),)),
    )


def graph_laws(call: Traced) -> tuple[tuple[str, str, int], ...]:
    """The laws of graphs that fire on the way to what runs: for the program before it is
    differentiated, and for its derivative and adjoint after."""
    fired: Fired = Counter()
    primitives = call.traced.program.primitives
    vectorise(primitives, call.traced.graph, fired)
    for graph in (call.pushforward_graph, call.pullback_graph):
        optimise(primitives, graph, fired)
    return tuple((name, said, count) for (name, said), count in sorted(fired.items()))
