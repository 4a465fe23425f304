"""What a cell does to what stands: sharing by name, the newest wins, nothing is lost."""

from __future__ import annotations

import pathlib

import jax
import numpy
import pytest

import nnfp_kernel as nnfp


def session(*cells: str, seed: int = 0) -> nnfp.Session:
    """A session in 64 bits in which these cells have run."""
    made = nnfp.Session(precision=64, seed=seed)
    for cell in cells:
        made.run(cell)
    return made


def vector(*numbers: float) -> numpy.ndarray:
    return numpy.array(numbers)


PAIR = "cell : R[2] ~> R[2]\ncell x = tanh (?W @ x)\n"


# --- naming is sharing -------------------------------------------------------------------------


def test_a_name_used_twice_is_one_set_of_weights() -> None:
    both = session(PAIR + "twice x = cell (cell x)")["twice"]
    weights = both.init(jax.random.key(0))
    assert set(weights) == {"cell"}
    assert set(weights["cell"]) == {"W"}
    assert weights["cell"]["W"].shape == (2, 2)


def test_the_gradient_of_a_shared_weight_is_the_sum_over_its_uses() -> None:
    made = session(
        PAIR
        + "twice x = cell (cell x)\n"
        + "copies : R[2] ~> R[2]\ncopies x = fresh cell (cell x)\n"
    )
    matrix, x, w = vector(0.5, -1, 2, 0.3).reshape(2, 2), vector(0.7, -0.2), vector(1, -2)
    _, tied = made["twice"].vjp({"cell": {"W": matrix}}, x)
    _, untied = made["copies"].vjp({"cell": {"W": matrix}, "copies": {"cell": {"W": matrix}}}, x)
    apart = untied(w)[0]
    numpy.testing.assert_allclose(
        tied(w)[0]["cell"]["W"], apart["cell"]["W"] + apart["copies"]["cell"]["W"], rtol=1e-12
    )
    assert numpy.abs(apart["copies"]["cell"]["W"]).max() > 0.01


def test_two_definitions_that_use_a_name_share_its_weights() -> None:
    made = session(PAIR, "left x = cell x + 1", "right x = 2 * cell x")
    assert set(made.weights) == {"cell"}
    x = vector(0.3, -0.4)
    numpy.testing.assert_allclose(made["left"](x) - 1, made["right"](x) / 2, rtol=1e-12)


# --- the newest cell wins ----------------------------------------------------------------------


def test_what_uses_a_definition_by_name_uses_the_newest() -> None:
    made = session("f x = 2 * x", "g x = f x + 1")
    assert float(made["g"](1.0)) == 3
    made.run("f x = 5 * x")
    assert float(made["g"](1.0)) == 6


def test_a_function_in_hand_stays_what_it_was() -> None:
    made = session("f x = 2 * x", "g x = f x + 1")
    old = made["g"]
    made.run("f x = 5 * x")
    assert float(old(1.0)) == 3
    assert float(old.apply({}, 1.0)) == 3


def test_the_type_of_what_uses_it_follows() -> None:
    made = session("f : R[2] -> R[2]\nf x = x", "g x = f x + 1")
    assert made["g"].type == "R[2] -> R[2]"
    made.run("f : R[3] -> R[3]\nf x = x")
    assert made["g"].type == "R[3] -> R[3]"


def test_sizes_of_holes_follow_the_definitions_that_stand_now() -> None:
    """Types of holes come from what stands, never from the history of cells."""
    made = session("f x = ?W @ x", "use : R[2] ~> R[3]\nuse = f")
    assert made.weights["f"]["W"].shape == (3, 2)
    made.run("use : R[4] ~> R[5]\nuse = f")
    assert made.weights["f"]["W"].shape == (5, 4)


