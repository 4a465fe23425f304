"""What verbs share that show a function over data: their arguments, the scene, the view."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from . import present
from .verb import Arguments, Verb, View
from .weights import definition
from .workspace import Workspace

if TYPE_CHECKING:
    from nnfp_kernel.runtime.function import Function
    from nnfp_kernel.views.scene import Scene
    from nnfp_kernel.widgets.view import View as Shown

INPUTS = """\
X are the inputs, names looked up in the program, then in Python, with the examples along
the first axis: points, images, or sequences of one length.
"""
COLOURS = """\
--colour Y   a class or a number for each example; of classes of points in the plane the
             boundary between the answers is drawn, too
--level L    where a single output changes its answer: 0, after `sigmoid` 0.5"""
SAVES = "--save FILE  a page of HTML that shows the same without a kernel"


def arguments(verb: str, usage: str) -> Arguments:
    made = Arguments(verb, usage)
    made.add_argument("name")
    made.add_argument("data")
    made.add_argument("--colour")
    made.add_argument("--level", type=float)
    return made


def named(
    workspace: Workspace, given: argparse.Namespace, verb: Verb
) -> tuple[Function, list[Any], Any]:
    """The function, its inputs and their colour, by the names that were given."""
    function = present.function(workspace.session, definition(workspace, given.name, verb))
    names = [name for name in given.data.split(",") if name]
    inputs = [workspace.data(name, f"{given.name} {name}") for name in names]
    colour = given.colour and workspace.data(given.colour, f"--colour {given.colour}")
    return function, inputs, colour


def value(workspace: Workspace, text: str, asked: str) -> Any:
    """What is meant by a name of the program or of Python, or by an expression."""
    if text.isidentifier():
        return workspace.data(text, asked)
    return workspace.session.evaluate(text)


def asked(workspace: Workspace, given: argparse.Namespace, verb: Verb) -> Scene:
    """The scene of the function and the data that were named."""
    from nnfp_kernel.views.scene import scene

    function, inputs, colour = named(workspace, given, verb)
    return scene(function, *inputs, colour=colour, level=given.level)


def widget(view: Shown, value: Any, path: str | None) -> View:
    """A view that is a widget; or its page, saved where a path is given."""
    if not path:
        return View(view.text, value=value, widget=view)
    return paged(view, value, path)


def paged(view: Shown, value: Any, path: str, flag: str = "--save") -> View:
    """The page of a view, written."""
    try:
        size = view.save(path)
    except (OSError, ValueError) as problem:
        raise UsageError(f"{flag} {path}: {problem}") from None
    return View(f"{path}, {size / 2**20:.2f} MiB: a page that needs no kernel", value=value)


def pictured(forms: Mapping[str, str], value: Any) -> View:
    """A view where no widgets run: its picture and its text."""
    return View(forms["text/plain"], forms["text/html"], value, svg=forms["image/svg+xml"])
