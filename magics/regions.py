"""`%nnfp regions NAME X [--colour y]`: where a piecewise-linear network is linear."""

from __future__ import annotations

from IPython.core.error import UsageError

from .over_data import COLOURS, INPUTS, SAVES, arguments, named, pictured, widget
from .verb import Verb, View
from .workspace import Workspace

USAGE = (
    "%nnfp regions NAME X,… [--colour Y] [--level L] [--axes I,J | --points A,B,C] "
    "[--by answer|region|map|area] [--scale one|own] [--save FILE]"
)
ARGUMENTS = arguments("regions", USAGE)
ARGUMENTS.add_argument("--axes")
ARGUMENTS.add_argument("--points")
ARGUMENTS.add_argument("--by", choices=("answer", "region", "map", "area"), default="answer")
ARGUMENTS.add_argument("--scale", choices=("one", "own"))
ARGUMENTS.add_argument("--save")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    function, inputs, colour = named(workspace, given, VERB)
    axes, points = (_places(name, getattr(given, name)) for name in ("axes", "points"))

    from nnfp_kernel.views.geometry.regions import chosen, regions
    from nnfp_kernel.views.scene import scene

    data = {"colour": colour, "level": given.level}
    try:
        if given.save or workspace.host.widgets:
            from nnfp_kernel.widgets.regions import Regions

            how = {"axes": axes, "points": points, "by": given.by, "scale": given.scale}
            made = Regions(function, *inputs, **data, **how)
            return widget(made, made.found, given.save)
        shown = scene(function, *inputs, **data)
        plane = chosen(shown, axes, points)
    except ValueError as problem:
        raise UsageError(f"{problem}\nUsage: {USAGE}") from None

    from nnfp_kernel.widgets import pictures

    found = regions(shown, plane)
    return pictured(pictures.regions(found, shown, given.scale), found)


def _places(name: str, text: str | None) -> list[int] | None:
    """Whole numbers, as they are written in a list."""
    if text is None:
        return None
    words = [word for word in text.split(",") if word]
    if not all(word.isdecimal() for word in words):
        raise UsageError(f"--{name} {text}: write whole numbers, for example 0,1\nUsage: {USAGE}")
    return [int(word) for word in words]


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
Of more than two numbers it is the plane in which the data lie best, or another one.

{COLOURS}
--axes I,J   the plane of two numbers of the input, through the middle of the data
--points A,B,C
             the plane through three of the points, by their places in X
--by         what the colours of the widget stand for: the answer, the region, the affine map,
             or how much area has grown
--scale      one for all panels, or each its own; else one where that can be read
{SAVES}

In a notebook it is a widget: a region that is pointed at is seen in every layer, with its
affine map. Where no widgets run, and in what is saved, it is a picture of all layers.""",
    arguments=ARGUMENTS,
)
