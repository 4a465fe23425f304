"""`Wiring`: the string diagram of a program, whose boxes open into their definitions.

Wiring(function)                 in a notebook
Wiring(function).save("x.html")  a page that needs no kernel
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Literal

import traitlets

from nnfp_kernel.runtime.data import DataValue
from nnfp_kernel.runtime.function import Function
from nnfp_kernel.runtime.program import Program
from nnfp_kernel.views.given import required_function
from nnfp_kernel.views.style import rules
from nnfp_kernel.views.wiring import NotDrawn, figure, to_html, to_svg, to_text, wiring
from nnfp_kernel.views.wiring.opening import Shown, reachable, shown
from nnfp_kernel.views.wiring.svg import svg

from .modules import css, joined
from .view import View

CSS = css("wiring") + rules("nnfp-view", "wiring")
Of = Literal["value", "derivative", "adjoint"]


class Wiring(View):
    """The wiring diagram of a definition, its wires coloured by representation.

    >>> import nnfp_kernel as nnfp
    >>> session = nnfp.Session()
    >>> _ = session.run("half x = 0.5 * x\\nquarter : R -> R\\nquarter = half >> half")
    >>> diagram = nnfp.widgets.Wiring(session["quarter"])
    >>> diagram.opened = ["1"]
    >>> print(diagram.text)
    quarter : R -> R
      a : R ──[ half ]── R ──[ half ]── b : R

    `of` "derivative" or "adjoint" draws those below it, box by box. A box that uses a
    definition opens into that definition, and closes: `opened` are the keys of those that are
    open, "0.2" the third use inside of the first. `unroll` and `on` are as for `%nnfp graph`.
    A definition of the session that is no function is drawn by the program and its name.

    Raises NotDrawn for what is too large to look at.
    """

    _esm = joined("wiring")
    _css = CSS
    module = "wiring"
    held = ("header", "opened", "options")

    header = traitlets.Dict().tag(sync=True)
    opened = traitlets.List(traitlets.Unicode()).tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        drawn: Function | Program,
        name: str = "",
        of: Of = "value",
        unroll: int | None = None,
        on: DataValue | None = None,
        opened: Collection[str] = (),
    ) -> None:
        self.program = drawn if isinstance(drawn, Program) else required_function(drawn).program
        self.name = drawn.name if isinstance(drawn, Function) else name
        self.of = of
        self.data = wiring(self.program, self.name, of, unroll, on)
        self._states: dict[tuple[str, ...], Shown] = {}
        self._draw(())
        first = self._draw(opened)
        further = [[said, svg(picture, said)] for said, picture in self.data.pictures[1:]]
        header = {"name": self.name, "type": self.data.type, "further": further}
        super().__init__(header=header, opened=list(first.opened), numbers=self._packed())
        self.observe(lambda change: self.unfold(change["new"]), "opened")

    def _draw(self, opened: Collection[str]) -> Shown:
        key = tuple(opened)
        if key not in self._states:
            state, _ = shown(self.program, self.name, self.of, key)
            self._states[key] = self._states[state.opened] = state
        return self._states[key]

    def _packed(self, states: Collection[Shown] = ()) -> bytes:
        """The states as JSON; a page has more of them."""
        every = {state.opened: state for state in (*states, *self._states.values())}
        told = [
            {"opened": list(one.opened), "svg": one.svg, "keys": list(one.keys), "size": one.size}
            for one in every.values()
        ]
        return json.dumps(told, separators=(",", ":")).encode()

    def _asked(self, widget: object, said: object, buffers: object) -> None:
        if isinstance(said, dict) and "open" in said:
            self.unfold(said["open"])
        else:
            super()._asked(widget, said, buffers)

    def unfold(self, keys: Collection[str]) -> None:
        """Show the diagram with the boxes of these keys open; what is then too large to look at
        is said below it, and nothing else changes."""
        try:
            state = self._draw(keys)
        except NotDrawn as problem:
            self.problem = str(problem)
            return
        with self.hold_sync():
            self.problem = ""
            self.numbers = self._packed()
            self.opened = list(state.opened)

    @property
    def title(self) -> str:
        return self.name

    @property
    def text(self) -> str:
        """As lines: the definition and its type, then its chains of boxes."""
        return to_text(self.data)

    def figure(self) -> Any:
        """The picture for paper, of matplotlib, with the boxes that are open."""
        return figure(wiring(self.program, self.name, self.of, opened=self.opened).pictures[0][1])

    def forms(self) -> dict[str, str]:
        html = to_html(self.data)
        return {"text/plain": self.text, "text/html": html, "image/svg+xml": to_svg(self.data)}

    def html(self) -> str:
        """The page that `save` writes: with the states that boxes can be brought to, as many
        as there is room for."""
        states = list(reachable(self.program, self.name, self.of))
        return self.page(numbers=self._packed(states))

    @property
    def style(self) -> str:
        return CSS

    def advice(self) -> str:
        return "Give names to its parts: what has a name is one box, until it is opened."
