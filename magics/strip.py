"""`%nnfp strip NAME X [--colour y]`: every stage with what is measured of the data there."""

from __future__ import annotations

from .over_data import COLOURS, INPUTS, SAVES, arguments, named, pictured, widget
from .verb import Verb, View
from .workspace import Workspace

USAGE = "%nnfp strip NAME X,… [--colour Y] [--level L] [--betti] [--save FILE]"
ARGUMENTS = arguments("strip", USAGE)
ARGUMENTS.add_argument("--betti", action="store_true")
ARGUMENTS.add_argument("--save")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    function, inputs, colour = named(workspace, given, VERB)

    if given.save or workspace.host.widgets:
        from nnfp_kernel.widgets.strip import Strip

        made = Strip(function, *inputs, colour=colour, level=given.level, betti=given.betti)
        return widget(made, made.found, given.save)

    from nnfp_kernel.views.geometry.strip import strip
    from nnfp_kernel.views.scene import scene
    from nnfp_kernel.widgets import pictures

    shown = scene(function, *inputs, colour=colour, level=given.level)
    found = strip(shown, betti=given.betti)
    return pictured(pictures.strip(found), found)


VERB = Verb(
    "strip",
    USAGE,
    "dimension, alignment and separation of the data, stage by stage",
    (
        "%%nnfp\nring : R[2] ~> R[1]\nring = dense[3] >> tanh >> dense[1]",
        "import numpy\nX = numpy.random.default_rng(0).normal(size=(200, 2))\n"
        "y = (X**2).sum(axis=1) > 1",
        "%nnfp strip ring X --colour y",
    ),
    run,
    f"""\
{INPUTS}
Below each stage: the intrinsic dimension of the data (TwoNN: of how many dimensions they are,
whatever space they lie in), their alignment with the input (linear CKA: 1 where a rotation
and a scale are all that was done), and of classes the share that flat cuts get right, which
is 100 % where they part them all.

{COLOURS}
--betti      also how many pieces and holes the data have, with their bars: what is born
             before three times the landmarks' cover and lives beyond 4.5 times (needs ripser)
{SAVES}

In a notebook it is a widget: a click on a stage moves all widgets over the same data there,
and a button computes pieces and holes beside the cells. Where no widgets run, and in what is
saved, it is a picture.""",
    arguments=ARGUMENTS,
)
