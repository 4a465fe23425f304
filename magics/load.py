"""`%nnfp load NAME FILE`: the weights that a definition reaches, from a safetensors file."""

from __future__ import annotations

from .present import plain, stored
from .verb import Arguments, Verb, View
from .workspace import Workspace

USAGE = "%nnfp load NAME FILE [--partial]"
ARGUMENTS = Arguments("load", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("file")
ARGUMENTS.add_argument("--partial", action="store_true")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    account = workspace.session.load(given.name, given.file, partial=given.partial)
    if not given.partial:
        whole = stored(workspace.session, given.name, f"loaded from {given.file}")
        return plain("\n".join([whole.text, *account.lines()]))
    fits = ", ".join(account.fits)
    return plain("\n".join([f"{given.name}: {fits} loaded from {given.file}.", *account.lines()]))


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
    "its shape; if it does not, the weights stay as they are, and it is told what does not\n"
    "fit. --partial loads what does, by path and shape, and leaves the rest. It is also told\n"
    "which definitions have changed since the file was written.",
    arguments=ARGUMENTS,
)
