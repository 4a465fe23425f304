"""Values between Python and the graph: what is handed in, checked and laid out as
arrays, and what comes out, given the form Python people expect.

    t[n], [t]       an array with one more leading axis (or a Python list of such)
    products        tuples
    Fin[n]          an integer array, its range checked
    data            `DataValue`s, made by `session.constructor(name)` (data.py)
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Set
from collections.abc import Sequence as Listed
from dataclasses import replace
from typing import Any, TypeAlias

import numpy

from ..graph.graph import Wire
from ..graph.sequences import map_all
from ..graph.values import Declarations, Sequence, Value, Variant, holds_sequence
from ..language import types as t
from ..language.diagnostics import NnfpError
from ..language.sizes import Size, SizeVariable, constant
from .data import DataValue

Array = Any


class Misfit(Exception):
    """A Python value that is no value of the type: what was found, what was expected.
    Of a batch, in which example and in which of its inputs."""

    example = input = 0

    def __init__(self, found: str, expected: str, where: str = "") -> None:
        self.found, self.expected, self.where = found, expected, where
        wanted = "" if ", expected " in found else f", expected {expected}"
        super().__init__(f"{where or 'the value'} is {found}{wanted}")


class NotConcrete(Exception):
    """A constructor is asked for inside a `jit` of the user's own, where none is known."""


class Packed(ABC):
    """Values that the runtime has packed as arrays: a tree, or a batch of them."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The axis of examples, of a batch."""

    @property
    @abstractmethod
    def structure(self) -> Any:
        """What a graph must know of it beside its type: hashable."""

    @abstractmethod
    def matched(self, expected: t.Type, integers: bool) -> t.Type:
        """As `match`."""

    @abstractmethod
    def arrays(self, number: Callable[[Array, str], Array]) -> Iterator[Array]:
        """As `flatten`."""

    @abstractmethod
    def unpacked(self, arrays: Iterator[Array]) -> Any:
        """The values that these arrays, a gradient, make up, in the form of those packed;
        () in the places of what does not move."""


def in_example(error: NnfpError, k: int) -> NnfpError:
    """The mistake, told with the example of a batch that it is in."""
    return NnfpError([replace(one, notes=(*one.notes, _place(k))) for one in error.diagnostics])


def by_itself(error: NnfpError) -> NnfpError:
    """The mistake of a batch of one, told of that example."""
    place = _place(0)
    return NnfpError(
        [
            replace(one, notes=tuple(note for note in one.notes if note != place))
            for one in error.diagnostics
        ]
    )


def _place(k: int) -> str:
    return f"It is example {k} of the batch, counted from 0."


# --- Python in --------------------------------------------------------------------------


def type_of(value: Any) -> t.Type:
    """The type a Python value has by itself: arrays of R, C, Int or Bool; tuples; numbers.

    >>> t.show(type_of((numpy.zeros((3, 2)), 1)))
    '(R[3,2], Int)'
    """
    if isinstance(value, tuple):
        return t.Product(tuple(type_of(item) for item in value))
    array = as_array(value)
    return _over(t.Scalar(_kind(array)), array.shape)


def as_tuples(value: Any) -> Any:
    """A pytree as nested tuples of its leaves; arrays, numbers and lists as they are.

    >>> as_tuples({"b": 1, "W": (2, 3)})
    ((2, 3), 1)
    """
    if isinstance(value, list | DataValue | Packed) or hasattr(value, "dtype"):
        return value
    if isinstance(value, int | float | complex | str):
        return value
    import jax

    children = jax.tree.leaves(value, is_leaf=lambda each: each is not value)
    if len(children) == 1 and children[0] is value:
        return value
    return tuple(map(as_tuples, children))


Form = Any  # hashable: shapes, kinds of numbers, tuples of them; None for what has none
NUMBERS = (bool, int, float, complex, numpy.generic)
_INT = 1 << 31  # whole numbers beyond are looked at one by one


