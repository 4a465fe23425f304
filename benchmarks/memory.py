"""A fold of 4,096 steps: memory and time of its value and gradient, in segments and plain.

    python benchmarks/memory.py [--rounds 12] [--steps 4096] [--only rnn,lstm,batch,one]

rnn     tanh (W h + U x + b), 128 wide, 16 rows side by side in the state, elements of 32
lstm    the same of an LSTM
batch   the rnn of one row, for a batch of 16 examples: their data have the example in front
one     the rnn of one row, for one example

Ours as the planner decides, ours with every loop plain, `lax.scan` under `jax.value_and_grad`,
and that as an expert would have it: a scan over `jax.checkpoint` of scans of 64 steps. Goal:
a thirtieth of the temporary memory of the plain scan (XLA's own count,
`memory_analysis().temp_size_in_bytes`) in 1.1 of its time. In 32 bits, one process, CPU seconds
of all threads, in turns; the gradients are compared first.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from measuring import alternating, quartiles, ratio

import nnfp_kernel as nnfp
from nnfp_kernel.linear.planning import Plan
from nnfp_kernel.runtime.lower import lower
from nnfp_kernel.runtime.machine import memory

WIDTH, DATA, ROWS, SEGMENT = 128, 32, 16, 64

RNN = """
cell : (R[{width}], R[{data}]) ~> R[{width}]
cell (h, x) = tanh (?W @ h + ?U @ x + ?b)
"""
LSTM = """
cell : ((R[{width}], R[{width}]), R[{data}]) ~> (R[{width}], R[{width}])
cell ((h, c), x) = (sigmoid (?Wo @ h + ?Uo @ x + ?bo) * tanh after, after)
  where
    after = sigmoid (?Wf @ h + ?Uf @ x + ?bf) * c + sigmoid (?Wi @ h + ?Ui @ x + ?bi) * new
    new = tanh (?Wg @ h + ?Ug @ x + ?bg)
"""
LOSSES = {
    "rnn": """
loss : R[{steps},{rows},{data}] ~> R
loss xs = sum (flatten (square (fold (zip >> map cell) (zero : R[{rows},{width}]) xs)))
""",
    "lstm": """
loss : R[{steps},{rows},{data}] ~> R
loss xs = sum (flatten (square (map fst (fold (zip >> map cell) zero xs))))
""",
    "one": """
loss : R[{steps},{data}] ~> R
loss xs = sum (square (fold cell zero xs))
""",
}


@dataclass(frozen=True)
class Case:
    name: str
    cell: str
    loss: str
    shape: tuple[int, ...]  # of the data
    batched: bool  # whether its first axis are examples, of which the mean is taken


def cases(steps: int) -> Iterator[Case]:
    many = (steps, ROWS, DATA)
    yield Case("rnn", RNN, "rnn", many, False)
    yield Case("lstm", LSTM, "lstm", many, False)
    yield Case("batch", RNN, "one", (ROWS, steps, DATA), True)
    yield Case("one", RNN, "one", (steps, DATA), False)


def ours(case: Case, steps: int, xs: Any, plan: Plan | None) -> tuple[Any, list[Any], Any]:
    """What is compiled of our gradient, its arrays, and the weights; by a plan, or by the
    planner's own."""
    own = memory.plan
    if plan is not None:
        memory.plan = lambda precision: plan
    try:
        session = nnfp.Session()
        sizes = {"steps": steps, "rows": ROWS, "width": WIDTH, "data": DATA}
        session.run((case.cell + LOSSES[case.loss]).format(**sizes))
        loss = session["loss"]
        prepared = loss.calls.of_batch if case.batched else loss.calls.of
        call, inputs = prepared([xs], False)[:2]
        arrays = loss._arrays(call, loss.weights, inputs, loss.session_key())
        graph = call.gradient_as_run
    finally:
        memory.plan = own
    return jax.jit(lower(graph, 32)).lower(*arrays).compile(), arrays, loss.weights


