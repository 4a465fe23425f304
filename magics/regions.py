"""`%nnfp regions NAME X [--colour y]`: where a piecewise-linear network is linear."""

from __future__ import annotations

from .over_data import COLOURS, INPUTS, arguments, asked, pictured
from .verb import Verb, View
from .workspace import Workspace

USAGE = "%nnfp regions NAME X,… [--colour Y] [--level L] [--scale one|own]"
ARGUMENTS = arguments("regions", USAGE)
ARGUMENTS.add_argument("--scale", choices=("one", "own"))


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    shown = asked(workspace, given, VERB)

    from nnfp_kernel.views.geometry.regions import regions
    from nnfp_kernel.widgets import pictures

    found = regions(shown)
    return pictured(pictures.regions(found, shown, given.scale), found)


VERB = Verb(
    "regions",
    USAGE,
    "the exact linear regions of a network of affine maps and ReLU",
    (
        "%%nnfp\nring : R[2] ~> R[1]\nring = dense[6] >> relu >> dense[6] >> relu >> dense[1]",
        "import numpy\nX = numpy.random.default_rng(0).normal(size=(200, 2))\n"
        "y = (X**2).sum(axis=1) > 1",
        "%nnfp regions ring X --colour y",
    ),
    run,
    f"""\
{INPUTS}
The plane is cut where relu, abs, max, min, maximum or a comparison bends the function, and
nowhere else; each region is tinted by the answer there, and drawn as every layer has it.
Of more than two numbers it is the plane in which the data lie best.

{COLOURS}
--scale      one for all panels, or each its own; else one where that can be read""",
    arguments=ARGUMENTS,
)
