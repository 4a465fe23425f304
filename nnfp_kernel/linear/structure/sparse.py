"""The entries of a sparse linear map, made from how it is made.

`entries(map)` is the pattern of the map's matrix; with a builder, also the wire of all
its entries, in the pattern's order. No vector is sent through the map: an entry is the
sum over all ways from its column to its row of the products of coefficients along the
way. So a Jacobian of three diagonals costs three times its length, and a movement of
entries costs nothing. None where too little is zero, or where nothing is known.

Source: Griewank and Walther 2008, chapter 7 (sparse Jacobians by direct propagation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy

from ...graph.graph import ArrayType, Builder, Call, Constant, Wire
from ..maps import (
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
    Pair,
    Project,
    Recurrence,
    Scale,
    Section,
    SolveL,
    Sum,
    TreeRecurrence,
    Types,
    Variable,
    WhileL,
    Zero,
)
from . import pattern as patterns
from .pattern import MOST, Index, Pattern


@dataclass(frozen=True, eq=False)
class Entries:
    """A pattern and its entries; no `data` where they are all 1, or not asked for."""

    pattern: Pattern
    data: Wire | None = None


Found: TypeAlias = "Entries | None"

DENSE = 1 << 12  # a full matrix with more entries than this is not looked at as sparse
DEEP = 6  # so many products and sums, one in another, are taken from what they are made of
MEETING = 3  # entries are gathered, where that is no more than so many for one

# Linear in each entry by itself, the entry of the answer at the same place.
_ENTRYWISE = frozenset({"mul", "add", "subtract", "negate", "select", "conj", "convert"})


def entries(map: LinearMap, builder: Builder | None = None) -> Found:
    """The pattern of a map's matrix, and with a builder its entries."""
    return _Propagation(builder).map(map)


