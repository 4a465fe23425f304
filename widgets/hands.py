"""`Hands`: take hold of a layer's weights, draw data, and see at once what comes of it.

    Hands(function, X, colour=y)                 in a notebook
    Hands(function, X, colour=y).save("x.html")  a page that needs no kernel

The page computes the forward pass itself (views/scene/tape.py); what it does not know it asks
the kernel for. When a hand lets go, the weights are put into the session. Messages come in
another thread than cells run in: whose turn it is to change the session is asked first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
import traitlets

from nnfp_kernel.language.diagnostics import NnfpError
from nnfp_kernel.runtime.function import Function
from nnfp_kernel.runtime.training import events
from nnfp_kernel.session.again import training_on
from nnfp_kernel.views.film.reel import Frame, Reel
from nnfp_kernel.views.scene import Scene, handed, scene
from nnfp_kernel.views.scene.handed import carried, changed, merged, vector
from nnfp_kernel.views.scene.packed import kinds
from nnfp_kernel.views.scene.run import width
from nnfp_kernel.views.scene.tape import tape, weights_of
from nnfp_kernel.views.training import Course

from . import figures, pictures
from .live import LiveView
from .modules import css, joined
from .work import Stop, Work

Array = Any
MOST = 200_000  # weights, which a page holds as a whole
CURVE = 120  # losses of it that are drawn


class Hands(LiveView):
    """A function's layers in the hand: arrows to drag, numbers to set, points to draw.

    >>> import numpy
    >>> import nnfp_kernel as nnfp
    >>> session = nnfp.Session()
    >>> _ = session.run("net : R[2] ~> R[1]\\nnet = dense[2] >> tanh >> dense[1]")
    >>> X = numpy.random.default_rng(0).normal(size=(50, 2))
    >>> hands = nnfp.widgets.Hands(session["net"], X, colour=X[:, 0] > 0)
    >>> [layer["label"] for layer in hands.scene["layers"]]
    ['dense[2]', 'dense[1]']

    `inputs`, `colour` and `level` are as for `scene`. What the hand has done can be read:
    `session.weights` has the weights; `X` and `y` the points that are there now, and what
    they are coloured by.

    "Train on" goes on from there, with the points that are seen, as the last training of
    these weights did; `training` says otherwise, as for `Session.train`: {"loss":
    "squaredError", "rate": 0.05, "epochs": 20}. Without either the loss is settled by what
    the function gives: `crossEntropy` of as many outputs as there are classes, `binaryCrossEntropy`
    of one, `squaredError` of quantities.

    Raises NnfpError for what cannot be shown, and for a function without weights.
    """

    _esm = joined("hands")
    _css = css("hands")
    module = "hands"
    styles = ("hands",)
    held = ("scene", "layer", "options")
    arrays = ("numbers", "weights", "points", "kinds")

    scene = traitlets.Dict().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)  # all of them, float64
    points = traitlets.Bytes().tag(sync=True)
    kinds = traitlets.Bytes().tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)  # the one that is in the hand
    status = traitlets.Dict().tag(sync=True)  # of a training

    def __init__(
        self,
        shown: Function,
        *inputs: Any,
        colour: Any = None,
        level: float | None = None,
        layer: int = 0,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        made = scene(shown, *inputs, colour=colour, level=level)
        count = sum(weight.size for weight in weights_of(made))
        if not count or count > MOST:
            raise _refused(shown, count)
        self._tape = tape(made)
        header, grid = handed.handed(made, self._tape)
        if not 0 <= layer < max(len(header["layers"]), 1):
            last = len(header["layers"]) - 1
            raise ValueError(f"there is no layer {layer} to hold: there is 0 to {last}")
        self.data = made
        self._known = vector(made)  # the weights that the page has
        self._training = dict(training or {})
        self._work = Work()
        self._own, self._aim, self._follows = False, "", False
        super().__init__(
            scene=header,
            numbers=grid,
            weights=self._known.tobytes(),
            points=made.points(made.states[0]).astype("<f8").tobytes(),
            kinds=kinds(made).astype("<f8").tobytes(),
            layer=layer,
        )
        if shown.trainings is not None:
            shown.trainings.watch(self, ("hands", header["id"]))

    # --- what a hand has made ------------------------------------------------------------------

    @property
    def _points(self) -> Array:
        size = sum(map(width, self.data.run.sources))
        return numpy.frombuffer(self.points, "<f8").reshape(-1, size)

    @property
    def _kinds(self) -> Array:
        return numpy.frombuffer(self.kinds, "<f8")

    @property
    def X(self) -> Array:
        """The points that are there now, [N, …]; of several inputs, laid end to end."""
        sources = self.data.run.sources
        shape = sources[0].type.shape if len(sources) == 1 else (-1,)
        return self._points.reshape(len(self._points), *shape).copy()

    @property
    def y(self) -> Array:
        """What they are coloured by: the class, or the number, of each. None without colours."""
        if self.data.colour is None:
            return None
        classes = self.data.classes
        return numpy.asarray(classes)[self._kinds.astype(int)] if classes else self._kinds.copy()

    def refresh(self) -> None:
        """Show the weights that the session has now."""
        self._know(self._present())

    def _present(self) -> Array:
        return merged(self.data, self._known, self.data.run.function.session_weights())

    def _know(self, weights: Array) -> None:
        self._known = weights
        self.weights = weights.tobytes()

    # --- messages ------------------------------------------------------------------------------

    def _asked(self, widget: object, said: object, buffers: Any) -> None:
        match said:
            case {"do": "commit", "seq": int(seq)}:
                self.send(self._committed(seq, *map(_numbers, buffers)))
            case {"do": "ask", "seq": int(seq), "columns": list(columns)}:
                self._answer(seq, columns, *map(_numbers, buffers))
            case {"do": "train"}:
                self.train_on()
            case {"do": "stop"}:
                self.stop()
            case {"do": "refresh"}:  # another widget's hand has moved weights
                self._merge()
            case _:
                super()._asked(widget, said, buffers)

    def _committed(self, seq: int, weights: Array, points: Array, kinds: Array) -> dict[str, Any]:
        """Put what a hand has made into the session; or why that must wait, or cannot be."""
        self.points, self.kinds = points.tobytes(), kinds.tobytes()
        function = self.data.run.function
        session = function.home
        edits = changed(self.data, self._known, weights)
        if not edits:
            return {"done": seq, "note": "", "moved": False}
        if not session.turn.acquire(timeout=0.02):
            return {"waits": seq, "why": "a cell is running"}
        try:
            if session.training:
                return {"waits": seq, "why": f"{session.training[-1]} is being trained"}
            session.weights = edits
            self._known = weights
            self._merge()
        except NnfpError as problem:
            return {"refused": seq, "why": f"The program has changed: {_words(problem)}"}
        finally:
            session.turn.release()
        return {"done": seq, "note": self._older(session), "moved": True}

    def _merge(self) -> None:
        """What others have done to the session's weights meanwhile is shown, too."""
        present = self._present()
        if not numpy.allclose(present, self._known, rtol=1e-6, atol=1e-30):
            self._know(present)

    def _older(self, session: Any) -> str:
        """A note, where the program says something else now than what is shown."""
        function = self.data.run.function
        definition = session.program.definitions.get(function.name)
        if definition is None or definition is function.definition:
            return ""
        if session[function.name].digests == function.digests:
            return ""
        return (
            f"{function.name} has been defined anew since: what is seen here is the older one. "
            "Run this cell again to see the new one."
        )

    def _answer(self, seq: int, columns: list[int], weights: Array, points: Array) -> None:
        """Where points are after every stage, for a page that cannot compute it."""
        known = {number: wire for wire, number in self._tape.numbers.items()}
        wires = [known[column] for column in columns]
        rows = points.reshape(-1, sum(map(width, self.data.run.sources)))
        ends, values = carried(self.data, weights, rows, wires)
        told = {"answer": seq, "columns": columns, "ends": len(ends)}
        self.send(told, [numpy.ascontiguousarray(each, "<f8").tobytes() for each in values])

    # --- training ------------------------------------------------------------------------------

    def train_on(self) -> None:
        """Train from these weights on, as the button does, beside the cells."""
        session = self.data.run.function.home
        if session.training or not session.turn.acquire(timeout=0.02):
            words = "A cell is running: press again when it has ended."
            self.status = {"state": "refused", "words": words}
            return
        try:
            training, self._aim = training_on(
                session, self.data, self._points, self._kinds, film=True, **self._training
            )
        except (NnfpError, ValueError) as problem:
            self.status = {"state": "refused", "words": _words(problem)}
            return
        finally:
            session.turn.release()
        self._own = True
        self.status = {"state": "training", "words": "gets ready"}
        self._work.start(lambda stopped: self._trained(training, stopped))

    def stop(self) -> None:
        """Stop the training; the best weights so far are kept."""
        self._work.stop()

    def wait(self) -> None:
        """Wait until the training has ended."""
        self._work.wait()

    def _trained(self, training: Any, stopped: Stop) -> None:
        def heed(event: events.Event) -> None:
            if stopped() and not isinstance(event, events.Finished):
                raise KeyboardInterrupt

        try:
            events.follow(training, heed)
        except Exception as problem:  # whatever it is: else the page would wait for ever
            self.refresh()
            self.status = {"state": "refused", "words": _words(problem)}
        finally:
            self._own, self._aim = False, ""

    # A training of these weights is followed, the own one and that of a cell (views/film/reel.py).

    rank = 0

    @property
    def awake(self) -> bool:
        """It is told of all of every training: its weights are those of the session."""
        return True

    def began(self, reel: Reel) -> None:
        self._follows = reel.is_of(self.data.run.function)
        self._tell(reel, "training" if self._own else "watched", reel.course.line())

    def look(self, reel: Reel, frame: Frame) -> int:
        if not self._follows:
            return 0
        self.weights = merged(self.data, self._known, frame.weights()).tobytes()
        self._tell(reel, "training" if self._own else "watched", reel.course.line())
        return len(self.weights)

    def ended(self, reel: Reel) -> None:
        self._follows = self._follows or self._own  # also where nobody has looked
        if self._follows:
            self.refresh()
            self._tell(reel, "ended", reel.course.summary())
        self._follows = False

    def _tell(self, reel: Reel, state: str, words: str) -> None:
        if self._follows:
            words = f"{self._aim}: {words}" if self._aim else words
            losses = _thinned(reel.course)
            done = reel.course.share
            self.status = {"state": state, "words": words, "done": done, "losses": losses}

    # --- forms ---------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        return self.data.name

    @property
    def shown(self) -> Scene:
        """The scene with the points and the weights that there are now."""
        function, inputs = self.data.run.function, [self.X]
        if len(self.data.run.sources) > 1:  # nothing can be drawn
            return self.data
        return scene(function, *inputs, colour=self.y, level=self.data.level)

    @property
    def text(self) -> str:
        """Every layer with its weights' singular values."""
        return pictures.titled(self.data, handed.table(self.shown))

    def figure(self) -> Any:
        """The picture for paper, of matplotlib: the layer in the hand, and what it does."""
        return figures.hands(self.shown, self.layer)

    def forms(self) -> dict[str, str]:
        return pictures.drawn(self.text, self.figure())

    def advice(self) -> str:
        count = f"{len(self._points):,} points and {len(self._known):,} weights"
        return f"These are {count}: take fewer, `X[::4]`."


def _numbers(buffer: Any) -> Array:
    return numpy.frombuffer(buffer, "<f8").copy()


def _thinned(course: Course) -> list[float]:
    losses = [loss for _, loss in course.steps]
    step = -(-len(losses) // CURVE) or 1
    runs = [losses[k : k + step] for k in range(0, len(losses), step)]
    means = [sum(own) / len(own) for own in runs]
    return [float(mean) for mean in means if numpy.isfinite(mean)]


def _words(problem: Exception) -> str:
    """What went wrong, in a line."""
    if isinstance(problem, NnfpError):
        first = problem.diagnostics[0]
        return ". ".join([first.title, *first.notes[:1]])
    return str(problem)


def _refused(function: Function, count: int) -> NnfpError:
    from nnfp_kernel.language.telling import plain

    title = f"{function.name} owns no weights: there is nothing to hold"
    note = "Give it a hole, `?W @ x`, or a layer, `dense[2]`."
    if count:
        title = f"{function.name} has {count:,} weights: at most {MOST:,} can be held in a page"
        note = "`%nnfp bend` shows it."
    place = function.definition.span
    return NnfpError(plain("no-hands", title, place, f"has type {function.type}", notes=(note,)))
