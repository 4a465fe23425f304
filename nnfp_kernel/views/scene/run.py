"""A graph's stages on many points at once: values, paths, states of a fold.

Points are rows of real numbers, [M, n]: what the inputs hold laid end to end, of complex
numbers the real parts and then the imaginary ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy

from ...graph.graph import Graph, Loop, Node, Wire
from ...runtime.calls.call import Call
from ...runtime.function import Function
from ...runtime.lower import lower
from .parts import Part, Parts
from .paths import Affine, Path, Positions, Straight, beside
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


@dataclass(frozen=True, eq=False)
class History:
    """The states of a fold: wires of those that it begins with, and of those after each
    position, which lie along the sequence's axis; in `reverse` the last one is made first."""

    begun: tuple[Wire, ...]
    made: tuple[Wire, ...]
    reverse: bool

    def states(self, values: Mapping[Wire, Array]) -> Array:
        """[positions + 1, N, d], in the order in which they are made."""
        begun = flattened([values[wire] for wire in self.begun])
        rows = [_stepwise(values[wire], self.reverse) for wire in self.made]
        whole: Array = numpy.concatenate([begun[None], numpy.concatenate(rows, axis=2)])
        return whole


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
        self.nodes, self.histories = _histories(parts)  # those of the graph, and states of folds
        self._compiled: dict[Any, Any] = {}  # by wires and nodes

    def values(
        self,
        arrays: Sequence[Array],
        wanted: Sequence[Wire] | None = None,
        held: Sequence[Array] | None = None,
    ) -> dict[Wire, Array]:
        """The values of wires at all points; without `wanted`, of all that `stage` needs.
        With other arrays `held` than those of the scene, as they are then."""
        wires = self.needed if wanted is None else tuple(dict.fromkeys(wanted))
        nodes = self.nodes if wanted is None else self.parts.graph.nodes
        return self._evaluated(self.sources, nodes, wires, arrays, held)

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
        found = []
        for part in every(self.parts.parts):
            found += [*part.sources, *part.sinks]
            found += [wire for sources, _ in part.blocks for wire in sources]
        return found

    @cached_property
    def needed(self) -> tuple[Wire, ...]:
        """The wires that stages are made of: those that they meet at, and the states of folds."""
        states = [wire for own in self.histories.values() for wire in (*own.begun, *own.made)]
        return tuple(dict.fromkeys([*self.met, *states]))

    @cached_property
    def turned(self) -> list[Part]:
        """The affine parts that are no larger than can be taken apart: they turn."""
        return [
            part
            for part in every(self.parts.parts)
            if part.kind in ("affine", "shift")
            and max(sum(map(width, ends)) for ends in (part.sources, part.sinks)) <= WIDEST
        ]

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

    def flat(self, values: Mapping[Wire, Array], wires: Sequence[Wire]) -> Array:
        return flattened([values[wire] for wire in wires])

    def stage(
        self, part: Part, values: Mapping[Wire, Array], images: Mapping[Part, Array] | None = None
    ) -> Stage:
        """A stage with the points of `values`, which has the wires `needed`. What an affine part
        makes of its `corners` is computed, unless there are `images`, by part."""
        before, after = self.flat(values, part.sources), self.flat(values, part.sinks)
        blocks = tuple(
            tuple(self.stage(inner, values, images) for inner in inside)
            for _, inside in part.blocks
        )
        path: Path = Straight(before.shape[1], after.shape[1])
        if part in self.histories:
            path = Positions(self.histories[part].states(values))
        elif part.kind == "fold" and len(after) * after.shape[1] * _length(part) <= LARGEST:
            path = Positions(_one_by_one(part, after))
        elif part.kind == "parallel":
            path = beside(
                [
                    tuple((stage.path, stage.before, stage.after) for stage in block)
                    or self.flat(values, sources)
                    for block, (sources, _) in zip(blocks, part.blocks, strict=True)
                ]
            )
        elif images is not None and part in images:
            path = affine_of(images[part])
        elif images is None and part in self.turned:
            path = affine_of(flattened(self._through(part, corners(part))))
        return Stage(
            part.kind, part.label, typed(part.sinks), part.span, before, after, path,
            part.injective, blocks,
        )  # fmt: skip

    def _through(self, part: Part, points: Array) -> list[Array]:
        """What a part makes of points of its own."""
        own = dict(zip(part.sources, shaped(points, part.sources), strict=True))
        nodes, wires = self.inside(part), tuple(dict.fromkeys(part.sinks))
        values = self._evaluated(tuple(own), nodes, wires, list(own.values()))
        return [values[wire] for wire in part.sinks]

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


def every(parts: Sequence[Part]) -> Iterator[Part]:
    """Parts, and those inside of blocks."""
    for part in parts:
        yield part
        for _, inside in part.blocks:
            yield from every(inside)


def _histories(parts: Parts) -> tuple[tuple[Node, ...], dict[Part, History]]:
    """A graph's nodes, of which loops give every state of the folds that are stages; and of
    these parts the wires. The values of all other wires are as they were."""
    found: dict[Part, History] = {}
    opened: dict[Node, Node] = {}
    for part in every(parts.parts):
        if part.kind != "fold" or _stacked(part):
            continue
        (node,) = part.nodes[:1]
        loop = node.operation
        assert isinstance(loop, Loop)
        states = loop.body.outputs[: loop.carried]
        body = Graph(loop.body.inputs, loop.body.nodes, (*loop.body.outputs, *states))
        whole = Loop(body, loop.shared, loop.carried, loop.length, loop.reverse, loop.counted)
        types = whole.results([wire.type for wire in node.inputs])
        made = tuple(map(Wire, types[len(node.outputs) :]))
        opened[node] = Node(whole, node.inputs, (*node.outputs, *made), node.origin)
        seen = [node.outputs.index(wire) for wire in _of_loop(part)]
        found[part] = History(
            tuple(node.inputs[loop.shared + k] for k in seen),
            tuple(made[k] for k in seen),
            loop.reverse,
        )
    return tuple(opened.get(node, node) for node in parts.graph.nodes), found


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
    return not set(_of_loop(part)) <= set(node.outputs[: node.operation.carried])


def _of_loop(part: Part) -> list[Wire]:
    """The wires of a fold's loop that its part gives, perhaps in another shape."""
    before = {node.outputs[0]: node.inputs[0] for node in part.nodes[1:]}
    found = list(part.sinks)
    while not before.keys().isdisjoint(found):
        found = [before.get(wire, wire) for wire in found]
    return found


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
