"""The spectrum of a square matrix that need not be Hermitian: complex eigenvalues.

    eig       A V = V w       dw = diag M,  dV = V (F ∘ M) but for the scale of the columns,
                              with M = V⁻¹ dA V,  F_ij = 1 / (w_j - w_i)

The eigenvalues stand in the order of their real parts, those of one real part in the order
of their imaginary parts; a real matrix has them in conjugate pairs. The leading entry of
an eigenvector (factorisations.py) is 1 here; `eig` gives it the length 1.

A simple eigenvalue has a derivative. Where eigenvalues are equal there is none: of a matrix
without a basis of eigenvectors what comes out is not finite, of another one it belongs
to the basis that was found, and only what does not tell equal eigenvalues apart (their sum,
say) may be relied on. Eigenvectors of equal eigenvalues have no derivative.

Source: Giles, *Collected matrix derivative results* (2008).
"""

from __future__ import annotations

from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Chain, Step
from ..graph.values import Value
from .factorisations import Terms, adjoint, diagonal_within, factor, gaps
from .matrix import columns, from_left, from_right, square
from .table import Builtin, Occurrence, builtin

Array = Any


def _values(matrix: ArrayType) -> ArrayType:
    square("eig", matrix)
    return ArrayType("C", matrix.shape[:-1])


def _vectors(matrix: ArrayType) -> ArrayType:
    square("eig", matrix)
    return ArrayType("C", matrix.shape)


def _eig(matrix: Array) -> tuple[Array, Array]:
    from jax import lax, numpy

    # Of what comes of this JAX takes derivatives of its own only if they are asked for.
    values, vectors = lax.linalg.eig(
        matrix, compute_left_eigenvectors=False, enable_eigvec_derivs=True
    )
    order = numpy.lexsort((values.imag, values.real), axis=-1)
    values = numpy.take_along_axis(values, order, -1)
    vectors = numpy.take_along_axis(vectors, order[..., None, :], -1)
    size = abs(vectors)
    first = numpy.argmax(size >= size.max(axis=-2, keepdims=True) * 0.125**0.5, axis=-2)
    lead = numpy.take_along_axis(vectors, first[..., None, :], -2)
    return values, vectors / lead


def _complex(matrix: Wire) -> Chain:
    return () if matrix.type.kind == "C" else (Step("convert", {"kind": "C"}),)


def _value_terms(builder: Builder, matrix: Wire, _found: Wire) -> Terms:
    vectors = builder.emit("eigVectors", matrix)
    back = adjoint(builder, builder.emit("inverse", vectors))
    return [(*_complex(matrix), *diagonal_within(back, vectors))]


def _vector_terms(builder: Builder, matrix: Wire, vectors: Wire) -> Terms:
    between = gaps(builder, builder.emit("eigValues", matrix), "C")
    inverse = builder.emit("inverse", vectors)
    moved: Chain = (
        *_complex(matrix), from_right(vectors), from_left(inverse), Step("mul", {}, 0, (between,)),
        from_left(vectors),
    )  # fmt: skip
    # The leading entries stay 1: what moves them is taken off, times the vector.
    mask = builder.emit("convert", builder.emit("leading", vectors), kind="C")
    rank = vectors.type.rank
    batch, (i, j) = tuple(range(rank - 2)), (rank - 2, rank - 1)
    lead = {"left": (*batch, i, j), "right": (*batch, i, j), "out": (*batch, j)}
    spread = {"left": (*batch, j), "right": (*batch, i, j), "out": (*batch, i, j)}
    rest: Chain = (
        *moved, Step("contract", lead, 0, (mask,)), Step("negate"),
        Step("contract", spread, 0, (vectors,)),
    )  # fmt: skip
    return [moved, rest]


_SQUARE = [(2, 3, 3), (0, 0)]
factor(
    "eigValues", _values, lambda matrix: _eig(matrix)[0], _value_terms,
    "The eigenvalues of a square matrix, complex, by their real and then their imaginary parts.",
    r"\lambda({0})", _SQUARE, complex_shapes=[(3, 3)], cubes=10,
)  # fmt: skip
factor(
    "eigVectors", _vectors, lambda matrix: _eig(matrix)[1], _vector_terms,
    "Eigenvectors of a square matrix, its columns, the leading entry of each 1.",
    r"V({0})", _SQUARE, complex_shapes=[(3, 3)], cubes=25,
)  # fmt: skip


def _eig_name(context: Context, _occurrence: Occurrence, matrix: Wire) -> Value:
    builder = context.builder
    vectors = builder.emit("eigVectors", matrix)
    square_of = builder.emit("mul", vectors, builder.emit("conj", vectors))
    squares = builder.emit("sum", builder.emit("convert", square_of, kind="R"), axes=(0,))
    over = builder.emit("reciprocal", builder.emit("magnitude", squares))
    lengths = builder.emit("convert", over, kind="C")
    step = columns(lengths)
    unit = builder.emit(step.primitive, vectors, lengths, **step.parameters)
    return builder.emit("eigValues", matrix), unit


builtin(
    Builtin(
        "eig", "a[n,n] -> (b[n], b[n,n]) where field a, b = complexes a", 1, _eig_name,
        doc="The eigenvalues w of a square matrix, complex, by their real and then their "
            "imaginary parts, and its eigenvectors, the columns of V: A @ V = V w. They have the "
            "length 1, their first entry that is not small is real and above 0. Where eigenvalues "
            "are equal they have no derivative. `eigh` is for Hermitian matrices.",
        latex=r"\operatorname{{eig}} {0}",
        example="eig [[0, 1], [-1, 0]]",
    )
)  # fmt: skip
