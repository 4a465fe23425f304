"""What a linear map is, and the combinators of the paper: maps built of maps.

Source: Elsman, Henglein, Kaarsgaard, Mathiesen, Schenck 2022.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...graph.graph import (
    ArrayType,
    Builder,
    Wire,
)
from ...graph.primitive import Parameters, Primitive, Step

Types = tuple[ArrayType, ...]
Tangent = Wire | None  # None: a symbolic zero
Operand = Wire | ArrayType  # an ArrayType stands for zero of that type
Primitives = Mapping[str, Primitive]
Renaming = Mapping[Wire, Wire]


class LinearMap(ABC):
    """A linear map between products of arrays."""

    __slots__ = ()

    domain: Types
    codomain: Types

    @abstractmethod
    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        """The map at `tangents`, as nodes of `builder`."""

    @abstractmethod
    def adjoint(self) -> LinearMap:
        """The map L† with ⟨L u, w⟩ = ⟨u, L† w⟩."""

    @abstractmethod
    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        """Which parts of the answer may be other than zero, when those `given` may."""

    @property
    def fixed(self) -> tuple[Wire, ...]:
        """The primal's wires that the map refers to, each once."""
        return ()

    def substitute(self, renaming: Renaming) -> LinearMap:
        """The same map over other wires: its place in another graph."""
        return self

    def __rshift__(self, other: LinearMap) -> LinearMap:
        return compose(self, other)

    def __add__(self, other: LinearMap) -> LinearMap:
        return Sum((self, other))


def once(wires: Iterable[Wire]) -> tuple[Wire, ...]:
    return tuple(dict.fromkeys(wires))


def fixed_of(maps: Iterable[LinearMap]) -> tuple[Wire, ...]:
    return once(wire for each in maps for wire in each.fixed)


def renamed(wires: Sequence[Wire], renaming: Renaming) -> tuple[Wire, ...]:
    return tuple([renaming.get(wire, wire) for wire in wires])


def require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"no linear map: {what}")


def listed(types: Types) -> str:
    return str(types[0]) if len(types) == 1 else f"({', '.join(map(str, types))})"


def plus(builder: Builder, left: Tangent, right: Tangent) -> Tangent:
    """left + right, where None is zero."""
    if left is None:
        return right
    if right is None:
        return left
    return builder.emit("add", left, right)


def filled(builder: Builder, tangents: Sequence[Tangent], types: Types) -> tuple[Wire, ...]:
    """The tangents with every symbolic zero written out."""
    return tuple(
        builder.zeros(type) if tangent is None else tangent
        for tangent, type in zip(tangents, types, strict=True)
    )


# --- the combinators of the paper ---------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class Zero(LinearMap):
    """u ↦ 0. Law: 0† = 0."""

    domain: Types
    codomain: Types

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        return (None,) * len(self.codomain)

    def adjoint(self) -> LinearMap:
        return Zero(self.codomain, self.domain)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return (False,) * len(self.codomain)

    def __repr__(self) -> str:
        return "zero"


@dataclass(frozen=True, eq=False, slots=True)
class Identity(LinearMap):
    """u ↦ u. Law: id† = id."""

    domain: Types

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.domain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        return tuple(tangents)

    def adjoint(self) -> LinearMap:
        return self

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(given)

    def __repr__(self) -> str:
        return "id"


