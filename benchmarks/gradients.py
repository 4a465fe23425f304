"""Value and gradient of five programs, ours beside plain JAX of the same mathematics.

    python benchmarks/gradients.py [--rounds 40] [--only mlp,lstm]

Both run in one process, alternating, on the same weights and data, in 32 bits. Each
baseline is written as an expert would write it. Times are CPU seconds of the process
(all threads), medians with quartiles; the ratio is of medians of pairs. The results are
compared first. Then the time from the Python function to a lowered XLA program.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from measuring import alternating, apart, clock, quartiles, ratio

import nnfp_kernel as nnfp


@dataclass(frozen=True)
class Case:
    """One comparison: our program and its objective, the same in JAX, and the data."""

    name: str
    program: str
    objective: str
    baseline: Callable[[Any, Any], Any]  # mean loss of (weights, batch)
    batch: tuple[Any, ...]
    whole: bool = False  # the objective takes all data at once, not an example


def normal(seed: int, *shape: int) -> Any:
    return jnp.asarray(numpy.random.default_rng(seed).normal(size=shape), jnp.float32)


# --- programs -------------------------------------------------------------------------

MLP = """
net : R[512] ~> R[512]
net = dense[512] >> tanh >> dense[512] >> tanh >> dense[512] >> tanh >> dense[512]

loss (x, y) = squaredError (net x) y
"""


def mlp(weights: Any, batch: Any) -> Any:
    x, y = batch
    for k in range(1, 5):
        layer = weights["net"]["dense" if k == 1 else f"dense_{k}"]
        x = x @ layer["W"].T + layer["b"]
        x = jnp.tanh(x) if k < 4 else x
    return jnp.mean(jnp.sum((x - y) ** 2, axis=-1))


CONVOLUTIONS = """
net : R[28,28,8] ~> R
net = window[3,3] (flatten >> dense[16] >> relu) >> window[3,3] (flatten >> dense[16] >> relu)
  >> window[3,3] (flatten >> dense[16] >> relu) >> flatten >> mean

loss (x, y) = square (net x - y)
"""


def convolutions(weights: Any, batch: Any) -> Any:
    x, y = batch
    for k in range(1, 4):
        layer = weights["net"]["dense" if k == 1 else f"dense_{k}"]
        kernel = layer["W"].reshape(layer["W"].shape[0], 3, 3, -1).transpose(1, 2, 3, 0)
        x = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + layer["b"])
    return jnp.mean((jnp.mean(x, axis=(1, 2, 3)) - y) ** 2)


LSTM = """
cell : ((R[128], R[128]), R[128]) ~> ((R[128], R[128]), R[128])
cell ((h, c), x) = ((h2, c2), h2)
  where
    gates = split[128] (?W @ x + ?U @ h + ?b)
    c2 = sigmoid (gates ! 0) * c + sigmoid (gates ! 1) * tanh (gates ! 2)
    h2 = sigmoid (gates ! 3) * tanh c2
    ?W : R[512,128]
    ?U : R[512,128]
    ?b : R[512]

loss (xs, y) = squaredError (last (snd (mapAccum cell zero xs))) y
"""


def lstm(weights: Any, batch: Any) -> Any:
    xs, y = batch
    W, U, b = (weights["cell"][name] for name in "WUb")

    def step(state: Any, x: Any) -> Any:
        h, c = state
        f, i, g, o = jnp.split(x @ W.T + h @ U.T + b, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zero = jnp.zeros((xs.shape[0], 128), xs.dtype)
    (h, _), _ = jax.lax.scan(step, (zero, zero), xs.transpose(1, 0, 2))
    return jnp.mean(jnp.sum((h - y) ** 2, axis=-1))


ATTENTION = """
block : R[64,128] ~> R[64,128]
block xs = xs + heads @ transpose ?O
  where
    divide m = transpose (map split[32] (xs @ transpose m))
    one (q, (k, v)) = map softmax (q @ transpose k / sqrt 32) @ v
    heads = map concat (transpose (map one (zip (divide ?Q, zip (divide ?K, divide ?V)))))
    ?Q : R[128,128]
    ?K : R[128,128]
    ?V : R[128,128]
    ?O : R[128,128]

loss (x, y) = squaredError (block x) y
"""


def attention(weights: Any, batch: Any) -> Any:
    x, y = batch
    w = weights["block"]

    def divide(m: Any) -> Any:
        return (x @ m.T).reshape(*x.shape[:2], 4, 32).transpose(0, 2, 1, 3)

    q, k, v = divide(w["Q"]), divide(w["K"]), divide(w["V"])
    scores = jax.nn.softmax(q @ k.transpose(0, 1, 3, 2) / jnp.sqrt(32.0), axis=-1)
    joined = (scores @ v).transpose(0, 2, 1, 3).reshape(x.shape)
    return jnp.mean(jnp.sum((x + joined @ w["O"].T - y) ** 2, axis=(1, 2)))


GMM = """
model : R[1000,10] ~> R
model xs = - sum (map point xs)
  where
    root q l = select lower l zero + diag q
    lower = map (\\i -> map (\\j -> j < i) iota[10]) iota[10]
    diag q = map (\\i -> onehot[10] i * (exp q ! i)) iota[10]
    component x (a, (m, (q, l))) =
      let z = root q l @ (x - m) in a - 0.5 * dot z z + sum q
    point x = logsumexp (map (component x) (zip (?alpha, zip (?mu, zip (?q, ?l)))))
    ?alpha : R[25]
    ?mu : R[25,10]
    ?q : R[25,10]
    ?l : R[25,10,10]
