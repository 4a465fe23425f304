"""How axes are arranged: put in the order asked for, and leading ones gone over together."""

from __future__ import annotations

from ...graph.graph import ArrayType
from ...graph.primitive import Parameters
from ...language import syntax as s
from .table import Call, spell
from .terms import Term, apply, lambda_, term, under, undone, whole

Labels = tuple[int, ...]


def ordered(tree: s.Expression, labels: Labels, wanted: Labels) -> s.Expression:
    """The axes in another order, by exchanging neighbours."""
    order = list(labels)
    for place, label in enumerate(wanted):
        for k in range(order.index(label), place, -1):
            turned = undone("transpose", tree) if k == 1 else None
            tree = turned or apply(under(k - 1, s.Name("transpose")), tree)
            order[k - 1], order[k] = order[k], order[k - 1]
    return tree


def without(labels: Labels, label: int) -> Labels:
    return tuple(each for each in labels if each != label)


def together(call: Call, axes: int, name: str, parameters: Parameters) -> Term:
    """An operation on two operands under axes that both have, one for each element."""
    one, other = call.operands
    p, q = call.names.fresh("p"), call.names.fresh("q")
    parts = (
        term(s.Name(p), ArrayType(one.type.kind, one.type.shape[axes:]), untyped=True),
        term(s.Name(q), ArrayType(other.type.kind, other.type.shape[axes:]), below=other.below),
    )
    inner = ArrayType(call.type.kind, call.type.shape[axes:])
    made = spell(name, {**parameters, "together": 0}, parts, inner, call.names)
    function = lambda_((p, q), whole(made))
    for _ in range(axes - 1):
        p, q = call.names.fresh("p"), call.names.fresh("q")
        pair = s.Tuple((s.Name(p), s.Name(q)))
        function = lambda_((p, q), apply("zipWith", function, pair))
    return call.made(apply("zipWith", function, s.Tuple((whole(one), whole(other)))))
