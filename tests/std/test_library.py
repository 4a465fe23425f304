"""The library, each definition against its formula in JAX, written by hand.

A case is a program, an input and the formula of (weights, input). Values agree to 1e-9
in 64 bits, and so do the pullbacks of one random cotangent: ours against `jax.vjp` of
the formula, for the weights and for the input.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import nnfp_kernel as nnfp


@dataclass(frozen=True, eq=False)
class Case:
    """A program that defines `f`, an example, and what `f` is on it."""

    name: str  # of the library's definition
    program: str
    example: Any
    formula: Callable[[Any, Any], Any]

    def __str__(self) -> str:
        return self.name


def real(*shape: int, seed: int = 0) -> jax.Array:
    return jnp.array(np.random.default_rng([seed, *shape]).normal(size=shape))


def index(*values: int) -> jax.Array:
    return jnp.array(values[0] if len(values) == 1 else values, jnp.int64)


TREE = """data Tree a = Leaf a | Node (Tree a) (Tree a)
sumTree = cata { Leaf x -> x; Node l r -> l + r }
"""


# --- formulas ----------------------------------------------------------------------------------


def standardize(x, axis=-1):
    centred = x - x.mean(axis, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(axis, keepdims=True) + 1e-5)


def convolution(weights, x, *, window, stride=1, padding="VALID"):
    """A convolution by XLA, its kernel read off the dense layer's matrix."""
    kernel = weights["W"].reshape(-1, *window, x.shape[-1])  # m, window, channels
    spatial = "HW"[: len(window)]
    out = lax.conv_general_dilated(
        x[None],
        jnp.moveaxis(kernel, 0, -1),
        (stride,) * len(window),
        padding,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
    )
    return out[0] + weights["b"]


