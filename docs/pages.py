"""The pages of the documentation run: what they show is what comes out.

    python docs/pages.py            run every page, tell what differs
    python docs/pages.py --write    write what came out instead; read the difference

In a page, a block ```haskell is a cell; a block ```text right after it is what the cell
shows, or the error it ends with. A block ```python is a session of Python in the same
process: `session` is the page's session, and names given by `-o` are there. `names.md` and
`verbs.md` are written from the tables of the code.
"""

from __future__ import annotations

import argparse
import code
import contextlib
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnfp_kernel.primitives.table import Builtin

HERE = Path(__file__).parent
SHOWN = "```\n```text\n"  # what stands between a cell and what it shows
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text and where the text stands."""

    language: str
    text: str
    start: int
    end: int


def pages() -> list[Path]:
    """The pages that are written by hand and run."""
    return sorted(set(HERE.glob("*.md")) - {HERE / "names.md", HERE / "verbs.md"})


def blocks(text: str) -> list[Block]:
    return [Block(m[1], m[2], m.start(2), m.end(2)) for m in FENCE.finditer(text)]


def run(text: str) -> str:
    """The page with every output as it came out."""
    page = Page()
    found = blocks(text)
    made: list[tuple[Block, str]] = []
    for k, block in enumerate(found):
        after = found[k + 1] if k + 1 < len(found) else None
        match block.language:
            case "haskell":
                shown = page.cell(block.text)
                if after is not None and text[block.end : after.start] == SHOWN:
                    made.append((after, shown))
                elif shown.startswith("error"):
                    raise AssertionError(f"{block.text}\n{shown}")
            case "python":
                made.append((block, page.python(block.text)))
    for block, output in reversed(made):
        text = text[: block.start] + output + text[block.end :]
    return text


class Page:
    """One page's session and its names of Python."""

    def __init__(self) -> None:
        from nnfp_kernel.magics.workspace import Workspace

        self.said = io.StringIO()
        self.names: dict[str, Any] = {}
        self.workspace = Workspace(Told(self.said), self.names)
        self.names["session"] = self.workspace.session
        self.console = code.InteractiveConsole(self.names)

    def cell(self, program: str) -> str:
        """What a cell shows, or its error."""
        from IPython.core.error import UsageError

        from nnfp_kernel import NnfpError

        self.said.seek(0)
        self.said.truncate()
        try:
            view = self.workspace.run(program)
            if view is not None:
                self.workspace.host.show(view)
        except NnfpError as error:
            self.said.write(error.render())
        except UsageError as error:
            self.said.write(f"error: {error}")
        self.names["session"] = self.workspace.session
        return _trimmed(self.said.getvalue())

    def python(self, text: str) -> str:
        """The lines that are typed, each with what is answered to it."""
        lines = []
        for statement in _statements(text):
            lines.append(statement)
            source = "\n".join(line[4:] for line in statement.splitlines()) + "\n"
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                many = "\n" in source.strip()
                self.console.runsource(source + "\n" * many, "<page>", "single")
            if answer := _trimmed(out.getvalue()).strip("\n"):
                lines.append(answer)
        return "\n".join(lines) + "\n"


class Told:
    """A host that keeps what it is shown as text."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    def show(self, view: Any) -> None:
        self.stream.write(view.text.rstrip() + "\n")

    def live(self) -> Told:
        return self

    def close(self) -> None:
        """Nothing is shown that goes on."""

    def update(self, view: Any, *, last: bool = False) -> None:
        """Only how a training ended: how fast it went differs from run to run."""


def _statements(text: str) -> Iterator[str]:
    """What is typed after `>>>`, with the lines that go on."""
    statement: list[str] = []
    for line in text.splitlines():
        if line.startswith(">>> ") and statement:
            yield "\n".join(statement)
            statement = []
        if line.startswith((">>> ", "... ")) or line == "...":
            statement.append(line)
    if statement:
        yield "\n".join(statement)


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n")) + "\n"


# --- what is written from the tables ----------------------------------------------------------


# The built-in names by subject: the modules of `nnfp_kernel/primitives` that enter them.
SUBJECTS = {
    "Combinators": ("combinators", "machines", "whiles"),
    "Trees": ("trees", "payload"),
    "Arithmetic and elementwise functions": ("tracing", "elementwise", "complex_numbers"),
    "Comparison and choice": ("comparison",),
    "Products of arrays": ("contraction",),
    "Reductions": ("reduction",),
    "Movement": ("movement", "indexing"),
    "Derivatives and linear maps": (
        "linear_values",
        "linear_maps",
        "linear_names",
        "tree_maps",
        "jets",
    ),
    "Matrix functions and transforms": (
        "eigenvalues",
        "factorisations",
        "matrix_functions",
        "fourier",
    ),
    "Random draws": ("random",),
}


def generated() -> dict[str, str]:
    """The pages that say what the code's tables say."""
    return {"names.md": names(), "verbs.md": verbs()}


