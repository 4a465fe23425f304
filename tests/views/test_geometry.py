"""The laws of the geometry that a function pulls back to its input."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnfp_kernel as nnfp
from nnfp_kernel.views.geometry import curves, metric
from nnfp_kernel.views.geometry.jets import Jets
from nnfp_kernel.views.scene import scene

PROGRAM = """
linear : R[2] ~> R[3]
linear x = ?A @ x

net : R[2] ~> R[3]
net = dense[5] >> tanh >> dense[4] >> softplus >> dense[3]

bent : R[2] ~> R[2]
bent = residual (dense[4] >> tanh >> dense[2])

sphere : R[2] -> R[3]
sphere x = [3 * sin (x ! 0) * cos (x ! 1), 3 * sin (x ! 0) * sin (x ! 1), 3 * cos (x ! 0)]

torus : R[2] -> R[3]
torus x = let r = 2 + cos (x ! 0) in [r * cos (x ! 1), r * sin (x ! 1), sin (x ! 0)]

cylinder : R[2] -> R[3]
cylinder x = [cos (x ! 0), sin (x ! 0), x ! 1]

circle : R[1] -> R[2]
circle x = [5 * cos (x ! 0), 5 * sin (x ! 0)]

turned : R[2] -> R[3]
turned x = [0.6 * x ! 0 - 0.8 * x ! 1, 0.8 * x ! 0 + 0.6 * x ! 1, 7]

complex : C[2] ~> C[1]
complex z = tanh (?A @ z)

