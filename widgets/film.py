"""`Film`: a training replayed as a widget, a page, a picture and a text; live while it runs.

    Film(function, X, colour=y)                 the last training; the next ones while they run
    Film(function, X, colour=y).save("x.html")  a page that needs no kernel

All forms are drawn from one film (views/film).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from nnfp_kernel.runtime.function import Function
from nnfp_kernel.views import film as views
from nnfp_kernel.views.film.packed import curve, packed, told
from nnfp_kernel.views.film.reel import FRAMES, Frame, Reel, Said
from nnfp_kernel.views.scene.packed import Buffer

from . import figures, pictures
from .live import LiveView
from .modules import css, joined

CONTROLS = ("scrub", "play", "view", "layers", "brush")
LIVE = 40_000  # bytes of a moment that is sent while a network trains: then some points must do
CURVES = 5  # moments, between two of which the whole loss curve is sent


class Film(LiveView):
    """Data in every stage of a function, all through its training.

    >>> import numpy
    >>> import nnfp_kernel as nnfp
    >>> session = nnfp.Session(seed=0)
    >>> _ = session.run("net : R[2] ~> R[1]\\nnet = dense[2] >> tanh >> dense[1]")
    >>> X = numpy.random.default_rng(0).normal(size=(50, 2))
    >>> film = nnfp.widgets.Film(session["net"], X, colour=X[:, 0] > 0)
    >>> len(film.data.moments)
    1
    >>> data = [X, 1.0 * (X[:, :1] > 0)]
    >>> *_, last = session.train("net", data, loss="squaredError", epochs=60)
    >>> len(film.data.moments), film.data.moments[-1].step
    (50, 94)

    It shows the session's last training, if weights of the function took part in it, and
    follows the next ones while they run: a moment at a time, as many a second as a tenth of
    the training's time allows. `most` moments are kept. `inputs`, `colour`, `level`, `lines` and
    `samples` are as for `scene`.

    A hand's work can be read and set: `epoch` and `state`, the moment and the stage that are
    looked at; `traced`, the point whose way is drawn; `brushed`, the points shown alone.
    `locked` are controls that the reader's hand cannot move: scrub, play, view, layers, brush.
    `height` is that of the picture, in pixels.

    Raises NnfpError for what cannot be shown.
    """

    _esm = joined("film")
    _css = css("film")
    module = "film"
    rank = 1  # what a bend finds of the points is all that it needs
    styles = ("film",)
    held = ("film", "epoch", "state", "traced", "options")

    film = traitlets.Dict().tag(sync=True)
    epoch = traitlets.Float(-1.0).tag(sync=True)  # -1: the last there is
    state = traitlets.Int(-1).tag(sync=True)  # -1: the last of which a plane is seen
    traced = traitlets.Int(0).tag(sync=True)
    brushed = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(
        self,
        shown: Function | views.Film,
        *inputs: Any,
        colour: Any = None,
        level: float | None = None,
        lines: int | None = None,
        samples: int | None = None,
        most: int = FRAMES,
        locked: Sequence[str] = (),
        height: int | None = None,
    ) -> None:
        for each in locked:
            if each not in CONTROLS:
                raise ValueError(f"{each!r} cannot be locked: there is {', '.join(CONTROLS)}")
        if not isinstance(shown, views.Film):
            grid = {"lines": lines, "samples": samples}
            given = {name: value for name, value in grid.items() if value is not None}
            shown = views.Film(shown, *inputs, colour=colour, level=level, most=most, **given)
        self._data, self._told = shown, 0
        self._left: Reel | None = None  # a training that nobody has looked at yet
        header, numbers = packed(shown)
        options = {"locked": list(locked), "height": height}
        super().__init__(film=header, numbers=numbers, options=options)
        if shown.trainings is not None:
            shown.trainings.watch(self, ("film", header["id"]))

    @property
    def data(self) -> views.Film:
        """The film."""
        if self._left is not None:
            reel, self._left = self._left, None
            self._data.take(reel)
            self._show()
        return self._data

    # --- while a network trains -----------------------------------------------------------------

    def began(self, reel: Reel) -> None:
        """What was there makes place for a training of this function."""
        self._left = None
        if reel.is_of(self._data.function):
            self._data.begin(reel)
            self._told = 0
            self._show()

    def look(self, reel: Reel, frame: Frame) -> Said | int:
        """A moment of it."""
        if self._data.reel is not reel:
            return 0
        moment = self._data.look(frame)
        buffer = Buffer()
        new = told(moment, None, buffer, LIVE)
        kept = [each.step for each in reel.frames if each.step in self._data.looked]
        said: dict[str, Any] = {"moment": new, "kept": kept}
        if self._told % CURVES == 0:
            said["course"] = curve(reel.course)
        self._told += 1
        return Said(self, said, buffer.whole())

    def ended(self, reel: Reel) -> None:
        """The whole of it, with one view all through: at once, if somebody sees it."""
        if reel.is_of(self._data.function):
            self._left = reel
        if self.awake:
            _ = self.data

    def _show(self) -> None:
        header, numbers = packed(self._data)
        with self.hold_sync():
            self.film, self.numbers = header, numbers

    # --- its other forms ------------------------------------------------------------------------

    @property
    def title(self) -> str:
        return self.data.scene.name

    @property
    def text(self) -> str:
        """The film in words and numbers."""
        return pictures.filmed(self.data)

    def figure(self) -> Any:
        """The picture for paper, of matplotlib: some moments, and every stage at each."""
        return figures.film(self.data)

    def forms(self) -> dict[str, str]:
        return pictures.film(self.data)

    def html(self) -> str:
        _ = self.data  # what is told below is of the last training
        return super().html()

    def advice(self) -> str:
        made, count = self.data, self.data.scene.count
        advice = f"These are {len(made.moments)} moments of {count:,} points in "
        advice += f"{len(made.scene.states)} places: keep fewer, `most={len(made.moments) // 2}`, "
        return advice + f"or take fewer points, `X[::{max(count // 400, 2)}]`."
