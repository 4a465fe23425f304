"""IPython's kernel with one change: a cell's text is translated before it runs.

Everything else is IPython's own and works as in a Python notebook: `Out`, history,
widgets, top-level `await` in a `%%python` cell, tracebacks of Python, interrupt.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import Type

from nnfp_kernel import __version__, load_ipython_extension

PYTHON_CELLS = ("%%python", "%%py")


def translate(cell: str) -> str:
    """The Python that a cell of this kernel stands for.

    >>> translate("%%python\\nprint(1)")
    'print(1)'
    >>> translate("f x = 2 * x")
    "get_ipython().run_program('f x = 2 * x')"
    >>> print(translate("%time\\nf x = x"))
    %time
    get_ipython().run_program('\\nf x = x')

    Lines at the start of a cell that begin with `%`, `!` or `?` are IPython's; so is a
    cell of another cell magic. The rest is a program, its lines counted from the cell's
    first. They are taken out before comments are read, because of `--epochs`.
    """
    first, _, rest = cell.lstrip("\n").partition("\n")
    if first.split(" ")[0].rstrip() in PYTHON_CELLS:
        return rest
    if first.startswith("%%"):
        return cell
    lines = cell.split("\n")
    count = 0
    while count < len(lines) and (not lines[count].strip() or lines[count][0] in "%!?"):
        count += 1
    program = "\n".join(lines[count:])
    before = "\n".join(lines[:count])
    if not program.strip():
        return before
    run = f"get_ipython().run_program({chr(10) * count + program!r})"
    return f"{before}\n{run}" if before.strip() else run


class NnfpShell(ZMQInteractiveShell):
    """A shell whose cells are programs."""

    def transform_cell(self, raw_cell: str) -> str:
        # A cell comes here more than once; what was translated is Python by then.
        if raw_cell.lstrip().startswith("get_ipython().run_program("):
            return str(super().transform_cell(raw_cell))
        return str(super().transform_cell(translate(raw_cell)))

    def run_program(self, program: str) -> Any:
        """Run a program in the session that the magics share."""
        return self.magics_manager.registry["NnfpMagics"].cell("", program)


class NnfpKernel(IPythonKernel):
    """The kernel."""

    shell_class = Type(NnfpShell)
    implementation = "nnfp"
    implementation_version = __version__
    banner = f"nnfp {__version__}: neural networks as functional programs"
    language_info: ClassVar[dict[str, Any]] = {
        "name": "nnfp",
        "version": __version__,
        "mimetype": "text/x-nnfp",
        "file_extension": ".nnfp",
        "pygments_lexer": "haskell",
        "codemirror_mode": "haskell",
    }

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        load_ipython_extension(self.shell)
