"""Derivatives and linear maps as values of the language (LANGUAGE section 6).

`derivative f x` traces f once, at x, and keeps what the linear map needs of it; all
that is done with the map afterwards is done with its structure (linear/maps).
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
from .dense import MOST_ROWS, lines, of_matrix
from .linear_trees import at_trees
from .table import Builtin, builtin


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
            _require_regular(self.context, images)
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
            self.made[here] = self._derivative()
        return self.made[here]

    def _derivative(self) -> LinearValue:
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
        made = _derivative(context, Occurrence(both), self.function, zero)
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
                "the matrix, the trace or the like of a linear map between spaces of trees: it "
                "has a layout only for one tree. What the map and its adjoint make of a tangent "
                "can be written"
            )
        columns, rows = (sum(array.size for array in each) for each in layouts)
        if min(rows, columns) > MOST_ROWS:
            raise Unspeakable(
                f"a matrix of {rows} rows and {columns} columns of a linear map that goes "
                f"through a tree: it is written row by row, and has {MOST_ROWS} at most. What the "
                "map and its adjoint make of a tangent can be written"
            )
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


def _derivative(context: Context, use: Occurrence, function: Value, point: Value) -> Value:
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
        tape = at_trees(context, function, point, domain)
        return OfTrees(context, tape, tape.back, domain, result.codomain)
    try:
        return _at_arrays(context, domain, result.codomain, function, point)
    except (NoForest, NotFirstOrder):
        if context.plants:  # in a loop or a map, of trees that stand around it
            raise Entangled(result.codomain) from None
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


def _as_linear(context: Context, use: Occurrence, value: Value) -> Value:
    """A matrix `A`, standing for `A @ ·`, or a function known to be linear."""
    linear = use.type
    assert isinstance(linear, t.Linear)
    if isinstance(value, LinearValue):
        return value
    function = value
    if isinstance(value, Wire):
        matrix = value

        def function(x: Wire) -> Wire:
            return context.builder.emit("contract", matrix, x, left=(0, 1), right=(1,), out=(0,))

    return Promised(context, function, linear.domain, linear.codomain, checked=False)


def _section(context: Context, use: Occurrence, function: Value) -> Value:
    linear = use.result(1)
    assert isinstance(linear, t.Linear)
    if isinstance(function, LinearValue):
        return function
    return Promised(context, function, linear.domain, linear.codomain, checked=True)


def _linear(context: Context, value: Value, type: t.Type) -> LinearValue:
    """The argument of `adjoint`, `matrix`, … as a linear map."""
    if isinstance(value, LinearValue):
        return value
    return _as_linear(context, Occurrence(type), value)  # type: ignore[no-any-return]


def _adjoint(context: Context, use: Occurrence, value: Value) -> Value:
    return _linear(context, value, use.domains()[0]).adjoint()


def _matrix(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    made = structure.matrix(context.builder, linear.linear_map)
    _require_complex_linear(context, linear, made, "matrix")
    return _as_typed(context, made, use.result(1))


def _as_typed(context: Context, matrix: Wire, type: t.Type) -> Wire:
    """A single array is a matrix's axes, a product or weights one axis, if of one array only."""
    (array,) = context.layout(type)
    if array.shape == matrix.type.shape:
        return matrix
    return context.builder.emit("reshape", matrix, shape=array.shape)