def test_a_definition_that_breaks_is_named_and_refused_until_mended() -> None:
    made = session("f x = [x, x, x]", "g x = f x ! (2 : Fin[3])", "other x = f x ! 0")
    result = made.run("f x = [x, x]")
    assert set(result.broken) == {"g"}
    text = result.broken["g"].render()
    assert "g" in text
    assert "f" in text
    with pytest.raises(nnfp.NnfpError) as refused:
        made["g"]
    assert "g" in str(refused.value)
    with pytest.raises(nnfp.NnfpError):
        made.run("g 1")
    assert float(made["other"](2.0)) == 2  # what did not break goes on
    made.run("unrelated = 3")
    with pytest.raises(nnfp.NnfpError):
        made["g"]
    result = made.run("f x = [x, 2 * x, 3 * x, 4 * x, 5]")
    assert set(result.broken) == {"g"}  # a Fin[3] is no index into five
    result = made.run("f x = [x, 2 * x, 3 * x]")
    assert not result.broken
    assert float(made["g"](1.0)) == 3


def test_what_stands_on_a_broken_definition_is_refused_with_it() -> None:
    made = session("f x = [x, x, x]", "g x = f x ! (2 : Fin[3])", "h x = g x + 1")
    result = made.run("f x = [x, x]")
    assert "g" in result.broken
    with pytest.raises(nnfp.NnfpError):
        made["h"]
    made.run("g x = f x ! (1 : Fin[2])")
    assert float(made["h"](2.0)) == 3


def test_a_new_use_that_disagrees_with_an_older_one_wins_over_it() -> None:
    made = session("f x = ?W @ x", "a : R[2] ~> R[3]\na = f")
    result = made.run("b : R[4] ~> R[3]\nb = f")
    assert set(result.broken) == {"a"}
    assert made.weights["f"]["W"].shape == (3, 4)
    assert made["b"](numpy.ones(4)).shape == (3,)
    with pytest.raises(nnfp.NnfpError):
        made["a"]


def test_uses_in_one_cell_that_disagree_are_an_error_that_names_both() -> None:
    made = session("f x = ?W @ x")
    with pytest.raises(nnfp.NnfpError) as disagree:
        made.run("a : R[2] ~> R[3]\na = f\nb : R[4] ~> R[3]\nb = f")
    text = disagree.value.render()
    assert "2" in text
    assert "4" in text
    assert "a" not in made.names
    assert "b" not in made.names


def test_redefining_a_name_by_its_older_self_has_a_message_of_its_own() -> None:
    made = session("f : R[2] -> R[2]\nf x = 2 * x")
    with pytest.raises(nnfp.NnfpError) as itself:
        made.run("f = f >> relu")
    (diagnostic,) = itself.value.diagnostics
    text = diagnostic.render()
    assert "older" in text or "earlier" in text or "before" in text
    assert diagnostic.suggestion is not None
    assert float(made["f"](vector(-1.0, 2.0))[0]) == -2  # the older f stands


def test_recursion_within_a_cell_is_an_error() -> None:
    with pytest.raises(nnfp.NnfpError):
        session("f x = g x\ng x = f x")
    with pytest.raises(nnfp.NnfpError):
        session("f x = f (x - 1)")


def test_a_definition_shadows_the_library_and_the_cell_says_so() -> None:
    made = session()
    result = made.run("softmax x = 2 * x")
    assert any("softmax" in note.title for note in result.notes)
    numpy.testing.assert_allclose(made["softmax"](vector(1, 2)), [2, 4])
    # the library's own uses keep the library's
    made.run("weigh : R[2,2] -> R[2,2]\nweigh x = attention x x x")
    rows = numpy.asarray(made["weigh"](numpy.ones((2, 2))))
    numpy.testing.assert_allclose(rows, numpy.ones((2, 2)), rtol=1e-12)


# --- running again, undoing, failing -----------------------------------------------------------


NETWORK = """
layer : R[3] ~> R[3]
layer x = tanh (?W @ x + ?b) where ?b ~ normal 0.1

net : R[3] ~> R[2]
net = layer >> stack[2] layer >> dense[2]
"""


