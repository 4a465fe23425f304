"""Spellings of what reduces an axis: sums, products, extremes and their places."""

from __future__ import annotations

from ...language import syntax as s
from .axes import ordered
from .table import SPELLINGS, Call, Spelling, spelling
from .terms import Term, apply, sized, under, whole


@spelling("sum", "product", "maximum", "minimum", "logsumexp")
def _refused(call: Call) -> Term:
    raise AssertionError("replaced below")


def _reduction(name: str) -> Spelling:
    def rule(call: Call) -> Term:
        tree, function = whole(call.operands[0]), apply(name)
        if name == "sum" and call.type.kind == "Int":  # no vector space
            none = s.Ascription(s.Number(0), s.TypeName("Int"))
            function = apply("fold", s.OperatorFunction("+"), none)
        for axis in sorted(call.parameters["axes"], reverse=True):
            tree = apply(under(axis, function), tree)
        return call.made(tree)

    return rule


for _name in ("sum", "product", "maximum", "minimum", "logsumexp"):
    SPELLINGS[_name] = _reduction(_name)


@spelling("argmax")
def _argmax(call: Call) -> Term:
    axis = call.parameters["axis"]
    tree, rank = whole(call.operands[0]), call.operands[0].type.rank
    labels = tuple(range(rank))
    last = (*(k for k in labels if k != axis), axis)
    size = call.operands[0].type.shape[axis]
    tree = apply(under(rank - 1, s.Name("argmax")), ordered(tree, labels, last))
    return call.made(tree, below=size)


@spelling("top")
def _top(call: Call) -> Term:
    (given,), axis, count = call.operands, call.parameters["axis"], call.parameters["count"]
    top = s.Binary(">>", sized("topK", count), s.Name("snd"))
    labels = tuple(range(given.type.rank))
    last = (*(k for k in labels if k != axis), axis)
    entries = apply("toReal", whole(given)) if given.type.kind == "Int" else whole(given)
    tree = apply(under(len(labels) - 1, top), ordered(entries, labels, last))
    return call.made(ordered(tree, last, labels), below=given.type.shape[axis])
