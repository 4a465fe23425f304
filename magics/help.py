"""`%nnfp help [VERB or NAME]`: what there is, with an example that runs."""

from __future__ import annotations

import difflib

from IPython.core.error import UsageError

from . import inspection
from .present import plain
from .verb import NAMES, Verb, View, find
from .workspace import Workspace


def run(workspace: Workspace, text: str) -> View:
    words = text.split()
    if not words:
        return plain(overview())
    if len(words) > 1:
        raise UsageError(f"One name at a time.\nUsage: {VERB.usage}")
    if words[0] in NAMES:
        return plain(of_verb(find(words[0])))
    return of_name(workspace, words[0])


def overview() -> str:
    """All verbs, a line each."""
    verbs = [find(name) for name in NAMES]
    width = max(len(verb.name) for verb in verbs)
    lines = [f"  %nnfp {verb.name.ljust(width)}  {verb.summary}" for verb in verbs]
    return "\n".join(
        [
            "%%nnfp [-i NAME,…] [-o NAME,…] [-q]   the rest of the cell is a program",
            "",
            *lines,
            "",
            "%nnfp help NAME says more about a verb, or about a name of the language.",
        ]
    )


def of_verb(verb: Verb) -> str:
    """How a verb is used, and an example."""
    parts = [verb.usage, f"{verb.summary[:1].upper()}{verb.summary[1:]}."]
    if verb.details:
        parts.append(verb.details)
    example = "\n\n".join(verb.example)
    parts.append("Example, cell by cell:\n\n" + inspection.indented(example))
    return "\n\n".join(parts)


def of_name(workspace: Workspace, name: str) -> View:
    """What a name of the language or of the session is."""
    from nnfp_kernel.primitives.table import BUILTINS
    from nnfp_kernel.session.inspection import find as known_of

    session = workspace.session
    found = known_of(session, name)
    if found is not None:
        return inspection.view(found, tuple(session.program.reps), whole=True)
    known = [*NAMES, *BUILTINS, *session.program.definitions]
    near = difflib.get_close_matches(name, known, 1)
    hint = f" Do you mean {near[0]}?" if near else ""
    raise UsageError(f"There is no verb, no definition and no built-in name {name}.{hint}")


VERB = Verb(
    "help",
    "%nnfp help [VERB or NAME]",
    "what there is; of a verb, its flags and an example; of a name, its type and meaning",
    ("%nnfp help", "%nnfp help train", "%nnfp help fold"),
    run,
)