def form_of(value: Any) -> Form:
    """What a check of plain arrays looks at: their shapes, their kinds of numbers, how they are
    put together in tuples. None for what must be looked at entry by entry: a list may be a
    batch, a data value has constructors.

    >>> form_of((numpy.zeros(3), 2.0))
    (((3,), dtype('float64')), <class 'float'>)
    """
    if type(value) is numpy.ndarray:
        return value.shape, value.dtype
    if type(value) is tuple:
        forms = tuple(map(form_of, value))
        return None if None in forms else forms
    if type(value) in NUMBERS:
        return None if type(value) is int and not -_INT <= value < _INT else type(value)
    import jax

    if isinstance(value, jax.Array | numpy.generic):
        return value.shape, value.dtype
    return None


def looked_at(type: t.Type, reps: Mapping[str, Any]) -> bool:
    """Whether a value of the type is more than arrays whose forms tell all: an index has a
    range, a data value has constructors."""
    match type:
        case t.Scalar() | t.TypeVariable():
            return False
        case t.Array(element=element):
            return looked_at(element, reps)
        case t.Product(items=items):
            return any(looked_at(item, reps) for item in items)
        case t.Named(name=name) if name in reps:
            return looked_at(reps[name].carrier, reps)
        case _:
            return True


def match(
    expected: t.Type,
    value: Any,
    declarations: Declarations,
    where: str = "",
    *,
    integers: bool = True,
    alone: bool = False,
) -> t.Type:
    """The concrete type by which `value` is a value of `expected`.

    Variables of `expected` take what the value has: `Tree a` of a tree with vectors of
    length 3 is `Tree R[3]`, and a payload that is not there is R. Without `integers`, a
    variable takes whole numbers as R. A value that is `alone`, in no batch, has its sequences
    of tuples with trees tuple by tuple. Raises Misfit.
    """
    matching = _Matching(declarations, integers, alone)
    found = matching.match(expected, value, where)
    if not matching.types:
        return found
    # A variable met more than once has one type for all its places: `Int` beside `R` is R.
    settled = t.substitute(expected, matching.types, {})
    if settled == expected:
        return found
    return _Matching(declarations, alone=alone).match(settled, value, where)


