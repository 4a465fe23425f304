"""A derivative as an expression of linear-map combinators.

    section (layer.W @) >> diag (1 - y * y)

A network of linear maps (linear/maps) becomes one expression by two laws, applied
until one map is left from the source to the sink:

    in a row       a >> b >> c       one way into b, and one way out of it
    side by side   a => b            L + M

What a part takes together waits until it comes from one place: `L &&& M` leads there.
To take a part of a pair (`fst`, `snd`) costs nothing and is written anew for each use, so
a sum of what comes from both is `(L *** M) >> add`. Where neither law applies, a place
is remembered: `id &&& L` goes on with both. Where more would have to be than one can
follow, the network is written as a function, `section (\\u -> …)`, and so is a map that
has no name.
Several arrays are pairs that nest to the right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ..graph.graph import ArrayType, Builder, Graph, Wire
from ..graph.rewrite import tidy
from ..language import syntax as s
from ..linear.maps import (
    Cell,
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
    Section,
    SolveL,
    Sum,
    Variable,
    WhileL,
    Zero,
    filled,
)
from ..primitives.decompile import Block, Names, Term, among_rounds, decompile, term, whole
from ..primitives.spelling import apply, lambda_, mentions, number, sized, spell, zeros

Chain: TypeAlias = tuple[s.Expression, ...]  # maps in a row; none is the identity
Slot: TypeAlias = "dict[_Place, list[Chain]]"  # the ways that lead to one place
Nest: TypeAlias = "Variable | tuple[Nest, Nest]"  # variables as nested pairs

FIRST, SECOND, ADD, IDENTITY = s.Name("fst"), s.Name("snd"), s.Name("add"), s.Name("id")
ZIP, UNZIP = s.Name("zip"), s.Name("unzip")
_OPENED = (Network, Sum, Pair, Copair, DirectSum)
MOST_REMEMBERED = 8
MINUS = apply("scale", s.Negate(s.Number(1)))


def nested(variables: Sequence[Variable]) -> Nest:
    """Several as pairs that nest to the right."""
    *front, last = variables
    nest: Nest = last
    for variable in reversed(front):
        nest = (variable, nest)
    return nest


def combinators(
    primitives: Primitives,
    network: Network,
    terms: Mapping[Wire, Term],
    names: Names,
    source: Nest | None = None,
    sink: Nest | None = None,
) -> s.Expression:
    """The network as one expression from `source` to `sink`, its inputs and outputs.

    `terms` are those of the wires the network refers to. Raises Unspeakable.
    """
    writer = _Writer(primitives, terms, names)
    if source is None:
        network = _distinct(network)
        source = nested(network.inputs)
    return writer.network(network, source, sink or nested(network.outputs))


def recorded(builder: Builder, network: Network) -> Network:
    """The network with every loop that has a bound as a recurrence of the rounds it made,
    of which the builder records what the steps' maps refer to."""

    def part(each: Part) -> Part:
        map = each.map
        if not isinstance(map, WhileL) or map.like.most is None:
            return each
        rounds = map.unrolled(builder)
        return replace(each, map=rounds.adjoint() if map.backwards else rounds)

    return Network(network.inputs, tuple(map(part, network.parts)), network.outputs)


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


@dataclass(eq=False)
class _Place:
    """A variable, or what a part takes together, on the way to one expression."""

    slots: list[Slot]  # one; of what is taken together, one for each
    users: list[tuple[_Place, int]] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        return len(self.slots) == 1


