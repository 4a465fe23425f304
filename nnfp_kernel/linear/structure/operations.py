"""The operations on a linear map, each as cheap as its form allows.

    matrix     all entries; only a map without structure is sent a basis
    diagonal   of a product of two thin factors, row by column
    logdet     log |det L|: factor by factor; of a sum with terms of low rank by the matrix
               determinant lemma, of A ⊗ B by n log |det A| + m log |det B|
    solve      factor by factor from the last to the first; of a sum by Woodbury's
               identity; along a band, a triangle or a recurrence by substitution

Everything is emitted into a graph, so each operation has derivatives of every order.
Sources: Golub and Van Loan 2013 (bands, low rank, Kronecker products); Woodbury 1950.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy

from ...graph.graph import ArrayType, Builder, Choose, Map, Wire, subgraphs_together
from ..maps import SolveL
from . import banded, cost, low_rank, recurrences
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
    uniform,
)
from .probes import at_basis, at_colours, at_each, flat, unit_matrix
from .probes import parts as parts_of
from .proofs import mirrored, positive
from .sparse import arranged, entries, taken

Index = Any

WAYS = 16  # a trace is taken apart into so many at most

# --- numbers ------------------------------------------------------------------------------


def values(builder: Builder, form: Sparse) -> Wire:
    """The entries of a sparse form, in its pattern's order."""
    assert form.map is not None
    pattern = form.pattern
    found = None if not uniform(form.map) else entries(form.map, builder)
    if found is None:
        return at_colours(builder, form.map, pattern, form.kind)
    assert numpy.array_equal(found.pattern.columns, pattern.columns)
    if found.data is None:
        return _all(builder, 1.0, ArrayType(form.kind, (pattern.count,)))
    return found.data


def _all(builder: Builder, value: complex, type: ArrayType) -> Wire:
    number = builder.constant(value, type.kind)
    return builder.emit("broadcast", number, shape=type.shape, axes=()) if type.shape else number


def _factor(builder: Builder, form: Scaling) -> Wire:
    factor = form.factor
    if factor is None:
        return builder.constant(1.0, form.kind)
    if form.conjugated and factor.type.kind == "C":
        factor = builder.emit("conj", factor)
    return factor if factor.type.kind == form.kind else builder.emit(
        "convert", factor, kind=form.kind)  # fmt: skip


def log_abs(builder: Builder, wire: Wire) -> Wire:
    """The sum of log |x| over all entries."""
    if wire.type.kind == "C":
        square = builder.emit("mul", wire, builder.emit("conj", wire))
        logs = builder.emit("log", builder.emit("convert", square, kind="R"))
        half = _all(builder, 0.5, logs.type)
        logs = builder.emit("mul", half, logs)
    else:
        logs = builder.emit("log", builder.emit("abs", wire))
    return _sum(builder, logs)


def _sum(builder: Builder, wire: Wire) -> Wire:
    return builder.emit("sum", wire, axes=tuple(range(wire.type.rank)))


def _times(builder: Builder, factor: Wire, wire: Wire, name: str = "mul") -> Wire:
    """wire * factor, or wire / factor, along the first axis."""
    if wire.type.rank > factor.type.rank:
        axes = tuple(range(factor.type.rank))
        factor = builder.emit("broadcast", factor, shape=wire.type.shape, axes=axes)
    return builder.emit(name, wire, factor)


def _matmul(builder: Builder, left: Wire, right: Wire) -> Wire:
    if right.type.rank == 1:
        return builder.emit("contract", left, right, left=(0, 1), right=(1,), out=(0,))
    return builder.emit("contract", left, right, left=(0, 1), right=(1, 2), out=(0, 2))


def _reshape(builder: Builder, wire: Wire, *shape: int) -> Wire:
    return builder.emit("reshape", wire, shape=shape)


def _added(builder: Builder, terms: Sequence[Wire]) -> Wire:
    total = terms[0]
    for term in terms[1:]:
        total = builder.emit("add", total, term)
    return total


