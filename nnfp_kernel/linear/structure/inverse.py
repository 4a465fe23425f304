"""The inverse of a linear map, itself a linear map: solved by structure when it is applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...graph.graph import Builder
from ..maps import LinearMap, Renaming, SolveL, Tangent, filled
from .operations import solve
from .probes import flat, parts
from .recognise import recognise


@dataclass(frozen=True, eq=False, slots=True)
class Inverse(SolveL):
    """L⁻¹, where L may go between different spaces of one size.

    Law: (L⁻¹)† = (L†)⁻¹. No matrix is inverted: `apply` solves by the structure of L.
    Raises ValueError where the sizes differ.
    """

    def __post_init__(self) -> None:
        if not recognise(self.map).square:
            raise ValueError("no inverse: the map goes between spaces of different sizes")

    def apply(self, builder: Builder, tangents: Sequence[Tangent]) -> tuple[Tangent, ...]:
        if all(tangent is None for tangent in tangents):
            return (None,) * len(self.codomain)
        form = recognise(self.map)
        image = flat(builder, filled(builder, tangents, self.domain), form.kind)
        return parts(builder, solve(builder, form, image), self.codomain)

    def adjoint(self) -> LinearMap:
        return Inverse(self.map.adjoint())

    def substitute(self, renaming: Renaming) -> LinearMap:
        return Inverse(self.map.substitute(renaming))
