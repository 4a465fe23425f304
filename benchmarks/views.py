"""What a frame of the views costs, in a browser without a graphics card.

    python benchmarks/views.py [--frames 200] [--webgl]

    a frame       20,000 points and a grid of 101 by 101 lines at a new t: positions are
                  computed, and points, grid and boundary drawn, on a canvas of 500 x 440
    in space      the same, seen in 3-D and sorted by depth
    ellipses      1,000 of Tissot's, and the sheet tinted by how area has changed
    regions       3,000 linear regions at a new t, with their borders; and one more pointed at
    an echo       a weight of 2-16-16-2 in the hand: 1,000 points, the grid and the boundary are
                  computed anew in the page, and drawn after every stage
    played        the first one as it is played: how far its frames are from each other
    the scene     from data to what a page holds, in Python; its bytes

Milliseconds of the page's thread (CPU time, of many frames together), and by the wall, medians
with quartiles: on a quiet machine both are the same. `--webgl` draws with WebGL in software, which
is why nobody does. Exit status 1 where a frame takes more than 16 ms, by either clock.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy

import nnfp_kernel as nnfp

POINTS, LINES = 20_000, 101
GOAL_MS = 16.0
PROGRAM = """
net : R[2] ~> R[1]
net = dense[3] >> tanh >> dense[3] >> tanh >> dense[1]
"""
REGIONS = """
cut : R[2] ~> R[3]
cut = dense[32] >> relu >> dense[32] >> relu >> dense[28] >> relu >> dense[3]
"""
HELD = """
held : R[2] ~> R[2]
held = dense[16] >> tanh >> dense[16] >> tanh >> dense[2]
"""
# A stage that bends (tanh) and one that turns (dense), in turns.
FRAMES = """([mode, frames]) => {
  const bend = document.getElementById("widget").bend;
  bend.look(mode);
  const rows = bend.views.rows(mode, bend.turn, bend.frame);
  const taken = [];
  for (let k = 0; k < frames; k++) {
    const start = performance.now();
    bend.position = 4 * ((k + 0.5) / frames);
    bend.focus(rows, false, 0);
    bend.paint(rows);
    bend.canvas.getContext("2d").getImageData(0, 0, 1, 1); // what was asked for is done
    taken.push(performance.now() - start);
  }
  return taken;
}"""


# The same of regions, and the other one each time under the hand.
MOSAIC = """([mode, frames]) => {
  const regions = document.getElementById("widget").regions;
  const rows = regions.views.rows("2-D");
  const taken = [];
  for (let k = 0; k < frames; k++) {
    const start = performance.now();
    if (mode === "hover") {
      regions.hovered = regions.mosaic.at(regions.flat.places, 5 + (300 * k) / frames, 150);
      regions.mark();
      document.body.offsetHeight; // laid out anew
    } else {
      regions.position = regions.scene.stages.length * ((k + 0.5) / frames);
      regions.focus(rows, false, 0);
      regions.paint(rows);
      regions.canvas.getContext("2d").getImageData(0, 0, 1, 1);
    }
    taken.push(performance.now() - start);
  }
  return taken;
}"""
# A hand that holds an entry of the first layer, back and forth.
ECHO = """([_, frames]) => {
  const hands = document.getElementById("widget").hands;
  const taken = [];
  hands.moving = true;
  for (let k = 0; k < frames; k++) {
    const start = performance.now();
    hands.weights[0] += 0.02 * Math.sin(k / 10);
    hands.stale = true;
    hands.tick();
    hands.right.canvas.getContext("2d").getImageData(0, 0, 1, 1);
    taken.push(performance.now() - start);
  }
  return taken;
}"""
PLAYED = """() => new Promise(done => {
  const bend = document.getElementById("widget").bend;
  bend.look("2-D");
  bend.go(0);
  bend.play(true);
  const taken = [];
  let last = performance.now();
  const next = (now) => {
    taken.push(now - last);
    last = now;
    if (bend.playing) requestAnimationFrame(next);
    else done(taken.slice(2));
  };
  requestAnimationFrame(next);
})"""
Taken = dict[str, tuple[float | None, list[float]]]


def shown(name: str, mean: float | None, times: list[float], goal: str) -> None:
    first, middle, last = statistics.quantiles(times, n=4)
    spent = f"{mean:8.1f} ms" if mean is not None else " " * 11
    print(f"{name:<20} {spent}   by the wall {middle:5.1f} [{first:.1f}, {last:.1f}] ms   {goal}")


def frames(pages: dict[str, Path], count: int) -> Taken:
    """For each kind of frame the mean CPU time, and the time of each by the wall."""
    from playwright.sync_api import sync_playwright

    taken: Taken = {}
    with sync_playwright() as play:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        arguments = ["--enable-unsafe-swiftshader", "--no-sandbox"]
        browser = play.chromium.launch(executable_path=chromium, args=arguments)
        page: Any = browser.new_page(viewport={"width": 860, "height": 900})
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

        def spent() -> float:
            found = devtools.send("Performance.getMetrics")["metrics"]
            return sum(each["value"] for each in found if each["name"] == "TaskDuration")

        def measured(name: str, script: str, mode: str) -> None:
            page.evaluate(script, [mode, 5])  # compiles
            begin = spent()
            times = page.evaluate(script, [mode, count])
            taken[name] = (1000 * (spent() - begin) / count, times)

        def opened(name: str) -> None:
            page.goto(pages[name].as_uri())
            page.wait_for_function(f"() => document.getElementById('widget').{name}?.camera")

        opened("bend")
        measured("a frame", FRAMES, "2-D")
        measured("a frame, in space", FRAMES, "3-D")
        taken["played"] = (None, page.evaluate(PLAYED))
        page.goto(pages["lens"].as_uri())
        page.wait_for_function("() => document.getElementById('widget').bend?.camera")
        page.get_by_label("area change").check()
        page.get_by_label("geodesic").check()
        measured("1,000 ellipses", FRAMES, "2-D")
        opened("regions")
        measured("3,000 regions", MOSAIC, "paint")
        measured("a region pointed at", MOSAIC, "hover")
        page.goto(pages["hands"].as_uri())
        page.wait_for_function("() => document.getElementById('widget').hands?.right.camera")
        measured("an echo", ECHO, "")
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--webgl", action="store_true")
    given = parser.parse_args()
    session = nnfp.Session(seed=0)
    session.run(PROGRAM + REGIONS + HELD)
    random = numpy.random.default_rng(0)
    session.weights = {
        f"cut.dense{k}.b": 0.3 * random.normal(size=size)
        for k, size in (("", 32), ("_2", 32), ("_3", 28))
    }
    X = random.normal(size=(POINTS, 2))
    kind = (X**2).sum(1) > 1
    begin = time.perf_counter()
    bend = nnfp.widgets.Bend(session["net"], X, colour=kind, lines=LINES, samples=LINES)
    seconds = time.perf_counter() - begin
    bend.options = {**bend.options, "painter": "webgl" if given.webgl else None}
    lens = nnfp.widgets.Bend(session["net"], X[:300], ellipses=32, measures=False)
    regions = nnfp.widgets.Regions(session["cut"], X[:300])
    hands = nnfp.widgets.Hands(session["held"], X[:1000], colour=kind[:1000])
    with tempfile.TemporaryDirectory() as folder:
        names = ("bend", "lens", "regions", "hands")
        pages = {name: Path(folder) / f"{name}.html" for name in names}
        size = bend.save(pages["bend"], budget=2**26)
        lens.save(pages["lens"])
        hands.save(pages["hands"])
        cut = regions.save(pages["regions"], budget=2**26)
        taken = frames(pages, given.frames)
    print(f"{lens.scene['circles'][0]:,} ellipses, {len(regions.found):,} regions")
    where = "by WebGL in software" if given.webgl else f"(goal {GOAL_MS:.0f} ms)"
    for name, (mean, times) in taken.items():
        shown(name, mean, times, where if mean is not None else "(60 a second are 16.7)")
    print(f"{'the scene':<20} {1000 * seconds:8.0f} ms   {size / 2**20:.1f} MiB as a page")
    print(f"{'the regions':<20} {cut / 2**20:22.1f} MiB as a page")
    judged = {name: each for name, each in taken.items() if each[0] is not None}
    missed = [
        name for name, (mean, times) in judged.items()
        if max(mean or 0, statistics.median(times)) > GOAL_MS
    ]  # fmt: skip
    if missed and not given.webgl:
        print(f"missed: {', '.join(missed)}")
    return int(bool(missed) and not given.webgl)


if __name__ == "__main__":
    sys.exit(main())
