"""Batches of examples that differ in length: buckets, and packing into them.

    Form       the one type of all examples, in which a length that differs is a variable
    bucket     the room an example gets: the least of a few sizes that its longest sequence
               fits into
    packed     examples of one bucket as arrays: a length before the elements of each
               sequence, what is behind them filled with a real element

So there are at most ⌈log₂ of the longest⌉ + 1 buckets, and as many executables: every
bucket has a fixed number of rows, larger batches take several runs of it, and rows to
spare take examples of the next smaller bucket.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from ..graph.values import Declarations
from ..language import types as t
from ..language.sizes import Size, SizeVariable, as_size, constant
from .exchange import Misfit, as_array, describe, match, numbers
from .forest import PackedTrees
from .lower import DTYPES, Precision

Array = Any
Structures = tuple[Any, ...]  # of each input: what a graph must know of the trees in it

# Powers of two, and halfway between two of them as far as the number of buckets allows,
# for which those below 8, where little is to be saved, are left out.
_SIZES = (8, 16, 24, 32, 48, 64, 96, 128)
ROWS = 64  # at most, of one run
_ENTRIES = 2048  # rows times room, of one run


def bucket(length: int) -> int:
    """The room that so many elements get: a power of two, of few also one halfway.

    >>> [bucket(length) for length in (0, 5, 8, 9, 17, 40, 70, 100, 130)]
    [8, 8, 8, 16, 24, 48, 96, 128, 256]
    """
    return next((size for size in _SIZES if length <= size), 1 << (length - 1).bit_length())


def rows_of(capacity: int) -> int:
    """How many examples run together in a bucket, whatever the batch."""
    return max(8, min(ROWS, _ENTRIES // max(capacity, 1)))


# --- the form of examples ------------------------------------------------------------------

_SOME = as_size(SizeVariable("n", 0, False, True))  # a length known only at run time


@dataclass(frozen=True)
class Form:
    """The type of each input of an example. Lengths known only at run time are variables,
    each its own."""

    types: tuple[t.Type, ...]

    @property
    def ragged(self) -> bool:
        return not all(map(t.is_concrete, self.types))

    def capacity(self, example: Sequence[Any]) -> int:
        """The room that an example needs; 0 where nothing in it is ragged."""
        if not self.ragged:
            return 0
        pairs = zip(self.types, example, strict=True)
        return bucket(max(length for type, value in pairs for length in _lengths(type, value)))


class Differ(Exception):
    """Examples that are of no one form: they are answered one by one."""


def form(
    domains: Sequence[t.Type], examples: Sequence[Sequence[Any]], declarations: Declarations
) -> Form:
    """The form of examples of a function that takes `domains`.

    Ragged is what is declared `[t]`, and what differs from example to example. Raises
    Misfit (its `example` and `input` say where) and Differ.
    """
    types: list[t.Type] = []
    for k, domain in enumerate(domains):
        where = "the input" if len(domains) == 1 else f"input {k + 1}"
        found: t.Type | None = None
        seen: dict[Any, t.Type] = {}
        for number, example in enumerate(examples):
            value = example[k]
            key = _key(value) if not _ranges(domain) else None
            if key is not None and key in seen:
                continue
            try:
                one = _form(domain, value, declarations, where)
            except Misfit as misfit:
                misfit.example, misfit.input = number, k
                raise
            if key is not None:
                seen[key] = one
            found = one if found is None else _joined(found, one)
        assert found is not None
        types.append(_declared(domain, found, declarations))
    return Form(_numbered(types))


def _key(value: Any) -> Any:
    """What of a value its type depends on; None where that is more than its shape."""
    if isinstance(value, tuple):
        parts = tuple(map(_key, value))
        return None if None in parts else parts
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return tuple(value.shape), str(value.dtype)
    return None


def _ranges(type: t.Type) -> bool:
    """Whether entries are to be looked at: those of Fin."""
    match type:
        case t.Array(element=element):
            return _ranges(element)
        case t.Product(items=items):
            return any(map(_ranges, items))
        case _:
            return not isinstance(type, t.Scalar | t.TypeVariable)


def _form(declared: t.Type, value: Any, declarations: Declarations, where: str) -> t.Type:
    """The type of one value. A list of rows of different length has one too."""
    try:
        return match(declared, value, declarations, where)
    except Misfit:
        if isinstance(declared, t.Array) and isinstance(value, list):
            return _of_rows(declared, value, declarations, where)
        parted = isinstance(value, tuple) and any(isinstance(part, list) for part in value)
        if isinstance(declared, t.Product) and parted and len(value) == len(declared.items):
            parts = enumerate(zip(declared.items, value, strict=True), 1)
            return t.Product(
                tuple(
                    _form(item, part, declarations, f"item {k} of {where}")
                    for k, (item, part) in parts
                )
            )
        raise


def _of_rows(declared: t.Array, rows: list[Any], declarations: Declarations, where: str) -> t.Type:
    """The type of a list of sequences: what their lengths differ in is ragged."""
    if not rows:  # of no rows nothing is known: lengths of 0 that others take the place of
        types, sizes = t.free_variables(declared)
        return t.substitute(declared, dict.fromkeys(types, t.R), dict.fromkeys(sizes, constant(0)))
    found = [_form(declared.element, row, declarations, f"a row of {where}") for row in rows]
    return t.Array(functools.reduce(_joined, found), constant(len(rows)))


def _joined(one: t.Type, other: t.Type) -> t.Type:
    """The type of both: lengths that differ are known only at run time."""
    match one, other:
        case t.Array(), t.Array():
            length = one.length if one.length == other.length else _SOME
            return t.Array(_joined(one.element, other.element), length)
        case t.Product(), t.Product() if len(one.items) == len(other.items):
            return t.Product(tuple(map(_joined, one.items, other.items)))
        case t.Scalar(), t.Scalar() if {one.name, other.name} == {"Int", "R"}:
            return t.R
        case _ if one == other:
            return one
    raise Differ


def _declared(declared: t.Type, found: t.Type, declarations: Declarations) -> t.Type:
    """What is declared `[t]` is ragged, whatever the examples."""
    match declared, found:
        case t.Array(), t.Array():
            variable = declared.length.lone_variable
            length = _SOME if variable is not None and variable.runtime else found.length
            return t.Array(_declared(declared.element, found.element, declarations), length)
        case t.Product(), t.Product():
            pairs = zip(declared.items, found.items, strict=True)
            return t.Product(tuple(_declared(a, b, declarations) for a, b in pairs))
    return found


def _numbered(types: Sequence[t.Type]) -> tuple[t.Type, ...]:
    """Every length known only at run time, a variable of its own."""
    count = 0

    def number(type: t.Type) -> t.Type:
        nonlocal count
        match type:
            case t.Array(element=element, length=length):
                if length == _SOME:
                    count += 1
                    length = as_size(SizeVariable("n", -count, False, True))
                return t.Array(number(element), length)
            case t.Product(items=items):
                return t.Product(tuple(map(number, items)))
            case _:
                return type

    return tuple(map(number, types))


def _lengths(type: t.Type, value: Any) -> Iterator[int]:
    """The lengths in a value that the type leaves open."""
    match type:
        case t.Array(element=element, length=length):
            if isinstance(value, tuple):
                yield from _lengths(type, value[0])  # an array of products, by its first part
                return
            if t.is_concrete(type):
                return
            shape = getattr(value, "shape", None)
            if shape is not None:
                while isinstance(type, t.Array):
                    if type.length.value is None:
                        yield shape[0]
                    type, shape = type.element, shape[1:]
                return
            if length.value is None:
                yield len(value)
            for row in value:
                yield from _lengths(element, row)
        case t.Product(items=items):
            for item, part in zip(items, value, strict=True):
                yield from _lengths(item, part)
        case _:
            return


# --- packing -----------------------------------------------------------------------------


def bucketed(
    form: Form,
    examples: Sequence[Sequence[Any]],
    capacity: int,
    declarations: Declarations,
    precision: Precision,
    ordered: bool = False,
) -> tuple[Structures, list[Array]]:
    """The arrays of examples of one bucket, and what a graph must know of the trees beside
    their sequences: a forest for each example, all in the room of the largest; `ordered`,
    with their payload in order."""
    how = capacity, declarations, precision, ordered
    pairs = [
        _column(type, [example[k] for example in examples], *how)
        for k, type in enumerate(form.types)
    ]
    return tuple(structure for structure, _ in pairs), [a for _, own in pairs for a in own]


def _column(
    type: t.Type,
    values: Sequence[Any],
    capacity: int,
    declarations: Declarations,
    precision: Precision,
    ordered: bool,
) -> tuple[Any, list[Array]]:
    if not declarations.has_data(type):
        rows = [(value,) for value in values]
        return None, packed(Form((type,)), rows, capacity, declarations, precision)
    if isinstance(type, t.Product):
        how = capacity, declarations, precision, ordered
        pairs = [
            _column(item, [value[k] for value in values], *how) for k, item in enumerate(type.items)
        ]
        return tuple(structure for structure, _ in pairs), [a for _, own in pairs for a in own]
    trees = PackedTrees.of(values, type, declarations, batch=True, each=True, ordered=ordered)
    return trees.structure, list(trees.arrays(numbers(precision)))


def packed(
    form: Form,
    examples: Sequence[Sequence[Any]],
    capacity: int,
    declarations: Declarations,
    precision: Precision,
) -> list[Array]:
    """The arrays of examples of one bucket, each with a row for each example: in the
    order in which a trace with room takes them (runtime/calls/placing.py)."""
    packer = _Packer(capacity, declarations, DTYPES[precision])
    return [
        array
        for k, type in enumerate(form.types)
        for array in packer.pack(type, [example[k] for example in examples])
    ]


@dataclass(frozen=True)
class _Packer:
    capacity: int
    declarations: Declarations
    dtypes: dict[str, Any]

    def pack(self, type: t.Type, values: list[Any]) -> list[Array]:
        match type:
            case t.Product(items=items):
                return [
                    array
                    for k, item in enumerate(items)
                    for array in self.pack(item, [value[k] for value in values])
                ]
            case t.Named(name=name) if name in self.declarations.reps:
                return self.pack(self.declarations.reps[name].carrier, values)
            case t.Array():
                return self._arrays(type, values)
            case t.Scalar() | t.Fin():
                return [self._whole(type, numpy.stack([as_array(value) for value in values]))]
            case _:
                raise Misfit(describe(values[0]), t.show(type))

    def _arrays(self, type: t.Array, values: list[Any]) -> list[Array]:
        base: t.Type = type
        lengths = []
        while isinstance(base, t.Array):
            lengths.append(base.length)
            base = base.element
        while isinstance(base, t.Named) and base.name in self.declarations.reps:
            base = self.declarations.reps[base.name].carrier
        if isinstance(base, t.Product):
            # An array of products is an array for each of their items, of one length.
            values = [_columns(value, len(base.items)) for value in values]
            ragged = sum(length.value is None for length in lengths)
            made: list[Array] = []
            for k, item in enumerate(base.items):
                column: t.Type = item
                for length in reversed(lengths):
                    column = t.Array(column, length)
                arrays = self.pack(column, [value[k] for value in values])
                made.extend(arrays if k == 0 else arrays[ragged:])
            return made
        if t.is_concrete(type):
            return [self._whole(base, numpy.stack([as_array(value) for value in values]))]
        counts = numpy.array([len(value) for value in values], self.dtypes["Int"])
        if t.is_concrete(type.element) and not any(isinstance(v, list) for v in values):
            rows: Any = numpy.concatenate([as_array(value) for value in values])
            inside = [self._whole(base, rows)]
        else:
            rows = [row for value in values for row in value]
            inside = self.pack(type.element, rows) if rows else self._nothing(type.element)
        starts = numpy.cumsum(counts) - counts
        places = numpy.arange(self.capacity if type.length.value is None else type.length.value)
        index = starts[:, None] + numpy.where(places < counts[:, None], places, 0)
        # An example without elements borrows one of its neighbour's.
        index = numpy.minimum(index, max(len(rows) - 1, 0))
        if len(rows):
            arrays = [array[index] for array in inside]
        else:
            shapes = [(*index.shape, *array.shape[1:]) for array in inside]
            arrays = [numpy.zeros(s, a.dtype) for s, a in zip(shapes, inside, strict=True)]
        return arrays if type.length.value is not None else [counts, *arrays]

    def _whole(self, base: t.Type, array: Array) -> Array:
        """An array that is one already, in the session's precision."""
        while isinstance(base, t.Array):
            base = base.element
        kind = base.name if isinstance(base, t.Scalar) else "Int"
        return array.astype(self.dtypes[kind], copy=False)

    def _nothing(self, type: t.Type) -> list[Array]:
        """No rows at all."""
        match type:
            case t.Array(element=element, length=length):
                inside = self._nothing(element)
                size = self.capacity if length.value is None else length.value
                made = [numpy.zeros((0, size, *a.shape[1:]), a.dtype) for a in inside]
                none = numpy.zeros(0, self.dtypes["Int"])
                return [none, *made] if length.value is None else made
            case t.Product(items=items):
                return [array for item in items for array in self._nothing(item)]
            case t.Named(name=name) if name in self.declarations.reps:
                return self._nothing(self.declarations.reps[name].carrier)
            case t.Scalar(name=name):
                return [numpy.zeros(0, self.dtypes[name])]
            case _:
                return [numpy.zeros(0, self.dtypes["Int"])]