# --- the matrix ---------------------------------------------------------------------------


def matrix(builder: Builder, form: Form) -> Wire:
    """All entries: rows by columns."""
    shape = form.rows, form.columns
    match form:
        case Zero():
            return builder.zeros(ArrayType(form.kind, shape))
        case Scaling(factor=factor):
            unit = unit_matrix(builder, form.rows, form.kind)
            return unit if factor is None else _times(builder, _factor(builder, form), unit)
        case Sparse(pattern=pattern):
            places = builder.constant(pattern.rows * form.columns + pattern.columns, "Int")
            size = form.rows * form.columns
            data = values(builder, form)
            line = builder.emit("scatterAdd", data, places, axis=0, size=size)
            return _reshape(builder, line, *shape)
        case Dense(matrix=wire, permutation=permutation, conjugated=conjugated):
            wire = builder.emit("transpose", wire, permutation=permutation)
            wire = _reshape(builder, wire, *shape)
            return builder.emit("conj", wire) if conjugated else wire
        case Kronecker(left=left, right=right):
            a, b = matrix(builder, left), matrix(builder, right)
            both = builder.emit("contract", a, b, left=(0, 1), right=(2, 3), out=(0, 2, 1, 3))
            return _reshape(builder, both, *shape)
        case Product(factors=factors):
            return chain(builder, factors)
        case Sum(terms=terms):
            return _added(builder, [matrix(builder, term) for term in terms])
        case Blocks(parts=parts):
            rows, start = [], 0
            for part in parts:
                block = matrix(builder, part)
                after = form.columns - start - part.columns
                rows.append(builder.emit("pad", block, axis=1, low=start, high=after, interior=0))
                start += part.columns
            return builder.emit("concat", *rows, axis=0)
        case Inverted(inner=Dense() as inner):
            return builder.emit("inverse", matrix(builder, inner))
        case Inverted(inner=inner):
            return solve(builder, inner, unit_matrix(builder, form.rows, form.kind))
        case Transitions():
            unit = unit_matrix(builder, form.rows, form.kind)
            return recurrences.through(builder, form, unit, multiplied)
        case Steps() | Opaque():
            assert form.map is not None
            return at_basis(builder, form.map, form.rows, form.columns, form.kind)
        case other:
            raise AssertionError(f"no matrix of {other}")


def chain(builder: Builder, factors: Sequence[Form]) -> Wire:
    """The matrix of a product, from its narrower side."""
    first, last = factors[0], factors[-1]
    if last.rows < first.columns:
        made = matrix(builder, last)
        for each in reversed(factors[:-1]):
            made = _right_multiplied(builder, made, each)
        return made
    # What only moves and scales entries is put to the columns of the first other factor.
    start = next((k for k, each in enumerate(factors) if not cost.entrywise(each)), 0)
    made = matrix(builder, factors[start])
    for each in reversed(factors[:start]):
        made = _right_multiplied(builder, made, each)
    for each in factors[start + 1 :]:
        made = multiplied(builder, each, made)
    return made


def _right_multiplied(builder: Builder, made: Wire, form: Form) -> Wire:
    """made · the matrix of the form."""
    match form:
        case Scaling(factor=None):
            return made
        case Scaling():
            return _times(builder, _factor(builder, form), made)
        case Sparse(shape="diagonal"):
            return _times_columns(builder, made, diagonal(builder, form))
        case Sparse(shape="permutation", pattern=pattern):
            if not pattern.ones:
                made = _times_columns(builder, made, values(builder, form))
            order = builder.constant(numpy.argsort(pattern.columns), "Int")
            return builder.emit("gather", made, order, axis=1)
        case Product(factors=factors):
            for each in reversed(factors):
                made = _right_multiplied(builder, made, each)
            return made
        case Sum(terms=terms):
            return _added(builder, [_right_multiplied(builder, made, term) for term in terms])
        case _:
            return _matmul(builder, made, matrix(builder, form))


