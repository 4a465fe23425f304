"""What is measured of point sets, on sets of which it is known."""

from __future__ import annotations

import sys
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnfp_kernel.views.geometry.measures import (
    alignment,
    intrinsic_dimension,
    linear_share,
    separable,
)
from nnfp_kernel.views.geometry.topology import NoRipser, barcode, landmarks

RANDOM = numpy.random.default_rng(0)


def isometry(d: int, into: int) -> Any:
    """Orthonormal columns: d dimensions inside more."""
    return numpy.linalg.qr(RANDOM.normal(size=(into, d)))[0].T


def circle(count: int, radius: float = 1.0, centre: Any = (0, 0)) -> Any:
    angle = 2 * numpy.pi * numpy.arange(count) / count
    ring = radius * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)
    return ring + numpy.asarray(centre)


def sphere(count: int) -> Any:
    points = RANDOM.normal(size=(count, 3))
    return points / numpy.linalg.norm(points, axis=1, keepdims=True)


# --- intrinsic dimension --------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_the_dimension_of_a_cube_is_found_in_a_larger_space(d: int) -> None:
    points = RANDOM.uniform(size=(3000, d)) @ isometry(d, 12)
    assert abs(intrinsic_dimension(points) - d) < 0.08 * d


def test_curved_manifolds_have_the_dimension_of_their_charts() -> None:
    turns = RANDOM.uniform(3, 12, size=2000)
    roll = numpy.stack([turns * numpy.cos(turns), turns * numpy.sin(turns),
                        RANDOM.uniform(0, 20, size=2000)], axis=1)  # fmt: skip
    assert abs(intrinsic_dimension(roll) - 2) < 0.15
    assert abs(intrinsic_dimension(sphere(2000)) - 2) < 0.15


def test_points_that_coincide_count_once() -> None:
    points = RANDOM.uniform(size=(500, 2))
    twice = numpy.concatenate([points, points])
    assert intrinsic_dimension(twice) == intrinsic_dimension(points)
    assert numpy.isnan(intrinsic_dimension(numpy.zeros((50, 3))))


# --- alignment ------------------------------------------------------------------------------


@given(st.integers(0, 500), st.integers(1, 6), st.integers(1, 60))
def test_alignment_does_not_change_under_rotation_shift_and_scale(
    seed: int, d: int, e: int
) -> None:
    random = numpy.random.default_rng(seed)
    x, y = random.normal(size=(40, d)), random.normal(size=(40, e))
    turn = numpy.linalg.qr(random.normal(size=(d, d)))[0]
    moved = 3 * x @ turn + random.normal(size=d)
    assert numpy.isclose(alignment(moved, y), alignment(x, y))
    assert numpy.isclose(alignment(x, y), alignment(y, x))
    assert numpy.isclose(alignment(x, moved), 1)
    assert -1e-12 <= alignment(x, y) <= 1 + 1e-12


def test_wide_and_tall_matrices_have_the_same_alignment() -> None:
    """The formula of the Gram matrices is that of the covariances: of zeros added, too."""
    x, y = RANDOM.normal(size=(30, 4)), RANDOM.normal(size=(30, 5))
    wide = numpy.concatenate([x, numpy.zeros((30, 40))], axis=1)
    assert numpy.isclose(alignment(wide, y), alignment(x, y))
    assert numpy.isclose(alignment(x[:, :2], x[:, 2:]), 0, atol=0.2)
    assert numpy.isnan(alignment(numpy.ones((30, 2)), y))


# --- separation -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("d", [1, 2, 4])
def test_what_a_plane_parts_is_separable_and_a_point_across_ends_it(seed: int, d: int) -> None:
    random = numpy.random.default_rng(seed)
    points, cut = random.normal(size=(60, d)), random.normal(size=d)
    inside = points @ cut > 0.1
    assert separable(points, inside)
    assert linear_share(points, inside) == 1
    middle = points[inside].mean(0, keepdims=True)  # among the others, but not one of them
    points, inside = numpy.concatenate([points, middle]), numpy.append(inside, False)
    assert not separable(points, inside)
    assert 0.9 < linear_share(points, inside) < 1


def test_a_ring_and_what_it_holds_are_parted_by_a_third_dimension() -> None:
    points = numpy.concatenate([circle(80), circle(40, 0.4)])
    inside = numpy.arange(120) < 80
    lifted = numpy.column_stack([points, (points**2).sum(1)])
    assert not separable(points, inside)
    assert separable(lifted, inside)


def test_of_several_classes_each_is_parted_from_the_rest() -> None:
    points = numpy.concatenate([circle(30, 0.3, centre) for centre in circle(3)])
    classes = numpy.repeat([2, 5, 7], 30)
    assert linear_share(points, classes) == 1
    line = numpy.concatenate([circle(30, 0.3, (k, 0)) for k in range(3)])
    assert linear_share(line, classes) > 0.95  # the middle one is not parted from both
    assert not separable(line, classes == 5)


# --- topology -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "betti"),
    [
        (circle(100), (1, 1)),
        (numpy.concatenate([circle(80), circle(80, centre=(4, 0))]), (2, 2)),
        (numpy.concatenate([circle(90, 2), circle(90, 0.5)]), (2, 2)),
        (RANDOM.uniform(size=(400, 2)), (1, 0)),
        (numpy.array([[0.0, 0.0]]), (1, 0)),
        (circle(2000) + 0.05 * RANDOM.normal(size=(2000, 2)), (1, 1)),
    ],
    ids=["circle", "two circles", "circle in circle", "square", "point", "noisy circle"],
)
def test_betti_numbers_count_pieces_and_holes(points: Any, betti: tuple[int, ...]) -> None:
    pytest.importorskip("ripser")
    found = barcode(points, most=120)
    assert found.betti == betti
    assert found.landmarks <= 120


def test_a_sphere_has_a_void_and_no_hole() -> None:
    pytest.importorskip("ripser")
    assert barcode(sphere(2000), dimension=2, most=90).betti == (1, 0, 1)


def test_landmarks_cover_all_points() -> None:
    points = RANDOM.normal(size=(300, 3))
    chosen, cover = landmarks(points, 40)
    away = numpy.linalg.norm(points[:, None] - points[chosen], axis=2).min(1)
    assert len(set(chosen.tolist())) == 40
    assert numpy.isclose(away.max(), cover)


def test_without_ripser_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ripser", None)
    with pytest.raises(NoRipser, match=r"pip install nnfp\[topology\]"):
        barcode(circle(20))
