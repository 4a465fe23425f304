"""Training beside its peers: a tiny network, handwritten digits, a recurrent network.

    python benchmarks/training.py [--rounds 15] [--only tiny,digits,lstm]

tiny     100 steps of four layers of 16, batch 8, by Adam: `session.train`, all of it, beside a
         Python loop over a jitted step, and Equinox and PyTorch as their tutorials write it;
         goal: a third of the time of each
digits   two dense layers until 98 % of 360 unseen digits are read right, measured after each
         epoch, beside Flax NNX and PyTorch: the first time, with all compiling, and again
lstm     128 steps, batch 16, 128 wide: value and gradient beside `torch.nn.LSTM`, on one device
         and on all there are, as `--devices` has them; goal: 1.2 of its time. A processor is as
         many devices as JAX_NUM_CPU_DEVICES says, which slows the loops of the other parts

All in one process, of an environment of its own (see `environment`), in 32 bits, in turns; the
same first weights, examples, order and optimiser, and the losses are compared first. Told are
wall seconds, for whoever waits, and CPU seconds of all threads, which other work on the machine
disturbs less: medians, and ratios of the pairs with quartiles. Nothing is kept on disk of what
is compiled.
"""

from __future__ import annotations

import environment

if __name__ == "__main__":
    environment.enter()

import argparse
import gc
import os
from collections.abc import Callable, Sequence
from typing import Any

import equinox
import flax
import jax
import numpy
import torch
from gradients import LSTM
from measuring import Seconds, in_turns, quartiles, ratio, seconds
from peers import (
    Run,
    Task,
    at_its_best,
    equinox_loop,
    flax_loop,
    python_loop,
    torch_loop,
    torch_lstm,
)

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.machine import devices
from nnfp_kernel.runtime.training import chunks
from nnfp_kernel.runtime.training.events import Epoch, Finished, Measured, Progress
from nnfp_kernel.runtime.training.examples import Shares
from nnfp_kernel.runtime.training.objective import objective_of

SEED = 0
TINY = "net = dense[16] >> tanh >> dense[16] >> tanh >> dense[16] >> tanh >> dense[16]"
DIGITS = "net = dense[128] >> relu >> dense[10]"
ENOUGH = 0.98


def normal(seed: int, *shape: int) -> numpy.ndarray:
    return numpy.random.default_rng(seed).normal(size=shape).astype(numpy.float32)


def layers_of(weights: Any) -> tuple[tuple[numpy.ndarray, numpy.ndarray], ...]:
    """The dense layers of a network, first to last."""
    net = weights["net"]
    names = ["dense", *(f"dense_{k}" for k in range(2, len(net) + 1))]
    return tuple((numpy.array(net[n]["W"]), numpy.array(net[n]["b"])) for n in names)


def order_of(epoch: int, task: Task) -> numpy.ndarray:
    """The order in which our training sees the examples."""
    return numpy.array(chunks.order(jax.random.key(SEED), epoch, len(task.x), task.batch))