def _columns(value: Any, count: int) -> tuple[Any, ...]:
    """An array of products as a tuple of arrays; given as a list of tuples too."""
    if isinstance(value, list):
        return tuple([row[k] for row in value] for k in range(count))
    return tuple(value)


def unpacked(type: t.Type, value: Any, arrays: Iterator[Any]) -> Any:
    """What a row of packed arrays has for one example, a gradient say, in the form of its
    value; () where the arrays are."""
    match type:
        case t.Product(items=items):
            pairs = zip(items, value, strict=True)
            return tuple(unpacked(item, part, arrays) for item, part in pairs)
        case t.Array():
            lengths = sum(length.value is None for length in _axes(type))
            for _ in range(lengths):
                next(arrays)
            return _cut(value, arrays)
        case _:
            return next(arrays)


def _axes(type: t.Type) -> list[Size]:
    return [type.length, *_axes(type.element)] if isinstance(type, t.Array) else []


def _cut(value: Any, arrays: Iterator[Any]) -> Any:
    """Arrays of products are several, of one length, which is written once."""
    if isinstance(value, tuple):
        return tuple(_cut(part, arrays) for part in value)
    return _without_padding(value, next(arrays))


def _without_padding(value: Any, array: Any) -> Any:
    if isinstance(array, tuple):
        return ()
    if isinstance(value, list) and not all(numpy.ndim(one) == 0 for one in value or [array]):
        return [_without_padding(one, array[k]) for k, one in enumerate(value)]
    return array[tuple(map(slice, numpy.shape(value)))]
