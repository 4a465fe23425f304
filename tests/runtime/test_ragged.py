"""A Python list of examples of any length is a batch: it gives what its examples give one
by one, values and gradients, and compiles no more than once for each bucket."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import jax
import numpy
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose
from soak import examples as random_examples

from nnfp_kernel import NnfpError, Session, tree
from nnfp_kernel.runtime.ragged import bucket, rows_of

Array = numpy.ndarray

PROGRAM = """
rep Word = R[2]

cell : (R[3], Word) ~> R[3]
cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)

encode : [Word] ~> R[3]
encode = fold cell zero

states : [Word] ~> [R[3]]
states = scan cell zero

network : [R[2]] ~> R
network xs = sum (lstm[3] xs @ [1, 2, -1]) + sum (softmax (xs @ [1, -1]) * xs @ [1, 1])

attend : [R[2]] ~> [R[2]]
attend xs = map softmax (xs @ transpose (xs @ ?K) / sqrt 2) @ (xs @ ?V)

pair : ([R], [R[2]]) ~> R
pair (xs, ys) = sum (map (\\x -> ?a * tanh x) xs) - 2 * norm (map (\\y -> ?A @ y) ys) ^ 2
  where ?A : R[2,2]

tied : ([R], [R]) -> [R]
tied (xs, ys) = zipWith (\\(x, y) -> x * sin y) (xs, reverse ys)

pages : [[R]] ~> R
pages xss = fold (\\(s, xs) -> s + ?a * sum (map cos xs)) 0 xss

nested : [[R]] -> [[R]]
nested = map (\\xs -> map (+ sum xs) (reverse xs))

tokens : ([Fin[5]], R) ~> R
tokens (ts, y) = squaredError (sum (map (\\i -> ?E ! i) ts)) y

average : [R] ~> R
average xs = ?a * mean xs

halves : [R] -> R
halves xs = sum (map product (split[2] xs))

doubled : [R] -> R
doubled xs = sum (map product (split[2] (xs ++ xs)))

strided : [R[2]] ~> [R[2]]
strided xs = window[3, pad=same, stride=2] (\\w -> map (?a * head w *) w ! 1) xs

together : [R] ~> [R]
together xs = concat (map (\\x -> map (\\y -> sin (?a * x * y)) xs) xs)

chain : [[R]] -> [R]
chain = concat

best : ([R], [R]) ~> R
best (xs, ys) = ?a * sum (fst (topK[2] (xs ++ [0.5, 1]))) + sum (gather ys (snd (topK[1] ys)))

total xs = fold (\\(s, x) -> s + x) 0 xs

fixed : R[2] ~> R
fixed x = ?a * sum (exp x)

scaled xs = map (\\x -> x / toReal (length xs)) xs

slopes : [R[2]] ~> [R[2]]
slopes = grad (\\xs -> norm (fold cell zero (map Word xs)) + sum (map (\\x -> sin (x @ ?K)) xs))

flat : [R] ~> R
flat xs = ?a * sum (square (grad (\\ys -> sum (scan (\\(s, y) -> sin (s + y)) ?a ys)) xs))

curved : [R[2]] -> [R[2]]
curved xs = hessian (\\ys -> logsumexp (map norm ys ++ [1])) xs (reverse xs)

pushed : ([R], [R]) -> [R]
pushed (xs, v) = (derivative reverse xs >> derivative (scan (\\(s, x) -> s + s * x) 1) v) v

