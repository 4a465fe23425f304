"""What fits where the cursor stands in a cell: a program, a line `%nnfp …`, or `%%nnfp …`.

Programs are the session's affair; here are the verbs, their flags, and the names of data,
definitions and files that they take.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .verb import CELL, NAMES, Arguments, find

if TYPE_CHECKING:
    from nnfp_kernel.session import Completion, Completions

    from .workspace import Workspace

OTHER_LINES = re.compile(r"^(?!%nnfp\b)[%!?].*$", re.MULTILINE)  # IPython's


def complete(workspace: Workspace, text: str, position: int) -> Completions:
    """What fits at an offset of a cell."""
    start = text.rfind("\n", 0, position) + 1
    line = text[start:position]
    if line.startswith("%nnfp"):
        return _moved(_line(workspace, line), start)
    if line.startswith("%%nnfp") and not text[:start].strip():
        return _moved(_flags(workspace, CELL, line, len("%%nnfp")), start)
    return workspace.session.complete(program_of(text), position)


def told(completion: Completion) -> str:
    """What a list of completions shows beside a word: its type, or else its kind."""
    return completion.type or completion.kind


def program_of(text: str) -> str:
    """A cell with the lines that are no program, `%%nnfp` and IPython's, made blank: every
    offset stays what it was.

    >>> program_of("%%nnfp -q\\nf x = x")
    '         \\nf x = x'
    """
    return OTHER_LINES.sub(lambda match: " " * len(match[0]), text)


def _moved(found: Completions, by: int) -> Completions:
    from nnfp_kernel.session import Completions

    return Completions(found.start + by, found.end + by, found.items)


def _line(workspace: Workspace, line: str) -> Completions:
    """What fits at the end of `%nnfp …`."""
    from nnfp_kernel.session import Completion
    from nnfp_kernel.session.completion import values

    verb = re.match(r"%nnfp\s+([\w-]+)\s", line)
    if verb is None or verb[1] not in NAMES:
        return _of(line, [Completion(name, "verb", find(name).summary) for name in NAMES])
    if verb[1] == "type":
        return _expression(workspace, line, verb.end())
    if verb[1] == "help":
        verbs = [Completion(name, "verb", find(name).summary) for name in NAMES]
        return _of(line, [*verbs, *values(workspace.session)])
    arguments = find(verb[1]).arguments
    if arguments is not None:
        return _flags(workspace, arguments, line, verb.end())
    if verb[1] == "weights":
        return _of(line, _definitions(workspace))
    return _of(line, ())


def _expression(workspace: Workspace, line: str, begin: int) -> Completions:
    """What fits at the end of an expression that starts in the midst of the line."""
    from nnfp_kernel.session import Completion

    if _word(line).startswith("-"):
        return _of(line, [Completion("--functor", "flag")])
    # Read as the body of a definition, so that it is an expression from its start.
    body = "x = "
    found = workspace.session.complete(body + line[begin:], len(body) + len(line) - begin)
    return _moved(found, begin - len(body))


def _flags(workspace: Workspace, arguments: Arguments, line: str, begin: int) -> Completions:
    """What fits at the end of the words after a verb: a flag, or what the last one takes."""
    from nnfp_kernel.session import Completion

    *before, word = re.split(r"\s+", line[begin:].lstrip()) or [""]
    options = {flag: action for action in arguments._actions for flag in action.option_strings}
    if word.startswith("-"):
        flags = [Completion(flag, "flag") for flag in options if flag not in before]
        return _of(line, flags, word)
    asked = options.get(before[-1]) if before else None
    if asked is not None and asked.nargs != 0:
        return _of(line, _values(workspace, asked, word), word.rpartition(",")[2])
    free = [action for action in arguments._actions if not action.option_strings]
    given = sum(1 for _ in _without_flags(before, options))
    if given < len(free):
        action = free[given]
        return _of(line, _values(workspace, action, word), word.rpartition(",")[2])
    return _of(line, [Completion(flag, "flag") for flag in options if flag not in before], word)


def _without_flags(words: list[str], options: dict[str, argparse.Action]) -> Iterator[str]:
    """The words that belong to no flag."""
    taken = False
    for word in words:
        if word in options:
            taken = options[word].nargs != 0
        elif not taken:
            yield word
        else:
            taken = False


def _values(workspace: Workspace, asked: argparse.Action, word: str) -> Iterator[Completion]:
    """What a flag or an operand takes, by what it is called."""
    from nnfp_kernel.session import Completion

    if asked.choices:
        yield from (Completion(str(choice), "choice") for choice in asked.choices)
    elif asked.dest in ("name", "loss", "metric", "output"):
        yield from _definitions(workspace)
    elif asked.dest in ("data", "at", "on", "input"):
        yield from _data(workspace, from_program=asked.dest != "input")
    elif asked.dest == "optimizer":
        from nnfp_kernel.runtime.training.methods import OPTIMIZERS

        yield from (Completion(name, "optimizer") for name in OPTIMIZERS)
    elif asked.dest in ("file", "checkpoint"):
        folder = Path(workspace.folder)
        for path in sorted(folder.glob(f"{_literal(word)}*")):
            name = path.relative_to(folder).as_posix()
            yield Completion(f"{name}/" if path.is_dir() else name, "path")


def _literal(word: str) -> str:
    return re.sub(r"([\[*?])", r"[\1]", word)


def _definitions(workspace: Workspace) -> list[Completion]:
    """The names of the session, then those of its library."""
    from nnfp_kernel.session.completion import values

    return [each for each in values(workspace.session) if each.kind in ("definition", "family")]


def _data(workspace: Workspace, *, from_program: bool) -> Iterator[Completion]:
    """Names of data: constants of the program, values of Python."""
    from nnfp_kernel.session import Completion
    from nnfp_kernel.session.completion import values

    if from_program:
        for each in values(workspace.session):
            if each.text in workspace.session.names and "> " not in each.type:
                yield each
    for name, value in workspace.namespace.items():
        if not name.startswith("_") and not isinstance(value, type) and not _module(value):
            if from_program and callable(value):
                continue
            yield Completion(name, "from Python", type(value).__name__)


def _module(value: object) -> bool:
    return type(value).__name__ == "module"


def _word(line: str) -> str:
    found = re.search(r"\S*\Z", line)
    return found[0] if found else ""


def _of(line: str, found: Iterable[Completion], word: str | None = None) -> Completions:
    """Those that go on with the word at the end of the line."""
    from nnfp_kernel.session import Completions

    word = _word(line) if word is None else word
    fitting = {each.text: each for each in reversed(list(found)) if each.text.startswith(word)}
    return Completions(len(line) - len(word), len(line), tuple(reversed(fitting.values())))
