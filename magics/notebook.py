"""The magics in IPython: `%%nnfp`, `%nnfp`, and how outputs are shown there."""

from __future__ import annotations

import sys
import time
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.display import display

from .completion import complete, told
from .settings import Nnfp
from .terminal import Printed
from .verb import CELL, View
from .workspace import Live, Workspace


class NotebookHost:
    """Shows outputs as IPython does: HTML in a notebook, text in a terminal."""

    def __init__(self, shell: Any, settings: Nnfp) -> None:
        self._shell = shell
        self._settings = settings

    def show(self, view: View) -> None:
        display(view)

    def live(self) -> Live:
        if hasattr(self._shell, "kernel"):
            return Replaced(self._settings.updates)
        return Printed(sys.stdout)


class Replaced:
    """One output of a notebook, replaced so often a second at most."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._handle: Any = None
        self._told = 0.0

    def update(self, view: View, *, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._told < 1 / self._rate:
            return
        self._told = now
        if self._handle is None:
            self._handle = display(view, display_id=True)
        else:
            self._handle.update(view)


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
            type, derivative, graph, weights, train, time, save, load, list, devices,
            reset, help; `%nnfp help VERB` says more, with an example that runs

        Settings: %config Nnfp
        """
        if cell is None:
            # Shown, not returned: IPython shows only what the last line of a cell returns.
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
        with self.workspace.session.all_or_nothing():
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
