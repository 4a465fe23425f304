"""Whether a Python value is one of a type, and of which, where the type has variables.

match(R[n], zeros(3))                       R[3]
match(Tree a, a tree with payload R[3])     Tree R[3]
match(Fin[3], 5)                            Misfit: 5, expected an index from 0 to 2
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any, TypeAlias

import numpy

from ...graph.values import Declarations
from ...language import types as t
from ...language.sizes import Size, SizeVariable, constant
from ..data import DataValue
from .form import Form, form_of, looked_at
from .packed import Packed
from .paths import lookup
from .values import (
    Misfit,
    as_array,
    describe,
    is_concrete,
    kind_of,
    part_of,
    stacked_rows,
    type_of,
)


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
                value = tuple(map(stacked_rows, zip(*value, strict=True)))
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
            own = t.of_shape(t.Scalar(kind_of(array, where)), array.shape[rank:])
            base = self._learn(carrier, own, value, where)
        elif array.ndim != rank:
            hot = isinstance(carrier, t.Fin) and array.ndim == rank + 1
            way = ": `.argmax(-1)` makes it of rows with a single 1" if hot else ""
            raise Misfit(describe(array), t.show(whole) + way, where)
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


def _common_types(left: Sequence[t.Type], right: Sequence[t.Type]) -> tuple[t.Type, ...] | None:
    if len(left) != len(right):
        return None
    items = [common_type(a, b) for a, b in zip(left, right, strict=True)]
    return tuple(item for item in items if item is not None) if None not in items else None


def _inside(type: t.Type, axes: int) -> t.Type:
    for _ in range(axes):
        assert isinstance(type, t.Array)
        type = type.element
    return type


def _first(value: Any) -> Any:
    while isinstance(value, tuple):
        value = value[0]
    return value


def _check_entries(expected: t.Type, value: Any, shape: tuple[int, ...], where: str) -> None:
    array = as_array(value, where)
    if tuple(array.shape) != tuple(shape):
        raise Misfit(describe(array), t.show(expected), where)
    if isinstance(expected, t.Fin) and numpy.dtype(array.dtype).kind in "US":
        way = "`numpy.unique(names, return_inverse=True)[1]` makes them of names"
        raise Misfit(describe(array), f"integers, for {t.show(expected)}: {way}", where)
    kind = kind_of(array, where)
    if isinstance(expected, t.Fin):
        if kind != "Int":
            way = ": `.astype(int)` makes them" if array.ndim else ""
            raise Misfit(describe(array), f"integers, for {t.show(expected)}{way}", where)
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
