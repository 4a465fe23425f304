"""The structure of linear maps: matrix, diagonal, trace and solution, by what is known.

    matrix     an array only when it is asked for: the map on a basis, all at once
    diagonal   of a map that works entry by entry, the map at ones: n numbers, not n²
    trace      the sum of the diagonal
    solve      factor by factor of a composition, part by part of a direct sum, by
               division where the map works entry by entry, else by the matrix

Everything is emitted into a graph. The entries of a product stand in the order of its
arrays, each in row-major order: laid end to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ..graph.graph import ArrayType, Builder, Map, Wire
from .maps import (
    Add,
    ChooseL,
    Compose,
    Copair,
    DirectSum,
    Dup,
    Identity,
    Inject,
    LinearMap,
    MapL,
    Network,
    NoAdjoint,
    Pair,
    Project,
    Recurrence,
    Scale,
    Section,
    Sum,
    TreeRecurrence,
    Types,
    WhileL,
    Zero,
    filled,
)

# Sections of these work on each entry by itself: u ↦ f u, entry by entry.
_ENTRYWISE = frozenset({"mul", "add", "subtract", "negate", "select"})


def matrix(builder: Builder, map: LinearMap) -> Wire:
    """The array of a linear map: the axes of its codomain, then those of its domain.

    A product, on either side, becomes one axis with all its entries. The map is
    applied to a basis of its domain, or its adjoint to one of its codomain, whichever
    is smaller. Raises ValueError over C.
    """
    rows = _rows(builder, map)
    return builder.emit("reshape", rows, shape=(*_axes(map.codomain), *_axes(map.domain)))


def diagonal(builder: Builder, map: LinearMap) -> tuple[Wire, ...]:
    """The diagonal entries of a map of a space into itself, as an element of it.

    Raises ValueError where domain and codomain differ.
    """
    _require_square(map)
    if entrywise(map):
        return _apply(builder, map, [_ones(builder, type) for type in map.domain])
    if isinstance(map, DirectSum) and all(each.domain == each.codomain for each in map.maps):
        return tuple(wire for each in map.maps for wire in diagonal(builder, each))
    if isinstance(map, Sum):
        terms = [diagonal(builder, each) for each in map.maps]
        total = terms[0]
        for term in terms[1:]:
            pairs = zip(total, term, strict=True)
            total = tuple(builder.emit("add", one, two) for one, two in pairs)
        return total
    size = _size(map.domain)
    rows = _rows(builder, map)
    on = builder.emit(
        "contract", rows, _identity(builder, size), left=(0, 1), right=(0, 1), out=(0,)
    )
    return _parts(builder, on, map.domain)


def trace(builder: Builder, map: LinearMap) -> Wire:
    """The sum of the diagonal entries."""
    total = builder.constant(0.0)
    for wire in diagonal(builder, map):
        entries = builder.emit("sum", wire, axes=tuple(range(wire.type.rank)))
        total = builder.emit("add", total, entries)
    return total


def solve(builder: Builder, map: LinearMap, image: Sequence[Wire]) -> tuple[Wire, ...]:
    """The u with L u = image, for a map between spaces of one size.

    Raises ValueError where the sizes differ.
    """
    if _size(map.domain) != _size(map.codomain):
        raise ValueError(f"no solution: the map goes from {_listed(map.domain)} to "
                         f"{_listed(map.codomain)}")  # fmt: skip
    match map:
        case Identity():
            return tuple(image)
        case Compose(maps) if all(_size(m.domain) == _size(m.codomain) for m in maps):
            for each in reversed(maps):
                image = solve(builder, each, image)
            return tuple(image)
        case DirectSum(maps) if all(_size(m.domain) == _size(m.codomain) for m in maps):
            answers: list[Wire] = []
            rest = list(image)
            for each in maps:
                count = len(each.codomain)
                answers += solve(builder, each, rest[:count])
                rest = rest[count:]
            return tuple(answers)
        case _ if map.domain == map.codomain and entrywise(map):
            factors = diagonal(builder, map)
            pairs = zip(image, factors, strict=True)
            return tuple(builder.emit("divide", wire, factor) for wire, factor in pairs)
    flat = _flat(builder, image, _size(map.codomain))
    answer = builder.emit("solve", _rows(builder, map), flat)
    return _parts(builder, answer, map.domain)


def entrywise(map: LinearMap) -> bool:
    """Whether the map is known to work on each entry by itself: a diagonal matrix."""
    match map:
        case Identity() | Scale():
            return True
        case Zero(domain, codomain):
            return domain == codomain
        case Section():
            shapes = {operand.shape if isinstance(operand, ArrayType) else operand.type.shape
                      for operand in map.operands}  # fmt: skip
            name = map.primitive.name
            return len(map.open) == 1 and len(shapes) == 1 and name in _ENTRYWISE
        case Compose(maps) | Sum(maps) | DirectSum(maps):
            return all(entrywise(each) for each in maps)
        case Network():
            return _entrywise_network(map)
        case ChooseL(cells=cells):
            return all(_entrywise_network(cell.network) for cell in cells)
        case Pair(maps) | Copair(maps):
            return len(maps) == 1 and entrywise(maps[0])
        case Project() | Inject() | Dup() | Add():
            return map.domain == map.codomain and len(map.domain) <= 1
        case MapL() | Recurrence() | WhileL() | TreeRecurrence():
            return False
        case other:
            raise AssertionError(f"no structure of {other}")


def _entrywise_network(network: Network) -> bool:
    """Every part works entry by entry, and output k depends on input k alone."""
    if network.domain != network.codomain:
        return False
    source = {variable: {k} for k, variable in enumerate(network.inputs)}
    if len(source) != len(network.inputs):
        return False
    for part in network.parts:
        together = len(part.inputs) > 1 and isinstance(part.map, Section)
        if not (entrywise(part.map) or (together and _entrywise_sum(part.map))):
            return False
        if len(part.outputs) != 1:
            return False
        (output,) = part.outputs
        for variable in part.inputs:
            source.setdefault(output, set()).update(source.get(variable, ()))
    return all(source.get(v, set()) <= {k} for k, v in enumerate(network.outputs))


def _entrywise_sum(map: LinearMap) -> bool:
    """A primitive open in several slots at once, each of which works entry by entry."""
    assert isinstance(map, Section)
    return map.primitive.name in _ENTRYWISE and len({*map.domain, *map.codomain}) == 1


# --- entries ------------------------------------------------------------------------------


def _rows(builder: Builder, map: LinearMap) -> Wire:
    """The matrix of all entries of the codomain by all entries of the domain."""
    for type in (*map.domain, *map.codomain):
        if type.kind != "R":
            raise ValueError(f"no matrix of a map over {type}: only over R")
    inputs, outputs = _size(map.domain), _size(map.codomain)
    if outputs < inputs:
        with suppress(NoAdjoint):
            return _on_basis(builder, map.adjoint(), outputs)
    columns = _on_basis(builder, map, inputs)
    return builder.emit("transpose", columns, permutation=(1, 0))


def _on_basis(builder: Builder, map: LinearMap, size: int) -> Wire:
    """The images of all basis vectors, one in each row."""
    child = builder.child()
    vector = child.input(ArrayType("R", (size,)))
    images = _apply(child, map, _parts(child, vector, map.domain))
    body = child.finish([_flat(child, images, _size(map.codomain))])
    captured = child.captured
    operation = Map(body, len(captured), size)
    return builder.add(operation, [*captured, _identity(builder, size)])[0]


def _apply(builder: Builder, map: LinearMap, vectors: Sequence[Wire]) -> tuple[Wire, ...]:
    return filled(builder, map.apply(builder, vectors), map.codomain)


def _flat(builder: Builder, wires: Sequence[Wire], size: int) -> Wire:
    """All entries in one axis."""
    flat = [builder.emit("reshape", wire, shape=(wire.type.size,)) for wire in wires]
    if not flat:
        return builder.zeros(ArrayType("R", (size,)))
    return flat[0] if len(flat) == 1 else builder.emit("concat", *flat, axis=0)


def _parts(builder: Builder, flat: Wire, types: Types) -> tuple[Wire, ...]:
    """The arrays whose entries stand in one axis."""
    parts, start = [], 0
    for type in types:
        stop = start + type.size
        part = builder.emit("slice", flat, axis=0, start=start, stop=stop, stride=1)
        parts.append(builder.emit("reshape", part, shape=type.shape))
        start = stop
    return tuple(parts)


def _identity(builder: Builder, size: int) -> Wire:
    """The identity matrix."""
    index = builder.emit("iota", size=size)
    rows = builder.emit("broadcast", index, shape=(size, size), axes=(0,))
    columns = builder.emit("broadcast", index, shape=(size, size), axes=(1,))
    return builder.emit("convert", builder.emit("compare", rows, columns, how="eq"), kind="R")


def _ones(builder: Builder, type: ArrayType) -> Wire:
    return builder.emit("broadcast", builder.constant(1, type.kind), shape=type.shape, axes=())


def _axes(types: Types) -> tuple[int, ...]:
    return types[0].shape if len(types) == 1 else (_size(types),)


def _size(types: Types) -> int:
    return sum(type.size for type in types)


def _require_square(map: LinearMap) -> None:
    if map.domain != map.codomain:
        raise ValueError(
            f"no diagonal: the map goes from {_listed(map.domain)} to {_listed(map.codomain)}"
        )


def _listed(types: Types) -> str:
    return "(" + ", ".join(str(type) for type in types) + ")"
