"""What views cost a training that they follow: updates a second, and the kernel's own work.

    python benchmarks/live.py [--seconds 8] [--points 500] [--browser]

A network trains at full speed while `film` and `bend` follow it, as in a notebook whose front
end has said that it shows them. Printed are, for each view alone and for both:

    updates    moments that are sent, in a second of the process's CPU time, which is what a quiet
               machine has of them; and by the clock, which others who use the machine slow down
    work       CPU time of looking (weights to bytes of a message), of all CPU time of the process
    a look     milliseconds of CPU for one
    steps      taken a second, in multiples of those that are taken while nobody watches

`--browser` trains the same in JupyterLab, and counts what comes to a page. Exit status 1 where
there are fewer than 10 updates a second, or the work is more than a tenth.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.training.events import Finished, Progress
from nnfp_kernel.views.film import reel as reels

PROGRAM = """
net : R[2] ~> R[1]
net = dense[8] >> tanh >> dense[3] >> tanh >> dense[1]
"""
UPDATES, SHARE = 10.0, 0.1
WATCHED = {"film": ("film",), "bend": ("bend",), "both": ("film", "bend")}


class Looks:
    """The CPU time of looks, of all threads of the process: none of them trains meanwhile."""

    def __init__(self) -> None:
        self.count, self.seconds = 0, 0.0

    def __enter__(self) -> Looks:
        self._before = reels.Audience.see

        def see(audience: Any, reel: Any, frame: Any) -> None:
            looked, begin = audience.pace.last, time.process_time()
            self._before(audience, reel, frame)
            if audience.pace.last != looked:
                self.count += 1
                if self.count > 1:  # the first one compiles
                    self.seconds += time.process_time() - begin

        reels.Audience.see = see  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        reels.Audience.see = self._before  # type: ignore[method-assign]


def trained(views: tuple[str, ...], seconds: float, points: int) -> dict[str, float]:
    """One training for so long."""
    session = nnfp.Session(seed=0)
    session.run(PROGRAM)
    X = numpy.random.default_rng(0).normal(size=(points, 2))
    kind = (X**2).sum(1) > 1
    made = [getattr(nnfp.widgets, name.title())(session["net"], X, colour=kind) for name in views]
    for view in made:
        view._asked(view, "here", [])
    data = [X, 2.0 * kind[:, None] - 1]
    steps, begin, cpu, last = 0, 0.0, 0.0, 0.0
    with Looks() as looks:
        events = session.train("net", data, loss="squaredError", epochs=10**9, rate=0.003)
        for event in events:
            if isinstance(event, Progress):
                last = time.perf_counter()
                if not begin and event.seconds > 1.5:  # all is compiled, chunks have their length
                    begin, cpu, steps = last, time.process_time(), event.step
                    looks.count, looks.seconds = 1, 0.0
                if begin and last - begin > seconds:
                    break
        passed, spent = last - begin, time.process_time() - cpu
        taken = event.step - steps if isinstance(event, Progress) else 0
        found = looks.count - 1, looks.seconds
        ended = events.throw(KeyboardInterrupt())
        assert isinstance(ended, Finished)
        events.close()
    count, own = found
    return {
        "updates": count / spent,
        "clock": count / passed,
        "work": own / spent,
        "look": 1000 * own / max(count, 1),
        "steps": taken / passed,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--browser", action="store_true")
    given = parser.parse_args()
    missed = []
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in WATCHED}
    for _ in range(given.repeats):  # alternating, so that a busy moment falls on all of them
        alone = trained((), given.seconds, given.points)["steps"]
        for name, views in WATCHED.items():
            found = trained(views, given.seconds, given.points)
            rounds[name].append({**found, "steps": found["steps"] / alone})
    print(f"{given.points} points, medians of {given.repeats}")
    for name, found in rounds.items():
        updates, clock, work, look, steps = (
            statistics.median(each[key] for each in found)
            for key in ("updates", "clock", "work", "look", "steps")
        )
        print(
            f"{name:<6} {updates:5.1f} updates a second ({clock:4.1f} by the clock)   "
            f"work {100 * work:4.1f} %   a look {look:4.1f} ms   steps × {steps:.2f}"
        )
        if updates < UPDATES or work > SHARE:
            missed.append(name)
    if given.browser:
        drawn = in_browser(given.seconds, given.points)
        for name, rate in drawn.items():
            print(f"{name:<6} {rate:5.1f} updates a second by the clock in JupyterLab, both shown")
    if missed:
        print("missed:", ", ".join(missed))
    return int(bool(missed))


CELLS = (
    """%%python
