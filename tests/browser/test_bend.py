"""The manifold view in a browser: what is drawn is what the function computes, and hands,
keys, a lost context and hostile names do to it what they should."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy
import pytest
from browser.cells import cell, expect, run, run_until
from browser.conftest import shut_down_all

import nnfp_kernel as nnfp
from nnfp_kernel.views.geometry.curves import geodesic
from nnfp_kernel.views.geometry.jets import Jets
from nnfp_kernel.views.geometry.lens import circles_over, sheet_over
from nnfp_kernel.views.geometry.metric import singular_values
from nnfp_kernel.views.scene import Scene, packed, scene
from nnfp_kernel.views.scene.changes import changed
from nnfp_kernel.views.scene.moving import Moving
from nnfp_kernel.views.scene.packed import Buffer, Still

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROGRAM = """
net : R[2] ~> R[2]
net = dense[3] >> tanh >> dense[2] >> softmax

flat : R[2] ~> R[1]
flat = dense[2] >> tanh >> dense[1]

beside : (R[2], R[3]) ~> (R[2], R[1])
beside = (dense[2] >> tanh) *** dense[1]

cell : (R[3], R[2]) ~> R[3]
cell (h, x) = tanh (?W @ h + ?U @ x + ?b)

encode : R[2][4] ~> R[3]
encode xs = fold cell zero xs

ways : R[2][5] ~> (R[3], R[3])
ways = fold cell zero &&& foldRight cell zero

