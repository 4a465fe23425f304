"""Programs are coloured where they are written, in JupyterLab and in Notebook."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser.cells import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROGRAM = """\
rep Word = R[4]
-- a cell
cell : (R[8], Word) ~> R[8]
cell (h, Word x) = let y = ?W @ h in tanh (y + ?U @ x)"""
PYTHON = "%%python\nfor k in range(3): print('k', k)"


def colours(page: Any, cell: int, wanted: str) -> dict[str, str]:
    """The colour of every piece of a cell's text that has one of its own, once `wanted` has: what
    reads a language may come later than the page."""
    page.wait_for_function(
        "([cell, wanted]) => [...document.querySelectorAll('.jp-CodeCell')[cell]"
        ".querySelectorAll('.cm-line span')].some(each => each.textContent === wanted)",
        arg=[cell, wanted],
    )
    pieces = page.locator(".jp-CodeCell").nth(cell).locator(".cm-line span")
    found: dict[str, str] = pieces.evaluate_all(
        "all => Object.fromEntries(all.map(e => [e.textContent, getComputedStyle(e).color]))"
    )
    return found


def _letters_are_typed_and_lines_are_indented(page: Any) -> None:
    field = page.locator(".jp-CodeCell .cm-content").last
    field.click()
    page.keyboard.type(r"f : R \-> R" + "\n" + r"f = \\x \-> x * 2 + ")
    page.keyboard.press("Enter")
    page.keyboard.type("1")
    lines = field.locator(".cm-line")
    expect(lines.last).to_have_text(re.compile(r"1\s*$"))
    found = [line.rstrip() for line in lines.all_inner_texts()]
    assert found == ["f : R → R", "f = λx → x * 2 +", "    1"]


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_cells_are_coloured_letters_typed_and_lines_indented(
    open_notebook: Any, application: str
) -> None:
    page = open_notebook(application, "nnfp", [PROGRAM, PYTHON, ""])
    found = colours(page, 0, "rep")
    kinds = [found[text] for text in ("rep", "cell", "?W", "-- a cell", "~>")]
    assert len(set(kinds)) == len(kinds), found
    assert found["let"] == found["in"]
    assert found["?W"] == found["?U"]
    python = colours(page, 1, "'k'")
    assert python["for"] == python["in"]
    assert python["'k'"] != python["for"]
    _letters_are_typed_and_lines_are_indented(page)


def test_a_program_in_a_notebook_of_python_is_coloured(open_notebook: Any) -> None:
    page = open_notebook("lab", "python3", ["%%nnfp\n" + PROGRAM, "lambda x: rep"])
    assert "rep" in colours(page, 0, "?W")
    assert "rep" not in colours(page, 1, "lambda")
