"""Machines: what a cell run along a sequence gives, and that `moore` checks it."""

from __future__ import annotations

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnfp_kernel as nnfp

MACHINES = """
cell (s, x) = (tanh (s + x), square s)
asMoore : R[n] -> R[n]
asMoore = moore cell 0.5
asMealy : R[n] -> R[n]
asMealy = mealy cell 0.5
parity : Bool[n] -> Bool[n]
parity = moore (\\(odd, b) -> (if b then not odd else odd, odd)) False
learned : R[n,2] ~> R[n,3]
learned = moore (\\(h, x) -> (tanh (?W @ h + ?U @ x), ?V @ h)) (zero : R[4])
run f = moore f 0
"""


@pytest.fixture(scope="module")
def session() -> nnfp.Session:
    made = nnfp.Session(precision=64)
    made.run(MACHINES)
    return made


@given(st.lists(st.floats(-2, 2), max_size=6))
def test_a_moore_machine_is_the_mealy_machine_of_its_cell(
    session: nnfp.Session, xs: list[float]
) -> None:
    one, two = session["asMoore"](numpy.array(xs)), session["asMealy"](numpy.array(xs))
    numpy.testing.assert_array_equal(one, two)


def test_outputs_of_a_moore_machine_depend_on_earlier_inputs_alone(session: nnfp.Session) -> None:
    xs = numpy.array([0.3, -0.2, 0.5, 0.1])
    for k in range(4):
        _, pullback = session["asMoore"].vjp({}, xs)
        _, gradient = pullback(numpy.eye(4)[k])
        assert numpy.array_equal(gradient[k:], numpy.zeros(4 - k))
        assert numpy.all(gradient[:k] != 0)


def test_a_moore_machine_may_be_of_truth_values_and_may_learn(session: nnfp.Session) -> None:
    inputs = numpy.array([True, True, False, True])
    assert session["parity"](inputs).tolist() == [False, True, False, False]
    assert session["learned"](numpy.ones((3, 2))).shape == (3, 3)


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("f : R[n] -> R[n]\nf = moore (\\(s, x) -> (s + x, 2 * s + x)) 0", 2),
        ("f : R[n] -> R[n]\nf = moore (\\(s, x) -> (s + x, x)) 0", 2),
        ("moore (\\(s, x) -> (s, x)) 0 [1, 2]", 1),
        ("g : R[n,2] ~> R[n,4]\ng = moore gruCell[4] zero", 2),
    ],
)
def test_an_output_that_looks_at_the_input_is_refused_where_it_is_written(
    program: str, line: int
) -> None:
    with pytest.raises(nnfp.NnfpError) as caught:
        nnfp.Session(precision=64).run(program)
    told = caught.value.diagnostics[0]
    assert told.code == "moore-output"
    assert told.primary.span.line == line
    assert told.primary.span.text == "moore"


def test_a_cell_handed_over_is_checked_where_the_machine_runs(session: nnfp.Session) -> None:
    session.run("reads = run (\\(s, x) -> (s, x + s))\nwaits = run (\\(s, x) -> (s + x, s))")
    assert session["waits"](numpy.array([1.0, 2.0, 3.0])).tolist() == [0, 1, 3]
    with pytest.raises(nnfp.NnfpError, match="looks at its input"):
        session["reads"](numpy.array([1.0, 2.0]))
