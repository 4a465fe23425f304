"""Writes one derivative down: the function traced, its arrays and trees by their names.

    name patterns = let values in \\tangents -> let … in tangents of the answer

The arrays' share comes from the graph (`decompile`) or from the network of linear maps
(`combinators`), that of the trees from what is observed of them (trees.py). What takes a
value apart and puts one together is in shapes.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...graph.chosen import chosen_in
from ...graph.drawn import Unordered
from ...graph.forest import Observation, Plant, Reduction, answered, drawn_first, plants
from ...graph.graph import ArrayType, Builder, Graph, Wire
from ...graph.grown import grown_in
from ...language import syntax as s
from ...language import typed as p
from ...language import types as t
from ...language.sizes import as_size
from ...linear.maps import Network
from ...primitives.decompile import Block, Term, Unspeakable, decompile, names_of, whole
from ...primitives.spelling import apply, type_tree
from ...runtime.calls.call import Call
from ...runtime.function import Function
from ..combinators import (
    IDENTITY,
    UNZIP,
    ZIP,
    combinators,
    composed,
    held,
    linear_function,
    pair_pattern,
    pairs,
    recorded,
)
from .naming import Found
from .shapes import (
    Arrays,
    Key,
    Listed,
    Making,
    Moved,
    Node,
    Opening,
    Refilled,
    Rep,
    Several,
    Shape,
    Sprout,
    Whole,
    answer_shape,
    key_of,
    parts,
    type_of,
)
from .steps import Stepping
from .values import Values, is_pair, nests

CHOSEN = (
    "a tree that a condition chooses, for an answer or for what a `cata` makes. What is made of it "
    "can be written"
)


@dataclass(frozen=True)
class Written:
    """A derivative for arguments of some shapes: how they are named, and what follows."""

    patterns: tuple[s.PatternTree, ...]
    body: s.Expression
    domains: tuple[t.Type, ...]
    codomain: t.Type


class Writer(Stepping):
    """The function traced."""

    def __init__(
        self,
        function: Function,
        call: Call,
        adjoint: bool,
        name: str,
        sizes: Sequence[str] = (),
        of_trees: bool = False,
    ) -> None:
        self.function, self.call = function, call
        program = function.program
        names = names_of(
            (*program.definitions, *program.builtins, *program.externals, name, *sizes)
        )
        names.open = of_trees
        values = Values(program.declarations, names)
        # Of rows that differ in length the text is forwards: to say which part of a cotangent
        # belongs to which, the lengths of all would be said one by one.
        self.turned = adjoint and any(
            isinstance(one, Reduction) and one.written is not None and one.tree.many
            for one in call.traced.observed
        )
        super().__init__(values, call.traced.program.primitives, adjoint and not self.turned)

    def made(self, combined: bool) -> Written:
        self.combined = combined
        traced = self.call.traced
        met = {wire for one in traced.observed for wire in one.wires}
        supply = (w for w in traced.graph.inputs[: traced.arguments] if w not in met)
        seen = (*(each.tree for each in traced.observed), *plants(traced.value))
        self.naming.called = {each.path: each.names[0] for each in seen if each.names}
        found = self._arguments(supply)
        patterns, shapes = found.patterns, found.shapes
        terms = found.terms | self._held(traced.graph.inputs)

        builder = Builder(self.primitives)
        order = self._in_order()
        moving = {wire for wire in order[: traced.arguments] if wire.type.differentiable}
        answers, nodes = traced.answers, traced.graph.nodes
        if any(chosen_in(traced.value)):
            raise Unspeakable(CHOSEN)
        for one in grown_in(traced.value):
            if one.growth is None:
                raise Unspeakable(
                    "a grown tree that was changed, for an answer: what `mapData` does with one "
                    "can be written, so say it with that"
                )
            ended = answered(one, traced.value)
            answers, nodes = ended.outputs, ended.nodes
        plain = Graph(tuple(order), nodes, answers)
        plain, order, observed = self._drawn_first(plain, traced.observed, terms)
        active = [wire in moving for wire in order]
        network = self.linearized(builder, plain, observed, active, order, answers)

        codomain = self.function.specialise(self.call.types).type
        answer = answer_shape(self.values, traced.value, codomain)
        answer = self._with_room(answer, iter(network.codomain))
        if not shapes:
            raise Unspeakable("no parameters")
        arguments = shapes[0] if len(shapes) == 1 else Several(shapes)
        self.arguments, self.answer = arguments, answer
        self.observe(observed, terms)
        self.sprout(terms)
        if self.adjoint:
            network = network.adjoint()
        known = {self.place[wire]: each for wire, each in terms.items() if wire in self.place}
        moves = bool(network.domain and network.codomain)
        maps = None
        if combined and moves and self._combines() and not self._rows_differ:
            maps = self._combined(builder, network, known)
        any_length = self.payloads or self.sequences
        if maps is not None and not (any_length and _pairs_zero(maps)):
            body = maps
        elif combined and not moves and not self._has_trees(Several((arguments, answer))):
            body = s.Name("zero")
        else:
            body = self._function(builder, network, known)
            body = _as_section(body) if combined and not self.turned else body
        body = self._with_payloads(patterns, body)
        return Written(patterns, body, self.call.types, type_of(answer))

    def _with_payloads(self, patterns: Sequence[s.PatternTree], body: s.Expression) -> s.Expression:
        """The payload of a tree tells how many elements there are: kept till that is said, next
        to the tree."""

        def names(tree: s.Tree) -> set[str]:
            return {one.name for one in s.walk(tree) if isinstance(one, s.PatternName)}

        given = set().union(*map(names, patterns))
        for name, tree in self.payloads.items():
            before, inner = (body.bindings, body.body) if isinstance(body, s.Let) else ((), body)
            bound = [names(each) for each in before]
            wanted = {one.name for one in s.walk(tree) if isinstance(one, s.Name)} - {"zipTree"}
            if name in names(body) or not wanted <= given.union(*bound):
                continue
            place = max((k for k, own in enumerate(bound, 1) if own & wanted), default=0)
            made = s.Binding(s.PatternName(name), (), apply("payload", tree))
            body = s.Let((*before[:place], made, *before[place:]), inner)
        return body

    @property
    def own_lengths(self) -> bool:
        """Whether the lengths of what is made of a tree are its own."""
        observed = self.call.traced.observed
        return any(isinstance(one, Reduction) and one.written is not None for one in observed)

    @property
    def _rows_differ(self) -> bool:
        """Whether rows of several lengths are joined, so that running alone tells how long that
        is: there are combinators that have to know it before."""
        return any(
            isinstance(one, Reduction)
            and one.written is not None
            and (
                one.tree.many
                or any(t.free_variables(t.Product(fields))[1] for fields in _fields(one.tree))
            )
            for one in self.call.traced.observed
        )

    def _function(
        self, builder: Builder, network: Network, terms: Mapping[Wire, Term]
    ) -> s.Expression:
        """`\\dx -> …`."""
        early, (pattern, inner), _ = self.mapped(
            builder, network, terms, self.asked_tags, {},
            lambda opening, body: opening.around(self.source, body, self.otherwise),
        )  # fmt: skip
        early.bindings[:0] = self.outer.bindings
        if not self.turned:
            return early.around(s.Lambda((pattern,), inner))
        return early.around(self._backwards(s.Lambda((pattern,), inner), terms))

    def _backwards(self, linear: s.Expression, terms: Mapping[Wire, Term]) -> s.Expression:
        """The adjoint of a function that is linear: of its derivative, which is the same at all
        points, of which the arguments are one."""
        reals = (whole(terms[self.place[wire]]) for wire in self.own)
        named = self.grove.tree
        point = Making(self.values, reals, self.tag, named, named).made(self.arguments)
        return apply("adjoint", apply("derivative", linear, point))

    # --- names of what is given ----------------------------------------------------------------

    def _arguments(self, supply: Iterator[Wire]) -> Found:
        """The parameters by the names that the definition gives them."""
        body: p.Expression = self.function.definition.body
        made = []
        for type, structure in zip(self.call.types, self.call.structures, strict=True):
            known: p.Pattern | None = None
            if isinstance(body, p.Lambda):
                known, body = body.parameter, body.body
            made.append(self.naming.argument(type, structure, known, supply, "x"))
        return Found.of(made)

    def _in_order(self) -> list[Wire]:
        """The inputs of the graph as the arguments have them, what is made of a tree in its
        place."""
        traced = self.call.traced
        made: dict[Key, list[Wire]] = {}
        for one in traced.observed:
            made.setdefault(key_of(one.tree), []).extend(one.wires)
        order = [
            wire
            for each in self.naming.order
            for wire in ([each] if isinstance(each, Wire) else made.pop(each, []))
        ]
        order += [wire for wires in made.values() for wire in wires]
        return [*order, *traced.graph.inputs[traced.arguments :]]

    def _drawn_first(
        self, graph: Graph, observed: Sequence[Observation], terms: dict[Wire, Term]
    ) -> tuple[Graph, list[Wire], Sequence[Observation]]:
        """Binds what is drawn outside of trees and known to what is made of these. Gives the rest,
        what its inputs are called, and what is observed."""
        try:
            first = drawn_first(self.primitives, graph, observed)
        except Unordered:
            raise Unspeakable(
                "a draw, in a loop that makes something of a tree, at the nodes of this or for any "
                "number of rounds: what the loop draws is to be drawn before it"
            ) from None
        if first is None:
            return graph, list(graph.inputs), observed
        early, after, drawn = decompile(first.draws, {}, self.names)
        self.outer.bindings += [*early.bindings, *after.bindings]
        terms |= dict(zip(first.wires, drawn, strict=True))
        order = [wire for wire in graph.inputs if wire.type.kind != "Key"]
        return first.graph, [*order, *first.wires], first.observed

    def _held(self, inputs: Sequence[Wire]) -> dict[Wire, Term]:
        """Weights by their paths, and values from Python by their names."""
        traced = self.call.traced
        supply = iter(inputs[traced.arguments :])
        terms: dict[Wire, Term] = {}
        for weight in (*traced.weights, *traced.present):
            terms |= self.values.arrays(weight.type, s.Path(weight.path), supply, self.outer)
        for external in traced.externals:
            name = s.Name(external.path[0])
            terms |= self.values.arrays(external.type, name, supply, self.outer)
        return terms

    def _with_room(self, shape: Shape, arrays: Iterator[ArrayType]) -> Shape:
        """The shape of an answer, with the room that a sequence of run-time length has in
        its array as its length."""
        match shape:
            case Several(items=items):
                return Several(tuple(self._with_room(item, arrays) for item in items))
            case Rep(type=type, carrier=carrier):
                return Rep(type, self._with_room(carrier, arrays))
            case Node(type=type, constructor=name, fields=fields, alone=alone):
                made = tuple(self._with_room(each, arrays) for each in fields)
                return Node(type, name, made, alone)
            case Listed(element=element, items=items):
                return Listed(element, tuple(self._with_room(item, arrays) for item in items))
            case Arrays(type=type, stem=stem, tags=tags):
                return Arrays(self._roomy(type, arrays)[0], stem, tags)
            case Refilled(payload=payload):
                self._roomy(payload, arrays)
                return shape
            case _:
                return shape

    def _roomy(
        self, type: t.Type, arrays: Iterator[ArrayType], axis: int = 0
    ) -> tuple[t.Type, ArrayType | None]:
        """The type, and the first array that moves in it."""
        match type:
            case t.Array(element=element, length=length):
                element, array = self._roomy(element, arrays, axis + 1)
                if length.value is None and array is not None:
                    length = as_size(array.shape[axis])
                return t.Array(element, length), array
            case t.Product(items=items):
                found = [self._roomy(item, arrays, axis) for item in items]
                first = next((array for _, array in found if array is not None), None)
                return t.Product(tuple(item for item, _ in found)), first
            case t.Named(name=name) if name in self.declarations.reps:
                return type, self._roomy(self.declarations.reps[name].carrier, arrays, axis)[1]
            case _:
                moving = [next(arrays) for slot in self.values.slots(type) if slot is False]
                return type, moving[0] if moving else None

    # --- as combinators ------------------------------------------------------------

    def _combines(self) -> bool:
        """Whether what moves is all in arrays once trees are reduced: none is handed on."""
        return not any(isinstance(one, Whole | Moved | Sprout) for one in parts(self.answer))

    def _combined(
        self, builder: Builder, network: Network, terms: Mapping[Wire, Term]
    ) -> s.Expression:
        network = recorded(builder, network.useful())
        answers = self.asked_tags
        tags = [self.outputs[wire] for wire in answers]
        primal = builder.finish((*tags, *network.fixed))
        early, made = held(builder.primitives, primal, terms, network, self.names, len(tags))
        told = {wire: whole(made[k]) for k, wire in enumerate(answers)}
        self.name_tags(terms, told)
        fixed = {wire: made[len(tags) + k] for k, wire in enumerate(network.fixed)}
        tree = combinators(builder.primitives, network, fixed, self.names)
        early.bindings[:0] = self.outer.bindings
        maps = [*self._entering(network), tree, *self.leaving(self.target, network)]
        return early.around(composed(maps))

    def _trees_aside(self, shape: Shape, transposed: bool) -> tuple[s.Expression, t.Type] | None:
        """From a space with trees to that of what is made of them, `l *** id`, or back; None
        where it is not so simple."""
        match shape:
            case Whole(key=key):
                group = self.grove.plain(key)
                if group is None:
                    return None
                linear: s.Expression = s.Name(group.linear)
                linear = apply("adjoint", linear) if transposed else linear
                return linear, self.values.tangent(group.observed.result)
            case Several(items=items) if any(isinstance(one, Whole) for one in parts(shape)):
                both = [self._trees_aside(item, transposed) for item in items]
                if len(items) != 2 or None in both:
                    return None
                (one, left), (two, right) = both  # type: ignore[misc]
                return s.Binary("***", one, two), t.Product((left, right))
            case Arrays() | Several() | Rep() if not self._has_trees(shape):
                return IDENTITY, self.values.tangent(type_of(shape))
            case _:
                return None

    def _has_trees(self, shape: Shape) -> bool:
        return any(
            isinstance(one, Whole | Node | Listed | Refilled | Moved | Sprout)
            for one in parts(shape)
        )

    def _entering(self, network: Network) -> list[s.Expression]:
        """From a value of the space to its arrays, as pairs; nothing where it is that."""
        shape, source = self.source, self.values.tangent(type_of(self.source))
        front: list[s.Expression] = []
        if self._has_trees(shape):
            aside = self._trees_aside(shape, False)
            if aside is None:
                return [self._opened(network)]
            tree, source = aside
            front, shape = [tree], Arrays(source)
        if nests(source, len(network.inputs)):
            return front
        if is_pair(source):
            return [*front, UNZIP]
        block = Block()
        wires = [Wire(array) for array in network.domain]
        stems = Opening(self.values, iter(wires), self._opening_stem)
        pattern = stems.pattern(shape)
        block.bindings += stems.block.bindings
        arrays = pairs([whole(stems.terms[wire]) for wire in wires])
        if isinstance(pattern, s.PatternName) and len(wires) == 1:
            return [*front, linear_function(pattern.name, block.around(arrays))]
        return [*front, apply("section", s.Lambda((pattern,), block.around(arrays)))]

    def _opening_stem(self, stem: str) -> str:
        return "w" if self.adjoint else f"d{stem}"

    def _opened(self, network: Network) -> s.Expression:
        """The function that takes a value apart, trees and all."""
        wires = [Wire(array) for array in network.domain]
        opening = self.opening(wires)

        def body() -> s.Expression:
            terms = self.tangents(opening, wires, {})
            return pairs([whole(terms[wire]) for wire in wires])

        def otherwise() -> s.Expression:
            return pairs([s.Name("zero") for _ in wires])

        pattern, inner = opening.around(self.source, body, otherwise)
        return apply("section", s.Lambda((pattern,), inner))

    def leaving(self, shape: Shape, network: Network) -> list[s.Expression]:
        """From arrays, as pairs, to a value of the shape."""
        target, back = self.values.tangent(type_of(shape)), []
        if self._has_trees(shape):
            aside = self._trees_aside(shape, True)
            if aside is None:
                return [self._closed(network)]
            tree, target = aside
            back, shape = [tree], Arrays(target)
        if nests(target, len(network.outputs)):
            return back
        if is_pair(target):
            return [ZIP, *back]
        names = [self.names.fresh("u") for _ in network.outputs]
        reals: Iterator[s.Expression] = iter(map(s.Name, names))
        if self.declarations.is_open(type_of(shape)):  # a `zero` before it has to know its space
            reals = (
                s.Ascription(s.Name(name), type_tree(array)) if array.shape else s.Name(name)
                for name, array in zip(names, network.codomain, strict=True)
            )
        making = Making(
            self.values, reals, lambda w: self.tags[w], self.grove.tree, self.grove.tree
        )
        result = making.made(shape)
        if len(names) == 1:
            return [linear_function(names[0], result), *back]
        return [apply("section", s.Lambda((pair_pattern(names),), result)), *back]

    def _closed(self, network: Network) -> s.Expression:
        """The function that puts a value together, trees and all."""
        names = [self.names.fresh("u") for _ in network.outputs]
        opening = Opening(self.values, iter(()), str)
        made = self.put_together(list(map(s.Name, names)), opening)
        pattern = pair_pattern(names)
        return apply("section", s.Lambda((pattern,), opening.block.around(made)))


def _fields(tree: Plant) -> Iterator[tuple[t.Type, ...]]:
    yield from tree.declarations.constructors(tree.type).values()


def _pairs_zero(tree: s.Expression) -> bool:
    """Whether there is a `zero` beside other maps: of a space whose length only a tree knows,
    it cannot tell what to give."""
    return any(
        isinstance(each, s.Binary)
        and each.operator in ("***", "&&&")
        and s.Name("zero") in (each.left, each.right)
        for each in s.walk(s.Tuple((tree,)))
    )


def _as_section(tree: s.Expression) -> s.Expression:
    """`let … in \\dx -> …` as a linear map."""
    if isinstance(tree, s.Let):
        return s.Let(tree.bindings, _as_section(tree.body))
    return apply("section", tree)


__all__ = ["Writer", "Written"]
