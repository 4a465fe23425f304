"""A scene's points at other weights: all its stages, compiled once as a function of them.

    moving = Moving(scene)
    moving.at(weights)          the same data and grid, and the boundary of then, in every stage
    moving.scene_at(weights)    the whole scene of then

That is what a view does while a network trains: one call for the boundary, and one for the
points. What does not change is laid out beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy

from ...graph.graph import Wire
from ...runtime.exchange import paths_of, unflatten_paths
from ...runtime.training.events import Weights
from .packed import link
from .plane import mesh_over, zeros
from .run import corners, of_kinds, shaped, width
from .scene import Scene, has_boundary

Array = Any
Known = dict[Any, Any]  # by what a scene is of: its states, at the same weights
FINE = 41  # samples along an axis in which the boundary is looked for
SEGMENTS = 256  # of a boundary, at most: arrays of one size are compiled for once


@dataclass(frozen=True, eq=False)
class Moved:
    """All points of a scene at some weights: for each state [M, k], along its axes. The first
    `fixed` are the data and the grid, then come the ends of the boundary."""

    states: tuple[Array, ...]
    fixed: int

    def boundary(self, state: int) -> Array:
        """[B, 2, k]"""
        found = self.states[state][self.fixed :]
        return found.reshape(-1, 2, found.shape[1])


class Moving:
    """The stages of a scene as a function of the weights.

    Points come along `axes`, [d, k] for each state, or as they are; they can be set anew.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("net : R[2] ~> R[2]\\nnet = dense[3] >> tanh >> dense[2]")
    >>> made = scene(session["net"], numpy.eye(2))
    >>> moving = Moving(made)
    >>> nothing = {"net": {"dense": {"W": numpy.zeros((3, 2)), "b": numpy.zeros(3)}}}
    >>> [float(abs(state[:2]).max()) for state in moving.at(nothing).states[:3]]
    [1.0, 0.0, 0.0]

    Weights that are not given are the session's.
    """

    def __init__(self, scene: Scene, axes: Sequence[Array | None] | None = None) -> None:
        self.scene = scene
        self.axes = list(axes or [None] * len(scene.states))
        self.fixed = scene.count + scene.lines * scene.samples
        self._points = scene.states[0][: self.fixed]
        self._bounded = scene.lines > 0 and has_boundary(scene.run, len(scene.classes))
        grid = scene.lines, scene.samples, scene.level, self._bounded
        self._name = link(scene), id(scene.run.function), *grid

    def at(self, weights: Weights, known: Known | None = None) -> Moved:
        """All points with these weights; raises NnfpError for weights that do not fit. What is
        `known` of these weights by another scene of the same is not found again."""
        if known and self._name in known:
            pairs = zip(known[self._name], self.axes, strict=True)
            return Moved(
                tuple(own if axes is None else own @ axes for own, axes in pairs), self.fixed
            )
        held = self.held(weights)
        points, end = self._carried(held)
        states = self._seen(self._given(points), held, self.axes[1:])
        first = points if self.axes[0] is None else points @ self.axes[0]
        every = [first[:end], *(numpy.array(state)[:end] for state in states)]
        if every[-1].shape[1] == 1:  # that is where the boundary lies
            every[-1][self.fixed :] = self.scene.level
        return Moved(tuple(every), self.fixed)

    def scene_at(self, weights: Weights, known: Known | None = None) -> Scene:
        """The scene with these weights, without axes of its own; its frames are those of the
        scene that it was made for. Positions of folds, and blocks, are those of these weights.
        Its states are `known` from then on."""
        held = self.held(weights)
        points, end = self._carried(held)
        run = self.scene.run
        found, images = self._staged(self._given(points), held)
        pairs = zip(run.needed, found, strict=True)
        values = {wire: numpy.asarray(value)[:end] for wire, value in pairs}
        if sum(map(width, run.ends[-1])) == 1:  # that is where the boundary lies
            for wire in run.ends[-1]:
                values[wire] = values[wire].copy()
                values[wire][self.fixed :] = self.scene.level
        turned = dict(zip(run.turned, (numpy.asarray(own, float) for own in images), strict=True))
        stages = tuple(run.stage(part, values, turned) for part in run.parts.parts)
        made = replace(self.scene, stages=stages, axes=self.scene.frames)
        if known is not None:
            known[self._name] = made.states
        return made

    def _carried(self, held: Sequence[Array]) -> tuple[Array, int]:
        """The data, the grid and the boundary, and behind them what fills the array up to the
        size that is compiled for; and where they end."""
        if not self._bounded:
            return self._points, self.fixed
        ends = self._boundary(held)
        padding = numpy.repeat(self._points[:1], 2 * SEGMENTS - len(ends), 0)
        return numpy.concatenate([self._points, ends, padding]), self.fixed + len(ends)

    def _given(self, points: Array) -> list[Array]:
        sources = self.scene.run.sources
        return of_kinds(shaped(points, sources), sources)

    def held(self, weights: Weights) -> list[Array]:
        """The arrays beside the points, for weights of a training."""
        run = self.scene.run
        assert run.call is not None
        present = run.function.session_weights()
        together = unflatten_paths({**dict(paths_of(present)), **dict(paths_of(weights))})
        return run.function.held_arrays(run.call, together, None)

    def _boundary(self, held: Sequence[Array]) -> Array:
        mesh, given = self._mesh
        outputs = numpy.nan_to_num(numpy.asarray(self._answer(given, held)))
        return zeros(mesh, outputs, self.scene.level)[:SEGMENTS].reshape(-1, 2)

    @cached_property
    def _mesh(self) -> tuple[Array, Any]:
        """Where the boundary is looked for; and the same as inputs, which lie there already."""
        import jax

        mesh = mesh_over(self._points[: self.scene.count], FINE)
        return mesh, [jax.numpy.asarray(own) for own in self._given(mesh.reshape(-1, 2))]

    @cached_property
    def _answer(self) -> Any:
        import jax

        run, sinks = self.scene.run, self.scene.run.parts.parts[-1].sinks
        lowered = run.lowered(run.sources, run.parts.graph.nodes, _once(sinks))
        return jax.jit(lambda given, held: _flat(lowered(*given, *held), sinks))

    @cached_property
    def _seen(self) -> Any:
        """points, what is held, axes -> where they are after each stage"""
        import jax

        run = self.scene.run
        ends = run.ends[1:]
        wires = _once([wire for own in ends for wire in own])
        lowered = run.lowered(run.sources, run.parts.graph.nodes, wires)

        def states(given: Any, held: Any, axes: Any) -> Any:
            values = dict(zip(wires, lowered(*given, *held), strict=True))
            flat = [_flat([values[wire] for wire in own], own) for own in ends]
            return [
                points if own is None else points @ own.astype(points.dtype)
                for points, own in zip(flat, axes, strict=True)
            ]

        return jax.jit(states)

    @cached_property
    def _staged(self) -> Any:
        """points, what is held -> the values of all wires that stages are made of; images of the
        corners by each affine part"""
        import jax

        run = self.scene.run
        lowered = run.lowered(run.sources, run.nodes, run.needed)
        through = [
            (part, run.lowered(_once(part.sources), run.inside(part), _once(part.sinks)))
            for part in run.turned
        ]
        units = [_columns(part.sources, shaped(corners(part), part.sources)) for part in run.turned]

        def values(given: Any, held: Any) -> Any:
            images = [
                _flat(_again(by(*own, *held), part.sinks), part.sinks)
                for (part, by), own in zip(through, units, strict=True)
            ]
            return lowered(*given, *held), images

        return jax.jit(values)


def _once(wires: Sequence[Wire]) -> tuple[Wire, ...]:
    return tuple(dict.fromkeys(wires))


def _columns(wires: Sequence[Wire], arrays: Sequence[Array]) -> list[Array]:
    """The array of each wire once."""
    return list(dict(zip(wires, arrays, strict=True)).values())


def _again(values: Sequence[Array], wires: Sequence[Wire]) -> list[Array]:
    """The values of wires, of which some may be the same."""
    known = dict(zip(_once(wires), values, strict=True))
    return [known[wire] for wire in wires]


def _flat(values: Sequence[Array], wires: Sequence[Wire]) -> Array:
    """Rows of real numbers, laid end to end, as `run.flattened` does."""
    import jax.numpy as jnp

    rows = [value.reshape(len(value), -1) for value in values]
    real = jnp.zeros(()).dtype
    return jnp.concatenate(
        [
            jnp.concatenate([row.real, row.imag], axis=1)
            if jnp.iscomplexobj(row)
            else row.astype(real)
            for row in rows
        ],
        axis=1,
    )
