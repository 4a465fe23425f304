"""The step of a tree's recurrence: at each constructor the result, and a linear map."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from ...graph.forest import Branch, Inside, Observation, Reduction, Rounds, arrays_of
from ...graph.graph import Builder, Graph, Wire
from ...graph.rewrite import tidy
from ...language import syntax as s
from ...language import types as t
from ...linear.differentiate import linearize
from ...linear.maps import Network, Primitives, filled
from ...primitives.decompile import Block, Term, decompile, whole
from ...primitives.spelling import apply, zeros
from ..combinators import combinators, composed, held, pair_pattern, pairs, recorded
from .body import Body
from .entries import known_around, total
from .naming import Found
from .rounds import Moving, nested_pattern
from .shapes import (
    Arrays,
    Key,
    Making,
    Moved,
    Node,
    Opening,
    Several,
    Shape,
    answer_shape,
    key_of,
    parts,
)
from .trees import Group
from .values import Values, named_lengths

# Bindings, the result, what a function of the tangents gives, and the maps after it.
Written: TypeAlias = "tuple[Block, list[Term], s.Expression, tuple[s.Expression, ...]]"
Image: TypeAlias = "tuple[list[s.PatternTree], s.Expression]"  # of tangents of the fields
Left: TypeAlias = "Callable[[Shape, Network], list[s.Expression]]"
T = TypeVar("T")


@dataclass
class _Moving:
    """The tangents of the fields of a node: patterns, bindings, and their arrays."""

    patterns: list[s.PatternTree]
    block: Block
    terms: list[Term]


class Stepping(Body):
    """A function whose trees are gone through by recurrences."""

    combined = False

    @abstractmethod
    def leaving(self, shape: Shape, network: Network) -> list[s.Expression]:
        """The maps from arrays, as pairs, to a value of the shape."""

    def at_once(
        self,
        branch: Branch,
        inside: Inside,
        active: Sequence[bool],
        terms: dict[Wire, Term],
        around: Mapping[Wire, Term],
        opened: Callable[[Opening, Callable[[], s.Expression]], T],
    ) -> tuple[Block, T, dict[Wire, s.Expression]]:
        """Of a branch with trees in it: bindings, what is made of the tangents, and what its
        answers are."""
        builder = Builder(self.primitives)
        network = self.linearized(
            builder, branch.body, inside.observed, active,
            (*branch.outside, *inside.given), tuple(arrays_of(inside.answer)), branch.outside,
        )  # fmt: skip
        self.observe(inside.observed, terms)
        if self.adjoint:
            network = network.adjoint()
        known = {self.place[wire]: each for wire, each in terms.items() if wire in self.place}
        answers = list(self.outputs)
        early, made, found = self.mapped(builder, network, known, answers, around, opened)
        return early, made, dict(zip(answers, found, strict=True))

    def step(
        self,
        reduction: Reduction,
        terms: Mapping[Wire, Term],
        around: tuple[Wire, ...],
        named: bool = False,
    ) -> s.Lambda:
        # What combinators are between, a name alone does not tell.
        combined = self.combined and not named
        return Steps(
            self.values, self.primitives, reduction, terms, around, combined, self.leaving,
            self.sequences,
        ).step()  # fmt: skip

    def case(
        self,
        reduction: Reduction,
        terms: Mapping[Wire, Term],
        group: Group,
        tree: s.Expression,
    ) -> s.Expression:
        steps = Steps(
            self.values, self.primitives, reduction, terms, group.around, self.combined,
            self.leaving, self.sequences,
        )  # fmt: skip
        return steps.case(tree, _Around(self.adjoint, self.trees, group.beside, self.grove.types))

    def round(self, observed: Rounds, terms: Mapping[Wire, Term], moving: Moving) -> s.Expression:
        return _AtRound(self, observed, terms, moving).written()


@dataclass
class Steps:
    """Writes the step of one tree's recurrence."""

    values: Values
    primitives: Primitives
    reduction: Reduction
    terms: Mapping[Wire, Term]  # of the inputs of the graph
    around: tuple[Wire, ...]  # of these, those that move
    combined: bool
    left: Left  # the maps from arrays to a value of the shape
    sequences: dict[str, int]  # of those that have as many elements as a node has, the numbers

    def step(self) -> s.Lambda:
        layer = self.values.names.fresh("layer")
        alternatives = tuple(
            self.alternative(name, branch) for name, branch in self.reduction.branches.items()
        )
        return s.Lambda((s.PatternName(layer),), s.Case(s.Name(layer), alternatives))

    def case(self, tree: s.Expression, outer: _Around) -> s.Expression:
        """The same of a tree itself, with its children: the linear map is a function from
        tangents of the tree, or back to these."""
        return s.Case(
            tree,
            tuple(
                _AtRoot(self, name, branch, branch.inside, outer).alternative()
                for name, branch in self.reduction.branches.items()
                if branch.inside is not None
            ),
        )

    def alternative(self, name: str, branch: Branch) -> s.Alternative:
        """`NodeF l r -> (result, linear map)`."""
        if branch.inside is not None:
            return self._with_trees(name, branch, branch.inside)
        values, result = self.values, self.reduction.result
        count = len(branch.outside)
        builder = Builder(self.primitives)
        inputs = [builder.input(w.type, w.name, w.representation) for w in branch.body.inputs]
        terms = known_around(inputs, branch, self.terms)
        opened = Block()
        supply = iter(inputs[count:])
        patterns = []
        for type in branch.fields:
            pattern, found = values.taken(type, None, supply, "x", opened)
            patterns.append(pattern)
            terms |= found
        self.note(name, patterns)
        stems = [
            f"d{tree.name}" if isinstance(tree := terms[wire].tree, s.Name) else "dx"
            for wire in inputs[count:]
            if wire.type.differentiable
        ]
        outputs, network = linearize(builder, branch.body, inputs, self.active(branch))
        for wire in outputs:
            if wire not in inputs:
                wire.name = wire.name or "y"
        around = self.tangents_around()
        moving = self._moving(branch, stems)
        moving.terms[:0] = [around[wire] for wire in branch.outside if wire in around]
        # A sequence of which only the tree knows the length is no space by itself.
        plant = self.reduction.tree
        declared = plant.declarations.constructors(plant.type)[name]
        open_ends = bool(t.free_variables(t.Product(declared))[1]) or self.reduction.written
        node = _Node(values, result, builder, network, inputs, outputs, terms, moving)
        if self.combined and not open_ends:
            block, value, image, rest = node.as_maps(self.left)
        else:
            block, value, image, rest = node.as_function()
        block.bindings[:0] = opened.bindings
        if not network.domain and not self.reduction.written:
            linear: s.Expression = s.Name("zero")
        else:
            section = self._section(name, around, moving.patterns, image, s.Name("zero"))
            linear = composed((section, *rest))
        supplied = iter(map(whole, value))
        made = s.Tuple((values.rebuilt(result, supplied, every=True), linear))
        return s.Alternative(s.PatternConstructor(f"{name}F", tuple(patterns)), block.around(made))

    def _with_trees(self, name: str, branch: Branch, inside: Inside) -> s.Alternative:
        """The same where there are trees among the fields or in the result."""
        node = _AtNode(self, name, branch, inside)
        block, (patterns, image), value = node.written()
        linear = self._section(name, node.around, patterns, image, node.otherwise())
        made = s.Tuple((value, linear))
        pattern = s.PatternConstructor(f"{name}F", node.patterns)
        return s.Alternative(pattern, block.around(made))

    def active(self, branch: Branch) -> list[bool]:
        """Which inputs of the algebra move."""
        count = len(branch.outside)
        outside = [wire in self.around for wire in branch.outside]
        return outside + [wire.type.differentiable for wire in branch.body.inputs[count:]]

    def _section(
        self,
        name: str,
        around: Mapping[Wire, Term],
        patterns: Sequence[s.PatternTree],
        image: s.Expression,
        otherwise: s.Expression,
    ) -> s.Expression:
        d = self.values.names.fresh("d")
        cases = [s.Alternative(s.PatternConstructor(f"{name}F", tuple(patterns)), image)]
        if len(self.reduction.branches) > 1:
            cases.append(s.Alternative(s.PatternWildcard(), otherwise))
        body = s.Case(s.Name(d), tuple(cases))
        pattern: s.PatternTree = s.PatternName(d)
        if self.around:
            names = [each.tree.name for each in around.values() if isinstance(each.tree, s.Name)]
            pattern = s.PatternTuple((pair_pattern(names), pattern))
        return apply("section", s.Lambda((pattern,), body))

    def tangents_around(self) -> dict[Wire, Term]:
        """The tangents of what is around the tree, all of it."""
        values = self.values
        terms: dict[Wire, Term] = {}
        for wire in self.around:
            known = self.terms[wire].tree
            stem = known.name if isinstance(known, s.Name) else "x"
            terms[wire] = Term(s.Name(values.names.fresh(f"d{stem}")), wire.type, wire.type.shape)
        return terms

    def note(self, name: str, patterns: Sequence[s.PatternTree]) -> None:
        """Which names are of sequences that have as many elements as a node has."""
        one = self.reduction
        closed = one.branches[name].fields
        declared = one.tree.declarations.constructors(one.tree.type)[name]
        for field, type, pattern in zip(declared, closed, patterns, strict=True):
            written = field
            if one.deep:
                written = t.replace_type(field, one.tree.type, one.written or one.result)
            self.sequences |= named_lengths(pattern, type, written)

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


