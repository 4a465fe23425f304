"""A network: a graph whose edges are linear maps between variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...graph.graph import (
    ArrayType,
    Builder,
    Wire,
)
from ...language.source import Span
from .combinators import LinearMap, Renaming, Tangent, Types, bracketed, fixed_of


@dataclass(frozen=True, eq=False, slots=True)
class Variable:
    """A tangent in a network: the sum of all contributions to it."""

    type: ArrayType
    name: str = ""  # for people: that of the primal's wire


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """One linear map of a network, from variables to variables."""

    map: LinearMap
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    origin: Span | None = None
    function: str = ""  # what it is the derivative of: a primitive, `map`, `loop`
    kind: str = ""  # by which rule


@dataclass(frozen=True, eq=False, slots=True)
class Network(LinearMap):
    """A graph of linear maps over variables, with sharing.

    A variable is the sum of all contributions to it and may be used any number of
    times. All contributions to it come before its first use. Law: the adjoint is the
    network backwards, each map replaced by its adjoint; copying a variable and adding
    contributions are each other's adjoints, so both stay implicit.
    """

    inputs: tuple[Variable, ...]
    parts: tuple[Part, ...]
    outputs: tuple[Variable, ...]
    # How it, or (True) its adjoint, is written in the words of the program it comes from.
    written: Callable[[bool], str] | None = None

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return tuple(variable.type for variable in self.inputs)

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return tuple(variable.type for variable in self.outputs)

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        value: dict[Variable, Wire] = {}

        def contribute(variables: Sequence[Variable], wires: Sequence[Tangent]) -> None:
            for variable, wire in zip(variables, wires, strict=True):
                if wire is not None:
                    old = value.get(variable)
                    value[variable] = wire if old is None else builder.emit("add", old, wire)
                    if variable.name and not value[variable].name:
                        value[variable].name = f"d{variable.name}"

        before = builder.origin
        contribute(self.inputs, tangents)
        for part in self.parts:
            given = [value.get(variable) for variable in part.inputs]
            if any(wire is not None for wire in given):
                builder.origin = part.origin or before
                contribute(part.outputs, part.map.apply(builder, given))
        builder.origin = before
        return tuple(value.get(variable) for variable in self.outputs)

    def adjoint(self) -> Network:
        parts = tuple(
            replace(part, map=part.map.adjoint(), inputs=part.outputs, outputs=part.inputs)
            for part in reversed(self.parts)
        )
        written = self.written
        turned = None if written is None else lambda adjoint: written(not adjoint)
        return Network(self.outputs, parts, self.inputs, turned)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        reached = {variable for variable, flag in zip(self.inputs, given, strict=True) if flag}
        for part in self.parts:
            if not reached.isdisjoint(part.inputs):
                flags = part.map.reach([variable in reached for variable in part.inputs])
                reached.update(v for v, flag in zip(part.outputs, flags, strict=True) if flag)
        return tuple(variable in reached for variable in self.outputs)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return fixed_of(part.map for part in self.parts)

    def substitute(self, renaming: Renaming) -> Network:
        parts = tuple(replace(part, map=part.map.substitute(renaming)) for part in self.parts)
        return Network(self.inputs, parts, self.outputs)

    def useful(self) -> Network:
        """Without the parts that do not reach an output."""
        wanted = set(self.outputs)
        kept = []
        for part in reversed(self.parts):
            if not wanted.isdisjoint(part.outputs):
                kept.append(part)
                wanted.update(part.inputs)
        return Network(self.inputs, tuple(reversed(kept)), self.outputs)

    def __repr__(self) -> str:
        return self.listing() if self.written is None else self.written(False)

    def listing(self) -> str:
        """The maps one by one, with the variables between them."""
        names: dict[Variable, str] = {}

        def name(variables: Sequence[Variable]) -> str:
            each = [names.setdefault(v, f"u{len(names)}") for v in variables]
            return each[0] if len(each) == 1 else f"({', '.join(each)})"

        lines = [f"\\{name(self.inputs)} ->"]
        seen = set(self.inputs)
        for part in self.parts:
            given = name(part.inputs)
            sign = "+=" if seen & set(part.outputs) else "="
            lines.append(f"  {name(part.outputs)} {sign} {bracketed(part.map)} {given}")
            seen.update(part.outputs)
        return "\n".join([*lines, f"  {name(self.outputs)}"])
