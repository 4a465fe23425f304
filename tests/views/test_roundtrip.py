"""Round trip over the programs that other tests are made of: the printed derivative and
adjoint of each definition, as functions and as combinators, run and agree to 1e-10 with
the computed ones. What cannot be written is refused, and listed here with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import (
    test_combinators,
    test_complex,
    test_fixpoint,
    test_found,
    test_linear_algebra,
    test_matrix_functions,
    test_while,
)
from soak import FACTOR
from std import test_library
from views.roundtrip import check

from nnfp_kernel import NnfpError, Session
from nnfp_kernel.runtime.function import Function

ACCEPTANCE = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parent.parent / "acceptance").glob("*.nnfp"))
}
COMBINATORS = {
    name: program
    for table in (test_combinators.SEQUENCES,)
    for name, (program, *_) in table.items()
}
FOUND = {name: program for name, (program, *_) in test_found.FOUND.items()}
LIBRARY = {
    f"{case.name} {k}": case.program
    for k, case in enumerate(
        case
        for table in vars(test_library).values()
        if isinstance(table, list | tuple)
        for case in table
        if isinstance(case, test_library.Case)
    )
}
SOURCES = {
    "while": test_while.SOURCE,
    "fixpoint": test_fixpoint.SOURCE,
    "linear algebra": test_linear_algebra.PROGRAM,
    "factors": test_matrix_functions.FACTORS,
    "fourier": test_matrix_functions.FOURIER,
    "real and complex": test_complex.MIXED,
    "a complex model": test_complex.MODEL,
}
REFUSED = {
    "any number of rounds",  # a loop without a bound, in reverse
    "no parameters",  # of a constant nothing moves
    "an equation that is not written as one",  # the derivative of the derivative of a fixpoint
    "values of type Weights",  # what is known by its paths only
}


def few(programs: dict[str, str], every: int) -> list[str]:
    """All programs in `make soak`, where all their definitions are tried; else one in so many."""
    return list(programs)[:: every if FACTOR == 1 else 1]


def check_all(program: str) -> None:
    session = Session(precision=64)
    session.run(program)
    names = session.names
    for name in names if FACTOR > 1 else names[-1:]:
        definition = session.program.definitions[name]
        function = session[name]
        if definition.brackets is not None or not isinstance(function, Function):
            continue
        reason = refusal(session, function)
        assert reason is None or any(known in reason for known in REFUSED)


def refusal(session: Session, function: Function) -> str | None:
    """Why a derivative is not written; None where it is, and is the computed one."""
    try:
        check(session, function)
    except NnfpError as error:
        (told, *_) = error.diagnostics
        if told.code not in ("derivative-not-printed", "no-adjoint"):
            raise
        return told.primary.text
    return None


@pytest.mark.parametrize("name", ACCEPTANCE)
def test_the_acceptance_programs(name: str) -> None:
    check_all(ACCEPTANCE[name])


@pytest.mark.parametrize("name", few(COMBINATORS, 6))
def test_every_combinator(name: str) -> None:
    check_all(COMBINATORS[name])


@pytest.mark.parametrize("name", few(FOUND, 3))
def test_what_once_went_wrong(name: str) -> None:
    check_all(FOUND[name])


@pytest.mark.parametrize("name", few(SOURCES, 8))
def test_loops_equations_and_complex_numbers(name: str) -> None:
    check_all(SOURCES[name])


@pytest.mark.parametrize("name", few(LIBRARY, 12))
def test_the_library(name: str) -> None:
    check_all(LIBRARY[name])
