"""Mistakes in what Python hands over: an NnfpError that says what was found and wanted."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy
import pytest

import nnfp_kernel as nnfp

PROGRAM = """
rep Word = R[3]
data Shape = Dot R | Box R[2] R

vector : R[3] -> R[3]
vector x = 2 * x

square_ : R[n,n] -> R
square_ m = sum (flatten m)

zipped : (R[n], R[n]) -> R[n]
zipped = zipWith (+)

sequence : [Word] -> R[3]
sequence = fold (\\(h, Word x) -> h + x) zero

pick_ : Fin[3] -> R
pick_ i = [1, 2, 3] ! i

count : Int -> R
count i = toReal i

truth : Bool -> R
truth b = if b then 1 else 0

area : Shape -> R
area s = case s of { Dot x -> x; Box b y -> sum b + y }

shorter : R[n] -> R[n-2]
shorter = window[3] sum

average : R[n] -> R
average = mean

layer : R[3] ~> R[2]
layer x = ?W @ x + ?b

two : R[3] -> R[2] -> R
two x y = sum x + sum y

nested : (R[3], (R, Fin[2])) -> R
nested (x, (y, i)) = sum x + y + toReal i

twice : R[3] -> R[3]
twice x = 2 * x
noisy : R[3] -> R[3]
noisy x = x + draw (normal 1)

loss : R[3] -> R
loss x = sum (noisy x)
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(PROGRAM)
    return made


def words(error: nnfp.NnfpError) -> str:
    """The rendered text; HTML is rendered too."""
    assert "<" in error.render_html()
    assert error.span is not None
    return error.render()


MISTAKES: list[tuple[str, tuple[Any, ...], list[str]]] = [
    ("vector", (numpy.ones(4),), ["vector", "R[4]", "R[3]"]),
    ("vector", (numpy.ones((3, 1)),), ["vector", "R[3,1]", "R[3]"]),
    ("vector", (1.0,), ["vector", "R[3]"]),
    ("vector", ("text",), ["vector", "R[3]"]),
    ("vector", (None,), ["vector", "R[3]"]),
    ("vector", (object(),), ["vector", "R[3]"]),
    ("vector", ({"a": 1},), ["vector", "R[3]"]),
    ("vector", (numpy.array(["a", "b", "c"]),), ["vector", "R[3]"]),
    ("vector", (numpy.array([1, "b", None], dtype=object),), ["vector", "R[3]"]),
    ("vector", (numpy.ones(3) * 1j,), ["vector", "C[3]", "R"]),
    ("vector", (numpy.ones(3, dtype=bool),), ["vector", "Bool[3]", "R"]),
    ("vector", ((numpy.ones(3), numpy.ones(3)),), ["vector", "R[3]"]),
    ("vector", (), ["vector"]),
    ("vector", (numpy.ones(3), numpy.ones(3)), ["vector", "2"]),
    ("square_", (numpy.ones((2, 3)),), ["square_", "R[2,3]"]),
    ("zipped", ((numpy.ones(2), numpy.ones(3)),), ["zipped", "2", "3"]),
    ("zipped", (numpy.ones(2),), ["zipped", "tuple"]),
    ("zipped", ((numpy.ones(2),),), ["zipped", "tuple"]),
    ("sequence", (numpy.ones((4, 2)),), ["sequence", "R[4,2]"]),
    ("sequence", (numpy.ones(3),), ["sequence", "R[3]"]),
    ("pick_", (3,), ["pick_", "3", "0 to 2"]),
    ("pick_", (-1,), ["pick_", "-1", "0 to 2"]),
    ("pick_", (1.0,), ["pick_", "Fin[3]"]),
    ("pick_", (numpy.array([1, 2]),), ["pick_", "Fin[3]"]),
    ("count", (1.5,), ["count", "Int"]),
    ("truth", (1,), ["truth", "Bool"]),
    ("area", (1.0,), ["area", "Shape"]),
    ("shorter", (numpy.ones(1),), ["shorter"]),
    ("average", (numpy.ones(0),), ["average"]),
    ("two", (numpy.ones(3), numpy.ones(3)), ["two", "R[3]", "R[2]"]),
    ("nested", ((numpy.ones(3), (1.0, 2)),), ["nested", "2", "0 to 1"]),
    ("nested", ((numpy.ones(3), 1.0),), ["nested", "tuple"]),
]