class _Matching:
    """One value against one type: what its variables turn out to be on the way."""

    def __init__(
        self, declarations: Declarations, integers: bool = True, alone: bool = False
    ) -> None:
        self.declarations = declarations
        self.integers, self.alone = integers, alone
        self.sizes: dict[SizeVariable, Size] = {}
        self.types: dict[t.TypeVariable, t.Type] = {}

    def match(self, expected: t.Type, value: Any, where: str) -> t.Type:
        if isinstance(value, Packed):
            return value.matched(expected, self.integers)
        match expected:
            case t.Product(items=items):
                if not isinstance(value, tuple | list) or len(value) != len(items):
                    raise Misfit(describe(value), f"a tuple of {len(items)}", where)
                return t.Product(
                    tuple(
                        self.match(item, part, part_of(where, k))
                        for k, (item, part) in enumerate(zip(items, value, strict=True), 1)
                    )
                )
            case t.Named(name=name) if name in self.declarations.reps:
                self.match(self.declarations.reps[name].carrier, value, where)
                return expected
            case t.Named():
                return self._data(expected, value, where)
            case t.Array(element=element, length=length):
                return self._array(element, length, value, where)
            case t.Scalar() | t.Fin():
                _check_entries(expected, value, (), where)
                if isinstance(expected, t.Fin):
                    return t.Fin(self._size(expected.size, None, where, lambda: describe(value)))
                return expected
            case t.TypeVariable():
                return self._learn(expected, self._own_type(value, where), value, where)
            case t.Weights(name=name):
                for path, item in self.declarations.weights(name):
                    place = ".".join(path)
                    part = lookup(value, path)
                    if part is None:
                        raise Misfit(describe(value), f"weights with {place}", where)
                    self.match(item, part, f"{where}, {place}" if where else place)
                return expected
            case _:
                raise Misfit(describe(value), t.show(expected), where)

    def _own_type(self, value: Any, where: str) -> t.Type:
        """The type that a value has by itself, data among it."""
        if isinstance(value, DataValue):
            for name, data in self.declarations.data.items():
                if any(value.constructor == constructor for constructor, _ in data.constructors):
                    own = t.Named(name, data.parameters)
                    return match(own, value, self.declarations, where, integers=self.integers)
            raise Misfit(describe(value), "a value of a declared type", where)
        if isinstance(value, tuple):
            return t.Product(tuple(self._own_type(item, where) for item in value))
        return type_of(value)

    def _learn(self, variable: t.TypeVariable, found: t.Type, value: Any, where: str) -> t.Type:
        """A variable takes what is found; numbers of several kinds, the widest of them."""
        found = found if self.integers else _real(found)
        known = self.types.get(variable, found)
        joined = common_type(known, found)
        if joined is None:
            raise Misfit(describe(value), f"{t.show(known)}, as before it", where)
        self.types[variable] = joined
        return joined

    def _array(self, element: t.Type, length: Size, value: Any, where: str) -> t.Type:
        # Walk all axes of a plain array at once; arrays of products are tuples of arrays.
        base: t.Type = element
        lengths = [length]
        while isinstance(base, t.Array):
            lengths.append(base.length)
            base = base.element
        carrier: t.Type = base
        while isinstance(carrier, t.Named) and carrier.name in self.declarations.reps:
            carrier = self.declarations.reps[carrier.name].carrier
        whole = t.Array(element, length)
        if self.alone and isinstance(element, t.Product) and self.declarations.has_trees(element):
            return self._data_array(element, length, value, where)
        if isinstance(carrier, t.Product):
            if isinstance(value, list):  # a list of tuples
                value = tuple(map(_stacked, zip(*value, strict=True)))
            if not isinstance(value, tuple) or len(value) != len(carrier.items):
                raise Misfit(describe(value), f"a tuple of {len(carrier.items)} arrays", where)
            parts = []
            for k, (item, part) in enumerate(zip(carrier.items, value, strict=True), 1):
                inner = item
                for size in reversed(lengths):
                    inner = t.Array(inner, size)
                parts.append(self.match(inner, part, part_of(where, k)))
            concrete: t.Type = base
            if base is carrier:  # its items, with the axes around them taken off again
                concrete = t.Product(tuple(_inside(part, len(lengths)) for part in parts))
            for k, size in reversed(list(enumerate(lengths))):
                found = numpy.shape(_first(value))[k]
                number = self._size(size, found, where, lambda: describe(value))
                concrete = t.Array(concrete, number)
            return concrete
        if isinstance(carrier, t.Named) and carrier.name in self.declarations.data:
            return self._data_array(element, length, value, where)
        array = as_array(value, where)
        inner_axes: list[Size] = []
        while isinstance(carrier, t.Array):
            inner_axes.append(carrier.length)
            carrier = carrier.element
        rank = len(lengths) + len(inner_axes)
        if isinstance(carrier, t.TypeVariable):
            if array.ndim < rank:
                raise Misfit(describe(array), t.show(whole), where)
            own = _over(t.Scalar(_kind(array)), array.shape[rank:])
            base = self._learn(carrier, own, value, where)
        elif array.ndim != rank:
            raise Misfit(describe(array), t.show(whole), where)
        else:
            _check_entries(carrier, array, array.shape, where)
        if isinstance(carrier, t.Fin) and carrier is base:
            base = t.Fin(self._size(carrier.size, None, where, lambda: describe(array)))
        axes = [*lengths, *inner_axes]
        what = lambda: f"{describe(array)}, expected {t.show(whole)}"  # noqa: E731
        numbers = [
            self._size(size, found, where, what)
            for size, found in zip(axes, array.shape, strict=False)
        ]
        concrete = base
        for number in reversed(numbers[: len(lengths)]):
            concrete = t.Array(concrete, number)
        return concrete

    def _data_array(self, element: t.Type, length: Size, value: Any, where: str) -> t.Type:
        if not isinstance(value, list | tuple):
            raise Misfit(describe(value), f"a list, for {t.show(t.Array(element, length))}", where)
        number = self._size(length, len(value), where, lambda: f"a list of {len(value)}")
        found = element
        for k, item in enumerate(value, 1):
            found = self.match(element, item, f"{where}[{k}]")
        return t.Array(found, number)

    def _data(self, expected: t.Named, value: Any, where: str) -> t.Type:
        constructors = {
            name: [
                (f"{name}.{k}", field, field == expected, t.mentions(field, expected))
                for k, field in enumerate(fields, 1)
            ]
            for name, fields in self.declarations.constructors(expected).items()
        }
        # A field's own length, of `[R]`, is that of each value alone.
        outer = set(t.free_variables(expected)[1])
        matched: set[tuple[str, Form]] = set()  # payload of this form was looked at
        pending: list[tuple[Any, _Place]] = [(value, (None, where))]
        while pending:  # a chain of thousands of nodes is as deep
            node, place = pending.pop()
            if not isinstance(node, DataValue) or node.constructor not in constructors:
                raise Misfit(describe(node), f"a {t.show(expected)}", _path(place))
            declared = constructors[node.constructor]
            if len(declared) != len(node.fields):
                wrong = f"{node.constructor} with {len(node.fields)} fields"
                raise Misfit(wrong, f"{len(declared)}", _path(place))
            children: list[tuple[Any, _Place]] = []
            for (step, field, child, inside), part in zip(declared, node.fields, strict=True):
                if child:
                    children.append((part, (place, step)))
                elif inside:
                    children += self._inside(field, expected, part, place, step, outer)
                elif (form := (step, form_of(part))) not in matched:
                    self._field(field, part, (place, step), outer)
                    if form[1] is not None and not looked_at(field, self.declarations.reps):
                        matched.add(form)
            pending.extend(reversed(children))
        found = t.substitute(expected, self.types, self.sizes)
        return t.substitute(found, dict.fromkeys(t.free_variables(found)[0], t.R), {})

    def _inside(
        self,
        field: t.Type,
        whole: t.Named,
        part: Any,
        place: _Place,
        step: str,
        outer: Set[SizeVariable],
    ) -> list[tuple[Any, _Place]]:
        """The children in a field, in its sequences and products; the rest is looked at."""
        match field:
            case _ if field == whole:
                return [(part, (place, step))]
            case t.Array(element=element, length=length) if t.mentions(field, whole):
                if not isinstance(part, list | tuple):
                    wanted = f"a list, for {t.show(field)}"
                    raise Misfit(describe(part), wanted, _path((place, step)))
                if length.value is not None and length.value != len(part):
                    found = f"a list of {len(part)}"
                    raise Misfit(found, f"{length.value} of them", _path((place, step)))
                items = [(element, one, f"{step}[{n}]") for n, one in enumerate(part, 1)]
            case t.Product(items=types) if t.mentions(field, whole):
                if not isinstance(part, tuple) or len(part) != len(types):
                    raise Misfit(describe(part), f"a tuple of {len(types)}", _path((place, step)))
                each = enumerate(zip(types, part, strict=True), 1)
                items = [(type, one, f"{step}.{n}") for n, (type, one) in each]
            case _:
                self._field(field, part, (place, step), outer)
                return []
        return [
            found
            for type, one, where in items
            for found in self._inside(type, whole, one, place, where, outer)
        ]

    def _field(self, field: t.Type, part: Any, place: _Place, outer: Set[SizeVariable]) -> None:
        try:
            self.match(field, part, "")
        except Misfit as misfit:
            where = " of ".join(filter(None, (misfit.where, _path(place))))
            raise Misfit(misfit.found, misfit.expected, where) from None
        if self.sizes:
            own = set(t.free_variables(field)[1]) - outer
            self.sizes = {size: n for size, n in self.sizes.items() if size not in own}

    def _size(self, size: Size, found: int | None, where: str, what: Callable[[], str]) -> Size:
        """The number a size is; a lone variable takes the one that is found. `what` it is a
        size of is asked for where it does not fit: the words cost more than the check."""
        size = size.substitute(self.sizes)
        lone = size.lone_variable
        if lone is not None and found is not None:
            self.sizes[lone] = constant(found)
            return constant(found)
        number = size.value
        if found is not None and number is not None and number != found:
            raise Misfit(what(), f"{number} along an axis that has {found}", where)
        if found is not None:
            return constant(found)
        return size


