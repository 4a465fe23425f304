"""The scene in words and numbers: a row for the input and for each stage."""

from __future__ import annotations

import numpy

from ..table import Grid
from .paths import Positions
from .scene import Scene
from .stage import Stage

KINDS = {
    "affine": "turns, stretches and shifts",
    "shift": "shifts",
    "pointwise": "entry by entry",
    "softmax": "to shares of one",
    "residual": "adds to what there is",
    "parallel": "block by block",
    "fold": "position by position",
    "opaque": "straight on, no homotopy",
}


def spread(scene: Scene, state: int) -> float:
    """How far the points of a state are from their mean: the root of the mean square."""
    points = scene.points(scene.states[state])
    away = points - points.mean(0)
    # Not `vdot`: what calls the threads of BLAS takes milliseconds while a network trains.
    return float(numpy.sqrt(numpy.square(away).sum() / len(points)))


def said(stage: Stage) -> str:
    """What is true of a stage's path, in a sentence.

    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("half : R[2] -> R[2]\\nhalf x = tanh x")
    >>> said(scene(session["half"], numpy.eye(2)).stages[0])
    'The path is injective: tanh is monotone.'
    """
    match stage.kind:
        case "affine" | "shift" if stage.homotopy:
            return "It turns and stretches; nothing collapses on the way."
        case "pointwise" if stage.injective:
            return f"The path is injective: {stage.label} is monotone."
        case "softmax" if stage.injective:
            return "The path is injective: it is the gradient of a convex function."
        case "pointwise":
            return "Entry by entry; points may meet."
        case "residual":
            return "What is added grows from nothing."
        case "parallel" if stage.homotopy:
            return "Each block goes its own way."
        case "fold":
            return "From position to position."
        case "parallel" if isinstance(stage.path, Positions):
            return "Each fold goes from position to position."
        case _:
            return "Straight lines, not a homotopy: points may pass through each other."


def table(scene: Scene) -> Grid:
    """What there is after each stage: its type, how far the points spread, how they move.

    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> from nnfp_kernel.views.table import grid_to_text
    >>> session = Session(precision=64)
    >>> _ = session.run("half : R[2] -> R[2]\\nhalf x = tanh x")
    >>> print(grid_to_text(table(scene(session["half"], numpy.eye(2)))))
    stage  gives  spread  points move
    x      R[2]    0.707
    tanh   R[2]    0.539  entry by entry
    2 points
    """
    moves = ("", *(KINDS[stage.kind] for stage in scene.stages))
    rows = tuple(
        (label, type, f"{spread(scene, k):.3g}", move)
        for k, (label, type, move) in enumerate(zip(scene.labels, scene.types, moves, strict=True))
    )
    count = "1 point" if scene.count == 1 else f"{scene.count:,} points"
    return Grid(("stage", "gives", "spread", "points move"), rows, (2,), (count,))
