"""The same problems in plain JAX, as an expert writes them: the baseline of `compare.py`.

    python benchmarks/gradbench/plain_jax.py

speaks GradBench's protocol too. Derivatives are JAX's own. Of `saddle` there are the modes
whose outer derivative is forward: `lax.while_loop` has no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from jax import lax
from protocol import serve

Array = Any
jax.config.update("jax_enable_x64", True)


# --- hello, lse, llsq ------------------------------------------------------------------------


def square(x: Array) -> Array:
    return x * x


def lse(x: Array) -> Array:
    top = lax.stop_gradient(jnp.max(x))
    return top + jnp.log(jnp.sum(jnp.exp(x - top)))


def llsq(n: int, x: Array) -> Array:
    t = jnp.linspace(-1, 1, n)
    misfit = jnp.sign(t) - jnp.vander(t, x.shape[0], increasing=True) @ x
    return 0.5 * misfit @ misfit


# --- gmm -------------------------------------------------------------------------------------


def gmm(xs: Array, m: Array, gamma: Array, weights: tuple[Array, ...]) -> Array:
    """As GradBench's own tool on JAX has it: the diagonal of a root beside what is below."""
    _, mu, q, l = weights  # noqa: E741
    centred = xs[:, None] - mu
    z = jnp.exp(q) * centred + jnp.einsum("kij,nkj->nki", below_diagonal(l, q), centred)
    return posterior(z, m, gamma, weights)


def gmm_of_roots(xs: Array, m: Array, gamma: Array, weights: tuple[Array, ...]) -> Array:
    """The same, the diagonal put into the root: one product."""
    _, mu, q, l = weights  # noqa: E741
    roots = below_diagonal(l, q) + jax.vmap(jnp.diag)(jnp.exp(q))
    z = jnp.einsum("kij,nkj->nki", roots, xs[:, None] - mu)
    return posterior(z, m, gamma, weights)


def below_diagonal(l: Array, q: Array) -> Array:  # noqa: E741
    k, d = q.shape
    columns, rows = numpy.triu_indices(d, 1)  # column by column below the diagonal
    return jnp.zeros((k, d, d)).at[:, rows, columns].set(l)


def posterior(z: Array, m: Array, gamma: Array, weights: tuple[Array, ...]) -> Array:
    """Of points as each component sees them, n by k by d."""
    alpha, _, q, l = weights  # noqa: E741
    n, k, d = z.shape
    scores = alpha + jnp.sum(q, -1) - 0.5 * jnp.sum(z * z, -1)
    nu = d + m + 1
    constant = nu * d * jnp.log(gamma / jnp.sqrt(2)) - jax.scipy.special.multigammaln(nu / 2, d)
    squares = jnp.sum(jnp.exp(q) ** 2) + jnp.sum(l * l)
    return (
        jnp.sum(jax.nn.logsumexp(scores, axis=-1))
        - n * (d / 2 * jnp.log(2 * jnp.pi) + jax.nn.logsumexp(alpha))
        + k * constant
        - 0.5 * gamma**2 * squares
        + m * jnp.sum(q)
    )


# --- kmeans ----------------------------------------------------------------------------------


def kmeans(points: Array, centroids: Array) -> Array:
    distances = jnp.sum((points[:, None] - centroids) ** 2, axis=-1)
    return jnp.sum(jnp.min(distances, axis=-1))


def kmeans_direction(points: Array, centroids: Array) -> Array:
    gradient = jax.grad(lambda c: kmeans(points, c))
    value, diagonal = jax.jvp(gradient, (centroids,), (jnp.ones_like(centroids),))
    return value / diagonal


# --- ode -------------------------------------------------------------------------------------


def ode(steps: int, x: Array) -> Array:
    h = 2 / steps

    def slope(y: Array) -> Array:
        return x * jnp.concatenate([jnp.ones(1), y[:-1]])

    def step(y: Array, _: None) -> tuple[Array, None]:
        a = slope(y)
        b = slope(y + h / 2 * a)
        c = slope(y + h / 2 * b)
        d = slope(y + h * c)
        return y + h / 6 * (a + 2 * b + 2 * c + d), None

    return lax.scan(step, jnp.zeros_like(x), length=steps)[0]


# --- ba --------------------------------------------------------------------------------------


def rotate(r: Array, x: Array) -> Array:
    square = r @ r
    turned = square > 0
    angle = jnp.sqrt(jnp.where(turned, square, 1.0))
    axis = r / angle
    rotated = (
        jnp.cos(angle) * x
        + jnp.sin(angle) * jnp.cross(axis, x)
        + (1 - jnp.cos(angle)) * (axis @ x) * axis
    )
    return jnp.where(turned, rotated, x + jnp.cross(r, x))


