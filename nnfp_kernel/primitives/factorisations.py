"""Factorisations of a matrix: `cholesky`, `qr`, `eigh`, `svd`.

Each factor is a primitive of its own with its own derivative; XLA computes a
factorisation once, however many factors are used. With M = Qᴴ dA R⁻¹, M = Vᴴ dA V or
M = Uᴴ dA V, ∘ entry by entry, tri and herm as below:

    cholesky  A = L Lᴴ      dL = L tri (L⁻¹ dA L⁻ᴴ)           lower half, diagonal halved
    qr        A = Q R       dR = T R,  dQ = dA R⁻¹ - Q T       T = upper part of M + Mᴴ
    eigh      A = V w Vᴴ    dw = diag M,  dV = V (F ∘ M)       F_ij = 1 / (w_j - w_i)
    svd       A = U s Vᴴ    ds = Re diag M,
                            dU = U (F ∘ (M s + s Mᴴ)) + (1 - U Uᴴ) dA V s⁻¹
                                                               F_ij = 1 / (s_j² - s_i²)

`cholesky` and `eigh` look at the Hermitian part of their argument. What is not unique is
fixed: R has a diagonal above 0; the first entry that is not small of every column of V
and U is real and above 0. A phase that is free drops out of everything that does not
depend on it; the rules of V and U choose theirs so that they are short, and `_settled`
then fixes it by ordinary operations, whose derivatives follow.

Where a factor has no derivative (eigenvectors of equal eigenvalues, singular vectors of
equal or vanishing singular values, Q of dependent columns) it is not finite. Functions of
the whole matrix have one there: `expm`, `sqrtm`, `logm`.

Sources: Giles, *Collected matrix derivative results* (2008); Walter and Lehmann,
*Algorithmic differentiation of linear algebra functions* (2010); Wan and Zhang,
*Automatic differentiation for complex valued SVD* (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph.context import Context
from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Chain, Parameters, Primitive, Step
from ..graph.values import Value
from .matrix import (
    columns,
    conjugate_transposed,
    from_left,
    from_right,
    square,
    triangular,
)
from .records import Entry, batch_all, complex_, expect, per_matrix, real, samples
from .table import Builtin, Occurrence, builtin, primitive

Array = Any  # a jax.Array or a tracer of one
Result = Callable[[ArrayType], ArrayType]
Terms = list[Chain]


def factor(
    name: str,
    result: Result,
    lower: Callable[[Array], Array],
    terms: Callable[[Builder, Wire, Wire], Terms],
    doc: str,
    latex: str,
    shapes: Sequence[tuple[int, ...]],
    *,
    cubes: float,
    complex_shapes: Sequence[tuple[int, ...]] = (),
    diagonal: float = 0.0,
) -> None:
    """Enter a factor: `terms(builder, matrix, factor)` are the chains of its derivative;
    `cubes` counts its operations, computed alone."""

    def of(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
        (matrix,) = types
        expect(matrix.rank >= 2 and matrix.kind in ("R", "C"), f"{name}: {matrix} is no matrix")
        return result(matrix)

    def differential(
        builder: Builder, _parameters: Parameters, inputs: Sequence[Wire], output: Wire
    ) -> list[Chain | Terms | None]:
        return [terms(builder, inputs[0], output)]

    def lowered(_parameters: Parameters, matrix: Array) -> Array:
        from jax import numpy

        if 0 in matrix.shape:  # no entries; some routines refuse that
            kind = "C" if matrix.dtype.kind == "c" else "R"
            made = result(ArrayType(kind, matrix.shape))
            own = matrix.real.dtype if made.kind == "R" else numpy.result_type(matrix, 1j)
            return numpy.zeros(made.shape, own)
        return lower(matrix)

    primitive(
        Primitive(
            name, "general",
            result=of, lower=lowered, batch=batch_all(name), differential=differential,
            cost=per_matrix(cubes),
            latex=latex, doc=doc,
            samples=(
                *samples(*(real(shape) for shape in shapes), diagonal=diagonal),
                *samples(*(complex_(shape) for shape in complex_shapes), diagonal=diagonal),
            ),
        )
    )  # fmt: skip


def _square_of(name: str) -> Result:
    def result(matrix: ArrayType) -> ArrayType:
        square(name, matrix)
        return matrix

    return result


# --- Cholesky --------------------------------------------------------------------------------


def _cholesky(matrix: Array) -> Array:
    from jax import numpy

    return numpy.linalg.cholesky(matrix, symmetrize_input=True)


def _cholesky_terms(builder: Builder, matrix: Wire, factor: Wire) -> Terms:
    solve = Step("solve", {"triangle": "lower"}, 1, (factor,))
    half = triangular(builder, factor.type, 1, 0.5, 0)
    return [(
        Step("hermitian"), solve, *conjugate_transposed(matrix.type), solve,
        Step("mul", {}, 0, (half,)), from_left(factor),
    )]  # fmt: skip


factor(
    "cholesky", _square_of("cholesky"), _cholesky, _cholesky_terms,
    "The lower triangular L with a diagonal above 0 and A = L Lᴴ, for a positive definite A, of "
    "which the Hermitian part is looked at. Of another matrix, no numbers.",
    r"\operatorname{{chol}} {0}",
    [(2, 3, 3), (0, 0)], complex_shapes=[(3, 3)], diagonal=9.0, cubes=1 / 3,
)  # fmt: skip


# --- QR --------------------------------------------------------------------------------------


def _tall(matrix: ArrayType) -> None:
    m, n = matrix.shape[-2:]
    expect(m >= n, f"qr: {matrix} is wider than tall")


def _qr_q(matrix: ArrayType) -> ArrayType:
    _tall(matrix)
    return matrix


def _qr_r(matrix: ArrayType) -> ArrayType:
    _tall(matrix)
    n = matrix.shape[-1]
    return ArrayType(matrix.kind, (*matrix.shape[:-2], n, n))


def _qr(matrix: Array) -> tuple[Array, Array]:
    """With the phases moved from the diagonal of R into Q."""
    from jax import numpy

    q, r = numpy.linalg.qr(matrix)
    on = numpy.diagonal(r, axis1=-2, axis2=-1)
    size = abs(on)
    phase = numpy.where(size == 0, 1, on / numpy.where(size == 0, 1, size))
    return q * phase[..., None, :], r * phase.conj()[..., :, None]


def _over(triangle: Wire) -> Chain:
    """X ↦ X R⁻¹ = (R⁻ᴴ Xᴴ)ᴴ."""
    turned = conjugate_transposed(triangle.type)
    return (*turned, Step("solve", {"triangle": "upper", "adjoint": True}, 1, (triangle,)), *turned)


def _upper(builder: Builder, q: Wire, r: Wire) -> Chain:
    """dA ↦ T: what of Qᴴ dA R⁻¹ turns R; the rest, skew, turns Q."""
    twice = triangular(builder, r.type, 0, 1, 2)
    return (*_over(r), from_left(q, adjoint=True), Step("hermitian"), Step("mul", {}, 0, (twice,)))


def _qr_q_terms(builder: Builder, matrix: Wire, q: Wire) -> Terms:
    r = builder.emit("qrR", matrix)
    return [_over(r), (*_upper(builder, q, r), from_left(q), Step("negate"))]


def _qr_r_terms(builder: Builder, matrix: Wire, r: Wire) -> Terms:
    q = builder.emit("qrQ", matrix)
    return [(*_upper(builder, q, r), from_right(r))]


_QR = [(2, 4, 2), (2, 0)]
factor(
    "qrQ", _qr_q, lambda matrix: _qr(matrix)[0], _qr_q_terms,
    "The orthonormal columns Q of A = Q R, of a matrix at least as tall as wide.",
    r"Q({0})", _QR, complex_shapes=[(4, 3)], diagonal=4.0, cubes=8 / 3,
)  # fmt: skip
factor(
    "qrR", _qr_r, lambda matrix: _qr(matrix)[1], _qr_r_terms,
    "The upper triangle R of A = Q R, its diagonal above 0.",
    r"R({0})", _QR, complex_shapes=[(4, 3)], diagonal=4.0, cubes=4 / 3,
)  # fmt: skip


# --- eigenvalues of a Hermitian matrix ---------------------------------------------------------


def _eigenvalues(matrix: ArrayType) -> ArrayType:
    square("eigh", matrix)
    return ArrayType("R", matrix.shape[:-1])


def _eigh(matrix: Array) -> tuple[Array, Array]:
    from jax import numpy

    found = numpy.linalg.eigh(matrix, symmetrize_input=True)
    return found.eigenvalues, found.eigenvectors


def _as(kind: str, type: ArrayType) -> Chain:
    return () if type.kind == kind else (Step("convert", {"kind": kind}),)


def diagonal_within(left: Wire, right: Wire) -> Chain:
    """X ↦ the diagonal of Lᴴ X R."""
    rank = left.type.rank
    batch, (i, j) = tuple(range(rank - 2)), (rank - 2, rank - 1)
    labels: dict[str, Any] = {"left": (*batch, i, j), "right": (*batch, i, j), "out": (*batch, j)}
    if left.type.kind == "C":
        labels["conjugate"] = True
    return (from_right(right), Step("contract", labels, 0, (left,)))


def gaps(builder: Builder, values: Wire, kind: str) -> Wire:
    """1 / (d_j - d_i) off the diagonal, 0 on it."""
    rank = values.type.rank + 1
    shape = (*values.type.shape, values.type.shape[-1])
    batch = tuple(range(rank - 2))
    at = Entry(builder, builder.emit("broadcast", values, shape=shape, axes=(*batch, rank - 1)))
    of = Entry(builder, builder.emit("broadcast", values, shape=shape, axes=(*batch, rank - 2)))
    one = Entry(builder, triangular(builder, at.wire.type, 0, 1, 0))
    over = (at - of + one).inverse() * (1 - one)
    return (
        over.wire if over.wire.type.kind == kind else builder.emit("convert", over.wire, kind=kind)
    )


def _eigenvalue_terms(builder: Builder, matrix: Wire, values: Wire) -> Terms:
    vectors = builder.emit("eighVectors", matrix)
    return [(Step("hermitian"), *diagonal_within(vectors, vectors), *_as("R", matrix.type))]


def _eigenvector_terms(builder: Builder, matrix: Wire, vectors: Wire) -> Terms:
    between = gaps(builder, builder.emit("eighValues", matrix), matrix.type.kind)
    return [(
        Step("hermitian"), from_right(vectors), from_left(vectors, adjoint=True),
        Step("mul", {}, 0, (between,)), from_left(vectors),
    )]  # fmt: skip


_SQUARE = [(2, 3, 3), (0, 0)]
factor(
    "eighValues", _eigenvalues, lambda matrix: _eigh(matrix)[0], _eigenvalue_terms,
    "The eigenvalues of the Hermitian part of a matrix, from the least.",
    r"\lambda({0})", _SQUARE, complex_shapes=[(3, 3)], cubes=4 / 3,
)  # fmt: skip
factor(
    "eighVectors", _square_of("eigh"), lambda matrix: _eigh(matrix)[1], _eigenvector_terms,
    "Eigenvectors of the Hermitian part of a matrix, its columns, each up to a phase.",
    r"V({0})", _SQUARE, cubes=9,
)  # fmt: skip


# --- singular values -----------------------------------------------------------------------------


def _singular(which: int) -> Result:
    """U [m, k], s [k] or V [n, k], with k the lesser of m and n."""

    def result(matrix: ArrayType) -> ArrayType:
        *batch, m, n = matrix.shape
        k = min(m, n)
        shape = ((m, k), (k,), (n, k))[which]
        return ArrayType("R" if which == 1 else matrix.kind, (*batch, *shape))

    return result


def _svd(matrix: Array) -> tuple[Array, Array, Array]:
    from jax import numpy

    u, s, vh = numpy.linalg.svd(matrix, full_matrices=False)
    return u, s, vh.swapaxes(-1, -2).conj()


def _svd_value_terms(builder: Builder, matrix: Wire, _values: Wire) -> Terms:
    u, v = builder.emit("svdU", matrix), builder.emit("svdV", matrix)
    return [(*diagonal_within(u, v), *_as("R", matrix.type))]


def _svd_u_terms(builder: Builder, matrix: Wire, u: Wire) -> Terms:
    s, v = builder.emit("svdValues", matrix), builder.emit("svdV", matrix)
    terms = _singular_terms(builder, u, s, v, ())
    if matrix.type.kind == "C":
        # The diagonal of Uᴴ dU: V keeps its phase, so U takes what is imaginary of M.
        over = builder.emit("reciprocal", s)
        rank = u.type.rank
        batch, (i, j) = tuple(range(rank - 2)), (rank - 2, rank - 1)
        labels = {"left": (*batch, j), "right": (*batch, i, j), "out": (*batch, i, j)}
        terms.append((
            *diagonal_within(u, v), Step("imag"), Step("mul", {}, 0, (over,)), Step("imaginary"),
            Step("contract", labels, 0, (u,)),
        ))  # fmt: skip
    return terms


def _svd_v_terms(builder: Builder, matrix: Wire, v: Wire) -> Terms:
    s, u = builder.emit("svdValues", matrix), builder.emit("svdU", matrix)
    return _singular_terms(builder, v, s, u, conjugate_transposed(matrix.type))


def _singular_terms(builder: Builder, u: Wire, s: Wire, v: Wire, turned: Chain) -> Terms:
    """U's derivative but for a phase; V's is that of U for Aᴴ, where `turned` is dA ↦ dAᴴ."""
    kind = u.type.kind
    between = Entry(builder, gaps(builder, builder.emit("square", s), kind))
    factors = builder.emit("convert", s, kind=kind)
    within: Chain = (
        *turned, from_right(v), from_left(u, adjoint=True), columns(factors),
        Step("hermitian"), Step("mul", {}, 0, ((between * 2).wire,)), from_left(u),
    )  # fmt: skip
    if u.type.shape[-2] == u.type.shape[-1]:
        return [within]
    over = columns(builder.emit("reciprocal", factors))
    outside: Chain = (*turned, from_right(v), over)
    inside: Chain = (*outside, from_left(u, adjoint=True), from_left(u), Step("negate"))
    return [within, outside, inside]


_ANY = [(2, 4, 2), (2, 3), (0, 2)]
factor(
    "svdU", _singular(0), lambda matrix: _svd(matrix)[0], _svd_u_terms,
    "The left singular vectors of a matrix, as columns, each up to a phase.",
    r"U({0})", _ANY, diagonal=3.0, cubes=20,
)  # fmt: skip
factor(
    "svdValues", _singular(1), lambda matrix: _svd(matrix)[1], _svd_value_terms,
    "The singular values of a matrix, from the greatest.",
    r"\sigma({0})", _ANY, complex_shapes=[(3, 2)], diagonal=3.0, cubes=8 / 3,
)  # fmt: skip
factor(
    "svdV", _singular(2), lambda matrix: _svd(matrix)[2], _svd_v_terms,
    "The right singular vectors of a matrix, as columns, each up to a phase.",
    r"V({0})", _ANY, diagonal=3.0, cubes=20,
)  # fmt: skip


# --- the phase of a column ---------------------------------------------------------------------


def _leading_result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (vectors,) = types
    expect(vectors.rank >= 2 and vectors.kind in ("R", "C"), f"leading: {vectors} has no columns")
    return ArrayType("R", vectors.shape)


def _leading(_parameters: Parameters, vectors: Array) -> Array:
    """√⅛ of the greatest: entries with a ratio of whole numbers never tie with it, so
    that rounding does not decide."""
    from jax import lax, numpy

    size = abs(vectors)
    if size.size == 0:
        return size
    large = size >= size.max(axis=-2, keepdims=True) * 0.125**0.5
    first = numpy.argmax(large, axis=-2)
    places = lax.broadcasted_iota(first.dtype, size.shape, size.ndim - 2)
    return (places == first[..., None, :]).astype(size.dtype)


primitive(
    Primitive(
        "leading", "discrete",
        result=_leading_result, lower=_leading, batch=batch_all("leading"),
        latex=r"\operatorname{{lead}} {0}",
        doc="1 at the first entry of each column that is not small, 0 elsewhere.",
        samples=samples(real((3, 2)), real((2, 3, 3)), real((0, 0)), complex_((3, 3))),
    )
)  # fmt: skip


def _phases(builder: Builder, vectors: Wire) -> Wire:
    """The conjugate phase of the leading entry of every column."""
    rank, kind = vectors.type.rank, vectors.type.kind
    batch, (i, j) = tuple(range(rank - 2)), (rank - 2, rank - 1)
    mask = builder.emit("convert", builder.emit("leading", vectors), kind=kind)
    labels = {"left": (*batch, i, j), "right": (*batch, i, j), "out": (*batch, j)}
    lead = builder.emit("contract", vectors, mask, **labels)
    if kind == "R":
        return builder.emit("sign", lead)
    turned = builder.emit("conj", lead)
    size = builder.emit("convert", builder.emit("modulus", lead), kind="C")
    return builder.emit("divide", turned, size)


def _times_columns(builder: Builder, vectors: Wire, factors: Wire) -> Wire:
    step = columns(factors)
    return builder.emit(step.primitive, vectors, factors, **step.parameters)


def adjoint(builder: Builder, matrix: Wire) -> Wire:
    for step in conjugate_transposed(matrix.type):
        matrix = builder.emit(step.primitive, matrix, **step.parameters)
    return matrix


# --- names of the language -----------------------------------------------------------------------


def _cholesky_name(context: Context, _occurrence: Occurrence, matrix: Wire) -> Value:
    return context.builder.emit("cholesky", matrix)


def _qr_name(context: Context, _occurrence: Occurrence, matrix: Wire) -> Value:
    """Of a wide matrix, the columns on the left give Q; the others are turned by it."""
    builder = context.builder
    m, n = matrix.type.shape
    left = builder.emit("slice", matrix, axis=1, start=0, stop=min(m, n), stride=1)
    q, r = builder.emit("qrQ", left), builder.emit("qrR", left)
    if m < n:
        rest = builder.emit("slice", matrix, axis=1, start=m, stop=n, stride=1)
        step = from_left(q, adjoint=True)
        turned = builder.emit(step.primitive, rest, q, **step.parameters)
        r = builder.emit("concat", r, turned, axis=1)
    return q, r


def _leading_name(context: Context, _occurrence: Occurrence, matrix: Wire) -> Value:
    return context.builder.emit("leading", matrix)


def _hermitian_name(context: Context, _occurrence: Occurrence, matrix: Wire) -> Value:
    return context.builder.emit("hermitian", matrix)


def _eigh_name(context: Context, _occurrence: Occurrence, matrix: Wire) -> Value:
    builder = context.builder
    vectors = builder.emit("eighVectors", matrix)
    settled = _times_columns(builder, vectors, _phases(builder, vectors))
    return builder.emit("eighValues", matrix), settled


def _svd_name(context: Context, _occurrence: Occurrence, matrix: Wire) -> Value:
    """One phase for both sides, so that their product stays what it is."""
    builder = context.builder
    u, v = builder.emit("svdU", matrix), builder.emit("svdV", matrix)
    phases = _phases(builder, u)
    u, v = _times_columns(builder, u, phases), _times_columns(builder, v, phases)
    return u, builder.emit("svdValues", matrix), adjoint(builder, v)


builtin(
    Builtin(
        "cholesky", "a[n,n] -> a[n,n] where field a", 1, _cholesky_name,
        doc="The lower triangular L with A = L Lᴴ of a positive definite matrix; its Hermitian "
            "part is looked at.",
        latex=r"\operatorname{{chol}} {0}",
        example="cholesky [[4, 2], [2, 5]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "qr", "a[m,n] -> (a[m,k], a[k,n]) where field a, k = least m n", 1, _qr_name,
        doc="A = Q R, with orthonormal columns in Q and R upper triangular, its diagonal above 0.",
        latex=r"\operatorname{{qr}} {0}",
        example="qr [[3, 1], [4, 2]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "eigh", "a[n,n] -> (b[n], a[n,n]) where field a, b = reals a", 1, _eigh_name,
        doc="The eigenvalues w of a Hermitian matrix, from the least, and its eigenvectors, the "
            "columns of V: A = V w Vᴴ. The first entry of a column that is not small is above 0. "
            "Eigenvectors of equal eigenvalues have no derivative.",
        latex=r"\operatorname{{eigh}} {0}",
        example="eigh [[2, 1], [1, 2]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "svd", "a[m,n] -> (a[m,k], b[k], a[k,n]) where field a, b = reals a, k = least m n", 1,
        _svd_name,
        doc="A = U s Vᴴ: the singular values s, from the greatest, and Vᴴ. The first entry of a "
            "column of U that is not small is above 0. Singular vectors of equal or vanishing "
            "singular values have no derivative.",
        latex=r"\operatorname{{svd}} {0}",
        example="svd [[3, 0], [4, 5]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "hermitian", "a[n,n] -> a[n,n] where field a", 1, _hermitian_name,
        doc="The Hermitian part of a square matrix, half the sum of it and its adjoint: what "
            "`cholesky` and `eigh` look at.",
        latex=r"\operatorname{{herm}} {0}",
        example="hermitian [[1, 2], [0, 3]]",
    )
)  # fmt: skip
builtin(
    Builtin(
        "leading", "a[m,n] -> b[m,n] where field a, b = reals a", 1, _leading_name,
        doc="1 at the first entry of each column that is not small (at least the root of 1/8 of "
            "the largest), 0 elsewhere: the entry that fixes the sign of an eigenvector.",
        latex=r"\operatorname{{lead}} {0}",
        example="leading [[0, 3], [1, 4]]",
    )
)  # fmt: skip
