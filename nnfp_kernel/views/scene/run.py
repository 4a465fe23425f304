"""A graph's stages on many points at once: values, paths, states of a fold.

Points are rows of real numbers, [M, n]: what the inputs hold laid end to end, of complex
numbers the real parts and then the imaginary ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ...graph.graph import Graph, Loop, Node, Wire
from ...runtime.call import Call
from ...runtime.function import Function
from ...runtime.lower import lower
from .parts import Part, Parts
from .paths import Affine, Blocks, Path, Positions, Straight
from .stage import Stage

Array = Any
FEW = 4  # operations
LARGEST = 20_000_000  # numbers of a scan that is shown position by position
WIDEST = 1_500  # dimensions in which a rotation is still taken apart: some seconds


def width(wire: Wire) -> int:
    return wire.type.size * (2 if wire.type.kind == "C" else 1)


def as_real(array: Array) -> Array:
    """Rows of real numbers: of complex ones the real parts, then the imaginary ones."""
    rows = numpy.asarray(array)
    rows = rows.reshape(len(rows), -1)
    if numpy.iscomplexobj(rows):
        return numpy.concatenate([rows.real, rows.imag], axis=1)
    return rows.astype(float)


def flattened(arrays: Sequence[Array]) -> Array:
    return numpy.concatenate([as_real(array) for array in arrays], axis=1)


def shaped(rows: Array, wires: Sequence[Wire]) -> list[Array]:
    """Rows of real numbers as the arrays of wires, the reverse of `flattened`."""
    made, place = [], 0
    for wire in wires:
        part = rows[:, place : place + width(wire)]
        place += width(wire)
        if wire.type.kind == "C":
            half = part.shape[1] // 2
            part = part[:, :half] + 1j * part[:, half:]
        made.append(part.reshape(len(rows), *wire.type.shape))
    return made


def typed(wires: Sequence[Wire]) -> str:
    names = [wire.representation or str(wire.type) for wire in wires]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


class Run:
    """The graph on many points at once, stage by stage."""

    def __init__(
        self, parts: Parts, held: Sequence[Array], function: Function, call: Call | None = None
    ) -> None:
        self.parts = parts
        self.held = list(held)
        self.function = function
        self.call = call  # of the function itself; None of a part of it
        self.sources = parts.graph.inputs[: parts.arguments]
        self._compiled: dict[Any, Any] = {}  # by wires and nodes

    def values(
        self,
        arrays: Sequence[Array],
        wanted: Sequence[Wire] | None = None,
        held: Sequence[Array] | None = None,
    ) -> dict[Wire, Array]:
        """The values of wires at all points; without `wanted`, of all that stages meet at.
        With other arrays `held` than those of the scene, as they are then."""
        wires = tuple(dict.fromkeys(self.met if wanted is None else wanted))
        return self._evaluated(self.sources, self.parts.graph.nodes, wires, arrays, held)

    def states(self, points: Array) -> tuple[Array, ...]:
        """Points [M, n] of the input, and where they are after each stage, [M, d] each."""
        wanted = [wire for wires in self.ends for wire in wires]
        values = self.values(shaped(points, self.sources), wanted)
        return tuple(self.flat(values, wires) for wires in self.ends)

    @property
    def ends(self) -> tuple[tuple[Wire, ...], ...]:
        """The wires of the input, and those after each stage."""
        return (self.sources, *(part.sinks for part in self.parts.parts))

    @property
    def met(self) -> list[Wire]:
        """All wires that stages meet at, those inside of blocks too."""
        return self._met(self.parts.parts)

    def _met(self, parts: Sequence[Part]) -> list[Wire]:
        found = []
        for part in parts:
            found += [*part.sources, *part.sinks]
            for sources, inside in part.blocks:
                found += [*sources, *self._met(inside)]
        return found

    def _evaluated(
        self,
        sources: Sequence[Wire],
        nodes: Sequence[Node],
        wires: Sequence[Wire],
        arrays: Sequence[Array],
        held: Sequence[Array] | None = None,
    ) -> dict[Wire, Array]:
        """Values of wires over a first axis of the arrays of `sources`."""
        import jax

        kept = needed(nodes, wires)
        key = (tuple(sources), kept, tuple(wires))
        if key not in self._compiled:
            run = self.lowered(*key)
            if any(isinstance(node.operation, Loop) for node in kept) or len(kept) > FEW:
                run = jax.jit(run)  # not worth its while for a few operations on arrays
            self._compiled[key] = run
        results = self._compiled[key](*of_kinds(arrays, sources), *(held or self.held))
        return {wire: numpy.asarray(value) for wire, value in zip(wires, results, strict=True)}

    def lowered(
        self, sources: Sequence[Wire], nodes: Sequence[Node], wires: Sequence[Wire]
    ) -> Callable[..., Any]:
        """The arrays of `sources`, over a first axis, and those that are held -> the values of
        wires, as a function for JAX."""
        import jax

        weights = self.parts.graph.inputs[self.parts.arguments :]
        graph = Graph((*sources, *weights), needed(nodes, wires), tuple(wires))
        axes = (*(0 for _ in sources), *(None for _ in weights))
        lowered: Callable[..., Any] = jax.vmap(
            lower(graph, self.function.program.precision), in_axes=axes
        )
        return lowered

    def flat(self, values: dict[Wire, Array], wires: Sequence[Wire]) -> Array:
        return flattened([values[wire] for wire in wires])

    def stage(self, part: Part, values: dict[Wire, Array]) -> Stage:
        before, after = self.flat(values, part.sources), self.flat(values, part.sinks)
        blocks = tuple(
            tuple(self.stage(inner, values) for inner in inside) for _, inside in part.blocks
        )
        return Stage(
            part.kind,
            part.label,
            typed(part.sinks),
            part.span,
            before,
            after,
            self._path(part, before, after, values, blocks),
            part.injective,
            blocks,
        )

    def _path(
        self,
        part: Part,
        before: Array,
        after: Array,
        values: dict[Wire, Array],
        blocks: tuple[tuple[Stage, ...], ...],
    ) -> Path:
        match part.kind:
            case "affine" | "shift" if max(before.shape[1], after.shape[1]) <= WIDEST:
                images = flattened(self._through(part, shaped(corners(part), part.sources)))
                return affine_of(images)
            case "parallel":
                return Blocks(
                    tuple(
                        tuple((stage.path, stage.before, stage.after) for stage in block)
                        or self.flat(values, sources)
                        for block, (sources, _) in zip(blocks, part.blocks, strict=True)
                    )
                )
            case "fold" if _stacked(part) and len(after) * after.shape[1] * _length(part) > LARGEST:
                return Straight(before.shape[1], after.shape[1])
            case "fold" if _stacked(part):
                return Positions(_one_by_one(part, after))
            case "fold":
                return Positions(self._states(part, values))
            case _:
                return Straight(before.shape[1], after.shape[1])

    def _through(
        self, part: Part, arrays: Sequence[Array], sinks: Sequence[Wire] = ()
    ) -> list[Array]:
        """What a part makes of points of its own."""
        own = dict.fromkeys(part.sources)
        columns = dict(zip(part.sources, arrays, strict=True))
        wires = tuple(dict.fromkeys(sinks or part.sinks))
        nodes = self.inside(part)
        values = self._evaluated(tuple(own), nodes, wires, [columns[wire] for wire in own])
        return [values[wire] for wire in (sinks or part.sinks)]

    def inside(self, part: Part) -> list[Node]:
        """The nodes that a part's sinks are made by of its sources."""
        own, inside = set(part.sources), set(part.nodes)
        made_here = {wire for node in part.nodes for wire in node.outputs}
        return [
            node
            for node in self.parts.graph.nodes
            if (node in inside or made_here.isdisjoint(node.outputs))
            and own.isdisjoint(node.outputs)
        ]

    def _states(self, part: Part, values: dict[Wire, Array]) -> Array:
        """The states of a fold, from the one that it begins with: [positions + 1, N, d]."""
        (node,) = part.nodes[:1]
        loop = node.operation
        assert isinstance(loop, Loop)
        carried = loop.body.outputs[: loop.carried]
        body = Graph(loop.body.inputs, loop.body.nodes, (*loop.body.outputs, *carried))
        every = Loop(body, loop.shared, loop.carried, loop.length, loop.reverse, loop.counted)
        types = every.results([wire.type for wire in node.inputs])
        outputs = tuple(Wire(type) for type in types)
        copy = Node(every, node.inputs, outputs, node.origin)
        seen = [node.outputs.index(wire) for wire in part.sinks]
        kept = [outputs[len(node.outputs) + k] for k in seen]
        initial = [node.inputs[loop.shared + k] for k in seen]
        columns = [values[wire] for wire in part.sources]
        again = Part("fold", "", None, part.sources, (*kept, *initial), (copy,))
        graph = self.parts.graph
        nodes = tuple(copy if each is node else each for each in graph.nodes)
        run = Run(Parts(Graph(graph.inputs, nodes, outputs), self.parts.arguments, ()),
                   self.held, self.function)  # fmt: skip
        results = run._through(again, columns)
        rows = [_stepwise(stacked, loop.reverse) for stacked in results[: len(kept)]]
        begun = flattened(results[len(kept) :])
        after = numpy.concatenate(rows, axis=2)
        whole: Array = numpy.concatenate([begun[None], after])
        return whole


