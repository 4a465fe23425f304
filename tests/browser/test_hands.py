"""Weights in the hand, in a browser: what a page computes is what the kernel computes, and what
a hand has changed goes into the session."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy
import pytest
from browser.cells import expect, run, start, wait
from browser.conftest import shut_down_all

import nnfp_kernel as nnfp
from nnfp_kernel.views.scene import scene
from nnfp_kernel.views.scene.handed import handed, vector
from nnfp_kernel.views.scene.tape import tape

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROGRAM = """
net : R[2] ~> R[1]
net = dense[3] >> tanh >> dense[2] >> relu >> dense[1]

three : R[2] ~> R[3]
three = residual (dense[2] >> softplus) >> dense[4] >> sigmoid >> dense[3] >> softmax

beside : (R[2], R[3]) ~> (R[2], R[1])
beside = (dense[2] >> tanh) *** dense[1]

layer : R[2] ~> R[2]
layer x = x + 0.5 * gelu (?W @ x + ?b)

stacked : R[2] ~> R[2]
stacked = stack[3] layer >> iterate[2] (dense[2] >> silu) >> standardize >> logSoftmax

cell : (R[3], R[2]) ~> R[3]
cell (h, x) = tanh (?W @ h + ?U @ x + ?b)

encode : R[2][4] ~> R[3]
encode xs = fold cell zero xs

mixed : R[4] ~> R[2]
mixed x = let y = dense[6] x in take[2] (reverse (y * erf y / (1 + square y))) - drop[4] (exp y)