_Place: TypeAlias = "tuple[_Place | None, str]"  # in a tree: the parent's place, and a step


def _path(place: _Place | None) -> str:
    """A place as people read it: `the input.Node.1.Leaf.1`."""
    steps = []
    while place is not None:
        place, step = place
        steps.append(step)
    return ".".join(filter(None, reversed(steps)))


def _real(type: t.Type) -> t.Type:
    """The type with real numbers in place of integers."""
    match type:
        case t.Scalar(name="Int"):
            return t.R
        case t.Array(element=element, length=length):
            return t.Array(_real(element), length)
        case t.Product(items=items):
            return t.Product(tuple(map(_real, items)))
        case _:
            return type


def common_type(one: t.Type, other: t.Type) -> t.Type | None:
    """The type of numbers that holds both; None where the shapes differ."""
    match one, other:
        case t.Scalar(name=left), t.Scalar(name=right):
            order = ("Int", "R", "C")
            if left == right:
                return one
            if left in order and right in order:
                return one if order.index(left) > order.index(right) else other
            return None
        case t.Array(element=left, length=length), t.Array(element=right, length=size):
            inner = common_type(left, right)
            return None if inner is None or length != size else t.Array(inner, length)
        case t.Product(items=left), t.Product(items=right):
            items = _common_types(left, right)
            return None if items is None else t.Product(items)
        case t.Named(name=name, arguments=left), t.Named(name=same, arguments=right):
            items = _common_types(left, right) if name == same else None
            return None if items is None else t.Named(name, items)
        case _:
            return one if one == other else None


