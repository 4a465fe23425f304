"""`Regions`: the exact linear regions of a network, in its input and in every layer.

Regions(function, X, colour=y)                 in a notebook
Regions(function, X, colour=y).save("x.html")  a page that needs no kernel
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import traitlets

from nnfp_kernel.language.diagnostics import NnfpError
from nnfp_kernel.runtime.function import Function
from nnfp_kernel.views.geometry.packing import packed_regions
from nnfp_kernel.views.geometry.regions import Plane, chosen, regions
from nnfp_kernel.views.geometry.regions import Regions as Found
from nnfp_kernel.views.geometry.text import regions_table
from nnfp_kernel.views.scene import Scene, scene

from . import figures, pictures
from .live import Later
from .modules import css, joined
from .work import Stop, Stopped, Work

BY = ("answer", "region", "map", "area")


class Regions(Later):
    """Where a piecewise-linear network is linear: polygons of a plane, and where every layer
    has them. A region that is pointed at is seen in all of them, with its affine map.

    >>> import numpy
    >>> import nnfp_kernel as nnfp
    >>> session = nnfp.Session()
    >>> _ = session.run("fold : R[2] -> R[2]\\nfold x = relu x")
    >>> X = numpy.array([[-1.0, -1.0], [1.0, 1.0]])
    >>> len(nnfp.widgets.Regions(session["fold"], X).found)
    4

    What is given is as for `scene`; or a Scene is shown that is there already. Of an input of
    more than two numbers a plane is cut: that in which the data lie best, that of two `axes`
    through their middle, or that through three of the `points`, by their places in X. The widget
    can ask for another one, which is cut beside the cells; `wait` waits for it.

    `by` says what colours stand for: the answer, the region, the affine map, the area. It,
    `position` and `region`, the one that is chosen, can be read and set.

    Raises NnfpError for what has no linear regions, and ValueError for a plane that is none.
    """

    _esm = joined("regions")
    _css = css("regions")
    module = "regions"
    styles = ("regions",)
    held = ("scene", "position", "by", "region", "slice", "options")

    scene = traitlets.Dict().tag(sync=True)
    position = traitlets.Float(0.0).tag(sync=True)
    by = traitlets.Enum(BY, "answer").tag(sync=True)
    region = traitlets.Int(-1).tag(sync=True)
    slice = traitlets.Dict().tag(sync=True)
    working = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        shown: Function | Scene,
        *inputs: Any,
        colour: Any = None,
        level: float | None = None,
        axes: Sequence[int] | None = None,
        points: Sequence[int] | None = None,
        by: Literal["answer", "region", "map", "area"] = "answer",
        scale: Literal["one", "own"] | None = None,
    ) -> None:
        def again() -> Scene:
            if isinstance(shown, Scene):
                return shown
            return scene(shown, *inputs, colour=colour, level=level)

        self._again = again
        self.data = made = again()
        self.found: Found = regions(made, chosen(made, axes, points))
        kind = "axes" if axes is not None else "points" if points is not None else "data"
        asked = {"kind": kind, "chosen": list(axes or points or ())}
        self._scale, self._work = scale, Work()
        header, numbers = packed_regions(self.found, made)
        super().__init__(scene=header, numbers=numbers, by=by, slice=asked)
        self.observe(self._other, "slice")
        if isinstance(shown, Function):
            self.follow(shown, ("regions", header["id"], kind, *asked["chosen"]))

    @property
    def title(self) -> str:
        return self.data.name

    @property
    def text(self) -> str:
        """How many regions each stage has."""
        return pictures.titled(self.data, regions_table(self.found, self.data))

    def figure(self) -> Any:
        """The picture for paper, of matplotlib."""
        return figures.regions(self.found, self.data, scale=self._scale)

    def forms(self) -> dict[str, str]:
        return pictures.regions(self.found, self.data, self._scale)

    def advice(self) -> str:
        return (
            f"These are {len(self.found):,} regions in {len(self.found.values)} places, with "
            f"{self.data.count:,} points: take data from a smaller part of the plane, or fewer."
        )

    def wait(self) -> None:
        """Wait until the plane that was asked for is cut, or that is stopped."""
        self._work.wait()

    def stop(self) -> None:
        """Stop cutting: what was seen before stays."""
        self._work.stop()

    def refresh(self) -> None:
        """Cut the same plane with the weights that the session has now, beside the cells: `wait`
        waits for it."""
        self._start(anew=True)

    def _other(self, change: Any) -> None:
        self._start()

    def _start(self, anew: bool = False) -> None:
        kind, places = self.slice["kind"], self.slice["chosen"]
        try:
            plane = chosen(self.data, **({} if kind == "data" else {kind: places}))
        except ValueError as problem:
            self.problem = f"{problem}."
            return
        self.problem, self.working = "", "the plane"
        self._work.start(lambda stopped: self._cut(plane, anew, stopped))

    def _cut(self, plane: Plane | None, anew: bool, stopped: Stop) -> None:
        def grown(count: int) -> None:
            if stopped():
                raise Stopped
            self.working = f"{count:,} regions so far"

        try:
            data = self._again() if anew else self.data
            found = regions(data, plane, grown)
            header, numbers = packed_regions(found, data)
            self.data, self.found, self.region = data, found, -1
            with self.hold_sync():
                self.numbers, self.scene = numbers, header
        except NnfpError as problem:
            first = problem.diagnostics[0]
            self.problem = " ".join([first.title, *first.notes])
        finally:
            self.working = ""

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        if said == "stop":
            self.stop()
        else:
            super()._asked(widget, said, buffers)