def _times_columns(builder: Builder, made: Wire, line: Wire) -> Wire:
    wide = builder.emit("broadcast", line, shape=made.type.shape, axes=(1,))
    return builder.emit("mul", made, wide)


def multiplied(builder: Builder, form: Form, columns: Wire) -> Wire:
    """The form at every column."""
    match form:
        case Scaling(factor=None):
            return columns
        case Scaling():
            return _times(builder, _factor(builder, form), columns)
        case Sparse(shape="diagonal"):
            return _times(builder, diagonal(builder, form), columns)
        case Product(factors=factors):
            for each in factors:
                columns = multiplied(builder, each, columns)
            return columns
        case Sum(terms=terms):
            return _added(builder, [multiplied(builder, term, columns) for term in terms])
        case Kronecker(left=left, right=right):
            return _kronecker(builder, form, columns, multiplied, left.rows, right.rows)
        case Inverted(inner=inner):
            return solve(builder, inner, columns)
        case _ if form.map is None or isinstance(form, Dense):
            return _matmul(builder, matrix(builder, form), columns)
        case _:
            if columns.type.rank == 1:
                return at_each(builder, form.map, _reshape(builder, columns, 1, form.columns))
            turned = builder.emit("transpose", columns, permutation=(1, 0))
            made = at_each(builder, form.map, turned)
            return builder.emit("transpose", made, permutation=(1, 0))


Columnwise = Callable[[Builder, Any, Wire], Wire]


def _kronecker(
    builder: Builder, form: Kronecker, columns: Wire, by: Columnwise, rows: int, others: int
) -> Wire:
    """`by` of the left factor along the first axis of the matrix of entries, of the right
    one along the second."""
    left, right = form.left, form.right
    more = columns.type.shape[1:]
    count = int(numpy.prod(more, dtype=int))
    made = _reshape(builder, columns, left.columns, right.columns * count)
    made = by(builder, left, made)
    made = _reshape(builder, made, rows, right.columns, count)
    made = builder.emit("transpose", made, permutation=(1, 0, 2))
    made = by(builder, right, _reshape(builder, made, right.columns, rows * count))
    made = _reshape(builder, made, others, rows, count)
    made = builder.emit("transpose", made, permutation=(1, 0, 2))
    return _reshape(builder, made, rows * others, *more)


# --- diagonal and trace ---------------------------------------------------------------------


def diagonal(builder: Builder, form: Form) -> Wire:
    """The entries in row k and column k, in one axis."""
    size = form.rows
    match form:
        case Zero():
            return builder.zeros(ArrayType(form.kind, (size,)))
        case Scaling():
            return builder.emit("broadcast", _factor(builder, form), shape=(size,), axes=())
        case Sparse(pattern=pattern):
            places = numpy.full(size, -1)
            there = numpy.flatnonzero(pattern.rows == pattern.columns)
            places[pattern.rows[there]] = there
            return arranged(builder, values(builder, form), places)
        case Kronecker(left=left, right=right) if left.square and right.square:
            a, b = diagonal(builder, left), diagonal(builder, right)
            both = builder.emit("contract", a, b, left=(0,), right=(1,), out=(0, 1))
            return _reshape(builder, both, size)
        case Product():
            before, after = cost.halves(form)
            v, u = chain(builder, before), chain(builder, after)
            return builder.emit("contract", u, v, left=(0, 1), right=(1, 0), out=(0,))
        case Sum(terms=terms):
            return _added(builder, [diagonal(builder, term) for term in terms])
        case Blocks(parts=parts) if all(part.square for part in parts):
            return builder.emit("concat", *(diagonal(builder, part) for part in parts), axis=0)
        case Steps():
            blocks = recurrences.diagonal_blocks(builder, form)
            return _reshape(builder, _diagonals(builder, blocks), size)
        case Inverted(inner=(Scaling() | Sparse(shape="diagonal")) as inner):
            ones = _all(builder, 1.0, ArrayType(form.kind, (size,)))
            return solve(builder, inner, ones)
        case Dense() | Opaque() | Kronecker() | Blocks() | Inverted() | Transitions():
            return _diagonals(builder, matrix(builder, form))
        case other:
            raise AssertionError(f"no diagonal of {other}")