@dataclass(frozen=True, eq=False, slots=True)
class Section(LinearMap):
    """A primitive with slots left open and the other operands fixed: b(x, ·).

    Several slots are open only in a primitive linear in all of them together (`add`,
    `concat`). `operands` are all operands in order; of an open one, only its type.
    Law: (b(x, ·))† is what the primitive's record says, a chain of sections.
    """

    primitives: Primitives
    primitive: Primitive
    parameters: Parameters
    open: tuple[int, ...]
    operands: tuple[Operand, ...]
    domain: Types
    codomain: Types

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        given = dict(zip(self.open, tangents, strict=True))
        if len(given) > 1 and sum(tangent is not None for tangent in given.values()) == 1:
            # One summand alone: `add` of one is that one.
            ((position, tangent),) = ((k, t) for k, t in given.items() if t is not None)
            if isinstance(self._adjoint_of(position), Identity):
                return (tangent,)
        elif all(tangent is None for tangent in given.values()):
            return (None,)
        operands = [
            given.get(k) or (builder.zeros(operand) if type(operand) is ArrayType else operand)
            for k, operand in enumerate(self.operands)
        ]
        return (builder.emit(self.primitive.name, *operands, **self.parameters),)  # type: ignore[arg-type]

    def adjoint(self) -> LinearMap:
        if len(self.open) == 1:
            return self._adjoint_of(self.open[0])
        return Pair(tuple(map(self._adjoint_of, self.open)))

    def _adjoint_of(self, position: int) -> LinearMap:
        operand = self.operands[position]
        domain = operand if isinstance(operand, ArrayType) else operand.type
        rest = self.operands[:position] + self.operands[position + 1 :]
        rule = self.primitive.adjoint
        if rule is None:
            raise ValueError(f"primitive {self.primitive.name} has no adjoint")
        steps = rule(self.parameters, position, rest, domain, self.codomain[0])
        return chain(self.primitives, steps, self.codomain[0], domain)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return (any(given),)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return tuple(operand for operand in self.operands if type(operand) is Wire)

    def substitute(self, renaming: Renaming) -> LinearMap:
        operands = tuple(
            renaming.get(operand, operand) if type(operand) is Wire else operand
            for operand in self.operands
        )
        return Section(
            self.primitives, self.primitive, self.parameters, self.open, operands,
            self.domain, self.codomain,
        )  # fmt: skip

    def __repr__(self) -> str:
        shown = [
            "·" if k in self.open else in_words(operand) for k, operand in enumerate(self.operands)
        ]
        if self.primitive.name == "mul" and len(self.open) == 1:
            return f"diag {shown[1 - self.open[0]]}"
        return self.primitive.name + (f"({', '.join(shown)})" if len(shown) > 1 else "")


def in_words(operand: Operand) -> str:
    return "0" if isinstance(operand, ArrayType) else operand.name or "_"


def section(primitives: Primitives, step: Step, domain: ArrayType) -> Section:
    """The linear map of one step: u ↦ primitive(…, u, …).

    Raises ValueError where the primitive does not take such operands.
    """
    primitive, position = primitives[step.primitive], step.position
    operands = (*step.fixed[:position], domain, *step.fixed[position:])
    types = [each if type(each) is ArrayType else each.type for each in operands]  # type: ignore[union-attr]
    codomain = primitive.result(step.parameters, types)
    return Section(
        primitives, primitive, step.parameters, (position,), operands, (domain,), (codomain,)
    )


def chain(
    primitives: Primitives, steps: Sequence[Step], domain: ArrayType, codomain: ArrayType
) -> LinearMap:
    """The composition of steps, the first one applied first; no step is the identity."""
    if not steps:
        require(domain == codomain, f"the identity from {domain} to {codomain}")
        return Identity((domain,))
    maps: list[LinearMap] = []
    here = domain
    for step in steps:
        made = section(primitives, step, here)
        maps.append(made)
        here = made.codomain[0]
    require(
        here == codomain, f"a chain ending in {steps[-1].primitive} gives {here}, not {codomain}"
    )
    return maps[0] if len(maps) == 1 else Compose(tuple(maps))


