"""The exact linear regions of a piecewise-linear network, on a plane of its input.

A network of affine maps, ReLU, absolute values, maxima and choices is affine on convex
polygons. Its kinks are taken in the order in which they are computed: on each polygon that
there is, what a kink looks at is affine, known by one point and its derivative there; its
zeros cut the polygon. No grid is laid, and nothing is sampled.

    relu, abs, sign        kinks where the operand is 0
    max, min, <, …         where two are equal
    maximum, argmax, …     where the largest of several changes

Source: Montúfar, Pascanu, Cho, Bengio 2014; Humayun et al. 2023 (SplineCam).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ...graph.graph import Builder, Call, Graph, Node, Wire
from ...graph.unrolled import can_unroll, unrolled
from ...language.diagnostics import NnfpError
from ...language.telling import plain
from ...linear.differentiate import jvp
from ...runtime.function import Function
from ...runtime.lower import lower
from ..scene import Scene
from ..scene.parts import affine_node
from ..scene.plane import box
from ..scene.run import flattened, shaped
from .polygons import Polygons, joined

Array = Any
MOST = 20_000  # polygons
LONGEST = 20_000  # nodes, once loops are laid out
SIGNS = {"relu", "abs", "sign"}
PAIRS = {"max", "min", "compare"}
LARGEST = {"maximum": 1.0, "minimum": -1.0, "argmax": 1.0}


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane in the input: `origin` [n], `axes` [n, 2], orthonormal; `name` says which."""

    origin: Array
    axes: Array
    name: str = "a plane"

    @staticmethod
    def of(points: Array) -> Plane:
        """The plane that points [N, n] lie in best; of two numbers the input itself."""
        if points.shape[1] == 2:
            return Plane(numpy.zeros(2), numpy.eye(2), "the input")
        centre = points.mean(0)
        axes = numpy.linalg.svd(points - centre, full_matrices=len(points) < 3)[2][:2].T
        return Plane(centre, axes, "the plane in which the data lie best")

    @staticmethod
    def through(a: Array, b: Array, c: Array) -> Plane:
        """The plane through three points [n], in which a is the origin.

        >>> import numpy
        >>> plane = Plane.through(*numpy.eye(3))
        >>> plane.seen(numpy.eye(3)[1:2]).round(3).tolist()
        [[1.414, 0.0]]
        """
        a, b, c = (numpy.asarray(each, float) for each in (a, b, c))
        axes, size = numpy.linalg.qr(numpy.stack([b - a, c - a], axis=1))
        axes = axes * numpy.sign(numpy.diagonal(size))
        return Plane(a, axes, "the plane through three points")

    def points(self, places: Array) -> Array:
        """The input at places [..., 2] of the plane."""
        return self.origin + places @ self.axes.T

    @staticmethod
    def along(points: Array, first: int, other: int) -> Plane:
        """The plane of two numbers of the input, through the middle of points [N, n].

        >>> import numpy
        >>> Plane.along(numpy.eye(4), 3, 1).points(numpy.array([5.0, 6.0])).tolist()
        [0.25, 6.25, 0.25, 5.25]
        """
        axes = numpy.eye(points.shape[1])[:, [first, other]]
        return Plane(points.mean(0), axes, f"the plane of numbers {first} and {other}")

    def seen(self, points: Array) -> Array:
        """Where points [N, n] are seen in the plane."""
        return (points - self.origin) @ self.axes


@dataclass(frozen=True, eq=False)
class Regions:
    """Where a network is affine: polygons of a plane, and the map on each.

    Of every state (the input, and after each stage) `values` [R, d] are those at the polygons'
    centres and `slopes` [R, d, 2] the change along the plane's axes: on polygon r the state
    is values[r] + slopes[r] (p − centres[r]). `counts`: how many regions each state has, of
    which the polygons of the last one are parts of those before: polygon r is a part of region
    `members`[state][r].
    """

    plane: Plane
    polygons: Polygons
    values: tuple[Array, ...] = field(repr=False)
    slopes: tuple[Array, ...] = field(repr=False)
    counts: tuple[int, ...]
    members: tuple[Array, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.polygons)

    def corners(self, state: int) -> Array:
        """Where a state has the polygons' corners: [R, K, d]."""
        away = self.polygons.corners - self.polygons.centres[:, None]
        found: Array = self.values[state][:, None] + away @ self.slopes[state].swapaxes(1, 2)
        return found

    def at(self, places: Array) -> Array:
        """The region in which places [P, 2] of the plane lie: [P], −1 outside of all."""
        found = numpy.full(len(places), -1)
        corners = self.polygons.corners
        edges = numpy.roll(corners, -1, axis=1) - corners
        for k, place in enumerate(places):
            away = place - corners
            inside = (edges[..., 0] * away[..., 1] - edges[..., 1] * away[..., 0] >= -1e-12).all(1)
            hits = numpy.flatnonzero(inside)
            found[k] = hits[0] if len(hits) else -1
        return found


