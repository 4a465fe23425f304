"""`Function` from Python: what it is a function of, and that JAX may transform it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import jax
import numpy
import pytest

import nnfp_kernel as nnfp

PROGRAM = """
rep Word = R[3]

cell : (R[4], Word) ~> R[4]
cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)

encode : [Word] ~> R[4]
encode = fold cell zero

classify : [Word] ~> R[2]
classify = encode >> dense[2]

objective : ([Word], Fin[2]) ~> R
objective (xs, label) = crossEntropy (classify xs) label

curried : R[3] -> R[3] -> R
curried x y = dot x (2 * y)

both : R[3] -> (R[3], (R, Fin[3]))
both x = (2 * x, (sum x, argmax x))
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(PROGRAM)
    return made


@pytest.fixture(scope="module")
def random() -> numpy.random.Generator:
    return numpy.random.default_rng(0)


def equal(one: Any, other: Any, relative: float = 1e-12) -> None:
    """Two nested values agree in structure and numbers."""
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        numpy.testing.assert_allclose(a, b, rtol=relative, atol=1e-12)


# --- types and values --------------------------------------------------------------------------


def test_a_function_knows_its_type(session: nnfp.Session) -> None:
    assert session["encode"].type == "[Word] ~> R[4]"
    assert session["curried"].type == "R[3] -> R[3] -> R"
    assert session["objective"].type == "([Word], Fin[2]) ~> R"


def test_a_constant_without_weights_is_its_value() -> None:
    made = nnfp.Session(precision=64)
    made.run("half = 0.5\npair = ([1, 2], 3)\nnothing : R[0]\nnothing = zero")
    assert float(made["half"]) == 0.5
    vector, number = made["pair"]
    numpy.testing.assert_array_equal(vector, [1, 2])
    assert float(number) == 3
    assert made["nothing"].shape == (0,)


def test_products_are_tuples_and_indices_integers(session: nnfp.Session) -> None:
    doubled, (total, place) = session["both"](numpy.array([1.0, 5.0, 2.0]))
    numpy.testing.assert_array_equal(doubled, [2, 10, 4])
    assert float(total) == 8
    assert int(place) == 1
    assert numpy.issubdtype(place.dtype, numpy.integer)


def test_what_is_asked_for_by_an_unknown_name_is_an_error(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError) as unknown:
        session["encoder"]
    assert "encode" in unknown.value.render()  # the nearest name


def test_the_library_is_at_hand(session: nnfp.Session, random: Any) -> None:
    x = random.normal(size=5)
    numpy.testing.assert_allclose(session["softmax"](x), jax.nn.softmax(x), rtol=1e-12)


def test_a_curried_function_takes_its_arguments_together(session: nnfp.Session) -> None:
    x, y = numpy.array([1.0, 2, 3]), numpy.array([-1.0, 0, 1])
    assert float(session["curried"](x, y)) == 4
    _, pullback = session["curried"].vjp({}, x, y)
    weights, dx, dy = pullback(1.0)
    assert weights == {}
    numpy.testing.assert_array_equal(dx, 2 * y)
    numpy.testing.assert_array_equal(dy, 2 * x)


# --- transformations ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(session: nnfp.Session) -> Any:
    return session["classify"].init(jax.random.key(3))


def test_apply_is_pure(session: nnfp.Session, weights: Any, random: Any) -> None:
    """Neither the session's weights nor later cells have a part in it."""
    classify, xs = session["classify"], random.normal(size=(5, 3))
    before = classify.apply(weights, xs)
    kept = session.weights
    session.weights = jax.tree.map(lambda leaf: leaf + 1, kept)
    equal(classify.apply(weights, xs), before)
    session.weights = kept


def test_apply_composes_with_jit(session: nnfp.Session, weights: Any, random: Any) -> None:
    classify, xs = session["classify"], random.normal(size=(5, 3))
    equal(jax.jit(classify.apply)(weights, xs), classify.apply(weights, xs))


def test_apply_composes_with_vmap(session: nnfp.Session, weights: Any, random: Any) -> None:
    classify, xs = session["classify"], random.normal(size=(6, 5, 3))
    mapped = jax.vmap(classify.apply, (None, 0))(weights, xs)
    equal(mapped, numpy.stack([classify.apply(weights, x) for x in xs]))


