"""Decoding, against a plain beam search in NumPy and against trying every sequence."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import numpy as np
import pytest

import nnfp_kernel as nnfp

V, N = 4, 4  # symbols, of which 0 starts and 3 stops; the length of a sequence

PROGRAM = f"""
step : (R[3], Fin[{V}]) ~> (R[3], R[{V}])
step (h, y) = (h2, ?V @ h2 + ?b)
  where h2 = tanh (?U @ h + ?E ! y)

ended = absorbing 3 step

loss : (R[3], Fin[{V}][{N}]) ~> R
loss (z, ys) = sequenceLoss step z 0 ys

forced : (R[3], Fin[{V}][{N}]) ~> R[{N},{V}]
forced (z, ys) = teacherForcing step z 0 ys
"""


def generator(seed: int) -> nnfp.Session:
    """A session with a generating step whose likely symbols depend on all before them."""
    session = nnfp.Session(precision=64, seed=seed)
    session.run(PROGRAM)
    random = np.random.default_rng(seed)
    weights = session.weights["step"]
    session.weights = {"step": {k: random.normal(size=w.shape) * 2 for k, w in weights.items()}}
    return session


def beam(session: nnfp.Session, width: int, n: int, step: str = "step") -> Any:
    session.run(f"found z = beamSearch[{width}, {n}] {step} z 0")
    symbols, scores = session["found"](START)
    return np.asarray(symbols), np.asarray(scores)


START = np.array([0.3, -1.0, 0.5])


# --- the reference: lists and loops --------------------------------------------------------------


def one_step(weights: Any, h: Any, y: int) -> tuple[Any, Any]:
    h = np.tanh(weights["U"] @ h + weights["E"][y])
    logits = weights["V"] @ h + weights["b"]
    return h, logits - np.log(np.sum(np.exp(logits)))


def plain_beam(weights: Any, width: int, n: int, stop: int | None = None) -> Any:
    """Beam search as it is written down in papers: [(score, symbols)], the best first."""
    kept = [(0.0, (), np.asarray(START))]
    for _ in range(n):
        longer = []
        for score, symbols, h in kept:
            if stop is not None and symbols and symbols[-1] == stop:
                longer.append((score, (*symbols, stop), h))
                continue
            h, logs = one_step(weights, h, symbols[-1] if symbols else 0)
            longer += [(score + logs[y], (*symbols, y), h) for y in range(V)]
        kept = sorted(longer, key=lambda each: -each[0])[:width]
    return [(score, symbols) for score, symbols, _ in kept]


def log_likelihood(weights: Any, symbols: Any) -> float:
    h, before, total = np.asarray(START), 0, 0.0
    for y in symbols:
        h, logs = one_step(weights, h, before)
        total, before = total + logs[y], y
    return total


def numpy_weights(session: nnfp.Session) -> Any:
    return {name: np.asarray(weight) for name, weight in session.weights["step"].items()}


# --- teacher forcing -----------------------------------------------------------------------------


def test_the_loss_under_teacher_forcing_is_the_sum_of_the_losses_of_the_steps() -> None:
    session = generator(0)
    symbols = [2, 2, 1, 3]
    wanted = -log_likelihood(numpy_weights(session), symbols)
    np.testing.assert_allclose(session["loss"]((START, symbols)), wanted, rtol=1e-12)


@pytest.mark.parametrize("symbols", [[], [2], [1, 3], [2, 2, 1, 0, 0, 3, 1]])
def test_sequences_of_any_length_have_the_loss_of_their_steps(symbols: list[int]) -> None:
    session = generator(0)
    session.run(f"any : (R[3], [Fin[{V}]]) ~> R\nany (z, ys) = sequenceLoss step z 0 ys")
    wanted = -log_likelihood(numpy_weights(session), symbols)
    found, pullback = session["any"].vjp(session["any"].weights, (START, np.array(symbols, int)))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    session.run(f"fixed : (R[3], Fin[{V}][{len(symbols)}]) ~> R\nfixed (z, ys) = any (z, ys)")
    other = session["fixed"].vjp(session["any"].weights, (START, np.array(symbols, int)))[1]
    for one, two in zip(jax.tree.leaves(pullback(1.0)), jax.tree.leaves(other(1.0)), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-12)


def test_a_step_forced_by_what_it_says_itself_says_it_again() -> None:
    """On its own greedy answer teacher forcing changes nothing."""
    session = generator(1)
    session.run(f"answer z = greedy[{N}] step z 0")
    answer = session["answer"](START)
    logits = session["forced"]((START, answer))
    np.testing.assert_array_equal(np.argmax(logits, axis=1), answer)


def test_what_is_said_depends_on_the_true_symbols_before_and_on_no_later_one() -> None:
    session = generator(2)
    one = np.asarray(session["forced"]((START, [1, 2, 0, 0])))
    other = np.asarray(session["forced"]((START, [1, 2, 3, 1])))
    np.testing.assert_array_equal(one[:3], other[:3])
    assert np.abs(one[3] - other[3]).max() > 1e-3


# --- searching -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    session = generator(seed)
    session.run(f"answer z = greedy[{N}] step z 0")
    symbols, scores = beam(session, 1, N)
    np.testing.assert_array_equal(symbols[0], session["answer"](START))
    np.testing.assert_allclose(scores[0], -session["loss"]((START, symbols[0])), rtol=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_a_beam_of_full_width_is_an_exhaustive_search(seed: int) -> None:
    session = generator(seed)
    weights, n = numpy_weights(session), 3
    every = list(itertools.product(range(V), repeat=n))
    every.sort(key=lambda symbols: -log_likelihood(weights, symbols))
    symbols, scores = beam(session, V**n, n)
    np.testing.assert_array_equal(symbols, every)
    wanted = [log_likelihood(weights, each) for each in every]
    np.testing.assert_allclose(scores, wanted, rtol=1e-10)
    assert np.exp(scores).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("width", [2, 3, 7])
@pytest.mark.parametrize("stop", [None, 3])
def test_a_beam_keeps_what_the_plain_search_keeps(width: int, stop: int | None) -> None:
    session = generator(5)
    symbols, scores = beam(session, width, N, "step" if stop is None else "ended")
    wanted = plain_beam(numpy_weights(session), width, N, stop)
    np.testing.assert_array_equal(symbols, [each for _, each in wanted])
    np.testing.assert_allclose(scores, [score for score, _ in wanted], rtol=1e-10)


def test_a_wider_beam_finds_what_greedy_misses() -> None:
    """The likeliest first symbol need not begin the likeliest sequence: in this chain 1
    comes first with 0.6, but then anything; 2 with 0.4, and then 0 almost surely."""
    chances = np.array([[1e-9, 0.6, 0.4], [0.34, 0.33, 0.33], [0.98, 0.01, 0.01]])
    session = nnfp.Session(precision=64)
    session.bind("chances", chances)
    session.run("chain (s, y) = (s, log (chances ! (y : Fin[3])))")
    session.run("one = beamSearch[1, 2] chain () 0\ntwo = beamSearch[2, 2] chain () 0")
    (symbols, score), (wider, scores) = session["one"], session["two"]
    assert symbols[0].tolist() == [1, 0]
    np.testing.assert_allclose(score, np.log([0.6 * 0.34]), rtol=1e-8)
    assert wider.tolist() == [[2, 0], [1, 0]]
    np.testing.assert_allclose(scores, np.log([0.4 * 0.98, 0.6 * 0.34]), rtol=1e-8)


def test_after_the_stop_nothing_but_the_stop_follows_at_no_cost() -> None:
    session = generator(5)
    session.weights = {"step": {"b": np.array([0.0, 1.0, 0.0, 3.0])}}
    symbols, scores = beam(session, V**3, 3, "ended")
    real = scores > -1e29  # others are no sequences that can be said
    assert all(after == 3 for row in symbols[real] for k, after in enumerate(row) if 3 in row[:k])
    assert any(3 in row for row in symbols[real])
    # Those that stop sooner and those that do not are all there is.
    assert np.exp(scores[real]).sum() == pytest.approx(1, abs=1e-12)


def test_greedy_with_a_stop_is_greedy_as_far_as_the_stop() -> None:
    session = generator(1)
    session.weights = {"step": {"b": np.array([0.0, 0.0, 0.0, 1.5])}}
    session.run(f"all_ z = greedy[{N}] step z 0\nsaid z = greedyUntil[{N}] 3 step z 0")
    lengths, every = set(), []
    starts = np.random.default_rng(2).normal(size=(20, 3)) * 2
    for start in starts:
        wanted = list(np.asarray(session["all_"](start)))
        wanted = wanted[: wanted.index(3)] if 3 in wanted else wanted
        assert np.asarray(session["said"](start)).tolist() == wanted
        lengths.add(len(wanted))
        every.append(wanted)
    batch = session["said"](list(starts))  # of different lengths, one answer each
    assert [np.asarray(answer).tolist() for answer in batch] == every
    assert lengths == {0, 1, 2, 3, N}


@pytest.mark.parametrize(
    ("symbols", "taken"),
    [([2, 0, 3, 1], [2, 0]), ([3, 1], []), ([1, 2], [1, 2]), ([], []), ([3], []), ([0], [0])],
)
def test_a_sequence_is_taken_as_far_as_its_stop(symbols: list[int], taken: list[int]) -> None:
    session = nnfp.Session(precision=64)
    session.run(f"f : Fin[4][{len(symbols)}] -> [Fin[4]]\nf = takeUntil 3")
    assert np.asarray(session["f"](np.array(symbols, int))).tolist() == taken


def test_what_a_beam_found_is_taken_as_far_as_the_stop_one_by_one() -> None:
    session = generator(4)
    session.weights = {"step": {"b": np.array([0.0, 0.0, 0.0, 1.5])}}
    session.run(
        f"found : R[3] ~> [Fin[{V}]][4]\n"
        f"found z = map (\\(ys, _) -> takeUntil 3 ys) (beamSearch[4, {N}] ended z 0)"
    )
    plain = plain_beam(numpy_weights(session), 4, N, 3)
    wanted = [list(ys[: ys.index(3)] if 3 in ys else ys) for _, ys in plain]
    assert len(set(map(len, wanted))) > 1
    assert [np.asarray(ys).tolist() for ys in session["found"](START)] == wanted


def test_of_no_symbols_there_is_one_sequence() -> None:
    symbols, scores = beam(generator(0), 2, 0)
    assert symbols.shape == (2, 0)
    assert scores[0] == 0.0
    assert scores[1] < -1e29


def test_a_batch_is_decoded_as_its_examples_are() -> None:
    session = generator(3)
    session.run(f"found z = beamSearch[3, {N}] ended z 0")
    found = session["found"]
    starts = np.random.default_rng(0).normal(size=(5, 3))
    symbols, scores = found.batch(starts)
    for start, row, score in zip(starts, symbols, scores, strict=True):
        one = found(start)
        np.testing.assert_array_equal(row, one[0])
        np.testing.assert_allclose(score, one[1], rtol=1e-12)