wide : R[12] ~> R[2]
wide = dense[20] >> tanh >> dense[2]
"""
N = 50
HOSTILE = "<img src=x onerror=document.title='caught'>"
PIXELS = (
    "bend.canvas.getContext('2d').getImageData(0, 0, bend.canvas.width, bend.canvas.height).data"
)
ROOT = "document.getElementById('widget').bend"


def data(*shape: int) -> Any:
    return numpy.random.default_rng(len(shape)).normal(size=(N, *shape))


INPUTS: dict[str, Any] = {
    "net": data(2), "flat": data(2), "beside": (data(2), data(3)),
    "encode": data(4, 2), "ways": data(5, 2), "wide": data(12),
}  # fmt: skip
KIND = data(2)[:, 0] > 0


@pytest.fixture(scope="module")
def scenes(session: nnfp.Session) -> Callable[[str], Scene]:
    return cache(lambda name: scene(session[name], INPUTS[name], colour=KIND, lines=4, samples=11))


@pytest.fixture
def opened(scenes: Callable[[str], Scene], open_saved: Any) -> Any:
    """Opens a saved page from disk."""

    def open_(
        name: str = "net", dark: bool = False, motion: bool = True, colour: Any = KIND,
        painter: str | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        bend = nnfp.widgets.Bend(replace(scenes(name), colour=colour), **more)
        bend.options = {**bend.options, "painter": painter}
        return open_saved(bend, f"{ROOT}?.camera", dark=dark, motion=motion)

    return open_


def bend(page: Any, expression: str) -> Any:
    """Something of the widget, in the first frame after which nothing moves."""
    return page.evaluate(
        f"() => new Promise(done => {{ const bend = {ROOT};"
        f" const next = () => requestAnimationFrame(() => {{"
        f"   if (bend.asked || bend.easing) return next();"
        f"   const v = {expression}; done(ArrayBuffer.isView(v) ? Array.from(v) : v); }});"
        f" requestAnimationFrame(next); }})"
    )


def drawn(page: Any) -> Any:
    """Where the points of data are drawn, along the axes of the plane."""
    return numpy.array(bend(page, "bend.xyz")).reshape(-1, 3)[:N, :2]


def near(found: Any, wanted: Any) -> bool:
    """To 1e-5 of the extent."""
    return bool(numpy.abs(found - wanted).max() <= 1e-5 * max(float(numpy.ptp(wanted)), 1e-9))


def test_every_path_is_the_scenes(scenes: Callable[[str], Scene], opened: Any) -> None:
    """In JavaScript as in Python: at the ends, and on the way."""
    page = opened()
    for name in INPUTS:
        made = scenes(name)
        points = made.points(made.states[0])
        circles = (
            circles_over(points, 2)[1] if made.lines else numpy.zeros((0, 33, points.shape[1]))
        )
        carried = made.carrying(circles.reshape(-1, points.shape[1]))
        header, numbers = packed(made, circles)
        json.dumps(header, allow_nan=False)
        page.evaluate(
            f"([header, text]) => {{ const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));"
            f" window.made = new ({ROOT}.scene.constructor)(header, bytes.buffer); }}",
            [header, base64.b64encode(numbers).decode()],
        )
        # Before all stages there is the input, also of a fold, which begins with another state.
        first = made.states[0][3]
        kept = first if header["states"][0]["axes"] else first @ Still(made).bases[0]
        assert near(numpy.array(page.evaluate("Array.from(made.at(3, 0))")), kept), name
        for k, stage in enumerate(carried):
            reduced = header["stages"][k]["camera"] is None
            times = (1,) if reduced else (1e-9, 0.37, 0.8, 1)
            places = ", ".join(f"Array.from(made.coordinates({k} + {t}))" for t in times)
            for t, found in zip(times, page.evaluate(f"[{places}]"), strict=True):
                found = numpy.array(found).reshape(len(stage.before), -1)
                wanted = stage.after @ made.frames[k + 1] if reduced else stage.at(t)
                assert near(found[:, : wanted.shape[1]], wanted), (name, stage.label, t)
            # What is seen is that along the scene's own axes.
            rows = "[[1], [0, 1], [0, 0, 1]]"
            seen = page.evaluate(f"Array.from(made.project({k} + 1, {rows}))")
            axes = stage.after @ made.frames[k + 1]
            assert near(numpy.array(seen).reshape(-1, 3)[:, : axes.shape[1]], axes), (name, k)


@pytest.mark.parametrize("name", ["encode", "beside"])
def test_what_a_live_bend_is_told_is_drawn_at_every_position(
    session: nnfp.Session, opened: Any, name: str
) -> None:
    """A fold and blocks with other weights, in 16 bits: to 1e-3 of the extent, while a hand stays
    where it is. The judge is a scene that is made anew."""
    page = opened(name)
    page.evaluate(f"{ROOT}.go(0.5)")
    X = INPUTS[name]
    moving = Moving(scene(session[name], X, colour=KIND))
    still, other, before = Still(moving.scene), nnfp.Session(precision=64, seed=9), None
    other.run(PROGRAM)
    for scale in (1.0, 0.5):  # all of it, and then what has changed
        nested = jax.tree.map(lambda own, by=scale: by * own, other[name].weights)
        header, numbers = packed(moving.scene_at(nested), buffer=Buffer(half=True), still=still)
        told = header if before is None else changed(before, header)
        page.evaluate(
            f"([said, text]) => {ROOT}.live(said, Uint8Array.from(atob(text),"
            f" c => c.charCodeAt(0)).buffer)",
            [{"scene": told, "whole": before is None}, base64.b64encode(numbers).decode()],
        )
        before = header
        other.weights = nested
        (stage,) = scene(other[name], X, colour=KIND).stages
        for t in (0.25, 0.5, 0.8, 1):
            found = numpy.array(bend(page, f"bend.scene.coordinates({t})")).reshape(N, -1)
            wanted = stage.at(t)
            assert abs(found - wanted).max() <= 1e-3 * numpy.ptp(wanted), (scale, t)
    assert bend(page, "[bend.updates, bend.position]") == [2, 0.5]


def test_a_page_from_disk_is_moved_by_hand_and_asks_for_nothing(
    session: nnfp.Session, opened: Any
) -> None:
    page = opened("flat")
    X = INPUTS["flat"]
    assert near(drawn(page), X)
    # Drag the scrubber to its end: there are the function's answers.
    hand = page.locator(".hand").bounding_box()
    track = page.locator(".track input").bounding_box()
    page.mouse.move(hand["x"] + 8, hand["y"] + 8)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] / 2, hand["y"] + 8, steps=4)
    assert 1 < bend(page, "bend.position") < 2
    page.mouse.move(track["x"] + track["width"], hand["y"] + 8, steps=4)
    page.mouse.up()
    assert bend(page, "bend.position") == 3
    answer = numpy.asarray(session["flat"].batch(X))
    assert near(drawn(page)[:, :1], answer)
    assert "Stage 3 of 3, dense[1]." in page.locator(".caption").inner_text()
    # Hover: the point's values, exactly as the function has them.
    x, y = page.evaluate(f"{ROOT}.at(7)")
    box = page.locator("canvas.picture").bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    point = bend(page, "bend.point")
    told = page.locator(".readout").inner_text().replace("−", "-")
    assert f"{answer[point, 0]:.3g}".rstrip("0") in told, (told, answer[point])
    assert page.locator(".head input").input_value() == str(point)
    # Brush: what is in the box, shown alone in every stage.
    bend(page, "bend.go(0)")
    places = numpy.array(bend(page, f"[...Array({N}).keys()].map(k => bend.at(k))"))
    low, high = numpy.quantile(places, 0.25, axis=0), numpy.quantile(places, 0.75, axis=0)
    page.mouse.move(box["x"] + low[0], box["y"] + low[1])
    page.mouse.down()
    page.mouse.move(box["x"] + high[0], box["y"] + high[1], steps=3)
    page.mouse.up()
    inside = ((places >= low) & (places <= high)).all(1)
    brushed = numpy.array(bend(page, "bend.brushed"), bool)
    assert 0 < brushed.sum() < N
    assert (brushed != inside).sum() <= 2  # the mouse stands on whole pixels
    assert page.locator(".links").inner_text().startswith(f"{brushed.sum()} of {N} points")
    assert [url for url in page.asked if not url.startswith("file:")] == []
    assert len(page.asked) == 1


def test_keys_alone_do_it_all(opened: Any) -> None:
    page = opened()
    page.keyboard.press("Tab")  # to the picture
    page.keyboard.press("End")
    assert bend(page, "bend.position") == 4
    page.locator(".track input").focus()
    for key, at in [
        ("Home", 0),
        ("PageUp", 1),
        ("ArrowRight", 1.05),
        ("PageUp", 2),
        ("PageDown", 1),
    ]:
        page.keyboard.press(key)
        assert bend(page, "bend.position") == at, key
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    page.keyboard.press("Space")
    page.wait_for_function(f"{ROOT}.position === 4")
    page.keyboard.press("PageDown")
    # 3-D: a turn is a rotation, by keys as by hand.
    page.get_by_role("button", name="3-D").focus()
    page.keyboard.press("Enter")
    before = numpy.array(bend(page, "bend.xyz")).reshape(-1, 3)
    page.locator("canvas.picture").focus()
    page.keyboard.press("ArrowLeft")
    after = numpy.array(bend(page, "bend.xyz")).reshape(-1, 3)
    assert numpy.abs(after - before).max() > 1e-3
    assert numpy.allclose(
        numpy.linalg.norm(after, axis=1), numpy.linalg.norm(before, axis=1), atol=1e-5
    )
    box = page.locator("canvas.picture").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 120, steps=3)
    page.mouse.up()
    turned = numpy.array(bend(page, "bend.xyz")).reshape(-1, 3)
    assert numpy.abs(turned - after).max() > 1e-2
    # A class is brushed, a point chosen, the table opened.
    page.get_by_role("button", name="True").focus()
    page.keyboard.press("Enter")
    assert bend(page, "bend.brushed.reduce((a, b) => a + b)") == int(KIND.sum())
    page.keyboard.press("Escape")
    assert bend(page, "bend.brushed") is None
    page.locator(".head input").fill("12")
    page.get_by_role("button", name="data table").press("Enter")
    assert page.locator(".data thead th").all_inner_texts()[-1] == "point 12"
    assert page.locator(".data tbody tr").count() == 5
    # Seen again with other weights, as a widget is: where one is and what is traced stays.
    bend(page, "bend.model.set('scene', { ...bend.model.get('scene') })")
    assert bend(page, "[bend.position, bend.point, bend.mode]") == [3, 12, "3-D"]
    assert page.locator(".trace .mark").count() > 5
    bend(page, "['brushed', 'traced'].forEach((name, k) => bend.model.set(name, [[3, 5], 4][k]))")
    assert bend(page, "[bend.indices(), bend.point]") == [[3, 5], 4]


def test_an_echo_of_where_a_hand_was_before_does_not_move_it_back(opened: Any) -> None:
    hears = """([at, wait]) => new Promise(done => setTimeout(() => {
        const bend = document.getElementById("widget").bend;
        bend.model.set("position", at);
        done([bend.position, bend.model.get("position")]);
    }, wait))"""
    page = opened()
    page.evaluate(f"() => {ROOT}.go(3)")
    assert page.evaluate(hears, [2.6, 0]) == [3, 3]
    # The hand has rested, and Python was told: what it sets is heard again.
    assert page.evaluate(hears, [1, 300]) == [1, 1]


def test_a_graphics_card_draws_the_same_and_may_be_lost(opened: Any) -> None:
    """Pictures of the two painters differ by a small share of their pixels' lightness."""
    pixels = PIXELS
    # The mean difference to the picture of the card, and whether there is one.
    apart = (
        f"{pixels}.reduce((sum, v, k) => sum + Math.abs(v - byCard[k]), 0) / byCard.length / 255"
    )
    page = opened("flat", painter="webgl", height=200)
    assert bend(page, "bend.painter.live")
    assert bend(page, f"(window.byCard = {pixels}).filter(v => v < 100).length") > 1000
    bend(
        page,
        "(window.lost = bend.painter.card.gl.getExtension('WEBGL_lose_context')).loseContext()",
    )
    page.wait_for_function(f"!{ROOT}.painter.live")
    assert 0 < bend(page, apart) < 0.006
    bend(page, "lost.restoreContext()")
    page.wait_for_function(f"{ROOT}.painter.live")
    assert bend(page, apart) == 0


