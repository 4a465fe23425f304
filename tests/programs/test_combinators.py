"""Every combinator against a loop written by hand, and its gradient against two judges:
`jax.vjp` of the lowered program, and finite differences. Lengths 0 and 1 among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy
import pytest

from nnfp_kernel import Session

Array = numpy.ndarray


def array(*shape: int, seed: int = 0) -> Array:
    return numpy.random.default_rng([seed, *shape]).normal(size=shape)


def function(program: str, name: str = "f") -> Any:
    session = Session(precision=64, seed=3)
    session.run(program)
    return session[name]


def fold(step: Callable[..., Any], state: Any, xs: Any) -> tuple[Any, list[Any]]:
    states = []
    for x in xs:
        state = step(state, x)
        states.append(state)
    return state, states


def cell(h: Array, x: Array) -> Array:
    return numpy.tanh(0.5 * h + x * h + x)


CELL = "cell (h, x) = tanh (0.5 * h + x * h + x)\n"


def windows(xs: Array, k: int, stride: int = 1, dilation: int = 1) -> list[Array]:
    reach = (k - 1) * dilation + 1
    return [xs[i : i + reach : dilation] for i in range(0, len(xs) - reach + 1, stride)]


def padded(xs: Array, k: int, stride: int, dilation: int) -> Array:
    reach, n = (k - 1) * dilation + 1, len(xs)
    total = max((-(-n // stride) - 1) * stride + reach - n, 0)
    return numpy.pad(xs, [(total // 2, total - total // 2)] + [(0, 0)] * (xs.ndim - 1))


SEQUENCES = {
    "map": ("f : R[n,2] -> R[n]\nf = map (\\x -> sum (sin x))",
            lambda xs: numpy.array([numpy.sin(x).sum() for x in xs]).reshape(len(xs))),
    "zipWith": ("f : R[n,2] -> R[n,2]\nf xs = zipWith (\\(a, b) -> a * cos b) (xs, reverse xs)",
                lambda xs: xs * numpy.cos(xs[::-1])),
    "zip": ("f : R[n,2] -> R[n,2]\nf xs = map (\\(a, b) -> a / (2 + b * b)) (zip (xs, reverse xs))",
            lambda xs: xs / (2 + xs[::-1] ** 2)),
    "unzip": ("f : R[n,2] -> R[n,2]\nf xs = let (a, b) = unzip (map (\\x -> (sin x, x)) xs) in a * b",
              lambda xs: numpy.sin(xs) * xs),
    "fold": (CELL + "f : R[n,2] -> R[2]\nf = fold cell zero",
             lambda xs: fold(cell, numpy.zeros(2), xs)[0]),
    "foldRight": (CELL + "f : R[n,2] -> R[2]\nf = foldRight cell zero",
                  lambda xs: fold(cell, numpy.zeros(2), xs[::-1])[0]),
    "scan": (CELL + "f : R[n,2] -> R[n,2]\nf = scan cell zero",
             lambda xs: numpy.reshape(fold(cell, numpy.zeros(2), xs)[1], xs.shape)),
    "mapAccum": (CELL + "f : R[n,2] -> R[n,2]\nf xs = snd (mapAccum (\\(h, x) -> (cell (h, x), h * x)) zero xs)",
                 lambda xs: numpy.array([h * x for h, x in zip(
                     [numpy.zeros(2), *fold(cell, numpy.zeros(2), xs)[1]], xs, strict=False)]
                 ).reshape(xs.shape)),
    "mapAccumRight": (CELL + "f : R[n,2] -> R[n,2]\nf xs = snd (mapAccumRight (\\(h, x) -> (cell (h, x), h * x)) zero xs)",
                      lambda xs: numpy.array([h * x for h, x in zip(
                          [numpy.zeros(2), *fold(cell, numpy.zeros(2), xs[::-1])[1]], xs[::-1],
                          strict=False)][::-1]).reshape(xs.shape)),
    "bidirectional": (CELL + "run (h, x) = let s = cell (h, x) in (s, s)\n"
                      "f : R[n,2] -> R[n,4]\n"
                      "f = bidirectional run run zero zero >> map (\\(a, b) -> a ++ b)",
                      lambda xs: numpy.concatenate([
                          numpy.reshape(fold(cell, numpy.zeros(2), xs)[1], xs.shape),
                          numpy.reshape(fold(cell, numpy.zeros(2), xs[::-1])[1], xs.shape)[::-1],
                      ], axis=1)),
    "if": ("f : R[n,2] -> R[n]\nf = map (\\x -> if sum x > 0 then sum (sin x) else product x)",
           lambda xs: numpy.array([numpy.sin(x).sum() if x.sum() > 0 else x.prod() for x in xs]
                                  ).reshape(len(xs))),
    "case": ("data Side = Left R | Right R R\n"
             "side x = if sum x > 0 then Left (sum x) else Right (x ! 0) (x ! 1)\n"
             "f : R[n,2] -> R[n]\n"
             "f = map (side >> (\\s -> case s of { Left a -> sin a ; Right a b -> a * b }))",
             lambda xs: numpy.array([numpy.sin(x.sum()) if x.sum() > 0 else x.prod() for x in xs]
                                    ).reshape(len(xs))),
}  # fmt: skip


@pytest.mark.parametrize("length", [0, 1, 5])
@pytest.mark.parametrize("name", SEQUENCES)
def test_a_combinator_is_the_loop_it_stands_for(name: str, length: int) -> None:
    program, by_hand = SEQUENCES[name]
    judged(function(program), array(length, 2), by_hand)


@pytest.mark.parametrize("n", [3, 4, 7, 8])
@pytest.mark.parametrize(
    ("k", "stride", "dilation"), [(1, 1, 1), (2, 1, 1), (3, 1, 1), (3, 2, 1), (2, 3, 1), (2, 1, 2)]
)
@pytest.mark.parametrize("inner", ["linear", "other"])
def test_a_window_map_is_its_function_at_every_window(
    n: int, k: int, stride: int, dilation: int, inner: str
) -> None:
    body, by_hand = {
        "linear": ("\\w -> [sum (2 * flatten w), (w ! 0) ! 1]",
                   lambda w: numpy.array([2 * w.sum(), w[0, 1]])),
        "other": ("\\w -> tanh (sum w) * (w ! 0)", lambda w: numpy.tanh(w.sum(0)) * w[0]),
    }[inner]  # fmt: skip
    options = f"{k}, stride={stride}, dilation={dilation}"
    xs = array(n, 2)
    judged(
        function(f"f = (\\xs -> (xs : R[{n},2])) >> window[{options}] ({body})"),
        xs,
        lambda xs: numpy.array([by_hand(w) for w in windows(xs, k, stride, dilation)]),
    )  # fmt: skip


@pytest.mark.parametrize(("k", "stride"), [(2, 1), (3, 1), (3, 2), (4, 3)])
def test_padding_keeps_as_many_positions_as_there_are_strides(k: int, stride: int) -> None:
    xs = array(7, 2)
    judged(
        function(f"f : R[7,2] -> R[{-(-7 // stride)},2]\n"
                 f"f = window[{k}, stride={stride}, pad=same] sum"),
        xs,
        lambda xs: numpy.array(
            [w.sum(0) for w in windows(padded(xs, k, stride, 1), k, stride)]
        ),
    )  # fmt: skip
    both = numpy.pad(xs, [(2, 2), (0, 0)])
    found = function(f"f = (\\xs -> (xs : R[7,2])) >> window[{k}, pad=2] sum")
    judged(found, xs, lambda _: numpy.array([w.sum(0) for w in windows(both, k)]), slope=False)


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2), (1, 3)])
def test_windows_over_two_axes_are_windows_over_one_and_then_the_other(
    sizes: tuple[int, int],
) -> None:
    h, w = sizes
    xs = array(5, 4, 2)

    def by_hand(xs: Array) -> Array:
        return numpy.array(
            [[numpy.tanh(xs[i : i + h, j : j + w]).sum((0, 1)) for j in range(4 - w + 1)]
             for i in range(5 - h + 1)]
        )  # fmt: skip

    judged(
        function(f"f = (\\xs -> (xs : R[5,4,2])) >> window[{h},{w}] (tanh >> concat >> sum)"),
        xs, by_hand,
    )  # fmt: skip


def test_windows_over_three_axes() -> None:
    def by_hand(xs: Array) -> Array:
        return numpy.array([[[(xs[i:i + 2, j:j + 2, k:k + 3] ** 2).sum()
                              for k in range(2)] for j in range(2)] for i in range(2)])  # fmt: skip

    program = "f : R[3,3,4] -> R[2,2,2]\nf = window[2,2,3] (flatten >> square >> sum)"
    judged(function(program), array(3, 3, 4), by_hand)


@pytest.mark.parametrize("n", [4, 5, 7])
def test_a_pool_drops_what_is_left_over(n: int) -> None:
    xs = array(n, 2)
    judged(
        function(f"f = (\\xs -> (xs : R[{n},2])) >> pool[2] maximum"), xs,
        lambda xs: numpy.array([xs[i : i + 2].max(0) for i in range(0, n - 1, 2)]),
    )  # fmt: skip
    judged(
        function("f : R[5,4] -> R[2,2]\nf = pool[2,2] (flatten >> maximum)"), array(5, 4),
        lambda xs: xs[:4].reshape(2, 2, 2, 2).max((1, 3)),
    )  # fmt: skip


def test_an_unfold_grows_from_its_seed() -> None:
    def by_hand(s: Array) -> Array:
        out = []
        for _ in range(4):
            out.append(numpy.sin(s) * s[0])
            s = numpy.tanh(1.5 * s)
        return numpy.array(out)

    program = "f : R[3] -> R[4,3]\nf = unfold[4] (\\s -> (tanh (1.5 * s), sin s * (s ! 0)))"
    judged(function(program), array(3), by_hand)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_iterate_applies_one_function_and_stack_as_many_as_there_are_layers(n: int) -> None:
    def by_hand(x: Array) -> Array:
        for _ in range(n):
            x = numpy.sin(x) + 0.3 * x
        return x

    judged(
        function(f"f : R[2] -> R[2]\nf = iterate[{n}] (\\x -> sin x + 0.3 * x)"), array(2), by_hand
    )
    stacked = function(f"layer : R[2] ~> R[2]\nlayer x = tanh (?W @ x + ?b)\nf = stack[{n}] layer")
    weights = jax.tree.map(numpy.asarray, stacked.init(jax.random.key(0)))

    def layers(x: Array) -> Array:
        for k in range(n):
            x = numpy.tanh(weights["f"]["layer"]["W"][k] @ x + weights["f"]["layer"]["b"][k])
        return x

    judged(stacked, array(2), layers, weights=weights)


def judged(
    f: Any, xs: Array, by_hand: Callable[[Array], Array], *, weights: Any = None, slope: bool = True
) -> None:
    """The value is the loop's; the gradient is jax's and the finite difference's."""
    weights = {} if weights is None else weights
    value, pullback = f.vjp(weights, xs)
    numpy.testing.assert_allclose(value, by_hand(xs), rtol=1e-12, atol=1e-12)
    cotangent = array(*value.shape, seed=9)
    weight_gradient, gradient = pullback(cotangent)
    judge = jax.vjp(f.apply, weights, xs)[1](cotangent)
    for ours, theirs in zip(
        jax.tree.leaves((weight_gradient, gradient)), jax.tree.leaves(judge), strict=True
    ):
        numpy.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)
    if slope and xs.size:
        direction, step = array(*xs.shape, seed=5), 1e-6
        ahead, behind = by_hand(xs + step * direction), by_hand(xs - step * direction)
        slope_found = numpy.sum(cotangent * (ahead - behind)) / (2 * step)
        numpy.testing.assert_allclose(
            slope_found, numpy.sum(gradient * direction), rtol=1e-5, atol=1e-7
        )