@dataclass
class _Writer:
    primitives: Primitives
    terms: Mapping[Wire, Term]
    names: Names

    # --- a network ------------------------------------------------------------------------------

    def network(self, network: Network, source: Nest, sink: Nest) -> s.Expression:
        whole_network, network = network, opened(network)
        start = _Place([{}])
        places: dict[Variable, _Place] = {}
        order: list[_Place] = []

        def lead(place: _Place, slot: int, before: _Place, chain: Chain) -> None:
            place.slots[slot].setdefault(before, []).append(chain)
            if (place, slot) not in before.users:
                before.users.append((place, slot))

        def new(slots: int = 1) -> _Place:
            order.append(_Place([{} for _ in range(slots)]))
            return order[-1]

        def at(variable: Variable) -> _Place:
            if variable not in places:
                places[variable] = new()
            return places[variable]

        def enter(nest: Nest, chain: Chain) -> None:
            if isinstance(nest, Variable):
                lead(at(nest), 0, start, chain)
            else:
                enter(nest[0], (*chain, FIRST))
                enter(nest[1], (*chain, SECOND))

        def together(nest: Nest) -> _Place:
            if isinstance(nest, Variable):
                return at(nest)
            place = new(2)
            for k, part in enumerate(nest):
                lead(place, k, together(part), ())
            return place

        enter(source, ())
        needed = _needed(network, sink)
        for part in network.parts:
            if needed.isdisjoint(part.outputs):
                continue
            for inputs, outputs, chain in self.part(part, places.keys(), needed):
                before = together(nested(inputs))
                nest = nested(outputs)
                if isinstance(nest, Variable):
                    lead(at(nest), 0, before, chain)
                else:
                    middle = new()
                    lead(middle, 0, before, chain)

                    def spread(nest: Nest, chain: Chain, middle: _Place = middle) -> None:
                        if isinstance(nest, Variable):
                            lead(at(nest), 0, middle, chain)
                        else:
                            spread(nest[0], (*chain, FIRST))
                            spread(nest[1], (*chain, SECOND))

                    spread(nest, ())
        end = together(sink)
        found = _reduced(start, end, order)
        if found is None:
            return self.function(whole_network, source, sink)
        return composed(found)

    def part(
        self, part: Part, reached: object, needed: set[Variable]
    ) -> list[tuple[Sequence[Variable], Sequence[Variable], Chain]]:
        """What a part leads from, where to, and by which maps."""
        map, inputs, outputs = part.map, part.inputs, part.outputs
        live = [variable in reached for variable in inputs]  # type: ignore[operator]
        if not any(live) or isinstance(map, Zero):
            return []
        match map:
            case Pair(maps=maps) if len(maps) == len(outputs):
                return [
                    way
                    for each, output in zip(maps, outputs, strict=True)
                    for way in self.part(Part(each, inputs, (output,)), reached, needed)
                ]
            case Copair(maps=maps) if len(maps) == len(inputs):
                return [
                    way
                    for each, variable in zip(maps, inputs, strict=True)
                    for way in self.part(Part(each, (variable,), outputs), reached, needed)
                ]
            case Section(primitive=primitive, open=positions) if (
                primitive.name in ("add", "subtract") and len(positions) == 2
            ):
                signs = ((), (MINUS,) if primitive.name == "subtract" else ())
                return [
                    ((variable,), outputs, signs[position])
                    for variable, position, flag in zip(inputs, positions, live, strict=True)
                    if flag
                ]
        gives = [
            flag and variable in needed
            for variable, flag in zip(outputs, map.reach(live), strict=True)
        ]
        if not any(gives):
            return []
        given = [variable for variable, flag in zip(inputs, live, strict=True) if flag]
        made = [variable for variable, flag in zip(outputs, gives, strict=True) if flag]
        return [(given, made, self.chain(map, live, gives))]

    # --- one map ----------------------------------------------------------------------------------

    def chain(self, map: LinearMap, live: Sequence[bool], gives: Sequence[bool]) -> Chain:
        match map:
            case Identity():
                return ()
            case Compose(maps=maps) if len(live) == 1:
                return tuple(tree for each in maps for tree in self.chain(each, (True,), (True,)))
            case Section() if len(map.open) == 1:
                tree = self.section(map)
                return () if tree is IDENTITY else (tree,)
            case Scale(factor=factor) if factor.type.kind == "R":
                return (apply("scale", self.terms[factor].tree),)
            case SolveL(tolerance=0.0) if all(live):
                inner = self.alone(map.map)
                tree = apply("inverse", inner)
                if _may_be_a_function(inner):
                    tree = apply("section", apply("solve", inner))
                return (tree,) if all(gives) else (tree, *_taken(gives))
            case MapL():
                return self.each(map, live, gives)
            case Recurrence():
                return self.recurrence(map, live, gives)
            case ChooseL():
                return (self.choice(map, live, gives),)
            case _:
                return (self.applied(map, live, gives),)

    def alone(self, map: LinearMap) -> s.Expression:
        """The expression of one map."""
        sources = tuple(Variable(type) for type in map.domain)
        targets = tuple(Variable(type) for type in map.codomain)
        network = Network(sources, (Part(map, sources, targets),), targets)
        return self.network(network, nested(sources), nested(targets))

    def section(self, map: Section) -> s.Expression:
        (position,) = map.open
        if map.primitive.name == "negate":
            return MINUS
        if map.primitive.name in ("add", "subtract"):  # the other summand does not move
            return MINUS if map.primitive.name == "subtract" and position else IDENTITY
        if map.primitive.name == "mul" and not map.parameters.get("conjugate"):
            factor = self.terms[map.fixed[0]]
            if factor.whole:
                return apply("diag", factor.tree)
            if not factor.core and factor.type.kind == "R":
                return apply("scale", factor.tree)
        name = self.names.fresh("u")
        operands = [
            term(s.Name(name), map.domain[0])
            if k == position
            else self.terms[operand]
            if isinstance(operand, Wire)
            else zeros(operand)
            for k, operand in enumerate(map.operands)
        ]
        made = spell(map.primitive.name, map.parameters, operands, map.codomain[0], self.names)
        return linear_function(name, whole(made))

    def applied(self, map: LinearMap, live: Sequence[bool], gives: Sequence[bool]) -> s.Expression:
        """A map without a name, as a function."""
        sources = tuple(Variable(type) for type in map.domain)
        targets = tuple(Variable(type) for type in map.codomain)
        given = [v for v, flag in zip(sources, live, strict=True) if flag]
        made = [v for v, flag in zip(targets, gives, strict=True) if flag]
        network = Network(sources, (Part(map, sources, targets),), targets)
        return self.function(network, nested(given), nested(made))

    def function(self, network: Network, source: Nest, sink: Nest) -> s.Expression:
        """A network as a function of what moves."""
        builder = Builder(self.primitives)
        fixed = [builder.input(wire.type, wire.name) for wire in network.fixed]
        place = dict(zip(network.fixed, fixed, strict=True))
        moving: dict[Variable, Wire] = {}
        pattern, trees = self.pattern(source)
        for variable in trees:
            moving[variable] = builder.input(variable.type, variable.name)
        given = [moving.get(variable) for variable in network.inputs]
        images = network.substitute(place).apply(builder, given)
        outputs = filled(builder, images, network.codomain)
        there = dict(zip(network.outputs, outputs, strict=True))
        wanted = _variables(sink)
        graph = tidy(self.primitives, builder.finish([there[v] for v in wanted]))
        terms = {
            **{w: self.terms[wire] for wire, w in zip(network.fixed, graph.inputs, strict=False)},
            **{w: trees[v] for v, w in zip(trees, graph.inputs[len(fixed) :], strict=True)},
        }
        block, late, made = decompile(graph, terms, self.names)
        results = dict(zip(wanted, (whole(each) for each in made), strict=True))
        body = Block([*block.bindings, *late.bindings]).around(_nest_tree(sink, results))
        if isinstance(pattern, s.PatternName):
            return linear_function(pattern.name, body)
        return apply("section", s.Lambda((pattern,), body))

    def pattern(self, nest: Nest) -> tuple[s.PatternTree, dict[Variable, Term]]:
        """Names for variables in nested pairs."""
        if isinstance(nest, Variable):
            name = self.names.fresh(f"d{nest.name}" if nest.name.isidentifier() else "u")
            return s.PatternName(name), {nest: term(s.Name(name), nest.type)}
        (one, first), (two, second) = map(self.pattern, nest)
        return s.PatternTuple((one, two)), first | second

    # --- maps, loops, choices ----------------------------------------------------------------

    def cell(
        self,
        cell: Cell,
        network: Network,
        residuals: Sequence[Wire],
        stacked: Sequence[Wire],
        source: Nest,
        sink: Nest,
    ) -> tuple[s.PatternTree, s.Expression, s.Expression | None]:
        """The pattern of what a step keeps, its map, and the sequence of what is kept."""
        inputs = cell.prologue.inputs
        terms: dict[Wire, Term] = {}
        for wire, own in zip(residuals, inputs, strict=False):
            terms[own] = self.terms[wire]
        pattern: s.PatternTree = s.PatternWildcard()
        zipped: s.Expression | None = None
        for wire, own in zip(stacked, inputs[len(residuals) :], strict=True):
            outside = self.terms[wire]
            name = self.names.fresh(own.name if own.name.isidentifier() else "h")
            terms[own] = term(s.Name(name), own.type, below=outside.below, untyped=True)
            if zipped is None:
                pattern, zipped = s.PatternName(name), whole(outside)
            else:
                pattern = s.PatternTuple((pattern, s.PatternName(name)))
                zipped = apply("zip", s.Tuple((zipped, whole(outside))))
        network = Network(network.inputs, network.parts, _variables(sink)).useful()
        builder = Builder(self.primitives)
        kept = [builder.input(wire.type, wire.name) for wire in inputs]
        place = dict(zip(cell.made, builder.inline(cell.prologue, kept), strict=True))
        network = recorded(builder, network.substitute(place))
        terms = {here: terms[wire] for wire, here in zip(inputs, kept, strict=True)}
        needed = builder.finish(network.fixed)
        block, made = held(self.primitives, needed, terms, network, self.names)
        inner = {wire: made[k] for k, wire in enumerate(network.fixed)}
        body = combinators(self.primitives, network, inner, self.names, source, sink)
        return pattern, block.around(body), zipped

    def each(self, map: MapL, live: Sequence[bool], gives: Sequence[bool]) -> Chain:
        network = _distinct(map.cell.network)
        given = [(v, map.shared_inputs[k]) for k, v in enumerate(network.inputs) if live[k]]
        made = [(v, map.summed_outputs[k]) for k, v in enumerate(network.outputs) if gives[k]]
        source = nested([v for v, _ in given])
        sink = nested([v for v, _ in made])
        pattern, body, zipped = self.cell(map.cell, network, map.shared, map.stacked, source, sink)
        if zipped is None:
            steps: Chain = (apply("mapL", body),)
        else:
            steps = (apply("eachL", _function(pattern, body), zipped),)
        return (*self._spread(given, map.length), *steps, *self._gathered(made))

    def _spread(self, given: Sequence[tuple[Variable, bool]], length: int) -> Chain:
        """From arrays, those flagged shared by all elements, to one sequence of pairs."""
        if all(flag for _, flag in given):
            return (sized("replicate", length),)
        if len(given) == 1:
            return ()
        if len(given) == 2 and not any(flag for _, flag in given):
            return (ZIP,)
        pattern, terms = self.pattern(nested([v for v, _ in given]))
        trees = [
            apply(sized("replicate", length), terms[v].tree) if flag else terms[v].tree
            for v, flag in given
        ]
        return (apply("section", s.Lambda((pattern,), _zipped(trees))),)

    def _gathered(self, made: Sequence[tuple[Variable, bool]]) -> Chain:
        """From one sequence of pairs to arrays, those flagged summed."""
        if all(flag for _, flag in made):
            return (s.Name("sum"),)
        if len(made) == 1:
            return ()
        if len(made) == 2 and not any(flag for _, flag in made):
            return (UNZIP,)
        name = self.names.fresh("us")
        trees, block = self._unzipped(s.Name(name), len(made))
        parts = [
            apply("sum", tree) if flag else tree
            for tree, (_, flag) in zip(trees, made, strict=True)
        ]
        body = block.around(pairs(parts))
        return (apply("section", s.Lambda((s.PatternName(name),), body)),)

    def _unzipped(self, tree: s.Expression, count: int) -> tuple[list[s.Expression], Block]:
        block, found = Block(), []
        for _ in range(count - 1):
            one, rest = self.names.fresh("us"), self.names.fresh("us")
            block.bind(
                s.PatternTuple((s.PatternName(one), s.PatternName(rest))), apply("unzip", tree)
            )
            found.append(s.Name(one))
            tree = s.Name(rest)
        return [*found, tree], block

    def recurrence(self, map: Recurrence, live: Sequence[bool], gives: Sequence[bool]) -> Chain:
        network = _distinct(map.cell.network)
        after = map.activity(live)
        states = [k for k in range(map.states) if after[k]]
        others = [k for k in range(map.states, len(live)) if live[k]]
        stacks = [k for k in range(map.states, len(gives)) if gives[k]]
        if not states:
            return (self.applied(map, live, gives),)
        state_in = [network.inputs[k] for k in states]
        state_out = [network.outputs[k] for k in states]
        nothing = [] if others else [Variable(ArrayType("R"))]  # a sequence there must be
        source = (nested(state_in), nested([*(network.inputs[k] for k in others), *nothing]))
        results = [network.outputs[k] for k in stacks] or state_out
        sink = (nested(state_out), nested(results))
        pattern, body, zipped = self.cell(map.cell, network, map.shared, map.stacked, source, sink)
        name = "recurrenceRight" if map.reverse else "recurrence"
        if map.rounds is not None:
            number = self.names.fresh("i")
            there = among_rounds(s.Name(number), self.terms[map.rounds])
            keep = composed((FIRST, s.Binary("&&&", IDENTITY, s.Name("zero"))))
            body = apply("choose", there, body, keep)
            numbers = sized("iota", map.length)
            if zipped is None:
                pattern, zipped = s.PatternName(number), numbers
            else:
                pattern = s.PatternTuple((pattern, s.PatternName(number)))
                zipped = apply("zip", s.Tuple((zipped, numbers)))
        zipped = zipped or sized("iota", map.length)
        step = apply(name, _function(pattern, body), zipped)

        # What comes in: the states that move at first, the rest zero; then the elements.
        given = [k for k, flag in enumerate(live) if flag]
        outer, trees = self.pattern(nested([network.inputs[k] for k in given]))
        starts = [
            trees[network.inputs[k]].tree if live[k] else whole(zeros(network.inputs[k].type))
            for k in states
        ]
        limit = map.states + map.elements
        along = [
            trees[network.inputs[k]].tree
            if k < limit
            else apply(sized("replicate", map.length), trees[network.inputs[k]].tree)
            for k in others
        ]
        along += [apply(sized("replicate", map.length), s.Number(0)) for _ in nothing]
        before: Chain = (
            apply("section", s.Lambda((outer,), s.Tuple((pairs(starts), _zipped(along))))),
        )
        if len(given) == 2 and given == [0, 1] and map.states == 1 and map.elements:
            before = ()
        # What comes out: the last states that are asked for, what is stacked, what is summed.
        last = [k for k in states if gives[k]]
        if not stacks:
            if len(last) == len(states):
                return (*before, step, FIRST)
        elif not last and len(stacks) == 1:
            tail: Chain = (
                (SECOND, s.Name("sum")) if stacks[0] >= map.states + map.stacks else (SECOND,)
            )
            return (*before, step, *tail)
        names = [self.names.fresh("u") for _ in states]
        rest = self.names.fresh("us")
        parts, block = self._unzipped(s.Name(rest), max(len(stacks), 1))
        outcome: list[s.Expression] = [
            s.Name(n) for n, k in zip(names, states, strict=True) if k in last
        ]
        for tree, k in zip(parts, stacks, strict=False):
            outcome.append(apply("sum", tree) if k >= map.states + map.stacks else tree)
        held_state = pair_pattern(names)
        leave = s.Lambda(
            (s.PatternTuple((held_state, s.PatternName(rest))),), block.around(pairs(outcome))
        )
        return (*before, step, apply("section", leave))

    def choice(self, map: ChooseL, live: Sequence[bool], gives: Sequence[bool]) -> s.Expression:
        trees = []
        for cell in map.cells:
            network = _distinct(cell.network)
            source = nested([v for v, flag in zip(network.inputs, live, strict=True) if flag])
            sink = nested([v for v, flag in zip(network.outputs, gives, strict=True) if flag])
            trees.append(self.cell(cell, network, map.residuals, (), source, sink)[1])
        which = self.terms[map.selector]
        if which.type.kind == "Bool":
            return apply("choose", which.tree, trees[1], trees[0])
        tree = trees[-1]
        for k in range(len(trees) - 2, -1, -1):
            here = s.Binary("<=" if k == 0 else "==", which.tree, number(k))
            tree = apply("choose", here, trees[k], tree)
        return tree


