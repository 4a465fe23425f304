"""Linear maps as values while a program is traced.

    LinearValue   a map on the wires that values of two types are made of
    Promised      one that is known by a function, until its structure is asked for
    OfTrees       one of trees of which nothing is known, by what it makes of a value
    derivative    that of a function at a point: the function is traced once, there, and what the
                  map needs of it is kept

All that is done with a map is done with its structure (linear/maps). The language's words for
it, `adjoint`, `matrix`, `solve`, stand in linear_maps.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Sequence as Listed
from dataclasses import dataclass, replace

from ..graph.context import Context
from ..graph.forest import Entangled, Forest, NoForest
from ..graph.graph import Builder, Graph, Wire
from ..graph.grown import grown_in
from ..graph.known_trees import laid_out
from ..graph.rewrite import vectorise
from ..graph.scope import Occurrence
from ..graph.sequences import resized, settled, unfilled
from ..graph.values import (
    NotFirstOrder,
    Sequence,
    Value,
    holds_sequence,
    map_leaves,
    refilled,
    same_shape,
    spread,
)
from ..language import types as t
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.source import Span
from ..language.syntax import NOWHERE
from ..linear import maps, structure
from ..linear.differentiate import linearize
from ..linear.linearity import nonlinear_node
from . import tree_vectors
from .decompile import Unspeakable
from .dense import lines, of_matrix
from .linear_trees import at_trees


@dataclass(frozen=True)
class LinearValue:
    """A linear map `domain -o codomain` while tracing: a map on the wires that values
    of the two types are made of. It is applied by calling it."""

    context: Context
    linear_map: maps.LinearMap
    domain: t.Type
    codomain: t.Type
    # Of a space of trees, or of sequences of run-time length, a value of the same shape,
    # for the type does not tell it. Padding is no part of such a space: the map takes
    # nothing from it and leaves 0 there.
    source: Value = None
    target: Value = None
    self_adjoint: bool = False  # said, or known by a theorem

    def __call__(self, argument: Value) -> Value:
        builder = self.context.builder
        if self.source is None:
            tangents = self.context.flatten(argument, self.domain)
            self._require_lengths(tangents)
        else:
            argument = laid_out(self.context, argument, self.source)
            argument = _measured(self.context, argument, self.source)
            if not same_shape(argument, self.source):
                if _holds_forest(argument) and list(grown_in(self.source)):
                    raise NoForest(self.domain)  # which node is where, must be known
                self.context.fail(
                    "shapes-disagree", "the tangent of a tree has the shape of the tree"
                )
            tangents = [wire for wire in spread(argument) if wire.type.differentiable]
        images = maps.filled(
            builder, self.linear_map.apply(builder, tangents), self.linear_map.codomain
        )
        if isinstance(self.linear_map, structure.Inverse):
            require_regular(self.context, images)
        if self.target is None:
            return self.context.rebuild(self.codomain, images)
        supply = iter(images)
        return refilled(
            self.target,
            lambda wire: next(supply) if wire.type.differentiable else builder.zeros(wire.type),
        )

    def _require_lengths(self, tangents: Listed[Wire]) -> None:
        """Where the type leaves a length open, a tangent may have another than the space."""
        for wire, space in zip(tangents, self.linear_map.domain, strict=False):
            if wire.type.shape != space.shape:
                self.context.fail(
                    "shapes-disagree",
                    f"a linear map from {space} is given {wire.type}",
                    "At this point that is the length of its space: a tangent is as long as "
                    "the argument, a cotangent as the value.",
                )

    def adjoint(self) -> LinearValue:
        return LinearValue(
            self.context, self.linear_map.adjoint(), self.codomain, self.domain,
            self.target, self.source,
        )  # fmt: skip

    def _shapeless(self, *others: LinearValue) -> bool:
        """Whether there are trees in a space whose shape is not known before the map is
        applied, or sequences whose length is not: it can be applied, composed, paired and
        added, and is not made."""
        return any(
            isinstance(each, Promised) and each.source is None
            and (each.is_open(each.domain) or each.is_open(each.codomain))
            for each in (self, *others)
        )  # fmt: skip

    def is_open(self, type: t.Type) -> bool:
        declarations = self.context.declarations
        return declarations.has_data(type) or declarations.is_open(type)

    def has_data(self, type: t.Type) -> bool:
        return self.context.declarations.has_data(type)

    def then(self, other: LinearValue) -> LinearValue:
        if isinstance(other, OfTrees):
            return OfTrees.of(self).then(other)
        if self._shapeless(other):
            return Promised(
                self.context, lambda u: other(self(u)), self.domain, other.codomain, False
            )
        _same_space(self.context, self.target, other.source)
        return replace(
            self, linear_map=self.linear_map >> other.linear_map, codomain=other.codomain,
            target=other.target, self_adjoint=False,
        )  # fmt: skip

    def without_trees(self) -> None:
        """Asked where a space must have one layout: in pairs, in matrices."""
        if holds_sequence((self.source, self.target)):
            self.context.needs_length("this linear map")
        if self.source is not None or self.target is not None:
            self.context.fail(
                "not-first-order",
                "this linear map is between spaces of trees",
                "It can be applied, composed, added and transposed; a pair of maps or a matrix "
                "has one layout only.",
            )

    def both(self, other: LinearValue) -> LinearValue:
        if self._shapeless(other):
            codomain = t.Product((self.codomain, other.codomain))
            return Promised(
                self.context, lambda u: (self(u), other(u)), self.domain, codomain, False
            )
        self.without_trees()
        other.without_trees()
        pair = maps.Pair((self.linear_map, other.linear_map))
        codomain = t.Product((self.codomain, other.codomain))
        return replace(self, linear_map=pair, codomain=codomain, self_adjoint=False)

    def beside(self, other: LinearValue) -> LinearValue:
        if any(map(self.is_open, (self.domain, self.codomain, other.domain, other.codomain))):
            return Promised(
                self.context, lambda pair: (self(pair[0]), other(pair[1])),
                t.Product((self.domain, other.domain)),
                t.Product((self.codomain, other.codomain)), False,
            )  # fmt: skip
        self.without_trees()
        other.without_trees()
        return LinearValue(
            self.context,
            maps.DirectSum((self.linear_map, other.linear_map)),
            t.Product((self.domain, other.domain)),
            t.Product((self.codomain, other.codomain)),
        )

    def plus(self, other: LinearValue) -> LinearValue:
        if self._shapeless(other) and not self.has_data(self.codomain):
            context = self.context

            def total(u: Value) -> Value:
                return map_leaves(
                    lambda one, two: context.builder.emit("add", one, two), self(u), other(u)
                )

            return Promised(context, total, self.domain, self.codomain, False)
        _same_space(self.context, (self.source, self.target), (other.source, other.target))
        both = self.self_adjoint and other.self_adjoint
        return replace(self, linear_map=self.linear_map + other.linear_map, self_adjoint=both)

    def scaled(self, factor: Wire) -> LinearValue:
        scale = maps.Scale(factor, self.linear_map.codomain)
        kept = self.self_adjoint and factor.type.kind == "R"
        return replace(self, linear_map=self.linear_map >> scale, self_adjoint=kept)

    def arithmetic(self, operation: str, *operands: Value) -> LinearValue:
        """`+ - * /` and negation of linear maps, this one among the operands."""
        match operation, operands:
            case "negate", (LinearValue() as linear,):
                return linear.scaled(self.context.builder.constant(-1.0))
            case "+", (LinearValue() as left, LinearValue() as right):
                return left.plus(right)
            case "-", (LinearValue() as left, LinearValue() as right):
                return left.plus(right.arithmetic("negate", right))
            case "*", (LinearValue() as linear, factor) | (factor, LinearValue() as linear):
                return linear.scaled(factor)
            case "/", (LinearValue() as linear, factor):
                return linear.scaled(self.context.builder.emit("reciprocal", factor))
            case _:
                raise ValueError(f"{operation} has no meaning for linear maps")

    def norm(self) -> Wire:
        """Frobenius's."""
        self.without_trees()
        return structure.norm(self.context.builder, self.linear_map)

    def choose(self, condition: Wire, otherwise: LinearValue) -> LinearValue:
        """This map where the condition holds, else the other one."""
        _same_space(self.context, (self.source, self.target), (otherwise.source, otherwise.target))
        both = (otherwise.linear_map, self.linear_map)  # branches[int(condition)]
        residuals = tuple(dict.fromkeys(wire for each in both for wire in each.fixed))
        cells = tuple(_cell(each, residuals) for each in both)
        known = self.self_adjoint and otherwise.self_adjoint
        chosen = maps.ChooseL(condition, cells, residuals)
        return replace(self, linear_map=chosen, self_adjoint=known)


