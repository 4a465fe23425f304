"""Networks made ready to be written: loops recorded, compositions taken apart, values held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...graph.graph import ArrayType, Builder, Graph, Wire
from ...graph.rewrite import tidy
from ...linear.maps import (
    ChooseL,
    Compose,
    Copair,
    DirectSum,
    Identity,
    LinearMap,
    MapL,
    Network,
    Pair,
    Part,
    Primitives,
    Recurrence,
    Scale,
    SolveL,
    Sum,
    Variable,
    WhileL,
)
from ...primitives.decompile import Block, Names, Term, Unspeakable, decompile
from .nests import Nest, variables_of

_OPENED = (Network, Sum, Pair, Copair, DirectSum)


def recorded(builder: Builder, network: Network) -> Network:
    """The network with every loop that has a bound as a recurrence of the rounds it made,
    of which the builder records what the steps' maps refer to."""

    def part(each: Part) -> Part:
        map = each.map
        if not isinstance(map, WhileL) or map.like.most is None:
            return each
        rounds = map.unrolled(builder)
        return replace(each, map=rounds.adjoint() if map.backwards else rounds)

    require_drawn(network)
    return Network(network.inputs, tuple(map(part, network.parts)), network.outputs)


def require_drawn(network: Network) -> None:
    """Raises Unspeakable for a map that would draw: of a loop without a bound, which is not
    given before what it draws (graph/drawn.py)."""
    if any(wire.type.kind == "Key" for each in network.parts for wire in each.map.fixed):
        raise Unspeakable(
            "a loop without a bound that draws: its derivative makes the rounds again, and would "
            "draw other numbers. With a bound, `while[1000] c f`, it can be written: what it "
            "draws is drawn before it"
        )


def opened(network: Network) -> Network:
    """The network with what is composed of maps taken apart, down to those with a name."""

    def new(types: Sequence[ArrayType]) -> tuple[Variable, ...]:
        return tuple(Variable(type) for type in types)

    def cut(variables: Sequence[Variable], types: Sequence[Sequence[ArrayType]]) -> list[Any]:
        supply = iter(variables)
        return [tuple(next(supply) for _ in each) for each in types]

    def parts(part: Part) -> Iterator[Part]:
        map, inputs, outputs = part.map, part.inputs, part.outputs
        match map:
            case Network():
                inside = [v for p in map.parts for v in (*p.inputs, *p.outputs)]
                inside += [*map.inputs, *map.outputs]
                place = {v: Variable(v.type, v.name) for v in inside}
                for outer, inner in zip(inputs, map.inputs, strict=True):
                    yield Part(Identity((outer.type,)), (outer,), (place[inner],))
                for inner_part in map.parts:
                    sides = inner_part.inputs, inner_part.outputs
                    into, out_of = (tuple(place[v] for v in side) for side in sides)
                    yield from parts(Part(inner_part.map, into, out_of))
                for inner, outer in zip(map.outputs, outputs, strict=True):
                    yield Part(Identity((outer.type,)), (place[inner],), (outer,))
            case Sum(maps=maps):
                for each in maps:
                    yield from parts(Part(each, inputs, outputs))
            case Compose(maps=maps) if (
                len(inputs) > 1 or len(outputs) > 1 or any(isinstance(m, _OPENED) for m in maps)
            ):
                for each in maps[:-1]:
                    between = new(each.codomain)
                    yield from parts(Part(each, inputs, between))
                    inputs = between
                yield from parts(Part(maps[-1], inputs, outputs))
            case Pair(maps=maps):
                for each, some in zip(maps, cut(outputs, [m.codomain for m in maps]), strict=True):
                    yield from parts(Part(each, inputs, some))
            case Copair(maps=maps):
                for each, some in zip(maps, cut(inputs, [m.domain for m in maps]), strict=True):
                    yield from parts(Part(each, some, outputs))
            case DirectSum(maps=maps):
                sources = cut(inputs, [m.domain for m in maps])
                targets = cut(outputs, [m.codomain for m in maps])
                for each, source, target in zip(maps, sources, targets, strict=True):
                    yield from parts(Part(each, source, target))
            case Scale() | Identity() if len(inputs) > 1:
                for one, other in zip(inputs, outputs, strict=True):
                    alone = replace(map, domain=(one.type,))
                    yield Part(alone, (one,), (other,))
            case _:
                yield part

    every = tuple(each for part in network.parts for each in parts(part))
    return Network(network.inputs, every, network.outputs)


def held(
    primitives: Primitives,
    graph: Graph,
    inputs: Mapping[Wire, Term],
    network: Network,
    names: Names,
    others: int = 0,
) -> tuple[Block, dict[int, Term]]:
    """Bindings and terms for the outputs of a graph, by their places: so many `others`, then
    the wires `fixed` that a network refers to, in this order."""
    uses: Counter[Wire] = Counter()
    for part in network.parts:
        _count(part.map, uses)
    again = [
        output
        for wire, output in zip(network.fixed, graph.outputs[others:], strict=True)
        for _ in range(uses[wire] - 1)
    ]
    whole_graph = Graph(graph.inputs, graph.nodes, (*graph.outputs, *again))
    written = tidy(primitives, whole_graph)
    given = {
        own: known
        for wire, own in zip(graph.inputs, written.inputs, strict=True)
        if (known := inputs.get(wire)) is not None
    }
    block, _, made = decompile(written, given, names)
    return block, dict(enumerate(made[: len(graph.outputs)]))


def _count(map: LinearMap, uses: Counter[Wire]) -> None:
    """How often wires stand in the expression of a map; what stands under a binder counts
    twice."""
    match map:
        case Compose(maps=maps) | Pair(maps=maps) | Copair(maps=maps) | Sum(maps=maps):
            for each in maps:
                _count(each, uses)
        case Network(parts=parts):
            for part in parts:
                _count(part.map, uses)
        case SolveL(map=inner):
            _count(inner, uses)
        case MapL() | Recurrence():
            rounds = (map.rounds,) * 2 if isinstance(map, Recurrence) and map.rounds else ()
            uses.update((*map.shared, *map.shared, *map.stacked, *rounds))
        case ChooseL():
            uses.update((map.selector, *map.residuals, *map.residuals))
        case _:
            uses.update(map.fixed)


def distinct(network: Network) -> Network:
    """The network with an input variable of its own for each input; one that stood twice
    is the sum of two."""
    if len(set(network.inputs)) == len(network.inputs):
        return network
    inputs = tuple(Variable(variable.type, variable.name) for variable in network.inputs)
    sums = tuple(
        Part(Identity((new.type,)), (new,), (old,))
        for new, old in zip(inputs, network.inputs, strict=True)
    )
    return Network(inputs, (*sums, *network.parts), network.outputs)


def needed_for(network: Network, sink: Nest) -> set[Variable]:
    needed = set(variables_of(sink))
    for part in reversed(network.parts):
        if not needed.isdisjoint(part.outputs):
            needed.update(part.inputs)
    return needed