# --- the two laws --------------------------------------------------------------------------------


def _reduced(start: _Place, end: _Place, order: list[_Place]) -> Chain | None:
    """The one chain from `start` to `end`; None where the laws do not get there."""
    alive = dict.fromkeys(order)

    def take(place: _Place) -> bool:
        """A place with one way in, or one that only adds up, is passed over."""
        if place is end or not place.ready:
            return False
        (slot,) = place.slots
        if len(slot) == 1:
            ((before, chains),) = slot.items()
            way = _added(chains)
            if len(place.users) > 1 and not all(tree in (FIRST, SECOND) for tree in way):
                return False
            ways = {before: [way]}
        elif len(place.users) == 1 and place.users[0][0].slots[place.users[0][1]][place] == [()]:
            ways = slot
        else:
            return False
        for user, k in place.users:
            after = user.slots[k].pop(place)
            tail = after[0] if len(after) == 1 else _added(after)
            for before, chains in ways.items():
                user.slots[k].setdefault(before, []).extend((*c, *tail) for c in chains)
                if (user, k) not in before.users:
                    before.users.append((user, k))
        for before in ways:
            before.users = [use for use in before.users if use[0] is not place]
        del alive[place]
        return True

    def settle(place: _Place, whatever: bool) -> bool:
        """What is taken together, once it comes from one place; or a sum over the places
        it comes from."""
        if place.ready:
            return False
        places = dict.fromkeys(before for slot in place.slots for before in slot)
        if len(places) > 1 and not whatever:
            return False
        together: Slot = {}
        for before in places:
            chains = [slot.get(before) for slot in place.slots]
            together[before] = [_paired([None if c is None else _added(c) for c in chains])]
            before.users = [use for use in before.users if use[0] is not place]
            before.users.append((place, 0))
        place.slots = [together]
        return True

    remembered: list[_Place] = []

    def remember() -> bool:
        """Two ways that part and meet across others: `id &&& L` goes on with both the place
        it comes from and where L leads, and all that follows takes its part of them."""
        if len(remembered) == MOST_REMEMBERED:
            return False
        for place in list(alive):
            if place is end or not place.ready or len(place.slots[0]) != 1:
                continue
            remembered.append(place)
            ((before, chains),) = place.slots[0].items()
            both = _Place([{before: [_paired([(), _added(chains)])]}])
            for old, part in ((before, FIRST), (place, SECOND)):
                for user, k in old.users:
                    if user is place:
                        continue
                    after = user.slots[k].pop(old)
                    user.slots[k].setdefault(both, []).extend((part, *c) for c in after)
                    if (user, k) not in both.users:
                        both.users.append((user, k))
            before.users = [(both, 0)]
            del alive[place]
            alive[both] = None
            return True
        return False

    progress = True
    while progress:
        progress = False
        for place in list(alive):
            if settle(place, False):
                progress = True
            if take(place):
                progress = True
        if not progress:
            waiting = (place for place in reversed(list(alive)) if settle(place, True))
            progress = next(waiting, None) is not None or remember()
    if end is start:
        return ()
    if not end.ready or list(end.slots[0]) != [start]:
        return None
    return _added(end.slots[0][start])


