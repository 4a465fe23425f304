"""Loops whose length the data decide: values, bounds, derivatives of every nesting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy
import pytest
from numpy.testing import assert_allclose

import nnfp_kernel as nnfp
from nnfp_kernel.graph.counts import count
from nnfp_kernel.graph.graph import While
from nnfp_kernel.graph.rewrite import optimise
from nnfp_kernel.primitives import PRIMITIVES
from nnfp_kernel.runtime.lower import lower

SOURCE = r"""
size most = 30

grow x = while (\y -> y < 100) (\y -> y * y + x) x
grown x = while[most] (\y -> y < 100) (\y -> y * y + x) x

-- the state a product with a counter and a Boolean; the body has weights of its own
settle : R[3] ~> (R[3], Int)
settle x = let (h, n, _) = while[most] (\(h, n, go) -> go) turn (x, 0, True) in (h, n)
turn (h, n, go) = let new = tanh (?W @ h + ?b) in (new, n + 1, norm (new - h) > 0.05)
  where
    ?W : R[3,3]

-- a loop in a loop: square roots by Newton's method until one is below 1.2
root a = while[most] (\y -> abs (y * y - a) > 1e-6) (\y -> (y + a / y) / 2) a
roots a = while[most] (\x -> x > 1.2) (\x -> root x * 0.99) a

forward x = derivative grown x 1
reverse x = grad grown x
nested x = (derivative forward x 1, grad forward x, derivative reverse x 1, grad reverse x)
nestedRoots a = (derivative roots a 1, grad roots a,
  derivative (grad roots) a 1, grad (\x -> derivative roots x 1) a)

none x = while[0] (\y -> True) (\y -> y / 0) x
once x = while[1] (\y -> y < 100) (* 2) x
started x = while[most] (\y -> y < 0) (\y -> sqrt (0 - y)) x
safe x = while[most] (\y -> y > 0.5) (\y -> sqrt (y - 0.5)) x
each xs = map grown xs
eachSafe : R[4] -> R[4]
eachSafe xs = grad (\ys -> sum (map safe ys)) xs
ragged : [R] -> R
ragged xs = let (ys, _) = while[5] (\(ys, n) -> n > 0) (\(ys, n) -> (map tanh ys, n - 1)) (xs, most2)
  in sum ys
  where most2 = (2 : Int)
doubtful : [R] -> R
doubtful xs = while[9] (\s -> s < 3) (\s -> s + mean (map (* s) xs)) 1
rep Thought = R[2]
think : Thought -> Thought
think t = while[9] (\(Thought v) -> norm v < 10) (\(Thought v) -> Thought (2 * v)) t
mayWalk : R -> R
mayWalk x = if x < 3 then walk x else x
walk : R -> R
walk x = while[20] (\s -> s < 10) (\s -> s + abs (draw (normal 1)) * x) x

stretch : R[3] -> R[3]
stretch v = while[most] (\v -> norm v < 10) (\v -> 2 * v + 1) v
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64, seed=0)
    made.run(SOURCE)
    return made


def slope(function: Callable[[float], Any], x: float, step: float = 1e-5) -> float:
    return float((function(x + step) - function(x - step)) / (2 * step))


def test_a_while_stops_when_its_condition_fails(session: nnfp.Session) -> None:
    y = x = 1.5
    while y < 100:
        y = y * y + x
    assert float(session["grow"](x)) == y == float(session["grown"](x))
    assert float(session["grow"](200.0)) == 200.0


def test_reaching_the_bound_stops_it(session: nnfp.Session) -> None:
    assert float(session["none"](3.0)) == 3.0
    assert float(session["once"](3.0)) == 6.0
    assert float(session["once"].vjp({}, 3.0)[1](1.0)[1]) == 2.0


def test_derivatives_nest_in_either_mode(session: nnfp.Session) -> None:
    x = 1.5
    first = slope(session["grown"], x)
    assert_allclose(session["forward"](x), first, rtol=1e-7)
    assert_allclose(session["reverse"](x), first, rtol=1e-7)
    assert_allclose(session["nested"](x), [slope(session["forward"], x)] * 4, rtol=1e-7)


