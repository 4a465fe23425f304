"""Trees of one shape are a vector space: its laws, its derivatives, and what is told."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy
import pytest
from numpy.testing import assert_allclose

import nnfp_kernel as nnfp
from nnfp_kernel.runtime.data import DataValue

PROGRAM = """
data Tree = Leaf R[2] | Node Int Tree Tree
data Rose a = Rose (a, Bool) [Rose a] [a]
data Maybe a = Nothing | Just a
data Some a = One a | Two (Some a) (Maybe R) (Some a)
data Wave = Still C[2] | Meet Wave Wave

sums : (Tree, Tree, Tree) -> (Tree, Tree, Tree, Tree)
sums (t, u, v) = ((t + u) + v, t + (u + v), t + u, u + t)

multiples : (R, R, Tree, Tree) -> (Tree, Tree, Tree, Tree, Tree, Tree)
multiples (a, b, t, u) = (a * (t + u), a * t + u * a, (a + b) * t, a * t + b * t, -t, t - u / a)

inner : (Tree, Tree) -> R
inner (t, u) = dot t u
rosy : (R, Rose R[2], Rose R[2]) -> (Rose R[2], R)
rosy (a, t, u) = (a * t - u, dot (t - 2 * u) (u + -t))
innerWave : (Wave, Wave) -> R
innerWave (t, u) = dot t (2 * u)
beside : ((Tree, [R]), (Tree, [R])) -> ((Tree, [R]), R)
beside (x, y) = (2 * x + y, dot x y)

scaled : (R, Some R) -> Some R
scaled (a, t) = mapData (\\x -> a * x) t

total = cata { Leaf x -> sum (x * x * x); Node _ l r -> l * r }
descent : Tree -> (R, Tree)
descent t = let g = grad total t in (dot g g, t - 0.1 * g)

halved : R -> Rose R
halved = ana[3] (\\s -> RoseF (s, True) (map (\\k -> k * s) [0.5, 0.25]) []) >> (\\t -> t / 2)
doubled : R -> R
doubled s = let t = halved s in dot (t + t) t
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(PROGRAM)
    return made


def binary(random: numpy.random.Generator, leaves: int, shape: Any) -> DataValue:
    """A tree whose shape `shape` draws, and `random` its numbers."""
    if leaves == 1:
        return DataValue("Leaf", (random.normal(size=2),))
    k = int(shape.integers(1, leaves))
    children = binary(random, k, shape), binary(random, leaves - k, shape)
    return DataValue("Node", (int(random.integers(9)), *children))


def binaries(seed: int, leaves: int, count: int) -> list[DataValue]:
    random = numpy.random.default_rng(seed)
    return [binary(random, leaves, numpy.random.default_rng(seed)) for _ in range(count)]


def rose(random: numpy.random.Generator, shape: Any, depth: int, entry: tuple) -> DataValue:
    count = int(shape.integers(0, 4)) if depth else 0
    children = [rose(random, shape, depth - 1, entry) for _ in range(count)]
    more = random.normal(size=(int(shape.integers(0, 3)), *entry))
    return DataValue("Rose", ((random.normal(size=entry), bool(count)), children, more))


def roses(seed: int, count: int, entry: tuple = ()) -> list[DataValue]:
    random = numpy.random.default_rng(seed)
    return [rose(random, numpy.random.default_rng(seed), 2, entry) for _ in range(count)]


def numbers(value: Any) -> numpy.ndarray:
    """All that moves in a value, as one vector."""
    parts = [numpy.ravel(x) for x in jax.tree.leaves(value) if numpy.asarray(x).dtype.kind in "fc"]
    return numpy.concatenate(parts) if parts else numpy.zeros(0)


def labels(value: Any) -> list[Any]:
    """All that does not."""
    return [int(x) for x in jax.tree.leaves(value) if numpy.asarray(x).dtype.kind in "ib"]