def reprojection(seen: Array, camera: Array, x: Array, w: Array) -> Array:
    y = rotate(camera[:3], x - camera[3:6])
    q = y[:2] / y[2]
    rho = q @ q
    distortion = 1 + camera[9] * rho + camera[10] * rho**2
    return w * (camera[6] * distortion * q + camera[7:9] - seen)


def ba(cameras: Array, points: Array, weights: Array, seen: Array, which: Any) -> Any:
    errors = jax.vmap(reprojection)(seen, cameras[which[0]], points[which[1]], weights)
    return errors, 1 - weights**2


def ba_jacobian(cameras: Array, points: Array, weights: Array, seen: Array, which: Any) -> Any:
    """Two reverse passes an observation, for two rows of fifteen."""
    (n, _), (m, _), p = cameras.shape, points.shape, weights.shape[0]
    block = jax.vmap(jax.jacrev(reprojection, argnums=(1, 2, 3)))
    c, x, w = block(seen, cameras[which[0]], points[which[1]], weights)
    blocks = jnp.concatenate([c, x, w[:, :, None]], axis=2)
    own = 11 * n + 3 * m + jnp.arange(p)
    columns = jnp.concatenate(
        [11 * which[0][:, None] + jnp.arange(11), 11 * n + 3 * which[1][:, None] + jnp.arange(3),
         own[:, None]], axis=1,
    )  # fmt: skip
    return (
        jnp.concatenate([15 * jnp.arange(2 * p), 30 * p + jnp.arange(p + 1)]),
        jnp.concatenate([jnp.repeat(columns[:, None], 2, axis=1).ravel(), own]),
        jnp.concatenate([blocks.ravel(), -2 * weights]),
    )


# --- saddle ----------------------------------------------------------------------------------


def descend(gradient: Any, f: Callable[[Array], Array], start: Array) -> Array:
    slope = gradient(f)

    def going(state: Any) -> Array:
        _, _, g, _, _, moving = state
        return moving & (g @ g > 1e-10)

    def step(state: Any) -> Any:
        x, fx, g, eta, lowered, _ = state
        after = x - eta * g
        moved = after - x

        def grow() -> Any:
            return x, fx, g, 2 * eta, 0, True

        def stop() -> Any:
            return x, fx, g, eta, lowered, False

        def attempt() -> Any:
            value = f(after)
            return lax.cond(
                value < fx,
                lambda: (after, value, slope(after), eta, lowered + 1, True),
                lambda: (x, fx, g, eta / 2, 0, True),
            )

        return lax.cond(
            lowered == 10, grow, lambda: lax.cond(moved @ moved <= 1e-10, stop, attempt)
        )

    return lax.while_loop(going, step, (start, f(start), slope(start), 1e-5, 0, True))[0]


def saddle(outer: Any, inner: Any) -> Callable[[Array], Array]:
    def payoff(x: Array, y: Array) -> Array:
        return x @ x - y @ y

    def both(start: Array) -> Array:
        def highest(x: Array) -> Array:
            return descend(inner, lambda y: -payoff(x, y), start)

        x = descend(outer, lambda x: payoff(x, highest(x)), start)
        return jnp.concatenate([x, highest(x)])

    return both


# --- all -------------------------------------------------------------------------------------


def last_of_ode(steps: int, x: Array) -> Array:
    return ode(steps, x)[-1]


PLAIN: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("hello", "square"): square,
    ("hello", "double"): jax.grad(square),
    ("lse", "primal"): lse,
    ("lse", "gradient"): jax.grad(lse),
    ("gmm", "objective"): gmm,
    ("gmm", "jacobian"): jax.grad(gmm, argnums=3),
    ("kmeans", "cost"): kmeans,
    ("kmeans", "dir"): kmeans_direction,
    ("ba", "objective"): ba,
    ("ba", "jacobian"): ba_jacobian,
    ("saddle", "ff"): saddle(jax.jacfwd, jax.jacfwd),
    ("saddle", "fr"): saddle(jax.jacfwd, jax.grad),
}
# What an expert writes where PLAIN has GradBench's own form.
EXPERT: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("gmm", "objective"): gmm_of_roots,
    ("gmm", "jacobian"): jax.grad(gmm_of_roots, argnums=3),
}
SIZED: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("llsq", "primal"): llsq,
    ("llsq", "gradient"): jax.grad(llsq, argnums=1),
    ("ode", "primal"): ode,
    ("ode", "gradient"): jax.grad(last_of_ode, argnums=1),
}


def function(module: str, name: str, size: int | None = None) -> Callable[..., Any]:
    """A function of a problem, compiled; `size` is what no array tells it."""
    if size is None:
        return jax.jit(PLAIN[module, name])
    found = SIZED[module, name]
    return jax.jit(lambda *arrays: found(size, *arrays))


if __name__ == "__main__":
    serve("plain JAX", function)
