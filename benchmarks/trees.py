"""Random trees through a TreeLSTM: ours beside three ways of doing it in plain JAX.

    python benchmarks/trees.py [--rounds 10] [--trees 256] [--seeds 3] [--batches 50]

256 random binary trees of 20 to 60 leaves, 64 wide (Tai, Socher and Manning 2015), in 32
bits. All see the same trees and weights, and give the same mean loss and gradient, which
is compared first (the per-tree one for a few trees). The three baselines:

    per-tree jit       the recursion unrolled over each tree: compiles for every shape
                       (measured on a few trees, without the compiling)
    padded levels      all trees together, a level at a time, padded to the widest level
    vmapped postorder  every tree a scan over its nodes in postorder, vmapped over trees

Times are wall seconds of one process, alternating, medians with quartiles; packing is in
ours, and told apart. The baselines' schedules are made beforehand and are free.
Then how often ours compiles over many random batches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.exchange import numbers
from nnfp_kernel.runtime.forest import packed

WIDE = 64
PROGRAM = """
data Tree = Leaf R[64] | Node Tree Tree

treeLstm : Tree ~> (R[64], R[64])
treeLstm = cata { Leaf x -> leaf (split[64] (?W @ x + ?a))
                ; Node (hl, cl) (hr, cr) -> node cl cr (split[64] (?L @ hl + ?R @ hr + ?b)) }
  where
    ?W : R[192,64]
    ?L : R[320,64]
    ?R : R[320,64]

leaf gates = (sigmoid (gates ! 1) * tanh c, c)
  where
    c = sigmoid (gates ! 0) * tanh (gates ! 2)

node cl cr gates = (sigmoid (gates ! 1) * tanh c, c)
  where
    c = sigmoid (gates ! 0) * tanh (gates ! 2) + sigmoid (gates ! 3) * cl + sigmoid (gates ! 4) * cr

