"""A notebook from somebody else, whose HTML the front end sanitises: it stays legible."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy
import pytest
from browser.cells import expect

from nnfp_kernel import NnfpError
from nnfp_kernel.magics.terminal import TerminalHost
from nnfp_kernel.magics.verb import View
from nnfp_kernel.magics.workspace import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "rep Word = R[4]\nencode : [Word] ~> R[8]\nencode = fold cell zero\n"
    "cell : (R[8], Word) ~> R[8]\ncell (h, Word x) = tanh (?W @ h + ?U @ x)\n"
    "flat : R[2] ~> R[1]\nflat = dense[1] >> tanh",
    "[[1, 2.5], [3, 4]]",
    "encode >> encode",
    "%nnfp graph encode",
    "%nnfp derivative cell --steps",
    "%nnfp bend flat X",  # a widget, whose kernel has gone
]
GONE = {"model_id": "0" * 32, "version_major": 2, "version_minor": 1}


@cache
def left() -> list[list[dict[str, Any]]]:
    """What the cells showed, in all its forms."""
    workspace = Workspace(TerminalHost(), {"X": numpy.eye(2)})

    def shown(cell: str) -> View | None:
        if cell.startswith("%nnfp"):
            return workspace.line(cell.removeprefix("%nnfp"))
        try:
            return workspace.run(cell)
        except NnfpError as error:
            return View(error.render(), error.render_html())

    views = [view for cell in CELLS if (view := shown(cell)) is not None]
    assert len(views) == len(CELLS)
    data = [view._repr_mimebundle_() for view in views]
    data[-1]["application/vnd.jupyter.widget-view+json"] = GONE
    return [[{"output_type": "display_data", "data": each, "metadata": {}}] for each in data]


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_what_is_not_trusted_can_be_read(open_notebook: Any, application: str) -> None:
    page = open_notebook(application, "nnfp", CELLS, outputs=left())
    outputs = page.locator(".jp-CodeCell .jp-OutputArea-output")
    expect(outputs).to_have_count(len(CELLS))
    for k, first in enumerate(["encode", "2.5", "do not compose", "fold", "tanh", "flat : R[2]"]):
        expect(outputs.nth(k)).to_contain_text(first)
    # It is sanitised: no style of ours is left, which every output brings.
    assert "<style" in str(left())
    assert not page.locator(".jp-OutputArea-output style").count()
    texts = [outputs.nth(k).inner_text() for k in range(len(CELLS))]
    shown = {part.strip() for line in texts[0].splitlines() for part in line.split("\t")}
    assert {"encode", "[Word] ~> R[8]", "cell", "(R[8], Word) ~> R[8]"} <= shown
    assert "2.5" in texts[1]
    assert "these representations do not compose" in texts[2]
    assert "encode >> encode" in texts[2]
    assert "fold" in texts[3]
    assert "tanh" in texts[4]
    assert "flat : R[2] ~> R[1]" in texts[5]
    assert "turns, stretches and shifts" in texts[5]  # the table: an SVG is not let through
