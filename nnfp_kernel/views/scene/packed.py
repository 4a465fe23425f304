"""A scene as JSON and one buffer of numbers: what a widget and a page draw.

    header, numbers = packed(scene, circles)

The header is JSON; every array in it is {"offset", "shape", "type"}, a place in the buffer
of little-endian numbers: "f32", or "u8" for classes. Points [M, d] are the data, then the
grid, then the ends of the boundary, as in `Scene`, then circles [K, samples, 2] of the input.

Where points are at t of a stage is said by its `motion`, a sum of terms A(t) x of the
stage's arrays x, which is the path of paths.py:

    straight     (1 − t) F x + t L y
    affine       (A(t) − t A(1)) F x + t L y, A(t) = Q^t ((1 − t) I + t P)
    positions    (1 − r) L x_k + r L x_k+1, between two states of a fold
    blocks       each block's own stages, one after the other

F and L put the coordinates of the ends ("first" and "last") into the space of the path. A
rotation Q^t is "basis" and "turns", (axis, axis, angle) in that basis. Then the `camera`
turns the axes that one state is seen along into those of the next, "first" and again a
rotation: coordinates 0, 1 and 2 of the result are the picture's right, up and depth.

Of more than AXES dimensions the AXES principal ones are kept, of which the first three are
the scene's frames; there an affine map moves as the linear map that fits the kept axes best
does, and what that leaves over goes straight.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from typing import Any

import numpy

from .paths import Affine, Blocks, Path, Positions, begins, placed
from .scene import Scene
from .stage import Stage
from .text import KINDS, said, spread

Array = Any
Json = dict[str, Any]
AXES = 8  # dimensions that are kept
MOST = 12  # of the space of a path, in which an exact one is drawn


def packed(
    scene: Scene,
    circles: Array | None = None,
    buffer: Buffer | None = None,
    sheet: Array | None = None,
    still: Still | None = None,
) -> tuple[Json, bytes]:
    """The scene as JSON and a buffer; small circles of a plane, and behind them the nodes of a
    sheet [a, b, 2] over it, are carried along if given. The buffer may hold more already, and
    be given more. States are kept along axes of their own, or along those of another scene over
    the same data, which is `still` known.

    >>> from nnfp_kernel import Session
    >>> from nnfp_kernel.views.scene import scene
    >>> session = Session(precision=64)
    >>> _ = session.run("half : R[2] -> R[2]\\nhalf x = tanh x")
    >>> header, numbers = packed(scene(session["half"], numpy.eye(2)))
    >>> [state["label"] for state in header["states"]]
    ['x', 'tanh']
    >>> header["stages"][0]["motion"]["form"]
    'straight'
    """
    buffer = Buffer() if buffer is None else buffer
    carried = scene.stages
    more = [own.reshape(-1, own.shape[2]) for own in (circles, sheet) if own is not None]
    if more:
        carried = scene.carrying(numpy.concatenate(more))
    values = [carried[0].before, *(stage.after for stage in carried)]
    still = Still(scene) if still is None else still
    bases = still.bases
    kept = [_kept(state, basis) for state, basis in zip(values, bases, strict=True)]
    states = [
        {
            "label": scene.labels[k],
            "type": scene.types[k],
            "size": values[k].shape[1],
            "spread": spread(scene, k),
            "axes": _numbers(bases[k].T) if _exact(bases[k]) else None,
            "array": buffer.add(kept[k]),
        }
        for k in range(len(bases))
    ]
    stages = [
        {
            "kind": stage.kind,
            "label": stage.label,
            "moves": KINDS[stage.kind],
            "homotopy": stage.homotopy,
            "says": said(stage),
            **_moved(stage, kept[k : k + 2], still, k, buffer),
        }
        for k, stage in enumerate(carried)
    ]
    header = {
        "name": scene.name,
        "type": scene.type,
        "count": scene.count,
        "lines": scene.lines,
        "samples": scene.samples,
        "circles": [0, 0] if circles is None else list(circles.shape[:2]),
        "sheet": [0, 0] if sheet is None else list(sheet.shape[:2]),
        "states": states,
        "stages": stages,
        "colour": _coloured(still.colours, still.codes, buffer),
        "id": still.id,
    }
    return header, buffer.whole()


def link(scene: Scene) -> str:
    """The name under which widgets over the same data are linked, whatever the weights are."""
    data = scene.points(scene.states[0]).tobytes()
    return hashlib.sha256(scene.name.encode() + data).hexdigest()[:16]


KINDS_OF_NUMBER = {"u8": "u1", "f16": "<f2", "f32": "<f4"}


class Buffer:
    """Arrays, one after the other; each begins at a multiple of four bytes. With `half` numbers
    have 16 bits, for a moment that is looked at and not kept."""

    def __init__(self, half: bool = False) -> None:
        self._other = "f16" if half else "f32"
        self._parts: list[bytes] = []
        self._size = 0
        self._known: dict[int, tuple[Array, Json]] = {}

    def add(self, array: Array) -> Json:
        """The place of an array; the same one for the same array. Numbers have 32 bits, but for
        those that are in 8 or 16."""
        if id(array) in self._known:
            return self._known[id(array)][1]
        kind = {"uint8": "u8", "float16": "f16"}.get(array.dtype.name, self._other)
        whole = numpy.ascontiguousarray(array, KINDS_OF_NUMBER[kind])
        data = whole.tobytes()
        place = {"offset": self._size, "shape": list(whole.shape), "type": kind}
        data += bytes(-len(data) % 4)
        self._parts.append(data)
        self._size += len(data)
        self._known[id(array)] = (array, place)  # held, so that no other has its id
        return place

    def whole(self) -> bytes:
        return b"".join(self._parts)


def _numbers(matrix: Array) -> list[list[float]]:
    rows: list[list[float]] = numpy.asarray(matrix, float).tolist()
    return rows


def colours(scene: Scene) -> Json | None:
    """What the points are coloured by: classes and their names, or a quantity and its ends."""
    if scene.colour is None:
        return None
    values = kinds(scene)
    if scene.classes:
        counts = numpy.bincount(values.astype(int), minlength=len(scene.classes))
        return {"classes": [str(value) for value in scene.classes], "counts": counts.tolist()}
    finite = values[numpy.isfinite(values)]
    ends = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return {"low": ends[0], "high": ends[1]}


def kinds(scene: Scene) -> Array:
    """Of each point the place of its class among the classes, or its quantity; 0 without."""
    if scene.colour is None:
        return numpy.zeros(scene.count)
    if scene.classes:
        return numpy.searchsorted(numpy.asarray(scene.classes), scene.colour).astype(float)
    return numpy.asarray(scene.colour, float)


def coloured(scene: Scene, buffer: Buffer) -> Json | None:
    """The same, with the array of the points' own."""
    return _coloured(colours(scene), _codes(scene), buffer)


