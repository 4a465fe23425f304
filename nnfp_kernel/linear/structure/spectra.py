"""Norms and eigenvalues of a linear map, by its form.

The norm of a map as an element of its space is Frobenius's: the root of the sum of the
squares of all entries, the norm that belongs to the inner product of matrices. The
operator norm is the largest factor by which a vector gets longer.
"""

from __future__ import annotations

import numpy

from ...graph.graph import ArrayType, Builder, Wire
from . import cost
from .forms import Blocks, Form, Kronecker, Product, Scaling, Sparse, Zero
from .operations import chain, diagonal, matrix, values


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
            before, after = cost.halves(form)
            v, u = chain(builder, before), chain(builder, after)
            # Uᴴ U and V Vᴴ
            one = builder.emit(
                "contract", _conj(builder, u), u, left=(2, 0), right=(2, 1), out=(0, 1)
            )
            two = builder.emit(
                "contract", v, _conj(builder, v), left=(0, 2), right=(1, 2), out=(0, 1)
            )
            total = builder.emit("contract", one, two, left=(0, 1), right=(1, 0), out=())
            return total if total.type.kind == "R" else builder.emit("convert", total, kind="R")
        case Blocks(parts=parts):
            total = _squared(builder, parts[0])
            for part in parts[1:]:
                total = builder.emit("add", total, _squared(builder, part))
            return total
        case _:
            return _squares(builder, matrix(builder, form))


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
        case Zero():
            return builder.zeros(ArrayType("R", (form.rows,)))
        case Scaling() | Sparse(shape="diagonal"):
            found = diagonal(builder, form)
            return found if found.type.kind == "R" else builder.emit("convert", found, kind="R")
        case Kronecker(left=left, right=right) if left.square and right.square:
            one, other = _eigenvalues(builder, left), _eigenvalues(builder, right)
            both = builder.emit("contract", one, other, left=(0,), right=(1,), out=(0, 1))
            return builder.emit("reshape", both, shape=(form.rows,))
        case Blocks(parts=parts) if all(part.square for part in parts):
            return builder.emit("concat", *(_eigenvalues(builder, part) for part in parts), axis=0)
        case _:
            return builder.emit("eighValues", matrix(builder, form))


def _ordered(builder: Builder, line: Wire) -> Wire:
    size = line.type.size
    if size < 2:
        return line
    downwards = builder.emit("top", line, axis=0, count=size)
    upwards = builder.constant(numpy.arange(size)[::-1].copy(), "Int")
    order = builder.emit("gather", downwards, upwards, axis=0)
    return builder.emit("gather", line, order, axis=0)