import numpy
X = numpy.random.default_rng(0).normal(size=({points}, 2))
kind = (X**2).sum(1) > 1
y = 2.0 * kind[:, None] - 1""",
    PROGRAM.strip(),
    "%nnfp film net X --colour kind",
    "%nnfp bend net X --colour kind",
    "%nnfp train net --data X,y --loss squaredError --epochs 1000000000 --rate 0.003",
)
COUNTED = "name => document.querySelector(`.nnfp-${name}`)?.[name].updates ?? 0"


def in_browser(seconds: float, points: int) -> dict[str, float]:
    """How often a page of JupyterLab has heard of each view in a second, both shown."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, laboratory(Path(name), points) as address:
        with sync_playwright() as play:
            arguments = ["--enable-unsafe-swiftshader", "--no-sandbox"]
            chromium = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = play.chromium.launch(executable_path=chromium, args=arguments)
            page: Any = browser.new_page(viewport={"width": 1100, "height": 2400})
            page.set_default_timeout(90_000)
            page.goto(f"{address}/lab/tree/live.ipynb?reset")
            page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/")
            for k in range(len(CELLS)):
                page.locator(".jp-CodeCell").nth(k).locator(".cm-content").click()
                page.keyboard.press("Control+Enter")
                if k < len(CELLS) - 1:
                    ended = page.locator(".jp-CodeCell .jp-InputPrompt").nth(k).element_handle()
                    page.wait_for_function("e => /\\d/.test(e.textContent)", arg=ended)
            names = ("film", "bend")
            for each in names:
                page.wait_for_function(f"n => ({COUNTED})(n) > 10", arg=each)
            begin, before = time.perf_counter(), [page.evaluate(COUNTED, n) for n in names]
            page.wait_for_timeout(1000 * seconds)
            after, passed = [page.evaluate(COUNTED, n) for n in names], time.perf_counter() - begin
            browser.close()
        rates = [(b - a) / passed for a, b in zip(before, after, strict=True)]
        return dict(zip(names, rates, strict=True))


@contextlib.contextmanager
def laboratory(folder: Path, points: int) -> Iterator[str]:
    """JupyterLab on loopback with a notebook of the CELLS; its address."""
    from nnfp_kernel.kernel.install import install

    install(prefix=str(folder / "prefix"))
    paths = [str(folder / "prefix" / "share" / "jupyter"), os.environ.get("JUPYTER_PATH", "")]
    cells = [
        {"cell_type": "code", "id": f"cell-{k}", "metadata": {}, "execution_count": None,
         "outputs": [], "source": text.replace("{points}", str(points))}
        for k, text in enumerate(CELLS)
    ]  # fmt: skip
    kernel = {"name": "nnfp", "display_name": "nnfp", "language": "nnfp"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "cells": cells,
                "metadata": {"kernelspec": kernel}}  # fmt: skip
    (folder / "live.ipynb").write_text(json.dumps(notebook))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        "--allow-root", "--ServerApp.token=", "--ServerApp.password=",
        "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    environment = {**os.environ, "JUPYTER_PATH": os.pathsep.join(filter(None, paths))}
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet, cwd=folder)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(450):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/api/status"):
                break
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    sys.exit(main())
