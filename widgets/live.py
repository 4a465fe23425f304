"""A view that follows trainings while they run, from when somebody sees it."""

from __future__ import annotations

from typing import Any

from .training import answered_beside_cells
from .view import View


class LiveView(View):
    """A view whose front end says "here" when it is shown: only then is it worth to look.

    What it says comes beside cells, so that it is heard while one trains.
    """

    def __init__(self, **traits: Any) -> None:
        self._here = False
        super().__init__(**traits)
        answered_beside_cells(self.comm)

    @property
    def awake(self) -> bool:
        return self._here and self.comm is not None

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        if said == "here":
            self._here = True
        else:
            super()._asked(widget, said, buffers)