class _Propagation:
    """Patterns alone, or with their entries as nodes of a builder."""

    def __init__(self, builder: Builder | None):
        self.builder = builder

    def map(self, map: LinearMap) -> Found:
        rows, columns = entry_count(map.codomain), entry_count(map.domain)
        match map:
            case Zero():
                return Entries(patterns.zero((rows, columns)))
            case Identity():
                return Entries(patterns.identity(rows))
            case Scale():
                return self._scale(map, rows)
            case Section():
                parts = [self._section(map, position) for position in map.open]
                return self._beside(parts)
            case Compose(maps):
                found: Found = self.map(maps[0])
                for each in maps[1:]:
                    found = self._after(self.map(each), found)
                return found
            case Sum(maps):
                return self._sum([self.map(each) for each in maps])
            case Pair(maps):
                return self._above([self.map(each) for each in maps])
            case Copair(maps):
                return self._beside([self.map(each) for each in maps])
            case DirectSum(maps):
                return self._blocks(maps, rows, columns)
            case Project(domain, start):
                first, line = entry_count(domain[:start]), numpy.arange(rows)
                return Entries(Pattern((rows, columns), line, line + first, True))
            case Inject(codomain, start):
                first, line = entry_count(codomain[:start]), numpy.arange(columns)
                return Entries(Pattern((rows, columns), line + first, line, True))
            case Dup(count=count):
                return self._above([Entries(patterns.identity(columns))] * count)
            case Add(count=count):
                if not count:
                    return Entries(patterns.zero((rows, columns)))
                return self._beside([Entries(patterns.identity(rows))] * count)
            case Network():
                return self._network(map)
            case MapL() if self.builder is None:
                return _elements(map)
            case Recurrence(rounds=None) if self.builder is None:
                return _steps(map)
            case ChooseL(cells=cells) if self.builder is None:
                cases = [self.map(cell.network) for cell in cells]
                return self._sum([c and Entries(_anything(c.pattern)) for c in cases])
            case MapL() | Recurrence() | WhileL() | SolveL() | ChooseL() | TreeRecurrence():
                return None
            case other:
                raise AssertionError(f"no structure of {other}")

    # --- sections ---------------------------------------------------------------------------

    def _section(self, map: Section, position: int) -> Found:
        name, parameters = map.primitive.name, map.parameters
        operands = map.operands
        shapes = [each.shape if isinstance(each, ArrayType) else each.type.shape
                  for each in operands]  # fmt: skip
        rows, columns = map.codomain[0].size, int(numpy.prod(shapes[position], dtype=int))
        if name in _ENTRYWISE and shapes[position] == map.codomain[0].shape:
            line = numpy.arange(rows)
            ones = name in ("add", "convert") or (name, position) == ("subtract", 0)
            factor = self._factor(map, position)
            return Entries(Pattern((rows, columns), line, line, ones), factor)
        if name in ("sum", "overlapAdd"):
            kept, shape = map.codomain[0].shape, shapes[position]
            if name == "sum":
                places = tuple(k for k in range(len(shape)) if k not in parameters["axes"])
                back = patterns.moved("broadcast", {"shape": shape, "axes": places}, 0, [kept])
            else:
                back = patterns.moved("windows", parameters, 0, [kept])
            return Entries(Pattern.of((rows, columns), back.ravel(), numpy.arange(columns), True))
        if name in ("contract", "convolve"):
            return self._product(map, position, shapes)
        found = patterns.moved(name, parameters, position, shapes)
        if found is None:
            return None
        taken = found.ravel()
        there = numpy.flatnonzero(taken >= 0)
        return Entries(Pattern((rows, columns), there, taken[there], True))

    def _factor(self, map: Section, position: int) -> Wire | None:
        """The coefficients of a section that works entry by entry."""
        name, builder, size = map.primitive.name, self.builder, map.codomain[0].size
        if builder is None or name in ("add", "conj", "convert"):
            return None
        if name == "mul":
            fixed = self._flat(map.operands[1 - position])
            return builder.emit("conj", fixed) if map.parameters.get("conjugate") else fixed
        if name == "select":
            condition = map.operands[0]
            assert isinstance(condition, Wire)
            mask = builder.emit("convert", self._flat(condition), kind=map.codomain[0].kind)
            if position == 1:
                return mask
            return builder.emit("subtract", self._constant(1.0, size, mask.type.kind), mask)
        if name == "subtract" and position == 0:
            return None
        return self._constant(-1.0, size, map.codomain[0].kind)

    def _scale(self, map: Scale, size: int) -> Found:
        found = patterns.identity(size)
        found = Pattern(found.shape, found.rows, found.columns)
        if self.builder is None:
            return Entries(found)
        factor, kind = map.factor, map.domain[0].kind if map.domain else "R"
        if map.conjugated and factor.type.kind == "C":
            factor = self.builder.emit("conj", factor)
        if factor.type.kind != kind:
            factor = self.builder.emit("convert", factor, kind=kind)
        return Entries(found, self.builder.emit("broadcast", factor, shape=(size,), axes=()))

    def _product(self, map: Section, position: int, shapes: Sequence[tuple[int, ...]]) -> Found:
        """A contraction or a convolution, open at one operand."""
        parameters = map.parameters
        left, right, out = parameters["left"], parameters["right"], parameters["out"]
        if map.primitive.name == "convolve":
            located = _convolution(parameters, shapes, map.codomain[0].shape)
        else:
            sizes = dict(zip((*left, *right), (*shapes[0], *shapes[1]), strict=True))
            count = numpy.prod(list(sizes.values()), dtype=float)
            full = count == numpy.prod([*shapes[position], *map.codomain[0].shape], dtype=float)
            if count > (DENSE if full else MOST):
                return None
            located = patterns.product_places(left, right, out, sizes)
        if located is None:
            return None
        *operands, rows = located
        columns, fixed = operands[position], operands[1 - position]
        shape = map.codomain[0].size, int(numpy.prod(shapes[position], dtype=int))
        pattern, where = patterns.gathered(shape, rows, columns)
        if self.builder is None:
            return Entries(pattern)
        data = self._flat(map.operands[1 - position])
        if parameters.get("conjugate"):
            data = self.builder.emit("conj", data)
        return Entries(pattern, self._collected(self._taken(data, fixed), where, pattern.count))

    # --- combinations ---------------------------------------------------------------------

    def _after(self, left: Found, right: Found) -> Found:
        """left · right."""
        if left is None or right is None or patterns.terms(left.pattern, right.pattern) > MOST:
            return None
        one, two = left.pattern, right.pattern
        of_left, of_right = patterns.product(one, two)
        shape = one.shape[0], two.shape[1]
        made, where = patterns.gathered(
            shape, one.rows[of_left], two.columns[of_right], one.ones and two.ones
        )
        if self.builder is None:
            return Entries(made)
        if left.data is None and right.data is None:
            return Entries(made, self._counted(made, where, of_left))
        data = None
        for each, taken in ((left, of_left), (right, of_right)):
            if each.data is not None:
                factor = self._taken(each.data, taken)
                data = factor if data is None else self.builder.emit("mul", data, factor)
        assert data is not None
        return Entries(made, self._collected(data, where, made.count))

    def _sum(self, given: Sequence[Found], ones: bool = True) -> Found:
        found = [each for each in given if each is not None]
        if len(found) < len(given):
            return None
        if len(found) == 1:
            return found[0]
        total = found[0].pattern.shape
        rows = numpy.concatenate([each.pattern.rows for each in found])
        columns = numpy.concatenate([each.pattern.columns for each in found])
        all_ones = all(each.pattern.ones for each in found)
        made, where = patterns.gathered(total, rows, columns, all_ones)
        if self.builder is None:
            return Entries(made)
        if all(each.data is None for each in found):
            return Entries(made, self._counted(made, where, where))
        kind = next(each.data.type.kind for each in found if each.data is not None)
        data = [each.data or self._constant(1.0, each.pattern.count, kind) for each in found]
        same = made.count == found[0].pattern.count == len(rows) // len(found)
        if same and all(_equal(each.pattern, made) for each in found):
            wire = data[0]
            for other in data[1:]:
                wire = self.builder.emit("add", wire, other)
            return Entries(made, wire)
        joined = self.builder.emit("concat", *data, axis=0)
        return Entries(made, self._collected(joined, where, made.count))

    def _placed(self, each: Entries, shape: tuple[int, int], row: int, column: int) -> Entries:
        pattern = each.pattern
        placed = Pattern(shape, pattern.rows + row, pattern.columns + column, pattern.ones)
        return Entries(placed, each.data)

    def _beside(self, given: Sequence[Found]) -> Found:
        if any(each is None for each in given):
            return None
        found = [each for each in given if each is not None]
        rows, total = found[0].pattern.shape[0], sum(each.pattern.shape[1] for each in found)
        placed, start = [], 0
        for each in found:
            placed.append(self._placed(each, (rows, total), 0, start))
            start += each.pattern.shape[1]
        return self._sum(placed)

    def _above(self, given: Sequence[Found]) -> Found:
        if any(each is None for each in given):
            return None
        found = [each for each in given if each is not None]
        columns, total = found[0].pattern.shape[1], sum(each.pattern.shape[0] for each in found)
        placed, start = [], 0
        for each in found:
            placed.append(self._placed(each, (total, columns), start, 0))
            start += each.pattern.shape[0]
        return self._sum(placed)

    def _blocks(self, maps: Sequence[LinearMap], rows: int, columns: int) -> Found:
        placed, row, column = [], 0, 0
        for map in maps:
            each = self.map(map)
            if each is None:
                return None
            placed.append(self._placed(each, (rows, columns), row, column))
            row, column = row + each.pattern.shape[0], column + each.pattern.shape[1]
        return self._sum(placed) if placed else Entries(patterns.zero((rows, columns)))

    def _network(self, map: Network) -> Found:
        """Every variable's entries over the whole input."""
        columns = entry_count(map.domain)
        value: dict[Variable, Entries] = {}
        start = 0
        for variable in map.inputs:
            size = variable.type.size
            each = numpy.arange(size)
            self._contribute(value, variable, Entries(
                Pattern((size, columns), each, each + start, True)))  # fmt: skip
            start += size
        for part in map.parts:
            if all(variable not in value for variable in part.inputs):
                continue
            given = [
                value.get(v) or Entries(patterns.zero((v.type.size, columns))) for v in part.inputs
            ]
            made = self._after(self.map(part.map), self._above(given))
            if made is None:
                return None
            first = 0
            for variable in part.outputs:
                size = variable.type.size
                self._contribute(value, variable, self._rows(made, first, first + size))
                first += size
        return self._above([
            value.get(v) or Entries(patterns.zero((v.type.size, columns))) for v in map.outputs
        ]) if map.outputs else Entries(patterns.zero((0, columns)))  # fmt: skip

    def _contribute(
        self, value: dict[Variable, Entries], variable: Variable, made: Entries
    ) -> None:
        before = value.get(variable)
        after = made if before is None else self._sum([before, made])
        assert after is not None
        value[variable] = after

    def _rows(self, made: Entries, start: int, stop: int) -> Entries:
        pattern = made.pattern
        if (start, stop) == (0, pattern.shape[0]):
            return made
        first, last = numpy.searchsorted(pattern.rows, [start, stop])
        cut = Pattern(
            (stop - start, pattern.shape[1]), pattern.rows[first:last] - start,
            pattern.columns[first:last], pattern.ones,
        )  # fmt: skip
        data = made.data
        if data is not None:
            assert self.builder is not None
            data = self.builder.emit(
                "slice", data, axis=0, start=int(first), stop=int(last), stride=1
            )
        return Entries(cut, data)

    # --- entries as wires -------------------------------------------------------------------

    def _flat(self, operand: Wire | ArrayType) -> Wire:
        assert self.builder is not None
        assert isinstance(operand, Wire)
        return self.builder.emit("reshape", operand, shape=(operand.type.size,))

    def _constant(self, value: float, size: int, kind: str = "R") -> Wire:
        assert self.builder is not None
        number = self.builder.constant(value, kind)
        return self.builder.emit("broadcast", number, shape=(size,), axes=())

    def _taken(self, data: Wire, places: Index) -> Wire:
        """The entries at these places, one after the other."""
        assert self.builder is not None
        return taken(self.builder, data, places)

    def _collected(self, data: Wire, where: Index, count: int) -> Wire:
        """Entries added up at the places where they belong. Where few meet, each place takes
        its first, its second, …: XLA gathers in one loop, and scatters entry by entry."""
        assert self.builder is not None
        meet = numpy.bincount(where, minlength=count)
        most = int(meet.max(initial=1))
        if most * count > MEETING * len(where):
            belongs = self.builder.constant(where, "Int")
            return self.builder.emit("scatterAdd", data, belongs, axis=0, size=count)
        order = numpy.argsort(where, kind="stable")
        first = numpy.cumsum(meet) - meet
        turns = []
        for turn in range(most):
            places = numpy.full(count, -1)
            there = meet > turn
            places[there] = order[first[there] + turn]
            turns.append(arranged(self.builder, data, places))
        total = turns[0]
        for each in turns[1:]:
            total = self.builder.emit("add", total, each)
        return total

    def _counted(self, made: Pattern, where: Index, pairs: Index) -> Wire | None:
        """How many ways there are, where each contributes 1."""
        if made.count == len(pairs):
            return None
        assert self.builder is not None
        return self.builder.constant(numpy.bincount(where, minlength=made.count).astype(float))


