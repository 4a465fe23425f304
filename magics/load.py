"""`%nnfp load NAME FILE`: the weights that a definition reaches, from a safetensors file."""

from __future__ import annotations

from .present import stored
from .verb import Arguments, Verb, View
from .workspace import Workspace

USAGE = "%nnfp load NAME FILE"
ARGUMENTS = Arguments("load", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("file")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    workspace.session.load(given.name, given.file)
    return stored(workspace.session, given.name, f"loaded from {given.file}")


VERB = Verb(
    "load",
    USAGE,
    "sets the weights of a definition to those of a file",
    (
        "%%nnfp\nnet : R[3] ~> R[2]\nnet = dense[2]",
        "%nnfp save net net.safetensors",
        "%nnfp load net net.safetensors",
    ),
    run,
    "FILE is one that %nnfp save wrote. It must hold every weight that NAME reaches, in\n"
    "its shape; if it does not, the weights stay as they are. What else is in the file\n"
    "is not looked at.",
    arguments=ARGUMENTS,
)