def _coloured(found: Json | None, codes: Array, buffer: Buffer) -> Json | None:
    return None if found is None else {**found, "array": buffer.add(codes)}


def _codes(scene: Scene) -> Array:
    """`kinds` in as many bits as they need."""
    return kinds(scene).astype(numpy.uint8) if scene.classes else kinds(scene)


# --- the axes of a state -----------------------------------------------------------------------


class Still:
    """What stays of a scene while its weights change, found once: `bases`, the axes that each
    state is kept along, [d, k], orthonormal, the scene's frame first; the colours; the name."""

    def __init__(self, scene: Scene) -> None:
        self.bases = [_basis(scene, k) for k in range(len(scene.states))]
        self.colours, self.codes = colours(scene), _codes(scene)
        self.id = link(scene)
        self._cameras: dict[Hashable, Json] = {}

    def camera(self, place: int, path: Path) -> Json:
        """That of a stage. Weights change no more of it than the dimension of the path and where
        its ends lie in it, where they come to mirror."""
        key = place, path.dimension, path.start, path.end
        if key not in self._cameras:
            self._cameras[key] = _camera(path, *self.bases[place : place + 2])
        return self._cameras[key]


def _basis(scene: Scene, state: int) -> Array:
    """Orthonormal axes [d, k]: first those of the scene's frame; all of them where k = d."""
    points, frame = scene.points(scene.states[state]), scene.frames[state]
    size = points.shape[1]
    if frame.shape[1] in (0, size):
        return frame
    centred = points - points.mean(0)
    rest = centred - centred @ frame @ frame.T
    if size <= AXES:
        others = numpy.linalg.svd(frame.T)[2][frame.shape[1] :].T
        axes = numpy.linalg.svd(rest @ others)[2].T if len(rest) else numpy.eye(others.shape[1])
        return numpy.concatenate([frame, others @ axes], axis=1)
    variances, axes = numpy.linalg.eigh(rest.T @ rest)
    axes = axes[:, ::-1][:, : AXES - frame.shape[1]]
    axes = axes[:, variances[::-1][: axes.shape[1]] > 1e-12 * max(float(variances[-1]), 1e-300)]
    # What rounding has left of the frame in them would not be orthogonal to it.
    made: Array = numpy.linalg.qr(numpy.concatenate([frame, axes], axis=1))[0]
    made[:, : frame.shape[1]] = frame
    return made


def _exact(basis: Array) -> bool:
    """Whether the state is kept with all its coordinates, as the function has them."""
    return len(basis) <= AXES


def _kept(state: Array, basis: Array) -> Array:
    return state if _exact(basis) else state @ basis


