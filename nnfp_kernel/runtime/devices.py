"""The devices that JAX finds, and a batch shared out among them.

Weights are on every device, examples on one each: XLA adds up the gradients. The
partition is JAX's own (`jax.sharding`); nothing here computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy
from jax.sharding import Mesh, NamedSharding, PartitionSpec

BATCH = "batch"  # the mesh's axis


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
        try:
            stats = device.memory_stats() or {}
        except (jax.errors.JaxRuntimeError, NotImplementedError):
            stats = {}  # a kind of device that does not tell
        found.append(
            Device(
                number, device.platform, device.device_kind,
                stats.get("bytes_in_use"), stats.get("bytes_limit"),
            )
        )  # fmt: skip
    return found


def mesh(count: int, batch: int) -> Mesh | None:
    """The first `count` devices, for batches of this many examples; None for one device.

    Raises ValueError where there are fewer, or where they cannot have as many each.
    """
    every = jax.devices()
    if count < 1:
        raise ValueError(f"a training runs on at least one device, not {count}")
    if count > len(every):
        are = "is 1 device" if len(every) == 1 else f"are {len(every)} devices"
        raise ValueError(f"there {are}, not {count}")
    if batch % count:
        nearest = max(1, round(batch / count)) * count
        raise ValueError(
            f"a batch of {batch} cannot be shared equally among {count} devices: "
            f"take {nearest}, for example"
        )
    return Mesh(numpy.array(every[:count]), (BATCH,)) if count > 1 else None


def everywhere(arrays: Any, over: Mesh | None) -> Any:
    """The arrays on every device of a mesh."""
    return arrays if over is None else jax.device_put(arrays, NamedSharding(over, PartitionSpec()))


def shared_out(examples: Any, over: Mesh | None) -> Any:
    """The examples of a batch, each on one device: inside a compiled function."""
    if over is None:
        return examples
    apart = NamedSharding(over, PartitionSpec(BATCH))
    return jax.tree.map(lambda array: jax.lax.with_sharding_constraint(array, apart), examples)


def together(arrays: Any, over: Mesh | None) -> Any:
    """The arrays as they are without a mesh, for whoever goes on with them."""
    if over is None:
        return arrays
    return jax.tree.map(lambda array: jax.numpy.asarray(numpy.asarray(array)), arrays)
