"""A scene for a hand that changes its weights and its data: what the widget `hands` is sent.

    header, grid = handed(scene)       JSON, and the numbers of the grid
    vector(scene)                      all learned weights, laid end to end
    merged(scene, vector, nested)      with those that nested dicts have
    changed(scene, before, after)      those that differ, by path: what a session takes
    carried(scene, weights, points, …) all points after every stage, of other weights
    held(scene, layer)                 W and b of a layer, and its points

The header holds the program as a tape (tape.py), so that a page needs no kernel to say where
points go. Along which axes more than two dimensions are seen is settled here and stays, so
that nothing but the points moves while a hand does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from ...graph.graph import Wire
from ...runtime.exchange import lookup
from ..table import Grid
from .names import Names
from .packed import colours, link
from .parts import nodes_of
from .plane import boundary, box
from .run import flattened, shaped, width
from .scene import Scene
from .tape import Layer, Tape, Weight, tape, weights_of
from .text import said

Array = Any
Json = dict[str, Any]
SHOWN = 4  # singular values in the table
FINE = 101  # samples along an axis in which a page looks for the boundary, at most


def handed(scene: Scene, made: Tape) -> tuple[Json, bytes]:
    """What the widget is sent of a scene and its tape, and little-endian float32: its grid, and
    of what a page does not compute the values that are `seen`, column by column.

    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("net : R[2] ~> R[2]\\nnet = dense[3] >> tanh >> dense[2]")
    >>> shown = scene(session["net"], numpy.eye(2))
    >>> header, grid = handed(shown, tape(shown))
    >>> [(layer["label"], layer["stage"], layer["path"]) for layer in header["layers"]]
    [('dense[3]', 0, 'net.dense.W'), ('dense[2]', 2, 'net.dense_2.W')]
    """
    run = scene.run
    plane = len(run.sources) == 1 and width(run.sources[0]) == 2
    states = [
        {
            "label": scene.labels[k],
            "type": scene.types[k],
            "size": scene.states[k].shape[1],
            "columns": [made.numbers[wire] for wire in wires],
            "axes": _axes(scene.frames[k]),
        }
        for k, wires in enumerate(run.ends)
    ]
    low, high = box(scene.points(scene.states[0]))
    header: Json = {
        "id": link(scene),
        "name": scene.name,
        "type": scene.type,
        "lines": scene.lines,
        "samples": scene.samples,
        "inputs": [width(wire) for wire in run.sources],
        "states": states,
        "stages": [
            {"label": stage.label, "kind": stage.kind, "says": said(stage)}
            for stage in scene.stages
        ],
        "layers": _layers(scene, made),
        "weights": [
            {"path": ".".join(each.path), "start": each.start, "size": each.size}
            for each in made.weights
        ],
        "tape": {"steps": made.steps, "missing": made.missing},
        "box": [low.tolist(), high.tolist()] if plane else None,
        "level": scene.level if scene.compared else None,
        "fine": FINE,
        "colour": colours(scene),
    }
    grid = scene.grid(scene.states[0]).reshape(-1, scene.states[0].shape[1])
    arrays = [grid]
    if made.missing:
        # What a page does not compute is there as it is now: it is seen, if not moved.
        columns = list(dict.fromkeys(k for state in states for k in state["columns"]))
        columns += [each["column"] for each in header["layers"] if each["column"] not in columns]
        values, rows = _now(scene, made, columns)
        sizes = [value.shape[1] for value in values]
        header["seen"] = {"columns": columns, "sizes": sizes, "rows": rows}
        arrays += values
    flat = [numpy.asarray(array, "<f4").reshape(-1) for array in arrays]
    return header, numpy.concatenate(flat).tobytes()


def _now(scene: Scene, made: Tape, columns: Sequence[int]) -> tuple[list[Array], int]:
    """The values of columns at all points of a scene, and how many points these are."""
    wires = {number: wire for wire, number in reversed(made.numbers.items())}
    points = shaped(scene.states[0], scene.run.sources)
    values = scene.run.values(points, [wires[number] for number in columns])
    return [flattened([values[wires[number]]]) for number in columns], len(scene.states[0])


def _axes(frame: Array) -> list[list[float]] | None:
    """The two axes that a state is seen along; none for a plane and a line."""
    rows: list[list[float]] = frame.T[:2].tolist()
    return rows if len(frame) > 2 else None


def _layers(scene: Scene, made: Tape) -> list[Json]:
    """What a hand can take hold of, in the order of the program."""
    wires = {number: wire for wire, number in reversed(made.numbers.items())}
    parts = scene.run.parts.parts
    names = Names(scene.run.function.program)
    ends = [[made.numbers[wire] for wire in own] for own in scene.run.ends]
    points = shaped(scene.points(scene.states[0]), scene.run.sources)
    sinks = [wires[layer.sink] for layer in made.layers]
    values = scene.run.values(points, sinks) if sinks else {}
    found = []
    for layer, sink in zip(made.layers, sinks, strict=True):
        inside = [layer.nodes[0] in nodes_of(part) for part in parts]
        if True not in inside:
            continue
        stage = inside.index(True)
        owners = [".".join(own.path) for own in _owners(layer, made)]
        whole = [layer.sink] == ends[stage + 1]
        label = parts[stage].label if whole else names.label(layer.nodes, owners)[0]
        frame = scene.frames[stage + 1] if whole else _frame(values[sink])
        found.append(
            {
                "label": label,
                "stage": stage,
                "path": owners[0],
                "type": scene.types[stage + 1] if whole else str(sink.type),
                "rows": len(layer.matrix),
                "size": layer.matrix.shape[1],
                "matrix": _places(layer.matrix),
                "shift": None if layer.shift is None else _places(layer.shift),
                "column": layer.sink,
                "from": layer.source,
                "axes": _axes(frame),
            }
        )
    return sorted(found, key=lambda each: int(each["stage"]))


def _owners(layer: Layer, made: Tape) -> list[Weight]:
    """The weights that a layer's matrix and shift are of."""
    places = [layer.matrix] if layer.shift is None else [layer.matrix, layer.shift]
    firsts = [int(each.reshape(-1)[0]) for each in places if each.size]
    return [own for at in firsts for own in made.weights if own.start <= at < own.start + own.size]


