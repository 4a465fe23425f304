"""Training: a loop that yields what happens, as data.

    train(objective, weights, data, …)   ->   Started, Progress …, Epoch, Measured, …, Finished

Here its arguments are checked, and become a plan (plan.py) and a position to start from; the
loop (loop.py) takes it from there. Steps run in compiled chunks of some 80 ms (chunks.py):
batches are drawn on the device, the number of steps of a chunk is an argument and not a shape,
so Python is entered ten times a second and a stop is seen as often.

Examples that make no array, trees or sequences of different lengths, come as a list: then
a batch is put together in Python, step by step, and what is compiled is the objective's affair.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import jax
import numpy
import optax

from ...language.diagnostics import NnfpError
from ..machine import devices as machines
from ..machine import processes
from ..machine.devices import Devices, Shard
from . import checkpoints, chunks, columns, methods
from .events import (
    Batch,
    Epoch,
    Event,
    Measured,
    Weights,
)
from .examples import Buckets
from .loop import Training
from .methods import Schedule
from .plan import Objective, Plan
from .stream import Ended, Stream, is_stream, raised


def train(
    objective: Objective,
    weights: Weights,
    data: Sequence[Any] | Buckets | Iterable[Any],
    *,
    optimizer: str | optax.GradientTransformation = "adam",
    rate: float | str | Schedule | None = None,
    schedule: str | Schedule | None = None,
    warmup: int = 0,
    clip: float | optax.GradientTransformation | None = None,
    decay: float | None = None,
    ema: float | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    batch: int = 32,
    valid: float | Sequence[Any] | Buckets = 0.0,
    seed: int = 0,
    until: Callable[[Epoch | Measured], bool] | None = None,
    patience: int | None = None,
    keep: Callable[[Weights], None] | None = None,
    checkpoint: str | Path | None = None,
    every: float = 60.0,
    resume: bool = False,
    devices: Devices | None = None,
    shard: Shard = (),
    memory: int | None = None,
    watched: bool = False,
) -> Generator[Event, None, None]:
    """Minimise the mean loss over the examples; yields events, the last one `Finished`.

    >>> import jax.numpy as jnp
    >>> objective = Objective(
    ...     lambda w, xs, key: (jnp.mean((xs[0] - w) ** 2), 2 * (w - jnp.mean(xs[0]))),
    ...     lambda w, xs, key: (xs[0] - w) ** 2,
    ... )
    >>> data = (numpy.array([1.0, 2.0, 3.0]),)
    >>> *_, last = train(objective, 0.0, data, optimizer="sgd", rate=0.1, steps=100, batch=3)
    >>> last.reason, round(float(last.weights), 6)
    ('finished', 2.0)

    `data` are arrays of one leading length, or lists where examples differ in shape: then
    the functions of the objective are handed lists; or examples in buckets, whose batches
    are of one bucket each. An epoch sees every example once, in an order drawn from `seed`; a
    batch may reach over the end of an epoch. Or they are an iterable of batches (see
    `stream`), gone through for so many `steps` and read ahead by a thread: an epoch is then a
    hundred steps, and the size of a batch its own.

    `rate` is a number, the name of a schedule with or without its peak (`cosine`,
    `cosine 0.01`), or a function of the step; `schedule` names or is the schedule alone, and
    for `warmup` steps the rate rises before it. `clip` bounds the norm of the gradient, and
    `decay` pulls the weights to zero, apart from it (see `methods.method`). With an `ema`,
    0.999, what is measured and kept is the moving average of the weights.

    `valid` is the share of examples held out, measured at the end of every epoch, or it is
    those examples, given as `data` are. `until` is asked there too, and ends the training by
    True; `patience` ends it after so many validations without a better one. `keep` is
    handed the kept weights, however it ended, before the last event.

    With a `checkpoint` folder the training is kept there, `every` so many seconds and when it ends;
    with `resume` it goes on from what is there, step for step as if it had not stopped.
    One that stopped is not written over: that is an error, as is a checkpoint of a
    training with another seed, batch, data, optimiser or rate. More steps are no matter.

    On several `devices`, so many or a mesh of them such as "batch=2,model=4", each has its
    share of every batch, and all have the weights, but for those whose paths `shard` splits:
    "attention.*=model" along their first axis, "net.W=_,model" along the second. The weights
    that come of it are those of one device, to rounding. Where JAX has several processes all of
    their devices take part, and process 0 alone writes checkpoints.

    Where it is `watched`, progress is told twice as often, and in PIECES of a like number of
    steps at least, however fast it goes: then the weights can be seen on their way.

    It may take so many bytes of `memory`, or those that are free. What it will take is
    counted before it starts: a warning where that is more, NnfpError where it cannot fit.
    Memory that is exhausted ends it with what is kept so far, and then raises NnfpError.

    KeyboardInterrupt, inside or thrown in at a yield, ends it with what is kept so far.
    Raises ValueError for arguments that make no sense, before the first event.
    """
    leaves = jax.tree.leaves(weights)
    if not sum(numpy.size(leaf) for leaf in leaves):
        raise ValueError("there are no weights to train")
    if batch < 1:
        raise ValueError(f"a batch has at least one example, not {batch}")
    share = valid if isinstance(valid, float | int) else 0.0
    aside = () if isinstance(valid, float | int) else _columns(valid)
    if not 0 <= share < 1:
        raise ValueError(f"the share held out for validation is from 0 to below 1, not {valid}")
    if (epochs is not None and not epochs > 0) or (steps is not None and steps < 1):
        raise ValueError("train for a positive number of epochs or steps")
    if ema is not None and not 0 < ema < 1:
        raise ValueError(f"of an average a share between 0 and 1 is left by a step, not {ema}")
    if patience is not None and patience < 1:
        raise ValueError(f"patience is for one validation at least, not {patience}")
    if patience is not None and not share and not aside:
        raise ValueError("patience is with validations: hold a share of the examples out")

    if is_stream(data):
        if steps is None:
            raise ValueError("nobody knows how long a stream is: say how many steps to train")
        if share:
            raise ValueError("no share of a stream is held out: give examples to validate on")
        if objective.metric is not None and not aside:
            raise ValueError("a metric is not measured on a stream: give examples to validate on")
        given = (
            data
            if isinstance(data, Stream)
            else Stream(cast(Iterable[Any], data), columns.read_batch)
        )
        size, learned = _size(given), given
    else:
        given = _columns(data)
        total = columns.count(given)
        held_out = min(total - 1, max(1, round(total * share))) if share else 0
        examples = total - held_out
        if examples < 1 or (share and not held_out):
            raise ValueError(f"too few examples: {total}")
        size = min(batch, examples)
        learned = given
        if held_out:
            shuffled = numpy.random.default_rng([seed, 1]).permutation(total)
            kept, out = shuffled[held_out:], shuffled[:held_out]
            learned, aside = columns.some(given, kept), columns.some(given, out)
    slots = columns.slots(columns.ordered(learned), size)
    if steps is None:
        epochs = 5.0 if epochs is None else float(epochs)
        steps = math.ceil(epochs * slots / size - 1e-9)
    else:
        epochs = steps * size / slots
    method, name = methods.method(optimizer, clip, decay)
    scheduled = methods.rates(optimizer, rate, schedule, warmup, steps)
    rates = methods.Rates(scheduled, chunks.CHUNK_STEPS)
    way = chunks.Way(method, scheduled is not None, ema, methods.by_number(optimizer, clip))
    if devices is None:
        devices = jax.device_count() if processes.several() else 1
    layout = machines.layout(devices, shard, weights, size)
    folder = None if checkpoint is None else Path(checkpoint)
    asked = {
        "seed": seed,
        "batch": size,
        "share held out": share,
        "optimiser": name,
        "rate": "a function of the step" if callable(rate) else rate,
        "schedule": "a function of the step" if callable(schedule) else schedule,
        "warmup": warmup or None,
        "clip": "optax" if isinstance(clip, optax.GradientTransformation) else clip,
        "decay": decay,
        "ema": ema,
    }
    if folder is not None:
        if not every >= 0:
            raise ValueError(f"checkpoints are some seconds apart, not {every}")
        asked["data"] = _fingerprint(given)
        asked["validation data"] = None if share else _fingerprint(aside) or None
        left = checkpoints.unfinished(folder)
        if left and not resume:
            raise ValueError(f"{folder} holds {left}: resume it, or name another folder")
    elif resume:
        raise ValueError("to go on from a checkpoint, name the folder that holds it")
    plan = Plan(
        objective, way, rates, name, learned, aside, size, epochs, steps, seed, until, patience,
        keep, folder, every, asked, layout, memory, watched,
    )  # fmt: skip
    start = plan.start(jax.tree.map(columns.array, weights))
    if folder is not None and resume:
        start = checkpoints.read(folder, start, asked)
    if isinstance(given, Stream):
        with contextlib.suppress(Ended):  # the loop tells it
            given.skip(start.taken)
    if processes.several():
        held = [_checksums(each) for each in (given, aside, jax.tree.leaves(weights))]
        plan = replace(plan, told=repr((asked, steps, start.taken, devices, shard, held)))
    if layout is not None:
        here = columns.everywhere(learned, layout)
        plan = replace(plan, data=here, held_out=columns.everywhere(aside, layout))
        start = replace(start, state=layout.placed(start.state))
    return Training(plan, start).events()


def _columns(data: Any) -> Batch:
    return data if isinstance(data, Buckets) else columns.read(data)


def _fingerprint(data: Batch) -> str:
    if isinstance(data, Stream):
        return "a stream"
    return "" if isinstance(data, Buckets) else checkpoints.fingerprint(data)


def _checksums(data: Batch) -> str:
    """What tells apart the data that processes were given, what is in lists too."""
    if isinstance(data, Stream):
        return _fingerprint(data)
    leaves, form = jax.tree.flatten(data)
    shapes = repr(form) if columns.some_listed(data) else ""
    return f"{shapes} {checkpoints.fingerprint(leaves)}"


def _size(data: Stream) -> int:
    """How many examples a batch of a stream has. Raises what says why it has none."""
    try:
        return columns.count(data.at(0))
    except Ended as end:
        if isinstance(end.error, NnfpError):
            raise end.error from None
        if end.error is not None:
            raise ValueError(f"the stream gave no batch: {raised(end.error)}") from end.error
        raise ValueError("the stream is at its end, it gave no batch") from None
