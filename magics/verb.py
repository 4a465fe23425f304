"""What a verb is: a name, how it is asked for, an example that runs, and what it does.

    VERB = Verb("type", "%nnfp type EXPR", "the inferred type", EXAMPLE, run)

`run(workspace, text)` gets the text after the verb and gives a `View`, or None when it
has shown everything itself. A wrong use is a `UsageError`, which fails the cell.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError

if TYPE_CHECKING:
    from .workspace import Workspace

# In the order of the help. Each stands in a module of its name.
NAMES = (
    "type",
    "derivative",
    "graph",
    "bend",
    "hands",
    "unroll",
    "film",
    "regions",
    "strip",
    "weights",
    "train",
    "time",
    "save",
    "load",
    "list",
    "devices",
    "reset",
    "help",
)


@dataclass(frozen=True, eq=False)
class View:
    """Something to see: its text, HTML, LaTeX and SVG, and the Python value behind it.

    Where there is a `widget`, front ends that run widgets show it in their place.
    """

    text: str
    html: str = ""
    value: Any = field(default=None, repr=False)
    latex: str = ""
    svg: str = field(default="", repr=False)
    widget: Any = field(default=None, repr=False)

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if self.widget is not None:
            return self.widget._repr_mimebundle_()
        forms = {"text/html": self.html, "text/latex": self.latex, "image/svg+xml": self.svg}
        return {"text/plain": self.text} | {kind: form for kind, form in forms.items() if form}


@dataclass(frozen=True)
class Verb:
    """`example` is a list of cells, as a person would run them one after the other;
    `arguments` are its flags, where it has any."""

    name: str
    usage: str
    summary: str
    example: tuple[str, ...]
    run: Callable[[Workspace, str], View | None]
    details: str = ""
    arguments: Arguments | None = None


def find(name: str) -> Verb:
    """The verb of a name."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1)
        hint = f"Do you mean %nnfp {near[0]}?" if near else f"There are: {', '.join(NAMES)}."
        raise UsageError(f"%nnfp has no verb {name!r}. {hint}")
    verb: Verb = import_module(f".{name}", __package__).VERB
    return verb


class Arguments(argparse.ArgumentParser):
    """Flags of a verb; a wrong one is a UsageError that says what would be right."""

    def __init__(self, verb: str, usage: str) -> None:
        super().__init__(verb, usage=usage, add_help=False, allow_abbrev=False)

    def read(self, text: str) -> argparse.Namespace:
        """The flags in a line of text, quoted as in a shell; names may be listed `X, y`."""
        try:
            words = shlex.split(re.sub(r"\s*,\s*", ",", text))
        except ValueError:
            raise UsageError("a quotation mark is not closed") from None
        given, extra = self.parse_known_args(words)
        if extra:
            self.error(self._unknown(extra[0]))
        return given

    def _unknown(self, word: str) -> str:
        flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
        flag = word.partition("=")[0]
        near = difflib.get_close_matches(flag, flags, 1)
        if word.startswith("-"):
            return f"there is no {flag}." + (f" Do you mean {near[0]}?" if near else "")
        return f"{word!r} is one word too many."

    def error(self, message: str) -> NoReturn:
        said = message[:1].upper() + message[1:]
        raise UsageError(f"{said}\nUsage: {self.usage}")


CELL = Arguments("%%nnfp", "%%nnfp [-i NAME,…] [-o NAME,…] [-q]")
CELL.add_argument("-i", "--input", action="append", default=[])
CELL.add_argument("-o", "--output", action="append", default=[])
CELL.add_argument("-q", "--quiet", action="store_true")


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?", re.IGNORECASE)


def memory_size(flag: str, text: str) -> int:
    """Bytes as a person writes them.

    >>> memory_size("--memory", "2GB"), memory_size("--memory", "1.5 MiB")
    (2000000000, 1572864)
    """
    found = _SIZE.fullmatch(text.strip())
    size = 0
    if found is not None:
        power = " kmgt".index(found[2].lower() or " ")
        size = int(float(found[1]) * (1024 if found[3] else 1000) ** power)
    if not size:
        raise UsageError(f"{flag} {text!r}: write a size, for example 2GB or 500MB")
    return size