def _added(chains: Sequence[Chain]) -> Chain:
    """L + M + …; of what comes from the two parts of a pair, `(L *** M) >> add`."""
    if len(chains) == 1:
        return chains[0]
    if len(chains) == 2 and chains[0] and chains[1]:
        one, two = sorted(chains, key=lambda chain: chain[0] == SECOND)
        if one[0] == FIRST and two[0] == SECOND:
            return (*_beside(one[1:], two[1:]), ADD)
    # What only takes parts is a function by itself, and functions are not added: it comes
    # after a linear map.
    same = sum(not chain for chain in chains)
    if same > 1:
        scaled = apply("scale", s.Number(same))
        chains = [(scaled,), *(chain for chain in chains if chain)]
    trees = sorted(map(composed, chains), key=_is_function)
    if _is_function(trees[0]):
        return (s.Binary("&&&", trees[0], composed(_added([(t,) for t in trees[1:]]))), ADD)
    tree = trees[0]
    for other in trees[1:]:
        tree = s.Binary("+", tree, other)
    return (tree,)


def _is_function(tree: s.Expression) -> bool:
    """Whether a map only takes parts and pairs them."""
    if isinstance(tree, s.Binary):
        return _is_function(tree.left) and _is_function(tree.right)
    return tree in (FIRST, SECOND, IDENTITY)


