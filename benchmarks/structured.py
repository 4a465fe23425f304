"""What structure is worth: Jacobians, traces, determinants and kernels, ours beside JAX.

    python benchmarks/structured.py [--rounds 40] [--only banded,trace]

Each row is written once in the language, and twice in JAX: as one would write it at
first, with the whole Jacobian, and as an expert would, who knows the structure and puts
it in by hand. Ours alternates with each of them in one process, in an order that turns about,
on the same numbers, in 64 bits; the answers are compared first. Times are CPU seconds of the
process (all threads), medians with quartiles; the ratios are of medians of pairs: how often
ours fits into theirs. The goals are for the ratio to the baseline named in each row.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy
from measuring import alternating, quartiles, ratio

import nnfp_kernel as nnfp

SIZE, RANK, SIDE = 1024, 8, 32


@dataclass(frozen=True)
class Row:
    """One comparison: a definition of the program, its inputs, JAX's ways to the same."""

    name: str
    program: str
    definition: str
    inputs: tuple[Any, ...]
    naive: Callable[..., Any]
    expert: Callable[..., Any]
    goals: Mapping[str, float]  # against "naive" or "expert"
    weighted: bool = False  # JAX's functions take the weights first


def normal(seed: int, *shape: int) -> Any:
    return jnp.asarray(numpy.random.default_rng(seed).normal(size=shape))


# --- a band: a nonlinear stencil -------------------------------------------------------------

BAND = 9

BANDED = f"""
stencil : R[{BAND}] -> R[{SIZE}] -> R[{SIZE}]
stencil c x = window[{BAND}, pad=same] (\\w -> tanh (dot c w) * w ! {BAND // 2}) x

jacobian c x = bands[{BAND // 2},{BAND // 2}] (derivative (stencil c) x)
"""


