"""Random draws: when they are made anew, when they are one, and what a derivative sees."""

from __future__ import annotations

from typing import Any

import jax
import numpy
import pytest

import nnfp_kernel as nnfp

KEY = jax.random.key(7)


def session(source: str, seed: int = 0) -> nnfp.Session:
    made = nnfp.Session(precision=64, seed=seed)
    made.run(source)
    return made


def distinct(values: Any) -> bool:
    """Whether all entries differ."""
    values = numpy.asarray(values).ravel()
    return len(set(values.tolist())) == len(values)


# --- keys --------------------------------------------------------------------------------------


def test_a_draw_needs_a_key() -> None:
    noisy = session("noisy : R -> R\nnoisy x = x + draw (normal 1)")["noisy"]
    with pytest.raises(nnfp.NnfpError) as missing:
        noisy.apply({}, 1.0)
    assert "key" in missing.value.render()
    assert noisy.apply({}, 1.0, key=KEY).shape == ()


def test_the_same_key_gives_the_same_draw() -> None:
    noisy = session("noisy : R[3] -> R[3]\nnoisy x = x + draw (normal 1)")["noisy"]
    x = numpy.zeros(3)
    one, again = noisy.apply({}, x, key=KEY), noisy.apply({}, x, key=KEY)
    other = noisy.apply({}, x, key=jax.random.key(8))
    numpy.testing.assert_array_equal(one, again)
    assert not numpy.array_equal(one, other)
    assert distinct(one)


def test_a_call_takes_its_key_from_the_session() -> None:
    one, same, other = (
        session("noisy : R -> R\nnoisy x = x + draw (normal 1)", seed) for seed in (0, 0, 1)
    )
    first, second = float(one["noisy"](0.0)), float(one["noisy"](0.0))
    assert first != second  # each evaluation draws anew
    assert float(same["noisy"](0.0)) == first
    assert float(other["noisy"](0.0)) != first


def test_an_expression_in_a_cell_may_draw() -> None:
    result = session("half = 0.5").run("draw (normal 1) + half")
    (shown,) = result.outputs
    assert numpy.isfinite(shown.value)


def test_a_constant_may_not_draw() -> None:
    with pytest.raises(nnfp.NnfpError) as constant:
        session("noise : R\nnoise = draw (normal 1)")
    assert "draw" in constant.value.render()


def test_what_only_uses_a_function_that_draws_draws() -> None:
    made = session(
        "noisy : R -> R\nnoisy x = x + draw (normal 1)\nouter : R[2] -> R[2]\nouter = map noisy"
    )
    with pytest.raises(nnfp.NnfpError) as missing:
        made["outer"].apply({}, numpy.zeros(2))
    assert "key" in missing.value.render()


# --- anew, or one ------------------------------------------------------------------------------


def test_two_written_occurrences_are_two_draws() -> None:
    difference = session("d : R -> R\nd x = x + draw (normal 1) - draw (normal 1)")["d"]
    assert float(difference.apply({}, 0.0, key=KEY)) != 0


def test_a_let_bound_draw_is_one_draw() -> None:
    difference = session("d : R -> R\nd x = let e = draw (normal 1) in x + e - e")["d"]
    assert float(difference.apply({}, 0.0, key=KEY)) == pytest.approx(0, abs=1e-12)


def test_a_where_bound_draw_is_one_draw() -> None:
    difference = session("d : R -> R\nd x = x + e - e where e = draw (normal 1)")["d"]
    assert float(difference.apply({}, 0.0, key=KEY)) == pytest.approx(0, abs=1e-12)


def test_two_calls_of_one_function_are_two_draws() -> None:
    made = session("noisy : R -> R\nnoisy x = x + draw (normal 1)\nd x = noisy x - noisy x")
    assert float(made["d"].apply({}, 0.0, key=KEY)) != 0


def test_two_calls_of_a_local_function_are_two_draws() -> None:
    made = session("d : R -> R\nd x = let f y = y + draw (normal 1) in f x - f x")
    assert float(made["d"].apply({}, 0.0, key=KEY)) != 0


