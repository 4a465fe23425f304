"""A stage with points in it: before, after, and on their way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...language.source import Span
from .paths import Affine, Path, moved_on

Array = Any


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage, and all points before and after it.

    `kind` is one of parts.py's; `label` the program's text, `span` its place; `type` what it
    gives. `before` : [M, n], `after` : [M, m]; `at(t)` : [M, path.dimension]. The path of an
    `opaque` stage, of a fold, and of an affine map between very many dimensions can be drawn,
    but bends nothing: there `homotopy` is False. `injective`: no two points meet for t < 1.
    """

    kind: str
    label: str
    type: str
    span: Span | None
    before: Array = field(repr=False)
    after: Array = field(repr=False)
    path: Path = field(repr=False)
    injective: bool = False
    blocks: tuple[tuple[Stage, ...], ...] = field(default=(), repr=False)

    @property
    def homotopy(self) -> bool:
        inner = all(stage.homotopy for block in self.blocks for stage in block)
        turned = isinstance(self.path, Affine) or self.kind not in ("affine", "shift")
        return self.kind not in ("opaque", "fold") and turned and inner

    def at(self, t: float) -> Array:
        """All points at t. At 0 they are those before, at 1 those after, to the last bit, in
        the coordinates `path.start` and `path.end`; the others are zero."""
        return moved_on(self.path, t, self.before, self.after)

    @property
    def weights(self) -> tuple[Array, Array] | None:
        """(W, b) of an affine stage."""
        return (self.path.matrix, self.path.shift) if isinstance(self.path, Affine) else None
