"""Views of a program in a browser: what `unroll` draws are the program's states, boxes of `wiring`
open; by hand, by keys, without motion, with hostile names."""

from __future__ import annotations

import re
from typing import Any

import numpy
import pytest
from browser.cells import cell, expect, run

import nnfp_kernel as nnfp

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROGRAM = """
rep Word = R[4]

cell : (R[3], Word) ~> R[3]
cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)

encode : [Word] ~> R[3]
encode = fold cell zero

spin : R[2] -> (R[2], R[2])
spin h = (0.9 * h, h)

orbit : R[2] -> R[40,2]
orbit = unfold[40] spin

each : [[Word]] ~> [R[3]]
each = map encode

data Tree = Leaf R[4] | Node Tree Tree

sentence : Tree ~> R[3]
sentence = cata { Leaf x -> ?E @ x ; Node l r -> tanh (?L @ l + ?R @ r) }
"""
HOSTILE = "<img src=x onerror=document.title='caught'>"
XS = numpy.random.default_rng(0).normal(size=(6, 4))


@pytest.fixture
def opened(open_saved: Any) -> Any:
    """Opens the saved page of a widget from disk."""

    def open_(widget: Any, dark: bool = False, motion: bool = True) -> Any:
        ready = "document.querySelector('#widget .foot')"
        return open_saved(widget, ready, dark=dark, motion=motion)

    return open_


def unroll(page: Any, expression: str) -> Any:
    """Something of the widget, once nothing more is to be drawn."""
    return page.evaluate(
        "() => new Promise(done => { const u = document.getElementById('widget').unroll;"
        " const next = () => requestAnimationFrame(() => { if (u.asked) return next();"
        f" const v = {expression}; done(ArrayBuffer.isView(v) ? Array.from(v) : v); }});"
        " requestAnimationFrame(next); })"
    )


def test_a_fold_is_scrubbed_played_and_read_from_disk(session: nnfp.Session, opened: Any) -> None:
    words = ["the", HOSTILE, "c", "d", "e", "f"]
    page = opened(nnfp.widgets.Unroll(session["encode"], XS, labels=words), motion=False)
    assert len([url for url in page.asked if not url.startswith("file:")]) == 0
    hand = page.locator(".hand").first.bounding_box()
    track = page.locator(".track input").bounding_box()
    page.mouse.move(hand["x"] + 8, hand["y"] + 8)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"], hand["y"] + 8, steps=4)
    page.mouse.up()
    assert unroll(page, "u.position") == 6
    answer = numpy.asarray(session["encode"](XS))
    drawn = unroll(page, "u.steps.row(u.steps.chains[0].states[0], u.position)")
    assert numpy.allclose(drawn, answer, atol=1e-6)
    # What a cell says is the number that it is the colour of.
    cells = page.locator(".strip[data-name=h]").last.locator(".cell")
    assert cells.count() == 3
    cells.nth(1).hover()
    expect(page.locator(".readout")).to_have_text(re.compile(r"^h ! 1 = "))
    told = page.locator(".readout").inner_text()
    said = float(told.split(" = ")[1].split(",")[0].replace("−", "-"))
    assert abs(said - answer[1]) <= 5e-3 * abs(answer[1])
    reach = numpy.abs(unroll(page, "u.steps.chains[0].states[0].array.data")).max()
    share = float(cells.nth(1).get_attribute("fill-opacity"))
    assert abs(share - abs(answer[1]) / reach) < 1e-3
    # Keys alone; what has not happened is pale; words are words.
    page.locator(".track input").focus()
    for key, at in [("Home", 0), ("ArrowRight", 1), ("PageUp", 2), ("End", 6), ("ArrowLeft", 5)]:
        page.keyboard.press(key)
        assert unroll(page, "u.position") == at, key
    assert page.locator(".step.later .box").count() == 1
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert unroll(page, "u.position") == 2
    assert f"cell (h, {HOSTILE})" in page.locator(".caption").inner_text()
    assert page.locator("img").count() == 0
    assert page.title() == "encode"
    assert page.locator("pre .now").all_inner_texts() == ["tanh (?W @ h + ?U @ x + ?b)"]
    page.keyboard.press("Space")
    page.wait_for_function("document.getElementById('widget').unroll.position > 2")
    page.keyboard.press("Escape")
    # The way of the states is a scrubber, too.
    x, y = unroll(page, "u.way.points[4]")
    way = page.locator("svg.way").bounding_box()
    page.mouse.click(way["x"] + x, way["y"] + y)
    assert unroll(page, "u.position") == 4
    page.get_by_role("button", name="data table").press("Enter")
    assert page.locator(".data tbody tr").count() == 6