class _AtNode(Stepping):
    """An algebra at one constructor, which has trees among its fields or in its result."""

    def __init__(
        self, steps: Steps, name: str, branch: Branch, inside: Inside, adjoint: bool = False
    ) -> None:
        super().__init__(steps.values, steps.primitives, adjoint)
        self.steps, self.branch, self.inside = steps, branch, inside
        self.combined = steps.combined
        self.sequences = self.naming.sequences = steps.sequences
        self.naming.called = inside.called
        seen = {wire for one in inside.observed for wire in one.wires}
        supply = (wire for wire in inside.given if wire not in seen)
        found = Found.of(
            self.naming.argument(type, structure, None, supply, "x")
            for type, structure in zip(branch.fields, inside.structures, strict=True)
        )
        self.patterns, self.fields = found.patterns, found.shapes
        self.found = found.terms
        steps.note(name, found.patterns)
        self.arguments = Several(self.fields)
        self.answer = answer_shape(self.values, inside.answer, steps.reduction.result)

    def leaving(self, shape: Shape, network: Network) -> list[s.Expression]:
        return self.steps.left(shape, network)

    def written(self) -> tuple[Block, Image, s.Expression]:
        """Bindings, the linear map from the tangents of the fields, and the result."""
        return self.through(self._fields_opened)

    def _fields_opened(self, opening: Opening, image: Callable[[], s.Expression]) -> Image:
        patterns = [opening.pattern(field, True) for field in self.fields]
        return patterns, opening.inner(image, self.otherwise)

    def through(
        self, opened: Callable[[Opening, Callable[[], s.Expression]], T]
    ) -> tuple[Block, T, s.Expression]:
        """The same, where what moves is `opened`."""
        inside, steps = self.inside, self.steps
        self.around = steps.tangents_around()
        early, made, place = self.at_once(
            self.branch, inside, steps.active(self.branch), dict(steps.terms) | self.found,
            self.around, opened,
        )  # fmt: skip
        aside = {one.place for one in parts(self.answer) if isinstance(one, Moved)}
        reals = (place[wire] for wire in arrays_of(inside.answer) if wire not in aside)
        named = self.grove.tree
        value = Making(self.values, reals, self.tag, named, named, self.moved, every=True).made(
            self.answer
        )
        self.outer.bindings += early.bindings
        return self.outer, made, value


