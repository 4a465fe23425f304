"""`%nnfp derivative NAME`: a derivative as a program, as linear maps, as mathematics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from nnfp_kernel.language import types as t

from . import present
from .verb import Arguments, Verb, View
from .weights import definition
from .workspace import Workspace

if TYPE_CHECKING:
    from nnfp_kernel.runtime.function import Function

USAGE = "%nnfp derivative NAME [--adjoint] [--at X] [--steps [--page N] | --structure]"
ARGUMENTS = Arguments("derivative", USAGE)
ARGUMENTS.add_argument("name")
ARGUMENTS.add_argument("--adjoint", action="store_true")
ARGUMENTS.add_argument("--at", metavar="X", nargs="+")
ARGUMENTS.add_argument("--steps", action="store_true")
ARGUMENTS.add_argument("--page", type=int, default=1, metavar="N")
ARGUMENTS.add_argument("--structure", action="store_true")


def run(workspace: Workspace, text: str) -> View:
    given = ARGUMENTS.read(text)
    session = workspace.session
    function = present.function(session, definition(workspace, given.name, VERB))
    inputs = point(workspace, function, " ".join(given.at)) if given.at else ()
    if given.structure:
        from nnfp_kernel.views import structure

        return present.grid(structure.table(structure.structure(function, inputs), given.name))
    from nnfp_kernel.views import derivative as view

    session.defined(given.name)
    found = view.read(function, tuple(session.program.reps), inputs, in_pieces=given.steps)
    if given.steps:
        from nnfp_kernel.views import derivation

        last = len(derivation.pages(found, given.adjoint))
        if not 1 <= given.page <= last:
            raise UsageError(f"--page {given.page}: there {_pages(last)}")
        shown = (found, given.adjoint, given.page)
        return View(derivation.steps_to_text(*shown), derivation.steps_to_html(*shown), found)
    return View(
        view.to_text(found, given.adjoint),
        view.to_html(found, given.adjoint),
        found,
        view.to_latex_display(found, given.adjoint),
    )


def _pages(last: int) -> str:
    return "is one page" if last == 1 else f"are pages 1 to {last}"


def point(workspace: Workspace, function: Function, text: str) -> tuple[Any, ...]:
    """What a function takes, written down: a name of data or an expression, several
    arguments and the parts of a product with commas between them.

    `--at x`, `--at (2, 5)`, `--at [1, 2], point`, `--at Node (Leaf 1) (Leaf 2)`
    """
    domains, _ = t.uncurried(function.definition.scheme.type)
    if len(domains) < 2:
        return (_part(workspace, text, domains[0] if domains else t.UNIT),)
    parts = split(text) if len(split(text)) > 1 else split(unbracketed(text))
    if len(parts) != len(domains):
        raise UsageError(
            f"--at {text}: {function.name} takes {len(domains)} arguments, found {len(parts)}; "
            "write them with commas between them"
        )
    return tuple(_part(workspace, *each) for each in zip(parts, domains, strict=True))


def _part(workspace: Workspace, text: str, type: t.Type) -> Any:
    """One argument: a tuple part by part, a name of data, else an expression of the type."""
    inside = text if len(split(text)) > 1 else unbracketed(text)
    parts = split(inside)
    if isinstance(type, t.Product) and len(parts) == len(type.items) > 1:
        return tuple(_part(workspace, *each) for each in zip(parts, type.items, strict=True))
    if text.isidentifier() and (text in workspace.namespace or text in workspace.session.names):
        return workspace.data(text, "--at")
    closed = not any(t.free_variables(type))
    return workspace.session.evaluate(f"({text} : {t.show(type)})" if closed else text)


def split(text: str) -> list[str]:
    """What stands between commas outside brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def unbracketed(text: str) -> str:
    """The text without brackets around the whole of it."""
    inside = text.strip()[1:-1]
    if not (text.strip().startswith("(") and text.strip().endswith(")")):
        return text
    depth = 0
    for sign in inside:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return text
    return inside


VERB = Verb(
    "derivative",
    USAGE,
    "the derivative of a definition, as a program, as linear maps and as mathematics",
    (
        "%%nnfp\nlayer : R[2] ~> R[3]\nlayer x = tanh (?W @ x + ?b)",
        "%nnfp derivative layer",
        "%nnfp derivative layer --adjoint",
        "%nnfp derivative layer --at [1, 2]",
        "%nnfp derivative layer --steps",
        "%nnfp derivative layer --structure",
    ),
    run,
    "The program and the linear maps hold the weights constant; the mathematics has the\n"
    "cotangents of the weights, too, and a line of its own for what is used by name;\n"
    "elements are counted from 0, as in the program: x_0 is `x ! 0`, i = 0, …, n - 1.\n"
    "`--adjoint` is the adjoint alone, from a cotangent of the answer to those of the inputs;\n"
    "`--at X` adds the value there and settles sizes that are open: names of data, numbers,\n"
    "expressions, with commas between several (`--at (2, 5)`, `--at x, [1, 2]`);\n"
    "`--steps` applies the laws one after the other, each by its name, to a large program\n"
    "piece by piece, so many on a `--page`; `--structure` says\n"
    "what the derivative in the input is made of and what each operation on it will cost.",
    arguments=ARGUMENTS,
)
