"""A person at work: completion, help, a mistake, a diagram."""

from __future__ import annotations

from typing import Any

import pytest
from browser.cells import cell, expect, run

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROGRAM = """\
rep Word = R[4]
cell : (R[8], Word) ~> R[8]
cell (h, Word x) = tanh (?W @ h + ?U @ x)
encode : [Word] ~> R[8]
encode = fold cell zero"""


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_a_person_at_work(open_notebook: Any, application: str) -> None:
    page = open_notebook(
        application, "nnfp", [PROGRAM, "enc", "encode >> encode", "%nnfp graph encode", "fold"]
    )

    shown = run(page, 0).last
    expect(shown).to_contain_text("[Word] ~> R[8]")
    expect(shown.locator("table")).to_have_count(1)

    # Completion offers names with their types, and puts in what is chosen.
    cell(page, 1).locator(".cm-content").click()
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    expect(page.locator(".jp-Completer")).to_contain_text("encode : [Word] ~> R[8]")
    page.keyboard.press("Enter")
    expect(cell(page, 1).locator(".cm-line")).to_have_text("encode")

    # Shift-Tab tells what a name is.
    cell(page, 4).locator(".cm-content").click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".jp-Tooltip")).to_contain_text("((s, a) -> s) -> s -> a[n] -> s")
    page.keyboard.press("Escape")

    # A mistake shows where, under a caret or an underline, and no traceback.
    mistake = run(page, 2)
    expect(mistake.first).to_contain_text("these representations do not compose")
    expect(mistake.last).to_contain_text("NnfpError")
    text = "\n".join(mistake.all_inner_texts())
    assert "^^^^^^" in text
    assert "Traceback" not in text

    # A wiring diagram is drawn, and is as wide as what it shows.
    drawing = run(page, 3).last.locator("svg").first
    for text in ("cell", "[Word]", "R[8]"):
        expect(drawing.locator("text").get_by_text(text, exact=True).first).to_be_visible()
    box = drawing.bounding_box()
    assert box["width"] > 100
    assert box["height"] > 50
