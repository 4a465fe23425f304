"""Measures and regions in words and numbers: a row for the input and for each stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..scene import Scene
from ..table import Grid
from .regions import Regions
from .strip import Strip


def number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def strip_table(strip: Strip) -> Grid:
    """The measures of every stage.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.geometry.strip import strip
    >>> from nnfp_kernel.views.scene import scene
    >>> from nnfp_kernel.views.table import grid_to_text
    >>> session = Session(precision=64)
    >>> _ = session.run("first : R[2] -> R[1]\\nfirst x = [x ! 0]")
    >>> points = numpy.random.default_rng(0).uniform(size=(400, 2))
    >>> made = strip(scene(session["first"], points, colour=points[:, 0] > 0.5))
    >>> print(grid_to_text(strip_table(made)))
    stage   gives   dimension   CKA with the input   linearly separable
    x       R[2]          2.0                 1.00                100 %
    x ! 0   R[1]          1.1                 0.73                100 %
    400 points
    """
    scene = strip.scene
    heads = ["stage", "gives", "dimension", "CKA with the input"]
    heads += ["linearly separable"] * bool(strip.separable)
    heads += ["pieces", "holes"] * bool(strip.bars)
    rows = []
    for k, (label, type) in enumerate(zip(scene.labels, scene.types, strict=True)):
        row = [label, type, number(strip.dimension[k], 1), number(strip.aligned[k], 2)]
        row += [percent(strip.separable[k])] if strip.separable else []
        row += [str(count) for count in strip.bars[k].betti] if strip.bars else []
        rows.append(tuple(row))
    return Grid(tuple(heads), tuple(rows), tuple(range(2, len(heads))), (measured(strip),))


def percent(share: float) -> str:
    """A share; 100 % only where it is all of them."""
    return "100 %" if share == 1 else f"{min(100 * share, 99.9):.3g} %"


Measure = tuple[str, Sequence[float], Callable[[float], str]]


def measures(strip: Strip) -> list[Measure]:
    """What is measured of every state: its name, the values, and how one is told."""
    made: list[Measure] = [
        ("intrinsic dimension, TwoNN", strip.dimension, lambda value: number(value, 1)),
        ("linear CKA with the input", strip.aligned, lambda value: number(value, 2)),
    ]
    if strip.separable:
        made.append(("linearly separable", strip.separable, percent))
    return made


def measured(strip: Strip) -> str:
    """Of how many points, and landmarks, this is."""
    whole = f"{strip.scene.count:,} points" if strip.scene.count != 1 else "1 point"
    if strip.count < strip.scene.count:
        whole = f"{strip.count:,} of {whole}"
    if strip.bars:
        first = strip.bars[0]
        whole += f" · pieces and holes of {first.landmarks} landmarks, at 3 times their cover"
    return whole


def regions_table(found: Regions, scene: Scene) -> Grid:
    """How many regions each stage has."""
    rows = tuple(
        (label, type, f"{count:,}")
        for label, type, count in zip(scene.labels, scene.types, found.counts, strict=True)
    )
    plane = "" if scene.states[0].shape[1] == 2 else f", on {found.plane.name}"
    return Grid(
        ("stage", "gives", "regions"), rows, (2,),
        (f"in the box that holds {scene.count:,} points{plane}",),
    )  # fmt: skip
