"""What can be said of a set of points in a number.

intrinsic_dimension   of how many dimensions it is, whatever space it lies in (TwoNN)
alignment             how much two sets of the same points look alike (linear CKA)
separable             whether a flat cut parts two classes: decided, not estimated
linear_share          the share of points that the best flat cuts get right
"""

from __future__ import annotations

from typing import Any

import numpy

Array = Any
KEPT = 0.9  # of the ratios: the largest ones are where the law holds least
RIDGE = 1e-4


def intrinsic_dimension(points: Array) -> float:
    """The dimension of the manifold that points [N, d] lie near; NaN of fewer than
    five, and of those at even distances, whose ratios tell nothing.

    >>> import numpy
    >>> angle = numpy.random.default_rng(0).uniform(0, 2 * numpy.pi, 500)
    >>> circle = numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1)
    >>> round(intrinsic_dimension(circle))
    1

    Of each point the ratio μ of the distances to its second and its first neighbour: where
    density is even at that scale, P(μ > m) = m⁻ᵈ. d is the slope of the line through 0 that
    fits −log(1 − F(μ)) to log μ, without the largest tenth. Points that coincide count once.
    Source: Facco, d'Errico, Rodriguez, Laio 2017, Scientific Reports 7, 12140 (TwoNN).
    """
    from scipy.spatial import cKDTree

    distinct = numpy.unique(numpy.asarray(points, float), axis=0)
    count = len(distinct)
    if count < 5:
        return float("nan")
    near = cKDTree(distinct).query(distinct, k=3)[0][:, 1:]
    ratios = numpy.sort(near[:, 1] / near[:, 0])
    kept = max(int(count * KEPT), 3)
    x = numpy.log(ratios[:kept])
    y = -numpy.log1p(-numpy.arange(1, kept + 1) / count)
    return float(x @ y / (x @ x)) if x[-1] > 1e-9 else float("nan")


def alignment(first: Array, other: Array) -> float:
    """Linear CKA of two representations [N, d], [N, e] of the same points, in 0 … 1.

    >>> import numpy
    >>> points = numpy.random.default_rng(0).normal(size=(50, 3))
    >>> turned = 2 * points[:, [1, 2, 0]] + 5
    >>> round(alignment(points, turned), 6)
    1.0

    It is |XᵀY|² / (|XᵀX| |YᵀY|) of the centred points (Frobenius norms): rotations, shifts
    and one scale change nothing. NaN where all points of one are the same.
    Source: Kornblith, Norouzi, Lee, Hinton 2019.
    """
    x, y = (numpy.asarray(each, float) - numpy.mean(each, axis=0) for each in (first, other))
    if max(x.shape[1], y.shape[1]) > len(x):  # the same number from the smaller matrices
        a, b = x @ x.T, y @ y.T
        top, low = (a * b).sum(), numpy.linalg.norm(a) * numpy.linalg.norm(b)
    else:
        top = (numpy.linalg.norm(x.T @ y)) ** 2
        low = numpy.linalg.norm(x.T @ x) * numpy.linalg.norm(y.T @ y)
    return float(top / low) if low > 0 else float("nan")


def separable(points: Array, inside: Array) -> bool:
    """Whether a hyperplane has the points [N, d] flagged in `inside` strictly on one side
    and all others on the other: a linear programme has an answer, or none.

    >>> import numpy
    >>> corners = numpy.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    >>> separable(corners, numpy.array([True, True, False, False]))  # exclusive or
    False
    >>> separable(corners, numpy.array([True, False, False, False]))
    True
    """
    from scipy.optimize import linprog

    inside = numpy.asarray(inside, bool)
    if inside.all() or not inside.any():
        return True
    scaled = _standardised(points)
    sign = numpy.where(inside, 1.0, -1.0)
    rows = -sign[:, None] * numpy.column_stack([scaled, numpy.ones(len(scaled))])
    found = linprog(
        numpy.zeros(rows.shape[1]), A_ub=rows, b_ub=-numpy.ones(len(rows)),
        bounds=(None, None), method="highs",
    )  # fmt: skip
    return bool(found.status == 0)


def linear_share(points: Array, classes: Array) -> float:
    """The share of points [N, d] that a linear classifier gets right: 1 exactly where flat
    cuts part each class from the rest, else that of logistic regression on these points.

    >>> import numpy
    >>> linear_share(numpy.array([[0.0], [1.0], [2.0], [3.0]]), numpy.array([0, 0, 1, 1]))
    1.0
    """
    from scipy.optimize import minimize

    names, wanted = numpy.unique(numpy.asarray(classes), return_inverse=True)
    if len(names) < 2:
        return 1.0
    if all(separable(points, wanted == k) for k in range(len(names) if len(names) > 2 else 1)):
        return 1.0
    x = numpy.column_stack([_standardised(points), numpy.ones(len(points))])
    aim = numpy.eye(len(names))[wanted]
    shape = (x.shape[1], len(names))

    def loss(flat: Array) -> tuple[float, Array]:
        scores = x @ flat.reshape(shape)
        scores -= scores.max(1, keepdims=True)
        logs = scores - numpy.log(numpy.exp(scores).sum(1, keepdims=True))
        slope = x.T @ (numpy.exp(logs) - aim) / len(x)
        value = -(aim * logs).sum() / len(x) + RIDGE / 2 * (flat @ flat)
        return float(value), slope.ravel() + RIDGE * flat

    found = minimize(loss, numpy.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B")
    told = (x @ found.x.reshape(shape)).argmax(1)
    return float((told == wanted).mean())


def _standardised(points: Array) -> Array:
    """Points around zero, each coordinate of one size; one that is constant stays zero."""
    centred = numpy.asarray(points, float) - numpy.mean(points, axis=0)
    size = centred.std(0)
    return centred / numpy.where(size > 0, size, 1.0)
