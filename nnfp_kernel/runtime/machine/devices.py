"""The devices that JAX finds, and a training laid out over them.

A mesh has named axes. The examples of a batch are shared out along the axis `batch`; weights
are on every device, or split along the axes that patterns of their paths name:

    devices "batch=2,model=4", shard {"attention.*": "model"}

Splitting a weight changes where it lies, not what is computed: XLA adds up the gradients and
fetches what a device lacks. The partition is JAX's own (`jax.sharding`); nothing here computes.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import jax
import numpy
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from . import memory

BATCH = "batch"  # the axis of the mesh that examples are shared out along
CORES = "JAX_NUM_CPU_DEVICES"  # the variable that says how many devices a processor makes
WHOLE = "_"  # for an axis of a weight that is not split

Devices = int | str | Mapping[str, int]  # 8, "batch=2,model=4"
Shard = str | Sequence[str] | Mapping[str, str]  # "attention.*=model"


# --- what there is -----------------------------------------------------------------------


@dataclass(frozen=True)
class Device:
    """A device as people know it."""

    number: int
    platform: str  # cpu, gpu, tpu
    name: str
    used: int | None  # bytes in use; None where the device does not say
    memory: int | None  # bytes it has


def described() -> list[Device]:
    """All devices, in JAX's order.

    >>> described()[0].number
    0
    """
    found = []
    for number, device in enumerate(jax.devices()):
        stats = memory.told_by(device)
        found.append(
            Device(
                number, device.platform, device.device_kind,
                stats.get("bytes_in_use"), stats.get("bytes_limit"),
            )
        )  # fmt: skip
    return found


# --- what is asked for -------------------------------------------------------------------


def axes_of(devices: Devices) -> dict[str, int]:
    """The axes of a mesh as they are asked for. Raises ValueError where they are none.

    >>> axes_of(8), axes_of("batch=2,model=4")
    ({'batch': 8}, {'batch': 2, 'model': 4})
    """
    if isinstance(devices, str):
        parts = devices.replace(" ", "").split(",")
        if len(parts) == 1 and "=" not in devices:
            parts = [f"{BATCH}={parts[0]}"]
        if not all(re.fullmatch(r"[^\W\d]\w*=\d+", part) for part in parts):
            raise ValueError(
                f"devices are a number, or axes with a number each, such as "
                f"batch=2,model=4; not {devices!r}"
            )
        sizes = {name: int(size) for name, _, size in (part.partition("=") for part in parts)}
        if len(sizes) < len(parts):
            raise ValueError(f"an axis stands twice in {devices!r}")
        return axes_of(sizes)
    axes = {BATCH: int(devices)} if isinstance(devices, int) else dict(devices)
    for name, size in axes.items():
        if size < 1 and axes.keys() == {BATCH}:
            raise ValueError(f"a training runs on at least one device, not {size}")
        if size < 1:
            raise ValueError(f"an axis has at least one device, and {name} has {size}")
    return axes


def rules_of(shard: Shard) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Patterns of paths, each with the mesh's axis for every axis of a weight.

    >>> rules_of(["attention.*=model", "net.W=_,model"])
    (('attention.*', ('model',)), ('net.W', ('_', 'model')))
    """
    if isinstance(shard, Mapping):
        pairs = list(shard.items())
    else:
        pairs = []
        for text in [shard] if isinstance(shard, str) else shard:
            pattern, equals, axes = text.rpartition("=")
            if not (pattern and equals and axes):
                raise ValueError(
                    f"write a pattern of weights and an axis of the mesh, such as "
                    f"'attention.*=model'; not {text!r}"
                )
            pairs.append((pattern, axes))
    return tuple(
        (pattern.strip(), tuple(axes.replace(" ", "").split(","))) for pattern, axes in pairs
    )


# --- the layout --------------------------------------------------------------------------

Path = tuple[Any, ...]  # JAX's keys, to a leaf