def _common_types(left: Listed[t.Type], right: Listed[t.Type]) -> tuple[t.Type, ...] | None:
    if len(left) != len(right):
        return None
    items = [common_type(a, b) for a, b in zip(left, right, strict=True)]
    return tuple(item for item in items if item is not None) if None not in items else None


def _inside(type: t.Type, axes: int) -> t.Type:
    for _ in range(axes):
        assert isinstance(type, t.Array)
        type = type.element
    return type


def as_array(value: Any, where: str = "") -> Array:
    """`value` as a NumPy or JAX array; raises Misfit for what is none."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return value
    try:
        array = numpy.asarray(value)
    except (ValueError, TypeError):
        raise Misfit(describe(value), "an array: its rows differ in length", where) from None
    if array.dtype.kind not in "biufc":
        raise Misfit(describe(value), "numbers", where)
    return array


def _kind(array: Array) -> str:
    kind = numpy.dtype(array.dtype).kind if array.dtype != "bfloat16" else "f"
    if kind not in "biufc":
        raise Misfit(describe(array), "numbers")
    return {"b": "Bool", "i": "Int", "u": "Int", "f": "R", "c": "C"}[kind]


def _check_entries(expected: t.Type, value: Any, shape: tuple[int, ...], where: str) -> None:
    array = as_array(value, where)
    if tuple(array.shape) != tuple(shape):
        raise Misfit(describe(array), t.show(expected), where)
    kind = _kind(array)
    if isinstance(expected, t.Fin):
        if kind != "Int":
            raise Misfit(describe(array), f"integers, for {t.show(expected)}", where)
        limit = expected.size.value
        if limit is not None and array.size and is_concrete(array):
            numbers = numpy.asarray(array)
            least, most = int(numbers.min()), int(numbers.max())
            if least < 0 or most >= limit:
                wrong = least if least < 0 else most
                raise Misfit(f"{wrong}", f"an index from 0 to {limit - 1}", where)
        return
    assert isinstance(expected, t.Scalar)
    accepted = {"R": ("R", "Int"), "C": ("C", "R", "Int"), "Int": ("Int",), "Bool": ("Bool",)}
    if kind not in accepted[expected.name]:
        raise Misfit(describe(array), f"entries of type {expected.name}", where)


def is_concrete(array: Array) -> bool:
    """Whether the entries can be looked at: not inside a `jit` of the user's own."""
    if isinstance(array, numpy.ndarray | numpy.generic):
        return True
    import jax

    return isinstance(array, jax.Array) and not isinstance(array, jax.core.Tracer)


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
                value = tuple(map(_stacked, zip(*value, strict=True)))
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
                    yield from flatten(one.fields[k], field, declarations, _plain)
                else:
                    yield from (numpy.zeros(array.shape) for array in layouts[name][k])

    rows = [list(columns(one)) for one in _elements(value)]
    for k, array in enumerate(declarations.layout(type)):
        entries = numpy.asarray([row[k] for row in rows]).reshape(array.shape)
        yield number(entries, array.kind)