def _beside(one: Chain, two: Chain) -> Chain:
    """L *** M."""
    return (s.Binary("***", composed(one), composed(two)),) if one or two else ()


def _paired(chains: Sequence[Chain | None]) -> Chain:
    """L &&& M, what both begin with done once; None is zero."""
    one, two = chains
    if one is None or two is None:
        zero = s.Name("zero")
        left, right = (zero if c is None else composed(c) for c in (one, two))
        return (s.Binary("&&&", left, right),)
    common = 0
    while common < min(len(one), len(two)) and one[common] == two[common]:
        common += 1
    front, one, two = one[:common], one[common:], two[common:]
    if one and two and one[0] == FIRST and two[0] == SECOND:
        return (*front, *_beside(one[1:], two[1:]))
    if not one and not two:
        return (*front, s.Name("dup"))
    return (*front, s.Binary("&&&", composed(one), composed(two)))


def composed(chain: Sequence[s.Expression]) -> s.Expression:
    maps: list[s.Expression] = []
    for each in chain:
        for stage in _stages(each):
            if maps and maps[-1] == UNZIP and stage == ZIP:
                maps.pop()
            elif stage != IDENTITY:
                maps.append(stage)
    if not maps:
        return IDENTITY
    tree = maps[0]
    for stage in maps[1:]:
        tree = s.Binary(">>", tree, stage)
    return tree


