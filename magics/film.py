"""`%nnfp film NAME X [--colour y]`: the data after every stage, all through a training."""

from __future__ import annotations

from IPython.core.error import UsageError

from .over_data import COLOURS, INPUTS, SAVES, arguments, named, pictured, widget
from .verb import Verb, View
from .workspace import Workspace

USAGE = "%nnfp film NAME X,… [--colour Y] [--level L] [--most N] [--save FILE]"
ARGUMENTS = arguments("film", USAGE)
ARGUMENTS.add_argument("--most", type=int, default=50)
ARGUMENTS.add_argument("--save")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    if given.most < 2:
        raise UsageError(f"--most {given.most}: a film has two frames at least")
    function, inputs, colour = named(workspace, given, VERB)

    from nnfp_kernel.views.film import Film

    found = Film(function, *inputs, colour=colour, level=given.level, most=given.most)
    if given.save or workspace.host.widgets:
        from nnfp_kernel.widgets import film

        return widget(film.Film(found), found, given.save)

    from nnfp_kernel.widgets import pictures

    return pictured(pictures.film(found), found)


VERB = Verb(
    "film",
    USAGE,
    "a training replayed: the data in every layer, epoch by epoch",
    (
        "%%nnfp\nring : R[2] ~> R[1]\nring = dense[3] >> tanh >> dense[1]",
        "import numpy\nX = numpy.random.default_rng(0).normal(size=(200, 2))\n"
        "y = (X**2).sum(axis=1) > 1\ntargets = 2.0 * y[:, None] - 1",
        "%nnfp train ring --data X,targets --loss squaredError --epochs 60 --rate 0.02 --film",
        "%nnfp film ring X --colour y",
    ),
    run,
    f"""\
{INPUTS}
It shows the last training that weights of NAME took part in. In a notebook it is a widget, and
follows the next trainings while they run: so a film may be there first, and then what it is
of. It takes a tenth of a training's time at most. A training during which no film is there
keeps fewer moments the faster it is, unless it is told to keep enough: `%nnfp train … --film`.

{COLOURS}
--most N     moments that are kept (50)
{SAVES}

Drag along the loss curve, or press space to play; its keys are the arrows, from moment to
moment, Home and End, and Page Up and Page Down, from stage to stage. Click a stage to see it
large; point at a point to read where it is, click it to see the way it has gone. A stage has
one scale and one view all through the film. Where no widgets run, and in what is saved, it is
a picture of some moments.""",
    arguments=ARGUMENTS,
)