def test_apply_composes_with_grad(session: nnfp.Session, weights: Any, random: Any) -> None:
    objective, example = session["objective"], (random.normal(size=(5, 3)), 1)
    value, gradient = objective.value_and_grad(weights, example)
    judged, judge = jax.value_and_grad(objective.apply)(weights, example)
    equal(value, judged)
    equal(gradient, judge, 1e-10)


def test_derivatives_compose_with_jit_and_vmap(
    session: nnfp.Session, weights: Any, random: Any
) -> None:
    objective = session["objective"]
    xs, labels = random.normal(size=(4, 5, 3)), numpy.array([0, 1, 1, 0])

    def gradient(xs: Any, label: Any) -> Any:
        return objective.value_and_grad(weights, (xs, label))[1]

    together = jax.jit(jax.vmap(gradient))(xs, labels)
    singly = [gradient(x, label) for x, label in zip(xs, labels, strict=True)]
    equal(together, jax.tree.map(lambda *leaves: numpy.stack(leaves), *singly), 1e-10)


def test_second_derivatives_by_jax_of_our_gradient(
    session: nnfp.Session, weights: Any, random: Any
) -> None:
    objective, example = session["objective"], (random.normal(size=(3, 3)), 0)
    direction = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), weights)

    def ours(w: Any) -> Any:
        return objective.value_and_grad(w, example)[1]

    def theirs(w: Any) -> Any:
        return jax.grad(objective.apply)(w, example)

    equal(
        jax.jvp(ours, (weights,), (direction,))[1],
        jax.jvp(theirs, (weights,), (direction,))[1],
        1e-8,
    )


def test_apply_composes_with_shard_map(session: nnfp.Session, weights: Any, random: Any) -> None:
    from jax.sharding import Mesh, PartitionSpec

    classify, xs = session["classify"], random.normal(size=(4, 5, 3))
    mesh = Mesh(numpy.array(jax.devices()[:1]), ("batch",))
    sharded = jax.shard_map(
        jax.vmap(classify.apply, (None, 0)),
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec("batch")),
        out_specs=PartitionSpec("batch"),
    )
    equal(sharded(weights, xs), jax.vmap(classify.apply, (None, 0))(weights, xs))


def test_jvp_and_vjp_are_adjoint(session: nnfp.Session, weights: Any, random: Any) -> None:
    classify, xs = session["classify"], random.normal(size=(5, 3))
    dweights = jax.tree.map(lambda leaf: random.normal(size=leaf.shape), weights)
    dxs, w = random.normal(size=xs.shape), random.normal(size=2)
    value, tangent = classify.jvp((weights, xs), (dweights, dxs))
    same, pullback = classify.vjp(weights, xs)
    gradients, gradient = pullback(w)
    equal(value, same)
    pulled = sum(
        (a * b).sum()
        for a, b in zip(jax.tree.leaves(gradients), jax.tree.leaves(dweights), strict=True)
    )
    numpy.testing.assert_allclose(
        float(tangent @ w), float(pulled + (gradient * dxs).sum()), rtol=1e-10
    )


def test_the_gradient_of_an_index_is_nothing(session: nnfp.Session, weights: Any) -> None:
    _, pullback = session["objective"].vjp(weights, (numpy.ones((2, 3)), 1))
    _, (sequence, index) = pullback(1.0)
    assert sequence.shape == (2, 3)
    assert index == ()


# --- batches -----------------------------------------------------------------------------------


def test_a_batch_is_its_examples_one_by_one(session: nnfp.Session, random: Any) -> None:
    xs = random.normal(size=(6, 5, 3))
    equal(session["classify"].batch(xs), numpy.stack([session["classify"](x) for x in xs]))


def test_a_batch_of_pairs_is_a_pair_of_batches(session: nnfp.Session, random: Any) -> None:
    objective = session["objective"]
    xs, labels = random.normal(size=(4, 5, 3)), numpy.array([0, 1, 1, 0])
    singly = [objective((x, label)) for x, label in zip(xs, labels, strict=True)]
    equal(objective.batch((xs, labels)), numpy.stack(singly))


