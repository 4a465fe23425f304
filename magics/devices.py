"""`%nnfp devices`: what JAX computes on."""

from __future__ import annotations

from nnfp_kernel.views.table import Grid

from . import present
from .verb import Arguments, Verb, View
from .workspace import Workspace


def run(workspace: Workspace, text: str) -> View:
    from nnfp_kernel.runtime.devices import described

    Arguments("devices", VERB.usage).read(text)
    rows = [
        (str(each.number), each.platform, each.name, _memory(each.used), _memory(each.memory))
        for each in described()
    ]
    columns = ("device", "kind", "name", "in use", "memory")
    return present.grid(Grid(columns, tuple(rows), (3, 4), _notes()))


def _notes() -> tuple[str, ...]:
    """Where what is compiled for them is kept."""
    from nnfp_kernel.runtime.persistent import kept

    found = kept()
    if found is None:
        return ()
    size = f"{found.bytes / 2**20:,.1f} of {found.most >> 20:,} MiB"
    return (f"What is compiled is kept in {found.folder}: {size}.",)


def _memory(count: int | None) -> str:
    return "" if count is None else f"{count / 2**30:,.1f} GiB"


VERB = Verb(
    "devices",
    "%nnfp devices",
    "the devices that JAX finds, and their memory where they tell it",
    ("%nnfp devices",),
    run,
    "The first is the one that cells are run on. Training is shared out among several with\n"
    "%nnfp train … --devices N. What is compiled for them is kept on disk, for the next\n"
    "process: %config Nnfp.cache names the folder, or says 'off'.",
)