def taken(builder: Builder, data: Wire, places: Index, free: Index | None = None) -> Wire:
    """The entries of an array with one axis at these places; where it is `free`, any will do.

    What was itself taken from somewhere is taken from there, through products and sums; then
    it is nothing where it is all of them in order, a repetition or an exchange of axes where
    they are so regular, else a gather.
    """
    size = data.type.shape[0]
    count = len(places)
    if free is None:
        if count == size and numpy.array_equal(places, numpy.arange(size)):
            return data
        free = numpy.zeros(count, bool)
    if (found := _from_before(builder, data, places, free)) is not None:
        return found
    if count > size and size and count % size == 0:
        line, times = numpy.arange(size), count // size
        for axis, regular in ((0, numpy.repeat(line, times)), (1, numpy.tile(line, times))):
            if (free | (places == regular)).all():
                shape = (times, size) if axis else (size, times)
                wide = builder.emit("broadcast", data, shape=shape, axes=(axis,))
                return builder.emit("reshape", wide, shape=(count,))
    if count == size and size and places[0] == 0 and count > 1 and size % int(places[1] or 1) == 0:
        step = int(places[1])
        order = numpy.arange(size).reshape(size // step, step) if step else None
        if order is not None and numpy.array_equal(places, order.T.ravel()):
            shaped = builder.emit("reshape", data, shape=order.shape)
            turned = builder.emit("transpose", shaped, permutation=(1, 0))
            return builder.emit("reshape", turned, shape=(size,))
    if count and numpy.array_equal(places, numpy.arange(places[0], places[0] + count)):
        first = int(places[0])
        return builder.emit("slice", data, axis=0, start=first, stop=first + count, stride=1)
    return builder.emit("gather", data, builder.constant(places, "Int"), axis=0)


def _from_before(
    builder: Builder, data: Wire, places: Index, free: Index, deep: int = DEEP
) -> Wire | None:
    """The entries of what was made by `taken`, from what it was made of; None of anything
    else, and of what would then be computed for many more entries than there are."""
    if len(places) > 2 * data.type.size:
        return None
    node = builder.producer(data) if builder.owns(data) else None
    if node is None or not isinstance(node.operation, Call):
        return None
    name, parameters, inputs = node.operation.primitive.name, node.operation.parameters, node.inputs
    if name == "gather" and inputs[0].type.rank == 1 and (index := _known(builder, inputs[1])):
        return taken(builder, inputs[0], index[0][places], free)
    if name == "broadcast" and not inputs[0].type.rank:
        return builder.emit("broadcast", inputs[0], shape=(len(places),), axes=())
    if name in ("mul", "add") and deep and not parameters.get("conjugate"):
        parts = [_from_before(builder, wire, places, free, deep - 1) for wire in inputs]
        if all(part is not None for part in parts):
            return builder.emit(name, *(part for part in parts if part is not None))
    if name == "select" and (mask := _known(builder, inputs[0])):
        there = mask[0][places]
        part = taken(builder, inputs[1], places, free | ~there)
        return _where(builder, there | free, part)
    if name == "concat":
        first = 0
        for wire in inputs:
            inside = (places >= first) & (places < first + wire.type.size)
            if wire.type.size and (inside | free).all():
                return taken(builder, wire, numpy.where(inside, places - first, 0), free)
            first += wire.type.size
    return None


def _known(builder: Builder, wire: Wire) -> tuple[Index] | None:
    """The numbers that a wire is, where they are known."""
    node = builder.producer(wire) if builder.owns(wire) else None
    if node is None or not isinstance(node.operation, Constant):
        return None
    return (numpy.asarray(node.operation.value),)


def _where(builder: Builder, there: Index, data: Wire) -> Wire:
    """The entries that are there, 0 for the others."""
    if there.all():
        return data
    return builder.emit("select", builder.constant(there, "Bool"), data, builder.zeros(data.type))


def arranged(builder: Builder, data: Wire, places: Index) -> Wire:
    """The entries at these places, as an array of their shape; 0 where a place is -1."""
    line = places.ravel()
    nothing = line < 0
    if not nothing.any():
        made = taken(builder, data, line)
    elif nothing.all():
        made = builder.zeros(ArrayType(data.type.kind, line.shape))
    else:
        made = _where(
            builder, ~nothing, taken(builder, data, numpy.where(nothing, 0, line), nothing)
        )
    return builder.emit("reshape", made, shape=places.shape)


def entry_count(types: Types) -> int:
    """The number of all entries of a product."""
    return sum(type.size for type in types)


def _equal(one: Pattern, other: Pattern) -> bool:
    return numpy.array_equal(one.rows, other.rows) and numpy.array_equal(one.columns, other.columns)


def _anything(found: Pattern) -> Pattern:
    return Pattern(found.shape, found.rows, found.columns)


def _convolution(
    parameters: Mapping[str, Any], shapes: Sequence[tuple[int, ...]], answer: tuple[int, ...]
) -> tuple[Index, Index, Index] | None:
    """The terms of a convolution: for each the entries of x, kernel and result."""
    left, right, out = parameters["left"], parameters["right"], parameters["out"]
    spatial = parameters["spatial"]
    plain = dict(zip((*left, *right), (*shapes[0], *shapes[1]), strict=True))
    sizes = {label: size for label, size in plain.items() if label not in spatial}
    free = max((*left, *right, *out)) + 1
    inside = {label: free + k for k, label in enumerate(spatial)}  # places in the kernel
    for label in spatial:
        sizes[label] = answer[out.index(label)]
        sizes[inside[label]] = shapes[1][right.index(label)]
    if numpy.prod(list(sizes.values()), dtype=float) > MOST:
        return None
    labels = sorted(sizes)
    grid = numpy.indices([sizes[label] for label in labels]).reshape(len(labels), -1)
    place = dict(zip(labels, grid, strict=True))
    there = numpy.ones(grid.shape[1], bool)
    along: dict[int, Index] = {}
    for k, label in enumerate(spatial):
        size = shapes[1][right.index(label)]
        j = place[inside[label]]
        low, spread = parameters["padding"][k][0], parameters["left_dilation"][k]
        reach = place[label] * parameters["strides"][k] + j * parameters["right_dilation"][k] - low
        long = shapes[0][left.index(label)]
        there &= (reach >= 0) & (reach % spread == 0) & (reach // spread < long)
        along[label] = reach // spread
        if parameters["flip"]:
            place[inside[label]] = size - 1 - j

    def flat(axes: Sequence[int], shape: Sequence[int], of: Mapping[int, Index]) -> Index:
        found = numpy.zeros(grid.shape[1], numpy.int64)
        for label, size in zip(axes, shape, strict=True):
            found = found * size + of[label]
        return found[there]

    kernel = {**place, **{label: place[inside[label]] for label in spatial}}
    return (
        flat(left, shapes[0], {**place, **along}),
        flat(right, shapes[1], kernel),
        flat(out, answer, place),
    )


# --- loops: what depends on what -------------------------------------------------------------


def _elements(map: MapL) -> Found:
    """Every element by itself, the shared inputs for all, the summed outputs from all."""
    inner = entries(map.cell.network)
    if inner is None or inner.pattern.count * map.length > MOST:
        return None
    return _over_elements(
        inner.pattern, map.length,
        _offsets(map.cell.network.domain, map.shared_inputs, map.length),
        _offsets(map.cell.network.codomain, map.summed_outputs, map.length),
        (entry_count(map.codomain), entry_count(map.domain)),
    )  # fmt: skip


def _offsets(types: Types, once: Sequence[bool], length: int) -> tuple[Index, Index]:
    """For each entry of an element: its place in the first element, and how much further
    it is in the next."""
    first: list[Index] = []
    step: list[Index] = []
    start = 0
    for type, flag in zip(types, once, strict=True):
        first.append(start + numpy.arange(type.size))
        step.append(numpy.full(type.size, 0 if flag else type.size))
        start += type.size * (1 if flag else length)
    nothing = [numpy.zeros(0, numpy.int64)]
    return numpy.concatenate(first or nothing), numpy.concatenate(step or nothing)


def _over_elements(
    inner: Pattern,
    length: int,
    columns: tuple[Index, Index],
    rows: tuple[Index, Index],
    shape: tuple[int, int],
) -> Entries:
    each = numpy.arange(length)[:, None]
    row = rows[0][inner.rows] + each * rows[1][inner.rows]
    column = columns[0][inner.columns] + each * columns[1][inner.columns]
    return Entries(Pattern.of(shape, row.ravel(), column.ravel()))


def _steps(map: Recurrence) -> Found:
    """Along the steps: which entries each state may depend on."""
    network, length, states = map.cell.network, map.length, map.states
    inner = entries(network)
    if inner is None:
        return None
    shape = entry_count(map.codomain), entry_count(map.domain)
    once_in = [not states <= k < states + map.elements for k in range(len(network.domain))]
    once_out = [not states <= k < states + map.stacks for k in range(len(network.codomain))]
    into = _offsets(network.domain, once_in, length)
    out_of = _offsets(network.codomain, once_out, length)
    before, after = entry_count(network.domain[:states]), entry_count(network.codomain[:states])
    fixed = numpy.arange(before, entry_count(network.domain))
    state = Pattern((before, shape[1]), numpy.arange(before), numpy.arange(before))
    rows: list[Index] = []
    columns: list[Index] = []
    total = 0
    for step in reversed(range(length)) if map.reverse else range(length):
        own = Pattern(
            (len(fixed), shape[1]), numpy.arange(len(fixed)), into[0][fixed] + step * into[1][fixed]
        )
        given = Pattern(
            (before + len(fixed), shape[1]), numpy.concatenate([state.rows, own.rows + before]),
            numpy.concatenate([state.columns, own.columns]),
        )  # fmt: skip
        total += patterns.terms(inner.pattern, given)
        if total > MOST:
            return None
        of_left, of_right = patterns.product(inner.pattern, given)
        made = Pattern.of(
            (inner.pattern.shape[0], shape[1]),
            inner.pattern.rows[of_left],
            given.columns[of_right],
        )
        cut = numpy.searchsorted(made.rows, after)
        state = Pattern((after, shape[1]), made.rows[:cut], made.columns[:cut])
        later = made.rows[cut:]
        rows.append(out_of[0][later] + step * out_of[1][later])
        columns.append(made.columns[cut:])
    rows.append(state.rows)
    columns.append(state.columns)
    return Entries(Pattern.of(shape, numpy.concatenate(rows), numpy.concatenate(columns)))
