"""`%nnfp type EXPR`: the inferred type; `--functor NAME`: what kind of machine a cell is."""

from __future__ import annotations

from IPython.core.error import UsageError

from nnfp_kernel.views.functor import to_html, to_text

from .present import code
from .verb import Verb, View
from .workspace import Workspace


def run(workspace: Workspace, text: str) -> View:
    if not text:
        raise UsageError(f"Of which expression?\nUsage: {VERB.usage}")
    session = workspace.session
    words = text.split()
    if "--functor" in words:
        words.remove("--functor")
        if not words:
            raise UsageError(f"The functor of which name?\nUsage: {VERB.usage}")
        machine = session.functor(" ".join(words))
        return View(to_text(machine), to_html(machine), machine)
    inferred = session.type(text)
    return code(f"{text} : {inferred}", session, inferred)


VERB = Verb(
    "type",
    "%nnfp type EXPR, or %nnfp type --functor NAME",
    "the inferred type of an expression",
    (
        "%%nnfp\nencode = dense[4] >> tanh",
        r"%nnfp type encode >> sum",
        r"%nnfp type \x -> x @ x",
        "%%nnfp\ncell (h, x) = (tanh (h + x), 2 * h)",
        "%nnfp type --functor cell",
    ),
    run,
    "--functor says of which functor a cell is an algebra or a coalgebra, its strength and\n"
    "its square, and runs the square on random values; of a data type, its functor.",
)
