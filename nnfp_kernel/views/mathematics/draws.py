"""Random draws: v ∼ 𝒩(0, s²). A draw has a name, for its derivative is that of this draw.

normal s         v is s times a standard draw      dv = v/s ds
uniform a b      v is a + r (b - a)                dv = (b - v)/(b - a) da + (v - a)/(b - a) db
bernoulli p      0 or 1: it does not move with p
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...language import typed as p
from ...language import types as t
from . import formula as m
from .changes import Change, plus
from .formula import Formula
from .named import opaque_builtin
from .pieces import inner, rank
from .quantities import Value, rebuilt, spread
from .table import result_of, rule, template_of
from .tape import Pass, Quantity, Rule

if TYPE_CHECKING:
    from .reading import Reader


def _of_normal(v: Formula, numbers: Sequence[Formula], _: bool) -> list[Formula]:
    return [m.fraction(v, numbers[0])]


def _of_uniform(v: Formula, numbers: Sequence[Formula], wide: bool) -> list[Formula]:
    low, high = numbers
    width = m.minus(high, low)
    of_low, of_high = ((m.product(f, m.ONES) if wide else f) for f in (low, high))
    return [m.fraction(m.minus(of_high, v), width), m.fraction(m.minus(v, of_low), width)]


# How much a draw moves with each number, of the draw and the numbers.
MOVES: dict[str, Callable[[Formula, Sequence[Formula], bool], list[Formula]]] = {
    "normal": _of_normal,
    "uniform": _of_uniform,
    "bernoulli": lambda v, numbers, wide: [m.ZERO],
}


@dataclass(eq=False)
class _Distribution(Rule):
    """A distribution at its numbers; what is drawn of it moves with them."""

    kind: str = ""


@dataclass(eq=False)
class _Draw(Rule):
    def values(self, walk: Pass) -> None:
        (made,) = self.outputs
        if made in walk.wanted and made.name is not None:
            walk.line(made.name, self.value(0), "∼")


@rule(*MOVES)
def distribution(reader: Reader, use: p.Builtin, *numbers: Value) -> Value:
    if not all(isinstance(each, Quantity) for each in numbers):
        return opaque_builtin(reader, use, list(numbers))

    def formula(_: int) -> Formula:
        return template_of(reader, use, [q.shown() for q in numbers])

    operation = _Distribution(
        numbers, formula, lambda _, d: [None], lambda _, bars: [None] * len(numbers), kind=use.name
    )
    return reader.add(operation, result_of(use, len(numbers)))


@rule("draw")
def draw(reader: Reader, use: p.Builtin, source: Value) -> Value:
    found = source.maker if isinstance(source, Quantity) else None
    if not isinstance(found, _Distribution):
        return opaque_builtin(reader, use, [source])
    like = spread(result_of(use, 1), m.ONE, reader.program)
    return rebuilt(like, lambda part: _drawn(reader, source, found, part.type))


def _drawn(reader: Reader, source: Quantity, found: _Distribution, type: t.Type) -> Quantity:
    numbers, wide = found.inputs, rank(type) > 0

    def factors(walk: Pass) -> list[Formula]:
        for number in numbers:
            walk.ask(number, 8)
        return MOVES[found.kind](made.shown(), [q.shown() for q in numbers], wide)

    def forward(walk: Pass, d: list[Change]) -> list[Change]:
        total: Change = None
        for change, factor in zip(d, factors(walk), strict=True):
            if change is not None and factor != m.ZERO:
                total = plus(total, change.times(factor, False))
        return [total]

    def backward(walk: Pass, bars: list[Change]) -> list[Change]:
        (bar,) = bars
        assert bar is not None
        by = inner if wide else m.product
        return [
            None if factor == m.ZERO else bar.through(lambda f, factor=factor: by(factor, f))  # type: ignore[misc]
            for factor in factors(walk)
        ]

    operation = _Draw(numbers, lambda _: source.shown(), forward, backward)
    made = reader.add(operation, type)
    made.name = reader.within_loops(reader.fresh("v", "u", "w", "r"))
    if found.kind == "bernoulli":
        made.role = "constant"
    return made