def test_a_loop_in_a_loop_has_all_derivatives(session: nnfp.Session) -> None:
    a = 40.0
    first, second = slope(session["roots"], a), slope(lambda a: session["nestedRoots"](a)[0], a)
    found = session["nestedRoots"](a)
    assert_allclose(found[:2], [first] * 2, rtol=1e-6)
    assert_allclose(found[2:], [second] * 2, rtol=1e-5)


def test_a_state_may_be_a_product_with_numbers_and_truths(session: nnfp.Session) -> None:
    settle = session["settle"]
    weights = session.weights
    weights = {k: weights[k] for k in settle.init(jax.random.key(0))}
    W, b = weights["turn"]["W"], numpy.array([0.3, -0.2, 0.1])
    weights = {"turn": {"W": 0.5 * W, "b": b}}
    x = numpy.array([0.5, -1.0, 2.0])
    h, count, going = x, 0, True
    while going:
        new = numpy.tanh(0.5 * W @ h + b)
        h, count, going = new, count + 1, bool(numpy.linalg.norm(new - h) > 0.05)
    assert 2 < count < 30
    found, number = settle.apply(weights, x)
    assert_allclose(found, h)
    assert int(number) == count
    _, pullback = settle.vjp(weights, x)
    cotangent = numpy.array([1.0, 2.0, -1.0])
    back, _ = pullback((cotangent, ()))
    _, moved = settle.jvp((weights, x), ({"turn": {"W": W, "b": b}}, numpy.ones(3)))
    gradient_x = pullback((cotangent, ()))[1]
    inner = float((back["turn"]["W"] * W).sum() + back["turn"]["b"] @ b + gradient_x.sum())
    assert_allclose(float(moved[0] @ cotangent), inner, rtol=1e-10)

    def unrolled(W: Any, b: Any, x: Any) -> Any:
        for _ in range(count):
            x = jax.numpy.tanh(W @ x + b)
        return x

    expected = jax.vjp(unrolled, 0.5 * W, b, x)[1](cotangent)
    assert_allclose(back["turn"]["W"], expected[0], rtol=1e-9)
    assert_allclose(back["turn"]["b"], expected[1], rtol=1e-9)
    assert_allclose(gradient_x, expected[2], rtol=1e-9)


def test_rounds_that_are_not_made_contribute_nothing(session: nnfp.Session) -> None:
    """Not even NaN: the body may be undefined where the condition fails."""
    assert float(session["started"](4.0)) == 4.0
    assert float(session["started"].vjp({}, 4.0)[1](1.0)[1]) == 1.0
    xs = numpy.array([0.5, 3.0, 0.7, 40.0])
    expected = [slope(session["safe"], x) if x > 0.5 else 1.0 for x in xs]
    assert_allclose(session["eachSafe"](xs), expected, rtol=1e-6)


def test_every_element_of_a_batch_has_its_own_rounds(session: nnfp.Session) -> None:
    xs = numpy.array([1.5, 2.0, 0.3, 200.0])
    expected = [float(session["grown"](x)) for x in xs]
    assert_allclose(session["each"](xs), expected)
    assert_allclose(session["grown"].batch(xs), expected)
    assert_allclose(session["grown"](list(xs)), expected)
    gradient = session["each"].vjp({}, xs)[1](numpy.ones(4))[1]
    assert_allclose(gradient, [float(session["reverse"](x)) for x in xs])


def test_a_state_may_be_a_sequence_of_run_time_length(session: nnfp.Session) -> None:
    xs = [numpy.array([0.1, 0.2, 0.3]), numpy.array([1.0, 2.0, 3.0, 4.0, 5.0])]
    assert_allclose(session["ragged"](xs), [numpy.tanh(numpy.tanh(x)).sum() for x in xs])
    assert_allclose(session["doubtful"](xs), [float(session["doubtful"](x)) for x in xs])
    with pytest.raises(nnfp.NnfpError, match="the mean of nothing"):
        session["doubtful"]([numpy.zeros(0)])


def test_a_state_may_be_a_representation(session: nnfp.Session) -> None:
    assert_allclose(session["think"](numpy.ones(2)), [8.0, 8.0])


