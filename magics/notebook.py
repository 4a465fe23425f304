"""The magics in IPython: `%%nnfp`, `%nnfp`, and how outputs are shown there."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.display import display

from nnfp_kernel.runtime.machine.interrupts import heard

from .completion import complete, told
from .settings import Nnfp
from .terminal import Printed
from .verb import CELL, View
from .workspace import Live, Workspace

if TYPE_CHECKING:
    from nnfp_kernel.widgets.training import Training


class NotebookHost:
    """Shows outputs as IPython does: HTML in a notebook, text in a terminal."""

    def __init__(self, shell: Any, settings: Nnfp) -> None:
        self._shell = shell
        self._settings = settings

    @property
    def widgets(self) -> bool:
        # A notebook that is executed has nobody to press a button, or to ask.
        kernel = getattr(self._shell, "kernel", None)
        return bool(kernel and kernel.get_parent().get("content", {}).get("allow_stdin"))

    def show(self, view: View) -> None:
        display(view)

    def live(self) -> Live:
        if getattr(self._shell, "kernel", None) is None:
            return Printed(sys.stdout)
        return Replaced(self._settings.updates, button=self.widgets)


SHORT = 0.5  # seconds: what is over by then needs no button


class Replaced:
    """One output of a notebook, replaced so often a second at most.

    It is HTML at first. Where the front end answers while the cell runs it becomes a
    widget, with a button to stop; in the end it is HTML again, which needs no kernel.
    """

    def __init__(self, rate: float, button: bool = False) -> None:
        self._rate = rate
        self._button = button
        self._handle: Any = None
        self._view: Callable[[], View] | None = None
        self._widget: Training | None = None
        self._shown = False  # whether the output is the widget
        self._told = 0.0
        self._begun = time.monotonic()

    def update(self, view: Callable[[], View], *, last: bool = False) -> None:
        """Show a view, unless the one before is too fresh; KeyboardInterrupt if the button
        was pressed."""
        self._view = view
        if last:
            self._as_html()
            return
        if self._widget is not None and self._widget.stopped():
            raise KeyboardInterrupt
        now = time.monotonic()
        if now - self._told < 1 / self._rate:
            return
        self._told = now
        if self._widget is None or not self._widget.answers:
            self._as_html()
            if self._button and self._widget is None and now - self._begun > SHORT:
                from nnfp_kernel.widgets.training import Training

                self._widget = Training()
            return
        shown = view()
        self._widget.picture = shown.html
        if not self._shown:
            self._shown = True
            widget, _ = self._widget._repr_mimebundle_()
            self._handle.update({**widget, **shown._repr_mimebundle_()}, raw=True)

    def close(self) -> None:
        """Leave HTML in the widget's place."""
        if self._shown:
            self._as_html()
        if self._widget is not None:
            self._widget.close()

    def _as_html(self) -> None:
        self._shown = False
        assert self._view is not None
        if self._handle is None:
            self._handle = display(self._view(), display_id=True)
        else:
            self._handle.update(self._view())


@magics_class
class NnfpMagics(Magics):
    """The magics of one shell, and its session."""

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.settings = Nnfp(parent=shell)
        self.workspace = Workspace(
            NotebookHost(shell, self.settings), shell.user_ns, settings=self.settings
        )

    @context_matcher(identifier="nnfp")
    def matcher(self, context: CompletionContext) -> SimpleMatcherResult:
        """What fits in a `%%nnfp` cell and on a `%nnfp` line, for IPython's completer."""
        lines = context.full_text.split("\n")
        if not (lines[0].startswith("%%nnfp") or lines[context.cursor_line].startswith("%nnfp")):
            return SimpleMatcherResult(completions=[])
        before = sum(len(line) + 1 for line in lines[: context.cursor_line])
        position = before + context.cursor_position
        found = complete(self.workspace, context.full_text, position)
        return SimpleMatcherResult(
            completions=[SimpleCompletion(each.text, type=told(each)) for each in found.items],
            matched_fragment=context.full_text[found.start : position],
            suppress=True,
            ordered=True,
        )

    @no_var_expand
    @line_cell_magic
    def nnfp(self, line: str, cell: str | None = None) -> View | None:
        """Run an nnfp program, or ask about one.

        In a cell:  %%nnfp [-i NAME,…] [-o NAME,…] [-q]
            the rest of the cell is a program
            -i  brings Python's arrays, numbers and JAX functions in by their names
            -o  puts values and functions out as Python names
            -q  shows nothing; nor does a cell that ends in `;`

        On a line:  %nnfp VERB …
            type, derivative, graph, bend, unroll, film, hands, regions, strip, weights, train,
            time, save, load, list, devices, reset, help; `%nnfp help VERB` says more

        Settings: %config Nnfp
        """
        if cell is None:
            # Shown, not returned: IPython shows only what the last line of a cell returns.
            with heard():
                view = self.workspace.line(line)
            if view is not None:
                self.workspace.host.show(view)
            return None
        # The first line of the cell is `%%nnfp`: count lines as the editor does.
        return self.cell(line, "\n" + cell)

    def cell(self, line: str, program: str) -> View | None:
        """Run a program with the flags of a `%%nnfp` line."""
        from nnfp_kernel.language.layout import silenced

        given = CELL.read(line)
        program, quiet = silenced(program)
        python = self.shell.user_ns
        with heard(), self.workspace.session.all_or_nothing():
            for name in _names(given.input):
                if name not in python:
                    raise UsageError(f"-i {name}: Python has no {name}")
                try:
                    self.workspace.session.bind(name, python[name])
                except ValueError as problem:
                    raise UsageError(f"-i {problem}") from None
            view = self.workspace.run(program, f"cell {self.shell.displayhook.prompt_count}")
            session = self.workspace.session  # a new one, if the program has reset it
            for name in _names(given.output):
                if name not in session.names:
                    raise UsageError(f"-o {name}: the session defines no {name}")
            python.update({name: session[name] for name in _names(given.output)})
        return None if given.quiet or quiet else view


def _names(given: list[str]) -> list[str]:
    return [name for text in given for name in text.replace(",", " ").split()]
