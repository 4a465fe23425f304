"""The Python value that arrays make up: layout.py the other way.

Data are known by their tags, sequences of run-time length are cut to it; inside a `jit` of
the user's own neither is known, and the padding stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Listed
from typing import Any

import numpy

from ...graph.graph import Wire
from ...graph.sequences import map_all
from ...graph.values import Declarations, Sequence, Value, Variant, holds_sequence
from ...language import types as t
from ..data import DataValue
from .layout import fields_beside, tags_of, with_tags
from .packed import Packed
from .paths import unflatten_paths
from .values import Misfit, is_concrete

Array = Any


class NotConcrete(Exception):
    """A constructor is asked for inside a `jit` of the user's own, where none is known."""


def rebuild(
    type: t.Type,
    arrays: Iterator[Array],
    declarations: Declarations,
    rank: int = 0,
    like: Value = None,
) -> Any:
    """The Python value of `type` that these arrays make up, over `rank` axes, in which
    sequences of run-time length stand where they do in `like`, the traced value."""
    if isinstance(like, Sequence):
        return _cut(like, arrays, type, declarations)
    match type:
        case t.Scalar() | t.Fin():
            return next(arrays)
        case t.Array(element=element):
            return rebuild(element, arrays, declarations, rank + 1, like)
        case t.Product(items=items):
            parts = like if isinstance(like, tuple) else (None,) * len(items)
            return tuple(
                rebuild(item, arrays, declarations, rank, part)
                for item, part in zip(items, parts, strict=True)
            )
        case t.Named(name=name) if name in declarations.reps:
            return rebuild(declarations.reps[name].carrier, arrays, declarations, rank, like)
        case t.Weights(name=name):
            return unflatten_paths(
                {
                    path: rebuild(item, arrays, declarations, rank)
                    for path, item in declarations.weights(name)
                }
            )
        case t.Named() if rank:
            own = [next(arrays) for _ in tags_of(type, declarations, like)]
            return _rebuild_each(type, own, declarations, rank, like)
        case t.Named():
            tag = next(arrays)
            if not is_concrete(tag):
                raise NotConcrete
            constructors = declarations.constructors(type)
            fields = {
                name: tuple(
                    rebuild(field, arrays, declarations, like=part)
                    for field, part in fields_beside(like, name, field_types)
                )
                for name, field_types in constructors.items()
            }
            chosen = list(constructors)[int(tag)]
            return DataValue(chosen, fields[chosen])
        case _:
            raise Misfit("a value", t.show(type))


def _rebuild_each(
    type: t.Named, arrays: Listed[Array], declarations: Declarations, rank: int, like: Value
) -> Any:
    """An array of data, as a list, of lists for more than one axis. A payload that does
    not move, (), stays so."""
    if rank == 0:
        return rebuild(type, iter(arrays), declarations, like=like)
    if like is not None:
        like = _less_an_axis(like)
    return [
        _rebuild_each(
            type,
            [array if isinstance(array, tuple) else array[k] for array in arrays],
            declarations,
            rank - 1,
            like,
        )
        for k in range(arrays[0].shape[0])
    ]


def _less_an_axis(like: Value) -> Value:
    """The same with each sequence one axis further out."""
    if isinstance(like, Wire):
        return Wire(like.type.element()) if like.type.shape else like
    return map_all(_less_an_axis, like) if holds_sequence(like) else None


def _cut(like: Sequence, arrays: Iterator[Array], type: t.Type, declarations: Declarations) -> Any:
    """A sequence without its padding: an array, or a list of arrays where those in it
    differ in length. Inside a `jit` of the user's own its length is not known, and the
    padding stays."""
    lengths = []
    value: Value = like
    while isinstance(value, Sequence):
        lengths.append((value.axis, next(arrays)))
        value = value.elements
    if value == ():  # nothing but how many
        return [()] * int(lengths[0][1])
    if isinstance(value, Variant):
        if not all(is_concrete(length) for _, length in lengths):
            raise NotConcrete
        whole = rebuild(type, arrays, declarations, like=value)
        return _trimmed(whole, [numpy.asarray(length) for _, length in lengths])
    array = next(arrays)
    if not all(is_concrete(length) for _, length in lengths):
        return array
    return _rows(array, [(axis, numpy.asarray(length)) for axis, length in lengths])


def _trimmed(whole: list[Any], lengths: list[Array]) -> list[Any]:
    """A list, of lists for several lengths, without its padding."""
    first, *inside = lengths
    return [
        _trimmed(part, [length[k] for length in inside]) if inside else part
        for k, part in enumerate(whole[: int(first)])
    ]


def _rows(array: Array, lengths: list[tuple[int, Array]]) -> Any:
    if not lengths:
        return array
    whole: list[slice] = [slice(None)] * (lengths[-1][0] + 1)
    for axis, length in lengths:
        here = length[tuple(whole[:axis])]
        if not here.size:
            here = length
        least, most = (int(here.min()), int(here.max())) if here.size else (0, 0)
        if least != most:
            count = whole[0].stop if whole[0].stop is not None else array.shape[0]
            inside = [(axis - 1, length) for axis, length in lengths if axis]
            return [
                _rows(array[k], [(axis, length[k]) for axis, length in inside])
                for k in range(count)
            ]
        whole[axis] = slice(0, most)
    return array[tuple(whole)]


def shaped(type: t.Type, value: Any, arrays: Iterator[Array], declarations: Declarations) -> Any:
    """The Python value that these arrays make up, in the shape of `value`: a gradient in
    an argument, a tree where the argument is one."""
    if isinstance(value, Packed):
        return value.unpacked(arrays)
    match type:
        case t.Product(items=items):
            return tuple(
                shaped(item, part, arrays, declarations)
                for item, part in zip(items, value, strict=True)
            )
        case t.Array() if declarations.one_by_one(type.element):
            return [shaped(type.element, part, arrays, declarations) for part in value]
        case t.Named(name=name) if name in declarations.data:
            fields = declarations.constructors(type)[value.constructor]
            return DataValue(
                value.constructor,
                tuple(
                    shaped(field, part, arrays, declarations)
                    for field, part in zip(fields, value.fields, strict=True)
                ),
            )
        case _:
            return rebuild(type, with_tags(type, value, arrays, declarations), declarations)
