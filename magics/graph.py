"""`%nnfp graph NAME`: the traced graph, as text."""

from __future__ import annotations

from . import present
from .verb import Arguments, Verb, View
from .weights import definition
from .workspace import Workspace

USAGE = "%nnfp graph NAME [--derivative | --adjoint]"
ARGUMENTS = Arguments("graph", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("--derivative", action="store_true")
ARGUMENTS.add_argument("--adjoint", action="store_true")


def run(workspace: Workspace, text: str) -> View:
    from nnfp_kernel.views.dag import graph_text

    given = ARGUMENTS.read(text)
    function = present.function(workspace.session, definition(workspace, given.name, VERB))
    of = "adjoint" if given.adjoint else "derivative" if given.derivative else "value"
    graph = function.graph(of=of)
    return present.listing(graph_text(graph))


VERB = Verb(
    "graph",
    USAGE,
    "the graph a definition is traced to, a node a line",
    (
        "%%nnfp\nlayer : R[2] ~> R[3]\nlayer x = tanh (?W @ x + ?b)",
        "%nnfp graph layer",
        "%nnfp graph layer --adjoint",
    ),
    run,
    "The first lines are its inputs: arguments, then weights by path. A map or a loop has\n"
    "its body below it. --derivative and --adjoint show those graphs instead.",
)