loss : (Tree, R[64]) ~> R
loss (t, y) = squaredError (fst (treeLstm t)) y
"""


# --- the same in JAX ------------------------------------------------------------------------


def leaf_cell(w: Any, x: Any) -> tuple[Any, Any]:
    i, o, u = jnp.split(x @ w["W"].T + w["a"], 3, -1)
    c = jax.nn.sigmoid(i) * jnp.tanh(u)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def node_cell(w: Any, left: tuple[Any, Any], right: tuple[Any, Any]) -> tuple[Any, Any]:
    (hl, cl), (hr, cr) = left, right
    i, o, u, f, g = jnp.split(hl @ w["L"].T + hr @ w["R"].T + w["b"], 5, -1)
    c = jax.nn.sigmoid(i) * jnp.tanh(u) + jax.nn.sigmoid(f) * cl + jax.nn.sigmoid(g) * cr
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


class Shape:
    """A tree: leaves are numbers, nodes pairs; with its nodes in postorder."""

    def __init__(self, random: numpy.random.Generator, leaves: int) -> None:
        self.leaves = 0
        self.nodes: list[tuple[int, int]] = []  # children: leaf k is k, node k is ~k
        self.heights: list[int] = []
        self.root = self._grow(random, leaves)
        self.x = random.normal(size=(self.leaves, WIDE)).astype(numpy.float32)

    def _grow(self, random: numpy.random.Generator, leaves: int) -> int:
        if leaves == 1:
            self.leaves += 1
            return self.leaves - 1
        k = int(random.integers(1, leaves))
        left, right = self._grow(random, k), self._grow(random, leaves - k)
        self.nodes.append((left, right))
        self.heights.append(1 + max(self._height(left), self._height(right)))
        return ~(len(self.nodes) - 1)

    def _height(self, child: int) -> int:
        return 0 if child >= 0 else self.heights[~child]

    def ours(self, leaf: Callable[..., Any], node: Callable[..., Any]) -> Any:
        made = [leaf(x) for x in self.x]
        inner: list[Any] = []
        for left, right in self.nodes:
            pair = (made[c] if c >= 0 else inner[~c] for c in (left, right))
            inner.append(node(*pair))
        return inner[-1] if inner else made[0]


def unrolled(shape: Shape) -> Callable[[Any, Any, Any], Any]:
    """The loss of one tree, its recursion laid out."""

    def loss(w: Any, x: Any, y: Any) -> Any:
        h, c = leaf_cell(w, x)
        leaves = list(zip(h, c, strict=True))
        inner: list[Any] = []
        for left, right in shape.nodes:
            pair = (leaves[k] if k >= 0 else inner[~k] for k in (left, right))
            inner.append(node_cell(w, *pair))
        return jnp.sum((inner[-1][0] - y) ** 2)

    return loss


def padded_levels(shapes: Sequence[Shape]) -> tuple[Callable[[Any, Any, Any], Any], Any]:
    """One scan over heights; all nodes of a height in one padded row."""
    first = numpy.cumsum([0, *(shape.leaves for shape in shapes)])
    total = int(first[-1])
    deep = max(max(shape.heights) for shape in shapes)
    levels: list[list[tuple[int, int]]] = [[] for _ in range(deep)]
    for t, shape in enumerate(shapes):
        for k, height in enumerate(shape.heights):
            levels[height - 1].append((t, k))
    most = max(map(len, levels))
    where = {
        (t, k): total + d * most + j
        for d, level in enumerate(levels)
        for j, (t, k) in enumerate(level)
    }
    children = numpy.zeros((deep, 2, most), numpy.int32)
    for d, level in enumerate(levels):
        for j, (t, k) in enumerate(level):
            for side, child in enumerate(shapes[t].nodes[k]):
                children[d, side, j] = first[t] + child if child >= 0 else where[t, ~child]
    roots = numpy.array([where[t, ~shape.root] for t, shape in enumerate(shapes)])
    x = jnp.asarray(numpy.concatenate([shape.x for shape in shapes]))

    def loss(w: Any, data: Any, y: Any) -> Any:
        x, children, roots = data
        rows = [jnp.concatenate([a, jnp.zeros((deep * most, WIDE))]) for a in leaf_cell(w, x)]

        def step(rows: Any, given: Any) -> Any:
            d, (left, right) = given
            made = node_cell(w, (rows[0][left], rows[1][left]), (rows[0][right], rows[1][right]))
            start = total + d * most
            return [
                jax.lax.dynamic_update_slice(a, b, (start, 0))
                for a, b in zip(rows, made, strict=True)
            ], None

        rows, _ = jax.lax.scan(step, rows, (jnp.arange(deep), children))
        return jnp.mean(jnp.sum((rows[0][roots] - y) ** 2, -1))

    return loss, (x, jnp.asarray(children), jnp.asarray(roots))


def vmapped_postorder(shapes: Sequence[Shape]) -> tuple[Callable[[Any, Any, Any], Any], Any]:
    """A scan over the nodes of each tree, in postorder, over all trees at once."""
    leaves = max(shape.leaves for shape in shapes)
    steps = leaves - 1
    x = numpy.zeros((len(shapes), leaves, WIDE), numpy.float32)
    children = numpy.zeros((len(shapes), steps, 2), numpy.int32)
    roots = numpy.zeros(len(shapes), numpy.int32)
    for t, shape in enumerate(shapes):
        x[t, : shape.leaves] = shape.x
        for k, pair in enumerate(shape.nodes):
            children[t, k] = [child if child >= 0 else leaves + ~child for child in pair]
        roots[t] = leaves + len(shape.nodes) - 1

    def loss(w: Any, data: Any, y: Any) -> Any:
        def one(x: Any, children: Any, root: Any) -> Any:
            h, c = leaf_cell(w, x)
            rows = jnp.concatenate([jnp.concatenate([h, c], 1), jnp.zeros((steps, 2 * WIDE))])

            def step(rows: Any, given: Any) -> Any:
                k, pair = given
                left, right = rows[pair[0]], rows[pair[1]]
                made = node_cell(w, tuple(jnp.split(left, 2)), tuple(jnp.split(right, 2)))
                row = jnp.concatenate(made)[None]
                return jax.lax.dynamic_update_slice(rows, row, (leaves + k, 0)), None

            rows, _ = jax.lax.scan(step, rows, (jnp.arange(steps), children))
            return rows[root, :WIDE]

        return jnp.mean(jnp.sum((jax.vmap(one)(*data) - y) ** 2, -1))

    return loss, tuple(map(jnp.asarray, (x, children, roots)))


# --- measuring ------------------------------------------------------------------------------


def measured(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - start


def summary(times: Sequence[float], trees: int) -> str:
    low, middle, high = statistics.quantiles(times, n=4)
    return (
        f"{middle * 1e3:8.1f} ms ({low * 1e3:.1f}-{high * 1e3:.1f}) {trees / middle:8.0f} trees/s"
    )


def compare(one: Any, other: Any) -> float:
    """The largest difference, by the size of the second."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(jnp.abs(a - b).max() / (1e-6 + jnp.abs(b).max())) for a, b in pairs)


def shapes_of(seed: int, trees: int) -> list[Shape]:
    random = numpy.random.default_rng(seed)
    return [Shape(random, int(random.integers(20, 61))) for _ in range(trees)]


