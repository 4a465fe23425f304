"""`nnfp train FILE NAME --data X,y …`: a training without a notebook, in one process or several.

The program of FILE is run as `nnfp run` runs it, then NAME is trained as `%nnfp train` trains it,
with the same flags, and its weights are written. Names of data are looked up in the program and
in what `--from` brings: the arrays of an .npz or .npy file, or what a Python file defines.

    nnfp train net.nnfp net --from digits.npz --data X,y --loss crossEntropy

Of several processes each is started with the same line but for its number; the first shows how
it goes and writes files, and all of them compute.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError

from nnfp_kernel import NnfpError

from .terminal import TerminalHost
from .train import begin, saved, watch
from .workspace import Workspace

if TYPE_CHECKING:
    from nnfp_kernel.runtime.training.events import Reason

STATUS: Mapping[Reason, int] = {"diverged": 1, "data": 1, "memory": 1, "interrupted": 130}


def train_file(given: argparse.Namespace, words: Sequence[str], program: str) -> int:
    """The exit status of `nnfp train`: 0 where it came to its end, 130 after an interrupt, else
    1. `words` are what `%nnfp train` reads."""
    from nnfp_kernel.runtime.machine import processes

    try:
        if given.coordinator is not None:
            processes.connect(given.coordinator, given.processes, given.process_id)
    except ValueError as problem:
        return _told(problem)
    host = TerminalHost() if processes.first() else _Silent()
    workspace = Workspace(host, folder=given.file.parent)
    place = given.save or given.file.with_suffix(".safetensors")
    failed: Exception | None = None
    try:
        workspace.reset(given.precision)
        workspace.namespace = brought(given.bring)
        view = workspace.run(program, str(given.file))
        if view is not None:
            host.show(view)
        _require_writable(place)
        name, training, course, page = begin(workspace, shlex.join(words))
    except (NnfpError, UsageError) as problem:
        failed = problem
    if processes.anyone(failed is not None):  # or the others would wait for this one
        return _told(failed or ValueError("another process could not begin"))
    try:
        last = watch(host, training, course)
    except (NnfpError, ValueError) as problem:  # too little memory, or processes that differ
        if processes.lost(problem):
            _gone()
        return _told(problem)
    except RuntimeError as problem:
        if processes.lost(problem):
            _gone()
        raise
    if last.reason == "memory" and isinstance(last.error, NnfpError):
        failed = last.error
    if processes.first():
        try:
            workspace.session.save(name, place.absolute())
        except NnfpError as problem:
            failed = problem
        else:
            print(f"The weights of {name} are in {place}.")
        try:
            if (view := saved(course, page)) is not None:
                host.show(view)
        except UsageError as problem:
            failed = failed or problem
    processes.agreed(0)  # the others stay until all is written
    return STATUS.get(last.reason, 0) if failed is None else _told(failed)


def brought(files: Sequence[str]) -> dict[str, Any]:
    """The names that files bring. Raises UsageError for one that brings none."""
    found: dict[str, Any] = {}
    for file in files:
        try:
            found |= _names(Path(file))
        except UsageError:
            raise
        except FileNotFoundError:
            raise UsageError(f"--from {file}: there is no such file") from None
        except Exception as error:  # a file of anybody's, or Python that fails as it likes
            raise UsageError(f"--from {file}: {type(error).__name__}: {error}") from error
    return found


def _names(file: Path) -> dict[str, Any]:
    if file.suffix == ".py":
        import runpy

        defined = runpy.run_path(str(file))
        return {name: value for name, value in defined.items() if not name.startswith("__")}
    if file.suffix not in (".npy", ".npz"):
        raise UsageError(f"--from {file}: data are brought by .npy, .npz and .py files")
    import numpy

    content = numpy.load(file, allow_pickle=False)
    if file.suffix == ".npy":
        return {file.stem: content}
    with content:
        return {name: content[name] for name in content.files}


def _require_writable(place: Path) -> None:
    """Better told before a long training than after it."""
    folder = place.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"--save {place}: {folder} is no folder to write to")


def _told(problem: Exception) -> int:
    if isinstance(problem, NnfpError):
        print(problem.render(colour=sys.stderr.isatty()), file=sys.stderr)
    else:
        print(f"nnfp: {problem}", file=sys.stderr)
    return 1


def _gone() -> NoReturn:
    """Another process is gone. JAX would wait for it when this one ends, then abort."""
    _told(
        ValueError(
            "another process is gone. Start all again; where there was a --checkpoint, --resume "
            "goes on from it"
        )
    )
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


class _Silent(TerminalHost):
    """Where another process shows how it goes."""

    def __init__(self) -> None:
        super().__init__(open(os.devnull, "w"))  # noqa: SIM115
