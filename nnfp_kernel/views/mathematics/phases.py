"""The phases of complex eigenvectors and singular vectors, as formulas.

Every column of V may be turned by a phase; primitives/factorisations.py fixes it: the leading
entry of a column, where E = lead V is 1, is real and above 0. Its rules give a derivative T
up to phases, those that the columns then need are

    dφ = Im diag(Eᵀ T) / diag(Eᵀ V)       dV = T - i V diag(dφ)
    φ̄  = -Im diag(Vᴴ V̄)                    T̄  = V̄ + i E diag(φ̄ / diag(Eᵀ V))

Of U and V in A = U s Vᴴ both columns have one phase, that of U: φ̄ is a sum of both.

Eigenvectors of a matrix that is not Hermitian are not orthogonal: what keeps their length 1
is said, too.

    dρ = Re diag(Vᴴ T)                    dV = T - V diag(dρ + i dφ)
    ρ̄  = -Re diag(Vᴴ V̄)                    T̄  = V̄ + V diag(ρ̄) + i E diag(φ̄ / diag(Eᵀ V))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import formula as m
from .calls import diagonal, turned
from .changes import Change, Linear
from .formula import Formula
from .tape import Line, Pass

if TYPE_CHECKING:
    from .reading import Reader

I = m.Letter("i")  # noqa: E741
# Of names whose vectors have phases: the places of these, the first fixes them.
PHASES: dict[str, tuple[int, ...]] = {"eigh": (1,), "svd": (0, 2), "eig": (1,)}
# And those whose length has to be kept, too.
LENGTHS = frozenset(("eig",))


@dataclass
class Phases:
    """The phases of some outputs, `places`, and the letters that the formulas need."""

    places: tuple[int, ...]
    leading: Formula  # E
    phase: Formula  # φ
    raw: tuple[Formula, ...]  # T of every place
    length: Formula | None = None  # ρ, where it is kept

    @classmethod
    def of(cls, reader: Reader, name: str) -> Phases:
        places = PHASES[name]
        names = [reader.fresh("E", "L", "P"), reader.fresh("phi", "psi", "omega")]
        names += [reader.fresh("T", "S", "X", "Y") for _ in places]
        length = reader.fresh("rho", "kappa", "mu") if name in LENGTHS else None
        leading, phase, *raw = map(reader.within_loops, names)
        return cls(places, leading, phase, tuple(raw), length and reader.within_loops(length))

    @property
    def real(self) -> set[Formula]:
        """Names of what has no imaginary part."""
        found = {m.differential(self.phase), m.barred(self.phase), self.leading}
        if self.length is not None:
            found |= {m.differential(self.length), m.barred(self.length)}
        return found

    def moved(
        self, walk: Pass, d: Sequence[Change], vectors: Sequence[Formula], wanted: Sequence[int]
    ) -> list[Change]:
        """The differentials of `wanted` vectors with their phases, of those without."""
        made = list(d)
        pairs = [
            (place, name)
            for place, name in zip(self.places, self.raw, strict=True)
            if place in wanted or place == self.places[0]
        ]
        for place, name in pairs:
            change = d[place]
            assert change is not None, "all vectors move where one does"
            walk.line(name, change.formula())
        if self.length is not None:
            growing = diagonal(m.product(turned(vectors[self.places[0]], "H"), self.raw[0]))
            walk.line(m.differential(self.length), _real(growing))
        turning = _imaginary(diagonal(m.product(turned(self.leading), self.raw[0])))
        walk.line(m.differential(self.phase), m.fraction(turning, self._size(vectors)))
        for place, name in pairs:
            if self.length is None:
                by = diagonal(m.differential(self.phase))
                part = m.product(m.product(I, vectors[place]), by)
            else:
                angle = m.product(I, m.differential(self.phase))
                by = diagonal(m.plus(m.differential(self.length), angle))
                part = m.product(vectors[place], by)
            made[place] = Linear.of(m.minus(name, part))
        return made

    def pulled(
        self, walk: Pass, bars: Sequence[Change], vectors: Sequence[Formula]
    ) -> list[Change]:
        """The cotangents of vectors without phases, of those with them."""
        found = list(bars)
        given = [(k, bar.formula()) for k in self.places if (bar := bars[k]) is not None]
        if not given:
            return found
        total: Formula = m.ZERO
        growing: Formula = m.ZERO
        for place, bar_formula in given:
            inside = diagonal(m.product(turned(vectors[place], "H"), bar_formula))
            total = m.minus(total, _imaginary(inside))
            growing = m.minus(growing, _real(inside))
        if self.length is not None:
            walk.line(m.barred(self.length), growing)
        walk.line(m.barred(self.phase), total)
        share = m.fraction(m.barred(self.phase), self._size(vectors))
        part = m.product(m.product(I, self.leading), diagonal(share))
        first = self.places[0]
        if self.length is not None:
            part = m.plus(m.product(vectors[first], diagonal(m.barred(self.length))), part)
        seed, name = bars[first], m.barred(self.raw[0])
        walk.line(name, part if seed is None else m.plus(seed.formula(), part))
        found[first] = Linear.of(name)
        return found

    def _size(self, vectors: Sequence[Formula]) -> Formula:
        """What stands in the leading places: real, above 0."""
        return diagonal(m.product(turned(self.leading), vectors[self.places[0]]))

    def line(self, vectors: Sequence[Formula], range: Formula | None) -> Line:
        """E = lead V"""
        said = m.applied(m.Letter("lead"), [vectors[self.places[0]]])
        return Line(self.leading, said, range=range)


def _real(f: Formula) -> Formula:
    return m.applied(m.Letter("Re"), [f])


def _imaginary(f: Formula) -> Formula:
    return m.applied(m.Letter("Im"), [f])
