"""The documentation: every program runs, what is shown comes out, every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def _pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pages", DOCS / "pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pages"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


pages = _pages()


@pytest.mark.slow
@pytest.mark.parametrize("path", pages.pages(), ids=lambda path: path.name)
def test_what_a_page_shows_comes_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert pages.run(text) == text, "python docs/pages.py --write, and read the difference"


@pytest.mark.parametrize("name", ["names.md", "verbs.md"])
def test_the_written_pages_say_what_the_tables_say(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == pages.generated()[name], "python docs/pages.py --write"


@pytest.mark.parametrize(
    "path", [*sorted(DOCS.glob("*.md")), DOCS.parent / "README.md"], ids=lambda path: path.name
)
def test_links_lead_somewhere(path: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)", prose):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


@pytest.mark.slow
def test_the_first_program_of_the_readme_runs() -> None:
    """Cell by cell, as a person would copy them."""
    from IPython.core.interactiveshell import InteractiveShell

    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    text = text.partition("## A first program")[2].partition("\n## ")[0]
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    try:
        for cell in re.findall(r"```(?:python)?\n(.*?)```", text, re.DOTALL):
            shell.run_cell(cell).raise_error()
        assert shell.user_ns["value"].shape == (10,)
    finally:
        InteractiveShell.clear_instance()


def test_every_decision_has_a_number_of_its_own_and_is_listed() -> None:
    folder = DOCS / "decisions"
    wanted = []
    for number, page in enumerate(sorted(folder.glob("[0-9]*.md")), 1):
        head = page.read_text(encoding="utf-8").splitlines()[0]
        assert page.name.startswith(f"{number:04}-"), page.name
        assert re.match(rf"# {number}\.? ", head), head
        wanted.append(f"{number}. [{head.split(maxsplit=2)[2]}]({page.name})")
    listed = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in listed if re.match(r"\d+\. ", line)] == wanted


def test_a_page_that_shows_something_else_is_seen() -> None:
    page = "```haskell\n1 + 1\n```\n```text\n3 : R\n```\n"
    assert pages.run(page) == page.replace("3 : R", "2 : R")


def test_a_program_that_fails_where_no_error_is_shown_is_seen() -> None:
    with pytest.raises(AssertionError, match="nothing"):
        pages.run("```haskell\nnothing + 1\n```\n")