@pytest.mark.parametrize(("name", "inputs", "says"), MISTAKES)
def test_an_input_that_does_not_fit_is_told_what_was_found_and_wanted(
    session: nnfp.Session, name: str, inputs: tuple[Any, ...], says: list[str]
) -> None:
    function = session[name]
    for run in (
        lambda: function(*inputs),
        lambda: function.apply({}, *inputs),
        lambda: function.vjp({}, *inputs),
    ):
        with pytest.raises(nnfp.NnfpError) as misfit:
            run()
        text = words(misfit.value)
        for part in says:
            assert part in text, text


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("vector", (numpy.ones((2, 4)),)),
        ("vector", (numpy.ones(3),)),
        ("vector", (1.0,)),
        ("vector", ([numpy.ones(3), numpy.ones(4)],)),
        ("zipped", ((numpy.ones((2, 3)), numpy.ones((3, 3))),)),
        ("two", (numpy.ones((2, 3)), numpy.ones((3, 2)))),
        ("pick_", (numpy.array([0, 3]),)),
        ("average", (numpy.ones((2, 0)),)),
    ],
)
def test_a_batch_that_does_not_fit(
    session: nnfp.Session, name: str, inputs: tuple[Any, ...]
) -> None:
    with pytest.raises(nnfp.NnfpError) as misfit:
        session[name].batch(*inputs)
    assert name in words(misfit.value)


def test_a_list_names_the_example_that_does_not_fit(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError) as misfit:
        session["vector"]([numpy.ones(3), numpy.ones(3), numpy.ones(4)])
    text = words(misfit.value)
    assert "R[4]" in text
    assert "example 2" in text or "example 3" in text
    with pytest.raises(nnfp.NnfpError) as empty:
        session["average"]([numpy.ones(2), numpy.ones(0)])
    assert "example" in words(empty.value)


def test_lists_of_different_lengths_do_not_go_together(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError) as misfit:
        session["two"]([numpy.ones(3)] * 2, [numpy.ones(2)] * 3)
    assert "two" in words(misfit.value)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({}, ["layer.W"]),
        ({"layer": {"W": numpy.ones((2, 3))}}, ["layer.b"]),
        ({"layer": {"W": numpy.ones((3, 2)), "b": numpy.ones(2)}}, ["layer.W", "R[3,2]", "R[2,3]"]),
        ({"layer": {"W": numpy.ones((2, 3)), "b": 1.0}}, ["layer.b"]),
        ({"layer": {"W": "text", "b": numpy.ones(2)}}, ["layer.W"]),
        ({"layer": None}, ["layer.W"]),
        (None, ["layer.W"]),
        ({"layer": numpy.ones(3)}, ["layer.W"]),
        ({"layer": {"W": numpy.ones((2, 3)) * 1j, "b": numpy.ones(2)}}, ["layer.W"]),
    ],
)
def test_weights_that_are_missing_or_do_not_fit(
    session: nnfp.Session, weights: Any, says: list[str]
) -> None:
    layer = session["layer"]
    for run in (
        lambda: layer.apply(weights, numpy.ones(3)),
        lambda: layer.vjp(weights, numpy.ones(3)),
        lambda: layer.jvp((weights, numpy.ones(3)), (weights, numpy.ones(3))),
    ):
        with pytest.raises(nnfp.NnfpError) as misfit:
            run()
        text = words(misfit.value)
        for part in says:
            assert part in text, text


def test_weights_that_are_not_reached_are_left_alone(session: nnfp.Session) -> None:
    layer = session["layer"]
    weights = {**layer.init(jax.random.key(0)), "other": {"W": numpy.ones(7)}}
    assert layer.apply(weights, numpy.ones(3)).shape == (2,)


@pytest.mark.parametrize("cotangent", [numpy.ones(3), 1.0, (numpy.ones(2),) * 2, "text", None])
def test_a_cotangent_that_does_not_fit(session: nnfp.Session, cotangent: Any) -> None:
    layer = session["layer"]
    _, pullback = layer.vjp(layer.init(jax.random.key(0)), numpy.ones(3))
    with pytest.raises(nnfp.NnfpError) as misfit:
        pullback(cotangent)
    assert "layer" in words(misfit.value)


@pytest.mark.parametrize("tangent", [numpy.ones(4), 1.0, "text"])
def test_a_tangent_that_does_not_fit(session: nnfp.Session, tangent: Any) -> None:
    with pytest.raises(nnfp.NnfpError) as misfit:
        session["vector"].jvp(({}, numpy.ones(3)), ({}, tangent))
    assert "vector" in words(misfit.value)


def test_an_objective_gives_one_number(session: nnfp.Session) -> None:
    layer = session["layer"]
    with pytest.raises(nnfp.NnfpError) as many:
        layer.value_and_grad(layer.init(jax.random.key(0)), numpy.ones(3))
    assert "layer" in words(many.value)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Dot", ()),
        ("Dot", (numpy.ones(2),)),
        ("Dot", (1.0, 2.0)),
        ("Box", (1.0, 1.0)),
        ("Box", (numpy.ones(3), 1.0)),
        ("Box", (numpy.ones(2), "text")),
        ("Circle", (1.0,)),
        ("Word", (1.0,)),
    ],
)
def test_a_constructor_that_is_misused(
    session: nnfp.Session, name: str, fields: tuple[Any, ...]
) -> None:
    with pytest.raises(nnfp.NnfpError) as misfit:
        session.constructor(name)(*fields)
    assert name in words(misfit.value)


