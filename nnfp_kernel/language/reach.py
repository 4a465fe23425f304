"""Which weights a definition reaches: their paths, their types and how they start.

A weight is named by where it is written (LANGUAGE section 4): a definition used by
name brings its own path, a family occurrence or `fresh` a path below the place where
it stands. The tracer walks the same way when it asks for weights; here nothing is
run, so that `init`, `%nnfp weights` and `Weights f` need no input.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Protocol, TypeAlias

from . import typed as p
from . import types as t
from .diagnostics import Diagnostic, Label, NnfpError
from .sizes import Size, SizeVariable
from .source import Span

WeightPath: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class ReachedWeight:
    """One weight. `stacked` are the leading axes that `stack` added: every slice along
    them is initialised on its own. `span` is where the hole is declared."""

    path: WeightPath
    type: t.Type
    initialiser: p.Initialiser
    stacked: tuple[int, ...] = ()
    span: Span | None = None
    users: tuple[str, ...] = ()

    @cached_property
    def shown(self) -> str:
        """Its type as text, by which a value is known to be one of it."""
        return t.show(self.type)


class Reaching(Protocol):
    """A definition, as far as it matters here."""

    @property
    def name(self) -> str: ...
    @property
    def learns(self) -> bool: ...
    @property
    def holes(self) -> tuple[p.HoleSpec, ...]: ...
    @property
    def body(self) -> p.Expression: ...
    @property
    def span(self) -> Span: ...


@dataclass(frozen=True)
class Unsettled:
    """What is known so far of the types and sizes of a tree that is not finished."""

    type: Callable[[t.Type], t.Type] = lambda type: type
    size: Callable[[Size], Size] = lambda size: size


@dataclass(frozen=True)
class _Place:
    """Where the walk stands; the same three things as the tracer's `Scope`."""

    root: WeightPath
    path: WeightPath
    stacked: tuple[Size, ...]
    types: Mapping[t.TypeVariable, t.Type]
    sizes: Mapping[SizeVariable, Size]


def reached(
    definitions: Mapping[str, Reaching], name: str, so_far: Unsettled | None = None
) -> tuple[ReachedWeight, ...]:
    """All weights that the definition `name` reaches, in the order they are met; during
    inference with what is known `so_far`.

    A family without an occurrence has none of its own sizes: its variables stay open.
    Raises NnfpError where two different weights have one path.
    """
    found: dict[WeightPath, ReachedWeight] = {}
    walk = _Walk(definitions, found, so_far or Unsettled())
    walk.definition(definitions[name], _Place((), (name,), (), {}, {}), name)
    return tuple(found.values())


class _Walk:
    def __init__(
        self,
        definitions: Mapping[str, Reaching],
        found: dict[WeightPath, ReachedWeight],
        so_far: Unsettled,
    ) -> None:
        self.so_far = so_far
        self.definitions = definitions
        self.found = found
        self.entered: dict[WeightPath, tuple[str, Span]] = {}

    def definition(self, definition: Reaching, place: _Place, user: str) -> None:
        if not definition.learns:
            return
        before = self.entered.get(place.path)
        if before is not None:
            if before[0] != definition.name:
                self._clash(place.path, definition.span, before[1])
            return  # used a second time: the same weights
        if place.path in self.found:
            self._clash(place.path, self.found[place.path].span or definition.span, definition.span)
        self.entered[place.path] = definition.name, definition.span
        for hole in definition.holes:
            path = (*place.path, hole.name)
            if path in self.found or path in self.entered:
                self._clash(path, hole.span, self.found[path].span or hole.span)
            type = t.substitute(self.so_far.type(hole.type), place.types, place.sizes)
            stacked = tuple(_number(size) for size in place.stacked)
            for count in reversed(place.stacked):
                type = t.Array(type, count)
            self.found[path] = ReachedWeight(
                path, type, hole.initialiser, stacked, hole.span, (user,)
            )
        self.expression(definition.body, place, definition.name)

    def expression(self, root: p.Expression, place: _Place, user: str) -> None:
        # An explicit stack: a sum of thousands of terms is nested as deep.
        pending: list[tuple[object, _Place]] = [(root, place)]
        while pending:
            node, place = pending.pop()
            match node:
                case p.Global():
                    path = (
                        (*place.root, node.name)
                        if node.label is None
                        else (*place.path, node.label)
                    )
                    self._enter(node, replace(place, path=path), place, user)
                case p.Fresh(expression=inner, label=label):
                    self._under(inner, label, place, user, pending)
                case p.Stack(count=count, expression=inner, label=label):
                    deeper = (*place.stacked, self.so_far.size(count).substitute(place.sizes))
                    self._under(inner, label, replace(place, stacked=deeper), user, pending)
                case p.Open():
                    pass  # its weights are an argument
                case _:
                    pending.extend((child, place) for child in reversed(list(_children(node))))

    def _under(
        self,
        inner: p.Expression,
        label: str | None,
        place: _Place,
        user: str,
        pending: list[tuple[object, _Place]],
    ) -> None:
        root = place.path if label is None else (*place.path, label)
        under = replace(place, root=root, path=root)
        if isinstance(inner, p.Global):
            self._enter(inner, under, place, user)
        else:
            pending.append((inner, under))

    def _enter(self, node: p.Global, inner: _Place, outer: _Place, user: str) -> None:
        definition = self.definitions[node.name]
        types = {
            variable: t.substitute(self.so_far.type(type), outer.types, outer.sizes)
            for variable, type in node.instance.types.items()
        }
        sizes = {
            variable: self.so_far.size(size).substitute(outer.sizes)
            for variable, size in node.instance.sizes.items()
        }
        self.definition(definition, replace(inner, types=types, sizes=sizes), user)

    def _clash(self, path: WeightPath, here: Span, there: Span) -> None:
        name = ".".join(path)
        raise NnfpError(
            Diagnostic(
                "weight-path-clash",
                f"two different weights would be called `{name}`",
                Label(here, "this one"),
                (Label(there, "and this one"),) if there != here else (),
                (
                    "A weight is named by where it is written: names in a definition must differ. "
                    "Rename the hole or the definition.",
                ),
            )
        )


def size_open(path: WeightPath, type: t.Type, span: Span) -> Diagnostic:
    """A weight is asked for while a size of it is open. `span` is the hole, or what asks."""
    numbers = itertools.count(3)
    example = re.sub(r"\b_\w+", lambda _: str(next(numbers)), t.show(type))
    if isinstance(type, t.TypeVariable):
        example = "R[3]"
    return Diagnostic(
        "weight-size-open",
        f"the size of `{'.'.join(path)}` is not known",
        Label(span, f"`{'.'.join(path)}` is {t.show(type)} here"),
        (),
        (
            "Nothing that stands settles it, and an expression settles nothing for others. Give "
            "its definition a signature, or the hole a type:",
        ),
        f"where ?{path[-1]} : {example}",
    )


def _children(node: object) -> Iterator[object]:
    """The expressions directly inside a typed node."""
    if isinstance(node, tuple):
        for item in node:
            yield from _children(item) if isinstance(item, tuple) else _expressions(item)
    elif is_dataclass(node):
        for field in fields(node):
            value = getattr(node, field.name)
            if isinstance(value, tuple):
                yield from _children(value)
            else:
                yield from _expressions(value)


def _expressions(value: object) -> Iterator[object]:
    if isinstance(value, p.Node):
        yield value


def _number(size: Size) -> int:
    value = size.value
    return -1 if value is None else value  # an open size; asking for the weight is the error


__all__ = ["ReachedWeight", "Reaching", "Unsettled", "WeightPath", "reached", "size_open"]