class Promised(LinearValue):
    """A function that is known or said to be linear. Applied, it is that function; its
    linear map is made when something else is done with it."""

    def __init__(
        self,
        context: Context,
        function: Value,
        domain: t.Type,
        codomain: t.Type,
        checked: bool,
        source: Value = None,
    ) -> None:
        given = {
            "context": context, "domain": domain, "codomain": codomain, "source": source,
            "target": None, "function": function, "checked": checked, "made": {},
        }  # fmt: skip
        self.__dict__.update(given, origin=context.builder.origin)

    function: Value
    checked: bool  # whether linearity is to be proved where it is used
    origin: Span | None
    made: dict[Builder, LinearValue]  # the map, by the graph that it was made in

    @property
    def linear_map(self) -> maps.LinearMap:
        return self._made().linear_map

    def _made(self) -> LinearValue:
        """Made once in a graph, and again in one that cannot see it."""
        here: Builder | None = self.context.builder
        while here is not None and here not in self.made:
            here = here.parent
        if here is None:
            here = self.context.builder
            self.made[here] = self.derivative()
        return self.made[here]

    def derivative(self) -> LinearValue:
        # The derivative of a linear map is itself, at any point: at zero.
        context, builder = self.context, self.context.builder
        if self.source is None:
            layout = context.layout(self.domain)
            zero = context.rebuild(self.domain, [builder.zeros(array) for array in layout])
        else:
            zero = refilled(self.source, lambda wire: builder.zeros(wire.type))
        self._prove(zero)
        arrow = t.Function(self.domain, t.Linear(self.domain, self.codomain))
        both = t.Function(t.Function(self.domain, self.codomain), arrow)
        made = derivative(context, Occurrence(both), self.function, zero)
        assert isinstance(made, LinearValue)
        return made

    def __call__(self, argument: Value) -> Value:
        self._prove(argument)
        return self.function(argument)

    def forced(self) -> LinearValue:
        made = self._made()  # trees and sequences are of a shape that it makes
        return LinearValue(
            self.context, made.linear_map, self.domain, self.codomain, self.source, made.target
        )

    def adjoint(self) -> LinearValue:
        return self.forced().adjoint()

    def then(self, other: LinearValue) -> LinearValue:
        return super().then(other) if self._shapeless(other) else self.forced().then(other)

    def beside(self, other: LinearValue) -> LinearValue:
        return LinearValue.beside(self, other)

    def both(self, other: LinearValue) -> LinearValue:
        return super().both(other) if self._shapeless(other) else self.forced().both(other)

    def plus(self, other: LinearValue) -> LinearValue:
        return super().plus(other) if self._shapeless(other) else self.forced().plus(other)

    def scaled(self, factor: Wire) -> LinearValue:
        return self.forced().scaled(factor)

    def choose(self, condition: Wire, otherwise: LinearValue) -> LinearValue:
        return self.forced().choose(condition, otherwise)

    def _prove(self, argument: Value) -> None:
        """Told where it stands: a promise that does not hold."""
        if not self.checked:
            return
        context, shaped = self.context, self.context.declarations.has_data(self.domain)
        shaped = shaped or holds_sequence(argument)
        here = spread(argument) if shaped else context.flatten(argument, self.domain)
        graph, captured, _ = context.subgraph(
            self.function, [wire.type for wire in here], self.domain, self.codomain,
            argument if shaped else None,
        )  # fmt: skip
        active = [False] * len(captured) + [wire.type.differentiable for wire in here]
        found = nonlinear_node(graph, active)
        self.__dict__["checked"] = False
        if found is None:
            return
        place = self.origin or NOWHERE
        at = found.node.origin if found.node is not None else None
        inside = at is not None and at.source == place.source
        raise NnfpError(
            Diagnostic(
                "nonlinear-map",
                "this is said to be a linear map, but it is not linear",
                Label(at if inside and at is not None else place, "not linear in the argument"),
                () if not inside or at == place else (Label(place, "`-o` is said of this"),),
                (
                    "A linear map keeps sums and multiples: `l (2 * u + v)` is `2 * l u + l v`. "
                    "The linear map of a function f at x is `derivative f x`.",
                ),
            )
        )