def _diagonals(builder: Builder, matrices: Wire) -> Wire:
    """The diagonals of matrices in the last two axes."""
    *batch, size, _ = matrices.type.shape
    places = tuple(range(len(batch)))
    line = _reshape(builder, matrices, *batch, size * size)
    if not size:
        return _reshape(builder, line, *batch, 0)
    return builder.emit("slice", line, axis=len(places), start=0, stop=size * size, stride=size + 1)


def trace(builder: Builder, form: Form) -> Wire:
    """The sum of the diagonal entries."""
    match form:
        case Scaling():
            number = builder.constant(float(form.rows), form.kind)
            return builder.emit("mul", number, _factor(builder, form))
        case Kronecker(left=left, right=right) if left.square and right.square:
            return builder.emit("mul", trace(builder, left), trace(builder, right))
        case Product() if (apart := _distributed(form)) is not None:
            return _added(builder, [trace(builder, product) for product in apart])
        case Product() if mirrored(builder, form):
            return _mirrored_trace(builder, form)
        case Product():
            before, after = cost.halves(form)
            v, u = chain(builder, before), chain(builder, after)
            return builder.emit("contract", u, v, left=(0, 1), right=(1, 0), out=())
        case Sum(terms=terms):
            return _added(builder, [trace(builder, term) for term in terms])
        case _:
            return _sum(builder, diagonal(builder, form))


def _distributed(form: Product) -> list[Form] | None:
    """A product with a sum among its factors as the sum of products, if those are few."""
    sums = [len(each.terms) for each in form.factors if isinstance(each, Sum)]
    place = next((k for k, each in enumerate(form.factors) if isinstance(each, Sum)), None)
    if place is None or numpy.prod(sums) > WAYS:
        return None
    before, after = form.factors[:place], form.factors[place + 1 :]
    found: list[Form] = []
    for term in form.factors[place].terms:  # type: ignore[union-attr]
        inside = term.factors if isinstance(term, Product) else (term,)
        whole = (*before, *inside, *after)
        factors = tuple(f for f in whole if not (isinstance(f, Scaling) and f.factor is None))
        factors = factors or whole[:1]
        alone = len(factors) == 1
        made = Product(form.rows, form.columns, form.kind, None, factors)
        found.append(factors[0] if alone else made)
    return found


def _mirrored_trace(builder: Builder, form: Product) -> Wire:
    """tr (Lᴴ D L), the sum of d |y|² over the rows y of L; or tr (Lᴴ L)."""
    half = len(form.factors) // 2
    rows = chain(builder, form.factors[:half])
    squares = builder.emit("mul", rows, builder.emit("conj", rows))
    lengths = builder.emit("sum", squares, axes=(1,))
    if len(form.factors) % 2 == 0:
        return _sum(builder, lengths)
    middle = diagonal(builder, form.factors[half])
    return builder.emit("contract", middle, lengths, left=(0,), right=(0,), out=())


# --- determinant ------------------------------------------------------------------------------