def step_of(case: Case, weights: Any) -> tuple[Callable[..., Any], Any]:
    """The cell in JAX, on rows, and its first state."""
    own = weights["cell"]
    if case.cell is RNN:

        def cell(h: Any, x: Any) -> tuple[Any, None]:
            return jnp.tanh(h @ own["W"].T + x @ own["U"].T + own["b"]), None

        return cell, jnp.zeros((ROWS, WIDTH))

    def lstm(state: Any, x: Any) -> tuple[Any, None]:
        h, c = state

        def gate(name: str) -> Any:
            return h @ own["W" + name].T + x @ own["U" + name].T + own["b" + name]

        sigmoid = jax.nn.sigmoid
        c = sigmoid(gate("f")) * c + sigmoid(gate("i")) * jnp.tanh(gate("g"))
        return (sigmoid(gate("o")) * jnp.tanh(c), c), None

    return lstm, (jnp.zeros((ROWS, WIDTH)),) * 2


def theirs(case: Case, segments: bool, weights: Any, xs: Any) -> Any:
    """The loss in JAX, plain or by segments that are made again."""
    if case.batched:
        xs = jnp.swapaxes(xs, 0, 1)
    cell, start = step_of(case, weights)
    if case.name == "one":
        start = start[0]
    if segments:
        pieces = xs.reshape(-1, SEGMENT, *xs.shape[1:])
        piece = jax.checkpoint(lambda state, part: (jax.lax.scan(cell, state, part)[0], None))
        state = jax.lax.scan(piece, start, pieces)[0]
    else:
        state = jax.lax.scan(cell, start, xs)[0]
    h = state[0] if isinstance(state, tuple) else state
    total = jnp.sum(h**2)
    return total / ROWS if case.batched else total


def _kind(array: Any) -> tuple[Any, ...]:
    """By what gradients are told apart whose order differs."""
    return *array.shape, float(jnp.sum(jnp.abs(array)))


def run(case: Case, steps: int, rounds: int) -> None:
    xs = numpy.random.default_rng(0).normal(size=case.shape).astype(numpy.float32)
    planned, arrays, weights = ours(case, steps, xs, None)
    plain = ours(case, steps, xs, Plan(per_byte=0.0))[0]
    data = jnp.asarray(xs)
    arrays = list(map(jnp.asarray, arrays))
    made = [planned, plain]
    runs: list[Callable[[], Any]] = [lambda c=c: c(*arrays) for c in made]
    for segments in (False, True):
        loss = functools.partial(theirs, case, segments)
        made.append(jax.jit(jax.value_and_grad(loss)).lower(weights, data).compile())
        runs.append(lambda c=made[-1]: c(weights, data))
    answers = [sorted(jax.tree.leaves(one()), key=_kind) for one in runs]
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            difference = float(jnp.max(jnp.abs(a - b)) / (jnp.max(jnp.abs(a)) + 1e-30))
            assert difference < 1e-3, f"{case.name}: answers differ by {difference}"
    times = alternating(runs, rounds)
    temporary = [one.memory_analysis().temp_size_in_bytes for one in made]
    names = ("as planned", "ours, plain", "scan", "scan, checkpointed")
    for k, name in enumerate(names):
        _, middle, _ = quartiles(times[k])
        low, half, high = ratio(times[k], times[2])
        print(
            f"| {case.name if not k else ''} | {name} | {temporary[k] / 1e6:.2f} "
            f"| {temporary[2] / temporary[k]:.1f} | {middle * 1e3:.1f} "
            f"| {half:.2f} ({low:.2f}–{high:.2f}) |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=4096)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    print("| fold | way | temporary, MB | times less than scan | ms | time to scan (quartiles) |")
    print("| --- | --- | ---: | ---: | ---: | --- |")
    for case in cases(given.steps):
        if not given.only or case.name in given.only.split(","):
            run(case, given.steps, given.rounds)


if __name__ == "__main__":
    main()