def test_a_batch_of_a_curried_function(session: nnfp.Session, random: Any) -> None:
    xs, ys = random.normal(size=(2, 4, 3))
    singly = [session["curried"](x, y) for x, y in zip(xs, ys, strict=True)]
    equal(session["curried"].batch(xs, ys), numpy.stack(singly))


@pytest.mark.parametrize("count", [0, 1])
def test_a_batch_of_none_and_of_one(session: nnfp.Session, count: int) -> None:
    assert session["classify"].batch(numpy.ones((count, 5, 3))).shape == (count, 2)


def test_a_list_is_a_batch_of_different_lengths(session: nnfp.Session, random: Any) -> None:
    classify = session["classify"]
    examples = [random.normal(size=(length, 3)) for length in (3, 0, 5, 1, 3)]
    answers = classify(examples)
    assert len(answers) == 5
    for answer, example in zip(answers, examples, strict=True):
        equal(answer, classify(example))


def test_a_list_of_none_is_answered_by_none(session: nnfp.Session) -> None:
    assert len(session["classify"]([])) == 0


def test_an_empty_sequence_folds_to_the_start(session: nnfp.Session) -> None:
    numpy.testing.assert_array_equal(session["encode"](numpy.zeros((0, 3))), numpy.zeros(4))


# --- looking -----------------------------------------------------------------------------------


def test_a_function_shows_its_graph_and_its_derivative(session: nnfp.Session) -> None:
    for name in ("classify", "both", "curried"):
        function = session[name]
        assert str(function.graph())
        assert str(function.derivative())


def test_the_type_of_an_expression_settles_nothing(session: nnfp.Session) -> None:
    assert session.type("encode >> norm") == "[Word] ~> R"
    assert session.type("\\x -> tanh (x : R[2])") == "R[2] -> R[2]"
    assert session.type("[1, 2, 3]") == "R[3]"


# --- precision ---------------------------------------------------------------------------------


def test_64_bits_are_64_bits_throughout(session: nnfp.Session) -> None:
    classify = session["classify"]
    weights = classify.init(jax.random.key(0))
    value, pullback = classify.vjp(weights, numpy.ones((2, 3), numpy.float32))
    for leaf in jax.tree.leaves((weights, value, pullback(numpy.ones(2)))):
        assert leaf.dtype == numpy.float64
    assert all(leaf.dtype == numpy.float64 for leaf in jax.tree.leaves(session.weights))


def run_in_32_bits(program: str) -> str:
    """What a Python program prints in a process that nobody has set to 64 bits."""
    import os

    environment = {key: value for key, value in os.environ.items() if key != "JAX_ENABLE_X64"}
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_32_bits_are_the_default_and_are_32_bits_throughout() -> None:
    printed = run_in_32_bits(
        f"""
        import jax, numpy, warnings
        warnings.simplefilter("error")  # a truncated dtype is a warning of jax's
        import nnfp_kernel as nnfp
        session = nnfp.Session()
        session.run({PROGRAM!r})
        objective = session["objective"]
        weights = objective.init(jax.random.key(0))
        xs = numpy.linspace(-1, 1, 15).reshape(5, 3)
        value, gradient = objective.value_and_grad(weights, (xs, 1))
        judge = jax.grad(objective.apply)(weights, (xs, 1))
        for leaf in jax.tree.leaves((weights, value, gradient, session.weights)):
            assert leaf.dtype == numpy.float32, leaf.dtype
        for a, b in zip(jax.tree.leaves(gradient), jax.tree.leaves(judge), strict=True):
            numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        doubled, (total, place) = session["both"](numpy.array([1.0, 5.0, 2.0]))
        assert place.dtype == numpy.int32, place.dtype
        assert doubled.dtype == numpy.float32
        assert not jax.config.jax_enable_x64
        print("float32")
        """
    )
    assert printed == "float32\n"


def test_first_values_are_the_same_numbers_in_both_precisions(session: nnfp.Session) -> None:
    """Not promised to the bit, but a seed means the same network: the shapes, the scale."""
    printed = run_in_32_bits(
        f"""
        import numpy
        import nnfp_kernel as nnfp
        session = nnfp.Session()
        session.run({PROGRAM!r})
        print(sorted(session.weights), numpy.asarray(session.weights["cell"]["W"]).shape)
        """
    )
    assert printed == "['cell', 'classify'] (4, 4)\n"


