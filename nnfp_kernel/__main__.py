"""`nnfp run FILE`, `nnfp check FILE`, `nnfp train FILE NAME …`, `nnfp install`: nnfp outside a
notebook."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import NnfpError, __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script `nnfp`; the number is the exit status."""
    parser = _parser()
    given, rest = parser.parse_known_args(arguments)
    if rest and given.run is not _train:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    given.rest = rest
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

    train = verbs.add_parser(
        "train",
        help="train a definition of a program and write its weights",
        usage="nnfp train FILE NAME --data X,y [--from FILE]… [--save FILE] [--precision 32|64]\n"
        "    [--coordinator HOST:PORT --processes N --process-id I] [the flags of %%nnfp train]",
        add_help=False, allow_abbrev=False,
    )  # fmt: skip
    train.add_argument("-h", "--help", action=_Help, nargs=0, help="this, and those flags")
    train.add_argument("file", type=Path, metavar="FILE", help="the program")
    train.add_argument(
        "--from", dest="bring", action="append", default=[], metavar="FILE",
        help=".npz, .npy or .py, whose names --data, --valid and --optimizer may use",
    )  # fmt: skip
    train.add_argument("--save", type=Path, help="where the weights go (FILE.safetensors)")
    train.add_argument("--precision", type=int, choices=(32, 64), default=32)
    train.add_argument("--coordinator", metavar="HOST:PORT", help="where process 0 listens")
    train.add_argument("--processes", type=int, help="how many train together")
    train.add_argument("--process-id", type=int, help="which of them this is, from 0")
    train.set_defaults(run=_train)

    install = verbs.add_parser("install", help="tell Jupyter of the kernel nnfp")
    place = install.add_mutually_exclusive_group()
    place.add_argument("--user", action="store_true", help="for this user (the default)")
    place.add_argument("--sys-prefix", action="store_true", help="in this environment")
    place.add_argument("--prefix", help="below this folder")
    install.add_argument("--quiet", action="store_true")
    install.set_defaults(run=_install)
    return parser


class _Help(argparse.Action):
    """The help of `nnfp train`, and that of `%nnfp train`, whose flags it takes."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .magics.train import VERB

        parser.print_help()
        print(f"\n{VERB.usage}\n\n{VERB.details}")
        parser.exit()


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


def _train(given: argparse.Namespace) -> int:
    from .magics.train_file import train_file

    several = (given.coordinator, given.processes, given.process_id)
    if None in several and any(each is not None for each in several):
        print("nnfp: --coordinator, --processes and --process-id belong together", file=sys.stderr)
        return 2
    program = _read(given.file)
    return 2 if program is None else train_file(given, given.rest, program)


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
