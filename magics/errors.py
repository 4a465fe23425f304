"""A mistake in a notebook: first as HTML, with what does not fit drawn; then the error that
stops the cells after it, in one line.

A front end shows an error's text only. So the message is an output of its own, which has
the whole text too (a terminal, a notebook that is not trusted), and the error's `evalue` is
that text again, for logs. The line is not shown below the HTML, which has said it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.display import display

from .verb import View

if TYPE_CHECKING:
    from nnfp_kernel.language.diagnostics import NnfpError

_LINE = '[data-mime-type="application/vnd.jupyter.stderr"]'
_NEWER = _LINE.replace("stderr", "error")  # as newer front ends call it
_SAID = (
    "<style>.jp-OutputArea-child:has(.nnfp-errors)+"
    f".jp-OutputArea-child:has({_LINE},{_NEWER}){{display:none}}</style>"
)


def register(shell: Any) -> None:
    """Have a notebook's shell show mistakes so; a terminal prints their text."""
    from nnfp_kernel.language.diagnostics import NnfpError

    if hasattr(shell, "kernel") and not shell.custom_exceptions:
        shell.set_custom_exc((NnfpError,), show)


def unregister(shell: Any) -> None:
    from nnfp_kernel.language.diagnostics import NnfpError

    if shell.custom_exceptions == (NnfpError,):
        shell.set_custom_exc((), None)


def show(
    shell: Any, kind: type, error: NnfpError, traceback: Any, tb_offset: int | None = None
) -> list[str]:
    """Show a mistake, and tell the front end that the cell has failed."""
    display(View(error.render(), error.render_html() + _SAID))
    line = [f"{kind.__name__}: {in_a_line(error)}"]
    shell._showtraceback(kind, error, line)
    return line


def in_a_line(error: NnfpError) -> str:
    """What is wrong, and where: of several, the first.

    >>> from nnfp_kernel import NnfpError, Session
    >>> try:
    ...     Session().run("f x = y")
    ... except NnfpError as error:
    ...     print(in_a_line(error))
    there is nothing called `y` (cell 1, line 1, column 7)
    """
    first, others = error.diagnostics[0], len(error.diagnostics) - 1
    place = str(first.primary.span) if first.primary.span.source.text else ""
    more = f", and {others} more" if others else ""
    return first.title + f" ({place})" * bool(place) + more