EVERY = {
    "map": "f xs = map (\\x -> x + draw (normal 1)) xs",
    "zipWith": "f xs = zipWith (\\(x, y) -> x + y + draw (normal 1)) (xs, xs)",
    "scan": "f xs = scan (\\(_, x) -> x + draw (normal 1)) 0 xs",
    "mapAccum": "f xs = snd (mapAccum (\\(s, x) -> (s, x + draw (normal 1))) 0 xs)",
    "mapAccumRight": "f xs = snd (mapAccumRight (\\(s, x) -> (s, x + draw (normal 1))) 0 xs)",
    "unfold": "f xs = unfold[4] (\\s -> (s, s + draw (normal 1))) (sum xs)",
    "window": "f xs = window[1] (\\w -> sum w + draw (normal 1)) xs",
    "pool": "f xs = pool[1] (\\w -> sum w + draw (normal 1)) xs",
    "named": "g x = x + draw (normal 1)\nf xs = map g xs",
}


@pytest.mark.parametrize("combinator", EVERY)
def test_every_element_and_every_step_draws_anew(combinator: str) -> None:
    f = session(EVERY[combinator])["f"]
    values = f.apply({}, numpy.zeros(4), key=KEY)
    assert values.shape == (4,)
    assert distinct(values)


@pytest.mark.parametrize("combinator", EVERY)
def test_a_draw_bound_outside_is_one_for_all_elements(combinator: str) -> None:
    lines = EVERY[combinator].replace("draw (normal 1)", "e").split("\n")
    if combinator == "named":
        lines = ["f xs = let g x = x + e in map g xs"]
    head, body = lines[-1].split(" = ", 1)
    program = f"{head} = let e = draw (normal 1) in {body}"
    values = numpy.asarray(session(program)["f"].apply({}, numpy.zeros(4), key=KEY))
    numpy.testing.assert_array_equal(values, values[0])
    assert values[0] != 0


def test_every_turn_of_an_iteration_draws_anew() -> None:
    f = session(
        "step : (R, R) -> (R, R)\nstep (last, total) = let e = draw (normal 1) in (e, total + e)\n"
        "f : R -> (R, R)\nf x = iterate[2] step (x, x)\n"
    )["f"]
    last, total = f.apply({}, 0.0, key=KEY)
    assert float(total) != 2 * float(last)


def test_every_layer_of_a_stack_draws_anew() -> None:
    f = session(
        "step : (R, R) ~> (R, R)\n"
        "step (last, total) = let e = ?g * draw (normal 1) in (e, total + e) where ?g ~ ones\n"
        "f : (R, R) ~> (R, R)\nf = stack[2] step\n"
    )["f"]
    last, total = f.apply(f.init(jax.random.key(0)), (0.0, 0.0), key=KEY)
    assert float(total) != 2 * float(last)


def test_an_array_is_drawn_entry_by_entry() -> None:
    f = session("f : R[3,4] -> R[3,4]\nf x = x + draw (normal 1)")["f"]
    assert distinct(f.apply({}, numpy.zeros((3, 4)), key=KEY))


def test_every_example_of_a_batch_draws_anew() -> None:
    f = session("f : R[2] -> R[2]\nf x = x + draw (normal 1)")["f"]
    assert distinct(f.batch(numpy.zeros((5, 2)), key=KEY))
    assert distinct(numpy.concatenate(f([numpy.zeros(2)] * 5, key=KEY)))


def test_a_mean_over_a_batch_draws_anew_for_every_example() -> None:
    """As it is trained: one value of the noise would not average out."""
    made = session("f : R -> R\nf x = square (draw (normal 1) + x * 0)")
    values = made["f"].batch(numpy.zeros(4000))
    assert float(numpy.mean(values)) == pytest.approx(1, abs=0.15)


# --- distributions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "mean", "deviation", "low", "high"),
    [
        ("normal 2", 0, 2, -numpy.inf, numpy.inf),
        ("uniform (-1) 3", 1, 4 / numpy.sqrt(12), -1, 3),
        ("bernoulli 0.25", 0.25, numpy.sqrt(0.25 * 0.75), 0, 1),
    ],
)
def test_a_distribution_has_its_moments(
    distribution: str, mean: float, deviation: float, low: float, high: float
) -> None:
    f = session(f"f : R[n] -> R[n]\nf x = x + draw ({distribution})")["f"]
    values = numpy.asarray(f.apply({}, numpy.zeros(20000), key=KEY))
    assert values.mean() == pytest.approx(mean, abs=0.06)
    assert values.std() == pytest.approx(deviation, abs=0.06)
    assert values.min() >= low
    assert values.max() <= high


# --- derivatives -------------------------------------------------------------------------------


