"""A checked value laid out as arrays, in the order of its type's layout.

    (R[3], Int)           two arrays
    Shape                 a tag, then the fields of every constructor of `data Shape`
    Shape[n]              the same over one more axis, zero where another constructor stands

rebuilding.py is the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy

from ...graph.values import Declarations, Sequence, Value, Variant
from ...language import types as t
from ..data import DataValue, register_with_jax
from ..lower import DTYPES, Precision
from .packed import Packed
from .paths import lookup
from .values import Misfit, as_array, describe, stacked_rows

Array = Any


def numbers(precision: Precision) -> Callable[[Any, str], Array]:
    """Python numbers and arrays as arrays of a kind, in the session's precision."""
    import jax.numpy as jnp

    register_with_jax()
    dtypes = DTYPES[precision]

    def number(value: Any, kind: str) -> Array:
        if isinstance(value, numpy.ndarray):  # else JAX converts it, by a computation
            value = numpy.asarray(value, dtypes[kind])
        return jnp.asarray(value, dtypes[kind])

    return number


def flatten(
    value: Any, type: t.Type, declarations: Declarations, number: Callable[..., Array]
) -> Iterator[Array]:
    """The arrays a checked value is laid out as; `number(array, kind)` gives them a dtype."""
    if isinstance(value, Packed):
        yield from value.arrays(number)
        return
    match type:
        case t.Scalar(name=name):
            yield number(as_array(value), name)
        case t.Fin():
            yield number(as_array(value), "Int")
        case t.Array(element=element) if declarations.one_by_one(element):
            for part in value:
                yield from flatten(part, element, declarations, number)
        case t.Array() if isinstance(base := _base(type, declarations), t.Named):
            yield from _flatten_data(value, type, base, declarations, number)
        case t.Array(element=element):
            if isinstance(value, list) and _has_product(element, declarations):
                value = tuple(map(stacked_rows, zip(*value, strict=True)))
            yield from flatten(value, element, declarations, number)
        case t.Product(items=items):
            for item, part in zip(items, value, strict=True):
                yield from flatten(part, item, declarations, number)
        case t.Named(name=name) if name in declarations.reps:
            yield from flatten(value, declarations.reps[name].carrier, declarations, number)
        case t.Weights(name=name):
            for path, item in declarations.weights(name):
                yield from flatten(lookup(value, path), item, declarations, number)
        case t.Named():
            fields = declarations.constructors(type)[value.constructor]
            for field, part in zip(fields, value.fields, strict=True):
                yield from flatten(part, field, declarations, number)
        case _:
            raise Misfit(describe(value), t.show(type))


def _base(type: t.Type, declarations: Declarations) -> t.Type:
    """What an array is made of, once axes and representations are off."""
    while True:
        match type:
            case t.Array(element=element):
                type = element
            case t.Named(name=name) if name in declarations.reps:
                type = declarations.reps[name].carrier
            case _:
                return type


def _has_product(type: t.Type, declarations: Declarations) -> bool:
    return isinstance(_base(type, declarations), t.Product)


def _flatten_data(
    value: Any,
    type: t.Type,
    base: t.Named,
    declarations: Declarations,
    number: Callable[..., Array],
) -> Iterator[Array]:
    """An array of data as arrays: of tags, and of each field of each constructor, with
    zeros where an element has another constructor."""
    constructors = declarations.constructors(base)
    places = list(constructors)
    layouts = {
        name: [declarations.layout(field) for field in fields]
        for name, fields in constructors.items()
    }

    def columns(one: DataValue) -> Iterator[Array]:
        yield numpy.asarray(places.index(one.constructor))
        for name, fields in constructors.items():
            for k, field in enumerate(fields):
                if name == one.constructor:
                    yield from flatten(one.fields[k], field, declarations, plain)
                else:
                    yield from (numpy.zeros(array.shape) for array in layouts[name][k])

    rows = [list(columns(one)) for one in _elements(value)]
    for k, array in enumerate(declarations.layout(type)):
        entries = numpy.asarray([row[k] for row in rows]).reshape(array.shape)
        yield number(entries, array.kind)


def plain(value: Any, kind: str) -> Array:
    return numpy.asarray(value)


def _elements(value: Any) -> Iterator[DataValue]:
    if isinstance(value, DataValue):
        yield value
    else:
        for item in value:
            yield from _elements(item)


def with_tags(
    type: t.Type, value: Any, arrays: Iterator[Array], declarations: Declarations
) -> Iterator[Array]:
    """Gradients laid out as `type`, with the tags of `value`, which do not move."""
    tags = tags_of(type, declarations)
    if not any(tags):
        return arrays
    kept = list(flatten(value, type, declarations, plain))
    gradients = [next(arrays) for _ in tags]
    return iter([k if tag else g for tag, k, g in zip(tags, kept, gradients, strict=True)])


def tags_of(type: t.Type, declarations: Declarations, like: Value = None) -> list[bool]:
    """Of each array in the layout of `like`, whether it holds tags, or lengths."""
    if isinstance(like, Sequence):
        return [True, *tags_of(type, declarations, like.elements)]
    match type:
        case t.Array(element=element):
            return tags_of(element, declarations, like)
        case t.Product(items=items):
            parts = like if isinstance(like, tuple) else (None,) * len(items)
            pairs = zip(items, parts, strict=True)
            return [tag for item, part in pairs for tag in tags_of(item, declarations, part)]
        case t.Named(name=name) if name in declarations.reps:
            return tags_of(declarations.reps[name].carrier, declarations, like)
        case t.Named(name=name) if name in declarations.data:
            return [
                True,
                *(
                    tag
                    for name, fields in declarations.constructors(type).items()
                    for field, part in fields_beside(like, name, fields)
                    for tag in tags_of(field, declarations, part)
                ),
            ]
        case _:
            return [False] * len(declarations.layout(type))


def fields_beside(
    like: Value, name: str, fields: tuple[t.Type, ...]
) -> Iterator[tuple[t.Type, Value]]:
    """The fields of a constructor, each with that of `like`, if it has any."""
    known = like.fields.get(name) if isinstance(like, Variant) else None
    return zip(fields, (None,) * len(fields) if known is None else known, strict=True)