def test_shard_map_over_four_devices() -> None:
    printed = run_in_32_bits(
        f"""
        import os
        os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
        os.environ["JAX_PLATFORMS"] = "cpu"
        import jax, numpy
        from jax.sharding import Mesh, PartitionSpec
        import nnfp_kernel as nnfp
        session = nnfp.Session()
        session.run({PROGRAM!r})
        classify = session["classify"]
        weights = classify.init(jax.random.key(0))
        xs = numpy.linspace(-1, 1, 8 * 5 * 3).reshape(8, 5, 3)
        mesh = Mesh(numpy.array(jax.devices()), ("batch",))
        over = jax.vmap(classify.apply, (None, 0))
        sharded = jax.jit(jax.shard_map(
            over, mesh=mesh, in_specs=(PartitionSpec(), PartitionSpec("batch")),
            out_specs=PartitionSpec("batch")))
        found = sharded(weights, xs)
        assert len(found.sharding.device_set) == 4
        numpy.testing.assert_allclose(found, over(weights, xs), rtol=1e-5, atol=1e-6)
        print(len(jax.devices()))
        """
    )
    assert printed == "4\n"


def test_a_graph_without_inputs_is_that_of_the_smallest_tree() -> None:
    made = nnfp.Session(precision=64)
    made.run(
        "data Tree = Node Tree Tree | Leaf R[4]\n"
        "tree : Tree ~> R[2]\n"
        "tree = cata { Leaf x -> tanh (?E @ x) ; Node l r -> ?L @ l + r }\n"
    )
    assert [str(wire.type) for wire in made["tree"].graph().inputs] == ["R[4]", "R[2,4]"]


@pytest.mark.parametrize(
    "program",
    [
        "f g x = g (g x)",
        "data Odd = Odd Odd\nf : Odd -> R\nf _ = 1",
    ],
)
def test_a_graph_of_what_is_not_made_of_numbers_is_an_error(program: str) -> None:
    made = nnfp.Session(precision=64)
    made.run(program)
    with pytest.raises(nnfp.NnfpError) as refused:
        made["f"].graph()
    assert "f" in refused.value.render()


def test_a_cotangent_goes_back_through_a_constructor_that_was_chosen() -> None:
    """Only a tag says which it was; the cotangent is a tree of the same shape."""
    made = nnfp.Session(precision=64)
    made.run(
        "data Shape = Dot R | Box R[2] R\n"
        "pick : R -> Shape\n"
        "pick x = if x > 0 then Dot (x * x) else Box [x, 3 * x] x\n"
        "pair : R -> (R, Shape)\npair x = (2 * x, pick x)"
    )
    dot, box = made.constructor("Dot"), made.constructor("Box")
    for x, cotangent, wanted in (
        (2.0, dot(3.0), 12.0),
        (-1.0, box(numpy.array([1.0, 2.0]), 5.0), 12.0),
    ):
        _, pullback = made["pick"].vjp({}, x)
        assert float(pullback(cotangent)[1]) == wanted
        _, pullback = made["pair"].vjp({}, x)
        assert float(pullback((1.0, cotangent))[1]) == wanted + 2
    _, pullback = made["pick"].vjp({}, -1.0)
    for wrong in (dot(1.0), 1.0, (1.0,)):
        with pytest.raises(nnfp.NnfpError, match="the cotangent is"):
            pullback(wrong)


def test_a_pullback_keeps_only_what_is_dear_to_make_again() -> None:
    made = nnfp.Session(precision=64)
    terms = " + ".join(f"{k} * x" for k in range(1, 300))
    made.run(f"long x = sin ({terms})\ndear x = let y = exp x in sin (y + y) * (y + 1)")
    for name, most in (("long", 1), ("dear", 3)):
        function, x = made[name], numpy.linspace(0.0, 0.01, 5)
        call = function.calls.unpacked((x,))
        forward, _, outputs = call.split
        assert len(forward(x)) - outputs <= most
        _, pullback = function.vjp({}, x)
        (wanted,) = jax.vjp(lambda x, of=function: of.apply({}, x), x)[1](numpy.ones(5))
        numpy.testing.assert_allclose(pullback(numpy.ones(5))[1], wanted, rtol=1e-9)
