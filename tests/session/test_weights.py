"""Where weights are and what they are called: LANGUAGE section 4, path by path."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy
import pytest
import safetensors.numpy
from safetensors import safe_open

import nnfp_kernel as nnfp


def session(source: str, **options: Any) -> nnfp.Session:
    made = nnfp.Session(precision=64, **options)
    made.run(source)
    return made


def shapes(nested: Any) -> Any:
    if isinstance(nested, dict):
        return {key: shapes(part) for key, part in nested.items()}
    return tuple(numpy.shape(nested))


def reached(source: str, name: str) -> Any:
    """The paths and shapes of the weights of `name`."""
    return shapes(session(source)[name].init(jax.random.key(0)))


CELL = """
cell : (R[5], R[3]) ~> R[5]
cell (h, x) = tanh (?W @ h + ?U @ x + ?b)
"""
CELL_SHAPES = {"W": (5, 5), "U": (5, 3), "b": (5,)}
LAYER = "layer : R[4] ~> R[4]\nlayer x = tanh (?W @ x + ?b)\n"
LAYER_SHAPES = {"W": (4, 4), "b": (4,)}


# --- paths -------------------------------------------------------------------------------------


def test_a_hole_is_called_by_its_definition_whoever_uses_it() -> None:
    program = CELL + "encode : [R[3]] ~> R[5]\nencode = fold cell zero\n"
    assert reached(program, "encode") == {"cell": CELL_SHAPES}


def test_occurrences_of_a_family_are_numbered_in_the_order_they_are_written() -> None:
    program = "step : R[4] ~> R[2]\nstep = dense[3] >> tanh >> dense[2] >> tanh >> dense[2]\n"
    assert reached(program, "step") == {
        "step": {
            "dense": {"W": (3, 4), "b": (3,)},
            "dense_2": {"W": (2, 3), "b": (2,)},
            "dense_3": {"W": (2, 2), "b": (2,)},
        }
    }


@pytest.mark.parametrize("copied", ["stack[2] dense", "stack[2] dense[4]", "fresh dense[4]"])
def test_a_copied_family_is_one_occurrence_of_it(copied: str) -> None:
    found = reached(f"net : R[4] ~> R[2]\nnet = {copied} >> tanh >> dense[2]\n", "net")
    assert list(found["net"]) == ["dense", "dense_2"]
    assert found["net"]["dense_2"] == {"W": (2, 4), "b": (2,)}


def test_a_family_in_a_family_stands_below_it() -> None:
    assert reached("net : R[4] ~> R[2]\nnet = mlp[3, 2]\n", "net") == {
        "net": {"mlp": {"dense": {"W": (3, 4), "b": (3,)}, "dense_2": {"W": (2, 3), "b": (2,)}}}
    }


def test_a_family_without_sizes_makes_copies_too() -> None:
    program = "net : R[4] ~> R[4]\nnet = scaleShift[] >> tanh >> scaleShift[]\n"
    assert reached(program, "net") == {
        "net": {
            "scaleShift": {"scale": (4,), "shift": (4,)},
            "scaleShift_2": {"scale": (4,), "shift": (4,)},
        }
    }


def test_a_family_of_ones_own_is_a_template() -> None:
    program = (
        "block[m] : R[n] ~> R[m]\nblock[m] x = tanh (?A @ x)\n"
        "net : R[4] ~> R[3]\nnet = block[2] >> block[3]\n"
    )
    assert reached(program, "net") == {"net": {"block": {"A": (2, 4)}, "block_2": {"A": (3, 2)}}}


@pytest.mark.parametrize("written", ["dense[2]", "dense[_]", "dense"])
def test_the_size_of_an_occurrence_may_be_inferred(written: str) -> None:
    program = f"net : R[4] ~> R[2]\nnet = {written}\n"
    assert reached(program, "net") == {"net": {"dense": {"W": (2, 4), "b": (2,)}}}


def test_a_fresh_copy_stands_where_it_is_written() -> None:
    program = CELL + "encode : [R[3]] ~> R[5]\nencode = fold (fresh cell) zero\n"
    assert reached(program, "encode") == {"encode": {"cell": CELL_SHAPES}}


def test_a_fresh_copy_beside_the_original() -> None:
    program = LAYER + "net = layer >> fresh layer >> fresh layer\n"
    assert reached(program, "net") == {
        "layer": LAYER_SHAPES,
        "net": {"layer": LAYER_SHAPES, "layer_2": LAYER_SHAPES},
    }


def test_a_fresh_copy_has_copies_of_all_that_it_reaches() -> None:
    program = (
        LAYER
        + "outer : R[4] ~> R[4]\nouter x = layer x + ?c * layer x\n"
        + "net = outer >> fresh outer\n"
    )
    assert reached(program, "net") == {
        "layer": LAYER_SHAPES,
        "outer": {"c": (4,)},
        "net": {"outer": {"c": (4,), "layer": LAYER_SHAPES}},
    }


def test_a_stack_gives_each_weight_a_leading_axis() -> None:
    program = LAYER + "net = stack[3] layer\n"
    assert reached(program, "net") == {"net": {"layer": {"W": (3, 4, 4), "b": (3, 4)}}}


def test_a_stack_of_an_unnamed_expression_stands_directly_there() -> None:
    program = "net : R[4] ~> R[4]\nnet = stack[3] (dense[4] >> tanh)\n"
    assert reached(program, "net") == {"net": {"dense": {"W": (3, 4, 4), "b": (3, 4)}}}


def test_a_stack_of_a_stack_has_two_leading_axes() -> None:
    program = LAYER + "inner = stack[3] layer\nnet = stack[2] inner\n"
    assert reached(program, "net") == {
        "net": {"inner": {"layer": {"W": (2, 3, 4, 4), "b": (2, 3, 4)}}}
    }


@pytest.mark.parametrize("count", [0, 1])
def test_a_stack_of_none_and_of_one(count: int) -> None:
    program = LAYER + f"net = stack[{count}] layer\n"
    assert reached(program, "net") == {"net": {"layer": {"W": (count, 4, 4), "b": (count, 4)}}}
    net = session(program)["net"]
    value, pullback = net.vjp(net.init(jax.random.key(0)), numpy.ones(4))
    gradient, input_gradient = pullback(numpy.ones(4))
    assert shapes(gradient) == reached(program, "net")
    assert value.shape == input_gradient.shape == (4,)
    if count == 0:
        numpy.testing.assert_array_equal(value, numpy.ones(4))
        numpy.testing.assert_array_equal(input_gradient, numpy.ones(4))


def test_iterate_is_one_set_of_weights() -> None:
    assert reached(LAYER + "net = iterate[3] layer\n", "net") == {"layer": LAYER_SHAPES}


def test_a_stack_is_its_layers_one_after_the_other() -> None:
    made = session(LAYER + "net = stack[3] layer\n")
    net, layer = made["net"], made["layer"]
    weights = net.init(jax.random.key(1))
    x = expected = numpy.array([0.3, -0.2, 0.8, 0.1])
    for k in range(3):
        one = jax.tree.map(lambda leaf, k=k: leaf[k], weights["net"]["layer"])
        expected = layer.apply({"layer": one}, expected)
    numpy.testing.assert_allclose(net.apply(weights, x), expected, rtol=1e-12)


def test_the_weights_of_an_unnamed_expression_stand_directly_there() -> None:
    """Under a stack too, so that occurrences there are numbered with the others."""
    program = "net : R[4] ~> R[4]\nnet x = stack[2] (dense[4] >> tanh) (dense[4] x)\n"
    assert reached(program, "net") == {
        "net": {"dense": {"W": (2, 4, 4), "b": (2, 4)}, "dense_2": {"W": (4, 4), "b": (4,)}}
    }


def test_a_hole_that_is_called_like_a_copy_is_an_error() -> None:
    with pytest.raises(nnfp.NnfpError) as clash:
        session(LAYER + "net x = fresh layer x + ?layer")["net"].init(jax.random.key(0))
    assert "net.layer" in clash.value.render()


# --- first values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("initialiser", "check"),
    [
        ("zeros", lambda w: (w == 0).all()),
        ("ones", lambda w: (w == 1).all()),
        ("constant 2.5", lambda w: (w == 2.5).all()),
        ("constant (- (1 + 2) / 2 ^ 3 * pi)", lambda w: (w == -3 / 8 * numpy.pi).all()),
        ("identity", lambda w: numpy.array_equal(w, numpy.eye(40, 30))),
        ("normal 3", lambda w: abs(w.std() - 3) < 0.3 and abs(w.mean()) < 0.4),
        ("uniform 2", lambda w: abs(w).max() <= 2 and abs(w).max() > 1.9 and w.min() < 0),
        ("glorot", lambda w: abs(w.std() - numpy.sqrt(2 / 70)) < 0.02),
        ("lecun", lambda w: abs(w.std() - numpy.sqrt(1 / 30)) < 0.02),
        ("he", lambda w: abs(w.std() - numpy.sqrt(2 / 30)) < 0.03),
        ("orthogonal", lambda w: numpy.allclose(w.T @ w, numpy.eye(30), atol=1e-9)),
    ],
)
def test_an_initialiser_gives_the_first_value(initialiser: str, check: Any) -> None:
    made = session(f"f : R[30] ~> R[40]\nf x = ?W @ x where ?W ~ {initialiser}")
    weight = numpy.asarray(made.weights["f"]["W"])
    assert weight.shape == (40, 30)
    assert check(weight)


def test_the_defaults_are_zeros_for_what_is_added_and_lecun_otherwise() -> None:
    made = session(
        "f : R[30] ~> R[40]\n"
        "f x = ?s * (?W @ x + ?b - ?c) + ?d * ?b2\n"
        "where_ : R[1000] ~> R\nwhere_ x = ?v @ x + ?k\n"
    )
    weights = made.weights
    for added in ("b", "c"):
        assert not numpy.asarray(weights["f"][added]).any(), added
    assert not numpy.asarray(weights["where_"]["k"]).any()
    assert abs(numpy.asarray(weights["f"]["W"]).std() - numpy.sqrt(1 / 30)) < 0.02
    assert numpy.asarray(weights["f"]["d"]).any()
    assert numpy.asarray(weights["f"]["s"]).any()
    # of a vector, the fan-in is its length
    assert abs(numpy.asarray(weights["where_"]["v"]).std() - numpy.sqrt(1 / 1000)) < 0.005


def test_slices_of_a_stack_are_initialised_one_by_one() -> None:
    made = session(
        "layer : R[30] ~> R[30]\nlayer x = ?W @ x where ?W ~ orthogonal\nnet = stack[2] layer\n"
    )
    for slice in numpy.asarray(made.weights["net"]["layer"]["W"]):
        numpy.testing.assert_allclose(slice.T @ slice, numpy.eye(30), atol=1e-9)


def test_init_depends_on_the_key_alone() -> None:
    net = session(LAYER)["layer"]
    one, again, other = (net.init(jax.random.key(seed)) for seed in (0, 0, 1))
    numpy.testing.assert_array_equal(one["layer"]["W"], again["layer"]["W"])
    assert not numpy.array_equal(one["layer"]["W"], other["layer"]["W"])


def test_a_weight_of_open_size_cannot_be_asked_for() -> None:
    made = session("f x = ?W @ x")
    with pytest.raises(nnfp.NnfpError) as open_size:
        made["f"].init(jax.random.key(0))
    assert "f.W" in open_size.value.render()
    assert made.weights == {}


# --- the session's weights ---------------------------------------------------------------------

NET = LAYER + "net : R[4] ~> R[2]\nnet = layer >> dense[2]\n"


def test_the_sessions_weights_are_those_of_all_that_stands() -> None:
    assert shapes(session(NET).weights) == {
        "layer": LAYER_SHAPES,
        "net": {"dense": {"W": (2, 4), "b": (2,)}},
    }


def test_weights_may_be_set_whole() -> None:
    made = session(NET)
    made.weights = jax.tree.map(lambda leaf: leaf * 0 + 2, made.weights)
    assert all((leaf == 2).all() for leaf in jax.tree.leaves(made.weights))
    x = numpy.array([0.1, 0.2, 0.3, -0.4])
    hidden = numpy.tanh(numpy.full((4, 4), 2.0) @ x + 2)
    numpy.testing.assert_allclose(made["net"](x), numpy.full((2, 4), 2.0) @ hidden + 2, rtol=1e-12)


def test_weights_may_be_set_in_part() -> None:
    made = session(NET)
    before = made.weights
    made.weights = {"layer": {"b": numpy.ones(4)}}
    numpy.testing.assert_array_equal(made.weights["layer"]["b"], numpy.ones(4))
    numpy.testing.assert_array_equal(made.weights["layer"]["W"], before["layer"]["W"])
    numpy.testing.assert_array_equal(made.weights["net"]["dense"]["W"], before["net"]["dense"]["W"])


def test_weights_may_be_set_by_path() -> None:
    made = session(NET)
    made.weights = {"layer.b": numpy.ones(4), "net.dense": {"b": numpy.ones(2)}}
    numpy.testing.assert_array_equal(made.weights["layer"]["b"], numpy.ones(4))
    numpy.testing.assert_array_equal(made.weights["net"]["dense"]["b"], numpy.ones(2))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"layer": {"W": numpy.ones((4, 3))}}, ["layer.W", "R[4,4]"]),
        ({"layer": {"W": numpy.ones(4)}}, ["layer.W"]),
        ({"layer": {"V": numpy.ones(4)}}, ["layer.V"]),
        ({"layer.V": numpy.ones(4)}, ["layer.V"]),
        ({"nothing": {"W": numpy.ones(4)}}, ["nothing.W"]),
        ({"layer": numpy.ones(4)}, ["layer"]),
        ({"layer": {"W": "text"}}, ["layer.W"]),
        ({"layer": {"W": numpy.ones((4, 4)) * 1j}}, ["layer.W"]),
        ({"layer": {"b": numpy.ones(4), "W": numpy.ones((5, 5))}}, ["layer.W"]),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_nothing_is_lost(
    wrong: Any, says: list[str]
) -> None:
    made = session(NET)
    before = made.weights
    with pytest.raises(nnfp.NnfpError) as refused:
        made.weights = wrong
    for words in says:
        assert words in refused.value.render()
    after = made.weights
    for one, other in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        numpy.testing.assert_array_equal(one, other)


def test_a_function_knows_the_present_weights_of_all_that_it_reaches() -> None:
    made = session(CELL + "encode = fold cell zero\nother : R[3] ~> R[2]\nother = dense[2]\n")
    encode = made["encode"]
    assert shapes(encode.weights) == {"cell": CELL_SHAPES}
    made.weights = {"cell.b": numpy.arange(5.0)}
    assert encode.weights["cell"]["b"].tolist() == [0, 1, 2, 3, 4]
    xs = numpy.ones((4, 3))
    assert numpy.array_equal(encode.apply(encode.weights, xs), encode(xs))


def test_a_constant_that_learns_is_called_without_inputs() -> None:
    made = session("start : () ~> R[2]\nstart = ?h\n  where ?h ~ normal 1\ntwice = 2 * start\n")
    twice = made["twice"]
    assert numpy.array_equal(twice(), 2 * made.weights["start"]["h"])
    value, pullback = twice.vjp(twice.weights)
    assert numpy.array_equal(value, twice())
    (gradient,) = pullback(numpy.array([1.0, 10.0]))
    assert gradient["start"]["h"].tolist() == [2.0, 20.0]
    with pytest.raises(nnfp.NnfpError) as caught:
        twice(numpy.ones(2))
    assert "takes no inputs, and 1 was given" in caught.value.render()


def test_weights_that_were_forgotten_are_asked_for() -> None:
    made = session(CELL + "encode = fold cell zero\n")
    with pytest.raises(nnfp.NnfpError) as caught:
        made["encode"].vjp(numpy.ones((4, 3)))
    (diagnostic,) = caught.value.diagnostics
    assert "takes 1 input, and none was given" in diagnostic.title
    assert diagnostic.suggestion == "encode.apply(encode.weights, x)"


def test_what_is_handed_out_cannot_change_the_session_behind_its_back() -> None:
    made = session(NET)
    value = numpy.ones(4)
    made.weights = {"layer": {"b": value}}
    value[:] = 7
    numpy.testing.assert_array_equal(made.weights["layer"]["b"], numpy.ones(4))


def test_a_gradient_has_all_weights_also_those_it_had_no_use_for() -> None:
    made = session("f : R[2] ~> R[2]\nf x = fst (?a * x, ?b @ x) where ?b : R[3,2]\n")
    weights = made.weights
    _, pullback = made["f"].vjp(weights, numpy.ones(2))
    gradient, _ = pullback(numpy.ones(2))
    assert shapes(gradient) == shapes(weights)
    assert not numpy.asarray(gradient["f"]["b"]).any()


# --- open, weights, paths ----------------------------------------------------------------------


def test_open_takes_the_weights_as_an_argument() -> None:
    made = session(
        LAYER + "loss x = sum (square (layer x))\n"
        "slope : R[4] -> Weights loss\n"
        "slope x = grad (\\w -> open loss (w, x)) (weights loss)\n"
        "steepness x = norm (slope x)\n"
    )
    x = numpy.array([0.3, -0.2, 0.8, 0.1])
    _, gradient = made["loss"].value_and_grad(made.weights, x)
    expected = numpy.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(gradient)))
    numpy.testing.assert_allclose(made["steepness"](x), expected, rtol=1e-10)
    assert made["steepness"].type.startswith("R[4] -> R")
    assert made["steepness"].init(jax.random.key(0)) == {}


def test_weights_are_taken_apart_in_the_order_of_their_paths_and_put_together() -> None:
    made = session(
        LAYER + "there : Weights layer -> Weights layer\n"
        "there w = adjoint parts (parts w)\n"
        "slope x = grad (\\w -> sum (open layer (w, x))) (weights layer)\n"
    )
    given = jax.tree.map(lambda leaf: leaf + 0.5, made["layer"].weights)
    same = jax.tree.map(numpy.allclose, made["there"](given), given)
    assert all(jax.tree.leaves(same))
    # A cotangent of weights is what the value is: dicts by path, in whatever order.
    value, pullback = made["slope"].vjp({}, numpy.array([0.3, -0.2, 0.8, 0.1]))
    turned = {name: dict(reversed(inner.items())) for name, inner in value.items()}
    assert numpy.array_equal(pullback(value)[1], pullback(turned)[1])
    with pytest.raises(nnfp.NnfpError):
        pullback({"layer": {"W": value["layer"]["W"]}})


def test_only_weights_have_such_parts() -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        session("f = parts 3")
    assert caught.value.diagnostics[0].code == "no-weights"


def test_the_value_of_weights_follows_the_session() -> None:
    made = session(LAYER + "size_ = dot (weights layer) (weights layer)\n")
    first = float(made["size_"])
    made.weights = jax.tree.map(lambda leaf: 2 * leaf, made.weights)
    assert float(made["size_"]) == pytest.approx(4 * first, rel=1e-12)


def test_a_step_of_gradient_descent_is_a_program() -> None:
    made = session(
        LAYER + "loss x = sum (square (layer x))\n"
        "after x = open loss (weights loss - 0.01 * grad (\\w -> open loss (w, x)) (weights loss), x)\n"
    )
    x = numpy.array([0.3, -0.2, 0.8, 0.1])
    assert float(made["after"](x)) < float(made["loss"](x))


def test_a_path_is_a_weights_present_value_held_constant() -> None:
    made = session(LAYER + "decayed x = layer x + layer.b\nnorms = norm layer.W\n")
    made.weights = {"layer": {"b": numpy.full(4, 3.0), "W": numpy.eye(4)}}
    assert float(made["norms"]) == pytest.approx(2)
    x = numpy.zeros(4)
    numpy.testing.assert_allclose(made["decayed"](x), numpy.tanh(3) + 3, rtol=1e-12)
    _, pullback = made["decayed"].vjp(made.weights, x)
    gradient = pullback(numpy.ones(4))[0]["layer"]["b"]
    numpy.testing.assert_allclose(gradient, (1 - numpy.tanh(3) ** 2) * numpy.ones(4), rtol=1e-10)


def test_a_constant_that_learns_is_a_weight_in_any_place() -> None:
    made = session("shift : () ~> R[3]\nshift = ?b\nmove x = x + shift\n")
    assert reached("shift : () ~> R[3]\nshift = ?b\nmove x = x + shift\n", "move") == {
        "shift": {"b": (3,)}
    }
    made.weights = {"shift": {"b": numpy.array([1.0, 2, 3])}}
    numpy.testing.assert_array_equal(made["move"](numpy.zeros(3)), [1, 2, 3])


@pytest.mark.parametrize("expression", ["?w + 1", "dense[3] [1, 2]"])
def test_an_expression_owns_no_weights(expression: str) -> None:
    made = session("half = 0.5")
    with pytest.raises(nnfp.NnfpError):
        made.run(expression)


# --- on disk -----------------------------------------------------------------------------------

STORED = """
encode : R[3] ~> R[4]
encode = dense[4] >> tanh

