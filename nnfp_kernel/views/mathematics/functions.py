"""Functions put together, and what moves nothing: `>>`, `&&&`, `***`, `zip`, `zero`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from . import linear_values
from .latex import template
from .linear_values import as_map, is_map
from .quantities import Meaning, Value, rebuilt, spread
from .table import domains_of, result_of, rule
from .tape import Quantity

if TYPE_CHECKING:
    from .reading import Reader


@rule("zip", "unzip", "asLinear")
def same(reader: Reader, use: p.Builtin, value: Value) -> Value:
    """An array of pairs is a pair of arrays: `zip` moves nothing."""
    return value


@rule("zero")
def zero(reader: Reader, use: p.Builtin) -> Value:
    """0, for every part of a product: parts of 0 have no numbers."""
    like = spread(use.type, m.ZERO, reader.program, "constant")
    return rebuilt(like, lambda part: replace(part, name=m.ZERO))


@rule("pi")
def pi(reader: Reader, use: p.Builtin) -> Value:
    return reader.constant(m.Letter("π"), t.R)


@rule(">>")
def then(reader: Reader, use: p.Builtin, f: Value, g: Value) -> Value:
    if maps := _maps(reader, use, f, g):
        return linear_values.then(reader, *maps)
    return composed(reader, f, g)


@rule("<<")
def after(reader: Reader, use: p.Builtin, g: Value, f: Value) -> Value:
    if maps := _maps(reader, use, g, f):
        outer, inner, type = maps
        return linear_values.then(reader, inner, outer, type)
    return composed(reader, f, g)


def _maps(
    reader: Reader, use: p.Builtin, a: Value, b: Value
) -> tuple[Quantity, Quantity, t.Linear] | None:
    """Two linear maps, and the type of what comes of them; None of functions."""
    type = result_of(use, 2)
    if not isinstance(type, t.Linear) or not (is_map(a) or is_map(b)):
        return None
    one, two, *_ = domains_of(use)  # and that of the result, which is a map
    return as_map(reader, a, one), as_map(reader, b, two), type


def composed(reader: Reader, f: Value, g: Value) -> Value:
    return Meaning(
        lambda x: reader.apply(g, reader.apply(f, x)),
        lambda: template(r"{1} \circ {0}", reader.shown(f), reader.shown(g)),
    )


@rule("|>")
def pipe(reader: Reader, use: p.Builtin, x: Value, f: Value) -> Value:
    return reader.apply(f, x)


@rule("&&&")
def both(reader: Reader, use: p.Builtin, f: Value, g: Value) -> Value:
    if maps := _maps(reader, use, f, g):
        return linear_values.beside(reader, maps[:2], maps[2])
    return Meaning(
        lambda x: (reader.apply(f, x), reader.apply(g, x)),
        lambda: m.tupled([reader.shown(f), reader.shown(g)]),
    )


@rule("***")
def beside(reader: Reader, use: p.Builtin, f: Value, g: Value) -> Value:
    if maps := _maps(reader, use, f, g):
        return linear_values.beside(reader, maps[:2], maps[2], "⊕")
    return Meaning(
        lambda pair: (reader.apply(f, pair[0]), reader.apply(g, pair[1])),
        lambda: template(r"{0} \times {1}", reader.shown(f), reader.shown(g)),
    )
