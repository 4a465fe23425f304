"""A training where widgets run: its stop buttons, its own one and JupyterLab's, and its picture."""

from __future__ import annotations

import re
from typing import Any

import numpy
import pytest
from browser.cells import DATA, cell, expect, run, start, wait

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.training.events import Compiled, Epoch, Measured, Progress, Started, Warned
from nnfp_kernel.views.training import Course
from nnfp_kernel.widgets.modules import STATIC

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
    drawn = output.locator("svg path").nth(3)
    drawn.wait_for(state="attached")

    waited = kept.evaluate(STOPWATCH)
    assert waited < 10_000, waited  # ms, of hours; a machine at rest needs less than 200
    wait(page, prompt)
    ended = re.compile(r"interrupted\s+after .* the best on validation", re.S)
    expect(output).to_contain_text(ended, use_inner_text=True)
    drawn.wait_for(state="attached")
    expect(button).to_have_count(0)
    assert "Traceback" not in output.inner_text()
    wait(page, start(page, 2))
    expect(cell(page, 2).locator(".jp-OutputArea")).to_have_text(re.compile(r"True\s*$"))

    # Another one, by JupyterLab's button.
    prompt = start(page, 3)
    output = cell(page, 3).locator(".jp-OutputArea")
    page.wait_for_function("e => /step|loss|epoch/.test(e.innerText)", arg=output.element_handle())
    page.locator(
        "[data-command='notebook:interrupt-kernel'], jp-button[data-command*='interrupt']"
    ).first.click()
    wait(page, prompt, most_s=30)
    expect(output).to_contain_text(re.compile(r"interrupt|stopped"))
    assert "Traceback" not in output.inner_text()
    expect(run(page, 4).last).to_have_text(re.compile(r"^\s*R\s+2\s*$"), use_inner_text=True)


@pytest.mark.parametrize("dark", [False, True])
def test_a_page_shows_how_it_went_and_has_nothing_to_stop(open_saved: Any, dark: bool) -> None:
    session = nnfp.Session()
    points = numpy.random.default_rng(0).normal(size=(40, 2))
    session.run("distance x = squaredError x (?centre : R[2])")
    events = session.train("distance", [points], valid=0.25, epochs=30)
    shown = nnfp.widgets.Training(events, metric="<b>metric")
    page = open_saved(shown, "document.querySelector('.nnfp-training svg path')", dark=dark)
    told = page.inner_text("#widget")
    assert told.startswith("finished\n30 epochs in ")
    assert page.locator("button").count() == 0
    assert page.locator("svg path").count() > 3
    # Where there is little room all of it is there, smaller.
    page.set_viewport_size({"width": 330, "height": 600})
    picture = page.locator("svg").bounding_box()
    names = page.locator("svg text").get_by_text("training", exact=True).bounding_box()
    assert picture["x"] + picture["width"] <= 330
    assert names["x"] + names["width"] <= picture["x"] + picture["width"]
    assert len(page.asked) == 1
    again = nnfp.widgets.Training(shown.course)
    assert again.text == shown.text
    assert again.forms()["text/plain"].startswith("finished: 30 epochs")


def test_the_picture_that_is_drawn_anew_is_the_one_that_python_has_drawn(browser: Any) -> None:
    """What is as it was stays the same element; what differs becomes what it should be."""
    course, drawn = Course("accuracy"), []
    events: list[Any] = [Started(90, 10, 10, 60, 60.0, 609, "adam"), Compiled(1.0)]
    for epoch in range(1, 60):
        losses = numpy.full(9, 0.9**epoch)
        events += [
            Progress(epoch, 60, epoch, losses, 0.006, 48_200.0, 1.0, 31.0),
            Epoch(epoch, epoch, 0.9**epoch),
            Measured(epoch, epoch, "validation", abs(0.8**epoch - 0.01), 0.9, epoch < 20),
        ]
    events.insert(40, Warned(12, "grows", factor=3.0))
    for event in events:
        course.add(event)
        drawn.append(course.to_html())
    drawn += drawn[3::-1]  # less than there was, too
    module = (STATIC / "training.js").read_text("utf-8").replace("export default", "training =")
    page = browser.new_page()
    page.set_content("<div id='widget'></div>")
    page.evaluate(module)
    same = page.evaluate(
        """drawn => {
          let [html, changed] = [drawn[0], null];
          const model = { get: () => html, on: (_, call) => (changed = call), off() {}, send() {} };
          const el = document.getElementById("widget");
          training.render({ model, el });
          const stayed = new Set();
          return drawn.map((next) => {
            html = next;
            changed();
            stayed.add(el.querySelector("style"));
            const wanted = document.createElement("div");
            wanted.innerHTML = next.replaceAll(/\\bnnfp-[0-9a-f]{8}\\b/g, "nnfp-live");
            return stayed.size === 1 && el.firstChild.innerHTML === wanted.innerHTML;
          });
        }""",
        drawn,
    )
    page.close()
    assert same == [True] * len(drawn)