def logdet(builder: Builder, form: Form) -> Wire:
    """log |det L|, a real number; -inf of a singular map."""
    match form:
        case Zero() if form.rows:
            return builder.constant(-numpy.inf)
        case Zero() | Scaling(factor=None):
            return builder.constant(0.0)
        case Scaling():
            log = log_abs(builder, _factor(builder, form))
            return builder.emit("mul", builder.constant(float(form.rows)), log)
        case Sparse(shape="permutation" | "diagonal", pattern=pattern):
            if pattern.count < form.rows:
                return builder.constant(-numpy.inf)
            if pattern.ones:
                return builder.constant(0.0)
            return log_abs(builder, values(builder, form))
        case Sparse(shape="banded", pattern=pattern):
            bands = banded.bands(pattern, values(builder, form), builder)
            return log_abs(builder, banded.pivots(builder, bands, pattern.bandwidths))
        case Sparse(shape="triangular"):
            return log_abs(builder, diagonal(builder, form))
        case Sparse(shape="blocks", pattern=pattern):
            logs = [
                _sum(builder, builder.emit("logdet", blocks)) for _, blocks in blocks(builder, form)
            ]
            return _added(builder, logs)
        case Kronecker(left=left, right=right) if left.square and right.square:
            one, other = logdet(builder, left), logdet(builder, right)
            sizes = builder.constant(float(right.rows)), builder.constant(float(left.rows))
            return builder.emit(
                "add",
                builder.emit("mul", sizes[0], one),
                builder.emit("mul", sizes[1], other),
            )
        case Product() if len(groups := cost.squares(form)) > 1:
            return _added(builder, [logdet(builder, group) for group in groups])
        case Sum() if (split := cost.woodbury(form)) is not None:
            base, narrow = split
            u, v = thin(builder, narrow)
            if cost.entrywise(base):
                return low_rank.logdet(builder, _lined(builder, base, u, v))

            def by_lemma(child: Builder) -> Wire:
                inner = low_rank.capacitance(child, v, solve(child, base, u))
                return child.emit("add", logdet(child, base), child.emit("logdet", inner))

            def by_matrix(child: Builder) -> Wire:
                return child.emit("logdet", matrix(child, form))

            return _safely(builder, form, base, u, by_lemma, by_matrix)
        case Blocks(parts=parts) if all(part.square for part in parts):
            return _added(builder, [logdet(builder, part) for part in parts])
        case Steps():
            return _sum(builder, builder.emit("logdet", recurrences.diagonal_blocks(builder, form)))
        case Transitions():
            return _sum(builder, recurrences.of_each(builder, form, logdet))
        case Inverted(inner=inner):
            return builder.emit("negate", logdet(builder, inner))
        case _:
            return builder.emit("logdet", matrix(builder, form))


def thin(builder: Builder, narrow: Sequence[Product]) -> tuple[Wire, Wire]:
    """U and V of terms of low rank U V together."""
    lefts, rights = [], []
    for each in narrow:
        before, after = cost.halves(each)
        lefts.append(chain(builder, after))
        rights.append(chain(builder, before))
    if len(narrow) == 1:
        return lefts[0], rights[0]
    return builder.emit("concat", *lefts, axis=1), builder.emit("concat", *rights, axis=0)


def _lined(builder: Builder, base: Form, left: Wire, right: Wire) -> low_rank.Lifted:
    """B + U V as (diag d + U V') P, for a base with one place in each row and column: the
    columns of V in the order in which those places stand, P a permutation."""
    if isinstance(base, Scaling):
        return low_rank.Lifted(diagonal(builder, base), left, right)
    assert isinstance(base, Sparse)
    if base.pattern.diagonal:
        return low_rank.lifted(builder, diagonal(builder, base), left, right)
    columns = builder.constant(base.pattern.columns, "Int")
    right = builder.emit("gather", right, columns, axis=1)
    return low_rank.lifted(builder, values(builder, base), left, right)


def blocks(builder: Builder, form: Sparse) -> list[tuple[Index, Wire]]:
    """The blocks of a block diagonal form, those of one size together: where they stand,
    and their matrices."""
    pattern = form.pattern
    data = values(builder, form)
    place = {
        (row, column): k
        for k, (row, column) in enumerate(
            zip(pattern.rows.tolist(), pattern.columns.tolist(), strict=True)
        )
    }
    sizes: dict[int, list[Index]] = {}
    for block in pattern.blocks:
        sizes.setdefault(len(block), []).append(numpy.sort(block))
    found = []
    for size, blocks in sizes.items():
        where = numpy.array(blocks)
        places = numpy.array([
            [[place.get((row, column), -1) for column in block] for row in block]
            for block in where.tolist()
        ]).reshape(len(blocks), size, size)  # fmt: skip
        found.append((where, arranged(builder, data, places)))
    return found


