"""The step of a tree's recurrence: at each constructor the result, and a linear map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...graph.forest import Branch, Reduction
from ...graph.graph import Builder, Graph, Wire
from ...graph.rewrite import tidy
from ...language import syntax as s
from ...language import types as t
from ...linear.differentiate import linearize
from ...linear.maps import Network, Primitives, filled
from ...primitives.decompile import Block, Term, decompile, whole
from ...primitives.spelling import apply
from ..combinators import combinators, composed, held, pair_pattern, pairs, recorded
from .values import Values

# Bindings, the result, what a function of the tangents gives, and the maps after it.
Written: TypeAlias = "tuple[Block, list[Term], s.Expression, tuple[s.Expression, ...]]"
Left: TypeAlias = "Callable[[t.Type, Network], list[s.Expression]]"


@dataclass
class _Moving:
    """The tangents of the fields of a node: patterns, bindings, and their arrays."""

    patterns: list[s.PatternTree]
    block: Block
    terms: list[Term]


@dataclass
class Steps:
    """Writes the step of one tree's recurrence."""

    values: Values
    primitives: Primitives
    reduction: Reduction
    terms: Mapping[Wire, Term]  # of the inputs of the graph
    around: tuple[Wire, ...]  # of these, those that move
    combined: bool
    left: Left  # the maps from arrays to a value of the type
    sequences: set[str]  # names of those that have as many elements as a node has

    def step(self) -> s.Expression:
        layer = self.values.names.fresh("layer")
        alternatives = tuple(
            self.alternative(name, branch) for name, branch in self.reduction.branches.items()
        )
        return s.Lambda((s.PatternName(layer),), s.Case(s.Name(layer), alternatives))

    def alternative(self, name: str, branch: Branch) -> s.Alternative:
        """`NodeF l r -> (result, linear map)`."""
        values, result = self.values, self.reduction.result
        count = len(branch.outside)
        builder = Builder(self.primitives)
        inputs = [builder.input(w.type, w.name, w.representation) for w in branch.body.inputs]
        terms = {own: self.terms[wire] for own, wire in zip(inputs, branch.outside, strict=False)}
        opened = Block()
        supply = iter(inputs[count:])
        patterns = []
        for type in branch.fields:
            pattern, found = values.taken(type, None, supply, "x", opened)
            patterns.append(pattern)
            terms |= found
        self._note(name, patterns)
        stems = [
            f"d{tree.name}" if isinstance(tree := terms[wire].tree, s.Name) else "dx"
            for wire in inputs[count:]
            if wire.type.differentiable
        ]
        outside = [wire in self.around for wire in branch.outside]
        active = [
            outside[k] if k < count else wire.type.differentiable for k, wire in enumerate(inputs)
        ]
        outputs, network = linearize(builder, branch.body, inputs, active)
        for wire in outputs:
            if wire not in inputs:
                wire.name = wire.name or "y"
        around, names = self._around(branch)
        moving = self._moving(branch, stems)
        moving.terms[:0] = around
        # A sequence of which only the tree knows the length is no space by itself.
        plant = self.reduction.tree
        declared = plant.declarations.constructors(plant.type)[name]
        open_ends = bool(t.free_variables(t.Product(declared))[1])
        make = self._maps if self.combined and not open_ends else self._function
        block, value, image, rest = make(builder, network, inputs, outputs, terms, moving)
        block.bindings[:0] = opened.bindings
        if not network.domain:
            linear: s.Expression = s.Name("zero")
        else:
            linear = composed((self._section(name, names, moving.patterns, image), *rest))
        supplied = iter(map(whole, value))
        made = s.Tuple((values.rebuilt(result, supplied, every=True), linear))
        return s.Alternative(s.PatternConstructor(f"{name}F", tuple(patterns)), block.around(made))

    def _section(
        self,
        name: str,
        around: Sequence[str],
        patterns: Sequence[s.PatternTree],
        image: s.Expression,
    ) -> s.Expression:
        d = self.values.names.fresh("d")
        cases = [s.Alternative(s.PatternConstructor(f"{name}F", tuple(patterns)), image)]
        if len(self.reduction.branches) > 1:
            cases.append(s.Alternative(s.PatternWildcard(), s.Name("zero")))
        body = s.Case(s.Name(d), tuple(cases))
        pattern: s.PatternTree = s.PatternName(d)
        if self.around:
            pattern = s.PatternTuple((pair_pattern(around), pattern))
        return apply("section", s.Lambda((pattern,), body))

    def _around(self, branch: Branch) -> tuple[list[Term], list[str]]:
        """The tangents of what is around the tree: those that are used here, and the names
        of all."""
        values = self.values
        names: dict[Wire, str] = {}
        for wire in self.around:
            known = self.terms[wire].tree
            stem = known.name if isinstance(known, s.Name) else "x"
            names[wire] = values.names.fresh(f"d{stem}")
        used = [
            Term(s.Name(names[wire]), wire.type, wire.type.shape)
            for wire in branch.outside
            if wire in names
        ]
        return used, list(names.values())

    def _note(self, name: str, patterns: Sequence[s.PatternTree]) -> None:
        """Which names are of sequences that have as many elements as a node has."""
        tree = self.reduction.tree
        declared = tree.declarations.constructors(tree.type)[name]
        for type, pattern in zip(declared, patterns, strict=True):
            if isinstance(pattern, s.PatternName) and t.free_variables(type)[1]:
                self.sequences.add(pattern.name)

    def _moving(self, branch: Branch, stems: Sequence[str]) -> _Moving:
        """The tangents of the fields: their patterns, and their arrays."""
        values, block = self.values, Block()
        found: list[Term] = []
        patterns = []
        names = iter(stems)
        for type in branch.fields:
            slots = zip(values.slots(type), values.declarations.layout(type), strict=True)
            wires = [Wire(array, next(names)) for slot, array in slots if slot is False]
            pattern, terms = values.taken(type, None, iter(wires), "dx", block, True)
            patterns.append(pattern)
            found += [terms[wire] for wire in wires]
        return _Moving(patterns, block, found)

    def _function(
        self,
        builder: Builder,
        network: Network,
        inputs: Sequence[Wire],
        outputs: Sequence[Wire],
        terms: Mapping[Wire, Term],
        moving: _Moving,
    ) -> Written:
        """The linear map as a function of the tangents."""
        late = [builder.input(array) for array in network.domain]
        images = filled(builder, network.apply(builder, late), network.codomain)
        graph = tidy(builder.primitives, builder.finish([*outputs, *images]))
        place = dict(zip((*inputs, *late), graph.inputs, strict=True))
        given = {place[wire]: known for wire, known in terms.items()}
        given |= {place[w]: known for w, known in zip(late, moving.terms, strict=True)}
        early, after, made = decompile(
            graph, given, self.values.names, [place[wire] for wire in late]
        )
        after.bindings[:0] = moving.block.bindings
        value, image = made[: len(outputs)], made[len(outputs) :]
        space = self.values.tangent(self.reduction.result)
        tree = after.around(self.values.rebuilt(space, iter(map(whole, image))))
        return early, value, tree, ()

    def _maps(
        self,
        builder: Builder,
        network: Network,
        inputs: Sequence[Wire],
        outputs: Sequence[Wire],
        terms: Mapping[Wire, Term],
        moving: _Moving,
    ) -> Written:
        """The linear map as combinators, after the tangents as nested pairs."""
        arrays = network.domain
        network = recorded(builder, network.useful())
        primal = builder.finish((*outputs, *network.fixed))
        values = Graph(primal.inputs, primal.nodes, primal.outputs)
        names = self.values.names
        block, made = held(builder.primitives, values, terms, network, names, len(outputs))
        value = [made[k] for k in range(len(outputs))]
        if not arrays:
            return block, value, s.Name("zero"), ()
        fixed = {wire: made[len(outputs) + k] for k, wire in enumerate(network.fixed)}
        tree = combinators(builder.primitives, network, fixed, names)
        space = self.values.tangent(self.reduction.result)
        given = moving.block.around(pairs([whole(each) for each in moving.terms]))
        return block, value, given, (tree, *self.left(space, network))


__all__ = ["Steps"]
