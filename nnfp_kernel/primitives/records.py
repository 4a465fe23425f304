"""What the records of the table share: checks, batching, formulas for derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TypeAlias

from ..graph.graph import ArrayType, Builder, Wire
from ..graph.primitive import Cost, Parameters, Sample, Step

Batch: TypeAlias = Callable[[Builder, Parameters, Sequence[Wire], Sequence[bool], int], Wire]
Fixed: TypeAlias = tuple[Wire | ArrayType, ...]

SHAPES: tuple[tuple[int, ...], ...] = ((), (3,), (2, 3), (0,), (2, 0))


def expect(condition: bool, message: str) -> None:
    """Refuse a wrong use of a primitive."""
    if not condition:
        raise ValueError(message)


def has_axis(name: str, type: ArrayType, axis: int) -> None:
    """Refuse an axis that a type does not have."""
    expect(0 <= axis < type.rank, f"{name}: {type} has no axis {axis}")


def real(*shapes: tuple[int, ...]) -> tuple[ArrayType, ...]:
    """Types of real arrays, for samples.

    >>> [str(type) for type in real((2, 3), ())]
    ['R[2,3]', 'R']
    """
    return tuple(ArrayType("R", shape) for shape in shapes)


def complex_(*shapes: tuple[int, ...]) -> tuple[ArrayType, ...]:
    """Types of complex arrays, for samples."""
    return tuple(ArrayType("C", shape) for shape in shapes)


def repeat(builder: Builder, wire: Wire, length: int) -> Wire:
    """`wire` repeated along a new leading axis.

    The places of the operand's axes are (1, 2, …): it becomes every element.
    """
    shape = wire.type.shape
    axes = tuple(range(1, len(shape) + 1))
    return builder.emit("broadcast", wire, shape=(length, *shape), axes=axes)


def batched(name: str, rule: Batch) -> Batch:
    """A batch rule that is asked only when some operand has the new axis; else the
    answer is the same for all, computed once."""

    def complete(
        builder: Builder,
        parameters: Parameters,
        inputs: Sequence[Wire],
        flags: Sequence[bool],
        length: int,
    ) -> Wire:
        if not any(flags):
            return repeat(builder, builder.emit(name, *inputs, **parameters), length)
        return rule(builder, parameters, inputs, flags, length)

    return complete


def batch_all(name: str, change: Callable[[Parameters], Parameters] = dict) -> Batch:
    """The batch rule of a primitive that works on any leading axes once all operands
    have them; `change` moves axis numbers in the parameters by one."""

    def rule(
        builder: Builder,
        parameters: Parameters,
        inputs: Sequence[Wire],
        flags: Sequence[bool],
        length: int,
    ) -> Wire:
        wires = [
            wire if flag else repeat(builder, wire, length)
            for wire, flag in zip(inputs, flags, strict=True)
        ]
        return builder.emit(name, *wires, **change(parameters))

    return batched(name, rule)


def next_axis(parameters: Parameters) -> Parameters:
    """`axis` and `axes` with one more axis before them."""
    moved = dict(parameters)
    if "axis" in moved:
        moved["axis"] += 1
    if "axes" in moved:
        moved["axes"] = tuple(axis + 1 for axis in moved["axes"])
    return moved


def same(name: str) -> Callable[..., tuple[Step, ...]]:
    """The adjoint rule of a map that is its own adjoint, without parameters."""
    return lambda _parameters, position, fixed, _domain, _codomain: (
        Step(name, {}, position, fixed),
    )


# --- costs: how many operations on numbers ----------------------------------------------


def free(_parameters: Parameters, _types: Sequence[ArrayType], _result: ArrayType) -> int:
    """Nothing is computed."""
    return 0


def per_entry(count: int = 1) -> Cost:
    """So many operations for each entry of the result."""
    return lambda _parameters, _types, result: count * result.size


def per_operand(count: int = 1) -> Cost:
    """So many operations for each entry of the first operand."""
    return lambda _parameters, types, _result: count * types[0].size


def per_matrix(cubes: float) -> Cost:
    """`cubes` times n³ for each matrix [..., m, n] of the first operand; m n min(m, n)
    where it is not square."""

    def cost(_parameters: Parameters, types: Sequence[ArrayType], _result: ArrayType) -> int:
        *batch, rows, columns = types[0].shape
        return prod(batch) * round(cubes * rows * columns * min(rows, columns))

    return cost


class Entry:
    """A wire in a formula, entry by entry, so that a derivative reads as in a book.

    >>> from nnfp_kernel.primitives import PRIMITIVES
    >>> builder = Builder(PRIMITIVES)
    >>> y = Entry(builder, builder.input(ArrayType("R", (3,))))
    >>> factor = 1 - y * y
    >>> str(factor.wire.type)
    'R[3]'
    """

    def __init__(self, builder: Builder, wire: Wire):
        self.builder = builder
        self.wire = wire

    def number(self, value: float) -> Entry:
        """A number under the axes of this entry."""
        constant = self.builder.constant(value, self.wire.type.kind)
        shape = self.wire.type.shape
        return Entry(self.builder, self.builder.emit("broadcast", constant, shape=shape, axes=()))

    def apply(self, name: str, *others: Entry, **parameters: object) -> Entry:
        """The elementwise primitive `name` of this entry and others."""
        wires = (self.wire, *(other.wire for other in others))
        return Entry(self.builder, self.builder.emit(name, *wires, **parameters))

    def _with(self, name: str, other: Entry | float) -> Entry:
        return self.apply(name, other if isinstance(other, Entry) else self.number(other))

    def __add__(self, other: Entry | float) -> Entry:
        return self._with("add", other)

    def __sub__(self, other: Entry | float) -> Entry:
        return self._with("subtract", other)

    def __rsub__(self, other: float) -> Entry:
        return self.number(other) - self

    def __mul__(self, other: Entry | float) -> Entry:
        return self._with("mul", other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Entry:
        return self.apply("negate")

    def inverse(self) -> Entry:
        return self.apply("reciprocal")

    def where(self, how: str, other: Entry | float) -> Entry:
        """1 where the comparison holds, else 0."""
        bound = other if isinstance(other, Entry) else self.number(other)
        return self.apply("compare", bound, how=how).apply("convert", kind=self.wire.type.kind)


def samples(
    *types: tuple[ArrayType, ...],
    low: float = -2.0,
    high: float = 2.0,
    diagonal: float = 0.0,
    **parameters: object,
) -> tuple[Sample, ...]:
    """Several samples that share parameters and bounds."""
    return tuple(Sample(operands, parameters, low, high, diagonal) for operands in types)
