"""Geodesics and curvature of the metric that a state of a scene pulls back to the input.

No Christoffel symbols are needed: with f the map to the state, J its derivative and J⁺ the
pseudo-inverse,

    geodesics    ẍ = −J⁺ D²f[ẋ, ẋ]: the image accelerates at right angles to itself
    curvature    II(u, v) = (1 − J J⁺) D²f[u, v], the part at right angles, and by Gauss
                 K = (⟨II(u,u), II(v,v)⟩ − |II(u,v)|²) / (|u|²|v|² − ⟨u,v⟩²)

Source: do Carmo 1992, Riemannian Geometry, chapters 3 and 6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy

from .jets import Jets

Array = Any
SEGMENTS = 48
ROUNDS = 200
SETTLED = 1e-13  # of the energy, a round


@dataclass(frozen=True, eq=False)
class Geodesic:
    """A shortest way between two points of the input, as a state measures it.

    `points` : [K, n] in the input, `image` : [K, d] in the state; `length` of the image, and
    `straight`, the length of the image of the straight line between the two.
    """

    points: Array = field(repr=False)
    image: Array = field(repr=False)
    length: float
    straight: float


def geodesic(jets: Jets, start: Array, end: Array, state: int = -1) -> Geodesic:
    """The way from `start` to `end`, [n] each, that is shortest in a state.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("turn : R[2] -> R[2]\\nturn x = [2 * (x ! 1), 2 * (x ! 0)]")
    >>> jets = Jets(scene(session["turn"], numpy.eye(2)))
    >>> found = geodesic(jets, numpy.zeros(2), numpy.array([3.0, 4.0]))
    >>> round(found.length, 6), round(found.straight, 6)
    (10.0, 10.0)

    The energy Σ |f xₖ₊₁ − f xₖ|² of a chain of points is made least by Gauss and Newton's
    steps, damped where they do not lead down, from the straight line. So it is a shortest way
    among those near that line; where ReLU has folded the plane it bends as light does.
    """
    share = numpy.linspace(0, 1, SEGMENTS + 1)[:, None]
    points = (1 - share) * start + share * end
    image = jets.run.states(points)[state]
    straight = _length(image)
    energy, damping = _energy(image), 1e-9
    for _ in range(ROUNDS):
        jacobian = jets.jacobians(points)[state]
        while True:
            step = _step(image, jacobian, damping)
            moved = points.copy()
            moved[1:-1] += step
            there = jets.run.states(moved)[state]
            if _energy(there) <= energy or damping > 1e9:
                break
            damping *= 10
        gained = energy - _energy(there)
        if gained <= SETTLED * max(energy, SETTLED):
            break
        points, image, energy = moved, there, _energy(there)
        damping = max(damping / 10, 1e-12)
    return Geodesic(points, image, _length(image), straight)


def _length(image: Array) -> float:
    return float(numpy.linalg.norm(numpy.diff(image, axis=0), axis=1).sum())


def _energy(image: Array) -> float:
    return float((numpy.diff(image, axis=0) ** 2).sum())


def _step(image: Array, jacobian: Array, damping: float) -> Array:
    """A damped step of Gauss and Newton for all inner points of a chain, [K − 2, n].

    The matrix couples neighbours only: it is banded, and so is its factor.
    """
    from scipy.linalg import solveh_banded

    inner = jacobian[1:-1]
    count, _, size = inner.shape
    own = 2 * numpy.einsum("kmi,kmj->kij", inner, inner)
    beside = -numpy.einsum("kmi,kmj->kij", inner[1:], inner[:-1])
    pull = image[2:] - 2 * image[1:-1] + image[:-2]
    force = numpy.einsum("kmi,km->ki", inner, pull)
    scale = max(float(numpy.trace(own, axis1=1, axis2=2).mean()) / size, 1e-300)
    own = own + damping * scale * numpy.eye(size)
    bands = numpy.zeros((2 * size, count * size))  # lower: bands[i − j, j] = entry (i, j)
    rows, columns = numpy.tril_indices(size)
    places = size * numpy.arange(count)[:, None]
    bands[rows - columns, places + columns] = own[:, rows, columns]
    rows, columns = (index.ravel() for index in numpy.indices((size, size)))
    if count > 1:
        bands[size + rows - columns, places[:-1] + columns] = beside[:, rows, columns]
    step: Array = solveh_banded(bands, force.ravel(), lower=True).reshape(count, size)
    return step


def exponential(
    jets: Jets, start: Array, velocity: Array, state: int = -1, steps: int = 64
) -> Array:
    """Where geodesics go: positions [steps + 1, M, n] from `start` [M, n], with `velocity`
    [M, n] at first, in unit time. By Runge and Kutta's method of fourth order.

    A piecewise linear map bends nothing inside a region: across a fold this goes straight on.
    """

    def acceleration(points: Array, velocity: Array) -> Array:
        jacobian = jets.jacobians(points)[state]
        bent = jets.second(points, velocity, velocity)[state]
        found: Array = -(numpy.linalg.pinv(jacobian) @ bent[..., None])[..., 0]
        return found

    x, v = numpy.array(start, float), numpy.array(velocity, float)
    h, way = 1 / steps, [numpy.array(start, float)]
    for _ in range(steps):
        a1 = acceleration(x, v)
        v2 = v + h / 2 * a1
        a2 = acceleration(x + h / 2 * v, v2)
        v3 = v + h / 2 * a2
        a3 = acceleration(x + h / 2 * v2, v3)
        v4 = v + h * a3
        a4 = acceleration(x + h * v3, v4)
        x = x + h / 6 * (v + 2 * v2 + 2 * v3 + v4)
        v = v + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        way.append(x)
    return numpy.stack(way)


def curvature(jets: Jets, points: Array, first: Array, other: Array, state: int = -1) -> Array:
    """The curvature of the image at points [M, n], in the plane of two tangents [M, n]: [M].

    It is Gauss's for a surface: 1/r² for a sphere of radius r, 0 for whatever can be laid flat
    on a table, negative for a saddle. NaN where the map flattens that plane.
    """
    jacobian = jets.jacobians(points)[state]
    pairs = ((first, first), (other, other), (first, other))
    uu, vv, uv = (_normal(jacobian, jets.second(points, one, two)[state]) for one, two in pairs)
    u = (jacobian @ first[..., None])[..., 0]
    v = (jacobian @ other[..., None])[..., 0]
    area = (u * u).sum(-1) * (v * v).sum(-1) - (u * v).sum(-1) ** 2
    bent = (uu * vv).sum(-1) - (uv * uv).sum(-1)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        return numpy.where(area > 0, bent / area, numpy.nan)


def turning(jets: Jets, points: Array, direction: Array, state: int = -1) -> Array:
    """How much the images of geodesics turn, 1/radius, at points along a direction: [M]. Of a
    map of one number it is the curvature of the curve that it draws."""
    jacobian = jets.jacobians(points)[state]
    bent = _normal(jacobian, jets.second(points, direction, direction)[state])
    speed = (jacobian @ direction[..., None])[..., 0]
    with numpy.errstate(divide="ignore", invalid="ignore"):
        found: Array = numpy.linalg.norm(bent, axis=-1) / (speed * speed).sum(-1)
    return found


def _normal(jacobian: Array, vector: Array) -> Array:
    """The part of vectors [M, d] at right angles to what Jacobians [M, d, n] reach."""
    along = jacobian @ (numpy.linalg.pinv(jacobian) @ vector[..., None])
    found: Array = vector - along[..., 0]
    return found
