"""`Bend`: the manifold view as a widget, a page, a picture and a text.

    Bend(function, X, colour=y)                 in a notebook
    Bend(function, X, colour=y).save("x.html")  a page that needs no kernel

All forms are drawn from one scene (views/scene).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy
import traitlets

from nnfp_kernel.language.diagnostics import NnfpError
from nnfp_kernel.runtime.function import Function
from nnfp_kernel.views.film.reel import Frame, Reel, Said
from nnfp_kernel.views.geometry.curves import geodesic
from nnfp_kernel.views.geometry.jets import Jets
from nnfp_kernel.views.geometry.lens import ACROSS, circles_over, metrics, sheet_over
from nnfp_kernel.views.geometry.strip import strip
from nnfp_kernel.views.scene import Scene, packed, scene
from nnfp_kernel.views.scene.changes import changed
from nnfp_kernel.views.scene.moving import Moving
from nnfp_kernel.views.scene.packed import Buffer, Still

from . import figures, pictures
from .live import LiveView
from .modules import css, joined
from .strip import rows
from .work import Stop, Work

CELLS = 32  # of the sheet on which areas and lengths are told
FEW = 16  # ellipses along a side, up to which each has many corners
LIVE_LINES, LIVE_SAMPLES = 9, 25  # of the grid, while a network trains
CONTROLS = ("scrub", "play", "view", "layers", "brush")


@dataclass
class _Live:
    """A training that is followed, and by what."""

    reel: Reel | None = None
    moving: Moving | None = None
    still: Still | None = None
    told: dict[str, Any] | None = None  # the header that was sent last


class Bend(LiveView):
    """Data, a grid and the decision boundary, moving through a function's stages.

    >>> import numpy
    >>> import nnfp_kernel as nnfp
    >>> session = nnfp.Session()
    >>> _ = session.run("net : R[2] ~> R[1]\\nnet = dense[2] >> tanh >> dense[1]")
    >>> X = numpy.random.default_rng(0).normal(size=(50, 2))
    >>> bend = nnfp.widgets.Bend(session["net"], X, colour=X[:, 0] > 0)
    >>> print(bend.text.splitlines()[0])
    net : R[2] ~> R[1]

    `inputs`, `colour` and what else there is are as for `scene`; or a Scene is shown that is
    there already. A hand's work can be read and set: `position`, stage + t; `traced`, the
    point whose values are shown; `brushed`, the points that are shown alone.

    Without `measures` the rows below the stages are left out: intrinsic dimension, alignment
    with the input, and what flat cuts part of the classes. `ellipses` are Tissot's, along the
    longer side of a plane; over it area and geodesics can be looked at, too.

    For authors of a course:

    bookmarks   {name: position}, a button for each: {"stage 3, t = 0.5": 2.5}
    captions    {stage: text}, from 0 for the input: shown while one is there
    locked      of scrub, play, view, layers, brush, what the reader's hand cannot do
    height      of the picture, in pixels

    Raises NnfpError for what cannot be shown, and ValueError for a bookmark that is nowhere.
    """

    _esm = joined("bend")
    _css = css()
    module = "bend"
    held = ("scene", "position", "traced", "measures", "options")
    arrays = ("numbers", "metric")

    scene = traitlets.Dict().tag(sync=True)
    position = traitlets.Float(0.0).tag(sync=True)
    traced = traitlets.Int(0).tag(sync=True)
    brushed = traitlets.List(traitlets.Int()).tag(sync=True)
    measures = traitlets.List(traitlets.Dict()).tag(sync=True)
    metric = traitlets.Bytes().tag(sync=True)  # f32 [states, nodes, 3], once it is asked for

    def __init__(
        self,
        shown: Function | Scene,
        *inputs: Any,
        colour: Any = None,
        level: float | None = None,
        lines: int | None = None,
        samples: int | None = None,
        scale: Literal["one", "own"] | None = None,
        measures: bool = True,
        ellipses: int = ACROSS,
        bookmarks: Mapping[str, float] | None = None,
        captions: Mapping[int, str] | None = None,
        locked: Sequence[str] = (),
        height: int | None = None,
    ) -> None:
        grid = {"lines": lines, "samples": samples}
        given = {name: value for name, value in grid.items() if value is not None}

        def again() -> Scene:
            if isinstance(shown, Scene):
                return shown
            return scene(shown, *inputs, colour=colour, level=level, **given)

        def seen(**other: Any) -> Moving | None:
            if isinstance(shown, Scene):
                return None
            return Moving(scene(shown, *inputs, colour=colour, level=level, **other))

        made = again()
        self.data = made
        self._moving, self._live = seen, _Live()
        self._scale, self._measured, self._again = scale, measures, again
        self._across, self._work = ellipses, Work()
        super().__init__(
            **self._shown(made),
            options=_options(made, bookmarks or {}, captions or {}, locked, height),
        )  # fmt: skip
        self._function = shown if isinstance(shown, Function) else None
        if self._function is not None and self._function.trainings is not None:
            self._function.trainings.watch(self, ("bend", self.scene["id"]))

    def _shown(self, made: Scene) -> dict[str, Any]:
        """What the model holds of a scene."""
        circles = sheet = None
        self._jets: Jets | None = None
        if made.lines > 0 and made.states[0].shape[1] == 2:
            points = made.points(made.states[0])
            sheet = sheet_over(points, CELLS)
            if self._across:
                fine = 33 if self._across <= FEW else 17
                circles = circles_over(points, self._across, fine)[1]
        header, numbers = packed(made, circles, sheet=sheet)
        measures = rows(strip(made)) if self._measured else []
        return {"scene": header, "numbers": numbers, "measures": measures, "metric": b""}

    def refresh(self) -> None:
        """Show the function with the weights that the session has now. Where one is, which
        point is traced, and what is brushed stay."""
        self.data = self._again()
        with self.hold_sync():
            for name, value in self._shown(self.data).items():
                setattr(self, name, value)

    # --- while a network trains -----------------------------------------------------------------

    def began(self, reel: Reel) -> None:
        """A training begins: if it is one of this function's, its stages are compiled."""
        live = self._live
        live.reel = reel if self._function is not None and reel.is_of(self._function) else None
        if live.reel is not None and live.moving is None:
            live.moving = self._moving(lines=LIVE_LINES, samples=LIVE_SAMPLES)
            assert live.moving is not None
            live.still = Still(live.moving.scene)
            self._moved(Frame(0, 0.0, None, dict))  # compiles

    def look(self, reel: Reel, frame: Frame) -> Said | int:
        """The points with the weights of now."""
        live = self._live
        if live.reel is not reel or live.moving is None:
            return 0
        header, numbers = self._moved(frame)
        whole = live.told is None
        told = header if live.told is None else changed(live.told, header)
        live.told = header
        return Said(self, {"scene": told, "whole": whole}, numbers)

    def _moved(self, frame: Frame) -> tuple[dict[str, Any], bytes]:
        """The scene with other weights, along axes that stay, in few bytes."""
        live = self._live
        assert live.moving is not None
        made = live.moving.scene_at(frame.weights(), frame.known)
        return packed(made, buffer=Buffer(half=True), still=live.still)

    def ended(self, reel: Reel) -> None:
        """The function with the weights that are kept, and what is measured of it."""
        if self._live.reel is reel:
            self._live.reel = None
            self.refresh()

    # --- its other forms ------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """The scene in words and numbers."""
        return pictures.told(self.data)

    def figure(self) -> Any:
        """The picture for paper, of matplotlib: every stage beside the other."""
        return figures.bend(self.data, scale=self._scale)

    @property
    def title(self) -> str:
        return self.data.name

    def advice(self) -> str:
        count, stages = self.data.count, len(self.data.stages)
        advice = f"These are {count:,} points in {stages + 1} places: take fewer, `X[::4]`"
        return advice + (", or a grid of fewer `lines` and `samples`." if self.data.lines else ".")

    def html(self) -> str:
        return self.page(metric=self.metric or self._metric())

    def _metric(self) -> bytes:
        """The metric of every state at the nodes of the sheet, by the function's derivative."""
        if not self.scene["sheet"][0]:
            return b""
        points = self.data.points(self.data.states[0])
        found = metrics(self._derivatives(), sheet_over(points, CELLS).reshape(-1, 2))
        return bytes(found.astype("<f4").data)

    def _derivatives(self) -> Jets:
        if self._jets is None:
            self._jets = Jets(self.data)
        return self._jets

    def wait(self) -> None:
        """Wait until what a hand has asked for is there: the metric, a geodesic, other weights."""
        self._work.wait()

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        """What a hand asks for is computed beside the cells: the metric, once the lens is
        looked through, the geodesic between two places, as a state measures it, and all of it
        anew, once the hand of a linked widget has moved weights."""

        def lens(stopped: Stop) -> None:
            found = self._metric()
            if not stopped():
                self.metric = found

        def moved(stopped: Stop) -> None:
            with suppress(NnfpError):  # the program is another one: what was seen stays
                self.refresh()

        match said:
            case "moved":  # a hand has moved weights: what was asked for of the others is void
                self._work.start(moved)
            case "lens":
                self._work.start(lens)
            case {"geodesic": [start, end, int(state)]}:
                ends = (numpy.array(start, float), numpy.array(end, float))

                def shortest(stopped: Stop) -> None:
                    found = geodesic(self._derivatives(), *ends, state=state)
                    told = {"length": found.length, "straight": found.straight, "for": said}
                    if not stopped():
                        self.send({"geodesic": {**told, "points": found.points.tolist()}})

                self._work.start(shortest)
            case _:
                self._live.told = None  # somebody new who is here has not heard what was said
                super()._asked(widget, said, buffers)

    def forms(self) -> dict[str, str]:
        return pictures.bend(self.data, self._scale)


def _options(
    made: Scene, bookmarks: Mapping[str, float], captions: Mapping[int, str],
    locked: Sequence[str], height: int | None,
) -> dict[str, Any]:  # fmt: skip
    last = len(made.stages)
    for name, position in bookmarks.items():
        if not 0 <= position <= last:
            raise ValueError(f"the bookmark {name!r} is at {position}: there is 0 to {last}")
    for place in captions:
        if place not in range(last + 1):
            raise ValueError(f"a caption for stage {place}: there is 0, the input, to {last}")
    for each in locked:
        if each not in CONTROLS:
            raise ValueError(f"{each!r} cannot be locked: there is {', '.join(CONTROLS)}")
    return {
        "bookmarks": [{"name": name, "position": at} for name, at in bookmarks.items()],
        "captions": {str(place): text for place, text in captions.items()},
        "locked": list(locked),
        "height": height,
    }
