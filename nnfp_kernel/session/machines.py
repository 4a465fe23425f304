"""A name of a session as an algebra or a coalgebra, for `Session.functor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..language.diagnostics import Diagnostic, Label, NnfpError

if TYPE_CHECKING:
    from ..runtime.function import Function
    from ..views.functor import Machine
    from .session import Session


def machine(session: Session, name: str) -> Machine:
    """What a name is: its functor, the strength, the square, and the square run on random
    values. Raises NnfpError for what is neither a cell nor a recursive data type."""
    from ..views import functor

    program = session.program
    if name in program.data:
        found = functor.of_data(name, program.declarations)
        place = program.data[name].span
    else:
        function, described = session.function(name), session.describe(name)
        found = functor.of_function(
            name, function.definition.scheme.type, described.type, described.weights,
            program.declarations, session.function,
        )  # fmt: skip
        if found is not None and _draws(function):
            found = found.not_run()
        place = function.definition.span
    if found is not None:
        return found
    raise NnfpError(
        Diagnostic(
            "no-functor",
            f"{name} is neither a cell nor a recursive data type",
            Label(place, "this has no functor of its own"),
            (),
            (
                "Cells are functions (s, a) -> s, s -> (s, b), (s, a) -> (s, b), s -> s, and "
                "with `data Tree a` TreeF a r -> r and s -> TreeF a s.",
            ),
        )
    )


def _draws(function: Function) -> bool:
    """Whether a function draws random numbers, as far as it can be run without an input."""
    try:
        return function.sample().traced.draws
    except NnfpError:
        return False