def _places(places: Array) -> list[int]:
    flat: list[int] = numpy.asarray(places).reshape(-1).tolist()
    return flat


def _frame(values: Array) -> Array:
    """The principal axes of points, [d, k]."""
    rows = numpy.asarray(values, float).reshape(len(values), -1)
    if rows.shape[1] <= 2:
        return numpy.eye(rows.shape[1])
    axes: Array = numpy.linalg.svd(rows - rows.mean(0), full_matrices=len(rows) < 3)[2][:2].T
    return axes


# --- weights -----------------------------------------------------------------------------------


def vector(scene: Scene) -> Array:
    """The learned weights that a scene was made with, laid end to end in 64 bits. Those that
    are no array of real numbers are zeros there.

    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("f : R[2] ~> R[2]\\nf x = x + ?b")
    >>> vector(scene(session["f"], numpy.eye(2))).tolist()
    [0.0, 0.0]
    """
    found = [numpy.zeros(0)]
    for weight, value in zip(weights_of(scene), scene.run.held, strict=False):
        own = numpy.asarray(value, float) if weight.own else numpy.zeros(weight.size)
        found.append(own.reshape(-1))
    return numpy.concatenate(found)


def merged(scene: Scene, known: Array, nested: Any) -> Array:
    """A vector with the weights of nested dicts in place of its own, where they are there and
    still have their shape."""
    found = known.copy()
    for weight in weights_of(scene):
        value = lookup(nested, weight.path)
        if weight.own and numpy.shape(value) == weight.shape:
            own = numpy.asarray(value, float)
            found[weight.start : weight.start + weight.size] = own.reshape(-1)
    return found


