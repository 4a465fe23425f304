"""`%nnfp devices`: what JAX computes on, and where the weights of a training would lie."""

from __future__ import annotations

import math

from IPython.core.error import UsageError

from nnfp_kernel.views.table import Grid

from . import present
from .verb import Arguments, Verb, View
from .workspace import Workspace

USAGE = "%nnfp devices [NAME --devices N or batch=N,AXIS=N [--shard PATTERN=AXIS]…]"
ARGUMENTS = Arguments("devices", USAGE)
ARGUMENTS.add_argument("name", nargs="?")
ARGUMENTS.add_argument("--devices")
ARGUMENTS.add_argument("--shard", action="append", default=[])


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    if given.name is not None:
        return _laid_out(workspace, given.name, given.devices or "1", given.shard)
    if given.devices or given.shard:
        raise UsageError(f"Of what are the weights to be laid out?\nUsage: {USAGE}")
    from nnfp_kernel.runtime.machine.devices import described

    rows = [
        (str(each.number), each.platform, each.name, _memory(each.used), _memory(each.memory))
        for each in described()
    ]
    columns = ("device", "kind", "name", "in use", "memory")
    return present.grid(Grid(columns, tuple(rows), (3, 4), _notes()))


def _memory(count: int | None) -> str:
    return "" if count is None else f"{count / 2**30:,.1f} GiB"


def _notes() -> tuple[str, ...]:
    """Where what is compiled for them is kept."""
    from nnfp_kernel.runtime.machine.persistent import kept

    found = kept()
    if found is None:
        return ()
    size = f"{found.bytes / 2**20:,.1f} of {found.most >> 20:,} MiB"
    return (f"What is compiled is kept in {found.folder}: {size}.",)


def _laid_out(workspace: Workspace, name: str, devices: str, shard: list[str]) -> View:
    """The weights of a definition as a training with these devices lays them out."""
    from nnfp_kernel.runtime.machine.devices import WHOLE, laid_out

    workspace.session.describe(name)  # refuses what is not there, and says why
    weights = workspace.session.function(name).weights
    try:
        axes, found = laid_out(devices, shard, weights)
    except ValueError as problem:
        raise UsageError(f"{str(problem)[:1].upper()}{str(problem)[1:]}") from None
    count = math.prod(axes.values())
    rows = [
        (
            each.name,
            "×".join(map(str, each.shape)) or "1",
            "×".join(map(str, each.part)) or "1",
            ", ".join(axis for axis in each.along if axis != WHOLE) or "whole on every device",
        )
        for each in found
    ]
    total = sum(math.prod(each.shape) for each in found)
    own = sum(math.prod(each.part) for each in found)
    mesh = ", ".join(f"{axis} {size}" for axis, size in axes.items())
    note = f"{count:,} device{'s' * (count > 1)}: {mesh}. Each has {own:,} of {total:,} weights"
    shares = axes.get("batch", 1)
    note += f", and 1 of {shares} shares of every batch." if shares > 1 else "."
    return present.grid(
        Grid(("weight", "shape", "on a device", "split along"), tuple(rows), (), (note,))
    )


VERB = Verb(
    "devices",
    USAGE,
    "the devices that JAX finds, and how weights are laid out over them",
    (
        "%nnfp devices",
        "%%nnfp\nnet : R[3] ~> R[2]\nnet = dense[4] >> tanh >> dense[2]",
        "%nnfp devices net",
    ),
    run,
    "The first is the one that cells are run on. Training is shared out among several with\n"
    "%nnfp train … --devices N, and its weights are split among them with --shard; with the\n"
    "same flags, %nnfp devices NAME shows beforehand what each device would have. What is\n"
    "compiled for them is kept on disk, for the next process: %config Nnfp.cache names the\n"
    "folder, or says 'off'.\n\n"
    "A processor is one device, or as many as JAX_NUM_CPU_DEVICES says before the kernel starts:\n"
    "2, say, and a batch of sequences is learned from on two cores, where one device steps\n"
    "through them on little more than one; or 8, to try a layout.",
    arguments=ARGUMENTS,
)
