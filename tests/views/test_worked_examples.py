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

from nnfp_kernel import Session
from nnfp_kernel.views.derivative import Readings, read
from nnfp_kernel.views.mathematics.formula import Formula
from nnfp_kernel.views.mathematics.plain import to_plain, wrapped

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