def test_a_derivative_reuses_the_draw() -> None:
    f = session("f : R[3] -> R[3]\nf x = x * draw (normal 1)")["f"]
    x = numpy.array([1.0, 2.0, 4.0])
    value, pullback = f.vjp({}, x, key=KEY)
    numpy.testing.assert_allclose(pullback(numpy.ones(3))[1], value / x, rtol=1e-12)
    numpy.testing.assert_allclose(value, f.apply({}, x, key=KEY), rtol=1e-12)
    gradient = jax.grad(lambda x: f.apply({}, x, key=KEY).sum())(x)
    numpy.testing.assert_allclose(gradient, value / x, rtol=1e-12)
    same, tangent = f.jvp(({}, x), ({}, x), key=KEY)
    numpy.testing.assert_allclose(same, value, rtol=1e-12)
    numpy.testing.assert_allclose(tangent, value, rtol=1e-12)


@pytest.mark.parametrize("combinator", EVERY)
def test_a_derivative_reuses_the_draws_of_every_element(combinator: str) -> None:
    program = EVERY[combinator].replace("+ draw (normal 1)", "* draw (normal 1)")
    f = session(program)["f"]
    x = numpy.array([1.0, 2.0, 3.0, 4.0])
    value, pullback = f.vjp({}, x, key=KEY)
    # Linear in x, so the value is the derivative at x along x: what <w, f x> is, too.
    w = numpy.array([0.5, -1.0, 2.0, 0.25])
    assert float(pullback(w)[1] @ x) == pytest.approx(float(w @ numpy.asarray(value)), rel=1e-10)


def test_a_derivative_in_the_language_reuses_the_draw() -> None:
    """One evaluation of f, whose value and slope belong together."""
    f = session("f : R -> R\nf x = vjp (\\y -> [y, 2 * y] * draw (normal 1)) x [2, -1]")["f"]
    assert float(f.apply({}, 3.0, key=KEY)) == pytest.approx(
        float(f.apply({}, 4.0, key=KEY)), rel=1e-12
    )


# --- training ----------------------------------------------------------------------------------


def test_dropout_is_the_identity_unless_trained() -> None:
    f = session("f : R[1000] -> R[1000]\nf = dropout 0.25")["f"]
    x = numpy.ones(1000)
    numpy.testing.assert_array_equal(f.apply({}, x), x)  # no draw, no key
    numpy.testing.assert_array_equal(f(x), x)
    trained = numpy.asarray(f.apply({}, x, key=KEY, train=True))
    assert set(numpy.round(trained, 12)) == {0, round(1 / 0.75, 12)}
    assert (trained == 0).mean() == pytest.approx(0.25, abs=0.06)
    with pytest.raises(nnfp.NnfpError):
        f.apply({}, x, train=True)


def test_dropout_drops_the_same_entries_from_the_derivative() -> None:
    f = session("f : R[50] -> R[50]\nf = dropout 0.5")["f"]
    value, pullback = f.vjp({}, numpy.ones(50), key=KEY, train=True)
    numpy.testing.assert_allclose(pullback(numpy.ones(50))[1], value, rtol=1e-12)


def test_training_is_seen_by_the_program() -> None:
    f = session("f : R -> R\nf x = if training then 2 * x else x")["f"]
    assert float(f.apply({}, 3.0)) == 3
    assert float(f.apply({}, 3.0, train=True)) == 6


def test_draws_compose_with_jit_and_vmap() -> None:
    f = session("f : R[2] -> R[2]\nf x = x + draw (normal 1)")["f"]
    keys = jax.random.split(KEY, 3)
    xs = numpy.zeros((3, 2))
    mapped = jax.vmap(lambda x, key: f.apply({}, x, key=key))(xs, keys)
    single = numpy.stack([f.apply({}, x, key=key) for x, key in zip(xs, keys, strict=True)])
    numpy.testing.assert_allclose(mapped, single, rtol=1e-12)
    jitted = jax.jit(lambda x, key: f.apply({}, x, key=key))(xs[0], keys[0])
    numpy.testing.assert_allclose(jitted, single[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("definition", "type"),
    [
        ("noise x = x + draw (normal 0.1)", "a -> a where real a"),
        ("twice x = (x - draw (normal 1)) * draw (normal 1)", "a -> a where real a"),
        ("wide : R -> R[3]\nwide x = x + draw (normal 1)", "R -> R[3]"),
        ("both x y = x + y + draw (normal 1)", "a -> b -> c where c = a + b, real c"),
    ],
)
def test_a_draw_has_the_shape_of_what_it_is_added_to(definition: str, type: str) -> None:
    """Nobody else sees its type, so it is settled where it is written."""
    assert session(definition).type(definition.split(maxsplit=1)[0]) == type