class OfTrees(LinearValue):
    """A linear map that is known by what it and its adjoint make of a value: of trees of
    which nothing is known."""

    def __init__(
        self,
        context: Context,
        forward: Callable[[Value], Value],
        back: Callable[[Value], Value],
        domain: t.Type,
        codomain: t.Type,
        self_adjoint: bool = False,
    ) -> None:
        given = {
            "context": context, "domain": domain, "codomain": codomain, "source": None,
            "target": None, "forward": forward, "back": back, "self_adjoint": self_adjoint,
        }  # fmt: skip
        self.__dict__.update(given)

    forward: Callable[[Value], Value]
    back: Callable[[Value], Value]

    @classmethod
    def of(cls, linear: LinearValue) -> OfTrees:
        if isinstance(linear, OfTrees):
            return linear
        back = lambda w: linear.adjoint()(w)  # noqa: E731
        return cls(linear.context, linear, back, linear.domain, linear.codomain)

    @property
    def linear_map(self) -> maps.LinearMap:
        """Between arrays its matrix, row by row or column by column, whichever are fewer."""
        context, ends = self.context, (self.domain, self.codomain)
        layouts = [[] if self.has_data(end) else context.layout(end) for end in ends]
        if not all(layouts) or any(array.kind != "R" for each in layouts for array in each):
            raise Unspeakable(
                "the matrix, the trace or the like of a linear map between spaces of trees: how "
                "many rows that has only the tree tells, and another tree has others. What the map "
                "and its adjoint make of a tangent can be written, and maps from or to trees that "
                "are one between arrays, `derivative (\\x -> total (x * t)) 1`"
            )
        columns, rows = (sum(array.size for array in each) for each in layouts)
        if rows <= columns:
            made = lines(context, self.back, self.codomain, self.domain)
        else:
            columns_of = lines(context, self.forward, self.domain, self.codomain)
            made = context.builder.emit("transpose", columns_of, permutation=(1, 0))
        return of_matrix(context.builder, made, *layouts)

    def __call__(self, argument: Value) -> Value:
        return self.forward(argument)

    def adjoint(self) -> LinearValue:
        return OfTrees(self.context, self.back, self.forward, self.codomain, self.domain)

    def both(self, other: LinearValue) -> LinearValue:
        beside = OfTrees.of(other)
        codomain = t.Product((self.codomain, other.codomain))

        def back(pair: Value) -> Value:
            return tree_vectors.arithmetic(
                self.context, "+", self.back(pair[0]), beside.back(pair[1])
            )

        return OfTrees(
            self.context, lambda u: (self.forward(u), beside.forward(u)), back, self.domain,
            codomain,
        )  # fmt: skip

    def beside(self, other: LinearValue) -> LinearValue:
        beside = OfTrees.of(other)
        return OfTrees(
            self.context, lambda pair: (self.forward(pair[0]), beside.forward(pair[1])),
            lambda pair: (self.back(pair[0]), beside.back(pair[1])),
            t.Product((self.domain, other.domain)), t.Product((self.codomain, other.codomain)),
        )  # fmt: skip

    def then(self, other: LinearValue) -> LinearValue:
        after = OfTrees.of(other)
        return OfTrees(
            self.context, lambda u: after.forward(self.forward(u)),
            lambda w: self.back(after.back(w)), self.domain, after.codomain,
        )  # fmt: skip

    def plus(self, other: LinearValue) -> LinearValue:
        beside = OfTrees.of(other)

        def total(one: Value, two: Value) -> Value:
            return tree_vectors.arithmetic(self.context, "+", one, two)

        return OfTrees(
            self.context, lambda u: total(self.forward(u), beside.forward(u)),
            lambda w: total(self.back(w), beside.back(w)), self.domain, self.codomain,
        )  # fmt: skip

    def scaled(self, factor: Wire) -> LinearValue:
        def times(value: Value, turned: bool = False) -> Value:
            own = factor
            if turned and factor.type.kind == "C":
                own = self.context.builder.emit("conj", factor)
            return tree_vectors.arithmetic(self.context, "*", own, value)

        return OfTrees(
            self.context, lambda u: times(self.forward(u)), lambda w: self.back(times(w, True)),
            self.domain, self.codomain,
        )  # fmt: skip


