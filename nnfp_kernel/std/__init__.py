"""The library, written in the language: `*.nnfp` beside this file, in scope everywhere.

A file may use definitions of the files before it in `FILES`.
"""

from __future__ import annotations

from importlib import resources

from ..language.source import Source

FILES = (
    "prelude",
    "optimisation",
    "losses",
    "layers",
    "recurrent",
    "attention",
    "decoding",
    "trees",
)


def source(name: str) -> Source:
    """The text of one library file; `import std.recurrent` names it the same way.

    >>> source("layers").name
    'std/layers.nnfp'

    Raises KeyError where there is no such file.
    """
    if name not in FILES:
        raise KeyError(name)
    text = resources.files(__name__).joinpath(f"{name}.nnfp").read_text("utf-8")
    return Source(text, f"std/{name}.nnfp")


def sources() -> tuple[Source, ...]:
    """All library files, each after those it uses."""
    return tuple(map(source, FILES))