@dataclass(frozen=True, eq=False, slots=True)
class Compose(LinearMap):
    """L >> M: u ↦ M (L u), of any number of maps. Law: (L >> M)† = M† >> L†."""

    maps: tuple[LinearMap, ...]

    def __post_init__(self) -> None:
        require(bool(self.maps), "a composition of nothing")
        for first, second in zip(self.maps, self.maps[1:], strict=False):
            require(
                first.codomain == second.domain,
                f"{listed(first.codomain)} does not fit {listed(second.domain)}",
            )

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.maps[0].domain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.maps[-1].codomain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        for each in self.maps:
            tangents = each.apply(builder, tangents)
        return tuple(tangents)

    def adjoint(self) -> LinearMap:
        return compose(*(each.adjoint() for each in reversed(self.maps)))

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        for each in self.maps:
            given = each.reach(given)
        return tuple(given)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return fixed_of(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Compose(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " >> ".join(map(bracketed, self.maps))


def bracketed(each: LinearMap) -> str:
    text = repr(each)
    return f"({text})" if " " in text else text


def associated(maps: Sequence[LinearMap]) -> tuple[LinearMap, ...]:
    """(L >> M) >> N = L >> M >> N: the maps of compositions among them in their place."""
    return tuple(
        inner for each in maps for inner in (each.maps if isinstance(each, Compose) else (each,))
    )


def without_identities(maps: Sequence[LinearMap]) -> tuple[LinearMap, ...]:
    """id >> L = L = L >> id: the maps that do something."""
    return tuple(each for each in maps if not isinstance(each, Identity))


def compose(*maps: LinearMap) -> LinearMap:
    """The composition, the first map applied first: two laws hold of it from the beginning,
    that of associativity and that of the identity (linear/laws.py)."""
    kept = without_identities(associated(maps))
    if not kept:
        return maps[0]
    return kept[0] if len(kept) == 1 else Compose(kept)


@dataclass(frozen=True, eq=False, slots=True)
class Sum(LinearMap):
    """L + M: u ↦ L u + M u. Law: (L + M)† = L† + M†."""

    maps: tuple[LinearMap, ...]

    def __post_init__(self) -> None:
        require(bool(self.maps), "a sum of nothing (use Zero)")
        for each in self.maps[1:]:
            require(
                each.domain == self.domain and each.codomain == self.codomain,
                "a sum of maps of different types",
            )

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.maps[0].domain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.maps[0].codomain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        return _total(builder, [each.apply(builder, tangents) for each in self.maps])

    def adjoint(self) -> LinearMap:
        return Sum(tuple(each.adjoint() for each in self.maps))

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(map(any, zip(*(each.reach(given) for each in self.maps), strict=True)))

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return fixed_of(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Sum(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " + ".join(map(bracketed, self.maps))


def _total(builder: Builder, terms: Sequence[tuple[Tangent, ...]]) -> tuple[Tangent, ...]:
    total = terms[0]
    for term in terms[1:]:
        total = tuple(plus(builder, one, two) for one, two in zip(total, term, strict=True))
    return total


@dataclass(frozen=True, eq=False, slots=True)
class Scale(LinearMap):
    """u ↦ c u, for a scalar wire c. Law: (scale c)† = scale (conj c)."""

    factor: Wire
    domain: Types
    conjugated: bool = False

    def __post_init__(self) -> None:
        require(self.factor.type.rank == 0, f"a factor of type {self.factor.type}")

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.domain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        factor = self.factor
        if self.conjugated and factor.type.kind == "C":
            factor = builder.emit("conj", factor)
        return tuple(None if u is None else _scaled(builder, factor, u) for u in tangents)

    def adjoint(self) -> LinearMap:
        return Scale(self.factor, self.domain, not self.conjugated)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(given)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return (self.factor,)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Scale(renaming.get(self.factor, self.factor), self.domain, self.conjugated)

    def __repr__(self) -> str:
        return f"scale {in_words(self.factor)}"


def _scaled(builder: Builder, factor: Wire, tangent: Wire) -> Wire:
    if factor.type.kind != tangent.type.kind:
        factor = builder.emit("convert", factor, kind=tangent.type.kind)
    if tangent.type.rank:
        factor = builder.emit("broadcast", factor, shape=tangent.type.shape, axes=())
    return builder.emit("mul", factor, tangent)


@dataclass(frozen=True, eq=False, slots=True)
class Pair(LinearMap):
    """L &&& M: u ↦ (L u, M u), of any number of maps. Law: (L &&& M)† = L† ||| M†."""

    maps: tuple[LinearMap, ...]

    def __post_init__(self) -> None:
        require(bool(self.maps), "a pair of nothing (use Zero)")
        for each in self.maps[1:]:
            require(each.domain == self.domain, "a pair of maps with different domains")

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.maps[0].domain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return tuple(type for each in self.maps for type in each.codomain)

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        return tuple(w for each in self.maps for w in each.apply(builder, tangents))

    def adjoint(self) -> LinearMap:
        return Copair(tuple(each.adjoint() for each in self.maps))

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(flag for each in self.maps for flag in each.reach(given))

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return fixed_of(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Pair(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " &&& ".join(map(bracketed, self.maps))


@dataclass(frozen=True, eq=False, slots=True)
class Copair(LinearMap):
    """L ||| M: (u, v) ↦ L u + M v. Law: (L ||| M)† = L† &&& M†."""

    maps: tuple[LinearMap, ...]

    def __post_init__(self) -> None:
        require(bool(self.maps), "a copair of nothing (use Zero)")
        for each in self.maps[1:]:
            require(each.codomain == self.codomain, "a copair of maps with different codomains")

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return tuple(type for each in self.maps for type in each.domain)

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.maps[0].codomain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        parts = _parts(tangents, [each.domain for each in self.maps])
        terms = [each.apply(builder, p) for each, p in zip(self.maps, parts, strict=True)]
        return _total(builder, terms)

    def adjoint(self) -> LinearMap:
        return Pair(tuple(each.adjoint() for each in self.maps))

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        parts = _parts(given, [each.domain for each in self.maps])
        reached = [each.reach(part) for each, part in zip(self.maps, parts, strict=True)]
        return tuple(map(any, zip(*reached, strict=True)))

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return fixed_of(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Copair(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " ||| ".join(map(bracketed, self.maps))


def _parts(whole: Sequence[Any], types: Sequence[Types]) -> list[Sequence[Any]]:
    """The whole, cut as the products in `types` are long."""
    parts, start = [], 0
    for each in types:
        parts.append(whole[start : start + len(each)])
        start += len(each)
    require(start == len(whole), f"{len(whole)} tangents for {start} arrays")
    return parts


@dataclass(frozen=True, eq=False, slots=True)
class DirectSum(LinearMap):
    """L *** M: (u, v) ↦ (L u, M v), of any number of maps. Law: (L *** M)† = L† *** M†."""

    maps: tuple[LinearMap, ...]

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return tuple(type for each in self.maps for type in each.domain)

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return tuple(type for each in self.maps for type in each.codomain)

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        parts = _parts(tangents, [each.domain for each in self.maps])
        return tuple(
            w
            for each, part in zip(self.maps, parts, strict=True)
            for w in each.apply(builder, part)
        )

    def adjoint(self) -> LinearMap:
        return DirectSum(tuple(each.adjoint() for each in self.maps))

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        parts = _parts(given, [each.domain for each in self.maps])
        return tuple(
            flag for each, part in zip(self.maps, parts, strict=True) for flag in each.reach(part)
        )

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return fixed_of(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return DirectSum(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " *** ".join(map(bracketed, self.maps))


@dataclass(frozen=True, eq=False, slots=True)
class Project(LinearMap):
    """(u₀, u₁, …) ↦ the arrays from `start` to `stop`. Law: proj† = inj."""

    domain: Types
    start: int
    stop: int

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.domain[self.start : self.stop]

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        return tuple(tangents[self.start : self.stop])

    def adjoint(self) -> LinearMap:
        return Inject(self.domain, self.start, self.stop)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(given[self.start : self.stop])

    def __repr__(self) -> str:
        return f"proj[{self.start}:{self.stop}]"


@dataclass(frozen=True, eq=False, slots=True)
class Inject(LinearMap):
    """The arrays from `start` to `stop` are those given, the others zero. Law: inj† = proj."""

    codomain: Types
    start: int
    stop: int

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.codomain[self.start : self.stop]

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        after = len(self.codomain) - self.stop
        return (*(None,) * self.start, *tangents, *(None,) * after)

    def adjoint(self) -> LinearMap:
        return Project(self.codomain, self.start, self.stop)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        after = len(self.codomain) - self.stop
        return (*(False,) * self.start, *given, *(False,) * after)

    def __repr__(self) -> str:
        return f"inj[{self.start}:{self.stop}]"


@dataclass(frozen=True, eq=False, slots=True)
class Dup(LinearMap):
    """u ↦ (u, …, u), `count` times. Law: dup† = add."""

    domain: Types
    count: int = 2

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.domain * self.count

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        return tuple(tangents) * self.count

    def adjoint(self) -> LinearMap:
        return Add(self.domain, self.count)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(given) * self.count

    def __repr__(self) -> str:
        return "dup" if self.count == 2 else f"dup[{self.count}]"


@dataclass(frozen=True, eq=False, slots=True)
class Add(LinearMap):
    """(u, …, v) ↦ u + … + v, `count` of them. Law: add† = dup."""

    codomain: Types
    count: int = 2

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.codomain * self.count

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        if not self.count:
            return (None,) * len(self.codomain)
        return _total(builder, list(map(tuple, _parts(tangents, [self.codomain] * self.count))))

    def adjoint(self) -> LinearMap:
        return Dup(self.codomain, self.count)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        parts = _parts(given, [self.codomain] * self.count)
        return tuple(any(part[k] for part in parts) for k in range(len(self.codomain)))

    def __repr__(self) -> str:
        return "add" if self.count == 2 else f"add[{self.count}]"