def test_a_value_of_a_data_type_goes_in(session: nnfp.Session) -> None:
    dot, box = session.constructor("Dot"), session.constructor("Box")
    assert float(session["area"](dot(3.0))) == 3
    assert float(session["area"](box(numpy.array([1.0, 2.0]), 4))) == 7


@pytest.mark.parametrize("value", [numpy.ones(3), jax.numpy.ones(3), numpy.ones(3).tolist])
def test_an_array_may_be_of_numpy_or_of_jax(session: nnfp.Session, value: Any) -> None:
    if callable(value):  # a list is a batch, of three numbers here
        with pytest.raises(nnfp.NnfpError):
            session["vector"](value())
    else:
        assert session["vector"](value).shape == (3,)


def test_integers_and_short_floats_are_taken_as_reals(session: nnfp.Session) -> None:
    for dtype in (numpy.int32, numpy.int8, numpy.uint8, numpy.float16, numpy.float32):
        assert session["vector"](numpy.ones(3, dtype)).dtype == numpy.float64


def test_an_input_under_jit_is_checked_by_its_shape(session: nnfp.Session) -> None:
    with pytest.raises(nnfp.NnfpError):
        jax.jit(lambda x: session["vector"].apply({}, x))(numpy.ones(4))
    # A range cannot be seen under a jit of the user's own; the index is clamped.
    assert numpy.isfinite(jax.jit(lambda i: session["pick_"].apply({}, i))(7))


@pytest.mark.parametrize("text", ["", "   ", "-- only a comment", "\n\n"])
def test_a_cell_of_nothing_is_no_mistake(text: str) -> None:
    assert nnfp.Session(precision=64).run(text).outputs == ()


def test_a_precision_is_32_or_64() -> None:
    with pytest.raises(ValueError, match="precision"):
        nnfp.Session(precision=16)


@pytest.mark.parametrize(
    "key",
    [
        7, 1.5, "seed", object(), numpy.arange(2), jax.numpy.ones(2), jax.numpy.arange(3),
        jax.random.split(jax.random.key(0)), jax.random.split(jax.random.PRNGKey(0)),
    ],
)  # fmt: skip
def test_what_is_no_key_is_told(session: nnfp.Session, key: Any) -> None:
    noisy, x = session["noisy"], numpy.ones(3)
    for run in (
        lambda: noisy(x, key=key),
        lambda: noisy([x, x], key=key),
        lambda: noisy.batch(numpy.ones((2, 3)), key=key),
        lambda: noisy.apply({}, x, key=key),
        lambda: noisy.vjp({}, x, key=key),
        lambda: noisy.jvp(({}, x), ({}, x), key=key),
        lambda: session["loss"].value_and_grad({}, x, key=key),
        lambda: session["layer"].init(key),
        # where nothing is drawn a key is checked too
        lambda: session["twice"](x, key=key),
        lambda: session["twice"]([x, x], key=key),
        lambda: session["twice"].batch(numpy.ones((2, 3)), key=key),
        lambda: session["twice"].vjp({}, x, key=key),
    ):
        with pytest.raises(nnfp.NnfpError) as misfit:
            run()
        assert "expected one random key" in " ".join(words(misfit.value).split())


def test_a_key_of_the_old_form_is_a_key(session: nnfp.Session) -> None:
    old, new, x = jax.random.PRNGKey(3), jax.random.key(3), numpy.ones(3)
    noisy = session["noisy"]
    assert (noisy.apply({}, x, key=old) == noisy.apply({}, x, key=new)).all()
    assert (noisy([x, x], key=old)[1] == noisy([x, x], key=new)[1]).all()
    layer = session["layer"]
    assert (layer.init(old)["layer"]["W"] == layer.init(new)["layer"]["W"]).all()
    drawn = jax.vmap(lambda key: noisy.apply({}, x, key=key))(jax.random.split(old))
    assert drawn.shape == (2, 3)


def test_a_batch_that_draws_needs_a_key_as_an_example_does(session: nnfp.Session) -> None:
    for inputs in (numpy.ones((2, 3)), [numpy.ones(3)] * 2):
        with pytest.raises(nnfp.NnfpError) as missing:
            session["noisy"].apply_batch({}, inputs)
        assert "needs a key" in words(missing.value)


def test_what_names_no_file_is_told() -> None:
    session = nnfp.Session()
    session.run("net : R[3] ~> R\nnet x = ?w @ x")
    net = session["net"]
    for ask in (net.export, net.save, partial(session.save, "net"), partial(session.load, "net")):
        with pytest.raises(ValueError, match="by a text or a path, not by a Python dict"):
            ask({"a": 1})
    with pytest.raises(nnfp.NnfpError, match="the input of `net` is a Python str"):
        net.export("net.stablehlo", "text")