def same(one: object, other: object) -> bool:
    """Whether two nested dicts of arrays are equal to the last bit."""
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and set(one) == set(other)
            and all(same(part, other[key]) for key, part in one.items())
        )
    return bool(numpy.array_equal(numpy.asarray(one), numpy.asarray(other)))


def test_a_newer_cell_may_take_a_constructor() -> None:
    made = session("data Stream a = Cons a (Stream a)", "data List a = Nil | Cons a (List a)")
    for again in range(2):  # and it stays so, in the cells that follow
        made.run(f"total{again} = cata {{ Nil -> 0; Cons x s -> x + s }}")
        assert float(made.run(f"total{again} (Cons 1 (Cons 2 Nil))").outputs[0].value) == 3
    assert str(made.constructor("Cons")(1, made.constructor("Nil")())) == "(Cons 1 (Nil))"


@pytest.mark.parametrize("cell", ["f (X x) = x", "f : X -> R\nf x = 1", "X [1, 2, 3]"])
def test_a_declaration_that_broke_is_refused_with_the_reason(cell: str) -> None:
    made = session("type A = R[3]", "rep X = A", "type A = R -> R")
    with pytest.raises(nnfp.NnfpError) as refused:
        made.run(cell)
    assert "a representation is carried by values" in refused.value.render()


def test_a_definition_that_broke_is_refused_as_an_expression_too() -> None:
    made = session("f : R[3]\nf = [1, 2, 3]", "g = f + [0, 0, 1]", "f : R[2]\nf = [1, 2]")
    with pytest.raises(nnfp.NnfpError) as refused:
        made.run("g")
    assert "`g` no longer checks" in refused.value.render()


def test_running_a_cell_again_unchanged_changes_nothing() -> None:
    made = session(NETWORK)
    before, names, type = made.weights, made.names, made["net"].type
    made.run(NETWORK)
    assert same(made.weights, before)
    assert set(made.names) == set(names)
    assert made["net"].type == type


def test_weights_that_were_set_survive_running_the_cell_again() -> None:
    made = session(NETWORK)
    made.weights = jax.tree.map(lambda leaf: leaf + 1.0, made.weights)
    before = made.weights
    made.run(NETWORK)
    assert same(made.weights, before)


def test_weights_survive_a_change_that_keeps_path_shape_and_initialiser() -> None:
    made = session(NETWORK)
    made.weights = jax.tree.map(lambda leaf: leaf + 1.0, made.weights)
    before = made.weights
    made.run(NETWORK.replace("tanh", "relu"))
    assert same(made.weights, before)


def test_a_weight_whose_shape_changes_starts_anew_and_the_others_stay() -> None:
    made = session(NETWORK)
    made.weights = jax.tree.map(lambda leaf: leaf + 1.0, made.weights)
    before = made.weights
    made.run(NETWORK.replace("R[3] ~> R[2]", "R[3] ~> R[4]").replace("dense[2]", "dense[4]"))
    after = made.weights
    assert after["net"]["dense"]["W"].shape == (4, 3)
    assert same(after["layer"], before["layer"])
    assert same(after["net"]["layer"], before["net"]["layer"])
    first = session(NETWORK.replace("R[3] ~> R[2]", "R[3] ~> R[4]").replace("dense[2]", "dense[4]"))
    assert same(after["net"]["dense"], first.weights["net"]["dense"])


def test_a_weight_whose_initialiser_changes_starts_anew() -> None:
    made = session(NETWORK)
    made.weights = jax.tree.map(lambda leaf: leaf + 1.0, made.weights)
    before = made.weights
    made.run(NETWORK.replace("normal 0.1", "ones"))
    after = made.weights
    assert same(after["layer"]["b"], numpy.ones(3))
    assert same(after["layer"]["W"], before["layer"]["W"])