def names() -> str:
    """Every name of the language and its library, with type and meaning."""
    from nnfp_kernel import Session
    from nnfp_kernel.primitives import BUILTINS

    session = Session()
    parts = [
        "# Every name",
        "Built-in names first, by subject; then the library, which is written in the language: its"
        " source stands in `nnfp_kernel/std`. `%nnfp help NAME` shows one of them in a notebook."
        " Written by `docs/pages.py`.",
    ]
    left = dict(BUILTINS)
    for title, modules in SUBJECTS.items():
        own = [name for name, record in left.items() if _module(record) in modules]
        rows = [
            (_bracketed(name, left[name].brackets), left[name].type, left[name].doc) for name in own
        ]
        parts += [f"## {title}", _rows(rows)]
        for name in own:
            del left[name]
    if left:
        raise AssertionError(f"names without a subject: {', '.join(left)}")
    files: dict[str, list[tuple[str, str, str]]] = {}
    for name, definition in session.program.definitions.items():
        shown = definition.span.text.split("=")[0].split()[0]
        row = (shown, session.describe(name).type, definition.comment)
        files.setdefault(definition.span.source.name, []).append(row)
    for file, rows in sorted(files.items()):
        parts += [f"## `{file}`", _rows(rows)]
    return "\n\n".join(parts) + "\n"


def _module(record: Builtin) -> str:
    return record.trace.__module__.rpartition(".")[-1]


def _bracketed(name: str, brackets: tuple[str, ...]) -> str:
    return f"{name}[{', '.join(brackets)}]" if brackets else name


def _rows(rows: list[tuple[str, str, str]]) -> str:
    def cell(text: str) -> str:
        return " ".join(text.split()).replace("|", r"\|")

    lines = ["| name | type | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{cell(name)}` | `{cell(type)}` | {cell(doc)} |" for name, type, doc in rows]
    return "\n".join(lines)


def verbs() -> str:
    """Every verb of `%nnfp`, with an example."""
    from nnfp_kernel.magics.verb import NAMES, find

    parts = [
        "# The verbs of `%nnfp`",
        "A line `%nnfp VERB …` asks something of the session, in a notebook, in a cell of a"
        " program, or in a file that `nnfp run` runs. `%nnfp help VERB` shows the same."
        " Written by `docs/pages.py`.",
    ]
    for verb in map(find, NAMES):
        parts += [f"## {verb.name}", f"{verb.summary[:1].upper()}{verb.summary[1:]}."]
        parts += [f"```\n{verb.usage}\n```"]
        if verb.details:
            parts += [verb.details]
        parts += ["Cell by cell:", *(f"```\n{cell}\n```" for cell in verb.example)]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write what came out")
    parser.add_argument("pages", nargs="*", type=Path, help="only these pages")
    given = parser.parse_args()
    wrong = 0
    made = {HERE / name: text for name, text in generated().items()}
    for path in given.pages or [*pages(), *made]:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        after = made[path] if path in made else run(before)
        if before != after:
            wrong += 1
            print(f"{path.name}: {'written' if given.write else 'differs'}")
            if given.write:
                path.write_text(after, encoding="utf-8")
    return 0 if given.write else wrong


if __name__ == "__main__":
    sys.exit(main())
