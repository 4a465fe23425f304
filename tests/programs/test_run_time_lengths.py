"""Sequences whose length is known only at run time, against the same program on an array
of that length: every combinator and every name that takes a sequence, values and
gradients, with lengths 0 and 1 among them."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest

from nnfp_kernel import NnfpError, Session

GROW = """grow : R -> [R]
grow = unfoldWhile[6] (\\s -> (1.5 * s, sin s + s, s < 9))

longer : [R] -> [R]
longer xs = if length xs > 2 then reverse xs else xs ++ [5]

"""

# Bodies that take any length; those that are errors of nothing; windows want three.
ANY = {
    "map": "map (\\x -> x * sin x) xs",
    "zip": "map (\\(a, b) -> a / (2 + b * b)) (zip (xs, reverse xs))",
    "zipWith": "zipWith (*) (xs, map square xs)",
    "fold": "fold (\\(s, x) -> 0.5 * s + cos x) 1 xs",
    "foldRight": "foldRight (\\(s, x) -> sqrt (1 + square s) + 0.1 * x) 0 xs",
    "scan": "scan (\\(s, x) -> s * 0.5 + x) 1 xs",
    "scan, folded again": "fold (+) 0 (map log (scan (\\(s, x) -> s + x) 0 xs))",
    "mapAccum": "mapAccum (\\(s, x) -> (s + x, s * x)) 1 xs",
    "mapAccumRight": "mapAccumRight (\\(s, x) -> (s + x, s * x)) 1 xs",
    "bidirectional": "map (\\(a, b) -> a * b) (bidirectional"
    " (\\(s, x) -> (s + x, s)) (\\(s, x) -> (s * 0.5 + x, s)) 0 1 xs)",
    "nested map": "map (\\x -> sum (map (\\y -> sin (x * y)) xs)) xs",
    "a state beside": "fold (\\((s, t), x) -> (s + t, t * 0.5 + x)) (0, 1) xs",
    "sum": "sum (square xs)",
    "product": "product xs",
    "logsumexp": "logsumexp (xs ++ [1, 2])",
    "softmax": "softmax xs",
    "norm": "norm xs",
    "dot": "dot xs (reverse xs)",
    "append": "xs ++ [1, 2] ++ reverse xs",
    "reverse": "reverse xs",
    "shift": "shift[1] xs",
    "length": "toReal (length xs) * xs",
    "arithmetic": "(xs + 1) * xs / (2 + xs ^ 2) - max xs 3",
    "comparison": "select (xs > 4) xs (negate xs)",
    "window, same": "window[3, pad=same] (\\w -> sum w * head w) xs",
    "window, zeros": "window[3, pad=2, stride=2] sum xs",
    "window, same, stride": "window[3, pad=same, stride=2] (\\w -> sum w * head w) xs",
    "window, same, a stride as long": "window[4, pad=same, stride=4] (map sin >> last) xs",
    "window, same, a longer stride": "window[2, pad=same, stride=3, dilation=2] product xs",
    "concat": "concat (map (\\x -> [x, sin x]) xs)",
    "concat of so many": "scan (\\(s, x) -> s * 0.5 + x) 1 (concat [xs, reverse xs])",
    "concat of all with all": "concat (map (\\x -> map (\\y -> sin (x - y)) xs) xs)",
    "concat of pairs": "map (\\(a, b) -> a * b) (concat (map (\\x -> zip (xs, x * xs)) xs))",
    "split": "map product (split[2] (xs ++ reverse xs))",
    "pool": "pool[2] maximum xs",
    "branch": "longer xs",
    "a state of sequences": "fold (\\(s, x) -> map (+ x) s) xs [1, 2]",
    "iterate": "iterate[2] (map (0.5 *)) xs",
    "matrix": "map (\\x -> [x, sin x]) xs @ [1, 2]",
    "contraction": "xs @ map (\\x -> [x, sin x]) xs",
    "gradient": "grad (\\ys -> sum (map (\\y -> y * sin y) ys) * norm ys) xs",
    "gradient of a fold": "grad (fold (\\(s, x) -> s * cos x + x) 1) xs",
    "gradient in what is beside": "grad (\\a -> sum (map (\\x -> sin (a * x)) xs)) 0.3",
    "jvp": "jvp (map square >> reverse) xs (map cos xs)",
    "vjp": "vjp (scan (\\(s, x) -> s * 0.5 + sin x) 1) xs (reverse xs)",
    "vjp to more": "vjp (\\a -> map (\\x -> sin (a * x)) xs) 0.3 xs",
    "hessian": "hessian (\\ys -> logsumexp (ys ++ [1, 2]) + sum (map cos ys)) xs xs",
    "linear maps": "(derivative reverse xs + 2 * derivative sin xs"
    " >> adjoint (derivative (map (\\x -> x / (1 + square x))) xs)) xs",
    "gradient of a pair": "grad (\\(ys, a) -> a * sum (ys * reverse ys)) (xs, 2)",
    "outer sum": "sum (transpose (map (\\x -> [x, sin x]) xs) @ xs)",
}  # fmt: skip
FILLED = {
    "guarded mean": "if length xs > 1 then mean xs else 0",
    "mean": "mean xs",
    "maximum": "maximum xs",
    "minimum": "minimum (negate xs)",
    "argmax": "toReal (toFin[6] 0) + sum xs * 0 + head xs",
    "last": "last xs",
    "head": "head xs",
    "index": "xs ! 0",
    "standardize": "standardize xs",
    "take": "take[1] xs",
    "drop": "drop[1] xs",
}
LONG = {
    "window": "window[3] (\\w -> sum w * head w) xs",
    "take": "take[2] xs",
    "topK": "fst (topK[3] (sin xs))",
    "topK, where": "gather xs (snd (topK[2] (negate xs)))",
}

SEEDS = {0: 10.0, 1: 7.0, 2: 5.0, 4: 2.0, 6: 0.5}


def session(bodies: list[str]) -> Session:
    found = Session(precision=64, seed=0)
    each = ",\n  ".join(bodies)
    found.run(GROW + f"both xs = (\n  {each})\n\nf x = both (grow x)\n\ng = both\n")
    return found


def flat(value: Any) -> list[numpy.ndarray]:
    if isinstance(value, tuple):
        return [array for item in value for array in flat(item)]
    return [numpy.asarray(value)]


def compare(names: dict[str, str], lengths: list[int]) -> None:
    here = session([*names.values(), "0"])
    function, fixed = here["f"], here["g"]
    for length in lengths:
        seed = SEEDS[length]
        xs = numpy.asarray(here["grow"](seed))
        assert len(xs) == length
        found, wanted = function(seed), fixed(xs)
        for name, one, other in zip(names, found, wanted, strict=False):
            for a, b in zip(flat(one), flat(other), strict=True):
                numpy.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12, err_msg=name)
        rng = numpy.random.default_rng(length)
        cotangent = jax.tree.map(lambda a, rng=rng: rng.normal(size=numpy.shape(a)), wanted)
        (gradient,) = function.vjp({}, seed)[1](cotangent)[1:]
        _, moved = here["grow"].jvp(({}, seed), ({}, 1.0))
        (by_element,) = fixed.vjp({}, xs)[1](cotangent)[1:]
        numpy.testing.assert_allclose(
            gradient, numpy.dot(by_element, moved), rtol=1e-9, atol=1e-9, err_msg=str(length)
        )


def test_a_length_known_at_run_time_changes_no_value_and_no_gradient() -> None:
    compare(ANY, [0, 1, 4, 6])


def test_what_needs_elements_has_them() -> None:
    compare(FILLED, [1, 4])
    compare(LONG, [4])


@pytest.mark.parametrize("name", [*list(FILLED)[1:], "window", "topK"])
def test_what_is_missing_at_run_time_is_an_error_at_its_place(name: str) -> None:
    body = {**LONG, **FILLED}[name]
    with pytest.raises(NnfpError) as caught:
        session([body, "0"])["f"](SEEDS[0])
    (problem,) = caught.value.diagnostics
    assert problem.code == "shapes-disagree"
    assert problem.primary.span.text in body.replace("xs * 0", "") or name in ("standardize",)


def test_sequences_that_go_together_are_required_to_be_of_one_length() -> None:
    here = session(["zipWith (*) (xs, xs ++ grow 7)", "0"])
    with pytest.raises(NnfpError, match=r"has not 0 elements(.|\n)*of `grow`"):
        here["f"](SEEDS[4])


def test_a_linear_map_at_a_vector_of_another_length_is_an_error() -> None:
    here = Session(precision=64)
    here.run("f d u = diag (d : [R]) (u : [R])")
    with pytest.raises(NnfpError, match="the operands differ: R\\[2\\], R\\[3\\]"):
        here["f"](numpy.ones(3), numpy.ones(2))


@pytest.mark.parametrize("program", [
    "f : [R] -> [R] -> [R]\nf x y = concat [x, y]",
    "f x y = concat [(x : [R]), (y : [R])]",
])  # fmt: skip
def test_rows_that_the_caller_gives_may_be_of_several_lengths(program: str) -> None:
    here = Session(precision=64)
    here.run(program)
    x, y = numpy.array([1.0, 2.0, 3.0]), numpy.array([4.0])
    value, pullback = here["f"].vjp({}, x, y)
    numpy.testing.assert_array_equal(value, [1, 2, 3, 4])
    for found, expected in zip(pullback(value)[1:], (x, y), strict=True):
        numpy.testing.assert_array_equal(found, expected)


def test_the_branch_not_taken_contributes_nothing_not_even_nan() -> None:
    here = session(["fold (\\(s, x) -> s + sqrt (9 - x)) 0 (map (\\x -> x - 1) xs)", "0"])
    _, pullback = here["f"].vjp({}, SEEDS[1])
    assert numpy.isfinite(pullback((1.0, 0.0))[1])


def test_a_doubt_in_a_branch_that_is_not_taken_is_none() -> None:
    here = session(["if length xs > 0 then mean xs else 5", "0"])
    assert here["f"](SEEDS[0])[0] == 5
    _, pullback = here["f"].vjp({}, SEEDS[0])
    assert pullback((1.0, 0.0))[1] == 0


def test_unfold_while_stops_before_the_output_of_the_first_false() -> None:
    grow = session(["xs", "0"])["grow"]
    assert [len(grow(seed)) for seed in SEEDS.values()] == list(SEEDS)
    numpy.testing.assert_allclose(grow(7.0), [numpy.sin(7.0) + 7.0])


def test_under_a_jit_the_padding_stays() -> None:
    grow = session(["xs", "0"])["grow"]
    padded = jax.jit(lambda x: grow.apply({}, x))(5.0)
    assert padded.shape == (6,)
    numpy.testing.assert_allclose(padded[:2], grow(5.0))
