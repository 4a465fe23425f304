"""All that is measured of a scene's data, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy

from ...language.diagnostics import NnfpError
from ...language.telling import plain
from ..scene import Scene
from .measures import alignment, intrinsic_dimension, linear_share
from .topology import Barcode, NoRipser, barcode

Array = Any
MEASURED = 2_000  # points


@dataclass(frozen=True, eq=False)
class Strip:
    """Of every state of a scene, the input first: `dimension` (TwoNN), `aligned` (linear CKA
    with the input), `separable` (the share that flat cuts between the classes get right) and
    `bars`, the last two where there are classes, or they were asked for.

    Of more than 2,000 points 2,000 are measured, at even steps: `count` of them.
    """

    scene: Scene = field(repr=False)
    count: int
    dimension: tuple[float, ...]
    aligned: tuple[float, ...]
    separable: tuple[float, ...] = ()
    bars: tuple[Barcode, ...] = ()


def strip(scene: Scene, *, betti: bool = False) -> Strip:
    """The measures of all states of a scene; with `betti` their persistent homology.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("first : R[2] -> R[1]\\nfirst x = [x ! 0]")
    >>> points = numpy.random.default_rng(0).uniform(size=(400, 2))
    >>> made = strip(scene(session["first"], points, colour=points[:, 1] > 0.5))
    >>> [round(number) for number in made.dimension]
    [2, 1]
    >>> made.separable[0], made.separable[1] < 0.7
    (1.0, True)

    Raises NnfpError where `betti` is asked for without ripser.
    """
    chosen = _chosen(scene)
    states = [scene.points(state)[chosen] for state in scene.states]
    shares: tuple[float, ...] = ()
    if scene.classes and scene.colour is not None:
        classes = numpy.asarray(scene.colour)[chosen]
        shares = tuple(linear_share(state, classes) for state in states)
    return Strip(
        scene,
        len(chosen),
        tuple(map(intrinsic_dimension, states)),
        tuple(alignment(states[0], state) for state in states),
        shares,
        tuple(bars_of(scene)) if betti else (),
    )


def bars_of(scene: Scene) -> Iterator[Barcode]:
    """The bars of every state, one after the other: each takes a second or so.

    Raises NnfpError where ripser is not installed.
    """
    chosen = _chosen(scene)
    for state in scene.states:
        try:
            yield barcode(scene.points(state)[chosen])
        except NoRipser as missing:
            title, _, install = str(missing).rpartition(": ")
            raise NnfpError(
                plain(
                    "needs-ripser", title, scene.run.function.definition.span,
                    notes=(f"Install it: `{install}`. The other measures need nothing.",),
                )
            ) from None  # fmt: skip


def _chosen(scene: Scene) -> Array:
    """The points that are measured: all, or 2,000 at even steps."""
    if scene.count <= MEASURED:
        return numpy.arange(scene.count)
    return numpy.linspace(0, scene.count - 1, MEASURED).round().astype(int)


def alignments(one: Scene, other: Scene | None = None) -> Array:
    """Linear CKA of every state of a scene with every state of another one over the same data
    (with its own, without one): [S, T], in 0 … 1."""
    columns = one if other is None else other
    if columns.count != one.count:
        function = columns.run.function
        raise NnfpError(
            plain(
                "other-data",
                f"{one.name} is seen over {one.count:,} points, {columns.name} over "
                f"{columns.count:,}",
                function.definition.span,
                notes=("Alignment compares what becomes of the same points: take one data set.",),
            )
        )
    step = -(-one.count // MEASURED)
    rows = [one.points(state)[::step] for state in one.states]
    beside = [columns.points(state)[::step] for state in columns.states]
    return numpy.array([[alignment(x, y) for y in beside] for x in rows])
