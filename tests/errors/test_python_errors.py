"""Mistakes made from Python: what a function, a weight or a constructor is handed.

Each has its message, as text and as HTML, kept as a snapshot that a person has read.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy
import pytest

from nnfp_kernel import NnfpError, Session

SNAPSHOTS = Path(__file__).parents[1] / "snapshots" / "python"

PROGRAM = """
rep Word = R[3]
data Shape = Dot R | Box R[2] R

double : R[3] -> R[3]
double x = 2 * x

add_up : (R[n], R[n]) -> R[n]
add_up (x, y) = x + y

bag : [Word] -> R[3]
bag = fold (\\(h, Word x) -> h + x) zero

pick : Fin[3] -> R
pick i = [1, 2, 3] ! i

area : Shape -> R
area s = case s of { Dot x -> x; Box b y -> sum b + y }

shorter : R[n] -> R[n-2]
shorter = window[3] sum

layer : R[3] ~> R[2]
layer x = ?W @ x + ?b

two : R[3] -> R[2] -> R
two x y = sum x + sum y

noisy : R[3] -> R[3]
noisy x = x + draw (normal 1)

norm2 x = dot x x

shape_of : R -> Shape
shape_of x = if x > 0 then Dot x else Box [x, x] 1

ending = scan (+) 0 >> last

spread : [R] -> R
spread xs = standardDeviation xs
"""

ones = numpy.ones
FIRST = {"layer": {"W": ones((2, 3)), "b": ones(2)}}


def set_weights(session: Session, weights: Any) -> None:
    session.weights = weights


MISTAKES: dict[str, Callable[[Session], Any]] = {
    "shape": lambda s: s["double"](ones(4)),
    "shape_of_a_tuple": lambda s: s["add_up"]((ones(2), ones(3))),
    "shape_of_a_sequence": lambda s: s["bag"](ones((4, 2))),
    "array_of_examples": lambda s: s["double"](ones((5, 3))),
    "example_of_a_list": lambda s: s["double"]([ones(3), ones(4)]),
    "complex_numbers": lambda s: s["double"](ones(3) * 1j),
    "truth_values": lambda s: s["double"](ones(3, bool)),
    "a_text": lambda s: s["double"]("text"),
    "real_for_an_index": lambda s: s["pick"](1.0),
    "index_out_of_range": lambda s: s["pick"](3),
    "no_tuple": lambda s: s["add_up"](ones(2)),
    "no_tree": lambda s: s["area"](1.0),
    "too_few_inputs": lambda s: s["two"](ones(3)),
    "too_few_inputs_of_one": lambda s: s["double"](),
    "too_many_inputs": lambda s: s["double"](ones(3), ones(3)),
    "items_of_a_tuple_apart": lambda s: s["add_up"](ones(3), ones(3)),
    "weights_forgotten": lambda s: s["layer"].apply(ones(3)),
    "too_short": lambda s: s["shorter"](ones(1)),
    "too_short_for_a_word": lambda s: s["ending"](ones(0)),
    "too_short_for_the_library_at_run_time": lambda s: s["spread"](ones(0)),
    "no_weights": lambda s: s["layer"].apply({}, ones(3)),
    "weight_misspelt": lambda s: s["layer"].apply({"layer": {"w": 1, "b": 2}}, ones(3)),
    "weight_turned": lambda s: s["layer"].apply(
        {"layer": {"W": ones((3, 2)), "b": ones(2)}}, ones(3)
    ),
    "no_key": lambda s: s["noisy"].apply({}, ones(3)),
    "a_number_for_a_key": lambda s: s["noisy"].apply({}, ones(3), key=7),
    "a_number_for_the_key_of_first_weights": lambda s: s["layer"].init(7),
    "keys_for_a_key": lambda s: s["noisy"](ones(3), key=jax.random.split(jax.random.key(0))),
    "a_key_for_an_input": lambda s: s["double"](jax.random.key(0)),
    "constructor_under_jit": lambda s: jax.jit(lambda x: s["shape_of"].apply({}, x))(1.0),
    "cotangent": lambda s: s["layer"].vjp(FIRST, ones(3))[1](ones(3)),
    "tangent": lambda s: s["double"].jvp(({}, ones(3)), ({}, ones(4))),
    "number_of_tangents": lambda s: s["double"].jvp(({}, ones(3)), ({},)),
    "no_objective": lambda s: s["layer"].value_and_grad(FIRST, ones(3)),
    "lists_of_two_lengths": lambda s: s["two"]([ones(3)] * 2, [ones(2)] * 3),
    "batches_of_two_lengths": lambda s: s["two"].batch(ones((2, 3)), ones((3, 2))),
    "field_of_a_constructor": lambda s: s.constructor("Box")(ones(3), 1.0),
    "unknown_constructor": lambda s: s.constructor("Bax"),
    "weight_set_to_another_shape": lambda s: set_weights(s, {"layer.W": ones((5, 5))}),
    "weight_set_that_is_none": lambda s: set_weights(s, {"layr.W": ones((2, 3))}),
    "unknown_function": lambda s: s["dubble"],
    "without_a_signature": lambda s: s["norm2"]("text"),
}


@cache
def session() -> Session:
    made = Session(precision=64)
    made.run(PROGRAM)
    return made


@cache
def told(name: str) -> NnfpError:
    with pytest.raises(NnfpError) as mistake:
        MISTAKES[name](session())
    return mistake.value


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_has_its_message(name: str, snapshot: Callable[[str, str], None]) -> None:
    snapshot(f"python/{name}.txt", told(name).render())
    snapshot(f"python/{name}.html", told(name).render_html().split("</style>\n")[1])


def test_every_snapshot_belongs_to_a_mistake() -> None:
    assert {path.stem for path in SNAPSHOTS.iterdir()} == set(MISTAKES)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_message_is_whole(name: str) -> None:
    """One mistake, in the words of the program, the same in text and HTML."""
    [diagnostic] = told(name).diagnostics
    text = diagnostic.render()
    assert re.search(r"Traceback|<[a-z_]+ object|\bNone\b|0x[0-9a-f]+", text) is None
    assert diagnostic.primary.span.source.text or diagnostic.notes
    assert (diagnostic.suggestion is not None) == any(
        n.endswith((":", "?")) for n in diagnostic.notes
    )
    shown = html.unescape(re.sub(r"<[^>]+>", "", told(name).render_html().split("</style>")[1]))
    for said in (diagnostic.title, *diagnostic.notes):
        assert re.sub(r"[\s`]", "", said) in re.sub(r"\s", "", shown)


def test_what_is_suggested_helps() -> None:
    layer = session()["layer"]
    assert layer.apply(layer.init(jax.random.key(0)), ones(3)).shape == (2,)
    assert layer.apply(layer.weights, ones(3)).shape == (2,)
    assert session()["noisy"].apply({}, ones(3), key=jax.random.key(0)).shape == (3,)
    assert session()["double"].batch(ones((5, 3))).shape == (5, 3)
