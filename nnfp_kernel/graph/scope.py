"""Where an expression is traced: what its names and variables stand for, and whose weights it has.

Surroundings   the program: definitions, tables, the mode
Environment    one expression's names, types and sizes, and its `Scope`
Scope          where the weights met here live, and the `WeightSource` they come from
Occurrence     one use of a built-in name, as its `trace` is handed it
Keys           the random keys of one body
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..language import typed as p
from ..language import types as t
from ..language.diagnostics import NnfpError
from ..language.reach import WeightPath, size_open
from ..language.sizes import Size, SizeVariable
from ..language.source import Span
from ..language.syntax import NOWHERE
from .graph import Builder, Wire
from .primitive import Primitive
from .values import Declarations, NotFirstOrder, OpenSize, Value


class BuiltinRecord(Protocol):
    """What tracing asks of a built-in name (primitives/table.py)."""

    @property
    def name(self) -> str: ...
    @property
    def arity(self) -> int: ...
    @property
    def trace(self) -> Callable[..., Value]: ...
    @property
    def ragged(self) -> Callable[..., Value] | bool: ...


class WeightSource(Protocol):
    """Where weights come from: a graph's inputs, a stack's elements, an opened value."""

    def weight(self, path: WeightPath, type: t.Type) -> Value: ...


@dataclass(frozen=True)
class Occurrence:
    """One use of a built-in name, all of it concrete: what its `trace` is handed."""

    type: t.Type
    brackets: tuple[Any, ...] = ()  # numbers; an Extent for a length known at run time
    options: Mapping[str, int | str] = field(default_factory=dict)
    span: Span = NOWHERE  # where the name is written

    def domains(self) -> list[t.Type]:
        """The types of its arguments, curried, as far as the type is a function."""
        found, type = [], self.type
        while isinstance(type, t.Function):
            found.append(type.domain)
            type = type.codomain
        return found

    def result(self, arity: int) -> t.Type:
        """The type after `arity` arguments."""
        type = self.type
        for _ in range(arity):
            assert isinstance(type, t.Function | t.Linear)
            type = type.codomain
        return type


@dataclass(frozen=True)
class Scope:
    """Where the weights met here live.

    `path` is that of the enclosing definition; a definition used by name keeps its
    weights at `root` + its name, which is shared unless a `fresh` set the root.
    """

    source: WeightSource
    root: WeightPath = ()
    path: WeightPath = ()


@dataclass(frozen=True)
class Environment:
    """What names, type variables and size variables stand for, and the weights' scope."""

    scope: Scope
    locals: Mapping[str, Value] = field(default_factory=dict)
    types: Mapping[t.TypeVariable, t.Type] = field(default_factory=dict)
    sizes: Mapping[SizeVariable, Size] = field(default_factory=dict)
    # Types concretised in this environment, by identity of the node's type.
    known: dict[int, t.Type] = field(default_factory=dict, compare=False)
    # Inside of the library, the program's own word by which it is reached: no part of what is said.
    word: Span | None = field(default=None, compare=False)

    def bind(self, names: Mapping[str, Value]) -> Environment:
        return replace(self, locals={**self.locals, **names}) if names else self


@dataclass
class Keys:
    """Random keys for one body: each draw folds a new number into its key."""

    origin: Callable[[], Wire]
    drawn: int = 0
    wire: Wire | None = None

    def next(self, builder: Builder) -> Wire:
        if self.wire is None:
            self.wire = self.origin()
        self.drawn += 1
        return builder.emit("foldKey", self.wire, builder.constant(self.drawn, "Int"))


@dataclass(frozen=True)
class Surroundings:
    """What a program is traced in: its definitions, tables, and the mode."""

    definitions: Mapping[str, p.Definition]
    declarations: Declarations
    builtins: Mapping[str, BuiltinRecord]
    primitives: Mapping[str, Primitive]
    training: bool = False
    plan: Any = None  # what is decided of loops that it differentiates (linear/planning.py)


@dataclass(frozen=True)
class GivenWeights:
    """Weights handed over as values, by path: `open f (w, x)`."""

    values: Mapping[WeightPath, Value]

    def weight(self, path: WeightPath, type: t.Type) -> Value:
        return self.values[path]


@dataclass
class InputWeights:
    """Weights as inputs of the outermost graph, made when first asked for."""

    builder: Builder
    declarations: Declarations
    wires: dict[WeightPath, tuple[t.Type, list[Wire]]] = field(default_factory=dict)

    def weight(self, path: WeightPath, type: t.Type) -> Value:
        if path not in self.wires:
            name = ".".join(path)
            try:
                layout = self.declarations.layout(type)
            except (OpenSize, NotFirstOrder):
                place = self.builder.origin or NOWHERE
                raise NnfpError(size_open(path, type, place)) from None
            made = [self.builder.input(array, name, t.show(type)) for array in layout]
            self.wires[path] = type, made
        return self.declarations.rebuild(type, self.wires[path][1])
