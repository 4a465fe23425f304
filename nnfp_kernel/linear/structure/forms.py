"""What a linear map was found to be: its form.

A form stands for its map and says how the matrix is built; it holds no numbers, only
where they come from. Forms are read off the graph (recognise.py), never off numbers.

    Zero, Scaling     0, c · id (the identity without a factor)
    Sparse            a pattern known: diagonal, permutation, banded, blocks, triangular
    Dense             a matrix that is there already
    Kronecker         A ⊗ B: X ↦ A X Bᵀ on the matrix of the entries
    Product           one after the other; of low rank where it is narrow inside
    Sum               side by side
    Blocks            a direct sum
    Steps             a recurrence, from its elements to what it stacks: block triangular
    Transitions       a recurrence, from its first state to its last: a product of its steps
    Inverted          the inverse of a form
    Opaque            nothing is known; its matrix is made by the map at a basis
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from ...graph.graph import Wire
from .. import maps as linear
from ..maps import LinearMap, Recurrence, Section, Types
from .pattern import Pattern


@dataclass(frozen=True, eq=False)
class _Form:
    """`kind` is what the entries are, R or C; a factor of a Kronecker product has rows and
    columns of its own, and no map."""

    rows: int
    columns: int
    kind: str
    map: LinearMap | None

    @property
    def square(self) -> bool:
        return self.rows == self.columns


@dataclass(frozen=True, eq=False)
class Zero(_Form):
    """u ↦ 0."""


@dataclass(frozen=True, eq=False)
class Scaling(_Form):
    """u ↦ c u; the identity where there is no factor."""

    factor: Wire | None = None
    conjugated: bool = False


@dataclass(frozen=True, eq=False)
class Sparse(_Form):
    """A map with few entries other than zero."""

    pattern: Pattern

    @cached_property
    def shape(self) -> str:
        """The narrowest word for the pattern."""
        pattern = self.pattern
        if pattern.diagonal:
            return "diagonal"
        if pattern.permutation:
            return "permutation"
        if not pattern.square:
            return "sparse"
        lower, upper = pattern.bandwidths
        blocks = pattern.blocks
        if len(blocks) > 1 and max(map(len, blocks)) <= lower + upper + 1:
            return "blocks"
        if pattern.narrow:
            return "banded"
        if len(blocks) > 1:
            return "blocks"
        if pattern.lower or pattern.upper:
            return "triangular"
        return "sparse"


@dataclass(frozen=True, eq=False)
class Dense(_Form):
    """A section whose fixed operand, its axes reordered, is the matrix."""

    matrix: Wire
    permutation: tuple[int, ...]  # of its axes: those of the codomain, then of the domain
    height: int  # how many axes are those of the codomain
    conjugated: bool = False


@dataclass(frozen=True, eq=False)
class Kronecker(_Form):
    """left ⊗ right."""

    left: Form
    right: Form


@dataclass(frozen=True, eq=False)
class Product(_Form):
    """The factors one after the other, the first one applied first."""

    factors: tuple[Form, ...]

    @cached_property
    def rank(self) -> int:
        """A bound on the rank: the narrowest place."""
        return min(self.columns, *(each.rows for each in self.factors))

    @property
    def narrow(self) -> bool:
        return self.rank < min(self.rows, self.columns)


@dataclass(frozen=True, eq=False)
class Sum(_Form):
    """The terms side by side."""

    terms: tuple[Form, ...]


@dataclass(frozen=True, eq=False)
class Blocks(_Form):
    """A direct sum of maps."""

    parts: tuple[Form, ...]


@dataclass(frozen=True, eq=False)
class Steps(_Form):
    """A recurrence, its state starting from zero, from the elements at `source` among its
    inputs to what it stacks at `target` among its outputs."""

    recurrence: Recurrence
    source: int
    target: int


@dataclass(frozen=True, eq=False)
class Transitions(_Form):
    """A recurrence from its first state to its last: sₙ = Aₙ … A₁ s₀, one factor for each
    step, of which none is made before it is its turn."""

    recurrence: Recurrence


@dataclass(frozen=True, eq=False)
class Inverted(_Form):
    """The inverse of a form."""

    inner: Form


@dataclass(frozen=True, eq=False)
class Opaque(_Form):
    """A map of which nothing is known but how it is applied."""


Form: TypeAlias = (
    Zero | Scaling | Sparse | Dense | Kronecker | Product | Sum | Blocks | Steps | Transitions
    | Inverted | Opaque
)  # fmt: skip


def uniform(map: LinearMap) -> bool:
    """Whether the map is linear over one field: real throughout, or proved to be
    complex-linear, each of its parts."""
    kinds = {type.kind for type in (*map.domain, *map.codomain)}
    return kinds <= {"R"} or (kinds == {"C"} and complex_linear(map))


def complex_linear(map: LinearMap) -> bool:
    """Whether L (i u) = i L u is proved: all arrays complex, nothing conjugated."""
    if any(type.kind != "C" for type in (*map.domain, *map.codomain)):
        return False
    match map:
        case Section(primitive=primitive, parameters=parameters, open=positions):
            if primitive.name in ("mul", "contract"):
                return not (parameters.get("conjugate") and positions == (1,))
            return primitive.name not in ("conj", "hermitian")
        case (
            linear.Compose(maps) | linear.Sum(maps) | linear.Pair(maps) | linear.Copair(maps)
            | linear.DirectSum(maps)
        ):  # fmt: skip
            return all(complex_linear(each) for each in maps)
        case linear.Network(parts=parts):
            return all(complex_linear(part.map) for part in parts)
        case (
            linear.MapL(cell=cell) | linear.Recurrence(cell=cell) | linear.TreeRecurrence(cell=cell)
        ):
            return complex_linear(cell.network)
        case linear.ChooseL(cells=cells):
            return all(complex_linear(cell.network) for cell in cells)
        case linear.SolveL(inner):
            return complex_linear(inner)
        case linear.WhileL():
            return False
        case _:
            return True


def entry_counts(types: Types, kind: str) -> int:
    """The number of entries of a product over R or C; over R a complex one counts twice."""
    return sum(type.size * (2 if kind == "R" and type.kind == "C" else 1) for type in types)


def as_real(map: LinearMap) -> Form:
    """A map over R, of which nothing more is known."""
    return Opaque(entry_counts(map.codomain, "R"), entry_counts(map.domain, "R"), "R", map)


def size_of(map: LinearMap) -> tuple[int, int, str, LinearMap]:
    """The first fields of a form that stands for a map: over C where it is complex-linear,
    else over R, with the real and the imaginary parts of complex entries."""
    kinds = {type.kind for type in (*map.domain, *map.codomain)}
    kind = "C" if kinds == {"C"} and complex_linear(map) else "R"
    return entry_counts(map.codomain, kind), entry_counts(map.domain, kind), kind, map