def differ(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How far losses are apart, as a share of the largest."""
    a, b = numpy.array(ours), numpy.array(theirs)
    assert a.shape == b.shape, (a.shape, b.shape)
    return float(numpy.abs(a - b).max() / numpy.abs(b).max())


def tell(name: str, ours: Sequence[Seconds], theirs: Sequence[Seconds], said: str = "") -> None:
    """A row: their time, and how often ours fits into it, by the clock and by the CPU."""
    for clock in ("wall", "cpu"):
        mine, other = ([getattr(one, clock) for one in times] for times in (ours, theirs))
        low, middle, high = ratio(other, mine)
        print(
            f"{name if clock == 'wall' else '':37}{clock:5}"
            f" ours {quartiles(mine)[1] * 1e3:9.2f} ms   theirs {quartiles(other)[1] * 1e3:9.2f} ms"
            f"   theirs / ours {middle:5.2f} ({low:.2f} to {high:.2f})"
            f"{said if clock == 'wall' else ''}",
            flush=True,
        )


# --- 100 steps of a tiny network --------------------------------------------------------------


def tiny(rounds: int) -> None:
    session = nnfp.Session(seed=SEED)
    session.run(f"net : R[16] ~> R[16]\n{TINY}")
    first = session.weights
    x, y = normal(1, 800, 16), normal(2, 800, 16)
    task = Task(layers_of(first), "tanh", False, x, y, 8, 1e-3)
    orders = [order_of(0, task)]

    def ours() -> list[float]:
        losses: list[float] = []
        for event in session.train("net", [x, y], loss="squaredError", steps=100, batch=8):
            if isinstance(event, Progress):
                losses.extend(event.losses.tolist())
        return losses

    loops: dict[str, Run] = {
        "a loop over a jitted step": python_loop(task),
        "Equinox, as its tutorial": equinox_loop(task),
        "PyTorch, as its tutorial": torch_loop(task),
    }
    print("\n100 steps of a tiny network; goal: theirs / ours at least 3")
    found = ours()
    apart = {name: differ(found, loop(orders)[0]) for name, loop in loops.items()}
    if max(apart.values()) > 1e-4:  # later rounds of ours go on from the weights of those before
        raise SystemExit(f"the losses differ: {apart}")
    runs = [ours, *((lambda loop=loop: loop(orders)) for loop in loops.values())]
    print(f"{at_its_best(runs[-1])} threads of PyTorch")
    mine, *others = in_turns(runs, rounds, 0.05)
    for name, other in zip(loops, others, strict=True):
        tell(name, mine, other, f"   losses differ {apart[name]:.0e}")


# --- digits -----------------------------------------------------------------------------------


def digits(rounds: int) -> None:
    from sklearn.datasets import load_digits

    data = load_digits()
    shuffled = numpy.random.default_rng(0).permutation(len(data.data))
    x = (data.data[shuffled] / 16).astype(numpy.float32)
    y = data.target[shuffled].astype(numpy.int32)
    x, unseen = x[360:], (x[:360], y[:360])  # and 1,437 to learn from
    x, y = x[:1408], y[360 : 360 + 1408]  # whole batches of 32

    def session() -> nnfp.Session:
        made = nnfp.Session(seed=SEED)
        made.run(f"net : R[64] ~> R[10]\n{DIGITS}")
        return made

    first = session().weights
    task = Task(layers_of(first), "relu", True, x, y, 32, 3e-3, unseen)
    orders = [order_of(epoch, task) for epoch in range(60)]
    warm = session()

    def ours(into: nnfp.Session) -> tuple[list[float], list[float]]:
        into.weights = first
        training = into.train(
            "net", [x, y], loss="crossEntropy", metric="accuracy", valid=list(unseen),
            rate=task.rate, batch=task.batch, epochs=60,
            until=lambda event: isinstance(event, Measured) and event.metric >= ENOUGH,
        )  # fmt: skip
        losses, right = [], []
        for event in training:
            if isinstance(event, Epoch):
                losses.append(event.loss)
            if isinstance(event, Measured):
                right.append(event.metric)
            if isinstance(event, Finished) and event.reason != "until":
                raise SystemExit("ours never got there")
        return losses, right

    makers: dict[str, Callable[[Task], Run]] = {
        "Flax NNX, as its introduction": flax_loop,
        "PyTorch, as its tutorial": torch_loop,
    }
    loops = {name: make(task) for name, make in makers.items()}
    losses, right = ours(warm)
    print(
        f"\ndigits until {ENOUGH:.0%} of {len(unseen[0])} unseen are right:"
        f" {len(right)} epochs, {right[-1]:.1%}"
    )
    for name, loop in loops.items():
        others, other_right = loop(orders, ENOUGH)
        means = numpy.reshape(others, (len(other_right), -1)).mean(axis=1)  # of each epoch
        if len(right) != len(other_right) or differ(losses, means) > 1e-3:
            raise SystemExit(f"{name} takes another way: {other_right}, and ours {right}")

    def anew(run: Callable[[], Any]) -> Seconds:
        """The time of a run that finds nothing compiled."""
        jax.clear_caches()
        gc.collect()
        return seconds(run)

    of_torch = loops["PyTorch, as its tutorial"]
    print(f"{at_its_best(lambda: of_torch(orders, ENOUGH))} threads of PyTorch")
    colds: list[list[Seconds]] = [[] for _ in range(1 + len(makers))]
    for _ in range(max(3, rounds // 5)):
        colds[0].append(anew(lambda: ours(session())))
        for times, make in zip(colds[1:], makers.values(), strict=True):
            times.append(anew(lambda make=make: make(task)(orders, ENOUGH)))
    for name, times in zip(makers, colds[1:], strict=True):
        tell(f"{name}: first", colds[0], times)
    ours(warm)  # compiled again, for what comes
    runs = [
        lambda: ours(warm),
        *((lambda loop=loop: loop(orders, ENOUGH)) for loop in loops.values()),
    ]
    mine, *others = in_turns(runs, rounds, 0.05)
    for name, other in zip(makers, others, strict=True):
        tell(f"{name}: again", mine, other)


# --- a recurrent network ----------------------------------------------------------------------

LIBRARY = """
net : R[128,128] ~> R[128]
net = lstm[128] >> last
loss (xs, y) = squaredError (net xs) y
"""


def lstm(rounds: int) -> None:
    xs, y = normal(1, 16, 128, 128), normal(2, 16, 128)
    print("\nLSTM, 128 steps, batch 16, 128 wide, value and gradient; goal: ours at most 1.2 x")
    for name, program in (("lstm of the library", LIBRARY), ("a cell with one matrix", LSTM)):
        session = nnfp.Session(seed=SEED)
        session.run(program)
        function = session["loss"]
        weights = function.init(jax.random.key(1))
        cores = jax.device_count()
        ours = {
            f"{name}, {there} device{'s' * (there > 1)}": _ours(function, weights, xs, y, there)
            for there in sorted({1, cores})
        }
        theirs = torch_lstm(in_torch(weights), xs, y)
        other, gradient_ = theirs()
        farthest = 0.0
        for run in ours.values():
            value, gradient = run()
            gradient = in_torch(gradient)
            apart = max(differ(gradient[k].ravel(), gradient_[k].ravel()) for k in gradient)
            farthest = max(farthest, apart)
            if abs(float(value) / other - 1) > 1e-5 or apart > 1e-4:
                raise SystemExit(f"{name}: {float(value)}, {other}, gradients differ {apart:.1e}")
        threads = at_its_best(theirs)
        *mine, others = in_turns([*ours.values(), lambda run=theirs: run()[0]], rounds, 0.1, 0.4)
        said = f"   gradients differ {farthest:.0e}, {threads} threads of PyTorch"
        for which, times in zip(ours, mine, strict=True):
            tell(which, times, others, said)


def _ours(function: Any, weights: Any, xs: Any, y: Any, count: int) -> Run:
    """The mean of an objective and its gradient, as a training on so many devices has them."""
    mesh, key = devices.layout(count, (), weights, len(xs)), jax.random.key(0)
    if mesh is None:
        batch = jax.device_put((xs, y))
    else:
        weights, batch = mesh.everywhere(weights), Shares(mesh.spread((xs, y)), mesh)
    compiled = jax.jit(objective_of(function).value_and_grad)
    return lambda: compiled(weights, batch, key)


def in_torch(weights: Any) -> dict[str, numpy.ndarray]:
    """The weights of a cell of ours as PyTorch has them: all gates in one matrix."""
    if "cell" in weights:
        places = numpy.arange(512).reshape(4, 128)[[1, 0, 2, 3]].ravel()  # forget comes first
        return {name: numpy.array(value)[places] for name, value in weights["cell"].items()}
    cell: Any = weights
    while "Wf" not in cell:
        (cell,) = cell.values()
    gates = ["i", "f", "", "o"]
    return {part: numpy.concatenate([cell[part + gate] for gate in gates]) for part in "WUb"}


# --- all --------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="tiny,digits,lstm")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_compilation_cache", False)
    jax.config.update("jax_default_matmul_precision", "highest")  # as PyTorch has it
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(
        f"jax {jax.__version__} ({jax.default_backend()}), torch {torch.__version__}"
        f", equinox {equinox.__version__}, flax {flax.__version__}; {arguments.rounds} rounds;"
        f" {os.cpu_count()} cores, load {load}"
    )
    for part in (tiny, digits, lstm):
        if part.__name__ in arguments.only.split(","):
            part(arguments.rounds)


if __name__ == "__main__":
    main()