@pytest.mark.parametrize("together", [False, True])
def test_trees_of_one_shape_satisfy_the_axioms_of_a_vector_space(session, together):
    examples = [binaries(seed, leaves, 3) for seed, leaves in enumerate((1, 2, 5, 9))]

    def run(name: str, inputs: list[tuple]) -> list[Any]:
        return session[name](inputs) if together else [session[name](one) for one in inputs]

    a, b = 2.5, -0.75
    for (t, u, _), (left, right, one, other) in zip(
        examples, run("sums", [tuple(three) for three in examples]), strict=True
    ):
        assert_allclose(numbers(left), numbers(right), rtol=1e-12)
        assert_allclose(numbers(one), numbers(t) + numbers(u), rtol=1e-12)
        assert_allclose(numbers(one), numbers(other), rtol=1e-12)
        assert labels(left) == labels(one) == labels(t)
        assert labels(other) == labels(u)
    pairs = [(t, u) for t, u, _ in examples]
    found = run("multiples", [(a, b, t, u) for t, u in pairs])
    for (t, u), (whole, parts, summed, each, negative, less) in zip(pairs, found, strict=True):
        assert_allclose(numbers(whole), a * (numbers(t) + numbers(u)), rtol=1e-12)
        assert_allclose(numbers(whole), numbers(parts), rtol=1e-12)
        assert_allclose(numbers(summed), (a + b) * numbers(t), rtol=1e-12)
        assert_allclose(numbers(summed), numbers(each), rtol=1e-12)
        assert_allclose(numbers(negative), -numbers(t), rtol=1e-12)
        assert_allclose(numbers(less), numbers(t) - numbers(u) / a, rtol=1e-12, atol=1e-15)
    for (t, u), inner in zip(pairs, run("inner", pairs), strict=True):
        assert_allclose(inner, numbers(t) @ numbers(u), rtol=1e-12)


def test_sequences_of_children_and_of_payload_count_with_their_true_lengths(session):
    inputs = [(0.5 + seed, *roses(seed, 2, (2,))) for seed in range(5)]
    together = session["rosy"](inputs)
    for (a, t, u), found in zip(
        [*inputs, inputs[1]], [*together, session["rosy"](inputs[1])], strict=True
    ):
        assert_allclose(numbers(found[0]), a * numbers(t) - numbers(u), rtol=1e-12, atol=1e-15)
        assert labels(found[0]) == labels(t)
        inner = (numbers(t) - 2 * numbers(u)) @ (numbers(u) - numbers(t))
        assert_allclose(found[1], inner, rtol=1e-12)


def test_the_inner_product_of_complex_trees_is_real_and_of_pairs_a_sum(session):
    x, y, z, w = numpy.random.default_rng(0).normal(size=(4, 2, 2)) @ [1, 1j]
    t, u = (nnfp.tree(["Meet", ["Still", a], ["Still", b]]) for a, b in ((x, y), (z, w)))
    wanted = 2 * (numpy.vdot(z, x) + numpy.vdot(w, y)).real
    assert_allclose(session["innerWave"]((t, u)), wanted, rtol=1e-12)
    t, u = binaries(3, 3, 2)
    (tree, xs), product = session["beside"](((t, [1.0, 2.0]), (u, [3.0, 4.0])))
    assert_allclose(numbers(tree), 2 * numbers(t) + numbers(u), rtol=1e-12)
    assert_allclose(xs, [5.0, 8.0])
    assert_allclose(product, numbers(t) @ numbers(u) + 11.0, rtol=1e-12)


@pytest.mark.parametrize("name", ["rosy", "multiples"])
def test_derivatives_agree_with_jax_with_differences_and_with_their_adjoints(session, name):
    random = numpy.random.default_rng(1)
    if name == "rosy":
        t, u, dt, du = roses(7, 4, (2,))
        point, tangent = (1.5, t, u), (0.3, dt, du)
    else:
        t, u, dt, du = binaries(7, 5, 4)
        point, tangent = (1.5, -0.5, t, u), (0.3, 0.7, dt, du)
    f = session[name]
    value, pullback = f.vjp({}, point)
    cotangent = jax.tree.map(lambda x: random.normal(size=numpy.shape(x)) if _real(x) else x, value)
    gradient = pullback(cotangent)[1]
    _, moved = f.jvp(({}, point), ({}, tangent))
    assert_allclose(
        numbers(cotangent) @ numbers(moved), numbers(gradient) @ numbers(tangent), rtol=1e-10
    )
    step = 1e-6
    there, back = (f.apply({}, _combined(point, tangent, sign * step)) for sign in (1, -1))
    differences = (numbers(there) - numbers(back)) / (2 * step)
    assert_allclose(numbers(moved), differences, rtol=1e-6, atol=1e-8)

    leaves, structure = jax.tree.flatten(point)
    real = [k for k, x in enumerate(leaves) if _real(x)]

    def of_numbers(*xs: Any) -> list[Any]:
        filled = dict(zip(real, xs, strict=True))
        own = [filled.get(k, x) for k, x in enumerate(leaves)]
        return [x for x in jax.tree.leaves(f.apply({}, structure.unflatten(own))) if _real(x)]

    _, judge = jax.vjp(of_numbers, *(jnp.asarray(leaves[k]) for k in real))
    given = [jnp.asarray(x) for x in jax.tree.leaves(cotangent) if _real(x)]
    assert_allclose(numbers(gradient), numbers(judge(given)), rtol=1e-10)


