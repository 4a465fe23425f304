"""A person at work: completion, help, a mistake, a diagram."""

from __future__ import annotations

from typing import Any

import pytest
from browser.cells import cell, run

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
    assert "[Word] ~> R[8]" in shown.inner_text()
    assert shown.locator("table").count() == 1

    # Completion offers names with their types, and puts in what is chosen.
    cell(page, 1).locator(".cm-content").click()
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    assert "encode : [Word] ~> R[8]" in page.wait_for_selector(".jp-Completer").inner_text()
    page.keyboard.press("Enter")
    assert cell(page, 1).locator(".cm-line").inner_text() == "encode"

    # Shift-Tab tells what a name is.
    cell(page, 4).locator(".cm-content").click()
    page.keyboard.press("End")
    page.keyboard.press("Shift+Tab")
    tip = page.wait_for_selector(".jp-Tooltip")
    assert "((s, a) -> s) -> s -> a[n] -> s" in tip.inner_text()
    page.keyboard.press("Escape")

    # A mistake shows where, under a caret or an underline, and no traceback.
    mistake = run(page, 2)
    text = "\n".join(mistake.all_inner_texts())
    assert "these representations do not compose" in text
    assert "^^^^^^" in text
    assert "Traceback" not in text

    # A wiring diagram is drawn, and is as wide as what it shows.
    drawing = run(page, 3).last.locator("svg").first
    box = drawing.bounding_box()
    assert box["width"] > 100
    assert box["height"] > 50
    assert {"cell", "[Word]", "R[8]"} <= set(drawing.locator("text").all_text_contents())
