"""The metric that a map pulls back: how it stretches space where.

    g = JᵀJ           lengths and angles of the image, measured at the point
    singular values   how far the unit directions are stretched
    log-volume        ½ log det g: the logarithm of how much volume grows
    Tissot's ellipse  the image of a small circle: J (r S¹)

All take Jacobians [..., m, n] of a map from n to m dimensions, as `Jets.jacobians` makes
them, and are about each of them.
"""

from __future__ import annotations

from typing import Any

import numpy

Array = Any


def pullback(jacobian: Array) -> Array:
    """The metric g = JᵀJ, [..., n, n]: |df v|² = vᵀ g v.

    >>> import numpy
    >>> pullback(numpy.array([[1.0, 1.0], [0.0, 2.0], [0.0, 0.0]])).tolist()
    [[1.0, 1.0], [1.0, 5.0]]
    """
    return numpy.swapaxes(jacobian, -1, -2) @ jacobian


def singular_values(jacobian: Array) -> Array:
    """The factors by which a map stretches, largest first: [..., min(m, n)]."""
    return numpy.linalg.svd(jacobian, compute_uv=False)


def log_volume(jacobian: Array) -> Array:
    """½ log det JᵀJ, [...]: the logarithm of the factor by which n-dimensional volume grows;
    −∞ where a direction is lost.

    >>> import numpy
    >>> float(log_volume(numpy.diag([2.0, 4.0])).round(6)) == round(float(numpy.log(8)), 6)
    True
    """
    values = singular_values(jacobian)
    lost = jacobian.shape[-2] < jacobian.shape[-1]
    with numpy.errstate(divide="ignore"):
        whole = numpy.log(values).sum(-1)
    return numpy.full_like(whole, -numpy.inf) if lost else whole


def ellipses(centres: Array, jacobian: Array, radius: float, samples: int = 49) -> Array:
    """Tissot's ellipses: the images of circles around the points that go to `centres`.

    `centres` : [M, m], `jacobian` : [M, m, 2]; gives closed curves [M, samples, m]. Their
    area is π r² exp(log-volume). Source: Tissot 1859, of maps of the earth.
    """
    angle = numpy.linspace(0, 2 * numpy.pi, samples)
    circle = radius * numpy.stack([numpy.cos(angle), numpy.sin(angle)])
    return centres[:, None] + numpy.swapaxes(jacobian @ circle, -1, -2)
