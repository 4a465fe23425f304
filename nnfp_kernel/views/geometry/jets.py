"""How the states of a scene change with its input, to first and second order.

The derivative is the network of linear maps that `linearize` makes of the graph; the second
one is that of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy

from ...graph.graph import Builder, Graph, Wire
from ...graph.rewrite import optimise
from ...linear.differentiate import jvp
from ...runtime.lower import lower
from ..scene import Scene
from ..scene.run import as_real, shaped, width

Array = Any


class Jets:
    """The derivatives of all states of a scene: of the input, and after each stage.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("square : R[2] -> R[2]\\nsquare x = x * x")
    >>> jets = Jets(scene(session["square"], numpy.eye(2)))
    >>> jets.jacobians(numpy.array([[1.0, 3.0]]))[-1].tolist()
    [[[2.0, 0.0], [0.0, 6.0]]]
    >>> e = numpy.array([[0.0, 1.0]])
    >>> jets.second(numpy.array([[1.0, 3.0]]), e, e)[-1].tolist()
    [[0.0, 2.0]]

    Points are rows [M, n], as a scene's are; of complex numbers real and imaginary parts are
    coordinates of their own. Whole numbers have no derivative: it is 0.
    """

    def __init__(self, scene: Scene) -> None:
        self.run = scene.run
        self._known: dict[bool, Callable[..., Any]] = {}

    def jacobians(self, points: Array) -> tuple[Array, ...]:
        """∂state/∂input at points [M, n]: [M, d, n] for each state."""
        count, size = points.shape
        basis = self._tangents(numpy.eye(size))
        found = self._function(True)(*self._arrays(points), *basis)
        return tuple(
            rows.reshape(count, size, -1).swapaxes(1, 2)
            for rows in self._rows(found, count * size, 2)
        )

    def second(self, points: Array, first: Array, other: Array) -> tuple[Array, ...]:
        """D²state [first, other] at points [M, n], along tangents [M, n]: [M, d] each."""
        tangents = [*self._tangents(first), *self._tangents(other)]
        found = self._function(False)(*self._arrays(points), *tangents)
        return tuple(self._rows(found, len(points), 1))

    # --- graphs --------------------------------------------------------------------------------

    @cached_property
    def _active(self) -> list[bool]:
        """Which inputs of the graph have tangents: those of the data that are numbers."""
        inputs = self.run.parts.graph.inputs
        count = self.run.parts.arguments
        return [k < count and wire.type.differentiable for k, wire in enumerate(inputs)]

    @cached_property
    def _first_graph(self) -> Graph:
        """inputs ++ tangents -> the tangents of all states."""
        graph = self.run.parts.graph
        ends = [wire for wires in self.run.ends for wire in wires if wire.type.differentiable]
        return self._pushed(Graph(graph.inputs, graph.nodes, tuple(ends)), self._active)

    @cached_property
    def _second_graph(self) -> Graph:
        """inputs ++ tangents ++ other tangents -> the second derivatives of all states."""
        first = self._first_graph
        fixed = len(first.inputs) - len(self._active)
        return self._pushed(first, [*self._active, *[False] * fixed])

    def _pushed(self, graph: Graph, active: Sequence[bool]) -> Graph:
        primitives = self.run.function.program.primitives
        builder = Builder(primitives)
        inputs = [builder.input(wire.type, wire.name) for wire in graph.inputs]
        tangents = [
            builder.input(wire.type, f"d {wire.name}") if on else None
            for wire, on in zip(graph.inputs, active, strict=True)
        ]
        images = jvp(builder, graph, inputs, tangents)[1]
        filled = [
            builder.zeros(wire.type) if image is None else image
            for wire, image in zip(graph.outputs, images, strict=True)
        ]
        return optimise(primitives, builder.finish(filled))

    def _function(self, every: bool) -> Callable[..., Any]:
        """The compiled graph over points; `every`: at each point along all tangents given,
        the first derivative; else at each point along its own two, the second one."""
        if every not in self._known:
            import jax

            graph = self._first_graph if every else self._second_graph
            lowered = lower(graph, self.run.function.program.precision)
            held, count = self.run.held, self.run.parts.arguments
            tangents = len(graph.inputs) - count - len(held)

            def at(*arrays: Array) -> tuple[Array, ...]:
                return lowered(*arrays[:count], *held, *arrays[count:])

            if every:
                along = jax.vmap(at, in_axes=(*[None] * count, *[0] * tangents))
                over = jax.vmap(along, in_axes=(*[0] * count, *[None] * tangents))
            else:
                over = jax.vmap(at)
            self._known[every] = jax.jit(over)
        return self._known[every]

    # --- rows and arrays -----------------------------------------------------------------------

    def _arrays(self, points: Array) -> list[Array]:
        arrays = shaped(points, self.run.sources)
        kinds = [wire.type.kind for wire in self.run.sources]
        return [
            array.astype(int) if kind == "Int" else array
            for array, kind in zip(arrays, kinds, strict=True)
        ]

    def _tangents(self, rows: Array) -> list[Array]:
        arrays = shaped(rows, self.run.sources)
        return [array for array, on in zip(arrays, self._active, strict=False) if on]

    def _rows(self, found: Sequence[Array], count: int, axes: int) -> list[Array]:
        """What was found for the wires of each state, as rows beside each other."""
        supply = iter(found)

        def own(wire: Wire) -> Array:
            if not wire.type.differentiable:
                return numpy.zeros((count, width(wire)))
            array = numpy.asarray(next(supply))
            return as_real(array.reshape(count, *array.shape[axes:]))

        return [numpy.concatenate([own(wire) for wire in wires], axis=1) for wires in self.run.ends]
