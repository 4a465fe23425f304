"""The derivative of one function of arrays and trees: the whole program's, or at a node of a
tree that of an algebra which has trees there.

What is made of trees is bound first (`observe`); then the linear map takes a tangent apart,
goes through the arrays and the observations, and puts its image together (`mapped`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from ...graph.forest import Observation, Reduction, Rounds
from ...graph.graph import Builder, Graph, Wire
from ...graph.rewrite import drawn_once, tidy
from ...graph.values import known
from ...language import syntax as s
from ...language import types as t
from ...language.sizes import SizeVariable, as_size, constant
from ...linear.differentiate import linearize
from ...linear.maps import Network, Primitives, filled
from ...primitives.decompile import Block, Term, decompile, term, whole
from ...primitives.spelling import apply
from ..combinators import pair_pattern, require_drawn
from .entries import Entry, Exprs, total
from .growth import Growing, grown
from .naming import Naming
from .rounds import Moving
from .shapes import (
    Arrays,
    Key,
    Making,
    Moved,
    Opening,
    Several,
    Shape,
    Sprout,
    Whole,
    nothing,
    parts,
)
from .trees import Group, Grove, room_of
from .values import Values, named_lengths, type_tree

T = TypeVar("T")


class Body(ABC):
    """The function, and the names in use. `arguments` and `answer` are what it is given and
    what it makes."""

    arguments: Shape
    answer: Shape

    def __init__(self, values: Values, primitives: Primitives, adjoint: bool) -> None:
        self.values, self.primitives, self.adjoint = values, primitives, adjoint
        self.names, self.declarations = values.names, values.declarations
        self.outer = Block()
        self.trees: dict[Key, str] = {}  # the names of those of which nothing is known
        self.payloads: dict[str, s.Expression] = {}  # their names, and the trees
        # The names of those whose lengths only a tree knows, and the numbers that stand for these.
        self.sequences: dict[str, int] = {}
        self.growing: dict[Sprout, Growing] = {}  # of grown trees in the answer
        self.behind: list[tuple[Wire, s.Expression]] = []  # cotangents that come of these
        self.beside: dict[Key, s.Expression] = {}  # tangents of trees around it
        self.naming = Naming(values, self.outer, self.trees, self.sequences)

    @property
    def source(self) -> Shape:
        """Where the linear map takes what moves from."""
        return self.answer if self.adjoint else self.arguments

    @property
    def target(self) -> Shape:
        return self.arguments if self.adjoint else self.answer

    def linearized(
        self,
        builder: Builder,
        graph: Graph,
        observed: Sequence[Observation],
        active: Sequence[bool],
        given: Sequence[Wire],
        answers: Sequence[Wire],
        around: Sequence[Wire] = (),
    ) -> Network:
        """The linear map of the arrays. Its inputs and outputs are known as `given` and
        `answers`; `around` are inputs that come of no argument."""
        self.builder = builder
        graph = drawn_once(builder.primitives, graph)
        inputs = [builder.input(w.type, w.name, w.representation) for w in graph.inputs]
        self.place = dict(zip(given, inputs, strict=True))
        outputs, network = linearize(builder, graph, inputs, active)
        for wire in outputs:
            if wire not in inputs:
                wire.name = wire.name or "y"
        self.outputs = dict(zip(answers, outputs, strict=True))
        self.movers = [wire for wire, flag in zip(given, active, strict=True) if flag]
        others = {wire for one in observed for wire in one.wires} | set(around)
        self.own = [wire for wire in self.movers if wire not in others]  # of arguments
        return network

    # --- trees -----------------------------------------------------------------------------------

    @abstractmethod
    def step(
        self,
        reduction: Reduction,
        terms: Mapping[Wire, Term],
        around: tuple[Wire, ...],
        named: bool = False,
    ) -> s.Lambda:
        """The step of a tree's recurrence, where it is or by a name."""

    @abstractmethod
    def case(
        self,
        reduction: Reduction,
        terms: Mapping[Wire, Term],
        group: Group,
        tree: s.Expression,
    ) -> s.Expression:
        """What a `case` makes of a tree: its value, and the linear map."""

    @abstractmethod
    def round(self, observed: Rounds, terms: Mapping[Wire, Term], moving: Moving) -> s.Expression:
        """The body of a loop: from states and elements to the next, and their linear map."""

    def observe(self, observed: Sequence[Observation], terms: dict[Wire, Term]) -> None:
        """Binds what is made of trees, and the linear maps of it."""
        values, self.known = self.values, terms
        grove = Grove(values, self.primitives, observed, set(self.movers), self.trees, self.step,
                      self.round, terms)  # fmt: skip
        self.grove = grove
        self._note_types(Several((self.arguments, self.answer)))
        for group in grove.groups:
            if isinstance(group, Entry):
                for key in group.keys:
                    grove.bind_zipped(key, self.outer)
                group.bind(grove.tree, self.trees, terms, self.outer)
                continue
            grove.bind_zipped(group.key, self.outer)
            one, after = group.observed, Block()
            tree = grove.tree(group.key)
            if isinstance(one, Reduction) and group.many:
                found = self._of_each(group, one, terms, tree, after)
            elif isinstance(one, Reduction):
                pattern, found = self._result(group, one, after)
                group.linear = self.names.fresh("dy" if one.deep or not self.adjoint else "wy")
                both = s.PatternTuple((pattern, s.PatternName(group.linear)))
                if group.again:
                    made = self._named(group, one, terms, tree)
                elif one.deep:
                    step = self.step(one, terms, group.around)
                    word = "treeRecurrenceWith" if group.around else "treeRecurrence"
                    made = apply(word, step, tree)
                else:
                    made = self.case(one, terms, group, tree)
                self.outer.bind(both, self._ascribed(group, one, made))
            else:
                pattern, found = values.taken(one.result, None, iter(one.wires), "xs", after)
                self.outer.bind(pattern, apply("payload", tree))
                if isinstance(pattern, s.PatternName):
                    self.sequences[pattern.name] = known(one.result.length)
                    self.payloads[pattern.name] = tree
            self.outer.bindings += after.bindings
            terms |= found

    def _named(
        self, group: Group, one: Reduction, terms: Mapping[Wire, Term], tree: s.Expression
    ) -> s.Expression:
        """Binds the step, or the `case`, as a function of what moves around it, and applies it."""
        fresh = self.names.fresh
        here = [whole(terms[wire]) for wire in group.around]
        own = [fresh(each.name if isinstance(each, s.Name) else "x") for each in here]
        inside = dict(terms) | {
            wire: term(s.Name(name), wire.type)
            for wire, name in zip(group.around, own, strict=True)
        }
        group.function = fresh("step" if one.deep else "look")
        if one.deep:
            function = self.step(one, inside, group.around, named=True)
        else:
            name = fresh("t")
            made = self.case(one, inside, group, s.Name(name))
            function = s.Lambda((s.PatternName(name),), made)
        if own:
            function = s.Lambda((pair_pattern(own), *function.parameters), function.body)
        self.outer.bind(s.PatternName(group.function), function)
        group.ascribed = lambda made: self._ascribed(group, one, made)
        return group.at(here, tree)

    def _of_each(
        self,
        group: Group,
        one: Reduction,
        terms: Mapping[Wire, Term],
        trees: s.Expression,
        after: Block,
    ) -> dict[Wire, Term]:
        """Binds the step, and what it makes of each tree of a sequence."""
        type = t.Array(one.result, constant(room_of(one)))
        pattern, found = self.values.taken(type, None, iter(one.wires), "ys", after)
        if one.written is not None:
            rows = t.Array(one.written, constant(room_of(one)))
            self.sequences |= named_lengths(pattern, type, rows)
        group.linear = self.names.fresh("step")
        node = s.Name(self.names.fresh("t"))
        if one.deep and one.written is None:
            step = self.step(one, terms, group.around, named=bool(group.around))
        else:
            group.whole = True
            if one.deep:
                word = "treeRecurrenceWith" if group.around else "treeRecurrence"
                made = apply(word, self.step(one, terms, group.around), node)
            else:
                made = self.case(one, terms, group, node)
            step = s.Lambda((s.PatternName(node.name),), self._ascribed(group, one, made))
        self.outer.bind(s.PatternName(group.linear), step)
        each = self.names.fresh("t")
        made = apply("fst", group.of(s.Name(each)))
        self.outer.bind(pattern, apply("map", s.Lambda((s.PatternName(each),), made), trees))
        return found

    def _result(
        self, group: Group, one: Reduction, after: Block
    ) -> tuple[s.PatternTree, dict[Wire, Term]]:
        """The result of a recurrence: its name, or those of its parts."""
        supply = iter(one.wires)
        if one.structure is None:
            pattern, found = self.values.taken(one.result, None, supply, "y", after)
            self.sequences |= named_lengths(pattern, one.result, one.written)
            return pattern, found
        naming = Naming(self.values, after, self.trees, self.sequences)
        pattern, group.shape, found = naming.argument(one.result, one.structure, None, supply, "y")
        self._note_types(group.shape)
        return pattern, found

    def _ascribed(self, group: Group, one: Reduction, made: s.Expression) -> s.Expression:
        """With its type, where only running tells a length in it: no branch settles that."""
        if one.written is None:
            return made
        around = [t.of_shape(t.Scalar(wire.type.kind), wire.type.shape) for wire in group.around]
        around += [self.grove.types[key] for key in group.beside]
        source: t.Type = one.tree.type
        written = _run_time(one.written)
        result = self.values.tangent(written)
        if around:
            *front, beside = around
            for each in reversed(front):
                beside = t.Product((each, beside))
            source = t.Product((beside, source))
        linear: t.Type = t.Linear(source, result)
        if not one.deep:
            ends = (result, source) if self.adjoint else (source, result)
            linear = t.Function(*ends)
        return s.Ascription(made, type_tree(t.show(t.Product((written, linear)))))

    def _note_types(self, shape: Shape) -> None:
        for each in parts(shape):
            if isinstance(each, Whole):
                self.grove.types[each.key] = each.type

    # --- what moves ------------------------------------------------------------------------------

    def mapped(
        self,
        builder: Builder,
        network: Network,
        terms: Mapping[Wire, Term],
        wanted: Sequence[Wire],
        around: Mapping[Wire, Term],
        opened: Callable[[Opening, Callable[[], s.Expression]], T],
    ) -> tuple[Block, T, list[s.Expression]]:
        """What the linear map makes of a tangent that `opened` takes apart, bindings before
        it, and what the `wanted` outputs are. `around` are tangents of what comes of no
        argument."""
        inputs = builder.finish(()).inputs
        require_drawn(network)
        moving = [builder.input(array) for array in network.domain]
        images = filled(builder, network.apply(builder, moving), network.codomain)
        own = [self.outputs[wire] for wire in wanted]
        graph = tidy(builder.primitives, builder.finish([*images, *own]))
        place = dict(zip((*inputs, *moving), graph.inputs, strict=True))
        opening = self.opening(moving)
        early: list[Block] = []
        values: list[s.Expression] = []

        def body() -> s.Expression:
            given = {place[wire]: each for wire, each in terms.items() if wire in place}
            tangents = self.tangents(opening, moving, around)
            given |= {place[wire]: each for wire, each in tangents.items()}
            before, after, made = decompile(
                graph, given, self.names, [place[wire] for wire in moving]
            )
            early.append(before)
            results = [whole(each) for each in made]
            values[:] = results[len(images) :]
            self.name_tags(terms, dict(zip(wanted, values, strict=True)))
            opening.block.bindings += after.bindings
            return self.put_together(results[: len(images)], opening)

        made = opened(opening, body)
        return early[0], made, values

    def opening(self, moving: Sequence[Wire]) -> Opening:
        """Of the tangent, named after what it moves, or of the cotangent."""
        if self.adjoint:
            return Opening(self.values, iter(moving), lambda _: "w", self._back, self._shrunk)
        own = [
            wire for wire, mover in zip(moving, self.movers, strict=True) if mover in set(self.own)
        ]
        return Opening(self.values, iter(own), lambda stem: f"d{stem}")

    def tangents(
        self, opening: Opening, moving: Sequence[Wire], around: Mapping[Wire, Term]
    ) -> dict[Wire, Term]:
        """What the arrays are called that the linear map takes: those in its argument, and
        those that come of trees in it."""
        if self.adjoint:
            return opening.terms
        movers = dict(zip(moving, self.movers, strict=True))
        terms = {movers[wire]: each for wire, each in opening.terms.items()} | dict(around)
        trees = {key: found[0] for key, found in opening.trees.items()} | self.beside
        self.found = terms
        self.known_tangents = self.grove.forward(trees, terms, opening.block)
        return {wire: terms[mover] for wire, mover in movers.items()}

    def put_together(self, results: list[s.Expression], opening: Opening) -> s.Expression:
        """The value of the target, of its arrays and of what comes of trees."""
        named = self.grove.tree
        if not self.adjoint:
            making = Making(
                self.values, iter(results), self.tag, self._tangent_of, named, self.moved,
                self._grown,
            )  # fmt: skip
            return making.made(self.target)
        arrays: Exprs = {w: [made] for w, made in zip(self.movers, results, strict=True)}
        for wire, found in self.behind:
            arrays[wire].append(found)
        trees = opening.trees
        self.grove.backward(arrays, trees, opening.block)
        self.summed = arrays
        reals = iter([total(arrays[wire]) for wire in self.own])

        def cotangent(key: Key) -> s.Expression:
            return total(trees[key]) if key in trees else self.grove.nought(key)

        self.cotangent = cotangent
        return Making(self.values, reals, self.tag, cotangent, named).made(self.target)

    def moved(self, shape: Moved, trees: s.Expression) -> s.Expression:
        """Trees of a sequence in other places: said of the trees, as of their places."""
        place = self.naming.places[shape.key]
        if shape.place is place:
            return trees
        graph = self.builder.finish([self.outputs[shape.place]])
        given = {self.place[w]: each for w, each in self.known.items() if w in self.place}
        given[self.place[place]] = Term(trees, place.type, place.type.shape)
        early, after, (made,) = decompile(graph, given, self.names)
        early.bindings += after.bindings
        return early.around(whole(made))

    def _back(self, shape: Moved, cotangent: s.Expression) -> s.Expression:
        """The adjoint of that, which puts zeros for trees that are left out."""
        if shape.place is self.naming.places[shape.key]:
            return cotangent
        name = self.names.fresh("ts")
        trees, made = self.grove.tree(shape.key), self.moved(shape, s.Name(name))
        function: s.Expression = s.Lambda((s.PatternName(name),), made)
        if isinstance(made, s.Apply) and made.argument == s.Name(name):
            function = made.function
        linear = apply("adjoint", apply("derivative", function, trees))
        return s.Apply(linear, cotangent)

    def _tangent_of(self, key: Key) -> s.Expression:
        return self.known_tangents(key)

    def otherwise(self) -> s.Expression:
        """Some value of the target, for a tangent of another shape: there is none."""
        return nothing(self.values, self.target, self.grove.nought, self.moved)

    @property
    def asked_tags(self) -> list[Wire]:
        """What an answer that moves is put together by; a cotangent brings its own."""
        return [] if self.adjoint else tags_of(self.answer)

    def name_tags(self, terms: Mapping[Wire, Term], answers: Mapping[Wire, s.Expression]) -> None:
        self.tags = {wire: answers[wire] for wire in self.asked_tags}
        for wire in tags_of(self.arguments):
            self.tags[wire] = terms[self.place[wire]].tree

    # --- trees that are grown ----------------------------------------------------------------

    def sprout(self, terms: Mapping[Wire, Term]) -> None:
        """Binds the linear maps of grown trees in the answer."""
        for shape in parts(self.answer):
            if isinstance(shape, Sprout):
                graph = self.builder.finish([self.outputs[wire] for wire in shape.seed])
                given = {self.place[w]: each for w, each in terms.items() if w in self.place}
                early, after, seed = decompile(graph, given, self.names)
                self.outer.bindings += [*early.bindings, *after.bindings]
                self.growing[shape] = grown(
                    self.values, self.primitives, shape, seed, terms, set(self.movers), self.outer
                )

    def _grown(self, shape: Sprout, reals: Iterator[s.Expression]) -> s.Expression:
        return self.growing[shape].tangent(self.found, reals)

    def _shrunk(self, shape: Sprout, tree: str, opening: Opening) -> None:
        self.behind += self.growing[shape].cotangents(tree, opening)

    def tag(self, wire: Wire) -> s.Expression:
        return self.tags[wire]


def _run_time(type: t.Type) -> t.Type:
    """The type with a length that only running tells wherever one is open."""
    match type:
        case t.Array(element=element, length=length):
            known = length if length.value is not None else as_size(SizeVariable("n", runtime=True))
            return t.Array(_run_time(element), known)
        case t.Product(items=items):
            return t.Product(tuple(map(_run_time, items)))
        case _:
            return type


def tags_of(shape: Shape) -> list[Wire]:
    return [wire for one in parts(shape) if isinstance(one, Arrays) for wire in one.tags]


__all__ = ["Body"]