def chosen(
    scene: Scene, axes: Sequence[int] | None = None, points: Sequence[int] | None = None
) -> Plane | None:
    """The plane of two numbers of the input, or through three of a scene's points, by their
    places; None, which is the data's own, without either.

    Raises ValueError for places that are not there, or give no plane.
    """
    if axes is None and points is None:
        return None
    if axes is not None and points is not None:
        raise ValueError("a plane of two axes, or through three points: not both")
    data = scene.points(scene.states[0])
    kind, places = ("axes", axes) if axes is not None else ("points", points)
    assert places is not None
    many, most = (2, data.shape[1]) if axes is not None else (3, len(data))
    if not len(set(places)) == len(places) == many or not all(0 <= k < most for k in places):
        raise ValueError(f"a plane takes {many} {kind}, different ones of 0 to {most - 1}")
    if axes is not None:
        return Plane.along(data, *places)
    a, b, c = data[list(places)]
    if numpy.linalg.matrix_rank(numpy.stack([b - a, c - a])) < 2:
        raise ValueError(f"points {', '.join(map(str, places))} lie on one line: no one plane")
    return Plane.through(a, b, c)


def regions(
    scene: Scene, plane: Plane | None = None, grown: Callable[[int], None] | None = None
) -> Regions:
    """The linear regions of a function around the data of its scene.

    >>> import numpy
    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("folded : R[2] -> R[2]\\nfolded x = abs x")
    >>> data = numpy.array([[-1.0, -1.0], [1.0, 1.0]])
    >>> found = regions(scene(session["folded"], data))
    >>> len(found), found.counts
    (4, (1, 4))

    The plane is the input where that has two numbers, else the one in which the data lie best;
    on it, the box that holds all data. It is computed in 64 bits, whatever the session's are.

    `grown` is told how many polygons there are, after each kink; what it raises ends the work.

    Raises NnfpError, with the place, where something is neither affine nor a kink, and for
    more than 20,000 polygons.
    """
    function = scene.run.function
    if not all(wire.type.kind == "R" for wire in scene.run.sources):
        raise _refused(
            function, f"{function.name} takes other than real numbers: there is no plane of them",
            "Show the part that takes real numbers.",
        )  # fmt: skip
    data = scene.points(scene.states[0])
    if data.shape[1] < 2:
        raise _refused(
            function, f"{function.name} takes one number: its regions are intervals",
            "Plot it: it is a line with corners.",
        )  # fmt: skip
    plane = plane or Plane.of(data)
    low, high = box(plane.seen(data))
    flat = _Flat(scene, plane)
    polygons, seen = Polygons.box(low, high), 0
    counts: list[int] = []
    members: list[Array] = []
    for kinks in flat.kinks_before_states():
        for kink in kinks[seen:]:
            polygons = _cut(function, flat, kink, polygons)
            members = [own[polygons.parent] for own in members]
            if grown is not None:
                grown(len(polygons))
        seen = max(seen, len(kinks))
        counts.append(len(polygons))
        members.append(numpy.arange(len(polygons)))
    places = polygons.centres
    found = flat.affine(places, flat.ends)
    values, slopes, k = [], [], 0
    for wires in scene.run.ends:
        own = found[k : k + len(wires)]
        k += len(wires)
        values.append(flattened([value for value, _ in own]))
        along = [flattened([slope[:, axis] for _, slope in own]) for axis in (0, 1)]
        slopes.append(numpy.stack(along, axis=2))
    return Regions(plane, polygons, tuple(values), tuple(slopes), tuple(counts), tuple(members))


