"""`%nnfp bend NAME X [--colour y]`: the data after every stage of a function."""

from __future__ import annotations

from .over_data import COLOURS, INPUTS, SAVES, arguments, named, pictured, widget
from .verb import Verb, View
from .workspace import Workspace

USAGE = "%nnfp bend NAME X,… [--colour Y] [--level L] [--scale one|own] [--save FILE]"
ARGUMENTS = arguments("bend", USAGE)
ARGUMENTS.add_argument("--scale", choices=("one", "own"))
ARGUMENTS.add_argument("--save")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    function, inputs, colour = named(workspace, given, VERB)

    from nnfp_kernel.views.scene import scene
    from nnfp_kernel.widgets import pictures

    if given.save or workspace.host.widgets:
        from nnfp_kernel.widgets.bend import Bend

        made = Bend(function, *inputs, colour=colour, level=given.level, scale=given.scale)
        return widget(made, made.data, given.save)
    shown = scene(function, *inputs, colour=colour, level=given.level)
    return pictured(pictures.bend(shown, given.scale), shown)


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
    f"""\
{INPUTS}
{COLOURS}
--scale      of the picture on paper: one for all panels, or each its own; else one where
             that can be read
{SAVES}

In a notebook it is a widget. Drag the scrubber, or press space to play; its keys are the
arrows, Page Up and Page Down, Home and End. Point at a point to read its values, click it to
trace it through all stages, drag over points to see them alone. In 3-D drag to turn (with
Shift to choose points); in a tour drag the ends of the axes. Where no widgets run, and in
what is saved, it is a picture of all stages. It follows a training while that runs, at a tenth
of its time at most.

Of more than two dimensions the principal axes are seen.""",
    arguments=ARGUMENTS,
)