def one_seed(session: nnfp.Session, seed: int, trees: int, rounds: int) -> None:
    shapes = shapes_of(seed, trees)
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    own = [shape.ours(leaf, node) for shape in shapes]
    y = jnp.asarray(numpy.random.default_rng(seed).normal(size=(trees, WIDE)), jnp.float32)
    loss = session["loss"]
    weights = session.weights
    w = weights["treeLstm"]

    first = measured(lambda: pack(loss, (own, y)))
    forward: dict[str, Callable[[], Any]] = {"ours": lambda: loss.apply_batch(weights, (own, y))}
    both: dict[str, Callable[[], Any]] = {
        "ours": lambda: loss.mean_value_and_grad(weights, (own, y))
    }
    for name, make in (("padded levels", padded_levels), ("vmapped postorder", vmapped_postorder)):
        function, data = make(shapes)
        value, gradient = jax.jit(function), jax.jit(jax.value_and_grad(function))
        forward[name] = lambda value=value, data=data: value(w, data, y)  # type: ignore[misc]
        both[name] = lambda gradient=gradient, data=data: gradient(w, data, y)  # type: ignore[misc]

    value, gradient = both["ours"]()
    for name in list(both)[1:]:
        v, g = both[name]()
        far = compare((value, gradient["treeLstm"]), (v, dict(g)))
        print(f"  {name}: differs from ours by {far:.1e}")
        assert far < 1e-3, "not the same result"

    # Value and gradient of a few trees, against one tree's recursion laid out and compiled.
    few = 4
    some = own[:few], y[:few]
    value, gradient = loss.mean_value_and_grad(weights, some)
    alone = [
        jax.jit(jax.value_and_grad(unrolled(shapes[k])))(w, shapes[k].x, y[k]) for k in range(few)
    ]
    mean = jax.tree.map(lambda *parts: sum(parts) / few, *alone)
    far = compare((value, gradient["treeLstm"]), (mean[0], dict(mean[1])))
    print(f"  per-tree jit: differs from ours by {far:.1e}")
    assert far < 1e-3, "not the same result"

    compiling, running = [], {"forward": [], "both": []}
    for k in range(few):
        function = unrolled(shapes[k])
        for kind, made in (
            ("forward", jax.jit(function)), ("both", jax.jit(jax.value_and_grad(function))),
        ):  # fmt: skip
            compiling.append(measured(lambda made=made, k=k: made(w, shapes[k].x, y[k])))
            running[kind] += [
                measured(lambda made=made, k=k: made(w, shapes[k].x, y[k])) for _ in range(rounds)
            ]

    for kind, runs in (("forward", forward), ("both", both)):
        for run in runs.values():
            run()
        times: dict[str, list[float]] = {name: [] for name in runs}
        packing = []
        for _ in range(rounds):
            for name, run in runs.items():
                times[name].append(measured(run))
            packing.append(measured(lambda: pack(loss, (own, y))))
        print("  forward" if kind == "forward" else "  value and gradient")
        for name, taken in times.items():
            print(f"    {name:20}{summary(taken, trees)}")
        alone = statistics.median(running[kind])
        print(
            f"    {'per-tree jit':20}{alone * trees * 1e3:8.1f} ms {1 / alone:23.0f} trees/s, "
            f"and {statistics.mean(compiling):.1f} s of compiling for each shape"
        )
        best = min([*(statistics.median(t) for n, t in times.items() if n != "ours"),
                    alone * trees])  # fmt: skip
        mine = statistics.median(times["ours"])
        again = statistics.median(packing)
        print(
            f"    ours is {best / mine:.2f} x the best; packing is {100 * again / mine:.0f} % "
            f"of it: {again * 1e3:.1f} ms, {first * 1e3:.0f} at the first sight of these trees"
        )


def pack(loss: Any, batch: Any) -> Any:
    """What ours does in Python and numpy for a batch, before anything runs."""
    declarations = loss.program.declarations
    domain = loss.definition.scheme.type.domain
    whole = packed(domain, batch, declarations, batch=True)
    return list(whole[0].arrays(numbers(loss.program.precision)))


def compilations(session: nnfp.Session, batches: int, trees: int) -> None:
    leaf, node = session.constructor("Leaf"), session.constructor("Node")
    loss = session["loss"]
    y = jnp.zeros((trees, WIDE), jnp.float32)
    first = loss.compilations
    start = time.perf_counter()
    for seed in range(batches):
        own = [shape.ours(leaf, node) for shape in shapes_of(1000 + seed, trees)]
        jax.block_until_ready(loss.mean_value_and_grad(session.weights, (own, y)))
    seconds = time.perf_counter() - start
    print(
        f"{batches} random batches of {trees} new trees: {loss.compilations - first} "
        f"compilations, {seconds:.0f} s in all"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--trees", type=int, default=256)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=50)
    options = parser.parse_args()
    session = nnfp.Session()
    session.run(PROGRAM)
    for seed in range(options.seeds):
        print(f"{options.trees} trees, seed {seed}")
        one_seed(session, seed, options.trees, options.rounds)
    compilations(session, options.batches, options.trees)


if __name__ == "__main__":
    main()
