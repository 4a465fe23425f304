"""A training as a picture: while it runs with a button that stops it, and afterwards.

    Training(events)    how it went, of the events of a training or its course; `.save` makes a
                        page of it

    widget = Training()
    widget.answers      whether the front end has been heard: only then is it shown
    widget.picture = …  what `views.training` has drawn
    widget.stopped()    True once, after the button was pressed

The picture is drawn in Python, as it is for every other output; the module in `static/`
puts it in its place and adds the button. What comes from the front end comes in another
thread, while the cell trains.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import traitlets

from nnfp_kernel.runtime.training.events import Event
from nnfp_kernel.views.training import Course

from .modules import css, joined
from .view import View


class Training(View):
    """A picture as HTML, with a stop button while there is something to stop.

    >>> import numpy, nnfp_kernel as nnfp
    >>> session = nnfp.Session()
    >>> _ = session.run("distance x = squaredError x (?centre : R[2])")
    >>> points = numpy.random.default_rng(0).normal(size=(40, 2))
    >>> seen = Training(session.train("distance", [points], epochs=3))
    >>> seen.text.split(" in ")[0]
    'finished: 3 epochs'
    >>> seen.html().splitlines()[0]  # what `seen.save("training.html")` writes
    '<!doctype html>'

    `metric` is what the metric of the training is called. Raises what the training raises.
    """

    _esm = joined("training")
    _css = css("training")
    module = "training"
    styles = ("training",)
    held = ("picture",)
    arrays = ()

    picture = traitlets.Unicode().tag(sync=True)
    running = traitlets.Bool().tag(sync=True)

    def __init__(
        self, events: Iterable[Event] | Course | None = None, metric: str = "metric"
    ) -> None:
        self._heard = threading.Event()
        self._stop = threading.Event()
        if isinstance(events, Course):
            self.course = events
        else:
            self.course = Course(metric)
            for event in events or ():
                self.course.add(event)
        drawn = "" if events is None else self.course.to_html()
        super().__init__(picture=drawn, running=events is None)
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

    @property
    def title(self) -> str:
        return "training"

    @property
    def text(self) -> str:
        return self.course.summary() if self.course.finished else self.course.line()

    def forms(self) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.course.to_html()}

    def advice(self) -> str:
        return "It has thinned curves already."

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        match said:
            case "here":
                self._heard.set()
            case "stop":
                self._stop.set()
            case _:
                super()._asked(widget, said, buffers)


def answered_beside_cells(comm: Any) -> None:
    """Let messages come by the subshell that the front end names.

    ipykernel from 7.4 on takes what answers a comm to the thread that wrote to it last:
    to the main one, where it waits for the end of the cell.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, subshell: subshell
