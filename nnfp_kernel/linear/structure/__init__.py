"""The structure of linear maps, and what is cheaper for it.

    recognise    what a map is, proved from how it is made: its form (forms.py)
    matrix       an array only when it is asked for
    diagonal     n numbers, not n², wherever the form allows
    bands        the diagonals of a banded map
    trace        the sum of the diagonal
    logdet       log |det L|
    norm         Frobenius's; operator_norm
    eigenvalues  of a self-adjoint map, real; spectrum: of any map, complex
    solve        the u with L u = b

A map is asked through these functions. Each emits ordinary nodes into a graph: what
they cost is known beforehand (cost.py), and they are differentiated like everything
else. The entries of a product stand in the order of its arrays, each in row-major
order, laid end to end.

    pattern.py      which entries may be other than zero
    sparse.py       their values, made along the ways through a map
    recognise.py    from a map to its form
    operations.py   the operations, form by form; banded.py, recurrences.py: their loops
    low_rank.py     a term of low rank beside one that is easily solved
    spectra.py      norms and eigenvalues; inverse.py: L⁻¹ as a map
    proofs.py       self-adjoint, positive, singular: from the parts, never from numbers
    cost.py         what a form holds, and what each operation on it costs
    probes.py       a map at many vectors at once
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from ...graph.graph import Builder, Wire
from ..maps import LinearMap, Types
from . import banded, operations, spectra
from .forms import Form, Scaling, Sparse, Zero, as_real
from .inverse import Inverse
from .operations import Iteration
from .probes import flat, parts
from .proofs import self_adjoint, singular
from .recognise import recognise

__all__ = [
    "Form", "Inverse", "Iteration", "bands", "diagonal", "eigenvalues", "logdet", "matrix",
    "norm", "operator_norm", "recognise", "solve", "spectrum", "trace",
]  # fmt: skip


def matrix(builder: Builder, map: LinearMap, *, real: bool = False) -> Wire:
    """The array of a linear map: the axes of its codomain, then those of its domain.

    A product, on either side, becomes one axis with all its entries. Over C it is a
    complex matrix where the map is proved to be complex-linear; else the real matrix,
    of the real and then the imaginary parts of each array, with one axis on each side.
    `real` asks for that one in any case.
    """
    form = as_real(map) if real else recognise(map)
    entries = operations.matrix(builder, form)
    axes = (*_axes(map.codomain, form), *_axes(map.domain, form))
    return builder.emit("reshape", entries, shape=axes)


def diagonal(builder: Builder, map: LinearMap) -> tuple[Wire, ...]:
    """The diagonal entries of a map of a space into itself, as an element of it.

    Raises ValueError where domain and codomain differ.
    """
    _require_square(map, "diagonal")
    return parts(builder, operations.diagonal(builder, recognise(map)), map.domain)


def trace(builder: Builder, map: LinearMap) -> Wire:
    """The sum of the diagonal entries. Raises ValueError as `diagonal` does."""
    _require_square(map, "trace")
    return operations.trace(builder, recognise(map))


def bands(builder: Builder, map: LinearMap, lower: int, upper: int) -> Wire:
    """The diagonals of a map, from `lower` below the main one to `upper` above it: the
    entry in row k and column k - lower + j stands at (k, j), 0 beyond the matrix.

    Raises ValueError where it is not proved that the other entries are zero.
    """
    form = recognise(map)
    match form:
        case Scaling() | Zero():
            entry = operations.diagonal(builder, form)
            line = builder.emit("reshape", entry, shape=(form.rows, 1))
            return builder.emit("pad", line, axis=1, low=lower, high=upper, interior=0)
        case Sparse(pattern=pattern) if form.square:
            below, above = pattern.bandwidths
            if below <= lower and above <= upper:
                data = operations.values(builder, form)
                return banded.bands(pattern, data, builder, (lower, upper))
            raise ValueError(
                f"the map has {below} diagonals below the main one and {above} above it"
            )
    raise ValueError("the map is not known to be banded")


def logdet(builder: Builder, map: LinearMap) -> Wire:
    """log |det L|, a real number: the sign, or the phase, of the determinant is left
    out. -inf for a singular map. A map over C that is not complex-linear has the
    determinant of its real matrix.

    Raises ValueError where the sizes of domain and codomain differ.
    """
    form = recognise(map)
    if not form.square:
        raise ValueError(f"no determinant: the map goes {_way(map)}")
    if singular(form):
        return builder.constant(-numpy.inf)
    return operations.logdet(builder, form)


def solve(
    builder: Builder, map: LinearMap, image: Sequence[Wire], iteration: Iteration | None = None
) -> tuple[Wire, ...]:
    """The u with L u = image, for a map between spaces of one size.

    A large map of which only its application is known is solved by iteration, without a
    matrix; `iteration` gives the tolerance and is told whether the solution was found.

    Raises ValueError where the sizes differ, or where the map is singular whatever its
    numbers are; one that happens to be gives infinities or NaN.
    """
    form = recognise(map)
    if not form.square:
        raise ValueError(f"no solution: the map goes {_way(map)}")
    if why := singular(form):
        raise ValueError(f"no solution: the map is singular, for {why}")
    answer = operations.solve(builder, form, flat(builder, image, form.kind), iteration)
    return parts(builder, answer, map.domain)


def norm(builder: Builder, map: LinearMap) -> Wire:
    """Frobenius's norm: the root of the sum of the squares of all entries."""
    return spectra.frobenius(builder, recognise(map))


def operator_norm(builder: Builder, map: LinearMap) -> Wire:
    """The largest singular value: how much longer a vector can get."""
    return spectra.operator_norm(builder, recognise(map))


def eigenvalues(builder: Builder, map: LinearMap, known: bool = False) -> Wire:
    """The eigenvalues of a self-adjoint map, from the least, in one axis.

    Raises ValueError where it is not `known`, nor proved, that the map is its own adjoint.
    """
    form = recognise(map)
    if not known and not self_adjoint(builder, form):
        raise ValueError("the map is not known to be its own adjoint")
    return spectra.eigenvalues(builder, form)


def spectrum(builder: Builder, map: LinearMap) -> Wire:
    """The eigenvalues of a map of a space into itself, complex, in one axis: by their real
    and then their imaginary parts. Of a map over C that is not complex-linear those of its
    real matrix.

    Raises ValueError where domain and codomain differ.
    """
    _require_square(map, "spectrum")
    return spectra.spectrum(builder, recognise(map))


def _axes(types: Types, form: Form) -> tuple[int, ...]:
    if len(types) == 1 and types[0].kind == form.kind:
        return types[0].shape
    return (sum(type.size * (1 if type.kind == form.kind else 2) for type in types),)


def _require_square(map: LinearMap, what: str) -> None:
    if map.domain != map.codomain:
        raise ValueError(f"no {what}: the map goes {_way(map)}")


def _way(map: LinearMap) -> str:
    return f"from {_listed(map.domain)} to {_listed(map.codomain)}"


def _listed(types: Types) -> str:
    return "(" + ", ".join(str(type) for type in types) + ")"
