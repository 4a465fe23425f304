"""`%nnfp hands NAME X [--colour y]`: a layer's weights in the hand, over data."""

from __future__ import annotations

from typing import Any

from .over_data import COLOURS, INPUTS, SAVES, arguments, named, pictured, widget
from .verb import Verb, View
from .workspace import Workspace

USAGE = """%nnfp hands NAME X,… [--colour Y] [--level L] [--layer N] [--loss L] [--rate RATE]
    [--epochs N] [--save FILE]"""
ARGUMENTS = arguments("hands", USAGE)
ARGUMENTS.add_argument("--layer", type=int, default=0)
ARGUMENTS.add_argument("--loss")
ARGUMENTS.add_argument("--rate")
ARGUMENTS.add_argument("--epochs", type=float)
ARGUMENTS.add_argument("--save")


def run(workspace: Workspace, text: str) -> View:
    from IPython.core.error import UsageError

    given = ARGUMENTS.read(text)
    function, inputs, colour = named(workspace, given, VERB)
    asked = {"loss": given.loss, "rate": given.rate, "epochs": given.epochs}
    training: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}

    from nnfp_kernel.widgets.hands import Hands

    try:
        made = Hands(
            function, *inputs, colour=colour, level=given.level, layer=given.layer,
            training=training,
        )  # fmt: skip
    except ValueError as problem:
        raise UsageError(f"--layer {given.layer}: {problem}") from None
    if given.save or workspace.host.widgets:
        return widget(made, made.data, given.save)
    return pictured(made.forms(), made.data)


VERB = Verb(
    "hands",
    USAGE,
    "a layer's weights in the hand: drag them, draw data, train on",
    (
        "%%nnfp\nring : R[2] ~> R[1]\nring = dense[3] >> tanh >> dense[1]",
        "import numpy\nX = numpy.random.default_rng(0).normal(size=(200, 2))\n"
        "y = (X**2).sum(axis=1) > 1",
        "%nnfp hands ring X --colour y",
    ),
    run,
    f"""\
{INPUTS}
{COLOURS}
--layer N    the layer that is in the hand first: 0, the first one that can be held
--loss L     what "train on" minimises, and its --rate and --epochs; else as the last training
             of these weights was asked for, else what goes with the answer and the colours
{SAVES}

In a notebook it is a widget. Drag the end of an arrow: it is a column of the layer's matrix,
or one of its singular vectors, and every later stage and the boundary follow. Its numbers can
be written exactly. Choose a class, and click or brush in the input to draw points of it. When
the hand lets go, the weights are the session's; "train on" trains from there, with the points
that are seen. By keys: Tab to an arrow, and the arrow keys. Where no widgets run, and in what is
saved beside the widget, it is a picture of the layer.""",
    arguments=ARGUMENTS,
)
