"""Linear maps: what they do to a tangent, and their adjoints, built by structure.

A linear map V ⊸ W takes the tangents of V's arrays to those of W's; a product is the
list of its arrays. Nothing here is a matrix. `apply` emits ordinary nodes of a graph,
so that derivatives nest without perturbation confusion. None is a symbolic zero.

    map                     does                            adjoint
    Zero                    u ↦ 0                           Zero
    Identity                u ↦ u                           Identity
    Section b(x, ·)         one primitive, one slot open    by the primitive's record
    L >> M                  u ↦ M (L u)                     M† >> L†
    L + M                   u ↦ L u + M u                   L† + M†
    Scale c                 u ↦ c u                         Scale (conj c)
    Pair      L &&& M       u ↦ (L u, M u)                  L† ||| M†
    Copair    L ||| M       (u, v) ↦ L u + M v              L† &&& M†
    DirectSum L *** M       (u, v) ↦ (L u, M v)             L† *** M†
    Project i, Inject i     the i-th part; zero elsewhere   each other
    Dup n, Add n            u ↦ (u, …, u); u, … ↦ Σ u       each other
    Network                 a graph of linear maps          the graph backwards
    MapL                    a map for every element         shared and summed swap
    Recurrence              a state through linear steps    the other way through time
    WhileL                  the same, with a while's rounds the other way; none unbounded
    SolveL L                L⁻¹                             SolveL L†
    TreeRecurrence          steps over a forest, bottom up  top down
    ChooseL                 the branch taken                its adjoint

The law of each adjoint is ⟨L u, w⟩ = ⟨u, L† w⟩, with Re ⟨·,·⟩ over C.
Sources: Elliott 2018; Elsman, Henglein, Kaarsgaard, Mathiesen, Schenck 2022.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from ..graph.graph import (
    ArrayType,
    Builder,
    Choose,
    Fixpoint,
    Graph,
    Loop,
    Map,
    TreeLoop,
    While,
    Wire,
)
from ..graph.primitive import Parameters, Primitive, Step
from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..language.source import Span
from ..language.syntax import NOWHERE

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


def _once(wires: Iterable[Wire]) -> tuple[Wire, ...]:
    return tuple(dict.fromkeys(wires))


def _fixed(maps: Iterable[LinearMap]) -> tuple[Wire, ...]:
    return _once(wire for each in maps for wire in each.fixed)


def _rename(wires: Sequence[Wire], renaming: Renaming) -> tuple[Wire, ...]:
    return tuple([renaming.get(wire, wire) for wire in wires])


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"no linear map: {what}")


def _listed(types: Types) -> str:
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
            "·" if k in self.open else _shown(operand) for k, operand in enumerate(self.operands)
        ]
        if self.primitive.name == "mul" and len(self.open) == 1:
            return f"diag {shown[1 - self.open[0]]}"
        return self.primitive.name + (f"({', '.join(shown)})" if len(shown) > 1 else "")


def _shown(operand: Operand) -> str:
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
        _require(domain == codomain, f"the identity from {domain} to {codomain}")
        return Identity((domain,))
    maps: list[LinearMap] = []
    here = domain
    for step in steps:
        made = section(primitives, step, here)
        maps.append(made)
        here = made.codomain[0]
    _require(
        here == codomain, f"a chain ending in {steps[-1].primitive} gives {here}, not {codomain}"
    )
    return maps[0] if len(maps) == 1 else Compose(tuple(maps))


@dataclass(frozen=True, eq=False, slots=True)
class Compose(LinearMap):
    """L >> M: u ↦ M (L u), of any number of maps. Law: (L >> M)† = M† >> L†."""

    maps: tuple[LinearMap, ...]

    def __post_init__(self) -> None:
        _require(bool(self.maps), "a composition of nothing")
        for first, second in zip(self.maps, self.maps[1:], strict=False):
            _require(
                first.codomain == second.domain,
                f"{_listed(first.codomain)} does not fit {_listed(second.domain)}",
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
        return _fixed(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Compose(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " >> ".join(map(_bracketed, self.maps))


def _bracketed(each: LinearMap) -> str:
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
    that of associativity and that of the identity (laws.py)."""
    kept = without_identities(associated(maps))
    if not kept:
        return maps[0]
    return kept[0] if len(kept) == 1 else Compose(kept)


