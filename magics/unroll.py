"""`%nnfp unroll NAME X`: what repeats in a function, step by step, with the values."""

from __future__ import annotations

from IPython.core.error import UsageError

from . import present
from .over_data import SAVES, pictured, value, widget
from .verb import Arguments, Verb, View
from .weights import definition
from .workspace import Workspace

USAGE = "%nnfp unroll NAME X,… [--part P] [--labels WORDS] [--save FILE]"
ARGUMENTS = Arguments("unroll", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("data")
ARGUMENTS.add_argument("--part", default="")
ARGUMENTS.add_argument("--labels")
ARGUMENTS.add_argument("--save")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    function = present.function(workspace.session, definition(workspace, given.name, VERB))
    names = given.data.split(",") if _listed(given.data) else [given.data]
    inputs = [value(workspace, name, f"{given.name} {name}") for name in names]
    labels = workspace.data(given.labels, f"--labels {given.labels}") if given.labels else ()
    words = [str(word) for word in labels]
    trail, part = _part(given.part)

    from nnfp_kernel.views.unroll import first, unroll
    from nnfp_kernel.widgets import pictures

    if given.save or workspace.host.widgets:
        from nnfp_kernel.widgets.unroll import Unroll

        made = Unroll(function, *inputs, labels=words, part=part, trail=trail)
        return widget(made, made.data, given.save)
    shown = unroll(function, *inputs, trail=trail, labels=words)
    return pictured(pictures.unroll(shown, first(shown, part)), shown)


def _listed(text: str) -> bool:
    return all(name.strip().isidentifier() for name in text.split(","))


def _part(text: str) -> tuple[list[tuple[int, int]], int | None]:
    """`2`: the second part; `1.3.2`: in the first one, at its third step, the second."""
    if not text:
        return [], None
    try:
        numbers = [int(each) - 1 for each in text.split(".")]
    except ValueError:
        numbers = []
    if len(numbers) % 2 == 0 or min(numbers) < 0:
        raise UsageError(f"--part {text}: write 2, or 1.3.2 for a part inside of a step")
    return list(zip(numbers[:-1:2], numbers[1::2], strict=True)), numbers[-1]


VERB = Verb(
    "unroll",
    USAGE,
    "a fold, scan, map, window, unfold or cata, step by step",
    (
        "%%nnfp\ncell : (R[4], R[2]) ~> R[4]\ncell (h, x) = tanh (?W @ h + ?U @ x)\n"
        "encode : [R[2]] ~> R[4]\nencode = fold cell zero",
        "import numpy\nxs = numpy.random.default_rng(0).normal(size=(6, 2))",
        "%nnfp unroll encode xs",
    ),
    run,
    f"""\
X are the inputs of one call, names looked up in the program, then in Python, or a value
written down, in quotes. What repeats in the function is laid out: a box for every step, the
states above it and between two, what comes in below.

--part P     which of several is seen first: 2, or 1.3.2 for what repeats inside of the first
             one's third step, the second of these
--labels WORDS  a list of words for the positions of the sequence that comes in
{SAVES}

In a notebook it is a widget. Drag the scrubber or the way of the states, or press space to
play; its keys are the arrows, Page Up and Page Down, Home and End. Point at a cell to read
its number. A box whose name is underlined opens: something repeats inside of it. Of a long
sequence the steps around the present one are drawn, and all of them as a band above the
scrubber. Blue is below zero, vermillion above, as strong as the number is large.""",
    arguments=ARGUMENTS,
)
