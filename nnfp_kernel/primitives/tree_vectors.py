"""Trees of one shape as the vectors they are: sums, differences, multiples, inner products.

Types do not tell the shape of a tree (decision 28). It is looked at where two trees meet:
node by node where they are known; trees that run as forests have one shape where they are known
to be alike, and are taken one by one where they are not. What cannot move is the first one's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce

from ..graph.context import Context
from ..graph.forest import Constructors, Forest, NoForest, Unknown, entrywise, reduce_forest
from ..graph.graph import Wire
from ..graph.grown import Grown
from ..graph.sequences import masked
from ..graph.values import Chosen, Items, Sequence, Value, Variant, leaves
from ..language import types as t
from . import sequences
from .tracing import lifted


def of_trees(value: Value) -> bool:
    """Whether there is a value of a data type in it."""
    if isinstance(value, tuple):
        return any(map(of_trees, value))
    return isinstance(value, Variant | Items | Forest | Grown | Unknown | Chosen)


def arithmetic(context: Context, symbol: str, a: Value, b: Value) -> Value:
    """`+ - * /` where an operand is a tree, or holds one. Raises ValueError for two shapes."""
    match symbol:
        case "+":
            return _together(context, "add", a, b)
        case "-":
            return _together(context, "subtract", a, b)
        case "*":
            tree, factor = (a, b) if of_trees(a) else (b, a)
        case "/":
            tree, factor = a, context.builder.emit("reciprocal", b)
        case _:
            raise ValueError(f"`{symbol}` has no meaning for trees")
    number = context.constant_value(factor)

    def scaled(wire: Wire) -> Wire:  # a forest may stand outside of where the factor was made
        own = factor if number is None else context.builder.constant(number, factor.type.kind)
        made: Wire = lifted(context.builder, "mul", own, wire, 0, wire.type.rank)
        return made

    return _each(context, scaled, tree, factor)


def negative(context: Context, tree: Value) -> Value:
    minus = context.builder.constant(-1.0)
    return _each(context, lambda wire: context.builder.emit("negate", wire), tree, minus)


def inner(context: Context, a: Value, b: Value) -> Wire:
    """The inner product of two trees of one shape: the sum of those of their payloads."""
    return _sum(context, _together(context, "conjugate product", a, b))


def _each(context: Context, change: Callable[[Wire], Wire], value: Value, factor: Wire) -> Value:
    """`change`, which is to multiply by the factor, on all that can move; the shape, whether
    it is known or not, stays."""

    def again(part: Value) -> Value:
        return _each(context, change, part, factor)

    match value:
        case tuple():
            return tuple(map(again, value))
        case Sequence(elements=elements):
            return replace(value, elements=again(elements))
        case Items(items=items):
            return replace(value, items=again(items))
        case Variant(fields=fields):
            return replace(value, fields={name: again(own) for name, own in fields.items()})
        case Grown(layers=layers):
            return replace(value, layers=again(layers), growth=None)
        case Forest():
            return entrywise(context, (value,), change)
        case Unknown():
            return value.times(context, factor)
        case Chosen():
            return context.observed(value, again, value.type)
        case Wire():
            return change(value) if value.type.differentiable else value
        case _:
            raise NoForest(getattr(value, "type", t.UNIT))


def _together(context: Context, name: str, one: Value, two: Value) -> Value:
    """An operation on all that can move in two values of one shape. Raises ValueError."""

    def again(left: Value, right: Value) -> Value:
        return _together(context, name, left, right)

    def operation(wire: Wire) -> tuple[str, dict[str, bool]]:
        if name != "conjugate product":
            return name, {}
        return "mul", {"conjugate": True} if wire.type.kind == "C" else {}

    def both(left: Wire, right: Wire) -> Wire:
        own, parameters = operation(left)
        return context.builder.emit(own, left, right, **parameters)

    if isinstance(one, tuple):
        return tuple(map(again, one, two))
    if isinstance(one, Chosen):
        return context.observed(one, lambda own: again(own, two), one.type)
    if isinstance(two, Chosen):
        return context.observed(two, lambda own: again(one, own), two.type)
    if not (of_trees(one) or of_trees(two)):
        wire = leaves(one)[0]
        if not wire.type.differentiable:
            return one
        own, parameters = operation(wire)
        counts = [leaves(value)[0].type.rank for value in (one, two)]
        return sequences.lift(context, own, (one, two), counts, **parameters)
    if any(isinstance(v, Grown) or (isinstance(v, Variant) and v.tag) for v in (one, two)):
        context.fail(
            "shape-at-run-time",
            "the shape of a tree here is known only at run time",
            "What came out of a function, handed in to another, is a tree as any other.",
        )
    match one, two:
        case Unknown(), Unknown():
            if name == "conjugate product":
                return one.dot(context, two)
            return one.plus(context, two, name)
        case (Unknown() as unknown, _) | (_, Unknown() as unknown):
            raise unknown.undecided()
        case Items(items=left), Items(items=right):
            if len(left) != len(right):
                raise _apart(f"{len(left)} children stand opposite {len(right)}")
            return replace(one, items=again(left, right))
        case Variant(constructor=str(left)), Variant(constructor=str(right)):
            if left != right:
                raise _apart(f"a {left} stands opposite a {right}")
            shapes = [[w.type for w in _arrays(value.fields[left])] for value in (one, two)]
            if shapes[0] != shapes[1]:
                raise _apart(f"the arrays of a {left} differ in length")
            return replace(one, fields={left: again(one.fields[left], two.fields[left])})
        case Forest(), Forest() if one.shape == two.shape and not _with_data(context, one):
            return entrywise(context, (one, two), both)
        case _:
            raise NoForest(one.type)


def _apart(what: str) -> ValueError:
    return ValueError(f"{what}: the trees differ in shape")


def _arrays(fields: tuple[Value, ...]) -> list[Wire]:
    """The arrays among the fields of a node, its children aside."""
    return [
        wire
        for part in fields
        for wire in (
            _arrays(part) if isinstance(part, tuple) else [part] if isinstance(part, Wire) else []
        )
    ]


def _with_data(context: Context, forest: Forest) -> bool:
    """Whether there are data in the payload, whose constructors may differ."""
    constructors = Constructors.of(forest.type, context.declarations)
    return any(
        context.declarations.has_data(part.type)
        for name in constructors.fields
        for part in constructors.parts(name)
        if part.type != forest.type
    )


def _terms(context: Context, value: Value) -> list[Wire]:
    """The sums of all that can move in a value."""
    builder = context.builder
    match value:
        case tuple():
            return [term for part in value for term in _terms(context, part)]
        case Sequence():
            return _terms(context, masked(builder, value, 0.0))
        case Items(items=items):
            return _terms(context, items)
        case Variant(fields=fields):
            return _terms(context, tuple(fields.values()))
        case Chosen():
            return [context.observed(value, lambda own: _sum(context, own), t.R)]
        case Forest():
            return [reduce_forest(context, value, lambda _, own: _sum(context, own), t.R)]
        case Wire() if value.type.differentiable:
            total = builder.emit("sum", value, axes=tuple(range(value.type.rank)))
            return [builder.emit("convert", total, kind="R") if total.type.kind == "C" else total]
        case _:
            return []


def _sum(context: Context, value: Value) -> Wire:
    terms = _terms(context, value)
    if not terms:
        return context.builder.constant(0.0)
    return reduce(lambda x, y: context.builder.emit("add", x, y), terms)
