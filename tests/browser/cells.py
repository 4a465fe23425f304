"""What a person does with the cells of a notebook, in JupyterLab and in Notebook alike.

A page shows what a hand has done a frame later, what a kernel was asked for when it has answered.
So what is read of a page is waited for: `expect(locator).to_have_text(…)`, `page.wait_for_function`.
"""

from __future__ import annotations

import time
from typing import Any

# A training on data from Python: three numbers, and their sum.
DATA = """\
%%python
import numpy
X = numpy.random.default_rng(0).normal(size=(256, 3))
y = X.sum(1)"""


def expect(it: Any) -> Any:
    """Playwright's assertions, which look until they hold or a minute has passed."""
    from playwright.sync_api import expect as of

    of.set_options(timeout=60_000)
    return of(it)


def cell(page: Any, place: int) -> Any:
    return page.locator(".jp-CodeCell").nth(place)


def start(page: Any, place: int) -> Any:
    """Run a cell; its prompt."""
    cell(page, place).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell(page, place).locator(".jp-InputPrompt")


def wait(page: Any, prompt: Any, most_s: float = 90) -> None:
    """Wait until a cell that runs has ended; it fails if that takes longer than it may."""
    page.wait_for_function(
        "e => /\\[\\d+\\]:/.test(e.textContent)", arg=prompt.element_handle(), timeout=most_s * 1000
    )


def run(page: Any, place: int) -> Any:
    """Run a cell, and wait for it: its outputs."""
    wait(page, start(page, place))
    return cell(page, place).locator(".jp-OutputArea-output")


def run_until(page: Any, place: int, told: str, most_s: float = 60) -> None:
    """Run a cell again and again until it tells what the kernel is to hear from a page by then."""
    end = time.monotonic() + most_s
    while told not in (shown := " ".join(run(page, place).all_inner_texts())):
        assert time.monotonic() < end, (told, shown)