def test_thousands_of_steps_draw_what_is_in_view_and_boxes_open(
    session: nnfp.Session, opened: Any
) -> None:
    long = numpy.random.default_rng(1).normal(size=(3000, 4))
    page = opened(nnfp.widgets.Unroll(session["encode"], long), dark=True)
    unroll(page, "u.go(1500)")
    assert unroll(page, "u.el.querySelectorAll('.box').length") < 20
    assert "1501" in page.locator("text.word").all_text_contents()
    assert page.locator(".overview").is_visible()
    # Made before it stands in the page, as in a cell that is out of sight, it has no colours yet.
    page.evaluate(
        """() => {
          const shown = document.getElementById("widget").unroll;
          const later = document.createElement("div");
          new shown.constructor(shown.model, later);
          shown.el.after(later);
        }"""
    )
    page.wait_for_function(
        """() => {
          const canvas = document.querySelectorAll("canvas.overview")[1];
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return canvas.width > 200 && data.some((each) => each > 0);
        }"""
    )
    page = opened(nnfp.widgets.Unroll(session["each"], XS.reshape(2, 3, 4)))
    page.locator(".opens").nth(1).focus()
    page.keyboard.press("Enter")
    assert unroll(page, "u.trail") == "0/1"
    last = unroll(page, "u.steps.row(u.steps.chains[0].states[0], 3)")
    assert numpy.allclose(last, session["encode"](XS[3:]), atol=1e-6)
    page.keyboard.press("Escape")
    assert unroll(page, "[u.trail, u.position]") == ["", 2]
    leaf, node = map(session.constructor, ("Leaf", "Node"))
    tree = node(node(leaf(XS[0]), leaf(XS[1])), leaf(XS[2]))
    page = opened(nnfp.widgets.Unroll(session["sentence"], tree))
    page.locator(".picture").focus()
    page.keyboard.press("End")
    page.locator(".caption").get_by_text("Step 5 of 5: Node.", exact=True).wait_for()
    root = unroll(page, "u.steps.row(u.steps.chains[0].states[0], 4)")
    assert numpy.allclose(root, session["sentence"](tree), atol=1e-6)
    assert page.locator("pre .now").all_inner_texts() == ["Node l r -> tanh (?L @ l + ?R @ r)"]


def test_what_rows_are_called_has_room_beside_them(session: nnfp.Session, opened: Any) -> None:
    page = opened(nnfp.widgets.Unroll(session["orbit"], numpy.ones(2)))
    places = unroll(page, "[...u.el.querySelectorAll('.gutter')].map(each => each.getBBox().x)")
    assert len(places) >= 2
    assert min(places) >= 0
    said = page.locator("text.gutter").all_text_contents()
    assert any(text.startswith("gives : R[2]") for text in said)


def test_boxes_open_in_place_and_wires_say_what_they_are(
    session: nnfp.Session, opened: Any
) -> None:
    page = opened(nnfp.widgets.Wiring(session["each"], of="derivative"))
    texts = page.locator("svg.wiring text.box")
    before = texts.all_text_contents()
    page.locator(".wiring [data-key='0']").first.click()
    page.wait_for_function("document.querySelector('.nnfp-wiring [aria-expanded=true]')")
    assert "cell" in texts.all_text_contents()
    page.locator(".wiring [data-key='0.0']").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".caption")).to_have_text("2 boxes open, 0 boxes that can be opened.")
    assert "?U @ ·" in texts.all_text_contents()
    page.wait_for_function("!document.getAnimations().some(each => each.playState === 'running')")
    page.locator(".wiring [data-told^='?U @']").first.hover()
    said = "?U @ · : R[4] -> R[3], 12 weights, from `?U @ x`, cell"
    expect(page.locator(".readout")).to_contain_text(said)
    page.keyboard.press("Escape")
    expect(texts).to_have_count(len(before))
    assert texts.all_text_contents() == before
    assert len([url for url in page.asked if not url.startswith("file:")]) == 0


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_in_a_notebook_the_kernel_is_asked_for_what_is_inside(
    open_notebook: Any, application: str
) -> None:
    make = "%%python\nimport numpy\nxs = numpy.ones((2, 3, 4))"
    cells = [PROGRAM, make, "%nnfp unroll each xs", "%nnfp graph each"]
    page = open_notebook(application, "nnfp", cells, dark=application == "notebook")
    for k in range(4):
        run(page, k)
    steps = cell(page, 2).locator(".nnfp-unroll")
    steps.locator(".opens").nth(1).press("Enter")
    steps.get_by_role("button", name="out of step 2 of map encode").wait_for()
    steps.locator(".picture").focus()
    page.keyboard.press("End")
    steps.locator(".caption", has_text="Step 3 of 3, cell (h, x)").wait_for()
    diagram = cell(page, 3).locator(".nnfp-wiring")
    diagram.locator("[data-key='0']").press("Enter")
    diagram.locator("[data-key='0.0']").press("Enter")
    diagram.locator("text.box", has_text="tanh").wait_for()
