"""Writes one derivative down: the function traced, its arrays and trees by their names.

    name patterns = let values in \\tangents -> let … in tangents of the answer

The arrays' share comes from the graph (`decompile`) or from the network of linear maps
(`combinators`), that of the trees from what is observed of them (trees.py). What takes a
value apart and puts one together is in shapes.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ...graph.forest import AnyTree, Reduction
from ...graph.graph import ArrayType, Builder, Graph, Wire
from ...graph.rewrite import tidy
from ...language import syntax as s
from ...language import typed as p
from ...language import types as t
from ...language.sizes import as_size
from ...linear.differentiate import linearize
from ...linear.maps import Network, filled
from ...primitives.decompile import Block, Term, Unspeakable, decompile, names_of, whole
from ...primitives.spelling import apply
from ...runtime.call import Call
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
from .shapes import (
    Arrays,
    Key,
    Listed,
    Making,
    Node,
    Opening,
    Refilled,
    Rep,
    Several,
    Shape,
    Whole,
    answer_shape,
    key_of,
    nothing,
    parts,
    type_of,
)
from .steps import Steps
from .trees import Exprs, Grove, total
from .values import Values, is_pair, nests

Argument: TypeAlias = "tuple[s.PatternTree, Shape, dict[Wire, Term]]"


@dataclass(frozen=True)
class _Found:
    """Several arguments: how they are named, what they look like, and their arrays."""

    patterns: tuple[s.PatternTree, ...]
    shapes: tuple[Shape, ...]
    terms: dict[Wire, Term]

    @classmethod
    def of(cls, arguments: Iterable[Argument]) -> _Found:
        patterns, shapes, terms = [], [], dict[Wire, Term]()
        for pattern, shape, found in arguments:
            patterns.append(pattern)
            shapes.append(shape)
            terms |= found
        return cls(tuple(patterns), tuple(shapes), terms)


@dataclass(frozen=True)
class Written:
    """A derivative for arguments of some shapes: how they are named, and what follows."""

    patterns: tuple[s.PatternTree, ...]
    body: s.Expression
    domains: tuple[t.Type, ...]
    codomain: t.Type


class Writer:
    """The function traced, and the names in use."""

    def __init__(
        self,
        function: Function,
        call: Call,
        adjoint: bool,
        name: str,
        sizes: Sequence[str] = (),
    ) -> None:
        self.function, self.call, self.adjoint = function, call, adjoint
        program = function.program
        names = names_of(
            (*program.definitions, *program.builtins, *program.externals, name, *sizes)
        )
        self.values = Values(program.declarations, names)
        self.names = names
        self.declarations = program.declarations
        self.outer = Block()
        self.trees: dict[Key, str] = {}  # the names of those of which nothing is known
        self.order: list[Wire | Key] = []  # the arrays and trees among the arguments
        self.payloads: dict[str, s.Expression] = {}  # their names, and the trees
        self.sequences: set[str] = set()  # names of those whose lengths only a tree knows

    def made(self, combined: bool) -> Written:
        traced = self.call.traced
        observed = {wire for one in traced.observed for wire in one.wires}
        supply = (w for w in traced.graph.inputs[: traced.arguments] if w not in observed)
        found = self._arguments(supply)
        patterns, shapes = found.patterns, found.shapes
        terms = found.terms | self._held(traced.graph.inputs)

        builder = Builder(traced.program.primitives)
        order = self._in_order()
        inputs = [builder.input(w.type, w.name, w.representation) for w in order]
        self.place = dict(zip(order, inputs, strict=True))
        active = [k < traced.arguments and wire.type.differentiable for k, wire in enumerate(order)]
        plain = Graph(tuple(order), traced.graph.nodes, traced.answers)
        outputs, network = linearize(builder, plain, inputs, active)
        for wire in outputs:
            if wire not in inputs:
                wire.name = wire.name or "y"
        self.outputs = dict(zip(traced.answers, outputs, strict=True))
        self.movers = [wire for wire, flag in zip(order, active, strict=True) if flag]
        self.own = [wire for wire in self.movers if wire not in observed]  # of arguments

        codomain = self.function.specialise(self.call.types).type
        answer = answer_shape(self.values, traced.value, codomain)
        answer = self._with_room(answer, iter(network.codomain))
        if not shapes:
            raise Unspeakable("no parameters")
        arguments = shapes[0] if len(shapes) == 1 else Several(shapes)
        self.arguments, self.answer = arguments, answer
        self.grove = Grove(
            self.values, traced.program.primitives, traced.observed, set(self.movers), self.trees
        )
        self._observe(terms, combined)
        if self.adjoint:
            network = network.adjoint()
        known = {self.place[wire]: each for wire, each in terms.items()}
        moves = bool(network.domain and network.codomain)
        maps = None
        if combined and moves and self._combines():
            maps = self._combined(builder, network, known)
        if maps is not None and not (self.payloads and _pairs_zero(maps)):
            body = maps
        elif combined and not moves and not self._has_trees(Several((arguments, answer))):
            body = s.Name("zero")
        else:
            body = self._function(builder, network, known)
            body = _as_section(body) if combined else body
        # The payload of a tree tells how many elements there are: kept till that is said.
        said = {each.name for each in s.walk(body) if isinstance(each, s.PatternName)}
        for name, tree in self.payloads.items():
            if name not in said:
                bound = s.Binding(s.PatternName(name), (), apply("payload", tree))
                body = s.Let((bound,), body)
        return Written(patterns, body, self.call.types, type_of(answer))

    @property
    def source(self) -> Shape:
        """Where the linear map takes what moves from."""
        return self.answer if self.adjoint else self.arguments

    @property
    def target(self) -> Shape:
        return self.arguments if self.adjoint else self.answer

    # --- names of what is given ----------------------------------------------------------------

    def _arguments(self, supply: Iterator[Wire]) -> _Found:
        """The parameters by the names that the definition gives them."""
        body: p.Expression = self.function.definition.body
        made = []
        for type, structure in zip(self.call.types, self.call.structures, strict=True):
            known: p.Pattern | None = None
            if isinstance(body, p.Lambda):
                known, body = body.parameter, body.body
            made.append(self._argument(type, structure, known, supply, "x"))
        return _Found.of(made)

    def _argument(
        self,
        type: t.Type,
        structure: object,
        known: p.Pattern | None,
        supply: Iterator[Wire],
        otherwise: str,
    ) -> Argument:
        if isinstance(known, p.BindName):
            otherwise = known.name
        match type:
            case _ if isinstance(structure, t.Array):
                argument = self._argument(structure, None, known, supply, otherwise)
                if isinstance(argument[0], s.PatternName):
                    self.sequences.add(argument[0].name)
                return argument
            case t.Named() if isinstance(structure, AnyTree):
                name = self.names.fresh(otherwise)
                self.trees[structure.path] = name
                self.order.append(structure.path)
                return s.PatternName(name), Whole(type, structure.path, otherwise), {}
            case t.Product(items=items):
                below = known.items if isinstance(known, p.MatchTuple) else [None] * len(items)
                inner = structure if isinstance(structure, tuple) else [None] * len(items)
                found = _Found.of(
                    self._argument(item, part, each, supply, otherwise)
                    for item, part, each in zip(items, inner, below, strict=True)
                )
                return s.PatternTuple(found.patterns), Several(found.shapes), found.terms
            case t.Named(name=name) if name in self.declarations.reps:
                carrier = self.declarations.reps[name].carrier
                inside: p.Pattern | None = known if isinstance(known, p.BindName) else None
                inside = known.argument if isinstance(known, p.LeaveRep) else inside
                pattern, shape, terms = self._argument(
                    carrier, structure, inside, supply, otherwise
                )
                return s.PatternConstructor(name, (pattern,)), Rep(type, shape), terms
            case t.Named() if isinstance(structure, tuple):
                constructor, inner = structure
                constructors = self.declarations.constructors(type)
                found = _Found.of(
                    self._argument(item, part, None, supply, otherwise)
                    for item, part in zip(constructors[constructor], inner, strict=True)
                )
                return (
                    s.PatternConstructor(constructor, found.patterns),
                    Node(type, constructor, found.shapes, len(constructors) == 1),
                    found.terms,
                )
            case t.Array(element=element) if isinstance(structure, tuple):
                name = self.names.fresh(otherwise)
                found = _Found.of(
                    self._argument(element, part, None, supply, otherwise) for part in structure
                )
                if any(isinstance(one, Node) and not one.alone for one in found.shapes):
                    raise Unspeakable("a tree of a sequence that is looked at")
                for k, pattern in enumerate(found.patterns):
                    self.outer.bind(pattern, s.Binary("!", s.Name(name), s.Number(k)))
                return s.PatternName(name), Listed(element, found.shapes), found.terms
            case _:
                wires = [next(supply) for _ in self.declarations.layout(type)]
                self.order += wires
                pattern, terms = self.values.taken(type, known, iter(wires), otherwise, self.outer)
                slots = self.values.slots(type)
                tags = tuple(w for w, slot in zip(wires, slots, strict=True) if slot)
                return pattern, Arrays(type, otherwise, tags), terms

    def _in_order(self) -> list[Wire]:
        """The inputs of the graph as the arguments have them, what is made of a tree in its
        place."""
        traced = self.call.traced
        made: dict[Key, list[Wire]] = {}
        for one in traced.observed:
            made.setdefault(key_of(one.tree), []).extend(one.wires)
        order = [
            wire
            for each in self.order
            for wire in ([each] if isinstance(each, Wire) else made.pop(each, []))
        ]
        order += [wire for wires in made.values() for wire in wires]
        return [*order, *traced.graph.inputs[traced.arguments :]]

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

    # --- trees -----------------------------------------------------------------------------------

    def _observe(self, terms: dict[Wire, Term], combined: bool) -> None:
        """Binds what is made of trees, and the linear maps of it."""
        values, grove = self.values, self.grove
        for group in grove.groups:
            grove.bind_zipped(group.key, self.outer)
            after = Block()
            one = group.observed
            stem = "y" if isinstance(one, Reduction) else "xs"
            pattern, found = values.taken(one.result, None, iter(one.wires), stem, after)
            tree = grove.tree(group.key)
            if not isinstance(one, Reduction):
                self.outer.bind(pattern, apply("payload", tree))
                if isinstance(pattern, s.PatternName):
                    self.sequences.add(pattern.name)
                    self.payloads[pattern.name] = tree
            else:
                group.linear = self.names.fresh("dy")
                steps = Steps(
                    values, grove.primitives, one, terms, group.around, combined,
                    lambda space, network: self._leaving(Arrays(space), network),
                    self.sequences,
                )  # fmt: skip
                both = s.PatternTuple((pattern, s.PatternName(group.linear)))
                word = "treeRecurrenceWith" if group.around else "treeRecurrence"
                self.outer.bind(both, apply(word, steps.step(), tree))
            self.outer.bindings += after.bindings
            terms |= found

    # --- as a function of what moves ------------------------------------------------------------

    def _function(
        self, builder: Builder, network: Network, terms: Mapping[Wire, Term]
    ) -> s.Expression:
        """`\\dx -> …`."""
        inputs = builder.finish(()).inputs
        tags = [self.outputs[wire] for wire in _tags(self.answer)]
        moving = [builder.input(array) for array in network.domain]
        images = filled(builder, network.apply(builder, moving), network.codomain)
        graph = tidy(builder.primitives, builder.finish([*images, *tags]))
        place = dict(zip((*inputs, *moving), graph.inputs, strict=True))
        opening = self._opening(moving)
        early = Block()

        def body() -> s.Expression:
            nonlocal early
            given = {place[wire]: each for wire, each in terms.items() if wire in place}
            given |= {place[wire]: each for wire, each in self._tangents(opening, moving).items()}
            early, after, made = decompile(
                graph, given, self.names, [place[wire] for wire in moving]
            )
            results = [whole(each) for each in made]
            count = len(images)
            self._name_tags(terms, results[count:])
            opening.block.bindings += after.bindings
            return self._put_together(results[:count], opening)

        pattern, inner = opening.around(self.source, body, self._otherwise)
        early.bindings[:0] = self.outer.bindings
        return early.around(s.Lambda((pattern,), inner))

    def _opening(self, moving: Sequence[Wire]) -> Opening:
        """Of the tangent, named after what it moves, or of the cotangent."""
        if self.adjoint:
            return Opening(self.values, iter(moving), lambda _: "w")
        own = [
            wire for wire, mover in zip(moving, self.movers, strict=True) if mover in set(self.own)
        ]
        return Opening(self.values, iter(own), lambda stem: f"d{stem}")

    def _tangents(self, opening: Opening, moving: Sequence[Wire]) -> dict[Wire, Term]:
        """What the arrays are called that the linear map takes: those in its argument, and
        those that come of trees in it."""
        if self.adjoint:
            return opening.terms
        movers = dict(zip(moving, self.movers, strict=True))
        terms = {movers[wire]: each for wire, each in opening.terms.items()}
        trees = {key: found[0] for key, found in opening.trees.items()}
        self.known_tangents = self.grove.forward(trees, terms, opening.block)
        return {wire: terms[mover] for wire, mover in movers.items()}

    def _put_together(self, results: list[s.Expression], opening: Opening) -> s.Expression:
        """The value of the target, of its arrays and of what comes of trees."""
        named = self.grove.tree
        if not self.adjoint:
            making = Making(self.values, iter(results), self._tag, self._tangent_of, named)
            return making.made(self.target)
        arrays: Exprs = {w: [made] for w, made in zip(self.movers, results, strict=True)}
        trees = opening.trees
        self.grove.backward(arrays, trees, opening.block)
        reals = iter([total(arrays[wire]) for wire in self.own])

        def cotangent(key: Key) -> s.Expression:
            return total(trees[key]) if key in trees else self._nought(key)

        return Making(self.values, reals, self._tag, cotangent, named).made(self.target)

    def _tangent_of(self, key: Key) -> s.Expression:
        return self.known_tangents(key)

    def _nought(self, key: Key) -> s.Expression:
        """The tree with zeros: nothing depends on it."""
        (shape,) = [
            one for one in parts(self.arguments) if isinstance(one, Whole) and one.key == key
        ]
        alternatives = []
        for name, fields in self.declarations.constructors(shape.type).items():
            patterns: list[s.PatternTree] = []
            made: list[s.Expression] = []
            for field in fields:
                word = self.names.fresh("x")
                if t.mentions(field, shape.type):
                    patterns.append(s.PatternName(word))
                    made.append(s.Name(word))
                elif t.free_variables(field)[1]:
                    patterns.append(s.PatternName(word))
                    made.append(
                        apply("map", s.Lambda((s.PatternWildcard(),), s.Name("zero")), s.Name(word))
                    )
                else:
                    patterns.append(s.PatternWildcard())
                    nothings = iter(lambda: s.Name("zero"), None)
                    made.append(self.values.rebuilt(field, nothings, True))
            alternatives.append(
                s.Alternative(s.PatternConstructor(name, tuple(patterns)), apply(name, *made))
            )
        return apply(s.Cata(tuple(alternatives)), self.grove.tree(key))

    def _otherwise(self) -> s.Expression:
        """Some value of the target, for a tangent of another shape: there is none."""
        return nothing(self.values, self.target, self._nought)

    def _name_tags(self, terms: Mapping[Wire, Term], answers: Sequence[s.Expression]) -> None:
        self.tags = dict(zip(_tags(self.answer), answers, strict=True))
        for wire in _tags(self.arguments):
            self.tags[wire] = terms[self.place[wire]].tree

    def _tag(self, wire: Wire) -> s.Expression:
        return self.tags[wire]

    # --- as combinators ------------------------------------------------------------

    def _combines(self) -> bool:
        """Whether what moves is all in arrays once trees are reduced: none is handed on."""
        return not any(isinstance(one, Whole) for one in parts(self.answer))

    def _combined(
        self, builder: Builder, network: Network, terms: Mapping[Wire, Term]
    ) -> s.Expression:
        network = recorded(builder, network.useful())
        tags = [self.outputs[wire] for wire in _tags(self.answer)]
        primal = builder.finish((*tags, *network.fixed))
        early, made = held(builder.primitives, primal, terms, network, self.names, len(tags))
        self._name_tags(terms, [whole(made[k]) for k in range(len(tags))])
        fixed = {wire: made[len(tags) + k] for k, wire in enumerate(network.fixed)}
        tree = combinators(builder.primitives, network, fixed, self.names)
        early.bindings[:0] = self.outer.bindings
        maps = [*self._entering(network), tree, *self._leaving(self.target, network)]
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
        return any(isinstance(one, Whole | Node | Listed | Refilled) for one in parts(shape))

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
        opening = self._opening(wires)

        def body() -> s.Expression:
            terms = self._tangents(opening, wires)
            return pairs([whole(terms[wire]) for wire in wires])

        def otherwise() -> s.Expression:
            return pairs([s.Name("zero") for _ in wires])

        pattern, inner = opening.around(self.source, body, otherwise)
        return apply("section", s.Lambda((pattern,), inner))

    def _leaving(self, shape: Shape, network: Network) -> list[s.Expression]:
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
        reals = iter(map(s.Name, names))
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
        made = self._put_together(list(map(s.Name, names)), opening)
        pattern = pair_pattern(names)
        return apply("section", s.Lambda((pattern,), opening.block.around(made)))


def _tags(shape: Shape) -> list[Wire]:
    return [wire for one in parts(shape) if isinstance(one, Arrays) for wire in one.tags]


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