def _real_matrix(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    made = structure.matrix(context.builder, linear.linear_map, real=True)
    return _as_typed(context, made, use.result(1))


def _require_complex_linear(context: Context, linear: LinearValue, made: Wire, what: str) -> None:
    """Between complex spaces, a map with a complex matrix and trace: L (i u) = i L u."""
    types = (*linear.linear_map.domain, *linear.linear_map.codomain)
    if made.type.kind != "C" and types and all(type.kind == "C" for type in types):
        way_out = "realMatrix l" if what == "matrix" else "trace (realMatrix l)"
        context.fail(
            "not-complex-linear",
            f"this map is linear over R only: it has no complex {what}",
            "What conjugates, or takes real parts, is not linear in complex factors.",
            f"As a map of real and imaginary parts: `{way_out}`.",
        )


def _diagonal(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    return context.rebuild(use.result(1), structure.diagonal(context.builder, linear.linear_map))


def _trace(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    made = structure.trace(context.builder, linear.linear_map)
    _require_complex_linear(context, linear, made, "trace")
    return made


def _inverse(context: Context, use: Occurrence, value: Value) -> Value:
    type = use.domains()[0]
    if not isinstance(type, t.Linear):
        made = context.builder.emit("inverse", value)
        _require_regular(context, [made])
        return made
    linear = _linear(context, value, type)
    linear.without_trees()
    return LinearValue(
        context, structure.Inverse(linear.linear_map), linear.codomain, linear.domain
    )


def _operator_norm(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    return structure.operator_norm(context.builder, linear.linear_map)


def _self_adjoint(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    if isinstance(linear, OfTrees):
        return OfTrees(
            context, linear.forward, linear.back, linear.domain, linear.codomain, self_adjoint=True
        )
    return LinearValue(
        context, linear.linear_map, linear.domain, linear.codomain, linear.source, linear.target,
        self_adjoint=True,
    )  # fmt: skip


def _eigenvalues(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    try:
        made = structure.eigenvalues(context.builder, linear.linear_map, linear.self_adjoint)
    except ValueError as problem:
        context.fail(
            "not-self-adjoint",
            str(problem),
            "Its eigenvalues may not be real: those of any map, complex numbers, are "
            "`spectrum l`. It is known of a map that is made to be so, such as "
            "`l >> adjoint l` or `hessian f x`. If you know it, say so:",
            suggestion="eigenvalues (selfAdjoint l)",
        )
    return _one_each(context, use, made, "eigenvalues")


def _spectrum(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    made = structure.spectrum(context.builder, linear.linear_map)
    return _one_each(context, use, made, "spectrum")


def _one_each(context: Context, use: Occurrence, made: Wire, name: str) -> Wire:
    """As many eigenvalues as the type says: of a map over C, if it is complex-linear."""
    (array,) = context.layout(use.result(1))
    if array.shape != made.type.shape:
        context.fail(
            "not-complex-linear",
            "this map is linear over R only: it has no complex eigenvectors",
            "What conjugates, or takes real parts, is not linear in complex factors.",
            f"As a map of real and imaginary parts: `{name} (realMatrix l)`.",
        )
    return made


def _logdet(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    return structure.logdet(context.builder, linear.linear_map)


def _bands(context: Context, use: Occurrence, value: Value) -> Value:
    linear = _linear(context, value, use.domains()[0])
    lower, upper = use.brackets
    return structure.bands(context.builder, linear.linear_map, lower, upper)


def _solve(
    context: Context, use: Occurrence, value: Value, image: Value, tolerance: float = 0.0
) -> Value:
    linear = _linear(context, value, use.domains()[0])
    linear.without_trees()
    wires = context.flatten(image, linear.codomain)
    iteration = structure.Iteration(tolerance)
    found = structure.solve(context.builder, linear.linear_map, wires, iteration)
    for reached in iteration.found:
        context.require(
            reached,
            "no solution was found by iteration",
            "The map may be singular, or its iteration needs another form: multiplied by its "
            "adjoint, `solve (l >> adjoint l) (adjoint l b)`, or with a tolerance, "
            "`solveWithin 1e-6 l b`.",
            code="no-solution",
        )
    if not iteration.found:
        _require_regular(context, found)
    return context.rebuild(linear.domain, found)


def _require_regular(context: Context, solution: Iterable[Wire]) -> None:
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


def _solve_within(
    context: Context, use: Occurrence, tolerance: Wire, value: Value, image: Value
) -> Value:
    known = context.constant_value(tolerance)
    if known is None:
        context.fail("open-tolerance", "the tolerance of `solveWithin` is a number, such as 1e-6")
    return _solve(context, Occurrence(use.result(1)), value, image, float(known))


builtin(
    Builtin(
        "derivative", "(a -> b) -> a -> (a -o b) where smooth a, smooth b", 2, _derivative,
        doc="The derivative of a function at a point: a linear map from tangents to tangents. "
        "The tangent of a tree is a tree of the same shape.",
        latex=r"D\,{0}({1})",
        example="derivative square 3 1",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "asLinear", "(a -> b) -> (a -o b) where vector a, vector b", 1, _as_linear,
        doc="A linear function or a matrix as a linear map; put in where one is wanted.",
        latex=r"{0}",
    )
)  # fmt: skip
builtin(
    Builtin(
        "section", "(a -> b) -> (a -o b) where smooth a, smooth b", 1, _section,
        doc="A function that is linear, as a linear map: a section `(w @)` of a bilinear map, "
        "for example. It is checked to be linear.",
        latex=r"{0}",
        example="adjoint (section ([[1, 2], [3, 4]] @)) [1, 0]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "adjoint", "(a -o b) -> (b -o a)", 1, _adjoint,
        doc="The adjoint of a linear map: <l u, v> = <u, adjoint l v>. Never a matrix.",
        latex=r"{0}^\dagger",
        example="adjoint (derivative (\\x -> 2 * x) [1, 2]) [1, 0]",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "matrix", "(a -o b) -> m where m = matrix a b", 1, _matrix,
        doc="A linear map as an array: codomain axes, then domain axes; over C complex, of a map "
        "that is complex-linear.",
        example="matrix (derivative (\\x -> x * x) [1, 2])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "realMatrix", "(a -o b) -> m where m = realMatrix a b", 1, _real_matrix,
        doc="A linear map as a real array. Of complex spaces, each side is one axis: the real "
        "parts, then the imaginary parts.",
        example="realMatrix (derivative conj [1, 2i])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "diagonal", "(a -o a) -> a", 1, _diagonal,
        doc="The diagonal of a linear map, by its structure where it has one.",
        example="diagonal (derivative (\\x -> x * x) [1, 2])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "trace", "(a -o a) -> c where c = scalar a", 1, _trace,
        doc="The trace of a linear map, by its structure where it has one; over C a complex "
        "number, of a map that is complex-linear.",
        example="trace (derivative (\\x -> x * x) [1, 2])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "logdet", "(a -o b) -> R", 1, _logdet,
        doc="log |det l| of a linear map between spaces of one size, by its structure where it "
        "has one. A matrix stands for its linear map; of a singular one it is -inf.",
        latex=r"\log \lvert \det {0} \rvert",
        example="logdet [[2, 1], [0, 3]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "bands", "(R[n] -o R[n]) -> R[n,l+u+1]", 1, _bands, brackets=("l", "u"),
        doc="The diagonals of a banded map, from the l-th below the main one to the u-th above "
        "it: row k holds the entries of that row. A map that is not known to be so narrow is an "
        "error.",
        example="bands[1,0] (derivative (\\x -> x * shift[1] x) [1, 2, 3, 4])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "solve", "(a -o b) -> b -> a", 2, _solve,
        doc="The x with l x = b. A matrix stands for its linear map.",
        latex=r"{0}^{{-1}} {1}",
        example="solve [[2, 0], [0, 4]] [1, 1]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "solveWithin", "R -> (a -o b) -> b -> a", 3, _solve_within,
        doc="As `solve`; where the solution is found by iteration (conjugate gradients, where "
        "the map is proved to be self-adjoint and positive, else GMRES), a residual that is so "
        "much smaller than b is enough.",
        latex=r"{1}^{-1} {2}",
        example="solveWithin 1e-6 [[2, 0], [0, 4]] [1, 1]",
    )
)  # fmt: skip


def _held(context: Context, use: Occurrence, value: Value) -> Value:
    """The wires behind a value, cut off from derivatives; those that a map refers to."""

    def hold(wire: Wire) -> Wire:
        return context.builder.emit("hold", wire)

    if isinstance(value, LinearValue):
        linear = value.linear_map
        own = linear.substitute({wire: hold(wire) for wire in linear.fixed})
        return LinearValue(context, own, value.domain, value.codomain, value.source, value.target)
    return refilled(value, hold)


builtin(
    Builtin(
        "held", "a -> a", 1, _held,
        doc="The same value, or the same linear map, held constant: no derivative goes through "
        "it.",
        example="derivative (\\x -> held x * x) 3 1",
        ragged=True,
    )
)  # fmt: skip
builtin(
    Builtin(
        "inverse", "a -> b where b = inverse a", 1, _inverse,
        doc="The inverse of a linear map, a linear map that solves by the structure of the first "
        "when it is applied; of a square matrix, its inverse as a matrix.",
        latex=r"{0}^{{-1}}",
        example="inverse [[2, 1], [0, 4]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "operatorNorm", "(a -o b) -> R", 1, _operator_norm,
        doc="How much longer a linear map, or a matrix, makes a vector at most: its largest "
        "singular value. `norm` is Frobenius's.",
        latex=r"\lVert {0} \rVert_2",
        example="operatorNorm [[3, 0], [0, -4]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "eigenvalues", "(a -o a) -> b where b = entries a", 1, _eigenvalues,
        doc="The eigenvalues of a linear map that is known to be its own adjoint, from the "
        "least: a diagonal, `l >> adjoint l`, sums of such, `hessian f x`.",
        latex=r"\lambda({0})",
        example="eigenvalues (derivative (\\x -> x * x) [3, 1, 2])",
    )
)  # fmt: skip
builtin(
    Builtin(
        "spectrum", "(a -o a) -> b where b = complexEntries a", 1, _spectrum,
        doc="The eigenvalues of any linear map of a space into itself, complex numbers, by their "
        "real and then their imaginary parts; by its structure where it has one. Where "
        "eigenvalues are equal they have no derivative, but functions that do not tell them "
        "apart have. `eigenvalues` are real numbers, of a map known to be its own adjoint.",
        latex=r"\operatorname{{spec}} {0}",
        example="spectrum [[0, 1], [-1, 0]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "selfAdjoint", "(a -o a) -> (a -o a)", 1, _self_adjoint,
        doc="The same linear map, said to be its own adjoint, as one knows of a symmetric matrix "
        "or, by Schwarz's theorem, of a Hessian. It is not checked.",
        latex="{0}",
        example="eigenvalues (selfAdjoint [[2, 1], [1, 2]])",
        ragged=True,
    )
)  # fmt: skip
