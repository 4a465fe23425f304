"""A figure that a notebook shows as it is, whatever matplotlib was told to do there."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

SCREEN = 144  # dots an inch


class Drawing(Figure):
    """A matplotlib figure that is its own picture: for `savefig`, and as a cell's value."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=SCREEN)
        return stream.getvalue()
