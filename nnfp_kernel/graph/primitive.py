"""One record per primitive of the graph: what it computes and how it is differentiated.

A primitive takes arrays and gives one array. Its kind says what else follows:

    elementwise  n arrays of one shape; the derivative is diagonal, given by `partials`
    linear       linear in each operand of `open_positions` taken together (add, sum,
                 concat, select's branches); its derivative is itself
    bilinear     linear in each of its two `open_positions` taken alone (mul, contract)
    general      the derivative is given whole, by `differential`: for each operand a
                 chain of linear steps, or several chains whose images are added
    discrete     integers, Booleans, keys: no derivative

Linear maps are written as chains of `Step`s: a primitive with one operand left open
and the others fixed. The adjoint of such a section is again a chain of sections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from .graph import ArrayType, Builder, Wire

Parameters = Mapping[str, Any]  # static and hashable: ints, strings, tuples of them
Kind = Literal["elementwise", "linear", "bilinear", "general", "discrete"]


@dataclass(frozen=True)
class Step:
    """The linear map u ↦ primitive(…, u, …): `position` is open, the other operands
    are `fixed`, in order. An `ArrayType` in `fixed` stands for zero of that type: the
    other open operands of a linear primitive (`concat`, `add`, select's branches) are
    zero in the section of one, and only their types are needed."""

    primitive: str
    parameters: Parameters = field(default_factory=dict)
    position: int = 0
    fixed: tuple[Wire | ArrayType, ...] = ()


@dataclass(frozen=True)
class Sample:
    """Operand types and parameters on which the laws are tested; `low`, `high` bound
    the random entries (a logarithm wants positive ones); `diagonal` is added to that of
    every square matrix (an inverse wants regular ones, a logarithm definite ones)."""

    types: tuple[ArrayType, ...]
    parameters: Parameters = field(default_factory=dict)
    low: float = -2.0
    high: float = 2.0
    diagonal: float = 0.0


Cost: TypeAlias = Callable[[Parameters, "Sequence[ArrayType]", "ArrayType"], int]
Adjoint: TypeAlias = Callable[
    [Parameters, int, "tuple[Wire | ArrayType, ...]", "ArrayType", "ArrayType"], tuple[Step, ...]
]
Chain: TypeAlias = tuple[Step, ...]
Differential: TypeAlias = Callable[
    ["Builder", Parameters, Sequence["Wire"], "Wire"], Sequence["Chain | list[Chain] | None"]
]


@dataclass(frozen=True, eq=False)
class Primitive:
    """See the module. All functions are pure; `lower` alone may import jax, when called.

    result(parameters, types) -> ArrayType          raises ValueError for a wrong use
    lower(parameters, *arrays) -> array
    batch(builder, parameters, inputs, batched, length) -> Wire
        the same over one more leading axis of `length`, which the inputs flagged in
        `batched` have; the answer always has it
    partials(builder, inputs, output) -> a Wire (the factor) or None (zero) per input
    adjoint(parameters, position, fixed, domain, codomain) -> chain of Steps
        the adjoint of the section open at `position`; domain and codomain are the
        section's ArrayTypes; `()` is the identity; first step is applied first.
        `fixed` as in a Step: for a linear primitive the operands in `open_positions`
        come as ArrayTypes, not as wires (there is no value to keep)
    differential(builder, parameters, inputs, output) -> per input a chain, a list of chains
        (their images are added), or None (zero)
    is_identity(parameters, types) -> True where the first operand is the answer
    cost(parameters, types, result) -> operations on numbers, where the kind does not
        say it: see `operations`
    """

    name: str
    kind: Kind
    result: Callable[[Parameters, Sequence[ArrayType]], ArrayType]
    lower: Callable[..., Any]
    batch: Callable[[Builder, Parameters, Sequence[Wire], Sequence[bool], int], Wire]
    open_positions: tuple[int, ...] | None = None  # None: every operand
    partials: Callable[[Builder, Sequence[Wire], Wire], Sequence[Wire | None]] | None = None
    adjoint: Adjoint | None = None
    differential: Differential | None = None
    is_identity: Callable[[Parameters, Sequence[ArrayType]], bool] | None = None
    cost: Cost | None = None
    latex: str = ""  # with {0}, {1}, … for the operands
    doc: str = ""
    samples: tuple[Sample, ...] = ()

    def operations(
        self, parameters: Parameters, types: Sequence[ArrayType], result: ArrayType
    ) -> int:
        """How many operations on numbers one use takes; an operation on complex numbers
        is one. What the kind says where the record has no `cost`: none for a linear
        primitive, which moves entries, and else one for each entry of the largest array."""
        if self.cost is not None:
            return self.cost(parameters, types, result)
        return 0 if self.kind == "linear" else max(array.size for array in (*types, result))


def chains_of(terms: Chain | list[Chain] | None) -> list[Chain]:
    """The chains that a differential gives for one operand, as a list."""
    if terms is None:
        return []
    return terms if isinstance(terms, list) else [terms]
