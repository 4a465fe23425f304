"""A film in a browser: what is drawn at its moments is what the function computed then; hands,
keys and a running training move it."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import numpy
import pytest
from browser.cells import cell, expect, run, start, wait

import nnfp_kernel as nnfp
from nnfp_kernel.views.film import Film

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROGRAM = """
net : R[2] ~> R[1]
net = dense[3] >> tanh >> dense[5] >> tanh >> dense[1]
"""
N = 60
X = numpy.random.default_rng(0).normal(size=(N, 2))
KIND = numpy.where((X**2).sum(1) > 1, "<img src=x onerror=document.title='caught'>", "in")
ROOT = "document.getElementById('widget').film"


@pytest.fixture(scope="module")
def film(session: nnfp.Session) -> Film:
    data = [X, (2.0 * (KIND == "in") - 1)[:, None]]
    how: dict[str, Any] = {"loss": "squaredError", "rate": 0.03, "batch": 20, "valid": 0.2}
    for _ in session.train("net", data, epochs=90, film=True, **how):
        pass
    return Film(session["net"], X, colour=KIND, most=12)


@pytest.fixture
def opened(film: Film, open_saved: Any) -> Any:
    """Opens a saved page from disk."""

    def open_(motion: bool = True, **more: Any) -> Any:
        return open_saved(
            nnfp.widgets.Film(film, **more), f"{ROOT}?.camera", motion=motion, height=860
        )

    return open_


def seen(page: Any, expression: str) -> Any:
    """Something of the widget, in the first frame after which nothing moves."""
    return page.evaluate(
        f"() => new Promise(done => {{ const film = {ROOT};"
        f" const next = () => requestAnimationFrame(() => {{"
        f"   if (film.asked) return next();"
        f"   const v = {expression}; done(ArrayBuffer.isView(v) ? Array.from(v) : v); }});"
        f" requestAnimationFrame(next); }})"
    )


def test_the_points_of_a_moment_are_the_functions_and_a_page_asks_for_nothing(
    film: Film, opened: Any
) -> None:
    """To 1e-3 of the extent: they are kept in 16 bits."""
    page = opened()
    trainings = film.trainings
    assert trainings is not None
    assert trainings.last is not None
    weights = {frame.step: frame.weights() for frame in trainings.last.frames}
    whole = nnfp.Session(precision=64)
    whole.run(PROGRAM)
    for k in (0, 5, 11):
        moment = film.moments[k]
        seen(page, f"film.go({k})")
        assert seen(page, "film.reel.at(film.time).step") == moment.step
        made = film.moving.at(weights[moment.step])
        for state, values in enumerate(made.states):
            seen(page, f"film.choose({state})")
            drawn = numpy.array(seen(page, "film.xyz")).reshape(-1, 3)[:N]
            wanted = values[:N, :2]
            extent = numpy.ptp(wanted, axis=0).max()
            if wanted.shape[1] == 1:
                drawn = drawn[:, :1]
            assert abs(drawn[:, :2] - wanted).max() <= 1e-3 * extent, (k, state)
    # The last one is the function itself.
    whole.weights = weights[film.moments[-1].step]
    answer = numpy.asarray(whole["net"].batch(X))
    seen(page, "(film.go(11), film.choose(5))")
    drawn = numpy.array(seen(page, "film.xyz")).reshape(-1, 3)[:N, :1]
    assert abs(drawn - answer).max() <= 1e-3 * numpy.ptp(answer)
    assert [url for url in page.asked if not url.startswith("file:")] == []
    assert len(page.asked) == 1
    assert page.title() != "caught"
    assert page.locator(".legend").inner_text().count("<img src=x") == 1


def test_hands_and_keys_move_it(film: Film, opened: Any) -> None:
    page = opened()
    slider = page.get_by_role("slider", name="moment of the training")
    assert seen(page, "film.time") == 11
    # Along the loss curve by hand, to its beginning.
    hand = page.locator(".curve .hand").bounding_box()
    track = page.locator(".curve input").bounding_box()
    page.mouse.move(hand["x"] + 8, hand["y"] + 8)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] / 2, hand["y"] + 8, steps=4)
    assert 3 < seen(page, "film.time") < 8
    page.mouse.move(track["x"], hand["y"] + 8, steps=4)
    page.mouse.up()
    assert seen(page, "film.time") == 0
    assert "Epoch 0 of 90, loss" in page.locator(".caption").inner_text()
    slider.focus()
    for key, at in [("ArrowRight", 1), ("End", 11), ("ArrowLeft", 10), ("Home", 0)]:
        page.keyboard.press(key)
        assert seen(page, "film.time") == at, key
    before = seen(page, "film.state")
    page.keyboard.press("PageDown")
    assert seen(page, "film.state") == before - 1
    seen(page, "film.go(8)")
    page.keyboard.press("Space")
    page.get_by_role("button", name="pause").wait_for()
    page.wait_for_function(f"{ROOT}.time === {ROOT}.reel.last && !{ROOT}.playing")
    # One view and one scale at all moments.
    camera = "[film.camera.x, film.camera.y, film.camera.scale]"
    assert seen(page, camera) == seen(page, f"(film.go(3), {camera})")
    # Another stage, its points turned in space, and one of them with its way.
    page.get_by_role("button", name="after dense[5], R[5]").click()
    expect(page.locator(".caption")).to_contain_text("Of 5 dimensions the 3 principal ones")
    page.get_by_role("button", name="3-D").click()
    before = numpy.array(seen(page, "film.xyz"))
    page.locator("canvas.picture").press("ArrowLeft")
    assert numpy.nanmax(abs(numpy.array(seen(page, "film.xyz")) - before)) > 1e-3
    seen(page, "(film.go(11), film.pin(7))")
    assert seen(page, "film.way.getAttribute('d').split('L').length") >= 12
    page.get_by_role("button", name="data table").press("Enter")
    assert page.locator(".data tbody tr").count() == len(film.moments)
    page.locator(".legend button").last.click()
    assert seen(page, "film.brushed.reduce((a, b) => a + b)") in (
        int((KIND == "in").sum()), int((KIND != "in").sum()),
    )  # fmt: skip


def test_without_motion_it_hops_and_what_is_locked_stays(opened: Any) -> None:
    page = opened(motion=False, locked=("scrub", "layers"))
    assert page.locator(".curve input").is_disabled()
    assert page.locator(".checks input").count() == 0
    page.get_by_role("button", name="play").click()
    page.wait_for_function(f"{ROOT}.time > 0 && {ROOT}.time === Math.floor({ROOT}.time)")
    times = page.evaluate(
        f"() => new Promise(done => {{ const found = new Set(); const next = () => {{"
        f" found.add({ROOT}.time); if (found.size > 2) done([...found]); else setTimeout(next, 30);"
        " }; next(); })"
    )
    assert all(time == int(time) for time in times)


def test_before_a_training_there_is_no_curve_wherever_it_is_made(opened: Any) -> None:
    """Also in a cell that is out of sight, where it does not stand in the page yet."""
    page = opened()
    page.evaluate(
        f"""() => {{
          const shown = {ROOT}, whole = shown.model.get("film");
          const first = {{ ...whole, course: null, moments: whole.moments.slice(0, 1) }};
          const get = (name) => (name === "film" ? first : shown.model.get(name));
          const later = document.createElement("div");
          window.later = new shown.constructor(Object.assign(Object.create(shown.model), {{ get }}), later);
          shown.el.after(later);
        }}"""
    )
    later = page.locator(".nnfp-film").last
    later.get_by_text("Train it, and it is filmed here.").wait_for()
    expect(later.locator("div.curve")).to_be_hidden()


SETUP = """\
%%python
import numpy
X = numpy.random.default_rng(0).normal(size=(200, 2))
kind = (X**2).sum(1) > 1
y = 2.0 * kind[:, None] - 1"""
FILM = """\
ring : R[2] ~> R[1]
ring = dense[8] >> tanh >> dense[2] >> tanh >> dense[1]
%nnfp film ring X --colour kind"""
BEND = "%nnfp bend ring X --colour kind"
TRAIN = "%nnfp train ring --data X,y --loss squaredError --epochs 1000000"
ANSWERS = """\
%%python
import json
print(json.dumps(get_ipython().magics.workspace.session["ring"].batch(X)[:, 0].tolist()))"""
LIVE = "document.querySelector('.nnfp-film')?.film"
BENT = "document.querySelector('.nnfp-bend')?.bend"


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_film_and_bend_follow_a_training_and_show_what_came_of_it(
    open_notebook: Any, application: str, record_property: Any
) -> None:
    page = open_notebook(application, "nnfp", [SETUP, FILM, BEND, TRAIN, ANSWERS])
    page.set_viewport_size({"width": 1100, "height": 2400})  # both are drawn
    for k in range(3):
        run(page, k)
    page.wait_for_function(f"{LIVE}?.camera && {BENT}?.camera")
    expect(cell(page, 1)).to_contain_text("Train it, and it is filmed here.")
    page.evaluate(f"{BENT}.go(4)")
    prompt = start(page, 3)
    page.wait_for_function(f"{LIVE}.updates > 3 && {BENT}.updates > 3")
    assert page.evaluate(f"{LIVE}.running")
    first = page.evaluate(f"[Array.from({LIVE}.xyz), Array.from({BENT}.xyz)]")
    kept = page.evaluate_handle(f"{BENT}.canvas")
    begin = time.perf_counter(), page.evaluate(f"[{LIVE}.updates, {BENT}.updates]")
    page.wait_for_function(f"{LIVE}.updates > 12 && {BENT}.updates > 12")
    passed, then = (
        time.perf_counter() - begin[0],
        page.evaluate(f"[{LIVE}.updates, {BENT}.updates]"),
    )
    for name, before, after in zip(("film", "bend"), begin[1], then, strict=True):
        rate = (after - before) / passed
        record_property(f"{name} a second", round(rate, 1))
        print(f"{application}: {name} was drawn anew {rate:.1f} times a second")
    then = page.evaluate(f"[Array.from({LIVE}.xyz), Array.from({BENT}.xyz)]")
    assert then[0] != first[0]
    assert then[1] != first[1]
    assert kept.evaluate("canvas => canvas.isConnected")  # a hand that holds it holds it still
    assert page.evaluate(f"{BENT}.position") == 4
    cell(page, 3).get_by_role("button", name="Stop").click()
    wait(page, prompt)
    page.wait_for_function(f"!{LIVE}.running && !{BENT}.el.classList.contains('live')")
    assert page.evaluate(f"{LIVE}.reel.moments.length") > 10
    # Both end with what the function of the kept weights says.
    printed = run(page, 4)
    expect(printed).to_contain_text(re.compile(r"\[.*\]", re.S))
    answers = numpy.array(json.loads(printed.inner_text()))
    extent = numpy.ptp(answers)
    page.evaluate(f"{BENT}.go(5), {LIVE}.choose(5, {{ known: true }})")
    for root, near in ((LIVE, 1e-3), (BENT, 1e-5)):
        page.wait_for_function(f"!{root}.asked")
        drawn = numpy.array(page.evaluate(f"Array.from({root}.xyz)")).reshape(-1, 3)[:200, 0]
        assert abs(drawn - answers).max() <= near * extent, root
    # Stages are one axis: a click on one of the film moves the other there.
    page.get_by_role("button", name="after dense[8], R[8]").click()
    page.wait_for_function(f"{BENT}.position === 1")