# --- motions -----------------------------------------------------------------------------------


def _moved(stage: Stage, kept: Sequence[Array], still: Still, place: int, buffer: Buffer) -> Json:
    bases = still.bases[place : place + 2]
    looked = bases if begins(stage.path, stage.before) else bases[1:]  # the path's two ends
    if all(map(_exact, looked)) and stage.path.dimension <= MOST:
        motion = _motion(stage.path, kept[0], kept[1], buffer)
        return {"motion": motion, "camera": still.camera(place, stage.path)}
    # Along the axes that are kept, as they are seen: no camera has to turn.
    first, last = (basis if _exact(basis) else numpy.eye(basis.shape[1]) for basis in bases)
    before, after = kept[0] @ first, kept[1] @ last
    ends = {"before": buffer.add(kept[0]), "after": buffer.add(kept[1])}
    if isinstance(stage.path, Positions):
        states = [buffer.add(state @ bases[1]) for state in stage.path.states[:-1]]
        states.append(ends["after"])
        motion = {"form": "positions", "last": _numbers(numpy.eye(bases[1].shape[1])),
                  "states": states}  # fmt: skip
    elif stage.kind in ("affine", "shift"):
        fit = _fitted(before, after)
        motion = {"form": "affine", **ends, **_affine(fit)}
        motion["first"] = _numbers(_put(fit.start, fit.dimension) @ first.T)
        motion["last"] = _numbers(_put(fit.end, fit.dimension) @ last.T)
    else:
        size = max(before.shape[1], after.shape[1])
        motion = {"form": "straight", **ends}
        motion["first"] = _numbers(_put(range(before.shape[1]), size) @ first.T)
        motion["last"] = _numbers(_put(range(after.shape[1]), size) @ last.T)
    return {"motion": motion, "camera": None}


def _put(places: Sequence[int], size: int) -> Array:
    """The matrix that puts coordinates in their places of a larger space."""
    return placed(numpy.eye(len(places)), places, size).T


def _motion(path: Path, before: Array, after: Array, buffer: Buffer) -> Json:
    ends = {
        "before": buffer.add(before),
        "after": buffer.add(after),
        "first": _numbers(_put(path.start, path.dimension)),
        "last": _numbers(_put(path.end, path.dimension)),
    }
    match path:
        case Affine():
            return {"form": "affine", **ends, **_affine(path)}
        case Positions():
            states = [
                *map(buffer.add, path.states[:-1]),
                ends["after"],
            ]  # the last is what it gives
            return {"form": "positions", "last": ends["last"], "states": states}
        case Blocks():
            blocks, offset = [], 0
            for part, size in zip(path.parts, path.sizes, strict=True):
                inner: Json = {}
                if isinstance(part, tuple):
                    steps = [_motion(own, first, last, buffer) for own, first, last in part]
                    inner["stages"] = steps
                else:
                    inner["still"] = buffer.add(part)
                blocks.append({"offset": offset, "size": size, **inner})
                offset += size
            return {"form": "blocks", "size": path.dimension, "blocks": blocks}
        case _:
            return {"form": "straight", **ends}


def _affine(path: Affine) -> Json:
    return {"stretch": _numbers(path.polar[1]), **_rotation(path)}


def _rotation(path: Affine) -> Json:
    basis, turns = path.turns
    return {"basis": _numbers(basis), "turns": [[i, j, float(angle)] for i, j, angle in turns]}


def _camera(path: Path, before: Array, after: Array) -> Json:
    """How the axes of the one end turn into those of the other, in the space of the path."""
    last = _axes(after, path.end, path.dimension)
    # What does not begin where the points are is seen as it ends.
    first = _axes(before, path.start, path.dimension) if begins(path, before.T) else last
    turn = Affine(last.T @ first, numpy.zeros(len(first)))
    whole = placed(first, range(path.dimension), turn.dimension).T
    return {"first": _numbers(whole), **_rotation(turn)}


def _axes(basis: Array, places: Sequence[int], size: int) -> Array:
    """A basis of the space of a path, its columns: those of a state, then the other axes."""
    rest = [k for k in range(size) if k not in set(places)]
    own = placed(basis.T, places, size).T
    whole: Array = numpy.concatenate([own, numpy.eye(size)[:, rest]], axis=1)
    return whole


def _fitted(before: Array, after: Array) -> Affine:
    """The affine map that takes points nearest to where they go."""
    rows = numpy.isfinite(before).all(1) & numpy.isfinite(after).all(1)
    known = numpy.concatenate([before[rows], numpy.ones((int(rows.sum()), 1))], axis=1)
    found = numpy.linalg.lstsq(known, after[rows], rcond=None)[0]
    return Affine(found[:-1].T, found[-1])