mixed : (R[2], Fin[3]) ~> R[2]
mixed (x, k) = tanh (?W @ x + ?E ! k)
"""
POINTS = numpy.random.default_rng(0).uniform(0.5, 1.5, size=(12, 2))
E1, E2 = (numpy.tile(axis, (12, 1)) for axis in numpy.eye(2))


@pytest.fixture(scope="module")
def jets(session: nnfp.Session) -> dict[str, Jets]:
    data: dict[str, Any] = {
        "circle": (POINTS[:, :1],),
        "complex": (POINTS + 1j * POINTS[::-1],),
        "mixed": ((POINTS, numpy.arange(12) % 3),),
    }
    names = (
        "linear", "net", "bent", "sphere", "torus", "cylinder", "circle", "turned", "complex",
        "mixed",
    )  # fmt: skip
    return {name: Jets(scene(session[name], *data.get(name, (POINTS,)), lines=0)) for name in names}


# --- derivatives ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["net", "bent", "torus"])
def test_jacobians_of_the_last_state_are_those_of_the_function(
    name: str, session: nnfp.Session, jets: dict[str, Jets]
) -> None:
    function = session[name]
    judge = jax.vmap(jax.jacfwd(lambda x: function.apply(function.weights, x)))(POINTS)
    assert numpy.allclose(jets[name].jacobians(POINTS)[-1], judge, atol=1e-12)


@pytest.mark.parametrize("name", ["net", "complex"])
def test_jacobians_of_every_state_are_slopes_of_that_state(
    name: str, jets: dict[str, Jets]
) -> None:
    own = jets[name]
    size = 4 if name == "complex" else 2
    points = numpy.random.default_rng(1).normal(size=(5, size))
    h = 1e-6
    slopes = [
        [(up - down) / (2 * h) for up, down in zip(
            own.run.states(points + h * axis), own.run.states(points - h * axis), strict=True
        )]
        for axis in numpy.eye(size)
    ]  # fmt: skip
    for k, found in enumerate(own.jacobians(points)):
        slope = numpy.stack([column[k] for column in slopes], axis=-1)
        assert numpy.allclose(found, slope, atol=1e-7)


def test_whole_numbers_beside_vectors_have_no_derivative(jets: dict[str, Jets]) -> None:
    own = jets["mixed"]
    points = numpy.concatenate([POINTS, numpy.arange(12)[:, None] % 3], axis=1)
    assert own.jacobians(points)[-1].shape == (12, 2, 3)
    assert not own.jacobians(points)[-1][:, :, 2].any()


def test_second_derivatives_are_slopes_of_the_first(jets: dict[str, Jets]) -> None:
    own = jets["net"]
    v = POINTS[::-1]
    h = 1e-5
    for k, found in enumerate(own.second(POINTS, E1, v)):
        up, down = (own.jacobians(POINTS + step * v)[k][:, :, 0] for step in (h, -h))
        assert numpy.allclose(found, (up - down) / (2 * h), atol=1e-8)
        assert numpy.allclose(found, own.second(POINTS, v, E1)[k], atol=1e-12)


# --- the metric -----------------------------------------------------------------------------


def test_the_metric_of_a_linear_map_is_its_square(
    session: nnfp.Session, jets: dict[str, Jets]
) -> None:
    A = numpy.asarray(session.weights["linear"]["A"])
    found = metric.pullback(jets["linear"].jacobians(POINTS)[-1])
    assert numpy.allclose(found, A.T @ A, atol=1e-12)


@given(st.integers(0, 1000))
def test_areas_of_tissots_ellipses_are_the_determinants(seed: int) -> None:
    J = numpy.random.default_rng(seed).normal(size=(3, 2, 2))
    curves_ = metric.ellipses(numpy.zeros((3, 2)), J, 0.1, samples=721)
    x, y = curves_[..., 0], curves_[..., 1]
    area = 0.5 * abs((x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]).sum(1))
    assert numpy.allclose(area, numpy.pi * 0.01 * abs(numpy.linalg.det(J)), rtol=1e-4)
    assert numpy.allclose(metric.log_volume(J), numpy.log(abs(numpy.linalg.det(J))))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000))
def test_volume_and_singular_values_are_those_of_the_metric(m: int, n: int, seed: int) -> None:
    J = numpy.random.default_rng(seed).normal(size=(m, n))
    g = metric.pullback(J)
    values = numpy.zeros(n)
    values[: min(m, n)] = metric.singular_values(J)
    assert numpy.allclose(numpy.linalg.eigvalsh(g)[::-1], values**2)
    if m >= n:
        assert numpy.isclose(2 * metric.log_volume(J), numpy.linalg.slogdet(g)[1])
    else:
        assert metric.log_volume(J) == -numpy.inf


# --- geodesics ------------------------------------------------------------------------------


def test_geodesics_of_an_isometry_are_straight(jets: dict[str, Jets]) -> None:
    start, end = numpy.array([-1.0, 2.0]), numpy.array([3.0, -1.0])
    found = curves.geodesic(jets["turned"], start, end)
    share = numpy.linspace(0, 1, len(found.points))[:, None]
    assert numpy.allclose(found.points, (1 - share) * start + share * end, atol=1e-9)
    assert numpy.isclose(found.length, 5)


def test_geodesics_of_a_sphere_are_great_circles(jets: dict[str, Jets]) -> None:
    start, end = numpy.array([1.0, 0.0]), numpy.array([1.0, 1.5])
    found = curves.geodesic(jets["sphere"], start, end)
    a, b = (found.image[k] / 3 for k in (0, -1))
    assert numpy.isclose(found.length, 3 * numpy.arccos(a @ b), rtol=1e-3)
    assert found.length < found.straight
    assert abs(found.image @ numpy.cross(a, b)).max() < 1e-4  # in one plane through the centre


def test_a_geodesic_goes_on_as_it_begins(jets: dict[str, Jets]) -> None:
    """The way between two points is the one that starts there with its velocity."""
    own = jets["bent"]
    start, end = numpy.array([-1.0, -0.5]), numpy.array([1.0, 0.8])
    found = curves.geodesic(own, start, end)
    steps = len(found.points) - 1
    first = (-3 * found.points[0] + 4 * found.points[1] - found.points[2]) * steps / 2
    way = curves.exponential(own, start[None], first[None], steps=24)
    assert numpy.allclose(way[-1, 0], end, atol=0.01)
    # The image runs at one speed, and no way nearby is shorter.
    speeds = numpy.linalg.norm(numpy.diff(found.image, axis=0), axis=1)
    assert numpy.ptp(speeds) < 1e-4 * speeds.mean()
    wave = numpy.sin(numpy.linspace(0, numpy.pi, steps + 1))[:, None]
    for shift in 0.02 * numpy.array([[1, 0], [-1, 0], [0, 1], [0, -1]]):
        other = own.run.states(found.points + wave * shift)[-1]
        assert numpy.linalg.norm(numpy.diff(other, axis=0), axis=1).sum() > found.length


def test_a_geodesic_keeps_its_speed(jets: dict[str, Jets]) -> None:
    own = jets["torus"]
    way = curves.exponential(own, POINTS, E1 + 0.7 * E2, steps=24)
    images = [own.run.states(points)[-1] for points in way]
    speeds = numpy.linalg.norm(numpy.diff(images, axis=0), axis=2)
    assert numpy.allclose(speeds, speeds[0], rtol=2e-3)


# --- curvature ------------------------------------------------------------------------------


def test_a_sphere_of_radius_r_has_curvature_one_over_r_squared(jets: dict[str, Jets]) -> None:
    u, v = POINTS, POINTS[::-1] * [1, -1]  # any two tangents that span the plane
    assert numpy.allclose(curves.curvature(jets["sphere"], POINTS, u, v), 1 / 9)
    assert numpy.allclose(curves.turning(jets["sphere"], POINTS, u), 1 / 3)


def test_the_curvature_of_a_torus_changes_its_sign(jets: dict[str, Jets]) -> None:
    points = numpy.stack([numpy.linspace(0, 2 * numpy.pi, 12), POINTS[:, 0]], axis=1)
    known = numpy.cos(points[:, 0]) / (2 + numpy.cos(points[:, 0]))
    assert numpy.allclose(curves.curvature(jets["torus"], points, E1, E2), known)


@pytest.mark.parametrize("name", ["cylinder", "turned", "bent", "linear"])
def test_what_can_be_laid_flat_has_no_curvature(name: str, jets: dict[str, Jets]) -> None:
    assert numpy.allclose(curves.curvature(jets[name], POINTS, E1, E2), 0, atol=1e-9)


def test_a_circle_of_radius_r_turns_by_one_over_r(jets: dict[str, Jets]) -> None:
    points = POINTS[:, :1]
    assert numpy.allclose(curves.turning(jets["circle"], points, numpy.ones((12, 1))), 1 / 5)


def test_where_a_plane_is_flattened_there_is_no_curvature(session: nnfp.Session) -> None:
    session.run("line : R[2] -> R[2]\nline x = [x ! 0, x ! 0]")
    own = Jets(scene(session["line"], POINTS))
    assert numpy.isnan(curves.curvature(own, POINTS, E1, E2)).all()
