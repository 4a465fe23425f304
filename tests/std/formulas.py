"""What the library's definitions compute, as formulas in JAX, written by hand from the papers."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


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


def deep_mlp(w, x):
    x = jax.nn.relu(dense(w["dense"], x))
    for W, b in zip(w["dense_2"]["W"], w["dense_2"]["b"], strict=True):
        x = jax.nn.relu(dense({"W": W, "b": b}, x))
    return dense(w["dense_3"], x)