@dataclass(frozen=True, eq=False, slots=True)
class Sum(LinearMap):
    """L + M: u ↦ L u + M u. Law: (L + M)† = L† + M†."""

    maps: tuple[LinearMap, ...]

    def __post_init__(self) -> None:
        _require(bool(self.maps), "a sum of nothing (use Zero)")
        for each in self.maps[1:]:
            _require(
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
        return _fixed(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Sum(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " + ".join(map(_bracketed, self.maps))


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
        _require(self.factor.type.rank == 0, f"a factor of type {self.factor.type}")

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
        return f"scale {_shown(self.factor)}"


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
        _require(bool(self.maps), "a pair of nothing (use Zero)")
        for each in self.maps[1:]:
            _require(each.domain == self.domain, "a pair of maps with different domains")

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
        return _fixed(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Pair(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " &&& ".join(map(_bracketed, self.maps))


@dataclass(frozen=True, eq=False, slots=True)
class Copair(LinearMap):
    """L ||| M: (u, v) ↦ L u + M v. Law: (L ||| M)† = L† &&& M†."""

    maps: tuple[LinearMap, ...]

    def __post_init__(self) -> None:
        _require(bool(self.maps), "a copair of nothing (use Zero)")
        for each in self.maps[1:]:
            _require(each.codomain == self.codomain, "a copair of maps with different codomains")

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
        return _fixed(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Copair(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " ||| ".join(map(_bracketed, self.maps))


def _parts(whole: Sequence[Any], types: Sequence[Types]) -> list[Sequence[Any]]:
    """The whole, cut as the products in `types` are long."""
    parts, start = [], 0
    for each in types:
        parts.append(whole[start : start + len(each)])
        start += len(each)
    _require(start == len(whole), f"{len(whole)} tangents for {start} arrays")
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
        return _fixed(self.maps)

    def substitute(self, renaming: Renaming) -> LinearMap:
        return DirectSum(tuple(each.substitute(renaming) for each in self.maps))

    def __repr__(self) -> str:
        return " *** ".join(map(_bracketed, self.maps))


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


# --- networks ------------------------------------------------------------------------------


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
        return _fixed(part.map for part in self.parts)

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
            lines.append(f"  {name(part.outputs)} {sign} {_bracketed(part.map)} {given}")
            seen.update(part.outputs)
        return "\n".join([*lines, f"  {name(self.outputs)}"])


# --- loops, maps and branches ----------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class Cell:
    """The linear map of one step or element: a network, and a prologue that makes the
    wires it refers to out of the residuals, those wires of the primal that are kept."""

    prologue: Graph  # residuals -> the network's fixed wires (`made`)
    made: tuple[Wire, ...]
    network: Network

    def apply(
        self, builder: Builder, residuals: Sequence[Wire], tangents: Sequence[Tangent]
    ) -> tuple[Tangent, ...]:
        wires = builder.inline(self.prologue, residuals)
        renaming = dict(zip(self.made, wires, strict=True))
        return self.network.substitute(renaming).apply(builder, tangents)

    def adjoint(self) -> Cell:
        return Cell(self.prologue, self.made, self.network.adjoint())


def _over(types: Types, length: int) -> Types:
    return tuple(type.over(length) for type in types)


@dataclass(frozen=True, eq=False, slots=True)
class MapL(LinearMap):
    """A linear map on every element, residuals shared or one for each.

    An input is `shared` by all elements or has an element for each; an output is
    `summed` over all elements or has one for each. Law: the adjoint maps the adjoint,
    and what was shared is summed and conversely.
    """

    cell: Cell
    length: int
    shared: tuple[Wire, ...]  # residuals: the same for every element, then
    stacked: tuple[Wire, ...]  # one for each
    shared_inputs: tuple[bool, ...]
    summed_outputs: tuple[bool, ...]

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self._types(self.cell.network.domain, self.shared_inputs)

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self._types(self.cell.network.codomain, self.summed_outputs)

    def _types(self, types: Types, once: tuple[bool, ...]) -> Types:
        return tuple(
            type if flag else type.over(self.length) for type, flag in zip(types, once, strict=True)
        )

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        if not any(self.reach([tangent is not None for tangent in tangents])):
            return (None,) * len(self.codomain)
        child = Builder(builder.primitives)
        inner: list[Tangent] = [None] * len(tangents)
        operands: list[Wire] = []
        residuals = []

        def take(wire: Wire, like: Wire | Variable, prefix: str = "") -> Wire:
            operands.append(wire)
            return child.input(like.type, prefix + like.name if like.name else "")

        network, held = self.cell.network, self.cell.prologue.inputs
        given = [(k, t) for k, t in enumerate(tangents) if t is not None]
        residuals += [take(*pair) for pair in zip(self.shared, held, strict=False)]
        for k, tangent in given:
            if self.shared_inputs[k]:
                inner[k] = take(tangent, network.inputs[k], "d")
        count = len(operands)
        stacked = held[len(self.shared) :]
        residuals += [take(*pair) for pair in zip(self.stacked, stacked, strict=True)]
        for k, tangent in given:
            if not self.shared_inputs[k]:
                inner[k] = take(tangent, network.inputs[k], "d")

        child.origin = builder.origin
        results = self.cell.apply(child, residuals, inner)
        body = child.finish([wire for wire in results if wire is not None])
        made = iter(builder.add(Map(body, count, self.length), operands))
        answers: list[Tangent] = []
        for result, summed in zip(results, self.summed_outputs, strict=True):
            wire = None if result is None else next(made)
            if wire is not None and summed:
                wire = builder.emit("sum", wire, axes=(0,))
            answers.append(wire)
        return tuple(answers)

    def adjoint(self) -> LinearMap:
        return MapL(
            self.cell.adjoint(), self.length, self.shared, self.stacked,
            self.summed_outputs, self.shared_inputs,
        )  # fmt: skip

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return self.cell.network.reach(given)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return _once((*self.shared, *self.stacked))

    def substitute(self, renaming: Renaming) -> LinearMap:
        return MapL(
            self.cell, self.length, _rename(self.shared, renaming),
            _rename(self.stacked, renaming), self.shared_inputs, self.summed_outputs,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"mapL[{self.length}] ({self.cell.network!r})"


@dataclass(frozen=True, eq=False, slots=True)
class Recurrence(LinearMap):
    """A state carried through linear steps: sₜ, yₜ, zₜ = Lₜ (sₜ₋₁, xₜ, w).

    From (s₀, [x₁ … xₙ], w) to (sₙ, [y₁ … yₙ], Σ zₜ): the state, then the elements and
    what is shared by all steps; the state, then what is stacked and what is summed.
    `states`, `elements`, `stacks` count the first parts of the cell's inputs and
    outputs. Law: the adjoint runs the other way through time with the adjoint steps;
    initial and final state swap, elements and stacked, shared and summed.
    """

    cell: Cell
    length: int
    reverse: bool
    shared: tuple[Wire, ...]  # residuals: the same at every step, then
    stacked: tuple[Wire, ...]  # one for each step
    states: int
    elements: int
    stacks: int
    rounds: Wire | None = None  # how many of the steps are made, where not all
    segments: bool = False  # its steps are segments of a longer loop (graph.Loop)

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self._types(self.cell.network.domain, self.elements)

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self._types(self.cell.network.codomain, self.stacks)

    def _types(self, types: Types, count: int) -> Types:
        first, last = self.states, self.states + count
        return (*types[:first], *_over(types[first:last], self.length), *types[last:])

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        network = self.cell.network
        live = [tangent is not None for tangent in tangents]
        after = self.activity(live)
        if not any(after):
            return (None,) * len(after)
        live[: self.states] = after[: self.states]
        first, last = self.states, self.states + self.stacks

        child = Builder(builder.primitives)
        child.origin = builder.origin
        inner: list[Tangent] = [None] * len(tangents)
        operands: list[Wire] = []

        def take(wire: Wire, like: Wire | Variable, prefix: str = "") -> Wire:
            operands.append(wire)
            return child.input(like.type, prefix + like.name if like.name else "")

        held = self.cell.prologue.inputs
        shared = [take(*pair) for pair in zip(self.shared, held, strict=False)]
        for k in range(self.states + self.elements, len(tangents)):
            if (tangent := tangents[k]) is not None:
                inner[k] = take(tangent, network.inputs[k], "d")
        count = len(operands)
        for k in range(self.states):
            if live[k]:
                like = network.inputs[k]
                inner[k] = take(tangents[k] or builder.zeros(like.type), like, "d")
        sums: list[Tangent] = [None] * len(network.outputs)
        for k in range(last, len(network.outputs)):
            if after[k]:
                like = network.outputs[k]
                sums[k] = take(builder.zeros(like.type), like, "d")
        carried = len(operands) - count
        each = zip(self.stacked, held[len(self.shared) :], strict=True)
        stacked = [take(*pair) for pair in each]
        for k in range(self.states, self.states + self.elements):
            if (tangent := tangents[k]) is not None:
                inner[k] = take(tangent, network.inputs[k], "d")

        results = self.cell.apply(child, [*shared, *stacked], inner)
        outputs = []
        for k, result in enumerate(results):
            if k < first and live[k]:
                outputs.append(result or child.zeros(network.outputs[k].type))
        for k in range(last, len(results)):
            if (total := plus(child, sums[k], results[k])) is not None:
                outputs.append(total)
        outputs += [result for result in results[first:last] if result is not None]
        body = child.finish(outputs)

        counted = self.rounds is not None
        operation = Loop(
            body, count, carried, self.length, self.reverse, counted, self.segments
        )  # fmt: skip
        made = iter(builder.add(operation, [*operands, *_some(self.rounds)]))
        answers: list[Tangent] = [None] * len(results)
        for k in (*range(first), *range(last, len(results))):
            if live[k] if k < first else sums[k] is not None:
                answers[k] = next(made)
        for k in range(first, last):
            if results[k] is not None:
                answers[k] = next(made)
        return tuple(answers)

    def activity(self, live: Sequence[bool]) -> list[bool]:
        return _steady(self.cell.network, self.states, live)

    def adjoint(self) -> LinearMap:
        return Recurrence(
            self.cell.adjoint(), self.length, not self.reverse, self.shared, self.stacked,
            self.states, self.stacks, self.elements, self.rounds, self.segments,
        )  # fmt: skip

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(self.activity(given))

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return _once((*self.shared, *self.stacked, *_some(self.rounds)))

    def substitute(self, renaming: Renaming) -> LinearMap:
        rounds = None if self.rounds is None else renaming.get(self.rounds, self.rounds)
        return Recurrence(
            self.cell, self.length, self.reverse, _rename(self.shared, renaming),
            _rename(self.stacked, renaming), self.states, self.elements, self.stacks, rounds,
            self.segments,
        )  # fmt: skip

    def __repr__(self) -> str:
        way = " backwards" if self.reverse else ""
        return f"recurrence[{self.length}]{way} ({self.cell.network!r})"


def _steady(network: Network, states: int, live: Sequence[bool]) -> list[bool]:
    """What the outputs of steps with a state may hold: the least fixed point over it."""
    given = list(live)
    while True:
        after = list(network.reach(given))
        state = [a or b for a, b in zip(given, after[:states], strict=False)]
        after[:states] = state
        if state == given[:states]:
            return after
        given[:states] = state


def _some(wire: Wire | None) -> tuple[Wire, ...]:
    return () if wire is None else (wire,)


class NoAdjoint(NnfpError):
    """The derivative of a loop without a bound is asked for in reverse."""


@dataclass(frozen=True, eq=False, slots=True)
class WhileL(LinearMap):
    """A state through the linear steps of a `While`, as many as its state asked for.

    From (s₀, w) to sₙ, w shared by all rounds. The primal's states are not kept: forwards
    the loop runs again and the tangents travel in its state; backwards it runs again and
    records what the steps' maps refer to, and a Recurrence goes back through them. So a
    loop in a loop keeps one state for each outer round. Recording needs a bound: the
    adjoint of one without raises NoAdjoint. Law: the adjoint takes the adjoint steps in
    the other order.
    """

    like: While
    recorder: Graph  # its body, which gives the state, then what is recorded
    cell: Cell  # a step's linear map; residuals: `once`, then what is recorded
    operands: tuple[Wire, ...]  # of the primal
    once: tuple[Wire, ...]  # those of them that the cell refers to
    rounds: Wire  # how many there were
    states: tuple[int, ...]  # which parts of the state move
    backwards: bool = False
    origin: Span | None = None

    @property
    def domain(self) -> Types:  # type: ignore[override]
        network = self.cell.network
        return self._state if self.backwards else network.domain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        network = self.cell.network
        return network.domain if self.backwards else self._state

    @property
    def _state(self) -> Types:
        return self.cell.network.codomain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        if not any(self.reach([tangent is not None for tangent in tangents])):
            return (None,) * len(self.codomain)
        if self.backwards:
            return self.unrolled(builder).adjoint().apply(builder, tangents)
        like, network, count = self.like, self.cell.network, len(self.states)
        live = _steady(network, count, [tangent is not None for tangent in tangents])
        moving = [k for k in range(count) if live[k]]
        shared = [t for t in tangents[count:] if t is not None]
        initial = [tangents[k] or builder.zeros(network.domain[k]) for k in moving]

        child = Builder(builder.primitives)
        child.origin = builder.origin
        first, types = like.shared, [wire.type for wire in like.body.inputs]
        own = [child.input(type) for type in types[:first]]
        more = iter([child.input(wire.type) for wire in shared])
        rest = [child.input(type) for type in types[first:]]
        inner: list[Tangent] = [None] * count
        for k, wire in zip(moving, initial, strict=True):
            inner[k] = child.input(wire.type)
        inner += [None if t is None else next(more) for t in tangents[count:]]
        results = child.inline(self.recorder, [*own, *rest])
        inside = dict(zip(self.operands, own, strict=False))
        residuals = [*(inside[wire] for wire in self.once), *results[like.carried :]]
        made = self.cell.apply(child, residuals, inner)
        after = [made[k] or child.zeros(self._state[k]) for k in moving]
        body = child.finish([*results[: like.carried], *after])

        blank = [Wire(wire.type) for wire in (*shared, *initial)]
        seen = like.condition.inputs
        inputs = (*seen[:first], *blank[: len(shared)], *seen[first:], *blank[len(shared) :])
        condition = Graph(inputs, like.condition.nodes, like.condition.outputs)
        carried = like.carried + len(moving)
        operation = While(condition, body, first + len(shared), carried, like.most)
        given = (*self.operands[:first], *shared, *self.operands[first:], *initial)
        final = iter(builder.add(operation, given)[1 + like.carried :])
        return tuple(next(final) if flag else None for flag in live)

    def unrolled(self, builder: Builder) -> Recurrence:
        """The same map, forwards, as a recurrence of the rounds there were: the loop runs
        again, and what the steps' maps refer to is kept of every round."""
        like = self.like
        assert like.most is not None, "only a loop with a bound is recorded"
        inputs, first = self.recorder.inputs, like.shared
        number, state = inputs[first], inputs[first + 1 :]
        body = replace(self.recorder, inputs=(*inputs[:first], *state, number))
        loop = Loop(body, first, like.carried, like.most, counted=True)
        numbers = builder.emit("iota", size=like.most)
        recorded = builder.add(loop, (*self.operands, numbers, self.rounds))[like.carried :]
        return Recurrence(
            self.cell, like.most, False, self.once, recorded, len(self.states), 0, 0, self.rounds
        )

    def adjoint(self) -> LinearMap:
        if self.like.most is None:
            raise NoAdjoint(
                Diagnostic(
                    "no-adjoint",
                    "a loop without a bound has no derivative in reverse",
                    Label(self.origin or NOWHERE, "may run for any number of rounds"),
                    notes=(
                        "The adjoint goes through the rounds from the last to the first, and "
                        "keeps what it needs of each.",
                        "Give the loop a bound, `while[1000] c f`, which stops it when reached; "
                        "or take the derivative forwards, `derivative f x v`.",
                    ),
                )
            )
        return replace(self, backwards=not self.backwards)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        network, count = self.cell.network, len(self.states)
        if not self.backwards:
            return tuple(_steady(network, count, given))
        return tuple(_steady(network.adjoint(), count, given))

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return _once((*self.operands, self.rounds))

    def substitute(self, renaming: Renaming) -> LinearMap:
        return replace(
            self, operands=_rename(self.operands, renaming), once=_rename(self.once, renaming),
            rounds=renaming.get(self.rounds, self.rounds),
        )  # fmt: skip

    def __repr__(self) -> str:
        bound = "" if self.like.most is None else f"[{self.like.most}]"
        way = " backwards" if self.backwards else ""
        return f"while{bound}{way} ({self.cell.network!r})"


@dataclass(frozen=True, eq=False, slots=True)
class SolveL(LinearMap):
    """L⁻¹: u ↦ the v with L v = u, found by applying L, never as a matrix.

    Law: (L⁻¹)† = (L†)⁻¹. It is the fixpoint of v ↦ v + u - L v, which is linear in v, so
    that the lowering solves it (runtime/fixpoint.py), and its derivative is that of a
    fixpoint: the same again. By conjugate gradients where L is known to be self-adjoint
    and `positive`, else by GMRES; to a relative `tolerance` where one is given.
    """

    map: LinearMap
    positive: bool = False
    tolerance: float = 0.0

    MOST: ClassVar[int] = 1000  # restarts

    def __post_init__(self) -> None:
        _require(self.map.domain == self.map.codomain, "the inverse of a map into another space")

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.map.codomain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.map.domain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        if all(tangent is None for tangent in tangents):
            return (None,) * len(self.codomain)
        return self.solved(builder, tangents)[:-1]

    def solved(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Wire, ...]:
        """The solution, and whether it was found."""
        given = filled(builder, tangents, self.domain)
        child = builder.child()
        state = [child.input(type) for type in self.codomain]
        images = filled(child, self.map.apply(child, state), self.domain)
        after = [
            child.emit("subtract", child.emit("add", v, u), image)
            for v, u, image in zip(state, given, images, strict=True)
        ]
        body = child.finish(after)
        operation = Fixpoint(
            body, len(child.captured), len(state), self.MOST, True, self.positive, self.tolerance
        )
        return builder.add(operation, (*child.captured, *given))

    def adjoint(self) -> LinearMap:
        return SolveL(self.map.adjoint(), self.positive, self.tolerance)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return (any(given),) * len(self.codomain)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return self.map.fixed

    def substitute(self, renaming: Renaming) -> LinearMap:
        return SolveL(self.map.substitute(renaming), self.positive, self.tolerance)

    def __repr__(self) -> str:
        return f"solveL {_bracketed(self.map)}"


@dataclass(frozen=True, eq=False, slots=True)
class TreeRecurrence(LinearMap):
    """Linear steps over a forest: rows made of rows that earlier steps made (`TreeLoop`).

    From (initial rows, [x₁ … xₙ], w) to (final rows, [y₁ … yₙ], Σ zₜ). `rows`,
    `elements`, `stacks` count the parts of a row and of the cell's inputs and outputs.
    Law: the adjoint runs from the roots to the leaves with the adjoint steps; initial
    and final rows swap, the rows a step reads and those it makes, with the schedule of
    the one and of the other. Since a row is read once at most, its cotangent is that of
    its one reading: the adjoint gathers, too, and scatters nothing.
    """

    cell: Cell
    like: TreeLoop  # its reads, writes, width, length and way
    schedule: tuple[Wire, ...]
    shared: tuple[Wire, ...]  # residuals: the same at every step, then
    stacked: tuple[Wire, ...]  # one for each step
    rows: int
    elements: int
    stacks: int

    @property
    def domain(self) -> Types:  # type: ignore[override]
        network, like = self.cell.network, self.like
        return self._types(network.domain, like.reads, self.elements, self.schedule[3])

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        network, like = self.cell.network, self.like
        return self._types(network.codomain, like.writes, self.stacks, self.schedule[1])

    def _types(self, types: Types, blocks: int, count: int, places: Wire) -> Types:
        """Of rows at `places`, of what is stacked, of what is shared."""
        number, first = places.type.shape[0], blocks * self.rows
        rows = tuple(ArrayType(t.kind, (number, *t.shape[1:])) for t in types[: self.rows])
        stacked = _over(types[first : first + count], self.like.length)
        return (*rows, *stacked, *types[first + count :])

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        given, after = self._reached([tangent is not None for tangent in tangents])
        if not any(after):
            return (None,) * len(after)
        like, network, domain = self.like, self.cell.network, self.domain
        moving = given[: self.rows]
        child = Builder(builder.primitives)
        child.origin = builder.origin
        operands: list[Wire] = list(self.schedule)

        def take(wire: Wire, type: ArrayType) -> Wire:
            operands.append(wire)
            return child.input(type, wire.name)

        shared = [take(wire, wire.type) for wire in self.shared]
        once = range(self.rows + self.elements, len(tangents))
        outer = {k: take(t, t.type) for k in once if (t := tangents[k]) is not None}
        count = len(operands) - like.SCHEDULE
        for k, flag in enumerate(moving):
            if flag:
                operands.append(tangents[k] or builder.zeros(domain[k]))
        rows: list[Tangent] = [
            child.input(network.inputs[k].type) if flag else None
            for _ in range(like.reads)
            for k, flag in enumerate(moving)
        ]
        stacked = [take(wire, wire.type.element()) for wire in self.stacked]
        own: list[Tangent] = []
        for tangent in tangents[self.rows : self.rows + self.elements]:
            own.append(None if tangent is None else take(tangent, tangent.type.element()))

        inner = [*rows, *own, *(outer.get(k) for k in once)]
        results = self.cell.apply(child, [*shared, *stacked], inner)
        made = like.writes * self.rows
        outputs = [
            results[k] or child.zeros(network.outputs[k].type)
            for k in range(made)
            if moving[k % self.rows]
        ]
        outputs += [result for result in results[made:] if result is not None]
        operation = TreeLoop(
            child.finish(outputs), count, sum(moving), like.reads, like.writes, like.width,
            like.length, like.reverse,
        )  # fmt: skip
        answers = iter(builder.add(operation, operands))
        found: list[Tangent] = [next(answers) if flag else None for flag in moving]
        for k, result in enumerate(results[made:]):
            wire = None if result is None else next(answers)
            if wire is not None and k >= self.stacks:
                wire = builder.emit("sum", wire, axes=(0,))
            found.append(wire)
        return tuple(found)

    def _reached(self, live: Sequence[bool]) -> tuple[list[bool], list[bool]]:
        """What the inputs and the outputs may hold: the least fixed point over the rows."""
        given, rows, like = list(live), self.rows, self.like
        while True:
            inner = [*given[:rows] * like.reads, *given[rows:]]
            made = list(self.cell.network.reach(inner))
            blocks = [made[j * rows : (j + 1) * rows] for j in range(like.writes)]
            after = [any(flags) for flags in zip(given[:rows], *blocks, strict=True)]
            if after == given[:rows]:
                return given, [*after, *made[like.writes * rows :]]
            given[:rows] = after

    def adjoint(self) -> LinearMap:
        like = self.like
        back = replace(like, reads=like.writes, writes=like.reads, reverse=not like.reverse)
        reads, finals, readers, first = self.schedule
        return TreeRecurrence(
            self.cell.adjoint(), back, (readers, first, reads, finals), self.shared, self.stacked,
            self.rows, self.stacks, self.elements,
        )  # fmt: skip

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return tuple(self._reached(given)[1])

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return _once((*self.schedule, *self.shared, *self.stacked))

    def substitute(self, renaming: Renaming) -> LinearMap:
        return TreeRecurrence(
            self.cell, self.like, _rename(self.schedule, renaming),
            _rename(self.shared, renaming), _rename(self.stacked, renaming),
            self.rows, self.elements, self.stacks,
        )  # fmt: skip

    def __repr__(self) -> str:
        way = " from the roots" if self.like.reverse else ""
        size = f"{self.like.length} x {self.like.width}"
        return f"treeRecurrence[{size}]{way} ({self.cell.network!r})"


@dataclass(frozen=True, eq=False, slots=True)
class ChooseL(LinearMap):
    """The linear map of the branch taken. Law: (choose c L M)† = choose c L† M†.

    All branches refer to the same residuals; of those that belong to another branch
    the primal made zeros. What is not taken is not computed, or, in a batch, not
    selected: it contributes nothing, not even NaN.
    """

    selector: Wire
    cells: tuple[Cell, ...]
    residuals: tuple[Wire, ...]

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.cells[0].network.domain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.cells[0].network.codomain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        given = [tangent for tangent in tangents if tangent is not None]
        reached = self.reach([tangent is not None for tangent in tangents])
        if not any(reached):
            return (None,) * len(reached)
        wanted = tuple(t for t, flag in zip(self.codomain, reached, strict=True) if flag)
        branches = []
        for cell in self.cells:
            child = Builder(builder.primitives)
            child.origin = builder.origin
            residuals = [child.input(wire.type, wire.name) for wire in self.residuals]
            inner = [None if t is None else child.input(t.type, t.name) for t in tangents]
            results = cell.apply(child, residuals, inner)
            kept = [wire for wire, flag in zip(results, reached, strict=True) if flag]
            branches.append(child.finish(filled(child, kept, wanted)))
        operands = [self.selector, *self.residuals, *given]
        made = iter(builder.add(Choose(tuple(branches)), operands))
        return tuple(next(made) if flag else None for flag in reached)

    def adjoint(self) -> LinearMap:
        return ChooseL(self.selector, tuple(cell.adjoint() for cell in self.cells), self.residuals)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        reached = [cell.network.reach(given) for cell in self.cells]
        return tuple(map(any, zip(*reached, strict=True)))

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return _once((self.selector, *self.residuals))

    def substitute(self, renaming: Renaming) -> LinearMap:
        selector = renaming.get(self.selector, self.selector)
        return ChooseL(selector, self.cells, _rename(self.residuals, renaming))

    def __repr__(self) -> str:
        branches = " ".join(f"({cell.network!r})" for cell in self.cells)
        return f"choose {_shown(self.selector)} {branches}"