def _refused(function: Function, title: str, *notes: str, node: Node | None = None) -> NnfpError:
    place = node.origin if node is not None else None
    if place is None or place.source.name == "expression":
        place = function.definition.span
    return NnfpError(plain("no-regions", title, place, notes=notes))


# --- kinks -------------------------------------------------------------------------------------


class _Flat:
    """The graph without loops: its kinks, and the values of wires over a plane."""

    def __init__(self, scene: Scene, plane: Plane) -> None:
        run, function = scene.run, scene.run.function
        primitives = function.program.primitives
        ends = tuple(wire for wires in run.ends for wire in wires)
        graph = Graph(run.parts.graph.inputs, run.parts.graph.nodes, ends)
        while any(own := [node for node in graph.nodes if can_unroll(node)]):
            graph = unrolled(graph, primitives)
            if len(graph.nodes) > LONGEST:
                raise _refused(
                    function, f"{function.name} is more than {LONGEST:,} operations long",
                    "Show a part of it, or shorter sequences.", node=own[0],
                )  # fmt: skip
        self.graph, self.ends = graph, graph.outputs
        self.plane, self.primitives = plane, primitives
        self.sizes = [len(wires) for wires in run.ends]
        self.held = [numpy.asarray(array) for array in run.held]
        self.sources = graph.inputs[: run.parts.arguments]
        self.kinks = self._kinks(function)
        self.wanted = list(dict.fromkeys([*(w for k in self.kinks for w in k.inputs), *self.ends]))
        self._compiled = self._compile()

    def _kinks(self, function: Function) -> list[Node]:
        """The nodes at which the function bends; an error for what is bent everywhere."""
        moving: set[Wire] = set(self.sources)  # affine on each region
        found = []
        for node in self.graph.nodes:
            flags = [wire in moving for wire in node.inputs]
            if not any(flags):
                continue  # constant on each region, whatever it is
            name = node.operation.primitive.name if isinstance(node.operation, Call) else ""
            if name in SIGNS or name in PAIRS or name in LARGEST:
                found.append(node)
                if name not in ("compare", "sign", "argmax"):
                    moving.update(node.outputs)
            elif affine_node(node, flags):
                moving.update(node.outputs)
            else:
                told = f"`{name}`" if name else "a loop without a fixed length"
                raise _refused(
                    function, f"{told} is not piecewise linear: {function.name} has no regions",
                    "Regions are those of affine maps with relu, abs, max, min, maximum and `if`. "
                    "Show the part before it, or see the metric instead: `%nnfp bend`.",
                    node=node,
                )  # fmt: skip
        return found

    def kinks_before_states(self) -> Iterator[list[Node]]:
        """For each state the kinks that it depends on, among them all of the states before."""
        place = 0
        for size in self.sizes:
            wanted = set(self.ends[place : place + size])
            place += size
            needed = set()
            for node in reversed(self.graph.nodes):
                if not wanted.isdisjoint(node.outputs):
                    needed.add(node)
                    wanted.update(node.inputs)
            yield [node for node in self.kinks if node in needed]

    def _compile(self) -> Any:
        """inputs ++ tangents -> what is wanted ++ its tangents, over points and two axes."""
        import jax

        graph = Graph(self.graph.inputs, self.graph.nodes, tuple(self.wanted))
        builder = Builder(self.primitives)
        inputs = [builder.input(wire.type, wire.name) for wire in graph.inputs]
        tangents = [
            builder.input(wire.type) if wire in self.sources else None for wire in graph.inputs
        ]
        outputs, images = jvp(builder, graph, inputs, tangents)
        filled = [
            builder.zeros(wire.type) if image is None else image
            for wire, image in zip(outputs, images, strict=True)
        ]
        whole = lower(builder.finish([*outputs, *filled]), 64)
        count = len(self.sources)

        def at(*arrays: Array) -> tuple[Array, ...]:
            return whole(*arrays[:count], *self.held, *arrays[count:])

        along = jax.vmap(at, in_axes=(*[None] * count, *[0] * count))
        return jax.jit(jax.vmap(along, in_axes=(*[0] * count, *[None] * count)))

    def affine(self, places: Array, wires: Sequence[Wire]) -> list[tuple[Array, Array]]:
        """Values [P, …] of wires at places [P, 2] of the plane, and their change along its axes
        [P, 2, …]. Batches have few sizes, for each of which it is compiled."""
        import jax

        count = len(places)
        room = next(size for size in (64, 512, 4096, 2 * MOST) if size >= count)
        padded = numpy.concatenate([places, numpy.repeat(places[-1:], room - count, axis=0)])
        with jax.enable_x64(True):
            arrays = shaped(self.plane.points(padded), self.sources)
            tangents = shaped(self.plane.axes.T, self.sources)
            found = [numpy.asarray(each) for each in self._compiled(*arrays, *tangents)]
        values = dict(zip(self.wanted, found[: len(self.wanted)], strict=True))
        slopes = dict(zip(self.wanted, found[len(self.wanted) :], strict=True))
        return [(values[wire][:count, 0], slopes[wire][:count]) for wire in wires]


