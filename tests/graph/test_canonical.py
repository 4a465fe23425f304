"""A graph's canonical form: equal for what computes the same, different for all else."""

from __future__ import annotations

import itertools

import numpy
import pytest

import nnfp_kernel as nnfp
from nnfp_kernel.graph.canonical import canonical
from nnfp_kernel.runtime.lower import Compiled

PROGRAM = "w = [[1, 2, 3], [4, 5, 6]]\nf : R[3] -> R[2]\nf x = "
BODIES = (
    "tanh (w @ x)", "sin (w @ x)", "w @ tanh x", "2 * w @ x", "-2 * w @ x", "w @ x + 0", "w @ x - 0",
    "0 * (w @ x)", "(0 - 0) * (w @ x)", "take[2] x", "drop[1] x", "reverse (take[2] x)",
    "iterate[2] tanh (w @ x)", "iterate[3] tanh (w @ x)", "map tanh (w @ x)", "map sin (w @ x)",
    "scan (+) 0 (w @ x)", "scan (\\(s, a) -> a + s) 1 (w @ x)", "if sum x > 0 then w @ x else zero",
    "if sum x > 0 then zero else w @ x", "while[3] (\\y -> sum y < 1) (+ 1) (w @ x)",
    "while[4] (\\y -> sum y < 1) (+ 1) (w @ x)", "fixpoint (\\y -> cos y + w @ x / 9) zero",
)  # fmt: skip


def form(body: str) -> object:
    session = nnfp.Session(precision=64)
    session.run(PROGRAM + body)
    return canonical(session["f"].graph())


@pytest.mark.slow
def test_a_graph_made_again_is_the_same_and_another_is_not() -> None:
    forms = {body: form(body) for body in BODIES}
    for body in BODIES:
        assert form(body + "  -- elsewhere") == forms[body]
        hash(forms[body])
    for one, other in itertools.combinations(BODIES, 2):
        assert forms[one] != forms[other], (one, other)


def test_a_cell_that_is_run_again_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    function = Compiled.function
    monkeypatch.setattr(Compiled, "function", lambda self, f: made.append(f) or function(self, f))
    session = nnfp.Session(precision=64)
    session.run("k : R ~> R\nk x = ?a * x ^ 2\nsize n = 3\nv = [1, 2, 3] + 0.5")
    cell = "k 2\nmap k v\nmatrix (derivative (map k) v)"
    first = session.run(cell)
    count = len(made)
    assert count >= 3
    again = session.run("-- moved down\n\n" + cell)
    assert len(made) == count
    for one, other in zip(first.outputs, again.outputs, strict=True):
        numpy.testing.assert_array_equal(one.value, other.value)
    session.weights = {"k.a": 10.0}
    assert session.run("k 2").outputs[0].value == 40.0  # weights are inputs, not constants
    assert len(made) == count
    session.run("k : R ~> R\nk x = ?a * x ^ 3")
    assert session.run("k 2").outputs[0].value == 80.0
    assert len(made) == count + 1


def test_a_function_that_is_called_otherwise_compiles_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    function = Compiled.function
    monkeypatch.setattr(Compiled, "function", lambda self, f: made.append(f) or function(self, f))
    session = nnfp.Session(precision=64)
    counts = []
    for name in ("k", "j", "k"):
        session.run(f"{name} : R ~> R\n{name} x = ?a * x ^ 2")
        session.weights = {f"{name}.a": 3.0}
        called = session[name]
        assert called(2.0) == 12.0
        value, gradient = called.value_and_grad(called.weights, 2.0)
        assert (value, gradient[name]["a"]) == (12.0, 4.0)
        counts.append(len(made))
    assert counts[0] == counts[1] == counts[2]
    assert session["k"].compilations + session["j"].compilations <= counts[0]


def test_draws_are_drawn_anew() -> None:
    session = nnfp.Session(precision=64)
    cell = "(draw (normal 1) : R)"
    first, second = (session.run(cell).outputs[0].value for _ in range(2))
    assert first != second