def _holds_forest(value: Value) -> bool:
    if isinstance(value, tuple):
        return any(map(_holds_forest, value))
    return isinstance(value, Forest)


def _measured(context: Context, tangent: Value, space: Value) -> Value:
    """A tangent with the room of a space of sequences of run-time length, whose lengths
    are required of it; any other as it is."""
    if isinstance(tangent, tuple) and isinstance(space, tuple) and len(tangent) == len(space):
        return tuple(_measured(context, *pair) for pair in zip(tangent, space, strict=True))
    if isinstance(tangent, Wire) and isinstance(space, Sequence) and not space.axis:
        count = context.builder.constant(tangent.type.shape[0], "Int")
        tangent = Sequence(tangent, count)
    if not (isinstance(tangent, Sequence) and isinstance(space, Sequence)):
        if holds_sequence((tangent, space)):
            context.needs_length("this linear map")
        return tangent
    if tangent.length is not space.length:
        if tangent.axis:
            context.needs_length("a derivative at a sequence of sequences")
        context.same_length(space.length, tangent.length)
    inside = resized(context.builder, tangent.elements, space.axis, space.capacity)
    return Sequence(_measured(context, inside, space.elements), space.length)


def _same_space(context: Context, one: Value, other: Value) -> None:
    """Required of the spaces between which two maps are, where a length is open."""
    if holds_sequence((one, other)) and not same_shape(_measured(context, one, other), one):
        context.needs_length("this linear map")