settled : R[2] ~> R[2]
settled x = dense[2] (fixpoint (\\y -> tanh (0.1 * y + x)) zero)
"""
N = 40
HOSTILE = "<img src=x onerror=document.title='caught'>"
SINCE = "A hand has moved the weights since"
ROOT = "document.getElementById('widget').hands"


def data(*shape: int) -> Any:
    return numpy.random.default_rng(len(shape)).normal(size=(N, *shape))


KIND = data(2)[:, 0] > 0
INPUTS: dict[str, tuple[Any, ...]] = {
    "net": (data(2),), "three": (data(2),), "beside": ((data(2), data(3)),), "stacked": (data(2),),
    "encode": (data(4, 2),), "mixed": (data(4),), "settled": (data(2),),
}  # fmt: skip


@pytest.fixture
def opened(session: nnfp.Session, open_saved: Any) -> Any:
    """Opens a saved page from disk."""

    def open_(name: str = "net", colour: Any = KIND, dark: bool = False, **more: Any) -> Any:
        hands = nnfp.widgets.Hands(session[name], *INPUTS[name], colour=colour, **more)
        return open_saved(hands, f"{ROOT}?.frame", dark=dark, motion=False)

    return open_


def live(name: str) -> str:
    """A widget of a notebook."""
    return f"document.querySelector('.nnfp-{name}')?.{name}"


def hands(page: Any, expression: str) -> Any:
    """Something of the widget, after the next frame."""
    return page.evaluate(
        f"() => new Promise(done => {{ const hands = {ROOT};"
        f" const next = () => requestAnimationFrame(() => {{ if (hands.asked) return next();"
        f"   const v = {expression}; done(ArrayBuffer.isView(v) ? Array.from(v) : v); }});"
        f" requestAnimationFrame(next); }})"
    )


def near(found: Any, wanted: Any) -> bool:
    """To 1e-5 of the extent."""
    apart = numpy.abs(numpy.asarray(found) - wanted).max()
    return bool(apart <= 1e-5 * max(float(numpy.ptp(wanted)), 1e-9))


def states(page: Any) -> list[Any]:
    """Where the points are after each stage, as the page has computed it."""
    found = hands(
        page, "hands.scene.states.map(s => Array.from(hands.frame.values(s.columns)).slice(0, hands.count * s.size))"
    )  # fmt: skip
    return [numpy.array(each) for each in found]


def weights(page: Any) -> Any:
    return numpy.array(hands(page, "hands.weights"))


def kernels(session: nnfp.Session, found: Any, points: Any) -> list[Any]:
    """The same by the kernel, with these weights."""
    made = scene(session["net"], points, lines=0)
    before, nested = vector(made), session.weights
    for weight in tape(made).weights:
        path, here = ".".join(weight.path), slice(weight.start, weight.start + weight.size)
        session.weights = {path: found[here].reshape(weight.shape)}
    try:
        return [state.reshape(-1) for state in scene(session["net"], points, lines=0).states]
    finally:
        session.weights = nested
        assert near(vector(scene(session["net"], points, lines=0)), before)


def test_a_page_computes_what_the_kernel_computes(session: nnfp.Session, opened: Any) -> None:
    """Every stage and the boundary, to 1e-5 of the extent."""
    page = opened()
    for name, inputs in INPUTS.items():
        if name == "settled":
            continue
        three = numpy.arange(N) % 3
        made = scene(session[name], *inputs, colour=three if name == "three" else KIND, lines=4)
        header, grid = handed(made, tape(made))
        assert header["tape"]["missing"] == ""
        buffers = [
            grid,
            vector(made).tobytes(),
            made.points(made.states[0]).astype("<f8").tobytes(),
        ]
        found = page.evaluate(
            f"""([header, ...texts]) => {{
              const buffer = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
              const [grid, weights, points] = texts.map(buffer);
              const forward = new ({ROOT}.forward.constructor)(header, Float64Array.from(new Float32Array(grid)));
              const frame = forward.frame(new Float64Array(weights), new Float64Array(points));
              return {{ states: header.states.map((s) => Array.from(frame.values(s.columns))),
                       gridEnd: frame.gridEnd, ends: frame.total - frame.gridEnd }};
            }}""",
            [header, *(base64.b64encode(each).decode() for each in buffers)],
        )
        for state, wanted in zip(found["states"], made.states, strict=True):
            rows = numpy.array(state).reshape(-1, wanted.shape[1])
            assert near(rows[: found["gridEnd"]], wanted[: found["gridEnd"]]), name
        # Where the answer changes two classes are told the same.
        if made.compared:
            assert found["ends"] > 0
            last = numpy.array(found["states"][-1]).reshape(-1, made.states[-1].shape[1])
            ends = numpy.sort(last[found["gridEnd"] :], axis=1)
            apart = ends[:, -1] - ends[:, -2] if ends.shape[1] > 1 else ends[:, 0] - made.level
            assert numpy.median(numpy.abs(apart)) < 0.02 * numpy.ptp(last)


def test_an_arrow_is_dragged_and_the_page_asks_for_nothing(
    session: nnfp.Session, opened: Any
) -> None:
    page = opened(layer=1)
    X = INPUTS["net"][0]
    before = weights(page)
    layer = hands(page, "hands.scene.layers[1]")
    assert (layer["label"], layer["rows"], layer["size"]) == ("dense[2]", 2, 3)
    # Drag the end of column 2: its entries change, and no others; it is where the hand is.
    end = page.locator(".hold .end").nth(2).bounding_box()
    goal = (end["x"] + 40, end["y"] - 25)
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2)
    page.mouse.down()
    page.mouse.move(goal[0] + end["width"] / 2, goal[1] + end["height"] / 2, steps=4)
    page.mouse.up()
    after = weights(page)
    column = [layer["matrix"][2], layer["matrix"][5]]
    assert sorted(numpy.flatnonzero(after != before)) == sorted(column)
    for found, wanted in zip(states(page), kernels(session, after, X), strict=True):
        assert near(found, wanted)
    assert "column 2 of dense[2]: (" in page.locator(".caption").inner_text()
    assert "In this page alone" in page.locator(".caption").inner_text()
    # The numbers beside it are those; one of them is written exactly.
    field = page.get_by_label("row 1, column 2")
    assert float(field.input_value()) == pytest.approx(after[column[1]], rel=1e-3)
    field.fill("0.125")
    field.press("Enter")
    assert weights(page)[column[1]] == 0.125
    # A singular value: the others stay, and so do the directions.
    page.get_by_role("button", name="singular values").click()
    matrix = weights(page)[layer["matrix"]].reshape(2, 3)
    left, sizes, right = numpy.linalg.svd(matrix, full_matrices=False)
    page.get_by_label("singular value 1", exact=True).fill("3")
    page.keyboard.press("Enter")
    made = weights(page)[layer["matrix"]].reshape(2, 3)
    assert numpy.allclose(made, (left * [3, sizes[1]]) @ right, atol=1e-9)
    # Undone step by step; reset; and that undone.
    for _ in range(3):
        page.get_by_role("button", name="undo").click()
    assert (weights(page) == before).all()
    assert page.get_by_role("button", name="undo").is_disabled()
    page.get_by_role("button", name="redo").click()
    assert (weights(page) == after).all()
    page.get_by_role("button", name="reset").click()
    assert (weights(page) == before).all()
    page.keyboard.press("Control+z")
    assert (weights(page) == after).all()
    # No kernel is there to train.
    train = page.get_by_role("button", name="train on")
    assert train.is_disabled()
    assert "needs a kernel" in train.get_attribute("title")
    assert "needs a kernel" in page.locator(".told").inner_text()
    assert len(page.asked) == 1
    assert page.asked[0].startswith("file:")


def test_points_are_drawn_and_taken_away(session: nnfp.Session, opened: Any) -> None:
    names = numpy.where(KIND, HOSTILE, "b")
    page = opened(colour=names, dark=True)
    score = page.locator(".score").inner_text()
    assert score.endswith(f"of {N} points right")
    page.get_by_role("button", name=HOSTILE).click()
    box = page.locator("canvas.picture").first.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 60, steps=8)
    page.mouse.up()
    count = hands(page, "hands.count")
    assert N + 5 <= count <= N + 11
    points = numpy.array(hands(page, "hands.points")).reshape(-1, 2)
    assert hands(page, "hands.kinds")[N:] == [0] * (count - N)
    # They go through all stages at once, as the kernel says.
    for found, wanted in zip(states(page), kernels(session, weights(page), points), strict=True):
        assert near(found, wanted)
    page.get_by_role("button", name="erase").click()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.up()
    assert hands(page, "hands.count") < count
    page.get_by_role("button", name="undo").click()
    assert hands(page, "hands.count") == count
    # Names are text, and the paper is dark.
    assert page.locator("img").count() == 0
    assert page.title() == "net"
    dark = "hands.left.canvas.getContext('2d').getImageData(2, 2, 1, 1).data[0]"
    assert hands(page, dark) < 40


def test_what_a_page_does_not_compute_is_shown_as_it_was(
    session: nnfp.Session, opened: Any
) -> None:
    """And it says why it is not to be moved."""
    page = opened("settled")
    made = scene(session["settled"], INPUTS["settled"][0], lines=0)
    for found, wanted in zip(states(page), made.states, strict=True):
        assert near(found, wanted.reshape(-1))
    assert "This page does not compute `fixpoint`" in page.locator(".caption").inner_text()
    before = weights(page)
    page.locator(".hold .end").first.focus()
    page.keyboard.press("ArrowRight")
    assert (weights(page) == before).all()
    assert page.get_by_label("row 0, column 0").is_disabled()
    assert page.get_by_role("button", name="erase").is_disabled()
    # With a kernel it asks: what comes back is of the weights that were sent.
    page.evaluate(
        f"""() => {{
          const hands = {ROOT};
          hands.model.send = (said, _, buffers) => (window.sent = [said, buffers.map((each) =>
            btoa(String.fromCharCode(...new Uint8Array(each))))]);
          hands.kernel = true;
          hands.weights[0] = 2;
          hands.changed();
        }}"""
    )
    page.wait_for_function("window.sent")
    said, texts = page.evaluate("window.sent")
    assert said["do"] == "ask"
    kernel = nnfp.widgets.Hands(session["settled"], *INPUTS["settled"], colour=KIND)
    answers: list[Any] = []
    kernel.send = lambda *answer: answers.append(answer)
    kernel._asked(kernel, said, [base64.b64decode(text) for text in texts])
    answer, buffers = answers[0]
    page.evaluate(
        f"""([said, texts]) => {ROOT}.answered(said, texts.map((text) =>
          new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer)))""",
        [answer, [base64.b64encode(each).decode() for each in buffers]],
    )
    moved = states(page)[-1].reshape(-1, 2)
    stay = made.states[-1] + (made.states[1] * [2 - before[0], 0]).sum(1)[:, None] * [1, 0]
    assert near(moved, stay)


def test_keys_alone_move_arrows_and_draw(opened: Any) -> None:
    page = opened()
    before = weights(page)
    page.locator("canvas.picture").first.focus()
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    assert hands(page, "hands.count") == N + 1
    page.keyboard.press("Delete")
    assert hands(page, "hands.count") == N
    # Tab reaches the arrows; the arrow keys move them, and a rest ends that: one step to undo.
    end = page.locator(".hold .end").first
    end.focus()
    said = end.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    moved = weights(page)
    assert numpy.flatnonzero(moved != before).tolist() == [0, 2, 4]  # of three rows
    assert hands(page, "document.activeElement.getAttribute('aria-valuetext')") != said
    page.wait_for_function(f"!{ROOT}.moving")
    page.keyboard.press("Control+z")
    assert (weights(page) == before).all()
    # The next layer, by its name in the program; there a line's arrows are sliders.
    page.get_by_role("button", name="dense[1]").press("Enter")
    assert hands(page, "hands.layer") == 2
    page.get_by_role("button", name="data table").press("Enter")
    assert hands(page, "hands.table.querySelectorAll('tbody tr').length") == 3


def test_in_a_notebook_the_weights_are_the_sessions(
    open_notebook: Any, jupyter: tuple[str, Path]
) -> None:
    """Also those that a hand has changed while a cell ran; and training goes on from them. What
    is linked is redrawn and measured anew, or says that they have moved."""
    program = "net : R[2] ~> R[1]\nnet = dense[3] >> relu >> dense[1]"
    make = "%%python\nimport numpy\nX = numpy.random.default_rng(0).normal(size=(60, 2))\ny = X[:, 0] > 0"
    read = "%%python\nget_ipython().magics.workspace.session.weights['net']['dense']['W'][0, 0]"
    slow = "%%python\nimport time\ntime.sleep(2)"
    page = open_notebook(
        "lab", "nnfp",
        [program, make, "%nnfp hands net X --colour y --epochs 1000000", read, slow, read,
         *(f"%nnfp {verb} net X --colour y" for verb in ("bend", "regions", "film", "strip"))],
    )  # fmt: skip
    page.set_viewport_size({"width": 1100, "height": 4200})  # all are drawn
    for k in (0, 1, 2, 6, 7, 8, 9):
        run(page, k)
    page.wait_for_function(
        " && ".join(f"{live(name)}?.camera" for name in ("bend", "regions", "film"))
    )
    measures = f"JSON.stringify({live('strip')}.model.get('measures'))"
    ends = (
        f"[{live('bend')}.scene.values(3, 0).join(), {live('regions')}.mosaic.corners.join(),"
        f" {measures}]"
    )
    first = page.evaluate(ends)
    hands = page.locator(".nnfp-hands")
    caption = hands.locator(".caption")
    field = hands.get_by_label("row 0, column 0")
    field.fill("1.25")
    field.press("Enter")
    expect(caption).to_contain_text("In the session.")
    page.wait_for_function(f"first => {ends}.every((now, k) => now !== first[k])", arg=first)
    page.locator(".nnfp-film .caption", has_text=SINCE).wait_for()
    page.wait_for_function(f"!{live('strip')}.moved")
    expect(page.locator(".nnfp-strip .caption")).not_to_contain_text(SINCE)
    expect(page.locator(".nnfp-strip.before")).to_have_count(0)
    # A region under the hand is marked in the plane, in its image, and in every layer.
    frame = page.locator(".nnfp-regions .frame").first.bounding_box()
    assert (
        abs(frame["width"] - frame["height"]) < 2
    )  # the film's style, which came later, is its own
    page.locator(".nnfp-regions canvas.slice").hover()
    page.wait_for_function(f"{live('regions')}.region >= 0 && !{live('regions')}.asked")
    marks = page.locator(".nnfp-regions polygon.region")
    drawn = marks.evaluate_all("all => all.map(each => each.points.length)")
    assert len(drawn) == 2 + 4
    assert len(set(drawn)) == 1
    assert drawn[0] >= 3
    expect(run(page, 3)).to_contain_text("1.25")
    prompt = start(page, 4)
    field.fill("2.5")
    field.press("Enter")
    page.wait_for_function(f"!{live('hands')}.waiting")  # it is asked again when the cell has ended
    expect(caption).to_contain_text("In the session.")
    wait(page, prompt)
    expect(run(page, 5)).to_contain_text("2.5")
    # Train on: the page follows, and a press on the same button stops it.
    measured = page.evaluate(measures)
    hands.get_by_role("button", name="train on").click()
    hands.get_by_role("button", name="stop").wait_for()
    page.wait_for_function("document.querySelector('.nnfp-hands .share i').offsetWidth > 3")
    expect(field).not_to_have_value("2.5")
    expect(field).to_be_disabled()
    page.locator(".nnfp-strip .caption", has_text="A training is running").wait_for()
    hands.get_by_role("button", name="stop").click()
    hands.locator(".told", has_text="weights are kept").wait_for()
    page.wait_for_function(f"before => {measures} !== before", arg=measured)
    page.locator(".nnfp-strip:not(.before)").wait_for()
    expect(field).to_be_enabled()
    hands.get_by_role("button", name="undo").click()
    expect(field).to_have_value("2.5")
    with page.expect_download() as kept:
        hands.get_by_role("button", name="save page").click()
    assert "<title>net</title>" in Path(kept.value.path()).read_text()
    # Where no kernel is there to measure, all say that they are of before, until it is undone.
    followers = ("strip", "bend", "regions")
    captions = [page.locator(f".nnfp-{name} .caption") for name in followers]
    caption.filter(has_text="Undone. In the session.").wait_for()
    page.wait_for_function(" && ".join(f"!{live(name)}.moved" for name in followers))
    shut_down_all(jupyter[0])
    field.fill("0.5")
    field.press("Enter")
    for own in captions:
        own.filter(has_text=SINCE).wait_for()
    expect(page.locator(".nnfp-strip.before")).to_have_count(1)
    hands.get_by_role("button", name="undo").click()
    for own in captions:
        own.filter(has_not_text=SINCE).wait_for()
