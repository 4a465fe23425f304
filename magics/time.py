"""`%nnfp time NAME [X] [--cost] [--memory SIZE]`: what a definition costs, counted or measured."""

from __future__ import annotations

from . import present
from .verb import Arguments, Verb, View, memory_size
from .weights import definition
from .workspace import Workspace

USAGE = "%nnfp time NAME [X,…] [--cost] [--memory SIZE]"
ARGUMENTS = Arguments("time", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("data", nargs="?", default="")
ARGUMENTS.add_argument("--cost", action="store_true")
ARGUMENTS.add_argument("--memory")


def run(workspace: Workspace, text: str) -> View:
    from nnfp_kernel.views.cost import loops, places, times, totals

    given = ARGUMENTS.read(text)
    session = workspace.session
    function = present.function(session, definition(workspace, given.name, VERB))
    if given.memory:
        function = function.within(memory_size("--memory", given.memory))
    names = given.data.replace(",", " ").split()
    inputs = [workspace.data(name, f"{given.name} {name}") for name in names]
    cost = function.cost(*inputs)
    spans = {name: one.span for name, one in session.program.definitions.items()}
    if given.cost:
        shown = [totals(given.name, cost), places(cost, spans)]
    else:
        shown = [times(given.name, function.time(*inputs), cost)]
    decided = loops(cost, spans)
    return present.grids(*shown, *([decided] if decided else []))


VERB = Verb(
    "time",
    USAGE,
    "compile and run time, forward and gradient, operations and bytes",
    (
        "%%nnfp\nlayer : R[64] ~> R[32]\nlayer x = tanh (?W @ x + ?b)",
        "%nnfp time layer --cost",
        "%nnfp time layer",
        "import numpy\nx = numpy.ones(64)",
        "%nnfp time layer x",
    ),
    run,
    """\
X are inputs, names looked up in the program, then in Python; without them numbers are
made up, in the sizes of the type, or small ones where it leaves them open.

--cost         count operations and bytes of the value and of its adjoint, in all and by
               expression; nothing is compiled or run
--memory SIZE  as if the device had no more than that: 2GB, 500MB

For every loop it is told what was decided: whether the adjoint keeps what it needs of each
step, or has it made again in segments; which products of matrices are made for all steps
at once; whether the state travels as one array. With the bytes either way, and why.

The adjoint alone is counted; measured is the value with its gradient in all inputs and
weights, in one executable.""",
    arguments=ARGUMENTS,
)