def pooled(x, window, how):
    """A reduction of blocks that do not overlap; the rest at the ends is dropped."""
    blocks = x[tuple(slice(n // k * k) for n, k in zip(x.shape, window, strict=False))]
    for axis, k in enumerate(window):
        n = blocks.shape[2 * axis] // k
        blocks = blocks.reshape(*blocks.shape[: 2 * axis], n, k, *blocks.shape[2 * axis + 1 :])
    return how(blocks, axis=tuple(range(1, 2 * len(window), 2)))


def dense(weights, x):
    return weights["W"] @ x + weights["b"]


def rows(f):
    return lambda weights, xs: jax.vmap(f, (None, 0))(weights, xs)


def run_cell(cell, weights, state, xs, reverse=False):
    return lax.scan(lambda s, x: cell(weights, s, x), state, xs, reverse=reverse)[1]


def rnn_cell(w, h, x):
    h = jnp.tanh(w["W"] @ x + w["U"] @ h + w["b"])
    return h, h


def gru_cell(w, h, x):
    z = jax.nn.sigmoid(w["Wz"] @ x + w["Uz"] @ h + w["bz"])
    r = jax.nn.sigmoid(w["Wr"] @ x + w["Ur"] @ h + w["br"])
    new = jnp.tanh(w["W"] @ x + w["U"] @ (r * h) + w["b"])
    h = z * h + (1 - z) * new
    return h, h


def lstm_cell(w, state, x):
    h, c = state
    f, i, o = (
        jax.nn.sigmoid(w["W" + g] @ x + w["U" + g] @ h + w["b" + g]) for g in ("f", "i", "o")
    )
    c = f * c + i * jnp.tanh(w["W"] @ x + w["U"] @ h + w["b"])
    h = o * jnp.tanh(c)
    return (h, c), h


def attention(q, k, v, mask=None):
    scores = q @ k.T / jnp.sqrt(q.shape[-1])
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf)
    return jax.nn.softmax(scores, axis=-1) @ v


def causal(n):
    return jnp.tril(jnp.ones((n, n), bool))


def multi_head(w, xs, ys, heads, mask=None):
    """By slices of the projections, head by head."""
    width = w["Q"].shape[0] // heads
    found = []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        q, k, v = xs @ w["Q"][own].T, ys @ w["K"][own].T, ys @ w["V"][own].T
        found.append(attention(q, k, v, mask))
    return jnp.concatenate(found, axis=-1) @ w["O"].T


def norm(w, x):
    return w["scale"] * standardize(x) + w["shift"]


def mlp(w, x):
    return dense(w["dense_2"], jax.nn.relu(dense(w["dense"], x)))


def transformer_block(w, xs, heads, causally=False):
    inner = w["causalMultiHead" if causally else "multiHead"]["attentionHeads"]
    normed = norm(w["layerNorm"], xs)
    xs = xs + multi_head(inner, normed, normed, heads, causal(len(xs)) if causally else None)
    return xs + rows(lambda w, x: mlp(w["mlp"], norm(w["layerNorm_2"], x)))(w, xs)


def sinusoids(n, k):
    table = np.zeros((n, 2 * k))
    for position in range(n):
        for frequency in range(k):
            angle = position / 10000 ** (frequency / k)
            table[position, 2 * frequency : 2 * frequency + 2] = np.sin(angle), np.cos(angle)
    return jnp.array(table)


def group_norm(w, x, groups):
    n, channels = x.shape
    parts = x.reshape(n, groups, channels // groups)
    centred = parts - parts.mean((0, 2), keepdims=True)
    normed = centred / jnp.sqrt((centred**2).mean((0, 2), keepdims=True) + 1e-5)
    return w["scale"] * normed.reshape(x.shape) + w["shift"]


def huber(delta, x, y):
    e = jnp.abs(x - y)
    return jnp.where(e <= delta, e**2 / 2, delta * (e - delta / 2))


def cubic(x):
    return jnp.sum(x**3) * x[0]


# A generating step of three entries, over a vocabulary of v symbols.
STEP = """
step[v] : (R[3], Fin[v]) ~> (R[3], R[v])
step[v] (h, y) = (h2, ?V @ h2)
  where h2 = tanh (?U @ h + ?E ! y)

"""


def generator(w, h, y):
    h = jnp.tanh(w["U"] @ h + w["E"][y])
    return h, w["V"] @ h


def likelihood(w, h, symbols):
    """The log-likelihood of a sequence after the symbol 0."""
    total, before = 0.0, 0
    for y in symbols:
        h, logits = generator(w, h, before)
        total, before = total + jax.nn.log_softmax(logits)[y], y
    return total


def most_likely_steps(w, h, n):
    """Symbols, each the most likely one after those before it."""
    found = [0]
    for _ in range(n):
        h, logits = generator(w, h, found[-1])
        found.append(jnp.argmax(logits))
    return jnp.array(found[1:])


def counts_until(stop, symbols):
    """How often each of four symbols is said before the first `stop`."""
    going = jnp.cumsum(symbols == stop) == 0
    return (jax.nn.one_hot(symbols, 4, dtype=float) * going[:, None]).sum(0)


def all_by_likelihood(w, h, n):
    """All sequences of n symbols, the likeliest first, with their log-likelihoods."""
    count = w["E"].shape[0]
    sequences = jnp.array(list(itertools.product(range(count), repeat=n)))
    scores = jax.vmap(lambda symbols: likelihood(w, h, symbols))(sequences)
    order = jnp.argsort(-scores)
    return jnp.eye(count)[sequences[order]], scores[order]


# --- cases -----------------------------------------------------------------------------------

CASES = [
    # trees
    Case(
        "zipTreeWith",
        TREE + "f : R[3] -> R[3]\n"
        "f x = sumTree (zipTreeWith (*) (Node (Leaf x) (Leaf (exp x)), Node (Leaf (2 * x)) (Leaf x)))",
        real(3),
        lambda _, x: 2 * x * x + x * jnp.exp(x),
    ),
    Case(
        "sumData",
        TREE + "f : R[3] -> R[3]\nf x = sumData (Node (Leaf (square x)) (Leaf x))",
        real(3),
        lambda _, x: x * x + x,
    ),
    Case(
        "countData",
        TREE + "f : R[3] -> R\nf x = countData (Node (Leaf x) (Leaf x)) * sum x",
        real(3),
        lambda _, x: 2 * x.sum(),
    ),
    Case(
        "dotTree",
        TREE + "f : (R[3], R[3]) -> R\n"
        "f (x, y) = dotTree (Node (Leaf x) (Leaf y), Node (Leaf (exp y)) (Leaf x))",
        (real(3), real(3, seed=1)),
        lambda _, p: (p[0] * jnp.exp(p[1])).sum() + (p[0] * p[1]).sum(),
    ),
    # plumbing
    Case("id", "f : R[3] -> R[3]\nf = id", real(3), lambda _, x: x),
    Case("fst", "f : (R[3], R) -> R[3]\nf = fst", (real(3), real()), lambda _, p: p[0]),
    Case("snd", "f : (R[3], R) -> R\nf = snd", (real(3), real()), lambda _, p: p[1]),
    Case(
        "swap",
        "f : (R[3], R) -> (R, R[3])\nf = swap",
        (real(3), real()),
        lambda _, p: (p[1], p[0]),
    ),
    Case("const", "f : R[3] -> R\nf = const 7", real(3), lambda _, x: 7.0 + 0 * x[0]),
    Case(
        "flip",
        "minus x y = x - 2 * y\n\nf : (R[3], R[3]) -> R[3]\nf (x, y) = flip minus x y",
        (real(3), real(3, seed=1)),
        lambda _, p: p[1] - 2 * p[0],
    ),
    Case(
        "curry",
        "minus (x, y) = x - 2 * y\n\nf : (R[3], R[3]) -> R[3]\nf (x, y) = curry minus x y",
        (real(3), real(3, seed=1)),
        lambda _, p: p[0] - 2 * p[1],
    ),
    Case(
        "uncurry",
        "f : (R[4,3], R[4,3]) -> R[4]\nf = zipWith (uncurry squaredError)",
        (real(4, 3), real(4, 3, seed=1)),
        lambda _, p: ((p[0] - p[1]) ** 2).sum(1),
    ),
    # derivatives
    Case(
        "jvp",
        "g : R[3] -> R\ng x = sum (x * x * x) * head x\n\n"
        "f : (R[3], R[3]) -> R\nf (x, v) = jvp g x v",
        (real(3), real(3, seed=1)),
        lambda _, p: jax.jvp(cubic, (p[0],), (p[1],))[1],
    ),
    Case(
        "vjp",
        "g : R[3] -> R[3]\ng x = tanh x * head x\n\nf : (R[3], R[3]) -> R[3]\nf (x, w) = vjp g x w",
        (real(3), real(3, seed=1)),
        lambda _, p: jax.vjp(lambda x: jnp.tanh(x) * x[0], p[0])[1](p[1])[0],
    ),
    Case(
        "grad",
        "g : R[3] -> R\ng x = sum (x * x * x) * head x\n\nf : R[3] -> R[3]\nf = grad g",
        real(3),
        lambda _, x: jax.grad(cubic)(x),
    ),
    Case(
        "hessian",
        "g : R[3] -> R\ng x = sum (x * x * x) * head x\n\n"
        "f : (R[3], R[3]) -> R[3]\nf (x, v) = hessian g x v",
        (real(3), real(3, seed=1)),
        lambda _, p: jax.hessian(cubic)(p[0]) @ p[1],
    ),
    # machines
    Case(
        "mealy",
        "count (s, x) = (s + x, s * x)\n\nf : R[5] -> R[5]\nf = mealy count 1",
        real(5),
        lambda _, x: x * (1 + jnp.cumsum(x) - x),
    ),
    Case(
        "bidirectional",
        "f : R[5,2] ~> R[5,7]\n"
        "f = bidirectional rnnCell[4] rnnCell[3] zero zero >> map (\\(a, b) -> a ++ b)",
        real(5, 2),
        lambda w, xs: jnp.concatenate(
            [
                run_cell(rnn_cell, w["rnnCell"], jnp.zeros(4), xs),
                run_cell(rnn_cell, w["rnnCell_2"], jnp.zeros(3), xs, reverse=True),
            ],
            axis=1,
        ),
    ),
    # functions of numbers
    Case(
        "clip",
        "f : R[2,5] -> R[2,5]\nf = clip (-0.5) 0.75",
        real(2, 5),
        lambda _, x: jnp.clip(x, -0.5, 0.75),
    ),
    Case(
        "leakyRelu",
        "f : R[2,5] -> R[2,5]\nf = leakyRelu 0.1",
        real(2, 5),
        lambda _, x: jax.nn.leaky_relu(x, 0.1),
    ),
    Case("elu", "f : R[2,5] -> R[2,5]\nf = elu", real(2, 5) * 3, lambda _, x: jax.nn.elu(x)),
    Case(
        "softmax",
        "f : R[6] -> R[6]\nf = softmax",
        real(6) * 300,
        lambda _, x: jax.nn.softmax(x),
    ),
    Case(
        "logSoftmax",
        "f : R[6] -> R[6]\nf = logSoftmax",
        real(6) * 300,
        lambda _, x: jax.nn.log_softmax(x),
    ),
    Case("variance", "f : R[6] -> R\nf = variance", real(6), lambda _, x: jnp.var(x)),
    Case(
        "standardDeviation",
        "f : R[6] -> R\nf = standardDeviation",
        real(6),
        lambda _, x: jnp.std(x),
    ),
    Case(
        "standardize",
        "f : R[6] -> R[6]\nf = standardize",
        real(6) + 5,
        lambda _, x: standardize(x),
    ),
    Case(
        "cosineSimilarity",
        "f : (R[2,3], R[2,3]) -> R\nf (x, y) = cosineSimilarity x y",
        (real(2, 3), real(2, 3, seed=1)),
        lambda _, p: (p[0] * p[1]).sum() / jnp.linalg.norm(p[0]) / jnp.linalg.norm(p[1]),
    ),
    # losses
    Case(
        "squaredError",
        "f : ((R[3], R), (R[3], R)) -> R\nf (x, y) = squaredError x y",
        ((real(3), real()), (real(3, seed=1), real(seed=1))),
        lambda _, p: ((p[0][0] - p[1][0]) ** 2).sum() + (p[0][1] - p[1][1]) ** 2,
    ),
    Case(
        "meanSquaredError",
        "f : (R[3], R[3]) -> R\nf (x, y) = meanSquaredError x y",
        (real(3), real(3, seed=1)),
        lambda _, p: ((p[0] - p[1]) ** 2).mean(),
    ),
    Case(
        "meanAbsoluteError",
        "f : (R[3], R[3]) -> R\nf (x, y) = meanAbsoluteError x y",
        (real(3), real(3, seed=1)),
        lambda _, p: jnp.abs(p[0] - p[1]).mean(),
    ),
    Case(
        "huber",
        "f : (R[9], R[9]) -> R[9]\nf = zipWith (\\(x, y) -> huber 0.7 x y)",
        (real(9), real(9, seed=1)),
        lambda _, p: huber(0.7, p[0], p[1]),
    ),
    Case(
        "crossEntropy",
        "f : (R[5], Fin[5]) -> R\nf (x, y) = crossEntropy x y",
        (real(5) * 200, index(3)),
        lambda _, p: -jax.nn.log_softmax(p[0])[p[1]],
    ),
    Case(
        "softCrossEntropy",
        "f : (R[5], R[5]) -> R\nf (x, y) = softCrossEntropy x y",
        (real(5), jax.nn.softmax(real(5, seed=1))),
        lambda _, p: -(p[1] * jax.nn.log_softmax(p[0])).sum(),
    ),
    Case(
        "binaryCrossEntropy",
        "f : (R[4], R[4]) -> R[4]\nf = zipWith (uncurry binaryCrossEntropy)",
        (jnp.array([-800.0, -0.3, 0.4, 900.0]), jnp.array([0.0, 1.0, 0.25, 1.0])),
        lambda _, p: -(p[1] * jax.nn.log_sigmoid(p[0]) + (1 - p[1]) * jax.nn.log_sigmoid(-p[0])),
    ),
    Case(
        "hinge",
        "f : (R[4], R[4]) -> R[4]\nf = zipWith (uncurry hinge)",
        (jnp.array([-2.0, -0.3, 0.4, 3.0]), jnp.array([1.0, 1.0, -1.0, 1.0])),
        lambda _, p: jnp.maximum(0, 1 - p[0] * p[1]),
    ),
    Case(
        "accuracy",
        "f : (R[4,5], Fin[5][4]) -> R[4]\nf = zipWith (uncurry accuracy)",
        (real(4, 5), index(0, 1, 2, 3)),
        lambda _, p: (p[0].argmax(1) == p[1]).astype(float) + 0 * p[0].sum(),
    ),
    Case(
        "klDivergence",
        "f : (R[4], R[4]) -> R\nf (p, q) = klDivergence p q",
        (jnp.array([0.5, 0.125, 0.375, 0.2]), jnp.array([0.25, 0.25, 0.3, 0.2])),
        lambda _, p: (p[0] * (jnp.log(p[0]) - jnp.log(p[1]))).sum(),
    ),
    Case(
        "gaussianDivergence",
        "f : (R[4], R[4]) -> R\nf (m, v) = gaussianDivergence m v",
        (real(4), real(4, seed=1)),
        lambda _, p: 0.5 * (jnp.exp(p[1]) + p[0] ** 2 - 1 - p[1]).sum(),
    ),
    # layers
    Case("dense", "f : R[3] ~> R[4]\nf = dense[4]", real(3), lambda w, x: dense(w["dense"], x)),
    Case("linear", "f : R[3] ~> R[4]\nf = linear[4]", real(3), lambda w, x: w["linear"]["W"] @ x),
    Case(
        "scaleShift",
        "f : R[3] ~> R[3]\nf = scaleShift[]",
        real(3),
        lambda w, x: w["scaleShift"]["scale"] * x + w["scaleShift"]["shift"],
    ),
    Case("mlp", "f : R[3] ~> R[2]\nf = mlp[5, 2]", real(3), lambda w, x: mlp(w["mlp"], x)),
    Case(
        "deepMlp",
        "f : R[3] ~> R[2]\nf = deepMlp[3, 5, 2]",
        real(3),
        lambda w, x: _deep_mlp(w["deepMlp"], x),
    ),
    Case(
        "embed",
        "f : Fin[7][5] ~> R[5,3]\nf = map embed[3]",
        index(6, 0, 3, 3, 1),
        lambda w, i: jnp.eye(7)[i] @ w["embed"]["E"],
    ),
    Case(
        "conv",
        "f : R[9,2] ~> R[7,4]\nf = conv[3, 4]",
        real(9, 2),
        lambda w, x: convolution(w["conv"]["dense"], x, window=(3,)),
    ),
    Case(
        "convSame",
        "f : R[9,2] ~> R[9,4]\nf = convSame[4, 4]",
        real(9, 2),
        lambda w, x: convolution(w["convSame"]["dense"], x, window=(4,), padding="SAME"),
    ),
    Case(
        "convStride",
        "f : R[10,2] ~> R[4,4]\nf = convStride[3, 2, 4]",
        real(10, 2),
        lambda w, x: convolution(w["convStride"]["dense"], x, window=(3,), stride=2),
    ),
    Case(
        "conv2d",
        "f : R[6,5,2] ~> R[4,4,3]\nf = conv2d[3, 2, 3]",
        real(6, 5, 2),
        lambda w, x: convolution(w["conv2d"]["dense"], x, window=(3, 2)),
    ),
    Case(
        "conv2dSame",
        "f : R[6,5,2] ~> R[6,5,3]\nf = conv2dSame[3, 2, 3]",
        real(6, 5, 2),
        lambda w, x: convolution(w["conv2dSame"]["dense"], x, window=(3, 2), padding="SAME"),
    ),
    Case(
        "conv2dStride",
        "f : R[7,6,2] ~> R[3,2,3]\nf = conv2dStride[3, 3, 2, 3]",
        real(7, 6, 2),
        lambda w, x: convolution(w["conv2dStride"]["dense"], x, window=(3, 3), stride=2),
    ),
    Case(
        "maxPool",
        "f : R[7,2] -> R[3,2]\nf = maxPool[2]",
        real(7, 2),
        lambda _, x: pooled(x, (2,), jnp.max),
    ),
    Case(
        "meanPool",
        "f : R[7,2] -> R[2,2]\nf = meanPool[3]",
        real(7, 2),
        lambda _, x: pooled(x, (3,), jnp.mean),
    ),
    Case(
        "maxPool2d",
        "f : R[7,5,2] -> R[3,1,2]\nf = maxPool2d[2, 3]",
        real(7, 5, 2),
        lambda _, x: pooled(x, (2, 3), jnp.max),
    ),
    Case(
        "meanPool2d",
        "f : R[7,5,2] -> R[3,1,2]\nf = meanPool2d[2, 3]",
        real(7, 5, 2),
        lambda _, x: pooled(x, (2, 3), jnp.mean),
    ),
    Case(
        "residual",
        "f : R[3] ~> R[3]\nf = residual (dense >> tanh)",
        real(3),
        lambda w, x: x + jnp.tanh(dense(w["dense"], x)),
    ),
    Case("dropout", "f : R[2,3] -> R[2,3]\nf = dropout 0.5", real(2, 3), lambda _, x: x),
    Case(
        "layerNorm",
        "f : R[5] ~> R[5]\nf = layerNorm",
        real(5) + 3,
        lambda w, x: norm(w["layerNorm"], x),
    ),
    Case(
        "rmsNorm",
        "f : R[5] ~> R[5]\nf = rmsNorm",
        real(5) + 3,
        lambda w, x: w["rmsNorm"]["scale"] * x / jnp.sqrt((x**2).mean() + 1e-6),
    ),
    Case(
        "instanceNorm",
        "f : R[7,2] ~> R[7,2]\nf = instanceNorm",
        real(7, 2),
        lambda w, x: (
            w["instanceNorm"]["scale"] * standardize(x, axis=0) + w["instanceNorm"]["shift"]
        ),
    ),
    Case(
        "groupNorm",
        "f : R[3,6] ~> R[3,6]\nf = groupNorm[2]",
        real(3, 6),
        lambda w, x: group_norm(w["groupNorm"], x, 2),
    ),
    # recurrent
    Case(
        "rnnCell",
        "f : [R[2]] ~> R[4]\nf = fold (rnnCell[4] >> fst) zero",
        real(5, 2),
        lambda w, xs: run_cell(rnn_cell, w["rnnCell"], jnp.zeros(4), xs)[-1],
    ),
    Case(
        "rnn",
        "f : R[5,2] ~> R[5,4]\nf = rnn[4]",
        real(5, 2),
        lambda w, xs: run_cell(rnn_cell, w["rnn"]["rnnCell"], jnp.zeros(4), xs),
    ),
    Case(
        "gruCell",
        "f : (R[4], R[2]) ~> (R[4], R[4])\nf = gruCell",
        (real(4), real(2)),
        lambda w, p: gru_cell(w["gruCell"], *p),
    ),
    Case(
        "gru",
        "f : R[5,2] ~> R[5,4]\nf = gru[4]",
        real(5, 2),
        lambda w, xs: run_cell(gru_cell, w["gru"]["gruCell"], jnp.zeros(4), xs),
    ),
    Case(
        "lstmCell",
        "f : ((R[4], R[4]), R[2]) ~> ((R[4], R[4]), R[4])\nf = lstmCell",
        ((real(4), real(4, seed=1)), real(2)),
        lambda w, p: lstm_cell(w["lstmCell"], *p),
    ),
    Case(
        "lstm",
        "f : R[5,2] ~> R[5,4]\nf = lstm[4]",
        real(5, 2),
        lambda w, xs: run_cell(lstm_cell, w["lstm"]["lstmCell"], (jnp.zeros(4), jnp.zeros(4)), xs),
    ),
    # attention
    Case(
        "attention",
        "f : (R[3,4], R[5,4], R[5,2]) -> R[3,2]\nf (q, k, v) = attention q k v",
        (real(3, 4), real(5, 4), real(5, 2)),
        lambda _, p: attention(*p),
    ),
    Case(
        "maskedAttention",
        "f : (R[3,4], R[5,4], R[5,2]) -> R[3,2]\n"
        "f (q, k, v) = maskedAttention (map (\\i -> map (\\j -> j /= 1) iota[5]) iota[3]) q k v",
        (real(3, 4), real(5, 4), real(5, 2)),
        lambda _, p: attention(*p, jnp.arange(5)[None, :] != 1),
    ),
    Case(
        "causalMask",
        "f : R[4,4] -> R[4,4]\nf x = x * map (map toReal) causalMask[4]",
        real(4, 4),
        lambda _, x: jnp.tril(x),
    ),
    Case(
        "causalAttention",
        "f : (R[5,4], R[5,4], R[5,2]) -> R[5,2]\nf (q, k, v) = causalAttention q k v",
        (real(5, 4), real(5, 4, seed=1), real(5, 2)),
        lambda _, p: attention(*p, causal(5)),
    ),
    Case(
        "intoHeads",
        "f : (R[6,4], R[5,4]) -> R[2,5,3]\nf (w, xs) = intoHeads[3] w xs",
        (real(6, 4), real(5, 4)),
        lambda _, p: jnp.stack([p[1] @ p[0][:3].T, p[1] @ p[0][3:].T]),
    ),
    Case(
        "attentionHeads",
        "f : (R[3,4], R[5,2]) ~> R[3,4]\nf (xs, ys) = attentionHeads[2, 3] attention xs ys",
        (real(3, 4), real(5, 2)),
        lambda w, p: multi_head(w["attentionHeads"], *p, heads=2),
    ),
    Case(
        "multiHead",
        "f : R[5,6] ~> R[5,6]\nf = multiHead[3]",
        real(5, 6),
        lambda w, xs: multi_head(w["multiHead"]["attentionHeads"], xs, xs, heads=3),
    ),
    Case(
        "causalMultiHead",
        "f : R[5,6] ~> R[5,6]\nf = causalMultiHead[3]",
        real(5, 6),
        lambda w, xs: multi_head(
            w["causalMultiHead"]["attentionHeads"], xs, xs, heads=3, mask=causal(5)
        ),
    ),
    Case(
        "crossMultiHead",
        "f : (R[5,6], R[4,3]) ~> R[5,6]\nf = crossMultiHead[2]",
        (real(5, 6), real(4, 3)),
        lambda w, p: multi_head(w["crossMultiHead"]["attentionHeads"], *p, heads=2),
    ),
    Case(
        "transformerBlock",
        "f : R[5,6] ~> R[5,6]\nf = transformerBlock[2, 7]",
        real(5, 6),
        lambda w, xs: transformer_block(w["transformerBlock"], xs, 2),
    ),
    Case(
        "causalTransformerBlock",
        "f : R[5,6] ~> R[5,6]\nf = causalTransformerBlock[2, 7]",
        real(5, 6),
        lambda w, xs: transformer_block(w["causalTransformerBlock"], xs, 2, causally=True),
    ),
    Case(
        "sinusoids",
        "f : R[7,6] -> R[7,6]\nf xs = xs * sinusoids[7, 3]",
        real(7, 6),
        lambda _, xs: xs * sinusoids(7, 3),
    ),
    Case(
        "sinusoidalPositions",
        "f : R[7,6] -> R[7,6]\nf = sinusoidalPositions",
        real(7, 6),
        lambda _, xs: xs + sinusoids(7, 3),
    ),
    Case(
        "learnedPositions",
        "f : R[4,3] ~> R[4,3]\nf = learnedPositions[9]",
        real(4, 3),
        lambda w, xs: xs + w["learnedPositions"]["P"][:4],
    ),
    # decoding
    Case(
        "delay",
        "f : (R[2], R[5,2]) -> R[5,2]\nf (x, xs) = delay x xs",
        (real(2), real(5, 2)),
        lambda _, p: jnp.concatenate([p[0][None], p[1][:-1]]),
    ),
    Case(
        "teacherForcing",
        "f : (R[4], R[3], R[5,3]) ~> R[5,4]\nf (z, x, xs) = teacherForcing gruCell[4] z x xs",
        (real(4), real(3), real(5, 3)),
        lambda w, p: run_cell(
            gru_cell, w["gruCell"], p[0], jnp.concatenate([p[1][None], p[2][:-1]])
        ),
    ),
    Case(
        "sequenceLoss",
        f"{STEP}f : (R[3], Fin[4][5]) ~> R\nf (z, ys) = sequenceLoss step[4] z 0 ys",
        (real(3), index(2, 3, 0, 1, 1)),
        lambda w, p: -likelihood(w["step"], p[0], p[1]),
    ),
    Case(
        "absorbing",
        f"{STEP}f : (R[3], Fin[4]) ~> R[4]\n"
        "f (z, y) = softmax (snd (absorbing 2 step[4] (z, 1)))"
        " + softmax (snd (absorbing 2 step[4] (z, 2)))",
        (real(3), index(0)),
        lambda w, p: (
            jax.nn.softmax(generator(w["step"], p[0], 1)[1]) + jnp.array([0.0, 0.0, 1.0, 0.0])
        ),
    ),
    Case(
        "greedy",
        f"{STEP}f : R[3] ~> R[5,4]\nf z = map onehot[4] (greedy[5] step[4] z 0)",
        real(3),
        lambda w, z: jnp.eye(4)[most_likely_steps(w["step"], z, 5)],
    ),
    Case(
        "greedyUntil",
        f"{STEP}f : R[3] ~> R[4]\nf z = sum (map onehot[4] (greedyUntil[9] 3 step[4] z 0))",
        4 * real(3, seed=24),  # which says 0 and then 3
        lambda w, z: counts_until(3, most_likely_steps(w["step"], z, 9)),
    ),
    Case(
        "takeUntil",
        "f : (R[4], Fin[4][5]) -> R[4]\nf (x, ys) = x * sum (map onehot[4] (takeUntil 3 ys))",
        (real(4), index(2, 2, 0, 3, 1)),
        lambda _, p: p[0] * jnp.array([1.0, 0, 2, 0]),
    ),
    Case(
        "beamSearch",
        f"{STEP}f : R[3] ~> (R[3,4], R)[64]\n"
        "f z = map (\\(ys, score) -> (map onehot[4] ys, score)) (beamSearch[64, 3] step[4] z 0)",
        real(3),
        lambda w, z: all_by_likelihood(w["step"], z, 3),
    ),
]


def _deep_mlp(w, x):
    x = jax.nn.relu(dense(w["dense"], x))
    for W, b in zip(w["dense_2"]["W"], w["dense_2"]["b"], strict=True):
        x = jax.nn.relu(dense({"W": W, "b": b}, x))
    return dense(w["dense_3"], x)


# --- laws --------------------------------------------------------------------------------------


def some_weights(function: Any) -> Any:
    """Weights of the right shapes, none at its first value (zeros hide mistakes)."""
    random = np.random.default_rng(1)
    shapes = jax.eval_shape(function.init, jax.random.key(0))
    return jax.tree.map(lambda x: random.normal(size=x.shape) * 0.6 + 0.1, shapes)


def own(weights: Any) -> Any:
    """The weights as the formula names them: those under `f`."""
    return weights.get("f", {})


def moving(example: Any) -> list[Any]:
    """The leaves of an example that have a derivative: no labels."""
    return [leaf for leaf in jax.tree.leaves(example) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def still(example: Any, leaves: list[Any]) -> Any:
    """The example with other leaves in place of the moving ones."""
    rest = iter(leaves)
    everything, tree = jax.tree.flatten(example)
    return jax.tree.unflatten(
        tree,
        [next(rest) if jnp.issubdtype(x.dtype, jnp.floating) else x for x in everything],
    )


def like(value: Any) -> Any:
    """A cotangent for a value: the same for the same shapes."""
    return jax.tree.map(lambda x: jnp.array(np.random.default_rng(9).normal(size=x.shape)), value)


@cache
def answers(case: Case) -> tuple[Any, Any]:
    """Ours and the formula's, each as (value, weight gradient, input gradients); ours
    has the value of `apply` and that of `vjp`."""
    session = nnfp.Session(precision=64, seed=0)
    session.run(case.program)
    function = session["f"]
    weights = some_weights(function)

    def ours(weights: Any, example: Any) -> Any:
        value, pullback = function.vjp(weights, example)
        weight_gradient, gradient = pullback(like(value))
        applied = function.apply(weights, example)
        return (applied, value), own(weight_gradient), jax.tree.leaves(gradient)

    def judge(weights: Any, example: Any) -> Any:
        value, pullback = jax.vjp(
            lambda weights, leaves: case.formula(weights, still(example, leaves)),
            own(weights),
            moving(example),
        )
        weight_gradient, gradient = pullback(like(value))
        return (value, value), weight_gradient, gradient

    return tuple(jax.jit(f)(weights, case.example) for f in (ours, judge))


def assert_close(found: Any, wanted: Any) -> None:
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_definition_computes_its_formula(case: Case) -> None:
    ours, wanted = answers(case)
    assert_close(ours[0], wanted[0])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_its_adjoint_is_that_of_the_formula(case: Case) -> None:
    ours, wanted = answers(case)
    assert_close(ours[1:], wanted[1:])


def test_every_definition_of_the_library_has_a_case() -> None:
    from nnfp_kernel import std
    from nnfp_kernel.language import parser, syntax

    defined = {
        item.name
        for text in std.sources()
        for item in parser.parse(text).program.items
        if isinstance(item, syntax.Definition)
    }
    # What searches has no formula: it is judged by what it finds (test_optimisation.py).
    searching = Path(__file__).with_name("test_optimisation.py").read_text()
    judged = {name for name in defined if re.search(rf"\b{name}\b", searching)}
    assert {case.name for case in CASES} <= defined
    assert defined - {case.name for case in CASES} <= judged


def test_dropout_zeroes_and_scales_while_training() -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run("f : R[4000] -> R[4000]\nf = dropout 0.25")
    x = jnp.ones(4000)
    y = session["f"].apply({}, x, key=jax.random.key(3), train=True)
    assert set(np.unique(np.asarray(y)).round(12)) == {0.0, round(1 / 0.75, 12)}
    # 4,000 coins at 0.25: five standard deviations are 0.034.
    assert abs(float((y == 0).mean()) - 0.25) < 0.035
    other = session["f"].apply({}, x, key=jax.random.key(4), train=True)
    assert not np.array_equal(y, other)
    np.testing.assert_array_equal(session["f"].apply({}, x), x)


def test_divergence_of_a_distribution_with_zeros_is_finite() -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run("f : (R[3], R[3]) -> R\nf (p, q) = klDivergence p q")
    p, q = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.25, 0.5, 0.25])
    value, pullback = session["f"].vjp({}, (p, q))
    np.testing.assert_allclose(value, 0.5 * np.log(2), rtol=1e-12)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(pullback(jnp.array(1.0))))


@pytest.mark.parametrize(
    ("program", "x", "value", "slope"),
    [
        ("f : R -> R\nf = elu", 0.0, 0.0, 1.0),  # smooth there, though written with a kink
        ("f : R -> R\nf = elu", 1000.0, 1000.0, 1.0),  # expm1 of it would overflow
        ("f : R -> R\nf = elu", -1000.0, -1.0, 0.0),
        ("f : R -> R\nf x = binaryCrossEntropy x 1", 1000.0, 0.0, 0.0),
        ("f : R -> R\nf x = binaryCrossEntropy x 1", -1000.0, 1000.0, -1.0),
        ("f : R -> R\nf x = huber 1 x 0", 1.0, 0.5, 1.0),  # both pieces agree
        ("f : R -> R\nf x = standardize [x, x] ! 0", 3.0, 0.0, 0.0),  # a variance of 0
    ],
)
def test_the_hard_points_are_exact(program: str, x: float, value: float, slope: float) -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run(program)
    found, pullback = session["f"].vjp({}, jnp.array(x))
    assert float(found) == value
    assert float(pullback(jnp.array(1.0))[1]) == slope


def test_the_cosine_with_zero_is_zero() -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run("f : (R[3], R[3]) -> R\nf (x, y) = cosineSimilarity x y")
    value, pullback = session["f"].vjp({}, (jnp.zeros(3), jnp.ones(3)))
    assert float(value) == 0.0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(pullback(jnp.array(1.0))))


def test_first_weights_are_those_of_the_papers() -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run("f : R[5,3] ~> R[5,4]\nf = lstm[4] >> map layerNorm")
    weights = session["f"].init(jax.random.key(0))["f"]
    cell = weights["lstm"]["lstmCell"]
    np.testing.assert_array_equal(cell["bf"], np.ones(4))
    np.testing.assert_array_equal(cell["bi"], np.zeros(4))
    np.testing.assert_allclose(cell["Uf"] @ cell["Uf"].T, np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(weights["layerNorm"]["scale"], np.ones(4))
    np.testing.assert_array_equal(weights["layerNorm"]["shift"], np.zeros(4))
