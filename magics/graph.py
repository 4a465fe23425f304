"""`%nnfp graph NAME`: the wiring diagram; `--dag`: the traced graph, as text."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError

from . import over_data, present
from .verb import Arguments, Verb, View
from .weights import definition
from .workspace import Workspace

USAGE = (
    "%nnfp graph NAME [--unroll N] [--on VALUE] [--derivative | --adjoint] [--dag] [--save FILE]"
)
MOST = 32  # positions
ARGUMENTS = Arguments("graph", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("--dag", action="store_true")
ARGUMENTS.add_argument("--unroll", type=int)
ARGUMENTS.add_argument("--on")
ARGUMENTS.add_argument("--save")
ARGUMENTS.add_argument("--derivative", action="store_true")
ARGUMENTS.add_argument("--adjoint", action="store_true")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    name = definition(workspace, given.name, VERB)
    workspace.session.defined(name)
    if given.unroll is not None and not 1 <= given.unroll <= MOST:
        raise UsageError(f"--unroll {given.unroll}: from 1 to {MOST} positions can be drawn")
    of = "adjoint" if given.adjoint else "derivative" if given.derivative else "value"
    if given.dag:
        from nnfp_kernel.views.dag import graph_text

        return present.listing(graph_text(present.function(workspace.session, name).graph(of=of)))
    from nnfp_kernel.views.wiring import NotDrawn, to_html, to_svg, to_text, wiring

    on = None if given.on is None else _tree(workspace, given.on)
    try:
        program = workspace.session.program
        if given.save or workspace.host.widgets:
            from nnfp_kernel.widgets.wiring import Wiring

            made = Wiring(program, name, of, given.unroll, on)
            return over_data.widget(made, made.data, given.save)
        shown = wiring(program, name, of, given.unroll, on)
    except NotDrawn as problem:
        asked = f"--on {given.on}: " if given.on else ""
        raise UsageError(f"{asked}{problem}") from None
    return View(to_text(shown), to_html(shown), shown, svg=to_svg(shown))


def _tree(workspace: Workspace, text: str) -> Any:
    """A value of a `data` type: by a name of the program or of Python, or written down."""
    from nnfp_kernel.runtime.data import DataValue

    asked = f"--on {text}"
    value = over_data.value(workspace, text, asked)
    if not isinstance(value, DataValue):
        raise UsageError(f"{asked}: a tree is wanted, a value of a `data` type")
    return value


VERB = Verb(
    "graph",
    USAGE,
    "the wiring diagram of a definition, or the graph it is traced to",
    (
        "%%nnfp\nlayer : R[2] ~> R[3]\nlayer x = tanh (?W @ x + ?b)",
        "%nnfp graph layer",
        "%nnfp graph layer --adjoint",
        "%nnfp graph layer --dag",
    ),
    run,
    "Colours are representations, a ring is a set of weights, a dotted tie says that they\n"
    "are the same, a double line is a sequence. --unroll draws loops and maps over so many\n"
    "positions, --on VALUE a cata over that tree. --derivative shows each box above its own\n"
    "derivative, --adjoint the adjoint below that, from right to left. --dag shows the traced\n"
    "graph (with the others, that of the derivative), a node a line: its inputs first,\n"
    "arguments, then weights by path; a map or a loop has its body below it.\n"
    "In a notebook it is a widget: a box with a strong edge is a definition, and opens into it\n"
    "by a click or Enter; Escape closes all. Under the pointer a wire says its type and where it\n"
    "is written. --save FILE writes a page of HTML that shows the same without a kernel.",
    arguments=ARGUMENTS,
)