def stencil(c: Any, x: Any) -> Any:
    w = jnp.pad(x, BAND // 2)
    windows = jnp.stack([w[k : k + SIZE] for k in range(BAND)])
    return jnp.tanh(c @ windows) * x


def bands_of_dense(c: Any, x: Any) -> Any:
    dense = jnp.pad(jax.jacfwd(stencil, 1)(c, x), ((0, 0), (BAND // 2, BAND // 2)))
    rows = jnp.arange(SIZE)
    return jnp.stack([dense[rows, rows + k] for k in range(BAND)], axis=1)


def bands_of_colours(c: Any, x: Any) -> Any:
    """As many Jacobian-vector products as diagonals, each of columns that do not meet."""
    seeds = (jnp.arange(SIZE) % BAND == jnp.arange(BAND)[:, None]).astype(x.dtype)
    images = jax.vmap(lambda v: jax.jvp(lambda y: stencil(c, y), (x,), (v,))[1])(seeds)
    rows = jnp.arange(SIZE)[:, None]
    columns = rows + jnp.arange(-(BAND // 2), BAND // 2 + 1)
    inside = (columns >= 0) & (columns < SIZE)
    return jnp.where(inside, images[columns % BAND, rows], 0.0)


# --- a diagonal and a term of low rank -------------------------------------------------------

THIN = f"""
layer : (R[{SIZE},{RANK}], R[{RANK},{SIZE}], R[{SIZE}]) -> R[{SIZE}]
layer (u, v, x) = 3 * x + tanh x + u @ tanh (v @ x)

traced u v x = trace (derivative (\\y -> layer (u, v, y)) x)
determined u v x = logdet (derivative (\\y -> layer (u, v, y)) x)
"""


def layer(u: Any, v: Any, x: Any) -> Any:
    return 3 * x + jnp.tanh(x) + u @ jnp.tanh(v @ x)


def _thin_parts(v: Any, x: Any) -> tuple[Any, Any]:
    return 4 - jnp.tanh(x) ** 2, 1 - jnp.tanh(v @ x) ** 2


def trace_by_hand(u: Any, v: Any, x: Any) -> Any:
    diagonal, inner = _thin_parts(v, x)
    return jnp.sum(diagonal) + jnp.sum(inner * jnp.einsum("ik,ki->k", u, v))


def logdet_by_hand(u: Any, v: Any, x: Any) -> Any:
    diagonal, inner = _thin_parts(v, x)
    small = jnp.eye(RANK) + (inner[:, None] * v / diagonal) @ u
    return jnp.sum(jnp.log(jnp.abs(diagonal))) + jnp.linalg.slogdet(small)[1]


def dense_thin(u: Any, v: Any, x: Any) -> Any:
    return jax.jacfwd(lambda y: layer(u, v, y))(x)


# --- a Kronecker product ---------------------------------------------------------------------

KRONECKER = f"""
both : R[{SIDE},{SIDE}] -> R[{SIDE},{SIDE}] -> R[{SIDE},{SIDE}] -> R
both a b x = logdet (derivative (\\y -> a @ y @ b) x)
"""


def dense_kronecker(a: Any, b: Any, x: Any) -> Any:
    jacobian = jax.jacfwd(lambda y: a @ y @ b)(x).reshape(SIZE, SIZE)
    return jnp.linalg.slogdet(jacobian)[1]


def kronecker_by_hand(a: Any, b: Any, x: Any) -> Any:
    return SIDE * (jnp.linalg.slogdet(a)[1] + jnp.linalg.slogdet(b)[1])


# --- the neural tangent kernel ---------------------------------------------------------------

EXAMPLES, WIDE = 64, 128

KERNEL = f"""
net : R[{WIDE}] ~> R
net = dense[{WIDE}] >> tanh >> dense[{WIDE}] >> tanh >> dense[1] >> sum

kernel : R[{EXAMPLES},{WIDE}] -> R[{EXAMPLES},{EXAMPLES}]
kernel xs = map (\\g -> map (\\h -> dot g h) gs) gs
  where gs = map (\\x -> grad (\\w -> open net (w, x)) (weights net)) xs
"""


def net(weights: Any, x: Any) -> Any:
    own = weights["net"]
    h = jnp.tanh(own["dense"]["W"] @ x + own["dense"]["b"])
    h = jnp.tanh(own["dense_2"]["W"] @ h + own["dense_2"]["b"])
    return jnp.sum(own["dense_3"]["W"] @ h + own["dense_3"]["b"])


def kernel_by_jacobian(weights: Any, xs: Any) -> Any:
    """All gradients, one row each, times themselves."""
    rows = jax.vmap(jax.grad(net), (None, 0))(weights, xs)
    flat = jnp.concatenate([leaf.reshape(EXAMPLES, -1) for leaf in jax.tree.leaves(rows)], axis=1)
    return flat @ flat.T


def kernel_by_products(weights: Any, xs: Any) -> Any:
    """NTK-vector products: of each unit vector, pulled back and pushed forward."""
    batch = lambda w: jax.vmap(net, (None, 0))(w, xs)  # noqa: E731

    def product(v: Any) -> Any:
        (pulled,) = jax.vjp(batch, weights)[1](v)
        return jax.jvp(batch, (weights,), (pulled,))[1]

    return jax.vmap(product)(jnp.eye(EXAMPLES))


# --- the Laplacian ---------------------------------------------------------------------------

NARROW, BROAD = 64, 256

LAPLACIAN = f"""
potential : (R[{BROAD},{NARROW}], R[{BROAD},{BROAD}], R[{NARROW}]) -> R
potential (a, b, x) = sum (tanh (b @ tanh (a @ x)))

curved a b x = laplacian (\\y -> potential (a, b, y)) x
structured a b x = trace (hessian (\\y -> potential (a, b, y)) x)
"""


def potential(a: Any, b: Any, x: Any) -> Any:
    return jnp.sum(jnp.tanh(b @ jnp.tanh(a @ x)))


def trace_of_hessian(a: Any, b: Any, x: Any) -> Any:
    return jnp.trace(jax.hessian(lambda y: potential(a, b, y))(x))


def second_derivatives(a: Any, b: Any, x: Any) -> Any:
    """Along each axis the second derivative, forward over forward."""

    def along(v: Any) -> Any:
        first = lambda y: jax.jvp(lambda z: potential(a, b, z), (y,), (v,))[1]  # noqa: E731
        return jax.jvp(first, (x,), (v,))[1]

    return jnp.sum(jax.vmap(along)(jnp.eye(NARROW)))


def rows() -> list[Row]:
    x = normal(0, SIZE)
    thin = 0.1 * normal(1, SIZE, RANK), 0.1 * normal(2, RANK, SIZE), x
    two = normal(3, SIDE, SIDE), normal(4, SIDE, SIDE), normal(5, SIDE, SIDE)
    curved = normal(6, BROAD, NARROW) / 8, normal(7, BROAD, BROAD) / 16, normal(8, NARROW)
    return [
        Row("banded Jacobian", BANDED, "jacobian", (normal(10, BAND), x), bands_of_dense,
            bands_of_colours, {"expert": 2.5}),
        Row("trace, diagonal + low rank", THIN, "traced", thin,
            lambda u, v, x: jnp.trace(dense_thin(u, v, x)), trace_by_hand, {"naive": 40.0}),
        Row("logdet, diagonal + low rank", THIN, "determined", thin,
            lambda u, v, x: jnp.linalg.slogdet(dense_thin(u, v, x))[1], logdet_by_hand,
            {"naive": 40.0}),
        Row("logdet, Kronecker", KRONECKER, "both", two, dense_kronecker, kronecker_by_hand,
            {"naive": 70.0}),
        Row("NTK", KERNEL, "kernel", (normal(9, EXAMPLES, WIDE),), kernel_by_products,
            kernel_by_jacobian, {"naive": 12.0}, weighted=True),
        Row("Laplacian, forward", LAPLACIAN, "curved", curved,
            trace_of_hessian, second_derivatives, {"naive": 1.8}),
        Row("Laplacian, trace (hessian)", LAPLACIAN, "structured", curved,
            trace_of_hessian, second_derivatives, {"naive": 1.8}),
    ]  # fmt: skip


# --- measuring -------------------------------------------------------------------------------


def compare(row: Row, rounds: int) -> None:
    session = nnfp.Session(precision=64, seed=0)
    session.run(row.program)
    function = session[row.definition]
    weights = session.weights
    given = tuple(row.inputs)
    own = jax.jit(lambda w, *inputs: function.apply(w, *inputs))
    theirs = {
        name: jax.jit(baseline) for name, baseline in (("naive", row.naive), ("expert", row.expert))
    }
    before = (weights,) if row.weighted else ()
    calls: dict[str, Callable[[], Any]] = {"ours": lambda: own(weights, *given)}
    for name, compiled in theirs.items():
        calls[name] = lambda compiled=compiled: compiled(*before, *given)  # type: ignore[misc]
    answers = {name: numpy.asarray(call()) for name, call in calls.items()}
    scale = numpy.abs(answers["naive"]).max()
    worst = max(float(numpy.abs(a - answers["naive"]).max() / scale) for a in answers.values())
    if not worst < 1e-9:
        raise SystemExit(f"{row.name}: the answers differ by {worst:.1e}")
    for name in theirs:  # in pairs, so that neither leaves the caches cold for the other
        mine, other = alternating([calls["ours"], calls[name]], rounds, 0.01)
        low, middle, high = ratio(other, mine)
        goal = row.goals.get(name)
        said = "" if goal is None else f"   goal {goal}: {'met' if middle >= goal else 'missed'}"
        here, there = (quartiles(times)[1] * 1e3 for times in (mine, other))
        print(
            f"{row.name if name == 'naive' else '':28}"
            f"  ours {here:8.3f} ms  {name:6} {there:9.3f} ms"
            f"  {name} / ours {middle:8.2f} ({low:.2f} to {high:.2f}){said}"
        )
    print(f"{'':28}  answers differ by {worst:.1e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    chosen = [word for word in arguments.only.split(",") if word]
    nnfp.Session(precision=64)  # 64 bits, for JAX's arrays too
    for row in rows():
        if not chosen or any(word in row.name for word in chosen):
            compare(row, arguments.rounds)


if __name__ == "__main__":
    main()
