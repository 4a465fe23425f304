"""`nnfp run FILE`, `nnfp check FILE`, `nnfp install`: nnfp outside a notebook."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import NnfpError, __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script `nnfp`; the number is the exit status."""
    given = _parser().parse_args(arguments)
    status: int = given.run(given)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("nnfp", description="Neural networks as functional programs.")
    parser.add_argument("--version", action="version", version=f"nnfp {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    run = verbs.add_parser("run", help="run a program and print what a cell would show")
    run.add_argument("file", type=Path)
    run.add_argument("--precision", type=int, choices=(32, 64), default=32)
    run.set_defaults(run=_run)

    check = verbs.add_parser("check", help="check a program without running it")
    check.add_argument("file", type=Path)
    check.set_defaults(run=_check)

    install = verbs.add_parser("install", help="tell Jupyter of the kernel nnfp")
    place = install.add_mutually_exclusive_group()
    place.add_argument("--user", action="store_true", help="for this user (the default)")
    place.add_argument("--sys-prefix", action="store_true", help="in this environment")
    place.add_argument("--prefix", help="below this folder")
    install.add_argument("--quiet", action="store_true")
    install.set_defaults(run=_install)
    return parser


def _read(file: Path) -> str | None:
    """The text of a file; None, and a line on stderr, where there is none."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is no UTF-8 text"
        print(f"nnfp: cannot read {file}: {reason}", file=sys.stderr)
        return None


def _run(given: argparse.Namespace) -> int:
    from IPython.core.error import UsageError

    from .magics.terminal import TerminalHost
    from .magics.workspace import Workspace

    program = _read(given.file)
    if program is None:
        return 2
    host = TerminalHost()
    workspace = Workspace(host, folder=given.file.parent)
    workspace.reset(given.precision)
    try:
        view = workspace.run(program, str(given.file))
    except NnfpError as error:
        print(error.render(colour=sys.stderr.isatty()), file=sys.stderr)
        return 1
    except UsageError as error:
        print(f"nnfp: {error}", file=sys.stderr)
        return 1
    if view is not None:
        host.show(view)
    return 0


def _check(given: argparse.Namespace) -> int:
    from .session import Session

    program = _read(given.file)
    if program is None:
        return 2
    try:
        Session(folder=given.file.parent).check(program, str(given.file))
    except NnfpError as error:
        print(error.render(colour=sys.stdout.isatty()))
        return 1
    print(f"{given.file}: no mistakes found")
    return 0


def _install(given: argparse.Namespace) -> int:
    from .kernel.install import install, install_editor

    prefix = sys.prefix if given.sys_prefix else given.prefix
    try:
        folder = install(user=prefix is None, prefix=prefix)
        install_editor(user=prefix is None, prefix=prefix)
    except OSError as problem:
        print(f"nnfp: cannot write what Jupyter reads: {problem}", file=sys.stderr)
        return 1
    if not given.quiet:
        print(f"The kernel nnfp is known to Jupyter, by {folder}.")
        print("In a Python notebook, use it without a kernel of its own: %load_ext nnfp_kernel")
    return 0


if __name__ == "__main__":
    sys.exit(main())
