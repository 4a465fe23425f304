"""The library's definitions, each in a program, with an example and its formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from std.formulas import (
    STEP,
    all_by_likelihood,
    attention,
    causal,
    convolution,
    counts_until,
    cubic,
    deep_mlp,
    dense,
    generator,
    group_norm,
    gru_cell,
    huber,
    likelihood,
    lstm_cell,
    mlp,
    most_likely_steps,
    multi_head,
    norm,
    pooled,
    rnn_cell,
    run_cell,
    sinusoids,
    standardize,
    transformer_block,
)


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
        lambda w, x: deep_mlp(w["deepMlp"], x),
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
