"""What does not change from step to step, moved out of a loop: ours beside plain JAX.

    python benchmarks/hoisting.py [--rounds 15]

A recurrent network whose cell takes a product of its input, as people write it. Ours takes the
products of all steps at once before the loop, forward and backward, and sums the gradient of
the matrix in one product after it. Beside it `lax.scan` of the cell as it is written, and of
an expert's, with the products before the loop. Value and gradient, in 32 bits, in one process,
in turns, compared first; medians of times, and of the pairs' ratios with quartiles.
"""

from __future__ import annotations

import argparse
from typing import Any

import jax
import jax.numpy as jnp
from gradients import normal
from measuring import alternating, apart, clock, quartiles, ratio

import nnfp_kernel as nnfp

PROGRAM = """
cell : (R[{wide}], R[{wide}]) ~> R[{wide}]
cell (h, x) = tanh (?W @ x + ?U @ h + ?b)

loss (xs, y) = squaredError (fold cell zero xs) y
"""
SIZES = ((128, 16, 128), (512, 16, 128), (128, 64, 256))  # steps, batch, wide


def network(weights: Any, xs: Any, y: Any, before: bool) -> Any:
    """The mean loss; `before` the loop all products of inputs are taken, or in its steps."""
    W, U, b = (weights["cell"][name] for name in "WUb")
    inputs = (xs @ W.T if before else xs).transpose(1, 0, 2)

    def step(h: Any, x: Any) -> Any:
        return jnp.tanh((x if before else x @ W.T) + h @ U.T + b), None

    h, _ = jax.lax.scan(step, jnp.zeros((xs.shape[0], len(b)), xs.dtype), inputs)
    return jnp.mean(jnp.sum((h - y) ** 2, axis=-1))


def compare(steps: int, batch: int, wide: int, rounds: int) -> None:
    session = nnfp.Session(precision=32, seed=1)
    session.run(PROGRAM.format(wide=wide))
    loss, weights = session["loss"], session["loss"].weights
    xs, y = normal(1, batch, steps, wide), normal(2, batch, wide)
    ours = jax.jit(lambda w, xs, y: loss.mean_value_and_grad(w, (xs, y)))
    others = [
        jax.jit(jax.value_and_grad(lambda w, xs, y, before=before: network(w, xs, y, before)))
        for before in (False, True)
    ]
    runs = [lambda run=run: run(weights, xs, y) for run in (ours, *others)]
    answers = [run() for run in runs]
    worst = max(apart(answers[0], other) for other in answers[1:])
    if worst > 1e-3:
        raise SystemExit(f"the answers differ by {worst:.1e}")
    mine, *theirs = alternating(runs, rounds, 0.05)
    said = f"{steps} steps, batch {batch}, {wide} wide"
    for name, other in zip(("as written", "an expert's"), theirs, strict=True):
        low, middle, high = ratio(other, mine)
        print(
            f"{said:32}{name:12} ours {quartiles(mine)[1] * 1e3:8.2f} ms"
            f"   theirs {quartiles(other)[1] * 1e3:8.2f} ms"
            f"   theirs / ours {middle:.2f} ({low:.2f} to {high:.2f})   differ {worst:.0e}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    jax.config.update("jax_default_matmul_precision", "highest")  # on GPUs too, to be compared
    print(f"jax {jax.__version__}, {jax.default_backend()}, {rounds} rounds, {clock()} time\n")
    for steps, batch, wide in SIZES:
        compare(steps, batch, wide, rounds)


if __name__ == "__main__":
    main()