windows : [R[2]] ~> [R]
windows xs = window[2, pad=1] (flatten >> dense[1] >> head) xs
"""


@pytest.fixture(scope="module")
def session() -> Session:
    made = Session(precision=64, seed=1)
    made.run(PROGRAM)
    return made


def vectors(length: int, seed: int = 0) -> Array:
    return numpy.random.default_rng([seed, length]).normal(size=(length, 2))


def numbers(length: int, seed: int = 0) -> Array:
    return numpy.random.default_rng([seed, length, 1]).normal(size=length)


def pages(length: int, seed: int) -> list[Array]:
    return [numbers((length * k + seed) % 4, k) for k in range(length)]


MAKE: dict[str, Any] = {
    "encode": vectors,
    "states": vectors,
    "network": vectors,
    "attend": vectors,
    "windows": vectors,
    "strided": vectors,
    "together": numbers,
    "doubled": numbers,
    "best": lambda n, seed: (numbers(n, seed), numbers(n + 1, seed)),
    "slopes": vectors,
    "flat": numbers,
    "curved": vectors,
    "pushed": lambda n, seed: (numbers(n, seed), numbers(n, seed + 1)),
    "pair": lambda n, seed: (numbers(n, seed), vectors((n * 3 + seed) % 7, seed)),
    "tied": lambda n, seed: (numbers(n, seed), numbers(n, seed + 1)),
    "tokens": lambda n, seed: (numpy.arange(n) * (seed + 1) % 5, float(seed)),
    "scaled": numbers,
    "total": numbers,
    "fixed": lambda n, seed: numbers(2, seed),
}
OBJECTIVES = ["network", "pair", "tokens", "flat", "best"]
# No name of these needs a length: what has to be compiled is a bucket.
PADDED = ["strided", "together", "doubled", "best", "slopes", "flat", "curved", "pushed"]

lengths = st.lists(st.sampled_from((0, 1, 2, 3, 5, 9)), min_size=1, max_size=9)


def agree(found: Any, wanted: Any, path: str = "") -> None:
    if isinstance(wanted, tuple | list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            agree(one, other, path)
    elif isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for name in wanted:
            agree(found[name], wanted[name], f"{path}.{name}")
    else:
        assert numpy.shape(found) == numpy.shape(wanted), path
        numpy.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9, err_msg=path)


@pytest.mark.parametrize("name", MAKE)
@settings(max_examples=random_examples(3), deadline=None)
@given(lengths=lengths, seed=st.integers(0, 3))
def test_a_list_is_answered_as_its_examples_are_one_by_one(
    session: Session, name: str, lengths: list[int], seed: int
) -> None:
    examples = [MAKE[name](n, seed) for n in lengths]
    function = session[name]
    agree(function(examples), [function(example) for example in examples])


@pytest.mark.parametrize("name", OBJECTIVES)
@settings(max_examples=random_examples(2), deadline=None)
@given(lengths=lengths, seed=st.integers(0, 3))
def test_the_gradient_of_a_list_is_the_mean_of_its_examples_gradients(
    session: Session, name: str, lengths: list[int], seed: int
) -> None:
    examples = [MAKE[name](n, seed) for n in lengths]
    function = session[name]
    found = function.mean_value_and_grad(function.weights, examples)
    each = [function.value_and_grad(function.weights, example) for example in examples]
    agree(found, jax.tree.map(lambda *parts: sum(parts) / len(examples), *each))


@pytest.mark.parametrize("name", ["pages", "nested", "chain"])
def test_sequences_of_sequences_of_any_length(session: Session, name: str) -> None:
    def sums(rows: list[Array]) -> Any:
        if name == "pages":
            a = session.weights["pages"]["a"]
            return a * sum(numpy.cos(row).sum() for row in rows)
        if name == "chain":
            return numpy.concatenate([numpy.zeros(0), *rows])
        return [row[::-1] + row.sum() for row in rows]

    examples = [pages(n, seed) for n in (0, 1, 3, 5, 2) for seed in (0, 1)]
    found = session[name](examples)
    for one, rows in zip(found, examples, strict=True):
        agree(list(one) if name == "nested" else one, sums(rows))


@settings(max_examples=random_examples(5), deadline=None)
@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=5), seed=st.integers(0, 3))
def test_an_example_whose_rows_differ_in_length_is_one_example(
    session: Session, counts: list[int], seed: int
) -> None:
    rows = [numbers(n, seed) for n in counts]
    function, weights = session["pages"], session["pages"].weights
    a = weights["pages"]["a"]
    wanted = sum(numpy.cos(row).sum() for row in rows)
    agree(function(rows), a * wanted)
    agree(function([row.tolist() for row in rows] if any(counts) else rows), a * wanted)
    value, gradient = function.value_and_grad(weights, rows)
    agree((value, gradient["pages"]["a"]), (a * wanted, wanted))
    value, pullback = function.vjp(weights, rows)
    gradient, moved = pullback(2.0)
    agree((value, gradient["pages"]["a"]), (a * wanted, 2 * wanted))
    agree(list(moved), [-2 * a * numpy.sin(row) for row in rows])
    # And a batch of such is what they give alone.
    examples = [rows, rows[:1], rows[1:]]
    found = function.mean_value_and_grad(weights, examples)
    each = [function.value_and_grad(weights, example) for example in examples]
    agree(found, jax.tree.map(lambda *parts: sum(parts) / len(examples), *each))


def test_rows_of_many_lengths_compile_no_more_than_buckets(session: Session) -> None:
    session.run("paged : [[R]] ~> R\npaged xss = ?a * sum (map sum xss)")
    function = session["paged"]
    before = function.compilations
    for n in range(1, 13):
        function([numbers(n), numbers(n // 2)])
    assert function.compilations - before <= math.ceil(math.log2(12)) + 1


def test_what_an_example_alone_lacks_is_told_of_it(session: Session) -> None:
    session.run("ends : [[R]] ~> R\nends xss = ?a * sum (map last xss)")
    function = session["ends"]
    rows = [numbers(2), numbers(0)]
    for ask in (
        lambda: function(rows),
        lambda: function.value_and_grad(function.weights, rows),
        lambda: function.vjp(function.weights, rows),
    ):
        with pytest.raises(NnfpError) as caught:
            ask()
        assert "the last of nothing" in caught.value.render()
        assert "of the batch" not in caught.value.render()
    with pytest.raises(NnfpError) as caught:
        function.mean_value_and_grad(function.weights, [[numbers(2)], rows])
    assert "the last of nothing" in caught.value.render()
    assert "example 1 of the batch" in caught.value.render()


def test_there_are_no_more_compilations_than_buckets(session: Session) -> None:
    function = session.function("encode")
    before = function.compilations
    longest = 40
    for seed in range(3):
        drawn = numpy.random.default_rng(seed).integers(0, longest + 1, 30)
        function([vectors(int(n), seed) for n in [*drawn, longest]])
    buckets = math.ceil(math.log2(longest)) + 1
    assert 0 < function.compilations - before <= buckets
    known = function.compilations
    function([vectors(n) for n in range(longest)])
    assert function.compilations - before <= buckets
    assert function.compilations >= known

    objective = session.function("network")
    weights = objective.weights
    for count in (5, 80, 200):
        drawn = numpy.random.default_rng(count).integers(0, 9, count)
        objective.mean_value_and_grad(weights, [vectors(int(n)) for n in drawn])
    assert objective.compilations <= math.ceil(math.log2(8)) + 1


@pytest.mark.parametrize("name", PADDED)
def test_what_is_padded_is_compiled_for_a_bucket_and_not_for_a_length(
    session: Session, name: str
) -> None:
    function = session.function(name)
    function([MAKE[name](n, 0) for n in range(6)])
    assert function.compilations <= 4


def test_buckets_are_few() -> None:
    for longest in range(1, 2000):
        rooms = {bucket(length) for length in range(longest + 1)}
        assert len(rooms) <= math.ceil(math.log2(longest)) + 1
        assert all(bucket(n) >= n for n in range(longest + 1))


def test_a_batch_larger_than_a_run_takes_several(session: Session) -> None:
    examples = [numbers(n % 3 * 6, n) for n in range(3 * rows_of(2))]
    agree(session["total"](examples), [example.sum() for example in examples])


def test_rows_to_spare_take_examples_of_the_next_bucket(session: Session) -> None:
    session.run("summed : [R] ~> R\nsummed xs = ?a * sum (square xs)")
    function = session["summed"]
    examples = [numbers(n, 3) for n in [20, 3, 10, 0, 17, 8]]
    a = session.weights["summed"]["a"]
    agree(function(examples), [a * numpy.square(example).sum() for example in examples])
    assert function.compilations == 1  # all stand beside the longest


def test_an_example_that_is_too_short_is_named(session: Session) -> None:
    examples = [numbers(3) for _ in range(20)]
    examples[7] = examples[13] = numbers(0)
    for ask in (
        session["average"],
        lambda batch: session["average"].mean_value_and_grad(session["average"].weights, batch),
    ):
        with pytest.raises(NnfpError) as caught:
            ask(examples)
        text = caught.value.render()
        assert "the mean of nothing" in text
        assert "example 7 of the batch" in text


def test_what_is_differentiated_may_be_refused_at_run_time_too(session: Session) -> None:
    session.run("steep : [R] -> R\nsteep xs = grad (\\a -> a * a * mean xs) 3")
    examples = [numbers(n) for n in (2, 3, 0, 1)]
    with pytest.raises(NnfpError) as caught:
        session["steep"](examples)
    text = caught.value.render()
    assert "the mean of nothing" in text
    assert "example 2 of the batch" in text


def test_a_tangent_has_the_length_of_its_point(session: Session) -> None:
    examples = [(numbers(3), numbers(3)), (numbers(3), numbers(2))]
    with pytest.raises(NnfpError) as caught:
        session["pushed"](examples)
    assert "example 1 of the batch" in caught.value.render()


def test_lengths_that_differ_are_named(session: Session) -> None:
    examples = [(numbers(3), numbers(3))] * 4 + [(numbers(3), numbers(2))]
    with pytest.raises(NnfpError) as caught:
        session["tied"](examples)
    assert "example 4 of the batch" in caught.value.render()


def test_a_wrong_example_is_named_and_nothing_is_lost(session: Session) -> None:
    examples: list[Any] = [vectors(3) for _ in range(401)]
    examples[400] = numpy.zeros((2, 3))
    with pytest.raises(NnfpError) as caught:
        session["encode"](examples)
    assert "example 400" in caught.value.render()
    examples[400] = vectors(1)
    assert len(session["encode"](examples)) == 401
    with pytest.raises(NnfpError) as caught:
        session["tokens"]([(numpy.array([0, 4]), 1.0), (numpy.array([5]), 1.0)])
    assert "example 1" in caught.value.render()


def test_what_needs_a_length_is_answered_one_by_one(session: Session) -> None:
    examples = [numbers(n) for n in (2, 4, 0)]
    agree(session["halves"](examples), [x.reshape(-1, 2).prod(1).sum() for x in examples])


def test_draws_of_an_example_do_not_depend_on_the_batch(session: Session) -> None:
    session.run("noisy : [R] -> R\nnoisy xs = sum xs + draw (normal 1)")
    noisy, key = session["noisy"], jax.random.key(3)
    examples = [numbers(n) for n in (2, 5, 1)]
    keys = [jax.random.fold_in(key, k) for k in range(3)]
    wanted = [noisy(x, key=k) for x, k in zip(examples, keys, strict=True)]
    agree(noisy(examples, key=key), wanted)


def test_an_input_that_is_no_list_belongs_to_every_example(session: Session) -> None:
    session.run("times : R -> [R] -> [R]\ntimes a xs = map (a *) xs")
    examples = [numbers(n) for n in (2, 0, 3)]
    agree(session["times"](2.0, examples), [2 * x for x in examples])


def test_padding_makes_no_gradient_nan(session: Session) -> None:
    """The root of the distance to the last element: its derivative at padding of zeros, or
    at a copy of the last element, would be infinite."""
    session.run(
        "roots : [R] ~> R\n"
        "roots xs = ?a * fold (\\(s, x) -> sqrt (s * x)) 1 xs + ?b * sum (map log xs)"
    )
    roots = session["roots"]
    examples = [numpy.arange(1.0, n + 1) for n in (3, 1, 2)]
    _, gradient = roots.mean_value_and_grad(roots.weights, examples)
    assert all(numpy.isfinite(leaf) for leaf in jax.tree.leaves(gradient))


# --- pullbacks of lists ---------------------------------------------------------------------


def test_the_pullback_of_a_list_gives_each_example_its_gradient() -> None:
    session = Session(precision=64)
    session.run(
        "f : ([R[2]], R[3]) ~> [R[3]]\nf (xs, y) = map (\\x -> tanh (?W @ x + y)) (reverse xs)\n"
        "g : [(R, Int)] -> R[2] -> R\n"
        "g ps y = sum (map (\\(x, k) -> x * x) ps) * sum y"
    )
    random = numpy.random.default_rng(0)
    f, weights = session["f"], session.weights
    xs = [random.normal(size=(n, 2)) for n in (3, 1, 5, 0, 4)]
    ys = [random.normal(size=3) for _ in xs]
    examples = list(zip(xs, ys, strict=True))
    values, pullback = f.vjp(weights, examples)
    cotangents = [random.normal(size=value.shape) for value in values]
    dweights, gradients = pullback(cotangents)
    assert f.compilations <= 2 * 4  # of each bucket, there and back
    total = 0.0
    for k in (0, 1, 3):
        value, back = f.vjp(weights, examples[k])
        _, (dx, dy) = back(cotangents[k])
        assert_allclose(values[k], value, rtol=1e-9)
        assert_allclose(gradients[k][0], dx, rtol=1e-9, atol=1e-12)
        assert_allclose(gradients[k][1], dy, rtol=1e-9, atol=1e-12)
    for (x, y), c in zip(examples, cotangents, strict=True):
        slope = 1 - numpy.tanh(x[::-1] @ weights["f"]["W"].T + y) ** 2
        total += (c * slope).T @ x[::-1]
    assert_allclose(dweights["f"]["W"], total, rtol=1e-9)
    with pytest.raises(NnfpError, match="a list of 5"):
        pullback(cotangents[:4])
    with pytest.raises(NnfpError, match="the cotangent"):
        pullback([*cotangents[:4], numpy.zeros((5, 3))])

    # A sequence of products, and an input that all examples share.
    y = numpy.array([1.0, 3.0])
    pairs = [(random.normal(size=n), numpy.arange(n)) for n in (2, 0, 3)]
    values, pullback = session["g"].vjp({}, pairs, y)
    _, gradients, shared = pullback([1.0, 1.0, 2.0])
    for (x, _), (dx, dk), c in zip(pairs, gradients, (1, 1, 2), strict=True):
        assert_allclose(dx, 2 * x * 4 * c)
        assert dk == ()
    total = sum(c * x @ x for (x, _), c in zip(pairs, (1, 1, 2), strict=True))
    assert_allclose(shared, numpy.full(2, total))


def test_the_pullback_of_a_list_of_trees_is_a_list_of_trees() -> None:
    session = Session(precision=64)
    session.run(
        "data Tree = Leaf R | Node Tree Tree\n"
        "f : Tree ~> R\nf = cata { Leaf x -> x * ?w; Node l r -> l * r }"
    )
    trees = [tree("(Leaf 2)"), tree("(Node (Leaf 3) (Leaf 5))")]
    weights = {"f": {"w": numpy.array(2.0)}}
    values, pullback = session["f"].vjp(weights, trees)
    dweights, gradients = pullback([1.0, 1.0])
    assert [float(value) for value in values] == [4, 60]
    assert gradients == [tree("(Leaf 2)"), tree("(Node (Leaf 20) (Leaf 12))")]
    assert float(dweights["f"]["w"]) == 2 + 60


# --- windows over several axes, and groups ----------------------------------------------------

IMAGES = """
slid : R[n,5,2] ~> R
slid = window[2,3] (\\p -> tanh (sum (flatten (?k * p)))) >> map sum >> sum
same : R[n,5] -> R
same = window[3,2, pad=same, stride=2] (flatten >> maximum) >> map maximum >> sum
wide : R[n,5] -> R
wide = window[2,2, pad=1, dilation=2] (flatten >> sum >> square) >> flatten >> sum
pooled : R[n,5,4] -> R
pooled = pool[2,2,2] (flatten >> maximum) >> map (map sum) >> map sum >> sum
groups : [R] -> R
groups xs = sum (map (\\p -> maximum p * sum p) (split[2] xs))
"""


def test_windows_over_several_axes_and_groups_run_in_buckets() -> None:
    session = Session(precision=64)
    session.run(IMAGES)
    random = numpy.random.default_rng(2)
    weights = session.weights
    for name, shape, lengths in (
        ("slid", (5, 2), (4, 2, 7, 3)), ("same", (5,), (4, 1, 7, 3)),
        ("wide", (5,), (4, 1, 7, 3)), ("pooled", (5, 4), (4, 2, 7, 3)),
        ("groups", (), (4, 2, 8, 6)),
    ):  # fmt: skip
        function = session[name]
        examples = [random.normal(size=(n, *shape)) for n in lengths]
        values = function(examples)
        _, pullback = function.vjp(weights, examples)
        _, gradients = pullback([1.0] * 4)
        assert function.compilations <= 2 * 3 + 3  # buckets of 1, 2, 4 and 8, there and back
        for k in (0, 3):
            value, back = function.vjp(weights, examples[k])
            assert_allclose(values[k], value, rtol=1e-9)
            assert_allclose(gradients[k], back(1.0)[1], rtol=1e-9, atol=1e-12)


def test_a_length_that_the_sizes_do_not_allow_is_told_with_its_example() -> None:
    session = Session(precision=64)
    session.run(
        "pairs xs = split[2] xs\n"
        "half : R[2*n] -> R[2*n]\nhalf = map sin\n"
        "groups : [R] -> R\ngroups xs = sum (map maximum (split[2] xs))"
    )
    xs = [numpy.arange(float(n)) for n in (4, 6, 2, 5, 8)]
    for name in ("pairs", "half", "groups"):
        with pytest.raises(NnfpError) as caught:
            session[name](xs)
        assert "example 3 of the batch" in caught.value.render()
        assert len(session[name](xs[:3])) == 3
    assert session["pairs"](xs[:3])[1].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert session["pairs"].compilations <= 3
