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
    return present.grid(Grid(("device", "kind", "name", "in use", "memory"), tuple(rows), (3, 4)))


def _memory(count: int | None) -> str:
    return "" if count is None else f"{count / 2**30:,.1f} GiB"


VERB = Verb(
    "devices",
    "%nnfp devices",
    "the devices that JAX finds, and their memory where they tell it",
    ("%nnfp devices",),
    run,
    "The first is the one that cells are run on. Training is shared out among several with\n"
    "%nnfp train … --devices N.",
)
