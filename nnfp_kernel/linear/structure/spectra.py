"""Norms and eigenvalues of a linear map, by its form.

The norm of a map as an element of its space is Frobenius's: the root of the sum of the
squares of all entries, the norm that belongs to the inner product of matrices. The
operator norm is the largest factor by which a vector gets longer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from ...graph.graph import ArrayType, Builder, Wire
from . import cost, recurrences
from .forms import Blocks, Form, Inverted, Kronecker, Product, Scaling, Sparse, Steps, Sum, Zero
from .operations import blocks, chain, diagonal, matrix, thin, values
from .proofs import self_adjoint


def frobenius(builder: Builder, form: Form) -> Wire:
    """The root of the sum of the squares of all entries.

    Of A ⊗ B the product of both; of a product U V of low rank the root of
    tr (Uᴴ U) (V Vᴴ), without the matrix.
    """
    return builder.emit("magnitude", _squared(builder, form))


def _squared(builder: Builder, form: Form) -> Wire:
    match form:
        case Zero():
            return builder.constant(0.0)
        case Scaling():
            return _squares(builder, diagonal(builder, form))
        case Sparse():
            return _squares(builder, values(builder, form))
        case Kronecker(left=left, right=right):
            return builder.emit("mul", _squared(builder, left), _squared(builder, right))
        case Product() if form.narrow:
            one, two = _grams(builder, form)
            total = builder.emit("contract", one, two, left=(0, 1), right=(1, 0), out=())
            return total if total.type.kind == "R" else builder.emit("convert", total, kind="R")
        case Blocks(parts=parts):
            total = _squared(builder, parts[0])
            for part in parts[1:]:
                total = builder.emit("add", total, _squared(builder, part))
            return total
        case _:
            return _squares(builder, matrix(builder, form))


def _grams(builder: Builder, form: Product) -> tuple[Wire, Wire]:
    """Uᴴ U and V Vᴴ of a product U V of low rank."""
    before, after = cost.halves(form)
    v, u = chain(builder, before), chain(builder, after)
    return (
        builder.emit("contract", _conj(builder, u), u, left=(2, 0), right=(2, 1), out=(0, 1)),
        builder.emit("contract", v, _conj(builder, v), left=(0, 2), right=(1, 2), out=(0, 1)),
    )


def _conj(builder: Builder, wire: Wire) -> Wire:
    return builder.emit("conj", wire) if wire.type.kind == "C" else wire


def _squares(builder: Builder, wire: Wire) -> Wire:
    square = builder.emit("mul", wire, _conj(builder, wire))
    if wire.type.kind == "C":
        square = builder.emit("convert", square, kind="R")
    return builder.emit("sum", square, axes=tuple(range(square.type.rank)))


def operator_norm(builder: Builder, form: Form) -> Wire:
    """The largest singular value."""
    match form:
        case Zero():
            return builder.constant(0.0)
        case Scaling(rows=rows) if rows:
            return builder.emit("magnitude", _squares(builder, _one(builder, form)))
        case Sparse(shape="diagonal" | "permutation"):
            return _greatest(builder, _sizes(builder, values(builder, form)))
        case Kronecker(left=left, right=right):
            return builder.emit("mul", operator_norm(builder, left), operator_norm(builder, right))
        case Blocks(parts=parts):
            norms = [builder.emit("reshape", operator_norm(builder, part), shape=(1,))
                     for part in parts]  # fmt: skip
            return _greatest(builder, builder.emit("concat", *norms, axis=0))
        case _ if not form.rows or not form.columns:
            return builder.constant(0.0)
        case Product() if form.narrow:
            # (U V)ᴴ (U V) and Uᴴ U V Vᴴ have the same eigenvalues but for zeros.
            one, two = _grams(builder, form)
            inner = builder.emit("contract", one, two, left=(0, 1), right=(1, 2), out=(0, 2))
            squares = _as(builder, builder.emit("eigValues", inner), "R")
            return builder.emit("magnitude", _greatest(builder, squares))
        case _:
            return _greatest(builder, builder.emit("svdValues", matrix(builder, form)))


def _one(builder: Builder, form: Scaling) -> Wire:
    line = diagonal(builder, form)
    return builder.emit("slice", line, axis=0, start=0, stop=1, stride=1)


def _sizes(builder: Builder, wire: Wire) -> Wire:
    if wire.type.kind == "R":
        return builder.emit("abs", wire)
    square = builder.emit("mul", wire, _conj(builder, wire))
    return builder.emit("magnitude", builder.emit("convert", square, kind="R"))


def _greatest(builder: Builder, wire: Wire) -> Wire:
    return builder.emit("maximum", wire, axes=(0,)) if wire.type.size else builder.constant(0.0)


def eigenvalues(builder: Builder, form: Form) -> Wire:
    """The eigenvalues of a self-adjoint map, real, from the least."""
    return _ordered(builder, _eigenvalues(builder, form))


def _eigenvalues(builder: Builder, form: Form) -> Wire:
    match form:
        case Kronecker() if form.left.square and form.right.square:
            # The factors need not be self-adjoint themselves: two skew ones, for example.
            return _as(builder, _spectrum(builder, form), "R")
        case Blocks(parts=parts) if all(part.square for part in parts):
            return builder.emit("concat", *(_eigenvalues(builder, part) for part in parts), axis=0)
        case Sparse(shape="blocks"):
            return _of_blocks(builder, form, "eighValues")
        case _ if (found := _by_structure(builder, form)) is not None:
            return _as(builder, found, "R")
    return builder.emit("eighValues", matrix(builder, form))


def spectrum(builder: Builder, form: Form) -> Wire:
    """The eigenvalues of a square map, complex: in the order of their real parts, those of
    one real part in the order of their imaginary parts."""
    found = _as(builder, _spectrum(builder, form), "C")
    return _ordered(builder, _ordered(builder, found, "imag"))


def _spectrum(builder: Builder, form: Form) -> Wire:
    """In any order, real where that is proved."""
    match form:
        case Kronecker(left=left, right=right) if left.square and right.square:
            one, other = _spectrum(builder, left), _spectrum(builder, right)
            kind = "C" if "C" in (one.type.kind, other.type.kind) else "R"
            return _products(builder, _as(builder, one, kind), _as(builder, other, kind))
        case Blocks(parts=parts) if all(part.square for part in parts):
            found = [_as(builder, _spectrum(builder, part), "C") for part in parts]
            return builder.emit("concat", *found, axis=0)
        case Sparse(shape="blocks"):
            return _of_blocks(builder, form, "eigValues")
        case _ if (made := _by_structure(builder, form)) is not None:
            return made
        case _ if self_adjoint(builder, form):
            return builder.emit("eighValues", matrix(builder, form))
        case _:
            return builder.emit("eigValues", matrix(builder, form))


def _by_structure(builder: Builder, form: Form) -> Wire | None:
    """Without the matrix, whether the map is self-adjoint or not; None where that is not
    possible.

    Of a product U V of low rank they are those of V U, and zeros; a multiple of the
    identity beside it moves all of them; a cycle of a permutation with the product p has the
    roots of p.
    """
    match form:
        case Zero():
            return builder.zeros(ArrayType("R", (form.rows,)))
        case Scaling() | Sparse(shape="diagonal" | "triangular"):
            return diagonal(builder, form)
        case Sparse(shape="permutation"):
            return _of_cycles(builder, form)
        case Steps():
            return _of_each(builder, recurrences.diagonal_blocks(builder, form), "eigValues")
        case Inverted(inner=inner):
            return builder.emit("reciprocal", _as(builder, _spectrum(builder, inner), "C"))
        case Product() if form.square and form.narrow:
            return _of_thin(builder, form, [form])
        case Sum(terms=terms):
            scalings = [each for each in terms if isinstance(each, Scaling)]
            narrow = [each for each in terms if isinstance(each, Product) and each.narrow]
            if len(scalings) != 1 or sum(each.rank for each in narrow) >= form.rows:
                return None
            if len(narrow) < len(terms) - 1:
                return None
            moved = _as(builder, diagonal(builder, scalings[0]), "C")
            return builder.emit("add", moved, _of_thin(builder, form, narrow))
        case _:
            return None


def _of_thin(builder: Builder, form: Form, narrow: Sequence[Product]) -> Wire:
    """Of terms of low rank: those of V U, and as many zeros as are missing."""
    u, v = thin(builder, narrow)
    inner = builder.emit("contract", v, u, left=(0, 1), right=(1, 2), out=(0, 2))
    found = builder.emit("eigValues", inner)
    rank = found.type.shape[0]
    return builder.emit("pad", found, axis=0, low=0, high=form.rows - rank, interior=0)


def _of_blocks(builder: Builder, form: Sparse, primitive: str) -> Wire:
    found = [_of_each(builder, each, primitive) for _, each in blocks(builder, form)]
    return found[0] if len(found) == 1 else builder.emit("concat", *found, axis=0)


def _of_each(builder: Builder, matrices: Wire, primitive: str) -> Wire:
    """Of matrices behind the first axis, all in one axis."""
    count, size, _ = matrices.type.shape
    if size == 1:
        return builder.emit("reshape", matrices, shape=(count,))
    return builder.emit("reshape", builder.emit(primitive, matrices), shape=(count * size,))


def _of_cycles(builder: Builder, form: Sparse) -> Wire:
    """Of a permutation with numbers: along a cycle of length k the k-th roots of their
    product, by its logarithm."""
    next_one = form.pattern.columns
    left, cycles = set(range(form.rows)), []
    while left:
        cycle = [min(left)]
        while (after := int(next_one[cycle[-1]])) != cycle[0]:
            cycle.append(after)
        left -= set(cycle)
        cycles.append(cycle)
    if form.pattern.ones:
        turns = [numpy.arange(len(cycle)) / len(cycle) for cycle in cycles]
        return builder.constant(numpy.exp(2j * numpy.pi * numpy.concatenate(turns)), "C")
    data = _as(builder, values(builder, form), "C")
    found = []
    for length in sorted(set(map(len, cycles))):
        alike = numpy.array([cycle for cycle in cycles if len(cycle) == length])
        numbers = builder.emit("gather", data, builder.constant(alike, "Int"), axis=0)
        if length == 1:
            found.append(builder.emit("reshape", numbers, shape=(len(alike),)))
            continue
        logs = builder.emit("sum", builder.emit("log", numbers), axes=(1,))
        logs = builder.emit("broadcast", logs, shape=alike.shape, axes=(0,))
        angles = builder.constant(2j * numpy.pi * numpy.arange(length), "C")
        angles = builder.emit("broadcast", angles, shape=alike.shape, axes=(1,))
        over = builder.constant(1 / length, "C")
        over = builder.emit("broadcast", over, shape=alike.shape, axes=())
        roots = builder.emit("exp", builder.emit("mul", over, builder.emit("add", logs, angles)))
        found.append(builder.emit("reshape", roots, shape=(alike.size,)))
    return found[0] if len(found) == 1 else builder.emit("concat", *found, axis=0)


def _products(builder: Builder, one: Wire, other: Wire) -> Wire:
    both = builder.emit("contract", one, other, left=(0,), right=(1,), out=(0, 1))
    return builder.emit("reshape", both, shape=(both.type.size,))


def _as(builder: Builder, wire: Wire, kind: str) -> Wire:
    return wire if wire.type.kind == kind else builder.emit("convert", wire, kind=kind)


def _ordered(builder: Builder, line: Wire, by: str = "convert") -> Wire:
    """From the least, by the real parts, or those that `imag` gives; equal ones keep their
    order."""
    size = line.type.size
    if size < 2:
        return line
    keys = builder.emit(
        "hold", builder.emit("imag", line) if by == "imag" else _as(builder, line, "R")
    )
    places = builder.emit("top", builder.emit("negate", keys), axis=0, count=size)
    return builder.emit("gather", line, places, axis=0)