# --- cutting -----------------------------------------------------------------------------------


def _cut(function: Function, flat: _Flat, kink: Node, polygons: Polygons) -> Polygons:
    """The polygons cut at the zeros of all that a kink looks at."""
    operation = kink.operation
    assert isinstance(operation, Call)
    name, polygons = operation.primitive.name, polygons.begun()
    centres = polygons.centres
    operands = flat.affine(centres, kink.inputs)
    if name in LARGEST:
        axes = operation.parameters.get("axes", (operation.parameters.get("axis", 0),))
        value, slope = operands[0]
        moved = [axis + 1 for axis in axes]
        value = numpy.moveaxis(value, moved, range(-len(moved), 0))
        slope = numpy.moveaxis(slope, [m + 1 for m in moved], range(-len(moved), 0))
        size = int(numpy.prod(value.shape[value.ndim - len(moved) :], dtype=int))
        sign = LARGEST[name]
        value = sign * value.reshape(len(polygons), -1, size)
        slope = sign * slope.reshape(len(polygons), 2, -1, size)
        for group in range(value.shape[1]):
            polygons = _largest(polygons, centres, value[:, group], slope[:, :, group])
            _require_few(function, polygons)
        return polygons
    if name in PAIRS:
        (a, da), (b, db) = operands
        value, slope = a - b, da - db
    else:
        value, slope = operands[0]
    value = value.reshape(len(value), -1)
    slope = slope.reshape(len(slope), 2, -1)
    for k in range(value.shape[1]):
        polygons = polygons.split(_at_corners(polygons, centres, value[:, k], slope[:, :, k]))
        _require_few(function, polygons)
    return polygons


def _at_corners(polygons: Polygons, centres: Array, value: Array, slope: Array) -> Array:
    """An affine function on each parent, [R] and [R, 2] at its centre, at the corners."""
    own = polygons.parent
    away = polygons.corners - centres[own][:, None]
    found: Array = value[own][:, None] + (away * slope[own][:, None]).sum(2)
    return found


def _largest(polygons: Polygons, centres: Array, value: Array, slope: Array) -> Polygons:
    """The polygons cut where another one of several functions, [R, k], is the largest."""
    parts = []
    count = value.shape[1]
    for k in range(count):
        own = polygons
        for other in range(count):
            if other == k or not len(own):
                continue
            ahead = _at_corners(
                own, centres, value[:, k] - value[:, other], slope[..., k] - slope[..., other]
            )
            below, above = own.sides(ahead)
            # Where two are the same, the first one is said to be the largest.
            kept = above | (~below & (k < other))
            own, ahead, below = own.part(kept), ahead[kept], below[kept]
            if below.any():
                own = joined([own.part(~below), own.part(below).clipped(ahead[below])])
        if len(own):
            parts.append(own)
    return joined(parts)


def _require_few(function: Function, polygons: Polygons) -> None:
    if len(polygons) > MOST:
        raise _refused(
            function, f"{function.name} has more than {MOST:,} linear regions around these data",
            "Take data from a smaller part of the plane, or show fewer layers: a part of it.",
        )  # fmt: skip


__all__ = ["Plane", "Regions", "chosen", "regions"]