# --- solution -----------------------------------------------------------------------------------


@dataclass
class Iteration:
    """How a solution by iteration is looked for, and whether each of them was found."""

    tolerance: float = 0.0  # of the residual, relative; 0 is working precision
    found: list[Wire] = field(default_factory=list)


def solve(builder: Builder, form: Form, image: Wire, iteration: Iteration | None = None) -> Wire:
    """The u with L u = image, for one right side or for each column of a matrix.

    Infinite or no numbers where the map is singular. A map of which only its application
    is known is solved by iteration where it is large.
    """
    if cost.iterative(form) or _gram(builder, form):
        return _iterated(builder, form, image, iteration or Iteration())
    match form:
        case Scaling(factor=None):
            return image
        case Scaling():
            return _times(builder, _factor(builder, form), image, "divide")
        case Sparse(shape="diagonal"):
            return _times(builder, diagonal(builder, form), image, "divide")
        case Sparse(shape="permutation", pattern=pattern):
            order = numpy.argsort(pattern.columns)
            if not pattern.ones:
                image = _times(builder, values(builder, form), image, "divide")
            return _permuted(builder, image, order)
        case Sparse(shape="banded", pattern=pattern):
            bands = banded.bands(pattern, values(builder, form), builder)
            return _by_column(builder, image, lambda b: banded.solve(
                builder, bands, pattern.bandwidths, b))  # fmt: skip
        case Sparse(shape="triangular", pattern=pattern):
            dense = matrix(builder, form)
            return _by_column(builder, image, lambda b: banded.substitute(
                builder, dense, b, lower=pattern.lower))  # fmt: skip
        case Sparse(shape="blocks"):
            return _solve_blocks(builder, form, image)
        case Kronecker(left=left, right=right) if left.square and right.square:
            by = partial(solve, iteration=iteration)
            return _kronecker(builder, form, image, by, left.rows, right.rows)
        case Product() if len(groups := cost.squares(form)) > 1:
            for group in reversed(groups):
                image = solve(builder, group, image, iteration)
            return image
        case Sum() if (split := cost.woodbury(form)) is not None:
            return _woodbury(builder, form, *split, image, iteration)
        case Blocks(parts=parts) if all(part.square for part in parts):
            solved, start = [], 0
            for part in parts:
                stop = start + part.rows
                own = builder.emit("slice", image, axis=0, start=start, stop=stop, stride=1)
                solved.append(solve(builder, part, own, iteration))
                start = stop
            return builder.emit("concat", *solved, axis=0)
        case Steps() if image.type.rank == 1:
            return recurrences.solve(builder, form, image)
        case Steps():
            return _each_column(builder, image, lambda child, b: recurrences.solve(child, form, b))
        case Transitions():
            return recurrences.through(builder, form, image, solve, back=True)
        case Inverted(inner=inner):
            return multiplied(builder, inner, image)
        case _:
            return builder.emit("solve", matrix(builder, form), image)


def _permuted(builder: Builder, image: Wire, order: Index) -> Wire:
    if image.type.rank == 1:
        return taken(builder, image, order)
    return builder.emit("gather", image, builder.constant(order, "Int"), axis=0)


def _by_column(builder: Builder, image: Wire, by: Callable[[Wire], Wire]) -> Wire:
    """`by` of a matrix of right sides, of which one is a matrix with one column."""
    if image.type.rank == 2:
        return by(image)
    size = image.type.size
    return _reshape(builder, by(_reshape(builder, image, size, 1)), size)


