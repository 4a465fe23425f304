"""A view that follows trainings while they run, from when somebody sees it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from itertools import count
from typing import Any

import traitlets

from nnfp_kernel.views.film.reel import Said

from .training import answered_beside_cells
from .view import View

HEARD = count(1)


class LiveView(View):
    """A view whose front end says "here" when it is shown: only then is it worth to look.

    What it says comes beside cells, so that it is heard while one trains. What all of them have
    to say of a moment is one message, which static/live.js hands on by their addresses.
    """

    rank = 0
    address = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._here = 0  # when somebody last came to see it
        super().__init__(address=uuid.uuid4().hex, **traits)
        answered_beside_cells(self.comm)

    @property
    def awake(self) -> bool:
        return self._here > 0 and self.comm is not None

    def post(self, said: Sequence[Said]) -> int:
        """What some views say of a moment, by the one that was last shown; gives the bytes."""
        live = {own.view.address: own.words for own in said}
        last = max((own.view for own in said), key=lambda view: view._here)
        last.send({"live": live}, [own.numbers for own in said])
        return sum(len(own.numbers) for own in said) + len(json.dumps(live))

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        if said == "here":
            self._here = next(HEARD)
        else:
            super()._asked(widget, said, buffers)
