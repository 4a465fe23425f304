"""`%nnfp derivative NAME`: the derivative, a linear map, as text."""

from __future__ import annotations

from . import present
from .verb import Arguments, Verb, View
from .weights import definition
from .workspace import Workspace

USAGE = "%nnfp derivative NAME [--adjoint] [--structure]"
ARGUMENTS = Arguments("derivative", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("--adjoint", action="store_true")
ARGUMENTS.add_argument("--structure", action="store_true")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    function = present.function(workspace.session, definition(workspace, given.name, VERB))
    if given.structure:
        from nnfp_kernel.views import structure

        return present.grid(structure.table(structure.structure(function), given.name))
    linear = function.derivative()
    inputs = [wire.name for wire in function.graph().inputs if wire.type.differentiable]
    said = f"the derivative of {given.name} in {', '.join(inputs)}"
    if given.adjoint:
        return present.listing(f"-- the adjoint of {said}\n{linear.adjoint()}")
    return present.listing(f"-- {said}\n{linear}")


VERB = Verb(
    "derivative",
    USAGE,
    "the derivative of a definition, a linear map, or its adjoint",
    (
        "%%nnfp\nlayer : R[2] ~> R[3]\nlayer x = tanh (?W @ x + ?b)",
        "%nnfp derivative layer",
        "%nnfp derivative layer --adjoint",
        "%nnfp derivative layer --structure",
    ),
    run,
    "It is linear in the input and in every weight, in the order of the first line; the\n"
    "adjoint goes from a cotangent of the answer to cotangents of those. `--structure` says\n"
    "what the derivative in the input is made of and what each operation on it will cost.",
)
