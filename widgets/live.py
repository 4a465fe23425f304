"""Views that follow trainings: while they run, or once they have ended."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import traitlets

from nnfp_kernel.runtime.function import Function
from nnfp_kernel.views.film.reel import Frame, Reel, Said

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
        """What some views say of a moment, by the one that was last shown; gives the bytes of
        the numbers, of which what is beside them is some tenth."""
        live = {own.view.address: own.words for own in said}
        last = max((own.view for own in said), key=lambda view: view._here)
        last.send({"live": live}, [own.numbers for own in said])
        return sum(len(own.numbers) for own in said)

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        if said == "here":
            self._here = next(HEARD)
        else:
            super()._asked(widget, said, buffers)


class Later(View):
    """A view of what takes too long to follow each step: it is made anew, by `refresh`, once a
    training of its function has ended, or the hand of a linked widget has moved weights. Until
    then it says that it is of before.

    What is said comes beside cells, too: `refresh` must not wait.
    """

    rank = 0
    training = traitlets.Bool(False).tag(sync=True)  # of its function, now

    if TYPE_CHECKING:

        def refresh(self) -> None:
            """Show the function with the weights that the session has now, beside the cells."""

    def __init__(self, **traits: Any) -> None:
        self._function: Function | None = None
        super().__init__(**traits)
        answered_beside_cells(self.comm)

    def follow(self, function: Function, name: Hashable) -> None:
        """From now on; until another of that name comes."""
        self._function = function
        if function.trainings is not None:
            function.trainings.watch(self, name)

    @property
    def awake(self) -> bool:
        return self.comm is not None

    def began(self, reel: Reel) -> None:
        self.training = self._function is not None and reel.is_of(self._function)

    def look(self, reel: Reel, frame: Frame) -> int:
        return 0

    def ended(self, reel: Reel) -> None:
        self.training = False
        if self._function is not None and reel.is_of(self._function):
            self.refresh()

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        if said == "moved":  # the weights, by the hand of a linked widget
            self.refresh()
        else:
            super()._asked(widget, said, buffers)