def _plain(value: Any, kind: str) -> Array:
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
    kept = list(flatten(value, type, declarations, _plain))
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
                    for field, part in _beside(like, name, fields)
                    for tag in tags_of(field, declarations, part)
                ),
            ]
        case _:
            return [False] * len(declarations.layout(type))


# --- Python out ----------------------------------------------------------------------------


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
                    for field, part in _beside(like, name, field_types)
                )
                for name, field_types in constructors.items()
            }
            chosen = list(constructors)[int(tag)]
            return DataValue(chosen, fields[chosen])
        case _:
            raise Misfit("a value", t.show(type))


def _beside(like: Value, name: str, fields: tuple[t.Type, ...]) -> Iterator[tuple[t.Type, Value]]:
    """The fields of a constructor, each with that of `like`, if it has any."""
    known = like.fields.get(name) if isinstance(like, Variant) else None
    return zip(fields, (None,) * len(fields) if known is None else known, strict=True)


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


def one_key(key: Any) -> Array:
    """One key of JAX, of the old form too, which is two numbers: `jax.random.PRNGKey(0)`.

    Raises Misfit for anything else.
    """
    import jax

    if isinstance(key, jax.Array) and key.dtype == "uint32":
        with contextlib.suppress(TypeError):  # numbers that are no key
            key = jax.random.wrap_key_data(key)
    if not _are_keys(key) or key.shape:
        raise Misfit(describe(key), "one random key")
    return key


def _are_keys(value: Any) -> bool:
    import jax

    return isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)


def describe(value: Any) -> str:
    """A Python value in the words of an error message."""
    if _are_keys(value):
        return f"an array of {value.size} random keys" if value.shape else "a random key"
    if isinstance(value, DataValue):
        return f"a {value.constructor}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    if isinstance(value, list):
        try:
            return f"{describe(numpy.asarray(value))}, as a list"
        except (ValueError, TypeError):
            return f"a list of {len(value)} items of different shapes"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        if numpy.dtype(value.dtype).kind not in "biufc" and value.dtype != "bfloat16":
            return f"an array of {value.dtype}"
        return t.show(_over(t.Scalar(_kind(value)), value.shape))
    if isinstance(value, bool | int | float | complex):
        return f"the number {value}"
    return f"a Python {type(value).__name__}"


def lookup(nested: Any, path: Listed[str]) -> Any:
    """The value at a path of a nested dict; None where there is none."""
    for part in path:
        if not isinstance(nested, Mapping) or part not in nested:
            return None
        nested = nested[part]
    return nested


def unflatten_paths(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """A nested dict from values by path."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        inner = nested
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = value
    return nested


def paths_of(
    nested: Mapping[str, Any], prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The values of a nested dict with their paths."""
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from paths_of(value, (*prefix, name))
        else:
            yield (*prefix, name), value


def _over(type: t.Type, shape: Listed[int]) -> t.Type:
    for size in reversed(shape):
        type = t.Array(type, constant(int(size)))
    return type


def part_of(where: str, k: int) -> str:
    return f"item {k} of {where}" if where else f"item {k}"


def _first(value: Any) -> Any:
    while isinstance(value, tuple):
        value = value[0]
    return value


def _stacked(items: Listed[Any]) -> Any:
    if isinstance(items[0], DataValue):
        return list(items)
    if isinstance(items[0], tuple):
        return tuple(map(_stacked, zip(*items, strict=True)))
    return numpy.stack([as_array(item) for item in items])


def _has_product(type: t.Type, declarations: Declarations) -> bool:
    return isinstance(_base(type, declarations), t.Product)


__all__ = [
    "DataValue", "Misfit", "NotConcrete", "Packed", "as_array", "common_type", "describe",
    "flatten", "form_of", "is_concrete", "looked_at", "lookup", "match", "one_key", "part_of",
    "paths_of", "rebuild", "tags_of", "type_of", "unflatten_paths", "with_tags",
]  # fmt: skip