@dataclass(frozen=True)
class Layout:
    """How a training lies on a mesh. Hashable: what is compiled for one serves again."""

    mesh: Mesh
    split: tuple[tuple[Path, tuple[int, ...], PartitionSpec], ...]  # weights, with their shapes

    @property
    def shares(self) -> int:
        """Among how many devices a batch is shared out."""
        return int(self.mesh.shape.get(BATCH, 1))

    def everywhere(self, arrays: Any) -> Any:
        """The arrays on every device."""
        return jax.tree.map(lambda array: _placed(array, self._at(PartitionSpec())), arrays)

    def there(self, arrays: Any) -> Any:
        """The arrays as they lie on the mesh; what does not, on every device."""
        mesh, whole = set(self.mesh.devices.flat), self._at(PartitionSpec())

        def put(array: Any) -> Any:
            on_it = isinstance(array, jax.Array) and array.sharding.device_set == mesh
            return array if on_it else _placed(array, whole)

        return jax.tree.map(put, arrays)

    def placed(self, state: Any) -> Any:
        """A tree of weights and what goes with each of them (an optimiser's memory), every
        leaf where its weight belongs."""
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: _placed(leaf, self._at(self._spec(path, leaf))), state
        )

    def held(self, state: Any) -> Any:
        """The same inside a compiled function: they stay where they belong."""
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: jax.lax.with_sharding_constraint(
                leaf, self._at(self._spec(path, leaf))
            ),
            state,
        )

    def on_each(self, function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """`function(own, shared)` on every device that has a share of a batch, inside a compiled
        function: its own row of all arrays, and what all have. It gives what is added up over
        the devices, and what each has a row of, which are laid end to end."""

        def one(own: Any, shared: Any) -> Any:
            return function(jax.tree.map(lambda array: array[0], own), shared)

        if BATCH not in self.mesh.shape:
            return one

        def added(own: Any, shared: Any) -> Any:
            total, rows = one(own, shared)
            return jax.lax.psum(total, BATCH), rows

        apart, whole = PartitionSpec(BATCH), PartitionSpec()
        # What varies from device to device is not followed through loops: nothing asks for it.
        spread: Callable[[Any, Any], Any] = jax.shard_map(
            added, mesh=self.mesh, in_specs=(apart, whole), out_specs=(whole, apart),
            axis_names={BATCH}, check_vma=False,
        )  # fmt: skip
        return spread

    def spread(self, examples: Any) -> Any:
        """The examples of a batch that comes from outside, each on its devices; on all of
        them where they cannot be shared equally."""

        def placed(array: Any) -> Any:
            equal = BATCH in self.mesh.shape and not len(array) % self.shares
            return _placed(array, self._at(PartitionSpec(BATCH if equal else None)))

        return jax.tree.map(placed, examples)

    def together(self, arrays: Any) -> Any:
        """The arrays as they are without a mesh, for whoever goes on with them. Where there
        are several processes, all of them must ask."""

        def whole(array: Any) -> Any:
            if _is_key(array):
                return jax.random.wrap_key_data(whole(jax.random.key_data(array)))
            return jax.numpy.asarray(numpy.asarray(array))

        leaves, form = jax.tree.flatten(arrays)
        if not all(getattr(leaf, "is_fully_addressable", True) for leaf in leaves):
            leaves = _everywhere_by_xla(self._at(PartitionSpec()))(leaves)
        return form.unflatten(map(whole, leaves))

    def _at(self, spec: PartitionSpec) -> NamedSharding:
        return NamedSharding(self.mesh, spec)

    def _spec(self, path: Path, leaf: Any) -> PartitionSpec:
        """How a leaf is split: as the weight whose path its own ends with, if it has its shape.
        So do the moments of an optimiser and averages, whatever they are kept in."""
        for own, shape, spec in self.split:
            if path[-len(own) :] == own and numpy.shape(leaf) == shape:
                return spec
        return PartitionSpec()


@dataclass(frozen=True)
class LaidOut:
    """A weight on a mesh."""

    name: str
    shape: tuple[int, ...]
    along: tuple[str, ...]  # of the mesh's axes, for its own
    part: tuple[int, ...]  # the shape of what one device has
    path: Path


def layout(devices: Devices, shard: Shard, weights: Any, batch: int) -> Layout | None:
    """The layout of a training in batches of so many examples; None on one device.

    Raises ValueError where there are fewer devices, where a batch or a weight cannot be
    shared equally, and for a pattern or an axis that names nothing.
    """
    if type(devices) is int and devices == 1 and not shard and jax.process_count() == 1:
        return None
    axes, found = laid_out(devices, shard, weights)
    shares = axes.get(BATCH, 1)
    if batch % shares:
        nearest = max(1, round(batch / shares)) * shares
        raise ValueError(
            f"a batch of {batch} cannot be shared equally among {shares} devices: "
            f"take {nearest}, for example"
        )
    every, count = jax.devices(), math.prod(axes.values())
    if count < len(every) and jax.process_count() > 1:
        raise ValueError(
            f"{jax.process_count()} processes have {len(every)} devices together, and all of "
            f"them take part, not {count}"
        )
    if count == 1:
        return None
    split = tuple(
        (each.path, each.shape, PartitionSpec(*(None if a == WHOLE else a for a in each.along)))
        for each in found
        if set(each.along) - {WHOLE}
    )
    return Layout(Mesh(numpy.array(every[:count]).reshape(*axes.values()), tuple(axes)), split)


def laid_out(devices: Devices, shard: Shard, weights: Any) -> tuple[dict[str, int], list[LaidOut]]:
    """The axes of the mesh, and every weight on it: as the first pattern that fits it says.
    Raises ValueError as `layout` does."""
    axes, rules, there = axes_of(devices), rules_of(shard), jax.device_count()
    if math.prod(axes.values()) > there:
        are = "is 1 device" if there == 1 else f"are {there} devices"
        many = math.prod(axes.values())
        told = f"there {are}, not {many}"
        if jax.default_backend() == "cpu":
            told += f": JAX makes {many} of a processor where {CORES}={many} is set as it starts"
        raise ValueError(told)
    leaves = [
        (path, jax.tree_util.keystr(path, simple=True, separator="."), tuple(numpy.shape(leaf)))
        for path, leaf in jax.tree_util.tree_flatten_with_path(weights)[0]
    ]
    for pattern, along in rules:
        if not any(_fits(pattern, name) for _, name, _ in leaves):
            names = ", ".join(name for _, name, _ in leaves)
            raise ValueError(f"no weight is called {pattern}; there are: {names}")
        for axis in along:
            if axis not in axes and axis != WHOLE:
                has = _shown(axes)
                wanted = _shown({**axes, BATCH: max(1, axes.get(BATCH, 1) // 2), axis: 2})
                raise ValueError(
                    f"the mesh has no axis {axis}: it is {has}. Write --devices {wanted}, "
                    "for example"
                )
            if axis != WHOLE and along.count(axis) > 1:
                raise ValueError(f"{pattern} cannot be split along {axis} twice")
    found = []
    for path, name, shape in leaves:
        along = next((along for pattern, along in rules if _fits(pattern, name)), ())
        along = along if set(along) - {WHOLE} else ()
        found.append(LaidOut(name, shape, along, _part(name, shape, along, axes), path))
    return axes, found


def _shown(axes: Mapping[str, int]) -> str:
    return ",".join(f"{name}={size}" for name, size in axes.items())


def _part(
    name: str, shape: tuple[int, ...], along: Sequence[str], axes: Mapping[str, int]
) -> tuple[int, ...]:
    """The shape of what one device has of a weight."""
    is_ = f"has shape [{','.join(map(str, shape))}]" if shape else "is a number"
    if len(along) > len(shape):
        raise ValueError(
            f"{name} {is_}, which has no axis {len(along)} to split: leave it whole by "
            f"'{name}={WHOLE}', before the pattern"
        )
    for size, axis in zip(shape, along, strict=False):
        if axis != WHOLE and size % axes[axis]:
            raise ValueError(
                f"{name} {is_}: {size} cannot be shared equally among the {axes[axis]} devices "
                f"of {axis}"
            )
    shares = [1 if axis == WHOLE else axes[axis] for axis in along]
    return (*(size // n for size, n in zip(shape, shares, strict=False)), *shape[len(along) :])


def _fits(pattern: str, name: str) -> bool:
    """Whether a weight has a path like this, or stands below it."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _placed(array: Any, where: NamedSharding) -> Any:
    """An array of this process, which the others have too, on its devices."""
    if where.is_fully_addressable:
        return jax.device_put(array, where)
    if _is_key(array):
        return jax.random.wrap_key_data(_placed(jax.random.key_data(array), where))
    whole = numpy.asarray(array)
    return jax.make_array_from_callback(whole.shape, where, lambda part: whole[part])


@functools.cache
def _everywhere_by_xla(where: NamedSharding) -> Callable[[Any], Any]:
    """What copies arrays, whose parts are on the devices of several processes, to all of them."""
    copied: Callable[[Any], Any] = jax.jit(lambda same: same, out_shardings=where)
    return copied


def _is_key(array: Any) -> bool:
    dtype = getattr(array, "dtype", None)
    return dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)
