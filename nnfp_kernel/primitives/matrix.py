"""Linear algebra: a square matrix as a linear map: `solve`, `inverse`, `logdet`.

All take matrices [..., n, n], real or complex; leading axes are a batch. The derivatives
are the coordinate-free ones (Giles, *Collected matrix derivative results*, 2008):

    solve A b    (dA, db) ↦ A⁻¹ (db - dA x)
    inverse A    dA ↦ -A⁻¹ dA A⁻¹
    logdet A     dA ↦ Re tr (A⁻¹ dA)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Parameters, Primitive, Step
from .records import Fixed, batch_all, batched, complex_, expect, per_matrix, real, repeat, samples
from .table import primitive

Array = Any  # a jax.Array or a tracer of one


def _square(name: str, type: ArrayType) -> None:
    """Refuse what is no batch of square matrices of numbers."""
    expect(
        type.rank >= 2 and type.shape[-1] == type.shape[-2], f"{name}: {type} is no square matrix"
    )
    expect(type.kind in ("R", "C"), f"{name}: found {type}, expected R or C")


# --- solve -----------------------------------------------------------------------------------
#
# Right sides are [..., n] or [..., n, m].


def _result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    matrix, right = types
    _square("solve", matrix)
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
    from jax.scipy.linalg import lu_factor, lu_solve

    if 0 in right.shape:
        return lax.full(right.shape, 0, right.dtype)
    vector = right.ndim == matrix.ndim - 1
    columns = lax.expand_dims(right, (right.ndim,)) if vector else right
    answer = lu_solve(lu_factor(matrix), columns, trans=2 if parameters.get("adjoint") else 0)
    return lax.squeeze(answer, (right.ndim,)) if vector else answer


def _differential(
    builder: Builder, parameters: Parameters, inputs: Sequence[Wire], output: Wire
) -> list[tuple[Step, ...] | None]:
    """A x = b: dx = A⁻¹ (db - dA x). With the adjoint, dAᴴ stands for dA."""
    matrix, _ = inputs
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
    return [(product, Step("negate"), solved), (solved,)]


def _adjoint(
    parameters: Parameters, position: int, fixed: Fixed, _domain: ArrayType, _codomain: ArrayType
) -> tuple[Step, ...]:
    expect(position == 1, "solve is linear in its right side only")
    return (Step("solve", {"adjoint": not parameters.get("adjoint")}, 1, fixed),)


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
            "conjugate transpose of A.",
        samples=(
            *samples(
                real((3, 3), (3,)), real((3, 3), (3, 2)), real((2, 3, 3), (2, 3)),
                real((2, 3, 3), (2, 3, 2)), real((1, 1), (1,)), real((0, 0), (0,)),
                real((2, 2), (2, 0)), complex_((2, 2), (2,)),
            ),
            *samples(real((3, 3), (3,)), complex_((2, 2), (2, 2)), adjoint=True),
        ),
    )
)  # fmt: skip


# --- inverse and determinant -----------------------------------------------------------------


def _inverse_result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (matrix,) = types
    _square("inverse", matrix)
    return matrix


def _inverse(_parameters: Parameters, matrix: Array) -> Array:
    import jax.numpy

    return matrix if matrix.size == 0 else jax.numpy.linalg.inv(matrix)


def _inverse_differential(
    _builder: Builder, _parameters: Parameters, inputs: Sequence[Wire], output: Wire
) -> list[tuple[Step, ...] | None]:
    rank = output.type.rank
    batch, (i, j, k) = tuple(range(rank - 2)), range(rank, rank + 3)
    before = {"left": (*batch, i, j), "right": (*batch, j, k), "out": (*batch, i, k)}
    return [
        (Step("contract", before, 1, (output,)), Step("contract", before, 0, (output,)),
         Step("negate")),
    ]  # fmt: skip


primitive(
    Primitive(
        "inverse", "general",
        result=_inverse_result, lower=_inverse, batch=batch_all("inverse"),
        differential=_inverse_differential, cost=per_matrix(2),
        latex="{0}^{{-1}}",
        doc="The inverse of a square matrix; of a singular one, no numbers.",
        samples=samples(
            real((3, 3)), real((2, 3, 3)), real((1, 1)), real((0, 0)), complex_((3, 3)),
            complex_((2, 2, 2)), diagonal=4.0,
        ),
    )
)  # fmt: skip


def _logdet_result(_parameters: Parameters, types: Sequence[ArrayType]) -> ArrayType:
    (matrix,) = types
    _square("logdet", matrix)
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
            real((3, 3)), real((2, 3, 3)), real((1, 1)), real((0, 0)), complex_((3, 3)),
            complex_((2, 2, 2)), diagonal=4.0,
        ),
    )
)  # fmt: skip
