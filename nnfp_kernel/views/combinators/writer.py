"""A network of linear maps as one expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...graph.graph import ArrayType, Builder, Wire
from ...graph.rewrite import tidy
from ...language import syntax as s
from ...linear.maps import (
    Cell,
    ChooseL,
    Compose,
    Copair,
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
    Variable,
    Zero,
    filled,
)
from ...primitives.decompile import Block, Names, Term, among_rounds, decompile, term, whole
from ...primitives.spelling import apply, linear_map, number, sized, spell, zeros
from .chains import FIRST, IDENTITY, SECOND, UNZIP, ZIP, Chain, Place, composed, reduced
from .functions import MINUS, function_of, linear_function, may_be_a_function, taken
from .nests import Nest, nest_tree, nested, pair_pattern, pairs, variables_of, zip_tree
from .networks import distinct, held, needed_for, opened, recorded


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
    writer = Writer(primitives, terms, names)
    if source is None:
        network = distinct(network)
        source = nested(network.inputs)
    return writer.network(network, source, sink or nested(network.outputs))


@dataclass
class Writer:
    primitives: Primitives
    terms: Mapping[Wire, Term]
    names: Names

    # --- a network ------------------------------------------------------------------------------

    def network(self, network: Network, source: Nest, sink: Nest) -> s.Expression:
        whole_network, network = network, opened(network)
        start = Place([{}])
        places: dict[Variable, Place] = {}
        order: list[Place] = []

        def lead(place: Place, slot: int, before: Place, chain: Chain) -> None:
            place.slots[slot].setdefault(before, []).append(chain)
            if (place, slot) not in before.users:
                before.users.append((place, slot))

        def new(slots: int = 1) -> Place:
            order.append(Place([{} for _ in range(slots)]))
            return order[-1]

        def at(variable: Variable) -> Place:
            if variable not in places:
                places[variable] = new()
            return places[variable]

        def enter(nest: Nest, chain: Chain) -> None:
            if isinstance(nest, Variable):
                lead(at(nest), 0, start, chain)
            else:
                enter(nest[0], (*chain, FIRST))
                enter(nest[1], (*chain, SECOND))

        def together(nest: Nest) -> Place:
            if isinstance(nest, Variable):
                return at(nest)
            place = new(2)
            for k, part in enumerate(nest):
                lead(place, k, together(part), ())
            return place

        enter(source, ())
        needed = needed_for(network, sink)
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

                    def spread(nest: Nest, chain: Chain, middle: Place = middle) -> None:
                        if isinstance(nest, Variable):
                            lead(at(nest), 0, middle, chain)
                        else:
                            spread(nest[0], (*chain, FIRST))
                            spread(nest[1], (*chain, SECOND))

                    spread(nest, ())
        end = together(sink)
        found = reduced(start, end, order)
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
                if may_be_a_function(inner):
                    tree = apply("section", apply("solve", inner))
                return (tree,) if all(gives) else (tree, *taken(gives))
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
        if map.primitive.name == "importedSection":  # of a definition that stayed a name
            fixed = [self.terms[wire] for wire in map.fixed]
            return linear_map(map.parameters, fixed, self.names)
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
        wanted = variables_of(sink)
        graph = tidy(self.primitives, builder.finish([there[v] for v in wanted]))
        terms = {
            **{w: self.terms[wire] for wire, w in zip(network.fixed, graph.inputs, strict=False)},
            **{w: trees[v] for v, w in zip(trees, graph.inputs[len(fixed) :], strict=True)},
        }
        block, late, made = decompile(graph, terms, self.names)
        results = dict(zip(wanted, (whole(each) for each in made), strict=True))
        body = Block([*block.bindings, *late.bindings]).around(nest_tree(sink, results))
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
        network = Network(network.inputs, network.parts, variables_of(sink)).useful()
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
        network = distinct(map.cell.network)
        given = [(v, map.shared_inputs[k]) for k, v in enumerate(network.inputs) if live[k]]
        made = [(v, map.summed_outputs[k]) for k, v in enumerate(network.outputs) if gives[k]]
        source = nested([v for v, _ in given])
        sink = nested([v for v, _ in made])
        pattern, body, zipped = self.cell(map.cell, network, map.shared, map.stacked, source, sink)
        if zipped is None:
            steps: Chain = (apply("mapL", body),)
        else:
            steps = (apply("eachL", function_of(pattern, body), zipped),)
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
        return (apply("section", s.Lambda((pattern,), zip_tree(trees))),)

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
        network = distinct(map.cell.network)
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
        step = apply(name, function_of(pattern, body), zipped)

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
            apply("section", s.Lambda((outer,), s.Tuple((pairs(starts), zip_tree(along))))),
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
            network = distinct(cell.network)
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
