"""From a linear map to its form: what is proved of it by how it is made.

A network is cut where all its ways pass through one variable; it is the product of what
lies between the cuts, and what lies between two cuts is the sum of the ways. A part is
sparse by its pattern, or a matrix beside the identity (a Kronecker product); factors
and terms that go together are then put together. Of two readings of one map the one is
kept whose solution, or matrix, costs less (cost.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

from ...graph.graph import ArrayType
from .. import maps as linear
from ..maps import LinearMap, Network, Part, Section, Variable, compose
from . import cost
from .forms import (
    Blocks,
    Dense,
    Form,
    Inverted,
    Kronecker,
    Opaque,
    Product,
    Scaling,
    Sparse,
    Steps,
    Sum,
    Transitions,
    Zero,
    size_of,
    uniform,
)
from .pattern import Pattern
from .sparse import entries

WAYS = 12  # a network with more ways between two cuts is not told apart


@lru_cache(maxsize=64)
def recognise(map: LinearMap) -> Form:
    """The form of a linear map.

    >>> from nnfp_kernel.graph.graph import ArrayType
    >>> recognise(linear.Identity((ArrayType("R", (3,)),)))
    Scaling(rows=3, columns=3, kind='R', map=id, factor=None, conjugated=False)

    Over C it is the form of a map that is complex-linear; any other is opaque.
    """
    if not uniform(map):
        return Opaque(*size_of(map))
    match map:
        case linear.Zero():
            return Zero(*size_of(map))
        case linear.Identity():
            return Scaling(*size_of(map))
        case linear.Scale(factor, _, conjugated):
            return Scaling(*size_of(map), factor, conjugated)
    found = entries(map)
    sparse = None if found is None else _sparse(map, found.pattern)
    if isinstance(sparse, Zero | Scaling) or (
        isinstance(sparse, Sparse) and sparse.shape in ("diagonal", "permutation")
    ):
        return sparse
    made = _made(map)
    if sparse is None or isinstance(made, Kronecker | Steps):
        return made
    return made if cost.rank(made) < cost.rank(sparse) else sparse


def _sparse(map: LinearMap, pattern: Pattern) -> Form | None:
    """The form of a pattern; None where the pattern says little."""
    if not pattern.count:
        return Zero(*size_of(map))
    if pattern.diagonal and pattern.ones and pattern.count == pattern.shape[0]:
        return Scaling(*size_of(map))
    form = Sparse(*size_of(map), pattern)
    full = 4 * pattern.count > pattern.shape[0] * pattern.shape[1]
    return None if full and form.shape == "sparse" else form


def _made(map: LinearMap) -> Form:
    """The form by how the map is put together."""
    match map:
        case Section():
            return _section(map)
        case linear.Compose(maps):
            return product(map, list(_factors(maps)))
        case linear.Sum(maps):
            return total(map, [recognise(each) for each in maps])
        case linear.DirectSum(maps):
            parts = tuple(recognise(each) for each in maps)
            if len(parts) == 1:
                return parts[0]
            return Blocks(*size_of(map), parts)
        case linear.Pair(maps) | linear.Copair(maps) if len(maps) == 1:
            return recognise(maps[0])
        case Network():
            return _network(map)
        case linear.Recurrence() if _of_states(map):
            return Transitions(*size_of(map), map)
        case linear.SolveL(inner) if (found := recognise(inner)).square:
            return Inverted(*size_of(map), found)
        case _:
            return Opaque(*size_of(map))


def _factors(maps: Sequence[LinearMap]) -> Iterator[Form]:
    """The forms of maps one after the other; a loop from one of its inputs to one of its
    outputs is told together with the choice of the two."""
    k = 0
    while k < len(maps):
        match maps[k : k + 3]:
            case [linear.Inject() as inject, inner, linear.Project() as out] if not isinstance(
                inner, Section | Network
            ):
                yield _chosen(inject, inner, out)
                k += 3
            case _:
                yield recognise(maps[k])
                k += 1


def _of_states(map: linear.Recurrence) -> bool:
    """Whether a recurrence has nothing but its state."""
    alone = map.states == len(map.cell.network.domain) == len(map.cell.network.codomain)
    return alone and map.rounds is None


def _chosen(inject: linear.Inject, inner: LinearMap, out: linear.Project) -> Form:
    """A map with several inputs and outputs in one of each."""
    whole = linear.Compose((inject, inner, out))
    if isinstance(inner, linear.Recurrence) and inner.rounds is None:
        elements = range(inner.states, inner.states + inner.elements)
        stacks = range(inner.states, inner.states + inner.stacks)
        chosen = inject.start in elements and out.start in stacks
        if chosen and inject.domain == out.codomain and len(out.codomain) == 1:
            return Steps(*size_of(whole), inner, inject.start, out.start)
        states = (0, inner.states)
        if (inject.start, inject.stop) == (out.start, out.stop) == states:
            return Transitions(*size_of(whole), inner)
    return _tangled(whole)


# --- sections ----------------------------------------------------------------------------


def _section(map: Section) -> Form:
    """A product with a matrix: dense, or beside identities on the axes that pass."""
    if map.primitive.name != "contract" or len(map.open) != 1:
        return Opaque(*size_of(map))
    (position,) = map.open
    labels = map.parameters["left"], map.parameters["right"]
    out: tuple[int, ...] = map.parameters["out"]
    domain, fixed = labels[position], labels[1 - position]
    matrix = map.operands[1 - position]
    if isinstance(matrix, ArrayType) or any(k in fixed and k in domain for k in out):
        return Opaque(*size_of(map))
    conjugated = bool(map.parameters.get("conjugate")) and position == 0
    sizes = dict(zip(domain, map.domain[0].shape, strict=True))
    sizes |= dict(zip(fixed, matrix.type.shape, strict=True))
    passing = [k for k in out if k in domain]
    rows = [k for k in out if k not in passing]
    columns = [k for k in domain if k not in passing]
    order = tuple(fixed.index(k) for k in (*rows, *columns))
    height, width = prod(sizes[k] for k in rows), prod(sizes[k] for k in columns)
    _, _, kind, _ = size_of(map)
    if not passing:
        return Dense(height, width, kind, map, matrix, order, len(rows), conjugated)
    dense = Dense(height, width, kind, None, matrix, order, len(rows), conjugated)
    # The passing axes stand in one order before or after the others, in both.
    count = len(passing)
    other = prod(sizes[k] for k in passing)
    beside = Scaling(other, other, kind, None)
    if list(out[:count]) == passing == list(domain[:count]):
        return Kronecker(*size_of(map), beside, dense)
    if list(out[len(rows) :]) == passing == list(domain[len(columns) :]):
        return Kronecker(*size_of(map), dense, beside)
    return Opaque(*size_of(map))


def _alone(map: LinearMap, source: int, target: int) -> LinearMap | None:
    """A part in one of its inputs and one of its outputs; None where that is zero."""
    domain, codomain = map.domain, map.codomain
    if len(domain) == 1 and len(codomain) == 1:
        return map
    if isinstance(map, Section):
        place, name, only = map.open[source], map.primitive.name, (domain[source],)
        if name == "add" or (name == "subtract" and place == 0):
            return linear.Identity(only)
        return Section(
            map.primitives, map.primitive, map.parameters, (place,), map.operands, only, codomain
        )
    if not map.reach([k == source for k in range(len(domain))])[target]:
        return None
    inject = linear.Inject(domain, source, source + 1)
    return linear.Compose((inject, map, linear.Project(codomain, target, target + 1)))


# --- networks ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Way:
    """A part of a network from one variable to another."""

    map: LinearMap
    source: Variable
    target: Variable


def _network(map: Network) -> Form:
    if len(map.parts) == 1 and (map.parts[0].inputs, map.parts[0].outputs) == (
        map.inputs, map.outputs
    ):  # fmt: skip
        return recognise(map.parts[0].map)
    if len(map.inputs) != 1 or len(map.outputs) != 1:
        return _grid(map)
    (start,), (end,) = map.inputs, map.outputs
    if start is end and not any(start in part.outputs for part in map.parts):
        return Scaling(*size_of(map))
    ways = _useful(_ways(map), start, end)
    if not ways:
        return Zero(*size_of(map))
    forms = []
    for segment in _cut(ways, start, end):
        source, target = segment[0].source, segment[-1].target
        found = _between(segment, source, target)
        if found is not None:
            forms.append(recognise(found[0] if len(found) == 1 else linear.Sum(tuple(found))))
        else:
            parts = tuple(Part(way.map, (way.source,), (way.target,)) for way in segment)
            forms.append(_tangled(Network((source,), parts, (target,))))
    return product(map, forms)


def _tangled(map: LinearMap) -> Form:
    """A map with too many ways through it to tell them apart: sparse or opaque."""
    found = entries(map)
    return (found and _sparse(map, found.pattern)) or Opaque(*size_of(map))


def _ways(map: Network) -> list[_Way]:
    """The parts in order, each from one variable to one, networks within taken apart."""
    ways: list[_Way] = []
    reached = set(map.inputs)

    def way(map: LinearMap, source: Variable, target: Variable) -> None:
        ways.append(_Way(map, source, target))
        reached.add(target)

    def inside(inner: Network, sources: Sequence[Variable], targets: Sequence[Variable]) -> None:
        # A network may be used twice: each use has variables of its own.
        own: dict[Variable, Variable] = {}

        def mine(variable: Variable) -> Variable:
            return own.setdefault(variable, Variable(variable.type))

        for source, variable in zip(sources, inner.inputs, strict=True):
            if source in reached:
                way(linear.Identity((source.type,)), source, mine(variable))
        walk(inner.parts, mine)
        for variable, target in zip(inner.outputs, targets, strict=True):
            if mine(variable) in reached:
                way(linear.Identity((target.type,)), mine(variable), target)

    def walk(parts: Iterable[Part], mine: Callable[[Variable], Variable]) -> None:
        for part in parts:
            sources = [mine(variable) for variable in part.inputs]
            targets = [mine(variable) for variable in part.outputs]
            if isinstance(part.map, Network):
                inside(part.map, sources, targets)
                continue
            for k, source in enumerate(sources):
                for j, target in enumerate(targets):
                    alone = _alone(part.map, k, j) if source in reached else None
                    if alone is not None:
                        way(alone, source, target)

    walk(map.parts, lambda variable: variable)
    return ways


def _useful(ways: Sequence[_Way], start: Variable, end: Variable) -> list[_Way]:
    """The parts on some way from start to end."""
    after = {start}
    forward = []
    for way in ways:
        if way.source in after:
            after.add(way.target)
            forward.append(way)
    before = {end}
    kept = []
    for way in reversed(forward):
        if way.target in before:
            before.add(way.source)
            kept.append(way)
    return kept[::-1]


def _cut(ways: Sequence[_Way], start: Variable, end: Variable) -> list[list[_Way]]:
    """The parts between the variables through which everything passes."""
    last_use = {way.source: k for k, way in enumerate(ways)}
    last_made = {way.target: k for k, way in enumerate(ways)}
    last_use[end] = len(ways)
    segments: list[list[_Way]] = []
    here: list[_Way] = []
    live = {start}
    for k, way in enumerate(ways):
        here.append(way)
        live.add(way.target)
        live = {v for v in live if last_use[v] > k}
        if len(live) == 1 and last_made[next(iter(live))] <= k:
            segments.append(here)
            here = []
    return segments


def _between(segment: Sequence[_Way], start: Variable, end: Variable) -> list[LinearMap] | None:
    """All ways from start to end, each as one map; None where there are too many."""
    found: dict[Variable, list[tuple[LinearMap, ...]]] = {start: [()]}
    for way in segment:
        made = [(*chain, way.map) for chain in found.get(way.source, [])]
        there = found.setdefault(way.target, [])
        there += made
        if len(there) > WAYS:
            return None
    return [compose(*chain) if chain else linear.Identity((start.type,)) for chain in found[end]]


def _grid(map: Network) -> Form:
    """A network of several inputs and outputs: a direct sum where they do not mix."""
    if len(map.inputs) != len(map.outputs) or len(set(map.outputs)) < len(map.outputs):
        return Opaque(*size_of(map))
    parts = []
    for k, (source, target) in enumerate(zip(map.inputs, map.outputs, strict=True)):
        for j, other in enumerate(map.inputs):
            reached = Network((other,), map.parts, (target,)).useful().reach((True,))
            if j != k and any(reached):
                return Opaque(*size_of(map))
        parts.append(Network((source,), _reaching(map.parts, source), (target,)).useful())
    if len(parts) <= 1:
        return Opaque(*size_of(map))
    return Blocks(*size_of(map), tuple(recognise(part) for part in parts))


def _reaching(parts: Sequence[Part], source: Variable) -> tuple[Part, ...]:
    """The parts that depend on a variable."""
    reached = {source}
    kept = []
    for part in parts:
        if not reached.isdisjoint(part.inputs):
            reached.update(part.outputs)
            kept.append(part)
    return tuple(kept)


# --- products and sums ---------------------------------------------------------------------


def product(map: LinearMap, factors: Sequence[Form]) -> Form:
    """The product of forms, the first one applied first."""
    flat: list[Form] = []
    for each in factors:
        flat += each.factors if isinstance(each, Product) else [each]
    if any(isinstance(each, Zero) for each in flat):
        return Zero(*size_of(map))
    kept: list[Form] = []
    shaped: LinearMap | None = None  # the entries as other arrays, before any factor
    for each in flat:
        if isinstance(each, Scaling) and each.factor is None and each.map is not None:
            if kept:
                kept[-1] = _then(kept[-1], each.map)
            else:
                shaped = each.map if shaped is None else compose(shaped, each.map)
            continue
        if shaped is not None and each.map is not None:
            each, shaped = replace(each, map=compose(shaped, each.map)), None
        while kept and (merged := _merged(kept[-1], each)) is not None:
            kept.pop()
            each = merged
        kept.append(each)
    if not kept:
        return Scaling(*size_of(map))
    return kept[0] if len(kept) == 1 else Product(*size_of(map), tuple(kept))


def _then(form: Form, shaped: LinearMap) -> Form:
    """The same entries, the answer as other arrays."""
    return form if form.map is None else replace(form, map=compose(form.map, shaped))


def _merged(first: Form, second: Form) -> Form | None:
    """Two factors as one form, where that is no less structured."""
    match first, second:
        case Kronecker(), Kronecker():
            left, right = (first.left, second.left), (first.right, second.right)
            if left[0].rows != left[1].columns or first.map is None or second.map is None:
                return None
            return Kronecker(
                second.rows, first.columns, first.kind, compose(first.map, second.map),
                _factor(*left), _factor(*right),
            )  # fmt: skip
        case ((Sparse() | Scaling()), (Sparse() | Scaling())):
            if first.map is None or second.map is None:
                return None
            both = compose(first.map, second.map)
            found = entries(both)
            if found is None or found.pattern.count > _places(first) + _places(second):
                return None
            return _sparse(both, found.pattern)
        case _:
            return None


def _places(form: Sparse | Scaling) -> int:
    return form.pattern.count if isinstance(form, Sparse) else form.rows


def _factor(first: Form, second: Form) -> Form:
    """The product of two factors of Kronecker products, which have no maps."""
    if isinstance(first, Scaling):
        return second
    if isinstance(second, Scaling):
        return first
    flat: list[Form] = []
    for each in (first, second):
        flat += each.factors if isinstance(each, Product) else [each]
    return Product(second.rows, first.columns, first.kind, None, tuple(flat))


def total(map: LinearMap, terms: Sequence[Form]) -> Form:
    """The sum of forms: what is sparse is added up, the rest stands beside it."""
    flat: list[Form] = []
    for each in terms:
        flat += each.terms if isinstance(each, Sum) else [each]
    thin = [each for each in flat if isinstance(each, Sparse | Scaling)]
    rest = [each for each in flat if not isinstance(each, Sparse | Scaling | Zero)]
    if len(thin) > 1:
        together = linear.Sum(tuple(each.map for each in thin if each.map is not None))
        found = entries(together)
        made = None if found is None else _sparse(together, found.pattern)
        thin = [made] if isinstance(made, Sparse | Scaling) else thin
    kept = [*thin, *rest]
    if not kept:
        return Zero(*size_of(map))
    return kept[0] if len(kept) == 1 else Sum(*size_of(map), tuple(kept))
