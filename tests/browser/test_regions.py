"""Linear regions in a browser: each is drawn where the function has it, is found under the hand in
every layer, and its affine map is the function's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy
import pytest

import nnfp_kernel as nnfp

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROGRAM = "net : R[2] ~> R[1]\nnet = dense[4] >> relu >> dense[3] >> relu >> dense[1]"
X = numpy.random.default_rng(0).normal(size=(40, 2))
HOSTILE = "<img src=x onerror=document.title='caught'>"
ROOT = "document.getElementById('widget').regions"


@pytest.fixture(scope="module")
def shown(session: nnfp.Session) -> Any:
    random = numpy.random.default_rng(1)
    session.weights = jax.tree.map(lambda w: w + 0.4 * random.normal(size=w.shape), session.weights)
    kinds = numpy.where(X[:, 0] > 0, HOSTILE, "b")
    return nnfp.widgets.Regions(session["net"], X, colour=kinds)


@pytest.fixture(scope="module")
def page(shown: Any, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path: Path = tmp_path_factory.mktemp("pages") / "regions.html"
    shown.save(path)
    made = browser.new_page(
        viewport={"width": 860, "height": 900}, color_scheme="dark", reduced_motion="reduce",
        bypass_csp=True,
    )  # fmt: skip
    made.asked = []
    made.on("request", lambda request: made.asked.append(request.url))
    made.on("pageerror", lambda error: pytest.fail(str(error)))
    made.goto(path.as_uri())
    made.wait_for_function(f"{ROOT}?.camera && {ROOT}.flat.places")
    yield made
    made.close()


def regions(page: Any, expression: str) -> Any:
    """Something of the widget, in the first frame after which nothing moves."""
    return page.evaluate(
        f"() => new Promise(done => {{ const regions = {ROOT};"
        " const next = () => requestAnimationFrame(() => {"
        "   if (regions.asked || regions.easing) return next();"
        f"  const v = {expression}; done(ArrayBuffer.isView(v) ? Array.from(v) : v); }});"
        " requestAnimationFrame(next); })"
    )


def test_corners_are_where_the_function_has_them(session: nnfp.Session, page: Any) -> None:
    corners = numpy.array(regions(page, "regions.mosaic.corners")).reshape(-1, 2)
    first = regions(page, "3 * regions.scene.boundaryEnd")
    for at, wanted in ((0, corners), (5, numpy.asarray(session["net"].batch(corners)))):
        regions(page, f"regions.go({at})")
        drawn = numpy.array(regions(page, f"regions.xyz.slice({first})")).reshape(-1, 3)
        width = wanted.shape[1]
        assert numpy.abs(drawn[:, :width] - wanted).max() < 1e-5 * numpy.ptp(wanted)


def test_what_is_pointed_at_is_seen_in_every_layer_with_its_map(shown: Any, page: Any) -> None:
    found = shown.found
    r = int(found.polygons.areas.argmax())
    regions(page, "regions.go(2)")
    box = page.locator("canvas.slice").bounding_box()
    low = found.polygons.corners.reshape(-1, 2).min(0)
    reach = found.polygons.corners.reshape(-1, 2).max(0) - low
    middle, scale = low + reach / 2, box["width"] / (1.02 * reach.max())
    x, y = (found.polygons.centres[r] - middle) * scale * (1, -1) + box["width"] / 2
    page.mouse.move(box["x"] + x, box["y"] + y)
    assert regions(page, "regions.region") == r
    outlines = page.locator("polygon.region").evaluate_all("all => all.map(e => e.points.length)")
    assert outlines == [found.polygons.counts[r]] * (2 + len(found.values))
    # Row by row what the function is there.
    told = page.locator("table.map").inner_text().replace("−", "-").replace("- ", "-")
    numbers = [float(word) for word in told.replace("+", " ").split() if _is_number(word)]
    slopes = found.slopes[2][r][:4]
    shift = found.values[2][r][:4] - slopes @ found.polygons.centres[r]
    wanted = numpy.concatenate([slopes, shift[:, None]], axis=1)
    rows = numpy.array(numbers).reshape(len(wanted), -1)
    # Each row: its own number, three entries, and behind the first two the number of the input.
    assert numpy.allclose(rows[:, [1, 3, 5]], wanted, rtol=6e-3, atol=1e-3), (rows, wanted)
    # The same region under the hand in its image.
    own = regions(page, f"regions.mosaic.outline(regions.image.places, {r}, regions.ratio)")
    places = numpy.array([[float(v) for v in pair.split(",")] for pair in own.split()])
    assert regions(
        page, f"regions.mosaic.at(regions.image.places, {places.mean(0)[0]}, {places.mean(0)[1]})"
    ) in {r, *_over(found, r, 2)}


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _over(found: Any, r: int, state: int) -> set[int]:
    """The regions that a fold has put over another one's middle."""
    there = found.values[state][r]
    corners = found.corners(state)
    low, high = corners.min(1), corners.max(1)
    inside = ((low <= there + 1e-6) & (there - 1e-6 <= high)).all(1)
    return set(numpy.flatnonzero(inside).tolist())


def test_keys_alone_do_it_all_and_names_are_text(shown: Any, page: Any) -> None:
    page.mouse.move(1, 1)
    page.locator("canvas.slice").focus()
    page.keyboard.press("ArrowRight")
    assert regions(page, "regions.region") == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert 0 <= regions(page, "regions.region") < len(shown.found)
    page.keyboard.press("Home")
    assert regions(page, "regions.position") == 0
    page.keyboard.press("Space")  # from tick to tick, without motion
    assert regions(page, "regions.position") == 1
    page.keyboard.press("Escape")
    assert regions(page, "[regions.region, regions.playing]") == [-1, False]
    assert page.locator(".patch").first.inner_text() == HOSTILE
    pixels = "regions.canvas.getContext('2d').getImageData(0, 0, 300, 300).data.join()"
    seen = {regions(page, pixels)}
    for by in ("region", "map", "area"):
        page.get_by_role("button", name=by, exact=True).press("Enter")
        seen.add(regions(page, pixels))
    assert len(seen) >= 3  # the first stage has one region, and one map
    page.get_by_role("button", name="data table").press("Enter")
    cells = page.locator(".data tbody td:nth-child(3)").all_inner_texts()
    assert cells == [f"{count:,}" for count in shown.found.counts]
    page.locator(".bar .head input").fill("3")
    assert regions(page, "regions.region") == 3
    assert page.locator("img").count() == 0
    assert page.title() == "net"
    assert (
        regions(page, "regions.flat.canvas.getContext('2d').getImageData(2, 2, 1, 1).data[0]") < 60
    )
    assert len(page.asked) == 1  # the file itself