class _AtRound(Stepping):
    """The body of a loop, as a function of arrays: the states, and the elements."""

    def __init__(
        self,
        outer: Stepping,
        observed: Rounds,
        terms: Mapping[Wire, Term],
        moving: Moving,
    ) -> None:
        super().__init__(outer.values, outer.primitives, False)
        self.observed, self.around_terms, self.moving = observed, terms, moving
        self.sequences = self.naming.sequences = outer.sequences
        self.trees.update(outer.trees)
        self.outer_types = dict(outer.grove.types)
        inside = observed.inside
        seen = {wire for one in inside.observed for wire in one.wires}
        self.given = [wire for wire in inside.given if wire not in seen]
        stems = ["s" if k < observed.carried else "x" for k in range(len(self.given))]
        for k, _, _ in observed.each:
            stems[k] = "t"
        found = Found.of(
            self.naming.argument(_type(wire), None, None, iter([wire]), stem)
            for wire, stem in zip(self.given, stems, strict=True)
        )
        self.patterns, self.found = found.patterns, found.terms
        for k, _, tree in observed.each:
            pattern = found.patterns[k]
            assert isinstance(pattern, s.PatternName)
            self.trees[key_of(tree)], self.outer_types[key_of(tree)] = pattern.name, tree.type
        shapes = dict(zip(self.given, found.shapes, strict=True))
        self.arguments = Several(tuple(shapes[self.given[k]] for k in moving.given))
        ends = [Arrays(_type(inside.answer[k])) for k in moving.answers]
        carried = sum(1 for k in moving.answers if k < observed.carried)
        self.answer = _beside(ends[:carried], ends[carried:])

    def leaving(self, shape: Shape, network: Network) -> list[s.Expression]:
        raise AssertionError("a function")

    def written(self) -> s.Expression:
        """`\\(s, x) -> ((s2, y), \\(ds, (dx, dt)) -> …)`."""
        observed, moving, fresh = self.observed, self.moving, self.values.names.fresh
        branch, inside = observed.body, observed.inside
        around = {
            wire: Term(s.Name(fresh(f"d{_stem(self.around_terms[wire])}")), wire.type,
                       wire.type.shape)
            for wire in moving.around
        }  # fmt: skip
        self.beside = {
            key: s.Name(fresh(f"d{self.trees.get(key, 't')}"))
            for key in (*moving.each, *moving.trees)
        }
        moved = {self.given[k] for k in moving.given}
        active = [wire in around for wire in branch.outside]
        seen = {wire for one in inside.observed for wire in one.wires}
        active += [
            wire in moved or (wire in seen and wire.type.differentiable) for wire in inside.given
        ]

        def opened(
            opening: Opening, image: Callable[[], s.Expression]
        ) -> tuple[list[s.PatternTree], s.Expression]:
            assert isinstance(self.arguments, Several)
            patterns = [opening.pattern(each, True) for each in self.arguments.items]
            return patterns, opening.inner(image, self.otherwise)

        early, (patterns, image), place = self.at_once(
            branch, inside, active, dict(self.around_terms) | self.found, around, opened
        )
        moved_trees = [s.PatternName(each.name) for each in self.beside.values()
                       if isinstance(each, s.Name)]  # fmt: skip
        patterns += moved_trees[: len(moving.each)]
        patterns += [s.PatternName(each.tree.name) for each in around.values()
                     if isinstance(each.tree, s.Name)]  # fmt: skip
        patterns += moved_trees[len(moving.each) :]
        made = [place[wire] for wire in inside.answer]
        value = _both(made[: observed.carried], made[observed.carried :])
        linear: s.Expression = s.Lambda((nested_pattern(patterns),), image)
        if not patterns or not moving.answers:
            linear = s.Tuple(())
        self.outer.bindings += early.bindings
        body = self.outer.around(s.Tuple((value, linear)))
        return s.Lambda((nested_pattern(self.patterns),), body)

    def observe(self, observed: Sequence[Observation], terms: dict[Wire, Term]) -> None:
        super().observe(observed, terms)
        self.grove.types.update(self.outer_types)


