"""A map that is easily solved, and a term of low rank beside it: B + U V.

    (B + U V)⁻¹ b = y - Z C⁻¹ V y     y = B⁻¹ b, Z = B⁻¹ U, C = I + V Z   (Woodbury)
    det (B + U V) = det B det C                                           (the lemma)

Both divide by B, which may be singular while the sum is not: a diagonal with a zero, as
the derivative of a `relu` has. Of a rank r there are r zeros at most then; so the r least
entries of a diagonal are lifted to its greatest, and what was added there is subtracted
again in the term of low rank, the rank of which doubles:

    D + U V = (D + s E Eᵀ - E D_E Eᵀ) + [U, E] [V; -(s - d_E) Eᵀ]

with E the columns of the identity at those places. Then B is as well conditioned as the
sum lets it be, for the r + 1 smallest singular values of D bound the least one of the sum.
Another base is looked at when it is divided by: where that is not `harmless` the matrix of
the sum takes its place (operations.py).

Sources: Woodbury 1950; Hager, *Updating the inverse of a matrix* (1989); Horn and Johnson,
*Topics in Matrix Analysis* (1991), theorem 3.3.16 (singular values of sums).
"""

from __future__ import annotations

from dataclasses import dataclass

from ...graph.graph import Builder, Wire
from .probes import unit_matrix


@dataclass(frozen=True)
class Lifted:
    """diag line + left · right, the line without small entries if the sum is regular."""

    line: Wire
    left: Wire
    right: Wire


def lifted(builder: Builder, line: Wire, left: Wire, right: Wire) -> Lifted:
    """diag line + left · right as such a sum that can be divided by its diagonal.

    Which entries are lifted, and how far, is held constant: the sum is the same whatever
    they are, and its derivative, too.
    """
    size, kind = line.type.shape[0], line.type.kind
    rank = left.type.shape[1]
    lengths = builder.emit("hold", _lengths(builder, line))
    least = builder.emit("top", builder.emit("negate", lengths), axis=0, count=rank)
    # E, as rows: 1 in row k at the place of the k-th least entry.
    index = builder.emit(
        "broadcast", builder.emit("iota", size=size), shape=(rank, size), axes=(1,)
    )
    place = builder.emit("broadcast", least, shape=(rank, size), axes=(0,))
    there = builder.emit("compare", index, place, how="eq")
    units = builder.emit("convert", there, kind=kind)
    greatest = builder.emit("maximum", lengths, axes=(0,))
    greatest = builder.emit("convert", greatest, kind=kind)
    chosen = builder.emit("sum", builder.emit("convert", there, kind="R"), axes=(0,))
    chosen = builder.emit("compare", chosen, builder.zeros(chosen.type), how="ne")
    top = builder.emit("broadcast", greatest, shape=(size,), axes=())
    moved = builder.emit("select", chosen, top, line)
    back = builder.emit("subtract", line, moved)  # d - s at the places lifted, else 0
    back = builder.emit("broadcast", back, shape=(rank, size), axes=(1,))
    under = builder.emit("mul", units, back)
    return Lifted(
        moved,
        builder.emit("concat", left, builder.emit("transpose", units, permutation=(1, 0)), axis=1),
        builder.emit("concat", right, under, axis=0),
    )


def logdet(builder: Builder, sum: Lifted) -> Wire:
    """log |det|; -inf where more entries are zero than the rank can make up for."""
    line = sum.line
    nothing = builder.zeros(line.type)
    none = builder.emit("compare", _lengths(builder, line), _lengths(builder, nothing), how="eq")
    ones = builder.emit("broadcast", builder.constant(1.0, line.type.kind), shape=line.type.shape,
                        axes=())  # fmt: skip
    safe = builder.emit("select", none, ones, line)
    inner = capacitance(builder, sum.right, _over(builder, sum.left, safe))
    logs = builder.emit("log", _lengths(builder, line))
    return builder.emit("add", builder.emit("sum", logs, axes=(0,)), builder.emit("logdet", inner))


def solve(builder: Builder, sum: Lifted, image: Wire) -> Wire:
    """The columns u with (diag line + left · right) u = image."""
    plain, spread = (_over(builder, columns, sum.line) for columns in (image, sum.left))
    return updated(builder, spread, sum.right, plain)


def updated(builder: Builder, spread: Wire, right: Wire, plain: Wire) -> Wire:
    """(B + U V)⁻¹ b, of B⁻¹ U, V and B⁻¹ b. The two are solved apart: what is linear in b is
    so node by node then."""
    inner = capacitance(builder, right, spread)
    weights = builder.emit("solve", inner, _product(builder, right, plain))
    return builder.emit("subtract", plain, _product(builder, spread, weights))


def capacitance(builder: Builder, right: Wire, solved: Wire) -> Wire:
    """I + V B⁻¹ U, of V and B⁻¹ U."""
    inner = _product(builder, right, solved)
    return builder.emit("add", unit_matrix(builder, inner.type.shape[0], inner.type.kind), inner)


HARMLESS = 1e4  # by which the inverse of a base may enlarge what is left of rounding


def harmless(builder: Builder, left: Wire, solved: Wire, image: Wire) -> Wire:
    """Whether dividing by B loses few digits: |B⁻¹ U| |B U| is not much more than |U|²."""
    sizes = [
        builder.emit("maximum", _lengths(builder, _flat(builder, wire)), axes=(0,))
        for wire in (left, solved, image)
    ]
    most = builder.emit("mul", builder.constant(HARMLESS), builder.emit("square", sizes[0]))
    return builder.emit("compare", builder.emit("mul", *sizes[1:]), most, how="le")


def _flat(builder: Builder, wire: Wire) -> Wire:
    return builder.emit("reshape", wire, shape=(wire.type.size,))


def _product(builder: Builder, left: Wire, right: Wire) -> Wire:
    return builder.emit("contract", left, right, left=(0, 1), right=(1, 2), out=(0, 2))


def _over(builder: Builder, columns: Wire, line: Wire) -> Wire:
    wide = builder.emit("broadcast", line, shape=columns.type.shape, axes=(0,))
    return builder.emit("divide", columns, wide)


def _lengths(builder: Builder, wire: Wire) -> Wire:
    return builder.emit("modulus" if wire.type.kind == "C" else "abs", wire)
