"""What a trace must know of an argument beside its type: which constructors its data have.

Node (Leaf 1) (Leaf 2)       ("Node", (("Leaf", (None,)), ("Leaf", (None,))))
an array                     None
a tree that may be any       AnyTree: for reading a program, not for running it
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ...graph.forest import APART, AnyTree, Columns
from ...graph.values import Declarations, NotFirstOrder
from ...language import types as t
from ...language.sizes import constant
from ..exchange import Packed, match

Structure = Any  # hashable: the constructors of the data values among the arguments


def structure_of(type: t.Type, value: Any, declarations: Declarations) -> Structure:
    """What `placed` must know of a Python value beside its type; None for plain arrays.

    Of a data value its constructor and the structures of its fields; of a sequence of
    trees those of its items; of a field `[R]` its type with the length that is there.
    """
    if isinstance(value, Packed):
        return value.structure
    match type:
        case t.Product(items=items):
            parts = tuple(
                structure_of(item, part, declarations)
                for item, part in zip(items, value, strict=True)
            )
            return parts if any(part is not None for part in parts) else None
        case t.Array(element=element) if declarations.one_by_one(element):
            return tuple(structure_of(element, part, declarations) for part in value)
        case t.Array() if not t.is_concrete(type):
            return match(type, value, declarations)
        case t.Named(name=name) if name in declarations.data:
            fields = declarations.constructors(type)[value.constructor]
            return value.constructor, tuple(
                structure_of(field, part, declarations)
                for field, part in zip(fields, value.fields, strict=True)
            )
        case _:
            return None


def any_structure(
    type: t.Type,
    declarations: Declarations,
    room: int,
    path: tuple[int, ...] = (),
    alike: bool = False,
) -> Structure:
    """The structure of values of `type` in which every tree is one of which nothing is
    known: for reading. `path` is where the value stands; with `alike`, all lengths that only
    running tells are one. Raises NotFirstOrder for sequences, of any length, of what holds trees
    or sequences."""

    def each_of(items: Iterable[t.Type]) -> tuple[Structure, ...]:
        return tuple(
            any_structure(item, declarations, room, (*path, k), alike)
            for k, item in enumerate(items)
        )

    match type:
        case t.Product(items=items):
            parts = each_of(items)
            return parts if any(part is not None for part in parts) else None
        case t.Named(name=name) if name in declarations.data:
            return AnyTree(room, path, alike=alike)
        case t.Array(element=element, length=length) if declarations.one_by_one(element):
            if length.value is None:
                # Another number of elements than any other sequence here has.
                few = sum((k + 1) * 3**depth for depth, k in enumerate(path)) % 8
                own = room + APART * (16 + few)
                if isinstance(element, t.Product) and declarations.has_trees(element):
                    return Columns.of(element, declarations, own, path)
                if not (isinstance(element, t.Named) and declarations.has_trees(element)):
                    raise NotFirstOrder(type)
                return AnyTree(own, path, many=True, alike=alike)
            each = each_of([element] * length.value)
            if isinstance(element, t.Named) and declarations.has_trees(element):
                apart = len(declarations.constructors(element)) > 1
                each = tuple(replace(one, apart=apart) for one in each)
            return each
        case t.Array():
            _, sizes = t.free_variables(type)
            open_ends = dict.fromkeys(sizes, constant(room))
            return t.substitute(type, {}, open_ends) if sizes else None
        case _:
            return None


def decided(
    type: t.Type, structure: Structure, declarations: Declarations, path: tuple[int, ...]
) -> list[Structure]:
    """The structures that a value may have once it is known what the tree at `path` is: one
    for each of its constructors."""
    if isinstance(structure, AnyTree):
        assert isinstance(type, t.Named)
        return [
            (name, tuple(
                any_structure(
                    field, declarations, structure.room, (*structure.path, k), structure.alike
                )
                for k, field in enumerate(fields)
            ))
            for name, fields in declarations.constructors(type).items()
        ]  # fmt: skip
    k, *rest = path
    match type, structure:
        case t.Named(), (str(name), parts):
            types = declarations.constructors(type)[name]
            return [
                (name, (*parts[:k], each, *parts[k + 1 :]))
                for each in decided(types[k], parts[k], declarations, tuple(rest))
            ]
        case t.Product() | t.Array(), _:
            inner = type.items[k] if isinstance(type, t.Product) else type.element
            return [
                (*structure[:k], each, *structure[k + 1 :])
                for each in decided(inner, structure[k], declarations, tuple(rest))
            ]
        case _:
            raise AssertionError(f"nothing stands at {path} of {t.show(type)}")


def smallest_structure(
    type: t.Type, declarations: Declarations, inside: frozenset[str] = frozenset()
) -> Structure:
    """The structure of a small value of `type`: of each data type the first constructor
    that needs no value of the type itself. Raises NotFirstOrder where there is none."""
    match type:
        case t.Product(items=items):
            parts = tuple(smallest_structure(item, declarations, inside) for item in items)
            return parts if any(part is not None for part in parts) else None
        case t.Array(element=element, length=length) if declarations.one_by_one(element):
            one = smallest_structure(element, declarations, inside) if length.value else None
            return (one,) * (length.value or 0)
        case t.Array() if not t.is_concrete(type):
            _, sizes = t.free_variables(type)
            return t.substitute(type, {}, dict.fromkeys(sizes, constant(0)))
        case t.Named(name=name) if name in declarations.data:
            if name in inside:
                raise NotFirstOrder(type)
            for constructor, fields in declarations.constructors(type).items():
                try:
                    return constructor, tuple(
                        smallest_structure(field, declarations, inside | {name}) for field in fields
                    )
                except NotFirstOrder:
                    continue
            raise NotFirstOrder(type)
        case _:
            return None