"""


def gmm(weights: Any, batch: Any) -> Any:
    (xs,) = batch
    w = weights["model"]
    lower = jnp.tril(jnp.ones((10, 10), bool), -1)
    roots = jnp.where(lower, w["l"], 0) + jax.vmap(jnp.diag)(jnp.exp(w["q"]))
    z = jnp.einsum("kij,nkj->nki", roots, xs[:, None] - w["mu"])
    scores = w["alpha"] - 0.5 * jnp.sum(z * z, -1) + jnp.sum(w["q"], -1)
    return -jnp.sum(jax.nn.logsumexp(scores, axis=-1))


CASES = [
    Case("mlp 4x512, batch 256", MLP, "loss", mlp, (normal(1, 256, 512), normal(2, 256, 512))),
    Case("three convolutions, batch 32", CONVOLUTIONS, "loss", convolutions,
         (normal(1, 32, 28, 28, 8), normal(2, 32))),
    Case("lstm 128 steps, batch 16, 128 wide", LSTM, "loss", lstm,
         (normal(1, 16, 128, 128), normal(2, 16, 128))),
    Case("attention 64x128, 4 heads, batch 16", ATTENTION, "loss", attention,
         (normal(1, 16, 64, 128), normal(2, 16, 64, 128))),
    Case("gmm 1000x10, 25 components", GMM, "model", gmm, (normal(1, 1000, 10),), whole=True),
]  # fmt: skip


# --- measuring ------------------------------------------------------------------------


def ours_of(case: Case) -> tuple[Any, Callable[..., Any], Callable[..., Any]]:
    session = nnfp.Session(precision=32, seed=1)
    session.run(case.program)
    function = session[case.objective]
    data = case.batch[0] if len(case.batch) == 1 else case.batch

    def value_and_grad(weights: Any, batch: Any) -> Any:
        if case.whole:
            return function.value_and_grad(weights, batch)
        return function.mean_value_and_grad(weights, batch)

    return function.init(jax.random.key(1)), value_and_grad, lambda: data


def compare(case: Case, rounds: int) -> None:
    weights, value_and_grad, data = ours_of(case)
    ours = jax.jit(value_and_grad)
    theirs = jax.jit(jax.value_and_grad(case.baseline))
    run_ours = lambda: ours(weights, data())  # noqa: E731
    run_theirs = lambda: theirs(weights, case.batch)  # noqa: E731
    worst = apart(run_ours(), run_theirs())
    mine, other = alternating([run_ours, run_theirs], rounds, 0.05)
    low, middle, high = ratio(mine, other)
    print(
        f"{case.name:38} ours {quartiles(mine)[1] * 1e3:8.2f} ms"
        f"   jax {quartiles(other)[1] * 1e3:8.2f} ms"
        f"   ratio {middle:.3f} ({low:.3f} to {high:.3f})   differ {worst:.1e}",
        flush=True,
    )


def compare_lowering(case: Case, rounds: int) -> None:
    mine, other = [], []
    for _ in range(rounds):
        weights, value_and_grad, data = ours_of(case)  # a new session: nothing is kept
        start = time.process_time()
        jax.jit(value_and_grad).lower(weights, data())
        mine.append(time.process_time() - start)
        fresh = lambda w, b: case.baseline(w, b)  # noqa: E731
        start = time.process_time()
        jax.jit(jax.value_and_grad(fresh)).lower(weights, case.batch)
        other.append(time.process_time() - start)
    low, middle, high = ratio(mine, other)
    print(
        f"{case.name:38} ours {quartiles(mine)[1] * 1e3:8.1f} ms"
        f"   jax {quartiles(other)[1] * 1e3:8.1f} ms"
        f"   ratio {middle:.2f} ({low:.2f} to {high:.2f})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    chosen = [
        case
        for case in CASES
        if not arguments.only or case.name.split()[0] in arguments.only.split(",")
    ]
    print(f"jax {jax.__version__}, {jax.default_backend()}, {arguments.rounds} rounds\n")
    print(f"value and gradient, {clock()} time; goal: ratio at most 1.03")
    for case in chosen:
        compare(case, arguments.rounds)
    print("\ntracing and lowering; goal: ratio at most 1.5")
    for case in chosen:
        compare_lowering(case, max(5, arguments.rounds // 4))


if __name__ == "__main__":
    main()