def changed(scene: Scene, before: Array, after: Array) -> dict[str, Array]:
    """The weights that differ between two vectors, by path."""
    found = {}
    for weight in weights_of(scene):
        here = slice(weight.start, weight.start + weight.size)
        if weight.own and (before[here] != after[here]).any():
            found[".".join(weight.path)] = after[here].reshape(weight.shape)
    return found


def held_with(scene: Scene, after: Array) -> list[Array]:
    """The arrays that are the same for all points, of other weights: a vector."""
    held = list(scene.run.held)
    for k, weight in enumerate(weights_of(scene)):
        if weight.own:
            here = after[weight.start : weight.start + weight.size]
            held[k] = here.reshape(weight.shape).astype(numpy.asarray(held[k]).dtype)
    return held


def carried(
    scene: Scene, weights: Array, points: Array, columns: Sequence[Wire]
) -> tuple[Array, list[Array]]:
    """The ends of the boundary [B, 2, 2] that these weights have, and the values at wires of
    points, grid and ends, one below the other."""
    run, held = scene.run, held_with(scene, weights)
    ends = numpy.zeros((0, 2, points.shape[1]))
    if scene.compared:
        sinks = run.parts.parts[-1].sinks

        def answer(places: Array) -> Array:
            values = run.values(shaped(places, run.sources), sinks, held)
            return numpy.nan_to_num(run.flat(values, sinks))

        ends = boundary(points, answer, scene.level)
    grid = scene.grid(scene.states[0]).reshape(-1, points.shape[1])
    rows = numpy.concatenate([points, grid, ends.reshape(-1, points.shape[1])])
    values = run.values(shaped(rows, run.sources), columns, held)
    return ends, [flattened([values[wire]]) for wire in columns]


# --- a layer -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Held:
    """A layer with its numbers: W [m, n] and b [m], and where all points of the scene are
    before and after it."""

    label: str
    path: str
    stage: int
    matrix: Array
    shift: Array
    before: Array
    after: Array


def layers(scene: Scene) -> list[Held]:
    """All that a hand can take hold of, with the weights that the scene has."""
    made = tape(scene)
    wires = {number: wire for wire, number in reversed(made.numbers.items())}
    weights, points = vector(scene), shaped(scene.states[0], scene.run.sources)
    found = []
    for each in _layers(scene, made):
        ends = [wires[each["from"]], wires[each["column"]]]
        values = scene.run.values(points, ends)
        before, after = (flattened([values[wire]]) for wire in ends)
        shift = numpy.zeros(each["rows"]) if each["shift"] is None else weights[each["shift"]]
        matrix = weights[each["matrix"]].reshape(each["rows"], each["size"])
        found.append(Held(each["label"], each["path"], each["stage"], matrix, shift, before, after))
    return found


def table(scene: Scene) -> Grid:
    """Every layer: its weight, and how far it stretches in which directions.

    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> from nnfp_kernel.views.table import grid_to_text
    >>> session = Session(precision=64)
    >>> _ = session.run("f : R[2] ~> R[2]\\nf x = ?W @ x")
    >>> session.weights = {"f.W": [[3.0, 0.0], [0.0, 0.5]]}
    >>> print(grid_to_text(table(scene(session["f"], numpy.eye(2)))))
    layer   weight  matrix  stretches by
    ?W @ x  f.W     2×2     3, 0.5
    2 points
    """
    rows = []
    for each in layers(scene):
        values = numpy.linalg.svd(each.matrix, compute_uv=False)
        told = ", ".join(f"{value:.3g}" for value in values[:SHOWN])
        more = ", …" if len(values) > SHOWN else ""
        m, n = each.matrix.shape
        rows.append((each.label, each.path, f"{m}×{n}", told + more))
    count = "1 point" if scene.count == 1 else f"{scene.count:,} points"
    return Grid(("layer", "weight", "matrix", "stretches by"), tuple(rows), (), (count,))