def _type(wire: Wire) -> t.Type:
    return t.of_shape(t.Scalar(wire.type.kind), wire.type.shape)


def _stem(known: Term) -> str:
    return known.tree.name if isinstance(known.tree, s.Name) else "x"


def _beside(states: Sequence[Shape], outputs: Sequence[Shape]) -> Shape:
    def nest(shapes: Sequence[Shape]) -> Shape:
        *front, made = shapes
        for each in reversed(front):
            made = Several((each, made))
        return made

    found = tuple(nest(each) for each in (states, outputs) if each)
    return found[0] if len(found) == 1 else Several(found)


def _both(states: Sequence[s.Expression], outputs: Sequence[s.Expression]) -> s.Expression:
    found = tuple(pairs(each) for each in (states, outputs) if each)
    return found[0] if len(found) == 1 else s.Tuple(found)


@dataclass(frozen=True)
class _Around:
    """What a `case` has around it: which way it is written, the names of trees and their types,
    and which of them it takes as they are."""

    adjoint: bool
    names: Mapping[Key, str]
    beside: tuple[Key, ...]
    types: Mapping[Key, t.Type]


class _AtRoot(_AtNode):
    """A `case` at one constructor: the node with its children, which are trees."""

    def __init__(
        self, steps: Steps, name: str, branch: Branch, inside: Inside, outer: _Around
    ) -> None:
        super().__init__(steps, name, branch, inside, outer.adjoint)
        type = steps.reduction.tree.type
        alone = len(steps.reduction.branches) == 1
        self.name, self.arguments = name, Node(type, name, self.fields, alone)
        self.trees.update(outer.names)
        self.outer_types = {key: outer.types[key] for key in outer.beside}
        if not self.adjoint:
            fresh = self.values.names.fresh
            self.beside = {
                key: s.Name(fresh(f"d{outer.names.get(key, 't')}")) for key in outer.beside
            }

    def alternative(self) -> s.Alternative:
        """`Node l r -> (result, \\d -> case d of { Node dl dr -> …; _ -> … })`, or backwards
        `\\w -> Node … …`."""
        block, (pattern, body), value = self.through(
            lambda opening, image: opening.around(self.source, image, self.otherwise)
        )
        beside = (*(one.tree for one in self.around.values()), *self.beside.values())
        names = [each.name for each in beside if isinstance(each, s.Name)]
        if names and not self.adjoint:
            pattern = s.PatternTuple((pair_pattern(names), pattern))
        made = s.Tuple((value, s.Lambda((pattern,), body)))
        return s.Alternative(s.PatternConstructor(self.name, self.patterns), block.around(made))

    def observe(self, observed: Sequence[Observation], terms: dict[Wire, Term]) -> None:
        super().observe(observed, terms)
        self.grove.types.update(self.outer_types)

    def otherwise(self) -> s.Expression:
        nothing = [s.Name("zero") for _ in self.around]
        return self._beside(nothing, self.grove.nought, super().otherwise())

    def put_together(self, results: list[s.Expression], opening: Opening) -> s.Expression:
        made = super().put_together(results, opening)
        if not self.adjoint:
            return made
        sums = [self.summed.get(wire) or [whole(zeros(wire.type))] for wire in self.around]
        return self._beside(map(total, sums), self.cotangent, made)

    def _beside(
        self,
        arrays: Iterable[s.Expression],
        tree: Callable[[Key], s.Expression],
        made: s.Expression,
    ) -> s.Expression:
        """Backwards, the cotangents of what is around it beside that of the node."""
        moving = [*arrays, *map(tree, self.outer_types)]
        return s.Tuple((pairs(moving), made)) if self.adjoint and moving else made