centre : (R[2], R)
centre = (?c : (R[2], R))

net : R[3] ~> R[2]
net x = dense[2] (encode x) + fst centre * snd centre
"""


def test_loaded_weights_are_those_that_were_saved(tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    first = session(STORED, seed=1)
    first.save("net", file)
    again = session(STORED, seed=2)
    x = numpy.array([0.5, -1.0, 2.0])
    assert not numpy.array_equal(first["net"](x), again["net"](x))
    again.load("net", file)
    assert numpy.array_equal(first["net"](x), again["net"](x))
    jax.tree.map(numpy.testing.assert_array_equal, first.weights, again.weights)
    with safe_open(file, "numpy") as opened:  # what other programs see
        assert set(opened.keys()) == {
            "encode.dense.W", "encode.dense.b", "net.dense.W", "net.dense.b",
            "centre.c.0", "centre.c.1",
        }  # fmt: skip
        assert numpy.array_equal(
            opened.get_tensor("encode.dense.W"), first.weights["encode"]["dense"]["W"]
        )


def test_a_part_is_loaded_from_the_file_of_the_whole(tmp_path: Path) -> None:
    whole, part = session(STORED, seed=1), session(STORED, seed=2)
    whole["net"].save(tmp_path / "net.safetensors")
    kept = part.weights["net"]["dense"]["W"]
    part.load("encode", tmp_path / "net.safetensors")
    assert numpy.array_equal(
        part.weights["encode"]["dense"]["W"], whole.weights["encode"]["dense"]["W"]
    )
    assert numpy.array_equal(part.weights["net"]["dense"]["W"], kept)


def test_a_file_of_other_precision_is_taken(tmp_path: Path) -> None:
    narrow = nnfp.Session(precision=32)
    narrow.run(STORED)
    narrow.save("net", tmp_path / "net.safetensors")
    wide = session(STORED, seed=2)
    wide.load("net", tmp_path / "net.safetensors")
    weight = wide.weights["net"]["dense"]["W"]
    assert weight.dtype == numpy.float64
    assert numpy.array_equal(weight, narrow.weights["net"]["dense"]["W"])


@pytest.mark.parametrize(
    ("program", "what"),
    [
        (STORED.replace("dense[2] (", "mlp[5, 2] ("), "holds no weight called net.mlp"),
        (
            STORED.replace("R[4]", "R[5]").replace("dense[4]", "dense[5]"),
            "encode.dense.b is [4] there, and [5] here.",
        ),
    ],
    ids=["another weight", "another shape"],
)
def test_a_file_that_does_not_fit_is_refused_and_nothing_is_lost(
    program: str, what: str, tmp_path: Path
) -> None:
    session(STORED).save("net", tmp_path / "net.safetensors")
    other = session(program, seed=3)
    before = other.weights
    with pytest.raises(nnfp.NnfpError) as caught:
        other.load("net", tmp_path / "net.safetensors")
    assert what in " ".join(str(caught.value).split())  # lines break by the file's name
    jax.tree.map(numpy.testing.assert_array_equal, before, other.weights)


def test_what_fits_is_loaded_in_part_and_the_rest_is_told(tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    first = session(STORED, seed=1)
    first.save("net", file)
    with safe_open(file, "numpy") as opened:
        told = opened.metadata()
    assert json.loads(told["types"])["encode.dense.W"] == "R[4,3]"
    assert len(told["source"]) == 64
    # `centre` has another name, and the last layer another shape
    other = session(
        STORED.replace("centre", "middle").replace(
            "dense[2] (encode x)", "dense[2] (encode x ++ encode x)"
        ),
        seed=2,
    )
    before = other.weights
    account = other.load("net", file, partial=True)
    assert set(account.fits) == {"encode.dense.W", "encode.dense.b", "net.dense.b"}
    assert account.missing == ("middle.c.0", "middle.c.1")
    assert account.reshaped == (("net.dense.W", "[2,4]", "[2,8]"),)
    assert set(account.renamed) == {("middle.c.0", "centre.c.0"), ("middle.c.1", "centre.c.1")}
    assert account.extra == ("centre.c.0", "centre.c.1")
    after, saved = other.weights, first.weights
    assert numpy.array_equal(after["encode"]["dense"]["W"], saved["encode"]["dense"]["W"])
    assert numpy.array_equal(after["net"]["dense"]["W"], before["net"]["dense"]["W"])
    with pytest.raises(nnfp.NnfpError, match="--partial loads what fits"):
        other.load("net", file)
    strange = session("g : R[3] ~> R\ng x = ?q @ x")
    with pytest.raises(nnfp.NnfpError, match="fits g"):
        strange.load("g", file, partial=True)


def test_a_program_that_has_changed_since_is_told(tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    session(STORED, seed=1).save("net", file)
    # Comments, layout, order and what takes no part do not count.
    same = session("other x = 2 * x\n-- Of two.\n" + STORED.replace("net x =", "net x =\n  "))
    assert same.load("net", file).changed == ()
    changed = session(STORED.replace(">> tanh", ">> relu"), seed=2)
    assert changed.load("net", file).changed == ("encode",)
    assert changed.load("centre", file).changed == ()
    other = session(STORED.replace("encode x)", "encode x * shrink)") + "shrink = 0.5\n", seed=2)
    account = other.load("net", file)
    assert set(account.changed) == {"net", "shrink"}
    assert account.lines()[-1] == f"The program has changed since: {', '.join(account.changed)}."
    # A file of another program's says nothing of definitions, or nonsense.
    arrays = safetensors.numpy.load_file(file)
    for told in (None, {"definitions": "[]"}, {"definitions": "[" * 100_000}):
        safetensors.numpy.save_file(arrays, file, metadata=told)
        assert changed.load("net", file).changed == ()


def test_a_truncated_or_hostile_file_is_refused(tmp_path: Path) -> None:
    file, made = tmp_path / "net.safetensors", session(STORED)
    made.save("net", file)
    content = file.read_bytes()
    header = b'{"encode.dense.W":{"dtype":"F64","shape":[4,3],"data_offsets":[0,9999999999]}}'
    lies = len(header).to_bytes(8, "little") + header
    parts = [content[:cut] for cut in (0, 7, 8, 40, len(content) // 2, len(content) - 1)]
    for broken in (*parts, lies, b"\xff" * 64, content + b"more"):
        file.write_bytes(broken)
        for partial in (False, True):
            with pytest.raises(nnfp.NnfpError) as caught:
                made.load("net", file, partial=partial)
            assert "no safetensors file" in " ".join(str(caught.value).split())


def test_a_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    made = session(STORED)
    (tmp_path / "text").write_text("no weights")
    for file, what in (("text", "no safetensors file"), ("nowhere", "no such file")):
        with pytest.raises(nnfp.NnfpError) as caught:
            made.load("net", tmp_path / file)
        assert what in " ".join(str(caught.value).split())
    with pytest.raises(nnfp.NnfpError) as caught:
        made.save("net", tmp_path / "no folder" / "net.safetensors")
    assert "cannot be written" in " ".join(str(caught.value).split())
    with pytest.raises(nnfp.NnfpError, match="nett"):
        made.save("nett", tmp_path / "net.safetensors")


def test_a_file_of_weights_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "net.safetensors"
    first, again = session(STORED, seed=1), session(STORED, seed=2)
    first.save("net", file)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(nnfp.NnfpError, match=r"no\s+space\s+left"):
            again.save("net", file)
    assert os.listdir(tmp_path) == ["net.safetensors"]
    again.load("net", file)  # what was there is whole
    jax.tree.map(numpy.testing.assert_array_equal, first.weights, again.weights)


def test_files_are_seen_from_the_sessions_folder(tmp_path: Path) -> None:
    made = session(STORED, folder=tmp_path)
    made.save("net", "net.safetensors")
    assert (tmp_path / "net.safetensors").is_file()
    made.load("net", "net.safetensors")
