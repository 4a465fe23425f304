"""A scene's points at other weights: all its stages, compiled once as a function of them.

    moving = Moving(scene)
    moving.at(weights)      the same data and grid, and the boundary of then, in every stage

That is what a view does while a network trains: one call for the boundary, and one for the
points. What does not change is laid out beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy

from ...graph.graph import Wire
from ...runtime.events import Weights
from ...runtime.exchange import paths_of, unflatten_paths
from .packed import link
from .paths import Affine, Straight
from .plane import mesh_over, zeros
from .run import affine_of, corners, of_kinds, shaped
from .scene import Scene, has_boundary

Array = Any
FINE = 41  # samples along an axis in which the boundary is looked for
SEGMENTS = 256  # of a boundary, at most: arrays of one size are compiled for once


@dataclass(frozen=True, eq=False)
class Moved:
    """All points of a scene at some weights: for each state [M, k], along its axes. The first
    `fixed` are the data and the grid, then come the ends of the boundary."""

    states: tuple[Array, ...]
    fixed: int
    affine: Mapping[int, Affine]  # by stage

    def boundary(self, state: int) -> Array:
        """[B, 2, k]"""
        found = self.states[state][self.fixed :]
        return found.reshape(-1, 2, found.shape[1])


class Moving:
    """The stages of a scene as a function of the weights.

    Points come along `axes`, [d, k] for each state, or as they are; they can be set anew. With
    `affine` what the affine stages are is found, too.

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

    def __init__(
        self, scene: Scene, axes: Sequence[Array | None] | None = None, affine: bool = False
    ) -> None:
        self.scene = scene
        self.axes = list(axes or [None] * len(scene.states))
        self.fixed = scene.count + scene.lines * scene.samples
        run = scene.run
        self._points = scene.states[0][: self.fixed]
        self._name = f"{link(scene)} {scene.level}"
        self._bounded = scene.lines > 0 and has_boundary(run, len(scene.classes))
        stages = enumerate(scene.stages) if affine else ()
        self._affine = [k for k, stage in stages if isinstance(stage.path, Affine)]

    def at(self, weights: Weights, known: dict[str, Array] | None = None) -> Moved:
        """All points with these weights; raises NnfpError for weights that do not fit. What is
        `known` of these weights by others over the same data need not be found again."""
        held = self.held(weights)
        points, room = self._points, 0
        known = {} if known is None else known
        if self._bounded:
            if self._name not in known:
                known[self._name] = self._boundary(held)
            ends = known[self._name]
            room = len(ends)
            padding = numpy.repeat(self._points[:1], 2 * SEGMENTS - room, 0)
            points = numpy.concatenate([self._points, ends, padding])
        run = self.scene.run
        given = of_kinds(shaped(points, run.sources), run.sources)
        states, images = self._compiled(given, held, self.axes[1:])
        first = points if self.axes[0] is None else points @ self.axes[0]
        end = self.fixed + room
        every = [first[:end], *(numpy.array(state)[:end] for state in states)]
        if room and every[-1].shape[1] == 1:  # that is where it lies
            every[-1][self.fixed :] = self.scene.level
        return Moved(
            tuple(every),
            self.fixed,
            {
                k: affine_of(numpy.asarray(image, float))
                for k, image in zip(self._affine, images, strict=True)
            },
        )

    @property
    def simple(self) -> bool:
        """Whether all stages go straight or are affine: then there is a scene at once."""
        return all(isinstance(stage.path, Affine | Straight) for stage in self.scene.stages)

    def scene_at(self, weights: Weights, known: dict[str, Array] | None = None) -> Scene:
        """The scene with these weights, of what is `simple`, without axes of its own and with
        `affine`; its frames are those of the scene that it was made for."""
        moved = self.at(weights, known)
        ends = zip(moved.states, moved.states[1:], strict=False)
        stages = tuple(
            replace(stage, before=before, after=after, path=moved.affine.get(k, stage.path))
            for k, (stage, (before, after)) in enumerate(zip(self.scene.stages, ends, strict=True))
        )
        return replace(self.scene, stages=stages, axes=self.scene.frames)

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

        sources = self.scene.run.sources
        mesh = mesh_over(self._points[: self.scene.count], FINE)
        given = of_kinds(shaped(mesh.reshape(-1, 2), sources), sources)
        return mesh, [jax.numpy.asarray(array) for array in given]

    @cached_property
    def _answer(self) -> Any:
        import jax

        run, sinks = self.scene.run, self.scene.run.parts.parts[-1].sinks
        lowered = run.lowered(run.sources, run.parts.graph.nodes, _once(sinks))
        return jax.jit(lambda given, held: _flat(lowered(*given, *held), sinks))

    @cached_property
    def _compiled(self) -> Any:
        """points, what is held, axes -> where they are after each stage; images of the corners
        by each affine stage."""
        import jax

        run = self.scene.run
        ends = run.ends[1:]
        every = _once([wire for wires in ends for wire in wires])
        lowered = run.lowered(run.sources, run.parts.graph.nodes, every)
        parts = [run.parts.parts[k] for k in self._affine]
        through = [
            (part, run.lowered(_once(part.sources), run.inside(part), _once(part.sinks)))
            for part in parts
        ]
        units = [_columns(part.sources, shaped(corners(part), part.sources)) for part in parts]

        def states(given: Any, held: Any, axes: Any) -> Any:
            values = dict(zip(every, lowered(*given, *held), strict=True))
            flat = [_flat([values[wire] for wire in wires], wires) for wires in ends]
            seen = [
                points if own is None else points @ own.astype(points.dtype)
                for points, own in zip(flat, axes, strict=True)
            ]
            images = [
                _flat(_again(by(*own, *held), part.sinks), part.sinks)
                for (part, by), own in zip(through, units, strict=True)
            ]
            return seen, images

        return jax.jit(states)


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
