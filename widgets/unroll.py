"""`Unroll`: loops, maps and trees step by step, as a widget, a page, a picture and a text.

Unroll(function, x)                 in a notebook
Unroll(function, x).save("x.html")  a page that needs no kernel
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from nnfp_kernel.runtime.function import Function
from nnfp_kernel.views.unroll import Unrolled, first, key_of, packed, unroll
from nnfp_kernel.views.unroll.text import told

from . import figures, pictures
from .modules import css, joined
from .view import View

INSIDE = 200_000  # numbers of what repeats inside of steps, that go into a page


class Unroll(View):
    """What repeats in a function, step by step, with the values at each step.

    >>> import numpy
    >>> import nnfp_kernel as nnfp
    >>> session = nnfp.Session(precision=64)
    >>> _ = session.run("total : [R] -> R\\ntotal = fold (\\\\(s, x) -> s + x) 0")
    >>> steps = nnfp.widgets.Unroll(session["total"], numpy.array([1.0, 2.0, 4.0]))
    >>> print(steps.text.splitlines()[2])
    1  fold (\\(s, x) -> s + x) 0, 3 steps

    `inputs` are those of one call; `labels` are words for the positions of the sequence that
    comes in. `part` is which of the function's loops is seen first, from 0, and `position` how
    many steps were made; `trail` leads to what repeats inside of a step, "0/2": of the first
    part, at its third step. All three can be read and set.

    Raises NnfpError for a function in which nothing repeats.
    """

    _esm = joined("unroll")
    _css = css("unroll")
    module = "unroll"
    styles = ("unroll",)
    held = ("header", "part", "position", "trail", "options")

    header = traitlets.Dict().tag(sync=True)
    trail = traitlets.Unicode("").tag(sync=True)
    part = traitlets.Int(0).tag(sync=True)
    position = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        function: Function,
        *inputs: Any,
        labels: Sequence[str] = (),
        part: int | None = None,
        trail: Sequence[tuple[int, int]] = (),
    ) -> None:
        def at(steps: Sequence[tuple[int, int]]) -> Unrolled:
            return unroll(function, *inputs, trail=steps, labels=labels)

        self._at = at
        self.frames = {"": at(())}
        for deep in range(1, len(trail) + 1):
            self.frames[key_of(trail[:deep])] = at(trail[:deep])
        seen = self.frames[key_of(trail)]
        super().__init__(**self._shown(), trail=key_of(trail), part=first(seen, part))

    @property
    def data(self) -> Unrolled:
        """What is seen: the parts of the function, or of a step."""
        return self.frames[self.trail]

    def refresh(self) -> None:
        """Show the function with the weights that the session has now."""
        self.frames = {key: self._at(_trail(key)) for key in self.frames}
        with self.hold_sync():
            for name, value in self._shown().items():
                setattr(self, name, value)

    def _shown(self) -> dict[str, Any]:
        header, numbers = packed(list(self.frames.values()))
        return {"header": header, "numbers": numbers}

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        if isinstance(said, dict) and "open" in said:
            self.enter(said["open"])
        else:
            super()._asked(widget, said, buffers)

    def enter(self, key: str) -> None:
        """Show what repeats inside of a step: "0/2", of the first part at its third step."""
        if key not in self.frames:
            self.frames[key] = self._at(_trail(key))
        with self.hold_sync():
            for name, value in self._shown().items():
                setattr(self, name, value)
            self.position = 0
            self.part = first(self.frames[key])
            self.trail = key

    @property
    def title(self) -> str:
        return self.data.name

    @property
    def text(self) -> str:
        """Every part as a table, a step a line."""
        return told(self.data)

    def figure(self) -> Any:
        """The picture for paper, of matplotlib: the part that is seen, all steps made."""
        return figures.unroll(self.data, self.part)

    def forms(self) -> dict[str, str]:
        return pictures.unroll(self.data, self.part)

    def html(self) -> str:
        """The page that `save` writes, with what repeats inside of steps as far as it is small."""
        shown = self.frames
        self.frames = {**shown, **self._inside()}
        try:
            held = self._shown()
        finally:
            self.frames = shown
        return self.page(**held)

    def _inside(self) -> dict[str, Unrolled]:
        found: dict[str, Unrolled] = {}
        left = INSIDE
        pending = list(self.frames.values())
        while pending:
            frame = pending.pop(0)
            for number, part in enumerate(frame.parts):
                for step in range(part.count) if part.inner else ():
                    trail = (*frame.trail, (number, step))
                    if key_of(trail) in self.frames:
                        continue
                    made = self._at(trail)
                    left -= sum(each.numbers for each in made.parts)
                    if left < 0:
                        return found
                    found[key_of(trail)] = made
                    pending.append(made)
        return found

    def advice(self) -> str:
        many = max(part.count for part in self.data.parts)
        return f"These are {many:,} steps: take a shorter input, `xs[:200]`."


def _trail(key: str) -> list[tuple[int, int]]:
    pairs = [each.split("/") for each in key.split(",") if each]
    return [(int(part), int(step)) for part, step in pairs]
