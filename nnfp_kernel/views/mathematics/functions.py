"""Functions put together, and what moves nothing: `>>`, `&&&`, `***`, `zip`, `zero`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .latex import template
from .quantities import Meaning, Value, rebuilt, spread
from .table import rule

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
    return composed(reader, f, g)


@rule("<<")
def after(reader: Reader, use: p.Builtin, g: Value, f: Value) -> Value:
    return composed(reader, f, g)


def composed(reader: Reader, f: Value, g: Value) -> Value:
    reader = reader
    return Meaning(
        lambda x: reader.apply(g, reader.apply(f, x)),
        lambda: template(r"{1} \circ {0}", reader.shown(f), reader.shown(g)),
    )


@rule("|>")
def pipe(reader: Reader, use: p.Builtin, x: Value, f: Value) -> Value:
    return reader.apply(f, x)


@rule("&&&")
def both(reader: Reader, use: p.Builtin, f: Value, g: Value) -> Value:
    reader = reader
    return Meaning(
        lambda x: (reader.apply(f, x), reader.apply(g, x)),
        lambda: m.tupled([reader.shown(f), reader.shown(g)]),
    )


@rule("***")
def beside(reader: Reader, use: p.Builtin, f: Value, g: Value) -> Value:
    reader = reader
    return Meaning(
        lambda pair: (reader.apply(f, pair[0]), reader.apply(g, pair[1])),
        lambda: template(r"{0} \otimes {1}", reader.shown(f), reader.shown(g)),
    )
