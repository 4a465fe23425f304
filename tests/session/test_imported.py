"""JAX functions and values that Python brings into a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy
import pytest
from jax.test_util import check_grads

import nnfp_kernel as nnfp


def mixed(x: Any) -> Any:
    return jnp.sin(x).sum() * x


def of_two(x: Any, y: Any) -> Any:
    return {"b": x @ y, "a": (jnp.cumsum(x), y * 2)}


@jax.custom_vjp
def tenfold(x: Any) -> Any:
    """Its derivative is its own: ten times what it would be."""
    return x**2


tenfold.defvjp(lambda x: (x**2, x), lambda x, w: (20 * x * w,))


@jax.custom_jvp
def shifted(x: Any) -> Any:
    return x**3


shifted.defjvp(lambda xs, ts: (xs[0] ** 3, 7 * ts[0]))

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "mixed": mixed,
    "ofTwo": of_two,
    "tenfold": tenfold,
    "shifted": shifted,
    "relu": lambda x: x + 100,  # of the library's names
    "squared": lambda z: z * z,
    "until": lambda x: jax.lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x), (0, 1.0))[1],
    "outside": lambda x: numpy.linalg.svd(x),
    "parts": lambda pair: pair[0] * pair[1].sum(),
}  # fmt: skip


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    for name, function in FUNCTIONS.items():
        made.bind(name, function)
    return made


X = numpy.array([0.5, -1.0, 2.0])
V = numpy.array([1.0, 0.25, -2.0])


def same(found: Any, wanted: Any) -> None:
    jax.tree.map(lambda a, b: numpy.testing.assert_allclose(a, b, rtol=1e-12), found, wanted)


def test_the_type_is_what_comes_out_of_what_goes_in(session: nnfp.Session) -> None:
    assert session.type("mixed") == "a -> b where b = mixed a"
    assert session.type("mixed [1, 2, 3]") == "R[3]"
    assert session.type("ofTwo [1, 2] [3, 4]") == "((R[2], R[2]), R)"
    assert session.type("map mixed [[1, 2], [3, 4]]") == "R[2,2]"
    assert session.type("\\x -> mixed (2 * x : R[4])") == "R[4] -> R[4]"
    assert session.type("parts (2, [3, 4])") == "R"


def test_the_value_is_the_functions_own(session: nnfp.Session) -> None:
    same(session.function("mixed")(X), mixed(X))
    found = session.evaluate("ofTwo [1, 2] [3, 4]")
    same(found, (of_two(jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0]))["a"], 11.0))
    same(session.evaluate("parts (2, [3, 4])"), 14.0)
    assert float(session.evaluate("relu 1")) == 101  # before the library's


def test_the_derivative_is_by_its_own_rules(session: nnfp.Session) -> None:
    g = session.function("\\x -> mixed (2 * x : R[3])")
    same(g.jvp(({}, X), ({}, V)), jax.jvp(lambda x: mixed(2 * x), (X,), (V,)))
    same(g.vjp({}, X)[1](V)[1], jax.vjp(lambda x: mixed(2 * x), X)[1](V)[0])
    for name in ("tenfold", "shifted"):
        own = session.function(f"\\x -> {name} (x : R)")
        factor = {"tenfold": 60.0, "shifted": 7.0}[name]
        assert float(own.vjp({}, 3.0)[1](1.0)[1]) == factor
        assert float(own.jvp(({}, 3.0), ({}, 1.0))[1]) == factor
    numbers = session.function("\\x -> sum (mixed (x : R[3]))")
    check_grads(lambda x: numbers.apply({}, x), (X,), 2, rtol=1e-6)  # finite differences


def test_second_derivatives_batches_and_loops_are_right(session: nnfp.Session) -> None:
    def total(x: Any) -> Any:
        return mixed(x).sum()

    session.run("total : R[3] -> R\ntotal x = sum (mixed x)")
    session.run("second : R[3] -> R[3,3]\nsecond x = matrix (hessian total x)")
    same(session["second"](X), jax.hessian(total)(X))
    session.run(
        "inside : R[2,3] -> R\ninside xs = sum (map (\\x -> sum (square (grad total x))) xs)"
    )
    inside = session["inside"]
    both = numpy.stack([X, V])
    expected = jax.grad(lambda xs: (jax.vmap(jax.grad(total))(xs) ** 2).sum())
    same(inside.vjp({}, both)[1](1.0)[1], expected(both))
    session.run("folded : R[3] -> R\nfolded = fold (\\(s, x) -> sum (mixed [s, x])) 0.1")

    def folded(x: Any) -> Any:
        s = 0.1
        for k in range(3):
            s = mixed(jnp.stack([s, x[k]])).sum()
        return s

    same(session["folded"].vjp({}, X)[1](1.0)[1], jax.grad(folded)(X))


def test_the_adjoint_of_a_complex_function_is_that_of_the_real_inner_product(
    session: nnfp.Session,
) -> None:
    u, w = 0.3 - 1.0j, 1.0 + 1.0j
    f = session.function("\\z -> squared (z : C)")
    pushed = complex(f.jvp(({}, 1.0 + 2.0j), ({}, u))[1])
    pulled = complex(f.vjp({}, 1.0 + 2.0j)[1](w)[1])
    assert (pushed.conjugate() * w).real == pytest.approx((u.conjugate() * pulled).real)


def test_weights_are_trained_through_it(session: nnfp.Session) -> None:
    session.run("through : R[3] ~> R[3]\nthrough x = mixed (?w * x) where ?w : R[3] ~ ones")
    data = (numpy.stack([X, V]), numpy.stack([mixed(2 * X), mixed(2 * V)]))

    def error() -> float:
        return float(numpy.square(session["through"](X) - data[1][0]).sum())

    before = error()
    for _ in session.train("through", data, loss="squaredError", steps=200, rate=0.02, batch=2):
        pass
    assert error() < before / 10


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("outside [[1, 2], [3, 4]]", "a function of Python's, does not take R[2,2]"),
        ("grad until 3", "has no derivative in reverse"),
        ("mixed[3] [1]", "mixed"),
    ],
)
def test_what_it_refuses_is_told_in_its_own_words(
    session: nnfp.Session, expression: str, told: str
) -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        session.evaluate(expression)
    assert told in " ".join(caught.value.render().split())
    assert "Traceback" not in caught.value.render()


def test_a_definition_and_another_value_take_its_place() -> None:
    session = nnfp.Session(precision=64)
    session.bind("f", mixed)
    session.run("g x = f (x : R[2])")
    session.bind("f", lambda x: 3 * x)
    assert list(session["g"](numpy.ones(2))) == [3.0, 3.0]  # what uses it uses the newest
    session.run("f x = x / 2")
    assert list(session["g"](numpy.ones(2))) == [0.5, 0.5]
    session.bind("f", 4.0)
    assert float(session.evaluate("f + 1")) == 5.0
    with pytest.raises(ValueError, match="takes no arguments"):
        session.bind("f", lambda: 1)
    assert session.type("f") == "R"


def test_pytrees_are_tuples() -> None:
    session = nnfp.Session(precision=64)
    session.bind("p", {"b": numpy.ones(2), "W": (numpy.ones((2, 3)), 1)})
    assert session.type("p") == "((R[2,3], Int), R[2])"
    assert float(session.evaluate("let ((w, _), b) = p in sum (w @ [1, 1, 1] + b)")) == 8.0
    with pytest.raises(ValueError, match="JAX functions"):
        session.bind("p", "text")
