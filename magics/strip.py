"""`%nnfp strip NAME X [--colour y]`: every stage with what is measured of the data there."""

from __future__ import annotations

from .over_data import COLOURS, INPUTS, arguments, asked, view
from .verb import Verb, View
from .workspace import Workspace

USAGE = "%nnfp strip NAME X,… [--colour Y] [--level L] [--betti]"
ARGUMENTS = arguments("strip", USAGE)
ARGUMENTS.add_argument("--betti", action="store_true")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    shown = asked(workspace, given, VERB)

    from nnfp_kernel.views.geometry.strip import strip
    from nnfp_kernel.views.geometry.text import strip_table
    from nnfp_kernel.widgets import figures

    found = strip(shown, betti=given.betti)
    return view(shown, strip_table(found), figures.strip(found), found)


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
             before three times the landmarks' cover and lives beyond 4.5 times (needs ripser)""",
    arguments=ARGUMENTS,
)
