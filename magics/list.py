"""`%nnfp list`: what the session defines."""

from __future__ import annotations

from . import present
from .verb import Arguments, Verb, View
from .workspace import Workspace


def run(workspace: Workspace, text: str) -> View:
    Arguments("list", VERB.usage).read(text)
    return present.definitions(workspace.session)


VERB = Verb(
    "list",
    "%nnfp list",
    "all that the session defines: types, weights, representations",
    ("%%nnfp\nrep Word = R[4]\nread (Word x) = (?W @ x : R[3])", "%nnfp list"),
    run,
)
