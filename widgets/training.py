"""The picture of a running training, with a button that stops it.

    widget = Training()
    widget.answers      whether the front end has been heard: only then is it shown
    widget.html = …     what `views.training` has drawn
    widget.stopped()    True once, after the button was pressed

The picture is drawn in Python, as it is for every other output; the module in `static/`
puts it in its place and adds the button. What comes from the front end comes in another
thread, while the cell trains.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anywidget
import traitlets

STATIC = Path(__file__).parent / "static"


class Training(anywidget.AnyWidget):
    """A picture as HTML, and a stop button.

    >>> widget = Training()
    >>> widget.answers, widget.stopped()
    (False, False)
    """

    _esm = STATIC / "training.js"
    _css = STATIC / "training.css"

    html = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        self._heard = threading.Event()
        self._stop = threading.Event()
        super().__init__(**traits)
        self.on_msg(self._told)
        answered_beside_cells(self.comm)

    @property
    def answers(self) -> bool:
        """Whether a message of the front end's has come through: then others will."""
        return self._heard.is_set()

    def stopped(self) -> bool:
        """Whether the button was pressed since this was last asked."""
        pressed = self._stop.is_set()
        self._stop.clear()
        return pressed

    def _told(self, _widget: object, said: object, _buffers: object) -> None:
        match said:
            case "here":
                self._heard.set()
            case "stop":
                self._stop.set()


def answered_beside_cells(comm: Any) -> None:
    """Let messages come by the subshell that the front end names.

    ipykernel from 7.4 on takes what answers a comm to the thread that wrote to it last:
    to the main one, where it waits for the end of the cell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, subshell: subshell
