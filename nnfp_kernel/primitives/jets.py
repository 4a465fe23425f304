"""Taylor coefficients and the Laplacian, as names of the language (linear/jets.py)."""

from __future__ import annotations

from ..graph.context import Context
from ..graph.graph import Graph, Wire
from ..graph.rewrite import vectorise
from ..graph.scope import Occurrence
from ..graph.values import Extent, Value
from ..language import types as t
from ..linear import jets
from ..linear.structure.probes import unit_matrix
from .table import Builtin, builtin


def _traced(
    context: Context, function: Value, here: list[Wire], domain: t.Type, codomain: t.Type
) -> tuple[Graph, list[Wire]]:
    """The function as a graph, and the wires it is asked at."""
    like = [wire.type for wire in here]
    graph, captured, _ = context.subgraph(function, like, domain, codomain)
    return vectorise(context.builder.primitives, graph), [*captured, *here]


def _taylor(
    context: Context, use: Occurrence, function: Value, point: Value, direction: Value
) -> Value:
    (order,) = use.brackets
    if isinstance(order, Extent):
        context.needs_length("the order of `taylor`")
    domain, whole = use.domains()[1], use.result(3)
    assert isinstance(whole, t.Array)
    here, along = (context.flatten(value, domain) for value in (point, direction))
    graph, given = _traced(context, function, here, domain, whole.element)
    tangents = [*[None] * (len(given) - len(here)), *along]
    builder, count = context.builder, len(context.layout(whole.element))
    made = jets.taylor(builder, graph, given, tangents, order)[:count]
    return context.rebuild(whole, [
        context.stacked([wire or builder.zeros(column[0].type) for wire in column])  # type: ignore[union-attr]
        for column in made
    ])  # fmt: skip


def _laplacian(context: Context, use: Occurrence, function: Value, point: Value) -> Value:
    domain, codomain = use.domains()[1], use.result(2)
    builder, here = context.builder, context.flatten(point, domain)
    if any(wire.type.kind != "R" for wire in here):
        context.fail(
            "not-real",
            "a Laplacian is taken in real numbers",
            "The second derivatives in the real and in the imaginary parts are added up if they "
            "are inputs of their own:",
            suggestion="laplacian (\\(x, y) -> f (complex x y)) (real z, imag z)",
        )
    graph, given = _traced(context, function, here, domain, codomain)
    number = sum(wire.type.size for wire in here)
    unit = unit_matrix(builder, number)
    rows, start = [], 0
    for wire in here:
        stop = start + wire.type.size
        own = builder.emit("slice", unit, axis=1, start=start, stop=stop, stride=1)
        rows.append(builder.emit("reshape", own, shape=(number, *wire.type.shape)))
        start = stop
    directions = [*[None] * (len(given) - len(here)), *rows]
    made = jets.laplacian(builder, graph, given, directions, number)
    count = len(context.layout(codomain))
    sums = [wire or builder.zeros(value.type) for value, _, wire in made[:count]]
    return context.rebuild(codomain, sums)


builtin(
    Builtin(
        "taylor", "(a -> b) -> a -> a -> b[k+1] where vector a, vector b", 3, _taylor,
        brackets=("k",),
        doc="The Taylor coefficients of f along the line x + t v: the k+1 numbers c in "
        "f (x + t v) = c0 + c1 t + … + ck t^k + …, so that the n-th derivative is n! cn. All "
        "in one pass, at the cost of k² products.",
        latex=r"T\,{0}",
        example="taylor[4] exp 0 1",
    )
)  # fmt: skip
builtin(
    Builtin(
        "laplacian", "(a -> b) -> a -> b where vector a, vector b", 2, _laplacian,
        doc="The sum of the second derivatives of f along every entry of x, in one pass "
        "forwards and without a Hessian.",
        latex=r"\Delta {0}({1})",
        example="laplacian (\\x -> dot x x) [1, 2, 3]",
    )
)  # fmt: skip
