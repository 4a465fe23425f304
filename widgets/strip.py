"""`Strip`: every stage with what is measured of the data there, over one axis, the program.

Strip(function, X, colour=y)                 in a notebook
Strip(function, X, colour=y).save("x.html")  a page that needs no kernel
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import traitlets

from nnfp_kernel.language.diagnostics import NnfpError
from nnfp_kernel.runtime.function import Function
from nnfp_kernel.views.geometry.strip import Strip as Measures
from nnfp_kernel.views.geometry.strip import bars_of, strip
from nnfp_kernel.views.geometry.text import measured, measures, strip_table
from nnfp_kernel.views.geometry.topology import Barcode
from nnfp_kernel.views.scene import Scene, packed, scene

from . import figures, pictures
from .live import Later
from .modules import css, joined
from .work import Stop, Stopped, Work


class Strip(Later):
    """Of every stage: intrinsic dimension, alignment with the input, what flat cuts part of
    the classes, and on demand pieces and holes, with their bars.

    >>> import numpy
    >>> import nnfp_kernel as nnfp
    >>> session = nnfp.Session()
    >>> _ = session.run("net : R[2] ~> R[1]\\nnet = dense[2] >> tanh >> dense[1]")
    >>> X = numpy.random.default_rng(0).normal(size=(50, 2))
    >>> strip = nnfp.widgets.Strip(session["net"], X, colour=X[:, 0] > 0)
    >>> [row["name"] for row in strip.measures][:2]
    ['intrinsic dimension, TwoNN', 'linear CKA with the input']

    What is given is as for `scene`; or a Scene is shown that is there already. A click on a
    stage moves all widgets over the same data there: `position` can be read and set.

    Betti numbers take a second or so for each stage. With `betti` they are there from the
    beginning; else a button of the widget starts them, and stops them: they are computed
    beside the cells. `wait` waits for them.

    Once weights have moved, in a training or by a hand in `Hands` beside it, all is measured
    anew; until then the widget says of what it is. A Scene stays as it was given.

    Raises NnfpError for what cannot be shown, and where `betti` is asked for without ripser.
    """

    _esm = joined("strip")
    _css = css("strip")
    module = "strip"
    styles = ("strip",)
    held = ("scene", "position", "measures", "bars", "sample", "options")

    scene = traitlets.Dict().tag(sync=True)
    position = traitlets.Float(0.0).tag(sync=True)
    measures = traitlets.List(traitlets.Dict()).tag(sync=True)
    bars = traitlets.List(traitlets.Dict()).tag(sync=True)
    sample = traitlets.Unicode().tag(sync=True)
    working = traitlets.Bool(False).tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        shown: Function | Scene,
        *inputs: Any,
        colour: Any = None,
        level: float | None = None,
        betti: bool = False,
    ) -> None:
        def again() -> Scene:
            if isinstance(shown, Scene):
                return shown
            return scene(shown, *inputs, colour=colour, level=level)

        self._again, self._work = again, Work()
        self._counted = betti  # whether pieces and holes are wanted
        self.found: Measures = strip(again(), betti=betti)
        super().__init__(**_shown(self.found))
        if isinstance(shown, Function):
            self.follow(shown, ("strip", self.scene["id"]))

    @property
    def data(self) -> Scene:
        """The scene that is measured."""
        return self.found.scene

    @property
    def title(self) -> str:
        return self.data.name

    @property
    def text(self) -> str:
        """The measures as a table."""
        return pictures.titled(self.data, strip_table(self.found))

    def figure(self) -> Any:
        """The picture for paper, of matplotlib."""
        return figures.strip(self.found)

    def forms(self) -> dict[str, str]:
        return pictures.strip(self.found)

    def advice(self) -> str:
        return f"These are {self.data.count:,} points: take fewer, `X[::4]`."

    def wait(self) -> None:
        """Wait until what is computed beside the cells is there, or stopped."""
        self._work.wait()

    def refresh(self) -> None:
        """Measure anew with the weights that the session has now, beside the cells."""
        self._work.start(self._measured)

    def _measured(self, stopped: Stop) -> None:
        with suppress(NnfpError):  # the program is another one: what was measured stays
            found = strip(self._again())
            if stopped():
                return
            self.found = found
            with self.hold_sync():
                for name, value in _shown(found).items():
                    setattr(self, name, value)
            if self._counted:
                self.working, self.problem = True, ""
                self._computed(stopped)

    def compute_betti(self) -> None:
        """Compute pieces and holes beside the cells, as the button does."""
        self.working, self.problem, self.bars, self._counted = True, "", [], True
        self._work.start(self._computed)

    def stop(self) -> None:
        """Stop that: what is there of it is taken away, since it says nothing of all stages."""
        self._counted = False
        self._work.stop()

    def _computed(self, stopped: Stop) -> None:
        made: list[Barcode] = []
        try:
            for own in bars_of(self.data):
                if stopped():
                    raise Stopped
                made.append(own)
                self.bars = [_told(each) for each in made]
            self.found = replace(self.found, bars=tuple(made))
            self.sample = measured(self.found)
        except Stopped:
            self.bars = []
            raise
        except NnfpError as problem:
            self.problem = " ".join([problem.diagnostics[0].title, *problem.diagnostics[0].notes])
        finally:
            self.working = False

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        match said:
            case "betti" if not self.working:
                self.compute_betti()
            case "stop":
                self.stop()
            case _:
                super()._asked(widget, said, buffers)


def _shown(found: Measures) -> dict[str, Any]:
    """What the model holds of what was measured."""
    header, numbers = packed(found.scene)
    return {
        "scene": header, "numbers": numbers, "measures": rows(found),
        "bars": [_told(own) for own in found.bars], "sample": measured(found),
    }  # fmt: skip


def rows(found: Measures) -> list[dict[str, Any]]:
    """What is measured of every state: the share of the largest value, and the words for it."""
    of = f" · of {found.count:,} points" if found.count < found.scene.count else ""
    made = []
    for name, values, told in measures(found):
        known = [value for value in values if math.isfinite(value)]
        if not known:  # of points too few to be measured
            continue
        most = max(known) or 1.0
        shares = [value / most if math.isfinite(value) else None for value in values]
        words = [told(value) for value in values]
        made.append({"name": name + of, "shares": shares, "told": words})
    return made


def _told(own: Barcode) -> dict[str, Any]:
    """A barcode as JSON; the death of what never dies is None."""
    bars = [
        [[birth, death if math.isfinite(death) else None] for birth, death in each.tolist()]
        for each in own.bars
    ]
    return {
        "bars": bars, "betti": list(own.betti), "count": own.count, "landmarks": own.landmarks,
        "cover": own.cover, "scale": own.scale,
    }  # fmt: skip