def test_each_round_draws_anew_and_derivatives_reuse_it(session: nnfp.Session) -> None:
    key, step = jax.random.key(3), 1e-6
    call = lambda x: session["walk"].apply({}, x, key=key)  # noqa: E731
    steps = numpy.asarray((call(1.0 + step) - call(1.0 - step)) / (2 * step))
    assert float(call(1.0)) > 10
    assert_allclose(session["walk"].vjp({}, 1.0, key=key)[1](1.0)[1], steps, rtol=1e-7)


def test_in_a_branch_each_round_draws_and_derivatives_reuse_it(session: nnfp.Session) -> None:
    key, step = jax.random.key(3), 1e-6
    call = lambda x: session["mayWalk"].apply({}, x, key=key)  # noqa: E731
    steps = numpy.asarray((call(1.0 + step) - call(1.0 - step)) / (2 * step))
    assert_allclose(session["mayWalk"].vjp({}, 1.0, key=key)[1](1.0)[1], steps, rtol=1e-7)


def test_what_draws_in_a_loop_that_draws_in_a_loop_is_reused() -> None:
    session = nnfp.Session(precision=64)
    session.run(
        "f : R -> R\nf x = while[3] (\\u -> u < 9) (\\u -> while[4] (\\t -> t < 3)\n"
        "  (\\t -> t * x + 1 + square (draw (uniform 0 1))) (u / 2) + x) x"
    )
    key, step, f = jax.random.key(3), 1e-6, session["f"]
    steps = (f.apply({}, 1 + step, key=key) - f.apply({}, 1 - step, key=key)) / (2 * step)
    assert_allclose(f.vjp({}, 1.0, key=key)[1](1.0)[1], steps, rtol=1e-7)


def test_jax_agrees_forwards(session: nnfp.Session) -> None:
    """JAX has a forward rule for its while, and none in reverse."""
    function = session["stretch"]
    v = numpy.array([0.1, -0.2, 0.3])
    direction = numpy.array([1.0, 2.0, -1.0])
    _, ours = function.jvp(({}, v), ({}, direction))
    _, theirs = jax.jvp(lambda v: function.apply({}, v), (v,), (direction,))
    assert_allclose(ours, theirs)
    call = function.apply
    assert_allclose(jax.vmap(lambda v: call({}, v))(numpy.stack([v, 2 * v]))[1], function(2 * v))


def test_a_loop_without_a_bound_has_no_reverse(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError) as raised:
        session.run("grad grow 1.5")
    text = raised.value.render()
    assert "while[1000] c f" in text
    assert "line 4" in text
    with pytest.raises(nnfp.NnfpError, match="reverse"):
        session["grow"].vjp({}, 1.5)
    # The matrix of its derivative is made forwards.
    session.run("slopes = matrix (derivative (\\v -> sum v * grow (sum v)) [0.1, 0.2, 0.3])")
    assert_allclose(
        session["slopes"], numpy.full(3, slope(lambda s: s * float(session["grow"](s)), 0.6))
    )


def test_a_while_is_one_node_and_dead_states_go(session: nnfp.Session) -> None:
    session.run(
        "left : R -> R\nleft x = fst (while (\\(a, b) -> a < 9) (\\(a, b) -> (a + 1, exp b)) (x, x))"
    )
    call = session["left"]
    assert float(call(0.5)) == 9.5
    graph = optimise(PRIMITIVES, call.graph())
    (node,) = [n for n in graph.nodes if isinstance(n.operation, While)]
    assert node.operation.carried == 1
    assert float(lower(graph, 64)(0.5)[0]) == 9.5


def test_a_while_costs_at_most_its_bound() -> None:
    made = nnfp.Session(precision=64, seed=0)
    made.run("f : R -> R\nf x = while[7] (< 9) (* 2) x\ng : R -> R\ng x = while (< 9) (* 2) x")
    assert count(made["f"].graph(), 64).total == count(made["g"].graph(), 64).total * 7


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("while (\\x -> x + 1) (\\x -> x) 1", "Bool"),
        ("while[3, 4] (\\x -> True) (\\x -> x) 1", "takes one size"),
        ("while (\\x -> True) (\\x -> [x]) 1", ""),
    ],
)
def test_wrong_uses_are_told(session: nnfp.Session, program: str, said: str) -> None:
    with pytest.raises(nnfp.NnfpError) as raised:
        session.run(program)
    assert said in raised.value.render()
