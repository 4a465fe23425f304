"""`%nnfp derivative NAME`: a derivative as a program, as linear maps, as mathematics."""

from __future__ import annotations

from . import present
from .verb import Arguments, Verb, View
from .weights import definition
from .workspace import Workspace

USAGE = "%nnfp derivative NAME [--adjoint] [--at X] [--steps | --structure]"
ARGUMENTS = Arguments("derivative", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("--adjoint", action="store_true")
ARGUMENTS.add_argument("--at", metavar="X")
ARGUMENTS.add_argument("--steps", action="store_true")
ARGUMENTS.add_argument("--structure", action="store_true")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    session = workspace.session
    function = present.function(session, definition(workspace, given.name, VERB))
    if given.structure:
        from nnfp_kernel.views import structure

        return present.grid(structure.table(structure.structure(function), given.name))
    from nnfp_kernel.views import derivative as view

    inputs = (workspace.data(given.at, "--at"),) if given.at else ()
    found = view.read(function, tuple(session.program.reps), inputs)
    if given.steps:
        text = view.steps_to_text(found, given.adjoint)
        return View(text, view.steps_to_html(found, given.adjoint), found)
    return View(
        view.to_text(found, given.adjoint),
        view.to_html(found, given.adjoint),
        found,
        view.to_latex_display(found, given.adjoint),
    )


VERB = Verb(
    "derivative",
    USAGE,
    "the derivative of a definition, as a program, as linear maps and as mathematics",
    (
        "%%nnfp\nlayer : R[2] ~> R[3]\nlayer x = tanh (?W @ x + ?b)",
        "%nnfp derivative layer",
        "%nnfp derivative layer --adjoint",
        "%nnfp derivative layer --steps",
        "%nnfp derivative layer --structure",
    ),
    run,
    "The program and the linear maps hold the weights constant; the mathematics has the\n"
    "cotangents of the weights, too, and a line of its own for what is used by name.\n"
    "`--adjoint` is the adjoint alone, from a cotangent of the answer to those of the inputs;\n"
    "`--at X`, a name of data, adds the value there and settles sizes that are open;\n"
    "`--steps` applies the laws one after the other, each by its name; `--structure` says\n"
    "what the derivative in the input is made of and what each operation on it will cost.",
    arguments=ARGUMENTS,
)