def _real(x: Any) -> bool:
    return jnp.asarray(x).dtype.kind == "f"


def _combined(point: Any, tangent: Any, step: float) -> Any:
    return jax.tree.map(lambda x, d: x + step * d if _real(x) else x, point, tangent)


def test_a_cotangent_of_a_tree_counts_once_in_what_all_nodes_share(session):
    tree = nnfp.tree("(Two (One 1) (Just 4) (Two (One 2) Nothing (One 3)))")
    cotangent = nnfp.tree("(Two (One 10) (Just 5) (Two (One 1) Nothing (One 1)))")
    slope, gradient = session["scaled"].vjp({}, (2.0, tree))[1](cotangent)[1]
    assert_allclose(slope, 15.0)
    assert gradient == nnfp.tree("(Two (One 20) (Just 5) (Two (One 2) Nothing (One 2)))")


def test_a_gradient_is_taken_off_a_tree(session):
    trees = [tree for seed in range(3) for tree in binaries(seed, 4 + seed, 1)]
    for tree, (squared, moved) in zip(trees, session["descent"](trees), strict=True):
        gradient = session["total"].vjp({}, tree)[1](1.0)[1]
        assert_allclose(squared, numbers(gradient) @ numbers(gradient), rtol=1e-10)
        assert_allclose(numbers(moved), numbers(tree) - 0.1 * numbers(gradient), rtol=1e-10)


def test_trees_that_are_written_down_are_added_once_their_payload_is_settled(session):
    cell = session.run("2 * One 1 + One 3\ndot (One [1, 2]) (One [3, 4])")
    assert [shown.value for shown in cell.outputs] == [DataValue("One", (5.0,)), 11.0]
    session.run("scale2 : Some a -> Some a\nscale2 t = t + t")
    assert session["scale2"](DataValue("One", (2.0,))) == DataValue("One", (4.0,))


def test_a_grown_tree_is_scaled_and_is_not_added_to_another(session):
    found = session["halved"](2.0)
    assert_allclose(float(found.fields[0][0]), 1.0)
    with pytest.raises(nnfp.NnfpError, match="known only at run time"):
        session["doubled"](2.0)


@pytest.mark.parametrize("together", [False, True])
def test_trees_of_two_shapes_are_told_at_the_call(session, together):
    t, u = binaries(0, 3, 2)
    other = DataValue("Leaf", (numpy.ones(2),))
    wrong: Any = [(t, u), (t, other)] if together else (t, other)
    with pytest.raises(nnfp.NnfpError) as caught:
        session["inner"](wrong)
    said = caught.value.render()
    assert "a Node stands opposite a Leaf: the trees differ in shape" in said
    assert "dot t u" in said
    assert ("example 1" in said) == together
    one, two = (DataValue("Rose", ((numpy.ones(2), True), [], numpy.ones((k, 2)))) for k in (1, 2))
    with pytest.raises(nnfp.NnfpError, match="the arrays of a Rose differ in length"):
        session["rosy"]((1.0, one, two))


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("data Sign = Plus | Minus\nPlus + Minus", "Sign is not a vector space"),
        ("data Word = Empty | Letter Fin[26] Word\nf : Word -> Word\nf w = 2 * w", "Word is not"),
        ("data Only a = Only a\n2 * Only True", "not a vector space"),
        ("f : Tree -> Tree\nf t = zero", "`0 * t`"),
        ("f : Tree -> Tree\nf t = t * t", "only scales"),
    ],
)
def test_what_is_no_vector_space_is_told_with_its_place(session, source, told):
    with pytest.raises(nnfp.NnfpError) as caught:
        session.run(source)
    assert told in caught.value.render()