def _cell(linear_map: maps.LinearMap, residuals: tuple[Wire, ...]) -> maps.Cell:
    """A map as a branch: nothing is computed before it, its residuals are handed through."""
    inputs = {wire: Wire(wire.type) for wire in residuals}
    prologue = Graph(tuple(inputs.values()), (), tuple(inputs[w] for w in linear_map.fixed))
    sources = tuple(maps.Variable(type) for type in linear_map.domain)
    targets = tuple(maps.Variable(type) for type in linear_map.codomain)
    network = maps.Network(sources, (maps.Part(linear_map, sources, targets),), targets)
    return maps.Cell(prologue, linear_map.fixed, network)


def require_regular(context: Context, solution: Iterable[Wire]) -> None:
    """What a singular map gives in place of a solution is told."""
    builder = context.builder
    for wire in solution:
        if not wire.type.size:
            continue
        line = builder.emit("reshape", wire, shape=(wire.type.size,))
        sizes = builder.emit("modulus" if wire.type.kind == "C" else "abs", line)
        most = builder.emit("maximum", sizes, axes=(0,))
        context.require(
            builder.emit("compare", most, builder.constant(float("inf")), how="lt"),
            "there is no solution: the map is singular, or holds what is no number",
            "A singular map takes different vectors to the same one. Its `logdet` is -inf. What is "
            "nearest to a solution is that of `l >> adjoint l` with a little of the identity, "
            "`solve ((l >> adjoint l) + 1e-6 * derivative id x) (adjoint l b)`.",
            code="singular",
        )


def derivative(context: Context, use: Occurrence, function: Value, point: Value) -> Value:
    """The derivative of a function at a point: traced once, there."""
    domain = use.domains()[1]
    result = use.result(2)
    assert isinstance(result, t.Linear)
    if context.builder in context.plants:  # of trees of which nothing is known
        seen = context.plants[context.builder].observed
        count = len(seen)
        try:
            return _at_arrays(context, domain, result.codomain, function, point)
        except (NoForest, NotFirstOrder):
            del seen[count:]
        here, tape = context.builder, at_trees(context, function, point, domain)

        def linear() -> Callable[[Value], Value]:
            """In a body of a loop it is taken there."""
            return tape if context.builder is here else derivative(context, use, function, point)

        def back(cotangent: Value) -> Value:
            if context.builder is here:
                return tape.back(cotangent)
            return derivative(context, use, function, point).adjoint()(cotangent)

        return OfTrees(context, lambda u: linear()(u), back, domain, result.codomain)
    try:
        return _at_arrays(context, domain, result.codomain, function, point)
    except (NoForest, NotFirstOrder):
        if context.plants:  # in a loop or a map, of trees that stand around it
            raise Entangled(result.codomain, "a derivative") from None
        raise


def _at_arrays(
    context: Context, domain: t.Type, codomain: t.Type, function: Value, point: Value
) -> LinearValue:
    shaped = context.declarations.has_data(domain) or holds_sequence(point)
    source = point if shaped else None
    here = spread(point) if shaped else context.flatten(point, domain)
    graph, captured, outcome = context.subgraph(
        lambda x: settled(context.builder, function(settled(context.builder, x))),
        [wire.type for wire in here], domain, codomain, source,
    )  # fmt: skip
    # A map over examples becomes one operation first, so that what it shares gets its
    # derivative by one contraction and not by a sum over examples.
    graph = vectorise(context.builder.primitives, graph)
    active = [False] * len(captured) + [wire.type.differentiable for wire in here]
    outputs, network = linearize(context.builder, graph, [*captured, *here], active, context.plan)
    value = outcome(outputs)
    known = holds_sequence(value) or context.declarations.has_trees(codomain)
    target = value if known else None
    return LinearValue(context, network, domain, codomain, unfilled(source), target)
