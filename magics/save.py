"""`%nnfp save NAME FILE`: the weights that a definition reaches, to a safetensors file."""

from __future__ import annotations

from .present import stored
from .verb import Arguments, Verb, View
from .workspace import Workspace

USAGE = "%nnfp save NAME FILE"
ARGUMENTS = Arguments("save", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("file")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    workspace.session.save(given.name, given.file)
    return stored(workspace.session, given.name, f"saved to {given.file}")


VERB = Verb(
    "save",
    USAGE,
    "writes the weights of a definition to a file",
    ("%%nnfp\nnet : R[3] ~> R[2]\nnet = dense[2]", "%nnfp save net net.safetensors"),
    run,
    "All weights that NAME reaches, as safetensors: an array for each path, which other\n"
    "programs can read too. %nnfp load NAME FILE takes them back.",
    arguments=ARGUMENTS,
)