def corners(part: Part) -> Array:
    """Zero and the unit vectors, of which the images tell what an affine part is."""
    size = sum(map(width, part.sources))
    return numpy.concatenate([numpy.zeros((1, size)), numpy.eye(size)])


def affine_of(images: Array) -> Affine:
    """W and b: from the images of zero and of the unit vectors."""
    return Affine((images[1:] - images[0]).T, images[0])


def needed(nodes: Sequence[Node], wires: Sequence[Wire]) -> tuple[Node, ...]:
    """The nodes that wires depend on, in order."""
    wanted, kept = set(wires), []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return tuple(reversed(kept))


def _stacked(part: Part) -> bool:
    """Whether a fold's part gives what is made at every position, and not the last state."""
    (node,) = part.nodes[:1]
    assert isinstance(node.operation, Loop)
    return not set(part.sinks) <= set(node.outputs[: node.operation.carried])


def _length(part: Part) -> int:
    assert isinstance(part.nodes[0].operation, Loop)
    return part.nodes[0].operation.length


def _one_by_one(part: Part, after: Array) -> Array:
    """What all positions have, position by position, 0 where none was made yet:
    [positions + 1, N, d]."""
    loop = part.nodes[0].operation
    assert isinstance(loop, Loop)
    places = []
    for wire in part.sinks:
        own = numpy.repeat(numpy.arange(loop.length), wire.type.size // max(loop.length, 1))
        places.append(numpy.tile(own, width(wire) // max(wire.type.size, 1)))
    place = numpy.concatenate(places)
    if loop.reverse:
        place = loop.length - 1 - place
    made: Array = numpy.stack([after * (place < k) for k in range(loop.length + 1)])
    return made


def _stepwise(stacked: Array, reverse: bool) -> Array:
    """States [N, positions, …] in the order in which they are made: [positions, N, d]."""
    count, length = stacked.shape[:2]
    rows = as_real(stacked.reshape(count * length, -1)).reshape(count, length, -1)
    ordered = rows[:, ::-1] if reverse else rows
    return ordered.transpose(1, 0, 2)


def of_kinds(arrays: Sequence[Array], wires: Sequence[Wire]) -> list[Array]:
    """Arrays as the kinds of wires have them."""
    pairs = zip(arrays, wires, strict=True)
    return [array.astype(int) if wire.type.kind == "Int" else array for array, wire in pairs]