def test_through_the_lens_lengths_and_areas_are_those_of_the_derivative(
    scenes: Callable[[str], Scene], opened: Any
) -> None:
    """Singular values and areas at nodes of the sheet; and two clicks give the geodesic."""
    made = scenes("net")
    page = opened("net", height=300)
    jets = Jets(made)
    nodes = sheet_over(made.points(made.states[0]), 32)
    some = nodes[3::7, 2::9].reshape(-1, 2)
    for k, jacobian in enumerate(jets.jacobians(some)):
        wanted = singular_values(jacobian)
        told = f"{json.dumps(some.tolist())}.map(x => bend.lens.stretched(x, {k}))"
        found = numpy.array(bend(page, told))[:, : wanted.shape[1]]
        # What is a thousandth of the most is rounded away with it in 32 bits.
        assert numpy.allclose(found, wanted, rtol=1e-3, atol=1e-3 * wanted.max())
    bend(page, "bend.go(2)")
    plain = bend(page, f"({PIXELS}).reduce((a, b) => a + b)")
    page.get_by_label("area change").check()
    assert bend(page, f"({PIXELS}).reduce((a, b) => a + b)") != plain
    page.get_by_label("geodesic").check()
    page.get_by_label("Tissot ellipses").uncheck()
    box = page.locator("canvas.picture").bounding_box()
    ends = nodes[[4, -6], [5, -9]]
    for x, y in bend(page, f"bend.lens.seen(bend, bend.ratio, {json.dumps(ends.tolist())})"):
        page.mouse.click(box["x"] + x, box["y"] + y)
    chosen = numpy.array(bend(page, "bend.curve.ends"))
    reach = numpy.ptp(nodes.reshape(-1, 2), axis=0).max()
    assert numpy.abs(chosen - ends).max() < 0.02 * reach  # the mouse stands on whole pixels
    for state in (2, 4):
        bend(page, f"bend.go({state})")
        length, straight = bend(page, "[bend.curve.found.length, bend.curve.found.straight]")
        wanted = geodesic(jets, *chosen, state)
        assert numpy.isclose(length, wanted.length, rtol=2e-3)
        assert numpy.isclose(straight, wanted.straight, rtol=2e-3)
        expect(page.locator(".lensed")).to_contain_text(f"geodesic after {made.labels[state]}")
    assert page.locator(".curves path").count() == 3
    # Keys alone: a point that is chosen is an end.
    page.locator(".head input").fill("3")
    page.locator(".head input").fill("8")
    data = made.points(made.states[0])
    assert near(numpy.array(bend(page, "bend.curve.ends")), data[[3, 8]])
    page.keyboard.press("Escape")
    assert bend(page, "bend.curve.ends.length") == 0


