"""The stop buttons of a training, its own one and JupyterLab's, where widgets run."""

from __future__ import annotations

import re
from typing import Any

import pytest
from browser.cells import DATA, cell, run, start, wait

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TRAIN = """\
model : R[3] ~> R
model = dense[64] >> tanh >> dense[64] >> tanh >> dense[1] >> sum
%nnfp train model --data X,y --loss squaredError --valid 0.1 --epochs 1000000"""
AFTER = "%%python\nfloat(abs(get_ipython().magics.workspace.session['model'](X[0]) - y[0])) < 0.5"
# The time of the click, and of the change that takes the button away.
STOPWATCH = """button => new Promise(done => {
    const clicked = performance.now();
    new MutationObserver((_, self) => {
        if (!button.isConnected) { self.disconnect(); done(performance.now() - clicked); }
    }).observe(document.body, { childList: true, subtree: true });
    button.click();
})"""


def test_a_button_stops_a_training_and_its_picture_stays(open_notebook: Any) -> None:
    again = TRAIN.splitlines()[-1]
    page = open_notebook("lab", "nnfp", [DATA, TRAIN, AFTER, again, "1 + 1"])
    wait(page, start(page, 0))
    prompt = start(page, 1)
    output = cell(page, 1).locator(".jp-OutputArea")
    button = output.get_by_role("button", name="Stop")
    button.wait_for()

    # The picture changes and the button stays the same, so that no click is lost.
    kept = button.element_handle()
    seen = output.inner_text()
    page.wait_for_function(
        "([area, seen]) => area.innerText !== seen", arg=[output.element_handle(), seen]
    )
    assert kept.evaluate("button => button.isConnected")
    assert output.locator("svg path").count() > 3

    waited = kept.evaluate(STOPWATCH)
    assert waited < 2000, waited  # ms; a machine at rest needs less than 200
    wait(page, prompt)
    told = output.inner_text()
    assert re.search(r"interrupted after .* the best on validation", told.replace("\n", " ")), told
    assert "Traceback" not in told
    assert output.locator("svg path").count() > 3
    assert button.count() == 0
    wait(page, start(page, 2))
    assert cell(page, 2).locator(".jp-OutputArea").inner_text().endswith("True")

    # Another one, by JupyterLab's button.
    prompt = start(page, 3)
    output = cell(page, 3).locator(".jp-OutputArea")
    page.wait_for_function("e => /step|loss|epoch/.test(e.innerText)", arg=output.element_handle())
    page.locator(
        "[data-command='notebook:interrupt-kernel'], jp-button[data-command*='interrupt']"
    ).first.click()
    wait(page, prompt, most_s=30)
    told = output.inner_text()
    assert re.search(r"interrupt|stopped", told), told
    assert "Traceback" not in told
    assert run(page, 4).last.inner_text().split() == ["R", "2"]
