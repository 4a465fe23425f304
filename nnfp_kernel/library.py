"""The standard library, inferred once: what every session starts from.

Inferring it takes longer than all else that a first program needs, so what comes out is kept
on disk, with the tables of the parser, for the processes after. It is kept as JSON in a folder
that is the user's alone, and is read only where nothing that it was made from has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import lark

from .language import infer as inference
from .language import parser
from .language.collector import paused
from .language.diagnostics import NnfpError
from .language.kept_form import as_data, from_data
from .primitives import BUILTINS
from .runtime.machine import persistent
from .std import sources

_HERE = Path(__file__).parent
_MADE_FROM = ("language", "primitives", "std")


@cache
def library() -> inference.Checked:
    """All of `std`, checked. A mistake in it is ours and raises AssertionError."""
    file, key = _file(), _key()
    found = read(file, key) if file is not None else None
    if found is None:
        found = inferred()
        if file is not None:
            write(file, key, found)
    return found


def inferred() -> inference.Checked:
    """The library, from its sources."""
    programs = []
    for source in sources():
        parsed = parser.parse(source)
        assert not parsed.diagnostics, NnfpError(parsed.diagnostics).render()
        programs.append(parsed.program)
    checked = inference.infer(programs, BUILTINS)
    mistakes = [*checked.diagnostics, *checked.broken.values()]
    assert not mistakes, NnfpError(mistakes).render()
    return checked


# --- what is kept ---------------------------------------------------------------------------


def _file() -> Path | None:
    """Where this installation's library is kept; None where nothing is."""
    folder = persistent.private("library")
    if folder is None:
        return None
    where = f"{_HERE} {sys.version}"
    return folder / f"{hashlib.sha256(where.encode()).hexdigest()[:16]}.json"


def _key() -> str:
    """What the library was made from: files by their size and time, as Python does it for
    what it compiles."""
    parts: list[Any] = [sys.version, lark.__version__]
    with contextlib.suppress(OSError):
        for file in sorted(_files()):
            found = file.stat()
            parts.append((str(file), found.st_size, found.st_mtime_ns))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _files() -> Iterator[Path]:
    for name in _MADE_FROM:
        for file in (_HERE / name).iterdir():
            if file.suffix in (".py", ".lark", ".nnfp"):
                yield file


def read(file: Path, key: str) -> inference.Checked | None:
    """What was kept, and the parser begun with its tables; None where there is nothing that
    is whole and of this key."""
    try:
        head, _, content = file.read_text("utf-8").partition("\n")
    except (OSError, ValueError):
        return None
    if head != _head(key, content):
        return None
    with paused():
        kept = json.loads(content)
        parser.begin_with(kept["parser"])
        found: inference.Checked = replace(from_data(kept["library"]), builtins=BUILTINS)
    return found


def write(file: Path, key: str, library: inference.Checked) -> None:
    """Keep it for the next process; not where the disk is full or may not be written to."""
    kept = {"parser": parser.tables(), "library": as_data(replace(library, builtins={}))}
    content = json.dumps(kept, separators=(",", ":"))
    beside = file.with_suffix(f".{os.getpid()}")
    try:
        beside.write_text(f"{_head(key, content)}\n{content}", "utf-8")
        beside.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()


def _head(key: str, content: str) -> str:
    return f"{key} {hashlib.sha256(content.encode()).hexdigest()}"
