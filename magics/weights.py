"""`%nnfp weights NAME`: the weights a definition reaches, and who shares them."""

from __future__ import annotations

from IPython.core.error import UsageError

from . import present
from .verb import Verb, View
from .workspace import Workspace


def run(workspace: Workspace, text: str) -> View:
    name = definition(workspace, text, VERB)
    workspace.session.defined(name)
    return present.weights(workspace.session, name)


def definition(workspace: Workspace, text: str, verb: Verb) -> str:
    """The one name in `text`, checked to be there: a definition, or a built-in name."""
    names = text.split()
    if len(names) != 1:
        raise UsageError(f"Of which definition?\nUsage: {verb.usage}")
    workspace.session.describe(names[0])  # refuses what is not there, and says why
    return names[0]


VERB = Verb(
    "weights",
    "%nnfp weights NAME",
    "the weights of a definition: path, size, count, and which uses share them",
    (
        "%%nnfp\ncell (h, x) = tanh (?W @ h + ?U @ x + ?b)\n"
        "encode : R[5,3] ~> R[4]\nencode = fold cell zero",
        "%nnfp weights encode",
    ),
    run,
)
