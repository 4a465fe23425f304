"""What a person does with the cells of a notebook, in JupyterLab and in Notebook alike."""

from __future__ import annotations

from typing import Any

# A training on data from Python: three numbers, and their sum.
DATA = """\
%%python
import numpy
X = numpy.random.default_rng(0).normal(size=(256, 3))
y = X.sum(1)"""


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