def _stages(tree: s.Expression) -> list[s.Expression]:
    """The maps that an expression composes."""
    found: list[s.Expression] = []
    while isinstance(tree, s.Binary) and tree.operator == ">>":
        found.append(tree.right)
        tree = tree.left
    return [tree, *reversed(found)]


# --- small questions -----------------------------------------------------------------------------


def _distinct(network: Network) -> Network:
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


def _may_be_a_function(tree: s.Expression) -> bool:
    """Whether `id` or `zero`, functions by themselves, are paired in it: where no linear map
    is expected, that pair is a function."""
    return any(
        isinstance(part, s.Binary)
        and part.operator in ("***", "&&&")
        and not {IDENTITY, s.Name("zero")}.isdisjoint((part.left, part.right))
        for part in s.walk(tree)
    )


def _taken(gives: Sequence[bool]) -> Chain:
    """The parts of nested pairs that are asked for."""
    names = [f"u{k}" for k in range(len(gives))]
    kept = [s.Name(name) for name, flag in zip(names, gives, strict=True) if flag]
    return (apply("section", s.Lambda((pair_pattern(names),), pairs(kept))),)


def _needed(network: Network, sink: Nest) -> set[Variable]:
    needed = set(_variables(sink))
    for part in reversed(network.parts):
        if not needed.isdisjoint(part.outputs):
            needed.update(part.inputs)
    return needed


