"""The structure of a derivative, as data: what was found, what it holds and costs.

    Structure: dense, then diagonal.  Holds 96 + 12 numbers.

A derivative is looked at in the inputs of its function, the weights held constant. Each
part is said in words and has a small pattern to draw: which entries of its matrix may be
other than zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..language.diagnostics import Diagnostic, Label, NnfpError
from ..linear.maps import LinearMap, Network
from ..linear.structure import Form, cost, recognise
from ..linear.structure.forms import (
    Blocks,
    Dense,
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
)
from ..linear.structure.proofs import singular
from ..runtime.function import Function
from .cost import scaled
from .table import Grid

CELLS = 10  # a drawn pattern has so many rows or columns at most


@dataclass(frozen=True)
class Part:
    """One factor, or one term: in words, its size, the numbers it holds, its picture."""

    words: str
    rows: int
    columns: int
    held: int
    cells: tuple[tuple[bool, ...], ...]


@dataclass(frozen=True)
class Structure:
    """What a derivative was found to be, and what each operation on it will cost.

    `joined` says how the parts go together: `>>` one after the other, `+` side by side,
    nothing where there is one part.
    """

    words: str
    rows: int
    columns: int
    parts: tuple[Part, ...]
    joined: str
    costs: tuple[tuple[str, int, int, str], ...]  # operation, its cost, the dense one, how

    @property
    def holds(self) -> str:
        """`96 + 12 numbers`."""
        numbers = [f"{part.held:,}" for part in self.parts]
        return f"{' + '.join(numbers)} number{'' if numbers == ['1'] else 's'}"


# What an open size is taken to be: large enough that a band is narrow in its matrix.
SIZES = (32, 16, 3)


def structure(function: Function, inputs: Sequence[Any] = ()) -> Structure:
    """The structure of a function's derivative in its inputs, `inputs` being a point for it.

    Raises NnfpError for a function of trees without a point: each tree has a structure of
    its own.
    """
    require_trees(function, inputs)
    call = function.calls.unpacked(inputs) if inputs else function.sample(SIZES)
    count = sum(call.active[: call.traced.arguments])
    derivative = call.derivative
    assert isinstance(derivative, Network)
    return of_map(Network(derivative.inputs[:count], derivative.parts, derivative.outputs))


def depends_on_trees(function: Function, inputs: Sequence[Any]) -> bool:
    """Whether the derivative has entries that only a tree can tell, and none is given."""
    return function.calls.takes_trees and not inputs


def require_trees(function: Function, inputs: Sequence[Any]) -> None:
    """Raise NnfpError where the entries of the derivative depend on a tree that is not given."""
    if depends_on_trees(function, inputs):
        raise NnfpError(
            Diagnostic(
                "depends-on-tree",
                f"the structure of the derivative of {function.name} depends on the tree",
                Label(function.definition.span, f"has type {function.type}"),
                (),
                ("Each tree has numbers of its own. `--at X` says of which one:",),
                f"%nnfp derivative {function.name} --structure --at X",
            )
        )


def of_map(map: LinearMap) -> Structure:
    """The structure of a linear map."""
    form = recognise(map)
    match form:
        case Product(factors=parts):
            joined = ">>"
        case Sum(terms=parts):
            joined = "+"
        case _:
            parts, joined = (form,), ""
    drawn = tuple(
        Part(words(part), part.rows, part.columns, cost.held(part), _cells(part)) for part in parts
    )
    return Structure(words(form), form.rows, form.columns, drawn, joined, tuple(_costs(form)))


# --- words ---------------------------------------------------------------------------------


def words(form: Form) -> str:
    """A form in words: `dense, then diagonal`."""
    match form:
        case Zero():
            return "zero"
        case Scaling(factor=None):
            return "the identity"
        case Scaling():
            return "a multiple of the identity"
        case Sparse(shape="permutation", pattern=pattern):
            return "a permutation" if pattern.ones else "a permutation, scaled"
        case Sparse(shape="banded" | "sparse", pattern=pattern) if pattern.narrow:
            lower, upper = pattern.bandwidths
            return f"banded ({lower} below, {upper} above the diagonal)"
        case Sparse(shape="blocks", pattern=pattern):
            sizes = sorted({len(block) for block in pattern.blocks})
            of = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
            return f"block diagonal ({len(pattern.blocks)} blocks of {of})"
        case Sparse(shape="triangular", pattern=pattern):
            return "lower triangular" if pattern.lower else "upper triangular"
        case Sparse(shape="sparse", pattern=pattern):
            return f"sparse ({pattern.count:,} of {form.rows * form.columns:,} entries)"
        case Sparse(shape=shape):
            return shape
        case Dense():
            return "dense"
        case Kronecker(left=left, right=right):
            return f"a Kronecker product ({_size(left)} and {_size(right)})"
        case Product() if form.narrow:
            return f"of rank {form.rank}"
        case Product(factors=factors):
            return ", then ".join(map(words, factors))
        case Sum(terms=terms):
            return " plus ".join(f"({words(t)})" if _several(t) else words(t) for t in terms)
        case Blocks(parts=parts):
            return "side by side: " + "; ".join(map(words, parts))
        case Steps(recurrence=recurrence):
            return f"a recurrence of {recurrence.length} steps (block bidiagonal)"
        case Transitions(recurrence=recurrence):
            each = f"{form.rows} x {form.columns}"
            return f"a recurrence of {recurrence.length} steps, each {each}, one after the other"
        case Inverted(inner=inner):
            return f"the inverse of ({words(inner)})"
        case Opaque():
            return "without a structure that is known"
        case other:
            raise AssertionError(f"no words for {other}")


def _several(form: Form) -> bool:
    return isinstance(form, Product) and not form.narrow


def _size(form: Form) -> str:
    if isinstance(form, Scaling):
        return f"the identity of {form.rows}"
    return f"{form.rows} x {form.columns}"


def _costs(form: Form) -> list[tuple[str, int, int, str]]:
    rows, columns = form.rows, form.columns
    found = [("apply", cost.apply(form), 2 * rows * columns, "")]
    found.append(("matrix", cost.matrix(form), 2 * rows * columns * min(rows, columns), ""))
    if rows == columns:
        dense, cubes = rows * rows, 2 * rows**3 // 3
        found += [
            ("diagonal", cost.diagonal(form), dense, ""),
            ("trace", cost.diagonal(form), dense, ""),
            ("logdet", cost.logdet(form), cubes, _way(form, False)),
            ("solve", cost.solve(form), cubes, _way(form, True)),
            ("inverse, applied", cost.solve(form), cubes, _way(form, True)),
        ]
    found.append(("norm", cost.norm(form), 2 * rows * columns, ""))
    long, short = max(rows, columns), min(rows, columns)
    found.append(("operatorNorm", cost.operator_norm(form), 8 * long * short**2 // 3, ""))
    if rows == columns:
        found.append(("spectrum", cost.spectrum(form), cost.EIGENVALUES * rows**3, ""))
    return found


def _way(form: Form, solving: bool) -> str:
    """How the determinant, or the solution, is found."""
    match form:
        case _ if singular(form):
            return "singular"
        case Scaling():
            return "the factor"
        case Sparse(shape="diagonal" | "permutation"):
            return "entry by entry"
        case Sparse(shape="banded"):
            return "elimination along the band"
        case Sparse(shape="blocks"):
            return "block by block"
        case Sparse(shape="triangular"):
            return "substitution" if solving else "the diagonal"
        case Kronecker(left=left, right=right) if left.square and right.square:
            return "of each factor"
        case Product() if len(cost.squares(form)) > 1:
            return "factor by factor"
        case Sum() if cost.woodbury(form) is not None:
            return "Woodbury's identity" if solving else "the matrix determinant lemma"
        case Blocks():
            return "part by part"
        case Steps() | Transitions():
            return "step by step"
        case Inverted():
            return "applying what it inverts" if solving else "that of what it inverts"
        case _ if solving and cost.iterative(form):
            return "iteration, without a matrix"
        case _:
            return "LU of the matrix"


# --- pictures -------------------------------------------------------------------------------


def _cells(form: Form) -> tuple[tuple[bool, ...], ...]:
    """Where the matrix may be other than zero, on a grid of a few cells."""
    rows, columns = form.rows, form.columns
    scale = max(1, -(-max(rows, columns) // CELLS))
    height, width = -(-rows // scale), -(-columns // scale)
    filled = {(row // scale, column // scale) for row, column in _places(form, scale)}
    return tuple(tuple((r, c) in filled for c in range(width)) for r in range(height))


def _places(form: Form, scale: int) -> list[tuple[int, int]]:
    match form:
        case Zero():
            return []
        case Scaling():
            return [(k, k) for k in range(form.rows)]
        case Sparse(pattern=pattern):
            return list(zip(pattern.rows.tolist(), pattern.columns.tolist(), strict=True))
        case Kronecker(left=left, right=right) if form.rows * form.columns <= 1 << 16:
            small, large = _places(right, 1), _places(left, 1)
            return [(a * right.rows + c, b * right.columns + d) for a, b in large for c, d in small]
        case Blocks(parts=parts):
            found, row, column = [], 0, 0
            for part in parts:
                found += [(row + r, column + c) for r, c in _places(part, scale)]
                row, column = row + part.rows, column + part.columns
            return found
        case Steps(recurrence=recurrence):
            size = form.rows // max(recurrence.length, 1)
            steps, back = range(recurrence.length), recurrence.reverse
            below = [(r, c) for r in steps for c in steps if (r <= c if back else r >= c)]
            return [(r * size, c * size) for r, c in below]
        case _:
            return [
                (r, c) for r in range(0, form.rows, scale) for c in range(0, form.columns, scale)
            ]


# --- as text ----------------------------------------------------------------------------------


def table(found: Structure, name: str) -> Grid:
    """What was found and what it costs, as a table."""
    rows = tuple(
        (operation, scaled(number), scaled(dense), how)
        for operation, number, dense, how in found.costs
    )
    notes = [
        f"Structure: {found.words}; {found.rows} x {found.columns}.",
        f"Holds {found.holds}.",
        "Operations on numbers, by formula; the weights are held constant.",
    ]
    headings = (f"derivative of {name}", "operations", "of a dense matrix", "by")
    return Grid(headings, rows, (1, 2), tuple(notes))
