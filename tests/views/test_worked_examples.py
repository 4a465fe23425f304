"""The worked examples of DERIVATIVES.md's end: each as linear maps and as mathematics, kept
as a person read them, and judged by differences.

Elsman, Henglein, Kaarsgaard, Mathiesen, Schenck 2022; the last one is bundle adjustment's
projection, as the benchmark has it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from views.roundtrip import check

from nnfp_kernel import Session
from nnfp_kernel.views import terms
from nnfp_kernel.views.derivative import Readings, read
from nnfp_kernel.views.mathematics.formula import Formula
from nnfp_kernel.views.mathematics.plain import to_plain, wrapped
from nnfp_kernel.views.terms import derivative_definition

PROGRAM = """
lnSin : R -> R
lnSin x = log (sin x)
times : (R, R) -> R
times (x1, x2) = x1 * x2
griewank : (R, R) -> R
griewank (x1, x2) = log x1 + x1 * x2 - sin x2
scaled : (R, R) -> R
scaled (x1, x2) = (log x1 + x1 * x2 - sin x2) * (x1 + x2)
lnCos : (R, R) -> R
lnCos (x1, x2) = log (x1 * cos x2)

-- The projection of a point in the camera's frame: focal length, centre, radial distortion.
lens : (R, R[2], R[2], R[3]) -> R[2]
lens (f, centre, k, y) = f * distortion * q + centre
  where
    q = take[2] y / (y ! 2)
    rho = dot q q
    distortion = 1 + (k ! 0) * rho + (k ! 1) * rho ^ 2
"""
BUNDLE = Path(__file__).parents[2] / "benchmarks" / "gradbench" / "programs" / "ba.nnfp"


@pytest.fixture(scope="module")
def session() -> Session:
    session = Session(precision=64)
    session.run(PROGRAM)
    session.run(BUNDLE.read_text().partition("reprojection :")[0])
    return session


def written(found: Readings) -> str:
    """The second and the third reading, one below the other."""
    lines: list[str] = []
    maps = found.maps
    ways = [] if maps is None else [("derivative", maps.derivative), ("adjoint", maps.adjoint)]
    for said, parts in ways:
        lines.append(f"-- {said}, as linear maps")
        for part in parts:
            made = f"{_listed(part.makes)} = " if part.makes else ""
            of = f"   of {_listed(part.of)}" if part.makes else ""
            lines += wrapped(f"{made}{to_plain(part.result)}{of}", 92, "  ", "    ")
            for letter, stands in part.where:
                lines += wrapped(f"where {to_plain(letter)} = {to_plain(stands)}", 92, "    ", "  ")
    for mathematics in (found.mathematics, *found.folded):
        for section in mathematics.sections:
            lines.append(f"-- {mathematics.name}: {section.title}, as mathematics")
            for line in section.lines:
                lines += wrapped(to_plain(line.formula), 92, "  ", "    ")
    return "\n".join(lines)


def _listed(names: tuple[Formula, ...]) -> str:
    return ", ".join(map(to_plain, names))


@pytest.mark.parametrize("name", ["lnSin", "times", "griewank", "scaled", "lnCos", "lens"])
def test_a_worked_example_reads_as_it_did(
    session: Session, snapshot: Callable[[str, str], None], name: str
) -> None:
    snapshot(f"derivatives/{name}.txt", written(read(session[name], in_pieces=True)))


def test_the_whole_projection_folds_what_has_a_name(
    session: Session, snapshot: Callable[[str, str], None]
) -> None:
    snapshot("derivatives/project.txt", written(read(session["project"])))


def test_the_projection_says_its_adjoint_in_ten_lines(session: Session) -> None:
    """No wall of temporaries: one line for each `where` of the program, and the inputs."""
    (adjoint,) = [
        section.lines
        for section in read(session["project"]).mathematics.sections
        if section.title == "adjoint"
    ]
    assert len(adjoint) <= 10
    assert max(len(to_plain(line.formula)) for line in adjoint) < 170


def test_the_projections_derivative_is_that_of_differences(session: Session) -> None:
    random = numpy.random.default_rng(2)
    camera, x = random.uniform(0.2, 0.6, 11), numpy.array([0.3, 0.4, 2.0])
    project = session["project"]
    weights: dict[str, Any] = {}
    _, pullback = project.vjp(weights, camera, x)
    bar = random.uniform(-1, 1, 2)
    by_camera, by_x = pullback(bar)[1:]
    step = 1e-6
    for given, gradient in (((camera, 0), by_camera), ((x, 1), by_x)):
        point, place = given
        for k in range(point.size):
            moved = [numpy.array(camera), numpy.array(x)]
            moved[place][k] += step
            ahead = numpy.asarray(project(*moved)) @ bar
            moved[place][k] -= 2 * step
            behind = numpy.asarray(project(*moved)) @ bar
            assert gradient[k] == pytest.approx((ahead - behind) / (2 * step), rel=1e-6, abs=1e-8)


def test_the_projection_reads_as_linear_maps_by_the_names_of_its_definitions(
    session: Session, snapshot: Callable[[str, str], None]
) -> None:
    texts = [
        str(derivative_definition(session[name], adjoint, combined=True))
        for name in ("project", "rotate", "turn")
        for adjoint in (False, True)
    ]
    snapshot("derivatives/project-maps.txt", "\n\n".join(texts))


def test_the_projections_linear_maps_run_as_they_are_written(session: Session) -> None:
    random = numpy.random.default_rng(3)
    point = random.uniform(0.2, 0.6, 11), numpy.array([0.3, 0.4, 2.0])
    way = random.normal(size=11), random.normal(size=3)
    project, bar = session["project"], random.normal(size=2)
    for adjoint in (False, True):
        session.run(str(derivative_definition(project, adjoint, combined=True)))
    _, expected = project.jvp(({}, *point), ({}, *way))
    found = session["projectDerivative"](*point, way)
    numpy.testing.assert_allclose(found, expected, rtol=1e-10)
    _, pullback = project.vjp({}, *point)
    for mine, theirs in zip(session["projectAdjoint"](*point, bar), pullback(bar)[1:], strict=True):
        numpy.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_definitions_stay_names_in_branches_loops_and_maps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(terms, "LONG", 0)
    session = Session(precision=64)
    session.run(
        "g : (R[3], R) -> R[3] -> R[3]\ng (a, s) b = s * tanh (a * b)\n"
        "f : R[3] -> R[3]\n"
        "f x = if sum x > 1 then map (\\a -> sum (g (x, a) x)) x\n"
        "  else iterate[2] (\\y -> g (y, 1) x) x"
    )
    text = str(terms.derivative_definition(session["f"], combined=True))
    assert "derivative (\\a -> g (x, a) x)" in text
    check(session, session["f"])
