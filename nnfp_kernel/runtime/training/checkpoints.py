"""Where a training is, and that on disk, so that it can go on as if it had never stopped.

    DIR/checkpoint.safetensors   every array of a `Position`, by its path in it; beside them,
                                 as text, its numbers and what the training was asked for

Whenever the process dies, the last whole checkpoint is there. Reading one runs nothing that
is in it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy

from ..machine.files import clear, write_whole
from ..stored import as_complex, as_real
from .chunks import State
from .events import Measured, Weights

NAME = "checkpoint.safetensors"

Asked = Mapping[str, Any]  # what decides the steps of a training: batch, seed, …


@dataclass(frozen=True, eq=False)
class Position:
    """Where a training is, after some steps. A new one takes its place in one assignment,
    so that an interrupt never finds half of one."""

    state: State
    taken: int = 0  # steps, all of them finite
    epoch: int = 1  # the one in progress
    epoch_losses: tuple[float, ...] = ()  # of its steps so far
    best: tuple[Measured, Weights] | None = None
    measured: Measured | None = None  # the last time
    waited: int = 0  # validations since the best

    @property
    def weights(self) -> Weights:
        """What has been learned: the average of the weights, where one is kept."""
        return self.state.weights if self.state.average is None else self.state.average

    @property
    def kept(self) -> tuple[Weights, int]:
        """The weights that are kept if it ends here, and the step they are from."""
        if self.best is not None:
            return self.best[1], self.best[0].step
        return self.weights, self.taken


def write(folder: Path, position: Position, asked: Asked, ended: bool = False) -> Path:
    """Write a position, all of it or nothing. Raises OSError where that cannot be done."""
    from safetensors.numpy import save

    trees = {"state": position.state}
    if position.best is not None:
        trees["best"] = position.best[1]
    arrays: dict[str, numpy.ndarray] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(trees)[0]:
        array = as_real(numpy.asarray(leaf))
        arrays[jax.tree_util.keystr(path)] = numpy.array(array, order="C")
    said = {
        "asked": dict(asked),
        "ended": ended,
        "taken": position.taken,
        "epoch": position.epoch,
        "epoch_losses": position.epoch_losses,
        "best": position.best and asdict(position.best[0]),
        "measured": position.measured and asdict(position.measured),
        "waited": position.waited,
    }
    content = save(arrays, metadata={"format": "nnfp checkpoint", "position": json.dumps(said)})
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / NAME
    write_whole(place, content)
    return place


def read(folder: Path, start: Position, asked: Asked) -> Position:
    """The position that was written for a training like this one, which begins at `start`.

    Raises ValueError where there is none, where the file is no checkpoint, and where it is
    one of another training: it names what differs.
    """
    from safetensors import SafetensorError, safe_open

    place = folder / NAME
    if not place.exists():
        raise ValueError(f"there is no checkpoint in {folder} to go on from")
    try:
        with safe_open(place, framework="numpy") as file:
            said = _said(file)
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{place} is no whole checkpoint: {error}") from None
    if not isinstance(said, dict):
        raise ValueError(f"{place} is no checkpoint of a training")
    _require_same(place, said.get("asked", {}), asked)

    def restored(tree: Any, name: str) -> Any:
        leaves, form = jax.tree_util.tree_flatten_with_path({name: tree})
        return jax.tree_util.tree_unflatten(form, [_restored(place, arrays, *e) for e in leaves])[
            name
        ]

    best = said["best"] and (Measured(**said["best"]), restored(start.state.weights, "best"))
    return Position(
        restored(start.state, "state"),
        said["taken"],
        said["epoch"],
        tuple(said["epoch_losses"]),
        best,
        said["measured"] and Measured(**said["measured"]),
        said.get("waited", 0),
    )


def _said(file: Any) -> Any:
    """What a file says of a position beside its arrays; None where it says nothing."""
    return json.loads((file.metadata() or {}).get("position", "null"))


def _restored(place: Path, arrays: Mapping[str, numpy.ndarray], path: Any, like: Any) -> Any:
    """The array at a path, which must be as the one it takes the place of."""
    name, like = jax.tree_util.keystr(path), jnp.asarray(like)
    array = arrays.get(name)
    if array is not None and like.dtype.kind == "c" and array.shape == (*like.shape, 2):
        array = as_complex(array)
    if array is None or array.shape != like.shape or array.dtype != like.dtype:
        found = "is not in it" if array is None else f"is {array.dtype}{list(array.shape)} in it"
        raise ValueError(
            f"{place} is of another training: {name} {found}, and {like.dtype}{list(like.shape)} "
            "is expected"
        )
    return jnp.asarray(array)


def _require_same(place: Path, found: Asked, asked: Asked) -> None:
    for name, wanted in asked.items():
        if found.get(name) != wanted:
            raise ValueError(
                f"{place} is of another training: its {name} is {found.get(name)}, "
                f"and that of this one {wanted}"
            )


def unfinished(folder: Path) -> str | None:
    """What a training that did not end left behind, in words; it would be lost if another
    wrote over it. Also removes files that were never finished."""
    from safetensors import SafetensorError, safe_open

    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, and checkpoints are kept in a folder")
    clear(folder)
    place = folder / NAME
    if not place.exists():
        return None
    try:
        with safe_open(place, framework="numpy") as file:
            said = _said(file)
    except (OSError, SafetensorError, json.JSONDecodeError):
        return f"{place}, which is no whole checkpoint"
    if not isinstance(said, dict) or said.get("ended"):
        return None
    return f"the checkpoint of a training that stopped after step {said['taken']:,}"


def fingerprint(columns: Any) -> str:
    """Numbers that tell data apart: of arrays their shapes and a checksum."""
    found = []
    for column in columns:
        if isinstance(column, list):
            found.append(f"{len(column)} examples")
            continue
        array = numpy.ascontiguousarray(column)
        shape = "x".join(map(str, array.shape))
        found.append(f"{array.dtype} {shape} {zlib.crc32(array.tobytes()):08x}")
    return ", ".join(found)
