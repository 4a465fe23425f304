"""The laws of linear maps, by name: a derivative worked out one law at a time.

    D (f >> g) x = D f x >> D g (f x)          the chain rule
    D φ x = diag (φ' x), D f x = f, …          one for every kind of function
    id >> L = L, diag a >> diag b = diag (a b)  what linear maps satisfy
    (L >> M)† = M† >> L†, …                     adjoints, by structure

`differentiate` and `adjoint` apply these laws at once, where they make the maps; `steps`
applies them one after the other to a map in which nothing is worked out yet, a
`Differential` or an `Adjoint`, and says what changed. Every law keeps the map's value.
This is the one list of them. Two, `AT_CONSTRUCTION`, hold of every composition from the
beginning: `compose` (maps) is made with the functions that these laws are.

Sources: Elsman, Henglein, Kaarsgaard, Mathiesen, Schenck 2022; Elliott 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..graph.graph import Builder, Wire
from ..graph.primitive import Step as PrimitiveStep
from .maps import (
    ChooseL,
    Compose,
    Copair,
    DirectSum,
    Identity,
    Inject,
    LinearMap,
    MapL,
    Network,
    Pair,
    Part,
    Project,
    Recurrence,
    Renaming,
    Section,
    SolveL,
    Sum,
    Tangent,
    TreeRecurrence,
    Types,
    Variable,
    WhileL,
    Zero,
    associated,
    compose,
    section,
    without_identities,
)

# --- what is not worked out yet -----------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class Differential(LinearMap):
    """D f at a point, not worked out: `map` is what it comes to, `kind` by which rule."""

    function: str
    kind: str
    map: LinearMap

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.map.domain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.map.codomain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        return self.map.apply(builder, tangents)

    def adjoint(self) -> LinearMap:
        return Adjoint(self)

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return self.map.reach(given)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return self.map.fixed

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Differential(self.function, self.kind, self.map.substitute(renaming))

    def __repr__(self) -> str:
        return f"D {self.function}"


@dataclass(frozen=True, eq=False, slots=True)
class Adjoint(LinearMap):
    """L†, not worked out."""

    map: LinearMap

    @property
    def domain(self) -> Types:  # type: ignore[override]
        return self.map.codomain

    @property
    def codomain(self) -> Types:  # type: ignore[override]
        return self.map.domain

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        return worked_out(self.map).adjoint().apply(builder, tangents)

    def adjoint(self) -> LinearMap:
        return self.map

    def reach(self, given: Sequence[bool]) -> tuple[bool, ...]:
        return worked_out(self.map).adjoint().reach(given)

    @property
    def fixed(self) -> tuple[Wire, ...]:
        return self.map.fixed

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Adjoint(self.map.substitute(renaming))

    def __repr__(self) -> str:
        text = repr(self.map)
        return f"({text})†" if " " in text else f"{text}†"


def worked_out(map: LinearMap) -> LinearMap:
    """The map without anything that waits."""
    match map:
        case Differential(map=inner):
            return worked_out(inner)
        case Adjoint(map=inner):
            return worked_out(inner).adjoint()
        case _:
            return rebuilt(map, worked_out)


def rebuilt(map: LinearMap, function: Callable[[LinearMap], LinearMap]) -> LinearMap:
    """The map with `function` on the maps it is directly made of; itself if none changes."""
    match map:
        case (
            Compose(maps=maps)
            | Sum(maps=maps)
            | Pair(maps=maps)
            | Copair(maps=maps)
            | DirectSum(maps=maps)
        ):
            made = tuple(function(each) for each in maps)
            same = all(new is old for new, old in zip(made, maps, strict=True))
            return map if same else type(map)(made)
        case Adjoint(map=inner):
            new = function(inner)
            return map if new is inner else Adjoint(new)
        case _:
            return map


# --- from a network to one expression -----------------------------------------------------

LARGEST = 60  # maps in an expression that a person still follows


def expression(network: Network, kinds: bool = True) -> LinearMap | None:
    """The network as one expression of combinators, each part a `Differential`.

    None where what is shared would be written too often: more than `LARGEST` maps.
    """
    made: dict[Variable, LinearMap] = {}
    size: dict[Variable, int] = {}
    types = network.domain
    for k, variable in enumerate(network.inputs):
        one = len(types) == 1
        made[variable] = Identity(types) if one else Project(types, k, k + 1)
        size[variable] = 1
    sources: dict[Variable, list[tuple[Part, int]]] = {}
    for part in network.parts:
        for place, variable in enumerate(part.outputs):
            sources.setdefault(variable, []).append((part, place))

    def of(variable: Variable) -> LinearMap:
        if variable in made:
            return made[variable]
        terms: list[LinearMap] = []
        count = 0
        for part, place in sources.get(variable, []):
            given = [of(each) for each in part.inputs]
            count += 1 + sum(size[each] for each in part.inputs)
            if count > LARGEST:
                raise _TooLarge
            if (sign := _sum_of_two(part.map)) is not None:
                terms += [given[0], compose(given[1], *sign)]
                continue
            maps: list[LinearMap] = [given[0] if len(given) == 1 else Pair(tuple(given))]
            maps.append(Differential(part.function, part.kind, part.map) if kinds else part.map)
            if len(part.outputs) > 1:
                maps.append(Project(part.map.codomain, place, place + 1))
            terms.append(compose(*maps))
        if not terms:
            terms = [Zero(types, (variable.type,))]
        made[variable] = terms[0] if len(terms) == 1 else Sum(tuple(terms))
        size[variable] = count
        return made[variable]

    try:
        results = [of(variable) for variable in network.outputs]
    except _TooLarge:
        return None
    return results[0] if len(results) == 1 else Pair(tuple(results))


def _sum_of_two(map: LinearMap) -> tuple[LinearMap, ...] | None:
    """D (f + g) = D f + D g: what the second summand goes through; None for another map."""
    if not isinstance(map, Section) or len(map.open) != 2:
        return None
    if map.primitive.name == "subtract":
        return (section(map.primitives, PrimitiveStep("negate"), map.domain[1]),)
    return () if map.primitive.name == "add" else None


class _TooLarge(Exception):
    """What is shared would be written too often."""


# --- laws ---------------------------------------------------------------------------------

Rule: TypeAlias = Callable[[Builder, LinearMap], LinearMap | None]


@dataclass(frozen=True, eq=False)
class Law:
    """A law by its name: what it says, and the map it gives where it holds at the root."""

    name: str
    statement: str
    rule: Rule


LAWS: list[Law] = []


def law(name: str, statement: str) -> Callable[[Rule], Rule]:
    """Enter a law; they are tried in the order in which they are entered."""

    def enter(rule: Rule) -> Rule:
        LAWS.append(Law(name, statement, rule))
        return rule

    return enter


def _expand(kind: str) -> Rule:
    def rule(_: Builder, map: LinearMap) -> LinearMap | None:
        return map.map if isinstance(map, Differential) and map.kind == kind else None

    return rule


for _kind, _name, _statement in (
    ("program", "chain rule", "D (f >> g) x = D f x >> D g (f x), D (f + g) x = D f x + D g x"),
    ("linear", "linear function", "D f x = f, for a linear f"),
    ("bilinear", "bilinear function", "D b (x, y) = b (·, y) + b (x, ·), each a section"),
    ("elementwise", "elementwise function", "D φ x = diag (φ' x)"),
    ("general", "function with a rule of its own", "D f x, as the record of f has it"),
    ("map", "derivative of map", "D (map f) xs = mapL (D f x)"),
    ("loop", "derivative of a loop", "D (mapAccum f) is the recurrence of D f"),
    ("while", "derivative of while", "D (while c f) is D f as often as f was applied"),
    ("fixpoint", "implicit function theorem", "D (fixpoint f) = D f by x >> (id - D f by y)⁻¹"),
    ("tree", "derivative of a cata", "D (cata alg) is the tree recurrence of D alg"),
    ("choice", "derivative of a choice", "D (if c then f else g) x = choose c (D f x) (D g x)"),
):  # fmt: skip
    LAWS.append(Law(_name, _statement, _expand(_kind)))


@law("associativity", "(L >> M) >> N = L >> M >> N")
def _flat(_: Builder, map: LinearMap) -> LinearMap | None:
    flat = associated(map.maps) if isinstance(map, Compose) else ()
    return Compose(flat) if isinstance(map, Compose) and len(flat) > len(map.maps) else None


@law("identity", "id >> L = L = L >> id")
def _identity(_: Builder, map: LinearMap) -> LinearMap | None:
    kept = without_identities(map.maps) if isinstance(map, Compose) else ()
    return _composed(kept, map) if isinstance(map, Compose) and len(kept) < len(map.maps) else None


@law("zero", "0 >> L = 0 = L >> 0 and L + 0 = L")
def _zero(_: Builder, map: LinearMap) -> LinearMap | None:
    if isinstance(map, Compose) and any(isinstance(each, Zero) for each in map.maps):
        return Zero(map.domain, map.codomain)
    if isinstance(map, Sum) and any(isinstance(each, Zero) for each in map.maps):
        kept = tuple(each for each in map.maps if not isinstance(each, Zero))
        if not kept:
            return Zero(map.domain, map.codomain)
        return kept[0] if len(kept) == 1 else Sum(kept)
    return None


@law("constant summand", "D (x + c) = id, D (c - x) = negate")
def _summand(_: Builder, map: LinearMap) -> LinearMap | None:
    if isinstance(map, Section) and len(map.open) == 1:
        if map.primitive.name == "add" or (map.primitive.name == "subtract" and map.open == (0,)):
            return Identity(map.domain)
        if map.primitive.name == "subtract":
            return section(map.primitives, PrimitiveStep("negate"), map.domain[0])
    return None


@law("projection of a pair", "(L &&& M) >> proj k is the k-th of them")
def _projected(_: Builder, map: LinearMap) -> LinearMap | None:
    if not isinstance(map, Compose):
        return None
    pairs = enumerate(zip(map.maps, map.maps[1:], strict=False))
    found = (k for k, (a, b) in pairs if isinstance(a, Pair) and isinstance(b, Project))
    place = next(found, None)
    if place is None:
        return None
    pair, project = map.maps[place], map.maps[place + 1]
    assert isinstance(pair, Pair)
    assert isinstance(project, Project)
    start = 0
    for each in pair.maps:
        stop = start + len(each.codomain)
        if (start, stop) == (project.start, project.stop):
            return _replaced(map, place, 2, each)
        start = stop
    return None


@law("sums associate", "(L + M) + N = L + M + N")
def _flat_sum(_: Builder, map: LinearMap) -> LinearMap | None:
    if isinstance(map, Sum) and any(isinstance(each, Sum) for each in map.maps):
        return Sum(tuple(inner for each in map.maps for inner in _members(each, Sum)))
    return None


@law("diagonals compose", "diag a >> diag b = diag (a b)")
def _diagonals(builder: Builder, map: LinearMap) -> LinearMap | None:
    if not isinstance(map, Compose):
        return None
    for k, (one, two) in enumerate(zip(map.maps, map.maps[1:], strict=False)):
        a, b = _diagonal(one), _diagonal(two)
        if a is not None and b is not None:
            return _replaced(map, k, 2, _diag(one, builder.emit("mul", a, b)))
        if a is not None and _is(two, "negate"):
            return _replaced(map, k, 2, _diag(one, builder.emit("negate", a)))
        if b is not None and _is(one, "negate"):
            return _replaced(map, k, 2, _diag(two, builder.emit("negate", b)))
    return None


@law("distributivity", "(L >> M) + (L >> N) = L >> (M + N)")
def _distributed(_: Builder, map: LinearMap) -> LinearMap | None:
    if not isinstance(map, Sum):
        return None
    groups: list[list[Sequence[LinearMap]]] = []
    for each in map.maps:
        chain = _members(each, Compose)
        own = next((group for group in groups if alike(group[0][0], chain[0])), None)
        if own is None:
            groups.append([chain])
        else:
            own.append(chain)
    if len(groups) == len(map.maps):
        return None
    terms = [
        _composed(group[0], map) if len(group) == 1
        else Compose((group[0][0], Sum(tuple(_tail(chain) for chain in group))))
        for group in groups
    ]  # fmt: skip
    return terms[0] if len(terms) == 1 else Sum(tuple(terms))


@law("diagonals add", "diag a + diag b = diag (a + b)")
def _diagonal_sum(builder: Builder, map: LinearMap) -> LinearMap | None:
    if not isinstance(map, Sum):
        return None
    factors = [_diagonal(each) for each in map.maps]
    if any(factor is None for factor in factors):
        return None
    total = factors[0]
    for factor in factors[1:]:
        assert total is not None
        assert factor is not None
        total = builder.emit("add", total, factor)
    assert total is not None
    return _diag(map.maps[0], total)


# --- adjoints -----------------------------------------------------------------------------


@law("adjoint of a composition", "(L >> M)† = M† >> L†")
def _adjoint_of_composition(_: Builder, map: LinearMap) -> LinearMap | None:
    if isinstance(map, Adjoint) and isinstance(map.map, Compose):
        return Compose(tuple(Adjoint(each) for each in reversed(map.map.maps)))
    return None


@law("adjoint of a sum", "(L + M)† = L† + M†")
def _adjoint_of_sum(_: Builder, map: LinearMap) -> LinearMap | None:
    if isinstance(map, Adjoint) and isinstance(map.map, Sum):
        return Sum(tuple(Adjoint(each) for each in map.map.maps))
    return None


@law("adjoint of a pairing", "(L &&& M)† = L† ||| M†")
def _adjoint_of_pair(_: Builder, map: LinearMap) -> LinearMap | None:
    if isinstance(map, Adjoint) and isinstance(map.map, Pair):
        return Copair(tuple(Adjoint(each) for each in map.map.maps))
    return None


@law("adjoint of a projection", "proj† = inj")
def _adjoint_of_projection(_: Builder, map: LinearMap) -> LinearMap | None:
    if isinstance(map, Adjoint) and isinstance(map.map, Project | Inject):
        return map.map.adjoint()
    return None


@law("identity and zero are their own adjoints", "id† = id, 0† = 0")
def _adjoint_of_identity(_: Builder, map: LinearMap) -> LinearMap | None:
    if isinstance(map, Adjoint) and isinstance(map.map, Identity | Zero):
        return map.map.adjoint()
    return None


@law("a diagonal is its own adjoint", "(diag d)† = diag (conj d)")
def _adjoint_of_diagonal(_: Builder, map: LinearMap) -> LinearMap | None:
    if (
        isinstance(map, Adjoint)
        and isinstance(map.map, Section)
        and map.map.primitive.name == "mul"
    ):
        return map.map.adjoint()
    return None


@law("adjoint of a section", "b (x, ·)†, as the record of b has it")
def _adjoint_of_section(_: Builder, map: LinearMap) -> LinearMap | None:
    return _by_structure(map, Section)


@law("adjoint of mapL", "(mapL L)† = mapL L†; what was shared is summed")
def _adjoint_of_map(_: Builder, map: LinearMap) -> LinearMap | None:
    return _by_structure(map, MapL)


@law("adjoint of a recurrence", "the recurrence of the adjoints, the other way through time")
def _adjoint_of_recurrence(_: Builder, map: LinearMap) -> LinearMap | None:
    return _by_structure(map, Recurrence)


@law("adjoint of while", "the steps that were made, backwards, each with its adjoint")
def _adjoint_of_while(_: Builder, map: LinearMap) -> LinearMap | None:
    return _by_structure(map, WhileL)


@law("adjoint of a network", "the network backwards, each map replaced by its adjoint")
def _adjoint_of_network(_: Builder, map: LinearMap) -> LinearMap | None:
    return _by_structure(map, Network)


@law("adjoint of an inverse", "(L⁻¹)† = (L†)⁻¹")
def _adjoint_of_inverse(_: Builder, map: LinearMap) -> LinearMap | None:
    return _by_structure(map, SolveL)


@law("adjoint of a tree recurrence", "from the roots to the leaves, with the adjoints")
def _adjoint_of_tree(_: Builder, map: LinearMap) -> LinearMap | None:
    return _by_structure(map, TreeRecurrence)


@law("adjoint of a choice", "(choose c L M)† = choose c L† M†")
def _adjoint_of_choice(_: Builder, map: LinearMap) -> LinearMap | None:
    return _by_structure(map, ChooseL)


@law("injections pair", "L >> inj 1 + M >> inj 2 = L &&& M")
def _injections(_: Builder, map: LinearMap) -> LinearMap | None:
    if not isinstance(map, Sum):
        return None
    chains = [list(_members(each, Compose)) for each in map.maps]
    ends = [chain[-1] for chain in chains]
    if not all(isinstance(end, Inject) for end in ends):
        return None
    parts: list[LinearMap] = []
    for k, type in enumerate(map.codomain):
        own: list[LinearMap] = []
        for chain, end in zip(chains, ends, strict=True):
            assert isinstance(end, Inject)
            if end.stop != end.start + 1:
                return None
            if end.start == k:
                own.append(_composed(chain[:-1], Identity(map.domain)))
        if not own:
            parts.append(Zero(map.domain, (type,)))
        else:
            parts.append(own[0] if len(own) == 1 else Sum(tuple(own)))
    return Pair(tuple(parts))


def _by_structure(map: LinearMap, kind: type) -> LinearMap | None:
    if isinstance(map, Adjoint) and isinstance(map.map, kind):
        return map.map.adjoint()
    return None


# --- pieces of maps -----------------------------------------------------------------------


def _members(map: LinearMap, kind: type) -> Sequence[LinearMap]:
    return map.maps if isinstance(map, kind) else (map,)  # type: ignore[attr-defined]


def _composed(maps: Sequence[LinearMap], otherwise: LinearMap) -> LinearMap:
    if not maps:
        return Identity(otherwise.domain)
    return maps[0] if len(maps) == 1 else Compose(tuple(maps))


def _tail(chain: Sequence[LinearMap]) -> LinearMap:
    return _composed(chain[1:], Identity(chain[0].codomain))


def _replaced(map: Compose, start: int, count: int, new: LinearMap) -> LinearMap:
    return _composed([*map.maps[:start], new, *map.maps[start + count :]], map)


def _is(map: LinearMap, primitive: str) -> bool:
    """Whether the map is a primitive of one operand."""
    return isinstance(map, Section) and map.primitive.name == primitive and len(map.operands) == 1


def _diagonal(map: LinearMap) -> Wire | None:
    """d, where the map is diag d over R."""
    if not isinstance(map, Section) or map.primitive.name != "mul" or map.parameters:
        return None
    other = map.operands[1 - map.open[0]]
    return other if isinstance(other, Wire) and map.domain[0].kind == "R" else None


def _diag(like: LinearMap, factor: Wire) -> LinearMap:
    assert isinstance(like, Section)
    return section(like.primitives, PrimitiveStep("mul", {}, 0, (factor,)), like.domain[0])


def alike(one: LinearMap, two: LinearMap) -> bool:
    """Whether two maps are the same because they are made of the same."""
    if one is two:
        return True
    match one, two:
        case Project(), Project():
            return (one.domain, one.start, one.stop) == (two.domain, two.start, two.stop)
        case Section(), Section():
            return (one.primitive, one.parameters, one.open, one.operands) == (
                two.primitive, two.parameters, two.open, two.operands,
            )  # fmt: skip
        case _:
            return False


# Laws that `compose` applies where a map is made.
AT_CONSTRUCTION = frozenset(("associativity", "identity"))
# Laws that make new coefficients of old ones.
_COEFFICIENTS = frozenset(("diagonals compose", "diagonals add"))
MOST = 200  # laws applied to one map; none needs so many

# --- one law at a time --------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Step:
    """A law that fired: where, as pairs of what was and what is, and the map after it."""

    law: Law
    changes: tuple[tuple[LinearMap, LinearMap], ...]
    map: LinearMap


def fired(builder: Builder, map: LinearMap, law: Law) -> Step | None:
    """The law at every place of the map where it holds, inside first; None if nowhere."""
    changes: list[tuple[LinearMap, LinearMap]] = []

    def at(part: LinearMap) -> LinearMap:
        inner = rebuilt(part, at)
        new = law.rule(builder, inner)
        if new is None:
            return inner
        changes.append((inner, new))
        return new

    made = at(map)
    return Step(law, tuple(changes), made) if changes else None


def steps(builder: Builder, map: LinearMap, tidy: bool = False) -> list[Step]:
    """The laws that fire on a map, in order, until none does.

    `builder` is the primal's: laws may make new coefficients there. With `tidy`, only the
    laws that make none.
    """
    found: list[Step] = []
    given = [each for each in LAWS if not (tidy and each.name in _COEFFICIENTS)]
    while len(found) < MOST:
        step = next((made for each in given if (made := fired(builder, map, each))), None)
        if step is None:
            break
        found.append(step)
        map = step.map
    return found