@dataclass
class _Node:
    """An algebra of arrays at one constructor, linearised: its linear map in two ways."""

    values: Values
    result: t.Type
    builder: Builder
    network: Network
    inputs: Sequence[Wire]
    outputs: Sequence[Wire]
    terms: Mapping[Wire, Term]
    moving: _Moving

    def as_function(self) -> Written:
        """A function of the tangents."""
        builder, network, moving = self.builder, self.network, self.moving
        late = [builder.input(array) for array in network.domain]
        images = filled(builder, network.apply(builder, late), network.codomain)
        graph = tidy(builder.primitives, builder.finish([*self.outputs, *images]))
        place = dict(zip((*self.inputs, *late), graph.inputs, strict=True))
        given = {place[wire]: known for wire, known in self.terms.items()}
        given |= {place[w]: known for w, known in zip(late, moving.terms, strict=True)}
        early, after, made = decompile(
            graph, given, self.values.names, [place[wire] for wire in late]
        )
        after.bindings[:0] = moving.block.bindings
        value, image = made[: len(self.outputs)], made[len(self.outputs) :]
        space = self.values.tangent(self.result)
        tree = after.around(self.values.rebuilt(space, iter(map(whole, image))))
        return early, value, tree, ()

    def as_maps(self, left: Left) -> Written:
        """Combinators, after the tangents as nested pairs."""
        arrays, builder, names = self.network.domain, self.builder, self.values.names
        network = recorded(builder, self.network.useful())
        primal = builder.finish((*self.outputs, *network.fixed))
        values = Graph(primal.inputs, primal.nodes, primal.outputs)
        count = len(self.outputs)
        block, made = held(builder.primitives, values, self.terms, network, names, count)
        value = [made[k] for k in range(count)]
        if not arrays:
            return block, value, s.Name("zero"), ()
        fixed = {wire: made[count + k] for k, wire in enumerate(network.fixed)}
        tree = combinators(builder.primitives, network, fixed, names)
        space = Arrays(self.values.tangent(self.result))
        given = self.moving.block.around(pairs([whole(each) for each in self.moving.terms]))
        return block, value, given, (tree, *left(space, network))


__all__ = ["Stepping", "Steps"]