def test_a_first_value_depends_on_the_seed_and_the_path_alone() -> None:
    alone = session(NETWORK).weights
    among = session("other x = dense[7] (x : R[5])", "first = 3", NETWORK).weights
    assert same(among["layer"], alone["layer"])
    assert same(among["net"], alone["net"])
    again = session(NETWORK.replace("net =", "more : R[3] ~> R[3]\nmore = layer\nnet =")).weights
    assert same(again["layer"], alone["layer"])
    other = session(NETWORK, seed=1).weights
    assert not same(other["layer"]["W"], alone["layer"]["W"])
    assert not same(other["net"]["dense"]["W"], alone["net"]["dense"]["W"])


def test_different_paths_start_differently() -> None:
    weights = session("a : R[3] ~> R[3]\na x = ?W @ x\nb : R[3] ~> R[3]\nb x = ?W @ x").weights
    assert not same(weights["a"]["W"], weights["b"]["W"])


def test_stacked_copies_start_differently() -> None:
    weights = session(NETWORK).weights
    first, second = weights["net"]["layer"]["W"]
    assert not same(first, second)


def test_an_expression_settles_nothing_for_others() -> None:
    made = session("f x = ?W @ x")
    assert "_" in made["f"].type
    with pytest.raises(nnfp.NnfpError):  # its weights have no size yet
        made.run("f [1, 2, 3]")
    assert "_" in made["f"].type
    made.type("(f [1, 2, 3] : R[2])")
    assert "_" in made["f"].type


FAILING = [
    "layer x = tanh (?W @ x",
    "layer x = undefined x",
    "layer : R[3] -> R[3]\nlayer x = ?W @ x",
    "good x = x\nbad = good [1, 2] + [1, 2, 3]",
    "good x = x\ngood [1, 2] ! 7",
    "rep Thought = R[2]\nf : Thought -> R[2]\nf x = x",
    "size width = 3\nx = undefined",
    "fine = 3\nfine\nmean ([] : R[0])",
]


@pytest.mark.parametrize("cell", FAILING)
def test_a_failed_cell_leaves_the_session_as_it_was(cell: str) -> None:
    made = session(NETWORK, "half = 0.5")
    made.weights = jax.tree.map(lambda leaf: leaf + 1.0, made.weights)
    names, weights, type = made.names, made.weights, made["net"].type
    value = made["net"](numpy.ones(3))
    with pytest.raises(nnfp.NnfpError):
        made.run(cell)
    assert made.names == names
    assert same(made.weights, weights)
    assert made["net"].type == type
    numpy.testing.assert_array_equal(made["net"](numpy.ones(3)), value)
    assert float(made["half"]) == 0.5
    for name in ("good", "bad", "fine", "f", "Thought"):
        with pytest.raises(nnfp.NnfpError):
            made.type(name)


def test_several_errors_of_one_cell_are_all_reported_by_position() -> None:
    with pytest.raises(nnfp.NnfpError) as several:
        session("a = undefined\nb = 1\nc = [1, 2] + [1, 2, 3]\nd = missing b")
    lines = [diagnostic.primary.span.line for diagnostic in several.value.diagnostics]
    assert lines == [1, 3, 4]


# --- imports -----------------------------------------------------------------------------------


def test_the_weights_of_an_imported_definition_are_the_sessions(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lines.nnfp").write_text("line : R ~> R\nline x = ?a * x + ?b\n")
    made = nnfp.Session(precision=64, folder=tmp_path)
    made.run('import "lines.nnfp"')
    assert made.names == ("line",)
    assert set(made.weights["line"]) == {"a", "b"}
    made.weights = {"line": {"a": 2.0, "b": 1.0}}
    assert float(made["line"](3.0)) == 7
    made.run("line x = x")  # the cell's own stands before the file's
    assert made.names == ("line",)
    assert made.weights == {}
