"""`%nnfp type EXPR`: the inferred type."""

from __future__ import annotations

from IPython.core.error import UsageError

from .present import code
from .verb import Verb, View
from .workspace import Workspace


def run(workspace: Workspace, text: str) -> View:
    if not text:
        raise UsageError(f"Of which expression?\nUsage: {VERB.usage}")
    session = workspace.session
    inferred = session.type(text)
    return code(f"{text} : {inferred}", session, inferred)


VERB = Verb(
    "type",
    "%nnfp type EXPR",
    "the inferred type of an expression",
    (
        "%%nnfp\nencode = dense[4] >> tanh",
        r"%nnfp type encode >> sum",
        r"%nnfp type \x -> x @ x",
    ),
    run,
)
