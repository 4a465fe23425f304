"""`%nnfp bend NAME X [--colour y]`: the data after every stage of a function."""

from __future__ import annotations

from . import present
from .verb import Arguments, Verb, View
from .weights import definition
from .workspace import Workspace

USAGE = "%nnfp bend NAME X,… [--colour Y] [--scale one|own] [--level L]"
ARGUMENTS = Arguments("bend", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("data")
ARGUMENTS.add_argument("--colour")
ARGUMENTS.add_argument("--scale", choices=("one", "own"))
ARGUMENTS.add_argument("--level", type=float)


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    function = present.function(workspace.session, definition(workspace, given.name, VERB))
    names = [name for name in given.data.split(",") if name]
    inputs = [workspace.data(name, f"{given.name} {name}") for name in names]
    colour = given.colour and workspace.data(given.colour, f"--colour {given.colour}")

    from nnfp_kernel.language.palette import picture
    from nnfp_kernel.views.scene import scene
    from nnfp_kernel.views.scene.text import table
    from nnfp_kernel.views.style import escape, page
    from nnfp_kernel.views.table import grid_to_text
    from nnfp_kernel.widgets import figures

    shown = scene(function, *inputs, colour=colour, level=given.level)
    svg = figures.to_svg(figures.bend(shown, scale=given.scale))
    rows = grid_to_text(table(shown))
    title = f"{shown.name} : {shown.type}"
    told = f"{title}\n{rows}"
    drawn = picture(figures.themed(svg), f"<pre>{escape(told)}</pre>")
    head = f'<div class="code" style="margin-bottom:8px">{escape(title)}</div>'
    return View(told, page(f"{head}\n{drawn}"), shown, svg=svg)


VERB = Verb(
    "bend",
    USAGE,
    "the manifold view: data through every layer",
    (
        "%%nnfp\nring : R[2] ~> R[1]\nring = dense[3] >> tanh >> dense[1]",
        "import numpy\nX = numpy.random.default_rng(0).normal(size=(200, 2))\n"
        "y = (X**2).sum(axis=1) > 1",
        "%nnfp bend ring X --colour y",
    ),
    run,
    """\
X are the inputs, names looked up in the program, then in Python, with the examples along
the first axis: points, images, or sequences of one length.

--colour Y   a class or a number for each example; of classes of points in the plane the
             boundary between the answers is drawn, too
--scale      one for all panels, or each its own; else one where that can be read
--level L    where a single output changes its answer: 0, after `sigmoid` 0.5

Of more than two dimensions the principal axes are seen.""",
    arguments=ARGUMENTS,
)
