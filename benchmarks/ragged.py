"""512 sequences of a long-tailed length through an LSTM, 64 wide: value and gradient.

    python benchmarks/ragged.py [--rounds 10] [--sequences 512]

Three ways, in one process, alternating, on the same weights and sequences, in 32 bits:

    ours       a Python list of arrays: buckets, packing on every call counted
    padded     plain JAX: all padded to the longest, one masked `lax.scan`, packed before
    by length  plain JAX: one `jit` for each length, sequences of a length together

Times are CPU seconds of the process (all threads), medians with quartiles; the ratio is of
medians of pairs. The results are compared first, and what each compiled is told.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from measuring import apart, cpu_seconds, quartiles

import nnfp_kernel as nnfp

WIDTH = 64

PROGRAM = """
cell : ((R[64], R[64]), R[64]) ~> ((R[64], R[64]), R[64])
cell ((h, c), x) = ((h2, c2), h2)
  where
    gates = split[64] (?W @ x + ?U @ h + ?b)
    c2 = sigmoid (gates ! 0) * c + sigmoid (gates ! 1) * tanh (gates ! 2)
    h2 = sigmoid (gates ! 3) * tanh c2
    ?W : R[256,64]
    ?U : R[256,64]
    ?b : R[256]

objective : [R[64]] ~> R
objective xs = let ((h, _), _) = mapAccum cell zero xs in sum (square h)
"""


def sequences(count: int, seed: int = 0) -> list[numpy.ndarray]:
    """Lengths as those of sentences: most are short, some are very long."""
    rng = numpy.random.default_rng(seed)
    lengths = numpy.clip(rng.lognormal(2.7, 0.9, count).astype(int), 1, 256)
    return [rng.normal(size=(n, WIDTH)).astype(numpy.float32) for n in lengths]


def run_cell(weights: Any, state: Any, x: Any) -> Any:
    W, U, b = (weights["cell"][name] for name in "WUb")
    h, c = state
    f, i, g, o = jnp.split(x @ W.T + h @ U.T + b, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def masked_sum(weights: Any, xs: Any, lengths: Any) -> Any:
    def step(state: Any, given: Any) -> Any:
        x, t = given
        there = (t < lengths)[:, None]
        after = run_cell(weights, state, x)
        return tuple(jnp.where(there, a, b) for a, b in zip(after, state, strict=True)), None

    zero = jnp.zeros((xs.shape[0], WIDTH), xs.dtype)
    steps = jnp.arange(xs.shape[1])
    (h, _), _ = jax.lax.scan(step, (zero, zero), (xs.transpose(1, 0, 2), steps))
    return jnp.sum(h * h)


def plain_sum(weights: Any, xs: Any) -> Any:
    zero = jnp.zeros((xs.shape[0], WIDTH), xs.dtype)
    step = lambda state, x: (run_cell(weights, state, x), None)  # noqa: E731
    (h, _), _ = jax.lax.scan(step, (zero, zero), xs.transpose(1, 0, 2))
    return jnp.sum(h * h)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sequences", type=int, default=512)
    arguments = parser.parse_args()
    batch = sequences(arguments.sequences)
    count = len(batch)
    lengths = numpy.array([len(xs) for xs in batch])

    session = nnfp.Session(precision=32, seed=1)
    session.run(PROGRAM)
    objective = session["objective"]
    weights = objective.init(jax.random.key(1))

    whole = numpy.zeros((count, lengths.max(), WIDTH), numpy.float32)
    for row, xs in zip(whole, batch, strict=True):
        row[: len(xs)] = xs
    whole, held = jnp.asarray(whole), jnp.asarray(lengths)
    padded = jax.jit(jax.value_and_grad(masked_sum))
    groups = [
        jnp.asarray(numpy.stack([xs for xs in batch if len(xs) == n]))
        for n in numpy.unique(lengths)
    ]
    by_length = jax.jit(jax.value_and_grad(plain_sum))

    def mean(total: Any) -> Any:
        return jax.tree.map(lambda array: array / count, total)

    def run_by_length() -> Any:
        parts = [by_length(weights, group) for group in groups]
        return mean(jax.tree.map(lambda *each: sum(each), *parts))

    ways = {
        "ours": lambda: objective.mean_value_and_grad(weights, batch),
        "padded": lambda: mean(padded(weights, whole, held)),
        "by length": run_by_length,
    }
    print(f"jax {jax.__version__}, {jax.default_backend()}, {arguments.rounds} rounds")
    print(
        f"{count} sequences, lengths {lengths.min()} to {lengths.max()}, "
        f"median {int(numpy.median(lengths))}, mean {lengths.mean():.1f}\n"
    )
    first = {name: cpu_seconds(run) for name, run in ways.items()}
    wanted = jax.tree.leaves(run_by_length())
    compiled = {"ours": objective.compilations, "padded": 1, "by length": len(groups)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for k in range(arguments.rounds):
        for name in list(ways)[:: 1 if k % 2 else -1]:
            times[name].append(cpu_seconds(ways[name]))
    for name, run in ways.items():
        low, middle, high = quartiles([t * 1e3 for t in times[name]])
        ratios = [x / y for x, y in zip(times["ours"], times[name], strict=True)]
        differ = apart(run(), wanted)
        print(
            f"{name:10} {middle:8.1f} ms ({low:.1f} to {high:.1f})"
            f"   ours / it {statistics.median(ratios):.3f}   {compiled[name]:3} compiled,"
            f" first call {first[name]:.1f} s   differ {differ:.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
