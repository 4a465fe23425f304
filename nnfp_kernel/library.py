"""The standard library, inferred once a process: what every session starts from."""

from __future__ import annotations

from functools import cache

from .language import infer as inference
from .language.diagnostics import NnfpError
from .language.parser import parse
from .primitives import BUILTINS
from .std import sources


@cache
def library() -> inference.Checked:
    """All of `std`, checked. A mistake in it is ours and raises AssertionError."""
    programs = []
    for source in sources():
        parsed = parse(source)
        assert not parsed.diagnostics, NnfpError(parsed.diagnostics).render()
        programs.append(parsed.program)
    checked = inference.infer(programs, BUILTINS)
    mistakes = [*checked.diagnostics, *checked.broken.values()]
    assert not mistakes, NnfpError(mistakes).render()
    return checked
