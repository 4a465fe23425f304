"""`%nnfp reset`: new weights for a name, or a new session."""

from __future__ import annotations

from IPython.core.error import UsageError

from .present import plain
from .verb import Arguments, Verb, View
from .workspace import Workspace

USAGE = "%nnfp reset [NAME] [--precision 32|64]"
ARGUMENTS = Arguments("reset", USAGE)
ARGUMENTS.add_argument("name", nargs="?")
ARGUMENTS.add_argument("--precision", type=int, choices=(32, 64))


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    if given.name is None:
        workspace.reset(given.precision)
        return plain(f"A new session, in {workspace.session.precision} bits.")
    if given.precision is not None:
        raise UsageError("The precision is one for the whole session: leave the name out.")
    workspace.session.reset_weights(given.name)
    return plain(f"The weights of {given.name} are new.")


VERB = Verb(
    "reset",
    USAGE,
    "new weights for a definition; without a name, a new session",
    ("%%nnfp\nnet x = ?a * x + ?b", "%nnfp reset net", "%nnfp reset --precision 64"),
    run,
    "Without a name all definitions and weights are forgotten. A session has one\n"
    "precision: 32 bits unless --precision or %config Nnfp.precision says 64.",
    arguments=ARGUMENTS,
)
