"""What every stage does to lengths and areas of a plane.

Tissot put small circles on the globe, to be seen on the map as ellipses. Here they lie on the
input; where they are no ellipses any more, the map bends at their size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy

from ...language.diagnostics import NnfpError
from ...language.telling import plain
from ..scene import Scene
from ..scene.plane import box
from .jets import Jets
from .metric import ellipses, log_volume, pullback, singular_values

Array = Any
ACROSS = 7  # ellipses along the longer side
CELLS = 48  # of the sheet on which volumes are told


@dataclass(frozen=True, eq=False)
class Lens:
    """Of every state of a scene (the input, and after each stage):

    `circles` [M, samples, d], small circles of the input carried along; `stretch` [M, 2], by how
    much each is stretched at its centre, most first; `sheet` [a, b, d], a fine grid; and `volume`
    [a, b], the logarithm of the factor by which area has grown there since the input: −∞ where
    none is left.
    """

    scene: Scene
    circles: tuple[Array, ...] = field(repr=False)
    stretch: tuple[Array, ...] = field(repr=False)
    sheet: tuple[Array, ...] = field(repr=False)
    volume: tuple[Array, ...] = field(repr=False)


def lens(scene: Scene, across: int = ACROSS, cells: int = CELLS) -> Lens:
    """The lens over the box of a scene's data, whose input is a plane.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("wide : R[2] -> R[2]\\nwide x = [3 * (x ! 0), x ! 1]")
    >>> made = lens(scene(session["wide"], numpy.eye(2)))
    >>> made.stretch[-1][0].round(6).tolist(), float(numpy.exp(made.volume[-1]).mean().round(6))
    ([3.0, 1.0], 3.0)

    Raises NnfpError for other inputs.
    """
    data = scene.points(scene.states[0])
    if data.shape[1] != 2:
        function = scene.run.function
        raise NnfpError(
            plain(
                "no-lens",
                f"{scene.name} takes {data.shape[1]} numbers: ellipses are of a plane",
                function.definition.span,
                f"has type {function.type}",
                notes=(
                    "Show a function of two numbers, such as this one after a map from the plane.",
                ),
            )
        )
    centres, circles = circles_over(data, across)
    jets = Jets(scene)
    carried = scene.run.states(circles.reshape(-1, 2))
    stretches = [singular_values(own) for own in jets.jacobians(centres)]
    corners = sheet_over(data, cells)
    sheet = scene.run.states(corners.reshape(-1, 2))
    volumes = jets.jacobians(corners.reshape(-1, 2))
    return Lens(
        scene,
        tuple(state.reshape(*circles.shape[:2], -1) for state in carried),
        tuple(numpy.pad(own, ((0, 0), (0, 2 - own.shape[1]))) for own in stretches),
        tuple(state.reshape(*corners.shape[:2], -1) for state in sheet),
        tuple(log_volume(own).reshape(corners.shape[:2]) for own in volumes),
    )


def sheet_over(points: Array, cells: int = CELLS) -> Array:
    """The nodes of a sheet over the box of points [N, 2]: [a, b, 2], `cells` along the longer
    side.

    >>> sheet_over(numpy.array([[0.0, 0.0], [2.0, 1.0]]), 8).shape
    (9, 6, 2)
    """
    low, high = box(points)
    counts = _counts(low, high, cells)
    edges = [numpy.linspace(low[k], high[k], counts[k] + 1) for k in (0, 1)]
    return numpy.stack(numpy.meshgrid(*edges, indexing="ij"), axis=-1)


def metrics(jets: Jets, places: Array) -> Array:
    """The pullback metric of every state at places [M, 2], as g00, g01, g11: [S, M, 3]."""
    found = [pullback(own) for own in jets.jacobians(places)]
    return numpy.stack([own[:, [0, 0, 1], [0, 1, 1]] for own in found])


def circles_over(points: Array, across: int = ACROSS, samples: int = 33) -> tuple[Array, Array]:
    """Small circles over the box of points [N, 2]: their centres [M, 2], and [M, samples, 2].

    >>> [array.shape for array in circles_over(numpy.array([[0.0, 0.0], [2.0, 1.0]]), 4)]
    [(8, 2), (8, 33, 2)]
    """
    low, high = box(points)
    centres = _lattice(low, high, _counts(low, high, across))
    radius = 0.36 * float((high - low).max()) / across
    return centres, ellipses(centres, numpy.eye(2), radius, samples)


def _counts(low: Array, high: Array, across: int) -> list[int]:
    """How many cells a box has along its sides, `across` along the longer one."""
    step = float((high - low).max()) / across
    return [max(round(float(side) / step), 1) for side in high - low]


def _lattice(low: Array, high: Array, counts: list[int]) -> Array:
    """The centres of so many cells of a box: [M, 2]."""
    places = [
        low[k] + (high[k] - low[k]) * (numpy.arange(counts[k]) + 0.5) / counts[k] for k in (0, 1)
    ]
    return numpy.stack(numpy.meshgrid(*places, indexing="ij"), axis=-1).reshape(-1, 2)