def _each_column(builder: Builder, image: Wire, by: Callable[[Builder, Wire], Wire]) -> Wire:
    child = builder.child()
    column = child.input(ArrayType(image.type.kind, image.type.shape[:1]))
    body = child.finish([by(child, column)])
    captured = child.captured
    turned = builder.emit("transpose", image, permutation=(1, 0))
    operation = Map(body, len(captured), image.type.shape[1])
    (made,) = builder.add(operation, [*captured, turned])
    return builder.emit("transpose", made, permutation=(1, 0))


def _solve_blocks(builder: Builder, form: Sparse, image: Wire) -> Wire:
    pieces, order = [], []
    more = image.type.shape[1:]
    for where, matrices in blocks(builder, form):
        count, size = where.shape
        own = _permuted(builder, image, where.ravel())
        own = _reshape(builder, own, count, size, *more)
        solved = builder.emit("solve", matrices, own)
        pieces.append(_reshape(builder, solved, count * size, *more))
        order.append(where.ravel())
    joined = pieces[0] if len(pieces) == 1 else builder.emit("concat", *pieces, axis=0)
    return _permuted(builder, joined, numpy.argsort(numpy.concatenate(order)))


def _gram(builder: Builder, form: Form) -> bool:
    """L >> L†, say, where L itself would be solved by iteration: one iteration for both."""
    if not isinstance(form, Product) or form.map is None:
        return False
    return any(map(cost.iterative, cost.squares(form))) and positive(builder, form)


def _iterated(builder: Builder, form: Form, image: Wire, iteration: Iteration) -> Wire:
    """By conjugate gradients where the map is proved to be self-adjoint and positive, else
    by GMRES; the derivative is that of the equation."""
    assert form.map is not None
    if image.type.rank == 2:
        tolerance = iteration.tolerance
        return _each_column(
            builder, image, lambda child, b: _iterated(child, form, b, Iteration(tolerance))
        )
    target = parts_of(builder, image, form.map.codomain)
    inverse = SolveL(form.map, positive(builder, form), iteration.tolerance)
    *solution, found = inverse.solved(builder, target)
    iteration.found.append(found)
    return flat(builder, solution, image.type.kind)


def _safely(
    builder: Builder,
    form: Sum,
    base: Form,
    left: Wire,
    usual: Callable[[Builder], Wire],
    dense: Callable[[Builder], Wire],
) -> Wire:
    """What divides by a base, unless that is nearly singular: then by the matrix of the sum,
    if that is small. Which one it is shows at run time, the other is not computed."""
    if form.rows >= cost.LARGE:
        return usual(builder)
    spread, image = solve(builder, base, left), multiplied(builder, base, left)
    fine = low_rank.harmless(builder, left, spread, image)
    bodies = []
    for made in (dense, usual):
        child = builder.child()
        bodies.append((child, [made(child)]))
    graphs, captured = subgraphs_together(bodies)
    return builder.add(Choose(graphs), (fine, *captured))[0]


def _woodbury(
    builder: Builder,
    form: Sum,
    base: Form,
    narrow: Sequence[Product],
    image: Wire,
    iteration: Iteration | None,
) -> Wire:
    """(B + U V)⁻¹ b, by Woodbury's identity."""
    left, right = thin(builder, narrow)
    if cost.entrywise(base):
        lined = _lined(builder, base, left, right)
        answer = _by_column(builder, image, lambda b: low_rank.solve(builder, lined, b))
        if isinstance(base, Sparse) and not base.pattern.diagonal:
            answer = _permuted(builder, answer, numpy.argsort(base.pattern.columns))
        return answer

    def usual(child: Builder) -> Wire:  # with B⁻¹ U of its own: not taken, it has no derivative
        spread = solve(child, base, left, iteration)
        return _by_column(child, image, lambda b: low_rank.updated(
            child, spread, right, solve(child, base, b, iteration)
        ))  # fmt: skip

    def dense(child: Builder) -> Wire:
        return child.emit("solve", matrix(child, form), image)

    return _safely(builder, form, base, left, usual, dense)