def _variables(nest: Nest) -> tuple[Variable, ...]:
    if isinstance(nest, Variable):
        return (nest,)
    return (*_variables(nest[0]), *_variables(nest[1]))


def _nest_tree(nest: Nest, trees: Mapping[Variable, s.Expression]) -> s.Expression:
    if isinstance(nest, Variable):
        return trees[nest]
    return s.Tuple((_nest_tree(nest[0], trees), _nest_tree(nest[1], trees)))


def pairs(trees: Sequence[s.Expression]) -> s.Expression:
    *front, tree = trees
    for each in reversed(front):
        tree = s.Tuple((each, tree))
    return tree


def _zipped(trees: Sequence[s.Expression]) -> s.Expression:
    *front, tree = trees
    for each in reversed(front):
        tree = apply("zip", s.Tuple((each, tree)))
    return tree


def pair_pattern(names: Sequence[str]) -> s.PatternTree:
    *front, last = names
    pattern: s.PatternTree = s.PatternName(last)
    for name in reversed(front):
        pattern = s.PatternTuple((s.PatternName(name), pattern))
    return pattern


def _function(pattern: s.PatternTree, body: s.Expression) -> s.Expression:
    if isinstance(pattern, s.PatternName):
        return lambda_((pattern.name,), body)
    return s.Lambda((pattern,), body)


_LINEAR = ("sum", "reverse", "transpose", "flatten", "concat", "unzip")
_LINEAR_SIZED = ("take", "drop", "replicate", "reshape", "overlapAdd", "split")


def linear_function(name: str, body: s.Expression) -> s.Expression:
    """A function of `name` as a linear map: a name, a section, or a lambda."""
    plain = s.Name(name)
    match body:
        case s.Negate(operand=operand) if operand == plain:
            return MINUS
        case s.Binary(operator=operator, left=left, right=right) if right == plain and not mentions(
            left, name
        ):
            return apply("section", s.LeftSection(left, operator))
        case s.Binary(operator=operator, left=left, right=right) if left == plain and not mentions(
            right, name
        ):
            return apply("section", s.RightSection(operator, right))
        case s.Apply(function=s.Apply(function=s.Name("dot"), argument=left), argument=right) if (
            left == plain and not mentions(right, name)
        ):  # symmetric
            return apply("section", apply("dot", right))
    function = lambda_((name,), body)
    match function:
        case s.Name(name=known) if known in _LINEAR:
            return function
        case s.Bracket(name=known) if known in _LINEAR_SIZED:
            return function
        case s.Apply(function=s.Bracket(name="scatterAdd")):
            return function
        case _:
            return apply("section", function)
