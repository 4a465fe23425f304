"""Linear algebra: a square matrix as a linear map: `solve`, `inverse`, `logdet`.

All take matrices [..., n, n], real or complex; leading axes are a batch. The derivatives
are the coordinate-free ones (Giles, *Collected matrix derivative results*, 2008):

    solve A b    (dA, db) ↦ A⁻¹ (db - dA x)
    inverse A    dA ↦ -A⁻¹ dA A⁻¹
    logdet A     dA ↦ Re tr (A⁻¹ dA)

What the rules of other files on matrices share is here too: `from_left` and `from_right`
are the steps X ↦ M X and X ↦ X M, `hermitian` is the step X ↦ (X + Xᴴ)/2, and
`triangular` makes the masks that keep a part of a matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Parameters, Primitive, Step
from .records import (
    Fixed,
    batch_all,
    batched,
    complex_,
    expect,
    per_matrix,
    real,
    repeat,
    same,
    samples,
)  # fmt: skip
from .table import primitive

Array = Any  # a jax.Array or a tracer of one


def square(name: str, type: ArrayType) -> None:
    """Refuse what is no batch of square matrices of numbers."""
    expect(
        type.rank >= 2 and type.shape[-1] == type.shape[-2], f"{name}: {type} is no square matrix"
    )
    expect(type.kind in ("R", "C"), f"{name}: found {type}, expected R or C")


# --- steps on matrices -----------------------------------------------------------------------


def from_left(matrix: Wire, *, adjoint: bool = False) -> Step:
    """X ↦ M X, or Mᴴ X, for the matrices [..., m, n] on a wire."""
    rank = matrix.type.rank
    batch, (i, j, k) = tuple(range(rank - 2)), range(rank - 2, rank + 1)
    if not adjoint:
        labels: dict[str, Any] = {"left": (*batch, i, j), "right": (*batch, j, k)}
        return Step("contract", {**labels, "out": (*batch, i, k)}, 1, (matrix,))
    labels = {"left": (*batch, j, k), "right": (*batch, j, i), "out": (*batch, i, k)}
    return Step("contract", labels | _conjugate(matrix), 0, (matrix,))


def from_right(matrix: Wire, *, adjoint: bool = False) -> Step:
    """X ↦ X M, or X Mᴴ."""
    rank = matrix.type.rank
    batch, (i, j, k) = tuple(range(rank - 2)), range(rank - 2, rank + 1)
    right = (*batch, k, j) if adjoint else (*batch, j, k)
    labels: dict[str, Any] = {"left": (*batch, i, j), "right": right, "out": (*batch, i, k)}
    return Step("contract", labels | (_conjugate(matrix) if adjoint else {}), 0, (matrix,))


def columns(factors: Wire) -> Step:
    """X ↦ X diag(d): every column times its factor."""
    rank = factors.type.rank
    batch, (i, j) = tuple(range(rank - 1)), (rank, rank + 1)
    labels = {"left": (*batch, i, j), "right": (*batch, j), "out": (*batch, i, j)}
    return Step("contract", labels, 0, (factors,))


def _conjugate(matrix: Wire) -> dict[str, Any]:
    return {"conjugate": True} if matrix.type.kind == "C" else {}


def conjugate_transposed(type: ArrayType) -> tuple[Step, ...]:
    """X ↦ Xᴴ, for matrices of a type."""
    rank = type.rank
    exchange = Step("transpose", {"permutation": (*range(rank - 2), rank - 1, rank - 2)})
    return (exchange, Step("conj")) if type.kind == "C" else (exchange,)


def triangular(
    builder: Builder, type: ArrayType, below: float, diagonal: float, above: float
) -> Wire:
    """A matrix with one number below the diagonal, one on it and one above it.

    Such a mask keeps a part of a matrix: `triangular(builder, type, 1, 1, 0)` its lower
    triangle. It is made of indices, so that the graph holds no n² numbers."""
    rank, (n, m) = type.rank, type.shape[-2:]
    rows, columns = (
        builder.emit("broadcast", builder.emit("iota", size=size), shape=(n, m), axes=(axis,))
        for size, axis in ((n, 0), (m, 1))
    )
    total = None
    for how, value in (("gt", below), ("eq", diagonal), ("lt", above)):
        if value:
            where = builder.emit("compare", rows, columns, how=how)
            part = builder.emit("convert", where, kind=type.kind)
            if value != 1:
                factor = builder.constant(value, type.kind)
                factor = builder.emit("broadcast", factor, shape=(n, m), axes=())
                part = builder.emit("mul", part, factor)
            total = part if total is None else builder.emit("add", total, part)
    mask = total or builder.zeros(ArrayType(type.kind, (n, m)))
    if rank == 2:
        return mask
    return builder.emit("broadcast", mask, shape=type.shape, axes=(rank - 2, rank - 1))


def _hermitian_result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (matrix,) = types
    square("hermitian", matrix)
    return matrix


def _hermitian(_parameters: Parameters, matrix: Array) -> Array:
    return (matrix + matrix.swapaxes(-1, -2).conj()) * 0.5


primitive(
    Primitive(
        "hermitian", "linear",
        result=_hermitian_result, lower=_hermitian, batch=batch_all("hermitian"),
        adjoint=same("hermitian"), cost=lambda _parameters, _types, result: 2 * result.size,
        latex=r"\operatorname{{herm}} {0}",
        doc="The Hermitian part of a square matrix, half the sum of it and its adjoint.",
        samples=samples(real((3, 3)), real((2, 3, 3)), real((0, 0)), complex_((2, 2))),
    )
)  # fmt: skip

# --- solve -----------------------------------------------------------------------------------
#
# Right sides are [..., n] or [..., n, m].


def _result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    matrix, right = types
    square("solve", matrix)
    expect(
        right.rank in (matrix.rank - 1, matrix.rank)
        and right.shape[: matrix.rank - 1] == matrix.shape[:-1],
        f"solve: {right} is no right side for {matrix}",
    )
    expect(matrix.kind == right.kind, f"solve: found {matrix} and {right}, expected one kind")
    return right


def _solve(parameters: Parameters, matrix: Array, right: Array) -> Array:
    """By LU. The adjoint uses the factors of the matrix itself, not of its transpose,
    so that XLA can share them with the forward solution."""
    from jax import lax
    from jax.scipy.linalg import lu_factor, lu_solve, solve_triangular

    if 0 in right.shape:
        return lax.full(right.shape, 0, right.dtype)
    vector = right.ndim == matrix.ndim - 1
    columns = lax.expand_dims(right, (right.ndim,)) if vector else right
    way = 2 if parameters.get("adjoint") else 0
    if triangle := parameters.get("triangle"):
        answer = solve_triangular(matrix, columns, trans=way, lower=triangle == "lower")
    else:
        answer = lu_solve(lu_factor(matrix), columns, trans=way)
    return lax.squeeze(answer, (right.ndim,)) if vector else answer


def _differential(
    builder: Builder, parameters: Parameters, inputs: Sequence[Wire], output: Wire
) -> list[tuple[Step, ...] | None]:
    """A x = b: dx = A⁻¹ (db - dA x). With the adjoint, dAᴴ stands for dA. Of a triangular
    matrix only the triangle is looked at."""
    matrix, _ = inputs
    kept: tuple[Step, ...] = ()
    if triangle := parameters.get("triangle"):
        low, high = (1, 0) if triangle == "lower" else (0, 1)
        kept = (Step("mul", {}, 0, (triangular(builder, matrix.type, low, 1, high),)),)
    rank = matrix.type.rank
    batch = tuple(range(rank - 2))
    row, column, free = rank - 2, rank - 1, (rank,) * (output.type.rank - rank + 1)
    solved = Step("solve", parameters, 1, (matrix,))
    labels: dict[str, Any] = {"left": (*batch, row, column), "right": (*batch, column, *free),
                              "out": (*batch, row, *free)}  # fmt: skip
    product = Step("contract", labels, 0, (output,))
    if parameters.get("adjoint"):
        labels["right"], labels["out"] = (*batch, row, *free), (*batch, column, *free)
        if matrix.type.kind == "C":  # x · conj dA, open at the second operand
            labels["left"], labels["right"] = labels["right"], labels["left"]
            product = Step("contract", {**labels, "conjugate": True}, 1, (output,))
    return [(*kept, product, Step("negate"), solved), (solved,)]


def _adjoint(
    parameters: Parameters, position: int, fixed: Fixed, _domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    expect(position == 1, "solve is linear in its right side only")
    turned = {**parameters, "adjoint": not parameters.get("adjoint")}
    return (Step("solve", turned, 1, fixed),)


def _batch(
    builder: Builder,
    parameters: Parameters,
    inputs: Sequence[Wire],
    flags: Sequence[bool],
    length: int,
) -> Wire:
    """A batch of right sides of one matrix is one right side with more columns."""
    matrix, right = inputs
    if not flags[0] and matrix.type.rank == 2:
        columns = builder.emit("transpose", right, permutation=(1, *range(2, right.type.rank), 0))
        flat = (matrix.type.shape[0], columns.type.size // max(matrix.type.shape[0], 1))
        answer = builder.emit(
            "solve", matrix, builder.emit("reshape", columns, shape=flat), **parameters
        )
        answer = builder.emit("reshape", answer, shape=columns.type.shape)
        last = answer.type.rank - 1
        return builder.emit("transpose", answer, permutation=(last, *range(last)))
    both = [
        wire if flag else repeat(builder, wire, length)
        for wire, flag in zip(inputs, flags, strict=True)
    ]
    return builder.emit("solve", *both, **parameters)


def _solve_cost(parameters: Parameters, types: Sequence[ArrayType], result: ArrayType) -> int:
    """LU, and two triangular solutions for each column."""
    return per_matrix(2 / 3)(parameters, types, result) + 2 * result.size * types[0].shape[-1]


primitive(
    Primitive(
        "solve", "general", open_positions=(1,),
        result=_result, lower=_solve, batch=batched("solve", _batch),
        differential=_differential, adjoint=_adjoint, cost=_solve_cost,
        latex="{0}^{{-1}} {1}",
        doc="The solution x of A x = b, for one or several right sides; `adjoint` takes the "
            "conjugate transpose of A, `triangle` looks at the lower or upper one only.",
        samples=(
            *samples(
                real((3, 3), (3,)), real((3, 3), (3, 2)), real((2, 3, 3), (2, 3)),
                real((2, 3, 3), (2, 3, 2)), real((1, 1), (1,)), real((0, 0), (0,)),
                real((2, 2), (2, 0)), complex_((2, 2), (2,)),
            ),
            *samples(real((3, 3), (3,)), complex_((2, 2), (2, 2)), adjoint=True),
            *samples(
                real((3, 3), (3, 2)), complex_((2, 2), (2, 2)), triangle="lower", diagonal=3.0
            ),
            *samples(complex_((3, 3), (3,)), triangle="upper", adjoint=True, diagonal=3.0),
        ),
    )
)  # fmt: skip


# --- inverse and determinant -----------------------------------------------------------------


def _inverse_result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (matrix,) = types
    square("inverse", matrix)
    return matrix


def _inverse(_parameters: Parameters, matrix: Array) -> Array:
    import jax.numpy

    return matrix if matrix.size == 0 else jax.numpy.linalg.inv(matrix)


def _inverse_differential(
    _builder: Builder, _parameters: Parameters, inputs: Sequence[Wire], output: Wire
) -> list[tuple[Step, ...] | None]:
    return [(from_left(output), from_right(output), Step("negate"))]


primitive(
    Primitive(
        "inverse", "general",
        result=_inverse_result, lower=_inverse, batch=batch_all("inverse"),
        differential=_inverse_differential, cost=per_matrix(2),
        latex="{0}^{{-1}}",
        doc="The inverse of a square matrix; of a singular one, no numbers.",
        samples=samples(
            real((2, 3, 3)), real((0, 0)), complex_((3, 3)), diagonal=4.0
        ),
    )
)  # fmt: skip


def _logdet_result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (matrix,) = types
    square("logdet", matrix)
    return ArrayType("R", matrix.shape[:-2])


def _logdet(_parameters: Parameters, matrix: Array) -> Array:
    import jax.numpy

    # By LU: a sum of logarithms, so that it neither overflows nor vanishes.
    return jax.numpy.linalg.slogdet(matrix)[1]


def _logdet_differential(
    builder: Builder, _parameters: Parameters, inputs: Sequence[Wire], _output: Wire
) -> list[tuple[Step, ...] | None]:
    (matrix,) = inputs
    rank = matrix.type.rank
    batch, (i, j) = tuple(range(rank - 2)), (rank, rank + 1)
    inverse = builder.emit("inverse", matrix)
    labels = {"left": (*batch, i, j), "right": (*batch, j, i), "out": batch}
    trace = Step("contract", labels, 1, (inverse,))
    return [(trace,) if matrix.type.kind == "R" else (trace, Step("convert", {"kind": "R"}))]


primitive(
    Primitive(
        "logdet", "general",
        result=_logdet_result, lower=_logdet, batch=batch_all("logdet"),
        differential=_logdet_differential, cost=per_matrix(2 / 3),
        latex=r"\log \lvert \det {0} \rvert",
        doc="log |det A|, a real number, also of a complex matrix; of a singular one, -inf.",
        samples=samples(
            real((2, 3, 3)), real((0, 0)), complex_((3, 3)), diagonal=4.0
        ),
    )
)  # fmt: skip