def test_names_are_text_and_what_moves_jumps_where_motion_is_not_wanted(opened: Any) -> None:
    kinds = numpy.where(KIND, HOSTILE, "b")
    page = opened(
        "flat", colour=kinds, motion=False, dark=True, captions={1: HOSTILE},
        bookmarks={HOSTILE: 1.5}, locked=("brush", "view"),
    )  # fmt: skip
    page.get_by_role("button", name="play").click()
    assert bend(page, "bend.position") == 1  # at once
    assert page.locator(".prose").inner_text() == HOSTILE
    page.get_by_role("button", name="pause").click()
    page.locator(".bookmarks button").click()
    assert bend(page, "bend.position") == 1.5
    assert page.locator(".legend button").first.inner_text().startswith(HOSTILE)
    assert page.locator("img").count() == 0
    assert page.title() == "flat"
    # Dark paper, and what is locked cannot be done.
    assert bend(page, "bend.canvas.getContext('2d').getImageData(2, 2, 1, 1).data[0]") < 40
    assert page.locator(".legend button").first.is_disabled()
    assert page.get_by_role("group", name="view").count() == 0


def _moved_by_mouse(page: Any, view: Any) -> None:
    """Turn, drag the scrubber, hover and brush: the points that are (0, 1)."""
    widget = view.evaluate_handle("el => el.bend")

    def now(expression: str) -> Any:
        """Of the widget, in the first frame after which nothing moves."""
        return widget.evaluate(
            "bend => new Promise(done => { const next = () => requestAnimationFrame(() =>"
            f" bend.asked || bend.easing ? next() : done({expression})); next(); }})"
        )

    def drag(start: Any, end: Any) -> None:
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*end, steps=4)
        page.mouse.up()

    def scrub(share: float) -> Any:
        """Drag the scrubber to a share of its track; where it is then."""
        now("bend.position"), now("bend.position")  # what is drawn there is in its place
        hand, track = (view.locator(name).bounding_box() for name in (".hand", ".track input"))
        y = hand["y"] + 8
        drag((hand["x"] + 8, y), (track["x"] + share * track["width"], y))
        return now("bend.position")

    view.get_by_role("button", name="3-D").click()
    before = now("Array.from(bend.xyz)")
    box = view.locator("canvas.picture").bounding_box()
    drag((box["x"] + 40, box["y"] + 40), (box["x"] + 100, box["y"] + 60))
    assert numpy.abs(numpy.subtract(now("Array.from(bend.xyz)"), before)).max() > 1e-2
    view.get_by_role("button", name="2-D").click()
    assert scrub(0) == 0
    x, y = numpy.add(now("bend.at(7)"), [box["x"], box["y"]])
    page.mouse.move(x, y)
    assert now("bend.point % 2") == 1  # twenty are in one place
    expect(view.locator(".readout")).to_have_text("(0, 1)")
    drag((x - 12, y - 12), (x + 12, y + 12))
    assert now("bend.indices()") == list(range(1, 40, 2))
    expect(view.locator(".links")).to_have_text(re.compile(r"^20 of 40 points"))
    assert 1 < scrub(0.5) < 2
    assert scrub(1) == 3


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_in_a_notebook_it_is_a_widget_that_python_can_read(
    open_notebook: Any, jupyter: tuple[str, Path], application: str
) -> None:
    program = "net : R[2] ~> R[1]\nnet = dense[3] >> tanh >> dense[1]"
    make = "%%python\nimport numpy, nnfp_kernel as nnfp\nX = numpy.eye(2)[numpy.arange(40) % 2]\n"
    make += "s = get_ipython().magics.workspace.session\nb = nnfp.widgets.Bend(s['net'], X); b"
    read = "%%python\nb.position, b.brushed == list(range(1, 40, 2))"
    verb = {"lab": "strip", "notebook": "bend"}[application]
    page = open_notebook(
        application, "nnfp", [program, make, f"%nnfp {verb} net X", read],
        dark=application == "lab",
    )  # fmt: skip
    page.set_viewport_size({"width": 1100, "height": 2200})  # both are drawn
    for k in range(3):
        run(page, k)
    first, other = cell(page, 1).locator(".nnfp-view"), cell(page, 2).locator(".nnfp-view")
    first.locator("canvas.picture").wait_for(state="attached")  # it hears of the other
    # Two over the same data move together, and Python hears of it.
    if verb == "bend":
        other.locator("canvas.picture").wait_for()
        # Python's own geodesic takes the place of the page's.
        other.get_by_label("geodesic").check()
        for point in ("3", "8"):
            other.locator(".lensed", has_text="geodesic: ").wait_for()
            other.locator(".head input").fill(point)
        other.locator(".lensed", has_text=re.compile(r"geodesic after x: [\d.]+ long")).wait_for()
        other.locator(".track input").focus()
        page.keyboard.press("PageUp")
    else:
        # A click on what is measured goes there. Bars are computed beside the cells, on demand.
        other.locator(".measure .columns .column").nth(1).click()
        other.get_by_role("button", name="compute").click()
        other.locator(".barcode").nth(3).wait_for()
        expect(other.locator(".betti")).to_have_text(["1, 0"] * 4)
    first.scroll_into_view_if_needed()
    first.locator(".caption", has_text="Stage 1 of 3, dense[3].").wait_for()
    _moved_by_mouse(page, first)
    run_until(page, 3, "(3.0, True)")  # Python is told when a hand rests
    first.scroll_into_view_if_needed()
    with page.expect_download() as kept:
        first.get_by_role("button", name="save page").click()
    assert "<title>net</title>" in Path(kept.value.path()).read_text()
    if application == "lab":
        # Saved, and opened again without that kernel: its picture, and what to do.
        first.locator(".track input").focus()
        page.keyboard.press("Control+s")  # a key of the notebook's, from inside of the widget
        page.locator(".jp-mod-dirty").first.wait_for(state="detached")
        shut_down_all(jupyter[0])
        page.reload()
        page.get_by_text("As it was saved. Run the cell for the widget.").first.wait_for()
        assert page.get_by_text("model not found").count() == 0
